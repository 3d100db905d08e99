#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Make an arm64 Debian root with the libraries that trust/, memory/ and sensors/ link.
#   sysroot.sh DIR          (a finished one is left as it is)
set -eu
dir=$1
[ -e "$dir/.complete" ] && exit 0
rm -rf "$dir"
sources=/etc/apt/sources.list.d/debian.sources
[ -f "$sources" ] || sources=/etc/apt/sources.list
mmdebstrap --quiet --mode=root --variant=extract --architectures=arm64 \
  --include=libc6-dev,libgcc-s1,libssl-dev,liblmdb-dev,libcbor-dev,libcmocka-dev \
  bookworm "$dir" "$sources"
touch "$dir/.complete"

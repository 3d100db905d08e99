#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Install what is missing of a group of Debian (or Ubuntu) packages.
#   packages.sh run      to build and run
#   packages.sh test     to pass the tests as well
set -eu

run="build-essential cmake ninja-build pkg-config git ca-certificates python3
 libssl-dev libcbor-dev liblmdb-dev libglib2.0-dev libjson-glib-dev libsoup-3.0-dev libsystemd-dev
 libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev libcmocka-dev gstreamer1.0-tools
 gstreamer1.0-plugins-base gstreamer1.0-plugins-good"
test="$run clang-14 libclang-rt-14-dev llvm-14 clang-format-14 shellcheck
 python3-cbor2 python3-cryptography openssl curl jq procps socat gstreamer1.0-libav
 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user mmdebstrap
 gcc-arm-none-eabi libnewlib-arm-none-eabi binutils-arm-none-eabi"

case ${1:-} in
run) wanted=$run ;;
test) wanted=$test ;;
*)
  echo "usage: packages.sh run|test" >&2
  exit 2
  ;;
esac

missing=
for package in $wanted; do
  dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' ||
    missing="$missing $package"
done
[ -n "$missing" ] || exit 0

# sudo drops the environment, so the setting goes behind it.
as_root="env DEBIAN_FRONTEND=noninteractive"
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "packages.sh: neither root nor sudo; as root run: apt-get install$missing" >&2
    exit 1
  }
  as_root="sudo $as_root"
fi
echo "installing:$missing"
$as_root apt-get update -q >/dev/null
# shellcheck disable=SC2086
$as_root apt-get install -q -y --no-install-recommends $missing >/dev/null

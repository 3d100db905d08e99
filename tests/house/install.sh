#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Install a build into a prefix and run what landed there.   install.sh BUILD
set -eu
prefix=$(mktemp -d)
trap 'rm -rf "$prefix"' EXIT
cmake --install "$1" --prefix "$prefix"
for program in hallmark hallmarkd hallmark-authority hallmark-media; do
  "$prefix/bin/$program" --version
done
plugin=$(find "$prefix" -name 'libgsthallmark.so')
GST_PLUGIN_PATH=$(dirname "$plugin") GST_REGISTRY=$prefix/registry.bin gst-inspect-1.0 hallmarkgate >/dev/null
GST_PLUGIN_PATH=$(dirname "$plugin") GST_REGISTRY=$prefix/registry.bin gst-inspect-1.0 hallmarktiles >/dev/null

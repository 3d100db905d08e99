#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# The guard of the arrows' guard: a wrong include in a copy of the tree is named, and so is
# a wrong link, in a program linked here under the name of one of ours.
set -eu
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
root=$(cd "$(dirname "$0")/../.." && pwd)
cp -r "$root/trust" "$root/memory" "$root/sensors" "$root/services" "$copy/"
arrows=$root/tests/house/arrows.py
python3 "$arrows" includes "$copy"
for wrong in 'trust/tree.c "memory/log.h"' 'trust/tree.c <stdlib.h>' 'sensors/tiles.c <gst/gst.h>' \
  'memory/log.c <glib.h>' 'services/keys.c "services/daemon_core.h"' 'services/media_main.c <lmdb.h>'; do
  file=${wrong%% *} include=${wrong#* }
  cp "$copy/$file" "$copy/kept"
  echo "#include $include" >>"$copy/$file"
  if python3 "$arrows" includes "$copy" | grep -q "^$file:.*must not include"; then
    cp "$copy/kept" "$copy/$file"
  else
    echo "not noticed: $file including $include"
    exit 1
  fi
done

# A program linked here that needs LIBRARY, judged as PROGRAM.
wrong_link() {
  echo 'int main(void) { return 0; }' | ${CC:-cc} -x c - -o "$copy/$1" -Wl,--no-as-needed "-l$2"
  if python3 "$arrows" links "$copy/$1" | grep -q "^$1: must not link lib$2"; then return; fi
  echo "not noticed: $1 linking $2"
  exit 1
}
wrong_link hallmarkd gstreamer-1.0
wrong_link hallmark gstreamer-1.0
wrong_link hallmark-authority soup-3.0
wrong_link hallmark-media lmdb
wrong_link hallmark-media soup-3.0
wrong_link libgsthallmark.so lmdb

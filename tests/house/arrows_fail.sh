#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# The guard of the arrows guards: a wrong include in a copy of the tree is named.
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

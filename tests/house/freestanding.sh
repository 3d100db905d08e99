#!/bin/sh
# SPDX-License-Identifier: AGPL-3.0-or-later
# Compile trust/ (but the OpenSSL engine) freestanding with the compiler given and look
# at what its objects need: mem*, cbor_*, the compiler's own helpers, nothing else.
#   freestanding.sh NAME OUT COMPILER [FLAG...]
set -eu
name=$1 out=$2
shift 2
root=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "$out"
objects=
for source in "$root"/trust/*.c; do
  case $source in */crypto_openssl.c) continue ;; esac
  object=$out/$(basename "$source" .c).o
  "$@" -std=c11 -O2 -ffreestanding -Wall -Wextra -Werror -I"$root" -c "$source" -o "$object"
  objects="$objects $object"
done
# shellcheck disable=SC2086
defined=$(nm --defined-only $objects | awk 'NF == 3 {print $3}' | sort -u)
# shellcheck disable=SC2086
needed=$(nm --undefined-only $objects | awk '$1 == "U" {print $2}' | sort -u)
alien=$(printf '%s\n' "$needed" | grep -vxF "$defined" |
  grep -vE '^(mem(cpy|set|cmp|move|chr)|cbor_.*|__aeabi_.*|__(u|)(div|mod|mul|cmp|ashl|lshr|ashr|clz|ctz|popcount)[a-z]*[0-9]|__stack_chk_(fail|guard)|_GLOBAL_OFFSET_TABLE_)$' || true)
if [ -n "$alien" ]; then
  echo "$name: trust/ needs what no freestanding target has:" "$alien"
  exit 1
fi
echo "$name: trust/ needs only mem* and cbor_*"

#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# From a fresh machine to a memory that proves where it came from: installs what is
# missing, builds, makes an identity, binds a recording, pairs it, watches, asks why.
#
#   quickstart.sh [--video FILE] [--state DIR] [--exit]
#
#   --video FILE   a recording of your own; else the pan recording of tests/data
#   --state DIR    where identity, keys and store go (made; kept); else a new folder
#   --exit         stop when done; else it stays up until Ctrl-C
set -eu
begin=$SECONDS
root=$(cd "$(dirname "$0")/.." && pwd)
video=$root/tests/data/pan/camera.mkv
state=
stay=yes
pids=

fail() {
  echo "quickstart: $*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
  --video) [ $# -ge 2 ] || fail "--video wants a file"; video=$(realpath -e -- "$2") || fail "$2: no such file"; shift ;;
  --state) [ $# -ge 2 ] || fail "--state wants a folder"; state=$(realpath -m -- "$2"); shift ;;
  --exit) stay= ;;
  *) echo "usage: quickstart.sh [--video FILE] [--state DIR] [--exit]" >&2; exit 2 ;;
  esac
  shift
done
[ -n "$state" ] || state=$(mktemp -d "${TMPDIR:-/tmp}/hallmark.XXXXXX")

# Services stop in reverse order, by pid, whatever happens above.
stop() {
  local pid
  for pid in $pids; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  pids=
}
trap stop EXIT
trap 'exit 130' INT TERM

# In a session of its own: Ctrl-C reaches this script alone, whose SIGTERM would else be
# a second signal, and a second one ends hallmarkd at once.
start() {
  setsid "$@" --state "$state" >>"$state/log/$(basename "$1").log" 2>&1 &
  pids="$! $pids"
}

# say COMMAND...: show it as a user would type it, then run it.
say() {
  printf '\n$ %s\n' "$*"
  "$@"
}

echo "== packages and build"
"$root/deploy/packages.sh" run
build=$root/build/release
from=$SECONDS
mkdir -p "$state/log"
log=$state/log/build.log
echo "building, some minutes on a small machine; follow it with: tail -f $log"
(cd "$root" && cmake --preset release && cmake --build build/release \
  --target hallmark hallmarkd hallmark-authority hallmark-media gsthallmark) >"$log" 2>&1 ||
  { tail -n 30 "$log"; fail "the build failed; all of it is in $log"; }
echo "built in $((SECONDS - from)) s: ${build#"$root"/}/bin"

export PATH=$build/bin:$PATH GST_PLUGIN_PATH=$build/lib HALLMARK_STATE=$state
export GST_REGISTRY=$state/log/gst-registry.bin

say hallmark init
up=$SECONDS
start hallmark-authority serve
start hallmarkd
start hallmark-media
hallmark status --wait 10s >/dev/null || { tail -n 5 "$state"/log/*.log; fail "hallmarkd did not start"; }

for _ in $(seq 100); do
  hallmark status | grep -q '^media  *1' && break
  sleep 0.1
done

say hallmark bind "file:$video" --name pan
say hallmark pair pan --context drive --for 30d --allow observe,remember
say hallmark watch --since m1 --count 3 --for 30s ||
  { tail -n 5 "$state/log/hallmark-media.log"; fail "no memory came of $video"; }
echo "   first proven memories $((SECONDS - up)) s after the start of the services"

# The recording is decoded as fast as it goes; wait until nothing new arrives.
last=
for _ in $(seq 60); do
  now=$(hallmark status --json | grep -o '"memories":"[0-9]*"' | head -n 1 || true)
  [ -n "$now" ] && [ "$now" = "$last" ] && break
  last=$now
  sleep 1
done

say hallmark ls
say hallmark query --like m1 -k 5
say hallmark why m1
say hallmark proof m1 --out "$state/m1.hmk"
say hallmark verify "$state/m1.hmk" --authority "$state/etc/trust.d/home.pub"
say hallmark demo tamper m1

printf '\n== done in %d s. State: %s\n' $((SECONDS - begin)) "$state"
[ -n "$stay" ] || exit 0
cat <<TEXT
The services are up until Ctrl-C. In another terminal:
  export PATH=$build/bin:\$PATH HALLMARK_STATE=$state
  hallmark status
TEXT
wait
fail "the services ended; their logs are in $state/log"

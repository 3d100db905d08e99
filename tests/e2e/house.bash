# SPDX-License-Identifier: AGPL-3.0-or-later
# Sourced by the end-to-end tests: a state folder of its own, the three programs, and
# checks that count. BIN is the folder of the programs.
set -u
BIN=$(cd "$1/bin" && pwd)
LIB=$(cd "$1/lib" && pwd)
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
WORK=$(mktemp -d /tmp/hm-e2e-XXXXXX)
STATE=$WORK/s
PUB=$STATE/etc/trust.d/home.pub
PAN=$ROOT/tests/data/pan/camera.mkv
pids=()
daemon=
failed=0
checks=0
export GST_PLUGIN_PATH=$LIB GST_REGISTRY=$WORK/registry.bin HALLMARK_STATE=$STATE NO_COLOR=1
unset XDG_STATE_HOME

say_fail() {
  failed=$((failed + 1))
  echo "FAIL  $*"
}

# expect CODE WORD COMMAND...: its exit code, and a word of what it prints (- for none).
expect() {
  local code=$1 word=$2 out got
  shift 2
  out=$("$@" 2>&1 </dev/null)
  got=$?
  checks=$((checks + 1))
  if [ "$got" -ne "$code" ]; then
    say_fail "$* : exit $got, expected $code: $out"
  elif [ "$word" != - ] && [[ $out != *"$word"* ]]; then
    say_fail "$* : no \"$word\" in: $out"
  fi
}

# is WHAT WANTED FOUND
is() {
  checks=$((checks + 1))
  [ "$2" = "$3" ] || say_fail "$1: expected $2, found $3"
}

hm() { "$BIN/hallmark" "$@"; }

start_daemon() {
  "$BIN/hallmarkd" --state "$STATE" >>"$WORK/daemon.log" 2>&1 &
  daemon=$!
  pids+=("$daemon")
  hm status --wait 20s -q || say_fail "hallmarkd did not answer: $(tail -n 5 "$WORK/daemon.log")"
}

# Wait until a command succeeds, at most N tenths of a second.
until_true() {
  local n=$1
  shift
  while ! "$@" >/dev/null 2>&1; do
    n=$((n - 1))
    [ "$n" -gt 0 ] || return 1
    sleep 0.1
  done
}

start_all() {
  "$BIN/hallmark-authority" serve --state "$STATE" >>"$WORK/authority.log" 2>&1 &
  pids+=($!)
  start_daemon
  "$BIN/hallmark-media" --state "$STATE" >>"$WORK/media.log" 2>&1 &
  pids+=($!)
  until_true 200 sh -c "$BIN/hallmark status --json | jq -e '.media == 1'" ||
    say_fail "hallmark-media did not come: $(tail -n 5 "$WORK/media.log")"
}

stop_daemon() {
  kill -TERM "$daemon" 2>/dev/null
  wait "$daemon"
}

finish() {
  local pid i
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    pid=${pids[$i]}
    kill -TERM "$pid" 2>/dev/null
  done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null; done
  if [ "$failed" -ne 0 ]; then
    tail -n 20 "$WORK"/*.log
  fi
  rm -rf "$WORK"
  echo "$checks checks, $failed failed"
  [ "$failed" -eq 0 ]
}
trap 'finish; exit $?' EXIT

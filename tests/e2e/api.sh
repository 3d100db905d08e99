#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# The API as any client meets it, and as a hostile one does. Usage: api.sh BUILD
# shellcheck source=tests/e2e/house.bash
. "$(dirname "$0")/house.bash"

hm init -q
start_all
SOCK=$STATE/run/api.sock
hm bind "file:$PAN" --name pan >/dev/null
hm pair pan --context drive >/dev/null
hm watch --since m1 --count 20 --for 20s -q >/dev/null || say_fail "no memories"

api() { curl -s --max-time 20 --unix-socket "$SOCK" "$@"; }

# answer HTTP HM_STATUS CURL-ARGUMENT...
answer() {
  local http=$1 status=$2 out
  shift 2
  out=$(api -o "$WORK/body" -w '%{http_code} %{content_type}' "$@")
  checks=$((checks + 1))
  if [ "${out%% *}" != "$http" ]; then
    say_fail "$* : $out, expected $http: $(head -c 300 "$WORK/body")"
  elif [ "$status" != - ]; then
    [[ $out == *application/problem+json ]] || say_fail "$* : type $out"
    is "$*" "$status" "$(jq -r .hm_status "$WORK/body")"
  fi
}

# ---- right questions -------------------------------------------------------------------------
answer 200 - http://h/api/status
is "status" running "$(jq -r .state "$WORK/body")"
answer 200 - http://h/api/entities
answer 200 - http://h/api/entities/pan
is "state" class-H "class-$(jq -r .class "$WORK/body")"
answer 200 - http://h/api/sources
answer 200 - http://h/api/memories/m1
answer 200 - http://h/api/memories/m1/picture
is "picture" 3072 "$(stat -c %s "$WORK/body")"
answer 200 - http://h/api/memories/m1/why
is "why" true "$(jq -r .proven "$WORK/body")"
answer 200 - -H 'Accept: application/cbor' http://h/api/memories/m1/why
expect 0 proven hm verify "$WORK/body" --authority "$PUB"
answer 200 - -d '{"like":"m1","k":3}' http://h/api/query
is "query" "m1 0" "$(jq -r '.hits[0] | "\(.id) \(.distance)"' "$WORK/body")"
answer 200 - -d '{"objects":["m2","m1"]}' http://h/api/proofs
expect 0 proven hm verify "$WORK/body" --authority "$PUB"
answer 200 - "http://h/api/control?since=c2&limit=2"
is "control" "c3 c4 c4" "$(jq -r '"\(.entries[0].id) \(.entries[1].id) \(.next)"' "$WORK/body")"
answer 200 - http://h/metrics
checks=$((checks + 1))
has_frames() { api http://h/metrics | grep -q '^hallmark_frames_total{sensor="pan",result="passed"} [1-9]'; }
until_true 50 has_frames || say_fail "metrics show no frames" # the gate reports each second
if command -v promtool >/dev/null; then
  checks=$((checks + 1))
  promtool check metrics <"$WORK/body" >"$WORK/out" 2>&1 || say_fail "promtool: $(cat "$WORK/out")"
fi

# ---- wrong questions -----------------------------------------------------------------------------
answer 404 NOT_FOUND http://h/api/nothing
answer 404 NOT_FOUND http://h/
answer 404 NOT_FOUND http://h/api/entities/rear
answer 404 NOT_FOUND http://h/api/entities/pan/x
answer 404 NOT_FOUND http://h/api/memories/m999999
answer 405 UNSUPPORTED -X PUT http://h/api/status
answer 405 UNSUPPORTED -X DELETE http://h/api/pairings
answer 400 MALFORMED http://h/api/memories/pan
answer 400 MALFORMED http://h/api/memories/m01
answer 400 MALFORMED "http://h/api/control?since=x"
answer 400 MALFORMED "http://h/api/control?limit=0"
answer 404 NOT_FOUND "http://h/api/control?since=c99999"
answer 400 MALFORMED "http://h/api/events?since=pan"
answer 404 NOT_FOUND "http://h/api/events?since=m999999"
answer 400 MALFORMED -d '' http://h/api/query
answer 400 MALFORMED -d '{' http://h/api/query
answer 400 MALFORMED -d '[]' http://h/api/query
answer 400 MALFORMED -d '{"k":1,"k":2}' http://h/api/query
answer 400 MALFORMED -d '{"kk":1}' http://h/api/query
answer 400 MALFORMED -d '{"k":0}' http://h/api/query
answer 400 MALFORMED -d '{"k":501}' http://h/api/query
answer 400 MALFORMED -d '{"like":"pan"}' http://h/api/query
answer 400 MALFORMED -d '{"vector":[1,2,3]}' http://h/api/query
answer 404 NOT_FOUND -d '{"sensor":"rear"}' http://h/api/query
answer 400 MALFORMED -d '{"names":["pan"],"context":"drive","seconds":0}' http://h/api/pairings
answer 400 MALFORMED -d '{"names":[],"context":"drive","seconds":100}' http://h/api/pairings
answer 400 MALFORMED -d '{"names":["pan"],"context":"drive","seconds":100,"operations":["fly"]}' http://h/api/pairings
answer 400 MALFORMED -d '{}' http://h/api/revocations
answer 400 MALFORMED -d '{"name":"pan","entry":"c7"}' http://h/api/revocations
answer 400 MALFORMED -d '{"objects":["pan"]}' http://h/api/proofs
answer 400 MALFORMED -d '{"source":"nothing"}' http://h/api/entities
answer 400 MALFORMED -d '{"source":"csi:0","name":"M"}' http://h/api/entities
answer 400 TOO_DEEP -d "$(printf '[%.0s' {1..5000})" http://h/api/query
answer 400 MALFORMED -X GET -d '{"a":1}' http://h/api/status
head -c 70000 /dev/zero | tr '\0' ' ' >"$WORK/large"
answer 413 TOO_LARGE --data-binary "@$WORK/large" http://h/api/query
answer 413 TOO_LARGE -H 'Transfer-Encoding: chunked' --data-binary "@$WORK/large" http://h/api/query
head -c 3000000 /dev/zero >"$WORK/huge"
api -o /dev/null --data-binary "@$WORK/huge" http://h/api/query # cut off, whatever curl makes of it
answer 404 NOT_FOUND "http://h/api/entities/$(printf 'a%.0s' {1..400})"
answer 413 TOO_LARGE "http://h/api/entities/$(printf 'a%.0s' {1..600})"
printf 'GARBAGE\r\n\r\n' | timeout 5 socat - "UNIX-CONNECT:$SOCK" >/dev/null 2>&1
head -c 200000 /dev/urandom | timeout 5 socat - "UNIX-CONNECT:$SOCK" >/dev/null 2>&1
answer 200 - http://h/api/status

# A password is shown nowhere.
api -d '{"source":"rtsp://user:s3cret@127.0.0.1:1/x","name":"cam"}' http://h/api/entities >"$WORK/body"
{ cat "$WORK/body"; api http://h/api/entities; api http://h/metrics; api http://h/api/control; cat "$WORK/daemon.log"; } >"$WORK/all"
checks=$((checks + 1))
grep -q s3cret "$WORK/all" && say_fail "a password is shown: $(grep -o '.\{40\}s3cret' "$WORK/all" | head -n 1)"

# ---- who may ask --------------------------------------------------------------------------------------
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
  chmod o+x "$WORK" "$STATE" "$STATE/run" && chmod o+rw "$SOCK"
  out=$(setpriv --reuid 65534 --regid 65534 --clear-groups curl -s --max-time 10 --unix-socket "$SOCK" \
    -w '%{http_code}' http://h/api/status)
  is "nobody" 403 "${out: -3}"
  is "nobody's reason" DENIED "$(jq -r .hm_status <<<"${out%???}")"
  chmod 660 "$SOCK"
fi

# ---- events: resumable, and nothing is left out --------------------------------------------------------------
events() { timeout "$1" curl -sN --unix-socket "$SOCK" "${@:2}" | grep '^id:' ; }
last=$(api http://h/api/status | jq -r .store.memories)
for ((i = 0; i < 50; i++)); do
  sleep 0.2
  now=$(api http://h/api/status | jq -r .store.memories)
  [ "$now" = "$last" ] && break
  last=$now
done
sleep 1.5
entries=$(api http://h/api/status | jq -r .store.entries)
last=$(api http://h/api/status | jq -r .store.memories)
events 3 "http://h/api/events?since=m0" >"$WORK/ids"
is "memories replayed" "$last" "$(grep -c 'id: m' "$WORK/ids")"
is "in order" "$(grep 'id: m' "$WORK/ids")" "$(grep 'id: m' "$WORK/ids" | sort -t m -k 2 -n)"
is "entries replayed" "$entries" "$(grep -c 'id: c' "$WORK/ids")"
is "resumed after m5" "id: m6" "$(events 2 -H 'Last-Event-ID: m5' http://h/api/events | grep 'id: m' | head -n 1)"
is "resumed after c3" "id: c4" "$(events 2 -H 'Last-Event-ID: c3' http://h/api/events | grep 'id: c' | head -n 1)"

# A follower that never reads does not grow the daemon, and hurts nobody.
# shellcheck disable=SC2154 # set by house.bash
daemon_kb() { awk '/^VmRSS/ {print $2}' "/proc/$daemon/status"; }
before=$(daemon_kb)
for ((i = 0; i < 20; i++)); do
  (printf 'GET /api/events?since=m0 HTTP/1.1\r\nHost: h\r\n\r\n'; sleep 6) | socat -u - "UNIX-CONNECT:$SOCK" &
  slow+=($!)
done
sleep 2
answer 200 - http://h/api/status
checks=$((checks + 1))
grown=$(($(daemon_kb) - before))
[ "$grown" -lt 40000 ] || say_fail "20 silent followers: grown by $grown kB"
kill "${slow[@]}" 2>/dev/null
wait "${slow[@]}" 2>/dev/null

# ---- storms --------------------------------------------------------------------------------------------------------
/usr/bin/python3 - "$SOCK" <<'PY' || say_fail "connections"
import socket, sys, time
path = sys.argv[1]
held = []
for i in range(80):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    try:
        s.connect(path)
        held.append(s)
    except OSError:
        pass
time.sleep(1)
open_now = 0
for s in held:
    s.setblocking(False)
    try:
        if s.recv(1) == b"":
            continue
    except BlockingIOError:
        open_now += 1
    except OSError:
        continue
print("open of 80:", open_now)
assert open_now <= 64, open_now
for s in held:
    s.close()
time.sleep(0.5)
for i in range(10000):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    try:
        s.connect(path)
    except OSError:
        time.sleep(0.01)
    s.close()
PY
checks=$((checks + 1))
until_true 50 curl -sf --max-time 5 --unix-socket "$SOCK" http://h/api/status || say_fail "after 10,000 connects"
answer 200 - http://h/api/memories/m1
kill -0 "$daemon" || say_fail "hallmarkd is gone"

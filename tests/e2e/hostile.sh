#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# What a neighbour on the same machine tries: to learn a camera's password, to keep the
# administrator out, to stay in after the end of a pairing. Usage: hostile.sh BUILD
# shellcheck source=tests/e2e/house.bash
. "$(dirname "$0")/house.bash"

umask 000 # whatever the caller's mask is, nothing becomes wider than it should
hm init >/dev/null || say_fail "init"
start_all

# ---- modes ---------------------------------------------------------------------------
for file in keys/host.sign.pem keys/host.agree.pem keys/boot authority/sign.pem store/control/data.mdb \
  store/data/000001/data.mdb; do
  is "mode of $file" 600 "$(stat -c %a "$STATE/$file")"
done
for folder in keys sources authority; do
  is "mode of $folder" 700 "$(stat -c %a "$STATE/$folder")"
done
is "mode of the state folder" 750 "$(stat -c %a "$STATE")"
for socket in api gate authority; do
  is "mode of $socket.sock" 660 "$(stat -c %a "$STATE/run/$socket.sock")"
done

# ---- a camera's password -----------------------------------------------------------------
secret=Pl4ntedS3cret
expect 0 "rtsp://...@127.0.0.1" hm bind "rtsp://viewer:$secret@127.0.0.1:9/stream" --name cam
expect 0 "pan  bound" hm bind "file:$PAN" --name pan
expect 0 "flowing" hm pair pan cam --context drive
expect 0 - hm revoke cam --context drive
expect 0 - hm proof m1 m2 --out "$WORK/x.hmk"
{
  hm ls -v --json
  hm show cam -v --json
  hm why cam --json
  hm discover --json
  hm log --json
  hm status --json
  for path in metrics api/entities api/entities/cam api/sources api/control; do
    curl -s --max-time 5 --unix-socket "$STATE/run/api.sock" "http://h/$path"
  done
  curl -s --max-time 1 --unix-socket "$STATE/run/api.sock" "http://h/api/events?since=m1"
} >"$WORK/answers" 2>&1
is "password in answers" 0 "$(grep -c "$secret" "$WORK/answers")"
is "password in files" "$STATE/sources/cam" "$(grep -rl --devices=skip "$secret" "$WORK")"
is "mode of the source" 600 "$(stat -c %a "$STATE/sources/cam")"
for pid in "${pids[@]}"; do
  # what a wrapper hands down counts too: children of media are looked at with it
  for one in $pid $(pgrep -P "$pid"); do
    is "password in the arguments of $one" 0 "$(tr '\0' '\n' <"/proc/$one/cmdline" | grep -c "$secret")"
    is "core size of $one" "0 0" "$(awk '/Max core/ {print $5, $6}' "/proc/$one/limits")"
  done
done
is "private key in logs or proofs" 0 \
  "$(grep -l "$(sed -n 2p "$STATE/keys/host.sign.pem")" "$WORK"/*.log "$WORK"/*.hmk "$WORK/answers" | wc -l)"

# ---- connections of somebody who may not change anything ------------------------------------
if [ "$(id -u)" -eq 0 ]; then
  chmod 755 "$WORK" "$STATE" "$STATE/run"
  chmod 666 "$STATE/run/api.sock"
  /usr/bin/python3 - "$STATE/run/api.sock" "$WORK/held" <<'PY' &
import os, socket, sys, time
os.setgid(65534)
os.setuid(65534)
held = []
for _ in range(200):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.connect(sys.argv[1])
    s.send(b"GET /api/status HTTP/1.1\r\n")
    held.append(s)
    if len(held) % 40 == 0:
        time.sleep(0.1)
time.sleep(1)
sys.stderr.close()
time.sleep(20)
PY
  holder=$!
  pids+=("$holder")
  until_true 50 grep -q "limit 48" "$WORK/daemon.log"
  expect 0 "running" hm status
  expect 0 "revoked" hm revoke pan --context drive
  kill "$holder"
fi

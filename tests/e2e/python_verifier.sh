#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# A verifier that knows nothing but docs/spec judges what the programs write: proofs of one
# memory, of a batch above a head with its live set, of several batches with revocations
# between them. It must say what `hallmark verify` says, word for word, must not
# believe another authority, and must refuse every variant a tamperer without keys can make.
. "$(dirname "$0")/house.bash"

PYTHON=/usr/bin/python3
HERE=$ROOT/tests/e2e
export PYTHONDONTWRITEBYTECODE=1

verifier() { "$PYTHON" "$HERE/verify_hmk.py" "$@"; }

newest() { hm query --all --json | head -n 1 | jq -r .id; }

# settled N: the newest memory's number is above N and two looks a second apart show the same.
settled() {
  local now
  now=$(newest)
  [ "${now#m}" -gt "$1" ] && sleep 1 && [ "$(newest)" = "$now" ]
}

stop_all() {
  local i
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -TERM "${pids[$i]}" && wait "${pids[$i]}"
  done
  pids=()
}

# items FILE KIND COUNT: at least so many items of a kind are in it.
items() {
  local found
  found=$("$PYTHON" - "$HERE" "$1" "$2" <<'TEXT'
import sys
sys.path.insert(0, sys.argv[1])
from hmk_tamper import split
from hmk_cose import load
print(sum(load(item)[0] == int(sys.argv[3]) for item in split(open(sys.argv[2], "rb").read())))
TEXT
)
  checks=$((checks + 1))
  [ "${found:-0}" -ge "$3" ] || say_fail "$1 has ${found:-no} items of kind $2, not $3"
}

# judge FILE: both verifiers prove it in the same five words, neither under a stranger's key.
judge() {
  local ours theirs
  expect 0 "proven: authorized yes, intact yes" verifier "$1" --authority "$PUB"
  ours=$(verifier "$1" --authority "$PUB" | head -n 1)
  theirs=$(hm verify "$1" --authority "$PUB")
  is "verdict on $1" "${theirs##*hmk: }" "$ours"
  expect 1 "rule 2: c2: authority: must be one that is given" verifier "$1" --authority "$WORK/other.pub"
  expect 0 proven verifier "$1" --authority "$WORK/other.pub" --authority "$PUB"
}

# tamper FILE CHANGES: every variant is refused.
tamper() {
  local out
  checks=$((checks + 1))
  if out=$("$PYTHON" "$HERE/hmk_tamper.py" "$1" --authority "$PUB" --changes "$2" 2>&1); then
    echo "$(basename "$1"): $(tail -n 1 <<<"$out")"
  else
    say_fail "$1: $out"
  fi
}

start_authority() {
  "$BIN/hallmark-authority" serve --state "$STATE" >>"$WORK/authority.log" 2>&1 &
  pids+=($!)
}

start_media() {
  "$BIN/hallmark-media" --state "$STATE" >>"$WORK/media.log" 2>&1 &
  pids+=($!)
}

openssl ecparam -name prime256v1 -genkey -noout | openssl pkey -pubout >"$WORK/other.pub"

# Boot 1: drive only, no head yet below the batches.
expect 0 - hm init
start_all
expect 0 - hm bind "file:$PAN" --name pan
expect 0 - hm pair pan --context drive
until_true 300 settled 100 || say_fail "the recording did not end"
last=$(newest)
expect 0 - hm proof m1 --out "$WORK/one.hmk"
judge "$WORK/one.hmk"
stop_all

# Boot 2: a head lies below; a second context.
start_all
expect 0 - hm pair pan --context diagnostics
until_true 300 settled "$((${last#m} + 100))" || say_fail "the recording did not play again"
both=$(hm query --context diagnostics --json -k 1 | jq -r .id)
expect 0 - hm proof "$both" --out "$WORK/live.hmk"
judge "$WORK/live.hmk"
items "$WORK/live.hmk" 8 1
last=$(newest)
stop_all

# Boot 3: that context ends before a frame flows, so the revocations (the host's own, the
# authority's) lie in the gapless run of every batch of this boot, above those of boot 2.
start_authority
start_daemon
expect 0 - hm revoke pan --context diagnostics
start_media
until_true 300 settled "$((${last#m} + 100))" || say_fail "the recording did not play a third time"
expect 0 - hm proof m1 m2 "m$((${both#m} - 5))" "$both" "$(newest)" --out "$WORK/many.hmk"
judge "$WORK/many.hmk"
expect 0 "$both: revoked later" verifier "$WORK/many.hmk" --authority "$PUB"
items "$WORK/many.hmk" 8 2
items "$WORK/many.hmk" 3 3
items "$WORK/many.hmk" 4 5
stop_all

# A world invented from the pages, with all its keys: both verifiers prove the same files of it
# in the same words, and refuse the others with the same exit code.
expect 0 "invented files, 0 judged wrongly" "$PYTHON" "$HERE/hmk_forge.py" "$WORK/forged"
while read -r name code; do
  expect "$code" - hm verify "$WORK/forged/$name.hmk" --authority "$WORK/forged/home.pub"
  if [ "$code" = 0 ]; then
    PUB=$WORK/forged/home.pub judge "$WORK/forged/$name.hmk"
  fi
done <"$WORK/forged/cases.txt"

# What is not there, not a key, not a proof.
expect 2 "No such file" verifier "$WORK/none.hmk" --authority "$PUB"
expect 2 - verifier "$WORK/one.hmk" --authority "$WORK/one.hmk"
expect 2 required verifier "$WORK/one.hmk"
expect 6 malformed verifier "$PUB" --authority "$PUB"
expect 6 malformed verifier /dev/null --authority "$PUB"
head -c 100000 /dev/zero | tr '\0' '\322' >"$WORK/tags"
expect 6 malformed verifier "$WORK/tags" --authority "$PUB"

tamper "$WORK/one.hmk" 2
tamper "$WORK/live.hmk" 1
tamper "$WORK/many.hmk" 1

#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# The command hallmark as a user meets it: wrong arguments, the first five minutes, what a
# tampered or damaged store gets. Usage: cli.sh BUILD
# shellcheck source=tests/e2e/house.bash
. "$(dirname "$0")/house.bash"

# ---- arguments ------------------------------------------------------------------------
expect 2 "run: hallmark --help" hm
expect 2 "no such verb" hm fly
expect 2 '\x1b[2J' hm $'\033[2J'
expect 0 "usage: hallmark VERB" hm --help
expect 0 "usage: hallmark query" hm query --help
expect 0 "hallmark 0." hm --version
expect 2 "unknown flag" hm query --colour red
expect 2 "needs a value" hm query --like
expect 2 "given twice" hm query -k 1 -k 2
expect 2 "expected 1 to 500" hm query -k 501
expect 2 "expected 1 to 500" hm query -k -5
expect 2 "exclude each other" hm query --last 1h --since m1
expect 2 "expected a duration" hm query --last 1
expect 2 '>=0.8' hm query --trust 1.5
expect 2 "needs NAME" hm pair
expect 2 "--context" hm pair front
expect 2 "60s to 400d" hm pair front --context drive --for 5s
expect 2 "begins with a letter" hm bind "file:$PAN" --name m12
expect 2 "begins with a letter" hm bind "file:$PAN" --name Front
expect 2 "begins with a letter" hm bind "file:$PAN" --name "$(printf 'a%.0s' {1..33})"
expect 2 "no source" hm bind front
expect 2 "one object too many" hm bind csi:0 csi:1
expect 2 "expected a name or a control entry" hm revoke m12
expect 2 "expected a memory" hm proof c4 --out x.hmk
expect 2 "needs --out" hm proof m1
expect 2 "expected a number" hm watch --count 0
expect 2 "expected tamper" hm demo lie m1
expect 2 "whole LCT id" hm verify x.hmk --pin lct:abc
expect 3 "no such table" hm spec nothing
for table in errors types objects labels codes profile capability pairing gate authority links config verbs \
  context receipt-kind; do
  expect 0 - hm spec "$table"
done
expect 0 "COSE alg    -7" hm spec profile
is "spec errors in JSON" "$(hm spec errors | tail -n +2 | wc -l)" "$(hm spec errors --json | jq -c . | wc -l)"

# ---- nobody there -----------------------------------------------------------------------
expect 5 "$STATE/run/api.sock" hm ls
expect 5 "run: hallmark init --state $STATE" hm ls
expect 5 "no daemon at /nope/api.sock" hm ls --socket /nope/api.sock
expect 6 "limit is 107" hm ls --socket "/$(printf 'x%.0s' {1..120})"
expect 8 "waited 1s" hm status --wait 1s
expect 3 "no store there" hm --store "$WORK" query
expect 3 "run: hallmark init --state $STATE" "$BIN/hallmarkd" --state "$STATE"

# ---- the first five minutes -----------------------------------------------------------------
expect 0 "home.pub" hm init
expect 9 "is there already" hm init
rm -rf "$STATE/store" "$STATE/keys" # an init that was interrupted after the authority was made
cp "$PUB" "$WORK/first.pub"
expect 0 "identity" hm init
is "the authority's key after a resumed init" "$(cat "$WORK/first.pub")" "$(cat "$PUB")"
start_all
expect 9 "holds it" hm verify
expect 9 "holds it" hm --store "$STATE" query
expect 1 "no memory fits" hm query
expect 3 "no entity of this name" hm show rear
expect 3 "no such memory" hm show m1
expect 3 "c9999: no such entry" hm show c9999
expect 3 - hm bind "file:$WORK/none.mkv" --name pan
expect 0 "pan  bound  c" hm bind "file:$PAN" --name pan
expect 9 - hm bind "file:$PAN" --name pan2
cp "$PAN" "$WORK/copy.mkv" && printf x >>"$WORK/copy.mkv"
expect 9 - hm bind "file:$WORK/copy.mkv" --name pan
expect 3 - hm pair rear --context drive
expect 2 - hm pair pan --context drive --for 500d
expect 6 "unknown" hm pair pan --context drive --allow fly
expect 0 ": first frame after" hm pair pan --context drive --for 30d --allow observe,remember
expect 0 "m3 " hm watch --since m1 --count 3 --for 20s
until_true 200 sh -c "$BIN/hallmark ls --json | jq -e 'select(.name == \"pan\").health == \"ended\"'" ||
  say_fail "the recording did not end: $(hm ls)"
is "--json of ls parses" 2 "$(hm ls --json | jq -r .lct | grep -c '^lct:web4:mb32:b')"
is "m1 is nearest to itself, at distance 0" "m1 0" \
  "$(hm query --like m1 -k 1 --json | jq -r '"\(.id) \(.distance)"')"
expect 0 "picture written" hm show m1 --picture "$WORK/m1.png"
is "its picture finds it" m1 "$(hm query --like "$WORK/m1.png" -k 1 --json | jq -r .id)"
gst-launch-1.0 -q videotestsrc num-buffers=1 pattern=ball ! video/x-raw,width=320,height=240 ! \
  pngenc ! filesink location="$WORK/ball.png" || say_fail "gst-launch-1.0"
checks=$((checks + 1))
hm query --like "$WORK/ball.png" -k 1 --json | jq -e '.distance > 0.01' >/dev/null ||
  say_fail "a foreign picture is at distance $(hm query --like "$WORK/ball.png" -k 1 --json | jq .distance)"
head -c 3000 /dev/urandom >"$WORK/noise.png"
expect 6 "noise.png" hm query --like "$WORK/noise.png"
expect 3 "neither a memory" hm query --like "$WORK/none.png"
expect 3 "no such memory" hm query --like m999999
expect 3 "no entity of this name" hm query --sensor rear
expect 0 "recomputed from the picture: same bits" hm why m1
expect 0 "proven" hm why m2 --json
openssl ecparam -name prime256v1 -genkey -noout 2>/dev/null | openssl ec -pubout >"$WORK/other.pub" 2>/dev/null
expect 1 "is signed by another authority" hm why m1 --authority "$WORK/other.pub"
is "all pages" "$(hm status --json | jq -r .store.memories)" "$(hm query --all --json | wc -l)"
is "a filter by sensor and number" m4 "$(hm query --sensor pan --context drive --since m4 --until m5 --json | jq -r .id)"
expect 1 "no memory fits" hm query --context training
expect 1 "no memory fits" hm query --trust 1 --value 1
expect 1 "no memory fits" hm query --until 2020-01-01
checks=$((checks + 1))
hm query --trust '>=0.7' -k 500 --json | jq -es 'length > 0 and all(.trust >= 0.7)' >/dev/null ||
  say_fail "--trust lets others through"
is "proven in the table" 5 "$(hm query --until m6 -k 5 | grep -c ' proven$')"

# ---- a narrow terminal: lines break between words, within its width ----------------------------
# wide COLUMNS COMMAND...: how many lines of its output are longer, on a terminal that wide.
wide() {
  local columns=$1
  shift
  PAGER="cat" script -qec "stty cols $columns; '$BIN/hallmark' $*" /dev/null </dev/null | tr -d '\r' |
    awk -v most="$columns" 'length > most { n++ } END { print n + 0, (NR > 3 ? "printed" : "nothing") }'
}
for words in "why m1" "log" "watch --since m1 --count 5" "query --help" "status"; do
  is "lines of hallmark $words over 80 columns" "0 printed" "$(wide 80 "$words")"
done
is "elsewhere a sentence is one line" 1 "$(hm why m1 | grep -c '^cannot prove: .*truth of the scene$')"

# ---- proof files: a stranger checks ------------------------------------------------------------
x=$WORK/x.hmk
expect 0 "2 memories" hm proof m2 m1 m2 --out "$x"
expect 0 "export manifest" hm log
expect 0 "authorized yes, intact yes" env -i -C / "$BIN/hallmark" verify "$x" --authority "$PUB"
expect 0 "recomputed" hm verify "$x" --authority "$PUB" --recompute -v
expect 1 "not proven: authorized no" hm verify "$x" --authority "$WORK/other.pub"
expect 3 "none.hmk" hm verify "$WORK/none.hmk" --authority "$PUB"
expect 3 "none.pub" hm verify "$x" --authority "$WORK/none.pub"
expect 6 - hm verify "$x" --authority "$x"
expect 4 "unpinned" hm verify "$x" --authority "$PUB" --pin lct:web4:mb32:baaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
size=$(stat -c %s "$x")
for n in 0 1 10 $((size / 2)) $((size - 1)); do
  head -c "$n" "$x" >"$WORK/cut.hmk"
  expect 6 "offset" hm verify "$WORK/cut.hmk" --authority "$PUB"
done
(cat "$x" && printf '\0') >"$WORK/long.hmk"
expect 6 "offset" hm verify "$WORK/long.hmk" --authority "$PUB"
head -c 70000000 /dev/zero >"$WORK/huge.hmk"
expect 6 "over 67108864" hm verify "$WORK/huge.hmk" --authority "$PUB"
for at in $(seq 40 997 "$size"); do
  cp "$x" "$WORK/flip.hmk"
  byte=$(od -An -tu1 -j "$at" -N 1 "$x")
  # shellcheck disable=SC2059
  printf "$(printf '\\%03o' $((byte ^ 1)))" | dd of="$WORK/flip.hmk" bs=1 seek="$at" conv=notrunc status=none
  hm verify "$WORK/flip.hmk" --authority "$PUB" >"$WORK/out" 2>&1
  code=$?
  checks=$((checks + 1))
  [ $code -eq 1 ] || [ $code -eq 6 ] || say_fail "byte $at flipped: exit $code: $(cat "$WORK/out")"
done

# ---- a copy is tampered with ---------------------------------------------------------------------
for what in picture record vector; do
  expect 0 "detected" hm demo tamper m1 --what $what
done
expect 0 "expected" hm demo tamper m1
expect 3 "no such memory" hm demo tamper m999999
is "nothing is left of the copies" 0 "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'hallmark-demo-*' | wc -l)"

# ---- ends -----------------------------------------------------------------------------------------------
expect 0 "a context of your own" hm pair pan --context drvie
expect 0 "revoked  c" hm revoke pan --context drvie
expect 0 "revoked  c" hm revoke pan --context drive --reason "end of the test"
expect 1 "no pairing is in force" hm why pan
expect 0 "proven" hm why m1
expect 0 "revoked" hm unbind pan --reason "gone"
expect 0 "void" hm ls --state void
stop_daemon
is "hallmarkd's exit code at SIGTERM" 0 $?
expect 5 - hm ls

# ---- the store alone ----------------------------------------------------------------------------------------
all=$(hm --store "$STATE" status --json | jq -r .store.memories)
expect 0 "$all of $all records" hm verify
expect 0 "m1 " hm --store "$STATE" query --like m1 -k 1
expect 0 "proven" hm --store "$STATE" why m1
expect 0 "pan" hm --store "$STATE" ls
expect 0 "genesis" hm --store "$STATE/store" log
expect 4 - hm --store "$STATE" revoke pan
expect 1 "BROKEN" hm verify --authority "$WORK/other.pub"
expect 0 "2 memories" hm --store "$STATE" proof m1 m2 --out "$WORK/idle.hmk"
expect 0 "proven" hm verify "$WORK/idle.hmk" --authority "$PUB"
expect 0 "detected" hm --store "$STATE" demo tamper m1
expect 0 - hm init --state "$WORK/forged" # another identity and authority, consistent in themselves
expect 0 "proven" hm verify --store "$WORK/forged" --authority "$WORK/forged/etc/trust.d/home.pub"
expect 1 "c2: BROKEN" hm verify --store "$WORK/forged" --authority "$PUB"

# A configuration is taken whole or not at all, and says where it is wrong.
printf '[store]\nlimit = 1G ; small disk\n' >"$STATE/etc/hallmark.conf"
expect 6 "hallmark.conf:2" timeout 10 "$BIN/hallmarkd" --state "$STATE"
printf '[store]\nlimit = 1G\nlimit = 2G\n' >"$STATE/etc/hallmark.conf"
expect 6 "hallmark.conf:3" timeout 10 "$BIN/hallmarkd" --state "$STATE"
rm "$STATE/etc/hallmark.conf"

# Damaged files: exit 7 (or 1 where a signed byte changed), and not a byte is written.
damage() { # NAME COMMAND WANTED...
  local name=$1 how=$2 copy=$WORK/damaged before code
  shift 2
  rm -rf "$copy" && cp -a "$STATE/store" "$copy"
  (cd "$copy" && eval "$how")
  before=$(cd "$copy" && find . -name '*.mdb' ! -name lock.mdb -exec sha256sum {} + | sort)
  hm --store "$copy" verify --authority "$PUB" >"$WORK/out" 2>&1
  code=$?
  checks=$((checks + 2))
  [[ " $* " == *" $code "* ]] || say_fail "$name: exit $code, expected $*: $(cat "$WORK/out")"
  [ "$before" = "$(cd "$copy" && find . -name '*.mdb' ! -name lock.mdb -exec sha256sum {} + | sort)" ] ||
    say_fail "$name: files changed"
}
damage "control of length zero" ': >control/data.mdb' 7
damage "data of length zero" ': >data/000001/data.mdb' 7
damage "control cut" 'truncate -s 9000 control/data.mdb' 7
damage "data cut" 'truncate -s 9000 data/000001/data.mdb' 7
damage "meta pages zeroed" 'dd if=/dev/zero of=data/000001/data.mdb bs=4096 count=2 conv=notrunc status=none' 7
damage "pages of noise" 'dd if=/dev/urandom of=data/000001/data.mdb bs=4096 seek=2 count=8 conv=notrunc status=none' 7 1
damage "control missing" 'rm control/data.mdb' 7 3
damage "another format" 'echo "hallmark store 9 9" >format' 6 7

#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# The README's first command, as a new user runs it: at least 100 of the pan recording's
# 103 frames leave records (measured: 102), every one proven, m1 within 10 s; twice the
# same records; a second recording is bound on top.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d "${TMPDIR:-/tmp}/hm-quick.XXXXXX")
trap 'rm -rf "$dir"' EXIT
export PATH=$root/build/release/bin:$PATH

die() {
  echo "FAIL: $*" >&2
  exit 1
}

for run in one two; do
  "$root/deploy/quickstart.sh" --state "$dir/$run" --exit >"$dir/$run.out" 2>&1 || {
    tail -n 40 "$dir/$run.out"
    die "quickstart, run $run"
  }
  first=$(sed -n 's/.*first proven memories \([0-9]*\) s after.*/\1/p' "$dir/$run.out")
  [ "$first" -le 10 ] || die "the first memory took $first s, not 10"
  grep -q '^m1: proven: authorized yes, intact yes' "$dir/$run.out" || die "why m1"
  grep -q '^detected: ' "$dir/$run.out" || die "demo tamper"
  store=$dir/$run/store
  frames=$(hallmark --store "$store" query --all --json | jq -r .frame | sort -un | wc -l)
  [ "$frames" -ge 100 ] || die "$frames frames left records, not 100"
  hallmark --state "$dir/$run" --json verify >"$dir/$run.verify" || die "the store of run $run is not proven"
  [ "$(jq -r .records "$dir/$run.verify")" = "$(jq -r .proven_records "$dir/$run.verify")" ] ||
    die "not every record is proven"
  hallmark --store "$store" query --all --json |
    jq -c '[.frame, .raw_ns, .region, .trust_factors, .value_parts, .vector]' | sort >"$dir/$run.records"
  echo "run $run: $(wc -l <"$dir/$run.records") records of $frames frames, all proven, m1 after $first s"
done
jq -c 'del(.[5].digest?)' "$dir/one.records" | sort >"$dir/a"
jq -c 'del(.[5].digest?)' "$dir/two.records" | sort >"$dir/b"
cmp -s "$dir/a" "$dir/b" || { diff "$dir/a" "$dir/b" | head -n 6; die "two runs, two sets of records"; }
echo "both runs give the same records"
if pgrep -f "$dir" >/dev/null; then
  die "something was left running"
fi

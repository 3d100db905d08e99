#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# Proofs too slow for every run: 1,000 revocations and 100 stopped gates against a stock
# gst-launch-1.0 (about 12 minutes), then ten minutes for each fuzz target.
#   tests/soak.sh [gate] [fuzz]
set -eu
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- gate fuzz
for part in "$@"; do
  case $part in
  gate) tests/e2e/gate_lease.sh build/release 1000 100 ;;
  fuzz) HM_FUZZ_SECONDS=600 tests/run.sh fuzz ;;
  *) echo "usage: tests/soak.sh [gate] [fuzz]" >&2; exit 2 ;;
  esac
done

#!/bin/bash
# SPDX-License-Identifier: AGPL-3.0-or-later
# The lease end to end: a stock gst-launch-1.0 with hallmarkgate, outside our services,
# against a real hallmarkd. tests/e2e/gate_lease.sh BUILD [RUNS, default 100 [STOPS, default 3]]
exec /usr/bin/python3 "$(dirname "$0")/gate_lease.py" "$@"

#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hold programs and elements to the oldest release they shall run on (Ubuntu 22.04).

versions.py FILE...      FILE: an ELF program or library of ours

Debian's packages say in which version of a library each of its symbols appeared; every symbol
that a file needs is looked up there and compared with the limit. Exit 1 names file, symbol,
version and limit. A library without a limit here, or a symbol that no package lists, is an
error too: what is not known is not held.
"""
import pathlib
import re
import subprocess
import sys

PACKAGES = pathlib.Path("/var/lib/dpkg/info")
# Package -> the version of Ubuntu 22.04.
LIMITS = {
    "libc6": "2.35",
    "libglib2.0-0": "2.72",
    "libgstreamer1.0-0": "1.20",
    "libgstreamer-plugins-base1.0-0": "1.20",
    "libssl3": "3.0.2",
    "libsoup-3.0-0": "3.0.99",
    "libjson-glib-1.0-0": "1.6.99",
    "libcbor0.8": "0.8",
    "liblmdb0": "0.9.24",
}
# What the start of a program brings from the compiler, at the compiler's own version.
WEAK = re.compile(r"__gmon_start__|_ITM_.*|__cxa_finalize")


def number(text):
    """2.72.1-3+b1 -> [2, 72, 1]"""
    return [int(part) for part in re.match(r"(?:\d+:)?([\d.]+)", text).group(1).strip(".").split(".")]


def is_later(version, limit):
    """Later than the limit, of which only the parts given count: 3.0.2 is not later than 3.0."""
    wanted = number(limit)
    return number(version)[:len(wanted)] > wanted


def symbols_of(package):
    """symbol, or symbol@VERSION -> the version of the package it came with."""
    found = {}
    for file in [*PACKAGES.glob(package + ":*.symbols"), *PACKAGES.glob(package + ".symbols")]:
        for line in file.read_text().splitlines():
            match = re.match(r" (\S+)@(\S+) (\S+)", line)
            if match:
                name, version, since = match.groups()
                found[name if version in ("Base", "LIBLMDB") else f"{name}@{version}"] = since
    return found


def needed_by(file):
    """Undefined dynamic symbols as nm gives them: name or name@VERSION."""
    out = subprocess.run(["nm", "-D", "--undefined-only", file], check=True, capture_output=True, text=True).stdout
    return [line.split()[-1].replace("@@", "@") for line in out.splitlines() if line.strip()]


def main():
    known = {}
    for package in LIMITS:
        for symbol, since in symbols_of(package).items():
            known[symbol] = (package, since)
    bad, looked_up = [], 0
    for file in sys.argv[1:]:
        for symbol in needed_by(file):
            if WEAK.fullmatch(symbol.split("@")[0]):
                continue
            looked_up += 1
            place = known.get(symbol) or known.get(symbol.split("@")[0])
            if place is None:
                bad.append(f"{file}: {symbol}: no package of the list has it")
            elif is_later(place[1], LIMITS[place[0]]):
                bad.append(f"{file}: {symbol}: needs {place[0]} {place[1]}, limit {LIMITS[place[0]]}")
    print("\n".join(bad) if bad else f"{looked_up} symbols in {len(sys.argv) - 1} files, none too new")
    sys.exit(1 if bad or looked_up == 0 else 0)


main()

#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Hold the one-way arrows of the house.

arrows.py includes ROOT        every #include of every source, headers followed
arrows.py links FILE...        DT_NEEDED of programs and elements

Exit 1 names the file, the line and the rule.
"""
import pathlib
import re
import subprocess
import sys

C_LIBRARY = r"(assert|ctype|errno|fcntl|inttypes|limits|math|poll|pthread|pwd|grp|sched|signal|stdarg|stdatomic|stdbool|" \
            r"stddef|stdint|stdio|stdlib|string|strings|time|unistd|dirent|getopt|locale|sys/[a-z_]+|linux/[a-z_0-9]+|" \
            r"arpa/[a-z]+|netinet/[a-z]+|fnmatch|glob|termios|ftw|wchar|ucontext|sysexits|endian|byteswap|execinfo)\.h"
FREESTANDING = r"(stdbool|stddef|stdint|string|limits|stdalign|stdnoreturn)\.h"
GLIB = r"(glib|glib-unix|gio|json-glib|glib-object|gio/gunix[a-z]+)(/.*)?(\.h)?"
SYSTEMD = r"systemd/sd-daemon\.h"

# First matching row wins: files, folders they may include, system headers they may include.
RULES = [
    (r"trust/crypto_openssl\.[ch]", ["trust"], [C_LIBRARY, r"openssl/.*"]),
    (r"trust/.*", ["trust"], [FREESTANDING, r"cbor/.*"]),
    (r"memory/.*", ["memory", "trust"], [C_LIBRARY, r"lmdb\.h"]),
    (r"sensors/gst_.*", ["sensors", "trust"], [C_LIBRARY, r"gst/.*", GLIB]),
    (r"sensors/.*", ["sensors", "trust"], [C_LIBRARY]),
    (r"services/daemon_.*", ["services", "memory", "sensors", "trust"],
     [C_LIBRARY, GLIB, SYSTEMD, r"libsoup/.*"]),
    (r"services/cli_.*", ["services", "memory", "sensors", "trust"], [C_LIBRARY, GLIB, r"libsoup/.*"]),
    (r"services/authority_.*", ["services", "memory", "trust"], [C_LIBRARY, GLIB, SYSTEMD]),
    (r"services/media_.*", ["services", "sensors", "trust"], [C_LIBRARY, GLIB, SYSTEMD, r"gst/.*", r"libudev\.h"]),
    (r"services/view.*", ["services", "memory", "sensors", "trust"], [C_LIBRARY, GLIB]),
    (r"services/keys\.c", ["services", "trust"], [C_LIBRARY, GLIB, r"openssl/.*"]),
    (r"services/.*", ["services", "trust"], [C_LIBRARY, GLIB]),
    (r"mcu/.*", ["mcu", "trust"], [FREESTANDING, r".*"]),
]
OWN_PREFIX = re.compile(r"services/(daemon|cli|authority|media)_")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)

# Program or element -> libraries it must never need.
FORBIDDEN = {
    "hallmarkd": r"libgst|libcurl",
    "hallmark": r"libgst",
    "hallmark-authority": r"libgst|libsoup",
    "hallmark-media": r"liblmdb|libsoup",
    "libgsthallmark.so": r"liblmdb|libsoup|libjson",
}


def rule_of(path):
    return next((r for r in RULES if re.fullmatch(r[0], path)), None)


def check_includes(root):
    bad = []
    files = [p for d in ("trust", "memory", "sensors", "services", "mcu")
             for p in sorted((root / d).rglob("*.[ch]"))]
    for file in files:
        path = file.relative_to(root).as_posix()
        _, folders, system = rule_of(path)
        text = file.read_text()
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start(2)) + 1
            quote, name = match.groups()
            if quote == "<":
                good = any(re.fullmatch(pattern, name) for pattern in system)
            else:
                good = name.split("/")[0] in folders and (root / name).is_file()
                own = OWN_PREFIX.match(name)
                mine = OWN_PREFIX.match(path)
                if own and not (mine and mine.group(1) == own.group(1)):
                    good = False
            if not good:
                bad.append(f"{path}:{line}: must not include {name}")
    return bad


def check_links(files):
    bad = []
    for file in map(pathlib.Path, files):
        needed = subprocess.run(["readelf", "-d", file], check=True, capture_output=True, text=True).stdout
        for library in re.findall(r"\(NEEDED\).*\[(.*)\]", needed):
            if re.match(FORBIDDEN[file.name], library):
                bad.append(f"{file.name}: must not link {library}")
    return bad


def main():
    if sys.argv[1] == "includes":
        bad = check_includes(pathlib.Path(sys.argv[2]))
    else:
        bad = check_links(sys.argv[2:])
    print("\n".join(bad), end="\n" if bad else "")
    sys.exit(1 if bad else 0)


main()

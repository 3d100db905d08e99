#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""The encoder hm-region/1, written from docs/spec/sensors.md alone.

As a program it asks hallmark-media to describe pictures and checks every vector:
    region_encoder.py HALLMARK_MEDIA FILE...
"""
import json
import math
import subprocess
import sys

W = [round(256 * math.exp(-((x - 15.5) / 8) ** 2 / 2)) for x in range(32)]
T = [round(256 * math.atan(i / 64) / math.radians(45)) for i in range(65)]


def toward_zero(a, b):
    return abs(a) // b * (1 if a >= 0 else -1)


def angle(b, r):
    low, high = sorted((abs(b), abs(r)))
    if high == 0:
        return 0
    a = T[(64 * low + high // 2) // high]
    if abs(r) > abs(b):
        a = 512 - a
    if b < 0:
        a = 1024 - a
    if r < 0:
        a = 2048 - a
    return a % 2048


def encode(picture):
    luma, cb, cr = picture[:2048], picture[2048:2560], picture[2560:3072]
    s1, s2 = sum(luma), sum(v * v for v in luma)
    d = max(math.isqrt(2048 * s2 - s1 * s1), 4096)
    h = [0] * 256
    for y in range(64):
        for x in range(32):
            v, at = luma[32 * y + x], 16 * (y // 2) + x // 2
            l = max(v - 16, 24)
            b, r = toward_zero(2048 * (cb[at] - 128), l), toward_zero(2048 * (cr[at] - 128), l)
            s = min(256, math.isqrt(b * b + r * r) // 3)
            a, base, w = angle(b, r), y // 4 * 16, W[x]
            h[base + a // 256] += w * s * (256 - a % 256)
            h[base + (a // 256 + 1) % 8] += w * s * (a % 256)
            z = min(max(1024 + toward_zero(384 * (2048 * v - s1), d) - 128, 0), 1791)
            h[base + 8 + z // 256] += w * (256 - s) * (256 - z % 256)
            h[base + 9 + z // 256] += w * (256 - s) * (z % 256)
    v = [math.isqrt(256 * n) for n in h]
    m = [256 * n - sum(v) for n in v]
    length = math.isqrt(sum(n * n for n in m))
    if length == 0:
        return [0] * 256
    out = (toward_zero(2 * 400 * n + (length if n >= 0 else -length), 2 * length) for n in m)
    return [max(-127, min(127, n)) for n in out]


def check(program, path):
    said = json.loads(subprocess.run([program, "--describe", path], check=True,
                                     capture_output=True).stdout)
    picture = bytes.fromhex(said["picture"])
    if said["encoder"] != "hm-region/1" or len(picture) != 3072:
        return f"{path}: {said['encoder']}, a picture of {len(picture)} bytes"
    if said["vector"] != encode(picture):
        return f"{path}: another vector than the specification's"
    return None


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: region_encoder.py HALLMARK_MEDIA FILE...")
    faults = [f for f in (check(sys.argv[1], p) for p in sys.argv[2:]) if f]
    for fault in faults:
        print(fault)
    print(f"{len(sys.argv) - 2} vectors, {len(faults)} differ")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()

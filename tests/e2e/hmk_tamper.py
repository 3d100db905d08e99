#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Tampers with a proof file in every way that leaves no key needed, and has verify_hmk.py judge
each variant in this one process.

    hmk_tamper.py FILE.hmk --authority home.pub [--changes N]

The file itself must be proven; every variant must not be, and none may raise anything. The
variants: each byte changed (N values of it), each truncation, bytes added, two items swapped,
one doubled or dropped, a twin signature (s -> n - s), a length spelled longer than need be.
"""

import argparse
import io
import sys
from collections import Counter

import cbor2

from hmk_cose import P256_ORDER, Malformed, Tag, decode, encode_head, load, read_key
from verify_hmk import verify

CHANGES = (0x01, 0x80, 0xff, 0x20)      # a flipped low bit, high bit, all bits, major type


def split(data):
    """The items of the file as byte strings, the head first."""
    items, at = [], 0
    while at < len(data):
        end = decode(data, at)[1]
        items.append(data[at:end])
        at = end
    return items


def join(items):
    """The items, with the count of the head (its last member) set to what follows."""
    count = len(items) - 1
    prefix = items[0][:len(items[0]) - len(encode_head(0, decode(items[0], 0)[0][-1]))]
    return prefix + encode_head(0, count) + b"".join(items[1:])


def changed_bytes(data, changes):
    for at, old in enumerate(data):
        for mask in CHANGES[:changes]:
            yield f"byte {at} ^ {mask:#x}", data[:at] + bytes([old ^ mask]) + data[at + 1:]


def truncated(data):
    for length in range(len(data)):
        yield f"first {length} bytes", data[:length]


def extended(data):
    for tail in (b"\x00", b"\xf6", b"\x80", split(data)[-1]):
        yield f"{len(tail)} bytes more", data + tail


def shuffled(data):
    items = split(data)
    for i in range(len(items)):
        rest = items[:i] + items[i + 1:]
        yield f"item {i} dropped, count kept", b"".join(rest)
        yield f"item {i} doubled, count kept", b"".join(items[:i + 1] + items[i:])
        if i > 0:
            yield f"item {i} dropped", join(rest)
            yield f"item {i} doubled", join(items[:i + 1] + items[i:])
            yield f"item {i} doubled at the end", join(items + items[i:i + 1])
        for k in range(i + 1, len(items)):
            swapped = list(items)
            swapped[i], swapped[k] = items[k], items[i]
            yield f"items {i} and {k} swapped", b"".join(swapped)


def signatures(value):
    """Every signature in a decoded item, nested ones too."""
    if isinstance(value, Tag):
        if value.number == 18 and isinstance(value.value[-1], bytes):
            yield value.value[-1]
        value = value.value
    if isinstance(value, (list, dict)):
        for member in value.values() if isinstance(value, dict) else value:
            yield from signatures(member)
    elif isinstance(value, bytes) and 80 <= len(value):
        try:
            yield from signatures(load(value))
        except Malformed:
            return


def twins(data):
    """For each signature, the other one that plain ECDSA would accept."""
    found = {s for item in split(data) for s in signatures(decode(item, 0)[0])}
    for signature in sorted(found):
        other = P256_ORDER - int.from_bytes(signature[32:], "big")
        yield (f"twin of signature {signature[:4].hex()}",
               data.replace(signature, signature[:32] + other.to_bytes(32, "big")))


def spelled_longer(data):
    """The first head of every item and of every second member, one byte wider."""
    items = split(data)
    for i, item in enumerate(items):
        for at in (0, 1):
            if item[at] & 31 < 24:
                wide = item[:at] + bytes([item[at] & 0xe0 | 24, item[at] & 31]) + item[at + 1:]
                yield (f"item {i}, head at {at} spelled longer",
                       b"".join(items[:i] + [wide] + items[i + 1:]))


def plain(value):
    """A decoded value as cbor2 would give it."""
    if isinstance(value, Tag):
        return cbor2.CBORTag(value.number, plain(value.value))
    if isinstance(value, list):
        return [plain(member) for member in value]
    if isinstance(value, dict):
        return {key: plain(member) for key, member in value.items()}
    return value


def agree_with_cbor2(data):
    """How many items, nested ones too, decode to the same under an unrelated decoder."""
    count = 0
    waiting = [decode(item, 0)[0] for item in split(data)]
    if waiting != [load(item) for item in split(data)]:
        raise SystemExit("two decodings of one item differ")
    stream, outer = io.BytesIO(data), list(waiting)
    for value in outer:
        if cbor2.load(stream) != plain(value):
            raise SystemExit(f"cbor2 reads another value: {value}")
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tag):
            waiting.append(value.value)
        elif isinstance(value, (list, dict)):
            waiting += value.values() if isinstance(value, dict) else value
        elif isinstance(value, bytes) and len(value) > 32:
            try:
                inner = load(value)
            except Malformed:
                continue
            if cbor2.loads(value) != plain(inner):
                raise SystemExit(f"cbor2 reads another value: {value.hex()}")
            count += 1
            if not isinstance(inner, bytes):
                waiting.append(inner)
    return count + len(outer)


def main():
    options = argparse.ArgumentParser(description="tamper with a proof file in every way")
    options.add_argument("file")
    options.add_argument("--authority", action="append", required=True, metavar="PEM")
    options.add_argument("--changes", type=int, default=1, choices=range(1, len(CHANGES) + 1))
    given = options.parse_args()
    authorities = [read_key(path) for path in given.authority]
    with open(given.file, "rb") as file:
        data = file.read()
    if not verify(data, authorities).proven:
        print(f"{given.file} is not proven as it is")
        return 1
    same = agree_with_cbor2(data)
    answers, accepted = Counter(), []
    for kind, variants in (("bytes", changed_bytes(data, given.changes)), ("cuts", truncated(data)),
                           ("ends", extended(data)), ("items", shuffled(data)),
                           ("twins", twins(data)), ("heads", spelled_longer(data))):
        for name, variant in variants:
            verdict = verify(variant, authorities)
            answers[kind, verdict.exit_code] += 1
            if verdict.exit_code == 0 or variant == data:
                accepted.append(name)
    for kind in ("bytes", "cuts", "ends", "items", "twins", "heads"):
        print(f"{kind}: {answers[kind, 6]} malformed, {answers[kind, 1]} not proven")
        if not answers[kind, 6] + answers[kind, 1]:
            accepted.append(f"no variant of {kind}")
    print(f"{len(data)} bytes, {same} items read alike by cbor2, {len(accepted)} accepted")
    for name in accepted[:20]:
        print(f"ACCEPTED: {name}")
    return 1 if accepted else 0


if __name__ == "__main__":
    sys.exit(main())

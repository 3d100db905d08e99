# SPDX-License-Identifier: AGPL-3.0-or-later
"""The ground of docs/spec: deterministic CBOR (encoding.md), P-256 keys and ES256 signatures
(cose.md), RFC 9162 trees (logs.md)."""

from collections import namedtuple
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

MAX_INT, MIN_INT, MAX_DEPTH = 2**63 - 1, -2**63, 6
P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
KEY_X, KEY_Y = -2, -3            # labels of a COSE key


class Malformed(Exception):
    """The bytes are not what the format pages say."""


# ---- deterministic CBOR ----------------------------------------------------------------------

Tag = namedtuple("Tag", "number value")


def head(data, at):
    """Major type, argument and the offset behind a head; the shortest form only."""
    if at >= len(data):
        raise Malformed(f"ends at byte {at}, inside an item")
    major, short = data[at] >> 5, data[at] & 31
    at += 1
    if short < 24:
        return major, short, at
    if short > 27:
        raise Malformed(f"byte {at - 1}: indefinite length or reserved head")
    width = 1 << (short - 24)
    if len(data) - at < width:
        raise Malformed(f"ends at byte {len(data)}, inside a head")
    value = int.from_bytes(data[at:at + width], "big")
    if value < (24 if width == 1 else 1 << (4 * width)):
        raise Malformed(f"byte {at - 1}: {value} is not in its shortest form")
    return major, value, at + width


def decode(data, at, depth=0):
    """One item at an offset, and the offset behind it. Arrays and maps nest MAX_DEPTH deep."""
    start = at
    major, value, at = head(data, at)
    if major <= 1:
        number = -1 - value if major else value
        if not MIN_INT <= number <= MAX_INT:
            raise Malformed(f"byte {start}: {number} does not fit 64 bits with sign")
        return number, at
    if major <= 3:
        if len(data) - at < value:
            raise Malformed(f"byte {start}: {value} bytes, {len(data) - at} are left")
        raw = data[at:at + value]
        return (raw if major == 2 else text_of(raw, start)), at + value
    if major == 7:
        if data[start] != 0xf6:
            raise Malformed(f"byte {start}: simple value or float {data[start]:#x}")
        return None, at
    if major == 6:
        if value not in (16, 18, 96):
            raise Malformed(f"byte {start}: tag {value}")
        if at >= len(data) or data[at] >> 5 != 4:
            raise Malformed(f"byte {start}: tag {value} around what is no array")
        inner, at = decode(data, at, depth)
        return Tag(value, inner), at
    if depth == MAX_DEPTH:
        raise Malformed(f"byte {start}: deeper than {MAX_DEPTH}")
    if len(data) - at < value * (major - 3):
        raise Malformed(f"byte {start}: {value} members, {len(data) - at} bytes are left")
    if major == 4:
        members = []
        for _ in range(value):
            member, at = decode(data, at, depth + 1)
            members.append(member)
        return members, at
    return decode_map(data, at, value, depth + 1)


def decode_map(data, at, count, depth):
    members, before = {}, b""
    for _ in range(count):
        start = at
        key, at = decode(data, at, depth)
        if not isinstance(key, int):
            raise Malformed(f"byte {start}: a map key that is no integer")
        if data[start:at] <= before:
            raise Malformed(f"byte {start}: map key {key} is out of order or doubled")
        before = data[start:at]
        members[key], at = decode(data, at, depth)
    return members, at


def text_of(raw, start):
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed(f"byte {start}: text is not UTF-8") from None
    if any(ord(c) < 0x20 or 0x7f <= ord(c) <= 0x9f for c in text):
        raise Malformed(f"byte {start}: a control character in text")
    return text


@lru_cache(maxsize=2048)
def load(raw):
    """The one item a byte string holds. Shared with other callers: not to be changed."""
    value, end = decode(raw, 0)
    if end != len(raw):
        raise Malformed(f"{len(raw) - end} bytes after the item")
    return value


def encode_head(major, value):
    for short, width in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if value < 24:
            return bytes([major << 5 | value])
        if value < 1 << (8 * width):
            return bytes([major << 5 | short]) + value.to_bytes(width, "big")
    raise ValueError(value)


def encode_bytes(raw):
    return encode_head(2, len(raw)) + raw


# ---- keys and signatures ---------------------------------------------------------------------

@lru_cache(maxsize=256)
def public_key(x, y):
    try:
        return ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"),
                                             ec.SECP256R1()).public_key()
    except ValueError:
        raise Malformed("a point that is not on P-256") from None


def thumbprint(key):
    """RFC 9679: SHA-256 of the deterministic COSE key."""
    return sha256(b"\xa4\x01\x02\x20\x01\x21\x58\x20" + key[KEY_X] +
                  b"\x22\x58\x20" + key[KEY_Y]).digest()


@lru_cache(maxsize=2048)
def signature_holds(x, y, tbs, signature):
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not (0 < r < P256_ORDER and 0 < s <= P256_ORDER // 2):
        return False
    try:
        public_key(x, y).verify(encode_dss_signature(r, s), tbs, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def verify_signature(key, tbs, signature):
    """ES256, low s only."""
    return signature_holds(key[KEY_X], key[KEY_Y], tbs, signature)


def read_key(path):
    """A public key file (PEM, SPKI, P-256) as a COSE key; ValueError where it is none."""
    with open(path, "rb") as file:
        key = load_pem_public_key(file.read(65_536))
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise ValueError("not a P-256 public key")
    numbers = key.public_numbers()
    return {KEY_X: numbers.x.to_bytes(32, "big"), KEY_Y: numbers.y.to_bytes(32, "big")}


def sig_structure(protected, payload):
    return (b"\x84\x6aSignature1" + encode_bytes(protected) + b"\x40" + encode_bytes(payload))


# ---- RFC 9162 trees --------------------------------------------------------------------------

def node(left, right):
    return sha256(b"\x01" + left + right).digest()


def leaf_of(raw):
    return sha256(b"\x00" + raw).digest()


def inclusion_root(leaf, index, size, path):
    """The root a path leads to (2.1.3.2); None where the path has not the one right length."""
    if not 0 <= index < size:
        return None
    fn, sn, root = index, size - 1, leaf
    for sibling in path:
        if sn == 0:
            return None
        if fn & 1 or fn == sn:
            root = node(sibling, root)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            root = node(root, sibling)
        fn, sn = fn >> 1, sn >> 1
    return root if sn == 0 else None


def is_consistent(size1, root1, size2, root2, path):
    """Whether a tree is an earlier state of another (2.1.4.2)."""
    if size1 > size2:
        return False
    if size1 == size2:
        return root1 == root2 and not path
    if size1 == 0:
        return root1 == sha256(b"").digest() and not path
    path = list(path)
    if size1 & (size1 - 1) == 0:
        path.insert(0, root1)
    if not path:
        return False
    fn, sn = size1 - 1, size2 - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            old, new = node(sibling, old), node(sibling, new)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            new = node(new, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and old == root1 and new == root2

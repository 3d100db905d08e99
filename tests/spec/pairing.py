#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A pairing, written from docs/spec/pairing.md, cose.md and encoding.md alone.

It opens what a pairing's messages carry with the two agreement keys and the two
ephemerals, walks the key schedule, and compares every value with those published:
    pairing.py tests/vectors/pairing.txt
Needs python3-cbor2 and python3-cryptography.
"""
import hashlib
import hmac
import sys

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CURVE = ec.SECP256R1()
NODE = 0x30


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def extract(salt, ikm):
    return hmac.new(salt or bytes(32), ikm, hashlib.sha256).digest()


def expand(prk, info, n):
    block, out = b"", b""
    while len(out) < n:
        block = hmac.new(prk, block + info + bytes([len(out) // 32 + 1]), hashlib.sha256).digest()
        out += block
    return out[:n]


def x(prk, label, ctx, n):
    return expand(prk, b"hallmark/1 " + label + b"\0" + ctx, n)


def public(point):
    return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, b"\x04" + point)


def point_of(scalar):
    numbers = ec.derive_private_key(scalar, CURVE).public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def ecdh(scalar, point):
    return ec.derive_private_key(scalar, CURVE).exchange(ec.ECDH(), public(point))


def thumbprint(point):
    return sha(bytes.fromhex("a40102200121" "5820"), point[:32], bytes.fromhex("225820"), point[32:])


def sign1(data, typ, point, kid):
    """Payload and NAME of a signed object of ours."""
    tag = cbor2.loads(data)
    assert tag.tag == 18 and cbor2.dumps(tag, canonical=True) == data, "one spelling"
    protected, unprotected, payload, signature = tag.value
    header = {1: -7, 16: typ}
    if kid:
        header[4] = thumbprint(point)
    assert cbor2.loads(protected) == header and unprotected == {}
    structure = cbor2.dumps(["Signature1", protected, b"", payload])
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    assert s <= ORDER // 2, "low s"
    public(point).verify(encode_dss_signature(r, s), structure, ec.ECDSA(hashes.SHA256()))
    return cbor2.loads(payload), sha(structure)


def open_section(data, scalar, policy_hash):
    tag = cbor2.loads(data)
    assert tag.tag == 96
    protected, unprotected, ciphertext, ((to, sender, nothing),) = tag.value
    assert (protected, to, nothing) == (b"\xa1\x01\x03", b"\xa1\x01\x38\x18", b"")
    key = sender[-1]
    assert (key[1], key[-1]) == (2, 1)
    context = cbor2.dumps([3, [None] * 3, [None] * 3, [256, to]])
    content_key = expand(extract(b"", ecdh(scalar, key[-2] + key[-3])), context, 32)
    aad = cbor2.dumps(["Encrypt", protected, policy_hash])
    plain = cbor2.loads(AESGCM(content_key).decrypt(unprotected[5], ciphertext, aad))
    assert plain[51] == policy_hash
    return plain[50], plain[52]


def open_handshake(data, key, policy_hash):
    tag = cbor2.loads(data)
    assert tag.tag == 16
    protected, unprotected, ciphertext = tag.value
    aad = cbor2.dumps(["Encrypt0", protected, policy_hash])
    plain = cbor2.loads(AESGCM(key).decrypt(unprotected[5], ciphertext, aad))
    assert plain[54] == 30
    return plain[55]


def open_record(data, key, kid):
    header, seq = data[:7], data[3:7]
    assert header == bytes([0x11]) + kid.to_bytes(2, "big") + bytes(4)
    can_id = 0x18F << 20 | 1 << 17 | 0x19 << 8 | NODE
    nonce = key[32:40] + bytes(a ^ b for a, b in zip(key[40:44], seq))
    aad = can_id.to_bytes(4, "big") + bytes([NODE]) + header
    return AESGCM(key[:32]).decrypt(nonce, data[7:], aad)


def ephemeral(random):
    return int.from_bytes(random, "big") % (ORDER - 1) + 1


def check(v):
    for who in ("authority", "a", "b"):
        scalar, point = int.from_bytes(v[who + ".sign_scalar"], "big"), v[who + ".sign_point"]
        yield who + ".sign_point", point_of(scalar)
        yield who + ".lct", thumbprint(point)
    wish, _ = sign1(v["p1.request"], 65003, v["a.sign_point"], kid=False)
    certificate, name = sign1(v["p2.certificate"], 65002, v["authority.sign_point"], kid=True)
    yield "name", name
    body = certificate[-70000]
    policy, policy_hash = cbor2.loads(body[38]), sha(body[38])
    yield "policy_hash", policy_hash
    assert policy[42] == [v["a.lct"], v["b.lct"]] == wish[-70000][42]
    assert body[39] == [sha(v["p2." + s]) for s in ("section_a", "section_b", "handshake")]

    half_a, seed = open_section(v["p2.section_a"], int.from_bytes(v["a.agreement_scalar"], "big"),
                                policy_hash)
    half_b, seed_b = open_section(v["p2.section_b"], int.from_bytes(v["b.agreement_scalar"], "big"),
                                  policy_hash)
    assert seed == seed_b
    yield "seed", seed
    yield "half.a", half_a
    yield "half.b", half_b
    p0 = extract(name, seed)
    seed_keys = [x(p0, b"seed", bytes([d]), 44) for d in (0, 1)]
    yield "seed_key.a", seed_keys[0]
    yield "seed_key.b", seed_keys[1]

    scalars = [ephemeral(v["a.random"]), ephemeral(v["b.random"])]
    points = [point_of(s) for s in scalars]
    m_a, m_b = half_a + points[0], half_b + points[1]
    assert open_record(v["p3"], seed_keys[0], policy[41]) == m_a
    assert open_record(v["p4"], seed_keys[1], policy[41]) == m_b

    k_shake = x(extract(policy_hash, half_a + half_b), b"handshake", b"", 32)
    yield "k_shake", k_shake
    nonce = open_handshake(v["p2.handshake"], k_shake, policy_hash)
    yield "nonce", nonce
    transcript = sha(name, m_a, m_b)
    yield "transcript", transcript
    shared = ecdh(scalars[0], points[1])
    yield "l", shared
    ps = extract(transcript, half_a + half_b + shared)
    yield "ps", ps
    names = []
    for role, who, message in ((0, "a", "p6"), (1, "b", "p7")):
        confirm = x(ps, b"confirm", bytes([role]) + transcript, 16)
        yield "confirm." + who, confirm
        said, completion_name = sign1(v[message], 65014, v[who + ".sign_point"], kid=False)
        assert said == {-70000: {40: policy[40], 55: nonce, 56: transcript, 57: role, 58: confirm}}
        names.append(completion_name)
        use = bytes([2, role]) + policy[41].to_bytes(2, "big") + b"\x01" + transcript
        yield "record_key." + who, x(ps, b"rec", use, 44)
    receipt, _ = sign1(v["p9"], 65020, v["authority.sign_point"], kid=True)
    assert receipt[-70000][61] == name and receipt[-70000][62] == names


def main():
    with open(sys.argv[1], encoding="ascii") as lines:
        vectors = {k: bytes.fromhex(h) for k, h in (line.split() for line in lines)}
    compared = 0
    for name, value in check(vectors):
        if vectors[name] != value:
            sys.exit(f"{name}: {vectors[name].hex()} is published, {value.hex()} computed")
        compared += 1
    # A test that cannot fail proves nothing: one flipped bit has to be noticed.
    vectors["p7"] = vectors["p7"][:-1] + bytes([vectors["p7"][-1] ^ 1])
    try:
        list(check(vectors))
        sys.exit("a changed completion passed")
    except InvalidSignature:
        pass
    print(f"{compared} values of the pairing agree with the specification")


if __name__ == "__main__":
    main()

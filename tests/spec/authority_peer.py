#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A host and its camera, written from docs/spec alone (sockets.md, entities.md, cose.md,
encoding.md, pairing.md), that bind, pair and are revoked by the real authority.

    authority_peer.py PATH/TO/hallmark-authority

What the authority answers is verified as the pages say; what they forbid is tried.
Needs python3-cbor2 and python3-cryptography.
"""
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time

import cbor2
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

sys.dont_write_bytecode = True
import pairing as p  # noqa: E402 (beside this file)

OURS, SIGN1 = -70000, 18
HELLO, CHALLENGE, BIND, PAIR, COMPLETE, REVOKE, LOG, ERROR = 1, 2, 3, 4, 5, 6, 7, 15


def encode(value):
    # Length first and bytewise order agree on every map of ours.
    return cbor2.dumps(value, canonical=True)


# ---- Merkle trees, RFC 9162 section 2.1 ------------------------------------------------

def node(left, right):
    return p.sha(b"\x01", left, right)


def inclusion_root(leaf, index, size, way):
    fn, sn, r = index, size - 1, leaf
    for h in way:
        assert sn > 0
        if fn & 1 or fn == sn:
            r = node(h, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node(r, h)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return r


def is_consistent(old, old_root, size, root, way):
    way = list(way)
    if old & (old - 1) == 0:
        way.insert(0, old_root)
    fn, sn = old - 1, size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = way[0]
    for h in way[1:]:
        assert sn > 0
        if fn & 1 or fn == sn:
            fr, sr = node(h, fr), node(h, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, h)
        fn, sn = fn >> 1, sn >> 1
    return fr == old_root and sr == root and sn == 0


# ---- keys and signed objects -------------------------------------------------------------

class Key:
    def __init__(self):
        self.scalar = secrets.randbelow(p.ORDER - 1) + 1
        self.point = p.point_of(self.scalar)
        self.thumbprint = p.thumbprint(self.point)

    def cose(self):
        return {1: 2, -1: 1, -2: self.point[:32], -3: self.point[32:]}


def sign(key, typ, payload, kid=False):
    header = {1: -7, 16: typ}
    if kid:
        header[4] = key.thumbprint
    protected, body = encode(header), encode(payload)
    structure = encode(["Signature1", protected, b"", body])
    der = ec.derive_private_key(key.scalar, p.CURVE).sign(structure, ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(der)
    s = min(s, p.ORDER - s)
    signature = r.to_bytes(32, "big") + s.to_bytes(32, "big")
    return encode(cbor2.CBORTag(SIGN1, [protected, {}, body, signature])), p.sha(structure)


def structure_of(data):
    protected, _, payload, _ = cbor2.loads(data).value
    return encode(["Signature1", protected, b"", payload])


# ---- the authority ----------------------------------------------------------------------------

class Authority:
    def __init__(self, program, state):
        self.state = state
        self.say = [program, "--state", state]
        subprocess.run([program, "init", "--state", state, "--out", state + "/home.pub"], check=True,
                       stdout=subprocess.DEVNULL)
        with open(state + "/home.pub", "rb") as f:
            numbers = serialization.load_pem_public_key(f.read()).public_numbers()
        self.point = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        self.process = subprocess.Popen([program, "serve", "--state", state],
                                        stderr=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for _ in range(500):
            try:
                self.socket.connect(state + "/run/authority.sock")
                return
            except OSError:
                time.sleep(0.02)
        sys.exit("the authority did not come up")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(10) == 0

    def raw(self, message):
        self.socket.send(message)
        answer = self.socket.recv(16384)
        kind, body = cbor2.loads(answer)
        assert encode([kind, body]) == answer, "one spelling"
        return kind, body

    def ask(self, kind, *body):
        got, answer = self.raw(encode([kind, list(body)]))
        assert got == kind, f"{kind}: {answer}"
        return answer

    def refuses(self, word, kind, *body):
        got, answer = self.raw(encode([kind, list(body)]))
        assert got == ERROR, f"{kind} was answered"
        status, text = answer
        assert status > 0 and 1 <= len(text.encode()) <= 400
        assert word in text, f"{kind}: no {word!r} in {text!r}"

    def open(self, data, typ):
        return p.sign1(data, typ, self.point, kid=True)

    def checkpoint(self, data):
        claims, _ = self.open(data, 65022)
        return claims[OURS][72]

    def check_proof(self, proof, certificate):
        checkpoint, index, way = proof
        size, root = self.checkpoint(checkpoint)
        leaf = p.sha(b"\x00", structure_of(certificate))
        assert inclusion_root(leaf, index, size, way) == root, "log proof"


# ---- the peers ---------------------------------------------------------------------------------

class Entity:
    def __init__(self, host=None):
        self.sign, self.agree, self.host = Key(), Key(), host
        self.lct = self.sign.thumbprint

    def request(self, challenge, **changes):
        body = {1: 1, 24: 3 if self.host else 1, 25: 3 if self.host else 4, 26: 1 if self.host else 0,
                27: self.agree.cose(), 28: [2, p.sha(b"anchor of the test")], 30: 1}
        if self.host:
            body[31] = self.host.lct
        body.update(changes.get("body", {}))
        return sign(changes.get("key", self.sign), 65010,
                    {6: changes.get("iat", int(time.time())), 7: challenge,
                     8: {1: self.sign.cose()}, OURS: body})

    def countersign(self, name):
        return sign(self.sign, 65018, {6: int(time.time()), OURS: {1: 1, 61: name}}, kid=True)[0]

    def bind(self, authority):
        challenge, key = authority.ask(CHALLENGE, 3 if self.host else 1, 3 if self.host else 4)
        assert key == authority.point and len(challenge) == 16
        request, name = self.request(challenge)
        countersign = self.host.countersign(name) if self.host else None
        self.binding, proof = authority.ask(BIND, request, countersign, None)
        claims, self.name = authority.open(self.binding, 65001)
        body = claims[OURS]
        assert body[33] == request, "the certificate holds the request, byte for byte"
        assert body.get(34) == countersign
        assert claims[5] <= time.time() < claims[4] and claims[4] - claims[5] <= 20 * 366 * 86400
        authority.check_proof(proof, self.binding)
        again, _ = authority.ask(BIND, request, countersign, None)
        assert again == self.binding, "asked again: the same certificate"


def wish(a, b, **changes):
    now = int(time.time())
    body = {1: 1, 42: [a.lct, b.lct], 44: [16, 17, 18, 20], 45: [1, 2], 46: {}, 47: {}, 48: 255, 49: 0,
            78: 5, 79: 0}
    body.update(changes.get("body", {}))
    return sign(changes.get("key", a.sign), 65003,
                {4: now + 3600, 6: now, 7: secrets.token_bytes(16), OURS: body})[0]


def open_partner(a, name, data):
    protected, unprotected, ciphertext, ((to, sender, _),) = cbor2.loads(data).value
    key = sender[-1]
    context = encode([3, [None] * 3, [None] * 3, [256, to]])
    content_key = p.expand(p.extract(b"", p.ecdh(a.agree.scalar, key[-2] + key[-3])), context, 32)
    aad = encode(["Encrypt", protected, name])
    return cbor2.loads(AESGCM(content_key).decrypt(unprotected[5], ciphertext, aad))


def run_pairing(authority, a, b):
    """P1 to P7, both sides here; returns the certificate's NAME, pairing id, completions, names."""
    certificate, proof, section_a, section_b, shake, partner = authority.ask(PAIR, wish(a, b))
    claims, name = authority.open(certificate, 65002)
    authority.check_proof(proof, certificate)
    body = claims[OURS]
    policy, policy_hash = cbor2.loads(body[38]), p.sha(body[38])
    assert policy[42] == [a.lct, b.lct] and policy[45] == [1, 2] and policy[44] == [16, 17, 18, 20]
    assert 1 <= policy[41] <= 65534 and policy[79] == 30
    assert body[39] == [p.sha(s) for s in (section_a, section_b, shake)]
    binding, binding_proof = open_partner(a, name, partner)
    assert binding == b.binding
    authority.check_proof(binding_proof, binding)
    half_a, seed = p.open_section(section_a, a.agree.scalar, policy_hash)
    half_b, seed_b = p.open_section(section_b, b.agree.scalar, policy_hash)
    assert seed == seed_b and half_a != half_b
    k_shake = p.x(p.extract(policy_hash, half_a + half_b), b"handshake", b"", 32)
    nonce = p.open_handshake(shake, k_shake, policy_hash)
    ephemerals = Key(), Key()
    transcript = p.sha(name, half_a + ephemerals[0].point, half_b + ephemerals[1].point)
    shared = p.ecdh(ephemerals[0].scalar, ephemerals[1].point)
    ps = p.extract(transcript, half_a + half_b + shared)
    completions, names = [], []
    for role, entity in enumerate((a, b)):
        confirm = p.x(ps, b"confirm", bytes([role]) + transcript, 16)
        said, its_name = sign(entity.sign, 65014, {OURS: {40: policy[40], 55: nonce, 56: transcript,
                                                          57: role, 58: confirm}})
        completions.append(said)
        names.append(its_name)
    return name, policy[40], completions, names


def hello(authority):
    nonce = secrets.token_bytes(16)
    signed, key, checkpoint = authority.ask(HELLO, 1, nonce)
    claims, _ = authority.open(signed, 65023)
    assert key == authority.point and claims[7] == nonce and abs(claims[6] - time.time()) < 5
    return claims[OURS], authority.checkpoint(checkpoint)


# ---- the walk ------------------------------------------------------------------------------------

def bind_both(authority, host, camera):
    host.bind(authority)
    camera.bind(authority)
    challenge, _ = authority.ask(CHALLENGE, 1, 4)
    stranger = Entity()
    request, _ = stranger.request(secrets.token_bytes(16))
    authority.refuses("not one that this authority gave", BIND, request, None, None)
    request, _ = stranger.request(challenge, key=host.sign)
    authority.refuses("signature", BIND, request, None, None)
    request, _ = stranger.request(challenge, body={27: stranger.sign.cose()})
    authority.refuses("are the same", BIND, request, None, None)
    request, _ = stranger.request(challenge, iat=int(time.time()) - 1000)
    authority.refuses("s ago: the limit", BIND, request, None, None)
    request, _ = Entity(host).request(challenge)
    authority.refuses("countersignature", BIND, request, None, None)
    request, _ = stranger.request(challenge, body={113: 1})
    authority.refuses("format", BIND, request, None, None)


def pair_both(authority, host, camera):
    name, pairing_id, completions, names = run_pairing(authority, host, camera)
    waits, = authority.ask(COMPLETE, name, completions[0], None, 0)
    assert waits is None
    receipt, = authority.ask(COMPLETE, name, None, completions[1], 0)
    claims, _ = authority.open(receipt, 65020)
    body = claims[OURS]
    assert (body[8], body[26], body[59]) == (6, 1, 0), "level 6, completion, pass"
    assert body[61] == name and body[62] == names and body[92] == 1 and body[78] == 5
    for word, bad in (("only answers", wish(camera, host)),
                      ("not bound here", wish(host, Entity())),
                      ("signature", wish(host, camera, key=camera.sign)),
                      ("execute", wish(host, camera, body={45: [1, 6]})),
                      ("command", wish(host, camera, body={44: [6]}))):
        authority.refuses(word, PAIR, bad)
    again = wish(host, camera)
    authority.ask(PAIR, again)
    authority.refuses("answered before", PAIR, again)
    # two that are signed and differ
    other, _, ones, _ = run_pairing(authority, host, camera)
    third, _, twos, _ = run_pairing(authority, host, camera)
    authority.refuses("must be equal", COMPLETE, other, ones[0], twos[1], 0)
    receipt, = authority.ask(COMPLETE, third, twos[0], None, 1)
    body = authority.open(receipt, 65020)[0][OURS]
    assert (body[26], body[59], body[93]) == (4, 1, camera.lct), "failed, and who is missing"
    authority.refuses("has failed", COMPLETE, third, twos[0], twos[1], 0)
    return name, pairing_id


def revoke_both(authority, camera, name, pairing_id):
    known, (old_size, old_root) = hello(authority)
    assert known[68] == 0
    first, = authority.ask(REVOKE, name, None, 16, None)
    claims, first_name = authority.open(first, 65021)
    assert claims[OURS] == {2: 1, 40: pairing_id, 61: name, 63: 16}
    assert authority.ask(REVOKE, name, pairing_id, 16, None) == [first]
    second, = authority.ask(REVOKE, camera.lct, None, 17, None)
    claims, second_name = authority.open(second, 65021)
    assert claims[OURS] == {2: 2, 61: camera.lct, 63: 17, 67: first_name}
    authority.refuses("names no entity", REVOKE, secrets.token_bytes(32), None, 16, None)
    authority.refuses("pairing id", REVOKE, name, secrets.token_bytes(16), 16, None)
    known, _ = hello(authority)
    assert known[68] == 2 and known[67] == second_name
    checkpoint, way, revocations = authority.ask(LOG, old_size, 0)
    size, root = authority.checkpoint(checkpoint)
    assert size == old_size + 4 and revocations == [first, second]
    assert is_consistent(old_size, old_root, size, root, way), "the log only grew"
    assert not is_consistent(old_size, bytes(32), size, root, way)
    assert authority.ask(LOG, size, 1)[1:] == [[], [second]]
    authority.refuses("rolled back", LOG, size + 1, 0)


def spell_badly(authority):
    """One spelling: what a lenient decoder takes is refused."""
    good = encode([CHALLENGE, [1, 4]])
    for bad in (good + b"\x00", good[:-1], b"\x82\x18\x02\x82\x01\x04", b"\x9f\x02\x82\x01\x04\xff",
                b"\x82\x02\x82\x01\xf9\x44\x00", b"\x82\xc1\x02\x82\x01\x04", b"\x82\x08\x80"):
        kind, _ = authority.raw(bad)
        assert kind == ERROR
    assert authority.raw(good)[0] == CHALLENGE


def main():
    with tempfile.TemporaryDirectory(prefix="hm-peer-") as state:
        os.chmod(state, 0o700)
        authority = Authority(sys.argv[1], state)
        try:
            host = Entity()
            camera = Entity(host)
            bind_both(authority, host, camera)
            name, pairing_id = pair_both(authority, host, camera)
            revoke_both(authority, camera, name, pairing_id)
            spell_badly(authority)
        finally:
            authority.stop()
    print("bound, paired and revoked from the specification")


if __name__ == "__main__":
    main()

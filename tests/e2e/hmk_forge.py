#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes proof files of a whole invented world (authority, host, sensor, encoder, witness) with
keys of its own, from docs/spec alone: one that holds, and one for every rule broken by somebody
who has all the keys.

    hmk_forge.py FOLDER      writes FOLDER/home.pub, NAME.hmk and cases.txt: NAME and exit code;
                             exit 1 where verify_hmk.py names another rule or other words
"""

import os
import sys
from hashlib import sha256

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hmk_cose import P256_ORDER, Tag, encode_head, leaf_of, node, sig_structure, thumbprint
from hmk_format import DAY, L, S
from hmk_verdict import WORDS
from verify_hmk import verify

T = 1_800_000_000                  # when the world begins, s
BUILT_IN = bytes.fromhex("924f23d763d1888fa58edfb0ac7e320baca22368dc40c02dfdf015e39cacac38")


def encode(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return encode_head(0, value) if value >= 0 else encode_head(1, -1 - value)
    if isinstance(value, bytes):
        return encode_head(2, len(value)) + value
    if isinstance(value, str):
        return encode_head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return encode_head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, Tag):
        return encode_head(6, value.number) + encode(value.value)
    pairs = sorted((encode(key), encode(member)) for key, member in value.items())
    return encode_head(5, len(pairs)) + b"".join(key + member for key, member in pairs)


class Key:
    def __init__(self, name):
        secret = int.from_bytes(sha256(name.encode()).digest(), "big") % (P256_ORDER - 1) + 1
        self.private = ec.derive_private_key(secret, ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        self.cose = {S.kty: 2, S.crv: 1, S.x: numbers.x.to_bytes(32, "big"),
                     S.y: numbers.y.to_bytes(32, "big")}
        self.id = thumbprint(self.cose)

    def sign(self, data):
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + min(s, P256_ORDER - s).to_bytes(32, "big")


def blind(name):
    return sha256(name.encode()).digest()[:16]


def root_of(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return node(root_of(leaves[:half]), root_of(leaves[half:]))


def path_of(leaves, index):
    """RFC 9162 2.1.3.1."""
    if len(leaves) == 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return path_of(leaves[:half], index) + [root_of(leaves[half:])]
    return path_of(leaves[half:], index - half) + [root_of(leaves[:half])]


def consistency(leaves, size, whole=True):
    """RFC 9162 2.1.4.1."""
    if size == len(leaves):
        return [] if whole else [root_of(leaves)]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if size <= half:
        return consistency(leaves[:half], size, whole) + [root_of(leaves[half:])]
    return consistency(leaves[half:], size - half, False) + [root_of(leaves[:half])]


class Object:
    """A COSE_Sign1 of ours: its bytes, NAME and LEAF."""

    def __init__(self, typ, key, payload, kid=None, detached=None, header=None):
        fields = header or {S.alg: -7, S.typ: typ}
        if kid is not None:
            fields[S.kid] = kid
        self.protected = encode(fields)
        self.payload = encode(payload) if detached is None else detached
        tbs = sig_structure(self.protected, self.payload)
        self.typ, self.signature = typ, key.sign(tbs)
        self.name, self.leaf = sha256(tbs).digest(), leaf_of(tbs)
        self.raw = self.envelope({}, self.payload if detached is None else None)

    def envelope(self, unprotected, payload):
        return encode(Tag(18, [self.protected, unprotected, payload, self.signature]))


class World:
    """Every value that a case changes has a name and goes through `v`."""

    NAMES = ("authority", "other authority", "host", "session", "sensor", "encoder", "witness",
             "stranger")

    def __init__(self, changes):
        self.changes, self.used = changes, set()
        self.keys = {name: Key(name) for name in self.NAMES}
        self.agreement = {name: Key(name + " agreement") for name in self.NAMES}
        self.authority_log, self.entries, self.batches = [], [], []

    def v(self, name, value):
        if name not in self.changes:
            return value
        self.used.add(name)
        change = self.changes[name]
        return change(value) if callable(change) else change

    def key(self, place, name):
        """The key that signs at a place."""
        return self.keys[self.v(f"{place} signer", name)]

    def id(self, name):
        return self.keys[name].id

    # -- certificates

    def log_proof(self, place, certificate):
        leaves = self.authority_log
        signer = self.key(f"{place} log", "authority")
        body = self.v(f"{place} log body", {L.ver: 1, L.revocations: [0, T], L.control_tree: [
            len(leaves), root_of([c.leaf for c in leaves])]})
        checkpoint = Object(65022, signer, {S.iat: T, S.ours: body}, kid=signer.id)
        index = leaves.index(certificate)
        return encode([checkpoint.raw, self.v(f"{place} log index", index),
                       self.v(f"{place} log way", path_of([c.leaf for c in leaves], index))])

    def certify(self, place, typ, body, begin, life):
        signer = self.key(place, "authority")
        times = {S.iat: self.v(f"{place} iat", T), S.nbf: self.v(f"{place} nbf", begin)}
        times[S.exp] = times[S.nbf] + self.v(f"{place} life", life)
        certificate = Object(typ, signer, {**times, S.ours: body},
                             kid=self.v(f"{place} kid", signer.id))
        self.authority_log += [certificate]
        return certificate, [self.log_proof(place, certificate)]

    def binding(self, name, entity_class, entity_type, kind=0, encoder=None):
        place = f"{name} binding"
        body = {L.ver: 1, L.entity_class: entity_class, L.entity_type: entity_type, L.kind: kind,
                L.agreement_key: self.agreement[name].cose, L.anchor: [1, sha256(b"x").digest()],
                L.caps: 1}
        if encoder is not None:
            body[L.encoder_info] = encoder
            body[L.anchor] = [6, sha256(encoder).digest()]
        if entity_class == 3:
            body[L.bound_to] = self.id("host")
        request = Object(65010, self.key(f"{place} request", name), {
            S.iat: T, S.cti: blind(place), S.cnf: {S.cnf_key: self.keys[name].cose},
            S.ours: self.v(f"{place} request", body)})
        ours = {L.ver: 1, L.request: request.raw}
        if entity_class == 3:
            host = self.key(f"{place} countersign", "host")
            ours[L.countersign] = Object(65018, host, {S.iat: T, S.ours: {
                L.ver: 1, L.certificate: self.v(f"{place} countersigned", request.name)}},
                kid=host.id).raw
        return self.certify(place, 65001, self.v(place, ours), T, 3660 * DAY)

    def pairing(self):
        policy = {L.context: 5, L.pairing_id: blind("pairing"), L.kid16: 7,
                  L.entities: [self.id("host"), self.id("sensor")], L.data_types: [16, 18, 20],
                  L.operations: [1, 2], L.rates: {}, L.least: {}, L.max_epochs: 255, L.fresh: 0,
                  L.receipt_within: 30}
        body = {L.ver: 1, L.metadata: encode(self.v("policy", policy)),
                L.sections: [sha256(bytes([i])).digest() for i in range(3)]}
        return self.certify("pairing", 65002, body, T - 300, 30 * DAY)

    def completion(self, pairing):
        ends = []
        for role, name in enumerate(("host", "sensor")):
            body = self.v(f"completion {role}", {
                L.pairing_id: blind("pairing"), L.nonce: blind("nonce"),
                L.transcript: sha256(b"transcript").digest(), L.role: role,
                L.confirm: blind(f"confirm {role}")})
            ends.append(Object(65014, self.key(f"completion {role}", name), {S.ours: body}))
        signer = self.key("completion", "authority")
        receipt = Object(65020, signer, {S.iat: T, S.ours: self.v("completion", {
            L.ver: 1, L.context: 5, L.level: 6, L.quality: 3, L.kind: 1, L.result: 0,
            L.certificate: pairing.name, L.evidence: [end.name for end in ends],
            L.subject: self.id("sensor")})}, kid=signer.id)
        return receipt, [end.raw for end in ends]

    # -- the control log

    def by_host(self, place, typ, body, more=None):
        signer = self.key(place, "host")
        return Object(typ, signer, {S.iat: T, **(more or {}), S.ours: self.v(place, body)},
                      kid=self.v(f"{place} kid", signer.id)), []

    def receipt(self, place, kind, name="host", evidence=()):
        signer = self.key(place, name)
        body = {L.ver: 1, L.level: 1, L.quality: 3, L.kind: kind, L.result: 0,
                L.evidence: list(evidence), L.subject: self.id("host")}
        return Object(65020, signer, {S.iat: T, S.ours: self.v(place, body)}, kid=signer.id), []

    def session_key(self):
        begin = self.v("session nbf", T)
        body = {L.ver: 1, L.purposes: [1, 2], L.first: 1}
        return self.by_host("session key", 65025, body, {
            S.nbf: begin, S.exp: begin + self.v("session life", DAY),
            S.cnf: {S.cnf_key: self.keys["session"].cose}})

    def add(self, place, entry):
        if self.v(f"{place} there", True):
            self.entries.append(entry)
        return entry[0]

    def head(self, place, live):
        leaves = [batch.leaf for batch in self.batches]
        body = {L.ver: 1, L.quality: 3, L.revocations: [0, T],
                L.data_tree: self.v(f"{place} tree", [len(leaves), root_of(leaves)]),
                L.live: sha256(live).digest(), L.control_range: [], L.data_range: []}
        self.add(place, self.by_host(place, 65030, body))

    def checkpoint(self, place, size):
        signer = self.key(place, "host")
        body = {L.ver: 1, L.control_tree: [size, root_of([e[0].leaf for e in self.entries[:size]])]}
        return Object(65022, signer, {S.iat: T + 60, S.ours: self.v(place, body)}, kid=signer.id)

    # -- batches and records

    def record(self, number, batch, kind, pairing, **changes):
        place = f"m{number}"
        picture, vector = bytes([number]) * 3072, bytes([number]) * 256
        salts = [blind(place + " picture"), blind(place + " vector")]
        commit = [sha256(b"hallmark/1 " + what + b"\x00" + salt + content).digest()
                  for what, salt, content in zip((b"picture", b"vector"), salts, (picture, vector))]
        body = {L.blind: blind(place), L.log_number: number, L.type: kind,
                L.lct: [self.id("sensor"), 5], L.batch_number: batch, L.level: 1, L.protection: 0,
                L.quality: 3, L.time_ns: None, L.arrival_ns: T * 10**9 + number, L.origin: 0}
        openings = [None, None]
        if kind != 3:
            body |= {L.pairings: [[5, pairing.name]], L.sensor_leaf: 1, L.frame: number,
                     L.raw_ns: number, L.clock_domain: 6, L.region: [0, 0, 32, 64],
                     L.trust: [256] * 5, L.picture: [1, commit[0]]}
            openings[0] = [salts[0], picture]
        if kind == 2:
            body[L.vector] = [changes.pop("coder", BUILT_IN), commit[1]]
            openings[1] = [salts[1], vector]
        if kind == 3:
            body[L.event] = {L.level: 1, L.kind: 3, L.evidence: []}
        raw = encode(self.v(place, body | changes))
        return number, raw, self.v(f"{place} openings", openings)

    def batch(self, number, first, control_size, previous, pairing, records):
        place, count = f"r{number}", len(records)
        claims = self.v(f"{place} claims", {
            L.ver: 1, L.log_number: number, L.quality: 3, L.previous: previous,
            L.revocations: [0, T], L.first: first, L.count: count, L.sensors: 1,
            L.control_size: control_size})
        signer = self.key(place, "session")
        facts = encode(self.v(f"{place} facts", {
            L.blind: blind(place), L.type: 0, L.batch_number: number, L.previous: previous,
            L.count: count, L.control_size: control_size, L.sensors: 1,
            L.first_arrival: T * 10**9, L.last_arrival: T * 10**9 + 10, L.session_key: signer.id}))
        sensor = encode(self.v(f"{place} sensor", {
            L.blind: blind(place + " sensor"), L.type: 4, L.lct: [self.id("sensor"), 5],
            L.pairings: [[5, pairing.name]], L.passed: 0, L.dropped: [], L.late: 0,
            L.unauthorized: 0, L.state: 0}))
        leaves = [leaf_of(raw) for raw in (facts, sensor, *(raw for _, raw, _ in records))]
        receipt = Object(65028, signer, None, detached=root_of(leaves), header={
            S.alg: -7, S.kid: signer.id, S.typ: 65028, S.vds: 1,
            S.claims: {S.iat: self.v(f"{place} iat", T), S.ours: claims}})
        proofs = self.v(f"{place} proofs", [
            [len(leaves), i, path_of(leaves, i)] for i in range(len(leaves))])
        receipt.raw = receipt.envelope({S.vdp: {S.inclusion: [encode(p) for p in proofs]}}, None)
        receipt.number, receipt.facts, receipt.sensor = number, facts, sensor
        self.batches.append(receipt)
        return receipt

    def build(self):
        """c1 genesis, c2 host, c3 session key, c4 encoder, c5 sensor, c6 pairing, c7 completion,
        c8 witness, c9 head, c10 receipt of the session key, c11 revocation, c12 head;
        r1 (C = 8): m1 memory, m2 observation; r2 (C = 11): m3 memory of c4, m4 event."""
        encoder = encode({L.model: bytes(32), L.version: "forge/1", L.preprocessing: bytes(32),
                          L.dimension: 256, L.dtype: 1, L.scale: 164})
        self.add("genesis", self.receipt("genesis", 24, evidence=[
            self.id("authority"), sha256(b"law").digest()]))
        self.add("host binding", self.binding("host", *self.v("host class and type", (1, 4))))
        self.add("session key", self.session_key())
        self.add("encoder binding", self.binding("encoder", 3, 8, encoder=encoder))
        self.add("sensor binding", self.binding("sensor", 3, 3, 1))
        pairing = self.add("pairing", self.pairing())
        self.add("completion", self.completion(pairing))
        self.add("witness binding", self.binding("witness", *self.v("witness class", (1, 7))))
        records = [self.record(1, 1, 2, pairing), self.record(2, 1, 1, pairing),
                   self.record(3, 2, 2, pairing, coder=sha256(encoder).digest()),
                   self.record(4, 2, 3, pairing)]
        first = self.batch(1, 1, self.v("r1 C", 8), self.v("r1 previous", bytes(32)), pairing,
                           records[:2])
        live = encode(self.v("live", [[self.id("sensor"), 5, pairing.name, 7]]))
        self.head("head 1", live)
        self.add("receipt", self.receipt("receipt", 22, "session"))
        authority = self.key("revocation", "authority")
        self.add("revocation", (Object(65021, authority, {
            S.iat: T, S.ours: self.v("revocation", {
                L.log_number: 1, L.certificate: bytes(32), L.reason: 1})}, kid=authority.id), []))
        self.batch(2, self.v("r2 first", 3), self.v("r2 C", 11),
                   self.v("r2 previous", first.name), pairing, records[2:])
        self.head("head 2", encode([[self.id("sensor"), 5, pairing.name, 7]]))
        return self.file(live, records)

    def file(self, live, records):
        leaves = [entry[0].leaf for entry in self.entries]
        data = [batch.leaf for batch in self.batches]
        size = len(self.entries)
        newest = self.checkpoint("checkpoint", size)
        older = self.checkpoint("link", self.v("link size", 9))
        items = [[1, newest.raw]]
        shown = self.v("entries shown", list(range(1, size + 1)))
        items += [[2, n, self.entries[n - 1][0].raw, self.v(f"c{n} way", path_of(leaves, n - 1)),
                   self.v(f"c{n} attached", self.entries[n - 1][1])] for n in shown]
        items += [[3, b.raw, self.v(f"r{b.number} way", path_of(data, i)), b.facts, [b.sensor]]
                  for i, b in enumerate(self.batches)]
        items += [[4, raw, *openings] for _, raw, openings in sorted(records)]
        witnesses = []
        for place, over in (("witness 1", older), ("witness 2", newest)):
            signer = self.key(place, "witness")
            witnesses.append(Object(65013, signer, {
                S.iat: self.v(f"{place} iat", T + 100), S.ours: {
                    L.nonce: blind(place), L.role: 1,
                    L.certificate: self.v(f"{place} over", over.name)}}, kid=signer.id))
        items += [[6, w.raw, self.v("witness c", 8)]
                  for w in sorted(witnesses, key=lambda w: w.name)]
        items += [[7, older.raw, self.v("link control way", consistency(leaves, 9)),
                   self.v("link data way", consistency(data, 1))]]
        items += [[8, 9, self.v("live shown", live)]]
        items = self.v("items", items)
        return b"".join(map(encode, [[0, "hallmark proof", 1, 1, len(items)], *items]))


def put(label, value):
    return lambda body: {**body, label: value}


def without(label):
    return lambda body: {key: member for key, member in body.items() if key != label}


def member(index, value):
    return lambda body: body[:index] + [value] + body[index + 1:]


def less(kind, number=None):
    """The items without some."""
    return lambda items: [i for i in items if i[0] != kind or number not in (None, i[1])]


def policy(label, value):
    return {"policy": put(label, value)}


LATER, EARLIER = T + 10 * DAY, T - 10 * DAY
ZERO = bytes(32)

# name: (rule that must be named, or "form" where the file is malformed; the changes).
CASES = {
    # 1, 3, 4: checkpoint, host, head
    "checkpoint-with-revocations": ("form", {"checkpoint": put(L.revocations, [0, T])}),
    "checkpoint-by-session-key": (3, {"checkpoint signer": "session"}),
    "checkpoint-of-other-root": (2, {"checkpoint": put(L.control_tree, [12, ZERO])}),
    "checkpoint-one-smaller": (2, {"checkpoint": lambda b: put(L.control_tree, [
        11, b[L.control_tree][1]])(b)}),
    "host-is-hosted": (2, {"host class and type": (3, 4)}),
    "host-is-a-service": (3, {"host class and type": (1, 7)}),
    "host-after-batch": (3, {"r1 C": 1}),
    "head-of-other-data": (5, {"head 2 tree": lambda t: [t[0], ZERO]}),
    "head-of-fewer-batches": (5, {"head 2 tree": lambda t: [1, t[1]]}),
    # 2: entries
    "entry-by-stranger": (2, {"receipt signer": "stranger"}),
    "entry-of-other-kid": (2, {"head 1 kid": ZERO}),
    "entry-way-too-long": (2, {"c3 way": lambda w: w + [ZERO]}),
    "entry-way-too-short": (2, {"c3 way": lambda w: w[:-1]}),
    "entry-way-nil": ("form", {"c3 way": None}),
    "entry-with-attachment": ("form", {"c3 attached": [bytes(100)]}),
    "binding-without-log-proof": ("form", {"c5 attached": []}),
    "binding-by-other-authority": (2, {"sensor binding signer": "other authority"}),
    "binding-of-other-kid": (2, {"sensor binding kid": ZERO}),
    "binding-logged-by-other": (2, {"sensor binding log signer": "other authority"}),
    "binding-not-logged": (2, {"sensor binding log way": lambda w: [ZERO] * len(w)}),
    "binding-logged-elsewhere": (2, {"sensor binding log index": 0}),
    "binding-logged-without-view": ("form", {"sensor binding log body": without(L.revocations)}),
    "binding-for-21-years": ("form", {"sensor binding life": 21 * 366 * DAY}),
    "binding-without-life": ("form", {"sensor binding life": 0}),
    "request-by-stranger": (2, {"sensor binding request signer": "stranger"}),
    "request-of-one-key": ("form", {"sensor binding request": put(
        L.agreement_key, Key("sensor").cose)}),
    "request-of-kind-2-host": (2, {"host binding request": put(L.kind, 1)}),
    "request-without-encoder": ("form", {"encoder binding request": without(L.encoder_info)}),
    "request-with-encoder": ("form", {"sensor binding request": put(L.encoder_info, encode(
        {L.model: ZERO, L.version: "x", L.preprocessing: ZERO, L.dimension: 1, L.dtype: 1,
         L.scale: 1}))}),
    "request-of-other-descriptors": (2, {"encoder binding request": put(L.anchor, [6, ZERO])}),
    "request-of-class-2": ("form", {"sensor binding request": put(L.entity_class, 2)}),
    "request-of-class-a-with-host": ("form", {"sensor binding request": put(L.entity_class, 1)}),
    "hosted-without-bound-to": ("form", {"sensor binding request": without(L.bound_to)}),
    "hosted-elsewhere": (2, {"sensor binding request": put(L.bound_to, Key("witness").id)}),
    "hosted-without-countersignature": ("form", {"sensor binding": without(L.countersign)}),
    "countersigned-by-stranger": (2, {"sensor binding countersign signer": "stranger"}),
    "countersigned-another": (2, {"sensor binding countersigned": ZERO}),
    "pairing-by-other-authority": (2, {"pairing signer": "other authority"}),
    "pairing-for-401-days": ("form", {"pairing life": 401 * DAY}),
    "pairing-of-stranger": (2, policy(L.entities, [Key("host").id, Key("stranger").id])),
    "pairing-context-without-name": ("form", policy(L.context, 64)),
    "pairing-types-descend": ("form", policy(L.data_types, [18, 16, 20])),
    "pairing-of-reserved-type": ("form", policy(L.data_types, [10, 18, 20])),
    "completion-by-other-authority": (2, {"completion signer": "other authority"}),
    "completion-by-host": (2, {"completion signer": "host"}),
    "completion-of-failure": (2, {"completion": put(L.result, 1)}),
    "completion-of-level-7": ("form", {"completion": put(L.level, 7)}),
    "completion-of-other-evidence": (2, {"completion": put(L.evidence, [ZERO, ZERO])}),
    "completion-of-one": ("form", {"completion": put(L.evidence, [ZERO])}),
    "completion-of-other-pairing": (2, {"completion": put(L.certificate, ZERO)}),
    "completion-0-by-stranger": (2, {"completion 0 signer": "stranger"}),
    "completion-1-by-host": (2, {"completion 1 signer": "host"}),
    "completion-of-one-role": (2, {"completion 1": put(L.role, 0)}),
    "completion-of-other-id": (2, {"completion 1": put(L.pairing_id, bytes(16))}),
    "completion-of-other-nonce": (2, {"completion 1": put(L.nonce, bytes(16))}),
    "completion-of-other-transcript": (2, {"completion 1": put(L.transcript, ZERO)}),
    "session-key-by-itself": (2, {"session key signer": "session"}),
    "session-key-for-two-days": ("form", {"session life": 2 * DAY}),
    "session-key-not-for-receipts": (2, {"session key": put(L.purposes, [1])}),
    "revocation-by-host": (2, {"revocation signer": "host"}),
    "receipt-of-genesis-bare": ("form", {"genesis": put(L.evidence, [])}),
    "receipt-of-opening-without-first": ("form", {"receipt": put(L.kind, 16)}),
    "receipt-of-pruning-without-first": ("form", {"receipt": put(L.kind, 18)}),
    "receipt-of-export-without-manifest": ("form", {"receipt": put(L.kind, 27)}),
    "receipt-of-no-frame": ("form", {"receipt": put(L.last_frame, 1)}),
    "receipt-of-authority-at-level-6": ("form", {
        "receipt signer": "authority", "receipt": lambda b: {**b, L.kind: 5, L.level: 6}}),
    "revocation-0": ("form", {"revocation": put(L.log_number, 0)}),
    "session-key-from-0": ("form", {"session key": put(L.first, 0)}),
    "pairing-with-itself": ("form", policy(L.entities, [Key("host").id] * 2)),
    "facts-arrivals-descend": ("form", {"r1 facts": put(L.last_arrival, T)}),
    "sensor-frames-descend": ("form", {"r1 sensor": lambda b: {
        **b, L.passed: 1, L.first_frame: 2, L.last_frame: 1, L.peripherals: ZERO}}),
    "sensor-of-no-kind": (2, {"sensor binding request": put(L.kind, 0)}),
    "sensor-is-a-hosted-host": (2, {"sensor binding request": lambda b: {
        **b, L.entity_type: 4, L.kind: 0}}),
    "witness-is-a-module": (2, {"witness class": (1, 2)}),
    "receipt-start-without-value": ("form", {"receipt": put(L.kind, 25)}),
    # 5, 6: batches
    "batch-at-the-head": (5, {"r2 C": 12}),
    "batch-falls": (5, {"r1 C": 11, "r2 C": 8}),
    "batch-1-has-one-before": ("form", {"r1 previous": b"\x01" * 32}),
    "batch-chain-cut": (5, {"r2 previous": b"\x01" * 32}),
    "batch-2-has-none-before": ("form", {"r2 previous": ZERO}),
    "batches-overlap": (5, {"r2 first": 2, "m3": put(L.log_number, 2), "m4": put(L.log_number, 3),
                            "items": lambda items: less(4)(items)[:-4] +
                            [i for i in items if i[0] == 4][:1] +
                            [i for i in items if i[0] == 4][2:] + items[-4:]}),
    "batch-way-wrong": (5, {"r1 way": [ZERO]}),
    "batch-by-host": (6, {"r1 signer": "host"}),
    "batch-by-stranger": (6, {"r1 signer": "stranger"}),
    "batch-before-its-key": (6, {"r1 iat": EARLIER}),
    "batch-after-its-key": (6, {"r1 iat": LATER}),
    "batch-before-the-first": (6, {"session key": put(L.first, 2)}),
    "batch-key-for-receipts": (6, {"session key": put(L.purposes, [2])}),
    "batch-proof-missing": (5, {"r1 proofs": lambda p: p[:-1]}),
    "batch-proof-too-many": (5, {"r1 proofs": lambda p: p + p[-1:]}),
    "batch-proofs-swapped": (5, {"r1 proofs": lambda p: [p[0], p[1], p[3], p[2]]}),
    "batch-proof-of-other-size": (5, {"r1 proofs": lambda p: p[:3] + [[5] + p[3][1:]]}),
    **{f"facts-of-other-{name}": (5, {"r1 facts": put(label, value)}) for name, label, value in (
        ("number", L.batch_number, 2), ("previous", L.previous, b"\x01" * 32),
        ("count", L.count, 3), ("sensors", L.sensors, 2), ("control-size", L.control_size, 9),
        ("key", L.session_key, ZERO))},
    "facts-of-other-type": ("form", {"r1 facts": put(L.type, 4)}),
    "sensor-frames-of-none": ("form", {"r1 sensor": put(L.first_frame, 1)}),
    "sensor-drops-trailing-zero": ("form", {"r1 sensor": put(L.dropped, [1, 0])}),
    # 7 to 10: records
    "record-of-other-batch": (7, {"m2": put(L.batch_number, 3)}),
    "record-number-outside": (7, {"m4": put(L.log_number, 5)}),
    "record-arrives-late": (7, {"m1": put(L.arrival_ns, T * 10**9 + 11)}),
    "record-of-other-sensor": (7, {"m1": put(L.lct, [Key("encoder").id, 4])}),
    "record-of-leaf-2": (5, {"m1": put(L.sensor_leaf, 2), "m2": put(L.sensor_leaf, 2)}),
    "record-of-two-leaves": (5, {"m1": put(L.sensor_leaf, 2)}),
    "record-pairing-not-in-leaf": (7, {"r1 sensor": put(L.pairings, [[6, ZERO]])}),
    "leaf-without-pairings": (7, {"r1 sensor": without(L.pairings)}),
    "memory-without-vector": ("form", {"m1": without(L.vector)}),
    "memory-with-event": ("form", {"m1": put(L.event, {L.level: 1, L.kind: 1, L.evidence: []})}),
    "observation-with-vector": ("form", {"m2": put(L.vector, [BUILT_IN, ZERO])}),
    "observation-without-trust": ("form", {"m2": without(L.trust)}),
    "observation-without-region": ("form", {"m2": without(L.region)}),
    "observation-without-pairings": ("form", {"m2": without(L.pairings)}),
    "event-without-event": ("form", {"m4": without(L.event)}),
    "event-with-pairings-no-leaf": (7, {"m4": put(L.pairings, [[5, ZERO]])}),
    "time-without-error": ("form", {"m1": put(L.time_ns, T * 10**9)}),
    "error-without-time": ("form", {"m1": put(L.error_ns, 1)}),
    "sensor-binding-elsewhere": (8, {
        "m4": put(L.lct, [Key("sensor").id, 4])}),
    "sensor-binding-not-there": (8, {"m4": put(L.lct, [Key("sensor").id, 99])}),
    "sensor-bound-after": (8, {"r1 C": 4}),
    "encoder-unknown": (9, {"m3": lambda b: put(L.vector, [ZERO, b[L.vector][1]])(b)}),
    "pairing-of-other-context": (10, policy(L.context, 6)),
    "pairing-of-others": (10, policy(L.entities, [Key("host").id, Key("encoder").id]) | {
        "completion 1 signer": "encoder"}),
    "pairing-not-for-memories": (10, policy(L.operations, [1])),
    "pairing-not-for-observing": (10, policy(L.operations, [2])),
    "pairing-not-for-regions": (10, policy(L.data_types, [16, 20])),
    "pairing-not-for-embeddings": (10, policy(L.data_types, [16, 18])),
    "pairing-over": (10, {"pairing life": 300, "pairing iat": T - 1}),
    "pairing-over-when-made": ("form", {"pairing life": 300}),
    "binding-over-when-made": ("form", {"sensor binding nbf": T - 9, "sensor binding life": 9}),
    "session-key-over-when-made": (6, {"session nbf": T - 9, "session life": 9}),
    "pairing-not-begun": (10, {"pairing nbf": T + 301}),
    "pairing-not-complete": (10, {"r1 C": 6}),
    # 11, 12: in force
    "live-set-of-other-bytes": (11, {"live shown": encode([])}),
    "live-set-without-it": (11, {"live": []}),
    "live-set-of-other-completion": (11, {"live": lambda s: [s[0][:3] + [6]]}),
    "live-set-not-there": (11, {"items": less(8)}),
    "run-has-a-gap": (11, {"items": less(2, 10)}),
    "run-lacks-genesis": (11, {"items": less(2, 1)}),
    **{f"revoked-{name}": (12, {"revocation": put(L.certificate, Key(key).id)})
       for name, key in (("sensor", "sensor"), ("host", "host"), ("encoder", "encoder"))},
    "revoked-pairing-by-id": (12, {"revocation": put(L.pairing_id, blind("pairing"))}),
    # 13, 14, 15
    "picture-of-other-bytes": (13, {"m1 openings": lambda o: [[o[0][0], bytes(9)], o[1]]}),
    "picture-of-other-salt": (13, {"m1 openings": lambda o: [[bytes(16), o[0][1]], o[1]]}),
    "vector-of-nothing": (13, {"m2 openings": lambda o: [o[0], o[0]]}),
    "link-by-stranger": (14, {"link signer": "stranger"}),
    "link-of-other-root": (14, {"link": put(L.control_tree, [9, ZERO])}),
    "link-inconsistent": (14, {"link control way": lambda w: [ZERO] * len(w)}),
    "link-data-inconsistent": (14, {"link data way": lambda w: [ZERO] * len(w)}),
    "link-way-too-long": (14, {"link data way": lambda w: w + [ZERO]}),
    "link-not-at-a-head": (14, {"link size": 8}),
    "link-of-newest": (14, {"link size": 12}),
    "link-unwitnessed": (14, {"items": less(7)}),
    "witness-signed-by-another": (14, {"witness 1 signer": "stranger"}),
    "witness-is-the-host": (14, {"witness 1 signer": "host", "witness 2 signer": "host",
                                 "witness c": 2}),
    "witness-is-hosted": (14, {"witness class": (3, 7)}),
    "witness-binding-not-there": (14, {"witness c": 99}),
    "witness-of-nothing": (14, {"witness 1 over": ZERO}),
    "unreached-link": (15, {"items": less(6)}),
    "unreached-entry": (15, {"r2 C": 9}),
    "record-dropped": (5, {"items": lambda items: [
        i for i in items if not (i[0] == 4 and i[2] is None)]}),
    "no-records": ("form", {"items": less(4)}),
    "witness-dropped": (15, {"items": lambda items: [items[0]] + less(6)(items)[1:]}),
    "audit-item": ("form", {"items": lambda items: items[:-1] + [[5, 1, ZERO]] + items[-1:]}),
    "unknown-item": ("form", {"items": lambda items: items + [[9, 1]]}),
    "two-checkpoints": ("form", {"items": lambda items: items[:1] + items}),
    "no-checkpoint": ("form", {"items": less(1)}),
}

# These hold, with other words.
VERDICTS = {
    "good": ("yes yes yes unknown yes", {}),
    "fresh-asked": ("unknown yes yes unknown yes", policy(L.fresh, 60) | {
        "r1 claims": put(L.revocations, [0, T - 61])}),
    "fresh-enough": ("yes yes yes unknown yes", policy(L.fresh, 60) | {
        "r1 claims": put(L.revocations, [0, T - 60])}),
    "fresh-never-heard": ("unknown yes yes unknown yes", policy(L.fresh, 60) | {
        "r1 claims": put(L.revocations, [0, 0])}),
    "no-clock": ("yes yes unknown unknown yes", {"r1 claims": put(L.quality, 0)}),
    "no-clock-outside": ("unknown yes no unknown yes", {
        "r1 claims": put(L.quality, 0), "r1 iat": EARLIER}),
    "no-clock-pairing-over": ("unknown yes unknown unknown yes", {
        "r1 claims": put(L.quality, 0), "r2 claims": put(L.quality, 0), "pairing life": 300,
        "pairing iat": T - 1}),
    "record-without-clock": ("yes yes unknown unknown yes", {"m1": put(L.quality, 0)}),
    "coherent": ("yes yes yes yes yes", {
        f"m{i}": put(L.coherence, [1, 256, 0]) for i in range(1, 5)}),
    "contradicted": ("yes yes yes no yes", {"m2": put(L.coherence, [2, 0, 0])}),
    "witnessed-late": ("yes yes unknown unknown yes", {
        f"witness {i} iat": T + 3901 for i in (1, 2)}),
    "witnessed-just-in-time": ("yes yes yes unknown yes", {
        f"witness {i} iat": T + 3900 for i in (1, 2)}),
    "witnessed-early": ("yes yes unknown unknown yes", {
        f"witness {i} iat": T - 301 for i in (1, 2)}),
    "witness-before-batch-2-only": ("yes yes unknown unknown yes", {"witness 2 iat": T + 3901}),
    "captured-long-before": ("yes yes no unknown yes", {"m1": lambda b: {
        **b, L.time_ns: (T - 6) * 10**9, L.error_ns: 1}}),
    "replay-captured-long-before": ("yes yes yes unknown yes", {"m1": lambda b: {
        **b, L.time_ns: (T - 6) * 10**9, L.error_ns: 1, L.origin: 1}}),
    "arrived-after-batch": ("yes yes no unknown yes", {"r1 iat": T - 6}),
    "pairing-begins-in-300-s": ("yes yes yes unknown yes", {"pairing nbf": T + 300}),
    "pairing-one-second-left": ("yes yes yes unknown yes", {"pairing life": 301}),
    "not-opened": ("yes yes yes unknown yes", {"m1 openings": [None, None]}),
    "revoked-before-but-another": ("yes yes yes unknown yes", {
        "revocation": put(L.pairing_id, bytes(16))}),
}


def judged(verdict, wanted):
    """A verdict in the words of the tables above."""
    if verdict.malformed is not None:
        return "form"
    if isinstance(wanted, str):
        return " ".join(verdict.words[word] for word in WORDS)
    return verdict.first.rule if verdict.first else None


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    authority = Key("authority").private.public_key()
    with open(os.path.join(folder, "home.pub"), "wb") as file:
        file.write(authority.public_bytes(serialization.Encoding.PEM,
                                          serialization.PublicFormat.SubjectPublicKeyInfo))
    wrong = 0
    with open(os.path.join(folder, "cases.txt"), "w", encoding="utf-8") as cases:
        for name, (wanted, changes) in {**VERDICTS, **CASES}.items():
            world = World(changes)
            data = world.build()
            if set(changes) != world.used:
                sys.exit(f"{name}: no such value: {set(changes) - world.used}")
            with open(os.path.join(folder, name + ".hmk"), "wb") as file:
                file.write(data)
            verdict = verify(data, [world.keys["authority"].cose])
            if judged(verdict, wanted) != wanted:
                wrong += 1
                print(f"{name}: wanted {wanted}: {verdict}")
            cases.write(f"{name} {verdict.exit_code}\n")
    print(f"{len(VERDICTS) + len(CASES)} invented files, {wrong} judged wrongly")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

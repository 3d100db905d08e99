# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a proof file may look like: the shapes of docs/spec/hallmark.cddl that it can hold,
COSE_Sign1 (cose.md), and the items of proof.md.

`Proof(data)` is the parsed file; `Malformed` says what does not belong. No rule is judged here.
"""

from functools import lru_cache
from hashlib import sha256
from types import SimpleNamespace

from hmk_cose import (MAX_INT, Malformed, Tag, decode, load, public_key, sig_structure,
                      thumbprint)

DAY = 86_400
CLASS_A, CLASS_S, CLASS_H = 1, 2, 3
SENSOR_TYPE, HOST_TYPE, ENCODER_TYPE = 3, 4, 8
OBSERVATION, MEMORY, EVENT_RECORD = 1, 2, 3


# ---- shapes: a shape is a function that raises Malformed where a value does not fit -------------

def fail(value, wanted):
    got = f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__ \
        if isinstance(value, (list, dict)) else repr(value)
    raise Malformed(f"{got}, not {wanted}")


def uint(low=0, high=MAX_INT):
    def check(value):
        if not isinstance(value, int) or not low <= value <= high:
            fail(value, f"{low}..{high}")
    return check


def among(*codes):
    def check(value):
        if not isinstance(value, int) or value not in codes:
            fail(value, f"one of {codes}")
    return check


def const(wanted):
    def check(value):
        if type(value) is not type(wanted) or value != wanted:
            fail(value, repr(wanted))
    return check


def blob(low, high=None):
    high = low if high is None else high

    def check(value):
        if not isinstance(value, bytes) or not low <= len(value) <= high:
            fail(value, f"a byte string of {low}..{high}")
    return check


def short_text(value):
    if not isinstance(value, str) or not 1 <= len(value.encode()) <= 64:
        fail(value, "a text of 1..64 bytes")


def inside(low, high, shape):
    """A byte string that holds exactly one item."""
    def check(value):
        blob(low, high)(value)
        shape(load(value))
    return check


def maybe(shape):
    def check(value):
        if value is not None:
            shape(value)
    return check


def array(*shapes):
    def check(value):
        if not isinstance(value, list) or len(value) != len(shapes):
            fail(value, f"an array of {len(shapes)}")
        for shape, member in zip(shapes, value):
            shape(member)
    return check


def many(low, high, shape, key=None):
    """An array of low..high members; with a key they ascend strictly by it."""
    def check(value):
        if not isinstance(value, list) or not low <= len(value) <= high:
            fail(value, f"an array of {low}..{high}")
        for member in value:
            shape(member)
        if key and any(key(a) >= key(b) for a, b in zip(value, value[1:])):
            raise Malformed("a list that must ascend does not")
    return check


def table(required, optional=None):
    """A map with these labels and no other."""
    optional = optional or {}
    shapes = {**required, **optional}

    def check(value):
        if not isinstance(value, dict):
            fail(value, "a map")
        for label in required:
            if label not in value:
                raise Malformed(f"label {label} is missing")
        for label, member in value.items():
            if label not in shapes:
                raise Malformed(f"unknown label {label}")
            try:
                shapes[label](member)
            except Malformed as error:
                raise Malformed(f"label {label}: {error}") from None
    return check


def mapping(high, key, shape):
    def check(value):
        if not isinstance(value, dict) or len(value) > high:
            fail(value, f"a map of 0..{high}")
        for label, member in value.items():
            key(label)
            shape(member)
    return check


def either(label, with_it, without_it):
    """One of two maps, told apart by a label."""
    def check(value):
        (with_it if isinstance(value, dict) and label in value else without_it)(value)
    return check


def both(*shapes):
    def check(value):
        for shape in shapes:
            shape(value)
    return check


def itself(value):
    return value


def first_of(value):
    return value[0]


# ---- hallmark.cddl ---------------------------------------------------------------------------

LABELS = """blind ver log_number type lct pairings sensor_leaf batch_number level protection frame
raw_ns clock_domain quality time_ns error_ns region trust value coherence picture vector arrival_ns
origin entity_class entity_type kind agreement_key anchor serial caps bound_to encoder_info request
countersign commitment proxy supersedes metadata sections pairing_id kid16 entities context_name
data_types operations rates least max_epochs fresh half policy_hash seed callback window_s nonce
transcript role confirm result witness certificate evidence reason atp energy_mj purposes previous
revocations first count control_size control_tree data_tree event source mac since context
receipt_within sensors model version preprocessing dimension dtype scale exported skipped root
recipient law flags subject trigger passed dropped late unauthorized state first_frame last_frame
peripherals first_arrival last_arrival session_key live control_range data_range start data_size
trained_on lower""".split()
L = SimpleNamespace(**{name: label for label, name in enumerate(LABELS)})
# Labels of the standards. A map holds either these or ours, never both.
S = SimpleNamespace(alg=1, kid=4, claims=15, typ=16, vds=395, vdp=396, inclusion=-1, exp=4, nbf=5,
                    iat=6, cti=7, cnf=8, ours=-70000, cnf_key=1, kty=1, crv=-1, x=-2, y=-3)

H32, B16 = blob(32), blob(16)
U16, U32, U64, SECONDS = uint(0, 2**16 - 1), uint(0, 2**32 - 1), uint(), uint(0, 2**40 - 1)
NUMBER = uint(1)                         # a log number: leaf index + 1
Q8 = uint(0, 256)
PATH = many(0, 48, H32)
ONE = const(1)
CONTEXT, DATA, REASON = uint(1, 65535), among(*range(1, 10), *range(16, 21)), uint(1, 65535)
NAMES = many(0, 32, H32)
RANGE = many(0, 54, H32)
TREE_HEAD = array(U64, H32)
VIEW = array(U64, SECONDS)
SIGN1 = blob(80, 4096)


def cose_key(value):
    COSE_KEY(value)
    public_key(value[S.x], value[S.y])


COSE_KEY = table({S.kty: const(2), S.crv: ONE, S.x: H32, S.y: H32})
CONFIRMATION = table({S.cnf_key: cose_key})


def claims(body, *times):
    """A payload: some of exp, nbf, iat, .. and our own map."""
    shapes = {S.exp: SECONDS, S.nbf: SECONDS, S.iat: SECONDS, S.cti: B16, S.cnf: CONFIRMATION}
    return table({**{label: shapes[label] for label in times}, S.ours: body})


def lives(longest, made=S.iat):
    def check(value):
        if not (0 < value[S.exp] - value[S.nbf] <= longest and value[made] < value[S.exp]):
            raise Malformed(f"a life from {value[S.nbf]} to {value[S.exp]}, made at {value[made]}")
    return check


ENCODER = table({L.model: H32, L.version: short_text, L.preprocessing: H32,
                 L.dimension: uint(1, 4096), L.dtype: ONE, L.scale: U32},
                {L.trained_on: many(0, 16, H32, key=itself)})
REQUEST = table({L.ver: ONE, L.entity_class: uint(1, 3), L.entity_type: uint(1, 9),
                 L.kind: uint(0, 2), L.agreement_key: cose_key, L.anchor: array(uint(1, 6), H32),
                 L.caps: U32},
                {L.serial: short_text, L.bound_to: H32, L.encoder_info: inside(1, 768, ENCODER)})


def suits_class_and_type(value):
    """What a binding request must and must not have for its class and type."""
    facts = value[S.ours]
    if facts[L.entity_class] == CLASS_S:
        raise Malformed("a request of class S")
    if facts[L.agreement_key] == value[S.cnf][S.cnf_key]:
        raise Malformed("one key for signing and agreement")
    if facts[L.entity_class] == CLASS_H and L.bound_to not in facts:
        raise Malformed("class H without bound-to")
    if (facts[L.entity_type] == ENCODER_TYPE) != (L.encoder_info in facts):
        raise Malformed("encoder-info is there if and only if the type is 8")


BINDING = table({L.ver: ONE, L.request: SIGN1}, {L.countersign: SIGN1, L.supersedes: H32})
BINDING_S = table({L.ver: ONE, L.entity_class: const(2), L.entity_type: const(2), L.kind: const(0),
                   L.serial: short_text, L.caps: U32, L.countersign: SIGN1, L.commitment: H32,
                   L.proxy: H32})
COUNTERSIGN = table({L.ver: ONE, L.certificate: H32},
                    {L.commitment: H32, L.role: uint(0, 1), L.mac: B16})
SESSION = table({L.ver: ONE, L.purposes: many(1, 2, uint(1, 2), key=itself), L.first: NUMBER})


def context_has_name(value):
    if (value[L.context] >= 64) != (L.context_name in value):
        raise Malformed("context-name is there if and only if the context is 64 or more")


def two_entities(value):
    if value[L.entities][0] == value[L.entities][1]:
        raise Malformed("a pairing of an entity with itself")


POLICY = both(table({
    L.context: CONTEXT, L.pairing_id: B16, L.kid16: uint(1, 65534), L.entities: array(H32, H32),
    L.data_types: many(1, 14, DATA, key=itself), L.operations: many(1, 6, uint(1, 6), key=itself),
    L.rates: mapping(14, DATA, U32), L.least: mapping(14, DATA, uint(0, 3)), L.max_epochs: U32,
    L.fresh: U32, L.receipt_within: U32}, {L.context_name: short_text}),
    context_has_name, two_entities)
PAIRING = table({L.ver: ONE, L.metadata: inside(1, 1024, POLICY), L.sections: array(H32, H32, H32)},
                {L.supersedes: H32})
COMPLETION = table({L.pairing_id: B16, L.nonce: B16, L.transcript: H32, L.role: uint(0, 1),
                    L.confirm: B16})
# What a receipt of a kind must have beyond what all have (logs.md); `only` is there in no other.
COMPLETED, FAILED, OPENED, CLOSED, GENESIS, STARTED, EFFECTIVE = 1, 4, 16, 17, 24, 25, 26
RECEIPT_NEEDS = {COMPLETED: (L.certificate,), FAILED: (L.certificate,), OPENED: (L.first, L.count),
                 CLOSED: (L.first, L.count, L.data_range), 18: (L.first, L.count),
                 23: (L.first, L.count), STARTED: (L.start,), EFFECTIVE: (L.certificate,),
                 27: (L.certificate,), 28: (L.first, L.count)}
RECEIPT_ONLY = {L.data_range: CLOSED, L.start: STARTED, L.last_frame: EFFECTIVE}
RECEIPT_NAMES = {COMPLETED: 2, GENESIS: 2}


def suits_receipt_kind(value):
    kind, names = value[L.kind], len(value[L.evidence])
    for label in RECEIPT_NEEDS.get(kind, ()):
        if label not in value:
            raise Malformed(f"label {label} is missing in a receipt of kind {kind}")
    for label, only in RECEIPT_ONLY.items():
        if label in value and kind != only:
            raise Malformed(f"label {label} in a receipt of kind {kind}")
    if names != RECEIPT_NAMES.get(kind, names):
        raise Malformed(f"{names} names in a receipt of kind {kind}")
    if kind <= 7 and value[L.level] != (6 if kind <= 4 else 7):
        raise Malformed(f"level {value[L.level]} of a receipt of kind {kind}")
    if kind == OPENED and value[L.count] != 0:
        raise Malformed("a segment that opens with batches in it")


RECEIPT = both(table(
    {L.ver: ONE, L.level: uint(1, 7), L.quality: uint(0, 3), L.kind: among(*range(1, 8),
     *range(16, 29)), L.result: uint(0, 1), L.evidence: NAMES, L.subject: H32},
    {L.context: CONTEXT, L.proxy: H32, L.witness: H32, L.certificate: H32, L.reason: REASON,
     L.atp: U32, L.energy_mj: U32, L.first: U64, L.count: U64, L.flags: ONE, L.last_frame: U64,
     L.data_range: RANGE, L.start: array(B16, U32, B16)}), suits_receipt_kind)
REVOCATION = table({L.log_number: NUMBER, L.certificate: H32, L.reason: REASON},
                   {L.pairing_id: B16, L.previous: H32, L.since: SECONDS})
REVOCATION_LOCAL = table({L.certificate: H32, L.reason: REASON},
                         {L.pairing_id: B16, L.evidence: many(0, 32, H32, key=itself),
                          L.since: SECONDS})
WITNESS = table({L.nonce: B16, L.role: uint(1, 7), L.certificate: H32})
HEAD = table({L.ver: ONE, L.quality: uint(0, 3), L.revocations: VIEW, L.data_tree: TREE_HEAD,
              L.live: H32, L.control_range: RANGE, L.data_range: RANGE}, {L.previous: H32})
CHECKPOINT = table({L.ver: ONE, L.control_tree: array(NUMBER, H32)}, {L.revocations: VIEW})
EXPORT = table({L.ver: ONE, L.kind: uint(1, 4), L.count: U64, L.data_size: U64,
                L.exported: many(0, 32, array(H32, U64), key=first_of),
                L.skipped: mapping(8, uint(1, 8), U64), L.root: H32},
               {L.context: CONTEXT, L.recipient: short_text})
LAW = table({L.ver: ONE, L.law: H32}, {L.previous: H32})


def first_batch_has_none_before(value):
    if (value[L.log_number] == 1) != (value[L.previous] == bytes(32)):
        raise Malformed(f"previous of r{value[L.log_number]}: zeros belong to r1 alone")


BATCH = both(table({L.ver: ONE, L.log_number: NUMBER, L.quality: uint(0, 3), L.previous: H32,
               L.revocations: VIEW, L.first: NUMBER, L.count: uint(0, 1024),
               L.sensors: uint(0, 32), L.control_size: U64}), first_batch_has_none_before)

LIFE = (S.exp, S.nbf, S.iat)
YEAR = 366 * DAY
PAYLOADS = {
    65001: both(claims(either(L.request, BINDING, BINDING_S), *LIFE), lives(20 * YEAR)),
    65002: both(claims(PAIRING, *LIFE), lives(400 * DAY)),
    65010: both(claims(REQUEST, S.iat, S.cti, S.cnf), suits_class_and_type),
    65013: claims(WITNESS, S.iat),
    65014: claims(COMPLETION),
    65018: claims(COUNTERSIGN, S.iat),
    65020: claims(RECEIPT, S.iat),
    65021: claims(either(L.log_number, REVOCATION, REVOCATION_LOCAL), S.iat),
    65022: claims(CHECKPOINT, S.iat),
    65025: both(claims(SESSION, *LIFE, S.cnf), lives(DAY, made=S.nbf)),
    65026: claims(EXPORT, S.iat),
    65027: claims(LAW, S.iat),
    65030: claims(HEAD, S.iat),
}
WITHOUT_KID = (65010, 65014)
LARGEST_OF_TYPE = {65001: 2048, 65002: 2048}
HEADER_BATCH = table({S.alg: const(-7), S.kid: H32, S.claims: claims(BATCH, S.iat),
                      S.typ: const(65028), S.vds: ONE})
PROOFS_396 = table({S.vdp: table({S.inclusion: many(1, 1057, blob(36, 512))})})
PROOF_396 = array(uint(2, 1057), uint(0, 1056), many(1, 11, H32))

SENSOR_REF = array(H32, NUMBER)
PAIRING_LIST = many(1, 4, array(CONTEXT, H32), key=first_of)


def ascends(first, last):
    """Of two labels that are there, the second is no less."""
    def check(value):
        if first in value and value[first] > value[last]:
            raise Malformed(f"label {first} is above label {last}")
    return check


def no_trailing_zero(value):
    if value and value[-1] == 0:
        raise Malformed("a trailing zero")


def frames_where_passed(value):
    for label in (L.first_frame, L.last_frame, L.peripherals):
        if (label in value) != (value[L.passed] > 0):
            raise Malformed(f"label {label} is there if and only if frames passed")
    ascends(L.first_frame, L.last_frame)(value)


FACTS = both(table({L.blind: B16, L.type: const(0), L.batch_number: U64, L.previous: H32,
                    L.count: uint(0, 1024), L.control_size: U64, L.sensors: uint(0, 32),
                    L.first_arrival: U64, L.last_arrival: U64, L.session_key: H32}),
             ascends(L.first_arrival, L.last_arrival))
SENSOR_FACTS = both(table(
    {L.blind: B16, L.type: const(4), L.lct: SENSOR_REF, L.passed: U32,
     L.dropped: both(many(0, 6, U32), no_trailing_zero), L.late: U32, L.unauthorized: U32,
     L.state: uint(0, 8)},
    {L.pairings: PAIRING_LIST, L.first_frame: U64, L.last_frame: U64, L.peripherals: H32}),
    frames_where_passed)
EVENT = table({L.level: uint(1, 7), L.kind: uint(1, 8), L.evidence: NAMES},
              {L.reason: REASON, L.atp: U32, L.energy_mj: U32, L.count: U64,
               L.trigger: uint(1, 255)})
OF_OBSERVATIONS = (L.pairings, L.sensor_leaf, L.frame, L.raw_ns, L.clock_domain, L.region, L.trust)


def suits_record_type(value):
    """What a record has by its type (logs.md)."""
    kind = value[L.type]
    for label, wanted in ((L.vector, kind == MEMORY), (L.event, kind == EVENT_RECORD),
                          (L.error_ns, value[L.time_ns] is not None)):
        if (label in value) != wanted:
            raise Malformed(f"label {label} does not suit the record")
    for label in OF_OBSERVATIONS if kind != EVENT_RECORD else ():
        if label not in value:
            raise Malformed(f"label {label} is missing in a record of type {kind}")


RECORD = both(table(
    {L.blind: B16, L.log_number: NUMBER, L.type: uint(1, 3), L.lct: SENSOR_REF,
     L.batch_number: NUMBER, L.level: uint(1, 7), L.protection: uint(0, 3), L.quality: uint(0, 3),
     L.time_ns: maybe(U64), L.arrival_ns: U64, L.origin: uint(0, 2)},
    {L.pairings: PAIRING_LIST, L.sensor_leaf: uint(1, 32), L.frame: U64, L.raw_ns: U64,
     L.clock_domain: uint(1, 7), L.error_ns: U64, L.region: array(U16, U16, U16, U16),
     L.trust: array(Q8, Q8, Q8, Q8, Q8), L.value: array(*[maybe(Q8)] * 5),
     L.coherence: array(uint(0, 2), maybe(Q8), U16), L.picture: array(uint(1, 2), H32),
     L.vector: array(H32, H32), L.event: EVENT, L.source: U64}), suits_record_type)
LIVE_SET = many(0, 1024, array(H32, CONTEXT, H32, NUMBER), key=itself)
LOG_PROOF = array(SIGN1, U64, PATH)
OPENING = array(B16, blob(1, 65536))

HMK_HEAD = array(const(0), const("hallmark proof"), ONE, ONE, uint(1, 65535))
ITEMS = {
    1: array(const(1), SIGN1),
    2: array(const(2), NUMBER, SIGN1, PATH, many(0, 2, blob(80, 8192))),
    3: array(const(3), blob(80, 524288), PATH, blob(32, 512), many(0, 32, blob(32, 1024))),
    4: array(const(4), blob(32, 4096), maybe(OPENING), maybe(OPENING)),
    6: array(const(6), SIGN1, NUMBER),
    7: array(const(7), SIGN1, PATH, PATH),
    8: array(const(8), NUMBER, blob(1, 98304)),
}


# ---- signed objects ---------------------------------------------------------------------------

class Signed:
    """What any signed object has: typ, kid, body, the bytes signed, NAME and LEAF."""

    def __init__(self, typ, kid, body, protected, payload, signature):
        self.typ, self.kid, self.body, self.signature = typ, kid, body, signature
        self.protected = protected
        if payload is not None:
            self.cover(payload)

    def cover(self, payload):
        self.tbs = sig_structure(self.protected, payload)
        self.name = sha256(self.tbs).digest()
        self.leaf = sha256(b"\x00" + self.tbs).digest()


def split_sign1(raw, unprotected, payload):
    value = load(raw)
    if not isinstance(value, Tag) or value.number != 18:
        raise Malformed("not a COSE_Sign1 with its tag")
    array(blob(1, 512), unprotected, payload, blob(64))(value.value)
    return value.value


@lru_cache(maxsize=1024)
def parse_sign1(raw, *types):
    """A COSE_Sign1 of one of these types (any, where none is named), its payload in shape."""
    SIGN1(raw)
    protected, _, payload, signature = split_sign1(raw, table({}), blob(1, 4096))
    header = load(protected)
    typ = header.get(S.typ) if isinstance(header, dict) else None
    if typ not in (types or PAYLOADS):
        raise Malformed(f"typ {typ}" + (f", not {types}" if types else " is unknown here"))
    kid = {} if typ in WITHOUT_KID else {S.kid: H32}
    try:
        table({S.alg: const(-7), S.typ: const(typ), **kid})(header)
        blob(80, LARGEST_OF_TYPE.get(typ, 4096))(raw)
        PAYLOADS[typ](load(payload))
    except Malformed as error:
        raise Malformed(f"typ {typ}: {error}") from None
    return Signed(typ, header.get(S.kid), load(payload), protected, payload, signature)


def key_of(session):
    """The key a session key certificate (65025) names."""
    return session.body[S.cnf][S.cnf_key]


# ---- certificates ----------------------------------------------------------------------------

def tree_head(pair):
    return SimpleNamespace(size=pair[0], root=pair[1])


class Binding:
    """What a binding certificate of class A or H (an entry with a request) says."""

    def __init__(self, entry):
        self.number, self.name = entry.number, entry.object.name
        body = entry.request.body
        facts = body[S.ours]
        self.key, self.agreement_key = body[S.cnf][S.cnf_key], facts[L.agreement_key]
        self.lct = thumbprint(self.key)
        self.entity_class, self.type, self.kind = (
            facts[L.entity_class], facts[L.entity_type], facts[L.kind])
        self.descriptors = facts[L.anchor][1]
        self.bound_to = facts.get(L.bound_to)
        encoder = facts.get(L.encoder_info)
        self.encoder = sha256(encoder).digest() if encoder is not None else None


class Pairing:
    """What a pairing certificate and its policy say."""

    def __init__(self, entry):
        body = entry.object.body
        policy = load(body[S.ours][L.metadata])
        self.number, self.name = entry.number, entry.object.name
        self.id, self.entities = policy[L.pairing_id], policy[L.entities]
        self.context, self.fresh = policy[L.context], policy[L.fresh]
        self.data_types, self.operations = policy[L.data_types], policy[L.operations]
        self.begin, self.end = body[S.nbf], body[S.exp]


# ---- items -----------------------------------------------------------------------------------

def checkpoint_of(raw, is_host):
    """A checkpoint; an authority's tells its revocations, a host's does not."""
    checkpoint = parse_sign1(raw, 65022)
    if is_host == (L.revocations in checkpoint.body[S.ours]):
        raise Malformed("revocations are in a checkpoint if and only if it is an authority's")
    return checkpoint


class Entry:
    """Item 2: an entry of the control log, with what is nested in it and attached to it."""

    def __init__(self, item):
        _, self.number, raw, self.way, attached = item
        self.object = parse_sign1(raw)
        self.request = self.countersign = self.log_proof = None
        body = self.object.body[S.ours]
        wanted = 0
        if self.object.typ in (65001, 65002):
            wanted = 1
        elif self.object.typ == 65020 and body[L.kind] == 1:
            wanted = 2
        if len(attached) != wanted:
            raise Malformed(f"{len(attached)} attachments, not {wanted}")
        if wanted == 1:
            self.read_log_proof(attached[0])
        self.completions = [parse_sign1(one, 65014) for one in attached] if wanted == 2 else []
        if L.request in body:
            self.request = parse_sign1(body[L.request], 65010)
        if self.object.typ == 65001 and L.countersign in body:
            self.countersign = parse_sign1(body[L.countersign], 65018)
        if self.request is not None:
            is_hosted = self.request.body[S.ours][L.entity_class] == CLASS_H
            if is_hosted != (self.countersign is not None):
                raise Malformed("a countersignature is there if and only if the class is H")
        self.signatures = (1 + len(self.completions) + (self.log_proof is not None) +
                           (self.request is not None) + (self.countersign is not None))

    def read_log_proof(self, raw):
        value = load(raw)
        LOG_PROOF(value)
        self.log_proof = SimpleNamespace(checkpoint=checkpoint_of(value[0], False), index=value[1],
                                         way=value[2])


class Batch(Signed):
    """Item 3: a batch receipt, its facts and sensor leaves. Its root is told by `cover`."""

    def __init__(self, item):
        _, raw, self.way, self.facts_raw, self.leaves_raw = item
        protected, unprotected, _, signature = split_sign1(raw, PROOFS_396, const(None))
        header = load(protected)
        HEADER_BATCH(header)
        super().__init__(65028, header[S.kid], header[S.claims], protected, None, signature)
        says = self.body[S.ours]
        self.number, self.iat, self.quality = says[L.log_number], self.body[S.iat], says[L.quality]
        self.previous, self.heard = says[L.previous], says[L.revocations][1]
        self.first, self.count = says[L.first], says[L.count]
        self.sensors, self.control_size = says[L.sensors], says[L.control_size]
        self.tree_size = 1 + self.sensors + self.count
        self.head = self.session = None     # control numbers, once rules 11 and 6 have found them
        self.run = []                       # those of rule 11, from C down
        self.proofs = [load(one) for one in unprotected[S.vdp][S.inclusion]]
        for proof in self.proofs:
            PROOF_396(proof)
        self.facts = load(self.facts_raw)
        FACTS(self.facts)
        self.leaves = [load(one) for one in self.leaves_raw]
        for leaf in self.leaves:
            SENSOR_FACTS(leaf)

    def leaf_index(self, record):
        """Where the number of a record puts it in the tree."""
        return 1 + self.sensors + record.number - self.first


class Record:
    """Item 4: a record and what it opens."""

    def __init__(self, item):
        _, self.raw, self.picture, self.vector = item
        self.body = load(self.raw)
        RECORD(self.body)
        self.number, self.type = self.body[L.log_number], self.body[L.type]
        self.batch, self.lct = self.body[L.batch_number], self.body[L.lct]
        self.pairings, self.arrival = self.body.get(L.pairings, []), self.body[L.arrival_ns]
        self.sensor_leaf = self.body.get(L.sensor_leaf)


class Proof:
    """The whole file, items by number, in the one order they may have."""

    LARGEST = 64 << 20
    MOST_SIGNATURES = 4096

    def __init__(self, data):
        if len(data) > self.LARGEST:
            raise Malformed(f"larger than {self.LARGEST} bytes")
        self.checkpoint = None
        self.entries, self.batches, self.links, self.live = {}, {}, {}, {}
        self.records, self.witnesses = [], []
        self.signatures = 0
        value, at = decode(data, 0)
        HMK_HEAD(value)
        follow, before = value[-1], (0, 0)
        for index in range(1, follow + 1):
            try:
                item, at = decode(data, at)
                key = self.read_item(item)
                if key <= before:
                    raise Malformed(f"{key} stands after {before}")
                before = key
            except Malformed as error:
                raise Malformed(f"item {index}: {error}") from None
            if self.signatures > self.MOST_SIGNATURES:
                raise Malformed(f"more than {self.MOST_SIGNATURES} signatures")
        if at != len(data):
            raise Malformed(f"{len(data) - at} bytes after the last item")
        if not (self.checkpoint and self.entries and self.batches and self.records):
            raise Malformed("a checkpoint, an entry, a batch and a record must be there")

    def read_item(self, item):
        """Files one item; its place in the order: (item number, number or name)."""
        kind = item[0] if isinstance(item, list) and item else None
        if not isinstance(kind, int) or kind not in ITEMS:
            fail(kind, "a known item")
        ITEMS[kind](item)
        return kind, getattr(self, f"read_{kind}")(item)

    def read_1(self, item):
        self.checkpoint = checkpoint_of(item[1], True)
        self.signatures += 1
        return 0                       # a second one is not above the first

    def read_2(self, item):
        entry = Entry(item)
        self.entries[entry.number] = entry
        self.signatures += entry.signatures
        return entry.number

    def read_3(self, item):
        batch = Batch(item)
        self.batches[batch.number] = batch
        self.signatures += 1
        return batch.number

    def read_4(self, item):
        record = Record(item)
        self.records.append(record)
        return record.number

    def read_6(self, item):
        witness = SimpleNamespace(object=parse_sign1(item[1], 65013), binding=item[2], over=None)
        self.witnesses.append(witness)
        self.signatures += 1
        return witness.object.name

    def read_7(self, item):
        checkpoint = checkpoint_of(item[1], True)
        size = checkpoint.body[S.ours][L.control_tree][0]
        self.links[size] = SimpleNamespace(checkpoint=checkpoint, control_way=item[2],
                                           data_way=item[3])
        self.signatures += 1
        return size

    def read_8(self, item):
        pairings = load(item[2])
        LIVE_SET(pairings)
        self.live[item[1]] = SimpleNamespace(raw=item[2], pairings=pairings)
        return item[1]

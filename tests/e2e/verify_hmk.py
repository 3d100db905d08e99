#!/usr/bin/python3
# SPDX-License-Identifier: AGPL-3.0-or-later
"""A second verifier of proof files, written from docs/spec alone.

    verify_hmk.py FILE.hmk --authority home.pub [--authority ..] [--revocation r.cbor ..]

Prints the verdict and, where it is not "proven", the first rule of docs/spec/proof.md that
failed. Exit 0 proven, 1 not proven, 2 usage, 6 malformed. It shares nothing with Hallmark but
the pages: the CBOR decoder, the shapes (hallmark.cddl) and the trees are its own.
"""

import argparse
import sys
from bisect import bisect_left
from collections import defaultdict
from hashlib import sha256
from types import SimpleNamespace

from hmk_cose import (Malformed, inclusion_root, is_consistent, leaf_of, read_key, thumbprint,
                      verify_signature)
from hmk_format import (CLASS_A, CLASS_H, ENCODER_TYPE, HOST_TYPE, MEMORY, SENSOR_TYPE, Binding, L,
                        Pairing, Proof, S, key_of, parse_sign1, tree_head)
from hmk_verdict import Failed, Verdict, equal, missing, must

BUILT_IN_ENCODERS = {
    bytes.fromhex("924f23d763d1888fa58edfb0ac7e320baca22368dc40c02dfdf015e39cacac38")}
EARLY = 300                      # s a clock may be behind a certificate's nbf
WITNESS_LATE = 3_900             # s after the batch in which a witness still makes it timely
LATE = 5_000_000_000             # ns
SESSION_SPAN = 1 << 20           # batches from `first` on
OBSERVE, REMEMBER = 1, 2         # operations
FOCUS, EMBEDDING = 18, 20        # data types
BATCHES, RECEIPTS = 1, 2         # purposes of a session key
# The classes of an entity type: sensors, services, encoders and stores may be hosted, a pack's
# module has no keys of its own.
SUITING = {2: (), SENSOR_TYPE: (CLASS_A, CLASS_H), 7: (CLASS_A, CLASS_H),
           ENCODER_TYPE: (CLASS_A, CLASS_H), 9: (CLASS_A, CLASS_H)}
SENSOR_KINDS = {SENSOR_TYPE: (1, 2)}
AUTHORIZATION_RULES = {2, 3, 6, 8, 9, 10, 11, 12}


# ---- the rules -------------------------------------------------------------------------------

class Verifier:
    """Rules 1 to 15 over one parsed file. Each method is one rule or one part of it."""

    def __init__(self, proof, authorities, revocations=()):
        self.proof = proof
        self.authorities = {thumbprint(key): key for key in authorities}
        self.given = revocations
        self.verdict = Verdict()
        self.bindings, self.pairings, self.completions = {}, {}, {}  # by control number
        self.needs = defaultdict(set)      # control number -> those its signatures need
        self.doubts = set()                # reasons for "authorized unknown"
        self.records_of = defaultdict(list)

    def run(self):
        """The verdict. What cannot be followed stops it; else every rule is tried."""
        try:
            self.rules_1_to_4()
            self.place_records()
        except Failed as failure:
            self.verdict.failures.append(failure)
            return self.finish(followed=False)
        before = None
        for batch in self.proof.batches.values():
            self.attempt(self.rule_5_order, batch, before)
            self.attempt(self.rule_5_and_6, batch)
            self.attempt(self.rule_11_run, batch)
            before = batch
        for record in self.proof.records:
            self.attempt(self.record_rules, record)
        self.attempt(self.rule_14_links)
        for witness in self.proof.witnesses:
            self.attempt(self.rule_14_witness, witness)
        if not self.verdict.failures:
            self.attempt(self.rule_15)
        return self.finish(followed=True)

    def attempt(self, rule, *arguments):
        try:
            rule(*arguments)
        except Failed as failure:
            self.verdict.failures.append(failure)

    # -- rules 1 to 4: the frame everything else hangs in

    def rules_1_to_4(self):
        proof, checkpoint = self.proof, self.proof.checkpoint
        self.host = checkpoint.kid
        self.control = tree_head(checkpoint.body[S.ours][L.control_tree])
        self.read_certificates()
        if not self.bindings_of[self.host]:
            raise missing(3, "binding of the host", self.host)
        self.host_binding = binding = self.bindings[self.bindings_of[self.host][0]]
        self.check_own_checkpoint(1, "checkpoint", checkpoint)
        for entry in proof.entries.values():
            self.rule_2(entry)
        equal(3, f"c{binding.number}: class", CLASS_A, binding.entity_class)
        equal(3, f"c{binding.number}: type", HOST_TYPE, binding.type)
        for batch in proof.batches.values():
            must(3, "binding of the host", binding.number <= batch.control_size,
                 f"at most c{batch.control_size} of r{batch.number}", f"c{binding.number}")
        self.data = self.head_tree(4, self.control.size)

    def place_records(self):
        """The batch of each record (rule 7), the leaves and the root of each batch (rule 5)."""
        for record in self.proof.records:
            what, batch = f"m{record.number}", self.proof.batches.get(record.batch)
            must(7, f"{what}: batch", batch, "in the file", f"r{record.batch}")
            must(7, f"{what}: its number", 0 <= record.number - batch.first < batch.count,
                 f"m{batch.first}..m{batch.first + batch.count - 1} of r{batch.number}", what)
            self.records_of[batch.number].append(record)
        for batch in self.proof.batches.values():
            indexes = sorted({r.sensor_leaf for r in self.records_of[batch.number]} - {None})
            equal(5, f"r{batch.number}: sensor leaves", len(indexes), len(batch.leaves))
            batch.leaf_at = dict(zip(indexes, batch.leaves))
            root = inclusion_root(leaf_of(batch.facts_raw), 0, batch.tree_size, batch.proofs[0][2])
            must(5, f"r{batch.number}: path of leaf 0", root, f"that of {batch.tree_size} leaves",
                 f"{len(batch.proofs[0][2])} hashes")
            batch.root = root
            batch.cover(root)

    def read_certificates(self):
        self.bindings_of = defaultdict(list)
        for number, entry in self.proof.entries.items():
            if entry.object.typ == 65001:
                must(2, f"c{number}: class", entry.request, "A or H", "S")
                self.bindings[number] = binding = Binding(entry)
                self.bindings_of[binding.lct].append(number)
            elif entry.object.typ == 65002:
                self.pairings[number] = Pairing(entry)

    def check_own_checkpoint(self, rule, what, checkpoint):
        equal(rule, f"{what}: kid", self.host, checkpoint.kid)
        self.check_signature(rule, what, checkpoint, self.host_binding.key)

    def head_tree(self, rule, number):
        """The data tree that the head at a control number signs."""
        entry = self.proof.entries.get(number)
        if entry is None:
            raise missing(rule, f"c{number}", "a head")
        equal(rule, f"c{number}: typ", 65030, entry.object.typ)
        return tree_head(entry.object.body[S.ours][L.data_tree])

    @staticmethod
    def check_signature(rule, what, signed, key):
        must(rule, f"{what}: signature", verify_signature(key, signed.tbs, signed.signature),
             f"by {thumbprint(key).hex()}", f"not (typ {signed.typ})")

    def authority(self, what, signed):
        """The given authority that signed an object; its kid says which."""
        key = self.authorities.get(signed.kid)
        if key is None:
            raise Failed(2, f"{what}: authority", "one that is given", signed.kid, missing=True)
        self.check_signature(2, what, signed, key)
        return key

    def newest_binding(self, rule, what, lct, below):
        numbers = self.bindings_of.get(lct, [])
        at = bisect_left(numbers, below)
        if at == 0:
            raise missing(rule, f"{what}: binding below c{below}", lct)
        return self.bindings[numbers[at - 1]]

    # -- rule 2: the entries of the control log

    def rule_2(self, entry):
        number, signed = entry.number, entry.object
        what = f"c{number}"
        equal(2, f"{what}: root by its way", self.control.root,
              inclusion_root(signed.leaf, number - 1, self.control.size, entry.way))
        check = {65001: self.check_binding, 65002: self.check_pairing, 65020: self.check_receipt,
                 65021: self.check_revocation, 65025: self.check_by_host,
                 65026: self.check_by_host, 65027: self.check_by_host,
                 65030: self.check_by_host}.get(signed.typ)
        must(2, f"{what}: typ", check, "that of an entry", signed.typ)
        check(what, entry)

    def check_by_host(self, what, entry):
        equal(2, f"{what}: kid", self.host, entry.object.kid)
        self.check_signature(2, what, entry.object, self.host_binding.key)

    def check_certificate(self, what, entry):
        """What bindings and pairings share: authority, log proof under the same key."""
        signed, proof = entry.object, entry.log_proof
        key = self.authority(what, signed)
        checkpoint = proof.checkpoint
        equal(2, f"{what}: log proof: kid", signed.kid, checkpoint.kid)
        self.check_signature(2, f"{what}: log proof", checkpoint, key)
        tree = tree_head(checkpoint.body[S.ours][L.control_tree])
        equal(2, f"{what}: log proof: root", tree.root,
              inclusion_root(signed.leaf, proof.index, tree.size, proof.way))

    def check_binding(self, what, entry):
        binding = self.bindings[entry.number]
        self.check_certificate(what, entry)
        self.check_signature(2, f"{what}: request", entry.request, binding.key)
        classes, kinds = SUITING.get(binding.type, (CLASS_A,)), SENSOR_KINDS.get(binding.type, (0,))
        must(2, f"{what}: class", binding.entity_class in classes, classes, binding.entity_class)
        must(2, f"{what}: kind", binding.kind in kinds, kinds, binding.kind)
        if binding.encoder is not None:
            equal(2, f"{what}: descriptors", binding.encoder, binding.descriptors)
        if binding.entity_class == CLASS_A:
            return
        countersign = entry.countersign
        equal(2, f"{what}: countersignature: kid", binding.bound_to, countersign.kid)
        equal(2, f"{what}: countersignature: certificate", entry.request.name,
              countersign.body[S.ours][L.certificate])
        host = self.newest_binding(2, what, binding.bound_to, entry.number)
        equal(2, f"{what}: class of its host", CLASS_A, host.entity_class)
        self.check_signature(2, f"{what}: countersignature", countersign, host.key)
        self.needs[entry.number].add(host.number)

    def check_pairing(self, what, entry):
        self.check_certificate(what, entry)
        for lct in self.pairings[entry.number].entities:
            self.needs[entry.number].add(self.newest_binding(2, what, lct, entry.number).number)

    def check_receipt(self, what, entry):
        signed, body = entry.object, entry.object.body[S.ours]
        if body[L.kind] <= 7:
            self.authority(what, signed)
            if body[L.kind] == 1:
                self.check_completion(what, entry, body)
        elif signed.kid == self.host:
            self.check_by_host(what, entry)
        else:
            session = self.session_key(2, signed.kid, entry.number - 1)
            purposes = session.object.body[S.ours][L.purposes]
            must(2, f"{what}: purposes of its key", RECEIPTS in purposes, "with 2", purposes)
            self.check_signature(2, what, signed, key_of(session.object))
            self.needs[entry.number].add(session.number)

    def check_completion(self, what, entry, body):
        equal(2, f"{what}: result", 0, body[L.result])
        number = self.pairing_named(body.get(L.certificate), entry.number - 1)
        if number is None:
            raise missing(2, f"{what}: its pairing", body.get(L.certificate))
        pairing, ends = self.pairings[number], entry.completions
        equal(2, f"{what}: evidence", [end.name.hex() for end in ends],
              [name.hex() for name in body[L.evidence]])
        says = [end.body[S.ours] for end in ends]
        for role, (end, say) in enumerate(zip(ends, says)):
            equal(2, f"{what}: completion {role}: role", role, say[L.role])
            equal(2, f"{what}: completion {role}: pairing id", pairing.id, say[L.pairing_id])
            binding = self.newest_binding(2, what, pairing.entities[role], number)
            self.check_signature(2, f"{what}: completion {role}", end, binding.key)
        for label in (L.transcript, L.nonce):
            equal(2, f"{what}: completions: label {label}", says[0][label], says[1][label])
        self.needs[entry.number].add(number)
        self.completions[entry.number] = pairing.name

    def check_revocation(self, what, entry):
        if L.log_number in entry.object.body[S.ours]:
            self.authority(what, entry.object)
        else:
            self.check_by_host(what, entry)

    def pairing_named(self, name, last):
        found = [n for n, p in self.pairings.items() if p.name == name and n <= last]
        return found[-1] if found else None

    def session_key(self, rule, kid, last):
        """The newest 65025 at or before a control number whose key has that thumbprint."""
        found = [e for n, e in self.proof.entries.items() if n <= last and
                 e.object.typ == 65025 and thumbprint(key_of(e.object)) == kid]
        if not found:
            raise missing(rule, f"session key at or before c{last}", kid)
        return found[-1]

    # -- rules 5, 6, 11: the batches

    def rule_5_order(self, batch, before):
        what = f"r{batch.number}"
        must(5, f"{what}: control size", batch.control_size < self.control.size,
             f"below {self.control.size}", batch.control_size)
        if before is None:
            return
        must(5, f"{what}: control size", batch.control_size >= before.control_size,
             f"at least {before.control_size}", batch.control_size)
        must(5, f"{what}: first record", batch.first >= before.first + before.count,
             f"at least m{before.first + before.count}", f"m{batch.first}")
        if batch.number == before.number + 1:
            equal(5, f"{what}: previous", before.name, batch.previous)

    def rule_5_and_6(self, batch):
        what, facts, records = f"r{batch.number}", batch.facts, self.records_of[batch.number]
        for label, value in ((L.batch_number, batch.number), (L.previous, batch.previous),
                             (L.count, batch.count), (L.sensors, batch.sensors),
                             (L.control_size, batch.control_size), (L.session_key, batch.kid)):
            equal(5, f"{what}: facts: label {label}", value, facts[label])
        must(5, f"{what}: indexes of sensor leaves", all(i <= batch.sensors for i in batch.leaf_at),
             f"at most {batch.sensors}", list(batch.leaf_at))
        lcts = [leaf[L.lct][0].hex() for leaf in batch.leaves]
        must(5, f"{what}: LCTs of its sensor leaves", lcts == sorted(set(lcts)), "ascending", lcts)
        placed = [(0, batch.facts_raw), *zip(batch.leaf_at, batch.leaves_raw),
                  *((batch.leaf_index(record), record.raw) for record in records)]
        equal(5, f"{what}: proofs of header 396", len(placed), len(batch.proofs))
        for (index, raw), (tree_size, leaf_index, path) in zip(placed, batch.proofs):
            equal(5, f"{what}: tree size of leaf {index}", batch.tree_size, tree_size)
            equal(5, f"{what}: leaf index", index, leaf_index)
            root = inclusion_root(leaf_of(raw), index, tree_size, path)
            equal(5, f"{what}: root by leaf {index}", batch.root, root)
        equal(5, f"{what}: root of the data tree by its way", self.data.root,
              inclusion_root(batch.leaf, batch.number - 1, self.data.size, batch.way))
        self.rule_6(what, batch)

    def rule_6(self, what, batch):
        session = self.session_key(6, batch.kid, batch.control_size)
        batch.session = session.number
        self.check_signature(5, what, batch, key_of(session.object))
        body = session.object.body
        purposes, first = body[S.ours][L.purposes], body[S.ours][L.first]
        must(6, f"{what}: purposes of its key", BATCHES in purposes, "with 1", purposes)
        must(6, f"{what}: batch number", first <= batch.number < first + SESSION_SPAN,
             f"{first}..{first + SESSION_SPAN - 1}", batch.number)
        self.check_time(6, f"{what}: iat", batch, batch.iat, body[S.nbf], body[S.exp])

    def check_time(self, rule, what, batch, time, begin, end):
        """A time outside a certificate's: a doubt where the batch had no clock, else a no."""
        if begin - EARLY <= time < end:
            return
        if batch.quality == 0:
            self.doubts.add(f"{what} {time} is not in {begin - EARLY}..{end - 1}, clock quality 0")
            return
        raise Failed(rule, what, f"{begin - EARLY}..{end - 1}", time)

    def rule_11_run(self, batch):
        """The gapless entries from C down to the newest head, and its live set."""
        for number in range(batch.control_size, 0, -1):
            entry = self.proof.entries.get(number)
            if entry is None:
                raise missing(11, f"r{batch.number}: entry", f"c{number}")
            batch.run.append(number)
            if entry.object.typ == 65030:
                batch.head = number
                break
        if batch.head is None:
            return
        live = self.proof.live.get(batch.head)
        if live is None:
            raise missing(11, f"r{batch.number}: live set", f"that of c{batch.head}")
        equal(11, f"live set of c{batch.head}: SHA-256",
              self.proof.entries[batch.head].object.body[S.ours][L.live], sha256(live.raw).digest())

    # -- rules 7 to 10, 12, 13: the records

    def record_rules(self, record):
        batch, what = self.proof.batches[record.batch], f"m{record.number}"
        self.rule_7(what, record, batch)
        sensor = self.rule_8(what, record, batch)
        encoder = self.rule_9(what, record, batch)
        used = [self.rule_10(what, use, record, batch, sensor) for use in record.pairings]
        for number, pairing in used:
            self.rule_11_pairing(what, pairing, number, batch, sensor)
            self.check_fresh(what, pairing, batch)
        record.leads_to = {sensor.number} | {number for number, _ in used}
        if encoder is not None:
            record.leads_to.add(encoder.number)
        self.rule_12(what, batch, [p for _, p in used],
                     [b for b in (self.host_binding, sensor, encoder) if b is not None])
        self.rule_13(what, record)

    @staticmethod
    def rule_7(what, record, batch):
        must(7, f"{what}: arrival", batch.facts[L.first_arrival] <= record.arrival <=
             batch.facts[L.last_arrival],
             f"{batch.facts[L.first_arrival]}..{batch.facts[L.last_arrival]}", record.arrival)
        if record.sensor_leaf is None:
            equal(7, f"{what}: pairings without sensor leaf", [], record.pairings)
            return
        leaf = batch.leaf_at[record.sensor_leaf]
        equal(7, f"{what}: lct of its sensor leaf", record.lct, leaf[L.lct])
        listed = leaf.get(L.pairings, [])
        for use in record.pairings:
            must(7, f"{what}: pairing {use[1].hex()}", use in listed, "in its sensor leaf",
                 "not there")

    def rule_8(self, what, record, batch):
        lct, number = record.lct
        must(8, f"{what}: binding of its sensor", number <= batch.control_size,
             f"at most c{batch.control_size}", f"c{number}")
        binding = self.bindings.get(number)
        if binding is None:
            raise missing(8, f"{what}: c{number}", "a binding")
        equal(8, f"{what}: LCT of c{number}", lct, binding.lct)
        if binding.entity_class == CLASS_H:
            equal(8, f"{what}: host of its sensor", self.host, binding.bound_to)
        return binding

    def rule_9(self, what, record, batch):
        if record.type != MEMORY or record.body[L.vector][0] in BUILT_IN_ENCODERS:
            return None
        wanted = record.body[L.vector][0]
        found = [b for b in self.bindings.values() if b.encoder == wanted and
                 b.type == ENCODER_TYPE and b.number <= batch.control_size]
        if not found:
            raise missing(9, f"{what}: binding of its encoder", wanted)
        return found[-1]

    def rule_10(self, what, use, record, batch, sensor):
        context, name = use
        number = self.pairing_named(name, batch.control_size)
        if number is None:
            raise missing(10, f"{what}: pairing", name)
        pairing = self.pairings[number]
        what = f"{what}: c{number}"
        equal(10, f"{what}: entities", sorted(e.hex() for e in (self.host, sensor.lct)),
              sorted(e.hex() for e in pairing.entities))
        equal(10, f"{what}: context", context, pairing.context)
        asked = {OBSERVE} | ({REMEMBER} if record.type == MEMORY else set())
        carried = (({FOCUS} if L.region in record.body else set()) |
                   ({EMBEDDING} if record.type == MEMORY else set()))
        must(10, f"{what}: operations", asked <= set(pairing.operations), f"with {sorted(asked)}",
             pairing.operations)
        must(10, f"{what}: data types", carried <= set(pairing.data_types),
             f"with {sorted(carried)}", pairing.data_types)
        done = [n for n, c in self.completions.items() if c == name and n <= batch.control_size]
        if not done:
            raise missing(10, f"{what}: completion at or before c{batch.control_size}", name)
        self.check_time(10, f"{what}: arrival", batch, record.arrival // 10**9,
                        pairing.begin, pairing.end)
        return done[-1], pairing

    def rule_11_pairing(self, what, pairing, completion, batch, sensor):
        if batch.head is None or completion > batch.head:
            return
        live = self.proof.live.get(batch.head)
        wanted = [sensor.lct, pairing.context, pairing.name, completion]
        must(11, f"{what}: c{pairing.number} in the live set of c{batch.head}",
             live and wanted in live.pairings, f"listed, completed by c{completion}", "not listed")

    def check_fresh(self, what, pairing, batch):
        if pairing.fresh and (batch.heard == 0 or batch.iat - batch.heard > pairing.fresh):
            self.doubts.add(f"{what}: revocations were last heard of at {batch.heard}, the batch "
                            f"is of {batch.iat}, c{pairing.number} asks for {pairing.fresh} s")

    def rule_12(self, what, batch, pairings, bindings):
        named = {p.name for p in pairings} | {x for b in bindings for x in (b.name, b.lct)}
        ids = {p.id for p in pairings}
        in_file = [(n, e.object) for n, e in self.proof.entries.items() if e.object.typ == 65021]
        for number, revocation in in_file + [(None, r) for r in self.given]:
            body = revocation.body[S.ours]
            hits = named & {body[L.certificate], *body.get(L.evidence, [])}
            if not hits and body.get(L.pairing_id) not in ids:
                continue
            label = f"revocation c{number}" if number else f"revocation {body[L.log_number]}"
            must(12, f"{what}: {label}", number is None or number > batch.control_size,
                 f"above c{batch.control_size}", f"c{number}")
            since = min(revocation.body[S.iat], body.get(L.since, revocation.body[S.iat]))
            must(12, f"{what}: {label}: time", since > batch.iat, f"after {batch.iat}", since)
            self.verdict.revoked_later = True
            self.verdict.notes.append(f"{what}: revoked later, at {since}, by {label}")

    @staticmethod
    def rule_13(what, record):
        for label, name, opening in ((L.picture, b"picture", record.picture),
                                     (L.vector, b"vector", record.vector)):
            if opening is None:
                continue
            text = f"{what}: {name.decode()}"
            must(13, text, label in record.body, "a commitment in the record", "none")
            salt, content = opening
            equal(13, text, record.body[label][1],
                  sha256(b"hallmark/1 " + name + b"\x00" + salt + content).digest())

    # -- rules 14 and 15

    def rule_14_links(self):
        """Each witnessable checkpoint by its NAME: its head's number and the data size under it."""
        self.checkpoints = {self.proof.checkpoint.name:
                            SimpleNamespace(link=None, head=self.control.size, data=self.data.size)}
        for size, link in self.proof.links.items():
            what = f"link of size {size}"
            self.check_own_checkpoint(14, what, link.checkpoint)
            must(14, what, size < self.control.size, f"below {self.control.size}", size)
            root = link.checkpoint.body[S.ours][L.control_tree][1]
            data = self.head_tree(14, size)
            must(14, f"{what}: control tree", is_consistent(
                size, root, self.control.size, self.control.root, link.control_way),
                 "consistent with the newest", "not")
            must(14, f"{what}: data tree", is_consistent(
                data.size, data.root, self.data.size, self.data.root, link.data_way),
                 "consistent with the newest", "not")
            self.checkpoints[link.checkpoint.name] = SimpleNamespace(
                link=size, head=size, data=data.size)

    def rule_14_witness(self, witness):
        what, signed = f"witness {witness.object.name.hex()}", witness.object
        binding = self.bindings.get(witness.binding)
        if binding is None:
            raise missing(14, f"{what}: c{witness.binding}", "its binding")
        equal(14, f"{what}: class", CLASS_A, binding.entity_class)
        must(14, f"{what}: LCT", binding.lct != self.host, "not the host's", binding.lct)
        equal(14, f"{what}: kid", binding.lct, signed.kid)
        self.check_signature(14, what, signed, binding.key)
        name = signed.body[S.ours][L.certificate]
        must(14, f"{what}: certificate", name in self.checkpoints, "a checkpoint of the file", name)
        witness.over, witness.iat = self.checkpoints[name], signed.body[S.iat]

    def rule_15(self):
        """Walks from the records; what is left over must be nothing."""
        entries = {self.control.size, self.host_binding.number}
        reached = set()
        for record in self.proof.records:
            batch = self.proof.batches[record.batch]
            reached.add((3, batch.number))
            entries |= record.leads_to | {batch.session} | set(batch.run)
            if batch.head is not None:
                reached.add((8, batch.head))
        for witness in self.proof.witnesses:
            entries |= {witness.binding, witness.over.head}
            if witness.over.link is not None:
                reached.add((7, witness.over.link))
        waiting = list(entries)
        while waiting:
            more = self.needs[waiting.pop()] - entries
            entries |= more
            waiting += more
        reached |= {(2, number) for number in entries}
        here = ({(2, n) for n in self.proof.entries} | {(3, n) for n in self.proof.batches} |
                {(7, n) for n in self.proof.links} | {(8, n) for n in self.proof.live})
        equal(15, "items (kind, number) that nothing leads to", [], sorted(here - reached))

    # -- the five words

    def finish(self, followed):
        verdict, words = self.verdict, self.verdict.words
        rules = {failure.rule for failure in verdict.failures}
        lost = any(failure.missing for failure in verdict.failures)
        refused = rules & AUTHORIZATION_RULES
        if refused or followed:
            words["authorized"] = "no" if refused else "unknown" if self.doubts else "yes"
        if rules - AUTHORIZATION_RULES:
            words["intact"] = "no"
        elif followed and not lost:
            words["intact"] = "yes"
        verdict.notes += sorted(self.doubts)
        if followed:
            words["timely"] = self.timely()
            words["coherent"] = self.coherent()
            words["witnessed"] = self.witnessed()
        if "no" in (words["authorized"], words["intact"]):
            for word in ("timely", "coherent", "witnessed"):
                words[word] = "no" if words[word] == "no" else "unknown"
        return verdict

    def witnesses_over(self, batch):
        return [w for w in self.proof.witnesses if w.over and batch.number <= w.over.data]

    def timely(self):
        batches = self.proof.batches
        for record in self.proof.records:
            captured = record.body[L.time_ns]
            if record.arrival > batches[record.batch].iat * 10**9 + LATE:
                return "no"
            if record.body[L.origin] == 0 and captured is not None and \
                    abs(captured - record.arrival) > LATE:
                return "no"
        if any(b.quality == 0 for b in batches.values()) or any(
                r.body[L.quality] == 0 for r in self.proof.records):
            return "unknown"
        soon = all(any(b.iat - EARLY <= w.iat <= b.iat + WITNESS_LATE
                       for w in self.witnesses_over(b)) for b in batches.values())
        return "yes" if soon else "unknown"

    def coherent(self):
        judged = [record.body.get(L.coherence, [0])[0] for record in self.proof.records]
        return "no" if 2 in judged else "yes" if all(j == 1 for j in judged) else "unknown"

    def witnessed(self):
        if any(witness.over is None for witness in self.proof.witnesses):
            return "no"
        return "yes" if all(map(self.witnesses_over, self.proof.batches.values())) else "unknown"


def verify(data, authorities, revocations=()):
    """Verdict over the bytes of a proof file under P-256 keys (maps of x and y)."""
    try:
        return Verifier(Proof(data), authorities, revocations).run()
    except Malformed as error:
        verdict = Verdict()
        verdict.malformed = str(error)
        return verdict


def read_revocation(path, authorities):
    """A newer revocation that lies beside the file: numbered, under an authority given."""
    with open(path, "rb") as file:
        revocation = parse_sign1(file.read(4_097), 65021)
    keys = {thumbprint(key): key for key in authorities}
    if L.log_number not in revocation.body[S.ours] or revocation.kid not in keys or \
            not verify_signature(keys[revocation.kid], revocation.tbs, revocation.signature):
        raise Malformed("not a numbered revocation under an authority given")
    return revocation


def main():
    options = argparse.ArgumentParser(description="verify a Hallmark proof file")
    options.add_argument("file")
    options.add_argument("--authority", action="append", required=True, metavar="PEM")
    options.add_argument("--revocation", action="append", default=[], metavar="FILE")
    given = options.parse_args()
    path = None
    try:
        authorities = []
        for path in given.authority:
            authorities.append(read_key(path))
        revocations = []
        for path in given.revocation:
            revocations.append(read_revocation(path, authorities))
        path = given.file
        with open(path, "rb") as file:
            data = file.read(Proof.LARGEST + 1)
    except (OSError, ValueError, Malformed) as error:
        print(f"verify_hmk.py: {path}: {error}", file=sys.stderr)
        return 2
    verdict = verify(data, authorities, revocations)
    print(verdict)
    return verdict.exit_code


if __name__ == "__main__":
    sys.exit(main())

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * From contents to signatures: picture and vector to their commitments, record and
 * facts to the batch root, the root to its receipt, the receipt to the session key
 * and to its place in the data tree. Sizes and indices come from signed claims; what
 * a path says of itself must equal them.
 */
#include "trust/proof_state.h"

/* ---- contents ----------------------------------------------------------------------------- */
static enum hm_status check_opening(struct hm_proof_state *p, enum hm_commitment what,
                                    const struct hm_hmk_opening *opening, bool has_opening,
                                    const uint8_t digest[32], bool has_digest, uint64_t number)
{
  enum hm_proof_link link = what == HM_COMMIT_PICTURE ? HM_LINK_PICTURE : HM_LINK_VECTOR;
  struct hm_proof_step step = hm_proof_ok(link, 'm', number, 1, "opens its commitment");
  uint8_t found[32];
  if (!has_opening) {
    if (!has_digest)
      return HM_OK;
    step.result = HM_STEP_NOTE;
    step.sentence = "is not in the file; its commitment is";
    hm_proof_say(p, &step);
    return HM_OK;
  }
  step.sentence = "the record commits to none";
  if (!has_digest)
    return hm_proof_not_intact(p, step);
  HM_TRY(hm_commitment(p->c, what, opening->salt, opening->content, found));
  if (memcmp(found, digest, sizeof found) != 0) {
    step.sentence = "is not what the record commits to";
    hm_proof_step_hashes(&step, digest, found);
    return hm_proof_not_intact(p, step);
  }
  step.sentence = "opens its commitment";
  hm_proof_say(p, &step);
  return HM_OK;
}

static bool is_built_in(const struct hm_proof_state *p, const uint8_t encoder[32])
{
  for (size_t i = 0; i < p->in->built_in_count; i++)
    if (memcmp(p->in->built_in[i], encoder, 32) == 0)
      return true;
  return false;
}

/* A vector of a built-in encoder is a function of the picture: the same bits. */
static enum hm_status check_recompute(struct hm_proof_state *p, const struct hm_record *record,
                                      const struct hm_hmk_record *item)
{
  uint8_t vector[4096], wanted[32], found[32];
  size_t len = 0;
  if (p->in->recompute == NULL || !record->has_vector || !item->has_vector || !item->has_picture ||
      !is_built_in(p, record->encoder))
    return HM_OK;
  enum hm_status status = p->in->recompute(p->in->recompute_user, record->encoder, record->pixels,
                                           item->picture.content, vector, sizeof vector, &len);
  if (status == HM_UNSUPPORTED)
    return HM_OK;
  struct hm_proof_step step =
      hm_proof_ok(HM_LINK_VECTOR, 'm', record->number, 1, "recomputed from the picture: same bits");
  if (status != HM_OK) {
    step.sentence = "cannot be recomputed from this picture";
    return hm_proof_not_intact(p, step);
  }
  if (!hm_bytes_equal(hm_bytes(vector, len), item->vector.content)) {
    const struct hm_bytes again = hm_bytes(vector, len);
    HM_TRY(p->c->sha256(&again, 1, wanted));
    HM_TRY(p->c->sha256(&item->vector.content, 1, found));
    step.sentence = "recomputed from the picture: other bits";
    hm_proof_step_hashes(&step, wanted, found);
    return hm_proof_not_intact(p, step);
  }
  hm_proof_say(p, &step);
  return HM_OK;
}

static enum hm_status read_record(const struct hm_proof_state *p, const struct hm_proof_row *row,
                                  struct hm_hmk_record *item, struct hm_record *record)
{
  HM_TRY(hm_decode(&hm_shape_hmk_record, hm_proof_bytes(p, row), item, NULL));
  return hm_record_decode(item->record, record, NULL);
}

enum hm_status hm_proof_contents(struct hm_proof_state *p)
{
  struct hm_hmk_record item;
  struct hm_record record;
  for (size_t i = p->of[HM_ITEM_RECORD].begin; i < p->of[HM_ITEM_RECORD].end; i++) {
    HM_TRY(read_record(p, &p->rows[i], &item, &record));
    HM_TRY(check_opening(p, HM_COMMIT_PICTURE, &item.picture, item.has_picture, record.picture,
                         record.has_picture, record.number));
    HM_TRY(check_opening(p, HM_COMMIT_VECTOR, &item.vector, item.has_vector, record.vector,
                         record.has_vector, record.number));
    HM_TRY(check_recompute(p, &record, &item));
    p->verdict->records++;
  }
  return HM_OK;
}

/* ---- the tree of one batch ----------------------------------------------------------------------
 */
struct tree {
  struct hm_proof_row *row;
  struct hm_hmk_batch item;
  struct hm_batch_claims claims;
  struct hm_batch_facts facts;
  struct hm_sign1 s;
  struct hm_proof_cursor paths;
  bool has_root;
  uint8_t root[32];
  size_t first, end;                                /* rows of its records */
  uint64_t leaf_mask;                               /* bit k: sensor leaf k is named by a record */
  struct hm_sensor_facts sensors[HM_BATCH_SENSORS]; /* of item.leaves, in order */
};

static struct hm_proof_step batch_step(const struct tree *t, enum hm_proof_link link,
                                       const char *sentence)
{
  return hm_proof_ok(link, 'r', t->claims.number, 1, sentence);
}

/* Its records are the next rows that name it; which sensor leaves do they name? */
static enum hm_status gather_records(struct hm_proof_state *p, struct tree *t)
{
  struct hm_hmk_record item;
  struct hm_record record;
  for (t->end = t->first; t->end < p->of[HM_ITEM_RECORD].end; t->end++) {
    HM_TRY(read_record(p, &p->rows[t->end], &item, &record));
    if (record.batch_number != t->claims.number)
      break;
    struct hm_proof_step step =
        hm_proof_ok(HM_LINK_RECORD, 'm', record.number, 1, "its number is outside its batch");
    hm_proof_step_numbers(&step, t->claims.first, record.number);
    if (record.number < t->claims.first || record.number - t->claims.first >= t->claims.count)
      return hm_proof_not_intact(p, step);
    step.sentence = "names a sensor leaf its batch has not";
    hm_proof_step_numbers(&step, t->claims.sensors, record.sensor_leaf);
    if (record.has_sensor_leaf && record.sensor_leaf > t->claims.sensors)
      return hm_proof_not_intact(p, step);
    if (record.has_sensor_leaf)
      t->leaf_mask |= 1ull << record.sensor_leaf;
  }
  if (t->end == t->first)
    return hm_proof_not_intact(p, batch_step(t, HM_LINK_FILE, "no record in the file is of it"));
  return HM_OK;
}

/* The next path of the receipt leads from this leaf, at this index, to the one root. */
static enum hm_status climb(struct hm_proof_state *p, struct tree *t, struct hm_bytes leaf,
                            uint64_t index, struct hm_proof_step step)
{
  struct hm_inclusion_proof proof;
  uint8_t hash[32], root[32];
  enum hm_status status = hm_batch_proofs_next(&t->paths, &proof);
  step.sentence = "has no path in its receipt";
  if (status == HM_NOT_FOUND)
    return hm_proof_not_intact(p, step);
  HM_TRY(hm_proof_judge(p, status, t->row, step));
  step.sentence = "its path is for another leaf";
  hm_proof_step_numbers(&step, index, proof.index);
  if (proof.index != index)
    return hm_proof_not_intact(p, step);
  step.sentence = "its path is for a tree of another size";
  hm_proof_step_numbers(&step, hm_batch_tree_size(&t->claims), proof.size);
  if (proof.size != hm_batch_tree_size(&t->claims))
    return hm_proof_not_intact(p, step);
  HM_TRY(hm_leaf_hash(p->c, leaf, hash));
  step.has_values = false;
  step.sentence = "its path ends nowhere";
  HM_TRY(hm_proof_judge(p, hm_batch_proof_root(p->c, &proof, hash, root), t->row, step));
  if (!t->has_root)
    memcpy(t->root, root, sizeof t->root);
  t->has_root = true;
  step.sentence = "leads to another root than the batch facts";
  hm_proof_step_hashes(&step, t->root, root);
  return memcmp(t->root, root, sizeof root) == 0 ? HM_OK : hm_proof_not_intact(p, step);
}

static enum hm_status check_facts(struct hm_proof_state *p, struct tree *t)
{
  struct hm_where where;
  struct hm_proof_step step = batch_step(t, HM_LINK_FACTS, "are not of their form");
  HM_TRY(hm_proof_judge(p, hm_batch_facts_decode(t->item.facts, &t->facts), t->row, step));
  step.sentence = "say another thing than the signed claims";
  HM_TRY(hm_proof_judge(p, hm_batch_facts_match(&t->facts, &t->claims, t->s.kid, &where), t->row,
                        step));
  return climb(p, t, t->item.facts, 0, step);
}

/* Exactly the sensor leaves that the records name, ascending by LCT. */
static enum hm_status check_sensor_leaves(struct hm_proof_state *p, struct tree *t)
{
  size_t at = 0;
  struct hm_proof_step step = batch_step(t, HM_LINK_SENSOR_LEAF, "not those its records name");
  for (uint64_t index = 1; index <= HM_BATCH_SENSORS; index++) {
    if (!(t->leaf_mask >> index & 1))
      continue;
    hm_proof_step_numbers(&step, at + 1, t->item.leaf_count);
    if (at == t->item.leaf_count)
      return hm_proof_not_intact(p, step);
    struct hm_proof_step form = batch_step(t, HM_LINK_SENSOR_LEAF, "is not of its form");
    HM_TRY(hm_proof_judge(p, hm_sensor_facts_decode(t->item.leaves[at], &t->sensors[at]), t->row,
                          form));
    form.sentence = "sensor leaves do not ascend";
    if (at > 0 && memcmp(t->sensors[at - 1].sensor.lct, t->sensors[at].sensor.lct, 32) >= 0)
      return hm_proof_not_intact(p, form);
    HM_TRY(climb(p, t, t->item.leaves[at], index, form));
    at++;
  }
  hm_proof_step_numbers(&step, at, t->item.leaf_count);
  return at == t->item.leaf_count ? HM_OK : hm_proof_not_intact(p, step);
}

static const struct hm_sensor_facts *sensor_leaf(const struct tree *t, uint64_t index)
{
  size_t at = 0;
  for (uint64_t i = 1; i < index; i++)
    at += t->leaf_mask >> i & 1;
  return &t->sensors[at];
}

static bool lists(const struct hm_sensor_facts *leaf, const struct hm_pairing_use *use)
{
  for (uint32_t i = 0; i < leaf->pairing_count; i++)
    if (leaf->pairings[i].context == use->context &&
        memcmp(leaf->pairings[i].certificate, use->certificate, 32) == 0)
      return true;
  return false;
}

/* What a record says of its batch and of its sensor leaf, they say too. */
static const char *record_differs(const struct tree *t, const struct hm_record *r)
{
  if (r->arrival_ns < t->facts.first_arrival || r->arrival_ns > t->facts.last_arrival)
    return "arrived outside the arrivals of its batch";
  if (!r->has_sensor_leaf)
    return r->has_pairings ? "lists pairings without a sensor leaf" : NULL;
  const struct hm_sensor_facts *leaf = sensor_leaf(t, r->sensor_leaf);
  if (memcmp(leaf->sensor.lct, r->sensor.lct, 32) != 0 || leaf->sensor.control != r->sensor.control)
    return "its sensor leaf is of another sensor";
  for (uint32_t i = 0; i < r->pairing_count; i++)
    if (!lists(leaf, &r->pairings[i]))
      return "its sensor leaf does not list its pairing";
  return NULL;
}

static enum hm_status check_records(struct hm_proof_state *p, struct tree *t)
{
  struct hm_hmk_record item;
  struct hm_record record;
  for (size_t i = t->first; i < t->end; i++) {
    HM_TRY(read_record(p, &p->rows[i], &item, &record));
    struct hm_proof_step step = hm_proof_ok(HM_LINK_LEAF, 'm', record.number, 1, "");
    uint64_t index = 1 + t->claims.sensors + (record.number - t->claims.first);
    HM_TRY(climb(p, t, item.record, index, step));
    step.sentence = record_differs(t, &record);
    if (step.sentence != NULL) {
      step.link = HM_LINK_RECORD;
      return hm_proof_not_intact(p, step);
    }
    step.sentence = "is a leaf of the root its receipt signs";
    step.has_entity = true;
    memcpy(step.entity, record.sensor.lct, sizeof step.entity);
    hm_proof_say(p, &step);
    p->rows[i].is_reached = true;
  }
  return HM_OK;
}

/* Numbers and control sizes rise from batch to batch, neighbours name each other. */
static const char *order_differs(const struct hm_batch_claims *before,
                                 const uint8_t before_name[32], const struct hm_batch_claims *now)
{
  if (now->number == before->number + 1 && before->number > 0 &&
      memcmp(now->previous, before_name, 32) != 0)
    return "it does not name the batch before it";
  if (now->control_size < before->control_size)
    return "its control size is below that of an earlier batch";
  if (now->first < before->first || now->first - before->first < before->count)
    return "its records overlap those of an earlier batch";
  return NULL;
}

enum hm_status hm_proof_trees(struct hm_proof_state *p)
{
  struct tree t;
  struct hm_batch_claims before;
  uint8_t before_name[32] = {0};
  memset(&before, 0, sizeof before);
  size_t records = p->of[HM_ITEM_RECORD].begin;
  for (size_t i = p->of[HM_ITEM_BATCH].begin; i < p->of[HM_ITEM_BATCH].end; i++) {
    memset(&t, 0, sizeof t);
    t.row = &p->rows[i];
    t.first = records;
    HM_TRY(hm_decode(&hm_shape_hmk_batch, hm_proof_bytes(p, t.row), &t.item, NULL));
    HM_TRY(hm_batch_peek(t.item.object, true, &t.s, &t.claims));
    const char *wrong = order_differs(&before, before_name, &t.claims);
    if (wrong != NULL)
      return hm_proof_not_intact(p, batch_step(&t, HM_LINK_RECEIPT, wrong));
    before = t.claims;
    HM_TRY(gather_records(p, &t));
    struct hm_proof_step step = batch_step(&t, HM_LINK_RECEIPT, "carries no inclusion proofs");
    HM_TRY(hm_proof_judge(p, hm_batch_proofs_begin(t.s.unprotected, &t.paths), t.row, step));
    HM_TRY(check_facts(p, &t));
    HM_TRY(check_sensor_leaves(p, &t));
    HM_TRY(check_records(p, &t));
    struct hm_inclusion_proof more;
    step.sentence = "carries a path that no record of the file needs";
    if (hm_batch_proofs_next(&t.paths, &more) != HM_NOT_FOUND)
      return hm_proof_not_intact(p, step);
    memcpy(t.row->name, t.root, sizeof t.row->name);
    HM_TRY(hm_sign1_name(p->c, &t.s, hm_bytes(t.root, 32), before_name));
    t.row->is_reached = true;
    records = t.end;
    p->verdict->batches++;
  }
  if (records != p->of[HM_ITEM_RECORD].end) {
    struct hm_proof_step step =
        hm_proof_ok(HM_LINK_FILE, 'm', p->rows[records].number, 1, "its batch is not in the file");
    return hm_proof_not_intact(p, step);
  }
  return HM_OK;
}

/* ---- the receipt
 * -------------------------------------------------------------------------------------- */
static bool within(uint64_t time, uint64_t nbf, uint64_t exp)
{
  return time + HM_SKEW_S >= nbf && time < exp;
}

/* The certified session key that signed it, by place in the log and by time. */
static enum hm_status check_session(struct hm_proof_state *p, struct hm_proof_row *row,
                                    const struct hm_batch_claims *claims,
                                    struct hm_session *session)
{
  struct hm_proof_step step =
      hm_proof_ok(HM_LINK_SESSION, 'r', row->number, 1, "no session key certified before it");
  struct hm_proof_row *entry = hm_proof_find(p, HM_TYP_SESSION, row->key, claims->control_size + 1);
  struct hm_bytes object;
  uint8_t kid[32];
  if (entry == NULL)
    return hm_proof_not_authorized(p, step);
  HM_TRY(hm_proof_object(p, entry, &object));
  HM_TRY(hm_session_open(p->c, object, NULL, session, kid, NULL));
  unsigned refused = p->refused;
  entry->is_reached = true;
  step.letter = 'c';
  step.number = entry->number;
  step.sentence = "the session key may not sign batches";
  if (!hm_session_allows(session, HM_PURPOSE_BATCHES))
    hm_proof_refuse(p, step);
  step.sentence = "the session key may not sign this batch number";
  hm_proof_step_numbers(&step, session->first, claims->number);
  if (claims->number < session->first || claims->number - session->first >= HM_BATCHES_PER_SESSION)
    hm_proof_refuse(p, step);
  step.sentence = "the batch is outside the life of its session key";
  hm_proof_step_numbers(&step, session->exp, claims->iat);
  if (!within(claims->iat, session->nbf, session->exp)) {
    if (claims->quality == HM_QUALITY_NONE)
      p->authorized_unknown = true;
    else
      hm_proof_refuse(p, step);
  }
  step = hm_proof_ok(HM_LINK_SESSION, 'c', entry->number, 1,
                     "session key, certified by the host's entity key");
  if (p->refused == refused)
    hm_proof_say(p, &step);
  return HM_OK;
}

static enum hm_status check_receipt(struct hm_proof_state *p, struct hm_proof_row *row)
{
  struct hm_hmk_batch item;
  struct hm_batch_claims claims;
  struct hm_session session;
  struct hm_sign1 s;
  uint8_t leaf[32];
  struct hm_bytes root = hm_bytes(row->name, 32);
  HM_TRY(hm_decode(&hm_shape_hmk_batch, hm_proof_bytes(p, row), &item, NULL));
  HM_TRY(hm_batch_peek(item.object, true, &s, &claims));
  struct hm_proof_step step = hm_proof_ok(HM_LINK_RECEIPT, 'r', row->number, 0,
                                          "its control size reaches beyond the checkpoint");
  hm_proof_step_numbers(&step, p->control.size, claims.control_size);
  if (claims.control_size >= p->control.size)
    return hm_proof_not_intact(p, step);
  HM_TRY(check_session(p, row, &claims, &session));
  HM_TRY(hm_proof_sign(p, row, 1));
  step.has_values = false;
  step.sentence = "its signature is not by that session key over this root";
  HM_TRY(hm_proof_judge(p, hm_sign1_verify(p->c, &s, root, session.key), row, step));
  HM_TRY(hm_sign1_leaf(p->c, &s, root, leaf));
  step.sentence = "it does not stand at its number in the head's data tree";
  HM_TRY(hm_proof_judge(p,
                        hm_inclusion_verify(p->c, leaf, row->number - 1, p->head.data_tree.size,
                                            &item.way, p->head.data_tree.root),
                        row, step));
  step.sentence = "batch receipt, signed, in its place in the data log";
  hm_proof_say(p, &step);
  return HM_OK;
}

enum hm_status hm_proof_receipts(struct hm_proof_state *p)
{
  for (size_t i = p->of[HM_ITEM_BATCH].begin; i < p->of[HM_ITEM_BATCH].end; i++)
    HM_TRY(check_receipt(p, &p->rows[i]));
  return HM_OK;
}

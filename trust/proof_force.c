/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What was in force: for each batch the newest head at or before its control size,
 * that head's live set, every entry from there on; for each record its sensor, its
 * pairings, no revocation. Log order first, time second; either one saying "not in
 * force" is enough.
 */
#include "trust/proof_state.h"

/* ---- the range of a batch -------------------------------------------------------------- */
static enum hm_status check_live(struct hm_proof_state *p, struct hm_proof_row *head_row)
{
  struct hm_head head;
  struct hm_hmk_live live;
  struct hm_bytes object;
  uint8_t hash[32];
  size_t count;
  struct hm_proof_row *row = hm_proof_item(p, HM_ITEM_LIVE, head_row->number);
  struct hm_proof_step step =
      hm_proof_ok(HM_LINK_LIVE, 'c', head_row->number, 1, "the live set of this head is missing");
  if (head_row->is_head_covered)
    return HM_OK;
  if (row == NULL)
    return hm_proof_not_authorized(p, step);
  HM_TRY(hm_proof_object(p, head_row, &object));
  HM_TRY(hm_head_open(p->c, object, NULL, &head, NULL));
  HM_TRY(hm_decode(&hm_shape_hmk_live, hm_proof_bytes(p, row), &live, NULL));
  HM_TRY(p->c->sha256(&live.set, 1, hash));
  step.sentence = "the live set is not the one this head signs";
  hm_proof_step_hashes(&step, head.live, hash);
  if (memcmp(hash, head.live, sizeof hash) != 0)
    return hm_proof_not_intact(p, step);
  step.has_values = false;
  step.sentence = "the live set is not of its form";
  HM_TRY(hm_proof_judge(p, hm_live_check(live.set, &count), row, step));
  head_row->is_head_covered = true;
  row->is_reached = true;
  return HM_OK;
}

/* Walk back from cC over entries without a gap to the newest head, or to c1. */
static enum hm_status find_range(struct hm_proof_state *p, struct hm_proof_row *batch, uint64_t c)
{
  struct hm_proof_row *row = hm_proof_entry(p, c);
  struct hm_proof_step step = hm_proof_ok(
      HM_LINK_ENTRY, 'c', c, 1, "entries between the newest head and the control size are missing");
  if (row == NULL)
    return hm_proof_not_authorized(p, step);
  struct hm_proof_row *first = &p->rows[p->of[HM_ITEM_ENTRY].begin];
  for (;; row--) {
    row->is_reached = true;
    if (row->typ == HM_TYP_HEAD || row->number == 1)
      break;
    step.number = row->number - 1;
    if (row == first || (row - 1)->number != row->number - 1)
      return hm_proof_not_authorized(p, step);
  }
  batch->start = (uint32_t)(row - p->rows);
  return row->typ == HM_TYP_HEAD ? check_live(p, row) : HM_OK;
}

/* ---- one record ---------------------------------------------------------------------------- */
struct judged {
  struct hm_record record;
  struct hm_batch_claims claims;
  const struct hm_proof_row *batch;
  const struct hm_proof_row *sensor_row;
  const struct hm_entity *sensor;
  const struct hm_proof_row *encoder_row; /* or NULL: built in, or none */
};

static struct hm_proof_step record_step(const struct judged *j, enum hm_proof_link link,
                                        const char *sentence)
{
  return hm_proof_ok(link, 'm', j->record.number, 1, sentence);
}

static enum hm_status check_sensor(struct hm_proof_state *p, struct judged *j)
{
  const struct hm_sensor_ref *ref = &j->record.sensor;
  struct hm_proof_row *row = hm_proof_entry(p, ref->control);
  struct hm_proof_step step =
      record_step(j, HM_LINK_SENSOR, "the binding it names is not that of its sensor");
  step.has_entity = true;
  memcpy(step.entity, ref->lct, sizeof step.entity);
  if (row == NULL || row->typ != HM_TYP_BINDING || memcmp(row->key, ref->lct, 32) != 0)
    return hm_proof_not_authorized(p, step);
  row->is_reached = true;
  j->sensor_row = row;
  j->sensor = row->facts;
  step.letter = 'c';
  step.number = row->number;
  step.sentence = "the sensor was bound after the batch";
  hm_proof_step_numbers(&step, j->claims.control_size, row->number);
  if (row->number > j->claims.control_size)
    return hm_proof_not_authorized(p, step);
  step.sentence = "the sensor is bound to another host";
  hm_proof_step_hashes(&step, p->host->lct, j->sensor->bound_to);
  if (j->sensor->class == HM_CLASS_H && memcmp(j->sensor->bound_to, p->host->lct, 32) != 0)
    return hm_proof_not_authorized(p, step);
  step.has_values = false;
  step.sentence = j->sensor->class == HM_CLASS_H
                      ? "sensor, bound by the authority given; its key is held by the host"
                      : "sensor, bound by the authority given";
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

/* A vector is made by a built-in encoder or by a bound one. */
static void check_encoder(struct hm_proof_state *p, struct judged *j)
{
  if (!j->record.has_vector || is_built_in(p, j->record.encoder))
    return;
  for (size_t i = p->of[HM_ITEM_ENTRY].begin; i < p->of[HM_ITEM_ENTRY].end; i++) {
    struct hm_proof_row *row = &p->rows[i];
    const struct hm_entity *entity = row->facts;
    if (row->typ == HM_TYP_BINDING && row->number <= j->claims.control_size && entity->is_encoder &&
        memcmp(entity->encoder, j->record.encoder, 32) == 0) {
      row->is_reached = true;
      j->encoder_row = row;
      return;
    }
  }
  struct hm_proof_step step =
      record_step(j, HM_LINK_ENCODER, "its encoder is neither built in nor bound");
  step.has_values = step.is_hash = true;
  memcpy(step.found_hash, j->record.encoder, 32);
  hm_proof_refuse(p, step);
}

/* ---- its pairings --------------------------------------------------------------------------- */
static bool joins(const struct hm_policy *policy, const uint8_t a[32], const uint8_t b[32])
{
  return (memcmp(policy->entities[0], a, 32) == 0 && memcmp(policy->entities[1], b, 32) == 0) ||
         (memcmp(policy->entities[0], b, 32) == 0 && memcmp(policy->entities[1], a, 32) == 0);
}

/* What the policy must say for this record, or the sentence that it does not. */
static const char *policy_differs(const struct hm_proof_state *p, const struct judged *j,
                                  const struct hm_pairing_use *use, const struct hm_policy *policy)
{
  bool is_memory = j->record.type == HM_RECORD_MEMORY;
  if (!joins(policy, p->host->lct, j->record.sensor.lct))
    return "the pairing is not between this host and this sensor";
  if (policy->context != use->context)
    return "the pairing is for another context";
  if (!hm_policy_allows(policy, HM_OP_OBSERVE))
    return "the pairing does not allow to observe";
  if (is_memory && !hm_policy_allows(policy, HM_OP_REMEMBER))
    return "the pairing does not allow to remember";
  if (j->record.has_region && !hm_policy_carries(policy, HM_DATA_FOCUS))
    return "the pairing does not carry focus regions";
  if (is_memory && !hm_policy_carries(policy, HM_DATA_EMBEDDING))
    return "the pairing does not carry embeddings";
  return NULL;
}

/* In the live set of the head before, if its completion is older than that head. */
static enum hm_status check_in_live(struct hm_proof_state *p, const struct judged *j,
                                    const struct hm_pairing_use *use,
                                    const struct hm_proof_row *completion)
{
  const struct hm_proof_row *head = &p->rows[j->batch->start];
  struct hm_hmk_live live;
  struct hm_live_cursor cursor;
  struct hm_live_pairing pairing;
  if (head->typ != HM_TYP_HEAD || completion->number >= head->number)
    return HM_OK;
  const struct hm_proof_row *row = hm_proof_item(p, HM_ITEM_LIVE, head->number);
  if (row == NULL)
    return HM_STATE;
  HM_TRY(hm_decode(&hm_shape_hmk_live, hm_proof_bytes(p, row), &live, NULL));
  HM_TRY(hm_live_begin(live.set, &cursor));
  while (hm_live_next(&cursor, &pairing) == HM_OK)
    if (pairing.control == completion->number && pairing.context == use->context &&
        memcmp(pairing.entity, j->record.sensor.lct, 32) == 0 &&
        memcmp(pairing.certificate, use->certificate, 32) == 0)
      return HM_OK;
  struct hm_proof_step step = hm_proof_ok(HM_LINK_LIVE, 'c', head->number, 1,
                                          "the live set of this head does not list the pairing");
  step.has_values = step.is_hash = true;
  memcpy(step.wanted_hash, use->certificate, 32);
  hm_proof_refuse(p, step);
  return HM_OK;
}

/* Expiry is judged by arrival; a clock nobody vouches for proves neither. */
static void check_life(struct hm_proof_state *p, const struct judged *j,
                       const struct hm_pairing *pairing, struct hm_proof_step step)
{
  uint64_t arrival = j->record.arrival_ns / 1000000000;
  if (arrival + HM_SKEW_S >= pairing->nbf && arrival < pairing->exp)
    return;
  if (j->claims.quality == HM_QUALITY_NONE) {
    p->authorized_unknown = true;
    return;
  }
  bool early = arrival < pairing->nbf;
  step.sentence = early ? "the record arrived before the pairing began"
                        : "the record arrived after the pairing expired";
  hm_proof_step_numbers(&step, early ? pairing->nbf : pairing->exp, arrival);
  hm_proof_refuse(p, step);
}

/* How old may the newest known revocation list be? */
static void check_fresh(struct hm_proof_state *p, const struct judged *j,
                        const struct hm_policy *policy)
{
  uint64_t heard = j->claims.revocations.heard;
  if (policy->fresh == 0)
    return;
  if (heard == 0 || (j->claims.iat > heard && j->claims.iat - heard > policy->fresh))
    p->authorized_unknown = true;
}

static enum hm_status check_pairing(struct hm_proof_state *p, struct judged *j,
                                    const struct hm_pairing_use *use)
{
  struct hm_proof_row *row =
      hm_proof_find(p, HM_TYP_PAIRING, use->certificate, j->claims.control_size + 1);
  struct hm_proof_row *completion =
      hm_proof_completion(p, use->certificate, j->claims.control_size);
  struct hm_proof_step step =
      record_step(j, HM_LINK_PAIRING, "its pairing certificate is not in the file");
  hm_proof_step_hashes(&step, use->certificate, use->certificate);
  if (row == NULL)
    return hm_proof_not_authorized(p, step);
  step.link = HM_LINK_COMPLETION;
  step.sentence = "the receipt that completed its pairing is not in the file, or is later";
  if (completion == NULL)
    return hm_proof_not_authorized(p, step);
  const struct hm_pairing *pairing = row->facts;
  unsigned refused = p->refused;
  row->is_reached = completion->is_reached = true;
  step = hm_proof_ok(HM_LINK_PAIRING, 'c', row->number, 1,
                     policy_differs(p, j, use, &pairing->policy));
  if (step.sentence != NULL)
    hm_proof_refuse(p, step);
  check_life(p, j, pairing, step);
  check_fresh(p, j, &pairing->policy);
  HM_TRY(check_in_live(p, j, use, completion));
  if (p->refused > refused)
    return HM_OK;
  step.sentence = "pairing, completed by both ends before the batch, in force by log order";
  step.has_entity = true;
  memcpy(step.entity, j->record.sensor.lct, sizeof step.entity);
  hm_proof_say(p, &step);
  return HM_OK;
}

/* ---- revocations -------------------------------------------------------------------------------
 */
/* Does it name anything the record rests on? */
static bool names(struct hm_proof_state *p, const struct judged *j, const struct hm_revocation *r)
{
  if (hm_revocation_names(r, p->host->lct) || hm_revocation_names(r, p->host->name) ||
      hm_revocation_names(r, j->sensor->lct) || hm_revocation_names(r, j->sensor->name))
    return true;
  if (j->encoder_row != NULL) {
    const struct hm_entity *encoder = j->encoder_row->facts;
    if (hm_revocation_names(r, encoder->lct) || hm_revocation_names(r, encoder->name))
      return true;
  }
  for (uint32_t i = 0; i < j->record.pairing_count; i++) {
    const struct hm_proof_row *row =
        hm_proof_find(p, HM_TYP_PAIRING, j->record.pairings[i].certificate, UINT64_MAX);
    const struct hm_pairing *pairing = row->facts;
    if (hm_revocation_ends_pairing(r, pairing->name, pairing->policy.pairing_id))
      return true;
  }
  return false;
}

/* In the log at or before the control size (number 0: not in the log), or dated before
 * the batch, or reaching back before it. */
static void check_revocation(struct hm_proof_state *p, const struct judged *j,
                             const struct hm_revocation *r, uint64_t number)
{
  if (!names(p, j, r))
    return;
  bool by_order = number != 0 && number <= j->claims.control_size;
  bool by_time = r->iat <= j->claims.iat || (r->has_since && r->since <= j->claims.iat);
  struct hm_proof_step step =
      hm_proof_ok(HM_LINK_REVOCATION, number != 0 ? 'c' : 0, number != 0 ? number : r->number, 1,
                  "revoked something this record rests on");
  if (by_order || by_time) {
    hm_proof_refuse(p, step);
    return;
  }
  p->verdict->is_revoked_later = true;
  step.result = HM_STEP_NOTE;
  step.sentence = "revoked later something this record rests on";
  hm_proof_say(p, &step);
}

static enum hm_status check_revocations(struct hm_proof_state *p, const struct judged *j)
{
  struct hm_revocation revocation;
  struct hm_bytes object;
  unsigned refused = p->refused;
  for (size_t i = p->of[HM_ITEM_ENTRY].begin; i < p->of[HM_ITEM_ENTRY].end; i++) {
    if (p->rows[i].typ != HM_TYP_REVOCATION)
      continue;
    HM_TRY(hm_proof_object(p, &p->rows[i], &object));
    HM_TRY(hm_revocation_open(p->c, object, NULL, &revocation, NULL));
    check_revocation(p, j, &revocation, p->rows[i].number);
  }
  for (size_t i = 0; i < p->in->revocation_count; i++) {
    HM_TRY(hm_revocation_open(p->c, p->in->revocations[i], NULL, &revocation, NULL));
    check_revocation(p, j, &revocation, 0);
  }
  struct hm_proof_step step =
      hm_proof_ok(HM_LINK_REVOCATION, 'c', j->claims.control_size, 1,
                  "nothing it rests on was revoked up to its control size, or before its time");
  if (p->refused == refused)
    hm_proof_say(p, &step);
  return HM_OK;
}

/* Revocations given beside the file are an authority's, or they are nothing. */
static enum hm_status verify_given_revocations(struct hm_proof_state *p)
{
  for (size_t i = 0; i < p->in->revocation_count; i++) {
    struct hm_revocation revocation;
    struct hm_sign1 s;
    const uint8_t *point = NULL;
    HM_TRY(hm_sign1_expect(p->in->revocations[i], HM_TYP_REVOCATION, &s));
    for (size_t a = 0; a < p->in->authority_count; a++)
      if (memcmp(p->authority_ids[a], s.kid, 32) == 0)
        point = p->in->authorities[a].point;
    if (point == NULL)
      return HM_DENIED;
    HM_TRY(hm_revocation_open(p->c, p->in->revocations[i], point, &revocation, NULL));
    if (revocation.is_local)
      return HM_DENIED;
  }
  return HM_OK;
}

/* ---- time, coherence, pins
 * ------------------------------------------------------------------------ */
enum { NS = 1000000000, APART_S = 5 };

static bool apart(uint64_t a_ns, uint64_t b_ns)
{
  uint64_t gap = a_ns > b_ns ? a_ns - b_ns : b_ns - a_ns;
  return gap > (uint64_t)APART_S * NS;
}

static void check_time(struct hm_proof_state *p, const struct judged *j)
{
  const struct hm_record *r = &j->record;
  struct hm_proof_step step = record_step(j, HM_LINK_TIME, NULL);
  step.result = HM_STEP_NOTE;
  if (r->arrival_ns / NS > j->claims.iat + APART_S) {
    step.sentence = "its batch is dated before the record arrived";
    hm_proof_step_numbers(&step, j->claims.iat, r->arrival_ns / NS);
  } else if (r->origin == HM_ORIGIN_LIVE && r->has_time && apart(r->time_ns, r->arrival_ns)) {
    step.sentence = "captured more than 5 s from its arrival";
    hm_proof_step_numbers(&step, r->arrival_ns, r->time_ns);
  }
  if (step.sentence != NULL) {
    p->timely_no = true;
    hm_proof_say(p, &step);
  }
  if (j->claims.quality == HM_QUALITY_NONE || r->quality == HM_QUALITY_NONE)
    p->timely_unknown = true;
}

static void check_coherence(struct hm_proof_state *p, const struct hm_record *r)
{
  if (!r->has_coherence || r->coherence == HM_COHERENCE_NOT_JUDGED)
    p->coherent_unknown = true;
  else if (r->coherence == HM_COHERENCE_CONTRADICTS)
    p->coherent_no = true;
}

static bool is_pinned(const struct hm_proof_state *p, const uint8_t lct[32])
{
  for (size_t i = 0; i < p->in->pin_count; i++)
    if (memcmp(p->in->pins[i], lct, 32) == 0)
      return true;
  return false;
}

static void check_pins(struct hm_proof_state *p, const struct judged *j)
{
  if (!is_pinned(p, p->host->lct) || !is_pinned(p, j->sensor->lct))
    p->verdict->is_pinned = false;
}

/* ---- all of it
 * ----------------------------------------------------------------------------------------- */
static enum hm_status judge_record(struct hm_proof_state *p, struct judged *j)
{
  HM_TRY(check_sensor(p, j));
  check_encoder(p, j);
  for (uint32_t i = 0; i < j->record.pairing_count; i++)
    HM_TRY(check_pairing(p, j, &j->record.pairings[i]));
  HM_TRY(check_revocations(p, j));
  check_time(p, j);
  check_coherence(p, &j->record);
  check_pins(p, j);
  return HM_OK;
}

static enum hm_status judge_batch(struct hm_proof_state *p, struct hm_proof_row *batch,
                                  size_t *record)
{
  struct hm_hmk_record item;
  struct hm_bytes object;
  struct hm_sign1 s;
  struct judged j;
  memset(&j, 0, sizeof j);
  j.batch = batch;
  HM_TRY(hm_proof_object(p, batch, &object));
  HM_TRY(hm_batch_peek(object, true, &s, &j.claims));
  struct hm_proof_step step =
      hm_proof_ok(HM_LINK_HOST, 'c', p->host_row->number, 0, "the host was bound after the batch");
  if (p->host_row->number > j.claims.control_size)
    return hm_proof_not_authorized(p, step);
  HM_TRY(find_range(p, batch, j.claims.control_size));
  for (; *record < p->of[HM_ITEM_RECORD].end; ++*record) {
    HM_TRY(hm_decode(&hm_shape_hmk_record, hm_proof_bytes(p, &p->rows[*record]), &item, NULL));
    HM_TRY(hm_record_decode(item.record, &j.record, NULL));
    if (j.record.batch_number != j.claims.number)
      break;
    j.encoder_row = NULL;
    HM_TRY(judge_record(p, &j));
  }
  return HM_OK;
}

enum hm_status hm_proof_force(struct hm_proof_state *p)
{
  size_t record = p->of[HM_ITEM_RECORD].begin;
  HM_TRY(verify_given_revocations(p));
  for (size_t i = p->of[HM_ITEM_BATCH].begin; i < p->of[HM_ITEM_BATCH].end; i++)
    HM_TRY(judge_batch(p, &p->rows[i], &record));
  return HM_OK;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Order of making: records first (each may still be refused alone), then the sensor
 * leaves, then the facts, then the root, then one signature. Records know the index
 * of their sensor's leaf beforehand, since leaves stand in the order of LCT ids.
 */
#include "services/daemon_writer_batch.h"

#include <stdlib.h>

#include "trust/crypto_openssl.h"

/* Blinds and salts of one batch, drawn at once. */
struct blinds {
  uint8_t facts[16];
  uint8_t sensors[HM_BATCH_SENSORS_MAX][16];
  uint8_t records[HM_BATCH_PENDING][16];
  uint8_t pictures[HM_BATCH_PENDING][16];
  uint8_t vectors[HM_BATCH_PENDING][16];
};

struct hm_batch_maker *hm_batch_maker_new(const struct hm_crypto *c, const struct hm_force *force)
{
  struct hm_batch_maker *maker = calloc(1, sizeof *maker);
  if (maker) {
    maker->crypto = c;
    maker->force = force;
  }
  return maker;
}

void hm_batch_maker_free(struct hm_batch_maker *maker)
{
  if (!maker)
    return;
  for (size_t i = 0; i < maker->pending_count; i++)
    free(maker->pending[i]);
  for (size_t i = 0; i < HM_WRITER_SENSORS; i++)
    free(maker->runs[i].peripherals);
  free(maker);
}

/* ---- taking in ------------------------------------------------------------------- */
void hm_batch_sensor(struct hm_batch_maker *maker, const struct hm_writer_sensor *sensor)
{
  static const uint8_t nobody[32];
  struct hm_sensor_run *run = &maker->runs[sensor->slot];
  struct hm_sensor_run fresh = {.peripherals = run->peripherals,
                                .peripheral_cap = run->peripheral_cap,
                                .control = sensor->control,
                                .origin = sensor->origin};
  memcpy(fresh.lct, sensor->lct, 32);
  fresh.is_used = memcmp(sensor->lct, nobody, 32) != 0;
  *run = fresh;
}

static bool is_record(const struct hm_message *m)
{
  return m->kind == HM_MESSAGE_OBSERVATION || m->kind == HM_MESSAGE_EVENT;
}

bool hm_batch_has_room(const struct hm_batch_maker *maker, const struct hm_message *m)
{
  const struct hm_sensor_run *run = &maker->runs[m->slot];
  if (is_record(m))
    return maker->pending_count < HM_BATCH_PENDING &&
           (run->pending > 0 || maker->sensors_pending < HM_BATCH_SENSORS_MAX);
  if (m->kind == HM_MESSAGE_PERIPHERAL)
    return run->peripheral_count < HM_BATCH_RUN &&
           (run->passed == 0 || m->u.peripheral.frame > run->last_frame);
  if (m->kind == HM_MESSAGE_COUNTS && m->u.counts.passed > 0)
    return run->passed == 0 || m->u.counts.first_frame > run->last_frame;
  return true;
}

static size_t in_force(const struct hm_batch_maker *maker, const struct hm_sensor_run *run,
                       struct hm_force_time time,
                       const struct hm_known_pairing *found[HM_PAIRING_USES])
{
  return hm_force_of(maker->force, run->lct, time, found, HM_PAIRING_USES);
}

static struct hm_force_time time_of(const struct hm_now *now)
{
  struct hm_force_time time = {now->trust_s, now->trust_s, now->quality != HM_QUALITY_NONE};
  return time;
}

static void reach(struct hm_force_time *time, uint64_t arrival_ns)
{
  if (arrival_ns / 1000000000u > time->until_s)
    time->until_s = arrival_ns / 1000000000u;
}

static bool allows(const struct hm_known_pairing *p, enum hm_operation operation, enum hm_data data)
{
  return (p->operations >> operation & 1) && (p->data_types >> data & 1);
}

/* Pairings of `found` under which a record may be kept, moved to its front. */
static size_t under(const struct hm_known_pairing *found[HM_PAIRING_USES], size_t count,
                    bool has_vector)
{
  size_t kept = 0;
  for (size_t i = 0; i < count; i++)
    if (has_vector ? allows(found[i], HM_OP_REMEMBER, HM_DATA_EMBEDDING) &&
                         allows(found[i], HM_OP_OBSERVE, HM_DATA_FOCUS)
                   : allows(found[i], HM_OP_OBSERVE, HM_DATA_FOCUS))
      found[kept++] = found[i];
  return kept;
}

/* HM_OK where an observation may be kept at all. Without leave to remember, its vector
 * is left out: it is an observation and no memory. */
static enum hm_status judge(const struct hm_batch_maker *maker, struct hm_message *m,
                            const struct hm_now *now)
{
  struct hm_observation *o = &m->u.observation;
  const struct hm_sensor_run *run = &maker->runs[m->slot];
  const struct hm_known_pairing *found[HM_PAIRING_USES];
  struct hm_force_time time = time_of(now);
  reach(&time, o->arrival_ns);
  size_t count = in_force(maker, run, time, found);
  if (count == 0)
    return hm_force_why_none(maker->force, run->lct);
  if (o->vector.len > 0 && under(found, count, true) > 0)
    return HM_OK;
  count = in_force(maker, run, time, found);
  if (under(found, count, false) == 0)
    return HM_DENIED;
  o->vector = hm_bytes(NULL, 0);
  return HM_OK;
}

enum hm_status hm_batch_take(struct hm_batch_maker *maker, struct hm_message *m,
                             const struct hm_now *now)
{
  struct hm_sensor_run *run = &maker->runs[m->slot];
  if (!run->is_used)
    return HM_NOT_FOUND;
  if (m->kind == HM_MESSAGE_OBSERVATION) {
    enum hm_status status = judge(maker, m, now);
    if (status != HM_OK) {
      run->unauthorized++;
      return status;
    }
  }
  if (run->pending++ == 0)
    maker->sensors_pending++;
  maker->pending[maker->pending_count++] = m;
  return HM_OK;
}

static void saw_frames(struct hm_sensor_run *run, uint64_t passed, uint64_t first, uint64_t last)
{
  if (run->passed == 0)
    run->first_frame = first;
  run->last_frame = last;
  run->passed += passed;
}

static enum hm_status keep_peripheral(struct hm_sensor_run *run, const uint8_t *record)
{
  if (run->peripheral_count == run->peripheral_cap) {
    size_t cap = run->peripheral_cap ? 2 * run->peripheral_cap : 64;
    uint8_t *grown = realloc(run->peripherals, cap * HM_PERIPHERAL_BYTES);
    if (!grown)
      return HM_IO;
    run->peripherals = grown;
    run->peripheral_cap = cap;
  }
  memcpy(run->peripherals + run->peripheral_count++ * HM_PERIPHERAL_BYTES, record,
         HM_PERIPHERAL_BYTES);
  return HM_OK;
}

enum hm_status hm_batch_count(struct hm_batch_maker *maker, const struct hm_message *m,
                              const struct hm_now *now)
{
  struct hm_sensor_run *run = &maker->runs[m->slot];
  const struct hm_known_pairing *found[HM_PAIRING_USES];
  if (!run->is_used)
    return HM_NOT_FOUND;
  if (m->kind == HM_MESSAGE_PERIPHERAL) {
    if (in_force(maker, run, time_of(now), found) == 0) {
      run->unauthorized++; /* passed the gate before it shut, came after the end */
      return HM_OK;
    }
    HM_TRY(keep_peripheral(run, m->u.peripheral.record));
    saw_frames(run, 1, m->u.peripheral.frame, m->u.peripheral.frame);
    return HM_OK;
  }
  const struct hm_writer_counts *counts = &m->u.counts;
  if (counts->passed > 0 && run->peripheral_count == 0)
    saw_frames(run, counts->passed, counts->first_frame, counts->last_frame);
  for (int i = 0; i < HM_DROP_COUNT; i++)
    run->dropped[i] += counts->dropped[i];
  run->late += counts->late;
  run->unauthorized += counts->unauthorized;
  run->state = counts->state;
  return HM_OK;
}

/* ---- asking ---------------------------------------------------------------------- */
bool hm_batch_has_sensor(const struct hm_batch_maker *maker)
{
  for (size_t i = 0; i < HM_WRITER_SENSORS; i++)
    if (maker->runs[i].is_used)
      return true;
  return false;
}

static bool has_news(const struct hm_sensor_run *run)
{
  uint64_t dropped = 0;
  for (int i = 0; i < HM_DROP_COUNT; i++)
    dropped += run->dropped[i];
  return run->is_used && (run->pending || run->passed || dropped || run->late || run->unauthorized);
}

bool hm_batch_has_news(const struct hm_batch_maker *maker)
{
  for (size_t i = 0; i < HM_WRITER_SENSORS; i++)
    if (has_news(&maker->runs[i]))
      return true;
  return false;
}

bool hm_batch_flows(const struct hm_batch_maker *maker, const struct hm_now *now)
{
  const struct hm_known_pairing *found[HM_PAIRING_USES];
  for (size_t i = 0; i < HM_WRITER_SENSORS; i++)
    if (maker->runs[i].is_used && in_force(maker, &maker->runs[i], time_of(now), found) > 0)
      return true;
  return false;
}

/* ---- building -------------------------------------------------------------------- */
/* Up to 32 sensors: those with records, then with news, then the rest; by LCT. */
static void line_up(const struct hm_batch_maker *maker, struct hm_batch_line *line)
{
  memset(line, 0, sizeof *line);
  for (int rank = 0; rank < 3; rank++)
    for (unsigned slot = 0; slot < HM_WRITER_SENSORS; slot++) {
      const struct hm_sensor_run *run = &maker->runs[slot];
      int own = run->pending ? 0 : has_news(run) ? 1 : 2;
      if (!run->is_used || own != rank || line->count == HM_BATCH_SENSORS_MAX)
        continue;
      unsigned at = line->count++;
      for (; at > 0 && memcmp(maker->runs[line->slots[at - 1]].lct, run->lct, 32) > 0; at--)
        line->slots[at] = line->slots[at - 1];
      line->slots[at] = slot;
    }
  for (unsigned i = 0; i < line->count; i++)
    line->index[line->slots[i]] = i + 1;
}

static uint32_t put_uses(const struct hm_known_pairing *const *found, size_t count,
                         struct hm_pairing_use uses[HM_PAIRING_USES])
{
  for (size_t i = 0; i < count; i++) {
    uses[i].context = found[i]->context;
    memcpy(uses[i].certificate, found[i]->certificate, 32);
  }
  return (uint32_t)count;
}

/* A commitment and its opening. */
static enum hm_status commit(const struct hm_crypto *c, enum hm_commitment what,
                             const uint8_t salt[16], struct hm_bytes content,
                             struct hm_opening *opening, uint8_t digest[32])
{
  opening->is_there = true;
  memcpy(opening->salt, salt, 16);
  opening->content = content;
  return hm_commitment(c, what, salt, content, digest);
}

static enum hm_status fill_observation(struct hm_batch_maker *maker, const struct hm_message *m,
                                       const uint8_t salts[2][16], struct hm_record *r,
                                       struct hm_stored_record *stored)
{
  const struct hm_observation *o = &m->u.observation;
  const struct hm_known_pairing *found[HM_PAIRING_USES];
  size_t count = in_force(maker, &maker->runs[m->slot], maker->time, found);
  count = under(found, count, o->vector.len > 0);
  if (count == 0)
    return HM_EXPIRED; /* it was in force when the record was taken in */
  r->pairing_count = put_uses(found, count, r->pairings);
  r->type = o->vector.len > 0 ? HM_RECORD_MEMORY : HM_RECORD_OBSERVATION;
  r->has_pairings = r->has_frame = r->has_raw_ns = r->has_clock_domain = true;
  r->has_region = r->has_trust = true;
  r->level = o->level;
  r->protection = o->protection;
  r->frame = o->frame;
  r->raw_ns = o->raw_ns;
  r->clock_domain = o->clock_domain;
  r->has_time = r->has_error_ns = o->has_time;
  r->time_ns = o->time_ns;
  r->error_ns = o->error_ns;
  r->arrival_ns = o->arrival_ns;
  r->x = o->x;
  r->y = o->y;
  r->width = o->width;
  r->height = o->height;
  memcpy(r->trust, o->trust, sizeof r->trust);
  memcpy(r->value, o->value, sizeof r->value);
  for (int i = 0; i < 5; i++)
    r->has_value |= o->value[i].has;
  if (o->picture.len > 0) {
    r->has_picture = true;
    r->pixels = o->pixels;
    HM_TRY(commit(maker->crypto, HM_COMMIT_PICTURE, salts[0], o->picture, &stored->picture,
                  r->picture));
  }
  if (o->vector.len > 0) {
    r->has_vector = true;
    memcpy(r->encoder, o->encoder, 32);
    HM_TRY(
        commit(maker->crypto, HM_COMMIT_VECTOR, salts[1], o->vector, &stored->vector, r->vector));
  }
  return HM_OK;
}

static void fill_event(const struct hm_batch_maker *maker, const struct hm_message *m,
                       struct hm_record *r)
{
  const struct hm_trust_event *e = &m->u.event;
  const struct hm_known_pairing *found[HM_PAIRING_USES];
  size_t count = in_force(maker, &maker->runs[m->slot], maker->time, found);
  r->type = HM_RECORD_EVENT;
  r->has_event = true;
  r->has_pairings = count > 0;
  r->pairing_count = put_uses(found, count, r->pairings);
  r->level = r->event.level = e->level;
  r->has_frame = e->has_frame;
  r->frame = e->frame;
  r->arrival_ns = e->arrival_ns;
  r->event.kind = e->kind;
  r->event.has_reason = e->has_reason;
  r->event.reason = e->reason;
  r->event.has_count = e->has_count;
  r->event.count = e->count;
  r->event.has_trigger = e->has_trigger;
  r->event.trigger = e->trigger;
  r->event.evidence_count = e->evidence_count;
  memcpy(r->event.evidence, e->evidence, sizeof r->event.evidence);
}

/* One waiting message becomes record number `number`, or is refused alone. */
static enum hm_status make_record(struct hm_batch_maker *maker, size_t i, uint64_t number,
                                  const struct hm_batch_frame *frame,
                                  const struct hm_batch_line *line, const struct blinds *blinds,
                                  struct hm_stored_record *stored, uint8_t *bytes)
{
  const struct hm_message *m = maker->pending[i];
  const struct hm_sensor_run *run = &maker->runs[m->slot];
  struct hm_record r = {.number = number,
                        .batch_number = frame->number,
                        .has_sensor_leaf = true,
                        .sensor_leaf = line->index[m->slot],
                        .quality = frame->now.quality,
                        .origin = run->origin};
  memset(stored, 0, sizeof *stored);
  stored->number = number;
  memcpy(r.blind, blinds->records[i], 16);
  memcpy(r.sensor.lct, run->lct, 32);
  r.sensor.control = run->control;
  if (m->kind == HM_MESSAGE_EVENT) {
    fill_event(maker, m, &r);
  } else {
    uint8_t salts[2][16];
    memcpy(salts[0], blinds->pictures[i], 16);
    memcpy(salts[1], blinds->vectors[i], 16);
    HM_TRY(fill_observation(maker, m, (const uint8_t(*)[16])salts, &r, stored));
  }
  struct hm_out out = hm_out(bytes, HM_RECORD_BYTES_MAX);
  HM_TRY(hm_record_encode(&r, &out, NULL));
  stored->record = hm_out_bytes(&out);
  maker->bytes += out.len + stored->picture.content.len + stored->vector.content.len;
  return HM_OK;
}

static uint64_t arrival_of(const struct hm_message *m)
{
  return m->kind == HM_MESSAGE_EVENT ? m->u.event.arrival_ns : m->u.observation.arrival_ns;
}

static void make_records(struct hm_batch_maker *maker, const struct hm_batch_frame *frame,
                         const struct hm_batch_line *line, const struct blinds *blinds,
                         struct hm_batch_facts *facts)
{
  uint32_t count = 0;
  for (size_t i = 0; i < maker->pending_count; i++) {
    struct hm_sensor_run *run = &maker->runs[maker->pending[i]->slot];
    uint64_t number = frame->first_record + count, arrival = arrival_of(maker->pending[i]);
    struct hm_record_verdict *v = &maker->verdicts[i];
    v->number = number;
    v->status = make_record(maker, i, number, frame, line, blinds, &maker->records[count],
                            maker->record_bytes + (size_t)count * HM_RECORD_BYTES_MAX);
    if (v->status == HM_EXPIRED)
      run->unauthorized++;
    else if (v->status != HM_OK)
      run->dropped[HM_DROP_INVALID]++;
    if (v->status != HM_OK)
      continue;
    if (count == 0 || arrival < facts->first_arrival)
      facts->first_arrival = arrival;
    if (arrival > facts->last_arrival)
      facts->last_arrival = arrival;
    count++;
  }
  maker->batch.record_count = count;
}

/* One time for the whole batch: a record never lists a pairing that its sensor leaf,
 * judged a moment apart, does not. */
static struct hm_force_time batch_time(const struct hm_batch_maker *maker, const struct hm_now *now)
{
  struct hm_force_time time = time_of(now);
  for (size_t i = 0; i < maker->pending_count; i++)
    reach(&time, arrival_of(maker->pending[i]));
  return time;
}

static uint64_t at_most(uint64_t value, uint64_t limit)
{
  return value < limit ? value : limit;
}

static enum hm_status make_sensor_leaf(struct hm_batch_maker *maker, unsigned slot,
                                       const uint8_t blind[16], uint8_t *bytes,
                                       struct hm_bytes *leaf)
{
  const struct hm_sensor_run *run = &maker->runs[slot];
  const struct hm_known_pairing *found[HM_PAIRING_USES];
  struct hm_sensor_facts f = {.late = at_most(run->late, HM_U32_MAX),
                              .unauthorized = at_most(run->unauthorized, HM_U32_MAX),
                              .passed = at_most(run->passed, HM_U32_MAX),
                              .state = run->state};
  memcpy(f.blind, blind, 16);
  memcpy(f.sensor.lct, run->lct, 32);
  f.sensor.control = run->control;
  f.pairing_count = put_uses(found, in_force(maker, run, maker->time, found), f.pairings);
  f.has_pairings = f.pairing_count > 0;
  for (uint32_t i = 0; i < HM_DROP_COUNT; i++) {
    f.dropped[i] = at_most(run->dropped[i], HM_U32_MAX);
    if (f.dropped[i] > 0)
      f.dropped_count = i + 1;
  }
  if (run->passed > 0) {
    struct hm_bytes records =
        hm_bytes(run->peripherals, run->peripheral_count * HM_PERIPHERAL_BYTES);
    f.has_first_frame = f.has_last_frame = f.has_peripherals = true;
    f.first_frame = run->first_frame;
    f.last_frame = run->last_frame;
    HM_TRY(maker->crypto->sha256(&records, 1, f.peripherals));
  }
  struct hm_out out = hm_out(bytes, HM_SENSOR_LEAF_MAX);
  HM_TRY(hm_sensor_facts_encode(&f, &out));
  *leaf = hm_out_bytes(&out);
  maker->bytes += out.len;
  return HM_OK;
}

/* Hash what was made, in the order of the tree. */
static enum hm_status make_root(struct hm_batch_maker *maker)
{
  struct hm_stored_batch *b = &maker->batch;
  size_t n = 0;
  HM_TRY(hm_leaf_hash(maker->crypto, b->facts, maker->leaves[n++]));
  for (uint32_t i = 0; i < b->sensor_count; i++)
    HM_TRY(hm_leaf_hash(maker->crypto, b->leaves[i], maker->leaves[n++]));
  for (uint32_t i = 0; i < b->record_count; i++)
    HM_TRY(hm_leaf_hash(maker->crypto, maker->records[i].record, maker->leaves[n++]));
  return hm_tree_root(maker->crypto, (const uint8_t(*)[32])maker->leaves, n, b->root);
}

static enum hm_status sign(struct hm_batch_maker *maker, const struct hm_batch_frame *frame)
{
  struct hm_stored_batch *b = &maker->batch;
  struct hm_batch_claims claims = {.iat = frame->now.trust_s,
                                   .number = frame->number,
                                   .quality = frame->now.quality,
                                   .revocations = frame->revocations,
                                   .first = frame->first_record,
                                   .count = b->record_count,
                                   .sensors = b->sensor_count,
                                   .control_size = frame->control_size};
  memcpy(claims.previous, frame->previous, 32);
  struct hm_out out = hm_out(maker->receipt_bytes, sizeof maker->receipt_bytes);
  HM_TRY(hm_batch_make(maker->crypto, frame->session, &claims, b->root, &out));
  b->receipt = hm_out_bytes(&out);
  maker->bytes += out.len + b->facts.len;
  maker->iat = claims.iat;
  struct hm_sign1 s;
  HM_TRY(hm_sign1_expect(b->receipt, HM_TYP_BATCH, &s));
  return hm_sign1_name(maker->crypto, &s, hm_bytes(b->root, 32), maker->name);
}

enum hm_status hm_batch_build(struct hm_batch_maker *maker, const struct hm_batch_frame *frame)
{
  struct hm_stored_batch *b = &maker->batch;
  struct blinds blinds;
  HM_TRY(hm_random(&blinds, sizeof blinds));
  memset(b, 0, sizeof *b);
  maker->bytes = 0;
  b->number = frame->number;
  b->first_record = frame->first_record;
  b->control_size = frame->control_size;
  struct hm_batch_line *line = &maker->line;
  line_up(maker, line);
  maker->time = batch_time(maker, &frame->now);
  struct hm_batch_facts facts = {
      .number = frame->number, .control_size = frame->control_size, .sensors = line->count};
  memcpy(facts.blind, blinds.facts, 16);
  memcpy(facts.previous, frame->previous, 32);
  memcpy(facts.session_key, frame->session->kid, 32);
  make_records(maker, frame, line, &blinds, &facts);
  facts.count = b->record_count;
  b->sensor_count = line->count;
  for (unsigned i = 0; i < line->count; i++)
    HM_TRY(make_sensor_leaf(maker, line->slots[i], blinds.sensors[i], maker->leaf_bytes[i],
                            &b->leaves[i]));
  struct hm_out out = hm_out(maker->facts_bytes, sizeof maker->facts_bytes);
  HM_TRY(hm_batch_facts_encode(&facts, &out));
  b->facts = hm_out_bytes(&out);
  HM_TRY(make_root(maker));
  return sign(maker, frame);
}

/* ---- after ----------------------------------------------------------------------- */
static void drop_pending(struct hm_batch_maker *maker)
{
  for (size_t i = 0; i < maker->pending_count; i++) {
    maker->runs[maker->pending[i]->slot].pending = 0;
    free(maker->pending[i]);
  }
  maker->pending_count = 0;
  maker->sensors_pending = 0;
}

void hm_batch_done(struct hm_batch_maker *maker)
{
  drop_pending(maker);
  for (unsigned i = 0; i < maker->line.count; i++) {
    struct hm_sensor_run *run = &maker->runs[maker->line.slots[i]];
    run->passed = run->late = run->unauthorized = 0;
    run->peripheral_count = 0;
    memset(run->dropped, 0, sizeof run->dropped);
  }
}

void hm_batch_failed(struct hm_batch_maker *maker)
{
  for (size_t i = 0; i < maker->pending_count; i++)
    if (maker->verdicts[i].status == HM_OK)
      maker->runs[maker->pending[i]->slot].dropped[HM_DROP_DISK]++;
  drop_pending(maker);
}

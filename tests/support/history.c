/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/history.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "sensors/descriptor.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

#define MUST(expression) assert_int_equal((expression), HM_OK)

static const uint64_t NS = 1000000000;

static struct hm_log_item item_of(const struct world_object *o, uint64_t now)
{
  struct hm_log_item item = {.object = world_bytes(o), .time_s = now};
  return item;
}

/* ---- one batch ------------------------------------------------------------------------- */
enum { RECORDS = 8 };
struct work {
  struct hm_stored_batch batch;
  struct hm_stored_record records[RECORDS];
  uint8_t bytes[RECORDS][2048], pictures[RECORDS][HM_PICTURE_BYTES];
  int8_t vectors[RECORDS][HM_VECTOR_DIMENSION];
  uint8_t leaf[512], facts[512], receipt[HM_SIGN1_MAX];
  uint8_t leaves[2 + RECORDS][32];
  size_t leaf_count;
};

/* A picture that follows from the record's number. */
static void paint(uint64_t number, uint8_t picture[HM_PICTURE_BYTES])
{
  for (size_t i = 0; i < HM_PICTURE_BYTES; i++)
    picture[i] = (uint8_t)(16 + (i * 7 + (i / 32) * (number * 13 + 5) + number * 31) % 200);
}

static void use_pairing(const struct history *h, struct hm_pairing_use *use)
{
  use->context = HM_CONTEXT_DRIVE;
  memcpy(use->certificate, h->world.pairing_facts.name, 32);
}

static void fill_record(struct history *h, const struct hm_stored_batch *batch, uint64_t number,
                        uint64_t type, struct hm_record *r)
{
  memset(r, 0, sizeof *r);
  memset(r->blind, (int)(0x80 + number), sizeof r->blind);
  r->number = number;
  r->type = type;
  memcpy(r->sensor.lct, h->world.camera.signer.kid, 32);
  r->sensor.control = h->camera_entry;
  r->has_pairings = true;
  r->pairing_count = 1;
  use_pairing(h, &r->pairings[0]);
  r->has_sensor_leaf = true;
  r->sensor_leaf = 1;
  r->batch_number = batch->number;
  r->level = 5;
  r->protection = 2;
  r->quality = h->quality;
  r->arrival_ns = h->world.now * NS + number;
  r->has_time = r->has_error_ns = true;
  r->time_ns = h->world.now * NS;
  if (type == HM_RECORD_EVENT) {
    r->has_event = true;
    r->event.level = 2;
    r->event.kind = HM_EVENT_GAP;
    return;
  }
  r->has_frame = r->has_raw_ns = r->has_clock_domain = r->has_region = r->has_trust = true;
  r->frame = number * 3;
  r->clock_domain = HM_CLOCK_PIPELINE;
  r->width = 64;
  r->height = 128;
  for (size_t i = 0; i < 5; i++)
    r->trust[i] = 250;
  r->has_value = true;
  r->value[HM_VALUE_SURPRISE] = (struct hm_q8){true, 120};
}

/* Picture and vector of a memory, behind their commitments. */
static void fill_contents(const struct history *h, struct work *k, uint32_t at, struct hm_record *r)
{
  struct hm_stored_record *s = &k->records[at];
  if (r->type != HM_RECORD_MEMORY)
    return;
  paint(r->number, k->pictures[at]);
  hm_region_encode(k->pictures[at], k->vectors[at]);
  s->picture.is_there = s->vector.is_there = true;
  memset(s->picture.salt, (int)r->number, 16);
  memset(s->vector.salt, (int)(0x40 + r->number), 16);
  s->picture.content = hm_bytes(k->pictures[at], HM_PICTURE_BYTES);
  s->vector.content = hm_bytes(k->vectors[at], HM_VECTOR_DIMENSION);
  r->has_picture = r->has_vector = true;
  r->pixels = HM_PIXELS_I420;
  memcpy(r->encoder, h->encoder != NULL ? h->encoder : hm_region_encoder_hash, 32);
  MUST(hm_commitment(engine, HM_COMMIT_PICTURE, s->picture.salt, s->picture.content, r->picture));
  MUST(hm_commitment(engine, HM_COMMIT_VECTOR, s->vector.salt, s->vector.content, r->vector));
}

static void add_leaf(struct work *k, struct hm_bytes bytes)
{
  MUST(hm_leaf_hash(engine, bytes, k->leaves[k->leaf_count++]));
}

static void fill_facts(struct history *h, struct work *k)
{
  struct hm_batch_facts facts = {.number = k->batch.number,
                                 .count = k->batch.record_count,
                                 .control_size = k->batch.control_size,
                                 .sensors = 1,
                                 .first_arrival = h->world.now * NS,
                                 .last_arrival = h->world.now * NS + NS / 2};
  memset(facts.blind, 0xfa, sizeof facts.blind);
  memcpy(facts.previous, h->last_batch, 32);
  memcpy(facts.session_key, h->world.session.signer.kid, 32);
  struct hm_out o = hm_out(k->facts, sizeof k->facts);
  MUST(hm_batch_facts_encode(&facts, &o));
  k->batch.facts = hm_out_bytes(&o);
  add_leaf(k, k->batch.facts);

  struct hm_sensor_facts sensor = {.sensor.control = h->camera_entry,
                                   .has_pairings = true,
                                   .pairing_count = 1,
                                   .passed = 30,
                                   .has_first_frame = true,
                                   .has_last_frame = true,
                                   .last_frame = 30,
                                   .has_peripherals = true};
  memset(sensor.blind, 0x5e, sizeof sensor.blind);
  memcpy(sensor.sensor.lct, h->world.camera.signer.kid, 32);
  use_pairing(h, &sensor.pairings[0]);
  o = hm_out(k->leaf, sizeof k->leaf);
  MUST(hm_sensor_facts_encode(&sensor, &o));
  k->batch.sensor_count = 1;
  k->batch.leaves[0] = hm_out_bytes(&o);
  add_leaf(k, k->batch.leaves[0]);
}

static void sign_batch(struct history *h, struct work *k)
{
  struct hm_batch_claims claims = {.iat = h->world.now + 1,
                                   .number = k->batch.number,
                                   .quality = h->quality,
                                   .first = k->batch.first_record,
                                   .count = k->batch.record_count,
                                   .control_size = k->batch.control_size,
                                   .sensors = 1};
  memcpy(claims.previous, h->last_batch, 32);
  MUST(hm_tree_root(engine, (const uint8_t(*)[32])k->leaves, k->leaf_count, k->batch.root));
  struct hm_out o = hm_out(k->receipt, sizeof k->receipt);
  MUST(hm_batch_make(engine, &h->world.session.signer, &claims, k->batch.root, &o));
  k->batch.receipt = hm_out_bytes(&o);
  MUST(hm_batch_open(engine, k->batch.receipt, h->world.session.signer.point, k->batch.root,
                     &claims, h->last_batch));
}

uint64_t history_batch(struct history *h, const uint64_t *types, uint32_t count)
{
  static struct work k;
  struct hm_store_sizes sizes;
  struct hm_record r;
  memset(&k, 0, sizeof k);
  assert_true(count <= RECORDS);
  hm_store_sizes(h->store, &sizes);
  k.batch.number = sizes.batches + 1;
  k.batch.first_record = sizes.records + 1;
  k.batch.record_count = count;
  k.batch.control_size = sizes.control;
  fill_facts(h, &k);
  for (uint32_t i = 0; i < count; i++) {
    fill_record(h, &k.batch, k.batch.first_record + i, types[i], &r);
    fill_contents(h, &k, i, &r);
    struct hm_out o = hm_out(k.bytes[i], sizeof k.bytes[i]);
    MUST(hm_record_encode(&r, &o, NULL));
    k.records[i].number = r.number;
    k.records[i].record = hm_out_bytes(&o);
    add_leaf(&k, k.records[i].record);
  }
  sign_batch(h, &k);
  MUST(hm_store_append_batch(h->store, &k.batch, k.records, NULL));
  return k.batch.number;
}

/* ---- heads ------------------------------------------------------------------------------------
 */
static void live_row(struct hm_live_pairing *row, const struct world_key *camera,
                     const uint8_t certificate[32], uint64_t completion)
{
  memset(row, 0, sizeof *row);
  row->context = HM_CONTEXT_DRIVE;
  row->control = completion;
  memcpy(row->entity, camera->signer.kid, 32);
  memcpy(row->certificate, certificate, 32);
}

static void fill_live(struct history *h, struct hm_out *set)
{
  struct hm_live_pairing rows[3];
  size_t count = 0;
  if (h->has_live)
    live_row(&rows[count++], &h->world.camera, h->world.pairing_facts.name, h->completion_entry);
  if (h->completion_2_entry != 0)
    live_row(&rows[count++], &h->camera_2, h->pairing_2_name, h->completion_2_entry);
  if (count == 2 && hm_live_compare(&rows[0], &rows[1]) > 0) {
    rows[2] = rows[0];
    rows[0] = rows[1];
    rows[1] = rows[2];
  }
  MUST(hm_live_encode(rows, count, set));
}

uint64_t history_head(struct history *h)
{
  struct hm_log *control = hm_store_control(h->store);
  struct hm_store_sizes sizes;
  struct world_object head_object, checkpoint_object;
  uint8_t set[512];
  struct hm_out live = hm_out(set, sizeof set);
  struct hm_head head = {.iat = h->world.now + 2, .quality = HM_QUALITY_AUTHORITY};
  hm_store_sizes(h->store, &sizes);
  fill_live(h, &live);
  struct hm_bytes live_bytes = hm_out_bytes(&live);
  MUST(engine->sha256(&live_bytes, 1, head.live));
  head.has_previous = h->head_entry != 0;
  memcpy(head.previous, h->last_head, 32);
  head.data_tree.size = sizes.batches;
  MUST(hm_store_data_root(h->store, sizes.batches, head.data_tree.root));
  uint64_t begin = h->head_entry != 0 ? h->head_entry - 1 : 0;
  MUST(hm_log_range(hm_log_node, control, begin, sizes.control, &head.control_range));
  MUST(hm_log_range(hm_store_data_node, h->store, 0, sizes.batches, &head.data_range));
  struct hm_out o = hm_out(head_object.data, sizeof head_object.data);
  MUST(hm_head_make(engine, &h->world.host.signer, &head, &o));
  head_object.len = o.len;
  MUST(hm_head_open(engine, world_bytes(&head_object), h->world.host.signer.point, &head,
                    h->last_head));

  struct hm_log_item item = item_of(&head_object, h->world.now);
  item.live = live_bytes;
  item.durable_batches = sizes.batches;
  struct hm_checkpoint checkpoint = {.iat = h->world.now + 2};
  MUST(hm_log_preview(control, &item, 1, &checkpoint.control_tree.size,
                      checkpoint.control_tree.root));
  o = hm_out(checkpoint_object.data, sizeof checkpoint_object.data);
  MUST(hm_checkpoint_make(engine, &h->world.host.signer, &checkpoint, &o));
  checkpoint_object.len = o.len;
  MUST(hm_store_append_control(h->store, &item, 1, world_bytes(&checkpoint_object), &h->head_entry,
                               NULL));
  return h->head_entry;
}

uint64_t history_revoke(struct history *h, const uint8_t name[32], uint64_t iat)
{
  struct world_object object;
  struct hm_revocation r = {.iat = iat, .is_local = true, .reason = HM_REASON_OPERATOR};
  memcpy(r.certificate, name, 32);
  struct hm_out o = hm_out(object.data, sizeof object.data);
  MUST(hm_revocation_make(engine, &h->world.host.signer, &r, &o));
  object.len = o.len;
  return keep_append(h->store, item_of(&object, h->world.now));
}

/* ---- the history --------------------------------------------------------------------------------
 */
static void append_law(struct history *h)
{
  struct world_object object;
  struct hm_law law = {.iat = h->world.now};
  memset(law.law, 0x1a, sizeof law.law);
  struct hm_out o = hm_out(object.data, sizeof object.data);
  MUST(hm_law_make(engine, &h->world.host.signer, &law, &o));
  object.len = o.len;
  keep_append(h->store, item_of(&object, h->world.now));
}

static void append_second_camera(struct history *h, uint8_t seed)
{
  struct world *w = &h->world;
  world_key_make(&h->camera_2, seed, 9);
  world_bind(w, &h->camera_2, &w->host, &h->camera_2_binding, &h->camera_2_entity);
  world_pair(w, &w->host, &h->camera_2, HM_CONTEXT_DRIVE, 2, &h->pairing_2, &h->completion_2_0,
             &h->completion_2_1, &h->receipt_2);
  keep_append(h->store, keep_binding(w, &h->camera_2_binding));
  keep_append(h->store, keep_pairing(w, &h->pairing_2));
  h->completion_2_entry =
      keep_append(h->store, keep_completion(&h->receipt_2, &h->completion_2_0, &h->completion_2_1));
  struct hm_pairing pairing;
  MUST(hm_pairing_open(engine, world_bytes(&h->pairing_2), w->authority.signer.point, NULL,
                       &pairing));
  memcpy(h->pairing_2_name, pairing.name, 32);
}

void history_begin(struct history *h, const char *folder, uint8_t seed)
{
  memset(h, 0, sizeof *h);
  world_make(&h->world, seed);
  MUST(keep_create(&h->world, folder));
  h->store = keep_open(folder, HM_LOG_WRITE);
  h->has_live = true;
  h->quality = HM_QUALITY_AUTHORITY;
  h->seed = seed;
}

void history_tell(struct history *h)
{
  static const uint64_t first[] = {HM_RECORD_MEMORY, HM_RECORD_OBSERVATION};
  static const uint64_t second[] = {HM_RECORD_MEMORY, HM_RECORD_EVENT};
  struct world *w = &h->world;
  h->camera_entry = keep_append(h->store, keep_binding(w, &w->camera_binding));
  h->pairing_entry = keep_append(h->store, keep_pairing(w, &w->pairing));
  h->completion_entry =
      keep_append(h->store, keep_completion(&w->receipt, &w->completion_0, &w->completion_1));
  keep_append(h->store, item_of(&w->session_object, w->now));
  history_batch(h, first, 2);
  history_head(h);
  append_law(h);
  history_batch(h, second, 2);
  append_second_camera(h, h->seed);
  history_batch(h, first, 1);
  history_head(h);
}

void history_make(struct history *h, const char *folder, uint8_t seed)
{
  history_begin(h, folder, seed);
  history_tell(h);
}

uint64_t history_session(struct history *h)
{
  world_session(&h->world);
  return keep_append(h->store, item_of(&h->world.session_object, h->world.now));
}

uint64_t history_witness(struct history *h, struct world_key *key)
{
  struct world_object binding;
  struct hm_entity entity;
  world_key_make(key, h->seed, 12);
  world_bind(&h->world, key, NULL, &binding, &entity);
  return keep_append(h->store, keep_binding(&h->world, &binding));
}

void history_close(struct history *h)
{
  hm_store_close(h->store);
  h->store = NULL;
}

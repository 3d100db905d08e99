/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Proofs of hosts that sign what they must not, and of witnesses: everything here is
 * well-formed and correctly signed; what is asked is whether it was in force.
 */
#include "trust/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sensors/descriptor.h"
#include "tests/support/history.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;
static struct history h;
static const uint64_t memory[] = {HM_RECORD_MEMORY};

#define MUST(expression) assert_int_equal((expression), HM_OK)

static enum hm_status judge(struct hm_bytes file, struct hm_verdict *v)
{
  struct hm_proof_authority authority = {.name = "home"};
  memcpy(authority.point, h.world.authority.signer.point, 64);
  size_t bytes;
  memset(v, 0, sizeof *v);
  HM_TRY(hm_proof_scratch(file, &bytes, NULL));
  void *scratch = malloc(bytes);
  struct hm_proof_input in = {.file = file,
                              .authorities = &authority,
                              .authority_count = 1,
                              .built_in = &hm_region_encoder_hash,
                              .built_in_count = 1,
                              .scratch = scratch,
                              .scratch_len = bytes};
  enum hm_status status = hm_proof_verify(engine, &in, v, NULL);
  free(scratch);
  return status;
}

static struct hm_verdict judge_record(uint64_t record)
{
  struct hm_verdict v;
  uint8_t *file;
  size_t len;
  MUST(hm_prove(engine, h.store, &record, 1, NULL, &file, &len, NULL));
  MUST(judge(hm_bytes(file, len), &v));
  free(file);
  return v;
}

static void assert_no(const struct hm_verdict *v, enum hm_proof_link link)
{
  assert_int_equal(v->authorized, HM_ANSWER_NO);
  assert_int_equal(v->broken.link, link);
  assert_false(hm_verdict_is_proven(v));
}

static int begin(void **state)
{
  if (folder_setup(state))
    return -1;
  history_begin(&h, *state, 1);
  return 0;
}

static int teardown(void **state)
{
  history_close(&h);
  return folder_teardown(state);
}

/* ---- pairings -------------------------------------------------------------------------- */
static void what_arrives_after_expiry_is_not_authorized(void **state)
{
  (void)state;
  history_tell(&h);
  h.world.now += 31ull * HM_DAY_S;
  history_session(&h);
  history_batch(&h, memory, 1);
  history_head(&h);
  struct hm_verdict v = judge_record(6);
  assert_no(&v, HM_LINK_PAIRING);
  assert_int_equal(v.intact, HM_ANSWER_YES);
  assert_int_equal(v.broken.wanted, h.world.pairing_facts.exp);
}

static void without_a_clock_expiry_is_unknown(void **state)
{
  (void)state;
  history_tell(&h);
  h.world.now += 31ull * HM_DAY_S;
  h.quality = HM_QUALITY_NONE;
  history_session(&h);
  history_batch(&h, memory, 1);
  history_head(&h);
  struct hm_verdict v = judge_record(6);
  assert_int_equal(v.authorized, HM_ANSWER_UNKNOWN);
  assert_int_equal(v.timely, HM_ANSWER_UNKNOWN);
  assert_false(hm_verdict_is_proven(&v));
}

static void repair(void)
{
  world_pair(&h.world, &h.world.host, &h.world.camera, HM_CONTEXT_DRIVE, 1, &h.world.pairing,
             &h.world.completion_0, &h.world.completion_1, &h.world.receipt);
  MUST(hm_pairing_open(engine, world_bytes(&h.world.pairing), h.world.authority.signer.point, NULL,
                       &h.world.pairing_facts));
}

static void a_pairing_that_only_observes_has_no_memories(void **state)
{
  (void)state;
  h.world.operations = 1;
  repair();
  history_tell(&h);
  struct hm_verdict v = judge_record(1);
  assert_no(&v, HM_LINK_PAIRING);
  v = judge_record(2); /* the observation */
  assert_true(hm_verdict_is_proven(&v));
}

static void freshness_that_was_asked_and_not_kept_is_unknown(void **state)
{
  (void)state;
  h.world.fresh = 3600;
  repair();
  history_tell(&h);
  struct hm_verdict v = judge_record(1); /* its batches never heard of revocations */
  assert_int_equal(v.authorized, HM_ANSWER_UNKNOWN);
  assert_int_equal(v.intact, HM_ANSWER_YES);
}

/* The authority cannot invent a pairing: one end's completion is signed by another. */
static void a_completion_must_be_the_ends_own(void **state)
{
  (void)state;
  struct world *w = &h.world;
  struct hm_completion c;
  struct hm_receipt receipt;
  MUST(hm_completion_open(engine, world_bytes(&w->completion_1), w->camera.signer.point, &c, NULL));
  struct hm_out o = hm_out(w->completion_1.data, sizeof w->completion_1.data);
  MUST(hm_completion_make(engine, &w->authority.signer, &c, &o));
  w->completion_1.len = o.len;
  MUST(hm_receipt_open(engine, world_bytes(&w->receipt), w->authority.signer.point, &receipt,
                       NULL)); /* names do not cover signatures: it stands as it is */
  history_tell(&h);
  struct hm_verdict v = judge_record(1);
  assert_int_equal(v.intact, HM_ANSWER_NO);
  assert_int_equal(v.broken.link, HM_LINK_COMPLETION);
}

static void two_transcripts_are_no_pairing(void **state)
{
  (void)state;
  struct world *w = &h.world;
  struct hm_completion c;
  struct hm_receipt receipt;
  MUST(hm_completion_open(engine, world_bytes(&w->completion_1), w->camera.signer.point, &c, NULL));
  MUST(
      hm_receipt_open(engine, world_bytes(&w->receipt), w->authority.signer.point, &receipt, NULL));
  c.transcript[0] ^= 1;
  struct hm_out o = hm_out(w->completion_1.data, sizeof w->completion_1.data);
  MUST(hm_completion_make(engine, &w->camera.signer, &c, &o));
  w->completion_1.len = o.len;
  MUST(hm_completion_open(engine, world_bytes(&w->completion_1), w->camera.signer.point, &c,
                          receipt.evidence[1]));
  o = hm_out(w->receipt.data, sizeof w->receipt.data);
  MUST(hm_receipt_make(engine, &w->authority.signer, &receipt, &o));
  w->receipt.len = o.len;
  history_tell(&h);
  struct hm_verdict v = judge_record(1);
  assert_no(&v, HM_LINK_COMPLETION);
}

/* ---- encoders ---------------------------------------------------------------------------- */
static void an_encoder_is_built_in_or_bound(void **state)
{
  (void)state;
  struct world_key key;
  struct world_object binding;
  struct hm_entity encoder;
  world_key_make(&key, 1, 20);
  world_bind_encoder(&h.world, &key, &binding, &encoder);
  history_tell(&h);
  h.encoder = encoder.encoder;
  history_batch(&h, memory, 1); /* before its binding */
  keep_append(h.store, keep_binding(&h.world, &binding));
  history_batch(&h, memory, 1);
  history_head(&h);
  struct hm_verdict v = judge_record(7);
  assert_true(hm_verdict_is_proven(&v));
  v = judge_record(6);
  assert_int_equal(v.broken.link, HM_LINK_ENCODER);
  assert_false(hm_verdict_is_proven(&v));

  static const uint8_t unknown[32] = {1};
  h.encoder = unknown;
  history_batch(&h, memory, 1);
  history_head(&h);
  v = judge_record(8);
  assert_no(&v, HM_LINK_ENCODER);
}

/* ---- session keys ------------------------------------------------------------------------ */
static void a_batch_outlives_its_session_key_for_nothing(void **state)
{
  (void)state;
  history_tell(&h);
  h.world.now += 2 * HM_DAY_S;
  history_batch(&h, memory, 1);
  history_head(&h);
  struct hm_verdict v = judge_record(6);
  assert_no(&v, HM_LINK_SESSION);
}

static void session_of(uint32_t purposes, uint64_t purpose, uint64_t first)
{
  struct hm_session s = {.exp = h.world.now + HM_DAY_S,
                         .nbf = h.world.now,
                         .iat = h.world.now,
                         .purpose_count = purposes,
                         .purposes = {purpose},
                         .first = first};
  memcpy(s.key, h.world.session.signer.point, 64);
  struct hm_out o = hm_out(h.world.session_object.data, sizeof h.world.session_object.data);
  MUST(hm_session_make(engine, &h.world.host.signer, &s, &o));
  h.world.session_object.len = o.len;
}

static void a_session_key_signs_what_it_is_for(void **state)
{
  (void)state;
  session_of(1, HM_PURPOSE_RECEIPTS, 1);
  history_tell(&h);
  struct hm_verdict v = judge_record(1);
  assert_no(&v, HM_LINK_SESSION);
}

static void a_session_key_signs_from_its_first_batch(void **state)
{
  (void)state;
  session_of(1, HM_PURPOSE_BATCHES, 2);
  history_tell(&h);
  struct hm_verdict v = judge_record(1);
  assert_no(&v, HM_LINK_SESSION);
  v = judge_record(3);
  assert_true(hm_verdict_is_proven(&v));
}

static void neighbouring_batches_name_each_other(void **state)
{
  (void)state;
  const uint64_t both[] = {6, 7};
  struct hm_verdict v;
  uint8_t *file;
  size_t len;
  history_tell(&h);
  history_batch(&h, memory, 1);
  h.last_batch[0] ^= 1;
  history_batch(&h, memory, 1);
  history_head(&h);
  v = judge_record(7); /* alone it names a batch that nobody shows */
  assert_true(hm_verdict_is_proven(&v));
  MUST(hm_prove(engine, h.store, both, 2, NULL, &file, &len, NULL));
  MUST(judge(hm_bytes(file, len), &v));
  assert_int_equal(v.intact, HM_ANSWER_NO);
  assert_int_equal(v.broken.link, HM_LINK_RECEIPT);
  free(file);
}

/* ---- witnesses and older checkpoints -----------------------------------------------------------
 */
enum { ITEMS = 48 };
struct parts {
  struct hm_bytes item[ITEMS];
  size_t count;
  uint8_t made[8][4096];
  size_t made_count;
};

static void split(struct hm_bytes file, struct parts *p)
{
  struct hm_cbor c = hm_cbor(file);
  struct hm_bytes head;
  MUST(hm_cbor_skip(&c, &head));
  p->count = p->made_count = 0;
  while (!hm_cbor_at_end(&c))
    MUST(hm_cbor_skip(&c, &p->item[p->count++]));
}

static uint64_t key_of(struct hm_bytes item, uint64_t *kind)
{
  struct hm_cbor c = hm_cbor(item);
  size_t count;
  uint64_t number = 0;
  MUST(hm_cbor_array(&c, &count));
  MUST(hm_cbor_uint(&c, kind));
  if (*kind == HM_ITEM_ENTRY || *kind == HM_ITEM_LIVE)
    MUST(hm_cbor_uint(&c, &number));
  return number;
}

/* Put an item where its kind and number belong. */
static void insert(struct parts *p, const struct hm_shape *shape, const void *value)
{
  struct hm_out o = hm_out(p->made[p->made_count], sizeof p->made[0]);
  MUST(hm_encode(shape, value, &o, NULL));
  p->made_count++;
  struct hm_bytes item = hm_out_bytes(&o);
  uint64_t kind, other;
  uint64_t number = key_of(item, &kind);
  size_t at = 0;
  for (; at < p->count; at++) {
    uint64_t there = key_of(p->item[at], &other);
    if (other > kind || (other == kind && there > number))
      break;
  }
  memmove(&p->item[at + 1], &p->item[at], (p->count - at) * sizeof p->item[0]);
  p->item[at] = item;
  p->count++;
}

static void insert_entry(struct parts *p, uint64_t number, uint64_t size)
{
  static uint8_t buffer[HM_LOG_ENTRY_MAX];
  struct hm_log_entry entry;
  struct hm_log *log = hm_store_control(h.store);
  MUST(hm_log_entry(log, number, buffer, sizeof buffer, &entry));
  struct hm_hmk_entry item = {.control = number,
                              .object = entry.object,
                              .has_way = true,
                              .attached_count = entry.attached_count};
  memcpy(item.attached, entry.attached, sizeof item.attached);
  MUST(hm_log_inclusion(engine, hm_log_node, log, size, number - 1, &item.way));
  insert(p, &hm_shape_hmk_entry, &item);
}

static struct hm_bytes join(const struct parts *p, uint8_t *out, size_t cap)
{
  struct hm_hmk_head head = {HM_PROOF_RECORDS, p->count};
  struct hm_out o = hm_out(out, cap);
  MUST(hm_encode(&hm_shape_hmk_head, &head, &o, NULL));
  for (size_t i = 0; i < p->count; i++)
    hm_out_put(&o, p->item[i].data, p->item[i].len);
  MUST(hm_out_status(&o));
  return hm_out_bytes(&o);
}

/* A witness's word over the checkpoint of a size. */
static void insert_witness(struct parts *p, const struct world_key *key, uint64_t binding,
                           uint64_t size, uint64_t iat)
{
  uint8_t object[HM_SIGN1_MAX], checkpoint_bytes[HM_SIGN1_MAX];
  size_t len;
  uint64_t covers;
  struct hm_checkpoint checkpoint;
  struct hm_witness_answer answer = {.iat = iat, .role = HM_WITNESS_EXISTENCE};
  MUST(hm_log_checkpoint(hm_store_control(h.store), size, checkpoint_bytes, sizeof checkpoint_bytes,
                         &len, &covers));
  assert_int_equal(covers, size);
  MUST(hm_checkpoint_open(engine, hm_bytes(checkpoint_bytes, len), NULL, &checkpoint,
                          answer.certificate));
  struct hm_out o = hm_out(object, sizeof object);
  MUST(hm_witness_answer_make(engine, &key->signer, &answer, &o));
  struct hm_hmk_witness item = {hm_out_bytes(&o), binding};
  insert(p, &hm_shape_hmk_witness, &item);
}

static void insert_link(struct parts *p, uint64_t old, uint64_t size)
{
  uint8_t object[HM_SIGN1_MAX], buffer[HM_LOG_ENTRY_MAX];
  size_t len;
  uint64_t covers;
  struct hm_log *log = hm_store_control(h.store);
  struct hm_log_entry entry;
  struct hm_head before, now;
  struct hm_hmk_link item;
  MUST(hm_log_checkpoint(log, old, object, sizeof object, &len, &covers));
  assert_int_equal(covers, old);
  item.object = hm_bytes(object, len);
  MUST(hm_log_consistency(engine, hm_log_node, log, old, size, &item.control_way));
  MUST(hm_log_entry(log, old, buffer, sizeof buffer, &entry));
  MUST(hm_head_open(engine, entry.object, NULL, &before, NULL));
  MUST(hm_log_entry(log, size, buffer, sizeof buffer, &entry));
  MUST(hm_head_open(engine, entry.object, NULL, &now, NULL));
  MUST(hm_log_consistency(engine, hm_store_data_node, h.store, before.data_tree.size,
                          now.data_tree.size, &item.data_way));
  insert(p, &hm_shape_hmk_link, &item);
}

/* The witness is bound before the last head; m1 is in the batch under the first head. */
static void witnessed_file(bool older, uint64_t record, struct parts *p, uint8_t **file)
{
  struct world_key key;
  size_t len;
  history_tell(&h);
  uint64_t binding = history_witness(&h, &key);
  history_batch(&h, memory, 1);
  uint64_t size = history_head(&h);
  MUST(hm_prove(engine, h.store, &record, 1, NULL, file, &len, NULL));
  split(hm_bytes(*file, len), p);
  insert_entry(p, binding, size);
  insert_witness(p, &key, binding, older ? 8 : size, h.world.now + 60);
  if (!older)
    return;
  insert_entry(p, 8, size);
  insert_link(p, 8, size);
}

static void no_byte_of_a_witnessed_file_is_free(struct hm_bytes file)
{
  struct hm_verdict v;
  uint8_t *changed = malloc(file.len);
  memcpy(changed, file.data, file.len);
  for (size_t at = 0; at < file.len; at++) {
    changed[at] ^= 1u << at % 8;
    bool proven = judge(hm_bytes(changed, file.len), &v) == HM_OK && hm_verdict_is_proven(&v);
    if (proven)
      fail_msg("byte %zu is free", at);
    changed[at] ^= 1u << at % 8;
  }
  free(changed);
}

static void a_witness_of_the_checkpoint_is_seen(void **state)
{
  (void)state;
  struct parts p;
  struct hm_verdict v;
  static uint8_t bytes[65536];
  uint8_t *file;
  witnessed_file(false, 2, &p, &file);
  struct hm_bytes whole = join(&p, bytes, sizeof bytes);
  MUST(judge(whole, &v));
  if (v.has_broken)
    fail_msg("%s: %s", hm_proof_link_name(v.broken.link), v.broken.sentence);
  assert_true(hm_verdict_is_proven(&v));
  assert_int_equal(v.witnessed, HM_ANSWER_YES);
  assert_int_equal(v.timely, HM_ANSWER_YES);
  no_byte_of_a_witnessed_file_is_free(whole);
  free(file);
}

static void a_witness_of_an_older_checkpoint_is_seen_through_its_link(void **state)
{
  (void)state;
  struct parts p;
  struct hm_verdict v;
  static uint8_t bytes[65536];
  uint8_t *file;
  witnessed_file(true, 2, &p, &file);
  struct hm_bytes whole = join(&p, bytes, sizeof bytes);
  MUST(judge(whole, &v));
  if (v.has_broken)
    fail_msg("%s: %s", hm_proof_link_name(v.broken.link), v.broken.sentence);
  assert_int_equal(v.witnessed, HM_ANSWER_YES);
  no_byte_of_a_witnessed_file_is_free(whole);
  free(file);
}

/* An older checkpoint says nothing of a later batch. */
static void a_witness_covers_what_its_checkpoint_covers(void **state)
{
  (void)state;
  struct parts p;
  struct hm_verdict v;
  static uint8_t bytes[65536];
  uint8_t *file;
  struct world_key key;
  size_t len;
  const uint64_t record = 4;
  history_tell(&h);
  uint64_t binding = history_witness(&h, &key);
  history_batch(&h, memory, 1);
  uint64_t size = history_head(&h);
  MUST(hm_prove(engine, h.store, &record, 1, NULL, &file, &len, NULL));
  split(hm_bytes(file, len), &p);
  insert_entry(&p, binding, size);
  insert_witness(&p, &key, binding, 8, h.world.now + 60);
  insert_link(&p, 8, size); /* c8 itself is in the range of r2 */
  MUST(judge(join(&p, bytes, sizeof bytes), &v));
  assert_true(hm_verdict_is_proven(&v));
  assert_int_equal(v.witnessed, HM_ANSWER_UNKNOWN);
  assert_int_equal(v.timely, HM_ANSWER_UNKNOWN);
  free(file);
}

static void a_host_does_not_witness_itself(void **state)
{
  (void)state;
  struct parts p;
  struct hm_verdict v;
  static uint8_t bytes[65536];
  uint8_t *file;
  size_t len;
  const uint64_t record = 2;
  history_tell(&h);
  MUST(hm_prove(engine, h.store, &record, 1, NULL, &file, &len, NULL));
  split(hm_bytes(file, len), &p);
  insert_witness(&p, &h.world.host, 2, 13, h.world.now);
  MUST(judge(join(&p, bytes, sizeof bytes), &v));
  assert_int_equal(v.intact, HM_ANSWER_NO);
  assert_int_equal(v.witnessed, HM_ANSWER_NO);
  assert_int_equal(v.broken.link, HM_LINK_WITNESS);
  free(file);
}

static void a_link_that_no_witness_names_is_one_too_many(void **state)
{
  (void)state;
  struct parts p;
  struct hm_verdict v;
  static uint8_t bytes[65536];
  uint8_t *file;
  size_t len;
  const uint64_t record = 4;
  history_tell(&h);
  MUST(hm_prove(engine, h.store, &record, 1, NULL, &file, &len, NULL));
  split(hm_bytes(file, len), &p);
  insert_link(&p, 8, 13);
  MUST(judge(join(&p, bytes, sizeof bytes), &v));
  assert_int_equal(v.intact, HM_ANSWER_NO);
  assert_int_equal(v.broken.link, HM_LINK_FILE);
  free(file);
}

/* ---- what a batch shows
 * ---------------------------------------------------------------------------- */
/* The file of m1 with its batch item made anew: paths for these leaves, so many sensor leaves. */
static struct hm_verdict with_batch(const uint32_t *indices, size_t count, uint32_t leaves)
{
  static uint8_t bytes[65536], buffer[HM_STORED_BATCH_MAX], receipt[16384];
  static uint8_t tree[HM_BATCH_LEAVES_MAX][32];
  struct parts p;
  struct hm_verdict v;
  struct hm_stored_batch stored;
  struct hm_hmk_batch item;
  uint8_t *file;
  size_t len, leaf_count;
  uint64_t kind;
  const uint64_t record = 1;
  MUST(hm_prove(engine, h.store, &record, 1, NULL, &file, &len, NULL));
  split(hm_bytes(file, len), &p);
  MUST(hm_store_batch(h.store, 1, buffer, sizeof buffer, &stored));
  MUST(hm_store_batch_leaves(h.store, 1, tree, &leaf_count));
  struct hm_out o = hm_out(receipt, sizeof receipt);
  MUST(hm_batch_with_proofs(engine, stored.receipt, (const uint8_t(*)[32])tree, leaf_count, indices,
                            count, &o));
  for (size_t i = 0; i < p.count; i++) {
    (void)key_of(p.item[i], &kind);
    if (kind != HM_ITEM_BATCH)
      continue;
    MUST(hm_decode(&hm_shape_hmk_batch, p.item[i], &item, NULL));
    item.object = hm_out_bytes(&o);
    item.leaf_count = leaves;
    for (uint32_t k = 1; k < leaves; k++)
      item.leaves[k] = item.leaves[0];
    struct hm_out made = hm_out(p.made[0], sizeof p.made[0]);
    MUST(hm_encode(&hm_shape_hmk_batch, &item, &made, NULL));
    p.item[i] = hm_out_bytes(&made);
  }
  MUST(judge(join(&p, bytes, sizeof bytes), &v));
  free(file);
  return v;
}

static void a_batch_shows_just_what_its_records_need(void **state)
{
  (void)state;
  const uint32_t right[] = {0, 1, 2}, more[] = {0, 1, 2, 3}, other[] = {0, 1, 3}, few[] = {0, 2};
  history_tell(&h);
  struct hm_verdict v = with_batch(right, 3, 1);
  assert_true(hm_verdict_is_proven(&v));
  v = with_batch(more, 4, 1); /* a path for m2, which is not in the file */
  assert_int_equal(v.intact, HM_ANSWER_NO);
  v = with_batch(other, 3, 1); /* the path of m2 instead */
  assert_int_equal(v.intact, HM_ANSWER_NO);
  v = with_batch(few, 2, 1); /* none for the sensor leaf */
  assert_int_equal(v.intact, HM_ANSWER_NO);
  v = with_batch(right, 3, 2); /* a sensor leaf that no record names */
  assert_int_equal(v.intact, HM_ANSWER_NO);
  assert_int_equal(v.broken.link, HM_LINK_SENSOR_LEAF);
  v = with_batch(right, 3, 0);
  assert_int_equal(v.intact, HM_ANSWER_NO);
}

/* Only an audit leaves paths out. */
static void an_entry_without_its_path_is_malformed(void **state)
{
  (void)state;
  static uint8_t bytes[65536];
  struct parts p;
  struct hm_verdict v;
  struct hm_hmk_entry item;
  uint8_t *file;
  size_t len;
  uint64_t kind;
  const uint64_t record = 1;
  history_tell(&h);
  MUST(hm_prove(engine, h.store, &record, 1, NULL, &file, &len, NULL));
  split(hm_bytes(file, len), &p);
  size_t at = 0;
  while (key_of(p.item[at], &kind) != 2 || kind != HM_ITEM_ENTRY)
    at++;
  MUST(hm_decode(&hm_shape_hmk_entry, p.item[at], &item, NULL));
  item.has_way = false;
  struct hm_out made = hm_out(p.made[0], sizeof p.made[0]);
  MUST(hm_encode(&hm_shape_hmk_entry, &item, &made, NULL));
  p.item[at] = hm_out_bytes(&made);
  assert_int_equal(judge(join(&p, bytes, sizeof bytes), &v), HM_MALFORMED);
  free(file);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(what_arrives_after_expiry_is_not_authorized),
      TEST(without_a_clock_expiry_is_unknown),
      TEST(a_pairing_that_only_observes_has_no_memories),
      TEST(freshness_that_was_asked_and_not_kept_is_unknown),
      TEST(a_completion_must_be_the_ends_own),
      TEST(two_transcripts_are_no_pairing),
      TEST(an_encoder_is_built_in_or_bound),
      TEST(a_batch_outlives_its_session_key_for_nothing),
      TEST(a_session_key_signs_what_it_is_for),
      TEST(a_session_key_signs_from_its_first_batch),
      TEST(neighbouring_batches_name_each_other),
      TEST(a_batch_shows_just_what_its_records_need),
      TEST(an_entry_without_its_path_is_malformed),
      TEST(a_witness_of_the_checkpoint_is_seen),
      TEST(a_witness_of_an_older_checkpoint_is_seen_through_its_link),
      TEST(a_witness_covers_what_its_checkpoint_covers),
      TEST(a_host_does_not_witness_itself),
      TEST(a_link_that_no_witness_names_is_one_too_many),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

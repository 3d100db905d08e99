/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Proof files: what the store holds is proven with one public key from outside; no
 * file with a changed bit, a cut, an item too many, too few, twice or out of order is
 * ever proven; a consistent forgery under other keys is not, and names the link.
 */
#include "trust/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sensors/descriptor.h"
#include "tests/support/history.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;
static struct history h;

#define MUST(expression) assert_int_equal((expression), HM_OK)

/* ---- a verifier ---------------------------------------------------------------------- */
static enum hm_status recompute(void *user, const uint8_t encoder[32], uint64_t pixels,
                                struct hm_bytes picture, uint8_t *vector, size_t cap, size_t *len)
{
  (void)user;
  (void)pixels;
  if (memcmp(encoder, hm_region_encoder_hash, 32) != 0)
    return HM_UNSUPPORTED;
  if (picture.len != HM_PICTURE_BYTES || cap < HM_VECTOR_DIMENSION)
    return HM_MALFORMED;
  hm_region_encode(picture.data, (int8_t *)vector);
  *len = HM_VECTOR_DIMENSION;
  return HM_OK;
}

struct heard {
  size_t ok, broken, note;
  bool recomputed;
  bool print;
};

static void hear(void *user, const struct hm_proof_step *step)
{
  struct heard *heard = user;
  heard->ok += step->result == HM_STEP_OK;
  heard->broken += step->result == HM_STEP_BROKEN;
  heard->note += step->result == HM_STEP_NOTE;
  if (step->link == HM_LINK_VECTOR && strstr(step->sentence, "same bits") != NULL)
    heard->recomputed = true;
  if (heard->print)
    print_message("%*s%c%llu %s: %s%s\n", 2 * step->depth, "", step->letter ? step->letter : '-',
                  (unsigned long long)step->number, hm_proof_link_name(step->link),
                  step->result == HM_STEP_BROKEN ? "BROKEN: " : "", step->sentence);
}

struct asked {
  const uint8_t *authority;
  const struct hm_bytes *revocations;
  size_t revocation_count;
  const uint8_t (*pins)[32];
  size_t pin_count;
  bool no_recompute; /* where many files are asked, the commitment is enough */
  struct heard heard;
};

static enum hm_status ask(struct hm_bytes file, struct asked *a, struct hm_verdict *verdict)
{
  struct hm_proof_authority authority = {.name = "home"};
  struct hm_proof_fault fault = {0, 0, NULL, NULL};
  memcpy(authority.point, a->authority, 64);
  static _Alignas(16) uint8_t scratch[1 << 17]; /* enough for every file here */
  memset(verdict, 0, sizeof *verdict);
  struct hm_proof_input in = {.file = file,
                              .authorities = &authority,
                              .authority_count = 1,
                              .pins = a->pins,
                              .pin_count = a->pin_count,
                              .revocations = a->revocations,
                              .revocation_count = a->revocation_count,
                              .built_in = &hm_region_encoder_hash,
                              .built_in_count = 1,
                              .recompute = a->no_recompute ? NULL : recompute,
                              .step = hear,
                              .step_user = &a->heard,
                              .scratch = scratch,
                              .scratch_len = sizeof scratch};
  enum hm_status status = hm_proof_verify(engine, &in, verdict, &fault);
  if (status != HM_OK && a->heard.print)
    print_message("%s at %zu: %s\n", hm_status_text(status), fault.offset,
                  fault.sentence ? fault.sentence : "-");
  return status;
}

static bool is_proven(struct hm_bytes file)
{
  struct hm_verdict v;
  struct asked a = {.authority = h.world.authority.signer.point, .no_recompute = true};
  return ask(file, &a, &v) == HM_OK && hm_verdict_is_proven(&v);
}

static struct hm_bytes prove(const uint64_t *records, size_t count)
{
  uint8_t *file = NULL;
  size_t len = 0;
  struct hm_fault fault = {0, ""};
  enum hm_status status = hm_prove(engine, h.store, records, count, NULL, &file, &len, &fault);
  if (status != HM_OK)
    fail_msg("%s: %s", hm_status_text(status), fault.text);
  return hm_bytes(file, len);
}

static struct hm_bytes prove_one(uint64_t record)
{
  return prove(&record, 1);
}

static void forget(struct hm_bytes file)
{
  union {
    const uint8_t *in;
    void *out;
  } u = {file.data};
  free(u.out);
}

static int setup(void **state)
{
  if (folder_setup(state))
    return -1;
  history_make(&h, *state, 1);
  return 0;
}

static int teardown(void **state)
{
  history_close(&h);
  return folder_teardown(state);
}

/* ---- what holds ------------------------------------------------------------------------- */
static void check_proven(const uint64_t *records, size_t count)
{
  struct hm_bytes file = prove(records, count);
  struct hm_verdict v;
  struct asked a = {.authority = h.world.authority.signer.point};
  a.heard.print = getenv("HM_TEST_PRINT") != NULL;
  MUST(ask(file, &a, &v));
  if (v.has_broken)
    fail_msg("%s: %s", hm_proof_link_name(v.broken.link), v.broken.sentence);
  assert_true(hm_verdict_is_proven(&v));
  assert_int_equal(v.records, count);
  assert_int_equal(v.timely, HM_ANSWER_UNKNOWN);
  assert_int_equal(v.coherent, HM_ANSWER_UNKNOWN);
  assert_int_equal(v.witnessed, HM_ANSWER_UNKNOWN);
  assert_memory_equal(v.host, h.world.host.signer.kid, 32);
  assert_int_equal(a.heard.broken, 0);
  forget(file);
}

static void every_record_is_proven(void **state)
{
  (void)state;
  for (uint64_t m = 1; m <= 5; m++)
    check_proven(&m, 1);
}

static void several_records_are_proven_together(void **state)
{
  (void)state;
  const uint64_t all[] = {1, 2, 3, 4, 5}, some[] = {1, 5}, pair[] = {2, 3};
  check_proven(all, 5);
  check_proven(some, 2);
  check_proven(pair, 2);
}

static void a_vector_is_recomputed(void **state)
{
  (void)state;
  struct hm_bytes file = prove_one(1);
  struct hm_verdict v;
  struct asked a = {.authority = h.world.authority.signer.point};
  MUST(ask(file, &a, &v));
  assert_true(a.heard.recomputed);
  forget(file);
}

static void contents_may_stay_out(void **state)
{
  (void)state;
  uint8_t *bytes;
  size_t len;
  const uint64_t m = 1;
  struct hm_prove_options options = {true, true};
  MUST(hm_prove(engine, h.store, &m, 1, &options, &bytes, &len, NULL));
  assert_true(len < 8192);
  assert_true(is_proven(hm_bytes(bytes, len)));
  free(bytes);
}

static void a_record_after_the_checkpoint_is_not_yet_in_the_log(void **state)
{
  (void)state;
  uint8_t *bytes;
  size_t len;
  const uint64_t types[] = {HM_RECORD_MEMORY}, six = 6, seven = 7;
  struct hm_fault fault;
  history_batch(&h, types, 1);
  assert_int_equal(hm_prove(engine, h.store, &six, 1, NULL, &bytes, &len, &fault), HM_STALE);
  assert_int_equal(hm_prove(engine, h.store, &seven, 1, NULL, &bytes, &len, &fault), HM_NOT_FOUND);
  history_head(&h);
  check_proven(&six, 1);
}

static void pins_are_host_and_sensor(void **state)
{
  (void)state;
  struct hm_bytes file = prove_one(3);
  struct hm_verdict v;
  uint8_t pins[2][32];
  memcpy(pins[0], h.world.host.signer.kid, 32);
  memcpy(pins[1], h.world.camera.signer.kid, 32);
  const uint8_t(*view)[32] = (const uint8_t(*)[32])pins;
  struct asked a = {.authority = h.world.authority.signer.point, .pins = view, .pin_count = 2};
  MUST(ask(file, &a, &v));
  assert_true(v.is_pinned);
  a.pin_count = 1;
  MUST(ask(file, &a, &v));
  assert_true(v.pins_given);
  assert_false(v.is_pinned);
  forget(file);
}

/* ---- who it is not ---------------------------------------------------------------------- */
static void a_consistent_forgery_names_the_authority(void **state)
{
  (void)state;
  struct world other;
  world_make(&other, 77);
  struct hm_bytes file = prove_one(3);
  struct hm_verdict v;
  struct asked a = {.authority = other.authority.signer.point};
  MUST(ask(file, &a, &v)); /* consistent in itself, under keys nobody trusts */
  assert_int_equal(v.authorized, HM_ANSWER_NO);
  assert_false(hm_verdict_is_proven(&v));
  assert_int_equal(v.broken.link, HM_LINK_AUTHORITY);
  assert_true(v.broken.has_values && v.broken.is_hash);
  assert_memory_equal(v.broken.wanted_hash, other.authority.signer.kid, 32);
  assert_memory_equal(v.broken.found_hash, h.world.authority.signer.kid, 32);
  forget(file);
}

static void a_host_key_given_as_authority_proves_nothing(void **state)
{
  (void)state;
  struct hm_bytes file = prove_one(3);
  struct hm_verdict v;
  struct asked a = {.authority = h.world.host.signer.point};
  MUST(ask(file, &a, &v));
  assert_false(hm_verdict_is_proven(&v));
  forget(file);
}

/* ---- revocation ----------------------------------------------------------------------------- */
static void a_later_revocation_is_said_and_does_not_undo(void **state)
{
  (void)state;
  struct hm_bytes file = prove_one(3);
  struct world_object object;
  struct hm_verdict v;
  world_revoke(&h.world, 1, h.world.now + 100, h.world.camera.signer.kid, NULL, &object);
  struct hm_bytes given = world_bytes(&object);
  struct asked a = {
      .authority = h.world.authority.signer.point, .revocations = &given, .revocation_count = 1};
  MUST(ask(file, &a, &v));
  assert_true(hm_verdict_is_proven(&v));
  assert_true(v.is_revoked_later);
  forget(file);
}

static void a_revocation_dated_before_the_batch_says_no(void **state)
{
  (void)state;
  const uint8_t *named[] = {h.world.camera.signer.kid, h.world.camera_entity.name,
                            h.world.pairing_facts.name, h.world.host.signer.kid,
                            h.world.host_entity.name};
  struct hm_bytes file = prove_one(3);
  for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
    struct world_object object;
    struct hm_verdict v;
    world_revoke(&h.world, 1, h.world.now, named[i], NULL, &object);
    struct hm_bytes given = world_bytes(&object);
    struct asked a = {
        .authority = h.world.authority.signer.point, .revocations = &given, .revocation_count = 1};
    MUST(ask(file, &a, &v));
    assert_int_equal(v.authorized, HM_ANSWER_NO);
    assert_int_equal(v.intact, HM_ANSWER_YES);
    assert_int_equal(v.broken.link, HM_LINK_REVOCATION);
  }
  forget(file);
}

static void a_given_revocation_must_be_the_authoritys(void **state)
{
  (void)state;
  struct hm_bytes file = prove_one(3);
  struct world other;
  struct world_object object;
  struct hm_verdict v;
  world_make(&other, 78);
  world_revoke(&other, 1, h.world.now, h.world.camera.signer.kid, NULL, &object);
  struct hm_bytes given = world_bytes(&object);
  struct asked a = {
      .authority = h.world.authority.signer.point, .revocations = &given, .revocation_count = 1};
  assert_int_equal(ask(file, &a, &v), HM_DENIED);
  assert_false(hm_verdict_is_proven(&v));
  forget(file);
}

/* Once it is in the log, order alone says no; and out of the live set as well. */
static void a_batch_after_a_revocation_is_not_authorized(void **state)
{
  (void)state;
  const uint64_t types[] = {HM_RECORD_MEMORY};
  struct hm_verdict v;
  struct asked a = {.authority = h.world.authority.signer.point};
  history_revoke(&h, h.world.pairing_facts.name, h.world.now + 1000000);
  history_batch(&h, types, 1);
  h.has_live = false;
  history_head(&h);
  struct hm_bytes file = prove_one(6);
  MUST(ask(file, &a, &v));
  assert_int_equal(v.authorized, HM_ANSWER_NO);
  assert_int_equal(v.broken.link, HM_LINK_REVOCATION);
  forget(file);

  history_batch(&h, types, 1);
  history_head(&h);
  file = prove_one(7);
  MUST(ask(file, &a, &v));
  assert_int_equal(v.authorized, HM_ANSWER_NO);
  assert_int_equal(v.broken.link, HM_LINK_LIVE);
  forget(file);

  file = prove_one(5); /* before it: still proven */
  MUST(ask(file, &a, &v));
  assert_true(hm_verdict_is_proven(&v));
  forget(file);
}

/* ---- no byte is free ------------------------------------------------------------------------- */

/* Every bit, or, where a run is slow (emulation, TSan), one in seven: 7 and 8 have no
 * common factor, so each bit of a byte is met. */
static size_t flip_step(void)
{
  return getenv("HM_TEST_THIN") != NULL ? 7 : 1;
}

static void no_flipped_bit_is_proven(void **state)
{
  (void)state;
  const uint64_t one[] = {3};
  uint8_t *bytes;
  size_t len;
  MUST(hm_prove(engine, h.store, one, 1, NULL, &bytes, &len, NULL));
  assert_true(is_proven(hm_bytes(bytes, len)));
  for (size_t bit = 0; bit < len * 8; bit += flip_step()) {
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    if (is_proven(hm_bytes(bytes, len)))
      fail_msg("bit %zu of byte %zu is free", bit % 8, bit / 8);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  free(bytes);
}

static void no_flipped_byte_of_many_records_is_proven(void **state)
{
  (void)state;
  const uint64_t all[] = {1, 2, 3, 4, 5};
  uint8_t *bytes;
  size_t len;
  struct hm_prove_options options = {true, false};
  MUST(hm_prove(engine, h.store, all, 5, &options, &bytes, &len, NULL));
  assert_true(is_proven(hm_bytes(bytes, len)));
  for (size_t at = 0; at < len; at += flip_step()) {
    uint8_t flip = (uint8_t)(1u << at % 8);
    bytes[at] ^= flip;
    if (is_proven(hm_bytes(bytes, len)))
      fail_msg("byte %zu is free", at);
    bytes[at] ^= flip;
  }
  free(bytes);
}

/* Its live set has a row of another sensor, which no record needs: not free either. */
static void no_flipped_bit_of_a_live_set_is_proven(void **state)
{
  (void)state;
  const uint64_t types[] = {HM_RECORD_OBSERVATION};
  history_batch(&h, types, 1);
  history_head(&h);
  const uint64_t six = 6;
  uint8_t *bytes;
  size_t len;
  MUST(hm_prove(engine, h.store, &six, 1, NULL, &bytes, &len, NULL));
  assert_true(is_proven(hm_bytes(bytes, len)));
  for (size_t bit = (len - 240) * 8; bit < len * 8; bit++) {
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    if (is_proven(hm_bytes(bytes, len)))
      fail_msg("bit %zu of byte %zu is free", bit % 8, bit / 8);
    bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  free(bytes);
}

static void no_truncation_is_proven(void **state)
{
  (void)state;
  struct hm_bytes file = prove_one(3);
  struct hm_verdict v;
  struct asked a = {.authority = h.world.authority.signer.point};
  for (size_t len = 0; len < file.len; len++) {
    enum hm_status status = ask(hm_bytes(file.data, len), &a, &v);
    assert_int_equal(hm_status_row(status)->exit_code, 6);
  }
  uint8_t *longer = malloc(file.len + 1);
  memcpy(longer, file.data, file.len);
  longer[file.len] = 0xf6;
  assert_int_equal(ask(hm_bytes(longer, file.len + 1), &a, &v), HM_MALFORMED);
  free(longer);
  forget(file);
}

/* The items of a file, and a file of some of them in some order. */
enum { ITEMS = 64 };
struct items {
  struct hm_bytes item[ITEMS];
  size_t count;
};

static void split(struct hm_bytes file, struct items *items)
{
  struct hm_cbor c = hm_cbor(file);
  struct hm_bytes head;
  MUST(hm_cbor_skip(&c, &head));
  items->count = 0;
  while (!hm_cbor_at_end(&c)) {
    assert_true(items->count < ITEMS);
    MUST(hm_cbor_skip(&c, &items->item[items->count++]));
  }
}

static bool joined_is_proven(const struct items *items)
{
  struct hm_hmk_head head = {HM_PROOF_RECORDS, items->count};
  static uint8_t bytes[1 << 20];
  struct hm_out out = hm_out(bytes, sizeof bytes);
  if (items->count > 0)
    MUST(hm_encode(&hm_shape_hmk_head, &head, &out, NULL));
  for (size_t i = 0; i < items->count; i++)
    hm_out_put(&out, items->item[i].data, items->item[i].len);
  MUST(hm_out_status(&out));
  return is_proven(hm_out_bytes(&out));
}

static void no_item_is_dropped_doubled_or_moved(void **state)
{
  (void)state;
  const uint64_t all[] = {1, 3, 5};
  struct hm_bytes file = prove(all, 3);
  struct items whole, some;
  split(file, &whole);
  assert_true(joined_is_proven(&whole));
  for (size_t i = 0; i < whole.count; i++) {
    some = whole; /* dropped */
    memmove(&some.item[i], &some.item[i + 1], (whole.count - i - 1) * sizeof some.item[0]);
    some.count--;
    assert_false(joined_is_proven(&some));
    some = whole; /* doubled */
    memmove(&some.item[i + 1], &some.item[i], (whole.count - i) * sizeof some.item[0]);
    some.count++;
    assert_false(joined_is_proven(&some));
    for (size_t k = i + 1; k < whole.count; k++) { /* exchanged */
      some = whole;
      some.item[i] = whole.item[k];
      some.item[k] = whole.item[i];
      assert_false(joined_is_proven(&some));
    }
  }
  forget(file);
}

/* An entry of the same log that nothing cites is one too many. */
static void no_item_is_there_for_nothing(void **state)
{
  (void)state;
  struct hm_bytes few = prove_one(1);
  const uint64_t both[] = {1, 3};
  struct hm_bytes more = prove(both, 2);
  struct items a, b;
  split(few, &a);
  split(more, &b);
  size_t tried = 0;
  for (size_t i = 0; i < b.count; i++) {
    bool has = false;
    for (size_t k = 0; k < a.count; k++)
      has = has || hm_bytes_equal(a.item[k], b.item[i]);
    if (has)
      continue;
    for (size_t at = 0; at <= a.count; at++) { /* wherever its place may be */
      struct items with = a;
      memmove(&with.item[at + 1], &with.item[at], (a.count - at) * sizeof with.item[0]);
      with.item[at] = b.item[i];
      with.count++;
      assert_false(joined_is_proven(&with));
    }
    tried++;
  }
  assert_true(tried >= 3);
  forget(few);
  forget(more);
}

/* ---- what it is not -----------------------------------------------------------------------------
 */
static void other_kinds_of_file_are_refused_by_name(void **state)
{
  (void)state;
  struct hm_proof_fault fault;
  size_t bytes;
  uint8_t file[128];
  for (uint64_t what = HM_PROOF_AUDIT; what <= HM_PROOF_INCIDENT; what++) {
    struct hm_out o = hm_out(file, sizeof file);
    hm_cbor_put_array(&o, 7);
    hm_cbor_put_uint(&o, 0);
    hm_cbor_put_text(&o, "hallmark proof");
    hm_cbor_put_uint(&o, 1);
    hm_cbor_put_uint(&o, what);
    hm_cbor_put_uint(&o, 1);
    hm_cbor_put_uint(&o, 1);
    hm_cbor_put_uint(&o, 2);
    assert_int_equal(hm_proof_scratch(hm_out_bytes(&o), &bytes, &fault), HM_UNSUPPORTED);
    assert_non_null(fault.sentence);
  }
}

static void hostile_heads_are_refused_at_once(void **state)
{
  (void)state;
  struct hm_proof_fault fault;
  size_t bytes;
  static const uint8_t huge_array[] = {0x9b, 0, 0, 0, 1, 0, 0, 0, 0};
  static const uint8_t endless[] = {0x9f, 0x00};
  const struct hm_bytes files[] = {
      {huge_array, sizeof huge_array}, {endless, sizeof endless}, {NULL, 0}};
  for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
    assert_int_equal(hm_status_row(hm_proof_scratch(files[i], &bytes, &fault))->exit_code, 6);
  uint8_t file[64]; /* 65,535 items that are not there */
  struct hm_hmk_head head = {HM_PROOF_RECORDS, 65535};
  struct hm_out o = hm_out(file, sizeof file);
  MUST(hm_encode(&hm_shape_hmk_head, &head, &o, NULL));
  assert_int_equal(hm_proof_scratch(hm_out_bytes(&o), &bytes, &fault), HM_TRUNCATED);
}

static void too_little_scratch_is_said(void **state)
{
  (void)state;
  struct hm_bytes file = prove_one(1);
  struct hm_proof_authority authority = {.name = "home"};
  struct hm_verdict v;
  size_t bytes;
  memcpy(authority.point, h.world.authority.signer.point, 64);
  MUST(hm_proof_scratch(file, &bytes, NULL));
  assert_true(bytes < 40960);
  void *scratch = malloc(bytes);
  struct hm_proof_input in = {.file = file,
                              .authorities = &authority,
                              .authority_count = 1,
                              .scratch = scratch,
                              .scratch_len = bytes - 1};
  assert_int_equal(hm_proof_verify(engine, &in, &v, NULL), HM_SHORT_BUFFER);
  assert_false(hm_verdict_is_proven(&v));
  free(scratch);
  forget(file);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(every_record_is_proven),
      TEST(several_records_are_proven_together),
      TEST(a_vector_is_recomputed),
      TEST(contents_may_stay_out),
      TEST(a_record_after_the_checkpoint_is_not_yet_in_the_log),
      TEST(pins_are_host_and_sensor),
      TEST(a_consistent_forgery_names_the_authority),
      TEST(a_host_key_given_as_authority_proves_nothing),
      TEST(a_later_revocation_is_said_and_does_not_undo),
      TEST(a_revocation_dated_before_the_batch_says_no),
      TEST(a_given_revocation_must_be_the_authoritys),
      TEST(a_batch_after_a_revocation_is_not_authorized),
      TEST(no_flipped_bit_is_proven),
      TEST(no_flipped_byte_of_many_records_is_proven),
      TEST(no_flipped_bit_of_a_live_set_is_proven),
      TEST(no_truncation_is_proven),
      TEST(no_item_is_dropped_doubled_or_moved),
      TEST(no_item_is_there_for_nothing),
      TEST(other_kinds_of_file_are_refused_by_name),
      TEST(hostile_heads_are_refused_at_once),
      TEST(too_little_scratch_is_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

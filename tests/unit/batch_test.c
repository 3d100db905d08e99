/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Batches and what is in them: facts, sensor leaves, records, commitments, live sets;
 * and paths that lead to the one root.
 */
#include "trust/proof.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/world.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;
static struct world w;

#define MUST(expression) assert_int_equal((expression), HM_OK)

/* ---- leaves of a batch --------------------------------------------------------------------- */
static void sensor_facts_say_what_passed_iff_it_did(void **state)
{
  (void)state;
  uint8_t buffer[512];
  struct hm_sensor_facts good = {.sensor.control = 4,
                                 .passed = 1,
                                 .has_first_frame = true,
                                 .has_last_frame = true,
                                 .has_peripherals = true,
                                 .dropped_count = 1,
                                 .dropped = {3}},
                         f;
  struct hm_out o = hm_out(buffer, sizeof buffer);
  MUST(hm_sensor_facts_encode(&good, &o));
#define REFUSED(change)                                                                            \
  do {                                                                                             \
    f = good;                                                                                      \
    change;                                                                                        \
    o = hm_out(buffer, sizeof buffer);                                                             \
    MUST(hm_encode(&hm_shape_sensor_facts, &f, &o, NULL));                                         \
    assert_int_not_equal(hm_sensor_facts_decode(hm_out_bytes(&o), &f), HM_OK);                     \
  } while (0)
  REFUSED(f.passed = 0);
  REFUSED(f.has_first_frame = false);
  REFUSED(f.has_peripherals = false);
  REFUSED(f.first_frame = 9);
  REFUSED(f.dropped[0] = 0);
  REFUSED((f.has_pairings = true, f.pairing_count = 2, f.pairings[0].context = 5,
           f.pairings[1].context = 5));
#undef REFUSED
}

static void claims_agree_with_themselves(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX];
  const uint8_t root[32] = {0};
  static const struct {
    struct hm_batch_claims claims;
    enum hm_status status;
  } rows[] = {
      {{.number = 1, .first = 1, .count = 1}, HM_OK},
      {{.number = 1, .first = 1}, HM_MALFORMED}, /* a tree of one leaf has no path */
      {{.number = 2, .first = 1, .count = 1}, HM_MALFORMED},
      {{.number = 1, .first = 1, .count = 1, .previous = {1}}, HM_MALFORMED},
      {{.number = 2, .first = 1, .count = 1025, .previous = {1}}, HM_MALFORMED},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hm_out o = hm_out(buffer, sizeof buffer);
    assert_int_equal(hm_batch_make(engine, &w.session.signer, &rows[i].claims, root, &o),
                     rows[i].status);
  }
}

/* ---- live set, record, batch ------------------------------------------------------------- */
static void a_live_set_ascends(void **state)
{
  (void)state;
  uint8_t buffer[1024];
  size_t count;
  struct hm_live_pairing rows[2] = {{{1}, 5, {1}, 4}, {{1}, 6, {0}, 5}}, back;
  struct hm_out o = hm_out(buffer, sizeof buffer);
  MUST(hm_live_encode(rows, 2, &o));
  MUST(hm_live_check(hm_out_bytes(&o), &count));
  assert_int_equal(count, 2);
  struct hm_live_cursor cursor;
  MUST(hm_live_begin(hm_out_bytes(&o), &cursor));
  MUST(hm_live_next(&cursor, &back));
  MUST(hm_live_next(&cursor, &back));
  assert_int_equal(back.context, 6);
  assert_int_equal(hm_live_next(&cursor, &back), HM_NOT_FOUND);
  rows[1].context = 4;
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_live_encode(rows, 2, &o), HM_MALFORMED);
  o = hm_out(buffer, sizeof buffer);
  MUST(hm_live_encode(NULL, 0, &o));
  MUST(hm_live_check(hm_out_bytes(&o), &count));
}

static struct hm_record plain_record(void)
{
  struct hm_record r = {.number = 1,
                        .type = HM_RECORD_MEMORY,
                        .sensor = {{0}, 3},
                        .has_pairings = true,
                        .pairing_count = 1,
                        .pairings = {{HM_CONTEXT_DRIVE, {7}}},
                        .has_sensor_leaf = true,
                        .sensor_leaf = 1,
                        .batch_number = 1,
                        .level = 5,
                        .has_frame = true,
                        .has_raw_ns = true,
                        .has_clock_domain = true,
                        .clock_domain = HM_CLOCK_PIPELINE,
                        .has_time = true,
                        .has_error_ns = true,
                        .has_region = true,
                        .has_trust = true,
                        .trust = {256, 200, 256, 256, 256},
                        .has_vector = true};
  return r;
}

static void a_record_has_what_its_type_needs(void **state)
{
  (void)state;
  uint8_t buffer[HM_RECORD_MAX];
  struct hm_where where;
  struct hm_record good = plain_record(), r, back;
  struct hm_out o = hm_out(buffer, sizeof buffer);
  MUST(hm_record_encode(&good, &o, &where));
  MUST(hm_record_decode(hm_out_bytes(&o), &back, &where));
  assert_int_equal(back.trust[1], 200);
#define REFUSED(change, name)                                                                      \
  do {                                                                                             \
    r = good;                                                                                      \
    change;                                                                                        \
    o = hm_out(buffer, sizeof buffer);                                                             \
    assert_int_equal(hm_record_encode(&r, &o, &where), HM_MALFORMED);                              \
    assert_string_equal(where.field, name);                                                        \
  } while (0)
  REFUSED(r.has_pairings = false, "pairings");
  REFUSED(r.has_sensor_leaf = false, "sensor-leaf");
  REFUSED(r.has_frame = false, "frame");
  REFUSED(r.has_raw_ns = false, "raw-ns");
  REFUSED(r.has_clock_domain = false, "clock-domain");
  REFUSED(r.has_region = false, "region");
  REFUSED(r.has_trust = false, "trust");
  REFUSED(r.has_vector = false, "vector");
  REFUSED(r.has_event = true, "event");
  REFUSED(r.has_error_ns = false, "error-ns");
  REFUSED(r.has_time = false, "error-ns");
  REFUSED((r.pairing_count = 2, r.pairings[1] = r.pairings[0]), "pairings");
  REFUSED(r.trust[2] = 257, "noise");
  REFUSED(r.sensor_leaf = 33, "sensor-leaf");
#undef REFUSED
}

static void trust_folds_in_order_and_names_its_lowest(void **state)
{
  (void)state;
  const uint64_t factors[5] = {256, 128, 256, 256, 200};
  assert_int_equal(hm_trust_fold(factors), ((128 * 256 >> 8) * 200) >> 8);
  assert_string_equal(hm_trust_factor_name(hm_trust_lowest(factors)), "sharp");
  const struct hm_q8 parts[5] = {{true, 100}, {true, 201}, {false, 0}, {false, 0}, {false, 0}};
  struct hm_q8 mean = hm_value_mean(parts);
  assert_true(mean.has);
  assert_int_equal(mean.q8, 150);
  const struct hm_q8 none[5] = {{false, 9}};
  assert_false(hm_value_mean(none).has);
}

static void a_commitment_binds_kind_salt_and_bytes(void **state)
{
  (void)state;
  uint8_t salt[16] = {1}, a[32], b[32], direct[32];
  struct hm_bytes content = hm_bytes("abc", 3);
  MUST(hm_commitment(engine, HM_COMMIT_PICTURE, salt, content, a));
  const struct hm_bytes whole[3] = {
      {(const uint8_t *)"hallmark/1 picture\0", 19}, {salt, 16}, content};
  MUST(engine->sha256(whole, 3, direct));
  assert_memory_equal(a, direct, 32);
  MUST(hm_commitment(engine, HM_COMMIT_VECTOR, salt, content, b));
  assert_memory_not_equal(a, b, 32);
  salt[15] = 1;
  MUST(hm_commitment(engine, HM_COMMIT_PICTURE, salt, content, b));
  assert_memory_not_equal(a, b, 32);
}

static void a_batch_carries_its_proofs(void **state)
{
  (void)state;
  enum { LEAVES = 12 };
  uint8_t leaves[LEAVES][32], root[32], got[32], object[HM_SIGN1_MAX], proven[16384], name[32];
  struct hm_batch_claims claims = {.iat = 5,
                                   .number = 1,
                                   .first = 1,
                                   .count = 9,
                                   .sensors = 2,
                                   .control_size = 7},
                         back;
  for (size_t i = 0; i < LEAVES; i++)
    memset(leaves[i], (int)(i + 1), 32);
  const uint8_t(*view)[32] = (const uint8_t(*)[32])leaves;
  MUST(hm_tree_root(engine, view, LEAVES, root));
  struct hm_out o = hm_out(object, sizeof object);
  MUST(hm_batch_make(engine, &w.session.signer, &claims, root, &o));
  MUST(hm_batch_open(engine, hm_out_bytes(&o), w.session.signer.point, root, &back, name));
  assert_int_equal(back.count, 9);
  assert_int_equal(hm_batch_open(engine, hm_out_bytes(&o), w.host.signer.point, root, &back, name),
                   HM_MISMATCH);
  root[0] ^= 1;
  assert_int_equal(
      hm_batch_open(engine, hm_out_bytes(&o), w.session.signer.point, root, &back, name),
      HM_BAD_SIGNATURE);
  root[0] ^= 1;

  const uint32_t wanted[3] = {0, 2, 11};
  struct hm_out with = hm_out(proven, sizeof proven);
  MUST(hm_batch_with_proofs(engine, hm_out_bytes(&o), view, LEAVES, wanted, 3, &with));
  struct hm_sign1 s;
  MUST(hm_batch_peek(hm_out_bytes(&with), true, &s, &back));
  assert_int_not_equal(hm_batch_peek(hm_out_bytes(&with), false, &s, &back), HM_OK);
  MUST(hm_batch_peek(hm_out_bytes(&with), true, &s, &back));
  struct hm_proof_cursor cursor;
  struct hm_inclusion_proof proof;
  MUST(hm_batch_proofs_begin(s.unprotected, &cursor));
  for (size_t i = 0; i < 3; i++) {
    MUST(hm_batch_proofs_next(&cursor, &proof));
    assert_int_equal(proof.index, wanted[i]);
    MUST(hm_batch_proof_root(engine, &proof, leaves[proof.index], got));
    assert_memory_equal(got, root, 32);
  }
  assert_int_equal(hm_batch_proofs_next(&cursor, &proof), HM_NOT_FOUND);
}

/* Paths of every size and index lead to the root, and to no other. */
static void batch_paths_hold_for_every_size(void **state)
{
  (void)state;
  static uint8_t leaves[70][32];
  const uint8_t(*view)[32] = (const uint8_t(*)[32])leaves;
  uint8_t root[32], got[32];
  for (size_t i = 0; i < 70; i++)
    memset(leaves[i], (int)(i + 1), 32);
  for (size_t size = 2; size <= 70; size++) {
    MUST(hm_tree_root(engine, view, size, root));
    for (size_t index = 0; index < size; index++) {
      struct hm_path path;
      struct hm_inclusion_proof proof = {.size = size, .index = index};
      MUST(hm_tree_inclusion(engine, view, size, index, &path));
      proof.count = path.count;
      memcpy(proof.hash, path.hash, path.count * sizeof path.hash[0]);
      MUST(hm_batch_proof_root(engine, &proof, leaves[index], got));
      assert_memory_equal(got, root, 32);
      proof.count--;
      assert_int_equal(hm_batch_proof_root(engine, &proof, leaves[index], got), HM_BAD_PROOF);
    }
  }
}

static int start(void **state)
{
  (void)state;
  world_make(&w, 1);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sensor_facts_say_what_passed_iff_it_did),
      cmocka_unit_test(claims_agree_with_themselves),
      cmocka_unit_test(a_live_set_ascends),
      cmocka_unit_test(a_record_has_what_its_type_needs),
      cmocka_unit_test(trust_folds_in_order_and_names_its_lowest),
      cmocka_unit_test(a_commitment_binds_kind_salt_and_bytes),
      cmocka_unit_test(a_batch_carries_its_proofs),
      cmocka_unit_test(batch_paths_hold_for_every_size),
  };
  return cmocka_run_group_tests(tests, start, NULL);
}

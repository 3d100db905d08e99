/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every object of the formats: what is made is opened and says the same; what its
 * rules forbid is neither made nor opened.
 */
#include "trust/proof.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/world.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;
static struct world w;

#define MUST(expression) assert_int_equal((expression), HM_OK)

/* ---- signed objects -------------------------------------------------------------------- */
static void a_binding_says_what_the_entity_said(void **state)
{
  (void)state;
  assert_memory_equal(w.camera_entity.lct, w.camera.signer.kid, 32);
  assert_memory_equal(w.camera_entity.bound_to, w.host.signer.kid, 32);
  assert_int_equal(w.camera_entity.class, HM_CLASS_H);
  assert_int_equal(w.camera_entity.kind, HM_KIND_CAMERA);
  assert_string_equal(w.camera_entity.serial, "unit 1");
}

static void a_hosted_entity_needs_its_hosts_countersignature(void **state)
{
  (void)state;
  struct hm_entity e;
  const uint8_t *authority = w.authority.signer.point;
  struct hm_bytes object = world_bytes(&w.camera_binding);
  assert_int_equal(hm_binding_open(engine, object, authority, NULL, NULL, &e), HM_NOT_FOUND);
  assert_int_equal(hm_binding_open(engine, object, authority, &w.camera_entity, NULL, &e),
                   HM_MISMATCH);
  assert_int_equal(hm_binding_open(engine, object, w.host.signer.point, &w.host_entity, NULL, &e),
                   HM_BAD_SIGNATURE);
}

/* Every bit of a certificate: flipped, it is never taken. */
static void no_bit_of_a_certificate_is_free(void **state)
{
  (void)state;
  struct hm_entity e;
  struct hm_pairing p;
  struct world_object changed = w.camera_binding;
  for (size_t bit = 0; bit < changed.len * 8; bit++) {
    changed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_int_not_equal(hm_binding_open(engine, world_bytes(&changed), w.authority.signer.point,
                                         &w.host_entity, NULL, &e),
                         HM_OK);
    changed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
  changed = w.pairing;
  for (size_t bit = 0; bit < changed.len * 8; bit++) {
    changed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_int_not_equal(
        hm_pairing_open(engine, world_bytes(&changed), w.authority.signer.point, NULL, &p), HM_OK);
    changed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
  }
}

static void times_are_judged_by_quality(void **state)
{
  (void)state;
  struct hm_times trusted = {1000, HM_QUALITY_AUTHORITY, 500};
  struct hm_times blind = {0, HM_QUALITY_NONE, 500};
  MUST(hm_times_check(NULL, 0, 0, 0));
  MUST(hm_times_check(&trusted, 900, 1001, 900));
  assert_int_equal(hm_times_check(&trusted, 900, 1000, 900), HM_EXPIRED);
  assert_int_equal(hm_times_check(&trusted, 1301, 2000, 900), HM_NOT_YET_VALID);
  assert_int_equal(hm_times_check(&trusted, 900, 2000, 1301), HM_NOT_YET_VALID);
  MUST(hm_times_check(&trusted, 1300, 2000, 1300));
  assert_int_equal(hm_times_check(&blind, 0, 500, 0), HM_EXPIRED);
  MUST(hm_times_check(&blind, 0, 501, 500 + HM_LIFE_MAX_S));
  assert_int_equal(hm_times_check(&blind, 0, 501, 501 + HM_LIFE_MAX_S), HM_NOT_YET_VALID);
}

static void lives_have_their_limits(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX];
  struct hm_out o = hm_out(buffer, sizeof buffer);
  struct hm_session s = {.nbf = 100,
                         .exp = 100 + HM_SESSION_MAX_S,
                         .iat = 100,
                         .first = 1,
                         .purpose_count = 1,
                         .purposes = {HM_PURPOSE_BATCHES}};
  memcpy(s.key, w.session.signer.point, 64);
  MUST(hm_session_make(engine, &w.host.signer, &s, &o));
  s.exp++;
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_session_make(engine, &w.host.signer, &s, &o), HM_MALFORMED);

  struct hm_pairing p = w.pairing_facts;
  p.exp = p.nbf + HM_LIFE_MAX_S;
  o = hm_out(buffer, sizeof buffer);
  MUST(hm_pairing_make(engine, &w.authority.signer, &p, &o));
  p.exp++;
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_pairing_make(engine, &w.authority.signer, &p, &o), HM_MALFORMED);
}

static void a_policy_names_its_context_iff_custom(void **state)
{
  (void)state;
  uint8_t buffer[1024];
  struct hm_policy p = w.pairing_facts.policy;
  struct hm_out o = hm_out(buffer, sizeof buffer);
  p.context = HM_CONTEXT_CUSTOM;
  assert_int_equal(hm_policy_encode(&p, &o), HM_MALFORMED);
  p.has_context_name = true;
  p.context_name = hm_bytes("harvest", 7);
  o = hm_out(buffer, sizeof buffer);
  MUST(hm_policy_encode(&p, &o));
  p.context = 7; /* neither of ours nor custom */
  p.has_context_name = false;
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_policy_encode(&p, &o), HM_UNSUPPORTED);
  p.context = HM_CONTEXT_DRIVE;
  p.data_types[0] = 12; /* 10..15 are refused */
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_policy_encode(&p, &o), HM_UNSUPPORTED);
}

static void receipts_have_what_their_kind_needs(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX];
  static const struct {
    struct hm_receipt receipt;
    enum hm_status status;
  } rows[] = {
      {{.level = 6, .kind = HM_RECEIPT_COMPLETION, .has_certificate = true, .evidence_count = 2},
       HM_OK},
      {{.level = 6, .kind = HM_RECEIPT_COMPLETION, .evidence_count = 2}, HM_MALFORMED},
      {{.level = 6, .kind = HM_RECEIPT_COMPLETION, .has_certificate = true, .evidence_count = 1},
       HM_MALFORMED},
      {{.level = 5, .kind = HM_RECEIPT_COMPLETION, .has_certificate = true, .evidence_count = 2},
       HM_MALFORMED},
      {{.level = 5, .kind = 9}, HM_UNSUPPORTED},
      {{.level = 5, .kind = HM_RECEIPT_GENESIS, .evidence_count = 2}, HM_OK},
      {{.level = 5, .kind = HM_RECEIPT_GENESIS}, HM_MALFORMED},
      {{.level = 5, .kind = HM_RECEIPT_START, .has_start = true}, HM_OK},
      {{.level = 5, .kind = HM_RECEIPT_START}, HM_MALFORMED},
      {{.level = 5, .kind = HM_RECEIPT_BALANCE, .has_start = true}, HM_MALFORMED},
      {{.level = 5, .kind = HM_RECEIPT_SEGMENT_OPENED, .has_first = true, .has_count = true},
       HM_OK},
      {{.level = 5,
        .kind = HM_RECEIPT_SEGMENT_OPENED,
        .has_first = true,
        .has_count = true,
        .count = 1},
       HM_MALFORMED},
      {{.level = 5, .kind = HM_RECEIPT_SEGMENT_CLOSED, .has_first = true, .has_count = true},
       HM_MALFORMED},
      {{.level = 5,
        .kind = HM_RECEIPT_SEGMENT_CLOSED,
        .has_first = true,
        .has_count = true,
        .has_data_range = true},
       HM_OK},
      {{.level = 5, .kind = HM_RECEIPT_EFFECTIVE, .has_certificate = true, .has_last_frame = true},
       HM_OK},
      {{.level = 5, .kind = HM_RECEIPT_BALANCE, .has_last_frame = true}, HM_MALFORMED},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hm_out o = hm_out(buffer, sizeof buffer);
    assert_int_equal(hm_receipt_make(engine, &w.host.signer, &rows[i].receipt, &o), rows[i].status);
  }
}

static void revocations_know_their_two_bodies(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX], name[32];
  struct hm_revocation r = {.iat = 1, .number = 1, .reason = HM_REASON_OPERATOR}, back;
  struct hm_out o = hm_out(buffer, sizeof buffer);
  MUST(hm_revocation_make(engine, &w.authority.signer, &r, &o));
  MUST(hm_revocation_open(engine, hm_out_bytes(&o), w.authority.signer.point, &back, name));
  assert_false(back.is_local);
  r.number = 2; /* the second has something before it */
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_revocation_make(engine, &w.authority.signer, &r, &o), HM_MALFORMED);

  struct hm_revocation local = {.iat = 1,
                                .is_local = true,
                                .reason = HM_REASON_OPERATOR,
                                .has_evidence = true,
                                .evidence_count = 2};
  memset(local.evidence[1], 1, 32);
  o = hm_out(buffer, sizeof buffer);
  MUST(hm_revocation_make(engine, &w.host.signer, &local, &o));
  MUST(hm_revocation_open(engine, hm_out_bytes(&o), w.host.signer.point, &back, name));
  assert_true(back.is_local);
  assert_true(hm_revocation_names(&back, local.evidence[1]));
  memset(local.evidence[0], 1, 32); /* not ascending */
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_revocation_make(engine, &w.host.signer, &local, &o), HM_MALFORMED);
}

static void a_kid_that_is_not_the_signers_is_refused(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX];
  struct hm_signer liar = w.host.signer;
  struct hm_law law = {.iat = 1}, back;
  struct hm_out o = hm_out(buffer, sizeof buffer);
  memcpy(liar.kid, w.camera.signer.kid, 32);
  MUST(hm_law_make(engine, &liar, &law, &o));
  assert_int_equal(hm_law_open(engine, hm_out_bytes(&o), w.host.signer.point, &back, NULL),
                   HM_MISMATCH);
}

static void a_manifest_counts_what_it_lists(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX];
  struct hm_export e = {.iat = 1,
                        .kind = HM_EXPORT_PROOF,
                        .count = 3,
                        .exported_count = 2,
                        .exported = {{{1}, 1}, {{2}, 2}}};
  struct hm_out o = hm_out(buffer, sizeof buffer);
  MUST(hm_export_make(engine, &w.host.signer, &e, &o));
  e.count = 4;
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_export_make(engine, &w.host.signer, &e, &o), HM_MALFORMED);
  e.count = 3;
  e.kind = HM_EXPORT_EXPORT; /* needs a context */
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_export_make(engine, &w.host.signer, &e, &o), HM_MALFORMED);
}

static void a_log_proof_leads_to_the_authoritys_root(void **state)
{
  (void)state;
  struct world other;
  struct hm_log_view view;
  uint8_t proof[8192];
  world_make(&other, 9);
  world_log_proof(&other, &other.host_binding, proof, sizeof proof);
  size_t len = world_log_proof(&other, &other.camera_binding, proof, sizeof proof);
  struct hm_bytes p = hm_bytes(proof, len);
  const uint8_t *authority = other.authority.signer.point;
  MUST(hm_log_proof_verify(engine, p, world_bytes(&other.camera_binding), authority, &view));
  assert_int_equal(view.size, 2);
  assert_int_equal(
      hm_log_proof_verify(engine, p, world_bytes(&other.host_binding), authority, &view),
      HM_BAD_PROOF);
  for (size_t bit = 0; bit < len * 8; bit++) {
    proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
    assert_int_not_equal(
        hm_log_proof_verify(engine, p, world_bytes(&other.camera_binding), authority, &view),
        HM_OK);
    proof[bit / 8] ^= (uint8_t)(1u << bit % 8);
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

static void the_checkpoint_text_is_a_function_of_it(void **state)
{
  (void)state;
  char text[HM_CHECKPOINT_TEXT_MAX];
  struct hm_tree_head tree = {.size = 1234567};
  uint8_t kid[32] = {0};
  struct hm_out o = hm_out(text, sizeof text);
  MUST(hm_checkpoint_text(kid, &tree, &o));
  assert_memory_equal(text,
                      "hallmark/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n1234567\n"
                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
                      o.len);
  assert_int_equal(o.len, 9 + 52 + 1 + 7 + 1 + 44 + 1);
}

static void capabilities_are_refused_outside_the_map(void **state)
{
  (void)state;
  MUST(hm_capability_check(HM_CLASS_H, HM_ENTITY_SENSOR, HM_KIND_CAMERA));
  assert_int_equal(hm_capability_check(HM_CLASS_H, HM_ENTITY_SENSOR, HM_KIND_NONE), HM_POLICY);
  assert_int_equal(hm_capability_check(HM_CLASS_A, HM_ENTITY_MODULE, 0), HM_POLICY);
  assert_int_equal(hm_capability_check(HM_CLASS_A, HM_ENTITY_HOST, HM_KIND_IMU), HM_POLICY);
  assert_int_equal(hm_capability_check(0, HM_ENTITY_HOST, 0), HM_POLICY);
  MUST(hm_protection_check(HM_DATA_STATUS, HM_PROTECTION_CLEAR));
  assert_int_equal(hm_protection_check(HM_DATA_COMMAND, HM_PROTECTION_CLEAR), HM_POLICY);
  assert_int_equal(hm_protection_check(12, HM_PROTECTION_CLEAR), HM_UNSUPPORTED);
  assert_int_equal(hm_assurance_ceiling(HM_ANCHOR_TPM2), 750);
}

static void words_and_codes_are_one_to_one(void **state)
{
  (void)state;
  for (size_t t = 0; t < hm_code_table_count; t++)
    for (size_t i = 0; i < hm_code_tables[t]->count; i++) {
      const struct hm_code *code = &hm_code_tables[t]->codes[i];
      uint32_t back;
      assert_true(hm_code_find(hm_code_tables[t], hm_bytes(code->name, strlen(code->name)), &back));
      assert_int_equal(back, code->code);
      assert_string_equal(hm_code_name(hm_code_tables[t], code->code), code->name);
    }
  uint32_t none;
  assert_false(hm_code_find(&hm_contexts, hm_bytes("driv", 4), &none));
  assert_false(hm_code_find(&hm_contexts, hm_bytes("drivex", 6), &none));
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
      cmocka_unit_test(a_binding_says_what_the_entity_said),
      cmocka_unit_test(a_hosted_entity_needs_its_hosts_countersignature),
      cmocka_unit_test(no_bit_of_a_certificate_is_free),
      cmocka_unit_test(times_are_judged_by_quality),
      cmocka_unit_test(lives_have_their_limits),
      cmocka_unit_test(a_policy_names_its_context_iff_custom),
      cmocka_unit_test(receipts_have_what_their_kind_needs),
      cmocka_unit_test(revocations_know_their_two_bodies),
      cmocka_unit_test(a_kid_that_is_not_the_signers_is_refused),
      cmocka_unit_test(a_manifest_counts_what_it_lists),
      cmocka_unit_test(a_log_proof_leads_to_the_authoritys_root),
      cmocka_unit_test(a_live_set_ascends),
      cmocka_unit_test(a_record_has_what_its_type_needs),
      cmocka_unit_test(trust_folds_in_order_and_names_its_lowest),
      cmocka_unit_test(a_commitment_binds_kind_salt_and_bytes),
      cmocka_unit_test(a_batch_carries_its_proofs),
      cmocka_unit_test(batch_paths_hold_for_every_size),
      cmocka_unit_test(the_checkpoint_text_is_a_function_of_it),
      cmocka_unit_test(capabilities_are_refused_outside_the_map),
      cmocka_unit_test(words_and_codes_are_one_to_one),
  };
  return cmocka_run_group_tests(tests, start, NULL);
}

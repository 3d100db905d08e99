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

/* A request as somebody may sign it who keeps no rule. */
static struct hm_bytes sign_request(const struct hm_binding_request *r, uint8_t *buffer)
{
  struct hm_out o = hm_out(buffer, HM_SIGN1_MAX);
  MUST(hm_signed_make(engine, &w.camera.signer, HM_TYP_BINDING_REQUEST, &hm_shape_binding_request,
                      r, &o));
  return hm_out_bytes(&o);
}

static struct hm_binding_request plain_request(void)
{
  struct hm_binding_request r = {.iat = w.now,
                                 .class = HM_CLASS_H,
                                 .type = HM_ENTITY_SENSOR,
                                 .kind = HM_KIND_CAMERA,
                                 .anchor = HM_ANCHOR_FILE,
                                 .has_bound_to = true};
  memcpy(r.sign, w.camera.signer.point, 64);
  memcpy(r.agree, w.camera.agree, 64);
  memcpy(r.bound_to, w.host.signer.kid, 32);
  return r;
}

static void a_request_keeps_the_rules_of_its_class_and_type(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX], made[HM_SIGN1_MAX], name[32];
  struct hm_binding_request good = plain_request(), r, back;
  MUST(hm_binding_request_open(engine, sign_request(&good, buffer), &back, name));
#define REFUSED(change, status)                                                                    \
  do {                                                                                             \
    r = good;                                                                                      \
    change;                                                                                        \
    assert_int_equal(hm_binding_request_open(engine, sign_request(&r, buffer), &back, name),       \
                     status);                                                                      \
    struct hm_out o = hm_out(made, sizeof made);                                                   \
    assert_int_not_equal(hm_binding_request_make(engine, &w.camera.signer, &r, &o), HM_OK);        \
  } while (0)
  REFUSED(memcpy(r.agree, r.sign, 64), HM_MALFORMED);
  REFUSED(r.has_bound_to = false, HM_MALFORMED);
  REFUSED(r.class = HM_CLASS_S, HM_MALFORMED);
  REFUSED(r.kind = HM_KIND_NONE, HM_POLICY);
  REFUSED(r.type = HM_ENTITY_HOST, HM_POLICY);
  REFUSED((r.has_encoder_info = true, r.encoder_info = hm_bytes("x", 1)), HM_MALFORMED);
  REFUSED((r.type = HM_ENTITY_ENCODER, r.kind = HM_KIND_NONE), HM_MALFORMED);
#undef REFUSED
  r = good;
  r.agree[0] ^= 1; /* not on the curve */
  assert_int_equal(hm_binding_request_open(engine, sign_request(&r, buffer), &back, name),
                   HM_MALFORMED);
  r = good; /* names one key, signed by another */
  memcpy(r.sign, w.host.signer.point, 64);
  assert_int_equal(hm_binding_request_open(engine, sign_request(&r, buffer), &back, name),
                   HM_BAD_SIGNATURE);
}

static void an_encoder_is_the_hash_of_what_describes_it(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX], info_bytes[256], name[32];
  struct hm_encoder info = {.version = hm_bytes("1", 1), .dimension = 8, .scale = 1};
  struct hm_out o = hm_out(info_bytes, sizeof info_bytes);
  MUST(hm_encoder_encode(&info, &o));
  struct hm_binding_request r = plain_request(), back;
  r.type = HM_ENTITY_ENCODER;
  r.kind = HM_KIND_NONE;
  r.has_encoder_info = true;
  r.encoder_info = hm_out_bytes(&o);
  MUST(engine->sha256(&r.encoder_info, 1, r.descriptors));
  MUST(hm_binding_request_open(engine, sign_request(&r, buffer), &back, name));
  r.descriptors[0] ^= 1;
  assert_int_equal(hm_binding_request_open(engine, sign_request(&r, buffer), &back, name),
                   HM_MISMATCH);
}

/* A binding around a request, with the countersignature of a signer over a name, or none. */
static enum hm_status bind_with(struct hm_bytes request, const struct hm_signer *signer,
                                const uint8_t name[32])
{
  uint8_t countersign[HM_SIGN1_MAX], object[HM_SIGN1_MAX];
  struct hm_entity entity;
  struct hm_binding b = {.exp = w.now + 1000, .nbf = w.now, .iat = w.now, .request = request};
  struct hm_out o = hm_out(countersign, sizeof countersign);
  if (signer != NULL) {
    struct hm_countersignature c = {.iat = w.now};
    memcpy(c.certificate, name, 32);
    MUST(hm_countersignature_make(engine, signer, &c, &o));
    b.has_countersign = true;
    b.countersign = hm_out_bytes(&o);
  }
  struct hm_out out = hm_out(object, sizeof object);
  MUST(hm_binding_make(engine, &w.authority.signer, &b, &out));
  return hm_binding_open(engine, hm_out_bytes(&out), w.authority.signer.point, &w.host_entity, NULL,
                         &entity);
}

static void a_countersignature_is_by_the_host_over_this_request(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX], name[32], other[32] = {0};
  struct hm_binding_request r = plain_request(), back;
  struct hm_bytes request = sign_request(&r, buffer);
  MUST(hm_binding_request_open(engine, request, &back, name));
  MUST(bind_with(request, &w.host.signer, name));
  assert_int_equal(bind_with(request, NULL, name), HM_MALFORMED);
  assert_int_equal(bind_with(request, &w.host.signer, other), HM_MISMATCH);
  assert_int_equal(bind_with(request, &w.camera.signer, name), HM_BAD_SIGNATURE);
  r.class = HM_CLASS_A; /* with keys of its own it needs none, and may have none */
  r.type = HM_ENTITY_APP;
  r.kind = HM_KIND_NONE;
  request = sign_request(&r, buffer);
  MUST(hm_binding_request_open(engine, request, &back, name));
  MUST(bind_with(request, NULL, name));
  assert_int_equal(bind_with(request, &w.host.signer, name), HM_MALFORMED);
}

static void a_time_names_the_newest_revocation(void **state)
{
  (void)state;
  uint8_t buffer[HM_SIGN1_MAX];
  struct hm_signed_time t = {.iat = 1, .revocations = 1};
  struct hm_out o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_signed_time_make(engine, &w.authority.signer, &t, &o), HM_MALFORMED);
  t.has_previous = true;
  o = hm_out(buffer, sizeof buffer);
  MUST(hm_signed_time_make(engine, &w.authority.signer, &t, &o));
  t.revocations = 0;
  o = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_signed_time_make(engine, &w.authority.signer, &t, &o), HM_MALFORMED);
}

static void nobody_is_paired_with_himself(void **state)
{
  (void)state;
  uint8_t buffer[1024];
  struct hm_policy p = w.pairing_facts.policy;
  struct hm_out o = hm_out(buffer, sizeof buffer);
  memcpy(p.entities[1], p.entities[0], 32);
  assert_int_equal(hm_policy_encode(&p, &o), HM_MALFORMED);
}

/* Signed by the right key, but the checkpoint of a host. */
static void a_log_proof_stands_under_an_authoritys_checkpoint(void **state)
{
  (void)state;
  uint8_t checkpoint[HM_SIGN1_MAX], bytes[8192];
  struct hm_checkpoint c = {.iat = 1, .control_tree.size = 1};
  struct hm_log_proof proof = {.index = 0};
  struct hm_log_view view;
  struct hm_sign1 s;
  MUST(hm_sign1_parse(world_bytes(&w.pairing), false, &s));
  MUST(hm_sign1_leaf(engine, &s, s.payload, c.control_tree.root));
  for (int with = 0; with < 2; with++) {
    c.has_revocations = with;
    struct hm_out o = hm_out(checkpoint, sizeof checkpoint);
    MUST(hm_checkpoint_make(engine, &w.authority.signer, &c, &o));
    proof.checkpoint = hm_out_bytes(&o);
    o = hm_out(bytes, sizeof bytes);
    MUST(hm_log_proof_encode(&proof, &o));
    assert_int_equal(hm_log_proof_verify(engine, hm_out_bytes(&o), world_bytes(&w.pairing),
                                         w.authority.signer.point, &view),
                     with ? HM_OK : HM_WRONG_TYPE);
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
      cmocka_unit_test(a_request_keeps_the_rules_of_its_class_and_type),
      cmocka_unit_test(an_encoder_is_the_hash_of_what_describes_it),
      cmocka_unit_test(a_countersignature_is_by_the_host_over_this_request),
      cmocka_unit_test(a_time_names_the_newest_revocation),
      cmocka_unit_test(nobody_is_paired_with_himself),
      cmocka_unit_test(times_are_judged_by_quality),
      cmocka_unit_test(lives_have_their_limits),
      cmocka_unit_test(a_policy_names_its_context_iff_custom),
      cmocka_unit_test(receipts_have_what_their_kind_needs),
      cmocka_unit_test(revocations_know_their_two_bodies),
      cmocka_unit_test(a_kid_that_is_not_the_signers_is_refused),
      cmocka_unit_test(a_manifest_counts_what_it_lists),
      cmocka_unit_test(a_log_proof_leads_to_the_authoritys_root),
      cmocka_unit_test(a_log_proof_stands_under_an_authoritys_checkpoint),
      cmocka_unit_test(the_checkpoint_text_is_a_function_of_it),
      cmocka_unit_test(capabilities_are_refused_outside_the_map),
      cmocka_unit_test(words_and_codes_are_one_to_one),
  };
  return cmocka_run_group_tests(tests, start, NULL);
}

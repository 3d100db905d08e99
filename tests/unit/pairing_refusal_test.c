/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the pairing machine refuses, at each message; and that refusing ends it erased.
 */
#include "tests/support/pair_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

/* ---- what P2 is refused for -------------------------------------------------------------- */

static void expect_set(int role, enum hm_status status)
{
  struct hm_out out = scene_buffer(role);
  assert_int_equal(scene_give_set(role, &out), status);
  scene_assert_ended(&scene.side[role], HM_PAIR_FAILED);
  assert_false(scene.side[role].is_burnt);
  assert_int_equal(out.len, 0);
}

static void reissue(const struct party *signer, const struct party *first,
                    const struct party *second, unsigned later)
{
  struct hm_policy policy;
  struct hm_issue_random random;
  party_policy(first->signer.kid, second->signer.kid, &policy);
  party_issue_random(3, &random);
  party_issue(signer, first, second, &policy, later, &random, &scene.issued);
}

static void a_certificate_of_another_authority_is_refused(void **state)
{
  (void)state;
  scene_set();
  reissue(&cast.mallory, &cast.a, &cast.b, 0);
  expect_set(1, HM_BAD_SIGNATURE);
  scene_set();
  scene.issued.certificate[scene.issued.certificate_len - 1] ^= 1;
  expect_set(1, HM_BAD_SIGNATURE);
}

static void changed_or_exchanged_sections_are_refused(void **state)
{
  (void)state;
  scene_set();
  scene.issued.section[1][40] ^= 1;
  expect_set(1, HM_MISMATCH);
  scene_set();
  scene.issued.handshake[30] ^= 1;
  expect_set(1, HM_MISMATCH);
  scene_set();
  memcpy(scene.issued.section[1], scene.issued.section[0], HM_SECTION_MAX);
  expect_set(1, HM_MISMATCH);
  /* Sealed to somebody else, hash and all. */
  scene_set();
  reissue(&cast.authority, &cast.a, &cast.mallory, 0);
  struct hm_issued theirs = scene.issued;
  scene_set();
  scene.issued = theirs;
  expect_set(1, HM_MISMATCH);
}

static void old_and_burnt_certificates_are_refused(void **state)
{
  (void)state;
  scene_set();
  scene.last_iat = PARTY_NOW;
  expect_set(1, HM_REPLAY);
  scene_set();
  scene.last_iat = PARTY_NOW - 1;
  struct hm_out out = scene_buffer(1);
  assert_int_equal(scene_give_set(1, &out), HM_OK);
  scene_set();
  scene.knows_burnt = true;
  memcpy(scene.burnt, scene.issued.name, 32);
  expect_set(1, HM_BURNT);
}

static void times_are_judged(void **state)
{
  (void)state;
  scene_set();
  reissue(&cast.authority, &cast.a, &cast.b, 400);
  expect_set(1, HM_NOT_YET_VALID);
}

static void a_grant_wider_than_the_wish_is_refused(void **state)
{
  (void)state;
  for (int i = 0; i < 3; i++) {
    struct hm_policy policy;
    struct hm_issue_random random;
    scene_set();
    party_policy(cast.a.signer.kid, cast.b.signer.kid, &policy);
    if (i == 0)
      policy.operations[policy.operation_count++] = HM_OP_TRAIN;
    else if (i == 1)
      policy.data_types[policy.data_count++] = HM_DATA_EMBEDDING;
    else
      policy.operation_count = 1;
    party_issue_random(1, &random);
    party_issue(&cast.authority, &cast.a, &cast.b, &policy, 0, &random, &scene.issued);
    scene_ask(0);
    struct hm_out out = scene_buffer(0);
    if (i < 2)
      expect_set(0, HM_POLICY);
    else
      assert_int_equal(scene_give_set(0, &out), HM_OK);
  }
}

static void a_key_that_the_lct_does_not_name_is_refused(void **state)
{
  (void)state;
  struct hm_entity good = cast.a.entity;
  scene_set();
  memcpy(cast.a.entity.sign, cast.mallory.entity.sign, 64);
  struct hm_out out = scene_buffer(1);
  enum hm_status status = scene_give_set(1, &out);
  cast.a.entity = good;
  assert_int_equal(status, HM_MISMATCH);
  scene_assert_ended(&scene.side[1], HM_PAIR_FAILED);
}

/* ---- an authority that puts itself in the middle --------------------------------------------- */

/* It signs a certificate between A and a key of its own that it calls B. */
static void a_substituted_peer_is_refused_when_pinned(void **state)
{
  (void)state;
  scene_set();
  reissue(&cast.authority, &cast.a, &cast.mallory, 0);
  scene_ask(0);
  struct hm_entity good = cast.b.entity;
  cast.b.entity = cast.mallory.entity;
  struct hm_out out = scene_buffer(0);
  enum hm_status status = scene_give_set(0, &out);
  cast.b.entity = good;
  assert_int_equal(status, HM_UNPINNED);
  scene_assert_ended(&scene.side[0], HM_PAIR_FAILED);
  assert_int_equal(out.len, 0);
}

static void a_substituted_peer_is_said_to_be_unpinned_else(void **state)
{
  (void)state;
  scene_set();
  scene_begin_side(0, false);
  memcpy(scene.side[0].setup.peer, cast.mallory.signer.kid, 32); /* what the authority told */
  reissue(&cast.authority, &cast.a, &cast.mallory, 0);
  struct hm_pairing_request wishes;
  struct hm_out out = scene_buffer(0);
  party_wishes(cast.a.signer.kid, cast.mallory.signer.kid, &wishes);
  assert_int_equal(hm_pair_ask(&scene.side[0], engine, &cast.a.signer, &wishes, 0, &out), HM_OK);
  struct hm_entity good = cast.b.entity;
  cast.b.entity = cast.mallory.entity;
  out = scene_buffer(0);
  enum hm_status status = scene_give_set(0, &out);
  cast.b.entity = good;
  assert_int_equal(status, HM_OK);
  assert_false(scene.side[0].is_pinned);
}

/* ---- halves, completions, receipts
 * --------------------------------------------------------------- */

static void a_changed_half_ends_the_pairing(void **state)
{
  (void)state;
  for (size_t bit = 0; bit < 8 * HM_PAIR_HALF; bit += 37) {
    scene_set();
    struct hm_bytes p3 = scene_play_to(HM_PAIR_ISSUED);
    struct hm_out out = scene_buffer(1);
    scene.buffer[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_not_equal(hm_pair_take_half(&scene.side[1], engine, &cast.b.signer, p3, 2000, &out),
                         HM_OK);
    scene_assert_ended(&scene.side[1], HM_PAIR_FAILED);
    assert_true(scene.side[1].is_burnt);
    assert_int_equal(out.len, 0);
  }
  scene_set();
  struct hm_bytes p3 = scene_play_to(HM_PAIR_ISSUED);
  struct hm_out out = scene_buffer(1);
  /* A's own message, sent back to it */
  assert_int_equal(hm_pair_take_half(&scene.side[0], engine, &cast.a.signer, p3, 2000, &out),
                   HM_BAD_TAG);
  p3.len--;
  assert_int_equal(hm_pair_take_half(&scene.side[1], engine, &cast.b.signer, p3, 2000, &out),
                   HM_MALFORMED);
}

static void a_changed_completion_ends_the_pairing(void **state)
{
  (void)state;
  for (size_t bit = 0; bit < 8 * 180; bit += 31) {
    scene_set();
    struct hm_bytes p6 = scene_play_to(HM_PAIR_HANDSHAKE_OPEN);
    struct hm_out out = scene_buffer(1);
    scene.buffer[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_not_equal(hm_pair_take_completion(&scene.side[1], engine, p6, 3000, &out), HM_OK);
    scene_assert_ended(&scene.side[1], HM_PAIR_FAILED);
    assert_int_equal(out.len, 0);
  }
}

/* A peer that knows every secret but signs other facts, or under another key. */
static void a_completion_over_other_facts_is_refused(void **state)
{
  (void)state;
  for (int i = 0; i < 7; i++) {
    scene_set();
    scene_play_to(HM_PAIR_HANDSHAKE_OPEN);
    struct hm_pair *side = &scene.side[0];
    struct hm_completion completion = {.role = i == 0};
    memcpy(completion.pairing_id, side->pairing_id, 16);
    memcpy(completion.nonce, side->nonce, 16);
    memcpy(completion.transcript, side->transcript, 32);
    memcpy(completion.confirm, side->confirm[0], 16);
    completion.pairing_id[0] ^= i == 1;
    completion.nonce[0] ^= i == 2;
    completion.transcript[0] ^= i == 3;
    completion.confirm[0] ^= i == 4;
    const struct hm_signer *signer = i == 5 ? &cast.mallory.signer : &cast.a.signer;
    struct hm_out made = scene_buffer(0), out = scene_buffer(1);
    assert_int_equal(hm_completion_make(engine, signer, &completion, &made), HM_OK);
    enum hm_status expected = i == 6 ? HM_OK : i == 5 ? HM_BAD_SIGNATURE : HM_MISMATCH;
    assert_int_equal(
        hm_pair_take_completion(&scene.side[1], engine, hm_out_bytes(&made), 3000, &out), expected);
    assert_int_equal(scene.side[1].state, i == 6 ? HM_PAIR_VERIFIED : HM_PAIR_FAILED);
  }
}

static void a_receipt_must_be_the_authoritys_over_both_completions(void **state)
{
  (void)state;
  static const struct {
    const char *what;
    enum hm_status status;
  } rows[] = {
      {"of another signer", HM_BAD_SIGNATURE}, {"evidence exchanged", HM_MISMATCH},
      {"of another pairing", HM_MISMATCH},     {"says local", HM_MISMATCH},
      {"another subject", HM_MISMATCH},        {"failed", HM_DENIED},
  };
  for (int i = 0; i < 6; i++) {
    scene_set();
    scene_play_to(HM_PAIR_VERIFIED);
    struct hm_pair *side = &scene.side[0];
    uint8_t names[2][32];
    struct hm_issued issued = scene.issued;
    for (int role = 0; role < 2; role++)
      memcpy(names[role], side->completion_name[i == 1 ? 1 - role : role], 32);
    issued.name[0] ^= i == 2;
    struct hm_bytes receipt = party_receipt(i == 0 ? &cast.mallory : &cast.authority, &issued,
                                            i == 4 ? cast.mallory.signer.kid : cast.a.signer.kid,
                                            names, i == 5, i == 3, scene.buffer[0]);
    enum hm_status got = hm_pair_take_receipt(side, engine, receipt, 4000);
    if (got != rows[i].status)
      fail_msg("%s: %s", rows[i].what, hm_status_row(got)->name);
    scene_assert_ended(side, HM_PAIR_FAILED);
    assert_true(side->is_burnt);
  }
}

static void a_pairing_within_one_process_has_to_be_called_local(void **state)
{
  (void)state;
  for (int says_local = 0; says_local < 2; says_local++) {
    scene_set();
    scene.side[0].setup.is_local = true;
    scene_play_to(HM_PAIR_VERIFIED);
    struct hm_bytes receipt =
        party_receipt(&cast.authority, &scene.issued, cast.b.signer.kid,
                      scene.side[0].completion_name, false, says_local == 1, scene.buffer[0]);
    assert_int_equal(hm_pair_take_receipt(&scene.side[0], engine, receipt, 4000),
                     says_local == 1 ? HM_OK : HM_MISMATCH);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_certificate_of_another_authority_is_refused),
      cmocka_unit_test(changed_or_exchanged_sections_are_refused),
      cmocka_unit_test(old_and_burnt_certificates_are_refused),
      cmocka_unit_test(times_are_judged),
      cmocka_unit_test(a_grant_wider_than_the_wish_is_refused),
      cmocka_unit_test(a_key_that_the_lct_does_not_name_is_refused),
      cmocka_unit_test(a_substituted_peer_is_refused_when_pinned),
      cmocka_unit_test(a_substituted_peer_is_said_to_be_unpinned_else),
      cmocka_unit_test(a_changed_half_ends_the_pairing),
      cmocka_unit_test(a_changed_completion_ends_the_pairing),
      cmocka_unit_test(a_completion_over_other_facts_is_refused),
      cmocka_unit_test(a_receipt_must_be_the_authoritys_over_both_completions),
      cmocka_unit_test(a_pairing_within_one_process_has_to_be_called_local),
  };
  return cmocka_run_group_tests(tests, scene_cast, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The pairing machine, message by message: the honest run, its table, deadlines,
 * repetitions. pairing_refusal_test.c has what it refuses, pairing_process_test.c runs
 * it between processes.
 */
#include "tests/support/pair_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

/* ---- the honest run ---------------------------------------------------------------- */

static void both_sides_end_with_one_secret_and_nothing_else(void **state)
{
  (void)state;
  scene_set();
  scene_play_to(HM_PAIR_COMPLETE);
  uint8_t secret[2][32];
  for (int role = 0; role < 2; role++) {
    struct hm_pair *side = &scene.side[role];
    assert_int_equal(side->state, HM_PAIR_COMPLETE);
    assert_true(side->is_pinned);
    assert_false(side->is_burnt);
    assert_true(scene_is_zero(&side->secret, sizeof side->secret));
    assert_int_equal(hm_pair_secret(side, secret[role]), HM_OK);
    assert_memory_equal(side->name, scene.issued.name, 32);
    assert_memory_equal(side->peer_lct, scene_party(1 - role)->signer.kid, 32);
    assert_int_equal(hm_pair_repeat(side).len, 0);
  }
  assert_memory_equal(secret[0], secret[1], 32);
  assert_false(scene_is_zero(secret[0], 32));
  assert_memory_equal(scene.side[0].transcript, scene.side[1].transcript, 32);
  struct hm_policy policy;
  assert_int_equal(
      hm_policy_decode(hm_bytes(scene.side[0].policy, scene.side[0].policy_len), &policy), HM_OK);
  assert_int_equal(policy.kid16, 0x5678);
  hm_pair_wipe(&scene.side[0]);
  assert_true(scene_is_zero(&scene.side[0], sizeof scene.side[0]));
}

static void another_pairing_has_another_secret(void **state)
{
  (void)state;
  uint8_t first[32], second[32];
  scene_set();
  scene_play_to(HM_PAIR_COMPLETE);
  assert_int_equal(hm_pair_secret(&scene.side[0], first), HM_OK);
  scene_set();
  struct hm_policy policy;
  struct hm_issue_random random;
  party_policy(cast.a.signer.kid, cast.b.signer.kid, &policy);
  party_issue_random(2, &random);
  party_issue(&cast.authority, &cast.a, &cast.b, &policy, 1, &random, &scene.issued);
  scene_play_to(HM_PAIR_COMPLETE);
  assert_int_equal(hm_pair_secret(&scene.side[0], second), HM_OK);
  assert_memory_not_equal(first, second, 32);
}

/* ---- the table ------------------------------------------------------------------------ */

static void the_table_is_whole(void **state)
{
  (void)state;
  bool reached[HM_PAIR_STATE_COUNT] = {[HM_PAIR_IDLE] = true};
  for (size_t i = 0; i < hm_pair_edge_count; i++) {
    const struct hm_pair_edge *edge = &hm_pair_edges[i];
    printf("%-17s %-12s %-17s erases %s (%s)\n", hm_pair_state_text(edge->from),
           hm_pair_event_text(edge->event), hm_pair_state_text(edge->to),
           hm_pair_does_text(edge->does), edge->message);
    assert_true(edge->from < HM_PAIR_EXPIRED);
    for (size_t j = 0; j < i; j++)
      assert_false(hm_pair_edges[j].from == edge->from && hm_pair_edges[j].event == edge->event);
    reached[edge->to] = true;
    /* Whoever ends keeps no secret; a handshake that began and failed burns. */
    if (edge->to >= HM_PAIR_EXPIRED) {
      assert_true(edge->does & HM_PAIR_ERASE_HANDSHAKE);
      if (edge->from >= HM_PAIR_ISSUED)
        assert_true(edge->does & HM_PAIR_ERASE_SECRET);
      if (edge->from >= HM_PAIR_ISSUED && edge->to == HM_PAIR_FAILED)
        assert_true(edge->does & HM_PAIR_BURN);
    }
  }
  for (int s = 0; s < HM_PAIR_STATE_COUNT; s++)
    assert_true(reached[s]);
  assert_string_equal(hm_pair_state_text(HM_PAIR_STATE_COUNT), "?");
  assert_string_equal(hm_pair_does_text(7), "handshake secrets, pairing secret; certificate burnt");
}

static void every_deadline_ends_failed_and_erased(void **state)
{
  (void)state;
  static const enum hm_pair_state reached[] = {HM_PAIR_ISSUED, HM_PAIR_HANDSHAKE_OPEN,
                                               HM_PAIR_VERIFIED};
  for (size_t i = 0; i < 3; i++) {
    scene_set();
    scene_play_to(reached[i]);
    for (int role = 0; role < 2; role++) {
      struct hm_pair *side = &scene.side[role];
      assert_false(hm_pair_tick(side, side->deadline_ms - 1));
      assert_true(hm_pair_tick(side, side->deadline_ms));
      scene_assert_ended(side, HM_PAIR_FAILED);
      assert_true(side->is_burnt);
      assert_false(hm_pair_tick(side, UINT64_MAX));
    }
  }
  scene_set();
  scene_ask(7);
  assert_false(hm_pair_tick(&scene.side[0], 30006));
  assert_true(hm_pair_tick(&scene.side[0], 30007));
  scene_assert_ended(&scene.side[0], HM_PAIR_FAILED);
  assert_false(scene.side[0].is_burnt);

  /* The 30 s bound P3 to P7 from the certificate, not from the last message. */
  scene_set();
  struct hm_bytes p6 = scene_play_to(HM_PAIR_HANDSHAKE_OPEN);
  struct hm_out out = scene_buffer(1);
  assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, p6, 31000, &out), HM_TIMEOUT);
  scene_assert_ended(&scene.side[1], HM_PAIR_FAILED);
}

static void a_receipt_may_take_as_long_as_the_policy_says(void **state)
{
  (void)state;
  static const struct {
    uint64_t within, waits_ms;
  } rows[] = {{0, 30000}, {10, 30000}, {3600, 3600000}, {700000, 604800000}};
  for (size_t i = 0; i < 4; i++) {
    struct hm_policy policy;
    struct hm_issue_random random;
    scene_set();
    party_policy(cast.a.signer.kid, cast.b.signer.kid, &policy);
    party_issue_random(1, &random);
    policy.receipt_within = rows[i].within;
    party_issue(&cast.authority, &cast.a, &cast.b, &policy, 0, &random, &scene.issued);
    scene_play_to(HM_PAIR_VERIFIED);
    assert_int_equal(scene.side[0].deadline_ms, 3000 + rows[i].waits_ms);
  }
}

static void expiry_and_revocation_leave_no_secret(void **state)
{
  (void)state;
  scene_set();
  scene_play_to(HM_PAIR_COMPLETE);
  assert_int_equal(scene.side[0].deadline_ms, 0);
  hm_pair_expire(&scene.side[0]);
  scene_assert_ended(&scene.side[0], HM_PAIR_EXPIRED);
  hm_pair_revoke(&scene.side[1]);
  scene_assert_ended(&scene.side[1], HM_PAIR_REVOKED);
  hm_pair_expire(&scene.side[1]);
  assert_int_equal(scene.side[1].state, HM_PAIR_REVOKED);

  static const enum hm_pair_state reached[] = {HM_PAIR_ISSUED, HM_PAIR_HANDSHAKE_OPEN,
                                               HM_PAIR_VERIFIED};
  for (size_t i = 0; i < 3; i++) {
    scene_set();
    scene_play_to(reached[i]);
    hm_pair_revoke(&scene.side[0]);
    scene_assert_ended(&scene.side[0], HM_PAIR_REVOKED);
    hm_pair_give_up(&scene.side[1]);
    scene_assert_ended(&scene.side[1], HM_PAIR_FAILED);
  }
}

/* ---- repetitions and messages out of turn
 * ----------------------------------------------------------- */

static void a_repeated_message_gets_the_same_answer(void **state)
{
  (void)state;
  uint8_t again[1024];
  scene_set();
  struct hm_bytes p3 = scene_play_to(HM_PAIR_ISSUED);
  assert_true(hm_bytes_equal(hm_pair_repeat(&scene.side[0]), p3));
  struct hm_out p4 = scene_buffer(1), out = hm_out(again, sizeof again);
  assert_int_equal(hm_pair_take_half(&scene.side[1], engine, &cast.b.signer, p3, 2000, &p4), HM_OK);
  assert_int_equal(hm_pair_take_half(&scene.side[1], engine, &cast.b.signer, p3, 2500, &out),
                   HM_OK);
  assert_true(hm_bytes_equal(hm_out_bytes(&p4), hm_out_bytes(&out)));
  assert_int_equal(scene.side[1].state, HM_PAIR_HANDSHAKE_OPEN);

  scene_set();
  struct hm_bytes p6 = scene_play_to(HM_PAIR_HANDSHAKE_OPEN);
  assert_true(hm_bytes_equal(hm_pair_repeat(&scene.side[0]), p6));
  struct hm_out p7 = scene_buffer(1);
  out = hm_out(again, sizeof again);
  assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, p6, 3000, &p7), HM_OK);
  assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, p6, 3500, &out), HM_OK);
  assert_true(hm_bytes_equal(hm_out_bytes(&p7), hm_out_bytes(&out)));
  assert_int_equal(scene.side[1].state, HM_PAIR_VERIFIED);
  out = hm_out(again, sizeof again);
  p6.len--;
  assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, p6, 3500, &out), HM_REPLAY);
  assert_int_equal(scene.side[1].state, HM_PAIR_VERIFIED);

  scene_set();
  struct hm_bytes receipt = scene_play_to(HM_PAIR_COMPLETE);
  assert_int_equal(hm_pair_take_receipt(&scene.side[0], engine, receipt, 5000), HM_OK);
  assert_int_equal(scene.side[0].state, HM_PAIR_COMPLETE);
}

static void messages_out_of_turn_change_nothing(void **state)
{
  (void)state;
  uint8_t bytes[HM_PAIR_HALF] = {0x11};
  struct hm_bytes message = hm_bytes(bytes, sizeof bytes);
  struct hm_out out = scene_buffer(1);
  scene_set();
  struct hm_pair *side = &scene.side[1];
  assert_int_equal(hm_pair_take_half(side, engine, &cast.b.signer, message, 0, &out),
                   HM_WRONG_TYPE);
  assert_int_equal(hm_pair_take_completion(side, engine, message, 0, &out), HM_WRONG_TYPE);
  assert_int_equal(hm_pair_take_receipt(side, engine, message, 0), HM_WRONG_TYPE);
  assert_int_equal(side->state, HM_PAIR_IDLE);
  struct hm_pairing_request wishes;
  party_wishes(cast.b.signer.kid, cast.a.signer.kid, &wishes);
  assert_int_equal(hm_pair_ask(side, engine, &cast.b.signer, &wishes, 0, &out), HM_WRONG_TYPE);
  out = scene_buffer(0);
  assert_int_equal(scene_give_set(0, &out), HM_WRONG_TYPE); /* A has not asked */

  scene_play_to(HM_PAIR_ISSUED);
  out = scene_buffer(1);
  assert_int_equal(hm_pair_take_completion(side, engine, message, 2000, &out), HM_WRONG_TYPE);
  assert_int_not_equal(hm_pair_take_receipt(side, engine, message, 2000), HM_OK);
  assert_int_equal(scene_give_set(1, &out), HM_WRONG_TYPE);
  assert_int_equal(side->state, HM_PAIR_ISSUED);
}

static void the_partners_binding_opens_for_its_pairing_only(void **state)
{
  (void)state;
  uint8_t binding[300], proof[120], object[1024], buffer[1024];
  const uint8_t random[48] = {9}, iv[12] = {8};
  uint8_t name[32] = {7};
  struct hm_bytes binding_read, proof_read;
  memset(binding, 0x5a, sizeof binding);
  memset(proof, 0x41, sizeof proof);
  proof[0] = 0x58;
  proof[1] = sizeof proof - 2;
  struct hm_out out = hm_out(object, sizeof object);
  assert_int_equal(hm_pairing_partner(engine, cast.a.agreement_point, random, iv, name,
                                      hm_bytes(binding, sizeof binding),
                                      hm_bytes(proof, sizeof proof), &out),
                   HM_OK);
  assert_int_equal(hm_pair_partner_open(engine, cast.a.agreement, name, hm_out_bytes(&out), buffer,
                                        sizeof buffer, &binding_read, &proof_read),
                   HM_OK);
  assert_true(hm_bytes_equal(binding_read, hm_bytes(binding, sizeof binding)));
  assert_true(hm_bytes_equal(proof_read, hm_bytes(proof, sizeof proof)));
  assert_int_equal(hm_pair_partner_open(engine, cast.b.agreement, name, hm_out_bytes(&out), buffer,
                                        sizeof buffer, &binding_read, &proof_read),
                   HM_BAD_TAG);
  name[0] ^= 1;
  assert_int_equal(hm_pair_partner_open(engine, cast.a.agreement, name, hm_out_bytes(&out), buffer,
                                        sizeof buffer, &binding_read, &proof_read),
                   HM_BAD_TAG);
}

static void the_authority_never_gives_both_the_same(void **state)
{
  (void)state;
  struct hm_policy policy;
  struct hm_issue_random random;
  struct hm_issued issued;
  party_policy(cast.a.signer.kid, cast.b.signer.kid, &policy);
  struct hm_issue issue = {.exp = PARTY_NOW + 100,
                           .nbf = PARTY_NOW,
                           .iat = PARTY_NOW,
                           .policy = &policy,
                           .callback = hm_bytes("x", 1)};
  memcpy(issue.agree[0], cast.a.agreement_point, 64);
  memcpy(issue.agree[1], cast.b.agreement_point, 64);
  party_issue_random(1, &random);
  memcpy(random.half[1], random.half[0], 32);
  assert_int_equal(hm_pairing_issue(engine, &cast.authority.signer, &issue, &random, &issued),
                   HM_MISMATCH);
  assert_true(scene_is_zero(&random, sizeof random));
  party_issue_random(1, &random);
  memcpy(issue.agree[1], cast.a.agreement_point, 64);
  assert_int_equal(hm_pairing_issue(engine, &cast.authority.signer, &issue, &random, &issued),
                   HM_MISMATCH);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(both_sides_end_with_one_secret_and_nothing_else),
      cmocka_unit_test(another_pairing_has_another_secret),
      cmocka_unit_test(the_table_is_whole),
      cmocka_unit_test(every_deadline_ends_failed_and_erased),
      cmocka_unit_test(a_receipt_may_take_as_long_as_the_policy_says),
      cmocka_unit_test(expiry_and_revocation_leave_no_secret),
      cmocka_unit_test(a_repeated_message_gets_the_same_answer),
      cmocka_unit_test(messages_out_of_turn_change_nothing),
      cmocka_unit_test(the_partners_binding_opens_for_its_pairing_only),
      cmocka_unit_test(the_authority_never_gives_both_the_same),
  };
  return cmocka_run_group_tests(tests, scene_cast, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The pairing machine, message by message: both sides in this process, every edge of
 * its table, every refusal. tests/unit/pairing_process_test.c runs it between processes.
 */
#include "trust/pairing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/parties.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

static struct party authority, a, b, mallory;

static int make_parties(void **state)
{
  (void)state;
  party_make(&authority, 1, NULL);
  party_make(&a, 2, &authority);
  party_make(&b, 3, &authority);
  party_make(&mallory, 4, &authority);
  return 0;
}

/* Both sides, the certificate between them, and the messages in flight. */
struct scene {
  struct hm_pair side[2];
  struct hm_issued issued;
  uint64_t last_iat;
  bool knows_burnt;
  uint8_t burnt[32];
  uint8_t buffer[2][1024];
};
static struct scene scene;

static uint64_t last_iat(void *store, const uint8_t peer[32], uint64_t context)
{
  (void)peer;
  assert_int_equal(context, HM_CONTEXT_DRIVE);
  return ((struct scene *)store)->last_iat;
}

static bool is_burnt(void *store, const uint8_t name[32])
{
  struct scene *s = store;
  return s->knows_burnt && memcmp(s->burnt, name, 32) == 0;
}

static const struct hm_pair_memory memory = {&scene, last_iat, is_burnt};

static const struct party *party_of(int role)
{
  return role == 0 ? &a : &b;
}

static void begin_side(int role, bool is_pinned)
{
  struct hm_pair_setup setup = {.role = (uint8_t)role,
                                .has_peer = true,
                                .is_pinned = is_pinned,
                                .node = {HM_NODE_HOST, HM_NODE_HOST}};
  memcpy(setup.own, party_of(role)->signer.kid, 32);
  memcpy(setup.peer, party_of(1 - role)->signer.kid, 32);
  memcpy(setup.authority, authority.signer.point, 64);
  hm_pair_begin(&scene.side[role], &setup);
}

/* Two idle sides and a good certificate. */
static void set_scene(void)
{
  struct hm_policy policy;
  struct hm_issue_random random;
  memset(&scene, 0, sizeof scene);
  begin_side(0, true);
  begin_side(1, true);
  party_policy(a.signer.kid, b.signer.kid, &policy);
  party_issue_random(1, &random);
  party_issue(&authority, &a, &b, &policy, 0, &random, &scene.issued);
}

static struct hm_out buffer_of(int role)
{
  return hm_out(scene.buffer[role], sizeof scene.buffer[role]);
}

static void ask(uint64_t now_ms)
{
  struct hm_pairing_request wishes;
  struct hm_out out = buffer_of(0);
  party_wishes(a.signer.kid, b.signer.kid, &wishes);
  assert_int_equal(hm_pair_ask(&scene.side[0], engine, &a.signer, &wishes, now_ms, &out), HM_OK);
  assert_int_equal(hm_pairing_request_open(engine, hm_out_bytes(&out), a.signer.point, &wishes,
                                           NULL),
                   HM_OK);
}

/* P2 to one side; out gets P3 where role is 0. */
static enum hm_status give_set(int role, struct hm_out *out)
{
  const uint8_t random[2][48] = {{0x0a, 1}, {0x0b, 2}};
  struct hm_times times = {
    .now = PARTY_NOW + 5, .quality = HM_QUALITY_AUTHORITY, .floor = PARTY_NOW};
  struct hm_issued *issued = &scene.issued;
  struct hm_pair_set set = {
    .certificate = hm_bytes(issued->certificate, issued->certificate_len),
    .section = hm_bytes(issued->section[role], issued->section_len[role]),
    .handshake = hm_bytes(issued->handshake, issued->handshake_len),
    .peer = &party_of(1 - role)->entity,
    .agreement = party_of(role)->agreement,
    .random = random[role],
    .times = &times,
    .memory = &memory,
  };
  return hm_pair_take_set(&scene.side[role], engine, &set, 1000, out);
}

/* Run both sides up to and including a state; the last message stays in buffer. */
static struct hm_bytes play_to(enum hm_pair_state state)
{
  struct hm_out p3 = buffer_of(0), p4 = buffer_of(1);
  ask(0);
  assert_int_equal(give_set(0, &p3), HM_OK);
  assert_int_equal(give_set(1, &p4), HM_OK);
  if (state == HM_PAIR_ISSUED)
    return hm_out_bytes(&p3);
  assert_int_equal(hm_pair_take_half(&scene.side[1], engine, &b.signer, hm_out_bytes(&p3), 2000,
                                     &p4),
                   HM_OK);
  struct hm_out p6 = buffer_of(0);
  assert_int_equal(hm_pair_take_half(&scene.side[0], engine, &a.signer, hm_out_bytes(&p4), 2000,
                                     &p6),
                   HM_OK);
  if (state == HM_PAIR_HANDSHAKE_OPEN)
    return hm_out_bytes(&p6);
  struct hm_out p7 = buffer_of(1), none = hm_out(NULL, 0);
  assert_int_equal(
    hm_pair_take_completion(&scene.side[1], engine, hm_out_bytes(&p6), 3000, &p7), HM_OK);
  assert_int_equal(
    hm_pair_take_completion(&scene.side[0], engine, hm_out_bytes(&p7), 3000, &none), HM_OK);
  assert_int_equal(none.len, 0);
  if (state == HM_PAIR_VERIFIED)
    return hm_out_bytes(&p7);

  struct hm_policy policy;
  struct hm_bytes completions[2];
  uint8_t names[2][32];
  party_policy(a.signer.kid, b.signer.kid, &policy);
  assert_int_equal(hm_pair_completions(&scene.side[0], completions), HM_OK);
  assert_int_equal(hm_pairing_judge(engine, &policy, a.signer.point, b.signer.point, completions,
                                    names),
                   HM_OK);
  struct hm_bytes receipt = party_receipt(&authority, &scene.issued, b.signer.kid, names, false,
                                          false, scene.buffer[0]);
  assert_int_equal(hm_pair_take_receipt(&scene.side[0], engine, receipt, 4000), HM_OK);
  assert_int_equal(hm_pair_take_receipt(&scene.side[1], engine, receipt, 4000), HM_OK);
  return receipt;
}

static bool is_zero(const void *data, size_t len)
{
  const uint8_t *p = data;
  for (size_t i = 0; i < len; i++)
    if (p[i] != 0)
      return false;
  return true;
}

static void assert_ended(const struct hm_pair *pair, enum hm_pair_state state)
{
  uint8_t secret[32];
  assert_int_equal(pair->state, state);
  assert_true(is_zero(&pair->secret, sizeof pair->secret));
  assert_true(is_zero(pair->pairing_secret, sizeof pair->pairing_secret));
  assert_true(is_zero(pair->half_message, sizeof pair->half_message));
  assert_int_equal(pair->deadline_ms, 0);
  assert_int_equal(hm_pair_secret(pair, secret), HM_STATE);
}

/* ---- the honest run ---------------------------------------------------------------- */

static void both_sides_end_with_one_secret_and_nothing_else(void **state)
{
  (void)state;
  set_scene();
  play_to(HM_PAIR_COMPLETE);
  uint8_t secret[2][32];
  for (int role = 0; role < 2; role++) {
    struct hm_pair *side = &scene.side[role];
    assert_int_equal(side->state, HM_PAIR_COMPLETE);
    assert_true(side->is_pinned);
    assert_false(side->is_burnt);
    assert_true(is_zero(&side->secret, sizeof side->secret));
    assert_int_equal(hm_pair_secret(side, secret[role]), HM_OK);
    assert_memory_equal(side->name, scene.issued.name, 32);
    assert_memory_equal(side->peer_lct, party_of(1 - role)->signer.kid, 32);
    assert_int_equal(hm_pair_repeat(side).len, 0);
  }
  assert_memory_equal(secret[0], secret[1], 32);
  assert_false(is_zero(secret[0], 32));
  assert_memory_equal(scene.side[0].transcript, scene.side[1].transcript, 32);
  struct hm_policy policy;
  assert_int_equal(
    hm_policy_decode(hm_bytes(scene.side[0].policy, scene.side[0].policy_len), &policy), HM_OK);
  assert_int_equal(policy.kid16, 0x5678);
  hm_pair_wipe(&scene.side[0]);
  assert_true(is_zero(&scene.side[0], sizeof scene.side[0]));
}

static void another_pairing_has_another_secret(void **state)
{
  (void)state;
  uint8_t first[32], second[32];
  set_scene();
  play_to(HM_PAIR_COMPLETE);
  assert_int_equal(hm_pair_secret(&scene.side[0], first), HM_OK);
  set_scene();
  struct hm_policy policy;
  struct hm_issue_random random;
  party_policy(a.signer.kid, b.signer.kid, &policy);
  party_issue_random(2, &random);
  party_issue(&authority, &a, &b, &policy, 1, &random, &scene.issued);
  play_to(HM_PAIR_COMPLETE);
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
  assert_string_equal(hm_pair_does_text(7),
                      "handshake secrets, pairing secret; certificate burnt");
}

static void every_deadline_ends_failed_and_erased(void **state)
{
  (void)state;
  static const enum hm_pair_state reached[] = {HM_PAIR_ISSUED, HM_PAIR_HANDSHAKE_OPEN,
                                               HM_PAIR_VERIFIED};
  for (size_t i = 0; i < 3; i++) {
    set_scene();
    play_to(reached[i]);
    for (int role = 0; role < 2; role++) {
      struct hm_pair *side = &scene.side[role];
      assert_false(hm_pair_tick(side, side->deadline_ms - 1));
      assert_true(hm_pair_tick(side, side->deadline_ms));
      assert_ended(side, HM_PAIR_FAILED);
      assert_true(side->is_burnt);
      assert_false(hm_pair_tick(side, UINT64_MAX));
    }
  }
  set_scene();
  ask(7);
  assert_false(hm_pair_tick(&scene.side[0], 30006));
  assert_true(hm_pair_tick(&scene.side[0], 30007));
  assert_ended(&scene.side[0], HM_PAIR_FAILED);
  assert_false(scene.side[0].is_burnt);

  /* The 30 s bound P3 to P7 from the certificate, not from the last message. */
  set_scene();
  struct hm_bytes p6 = play_to(HM_PAIR_HANDSHAKE_OPEN);
  struct hm_out out = buffer_of(1);
  assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, p6, 31000, &out), HM_TIMEOUT);
  assert_ended(&scene.side[1], HM_PAIR_FAILED);
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
    set_scene();
    party_policy(a.signer.kid, b.signer.kid, &policy);
    party_issue_random(1, &random);
    policy.receipt_within = rows[i].within;
    party_issue(&authority, &a, &b, &policy, 0, &random, &scene.issued);
    play_to(HM_PAIR_VERIFIED);
    assert_int_equal(scene.side[0].deadline_ms, 3000 + rows[i].waits_ms);
  }
}

static void expiry_and_revocation_leave_no_secret(void **state)
{
  (void)state;
  set_scene();
  play_to(HM_PAIR_COMPLETE);
  assert_int_equal(scene.side[0].deadline_ms, 0);
  hm_pair_expire(&scene.side[0]);
  assert_ended(&scene.side[0], HM_PAIR_EXPIRED);
  hm_pair_revoke(&scene.side[1]);
  assert_ended(&scene.side[1], HM_PAIR_REVOKED);
  hm_pair_expire(&scene.side[1]);
  assert_int_equal(scene.side[1].state, HM_PAIR_REVOKED);

  static const enum hm_pair_state reached[] = {HM_PAIR_ISSUED, HM_PAIR_HANDSHAKE_OPEN,
                                               HM_PAIR_VERIFIED};
  for (size_t i = 0; i < 3; i++) {
    set_scene();
    play_to(reached[i]);
    hm_pair_revoke(&scene.side[0]);
    assert_ended(&scene.side[0], HM_PAIR_REVOKED);
    hm_pair_give_up(&scene.side[1]);
    assert_ended(&scene.side[1], HM_PAIR_FAILED);
  }
}

/* ---- what P2 is refused for -------------------------------------------------------------- */

static void expect_set(int role, enum hm_status status)
{
  struct hm_out out = buffer_of(role);
  assert_int_equal(give_set(role, &out), status);
  assert_ended(&scene.side[role], HM_PAIR_FAILED);
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
  set_scene();
  reissue(&mallory, &a, &b, 0);
  expect_set(1, HM_BAD_SIGNATURE);
  set_scene();
  scene.issued.certificate[scene.issued.certificate_len - 1] ^= 1;
  expect_set(1, HM_BAD_SIGNATURE);
}

static void changed_or_exchanged_sections_are_refused(void **state)
{
  (void)state;
  set_scene();
  scene.issued.section[1][40] ^= 1;
  expect_set(1, HM_MISMATCH);
  set_scene();
  scene.issued.handshake[30] ^= 1;
  expect_set(1, HM_MISMATCH);
  set_scene();
  memcpy(scene.issued.section[1], scene.issued.section[0], HM_SECTION_MAX);
  expect_set(1, HM_MISMATCH);
  /* Sealed to somebody else, hash and all. */
  set_scene();
  reissue(&authority, &a, &mallory, 0);
  struct hm_issued theirs = scene.issued;
  set_scene();
  scene.issued = theirs;
  expect_set(1, HM_MISMATCH);
}

static void old_and_burnt_certificates_are_refused(void **state)
{
  (void)state;
  set_scene();
  scene.last_iat = PARTY_NOW;
  expect_set(1, HM_REPLAY);
  set_scene();
  scene.last_iat = PARTY_NOW - 1;
  struct hm_out out = buffer_of(1);
  assert_int_equal(give_set(1, &out), HM_OK);
  set_scene();
  scene.knows_burnt = true;
  memcpy(scene.burnt, scene.issued.name, 32);
  expect_set(1, HM_BURNT);
}

static void times_are_judged(void **state)
{
  (void)state;
  set_scene();
  reissue(&authority, &a, &b, 400);
  expect_set(1, HM_NOT_YET_VALID);
}

static void a_grant_wider_than_the_wish_is_refused(void **state)
{
  (void)state;
  for (int i = 0; i < 3; i++) {
    struct hm_policy policy;
    struct hm_issue_random random;
    set_scene();
    party_policy(a.signer.kid, b.signer.kid, &policy);
    if (i == 0)
      policy.operations[policy.operation_count++] = HM_OP_TRAIN;
    else if (i == 1)
      policy.data_types[policy.data_count++] = HM_DATA_EMBEDDING;
    else
      policy.operation_count = 1;
    party_issue_random(1, &random);
    party_issue(&authority, &a, &b, &policy, 0, &random, &scene.issued);
    ask(0);
    struct hm_out out = buffer_of(0);
    if (i < 2)
      expect_set(0, HM_POLICY);
    else
      assert_int_equal(give_set(0, &out), HM_OK);
  }
}

static void a_key_that_the_lct_does_not_name_is_refused(void **state)
{
  (void)state;
  struct hm_entity good = a.entity;
  set_scene();
  memcpy(a.entity.sign, mallory.entity.sign, 64);
  struct hm_out out = buffer_of(1);
  enum hm_status status = give_set(1, &out);
  a.entity = good;
  assert_int_equal(status, HM_MISMATCH);
  assert_ended(&scene.side[1], HM_PAIR_FAILED);
}

/* ---- an authority that puts itself in the middle --------------------------------------------- */

/* It signs a certificate between A and a key of its own that it calls B. */
static void a_substituted_peer_is_refused_when_pinned(void **state)
{
  (void)state;
  set_scene();
  reissue(&authority, &a, &mallory, 0);
  ask(0);
  struct hm_entity good = b.entity;
  b.entity = mallory.entity;
  struct hm_out out = buffer_of(0);
  enum hm_status status = give_set(0, &out);
  b.entity = good;
  assert_int_equal(status, HM_UNPINNED);
  assert_ended(&scene.side[0], HM_PAIR_FAILED);
  assert_int_equal(out.len, 0);
}

static void a_substituted_peer_is_said_to_be_unpinned_else(void **state)
{
  (void)state;
  set_scene();
  begin_side(0, false);
  memcpy(scene.side[0].setup.peer, mallory.signer.kid, 32); /* what the authority told */
  reissue(&authority, &a, &mallory, 0);
  struct hm_pairing_request wishes;
  struct hm_out out = buffer_of(0);
  party_wishes(a.signer.kid, mallory.signer.kid, &wishes);
  assert_int_equal(hm_pair_ask(&scene.side[0], engine, &a.signer, &wishes, 0, &out), HM_OK);
  struct hm_entity good = b.entity;
  b.entity = mallory.entity;
  out = buffer_of(0);
  enum hm_status status = give_set(0, &out);
  b.entity = good;
  assert_int_equal(status, HM_OK);
  assert_false(scene.side[0].is_pinned);
}

/* ---- halves, completions, receipts --------------------------------------------------------------- */

static void a_changed_half_ends_the_pairing(void **state)
{
  (void)state;
  for (size_t bit = 0; bit < 8 * HM_PAIR_HALF; bit += 37) {
    set_scene();
    struct hm_bytes p3 = play_to(HM_PAIR_ISSUED);
    struct hm_out out = buffer_of(1);
    scene.buffer[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_not_equal(
      hm_pair_take_half(&scene.side[1], engine, &b.signer, p3, 2000, &out), HM_OK);
    assert_ended(&scene.side[1], HM_PAIR_FAILED);
    assert_true(scene.side[1].is_burnt);
    assert_int_equal(out.len, 0);
  }
  set_scene();
  struct hm_bytes p3 = play_to(HM_PAIR_ISSUED);
  struct hm_out out = buffer_of(1);
  /* A's own message, sent back to it */
  assert_int_equal(hm_pair_take_half(&scene.side[0], engine, &a.signer, p3, 2000, &out),
                   HM_BAD_TAG);
  p3.len--;
  assert_int_equal(hm_pair_take_half(&scene.side[1], engine, &b.signer, p3, 2000, &out),
                   HM_MALFORMED);
}

static void a_changed_completion_ends_the_pairing(void **state)
{
  (void)state;
  for (size_t bit = 0; bit < 8 * 180; bit += 31) {
    set_scene();
    struct hm_bytes p6 = play_to(HM_PAIR_HANDSHAKE_OPEN);
    struct hm_out out = buffer_of(1);
    scene.buffer[0][bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_not_equal(
      hm_pair_take_completion(&scene.side[1], engine, p6, 3000, &out), HM_OK);
    assert_ended(&scene.side[1], HM_PAIR_FAILED);
    assert_int_equal(out.len, 0);
  }
}

/* A peer that knows every secret but signs other facts, or under another key. */
static void a_completion_over_other_facts_is_refused(void **state)
{
  (void)state;
  for (int i = 0; i < 7; i++) {
    set_scene();
    play_to(HM_PAIR_HANDSHAKE_OPEN);
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
    const struct hm_signer *signer = i == 5 ? &mallory.signer : &a.signer;
    struct hm_out made = buffer_of(0), out = buffer_of(1);
    assert_int_equal(hm_completion_make(engine, signer, &completion, &made), HM_OK);
    enum hm_status expected = i == 6 ? HM_OK : i == 5 ? HM_BAD_SIGNATURE : HM_MISMATCH;
    assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, hm_out_bytes(&made), 3000,
                                             &out),
                     expected);
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
    {"of another pairing", HM_MISMATCH}, {"says local", HM_MISMATCH},
    {"another subject", HM_MISMATCH},    {"failed", HM_DENIED},
  };
  for (int i = 0; i < 6; i++) {
    set_scene();
    play_to(HM_PAIR_VERIFIED);
    struct hm_pair *side = &scene.side[0];
    uint8_t names[2][32];
    struct hm_issued issued = scene.issued;
    for (int role = 0; role < 2; role++)
      memcpy(names[role], side->completion_name[i == 1 ? 1 - role : role], 32);
    issued.name[0] ^= i == 2;
    struct hm_bytes receipt = party_receipt(
      i == 0 ? &mallory : &authority, &issued, i == 4 ? mallory.signer.kid : a.signer.kid, names,
      i == 5, i == 3, scene.buffer[0]);
    enum hm_status got = hm_pair_take_receipt(side, engine, receipt, 4000);
    if (got != rows[i].status)
      fail_msg("%s: %s", rows[i].what, hm_status_row(got)->name);
    assert_ended(side, HM_PAIR_FAILED);
    assert_true(side->is_burnt);
  }
}

static void a_pairing_within_one_process_has_to_be_called_local(void **state)
{
  (void)state;
  for (int says_local = 0; says_local < 2; says_local++) {
    set_scene();
    scene.side[0].setup.is_local = true;
    play_to(HM_PAIR_VERIFIED);
    struct hm_bytes receipt =
      party_receipt(&authority, &scene.issued, b.signer.kid, scene.side[0].completion_name, false,
                    says_local == 1, scene.buffer[0]);
    assert_int_equal(hm_pair_take_receipt(&scene.side[0], engine, receipt, 4000),
                     says_local == 1 ? HM_OK : HM_MISMATCH);
  }
}

/* ---- repetitions and messages out of turn ----------------------------------------------------------- */

static void a_repeated_message_gets_the_same_answer(void **state)
{
  (void)state;
  uint8_t again[1024];
  set_scene();
  struct hm_bytes p3 = play_to(HM_PAIR_ISSUED);
  assert_true(hm_bytes_equal(hm_pair_repeat(&scene.side[0]), p3));
  struct hm_out p4 = buffer_of(1), out = hm_out(again, sizeof again);
  assert_int_equal(hm_pair_take_half(&scene.side[1], engine, &b.signer, p3, 2000, &p4), HM_OK);
  assert_int_equal(hm_pair_take_half(&scene.side[1], engine, &b.signer, p3, 2500, &out), HM_OK);
  assert_true(hm_bytes_equal(hm_out_bytes(&p4), hm_out_bytes(&out)));
  assert_int_equal(scene.side[1].state, HM_PAIR_HANDSHAKE_OPEN);

  set_scene();
  struct hm_bytes p6 = play_to(HM_PAIR_HANDSHAKE_OPEN);
  assert_true(hm_bytes_equal(hm_pair_repeat(&scene.side[0]), p6));
  struct hm_out p7 = buffer_of(1);
  out = hm_out(again, sizeof again);
  assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, p6, 3000, &p7), HM_OK);
  assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, p6, 3500, &out), HM_OK);
  assert_true(hm_bytes_equal(hm_out_bytes(&p7), hm_out_bytes(&out)));
  assert_int_equal(scene.side[1].state, HM_PAIR_VERIFIED);
  out = hm_out(again, sizeof again);
  p6.len--;
  assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, p6, 3500, &out), HM_REPLAY);
  assert_int_equal(scene.side[1].state, HM_PAIR_VERIFIED);

  set_scene();
  struct hm_bytes receipt = play_to(HM_PAIR_COMPLETE);
  assert_int_equal(hm_pair_take_receipt(&scene.side[0], engine, receipt, 5000), HM_OK);
  assert_int_equal(scene.side[0].state, HM_PAIR_COMPLETE);
}

static void messages_out_of_turn_change_nothing(void **state)
{
  (void)state;
  uint8_t bytes[HM_PAIR_HALF] = {0x11};
  struct hm_bytes message = hm_bytes(bytes, sizeof bytes);
  struct hm_out out = buffer_of(1);
  set_scene();
  struct hm_pair *side = &scene.side[1];
  assert_int_equal(hm_pair_take_half(side, engine, &b.signer, message, 0, &out), HM_WRONG_TYPE);
  assert_int_equal(hm_pair_take_completion(side, engine, message, 0, &out), HM_WRONG_TYPE);
  assert_int_equal(hm_pair_take_receipt(side, engine, message, 0), HM_WRONG_TYPE);
  assert_int_equal(side->state, HM_PAIR_IDLE);
  struct hm_pairing_request wishes;
  party_wishes(b.signer.kid, a.signer.kid, &wishes);
  assert_int_equal(hm_pair_ask(side, engine, &b.signer, &wishes, 0, &out), HM_WRONG_TYPE);
  out = buffer_of(0);
  assert_int_equal(give_set(0, &out), HM_WRONG_TYPE); /* A has not asked */

  play_to(HM_PAIR_ISSUED);
  out = buffer_of(1);
  assert_int_equal(hm_pair_take_completion(side, engine, message, 2000, &out), HM_WRONG_TYPE);
  assert_int_not_equal(hm_pair_take_receipt(side, engine, message, 2000), HM_OK);
  assert_int_equal(give_set(1, &out), HM_WRONG_TYPE);
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
  assert_int_equal(hm_pairing_partner(engine, a.agreement_point, random, iv, name,
                                      hm_bytes(binding, sizeof binding),
                                      hm_bytes(proof, sizeof proof), &out),
                   HM_OK);
  assert_int_equal(hm_pair_partner_open(engine, a.agreement, name, hm_out_bytes(&out), buffer,
                                        sizeof buffer, &binding_read, &proof_read),
                   HM_OK);
  assert_true(hm_bytes_equal(binding_read, hm_bytes(binding, sizeof binding)));
  assert_true(hm_bytes_equal(proof_read, hm_bytes(proof, sizeof proof)));
  assert_int_equal(hm_pair_partner_open(engine, b.agreement, name, hm_out_bytes(&out), buffer,
                                        sizeof buffer, &binding_read, &proof_read),
                   HM_BAD_TAG);
  name[0] ^= 1;
  assert_int_equal(hm_pair_partner_open(engine, a.agreement, name, hm_out_bytes(&out), buffer,
                                        sizeof buffer, &binding_read, &proof_read),
                   HM_BAD_TAG);
}

static void the_authority_never_gives_both_the_same(void **state)
{
  (void)state;
  struct hm_policy policy;
  struct hm_issue_random random;
  struct hm_issued issued;
  party_policy(a.signer.kid, b.signer.kid, &policy);
  struct hm_issue issue = {.exp = PARTY_NOW + 100, .nbf = PARTY_NOW, .iat = PARTY_NOW,
                           .policy = &policy, .callback = hm_bytes("x", 1)};
  memcpy(issue.agree[0], a.agreement_point, 64);
  memcpy(issue.agree[1], b.agreement_point, 64);
  party_issue_random(1, &random);
  memcpy(random.half[1], random.half[0], 32);
  assert_int_equal(hm_pairing_issue(engine, &authority.signer, &issue, &random, &issued),
                   HM_MISMATCH);
  assert_true(is_zero(&random, sizeof random));
  party_issue_random(1, &random);
  memcpy(issue.agree[1], a.agreement_point, 64);
  assert_int_equal(hm_pairing_issue(engine, &authority.signer, &issue, &random, &issued),
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
    cmocka_unit_test(a_repeated_message_gets_the_same_answer),
    cmocka_unit_test(messages_out_of_turn_change_nothing),
    cmocka_unit_test(the_partners_binding_opens_for_its_pairing_only),
    cmocka_unit_test(the_authority_never_gives_both_the_same),
  };
  return cmocka_run_group_tests(tests, make_parties, NULL);
}

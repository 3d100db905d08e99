/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Two processes pair A-A over socket pairs. The test is the network between them, the
 * clock, and the authority: honest, one that substitutes a key of its own for B, and
 * one on whose network messages are lost, once or always, or come twice. However it
 * goes, both sides end in a state of the table with their secrets erased.
 */
#include "tests/support/pair_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

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

enum message { P1, P2_A, P2_B, P3, P4, P6, P7, P8, P9_A, P9_B, MESSAGES };
static const char *const message_names[MESSAGES] = {
    "P1", "P2 to A", "P2 to B", "P3", "P4", "P6", "P7", "P8", "P9 to A", "P9 to B"};

enum fault { NONE, LOST_ONCE, LOST_ALWAYS, TWICE };

/* The world of one pairing. */
struct world {
  struct pair_process process[2];
  struct pair_answer answer[2]; /* the newest of each side */
  const struct party *party[2]; /* who really runs */
  bool is_pinned;
  struct hm_issued issued;
  bool is_issued;
  uint64_t now_ms;
  enum message faulty;
  enum fault fault;
  int sent[MESSAGES];
  struct pair_order first[MESSAGES]; /* kept to be replayed */
};
static struct world world;

static void pass(enum message message, const struct pair_order *order);

/* ---- the network ------------------------------------------------------------------------ */

/* What the receiver says goes on its way. */
static void go_on(enum message message)
{
  static const enum message next[MESSAGES] = {[P2_A] = P3, [P3] = P4, [P4] = P6, [P6] = P7};
  static const enum pair_order_kind kinds[MESSAGES] = {
      [P3] = PAIR_HALF, [P4] = PAIR_HALF, [P6] = PAIR_COMPLETION, [P7] = PAIR_COMPLETION};
  int receiver = message == P2_A || message == P4 || message == P7 || message == P9_A ? 0 : 1;
  const struct pair_answer *answer = &world.answer[receiver];
  if (answer->status != HM_OK || answer->out_len == 0 || next[message] == P1)
    return;
  struct pair_order order = {.kind = kinds[next[message]], .len = {answer->out_len}};
  memcpy(order.bytes, answer->out, answer->out_len);
  pass(next[message], &order);
}

static void deliver(enum message message, const struct pair_order *order)
{
  int receiver = message == P2_A || message == P4 || message == P7 || message == P9_A ? 0 : 1;
  struct pair_order copy = *order;
  copy.now_ms = world.now_ms;
  pair_process_tell(&world.process[receiver], &copy, &world.answer[receiver]);
  go_on(message);
}

static void pass(enum message message, const struct pair_order *order)
{
  int count = world.sent[message]++;
  bool is_faulty = world.faulty == message;
  if (count == 0)
    world.first[message] = *order;
  if (is_faulty && (world.fault == LOST_ALWAYS || (world.fault == LOST_ONCE && count == 0)))
    return;
  deliver(message, order);
  if (is_faulty && world.fault == TWICE && count == 0)
    deliver(message, order);
}

/* ---- the authority -------------------------------------------------------------------------- */

static void give_set(int role)
{
  struct hm_issued *issued = &world.issued;
  struct pair_order order = {
      .kind = PAIR_SET,
      .peer = world.party[1 - role]->entity,
      .random = {(uint8_t)(role + 1), 0x77},
      .len = {issued->certificate_len, issued->section_len[role], issued->handshake_len}};
  uint8_t *at = order.bytes;
  memcpy(at, issued->certificate, issued->certificate_len);
  at += issued->certificate_len;
  memcpy(at, issued->section[role], issued->section_len[role]);
  at += issued->section_len[role];
  memcpy(at, issued->handshake, issued->handshake_len);
  pass(role == 0 ? P2_A : P2_B, &order);
}

/* The same request gets the same answer. */
static void on_request(void)
{
  if (!world.is_issued) {
    struct hm_policy policy;
    struct hm_issue_random random;
    party_policy(a.signer.kid, world.party[1]->signer.kid, &policy);
    party_issue_random(1, &random);
    party_issue(&authority, &a, world.party[1], &policy, 0, &random, &world.issued);
    world.is_issued = true;
  }
  if (world.answer[1].state == HM_PAIR_IDLE)
    give_set(1);
  if (world.answer[0].state == HM_PAIR_REQUESTED)
    give_set(0);
}

/* P8 from a side that holds both completions; P9 to both. */
static void on_completions(const struct pair_answer *from)
{
  struct hm_policy policy;
  uint8_t names[2][32];
  struct hm_bytes completion[2];
  party_policy(a.signer.kid, world.party[1]->signer.kid, &policy);
  for (int role = 0; role < 2; role++)
    completion[role] = hm_bytes(from->completion[role], from->completion_len[role]);
  assert_int_equal(hm_pairing_judge(engine, &policy, a.signer.point, world.party[1]->signer.point,
                                    completion, names),
                   HM_OK);
  struct pair_order order = {.kind = PAIR_RECEIPT};
  uint8_t buffer[1024];
  struct hm_bytes receipt =
      party_receipt(&authority, &world.issued, a.signer.kid, names, false, false, buffer);
  memcpy(order.bytes, receipt.data, receipt.len);
  order.len[0] = receipt.len;
  pass(P9_A, &order);
  pass(P9_B, &order);
}

/* ---- one pairing --------------------------------------------------------------------------------
 */

static void start(const struct party *second, bool is_pinned, enum message faulty, enum fault fault)
{
  memset(&world, 0, sizeof world);
  world.party[0] = &a;
  world.party[1] = second;
  world.faulty = faulty;
  world.fault = fault;
  for (int role = 0; role < 2; role++) {
    struct hm_pair_setup setup = {.role = (uint8_t)role,
                                  .has_peer = true,
                                  .is_pinned = is_pinned,
                                  .node = {HM_NODE_HOST, HM_NODE_HOST}};
    struct hm_pairing_request wishes;
    memcpy(setup.own, world.party[role]->signer.kid, 32);
    memcpy(setup.peer, world.party[1 - role]->signer.kid, 32);
    memcpy(setup.authority, authority.signer.point, 64);
    party_wishes(a.signer.kid, second->signer.kid, &wishes);
    pair_process_start(&world.process[role], world.party[role], &setup, &wishes);
  }
}

static void tick(int role)
{
  struct pair_order order = {.kind = PAIR_TICK, .now_ms = world.now_ms};
  pair_process_tell(&world.process[role], &order, &world.answer[role]);
}

static bool has_ended(int role)
{
  return world.answer[role].state >= HM_PAIR_COMPLETE;
}

/* What a second brings: A repeats what B has not answered, whoever is verified asks for
 * the receipt. */
static void one_second(void)
{
  world.now_ms += 1000;
  for (int role = 0; role < 2; role++)
    tick(role);
  if (world.answer[0].state == HM_PAIR_REQUESTED &&
      (world.fault != LOST_ALWAYS || world.faulty != P1))
    on_request();
  else if (world.answer[1].state == HM_PAIR_IDLE && world.is_issued)
    give_set(1);
  if (world.answer[0].repeat_len > 0) {
    bool is_half = world.answer[0].state == HM_PAIR_ISSUED;
    struct pair_order order = {.kind = is_half ? PAIR_HALF : PAIR_COMPLETION,
                               .len = {world.answer[0].repeat_len}};
    memcpy(order.bytes, world.answer[0].repeat, world.answer[0].repeat_len);
    pass(is_half ? P3 : P6, &order);
  }
  for (int role = 0; role < 2; role++) {
    if (world.answer[role].state != HM_PAIR_VERIFIED)
      continue;
    bool is_lost = world.faulty == P8 && (world.fault == LOST_ALWAYS ||
                                          (world.fault == LOST_ONCE && world.sent[P8] == 0));
    world.sent[P8]++;
    if (!is_lost)
      on_completions(&world.answer[role]);
  }
}

/* Run until both have ended, at most 70 s by the test's clock. */
static void run(void)
{
  struct pair_order order = {.kind = PAIR_ASK};
  pair_process_tell(&world.process[0], &order, &world.answer[0]);
  assert_int_equal(world.answer[0].status, HM_OK);
  if (world.faulty != P1 || world.fault == NONE || world.fault == TWICE)
    on_request();
  for (int second = 0; second < 70 && !(has_ended(0) && has_ended(1)); second++)
    one_second();
}

static void stop(void)
{
  for (int role = 0; role < 2; role++)
    pair_process_stop(&world.process[role]);
}

static void assert_complete(int role)
{
  const struct pair_answer *answer = &world.answer[role];
  assert_int_equal(answer->state, HM_PAIR_COMPLETE);
  assert_true(answer->handshake_is_erased);
  assert_false(answer->secret_is_erased);
  assert_false(answer->is_burnt);
}

static void assert_nothing_left(int role)
{
  assert_true(world.answer[role].handshake_is_erased);
  assert_true(world.answer[role].secret_is_erased);
}

/* ---- tests
 * ------------------------------------------------------------------------------------------ */

static void an_honest_authority(void **state)
{
  (void)state;
  start(&b, true, P1, NONE);
  run();
  for (int role = 0; role < 2; role++) {
    assert_complete(role);
    assert_true(world.answer[role].is_pinned);
  }
  assert_memory_equal(world.answer[0].secret_hash, world.answer[1].secret_hash, 32);
  stop();
}

/* Its certificate is between A and a key of its own that it calls B. */
static void an_authority_in_the_middle_is_refused_when_pinned(void **state)
{
  (void)state;
  start(&b, true, P1, NONE);
  struct pair_order order = {.kind = PAIR_ASK};
  pair_process_tell(&world.process[0], &order, &world.answer[0]);
  world.party[1] = &mallory;
  world.answer[1].state = HM_PAIR_FAILED; /* B is told nothing */
  on_request();
  assert_int_equal(world.answer[0].status, HM_UNPINNED);
  assert_int_equal(world.answer[0].state, HM_PAIR_FAILED);
  assert_nothing_left(0);
  assert_int_equal(world.sent[P3], 0);
  stop();
}

static void an_authority_in_the_middle_is_unpinned_when_not(void **state)
{
  (void)state;
  start(&mallory, false, P1, NONE);
  run();
  assert_complete(0);
  assert_false(world.answer[0].is_pinned);
  stop();
}

static void messages_that_come_twice_change_nothing(void **state)
{
  (void)state;
  static const enum message replayed[] = {P2_A, P2_B, P3, P4, P6, P7, P9_A, P9_B};
  for (size_t i = 0; i < sizeof replayed / sizeof replayed[0]; i++) {
    start(&b, true, replayed[i], TWICE);
    run();
    for (int role = 0; role < 2; role++)
      assert_complete(role);
    /* and once more when all is over */
    uint8_t before[32];
    memcpy(before, world.answer[0].secret_hash, 32);
    world.fault = NONE;
    deliver(replayed[i], &world.first[replayed[i]]);
    for (int role = 0; role < 2; role++) {
      tick(role);
      assert_complete(role);
      assert_memory_equal(world.answer[role].secret_hash, before, 32);
    }
    stop();
  }
}

static void a_message_lost_once_is_repeated(void **state)
{
  (void)state;
  for (int message = P1; message < MESSAGES; message++) {
    start(&b, true, (enum message)message, LOST_ONCE);
    run();
    printf("%-8s lost once: A %s, B %s after %d s\n", message_names[message],
           hm_pair_state_text(world.answer[0].state), hm_pair_state_text(world.answer[1].state),
           (int)(world.now_ms / 1000));
    for (int role = 0; role < 2; role++)
      assert_complete(role);
    assert_memory_equal(world.answer[0].secret_hash, world.answer[1].secret_hash, 32);
    stop();
  }
}

static void a_message_that_never_comes_leaves_both_erased(void **state)
{
  (void)state;
  static const enum hm_pair_state ends[MESSAGES][2] = {
      [P1] = {HM_PAIR_FAILED, HM_PAIR_IDLE},       [P2_A] = {HM_PAIR_FAILED, HM_PAIR_FAILED},
      [P2_B] = {HM_PAIR_FAILED, HM_PAIR_IDLE},     [P3] = {HM_PAIR_FAILED, HM_PAIR_FAILED},
      [P4] = {HM_PAIR_FAILED, HM_PAIR_FAILED},     [P6] = {HM_PAIR_FAILED, HM_PAIR_FAILED},
      [P7] = {HM_PAIR_FAILED, HM_PAIR_COMPLETE},   [P8] = {HM_PAIR_FAILED, HM_PAIR_FAILED},
      [P9_A] = {HM_PAIR_FAILED, HM_PAIR_COMPLETE}, [P9_B] = {HM_PAIR_COMPLETE, HM_PAIR_FAILED},
  };
  for (int message = P1; message < MESSAGES; message++) {
    start(&b, true, (enum message)message, LOST_ALWAYS);
    run();
    printf("%-8s never came: A %s, B %s\n", message_names[message],
           hm_pair_state_text(world.answer[0].state), hm_pair_state_text(world.answer[1].state));
    for (int role = 0; role < 2; role++) {
      assert_int_equal(world.answer[role].state, ends[message][role]);
      if (ends[message][role] == HM_PAIR_COMPLETE)
        assert_complete(role);
      else
        assert_nothing_left(role);
    }
    stop();
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_honest_authority),
      cmocka_unit_test(an_authority_in_the_middle_is_refused_when_pinned),
      cmocka_unit_test(an_authority_in_the_middle_is_unpinned_when_not),
      cmocka_unit_test(messages_that_come_twice_change_nothing),
      cmocka_unit_test(a_message_lost_once_is_repeated),
      cmocka_unit_test(a_message_that_never_comes_leaves_both_erased),
  };
  return cmocka_run_group_tests(tests, make_parties, NULL);
}

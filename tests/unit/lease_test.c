/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sensors/lease.h"

#define S UINT64_C(1000000000)
#define MS UINT64_C(1000000)

static struct hm_gate_message packet;

static const uint8_t *nonce(uint8_t n)
{
  static uint8_t bytes[HM_NONCE];

  memset(bytes, n, sizeof bytes);
  return bytes;
}

static const struct hm_gate_message *grant(uint8_t n, uint32_t count, enum hm_gate_reason reason)
{
  memset(&packet, 0, sizeof packet);
  packet.kind = HM_GATE_GRANT;
  memcpy(packet.u.grant.nonce, nonce(n), HM_NONCE);
  packet.u.grant.count = count;
  packet.u.grant.reason = reason;
  for (uint32_t i = 0; i < count; i++)
    packet.u.grant.grants[i].context = 5 + i;
  return &packet;
}

static const struct hm_gate_message *revoke(uint16_t context)
{
  memset(&packet, 0, sizeof packet);
  packet.kind = HM_GATE_REVOKE;
  packet.u.revoke.count = 1;
  packet.u.revoke.contexts[0] = context;
  return &packet;
}

/* A lease asked at `asked` and granted two contexts (5 and 6) 10 ms later. */
static struct hm_lease open_since(uint64_t asked)
{
  struct hm_lease lease;

  hm_lease_init(&lease);
  hm_lease_ask(&lease, nonce(1), asked);
  assert_int_equal(hm_lease_answer(&lease, grant(1, 2, HM_GATE_OPEN), asked + 10 * MS), HM_OK);
  return lease;
}

static void a_new_lease_is_shut_and_asks_at_once(void **state)
{
  (void)state;
  struct hm_lease lease;

  hm_lease_init(&lease);
  assert_int_equal(hm_lease_check(&lease, 0), HM_DENIED);
  assert_int_equal(lease.reason, HM_GATE_NOT_ASKED);
  assert_true(hm_lease_ask_due(&lease, 0));
  assert_int_equal(hm_lease_wait_ns(&lease, 0), 0);
}

static void a_grant_holds_two_seconds_from_the_question(void **state)
{
  (void)state;
  struct hm_lease lease = open_since(10 * S);

  assert_int_equal(hm_lease_check(&lease, 12 * S - 1), HM_OK);
  assert_int_equal(hm_lease_check(&lease, 12 * S), HM_EXPIRED);
  assert_int_equal(lease.reason, HM_GATE_LEASE_RAN_OUT);
  assert_int_equal(hm_lease_check(&lease, 12 * S), HM_DENIED);
  /* once shut it stays shut, even for a clock that went back */
  assert_int_equal(hm_lease_check(&lease, 10 * S), HM_DENIED);
}

/* An answer that lay in the socket of a stopped process opens nothing. */
static void an_answer_read_two_seconds_late_is_stale(void **state)
{
  (void)state;
  struct hm_lease lease;

  hm_lease_init(&lease);
  hm_lease_ask(&lease, nonce(1), 10 * S);
  assert_int_equal(hm_lease_answer(&lease, grant(1, 1, HM_GATE_OPEN), 12 * S), HM_STALE);
  assert_int_equal(hm_lease_check(&lease, 12 * S), HM_DENIED);
  assert_int_equal(lease.stale, 1);
}

static void an_answer_read_late_lives_only_what_is_left(void **state)
{
  (void)state;
  struct hm_lease lease;

  hm_lease_init(&lease);
  hm_lease_ask(&lease, nonce(1), 10 * S);
  assert_int_equal(hm_lease_answer(&lease, grant(1, 1, HM_GATE_OPEN), 12 * S - MS), HM_OK);
  assert_int_equal(hm_lease_check(&lease, 12 * S - 1), HM_OK);
  assert_int_equal(hm_lease_check(&lease, 12 * S), HM_EXPIRED);
}

static void only_the_answer_to_a_question_counts_and_only_once(void **state)
{
  (void)state;
  struct hm_lease lease;

  hm_lease_init(&lease);
  assert_int_equal(hm_lease_answer(&lease, grant(9, 1, HM_GATE_OPEN), S), HM_STALE);
  hm_lease_ask(&lease, nonce(1), 10 * S);
  assert_int_equal(hm_lease_answer(&lease, grant(9, 1, HM_GATE_OPEN), 10 * S), HM_STALE);
  assert_int_equal(hm_lease_answer(&lease, grant(1, 1, HM_GATE_OPEN), 10 * S), HM_OK);
  assert_int_equal(hm_lease_answer(&lease, grant(1, 1, HM_GATE_OPEN), 10 * S), HM_STALE);
}

static void an_older_answer_never_replaces_a_newer_one(void **state)
{
  (void)state;
  struct hm_lease lease;

  hm_lease_init(&lease);
  hm_lease_ask(&lease, nonce(1), 10 * S);
  hm_lease_ask(&lease, nonce(2), 11 * S);
  assert_int_equal(hm_lease_answer(&lease, grant(2, 0, HM_GATE_UNPAIRED), 11 * S), HM_OK);
  assert_int_equal(hm_lease_answer(&lease, grant(1, 1, HM_GATE_OPEN), 11 * S), HM_STALE);
  assert_int_equal(hm_lease_check(&lease, 11 * S), HM_DENIED);
  assert_int_equal(lease.reason, HM_GATE_UNPAIRED);
}

static void the_fifth_question_forgets_the_first(void **state)
{
  (void)state;
  struct hm_lease lease;

  hm_lease_init(&lease);
  for (uint8_t n = 1; n <= HM_LEASE_OUTSTANDING + 1; n++)
    hm_lease_ask(&lease, nonce(n), 10 * S);
  assert_int_equal(hm_lease_answer(&lease, grant(1, 1, HM_GATE_OPEN), 10 * S), HM_STALE);
  assert_int_equal(hm_lease_answer(&lease, grant(2, 1, HM_GATE_OPEN), 10 * S), HM_OK);
}

static void asking_goes_on_each_second_and_renews(void **state)
{
  (void)state;
  struct hm_lease lease = open_since(10 * S);

  assert_false(hm_lease_ask_due(&lease, 11 * S - 1));
  assert_int_equal(hm_lease_wait_ns(&lease, 10 * S + 400 * MS), 600 * MS);
  assert_true(hm_lease_ask_due(&lease, 11 * S));
  hm_lease_ask(&lease, nonce(2), 11 * S);
  /* unanswered: the next thing due is the next question, then the end of the grant */
  assert_int_equal(hm_lease_wait_ns(&lease, 11 * S), S);
  assert_int_equal(hm_lease_answer(&lease, grant(2, 2, HM_GATE_OPEN), 11 * S + 5 * MS), HM_OK);
  assert_int_equal(hm_lease_check(&lease, 13 * S - 1), HM_OK);
}

static void a_shut_lease_asks_more_often(void **state)
{
  (void)state;
  struct hm_lease lease;

  hm_lease_init(&lease);
  hm_lease_ask(&lease, nonce(1), 10 * S);
  assert_false(hm_lease_ask_due(&lease, 10 * S + 249 * MS));
  assert_true(hm_lease_ask_due(&lease, 10 * S + 250 * MS));
  assert_int_equal(hm_lease_wait_ns(&lease, 10 * S + 200 * MS), 50 * MS);
}

static void revoking_one_context_shortens_the_list(void **state)
{
  (void)state;
  struct hm_lease lease = open_since(10 * S);

  assert_false(hm_lease_revoke(&lease, revoke(5)));
  assert_int_equal(lease.count, 1);
  assert_int_equal(lease.grants[0].context, 6);
  assert_int_equal(hm_lease_check(&lease, 11 * S), HM_OK);
  assert_true(hm_lease_revoke(&lease, revoke(6)));
  assert_int_equal(hm_lease_check(&lease, 11 * S), HM_DENIED);
  assert_int_equal(lease.reason, HM_GATE_REVOKED);
}

static void revoking_what_is_not_granted_changes_nothing(void **state)
{
  (void)state;
  struct hm_lease lease = open_since(10 * S);

  assert_false(hm_lease_revoke(&lease, revoke(77)));
  assert_int_equal(lease.count, 2);
  assert_int_equal(hm_lease_check(&lease, 11 * S), HM_OK);
  hm_lease_shut(&lease, HM_GATE_DAEMON_GONE);
  assert_false(hm_lease_revoke(&lease, revoke(5)));
  assert_int_equal(lease.reason, HM_GATE_DAEMON_GONE);
}

/* A question asked before the REVOKE was read can no longer open anything. */
static void a_revoke_outlives_older_questions(void **state)
{
  (void)state;
  struct hm_lease lease = open_since(10 * S);

  hm_lease_ask(&lease, nonce(2), 11 * S);
  assert_false(hm_lease_revoke(&lease, revoke(5)));
  assert_true(hm_lease_ask_due(&lease, 11 * S));
  assert_int_equal(hm_lease_answer(&lease, grant(2, 2, HM_GATE_OPEN), 11 * S), HM_STALE);
  assert_int_equal(lease.count, 1);
  hm_lease_ask(&lease, nonce(3), 11 * S);
  assert_int_equal(hm_lease_answer(&lease, grant(3, 1, HM_GATE_OPEN), 11 * S), HM_OK);
}

static void a_lost_connection_shuts_and_forgets(void **state)
{
  (void)state;
  struct hm_lease lease = open_since(10 * S);

  hm_lease_ask(&lease, nonce(2), 11 * S);
  hm_lease_shut(&lease, HM_GATE_DAEMON_GONE);
  assert_int_equal(hm_lease_check(&lease, 11 * S), HM_DENIED);
  assert_int_equal(hm_lease_answer(&lease, grant(2, 1, HM_GATE_OPEN), 11 * S), HM_STALE);
  assert_true(hm_lease_ask_due(&lease, 11 * S));
}

/* ---- the printed table is what the functions do ----------------------------------- */

static void apply(struct hm_lease *lease, enum hm_lease_input input)
{
  uint64_t now = 11 * S;

  switch (input) {
  case HM_LEASE_GRANTED:
  case HM_LEASE_DENIED:
    hm_lease_ask(lease, nonce(7), now);
    assert_int_equal(hm_lease_answer(lease,
                                     input == HM_LEASE_GRANTED ? grant(7, 2, HM_GATE_OPEN)
                                                               : grant(7, 0, HM_GATE_DISABLED),
                                     now),
                     HM_OK);
    break;
  case HM_LEASE_REVOKED_ONE:
    hm_lease_revoke(lease, revoke(5));
    break;
  case HM_LEASE_REVOKED_LAST:
    hm_lease_revoke(lease, revoke(5));
    hm_lease_revoke(lease, revoke(6));
    break;
  case HM_LEASE_EXPIRED:
    assert_int_not_equal(hm_lease_check(lease, 100 * S), HM_OK);
    break;
  default:
    hm_lease_shut(lease, HM_GATE_DAEMON_GONE);
    break;
  }
}

static void the_table_tells_the_truth(void **state)
{
  (void)state;
  size_t count = 0;
  const struct hm_lease_row *table = hm_lease_table(&count);

  assert_int_equal(count, (size_t)HM_LEASE_STATES * HM_LEASE_INPUTS);
  for (size_t i = 0; i < count; i++) {
    struct hm_lease lease = open_since(10 * S);
    const char *reason;

    if (table[i].from == HM_LEASE_SHUT)
      hm_lease_shut(&lease, HM_GATE_UNKNOWN_SENSOR);
    apply(&lease, table[i].input);
    assert_int_equal(lease.state, table[i].to);
    reason = hm_gate_reason_name(lease.reason);
    if (strcmp(table[i].reason, "as before") == 0)
      assert_string_equal(reason, "unknown-sensor");
    else if (strcmp(table[i].reason, "the daemon's") == 0)
      assert_string_equal(reason, "disabled");
    else
      assert_string_equal(reason, table[i].reason);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_lease_is_shut_and_asks_at_once),
      cmocka_unit_test(a_grant_holds_two_seconds_from_the_question),
      cmocka_unit_test(an_answer_read_two_seconds_late_is_stale),
      cmocka_unit_test(an_answer_read_late_lives_only_what_is_left),
      cmocka_unit_test(only_the_answer_to_a_question_counts_and_only_once),
      cmocka_unit_test(an_older_answer_never_replaces_a_newer_one),
      cmocka_unit_test(the_fifth_question_forgets_the_first),
      cmocka_unit_test(asking_goes_on_each_second_and_renews),
      cmocka_unit_test(a_shut_lease_asks_more_often),
      cmocka_unit_test(revoking_one_context_shortens_the_list),
      cmocka_unit_test(revoking_what_is_not_granted_changes_nothing),
      cmocka_unit_test(a_revoke_outlives_older_questions),
      cmocka_unit_test(a_lost_connection_shuts_and_forgets),
      cmocka_unit_test(the_table_tells_the_truth),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

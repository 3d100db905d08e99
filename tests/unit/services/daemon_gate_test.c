/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * gate.sock of the real hallmarkd, from outside: who may be a gate, what a broken or
 * greedy client gets, what a grant is and how it ends.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/clock.h"
#include "tests/support/folder.h"
#include "tests/support/services/house.h"

static struct house house;

static int open_house(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  house_open(&house, *state);
  house_bind(&house, "front");
  return 0;
}

static int close_house(void **state)
{
  house_end(&house);
  return folder_teardown(state);
}

static long status_number(const char *member)
{
  assert_int_equal(house_ask(&house, "GET", "/api/status", NULL), 200);
  return house_number(&house, member);
}

/* A HELLO is accepted within a few seconds: a flood of this user may have to be cleared. */
static void join_in_time(struct gate_hand *g)
{
  for (int i = 0; i < 50; i++) {
    if (hand_connect(g, &house) && hand_hello(g, HM_GATE_ROLE_GATE, "front") &&
        hand_hear(g, 2000) == HM_GATE_ACK)
      return;
    hand_close(g);
    usleep(100000);
  }
  fail_msg("no HELLO is accepted");
}

/* The daemon lives and answers a gate at once. */
static void assert_serves(void)
{
  struct gate_hand g;
  join_in_time(&g);
  uint64_t before = hm_boottime_ns();
  hand_ask(&g, 0);
  assert_true(hm_boottime_ns() - before < 1000000000u);
  hand_close(&g);
  usleep(50000);
}

/* ---- who may be a gate ------------------------------------------------------------------------
 */

static void test_a_second_gate_is_refused_while_the_first_lives(void **state)
{
  struct gate_hand first, second;
  (void)state;
  hand_join(&first, &house, HM_GATE_ROLE_GATE, "front");
  assert_true(hand_connect(&second, &house));
  assert_true(hand_hello(&second, HM_GATE_ROLE_GATE, "front"));
  assert_int_equal(hand_error(&second, 1000), HM_EXISTS);
  hand_ask(&first, 0);
  hand_close(&first);
  hand_close(&second);
  usleep(100000);
  hand_join(&second, &house, HM_GATE_ROLE_GATE, "front");
  hand_close(&second);
}

static void test_a_second_observer_is_refused(void **state)
{
  struct gate_hand first, second;
  (void)state;
  hand_join(&first, &house, HM_GATE_ROLE_OBSERVER, "front");
  assert_true(hand_connect(&second, &house));
  assert_true(hand_hello(&second, HM_GATE_ROLE_OBSERVER, "front"));
  assert_int_equal(hand_error(&second, 1000), HM_EXISTS);
  hand_close(&first);
  hand_close(&second);
}

static void test_names_that_are_no_sensors_are_refused(void **state)
{
  static const char *const names[] = {"rear", "host", "FRONT", "fron", "m1"};
  (void)state;
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    struct gate_hand g;
    assert_true(hand_connect(&g, &house));
    if (hand_hello(&g, HM_GATE_ROLE_GATE, names[i]))
      assert_int_not_equal(hand_error(&g, 1000), HM_OK);
    hand_close(&g);
  }
  assert_serves();
}

static void test_another_user_is_refused(void **state)
{
  char path[512];
  int code = 0;
  (void)state;
  if (getuid() != 0)
    skip();
  /* Let the other user reach the socket, so that the daemon's own rule is what refuses. */
  const char *const open_up[] = {"", "/run", "/run/gate.sock"};
  for (size_t i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "%s%s", house.state, open_up[i]);
    assert_int_equal(chmod(path, i == 2 ? 0666 : 0755), 0);
  }
  char *end = strrchr(strcpy(path, house.state), '/');
  *end = '\0';
  assert_int_equal(chmod(path, 0755), 0);
  pid_t pid = fork();
  if (pid == 0) {
    struct gate_hand g;
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
      _exit(10);
    if (!hand_connect(&g, &house))
      _exit(11);
    if (!hand_hello(&g, HM_GATE_ROLE_GATE, "front"))
      _exit(12);
    _exit(hand_error(&g, 1000) == HM_DENIED ? 0 : 13);
  }
  assert_int_equal(waitpid(pid, &code, 0), pid);
  assert_int_equal(WEXITSTATUS(code), 0);
  assert_serves();
}

/* ---- limits
 * --------------------------------------------------------------------------------------- */

static void test_silence_is_closed_after_two_seconds(void **state)
{
  struct gate_hand g;
  (void)state;
  assert_true(hand_connect(&g, &house));
  uint64_t before = hm_boottime_ns();
  assert_int_equal(hand_error(&g, 4000), HM_TIMEOUT);
  uint64_t took = (hm_boottime_ns() - before) / 1000000u;
  assert_in_range(took, 1500, 3500);
  hand_close(&g);
}

static void test_malformed_packets_are_closed(void **state)
{
  static uint8_t large[HM_GATE_PACKET + 1];
  static const struct {
    const char *bytes;
    size_t len;
  } packets[] = {{"", 1},
                 {"\x82\x01", 2},
                 {"\x9f\x01\xff", 3},
                 {"\x84\x18\x01\x01\x01\x60", 6}, /* a longer spelling of 1 */
                 {"\xff\xff\xff\xff", 4},
                 {"\x81\x1b\xff\xff\xff\xff\xff\xff\xff\xff", 10}};
  (void)state;
  for (size_t i = 0; i < sizeof packets / sizeof packets[0]; i++) {
    struct gate_hand g;
    assert_true(hand_connect(&g, &house));
    assert_int_equal(send(g.fd, packets[i].bytes, packets[i].len, MSG_NOSIGNAL), packets[i].len);
    assert_int_not_equal(hand_error(&g, 1000), HM_OK);
    hand_close(&g);
  }
  struct gate_hand g;
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  assert_int_equal(send(g.fd, large, sizeof large, MSG_NOSIGNAL), sizeof large);
  assert_int_equal(hand_error(&g, 1000), HM_TOO_LARGE);
  hand_close(&g);
  assert_serves();
}

static void test_packets_of_another_role_are_closed(void **state)
{
  struct gate_hand g;
  struct hm_gate_message ask = {.kind = HM_GATE_ASK};
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  assert_true(hand_say(&g, &ask));
  assert_int_equal(hand_error(&g, 1000), HM_WRONG_TYPE);
  hand_close(&g);
  assert_true(hand_connect(&g, &house));
  assert_true(hand_say(&g, &ask));
  assert_int_equal(hand_error(&g, 1000), HM_WRONG_TYPE);
  hand_close(&g);
}

static void test_a_flood_of_packets_is_closed(void **state)
{
  struct gate_hand g;
  struct hm_gate_message m = {.kind = HM_GATE_EVENT};
  bool is_closed = false;
  (void)state;
  m.u.event.event = HM_GATE_EVENT_STATE;
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  for (int i = 0; i < 20000 && !is_closed; i++) {
    if (!hand_say(&g, &m))
      is_closed = hand_hear(&g, 20) == HM_GATE_ERROR;
  }
  if (!is_closed)
    is_closed = hand_error(&g, 1000) == HM_POLICY;
  assert_true(is_closed);
  hand_close(&g);
  assert_serves();
}

static void test_a_gate_that_does_not_read_is_closed(void **state)
{
  struct gate_hand g;
  struct hm_gate_message ask = {.kind = HM_GATE_ASK};
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  for (int i = 0; i < 1800; i++) /* below the rate, never reading an answer */
    if (!hand_say(&g, &ask))
      usleep(1000);
  usleep(200000);
  int kind;
  while ((kind = hand_hear(&g, 200)) > 0)
    ;
  assert_int_equal(kind, HAND_GONE);
  hand_close(&g);
  assert_serves();
}

static void test_eight_idle_connections_of_one_user(void **state)
{
  struct gate_hand g[10];
  (void)state;
  for (int i = 0; i < 8; i++)
    assert_true(hand_connect(&g[i], &house));
  usleep(100000);
  assert_true(hand_connect(&g[8], &house));
  assert_int_equal(hand_error(&g[8], 1000), HM_FULL);
  for (int i = 0; i < 9; i++)
    hand_close(&g[i]);
  usleep(100000);
  assert_serves();
}

static long resident_pages(pid_t pid)
{
  char path[64];
  long all = 0, resident = 0;
  snprintf(path, sizeof path, "/proc/%ld/statm", (long)pid);
  FILE *f = fopen(path, "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%ld %ld", &all, &resident), 2);
  fclose(f);
  return resident;
}

static void test_ten_thousand_connections(void **state)
{
  (void)state;
  assert_serves();
  long before = resident_pages(house.daemon);
  for (int i = 0; i < 10000; i++) {
    struct gate_hand g;
    if (hand_connect(&g, &house))
      hand_close(&g);
  }
  assert_serves();
  assert_true(resident_pages(house.daemon) - before < 2048); /* 8 MiB */
  assert_true(status_number("uptime_ms") > 0);
}

/* ---- grants
 * ------------------------------------------------------------------------------------------- */

static void test_a_grant_follows_the_pairing(void **state)
{
  struct gate_hand g;
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 0);
  assert_int_equal(g.in.u.grant.count, 0);
  assert_int_equal(g.in.u.grant.reason, HM_GATE_UNPAIRED);
  house_pair(&house, "front", "drive");
  hand_ask(&g, 0);
  assert_int_equal(g.in.u.grant.count, 1);
  assert_int_equal(g.in.u.grant.grants[0].context, 5);
  assert_true(g.in.u.grant.grants[0].kid16 > 0);
  house_pair(&house, "front", "training");
  hand_ask(&g, 0);
  assert_int_equal(g.in.u.grant.count, 2);
  hand_close(&g);
}

static void test_revoke_returns_with_the_gates_last_frame(void **state)
{
  struct gate_hand g;
  char body[256];
  (void)state;
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 41);
  house_revoke_body(body, "front", "drive");
  struct house_call call = house_call(&house, "POST", "/api/revocations", body);
  assert_int_equal(hand_hear(&g, 2000), HM_GATE_REVOKE);
  assert_int_equal(g.in.u.revoke.count, 1);
  assert_int_equal(g.in.u.revoke.contexts[0], 5);
  assert_false(house_answered(&house, &call, 300)); /* it waits for the gate */
  hand_confirm(&g, 42);
  assert_true(house_answered(&house, &call, 1000));
  assert_int_equal(house.http / 100, 2);
  assert_int_equal(house_number(&house, "last_frame"), 42);
  hand_ask(&g, 42);
  assert_int_equal(g.in.u.grant.count, 0);
  assert_int_equal(g.in.u.grant.reason, HM_GATE_REVOKED);
  assert_int_equal(house_ask(&house, "GET", "/api/control", NULL), 200);
  assert_true(house_replied(&house, "\"effective\""));
  hand_close(&g);
}

static void test_a_stopped_gate_delays_revoke_by_its_lease_only(void **state)
{
  struct gate_hand g;
  char body[256];
  (void)state;
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 7);
  house_revoke_body(body, "front", "drive");
  uint64_t before = hm_boottime_ns();
  struct house_call call = house_call(&house, "POST", "/api/revocations", body);
  assert_true(house_answered(&house, &call, 2500)); /* we never read: as if under SIGSTOP */
  uint64_t took = (hm_boottime_ns() - before) / 1000000u;
  assert_in_range(took, 1500, 2200);
  assert_true(house_replied(&house, "ran out"));
  hand_close(&g);
}

static void test_revoking_training_leaves_drive(void **state)
{
  struct gate_hand g;
  char body[256];
  (void)state;
  house_pair(&house, "front", "drive");
  house_pair(&house, "front", "training");
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 9);
  assert_int_equal(g.in.u.grant.count, 2);
  house_revoke_body(body, "front", "training");
  struct house_call call = house_call(&house, "POST", "/api/revocations", body);
  assert_int_equal(hand_hear(&g, 2000), HM_GATE_REVOKE);
  assert_int_equal(g.in.u.revoke.contexts[0], 6);
  hand_confirm(&g, 10);
  assert_true(house_answered(&house, &call, 1000));
  assert_true(house_replied(&house, "\"still_flows\":true"));
  hand_ask(&g, 11);
  assert_int_equal(g.in.u.grant.count, 1);
  assert_int_equal(g.in.u.grant.grants[0].context, 5);
  hand_close(&g);
}

static void test_revoke_needs_no_authority(void **state)
{
  struct gate_hand g;
  char body[256];
  (void)state;
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 3);
  kill(house.authority, SIGSTOP); /* reachable, and silent: the worst kind */
  house_revoke_body(body, "front", "drive");
  struct house_call call = house_call(&house, "POST", "/api/revocations", body);
  assert_int_equal(hand_hear(&g, 500), HM_GATE_REVOKE);
  hand_confirm(&g, 4);
  assert_true(house_answered(&house, &call, 500));
  assert_int_equal(house.http / 100, 2);
  kill(house.authority, SIGCONT);
  hand_close(&g);
}

static void test_pair_and_revoke_twice_in_one_second(void **state)
{
  char body[256];
  (void)state;
  for (int i = 0; i < 3; i++) {
    house_pair(&house, "front", "drive");
    house_revoke_body(body, "front", "drive");
    assert_int_equal(house_ask(&house, "POST", "/api/revocations", body) / 100, 2);
  }
}

/* ---- observers
 * ------------------------------------------------------------------------------------------- */

static void hear_ack(struct gate_hand *g, uint64_t seq)
{
  do
    assert_int_equal(hand_hear(g, 3000), HM_GATE_ACK);
  while (g->in.u.ack.seq < seq);
  assert_int_equal(g->in.u.ack.seq, seq);
}

static void test_observations_become_records_and_are_acknowledged(void **state)
{
  struct gate_hand g;
  (void)state;
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  for (uint64_t seq = 1; seq <= 5; seq++)
    hand_observe(&g, seq, seq);
  hear_ack(&g, 5);
  assert_int_equal(house_ask(&house, "GET", "/api/memories/m5", NULL), 200);
  assert_true(house_replied(&house, "\"frame\":\"5\""));
  assert_int_equal(house_ask(&house, "GET", "/api/memories/m6", NULL), 404);
  hand_close(&g);
}

static void test_nothing_under_a_revoked_pairing_becomes_a_record(void **state)
{
  struct gate_hand g;
  char body[256];
  (void)state;
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  hand_observe(&g, 1, 1);
  hear_ack(&g, 1);
  house_revoke_body(body, "front", "drive");
  assert_int_equal(house_ask(&house, "POST", "/api/revocations", body) / 100, 2);
  hand_observe(&g, 2, 2); /* it was below the gate already */
  hear_ack(&g, 2);
  assert_int_equal(house_ask(&house, "GET", "/api/memories/m2", NULL), 404);
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  assert_int_equal(house_number(&house, "unauthorized"), 1);
  hand_close(&g);
}

static void test_unpaired_observations_are_refused(void **state)
{
  struct gate_hand g;
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  hand_observe(&g, 1, 1);
  hear_ack(&g, 1);
  assert_int_equal(house_ask(&house, "GET", "/api/memories/m1", NULL), 404);
  hand_close(&g);
}

static void test_a_hole_in_seq_is_closed(void **state)
{
  struct gate_hand g;
  (void)state;
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  hand_observe(&g, 2, 1);
  assert_int_equal(hand_error(&g, 1000), HM_MALFORMED);
  hand_close(&g);
}

#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_HOUSE(test_a_second_gate_is_refused_while_the_first_lives),
      WITH_HOUSE(test_a_second_observer_is_refused),
      WITH_HOUSE(test_names_that_are_no_sensors_are_refused),
      WITH_HOUSE(test_another_user_is_refused),
      WITH_HOUSE(test_silence_is_closed_after_two_seconds),
      WITH_HOUSE(test_malformed_packets_are_closed),
      WITH_HOUSE(test_packets_of_another_role_are_closed),
      WITH_HOUSE(test_a_flood_of_packets_is_closed),
      WITH_HOUSE(test_a_gate_that_does_not_read_is_closed),
      WITH_HOUSE(test_eight_idle_connections_of_one_user),
      WITH_HOUSE(test_ten_thousand_connections),
      WITH_HOUSE(test_a_grant_follows_the_pairing),
      WITH_HOUSE(test_revoke_returns_with_the_gates_last_frame),
      WITH_HOUSE(test_a_stopped_gate_delays_revoke_by_its_lease_only),
      WITH_HOUSE(test_revoking_training_leaves_drive),
      WITH_HOUSE(test_revoke_needs_no_authority),
      WITH_HOUSE(test_pair_and_revoke_twice_in_one_second),
      WITH_HOUSE(test_observations_become_records_and_are_acknowledged),
      WITH_HOUSE(test_nothing_under_a_revoked_pairing_becomes_a_record),
      WITH_HOUSE(test_unpaired_observations_are_refused),
      WITH_HOUSE(test_a_hole_in_seq_is_closed),
  };
  return cmocka_run_group_tests_name("daemon_gate", tests, NULL, NULL);
}

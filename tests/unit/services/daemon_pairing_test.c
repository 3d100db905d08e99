/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Pairings of the real hallmarkd from outside: they end on time, at the authority's
 * word, and there are only so many; sensors come and go without end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static int pair_for(const char *context, unsigned seconds)
{
  char body[256];
  snprintf(body, sizeof body, "{\"names\":[\"front\"],\"context\":\"%s\",\"seconds\":%u}", context,
           seconds);
  return house_ask(&house, "POST", "/api/pairings", body);
}

/* Ask each half second, as a gate does, until a REVOKE comes; false after ms. */
static bool revoked_within(struct gate_hand *g, int ms)
{
  for (int waited = 0; waited < ms; waited += 500) {
    if (hand_hear(g, 500) == HM_GATE_REVOKE)
      return true;
    struct hm_gate_message ask = {.kind = HM_GATE_ASK};
    ask.u.ask.last_frame = ask.u.ask.passed = 1;
    assert_true(hand_say(g, &ask));
    int kind = hand_hear(g, 1000);
    if (kind == HM_GATE_REVOKE)
      return true;
    assert_int_equal(kind, HM_GATE_GRANT);
    if (g->in.u.grant.count == 0)
      return false; /* it ended without our being told */
  }
  return false;
}

static void test_a_pairing_ends_on_time_unasked(void **state)
{
  struct gate_hand g;
  (void)state;
  assert_int_equal(pair_for("drive", 3) / 100, 2);
  uint64_t begun = hm_boottime_ns();
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 1);
  assert_int_equal(g.in.u.grant.count, 1);
  assert_true(revoked_within(&g, 6000));
  uint64_t took = (hm_boottime_ns() - begun) / 1000000u;
  assert_in_range(took, 1500, 5500);
  hand_confirm(&g, 2);
  hand_ask(&g, 2);
  assert_int_equal(g.in.u.grant.count, 0);
  assert_int_equal(g.in.u.grant.reason, HM_GATE_PAIRING_EXPIRED);
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  assert_true(house_replied(&house, "\"state\":\"expired\""));
  hand_close(&g);
}

static void test_records_after_expiry_are_refused(void **state)
{
  struct gate_hand g;
  (void)state;
  assert_int_equal(pair_for("drive", 2) / 100, 2);
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  sleep(4);
  hand_observe(&g, 1, 1);
  assert_int_equal(hand_hear(&g, 3000), HM_GATE_ACK);
  assert_int_equal(house_ask(&house, "GET", "/api/memories/m1", NULL), 404);
  hand_close(&g);
}

/* The LCT of front, as the entities page shows it. */
static void lct_of_front(char lct[128])
{
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  const char *at = strstr(house.reply, "lct:web4:");
  assert_non_null(at);
  snprintf(lct, 128, "%.*s", (int)strcspn(at, "\""), at);
}

static void test_the_authority_revokes_and_the_gate_shuts(void **state)
{
  struct gate_hand g;
  char lct[128], text[4096];
  (void)state;
  assert_int_equal(pair_for("drive", 3600) / 100, 2);
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 1);
  assert_int_equal(g.in.u.grant.count, 1);
  lct_of_front(lct);
  const char *const words[] = {"hallmark-authority", "revoke", lct, "--state", house.state, NULL};
  if (house_run(words, text, sizeof text) != 0)
    fail_msg("%s", text);
  assert_true(revoked_within(&g, 12000));
  hand_confirm(&g, 5);
  usleep(300000);
  hand_ask(&g, 5);
  assert_int_equal(g.in.u.grant.count, 0);
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  assert_true(house_replied(&house, "\"state\":\"void\""));
  hand_close(&g);
}

static void test_two_pairings_in_a_context_and_four_contexts(void **state)
{
  static const char *const contexts[] = {"drive", "training", "diagnostics", "harbour"};
  (void)state;
  for (int i = 0; i < 4; i++) {
    if (pair_for(contexts[i], 3600) / 100 != 2 || pair_for(contexts[i], 3600) / 100 != 2)
      fail_msg("%s", house.reply);
    assert_int_equal(pair_for(contexts[i], 3600), 403);
    assert_true(house_replied(&house, "in force, the most"));
  }
  assert_int_equal(pair_for("quay", 3600), 403);
  assert_true(house_replied(&house, "the most at one time"));
  assert_int_equal(house_stop(&house), 0);
  house_start(&house); /* and its log is no damage to the next start */
}

static void test_orders_that_are_wrong(void **state)
{
  static const struct {
    const char *body;
    int http;
    const char *says;
  } orders[] = {
      {"{\"names\":[\"front\"],\"context\":\"Drive\",\"seconds\":60}", 400, "context"},
      {"{\"names\":[\"rear\"],\"context\":\"drive\",\"seconds\":60}", 404, "no entity"},
      {"{\"names\":[\"host\"],\"context\":\"drive\",\"seconds\":60}", 403, "itself"},
      {"{\"names\":[\"front\"],\"context\":\"drive\",\"seconds\":60,\"with\":\"rear\"}", 400,
       "host"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
    assert_int_equal(house_ask(&house, "POST", "/api/pairings", orders[i].body), orders[i].http);
    if (!house_replied(&house, orders[i].says))
      fail_msg("%s: %s", orders[i].body, house.reply);
  }
}

static void test_a_sensor_can_come_and_go_without_end(void **state)
{
  (void)state;
  for (int i = 0; i < 70; i++) { /* more than there are slots */
    assert_int_equal(house_ask(&house, "DELETE", "/api/entities/front", NULL) / 100, 2);
    house_bind(&house, "front");
  }
  assert_int_equal(house_stop(&house), 0);
  house_start(&house);
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  assert_true(house_replied(&house, "\"state\":\"bound\""));
}

#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_HOUSE(test_a_pairing_ends_on_time_unasked),
      WITH_HOUSE(test_records_after_expiry_are_refused),
      WITH_HOUSE(test_the_authority_revokes_and_the_gate_shuts),
      WITH_HOUSE(test_two_pairings_in_a_context_and_four_contexts),
      WITH_HOUSE(test_orders_that_are_wrong),
      WITH_HOUSE(test_a_sensor_can_come_and_go_without_end),
  };
  return cmocka_run_group_tests_name("daemon_pairing", tests, NULL, NULL);
}

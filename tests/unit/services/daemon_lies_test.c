/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A gate and an observer that lie, at the real hallmarkd: what it can see to be false is
 * never signed, and what a gate says unasked is no confirmation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sensors/descriptor.h"
#include "tests/support/folder.h"
#include "tests/support/services/house.h"

static struct house house;

static int open_house(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  house_open(&house, *state);
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  return 0;
}

static int close_house(void **state)
{
  house_end(&house);
  return folder_teardown(state);
}

/* A memory of this frame, as an honest observer tells it. */
struct lie {
  struct hm_gate_message m;
  uint8_t picture[HM_PICTURE_BYTES];
  int8_t vector[HM_VECTOR_DIMENSION];
};

static void honest(struct lie *lie, uint64_t seq, uint64_t frame)
{
  struct hm_gate_message *m = &lie->m;
  memset(lie, 0, sizeof *lie);
  for (size_t i = 0; i < sizeof lie->picture; i++)
    lie->picture[i] = (uint8_t)(16 + i * 7 % 200);
  hm_region_encode(lie->picture, lie->vector);
  m->kind = HM_GATE_OBSERVE;
  m->u.observe.seq = seq;
  m->u.observe.frame = frame;
  m->u.observe.width = m->u.observe.height = 64;
  m->u.observe.format = HM_GATE_I420;
  m->u.observe.region[2] = m->u.observe.region[3] = 32;
  m->u.observe.picture = hm_bytes(lie->picture, sizeof lie->picture);
  m->u.observe.vector = hm_bytes((const uint8_t *)lie->vector, sizeof lie->vector);
  m->u.observe.has_encoder = true;
  memcpy(m->u.observe.encoder, hm_region_encoder_hash, HM_HASH);
}

static bool tell_frame(struct gate_hand *g, uint8_t frame)
{
  struct hm_gate_message m = {.kind = HM_GATE_PERIPHERAL_RECORD};
  memcpy(m.u.peripheral.record, "HMP1", 4);
  m.u.peripheral.record[4] = 1;
  m.u.peripheral.record[16] = frame;
  return hand_say(g, &m);
}

static void hear_ack(struct gate_hand *g, uint64_t seq)
{
  do
    assert_int_equal(hand_hear(g, 3000), HM_GATE_ACK);
  while (g->in.u.ack.seq < seq);
}

static void assert_no_memory(const char *path)
{
  assert_int_equal(house_ask(&house, "GET", path, NULL), 404);
}

static void test_an_honest_memory_is_kept(void **state)
{
  struct gate_hand g;
  struct lie lie;
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  assert_true(tell_frame(&g, 1));
  honest(&lie, 1, 1);
  assert_true(hand_say(&g, &lie.m));
  hear_ack(&g, 1);
  assert_int_equal(house_ask(&house, "GET", "/api/memories/m1", NULL), 200);
  hand_close(&g);
}

static void test_a_frame_that_no_gate_told_of_is_refused(void **state)
{
  struct gate_hand g;
  struct lie lie;
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  assert_true(tell_frame(&g, 1));
  honest(&lie, 1, 2);
  assert_true(hand_say(&g, &lie.m));
  hear_ack(&g, 1);
  assert_no_memory("/api/memories/m1");
  assert_true(house_has_said(&house, "record of frame 2 refused: no gate told of this frame"));
  hand_close(&g);
}

static void test_a_vector_of_another_picture_is_refused(void **state)
{
  struct gate_hand g;
  struct lie lie;
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  assert_true(tell_frame(&g, 1));
  honest(&lie, 1, 1);
  lie.vector[7] ^= 1;
  assert_true(hand_say(&g, &lie.m));
  honest(&lie, 2, 1);
  lie.m.u.observe.picture = hm_bytes(NULL, 0);
  assert_true(hand_say(&g, &lie.m));
  honest(&lie, 3, 1);
  lie.m.u.observe.vector.len = 255;
  assert_true(hand_say(&g, &lie.m));
  hear_ack(&g, 3);
  assert_no_memory("/api/memories/m1");
  assert_true(house_has_said(&house, "its vector is not hm-region/1 of its picture"));
  hand_close(&g);
}

static void test_an_encoder_that_nobody_bound_is_refused(void **state)
{
  struct gate_hand g;
  struct lie lie;
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  assert_true(tell_frame(&g, 1));
  honest(&lie, 1, 1);
  lie.m.u.observe.encoder[0] ^= 1;
  assert_true(hand_say(&g, &lie.m));
  hear_ack(&g, 1);
  assert_no_memory("/api/memories/m1");
  hand_close(&g);
}

/* Each fall of the number closes a batch: a signature and a synced transaction. */
static void test_numbers_that_fall_again_and_again_are_closed(void **state)
{
  struct gate_hand g;
  enum hm_status said = HM_OK;
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  for (int i = 0; i < 20 && said == HM_OK; i++) {
    assert_true(tell_frame(&g, 9));
    said = hand_error(&g, 20); /* one at a time, so that the ERROR is not reset away */
  }
  assert_int_equal(said, HM_POLICY);
  hand_close(&g);
}

static void test_closed_unasked_confirms_nothing(void **state)
{
  struct gate_hand g;
  struct hm_gate_message m = {.kind = HM_GATE_CLOSED};
  char body[256];
  (void)state;
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 7);
  house_revoke_body(body, "front", "drive");
  struct house_call call = house_call(&house, "POST", "/api/revocations", body);
  assert_int_equal(hand_hear(&g, 2000), HM_GATE_REVOKE);
  m.u.closed.count = 1;
  m.u.closed.contexts[0] = 5;
  m.u.closed.last_frame = 7;
  m.u.closed.reason = HM_GATE_LEASE_RAN_OUT; /* sent before the REVOKE was read */
  assert_true(hand_say(&g, &m));
  assert_false(house_answered(&house, &call, 300));
  hand_confirm(&g, 8);
  assert_true(house_answered(&house, &call, 1000));
  assert_int_equal(house_number(&house, "last_frame"), 8);
  hand_close(&g);
}

#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_HOUSE(test_an_honest_memory_is_kept),
      WITH_HOUSE(test_a_frame_that_no_gate_told_of_is_refused),
      WITH_HOUSE(test_a_vector_of_another_picture_is_refused),
      WITH_HOUSE(test_an_encoder_that_nobody_bound_is_refused),
      WITH_HOUSE(test_numbers_that_fall_again_and_again_are_closed),
      WITH_HOUSE(test_closed_unasked_confirms_nothing),
  };
  return cmocka_run_group_tests_name("daemon_lies", tests, NULL, NULL);
}

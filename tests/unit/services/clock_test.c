/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint64_t SECOND = 1000000000u;

static void boottime_rises_and_the_build_is_past(void **state)
{
  (void)state;
  uint64_t a = hm_boottime_ns(), b = hm_boottime_ns();
  assert_true(b >= a);
  assert_true(hm_build_time() > 1764000000u);
  assert_true(hm_build_time() <= hm_realtime_ns() / SECOND + 86400);
}

static void without_a_word_the_clock_says_what_the_system_says(void **state)
{
  (void)state;
  struct hm_trust_clock clock;
  hm_clock_init(&clock);
  struct hm_now now = hm_clock_now(&clock);
  assert_true(now.quality == HM_QUALITY_NONE || now.quality == HM_QUALITY_NETWORK);
  assert_int_equal(now.trust_s, now.realtime_ns / SECOND);
  hm_clock_free(&clock);
}

/* The authority's time wins over the system's, however far they are apart, and goes on
 * by boottime. */
static void the_authoritys_time_is_carried_on(void **state)
{
  (void)state;
  struct hm_trust_clock clock;
  uint64_t sent = hm_boottime_ns();
  hm_clock_init(&clock);
  assert_int_equal(hm_clock_heard(&clock, 5000000000u, sent), HM_OK);
  struct hm_now now = hm_clock_now(&clock);
  assert_int_equal(now.quality, HM_QUALITY_AUTHORITY);
  assert_true(now.trust_s >= 5000000000u && now.trust_s <= 5000000002u);
  clock.heard_at_ns -= 90 * SECOND; /* a minute and a half passes */
  now = hm_clock_now(&clock);
  assert_true(now.trust_s >= 5000000090u && now.trust_s <= 5000000092u);
  hm_clock_free(&clock);
}

/* A record is stamped with the time its pairing is judged by, never with 1970 under an
 * authority's 2026. */
static void stamps_follow_trust_time(void **state)
{
  (void)state;
  struct hm_trust_clock clock;
  hm_clock_init(&clock);
  struct hm_now now = hm_clock_now(&clock);
  assert_int_equal(now.trust_ns, now.realtime_ns);
  assert_int_equal(hm_clock_heard(&clock, 5000000000u, hm_boottime_ns()), HM_OK);
  now = hm_clock_now(&clock);
  assert_int_equal(now.trust_ns / SECOND, now.trust_s);
  assert_int_equal(hm_clock_heard(&clock, hm_realtime_ns() / SECOND, hm_boottime_ns()), HM_OK);
  now = hm_clock_now(&clock);
  assert_int_equal(now.trust_ns, now.realtime_ns); /* the finer one */
  hm_clock_free(&clock);
}

static void a_late_answer_says_nothing(void **state)
{
  (void)state;
  struct hm_trust_clock clock;
  uint64_t now = hm_boottime_ns();
  hm_clock_init(&clock);
  assert_int_equal(hm_clock_heard(&clock, 5000000000u, now + 60 * SECOND), HM_STALE);
  if (now > 11 * SECOND)
    assert_int_equal(hm_clock_heard(&clock, 5000000000u, now - 11 * SECOND), HM_STALE);
  assert_int_not_equal(hm_clock_now(&clock).quality, HM_QUALITY_AUTHORITY);
  hm_clock_free(&clock);
}

static void only_an_authoritys_time_raises_the_floor(void **state)
{
  (void)state;
  struct hm_floor floor;
  uint8_t authority[32] = {1};
  hm_floor_init(&floor, authority);
  uint64_t from = floor.seconds;
  assert_int_equal(from, hm_build_time());
  struct hm_now now = {.trust_s = from + 1000, .quality = HM_QUALITY_NONE};
  assert_false(hm_floor_raise(&floor, &now, from + 500));
  now.quality = HM_QUALITY_NETWORK;
  assert_false(hm_floor_raise(&floor, &now, from + 500));
  now.quality = HM_QUALITY_AUTHORITY;
  assert_true(hm_floor_raise(&floor, &now, from + 500));
  assert_int_equal(floor.seconds, from + 500);
  assert_false(hm_floor_raise(&floor, &now, from + 400));
  assert_int_equal(floor.seconds, from + 500);
  /* never above trust time + 300 s */
  assert_true(hm_floor_raise(&floor, &now, from + 100000));
  assert_int_equal(floor.seconds, from + 1300);
}

static void what_the_floor_expired_stays_expired(void **state)
{
  (void)state;
  struct hm_floor floor;
  uint8_t authority[32] = {1};
  hm_floor_init(&floor, authority);
  uint64_t t = floor.seconds;
  struct hm_now early = {.trust_s = t - 5000, .quality = HM_QUALITY_NETWORK};
  struct hm_times times = hm_floor_times(&floor, &early);
  assert_int_equal(hm_times_check(&times, t - 6000, t - 1000, t - 6000), HM_EXPIRED);
  /* with no trust time at all the floor judges alone */
  struct hm_now none = {.trust_s = t + 100000, .quality = HM_QUALITY_NONE};
  times = hm_floor_times(&floor, &none);
  assert_int_equal(hm_times_check(&times, t - 10, t + 10, t - 10), HM_OK);
  assert_int_equal(hm_times_check(&times, t - 10, t, t - 10), HM_EXPIRED);
  assert_int_equal(hm_times_check(&times, t, t + 500u * 86400, t + 401u * 86400), HM_NOT_YET_VALID);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(boottime_rises_and_the_build_is_past),
      cmocka_unit_test(without_a_word_the_clock_says_what_the_system_says),
      cmocka_unit_test(the_authoritys_time_is_carried_on),
      cmocka_unit_test(stamps_follow_trust_time),
      cmocka_unit_test(a_late_answer_says_nothing),
      cmocka_unit_test(only_an_authoritys_time_raises_the_floor),
      cmocka_unit_test(what_the_floor_expired_stays_expired),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "services/bucket.h"

static const uint64_t second = UINT64_C(1000000000), start = 77 * UINT64_C(1000000000) + 5;

static unsigned take_all(struct hm_bucket *b, uint32_t burst, uint32_t rate, uint64_t now)
{
  unsigned taken = 0;
  while (taken < 10000 && hm_bucket_take(b, burst, rate, now))
    taken++;
  return taken;
}

static void a_new_bucket_is_full(void **state)
{
  (void)state;
  struct hm_bucket one = {0}, many = {0};
  assert_int_equal(take_all(&one, 1, 1, start), 1);
  assert_int_equal(take_all(&many, 64, 1, start), 64);
}

static void it_fills_by_its_rate(void **state)
{
  (void)state;
  struct hm_bucket b = {0};
  assert_int_equal(take_all(&b, 8, 1, start), 8);
  assert_int_equal(take_all(&b, 8, 1, start + second - 1), 0);
  assert_int_equal(take_all(&b, 8, 1, start + second), 1);
  assert_int_equal(take_all(&b, 8, 1, start + 4 * second), 3);
  struct hm_bucket fast = {0};
  assert_int_equal(take_all(&fast, 2000, 2000, start), 2000);
  assert_int_equal(take_all(&fast, 2000, 2000, start + second / 4), 500);
}

static void it_never_holds_more_than_the_burst(void **state)
{
  (void)state;
  struct hm_bucket b = {0};
  assert_true(hm_bucket_take(&b, 8, 1, start));
  assert_int_equal(take_all(&b, 8, 1, start + 1000000 * second), 8);
}

static void a_refusal_costs_nothing(void **state)
{
  (void)state;
  struct hm_bucket b = {0};
  assert_int_equal(take_all(&b, 2, 1, start), 2);
  for (unsigned i = 0; i < 1000; i++)
    assert_false(hm_bucket_take(&b, 2, 1, start + second / 2));
  assert_int_equal(take_all(&b, 2, 1, start + second), 1);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_new_bucket_is_full),
      cmocka_unit_test(it_fills_by_its_rate),
      cmocka_unit_test(it_never_holds_more_than_the_burst),
      cmocka_unit_test(a_refusal_costs_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

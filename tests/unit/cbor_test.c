/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include <cmocka.h>

#include "tests/support/hex.h"
#include "trust/cbor.h"

struct refusal {
  const char *hex;
  enum hm_status status;
};

static void every_kind_of_hostile_item_is_refused(void **state)
{
  (void)state;
  static const struct refusal table[] = {
      {"1817", HM_NOT_DETERMINISTIC},   /* 23 in two bytes */
      {"190001", HM_NOT_DETERMINISTIC}, /* 1 in three */
      {"1a0000ffff", HM_NOT_DETERMINISTIC},
      {"1b00000000ffffffff", HM_NOT_DETERMINISTIC},
      {"3800", HM_NOT_DETERMINISTIC},   /* -1 in two bytes */
      {"580100", HM_NOT_DETERMINISTIC}, /* a bstr head too long */
      {"780161", HM_NOT_DETERMINISTIC},
      {"980100", HM_NOT_DETERMINISTIC},
      {"b8010000", HM_NOT_DETERMINISTIC},
      {"5f4100ff", HM_NOT_DETERMINISTIC}, /* indefinite lengths */
      {"7f6161ff", HM_NOT_DETERMINISTIC},
      {"9f00ff", HM_NOT_DETERMINISTIC},
      {"bf0000ff", HM_NOT_DETERMINISTIC},
      {"ff", HM_NOT_DETERMINISTIC},
      {"a201000100", HM_NOT_DETERMINISTIC}, /* duplicate key */
      {"a202000100", HM_NOT_DETERMINISTIC}, /* keys out of order */
      {"a220000100", HM_NOT_DETERMINISTIC}, /* -1 before 1 */
      {"a21901000018", HM_TRUNCATED},
      {"f4", HM_UNSUPPORTED},     /* false */
      {"f7", HM_UNSUPPORTED},     /* undefined */
      {"f90000", HM_UNSUPPORTED}, /* floats */
      {"fa00000000", HM_UNSUPPORTED},
      {"fb7ff8000000000000", HM_UNSUPPORTED},     /* NaN */
      {"e0", HM_UNSUPPORTED},                     /* simple 0 */
      {"c000", HM_UNSUPPORTED},                   /* tag 0 */
      {"c249ffffffffffffffffff", HM_UNSUPPORTED}, /* bignum */
      {"d200", HM_UNSUPPORTED},                   /* tag 18 on no array */
      {"d2d280", HM_UNSUPPORTED},
      {"d81280", HM_NOT_DETERMINISTIC},     /* tag 18 in two bytes */
      {"d86180", HM_UNSUPPORTED},           /* tag 97 */
      {"1bffffffffffffffff", HM_TOO_LARGE}, /* above 2^63 - 1 */
      {"3bffffffffffffffff", HM_TOO_LARGE},
      {"5b7fffffffffffffff00", HM_TRUNCATED}, /* nine bytes that ask for exabytes */
      {"9b7fffffffffffffff00", HM_TRUNCATED},
      {"bb7fffffffffffffff00", HM_TRUNCATED},
      {"9a0fffffff00", HM_TRUNCATED},
      {"62c328", HM_MALFORMED},     /* not UTF-8 */
      {"62c080", HM_MALFORMED},     /* overlong NUL */
      {"63eda080", HM_MALFORMED},   /* a surrogate */
      {"64f4908080", HM_MALFORMED}, /* above U+10FFFF */
      {"6107", HM_MALFORMED},       /* control characters */
      {"617f", HM_MALFORMED},
      {"62c285", HM_MALFORMED},
      {"0000", HM_MALFORMED}, /* something follows */
      {"8181818181818100", HM_TOO_DEEP},
      {"a1810000", HM_UNSUPPORTED}, /* an array as key */
      {"", HM_TRUNCATED},
      {"1c", HM_UNSUPPORTED},
      {"18", HM_TRUNCATED},
      {"4200", HM_TRUNCATED},
      {"8200", HM_TRUNCATED},
      {"d8", HM_TRUNCATED},
      {"d2", HM_TRUNCATED},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    uint8_t item[64];
    size_t len = hex_read(table[i].hex, item, sizeof item);
    enum hm_status status = hm_cbor_check(hm_bytes(item, len));
    if (status != table[i].status)
      fail_msg("%s: %s, not %s", table[i].hex, hm_status_row(status)->name,
               hm_status_row(table[i].status)->name);
  }
}

/* ---- what a refusal costs -------------------------------------------------------------------- */

enum { HOSTILE = 65536 };

/* Each fills item with up to HOSTILE hostile bytes and returns how many. */
static size_t nested(uint8_t *item)
{
  memset(item, 0x81, HOSTILE);
  return HOSTILE;
}

static size_t tags_only(uint8_t *item)
{
  memset(item, 0xd2, HOSTILE);
  return HOSTILE;
}

static size_t exabytes(uint8_t *item)
{
  return hex_read("5b7fffffffffffffff", item, HOSTILE);
}

static size_t array_of_exa_items(uint8_t *item)
{
  size_t len = hex_read("9b7fffffffffffffff", item, HOSTILE);
  memset(item + len, 0, HOSTILE - len);
  return HOSTILE;
}

/* As many ascending keys as there is room for, then the last one again. */
static size_t last_key_twice(uint8_t *item)
{
  enum { ENTRIES = 10000 };
  struct hm_out o = hm_out(item, HOSTILE);
  hm_cbor_put_map(&o, ENTRIES);
  for (uint64_t i = 0; i < ENTRIES; i++) {
    hm_cbor_put_uint(&o, UINT32_MAX - ENTRIES + (i < ENTRIES - 1 ? i : i - 1));
    hm_cbor_put_uint(&o, 0);
  }
  return hm_out_bytes(&o).len;
}

static size_t text_broken_at_its_end(uint8_t *item)
{
  struct hm_out o = hm_out(item, HOSTILE);
  static char text[HOSTILE - 8];
  memset(text, 'a', sizeof text);
  text[sizeof text - 1] = (char)0xc3;
  hm_cbor_put_tstr(&o, hm_bytes(text, sizeof text));
  return hm_out_bytes(&o).len;
}

static size_t float_at_the_end(uint8_t *item)
{
  struct hm_out o = hm_out(item, HOSTILE);
  hm_cbor_put_array(&o, HOSTILE - 8);
  for (size_t i = 0; i < HOSTILE - 9; i++)
    hm_cbor_put_uint(&o, 0);
  size_t len = hm_out_bytes(&o).len;
  return len + hex_read("f90000", item + len, HOSTILE - len);
}

/* Processor time; the best of three, for a neighbour empties caches. */
static clock_t fastest_refusal(struct hm_bytes item, enum hm_status *status)
{
  clock_t best = 0;
  for (int i = 0; i < 3; i++) {
    clock_t begin = clock();
    *status = hm_cbor_check(item);
    clock_t took = clock() - begin;
    best = i == 0 || took < best ? took : best;
  }
  return best;
}

/* trust/ allocates nothing (freestanding.sh), so the resident set stands for the stack. */
static void a_refusal_takes_under_10_ms_and_10_mb(void **state)
{
  (void)state;
  static size_t (*const kinds[])(uint8_t * item) = {nested,          tags_only,
                                                    exabytes,        array_of_exa_items,
                                                    last_key_twice,  text_broken_at_its_end,
                                                    float_at_the_end};
  static uint8_t item[HOSTILE];
  const clock_t slowness = getenv("HM_TEST_THIN") != NULL ? 50 : 1; /* emulation, TSan */
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    size_t len = kinds[i](item);
    struct rusage before, after;
    assert_true(len > 0);
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    enum hm_status status = HM_OK;
    clock_t took = fastest_refusal(hm_bytes(item, len), &status);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    if (hm_status_row(status)->exit_code != 6)
      fail_msg("hostile item %zu: %s", i, hm_status_row(status)->name);
    if (took * 100 > CLOCKS_PER_SEC * slowness)
      fail_msg("hostile item %zu took %ld us", i, (long)(took * 1000000 / CLOCKS_PER_SEC));
    assert_true(after.ru_maxrss - before.ru_maxrss < 10240);
  }
}

static void the_profile_passes(void **state)
{
  (void)state;
  static const char *const items[] = {
      "00",
      "17",
      "1818",
      "20",
      "3903e7",
      "1b7fffffffffffffff",
      "3b7fffffffffffffff",
      "40",
      "4100",
      "60",
      "6161",
      "62c3bc",
      "64f09f9a97",
      "80",
      "a0",
      "f6",
      "81818181818100",
      "a30000010020f6",
      "d28443a10126a0f64100",
      "d86080",
      "d080",
  };
  for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
    uint8_t item[64];
    size_t len = hex_read(items[i], item, sizeof item);
    if (hm_cbor_check(hm_bytes(item, len)) != HM_OK)
      fail_msg("%s was refused", items[i]);
    for (size_t cut = 0; cut < len; cut++)
      assert_int_not_equal(hm_cbor_check(hm_bytes(item, cut)), HM_OK);
  }
}

static void a_failed_read_does_not_move_the_cursor(void **state)
{
  (void)state;
  static const uint8_t item[] = {0x18, 0x64, 0xf6};
  struct hm_cbor c = hm_cbor(hm_bytes(item, sizeof item));
  struct hm_bytes text;
  assert_int_equal(hm_cbor_bstr(&c, &text), HM_WRONG_TYPE);
  assert_int_equal(c.at, 0);
  uint64_t value;
  assert_int_equal(hm_cbor_uint(&c, &value), HM_OK);
  assert_int_equal(value, 100);
  bool was_nil;
  assert_int_equal(hm_cbor_nil(&c, &was_nil), HM_OK);
  assert_true(was_nil);
  assert_int_equal(hm_cbor_end(&c), HM_OK);
}

static void integers_come_back_from_their_shortest_heads(void **state)
{
  (void)state;
  static const int64_t values[] = {
      0,  1,   23,  24,   255,  256,    65535,  65536,  4294967295,  4294967296,  INT64_MAX,
      -1, -24, -25, -256, -257, -65536, -65537, -70000, -4294967296, -4294967297, INT64_MIN};
  for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
    uint8_t buffer[16];
    struct hm_out out = hm_out(buffer, sizeof buffer);
    hm_cbor_put_int(&out, values[i]);
    assert_int_equal(hm_out_status(&out), HM_OK);
    struct hm_cbor c = hm_cbor(hm_out_bytes(&out));
    int64_t back;
    assert_int_equal(hm_cbor_int(&c, &back), HM_OK);
    assert_true(back == values[i]);
    assert_int_equal(hm_cbor_end(&c), HM_OK);
  }
}

static void a_short_buffer_is_told_once_with_the_size_needed(void **state)
{
  (void)state;
  uint8_t buffer[4] = {9, 9, 9, 9};
  struct hm_out out = hm_out(buffer, 3);
  hm_cbor_put_uint(&out, 1000);
  hm_cbor_put_uint(&out, 1);
  assert_int_equal(hm_out_status(&out), HM_SHORT_BUFFER);
  assert_int_equal(out.len, 4);
  assert_int_equal(buffer[3], 9);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_of_hostile_item_is_refused),
      cmocka_unit_test(a_refusal_takes_under_10_ms_and_10_mb),
      cmocka_unit_test(the_profile_passes),
      cmocka_unit_test(a_failed_read_does_not_move_the_cursor),
      cmocka_unit_test(integers_come_back_from_their_shortest_heads),
      cmocka_unit_test(a_short_buffer_is_told_once_with_the_size_needed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

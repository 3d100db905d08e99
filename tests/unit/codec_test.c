/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/hex.h"
#include "trust/codec.h"

/* One object with a field of every kind. */
struct pixel {
  uint64_t x, y;
};
struct sample {
  uint64_t level;
  uint8_t id[4];
  struct hm_bytes blob, name, raw;
  bool has_name, has_score;
  uint64_t score;
  struct pixel corner;
  uint32_t code_count, rate_count;
  uint64_t codes[3];
  struct hm_uint_pair rates[2];
};

static const struct hm_field pixel_fields[] = {
    {.name = "x", .kind = HM_UINT, .at = offsetof(struct pixel, x), .max = 9},
    {.name = "y", .kind = HM_UINT, .at = offsetof(struct pixel, y), .max = 9},
};
static const struct hm_shape shape_pixel = {"pixel", HM_ARRAY, pixel_fields, 2,
                                            sizeof(struct pixel)};
static const struct hm_field code_fields[] = {
    {.name = "code", .kind = HM_UINT, .min = 1, .max = 30}};
static const struct hm_shape shape_code = {"code", HM_ITEM, code_fields, 1, sizeof(uint64_t)};

static const struct hm_field sample_fields[] = {
    {.label = 1, .name = "version", .kind = HM_CONST, .min = 1},
    {.label = 2,
     .name = "level",
     .kind = HM_UINT,
     .at = offsetof(struct sample, level),
     .min = 1,
     .max = 7},
    {.label = 3, .name = "id", .kind = HM_FIXED, .at = offsetof(struct sample, id), .max = 4},
    {.label = 4,
     .name = "blob",
     .kind = HM_BSTR,
     .at = offsetof(struct sample, blob),
     .min = 1,
     .max = 3},
    {.label = 5,
     .name = "name",
     .kind = HM_TSTR,
     .flags = HM_OPTIONAL,
     .at = offsetof(struct sample, name),
     .has_at = offsetof(struct sample, has_name),
     .min = 1,
     .max = 8},
    {.label = 6,
     .name = "score",
     .kind = HM_UINT,
     .flags = HM_NIL_OK,
     .at = offsetof(struct sample, score),
     .has_at = offsetof(struct sample, has_score),
     .max = 256},
    {.label = 7,
     .name = "corner",
     .kind = HM_SHAPE,
     .at = offsetof(struct sample, corner),
     .of = &shape_pixel},
    {.label = 8,
     .name = "codes",
     .kind = HM_LIST,
     .flags = HM_ORDERED,
     .at = offsetof(struct sample, codes),
     .count_at = offsetof(struct sample, code_count),
     .min = 1,
     .max = 3,
     .of = &shape_code},
    {.label = 9,
     .name = "rates",
     .kind = HM_UMAP,
     .at = offsetof(struct sample, rates),
     .count_at = offsetof(struct sample, rate_count),
     .max = 2,
     .of = &shape_pixel},
    {.label = 10, .name = "magic", .kind = HM_TEXT, .text = "hm"},
    {.label = 11, .name = "nothing", .kind = HM_NIL},
    {.label = 12,
     .name = "raw",
     .kind = HM_RAW,
     .at = offsetof(struct sample, raw),
     .min = 1,
     .max = 16},
    {.label = -1, .name = "algorithm", .kind = HM_NINT, .fixed = -7},
};
static const struct hm_shape shape_sample = {"sample", HM_MAP, sample_fields, 13,
                                             sizeof(struct sample)};

static void an_object_survives_the_round_trip(void **state)
{
  (void)state;
  uint8_t in[128], back[128];
  size_t len = hex_read("ad 01 01 02 05 03 4401020304 04 42aabb 05 6161 06 f6 07 820102 08 820118"
                        "19 09 a201020309 0a 62686d 0b f6 0c 8100 20 26",
                        in, sizeof in);
  struct sample s;
  struct hm_where where;
  assert_int_equal(hm_decode(&shape_sample, hm_bytes(in, len), &s, &where), HM_OK);
  assert_int_equal(s.level, 5);
  assert_true(s.has_name);
  assert_false(s.has_score);
  assert_int_equal(s.code_count, 2);
  assert_int_equal(s.codes[1], 25);
  assert_int_equal(s.rates[1].value, 9);
  struct hm_out out = hm_out(back, sizeof back);
  assert_int_equal(hm_encode(&shape_sample, &s, &out, NULL), HM_OK);
  assert_int_equal(out.len, len);
  assert_memory_equal(back, in, len);

  for (size_t cut = 0; cut < len; cut++)
    assert_int_not_equal(hm_decode(&shape_sample, hm_bytes(in, cut), &s, NULL), HM_OK);
  struct hm_out small = hm_out(back, len - 1);
  assert_int_equal(hm_decode(&shape_sample, hm_bytes(in, len), &s, NULL), HM_OK);
  assert_int_equal(hm_encode(&shape_sample, &s, &small, NULL), HM_SHORT_BUFFER);
  assert_int_equal(small.len, len);
}

struct wrong {
  const char *hex, *field;
  enum hm_status status;
};

static void what_the_table_forbids_is_refused_and_named(void **state)
{
  (void)state;
  static const struct wrong table[] = {
      {"a101 02", "version", HM_UNSUPPORTED},
      {"a201 01 02 08", "level", HM_MALFORMED},
      {"a101 01", "level", HM_MALFORMED},
      {"a201 01 03 4401020304", "level", HM_MALFORMED},
      {"a301 01 02 01 02 01", "id", HM_NOT_DETERMINISTIC},
      {"a301 01 02 01 03 43010203", "id", HM_MALFORMED},
      {"a401 01 02 01 03 4401020304 04 44aabbccdd", "blob", HM_TOO_LARGE},
      {"a501 01 02 01 03 4401020304 04 41aa 18 63 00", "score", HM_MALFORMED},
      {"a501 01 02 01 03 4401020304 04 41aa 06 41 00", "score", HM_WRONG_TYPE},
      {"a601 01 02 01 03 4401020304 04 41aa 06 00 07 8101", "corner", HM_MALFORMED},
      {"a601 01 02 01 03 4401020304 04 41aa 06 00 07 82010a", "y", HM_MALFORMED},
      {"a701 01 02 01 03 4401020304 04 41aa 06 00 07 820101 08 820201", "codes",
       HM_NOT_DETERMINISTIC},
      {"a701 01 02 01 03 4401020304 04 41aa 06 00 07 820101 08 8401020304", "codes", HM_TOO_LARGE},
      {"a801 01 02 01 03 4401020304 04 41aa 06 00 07 820101 08 8101 09 a202010101", "rates",
       HM_NOT_DETERMINISTIC},
      {"a901 01 02 01 03 4401020304 04 41aa 06 00 07 820101 08 8101 09 a0 0a 63686d6d", "magic",
       HM_MALFORMED},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    uint8_t in[128];
    size_t len = hex_read(table[i].hex, in, sizeof in);
    struct sample s;
    struct hm_where where;
    enum hm_status status = hm_decode(&shape_sample, hm_bytes(in, len), &s, &where);
    if (status != table[i].status || strcmp(where.field, table[i].field) != 0)
      fail_msg("%s: %s at %s", table[i].hex, hm_status_row(status)->name, where.field);
  }
}

static void a_value_out_of_limits_is_never_written(void **state)
{
  (void)state;
  uint8_t buffer[128];
  struct sample s = {.level = 1,
                     .blob = hm_bytes("a", 1),
                     .raw = hm_bytes("\x00", 1),
                     .code_count = 2,
                     .codes = {2, 2}};
  struct hm_where where;
  struct hm_out out = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_encode(&shape_sample, &s, &out, &where), HM_MALFORMED);
  assert_string_equal(where.field, "codes");
  s.codes[1] = 3;
  s.level = 0;
  out = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_encode(&shape_sample, &s, &out, &where), HM_MALFORMED);
  assert_string_equal(where.field, "level");
  s.level = 1;
  out = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_encode(&shape_sample, &s, &out, &where), HM_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_object_survives_the_round_trip),
      cmocka_unit_test(what_the_table_forbids_is_refused_and_named),
      cmocka_unit_test(a_value_out_of_limits_is_never_written),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

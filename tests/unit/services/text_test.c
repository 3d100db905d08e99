/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib.h>
#include <string.h>

#include "services/text.h"

static void nothing_from_outside_moves_a_cursor(void **state)
{
  (void)state;
  static const struct {
    const char *in, *out;
  } rows[] = {
      {"front", "front"},
      {"caf\xC3\xA9", "caf\xC3\xA9"},
      {"\033[31mred", "\\x1b[31mred"},
      {"a\nb\tc\r", "a\\x0ab\\x09c\\x0d"},
      {"\xC2\x9B"
       "2J",
       "\\xc2\\x9b2J"}, /* C1 control */
      {"\xE2\x80\xAE"
       "evil",
       "\\xe2\\x80\\xaeevil"}, /* right-to-left override */
      {"\xff\xc3", "\\xff\\xc3"},
      {"back\\slash", "back\\\\slash"},
      {"\x7f", "\\x7f"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *out = hm_text_escape(rows[i].in);
    assert_string_equal(out, rows[i].out);
  }
  g_autofree char *none = hm_text_escape(NULL);
  assert_string_equal(none, "-");
}

static void durations_sizes_and_fractions_are_exact(void **state)
{
  (void)state;
  uint64_t n = 0;
  assert_int_equal(hm_text_duration_ms("30d", &n), HM_OK);
  assert_int_equal(n, UINT64_C(30) * 86400000);
  assert_int_equal(hm_text_duration_ms("250ms", &n), HM_OK);
  assert_int_equal(n, 250);
  assert_int_equal(hm_text_size("4G", &n), HM_OK);
  assert_int_equal(n, UINT64_C(4) << 30);
  assert_int_equal(hm_text_fraction(">=0.8", &n), HM_OK);
  assert_int_equal(n, 8000);
  assert_int_equal(hm_text_fraction(".0625", &n), HM_OK);
  assert_int_equal(n, 625);
  assert_int_equal(hm_text_fraction("1", &n), HM_OK);
  assert_int_equal(n, 10000);
  static const char *const bad_durations[] = {"", "30", "d", "-1d", "1d ", " 1d", "1.5h", "1D"};
  for (size_t i = 0; i < G_N_ELEMENTS(bad_durations); i++)
    assert_int_equal(hm_text_duration_ms(bad_durations[i], &n), HM_MALFORMED);
  assert_int_equal(hm_text_duration_ms("99999999999999999999d", &n), HM_TOO_LARGE);
  assert_int_equal(hm_text_duration_ms("999999d", &n), HM_TOO_LARGE);
  static const char *const bad_fractions[] = {"",     ".", "1.5x", "0.12345",
                                              "-0.1", "2", "1.1",  "nan"};
  for (size_t i = 0; i < G_N_ELEMENTS(bad_fractions); i++)
    assert_int_not_equal(hm_text_fraction(bad_fractions[i], &n), HM_OK);
}

static void log_numbers_have_one_spelling(void **state)
{
  (void)state;
  uint64_t n = 0;
  assert_true(hm_text_log_number("m88012", 'm', &n));
  assert_int_equal(n, 88012);
  assert_true(hm_text_log_number("c9223372036854775807", 'c', &n));
  static const char *const bad[] = {"m",  "m0",  "m01", "M1",
                                    "c1", "m1 ", "m-1", "m9223372036854775808"};
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
    assert_false(hm_text_log_number(bad[i], 'm', &n));
}

static void times_keep_their_nanoseconds(void **state)
{
  (void)state;
  uint64_t n = 0;
  char out[HM_TEXT_TIME];
  assert_int_equal(hm_text_time_parse("2026-11-25T03:40:12.250000001Z", &n), HM_OK);
  hm_text_time_utc(n, out);
  assert_string_equal(out, "2026-11-25T03:40:12.250000001Z");
  uint64_t m = 0;
  assert_int_equal(hm_text_time_parse("2026-11-25T04:40:12.250000001+01:00", &m), HM_OK);
  assert_int_equal(n, m);
  assert_int_equal(hm_text_time_parse("2026-11-25 03:40", &m), HM_OK);
  assert_int_equal(hm_text_time_parse("2026-11-25", &m), HM_OK);
  static const char *const bad[] = {"",
                                    "now",
                                    "2026-13-01",
                                    "25.11.2026",
                                    "1969-01-01T00:00:00Z",
                                    "2026-11-25T03:40:12.Z",
                                    "2026-11-25T03:40:12.1234567890Z"};
  for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
    assert_int_equal(hm_text_time_parse(bad[i], &m), HM_MALFORMED);
}

static void a_password_in_a_source_is_never_shown(void **state)
{
  (void)state;
  static const struct {
    const char *in, *out;
  } rows[] = {
      {"rtsp://user:secret@10.0.0.2/s1", "rtsp://***@10.0.0.2/s1"},
      {"rtsp://user:se/cr@et@host/s1", "rtsp://***@host/s1"},
      {"rtsp://10.0.0.2/s1", "rtsp://10.0.0.2/s1"},
      {"file:/a/b@c.mkv", "file:/a/b@c.mkv"},
      {"csi:0", "csi:0"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *out = hm_text_mask_source(rows[i].in);
    assert_string_equal(out, rows[i].out);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_from_outside_moves_a_cursor),
      cmocka_unit_test(durations_sizes_and_fractions_are_exact),
      cmocka_unit_test(log_numbers_have_one_spelling),
      cmocka_unit_test(times_keep_their_nanoseconds),
      cmocka_unit_test(a_password_in_a_source_is_never_shown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct hm_error err;

static void an_lct_reads_back_as_it_is_written(void **state)
{
  (void)state;
  uint8_t id[32], again[32];
  char text[HM_LCT_TEXT + 1];
  for (unsigned round = 0; round < 200; round++) {
    for (size_t i = 0; i < sizeof id; i++)
      id[i] = (uint8_t)(round * 31 + i * (7 + round));
    hm_lct_format(id, text);
    assert_int_equal(strlen(text), HM_LCT_TEXT);
    assert_int_equal(hm_lct_parse(text, again), HM_OK);
    assert_memory_equal(id, again, sizeof id);
  }
}

/* RFC 4648 base32 of 32 times 0x00 and 0xff, by hand. */
static void an_lct_has_the_spelling_of_the_standard(void **state)
{
  (void)state;
  uint8_t id[32];
  char text[HM_LCT_TEXT + 1];
  memset(id, 0xff, sizeof id);
  hm_lct_format(id, text);
  assert_string_equal(text, "lct:web4:mb32:b777777777777777777777777777777777777777777777777777q");
  memset(id, 0, sizeof id);
  memcpy(id, "foobar", 6); /* RFC 4648 section 10: MZXW6YTBOI====== */
  hm_lct_format(id, text);
  assert_memory_equal(text, "lct:web4:mb32:bmzxw6ytboiaaaa", 29);
}

static void another_spelling_of_an_lct_is_refused(void **state)
{
  (void)state;
  uint8_t id[32] = {0}, out[32];
  char good[HM_LCT_TEXT + 1], bad[HM_LCT_TEXT + 8];
  hm_lct_format(id, good);
  /* the last letter holds one bit of the id; its other four must be zero */
  static const char spare[] = "bcdefghijklmno";
  for (size_t i = 0; i < strlen(spare); i++) {
    strcpy(bad, good);
    bad[HM_LCT_TEXT - 1] = spare[i];
    assert_int_equal(hm_lct_parse(bad, out), HM_NOT_DETERMINISTIC);
  }
  strcpy(bad, good);
  bad[20] = 'A';
  assert_int_equal(hm_lct_parse(bad, out), HM_MALFORMED);
  bad[20] = '1';
  assert_int_equal(hm_lct_parse(bad, out), HM_MALFORMED);
  strcpy(bad, good);
  bad[0] = 'L';
  assert_int_equal(hm_lct_parse(bad, out), HM_MALFORMED);
  strcpy(bad, good);
  strcat(bad, "=");
  assert_int_equal(hm_lct_parse(bad, out), HM_MALFORMED);
  bad[HM_LCT_TEXT - 1] = '\0';
  assert_int_equal(hm_lct_parse(bad, out), HM_MALFORMED);
  assert_int_equal(hm_lct_parse("", out), HM_MALFORMED);
}

static void a_prefix_of_six_letters_finds_its_lct(void **state)
{
  (void)state;
  uint8_t id[32], other[32];
  char text[HM_LCT_TEXT + 1], prefix[64];
  struct hm_lct_prefix p;
  memset(id, 0x5a, sizeof id);
  memset(other, 0x5b, sizeof other);
  hm_lct_format(id, text);
  snprintf(prefix, sizeof prefix, "lct:%.6s", text + 15);
  assert_int_equal(hm_lct_prefix_parse(prefix, &p, &err), HM_OK);
  assert_true(hm_lct_prefix_matches(&p, id));
  assert_false(hm_lct_prefix_matches(&p, other));
  assert_int_equal(hm_lct_prefix_parse(text, &p, &err), HM_OK);
  assert_true(hm_lct_prefix_matches(&p, id));
  snprintf(prefix, sizeof prefix, "lct:%.5s", text + 15);
  assert_int_equal(hm_lct_prefix_parse(prefix, &p, &err), HM_MALFORMED);
  assert_non_null(strstr(err.text, "6"));
  assert_int_equal(hm_lct_prefix_parse("lct:ABCDEF", &p, &err), HM_MALFORMED);
  assert_int_equal(hm_lct_prefix_parse("lct:", &p, &err), HM_MALFORMED);
  assert_int_equal(hm_lct_prefix_parse("front", &p, &err), HM_MALFORMED);
}

static void objects_are_told_by_their_look(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    enum hm_look look;
    uint64_t number;
  } rows[] = {
      {"front", HM_LOOK_NAME, 0},
      {"m88012", HM_LOOK_MEMORY, 88012},
      {"r12", HM_LOOK_BATCH, 12},
      {"c412", HM_LOOK_ENTRY, 412},
      {"lct:abcdef", HM_LOOK_LCT, 0},
      {"csi:0", HM_LOOK_SOURCE, 0},
      {"v4l2:video1", HM_LOOK_SOURCE, 0},
      {"rtsp://camera/1", HM_LOOK_SOURCE, 0},
      {"file:/a/b.mkv", HM_LOOK_SOURCE, 0},
      {"gst:\"videotestsrc\"", HM_LOOK_SOURCE, 0},
      {"can:can0/pack0", HM_LOOK_SOURCE, 0},
      {"x.hmk", HM_LOOK_PROOF, 0},
      {"/tmp/a b/x.hmk", HM_LOOK_PROOF, 0},
      {"m", HM_LOOK_NAME, 0},
      {"m1a", HM_LOOK_NAME, 0},
      {"rear-2", HM_LOOK_NAME, 0},
      {"c9223372036854775807", HM_LOOK_ENTRY, 9223372036854775807u},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hm_reference r;
    assert_int_equal(hm_reference_parse(rows[i].text, &r, &err), HM_OK);
    assert_int_equal(r.look, rows[i].look);
    assert_int_equal(r.number, rows[i].number);
  }
}

static void what_is_no_object_is_refused_with_the_rule(void **state)
{
  (void)state;
  static const char *const texts[] = {"m0",
                                      "m01",
                                      "c9223372036854775808",
                                      "Front",
                                      "-front",
                                      "",
                                      "front camera",
                                      "1st",
                                      "lct:abc",
                                      "frönt",
                                      "a23456789012345678901234567890123"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct hm_reference r;
    assert_int_equal(hm_reference_parse(texts[i], &r, &err), HM_MALFORMED);
    assert_true(strlen(err.text) > 20);
  }
}

static void names_follow_the_rule(void **state)
{
  (void)state;
  static const char *const good[] = {
      "a",   "front", "rear.left_2-b", "m",
      "mm1", "cam0",  "x1.hm",         "abcdefghijklmnopqrstuvwxyz012345"};
  static const char *const bad[] = {"",      "m1",  "r22", "c3",
                                    "x.hmk", "9a",  "_a",  "A",
                                    "a/b",   "a b", "a\n", "abcdefghijklmnopqrstuvwxyz0123456"};
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    assert_int_equal(hm_name_check(good[i], &err), HM_OK);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(hm_name_check(bad[i], &err), HM_MALFORMED);
    assert_non_null(strstr(err.text, "[a-z0-9._-]"));
  }
}

static void only_known_schemes_are_sources(void **state)
{
  (void)state;
  assert_string_equal(hm_source_scheme("rtsps://x"), "rtsps");
  assert_string_equal(hm_source_scheme("wit:/dev/ttyUSB0"), "wit");
  assert_null(hm_source_scheme("http://x"));
  assert_null(hm_source_scheme("file"));
  assert_null(hm_source_scheme(":"));
  assert_null(hm_source_scheme(""));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_lct_reads_back_as_it_is_written),
      cmocka_unit_test(an_lct_has_the_spelling_of_the_standard),
      cmocka_unit_test(another_spelling_of_an_lct_is_refused),
      cmocka_unit_test(a_prefix_of_six_letters_finds_its_lct),
      cmocka_unit_test(objects_are_told_by_their_look),
      cmocka_unit_test(what_is_no_object_is_refused_with_the_rule),
      cmocka_unit_test(names_follow_the_rule),
      cmocka_unit_test(only_known_schemes_are_sources),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

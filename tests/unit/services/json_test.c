/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib.h>
#include <string.h>

#include "services/json.h"

static enum hm_status parse(const char *text, JsonObject **object, char message[200])
{
  message[0] = '\0';
  return hm_json_parse(hm_bytes(text, strlen(text)), 4096, object, message, 200);
}

static void an_object_is_read(void **state)
{
  (void)state;
  JsonObject *o = NULL;
  char message[200];
  assert_int_equal(
      parse("{\"a\":\"x\",\"n\":\"18\",\"m\":7,\"f\":0.25,\"t\":true,\"l\":[1]}", &o, message),
      HM_OK);
  assert_string_equal(hm_json_get_text(o, "a"), "x");
  assert_int_equal(hm_json_get_uint(o, "n", 0), 18);
  assert_int_equal(hm_json_get_uint(o, "m", 0), 7);
  assert_int_equal(hm_json_get_uint(o, "a", 5), 5);
  assert_true(hm_json_get_number(o, "f", 0) == 0.25);
  assert_true(hm_json_get_bool(o, "t"));
  assert_int_equal(json_array_get_length(hm_json_get_list(o, "l")), 1);
  assert_null(hm_json_get_text(o, "none"));
  assert_null(hm_json_get_object(o, "a"));
  json_object_unref(o);
}

static void what_is_no_single_plain_object_is_refused(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    enum hm_status status;
  } rows[] = {
      {"", HM_MALFORMED},
      {"[]", HM_MALFORMED},
      {"1", HM_MALFORMED},
      {"null", HM_MALFORMED},
      {"{", HM_MALFORMED},
      {"{\"a\":1}}", HM_MALFORMED},
      {"{\"a\":1}{\"a\":1}", HM_MALFORMED},
      {"{\"a\":1,\"a\":2}", HM_MALFORMED},
      {"{\"b\":{\"a\":1,\"a\":2}}", HM_MALFORMED},
      {"{/* c */\"a\":1}", HM_MALFORMED},
      {"{\"a\":\"\\u00e\xC9\xA3\"}", HM_MALFORMED},
      {"{\"a\":18446744073709551617}", HM_MALFORMED},
      {"{\"a\":1e3}", HM_MALFORMED},
      {"{\"a\":\"\\x41\"}", HM_MALFORMED},
      {"{\"a\":\"\\u0000\"}", HM_MALFORMED},
      {"{\"a\":\"\\ud800\"}", HM_MALFORMED},
      {"{\"a\":\"\\udc00\"}", HM_MALFORMED},
      {"{\"a\":\"\x1b[2J\"}", HM_MALFORMED},
      {"{\"a\":[[[[[[[[1]]]]]]]]}", HM_TOO_DEEP},
  };
  char message[200];
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    JsonObject *o = NULL;
    enum hm_status status = parse(rows[i].text, &o, message);
    if (status != rows[i].status)
      fail_msg("%s: %d", rows[i].text, status);
    assert_null(o);
    assert_true(strlen(message) > 0);
  }
}

static void size_and_depth_are_bounded_before_the_parser_sees_them(void **state)
{
  (void)state;
  JsonObject *o = NULL;
  char message[200];
  g_autofree char *deep = g_strnfill(HM_JSON_BODY, '[');
  assert_int_equal(hm_json_parse(hm_bytes(deep, HM_JSON_BODY), HM_JSON_BODY, &o, message, 200),
                   HM_TOO_DEEP);
  assert_int_equal(hm_json_parse(hm_bytes(deep, HM_JSON_BODY), HM_JSON_BODY - 1, &o, message, 200),
                   HM_TOO_LARGE);
  assert_int_equal(hm_json_parse(hm_bytes("{}\0", 3), 10, &o, message, 200), HM_MALFORMED);
}

static const struct hm_json_field fields[] = {
    {"name", HM_JSON_TEXT, true, 1, 8},       {"k", HM_JSON_UINT, false, 1, 500},
    {"trust", HM_JSON_FRACTION, false, 0, 0}, {"names", HM_JSON_TEXTS, false, 1, 2},
    {"vector", HM_JSON_INTS, false, 3, 3},
};

static void members_are_checked_by_the_table(void **state)
{
  (void)state;
  static const struct {
    const char *text, *word; /* NULL: good */
  } rows[] = {
      {"{\"name\":\"x\"}", NULL},
      {"{\"name\":\"x\",\"k\":\"500\",\"trust\":1,\"names\":[\"a\"],\"vector\":[-127,0,127]}",
       NULL},
      {"{}", "name: missing"},
      {"{\"name\":\"\"}", "name"},
      {"{\"name\":\"123456789\"}", "name"},
      {"{\"name\":null}", "name"},
      {"{\"name\":\"x\",\"nmae\":1}", "nmae: unknown"},
      {"{\"name\":\"x\",\"k\":0}", "k: expected"},
      {"{\"name\":\"x\",\"k\":501}", "k: expected"},
      {"{\"name\":\"x\",\"k\":-1}", "k: expected"},
      {"{\"name\":\"x\",\"k\":1.5}", "k: expected"},
      {"{\"name\":\"x\",\"k\":\"+1\"}", "k: expected"},
      {"{\"name\":\"x\",\"trust\":1.1}", "trust: expected"},
      {"{\"name\":\"x\",\"names\":[]}", "names: expected"},
      {"{\"name\":\"x\",\"names\":[\"a\",\"b\",\"c\"]}", "names: expected"},
      {"{\"name\":\"x\",\"names\":[1]}", "names: expected"},
      {"{\"name\":\"x\",\"vector\":[0,0]}", "vector: expected"},
      {"{\"name\":\"x\",\"vector\":[0,0,128]}", "vector: expected"},
      {"{\"name\":\"x\",\"vector\":[0,0,0.5]}", "vector: expected"},
      {"{\"name\":\"x\",\"\\u001b[2J\":1}", "\\x1b[2J: unknown"},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
    JsonObject *o = NULL;
    char message[200];
    assert_int_equal(parse(rows[i].text, &o, message), HM_OK);
    enum hm_status status = hm_json_check(o, fields, G_N_ELEMENTS(fields), message, 200);
    if (status != (rows[i].word ? HM_MALFORMED : HM_OK) ||
        (rows[i].word && !strstr(message, rows[i].word)))
      fail_msg("%s: %s", rows[i].text, message);
    json_object_unref(o);
  }
}

static void numbers_of_64_bits_travel_as_text(void **state)
{
  (void)state;
  g_autoptr(JsonObject) o = json_object_new();
  hm_json_set_u64(o, "n", UINT64_MAX);
  hm_json_set_log(o, "id", 'm', 88012);
  hm_json_set_log(o, "none", 'c', 0);
  hm_json_set_hex(o, "h", "\x00\xff", 2);
  hm_json_set_fraction(o, "t", 0.71 + 0.000001);
  hm_json_set_text(o, "s", "a\"\xff");
  hm_json_set_text(o, "null", NULL);
  hm_json_set_time_ns(o, "at", UINT64_C(1764043200000000001));
  g_autofree char *line = hm_json_line(o);
  assert_string_equal(line, "{\"n\":\"18446744073709551615\",\"id\":\"m88012\",\"none\":null,"
                            "\"h\":\"00ff\",\"t\":0.71,\"s\":\"a\\\"\xEF\xBF\xBD\",\"null\":null,"
                            "\"at\":\"2025-11-25T04:00:00.000000001Z\"}");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_object_is_read),
      cmocka_unit_test(what_is_no_single_plain_object_is_refused),
      cmocka_unit_test(size_and_depth_are_bounded_before_the_parser_sees_them),
      cmocka_unit_test(members_are_checked_by_the_table),
      cmocka_unit_test(numbers_of_64_bits_travel_as_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

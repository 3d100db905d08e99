/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * JSON in and out, strict and bounded, over json-glib.
 *
 * json-glib keeps the last of two equal members in silence and recurses on
 * input; hm_json_parse looks at depth and size first, and refuses doubles. What
 * an object may hold is a table of fields; an unknown member is refused by name.
 * 64-bit integers travel as text, since a JSON number is a double to most readers.
 */
#ifndef HM_SERVICES_JSON_H
#define HM_SERVICES_JSON_H

#include <json-glib/json-glib.h>
#include <stdbool.h>

#include "trust/bytes.h"

enum { HM_JSON_DEPTH = 8, HM_JSON_BODY = 65536, HM_JSON_DIGITS = 18 };

enum hm_json_kind {
  HM_JSON_TEXT,     /* a string of min..max bytes */
  HM_JSON_UINT,     /* an integer min..max, or the same as decimal text */
  HM_JSON_FRACTION, /* a number in 0..1 */
  HM_JSON_TEXTS,    /* an array of min..max non-empty strings, each <= 512 bytes */
  HM_JSON_INTS      /* an array of exactly max integers in -127..127 */
};

struct hm_json_field {
  const char *name;
  enum hm_json_kind kind;
  bool is_required;
  uint64_t min, max;
};

/* Parse exactly one object of at most `limit` bytes and HM_JSON_DEPTH levels, no
 * member twice. *object is a new reference on HM_OK. message (may be NULL) gets
 * one line otherwise. HM_TOO_LARGE, HM_TOO_DEEP, HM_MALFORMED. */
enum hm_status HM_MUST_CHECK hm_json_parse(struct hm_bytes text, size_t limit, JsonObject **object,
                                           char *message, size_t message_size);

/* Every member is in the table, of its kind and within its limits, and no
 * required one is missing. HM_MALFORMED with the member in message. */
enum hm_status HM_MUST_CHECK hm_json_check(JsonObject *object, const struct hm_json_field *fields,
                                           size_t count, char *message, size_t message_size);

/* Reading without complaint: what is absent, null or of another kind is NULL, the
 * default, or an empty list. Texts are valid while the object lives. */
const char *hm_json_get_text(JsonObject *object, const char *name);
uint64_t hm_json_get_uint(JsonObject *object, const char *name, uint64_t otherwise);
double hm_json_get_number(JsonObject *object, const char *name, double otherwise);
bool hm_json_get_bool(JsonObject *object, const char *name);
JsonArray *hm_json_get_list(JsonObject *object, const char *name);
JsonObject *hm_json_get_object(JsonObject *object, const char *name);

/* Writing. text may be NULL and is then null; bytes that are no UTF-8 are replaced. */
void hm_json_set_text(JsonObject *object, const char *name, const char *text);
void hm_json_set_u64(JsonObject *object, const char *name, uint64_t value); /* as text */
/* A log number: letter and decimal, "m12"; 0 is null. */
void hm_json_set_log(JsonObject *object, const char *name, char letter, uint64_t number);
void hm_json_set_hex(JsonObject *object, const char *name, const void *data, size_t len);
/* Rounded to four decimals. */
void hm_json_set_fraction(JsonObject *object, const char *name, double value);
void hm_json_set_null(JsonObject *object, const char *name);
/* RFC 3339 in UTC with nanoseconds; 0 is null. */
void hm_json_set_time_ns(JsonObject *object, const char *name, uint64_t unix_ns);

/* One line, no newline. g_free it. */
char *hm_json_line(JsonObject *object);

#endif

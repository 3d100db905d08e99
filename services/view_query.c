/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A query as people write it, and its answer. The search itself is memory/query.
 */
#include <glib.h>
#include <string.h>

#include "sensors/descriptor.h"
#include "services/names.h"
#include "services/text.h"
#include "services/view.h"

const struct hm_json_field hm_view_query_fields[] = {
    {"like", HM_JSON_TEXT, false, 2, 20},
    {"vector", HM_JSON_INTS, false, HM_VECTOR_DIMENSION, HM_VECTOR_DIMENSION},
    {"sensor", HM_JSON_TEXT, false, 1, HM_LCT_TEXT},
    {"context", HM_JSON_TEXT, false, 1, 64},
    {"since", HM_JSON_TEXT, false, 1, HM_TEXT_TIME},
    {"until", HM_JSON_TEXT, false, 1, HM_TEXT_TIME},
    {"trust", HM_JSON_FRACTION, false, 0, 1},
    {"value", HM_JSON_FRACTION, false, 0, 1},
    {"k", HM_JSON_UINT, false, 1, HM_QUERY_HITS_MAX},
    {"after", HM_JSON_TEXT, false, 2, 20},
};
const size_t hm_view_query_field_count = G_N_ELEMENTS(hm_view_query_fields);

static enum hm_status read_sensor(const struct hm_view *view, const char *text,
                                  struct hm_query *query, struct hm_error *err)
{
  query->has_sensor = true;
  if (hm_lct_parse(text, query->sensor) == HM_OK)
    return HM_OK;
  HM_TRY(hm_name_check(text, err));
  if (view->find_name && view->find_name(view->user, text, query->sensor))
    return HM_OK;
  return hm_fail(err, HM_NOT_FOUND, "%s: no entity of this name; run: hallmark ls", text);
}

static enum hm_status read_context(const struct hm_view *view, const char *text,
                                   struct hm_query *query, struct hm_error *err)
{
  uint32_t code = 0;
  if (hm_code_find(&hm_contexts, hm_bytes(text, strlen(text)), &code)) {
    query->context = code;
    return HM_OK;
  }
  if (view->find_context && view->find_context(view->user, text, &query->context))
    return HM_OK;
  return hm_fail(err, HM_NOT_FOUND, "context %.64s: unknown here; run: hallmark spec context",
                 text);
}

/* A time, or a memory: from it on (since), before it (until). */
static enum hm_status read_bound(const char *member, const char *text, uint64_t *time_ns,
                                 uint64_t *number, struct hm_error *err)
{
  if (hm_text_log_number(text, 'm', number) || hm_text_time_parse(text, time_ns) == HM_OK)
    return HM_OK;
  return hm_fail(err, HM_MALFORMED, "%s: %.40s: expected a time (RFC 3339) or mN", member, text);
}

/* The vector to be near to, of a memory or as given. */
static enum hm_status read_like(const struct hm_view *view, JsonObject *body,
                                struct hm_query *query, uint8_t vector[HM_VECTOR_MAX],
                                struct hm_error *err)
{
  const char *like = hm_json_get_text(body, "like");
  JsonArray *given = hm_json_get_list(body, "vector");
  uint64_t number = 0;
  size_t len = 0;
  if (like && given)
    return hm_fail(err, HM_MALFORMED, "like and vector exclude each other");
  if (like) {
    if (!hm_text_log_number(like, 'm', &number))
      return hm_fail(err, HM_MALFORMED, "like: %.32s: expected a memory, mN", like);
    enum hm_status status = hm_query_vector(view->store, number, query->encoder, vector, &len);
    if (status == HM_NOT_FOUND)
      return hm_fail(err, status, "%s: no such memory, or it has no vector; run: hallmark query",
                     like);
    if (status != HM_OK)
      return hm_fail(err, status, "%s: %s", like, hm_status_text(status));
  } else if (given) {
    len = HM_VECTOR_DIMENSION;
    for (guint i = 0; i < len; i++)
      vector[i] = (uint8_t)json_array_get_int_element(given, i);
    memcpy(query->encoder, hm_region_encoder_hash, 32);
  } else {
    query->newest_first = true;
    return HM_OK;
  }
  query->has_encoder = true;
  query->like = hm_bytes(vector, len);
  return HM_OK;
}

static enum hm_status read_filters(const struct hm_view *view, JsonObject *body,
                                   struct hm_query *query, struct hm_error *err)
{
  const char *sensor = hm_json_get_text(body, "sensor");
  const char *context = hm_json_get_text(body, "context");
  const char *since = hm_json_get_text(body, "since"), *until = hm_json_get_text(body, "until");
  uint64_t from = 0;
  if (sensor)
    HM_TRY(read_sensor(view, sensor, query, err));
  if (context)
    HM_TRY(read_context(view, context, query, err));
  if (since)
    HM_TRY(read_bound("since", since, &query->since_ns, &from, err));
  if (until)
    HM_TRY(read_bound("until", until, &query->until_ns, &query->before, err));
  query->after = from > 0 ? from - 1 : 0;
  query->trust_least = (unsigned)(hm_json_get_number(body, "trust", 0) * 256 + 0.999);
  query->value_least = (unsigned)(hm_json_get_number(body, "value", 0) * 256 + 0.999);
  query->k = (uint32_t)hm_json_get_uint(body, "k", 50);
  return HM_OK;
}

enum hm_status hm_view_query_begin(const struct hm_view *view, JsonObject *body,
                                   struct hm_query_run *run, struct hm_error *err)
{
  struct hm_query query = {.k = 50};
  uint8_t vector[HM_VECTOR_MAX];
  const char *after = hm_json_get_text(body, "after");
  uint64_t number = 0;
  HM_TRY(read_filters(view, body, &query, err));
  HM_TRY(read_like(view, body, &query, vector, err));
  if (after && query.like.len > 0)
    return hm_fail(err, HM_MALFORMED,
                   "after: pages go by number, not by distance; ask for more by k");
  if (after && !hm_text_log_number(after, 'm', &number))
    return hm_fail(err, HM_MALFORMED, "after: %.32s: expected a memory, mN", after);
  if (after && (query.before == 0 || number < query.before))
    query.before = number;
  enum hm_status status = hm_query_begin(view->store, &query, run);
  return status == HM_OK ? HM_OK : hm_fail(err, status, "query: %s", hm_status_text(status));
}

/* Vectors have the same length, so the squared difference is 2 * length^2 * (1 - cosine). */
static double distance_of(const struct hm_query_run *run, const struct hm_hit *hit)
{
  if (run->query.like.len == 0)
    return -1;
  return (double)hit->distance / (2.0 * HM_VECTOR_LENGTH * HM_VECTOR_LENGTH);
}

enum hm_status hm_view_query_answer(const struct hm_view *view, const struct hm_query_run *run,
                                    const char *const *proofs, JsonObject **out,
                                    struct hm_error *err)
{
  g_autofree uint8_t *buffer = g_malloc(HM_STORED_RECORD_MAX);
  g_autoptr(JsonArray) hits = json_array_new();
  for (uint32_t i = 0; i < run->count; i++) {
    struct hm_stored_record stored;
    JsonObject *object = NULL;
    enum hm_status status =
        hm_store_record(view->store, run->hits[i].number, buffer, HM_STORED_RECORD_MAX, &stored);
    if (status != HM_OK)
      return hm_fail(err, status, "m%" G_GUINT64_FORMAT ": %s", run->hits[i].number,
                     hm_status_text(status));
    HM_TRY(hm_view_record(view, &stored, distance_of(run, &run->hits[i]), proofs ? proofs[i] : NULL,
                          &object, err));
    json_array_add_object_element(hits, object);
  }
  bool has_more = run->query.like.len == 0 && run->count == run->query.k && run->count > 0;
  *out = json_object_new();
  json_object_set_array_member(*out, "hits", g_steal_pointer(&hits));
  hm_json_set_u64(*out, "other_encoder", run->other_encoder);
  hm_json_set_u64(*out, "scanned", run->scanned);
  hm_json_set_log(*out, "next", 'm', has_more ? run->hits[run->count - 1].number : 0);
  return HM_OK;
}

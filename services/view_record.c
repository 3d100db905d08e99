/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/view.h"

#include <glib.h>
#include <string.h>

#include "services/names.h"
#include "services/text.h"

void hm_view_name(const struct hm_view *view, const uint8_t lct[32], char *out, size_t cap)
{
  const char *name = view->name_of ? view->name_of(view->user, lct) : NULL;
  char brief[HM_LCT_SHORT + 1];
  hm_lct_format_short(lct, brief);
  g_strlcpy(out, name ? name : brief, cap);
}

const char *hm_view_code(const struct hm_code_table *table, uint64_t code, char buffer[24])
{
  const char *name = hm_code_name(table, code);
  if (name)
    return name;
  g_snprintf(buffer, 24, "code %" G_GUINT64_FORMAT, code);
  return buffer;
}

static void set_code(JsonObject *o, const char *member, const struct hm_code_table *table,
                     uint64_t code)
{
  char buffer[24];
  hm_json_set_text(o, member, hm_view_code(table, code, buffer));
}

static void set_pairings(JsonObject *o, const struct hm_record *record)
{
  JsonArray *list = json_array_new();
  for (uint32_t i = 0; i < record->pairing_count; i++) {
    JsonObject *p = json_object_new();
    set_code(p, "context", &hm_contexts, record->pairings[i].context);
    hm_json_set_hex(p, "certificate", record->pairings[i].certificate, HM_HASH);
    json_array_add_object_element(list, p);
  }
  json_object_set_array_member(o, "pairings", list);
}

static void set_trust(JsonObject *o, const struct hm_record *record)
{
  if (!record->has_trust) {
    hm_json_set_null(o, "trust");
    hm_json_set_null(o, "trust_factors");
    return;
  }
  hm_json_set_fraction(o, "trust", hm_trust_fold(record->trust) / 256.0);
  JsonObject *factors = json_object_new();
  for (unsigned i = 0; i < 5; i++)
    hm_json_set_fraction(factors, hm_trust_factor_name(i), (double)record->trust[i] / 256);
  json_object_set_object_member(o, "trust_factors", factors);
  hm_json_set_text(o, "trust_lowest", hm_trust_factor_name(hm_trust_lowest(record->trust)));
}

static void set_q8(JsonObject *o, const char *member, struct hm_q8 value)
{
  if (value.has)
    hm_json_set_fraction(o, member, (double)value.q8 / 256);
  else
    hm_json_set_null(o, member);
}

static void set_value(JsonObject *o, const struct hm_record *record)
{
  if (!record->has_value) {
    hm_json_set_null(o, "value");
    hm_json_set_null(o, "value_parts");
    return;
  }
  set_q8(o, "value", hm_value_mean(record->value));
  JsonObject *parts = json_object_new();
  for (unsigned i = 0; i < 5; i++)
    set_q8(parts, hm_value_part_name(i), record->value[i]);
  json_object_set_object_member(o, "value_parts", parts);
}

static void set_times(JsonObject *o, const struct hm_record *record)
{
  hm_json_set_time_ns(o, "time", record->has_time ? record->time_ns : 0);
  if (record->has_error_ns)
    hm_json_set_u64(o, "error_ns", record->error_ns);
  else
    hm_json_set_null(o, "error_ns");
  hm_json_set_time_ns(o, "arrival", record->arrival_ns);
  if (record->has_raw_ns)
    hm_json_set_u64(o, "raw_ns", record->raw_ns);
  else
    hm_json_set_null(o, "raw_ns");
  if (record->has_clock_domain)
    set_code(o, "clock_domain", &hm_clocks, record->clock_domain);
  else
    hm_json_set_null(o, "clock_domain");
  set_code(o, "clock", &hm_qualities, record->quality);
}

static void set_content(JsonObject *o, const struct hm_record *record,
                        const struct hm_stored_record *stored)
{
  if (record->has_picture) {
    JsonObject *p = json_object_new();
    hm_json_set_hex(p, "digest", record->picture, HM_HASH);
    hm_json_set_text(p, "pixels", record->pixels == 1 ? "I420" : "grey");
    json_object_set_boolean_member(p, "kept", stored->picture.is_there);
    json_object_set_object_member(o, "picture", p);
  } else {
    hm_json_set_null(o, "picture");
  }
  if (record->has_vector) {
    JsonObject *v = json_object_new();
    hm_json_set_hex(v, "digest", record->vector, HM_HASH);
    hm_json_set_hex(v, "encoder", record->encoder, HM_HASH);
    json_object_set_boolean_member(v, "kept", stored->vector.is_there);
    json_object_set_object_member(o, "vector", v);
  } else {
    hm_json_set_null(o, "vector");
  }
}

static void set_region(JsonObject *o, const struct hm_record *record)
{
  if (!record->has_region) {
    hm_json_set_null(o, "region");
    return;
  }
  JsonArray *box = json_array_new();
  json_array_add_int_element(box, (gint64)record->x);
  json_array_add_int_element(box, (gint64)record->y);
  json_array_add_int_element(box, (gint64)record->width);
  json_array_add_int_element(box, (gint64)record->height);
  json_object_set_array_member(o, "region", box);
}

static void set_event(JsonObject *o, const struct hm_record *record)
{
  if (!record->has_event) {
    hm_json_set_null(o, "event");
    return;
  }
  JsonObject *e = json_object_new();
  set_code(e, "kind", &hm_events, record->event.kind);
  json_object_set_int_member(e, "level", (gint64)record->event.level);
  if (record->event.has_reason)
    set_code(e, "reason", &hm_reasons, record->event.reason);
  if (record->event.has_count)
    hm_json_set_u64(e, "count", record->event.count);
  json_object_set_object_member(o, "event", e);
}

enum hm_status hm_view_record(const struct hm_view *view, const struct hm_stored_record *stored,
                              double distance, const char *proof, JsonObject **out,
                              struct hm_error *err)
{
  struct hm_record record;
  struct hm_where where = {NULL, 0};
  enum hm_status status = hm_record_decode(stored->record, &record, &where);
  if (status != HM_OK)
    return hm_fail(err, HM_DAMAGED, "m%" G_GUINT64_FORMAT ": record: %s at %s, offset %zu",
                   stored->number, hm_status_text(status), where.field ? where.field : "its end",
                   where.offset);
  JsonObject *o = json_object_new();
  char name[64], lct[HM_LCT_TEXT + 1];
  hm_view_name(view, record.sensor.lct, name, sizeof name);
  hm_lct_format(record.sensor.lct, lct);
  hm_json_set_log(o, "id", 'm', stored->number);
  set_code(o, "type", &hm_record_types, record.type);
  hm_json_set_text(o, "sensor", name);
  hm_json_set_text(o, "lct", lct);
  hm_json_set_log(o, "binding", 'c', record.sensor.control);
  hm_json_set_log(o, "batch", 'r', record.batch_number);
  set_pairings(o, &record);
  json_object_set_int_member(o, "level", (gint64)record.level);
  json_object_set_int_member(o, "protection", (gint64)record.protection);
  set_code(o, "origin", &hm_origins, record.origin);
  if (record.has_frame)
    hm_json_set_u64(o, "frame", record.frame);
  else
    hm_json_set_null(o, "frame");
  set_times(o, &record);
  set_region(o, &record);
  set_trust(o, &record);
  set_value(o, &record);
  set_code(o, "coherence", &hm_coherences, record.has_coherence ? record.coherence : 0);
  set_content(o, &record, stored);
  set_event(o, &record);
  if (distance >= 0)
    hm_json_set_fraction(o, "distance", distance);
  else
    hm_json_set_null(o, "distance");
  hm_json_set_text(o, "proof", proof ? proof : "signed");
  *out = o;
  return HM_OK;
}

/* Read mN into a buffer of its own. */
static enum hm_status read_record(const struct hm_view *view, uint64_t number, uint8_t *buffer,
                                  struct hm_stored_record *stored, struct hm_error *err)
{
  enum hm_status status =
      hm_store_record(view->store, number, buffer, HM_STORED_RECORD_MAX, stored);
  if (status == HM_NOT_FOUND) {
    struct hm_store_sizes sizes;
    hm_store_sizes(view->store, &sizes);
    return hm_fail(err, status,
                   "m%" G_GUINT64_FORMAT ": no such memory; the newest is m%" G_GUINT64_FORMAT
                   "; run: hallmark query",
                   number, sizes.records);
  }
  if (status != HM_OK)
    return hm_fail(err, status, "m%" G_GUINT64_FORMAT ": %s", number, hm_status_text(status));
  return HM_OK;
}

enum hm_status hm_view_memory(const struct hm_view *view, uint64_t number, const char *proof,
                              JsonObject **out, struct hm_error *err)
{
  g_autofree uint8_t *buffer = g_malloc(HM_STORED_RECORD_MAX);
  struct hm_stored_record stored;
  HM_TRY(read_record(view, number, buffer, &stored, err));
  return hm_view_record(view, &stored, -1, proof, out, err);
}

enum hm_status hm_view_picture(const struct hm_view *view, uint64_t number, uint8_t picture[3072],
                               unsigned *pixels, struct hm_error *err)
{
  g_autofree uint8_t *buffer = g_malloc(HM_STORED_RECORD_MAX);
  struct hm_stored_record stored;
  struct hm_record record;
  HM_TRY(read_record(view, number, buffer, &stored, err));
  if (hm_record_decode(stored.record, &record, NULL) != HM_OK)
    return hm_fail(err, HM_DAMAGED, "m%" G_GUINT64_FORMAT ": its record does not parse", number);
  if (!record.has_picture || !stored.picture.is_there)
    return hm_fail(err, HM_NOT_FOUND, "m%" G_GUINT64_FORMAT ": %s", number,
                   record.has_picture ? "its picture was erased" : "has no picture");
  if (stored.picture.content.len != 3072)
    return hm_fail(err, HM_DAMAGED, "m%" G_GUINT64_FORMAT ": picture of %zu bytes, expected 3072",
                   number, stored.picture.content.len);
  memcpy(picture, stored.picture.content.data, 3072);
  *pixels = (unsigned)record.pixels;
  return HM_OK;
}

enum hm_status hm_view_control_at(const struct hm_view *view, uint64_t record, uint64_t *control,
                                  struct hm_error *err)
{
  *control = 0;
  if (record == 0)
    return HM_OK;
  uint64_t number = 0;
  g_autofree uint8_t *buffer = g_malloc(HM_STORED_BATCH_MAX);
  g_autofree struct hm_stored_batch *batch = g_new0(struct hm_stored_batch, 1);
  enum hm_status status = hm_store_batch_of(view->store, record, &number);
  if (status == HM_OK)
    status = hm_store_batch(view->store, number, buffer, HM_STORED_BATCH_MAX, batch);
  if (status != HM_OK)
    return hm_fail(err, status, "m%" G_GUINT64_FORMAT ": %s", record,
                   status == HM_NOT_FOUND ? "no such memory" : hm_status_text(status));
  *control = batch->control_size;
  return HM_OK;
}

enum hm_status hm_view_record_at(const struct hm_view *view, uint64_t control, uint64_t *record,
                                 struct hm_error *err)
{
  *record = 0;
  if (control == 0)
    return HM_OK;
  g_autofree uint8_t *buffer = g_malloc(MAX((size_t)HM_LOG_ENTRY_MAX, (size_t)HM_STORED_BATCH_MAX));
  g_autofree struct hm_stored_batch *batch = g_new0(struct hm_stored_batch, 1);
  struct hm_log_entry entry;
  enum hm_status status =
      hm_log_entry(hm_store_control(view->store), control, buffer, HM_LOG_ENTRY_MAX, &entry);
  uint64_t durable = status == HM_OK ? entry.durable_batches : 0;
  if (status == HM_OK && durable > 0)
    status = hm_store_batch(view->store, durable, buffer, HM_STORED_BATCH_MAX, batch);
  if (status != HM_OK)
    return hm_fail(err, status, "c%" G_GUINT64_FORMAT ": %s", control,
                   status == HM_NOT_FOUND ? "no such entry; run: hallmark log"
                                          : hm_status_text(status));
  if (durable > 0)
    *record = batch->first_record + batch->record_count - 1;
  return HM_OK;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Handing in: each call makes one message in one block of memory, with everything it
 * points to behind it, and queues it. Limits that would spoil a whole batch later are
 * checked here, for the one message alone.
 */
#include <stdlib.h>

#include "memory/query.h"
#include "services/daemon_writer_inside.h"

static struct hm_message *message(enum hm_message_kind kind, unsigned slot, size_t behind)
{
  struct hm_message *m = calloc(1, sizeof *m + behind);
  if (m) {
    m->kind = kind;
    m->slot = slot;
    m->size = sizeof *m + behind;
  }
  return m;
}

static enum hm_status put(struct hm_writer *w, struct hm_message *m)
{
  if (!m)
    return HM_FULL;
  enum hm_status status = hm_inbox_put(&w->inbox, m);
  if (status != HM_OK)
    free(m);
  return status;
}

/* Copy bytes behind the message and point at the copy. */
static struct hm_bytes behind(uint8_t **at, struct hm_bytes bytes)
{
  struct hm_bytes copy = hm_bytes(bytes.len ? *at : NULL, bytes.len);
  if (bytes.len > 0)
    memcpy(*at, bytes.data, bytes.len);
  *at += bytes.len;
  return copy;
}

enum hm_status hm_writer_sensor(struct hm_writer *w, const struct hm_writer_sensor *sensor)
{
  if (sensor->slot >= HM_WRITER_SENSORS || sensor->origin > HM_ORIGIN_SYNTHETIC)
    return HM_MALFORMED;
  struct hm_message *m = message(HM_MESSAGE_SENSOR, sensor->slot, 0);
  if (m)
    m->u.sensor = *sensor;
  return put(w, m);
}

static bool is_zero(struct hm_bytes bytes)
{
  for (size_t i = 0; i < bytes.len; i++)
    if (bytes.data[i])
      return false;
  return true;
}

static enum hm_status check_observation(const struct hm_observation *o)
{
  if (o->slot >= HM_WRITER_SENSORS || o->level < 1 || o->level > 7 ||
      o->protection > HM_PROTECTION_BINDING || o->clock_domain < HM_CLOCK_MONOTONIC ||
      o->clock_domain > HM_CLOCK_PIPELINE || o->frame > HM_INT_MAX || o->raw_ns > HM_INT_MAX ||
      o->arrival_ns > HM_INT_MAX || o->time_ns > HM_INT_MAX || o->error_ns > HM_INT_MAX)
    return HM_MALFORMED;
  if (o->x > 65535 || o->y > 65535 || o->width > 65535 || o->height > 65535)
    return HM_MALFORMED;
  for (int i = 0; i < 5; i++)
    if (o->trust[i] > 256 || (o->value[i].has && o->value[i].q8 > 256))
      return HM_MALFORMED;
  if (o->picture.len > HM_CONTENT_MAX || o->vector.len > HM_VECTOR_MAX)
    return HM_TOO_LARGE;
  if (o->picture.len > 0 && o->pixels != HM_PIXELS_I420 && o->pixels != HM_PIXELS_GREY)
    return HM_MALFORMED;
  if (o->vector.len > 0 && is_zero(o->vector))
    return HM_MALFORMED; /* it has no direction: no memory */
  return HM_OK;
}

enum hm_status hm_writer_observe(struct hm_writer *w, const struct hm_observation *o)
{
  HM_TRY(check_observation(o));
  struct hm_message *m = message(HM_MESSAGE_OBSERVATION, o->slot, o->picture.len + o->vector.len);
  if (m) {
    uint8_t *at = (uint8_t *)(m + 1);
    m->u.observation = *o;
    m->u.observation.picture = behind(&at, o->picture);
    m->u.observation.vector = behind(&at, o->vector);
  }
  return put(w, m);
}

enum hm_status hm_writer_event(struct hm_writer *w, const struct hm_trust_event *event)
{
  if (event->slot >= HM_WRITER_SENSORS || event->evidence_count > HM_EVIDENCE_MAX ||
      event->level < 1 || event->level > 7 || event->kind < HM_EVENT_ESCALATION ||
      event->kind > HM_EVENT_CONFIRMATION || event->arrival_ns > HM_INT_MAX)
    return HM_MALFORMED;
  struct hm_message *m = message(HM_MESSAGE_EVENT, event->slot, 0);
  if (m)
    m->u.event = *event;
  return put(w, m);
}

enum hm_status hm_writer_peripheral(struct hm_writer *w, unsigned slot, uint64_t frame,
                                    const uint8_t record[HM_PERIPHERAL_BYTES])
{
  if (slot >= HM_WRITER_SENSORS || frame > HM_INT_MAX)
    return HM_MALFORMED;
  struct hm_message *m = message(HM_MESSAGE_PERIPHERAL, slot, 0);
  if (m) {
    m->u.peripheral.frame = frame;
    memcpy(m->u.peripheral.record, record, HM_PERIPHERAL_BYTES);
  }
  return put(w, m);
}

enum hm_status hm_writer_counts(struct hm_writer *w, const struct hm_writer_counts *counts)
{
  if (counts->slot >= HM_WRITER_SENSORS || counts->state > HM_SENSOR_GATE_SHUT ||
      counts->last_frame > HM_INT_MAX ||
      (counts->passed > 0 && counts->first_frame > counts->last_frame))
    return HM_MALFORMED;
  struct hm_message *m = message(HM_MESSAGE_COUNTS, counts->slot, 0);
  if (m)
    m->u.counts = *counts;
  return put(w, m);
}

enum hm_status hm_writer_revocations(struct hm_writer *w, struct hm_revocation_view view)
{
  if (view.highest > HM_INT_MAX || view.heard > HM_SECONDS_MAX)
    return HM_MALFORMED;
  struct hm_message *m = message(HM_MESSAGE_REVOCATIONS, 0, 0);
  if (m)
    m->u.revocations = view;
  return put(w, m);
}

enum hm_status hm_writer_watched(struct hm_writer *w, bool is_watched)
{
  struct hm_message *m = message(HM_MESSAGE_WATCHED, 0, 0);
  if (m)
    m->u.is_watched = is_watched;
  return put(w, m);
}

enum hm_status hm_writer_entry(struct hm_writer *w, const struct hm_entry_request *request)
{
  size_t bytes = request->object.len + sizeof *request->receipt + sizeof *request->local;
  if (request->attached_count > HM_LOG_ATTACHED || request->object.len > HM_SIGN1_MAX)
    return HM_TOO_LARGE;
  for (uint32_t i = 0; i < request->attached_count; i++) {
    if (request->attached[i].len > HM_LOG_ATTACHED_MAX)
      return HM_TOO_LARGE;
    bytes += request->attached[i].len;
  }
  bool is_whole = (request->source == HM_ENTRY_OBJECT && request->object.len > 0) ||
                  (request->source == HM_ENTRY_RECEIPT && request->receipt) ||
                  (request->source == HM_ENTRY_LOCAL && request->local) ||
                  (request->source == HM_ENTRY_BUILD && request->build);
  if (!is_whole)
    return HM_MALFORMED;
  struct hm_message *m = message(HM_MESSAGE_ENTRY, 0, bytes);
  if (!m)
    return HM_FULL;
  struct hm_entry_request *copy = &m->u.entry;
  *copy = *request;
  /* the structs first: they need alignment, the bytes do not */
  struct hm_receipt *receipt = (struct hm_receipt *)(void *)(m + 1);
  struct hm_revocation *local = (struct hm_revocation *)(void *)(receipt + 1);
  uint8_t *at = (uint8_t *)(local + 1);
  if (request->receipt) {
    *receipt = *request->receipt;
    copy->receipt = receipt;
  }
  if (request->local) {
    *local = *request->local;
    copy->local = local;
  }
  copy->object = behind(&at, request->object);
  for (uint32_t i = 0; i < request->attached_count; i++)
    copy->attached[i] = behind(&at, request->attached[i]);
  return put(w, m);
}

enum hm_status hm_writer_flush(struct hm_writer *w, uint64_t token)
{
  struct hm_message *m = message(HM_MESSAGE_FLUSH, 0, 0);
  if (m)
    m->u.ask.token = token;
  return put(w, m);
}

enum hm_status hm_writer_checkpoint(struct hm_writer *w, uint64_t token, uint64_t record)
{
  struct hm_message *m = message(HM_MESSAGE_CHECKPOINT, 0, 0);
  if (m) {
    m->u.ask.token = token;
    m->u.ask.record = record;
  }
  return put(w, m);
}

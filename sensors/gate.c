/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A packet is [kind, members...]. Every kind is one row of a table: its name, who
 * may say it on which connection, how many members it has, and the two functions
 * that read and write them. Reading goes through trust/cbor's strict cursor, so a
 * packet has exactly one spelling; every number and length is checked against the
 * limits of gate.h in both directions, by the same checks.
 */
#include "sensors/gate_members.h"

struct row {
  struct hm_gate_kind_row shown;
  size_t members; /* after the kind */
  enum hm_status (*read)(struct hm_gate_reader *r, struct hm_gate_message *m);
  /* checks the limits, then puts; *field names a member that is outside */
  enum hm_status (*write)(const struct hm_gate_message *m, struct hm_out *o, const char **field);
};

/* ---- HELLO ---------------------------------------------------------------------- */

static enum hm_status check_hello(const struct hm_gate_message *m, const char **field)
{
  bool named = m->u.hello.sensor.len > 0;

  if (m->u.hello.version != HM_GATE_VERSION)
    return hm_gate_outside(field, "version");
  if (m->u.hello.role < HM_GATE_ROLE_GATE || m->u.hello.role > HM_GATE_ROLE_MEDIA)
    return hm_gate_outside(field, "role");
  if (named == (m->u.hello.role == HM_GATE_ROLE_MEDIA))
    return hm_gate_outside(field, "sensor");
  return HM_OK;
}

static enum hm_status read_hello(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  uint64_t role = 0;

  HM_TRY(hm_gate_read_uint(r, "version", 0, INT64_MAX, &m->u.hello.version));
  if (m->u.hello.version != HM_GATE_VERSION)
    return HM_UNSUPPORTED;
  HM_TRY(hm_gate_read_uint(r, "role", HM_GATE_ROLE_GATE, HM_GATE_ROLE_MEDIA, &role));
  m->u.hello.role = (enum hm_gate_role)role;
  HM_TRY(hm_gate_read_text(r, "sensor", 0, HM_GATE_NAME, &m->u.hello.sensor));
  return check_hello(m, &r->field);
}

static enum hm_status write_hello(const struct hm_gate_message *m, struct hm_out *o,
                                  const char **field)
{
  HM_TRY(check_hello(m, field));
  hm_cbor_put_uint(o, m->u.hello.version);
  hm_cbor_put_uint(o, m->u.hello.role);
  return hm_gate_put_text(o, m->u.hello.sensor, 0, HM_GATE_NAME, "sensor", field);
}

/* ---- ASK ------------------------------------------------------------------------ */

static enum hm_status read_ask(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  size_t count = 0;
  uint64_t previous = 0;

  HM_TRY(hm_gate_read_fixed(r, "nonce", m->u.ask.nonce, HM_NONCE));
  HM_TRY(hm_gate_read_uint(r, "last frame", 0, INT64_MAX, &m->u.ask.last_frame));
  HM_TRY(hm_gate_read_uint(r, "passed", 0, INT64_MAX, &m->u.ask.passed));
  r->field = "dropped";
  HM_TRY(hm_cbor_map(&r->at, &count));
  if (count > HM_GATE_DROPS)
    return HM_TOO_LARGE;
  for (size_t i = 0; i < count; i++) {
    uint64_t reason = 0;

    HM_TRY(hm_gate_read_uint(r, "dropped", previous + 1, HM_GATE_DROPS, &reason));
    HM_TRY(hm_gate_read_uint(r, "dropped", 1, INT64_MAX, &m->u.ask.dropped[reason - 1]));
    previous = reason;
  }
  return HM_OK;
}

static enum hm_status write_ask(const struct hm_gate_message *m, struct hm_out *o,
                                const char **field)
{
  size_t count = 0;

  if (m->u.ask.last_frame > INT64_MAX)
    return hm_gate_outside(field, "last frame");
  if (m->u.ask.passed > INT64_MAX)
    return hm_gate_outside(field, "passed");
  hm_cbor_put_bstr(o, hm_bytes(m->u.ask.nonce, HM_NONCE));
  hm_cbor_put_uint(o, m->u.ask.last_frame);
  hm_cbor_put_uint(o, m->u.ask.passed);
  for (size_t i = 0; i < HM_GATE_DROPS; i++)
    count += m->u.ask.dropped[i] > 0;
  hm_cbor_put_map(o, count);
  for (size_t i = 0; i < HM_GATE_DROPS; i++) {
    if (m->u.ask.dropped[i] > INT64_MAX)
      return hm_gate_outside(field, "dropped");
    if (m->u.ask.dropped[i] == 0)
      continue;
    hm_cbor_put_uint(o, i + 1);
    hm_cbor_put_uint(o, m->u.ask.dropped[i]);
  }
  return HM_OK;
}

/* ---- GRANT ---------------------------------------------------------------------- */

static enum hm_status read_data_types(struct hm_gate_reader *r, struct hm_gate_grant *grant)
{
  uint64_t previous = 0;

  HM_TRY(hm_gate_read_list(r, "data types", 1, HM_GATE_DATA_TYPES, &grant->data_type_count));
  for (uint32_t i = 0; i < grant->data_type_count; i++) {
    uint64_t code = 0;

    HM_TRY(hm_gate_read_uint(r, "data types", previous + 1, 20, &code));
    grant->data_types[i] = (uint8_t)code;
    previous = code;
  }
  return HM_OK;
}

static enum hm_status read_grants(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  uint64_t previous = 0;

  HM_TRY(hm_gate_read_list(r, "grants", 1, HM_GATE_CONTEXTS, &m->u.grant.count));
  for (uint32_t i = 0; i < m->u.grant.count; i++) {
    struct hm_gate_grant *grant = &m->u.grant.grants[i];
    uint32_t members = 0;

    HM_TRY(hm_gate_read_list(r, "grant", 5, 5, &members));
    HM_TRY(hm_gate_read_uint(r, "context", previous + 1, UINT16_MAX, &grant->context));
    HM_TRY(hm_gate_read_fixed(r, "certificate", grant->certificate, HM_HASH));
    HM_TRY(read_data_types(r, grant));
    HM_TRY(hm_gate_read_fixed(r, "policy hash", grant->policy_hash, HM_HASH));
    HM_TRY(hm_gate_read_uint(r, "kid16", 1, 65534, &grant->kid16));
    previous = grant->context;
  }
  return HM_OK;
}

static enum hm_status read_grant(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  struct hm_cbor_head head;
  uint64_t reason = 0;

  HM_TRY(hm_gate_read_fixed(r, "nonce", m->u.grant.nonce, HM_NONCE));
  r->field = "grants";
  HM_TRY(hm_cbor_peek(&r->at, &head));
  if (head.type == HM_CBOR_ARRAY)
    return read_grants(r, m);
  HM_TRY(hm_gate_read_uint(r, "reason", 1, HM_GATE_REASON_COUNT - 1, &reason));
  m->u.grant.reason = (enum hm_gate_reason)reason;
  return HM_OK;
}

static enum hm_status write_one_grant(const struct hm_gate_grant *grant, uint64_t previous,
                                      struct hm_out *o, const char **field)
{
  if (grant->context <= previous || grant->context > UINT16_MAX)
    return hm_gate_outside(field, "context");
  if (grant->data_type_count < 1 || grant->data_type_count > HM_GATE_DATA_TYPES)
    return hm_gate_outside(field, "data types");
  if (grant->kid16 < 1 || grant->kid16 > 65534)
    return hm_gate_outside(field, "kid16");
  hm_cbor_put_array(o, 5);
  hm_cbor_put_uint(o, grant->context);
  hm_cbor_put_bstr(o, hm_bytes(grant->certificate, HM_HASH));
  hm_cbor_put_array(o, grant->data_type_count);
  for (uint32_t i = 0; i < grant->data_type_count; i++) {
    if (grant->data_types[i] <= (i > 0 ? grant->data_types[i - 1] : 0) || grant->data_types[i] > 20)
      return hm_gate_outside(field, "data types");
    hm_cbor_put_uint(o, grant->data_types[i]);
  }
  hm_cbor_put_bstr(o, hm_bytes(grant->policy_hash, HM_HASH));
  hm_cbor_put_uint(o, grant->kid16);
  return HM_OK;
}

static enum hm_status write_grant(const struct hm_gate_message *m, struct hm_out *o,
                                  const char **field)
{
  uint64_t previous = 0;

  if (m->u.grant.count > HM_GATE_CONTEXTS)
    return hm_gate_outside(field, "grants");
  if ((m->u.grant.count > 0) != (m->u.grant.reason == HM_GATE_OPEN) ||
      m->u.grant.reason >= HM_GATE_REASON_COUNT)
    return hm_gate_outside(field, "reason");
  hm_cbor_put_bstr(o, hm_bytes(m->u.grant.nonce, HM_NONCE));
  if (m->u.grant.count == 0) {
    hm_cbor_put_uint(o, m->u.grant.reason);
    return HM_OK;
  }
  hm_cbor_put_array(o, m->u.grant.count);
  for (uint32_t i = 0; i < m->u.grant.count; i++) {
    HM_TRY(write_one_grant(&m->u.grant.grants[i], previous, o, field));
    previous = m->u.grant.grants[i].context;
  }
  return HM_OK;
}

/* ---- REVOKE, CLOSED ------------------------------------------------------------- */

static enum hm_status read_revoke(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  return hm_gate_read_contexts(r, 1, &m->u.revoke.count, m->u.revoke.contexts);
}

static enum hm_status write_revoke(const struct hm_gate_message *m, struct hm_out *o,
                                   const char **field)
{
  return hm_gate_put_contexts(o, m->u.revoke.count, 1, m->u.revoke.contexts, field);
}

static enum hm_status read_closed(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  uint64_t reason = 0;

  HM_TRY(hm_gate_read_contexts(r, 0, &m->u.closed.count, m->u.closed.contexts));
  HM_TRY(hm_gate_read_uint(r, "last frame", 0, INT64_MAX, &m->u.closed.last_frame));
  HM_TRY(hm_gate_read_uint(r, "reason", 1, HM_GATE_REASON_COUNT - 1, &reason));
  m->u.closed.reason = (enum hm_gate_reason)reason;
  return HM_OK;
}

static enum hm_status write_closed(const struct hm_gate_message *m, struct hm_out *o,
                                   const char **field)
{
  if (m->u.closed.last_frame > INT64_MAX)
    return hm_gate_outside(field, "last frame");
  if (m->u.closed.reason < 1 || m->u.closed.reason >= HM_GATE_REASON_COUNT)
    return hm_gate_outside(field, "reason");
  HM_TRY(hm_gate_put_contexts(o, m->u.closed.count, 0, m->u.closed.contexts, field));
  hm_cbor_put_uint(o, m->u.closed.last_frame);
  hm_cbor_put_uint(o, m->u.closed.reason);
  return HM_OK;
}

/* ---- PERIPHERAL, OBSERVE -------------------------------------------------------- */

static enum hm_status read_peripheral(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  return hm_gate_read_fixed(r, "record", m->u.peripheral.record, HM_GATE_PERIPHERAL);
}

static enum hm_status write_peripheral(const struct hm_gate_message *m, struct hm_out *o,
                                       const char **field)
{
  (void)field;
  hm_cbor_put_bstr(o, hm_bytes(m->u.peripheral.record, HM_GATE_PERIPHERAL));
  return HM_OK;
}

/* What the types of the members cannot say, in both directions. */
static enum hm_status check_observe(const struct hm_gate_message *m, const char **field)
{
  const uint16_t *region = m->u.observe.region;

  if (region[2] == 0 || region[3] == 0 || (uint64_t)region[0] + region[2] > m->u.observe.width ||
      (uint64_t)region[1] + region[3] > m->u.observe.height)
    return hm_gate_outside(field, "region");
  if (m->u.observe.picture.len != 0 && m->u.observe.picture.len != HM_GATE_PICTURE)
    return hm_gate_outside(field, "picture");
  if (m->u.observe.vector.len > HM_GATE_VECTOR)
    return hm_gate_outside(field, "vector");
  if (m->u.observe.has_encoder != (m->u.observe.vector.len > 0))
    return hm_gate_outside(field, "encoder");
  return HM_OK;
}

static enum hm_status read_value(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  uint32_t count = 0;

  HM_TRY(hm_gate_read_list(r, "value", 5, 5, &count));
  for (size_t i = 0; i < 5; i++) {
    bool nil = false;
    uint64_t part = 0;

    HM_TRY(hm_cbor_nil(&r->at, &nil));
    m->u.observe.has_value[i] = !nil;
    if (!nil)
      HM_TRY(hm_gate_read_uint(r, "value", 0, 256, &part));
    m->u.observe.value[i] = (uint16_t)part;
  }
  return HM_OK;
}

static enum hm_status read_observe_parts(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  struct hm_bytes encoder;

  HM_TRY(hm_gate_read_numbers(r, "region", UINT16_MAX, m->u.observe.region, 4));
  HM_TRY(hm_gate_read_numbers(r, "factors", 256, m->u.observe.factors, 5));
  HM_TRY(read_value(r, m));
  HM_TRY(hm_gate_read_bytes_or_nil(r, "picture", HM_GATE_PICTURE, HM_GATE_PICTURE,
                                   &m->u.observe.picture));
  HM_TRY(hm_gate_read_bytes_or_nil(r, "vector", 1, HM_GATE_VECTOR, &m->u.observe.vector));
  HM_TRY(hm_gate_read_bytes_or_nil(r, "encoder", HM_HASH, HM_HASH, &encoder));
  m->u.observe.has_encoder = encoder.len > 0;
  if (encoder.len > 0)
    memcpy(m->u.observe.encoder, encoder.data, HM_HASH);
  return check_observe(m, &r->field);
}

static enum hm_status read_observe(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  uint64_t format = 0;
  bool nil = false;

  HM_TRY(hm_gate_read_uint(r, "seq", 1, INT64_MAX, &m->u.observe.seq));
  HM_TRY(hm_gate_read_uint(r, "frame", 1, INT64_MAX, &m->u.observe.frame));
  r->field = "pts";
  HM_TRY(hm_cbor_nil(&r->at, &nil));
  m->u.observe.has_pts = !nil;
  if (!nil)
    HM_TRY(hm_gate_read_uint(r, "pts", 0, INT64_MAX, &m->u.observe.pts_ns));
  HM_TRY(hm_gate_read_uint(r, "boottime", 0, INT64_MAX, &m->u.observe.boottime_ns));
  HM_TRY(hm_gate_read_uint(r, "width", 1, UINT16_MAX, &m->u.observe.width));
  HM_TRY(hm_gate_read_uint(r, "height", 1, UINT16_MAX, &m->u.observe.height));
  HM_TRY(hm_gate_read_uint(r, "format", HM_GATE_GRAY8, HM_GATE_NV12, &format));
  m->u.observe.format = (enum hm_gate_format)format;
  return read_observe_parts(r, m);
}

static enum hm_status check_observe_numbers(const struct hm_gate_message *m, const char **field)
{
  if (m->u.observe.seq < 1 || m->u.observe.seq > INT64_MAX)
    return hm_gate_outside(field, "seq");
  if (m->u.observe.frame < 1 || m->u.observe.frame > INT64_MAX)
    return hm_gate_outside(field, "frame");
  if (m->u.observe.has_pts && m->u.observe.pts_ns > INT64_MAX)
    return hm_gate_outside(field, "pts");
  if (m->u.observe.boottime_ns > INT64_MAX)
    return hm_gate_outside(field, "boottime");
  if (m->u.observe.width < 1 || m->u.observe.width > UINT16_MAX)
    return hm_gate_outside(field, "width");
  if (m->u.observe.height < 1 || m->u.observe.height > UINT16_MAX)
    return hm_gate_outside(field, "height");
  if (m->u.observe.format < HM_GATE_GRAY8 || m->u.observe.format > HM_GATE_NV12)
    return hm_gate_outside(field, "format");
  return check_observe(m, field);
}

static enum hm_status put_observe_parts(const struct hm_gate_message *m, struct hm_out *o,
                                        const char **field)
{
  hm_cbor_put_array(o, 4);
  for (size_t i = 0; i < 4; i++)
    hm_cbor_put_uint(o, m->u.observe.region[i]);
  hm_cbor_put_array(o, 5);
  for (size_t i = 0; i < 5; i++) {
    if (m->u.observe.factors[i] > 256)
      return hm_gate_outside(field, "factors");
    hm_cbor_put_uint(o, m->u.observe.factors[i]);
  }
  hm_cbor_put_array(o, 5);
  for (size_t i = 0; i < 5; i++) {
    if (m->u.observe.value[i] > 256)
      return hm_gate_outside(field, "value");
    if (m->u.observe.has_value[i])
      hm_cbor_put_uint(o, m->u.observe.value[i]);
    else
      hm_cbor_put_nil(o);
  }
  return HM_OK;
}

static enum hm_status write_observe(const struct hm_gate_message *m, struct hm_out *o,
                                    const char **field)
{
  HM_TRY(check_observe_numbers(m, field));
  hm_cbor_put_uint(o, m->u.observe.seq);
  hm_cbor_put_uint(o, m->u.observe.frame);
  if (m->u.observe.has_pts)
    hm_cbor_put_uint(o, m->u.observe.pts_ns);
  else
    hm_cbor_put_nil(o);
  hm_cbor_put_uint(o, m->u.observe.boottime_ns);
  hm_cbor_put_uint(o, m->u.observe.width);
  hm_cbor_put_uint(o, m->u.observe.height);
  hm_cbor_put_uint(o, m->u.observe.format);
  HM_TRY(put_observe_parts(m, o, field));
  hm_gate_put_bytes_or_nil(o, m->u.observe.picture);
  hm_gate_put_bytes_or_nil(o, m->u.observe.vector);
  hm_gate_put_bytes_or_nil(o,
                           hm_bytes(m->u.observe.encoder, m->u.observe.has_encoder ? HM_HASH : 0));
  return HM_OK;
}

/* ---- EVENT, START, STOP, ACK, ERROR --------------------------------------------- */

static enum hm_status read_event(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  uint64_t event = 0;

  HM_TRY(hm_gate_read_uint(r, "event", 1, HM_GATE_EVENT_COUNT - 1, &event));
  m->u.event.event = (enum hm_gate_event)event;
  HM_TRY(hm_gate_read_uint(r, "frame", 0, INT64_MAX, &m->u.event.frame));
  return hm_gate_read_text(r, "text", 0, HM_GATE_TEXT, &m->u.event.text);
}

static enum hm_status write_event(const struct hm_gate_message *m, struct hm_out *o,
                                  const char **field)
{
  if (m->u.event.event < 1 || m->u.event.event >= HM_GATE_EVENT_COUNT)
    return hm_gate_outside(field, "event");
  if (m->u.event.frame > INT64_MAX)
    return hm_gate_outside(field, "frame");
  hm_cbor_put_uint(o, m->u.event.event);
  hm_cbor_put_uint(o, m->u.event.frame);
  return hm_gate_put_text(o, m->u.event.text, 0, HM_GATE_TEXT, "text", field);
}

static enum hm_status read_start(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  uint64_t isolate = 0;

  HM_TRY(hm_gate_read_text(r, "sensor", 1, HM_GATE_NAME, &m->u.start.sensor));
  HM_TRY(hm_gate_read_fixed(r, "LCT", m->u.start.lct, HM_HASH));
  HM_TRY(hm_gate_read_text(r, "source", 1, HM_GATE_SOURCE, &m->u.start.source));
  HM_TRY(hm_gate_read_uint(r, "isolate", 0, 1, &isolate));
  m->u.start.isolate = isolate == 1;
  return HM_OK;
}

static enum hm_status write_start(const struct hm_gate_message *m, struct hm_out *o,
                                  const char **field)
{
  HM_TRY(hm_gate_put_text(o, m->u.start.sensor, 1, HM_GATE_NAME, "sensor", field));
  hm_cbor_put_bstr(o, hm_bytes(m->u.start.lct, HM_HASH));
  HM_TRY(hm_gate_put_text(o, m->u.start.source, 1, HM_GATE_SOURCE, "source", field));
  hm_cbor_put_uint(o, m->u.start.isolate);
  return HM_OK;
}

static enum hm_status read_stop(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  return hm_gate_read_text(r, "sensor", 1, HM_GATE_NAME, &m->u.stop.sensor);
}

static enum hm_status write_stop(const struct hm_gate_message *m, struct hm_out *o,
                                 const char **field)
{
  return hm_gate_put_text(o, m->u.stop.sensor, 1, HM_GATE_NAME, "sensor", field);
}

static enum hm_status read_ack(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  return hm_gate_read_uint(r, "seq", 0, INT64_MAX, &m->u.ack.seq);
}

static enum hm_status write_ack(const struct hm_gate_message *m, struct hm_out *o,
                                const char **field)
{
  if (m->u.ack.seq > INT64_MAX)
    return hm_gate_outside(field, "seq");
  hm_cbor_put_uint(o, m->u.ack.seq);
  return HM_OK;
}

static enum hm_status read_nothing(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  (void)r;
  (void)m;
  return HM_OK;
}

static enum hm_status write_nothing(const struct hm_gate_message *m, struct hm_out *o,
                                    const char **field)
{
  (void)m;
  (void)o;
  (void)field;
  return HM_OK;
}

static enum hm_status read_error(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  uint64_t status = 0;

  HM_TRY(hm_gate_read_uint(r, "status", 1, HM_STATUS_COUNT - 1, &status));
  m->u.error.status = (enum hm_status)status;
  return hm_gate_read_text(r, "text", 0, HM_GATE_TEXT, &m->u.error.text);
}

static enum hm_status write_error(const struct hm_gate_message *m, struct hm_out *o,
                                  const char **field)
{
  if (m->u.error.status < 1 || m->u.error.status >= HM_STATUS_COUNT)
    return hm_gate_outside(field, "status");
  hm_cbor_put_uint(o, m->u.error.status);
  return hm_gate_put_text(o, m->u.error.text, 0, HM_GATE_TEXT, "text", field);
}

/* ---- SOURCES -------------------------------------------------------------------- */

static enum hm_status read_sources(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  HM_TRY(hm_gate_read_list(r, "sources", 0, HM_GATE_SOURCES, &m->u.sources.count));
  for (uint32_t i = 0; i < m->u.sources.count; i++) {
    struct hm_gate_source *source = &m->u.sources.list[i];
    uint32_t members = 0;

    HM_TRY(hm_gate_read_list(r, "source", 4, 4, &members));
    HM_TRY(hm_gate_read_text(r, "string", 1, HM_GATE_SOURCE, &source->string));
    HM_TRY(hm_gate_read_text(r, "kind", 1, HM_GATE_TEXT, &source->kind));
    HM_TRY(hm_gate_read_text(r, "what", 0, HM_GATE_TEXT, &source->what));
    HM_TRY(hm_gate_read_text(r, "state", 0, HM_GATE_TEXT, &source->state));
  }
  return HM_OK;
}

static enum hm_status write_sources(const struct hm_gate_message *m, struct hm_out *o,
                                    const char **field)
{
  if (m->u.sources.count > HM_GATE_SOURCES)
    return hm_gate_outside(field, "sources");
  hm_cbor_put_array(o, m->u.sources.count);
  for (uint32_t i = 0; i < m->u.sources.count; i++) {
    const struct hm_gate_source *source = &m->u.sources.list[i];

    hm_cbor_put_array(o, 4);
    HM_TRY(hm_gate_put_text(o, source->string, 1, HM_GATE_SOURCE, "string", field));
    HM_TRY(hm_gate_put_text(o, source->kind, 1, HM_GATE_TEXT, "kind", field));
    HM_TRY(hm_gate_put_text(o, source->what, 0, HM_GATE_TEXT, "what", field));
    HM_TRY(hm_gate_put_text(o, source->state, 0, HM_GATE_TEXT, "state", field));
  }
  return HM_OK;
}

/* ---- the table ------------------------------------------------------------------ */

enum {
  GATE = 1 << HM_GATE_ROLE_GATE,
  OBSERVER = 1 << HM_GATE_ROLE_OBSERVER,
  SINK = 1 << HM_GATE_ROLE_SINK,
  MEDIA = 1 << HM_GATE_ROLE_MEDIA,
  ANY = GATE | OBSERVER | SINK | MEDIA
};

static const struct row rows[] = {
    {{HM_GATE_HELLO, "HELLO", true, ANY, "version, role, sensor"}, 3, read_hello, write_hello},
    {{HM_GATE_GRANT, "GRANT", false, GATE,
      "nonce, [[context, certificate, data types, policy hash, kid16]] / reason"},
     2,
     read_grant,
     write_grant},
    {{HM_GATE_ASK, "ASK", true, GATE, "nonce, last frame, passed, {reason: dropped}"},
     4,
     read_ask,
     write_ask},
    {{HM_GATE_REVOKE, "REVOKE", false, GATE, "[contexts]"}, 1, read_revoke, write_revoke},
    {{HM_GATE_CLOSED, "CLOSED", true, GATE, "[contexts], last frame, reason"},
     3,
     read_closed,
     write_closed},
    {{HM_GATE_PERIPHERAL_RECORD, "PERIPHERAL", true, OBSERVER, "256 bytes"},
     1,
     read_peripheral,
     write_peripheral},
    {{HM_GATE_OBSERVE, "OBSERVE", true, OBSERVER | SINK,
      "seq, frame, pts / nil, boottime ns, width, height, format, region[4], factors[5], "
      "value[5], picture / nil, vector / nil, encoder / nil"},
     13,
     read_observe,
     write_observe},
    {{HM_GATE_EVENT, "EVENT", true, OBSERVER | SINK | MEDIA, "event, frame, text"},
     3,
     read_event,
     write_event},
    {{HM_GATE_START, "START", false, MEDIA, "sensor, LCT, source, isolate"},
     4,
     read_start,
     write_start},
    {{HM_GATE_STOP, "STOP", false, MEDIA, "sensor"}, 1, read_stop, write_stop},
    {{HM_GATE_ACK, "ACK", false, ANY, "seq"}, 1, read_ack, write_ack},
    {{HM_GATE_SOURCES_LIST, "SOURCES", true, MEDIA, "[[string, kind, what, state]]"},
     1,
     read_sources,
     write_sources},
    {{HM_GATE_DISCOVER, "DISCOVER", false, MEDIA, ""}, 0, read_nothing, write_nothing},
    {{HM_GATE_ERROR, "ERROR", false, ANY, "status, text"}, 2, read_error, write_error},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

static const struct row *row_of(uint64_t kind)
{
  for (size_t i = 0; i < ROWS; i++)
    if ((uint64_t)rows[i].shown.kind == kind)
      return &rows[i];
  return NULL;
}

const struct hm_gate_kind_row *hm_gate_kind_row(size_t index)
{
  return index < ROWS ? &rows[index].shown : NULL;
}

bool hm_gate_may_say(enum hm_gate_kind kind, bool from_client, enum hm_gate_role role)
{
  const struct row *row = row_of((uint64_t)kind);

  if (row == NULL || role < HM_GATE_ROLE_GATE || role > HM_GATE_ROLE_MEDIA)
    return false;
  if (kind == HM_GATE_ERROR)
    return true;
  return row->shown.from_client == from_client && (row->shown.roles & (1U << role)) != 0;
}

static enum hm_status decode(struct hm_gate_reader *r, struct hm_gate_message *m)
{
  const struct row *row;
  uint32_t members = 0;
  uint64_t kind = 0;

  HM_TRY(hm_gate_read_list(r, "packet", 1, 16, &members));
  HM_TRY(hm_gate_read_uint(r, "kind", 0, INT64_MAX, &kind));
  row = row_of(kind);
  if (row == NULL)
    return HM_UNSUPPORTED;
  m->kind = (enum hm_gate_kind)kind;
  r->field = "members";
  if (members != row->members + 1)
    return HM_MALFORMED;
  HM_TRY(row->read(r, m));
  r->field = "end";
  return hm_cbor_end(&r->at);
}

enum hm_status hm_gate_decode(struct hm_bytes packet, struct hm_gate_message *m,
                              struct hm_where *where)
{
  struct hm_gate_reader r = {hm_cbor(packet), "packet"};
  enum hm_status status = HM_TOO_LARGE;

  memset(m, 0, sizeof *m);
  if (packet.len <= HM_GATE_PACKET)
    status = decode(&r, m);
  if (where != NULL) {
    where->field = r.field;
    where->offset = r.at.at;
  }
  return status;
}

enum hm_status hm_gate_encode(const struct hm_gate_message *m, struct hm_out *out,
                              struct hm_where *where)
{
  const struct row *row = row_of((uint64_t)m->kind);
  const char *field = "kind";
  enum hm_status status = HM_MALFORMED;
  size_t start = out->len;

  if (row != NULL) {
    hm_cbor_put_array(out, row->members + 1);
    hm_cbor_put_uint(out, (uint64_t)m->kind);
    status = row->write(m, out, &field);
  }
  if (status == HM_OK && out->len - start > HM_GATE_PACKET)
    status = HM_TOO_LARGE;
  if (status == HM_OK)
    status = hm_out_status(out);
  if (where != NULL) {
    where->field = field;
    where->offset = out->len;
  }
  return status;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sensors/gate.h"

static struct hm_bytes text(const char *s)
{
  return hm_bytes(s, strlen(s));
}

/* ---- one good message of every kind ---------------------------------------------- */

static uint8_t picture[HM_GATE_PICTURE], vector[256];

static void fill_grant(struct hm_gate_message *m)
{
  m->u.grant.count = 2;
  for (uint32_t i = 0; i < 2; i++) {
    struct hm_gate_grant *g = &m->u.grant.grants[i];

    g->context = 5 + i;
    g->data_type_count = 2;
    g->data_types[0] = 16;
    g->data_types[1] = 18;
    g->kid16 = 300;
    memset(g->certificate, 0xaa, HM_HASH);
    memset(g->policy_hash, 0xbb, HM_HASH);
  }
}

static void fill_observe(struct hm_gate_message *m)
{
  static const uint16_t region[4] = {8, 16, 32, 64}, factors[5] = {256, 200, 0, 1, 2};

  m->u.observe.seq = 7;
  m->u.observe.frame = 1042;
  m->u.observe.has_pts = true;
  m->u.observe.pts_ns = 33333333;
  m->u.observe.boottime_ns = UINT64_C(1) << 40;
  m->u.observe.width = 640;
  m->u.observe.height = 480;
  m->u.observe.format = HM_GATE_NV12;
  memcpy(m->u.observe.region, region, sizeof region);
  memcpy(m->u.observe.factors, factors, sizeof factors);
  m->u.observe.has_value[0] = m->u.observe.has_value[1] = true;
  m->u.observe.value[0] = 256;
  m->u.observe.picture = hm_bytes(picture, sizeof picture);
  m->u.observe.vector = hm_bytes(vector, sizeof vector);
  m->u.observe.has_encoder = true;
  memset(m->u.observe.encoder, 0xcc, HM_HASH);
}

static struct hm_gate_message *good(enum hm_gate_kind kind)
{
  struct hm_gate_message *m = calloc(1, sizeof *m);

  m->kind = kind;
  switch (kind) {
  case HM_GATE_HELLO:
    m->u.hello.version = 1;
    m->u.hello.role = HM_GATE_ROLE_GATE;
    m->u.hello.sensor = text("front");
    break;
  case HM_GATE_GRANT:
    fill_grant(m);
    break;
  case HM_GATE_ASK:
    m->u.ask.last_frame = 12;
    m->u.ask.passed = 12;
    m->u.ask.dropped[HM_GATE_DROP_OTHER - 1] = 3;
    m->u.ask.dropped[0] = 1;
    break;
  case HM_GATE_REVOKE:
    m->u.revoke.count = 2;
    m->u.revoke.contexts[0] = 5;
    m->u.revoke.contexts[1] = 65535;
    break;
  case HM_GATE_CLOSED:
    m->u.closed.count = 1;
    m->u.closed.contexts[0] = 5;
    m->u.closed.last_frame = 1042;
    m->u.closed.reason = HM_GATE_REVOKED;
    break;
  case HM_GATE_PERIPHERAL_RECORD:
    memset(m->u.peripheral.record, 0x11, HM_GATE_PERIPHERAL);
    break;
  case HM_GATE_OBSERVE:
    fill_observe(m);
    break;
  case HM_GATE_EVENT:
    m->u.event.event = HM_GATE_EVENT_ERROR;
    m->u.event.frame = 3;
    m->u.event.text = text("no such device");
    break;
  case HM_GATE_START:
    m->u.start.sensor = text("front");
    memset(m->u.start.lct, 0xdd, HM_HASH);
    m->u.start.source = text("file:/srv/a.mkv");
    m->u.start.isolate = true;
    break;
  case HM_GATE_STOP:
    m->u.stop.sensor = text("front");
    break;
  case HM_GATE_ACK:
    m->u.ack.seq = 99;
    break;
  case HM_GATE_SOURCES_LIST:
    m->u.sources.count = 2;
    for (int i = 0; i < 2; i++)
      m->u.sources.list[i] =
          (struct hm_gate_source){text("v4l2:video0"), text("camera"), text("imx477"), text("")};
    break;
  case HM_GATE_DISCOVER:
    break;
  case HM_GATE_ERROR:
    m->u.error.status = HM_EXISTS;
    m->u.error.text = text("front is held");
    break;
  }
  return m;
}

static struct hm_bytes encoded(const struct hm_gate_message *m, uint8_t buffer[HM_GATE_PACKET])
{
  struct hm_out out = hm_out(buffer, HM_GATE_PACKET);

  assert_int_equal(hm_gate_encode(m, &out, NULL), HM_OK);
  return hm_out_bytes(&out);
}

static uint8_t one[HM_GATE_PACKET], two[HM_GATE_PACKET];

/* Decoding what was encoded and encoding that again gives the same bytes; a packet
 * cut anywhere, or with a byte after it, is refused. */
static void every_kind_comes_back_as_it_was(void **state)
{
  (void)state;
  const struct hm_gate_kind_row *row;
  size_t kinds = 0;

  for (size_t i = 0; (row = hm_gate_kind_row(i)) != NULL; i++, kinds++) {
    struct hm_gate_message *m = good(row->kind), *back = calloc(1, sizeof *back);
    struct hm_bytes packet = encoded(m, one);

    assert_int_equal(hm_gate_decode(packet, back, NULL), HM_OK);
    assert_int_equal(back->kind, row->kind);
    assert_true(hm_bytes_equal(encoded(back, two), packet));
    for (size_t len = 0; len < packet.len; len++)
      assert_int_not_equal(hm_gate_decode(hm_bytes(one, len), back, NULL), HM_OK);
    one[packet.len] = 0;
    assert_int_equal(hm_gate_decode(hm_bytes(one, packet.len + 1), back, NULL), HM_MALFORMED);
    free(m);
    free(back);
  }
  assert_int_equal(kinds, 14);
}

static void the_bytes_are_those_of_the_protocol(void **state)
{
  (void)state;
  static const uint8_t hello[] = {0x84, 0x01, 0x01, 0x01, 0x65, 'f', 'r', 'o', 'n', 't'};
  static const uint8_t revoke[] = {0x82, 0x04, 0x82, 0x05, 0x19, 0xff, 0xff};
  static const uint8_t closed[] = {0x84, 0x05, 0x81, 0x05, 0x19, 0x04, 0x12, 0x02};
  struct hm_gate_message *m = good(HM_GATE_HELLO);

  assert_true(hm_bytes_equal(encoded(m, one), hm_bytes(hello, sizeof hello)));
  free(m);
  m = good(HM_GATE_REVOKE);
  assert_true(hm_bytes_equal(encoded(m, one), hm_bytes(revoke, sizeof revoke)));
  free(m);
  m = good(HM_GATE_CLOSED);
  assert_true(hm_bytes_equal(encoded(m, one), hm_bytes(closed, sizeof closed)));
  free(m);
}

static void members_arrive_where_they_belong(void **state)
{
  (void)state;
  struct hm_gate_message *m = good(HM_GATE_OBSERVE), *back = calloc(1, sizeof *back);

  assert_int_equal(hm_gate_decode(encoded(m, one), back, NULL), HM_OK);
  assert_int_equal(back->u.observe.frame, 1042);
  assert_int_equal(back->u.observe.region[3], 64);
  assert_int_equal(back->u.observe.factors[1], 200);
  assert_true(back->u.observe.has_value[0] && !back->u.observe.has_value[2]);
  assert_int_equal(back->u.observe.picture.len, 3072);
  free(m);
  m = good(HM_GATE_ASK);
  assert_int_equal(hm_gate_decode(encoded(m, one), back, NULL), HM_OK);
  assert_int_equal(back->u.ask.dropped[0], 1);
  assert_int_equal(back->u.ask.dropped[1], 0);
  assert_int_equal(back->u.ask.dropped[5], 3);
  free(m);
  m = good(HM_GATE_GRANT);
  m->u.grant.count = 0;
  m->u.grant.reason = HM_GATE_UNPAIRED;
  assert_int_equal(hm_gate_decode(encoded(m, one), back, NULL), HM_OK);
  assert_int_equal(back->u.grant.count, 0);
  assert_int_equal(back->u.grant.reason, HM_GATE_UNPAIRED);
  free(m);
  free(back);
}

/* ---- values outside their limits -------------------------------------------------- */

static void refuses(struct hm_gate_message *m, const char *field)
{
  struct hm_out out = hm_out(one, sizeof one);
  struct hm_where where = {NULL, 0};

  assert_int_equal(hm_gate_encode(m, &out, &where), HM_MALFORMED);
  assert_string_equal(where.field, field);
}

static char long_text[HM_GATE_SOURCE + 2];

#define SPOILED(kind, change, field)                                                               \
  do {                                                                                             \
    struct hm_gate_message *m = good(kind);                                                        \
    change;                                                                                        \
    refuses(m, field);                                                                             \
    free(m);                                                                                       \
  } while (0)

static void nothing_outside_its_limits_is_written(void **state)
{
  (void)state;
  memset(long_text, 'a', sizeof long_text - 1);
  SPOILED(HM_GATE_HELLO, m->u.hello.version = 2, "version");
  SPOILED(HM_GATE_HELLO, m->u.hello.role = 5, "role");
  SPOILED(HM_GATE_HELLO, m->u.hello.sensor = hm_bytes(long_text, 33), "sensor");
  SPOILED(HM_GATE_HELLO, m->u.hello.sensor = text(""), "sensor");
  SPOILED(HM_GATE_HELLO, m->u.hello.role = HM_GATE_ROLE_MEDIA, "sensor");
  SPOILED(HM_GATE_HELLO, m->u.hello.sensor = text("a\nb"), "sensor");
  SPOILED(HM_GATE_ASK, m->u.ask.dropped[2] = UINT64_MAX, "dropped");
  SPOILED(HM_GATE_GRANT, m->u.grant.grants[1].context = 5, "context");
  SPOILED(HM_GATE_GRANT, m->u.grant.grants[0].kid16 = 65535, "kid16");
  SPOILED(HM_GATE_GRANT, m->u.grant.grants[0].data_types[1] = 21, "data types");
  SPOILED(HM_GATE_GRANT, m->u.grant.grants[0].data_type_count = 0, "data types");
  SPOILED(HM_GATE_GRANT, m->u.grant.count = 17, "grants");
  SPOILED(HM_GATE_GRANT, m->u.grant.count = 0, "reason");
  SPOILED(HM_GATE_GRANT, m->u.grant.reason = HM_GATE_REVOKED, "reason");
  SPOILED(HM_GATE_REVOKE, m->u.revoke.count = 0, "contexts");
  SPOILED(HM_GATE_REVOKE, m->u.revoke.contexts[1] = 5, "contexts");
  SPOILED(HM_GATE_CLOSED, m->u.closed.reason = HM_GATE_OPEN, "reason");
  SPOILED(HM_GATE_CLOSED, m->u.closed.contexts[0] = 0, "contexts");
  SPOILED(HM_GATE_OBSERVE, m->u.observe.seq = 0, "seq");
  SPOILED(HM_GATE_OBSERVE, m->u.observe.region[0] = 609, "region");
  SPOILED(HM_GATE_OBSERVE, m->u.observe.region[2] = 0, "region");
  SPOILED(HM_GATE_OBSERVE, m->u.observe.factors[4] = 257, "factors");
  SPOILED(HM_GATE_OBSERVE, m->u.observe.picture.len = 3071, "picture");
  SPOILED(HM_GATE_OBSERVE, m->u.observe.has_encoder = false, "encoder");
  SPOILED(HM_GATE_OBSERVE, m->u.observe.vector.len = 0, "encoder");
  SPOILED(HM_GATE_EVENT, m->u.event.text = hm_bytes(long_text, 65), "text");
  SPOILED(HM_GATE_START, m->u.start.source = hm_bytes(long_text, 4097), "source");
  SPOILED(HM_GATE_START, m->u.start.source = text(""), "source");
  SPOILED(HM_GATE_STOP, m->u.stop.sensor = text(""), "sensor");
  SPOILED(HM_GATE_SOURCES_LIST, m->u.sources.list[1].kind = text(""), "kind");
  SPOILED(HM_GATE_SOURCES_LIST, m->u.sources.count = 257, "sources");
  SPOILED(HM_GATE_ERROR, m->u.error.status = HM_OK, "status");
}

static enum hm_status decoded(const void *data, size_t len, struct hm_where *where)
{
  struct hm_gate_message *m = calloc(1, sizeof *m);
  enum hm_status status = hm_gate_decode(hm_bytes(data, len), m, where);

  free(m);
  return status;
}

static void nothing_outside_its_limits_is_read(void **state)
{
  (void)state;
  static const struct {
    const char *bytes;
    size_t len;
    enum hm_status status;
  } table[] = {
      {"", 0, HM_TRUNCATED},
      {"\x80", 1, HM_MALFORMED},                 /* no kind */
      {"\x81\x00", 2, HM_UNSUPPORTED},           /* kind 0 */
      {"\x81\x0e", 2, HM_UNSUPPORTED},           /* kind 14 */
      {"\x81\x10", 2, HM_UNSUPPORTED},           /* kind 16 */
      {"\x81\x04", 2, HM_MALFORMED},             /* REVOKE without contexts */
      {"\x83\x04\x81\x05\x00", 5, HM_MALFORMED}, /* one member too many */
      {"\x82\x04\x80", 3, HM_MALFORMED},         /* no context at all */
      {"\x82\x04\x81\x00", 4, HM_MALFORMED},     /* context 0 */
      {"\x82\x04\x82\x05\x05", 5, HM_MALFORMED}, /* twice */
      {"\x82\x04\x82\x06\x05", 5, HM_MALFORMED}, /* falling */
      {"\x82\x04\x81\x1a\x00\x01\x00\x00", 8, HM_MALFORMED},
      {"\x82\x04\x81\x18\x05", 5, HM_NOT_DETERMINISTIC}, /* 5 in two bytes */
      {"\x82\x04\x9f\x05\xff", 5, HM_NOT_DETERMINISTIC},
      {"\x82\x04\xa0", 3, HM_WRONG_TYPE},
      {"\x82\x0b\x20", 3, HM_WRONG_TYPE}, /* ACK -1 */
      {"\x82\x0b\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", 11, HM_TRUNCATED},
      {"\x84\x01\x02\x01\x61\x61", 6, HM_UNSUPPORTED},   /* HELLO version 2 */
      {"\x84\x01\x01\x00\x61\x61", 6, HM_MALFORMED},     /* role 0 */
      {"\x84\x01\x01\x04\x61\x61", 6, HM_MALFORMED},     /* media names a sensor */
      {"\x84\x01\x01\x01\x60", 5, HM_MALFORMED},         /* a gate names none */
      {"\x84\x01\x01\x01\x61\x0a", 6, HM_MALFORMED},     /* a control character */
      {"\x84\x01\x01\x01\x62\xc3\x28", 7, HM_MALFORMED}, /* not UTF-8 */
      {"\x83\x0f\x00\x60", 4, HM_MALFORMED},             /* ERROR OK */
      {"\x83\x0f\x18\x63\x60", 5, HM_MALFORMED},         /* no such status */
  };

  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    enum hm_status status = decoded(table[i].bytes, table[i].len, NULL);

    if (status != table[i].status)
      fail_msg("row %zu: %s instead of %s", i, hm_status_row(status)->name,
               hm_status_row(table[i].status)->name);
  }
}

static void a_packet_over_64_kib_is_refused_unread(void **state)
{
  (void)state;
  uint8_t *packet = calloc(1, HM_GATE_PACKET + 1);

  packet[0] = 0x81;
  packet[1] = 0x0d;
  assert_int_equal(decoded(packet, HM_GATE_PACKET + 1, NULL), HM_TOO_LARGE);
  free(packet);
}

static void a_list_of_sources_that_does_not_fit_is_refused(void **state)
{
  (void)state;
  struct hm_gate_message *m = good(HM_GATE_SOURCES_LIST);
  uint8_t *large = calloc(1, 4 * HM_GATE_PACKET);
  struct hm_out out = hm_out(large, 4 * HM_GATE_PACKET);

  memset(long_text, 'a', sizeof long_text - 1);
  m->u.sources.count = 40;
  for (int i = 0; i < 40; i++)
    m->u.sources.list[i] =
        (struct hm_gate_source){hm_bytes(long_text, 4096), text("camera"), text(""), text("")};
  assert_int_equal(hm_gate_encode(m, &out, NULL), HM_TOO_LARGE);
  out = hm_out(large, 8);
  m->u.sources.count = 1;
  assert_int_equal(hm_gate_encode(m, &out, NULL), HM_SHORT_BUFFER);
  free(large);
  free(m);
}

static void refused_packets_say_where(void **state)
{
  (void)state;
  struct hm_where where = {NULL, 0};

  assert_int_equal(decoded("\x84\x05\x81\x05\x01\x00", 6, &where), HM_MALFORMED);
  assert_string_equal(where.field, "reason");
  assert_int_equal(where.offset, 6);
}

static void only_the_right_end_may_say_it(void **state)
{
  (void)state;
  assert_true(hm_gate_may_say(HM_GATE_ASK, true, HM_GATE_ROLE_GATE));
  assert_false(hm_gate_may_say(HM_GATE_ASK, false, HM_GATE_ROLE_GATE));
  assert_false(hm_gate_may_say(HM_GATE_ASK, true, HM_GATE_ROLE_OBSERVER));
  assert_true(hm_gate_may_say(HM_GATE_OBSERVE, true, HM_GATE_ROLE_OBSERVER));
  assert_false(hm_gate_may_say(HM_GATE_OBSERVE, true, HM_GATE_ROLE_MEDIA));
  assert_true(hm_gate_may_say(HM_GATE_START, false, HM_GATE_ROLE_MEDIA));
  assert_false(hm_gate_may_say(HM_GATE_START, true, HM_GATE_ROLE_MEDIA));
  assert_true(hm_gate_may_say(HM_GATE_ERROR, true, HM_GATE_ROLE_SINK));
  assert_true(hm_gate_may_say(HM_GATE_ERROR, false, HM_GATE_ROLE_GATE));
  assert_false(hm_gate_may_say((enum hm_gate_kind)77, true, HM_GATE_ROLE_GATE));
  assert_false(hm_gate_may_say(HM_GATE_ACK, false, (enum hm_gate_role)9));
}

static void every_word_has_a_text(void **state)
{
  (void)state;
  for (int i = 0; i < HM_GATE_REASON_COUNT; i++) {
    assert_non_null(hm_gate_reason_text(i));
    assert_non_null(hm_gate_reason_name(i));
  }
  for (int i = 1; i < HM_GATE_EVENT_COUNT; i++)
    assert_string_not_equal(hm_gate_event_name(i), "unknown");
  assert_string_equal(hm_gate_reason_text(HM_GATE_REASON_COUNT), "unknown");
  assert_string_equal(hm_gate_role_name((enum hm_gate_role)7), "unknown");
  assert_string_equal(hm_gate_drop_name(HM_GATE_DROP_DISK), "disk");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_comes_back_as_it_was),
      cmocka_unit_test(the_bytes_are_those_of_the_protocol),
      cmocka_unit_test(members_arrive_where_they_belong),
      cmocka_unit_test(nothing_outside_its_limits_is_written),
      cmocka_unit_test(nothing_outside_its_limits_is_read),
      cmocka_unit_test(a_packet_over_64_kib_is_refused_unread),
      cmocka_unit_test(a_list_of_sources_that_does_not_fit_is_refused),
      cmocka_unit_test(refused_packets_say_where),
      cmocka_unit_test(only_the_right_end_may_say_it),
      cmocka_unit_test(every_word_has_a_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The peripheral record at its offsets, its refusals, its chain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sensors/peripheral.h"
#include "tests/support/scene.h"
#include "trust/crypto_openssl.h"

static enum hm_status sha256(const struct hm_bytes *parts, size_t count, uint8_t out[HM_HASH])
{
  return hm_crypto_openssl.sha256(parts, count, out);
}

static struct hm_peripheral sample(void)
{
  struct hm_peripheral p = {.state = HM_SENSOR_REPLAY,
                            .columns = 25,
                            .rows = 18,
                            .capture_ns = 0x0102030405060708,
                            .sequence = 0x11121314,
                            .context = 0x2122,
                            .kid = {0x31, 0x32},
                            .sensor = {0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48},
                            .trust = 0x51,
                            .motion = 0x52,
                            .surprise = 0x53,
                            .novelty = 0x54,
                            .arousal = HM_PART_UNMEASURED,
                            .reward = 0x56,
                            .conflict = 0x57,
                            .value = 0x58,
                            .dx = -2,
                            .dy = 0x1234,
                            .rotation = HM_PERIPHERAL_UNMEASURED,
                            .zoom = 32767,
                            .focus = 0x8000000000000001,
                            .link = {0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68}};
  for (int i = 0; i < HM_ZONES; i++)
    p.zones[i] = (struct hm_zone){(uint8_t)i, (uint8_t)(64 + i), (uint8_t)(128 + i)};
  return p;
}

static void test_fields_lie_at_their_offsets(void **state)
{
  (void)state;
  static const uint8_t head[64] = {
      'H',  'M',  'P',  '1',  1,    6,    25,   18,    /* 0 */
      0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,  /* 8 capture ns */
      0x14, 0x13, 0x12, 0x11, 0x22, 0x21, 0x31, 0x32,  /* 16 sequence, context, KID */
      0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47, 0x48,  /* 24 sensor */
      0x51, 0x52, 0x53, 0x54, 0xff, 0x56, 0x57, 0x58,  /* 32 trust .. value */
      0xfe, 0xff, 0x34, 0x12, 0x00, 0x80, 0xff, 0x7f,  /* 40 dx dy rotation zoom */
      0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80,  /* 48 focus */
      0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68}; /* 56 link */
  const struct hm_peripheral p = sample();
  uint8_t record[HM_PERIPHERAL_BYTES];
  memset(record, 0xa5, sizeof record);
  hm_peripheral_encode(&p, record);
  assert_memory_equal(record, head, sizeof head);
  for (int i = 0; i < HM_ZONES; i++) {
    assert_int_equal(record[64 + 3 * i], i);
    assert_int_equal(record[65 + 3 * i], 64 + i);
    assert_int_equal(record[66 + 3 * i], 128 + i);
  }
}

static void test_decode_gives_back_every_byte(void **state)
{
  (void)state;
  struct dice d = dice(31);
  for (int n = 0; n < 2000; n++) {
    uint8_t record[HM_PERIPHERAL_BYTES], again[HM_PERIPHERAL_BYTES];
    struct hm_peripheral p;
    for (int i = 0; i < HM_PERIPHERAL_BYTES; i++)
      record[i] = (uint8_t)dice_roll(&d);
    memcpy(record, "HMP1\x01", 5);
    record[5] = (uint8_t)dice_below(&d, 7);
    assert_int_equal(hm_peripheral_decode(hm_bytes(record, sizeof record), &p), HM_OK);
    hm_peripheral_encode(&p, again);
    assert_memory_equal(record, again, sizeof record);
  }
}

static void test_wrong_records_are_refused(void **state)
{
  (void)state;
  const struct hm_peripheral p = sample();
  uint8_t record[HM_PERIPHERAL_BYTES + 1] = {0};
  struct hm_peripheral out;
  hm_peripheral_encode(&p, record);
  for (size_t len = 0; len < HM_PERIPHERAL_BYTES; len++)
    assert_int_equal(hm_peripheral_decode(hm_bytes(record, len), &out), HM_TRUNCATED);
  assert_int_equal(hm_peripheral_decode(hm_bytes(record, 257), &out), HM_TOO_LARGE);
  for (int i = 0; i < 4; i++) {
    record[i] ^= 1;
    assert_int_equal(hm_peripheral_decode(hm_bytes(record, 256), &out), HM_MALFORMED);
    record[i] ^= 1;
  }
  record[4] = 2;
  assert_int_equal(hm_peripheral_decode(hm_bytes(record, 256), &out), HM_UNSUPPORTED);
  record[4] = 1;
  record[5] = 7; /* absent: a state of a sensor, never of a frame */
  assert_int_equal(hm_peripheral_decode(hm_bytes(record, 256), &out), HM_UNSUPPORTED);
}

static void test_states_have_names(void **state)
{
  (void)state;
  assert_string_equal(hm_sensor_state_text(HM_SENSOR_OK), "ok");
  assert_string_equal(hm_sensor_state_text(HM_SENSOR_NOT_PROCESSED), "not processed");
  assert_string_equal(hm_sensor_state_text(HM_SENSOR_GATE_SHUT), "gate shut");
  assert_string_equal(hm_sensor_state_text((enum hm_sensor_state)9), "unknown");
}

static void test_link_is_the_head_of_the_hash(void **state)
{
  (void)state;
  const struct hm_peripheral p = sample();
  uint8_t record[HM_PERIPHERAL_BYTES], hash[HM_HASH], link[8];
  hm_peripheral_encode(&p, record);
  const struct hm_bytes part = hm_bytes(record, sizeof record);
  assert_int_equal(sha256(&part, 1, hash), HM_OK);
  assert_int_equal(hm_peripheral_link(sha256, record, link), HM_OK);
  assert_memory_equal(link, hash, 8);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_fields_lie_at_their_offsets),
      cmocka_unit_test(test_decode_gives_back_every_byte),
      cmocka_unit_test(test_wrong_records_are_refused),
      cmocka_unit_test(test_states_have_names),
      cmocka_unit_test(test_link_is_the_head_of_the_hash),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

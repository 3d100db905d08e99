/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The 256-byte record by offsets, written and read byte by byte, so that neither the
 * machine's byte order nor a compiler's padding can touch it.
 */
#include "sensors/peripheral.h"

enum offset {
  AT_MAGIC = 0,
  AT_VERSION = 4,
  AT_STATE = 5,
  AT_GRID = 6,
  AT_CAPTURE = 8,
  AT_SEQUENCE = 16,
  AT_CONTEXT = 20,
  AT_KID = 22,
  AT_SENSOR = 24,
  AT_TRUST = 32,
  AT_MOTION = 33,
  AT_PARTS = 34,
  AT_VALUE = 39,
  AT_SHIFT = 40,
  AT_FOCUS = 48,
  AT_LINK = 56,
  AT_ZONES = 64
};

static const uint8_t magic[4] = {'H', 'M', 'P', '1'};

static const char *const state_texts[HM_SENSOR_STATE_COUNT] = {
    [HM_SENSOR_OK] = "ok",
    [HM_SENSOR_NOT_PROCESSED] = "not processed",
    [HM_SENSOR_DARK] = "dark",
    [HM_SENSOR_OBSCURED] = "obscured",
    [HM_SENSOR_FROZEN] = "frozen",
    [HM_SENSOR_STALE] = "stale",
    [HM_SENSOR_REPLAY] = "replay",
    [HM_SENSOR_ABSENT] = "absent",
    [HM_SENSOR_GATE_SHUT] = "gate shut",
};

const char *hm_sensor_state_text(enum hm_sensor_state state)
{
  return (unsigned)state < HM_SENSOR_STATE_COUNT ? state_texts[state] : "unknown";
}

static void put(uint8_t *at, uint64_t value, int bytes)
{
  for (int i = 0; i < bytes; i++)
    at[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get(const uint8_t *at, int bytes)
{
  uint64_t value = 0;
  for (int i = 0; i < bytes; i++)
    value |= (uint64_t)at[i] << (8 * i);
  return value;
}

static int16_t get_signed(const uint8_t *at)
{
  const int32_t value = (int32_t)get(at, 2);
  return (int16_t)(value >= 0x8000 ? value - 0x10000 : value);
}

void hm_peripheral_encode(const struct hm_peripheral *p, uint8_t record[HM_PERIPHERAL_BYTES])
{
  const int16_t shift[4] = {p->dx, p->dy, p->rotation, p->zoom};
  const uint8_t parts[5] = {p->surprise, p->novelty, p->arousal, p->reward, p->conflict};
  memcpy(record + AT_MAGIC, magic, sizeof magic);
  record[AT_VERSION] = HM_PERIPHERAL_VERSION;
  record[AT_STATE] = (uint8_t)p->state;
  record[AT_GRID] = p->columns;
  record[AT_GRID + 1] = p->rows;
  put(record + AT_CAPTURE, p->capture_ns, 8);
  put(record + AT_SEQUENCE, p->sequence, 4);
  put(record + AT_CONTEXT, p->context, 2);
  memcpy(record + AT_KID, p->kid, sizeof p->kid);
  memcpy(record + AT_SENSOR, p->sensor, sizeof p->sensor);
  record[AT_TRUST] = p->trust;
  record[AT_MOTION] = p->motion;
  memcpy(record + AT_PARTS, parts, sizeof parts);
  record[AT_VALUE] = p->value;
  for (int i = 0; i < 4; i++)
    put(record + AT_SHIFT + 2 * i, (uint16_t)shift[i], 2);
  put(record + AT_FOCUS, p->focus, 8);
  memcpy(record + AT_LINK, p->link, sizeof p->link);
  for (int i = 0; i < HM_ZONES; i++) {
    record[AT_ZONES + 3 * i] = p->zones[i].trust;
    record[AT_ZONES + 3 * i + 1] = p->zones[i].motion;
    record[AT_ZONES + 3 * i + 2] = p->zones[i].value;
  }
}

enum hm_status hm_peripheral_decode(struct hm_bytes record, struct hm_peripheral *p)
{
  if (record.len < HM_PERIPHERAL_BYTES)
    return HM_TRUNCATED;
  if (record.len > HM_PERIPHERAL_BYTES)
    return HM_TOO_LARGE;
  const uint8_t *r = record.data;
  if (memcmp(r + AT_MAGIC, magic, sizeof magic) != 0)
    return HM_MALFORMED;
  if (r[AT_VERSION] != HM_PERIPHERAL_VERSION || r[AT_STATE] > HM_SENSOR_REPLAY)
    return HM_UNSUPPORTED;
  p->state = (enum hm_sensor_state)r[AT_STATE];
  p->columns = r[AT_GRID];
  p->rows = r[AT_GRID + 1];
  p->capture_ns = get(r + AT_CAPTURE, 8);
  p->sequence = (uint32_t)get(r + AT_SEQUENCE, 4);
  p->context = (uint16_t)get(r + AT_CONTEXT, 2);
  memcpy(p->kid, r + AT_KID, sizeof p->kid);
  memcpy(p->sensor, r + AT_SENSOR, sizeof p->sensor);
  p->trust = r[AT_TRUST];
  p->motion = r[AT_MOTION];
  p->surprise = r[AT_PARTS];
  p->novelty = r[AT_PARTS + 1];
  p->arousal = r[AT_PARTS + 2];
  p->reward = r[AT_PARTS + 3];
  p->conflict = r[AT_PARTS + 4];
  p->value = r[AT_VALUE];
  p->dx = get_signed(r + AT_SHIFT);
  p->dy = get_signed(r + AT_SHIFT + 2);
  p->rotation = get_signed(r + AT_SHIFT + 4);
  p->zoom = get_signed(r + AT_SHIFT + 6);
  p->focus = get(r + AT_FOCUS, 8);
  memcpy(p->link, r + AT_LINK, sizeof p->link);
  for (int i = 0; i < HM_ZONES; i++) {
    p->zones[i].trust = r[AT_ZONES + 3 * i];
    p->zones[i].motion = r[AT_ZONES + 3 * i + 1];
    p->zones[i].value = r[AT_ZONES + 3 * i + 2];
  }
  return HM_OK;
}

enum hm_status hm_peripheral_link(hm_sha256_function *sha256,
                                  const uint8_t record[HM_PERIPHERAL_BYTES], uint8_t link[8])
{
  const struct hm_bytes part = hm_bytes(record, HM_PERIPHERAL_BYTES);
  uint8_t hash[HM_HASH];
  HM_TRY(sha256(&part, 1, hash));
  memcpy(link, hash, 8);
  return HM_OK;
}

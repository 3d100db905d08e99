/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The peripheral record: 256 bytes, one a frame, little-endian, read in place.
 *
 *    0 "HMP1"            4 version 1        5 state          6 grid columns, 7 rows
 *    8 capture ns  u64  16 sequence u32    20 context u16   22 KID head (2)
 *   24 sensor (head of the LCT, 8)         32 trust          33 motion
 *   34 surprise 35 novelty 36 arousal 37 reward 38 conflict (255 = unmeasured)
 *   39 value           40 dx i16  42 dy i16  44 rotation i16  46 zoom i16
 *   48 focus mask u64 (bit 8 * row + column)
 *   56 link hint: first 8 bytes of the SHA-256 of the previous record (zeros in the first)
 *   64 64 zones, row by row: trust u8, motion u8 = magnitude << 4 | octant << 1 | bulk, value u8
 *
 * The grid counts whole 32x32 tiles (frames of less than 32 pixels have none and
 * are "not processed"). Trust, value and the zones' are min(255, Q8). dx, dy are the
 * global shift of the picture content since the frame before, in 1/16 pixel,
 * right and down positive; HM_PERIPHERAL_UNMEASURED where blocks disagree, nothing
 * can be matched, or the field is not computed (rotation, zoom). A zone's octant
 * counts from right (0) clockwise as seen (2 = down); bulk 1 = the zone moves with
 * the global shift and shows it, bulk 0 = its own motion relative to the global one.
 */
#ifndef HM_SENSORS_PERIPHERAL_H
#define HM_SENSORS_PERIPHERAL_H

#include "trust/bytes.h"
#include "trust/profile.h"

enum {
  HM_PERIPHERAL_BYTES = 256,
  HM_PERIPHERAL_VERSION = 1,
  HM_ZONE_SIDE = 8,
  HM_ZONES = 64,
  HM_PART_UNMEASURED = 255,         /* of the five value parts */
  HM_PERIPHERAL_UNMEASURED = -32768 /* of dx, dy, rotation, zoom */
};

enum { HM_SENSOR_STATE_COUNT = HM_SENSOR_GATE_SHUT + 1 };

/* "ok", "not processed", ...; "unknown" outside the enum. */
const char *hm_sensor_state_text(enum hm_sensor_state state);

struct hm_zone {
  uint8_t trust, motion, value;
};

struct hm_peripheral {
  enum hm_sensor_state state;
  uint8_t columns, rows;
  uint64_t capture_ns;
  uint32_t sequence;
  uint16_t context;
  uint8_t kid[2];
  uint8_t sensor[8];
  uint8_t trust, motion;
  uint8_t surprise, novelty, arousal, reward, conflict;
  uint8_t value;
  int16_t dx, dy, rotation, zoom;
  uint64_t focus;
  uint8_t link[8];
  struct hm_zone zones[HM_ZONES];
};

void hm_peripheral_encode(const struct hm_peripheral *p, uint8_t record[HM_PERIPHERAL_BYTES]);

/* HM_TRUNCATED / HM_TOO_LARGE for a length other than 256, HM_MALFORMED for a wrong
 * magic, HM_UNSUPPORTED for another version or a state over 6. */
enum hm_status HM_MUST_CHECK hm_peripheral_decode(struct hm_bytes record, struct hm_peripheral *p);

/* SHA-256 over the concatenation of parts: the sha256 of a crypto engine, or GLib's
 * checksum in an element that links no libcrypto. */
typedef enum hm_status hm_sha256_function(const struct hm_bytes *parts, size_t count,
                                          uint8_t out[HM_HASH]);

/* The link hint to put into the record that follows this one. */
enum hm_status HM_MUST_CHECK hm_peripheral_link(hm_sha256_function *sha256,
                                                const uint8_t record[HM_PERIPHERAL_BYTES],
                                                uint8_t link[8]);

#endif

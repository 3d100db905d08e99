/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One sensor's analysis: a frame goes in, everything that Hallmark says about it
 * comes out.
 *
 *   frame -> tiles -> trust -> motion -> focus regions -> picture, vector -> value
 *         -> peripheral record (256 bytes)
 *
 * It keeps a copy of the last luma plane and bounded history, allocates when it is
 * made and when the frame size changes, never else, and does no I/O. The same frames
 * with the same stamps give the same results on every machine.
 */
#ifndef HM_SENSORS_ANALYSE_H
#define HM_SENSORS_ANALYSE_H

#include "sensors/descriptor.h"
#include "sensors/frame_trust.h"
#include "sensors/peripheral.h"
#include "sensors/picture.h"
#include "sensors/tiles.h"

enum {
  HM_REGIONS_MAX = 8,
  HM_VALUE_PARTS = 5,
  HM_VALUE_UNMEASURED = 0xffff,
  HM_VALUE_RECORD = 38, /* 0.15: an observation */
  HM_VALUE_EMBED = 77,  /* 0.3: a memory */
  HM_TRUST_GATE = 51    /* 0.2: below it nothing is recorded */
};

struct hm_analysis_config {
  hm_sha256_function *sha256;                  /* for the link hint; required */
  uint16_t record_q8, embed_q8, trust_gate_q8; /* 0 = the defaults above */
  uint8_t top;                                 /* regions a frame, 1..8; 0 = 8 */
  uint32_t ttl_ms;                             /* a focus region lives this long unseen; 0 = 1000 */
  uint32_t refractory_ms; /* one region makes one memory in this time; 0 = 250 */
};

/* Who and when, as far as the frame knows it. */
struct hm_stamp {
  uint64_t capture_ns; /* monotonic within a sensor */
  uint32_t sequence;   /* the gate's frame number, low 32 bits */
  uint16_t context;    /* of the first pairing, as are kid */
  uint8_t kid[2];
  uint8_t sensor[8]; /* head of its LCT */
  bool is_replay;    /* a recording: state "replay" where it would be "ok" */
};

/* A region worth keeping. */
struct hm_region {
  struct hm_rect box;
  uint16_t parts[HM_VALUE_PARTS]; /* surprise, novelty, arousal, reward, conflict: Q8 or
                                     HM_VALUE_UNMEASURED */
  uint16_t value;                 /* mean of those measured, Q8 */
  bool is_observation;            /* surprise > 0, value >= record, trust >= gate */
  bool is_memory;                 /* value >= embed as well, not within the refractory time */
  enum hm_pixels pixels;
  uint8_t picture[HM_PICTURE_BYTES];
  int8_t vector[HM_VECTOR_DIMENSION];
};

struct hm_analysis_result {
  struct hm_tile_grid grid;
  const struct hm_tile *tiles; /* grid.columns * grid.rows */
  struct hm_trust trust;       /* its factors belong to every region's record */
  uint8_t record[HM_PERIPHERAL_BYTES];
  uint32_t candidates; /* regions found before the best were taken */
  uint32_t region_count;
  struct hm_region regions[HM_REGIONS_MAX]; /* falling value */
};

struct hm_analysis;

/* NULL when memory is short or sha256 is missing. */
struct hm_analysis *hm_analysis_new(const struct hm_analysis_config *config);
void hm_analysis_free(struct hm_analysis *analysis);

/* Analyse one frame. *result is the analysis' own, valid until the next call.
 * HM_FULL when memory for a new frame size is short; HM_TOO_LARGE, HM_MALFORMED from
 * hm_frame_make's rules. A new frame size begins the histories anew, the remembered
 * vectors stay. */
enum hm_status HM_MUST_CHECK hm_analysis_frame(struct hm_analysis *analysis,
                                               const struct hm_frame *frame,
                                               const struct hm_stamp *stamp,
                                               const struct hm_analysis_result **result);

/* The record of a frame that passed the gate but was not looked at (back-pressure):
 * state "not processed", nothing measured, linked like any other. */
enum hm_status HM_MUST_CHECK hm_analysis_unprocessed(struct hm_analysis *analysis,
                                                     const struct hm_stamp *stamp,
                                                     uint8_t record[HM_PERIPHERAL_BYTES]);

#endif

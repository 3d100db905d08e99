/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Motion: where the picture as a whole went, what each zone did beside that, and how
 * well the frame before predicts a region.
 *
 * All on a thumbnail: luma means over 2^k x 2^k pixels, k the least that makes both
 * sides at most 256. Blocks of 16x16 are matched against the frame before; the global
 * shift is their consensus (median of those that have texture, at least half of them
 * within one thumbnail pixel of it), refined to 1/16. Where blocks disagree or too few
 * can be matched, it is "not judged" and nothing moves as far as prediction knows.
 * Content that enters the picture has no prediction: it is left out of the error.
 */
#ifndef HM_SENSORS_MOTION_H
#define HM_SENSORS_MOTION_H

#include "sensors/peripheral.h"
#include "sensors/picture.h"

enum { HM_THUMB_SIDE = 256, HM_SHIFT_STEPS = 16, HM_UNPREDICTED = 0xffff };
#define HM_ERROR_UNPREDICTED UINT32_MAX

struct hm_thumb {
  uint32_t width, height, log2_scale;
  uint8_t data[HM_THUMB_SIDE * HM_THUMB_SIDE]; /* width * height, no padding */
};

/* Shift of content since the frame before in 1/16 thumbnail pixel. */
struct hm_shift {
  int32_t dx, dy;
  bool is_judged;
};

struct hm_motion {
  struct hm_shift global;
  struct hm_shift zones[HM_ZONES]; /* absolute, whole thumbnail pixels */
};

/* The thumbnail of a luma plane (step 1). Pixels right and below of the last whole
 * box are left out. */
void hm_thumb_make(const struct hm_plane *luma, struct hm_thumb *out);

/* Match now against before (same size, else nothing is judged). */
void hm_motion_find(const struct hm_thumb *now, const struct hm_thumb *before,
                    struct hm_motion *out);

/* The byte of a zone in the peripheral record: magnitude (thumbnail pixels, at most 15)
 * << 4 | octant << 1 | bulk. 0 where the zone was not judged or does not move. */
uint8_t hm_motion_zone_byte(const struct hm_motion *motion, uint32_t zone);

/* The global shift in 1/16 pixel of the frame, or HM_PERIPHERAL_UNMEASURED. */
int16_t hm_motion_pixels(const struct hm_motion *motion, const struct hm_thumb *thumb,
                         int32_t component);

/* What the prediction left: |now - before moved by the global shift| in Q8 grey levels. */
struct hm_residual {
  uint32_t width, height, log2_scale;
  uint32_t
      doubt_q8; /* the middle residual where there is texture: what the shift can not explain */
  uint16_t map[HM_THUMB_SIDE * HM_THUMB_SIDE]; /* width * height; HM_UNPREDICTED */
};

void hm_motion_predict(const struct hm_thumb *now, const struct hm_thumb *before,
                       const struct hm_shift *global, struct hm_residual *out);

/* Root mean square of the residual over a region of the frame, in Q8 grey levels.
 * HM_ERROR_UNPREDICTED where no pixel has a prediction. */
uint32_t hm_motion_error(const struct hm_residual *residual, const struct hm_rect *region);

/* Surprise in Q8: the prediction error over the noise, in octaves, eight octaves = 1.0
 * (8-bit luma has no more). sigma_q8 is the noise of the prediction: the larger of the
 * picture's noise and the prediction's doubt, taken as at least one grey level. An error
 * that noise explains gives 0. */
uint32_t hm_surprise_q8(uint32_t error_q8, uint32_t sigma_q8);

#endif

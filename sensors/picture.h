/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Views of a video frame. Pixels stay where the pipeline put them: a plane is a
 * pointer, a stride and a size, and nothing past its width is ever read, so
 * padding is never data. Luma is read at native size; chroma, where there is
 * any, is 4:2:0 (half in both axes, rounded up).
 */
#ifndef HM_SENSORS_PICTURE_H
#define HM_SENSORS_PICTURE_H

#include "trust/bytes.h"

enum { HM_FRAME_MAX_SIDE = 8192 };

enum hm_format { HM_GRAY8, HM_I420, HM_NV12 };
enum hm_luma_range { HM_RANGE_LIMITED, HM_RANGE_FULL };
enum hm_matrix { HM_BT601, HM_BT709 };

/* step is the distance in bytes of neighbouring samples: 1, or 2 in NV12 chroma. */
struct hm_plane {
  const uint8_t *data;
  size_t stride;
  uint32_t width, height;
  uint32_t step;
};

struct hm_frame {
  enum hm_format format;
  enum hm_luma_range range;
  enum hm_matrix matrix;
  uint32_t width, height;
  struct hm_plane y;
  struct hm_plane cb, cr; /* data NULL in GRAY8 */
};

/* A rectangle in luma pixels, wholly inside its frame. */
struct hm_rect {
  uint16_t x, y, width, height;
};

/* Describe a frame in memory that holds planes[0..] with strides in bytes: GRAY8
 * one plane, NV12 two (luma, interleaved chroma), I420 three. Nothing is copied.
 * HM_MALFORMED where a side is 0 or a needed plane is NULL, HM_TOO_LARGE over
 * HM_FRAME_MAX_SIDE, HM_SHORT_BUFFER where a stride is shorter than its row. */
enum hm_status HM_MUST_CHECK hm_frame_make(enum hm_format format, enum hm_luma_range range,
                                           enum hm_matrix matrix, uint32_t width, uint32_t height,
                                           const uint8_t *const planes[], const size_t strides[],
                                           struct hm_frame *out);

/* The rectangle has area and lies inside the frame. */
bool hm_rect_is_inside(const struct hm_rect *rect, uint32_t width, uint32_t height);

/* Overlap of two rectangles over their union, in 256ths (256 = the same). */
uint32_t hm_rect_iou_q8(const struct hm_rect *a, const struct hm_rect *b);

/* ---- RGB, for people and for `query --like` ------------------------------------
 * 8-bit R'G'B' (full range) <-> limited-range BT.601 I420, in integers, correctly
 * rounded. An RGB step is finer than a limited-range step, so I420 -> RGB -> I420
 * gives the same bytes wherever the colour lies inside the RGB cube. */

/* width and height even; rgb: height rows of 3 * width bytes, rgb_stride apart.
 * i420: width * height * 3 / 2 bytes, packed Y, Cb, Cr. */
enum hm_status HM_MUST_CHECK hm_picture_to_i420_from_rgb(const uint8_t *rgb, size_t rgb_stride,
                                                         uint32_t width, uint32_t height,
                                                         uint8_t *i420);
enum hm_status HM_MUST_CHECK hm_picture_to_rgb_from_i420(const uint8_t *i420, uint32_t width,
                                                         uint32_t height, uint8_t *rgb,
                                                         size_t rgb_stride);

/* Bring colours outside the RGB cube into it (blacker than black, whiter than white, more
 * saturated than any display), block by block of 2x2, so that the way through RGB changes
 * nothing. At most 16 steps a block; pictures of cameras need up to 8. */
enum hm_status HM_MUST_CHECK hm_picture_settle(uint8_t *i420, uint32_t width, uint32_t height);

#endif

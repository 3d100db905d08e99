/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Frame views, rectangles, and RGB <-> limited BT.601 in integers.
 *
 * The conversion constants are the exact rationals of BT.601 (Kr = 299/1000,
 * Kb = 114/1000) with the 219 and 224 steps of the limited range, so each result is
 * the nearest integer of the real one and the round trip closes: a rounding error of
 * half an RGB step is less than half a luma or chroma step.
 */
#include "sensors/picture.h"

static struct hm_plane plane_of(const uint8_t *data, size_t stride, uint32_t width, uint32_t height,
                                uint32_t step)
{
  struct hm_plane plane = {data, stride, width, height, step};
  return plane;
}

enum hm_status hm_frame_make(enum hm_format format, enum hm_luma_range range, enum hm_matrix matrix,
                             uint32_t width, uint32_t height, const uint8_t *const planes[],
                             const size_t strides[], struct hm_frame *out)
{
  const uint32_t half_width = width / 2 + width % 2, half_height = height / 2 + height % 2;
  if (width == 0 || height == 0 || planes[0] == NULL)
    return HM_MALFORMED;
  if (width > HM_FRAME_MAX_SIDE || height > HM_FRAME_MAX_SIDE)
    return HM_TOO_LARGE;
  if (strides[0] < width)
    return HM_SHORT_BUFFER;
  memset(out, 0, sizeof *out);
  out->format = format;
  out->range = range;
  out->matrix = matrix;
  out->width = width;
  out->height = height;
  out->y = plane_of(planes[0], strides[0], width, height, 1);
  switch (format) {
  case HM_GRAY8:
    return HM_OK;
  case HM_NV12:
    if (planes[1] == NULL)
      return HM_MALFORMED;
    if (strides[1] < 2 * (size_t)half_width)
      return HM_SHORT_BUFFER;
    out->cb = plane_of(planes[1], strides[1], half_width, half_height, 2);
    out->cr = plane_of(planes[1] + 1, strides[1], half_width, half_height, 2);
    return HM_OK;
  case HM_I420:
    if (planes[1] == NULL || planes[2] == NULL)
      return HM_MALFORMED;
    if (strides[1] < half_width || strides[2] < half_width)
      return HM_SHORT_BUFFER;
    out->cb = plane_of(planes[1], strides[1], half_width, half_height, 1);
    out->cr = plane_of(planes[2], strides[2], half_width, half_height, 1);
    return HM_OK;
  }
  return HM_UNSUPPORTED;
}

bool hm_rect_is_inside(const struct hm_rect *rect, uint32_t width, uint32_t height)
{
  return rect->width > 0 && rect->height > 0 && rect->x < width && rect->y < height &&
         rect->width <= width - rect->x && rect->height <= height - rect->y;
}

static uint32_t overlap(uint32_t a, uint32_t a_len, uint32_t b, uint32_t b_len)
{
  const uint32_t from = a > b ? a : b;
  const uint32_t to = a + a_len < b + b_len ? a + a_len : b + b_len;
  return to > from ? to - from : 0;
}

uint32_t hm_rect_iou_q8(const struct hm_rect *a, const struct hm_rect *b)
{
  const uint64_t both =
      (uint64_t)overlap(a->x, a->width, b->x, b->width) * overlap(a->y, a->height, b->y, b->height);
  const uint64_t any = (uint64_t)a->width * a->height + (uint64_t)b->width * b->height - both;
  return any == 0 ? 0 : (uint32_t)(256 * both / any);
}

/* ---- RGB ------------------------------------------------------------------------ */

enum { SETTLE_PASSES = 16 };

static enum hm_status check_size(uint32_t width, uint32_t height)
{
  if (width == 0 || height == 0 || width % 2 != 0 || height % 2 != 0)
    return HM_MALFORMED;
  return width > HM_FRAME_MAX_SIDE || height > HM_FRAME_MAX_SIDE ? HM_TOO_LARGE : HM_OK;
}

/* Nearest integer of n / d, halves up; d > 0. */
static int32_t divide(int64_t n, int64_t d)
{
  const int64_t shifted = 2 * n + d;
  const int64_t by = 2 * d;
  int64_t q = shifted / by;
  if (shifted % by < 0)
    q--;
  return (int32_t)q;
}

static uint8_t clamp8(int32_t v)
{
  return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* 1000 Y' = 299 R + 587 G + 114 B; Cb = (B - Y') / 1.772, Cr = (R - Y') / 1.402. */
static int32_t kilo_luma(const uint8_t *rgb)
{
  return 299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2];
}

static uint8_t luma_of(const uint8_t *rgb)
{
  return clamp8(16 + divide((int64_t)219 * kilo_luma(rgb), 255 * 1000));
}

static void chroma_of(const uint8_t *const four[4], uint8_t *cb, uint8_t *cr)
{
  int64_t blue = 0, red = 0;
  for (int i = 0; i < 4; i++) {
    const int32_t luma = kilo_luma(four[i]);
    blue += 1000 * four[i][2] - luma;
    red += 1000 * four[i][0] - luma;
  }
  *cb = clamp8(128 + divide(224 * blue, (int64_t)4 * 255 * 1772));
  *cr = clamp8(128 + divide(224 * red, (int64_t)4 * 255 * 1402));
}

enum hm_status hm_picture_to_i420_from_rgb(const uint8_t *rgb, size_t rgb_stride, uint32_t width,
                                           uint32_t height, uint8_t *i420)
{
  HM_TRY(check_size(width, height));
  if (rgb_stride < 3 * (size_t)width)
    return HM_SHORT_BUFFER;
  uint8_t *cb = i420 + (size_t)width * height;
  uint8_t *cr = cb + (size_t)width * height / 4;
  for (uint32_t y = 0; y < height; y++)
    for (uint32_t x = 0; x < width; x++)
      i420[(size_t)y * width + x] = luma_of(rgb + y * rgb_stride + 3 * (size_t)x);
  for (uint32_t y = 0; y < height; y += 2)
    for (uint32_t x = 0; x < width; x += 2) {
      const uint8_t *top = rgb + y * rgb_stride + 3 * (size_t)x;
      const uint8_t *const four[4] = {top, top + 3, top + rgb_stride, top + rgb_stride + 3};
      const size_t at = (size_t)(y / 2) * (width / 2) + x / 2;
      chroma_of(four, &cb[at], &cr[at]);
    }
  return HM_OK;
}

/* One pixel as red, green and blue over CUBE_UNIT:
 * R = Y' + 1.402 Cr, B = Y' + 1.772 Cb, G = Y' - (299 * 1.402 Cr + 114 * 1.772 Cb) / 587 */
#define CUBE_UNIT ((int64_t)219 * 224 * 587 * 1000)

static void exact_rgb(int32_t y, int32_t cb, int32_t cr, int64_t out[3])
{
  const int64_t base = (int64_t)255 * (y - 16) * 224 * 587 * 1000;
  const int64_t blue = (int64_t)255 * (cb - 128) * 219 * 1772;
  const int64_t red = (int64_t)255 * (cr - 128) * 219 * 1402;
  out[0] = base + red * 587;
  out[1] = base - (299 * red + 114 * blue);
  out[2] = base + blue * 587;
}

static void rgb_of(int32_t y, int32_t cb, int32_t cr, uint8_t *rgb)
{
  int64_t exact[3];
  exact_rgb(y, cb, cr, exact);
  for (int i = 0; i < 3; i++)
    rgb[i] = clamp8(divide(exact[i], CUBE_UNIT));
}

static bool is_in_cube(int32_t y, int32_t cb, int32_t cr)
{
  int64_t exact[3];
  exact_rgb(y, cb, cr, exact);
  for (int i = 0; i < 3; i++)
    if (exact[i] < 0 || exact[i] > 255 * CUBE_UNIT)
      return false;
  return true;
}

/* Take four luma and their chroma through RGB until they stay as they are. */
static void settle_block(uint8_t *const luma[4], uint8_t *cb, uint8_t *cr)
{
  for (int pass = 0; pass < SETTLE_PASSES; pass++) {
    bool is_inside = true;
    for (int i = 0; i < 4; i++)
      is_inside = is_inside && is_in_cube(*luma[i], *cb, *cr);
    if (is_inside)
      return;
    uint8_t rgb[4][3];
    const uint8_t *const four[4] = {rgb[0], rgb[1], rgb[2], rgb[3]};
    for (int i = 0; i < 4; i++)
      rgb_of(*luma[i], *cb, *cr, rgb[i]);
    for (int i = 0; i < 4; i++)
      *luma[i] = luma_of(rgb[i]);
    chroma_of(four, cb, cr);
  }
}

enum hm_status hm_picture_settle(uint8_t *i420, uint32_t width, uint32_t height)
{
  HM_TRY(check_size(width, height));
  uint8_t *cb = i420 + (size_t)width * height;
  uint8_t *cr = cb + (size_t)width * height / 4;
  for (uint32_t y = 0; y < height; y += 2)
    for (uint32_t x = 0; x < width; x += 2) {
      uint8_t *top = i420 + (size_t)y * width + x;
      uint8_t *const luma[4] = {top, top + 1, top + width, top + width + 1};
      const size_t at = (size_t)(y / 2) * (width / 2) + x / 2;
      settle_block(luma, &cb[at], &cr[at]);
    }
  return HM_OK;
}

enum hm_status hm_picture_to_rgb_from_i420(const uint8_t *i420, uint32_t width, uint32_t height,
                                           uint8_t *rgb, size_t rgb_stride)
{
  HM_TRY(check_size(width, height));
  if (rgb_stride < 3 * (size_t)width)
    return HM_SHORT_BUFFER;
  const uint8_t *cb = i420 + (size_t)width * height;
  const uint8_t *cr = cb + (size_t)width * height / 4;
  for (uint32_t y = 0; y < height; y++)
    for (uint32_t x = 0; x < width; x++) {
      const size_t at = (size_t)(y / 2) * (width / 2) + x / 2;
      rgb_of(i420[(size_t)y * width + x], cb[at], cr[at], rgb + y * rgb_stride + 3 * (size_t)x);
    }
  return HM_OK;
}

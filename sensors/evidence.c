/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * From a region of any frame to its evidence picture.
 *
 * The resize is the exact area mean. Positions are counted in units so small that
 * every border is an integer: with `out` samples over a region of `len` luma pixels a
 * plane pixel is out * scale units long (scale 2 in chroma) and an output sample len
 * units. A weight is an overlap in units, the sum of weights is the same for all
 * samples, and one rounding happens at the end.
 *
 * Then the range, then the matrix become limited BT.601, at 32x64, and colours that no
 * display shows are brought into the RGB cube, so that a PNG carries the picture exactly.
 */
#include "sensors/descriptor.h"

enum { CHROMA_WIDTH = HM_PICTURE_WIDTH / 2, CHROMA_HEIGHT = HM_PICTURE_HEIGHT / 2 };

/* One axis of the resize. */
struct axis {
  uint64_t start; /* units */
  uint64_t step;  /* units an output sample */
  uint64_t pixel; /* units a plane pixel */
};

static struct axis axis_of(uint32_t from, uint32_t len, uint32_t out, uint32_t scale)
{
  struct axis a = {(uint64_t)from * out, len, (uint64_t)out * scale};
  return a;
}

/* Units of plane pixel p inside output sample i. */
static uint64_t overlap(const struct axis *a, uint32_t i, uint64_t p)
{
  const uint64_t from = a->start + i * a->step, to = from + a->step;
  const uint64_t left = p * a->pixel, right = left + a->pixel;
  return (right < to ? right : to) - (left > from ? left : from);
}

static uint64_t first_pixel(const struct axis *a, uint32_t i)
{
  return (a->start + i * a->step) / a->pixel;
}

static uint64_t end_pixel(const struct axis *a, uint32_t i)
{
  return (a->start + (i + 1) * a->step + a->pixel - 1) / a->pixel;
}

static uint8_t mean_of(const struct hm_plane *plane, const struct axis *h, uint32_t i,
                       const struct axis *v, uint32_t j)
{
  uint64_t sum = 0;
  const uint64_t end_y = end_pixel(v, j), first_x = first_pixel(h, i), end_x = end_pixel(h, i);
  for (uint64_t y = first_pixel(v, j); y < end_y; y++) {
    const uint8_t *row = plane->data + y * plane->stride;
    uint64_t along = 0;
    for (uint64_t x = first_x; x < end_x; x++)
      along += overlap(h, i, x) * row[x * plane->step];
    sum += overlap(v, j, y) * along;
  }
  const uint64_t whole = h->step * v->step;
  return (uint8_t)((sum + whole / 2) / whole);
}

static void resize(const struct hm_plane *plane, const struct hm_rect *region, uint32_t scale,
                   uint32_t width, uint32_t height, uint8_t *out)
{
  const struct axis h = axis_of(region->x, region->width, width, scale);
  const struct axis v = axis_of(region->y, region->height, height, scale);
  for (uint32_t j = 0; j < height; j++)
    for (uint32_t i = 0; i < width; i++)
      out[j * width + i] = mean_of(plane, &h, i, &v, j);
}

/* round(a * b / 2^16) of signed numbers, halves up; b in Q16. */
static int32_t times_q16(int32_t a, int32_t b)
{
  const int64_t product = (int64_t)a * b + 0x8000;
  return (int32_t)(product >= 0 ? product >> 16 : -((-product + 0xffff) >> 16));
}

static uint8_t clamp8(int32_t v)
{
  return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void to_limited(uint8_t *y, uint8_t *cb, uint8_t *cr)
{
  for (int i = 0; i < HM_PICTURE_WIDTH * HM_PICTURE_HEIGHT; i++)
    y[i] = (uint8_t)(16 + (219 * y[i] + 127) / 255);
  for (int i = 0; i < CHROMA_WIDTH * CHROMA_HEIGHT; i++) {
    cb[i] = clamp8(128 + times_q16(cb[i] - 128, 57569)); /* 224 / 255 */
    cr[i] = clamp8(128 + times_q16(cr[i] - 128, 57569));
  }
}

/* BT.709 -> BT.601, both limited:
 *   Y  += 0.099314 Cb + 0.191703 Cr
 *   Cb' = 0.989853 Cb - 0.110654 Cr,  Cr' = 0.983396 Cr - 0.072454 Cb */
static void to_bt601(uint8_t *y, uint8_t *cb, uint8_t *cr)
{
  for (int row = 0; row < HM_PICTURE_HEIGHT; row++)
    for (int x = 0; x < HM_PICTURE_WIDTH; x++) {
      const int c = row / 2 * CHROMA_WIDTH + x / 2;
      uint8_t *luma = &y[row * HM_PICTURE_WIDTH + x];
      *luma = clamp8(*luma + times_q16(cb[c] - 128, 6509) + times_q16(cr[c] - 128, 12563));
    }
  for (int i = 0; i < CHROMA_WIDTH * CHROMA_HEIGHT; i++) {
    const int32_t blue = cb[i] - 128, red = cr[i] - 128;
    cb[i] = clamp8(128 + times_q16(blue, 64871) - times_q16(red, 7252));
    cr[i] = clamp8(128 + times_q16(red, 64448) - times_q16(blue, 4748));
  }
}

enum hm_status hm_picture_from_region(const struct hm_frame *frame, const struct hm_rect *region,
                                      uint8_t picture[HM_PICTURE_BYTES])
{
  uint8_t *y = picture;
  uint8_t *cb = y + HM_PICTURE_WIDTH * HM_PICTURE_HEIGHT;
  uint8_t *cr = cb + CHROMA_WIDTH * CHROMA_HEIGHT;
  if (!hm_rect_is_inside(region, frame->width, frame->height))
    return HM_MALFORMED;
  resize(&frame->y, region, 1, HM_PICTURE_WIDTH, HM_PICTURE_HEIGHT, y);
  if (frame->format == HM_GRAY8) {
    memset(cb, 128, (size_t)2 * CHROMA_WIDTH * CHROMA_HEIGHT);
  } else {
    resize(&frame->cb, region, 2, CHROMA_WIDTH, CHROMA_HEIGHT, cb);
    resize(&frame->cr, region, 2, CHROMA_WIDTH, CHROMA_HEIGHT, cr);
  }
  if (frame->range == HM_RANGE_FULL)
    to_limited(y, cb, cr);
  if (frame->matrix == HM_BT709 && frame->format != HM_GRAY8)
    to_bt601(y, cb, cr);
  return hm_picture_settle(picture, HM_PICTURE_WIDTH, HM_PICTURE_HEIGHT);
}

enum hm_status hm_picture_from_i420(const uint8_t *i420, uint32_t width, uint32_t height,
                                    uint8_t picture[HM_PICTURE_BYTES])
{
  const size_t luma = (size_t)width * height, half = width / 2;
  const uint8_t *const planes[3] = {i420, i420 + luma, i420 + luma + luma / 4};
  const size_t strides[3] = {width, half, half};
  struct hm_frame frame;
  if (width % 2 != 0 || height % 2 != 0)
    return HM_MALFORMED;
  HM_TRY(
      hm_frame_make(HM_I420, HM_RANGE_LIMITED, HM_BT601, width, height, planes, strides, &frame));
  const struct hm_rect all = {0, 0, (uint16_t)width, (uint16_t)height};
  return hm_picture_from_region(&frame, &all, picture);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/scene.h"

#include <stdlib.h>

struct dice dice(uint64_t seed)
{
  struct dice d = {seed};
  return d;
}

uint32_t dice_roll(struct dice *d)
{
  d->state ^= d->state << 13;
  d->state ^= d->state >> 7;
  d->state ^= d->state << 17;
  return (uint32_t)(d->state >> 32);
}

uint32_t dice_below(struct dice *d, uint32_t limit)
{
  return (uint32_t)((uint64_t)dice_roll(d) * limit >> 32);
}

int32_t dice_noise(struct dice *d, uint32_t sigma_q8)
{
  /* four uniform numbers of 16 bits: their sum has a sigma of 65536 / sqrt(3) */
  const uint32_t a = dice_roll(d), b = dice_roll(d);
  const int64_t sum = (int64_t)(a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16) - 131070;
  const int64_t value = sum * (int64_t)sigma_q8, unit = (int64_t)37837 * 256;
  return (int32_t)((value + (value < 0 ? -unit / 2 : unit / 2)) / unit);
}

void scene_make(struct scene *s, uint32_t width, uint32_t height)
{
  s->width = width;
  s->height = height;
  s->bytes = calloc((size_t)width * height * 3 / 2, 1);
  if (s->bytes == NULL)
    abort();
}

void scene_free(struct scene *s)
{
  free(s->bytes);
  s->bytes = NULL;
}

struct hm_frame scene_frame(const struct scene *s)
{
  const size_t luma = (size_t)s->width * s->height;
  const uint8_t *const planes[3] = {s->bytes, s->bytes + luma, s->bytes + luma + luma / 4};
  const size_t strides[3] = {s->width, s->width / 2, s->width / 2};
  struct hm_frame frame;
  if (hm_frame_make(HM_I420, HM_RANGE_LIMITED, HM_BT601, s->width, s->height, planes, strides,
                    &frame) != HM_OK)
    abort();
  return frame;
}

/* A hash of a lattice point. */
static uint32_t lattice(int32_t x, int32_t y, uint32_t salt)
{
  uint32_t h = (uint32_t)x * 0x9e3779b1u ^ (uint32_t)y * 0x85ebca77u ^ salt * 0xc2b2ae3du;
  h ^= h >> 15;
  h *= 0x2c1b3c6du;
  h ^= h >> 12;
  h *= 0x297a2d39u;
  return (h ^ h >> 15) & 0xff;
}

static int32_t floor_div(int32_t a, int32_t b)
{
  return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* Value noise: a lattice of the given pitch, linear between its points. */
static int32_t smooth(int32_t x, int32_t y, int32_t pitch, uint32_t salt)
{
  const int32_t i = floor_div(x, pitch), j = floor_div(y, pitch);
  const int32_t fx = x - i * pitch, fy = y - j * pitch;
  const int32_t top =
      (int32_t)lattice(i, j, salt) * (pitch - fx) + (int32_t)lattice(i + 1, j, salt) * fx;
  const int32_t low =
      (int32_t)lattice(i, j + 1, salt) * (pitch - fx) + (int32_t)lattice(i + 1, j + 1, salt) * fx;
  return (top * (pitch - fy) + low * fy) / (pitch * pitch);
}

void scene_world(struct scene *s, int32_t dx, int32_t dy)
{
  uint8_t *cb = s->bytes + (size_t)s->width * s->height;
  uint8_t *cr = cb + (size_t)s->width * s->height / 4;
  for (uint32_t y = 0; y < s->height; y++)
    for (uint32_t x = 0; x < s->width; x++) {
      const int32_t u = (int32_t)x - dx, v = (int32_t)y - dy;
      const int32_t luma = smooth(u, v, 40, 1) / 2 + smooth(u, v, 6, 2) / 2 +
                           (int32_t)(lattice(floor_div(u, 2), floor_div(v, 2), 3)) / 12;
      s->bytes[(size_t)y * s->width + x] = (uint8_t)(24 + luma * 2 / 3);
      if (x % 2 == 0 && y % 2 == 0) {
        const size_t at = (size_t)(y / 2) * (s->width / 2) + x / 2;
        cb[at] = (uint8_t)(96 + smooth(u, v, 64, 4) / 4);
        cr[at] = (uint8_t)(96 + smooth(u, v, 64, 5) / 4);
      }
    }
}

void scene_fill(struct scene *s, uint8_t luma, uint8_t cb, uint8_t cr)
{
  const size_t count = (size_t)s->width * s->height;
  memset(s->bytes, luma, count);
  memset(s->bytes + count, cb, count / 4);
  memset(s->bytes + count + count / 4, cr, count / 4);
}

void scene_noise(struct scene *s, struct dice *d, uint32_t sigma_q8)
{
  for (size_t i = 0; i < (size_t)s->width * s->height; i++) {
    const int32_t v = s->bytes[i] + dice_noise(d, sigma_q8);
    s->bytes[i] = (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
  }
}

void scene_box(struct scene *s, int32_t x, int32_t y, int32_t width, int32_t height, uint8_t cb,
               uint8_t cr)
{
  uint8_t *blue = s->bytes + (size_t)s->width * s->height;
  uint8_t *red = blue + (size_t)s->width * s->height / 4;
  for (int32_t j = y; j < y + height; j++)
    for (int32_t i = x; i < x + width; i++) {
      if (i < 0 || j < 0 || i >= (int32_t)s->width || j >= (int32_t)s->height)
        continue;
      s->bytes[(size_t)j * s->width + (size_t)i] = (j - y) / 6 % 2 == 0 ? 210 : 40;
      const size_t at = (size_t)(j / 2) * (s->width / 2) + (size_t)(i / 2);
      blue[at] = cb;
      red[at] = cr;
    }
}

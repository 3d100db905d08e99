/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The scalar reference. A tile is measured in two passes: every pixel (sums, counts,
 * SAD by 8x8 cells), then the inner pixels that have all eight neighbours. A partial
 * tile is the same two loops with its own width and height; a kernel only ever sees
 * whole tiles, so SIMD needs no edge code.
 */
#include "sensors/tiles.h"

static void measure_pixels(const uint8_t *now, size_t now_stride, const uint8_t *before,
                           size_t before_stride, uint32_t width, uint32_t height,
                           struct hm_tile_limits limits, struct hm_tile *out)
{
  for (uint32_t y = 0; y < height; y++) {
    const uint8_t *row = now + y * now_stride;
    const uint8_t *old = before == NULL ? row : before + y * before_stride;
    for (uint32_t x = 0; x < width; x++) {
      const uint32_t v = row[x];
      const uint32_t difference = v > old[x] ? v - old[x] : old[x] - v;
      out->s1 += v;
      out->s2 += v * v;
      out->hi += v >= limits.high;
      out->lo += v <= limits.low;
      out->sad += difference;
      out->sub_sad[y / HM_CELL_SIDE * 4 + x / HM_CELL_SIDE] += (uint16_t)difference;
    }
  }
  out->pixels = (uint16_t)(width * height);
}

static void measure_inner(const uint8_t *now, size_t stride, uint32_t width, uint32_t height,
                          struct hm_tile *out)
{
  for (uint32_t y = 1; y + 1 < height; y++) {
    const uint8_t *a = now + (y - 1) * stride;
    const uint8_t *b = a + stride;
    const uint8_t *c = b + stride;
    for (uint32_t x = 1; x + 1 < width; x++) {
      const int32_t dx = b[x + 1] - b[x], dy = c[x] - b[x];
      const int32_t cross = b[x - 1] + b[x + 1] + a[x] + c[x];
      const int32_t corners = a[x - 1] + a[x + 1] + c[x - 1] + c[x + 1];
      const int32_t laplace = cross - 4 * b[x];
      const int32_t noise = corners - 2 * cross + 4 * b[x];
      out->ge += (uint32_t)(dx * dx + dy * dy);
      out->le += (uint32_t)(laplace * laplace);
      out->na += (uint32_t)(noise < 0 ? -noise : noise);
    }
  }
}

static void measure(const uint8_t *now, size_t now_stride, const uint8_t *before,
                    size_t before_stride, uint32_t width, uint32_t height,
                    struct hm_tile_limits limits, struct hm_tile *out)
{
  memset(out, 0, sizeof *out);
  measure_pixels(now, now_stride, before, before_stride, width, height, limits, out);
  measure_inner(now, now_stride, width, height, out);
}

static void measure_whole(const uint8_t *now, size_t now_stride, const uint8_t *before,
                          size_t before_stride, struct hm_tile_limits limits, struct hm_tile *out)
{
  measure(now, now_stride, before, before_stride, HM_TILE_SIDE, HM_TILE_SIDE, limits, out);
}

const struct hm_tile_kernel hm_tile_kernel_scalar = {"scalar", measure_whole};

const struct hm_tile_kernel *hm_tile_kernel_best(void)
{
  return &hm_tile_kernel_scalar;
}

struct hm_tile_grid hm_tile_grid(uint32_t width, uint32_t height)
{
  struct hm_tile_grid grid = {(width + HM_TILE_SIDE - 1) / HM_TILE_SIDE,
                              (height + HM_TILE_SIDE - 1) / HM_TILE_SIDE, width / HM_TILE_SIDE,
                              height / HM_TILE_SIDE};
  return grid;
}

struct hm_tile_limits hm_tile_limits(enum hm_luma_range range)
{
  const struct hm_tile_limits full = {250, 5}, limited = {235, 16};
  return range == HM_RANGE_FULL ? full : limited;
}

enum hm_status hm_tiles_measure(const struct hm_tile_kernel *kernel, const struct hm_plane *now,
                                const struct hm_plane *before, struct hm_tile_limits limits,
                                struct hm_tile *tiles, size_t capacity)
{
  const struct hm_tile_grid grid = hm_tile_grid(now->width, now->height);
  if (before != NULL && (before->width != now->width || before->height != now->height))
    return HM_MISMATCH;
  if (capacity < (size_t)grid.columns * grid.rows)
    return HM_SHORT_BUFFER;
  for (uint32_t row = 0; row < grid.rows; row++)
    for (uint32_t column = 0; column < grid.columns; column++) {
      const size_t x = (size_t)column * HM_TILE_SIDE, y = (size_t)row * HM_TILE_SIDE;
      const uint8_t *at = now->data + y * now->stride + x;
      const uint8_t *old = before == NULL ? NULL : before->data + y * before->stride + x;
      const size_t old_stride = before == NULL ? 0 : before->stride;
      struct hm_tile *tile = &tiles[(size_t)row * grid.columns + column];
      if (row < grid.whole_rows && column < grid.whole_columns) {
        kernel->whole(at, now->stride, old, old_stride, limits, tile);
        continue;
      }
      const size_t right = now->width - x, below = now->height - y;
      measure(at, now->stride, old, old_stride,
              (uint32_t)(right < HM_TILE_SIDE ? right : HM_TILE_SIDE),
              (uint32_t)(below < HM_TILE_SIDE ? below : HM_TILE_SIDE), limits, tile);
    }
  return HM_OK;
}

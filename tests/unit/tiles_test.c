/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The tiles against a plain double loop that knows the definitions only: coordinates
 * of the plane, one figure at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sensors/tiles.h"
#include "tests/support/scene.h"

enum fill { FILL_RANDOM, FILL_ZERO, FILL_WHITE, FILL_CHECKER, FILL_STRIPES, FILL_COUNT };

/* A plane with padding of its own on every side of the pixels. */
struct board {
  uint8_t *memory;
  struct hm_plane plane;
};

static struct board board_make(uint32_t width, uint32_t height, size_t stride, uint8_t padding)
{
  struct board b;
  b.memory = malloc(stride * height + 64);
  assert_non_null(b.memory);
  memset(b.memory, padding, stride * height + 64);
  b.plane = (struct hm_plane){b.memory + 17, stride, width, height, 1};
  return b;
}

static uint8_t *at(const struct board *b, uint32_t x, uint32_t y)
{
  return b->memory + 17 + y * b->plane.stride + x;
}

static void board_fill(struct board *b, enum fill fill, struct dice *d)
{
  for (uint32_t y = 0; y < b->plane.height; y++)
    for (uint32_t x = 0; x < b->plane.width; x++) {
      const uint8_t values[FILL_COUNT] = {(uint8_t)dice_roll(d), 0, 255,
                                          (uint8_t)((x + y) % 2 * 255), (uint8_t)(x % 2 * 255)};
      *at(b, x, y) = values[fill];
    }
}

static int64_t px(const struct hm_plane *p, uint32_t x, uint32_t y)
{
  return p->data[y * p->stride + x];
}

static int64_t square(int64_t v)
{
  return v * v;
}

/* The definitions, in the coordinates of the plane. */
static void expected(const struct hm_plane *now, const struct hm_plane *before, uint32_t x0,
                     uint32_t y0, struct hm_tile_limits limits, struct hm_tile *out)
{
  const uint32_t x1 = x0 + 32 < now->width ? x0 + 32 : now->width;
  const uint32_t y1 = y0 + 32 < now->height ? y0 + 32 : now->height;
  memset(out, 0, sizeof *out);
  for (uint32_t y = y0; y < y1; y++)
    for (uint32_t x = x0; x < x1; x++) {
      const int64_t v = px(now, x, y);
      out->s1 += (uint32_t)v;
      out->s2 += (uint32_t)(v * v);
      out->hi += v >= limits.high ? 1 : 0;
      out->lo += v <= limits.low ? 1 : 0;
      out->pixels++;
      if (before != NULL) {
        const int64_t change = llabs(v - px(before, x, y));
        out->sad += (uint32_t)change;
        out->sub_sad[(y - y0) / 8 * 4 + (x - x0) / 8] += (uint16_t)change;
      }
      if (x == x0 || y == y0 || x + 1 == x1 || y + 1 == y1)
        continue;
      out->ge += (uint32_t)(square(px(now, x + 1, y) - v) + square(px(now, x, y + 1) - v));
      out->le += (uint32_t)square(px(now, x - 1, y) + px(now, x + 1, y) + px(now, x, y - 1) +
                                  px(now, x, y + 1) - 4 * v);
      static const int64_t mask[3][3] = {{1, -2, 1}, {-2, 4, -2}, {1, -2, 1}};
      int64_t noise = 0;
      for (uint32_t j = 0; j < 3; j++)
        for (uint32_t i = 0; i < 3; i++)
          noise += mask[j][i] * px(now, x + i - 1, y + j - 1);
      out->na += (uint32_t)llabs(noise);
    }
}

static void compare(const struct hm_plane *now, const struct hm_plane *before,
                    struct hm_tile_limits limits)
{
  const struct hm_tile_grid grid = hm_tile_grid(now->width, now->height);
  const size_t count = (size_t)grid.columns * grid.rows;
  struct hm_tile *tiles = malloc(count * sizeof *tiles);
  assert_non_null(tiles);
  memset(tiles, 0xa5, count * sizeof *tiles);
  assert_int_equal(hm_tiles_measure(hm_tile_kernel_best(), now, before, limits, tiles, count),
                   HM_OK);
  for (uint32_t row = 0; row < grid.rows; row++)
    for (uint32_t column = 0; column < grid.columns; column++) {
      struct hm_tile want;
      expected(now, before, 32 * column, 32 * row, limits, &want);
      const struct hm_tile *got = &tiles[row * grid.columns + column];
      assert_int_equal(got->s1, want.s1);
      assert_int_equal(got->s2, want.s2);
      assert_int_equal(got->ge, want.ge);
      assert_int_equal(got->le, want.le);
      assert_int_equal(got->na, want.na);
      assert_int_equal(got->sad, want.sad);
      assert_int_equal(got->hi, want.hi);
      assert_int_equal(got->lo, want.lo);
      assert_int_equal(got->pixels, want.pixels);
      assert_memory_equal(got->sub_sad, want.sub_sad, sizeof want.sub_sad);
      assert_int_equal(got->pixels == HM_TILE_PIXELS,
                       row < grid.whole_rows && column < grid.whole_columns);
    }
  free(tiles);
}

static void measure_board(uint32_t width, uint32_t height, size_t extra, enum fill now_fill,
                          enum fill before_fill, struct dice *d)
{
  struct board now = board_make(width, height, width + extra, 0xee);
  struct board before = board_make(width, height, width + 2 * extra, 0x11);
  board_fill(&now, now_fill, d);
  board_fill(&before, before_fill, d);
  compare(&now.plane, &before.plane, hm_tile_limits(HM_RANGE_FULL));
  compare(&now.plane, NULL, hm_tile_limits(HM_RANGE_LIMITED));
  free(now.memory);
  free(before.memory);
}

static void test_every_size_up_to_two_tiles(void **state)
{
  (void)state;
  struct dice d = dice(7);
  for (uint32_t width = 1; width <= 70; width++)
    for (uint32_t height = 1; height <= 70; height += 1 + width % 3)
      measure_board(width, height, width % 5, FILL_RANDOM, FILL_RANDOM, &d);
}

static void test_extreme_planes(void **state)
{
  (void)state;
  struct dice d = dice(11);
  for (int now = 0; now < FILL_COUNT; now++)
    for (int before = 0; before < FILL_COUNT; before++)
      measure_board(97, 65, 3, (enum fill)now, (enum fill)before, &d);
}

static void test_largest_values(void **state)
{
  (void)state;
  /* the worst tile of each figure, by the definitions: nothing overflows u32 */
  struct board now = board_make(32, 32, 32, 0), before = board_make(32, 32, 32, 0);
  struct hm_tile tile;
  board_fill(&now, FILL_CHECKER, &(struct dice){1});
  assert_int_equal(hm_tiles_measure(&hm_tile_kernel_scalar, &now.plane, NULL,
                                    hm_tile_limits(HM_RANGE_FULL), &tile, 1),
                   HM_OK);
  assert_int_equal(tile.ge, 900 * 2 * 255 * 255);
  assert_int_equal(tile.le, 900u * 1020 * 1020);
  assert_int_equal(tile.na, 900 * 8 * 255);
  board_fill(&now, FILL_WHITE, &(struct dice){1});
  board_fill(&before, FILL_ZERO, &(struct dice){1});
  assert_int_equal(hm_tiles_measure(&hm_tile_kernel_scalar, &now.plane, &before.plane,
                                    hm_tile_limits(HM_RANGE_FULL), &tile, 1),
                   HM_OK);
  assert_int_equal(tile.sad, 1024 * 255);
  assert_int_equal(tile.s2, 1024 * 255 * 255);
  assert_int_equal(tile.sub_sad[15], 64 * 255);
  assert_int_equal(tile.hi, 1024);
  free(now.memory);
  free(before.memory);
}

static void test_limits_follow_the_range(void **state)
{
  (void)state;
  static const uint8_t values[] = {5, 6, 16, 17, 234, 235, 249, 250};
  struct board b = board_make(32, 32, 32, 0);
  board_fill(&b, FILL_ZERO, &(struct dice){1});
  for (uint32_t y = 0; y < 32; y++)
    for (uint32_t x = 0; x < 32; x++)
      *at(&b, x, y) = values[x % 8];
  struct hm_tile full, limited;
  assert_int_equal(hm_tiles_measure(&hm_tile_kernel_scalar, &b.plane, NULL,
                                    hm_tile_limits(HM_RANGE_FULL), &full, 1),
                   HM_OK);
  assert_int_equal(hm_tiles_measure(&hm_tile_kernel_scalar, &b.plane, NULL,
                                    hm_tile_limits(HM_RANGE_LIMITED), &limited, 1),
                   HM_OK);
  assert_int_equal(full.lo, 128);
  assert_int_equal(full.hi, 128);
  assert_int_equal(limited.lo, 3 * 128);
  assert_int_equal(limited.hi, 3 * 128);
  free(b.memory);
}

static void test_padding_is_never_read(void **state)
{
  (void)state;
  /* the last row ends with its last pixel: the address sanitizer watches the byte after */
  const size_t stride = 100;
  uint8_t *memory = malloc(stride * 39 + 65);
  assert_non_null(memory);
  struct dice d = dice(3);
  for (size_t i = 0; i < stride * 39 + 65; i++)
    memory[i] = (uint8_t)dice_roll(&d);
  const struct hm_plane plane = {memory, stride, 65, 40, 1};
  compare(&plane, &plane, hm_tile_limits(HM_RANGE_FULL));
  free(memory);
}

static void test_largest_frame(void **state)
{
  (void)state;
  /* 8K with the corners checked through the last, partial tiles */
  struct dice d = dice(5);
  measure_board(7680, 33, 64, FILL_RANDOM, FILL_WHITE, &d);
  const struct hm_tile_grid grid = hm_tile_grid(7680, 4320);
  assert_int_equal(grid.columns, 240);
  assert_int_equal(grid.rows, 135);
  assert_int_equal(grid.whole_rows, 135);
}

static void test_refusals(void **state)
{
  (void)state;
  struct board now = board_make(33, 33, 33, 0), other = board_make(33, 32, 33, 0);
  struct hm_tile tiles[4];
  assert_int_equal(hm_tiles_measure(&hm_tile_kernel_scalar, &now.plane, &other.plane,
                                    hm_tile_limits(HM_RANGE_FULL), tiles, 4),
                   HM_MISMATCH);
  assert_int_equal(hm_tiles_measure(&hm_tile_kernel_scalar, &now.plane, NULL,
                                    hm_tile_limits(HM_RANGE_FULL), tiles, 3),
                   HM_SHORT_BUFFER);
  free(now.memory);
  free(other.memory);
}

static void test_frames_are_checked(void **state)
{
  (void)state;
  static uint8_t bytes[64 * 64 * 2];
  const uint8_t *planes[3] = {bytes, bytes, bytes};
  size_t strides[3] = {9, 10, 5};
  struct hm_frame f;
  assert_int_equal(hm_frame_make(HM_GRAY8, HM_RANGE_FULL, HM_BT601, 9, 9, planes, strides, &f),
                   HM_OK);
  assert_null(f.cb.data);
  assert_int_equal(hm_frame_make(HM_NV12, HM_RANGE_FULL, HM_BT601, 9, 9, planes, strides, &f),
                   HM_OK);
  assert_int_equal(f.cb.width, 5);
  assert_int_equal(f.cr.step, 2);
  assert_ptr_equal(f.cr.data, bytes + 1);
  strides[1] = 9; /* one short of 5 pairs */
  assert_int_equal(hm_frame_make(HM_NV12, HM_RANGE_FULL, HM_BT601, 9, 9, planes, strides, &f),
                   HM_SHORT_BUFFER);
  assert_int_equal(hm_frame_make(HM_I420, HM_RANGE_FULL, HM_BT601, 9, 9, planes, strides, &f),
                   HM_OK);
  strides[2] = 4;
  assert_int_equal(hm_frame_make(HM_I420, HM_RANGE_FULL, HM_BT601, 9, 9, planes, strides, &f),
                   HM_SHORT_BUFFER);
  planes[2] = NULL;
  assert_int_equal(hm_frame_make(HM_I420, HM_RANGE_FULL, HM_BT601, 9, 9, planes, strides, &f),
                   HM_MALFORMED);
  assert_int_equal(hm_frame_make(HM_GRAY8, HM_RANGE_FULL, HM_BT601, 0, 9, planes, strides, &f),
                   HM_MALFORMED);
  assert_int_equal(hm_frame_make(HM_GRAY8, HM_RANGE_FULL, HM_BT601, 10, 9, planes, strides, &f),
                   HM_SHORT_BUFFER);
  strides[0] = 10000;
  assert_int_equal(hm_frame_make(HM_GRAY8, HM_RANGE_FULL, HM_BT601, 8193, 9, planes, strides, &f),
                   HM_TOO_LARGE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_size_up_to_two_tiles),
      cmocka_unit_test(test_extreme_planes),
      cmocka_unit_test(test_largest_values),
      cmocka_unit_test(test_limits_follow_the_range),
      cmocka_unit_test(test_padding_is_never_read),
      cmocka_unit_test(test_largest_frame),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_frames_are_checked),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Tiles: eight integers per 32x32 pixels of luma, no halo. Each is a pure function
 * of the tile, and of the same tile of the frame before, so edges need no rule:
 *
 *   S1  sum x                       SAD  sum |x - before|
 *   S2  sum x^2                     HI   count of x >= 250 (limited range 235)
 *   GE  sum dx^2 + dy^2, forward    LO   count of x <= 5   (limited range 16)
 *   LE  sum L^2, L = l + r + u + d - 4c
 *   NA  sum |N|, N = [1 -2 1] x [1 -2 1] (Immerkaer 1996)
 *
 * GE, LE and NA run over the inner 30x30. All fit u32. Sixteen 8x8 sub-SADs, row by
 * row, are kept for regions. Tiles at the right and bottom edge may be partial: they
 * are measured and say how many pixels they hold; figures of the frame count whole
 * tiles only.
 *
 * One kernel measures one whole tile; the scalar reference is in tiles.c, others
 * (SIMD) must give the same integers.
 */
#ifndef HM_SENSORS_TILES_H
#define HM_SENSORS_TILES_H

#include "sensors/picture.h"

enum { HM_TILE_SIDE = 32, HM_TILE_PIXELS = 1024, HM_CELL_SIDE = 8, HM_TILE_CELLS = 16 };

struct hm_tile {
  uint32_t s1, s2, ge, le, na, sad, hi, lo;
  uint16_t sub_sad[HM_TILE_CELLS];
  uint16_t pixels; /* HM_TILE_PIXELS in a whole tile */
};

/* Tiles of a plane: columns and rows with the partial ones, whole_* without. */
struct hm_tile_grid {
  uint32_t columns, rows;
  uint32_t whole_columns, whole_rows;
};

struct hm_tile_limits {
  uint8_t high, low; /* HI counts x >= high, LO counts x <= low */
};

/* Measures one whole tile. before NULL: SAD and sub-SADs are 0. */
struct hm_tile_kernel {
  const char *name;
  void (*whole)(const uint8_t *now, size_t now_stride, const uint8_t *before, size_t before_stride,
                struct hm_tile_limits limits, struct hm_tile *out);
};

extern const struct hm_tile_kernel hm_tile_kernel_scalar;

/* The best kernel of this machine. */
const struct hm_tile_kernel *hm_tile_kernel_best(void);

struct hm_tile_grid hm_tile_grid(uint32_t width, uint32_t height);
struct hm_tile_limits hm_tile_limits(enum hm_luma_range range);

/* Measure a plane (step 1) into grid.columns * grid.rows tiles, row by row, in the
 * caller's memory. before is NULL or of the same size. HM_SHORT_BUFFER where capacity
 * is too small, HM_MISMATCH where the sizes differ. */
enum hm_status HM_MUST_CHECK hm_tiles_measure(const struct hm_tile_kernel *kernel,
                                              const struct hm_plane *now,
                                              const struct hm_plane *before,
                                              struct hm_tile_limits limits, struct hm_tile *tiles,
                                              size_t capacity);

#endif

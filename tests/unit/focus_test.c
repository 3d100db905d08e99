/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Focus and motion: cells painted by hand, then scenes that move as a whole, in part,
 * or not at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sensors/focus.h"
#include "sensors/motion.h"
#include "tests/support/scene.h"

enum { WIDTH = 320, HEIGHT = 256, COLUMNS = 40, ROWS = 32, CELLS = COLUMNS * ROWS, TILES = 80 };

struct table {
  struct hm_tile tiles[TILES];
  uint16_t sad[CELLS];
  uint8_t mask[CELLS], scratch[CELLS];
  uint32_t stack[CELLS];
  struct hm_focus_work work;
  struct hm_focus focus;
};

static int setup(void **state)
{
  struct table *t = calloc(1, sizeof *t);
  if (t == NULL)
    return -1;
  t->work = (struct hm_focus_work){CELLS, t->sad, t->mask, t->scratch, t->stack};
  for (int i = 0; i < TILES; i++)
    t->tiles[i].ge = 100000;
  *state = t;
  return 0;
}

static int teardown(void **state)
{
  free(*state);
  return 0;
}

/* Give cells the SAD of a mean change of `levels` a pixel. */
static void paint(struct table *t, uint32_t x, uint32_t y, uint32_t width, uint32_t height,
                  uint32_t levels)
{
  for (uint32_t j = y; j < y + height; j++)
    for (uint32_t i = x; i < x + width; i++)
      t->tiles[j / 4 * 10 + i / 4].sub_sad[j % 4 * 4 + i % 4] = (uint16_t)(64 * levels);
}

static void find(struct table *t)
{
  assert_int_equal(hm_focus_find(WIDTH, HEIGHT, t->tiles, &t->work, &t->focus), HM_OK);
}

static void assert_box(const struct hm_rect *box, int x, int y, int width, int height)
{
  assert_int_equal(box->x, x);
  assert_int_equal(box->y, y);
  assert_int_equal(box->width, width);
  assert_int_equal(box->height, height);
}

/* ---- cells ---------------------------------------------------------------------------------- */

static void test_nothing_moved(void **state)
{
  struct table *t = *state;
  paint(t, 0, 0, COLUMNS, ROWS, 4); /* at the threshold, not above */
  find(t);
  assert_int_equal(t->focus.count, 0);
  assert_int_equal(t->focus.moved_q8, 0);
  assert_int_equal(t->focus.threshold, 3 * 4 * 64);
}

static void test_one_thing_moved(void **state)
{
  struct table *t = *state;
  paint(t, 10, 5, 3, 6, 20);
  find(t);
  assert_int_equal(t->focus.threshold, 4 * 64);
  assert_int_equal(t->focus.count, 1);
  assert_box(&t->focus.candidates[0].box, 80, 40, 24, 48);
  assert_int_equal(t->focus.candidates[0].mass, 18 * 20 * 64);
  assert_int_equal(t->focus.moved_q8, 256 * 18 / CELLS);
}

static void test_threshold_follows_the_moving_picture(void **state)
{
  struct table *t = *state;
  paint(t, 0, 0, COLUMNS, ROWS, 15); /* the camera pans */
  paint(t, 20, 10, 4, 5, 44);        /* less than three times as much */
  find(t);
  assert_int_equal(t->focus.count, 0);
  paint(t, 20, 10, 4, 5, 46);
  find(t);
  assert_int_equal(t->focus.count, 1);
  assert_box(&t->focus.candidates[0].box, 160, 80, 32, 40);
}

static void test_flat_tiles_do_not_lower_the_median(void **state)
{
  struct table *t = *state;
  /* three quarters sky that can not show motion, the rest pans */
  paint(t, 0, 24, COLUMNS, 8, 15);
  for (int i = 0; i < 60; i++)
    t->tiles[i].ge = 0;
  find(t);
  assert_int_equal(t->focus.median, 15 * 64);
  assert_int_equal(t->focus.count, 0);
}

static void test_closing_joins_near_parts_only(void **state)
{
  struct table *t = *state;
  paint(t, 2, 4, 2, 4, 20);
  paint(t, 8, 4, 2, 4, 20);  /* a gap of 4 cells: closed (5 wide) */
  paint(t, 15, 4, 2, 4, 20); /* a gap of 5: not */
  paint(t, 30, 4, 2, 3, 20);
  paint(t, 30, 9, 2, 3, 20);  /* a gap of 2 down: closed (3 high) */
  paint(t, 30, 15, 2, 3, 20); /* a gap of 3: not */
  find(t);
  assert_int_equal(t->focus.count, 4);
  assert_box(&t->focus.candidates[0].box, 16, 32, 64, 32);
  assert_box(&t->focus.candidates[1].box, 240, 32, 16, 64);
  assert_box(&t->focus.candidates[2].box, 120, 32, 16, 32);
  assert_box(&t->focus.candidates[3].box, 240, 120, 16, 24);
}

static void test_diagonal_cells_touch(void **state)
{
  struct table *t = *state;
  for (uint32_t i = 0; i < 6; i++)
    paint(t, 8 + i, 8 + i, 1, 1, 30);
  find(t);
  assert_int_equal(t->focus.found, 1);
  assert_box(&t->focus.candidates[0].box, 64, 64, 48, 48);
}

static void test_box_leaves_out_the_thin_ends(void **state)
{
  struct table *t = *state;
  paint(t, 10, 4, 5, 20, 100);
  paint(t, 5, 10, 5, 1, 5); /* a faint arm: under 1 % of the mass */
  find(t);
  assert_int_equal(t->focus.count, 1);
  assert_box(&t->focus.candidates[0].box, 80, 32, 40, 160);
}

static void test_small_things_are_dropped(void **state)
{
  struct table *t = *state;
  paint(t, 3, 3, 8, 2, 50);   /* 16 pixels high */
  paint(t, 20, 20, 1, 3, 50); /* 8 x 24 */
  find(t);
  assert_int_equal(t->focus.found, 1);
  assert_box(&t->focus.candidates[0].box, 160, 160, 8, 24);
}

static void test_edges_are_cells_like_others(void **state)
{
  struct table *t = *state;
  paint(t, 0, 0, 2, 3, 50);
  paint(t, COLUMNS - 2, ROWS - 3, 2, 3, 50);
  find(t);
  assert_int_equal(t->focus.count, 2);
  assert_box(&t->focus.candidates[0].box, 0, 0, 16, 24);
  assert_box(&t->focus.candidates[1].box, WIDTH - 16, HEIGHT - 24, 16, 24);
}

static void test_heaviest_are_kept(void **state)
{
  struct table *t = *state;
  /* 36 things of growing weight on a lattice that closing can not join */
  for (uint32_t i = 0; i < 36; i++)
    paint(t, i % 6 * 6, i / 6 * 5, 1, 3 - (i / 6 == 6), 20 + i);
  find(t);
  /* the columns are 6 apart (gap 5), the rows 5 apart (gap 2): rows are joined */
  assert_int_equal(t->focus.found, 6);
  for (uint32_t i = 1; i < t->focus.count; i++)
    assert_true(t->focus.candidates[i - 1].mass >= t->focus.candidates[i].mass);
  memset(t->tiles, 0, sizeof t->tiles);
  for (uint32_t i = 0; i < 35; i++)
    paint(t, i % 7 * 6, i / 7 * 6, 1, 3, 20 + i);
  find(t);
  assert_int_equal(t->focus.found, 35);
  assert_int_equal(t->focus.count, HM_FOCUS_CANDIDATES);
  assert_int_equal(t->focus.candidates[0].mass, 3 * 54 * 64);
  assert_int_equal(t->focus.candidates[31].mass, 3 * 23 * 64);
}

static void test_whole_frame_is_one_flood(void **state)
{
  struct table *t = *state;
  for (int i = 0; i < TILES; i++)
    t->tiles[i].ge = 0; /* no median: everything is above 4 */
  paint(t, 0, 0, COLUMNS, ROWS, 255);
  find(t);
  assert_int_equal(t->focus.count, 1);
  assert_box(&t->focus.candidates[0].box, 0, 0, WIDTH, HEIGHT);
  assert_int_equal(t->focus.moved_q8, 256);
}

static void test_too_little_memory_is_refused(void **state)
{
  struct table *t = *state;
  t->work.cells = CELLS - 1;
  assert_int_equal(hm_focus_find(WIDTH, HEIGHT, t->tiles, &t->work, &t->focus), HM_SHORT_BUFFER);
  t->work.cells = CELLS;
  assert_int_equal(hm_focus_find(7, 7, t->tiles, &t->work, &t->focus), HM_OK);
  assert_int_equal(t->focus.count, 0);
}

/* The median against sorting. */
static int ascending(const void *a, const void *b)
{
  const uint16_t *x = a, *y = b;
  return *x < *y ? -1 : *x > *y;
}

static void test_median_is_exact(void **state)
{
  struct table *t = *state;
  struct dice d = dice(8);
  for (int n = 0; n < 200; n++) {
    uint16_t all[CELLS];
    const uint32_t most = 1 + dice_below(&d, 16321);
    for (int i = 0; i < CELLS; i++) {
      all[i] = (uint16_t)dice_below(&d, most);
      t->tiles[i / 16].sub_sad[i % 16] = all[i];
    }
    find(t);
    qsort(all, CELLS, sizeof all[0], ascending);
    assert_int_equal(t->focus.median, all[CELLS / 2]);
  }
}

/* ---- the set -------------------------------------------------------------------------------- */

static const uint64_t second = 1000000000;

static void test_set_forgets_after_its_time(void **state)
{
  (void)state;
  struct hm_focus_set set = {0};
  const struct hm_rect box = {0, 0, 40, 32};
  hm_focus_set_add(&set, &box, 200, 5 * second, 8);
  hm_focus_set_expire(&set, 6 * second, second);
  assert_int_equal(hm_focus_set_mask(&set, WIDTH, HEIGHT), 1);
  hm_focus_set_expire(&set, 6 * second + 1, second);
  assert_int_equal(hm_focus_set_mask(&set, WIDTH, HEIGHT), 0);
}

static void test_focus_enters_and_leaves_with_hysteresis(void **state)
{
  (void)state;
  static const struct {
    uint32_t value;
    bool is_focus;
  } story[] = {{127, false}, {128, true},  {103, true}, {102, true},
               {101, false}, {127, false}, {128, true}};
  struct hm_focus_set set = {0};
  struct hm_rect box = {40, 64, 40, 64};
  for (size_t i = 0; i < sizeof story / sizeof story[0]; i++) {
    box.x++; /* it walks */
    hm_focus_set_add(&set, &box, story[i].value, i * second / 30, 8);
    assert_int_equal(hm_focus_set_mask(&set, WIDTH, HEIGHT) != 0, story[i].is_focus);
  }
}

static void test_set_holds_the_best(void **state)
{
  (void)state;
  struct hm_focus_set set = {0};
  for (uint16_t i = 0; i < 8; i++) {
    const struct hm_rect box = {(uint16_t)(40 * i), 0, 40, 32};
    assert_non_null(hm_focus_set_add(&set, &box, 130u + i, 0, 4));
    if (i >= 4)
      assert_int_equal(set.entries[4].is_held, false); /* the limit of 4 holds */
  }
  const struct hm_rect lesser = {0, 200, 40, 32};
  assert_null(hm_focus_set_add(&set, &lesser, 134, 0, 4));
  assert_int_equal(hm_focus_set_mask(&set, WIDTH, HEIGHT), 0xf0);
}

static void test_refractory_time(void **state)
{
  (void)state;
  struct hm_focus_set set = {0};
  struct hm_rect box = {40, 64, 40, 64};
  int memories = 0;
  for (uint64_t frame = 0; frame < 30; frame++) {
    const uint64_t now = frame * second / 30;
    struct hm_focus_entry *e = hm_focus_set_add(&set, &box, 100, now, 8);
    memories += hm_focus_entry_remember(e, now, second / 4);
  }
  assert_int_equal(memories, 4); /* at 0, .267, .533, .8 s */
  box.x = 200;                   /* another region is not held back by it */
  assert_true(
      hm_focus_entry_remember(hm_focus_set_add(&set, &box, 100, second, 8), second, second / 4));
  assert_true(hm_focus_entry_remember(NULL, second, second / 4));
}

static void test_zone_mask(void **state)
{
  (void)state;
  static const struct {
    struct hm_rect box;
    uint64_t mask;
  } rows[] = {{{0, 0, 40, 32}, 1},
              {{39, 31, 2, 2}, 0x303},
              {{280, 224, 40, 32}, UINT64_C(1) << 63},
              {{0, 0, WIDTH, HEIGHT}, UINT64_MAX}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_true(hm_zone_mask(&rows[i].box, WIDTH, HEIGHT) == rows[i].mask);
}

static void test_iou(void **state)
{
  (void)state;
  const struct hm_rect a = {0, 0, 10, 10}, b = {5, 0, 10, 10}, c = {10, 0, 10, 10};
  assert_int_equal(hm_rect_iou_q8(&a, &a), 256);
  assert_int_equal(hm_rect_iou_q8(&a, &b), 256 * 50 / 150);
  assert_int_equal(hm_rect_iou_q8(&a, &c), 0);
}

/* ---- motion ------------------------------------------------------------------------------------
 */

static struct hm_thumb thumbs[2];
static struct hm_residual residual;

/* The motion from a world at rest to one moved by (dx, dy), with a noise of one level. */
static struct hm_motion moved(uint32_t width, uint32_t height, int32_t dx, int32_t dy)
{
  struct dice d = dice(4);
  struct hm_motion motion;
  for (int i = 0; i < 2; i++) {
    struct scene s;
    scene_make(&s, width, height);
    scene_world(&s, i * dx, i * dy);
    scene_noise(&s, &d, 256);
    const struct hm_frame f = scene_frame(&s);
    hm_thumb_make(&f.y, &thumbs[i]);
    scene_free(&s);
  }
  hm_motion_find(&thumbs[1], &thumbs[0], &motion);
  hm_motion_predict(&thumbs[1], &thumbs[0], &motion.global, &residual);
  return motion;
}

static void test_thumbnail_is_the_mean(void **state)
{
  (void)state;
  struct scene s;
  scene_make(&s, 516, 260);
  scene_world(&s, 0, 0);
  const struct hm_frame f = scene_frame(&s);
  hm_thumb_make(&f.y, &thumbs[0]);
  assert_int_equal(thumbs[0].log2_scale, 2);
  assert_int_equal(thumbs[0].width, 129);
  assert_int_equal(thumbs[0].height, 65);
  for (uint32_t y = 0; y < 65; y++)
    for (uint32_t x = 0; x < 129; x++) {
      uint32_t sum = 8;
      for (uint32_t p = 0; p < 16; p++)
        sum += s.bytes[(4 * y + p / 4) * 516 + 4 * x + p % 4];
      assert_int_equal(thumbs[0].data[y * 129 + x], sum / 16);
    }
  scene_free(&s);
}

static void test_global_shift_is_found(void **state)
{
  (void)state;
  static const int32_t shifts[][2] = {{0, 0}, {1, 0}, {-3, 2}, {8, -5}, {16, 16}, {-20, 3}};
  for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
    const struct hm_motion m = moved(512, 384, shifts[i][0], shifts[i][1]);
    assert_true(m.global.is_judged);
    const int16_t dx = hm_motion_pixels(&m, &thumbs[1], m.global.dx);
    const int16_t dy = hm_motion_pixels(&m, &thumbs[1], m.global.dy);
    assert_in_range(dx + 1000, 1000 + 16 * shifts[i][0] - 8, 1000 + 16 * shifts[i][0] + 8);
    assert_in_range(dy + 1000, 1000 + 16 * shifts[i][1] - 8, 1000 + 16 * shifts[i][1] + 8);
    assert_true(residual.doubt_q8 <= 4 * 256);
  }
}

static void test_zones_follow_the_bulk(void **state)
{
  (void)state;
  const struct hm_motion m = moved(256, 256, 6, 0);
  uint32_t bulk = 0;
  for (uint32_t zone = 0; zone < HM_ZONES; zone++)
    bulk += hm_motion_zone_byte(&m, zone) == (6 << 4 | 0 << 1 | 1);
  assert_true(bulk >= 48); /* the left edge has no frame before */
}

static void test_zone_byte(void **state)
{
  (void)state;
  static const struct {
    int32_t dx, dy;
    uint8_t want;
  } rows[] = {{4, 0, 4 << 4 | 0 << 1},
              {3, 3, 4 << 4 | 1 << 1},
              {0, 5, 5 << 4 | 2 << 1},
              {-4, 4, 5 << 4 | 3 << 1},
              {-7, 0, 7 << 4 | 4 << 1},
              {-3, -3, 4 << 4 | 5 << 1},
              {0, -2, 2 << 4 | 6 << 1},
              {9, -9, 12 << 4 | 7 << 1},
              {0, 40, 15 << 4 | 2 << 1},
              {1, 0, 0},
              {0, 0, 0}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hm_motion m = {.global = {0, 0, true}};
    m.zones[7] = (struct hm_shift){16 * rows[i].dx, 16 * rows[i].dy, true};
    assert_int_equal(hm_motion_zone_byte(&m, 7), rows[i].want);
    assert_int_equal(hm_motion_zone_byte(&m, 8), 0); /* not judged */
  }
}

static void test_flat_pictures_are_not_judged(void **state)
{
  (void)state;
  struct scene s;
  scene_make(&s, 256, 256);
  scene_fill(&s, 100, 128, 128);
  const struct hm_frame f = scene_frame(&s);
  struct hm_motion m;
  hm_thumb_make(&f.y, &thumbs[0]);
  hm_thumb_make(&f.y, &thumbs[1]);
  hm_motion_find(&thumbs[1], &thumbs[0], &m);
  assert_false(m.global.is_judged);
  assert_int_equal(hm_motion_pixels(&m, &thumbs[1], m.global.dx), HM_PERIPHERAL_UNMEASURED);
  scene_free(&s);
}

static void test_unrelated_pictures_are_not_judged(void **state)
{
  (void)state;
  const struct hm_motion m = moved(256, 256, 5000, 7000);
  assert_false(m.global.is_judged);
}

static void test_tiny_pictures_are_not_judged(void **state)
{
  (void)state;
  static const uint32_t sizes[][2] = {{2, 2}, {14, 300}, {300, 14}};
  for (size_t i = 0; i < 3; i++)
    assert_false(moved(sizes[i][0], sizes[i][1], 0, 0).global.is_judged);
}

static void test_error_is_of_what_does_not_move_along(void **state)
{
  (void)state;
  struct dice d = dice(6);
  struct hm_motion m;
  for (int i = 0; i < 2; i++) {
    struct scene s;
    scene_make(&s, 512, 384);
    scene_world(&s, 8 * i, 0);
    scene_box(&s, 200 - 30 * i, 100, 60, 120, 90, 160);
    scene_noise(&s, &d, 256);
    const struct hm_frame f = scene_frame(&s);
    hm_thumb_make(&f.y, &thumbs[i]);
    scene_free(&s);
  }
  hm_motion_find(&thumbs[1], &thumbs[0], &m);
  hm_motion_predict(&thumbs[1], &thumbs[0], &m.global, &residual);
  const struct hm_rect box = {170, 100, 60, 120}, street = {300, 200, 60, 120},
                       fresh = {0, 0, 4, 384};
  assert_true(hm_motion_error(&residual, &box) > 25 * 256);
  assert_true(hm_motion_error(&residual, &street) < 3 * 256);
  assert_true(hm_motion_error(&residual, &fresh) == HM_ERROR_UNPREDICTED); /* came in */
}

static void test_surprise(void **state)
{
  (void)state;
  static const struct {
    uint32_t error, sigma, want; /* Q8 */
  } rows[] = {{0, 256, 0},
              {362, 256, 0},
              {724, 256, 32},
              {1448, 256, 64},
              {362 << 4, 256, 128},
              {65280, 256, 237},
              {1448, 0, 64},
              {1448, 1024, 0},
              {2896, 1024, 32},
              {5000, 8191, 0},
              {UINT32_MAX - 1, 256, 256}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_in_range(hm_surprise_q8(rows[i].error, rows[i].sigma) + 1, rows[i].want,
                    rows[i].want + 2);
  for (uint32_t e = 0; e < 65280; e += 16) /* never falls as the error grows */
    assert_true(hm_surprise_q8(e, 300) <= hm_surprise_q8(e + 16, 300));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_nothing_moved, setup, teardown),
      cmocka_unit_test_setup_teardown(test_one_thing_moved, setup, teardown),
      cmocka_unit_test_setup_teardown(test_threshold_follows_the_moving_picture, setup, teardown),
      cmocka_unit_test_setup_teardown(test_flat_tiles_do_not_lower_the_median, setup, teardown),
      cmocka_unit_test_setup_teardown(test_closing_joins_near_parts_only, setup, teardown),
      cmocka_unit_test_setup_teardown(test_diagonal_cells_touch, setup, teardown),
      cmocka_unit_test_setup_teardown(test_box_leaves_out_the_thin_ends, setup, teardown),
      cmocka_unit_test_setup_teardown(test_small_things_are_dropped, setup, teardown),
      cmocka_unit_test_setup_teardown(test_edges_are_cells_like_others, setup, teardown),
      cmocka_unit_test_setup_teardown(test_heaviest_are_kept, setup, teardown),
      cmocka_unit_test_setup_teardown(test_whole_frame_is_one_flood, setup, teardown),
      cmocka_unit_test_setup_teardown(test_too_little_memory_is_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(test_median_is_exact, setup, teardown),
      cmocka_unit_test(test_set_forgets_after_its_time),
      cmocka_unit_test(test_focus_enters_and_leaves_with_hysteresis),
      cmocka_unit_test(test_set_holds_the_best),
      cmocka_unit_test(test_refractory_time),
      cmocka_unit_test(test_zone_mask),
      cmocka_unit_test(test_iou),
      cmocka_unit_test(test_thumbnail_is_the_mean),
      cmocka_unit_test(test_global_shift_is_found),
      cmocka_unit_test(test_zones_follow_the_bulk),
      cmocka_unit_test(test_zone_byte),
      cmocka_unit_test(test_flat_pictures_are_not_judged),
      cmocka_unit_test(test_unrelated_pictures_are_not_judged),
      cmocka_unit_test(test_tiny_pictures_are_not_judged),
      cmocka_unit_test(test_error_is_of_what_does_not_move_along),
      cmocka_unit_test(test_surprise),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Frame trust: each factor from tiles whose figures are set by hand, the noise from
 * scenes with known noise, and the two histories as stories told frame by frame.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sensors/frame_trust.h"
#include "tests/support/scene.h"

enum { WIDTH = 320, HEIGHT = 256, TILES = 80, FPS = 30 };

static const struct hm_tile_grid grid = {10, 8, 10, 8};

/* A sensor that is watched over many frames. */
struct watch {
  struct hm_trust_history history;
  struct hm_trust_scratch scratch;
  struct hm_tile tiles[TILES];
  struct hm_trust trust;
  uint8_t tile_trust[TILES];
  uint64_t frame;
  uint8_t before[WIDTH * HEIGHT];
  struct scene scene;
  struct dice dice;
};

static int setup(void **state)
{
  struct watch *w = calloc(1, sizeof *w);
  if (w == NULL)
    return -1;
  scene_make(&w->scene, WIDTH, HEIGHT);
  w->dice = dice(42);
  *state = w;
  return 0;
}

static int teardown(void **state)
{
  struct watch *w = *state;
  scene_free(&w->scene);
  free(w);
  return 0;
}

/* Judge what is in the scene as the next frame, 1/30 s later. */
static void see(struct watch *w)
{
  const struct hm_frame f = scene_frame(&w->scene);
  const struct hm_plane before = {w->before, WIDTH, WIDTH, HEIGHT, 1};
  assert_int_equal(hm_tiles_measure(hm_tile_kernel_best(), &f.y, w->frame == 0 ? NULL : &before,
                                    hm_tile_limits(f.range), w->tiles, TILES),
                   HM_OK);
  hm_trust_judge(&grid, w->tiles, w->frame > 0, w->frame * 1000000000u / FPS, &w->history,
                 &w->scratch, &w->trust, w->tile_trust);
  memcpy(w->before, w->scene.bytes, sizeof w->before);
  w->frame++;
}

static void see_world(struct watch *w, int32_t dx, uint32_t sigma_q8)
{
  scene_world(&w->scene, dx, 0);
  scene_noise(&w->scene, &w->dice, sigma_q8);
  see(w);
}

static void see_wall(struct watch *w, uint8_t luma, uint32_t sigma_q8)
{
  scene_fill(&w->scene, luma, 128, 128);
  scene_noise(&w->scene, &w->dice, sigma_q8);
  see(w);
}

/* ---- the formulas ------------------------------------------------------------------------ */

/* Eighty tiles alike, without any history. */
static struct hm_trust judge_alike(struct watch *w, const struct hm_tile *tile, bool has_before)
{
  for (int i = 0; i < TILES; i++)
    w->tiles[i] = *tile;
  memset(&w->history, 0, sizeof w->history);
  hm_trust_judge(&grid, w->tiles, has_before, 0, &w->history, &w->scratch, &w->trust,
                 w->tile_trust);
  return w->trust;
}

/* Sharp, noiseless, rich: every factor 256. */
static const struct hm_tile perfect = {.s1 = 102400,
                                       .s2 = 10240000 + 16384,
                                       .ge = 100000,
                                       .le = 140000,
                                       .na = 0,
                                       .sad = 1000,
                                       .pixels = 1024};

static void test_perfect_tile(void **state)
{
  const struct hm_trust t = judge_alike(*state, &perfect, true);
  for (int i = 0; i < HM_FACTOR_COUNT; i++)
    assert_int_equal(t.factors[i], 256);
  assert_int_equal(t.value, 256);
  assert_int_equal(t.state, HM_SENSOR_OK);
  assert_int_equal(t.tiles, TILES);
  assert_int_equal(t.light, 100);
  assert_int_equal(((struct watch *)*state)->tile_trust[79], 255);
}

static void test_exposure(void **state)
{
  static const struct {
    uint32_t hi, lo, want;
  } rows[] = {{0, 0, 256}, {52, 0, 256}, {30, 22, 256}, {54, 0, 255}, {0, 282, 128},
              {512, 0, 0}, {511, 0, 1},  {0, 1024, 0},  {1024, 0, 0}, {260, 22, 128}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hm_tile tile = perfect;
    tile.hi = rows[i].hi;
    tile.lo = rows[i].lo;
    const struct hm_trust t = judge_alike(*state, &tile, true);
    assert_int_equal(t.factors[HM_FACTOR_EXPOSURE], rows[i].want);
  }
}

static void test_sharp(void **state)
{
  /* q = 256 LE / GE against 102 .. 358; no noise */
  static const struct {
    uint32_t ge, le, want;
  } rows[] = {{100000, 140000, 256}, {100000, 39843, 0}, {100000, 90000, 128},
              {7200, 7200, 154},     {7199, 14398, 154}, {0, 0, 154}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hm_tile tile = perfect;
    tile.ge = rows[i].ge;
    tile.le = rows[i].le;
    const struct hm_trust t = judge_alike(*state, &tile, true);
    assert_int_equal(t.factors[HM_FACTOR_SHARP], rows[i].want);
  }
}

static void test_sharp_tiles_speak_for_the_others(void **state)
{
  struct watch *w = *state;
  for (uint32_t count = 7; count <= 8; count++) {
    for (uint32_t i = 0; i < TILES; i++) {
      w->tiles[i] = perfect;
      if (i >= count)
        w->tiles[i].ge = w->tiles[i].le = 100; /* flat */
    }
    memset(&w->history, 0, sizeof w->history);
    hm_trust_judge(&grid, w->tiles, true, 0, &w->history, &w->scratch, &w->trust, NULL);
    assert_int_equal(w->trust.factors[HM_FACTOR_SHARP], count == 7 ? 154 : 256);
    assert_int_equal(w->trust.textured_q8, 256 * count / TILES);
  }
}

static void test_noise_shows_no_sharpness(void **state)
{
  /* s8 = 1024 (sigma 4): the noise part of GE is 57600; texture must reach a quarter of it */
  struct hm_tile tile = perfect;
  tile.na = 17235;
  tile.sad = 1 << 18;
  tile.le = 10000000;
  tile.ge = 57600 + 14399;
  assert_int_equal(judge_alike(*state, &tile, true).noise_q8, 1024);
  assert_int_equal(judge_alike(*state, &tile, true).factors[HM_FACTOR_SHARP], 154);
  tile.ge = 57600 + 14400;
  assert_int_equal(judge_alike(*state, &tile, true).factors[HM_FACTOR_SHARP], 256);
}

static void test_still_tiles(void **state)
{
  /* still: SAD <= 51 in at least 72 of the 80 tiles */
  struct watch *w = *state;
  static const struct {
    int still;
    uint32_t sad, live;
  } rows[] = {{72, 51, 128}, {71, 51, 256}, {80, 52, 256}, {80, 0, 128}};
  for (size_t n = 0; n < sizeof rows / sizeof rows[0]; n++) {
    for (int i = 0; i < TILES; i++) {
      w->tiles[i] = perfect;
      w->tiles[i].sad = i < rows[n].still ? rows[n].sad : 1000;
    }
    memset(&w->history, 0, sizeof w->history);
    hm_trust_judge(&grid, w->tiles, true, 0, &w->history, &w->scratch, &w->trust, NULL);
    assert_int_equal(w->trust.factors[HM_FACTOR_LIVE], rows[n].live);
  }
}

static void test_noise(void **state)
{
  /* sigma from both estimates, the lesser counts: s8 = min(NA * 3894, SAD * 14520) >> 16 */
  static const struct {
    uint32_t na, sad, s8, want;
  } rows[] = {{12926, 1 << 18, 768, 256},
              {1 << 20, 3467, 768, 256},
              {51704, 1 << 18, 3072, 0},
              {34486, 1 << 18, 2049, 113},
              {12926, 100, 22, 256}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hm_tile tile = perfect;
    tile.na = rows[i].na;
    tile.sad = rows[i].sad;
    const struct hm_trust t = judge_alike(*state, &tile, true);
    assert_int_equal(t.noise_q8, rows[i].s8);
    assert_int_equal(t.factors[HM_FACTOR_NOISE], rows[i].want);
  }
  /* a first frame has no SAD, a clipped one shows no noise */
  struct hm_tile tile = perfect;
  tile.na = 12926;
  tile.sad = 0;
  assert_int_equal(judge_alike(*state, &tile, false).noise_q8, 768);
  tile.hi = 256;
  assert_int_equal(judge_alike(*state, &tile, false).noise_q8, 0);
}

static void test_noise_is_the_25th_percentile(void **state)
{
  struct watch *w = *state;
  for (int i = 0; i < TILES; i++) {
    w->tiles[i] = perfect;
    w->tiles[i].na = 17 * (uint32_t)(80 - i); /* about i Q8 in falling order */
    w->tiles[i].sad = 1 << 17;
  }
  hm_trust_judge(&grid, w->tiles, true, 0, &w->history, &w->scratch, &w->trust, NULL);
  assert_int_equal(w->trust.noise_q8, 17 * 21 * 3894 >> 16);
}

static void test_information(void **state)
{
  static const struct {
    uint32_t spread, want; /* 1024 * variance */
  } rows[] = {{0, 128}, {1024, 136}, {8192, 192}, {16383, 255}, {16384, 256}, {1 << 20, 256}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct hm_tile tile = perfect;
    tile.s2 = 10240000 + rows[i].spread;
    const struct hm_trust t = judge_alike(*state, &tile, true);
    assert_int_equal(t.factors[HM_FACTOR_INFORMATION], rows[i].want);
  }
}

static void test_fold_and_reason(void **state)
{
  (void)state;
  const uint16_t some[HM_FACTOR_COUNT] = {255, 128, 256, 200, 90};
  assert_int_equal(hm_factors_fold(some), (((255 * 128 >> 8) * 256 >> 8) * 200 >> 8) * 90 >> 8);
  struct hm_tile tile = perfect;
  tile.s2 = 10240000;
  tile.hi = 52 + 230;
  const struct hm_trust t = judge_alike(*state, &tile, true);
  assert_int_equal(t.factors[HM_FACTOR_EXPOSURE], 128);
  assert_int_equal(t.factors[HM_FACTOR_INFORMATION], 128);
  assert_int_equal(t.reason, HM_FACTOR_EXPOSURE); /* the first of equals */
  assert_string_equal(hm_factor_text(t.reason), "exposure");
}

static void test_bands(void **state)
{
  (void)state;
  static const struct {
    uint32_t trust;
    const char *band;
  } rows[] = {{0, "obscured"},    {25, "obscured"},  {26, "poor"},  {76, "poor"},
              {77, "limited"},    {127, "limited"},  {128, "good"}, {179, "good"},
              {180, "excellent"}, {256, "excellent"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_string_equal(hm_trust_band(rows[i].trust), rows[i].band);
}

static void test_no_whole_tile_is_not_processed(void **state)
{
  struct watch *w = *state;
  const struct hm_tile_grid none = hm_tile_grid(31, 400);
  hm_trust_judge(&none, w->tiles, true, 0, &w->history, &w->scratch, &w->trust, NULL);
  assert_int_equal(w->trust.state, HM_SENSOR_NOT_PROCESSED);
  assert_int_equal(w->trust.value, 0);
  assert_int_equal(w->trust.tiles, 0);
}

/* ---- real noise and blur ------------------------------------------------------------------- */

static void test_added_noise_is_recovered(void **state)
{
  /* texture everywhere: a resting camera sees it in time, a wall in space */
  static const uint32_t sigmas[] = {2, 4, 8, 16};
  for (size_t n = 0; n < 4; n++) {
    const uint32_t sigma = 256 * sigmas[n];
    struct watch *w = *state;
    w->frame = 0;
    for (int i = 0; i < 4; i++)
      see_world(w, 0, sigma);
    assert_in_range(w->trust.noise_q8, sigma * 90 / 100, sigma * 110 / 100);
    w->frame = 0;
    see_wall(w, 120, sigma);
    assert_in_range(w->trust.noise_q8, sigma * 90 / 100, sigma * 110 / 100);
  }
}

/* A binomial blur of sigma about 1.5. */
static void blur(struct watch *w)
{
  static uint8_t copy[WIDTH * HEIGHT];
  for (int pass = 0; pass < 4; pass++) { /* each has a variance of 1/2 */
    memcpy(copy, w->scene.bytes, sizeof copy);
    for (int y = 1; y < HEIGHT - 1; y++)
      for (int x = 1; x < WIDTH - 1; x++) {
        uint32_t sum = 8;
        for (int j = -1; j <= 1; j++)
          for (int i = -1; i <= 1; i++)
            sum += (uint32_t)((2 - abs(i)) * (2 - abs(j))) * copy[(y + j) * WIDTH + x + i];
        w->scene.bytes[y * WIDTH + x] = (uint8_t)(sum / 16);
      }
  }
}

static void test_blur_costs_trust(void **state)
{
  struct watch *w = *state;
  for (int i = 0; i < 3; i++)
    see_world(w, 3 * i, 256);
  const uint32_t untouched = w->trust.value;
  assert_true(untouched >= 166); /* 0.65 */
  for (int i = 0; i < 3; i++) {
    scene_world(&w->scene, 3 * i, 0);
    blur(w);
    scene_noise(&w->scene, &w->dice, 256);
    see(w);
  }
  assert_true(w->trust.value + 51u <= untouched);
  assert_true(w->trust.value <= 128);
  assert_int_equal(w->trust.reason, HM_FACTOR_SHARP);
}

/* ---- live ------------------------------------------------------------------------------------ */

static void test_frozen_stream_halves_trust_each_frame(void **state)
{
  struct watch *w = *state;
  see_world(w, 0, 256);
  assert_int_equal(w->trust.factors[HM_FACTOR_LIVE], 256); /* no frame before */
  see_world(w, 1, 256);
  for (int run = 1; run <= 10; run++) {
    see(w);
    assert_int_equal(w->trust.factors[HM_FACTOR_LIVE], run < 8 ? 256 >> run : 1);
    assert_int_equal(w->trust.state, run < 8 ? HM_SENSOR_OK : HM_SENSOR_FROZEN);
  }
  assert_true(w->trust.value <= 8);
  assert_int_equal(w->trust.reason, HM_FACTOR_LIVE);
  assert_string_equal(hm_trust_band(w->trust.value), "obscured");
}

static void test_one_miss_in_five_does_not_thaw(void **state)
{
  struct watch *w = *state;
  see_world(w, 0, 256);
  for (int i = 0; i < 9; i++)
    see(w);
  see_world(w, 1, 256); /* a key frame of the encoder */
  assert_int_equal(w->trust.factors[HM_FACTOR_LIVE], 1);
  for (int i = 0; i < 4; i++)
    see(w);
  see_world(w, 2, 256);
  assert_int_equal(w->trust.state, HM_SENSOR_FROZEN);
  see_world(w, 3, 256); /* two in five: life */
  assert_int_equal(w->trust.factors[HM_FACTOR_LIVE], 256);
  assert_int_equal(w->trust.state, HM_SENSOR_OK);
}

static void test_one_doubled_frame_is_forgiven_at_once(void **state)
{
  struct watch *w = *state;
  for (int i = 0; i < 6; i++)
    see_world(w, i, 256);
  see(w);
  assert_int_equal(w->trust.factors[HM_FACTOR_LIVE], 128);
  see_world(w, 9, 256);
  assert_int_equal(w->trust.factors[HM_FACTOR_LIVE], 256);
}

/* ---- obscured ----------------------------------------------------------------------------------
 */

static void look_around(struct watch *w)
{
  for (int i = 0; i < 30; i++)
    see_world(w, 2 * i, 256);
  assert_true(w->trust.value >= 166);
  assert_true(w->trust.textured_q8 >= 128);
}

static void test_covered_lens_falls_below_a_tenth(void **state)
{
  struct watch *w = *state;
  look_around(w);
  /* a hand comes in over a third of a second, from the left */
  for (int i = 1; i <= 10; i++) {
    scene_world(&w->scene, 60, 0);
    for (int y = 0; y < HEIGHT; y++)
      memset(w->scene.bytes + y * WIDTH, 45, (size_t)(WIDTH * i / 10));
    scene_noise(&w->scene, &w->dice, 512);
    see(w);
  }
  for (int i = 0; i < 150; i++) {
    see_wall(w, 45, 512);
    assert_true(w->trust.value < 26);
    assert_int_equal(w->trust.state, HM_SENSOR_OBSCURED);
    assert_int_equal(w->trust.reason, HM_FACTOR_INFORMATION);
  }
  /* and goes away */
  for (int i = 0; i < 5; i++)
    see_world(w, 2 * i, 256);
  assert_int_equal(w->trust.state, HM_SENSOR_OK);
  assert_true(w->trust.value >= 166);
}

static void test_covered_in_one_step_at_the_same_light(void **state)
{
  struct watch *w = *state;
  look_around(w);
  const uint8_t light = (uint8_t)w->trust.light;
  for (int i = 0; i < 90; i++) {
    see_wall(w, light, 1024);
    assert_true(w->trust.value < 26);
  }
}

static void test_approached_wall_is_no_cover(void **state)
{
  struct watch *w = *state;
  look_around(w);
  const uint8_t light = (uint8_t)w->trust.light;
  /* the picture fades into the wall within two seconds, the light stays */
  for (int i = 1; i <= 60; i++) {
    scene_world(&w->scene, 60 + i, 0);
    for (int p = 0; p < WIDTH * HEIGHT; p++) {
      const int v = w->scene.bytes[p];
      w->scene.bytes[p] = (uint8_t)(v + (light - v) * i / 60);
    }
    scene_noise(&w->scene, &w->dice, 256);
    see(w);
    assert_int_not_equal(w->trust.state, HM_SENSOR_OBSCURED);
  }
  for (int i = 0; i < 150; i++) {
    see_wall(w, light, 256);
    assert_true(w->trust.value >= 77); /* 0.3 */
    assert_int_equal(w->trust.state, HM_SENSOR_OK);
  }
}

static void test_even_a_noiseless_wall_stays_above_the_limit(void **state)
{
  struct hm_tile tile = perfect;
  tile.s2 = 10240000;
  tile.ge = tile.le = tile.na = 0;
  assert_true(judge_alike(*state, &tile, true).value >= 77);
}

static void test_turn_to_a_wall_is_no_cover(void **state)
{
  struct watch *w = *state;
  look_around(w);
  /* the wall slides in within half a second, as bright as the scene */
  const uint8_t light = (uint8_t)w->trust.light;
  for (int i = 1; i <= 15; i++) {
    scene_world(&w->scene, 60 - WIDTH * i / 15, 0);
    for (int y = 0; y < HEIGHT; y++)
      memset(w->scene.bytes + y * WIDTH + WIDTH - WIDTH * i / 15, light, (size_t)(WIDTH * i / 15));
    scene_noise(&w->scene, &w->dice, 256);
    see(w);
  }
  for (int i = 0; i < 60; i++) {
    see_wall(w, light, 256);
    assert_true(w->trust.value >= 77);
  }
}

static void test_lights_out_is_dark(void **state)
{
  struct watch *w = *state;
  look_around(w);
  for (int i = 0; i < 30; i++)
    see_wall(w, 12, 128);
  assert_int_equal(w->trust.state, HM_SENSOR_DARK);
  assert_int_equal(w->trust.factors[HM_FACTOR_EXPOSURE], 0);
  assert_int_equal(w->trust.value, 0);
}

static void test_clock_that_jumps_back_is_harmless(void **state)
{
  struct watch *w = *state;
  look_around(w);
  w->frame = 1; /* time begins again */
  for (int i = 0; i < 40; i++)
    see_world(w, 2 * i, 256);
  assert_true(w->trust.value >= 166);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_perfect_tile, setup, teardown),
      cmocka_unit_test_setup_teardown(test_exposure, setup, teardown),
      cmocka_unit_test_setup_teardown(test_sharp, setup, teardown),
      cmocka_unit_test_setup_teardown(test_sharp_tiles_speak_for_the_others, setup, teardown),
      cmocka_unit_test_setup_teardown(test_noise_shows_no_sharpness, setup, teardown),
      cmocka_unit_test_setup_teardown(test_still_tiles, setup, teardown),
      cmocka_unit_test_setup_teardown(test_noise, setup, teardown),
      cmocka_unit_test_setup_teardown(test_noise_is_the_25th_percentile, setup, teardown),
      cmocka_unit_test_setup_teardown(test_information, setup, teardown),
      cmocka_unit_test_setup_teardown(test_fold_and_reason, setup, teardown),
      cmocka_unit_test_setup_teardown(test_bands, setup, teardown),
      cmocka_unit_test_setup_teardown(test_no_whole_tile_is_not_processed, setup, teardown),
      cmocka_unit_test_setup_teardown(test_added_noise_is_recovered, setup, teardown),
      cmocka_unit_test_setup_teardown(test_blur_costs_trust, setup, teardown),
      cmocka_unit_test_setup_teardown(test_frozen_stream_halves_trust_each_frame, setup, teardown),
      cmocka_unit_test_setup_teardown(test_one_miss_in_five_does_not_thaw, setup, teardown),
      cmocka_unit_test_setup_teardown(test_one_doubled_frame_is_forgiven_at_once, setup, teardown),
      cmocka_unit_test_setup_teardown(test_covered_lens_falls_below_a_tenth, setup, teardown),
      cmocka_unit_test_setup_teardown(test_covered_in_one_step_at_the_same_light, setup, teardown),
      cmocka_unit_test_setup_teardown(test_approached_wall_is_no_cover, setup, teardown),
      cmocka_unit_test_setup_teardown(test_even_a_noiseless_wall_stays_above_the_limit, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_turn_to_a_wall_is_no_cover, setup, teardown),
      cmocka_unit_test_setup_teardown(test_lights_out_is_dark, setup, teardown),
      cmocka_unit_test_setup_teardown(test_clock_that_jumps_back_is_harmless, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

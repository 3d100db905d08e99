/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A sensor's analysis as a whole: what a scene becomes, what noise does not become,
 * and the record that says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sensors/analyse.h"
#include "sensors/focus.h"
#include "tests/support/scene.h"
#include "trust/crypto_openssl.h"

enum { WIDTH = 384, HEIGHT = 288, FPS = 30 };

static enum hm_status sha256(const struct hm_bytes *parts, size_t count, uint8_t out[HM_HASH])
{
  return hm_crypto_openssl.sha256(parts, count, out);
}

struct camera {
  struct hm_analysis *analysis;
  struct scene scene;
  struct dice dice;
  uint32_t frame;
  bool is_replay;
  const struct hm_analysis_result *result;
  struct hm_peripheral record; /* of the last frame */
};

static int setup(void **state)
{
  static const struct hm_analysis_config config = {.sha256 = sha256};
  struct camera *c = calloc(1, sizeof *c);
  if (c == NULL)
    return -1;
  c->analysis = hm_analysis_new(&config);
  scene_make(&c->scene, WIDTH, HEIGHT);
  c->dice = dice(12);
  *state = c;
  return c->analysis == NULL ? -1 : 0;
}

static int teardown(void **state)
{
  struct camera *c = *state;
  hm_analysis_free(c->analysis);
  scene_free(&c->scene);
  free(c);
  return 0;
}

static struct hm_stamp stamp_of(const struct camera *c)
{
  const struct hm_stamp s = {.capture_ns = c->frame * UINT64_C(1000000000) / FPS,
                             .sequence = c->frame,
                             .context = 3,
                             .kid = {7, 8},
                             .sensor = {1, 2, 3, 4, 5, 6, 7, 8},
                             .is_replay = c->is_replay};
  return s;
}

static void see_frame(struct camera *c, const struct hm_frame *frame)
{
  const struct hm_stamp stamp = stamp_of(c);
  assert_int_equal(hm_analysis_frame(c->analysis, frame, &stamp, &c->result), HM_OK);
  assert_int_equal(
      hm_peripheral_decode(hm_bytes(c->result->record, HM_PERIPHERAL_BYTES), &c->record), HM_OK);
  c->frame++;
}

static void see(struct camera *c)
{
  const struct hm_frame frame = scene_frame(&c->scene);
  see_frame(c, &frame);
}

/* The street, moved by dx, noise of one level. */
static void street(struct camera *c, int32_t dx)
{
  scene_world(&c->scene, dx, 0);
  scene_noise(&c->scene, &c->dice, 256);
}

static void street_with_person(struct camera *c, int32_t dx, int32_t x)
{
  scene_world(&c->scene, dx, 0);
  scene_box(&c->scene, x, 96, 40, 96, 90, 170);
  scene_noise(&c->scene, &c->dice, 256);
}

/* ---- value --------------------------------------------------------------------------------- */

static void test_noise_is_worth_nothing(void **state)
{
  static const uint32_t sigmas[] = {128, 512, 1024, 2048};
  struct camera *c = *state;
  for (size_t n = 0; n < sizeof sigmas / sizeof sigmas[0]; n++)
    for (int i = 0; i < 15; i++) {
      scene_world(&c->scene, 0, 0);
      scene_noise(&c->scene, &c->dice, sigmas[n]);
      see(c);
      if (i == 0)
        continue; /* the noise itself changed */
      assert_int_equal(c->result->region_count, 0);
      assert_int_equal(c->record.value, 0);
      assert_int_equal(c->record.focus, 0);
      assert_int_equal(c->record.motion, 0);
    }
}

static void test_flicker_of_light_is_worth_nothing(void **state)
{
  struct camera *c = *state;
  for (int i = 0; i < 10; i++) {
    street(c, 0);
    for (size_t p = 0; p < (size_t)WIDTH * HEIGHT; p++)
      c->scene.bytes[p] = (uint8_t)(c->scene.bytes[p] + i % 2 * 12);
    see(c);
    assert_int_equal(c->result->region_count, 0);
  }
}

static void test_fine_flicker_is_not_recorded_however_new(void **state)
{
  struct camera *c = *state;
  uint32_t found = 0;
  for (int i = 0; i < 6; i++) {
    street(c, 0);
    for (int y = 96; y < 192; y++) /* a display that inverts its pixels */
      for (int x = 96; x < 160; x++)
        c->scene.bytes[y * WIDTH + x] = (x + y + i) % 2 == 0 ? 80 : 120;
    see(c);
    found += c->result->candidates;
    for (uint32_t k = 0; k < c->result->region_count; k++) {
      assert_int_equal(c->result->regions[k].parts[0], 0);
      assert_true(c->result->regions[k].parts[1] > 0);
      assert_false(c->result->regions[k].is_observation);
      assert_false(c->result->regions[k].is_memory);
    }
  }
  assert_true(found >= 5);
}

/* Two layers that move against each other, as seen from a car, and a sign of stronger
 * contrast in the near one. */
static void drive_by(struct camera *c, int32_t i)
{
  static uint8_t near_half[WIDTH * HEIGHT / 2];
  scene_world(&c->scene, 1000 + 9 * i, 0);
  memcpy(near_half, c->scene.bytes + WIDTH * HEIGHT / 2, sizeof near_half);
  scene_world(&c->scene, -2 * i, 0);
  memcpy(c->scene.bytes + WIDTH * HEIGHT / 2, near_half, sizeof near_half);
  for (int y = 180; y < 260; y++)
    for (int x = 60 + 9 * i; x < 140 + 9 * i; x++) {
      const int v = 128 + 4 * (c->scene.bytes[y * WIDTH + x] - 110);
      c->scene.bytes[y * WIDTH + x] = (uint8_t)(v < 16 ? 16 : v > 235 ? 235 : v);
    }
  scene_noise(&c->scene, &c->dice, 256);
}

static void test_what_one_shift_can_not_explain_is_doubted(void **state)
{
  struct camera *c = *state;
  uint32_t found = 0;
  for (int i = 0; i < 10; i++) {
    drive_by(c, i);
    see(c);
    found += c->result->region_count;
    for (uint32_t k = 0; k < c->result->region_count; k++)
      assert_true(c->result->regions[k].parts[0] < 32); /* up to 86 if not doubted */
  }
  assert_true(found >= 5);
}

static bool covers(const struct hm_rect *box, int32_t x, int32_t y)
{
  return x >= box->x && x < box->x + box->width && y >= box->y && y < box->y + box->height;
}

static void test_person_is_seen_and_remembered(void **state)
{
  struct camera *c = *state;
  uint32_t memories = 0;
  for (int i = 0; i < 30; i++) {
    street_with_person(c, 0, 20 + 6 * i);
    see(c);
    if (i == 0)
      continue;
    assert_true(c->result->region_count >= 1);
    const struct hm_region *r = &c->result->regions[0];
    assert_true(covers(&r->box, 40 + 6 * i, 144));
    assert_true(r->box.width < 120 && r->box.height < 160);
    assert_true(r->is_observation);
    assert_true(r->parts[0] > 64);
    assert_int_equal(r->parts[2], HM_VALUE_UNMEASURED);
    assert_int_equal(r->value, (r->parts[0] + r->parts[1]) / 2);
    memories += r->is_memory;
    if (i == 1) {
      assert_int_equal(r->parts[1], 256); /* nothing was remembered before */
      assert_true(r->is_memory);
      assert_true(c->record.focus != 0);
    } else {
      assert_true(r->parts[1] < 100);
    }
    int8_t again[HM_VECTOR_DIMENSION];
    hm_region_encode(r->picture, again);
    assert_memory_equal(again, r->vector, sizeof again);
    assert_int_equal(r->pixels, HM_PIXELS_I420);
  }
  assert_in_range(memories, 1, 4); /* one in a quarter of a second */
}

static void test_panning_alone_is_no_region(void **state)
{
  struct camera *c = *state;
  for (int i = 0; i < 20; i++) {
    street(c, 5 * i);
    see(c);
    if (i == 0)
      continue;
    assert_in_range(c->record.dx, 16 * 5 - 8, 16 * 5 + 8);
    uint32_t area = 0;
    for (uint32_t k = 0; k < c->result->region_count; k++)
      if (c->result->regions[k].is_observation)
        area += (uint32_t)c->result->regions[k].box.width * c->result->regions[k].box.height;
    assert_true(area < WIDTH * HEIGHT / 8);
  }
}

static void test_person_is_seen_from_a_panning_camera(void **state)
{
  struct camera *c = *state;
  uint32_t seen = 0;
  for (int i = 0; i < 20; i++) {
    street_with_person(c, 3 * i, 300 - 9 * i);
    see(c);
    bool is_seen = false;
    for (uint32_t k = 0; k < c->result->region_count; k++)
      is_seen = is_seen || (c->result->regions[k].is_observation &&
                            covers(&c->result->regions[k].box, 320 - 9 * i, 144));
    seen += is_seen;
  }
  assert_true(seen >= 15);
}

static void test_two_things_best_first(void **state)
{
  struct camera *c = *state;
  for (int i = 0; i < 3; i++) {
    street_with_person(c, 0, 20 + 8 * i);
    scene_box(&c->scene, 300 - 4 * i, 20, 24, 48, 160, 100);
    see(c);
  }
  assert_int_equal(c->result->region_count, 2);
  assert_true(c->result->regions[0].value >= c->result->regions[1].value);
  assert_int_equal(c->record.value, c->result->regions[0].value);
  /* zones show the value of what lies on them */
  const struct hm_rect *box = &c->result->regions[1].box;
  const uint64_t mask = hm_zone_mask(box, WIDTH, HEIGHT);
  for (int zone = 0; zone < HM_ZONES; zone++)
    if (mask >> zone & 1)
      assert_true(c->record.zones[zone].value >= c->result->regions[1].value);
  assert_int_equal(c->record.zones[63].value, 0);
}

static void test_top_limits_the_list(void **state)
{
  struct camera *c = *state;
  static const struct hm_analysis_config config = {.sha256 = sha256, .top = 1};
  hm_analysis_free(c->analysis);
  c->analysis = hm_analysis_new(&config);
  assert_non_null(c->analysis);
  for (int i = 0; i < 3; i++) {
    street_with_person(c, 0, 20 + 8 * i);
    scene_box(&c->scene, 300 - 4 * i, 20, 24, 48, 160, 100);
    see(c);
  }
  assert_int_equal(c->result->region_count, 1);
  assert_int_equal(c->result->candidates, 2);
}

static void test_untrusted_frames_yield_no_region(void **state)
{
  struct camera *c = *state;
  for (int i = 0; i < 10; i++) { /* all black and white: overexposed and underexposed */
    scene_fill(&c->scene, 255, 128, 128);
    for (int y = 0; y < HEIGHT; y++)
      memset(c->scene.bytes + y * WIDTH + 8 * i, 0, 100);
    see(c);
    assert_int_equal(c->result->region_count, 0);
    assert_true(c->result->trust.value < HM_TRUST_GATE);
  }
}

/* ---- the record -------------------------------------------------------------------------------
 */

static void test_record_carries_stamp_and_chain(void **state)
{
  struct camera *c = *state;
  uint8_t link[8] = {0}, unprocessed[HM_PERIPHERAL_BYTES];
  for (int i = 0; i < 5; i++) {
    street(c, i);
    see(c);
    assert_memory_equal(c->record.link, link, 8);
    assert_int_equal(hm_peripheral_link(sha256, c->result->record, link), HM_OK);
    assert_int_equal(c->record.sequence, i);
    assert_true(c->record.capture_ns == (uint64_t)i * 1000000000 / FPS);
    assert_int_equal(c->record.context, 3);
    assert_int_equal(c->record.kid[1], 8);
    assert_int_equal(c->record.sensor[7], 8);
    assert_int_equal(c->record.columns, 12);
    assert_int_equal(c->record.rows, 9);
    assert_int_equal(c->record.state, HM_SENSOR_OK);
    assert_true(c->record.trust > 128);
    assert_true(c->record.zones[27].trust > 128);
    assert_int_equal(c->record.arousal, HM_PART_UNMEASURED);
    assert_int_equal(c->record.rotation, HM_PERIPHERAL_UNMEASURED);
  }
  /* a frame that was not looked at is a link of the chain too */
  const struct hm_stamp stamp = stamp_of(c);
  struct hm_peripheral p;
  assert_int_equal(hm_analysis_unprocessed(c->analysis, &stamp, unprocessed), HM_OK);
  assert_int_equal(hm_peripheral_decode(hm_bytes(unprocessed, sizeof unprocessed), &p), HM_OK);
  assert_int_equal(p.state, HM_SENSOR_NOT_PROCESSED);
  assert_memory_equal(p.link, link, 8);
  assert_int_equal(p.trust, 0);
  assert_int_equal(p.surprise, HM_PART_UNMEASURED);
  assert_int_equal(hm_peripheral_link(sha256, unprocessed, link), HM_OK);
  c->frame++;
  street(c, 6);
  see(c);
  assert_memory_equal(c->record.link, link, 8);
}

static void test_replay_says_so(void **state)
{
  struct camera *c = *state;
  c->is_replay = true;
  street(c, 0);
  see(c);
  assert_int_equal(c->record.state, HM_SENSOR_REPLAY);
  assert_int_equal(c->result->trust.state, HM_SENSOR_OK);
  for (int i = 0; i < 9; i++)
    see(c);
  assert_int_equal(c->record.state, HM_SENSOR_FROZEN); /* the worse news wins */
}

static void test_same_frames_same_results(void **state)
{
  struct camera *c = *state;
  static const struct hm_analysis_config config = {.sha256 = sha256};
  struct hm_analysis *other = hm_analysis_new(&config);
  assert_non_null(other);
  static uint8_t padded[(WIDTH + 37) * HEIGHT * 2];
  for (int i = 0; i < 8; i++) {
    street_with_person(c, i, 20 + 9 * i);
    /* the other sees the same pixels with other strides and other padding */
    const struct hm_frame mine = scene_frame(&c->scene);
    const size_t strides[3] = {WIDTH + 37, WIDTH / 2 + 11, WIDTH / 2};
    uint8_t *at[3] = {padded, padded + strides[0] * HEIGHT,
                      padded + strides[0] * HEIGHT + strides[1] * HEIGHT / 2};
    const struct hm_plane *from[3] = {&mine.y, &mine.cb, &mine.cr};
    memset(padded, 17 * i, sizeof padded);
    for (int p = 0; p < 3; p++)
      for (uint32_t y = 0; y < from[p]->height; y++)
        memcpy(at[p] + y * strides[p], from[p]->data + y * from[p]->stride, from[p]->width);
    const uint8_t *const planes[3] = {at[0], at[1], at[2]};
    struct hm_frame theirs;
    assert_int_equal(
        hm_frame_make(HM_I420, HM_RANGE_LIMITED, HM_BT601, WIDTH, HEIGHT, planes, strides, &theirs),
        HM_OK);
    const struct hm_stamp stamp = stamp_of(c);
    const struct hm_analysis_result *result;
    assert_int_equal(hm_analysis_frame(other, &theirs, &stamp, &result), HM_OK);
    see(c);
    assert_memory_equal(result->record, c->result->record, HM_PERIPHERAL_BYTES);
    assert_int_equal(result->region_count, c->result->region_count);
    for (uint32_t k = 0; k < result->region_count; k++)
      assert_memory_equal(result->regions[k].picture, c->result->regions[k].picture,
                          HM_PICTURE_BYTES);
  }
  hm_analysis_free(other);
}

/* ---- frames of every kind ----------------------------------------------------------------------
 */

static void test_frames_of_every_size(void **state)
{
  struct camera *c = *state;
  static uint8_t bytes[200 * 200 * 2];
  const uint8_t *const planes[3] = {bytes, bytes + 40000, bytes + 50000};
  const size_t strides[3] = {200, 200, 100};
  for (size_t p = 0; p < sizeof bytes; p++)
    bytes[p] = (uint8_t)dice_roll(&c->dice);
  for (uint32_t width = 1; width <= 200; width += width < 19 ? 3 : 43)
    for (uint32_t height = 1; height <= 200; height += height < 19 ? 5 : 59)
      for (int format = HM_GRAY8; format <= HM_NV12; format++)
        for (int i = 0; i < 2; i++) {
          struct hm_frame f;
          for (size_t p = 0; p < 64; p++) /* another frame, if not by much */
            bytes[dice_below(&c->dice, sizeof bytes)] ^= 0x55;
          assert_int_equal(hm_frame_make((enum hm_format)format, HM_RANGE_FULL, HM_BT709, width,
                                         height, planes, strides, &f),
                           HM_OK);
          see_frame(c, &f);
          assert_int_equal(c->record.state == HM_SENSOR_NOT_PROCESSED, width < 32 || height < 32);
          assert_int_equal(c->record.columns, width / 32);
          i += width > 40 && height > 40; /* the large ones once */
        }
}

static void test_new_size_begins_anew(void **state)
{
  struct camera *c = *state;
  for (int i = 0; i < 2; i++) {
    street_with_person(c, 0, 20 + 8 * i);
    see(c);
  }
  assert_true(c->record.focus != 0);
  scene_free(&c->scene);
  scene_make(&c->scene, WIDTH / 2, HEIGHT);
  street(c, 0);
  see(c); /* nothing to compare with */
  assert_int_equal(c->result->region_count, 0);
  assert_int_equal(c->record.focus, 0);
  assert_int_equal(c->result->tiles[0].sad, 0);
  assert_int_equal(c->record.dx, HM_PERIPHERAL_UNMEASURED);
  assert_int_equal(c->record.columns, WIDTH / 64);
  assert_int_equal(c->result->trust.factors[HM_FACTOR_LIVE], 256);
}

static void test_grey_regions_say_so(void **state)
{
  struct camera *c = *state;
  for (int i = 0; i < 3; i++) {
    street_with_person(c, 0, 20 + 8 * i);
    struct hm_frame f = scene_frame(&c->scene);
    f.format = HM_GRAY8;
    f.cb.data = f.cr.data = NULL;
    see_frame(c, &f);
  }
  assert_true(c->result->region_count > 0);
  assert_int_equal(c->result->regions[0].pixels, HM_PIXELS_GREY);
  assert_int_equal(c->result->regions[0].picture[HM_PICTURE_BYTES - 1], 128);
}

static void test_wrong_input_is_refused(void **state)
{
  struct camera *c = *state;
  static const struct hm_analysis_config none = {.sha256 = NULL};
  const struct hm_stamp stamp = stamp_of(c);
  struct hm_frame f = scene_frame(&c->scene);
  assert_null(hm_analysis_new(&none));
  f.width = 0;
  assert_int_equal(hm_analysis_frame(c->analysis, &f, &stamp, &c->result), HM_MALFORMED);
  f.width = HM_FRAME_MAX_SIDE + 1;
  assert_int_equal(hm_analysis_frame(c->analysis, &f, &stamp, &c->result), HM_TOO_LARGE);
  hm_analysis_free(NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_noise_is_worth_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(test_flicker_of_light_is_worth_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(test_fine_flicker_is_not_recorded_however_new, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_what_one_shift_can_not_explain_is_doubted, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(test_person_is_seen_and_remembered, setup, teardown),
      cmocka_unit_test_setup_teardown(test_panning_alone_is_no_region, setup, teardown),
      cmocka_unit_test_setup_teardown(test_person_is_seen_from_a_panning_camera, setup, teardown),
      cmocka_unit_test_setup_teardown(test_two_things_best_first, setup, teardown),
      cmocka_unit_test_setup_teardown(test_top_limits_the_list, setup, teardown),
      cmocka_unit_test_setup_teardown(test_untrusted_frames_yield_no_region, setup, teardown),
      cmocka_unit_test_setup_teardown(test_record_carries_stamp_and_chain, setup, teardown),
      cmocka_unit_test_setup_teardown(test_replay_says_so, setup, teardown),
      cmocka_unit_test_setup_teardown(test_same_frames_same_results, setup, teardown),
      cmocka_unit_test_setup_teardown(test_frames_of_every_size, setup, teardown),
      cmocka_unit_test_setup_teardown(test_new_size_begins_anew, setup, teardown),
      cmocka_unit_test_setup_teardown(test_grey_regions_say_so, setup, teardown),
      cmocka_unit_test_setup_teardown(test_wrong_input_is_refused, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

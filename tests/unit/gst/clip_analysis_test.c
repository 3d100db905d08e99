/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The analysis on real recordings: a phone on a car's dashboard (in the project), a
 * walk with a camera and a street from above (where they are at hand).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include <gst/app/gstappsink.h>
#include <gst/video/video.h>

#include "sensors/analyse.h"
#include "trust/crypto_openssl.h"

#define PAN HM_TEST_DATA "/data/pan/camera.mkv"
#define WALK HM_SHARED_DATA "/walk/camera.mp4"
#define STREET "/usr/share/doc/opencv-doc/examples/data/vtest.avi"

enum { MEMORIES_MAX = 500 };

/* What is done to every luma plane before it is looked at. */
enum damage { NO_DAMAGE, FROZEN, COVERED };

struct clip {
  uint32_t frames, recorded_frames, memory_frames, observations, memories;
  uint32_t least_trust, most_trust, last_trust;
  enum hm_sensor_state last_state;
  uint8_t (*pictures)[HM_PICTURE_BYTES]; /* of the memories */
};

static enum hm_status sha256(const struct hm_bytes *parts, size_t count, uint8_t out[HM_HASH])
{
  return hm_crypto_openssl.sha256(parts, count, out);
}

static void count_regions(struct clip *clip, const struct hm_analysis_result *result)
{
  uint32_t observations = 0, memories = 0;

  for (uint32_t i = 0; i < result->region_count; i++) {
    const struct hm_region *r = &result->regions[i];

    observations += r->is_observation;
    if (r->is_memory && clip->memories + memories < MEMORIES_MAX)
      memcpy(clip->pictures[clip->memories + memories++], r->picture, HM_PICTURE_BYTES);
  }
  clip->observations += observations;
  clip->memories += memories;
  clip->recorded_frames += observations > 0;
  clip->memory_frames += memories > 0;
}

static void count_frame(struct clip *clip, const struct hm_analysis_result *result)
{
  const uint32_t trust = result->trust.value;

  clip->frames++;
  clip->least_trust = trust < clip->least_trust ? trust : clip->least_trust;
  clip->most_trust = trust > clip->most_trust ? trust : clip->most_trust;
  clip->last_trust = trust;
  clip->last_state = result->trust.state;
  count_regions(clip, result);
}

static struct hm_frame view_of(GstVideoFrame *f)
{
  const uint8_t *planes[3];
  size_t strides[3];
  struct hm_frame frame;

  for (int p = 0; p < 3; p++) {
    planes[p] = GST_VIDEO_FRAME_PLANE_DATA(f, p);
    strides[p] = (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(f, p);
  }
  assert_int_equal(hm_frame_make(HM_I420,
                                 f->info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255
                                     ? HM_RANGE_FULL
                                     : HM_RANGE_LIMITED,
                                 HM_BT601, (uint32_t)f->info.width, (uint32_t)f->info.height,
                                 planes, strides, &frame),
                   HM_OK);
  return frame;
}

/* From frame 40 on: nothing new, or a dim grey with a little noise. */
static void spoil(struct hm_frame *frame, enum damage damage, uint32_t number, uint8_t *kept)
{
  uint32_t seed = number * 2654435761u + 1;

  for (uint32_t y = 0; y < frame->height; y++) {
    uint8_t *own = kept + (size_t)y * frame->width;

    if (number <= 40 || damage == NO_DAMAGE)
      memcpy(own, frame->y.data + y * frame->y.stride, frame->width);
    else if (damage == COVERED)
      for (uint32_t x = 0; x < frame->width; x++) {
        seed = seed * 1664525u + 1013904223u;
        own[x] = (uint8_t)(38 + (seed >> 29));
      }
  }
  frame->y.data = kept;
  frame->y.stride = frame->width;
}

static void analyse_sample(struct hm_analysis *analysis, GstSample *sample, enum damage damage,
                           uint8_t **kept, struct clip *clip)
{
  const struct hm_analysis_result *result;
  struct hm_stamp stamp = {.sequence = clip->frames, .is_replay = true};
  struct hm_frame frame;
  GstVideoInfo info;
  GstVideoFrame mapped;
  GstBuffer *buffer = gst_sample_get_buffer(sample);

  assert_true(gst_video_info_from_caps(&info, gst_sample_get_caps(sample)));
  assert_true(gst_video_frame_map(&mapped, &info, buffer, GST_MAP_READ));
  stamp.capture_ns = GST_BUFFER_PTS(buffer);
  frame = view_of(&mapped);
  if (*kept == NULL)
    *kept = malloc((size_t)frame.width * frame.height);
  assert_non_null(*kept);
  spoil(&frame, damage, clip->frames, *kept);
  assert_int_equal(hm_analysis_frame(analysis, &frame, &stamp, &result), HM_OK);
  count_frame(clip, result);
  gst_video_frame_unmap(&mapped);
}

/* The first frames of a recording. */
static struct clip analyse(const char *path, enum damage damage, uint32_t most)
{
  const struct hm_analysis_config config = {.sha256 = sha256};
  struct hm_analysis *analysis = hm_analysis_new(&config);
  struct clip clip = {.least_trust = 256};
  uint8_t *kept = NULL;
  g_autofree char *line =
      g_strdup_printf("filesrc location=%s ! decodebin ! videoconvert ! "
                      "appsink name=out sync=false caps=video/x-raw,format=I420",
                      path);
  GstElement *pipe = gst_parse_launch(line, NULL);
  GstElement *out = gst_bin_get_by_name(GST_BIN(pipe), "out");

  clip.pictures = calloc(MEMORIES_MAX, HM_PICTURE_BYTES);
  assert_non_null(analysis);
  assert_non_null(clip.pictures);
  gst_element_set_state(pipe, GST_STATE_PLAYING);
  while (clip.frames < most) {
    GstSample *sample = gst_app_sink_pull_sample(GST_APP_SINK(out));

    if (sample == NULL)
      break;
    analyse_sample(analysis, sample, damage, &kept, &clip);
    gst_sample_unref(sample);
  }
  gst_element_set_state(pipe, GST_STATE_NULL);
  gst_object_unref(out);
  gst_object_unref(pipe);
  free(kept);
  hm_analysis_free(analysis);
  printf("%s: %u frames, %u observations in %u, %u memories in %u, trust %u..%u of 256\n", path,
         clip.frames, clip.observations, clip.recorded_frames, clip.memories, clip.memory_frames,
         clip.least_trust, clip.most_trust);
  return clip;
}

/* ---- the recordings -------------------------------------------------------------------- */

static void assert_shown_pictures_find_their_memories(const struct clip *clip);

static void test_drive(void **state)
{
  (void)state;
  struct clip clip = analyse(PAN, NO_DAMAGE, 1000);

  assert_int_equal(clip.frames, 103);
  assert_true(clip.recorded_frames >= 90);
  assert_in_range(clip.memory_frames, 25, 80);
  assert_true(clip.least_trust >= 166); /* 0.65 */
  assert_shown_pictures_find_their_memories(&clip);
  free(clip.pictures);
}

static void test_walk(void **state)
{
  (void)state;
  if (access(WALK, R_OK) != 0) {
    print_message("skipped: %s is not here\n", WALK);
    skip();
  }
  struct clip clip = analyse(WALK, NO_DAMAGE, 100);

  assert_true(clip.least_trust >= 166);
  assert_in_range(clip.memories, 5, 100); /* in 3.3 s */
  free(clip.pictures);
}

static void test_street(void **state)
{
  (void)state;
  if (access(STREET, R_OK) != 0) {
    print_message("skipped: %s is not here (package opencv-doc)\n", STREET);
    skip();
  }
  struct clip clip = analyse(STREET, NO_DAMAGE, 150);

  assert_int_equal(clip.frames, 150);
  assert_true(clip.least_trust >= 166);
  assert_true(clip.recorded_frames >= 130); /* there is always somebody */
  assert_in_range(clip.memories, 20, 250);  /* in 15 s */
  free(clip.pictures);
}

/* ---- what went wrong ---------------------------------------------------------------------- */

static void test_frozen_drive(void **state)
{
  (void)state;
  struct clip clip = analyse(PAN, FROZEN, 55);

  assert_int_equal(clip.last_state, HM_SENSOR_FROZEN);
  assert_true(clip.last_trust <= 8); /* 0.03 */
  assert_true(clip.recorded_frames <= 42);
  free(clip.pictures);
}

static void test_covered_drive(void **state)
{
  (void)state;
  struct clip clip = analyse(PAN, COVERED, 75);

  assert_int_equal(clip.last_state, HM_SENSOR_OBSCURED);
  assert_true(clip.last_trust < 26); /* 0.1 */
  assert_true(clip.recorded_frames <= 41);
  free(clip.pictures);
}

/* ---- show --picture, query --like ------------------------------------------------------------ */

static void assert_shown_pictures_find_their_memories(const struct clip *clip)
{
  static int8_t vectors[MEMORIES_MAX][HM_VECTOR_DIMENSION];
  static uint8_t rgb[HM_PICTURE_WIDTH * HM_PICTURE_HEIGHT * 3];

  for (uint32_t i = 0; i < clip->memories; i++)
    hm_region_encode(clip->pictures[i], vectors[i]);
  for (uint32_t i = 0; i < clip->memories; i++) {
    uint8_t i420[HM_PICTURE_BYTES], again[HM_PICTURE_BYTES];
    int8_t vector[HM_VECTOR_DIMENSION];

    assert_int_equal(hm_picture_to_rgb_from_i420(clip->pictures[i], 32, 64, rgb, 96), HM_OK);
    assert_int_equal(hm_picture_to_i420_from_rgb(rgb, 96, 32, 64, i420), HM_OK);
    assert_int_equal(hm_picture_from_i420(i420, 32, 64, again), HM_OK);
    hm_region_encode(again, vector);
    for (uint32_t k = 0; k < clip->memories; k++)
      assert_int_equal(hm_vector_distance(vector, vectors[k]) == 0, k == i);
  }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_drive),         cmocka_unit_test(test_walk),
      cmocka_unit_test(test_street),        cmocka_unit_test(test_frozen_drive),
      cmocka_unit_test(test_covered_drive),
  };
  gst_init(&argc, &argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

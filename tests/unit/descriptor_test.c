/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Evidence picture and encoder: exact resize against plain rationals, the way through
 * RGB, what the vector must and must not care about, and the identity of the encoder.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sensors/descriptor.h"
#include "sensors/integer.h"
#include "sensors/novelty.h"
#include "tests/support/scene.h"
#include "trust/crypto_openssl.h"

static void random_picture(uint8_t picture[HM_PICTURE_BYTES], struct dice *d)
{
  for (int i = 0; i < HM_PICTURE_BYTES; i++)
    picture[i] = (uint8_t)dice_roll(d);
}

/* A picture with a settled look: a region of the world with a coloured box on it. */
static void person(uint8_t picture[HM_PICTURE_BYTES], int32_t where, uint8_t cb, uint8_t cr)
{
  struct scene s;
  const struct hm_rect region = {40, 30, 61, 133};
  scene_make(&s, 160, 192);
  scene_world(&s, where, 0);
  scene_box(&s, 52, 40, 36, 110, cb, cr);
  const struct hm_frame f = scene_frame(&s);
  assert_int_equal(hm_picture_from_region(&f, &region, picture), HM_OK);
  scene_free(&s);
}

/* ---- picture -------------------------------------------------------------------------- */

/* The area mean of one luma sample in doubles, by overlap of real intervals. */
static double real_mean(const uint8_t *luma, size_t stride, const struct hm_rect *r, int i, int j)
{
  const double x0 = r->x + i * r->width / 32.0, x1 = r->x + (i + 1) * r->width / 32.0;
  const double y0 = r->y + j * r->height / 64.0, y1 = r->y + (j + 1) * r->height / 64.0;
  double sum = 0;
  for (int y = (int)y0; y < y1; y++)
    for (int x = (int)x0; x < x1; x++)
      sum += (fmin(x + 1, x1) - fmax(x, x0)) * (fmin(y + 1, y1) - fmax(y, y0)) *
             luma[(size_t)y * stride + (size_t)x];
  return sum / ((x1 - x0) * (y1 - y0));
}

static void test_resize_is_the_area_mean(void **state)
{
  (void)state;
  static const struct hm_rect regions[] = {{0, 0, 200, 150}, {3, 5, 32, 64},   {7, 9, 61, 133},
                                           {0, 0, 1, 1},     {199, 149, 1, 1}, {13, 0, 8, 20},
                                           {150, 20, 50, 64}};
  static uint8_t luma[210 * 150];
  struct dice d = dice(21);
  for (size_t i = 0; i < sizeof luma; i++)
    luma[i] = (uint8_t)(16 + dice_below(&d, 220)); /* what settling leaves alone */
  const uint8_t *const planes[1] = {luma};
  const size_t strides[1] = {210};
  struct hm_frame f;
  assert_int_equal(
      hm_frame_make(HM_GRAY8, HM_RANGE_LIMITED, HM_BT601, 200, 150, planes, strides, &f), HM_OK);
  for (size_t n = 0; n < sizeof regions / sizeof regions[0]; n++) {
    uint8_t picture[HM_PICTURE_BYTES];
    assert_int_equal(hm_picture_from_region(&f, &regions[n], picture), HM_OK);
    for (int j = 0; j < 64; j++)
      for (int i = 0; i < 32; i++) {
        const double want = real_mean(luma, 210, &regions[n], i, j);
        assert_true(fabs(picture[j * 32 + i] - want) <= 0.5 + 1e-9);
      }
    for (int i = 2048; i < HM_PICTURE_BYTES; i++)
      assert_int_equal(picture[i], 128);
  }
}

static void test_regions_outside_are_refused(void **state)
{
  (void)state;
  static uint8_t luma[40 * 40];
  const uint8_t *const planes[1] = {luma};
  const size_t strides[1] = {40};
  static const struct hm_rect wrong[] = {{0, 0, 41, 1},
                                         {0, 0, 1, 41},
                                         {40, 0, 1, 1},
                                         {0, 0, 0, 1},
                                         {0, 0, 1, 0},
                                         {39, 39, 2, 1},
                                         {65535, 65535, 65535, 65535}};
  struct hm_frame f;
  uint8_t picture[HM_PICTURE_BYTES];
  assert_int_equal(hm_frame_make(HM_GRAY8, HM_RANGE_FULL, HM_BT601, 40, 40, planes, strides, &f),
                   HM_OK);
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
    assert_int_equal(hm_picture_from_region(&f, &wrong[i], picture), HM_MALFORMED);
}

static void test_nv12_equals_i420(void **state)
{
  (void)state;
  struct scene s;
  scene_make(&s, 90, 70);
  scene_world(&s, 5, 6);
  const struct hm_frame planar = scene_frame(&s);
  static uint8_t both[45 * 2 * 35];
  for (size_t i = 0; i < (size_t)45 * 35; i++) {
    both[2 * i] = planar.cb.data[i];
    both[2 * i + 1] = planar.cr.data[i];
  }
  const uint8_t *const planes[2] = {s.bytes, both};
  const size_t strides[2] = {90, 90};
  struct hm_frame paired;
  assert_int_equal(
      hm_frame_make(HM_NV12, HM_RANGE_LIMITED, HM_BT601, 90, 70, planes, strides, &paired), HM_OK);
  const struct hm_rect odd = {11, 13, 33, 51};
  uint8_t a[HM_PICTURE_BYTES], b[HM_PICTURE_BYTES];
  assert_int_equal(hm_picture_from_region(&planar, &odd, a), HM_OK);
  assert_int_equal(hm_picture_from_region(&paired, &odd, b), HM_OK);
  assert_memory_equal(a, b, sizeof a);
  scene_free(&s);
}

static void test_range_and_matrix_become_one(void **state)
{
  (void)state;
  /* one colour, (R, G, B) = (200, 90, 40), as four cameras would give it */
  static const struct {
    enum hm_luma_range range;
    enum hm_matrix matrix;
    uint8_t y, cb, cr;
  } cameras[] = {{HM_RANGE_LIMITED, HM_BT601, 117, 90, 180},
                 {HM_RANGE_FULL, HM_BT601, 117, 84, 187},
                 {HM_RANGE_LIMITED, HM_BT709, 110, 95, 178},
                 {HM_RANGE_FULL, HM_BT709, 110, 90, 185}};
  for (size_t i = 0; i < 4; i++) {
    struct scene s;
    uint8_t picture[HM_PICTURE_BYTES], rgb[32 * 64 * 3];
    scene_make(&s, 64, 64);
    scene_fill(&s, cameras[i].y, cameras[i].cb, cameras[i].cr);
    struct hm_frame f = scene_frame(&s);
    f.range = cameras[i].range;
    f.matrix = cameras[i].matrix;
    const struct hm_rect all = {0, 0, 64, 64};
    assert_int_equal(hm_picture_from_region(&f, &all, picture), HM_OK);
    assert_int_equal(hm_picture_to_rgb_from_i420(picture, 32, 64, rgb, 96), HM_OK);
    assert_in_range(rgb[0], 197, 203);
    assert_in_range(rgb[1], 87, 93);
    assert_in_range(rgb[2], 36, 44);
    scene_free(&s);
  }
}

/* ---- the way through RGB --------------------------------------------------------------- */

static void test_known_colours(void **state)
{
  (void)state;
  static const struct {
    uint8_t rgb[3], yuv[3];
  } known[] = {{{0, 0, 0}, {16, 128, 128}},   {{255, 255, 255}, {235, 128, 128}},
               {{255, 0, 0}, {81, 90, 240}},  {{0, 255, 0}, {145, 54, 34}},
               {{0, 0, 255}, {41, 240, 110}}, {{128, 128, 128}, {126, 128, 128}}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    uint8_t rgb[12], i420[6], back[12];
    for (int p = 0; p < 4; p++)
      memcpy(rgb + 3 * p, known[i].rgb, 3);
    assert_int_equal(hm_picture_to_i420_from_rgb(rgb, 6, 2, 2, i420), HM_OK);
    assert_int_equal(i420[0], known[i].yuv[0]);
    assert_int_equal(i420[4], known[i].yuv[1]);
    assert_int_equal(i420[5], known[i].yuv[2]);
    assert_int_equal(hm_picture_to_rgb_from_i420(i420, 2, 2, back, 6), HM_OK);
    for (int c = 0; c < 12; c++)
      assert_true(abs(back[c] - rgb[c]) <= 2);
  }
}

static void through_rgb(const uint8_t picture[HM_PICTURE_BYTES], uint8_t back[HM_PICTURE_BYTES])
{
  static uint8_t rgb[64 * 100];
  assert_int_equal(hm_picture_to_rgb_from_i420(picture, 32, 64, rgb, 100), HM_OK);
  assert_int_equal(hm_picture_to_i420_from_rgb(rgb, 100, 32, 64, back), HM_OK);
}

static void test_settled_pictures_survive_rgb(void **state)
{
  (void)state;
  struct dice d = dice(5);
  uint32_t unsettled = 0;
  for (int n = 0; n < 200; n++) {
    uint8_t picture[HM_PICTURE_BYTES], again[HM_PICTURE_BYTES], back[HM_PICTURE_BYTES];
    person(picture, n * 3, (uint8_t)dice_below(&d, 256), (uint8_t)dice_below(&d, 256));
    through_rgb(picture, back);
    assert_memory_equal(picture, back, sizeof back);
    assert_int_equal(hm_picture_from_i420(back, 32, 64, again), HM_OK);
    assert_memory_equal(picture, again, sizeof again);

    random_picture(picture, &d); /* most of it outside the cube */
    through_rgb(picture, back);
    unsettled += memcmp(picture, back, sizeof back) != 0;
  }
  assert_int_equal(unsettled, 200);
}

static void test_rgb_refuses_odd_and_short(void **state)
{
  (void)state;
  static uint8_t rgb[64], i420[64], picture[HM_PICTURE_BYTES];
  assert_int_equal(hm_picture_to_i420_from_rgb(rgb, 9, 3, 2, i420), HM_MALFORMED);
  assert_int_equal(hm_picture_to_i420_from_rgb(rgb, 6, 2, 0, i420), HM_MALFORMED);
  assert_int_equal(hm_picture_to_i420_from_rgb(rgb, 5, 2, 2, i420), HM_SHORT_BUFFER);
  assert_int_equal(hm_picture_to_rgb_from_i420(i420, 10000, 2, rgb, 30000), HM_TOO_LARGE);
  assert_int_equal(hm_picture_to_rgb_from_i420(i420, 2, 2, rgb, 5), HM_SHORT_BUFFER);
  assert_int_equal(hm_picture_settle(i420, 2, 3), HM_MALFORMED);
  assert_int_equal(hm_picture_from_i420(i420, 3, 2, picture), HM_MALFORMED);
}

/* ---- the vector --------------------------------------------------------------------------- */

static double length_of(const int8_t *v)
{
  double sum = 0;
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++)
    sum += v[i] * v[i];
  return sqrt(sum);
}

static void test_every_picture_has_a_vector_of_one_length(void **state)
{
  (void)state;
  struct dice d = dice(99);
  uint8_t picture[HM_PICTURE_BYTES];
  int8_t vector[HM_VECTOR_DIMENSION];
  for (int n = 0; n < 300; n++) {
    random_picture(picture, &d);
    hm_region_encode(picture, vector);
    assert_true(fabs(length_of(vector) - HM_VECTOR_LENGTH) < 8);
    assert_false(hm_vector_is_zero(vector));
  }
  for (int v = 0; v < 256; v++) { /* one value everywhere: also black, white, pure chroma */
    memset(picture, v, sizeof picture);
    hm_region_encode(picture, vector);
    assert_true(length_of(vector) > 350);
  }
}

/* hm-region/1 once more, in doubles and from its description. */
static void real_encode(const uint8_t *picture, double out[HM_VECTOR_DIMENSION])
{
  const double turn = 2 * acos(-1), pixels = 2048;
  double bins[HM_VECTOR_DIMENSION] = {0}, sum = 0, squares = 0, mean = 0, length = 0;
  for (int i = 0; i < 2048; i++) {
    sum += picture[i];
    squares += (double)picture[i] * picture[i];
  }
  const double spread = fmax(sqrt(squares / pixels - sum * sum / pixels / pixels), 2);
  for (int i = 0; i < 2048; i++) {
    const int x = i % 32, y = i / 32, c = y / 2 * 16 + x / 2;
    const double weight = exp(-(x - 15.5) * (x - 15.5) / 128);
    const double luma = fmax(picture[i] - 16, 24);
    const double b = 128 * (picture[2048 + c] - 128) / luma;
    const double r = 128 * (picture[2560 + c] - 128) / luma;
    const double s = fmin(1, hypot(b, r) / 48);
    double *stripe = bins + y / 4 * 16;
    double hue = atan2(r, b) / turn * 8;
    hue = hue < 0 ? hue + 8 : hue;
    const int sector = (int)hue % 8;
    stripe[sector] += weight * s * (1 - (hue - floor(hue)));
    stripe[(sector + 1) % 8] += weight * s * (hue - floor(hue));
    const double z = fmin(fmax(3.5 + 1.5 * (picture[i] - sum / pixels) / spread, 0), 6.9999);
    stripe[8 + (int)z] += weight * (1 - s) * (1 - (z - floor(z)));
    stripe[9 + (int)z] += weight * (1 - s) * (z - floor(z));
  }
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++)
    mean += sqrt(bins[i]) / HM_VECTOR_DIMENSION;
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++) {
    out[i] = sqrt(bins[i]) - mean;
    length += out[i] * out[i];
  }
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++)
    out[i] *= HM_VECTOR_LENGTH / sqrt(length);
}

static void test_integers_follow_the_real_formula(void **state)
{
  (void)state;
  for (int n = 0; n < 60; n++) {
    uint8_t picture[HM_PICTURE_BYTES];
    int8_t vector[HM_VECTOR_DIMENSION];
    double want[HM_VECTOR_DIMENSION], error = 0;
    person(picture, 17 * n, (uint8_t)(4 * n), (uint8_t)(255 - 3 * n));
    hm_region_encode(picture, vector);
    real_encode(picture, want);
    for (int i = 0; i < HM_VECTOR_DIMENSION; i++)
      error += (vector[i] - want[i]) * (vector[i] - want[i]);
    assert_true(sqrt(error) < 16); /* 4 % of the length */
  }
}

/* Linear light times gain (in 256ths), by way of RGB. */
static void brighten(const uint8_t *picture, uint32_t gain_q8, uint8_t *out)
{
  static uint8_t rgb[32 * 64 * 3];
  assert_int_equal(hm_picture_to_rgb_from_i420(picture, 32, 64, rgb, 96), HM_OK);
  for (size_t i = 0; i < sizeof rgb; i++) {
    const uint32_t v = rgb[i] * gain_q8 / 256;
    rgb[i] = (uint8_t)(v < 255 ? v : 255);
  }
  assert_int_equal(hm_picture_to_i420_from_rgb(rgb, 96, 32, 64, out), HM_OK);
}

static void test_gain_matters_less_than_colour(void **state)
{
  (void)state;
  uint8_t picture[HM_PICTURE_BYTES], other[HM_PICTURE_BYTES];
  int8_t vector[HM_VECTOR_DIMENSION], bright[HM_VECTOR_DIMENSION], red[HM_VECTOR_DIMENSION];
  for (int n = 0; n < 20; n++) {
    person(picture, 5 * n, 160, 90);
    hm_region_encode(picture, vector);
    brighten(picture, 154, other); /* 0.6 */
    hm_region_encode(other, bright);
    person(other, 5 * n, 100, 180);
    hm_region_encode(other, red);
    assert_true(4 * hm_vector_distance(vector, bright) < hm_vector_distance(vector, red));
  }
}

static void test_distance_and_similarity(void **state)
{
  (void)state;
  int8_t a[HM_VECTOR_DIMENSION], b[HM_VECTOR_DIMENSION] = {0};
  memset(a, -128, sizeof a);
  assert_int_equal(hm_vector_distance(a, a), 0);
  assert_int_equal(hm_vector_similarity_q8(a, a), 256);
  assert_int_equal(hm_vector_similarity_q8(a, b), 0);
  assert_true(hm_vector_is_zero(b));
  memset(b, 127, sizeof b);
  assert_int_equal(hm_vector_distance(a, b), 256 * 255 * 255);
  assert_int_equal(hm_vector_similarity_q8(a, b), 0); /* opposite */
  memset(a, 0, sizeof a);
  memset(b, 0, sizeof b);
  a[0] = 100;
  b[0] = 100;
  b[1] = 100;
  assert_int_equal(hm_vector_similarity_q8(a, b), 181); /* cos 45 degrees */
  assert_int_equal(hm_vector_distance(a, b), 10000);
}

static void test_vector_is_frozen(void **state)
{
  (void)state;
  /* any change of these bits needs another encoder name */
  enum { PICTURES = 8 };
  static int8_t vectors[PICTURES][HM_VECTOR_DIMENSION];
  uint8_t digest[HM_HASH], picture[HM_PICTURE_BYTES];
  struct dice d = dice(1);
  for (uint32_t n = 0; n < PICTURES; n++) {
    const uint32_t least = 16 * n, span = 256 - 2 * least; /* from wild to calm */
    for (int i = 0; i < HM_PICTURE_BYTES; i++)
      picture[i] = (uint8_t)(least + dice_below(&d, span));
    hm_region_encode(picture, vectors[n]);
  }
  const struct hm_bytes part = hm_bytes(vectors, sizeof vectors);
  assert_int_equal(hm_crypto_openssl.sha256(&part, 1, digest), HM_OK);
  static const uint8_t want[HM_HASH] = {0x13, 0xcd, 0x63, 0x2b, 0xc1, 0xb1, 0x16, 0x33,
                                        0x38, 0xad, 0xaf, 0x26, 0x4c, 0xcb, 0xad, 0x2b,
                                        0xb2, 0xdd, 0xd7, 0x73, 0xae, 0xe3, 0x91, 0x38,
                                        0x59, 0x92, 0x3b, 0xf1, 0x6e, 0xa6, 0xfc, 0xd7};
  assert_memory_equal(digest, want, sizeof want);
}

/* ---- identity ------------------------------------------------------------------------------ */

static void hash_of(void (*write)(struct hm_out *), uint8_t hash[HM_HASH])
{
  uint8_t bytes[1024];
  struct hm_out out = hm_out(bytes, sizeof bytes);
  write(&out);
  assert_int_equal(hm_out_status(&out), HM_OK);
  const struct hm_bytes part = hm_out_bytes(&out);
  assert_int_equal(hm_crypto_openssl.sha256(&part, 1, hash), HM_OK);
}

static void test_encoder_hash_is_that_of_its_bytes(void **state)
{
  (void)state;
  uint8_t bytes[HM_REGION_ENCODER_BYTES_MAX], hash[HM_HASH];
  struct hm_out out = hm_out(bytes, sizeof bytes);
  hm_region_encoder_bytes(&out);
  assert_int_equal(hm_out_status(&out), HM_OK);
  hash_of(hm_region_encoder_bytes, hash);
  assert_memory_equal(hash, hm_region_encoder_hash, HM_HASH);
  /* {81: h'..', 82: "hm-region/1", 83: h'..', 84: 256, 85: 1, 86: 164} */
  static const uint8_t head[] = {0xa6, 0x18, 0x51, 0x58, 0x20};
  static const uint8_t tail[] = {0x18, 0x54, 0x19, 0x01, 0x00, 0x18,
                                 0x55, 0x01, 0x18, 0x56, 0x18, 0xa4};
  assert_memory_equal(bytes, head, sizeof head);
  assert_memory_equal(bytes + out.len - sizeof tail, tail, sizeof tail);
  hash_of(hm_region_encoder_model, hash);
  assert_memory_equal(bytes + 5, hash, HM_HASH);
  hash_of(hm_region_encoder_preprocessing, hash);
  assert_memory_equal(bytes + out.len - sizeof tail - HM_HASH, hash, HM_HASH);
}

static uint32_t table_entry(const uint8_t *table, int i)
{
  return table[2 * i] | (uint32_t)table[2 * i + 1] << 8;
}

static void test_tables_are_the_functions(void **state)
{
  (void)state;
  uint8_t bytes[1024];
  struct hm_out out = hm_out(bytes, sizeof bytes);
  hm_region_encoder_model(&out);
  const uint8_t *arc = bytes + out.len - 65 * 2, *centre = arc - 16 * 2;
  assert_int_equal(centre[-1], 0); /* the text ends with a zero byte */
  for (int i = 0; i < 16; i++)
    assert_int_equal(table_entry(centre, i), lround(256 * exp(-pow((i - 15.5) / 8, 2) / 2)));
  for (int i = 0; i <= 64; i++)
    assert_int_equal(table_entry(arc, i), lround(256 * atan(i / 64.0) / atan(1)));
}

static void test_square_root(void **state)
{
  (void)state;
  struct dice d = dice(77);
  assert_int_equal(hm_square_root(0), 0);
  assert_int_equal(hm_square_root(UINT64_MAX), UINT32_MAX);
  for (int i = 0; i < 10000; i++) {
    const uint64_t r = dice_roll(&d) >> dice_below(&d, 32);
    assert_int_equal(hm_square_root(r * r), r);
    if (r > 0)
      assert_int_equal(hm_square_root(r * r - 1), r - 1);
    assert_int_equal(hm_square_root(r * r + 2 * r), r);
  }
}

/* ---- novelty --------------------------------------------------------------------------------- */

static void test_novelty(void **state)
{
  (void)state;
  static struct hm_novelty novelty;
  uint8_t picture[HM_PICTURE_BYTES];
  int8_t first[HM_VECTOR_DIMENSION], vector[HM_VECTOR_DIMENSION];
  person(picture, 0, 160, 90);
  hm_region_encode(picture, first);
  assert_int_equal(hm_novelty_q8(&novelty, first), 256);
  hm_novelty_remember(&novelty, first);
  assert_int_equal(hm_novelty_q8(&novelty, first), 0);
  person(picture, 400, 90, 170);
  hm_region_encode(picture, vector);
  assert_true(hm_novelty_q8(&novelty, vector) > 40);
  for (int i = 0; i < HM_NOVELTY_MEMORIES; i++) {
    assert_int_equal(hm_novelty_q8(&novelty, first), 0);
    hm_novelty_remember(&novelty, vector);
  }
  /* a thousand later ones: the first is forgotten */
  assert_true(hm_novelty_q8(&novelty, first) > 40);
  assert_int_equal(novelty.count, HM_NOVELTY_MEMORIES);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_resize_is_the_area_mean),
      cmocka_unit_test(test_regions_outside_are_refused),
      cmocka_unit_test(test_nv12_equals_i420),
      cmocka_unit_test(test_range_and_matrix_become_one),
      cmocka_unit_test(test_known_colours),
      cmocka_unit_test(test_settled_pictures_survive_rgb),
      cmocka_unit_test(test_rgb_refuses_odd_and_short),
      cmocka_unit_test(test_every_picture_has_a_vector_of_one_length),
      cmocka_unit_test(test_integers_follow_the_real_formula),
      cmocka_unit_test(test_gain_matters_less_than_colour),
      cmocka_unit_test(test_distance_and_similarity),
      cmocka_unit_test(test_vector_is_frozen),
      cmocka_unit_test(test_encoder_hash_is_that_of_its_bytes),
      cmocka_unit_test(test_tables_are_the_functions),
      cmocka_unit_test(test_square_root),
      cmocka_unit_test(test_novelty),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hm-region/1: 3,072 bytes to 256 int8, in integers.
 *
 * The picture is cut into 16 stripes of 4 rows; a person is a stack of colours. In
 * each stripe every pixel votes, with a weight that falls towards the sides, for its
 * hue in as much as it is saturated and for its brightness in as much as it is not.
 * Chroma is divided by luma, and brightness is counted in standard deviations of the
 * picture, so gain cancels. The square root tames large areas (Hellinger), the mean is
 * taken away, and the length is made 400.
 *
 * Steps, each exact or with the rounding that is written here:
 *   l = max(Y - 16, 24); b = 2048 (Cb - 128) / l, r = 2048 (Cr - 128) / l (towards 0)
 *   m = floor sqrt(b^2 + r^2); s = min(256, m / 3)        |c| = m / 16, full at 48
 *   hue = angle of (b, r) in 2048 steps a turn by the arc tangent table
 *   z = 1024 + 384 (2048 Y - S1) / max(floor sqrt(2048 S2 - S1^2), 4096) (towards 0)
 *   votes are split linearly between the two nearest of 8 hues and of 8 brightnesses
 *   v = floor sqrt(256 h); d = 256 v - sum v; out = 400 d / floor sqrt(sum d^2), nearest,
 *   clamped to +-127
 */
#include "sensors/descriptor.h"
#include "sensors/integer.h"
#include "trust/cbor.h"

enum {
  LUMA = HM_PICTURE_WIDTH * HM_PICTURE_HEIGHT,
  CHROMA = LUMA / 4,
  STRIPES = 16,
  STRIPE_ROWS = 4,
  HUES = 8,
  BINS = 16,
  LEAST_LUMA = 24,
  LEAST_SPREAD = 4096,
  TURN = 2048,
  VECTOR_LIMIT = 127
};

/* 256 exp(-((x - 15.5) / 8)^2 / 2), x = 0..15; the right half mirrors it. */
static const uint16_t centre_weight[16] = {39,  50,  62,  76,  91,  108, 126, 146,
                                           165, 184, 202, 219, 233, 244, 252, 256};

/* 256 atan(i / 64) / 45 degrees. */
static const uint16_t arc_tangent[65] = {
    0,   5,   10,  15,  20,  25,  30,  36,  41,  46,  51,  55,  60,  65,  70,  75,  80,
    85,  89,  94,  99,  103, 108, 112, 117, 121, 126, 130, 134, 139, 143, 147, 151, 155,
    159, 163, 167, 171, 175, 178, 182, 186, 189, 193, 196, 200, 203, 206, 210, 213, 216,
    219, 222, 225, 228, 231, 234, 237, 240, 243, 245, 248, 251, 253, 256};

/* The direction of (x, y) in 2048 steps a turn, counted from x towards y; 0 of (0, 0). */
static uint32_t direction(int32_t x, int32_t y)
{
  const int32_t across = x < 0 ? -x : x, up = y < 0 ? -y : y;
  const int32_t longer = across > up ? across : up, shorter = across > up ? up : across;
  if (longer == 0)
    return 0;
  uint32_t angle = arc_tangent[(64 * shorter + longer / 2) / longer];
  if (up > across)
    angle = TURN / 4 - angle;
  if (x < 0)
    angle = TURN / 2 - angle;
  if (y < 0)
    angle = TURN - angle;
  return angle % TURN;
}

struct brightness {
  int64_t sum, spread; /* S1, and sqrt of 2048 S2 - S1^2 */
};

static struct brightness brightness_of(const uint8_t *luma)
{
  uint64_t sum = 0, squares = 0;
  for (int i = 0; i < LUMA; i++) {
    sum += luma[i];
    squares += (uint32_t)luma[i] * luma[i];
  }
  const uint32_t spread = hm_square_root(LUMA * squares - sum * sum);
  struct brightness b = {(int64_t)sum, spread > LEAST_SPREAD ? spread : LEAST_SPREAD};
  return b;
}

/* Split a vote between the bins left and right of at (256 steps a bin). */
static void vote(uint64_t *bins, uint32_t first, uint32_t second, uint32_t at, uint32_t weight)
{
  bins[first] += (uint64_t)weight * (256 - at % 256);
  bins[second] += (uint64_t)weight * (at % 256);
}

static void vote_pixel(uint64_t bins[BINS], int32_t y, int32_t cb, int32_t cr,
                       const struct brightness *b, uint32_t weight)
{
  const int32_t luma = y - 16 > LEAST_LUMA ? y - 16 : LEAST_LUMA;
  const int32_t blue = 2048 * (cb - 128) / luma, red = 2048 * (cr - 128) / luma;
  const uint32_t chroma = hm_square_root((uint64_t)((int64_t)blue * blue + (int64_t)red * red));
  const uint32_t saturation = chroma / 3 < 256 ? chroma / 3 : 256;
  const uint32_t hue = direction(blue, red);
  vote(bins, hue / 256, (hue / 256 + 1) % HUES, hue, weight * saturation);

  int64_t z = 1024 + 384 * ((int64_t)LUMA * y - b->sum) / b->spread - 128;
  z = z < 0 ? 0 : z > 1791 ? 1791 : z;
  vote(bins + HUES, (uint32_t)z / 256, (uint32_t)z / 256 + 1, (uint32_t)z,
       weight * (256 - saturation));
}

static void count_votes(const uint8_t *picture, uint64_t bins[STRIPES][BINS])
{
  const uint8_t *cb = picture + LUMA, *cr = cb + CHROMA;
  const struct brightness b = brightness_of(picture);
  memset(bins, 0, sizeof(uint64_t) * STRIPES * BINS);
  for (int row = 0; row < HM_PICTURE_HEIGHT; row++)
    for (int x = 0; x < HM_PICTURE_WIDTH; x++) {
      const int c = row / 2 * (HM_PICTURE_WIDTH / 2) + x / 2;
      vote_pixel(bins[row / STRIPE_ROWS], picture[row * HM_PICTURE_WIDTH + x], cb[c], cr[c], &b,
                 centre_weight[x < 16 ? x : 31 - x]);
    }
}

void hm_region_encode(const uint8_t picture[HM_PICTURE_BYTES], int8_t vector[HM_VECTOR_DIMENSION])
{
  uint64_t bins[STRIPES][BINS];
  int64_t d[HM_VECTOR_DIMENSION], sum = 0;
  uint64_t squares = 0;
  count_votes(picture, bins);
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++) {
    d[i] = hm_square_root(bins[i / BINS][i % BINS] << 8);
    sum += d[i];
  }
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++) {
    d[i] = HM_VECTOR_DIMENSION * d[i] - sum;
    squares += (uint64_t)(d[i] * d[i]);
  }
  const int64_t length = hm_square_root(squares);
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++) {
    int64_t v = 0;
    if (length > 0)
      v = (2 * HM_VECTOR_LENGTH * d[i] + (d[i] < 0 ? -length : length)) / (2 * length);
    vector[i] = (int8_t)(v < -VECTOR_LIMIT ? -VECTOR_LIMIT : v > VECTOR_LIMIT ? VECTOR_LIMIT : v);
  }
}

/* ---- comparing --------------------------------------------------------------------- */

static int32_t dot(const int8_t *a, const int8_t *b)
{
  int32_t sum = 0;
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++)
    sum += a[i] * b[i];
  return sum;
}

bool hm_vector_is_zero(const int8_t vector[HM_VECTOR_DIMENSION])
{
  return dot(vector, vector) == 0;
}

uint32_t hm_vector_distance(const int8_t a[HM_VECTOR_DIMENSION],
                            const int8_t b[HM_VECTOR_DIMENSION])
{
  uint32_t sum = 0;
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++)
    sum += (uint32_t)((a[i] - b[i]) * (a[i] - b[i]));
  return sum;
}

uint32_t hm_vector_similarity_q8(const int8_t a[HM_VECTOR_DIMENSION],
                                 const int8_t b[HM_VECTOR_DIMENSION])
{
  const int32_t both = dot(a, b);
  if (both <= 0)
    return 0;
  const uint64_t lengths = (uint64_t)dot(a, a) * (uint64_t)dot(b, b);
  const uint32_t whole = hm_square_root(lengths);
  const uint32_t similarity = (uint32_t)(256 * (uint64_t)both / whole);
  return similarity < 256 ? similarity : 256;
}

/* ---- identity ------------------------------------------------------------------------ */

static const char model_text[] =
    "hallmark encoder hm-region/1: 16 stripes of 4 rows x (8 hues + 8 brightnesses), "
    "votes weighted by column, hue by saturation, brightness by its absence; "
    "square root, minus mean, length 400, int8. Tables: centre weight, arc tangent";
static const char preprocessing_text[] =
    "hallmark picture 1: region to 32x64 I420 by exact area mean, limited range, BT.601, "
    "2x2 blocks settled in the RGB cube; grey sources have chroma 128";

const uint8_t hm_region_encoder_hash[HM_HASH] = {
    0x92, 0x4f, 0x23, 0xd7, 0x63, 0xd1, 0x88, 0x8f, 0xa5, 0x8e, 0xdf, 0xb0, 0xac, 0x7e, 0x32, 0x0b,
    0xac, 0xa2, 0x23, 0x68, 0xdc, 0x40, 0xc0, 0x2d, 0xfd, 0xf0, 0x15, 0xe3, 0x9c, 0xac, 0xac, 0x38};
static const uint8_t model_hash[HM_HASH] = {
    0xf8, 0xb0, 0x07, 0xcf, 0x8d, 0x8d, 0x95, 0xbf, 0x13, 0xf9, 0x37, 0x45, 0x37, 0xf4, 0x60, 0x07,
    0x7d, 0x89, 0x46, 0xf1, 0x1a, 0x4b, 0x5c, 0x39, 0x2a, 0x4a, 0x28, 0x99, 0xc6, 0x24, 0x24, 0x02};
static const uint8_t preprocessing_hash[HM_HASH] = {
    0xbb, 0xc8, 0x7b, 0x26, 0x42, 0x5f, 0xb8, 0x50, 0x44, 0xc8, 0x2c, 0x97, 0x6b, 0x57, 0x5b, 0x9a,
    0x00, 0xa0, 0xf3, 0x46, 0x82, 0x84, 0x1e, 0xaa, 0x5e, 0x5d, 0xff, 0xec, 0xb9, 0x4f, 0x65, 0x7b};

static void put_table(struct hm_out *out, const uint16_t *table, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    const uint8_t two[2] = {(uint8_t)(table[i] & 0xff), (uint8_t)(table[i] >> 8)};
    hm_out_put(out, two, 2);
  }
}

void hm_region_encoder_model(struct hm_out *out)
{
  hm_out_put(out, model_text, sizeof model_text);
  put_table(out, centre_weight, sizeof centre_weight / sizeof centre_weight[0]);
  put_table(out, arc_tangent, sizeof arc_tangent / sizeof arc_tangent[0]);
}

void hm_region_encoder_preprocessing(struct hm_out *out)
{
  hm_out_put(out, preprocessing_text, sizeof preprocessing_text);
}

/* Labels of formats.cddl: model 81, version 82, preprocessing 83, dimension 84, dtype 85,
 * scale 86; already in bytewise order. */
void hm_region_encoder_bytes(struct hm_out *out)
{
  hm_cbor_put_map(out, 6);
  hm_cbor_put_uint(out, 81);
  hm_cbor_put_bstr(out, hm_bytes(model_hash, sizeof model_hash));
  hm_cbor_put_uint(out, 82);
  hm_cbor_put_text(out, HM_REGION_ENCODER_NAME);
  hm_cbor_put_uint(out, 83);
  hm_cbor_put_bstr(out, hm_bytes(preprocessing_hash, sizeof preprocessing_hash));
  hm_cbor_put_uint(out, 84);
  hm_cbor_put_uint(out, HM_VECTOR_DIMENSION);
  hm_cbor_put_uint(out, 85);
  hm_cbor_put_uint(out, 1);
  hm_cbor_put_uint(out, 86);
  hm_cbor_put_uint(out, HM_REGION_ENCODER_SCALE);
}

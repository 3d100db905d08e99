/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Three passes over the whole tiles: the noise (a percentile), the sharpness of the
 * tiles that can show any (a median), the factors. Then the two histories. All
 * products are taken in u64.
 */
#include "sensors/frame_trust.h"

enum {
  ONE = 256,
  STILL_SAD = 51,
  STILL_HALF_RUN = 8,
  TEXTURE_GRADIENT = 7200, /* GE' of the faintest tile that can show sharpness */
  SHARP_TILES = 8,
  SHARP_UNSEEN = 154, /* too few tiles to judge by; the least that leaves a noiseless wall at 0.3 */
  OBSCURED_INFORMATION = 16,
  OBSCURED_WINDOW_MS = 1500, /* with falling light */
  OBSCURED_INSTANT_MS = 120, /* whatever the light: no camera turns away that fast */
  OBSCURED_BACK_FRAMES = 5,
  OBSCURED_LEAST_TEXTURE = 32, /* an eighth of the tiles: less texture can not be "lost" */
  SAMPLE_NS = 50 * 1000 * 1000
};

static const char *const factor_texts[HM_FACTOR_COUNT] = {"exposure", "sharp", "noise", "live",
                                                          "information"};

const char *hm_factor_text(enum hm_factor factor)
{
  return (unsigned)factor < HM_FACTOR_COUNT ? factor_texts[factor] : "unknown";
}

uint32_t hm_factors_fold(const uint16_t factors[HM_FACTOR_COUNT])
{
  uint32_t trust = factors[0];
  for (int i = 1; i < HM_FACTOR_COUNT; i++)
    trust = trust * factors[i] >> 8;
  return trust;
}

/* Upper bounds in thousandths, compared as 1000 * trust < bound * 256. */
const char *hm_trust_band(uint32_t trust_q8)
{
  static const struct {
    uint32_t below;
    const char *text;
  } bands[] = {{100, "obscured"}, {300, "poor"}, {500, "limited"}, {700, "good"}};
  for (size_t i = 0; i < sizeof bands / sizeof bands[0]; i++)
    if (1000 * trust_q8 < bands[i].below * ONE)
      return bands[i].text;
  return "excellent";
}

static uint32_t clamp(int64_t v)
{
  return (uint32_t)(v < 0 ? 0 : v > ONE ? ONE : v);
}

/* What the passes share. */
struct work {
  const struct hm_tile_grid *grid;
  const struct hm_tile *tiles;
  bool has_before;
  struct hm_trust_scratch *scratch;
  uint32_t count;        /* whole tiles */
  uint64_t noise;        /* s8 */
  uint64_t noise_part;   /* of GE: 3600 * s8^2 >> 16 */
  uint64_t laplace_part; /* of LE: 18000 * s8^2 >> 16 */
  uint32_t sharp_tiles;  /* tiles that can show sharpness */
  uint64_t energy;       /* sum of their GE' */
  uint32_t sharp_median;
};

static const struct hm_tile *whole_tile(const struct work *w, uint32_t i)
{
  const uint32_t row = i / w->grid->whole_columns, column = i % w->grid->whole_columns;
  return &w->tiles[(size_t)row * w->grid->columns + column];
}

/* The value of the given rank (0 = least) among total values in the bins. */
static uint32_t of_rank(const struct hm_trust_scratch *scratch, uint32_t rank)
{
  uint32_t seen = 0;
  for (uint32_t bin = 0; bin < HM_TRUST_BINS; bin++) {
    seen += scratch->bins[bin];
    if (seen > rank)
      return bin;
  }
  return HM_TRUST_BINS - 1;
}

static uint64_t tile_noise(const struct hm_tile *t, bool has_before)
{
  const uint64_t in_space = (uint64_t)t->na * 3894 >> 16;
  const uint64_t in_time = (uint64_t)t->sad * 14520 >> 16;
  return has_before && in_time < in_space ? in_time : in_space;
}

static void find_noise(struct work *w)
{
  uint32_t total = 0;
  memset(w->scratch, 0, sizeof *w->scratch);
  for (uint32_t i = 0; i < w->count; i++) {
    const struct hm_tile *t = whole_tile(w, i);
    if (t->hi + t->lo >= 256)
      continue;
    const uint64_t noise = tile_noise(t, w->has_before);
    w->scratch->bins[noise < HM_TRUST_BINS ? noise : HM_TRUST_BINS - 1]++;
    total++;
  }
  /* where every tile is clipped no noise can be seen; exposure says so */
  w->noise = total == 0 ? 0 : of_rank(w->scratch, total / 4);
  w->noise_part = 3600 * w->noise * w->noise >> 16;
  w->laplace_part = 18000 * w->noise * w->noise >> 16;
}

/* The gradient that noise does not explain, or 0 where the tile can not show sharpness. */
static uint64_t texture(const struct work *w, const struct hm_tile *t)
{
  const uint64_t gradient = t->ge > w->noise_part ? t->ge - w->noise_part : 0;
  return gradient >= TEXTURE_GRADIENT && gradient * 4 >= w->noise_part ? gradient : 0;
}

static uint32_t sharpness(const struct work *w, const struct hm_tile *t, uint64_t gradient)
{
  const uint64_t laplace = t->le > w->laplace_part ? t->le - w->laplace_part : 0;
  return clamp((int64_t)(ONE * laplace / gradient) - 102);
}

static void find_sharpness(struct work *w)
{
  memset(w->scratch, 0, sizeof *w->scratch);
  w->sharp_tiles = 0;
  w->energy = 0;
  for (uint32_t i = 0; i < w->count; i++) {
    const struct hm_tile *t = whole_tile(w, i);
    const uint64_t gradient = texture(w, t);
    if (gradient == 0)
      continue;
    w->scratch->bins[sharpness(w, t, gradient)]++;
    w->sharp_tiles++;
    w->energy += gradient;
  }
  w->sharp_median =
      w->sharp_tiles < SHARP_TILES ? SHARP_UNSEEN : of_rank(w->scratch, w->sharp_tiles / 2);
}

static uint32_t tile_exposure(const struct hm_tile *t)
{
  return ONE - clamp(((int64_t)t->hi + t->lo - 52) * ONE / 460);
}

static uint32_t tile_sharp(const struct work *w, const struct hm_tile *t)
{
  const uint64_t gradient = w->sharp_tiles < SHARP_TILES ? 0 : texture(w, t);
  return gradient == 0 ? w->sharp_median : sharpness(w, t, gradient);
}

/* 1024^2 * variance, exactly. */
static uint64_t tile_spread(const struct hm_tile *t)
{
  return (uint64_t)HM_TILE_PIXELS * t->s2 - (uint64_t)t->s1 * t->s1;
}

static uint32_t tile_information(const struct hm_tile *t)
{
  const uint64_t spread = tile_spread(t);
  return spread >= (uint64_t)16 << 20 ? ONE : (uint32_t)(128 + (8 * spread >> 20));
}

/* ---- live --------------------------------------------------------------------- */

static bool is_still(const struct work *w)
{
  uint32_t still = 0;
  for (uint32_t i = 0; i < w->count; i++)
    still += whole_tile(w, i)->sad <= STILL_SAD;
  return w->has_before && 10 * (uint64_t)still >= 9 * (uint64_t)w->count;
}

static uint32_t live_factor(const struct work *w, struct hm_trust_history *h)
{
  const bool still = is_still(w);
  h->still_bits = (uint8_t)((h->still_bits << 1 | still) & 0x1f);
  if (still) {
    if (h->still_run < UINT32_MAX)
      h->still_run++;
  } else {
    uint32_t misses = 0;
    for (uint32_t i = 0; i < 5; i++)
      misses += (~h->still_bits >> i) & 1;
    if (misses > 1)
      h->still_run = 0;
  }
  return ONE >> (h->still_run < STILL_HALF_RUN ? h->still_run : STILL_HALF_RUN);
}

/* ---- obscured ------------------------------------------------------------------- */

enum { MS = 1000 * 1000 };

static bool is_within(const struct hm_trust_sample *then, const struct hm_trust_sample *now,
                      uint64_t ms)
{
  return then->capture_ns <= now->capture_ns && now->capture_ns - then->capture_ns <= ms * MS;
}

/* most: the energy of the window's richest picture. */
static bool is_sudden_loss(const struct hm_trust_sample *then, const struct hm_trust_sample *now,
                           uint32_t most)
{
  if (!is_within(then, now, OBSCURED_WINDOW_MS) || then->textured_q8 < OBSCURED_LEAST_TEXTURE ||
      16 * (uint64_t)now->energy > then->energy)
    return false;
  const bool is_darker = 4 * (uint32_t)now->light <= 3 * (uint32_t)then->light;
  return is_darker ||
         (is_within(then, now, OBSCURED_INSTANT_MS) && 2 * (uint64_t)then->energy >= most);
}

static void look_for_loss(struct hm_trust_history *h, const struct hm_trust_sample *now)
{
  const uint32_t kept = h->samples < HM_TRUST_HISTORY ? h->samples : HM_TRUST_HISTORY;
  uint32_t most = 0;
  for (uint32_t i = 0; i < kept; i++)
    if (is_within(&h->ring[i], now, OBSCURED_WINDOW_MS) && h->ring[i].energy > most)
      most = h->ring[i].energy;
  for (uint32_t i = 0; i < kept; i++)
    if (is_sudden_loss(&h->ring[i], now, most) && h->ring[i].textured_q8 > h->lost_texture) {
      h->is_obscured = true;
      h->lost_texture = h->ring[i].textured_q8;
      h->texture_back = 0;
    }
}

static void watch_for_cover(struct hm_trust_history *h, const struct hm_trust_sample *now)
{
  if (!h->is_obscured) {
    h->lost_texture = 0;
    look_for_loss(h, now);
    return;
  }
  h->texture_back =
      4 * (uint32_t)now->textured_q8 >= h->lost_texture ? (uint8_t)(h->texture_back + 1) : 0;
  if (h->texture_back >= OBSCURED_BACK_FRAMES)
    h->is_obscured = false;
}

static void remember(struct hm_trust_history *h, const struct hm_trust_sample *now)
{
  const struct hm_trust_sample *last =
      &h->ring[(h->samples + HM_TRUST_HISTORY - 1) % HM_TRUST_HISTORY];
  if (h->samples > 0 && now->capture_ns >= last->capture_ns &&
      now->capture_ns - last->capture_ns < SAMPLE_NS)
    return;
  h->ring[h->samples % HM_TRUST_HISTORY] = *now;
  h->samples = h->samples + 1 < 2 * HM_TRUST_HISTORY ? h->samples + 1 : HM_TRUST_HISTORY;
}

/* ---- the frame -------------------------------------------------------------------- */

/* Means of the factors that tiles have one by one, and light. */
static void sum_tiles(const struct work *w, struct hm_trust *out, uint32_t *dark_tiles)
{
  uint64_t exposure = 0, sharp = 0, information = 0, light = 0;
  *dark_tiles = 0;
  for (uint32_t i = 0; i < w->count; i++) {
    const struct hm_tile *t = whole_tile(w, i);
    exposure += tile_exposure(t);
    sharp += tile_sharp(w, t);
    information += tile_information(t);
    light += t->s1;
    *dark_tiles += 10 * t->lo >= 9 * HM_TILE_PIXELS;
  }
  out->factors[HM_FACTOR_EXPOSURE] = (uint16_t)(exposure / w->count);
  out->factors[HM_FACTOR_SHARP] = (uint16_t)(sharp / w->count);
  out->factors[HM_FACTOR_NOISE] = (uint16_t)clamp((3072 - (int64_t)w->noise) * ONE / 2304);
  out->factors[HM_FACTOR_INFORMATION] = (uint16_t)(information / w->count);
  out->light = (uint16_t)(light / HM_TILE_PIXELS / w->count);
}

static void fold_tiles(const struct work *w, const struct hm_trust *frame, uint8_t *tile_trust)
{
  for (uint32_t i = 0; i < w->count; i++) {
    const struct hm_tile *t = whole_tile(w, i);
    uint16_t f[HM_FACTOR_COUNT];
    memcpy(f, frame->factors, sizeof f);
    f[HM_FACTOR_EXPOSURE] = (uint16_t)tile_exposure(t);
    f[HM_FACTOR_SHARP] = (uint16_t)tile_sharp(w, t);
    if (frame->state != HM_SENSOR_OBSCURED)
      f[HM_FACTOR_INFORMATION] = (uint16_t)tile_information(t);
    const uint32_t trust = hm_factors_fold(f);
    tile_trust[i] = (uint8_t)(trust < 255 ? trust : 255);
  }
}

static enum hm_factor lowest(const uint16_t factors[HM_FACTOR_COUNT])
{
  int least = 0;
  for (int i = 1; i < HM_FACTOR_COUNT; i++)
    if (factors[i] < factors[least])
      least = i;
  return (enum hm_factor)least;
}

static enum hm_sensor_state state_of(const struct work *w, const struct hm_trust_history *h,
                                     uint32_t dark_tiles)
{
  if (10 * (uint64_t)dark_tiles >= 9 * (uint64_t)w->count)
    return HM_SENSOR_DARK;
  if (h->is_obscured)
    return HM_SENSOR_OBSCURED;
  return h->still_run >= STILL_HALF_RUN ? HM_SENSOR_FROZEN : HM_SENSOR_OK;
}

void hm_trust_judge(const struct hm_tile_grid *grid, const struct hm_tile *tiles, bool has_before,
                    uint64_t capture_ns, struct hm_trust_history *history,
                    struct hm_trust_scratch *scratch, struct hm_trust *out, uint8_t *tile_trust)
{
  struct work w = {.grid = grid,
                   .tiles = tiles,
                   .has_before = has_before,
                   .scratch = scratch,
                   .count = grid->whole_columns * grid->whole_rows};
  memset(out, 0, sizeof *out);
  if (w.count == 0) {
    out->state = HM_SENSOR_NOT_PROCESSED;
    return;
  }
  uint32_t dark_tiles;
  find_noise(&w);
  find_sharpness(&w);
  sum_tiles(&w, out, &dark_tiles);
  out->tiles = w.count;
  out->noise_q8 = (uint16_t)w.noise;
  out->textured_q8 = (uint16_t)((uint64_t)ONE * w.sharp_tiles / w.count);
  out->factors[HM_FACTOR_LIVE] = (uint16_t)live_factor(&w, history);

  const struct hm_trust_sample now = {capture_ns, (uint32_t)(w.energy / w.count), out->textured_q8,
                                      out->light};
  watch_for_cover(history, &now);
  remember(history, &now);
  if (history->is_obscured)
    out->factors[HM_FACTOR_INFORMATION] = OBSCURED_INFORMATION;
  out->state = state_of(&w, history, dark_tiles);
  out->value = (uint16_t)hm_factors_fold(out->factors);
  out->reason = lowest(out->factors);
  if (tile_trust != NULL)
    fold_tiles(&w, out, tile_trust);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Two searches: a quarter of the zones look far (12 thumbnail pixels) and vote for the
 * global shift; then every zone looks near the global shift and near rest. Positions
 * whose block would leave the frame before are not tried.
 */
#include "sensors/motion.h"

#include "sensors/integer.h"

enum {
  BLOCK = 16,
  FAR = 12,
  NEAR = 3,
  BLOCK_TEXTURE = 2 * BLOCK * BLOCK, /* mean gradient of 2 levels in either direction */
  LEAST_BLOCKS = 4,
  PIXEL_TEXTURE = 8
};

struct block {
  uint32_t x, y;
  bool has_texture;
};

struct match {
  int32_t dx, dy;
  uint32_t sad;
  bool is_found;
};

void hm_thumb_make(const struct hm_plane *luma, struct hm_thumb *out)
{
  uint32_t k = 0;
  while (luma->width >> k > HM_THUMB_SIDE || luma->height >> k > HM_THUMB_SIDE)
    k++;
  const uint32_t side = 1u << k, half = side * side / 2;
  out->log2_scale = k;
  out->width = luma->width >> k;
  out->height = luma->height >> k;
  uint32_t sums[HM_THUMB_SIDE];
  for (uint32_t y = 0; y < out->height; y++) {
    memset(sums, 0, sizeof sums);
    for (uint32_t j = 0; j < side; j++) {
      const uint8_t *row = luma->data + (size_t)(y * side + j) * luma->stride;
      for (uint32_t x = 0; x < out->width; x++)
        for (uint32_t i = 0; i < side; i++)
          sums[x] += row[x * side + i];
    }
    for (uint32_t x = 0; x < out->width; x++)
      out->data[y * out->width + x] = (uint8_t)((sums[x] + half) >> (2 * k));
  }
}

/* ---- blocks -------------------------------------------------------------------- */

/* The block in the middle of a zone. The thumbnail is at least BLOCK wide and high. */
static struct block block_of(const struct hm_thumb *t, uint32_t zone)
{
  const uint32_t middle_x = (2 * (zone % HM_ZONE_SIDE) + 1) * t->width / (2 * HM_ZONE_SIDE);
  const uint32_t middle_y = (2 * (zone / HM_ZONE_SIDE) + 1) * t->height / (2 * HM_ZONE_SIDE);
  uint32_t x = middle_x > BLOCK / 2 ? middle_x - BLOCK / 2 : 0;
  uint32_t y = middle_y > BLOCK / 2 ? middle_y - BLOCK / 2 : 0;
  x = x > t->width - BLOCK ? t->width - BLOCK : x;
  y = y > t->height - BLOCK ? t->height - BLOCK : y;
  uint32_t across = 0, down = 0;
  for (uint32_t j = 0; j + 1 < BLOCK; j++) {
    const uint8_t *row = t->data + (size_t)(y + j) * t->width + x;
    for (uint32_t i = 0; i + 1 < BLOCK; i++) {
      across += (uint32_t)(row[i + 1] > row[i] ? row[i + 1] - row[i] : row[i] - row[i + 1]);
      const uint8_t below = row[i + t->width];
      down += (uint32_t)(below > row[i] ? below - row[i] : row[i] - below);
    }
  }
  struct block b = {x, y, across >= BLOCK_TEXTURE && down >= BLOCK_TEXTURE};
  return b;
}

static uint32_t block_sad(const uint8_t *a, const uint8_t *b, size_t stride)
{
  uint32_t sum = 0;
  for (uint32_t y = 0; y < BLOCK; y++, a += stride, b += stride)
    for (uint32_t x = 0; x < BLOCK; x++)
      sum += (uint32_t)(a[x] > b[x] ? a[x] - b[x] : b[x] - a[x]);
  return sum;
}

/* SAD of the block against content that moved by (dx, dy); false outside. */
static bool sad_at(const struct hm_thumb *now, const struct hm_thumb *before, const struct block *b,
                   int32_t dx, int32_t dy, uint32_t *sad)
{
  const int32_t x = (int32_t)b->x - dx, y = (int32_t)b->y - dy;
  if (x < 0 || y < 0 || x > (int32_t)now->width - BLOCK || y > (int32_t)now->height - BLOCK)
    return false;
  *sad = block_sad(now->data + (size_t)b->y * now->width + b->x,
                   before->data + (size_t)y * now->width + (size_t)x, now->width);
  return true;
}

/* Improve best with the positions around a centre. */
static void search(const struct hm_thumb *now, const struct hm_thumb *before, const struct block *b,
                   int32_t centre_x, int32_t centre_y, int32_t reach, struct match *best)
{
  for (int32_t dy = centre_y - reach; dy <= centre_y + reach; dy++)
    for (int32_t dx = centre_x - reach; dx <= centre_x + reach; dx++) {
      uint32_t sad;
      if (!sad_at(now, before, b, dx, dy, &sad) || (best->is_found && sad >= best->sad))
        continue;
      *best = (struct match){dx, dy, sad, true};
    }
}

/* Rest first: of equal matches the one that moves least to the eye is taken. */
static struct match search_from_rest(const struct hm_thumb *now, const struct hm_thumb *before,
                                     const struct block *b, int32_t reach)
{
  struct match best = {0};
  search(now, before, b, 0, 0, 0, &best);
  search(now, before, b, 0, 0, reach, &best);
  return best;
}

/* ---- consensus ------------------------------------------------------------------- */

static int32_t median(int32_t *values, uint32_t count)
{
  for (uint32_t i = 1; i < count; i++)
    for (uint32_t j = i; j > 0 && values[j - 1] > values[j]; j--) {
      const int32_t swap = values[j];
      values[j] = values[j - 1];
      values[j - 1] = swap;
    }
  return values[count / 2];
}

static bool agrees(const struct match *m, int32_t dx, int32_t dy)
{
  return m->dx - dx <= 1 && dx - m->dx <= 1 && m->dy - dy <= 1 && dy - m->dy <= 1;
}

/* The vertex of the parabola through three sums, in 1/16 of their distance. */
static int32_t vertex(uint64_t left, uint64_t middle, uint64_t right)
{
  const int64_t bend = (int64_t)left - 2 * (int64_t)middle + (int64_t)right;
  if (bend <= 0)
    return 0;
  const int64_t at = HM_SHIFT_STEPS * ((int64_t)left - (int64_t)right) / (2 * bend);
  const int64_t half = HM_SHIFT_STEPS / 2;
  return (int32_t)(at > half ? half : at < -half ? -half : at);
}

/* Refine the consensus from the SADs of the agreeing blocks around it. */
static void refine(const struct hm_thumb *now, const struct hm_thumb *before,
                   const struct block *blocks, const struct match *matches, uint32_t count,
                   int32_t dx, int32_t dy, struct hm_shift *out)
{
  static const int32_t around[5][2] = {{0, 0}, {-1, 0}, {1, 0}, {0, -1}, {0, 1}};
  uint64_t sums[5] = {0};
  for (uint32_t i = 0; i < count; i++) {
    uint32_t sads[5];
    bool all = agrees(&matches[i], dx, dy);
    for (int p = 0; p < 5 && all; p++)
      all = sad_at(now, before, &blocks[i], dx + around[p][0], dy + around[p][1], &sads[p]);
    for (int p = 0; p < 5 && all; p++)
      sums[p] += sads[p];
  }
  out->dx = HM_SHIFT_STEPS * dx + vertex(sums[1], sums[0], sums[2]);
  out->dy = HM_SHIFT_STEPS * dy + vertex(sums[3], sums[0], sums[4]);
}

static void find_global(const struct hm_thumb *now, const struct hm_thumb *before,
                        const struct block *all, struct hm_shift *out)
{
  struct block blocks[HM_ZONES];
  struct match matches[HM_ZONES];
  int32_t xs[HM_ZONES], ys[HM_ZONES];
  uint32_t count = 0, agreeing = 0;
  for (uint32_t zone = 0; zone < HM_ZONES; zone++) {
    /* a quarter of the zones, spread like a lattice */
    if (zone % 2 != 0 || zone / HM_ZONE_SIDE % 2 != 0 || !all[zone].has_texture)
      continue;
    matches[count] = search_from_rest(now, before, &all[zone], FAR);
    blocks[count] = all[zone];
    xs[count] = matches[count].dx;
    ys[count] = matches[count].dy;
    count++;
  }
  if (count < LEAST_BLOCKS)
    return;
  const int32_t dx = median(xs, count), dy = median(ys, count);
  for (uint32_t i = 0; i < count; i++)
    agreeing += agrees(&matches[i], dx, dy);
  if (2 * agreeing < count)
    return;
  out->is_judged = true;
  refine(now, before, blocks, matches, count, dx, dy, out);
}

/* Nearest whole step. */
static int32_t whole(int32_t sixteenths)
{
  const int32_t half = HM_SHIFT_STEPS / 2;
  return (sixteenths + (sixteenths < 0 ? -half : half)) / HM_SHIFT_STEPS;
}

void hm_motion_find(const struct hm_thumb *now, const struct hm_thumb *before,
                    struct hm_motion *out)
{
  struct block blocks[HM_ZONES];
  memset(out, 0, sizeof *out);
  if (now->width != before->width || now->height != before->height || now->width < BLOCK ||
      now->height < BLOCK)
    return;
  for (uint32_t zone = 0; zone < HM_ZONES; zone++)
    blocks[zone] = block_of(now, zone);
  find_global(now, before, blocks, &out->global);
  for (uint32_t zone = 0; zone < HM_ZONES; zone++) {
    if (!blocks[zone].has_texture)
      continue;
    struct match best = search_from_rest(now, before, &blocks[zone], NEAR);
    search(now, before, &blocks[zone], whole(out->global.dx), whole(out->global.dy), NEAR, &best);
    out->zones[zone] = (struct hm_shift){HM_SHIFT_STEPS * best.dx, HM_SHIFT_STEPS * best.dy, true};
  }
}

/* ---- what the record shows ---------------------------------------------------------- */

/* 0 right, 1 right-down, 2 down ... clockwise; borders at about 22.5 degrees (5/12). */
static uint32_t octant_of(int32_t x, int32_t y)
{
  const int32_t across = x < 0 ? -x : x, down = y < 0 ? -y : y;
  const bool is_flat = 12 * down < 5 * across, is_steep = 12 * across < 5 * down;
  if (is_flat)
    return x < 0 ? 4 : 0;
  if (is_steep)
    return y < 0 ? 6 : 2;
  return y < 0 ? (x < 0 ? 5 : 7) : (x < 0 ? 3 : 1);
}

uint8_t hm_motion_zone_byte(const struct hm_motion *motion, uint32_t zone)
{
  const struct hm_shift *own = &motion->zones[zone];
  if (!own->is_judged)
    return 0;
  const int32_t x = own->dx / HM_SHIFT_STEPS, y = own->dy / HM_SHIFT_STEPS;
  const int32_t global_x = whole(motion->global.dx), global_y = whole(motion->global.dy);
  const struct match m = {x, y, 0, true};
  const bool is_bulk = motion->global.is_judged && agrees(&m, global_x, global_y);
  const int32_t dx = is_bulk ? global_x : x - global_x, dy = is_bulk ? global_y : y - global_y;
  const uint32_t length = hm_square_root((uint64_t)(dx * dx + dy * dy));
  if (length == 0)
    return 0;
  return (uint8_t)((length < 15 ? length : 15) << 4 | octant_of(dx, dy) << 1 | is_bulk);
}

int16_t hm_motion_pixels(const struct hm_motion *motion, const struct hm_thumb *thumb,
                         int32_t component)
{
  if (!motion->global.is_judged)
    return HM_PERIPHERAL_UNMEASURED;
  return (int16_t)(component * (1 << thumb->log2_scale));
}

/* ---- prediction ----------------------------------------------------------------------- */

/* before at (x - shift), bilinear, in Q8; false outside. */
static bool predict(const struct hm_thumb *before, int32_t x, int32_t y,
                    const struct hm_shift *shift, int32_t *value)
{
  const int32_t steps = HM_SHIFT_STEPS;
  const int32_t px = x * steps - shift->dx, py = y * steps - shift->dy;
  if (px < 0 || py < 0)
    return false;
  const int32_t left = px / steps, top = py / steps, fx = px % steps, fy = py % steps;
  const int32_t right = fx == 0 ? left : left + 1, below = fy == 0 ? top : top + 1;
  if (right >= (int32_t)before->width || below >= (int32_t)before->height)
    return false;
  const uint8_t *a = before->data + (size_t)top * before->width;
  const uint8_t *b = before->data + (size_t)below * before->width;
  *value = (a[left] * (steps - fx) + a[right] * fx) * (steps - fy) +
           (b[left] * (steps - fx) + b[right] * fx) * fy;
  return true;
}

/* A thumbnail pixel where a wrong shift would show. */
static bool has_texture(const struct hm_thumb *t, uint32_t x, uint32_t y)
{
  if (x + 1 >= t->width || y + 1 >= t->height)
    return false;
  const uint8_t *at = t->data + (size_t)y * t->width + x;
  const int32_t dx = at[1] - at[0], dy = at[t->width] - at[0];
  return (dx < 0 ? -dx : dx) + (dy < 0 ? -dy : dy) >= PIXEL_TEXTURE;
}

/* The middle of count values in bins of whole grey levels, in Q8. */
static uint32_t middle_of(const uint32_t bins[256], uint32_t count)
{
  uint32_t seen = 0, bin = 0;
  if (count == 0)
    return 0;
  while (seen + bins[bin] <= count / 2)
    seen += bins[bin++];
  return 256 * bin;
}

void hm_motion_predict(const struct hm_thumb *now, const struct hm_thumb *before,
                       const struct hm_shift *global, struct hm_residual *out)
{
  uint32_t bins[256] = {0}, count = 0;
  out->width = now->width;
  out->height = now->height;
  out->log2_scale = now->log2_scale;
  for (uint32_t y = 0; y < now->height; y++)
    for (uint32_t x = 0; x < now->width; x++) {
      uint16_t *at = &out->map[(size_t)y * now->width + x];
      int32_t predicted;
      *at = HM_UNPREDICTED;
      if (!predict(before, (int32_t)x, (int32_t)y, global, &predicted))
        continue;
      const int32_t difference = 256 * now->data[(size_t)y * now->width + x] - predicted;
      *at = (uint16_t)(difference < 0 ? -difference : difference); /* at most 255 * 256 */
      if (!has_texture(now, x, y))
        continue;
      bins[*at >> 8]++;
      count++;
    }
  out->doubt_q8 = middle_of(bins, count);
}

uint32_t hm_motion_error(const struct hm_residual *residual, const struct hm_rect *region)
{
  const uint32_t k = residual->log2_scale;
  const uint32_t end_x = (uint32_t)(region->x + region->width - 1) >> k;
  const uint32_t end_y = (uint32_t)(region->y + region->height - 1) >> k;
  uint64_t sum = 0, count = 0;
  for (uint32_t y = region->y >> k; y <= end_y && y < residual->height; y++)
    for (uint32_t x = region->x >> k; x <= end_x && x < residual->width; x++) {
      const uint64_t at = residual->map[(size_t)y * residual->width + x];
      if (at == HM_UNPREDICTED)
        continue;
      sum += at * at;
      count++;
    }
  return count == 0 ? HM_ERROR_UNPREDICTED : hm_square_root(sum / count);
}

uint32_t hm_surprise_q8(uint32_t error_q8, uint32_t sigma_q8)
{
  const uint64_t sigma = sigma_q8 > 256 ? sigma_q8 : 256;
  /* two frames that differ by noise alone differ by sqrt(2) sigma */
  const uint64_t ratio = (uint64_t)error_q8 * 256 * 1000 / (1414 * sigma);
  if (ratio <= 256)
    return 0;
  uint32_t octaves = 0;
  while (ratio >> (octaves + 9) != 0)
    octaves++;
  /* the logarithm is taken as straight within an octave */
  const uint64_t within = 32 * (ratio - ((uint64_t)256 << octaves)) >> (octaves + 8);
  const uint64_t surprise = 32 * (uint64_t)octaves + within;
  return (uint32_t)(surprise < 256 ? surprise : 256);
}

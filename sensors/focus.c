/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Everything is a few passes over the cells, which are 64 times fewer than the pixels.
 * Components are flooded with a stack that holds each cell at most once, so there is
 * no recursion and no bound that depends on shape.
 */
#include "sensors/focus.h"

enum {
  CELL_PIXELS = HM_CELL_SIDE * HM_CELL_SIDE,
  TILE_ROW_CELLS = HM_TILE_SIDE / HM_CELL_SIDE,
  LEAST_CHANGE = 4,        /* grey levels a pixel */
  TEXTURE_GRADIENT = 7200, /* as in frame trust */
  CLOSE_X = 2,             /* 5 cells wide */
  CLOSE_Y = 1,             /* 3 cells high */
  AXIS_CELLS = HM_FRAME_MAX_SIDE / HM_CELL_SIDE,
  MEDIAN_BITS = 7,     /* the median is found in two steps of 7 bits */
  SAME_REGION_IOU = 77 /* 0.3 */
};

/* States of a cell in the mask. */
enum { CELL_FREE = 0, CELL_IN = 1 };

struct cells {
  uint32_t width, height;
};

/* The cells' SADs; mask marks the cells of tiles that can show motion. Their number. */
static size_t gather(const struct cells *c, uint32_t frame_width, const struct hm_tile *tiles,
                     uint16_t *sad, uint8_t *mask)
{
  const uint32_t columns = (frame_width + HM_TILE_SIDE - 1) / HM_TILE_SIDE;
  size_t count = 0;
  for (uint32_t y = 0; y < c->height; y++)
    for (uint32_t x = 0; x < c->width; x++) {
      const struct hm_tile *tile =
          &tiles[(size_t)(y / TILE_ROW_CELLS) * columns + x / TILE_ROW_CELLS];
      const size_t at = (size_t)y * c->width + x;
      sad[at] = tile->sub_sad[y % TILE_ROW_CELLS * TILE_ROW_CELLS + x % TILE_ROW_CELLS];
      mask[at] = tile->ge >= TEXTURE_GRADIENT ? CELL_IN : CELL_FREE;
      count += mask[at];
    }
  return count;
}

/* The middle SAD of the marked cells, exactly: first the upper bits, then the lower among
 * those. A cell's SAD is at most 64 * 255 < 2^14. */
static uint32_t median_of(const uint16_t *sad, const uint8_t *mask, size_t cells, size_t marked)
{
  uint32_t value = 0;
  size_t rank = marked / 2;
  if (marked == 0)
    return 0;
  for (int shift = MEDIAN_BITS; shift >= 0; shift -= MEDIAN_BITS) {
    size_t bins[1 << MEDIAN_BITS] = {0};
    for (size_t i = 0; i < cells; i++)
      if (mask[i] != CELL_FREE &&
          (shift == MEDIAN_BITS || (uint32_t)sad[i] >> MEDIAN_BITS == value))
        bins[sad[i] >> shift & ((1 << MEDIAN_BITS) - 1)]++;
    uint32_t bin = 0;
    while (rank >= bins[bin])
      rank -= bins[bin++];
    value = value << MEDIAN_BITS | bin;
  }
  return value;
}

/* out = any (grow) or all (not grow) of the window around each cell; outside the picture
 * there is nothing to grow from and nothing to shrink from. */
static bool window_of(const struct cells *c, const uint8_t *in, uint32_t x, uint32_t y, bool grow)
{
  const uint32_t left = x > CLOSE_X ? x - CLOSE_X : 0, top = y > CLOSE_Y ? y - CLOSE_Y : 0;
  for (uint32_t j = top; j <= y + CLOSE_Y && j < c->height; j++)
    for (uint32_t i = left; i <= x + CLOSE_X && i < c->width; i++)
      if ((in[(size_t)j * c->width + i] != 0) == grow)
        return grow;
  return !grow;
}

static void close_gaps(const struct cells *c, uint8_t *mask, uint8_t *scratch)
{
  for (uint32_t y = 0; y < c->height; y++)
    for (uint32_t x = 0; x < c->width; x++)
      scratch[(size_t)y * c->width + x] = window_of(c, mask, x, y, true);
  for (uint32_t y = 0; y < c->height; y++)
    for (uint32_t x = 0; x < c->width; x++)
      mask[(size_t)y * c->width + x] = window_of(c, scratch, x, y, false);
}

/* ---- components ------------------------------------------------------------------------- */

/* Take the component of a cell out of the mask; its cells are left on the stack. */
static size_t flood(const struct cells *c, uint8_t *mask, uint32_t *stack, uint32_t start)
{
  size_t count = 0, done = 0;
  stack[count++] = start;
  mask[start] = CELL_FREE;
  while (done < count) {
    const uint32_t x = stack[done] % c->width, y = stack[done] / c->width;
    done++;
    for (uint32_t j = y > 0 ? y - 1 : 0; j <= y + 1 && j < c->height; j++)
      for (uint32_t i = x > 0 ? x - 1 : 0; i <= x + 1 && i < c->width; i++) {
        const uint32_t next = j * c->width + i;
        if (mask[next] == CELL_FREE)
          continue;
        mask[next] = CELL_FREE;
        stack[count++] = next;
      }
  }
  return count;
}

/* First and last index between which 1..99 % of the mass lie. */
static void mass_range(const uint32_t *along, uint32_t count, uint64_t mass, uint32_t *first,
                       uint32_t *last)
{
  uint64_t seen = 0;
  *first = *last = 0;
  bool is_inside = false;
  for (uint32_t i = 0; i < count; i++) {
    seen += along[i];
    if (!is_inside && 100 * seen > mass) {
      *first = i;
      is_inside = true;
    }
    *last = i;
    if (100 * seen >= 99 * mass)
      return;
  }
}

static bool box_of(const struct cells *c, const uint16_t *sad, uint32_t threshold,
                   const uint32_t *members, size_t count, struct hm_candidate *out)
{
  uint32_t columns[AXIS_CELLS] = {0}, rows[AXIS_CELLS] = {0};
  out->mass = 0;
  for (size_t i = 0; i < count; i++) {
    const uint32_t weight = sad[members[i]];
    if (weight <= threshold)
      continue;
    columns[members[i] % c->width] += weight;
    rows[members[i] / c->width] += weight;
    out->mass += weight;
  }
  uint32_t left, right, top, bottom;
  mass_range(columns, c->width, out->mass, &left, &right);
  mass_range(rows, c->height, out->mass, &top, &bottom);
  out->box.x = (uint16_t)(left * HM_CELL_SIDE);
  out->box.y = (uint16_t)(top * HM_CELL_SIDE);
  out->box.width = (uint16_t)((right - left + 1) * HM_CELL_SIDE);
  out->box.height = (uint16_t)((bottom - top + 1) * HM_CELL_SIDE);
  return out->box.width >= HM_FOCUS_LEAST_WIDTH && out->box.height >= HM_FOCUS_LEAST_HEIGHT;
}

/* Keep the heaviest, falling mass; of equals the earlier stays ahead. */
static void keep(struct hm_focus *out, const struct hm_candidate *candidate)
{
  out->found++;
  uint32_t at = out->count;
  if (out->count == HM_FOCUS_CANDIDATES) {
    if (candidate->mass <= out->candidates[HM_FOCUS_CANDIDATES - 1].mass)
      return;
    at--;
  } else {
    out->count++;
  }
  for (; at > 0 && out->candidates[at - 1].mass < candidate->mass; at--)
    out->candidates[at] = out->candidates[at - 1];
  out->candidates[at] = *candidate;
}

enum hm_status hm_focus_find(uint32_t width, uint32_t height, const struct hm_tile *tiles,
                             struct hm_focus_work *work, struct hm_focus *out)
{
  const struct cells c = {width / HM_CELL_SIDE, height / HM_CELL_SIDE};
  const size_t count = hm_focus_cells(width, height);
  memset(out, 0, sizeof *out);
  if (work->cells < count)
    return HM_SHORT_BUFFER;
  if (c.width > AXIS_CELLS || c.height > AXIS_CELLS)
    return HM_TOO_LARGE;
  if (count == 0)
    return HM_OK;
  const size_t textured = gather(&c, width, tiles, work->sad, work->mask);
  out->median = median_of(work->sad, work->mask, count, textured);
  out->threshold =
      LEAST_CHANGE * CELL_PIXELS > 3 * out->median ? LEAST_CHANGE * CELL_PIXELS : 3 * out->median;
  size_t moved = 0;
  for (size_t i = 0; i < count; i++) {
    work->mask[i] = work->sad[i] > out->threshold ? CELL_IN : CELL_FREE;
    moved += work->mask[i];
  }
  out->moved_q8 = (uint32_t)(256 * moved / count);
  close_gaps(&c, work->mask, work->scratch);
  for (uint32_t i = 0; i < count; i++) {
    if (work->mask[i] == CELL_FREE)
      continue;
    struct hm_candidate candidate;
    const size_t members = flood(&c, work->mask, work->stack, i);
    if (box_of(&c, work->sad, out->threshold, work->stack, members, &candidate))
      keep(out, &candidate);
  }
  return HM_OK;
}

/* ---- the focus set -------------------------------------------------------------------- */

void hm_focus_set_expire(struct hm_focus_set *set, uint64_t now_ns, uint64_t ttl_ns)
{
  for (int i = 0; i < HM_FOCUS_HELD; i++) {
    struct hm_focus_entry *e = &set->entries[i];
    if (e->is_held && now_ns > e->seen_ns && now_ns - e->seen_ns > ttl_ns)
      e->is_held = false;
  }
}

/* The place for a box: the entry it overlaps most, else a free one, else the least. */
static struct hm_focus_entry *place_for(struct hm_focus_set *set, const struct hm_rect *box,
                                        uint32_t value, uint32_t top, bool *is_same)
{
  struct hm_focus_entry *same = NULL, *unused = NULL, *least = NULL;
  uint32_t most = SAME_REGION_IOU;
  for (uint32_t i = 0; i < top; i++) {
    struct hm_focus_entry *e = &set->entries[i];
    if (!e->is_held) {
      unused = unused == NULL ? e : unused;
      continue;
    }
    const uint32_t iou = hm_rect_iou_q8(&e->box, box);
    if (iou >= most) {
      most = iou;
      same = e;
    }
    if (least == NULL || e->value < least->value)
      least = e;
  }
  *is_same = same != NULL;
  if (same != NULL)
    return same;
  if (unused != NULL)
    return unused;
  return least != NULL && least->value < value ? least : NULL;
}

struct hm_focus_entry *hm_focus_set_add(struct hm_focus_set *set, const struct hm_rect *box,
                                        uint32_t value, uint64_t now_ns, uint32_t top)
{
  bool is_same;
  struct hm_focus_entry *e =
      place_for(set, box, value, top < HM_FOCUS_HELD ? top : HM_FOCUS_HELD, &is_same);
  if (e == NULL)
    return NULL;
  const bool was_focus = is_same && e->is_focus;
  if (!is_same)
    e->is_remembered = false;
  e->box = *box;
  e->value = value;
  e->seen_ns = now_ns;
  e->is_held = true;
  e->is_focus = value >= (was_focus ? HM_FOCUS_LEAVE : HM_FOCUS_ENTER);
  return e;
}

bool hm_focus_entry_remember(struct hm_focus_entry *entry, uint64_t now_ns, uint64_t refractory_ns)
{
  if (entry == NULL)
    return true;
  if (entry->is_remembered && now_ns >= entry->remembered_ns &&
      now_ns - entry->remembered_ns < refractory_ns)
    return false;
  entry->is_remembered = true;
  entry->remembered_ns = now_ns;
  return true;
}

uint64_t hm_zone_mask(const struct hm_rect *box, uint32_t width, uint32_t height)
{
  uint64_t mask = 0;
  for (uint32_t zone = 0; zone < 64; zone++) {
    const uint32_t column = zone % 8, row = zone / 8;
    const bool across =
        box->x * 8u < (column + 1) * width && (box->x + (uint32_t)box->width) * 8u > column * width;
    const bool down =
        box->y * 8u < (row + 1) * height && (box->y + (uint32_t)box->height) * 8u > row * height;
    if (across && down)
      mask |= (uint64_t)1 << zone;
  }
  return mask;
}

uint64_t hm_focus_set_mask(const struct hm_focus_set *set, uint32_t width, uint32_t height)
{
  uint64_t mask = 0;
  for (int i = 0; i < HM_FOCUS_HELD; i++)
    if (set->entries[i].is_held && set->entries[i].is_focus)
      mask |= hm_zone_mask(&set->entries[i].box, width, height);
  return mask;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The steps of one frame in order; each module holds its own rule, this one only passes
 * results on. Memory: buffers that depend on the frame size are one block, made anew
 * when the size changes; the rest is in the struct.
 *
 * A frame that is dark, obscured, frozen, or trusted below the gate yields its record
 * and no region: value promotes, trust gates.
 */
#include "sensors/analyse.h"

#include <stdlib.h>

#include "sensors/focus.h"
#include "sensors/motion.h"
#include "sensors/novelty.h"

enum { DEFAULT_TTL_MS = 1000, DEFAULT_REFRACTORY_MS = 250 };

/* Everything whose size follows the frame's. */
struct buffers {
  uint32_t width, height;
  uint8_t *luma; /* the frame before, packed */
  struct hm_tile *tiles;
  uint8_t *tile_trust;
  struct hm_focus_work focus;
};

struct hm_analysis {
  struct hm_analysis_config config;
  struct buffers buffers;
  bool has_before;
  struct hm_trust_history history;
  struct hm_trust_scratch scratch;
  struct hm_thumb thumbs[2];
  uint32_t thumb; /* which one is this frame's */
  struct hm_motion motion;
  struct hm_residual residual;
  struct hm_focus focus;
  struct hm_focus_set set;
  struct hm_novelty novelty;
  bool has_link;
  uint8_t link[8];
  struct hm_analysis_result result;
  struct hm_region regions[HM_FOCUS_CANDIDATES];
};

static uint16_t or_default(uint16_t value, uint16_t fallback)
{
  return value == 0 ? fallback : value;
}

struct hm_analysis *hm_analysis_new(const struct hm_analysis_config *config)
{
  if (config->sha256 == NULL)
    return NULL;
  struct hm_analysis *a = calloc(1, sizeof *a);
  if (a == NULL)
    return NULL;
  a->config = *config;
  a->config.record_q8 = or_default(config->record_q8, HM_VALUE_RECORD);
  a->config.embed_q8 = or_default(config->embed_q8, HM_VALUE_EMBED);
  a->config.trust_gate_q8 = or_default(config->trust_gate_q8, HM_TRUST_GATE);
  if (config->top == 0 || config->top > HM_REGIONS_MAX)
    a->config.top = HM_REGIONS_MAX;
  if (config->ttl_ms == 0)
    a->config.ttl_ms = DEFAULT_TTL_MS;
  if (config->refractory_ms == 0)
    a->config.refractory_ms = DEFAULT_REFRACTORY_MS;
  return a;
}

static void free_buffers(struct buffers *b)
{
  free(b->luma);
  free(b->tiles);
  free(b->tile_trust);
  free(b->focus.sad);
  free(b->focus.mask);
  free(b->focus.scratch);
  free(b->focus.stack);
  memset(b, 0, sizeof *b);
}

void hm_analysis_free(struct hm_analysis *a)
{
  if (a == NULL)
    return;
  free_buffers(&a->buffers);
  free(a);
}

/* At least one element, so that an allocation of nothing is no failure. */
static void *array(size_t count, size_t size)
{
  return calloc(count == 0 ? 1 : count, size);
}

static enum hm_status resize(struct hm_analysis *a, uint32_t width, uint32_t height)
{
  struct buffers *b = &a->buffers;
  if (b->width == width && b->height == height)
    return HM_OK;
  free_buffers(b);
  const struct hm_tile_grid grid = hm_tile_grid(width, height);
  const size_t tiles = (size_t)grid.columns * grid.rows, cells = hm_focus_cells(width, height);
  b->luma = array((size_t)width * height, 1);
  b->tiles = array(tiles, sizeof *b->tiles);
  b->tile_trust = array(tiles, 1);
  b->focus.sad = array(cells, sizeof *b->focus.sad);
  b->focus.mask = array(cells, 1);
  b->focus.scratch = array(cells, 1);
  b->focus.stack = array(cells, sizeof *b->focus.stack);
  if (b->luma == NULL || b->tiles == NULL || b->tile_trust == NULL || b->focus.sad == NULL ||
      b->focus.mask == NULL || b->focus.scratch == NULL || b->focus.stack == NULL) {
    free_buffers(b);
    return HM_FULL;
  }
  b->focus.cells = cells;
  b->width = width;
  b->height = height;
  a->has_before = false;
  memset(&a->history, 0, sizeof a->history);
  memset(&a->set, 0, sizeof a->set);
  a->result.grid = grid;
  a->result.tiles = b->tiles;
  return HM_OK;
}

static void keep_luma(struct hm_analysis *a, const struct hm_frame *frame)
{
  for (uint32_t y = 0; y < frame->height; y++)
    memcpy(a->buffers.luma + (size_t)y * frame->width, frame->y.data + y * frame->y.stride,
           frame->width);
  a->has_before = true;
}

static enum hm_status measure(struct hm_analysis *a, const struct hm_frame *frame,
                              const struct hm_stamp *stamp)
{
  const struct hm_tile_grid *grid = &a->result.grid;
  const struct hm_plane before = {a->buffers.luma, frame->width, frame->width, frame->height, 1};
  HM_TRY(hm_tiles_measure(hm_tile_kernel_best(), &frame->y, a->has_before ? &before : NULL,
                          hm_tile_limits(frame->range), a->buffers.tiles,
                          (size_t)grid->columns * grid->rows));
  hm_trust_judge(grid, a->buffers.tiles, a->has_before, stamp->capture_ns, &a->history, &a->scratch,
                 &a->result.trust, a->buffers.tile_trust);
  a->thumb ^= 1;
  hm_thumb_make(&frame->y, &a->thumbs[a->thumb]);
  memset(&a->motion, 0, sizeof a->motion);
  if (a->has_before) {
    const struct hm_thumb *now = &a->thumbs[a->thumb], *then = &a->thumbs[a->thumb ^ 1];
    hm_motion_find(now, then, &a->motion);
    hm_motion_predict(now, then, &a->motion.global, &a->residual);
  }
  return hm_focus_find(frame->width, frame->height, a->buffers.tiles, &a->buffers.focus, &a->focus);
}

/* ---- regions ------------------------------------------------------------------------ */

static uint16_t mean_of_parts(const uint16_t parts[HM_VALUE_PARTS])
{
  uint32_t sum = 0, count = 0;
  for (int i = 0; i < HM_VALUE_PARTS; i++)
    if (parts[i] != HM_VALUE_UNMEASURED) {
      sum += parts[i];
      count++;
    }
  return (uint16_t)(count == 0 ? 0 : sum / count);
}

static enum hm_status weigh(struct hm_analysis *a, const struct hm_frame *frame,
                            const struct hm_rect *box, struct hm_region *out)
{
  const uint32_t error = hm_motion_error(&a->residual, box);
  const uint32_t noise = a->result.trust.noise_q8, doubt = a->residual.doubt_q8;
  memset(out, 0, sizeof *out);
  out->box = *box;
  out->pixels = frame->format == HM_GRAY8 ? HM_PIXELS_GREY : HM_PIXELS_I420;
  HM_TRY(hm_picture_from_region(frame, box, out->picture));
  hm_region_encode(out->picture, out->vector);
  for (int i = 0; i < HM_VALUE_PARTS; i++)
    out->parts[i] = HM_VALUE_UNMEASURED;
  if (error != HM_ERROR_UNPREDICTED)
    out->parts[0] = (uint16_t)hm_surprise_q8(error, noise > doubt ? noise : doubt);
  if (!hm_vector_is_zero(out->vector))
    out->parts[1] = (uint16_t)hm_novelty_q8(&a->novelty, out->vector);
  out->value = mean_of_parts(out->parts);
  /* what the prediction explains to within the noise is nothing to record, new or not */
  out->is_observation = out->parts[0] > 0 && out->value >= a->config.record_q8;
  out->is_memory = out->is_observation && out->value >= a->config.embed_q8 &&
                   out->parts[1] != HM_VALUE_UNMEASURED;
  return HM_OK;
}

/* The best of the candidates, falling value; of equals the heavier, so earlier, first. */
static void choose(struct hm_analysis *a, uint32_t count)
{
  uint32_t order[HM_FOCUS_CANDIDATES] = {0};
  struct hm_analysis_result *r = &a->result;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t at = i;
    for (; at > 0 && a->regions[order[at - 1]].value < a->regions[i].value; at--)
      order[at] = order[at - 1];
    order[at] = i;
  }
  r->region_count = count < a->config.top ? count : a->config.top;
  for (uint32_t i = 0; i < r->region_count; i++)
    r->regions[i] = a->regions[order[i]];
}

static bool may_record(const struct hm_analysis *a)
{
  return a->result.trust.state == HM_SENSOR_OK && a->result.trust.value >= a->config.trust_gate_q8;
}

static uint64_t ns_of_ms(uint32_t ms)
{
  return (uint64_t)ms * 1000 * 1000;
}

/* Take a region into the focus set and, where it makes a memory, into novelty's. */
static void hold(struct hm_analysis *a, struct hm_region *region, uint64_t now_ns)
{
  if (!region->is_observation)
    return;
  struct hm_focus_entry *entry =
      hm_focus_set_add(&a->set, &region->box, region->value, now_ns, a->config.top);
  region->is_memory = region->is_memory &&
                      hm_focus_entry_remember(entry, now_ns, ns_of_ms(a->config.refractory_ms));
  if (region->is_memory)
    hm_novelty_remember(&a->novelty, region->vector);
}

static enum hm_status find_regions(struct hm_analysis *a, const struct hm_frame *frame,
                                   const struct hm_stamp *stamp)
{
  struct hm_analysis_result *r = &a->result;
  r->candidates = a->focus.found;
  r->region_count = 0;
  hm_focus_set_expire(&a->set, stamp->capture_ns, ns_of_ms(a->config.ttl_ms));
  if (!may_record(a))
    return HM_OK;
  for (uint32_t i = 0; i < a->focus.count; i++)
    HM_TRY(weigh(a, frame, &a->focus.candidates[i].box, &a->regions[i]));
  choose(a, a->focus.count);
  for (uint32_t i = 0; i < r->region_count; i++)
    hold(a, &r->regions[i], stamp->capture_ns);
  return HM_OK;
}

/* ---- the record ----------------------------------------------------------------------- */

static uint8_t q8_to_u8(uint32_t value)
{
  return (uint8_t)(value < 255 ? value : 255);
}

/* Measured parts stop at 254: 255 says unmeasured. */
static uint8_t part_to_u8(uint16_t part)
{
  if (part == HM_VALUE_UNMEASURED)
    return HM_PART_UNMEASURED;
  return (uint8_t)(part < 254 ? part : 254);
}

static void stamp_record(const struct hm_analysis *a, const struct hm_stamp *stamp,
                         struct hm_peripheral *p)
{
  memset(p, 0, sizeof *p);
  p->capture_ns = stamp->capture_ns;
  p->sequence = stamp->sequence;
  p->context = stamp->context;
  memcpy(p->kid, stamp->kid, sizeof p->kid);
  memcpy(p->sensor, stamp->sensor, sizeof p->sensor);
  p->surprise = p->novelty = p->arousal = p->reward = p->conflict = HM_PART_UNMEASURED;
  p->dx = p->dy = p->rotation = p->zoom = HM_PERIPHERAL_UNMEASURED;
  if (a->has_link)
    memcpy(p->link, a->link, sizeof p->link);
}

/* First and end of the tiles that a zone pools; a zone of a small grid shares one. */
static void zone_span(uint32_t zone, uint32_t tiles, uint32_t *first, uint32_t *end)
{
  *first = zone * tiles / HM_ZONE_SIDE;
  *end = (zone + 1) * tiles / HM_ZONE_SIDE;
  if (*end <= *first)
    *end = *first + 1;
}

static uint8_t zone_trust(const struct hm_analysis *a, uint32_t zone)
{
  const struct hm_tile_grid *grid = &a->result.grid;
  uint32_t left, right, top, bottom, sum = 0;
  zone_span(zone % HM_ZONE_SIDE, grid->whole_columns, &left, &right);
  zone_span(zone / HM_ZONE_SIDE, grid->whole_rows, &top, &bottom);
  for (uint32_t y = top; y < bottom; y++)
    for (uint32_t x = left; x < right; x++)
      sum += a->buffers.tile_trust[y * grid->whole_columns + x];
  return (uint8_t)(sum / ((right - left) * (bottom - top)));
}

static void fill_values(const struct hm_analysis *a, struct hm_peripheral *p)
{
  const struct hm_analysis_result *r = &a->result;
  if (a->has_before && may_record(a))
    p->surprise = 0; /* nothing stood out from what was predicted */
  if (r->region_count == 0)
    return;
  const struct hm_region *best = &r->regions[0];
  p->surprise = part_to_u8(best->parts[0]);
  p->novelty = part_to_u8(best->parts[1]);
  p->value = q8_to_u8(best->value);
  for (uint32_t i = r->region_count; i-- > 0;) {
    const uint64_t mask = hm_zone_mask(&r->regions[i].box, a->buffers.width, a->buffers.height);
    for (uint32_t zone = 0; zone < HM_ZONES; zone++)
      if (mask >> zone & 1)
        p->zones[zone].value = q8_to_u8(r->regions[i].value);
  }
}

static void fill_record(const struct hm_analysis *a, const struct hm_stamp *stamp,
                        struct hm_peripheral *p)
{
  const struct hm_analysis_result *r = &a->result;
  stamp_record(a, stamp, p);
  p->state = r->trust.state;
  if (p->state == HM_SENSOR_OK && stamp->is_replay)
    p->state = HM_SENSOR_REPLAY;
  p->columns = (uint8_t)(r->grid.whole_columns < 255 ? r->grid.whole_columns : 255);
  p->rows = (uint8_t)(r->grid.whole_rows < 255 ? r->grid.whole_rows : 255);
  if (p->state == HM_SENSOR_NOT_PROCESSED)
    return;
  p->trust = q8_to_u8(r->trust.value);
  p->motion = q8_to_u8(a->focus.moved_q8);
  p->dx = hm_motion_pixels(&a->motion, &a->thumbs[a->thumb], a->motion.global.dx);
  p->dy = hm_motion_pixels(&a->motion, &a->thumbs[a->thumb], a->motion.global.dy);
  for (uint32_t zone = 0; zone < HM_ZONES; zone++) {
    p->zones[zone].trust = zone_trust(a, zone);
    p->zones[zone].motion = hm_motion_zone_byte(&a->motion, zone);
  }
  fill_values(a, p);
  p->focus = hm_focus_set_mask(&a->set, a->buffers.width, a->buffers.height);
}

static enum hm_status link_record(struct hm_analysis *a, const struct hm_peripheral *p,
                                  uint8_t record[HM_PERIPHERAL_BYTES])
{
  hm_peripheral_encode(p, record);
  HM_TRY(hm_peripheral_link(a->config.sha256, record, a->link));
  a->has_link = true;
  return HM_OK;
}

/* ---- the two calls --------------------------------------------------------------------- */

static enum hm_status check_frame(const struct hm_frame *frame)
{
  if (frame->width == 0 || frame->height == 0 || frame->y.data == NULL)
    return HM_MALFORMED;
  if (frame->width > HM_FRAME_MAX_SIDE || frame->height > HM_FRAME_MAX_SIDE)
    return HM_TOO_LARGE;
  return HM_OK;
}

enum hm_status hm_analysis_frame(struct hm_analysis *a, const struct hm_frame *frame,
                                 const struct hm_stamp *stamp,
                                 const struct hm_analysis_result **result)
{
  struct hm_peripheral p;
  HM_TRY(check_frame(frame));
  HM_TRY(resize(a, frame->width, frame->height));
  HM_TRY(measure(a, frame, stamp));
  HM_TRY(find_regions(a, frame, stamp));
  fill_record(a, stamp, &p);
  HM_TRY(link_record(a, &p, a->result.record));
  keep_luma(a, frame);
  *result = &a->result;
  return HM_OK;
}

enum hm_status hm_analysis_unprocessed(struct hm_analysis *a, const struct hm_stamp *stamp,
                                       uint8_t record[HM_PERIPHERAL_BYTES])
{
  struct hm_peripheral p;
  stamp_record(a, stamp, &p);
  p.state = HM_SENSOR_NOT_PROCESSED;
  return link_record(a, &p, record);
}

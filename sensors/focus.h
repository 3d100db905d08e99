/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Focus: where something changes more than the picture as a whole (the rule for a
 * camera that may move).
 *
 *   8x8 cells --SAD > max(4 a pixel, 3 x median)--> moved --closing 5x3--> mask
 *             --8-connected components--> box = 1..99 % of the mass per axis
 *
 * The median makes it relative: while the camera pans every cell changes, and only
 * those that change three times as much as the middle one stand out. Boxes smaller than
 * 8x20 pixels are dropped. Partial cells at the edge are not looked at.
 *
 * A focus set remembers regions between frames: a region seen again (IoU > 0.3) is the
 * same one, one unseen for its time to live is forgotten, and no more than its top few
 * are held. A region is in focus from value 0.5 until it falls below 0.4. The same
 * region makes a memory at most once in the refractory time.
 */
#ifndef HM_SENSORS_FOCUS_H
#define HM_SENSORS_FOCUS_H

#include "sensors/picture.h"
#include "sensors/tiles.h"

enum {
  HM_FOCUS_CANDIDATES = 32,
  HM_FOCUS_HELD = 8,
  HM_FOCUS_LEAST_WIDTH = 8,
  HM_FOCUS_LEAST_HEIGHT = 20,
  HM_FOCUS_ENTER = 128, /* 0.5 */
  HM_FOCUS_LEAVE = 102  /* 0.4 */
};

/* Memory for a frame's search, all the caller's: cells = (width / 8) * (height / 8). */
struct hm_focus_work {
  size_t cells;
  uint16_t *sad;    /* cells */
  uint8_t *mask;    /* cells */
  uint8_t *scratch; /* cells */
  uint32_t *stack;  /* cells */
};

struct hm_candidate {
  struct hm_rect box;
  uint64_t mass; /* sum of the SADs of its moved cells */
};

struct hm_focus {
  uint32_t median;    /* SAD of the middle cell */
  uint32_t threshold; /* a cell moved if its SAD is above */
  uint32_t moved_q8;  /* share of the cells that moved */
  uint32_t found;     /* components large enough */
  uint32_t count;     /* of them the heaviest, falling mass */
  struct hm_candidate candidates[HM_FOCUS_CANDIDATES];
};

static inline size_t hm_focus_cells(uint32_t width, uint32_t height)
{
  return (size_t)(width / HM_CELL_SIDE) * (height / HM_CELL_SIDE);
}

/* Find the candidates of a frame of width x height pixels from its tiles. HM_SHORT_BUFFER
 * where work holds fewer cells. */
enum hm_status HM_MUST_CHECK hm_focus_find(uint32_t width, uint32_t height,
                                           const struct hm_tile *tiles, struct hm_focus_work *work,
                                           struct hm_focus *out);

/* ---- the focus set ------------------------------------------------------------------ */

struct hm_focus_entry {
  struct hm_rect box;
  uint32_t value;
  uint64_t seen_ns;
  uint64_t remembered_ns; /* its last memory */
  bool is_held, is_focus, is_remembered;
};

/* Zeroed at the start. */
struct hm_focus_set {
  struct hm_focus_entry entries[HM_FOCUS_HELD];
};

/* Forget what is older than ttl_ns. */
void hm_focus_set_expire(struct hm_focus_set *set, uint64_t now_ns, uint64_t ttl_ns);

/* Take a region in: refreshes the entry it overlaps most, else takes a free place, else
 * the place of the least entry if that is worth less, else is not held: NULL. At most top
 * (1..HM_FOCUS_HELD) places are used. The entry is the set's. */
struct hm_focus_entry *hm_focus_set_add(struct hm_focus_set *set, const struct hm_rect *box,
                                        uint32_t value, uint64_t now_ns, uint32_t top);

/* The entry (NULL: a region that is not held) may make a memory now; if so that is noted. */
bool hm_focus_entry_remember(struct hm_focus_entry *entry, uint64_t now_ns, uint64_t refractory_ns);

/* Bit 8 * row + column for every zone (of 8x8 over the frame) that an entry in focus
 * touches. */
uint64_t hm_focus_set_mask(const struct hm_focus_set *set, uint32_t width, uint32_t height);

/* The same for one rectangle. */
uint64_t hm_zone_mask(const struct hm_rect *box, uint32_t width, uint32_t height);

#endif

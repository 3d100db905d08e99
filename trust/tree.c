/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * RFC 9162 trees. A tree of n leaves is the fold of its peaks (the complete
 * subtrees named by the bits of n) from the right; every path is a walk from a
 * leaf to the root in which a missing right brother is the fold of smaller peaks.
 */
#include "trust/tree.h"

static const uint8_t leaf_prefix = 0x00;
static const uint8_t node_prefix = 0x01;

enum hm_status hm_leaf_hash(const struct hm_crypto *c, struct hm_bytes leaf, uint8_t hash[32])
{
  struct hm_bytes parts[] = {{&leaf_prefix, 1}, leaf};
  return c->sha256(parts, 2, hash);
}

enum hm_status hm_node_hash(const struct hm_crypto *c, const uint8_t left[32],
                            const uint8_t right[32], uint8_t hash[32])
{
  struct hm_bytes parts[] = {{&node_prefix, 1}, {left, 32}, {right, 32}};
  return c->sha256(parts, 3, hash);
}

enum hm_status hm_empty_root(const struct hm_crypto *c, uint8_t root[32])
{
  return c->sha256(NULL, 0, root);
}

/* ---- a log --------------------------------------------------------------------------- */

enum hm_status hm_peaks_append(const struct hm_crypto *c, struct hm_peaks *p,
                               const uint8_t leaf[32], uint8_t completed[HM_LEVELS][32],
                               unsigned *count)
{
  if (p->size >= (UINT64_C(1) << (HM_LEVELS - 1)))
    return HM_FULL;
  unsigned level = 0;
  memcpy(completed[0], leaf, 32);
  for (; p->size >> level & 1; level++)
    HM_TRY(hm_node_hash(c, p->hash[level], completed[level], completed[level + 1]));
  memcpy(p->hash[level], completed[level], 32);
  p->size++;
  *count = level + 1;
  return HM_OK;
}

/* Fold the peaks below level into acc, smallest first; *has says if acc holds any. */
static enum hm_status fold_peaks(const struct hm_crypto *c, const struct hm_peaks *p,
                                 unsigned below, uint8_t acc[32], bool *has)
{
  *has = false;
  for (unsigned level = 0; level < below; level++) {
    if (!(p->size >> level & 1))
      continue;
    if (*has)
      HM_TRY(hm_node_hash(c, p->hash[level], acc, acc));
    else
      memcpy(acc, p->hash[level], 32);
    *has = true;
  }
  return HM_OK;
}

enum hm_status hm_peaks_root(const struct hm_crypto *c, const struct hm_peaks *p, uint8_t root[32])
{
  bool has;
  HM_TRY(fold_peaks(c, p, HM_LEVELS, root, &has));
  return has ? HM_OK : hm_empty_root(c, root);
}

enum hm_status hm_peaks_load(hm_tree_read read, void *store, uint64_t size, struct hm_peaks *p)
{
  memset(p, 0, sizeof *p);
  if (size >= (UINT64_C(1) << (HM_LEVELS - 1)))
    return HM_TOO_LARGE;
  p->size = size;
  for (unsigned level = 0; level < HM_LEVELS; level++)
    if (size >> level & 1)
      HM_TRY(read(store, (struct hm_node_id){level, (size >> level) - 1}, p->hash[level]));
  return HM_OK;
}

static enum hm_status path_put(struct hm_path *path, const uint8_t hash[32])
{
  if (path->count == HM_PATH_MAX)
    return HM_TOO_LARGE;
  memcpy(path->hash[path->count++], hash, 32);
  return HM_OK;
}

/* From node (level, index) up to the root of a tree of size leaves: brothers that
 * are complete are read; the one incomplete right brother is folded from peaks. */
static enum hm_status climb(const struct hm_crypto *c, hm_tree_read read, void *store,
                            const struct hm_peaks *p, struct hm_node_id at, struct hm_path *path)
{
  for (; (at.index << at.level) != 0 || p->size > UINT64_C(1) << at.level;
       at.level++, at.index >>= 1) {
    uint8_t hash[32];
    uint64_t brother = at.index ^ 1;
    if ((brother + 1) << at.level <= p->size) {
      HM_TRY(read(store, (struct hm_node_id){at.level, brother}, hash));
      HM_TRY(path_put(path, hash));
    } else {
      bool has;
      HM_TRY(fold_peaks(c, p, at.level, hash, &has));
      if (has && brother << at.level < p->size)
        HM_TRY(path_put(path, hash));
    }
  }
  return HM_OK;
}

enum hm_status hm_log_inclusion(const struct hm_crypto *c, hm_tree_read read, void *store,
                                uint64_t size, uint64_t index, struct hm_path *path)
{
  path->count = 0;
  if (index >= size)
    return HM_NOT_FOUND;
  struct hm_peaks p;
  HM_TRY(hm_peaks_load(read, store, size, &p));
  return climb(c, read, store, &p, (struct hm_node_id){0, index}, path);
}

enum hm_status hm_log_consistency(const struct hm_crypto *c, hm_tree_read read, void *store,
                                  uint64_t old, uint64_t size, struct hm_path *path)
{
  path->count = 0;
  if (old > size)
    return HM_NOT_FOUND;
  if (old == 0 || old == size)
    return HM_OK;
  struct hm_peaks p;
  HM_TRY(hm_peaks_load(read, store, size, &p));
  /* The walk starts at the last node that the old tree completed. */
  struct hm_node_id at = {0, old - 1};
  while (at.index & 1) {
    at.level++;
    at.index >>= 1;
  }
  if (at.index != 0) {
    uint8_t hash[32];
    HM_TRY(read(store, at, hash));
    HM_TRY(path_put(path, hash));
  }
  return climb(c, read, store, &p, at, path);
}

/* ---- a tree in memory ------------------------------------------------------------------ */

enum hm_status hm_tree_root(const struct hm_crypto *c, const uint8_t (*leaves)[32], size_t count,
                            uint8_t root[32])
{
  struct hm_peaks p = {0, {{0}}};
  uint8_t completed[HM_LEVELS][32];
  for (size_t i = 0; i < count; i++) {
    unsigned n;
    HM_TRY(hm_peaks_append(c, &p, leaves[i], completed, &n));
  }
  return hm_peaks_root(c, &p, root);
}

struct in_memory {
  const struct hm_crypto *crypto;
  const uint8_t (*leaves)[32];
};

static enum hm_status read_in_memory(void *store, struct hm_node_id id, uint8_t hash[32])
{
  const struct in_memory *m = store;
  return hm_tree_root(m->crypto, m->leaves + (id.index << id.level), (size_t)1 << id.level, hash);
}

enum hm_status hm_tree_inclusion(const struct hm_crypto *c, const uint8_t (*leaves)[32],
                                 size_t count, size_t index, struct hm_path *path)
{
  struct in_memory m = {c, leaves};
  return hm_log_inclusion(c, read_in_memory, &m, count, index, path);
}

/* ---- compact ranges ---------------------------------------------------------------------- */

size_t hm_range_ids(uint64_t begin, uint64_t end, struct hm_node_id ids[HM_RANGE_MAX])
{
  size_t count = 0;
  while (begin < end && count < HM_RANGE_MAX) {
    unsigned level = 0;
    while (level + 1 < HM_LEVELS && (begin & ((UINT64_C(2) << level) - 1)) == 0 &&
           begin + (UINT64_C(2) << level) <= end)
      level++;
    ids[count++] = (struct hm_node_id){level, begin >> level};
    begin += UINT64_C(1) << level;
  }
  return begin < end ? HM_RANGE_MAX + 1 : count;
}

enum hm_status hm_log_range(hm_tree_read read, void *store, uint64_t begin, uint64_t end,
                            struct hm_range *range)
{
  struct hm_node_id ids[HM_RANGE_MAX];
  size_t count = hm_range_ids(begin, end, ids);
  if (count > HM_RANGE_MAX)
    return HM_TOO_LARGE;
  range->count = (uint32_t)count;
  for (size_t i = 0; i < count; i++)
    HM_TRY(read(store, ids[i], range->hash[i]));
  return HM_OK;
}

enum hm_status hm_peaks_extend(const struct hm_crypto *c, struct hm_peaks *p,
                               const struct hm_range *range, uint64_t end)
{
  struct hm_node_id ids[HM_RANGE_MAX];
  size_t count = hm_range_ids(p->size, end, ids);
  if (end < p->size || end >= (UINT64_C(1) << (HM_LEVELS - 1)) || count > HM_RANGE_MAX ||
      count != range->count)
    return HM_BAD_PROOF;
  for (size_t i = 0; i < count; i++) {
    uint8_t node[32];
    memcpy(node, range->hash[i], 32);
    unsigned level = ids[i].level;
    /* A range node never lies below a peak it would have to pass: its size divides p->size. */
    for (; p->size >> level & 1; level++)
      HM_TRY(hm_node_hash(c, p->hash[level], node, node));
    memcpy(p->hash[level], node, 32);
    p->size += UINT64_C(1) << ids[i].level;
  }
  return HM_OK;
}

/* ---- verification -------------------------------------------------------------------------- */

enum hm_status hm_inclusion_verify(const struct hm_crypto *c, const uint8_t leaf[32],
                                   uint64_t index, uint64_t size, const struct hm_path *path,
                                   const uint8_t root[32])
{
  if (index >= size || path->count > HM_PATH_MAX)
    return HM_BAD_PROOF;
  uint64_t fn = index;
  uint64_t sn = size - 1;
  uint8_t r[32];
  memcpy(r, leaf, 32);
  for (uint32_t i = 0; i < path->count; i++) {
    if (sn == 0)
      return HM_BAD_PROOF;
    if ((fn & 1) || fn == sn) {
      HM_TRY(hm_node_hash(c, path->hash[i], r, r));
      while (!(fn & 1) && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      HM_TRY(hm_node_hash(c, r, path->hash[i], r));
    }
    fn >>= 1;
    sn >>= 1;
  }
  return sn == 0 && memcmp(r, root, 32) == 0 ? HM_OK : HM_BAD_PROOF;
}

enum hm_status hm_consistency_verify(const struct hm_crypto *c, uint64_t old,
                                     const uint8_t old_root[32], uint64_t size,
                                     const uint8_t root[32], const struct hm_path *path)
{
  uint8_t empty[32];
  HM_TRY(hm_empty_root(c, empty));
  if (old > size || path->count > HM_PATH_MAX)
    return HM_BAD_PROOF;
  if (old == 0)
    return path->count == 0 && memcmp(old_root, empty, 32) == 0 ? HM_OK : HM_BAD_PROOF;
  if (old == size)
    return path->count == 0 && memcmp(old_root, root, 32) == 0 ? HM_OK : HM_BAD_PROOF;

  uint64_t fn = old - 1;
  uint64_t sn = size - 1;
  while (fn & 1) {
    fn >>= 1;
    sn >>= 1;
  }
  uint32_t i = 0;
  uint8_t fr[32];
  uint8_t sr[32];
  /* Where old is a power of two its root is the first node and is not in the path. */
  if (fn == 0) {
    memcpy(fr, old_root, 32);
  } else {
    if (path->count == 0)
      return HM_BAD_PROOF;
    memcpy(fr, path->hash[i++], 32);
  }
  memcpy(sr, fr, 32);
  for (; i < path->count; i++) {
    if (sn == 0)
      return HM_BAD_PROOF;
    if ((fn & 1) || fn == sn) {
      HM_TRY(hm_node_hash(c, path->hash[i], fr, fr));
      HM_TRY(hm_node_hash(c, path->hash[i], sr, sr));
      while (!(fn & 1) && fn != 0) {
        fn >>= 1;
        sn >>= 1;
      }
    } else {
      HM_TRY(hm_node_hash(c, sr, path->hash[i], sr));
    }
    fn >>= 1;
    sn >>= 1;
  }
  bool is_good = sn == 0 && memcmp(fr, old_root, 32) == 0 && memcmp(sr, root, 32) == 0;
  return is_good ? HM_OK : HM_BAD_PROOF;
}

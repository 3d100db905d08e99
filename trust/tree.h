/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Merkle trees by RFC 9162 section 2.1: leaf = SHA-256(0x00 || bytes),
 * node = SHA-256(0x01 || left || right). Paths are leaf side first.
 *
 * Two ways to hold a tree. Small ones (a batch: at most 1057 leaves) are an
 * array of leaf hashes. Logs of any size keep only complete subtrees: appending
 * leaf i completes the nodes (level l, index k) with (k + 1) * 2^l - 1 = i, and a
 * store puts them beside that leaf; hm_tree_read hands them back. A compact
 * range of leaves a..b-1 is the list of the maximal complete subtrees that cover
 * it, left to right.
 */
#ifndef HM_TRUST_TREE_H
#define HM_TRUST_TREE_H

#include "trust/crypto.h"

enum { HM_PATH_MAX = 48, HM_RANGE_MAX = 54, HM_LEVELS = 48 };

/* A list of hashes as formats.cddl writes paths and ranges. */
struct hm_path {
  uint32_t count;
  uint8_t hash[HM_PATH_MAX][32];
};
struct hm_range {
  uint32_t count;
  uint8_t hash[HM_RANGE_MAX][32];
};

/* A complete subtree: leaves index << level .. (index + 1 << level) - 1. */
struct hm_node_id {
  unsigned level;
  uint64_t index;
};

/* Read a node of a complete subtree that lies within the log. */
typedef enum hm_status (*hm_tree_read)(void *store, struct hm_node_id id, uint8_t hash[32]);

enum hm_status HM_MUST_CHECK hm_leaf_hash(const struct hm_crypto *c, struct hm_bytes leaf,
                                          uint8_t hash[32]);
enum hm_status HM_MUST_CHECK hm_node_hash(const struct hm_crypto *c, const uint8_t left[32],
                                          const uint8_t right[32], uint8_t hash[32]);
/* Hash of the empty tree: SHA-256(""). */
enum hm_status HM_MUST_CHECK hm_empty_root(const struct hm_crypto *c, uint8_t root[32]);

/* ---- a tree in memory: leaves[count][32] ------------------------------------ */
enum hm_status HM_MUST_CHECK hm_tree_root(const struct hm_crypto *c, const uint8_t (*leaves)[32],
                                          size_t count, uint8_t root[32]);
enum hm_status HM_MUST_CHECK hm_tree_inclusion(const struct hm_crypto *c,
                                               const uint8_t (*leaves)[32], size_t count,
                                               size_t index, struct hm_path *path);

/* ---- a log: peaks of the leaves so far --------------------------------------- */
struct hm_peaks {
  uint64_t size;               /* leaves so far */
  uint8_t hash[HM_LEVELS][32]; /* hash[l] valid iff bit l of size is set */
};
/* Append one leaf hash. completed[] gets the nodes this leaf completes, level 0
 * (the leaf itself) first: level of completed[i] is i. */
enum hm_status HM_MUST_CHECK hm_peaks_append(const struct hm_crypto *c, struct hm_peaks *p,
                                             const uint8_t leaf[32],
                                             uint8_t completed[HM_LEVELS][32], unsigned *count);
enum hm_status HM_MUST_CHECK hm_peaks_root(const struct hm_crypto *c, const struct hm_peaks *p,
                                           uint8_t root[32]);
/* Peaks of the first size leaves, read from a store. */
enum hm_status HM_MUST_CHECK hm_peaks_load(hm_tree_read read, void *store, uint64_t size,
                                           struct hm_peaks *p);
enum hm_status HM_MUST_CHECK hm_log_inclusion(const struct hm_crypto *c, hm_tree_read read,
                                              void *store, uint64_t size, uint64_t index,
                                              struct hm_path *path);
/* Consistency from old to size (RFC 9162 2.1.4); old 0 or old == size gives an empty path. */
enum hm_status HM_MUST_CHECK hm_log_consistency(const struct hm_crypto *c, hm_tree_read read,
                                                void *store, uint64_t old, uint64_t size,
                                                struct hm_path *path);

/* ---- compact ranges ----------------------------------------------------------- */
/* The maximal complete subtrees of leaves begin..end-1, left to right; returns how many. */
size_t hm_range_ids(uint64_t begin, uint64_t end, struct hm_node_id ids[HM_RANGE_MAX]);
enum hm_status HM_MUST_CHECK hm_log_range(hm_tree_read read, void *store, uint64_t begin,
                                          uint64_t end, struct hm_range *range);
/* Peaks of 0..end-1 from peaks of 0..begin-1 (p->size = begin) and the range begin..end-1. */
enum hm_status HM_MUST_CHECK hm_peaks_extend(const struct hm_crypto *c, struct hm_peaks *p,
                                             const struct hm_range *range, uint64_t end);

/* ---- verification (RFC 9162 2.1.3.2, 2.1.4.2) ---------------------------------- */
enum hm_status HM_MUST_CHECK hm_inclusion_verify(const struct hm_crypto *c, const uint8_t leaf[32],
                                                 uint64_t index, uint64_t size,
                                                 const struct hm_path *path,
                                                 const uint8_t root[32]);
enum hm_status HM_MUST_CHECK hm_consistency_verify(const struct hm_crypto *c, uint64_t old,
                                                   const uint8_t old_root[32], uint64_t size,
                                                   const uint8_t root[32],
                                                   const struct hm_path *path);

#endif

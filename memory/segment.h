/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One data segment: batches and their records in one environment, and the `head`
 * file that tells afterwards that it once held more. Inside memory/ only; the
 * functions are those of memory/store.h without the store's numbers.
 */
#ifndef HM_MEMORY_SEGMENT_H
#define HM_MEMORY_SEGMENT_H

#include <stdatomic.h>

#include "memory/env.h"
#include "memory/store.h"

/* default size of a segment, and what may go over it before it closes */
#define HM_SEGMENT_MAP (((size_t)4 << 30) + ((size_t)1 << 30))

struct hm_segment {
  struct hm_env env;
  const struct hm_crypto *crypto;
  int head;                          /* descriptor of the head file, -1 when reading */
  _Atomic uint64_t batches, records; /* durable */
  struct hm_peaks peaks;             /* of the appending thread */
  uint64_t control_size;             /* C of the newest batch */
};

enum hm_status HM_MUST_CHECK hm_segment_create(const char *path,
                                               const struct hm_env_identity *identity,
                                               struct hm_fault *fault);
enum hm_status HM_MUST_CHECK hm_segment_open(struct hm_segment *segment, const struct hm_crypto *c,
                                             const char *path, enum hm_log_mode mode,
                                             struct hm_fault *fault);
void hm_segment_close(struct hm_segment *segment);
enum hm_status HM_MUST_CHECK hm_segment_append(struct hm_segment *segment,
                                               const struct hm_stored_batch *batch,
                                               const struct hm_stored_record *records,
                                               struct hm_fault *fault);
enum hm_status HM_MUST_CHECK hm_segment_record(struct hm_segment *segment, uint64_t number,
                                               uint8_t *buffer, size_t cap,
                                               struct hm_stored_record *record);
enum hm_status HM_MUST_CHECK hm_segment_batch(struct hm_segment *segment, uint64_t number,
                                              uint8_t *buffer, size_t cap,
                                              struct hm_stored_batch *batch);
enum hm_status HM_MUST_CHECK hm_segment_scan(struct hm_segment *segment, uint64_t from,
                                             uint64_t limit, hm_record_visit visit, void *context);
enum hm_status HM_MUST_CHECK hm_segment_batch_of(struct hm_segment *segment, uint64_t record,
                                                 uint64_t *batch);
enum hm_status HM_MUST_CHECK hm_segment_leaves(struct hm_segment *segment, uint64_t batch,
                                               uint8_t (*leaves)[32], size_t *count);
/* An hm_tree_read. */
enum hm_status HM_MUST_CHECK hm_segment_node(void *segment, struct hm_node_id id, uint8_t hash[32]);

/* ---- head file (memory/headfile.c) ----------------------------------------------- */
/* Open it in the segment's folder, making it where it is missing. */
enum hm_status HM_MUST_CHECK hm_headfile_open(int folder, int *fd);
/* Tell batch `number` with its receipt; never synced, failures do not matter. */
void hm_headfile_put(int fd, const struct hm_crypto *c, uint64_t number, struct hm_bytes receipt);
/* The newest slot that is whole; false where there is none. */
bool hm_headfile_get(int folder, uint64_t *number, uint8_t receipt[32]);

#endif

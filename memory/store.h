/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The store: control log and data segments in one folder.
 *
 *   STORE/format          "hallmark store 1 1\n": version, smallest reader; flock of hallmarkd
 *   STORE/control/        log c1, c2, ...        (memory/log.h)
 *   STORE/data/000001/    batches r1, r2, ... of records m1, m2, ...
 *   STORE/data/000001/head  two slots {r, SHA-256 of the receipt, CRC}, unsynced
 *
 * A data segment has two databases: `record` (mN -> record, picture and vector
 * with their salts, one value) and `batch` (rN -> tree nodes, receipt, root, first
 * record, count, control size, leaf 0, sensor leaves). Both are appended in one
 * synced transaction; numbers start at 1 and are never used twice.
 *
 * The same rules of opening as memory/log.h, and between the two: the newest batch
 * must not be older than `head` says (HM_DAMAGED); no control entry may name more
 * durable batches, and no batch more control entries, than there are (HM_ROLLBACK).
 *
 * One thread (the writer) appends; any thread reads at any time; nothing is
 * shown before its commit has returned.
 */
#ifndef HM_MEMORY_STORE_H
#define HM_MEMORY_STORE_H

#include "memory/log.h"

enum {
  HM_RECORD_BYTES_MAX = 4096,
  HM_CONTENT_MAX = 65536, /* a picture or a vector */
  HM_STORED_RECORD_MAX = HM_RECORD_BYTES_MAX + 2 * (HM_CONTENT_MAX + 32) + 16,
  HM_BATCH_RECORDS_MAX = 1024,
  HM_BATCH_SENSORS_MAX = 32,
  HM_BATCH_LEAVES_MAX = 1 + HM_BATCH_SENSORS_MAX + HM_BATCH_RECORDS_MAX,
  HM_FACTS_MAX = 512,
  HM_SENSOR_LEAF_MAX = 1024,
  HM_STORED_BATCH_MAX = HM_SIGN1_MAX + HM_FACTS_MAX + 32 * (HM_SENSOR_LEAF_MAX + 4) + 2048,
  HM_SCAN_MAX = 500 /* records of one read transaction */
};

struct hm_store;

/* An opening of a commitment: SHA-256("hallmark/1 picture" 0x00 || salt || content). */
struct hm_opening {
  bool is_there;
  uint8_t salt[16];
  struct hm_bytes content;
};

/* A record as stored: deterministic CBOR `record` of formats.cddl and what it commits to. */
struct hm_stored_record {
  uint64_t number;
  struct hm_bytes record;
  struct hm_opening picture;
  struct hm_opening vector;
};

/* A batch as stored. leaves: the sensor leaves, in order. */
struct hm_stored_batch {
  uint64_t number;
  struct hm_bytes receipt; /* 65028, unprotected {} */
  uint8_t root[32];
  uint64_t first_record;
  uint32_t record_count;
  uint64_t control_size; /* C */
  struct hm_bytes facts; /* leaf 0 */
  uint32_t sensor_count;
  struct hm_bytes leaves[HM_BATCH_SENSORS_MAX];
};

struct hm_store_sizes {
  uint64_t control; /* entries */
  uint64_t batches;
  uint64_t records;
};

/* What a store begins with: c1 genesis, c2 the host's binding, c3 segment 1 opened. */
struct hm_store_birth {
  uint8_t host[32];           /* LCT id */
  uint8_t control_random[16]; /* fresh */
  uint8_t segment_random[16]; /* fresh */
  struct hm_log_item genesis;
  struct hm_log_item binding;
  struct hm_log_item opened; /* 65020 kind 16: first 1, count 0, evidence [segment identity] */
};

/* The name of segment `number`, which its opening entry cites as evidence: SHA-256 of
 * the identity record {host, number, first batch, random} stored in it. */
enum hm_status HM_MUST_CHECK hm_segment_identity(const struct hm_crypto *c, const uint8_t host[32],
                                                 uint64_t number, uint64_t first_batch,
                                                 const uint8_t random[16], uint8_t name[32]);

/* Make the store whole in PATH.new and rename it: it exists entirely or not at all.
 * HM_EXISTS where path exists; an interrupted one is deleted and made anew. */
enum hm_status HM_MUST_CHECK hm_store_create(const struct hm_crypto *c, const char *path,
                                             const struct hm_store_birth *birth,
                                             struct hm_fault *fault);
/* HM_NOT_FOUND without a store; HM_LOCKED while a hallmarkd has it (or, for writing,
 * while readers do); HM_UNSUPPORTED for a newer format; HM_DAMAGED, HM_ROLLBACK, HM_IO. */
enum hm_status HM_MUST_CHECK hm_store_open(const struct hm_crypto *c, const char *path,
                                           enum hm_log_mode mode, struct hm_store **store,
                                           struct hm_fault *fault);
void hm_store_close(struct hm_store *store);

/* What is durable now. Any thread. */
void hm_store_sizes(struct hm_store *store, struct hm_store_sizes *sizes);
/* The control log, for reading by memory/log.h. */
struct hm_log *hm_store_control(struct hm_store *store);
/* Bytes of all files and what the disk has left. */
enum hm_status HM_MUST_CHECK hm_store_bytes(struct hm_store *store, uint64_t *used,
                                            uint64_t *available);

/* ---- appending: the writer thread only ------------------------------------------- */
/* Append control entries; durable_batches of each item is set to what is durable. */
enum hm_status HM_MUST_CHECK hm_store_append_control(struct hm_store *store,
                                                     struct hm_log_item *items, size_t count,
                                                     struct hm_bytes checkpoint, uint64_t *first,
                                                     struct hm_fault *fault);
/* Append a batch and its records in one synced transaction. number, first_record and
 * the records' numbers must be the next ones, control_size at most what is durable and
 * not less than in the batch before (HM_STATE: a bug of the caller). On failure nothing
 * was appended; see hm_log_append. */
enum hm_status HM_MUST_CHECK hm_store_append_batch(struct hm_store *store,
                                                   const struct hm_stored_batch *batch,
                                                   const struct hm_stored_record *records,
                                                   struct hm_fault *fault);
/* ---- reading: any thread --------------------------------------------------------- */
/* Views go into buffer; HM_SHORT_BUFFER where cap is too small (HM_STORED_RECORD_MAX,
 * HM_STORED_BATCH_MAX always do); HM_NOT_FOUND; HM_DAMAGED. */
enum hm_status HM_MUST_CHECK hm_store_record(struct hm_store *store, uint64_t number,
                                             uint8_t *buffer, size_t cap,
                                             struct hm_stored_record *record);
enum hm_status HM_MUST_CHECK hm_store_batch(struct hm_store *store, uint64_t number,
                                            uint8_t *buffer, size_t cap,
                                            struct hm_stored_batch *batch);
/* Visit records from `from` upwards, at most limit (<= HM_SCAN_MAX) in one read
 * transaction, until visit returns something other than HM_OK, which is returned. */
typedef enum hm_status (*hm_record_visit)(void *context, const struct hm_stored_record *record);
enum hm_status HM_MUST_CHECK hm_store_scan(struct hm_store *store, uint64_t from, uint64_t limit,
                                           hm_record_visit visit, void *context);
/* The batch that holds a record (binary search over first_record). */
enum hm_status HM_MUST_CHECK hm_store_batch_of(struct hm_store *store, uint64_t record,
                                               uint64_t *batch);
/* Leaf hashes of a batch's own tree: facts, sensor leaves, records. leaves has
 * HM_BATCH_LEAVES_MAX rows. */
enum hm_status HM_MUST_CHECK hm_store_batch_leaves(struct hm_store *store, uint64_t batch,
                                                   uint8_t (*leaves)[32], size_t *count);
/* A node of the data tree (leaf i = batch i + 1): an hm_tree_read whose store is the
 * struct hm_store *. The control tree's is hm_log_node(hm_store_control(store)). */
enum hm_status HM_MUST_CHECK hm_store_data_node(void *store, struct hm_node_id id,
                                                uint8_t hash[32]);
/* Root of the data tree over the first `size` batches. */
enum hm_status HM_MUST_CHECK hm_store_data_root(struct hm_store *store, uint64_t size,
                                                uint8_t root[32]);

#endif

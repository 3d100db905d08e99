/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One append-only log of signed objects with its RFC 9162 tree: the control log
 * of a store, and the authority's own log.
 *
 *   LOG/data.mdb    entry       N -> nodes, typ, time, durable, object, attachments
 *                   checkpoint  size -> checkpoint over the first size entries
 *                   live        N -> live set of the head that is entry N
 *                   hash        name of a binding or pairing certificate -> N
 *                   meta        "identity" -> kind, owner, number, first, 16 random bytes
 *
 * Numbers start at 1: number = leaf index + 1; keys are 8 bytes big-endian. The
 * tree's node (l, k) is stored with the leaf that completes it, (k + 1) * 2^l - 1,
 * so nothing is ever rewritten. The leaf is that of trust/cose.h and never covers
 * a signature: whoever reads an entry verifies its signature.
 *
 * A log is created whole in NAME.new and renamed; opening never creates. Before
 * LMDB sees the file it must have two pages, the magic, meta transaction numbers
 * that differ by one and sit on their own pages, and its last page inside the
 * file, else HM_DAMAGED and not a byte has changed.
 *
 * One process writes (flock on the folder: HM_LOCKED), one thread of it appends;
 * any thread reads at any time. A read never shows an entry before the commit
 * that holds it has returned.
 */
#ifndef HM_MEMORY_LOG_H
#define HM_MEMORY_LOG_H

#include "memory/fault.h"
#include "trust/cose.h"
#include "trust/tree.h"

enum {
  HM_LOG_ATTACHED = 2,
  HM_LOG_ATTACHED_MAX = 8192, /* bytes of one attachment */
  HM_LOG_ENTRY_MAX = 32768,   /* bytes of one stored entry: enough for every reader's buffer */
  HM_LOG_APPEND_MAX = 32,     /* entries of one commit */
  HM_LIVE_SET_MAX = 98304
};

enum hm_log_kind { HM_LOG_CONTROL = 1, HM_LOG_DATA = 2, HM_LOG_AUTHORITY = 3 };
enum hm_log_mode { HM_LOG_READ, HM_LOG_WRITE };

struct hm_log;

/* What to append. Views; the log copies. */
struct hm_log_item {
  struct hm_bytes object; /* a COSE_Sign1 of the profile with its payload */
  uint32_t attached_count;
  struct hm_bytes attached[HM_LOG_ATTACHED]; /* formats.cddl attachments */
  uint64_t time_s;          /* local, unsigned: trust time of the append, 0 = none */
  uint64_t durable_batches; /* D: batches durable before it; 0 in the authority's log */
  struct hm_bytes live;     /* the encoded live set iff object is a head, else empty */
};

/* An entry as stored; views into the buffer of the reading call. */
struct hm_log_entry {
  uint64_t number;
  uint16_t typ;
  uint64_t time_s;
  uint64_t durable_batches;
  struct hm_bytes object;
  uint32_t attached_count;
  struct hm_bytes attached[HM_LOG_ATTACHED];
  struct hm_bytes control_entry; /* [object, attached] as formats.cddl writes it */
};

/* Make folder `path` holding a log whose first entries are items (at least one),
 * optionally with a checkpoint over them (empty: none). owner is the LCT id of
 * host or authority, random 16 fresh bytes. HM_EXISTS where path exists; a left
 * over path.new is deleted and made anew. Everything is on disk when it returns. */
enum hm_status HM_MUST_CHECK hm_log_create(const struct hm_crypto *c, const char *path,
                                           enum hm_log_kind kind, const uint8_t owner[32],
                                           const uint8_t random[16],
                                           const struct hm_log_item *items, size_t count,
                                           struct hm_bytes checkpoint, struct hm_fault *fault);

/* HM_NOT_FOUND without the folder or its file, HM_DAMAGED by the rules above or for
 * another kind of log, HM_LOCKED while another process writes, HM_IO with errno.
 * HM_LOG_READ takes a shared lock, changes no file and needs no write permission. */
enum hm_status HM_MUST_CHECK hm_log_open(const struct hm_crypto *c, const char *path,
                                         enum hm_log_kind kind, enum hm_log_mode mode,
                                         struct hm_log **log, struct hm_fault *fault);
/* NULL is allowed. No other thread may still use it. */
void hm_log_close(struct hm_log *log);

/* LCT id the log was created with. */
void hm_log_owner(const struct hm_log *log, uint8_t owner[32]);
/* Entries that are durable. Any thread. */
uint64_t hm_log_size(struct hm_log *log);

/* Size and root as they would be after appending items (count may be 0: as they
 * are): what a checkpoint stored with them must sign. Appending thread only. */
enum hm_status HM_MUST_CHECK hm_log_preview(struct hm_log *log, const struct hm_log_item *items,
                                            size_t count, uint64_t *size, uint8_t root[32]);
/* Append 1..HM_LOG_APPEND_MAX items, and a checkpoint over the log with them (empty:
 * none), in one synced transaction; *first gets the number of the first. With
 * count 0 only the checkpoint is stored. On any failure nothing was appended, the
 * numbers are free, and the log stands at what is on disk; HM_FULL for a full map
 * or disk, HM_DAMAGED once it could not be read back (reopen). Appending thread only. */
enum hm_status HM_MUST_CHECK hm_log_append(struct hm_log *log, const struct hm_log_item *items,
                                           size_t count, struct hm_bytes checkpoint,
                                           uint64_t *first, struct hm_fault *fault);

/* ---- reading, any thread --------------------------------------------------------- */
/* Entry `number`; HM_NOT_FOUND beyond the end, HM_SHORT_BUFFER where cap is too small
 * (HM_LOG_ENTRY_MAX always does), HM_DAMAGED where the stored value is not one. */
enum hm_status HM_MUST_CHECK hm_log_entry(struct hm_log *log, uint64_t number, uint8_t *buffer,
                                          size_t cap, struct hm_log_entry *entry);
/* Visit entries from `from` upwards, at most `limit`, until visit returns something
 * other than HM_OK, which is then returned. One read transaction: keep it short.
 * Views given to visit die when it returns. */
typedef enum hm_status (*hm_log_visit)(void *context, const struct hm_log_entry *entry);
enum hm_status HM_MUST_CHECK hm_log_scan(struct hm_log *log, uint64_t from, uint64_t limit,
                                         hm_log_visit visit, void *context);
/* A node of the tree: an hm_tree_read whose store is the struct hm_log *. */
enum hm_status HM_MUST_CHECK hm_log_node(void *log, struct hm_node_id id, uint8_t hash[32]);
/* Root of the first `size` entries. */
enum hm_status HM_MUST_CHECK hm_log_root(struct hm_log *log, uint64_t size, uint8_t root[32]);
/* Number of the binding or pairing certificate of that name; HM_NOT_FOUND. */
enum hm_status HM_MUST_CHECK hm_log_find(struct hm_log *log, const uint8_t name[32],
                                         uint64_t *number);
/* The newest stored checkpoint over at most `limit` entries (UINT64_MAX: of all):
 * copied to object (HM_SIGN1_MAX bytes do), *size gets the entries it covers. */
enum hm_status HM_MUST_CHECK hm_log_checkpoint(struct hm_log *log, uint64_t limit, uint8_t *object,
                                               size_t cap, size_t *len, uint64_t *size);
/* The live set stored with the head that is entry `number`. */
enum hm_status HM_MUST_CHECK hm_log_live(struct hm_log *log, uint64_t number, uint8_t *set,
                                         size_t cap, size_t *len);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One LMDB environment of ours: made whole in NAME.new, checked before LMDB opens
 * it, locked by flock on its folder, closed on exec. Inside memory/ only.
 *
 * Keys are log numbers, 8 bytes big-endian. Values are deterministic CBOR arrays
 * whose first member is the byte string of the tree nodes that number completes.
 *
 * Readers hold a shared lock while a transaction of theirs lives, so that the
 * writer can close and reopen the environment after a failed commit.
 */
#ifndef HM_MEMORY_ENV_H
#define HM_MEMORY_ENV_H

#include <lmdb.h>
#include <pthread.h>

#include "memory/log.h"

enum { HM_ENV_DATABASES = 6 };

struct hm_env_spec {
  enum hm_log_kind kind;
  size_t map;   /* bytes, fixed for the life of the file */
  size_t count; /* databases, the first is "meta" */
  const char *names[HM_ENV_DATABASES];
};

struct hm_env_identity {
  uint64_t kind;
  uint8_t owner[32];
  uint64_t number; /* of the segment; 0 for a log */
  uint64_t first;  /* its first log number */
  uint8_t random[16];
};

struct hm_env {
  const struct hm_env_spec *spec;
  enum hm_log_mode mode;
  MDB_env *lmdb; /* NULL once it could not be reopened */
  MDB_dbi dbi[HM_ENV_DATABASES];
  pthread_rwlock_t lock;
  int folder; /* descriptor with the flock, -1 = none */
  struct hm_env_identity identity;
  char path[4096];
};

/* The identity record as stored. */
enum hm_status HM_MUST_CHECK hm_env_identity_encode(const struct hm_env_identity *identity,
                                                    struct hm_out *out);

/* Make folder `path`: fill puts the first values into the one transaction. */
typedef enum hm_status (*hm_env_fill)(void *context, MDB_txn *txn, const MDB_dbi *dbi);
enum hm_status HM_MUST_CHECK hm_env_create(const char *path, const struct hm_env_spec *spec,
                                           const struct hm_env_identity *identity, hm_env_fill fill,
                                           void *context, struct hm_fault *fault);
enum hm_status HM_MUST_CHECK hm_env_open(struct hm_env *env, const char *path,
                                         const struct hm_env_spec *spec, enum hm_log_mode mode,
                                         struct hm_fault *fault);
/* After a failed commit: wait for readers, close, check, open again. */
enum hm_status HM_MUST_CHECK hm_env_reopen(struct hm_env *env, struct hm_fault *fault);
void hm_env_close(struct hm_env *env);

/* A read transaction; end gives it back. HM_DAMAGED once the environment is gone. */
enum hm_status HM_MUST_CHECK hm_env_read(struct hm_env *env, MDB_txn **txn);
void hm_env_read_end(struct hm_env *env, MDB_txn *txn);

/* The status of an LMDB return code. */
enum hm_status HM_MUST_CHECK hm_env_status(int rc);
/* The same for a failed write, with a fault; EIO on a full disk becomes HM_FULL. */
enum hm_status HM_MUST_CHECK hm_env_write_fault(const struct hm_env *env, int rc,
                                                struct hm_fault *fault);

/* Value of a number; HM_NOT_FOUND. The view lives as long as the transaction. */
enum hm_status HM_MUST_CHECK hm_env_get(MDB_txn *txn, MDB_dbi dbi, uint64_t number,
                                        struct hm_bytes *value);
/* Append under the next number: an LMDB return code. */
int hm_env_put(MDB_txn *txn, MDB_dbi dbi, uint64_t number, struct hm_bytes value);
/* Highest number at or below limit; 0 = none. */
enum hm_status HM_MUST_CHECK hm_env_last(MDB_txn *txn, MDB_dbi dbi, uint64_t limit,
                                         uint64_t *number);
/* Node (level, index) from the value that holds it. */
enum hm_status HM_MUST_CHECK hm_env_node(MDB_txn *txn, MDB_dbi dbi, struct hm_node_id id,
                                         uint8_t hash[32]);

/* fsync of a folder; mkdir that refuses nothing but what exists; rm -r of a folder of ours. */
/* open(2) of a regular file, never through a symbolic link and never waiting: -1 with errno,
 * EINVAL for anything that is no regular file (a FIFO would hold its opener for ever). */
int hm_regular_open(int folder, const char *name, int flags);
enum hm_status HM_MUST_CHECK hm_dir_sync(const char *path, struct hm_fault *fault);
enum hm_status HM_MUST_CHECK hm_dir_make(const char *path, struct hm_fault *fault);
enum hm_status HM_MUST_CHECK hm_folder_remove(const char *path, struct hm_fault *fault);
/* rename, then fsync of the folder both lie in. */
enum hm_status HM_MUST_CHECK hm_folder_rename(const char *from, const char *to,
                                              struct hm_fault *fault);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The inside of the writer, for services/daemon_writer*.c only.
 *
 * Three owners: `inbox` and `results` have locks of their own; everything else
 * belongs to the writer's thread (and before it runs, to hm_writer_start).
 */
#ifndef HM_SERVICES_DAEMON_WRITER_INSIDE_H
#define HM_SERVICES_DAEMON_WRITER_INSIDE_H

#include "services/daemon_writer_batch.h"

#define HM_SECOND_NS UINT64_C(1000000000)

struct hm_result_node {
  struct hm_result_node *next;
  struct hm_writer_result result;
};

/* Results to the main thread, and the figures. */
struct hm_results {
  pthread_mutex_t lock;
  struct hm_result_node *first, *last;
  int fd; /* eventfd: readable while there is a first */
  struct hm_writer_stats stats;
};

enum hm_status HM_MUST_CHECK hm_results_init(struct hm_results *results);
void hm_results_free(struct hm_results *results);
/* Copies; what cannot be told for want of memory is lost (the process ends soon then). */
void hm_results_put(struct hm_results *results, const struct hm_writer_result *result);

/* The key that signs batches; lives in memory only, one a start and a day. */
struct hm_session_key {
  struct hm_software_key key;
  struct hm_signer signer;
  uint64_t nbf, exp, first;
};

/* The newest head in the log. */
struct hm_last_head {
  uint64_t number; /* cN, 0 = none yet */
  uint8_t name[32];
  uint64_t data_size; /* batches under it */
  uint64_t at_ns;     /* boottime it was written at by this process, 0 = before */
};

struct hm_writer {
  struct hm_writer_config config;
  uint64_t commit_ns;
  struct hm_inbox inbox;
  struct hm_results results;
  pthread_t thread;
  bool is_running;

  struct hm_force force;
  struct hm_batch_maker *maker;
  uint8_t previous[32]; /* name of the newest batch receipt */
  uint64_t last_iat;    /* of the newest batch */
  struct hm_revocation_view revocations;
  bool is_watched;
  struct hm_session_key session;
  struct hm_last_head head;
  uint64_t first_pending_ns; /* boottime, 0 = nothing waits */
  uint64_t last_close_ns, started_ns;
  bool is_disk_low;
  uint64_t disk_seen_ns;   /* boottime of the last look, 0 = never */
  struct hm_message *asks; /* checkpoints asked for, not yet answered */
  enum hm_status failed;   /* the store cannot go on */
  struct hm_fault fault;
  enum hm_status first_failure; /* of anything, for hm_writer_stop */
};

/* ---- daemon_writer_sign.c: what the entity key signs ----------------------------- */
/* Read where both logs stand: names, newest head. */
enum hm_status HM_MUST_CHECK hm_writer_stand(struct hm_writer *w, struct hm_fault *fault);
/* Append entries (1..HM_LOG_APPEND_MAX) made of objects, apply them, tell of them. */
enum hm_status HM_MUST_CHECK hm_writer_append(struct hm_writer *w, struct hm_log_item *items,
                                              size_t count, struct hm_bytes checkpoint,
                                              uint64_t *first, struct hm_fault *fault);
/* The start entry and the first session key, in one commit. */
enum hm_status HM_MUST_CHECK hm_writer_begin(struct hm_writer *w, struct hm_fault *fault);
/* HM_FULL with less than the reserve left on the disk (looked at once a second). */
enum hm_status HM_MUST_CHECK hm_writer_disk(struct hm_writer *w, const struct hm_now *now,
                                            struct hm_fault *fault);
/* A session key that may sign the next batch: the one there is, or a new one. */
enum hm_status HM_MUST_CHECK hm_writer_session(struct hm_writer *w, const struct hm_now *now,
                                               struct hm_fault *fault);
/* Head, live set and checkpoint. */
enum hm_status HM_MUST_CHECK hm_writer_head(struct hm_writer *w, const struct hm_now *now,
                                            struct hm_fault *fault);

static inline struct hm_now hm_writer_now(const struct hm_writer *w)
{
  return w->config.now(w->config.now_user);
}

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The writer's inbox: one ordered queue from many threads to one, bounded for each
 * sensor and each kind, so that no camera crowds out another and nothing that ends
 * authority ever waits for room. pthread mutex and condition only, so that
 * ThreadSanitizer sees every edge.
 */
#ifndef HM_SERVICES_DAEMON_INBOX_H
#define HM_SERVICES_DAEMON_INBOX_H

#include <pthread.h>

#include "services/daemon_writer.h"

enum {
  HM_INBOX_BYTES = 64 << 20, /* of everything that waits */
  HM_INBOX_REQUESTS = 1024   /* entries, flushes and such that may wait */
};

enum hm_message_kind {
  HM_MESSAGE_SENSOR,
  HM_MESSAGE_OBSERVATION,
  HM_MESSAGE_EVENT,
  HM_MESSAGE_PERIPHERAL,
  HM_MESSAGE_COUNTS,
  HM_MESSAGE_REVOCATIONS,
  HM_MESSAGE_WATCHED,
  HM_MESSAGE_ENTRY,
  HM_MESSAGE_FLUSH,
  HM_MESSAGE_CHECKPOINT,
  HM_MESSAGE_STOP
};

/* One block of memory; views of u point into the bytes behind it. */
struct hm_message {
  struct hm_message *next;
  enum hm_message_kind kind;
  size_t size; /* of the block */
  unsigned slot;
  union {
    struct hm_writer_sensor sensor;
    struct hm_observation observation;
    struct hm_trust_event event;
    struct {
      uint64_t frame;
      uint8_t record[HM_PERIPHERAL_BYTES];
    } peripheral;
    struct hm_writer_counts counts;
    struct hm_revocation_view revocations;
    bool is_watched;
    struct hm_entry_request entry;
    struct {
      uint64_t token, record;
    } ask;
  } u;
};

struct hm_inbox {
  pthread_mutex_t lock;
  pthread_cond_t filled;
  struct hm_message *first, *last;
  size_t bytes, waiting;
  unsigned requests;
  unsigned observations[HM_WRITER_SENSORS];
  unsigned peripherals[HM_WRITER_SENSORS];
  bool is_closed;
};

enum hm_status HM_MUST_CHECK hm_inbox_init(struct hm_inbox *inbox);
/* Frees what still waits. */
void hm_inbox_free(struct hm_inbox *inbox);

/* Queue a message made by malloc; the inbox owns it on HM_OK, the caller else.
 * HM_FULL beyond the bounds, HM_UNREACHABLE once a STOP was queued. */
enum hm_status HM_MUST_CHECK hm_inbox_put(struct hm_inbox *inbox, struct hm_message *message);
/* The next message, for the caller to free; NULL after wait_ns without any. */
struct hm_message *hm_inbox_take(struct hm_inbox *inbox, uint64_t wait_ns);
/* How many wait. */
size_t hm_inbox_waiting(struct hm_inbox *inbox);

#endif

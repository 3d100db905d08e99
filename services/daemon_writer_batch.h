/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One batch in the making: what waits, what each sensor's leaf will tell, and the
 * leaves, root and receipt made of it. No threads, no store: the writer gives it
 * messages, and appends what it builds.
 */
#ifndef HM_SERVICES_DAEMON_WRITER_BATCH_H
#define HM_SERVICES_DAEMON_WRITER_BATCH_H

#include "services/daemon_inbox.h"
#include "services/daemon_writer_force.h"

enum {
  HM_BATCH_PENDING = 64, /* records that close a batch */
  HM_BATCH_RUN = 4096,   /* peripheral records of one sensor that close it */
  HM_BATCH_SCRATCH = HM_BATCH_PENDING * HM_RECORD_BYTES_MAX
};

/* What happened to one sensor since the last batch. */
struct hm_sensor_run {
  bool is_used;
  uint8_t lct[32];
  uint64_t control, origin;
  uint64_t passed, first_frame, last_frame; /* frames iff passed > 0 */
  uint8_t *peripherals;                     /* records of the run, 256 bytes each */
  size_t peripheral_count, peripheral_cap;
  uint64_t dropped[HM_DROP_COUNT];
  uint64_t late, unauthorized;
  uint64_t state; /* stays from batch to batch */
  unsigned pending;
};

/* What became of a waiting message. */
struct hm_record_verdict {
  enum hm_status status;
  uint64_t number;
};

/* What the writer knows when it closes a batch. */
struct hm_batch_frame {
  uint64_t number, first_record, control_size;
  uint8_t previous[32];
  struct hm_now now;
  struct hm_revocation_view revocations;
  const struct hm_signer *session;
};

/* The sensors of a batch in the order of their leaves. */
struct hm_batch_line {
  unsigned count;
  unsigned slots[HM_BATCH_SENSORS_MAX];
  unsigned index[HM_WRITER_SENSORS]; /* of the leaf, 1..count; 0 = none */
};

struct hm_batch_maker {
  const struct hm_crypto *crypto;
  const struct hm_force *force;
  struct hm_sensor_run runs[HM_WRITER_SENSORS];
  struct hm_message *pending[HM_BATCH_PENDING];
  struct hm_record_verdict verdicts[HM_BATCH_PENDING];
  size_t pending_count;
  unsigned sensors_pending; /* distinct slots among them */
  /* built */
  struct hm_force_time time; /* one for all of it: records and leaves list the same pairings */
  struct hm_batch_line line;
  struct hm_stored_batch batch;
  struct hm_stored_record records[HM_BATCH_PENDING];
  uint8_t name[32]; /* of the receipt */
  uint64_t iat;
  size_t bytes; /* handed to the store */
  uint8_t record_bytes[HM_BATCH_SCRATCH];
  uint8_t leaf_bytes[HM_BATCH_SENSORS_MAX][HM_SENSOR_LEAF_MAX];
  uint8_t facts_bytes[HM_FACTS_MAX];
  uint8_t receipt_bytes[HM_SIGN1_MAX];
  uint8_t leaves[1 + HM_BATCH_SENSORS_MAX + HM_BATCH_PENDING][32];
};

/* NULL without memory. */
struct hm_batch_maker *hm_batch_maker_new(const struct hm_crypto *c, const struct hm_force *force);
void hm_batch_maker_free(struct hm_batch_maker *maker);

/* Who uses a slot. What the slot's run counted so far must have been written. */
void hm_batch_sensor(struct hm_batch_maker *maker, const struct hm_writer_sensor *sensor);
/* Whether the message fits into this batch; false: close it first. */
bool hm_batch_has_room(const struct hm_batch_maker *maker, const struct hm_message *message);
/* An observation or event. HM_OK: it waits here now and is freed here; else refused,
 * counted, and the caller's. */
enum hm_status HM_MUST_CHECK hm_batch_take(struct hm_batch_maker *maker, struct hm_message *message,
                                           const struct hm_now *now);
/* A peripheral record or counts; never kept. */
enum hm_status HM_MUST_CHECK hm_batch_count(struct hm_batch_maker *maker,
                                            const struct hm_message *message,
                                            const struct hm_now *now);

/* Is there a sensor to speak of; has anything happened since the last batch; may
 * anything flow now? */
bool hm_batch_has_sensor(const struct hm_batch_maker *maker);
bool hm_batch_has_news(const struct hm_batch_maker *maker);
bool hm_batch_flows(const struct hm_batch_maker *maker, const struct hm_now *now);

/* Make leaves, root and receipt of everything that waits. verdicts tells of each
 * waiting message whether it became a record. */
enum hm_status HM_MUST_CHECK hm_batch_build(struct hm_batch_maker *maker,
                                            const struct hm_batch_frame *frame);
/* It is durable: begin the next one. */
void hm_batch_done(struct hm_batch_maker *maker);
/* It could not be appended: what waited is given up and counted as dropped by the disk;
 * the counts stay for the next one. */
void hm_batch_failed(struct hm_batch_maker *maker);

#endif

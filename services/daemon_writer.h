/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The writer: one thread that alone appends to both logs and alone signs batches.
 *
 *   main thread --> inbox (ordered, bounded) --> writer thread --> one LMDB transaction
 *        ^                                             |
 *        +---- results, by an eventfd, after the commit returned <---+
 *
 * All requests are taken in the order they were handed in. No call below blocks, but
 * hm_writer_start (opens with the start entry) and hm_writer_stop. Every request that
 * was accepted (HM_OK) gets exactly one result, at stop too; what was refused
 * (HM_FULL) gets none. Handing in is for any thread, results are for the main one.
 *
 * WHAT IS IN FORCE is read from the control log itself: completions (L6) put a
 * pairing in force, revocations and expiry end it; the writer follows the log as it
 * appends. A batch takes a record under every pairing of its sensor that is in
 * force, allows the operation (observe, and remember for a vector) and has not
 * expired by arrival; a record left without any is refused with HM_REVOKED,
 * HM_EXPIRED or HM_DENIED and counted as unauthorized in its sensor's next leaf.
 * An entry that ends authority is appended after the waiting batch has been.
 *
 * BATCHES close at 64 records; commit_ms after the first record (50 ms while anyone
 * watches); at once on an event; after 1 s without records while a pairing is in
 * force, else after 10 s. HEADS (65030 with its live set, and the checkpoint 65022
 * over it): hourly, after 32 entries, at stop, on demand; none without new batches.
 */
#ifndef HM_SERVICES_DAEMON_WRITER_H
#define HM_SERVICES_DAEMON_WRITER_H

#include "memory/store.h"
#include "sensors/peripheral.h"
#include "services/clock.h"
#include "trust/observation.h"
#include "trust/revocation.h"

enum {
  HM_WRITER_SENSORS = 64, /* slots: the caller numbers its sensors 0..63 */
  HM_INBOX_SLOTS = 256,   /* observations of one sensor that may wait */
  HM_INBOX_PERIPHERALS = 1024
};

struct hm_writer;

struct hm_writer_config {
  const struct hm_crypto *crypto;
  struct hm_store *store;         /* open for writing; outlives the writer; main reads it too */
  const struct hm_signer *entity; /* the host's; must be usable from two threads (file keys are) */
  struct hm_now (*now)(void *user);
  void *now_user;
  uint8_t boot_id[16]; /* of the start entry */
  uint32_t boot_count;
  unsigned commit_ms;    /* 0: 250 */
  uint64_t disk_reserve; /* bytes; 0: 64 MiB. With less free, batches are refused (HM_FULL,
                          * counted as dropped by the disk) and of entries only those that
                          * end authority, and start, session, effective, are taken. */
};

/* Append the start entry and a fresh session key's certificate, then run. Blocks for
 * that one commit. */
enum hm_status HM_MUST_CHECK hm_writer_start(const struct hm_writer_config *config,
                                             struct hm_writer **writer, struct hm_fault *fault);
/* Take in what waits, last batch, head, checkpoint; joins the thread. Blocks. Results
 * are left to be read; nothing more can be handed in. The first failure is returned. */
enum hm_status HM_MUST_CHECK hm_writer_stop(struct hm_writer *writer, struct hm_fault *fault);
/* After stop and after the last results were read. NULL is allowed. */
void hm_writer_free(struct hm_writer *writer);

/* ---- handing in: any thread; copies everything ----------------------------------- */
/* Who uses a slot from now on. lct all zero: the slot is free. */
struct hm_writer_sensor {
  unsigned slot;
  uint8_t lct[32];
  uint64_t control; /* cN of its binding */
  uint64_t origin;  /* enum hm_origin of its records */
};
enum hm_status HM_MUST_CHECK hm_writer_sensor(struct hm_writer *writer,
                                              const struct hm_writer_sensor *sensor);

struct hm_observation {
  unsigned slot;
  uint64_t token; /* comes back in the result (the gate's seq) */
  uint64_t frame;
  uint64_t raw_ns;       /* the source's own stamp */
  uint64_t clock_domain; /* enum hm_clock of raw_ns */
  uint64_t arrival_ns;   /* Unix ns: when hallmarkd received it */
  bool has_time;
  uint64_t time_ns, error_ns; /* captured, mapped */
  uint64_t level;             /* 1..7 */
  uint64_t protection;        /* 0..3 */
  uint64_t x, y, width, height;
  uint64_t trust[5];
  struct hm_q8 value[5];
  uint64_t pixels;         /* enum hm_pixels, iff picture */
  struct hm_bytes picture; /* empty: none */
  struct hm_bytes vector;  /* empty: an observation; else a memory */
  uint8_t encoder[32];     /* iff vector */
};
/* HM_FULL: 256 of that sensor wait, or 64 MiB in all: let the source wait or drop. */
enum hm_status HM_MUST_CHECK hm_writer_observe(struct hm_writer *writer,
                                               const struct hm_observation *observation);

/* An event about trust itself: closes the batch at once. */
struct hm_trust_event {
  unsigned slot;
  uint64_t token;
  uint64_t arrival_ns;
  uint64_t level; /* of the record and of the event */
  uint64_t kind;  /* enum hm_event */
  bool has_frame, has_reason, has_count, has_trigger;
  uint64_t frame, reason, count, trigger;
  uint32_t evidence_count;
  uint8_t evidence[HM_EVIDENCE_MAX][32];
};
enum hm_status HM_MUST_CHECK hm_writer_event(struct hm_writer *writer,
                                             const struct hm_trust_event *event);

/* One peripheral record of a frame that passed: counts the frame, and goes into the
 * run's SHA-256. No result. HM_FULL: 1024 wait. */
enum hm_status HM_MUST_CHECK hm_writer_peripheral(struct hm_writer *writer, unsigned slot,
                                                  uint64_t frame,
                                                  const uint8_t record[HM_PERIPHERAL_BYTES]);

/* What else a sensor's leaf tells since the last call; no result. passed with first
 * and last frame only for gates without peripheral records (else those count). */
struct hm_writer_counts {
  unsigned slot;
  uint64_t passed, first_frame, last_frame;
  uint64_t dropped[HM_DROP_COUNT];
  uint64_t late, unauthorized;
  uint64_t state; /* enum hm_sensor_state: stays until the next call */
};
enum hm_status HM_MUST_CHECK hm_writer_counts(struct hm_writer *writer,
                                              const struct hm_writer_counts *counts);

/* The newest revocation known, as batches and heads say it. */
enum hm_status HM_MUST_CHECK hm_writer_revocations(struct hm_writer *writer,
                                                   struct hm_revocation_view view);
/* Whether anyone waits or watches: batches close after 50 ms. */
enum hm_status HM_MUST_CHECK hm_writer_watched(struct hm_writer *writer, bool is_watched);

/* A control entry. Exactly one of the sources is used:
 *   object    as it stands, with its attachments
 *   receipt   the writer fills iat and quality and signs with the entity key
 *   local     a local revocation: the writer fills iat and signs
 *   build     called on the writer's thread just before the append (never main's) */
enum hm_entry_source { HM_ENTRY_OBJECT, HM_ENTRY_RECEIPT, HM_ENTRY_LOCAL, HM_ENTRY_BUILD };
struct hm_entry_facts {
  struct hm_now now;
  uint64_t number;          /* the cN it will have */
  uint64_t durable_batches; /* D */
  const struct hm_signer *entity;
};
typedef enum hm_status (*hm_entry_build)(void *user, const struct hm_entry_facts *facts,
                                         struct hm_out *object);
struct hm_entry_request {
  uint64_t token;
  enum hm_entry_source source;
  struct hm_bytes object;
  uint32_t attached_count;
  struct hm_bytes attached[HM_LOG_ATTACHED];
  const struct hm_receipt *receipt; /* copied; its views must be empty: it has none */
  const struct hm_revocation *local;
  hm_entry_build build;
  void *build_user; /* must live until the result */
};
enum hm_status HM_MUST_CHECK hm_writer_entry(struct hm_writer *writer,
                                             const struct hm_entry_request *request);

/* Close the batch now; the result comes when everything handed in before is durable. */
enum hm_status HM_MUST_CHECK hm_writer_flush(struct hm_writer *writer, uint64_t token);
/* A checkpoint that covers record `record` (0: everything handed in before). At once
 * where the newest does; else flush, head and checkpoint, at most one in 10 s: the
 * result then comes when the 10 s are over. */
enum hm_status HM_MUST_CHECK hm_writer_checkpoint(struct hm_writer *writer, uint64_t token,
                                                  uint64_t record);

/* ---- results: the main thread ---------------------------------------------------- */
enum hm_result_kind {
  HM_RESULT_OBSERVATION, /* of observe or event; number = mN */
  HM_RESULT_ENTRY,       /* number = cN */
  HM_RESULT_FLUSH,
  HM_RESULT_CHECKPOINT, /* number = cN of the head */
  HM_RESULT_RECORDS,    /* unasked: first..first+count-1 are durable, in batch `number` */
  HM_RESULT_ENTRIES,    /* unasked: the same of control entries */
  HM_RESULT_FAULT       /* unasked: the store cannot go on; stop with status */
};
struct hm_writer_result {
  enum hm_result_kind kind;
  enum hm_status status;
  unsigned slot; /* of an observation */
  uint64_t token;
  uint64_t number;
  uint64_t first, count;
  uint64_t durable_ns;   /* realtime when the commit returned */
  struct hm_fault fault; /* text where status is not HM_OK */
};
/* Readable whenever results wait (poll it for POLLIN). */
int hm_writer_fd(const struct hm_writer *writer);
/* The next result; false when none waits (the descriptor is then quiet). */
bool hm_writer_next(struct hm_writer *writer, struct hm_writer_result *result);

/* ---- figures: any thread --------------------------------------------------------- */
struct hm_writer_stats {
  uint64_t written_records, refused_records, batches, entries; /* since start */
  uint64_t bytes_written;                                      /* handed to the store */
  uint64_t commit_last_us, commit_max_us;
  uint64_t head;    /* cN of the newest, 0 = none */
  uint64_t waiting; /* messages in the inbox */
};
void hm_writer_stats(struct hm_writer *writer, struct hm_writer_stats *stats);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The writer's thread: messages in order, a batch when it is due, heads.
 *
 * Rules of order, all held here:
 *   - an entry that puts something in force or ends it is appended after the waiting
 *     batch; so no batch that begins later can hold what it ended;
 *   - a session key's certificate is in the log before the first batch it signs;
 *   - results go out after the commit that made them true.
 */
#include <stdlib.h>

#include "services/daemon_writer_inside.h"

enum {
  COMMIT_MS = 250,
  COMMIT_WATCHED_MS = 50,
  PULSE_FLOWING_S = 1, /* a batch without records says that nothing came */
  PULSE_IDLE_S = 10,
  HEAD_EVERY_S = 3600,
  HEAD_ENTRIES = 32,
  HEAD_ASKED_S = 10, /* at most one on demand in this time */
  WAIT_MAX_S = 60
};

/* ---- telling --------------------------------------------------------------------- */
/* Of the store, not of a request that was wrong. */
static void note_failure(struct hm_writer *w, enum hm_status status)
{
  bool is_ours = status == HM_IO || status == HM_FULL || status == HM_DAMAGED || status == HM_STATE;
  if (is_ours && w->first_failure == HM_OK)
    w->first_failure = status;
}

/* A store that could not be read back after a failed write cannot go on. */
static void check_fatal(struct hm_writer *w, enum hm_status status, const struct hm_fault *fault)
{
  if (w->failed != HM_OK || (status != HM_DAMAGED && status != HM_STATE))
    return;
  w->failed = status;
  w->fault = *fault;
  struct hm_writer_result told = {.kind = HM_RESULT_FAULT, .status = status, .fault = *fault};
  hm_results_put(&w->results, &told);
}

static void tell(struct hm_writer *w, enum hm_result_kind kind, uint64_t token, uint64_t number,
                 enum hm_status status, const struct hm_fault *fault)
{
  struct hm_writer_result told = {.kind = kind,
                                  .status = status,
                                  .token = token,
                                  .number = number,
                                  .durable_ns = hm_writer_now(w).trust_ns};
  if (status != HM_OK && fault)
    told.fault = *fault;
  hm_results_put(&w->results, &told);
  note_failure(w, status);
}

static uint64_t token_of(const struct hm_message *m)
{
  return m->kind == HM_MESSAGE_EVENT ? m->u.event.token : m->u.observation.token;
}

static void tell_record(struct hm_writer *w, const struct hm_message *m, enum hm_status status,
                        uint64_t number, const struct hm_fault *fault)
{
  struct hm_writer_result told = {.kind = HM_RESULT_OBSERVATION,
                                  .status = status,
                                  .slot = m->slot,
                                  .token = token_of(m),
                                  .number = status == HM_OK ? number : 0,
                                  .durable_ns = hm_writer_now(w).trust_ns};
  if (status != HM_OK && fault)
    told.fault = *fault;
  else if (status != HM_OK)
    hm_fault_set(&told.fault, status, 0, "the record was refused: %s", hm_status_text(status));
  hm_results_put(&w->results, &told);
}

/* ---- batches --------------------------------------------------------------------- */
static void count_commit(struct hm_writer *w, uint64_t began_ns)
{
  struct hm_writer_stats *s = &w->results.stats;
  uint64_t took = (hm_boottime_ns() - began_ns) / 1000;
  size_t refused = w->maker->pending_count - w->maker->batch.record_count;
  pthread_mutex_lock(&w->results.lock);
  s->batches++;
  s->written_records += w->maker->batch.record_count;
  s->refused_records += refused;
  s->bytes_written += w->maker->bytes;
  s->commit_last_us = took;
  if (took > s->commit_max_us)
    s->commit_max_us = took;
  pthread_mutex_unlock(&w->results.lock);
}

static void tell_batch(struct hm_writer *w)
{
  const struct hm_stored_batch *b = &w->maker->batch;
  struct hm_writer_result told = {.kind = HM_RESULT_RECORDS,
                                  .number = b->number,
                                  .first = b->first_record,
                                  .count = b->record_count,
                                  .durable_ns = hm_writer_now(w).trust_ns};
  if (b->record_count > 0)
    hm_results_put(&w->results, &told);
  for (size_t i = 0; i < w->maker->pending_count; i++)
    tell_record(w, w->maker->pending[i], w->maker->verdicts[i].status, w->maker->verdicts[i].number,
                NULL);
}

static enum hm_status build_and_append(struct hm_writer *w, const struct hm_now *now,
                                       struct hm_fault *fault)
{
  struct hm_store_sizes sizes;
  HM_TRY(hm_writer_disk(w, now, fault));
  HM_TRY(hm_writer_session(w, now, fault));
  hm_store_sizes(w->config.store, &sizes);
  struct hm_batch_frame frame = {.number = sizes.batches + 1,
                                 .first_record = sizes.records + 1,
                                 .control_size = sizes.control,
                                 .now = *now,
                                 .revocations = w->revocations,
                                 .session = &w->session.signer};
  memcpy(frame.previous, w->previous, 32);
  enum hm_status status = hm_batch_build(w->maker, &frame);
  if (status != HM_OK)
    return hm_fault_set(fault, status, 0, "batch r%llu cannot be made: %s",
                        (unsigned long long)frame.number, hm_status_text(status));
  return hm_store_append_batch(w->config.store, &w->maker->batch, w->maker->records, fault);
}

/* Commit what waits and the counts; also with nothing waiting: a pulse. */
static enum hm_status close_batch(struct hm_writer *w)
{
  struct hm_now now = hm_writer_now(w);
  struct hm_fault fault = {0, ""};
  uint64_t began = hm_boottime_ns();
  w->first_pending_ns = 0;
  w->last_close_ns = now.boottime_ns;
  if (!hm_batch_has_sensor(w->maker))
    return HM_OK;
  enum hm_status status = w->failed;
  if (status == HM_OK)
    status = build_and_append(w, &now, &fault);
  else
    fault = w->fault;
  if (status == HM_OK) {
    memcpy(w->previous, w->maker->name, 32);
    w->last_iat = w->maker->iat;
    count_commit(w, began);
    tell_batch(w);
    hm_batch_done(w->maker);
    return HM_OK;
  }
  for (size_t i = 0; i < w->maker->pending_count; i++)
    tell_record(w, w->maker->pending[i], status, 0, &fault);
  note_failure(w, status);
  hm_batch_failed(w->maker);
  check_fatal(w, status, &fault);
  /* go on from what is on disk */
  if (w->failed == HM_OK && hm_writer_stand(w, &fault) != HM_OK)
    check_fatal(w, HM_DAMAGED, &fault);
  return status;
}

static enum hm_status close_if_news(struct hm_writer *w)
{
  return hm_batch_has_news(w->maker) ? close_batch(w) : w->failed;
}

/* ---- heads ----------------------------------------------------------------------- */
static uint64_t batches(const struct hm_writer *w)
{
  struct hm_store_sizes sizes;
  hm_store_sizes(w->config.store, &sizes);
  return sizes.batches;
}

static bool head_is_due(const struct hm_writer *w, const struct hm_now *now)
{
  struct hm_store_sizes sizes;
  hm_store_sizes(w->config.store, &sizes);
  if (sizes.batches <= w->head.data_size)
    return false;
  uint64_t since_ns = w->head.at_ns > 0 ? w->head.at_ns : w->started_ns;
  return sizes.control - w->head.number >= HEAD_ENTRIES ||
         now->boottime_ns - since_ns >= HEAD_EVERY_S * HM_SECOND_NS;
}

/* The batch a checkpoint must cover; 0 with HM_NOT_FOUND: no such record. */
static enum hm_status needed_batch(struct hm_writer *w, const struct hm_message *ask,
                                   uint64_t *batch)
{
  if (ask->u.ask.record > 0)
    return hm_store_batch_of(w->config.store, ask->u.ask.record, batch);
  *batch = batches(w);
  return HM_OK;
}

/* Answer those asks that the newest head covers, or all with a failure. */
static void answer_asks(struct hm_writer *w, enum hm_status failure, const struct hm_fault *fault)
{
  struct hm_message **at = &w->asks;
  while (*at) {
    struct hm_message *ask = *at;
    if (failure == HM_OK && ask->u.ask.record > w->head.data_size) {
      at = &ask->next;
      continue;
    }
    tell(w, HM_RESULT_CHECKPOINT, ask->u.ask.token, failure == HM_OK ? w->head.number : 0, failure,
         fault);
    *at = ask->next;
    free(ask);
  }
}

static enum hm_status write_head(struct hm_writer *w)
{
  struct hm_now now = hm_writer_now(w);
  struct hm_fault fault = w->fault;
  enum hm_status status = w->failed;
  if (status == HM_OK)
    status = hm_writer_disk(w, &now, &fault);
  if (status == HM_OK)
    status = hm_writer_head(w, &now, &fault);
  note_failure(w, status);
  check_fatal(w, status, &fault);
  if (status != HM_OK)
    w->head.at_ns = now.boottime_ns; /* try again later, not at once */
  answer_asks(w, status, &fault);
  return status;
}

static bool ask_may_write(const struct hm_writer *w, const struct hm_now *now)
{
  return w->head.at_ns == 0 || now->boottime_ns - w->head.at_ns >= HEAD_ASKED_S * HM_SECOND_NS;
}

/* From here on u.ask.record holds the number of the batch to be covered. Keeps the
 * message; true where it did. */
static bool take_ask(struct hm_writer *w, struct hm_message *ask)
{
  uint64_t batch = 0;
  struct hm_fault fault = w->fault;
  enum hm_status status = w->failed;
  if (status == HM_OK && ask->u.ask.record == 0)
    status = close_if_news(w);
  if (status == HM_OK)
    status = needed_batch(w, ask, &batch);
  if (status == HM_NOT_FOUND && hm_batch_has_news(w->maker)) {
    status = close_batch(w);
    if (status == HM_OK)
      status = needed_batch(w, ask, &batch);
  }
  if (status == HM_OK && (batch > w->head.data_size || w->head.number == 0)) {
    struct hm_now now = hm_writer_now(w);
    ask->u.ask.record = batch;
    ask->next = w->asks;
    w->asks = ask;
    if (batches(w) > w->head.data_size) {
      if (ask_may_write(w, &now))
        write_head(w);
      return true;
    }
    w->asks = ask->next; /* nothing to cover yet */
    status = HM_NOT_FOUND;
  }
  if (status == HM_NOT_FOUND)
    hm_fault_set(&fault, status, 0, "there is no such record yet");
  tell(w, HM_RESULT_CHECKPOINT, ask->u.ask.token, status == HM_OK ? w->head.number : 0, status,
       &fault);
  return false;
}

/* ---- entries --------------------------------------------------------------------- */
/* Whether the waiting batch must be committed before this entry is made. */
static bool goes_after_batch(const struct hm_entry_request *r)
{
  switch (r->source) {
  case HM_ENTRY_OBJECT:
    return hm_force_matters(r->object);
  case HM_ENTRY_RECEIPT:
    return hm_receipt_is_authority_kind(r->receipt->kind);
  default:
    return true;
  }
}

/* What a nearly full disk still takes: what ends authority, and says that it ended. */
static bool is_urgent(struct hm_bytes object)
{
  struct hm_sign1 s;
  struct hm_receipt receipt;
  if (hm_sign1_parse(object, false, &s) != HM_OK)
    return false;
  if (s.typ != HM_TYP_RECEIPT)
    return s.typ == HM_TYP_REVOCATION;
  if (hm_decode(&hm_shape_receipt, s.payload, &receipt, NULL) != HM_OK)
    return false;
  return receipt.kind == HM_RECEIPT_REVOCATION || receipt.kind == HM_RECEIPT_RETIREMENT ||
         receipt.kind == HM_RECEIPT_EFFECTIVE || receipt.kind == HM_RECEIPT_PRUNING ||
         receipt.kind == HM_RECEIPT_SEGMENT_CLOSED;
}

static enum hm_status make_entry(struct hm_writer *w, const struct hm_entry_request *r,
                                 const struct hm_now *now, struct hm_out *out)
{
  if (r->source == HM_ENTRY_RECEIPT) {
    struct hm_receipt receipt = *r->receipt;
    receipt.iat = now->trust_s;
    receipt.quality = now->quality;
    return hm_receipt_make(w->config.crypto, w->config.entity, &receipt, out);
  }
  if (r->source == HM_ENTRY_LOCAL) {
    struct hm_revocation local = *r->local;
    local.is_local = true;
    /* later than every batch before it: those records stay what they were */
    local.iat = now->trust_s > w->last_iat ? now->trust_s : w->last_iat + 1;
    return hm_revocation_make(w->config.crypto, w->config.entity, &local, out);
  }
  if (r->source == HM_ENTRY_BUILD) {
    struct hm_store_sizes sizes;
    hm_store_sizes(w->config.store, &sizes);
    struct hm_entry_facts facts = {.now = *now,
                                   .number = sizes.control + 1,
                                   .durable_batches = sizes.batches,
                                   .entity = w->config.entity};
    return r->build(r->build_user, &facts, out);
  }
  hm_out_put(out, r->object.data, r->object.len);
  return hm_out_status(out);
}

static void take_entry(struct hm_writer *w, const struct hm_entry_request *r)
{
  uint8_t object[HM_SIGN1_MAX];
  struct hm_out out = hm_out(object, sizeof object);
  struct hm_fault fault = {0, ""};
  uint64_t number = 0;
  /* a batch that fails has been told of and is given up: the entry does not wait for it */
  if (goes_after_batch(r) && hm_batch_has_news(w->maker))
    note_failure(w, close_batch(w));
  struct hm_now now = hm_writer_now(w);
  enum hm_status status = w->failed;
  if (status != HM_OK)
    fault = w->fault;
  if (status == HM_OK) {
    status = make_entry(w, r, &now, &out);
    if (status != HM_OK)
      hm_fault_set(&fault, status, 0, "the control entry cannot be made: %s",
                   hm_status_text(status));
  }
  if (status == HM_OK && !is_urgent(hm_out_bytes(&out)))
    status = hm_writer_disk(w, &now, &fault);
  if (status == HM_OK) {
    struct hm_log_item item = {
        .object = hm_out_bytes(&out), .attached_count = r->attached_count, .time_s = now.trust_s};
    memcpy(item.attached, r->attached, sizeof item.attached);
    status = hm_writer_append(w, &item, 1, hm_bytes(NULL, 0), &number, &fault);
    check_fatal(w, status, &fault);
  }
  tell(w, HM_RESULT_ENTRY, r->token, number, status, &fault);
}

/* ---- messages -------------------------------------------------------------------- */
static void take_sensor(struct hm_writer *w, const struct hm_writer_sensor *sensor)
{
  if (hm_batch_has_news(w->maker))
    note_failure(w, close_batch(w));
  hm_batch_sensor(w->maker, sensor);
}

/* True where the message is kept. */
static bool take_record(struct hm_writer *w, struct hm_message *m)
{
  struct hm_now now = hm_writer_now(w);
  struct hm_fault fault = w->fault;
  enum hm_status status = w->failed;
  if (status == HM_OK)
    status = hm_batch_take(w->maker, m, &now);
  else
    hm_fault_set(&fault, status, 0, "%s", w->fault.text);
  if (status != HM_OK) {
    tell_record(w, m, status, 0, w->failed != HM_OK ? &fault : NULL);
    pthread_mutex_lock(&w->results.lock);
    w->results.stats.refused_records++;
    pthread_mutex_unlock(&w->results.lock);
    return false;
  }
  if (w->first_pending_ns == 0)
    w->first_pending_ns = now.boottime_ns;
  if (w->maker->pending_count == HM_BATCH_PENDING || m->kind == HM_MESSAGE_EVENT)
    note_failure(w, close_batch(w));
  return true;
}

static void take_count(struct hm_writer *w, const struct hm_message *m)
{
  struct hm_now now = hm_writer_now(w);
  /* a slot that is free by now: who handed it in has been told by the sensor's end */
  note_failure(w, hm_batch_count(w->maker, m, &now) == HM_IO ? HM_IO : HM_OK);
}

/* Handles a message; false where it must not be freed. */
static bool handle(struct hm_writer *w, struct hm_message *m)
{
  if (!hm_batch_has_room(w->maker, m))
    note_failure(w, close_batch(w));
  switch (m->kind) {
  case HM_MESSAGE_SENSOR:
    take_sensor(w, &m->u.sensor);
    return true;
  case HM_MESSAGE_OBSERVATION:
  case HM_MESSAGE_EVENT:
    return !take_record(w, m);
  case HM_MESSAGE_PERIPHERAL:
  case HM_MESSAGE_COUNTS:
    take_count(w, m);
    return true;
  case HM_MESSAGE_REVOCATIONS:
    w->revocations = m->u.revocations;
    return true;
  case HM_MESSAGE_WATCHED:
    w->is_watched = m->u.is_watched;
    return true;
  case HM_MESSAGE_ENTRY:
    take_entry(w, &m->u.entry);
    return true;
  case HM_MESSAGE_FLUSH:
    tell(w, HM_RESULT_FLUSH, m->u.ask.token, 0, close_if_news(w), &w->fault);
    return true;
  case HM_MESSAGE_CHECKPOINT:
    return !take_ask(w, m);
  case HM_MESSAGE_STOP:
    return true;
  }
  return true;
}

/* ---- time ------------------------------------------------------------------------ */
static uint64_t close_due_ns(const struct hm_writer *w, const struct hm_now *now)
{
  if (w->first_pending_ns > 0) {
    uint64_t commit = w->is_watched ? COMMIT_WATCHED_MS * UINT64_C(1000000) : w->commit_ns;
    return w->first_pending_ns + commit;
  }
  if (!hm_batch_has_sensor(w->maker))
    return UINT64_MAX;
  uint64_t pulse = hm_batch_flows(w->maker, now) ? PULSE_FLOWING_S : PULSE_IDLE_S;
  return w->last_close_ns + pulse * HM_SECOND_NS;
}

static uint64_t wait_ns(const struct hm_writer *w)
{
  struct hm_now now = hm_writer_now(w);
  uint64_t due = close_due_ns(w, &now);
  if (w->asks && w->head.at_ns + HEAD_ASKED_S * HM_SECOND_NS < due)
    due = w->head.at_ns + HEAD_ASKED_S * HM_SECOND_NS;
  if (due <= now.boottime_ns)
    return 0;
  uint64_t wait = due - now.boottime_ns;
  return wait < WAIT_MAX_S * HM_SECOND_NS ? wait : WAIT_MAX_S * HM_SECOND_NS;
}

static void do_what_is_due(struct hm_writer *w)
{
  struct hm_now now = hm_writer_now(w);
  if (close_due_ns(w, &now) <= now.boottime_ns)
    note_failure(w, close_batch(w));
  if (w->failed == HM_OK && (head_is_due(w, &now) || (w->asks && ask_may_write(w, &now))))
    note_failure(w, write_head(w));
}

static void finish(struct hm_writer *w)
{
  struct hm_fault fault = w->fault;
  note_failure(w, close_if_news(w));
  if (w->failed == HM_OK && batches(w) > w->head.data_size)
    note_failure(w, write_head(w));
  hm_fault_set(&fault, HM_UNREACHABLE, 0, "the daemon stops");
  answer_asks(w, w->failed != HM_OK ? w->failed : HM_UNREACHABLE, &fault);
}

static void *run(void *argument)
{
  struct hm_writer *w = argument;
  for (;;) {
    struct hm_message *m = hm_inbox_take(&w->inbox, wait_ns(w));
    bool is_stop = m && m->kind == HM_MESSAGE_STOP;
    if (m && handle(w, m))
      free(m);
    if (is_stop)
      break;
    do_what_is_due(w);
  }
  finish(w);
  return NULL;
}

/* ---- life ------------------------------------------------------------------------ */
static enum hm_status prepare(struct hm_writer *w, struct hm_fault *fault)
{
  struct hm_log *log = hm_store_control(w->config.store);
  w->maker = hm_batch_maker_new(w->config.crypto, &w->force);
  if (!w->maker)
    return hm_fault_set(fault, HM_IO, 0, "no memory for a batch");
  if (hm_force_replay(&w->force, log) != HM_OK)
    return hm_fault_set(fault, HM_DAMAGED, 0, "the control log cannot be read to its end");
  HM_TRY(hm_writer_stand(w, fault));
  w->results.stats.head = w->head.number;
  HM_TRY(hm_writer_begin(w, fault));
  w->started_ns = w->last_close_ns = hm_writer_now(w).boottime_ns;
  if (pthread_create(&w->thread, NULL, run, w))
    return hm_fault_set(fault, HM_IO, 0, "no thread for the writer");
  w->is_running = true;
  return HM_OK;
}

enum hm_status hm_writer_start(const struct hm_writer_config *config, struct hm_writer **writer,
                               struct hm_fault *fault)
{
  struct hm_writer *w = calloc(1, sizeof *w);
  *writer = NULL;
  if (!w)
    return hm_fault_set(fault, HM_IO, 0, "no memory for the writer");
  w->config = *config;
  w->commit_ns = (config->commit_ms ? config->commit_ms : COMMIT_MS) * UINT64_C(1000000);
  hm_force_init(&w->force, config->crypto, config->entity->kid);
  enum hm_status status = hm_inbox_init(&w->inbox);
  if (status == HM_OK)
    status = hm_results_init(&w->results);
  if (status != HM_OK) {
    free(w);
    return hm_fault_set(fault, status, 0, "no lock or descriptor for the writer");
  }
  status = prepare(w, fault);
  if (status != HM_OK) {
    hm_writer_free(w);
    return status;
  }
  *writer = w;
  return HM_OK;
}

enum hm_status hm_writer_stop(struct hm_writer *w, struct hm_fault *fault)
{
  struct hm_message *stop = calloc(1, sizeof *stop);
  if (!stop)
    return hm_fault_set(fault, HM_IO, 0, "no memory to stop the writer");
  stop->kind = HM_MESSAGE_STOP;
  stop->size = sizeof *stop;
  if (hm_inbox_put(&w->inbox, stop) != HM_OK)
    free(stop); /* it stops already */
  if (w->is_running)
    pthread_join(w->thread, NULL);
  w->is_running = false;
  hm_wipe(&w->session, sizeof w->session);
  if (w->first_failure != HM_OK)
    return hm_fault_set(fault, w->first_failure, w->fault.error, "%s",
                        w->failed != HM_OK ? w->fault.text : hm_status_text(w->first_failure));
  return HM_OK;
}

void hm_writer_free(struct hm_writer *w)
{
  if (!w)
    return;
  hm_batch_maker_free(w->maker);
  hm_force_free(&w->force);
  hm_inbox_free(&w->inbox);
  hm_results_free(&w->results);
  hm_wipe(&w->session, sizeof w->session);
  free(w);
}

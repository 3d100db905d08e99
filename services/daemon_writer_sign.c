/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the entity key signs for the writer: start, session keys, heads, checkpoints.
 * A session key cannot fork the log: it signs batches and nothing else.
 */
#include <stdlib.h>

#include "services/daemon_writer_inside.h"
#include "trust/crypto_openssl.h"

enum {
  SESSION_MARGIN_S = 600, /* a new key before the old one ends */
  SESSION_SLACK_S = 300   /* a clock may step back this far under one key */
};

/* ---- where the logs stand -------------------------------------------------------- */
static enum hm_status stand_on_batch(struct hm_writer *w, uint64_t number)
{
  uint8_t *buffer = malloc(HM_STORED_BATCH_MAX);
  struct hm_stored_batch batch;
  struct hm_batch_claims claims;
  struct hm_sign1 s;
  if (!buffer)
    return HM_IO;
  enum hm_status status =
      hm_store_batch(w->config.store, number, buffer, HM_STORED_BATCH_MAX, &batch);
  if (status == HM_OK)
    status = hm_batch_peek(batch.receipt, false, &s, &claims);
  if (status == HM_OK)
    status = hm_sign1_name(w->config.crypto, &s, hm_bytes(batch.root, 32), w->previous);
  if (status == HM_OK)
    w->last_iat = claims.iat;
  free(buffer);
  return status;
}

static enum hm_status stand_on_head(struct hm_writer *w)
{
  struct hm_log *log = hm_store_control(w->config.store);
  uint8_t object[HM_SIGN1_MAX];
  size_t len;
  uint64_t size;
  enum hm_status status = hm_log_checkpoint(log, UINT64_MAX, object, sizeof object, &len, &size);
  if (status == HM_NOT_FOUND)
    return HM_OK; /* none yet */
  HM_TRY(status);
  uint8_t *buffer = malloc(HM_LOG_ENTRY_MAX);
  struct hm_log_entry entry;
  struct hm_head *head = malloc(sizeof *head);
  status = buffer && head ? hm_log_entry(log, size, buffer, HM_LOG_ENTRY_MAX, &entry) : HM_IO;
  if (status == HM_OK)
    status =
        hm_head_open(w->config.crypto, entry.object, w->config.entity->point, head, w->head.name);
  if (status == HM_OK) {
    w->head.number = size;
    w->head.data_size = head->data_tree.size;
  }
  free(head);
  free(buffer);
  return status;
}

enum hm_status hm_writer_stand(struct hm_writer *w, struct hm_fault *fault)
{
  struct hm_store_sizes sizes;
  hm_store_sizes(w->config.store, &sizes);
  memset(w->previous, 0, sizeof w->previous);
  if (sizes.batches > 0 && stand_on_batch(w, sizes.batches) != HM_OK)
    return hm_fault_set(fault, HM_DAMAGED, 0, "batch r%llu cannot be read",
                        (unsigned long long)sizes.batches);
  if (stand_on_head(w) != HM_OK)
    return hm_fault_set(fault, HM_DAMAGED, 0, "the newest head in the control log cannot be read");
  return HM_OK;
}

/* ---- appending ------------------------------------------------------------------- */
enum hm_status hm_writer_append(struct hm_writer *w, struct hm_log_item *items, size_t count,
                                struct hm_bytes checkpoint, uint64_t *first, struct hm_fault *fault)
{
  uint64_t bytes = checkpoint.len;
  HM_TRY(hm_store_append_control(w->config.store, items, count, checkpoint, first, fault));
  for (size_t i = 0; i < count; i++) {
    bytes += items[i].object.len + items[i].live.len;
    if (hm_force_apply(&w->force, items[i].object, *first + i) != HM_OK)
      return hm_fault_set(fault, HM_STATE, 0, "entry c%llu was appended but cannot be read",
                          (unsigned long long)(*first + i));
  }
  pthread_mutex_lock(&w->results.lock);
  w->results.stats.entries += count;
  w->results.stats.bytes_written += bytes;
  pthread_mutex_unlock(&w->results.lock);
  struct hm_writer_result told = {.kind = HM_RESULT_ENTRIES,
                                  .first = *first,
                                  .count = count,
                                  .durable_ns = hm_writer_now(w).trust_ns};
  hm_results_put(&w->results, &told);
  return HM_OK;
}

#define DISK_RESERVE (UINT64_C(64) << 20)

enum hm_status hm_writer_disk(struct hm_writer *w, const struct hm_now *now, struct hm_fault *fault)
{
  uint64_t reserve = w->config.disk_reserve ? w->config.disk_reserve : DISK_RESERVE;
  uint64_t used, available;
  if (w->disk_seen_ns == 0 || now->boottime_ns - w->disk_seen_ns >= HM_SECOND_NS) {
    w->disk_seen_ns = now->boottime_ns;
    w->is_disk_low =
        hm_store_bytes(w->config.store, &used, &available) == HM_OK && available < reserve;
  }
  if (w->is_disk_low)
    return hm_fault_set(fault, HM_FULL, 0,
                        "the store's disk has less than %llu MiB left; free some space",
                        (unsigned long long)(reserve >> 20));
  return HM_OK;
}

/* ---- sessions -------------------------------------------------------------------- */
static enum hm_status make_session(struct hm_writer *w, const struct hm_now *now,
                                   struct hm_session_key *fresh, struct hm_out *out)
{
  struct hm_store_sizes sizes;
  uint8_t random[48], point[64];
  hm_store_sizes(w->config.store, &sizes);
  enum hm_status status = hm_random(random, sizeof random);
  if (status == HM_OK)
    status = hm_p256_generate(w->config.crypto, random, fresh->key.scalar, point);
  hm_wipe(random, sizeof random);
  HM_TRY(status);
  uint8_t scalar[32];
  memcpy(scalar, fresh->key.scalar, 32);
  status = hm_signer_from_scalar(w->config.crypto, scalar, &fresh->key, &fresh->signer);
  hm_wipe(scalar, sizeof scalar);
  HM_TRY(status);
  fresh->nbf = now->trust_s > SESSION_SLACK_S ? now->trust_s - SESSION_SLACK_S : 0;
  fresh->exp = fresh->nbf + HM_SESSION_MAX_S;
  fresh->first = sizes.batches + 1;
  struct hm_session session = {.exp = fresh->exp,
                               .nbf = fresh->nbf,
                               .iat = now->trust_s,
                               .purpose_count = 1,
                               .purposes = {HM_PURPOSE_BATCHES},
                               .first = fresh->first};
  memcpy(session.key, fresh->signer.point, 64);
  return hm_session_make(w->config.crypto, w->config.entity, &session, out);
}

/* The fresh key takes the old one's place; the old one is gone for good. */
static void use_session(struct hm_writer *w, struct hm_session_key *fresh)
{
  w->session = *fresh;
  w->session.signer.key = &w->session.key;
  hm_wipe(fresh, sizeof *fresh);
}

static bool session_serves(const struct hm_writer *w, const struct hm_now *now, uint64_t number)
{
  const struct hm_session_key *s = &w->session;
  return s->exp > 0 && s->nbf <= now->trust_s && now->trust_s + SESSION_MARGIN_S < s->exp &&
         number - s->first < HM_BATCHES_PER_SESSION;
}

enum hm_status hm_writer_session(struct hm_writer *w, const struct hm_now *now,
                                 struct hm_fault *fault)
{
  struct hm_store_sizes sizes;
  hm_store_sizes(w->config.store, &sizes);
  if (session_serves(w, now, sizes.batches + 1))
    return HM_OK;
  struct hm_session_key fresh = {.exp = 0};
  uint8_t object[HM_SIGN1_MAX];
  struct hm_out out = hm_out(object, sizeof object);
  uint64_t number;
  enum hm_status status = make_session(w, now, &fresh, &out);
  if (status != HM_OK) {
    hm_fault_set(fault, status, 0, "a session key cannot be made: %s", hm_status_text(status));
  } else {
    struct hm_log_item item = {.object = hm_out_bytes(&out), .time_s = now->trust_s};
    status = hm_writer_append(w, &item, 1, hm_bytes(NULL, 0), &number, fault);
  }
  if (status == HM_OK)
    use_session(w, &fresh);
  hm_wipe(&fresh, sizeof fresh);
  return status;
}

enum hm_status hm_writer_begin(struct hm_writer *w, struct hm_fault *fault)
{
  struct hm_now now = hm_writer_now(w);
  struct hm_session_key fresh = {.exp = 0};
  uint8_t objects[2][HM_SIGN1_MAX];
  struct hm_out start = hm_out(objects[0], HM_SIGN1_MAX),
                session = hm_out(objects[1], HM_SIGN1_MAX);
  struct hm_receipt receipt = {.iat = now.trust_s,
                               .level = 1,
                               .quality = now.quality,
                               .kind = HM_RECEIPT_START,
                               .has_start = true,
                               .boot_count = w->config.boot_count};
  uint64_t first;
  memcpy(receipt.subject, w->config.entity->kid, 32);
  memcpy(receipt.boot_id, w->config.boot_id, 16);
  enum hm_status status = hm_random(receipt.boot_random, 16);
  if (status == HM_OK)
    status = hm_receipt_make(w->config.crypto, w->config.entity, &receipt, &start);
  if (status == HM_OK)
    status = make_session(w, &now, &fresh, &session);
  if (status != HM_OK) {
    hm_fault_set(fault, status, 0, "the start entry cannot be signed: %s", hm_status_text(status));
  } else {
    struct hm_log_item items[2] = {{.object = hm_out_bytes(&start), .time_s = now.trust_s},
                                   {.object = hm_out_bytes(&session), .time_s = now.trust_s}};
    status = hm_writer_append(w, items, 2, hm_bytes(NULL, 0), &first, fault);
  }
  if (status == HM_OK)
    use_session(w, &fresh);
  hm_wipe(&fresh, sizeof fresh);
  return status;
}

/* ---- heads ----------------------------------------------------------------------- */
static enum hm_status fill_head(struct hm_writer *w, const struct hm_now *now, uint8_t *live,
                                size_t *live_len, struct hm_head *head)
{
  struct hm_store *store = w->config.store;
  struct hm_log *log = hm_store_control(store);
  struct hm_store_sizes sizes;
  hm_store_sizes(store, &sizes);
  head->iat = now->trust_s;
  head->quality = now->quality;
  head->revocations = w->revocations;
  head->has_previous = w->head.number > 0;
  memcpy(head->previous, w->head.name, 32);
  head->data_tree.size = sizes.batches;
  HM_TRY(hm_store_data_root(store, sizes.batches, head->data_tree.root));
  HM_TRY(hm_force_live(&w->force, head->iat, live, HM_LIVE_SET_MAX, live_len));
  struct hm_bytes set = hm_bytes(live, *live_len);
  HM_TRY(w->config.crypto->sha256(&set, 1, head->live));
  uint64_t begin = w->head.number > 0 ? w->head.number - 1 : 0;
  HM_TRY(hm_log_range(hm_log_node, log, begin, sizes.control, &head->control_range));
  return hm_log_range(hm_store_data_node, store, w->head.data_size, sizes.batches,
                      &head->data_range);
}

static enum hm_status sign_checkpoint(struct hm_writer *w, const struct hm_now *now,
                                      const struct hm_log_item *item, struct hm_out *out)
{
  struct hm_checkpoint checkpoint = {.iat = now->trust_s};
  HM_TRY(hm_log_preview(hm_store_control(w->config.store), item, 1, &checkpoint.control_tree.size,
                        checkpoint.control_tree.root));
  return hm_checkpoint_make(w->config.crypto, w->config.entity, &checkpoint, out);
}

enum hm_status hm_writer_head(struct hm_writer *w, const struct hm_now *now, struct hm_fault *fault)
{
  struct hm_head *head = calloc(1, sizeof *head);
  uint8_t *live = malloc(HM_LIVE_SET_MAX);
  uint8_t objects[2][HM_SIGN1_MAX], name[32];
  struct hm_out made = hm_out(objects[0], HM_SIGN1_MAX),
                checkpoint = hm_out(objects[1], HM_SIGN1_MAX);
  size_t live_len = 0;
  uint64_t number = 0;
  enum hm_status status = head && live ? fill_head(w, now, live, &live_len, head) : HM_IO;
  if (status == HM_OK)
    status = hm_head_make(w->config.crypto, w->config.entity, head, &made);
  struct hm_log_item item = {
      .object = hm_out_bytes(&made), .time_s = now->trust_s, .live = hm_bytes(live, live_len)};
  struct hm_sign1 s;
  if (status == HM_OK)
    status = hm_sign1_expect(item.object, HM_TYP_HEAD, &s);
  if (status == HM_OK)
    status = hm_sign1_name(w->config.crypto, &s, hm_bytes(NULL, 0), name);
  if (status == HM_OK)
    status = sign_checkpoint(w, now, &item, &checkpoint);
  if (status != HM_OK)
    hm_fault_set(fault, status, 0, "a head cannot be signed: %s", hm_status_text(status));
  else
    status = hm_writer_append(w, &item, 1, hm_out_bytes(&checkpoint), &number, fault);
  if (status == HM_OK) {
    w->head.number = number;
    memcpy(w->head.name, name, 32);
    w->head.data_size = head->data_tree.size;
    w->head.at_ns = now->boottime_ns;
    pthread_mutex_lock(&w->results.lock);
    w->results.stats.head = number;
    pthread_mutex_unlock(&w->results.lock);
  }
  free(live);
  free(head);
  return status;
}

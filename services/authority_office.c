/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/authority_office.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "services/clock.h"
#include "services/json.h"
#include "services/names.h"
#include "services/text.h"
#include "trust/checkpoint.h"
#include "trust/crypto_openssl.h"

static enum hm_status of_fault(struct hm_error *err, enum hm_status status,
                               const struct hm_fault *fault)
{
  return hm_fail(err, status, "authority: %s",
                 fault->text[0] != '\0' ? fault->text : hm_status_text(status));
}

const char *hm_authority_who(const uint8_t lct[32], char out[48])
{
  char text[HM_LCT_SHORT + 1];
  hm_lct_format_short(lct, text);
  (void)snprintf(out, 48, "%s...", text);
  return out;
}

/* ---- opening ------------------------------------------------------------------------ */

static enum hm_status log_path(const struct hm_authority *a, char path[HM_FILE_PATH],
                               struct hm_error *err)
{
  return hm_path_join(path, a->folder, "log", err);
}

/* The first entry: the authority states that it exists, under its own key. */
static enum hm_status make_birth(struct hm_authority *a, uint64_t now, struct hm_out *out)
{
  struct hm_receipt receipt = {.iat = now,

                               .level = 7,
                               .quality = HM_QUALITY_AUTHORITY,
                               .kind = HM_RECEIPT_ESTABLISHMENT,
                               .result = HM_RESULT_PASS};
  memcpy(receipt.subject, a->key.signer.kid, sizeof receipt.subject);
  return hm_receipt_make(a->crypto, &a->key.signer, &receipt, out);
}

static enum hm_status create_log(struct hm_authority *a, const char *path, uint64_t now,
                                 struct hm_error *err)
{
  uint8_t object[HM_SIGN1_MAX], random[16];
  struct hm_out out = hm_out(object, sizeof object);
  enum hm_status status = make_birth(a, now, &out);
  if (status == HM_OK)
    status = hm_random(random, sizeof random);
  if (status != HM_OK)
    return hm_fail(err, status, "authority: its first log entry: %s", hm_status_text(status));
  struct hm_log_item item = {.object = hm_out_bytes(&out), .time_s = now};
  struct hm_fault fault = {0, ""};
  status = hm_log_create(a->crypto, path, HM_LOG_AUTHORITY, a->key.signer.kid, random, &item, 1,
                         hm_bytes(NULL, 0), &fault);
  return status == HM_OK ? HM_OK : of_fault(err, status, &fault);
}

static void begin(struct hm_authority *a, const char *folder)
{
  memset(a, 0, sizeof *a);
  a->crypto = &hm_crypto_openssl;
  (void)g_strlcpy(a->folder, folder, sizeof a->folder);
}

static enum hm_status init_steps(struct hm_authority *a, struct hm_error *err)
{
  char key[HM_FILE_PATH], pub[HM_FILE_PATH], log[HM_FILE_PATH];
  uint64_t now;
  HM_TRY(hm_path_join(key, a->folder, "sign.pem", err));
  HM_TRY(hm_path_join(pub, a->folder, "authority.pub", err));
  HM_TRY(log_path(a, log, err));
  HM_TRY(hm_folder_make(a->folder, 0700, err));
  struct stat s;
  bool has_log = stat(log, &s) == 0;
  if (has_log && stat(key, &s) != 0)
    return hm_fail(err, HM_DAMAGED, "authority: %s is there, its key %s is not; restore the key",
                   log, key);
  if (has_log && stat(pub, &s) == 0)
    return hm_fail(err, HM_EXISTS, "authority: %s is there already", a->folder);
  HM_TRY(hm_authority_time(a, &now, err));
  HM_TRY(hm_signing_key_ensure(key, &a->key, err));
  if (!has_log)
    HM_TRY(create_log(a, log, now, err));
  return hm_public_write(pub, a->key.signer.point, err);
}

enum hm_status hm_authority_init(struct hm_authority *a, const char *folder, struct hm_error *err)
{
  begin(a, folder);
  enum hm_status status = init_steps(a, err);
  if (status != HM_OK)
    hm_authority_close(a);
  return status;
}

struct replay {
  struct hm_authority *a;
  struct hm_error *err;
};

static enum hm_status replay_entry(void *context, const struct hm_log_entry *entry)
{
  struct replay *replay = context;
  struct hm_authority *a = replay->a;
  return hm_registry_take(a->registry, a->crypto, a->key.signer.point, entry->number, entry->object,
                          replay->err);
}

static enum hm_status replay_log(struct hm_authority *a, struct hm_error *err)
{
  enum { STEP = 500 };
  struct replay replay = {a, err};
  uint64_t size = hm_log_size(a->log);
  for (uint64_t at = 1; at <= size; at += STEP) {
    (void)hm_fail(err, HM_DAMAGED, "authority: log entry %llu and on", (unsigned long long)at);
    HM_TRY(hm_log_scan(a->log, at, STEP, replay_entry, &replay));
  }
  return HM_OK;
}

static enum hm_status open_steps(struct hm_authority *a, struct hm_error *err)
{
  char key[HM_FILE_PATH], log[HM_FILE_PATH];
  HM_TRY(hm_path_join(key, a->folder, "sign.pem", err));
  HM_TRY(log_path(a, log, err));
  enum hm_status status = hm_signing_key_load(key, &a->key, err);
  if (status == HM_NOT_FOUND)
    return hm_fail(err, HM_NOT_FOUND, "authority: none in %s; run: hallmark-authority init",
                   a->folder);
  HM_TRY(status);
  struct hm_fault fault = {0, ""};
  status = hm_log_open(a->crypto, log, HM_LOG_AUTHORITY, HM_LOG_WRITE, &a->log, &fault);
  if (status == HM_NOT_FOUND)
    return hm_fail(err, HM_NOT_FOUND, "authority: no log in %s; run: hallmark-authority init",
                   a->folder);
  if (status != HM_OK)
    return of_fault(err, status, &fault);
  uint8_t owner[32];
  hm_log_owner(a->log, owner);
  if (memcmp(owner, a->key.signer.kid, sizeof owner) != 0)
    return hm_fail(err, HM_DAMAGED, "authority: %s belongs to another key than %s", log, key);
  a->registry = hm_registry_new();
  return replay_log(a, err);
}

enum hm_status hm_authority_open(struct hm_authority *a, const char *folder, bool by_file,
                                 struct hm_error *err)
{
  begin(a, folder);
  a->by_file = by_file;
  enum hm_status status = open_steps(a, err);
  if (status != HM_OK)
    hm_authority_close(a);
  return status;
}

void hm_authority_close(struct hm_authority *a)
{
  hm_log_close(a->log);
  hm_registry_free(a->registry);
  hm_signing_key_wipe(&a->key);
  a->log = NULL;
  a->registry = NULL;
}

/* ---- the log -------------------------------------------------------------------------- */

enum hm_status hm_authority_time(const struct hm_authority *a, uint64_t *now, struct hm_error *err)
{
  uint64_t seconds = hm_realtime_ns() / 1000000000u;
  uint64_t newest = a->registry != NULL ? hm_registry_newest_iat(a->registry) : 0;
  char is[HM_TEXT_TIME], must[HM_TEXT_TIME];
  hm_text_time_utc(seconds * 1000000000u, is);
  if (seconds < hm_build_time()) {
    hm_text_time_utc(hm_build_time() * 1000000000u, must);
    return hm_fail(err, HM_STALE, "authority: the clock says %s, before this build (%s); set it",
                   is, must);
  }
  if (seconds + HM_SKEW_S < newest) {
    hm_text_time_utc(newest * 1000000000u, must);
    return hm_fail(err, HM_STALE,
                   "authority: the clock says %s, over %d s behind its own log (%s); set it", is,
                   HM_SKEW_S, must);
  }
  *now = seconds > newest ? seconds : newest;
  return HM_OK;
}

static enum hm_status sign_checkpoint(struct hm_authority *a, uint64_t now, uint64_t size,
                                      const uint8_t root[32], struct hm_out *out)
{
  struct hm_checkpoint c = {.iat = now, .has_revocations = true};
  c.revocations.highest = hm_registry_revocations(a->registry);
  c.revocations.heard = now;
  c.control_tree.size = size;
  memcpy(c.control_tree.root, root, sizeof c.control_tree.root);
  return hm_checkpoint_make(a->crypto, &a->key.signer, &c, out);
}

static enum hm_status checkpoint_over(struct hm_authority *a, uint64_t now,
                                      const struct hm_log_item *items, size_t count,
                                      struct hm_out *out, struct hm_error *err)
{
  uint64_t size;
  uint8_t root[32];
  enum hm_status status = hm_log_preview(a->log, items, count, &size, root);
  if (status == HM_OK)
    status = sign_checkpoint(a, now, size, root, out);
  return status == HM_OK
             ? HM_OK
             : hm_fail(err, status, "authority: checkpoint: %s", hm_status_text(status));
}

enum hm_status hm_authority_checkpoint(struct hm_authority *a, uint64_t now, uint8_t *object,
                                       size_t cap, size_t *len, struct hm_error *err)
{
  struct hm_out out = hm_out(object, cap);
  HM_TRY(checkpoint_over(a, now, NULL, 0, &out, err));
  *len = out.len;
  return HM_OK;
}

enum hm_status hm_authority_append(struct hm_authority *a, const struct hm_log_item *items,
                                   size_t count, uint64_t now, uint64_t *first,
                                   struct hm_error *err)
{
  uint8_t checkpoint[HM_SIGN1_MAX];
  struct hm_out out = hm_out(checkpoint, sizeof checkpoint);
  HM_TRY(checkpoint_over(a, now, items, count, &out, err));
  struct hm_fault fault = {0, ""};
  enum hm_status status = hm_log_append(a->log, items, count, hm_out_bytes(&out), first, &fault);
  if (status != HM_OK)
    return of_fault(err, status, &fault);
  for (size_t i = 0; i < count; i++)
    HM_TRY(hm_registry_take(a->registry, a->crypto, a->key.signer.point, *first + i,
                            items[i].object, err));
  return HM_OK;
}

enum hm_status hm_authority_proof(struct hm_authority *a, uint64_t entry, uint64_t now,
                                  struct hm_out *out, struct hm_error *err)
{
  uint8_t checkpoint[HM_SIGN1_MAX];
  size_t len = 0;
  HM_TRY(hm_authority_checkpoint(a, now, checkpoint, sizeof checkpoint, &len, err));
  struct hm_log_proof proof = {.checkpoint = hm_bytes(checkpoint, len), .index = entry - 1};
  enum hm_status status = hm_log_inclusion(a->crypto, hm_log_node, a->log, hm_log_size(a->log),
                                           proof.index, &proof.way);
  if (status == HM_OK)
    status = hm_log_proof_encode(&proof, out);
  return status == HM_OK ? HM_OK
                         : hm_fail(err, status, "authority: log proof of entry %llu: %s",
                                   (unsigned long long)entry, hm_status_text(status));
}

enum hm_status hm_authority_object(struct hm_authority *a, uint64_t entry, struct hm_desk *desk,
                                   struct hm_bytes *object, struct hm_error *err)
{
  struct hm_log_entry found;
  enum hm_status status = hm_log_entry(a->log, entry, desk->entry, sizeof desk->entry, &found);
  if (status == HM_OK && found.object.len > sizeof desk->object)
    status = HM_DAMAGED;
  if (status != HM_OK)
    return hm_fail(err, status, "authority: log entry %llu: %s", (unsigned long long)entry,
                   hm_status_text(status));
  memcpy(desk->object, found.object.data, found.object.len);
  *object = hm_bytes(desk->object, found.object.len);
  return HM_OK;
}

/* ---- hello, log -------------------------------------------------------------------------- */

static enum hm_status hello(struct hm_authority *a, const struct hm_auth_question *question,
                            struct hm_desk *desk, struct hm_auth_answer *answer,
                            struct hm_error *err)
{
  struct hm_signed_time time = {.revocations = hm_registry_revocations(a->registry)};
  memcpy(time.nonce, question->u.hello.nonce, sizeof time.nonce);
  HM_TRY(hm_authority_time(a, &time.iat, err));
  const struct hm_registered_revocation *last =
      hm_registry_revocation_at(a->registry, time.revocations);
  time.has_previous = last != NULL;
  if (last != NULL)
    memcpy(time.previous, last->name, sizeof time.previous);
  struct hm_out out = hm_out(desk->object, sizeof desk->object);
  enum hm_status status = hm_signed_time_make(a->crypto, &a->key.signer, &time, &out);
  if (status != HM_OK)
    return hm_fail(err, status, "authority: signed time: %s", hm_status_text(status));
  size_t len = 0;
  HM_TRY(
      hm_authority_checkpoint(a, time.iat, desk->checkpoint, sizeof desk->checkpoint, &len, err));
  answer->u.hello.time = hm_out_bytes(&out);
  memcpy(answer->u.hello.key, a->key.signer.point, sizeof answer->u.hello.key);
  answer->u.hello.checkpoint = hm_bytes(desk->checkpoint, len);
  return HM_OK;
}

/* Revocations after the one the asker has, packed one behind the other into desk->entry's
 * neighbour: each is <= 256 bytes, 32 of them fit an answer. */
static enum hm_status list_revocations(struct hm_authority *a, uint64_t after, struct hm_desk *desk,
                                       struct hm_auth_log_answer *out, struct hm_error *err)
{
  struct hm_out packed = hm_out(desk->partner, sizeof desk->partner);
  uint64_t last = hm_registry_revocations(a->registry);
  for (uint64_t n = after + 1; n <= last && out->revocation_count < HM_AUTH_REVOCATIONS; n++) {
    struct hm_bytes object;
    HM_TRY(hm_authority_object(a, hm_registry_revocation_at(a->registry, n)->entry, desk, &object,
                               err));
    if (packed.len + object.len > packed.cap)
      break;
    out->revocations[out->revocation_count++] = hm_bytes(packed.data + packed.len, object.len);
    hm_out_put(&packed, object.data, object.len);
  }
  return HM_OK;
}

static enum hm_status log_since(struct hm_authority *a, const struct hm_auth_question *question,
                                struct hm_desk *desk, struct hm_auth_answer *answer,
                                struct hm_error *err)
{
  const struct hm_auth_log *q = &question->u.log;
  struct hm_auth_log_answer *out = &answer->u.log;
  uint64_t now, size = hm_log_size(a->log);
  size_t len = 0;
  if (q->held > size || q->revocations > hm_registry_revocations(a->registry))
    return hm_fail(err, HM_ROLLBACK,
                   "you hold entry %llu and revocation %llu of a log that has %llu and %llu: "
                   "rolled back, or another authority",
                   (unsigned long long)q->held, (unsigned long long)q->revocations,
                   (unsigned long long)size,
                   (unsigned long long)hm_registry_revocations(a->registry));
  HM_TRY(hm_authority_time(a, &now, err));
  HM_TRY(hm_authority_checkpoint(a, now, desk->checkpoint, sizeof desk->checkpoint, &len, err));
  out->checkpoint = hm_bytes(desk->checkpoint, len);
  enum hm_status status =
      hm_log_consistency(a->crypto, hm_log_node, a->log, q->held, size, &out->way);
  if (status != HM_OK)
    return hm_fail(err, status, "authority: consistency of its log: %s", hm_status_text(status));
  return list_revocations(a, q->revocations, desk, out, err);
}

/* ---- dispatch ------------------------------------------------------------------------------ */

static const struct {
  enum hm_auth_kind kind;
  hm_authority_handler handle;
} handlers[] = {
    {HM_AUTH_HELLO, hello},
    {HM_AUTH_CHALLENGE, hm_authority_challenge},
    {HM_AUTH_BIND, hm_authority_bind},
    {HM_AUTH_PAIR, hm_authority_pair},
    {HM_AUTH_COMPLETE, hm_authority_complete},
    {HM_AUTH_REVOKE, hm_authority_revoke},
    {HM_AUTH_LOG, log_since},
};

static enum hm_status handle(struct hm_authority *a, struct hm_bytes message, struct hm_desk *desk,
                             struct hm_auth_answer *answer, struct hm_error *err)
{
  struct hm_auth_question question;
  struct hm_where where = {NULL, 0};
  enum hm_status status = hm_auth_question_decode(message, &question, &where);
  if (status != HM_OK)
    return hm_fail(err, status, "message of %zu bytes: %s (%s at byte %zu)", message.len,
                   hm_status_text(status), where.field != NULL ? where.field : "kind",
                   where.offset);
  answer->kind = question.kind;
  for (size_t i = 0; i < G_N_ELEMENTS(handlers); i++)
    if (handlers[i].kind == question.kind)
      return handlers[i].handle(a, &question, desk, answer, err);
  return hm_fail(err, HM_UNSUPPORTED, "message kind %d", (int)question.kind);
}

/* The text of an error as the wire takes it: printable, at most 400 bytes. */
static enum hm_status encode_error(const struct hm_error *err, struct hm_out *out)
{
  g_autofree char *text = hm_text_escape(hm_error_text(err));
  size_t len = strlen(text);
  if (len > HM_AUTH_ERROR_TEXT) {
    len = HM_AUTH_ERROR_TEXT;
    while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
      len--;
  }
  struct hm_auth_answer answer = {.kind = HM_AUTH_ERROR};
  answer.u.error.status = (uint64_t)err->status;
  answer.u.error.text = hm_bytes(text, len);
  return hm_auth_answer_encode(&answer, out);
}

enum hm_status hm_authority_answer(struct hm_authority *a, struct hm_bytes message,
                                   struct hm_out *out, struct hm_error *ok)
{
  struct hm_error err = {HM_OK, ""};
  g_autofree struct hm_desk *desk = g_new0(struct hm_desk, 1);
  struct hm_auth_answer answer;
  memset(&answer, 0, sizeof answer);
  struct hm_out mark = *out;
  err.status = handle(a, message, desk, &answer, &err);
  enum hm_status status = HM_OK;
  if (err.status == HM_OK) {
    status = hm_auth_answer_encode(&answer, out);
    if (status != HM_OK)
      (void)hm_fail(&err, status, "the answer: %s", hm_status_text(status));
  }
  if (err.status != HM_OK) {
    *out = mark;
    status = encode_error(&err, out);
  }
  hm_wipe(desk, sizeof *desk);
  if (ok != NULL)
    *ok = err;
  return status;
}

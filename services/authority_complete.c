/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Pairing, steps P8 and P9: both completions, or the word that there are none. The
 * authority does not know the transcript; it checks that both sides signed the same
 * one, in time, and puts both completions beside its receipt in the log, so that no
 * authority can invent a pairing.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "services/authority_office.h"
#include "services/clock.h"

struct handshake {
  struct hm_registered_pairing *p;
  const struct hm_registered *side[2];
  struct hm_bytes completion[2]; /* empty: not here */
  uint8_t name[2][32];
};

static bool has(const struct handshake *h, int role)
{
  return h->completion[role].len > 0;
}

/* ---- checks -------------------------------------------------------------------------- */

static enum hm_status check_open(const struct hm_registered_pairing *p, struct hm_error *err)
{
  switch (p->stage) {
  case HM_STAGE_FAILED:
    return hm_fail(err, HM_BURNT, "completion: this pairing has failed; ask for a new one");
  case HM_STAGE_REVOKED:
    return hm_fail(err, HM_REVOKED, "completion: this pairing was revoked");
  case HM_STAGE_SUPERSEDED:
    return hm_fail(err, HM_BURNT, "completion: this pairing was superseded");
  default:
    return HM_OK;
  }
}

static bool is_late(const struct hm_registered_pairing *p, uint64_t now)
{
  if (p->issued_ns != 0)
    return (hm_boottime_ns() - p->issued_ns) / 1000000000u > p->receipt_within;
  /* Issued by an earlier run: the only clock that both runs share. */
  return now > p->iat + p->receipt_within;
}

/* Each completion for itself: signed by its side, for its role, of this pairing. */
static enum hm_status check_one(struct hm_authority *a, struct handshake *h, int role,
                                struct hm_error *err)
{
  struct hm_completion c;
  char who[48];
  enum hm_status status = hm_completion_open(a->crypto, h->completion[role],
                                             h->side[role]->facts.sign, &c, h->name[role]);
  if (status == HM_OK && (c.role != (uint64_t)role || memcmp(c.pairing_id, h->p->id, 16) != 0))
    status = HM_MISMATCH;
  return status == HM_OK
             ? HM_OK
             : hm_fail(err, status, "completion %d of %s: %s", role,
                       hm_authority_who(h->p->entities[role], who), hm_status_text(status));
}

static enum hm_status name_all(struct hm_authority *a, struct handshake *h, struct hm_error *err)
{
  for (int role = 0; role < 2; role++)
    if (has(h, role))
      HM_TRY(check_one(a, h, role, err));
  return HM_OK;
}

static enum hm_status check_both(struct hm_authority *a, struct handshake *h, struct hm_error *err)
{
  struct hm_policy policy;
  memset(&policy, 0, sizeof policy);
  memcpy(policy.pairing_id, h->p->id, sizeof policy.pairing_id);
  memcpy(policy.entities, h->p->entities, sizeof policy.entities);
  enum hm_status status = hm_pairing_judge(a->crypto, &policy, h->side[0]->facts.sign,
                                           h->side[1]->facts.sign, h->completion, h->name);
  return status == HM_OK ? HM_OK
                         : hm_fail(err, status, "completions: the two sides differ: %s",
                                   hm_status_text(status));
}

static enum hm_status find_sides(struct hm_authority *a, struct handshake *h, struct hm_error *err)
{
  char who[48];
  for (int role = 0; role < 2; role++) {
    h->side[role] = hm_registry_entity(a->registry, h->p->entities[role]);
    if (h->side[role] == NULL || h->side[role]->is_revoked)
      return hm_fail(err, HM_REVOKED, "completion: %s was revoked",
                     hm_authority_who(h->p->entities[role], who));
  }
  return HM_OK;
}

/* ---- receipts ------------------------------------------------------------------------- */

static bool is_local(const struct handshake *h)
{
  const struct hm_entity *b = &h->side[1]->facts;
  return b->class == HM_CLASS_H && memcmp(b->bound_to, h->p->entities[0], 32) == 0;
}

static void describe(const struct handshake *h, bool pass, uint64_t now, struct hm_receipt *receipt)
{
  memset(receipt, 0, sizeof *receipt);
  receipt->iat = now;
  receipt->level = 6;
  receipt->quality = HM_QUALITY_AUTHORITY;
  receipt->kind = pass ? HM_RECEIPT_COMPLETION : HM_RECEIPT_FAILED;
  receipt->result = pass ? HM_RESULT_PASS : HM_RESULT_FAIL;
  receipt->has_context = true;
  receipt->context = h->p->context;
  receipt->has_certificate = true;
  memcpy(receipt->certificate, h->p->name, 32);
  receipt->has_flags = pass && is_local(h);
  receipt->flags = 1;
  for (int role = 0; role < 2; role++)
    if (has(h, role))
      memcpy(receipt->evidence[receipt->evidence_count++], h->name[role], 32);
  /* A completion is about the side that answered; a failure about the side that is missing. */
  int subject = !pass && has(h, 1) && !has(h, 0) ? 0 : 1;
  memcpy(receipt->subject, h->p->entities[subject], 32);
  receipt->has_reason = !pass;
  receipt->reason = HM_REASON_HANDSHAKE_FAILED;
}

/* The pairing that this one replaces ends in the same transaction. */
static enum hm_status describe_superseded(struct hm_authority *a, const struct handshake *h,
                                          uint64_t now, struct hm_out *out, bool *is_there)
{
  const struct hm_registered_pairing *old =
      h->p->has_supersedes ? hm_registry_pairing(a->registry, h->p->supersedes) : NULL;
  *is_there = old != NULL && old->stage == HM_STAGE_COMPLETE;
  if (!*is_there)
    return HM_OK;
  struct hm_receipt receipt = {.iat = now,
                               .has_context = true,
                               .context = old->context,
                               .level = 6,
                               .quality = HM_QUALITY_AUTHORITY,
                               .kind = HM_RECEIPT_MODIFICATION,
                               .result = HM_RESULT_PASS,
                               .has_certificate = true,
                               .evidence_count = 1,
                               .has_reason = true,
                               .reason = HM_REASON_SUPERSEDED};
  memcpy(receipt.certificate, old->name, 32);
  memcpy(receipt.evidence[0], h->p->name, 32);
  memcpy(receipt.subject, old->entities[1], 32);
  return hm_receipt_make(a->crypto, &a->key.signer, &receipt, out);
}

static enum hm_status close_pairing(struct hm_authority *a, const struct handshake *h, bool pass,
                                    uint64_t now, struct hm_error *err)
{
  uint8_t object[2][HM_SIGN1_MAX];
  struct hm_out receipt_out = hm_out(object[0], sizeof object[0]);
  struct hm_out old_out = hm_out(object[1], sizeof object[1]);
  struct hm_receipt receipt;
  bool supersedes = false;
  uint64_t first;
  describe(h, pass, now, &receipt);
  enum hm_status status = hm_receipt_make(a->crypto, &a->key.signer, &receipt, &receipt_out);
  if (status == HM_OK && pass)
    status = describe_superseded(a, h, now, &old_out, &supersedes);
  if (status != HM_OK)
    return hm_fail(err, status, "completion: the receipt: %s", hm_status_text(status));
  struct hm_log_item items[2] = {{.object = hm_out_bytes(&receipt_out), .time_s = now},
                                 {.object = hm_out_bytes(&old_out), .time_s = now}};
  if (pass) {
    items[0].attached_count = 2;
    memcpy(items[0].attached, h->completion, sizeof h->completion);
  }
  return hm_authority_append(a, items, supersedes ? 2 : 1, now, &first, err);
}

/* ---- the question ------------------------------------------------------------------------ */

/* Keep what came, and add what came before. */
static void join_waiting(struct handshake *h)
{
  struct hm_registered_pairing *p = h->p;
  if (p->waiting == NULL)
    p->waiting = g_new0(struct hm_waiting, 1);
  for (int role = 0; role < 2; role++) {
    if (has(h, role)) {
      memcpy(p->waiting->object[role], h->completion[role].data, h->completion[role].len);
      p->waiting->len[role] = h->completion[role].len;
    }
    h->completion[role] = hm_bytes(p->waiting->object[role], p->waiting->len[role]);
  }
}

static enum hm_status give(struct hm_authority *a, const struct hm_registered_pairing *p,
                           struct hm_desk *desk, struct hm_auth_answer *answer,
                           struct hm_error *err)
{
  answer->u.complete.has_receipt = true;
  return hm_authority_object(a, p->receipt_entry, desk, &answer->u.complete.receipt, err);
}

enum hm_status hm_authority_complete(struct hm_authority *a,
                                     const struct hm_auth_question *question, struct hm_desk *desk,
                                     struct hm_auth_answer *answer, struct hm_error *err)
{
  const struct hm_auth_complete *q = &question->u.complete;
  struct handshake h = {.p = hm_registry_pairing(a->registry, q->certificate)};
  uint64_t now;
  HM_TRY(hm_authority_time(a, &now, err));
  if (h.p == NULL)
    return hm_fail(err, HM_NOT_FOUND, "completion: no such pairing here");
  if (h.p->stage == HM_STAGE_COMPLETE && q->gave_up == 1)
    return hm_fail(err, HM_EXISTS, "completion: this pairing stands; end it by a revocation");
  if (h.p->stage == HM_STAGE_COMPLETE || (h.p->stage == HM_STAGE_FAILED && q->gave_up == 1))
    return give(a, h.p, desk, answer, err);
  HM_TRY(check_open(h.p, err));
  HM_TRY(find_sides(a, &h, err));
  if (q->has_completion[0])
    h.completion[0] = q->completion0;
  if (q->has_completion[1])
    h.completion[1] = q->completion1;
  HM_TRY(name_all(a, &h, err));
  join_waiting(&h);
  if (is_late(h.p, now) || q->gave_up == 1) {
    HM_TRY(name_all(a, &h, err));
    HM_TRY(close_pairing(a, &h, false, now, err));
    return q->gave_up == 1
               ? give(a, h.p, desk, answer, err)
               : hm_fail(err, HM_TIMEOUT, "completion: later than %llu s after the certificate",
                         (unsigned long long)h.p->receipt_within);
  }
  if (!has(&h, 0) || !has(&h, 1))
    return HM_OK;
  enum hm_status status = check_both(a, &h, err);
  if (status == HM_OK) {
    HM_TRY(close_pairing(a, &h, true, now, err));
    return give(a, h.p, desk, answer, err);
  }
  /* Both sides signed, and not the same: that is evidence, and the end of it. */
  struct hm_error ignored;
  if (status == HM_MISMATCH && name_all(a, &h, &ignored) == HM_OK)
    HM_TRY(close_pairing(a, &h, false, now, err));
  return status;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Revocations: numbered from 1, each with the name of the one before, so that a host
 * that knows the newest number knows whether one is missing. Asking twice gives the
 * same object, unless the second reaches further back.
 */
#include <stdio.h>
#include <string.h>

#include "services/authority_office.h"

/* What is to end. */
struct target {
  const struct hm_registered *entity; /* by LCT or by binding */
  const struct hm_registered_pairing *pairing;
  bool is_lct;
};

static enum hm_status find_target(struct hm_authority *a, const struct hm_auth_revoke *q,
                                  struct target *t, struct hm_error *err)
{
  memset(t, 0, sizeof *t);
  t->pairing = hm_registry_pairing(a->registry, q->certificate);
  t->entity = hm_registry_entity(a->registry, q->certificate);
  t->is_lct = t->entity != NULL;
  if (t->entity == NULL)
    t->entity = hm_registry_binding(a->registry, q->certificate);
  char who[48];
  if (t->pairing == NULL && t->entity == NULL)
    return hm_fail(err, HM_NOT_FOUND, "revocation: %s names no entity, binding or pairing here",
                   hm_authority_who(q->certificate, who));
  if (!q->has_pairing_id)
    return HM_OK;
  bool fits = t->pairing != NULL && memcmp(t->pairing->id, q->pairing_id, 16) == 0;
  return fits ? HM_OK
              : hm_fail(err, HM_MISMATCH, "revocation: the pairing id is not that of %s",
                        hm_authority_who(q->certificate, who));
}

/* The revocation that says all of this already, or NULL. */
static const struct hm_registered_revocation *
find_standing(struct hm_authority *a, const struct hm_auth_revoke *q, const struct target *t)
{
  for (uint64_t n = hm_registry_revocations(a->registry); n > 0; n--) {
    const struct hm_registered_revocation *v = hm_registry_revocation_at(a->registry, n);
    bool names = hm_revocation_names(&v->facts, q->certificate) ||
                 (t->pairing != NULL &&
                  hm_revocation_ends_pairing(&v->facts, t->pairing->name, t->pairing->id));
    uint64_t from =
        v->facts.has_since && v->facts.since < v->facts.iat ? v->facts.since : v->facts.iat;
    if (names && (!q->has_since || q->since >= from))
      return v;
  }
  return NULL;
}

/* L7 for an entity, L6 for a pairing: the receipt that the log keeps beside it. */
static enum hm_status make_receipt(struct hm_authority *a, const struct target *t,
                                   struct hm_bytes revocation, uint64_t reason, uint64_t now,
                                   struct hm_out *out)
{
  struct hm_sign1 s;
  bool of_pairing = t->pairing != NULL;
  struct hm_receipt receipt = {.iat = now,
                               .level = of_pairing ? 6 : 7,
                               .quality = HM_QUALITY_AUTHORITY,
                               .kind = of_pairing ? HM_RECEIPT_REVOCATION : HM_RECEIPT_RETIREMENT,
                               .result = HM_RESULT_PASS,
                               .has_certificate = true,
                               .has_reason = true,
                               .reason = reason};
  memcpy(receipt.subject, of_pairing ? t->pairing->entities[1] : t->entity->facts.lct, 32);
  HM_TRY(hm_sign1_expect(revocation, HM_TYP_REVOCATION, &s));
  HM_TRY(hm_sign1_name(a->crypto, &s, hm_bytes(NULL, 0), receipt.certificate));
  return hm_receipt_make(a->crypto, &a->key.signer, &receipt, out);
}

static enum hm_status make_revocation(struct hm_authority *a, const struct hm_auth_revoke *q,
                                      const struct target *t, uint64_t now, struct hm_out *out)
{
  uint64_t last = hm_registry_revocations(a->registry);
  struct hm_revocation v = {.iat = now,
                            .number = last + 1,
                            .has_pairing_id = t->pairing != NULL,
                            .has_previous = last > 0,
                            .has_since = q->has_since,
                            .reason = q->reason,
                            .since = q->since};
  memcpy(v.certificate, q->certificate, sizeof v.certificate);
  if (t->pairing != NULL)
    memcpy(v.pairing_id, t->pairing->id, sizeof v.pairing_id);
  if (last > 0)
    memcpy(v.previous, hm_registry_revocation_at(a->registry, last)->name, sizeof v.previous);
  return hm_revocation_make(a->crypto, &a->key.signer, &v, out);
}

enum hm_status hm_authority_revoke(struct hm_authority *a, const struct hm_auth_question *question,
                                   struct hm_desk *desk, struct hm_auth_answer *answer,
                                   struct hm_error *err)
{
  const struct hm_auth_revoke *q = &question->u.revoke;
  struct target target;
  uint64_t now, first;
  HM_TRY(hm_authority_time(a, &now, err));
  HM_TRY(find_target(a, q, &target, err));
  if (q->has_since && q->since > now)
    return hm_fail(err, HM_NOT_YET_VALID, "revocation: since lies %llu s after now",
                   (unsigned long long)(q->since - now));
  const struct hm_registered_revocation *standing = find_standing(a, q, &target);
  if (standing != NULL)
    return hm_authority_object(a, standing->entry, desk, &answer->u.revoke.revocation, err);
  uint8_t receipt[HM_SIGN1_MAX];
  struct hm_out out = hm_out(desk->object, sizeof desk->object);
  struct hm_out receipt_out = hm_out(receipt, sizeof receipt);
  enum hm_status status = make_revocation(a, q, &target, now, &out);
  if (status == HM_OK)
    status = make_receipt(a, &target, hm_out_bytes(&out), q->reason, now, &receipt_out);
  if (status != HM_OK)
    return hm_fail(err, status, "revocation: %s", hm_status_text(status));
  struct hm_log_item items[2] = {{.object = hm_out_bytes(&out), .time_s = now},
                                 {.object = hm_out_bytes(&receipt_out), .time_s = now}};
  HM_TRY(hm_authority_append(a, items, 2, now, &first, err));
  answer->u.revoke.revocation = hm_out_bytes(&out);
  return HM_OK;
}

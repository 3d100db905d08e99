/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Binding, steps A2 to A5: whoever may speak here (the peer's credentials, or the
 * operator with the file) is the binding window. The certificate carries what the
 * entity said of itself, byte for byte; an L7 receipt in the log says so.
 */
#include <stdio.h>
#include <string.h>

#include "services/authority_office.h"
#include "services/clock.h"
#include "trust/crypto_openssl.h"

/* ---- challenges ---------------------------------------------------------------------- */

enum hm_status hm_authority_challenge(struct hm_authority *a,
                                      const struct hm_auth_question *question, struct hm_desk *desk,
                                      struct hm_auth_answer *answer, struct hm_error *err)
{
  (void)desk;
  if (question->u.challenge.entity_class == HM_CLASS_S)
    return hm_fail(err, HM_UNSUPPORTED, "class S entities are bound through their pack");
  struct hm_challenge *slot = &a->challenges[a->next_challenge];
  enum hm_status status = hm_random(slot->bytes, sizeof slot->bytes);
  if (status != HM_OK)
    return hm_fail(err, status, "authority: no randomness");
  slot->given_ns = hm_boottime_ns();
  a->next_challenge = (a->next_challenge + 1) % HM_CHALLENGES;
  memcpy(answer->u.challenge.challenge, slot->bytes, sizeof slot->bytes);
  memcpy(answer->u.challenge.key, a->key.signer.point, sizeof answer->u.challenge.key);
  return HM_OK;
}

/* A challenge of ours is good for one certificate: a request that was refused may be
 * mended and asked again with it while it lives. */
static enum hm_status take_challenge(struct hm_authority *a, const uint8_t challenge[16],
                                     struct hm_error *err)
{
  for (size_t i = 0; i < HM_CHALLENGES; i++) {
    struct hm_challenge *slot = &a->challenges[i];
    if (slot->given_ns == 0 || memcmp(slot->bytes, challenge, sizeof slot->bytes) != 0)
      continue;
    uint64_t age_s = (hm_boottime_ns() - slot->given_ns) / 1000000000u;
    slot->given_ns = 0;
    if (age_s > HM_CHALLENGE_LIFE_S)
      return hm_fail(err, HM_STALE, "binding: the challenge is %llu s old: the limit is %d s",
                     (unsigned long long)age_s, HM_CHALLENGE_LIFE_S);
    return HM_OK;
  }
  return hm_fail(err, HM_REPLAY,
                 "binding: the challenge is not one that this authority gave and that is unused");
}

/* By file nobody could ask for one: it must be new, and the request recent. */
static enum hm_status check_freshness(struct hm_authority *a, const struct hm_binding_request *r,
                                      uint64_t now, struct hm_error *err)
{
  if (hm_registry_has_challenge(a->registry, r->challenge))
    return hm_fail(err, HM_REPLAY, "binding: the challenge was used before");
  uint64_t before = a->by_file ? HM_FILE_LIFE_S : HM_SKEW_S;
  if (r->iat > now + HM_SKEW_S)
    return hm_fail(err, HM_NOT_YET_VALID,
                   "binding: created %llu s after this authority's time: the limit is %d s",
                   (unsigned long long)(r->iat - now), HM_SKEW_S);
  if (r->iat + before < now)
    return hm_fail(err, HM_STALE, "binding: created %llu s ago: the limit is %llu s",
                   (unsigned long long)(now - r->iat), (unsigned long long)before);
  return a->by_file ? HM_OK : take_challenge(a, r->challenge, err);
}

/* ---- who may be bound ------------------------------------------------------------------ */

static enum hm_status check_identity(struct hm_authority *a, const struct hm_auth_bind *q,
                                     const uint8_t lct[32], const uint8_t request_agree[64],
                                     struct hm_error *err)
{
  char who[48];
  (void)hm_authority_who(lct, who);
  if (memcmp(lct, a->key.signer.kid, 32) == 0)
    return hm_fail(err, HM_POLICY, "binding: the authority does not bind itself");
  if (hm_registry_revocation(a->registry, lct, NULL) != NULL)
    return hm_fail(err, HM_REVOKED, "binding: %s was revoked; it needs a new key", who);
  const struct hm_registered *bound = hm_registry_entity(a->registry, lct);
  if (!q->has_supersedes)
    return bound == NULL ? HM_OK : hm_fail(err, HM_EXISTS, "binding: %s is already bound", who);
  if (bound == NULL || memcmp(bound->facts.name, q->supersedes, 32) != 0)
    return hm_fail(err, HM_MISMATCH, "binding: what it supersedes is not the newest binding of %s",
                   who);
  if (memcmp(bound->facts.agree, request_agree, 64) == 0)
    return hm_fail(err, HM_POLICY, "binding: %s supersedes itself without a new agreement key",
                   who);
  return HM_OK;
}

/* A superseding binding changes the agreement key, never what the entity is. */
static enum hm_status check_same_unit(const struct hm_entity *old,
                                      const struct hm_binding_request *r, struct hm_error *err)
{
  bool same = old->class == r->class && old->type == r->type && old->kind == r->kind &&
              old->anchor == r->anchor && memcmp(old->descriptors, r->descriptors, 32) == 0 &&
              old->has_bound_to == r->has_bound_to &&
              (!r->has_bound_to || memcmp(old->bound_to, r->bound_to, 32) == 0);
  return same ? HM_OK
              : hm_fail(err, HM_MISMATCH,
                        "binding: class, type, anchor or host differ from the binding that it "
                        "supersedes: that is another entity");
}

static enum hm_status check_host(struct hm_authority *a, const struct hm_auth_bind *q,
                                 const struct hm_binding_request *r, const uint8_t request_name[32],
                                 uint64_t now, struct hm_error *err)
{
  char who[48];
  const struct hm_registered *host =
      r->has_bound_to ? hm_registry_entity(a->registry, r->bound_to) : NULL;
  if (r->has_bound_to && host == NULL)
    return hm_fail(err, HM_NOT_FOUND, "binding: its parent %s is not bound here",
                   hm_authority_who(r->bound_to, who));
  if (host != NULL && host->is_revoked)
    return hm_fail(err, HM_REVOKED, "binding: its parent %s was revoked",
                   hm_authority_who(r->bound_to, who));
  if (r->class != HM_CLASS_H)
    return q->has_countersign
               ? hm_fail(err, HM_POLICY, "binding: only class H carries a countersignature")
               : HM_OK;
  if (host == NULL || host->facts.class != HM_CLASS_A)
    return hm_fail(err, HM_POLICY, "binding: class H is bound to a host of class A");
  if (!q->has_countersign)
    return hm_fail(err, HM_POLICY, "binding: class H needs its host's countersignature");
  struct hm_countersignature c;
  enum hm_status status =
      hm_countersignature_open(a->crypto, q->countersign, host->facts.sign, &c, NULL);
  if (status != HM_OK)
    return hm_fail(err, status, "binding: the countersignature is not of its host %s: %s",
                   hm_authority_who(r->bound_to, who), hm_status_text(status));
  if (memcmp(c.certificate, request_name, 32) != 0)
    return hm_fail(err, HM_MISMATCH, "binding: the countersignature is over another request");
  if (c.iat > now + HM_SKEW_S || c.iat + HM_FILE_LIFE_S < now)
    return hm_fail(err, HM_STALE, "binding: the countersignature is dated %lld s from now",
                   (long long)c.iat - (long long)now);
  return HM_OK;
}

/* ---- the certificate ---------------------------------------------------------------------- */

static enum hm_status make_establishment(struct hm_authority *a, const uint8_t lct[32],
                                         struct hm_bytes binding, const uint8_t request_name[32],
                                         uint64_t now, struct hm_out *out)
{
  struct hm_sign1 s;
  struct hm_receipt receipt = {.iat = now,
                               .level = 7,
                               .quality = HM_QUALITY_AUTHORITY,
                               .kind = HM_RECEIPT_ESTABLISHMENT,
                               .result = HM_RESULT_PASS,
                               .has_certificate = true,
                               .evidence_count = 1};
  memcpy(receipt.subject, lct, 32);
  memcpy(receipt.evidence[0], request_name, 32);
  HM_TRY(hm_sign1_expect(binding, HM_TYP_BINDING, &s));
  HM_TRY(hm_sign1_name(a->crypto, &s, hm_bytes(NULL, 0), receipt.certificate));
  return hm_receipt_make(a->crypto, &a->key.signer, &receipt, out);
}

static enum hm_status issue(struct hm_authority *a, const struct hm_auth_bind *q,
                            const uint8_t lct[32], const uint8_t request_name[32], uint64_t now,
                            struct hm_desk *desk, uint64_t *entry, struct hm_error *err)
{
  if (hm_registry_entity_count(a->registry) >= HM_REGISTRY_ENTITIES)
    return hm_fail(err, HM_FULL, "authority: %d entities are bound, the limit",
                   HM_REGISTRY_ENTITIES);
  struct hm_binding binding = {.exp = now + HM_BINDING_LIFE_S,
                               .nbf = now,
                               .iat = now,
                               .request = q->request,
                               .has_countersign = q->has_countersign,
                               .countersign = q->countersign,
                               .has_supersedes = q->has_supersedes};
  memcpy(binding.supersedes, q->supersedes, 32);
  uint8_t receipt[HM_SIGN1_MAX];
  struct hm_out certificate_out = hm_out(desk->object, sizeof desk->object);
  struct hm_out receipt_out = hm_out(receipt, sizeof receipt);
  enum hm_status status = hm_binding_make(a->crypto, &a->key.signer, &binding, &certificate_out);
  if (status == HM_OK)
    status =
        make_establishment(a, lct, hm_out_bytes(&certificate_out), request_name, now, &receipt_out);
  if (status != HM_OK)
    return hm_fail(err, status, "binding: the certificate: %s", hm_status_text(status));
  struct hm_log_item items[2] = {{.object = hm_out_bytes(&certificate_out), .time_s = now},
                                 {.object = hm_out_bytes(&receipt_out), .time_s = now}};
  return hm_authority_append(a, items, 2, now, entry, err);
}

/* What a binding's answer holds, for a new one and for one asked again. */
static enum hm_status give(struct hm_authority *a, uint64_t entry, uint64_t now,
                           struct hm_desk *desk, struct hm_auth_answer *answer,
                           struct hm_error *err)
{
  struct hm_out proof = hm_out(desk->proof, sizeof desk->proof);
  HM_TRY(hm_authority_object(a, entry, desk, &answer->u.bind.binding, err));
  HM_TRY(hm_authority_proof(a, entry, now, &proof, err));
  answer->u.bind.proof = hm_out_bytes(&proof);
  return HM_OK;
}

/* What a request that is well formed but breaks a rule of keys did wrong. */
static const char *explain(const struct hm_authority *a, struct hm_bytes request,
                           enum hm_status status)
{
  struct hm_binding_request r;
  struct hm_sign1 s;
  if (hm_signed_open(a->crypto, request, HM_TYP_BINDING_REQUEST, &hm_shape_binding_request, NULL,
                     &r, &s, NULL) != HM_OK)
    return hm_status_text(status);
  if (a->crypto->p256_check(r.sign) != HM_OK)
    return "its signing key is not a point of P-256";
  if (a->crypto->p256_check(r.agree) != HM_OK)
    return "its agreement key is not a point of P-256";
  if (memcmp(r.sign, r.agree, sizeof r.sign) == 0)
    return "its signing key and its agreement key are the same";
  return hm_status_text(status);
}

enum hm_status hm_authority_bind(struct hm_authority *a, const struct hm_auth_question *question,
                                 struct hm_desk *desk, struct hm_auth_answer *answer,
                                 struct hm_error *err)
{
  const struct hm_auth_bind *q = &question->u.bind;
  struct hm_binding_request request;
  uint8_t lct[32], name[32];
  uint64_t now, entry;
  HM_TRY(hm_authority_time(a, &now, err));
  enum hm_status status = hm_binding_request_open(a->crypto, q->request, &request, name);
  if (status == HM_OK)
    status = hm_key_thumbprint(a->crypto, request.sign, lct);
  if (status != HM_OK)
    return hm_fail(err, status, "binding request: %s", explain(a, q->request, status));
  const struct hm_registered *bound = hm_registry_entity(a->registry, lct);
  if (bound != NULL && !bound->is_revoked && memcmp(bound->facts.request_name, name, 32) == 0)
    return give(a, bound->entry, now, desk, answer, err);
  if (request.type == HM_ENTITY_AUTHORITY)
    return hm_fail(err, HM_POLICY, "binding: an authority is pinned by its key, not bound");
  HM_TRY(check_identity(a, q, lct, request.agree, err));
  if (q->has_supersedes)
    HM_TRY(check_same_unit(&bound->facts, &request, err));
  HM_TRY(check_host(a, q, &request, name, now, err));
  HM_TRY(check_freshness(a, &request, now, err));
  HM_TRY(issue(a, q, lct, name, now, desk, &entry, err));
  return give(a, entry, now, desk, answer, err);
}

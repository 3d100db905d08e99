/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Pairing, steps P1 and P2. The randomness of a pairing (halves, seed, nonce,
 * ephemerals) is drawn here into one struct, consumed and wiped by hm_pairing_issue,
 * and wiped here once more on every path.
 */
#include <stdio.h>
#include <string.h>

#include "services/authority_office.h"
#include "services/authority_policy.h"
#include "services/clock.h"
#include "trust/capability.h"
#include "trust/crypto_openssl.h"

enum { LIVE_MOST = 2, KID_TRIES = 64 };

/* Who asks and who is asked, found and fit. */
struct parties {
  const struct hm_registered *a, *b;
  char who_a[48], who_b[48];
};

static enum hm_status check_party(const struct hm_registered *e, const char *who, uint64_t now,
                                  struct hm_error *err)
{
  if (e == NULL)
    return hm_fail(err, HM_NOT_FOUND, "pairing: %s is not bound here", who);
  if (e->is_revoked)
    return hm_fail(err, HM_REVOKED, "pairing: %s was revoked", who);
  if (e->facts.exp <= now)
    return hm_fail(err, HM_EXPIRED, "pairing: the binding of %s has expired", who);
  return HM_OK;
}

static enum hm_status find_parties(struct hm_authority *a, struct hm_bytes request, uint64_t now,
                                   struct parties *p, struct hm_error *err)
{
  uint8_t entities[2][32];
  enum hm_status status = hm_pairing_request_peek(request, entities);
  if (status != HM_OK)
    return hm_fail(err, status, "pairing request: %s", hm_status_text(status));
  (void)hm_authority_who(entities[0], p->who_a);
  (void)hm_authority_who(entities[1], p->who_b);
  p->a = hm_registry_entity(a->registry, entities[0]);
  p->b = hm_registry_entity(a->registry, entities[1]);
  HM_TRY(check_party(p->a, p->who_a, now, err));
  return check_party(p->b, p->who_b, now, err);
}

static bool is_hosted_by(const struct hm_entity *e, const uint8_t lct[32])
{
  return e->class == HM_CLASS_H && e->has_bound_to && memcmp(e->bound_to, lct, 32) == 0;
}

/* Responsive entities never start; a hosted one is paired by the host that holds its key. */
static enum hm_status check_roles(struct hm_authority *a, const struct parties *p,
                                  struct hm_error *err)
{
  const struct hm_entity_row *row = hm_entity_row(p->a->facts.type);
  if (p->a->facts.class != HM_CLASS_A || row == NULL || row->is_responsive)
    return hm_fail(err, HM_POLICY, "pairing: %s only answers, its host asks", p->who_a);
  if (memcmp(p->a->facts.lct, p->b->facts.lct, 32) == 0)
    return hm_fail(err, HM_POLICY, "pairing: %s cannot be paired with itself", p->who_a);
  if (p->b->facts.class != HM_CLASS_H)
    return HM_OK;
  if (!is_hosted_by(&p->b->facts, p->a->facts.lct))
    return hm_fail(err, HM_POLICY, "pairing: %s is held by another host than %s", p->who_b,
                   p->who_a);
  const struct hm_registered *host = hm_registry_entity(a->registry, p->b->facts.bound_to);
  return host != NULL && !host->is_revoked
             ? HM_OK
             : hm_fail(err, HM_REVOKED, "pairing: the host of %s was revoked", p->who_b);
}

/* A request counts once: what it asked for went out encrypted and is not kept. */
static enum hm_status check_fresh(struct hm_authority *a, const struct hm_pairing_request *request,
                                  const uint8_t name[32], uint64_t now, struct hm_error *err)
{
  uint64_t before = a->by_file ? HM_FILE_LIFE_S : HM_SKEW_S;
  if (request->iat > now + HM_SKEW_S)
    return hm_fail(err, HM_NOT_YET_VALID,
                   "pairing request: dated %llu s after this authority's time: the limit is %d s",
                   (unsigned long long)(request->iat - now), HM_SKEW_S);
  if (request->iat + before < now)
    return hm_fail(err, HM_STALE, "pairing request: dated %llu s ago: the limit is %llu s",
                   (unsigned long long)(now - request->iat), (unsigned long long)before);
  for (size_t i = 0; i < HM_SEEN_REQUESTS; i++)
    if (a->seen[i].iat != 0 && memcmp(a->seen[i].name, name, 32) == 0)
      return hm_fail(err, HM_REPLAY, "pairing request: answered before; sign a new one");
  struct hm_seen *slot = &a->seen[a->next_seen];
  if (slot->iat + HM_SKEW_S >= now)
    return hm_fail(err, HM_FULL, "pairing request: over %d within %d s", HM_SEEN_REQUESTS,
                   HM_SKEW_S);
  memcpy(slot->name, name, 32);
  slot->iat = now;
  a->next_seen = (a->next_seen + 1) % HM_SEEN_REQUESTS;
  return HM_OK;
}

static void context_name_of(const struct hm_pairing_request *request, char out[HM_TEXT_MAX + 1])
{
  size_t len = request->has_context_name ? request->context_name.len : 0;
  if (len > HM_TEXT_MAX)
    len = HM_TEXT_MAX;
  if (len > 0)
    memcpy(out, request->context_name.data, len);
  out[len] = '\0';
}

/* At most two certificates stand for the same two in the same context. */
static enum hm_status check_live(struct hm_authority *a, const struct hm_pairing_request *request,
                                 const char *context_name, uint64_t now, struct hm_error *err)
{
  if (hm_registry_live(a->registry, request->entities, request->context, context_name, now) >=
      LIVE_MOST)
    return hm_fail(err, HM_EXISTS,
                   "pairing: %d certificates stand for these two in this context; revoke one",
                   LIVE_MOST);
  if (!request->has_supersedes)
    return HM_OK;
  const struct hm_registered_pairing *old = hm_registry_pairing(a->registry, request->supersedes);
  bool fits = old != NULL && old->stage == HM_STAGE_COMPLETE && old->context == request->context &&
              strcmp(old->context_name, context_name) == 0 &&
              memcmp(old->entities, request->entities, sizeof old->entities) == 0;
  return fits ? HM_OK
              : hm_fail(err, HM_MISMATCH,
                        "pairing: what it supersedes is no standing pairing of these two in this "
                        "context");
}

/* 16 random bits, not 0 or 0xffff, free for both. */
static enum hm_status choose_kid(struct hm_authority *a, const uint8_t entities[2][32],
                                 uint64_t now, uint64_t *kid, struct hm_error *err)
{
  for (int i = 0; i < KID_TRIES; i++) {
    uint8_t random[2];
    HM_TRY(hm_random(random, sizeof random));
    uint16_t value = (uint16_t)(random[0] << 8 | random[1]);
    if (value == 0 || value == 0xffff || hm_registry_has_kid(a->registry, entities, value, now))
      continue;
    *kid = value;
    return HM_OK;
  }
  return hm_fail(err, HM_FULL, "pairing: no free KID in %d tries", KID_TRIES);
}

/* The wishes, narrowed: when the receipt is due is the authority's to say. */
static enum hm_status decide(struct hm_authority *a, const struct hm_pairing_request *r,
                             uint64_t now, uint64_t iat, struct hm_policy *policy,
                             struct hm_error *err)
{
  memset(policy, 0, sizeof *policy);
  HM_TRY(hm_random(policy->pairing_id, sizeof policy->pairing_id));
  HM_TRY(choose_kid(a, r->entities, now, &policy->kid16, err));
  memcpy(policy->entities, r->entities, sizeof policy->entities);
  policy->context = r->context;
  policy->has_context_name = r->has_context_name;
  policy->context_name = r->context_name;
  policy->data_count = r->data_count;
  memcpy(policy->data_types, r->data_types, sizeof policy->data_types);
  policy->operation_count = r->operation_count;
  memcpy(policy->operations, r->operations, sizeof policy->operations);
  policy->rate_count = r->rate_count;
  memcpy(policy->rates, r->rates, sizeof policy->rates);
  policy->least_count = r->least_count;
  memcpy(policy->least, r->least, sizeof policy->least);
  policy->max_epochs = r->max_epochs;
  policy->fresh = r->fresh;
  uint64_t most = a->by_file ? HM_FILE_LIFE_S : HM_SERVE_RECEIPT_S;
  if (most > r->exp - iat)
    most = r->exp - iat;
  policy->receipt_within =
      r->receipt_within > 0 && r->receipt_within < most && a->by_file ? r->receipt_within : most;
  return HM_OK;
}

static enum hm_status draw_and_issue(struct hm_authority *a, const struct hm_issue *issue,
                                     struct hm_issued *issued)
{
  struct hm_issue_random random;
  enum hm_status status = hm_random(&random, sizeof random);
  if (status == HM_OK)
    status = hm_pairing_issue(a->crypto, &a->key.signer, issue, &random, issued);
  hm_wipe(&random, sizeof random);
  return status;
}

static enum hm_status issue_certificate(struct hm_authority *a, const struct parties *p,
                                        const struct hm_pairing_request *r,
                                        const struct hm_policy *policy, uint64_t iat,
                                        struct hm_desk *desk, struct hm_error *err)
{
  if (hm_registry_pairing_count(a->registry) >= HM_REGISTRY_PAIRINGS)
    return hm_fail(err, HM_FULL, "authority: %d pairings, the limit", HM_REGISTRY_PAIRINGS);
  static const char callback[] = "authority.sock";
  /* Peers' clocks may lag by the accepted skew (and whole seconds lag by one): what is
   * completed now must not be "not yet valid" for the batch that is signed now. */
  uint64_t nbf = iat - HM_SKEW_S;
  if (r->exp - nbf > HM_LIFE_MAX_S)
    nbf = r->exp - HM_LIFE_MAX_S;
  struct hm_issue issue = {.exp = r->exp,
                           .nbf = nbf,
                           .iat = iat,
                           .has_supersedes = r->has_supersedes,
                           .policy = policy,
                           .callback = hm_bytes(callback, sizeof callback - 1)};
  memcpy(issue.supersedes, r->supersedes, sizeof issue.supersedes);
  memcpy(issue.agree[0], p->a->facts.agree, 64);
  memcpy(issue.agree[1], p->b->facts.agree, 64);
  enum hm_status status = draw_and_issue(a, &issue, &desk->issued);
  return status == HM_OK ? HM_OK
                         : hm_fail(err, status, "pairing certificate: %s", hm_status_text(status));
}

/* B's binding and its log proof, for A's eyes only. */
static enum hm_status seal_partner(struct hm_authority *a, const struct parties *p, uint64_t now,
                                   struct hm_desk *desk, struct hm_bytes *partner,
                                   struct hm_error *err)
{
  uint8_t random[48], iv[12];
  struct hm_bytes binding;
  struct hm_out proof = hm_out(desk->proof, sizeof desk->proof);
  struct hm_out out = hm_out(desk->partner, sizeof desk->partner);
  HM_TRY(hm_authority_object(a, p->b->entry, desk, &binding, err));
  HM_TRY(hm_authority_proof(a, p->b->entry, now, &proof, err));
  enum hm_status status = hm_random(random, sizeof random);
  if (status == HM_OK)
    status = hm_random(iv, sizeof iv);
  if (status == HM_OK)
    status = hm_pairing_partner(a->crypto, p->a->facts.agree, random, iv, desk->issued.name,
                                binding, hm_out_bytes(&proof), &out);
  hm_wipe(random, sizeof random);
  if (status != HM_OK)
    return hm_fail(err, status, "pairing: the partner's binding: %s", hm_status_text(status));
  *partner = hm_out_bytes(&out);
  return HM_OK;
}

static enum hm_status give(struct hm_authority *a, const struct parties *p, uint64_t entry,
                           uint64_t now, struct hm_desk *desk, struct hm_auth_pair_answer *answer,
                           struct hm_error *err)
{
  const struct hm_issued *i = &desk->issued;
  HM_TRY(seal_partner(a, p, now, desk, &answer->partner, err));
  struct hm_out proof = hm_out(desk->proof, sizeof desk->proof);
  HM_TRY(hm_authority_proof(a, entry, now, &proof, err));
  answer->proof = hm_out_bytes(&proof);
  answer->pairing = hm_bytes(i->certificate, i->certificate_len);
  answer->section_a = hm_bytes(i->section[0], i->section_len[0]);
  answer->section_b = hm_bytes(i->section[1], i->section_len[1]);
  answer->handshake = hm_bytes(i->handshake, i->handshake_len);
  return HM_OK;
}

enum hm_status hm_authority_pair(struct hm_authority *a, const struct hm_auth_question *question,
                                 struct hm_desk *desk, struct hm_auth_answer *answer,
                                 struct hm_error *err)
{
  struct hm_bytes object = question->u.pair.request;
  struct parties p;
  struct hm_pairing_request request;
  struct hm_policy policy;
  uint8_t name[32];
  char context_name[HM_TEXT_MAX + 1];
  uint64_t now, entry;
  HM_TRY(hm_authority_time(a, &now, err));
  HM_TRY(find_parties(a, object, now, &p, err));
  HM_TRY(check_roles(a, &p, err));
  enum hm_status status =
      hm_pairing_request_open(a->crypto, object, p.a->facts.sign, &request, name);
  if (status != HM_OK)
    return hm_fail(err, status, "pairing request of %s: %s", p.who_a, hm_status_text(status));
  HM_TRY(check_fresh(a, &request, name, now, err));
  HM_TRY(hm_context_policy_check(&request, &p.a->facts, &p.b->facts, now, err));
  context_name_of(&request, context_name);
  HM_TRY(check_live(a, &request, context_name, now, err));

  /* Later than every certificate these two had in this context, also within a second. */
  uint64_t iat =
      hm_registry_last_iat(a->registry, request.entities, request.context, context_name) + 1;
  if (iat < now)
    iat = now;
  if (request.exp <= iat)
    return hm_fail(err, HM_POLICY, "the pairing asked for would have ended already");
  status = decide(a, &request, now, iat, &policy, err);
  if (status != HM_OK)
    return status == HM_FULL ? status : hm_fail(err, status, "authority: no randomness");
  HM_TRY(issue_certificate(a, &p, &request, &policy, iat, desk, err));
  struct hm_log_item item = {
      .object = hm_bytes(desk->issued.certificate, desk->issued.certificate_len), .time_s = now};
  HM_TRY(hm_authority_append(a, &item, 1, now, &entry, err));
  hm_registry_pairing(a->registry, desk->issued.name)->issued_ns = hm_boottime_ns();
  return give(a, &p, entry, now, desk, &answer->u.pair, err);
}

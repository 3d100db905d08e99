/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/daemon_writer_force.h"

#include <stdlib.h>

#include "trust/revocation.h"

void hm_force_init(struct hm_force *force, const struct hm_crypto *c, const uint8_t host[32])
{
  memset(force, 0, sizeof *force);
  force->crypto = c;
  memcpy(force->host, host, 32);
}

void hm_force_free(struct hm_force *force)
{
  free(force->pairings);
  free(force->bindings);
  free(force->ended);
  memset(force, 0, sizeof *force);
}

/* The list with room for one more, perhaps moved; NULL without memory. */
static void *room(void *list, size_t size, size_t count, size_t *cap)
{
  if (count < *cap)
    return list;
  size_t wanted = *cap ? 2 * *cap : 16;
  void *grown = realloc(list, wanted * size);
  if (grown)
    *cap = wanted;
  return grown;
}

/* ---- entries --------------------------------------------------------------------- */
bool hm_force_matters(struct hm_bytes object)
{
  struct hm_sign1 s;
  struct hm_receipt receipt;
  if (hm_sign1_parse(object, false, &s) != HM_OK)
    return false;
  if (s.typ == HM_TYP_REVOCATION)
    return true;
  return s.typ == HM_TYP_RECEIPT &&
         hm_decode(&hm_shape_receipt, s.payload, &receipt, NULL) == HM_OK &&
         hm_receipt_is_authority_kind(receipt.kind);
}

static bool has_ended(const struct hm_force *force, const uint8_t lct[32])
{
  for (size_t i = 0; i < force->ended_count; i++)
    if (memcmp(force->ended[i], lct, 32) == 0)
      return true;
  return false;
}

static enum hm_status take_binding(struct hm_force *force, const struct hm_sign1 *s)
{
  struct hm_binding binding;
  struct hm_binding_request request;
  struct hm_sign1 inner;
  struct hm_known_binding known;
  if (hm_decode(&hm_shape_binding, s->payload, &binding, NULL) != HM_OK)
    return HM_OK; /* the other body: a module, which is never a partner here */
  HM_TRY(hm_sign1_expect(binding.request, HM_TYP_BINDING_REQUEST, &inner));
  HM_TRY(hm_decode(&hm_shape_binding_request, inner.payload, &request, NULL));
  HM_TRY(hm_key_thumbprint(force->crypto, request.sign, known.lct));
  HM_TRY(hm_sign1_name(force->crypto, s, hm_bytes(NULL, 0), known.certificate));
  struct hm_known_binding *list =
      room(force->bindings, sizeof *list, force->binding_count, &force->binding_cap);
  if (!list)
    return HM_IO;
  force->bindings = list;
  force->bindings[force->binding_count++] = known;
  return HM_OK;
}

static uint32_t bits(const uint64_t *codes, uint32_t count)
{
  uint32_t set = 0;
  for (uint32_t i = 0; i < count; i++)
    set |= UINT32_C(1) << (codes[i] & 31);
  return set;
}

static enum hm_status take_pairing(struct hm_force *force, const struct hm_sign1 *s)
{
  struct hm_pairing pairing;
  struct hm_policy policy;
  struct hm_known_pairing known = {.completion = 0};
  HM_TRY(hm_decode(&hm_shape_pairing, s->payload, &pairing, NULL));
  HM_TRY(hm_policy_decode(pairing.metadata, &policy));
  unsigned side = memcmp(policy.entities[0], force->host, 32) == 0 ? 1 : 0;
  if (memcmp(policy.entities[1 - side], force->host, 32))
    return HM_OK; /* between others */
  HM_TRY(hm_sign1_name(force->crypto, s, hm_bytes(NULL, 0), known.certificate));
  memcpy(known.id, policy.pairing_id, 16);
  memcpy(known.partner, policy.entities[side], 32);
  known.context = policy.context;
  known.operations = bits(policy.operations, policy.operation_count);
  known.data_types = bits(policy.data_types, policy.data_count);
  known.nbf = pairing.nbf;
  known.exp = pairing.exp;
  struct hm_known_pairing *list =
      room(force->pairings, sizeof *list, force->pairing_count, &force->pairing_cap);
  if (!list)
    return HM_IO;
  force->pairings = list;
  force->pairings[force->pairing_count++] = known;
  return HM_OK;
}

static enum hm_status take_receipt(struct hm_force *force, const struct hm_sign1 *s,
                                   uint64_t number)
{
  struct hm_receipt receipt;
  HM_TRY(hm_decode(&hm_shape_receipt, s->payload, &receipt, NULL));
  if (receipt.kind != HM_RECEIPT_COMPLETION || receipt.result != HM_RESULT_PASS)
    return HM_OK;
  for (size_t i = 0; i < force->pairing_count; i++) {
    struct hm_known_pairing *p = &force->pairings[i];
    if (p->completion == 0 && !p->is_ended &&
        memcmp(p->certificate, receipt.certificate, 32) == 0 && !has_ended(force, p->partner) &&
        !has_ended(force, force->host))
      p->completion = number;
  }
  return HM_OK;
}

/* Does the revocation name the partner, or a binding certificate of it? */
static bool ends_partner(const struct hm_force *force, const struct hm_revocation *r,
                         const uint8_t lct[32])
{
  if (hm_revocation_names(r, lct))
    return true;
  for (size_t i = 0; i < force->binding_count; i++)
    if (memcmp(force->bindings[i].lct, lct, 32) == 0 &&
        hm_revocation_names(r, force->bindings[i].certificate))
      return true;
  return false;
}

static enum hm_status note_ended(struct hm_force *force, const uint8_t lct[32])
{
  if (has_ended(force, lct))
    return HM_OK;
  uint8_t(*list)[32] = room(force->ended, sizeof *list, force->ended_count, &force->ended_cap);
  if (!list)
    return HM_IO;
  force->ended = list;
  memcpy(force->ended[force->ended_count++], lct, 32);
  return HM_OK;
}

static enum hm_status take_revocation(struct hm_force *force, struct hm_bytes object)
{
  struct hm_revocation r;
  uint8_t name[32];
  HM_TRY(hm_revocation_open(force->crypto, object, NULL, &r, name));
  for (size_t i = 0; i < force->binding_count; i++)
    if (hm_revocation_names(&r, force->bindings[i].lct))
      HM_TRY(note_ended(force, force->bindings[i].lct));
  bool ends_all = ends_partner(force, &r, force->host);
  for (size_t i = 0; i < force->pairing_count; i++) {
    struct hm_known_pairing *p = &force->pairings[i];
    p->is_ended |= ends_all || hm_revocation_ends_pairing(&r, p->certificate, p->id) ||
                   ends_partner(force, &r, p->partner);
  }
  return HM_OK;
}

enum hm_status hm_force_apply(struct hm_force *force, struct hm_bytes object, uint64_t number)
{
  struct hm_sign1 s;
  HM_TRY(hm_sign1_parse(object, false, &s));
  switch (s.typ) {
  case HM_TYP_BINDING:
    return take_binding(force, &s);
  case HM_TYP_PAIRING:
    return take_pairing(force, &s);
  case HM_TYP_RECEIPT:
    return take_receipt(force, &s, number);
  case HM_TYP_REVOCATION:
    return take_revocation(force, object);
  default:
    return HM_OK;
  }
}

static enum hm_status apply_entry(void *context, const struct hm_log_entry *entry)
{
  return hm_force_apply(context, entry->object, entry->number);
}

enum hm_status hm_force_replay(struct hm_force *force, struct hm_log *log)
{
  enum { STEP = 4096 };
  for (uint64_t next = 1; next <= hm_log_size(log); next += STEP)
    HM_TRY(hm_log_scan(log, next, STEP, apply_entry, force));
  return HM_OK;
}

/* ---- questions ------------------------------------------------------------------- */
static bool is_in_force(const struct hm_known_pairing *p, struct hm_force_time time)
{
  return p->completion > 0 && !p->is_ended &&
         (!time.is_known || (p->nbf <= time.from_s && time.until_s < p->exp));
}

size_t hm_force_of(const struct hm_force *force, const uint8_t partner[32],
                   struct hm_force_time time, const struct hm_known_pairing **found, size_t cap)
{
  size_t count = 0;
  for (size_t i = 0; i < force->pairing_count; i++) {
    const struct hm_known_pairing *p = &force->pairings[i];
    if (!is_in_force(p, time) || memcmp(p->partner, partner, 32) ||
        !(p->operations >> HM_OP_OBSERVE & 1))
      continue;
    size_t at = 0;
    while (at < count && found[at]->context < p->context)
      at++;
    if (at < count && found[at]->context == p->context) {
      if (found[at]->completion < p->completion)
        found[at] = p;
      continue;
    }
    if (at == cap)
      continue;
    if (count < cap)
      count++;
    memmove(&found[at + 1], &found[at], (count - at - 1) * sizeof *found);
    found[at] = p;
  }
  return count;
}

enum hm_status hm_force_why_none(const struct hm_force *force, const uint8_t partner[32])
{
  enum hm_status why = has_ended(force, partner) ? HM_REVOKED : HM_DENIED;
  for (size_t i = 0; i < force->pairing_count && why == HM_DENIED; i++) {
    const struct hm_known_pairing *p = &force->pairings[i];
    if (memcmp(p->partner, partner, 32) || p->completion == 0)
      continue;
    if (p->is_ended)
      why = HM_REVOKED;
    else if (p->operations >> HM_OP_OBSERVE & 1)
      why = HM_EXPIRED;
  }
  return why;
}

static int compare(const void *a, const void *b)
{
  return hm_live_compare(a, b);
}

enum hm_status hm_force_live(const struct hm_force *force, uint64_t iat, uint8_t *set, size_t cap,
                             size_t *len)
{
  struct hm_live_pairing *live = calloc(HM_LIVE_MAX, sizeof *live);
  size_t count = 0;
  enum hm_status status = live ? HM_OK : HM_IO;
  for (size_t i = 0; i < force->pairing_count && status == HM_OK; i++) {
    const struct hm_known_pairing *p = &force->pairings[i];
    if (p->completion == 0 || p->is_ended || p->exp < iat)
      continue;
    if (count == HM_LIVE_MAX) {
      status = HM_TOO_LARGE;
      break;
    }
    live[count] = (struct hm_live_pairing){.context = p->context, .control = p->completion};
    memcpy(live[count].entity, p->partner, 32);
    memcpy(live[count].certificate, p->certificate, 32);
    count++;
  }
  if (status == HM_OK) {
    struct hm_out out = hm_out(set, cap);
    qsort(live, count, sizeof *live, compare);
    status = hm_live_encode(live, count, &out);
    *len = out.len;
  }
  free(live);
  return status;
}

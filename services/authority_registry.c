/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/authority_registry.h"

#include <glib.h>

struct hm_registry {
  GPtrArray *entities;    /* struct hm_registered, owned, in log order */
  GPtrArray *pairings;    /* struct hm_registered_pairing, owned */
  GPtrArray *revocations; /* struct hm_registered_revocation, owned; [i] has number i + 1 */
  /* keys point into the owned structs */
  GHashTable *by_lct;       /* the newest binding of each LCT */
  GHashTable *by_name;      /* every binding */
  GHashTable *by_challenge; /* every binding */
  GHashTable *by_pairing;   /* name of the certificate */
  uint64_t newest_iat;
};

/* ---- hash tables over the leading bytes of random-looking keys ------------------------- */

static guint key_hash(gconstpointer key)
{
  guint value;
  memcpy(&value, key, sizeof value);
  return value;
}

static gboolean key_equal_32(gconstpointer a, gconstpointer b)
{
  return memcmp(a, b, 32) == 0;
}

static gboolean key_equal_16(gconstpointer a, gconstpointer b)
{
  return memcmp(a, b, 16) == 0;
}

static void free_pairing(gpointer pairing)
{
  g_free(((struct hm_registered_pairing *)pairing)->waiting);
  g_free(pairing);
}

struct hm_registry *hm_registry_new(void)
{
  struct hm_registry *r = g_new0(struct hm_registry, 1);
  r->entities = g_ptr_array_new_with_free_func(g_free);
  r->pairings = g_ptr_array_new_with_free_func(free_pairing);
  r->revocations = g_ptr_array_new_with_free_func(g_free);
  r->by_lct = g_hash_table_new(key_hash, key_equal_32);
  r->by_name = g_hash_table_new(key_hash, key_equal_32);
  r->by_challenge = g_hash_table_new(key_hash, key_equal_16);
  r->by_pairing = g_hash_table_new(key_hash, key_equal_32);
  return r;
}

void hm_registry_free(struct hm_registry *r)
{
  if (r == NULL)
    return;
  g_hash_table_unref(r->by_lct);
  g_hash_table_unref(r->by_name);
  g_hash_table_unref(r->by_challenge);
  g_hash_table_unref(r->by_pairing);
  g_ptr_array_unref(r->entities);
  g_ptr_array_unref(r->pairings);
  g_ptr_array_unref(r->revocations);
  g_free(r);
}

const char *hm_stage_text(enum hm_stage stage)
{
  static const char *const texts[] = {"issued", "stands", "failed", "revoked", "superseded"};
  return texts[stage];
}

/* ---- taking entries ------------------------------------------------------------------- */

static void saw_iat(struct hm_registry *r, uint64_t iat)
{
  if (iat > r->newest_iat)
    r->newest_iat = iat;
}

static enum hm_status take_binding(struct hm_registry *r, const struct hm_crypto *c,
                                   const uint8_t authority[64], uint64_t number,
                                   struct hm_bytes object)
{
  bool is_hosted;
  uint8_t host_lct[32];
  HM_TRY(hm_binding_host(object, &is_hosted, host_lct));
  const struct hm_registered *host = is_hosted ? hm_registry_entity(r, host_lct) : NULL;
  struct hm_entity facts;
  HM_TRY(hm_binding_open(c, object, authority, host != NULL ? &host->facts : NULL, NULL, &facts));
  if (r->entities->len >= HM_REGISTRY_ENTITIES)
    return HM_FULL;
  struct hm_registered *e = g_new0(struct hm_registered, 1);
  e->facts = facts;
  e->entry = number;
  g_ptr_array_add(r->entities, e);
  g_hash_table_replace(r->by_lct, e->facts.lct, e);
  g_hash_table_replace(r->by_name, e->facts.name, e);
  g_hash_table_replace(r->by_challenge, e->facts.challenge, e);
  saw_iat(r, e->facts.iat);
  return HM_OK;
}

static enum hm_status take_pairing(struct hm_registry *r, const struct hm_crypto *c,
                                   const uint8_t authority[64], uint64_t number,
                                   struct hm_bytes object)
{
  struct hm_pairing facts;
  HM_TRY(hm_pairing_open(c, object, authority, NULL, &facts));
  if (r->pairings->len >= HM_REGISTRY_PAIRINGS)
    return HM_FULL;
  struct hm_registered_pairing *p = g_new0(struct hm_registered_pairing, 1);
  memcpy(p->name, facts.name, sizeof p->name);
  memcpy(p->id, facts.policy.pairing_id, sizeof p->id);
  memcpy(p->entities, facts.policy.entities, sizeof p->entities);
  p->kid = (uint16_t)facts.policy.kid16;
  p->context = (uint16_t)facts.policy.context;
  if (facts.policy.has_context_name)
    memcpy(p->context_name, facts.policy.context_name.data, facts.policy.context_name.len);
  p->iat = facts.iat;
  p->exp = facts.exp;
  p->receipt_within = facts.policy.receipt_within;
  p->has_supersedes = facts.has_supersedes;
  memcpy(p->supersedes, facts.supersedes, sizeof p->supersedes);
  p->entry = number;
  g_ptr_array_add(r->pairings, p);
  g_hash_table_replace(r->by_pairing, p->name, p);
  saw_iat(r, p->iat);
  return HM_OK;
}

static void end_pairing(struct hm_registered_pairing *p, enum hm_stage stage)
{
  p->stage = stage;
  g_clear_pointer(&p->waiting, g_free);
}

static enum hm_status take_receipt(struct hm_registry *r, const struct hm_crypto *c,
                                   const uint8_t authority[64], uint64_t number,
                                   struct hm_bytes object)
{
  static const struct {
    uint64_t kind;
    enum hm_stage stage;
  } ends[] = {{HM_RECEIPT_COMPLETION, HM_STAGE_COMPLETE},
              {HM_RECEIPT_FAILED, HM_STAGE_FAILED},
              {HM_RECEIPT_MODIFICATION, HM_STAGE_SUPERSEDED}};
  struct hm_receipt facts;
  HM_TRY(hm_receipt_open(c, object, authority, &facts, NULL));
  saw_iat(r, facts.iat);
  for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
    if (facts.kind != ends[i].kind)
      continue;
    struct hm_registered_pairing *p =
        facts.has_certificate ? hm_registry_pairing(r, facts.certificate) : NULL;
    if (p == NULL)
      return HM_BAD_PROOF;
    end_pairing(p, ends[i].stage);
    p->receipt_entry = number;
  }
  return HM_OK;
}

/* A pairing rests on the bindings of both its ends. */
static bool has_revoked_end(const struct hm_registry *r, const struct hm_registered_pairing *p)
{
  for (int role = 0; role < 2; role++) {
    const struct hm_registered *e = hm_registry_entity(r, p->entities[role]);
    if (e == NULL || e->is_revoked)
      return true;
  }
  return false;
}

static void apply_revocation(struct hm_registry *r, const struct hm_revocation *v)
{
  for (guint i = 0; i < r->entities->len; i++) {
    struct hm_registered *e = g_ptr_array_index(r->entities, i);
    if (hm_revocation_names(v, e->facts.lct) || hm_revocation_names(v, e->facts.name))
      e->is_revoked = true;
  }
  for (guint i = 0; i < r->pairings->len; i++) {
    struct hm_registered_pairing *p = g_ptr_array_index(r->pairings, i);
    bool is_open = p->stage == HM_STAGE_ISSUED || p->stage == HM_STAGE_COMPLETE;
    if (hm_revocation_ends_pairing(v, p->name, p->id) || (is_open && has_revoked_end(r, p)))
      end_pairing(p, HM_STAGE_REVOKED);
  }
}

static enum hm_status take_revocation(struct hm_registry *r, const struct hm_crypto *c,
                                      const uint8_t authority[64], uint64_t number,
                                      struct hm_bytes object)
{
  struct hm_registered_revocation *v = g_new0(struct hm_registered_revocation, 1);
  enum hm_status status = hm_revocation_open(c, object, authority, &v->facts, v->name);
  const struct hm_registered_revocation *last =
      hm_registry_revocation_at(r, hm_registry_revocations(r));
  if (status == HM_OK && (v->facts.is_local || v->facts.number != r->revocations->len + 1))
    status = HM_BAD_PROOF;
  if (status == HM_OK && last != NULL && memcmp(v->facts.previous, last->name, 32) != 0)
    status = HM_BAD_PROOF;
  if (status != HM_OK) {
    g_free(v);
    return status;
  }
  v->entry = number;
  g_ptr_array_add(r->revocations, v);
  saw_iat(r, v->facts.iat);
  apply_revocation(r, &v->facts);
  return HM_OK;
}

typedef enum hm_status (*take_function)(struct hm_registry *, const struct hm_crypto *,
                                        const uint8_t[64], uint64_t, struct hm_bytes);

enum hm_status hm_registry_take(struct hm_registry *r, const struct hm_crypto *c,
                                const uint8_t authority[64], uint64_t number,
                                struct hm_bytes object, struct hm_error *err)
{
  static const struct {
    uint16_t typ;
    take_function take;
  } rows[] = {{HM_TYP_BINDING, take_binding},
              {HM_TYP_PAIRING, take_pairing},
              {HM_TYP_RECEIPT, take_receipt},
              {HM_TYP_REVOCATION, take_revocation}};
  struct hm_sign1 s;
  enum hm_status status = hm_sign1_parse(object, false, &s);
  if (status == HM_OK)
    status = HM_WRONG_TYPE;
  for (size_t i = 0; i < G_N_ELEMENTS(rows) && status == HM_WRONG_TYPE; i++)
    if (rows[i].typ == s.typ) {
      status = rows[i].take(r, c, authority, number, object);
      break;
    }
  if (status == HM_OK)
    return HM_OK;
  if (status == HM_FULL)
    return hm_fail(err, HM_FULL, "log entry %llu: over %d entities or %d pairings",
                   (unsigned long long)number, HM_REGISTRY_ENTITIES, HM_REGISTRY_PAIRINGS);
  return hm_fail(err, HM_DAMAGED, "log entry %llu: %s", (unsigned long long)number,
                 hm_status_text(status));
}

/* ---- asking ------------------------------------------------------------------------------ */

struct hm_registered *hm_registry_entity(const struct hm_registry *r, const uint8_t lct[32])
{
  return g_hash_table_lookup(r->by_lct, lct);
}

struct hm_registered *hm_registry_binding(const struct hm_registry *r, const uint8_t name[32])
{
  return g_hash_table_lookup(r->by_name, name);
}

bool hm_registry_has_challenge(const struct hm_registry *r, const uint8_t challenge[16])
{
  return g_hash_table_contains(r->by_challenge, challenge);
}

struct hm_registered_pairing *hm_registry_pairing(const struct hm_registry *r,
                                                  const uint8_t name[32])
{
  return g_hash_table_lookup(r->by_pairing, name);
}

const struct hm_registered_revocation *hm_registry_revocation(const struct hm_registry *r,
                                                              const uint8_t name[32],
                                                              const uint8_t pairing_id[16])
{
  for (guint i = r->revocations->len; i > 0; i--) {
    const struct hm_registered_revocation *v = g_ptr_array_index(r->revocations, i - 1);
    if (hm_revocation_names(&v->facts, name))
      return v;
    if (pairing_id != NULL && hm_revocation_ends_pairing(&v->facts, name, pairing_id))
      return v;
  }
  return NULL;
}

const struct hm_registered_revocation *hm_registry_revocation_at(const struct hm_registry *r,
                                                                 uint64_t number)
{
  if (number < 1 || number > r->revocations->len)
    return NULL;
  return g_ptr_array_index(r->revocations, number - 1);
}

uint64_t hm_registry_revocations(const struct hm_registry *r)
{
  return r->revocations->len;
}

static bool same_two(const uint8_t a[2][32], const uint8_t b[2][32])
{
  return (memcmp(a[0], b[0], 32) == 0 && memcmp(a[1], b[1], 32) == 0) ||
         (memcmp(a[0], b[1], 32) == 0 && memcmp(a[1], b[0], 32) == 0);
}

static bool is_of(const struct hm_registered_pairing *p, const uint8_t entities[2][32],
                  uint64_t context, const char *context_name)
{
  return p->context == context && strcmp(p->context_name, context_name) == 0 &&
         same_two(p->entities, entities);
}

uint64_t hm_registry_last_iat(const struct hm_registry *r, const uint8_t entities[2][32],
                              uint64_t context, const char *context_name)
{
  uint64_t last = 0;
  for (guint i = 0; i < r->pairings->len; i++) {
    const struct hm_registered_pairing *p = g_ptr_array_index(r->pairings, i);
    if (is_of(p, entities, context, context_name) && p->iat > last)
      last = p->iat;
  }
  return last;
}

size_t hm_registry_live(const struct hm_registry *r, const uint8_t entities[2][32],
                        uint64_t context, const char *context_name, uint64_t now)
{
  size_t count = 0;
  for (guint i = 0; i < r->pairings->len; i++) {
    const struct hm_registered_pairing *p = g_ptr_array_index(r->pairings, i);
    count +=
        is_of(p, entities, context, context_name) && p->stage == HM_STAGE_COMPLETE && p->exp > now;
  }
  return count;
}

static bool is_party(const struct hm_registered_pairing *p, const uint8_t lct[32])
{
  return memcmp(p->entities[0], lct, 32) == 0 || memcmp(p->entities[1], lct, 32) == 0;
}

bool hm_registry_has_kid(const struct hm_registry *r, const uint8_t entities[2][32], uint16_t kid,
                         uint64_t now)
{
  for (guint i = 0; i < r->pairings->len; i++) {
    const struct hm_registered_pairing *p = g_ptr_array_index(r->pairings, i);
    if (p->kid == kid && p->exp > now && (is_party(p, entities[0]) || is_party(p, entities[1])))
      return true;
  }
  return false;
}

uint64_t hm_registry_newest_iat(const struct hm_registry *r)
{
  return r->newest_iat;
}

size_t hm_registry_entity_count(const struct hm_registry *r)
{
  return r->entities->len;
}

const struct hm_registered *hm_registry_entity_at(const struct hm_registry *r, size_t i)
{
  return g_ptr_array_index(r->entities, i);
}

size_t hm_registry_pairing_count(const struct hm_registry *r)
{
  return r->pairings->len;
}

struct hm_registered_pairing *hm_registry_pairing_at(const struct hm_registry *r, size_t i)
{
  return g_ptr_array_index(r->pairings, i);
}

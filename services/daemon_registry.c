/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is bound, paired and revoked: a pure function of the control log. Each typ
 * that changes it has one reader in a table; at start every entry passes through
 * it, later each new one once it is durable. Signatures are verified here again:
 * what stands in the file is never believed for standing there.
 */
#include <stdio.h>

#include "services/daemon_state.h"

/* ---- finding ----------------------------------------------------------------------- */

struct hm_bound *hm_bound_named(const struct hm_core *core, const char *name)
{
  for (unsigned i = 0; i < core->registry.count; i++)
    if (!core->registry.all[i]->is_void && strcmp(core->registry.all[i]->name, name) == 0)
      return core->registry.all[i];
  for (unsigned i = 0; i < core->registry.count; i++)
    if (strcmp(core->registry.all[i]->name, name) == 0)
      return core->registry.all[i];
  return NULL;
}

struct hm_bound *hm_bound_by_lct(const struct hm_core *core, const uint8_t lct[32])
{
  for (unsigned i = 0; i < core->registry.count; i++)
    if (memcmp(core->registry.all[i]->entity.lct, lct, 32) == 0)
      return core->registry.all[i];
  return NULL;
}

struct hm_bound *hm_bound_by_slot(const struct hm_core *core, unsigned slot)
{
  for (unsigned i = 1; slot != 0 && i < core->registry.count; i++)
    if (core->registry.all[i]->slot == slot)
      return core->registry.all[i];
  return NULL;
}

unsigned hm_bound_now(const struct hm_core *core)
{
  unsigned count = 0;
  for (unsigned i = 0; i < core->registry.count; i++)
    count += !core->registry.all[i]->is_void;
  return count;
}

struct hm_bound *hm_bound_by_binding(const struct hm_core *core, uint64_t control)
{
  for (unsigned i = 0; i < core->registry.count; i++)
    if (core->registry.all[i]->control == control)
      return core->registry.all[i];
  return NULL;
}

/* Visit every pairing; the first for which is_it says yes. */
static struct hm_kept_pairing *
find_pairing(const struct hm_core *core, struct hm_bound **bound,
             bool (*is_it)(const struct hm_kept_pairing *, const void *), const void *key)
{
  for (unsigned i = 0; i < core->registry.count; i++) {
    struct hm_bound *b = core->registry.all[i];
    for (unsigned k = 0; k < b->pairing_count; k++) {
      if (!is_it(&b->pairings[k], key))
        continue;
      if (bound != NULL)
        *bound = b;
      return &b->pairings[k];
    }
  }
  return NULL;
}

static bool has_entry(const struct hm_kept_pairing *p, const void *key)
{
  uint64_t number = *(const uint64_t *)key;
  return p->shown.control == number || p->shown.certificate_control == number;
}

static bool has_name(const struct hm_kept_pairing *p, const void *key)
{
  return memcmp(p->shown.certificate, key, 32) == 0;
}

struct hm_kept_pairing *hm_pairing_by_entry(const struct hm_core *core, uint64_t number,
                                            struct hm_bound **bound)
{
  return number == 0 ? NULL : find_pairing(core, bound, has_entry, &number);
}

struct hm_kept_pairing *hm_pairing_by_name(const struct hm_core *core,
                                           const uint8_t certificate[32], struct hm_bound **bound)
{
  return find_pairing(core, bound, has_name, certificate);
}

bool hm_pairing_is_live(const struct hm_core *core, const struct hm_kept_pairing *pairing,
                        const struct hm_now *now)
{
  struct hm_times times = hm_floor_times(&core->floor, now);
  return pairing->is_complete && pairing->shown.state != HM_PAIRING_REVOKED &&
         hm_times_check(&times, pairing->shown.from_s, pairing->shown.until_s,
                        pairing->shown.from_s) == HM_OK;
}

/* ---- contexts ------------------------------------------------------------------------ */

/* A custom context's code follows from its name, so that two hosts agree on it. */
static unsigned custom_code(const struct hm_core *core, const char *text)
{
  uint8_t digest[32];
  struct hm_bytes part = hm_bytes(text, strlen(text));
  if (core->crypto->sha256(&part, 1, digest) != HM_OK)
    return 0;
  return HM_CONTEXT_CUSTOM + ((unsigned)digest[0] << 8 | digest[1]) % (65536 - HM_CONTEXT_CUSTOM);
}

enum hm_status hm_context_code(const struct hm_core *core, const char *text, unsigned *code,
                               struct hm_error *err)
{
  uint32_t known;
  size_t len = text == NULL ? 0 : strlen(text);
  if (hm_code_find(&hm_contexts, hm_bytes(text, len), &known)) {
    *code = known;
    return HM_OK;
  }
  bool is_name = len >= 1 && len <= HM_CONTEXT_TEXT && g_ascii_islower(text[0]);
  for (size_t i = 0; is_name && i < len; i++)
    is_name =
        g_ascii_islower(text[i]) || g_ascii_isdigit(text[i]) || strchr("._-", text[i]) != NULL;
  if (!is_name)
    return hm_fail(err, HM_MALFORMED,
                   "context: drive, training, diagnostics, battery_management, firmware_update, "
                   "emergency, or 1 to %d of [a-z0-9._-] that begin with a letter",
                   HM_CONTEXT_TEXT);
  *code = custom_code(core, text);
  return HM_OK;
}

static struct hm_context_seen *seen_context(struct hm_bound *bound, uint64_t context)
{
  for (unsigned i = 0; i < bound->seen_count; i++)
    if (bound->seen[i].context == context)
      return &bound->seen[i];
  if (bound->seen_count == HM_CONTEXTS_SEEN)
    return NULL;
  struct hm_context_seen *seen = &bound->seen[bound->seen_count++];
  *seen = (struct hm_context_seen){.context = context};
  return seen;
}

/* ---- readers of one entry each ----------------------------------------------------------- */

static void raise_floor(struct hm_core *core, uint64_t iat)
{
  struct hm_now now = hm_core_now(core);
  hm_floor_raise(&core->floor, &now, iat);
}

static enum hm_status read_binding(struct hm_core *core, const struct hm_log_entry *entry)
{
  struct hm_registry *r = &core->registry;
  if (r->count == HM_BOUND_EVER)
    return HM_FULL;
  struct hm_bound *bound = g_new0(struct hm_bound, 1);
  const struct hm_entity *host = r->count == 0 ? NULL : &r->all[0]->entity;
  enum hm_status status = hm_binding_open(core->crypto, entry->object, core->authority_point, host,
                                          NULL, &bound->entity);
  if (status != HM_OK) {
    g_free(bound);
    return status;
  }
  raise_floor(core, bound->entity.iat);
  bound->control = entry->number;
  bound->is_host = r->count == 0;
  bound->health = HM_HEALTH_NO_MEDIA;
  bound->last_grant_ns = core->start_ns; /* a gate may hold one of the life before */
  g_snprintf(bound->name, sizeof bound->name, bound->is_host ? "host" : "lost-%02x%02x%02x%02x",
             bound->entity.lct[0], bound->entity.lct[1], bound->entity.lct[2],
             bound->entity.lct[3]);
  r->all[r->count++] = bound;
  return HM_OK;
}

/* Room for one more: the oldest that has ended goes. (A pair that would find none is
 * refused before it is asked for: daemon_pair.c.) */
static struct hm_kept_pairing *room_for_pairing(struct hm_core *core, struct hm_bound *bound)
{
  struct hm_now now = hm_core_now(core);
  unsigned k = 0;
  if (bound->pairing_count < HM_LIVE_PAIRINGS)
    return &bound->pairings[bound->pairing_count++];
  while (k < HM_LIVE_PAIRINGS && hm_pairing_is_live(core, &bound->pairings[k], &now))
    k++;
  if (k == HM_LIVE_PAIRINGS)
    k = 0;
  memmove(&bound->pairings[k], &bound->pairings[k + 1],
          (HM_LIVE_PAIRINGS - 1 - k) * sizeof bound->pairings[0]);
  return &bound->pairings[HM_LIVE_PAIRINGS - 1];
}

static void keep_policy(struct hm_kept_pairing *kept, const struct hm_pairing *pairing)
{
  const struct hm_policy *policy = &pairing->policy;
  struct hm_core_pairing *shown = &kept->shown;
  memcpy(shown->certificate, pairing->name, 32);
  memcpy(shown->id, policy->pairing_id, 16);
  memcpy(kept->policy_hash, pairing->policy_hash, 32);
  kept->kid16 = (uint16_t)policy->kid16;
  shown->context = (unsigned)policy->context;
  shown->from_s = pairing->nbf;
  shown->until_s = pairing->exp;
  for (uint32_t i = 0; i < policy->operation_count; i++)
    shown->operations |= 1u << policy->operations[i];
  for (uint32_t i = 0; i < policy->data_count; i++) {
    shown->data_types |= 1u << policy->data_types[i];
    kept->data_types[kept->data_type_count++] = (uint8_t)policy->data_types[i];
  }
  const char *word = hm_code_name(&hm_contexts, policy->context);
  if (policy->has_context_name)
    g_snprintf(shown->context_text, sizeof shown->context_text, "%.*s",
               (int)policy->context_name.len, (const char *)policy->context_name.data);
  else
    g_snprintf(shown->context_text, sizeof shown->context_text, "%s", word != NULL ? word : "?");
}

static enum hm_status read_pairing(struct hm_core *core, const struct hm_log_entry *entry)
{
  struct hm_pairing pairing;
  HM_TRY(hm_pairing_open(core->crypto, entry->object, core->authority_point, NULL, &pairing));
  if (core->registry.count == 0 ||
      memcmp(pairing.policy.entities[0], core->registry.all[0]->entity.lct, 32) != 0)
    return HM_MISMATCH;
  struct hm_bound *bound = hm_bound_by_lct(core, pairing.policy.entities[1]);
  if (bound == NULL)
    return HM_NOT_FOUND;
  struct hm_context_seen *seen = seen_context(bound, pairing.policy.context);
  if (seen != NULL && seen->iat >= pairing.iat)
    return HM_REPLAY;
  struct hm_kept_pairing *kept = room_for_pairing(core, bound);
  raise_floor(core, pairing.iat);
  if (seen != NULL)
    seen->iat = pairing.iat;
  memset(kept, 0, sizeof *kept);
  keep_policy(kept, &pairing);
  kept->shown.certificate_control = entry->number;
  kept->shown.state = HM_PAIRING_LIVE;
  return HM_OK;
}

static enum hm_status read_completion(struct hm_core *core, const struct hm_log_entry *entry,
                                      const struct hm_receipt *receipt)
{
  struct hm_bound *bound;
  struct hm_kept_pairing *kept = hm_pairing_by_name(core, receipt->certificate, &bound);
  if (kept == NULL || receipt->result != HM_RESULT_PASS)
    return HM_OK; /* an old one that was let go, or one that failed */
  kept->is_complete = true;
  kept->shown.is_local = receipt->has_flags;
  kept->shown.control = entry->number;
  bound->in_force_ns = hm_boottime_ns();
  bound->first_frame_ns = 0;
  bound->frames_in_force = 0;
  return HM_OK;
}

static enum hm_status read_genesis(struct hm_core *core, const struct hm_receipt *receipt)
{
  if (receipt->evidence_count != 2)
    return HM_MALFORMED;
  memcpy(core->registry.genesis_authority, receipt->evidence[0], 32);
  memcpy(core->registry.law, receipt->evidence[1], 32);
  return HM_OK;
}

static void drop_settled(struct hm_registry *r)
{
  for (guint i = r->revocations->len; i > 0; i--) {
    const struct hm_kept_revocation *k =
        &g_array_index(r->revocations, struct hm_kept_revocation, i - 1);
    if (k->is_effective && (!k->is_local || k->is_told))
      g_array_remove_index(r->revocations, i - 1);
  }
}

static enum hm_status read_effective(struct hm_core *core, const struct hm_receipt *receipt)
{
  GArray *list = core->registry.revocations;
  for (guint i = 0; i < list->len; i++) {
    struct hm_kept_revocation *k = &g_array_index(list, struct hm_kept_revocation, i);
    if (memcmp(k->name, receipt->certificate, 32) == 0)
      k->is_effective = true;
  }
  drop_settled(&core->registry);
  return HM_OK;
}

/* ---- exits ------------------------------------------------------------------------------ */

static enum hm_status read_export(struct hm_core *core, const struct hm_log_entry *entry)
{
  struct hm_kept_export kept;
  struct hm_export manifest;
  HM_TRY(hm_export_open(core->crypto, entry->object, core->host_key.signer.point, &manifest,
                        kept.name));
  g_array_append_val(core->registry.exports, kept);
  return HM_OK;
}

static enum hm_status read_export_ended(struct hm_core *core, const struct hm_receipt *receipt)
{
  GArray *list = core->registry.exports;
  for (guint i = list->len; i > 0; i--)
    if (memcmp(g_array_index(list, struct hm_kept_export, i - 1).name, receipt->certificate, 32) ==
        0)
      g_array_remove_index(list, i - 1);
  return HM_OK;
}

/* Receipts of levels 6 and 7 are the authority's, the rest are this host's. */
static enum hm_status read_receipt(struct hm_core *core, const struct hm_log_entry *entry)
{
  struct hm_receipt receipt;
  struct hm_sign1 sign1;
  HM_TRY(hm_sign1_expect(entry->object, HM_TYP_RECEIPT, &sign1));
  bool is_authority = memcmp(sign1.kid, core->authority, 32) == 0;
  HM_TRY(hm_receipt_open(core->crypto, entry->object,
                         is_authority ? core->authority_point : core->host_key.signer.point,
                         &receipt, NULL));
  if (hm_receipt_is_authority_kind(receipt.kind) != is_authority)
    return HM_DENIED;
  switch (receipt.kind) {
  case HM_RECEIPT_COMPLETION:
    return read_completion(core, entry, &receipt);
  case HM_RECEIPT_GENESIS:
    return entry->number == 1 ? read_genesis(core, &receipt) : HM_MALFORMED;
  case HM_RECEIPT_EFFECTIVE:
    return read_effective(core, &receipt);
  case HM_RECEIPT_EXPORT_ENDED:
    return read_export_ended(core, &receipt);
  default:
    return HM_OK;
  }
}

/* End what a revocation names; true where it named anything here. */
static bool end_named(struct hm_core *core, const struct hm_revocation *rev, uint64_t number)
{
  bool is_any = false;
  for (unsigned i = 0; i < core->registry.count; i++) {
    struct hm_bound *bound = core->registry.all[i];
    bool is_whole =
        hm_revocation_names(rev, bound->entity.lct) || hm_revocation_names(rev, bound->entity.name);
    if (is_whole && !rev->is_local && !bound->is_void) {
      bound->is_void = true;
      bound->void_by = number;
    }
    for (unsigned k = 0; k < bound->pairing_count; k++) {
      struct hm_kept_pairing *p = &bound->pairings[k];
      if (!is_whole && !hm_revocation_ends_pairing(rev, p->shown.certificate, p->shown.id))
        continue;
      is_any = true;
      p->is_told |= !rev->is_local;
      if (p->shown.state == HM_PAIRING_REVOKED)
        continue;
      p->shown.state = HM_PAIRING_REVOKED;
      p->shown.revocation = number;
      struct hm_context_seen *seen = seen_context(bound, p->shown.context);
      if (seen != NULL)
        seen->is_revoked = true;
    }
    is_any |= is_whole;
  }
  return is_any;
}

/* What the authority now has on record need not be told to it again. */
static void mark_told(struct hm_registry *r, const struct hm_revocation *rev)
{
  for (guint i = 0; i < r->revocations->len; i++) {
    struct hm_kept_revocation *k = &g_array_index(r->revocations, struct hm_kept_revocation, i);
    if (k->is_local && memcmp(k->certificate, rev->certificate, 32) == 0)
      k->is_told = true;
  }
  drop_settled(r);
}

static enum hm_status read_revocation(struct hm_core *core, const struct hm_log_entry *entry)
{
  struct hm_registry *r = &core->registry;
  struct hm_revocation rev;
  struct hm_sign1 sign1;
  struct hm_kept_revocation kept = {.control = entry->number};
  HM_TRY(hm_sign1_expect(entry->object, HM_TYP_REVOCATION, &sign1));
  bool is_authority = memcmp(sign1.kid, core->authority, 32) == 0;
  HM_TRY(hm_revocation_open(core->crypto, entry->object,
                            is_authority ? core->authority_point : core->host_key.signer.point,
                            &rev, kept.name));
  if (rev.is_local == is_authority)
    return HM_DENIED;
  if (!rev.is_local) {
    if (rev.number != r->highest_revocation + 1 ||
        (rev.number > 1 && memcmp(rev.previous, r->revocation_name, 32) != 0))
      return HM_MISMATCH;
    r->highest_revocation = rev.number;
    memcpy(r->revocation_name, kept.name, 32);
    raise_floor(core, rev.iat);
    mark_told(r, &rev);
  }
  kept.is_local = rev.is_local;
  kept.is_effective = !end_named(core, &rev, entry->number);
  memcpy(kept.certificate, rev.certificate, 32);
  kept.has_pairing_id = rev.has_pairing_id;
  memcpy(kept.pairing_id, rev.pairing_id, 16);
  kept.reason = rev.reason;
  kept.since = rev.has_since ? rev.since : 0;
  if (!kept.is_effective || kept.is_local)
    g_array_append_val(r->revocations, kept);
  return HM_OK;
}

static enum hm_status read_law(struct hm_core *core, const struct hm_log_entry *entry)
{
  struct hm_law law;
  HM_TRY(hm_law_open(core->crypto, entry->object, core->host_key.signer.point, &law,
                     core->registry.law_name));
  memcpy(core->registry.law, law.law, 32);
  core->registry.has_law_name = true;
  return HM_OK;
}

static enum hm_status read_head(struct hm_core *core, const struct hm_log_entry *entry)
{
  core->registry.head = entry->number;
  return HM_OK;
}

static const struct {
  uint16_t typ;
  enum hm_status (*read)(struct hm_core *core, const struct hm_log_entry *entry);
} readers[] = {
    {HM_TYP_BINDING, read_binding}, {HM_TYP_PAIRING, read_pairing},
    {HM_TYP_RECEIPT, read_receipt}, {HM_TYP_REVOCATION, read_revocation},
    {HM_TYP_LAW, read_law},         {HM_TYP_HEAD, read_head},
    {HM_TYP_EXPORT, read_export},
};

enum hm_status hm_registry_apply(struct hm_core *core, const struct hm_log_entry *entry,
                                 struct hm_error *err)
{
  enum hm_status status = HM_OK;
  for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
    if (readers[i].typ == entry->typ)
      status = readers[i].read(core, entry);
  core->registry.applied = entry->number;
  if (status != HM_OK)
    return hm_fail(err, HM_DAMAGED, "%s: c%llu (%s): %s", core->paths.store,
                   (unsigned long long)entry->number, hm_control_entry_kind(entry->object),
                   hm_status_text(status));
  return HM_OK;
}

/* ---- the whole log -------------------------------------------------------------------- */

struct walk {
  struct hm_core *core;
  struct hm_error *err;
};

static enum hm_status walk_entry(void *context, const struct hm_log_entry *entry)
{
  struct walk *w = context;
  return hm_registry_apply(w->core, entry, w->err);
}

enum hm_status hm_registry_catch_up(struct hm_core *core, struct hm_error *err)
{
  struct walk w = {core, err};
  struct hm_log *log = hm_store_control(core->store);
  while (core->registry.applied < hm_log_size(log)) {
    uint64_t before = core->registry.applied;
    HM_TRY(hm_log_scan(log, before + 1, 500, walk_entry, &w));
    if (core->registry.applied == before)
      return hm_fail(err, HM_DAMAGED, "%s: c%llu cannot be read", core->paths.store,
                     (unsigned long long)before + 1);
  }
  return HM_OK;
}

enum hm_status hm_registry_load(struct hm_core *core, struct hm_error *err)
{
  core->registry.revocations = g_array_new(FALSE, TRUE, sizeof(struct hm_kept_revocation));
  core->registry.exports = g_array_new(FALSE, TRUE, sizeof(struct hm_kept_export));
  HM_TRY(hm_registry_catch_up(core, err));
  if (core->registry.count == 0 ||
      memcmp(core->registry.all[0]->entity.lct, core->host_key.signer.kid, 32) != 0)
    return hm_fail(err, HM_MISMATCH,
                   "%s: the store belongs to another host key than %s/host.sign.pem",
                   core->paths.store, core->paths.keys);
  return HM_OK;
}

void hm_registry_free(struct hm_registry *registry)
{
  for (unsigned i = 0; i < registry->count; i++)
    g_free(registry->all[i]);
  registry->count = 0;
  if (registry->revocations != NULL)
    g_array_unref(registry->revocations);
  registry->revocations = NULL;
  if (registry->exports != NULL)
    g_array_unref(registry->exports);
  registry->exports = NULL;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What follows a revocation that is durable: keys erased, gates told, their word or
 * the end of their leases awaited, and one "effective" entry a sensor that says
 * which it was. The same for the operator's, the authority's, and those that a
 * restart finds without one.
 */
#include <stdio.h>

#include "services/daemon_link.h"
#include "services/daemon_operations.h"

struct enforcement;

/* One sensor that the revocation touches. */
struct part {
  struct enforcement *whole;
  struct hm_bound *bound;
  unsigned count;
  uint64_t contexts[HM_LIVE_PAIRINGS];
  struct hm_core_gate_end end;
};

struct enforcement {
  struct hm_core *core;
  uint64_t number;
  uint8_t name[32]; /* of the revocation */
  unsigned part_count, waiting;
  struct part parts[HM_ENTITIES_MAX];
  struct hm_error error; /* the first failure */
  hm_enforce_done done;
  void *user;
};

static gboolean finish(gpointer data)
{
  struct enforcement *e = data;
  struct hm_enforced result = {0};
  for (unsigned i = 0; i < e->part_count && i < HM_PAIR_NAMES; i++)
    result.gates[result.gate_count++] = e->parts[i].end;
  if (e->done != NULL)
    e->done(e->user, &e->error, &result);
  g_free(e);
  return G_SOURCE_REMOVE;
}

static void part_done(struct part *part, const struct hm_error *error)
{
  struct enforcement *e = part->whole;
  if (e->error.status == HM_OK && error->status != HM_OK)
    e->error = *error;
  if (--e->waiting == 0)
    finish(e);
}

static void effective_written(void *user, const struct hm_error *error, uint64_t number)
{
  struct part *part = user;
  part->end.effective = number;
  part_done(part, error);
}

static void write_effective(struct hm_core *core, const uint8_t revocation[32],
                            const uint8_t subject[32], const struct hm_core_gate_end *end,
                            bool is_restart, hm_append_done done, void *user)
{
  struct hm_receipt receipt = {.level = 1,
                               .kind = HM_RECEIPT_EFFECTIVE,
                               .result = end->is_confirmed ? HM_RESULT_PASS : HM_RESULT_FAIL};
  memcpy(receipt.certificate, revocation, 32);
  memcpy(receipt.subject, subject, 32);
  receipt.has_certificate = true;
  receipt.has_last_frame = end->is_confirmed;
  receipt.last_frame = end->last_frame;
  receipt.has_reason = is_restart;
  receipt.reason = HM_REASON_RESTART;
  hm_control_receipt(core, &receipt, done, user);
}

static bool flows_still(struct hm_core *core, const struct hm_bound *bound)
{
  struct hm_now now = hm_core_now(core);
  for (unsigned i = 0; i < bound->pairing_count; i++)
    if (hm_pairing_is_live(core, &bound->pairings[i], &now))
      return true;
  return false;
}

static void shut_done(void *user, const struct hm_shut *shut)
{
  struct part *part = user;
  struct hm_core *core = part->whole->core;
  part->end.had_gate = shut->had_grant;
  part->end.is_confirmed = shut->is_confirmed;
  part->end.last_frame = shut->last_frame;
  part->end.still_flows = flows_still(core, part->bound);
  write_effective(core, part->whole->name, part->bound->entity.lct, &part->end, false,
                  effective_written, part);
}

/* The pairing's secret goes first, then everything else (3-pairing V2). */
static void erase_secret(const struct hm_core *core, const struct hm_kept_pairing *pairing)
{
  char path[HM_FILE_PATH];
  struct hm_error err = {0};
  if (hm_pairing_secret_path(core, pairing->shown.id, path, &err) != HM_OK ||
      hm_key_erase(path, &err) != HM_OK)
    hm_log(HM_LOG_ERROR, "erase", "%s", hm_error_text(&err));
}

static void collect(struct enforcement *e, struct hm_bound *bound)
{
  struct part *part = &e->parts[e->part_count];
  memset(part, 0, sizeof *part);
  for (unsigned i = 0; i < bound->pairing_count; i++) {
    if (bound->pairings[i].shown.revocation != e->number ||
        bound->pairings[i].shown.state != HM_PAIRING_REVOKED)
      continue;
    erase_secret(e->core, &bound->pairings[i]);
    part->contexts[part->count++] = bound->pairings[i].shown.context;
  }
  bool is_voided = bound->is_void && bound->void_by == e->number;
  if (part->count == 0 && !is_voided)
    return;
  if (is_voided && !bound->is_host)
    hm_retire(e->core, bound);
  part->whole = e;
  part->bound = bound;
  g_strlcpy(part->end.name, bound->name, sizeof part->end.name);
  e->part_count++;
}

static enum hm_status name_of_entry(struct hm_core *core, uint64_t number, uint8_t name[32])
{
  uint8_t *buffer = g_malloc(HM_LOG_ENTRY_MAX);
  struct hm_log_entry entry;
  struct hm_sign1 sign1;
  enum hm_status status =
      hm_log_entry(hm_store_control(core->store), number, buffer, HM_LOG_ENTRY_MAX, &entry);
  if (status == HM_OK)
    status = hm_sign1_expect(entry.object, HM_TYP_REVOCATION, &sign1);
  if (status == HM_OK)
    status = hm_sign1_name(core->crypto, &sign1, hm_bytes(NULL, 0), name);
  g_free(buffer);
  return status;
}

void hm_revocation_enforce(struct hm_core *core, uint64_t number, hm_enforce_done done, void *user)
{
  struct enforcement *e = g_new0(struct enforcement, 1);
  e->core = core;
  e->number = number;
  e->done = done;
  e->user = user;
  enum hm_status status = name_of_entry(core, number, e->name);
  if (status != HM_OK)
    hm_fail(&e->error, status, "c%llu: %s", (unsigned long long)number, hm_status_text(status));
  for (unsigned i = 0; status == HM_OK && i < core->registry.count; i++)
    if (e->part_count < HM_ENTITIES_MAX)
      collect(e, core->registry.all[i]);
  e->waiting = e->part_count;
  if (e->part_count == 0) {
    g_idle_add(finish, e);
    return;
  }
  for (unsigned i = 0; i < e->part_count; i++)
    hm_gates_shut(core, e->parts[i].bound, e->parts[i].contexts, e->parts[i].count, shut_done,
                  &e->parts[i]);
}

/* ---- at start
 * ------------------------------------------------------------------------------------ */

static void settled(void *user, const struct hm_error *error, uint64_t number)
{
  (void)user;
  (void)number;
  if (error->status != HM_OK)
    hm_log(HM_LOG_WARNING, "effective", "%s", hm_error_text(error));
}

void hm_revocations_settle(struct hm_core *core)
{
  const struct hm_core_gate_end ran_out = {.is_confirmed = false};
  for (guint i = 0; i < core->registry.revocations->len; i++) {
    const struct hm_kept_revocation *k =
        &g_array_index(core->registry.revocations, struct hm_kept_revocation, i);
    for (unsigned n = 0; !k->is_effective && n < core->registry.count; n++) {
      const struct hm_bound *bound = core->registry.all[n];
      bool is_touched = bound->is_void && bound->void_by == k->control;
      for (unsigned p = 0; p < bound->pairing_count; p++)
        is_touched |= bound->pairings[p].shown.revocation == k->control;
      if (is_touched)
        write_effective(core, k->name, bound->entity.lct, &ran_out, true, settled, NULL);
    }
  }
}

/* ---- telling the authority
 * -------------------------------------------------------------------------- */

struct telling {
  struct hm_core *core;
  unsigned left;
};

static void told_all(void *user, const struct hm_error *error)
{
  (void)user;
  if (error->status != HM_OK)
    hm_log(HM_LOG_WARNING, "authority-sync", "%s", hm_error_text(error));
}

static void told(void *user, const struct hm_error *error, const struct hm_auth_answer *answer)
{
  struct telling *t = user;
  (void)answer; /* the revocation comes in order by the log */
  if (error->status != HM_OK)
    hm_log(HM_LOG_WARNING, "authority-revoke", "%s", hm_error_text(error));
  if (--t->left > 0)
    return;
  if (!t->core->is_stopping)
    hm_link_sync(t->core, told_all, NULL);
  g_free(t);
}

void hm_revocations_tell(struct hm_core *core)
{
  GArray *list = core->registry.revocations;
  struct telling *t = NULL;
  for (guint i = 0; i < list->len; i++) {
    const struct hm_kept_revocation *k = &g_array_index(list, struct hm_kept_revocation, i);
    struct hm_auth_question question = {.kind = HM_AUTH_REVOKE};
    if (!k->is_local || k->is_told)
      continue;
    if (t == NULL) {
      t = g_new0(struct telling, 1);
      t->core = core;
    }
    memcpy(question.u.revoke.certificate, k->certificate, 32);
    question.u.revoke.has_pairing_id = k->has_pairing_id;
    memcpy(question.u.revoke.pairing_id, k->pairing_id, 16);
    question.u.revoke.reason = k->reason;
    question.u.revoke.has_since = k->since != 0;
    question.u.revoke.since = k->since;
    t->left++;
    hm_link_ask(core, &question, told, t);
  }
}

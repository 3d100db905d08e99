/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * revoke and unbind, local first: the host signs the revocation of its own pairings
 * itself and at once, whatever the authority does; the authority hears of it next
 * and its numbered revocation follows by its log. Only the authority can void an
 * LCT, so unbind first ends the pairings, then asks for that.
 */
#include <stdio.h>
#include <stdlib.h>

#include "services/daemon_link.h"
#include "services/daemon_operations.h"
#include "services/text.h"

enum { TARGETS_MAX = HM_PAIR_NAMES };

struct target {
  struct hm_bound *bound;
  uint8_t certificate[32], id[16];
};

struct revoke {
  struct hm_core *core;
  unsigned target_count, at;
  struct target targets[TARGETS_MAX];
  uint64_t reason, since_s;
  struct hm_bound *voided; /* unbind: whose LCT ends */
  hm_core_revoked_done done;
  void *user;
  struct hm_core_revoked result;
  unsigned waiting; /* enforcements under way */
  bool is_all_in;
};

/* ---- ends --------------------------------------------------------------------------------------
 */

static gboolean finish(gpointer data)
{
  struct revoke *r = data;
  if (r->result.error.status != HM_OK)
    hm_log(HM_LOG_NOTICE, "revoke", "%s", hm_error_text(&r->result.error));
  r->done(r->user, &r->result);
  g_free(r);
  return G_SOURCE_REMOVE;
}

static void note_failure(struct revoke *r, const struct hm_error *error)
{
  if (r->result.error.status == HM_OK)
    r->result.error = *error;
}

static void void_lct(struct revoke *r);

/* All entries are in and all gates are shut. */
static void settle(struct revoke *r)
{
  if (!r->is_all_in || r->waiting > 0)
    return;
  if (r->voided != NULL) {
    void_lct(r);
    return;
  }
  if (!r->core->is_stopping)
    hm_revocations_tell(r->core);
  finish(r);
}

/* ---- gates
 * --------------------------------------------------------------------------------------- */

static void enforced(void *user, const struct hm_error *error, const struct hm_enforced *done)
{
  struct revoke *r = user;
  if (error->status != HM_OK)
    note_failure(r, error);
  for (unsigned i = 0; i < done->gate_count && r->result.gate_count < HM_PAIR_NAMES; i++)
    r->result.gates[r->result.gate_count++] = done->gates[i];
  r->waiting--;
  settle(r);
}

static void append_next(struct revoke *r);

static void appended(void *user, const struct hm_error *error, uint64_t number)
{
  struct revoke *r = user;
  if (error->status != HM_OK) {
    note_failure(r, error);
    r->is_all_in = true;
    r->voided = NULL;
    settle(r);
    return;
  }
  if (r->result.control == 0)
    r->result.control = number;
  if (r->result.entry_count < HM_PAIR_NAMES)
    r->result.entries[r->result.entry_count++] = number;
  r->waiting++;
  hm_revocation_enforce(r->core, number, enforced, r);
  r->at++;
  append_next(r);
}

/* One entry a pairing: each is told to the authority by its own name. */
static void append_next(struct revoke *r)
{
  struct hm_revocation local = {.is_local = true, .has_pairing_id = true};
  if (r->at == r->target_count) {
    r->is_all_in = true;
    settle(r);
    return;
  }
  const struct target *t = &r->targets[r->at];
  memcpy(local.certificate, t->certificate, 32);
  memcpy(local.pairing_id, t->id, 16);
  local.reason = r->reason;
  local.has_since = r->since_s != 0;
  local.since = r->since_s;
  hm_control_local(r->core, &local, appended, r);
}

/* ---- unbind: the LCT, by the authority
 * -------------------------------------------------------------- */

static void void_synced(void *user, const struct hm_error *error)
{
  struct revoke *r = user;
  struct hm_error err = *error;
  if (err.status == HM_OK && !r->voided->is_void)
    hm_fail(&err, HM_BAD_PROOF, "%s: the authority's log does not have its revocation",
            r->voided->name);
  if (err.status != HM_OK) {
    note_failure(r, &err);
    finish(r);
    return;
  }
  r->result.by_authority = true;
  if (r->result.control == 0)
    r->result.control = r->voided->void_by;
  if (r->result.entry_count < HM_PAIR_NAMES)
    r->result.entries[r->result.entry_count++] = r->voided->void_by;
  finish(r);
}

static void void_answered(void *user, const struct hm_error *error,
                          const struct hm_auth_answer *answer)
{
  struct revoke *r = user;
  struct hm_error err = *error;
  (void)answer; /* it comes in order by the log */
  if (err.status == HM_OK) {
    hm_link_sync(r->core, void_synced, r);
    return;
  }
  hm_error_prefix(&err,
                  "%s: its pairings are revoked, its LCT stands until the authority "
                  "answers; then run: hallmark unbind %s",
                  r->voided->name, r->voided->name);
  note_failure(r, &err);
  finish(r);
}

static void void_lct(struct revoke *r)
{
  struct hm_auth_question question = {.kind = HM_AUTH_REVOKE};
  memcpy(question.u.revoke.certificate, r->voided->entity.lct, 32);
  question.u.revoke.reason = r->reason;
  question.u.revoke.has_since = r->since_s != 0;
  question.u.revoke.since = r->since_s;
  hm_link_ask(r->core, &question, void_answered, r);
}

/* After an LCT is void: pipeline, keys and source string go; the history stays. */
void hm_retire(struct hm_core *core, struct hm_bound *bound)
{
  static const char *const kinds[] = {"sign", "agree"};
  struct hm_error err = {0};
  hm_media_stop(core, bound);
  hm_writer_unslot(core, bound);
  for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
    char path[HM_FILE_PATH];
    if (hm_key_path(path, core->paths.keys, bound->entity.lct, kinds[i], &err) != HM_OK ||
        hm_key_erase(path, &err) != HM_OK)
      hm_log(HM_LOG_ERROR, "erase", "%s", hm_error_text(&err));
  }
  if (hm_local_retire(core, bound, &err) != HM_OK)
    hm_log(HM_LOG_ERROR, "unbind", "%s", hm_error_text(&err));
  hm_wipe(bound->source, sizeof bound->source);
  bound->health_since_s = hm_core_now(core).trust_s;
}

/* ---- what is meant
 * --------------------------------------------------------------------------------- */

static enum hm_status add_target(struct revoke *r, struct hm_bound *bound,
                                 const struct hm_kept_pairing *pairing, struct hm_error *err)
{
  if (r->target_count == TARGETS_MAX)
    return hm_fail(err, HM_TOO_LARGE, "over %d pairings in one revoke; name a --context",
                   TARGETS_MAX);
  struct target *t = &r->targets[r->target_count++];
  t->bound = bound;
  memcpy(t->certificate, pairing->shown.certificate, 32);
  memcpy(t->id, pairing->shown.id, 16);
  return HM_OK;
}

/* Every pairing not yet revoked, in context 0 (any) or the one given. */
static enum hm_status add_pairings(struct revoke *r, struct hm_bound *bound, unsigned context,
                                   struct hm_error *err)
{
  for (unsigned i = 0; i < bound->pairing_count; i++) {
    const struct hm_kept_pairing *k = &bound->pairings[i];
    bool is_meant = k->is_complete && k->shown.state != HM_PAIRING_REVOKED &&
                    (context == 0 || k->shown.context == context);
    if (is_meant)
      HM_TRY(add_target(r, bound, k, err));
  }
  return HM_OK;
}

/* NAME --context X: every live pairing of every LCT with that anchor in X. */
static enum hm_status add_name(struct revoke *r, const char *name, const char *context,
                               struct hm_error *err)
{
  struct hm_core *core = r->core;
  struct hm_bound *bound = hm_bound_named(core, name);
  unsigned code = 0;
  if (bound == NULL)
    return hm_fail(err, HM_NOT_FOUND, "%s: no entity of this name; run: hallmark ls", name);
  if (context != NULL)
    HM_TRY(hm_context_code(core, context, &code, err));
  for (unsigned i = 1; i < core->registry.count; i++) {
    struct hm_bound *o = core->registry.all[i];
    bool is_same_unit = o->entity.anchor == bound->entity.anchor &&
                        memcmp(o->entity.descriptors, bound->entity.descriptors, 32) == 0;
    if (o == bound || (is_same_unit && o->entity.anchor != HM_ANCHOR_SOFTWARE))
      HM_TRY(add_pairings(r, o, code, err));
  }
  if (r->target_count > 0 || r->voided != NULL)
    return HM_OK;
  return hm_fail(err, HM_NOT_FOUND, "%s: no pairing in force%s%s; run: hallmark ls", name,
                 context != NULL ? " for " : "", context != NULL ? context : "");
}

static enum hm_status add_entry(struct revoke *r, uint64_t number, const char *context,
                                struct hm_error *err)
{
  struct hm_bound *bound = NULL;
  struct hm_kept_pairing *pairing = hm_pairing_by_entry(r->core, number, &bound);
  if (pairing != NULL && pairing->shown.state == HM_PAIRING_REVOKED)
    return hm_fail(err, HM_EXISTS, "c%llu: revoked already by c%llu", (unsigned long long)number,
                   (unsigned long long)pairing->shown.revocation);
  if (pairing != NULL)
    return add_target(r, bound, pairing, err);
  bound = hm_bound_by_binding(r->core, number);
  if (bound == NULL || bound->is_host)
    return hm_fail(err, HM_NOT_FOUND, "c%llu: neither a binding nor a pairing of this host",
                   (unsigned long long)number);
  return add_name(r, bound->name, context, err);
}

static uint64_t reason_code(const char *reason)
{
  uint32_t code;
  if (reason != NULL && hm_code_find(&hm_reasons, hm_bytes(reason, strlen(reason)), &code))
    return code;
  return HM_REASON_OPERATOR;
}

static struct revoke *revoke_new(struct hm_core *core, hm_core_revoked_done done, void *user)
{
  struct revoke *r = g_new0(struct revoke, 1);
  r->core = core;
  r->done = done;
  r->user = user;
  return r;
}

static gboolean begin(gpointer data)
{
  append_next(data);
  return G_SOURCE_REMOVE;
}

static void start(struct revoke *r, enum hm_status status, const struct hm_error *err)
{
  if (status == HM_OK && r->core->is_stopping)
    status = hm_fail(&r->result.error, HM_UNREACHABLE, "hallmarkd stops");
  else if (status != HM_OK)
    r->result.error = *err;
  r->result.error.status = status;
  g_idle_add(status == HM_OK ? begin : finish, r);
}

void hm_core_revoke(struct hm_core *core, const struct hm_core_revoke *request,
                    hm_core_revoked_done done, void *user)
{
  struct revoke *r = revoke_new(core, done, user);
  struct hm_error err = {0};
  uint64_t number;
  r->reason = reason_code(request->reason);
  r->since_s = request->since_s;
  enum hm_status status = hm_text_log_number(request->object, 'c', &number)
                              ? add_entry(r, number, request->context, &err)
                              : add_name(r, request->object, request->context, &err);
  if (request->reason != NULL)
    hm_log(HM_LOG_NOTICE, "revoke-reason", "revoke %s: %s", request->object, request->reason);
  start(r, status, &err);
}

void hm_core_unbind(struct hm_core *core, const char *name, const char *reason,
                    hm_core_revoked_done done, void *user)
{
  struct revoke *r = revoke_new(core, done, user);
  struct hm_error err = {0};
  enum hm_status status = HM_OK;
  r->reason = reason != NULL ? reason_code(reason) : HM_REASON_RETIRED;
  r->voided = hm_bound_named(core, name);
  if (r->voided == NULL)
    status = hm_fail(&err, HM_NOT_FOUND, "%s: no entity of this name; run: hallmark ls", name);
  else if (r->voided->is_host)
    status = hm_fail(&err, HM_POLICY, "%s: a host is retired with its store, not unbound", name);
  else if (r->voided->is_void)
    status = hm_fail(&err, HM_EXISTS, "%s: unbound already by c%llu", name,
                     (unsigned long long)r->voided->void_by);
  else
    status = add_pairings(r, r->voided, 0, &err);
  start(r, status, &err);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Grants: what an ASK is answered, and how a grant ends before its time.
 *
 * A grant that was sent holds at its gate for at most 2 s after the question it
 * answers; so 2.1 s after the newest answer that said yes, no gate anywhere lets a
 * frame of that sensor pass, whether it still runs, is stopped, or is gone. Ending
 * contexts early: the registry already leaves them out (no new answer holds them),
 * REVOKE tells the gate, and CLOSED or that moment ends the wait.
 */
#include "services/daemon_gates.h"

/* Contexts taken back from one sensor; waits for its CLOSED or the lease's end. */
struct shut {
  struct hm_core *core;
  struct hm_bound *bound;
  unsigned count;
  uint64_t contexts[HM_LIVE_PAIRINGS];
  guint timer;
  bool is_over; /* answered: only the call of done is left */
  struct hm_shut result;
  hm_shut_done done;
  void *user;
};

/* ---- what may flow -------------------------------------------------------------------------- */

/* Why nothing is granted, from what ended last. */
static enum hm_gate_reason why_shut(const struct hm_core *core, const struct hm_bound *bound)
{
  if (core->is_stopping)
    return HM_GATE_SHUTDOWN;
  if (bound->is_void || core->registry.all[0]->is_void)
    return HM_GATE_REVOKED;
  if (bound->health == HM_HEALTH_ANCHOR_DIFFERS || bound->health == HM_HEALTH_UNPLUGGED)
    return HM_GATE_ANCHOR_DIFFERS;
  if (!bound->anchor_checked)
    return HM_GATE_NOT_ASKED;
  const struct hm_kept_pairing *last = NULL;
  for (unsigned i = 0; i < bound->pairing_count; i++)
    if (bound->pairings[i].is_complete)
      last = &bound->pairings[i];
  if (last == NULL)
    return HM_GATE_UNPAIRED;
  return last->shown.state == HM_PAIRING_REVOKED ? HM_GATE_REVOKED : HM_GATE_PAIRING_EXPIRED;
}

static bool may_observe(const struct hm_kept_pairing *pairing)
{
  return (pairing->shown.operations & (1u << HM_OP_OBSERVE)) != 0;
}

/* Put a grant in by ascending context; of two pairings in one the newer counts. */
static void add_grant(struct hm_gate_message *m, const struct hm_kept_pairing *pairing)
{
  uint32_t at = 0;
  while (at < m->u.grant.count && m->u.grant.grants[at].context < pairing->shown.context)
    at++;
  bool is_there = at < m->u.grant.count && m->u.grant.grants[at].context == pairing->shown.context;
  if (!is_there) {
    if (m->u.grant.count == HM_GATE_CONTEXTS)
      return;
    memmove(&m->u.grant.grants[at + 1], &m->u.grant.grants[at],
            (m->u.grant.count - at) * sizeof m->u.grant.grants[0]);
    m->u.grant.count++;
  }
  struct hm_gate_grant *grant = &m->u.grant.grants[at];
  memset(grant, 0, sizeof *grant);
  grant->context = pairing->shown.context;
  grant->kid16 = pairing->kid16;
  memcpy(grant->certificate, pairing->shown.certificate, HM_HASH);
  memcpy(grant->policy_hash, pairing->policy_hash, HM_HASH);
  grant->data_type_count = pairing->data_type_count;
  memcpy(grant->data_types, pairing->data_types, sizeof grant->data_types);
}

static void fill_grants(struct hm_core *core, struct hm_bound *bound, struct hm_gate_message *m)
{
  struct hm_now now = hm_core_now(core);
  bool is_shut = core->is_stopping || bound->is_void || core->registry.all[0]->is_void ||
                 !bound->anchor_checked || bound->health == HM_HEALTH_ANCHOR_DIFFERS;
  m->u.grant.count = 0;
  for (unsigned i = 0; !is_shut && i < bound->pairing_count; i++)
    if (may_observe(&bound->pairings[i]) && hm_pairing_is_live(core, &bound->pairings[i], &now))
      add_grant(m, &bound->pairings[i]);
  m->u.grant.reason = m->u.grant.count > 0 ? HM_GATE_OPEN : why_shut(core, bound);
}

/* ---- ASK ---------------------------------------------------------------------------------------
 */

static void measure_flow(struct hm_bound *bound, uint64_t passed)
{
  uint64_t now = hm_boottime_ns();
  if (bound->fps_at_ns != 0 && now > bound->fps_at_ns && passed >= bound->fps_passed)
    bound->fps_milli = (unsigned)MIN(
        (passed - bound->fps_passed) * 1000000000000u / (now - bound->fps_at_ns), 10000000u);
  bound->fps_at_ns = now;
  bound->fps_passed = passed;
}

void hm_bound_saw_frame(struct hm_bound *bound, uint64_t frame)
{
  uint64_t now = hm_boottime_ns();
  bound->last_packet_ns = now;
  if (bound->first_frame_ns == 0)
    bound->first_frame_ns = now;
  bound->frames_in_force++;
  if (frame > bound->last_frame)
    bound->last_frame = frame;
}

/* What a gate says of itself: shown to people, and its drops go into the leaves. */
static void take_counts(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  struct hm_bound *bound = link->bound;
  struct hm_writer_counts counts = {.slot = bound->slot, .state = bound->state};
  uint64_t passed = link->passed_base + m->u.ask.passed;
  bool is_news = false;
  measure_flow(bound, passed);
  if (passed > bound->passed && bound->observer == NULL)
    hm_bound_saw_frame(bound, m->u.ask.last_frame);
  bound->passed = MAX(passed, bound->passed);
  for (int i = 0; i < HM_DROP_REASONS; i++) {
    uint64_t dropped = link->dropped_base[i] + m->u.ask.dropped[i];
    if (dropped <= bound->dropped[i])
      continue;
    counts.dropped[i] = dropped - bound->dropped[i];
    bound->dropped[i] = dropped;
    is_news = true;
  }
  if (is_news && bound->slot != 0 && hm_writer_counts(link->core->writer, &counts) != HM_OK)
    hm_log(HM_LOG_WARNING, "counts", "%s: counts of dropped frames were lost", bound->name);
}

bool hm_gate_on_ask(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  static struct hm_gate_message answer; /* large; main thread only */
  take_counts(link, m);
  answer.kind = HM_GATE_GRANT;
  memcpy(answer.u.grant.nonce, m->u.ask.nonce, HM_NONCE);
  fill_grants(link->core, link->bound, &answer);
  link->granted_count = answer.u.grant.count;
  for (uint32_t i = 0; i < answer.u.grant.count; i++)
    link->granted[i] = (uint16_t)answer.u.grant.grants[i].context;
  if (answer.u.grant.count > 0)
    link->bound->last_grant_ns = hm_boottime_ns();
  return hm_gate_send(link, &answer);
}

/* ---- taking back
 * --------------------------------------------------------------------------------- */

static gboolean shut_finish(gpointer data)
{
  struct shut *shut = data;
  shut->timer = 0;
  if (shut->core->gates != NULL)
    g_ptr_array_remove_fast(shut->core->gates->shuts, shut);
  if (shut->done != NULL)
    shut->done(shut->user, &shut->result);
  g_free(shut);
  return G_SOURCE_REMOVE;
}

static void shut_answer(struct shut *shut)
{
  shut->is_over = true;
  if (shut->timer != 0)
    g_source_remove(shut->timer);
  shut->timer = g_idle_add(shut_finish, shut);
}

/* Milliseconds until no grant of bound can hold any more. */
static unsigned lease_left_ms(const struct hm_bound *bound)
{
  uint64_t end = bound->last_grant_ns + (uint64_t)HM_LEASE_WAIT_MS * 1000000u;
  uint64_t now = hm_boottime_ns();
  return bound->last_grant_ns == 0 || end <= now ? 0 : (unsigned)((end - now) / 1000000u) + 1;
}

static bool send_revoke(struct hm_gate_link *link, const struct shut *shut)
{
  struct hm_gate_message m = {.kind = HM_GATE_REVOKE};
  for (unsigned i = 0; i < shut->count; i++)
    m.u.revoke.contexts[m.u.revoke.count++] = (uint16_t)shut->contexts[i];
  return hm_gate_send(link, &m);
}

/* What was taken back is not taken back again by the tick. */
static void forget_granted(struct hm_gate_link *link, const struct shut *shut)
{
  unsigned kept = 0;
  for (unsigned i = 0; i < link->granted_count; i++) {
    bool is_gone = false;
    for (unsigned k = 0; k < shut->count; k++)
      is_gone |= shut->contexts[k] == link->granted[i];
    if (!is_gone)
      link->granted[kept++] = link->granted[i];
  }
  link->granted_count = kept;
}

static int ascending(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

void hm_gates_shut(struct hm_core *core, struct hm_bound *bound, const uint64_t *contexts,
                   unsigned count, hm_shut_done done, void *user)
{
  struct shut *shut = g_new0(struct shut, 1);
  unsigned left = lease_left_ms(bound);
  shut->core = core;
  shut->bound = bound;
  shut->done = done;
  shut->user = user;
  for (unsigned i = 0; i < count && i < HM_LIVE_PAIRINGS; i++)
    shut->contexts[shut->count++] = contexts[i];
  qsort(shut->contexts, shut->count, sizeof shut->contexts[0], ascending);
  shut->result.had_grant = left > 0;
  if (core->gates == NULL) { /* stopping: every gate was told, every connection is closed */
    shut_answer(shut);
    return;
  }
  g_ptr_array_add(core->gates->shuts, shut);
  if (left == 0) {
    shut_answer(shut);
    return;
  }
  shut->timer = g_timeout_add(left, shut_finish, shut);
  if (bound->gate == NULL)
    return; /* gone, or of an earlier life: the lease ends the wait */
  forget_granted(bound->gate, shut);
  (void)send_revoke(bound->gate, shut);
}

static bool names_all(const struct hm_gate_message *closed, const struct shut *shut)
{
  for (unsigned i = 0; i < shut->count; i++) {
    bool is_named = false;
    for (uint32_t k = 0; k < closed->u.closed.count; k++)
      is_named |= closed->u.closed.contexts[k] == shut->contexts[i];
    if (!is_named)
      return false;
  }
  return true;
}

bool hm_gate_on_closed(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  GPtrArray *shuts = link->core->gates->shuts;
  if (m->u.closed.last_frame > link->bound->last_frame)
    link->bound->last_frame = m->u.closed.last_frame;
  /* Only the answer to a REVOKE counts. What a gate says unasked, when its lease ran out,
   * may cross a grant that opens it again. */
  if (m->u.closed.reason != HM_GATE_REVOKED)
    return true;
  for (guint i = 0; i < shuts->len; i++) {
    struct shut *shut = shuts->pdata[i];
    if (shut->is_over || shut->bound != link->bound || !names_all(m, shut))
      continue;
    shut->result.is_confirmed = true;
    shut->result.last_frame = m->u.closed.last_frame;
    shut_answer(shut);
  }
  return true;
}

/* ---- expiry
 * ------------------------------------------------------------------------------------------ */

static void take_back_expired(struct hm_core *core, struct hm_gate_link *link)
{
  static struct hm_gate_message now;
  uint64_t gone[HM_LIVE_PAIRINGS];
  unsigned count = 0;
  fill_grants(core, link->bound, &now);
  for (unsigned i = 0; i < link->granted_count; i++) {
    bool is_there = false;
    for (uint32_t k = 0; k < now.u.grant.count; k++)
      is_there |= now.u.grant.grants[k].context == link->granted[i];
    if (!is_there && count < HM_LIVE_PAIRINGS)
      gone[count++] = link->granted[i];
  }
  if (count > 0)
    hm_gates_shut(core, link->bound, gone, count, NULL, NULL);
}

void hm_grants_tick(struct hm_core *core)
{
  for (unsigned i = 0; i < core->registry.count; i++)
    if (core->registry.all[i]->gate != NULL)
      take_back_expired(core, core->registry.all[i]->gate);
}

void hm_grants_stop(struct hm_core *core)
{
  GPtrArray *shuts = core->gates->shuts;
  while (shuts->len > 0) {
    struct shut *shut = shuts->pdata[shuts->len - 1];
    if (shut->timer != 0)
      g_source_remove(shut->timer);
    (void)shut_finish(shut);
  }
}

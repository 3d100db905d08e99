/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Invariants: open iff there is at least one grant, and then reason is OPEN and
 * until_ns is at most 2 s after the last question was sent. Questions stand in a
 * small ring; order numbers rise, so "newer than the newest answered" is one
 * comparison and an overwritten question simply has no answer any more.
 */
#include "sensors/lease.h"

void hm_lease_init(struct hm_lease *lease)
{
  memset(lease, 0, sizeof *lease);
  lease->state = HM_LEASE_SHUT;
  lease->reason = HM_GATE_NOT_ASKED;
  lease->ask_now = true;
}

/* Keep the counters, forget what was granted. */
static void shut(struct hm_lease *lease, enum hm_gate_reason reason)
{
  lease->state = HM_LEASE_SHUT;
  lease->reason = reason;
  lease->count = 0;
}

static void forget_questions(struct hm_lease *lease)
{
  for (size_t i = 0; i < HM_LEASE_OUTSTANDING; i++)
    lease->questions[i].is_open = false;
  lease->ask_now = true;
}

static uint64_t ask_ns(const struct hm_lease *lease)
{
  return lease->state == HM_LEASE_OPEN ? HM_LEASE_ASK_NS : HM_LEASE_KNOCK_NS;
}

bool hm_lease_ask_due(const struct hm_lease *lease, uint64_t now_ns)
{
  return lease->ask_now || now_ns - lease->last_ask_ns >= ask_ns(lease);
}

uint64_t hm_lease_wait_ns(const struct hm_lease *lease, uint64_t now_ns)
{
  uint64_t due_ns = lease->ask_now ? now_ns : lease->last_ask_ns + ask_ns(lease);

  if (lease->state == HM_LEASE_OPEN && lease->until_ns < due_ns)
    due_ns = lease->until_ns;
  return due_ns > now_ns ? due_ns - now_ns : 0;
}

void hm_lease_ask(struct hm_lease *lease, const uint8_t nonce[HM_NONCE], uint64_t now_ns)
{
  struct hm_lease_question *q = &lease->questions[lease->asked % HM_LEASE_OUTSTANDING];

  lease->asked++;
  lease->ask_now = false;
  lease->last_ask_ns = now_ns;
  q->is_open = true;
  q->order = lease->asked;
  q->sent_ns = now_ns;
  memcpy(q->nonce, nonce, HM_NONCE);
}

/* The open question of this nonce, NULL if none. */
static struct hm_lease_question *question(struct hm_lease *lease, const uint8_t nonce[HM_NONCE])
{
  for (size_t i = 0; i < HM_LEASE_OUTSTANDING; i++)
    if (lease->questions[i].is_open && memcmp(lease->questions[i].nonce, nonce, HM_NONCE) == 0)
      return &lease->questions[i];
  return NULL;
}

enum hm_status hm_lease_answer(struct hm_lease *lease, const struct hm_gate_message *grant,
                               uint64_t now_ns)
{
  struct hm_lease_question *q = question(lease, grant->u.grant.nonce);

  if (q == NULL || q->order <= lease->answered || now_ns - q->sent_ns >= HM_LEASE_NS) {
    lease->stale++;
    return HM_STALE;
  }
  q->is_open = false;
  lease->answered = q->order;
  if (grant->u.grant.count == 0) {
    shut(lease, grant->u.grant.reason);
    return HM_OK;
  }
  lease->state = HM_LEASE_OPEN;
  lease->reason = HM_GATE_OPEN;
  lease->count = grant->u.grant.count;
  memcpy(lease->grants, grant->u.grant.grants, lease->count * sizeof lease->grants[0]);
  lease->until_ns = q->sent_ns + HM_LEASE_NS;
  return HM_OK;
}

static bool is_revoked(const struct hm_gate_message *revoke, uint64_t context)
{
  for (uint32_t i = 0; i < revoke->u.revoke.count; i++)
    if (revoke->u.revoke.contexts[i] == context)
      return true;
  return false;
}

bool hm_lease_revoke(struct hm_lease *lease, const struct hm_gate_message *revoke)
{
  uint32_t kept = 0;

  forget_questions(lease);
  if (lease->state != HM_LEASE_OPEN)
    return false;
  for (uint32_t i = 0; i < lease->count; i++)
    if (!is_revoked(revoke, lease->grants[i].context))
      lease->grants[kept++] = lease->grants[i];
  lease->count = kept;
  if (kept == 0)
    shut(lease, HM_GATE_REVOKED);
  return kept == 0;
}

void hm_lease_shut(struct hm_lease *lease, enum hm_gate_reason reason)
{
  forget_questions(lease);
  shut(lease, reason);
}

enum hm_status hm_lease_check(struct hm_lease *lease, uint64_t now_ns)
{
  if (lease->state != HM_LEASE_OPEN)
    return HM_DENIED;
  if (now_ns < lease->until_ns)
    return HM_OK;
  shut(lease, HM_GATE_LEASE_RAN_OUT);
  return HM_EXPIRED;
}

/* ---- the table, as it is printed and as the tests walk it ------------------------ */

static const struct hm_lease_row table[] = {
    {HM_LEASE_SHUT, HM_LEASE_GRANTED, HM_LEASE_OPEN, "open"},
    {HM_LEASE_SHUT, HM_LEASE_DENIED, HM_LEASE_SHUT, "the daemon's"},
    {HM_LEASE_SHUT, HM_LEASE_REVOKED_ONE, HM_LEASE_SHUT, "as before"},
    {HM_LEASE_SHUT, HM_LEASE_REVOKED_LAST, HM_LEASE_SHUT, "as before"},
    {HM_LEASE_SHUT, HM_LEASE_EXPIRED, HM_LEASE_SHUT, "as before"},
    {HM_LEASE_SHUT, HM_LEASE_LOST, HM_LEASE_SHUT, "no-daemon"},
    {HM_LEASE_OPEN, HM_LEASE_GRANTED, HM_LEASE_OPEN, "open"},
    {HM_LEASE_OPEN, HM_LEASE_DENIED, HM_LEASE_SHUT, "the daemon's"},
    {HM_LEASE_OPEN, HM_LEASE_REVOKED_ONE, HM_LEASE_OPEN, "open"},
    {HM_LEASE_OPEN, HM_LEASE_REVOKED_LAST, HM_LEASE_SHUT, "revoked"},
    {HM_LEASE_OPEN, HM_LEASE_EXPIRED, HM_LEASE_SHUT, "ran-out"},
    {HM_LEASE_OPEN, HM_LEASE_LOST, HM_LEASE_SHUT, "no-daemon"},
};

const struct hm_lease_row *hm_lease_table(size_t *count)
{
  *count = sizeof table / sizeof table[0];
  return table;
}

const char *hm_lease_state_name(enum hm_lease_state state)
{
  static const char *const names[HM_LEASE_STATES] = {"shut", "open"};

  return (unsigned)state < HM_LEASE_STATES ? names[state] : "unknown";
}

const char *hm_lease_input_name(enum hm_lease_input input)
{
  static const char *const names[HM_LEASE_INPUTS] = {
      "granted",           "denied",        "revoked, not the last",
      "revoked, the last", "grant ran out", "connection lost"};

  return (unsigned)input < HM_LEASE_INPUTS ? names[input] : "unknown";
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What bind, pair, revoke and start share: small objects that wait for one thing
 * after another on the main thread.
 */
#ifndef HM_SERVICES_DAEMON_OPERATIONS_H
#define HM_SERVICES_DAEMON_OPERATIONS_H

#include "services/daemon_gates.h"

/* ---- daemon_enforce.c: from a durable revocation to shut gates ------------------------ */
struct hm_enforced {
  unsigned gate_count;
  struct hm_core_gate_end gates[HM_PAIR_NAMES];
};
typedef void (*hm_enforce_done)(void *user, const struct hm_error *error,
                                const struct hm_enforced *result);
/* Entry number is a revocation, durable and taken in: shut the gates of what it
 * ended, record "effective" for each. done may be NULL. */
void hm_revocation_enforce(struct hm_core *core, uint64_t number, hm_enforce_done done, void *user);
/* At start: revocations without "effective" get it, by restart. */
void hm_revocations_settle(struct hm_core *core);
/* Local revocations that the authority has not heard of are told to it, then its
 * log is fetched. */
void hm_revocations_tell(struct hm_core *core);

/* ---- daemon_revoke.c ----------------------------------------------------------------- */
/* The LCT of bound is void: stop its pipeline, erase its keys and source string. */
void hm_retire(struct hm_core *core, struct hm_bound *bound);

/* ---- daemon_bind.c ----------------------------------------------------------------------- */
/* Measure the anchors of all bound sensors again; their pipelines start as they pass. */
void hm_anchors_check(struct hm_core *core);
/* keys/NAME.new of an interrupted bind: kept where the log has the entity, else erased. */
enum hm_status HM_MUST_CHECK hm_keys_settle(struct hm_core *core, struct hm_error *err);

/* ---- daemon_core.c ------------------------------------------------------------------------ */
/* Copy what is known of an entity. */
void hm_core_describe(struct hm_core *core, struct hm_bound *bound, struct hm_core_entity *out);
enum hm_health hm_bound_health(struct hm_core *core, const struct hm_bound *bound);
enum hm_flow hm_bound_flow(struct hm_core *core, const struct hm_bound *bound);
/* Give a bound sensor a slot of the writer, or take it back from one that is void. */
void hm_writer_slot(struct hm_core *core, struct hm_bound *bound);
void hm_writer_unslot(struct hm_core *core, struct hm_bound *bound);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The authority as the daemon hears it: one connection to authority.sock, questions
 * in order, answers verified under the pinned key. After each connect and once an
 * hour: hello (time), then the authority's log since what is held (revocations).
 * Nothing but bind and pair waits for it.
 */
#ifndef HM_SERVICES_DAEMON_LINK_H
#define HM_SERVICES_DAEMON_LINK_H

#include "services/authproto.h"
#include "services/daemon_state.h"

struct hm_held { /* newest checkpoint of the authority that was verified */
  uint64_t iat, size;
  uint8_t root[32];
};

/* answer is NULL where error is not HM_OK; its views die when the call returns. */
typedef void (*hm_link_done)(void *user, const struct hm_error *error,
                             const struct hm_auth_answer *answer);
typedef void (*hm_link_call)(void *user, const struct hm_error *error);

enum hm_status HM_MUST_CHECK hm_link_start(struct hm_core *core, struct hm_error *err);
void hm_link_stop(struct hm_core *core);
/* Ask; the question is encoded at once. done comes from the loop: UNREACHABLE at once
 * where nobody listens, TIMEOUT after 10 s. */
void hm_link_ask(struct hm_core *core, const struct hm_auth_question *question, hm_link_done done,
                 void *user);
/* Fetch what the authority's log has beyond what is held; new revocations are in our
 * log, and enforced, before done. */
void hm_link_sync(struct hm_core *core, hm_link_call done, void *user);
/* Is this place of the authority's log one with what is held? */
void hm_link_check_view(struct hm_core *core, const struct hm_log_view *view, hm_link_call done,
                        void *user);
bool hm_link_is_up(const struct hm_core *core);
uint64_t hm_link_heard_s(const struct hm_core *core);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The gate's lease: when a buffer may pass. Pure logic; the socket, the clock and
 * the nonces are the caller's, times are the gate's own CLOCK_BOOTTIME.
 *
 *   each second   hm_lease_ask     remember {nonce, when it was sent}
 *   GRANT         hm_lease_answer  the list holds until 2 s after that nonce was
 *                                  sent; an answer to a nonce not outstanding, or
 *                                  sent 2 s ago or more, is stale and ignored
 *   REVOKE        hm_lease_revoke  shortens the list; shut with the last one
 *   EOF, error    hm_lease_shut    shut at once; what was asked is forgotten
 *   each buffer   hm_lease_check   open, or shut and why
 *
 * No absolute time travels, so an answer that lay in the socket of a stopped
 * process opens nothing when it is read. An older nonce's answer never replaces
 * a newer one's: answers come in order or not at all. A REVOKE forgets the
 * questions that stand open, so no answer to an older question brings a revoked
 * context back, and makes a new one due at once, so what was not revoked flows on.
 */
#ifndef HM_SENSORS_LEASE_H
#define HM_SENSORS_LEASE_H

#include "sensors/gate.h"

enum { HM_LEASE_OUTSTANDING = 4 };

#define HM_LEASE_NS UINT64_C(2000000000)      /* a grant's life from its question */
#define HM_LEASE_ASK_NS UINT64_C(1000000000)  /* from one question to the next while open */
#define HM_LEASE_KNOCK_NS UINT64_C(250000000) /* while shut: a new pairing flows soon */

enum hm_lease_state { HM_LEASE_SHUT, HM_LEASE_OPEN, HM_LEASE_STATES };

/* What happened to it, for the table and for messages. */
enum hm_lease_input {
  HM_LEASE_GRANTED,
  HM_LEASE_DENIED,
  HM_LEASE_REVOKED_ONE,
  HM_LEASE_REVOKED_LAST,
  HM_LEASE_EXPIRED,
  HM_LEASE_LOST,
  HM_LEASE_INPUTS
};

struct hm_lease_question {
  bool is_open;
  uint8_t nonce[HM_NONCE];
  uint64_t sent_ns;
  uint64_t order; /* counts questions */
};

struct hm_lease {
  enum hm_lease_state state;
  enum hm_gate_reason reason; /* HM_GATE_OPEN iff open */
  uint32_t count;
  struct hm_gate_grant grants[HM_GATE_CONTEXTS];
  uint64_t until_ns; /* valid while open */
  uint64_t asked;    /* questions so far */
  uint64_t answered; /* order of the newest question answered */
  bool ask_now;      /* a question is due whatever the time */
  uint64_t last_ask_ns;
  struct hm_lease_question questions[HM_LEASE_OUTSTANDING];
  uint64_t stale; /* answers ignored */
};

/* Shut, not asked. */
void hm_lease_init(struct hm_lease *lease);

/* Whether a question is due: none yet, one second since the last, or a quarter of one
 * while shut. */
bool hm_lease_ask_due(const struct hm_lease *lease, uint64_t now_ns);

/* Nanoseconds until something is due without a packet: the next question, or the
 * end of the grant. 0 if it is overdue. */
uint64_t hm_lease_wait_ns(const struct hm_lease *lease, uint64_t now_ns);

/* Remember a question sent now. The oldest outstanding one is forgotten. */
void hm_lease_ask(struct hm_lease *lease, const uint8_t nonce[HM_NONCE], uint64_t now_ns);

/* Take a GRANT message. HM_STALE if it is ignored. */
enum hm_status HM_MUST_CHECK hm_lease_answer(struct hm_lease *lease,
                                             const struct hm_gate_message *grant, uint64_t now_ns);

/* Take a REVOKE message: these contexts are over. Returns true if it shut. */
bool hm_lease_revoke(struct hm_lease *lease, const struct hm_gate_message *revoke);

/* Shut for a reason of the gate's own; the questions are forgotten. */
void hm_lease_shut(struct hm_lease *lease, enum hm_gate_reason reason);

/* HM_OK: a buffer may pass now. HM_EXPIRED: the lease ran out just now or earlier.
 * HM_DENIED: shut, lease->reason says why. */
enum hm_status HM_MUST_CHECK hm_lease_check(struct hm_lease *lease, uint64_t now_ns);

/* The state table as rows "state input -> state reason", for `hallmark spec gate`
 * and docs/spec: what hm_lease_* do. */
struct hm_lease_row {
  enum hm_lease_state from;
  enum hm_lease_input input;
  enum hm_lease_state to;
  const char *reason; /* what the property "reason" then says */
};
const struct hm_lease_row *hm_lease_table(size_t *count);
const char *hm_lease_state_name(enum hm_lease_state state);
const char *hm_lease_input_name(enum hm_lease_input input);

#endif

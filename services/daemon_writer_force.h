/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is in force, read from the control log entry by entry. A completion puts a
 * pairing in force, a revocation (of it, of its pairing id, of a binding or an LCT it
 * rests on) or its expiry ends it. The writer's own memory of the log; heads write it
 * down as the live set.
 */
#ifndef HM_SERVICES_DAEMON_WRITER_FORCE_H
#define HM_SERVICES_DAEMON_WRITER_FORCE_H

#include "memory/log.h"
#include "trust/checkpoint.h"

struct hm_known_pairing {
  uint8_t certificate[32];
  uint8_t id[16];
  uint8_t partner[32];
  uint64_t context;
  uint32_t operations, data_types; /* bit n = code n */
  uint64_t nbf, exp;
  uint64_t completion; /* cN, 0 = not yet */
  bool is_ended;       /* revoked */
};

struct hm_known_binding {
  uint8_t certificate[32];
  uint8_t lct[32];
};

struct hm_force {
  const struct hm_crypto *crypto;
  uint8_t host[32];
  struct hm_known_pairing *pairings; /* of this host */
  size_t pairing_count, pairing_cap;
  struct hm_known_binding *bindings;
  size_t binding_count, binding_cap;
  uint8_t (*ended)[32]; /* LCT ids that were revoked */
  size_t ended_count, ended_cap;
};

void hm_force_init(struct hm_force *force, const struct hm_crypto *c, const uint8_t host[32]);
void hm_force_free(struct hm_force *force);

/* Whether an entry puts something in force or ends it: the waiting batch goes first. */
bool hm_force_matters(struct hm_bytes object);
/* Entry `number` stands in the log now. Entries that cannot be read are HM_DAMAGED. */
enum hm_status HM_MUST_CHECK hm_force_apply(struct hm_force *force, struct hm_bytes object,
                                            uint64_t number);
/* Apply all of a log. */
enum hm_status HM_MUST_CHECK hm_force_replay(struct hm_force *force, struct hm_log *log);

/* When a batch and its records were: a pairing must have begun by the earlier and not
 * have expired by the later. Without trust time (is_known false) neither is judged. */
struct hm_force_time {
  uint64_t from_s;  /* iat of the batch */
  uint64_t until_s; /* the latest of iat and arrivals */
  bool is_known;
};

/* Pairings of a partner that allow observing and are in force, the newest of each
 * context, ascending by context, at most cap; returns how many. */
size_t hm_force_of(const struct hm_force *force, const uint8_t partner[32],
                   struct hm_force_time time, const struct hm_known_pairing **found, size_t cap);
/* Why a partner has none: HM_REVOKED, HM_EXPIRED, or HM_DENIED: never paired so. */
enum hm_status hm_force_why_none(const struct hm_force *force, const uint8_t partner[32]);

/* The live set at iat, encoded: *len bytes of set. */
enum hm_status HM_MUST_CHECK hm_force_live(const struct hm_force *force, uint64_t iat, uint8_t *set,
                                           size_t cap, size_t *len);

#endif

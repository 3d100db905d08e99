/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the authority knows: entities, pairings, revocations. The registry is a view of
 * the authority's log and of nothing else: every entry, replayed at start or appended
 * now, goes through hm_registry_take, so what a restart would know is what is known.
 *
 *   65001  an entity, found by LCT (its newest binding) and by the name of any binding
 *   65002  a pairing: issued
 *   65020  completion: stands; failed: burnt; modification: superseded
 *   65021  a revocation, numbered and chained: ends an entity or a pairing
 *
 * No secret is in it.
 */
#ifndef HM_SERVICES_AUTHORITY_REGISTRY_H
#define HM_SERVICES_AUTHORITY_REGISTRY_H

#include "memory/log.h"
#include "services/message.h"
#include "trust/revocation.h"

enum { HM_REGISTRY_ENTITIES = 16384, HM_REGISTRY_PAIRINGS = 65536 };

struct hm_registered {
  struct hm_entity facts;
  uint64_t entry; /* number of its binding in the log */
  bool is_revoked;
};

enum hm_stage {
  HM_STAGE_ISSUED,   /* certificate out, completions awaited */
  HM_STAGE_COMPLETE, /* it stands */
  HM_STAGE_FAILED,   /* burnt */
  HM_STAGE_REVOKED,
  HM_STAGE_SUPERSEDED
};
const char *hm_stage_text(enum hm_stage stage);

/* A completion that waits for the other side's. */
struct hm_waiting {
  size_t len[2];
  uint8_t object[2][HM_CERTIFICATE_MAX];
};

struct hm_registered_pairing {
  uint8_t name[32];
  uint8_t id[16];
  uint16_t kid;
  uint16_t context;
  char context_name[HM_TEXT_MAX + 1]; /* "" unless a custom context */
  uint8_t entities[2][32];
  uint64_t iat, exp, receipt_within;
  enum hm_stage stage;
  uint64_t entry;         /* of the certificate */
  uint64_t receipt_entry; /* of the receipt that completed or failed it, 0 = none */
  bool has_supersedes;
  uint8_t supersedes[32];
  uint64_t issued_ns; /* boottime, 0 where this process did not issue it */
  struct hm_waiting *waiting;
};

struct hm_registered_revocation {
  struct hm_revocation facts;
  uint8_t name[32];
  uint64_t entry;
};

struct hm_registry;

struct hm_registry *hm_registry_new(void);
void hm_registry_free(struct hm_registry *r);

/* Take one entry: its signature under the authority's point, what it contains, and that
 * it follows from what is known (the host of a hosted entity, the revocation before).
 * HM_DAMAGED with the entry's number otherwise; HM_FULL over the limits above. */
enum hm_status HM_MUST_CHECK hm_registry_take(struct hm_registry *r, const struct hm_crypto *c,
                                              const uint8_t authority[64], uint64_t number,
                                              struct hm_bytes object, struct hm_error *err);

/* ---- asking; NULL where there is none ------------------------------------------------ */
struct hm_registered *hm_registry_entity(const struct hm_registry *r, const uint8_t lct[32]);
/* By the name of any of its binding certificates. */
struct hm_registered *hm_registry_binding(const struct hm_registry *r, const uint8_t name[32]);
bool hm_registry_has_challenge(const struct hm_registry *r, const uint8_t challenge[16]);
struct hm_registered_pairing *hm_registry_pairing(const struct hm_registry *r,
                                                  const uint8_t name[32]);
/* The newest revocation that names this certificate, LCT or (may be NULL) pairing id. */
const struct hm_registered_revocation *hm_registry_revocation(const struct hm_registry *r,
                                                              const uint8_t name[32],
                                                              const uint8_t pairing_id[16]);
/* Revocation number n, 1 .. hm_registry_revocations. */
const struct hm_registered_revocation *hm_registry_revocation_at(const struct hm_registry *r,
                                                                 uint64_t number);
uint64_t hm_registry_revocations(const struct hm_registry *r);

/* Newest iat given to these two (either order) in this context; 0 = none. */
uint64_t hm_registry_last_iat(const struct hm_registry *r, const uint8_t entities[2][32],
                              uint64_t context, const char *context_name);
/* Pairings of the two in the context that stand at `now`. */
size_t hm_registry_live(const struct hm_registry *r, const uint8_t entities[2][32],
                        uint64_t context, const char *context_name, uint64_t now);
/* Is the KID taken by an unexpired pairing of either entity? */
bool hm_registry_has_kid(const struct hm_registry *r, const uint8_t entities[2][32], uint16_t kid,
                         uint64_t now);
/* iat of the newest entry that has one: the authority's clock may not be behind it. */
uint64_t hm_registry_newest_iat(const struct hm_registry *r);

/* All, in the order of the log. */
size_t hm_registry_entity_count(const struct hm_registry *r);
const struct hm_registered *hm_registry_entity_at(const struct hm_registry *r, size_t i);
size_t hm_registry_pairing_count(const struct hm_registry *r);
struct hm_registered_pairing *hm_registry_pairing_at(const struct hm_registry *r, size_t i);

#endif

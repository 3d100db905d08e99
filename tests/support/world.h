/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A small world with real keys: an authority with its log, a host, a camera, a pairing
 * of the two, a session key. Everything is deterministic, so files can be compared.
 * Functions fail the running test where something cannot be made.
 */
#ifndef HM_TESTS_WORLD_H
#define HM_TESTS_WORLD_H

#include "trust/crypto_openssl.h"
#include "trust/proof.h"

enum { WORLD_LOG_MAX = 64, WORLD_T0 = 1764000000 };

struct world_key {
  struct hm_software_key storage;
  struct hm_signer signer;
  uint8_t agree[64];
  uint8_t agree_scalar[32];
};

/* One object in a buffer of its own. */
struct world_object {
  uint8_t data[HM_SIGN1_MAX];
  size_t len;
};

struct world {
  struct world_key authority, host, camera, session;
  /* the authority's log: leaves so far */
  uint8_t leaves[WORLD_LOG_MAX][32];
  size_t log_size;
  struct world_object host_binding, camera_binding, pairing, completion_0, completion_1, receipt,
      session_object;
  struct hm_entity host_entity, camera_entity;
  struct hm_pairing pairing_facts; /* views into pairing */
  uint64_t now;
  uint32_t operations; /* how many of observe, remember, train the next pairings allow: 2 */
  uint64_t fresh;      /* of the next pairings */
};

/* A session key certified from w->now for a day: fills session_object. */
void world_session(struct world *w);

/* seed chooses the keys: two worlds of different seeds share none. */
void world_make(struct world *w, uint8_t seed);
void world_key_make(struct world_key *key, uint8_t seed, uint8_t index);

/* A binding certificate by the authority; host NULL: class A of type host. */
void world_bind(struct world *w, const struct world_key *entity, const struct world_key *host,
                struct world_object *out, struct hm_entity *facts);
/* The binding of an encoder with keys of its own; facts->encoder is its hash. */
void world_bind_encoder(struct world *w, const struct world_key *entity, struct world_object *out,
                        struct hm_entity *facts);
/* Pairing of two keys in a context with its completions and receipt. */
void world_pair(struct world *w, const struct world_key *a, const struct world_key *b,
                uint64_t context, uint8_t id, struct world_object *pairing,
                struct world_object *completion_0, struct world_object *completion_1,
                struct world_object *receipt);
/* A log proof of a certificate: appends its leaf to the authority's log first. */
size_t world_log_proof(struct world *w, const struct world_object *certificate, uint8_t *out,
                       size_t cap);
/* Revocation number `number` of a name by the authority. */
void world_revoke(struct world *w, uint64_t number, uint64_t iat, const uint8_t certificate[32],
                  const uint8_t previous[32], struct world_object *out);

static inline struct hm_bytes world_bytes(const struct world_object *o)
{
  return hm_bytes(o->data, o->len);
}

#endif

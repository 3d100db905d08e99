/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Batches: one signature for up to 1024 records. A batch is a tree of leaves, and its
 * receipt (65028) is an RFC 9942 receipt whose detached payload is the root:
 *
 *   leaf 0            batch facts
 *   leaf 1..s         sensor facts, ascending by LCT, one a sensor
 *   leaf s+1..s+n     records first .. first + n - 1
 *
 * Every leaf begins with 16 random bytes of its own, so a pruned one cannot be guessed.
 * Sizes and indices come from the signed claims, never from a proof.
 */
#ifndef HM_TRUST_BATCH_H
#define HM_TRUST_BATCH_H

#include "trust/checkpoint.h"

enum {
  HM_BATCH_LEAVES = 1 + HM_BATCH_SENSORS + HM_BATCH_RECORDS,
  HM_BATCH_PATH = 11,
  HM_PROOF_BYTES_MAX = 512,   /* of one inclusion proof */
  HM_BATCH_PROOF_MAX = 524288 /* of a batch receipt with proofs */
};

/* [context, pairing certificate name]; lists ascend by context, one each. */
struct hm_pairing_use {
  uint64_t context;
  uint8_t certificate[32];
};
extern const struct hm_shape hm_shape_pairing_use;
/* [LCT, cN of its binding] */
struct hm_sensor_ref {
  uint8_t lct[32];
  uint64_t control;
};
extern const struct hm_shape hm_shape_sensor_ref;

/* ---- signed claims of a batch receipt ------------------------------------------------- */
struct hm_batch_claims {
  uint64_t iat;
  uint64_t number; /* rN */
  uint64_t quality;
  uint8_t previous[32]; /* name of the batch before, zeros for r1 */
  struct hm_revocation_view revocations;
  uint64_t first;        /* number of its first record */
  uint64_t count;        /* records */
  uint64_t control_size; /* entries durable when it was signed */
  uint64_t sensors;      /* sensor leaves */
};
extern const struct hm_shape hm_shape_batch_claims;
static inline uint64_t hm_batch_tree_size(const struct hm_batch_claims *claims)
{
  return 1 + claims->sensors + claims->count;
}

/* Sign a batch: claims and root; no proofs in it. */
enum hm_status HM_MUST_CHECK hm_batch_make(const struct hm_crypto *c,
                                           const struct hm_signer *signer,
                                           const struct hm_batch_claims *claims,
                                           const uint8_t root[32], struct hm_out *out);
/* Open a receipt without proofs (as a store keeps it) whose root is known. */
enum hm_status HM_MUST_CHECK hm_batch_open(const struct hm_crypto *c, struct hm_bytes object,
                                           const uint8_t point[64], const uint8_t root[32],
                                           struct hm_batch_claims *claims, uint8_t name[32]);
/* Parse and decode claims only; nothing verified. kid: the session key's thumbprint. */
enum hm_status HM_MUST_CHECK hm_batch_peek(struct hm_bytes object, bool allow_proof,
                                           struct hm_sign1 *sign1, struct hm_batch_claims *claims);

/* ---- leaf 0 ------------------------------------------------------------------------------ */
struct hm_batch_facts {
  uint8_t blind[16];
  uint64_t number;
  uint8_t previous[32];
  uint64_t count, control_size, sensors;
  uint64_t first_arrival, last_arrival; /* ns; 0 and 0 in a batch without records */
  uint8_t session_key[32];              /* = kid */
};
extern const struct hm_shape hm_shape_batch_facts;
enum hm_status HM_MUST_CHECK hm_batch_facts_decode(struct hm_bytes leaf,
                                                   struct hm_batch_facts *facts);
enum hm_status HM_MUST_CHECK hm_batch_facts_encode(const struct hm_batch_facts *facts,
                                                   struct hm_out *out);
/* HM_MISMATCH where facts and claims, or kid, differ; where names the field. */
enum hm_status HM_MUST_CHECK hm_batch_facts_match(const struct hm_batch_facts *facts,
                                                  const struct hm_batch_claims *claims,
                                                  const uint8_t kid[32], struct hm_where *where);

/* ---- sensor leaf --------------------------------------------------------------------------- */
enum { HM_PAIRING_USES = 4 };
struct hm_sensor_facts {
  uint8_t blind[16];
  struct hm_sensor_ref sensor;
  bool has_pairings;
  uint32_t pairing_count;
  struct hm_pairing_use pairings[HM_PAIRING_USES];
  uint64_t passed;
  uint32_t dropped_count; /* trailing zeros left out */
  uint64_t dropped[HM_DROP_COUNT];
  uint64_t late, unauthorized;
  uint64_t state;                                        /* enum hm_sensor_state */
  bool has_first_frame, has_last_frame, has_peripherals; /* iff passed > 0 */
  uint64_t first_frame, last_frame;
  uint8_t peripherals[32]; /* SHA-256 over all peripheral records between them */
};
extern const struct hm_shape hm_shape_sensor_facts;
enum hm_status HM_MUST_CHECK hm_sensor_facts_decode(struct hm_bytes leaf,
                                                    struct hm_sensor_facts *facts);
enum hm_status HM_MUST_CHECK hm_sensor_facts_encode(const struct hm_sensor_facts *facts,
                                                    struct hm_out *out);

/* ---- inclusion proofs inside the receipt (header 396) ------------------------------------------
 */
struct hm_inclusion_proof {
  uint64_t size, index;
  uint32_t count;
  uint8_t hash[HM_BATCH_PATH][32];
};
extern const struct hm_shape hm_shape_inclusion_proof;
/* The receipt of a store with proofs for the leaves of indices (ascending, leaf 0
 * first) put into its unprotected header. leaves: hashes of all leaves. */
enum hm_status HM_MUST_CHECK hm_batch_with_proofs(const struct hm_crypto *c,
                                                  struct hm_bytes receipt,
                                                  const uint8_t (*leaves)[32], size_t leaf_count,
                                                  const uint32_t *indices, size_t count,
                                                  struct hm_out *out);
/* Walk the proofs of a receipt's unprotected header; ascending by index, at least one. */
struct hm_proof_cursor {
  struct hm_cbor c;
  size_t left;
  bool started;
  uint64_t last;
};
enum hm_status HM_MUST_CHECK hm_batch_proofs_begin(struct hm_bytes unprotected,
                                                   struct hm_proof_cursor *cursor);
/* HM_NOT_FOUND at the end (and nothing may follow). */
enum hm_status HM_MUST_CHECK hm_batch_proofs_next(struct hm_proof_cursor *cursor,
                                                  struct hm_inclusion_proof *proof);
/* The root a leaf hash and its proof lead to; index and size as given by the caller. */
enum hm_status HM_MUST_CHECK hm_batch_proof_root(const struct hm_crypto *c,
                                                 const struct hm_inclusion_proof *proof,
                                                 const uint8_t leaf[32], uint8_t root[32]);

#endif

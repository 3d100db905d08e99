/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The authority's side of a pairing (P2): two halves, a seed, a nonce; each entity's
 * half and the seed encrypted to its agreement key, the handshake section under the
 * key that only both halves give, and the certificate over the hashes of all three.
 * When the call returns the authority knows none of it any more: the randomness it
 * was given is wiped too.
 */
#ifndef HM_TRUST_PAIRING_ISSUE_H
#define HM_TRUST_PAIRING_ISSUE_H

#include "trust/pairing.h"

enum { HM_SECTION_MAX = 512 };

/* Fresh bytes for one pairing, all from the caller's generator. */
struct hm_issue_random {
  uint8_t half[2][32];
  uint8_t seed[32];
  uint8_t nonce[16];
  uint8_t ephemeral[2][48]; /* of the two sections */
  uint8_t iv[3][12];        /* section A, section B, handshake */
};

/* What the authority decided. policy carries pairing id, kid, entities and all that is
 * granted; agree are the agreement points of entities[0] and [1]. */
struct hm_issue {
  uint64_t exp, nbf, iat;
  bool has_supersedes;
  uint8_t supersedes[32];
  const struct hm_policy *policy;
  uint8_t agree[2][64];
  struct hm_bytes callback; /* text 1..64: where the authority answers */
};

/* What is sent: the certificate to both, each section to its side, the handshake
 * section to both. */
struct hm_issued {
  uint8_t certificate[HM_CERTIFICATE_MAX];
  size_t certificate_len;
  uint8_t section[2][HM_SECTION_MAX];
  size_t section_len[2];
  uint8_t handshake[HM_SECTION_MAX];
  size_t handshake_len;
  uint8_t name[32]; /* of the certificate */
};

/* Make P2. HM_MISMATCH where both halves or both agreement keys are equal. random is
 * wiped on every path. */
enum hm_status HM_MUST_CHECK hm_pairing_issue(const struct hm_crypto *c,
                                              const struct hm_signer *authority,
                                              const struct hm_issue *issue,
                                              struct hm_issue_random *random,
                                              struct hm_issued *out);

/* The partner's binding for one side: see hm_pair_partner_open. random: 48 fresh bytes,
 * iv: 12. */
enum hm_status HM_MUST_CHECK hm_pairing_partner(const struct hm_crypto *c,
                                                const uint8_t agreement_point[64],
                                                const uint8_t random[48], const uint8_t iv[12],
                                                const uint8_t pairing_name[32],
                                                struct hm_bytes binding, struct hm_bytes log_proof,
                                                struct hm_out *out);

/* The question before P9: are these the two completions of this
 * certificate? Verifies both under the keys of entities[0] and [1], same transcript
 * and nonce, the pairing id; names by role. */
enum hm_status HM_MUST_CHECK hm_pairing_judge(const struct hm_crypto *c,
                                              const struct hm_policy *policy,
                                              const uint8_t key_a[64], const uint8_t key_b[64],
                                              const struct hm_bytes completion[2],
                                              uint8_t name[2][32]);

#endif

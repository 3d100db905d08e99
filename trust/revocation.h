/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Revocations (65021) in their two bodies: the authority's, numbered and chained by
 * the name of the one before; and a host's local ones, for its own pairings only.
 */
#ifndef HM_TRUST_REVOCATION_H
#define HM_TRUST_REVOCATION_H

#include "trust/receipt.h"

struct hm_revocation {
  uint64_t iat;
  bool is_local;   /* which body; not a field of it */
  uint64_t number; /* authority only, from 1 */
  bool has_pairing_id, has_evidence, has_previous, has_since;
  uint8_t pairing_id[16];  /* ends every certificate of that pairing */
  uint8_t certificate[32]; /* name of a binding or a pairing, or an LCT id */
  uint32_t evidence_count; /* local only: further names that end with it, ascending */
  uint8_t evidence[HM_EVIDENCE_MAX][32];
  uint64_t reason;
  uint8_t previous[32]; /* authority only: name of number - 1; iff number > 1 */
  uint64_t since;       /* not trusted from then on, also before iat */
};
extern const struct hm_shape hm_shape_revocation;
extern const struct hm_shape hm_shape_local_revocation;

/* value->is_local chooses the body. */
enum hm_status HM_MUST_CHECK hm_revocation_make(const struct hm_crypto *c,
                                                const struct hm_signer *signer,
                                                const struct hm_revocation *value,
                                                struct hm_out *out);
/* The body is recognised by its labels; whether the signer may use it is the
 * caller's: numbered ones are the authority's, local ones the host's. */
enum hm_status HM_MUST_CHECK hm_revocation_open(const struct hm_crypto *c, struct hm_bytes object,
                                                const uint8_t point[64],
                                                struct hm_revocation *value, uint8_t name[32]);
/* Does it name this certificate, LCT id or (pairing_id may be NULL) pairing? */
bool hm_revocation_names(const struct hm_revocation *value, const uint8_t name[32]);
bool hm_revocation_ends_pairing(const struct hm_revocation *value, const uint8_t certificate[32],
                                const uint8_t pairing_id[16]);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The key schedule of a pairing of classes A and H: pure functions from secrets to
 * keys, HKDF-SHA-256 throughout.
 *
 *   X(prk, label, ctx, n) = HKDF-Expand(prk, "hallmark/1 " || label || 0x00 || ctx, n)
 *
 *   cert_hash = name of the pairing certificate      A = entities[0], B = entities[1]
 *   P0 = Extract(cert_hash, seed)                    (K_seed, iv)_dir = X(P0, "seed", dir, 44)
 *   P1 = Extract(policy hash, half_A || half_B)      K_shake = X(P1, "handshake", "", 32)
 *   TH = SHA-256(cert_hash || M_A || M_B)            M = half || ephemeral x, y
 *   PS = Extract(TH, half_A || half_B || L)          L = x of ECDH(ephemerals)
 *   conf_role = X(PS, "confirm", role || TH, 16)
 *   (key, iv) = X(PS, "rec", protection || dir || kid(2) || epoch || ctx_e, 44)
 *
 * dir and role: 0 = A, 1 = B. ctx_e is TH in epoch 1. Every ctx has one length per
 * label and integers are big-endian, so no two uses share an info. What these
 * functions give is secret but for TH and conf: the caller wipes it.
 */
#ifndef HM_TRUST_SCHEDULE_H
#define HM_TRUST_SCHEDULE_H

#include "trust/crypto.h"

enum { HM_CONFIRM = 16, HM_HALF_MESSAGE = 96, HM_RECORD_KEY = 44 };

/* A key of sealed records with the iv that each nonce is made from. */
struct hm_record_key {
  uint8_t key[32];
  uint8_t iv[12];
};

/* X of the schedule; label is a text of ours, at most 16 letters. */
enum hm_status HM_MUST_CHECK hm_schedule_expand(const struct hm_crypto *c, const uint8_t prk[32],
                                                const char *label, struct hm_bytes ctx,
                                                uint8_t *out, size_t len);

/* The seed keys of both directions: out[0] seals A's record, out[1] B's. */
enum hm_status HM_MUST_CHECK hm_schedule_seed(const struct hm_crypto *c,
                                              const uint8_t cert_hash[32], const uint8_t seed[32],
                                              struct hm_record_key out[2]);

/* K_shake, which opens the handshake section. It hangs on the policy and not on the
 * certificate, because the certificate states the hash of that section. */
enum hm_status HM_MUST_CHECK hm_schedule_handshake(const struct hm_crypto *c,
                                                   const uint8_t policy_hash[32],
                                                   const uint8_t half_a[32],
                                                   const uint8_t half_b[32], uint8_t key[32]);

/* TH over the two plaintexts half || ephemeral. */
enum hm_status HM_MUST_CHECK hm_schedule_transcript(const struct hm_crypto *c,
                                                    const uint8_t cert_hash[32],
                                                    const uint8_t message_a[HM_HALF_MESSAGE],
                                                    const uint8_t message_b[HM_HALF_MESSAGE],
                                                    uint8_t transcript[32]);

/* PS, the only secret a complete pairing keeps. */
enum hm_status HM_MUST_CHECK hm_schedule_pairing(const struct hm_crypto *c,
                                                 const uint8_t transcript[32],
                                                 const uint8_t half_a[32], const uint8_t half_b[32],
                                                 const uint8_t shared[32], uint8_t secret[32]);

/* The confirmation value of a role. */
enum hm_status HM_MUST_CHECK hm_schedule_confirm(const struct hm_crypto *c,
                                                 const uint8_t secret[32], uint8_t role,
                                                 const uint8_t transcript[32],
                                                 uint8_t confirm[HM_CONFIRM]);

/* Which records a key seals. */
struct hm_record_use {
  uint8_t protection; /* 1 exchange, 2 pairing */
  uint8_t dir;        /* 0: A seals, 1: B seals */
  uint16_t kid;
  uint8_t epoch;       /* 1..255 */
  uint8_t context[32]; /* TH in epoch 1, nI || nR of the L4 that opened a later one */
};
enum hm_status HM_MUST_CHECK hm_schedule_record(const struct hm_crypto *c, const uint8_t secret[32],
                                                const struct hm_record_use *use,
                                                struct hm_record_key *out);

#endif

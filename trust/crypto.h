/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The crypto seam: one const table of functions per engine (OpenSSL 3 in
 * trust/crypto_openssl.c; BearSSL and on-chip engines in mcu/). Everything above
 * it is engine-free. Randomness is always an argument: no function here draws
 * any. P-256 points are 64 bytes x || y, scalars 32 bytes big-endian, signatures
 * r || s. Curve arithmetic, AES and SHA-256 of an engine must be constant-time
 * in secrets.
 */
#ifndef HM_TRUST_CRYPTO_H
#define HM_TRUST_CRYPTO_H

#include "trust/bytes.h"

struct hm_crypto {
  const char *name;
  /* SHA-256 over the concatenation of count parts. */
  enum hm_status (*sha256)(const struct hm_bytes *parts, size_t count, uint8_t out[32]);
  /* HMAC-SHA-256; key of any length. */
  enum hm_status (*hmac)(struct hm_bytes key, const struct hm_bytes *parts, size_t count,
                         uint8_t out[32]);
  /* AES-256-GCM, 96-bit iv. seal writes plain.len + tag_len bytes; open writes
   * sealed.len - tag_len bytes and wipes them again on HM_BAD_TAG. tag_len is 16 or 8. */
  enum hm_status (*gcm_seal)(const uint8_t key[32], const uint8_t iv[12], struct hm_bytes aad,
                             struct hm_bytes plain, size_t tag_len, uint8_t *out);
  enum hm_status (*gcm_open)(const uint8_t key[32], const uint8_t iv[12], struct hm_bytes aad,
                             struct hm_bytes sealed, size_t tag_len, uint8_t *out);
  /* Public point of a scalar; HM_MALFORMED where the scalar is 0 or >= n. */
  enum hm_status (*p256_public)(const uint8_t scalar[32], uint8_t point[64]);
  /* HM_OK iff the point is on the curve and not infinity, else HM_MALFORMED. */
  enum hm_status (*p256_check)(const uint8_t point[64]);
  /* x coordinate of scalar * point; checks the point. */
  enum hm_status (*p256_ecdh)(const uint8_t scalar[32], const uint8_t point[64], uint8_t x[32]);
  /* ECDSA with the per-signature scalar k given (RFC 6979 in trust/crypto.c).
   * HM_MALFORMED where k yields r = 0 or s = 0. May return either twin of s. */
  enum hm_status (*p256_sign_k)(const uint8_t scalar[32], const uint8_t k[32],
                                const uint8_t digest[32], uint8_t signature[64]);
  /* Any valid ECDSA signature, high s too; HM_BAD_SIGNATURE otherwise. */
  enum hm_status (*p256_verify)(const uint8_t point[64], const uint8_t digest[32],
                                const uint8_t signature[64]);
};

/* Who signs: a file key (deterministic), a session key, a token. kid is the COSE
 * Key Thumbprint of the public key. sign gets a SHA-256 digest and gives a low-s
 * signature. */
struct hm_signer {
  enum hm_status (*sign)(void *key, const uint8_t digest[32], uint8_t signature[64]);
  void *key;
  uint8_t point[64];
  uint8_t kid[32];
};

/* HKDF-SHA-256 (RFC 5869). expand: out_len <= 8160, info by parts (<= 6 parts). */
enum hm_status HM_MUST_CHECK hm_hkdf_extract(const struct hm_crypto *c, struct hm_bytes salt,
                                             const struct hm_bytes *ikm, size_t count,
                                             uint8_t prk[32]);
enum hm_status HM_MUST_CHECK hm_hkdf_expand(const struct hm_crypto *c, struct hm_bytes prk,
                                            const struct hm_bytes *info, size_t count, uint8_t *out,
                                            size_t out_len);

/* Deterministic ECDSA (RFC 6979, SHA-256), normalised to low s. */
enum hm_status HM_MUST_CHECK hm_es256_sign(const struct hm_crypto *c, const uint8_t scalar[32],
                                           const uint8_t digest[32], uint8_t signature[64]);
/* The profile's verification: refuses high s (HM_BAD_SIGNATURE) before the curve is touched. */
enum hm_status HM_MUST_CHECK hm_es256_verify(const struct hm_crypto *c, const uint8_t point[64],
                                             const uint8_t digest[32], const uint8_t signature[64]);
/* s <= n/2. */
bool hm_es256_is_low_s(const uint8_t signature[64]);

/* A scalar in 1..n-1 from 48 random bytes (FIPS 186-5 A.2.1: mod n - 1, plus 1);
 * the public point goes to point. */
enum hm_status HM_MUST_CHECK hm_p256_generate(const struct hm_crypto *c, const uint8_t random[48],
                                              uint8_t scalar[32], uint8_t point[64]);

/* COSE Key Thumbprint (RFC 9679): SHA-256 of the deterministic {1:2, -1:1, -2:x, -3:y}.
 * Of a signing key this is the entity's LCT id. */
enum hm_status HM_MUST_CHECK hm_key_thumbprint(const struct hm_crypto *c, const uint8_t point[64],
                                               uint8_t id[32]);

/* A signer over a software scalar. key_storage must outlive the signer and is the
 * caller's to wipe. */
struct hm_software_key {
  const struct hm_crypto *crypto;
  uint8_t scalar[32];
};
enum hm_status HM_MUST_CHECK hm_signer_from_scalar(const struct hm_crypto *c,
                                                   const uint8_t scalar[32],
                                                   struct hm_software_key *key_storage,
                                                   struct hm_signer *out);

#endif

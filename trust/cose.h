/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * COSE (RFC 9052) as profile 1 narrows it: COSE_Sign1 with ES256 low-s and typ
 * (RFC 9596), COSE_Encrypt with one ECDH-ES + HKDF-256 recipient, COSE_Encrypt0,
 * A256GCM. docs/spec says the exact bytes.
 *
 * An object's NAME is SHA-256 of its Sig_structure; its LEAF in every tree is
 * SHA-256(0x00 || Sig_structure). Neither covers the signature.
 */
#ifndef HM_TRUST_COSE_H
#define HM_TRUST_COSE_H

#include "trust/codec.h"
#include "trust/crypto.h"

enum { HM_SIGN1_MAX = 4096, HM_CERTIFICATE_MAX = 2048 };

enum hm_typ {
  HM_TYP_BINDING = 65001,
  HM_TYP_PAIRING = 65002,
  HM_TYP_PAIRING_REQUEST = 65003,
  HM_TYP_BINDING_REQUEST = 65010,
  HM_TYP_ANNOUNCE = 65011,
  HM_TYP_WITNESS_REQUEST = 65012,
  HM_TYP_WITNESS = 65013,
  HM_TYP_COMPLETION = 65014,
  HM_TYP_COMMAND = 65015,
  HM_TYP_COMMAND_ACK = 65016,
  HM_TYP_VALIDATION_REQUEST = 65017,
  HM_TYP_COUNTERSIGNATURE = 65018,
  HM_TYP_HANDSHAKE = 65019,
  HM_TYP_RECEIPT = 65020,
  HM_TYP_REVOCATION = 65021,
  HM_TYP_CHECKPOINT = 65022,
  HM_TYP_TIME = 65023,
  HM_TYP_NOTICE = 65024,
  HM_TYP_SESSION = 65025,
  HM_TYP_EXPORT = 65026,
  HM_TYP_LAW = 65027,
  HM_TYP_BATCH = 65028,
  HM_TYP_HEAD = 65030
};

/* One row a typ: its name and whether its protected header carries a kid. */
struct hm_typ_row {
  uint16_t typ;
  const char *name;
  bool has_kid;
  uint16_t max; /* bytes of the whole object */
};
/* NULL for a typ outside the profile. */
const struct hm_typ_row *hm_typ_row(uint64_t typ);
extern const struct hm_typ_row hm_typ_table[];
extern const size_t hm_typ_count;

/* A parsed COSE_Sign1; every member is a view into the object. */
struct hm_sign1 {
  struct hm_bytes object;
  struct hm_bytes protected_header; /* content of the bstr */
  struct hm_bytes claims;           /* header 15 of a batch: the encoded map; else empty */
  struct hm_bytes unprotected;      /* encoded map */
  struct hm_bytes payload;          /* empty where detached (nil) */
  bool is_detached;
  uint16_t typ;
  bool has_kid;
  uint8_t kid[32];
  uint8_t signature[64];
};

/* Parse any object of the profile: tag 18, protected exactly {alg, [kid], typ}
 * as its typ's row says (batch: {alg, kid, claims, typ, vds}), unprotected empty
 * (or exactly {396: ...} where allow_proof and typ is a batch), payload present
 * (batch: nil), 64-byte low-s signature, nothing after it. Size by its row. */
enum hm_status HM_MUST_CHECK hm_sign1_parse(struct hm_bytes object, bool allow_proof,
                                            struct hm_sign1 *out);
/* The same, and HM_WRONG_TYPE unless the typ is the one expected. */
enum hm_status HM_MUST_CHECK hm_sign1_expect(struct hm_bytes object, uint16_t typ,
                                             struct hm_sign1 *out);

/* SHA-256(Sig_structure): ["Signature1", protected, '', payload]. detached is the
 * payload of an object whose payload is nil, else ignored. */
enum hm_status HM_MUST_CHECK hm_sign1_name(const struct hm_crypto *c, const struct hm_sign1 *s,
                                           struct hm_bytes detached, uint8_t name[32]);
/* SHA-256(0x00 || Sig_structure). */
enum hm_status HM_MUST_CHECK hm_sign1_leaf(const struct hm_crypto *c, const struct hm_sign1 *s,
                                           struct hm_bytes detached, uint8_t leaf[32]);
/* The signature over the name, under a 64-byte point. */
enum hm_status HM_MUST_CHECK hm_sign1_verify(const struct hm_crypto *c, const struct hm_sign1 *s,
                                             struct hm_bytes detached, const uint8_t point[64]);

/* Sign payload as typ; kid from the signer where the typ's row has one. */
enum hm_status HM_MUST_CHECK hm_sign1_make(const struct hm_crypto *c,
                                           const struct hm_signer *signer, uint16_t typ,
                                           struct hm_bytes payload, struct hm_out *out);
/* A batch receipt: claims is the encoded batch-claims map, root the detached payload.
 * The unprotected header is empty; hm_sign1_with_unprotected adds the proofs. */
enum hm_status HM_MUST_CHECK hm_sign1_make_batch(const struct hm_crypto *c,
                                                 const struct hm_signer *signer,
                                                 struct hm_bytes claims, const uint8_t root[32],
                                                 struct hm_out *out);
/* The same object with another unprotected header: the encoded map given. */
enum hm_status HM_MUST_CHECK hm_sign1_with_unprotected(const struct hm_sign1 *s,
                                                       struct hm_bytes unprotected,
                                                       struct hm_out *out);

/* Decode a payload by its shape after hm_sign1_expect, then verify. The one way to
 * open a signed object of ours: typ, shape, signature, name. point NULL skips the
 * signature (self-signed requests are verified under the key inside them); sign1
 * and name may be NULL. Views in value point into object. */
enum hm_status HM_MUST_CHECK hm_signed_open(const struct hm_crypto *c, struct hm_bytes object,
                                            uint16_t typ, const struct hm_shape *shape,
                                            const uint8_t point[64], void *value,
                                            struct hm_sign1 *sign1, uint8_t name[32]);
/* Encode a value by its shape (payload <= 4096 bytes) and sign it. */
enum hm_status HM_MUST_CHECK hm_signed_make(const struct hm_crypto *c,
                                            const struct hm_signer *signer, uint16_t typ,
                                            const struct hm_shape *shape, const void *value,
                                            struct hm_out *out);

/* ---- encryption ---------------------------------------------------------------- */
/* COSE_Encrypt (tag 96) of plain to an agreement key: ECDH-ES + HKDF-256, A256GCM.
 * ephemeral is a fresh scalar, iv fresh: both from the caller's generator. */
enum hm_status HM_MUST_CHECK hm_encrypt_to(const struct hm_crypto *c, const uint8_t to[64],
                                           const uint8_t ephemeral[32], const uint8_t iv[12],
                                           struct hm_bytes aad, struct hm_bytes plain,
                                           struct hm_out *out);
/* What decrypts is at most 8,192 bytes as an object, and exactly of the profile's
 * spelling. plain: at least the ciphertext's length - 16 bytes; *len gets the plaintext's. */
enum hm_status HM_MUST_CHECK hm_decrypt(const struct hm_crypto *c, const uint8_t scalar[32],
                                        struct hm_bytes object, struct hm_bytes aad, uint8_t *plain,
                                        size_t cap, size_t *len);
/* COSE_Encrypt0 (tag 16) under a shared key. */
enum hm_status HM_MUST_CHECK hm_encrypt0(const struct hm_crypto *c, const uint8_t key[32],
                                         const uint8_t iv[12], struct hm_bytes aad,
                                         struct hm_bytes plain, struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_decrypt0(const struct hm_crypto *c, const uint8_t key[32],
                                         struct hm_bytes object, struct hm_bytes aad,
                                         uint8_t *plain, size_t cap, size_t *len);

/* cose-key {1:2, -1:1, -2:x, -3:y} <-> point. A table knows no curve: whoever keeps
 * the point checks it (hm_crypto.p256_check; verification and agreement do so too). */
struct hm_cose_key {
  uint8_t point[64];
};
extern const struct hm_shape hm_shape_cose_key;

/* ---- for tests and peers --------------------------------------------------------- */
/* The Sig_structure itself. */
enum hm_status HM_MUST_CHECK hm_sig_structure(struct hm_bytes protected_header,
                                              struct hm_bytes external_aad, struct hm_bytes payload,
                                              struct hm_out *out);
/* The Enc_structure: [context, protected, external_aad]. */
enum hm_status HM_MUST_CHECK hm_enc_structure(const char *context, struct hm_bytes protected_header,
                                              struct hm_bytes external_aad, struct hm_out *out);

#endif

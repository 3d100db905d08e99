/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Key files. A private key is a PKCS#8 PEM of a P-256 key, mode 0600, in a folder of
 * mode 0700; openssl reads and makes the same files. A public key (*.pub) is one SPKI
 * PEM, at most 1 KiB.
 *
 * The files are parsed here, in fixed buffers on the stack that are wiped on every
 * path: the PEM readers of libraries leave the scalar in freed heap. Only the two shapes
 * of DER in use for P-256 are known, each with a fixed beginning, so there is no
 * parser that could be attacked. The public point is always computed from the scalar
 * and compared with the one in the file.
 *
 *   keys/host.sign.pem  keys/host.agree.pem             the host's own
 *   keys/<first 16 hex of LCT>.{sign,agree}.pem         a hosted entity's
 *   keys/session.pem                                    the session key
 *   keys/boot                                           8 bytes big-endian
 */
#ifndef HM_SERVICES_KEYS_H
#define HM_SERVICES_KEYS_H

#include "services/paths.h"
#include "trust/crypto.h"

enum { HM_PUBLIC_PEM_MAX = 1024, HM_PRIVATE_PEM_MAX = 1024 };

/* A signing key in memory. signer.key points into the struct: never copy it. */
struct hm_signing_key {
  struct hm_software_key software;
  struct hm_signer signer; /* point, kid */
};

/* An agreement key in memory. */
struct hm_agreement_key {
  uint8_t scalar[32];
  uint8_t point[64];
};

/* Draw a new key, write it to path (HM_EXISTS where there is one) and hand it out. */
enum hm_status HM_MUST_CHECK hm_signing_key_create(const char *path, struct hm_signing_key *key,
                                                   struct hm_error *err);
enum hm_status HM_MUST_CHECK hm_agreement_key_create(const char *path, struct hm_agreement_key *key,
                                                     struct hm_error *err);
/* Read one. HM_NOT_FOUND, HM_DENIED (mode or owner: others could read it), HM_MALFORMED. */
enum hm_status HM_MUST_CHECK hm_signing_key_load(const char *path, struct hm_signing_key *key,
                                                 struct hm_error *err);
enum hm_status HM_MUST_CHECK hm_agreement_key_load(const char *path, struct hm_agreement_key *key,
                                                   struct hm_error *err);
/* Load it, or create it where there is none (an interrupted init goes on with its keys). */
enum hm_status HM_MUST_CHECK hm_signing_key_ensure(const char *path, struct hm_signing_key *key,
                                                   struct hm_error *err);
enum hm_status HM_MUST_CHECK hm_agreement_key_ensure(const char *path, struct hm_agreement_key *key,
                                                     struct hm_error *err);
/* Draw a key in memory only (session keys before they are written, ephemerals). */
enum hm_status HM_MUST_CHECK hm_signing_key_draw(struct hm_signing_key *key);
/* Write a key that is in memory, replacing the file (rotation of the session key). */
enum hm_status HM_MUST_CHECK hm_signing_key_save(const char *path, const struct hm_signing_key *key,
                                                 struct hm_error *err);
void hm_signing_key_wipe(struct hm_signing_key *key);
void hm_agreement_key_wipe(struct hm_agreement_key *key);

/* Overwrite a key file in place and unlink it (best effort on journalled disks; the
 * folder is synced). A missing file is fine. */
enum hm_status HM_MUST_CHECK hm_key_erase(const char *path, struct hm_error *err);

/* KEYS/<first 16 hex of lct>.<what>.pem; what is "sign" or "agree". */
enum hm_status HM_MUST_CHECK hm_key_path(char out[HM_FILE_PATH], const char *keys,
                                         const uint8_t lct[32], const char *what,
                                         struct hm_error *err);

/* ---- public keys -------------------------------------------------------------------- */
/* Exactly one SPKI PEM, nothing but white space around it; the point is on the curve. */
enum hm_status HM_MUST_CHECK hm_public_parse(struct hm_bytes pem, uint8_t point[64],
                                             struct hm_error *err);
/* The PEM text, 178 bytes and a NUL. */
enum hm_status HM_MUST_CHECK hm_public_format(const uint8_t point[64], struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_public_read(const char *path, uint8_t point[64],
                                            struct hm_error *err);
/* 0644, atomically. */
enum hm_status HM_MUST_CHECK hm_public_write(const char *path, const uint8_t point[64],
                                             struct hm_error *err);

/* ---- the boot counter ------------------------------------------------------------------ */
/* Raise the counter in the file and make that durable before it is used; a missing file
 * counts as 0. HM_DAMAGED where it is not 8 bytes, HM_FULL at its end. */
enum hm_status HM_MUST_CHECK hm_boot_count_next(const char *path, uint64_t *count,
                                                struct hm_error *err);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Typed statements: receipts (65020), the authority's time (65023), export manifests
 * (65026), configuration laws (65027), witness request and answer (65012, 65013).
 * The pattern of make and open is that of trust/certificate.h.
 */
#ifndef HM_TRUST_RECEIPT_H
#define HM_TRUST_RECEIPT_H

#include "trust/certificate.h"

enum { HM_EVIDENCE_MAX = 32 };

/* ---- 65020 receipt ------------------------------------------------------------------ */
struct hm_receipt {
  uint64_t iat;
  bool has_context, has_proxy, has_witness, has_certificate, has_reason, has_atp, has_energy_mj,
      has_first, has_count, has_flags, has_last_frame, has_data_range, has_start;
  uint64_t context;
  uint64_t level;   /* 1..7 */
  uint64_t quality; /* enum hm_quality */
  uint64_t kind;    /* enum hm_receipt_kind */
  uint8_t proxy[32];
  uint64_t result; /* enum hm_result */
  uint8_t witness[32];
  uint8_t certificate[32];
  uint32_t evidence_count;
  uint8_t evidence[HM_EVIDENCE_MAX][32];
  uint64_t reason;
  uint64_t atp; /* thousandths */
  uint64_t energy_mj;
  uint64_t first, count;
  uint64_t flags; /* 1: both ends in one process */
  uint8_t subject[32];
  uint64_t last_frame;
  struct hm_range data_range; /* iff kind segment closed */
  uint8_t boot_id[16];        /* iff kind start, with the two below */
  uint64_t boot_count;
  uint8_t boot_random[16];
};
extern const struct hm_shape hm_shape_receipt;
enum hm_status HM_MUST_CHECK hm_receipt_make(const struct hm_crypto *c,
                                             const struct hm_signer *signer,
                                             const struct hm_receipt *receipt, struct hm_out *out);
/* point: of the authority (levels 6, 7), of the entity or its session key. */
enum hm_status HM_MUST_CHECK hm_receipt_open(const struct hm_crypto *c, struct hm_bytes object,
                                             const uint8_t point[64], struct hm_receipt *receipt,
                                             uint8_t name[32]);
/* True for kinds only an authority may sign (level 6 and 7 kinds). */
bool hm_receipt_is_authority_kind(uint64_t kind);

/* ---- 65023 signed time: iat IS the time ------------------------------------------------ */
struct hm_signed_time {
  uint64_t iat;
  uint8_t nonce[16];    /* the asker's, cti */
  uint64_t revocations; /* highest revocation number */
  bool has_previous, has_lower;
  uint8_t previous[32]; /* its name; iff revocations > 0 */
  uint64_t lower;       /* 1: may lower the floor of the asker */
};
extern const struct hm_shape hm_shape_signed_time;
enum hm_status HM_MUST_CHECK hm_signed_time_make(const struct hm_crypto *c,
                                                 const struct hm_signer *authority,
                                                 const struct hm_signed_time *time,
                                                 struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_signed_time_open(const struct hm_crypto *c, struct hm_bytes object,
                                                 const uint8_t authority[64],
                                                 struct hm_signed_time *time, uint8_t name[32]);

/* ---- 65012, 65013 witness ------------------------------------------------------------------ */
struct hm_witness_request {
  uint64_t iat;
  uint8_t nonce[16];
  uint8_t certificate[32]; /* name of the checkpoint, or hash of the event */
};
extern const struct hm_shape hm_shape_witness_request;
struct hm_witness_answer {
  uint64_t iat; /* the witness's time */
  uint8_t nonce[16];
  uint64_t role; /* enum hm_witness_role */
  uint8_t certificate[32];
};
extern const struct hm_shape hm_shape_witness_answer;
enum hm_status HM_MUST_CHECK hm_witness_request_make(const struct hm_crypto *c,
                                                     const struct hm_signer *signer,
                                                     const struct hm_witness_request *request,
                                                     struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_witness_request_open(const struct hm_crypto *c,
                                                     struct hm_bytes object,
                                                     const uint8_t point[64],
                                                     struct hm_witness_request *request,
                                                     uint8_t name[32]);
enum hm_status HM_MUST_CHECK hm_witness_answer_make(const struct hm_crypto *c,
                                                    const struct hm_signer *witness,
                                                    const struct hm_witness_answer *answer,
                                                    struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_witness_answer_open(const struct hm_crypto *c,
                                                    struct hm_bytes object, const uint8_t point[64],
                                                    struct hm_witness_answer *answer,
                                                    uint8_t name[32]);

/* ---- 65026 export manifest ---------------------------------------------------------------------
 */
enum { HM_EXPORT_ENTITIES = 32, HM_EXPORT_SKIPS = 8 };
struct hm_export_count {
  uint8_t entity[32];
  uint64_t records;
};
struct hm_export {
  uint64_t iat;
  uint64_t kind;  /* enum hm_export_kind */
  uint64_t count; /* sum of exported[].records */
  bool has_context, has_recipient;
  uint64_t context; /* iff kind export */
  uint32_t exported_count;
  struct hm_export_count exported[HM_EXPORT_ENTITIES]; /* ascending by entity */
  uint32_t skipped_count;
  struct hm_uint_pair skipped[HM_EXPORT_SKIPS]; /* enum hm_skip -> how many */
  uint8_t root[32];
  struct hm_bytes recipient;
  uint64_t data_size;
};
extern const struct hm_shape hm_shape_export;
enum hm_status HM_MUST_CHECK hm_export_make(const struct hm_crypto *c,
                                            const struct hm_signer *entity,
                                            const struct hm_export *manifest, struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_export_open(const struct hm_crypto *c, struct hm_bytes object,
                                            const uint8_t entity[64], struct hm_export *manifest,
                                            uint8_t name[32]);
/* Leaf of the manifest's tree: SHA-256(0x00 || CBOR [sensor cN, mN, leaf hash]). */
enum hm_status HM_MUST_CHECK hm_export_leaf(const struct hm_crypto *c, uint64_t sensor_entry,
                                            uint64_t record, const uint8_t record_leaf[32],
                                            uint8_t leaf[32]);

/* ---- 65027 law
 * ------------------------------------------------------------------------------------- */
struct hm_law {
  uint64_t iat;
  bool has_previous;
  uint8_t previous[32];
  uint8_t law[32]; /* SHA-256 of the canonical configuration text */
};
extern const struct hm_shape hm_shape_law;
enum hm_status HM_MUST_CHECK hm_law_make(const struct hm_crypto *c, const struct hm_signer *entity,
                                         const struct hm_law *law, struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_law_open(const struct hm_crypto *c, struct hm_bytes object,
                                         const uint8_t entity[64], struct hm_law *law,
                                         uint8_t name[32]);

#endif

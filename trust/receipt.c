/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Typed statements. Which members a kind of receipt must and may have is a table.
 */
#include "trust/receipt.h"

#include "trust/fields.h"

/* ---- 65020 -------------------------------------------------------------------------------- */
#define RECEIPT struct hm_receipt
static const struct hm_field start_fields[] = {
    FIXED_ROW(RECEIPT, boot_id, 0, "boot-id", 16),
    UINT_ROW(RECEIPT, boot_count, 0, "boot-count", 0, HM_U32_MAX),
    FIXED_ROW(RECEIPT, boot_random, 0, "random", 16),
};
static const struct hm_shape shape_start = {"start-value", HM_ARRAY, ROWS(start_fields),
                                            sizeof(RECEIPT)};
static const struct hm_field receipt_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    UINT_ROW(RECEIPT, level, HM_L_LEVEL, "level", 1, 7),
    UINT_ROW(RECEIPT, quality, HM_L_QUALITY, "quality", HM_QUALITY_NONE, HM_QUALITY_AUTHORITY),
    UINT_ROW(RECEIPT, kind, HM_L_KIND, "kind", HM_RECEIPT_COMPLETION, HM_RECEIPT_CONTINUED),
    OPT_FIXED(RECEIPT, proxy, has_proxy, HM_L_PROXY, "proxy", 32),
    UINT_ROW(RECEIPT, result, HM_L_RESULT, "result", HM_RESULT_PASS, HM_RESULT_FAIL),
    OPT_FIXED(RECEIPT, witness, has_witness, HM_L_WITNESS, "witness", 32),
    OPT_FIXED(RECEIPT, certificate, has_certificate, HM_L_CERTIFICATE, "certificate", 32),
    LIST_ROW(RECEIPT, evidence, evidence_count, 0, HM_L_EVIDENCE, "evidence", 0, HM_EVIDENCE_MAX,
             &hm_shape_hash),
    OPT_UINT(RECEIPT, reason, has_reason, HM_L_REASON, "reason", 1, 65535),
    OPT_UINT(RECEIPT, atp, has_atp, HM_L_ATP, "atp", 0, HM_U32_MAX),
    OPT_UINT(RECEIPT, energy_mj, has_energy_mj, HM_L_ENERGY_MJ, "energy-mj", 0, HM_U32_MAX),
    OPT_UINT(RECEIPT, first, has_first, HM_L_FIRST, "first", 0, HM_INT_MAX),
    OPT_UINT(RECEIPT, count, has_count, HM_L_COUNT, "count", 0, HM_INT_MAX),
    OPT_UINT(RECEIPT, context, has_context, HM_L_CONTEXT, "context", 1, 65535),
    OPT_UINT(RECEIPT, flags, has_flags, HM_L_FLAGS, "flags", 1, 1),
    FIXED_ROW(RECEIPT, subject, HM_L_SUBJECT, "subject", 32),
    OPT_UINT(RECEIPT, last_frame, has_last_frame, HM_L_LAST_FRAME, "last-frame", 0, HM_INT_MAX),
    OPT_LIST(RECEIPT, data_range.hash, has_data_range, data_range.count, 0, HM_L_DATA_RANGE,
             "data-range", 0, HM_RANGE_MAX, &hm_shape_hash),
    OPT_FLAT(RECEIPT, has_start, HM_L_START, "start", &shape_start),
};
static const struct hm_shape shape_receipt_body = {"receipt-body", HM_MAP,
                                                   ROWS(receipt_body_fields), sizeof(RECEIPT)};
static const struct hm_field receipt_fields[] = {
    UINT_ROW(RECEIPT, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_receipt_body),
};
const struct hm_shape hm_shape_receipt = {"receipt", HM_MAP, ROWS(receipt_fields), sizeof(RECEIPT)};

/* What a kind must have. level 0: any. evidence: least and most. */
enum { NEEDS_CERTIFICATE = 1, NEEDS_RANGE = 2 };
static const struct kind_row {
  uint8_t kind, level, needs, least, most;
} kind_rows[] = {
    {HM_RECEIPT_COMPLETION, 6, NEEDS_CERTIFICATE, 2, 2},
    {HM_RECEIPT_REVOCATION, 6, 0, 0, 32},
    {HM_RECEIPT_MODIFICATION, 6, 0, 0, 32},
    {HM_RECEIPT_FAILED, 6, NEEDS_CERTIFICATE, 0, 32},
    {HM_RECEIPT_ESTABLISHMENT, 7, 0, 0, 32},
    {HM_RECEIPT_VERIFICATION, 7, 0, 0, 32},
    {HM_RECEIPT_RETIREMENT, 7, 0, 0, 32},
    {HM_RECEIPT_SEGMENT_OPENED, 0, NEEDS_RANGE, 0, 32},
    {HM_RECEIPT_SEGMENT_CLOSED, 0, NEEDS_RANGE, 0, 32},
    {HM_RECEIPT_PRUNING, 0, NEEDS_RANGE, 0, 32},
    {HM_RECEIPT_CALIBRATION, 0, 0, 0, 32},
    {HM_RECEIPT_SUPPRESSION, 0, 0, 0, 32},
    {HM_RECEIPT_STREAM_REFUSED, 0, 0, 0, 32},
    {HM_RECEIPT_BALANCE, 0, 0, 0, 32},
    {HM_RECEIPT_REDACTION, 0, NEEDS_RANGE, 0, 32},
    {HM_RECEIPT_GENESIS, 0, 0, 2, 2},
    {HM_RECEIPT_START, 0, 0, 0, 32},
    {HM_RECEIPT_EFFECTIVE, 0, NEEDS_CERTIFICATE, 0, 32},
    {HM_RECEIPT_EXPORT_ENDED, 0, NEEDS_CERTIFICATE, 0, 32},
    {HM_RECEIPT_CONTINUED, 0, NEEDS_RANGE, 0, 32},
};

static const struct kind_row *kind_row(uint64_t kind)
{
  for (size_t i = 0; i < sizeof kind_rows / sizeof kind_rows[0]; i++)
    if (kind_rows[i].kind == kind)
      return &kind_rows[i];
  return NULL;
}

static enum hm_status receipt_rules(const void *value)
{
  const RECEIPT *r = value;
  const struct kind_row *row = kind_row(r->kind);
  if (row == NULL)
    return HM_UNSUPPORTED;
  if (row->level != 0 && row->level != r->level)
    return HM_MALFORMED;
  if ((row->needs & NEEDS_CERTIFICATE) && !r->has_certificate)
    return HM_MALFORMED;
  if ((row->needs & NEEDS_RANGE) && (!r->has_first || !r->has_count))
    return HM_MALFORMED;
  if (r->evidence_count < row->least || r->evidence_count > row->most)
    return HM_MALFORMED;
  if (r->kind == HM_RECEIPT_SEGMENT_OPENED && r->count != 0)
    return HM_MALFORMED;
  if (r->has_data_range != (r->kind == HM_RECEIPT_SEGMENT_CLOSED))
    return HM_MALFORMED;
  if (r->has_start != (r->kind == HM_RECEIPT_START))
    return HM_MALFORMED;
  if (r->has_last_frame && r->kind != HM_RECEIPT_EFFECTIVE)
    return HM_MALFORMED;
  return HM_OK;
}
static const struct hm_object_type type_receipt = {HM_TYP_RECEIPT, &hm_shape_receipt,
                                                   receipt_rules};

bool hm_receipt_is_authority_kind(uint64_t kind)
{
  return kind >= HM_RECEIPT_COMPLETION && kind <= HM_RECEIPT_RETIREMENT;
}

enum hm_status hm_receipt_make(const struct hm_crypto *c, const struct hm_signer *signer,
                               const RECEIPT *receipt, struct hm_out *out)
{
  return hm_object_make(c, signer, &type_receipt, receipt, out);
}

enum hm_status hm_receipt_open(const struct hm_crypto *c, struct hm_bytes object,
                               const uint8_t point[64], RECEIPT *receipt, uint8_t name[32])
{
  return hm_object_open(c, object, &type_receipt, point, receipt, NULL, name);
}

/* ---- 65023 ---------------------------------------------------------------------------------- */
#define TIME struct hm_signed_time
static const struct hm_field time_body_fields[] = {
    OPT_FIXED(TIME, previous, has_previous, HM_L_PREVIOUS, "previous", 32),
    UINT_ROW(TIME, revocations, HM_L_REVOCATIONS, "revocations", 0, HM_INT_MAX),
    OPT_UINT(TIME, lower, has_lower, HM_L_LOWER, "lower", 1, 1),
};
static const struct hm_shape shape_time_body = {"time-body", HM_MAP, ROWS(time_body_fields),
                                                sizeof(TIME)};
static const struct hm_field time_fields[] = {
    UINT_ROW(TIME, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FIXED_ROW(TIME, nonce, HM_CWT_CTI, "cti", 16),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_time_body),
};
const struct hm_shape hm_shape_signed_time = {"signed-time", HM_MAP, ROWS(time_fields),
                                              sizeof(TIME)};

static enum hm_status time_rules(const void *value)
{
  const TIME *t = value;
  return t->has_previous == (t->revocations > 0) ? HM_OK : HM_MALFORMED;
}
static const struct hm_object_type type_time = {HM_TYP_TIME, &hm_shape_signed_time, time_rules};

enum hm_status hm_signed_time_make(const struct hm_crypto *c, const struct hm_signer *authority,
                                   const TIME *time, struct hm_out *out)
{
  return hm_object_make(c, authority, &type_time, time, out);
}

enum hm_status hm_signed_time_open(const struct hm_crypto *c, struct hm_bytes object,
                                   const uint8_t authority[64], TIME *time, uint8_t name[32])
{
  return hm_object_open(c, object, &type_time, authority, time, NULL, name);
}

/* ---- 65012, 65013 ------------------------------------------------------------------------------
 */
#define ASK struct hm_witness_request
static const struct hm_field ask_body_fields[] = {
    FIXED_ROW(ASK, nonce, HM_L_NONCE, "nonce", 16),
    FIXED_ROW(ASK, certificate, HM_L_CERTIFICATE, "certificate", 32),
};
static const struct hm_shape shape_ask_body = {"witness-request-body", HM_MAP,
                                               ROWS(ask_body_fields), sizeof(ASK)};
static const struct hm_field ask_fields[] = {
    UINT_ROW(ASK, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_ask_body),
};
const struct hm_shape hm_shape_witness_request = {"witness-request", HM_MAP, ROWS(ask_fields),
                                                  sizeof(ASK)};
static const struct hm_object_type type_ask = {HM_TYP_WITNESS_REQUEST, &hm_shape_witness_request,
                                               NULL};

#define ANSWER struct hm_witness_answer
static const struct hm_field answer_body_fields[] = {
    FIXED_ROW(ANSWER, nonce, HM_L_NONCE, "nonce", 16),
    UINT_ROW(ANSWER, role, HM_L_ROLE, "role", HM_WITNESS_TIME, HM_WITNESS_QUALITY),
    FIXED_ROW(ANSWER, certificate, HM_L_CERTIFICATE, "certificate", 32),
};
static const struct hm_shape shape_answer_body = {"witness-answer-body", HM_MAP,
                                                  ROWS(answer_body_fields), sizeof(ANSWER)};
static const struct hm_field answer_fields[] = {
    UINT_ROW(ANSWER, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_answer_body),
};
const struct hm_shape hm_shape_witness_answer = {"witness-answer", HM_MAP, ROWS(answer_fields),
                                                 sizeof(ANSWER)};
static const struct hm_object_type type_answer = {HM_TYP_WITNESS, &hm_shape_witness_answer, NULL};

enum hm_status hm_witness_request_make(const struct hm_crypto *c, const struct hm_signer *signer,
                                       const ASK *request, struct hm_out *out)
{
  return hm_object_make(c, signer, &type_ask, request, out);
}

enum hm_status hm_witness_request_open(const struct hm_crypto *c, struct hm_bytes object,
                                       const uint8_t point[64], ASK *request, uint8_t name[32])
{
  return hm_object_open(c, object, &type_ask, point, request, NULL, name);
}

enum hm_status hm_witness_answer_make(const struct hm_crypto *c, const struct hm_signer *witness,
                                      const ANSWER *answer, struct hm_out *out)
{
  return hm_object_make(c, witness, &type_answer, answer, out);
}

enum hm_status hm_witness_answer_open(const struct hm_crypto *c, struct hm_bytes object,
                                      const uint8_t point[64], ANSWER *answer, uint8_t name[32])
{
  return hm_object_open(c, object, &type_answer, point, answer, NULL, name);
}

/* ---- 65026
 * ---------------------------------------------------------------------------------------- */
#define EXPORT struct hm_export
static const struct hm_field export_count_fields[] = {
    FIXED_ROW(struct hm_export_count, entity, 0, "entity", 32),
    UINT_ROW(struct hm_export_count, records, 0, "records", 0, HM_INT_MAX),
};
static const struct hm_shape shape_export_count = {
    "export-count", HM_ARRAY, ROWS(export_count_fields), sizeof(struct hm_export_count)};
static const struct hm_field skip_fields[] = {
    {.name = "skip-code", .kind = HM_UINT, .min = HM_SKIP_REVOKED, .max = HM_SKIP_OTHER},
    {.name = "records", .kind = HM_UINT, .min = 0, .max = HM_INT_MAX},
};
static const struct hm_shape shape_skip = {"skip-map", HM_ARRAY, ROWS(skip_fields),
                                           sizeof(struct hm_uint_pair)};
static const struct hm_field export_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    UINT_ROW(EXPORT, kind, HM_L_KIND, "kind", HM_EXPORT_EXPORT, HM_EXPORT_INCIDENT),
    UINT_ROW(EXPORT, count, HM_L_COUNT, "count", 0, HM_INT_MAX),
    OPT_UINT(EXPORT, context, has_context, HM_L_CONTEXT, "context", 1, 65535),
    LIST_ROW(EXPORT, exported, exported_count, HM_ORDERED, HM_L_EXPORTED, "exported", 0,
             HM_EXPORT_ENTITIES, &shape_export_count),
    UMAP_ROW(EXPORT, skipped, skipped_count, HM_L_SKIPPED, "skipped", HM_EXPORT_SKIPS, &shape_skip),
    FIXED_ROW(EXPORT, root, HM_L_ROOT, "root", 32),
    OPT_STRING(EXPORT, recipient, has_recipient, HM_TSTR, HM_L_RECIPIENT, "recipient", 1,
               HM_TEXT_MAX),
    UINT_ROW(EXPORT, data_size, HM_L_DATA_SIZE, "data-size", 0, HM_INT_MAX),
};
static const struct hm_shape shape_export_body = {"export-body", HM_MAP, ROWS(export_body_fields),
                                                  sizeof(EXPORT)};
static const struct hm_field export_fields[] = {
    UINT_ROW(EXPORT, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_export_body),
};
const struct hm_shape hm_shape_export = {"export-manifest", HM_MAP, ROWS(export_fields),
                                         sizeof(EXPORT)};

static enum hm_status export_rules(const void *value)
{
  const EXPORT *e = value;
  uint64_t sum = 0;
  if (e->has_context != (e->kind == HM_EXPORT_EXPORT))
    return HM_MALFORMED;
  for (uint32_t i = 0; i < e->exported_count; i++) {
    if (i > 0 && memcmp(e->exported[i - 1].entity, e->exported[i].entity, 32) >= 0)
      return HM_MALFORMED;
    if (e->exported[i].records > HM_INT_MAX - sum)
      return HM_MALFORMED;
    sum += e->exported[i].records;
  }
  return sum == e->count ? HM_OK : HM_MALFORMED;
}
static const struct hm_object_type type_export = {HM_TYP_EXPORT, &hm_shape_export, export_rules};

enum hm_status hm_export_make(const struct hm_crypto *c, const struct hm_signer *entity,
                              const EXPORT *manifest, struct hm_out *out)
{
  return hm_object_make(c, entity, &type_export, manifest, out);
}

enum hm_status hm_export_open(const struct hm_crypto *c, struct hm_bytes object,
                              const uint8_t entity[64], EXPORT *manifest, uint8_t name[32])
{
  return hm_object_open(c, object, &type_export, entity, manifest, NULL, name);
}

enum hm_status hm_export_leaf(const struct hm_crypto *c, uint64_t sensor_entry, uint64_t record,
                              const uint8_t record_leaf[32], uint8_t leaf[32])
{
  uint8_t item[1 + 9 + 9 + 34];
  struct hm_out out = hm_out(item, sizeof item);
  hm_cbor_put_array(&out, 3);
  hm_cbor_put_uint(&out, sensor_entry);
  hm_cbor_put_uint(&out, record);
  hm_cbor_put_bstr(&out, hm_bytes(record_leaf, 32));
  HM_TRY(hm_out_status(&out));
  return hm_leaf_hash(c, hm_out_bytes(&out), leaf);
}

/* ---- 65027
 * ------------------------------------------------------------------------------------------ */
#define LAW struct hm_law
static const struct hm_field law_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    OPT_FIXED(LAW, previous, has_previous, HM_L_PREVIOUS, "previous", 32),
    FIXED_ROW(LAW, law, HM_L_LAW, "law", 32),
};
static const struct hm_shape shape_law_body = {"law-body", HM_MAP, ROWS(law_body_fields),
                                               sizeof(LAW)};
static const struct hm_field law_fields[] = {
    UINT_ROW(LAW, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_law_body),
};
const struct hm_shape hm_shape_law = {"law-statement", HM_MAP, ROWS(law_fields), sizeof(LAW)};
static const struct hm_object_type type_law = {HM_TYP_LAW, &hm_shape_law, NULL};

enum hm_status hm_law_make(const struct hm_crypto *c, const struct hm_signer *entity,
                           const LAW *law, struct hm_out *out)
{
  return hm_object_make(c, entity, &type_law, law, out);
}

enum hm_status hm_law_open(const struct hm_crypto *c, struct hm_bytes object,
                           const uint8_t entity[64], LAW *law, uint8_t name[32])
{
  return hm_object_open(c, object, &type_law, entity, law, NULL, name);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "trust/revocation.h"

#include "trust/fields.h"

#define REVOCATION struct hm_revocation
static const struct hm_field numbered_body_fields[] = {
    UINT_ROW(REVOCATION, number, HM_L_LOG_NUMBER, "log-number", 1, HM_INT_MAX),
    OPT_FIXED(REVOCATION, pairing_id, has_pairing_id, HM_L_PAIRING_ID, "pairing-id", 16),
    FIXED_ROW(REVOCATION, certificate, HM_L_CERTIFICATE, "certificate", 32),
    UINT_ROW(REVOCATION, reason, HM_L_REASON, "reason", 1, 65535),
    OPT_FIXED(REVOCATION, previous, has_previous, HM_L_PREVIOUS, "previous", 32),
    OPT_UINT(REVOCATION, since, has_since, HM_L_SINCE, "since", 0, HM_SECONDS_MAX),
};
static const struct hm_shape shape_numbered_body = {"revocation-body", HM_MAP,
                                                    ROWS(numbered_body_fields), sizeof(REVOCATION)};
static const struct hm_field numbered_fields[] = {
    UINT_ROW(REVOCATION, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_numbered_body),
};
const struct hm_shape hm_shape_revocation = {"revocation", HM_MAP, ROWS(numbered_fields),
                                             sizeof(REVOCATION)};

static const struct hm_field local_body_fields[] = {
    OPT_FIXED(REVOCATION, pairing_id, has_pairing_id, HM_L_PAIRING_ID, "pairing-id", 16),
    FIXED_ROW(REVOCATION, certificate, HM_L_CERTIFICATE, "certificate", 32),
    OPT_LIST(REVOCATION, evidence, has_evidence, evidence_count, HM_ORDERED, HM_L_EVIDENCE,
             "evidence", 0, HM_EVIDENCE_MAX, &hm_shape_hash),
    UINT_ROW(REVOCATION, reason, HM_L_REASON, "reason", 1, 65535),
    OPT_UINT(REVOCATION, since, has_since, HM_L_SINCE, "since", 0, HM_SECONDS_MAX),
};
static const struct hm_shape shape_local_body = {"local-body", HM_MAP, ROWS(local_body_fields),
                                                 sizeof(REVOCATION)};
static const struct hm_field local_fields[] = {
    UINT_ROW(REVOCATION, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_local_body),
};
const struct hm_shape hm_shape_local_revocation = {"local-revocation", HM_MAP, ROWS(local_fields),
                                                   sizeof(REVOCATION)};

/* Only the first has nothing before it. */
static enum hm_status numbered_rules(const void *value)
{
  const REVOCATION *r = value;
  return r->has_previous == (r->number > 1) ? HM_OK : HM_MALFORMED;
}
static const struct hm_object_type type_numbered = {HM_TYP_REVOCATION, &hm_shape_revocation,
                                                    numbered_rules};
static const struct hm_object_type type_local = {HM_TYP_REVOCATION, &hm_shape_local_revocation,
                                                 NULL};

enum hm_status hm_revocation_make(const struct hm_crypto *c, const struct hm_signer *signer,
                                  const REVOCATION *value, struct hm_out *out)
{
  return hm_object_make(c, signer, value->is_local ? &type_local : &type_numbered, value, out);
}

enum hm_status hm_revocation_open(const struct hm_crypto *c, struct hm_bytes object,
                                  const uint8_t point[64], REVOCATION *value, uint8_t name[32])
{
  struct hm_sign1 s;
  HM_TRY(hm_sign1_expect(object, HM_TYP_REVOCATION, &s));
  bool is_local = hm_decode(&hm_shape_local_revocation, s.payload, value, NULL) == HM_OK;
  HM_TRY(
      hm_object_open(c, object, is_local ? &type_local : &type_numbered, point, value, NULL, name));
  value->is_local = is_local;
  return HM_OK;
}

bool hm_revocation_names(const REVOCATION *value, const uint8_t name[32])
{
  if (memcmp(value->certificate, name, 32) == 0)
    return true;
  for (uint32_t i = 0; i < value->evidence_count; i++)
    if (memcmp(value->evidence[i], name, 32) == 0)
      return true;
  return false;
}

bool hm_revocation_ends_pairing(const REVOCATION *value, const uint8_t certificate[32],
                                const uint8_t pairing_id[16])
{
  if (hm_revocation_names(value, certificate))
    return true;
  return value->has_pairing_id && memcmp(value->pairing_id, pairing_id, 16) == 0;
}

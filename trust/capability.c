/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "trust/capability.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

const struct hm_algorithm_row hm_algorithm_rows[] = {
    {"signature", "ECDSA P-256 SHA-256, low-s, deterministic (RFC 6979)", "COSE alg", HM_ALG_ES256},
    {"to an agreement key", "ECDH-ES P-256 with HKDF-SHA-256, direct", "COSE alg",
     HM_ALG_ECDH_ES_HKDF_256},
    {"content of an encrypted object", "AES-256-GCM, 16-byte tag", "COSE alg", HM_ALG_A256GCM},
    {"sealed record", "AES-256-GCM, 16-byte tag", "record alg", 1},
    {"derivation", "HKDF-SHA-256 (RFC 5869)", NULL, 0},
    {"hash", "SHA-256", NULL, 0},
    {"tree", "SHA-256 by RFC 9162", "COSE vds", HM_VDS_RFC9162},
};
const size_t hm_algorithm_row_count = COUNT(hm_algorithm_rows);

const struct hm_class_row hm_class_rows[] = {
    {HM_CLASS_A, "A", "Jetson, app, pack", true, false, "own keys; signs its own request"},
    {HM_CLASS_S, "S", "module", false, true,
     "root key split at manufacture; it MACs, its pack verifies and countersigns"},
    {HM_CLASS_H, "H", "camera, IMU", true, true,
     "the host holds its keys, tied to a hash of stable descriptors, and countersigns"},
};
const size_t hm_class_row_count = COUNT(hm_class_rows);

enum { A = 1 << HM_CLASS_A, S = 1 << HM_CLASS_S, H = 1 << HM_CLASS_H };

const struct hm_entity_row hm_entity_rows[] = {
    {HM_ENTITY_PACK, "pack", A, false, false},
    {HM_ENTITY_MODULE, "module", S, true, false},
    {HM_ENTITY_SENSOR, "sensor", A | H, true, true},
    {HM_ENTITY_HOST, "host", A, false, false},
    {HM_ENTITY_APP, "app", A, false, false},
    {HM_ENTITY_AUTHORITY, "authority", A, false, false},
    {HM_ENTITY_SERVICE, "service", A | H, false, false},
    {HM_ENTITY_ENCODER, "encoder", A | H, true, false},
    {HM_ENTITY_STORE, "store", A | H, true, false},
};
const size_t hm_entity_row_count = COUNT(hm_entity_rows);

enum {
  CLEAR = 1 << HM_PROTECTION_CLEAR,
  SEALED = 1 << HM_PROTECTION_EXCHANGE | 1 << HM_PROTECTION_PAIRING | 1 << HM_PROTECTION_BINDING,
  PAIRED = 1 << HM_PROTECTION_PAIRING | 1 << HM_PROTECTION_BINDING
};

const struct hm_data_row hm_data_rows[] = {
    {HM_DATA_STATUS, "status", CLEAR | SEALED, "clear allowed"},
    {HM_DATA_HEARTBEAT, "heartbeat", CLEAR | SEALED, "clear allowed"},
    {HM_DATA_BASIC_TELEMETRY, "basic_telemetry", CLEAR | SEALED, "clear allowed"},
    {HM_DATA_TELEMETRY, "telemetry", CLEAR | SEALED, "optional"},
    {HM_DATA_DIAGNOSTICS, "diagnostics", CLEAR | SEALED, "optional"},
    {HM_DATA_COMMAND, "command", PAIRED, "required"},
    {HM_DATA_CONTROL, "control", PAIRED, "required"},
    {HM_DATA_CONFIGURATION, "configuration", PAIRED, "required"},
    {HM_DATA_AUTHENTICATION, "authentication", SEALED, "required"},
    {HM_DATA_FRAME, "frame", CLEAR | SEALED, "stays in the host"},
    {HM_DATA_TILE_SUMMARY, "tile_summary", CLEAR | SEALED, "stays in the host"},
    {HM_DATA_FOCUS, "focus", CLEAR | SEALED, "stays in the host"},
    {HM_DATA_IMU, "imu", CLEAR | SEALED, "stays in the host"},
    {HM_DATA_EMBEDDING, "embedding", CLEAR | SEALED, "stays in the host"},
};
const size_t hm_data_row_count = COUNT(hm_data_rows);

const struct hm_anchor_row hm_anchor_rows[] = {
    {HM_ANCHOR_SOFTWARE, "software", 400},
    {HM_ANCHOR_POSITION, "position", 400},
    {HM_ANCHOR_SERIAL, "serial", 400},
    {HM_ANCHOR_TPM2, "tpm2", 750},
    {HM_ANCHOR_SECURE_ELEMENT, "secure_element", 950},
    {HM_ANCHOR_FILE, "file", 400},
};
const size_t hm_anchor_row_count = COUNT(hm_anchor_rows);

const struct hm_entity_row *hm_entity_row(uint64_t type)
{
  for (size_t i = 0; i < hm_entity_row_count; i++)
    if (hm_entity_rows[i].type == type)
      return &hm_entity_rows[i];
  return NULL;
}

enum hm_status hm_capability_check(uint64_t class, uint64_t type, uint64_t kind)
{
  const struct hm_entity_row *row = hm_entity_row(type);
  if (row == NULL || class < HM_CLASS_A || class > HM_CLASS_H)
    return HM_POLICY;
  if ((row->classes & (1u << class)) == 0)
    return HM_POLICY;
  if (row->has_kind)
    return kind == HM_KIND_CAMERA || kind == HM_KIND_IMU ? HM_OK : HM_POLICY;
  return kind == HM_KIND_NONE ? HM_OK : HM_POLICY;
}

enum hm_status hm_protection_check(uint64_t data, uint64_t protection)
{
  for (size_t i = 0; i < hm_data_row_count; i++)
    if (hm_data_rows[i].data == data) {
      bool allowed = protection <= HM_PROTECTION_BINDING &&
                     (hm_data_rows[i].allowed & (1u << protection)) != 0;
      return allowed ? HM_OK : HM_POLICY;
    }
  return HM_UNSUPPORTED;
}

unsigned hm_assurance_ceiling(uint64_t anchor)
{
  for (size_t i = 0; i < hm_anchor_row_count; i++)
    if (hm_anchor_rows[i].anchor == anchor)
      return hm_anchor_rows[i].ceiling;
  return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The numbers of profile 1: one integer, one name, one meaning. Labels of our maps,
 * code points of our enumerations, and tables that give each code its word, which
 * programs read and print and `hallmark spec` shows. Nothing here is ever renumbered.
 */
#ifndef HM_TRUST_PROFILE_H
#define HM_TRUST_PROFILE_H

#include "trust/codec.h"

enum { HM_PROFILE = 1 };

/* ---- labels of every map of ours ----------------------------------------------- */
enum hm_label {
  HM_L_BLIND = 0,
  HM_L_VER = 1,
  HM_L_LOG_NUMBER = 2,
  HM_L_TYPE = 3,
  HM_L_LCT = 4,
  HM_L_PAIRINGS = 5,
  HM_L_SENSOR_LEAF = 6,
  HM_L_BATCH_NUMBER = 7,
  HM_L_LEVEL = 8,
  HM_L_PROTECTION = 9,
  HM_L_FRAME = 10,
  HM_L_RAW_NS = 11,
  HM_L_CLOCK_DOMAIN = 12,
  HM_L_QUALITY = 13,
  HM_L_TIME_NS = 14,
  HM_L_ERROR_NS = 15,
  HM_L_REGION = 16,
  HM_L_TRUST = 17,
  HM_L_VALUE = 18,
  HM_L_COHERENCE = 19,
  HM_L_PICTURE = 20,
  HM_L_VECTOR = 21,
  HM_L_ARRIVAL_NS = 22,
  HM_L_ORIGIN = 23,
  HM_L_CLASS = 24,
  HM_L_ENTITY_TYPE = 25,
  HM_L_KIND = 26,
  HM_L_AGREEMENT_KEY = 27,
  HM_L_ANCHOR = 28,
  HM_L_SERIAL = 29,
  HM_L_CAPS = 30,
  HM_L_BOUND_TO = 31,
  HM_L_ENCODER_INFO = 32,
  HM_L_REQUEST = 33,
  HM_L_COUNTERSIGN = 34,
  HM_L_COMMITMENT = 35,
  HM_L_PROXY = 36,
  HM_L_SUPERSEDES = 37,
  HM_L_METADATA = 38,
  HM_L_SECTIONS = 39,
  HM_L_PAIRING_ID = 40,
  HM_L_KID16 = 41,
  HM_L_ENTITIES = 42,
  HM_L_CONTEXT_NAME = 43,
  HM_L_DATA_TYPES = 44,
  HM_L_OPERATIONS = 45,
  HM_L_RATES = 46,
  HM_L_LEAST = 47,
  HM_L_MAX_EPOCHS = 48,
  HM_L_FRESH = 49,
  HM_L_HALF = 50,
  HM_L_POLICY_HASH = 51,
  HM_L_SEED = 52,
  HM_L_CALLBACK = 53,
  HM_L_WINDOW_S = 54,
  HM_L_NONCE = 55,
  HM_L_TRANSCRIPT = 56,
  HM_L_ROLE = 57,
  HM_L_CONFIRM = 58,
  HM_L_RESULT = 59,
  HM_L_WITNESS = 60,
  HM_L_CERTIFICATE = 61,
  HM_L_EVIDENCE = 62,
  HM_L_REASON = 63,
  HM_L_ATP = 64,
  HM_L_ENERGY_MJ = 65,
  HM_L_PURPOSES = 66,
  HM_L_PREVIOUS = 67,
  HM_L_REVOCATIONS = 68,
  HM_L_FIRST = 69,
  HM_L_COUNT = 70,
  HM_L_CONTROL_SIZE = 71,
  HM_L_CONTROL_TREE = 72,
  HM_L_DATA_TREE = 73,
  HM_L_EVENT = 74,
  HM_L_SOURCE = 75,
  HM_L_MAC = 76,
  HM_L_SINCE = 77,
  HM_L_CONTEXT = 78,
  HM_L_RECEIPT_WITHIN = 79,
  HM_L_SENSORS = 80,
  HM_L_MODEL = 81,
  HM_L_VERSION = 82,
  HM_L_PREPROCESSING = 83,
  HM_L_DIMENSION = 84,
  HM_L_DTYPE = 85,
  HM_L_SCALE = 86,
  HM_L_EXPORTED = 87,
  HM_L_SKIPPED = 88,
  HM_L_ROOT = 89,
  HM_L_RECIPIENT = 90,
  HM_L_LAW = 91,
  HM_L_FLAGS = 92,
  HM_L_SUBJECT = 93,
  HM_L_TRIGGER = 94,
  HM_L_PASSED = 95,
  HM_L_DROPPED = 96,
  HM_L_LATE = 97,
  HM_L_UNAUTHORIZED = 98,
  HM_L_STATE = 99,
  HM_L_FIRST_FRAME = 100,
  HM_L_LAST_FRAME = 101,
  HM_L_PERIPHERALS = 102,
  HM_L_FIRST_ARRIVAL = 103,
  HM_L_LAST_ARRIVAL = 104,
  HM_L_SESSION_KEY = 105,
  HM_L_LIVE = 106,
  HM_L_CONTROL_RANGE = 107,
  HM_L_DATA_RANGE = 108,
  HM_L_START = 109,
  HM_L_DATA_SIZE = 110,
  HM_L_TRAINED_ON = 111,
  HM_L_LOWER = 112,
  HM_L_COUNT_OF_LABELS = 113
};

/* CWT claims (RFC 8392) and the private label under which our maps stand. */
enum {
  HM_CWT_EXP = 4,
  HM_CWT_NBF = 5,
  HM_CWT_IAT = 6,
  HM_CWT_CTI = 7,
  HM_CWT_CNF = 8,
  HM_CWT_OURS = -70000
};

/* ---- codes ------------------------------------------------------------------------ */
enum hm_class { HM_CLASS_A = 1, HM_CLASS_S = 2, HM_CLASS_H = 3 };

enum hm_entity_type {
  HM_ENTITY_PACK = 1,
  HM_ENTITY_MODULE,
  HM_ENTITY_SENSOR,
  HM_ENTITY_HOST,
  HM_ENTITY_APP,
  HM_ENTITY_AUTHORITY,
  HM_ENTITY_SERVICE,
  HM_ENTITY_ENCODER,
  HM_ENTITY_STORE
};

enum hm_kind { HM_KIND_NONE = 0, HM_KIND_CAMERA = 1, HM_KIND_IMU = 2 };

enum hm_anchor {
  HM_ANCHOR_SOFTWARE = 1,
  HM_ANCHOR_POSITION,
  HM_ANCHOR_SERIAL,
  HM_ANCHOR_TPM2,
  HM_ANCHOR_SECURE_ELEMENT,
  HM_ANCHOR_FILE /* recorded file or encoder */
};

enum hm_context {
  HM_CONTEXT_BATTERY_MANAGEMENT = 1,
  HM_CONTEXT_DIAGNOSTICS,
  HM_CONTEXT_FIRMWARE_UPDATE,
  HM_CONTEXT_EMERGENCY,
  HM_CONTEXT_DRIVE,
  HM_CONTEXT_TRAINING,
  HM_CONTEXT_CUSTOM = 64 /* this and above carry a context name */
};

enum hm_data {
  HM_DATA_STATUS = 1,
  HM_DATA_HEARTBEAT,
  HM_DATA_BASIC_TELEMETRY,
  HM_DATA_TELEMETRY,
  HM_DATA_DIAGNOSTICS,
  HM_DATA_COMMAND,
  HM_DATA_CONTROL,
  HM_DATA_CONFIGURATION,
  HM_DATA_AUTHENTICATION,
  HM_DATA_FRAME = 16,
  HM_DATA_TILE_SUMMARY,
  HM_DATA_FOCUS,
  HM_DATA_IMU,
  HM_DATA_EMBEDDING
};

enum hm_operation {
  HM_OP_OBSERVE = 1,
  HM_OP_REMEMBER,
  HM_OP_TRAIN,
  HM_OP_READ,
  HM_OP_WRITE,
  HM_OP_EXECUTE
};

enum hm_protection {
  HM_PROTECTION_CLEAR = 0,
  HM_PROTECTION_EXCHANGE,
  HM_PROTECTION_PAIRING,
  HM_PROTECTION_BINDING
};

/* Receipt kinds; the first four are of level 6, the next three of level 7. */
enum hm_receipt_kind {
  HM_RECEIPT_COMPLETION = 1,
  HM_RECEIPT_REVOCATION,
  HM_RECEIPT_MODIFICATION,
  HM_RECEIPT_FAILED,
  HM_RECEIPT_ESTABLISHMENT,
  HM_RECEIPT_VERIFICATION,
  HM_RECEIPT_RETIREMENT, /* the level 7 "revocation": an entity ends */
  HM_RECEIPT_SEGMENT_OPENED = 16,
  HM_RECEIPT_SEGMENT_CLOSED,
  HM_RECEIPT_PRUNING,
  HM_RECEIPT_CALIBRATION,
  HM_RECEIPT_SUPPRESSION,
  HM_RECEIPT_STREAM_REFUSED,
  HM_RECEIPT_BALANCE,
  HM_RECEIPT_REDACTION,
  HM_RECEIPT_GENESIS,
  HM_RECEIPT_START,
  HM_RECEIPT_EFFECTIVE,
  HM_RECEIPT_EXPORT_ENDED,
  HM_RECEIPT_CONTINUED
};

enum hm_event {
  HM_EVENT_ESCALATION = 1,
  HM_EVENT_WITNESS,
  HM_EVENT_GAP,
  HM_EVENT_SUPPRESSION,
  HM_EVENT_REFUSED,
  HM_EVENT_SENSOR_STATE,
  HM_EVENT_MODE,
  HM_EVENT_CONFIRMATION
};

enum hm_reason {
  HM_REASON_ANOMALY_DETECTED = 1,
  HM_REASON_SECURITY_THREAT,
  HM_REASON_AUDIT_REQUIRED,
  HM_REASON_OPERATOR = 16,
  HM_REASON_RETIRED,
  HM_REASON_SUPERSEDED,
  HM_REASON_KEY_COMPROMISE,
  HM_REASON_ANCHOR_CHANGED,
  HM_REASON_HANDSHAKE_FAILED,
  HM_REASON_NO_RECEIPT,
  HM_REASON_EXPIRED,
  HM_REASON_RATE,
  HM_REASON_RESTART
};

enum hm_result { HM_RESULT_PASS = 0, HM_RESULT_FAIL = 1 };

enum hm_clock {
  HM_CLOCK_MONOTONIC = 1,
  HM_CLOCK_BOOTTIME,
  HM_CLOCK_REALTIME,
  HM_CLOCK_DEVICE,
  HM_CLOCK_RTP,
  HM_CLOCK_FILE,
  HM_CLOCK_PIPELINE
};

enum hm_quality { HM_QUALITY_NONE = 0, HM_QUALITY_PEER, HM_QUALITY_NETWORK, HM_QUALITY_AUTHORITY };

enum hm_sensor_state {
  HM_SENSOR_OK = 0,
  HM_SENSOR_NOT_PROCESSED,
  HM_SENSOR_DARK,
  HM_SENSOR_OBSCURED,
  HM_SENSOR_FROZEN,
  HM_SENSOR_STALE,
  HM_SENSOR_REPLAY,
  HM_SENSOR_ABSENT,
  HM_SENSOR_GATE_SHUT
};

enum hm_purpose { HM_PURPOSE_BATCHES = 1, HM_PURPOSE_RECEIPTS = 2 };

enum hm_origin { HM_ORIGIN_LIVE = 0, HM_ORIGIN_REPLAY, HM_ORIGIN_SYNTHETIC };

enum hm_record_type { HM_RECORD_OBSERVATION = 1, HM_RECORD_MEMORY, HM_RECORD_EVENT };

/* Types of the leaves of a batch that are no records. */
enum { HM_LEAF_FACTS = 0, HM_LEAF_SENSOR = 4 };

enum hm_coherence { HM_COHERENCE_NOT_JUDGED = 0, HM_COHERENCE_AGREES, HM_COHERENCE_CONTRADICTS };

enum hm_pixels { HM_PIXELS_I420 = 1, HM_PIXELS_GREY = 2 };

/* Positions in a sensor leaf's list of drops. */
enum hm_drop {
  HM_DROP_BACK_PRESSURE = 0,
  HM_DROP_RATE,
  HM_DROP_STORM,
  HM_DROP_DISK,
  HM_DROP_INVALID,
  HM_DROP_OTHER,
  HM_DROP_COUNT
};

enum hm_export_kind { HM_EXPORT_EXPORT = 1, HM_EXPORT_BACKUP, HM_EXPORT_PROOF, HM_EXPORT_INCIDENT };

enum hm_skip {
  HM_SKIP_REVOKED = 1,
  HM_SKIP_NO_TRAIN,
  HM_SKIP_OTHER_CONTEXT,
  HM_SKIP_TRUST,
  HM_SKIP_PRUNED,
  HM_SKIP_UNPROVEN,
  HM_SKIP_INCOHERENT,
  HM_SKIP_OTHER
};

enum hm_witness_role {
  HM_WITNESS_TIME = 1,
  HM_WITNESS_AUDIT,
  HM_WITNESS_ORACLE,
  HM_WITNESS_EXISTENCE,
  HM_WITNESS_ACTION,
  HM_WITNESS_STATE,
  HM_WITNESS_QUALITY
};

/* ---- limits ----------------------------------------------------------------------- */
enum {
  HM_DAY_S = 86400,
  HM_SKEW_S = 300,             /* accepted between peers */
  HM_LIFE_MAX_S = 400 * 86400, /* of everything but a binding */
  HM_SESSION_MAX_S = 86400,
  HM_BATCHES_PER_SESSION = 1 << 20,
  HM_BATCH_RECORDS = 1024,
  HM_BATCH_SENSORS = 32,
  HM_TEXT_MAX = 64
};
#define HM_BINDING_LIFE_MAX_S (20ull * 366 * 86400)
#define HM_SECONDS_MAX ((1ull << 40) - 1) /* a "seconds" has at most five bytes */
#define HM_U32_MAX 0xffffffffull
#define HM_INT_MAX 0x7fffffffffffffffull /* of every integer */

/* ---- words of the codes ------------------------------------------------------------ */
struct hm_code {
  uint32_t code;
  const char *name;
};
struct hm_code_table {
  const char *name; /* of the enumeration: "context" */
  const struct hm_code *codes;
  size_t count;
};

extern const struct hm_code_table hm_classes, hm_entity_types, hm_kinds, hm_anchors, hm_contexts,
    hm_data_types, hm_operations, hm_protections, hm_receipt_kinds, hm_events, hm_reasons,
    hm_results, hm_clocks, hm_qualities, hm_sensor_states, hm_purposes, hm_origins, hm_record_types,
    hm_coherences, hm_export_kinds, hm_skips, hm_witness_roles, hm_drops;

/* All of the tables above, for printing. */
extern const struct hm_code_table *const hm_code_tables[];
extern const size_t hm_code_table_count;

/* The word of a code ("drive"), or NULL where the table has none. */
const char *hm_code_name(const struct hm_code_table *table, uint64_t code);
/* The code of a word; false where the table has no such word. */
bool hm_code_find(const struct hm_code_table *table, struct hm_bytes word, uint32_t *code);

/* The name of a label of ours ("control-size"), or NULL. */
const char *hm_label_name(uint64_t label);

/* ---- the shapes, for `hallmark spec` ------------------------------------------------ */
/* One signed type of object: its typ, the shape of its payload, the size of its C
 * struct. Types with two bodies have two rows. */
struct hm_object {
  uint16_t typ; /* 0: not signed by itself (policy, record, facts, ...) */
  const char *name;
  const struct hm_shape *shape;
};
extern const struct hm_object *const hm_object_table[];
extern const size_t hm_object_count;

/* One row of the printed specification. */
struct hm_spec_row {
  const char *object; /* "binding-request" */
  uint16_t typ;
  const char *within; /* the shape the field stands in: "request-body" */
  int depth;          /* 0 for fields of the object itself */
  bool has_label;     /* a map key; else a position of an array */
  int64_t label;
  size_t position;
  const char *field;
  enum hm_field_kind kind;
  const struct hm_shape *of; /* of SHAPE, LIST, UMAP; else NULL */
  unsigned flags;
  uint64_t min, max;
  int64_t fixed; /* NINT */
};
/* The word of a field kind: "uint", "bstr", "map"... */
const char *hm_field_kind_name(enum hm_field_kind kind, const struct hm_shape *of);
/* Call row for every field of every object, in order, nested ones after their
 * parent; a false return stops. */
void hm_spec_walk(bool (*row)(void *user, const struct hm_spec_row *row), void *user);

#endif

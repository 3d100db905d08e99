/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Who may be what, how much protection each type of data may have, and by which
 * algorithms: the tables of crypto profile 1, const.
 */
#ifndef HM_TRUST_CAPABILITY_H
#define HM_TRUST_CAPABILITY_H

#include "trust/profile.h"

/* Bits of `caps` in a binding: what an entity can do. */
enum {
  HM_CAP_FRAMES = 1 << 0,    /* gives pictures */
  HM_CAP_IMU = 1 << 1,       /* gives inertial samples */
  HM_CAP_TELEMETRY = 1 << 2, /* gives pack telemetry */
  HM_CAP_COMMANDS = 1 << 3,  /* takes commands */
  HM_CAP_RECORDS = 1 << 4,   /* keeps logs and signs batches */
  HM_CAP_WITNESS = 1 << 5,   /* answers witness requests */
  HM_CAP_EMBEDS = 1 << 6,    /* makes vectors */
  HM_CAP_RECORDED = 1 << 7   /* a recording, not a live unit */
};

/* Identifiers of the COSE registry (RFC 9053, RFC 9942); cose.c writes and reads these. */
enum { HM_ALG_A256GCM = 3, HM_ALG_ES256 = -7, HM_ALG_ECDH_ES_HKDF_256 = -25, HM_VDS_RFC9162 = 1 };

/* What profile 1 uses for a purpose; everything else is refused, never negotiated. */
struct hm_algorithm_row {
  const char *role, *name;
  const char *registry; /* whose identifier it is; NULL: it has none */
  int id;
};

struct hm_class_row {
  uint8_t class;
  const char *name;
  const char *who;
  bool asymmetric;     /* holds signing and agreement keys of its own */
  bool needs_host;     /* bound_to and a countersignature by the host */
  const char *binding; /* a sentence */
};

struct hm_entity_row {
  uint8_t type;
  const char *name;
  unsigned classes;   /* bit 1 << class */
  bool is_responsive; /* never starts a pairing; its host does */
  bool has_kind;
};

/* How much protection a type of data may have on the wire. */
struct hm_data_row {
  uint8_t data;
  const char *name;
  unsigned allowed; /* bit 1 << protection */
  const char *rule; /* "clear allowed", "optional", "required", "local" */
};

/* Upper bound of assurance by anchor, in thousandths; shown beside T3. */
struct hm_anchor_row {
  uint8_t anchor;
  const char *name;
  uint16_t ceiling;
};

extern const struct hm_algorithm_row hm_algorithm_rows[];
extern const size_t hm_algorithm_row_count;
extern const struct hm_class_row hm_class_rows[];
extern const size_t hm_class_row_count;
extern const struct hm_entity_row hm_entity_rows[];
extern const size_t hm_entity_row_count;
extern const struct hm_data_row hm_data_rows[];
extern const size_t hm_data_row_count;
extern const struct hm_anchor_row hm_anchor_rows[];
extern const size_t hm_anchor_row_count;

/* HM_OK iff an entity of this type may be of this class and kind; else HM_POLICY. */
enum hm_status HM_MUST_CHECK hm_capability_check(uint64_t class, uint64_t type, uint64_t kind);
/* The row of an entity type or NULL. */
const struct hm_entity_row *hm_entity_row(uint64_t type);
/* HM_OK iff a type of data may be sent with this protection; HM_UNSUPPORTED for an
 * unknown type, HM_POLICY otherwise. */
enum hm_status HM_MUST_CHECK hm_protection_check(uint64_t data, uint64_t protection);
/* Ceiling of assurance of an anchor class in thousandths; 0 for an unknown one. */
unsigned hm_assurance_ceiling(uint64_t anchor);

#endif

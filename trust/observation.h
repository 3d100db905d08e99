/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The record: one leaf of the data log. What was seen (observation), what was seen
 * with a vector (memory), or what happened to trust itself (event). Picture, vector
 * and their salts stand outside it, behind commitments, and can be erased while
 * every proof stays whole.
 */
#ifndef HM_TRUST_OBSERVATION_H
#define HM_TRUST_OBSERVATION_H

#include "trust/batch.h"

enum { HM_RECORD_MAX = 4096, HM_OPENING_MAX = 65536, HM_EVIDENCE_PICTURE = 3072 };

/* Positions of the five factors of trust and of the five parts of value. */
enum { HM_TRUST_EXPOSURE, HM_TRUST_SHARP, HM_TRUST_NOISE, HM_TRUST_LIVE, HM_TRUST_INFORMATION };
enum { HM_VALUE_SURPRISE, HM_VALUE_NOVELTY, HM_VALUE_AROUSAL, HM_VALUE_REWARD, HM_VALUE_CONFLICT };

/* A Q8 fraction (0..256) that may be unmeasured (has false: nil). */
struct hm_q8 {
  bool has;
  uint64_t q8;
};

struct hm_record {
  uint8_t blind[16];
  uint64_t number; /* mN */
  uint64_t type;   /* enum hm_record_type */
  struct hm_sensor_ref sensor;
  bool has_pairings, has_sensor_leaf, has_frame, has_raw_ns, has_clock_domain, has_time,
      has_error_ns, has_region, has_trust, has_value, has_coherence, has_picture, has_vector,
      has_event, has_source;
  uint32_t pairing_count;
  struct hm_pairing_use pairings[HM_PAIRING_USES];
  uint64_t sensor_leaf;  /* index of its sensor leaf, 1..32 */
  uint64_t batch_number; /* rN */
  uint64_t level;
  uint64_t protection;
  uint64_t frame, raw_ns;
  uint64_t clock_domain;        /* enum hm_clock */
  uint64_t quality;             /* enum hm_quality */
  uint64_t time_ns;             /* captured, mapped; has_time false: nil */
  uint64_t error_ns;            /* iff has_time */
  uint64_t x, y, width, height; /* region, pixels */
  uint64_t trust[5];            /* Q8 */
  struct hm_q8 value[5];
  uint64_t coherence; /* enum hm_coherence */
  struct hm_q8 coherence_score;
  uint64_t coherence_reasons;
  uint64_t pixels;     /* enum hm_pixels */
  uint8_t picture[32]; /* commitment */
  uint8_t encoder[32]; /* encoder hash */
  uint8_t vector[32];  /* commitment */
  uint64_t arrival_ns;
  uint64_t origin;
  struct { /* iff type event */
    uint64_t level, kind;
    uint32_t evidence_count;
    uint8_t evidence[HM_EVIDENCE_MAX][32];
    bool has_reason, has_atp, has_energy_mj, has_count, has_trigger;
    uint64_t reason, atp, energy_mj, count, trigger;
  } event;
  uint64_t source; /* mN of the record an external vector came from */
};
extern const struct hm_shape hm_shape_record;

/* Decode and check: types 1 and 2 have pairings, sensor leaf, frame, raw time, clock,
 * region and trust; a vector iff memory, an event iff event; error iff captured time;
 * pairings ascending by context. */
enum hm_status HM_MUST_CHECK hm_record_decode(struct hm_bytes leaf, struct hm_record *record,
                                              struct hm_where *where);
enum hm_status HM_MUST_CHECK hm_record_encode(const struct hm_record *record, struct hm_out *out,
                                              struct hm_where *where);

/* Trust of the five factors: ((((a*b)>>8)*c)>>8)... Q8, in the order of the table. */
unsigned hm_trust_fold(const uint64_t factors[5]);
/* The lowest factor: the named reason. The first of equals. */
unsigned hm_trust_lowest(const uint64_t factors[5]);
/* Word of a factor: "exposure", ... */
const char *hm_trust_factor_name(unsigned factor);
const char *hm_value_part_name(unsigned part);
/* Mean of the parts that are there, rounded down; has false where none is. */
struct hm_q8 hm_value_mean(const struct hm_q8 parts[5]);

/* Commitments: SHA-256("hallmark/1 picture" or "hallmark/1 vector" || 0x00 || salt || bytes). */
enum hm_commitment { HM_COMMIT_PICTURE, HM_COMMIT_VECTOR };
enum hm_status HM_MUST_CHECK hm_commitment(const struct hm_crypto *c, enum hm_commitment what,
                                           const uint8_t salt[16], struct hm_bytes content,
                                           uint8_t digest[32]);

#endif

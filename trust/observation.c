/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "trust/observation.h"

#include "trust/fields.h"

#define RECORD struct hm_record

static const struct hm_field region_fields[] = {
    UINT_ROW(RECORD, x, 0, "x", 0, 65535),
    UINT_ROW(RECORD, y, 0, "y", 0, 65535),
    UINT_ROW(RECORD, width, 0, "width", 0, 65535),
    UINT_ROW(RECORD, height, 0, "height", 0, 65535),
};
static const struct hm_shape shape_region = {"region-value", HM_ARRAY, ROWS(region_fields),
                                             sizeof(RECORD)};
static const struct hm_field trust_fields[] = {
    UINT_ROW(RECORD, trust[HM_TRUST_EXPOSURE], 0, "exposure", 0, 256),
    UINT_ROW(RECORD, trust[HM_TRUST_SHARP], 0, "sharp", 0, 256),
    UINT_ROW(RECORD, trust[HM_TRUST_NOISE], 0, "noise", 0, 256),
    UINT_ROW(RECORD, trust[HM_TRUST_LIVE], 0, "live", 0, 256),
    UINT_ROW(RECORD, trust[HM_TRUST_INFORMATION], 0, "information", 0, 256),
};
static const struct hm_shape shape_trust = {"trust-value", HM_ARRAY, ROWS(trust_fields),
                                            sizeof(RECORD)};
#define PART(i, n) NIL_UINT(RECORD, value[i].q8, value[i].has, 0, n, 0, 256)
static const struct hm_field value_fields[] = {
    PART(HM_VALUE_SURPRISE, "surprise"), PART(HM_VALUE_NOVELTY, "novelty"),
    PART(HM_VALUE_AROUSAL, "arousal"),   PART(HM_VALUE_REWARD, "reward"),
    PART(HM_VALUE_CONFLICT, "conflict"),
};
static const struct hm_shape shape_value = {"value-parts", HM_ARRAY, ROWS(value_fields),
                                            sizeof(RECORD)};
static const struct hm_field coherence_fields[] = {
    UINT_ROW(RECORD, coherence, 0, "verdict", HM_COHERENCE_NOT_JUDGED, HM_COHERENCE_CONTRADICTS),
    NIL_UINT(RECORD, coherence_score.q8, coherence_score.has, 0, "score", 0, 256),
    UINT_ROW(RECORD, coherence_reasons, 0, "reasons", 0, 65535),
};
static const struct hm_shape shape_coherence = {"coherence-value", HM_ARRAY, ROWS(coherence_fields),
                                                sizeof(RECORD)};
static const struct hm_field picture_fields[] = {
    UINT_ROW(RECORD, pixels, 0, "pixels", HM_PIXELS_I420, HM_PIXELS_GREY),
    FIXED_ROW(RECORD, picture, 0, "digest", 32),
};
static const struct hm_shape shape_picture = {"picture-ref", HM_ARRAY, ROWS(picture_fields),
                                              sizeof(RECORD)};
static const struct hm_field vector_fields[] = {
    FIXED_ROW(RECORD, encoder, 0, "coder", 32),
    FIXED_ROW(RECORD, vector, 0, "digest", 32),
};
static const struct hm_shape shape_vector = {"vector-ref", HM_ARRAY, ROWS(vector_fields),
                                             sizeof(RECORD)};
static const struct hm_field event_fields[] = {
    UINT_ROW(RECORD, event.level, HM_L_LEVEL, "level", 1, 7),
    UINT_ROW(RECORD, event.kind, HM_L_KIND, "kind", HM_EVENT_ESCALATION, HM_EVENT_CONFIRMATION),
    LIST_ROW(RECORD, event.evidence, event.evidence_count, 0, HM_L_EVIDENCE, "evidence", 0,
             HM_EVIDENCE_MAX, &hm_shape_hash),
    OPT_UINT(RECORD, event.reason, event.has_reason, HM_L_REASON, "reason", 1, 65535),
    OPT_UINT(RECORD, event.atp, event.has_atp, HM_L_ATP, "atp", 0, HM_U32_MAX),
    OPT_UINT(RECORD, event.energy_mj, event.has_energy_mj, HM_L_ENERGY_MJ, "energy-mj", 0,
             HM_U32_MAX),
    OPT_UINT(RECORD, event.count, event.has_count, HM_L_COUNT, "count", 0, HM_INT_MAX),
    OPT_UINT(RECORD, event.trigger, event.has_trigger, HM_L_TRIGGER, "trigger", 1, 255),
};
static const struct hm_shape shape_event = {"event-body", HM_MAP, ROWS(event_fields),
                                            sizeof(RECORD)};

static const struct hm_field record_fields[] = {
    FIXED_ROW(RECORD, blind, HM_L_BLIND, "blind", 16),
    UINT_ROW(RECORD, number, HM_L_LOG_NUMBER, "log-number", 1, HM_INT_MAX),
    UINT_ROW(RECORD, type, HM_L_TYPE, "type", HM_RECORD_OBSERVATION, HM_RECORD_EVENT),
    SHAPE_ROW(RECORD, sensor, HM_L_LCT, "lct", &hm_shape_sensor_ref),
    OPT_LIST(RECORD, pairings, has_pairings, pairing_count, 0, HM_L_PAIRINGS, "pairings", 1,
             HM_PAIRING_USES, &hm_shape_pairing_use),
    OPT_UINT(RECORD, sensor_leaf, has_sensor_leaf, HM_L_SENSOR_LEAF, "sensor-leaf", 1,
             HM_BATCH_SENSORS),
    UINT_ROW(RECORD, batch_number, HM_L_BATCH_NUMBER, "batch-number", 1, HM_INT_MAX),
    UINT_ROW(RECORD, level, HM_L_LEVEL, "level", 1, 7),
    UINT_ROW(RECORD, protection, HM_L_PROTECTION, "protection", 0, HM_PROTECTION_BINDING),
    OPT_UINT(RECORD, frame, has_frame, HM_L_FRAME, "frame", 0, HM_INT_MAX),
    OPT_UINT(RECORD, raw_ns, has_raw_ns, HM_L_RAW_NS, "raw-ns", 0, HM_INT_MAX),
    OPT_UINT(RECORD, clock_domain, has_clock_domain, HM_L_CLOCK_DOMAIN, "clock-domain",
             HM_CLOCK_MONOTONIC, HM_CLOCK_PIPELINE),
    UINT_ROW(RECORD, quality, HM_L_QUALITY, "quality", HM_QUALITY_NONE, HM_QUALITY_AUTHORITY),
    NIL_UINT(RECORD, time_ns, has_time, HM_L_TIME_NS, "time-ns", 0, HM_INT_MAX),
    OPT_UINT(RECORD, error_ns, has_error_ns, HM_L_ERROR_NS, "error-ns", 0, HM_INT_MAX),
    OPT_FLAT(RECORD, has_region, HM_L_REGION, "region", &shape_region),
    OPT_FLAT(RECORD, has_trust, HM_L_TRUST, "trust", &shape_trust),
    OPT_FLAT(RECORD, has_value, HM_L_VALUE, "value", &shape_value),
    OPT_FLAT(RECORD, has_coherence, HM_L_COHERENCE, "coherence", &shape_coherence),
    OPT_FLAT(RECORD, has_picture, HM_L_PICTURE, "picture", &shape_picture),
    OPT_FLAT(RECORD, has_vector, HM_L_VECTOR, "vector", &shape_vector),
    UINT_ROW(RECORD, arrival_ns, HM_L_ARRIVAL_NS, "arrival-ns", 0, HM_INT_MAX),
    UINT_ROW(RECORD, origin, HM_L_ORIGIN, "origin", HM_ORIGIN_LIVE, HM_ORIGIN_SYNTHETIC),
    OPT_FLAT(RECORD, has_event, HM_L_EVENT, "event", &shape_event),
    OPT_UINT(RECORD, source, has_source, HM_L_SOURCE, "source", 1, HM_INT_MAX),
};
const struct hm_shape hm_shape_record = {"record", HM_MAP, ROWS(record_fields), sizeof(RECORD)};

/* The first field that breaks a rule the table cannot say, or NULL. */
static const char *broken_field(const RECORD *r)
{
  bool seen = r->type == HM_RECORD_OBSERVATION || r->type == HM_RECORD_MEMORY;
  const struct {
    bool is_there;
    const char *name;
  } needed[] = {{r->has_pairings, "pairings"},
                {r->has_sensor_leaf, "sensor-leaf"},
                {r->has_frame, "frame"},
                {r->has_raw_ns, "raw-ns"},
                {r->has_clock_domain, "clock-domain"},
                {r->has_region, "region"},
                {r->has_trust, "trust"}};
  for (size_t i = 0; seen && i < sizeof needed / sizeof needed[0]; i++)
    if (!needed[i].is_there)
      return needed[i].name;
  if (r->has_vector != (r->type == HM_RECORD_MEMORY))
    return "vector";
  if (r->has_event != (r->type == HM_RECORD_EVENT))
    return "event";
  if (r->has_error_ns != r->has_time)
    return "error-ns";
  for (uint32_t i = 1; i < r->pairing_count; i++)
    if (r->pairings[i - 1].context >= r->pairings[i].context)
      return "pairings";
  return NULL;
}

static enum hm_status record_rules(const RECORD *record, struct hm_where *where)
{
  const char *field = broken_field(record);
  if (field == NULL)
    return HM_OK;
  if (where != NULL)
    *where = (struct hm_where){field, 0};
  return HM_MALFORMED;
}

enum hm_status hm_record_decode(struct hm_bytes leaf, RECORD *record, struct hm_where *where)
{
  if (leaf.len > HM_RECORD_MAX)
    return HM_TOO_LARGE;
  HM_TRY(hm_decode(&hm_shape_record, leaf, record, where));
  return record_rules(record, where);
}

enum hm_status hm_record_encode(const RECORD *record, struct hm_out *out, struct hm_where *where)
{
  HM_TRY(record_rules(record, where));
  return hm_encode(&hm_shape_record, record, out, where);
}

/* ---- figures that are computed, never stored -------------------------------------------- */
unsigned hm_trust_fold(const uint64_t factors[5])
{
  uint64_t trust = factors[0];
  for (size_t i = 1; i < 5; i++)
    trust = (trust * factors[i]) >> 8;
  return (unsigned)trust;
}

unsigned hm_trust_lowest(const uint64_t factors[5])
{
  unsigned lowest = 0;
  for (unsigned i = 1; i < 5; i++)
    if (factors[i] < factors[lowest])
      lowest = i;
  return lowest;
}

const char *hm_trust_factor_name(unsigned factor)
{
  return factor < 5 ? trust_fields[factor].name : "unknown";
}

const char *hm_value_part_name(unsigned part)
{
  return part < 5 ? value_fields[part].name : "unknown";
}

struct hm_q8 hm_value_mean(const struct hm_q8 parts[5])
{
  struct hm_q8 mean = {false, 0};
  uint64_t sum = 0, count = 0;
  for (size_t i = 0; i < 5; i++)
    if (parts[i].has) {
      sum += parts[i].q8;
      count++;
    }
  if (count > 0)
    mean = (struct hm_q8){true, sum / count};
  return mean;
}

enum hm_status hm_commitment(const struct hm_crypto *c, enum hm_commitment what,
                             const uint8_t salt[16], struct hm_bytes content, uint8_t digest[32])
{
  static const char picture[] = "hallmark/1 picture"; /* with its closing 0x00 */
  static const char vector[] = "hallmark/1 vector";
  struct hm_bytes parts[3] = {what == HM_COMMIT_PICTURE ? hm_bytes(picture, sizeof picture)
                                                        : hm_bytes(vector, sizeof vector),
                              {salt, 16},
                              content};
  return c->sha256(parts, 3, digest);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One signature over a root; leaf 0 says again what the claims say, so that neither
 * can be read without the other; paths travel in the unprotected header and prove
 * only what the signed claims allow them to.
 */
#include "trust/batch.h"

#include "trust/fields.h"

/* ---- small parts --------------------------------------------------------------------------- */
static const struct hm_field pairing_use_fields[] = {
    UINT_ROW(struct hm_pairing_use, context, 0, "context", 1, 65535),
    FIXED_ROW(struct hm_pairing_use, certificate, 0, "certificate", 32),
};
const struct hm_shape hm_shape_pairing_use = {"pairing-use", HM_ARRAY, ROWS(pairing_use_fields),
                                              sizeof(struct hm_pairing_use)};

static const struct hm_field sensor_ref_fields[] = {
    FIXED_ROW(struct hm_sensor_ref, lct, 0, "entity", 32),
    UINT_ROW(struct hm_sensor_ref, control, 0, "control-number", 1, HM_INT_MAX),
};
const struct hm_shape hm_shape_sensor_ref = {"sensor-ref", HM_ARRAY, ROWS(sensor_ref_fields),
                                             sizeof(struct hm_sensor_ref)};

/* ---- claims --------------------------------------------------------------------------------- */
#define CLAIMS struct hm_batch_claims
static const struct hm_field claims_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    UINT_ROW(CLAIMS, number, HM_L_LOG_NUMBER, "log-number", 1, HM_INT_MAX),
    UINT_ROW(CLAIMS, quality, HM_L_QUALITY, "quality", HM_QUALITY_NONE, HM_QUALITY_AUTHORITY),
    FIXED_ROW(CLAIMS, previous, HM_L_PREVIOUS, "previous", 32),
    SHAPE_ROW(CLAIMS, revocations, HM_L_REVOCATIONS, "revocations", &hm_shape_revocation_view),
    UINT_ROW(CLAIMS, first, HM_L_FIRST, "first", 1, HM_INT_MAX),
    UINT_ROW(CLAIMS, count, HM_L_COUNT, "count", 0, HM_BATCH_RECORDS),
    UINT_ROW(CLAIMS, control_size, HM_L_CONTROL_SIZE, "control-size", 0, HM_INT_MAX),
    UINT_ROW(CLAIMS, sensors, HM_L_SENSORS, "sensors", 0, HM_BATCH_SENSORS),
};
static const struct hm_shape shape_claims_body = {"batch-body", HM_MAP, ROWS(claims_body_fields),
                                                  sizeof(CLAIMS)};
static const struct hm_field claims_fields[] = {
    UINT_ROW(CLAIMS, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_claims_body),
};
const struct hm_shape hm_shape_batch_claims = {"batch-claims", HM_MAP, ROWS(claims_fields),
                                               sizeof(CLAIMS)};

static bool is_zero(const uint8_t hash[32])
{
  uint8_t all = 0;
  for (size_t i = 0; i < 32; i++)
    all |= hash[i];
  return all == 0;
}

static enum hm_status claims_rules(const CLAIMS *claims)
{
  if (hm_batch_tree_size(claims) < 2)
    return HM_MALFORMED;
  return is_zero(claims->previous) == (claims->number == 1) ? HM_OK : HM_MALFORMED;
}

enum hm_status hm_batch_make(const struct hm_crypto *c, const struct hm_signer *signer,
                             const CLAIMS *claims, const uint8_t root[32], struct hm_out *out)
{
  uint8_t encoded[256];
  struct hm_out map = hm_out(encoded, sizeof encoded);
  HM_TRY(claims_rules(claims));
  HM_TRY(hm_encode(&hm_shape_batch_claims, claims, &map, NULL));
  return hm_sign1_make_batch(c, signer, hm_out_bytes(&map), root, out);
}

enum hm_status hm_batch_peek(struct hm_bytes object, bool allow_proof, struct hm_sign1 *sign1,
                             CLAIMS *claims)
{
  HM_TRY(hm_sign1_parse(object, allow_proof, sign1));
  if (sign1->typ != HM_TYP_BATCH)
    return HM_WRONG_TYPE;
  HM_TRY(hm_decode(&hm_shape_batch_claims, sign1->claims, claims, NULL));
  return claims_rules(claims);
}

enum hm_status hm_batch_open(const struct hm_crypto *c, struct hm_bytes object,
                             const uint8_t point[64], const uint8_t root[32], CLAIMS *claims,
                             uint8_t name[32])
{
  struct hm_sign1 s;
  uint8_t own_name[32];
  HM_TRY(hm_batch_peek(object, false, &s, claims));
  HM_TRY(hm_object_kid(c, &s, point));
  HM_TRY(hm_sign1_verify(c, &s, hm_bytes(root, 32), point));
  return hm_sign1_name(c, &s, hm_bytes(root, 32), name != NULL ? name : own_name);
}

/* ---- leaf 0 ------------------------------------------------------------------------------------
 */
#define FACTS struct hm_batch_facts
static const struct hm_field facts_fields[] = {
    FIXED_ROW(FACTS, blind, HM_L_BLIND, "blind", 16),
    CONST_ROW(HM_L_TYPE, "type", HM_LEAF_FACTS),
    UINT_ROW(FACTS, number, HM_L_BATCH_NUMBER, "batch-number", 1, HM_INT_MAX),
    FIXED_ROW(FACTS, previous, HM_L_PREVIOUS, "previous", 32),
    UINT_ROW(FACTS, count, HM_L_COUNT, "count", 0, HM_BATCH_RECORDS),
    UINT_ROW(FACTS, control_size, HM_L_CONTROL_SIZE, "control-size", 0, HM_INT_MAX),
    UINT_ROW(FACTS, sensors, HM_L_SENSORS, "sensors", 0, HM_BATCH_SENSORS),
    UINT_ROW(FACTS, first_arrival, HM_L_FIRST_ARRIVAL, "first-arrival", 0, HM_INT_MAX),
    UINT_ROW(FACTS, last_arrival, HM_L_LAST_ARRIVAL, "last-arrival", 0, HM_INT_MAX),
    FIXED_ROW(FACTS, session_key, HM_L_SESSION_KEY, "session-key", 32),
};
const struct hm_shape hm_shape_batch_facts = {"batch-facts", HM_MAP, ROWS(facts_fields),
                                              sizeof(FACTS)};

static enum hm_status facts_rules(const FACTS *f)
{
  return f->first_arrival <= f->last_arrival ? HM_OK : HM_MALFORMED;
}

enum hm_status hm_batch_facts_decode(struct hm_bytes leaf, FACTS *facts)
{
  HM_TRY(hm_decode(&hm_shape_batch_facts, leaf, facts, NULL));
  return facts_rules(facts);
}

enum hm_status hm_batch_facts_encode(const FACTS *facts, struct hm_out *out)
{
  HM_TRY(facts_rules(facts));
  return hm_encode(&hm_shape_batch_facts, facts, out, NULL);
}

enum hm_status hm_batch_facts_match(const FACTS *facts, const CLAIMS *claims, const uint8_t kid[32],
                                    struct hm_where *where)
{
  const char *field = NULL;
  if (facts->number != claims->number)
    field = "batch-number";
  else if (memcmp(facts->previous, claims->previous, 32) != 0)
    field = "previous";
  else if (facts->count != claims->count)
    field = "count";
  else if (facts->control_size != claims->control_size)
    field = "control-size";
  else if (facts->sensors != claims->sensors)
    field = "sensors";
  else if (memcmp(facts->session_key, kid, 32) != 0)
    field = "session-key";
  if (where != NULL)
    *where = (struct hm_where){field, 0};
  return field == NULL ? HM_OK : HM_MISMATCH;
}

/* ---- sensor leaf
 * ---------------------------------------------------------------------------------- */
#define SENSOR struct hm_sensor_facts
static const struct hm_field dropped_fields[] = {
    {.name = "dropped", .kind = HM_UINT, .min = 0, .max = HM_U32_MAX},
};
static const struct hm_shape shape_dropped = {"dropped", HM_ITEM, ROWS(dropped_fields),
                                              sizeof(uint64_t)};
static const struct hm_field sensor_fields[] = {
    FIXED_ROW(SENSOR, blind, HM_L_BLIND, "blind", 16),
    CONST_ROW(HM_L_TYPE, "type", HM_LEAF_SENSOR),
    SHAPE_ROW(SENSOR, sensor, HM_L_LCT, "lct", &hm_shape_sensor_ref),
    OPT_LIST(SENSOR, pairings, has_pairings, pairing_count, 0, HM_L_PAIRINGS, "pairings", 1,
             HM_PAIRING_USES, &hm_shape_pairing_use),
    UINT_ROW(SENSOR, passed, HM_L_PASSED, "passed", 0, HM_U32_MAX),
    LIST_ROW(SENSOR, dropped, dropped_count, 0, HM_L_DROPPED, "dropped", 0, HM_DROP_COUNT,
             &shape_dropped),
    UINT_ROW(SENSOR, late, HM_L_LATE, "late", 0, HM_U32_MAX),
    UINT_ROW(SENSOR, unauthorized, HM_L_UNAUTHORIZED, "unauthorized", 0, HM_U32_MAX),
    UINT_ROW(SENSOR, state, HM_L_STATE, "state", HM_SENSOR_OK, HM_SENSOR_GATE_SHUT),
    OPT_UINT(SENSOR, first_frame, has_first_frame, HM_L_FIRST_FRAME, "first-frame", 0, HM_INT_MAX),
    OPT_UINT(SENSOR, last_frame, has_last_frame, HM_L_LAST_FRAME, "last-frame", 0, HM_INT_MAX),
    OPT_FIXED(SENSOR, peripherals, has_peripherals, HM_L_PERIPHERALS, "peripherals", 32),
};
const struct hm_shape hm_shape_sensor_facts = {"sensor-facts", HM_MAP, ROWS(sensor_fields),
                                               sizeof(SENSOR)};

static enum hm_status sensor_rules(const SENSOR *s)
{
  bool some = s->passed > 0;
  if (s->has_first_frame != some || s->has_last_frame != some || s->has_peripherals != some)
    return HM_MALFORMED;
  if (some && s->first_frame > s->last_frame)
    return HM_MALFORMED;
  for (uint32_t i = 1; i < s->pairing_count; i++)
    if (s->pairings[i - 1].context >= s->pairings[i].context)
      return HM_NOT_DETERMINISTIC;
  if (s->dropped_count > 0 && s->dropped[s->dropped_count - 1] == 0)
    return HM_NOT_DETERMINISTIC;
  return HM_OK;
}

enum hm_status hm_sensor_facts_decode(struct hm_bytes leaf, SENSOR *facts)
{
  HM_TRY(hm_decode(&hm_shape_sensor_facts, leaf, facts, NULL));
  return sensor_rules(facts);
}

enum hm_status hm_sensor_facts_encode(const SENSOR *facts, struct hm_out *out)
{
  HM_TRY(sensor_rules(facts));
  return hm_encode(&hm_shape_sensor_facts, facts, out, NULL);
}

/* ---- proofs in the receipt
 * --------------------------------------------------------------------------- */
enum { VDP = 396, INCLUSION = -1 };
#define PROOF struct hm_inclusion_proof
static const struct hm_field proof_fields[] = {
    UINT_ROW(PROOF, size, 0, "tree-size", 2, HM_BATCH_LEAVES),
    UINT_ROW(PROOF, index, 0, "leaf-index", 0, HM_BATCH_LEAVES - 1),
    LIST_ROW(PROOF, hash, count, 0, 0, "inclusion-path", 1, HM_BATCH_PATH, &hm_shape_hash),
};
const struct hm_shape hm_shape_inclusion_proof = {"inclusion-proof", HM_ARRAY, ROWS(proof_fields),
                                                  sizeof(PROOF)};

static enum hm_status put_proof(const struct hm_crypto *c, const uint8_t (*leaves)[32],
                                size_t leaf_count, uint32_t index, struct hm_out *out)
{
  struct hm_path path;
  PROOF proof = {.size = leaf_count, .index = index};
  uint8_t bytes[HM_PROOF_BYTES_MAX];
  struct hm_out item = hm_out(bytes, sizeof bytes);
  HM_TRY(hm_tree_inclusion(c, leaves, leaf_count, index, &path));
  if (path.count > HM_BATCH_PATH)
    return HM_TOO_LARGE;
  proof.count = path.count;
  memcpy(proof.hash, path.hash, path.count * sizeof path.hash[0]);
  HM_TRY(hm_encode(&hm_shape_inclusion_proof, &proof, &item, NULL));
  hm_cbor_put_bstr(out, hm_out_bytes(&item));
  return HM_OK;
}

static enum hm_status put_proofs(const struct hm_crypto *c, const uint8_t (*leaves)[32],
                                 size_t leaf_count, const uint32_t *indices, size_t count,
                                 struct hm_out *out)
{
  hm_cbor_put_map(out, 1);
  hm_cbor_put_uint(out, VDP);
  hm_cbor_put_map(out, 1);
  hm_cbor_put_int(out, INCLUSION);
  hm_cbor_put_array(out, count);
  for (size_t i = 0; i < count; i++) {
    if (indices[i] >= leaf_count || (i == 0 ? indices[i] != 0 : indices[i] <= indices[i - 1]))
      return HM_STATE;
    HM_TRY(put_proof(c, leaves, leaf_count, indices[i], out));
  }
  return HM_OK;
}

/* The object is its own array head, then protected, unprotected, nil, signature: the
 * proofs go between what stands before the unprotected header and what follows it. */
enum hm_status hm_batch_with_proofs(const struct hm_crypto *c, struct hm_bytes receipt,
                                    const uint8_t (*leaves)[32], size_t leaf_count,
                                    const uint32_t *indices, size_t count, struct hm_out *out)
{
  struct hm_sign1 s;
  CLAIMS claims;
  HM_TRY(hm_batch_peek(receipt, false, &s, &claims));
  if (leaf_count != hm_batch_tree_size(&claims) || count == 0 || count > leaf_count)
    return HM_STATE;
  size_t before = (size_t)(s.unprotected.data - receipt.data);
  size_t after = before + s.unprotected.len;
  hm_out_put(out, receipt.data, before);
  HM_TRY(put_proofs(c, leaves, leaf_count, indices, count, out));
  hm_out_put(out, receipt.data + after, receipt.len - after);
  return hm_out_status(out);
}

enum hm_status hm_batch_proofs_begin(struct hm_bytes unprotected, struct hm_proof_cursor *cursor)
{
  size_t count;
  uint64_t label;
  int64_t inner;
  memset(cursor, 0, sizeof *cursor);
  cursor->c = hm_cbor(unprotected);
  HM_TRY(hm_cbor_map(&cursor->c, &count));
  if (count != 1)
    return HM_MALFORMED;
  HM_TRY(hm_cbor_uint(&cursor->c, &label));
  HM_TRY(hm_cbor_map(&cursor->c, &count));
  if (label != VDP || count != 1)
    return HM_MALFORMED;
  HM_TRY(hm_cbor_int(&cursor->c, &inner));
  HM_TRY(hm_cbor_array(&cursor->c, &cursor->left));
  if (inner != INCLUSION || cursor->left == 0 || cursor->left > HM_BATCH_LEAVES)
    return HM_MALFORMED;
  return HM_OK;
}

enum hm_status hm_batch_proofs_next(struct hm_proof_cursor *cursor, PROOF *proof)
{
  struct hm_bytes item;
  if (cursor->left == 0)
    return hm_cbor_at_end(&cursor->c) ? HM_NOT_FOUND : HM_MALFORMED;
  HM_TRY(hm_cbor_bstr(&cursor->c, &item));
  if (item.len < 36 || item.len > HM_PROOF_BYTES_MAX)
    return HM_TOO_LARGE;
  HM_TRY(hm_decode(&hm_shape_inclusion_proof, item, proof, NULL));
  if (cursor->started ? proof->index <= cursor->last : proof->index != 0)
    return HM_NOT_DETERMINISTIC;
  cursor->started = true;
  cursor->last = proof->index;
  cursor->left--;
  return HM_OK;
}

/* RFC 9162 section 2.1.3.2, with the root as the result instead of the question. */
enum hm_status hm_batch_proof_root(const struct hm_crypto *c, const PROOF *proof,
                                   const uint8_t leaf[32], uint8_t root[32])
{
  uint64_t at = proof->index, last = proof->size - 1;
  uint8_t r[32];
  if (proof->index >= proof->size)
    return HM_BAD_PROOF;
  memcpy(r, leaf, sizeof r);
  for (uint32_t i = 0; i < proof->count; i++) {
    if (last == 0)
      return HM_BAD_PROOF;
    if ((at & 1) || at == last) {
      HM_TRY(hm_node_hash(c, proof->hash[i], r, r));
      while (!(at & 1) && at != 0) {
        at >>= 1;
        last >>= 1;
      }
    } else {
      HM_TRY(hm_node_hash(c, r, proof->hash[i], r));
    }
    at >>= 1;
    last >>= 1;
  }
  if (last != 0)
    return HM_BAD_PROOF;
  memcpy(root, r, sizeof r);
  return HM_OK;
}

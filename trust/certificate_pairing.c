/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Pairings: the wish, the policy, the certificate, the sections' plaintexts, the
 * completions of both ends; session keys; and the place of a certificate in the
 * authority's log.
 */
#include "trust/certificate.h"
#include "trust/checkpoint.h"
#include "trust/fields.h"

/* ---- 65025 ------------------------------------------------------------------------------ */
#define SESSION struct hm_session
static const struct hm_field purpose_fields[] = {
    {.name = "purpose", .kind = HM_UINT, .min = HM_PURPOSE_BATCHES, .max = HM_PURPOSE_RECEIPTS},
};
static const struct hm_shape shape_purpose = {"purpose", HM_ITEM, ROWS(purpose_fields),
                                              sizeof(uint64_t)};
static const struct hm_field session_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    LIST_ROW(SESSION, purposes, purpose_count, HM_ORDERED, HM_L_PURPOSES, "purposes", 1, 2,
             &shape_purpose),
    UINT_ROW(SESSION, first, HM_L_FIRST, "first", 1, HM_INT_MAX),
};
static const struct hm_shape shape_session_body = {"session-body", HM_MAP,
                                                   ROWS(session_body_fields), sizeof(SESSION)};
static const struct hm_field session_fields[] = {
    UINT_ROW(SESSION, exp, HM_CWT_EXP, "exp", 0, HM_SECONDS_MAX),
    UINT_ROW(SESSION, nbf, HM_CWT_NBF, "nbf", 0, HM_SECONDS_MAX),
    UINT_ROW(SESSION, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    SHAPE_ROW(SESSION, key, HM_CWT_CNF, "cnf", &hm_shape_confirmation),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_session_body),
};
const struct hm_shape hm_shape_session = {"session", HM_MAP, ROWS(session_fields), sizeof(SESSION)};

static enum hm_status session_rules(const void *value)
{
  const SESSION *s = value;
  return s->exp > s->nbf && s->exp - s->nbf <= HM_SESSION_MAX_S ? HM_OK : HM_MALFORMED;
}
static const struct hm_object_type type_session = {HM_TYP_SESSION, &hm_shape_session,
                                                   session_rules};

enum hm_status hm_session_make(const struct hm_crypto *c, const struct hm_signer *entity,
                               const SESSION *session, struct hm_out *out)
{
  HM_TRY(c->p256_check(session->key));
  return hm_object_make(c, entity, &type_session, session, out);
}

enum hm_status hm_session_open(const struct hm_crypto *c, struct hm_bytes object,
                               const uint8_t entity[64], SESSION *session, uint8_t kid[32],
                               uint8_t name[32])
{
  HM_TRY(hm_object_open(c, object, &type_session, entity, session, NULL, name));
  HM_TRY(c->p256_check(session->key));
  return hm_key_thumbprint(c, session->key, kid);
}

bool hm_session_allows(const SESSION *session, enum hm_purpose purpose)
{
  for (uint32_t i = 0; i < session->purpose_count; i++)
    if (session->purposes[i] == (uint64_t)purpose)
      return true;
  return false;
}

/* ---- policy ------------------------------------------------------------------------------- */
#define POLICY struct hm_policy
static const struct hm_field data_fields[] = {
    {.name = "data-type", .kind = HM_UINT, .min = HM_DATA_STATUS, .max = HM_DATA_EMBEDDING},
};
static const struct hm_shape shape_data = {"data-code", HM_ITEM, ROWS(data_fields),
                                           sizeof(uint64_t)};
static const struct hm_field operation_fields[] = {
    {.name = "operation", .kind = HM_UINT, .min = HM_OP_OBSERVE, .max = HM_OP_EXECUTE},
};
static const struct hm_shape shape_operation = {"operation-code", HM_ITEM, ROWS(operation_fields),
                                                sizeof(uint64_t)};
static const struct hm_field rate_fields[] = {
    {.name = "data-type", .kind = HM_UINT, .min = HM_DATA_STATUS, .max = HM_DATA_EMBEDDING},
    {.name = "per-second", .kind = HM_UINT, .min = 0, .max = HM_U32_MAX},
};
static const struct hm_shape shape_rate = {"rate-map", HM_ARRAY, ROWS(rate_fields),
                                           sizeof(struct hm_uint_pair)};
static const struct hm_field least_fields[] = {
    {.name = "data-type", .kind = HM_UINT, .min = HM_DATA_STATUS, .max = HM_DATA_EMBEDDING},
    {.name = "protection", .kind = HM_UINT, .min = 0, .max = HM_PROTECTION_BINDING},
};
static const struct hm_shape shape_least = {"least-map", HM_ARRAY, ROWS(least_fields),
                                            sizeof(struct hm_uint_pair)};
static const struct hm_field pair_fields[] = {
    FIXED_ROW(POLICY, entities[0], 0, "a", 32),
    FIXED_ROW(POLICY, entities[1], 0, "b", 32),
};
static const struct hm_shape shape_pair = {"pair", HM_ARRAY, ROWS(pair_fields), sizeof(POLICY)};
static const struct hm_field policy_fields[] = {
    FIXED_ROW(POLICY, pairing_id, HM_L_PAIRING_ID, "pairing-id", 16),
    UINT_ROW(POLICY, kid16, HM_L_KID16, "kid16", 1, 65534),
    FLAT_ROW(HM_L_ENTITIES, "entities", &shape_pair),
    OPT_STRING(POLICY, context_name, has_context_name, HM_TSTR, HM_L_CONTEXT_NAME, "context-name",
               1, HM_TEXT_MAX),
    LIST_ROW(POLICY, data_types, data_count, HM_ORDERED, HM_L_DATA_TYPES, "data-types", 1, 14,
             &shape_data),
    LIST_ROW(POLICY, operations, operation_count, HM_ORDERED, HM_L_OPERATIONS, "operations", 1, 6,
             &shape_operation),
    UMAP_ROW(POLICY, rates, rate_count, HM_L_RATES, "rates", 14, &shape_rate),
    UMAP_ROW(POLICY, least, least_count, HM_L_LEAST, "least", 14, &shape_least),
    UINT_ROW(POLICY, max_epochs, HM_L_MAX_EPOCHS, "max-epochs", 0, HM_U32_MAX),
    UINT_ROW(POLICY, fresh, HM_L_FRESH, "fresh", 0, HM_U32_MAX),
    UINT_ROW(POLICY, context, HM_L_CONTEXT, "context", 1, 65535),
    UINT_ROW(POLICY, receipt_within, HM_L_RECEIPT_WITHIN, "receipt-within", 0, HM_U32_MAX),
};
const struct hm_shape hm_shape_policy = {"policy", HM_MAP, ROWS(policy_fields), sizeof(POLICY)};

/* Numbers 10 to 15 are no data types. */
static bool is_data(uint64_t code)
{
  return hm_code_name(&hm_data_types, code) != NULL;
}

static enum hm_status data_rules(const uint64_t *types, size_t type_count,
                                 const struct hm_uint_pair *rates, size_t rate_count,
                                 const struct hm_uint_pair *least, size_t least_count)
{
  for (size_t i = 0; i < type_count; i++)
    if (!is_data(types[i]))
      return HM_UNSUPPORTED;
  for (size_t i = 0; i < rate_count; i++)
    if (!is_data(rates[i].key))
      return HM_UNSUPPORTED;
  for (size_t i = 0; i < least_count; i++)
    if (!is_data(least[i].key))
      return HM_UNSUPPORTED;
  return HM_OK;
}

static enum hm_status context_rules(uint64_t context, bool has_name)
{
  if (has_name != (context >= HM_CONTEXT_CUSTOM))
    return HM_MALFORMED;
  return has_name || hm_code_name(&hm_contexts, context) != NULL ? HM_OK : HM_UNSUPPORTED;
}

static enum hm_status policy_rules(const POLICY *p)
{
  HM_TRY(context_rules(p->context, p->has_context_name));
  if (memcmp(p->entities[0], p->entities[1], 32) == 0)
    return HM_MALFORMED;
  return data_rules(p->data_types, p->data_count, p->rates, p->rate_count, p->least,
                    p->least_count);
}

enum hm_status hm_policy_encode(const POLICY *policy, struct hm_out *out)
{
  HM_TRY(policy_rules(policy));
  return hm_encode(&hm_shape_policy, policy, out, NULL);
}

enum hm_status hm_policy_decode(struct hm_bytes metadata, POLICY *policy)
{
  if (metadata.len > 1024)
    return HM_TOO_LARGE;
  HM_TRY(hm_decode(&hm_shape_policy, metadata, policy, NULL));
  return policy_rules(policy);
}

bool hm_policy_allows(const POLICY *policy, uint64_t operation)
{
  for (uint32_t i = 0; i < policy->operation_count; i++)
    if (policy->operations[i] == operation)
      return true;
  return false;
}

bool hm_policy_carries(const POLICY *policy, uint64_t data_type)
{
  for (uint32_t i = 0; i < policy->data_count; i++)
    if (policy->data_types[i] == data_type)
      return true;
  return false;
}

/* ---- 65003 ----------------------------------------------------------------------------------- */
#define WISH struct hm_pairing_request
static const struct hm_field wish_pair_fields[] = {
    FIXED_ROW(WISH, entities[0], 0, "a", 32),
    FIXED_ROW(WISH, entities[1], 0, "b", 32),
};
static const struct hm_shape shape_wish_pair = {"pair", HM_ARRAY, ROWS(wish_pair_fields),
                                                sizeof(WISH)};
static const struct hm_field wish_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    OPT_FIXED(WISH, supersedes, has_supersedes, HM_L_SUPERSEDES, "supersedes", 32),
    FLAT_ROW(HM_L_ENTITIES, "entities", &shape_wish_pair),
    OPT_STRING(WISH, context_name, has_context_name, HM_TSTR, HM_L_CONTEXT_NAME, "context-name", 1,
               HM_TEXT_MAX),
    LIST_ROW(WISH, data_types, data_count, HM_ORDERED, HM_L_DATA_TYPES, "data-types", 1, 14,
             &shape_data),
    LIST_ROW(WISH, operations, operation_count, HM_ORDERED, HM_L_OPERATIONS, "operations", 1, 6,
             &shape_operation),
    UMAP_ROW(WISH, rates, rate_count, HM_L_RATES, "rates", 14, &shape_rate),
    UMAP_ROW(WISH, least, least_count, HM_L_LEAST, "least", 14, &shape_least),
    UINT_ROW(WISH, max_epochs, HM_L_MAX_EPOCHS, "max-epochs", 0, HM_U32_MAX),
    UINT_ROW(WISH, fresh, HM_L_FRESH, "fresh", 0, HM_U32_MAX),
    UINT_ROW(WISH, context, HM_L_CONTEXT, "context", 1, 65535),
    UINT_ROW(WISH, receipt_within, HM_L_RECEIPT_WITHIN, "receipt-within", 0, HM_U32_MAX),
};
static const struct hm_shape shape_wish_body = {"pairing-request-body", HM_MAP,
                                                ROWS(wish_body_fields), sizeof(WISH)};
static const struct hm_field wish_fields[] = {
    UINT_ROW(WISH, exp, HM_CWT_EXP, "exp", 0, HM_SECONDS_MAX),
    UINT_ROW(WISH, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FIXED_ROW(WISH, nonce, HM_CWT_CTI, "cti", 16),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_wish_body),
};
const struct hm_shape hm_shape_pairing_request = {"pairing-request", HM_MAP, ROWS(wish_fields),
                                                  sizeof(WISH)};

static enum hm_status wish_rules(const void *value)
{
  const WISH *w = value;
  HM_TRY(context_rules(w->context, w->has_context_name));
  if (memcmp(w->entities[0], w->entities[1], 32) == 0)
    return HM_MALFORMED;
  if (w->exp <= w->iat || w->exp - w->iat > HM_LIFE_MAX_S)
    return HM_MALFORMED;
  return data_rules(w->data_types, w->data_count, w->rates, w->rate_count, w->least,
                    w->least_count);
}
static const struct hm_object_type type_wish = {HM_TYP_PAIRING_REQUEST, &hm_shape_pairing_request,
                                                wish_rules};

enum hm_status hm_pairing_request_make(const struct hm_crypto *c, const struct hm_signer *a,
                                       const WISH *request, struct hm_out *out)
{
  if (memcmp(a->kid, request->entities[0], 32) != 0)
    return HM_MISMATCH;
  return hm_object_make(c, a, &type_wish, request, out);
}

enum hm_status hm_pairing_request_open(const struct hm_crypto *c, struct hm_bytes object,
                                       const uint8_t point[64], WISH *request, uint8_t name[32])
{
  uint8_t id[32];
  HM_TRY(hm_object_open(c, object, &type_wish, point, request, NULL, name));
  HM_TRY(hm_key_thumbprint(c, point, id));
  return memcmp(id, request->entities[0], sizeof id) == 0 ? HM_OK : HM_MISMATCH;
}

enum hm_status hm_pairing_request_peek(struct hm_bytes object, uint8_t entities[2][32])
{
  WISH wish;
  struct hm_sign1 s;
  HM_TRY(hm_object_peek(object, &type_wish, &wish, &s));
  memcpy(entities, wish.entities, sizeof wish.entities);
  return HM_OK;
}

/* ---- 65002 -------------------------------------------------------------------------------------
 */
#define PAIRING struct hm_pairing
static const struct hm_field section_hash_fields[] = {
    FIXED_ROW(PAIRING, section_a, 0, "section-a", 32),
    FIXED_ROW(PAIRING, section_b, 0, "section-b", 32),
    FIXED_ROW(PAIRING, handshake, 0, "handshake", 32),
};
static const struct hm_shape shape_section_hashes = {"section-hashes", HM_ARRAY,
                                                     ROWS(section_hash_fields), sizeof(PAIRING)};
static const struct hm_field pairing_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    OPT_FIXED(PAIRING, supersedes, has_supersedes, HM_L_SUPERSEDES, "supersedes", 32),
    STRING_ROW(PAIRING, metadata, HM_BSTR, HM_L_METADATA, "metadata", 1, 1024),
    FLAT_ROW(HM_L_SECTIONS, "sections", &shape_section_hashes),
};
static const struct hm_shape shape_pairing_body = {"pairing-body", HM_MAP,
                                                   ROWS(pairing_body_fields), sizeof(PAIRING)};
static const struct hm_field pairing_fields[] = {
    UINT_ROW(PAIRING, exp, HM_CWT_EXP, "exp", 0, HM_SECONDS_MAX),
    UINT_ROW(PAIRING, nbf, HM_CWT_NBF, "nbf", 0, HM_SECONDS_MAX),
    UINT_ROW(PAIRING, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_pairing_body),
};
const struct hm_shape hm_shape_pairing = {"pairing", HM_MAP, ROWS(pairing_fields), sizeof(PAIRING)};

static enum hm_status pairing_rules(const void *value)
{
  const PAIRING *p = value;
  POLICY policy;
  if (p->exp <= p->nbf || p->exp <= p->iat || p->exp - p->nbf > HM_LIFE_MAX_S)
    return HM_MALFORMED;
  return hm_policy_decode(p->metadata, &policy);
}
static const struct hm_object_type type_pairing = {HM_TYP_PAIRING, &hm_shape_pairing,
                                                   pairing_rules};

enum hm_status hm_pairing_make(const struct hm_crypto *c, const struct hm_signer *authority,
                               const PAIRING *pairing, struct hm_out *out)
{
  return hm_object_make(c, authority, &type_pairing, pairing, out);
}

enum hm_status hm_pairing_open(const struct hm_crypto *c, struct hm_bytes object,
                               const uint8_t authority[64], const struct hm_times *times,
                               PAIRING *pairing)
{
  uint8_t name[32];
  HM_TRY(hm_object_open(c, object, &type_pairing, authority, pairing, NULL, name));
  memcpy(pairing->name, name, sizeof name);
  HM_TRY(hm_policy_decode(pairing->metadata, &pairing->policy));
  HM_TRY(c->sha256(&pairing->metadata, 1, pairing->policy_hash));
  return hm_times_check(times, pairing->nbf, pairing->exp, pairing->iat);
}

#define SECTION struct hm_section_plain
static const struct hm_field section_plain_fields[] = {
    FIXED_ROW(SECTION, half, HM_L_HALF, "half", 32),
    FIXED_ROW(SECTION, policy_hash, HM_L_POLICY_HASH, "policy-hash", 32),
    FIXED_ROW(SECTION, seed, HM_L_SEED, "seed", 32),
};
const struct hm_shape hm_shape_section_plain = {"section-plain", HM_MAP, ROWS(section_plain_fields),
                                                sizeof(SECTION)};

enum { HANDSHAKE_WINDOW_S = 30 };
#define HANDSHAKE struct hm_handshake_plain
static const struct hm_field handshake_plain_fields[] = {
    STRING_ROW(HANDSHAKE, callback, HM_TSTR, HM_L_CALLBACK, "callback", 1, HM_TEXT_MAX),
    CONST_ROW(HM_L_WINDOW_S, "window-s", HANDSHAKE_WINDOW_S),
    FIXED_ROW(HANDSHAKE, nonce, HM_L_NONCE, "nonce", 16),
};
const struct hm_shape hm_shape_handshake_plain = {"handshake-plain", HM_MAP,
                                                  ROWS(handshake_plain_fields), sizeof(HANDSHAKE)};

/* ---- 65014
 * ------------------------------------------------------------------------------------------ */
#define COMPLETION struct hm_completion
static const struct hm_field completion_body_fields[] = {
    FIXED_ROW(COMPLETION, pairing_id, HM_L_PAIRING_ID, "pairing-id", 16),
    FIXED_ROW(COMPLETION, nonce, HM_L_NONCE, "nonce", 16),
    FIXED_ROW(COMPLETION, transcript, HM_L_TRANSCRIPT, "transcript", 32),
    UINT_ROW(COMPLETION, role, HM_L_ROLE, "role", 0, 1),
    FIXED_ROW(COMPLETION, confirm, HM_L_CONFIRM, "confirm", 16),
};
static const struct hm_shape shape_completion_body = {
    "completion-body", HM_MAP, ROWS(completion_body_fields), sizeof(COMPLETION)};
static const struct hm_field completion_fields[] = {
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_completion_body),
};
const struct hm_shape hm_shape_completion = {"completion", HM_MAP, ROWS(completion_fields),
                                             sizeof(COMPLETION)};
static const struct hm_object_type type_completion = {HM_TYP_COMPLETION, &hm_shape_completion,
                                                      NULL};

enum hm_status hm_completion_make(const struct hm_crypto *c, const struct hm_signer *signer,
                                  const COMPLETION *completion, struct hm_out *out)
{
  return hm_object_make(c, signer, &type_completion, completion, out);
}

enum hm_status hm_completion_open(const struct hm_crypto *c, struct hm_bytes object,
                                  const uint8_t point[64], COMPLETION *completion, uint8_t name[32])
{
  return hm_object_open(c, object, &type_completion, point, completion, NULL, name);
}

/* ---- log proof
 * ------------------------------------------------------------------------------------------ */
#define LOG_PROOF struct hm_log_proof
static const struct hm_field log_proof_fields[] = {
    STRING_ROW(LOG_PROOF, checkpoint, HM_BSTR, 0, "checkpoint", 80, HM_SIGN1_MAX),
    UINT_ROW(LOG_PROOF, index, 0, "index", 0, HM_INT_MAX),
    LIST_ROW(LOG_PROOF, way.hash, way.count, 0, 0, "way", 0, HM_PATH_MAX, &hm_shape_hash),
};
const struct hm_shape hm_shape_log_proof = {"log-proof", HM_ARRAY, ROWS(log_proof_fields),
                                            sizeof(LOG_PROOF)};

enum hm_status hm_log_proof_encode(const LOG_PROOF *proof, struct hm_out *out)
{
  return hm_encode(&hm_shape_log_proof, proof, out, NULL);
}

enum hm_status hm_log_proof_verify(const struct hm_crypto *c, struct hm_bytes proof,
                                   struct hm_bytes certificate, const uint8_t authority[64],
                                   struct hm_log_view *view)
{
  LOG_PROOF p;
  struct hm_checkpoint checkpoint;
  struct hm_sign1 s;
  uint8_t leaf[32];
  HM_TRY(hm_decode(&hm_shape_log_proof, proof, &p, NULL));
  HM_TRY(hm_checkpoint_open(c, p.checkpoint, authority, &checkpoint, NULL));
  if (!checkpoint.has_revocations)
    return HM_WRONG_TYPE;
  HM_TRY(hm_sign1_parse(certificate, false, &s));
  HM_TRY(hm_sign1_leaf(c, &s, s.payload, leaf));
  HM_TRY(hm_inclusion_verify(c, leaf, p.index, checkpoint.control_tree.size, &p.way,
                             checkpoint.control_tree.root));
  view->iat = checkpoint.iat;
  view->size = checkpoint.control_tree.size;
  memcpy(view->root, checkpoint.control_tree.root, sizeof view->root);
  view->revocations = checkpoint.revocations.highest;
  return HM_OK;
}

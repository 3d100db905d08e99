/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Bindings: what an entity says of itself, the host's word for it, and the
 * authority's certificate around both. Nothing is believed because of where it
 * stands: every signature inside is verified, whoever cites the object.
 */
#include "trust/certificate.h"

#include "trust/fields.h"

enum hm_status hm_times_check(const struct hm_times *times, uint64_t nbf, uint64_t exp,
                              uint64_t iat)
{
  if (times == NULL)
    return HM_OK;
  if (exp <= times->floor)
    return HM_EXPIRED;
  if (times->quality == HM_QUALITY_NONE)
    return iat > times->floor + HM_LIFE_MAX_S ? HM_NOT_YET_VALID : HM_OK;
  if (exp <= times->now)
    return HM_EXPIRED;
  return nbf > times->now + HM_SKEW_S || iat > times->now + HM_SKEW_S ? HM_NOT_YET_VALID : HM_OK;
}

static enum hm_status life_check(uint64_t nbf, uint64_t exp, uint64_t iat, uint64_t longest)
{
  if (exp <= nbf || exp <= iat || exp - nbf > longest || exp - iat > longest)
    return HM_MALFORMED;
  return HM_OK;
}

/* ---- 65010 --------------------------------------------------------------------------- */
#define REQUEST struct hm_binding_request
static const struct hm_field anchor_fields[] = {
    UINT_ROW(REQUEST, anchor, 0, "anchor-class", HM_ANCHOR_SOFTWARE, HM_ANCHOR_FILE),
    FIXED_ROW(REQUEST, descriptors, 0, "descriptors", 32),
};
static const struct hm_shape shape_anchor = {"anchor-value", HM_ARRAY, ROWS(anchor_fields),
                                             sizeof(REQUEST)};
static const struct hm_field request_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    UINT_ROW(REQUEST, class, HM_L_CLASS, "class", HM_CLASS_A, HM_CLASS_H),
    UINT_ROW(REQUEST, type, HM_L_ENTITY_TYPE, "entity-type", HM_ENTITY_PACK, HM_ENTITY_STORE),
    UINT_ROW(REQUEST, kind, HM_L_KIND, "kind", HM_KIND_NONE, HM_KIND_IMU),
    SHAPE_ROW(REQUEST, agree, HM_L_AGREEMENT_KEY, "agreement-key", &hm_shape_cose_key),
    FLAT_ROW(HM_L_ANCHOR, "anchor", &shape_anchor),
    OPT_STRING(REQUEST, serial, has_serial, HM_TSTR, HM_L_SERIAL, "serial", 1, HM_TEXT_MAX),
    UINT_ROW(REQUEST, caps, HM_L_CAPS, "caps", 0, HM_U32_MAX),
    OPT_FIXED(REQUEST, bound_to, has_bound_to, HM_L_BOUND_TO, "bound-to", 32),
    OPT_STRING(REQUEST, encoder_info, has_encoder_info, HM_BSTR, HM_L_ENCODER_INFO, "encoder-info",
               1, 768),
};
static const struct hm_shape shape_request_body = {"request-body", HM_MAP,
                                                   ROWS(request_body_fields), sizeof(REQUEST)};
static const struct hm_field request_fields[] = {
    UINT_ROW(REQUEST, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FIXED_ROW(REQUEST, challenge, HM_CWT_CTI, "cti", 16),
    SHAPE_ROW(REQUEST, sign, HM_CWT_CNF, "cnf", &hm_shape_confirmation),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_request_body),
};
const struct hm_shape hm_shape_binding_request = {"binding-request", HM_MAP, ROWS(request_fields),
                                                  sizeof(REQUEST)};

static enum hm_status request_rules(const void *value)
{
  const REQUEST *r = value;
  if (r->class == HM_CLASS_S)
    return HM_MALFORMED;
  HM_TRY(hm_capability_check(r->class, r->type, r->kind));
  if (r->class == HM_CLASS_H && !r->has_bound_to)
    return HM_MALFORMED;
  if (r->has_encoder_info != (r->type == HM_ENTITY_ENCODER))
    return HM_MALFORMED;
  return memcmp(r->sign, r->agree, sizeof r->sign) != 0 ? HM_OK : HM_MALFORMED;
}
static const struct hm_object_type type_request = {HM_TYP_BINDING_REQUEST,
                                                   &hm_shape_binding_request, request_rules};

/* The hash of the descriptors of an encoder is that of what describes it. */
static enum hm_status encoder_rules(const struct hm_crypto *c, const REQUEST *r)
{
  if (!r->has_encoder_info)
    return HM_OK;
  struct hm_encoder encoder;
  uint8_t hash[32];
  HM_TRY(hm_encoder_decode(r->encoder_info, &encoder));
  HM_TRY(c->sha256(&r->encoder_info, 1, hash));
  return memcmp(hash, r->descriptors, sizeof hash) == 0 ? HM_OK : HM_MISMATCH;
}

enum hm_status hm_binding_request_make(const struct hm_crypto *c, const struct hm_signer *signer,
                                       const REQUEST *request, struct hm_out *out)
{
  HM_TRY(encoder_rules(c, request));
  if (memcmp(signer->point, request->sign, sizeof request->sign) != 0)
    return HM_MISMATCH;
  return hm_object_make(c, signer, &type_request, request, out);
}

enum hm_status hm_binding_request_open(const struct hm_crypto *c, struct hm_bytes object,
                                       REQUEST *request, uint8_t name[32])
{
  struct hm_sign1 s;
  uint8_t own_name[32];
  HM_TRY(
      hm_object_open(c, object, &type_request, NULL, request, &s, name != NULL ? name : own_name));
  HM_TRY(c->p256_check(request->sign));
  HM_TRY(c->p256_check(request->agree));
  HM_TRY(encoder_rules(c, request));
  return hm_sign1_verify(c, &s, s.payload, request->sign);
}

/* ---- encoder --------------------------------------------------------------------------- */
#define ENCODER struct hm_encoder
static const struct hm_field encoder_fields[] = {
    FIXED_ROW(ENCODER, model, HM_L_MODEL, "model", 32),
    STRING_ROW(ENCODER, version, HM_TSTR, HM_L_VERSION, "version", 1, HM_TEXT_MAX),
    FIXED_ROW(ENCODER, preprocessing, HM_L_PREPROCESSING, "preprocessing", 32),
    UINT_ROW(ENCODER, dimension, HM_L_DIMENSION, "dimension", 1, 4096),
    CONST_ROW(HM_L_DTYPE, "dtype", 1),
    UINT_ROW(ENCODER, scale, HM_L_SCALE, "scale", 0, HM_U32_MAX),
    OPT_LIST(ENCODER, trained_on, has_trained_on, trained_on_count, HM_ORDERED, HM_L_TRAINED_ON,
             "trained-on", 0, 16, &hm_shape_hash),
};
const struct hm_shape hm_shape_encoder = {"encoder", HM_MAP, ROWS(encoder_fields), sizeof(ENCODER)};

enum hm_status hm_encoder_decode(struct hm_bytes info, ENCODER *encoder)
{
  return hm_decode(&hm_shape_encoder, info, encoder, NULL);
}

enum hm_status hm_encoder_encode(const ENCODER *encoder, struct hm_out *out)
{
  return hm_encode(&hm_shape_encoder, encoder, out, NULL);
}

/* ---- 65018 ------------------------------------------------------------------------------- */
#define COUNTERSIGN struct hm_countersignature
static const struct hm_field countersign_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    OPT_FIXED(COUNTERSIGN, commitment, has_commitment, HM_L_COMMITMENT, "commitment", 32),
    OPT_UINT(COUNTERSIGN, role, has_role, HM_L_ROLE, "role", 0, 1),
    FIXED_ROW(COUNTERSIGN, certificate, HM_L_CERTIFICATE, "certificate", 32),
    OPT_FIXED(COUNTERSIGN, mac, has_mac, HM_L_MAC, "mac", 16),
};
static const struct hm_shape shape_countersign_body = {
    "countersign-body", HM_MAP, ROWS(countersign_body_fields), sizeof(COUNTERSIGN)};
static const struct hm_field countersign_fields[] = {
    UINT_ROW(COUNTERSIGN, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_countersign_body),
};
const struct hm_shape hm_shape_countersignature = {"countersignature", HM_MAP,
                                                   ROWS(countersign_fields), sizeof(COUNTERSIGN)};

/* For a module its commitment and its MAC come together, the role only with them. */
static enum hm_status countersign_rules(const void *value)
{
  const COUNTERSIGN *s = value;
  if (s->has_commitment != s->has_mac || (s->has_role && !s->has_mac))
    return HM_MALFORMED;
  return HM_OK;
}
static const struct hm_object_type type_countersign = {
    HM_TYP_COUNTERSIGNATURE, &hm_shape_countersignature, countersign_rules};

enum hm_status hm_countersignature_make(const struct hm_crypto *c, const struct hm_signer *signer,
                                        const COUNTERSIGN *value, struct hm_out *out)
{
  return hm_object_make(c, signer, &type_countersign, value, out);
}

enum hm_status hm_countersignature_open(const struct hm_crypto *c, struct hm_bytes object,
                                        const uint8_t point[64], COUNTERSIGN *value,
                                        uint8_t name[32])
{
  return hm_object_open(c, object, &type_countersign, point, value, NULL, name);
}

/* ---- 65001 --------------------------------------------------------------------------------- */
#define BINDING struct hm_binding
static const struct hm_field binding_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    STRING_ROW(BINDING, request, HM_BSTR, HM_L_REQUEST, "request", 80, HM_SIGN1_MAX),
    OPT_STRING(BINDING, countersign, has_countersign, HM_BSTR, HM_L_COUNTERSIGN, "countersign", 80,
               HM_SIGN1_MAX),
    OPT_FIXED(BINDING, supersedes, has_supersedes, HM_L_SUPERSEDES, "supersedes", 32),
};
static const struct hm_shape shape_binding_body = {"binding-body", HM_MAP,
                                                   ROWS(binding_body_fields), sizeof(BINDING)};
static const struct hm_field binding_fields[] = {
    UINT_ROW(BINDING, exp, HM_CWT_EXP, "exp", 0, HM_SECONDS_MAX),
    UINT_ROW(BINDING, nbf, HM_CWT_NBF, "nbf", 0, HM_SECONDS_MAX),
    UINT_ROW(BINDING, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_binding_body),
};
const struct hm_shape hm_shape_binding = {"binding", HM_MAP, ROWS(binding_fields), sizeof(BINDING)};

#define BINDING_S struct hm_binding_s
static const struct hm_field binding_s_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    CONST_ROW(HM_L_CLASS, "class", HM_CLASS_S),
    CONST_ROW(HM_L_ENTITY_TYPE, "entity-type", HM_ENTITY_MODULE),
    CONST_ROW(HM_L_KIND, "kind", HM_KIND_NONE),
    STRING_ROW(BINDING_S, serial, HM_TSTR, HM_L_SERIAL, "serial", 1, HM_TEXT_MAX),
    UINT_ROW(BINDING_S, caps, HM_L_CAPS, "caps", 0, HM_U32_MAX),
    STRING_ROW(BINDING_S, countersign, HM_BSTR, HM_L_COUNTERSIGN, "countersign", 80, HM_SIGN1_MAX),
    FIXED_ROW(BINDING_S, commitment, HM_L_COMMITMENT, "commitment", 32),
    FIXED_ROW(BINDING_S, proxy, HM_L_PROXY, "proxy", 32),
};
static const struct hm_shape shape_binding_s_body = {
    "binding-s-body", HM_MAP, ROWS(binding_s_body_fields), sizeof(BINDING_S)};
static const struct hm_field binding_s_fields[] = {
    UINT_ROW(BINDING_S, exp, HM_CWT_EXP, "exp", 0, HM_SECONDS_MAX),
    UINT_ROW(BINDING_S, nbf, HM_CWT_NBF, "nbf", 0, HM_SECONDS_MAX),
    UINT_ROW(BINDING_S, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_binding_s_body),
};
const struct hm_shape hm_shape_binding_s = {"binding-s", HM_MAP, ROWS(binding_s_fields),
                                            sizeof(BINDING_S)};

static enum hm_status binding_rules(const void *value)
{
  const BINDING *b = value;
  return life_check(b->nbf, b->exp, b->iat, HM_BINDING_LIFE_MAX_S);
}
static const struct hm_object_type type_binding = {HM_TYP_BINDING, &hm_shape_binding,
                                                   binding_rules};

/* Countersigned by its host if and only if it has none of its own silicon. */
static enum hm_status countersign_check(const struct hm_crypto *c, const BINDING *b,
                                        const REQUEST *r, const uint8_t request_name[32],
                                        const struct hm_entity *host)
{
  if (b->has_countersign != (r->class == HM_CLASS_H))
    return HM_MALFORMED;
  if (!b->has_countersign)
    return HM_OK;
  if (host == NULL)
    return HM_NOT_FOUND;
  if (memcmp(host->lct, r->bound_to, sizeof host->lct) != 0)
    return HM_MISMATCH;
  COUNTERSIGN s;
  HM_TRY(hm_countersignature_open(c, b->countersign, host->sign, &s, NULL));
  if (s.has_mac)
    return HM_MALFORMED;
  return memcmp(s.certificate, request_name, sizeof s.certificate) == 0 ? HM_OK : HM_MISMATCH;
}

static void fill_entity(const BINDING *b, const REQUEST *r, struct hm_entity *e)
{
  memcpy(e->sign, r->sign, sizeof e->sign);
  memcpy(e->agree, r->agree, sizeof e->agree);
  e->class = (uint8_t)r->class;
  e->type = (uint8_t)r->type;
  e->kind = (uint8_t)r->kind;
  e->anchor = (uint8_t)r->anchor;
  memcpy(e->descriptors, r->descriptors, sizeof e->descriptors);
  if (r->has_serial)
    memcpy(e->serial, r->serial.data, r->serial.len);
  e->caps = (uint32_t)r->caps;
  e->has_bound_to = r->has_bound_to;
  memcpy(e->bound_to, r->bound_to, sizeof e->bound_to);
  e->has_supersedes = b->has_supersedes;
  memcpy(e->supersedes, b->supersedes, sizeof e->supersedes);
  e->nbf = b->nbf;
  e->exp = b->exp;
  e->iat = b->iat;
  e->created = r->iat;
  memcpy(e->challenge, r->challenge, sizeof e->challenge);
}

enum hm_status hm_binding_make(const struct hm_crypto *c, const struct hm_signer *authority,
                               const BINDING *binding, struct hm_out *out)
{
  return hm_object_make(c, authority, &type_binding, binding, out);
}

static bool is_class_s(struct hm_bytes object)
{
  struct hm_sign1 s;
  BINDING_S module;
  return hm_sign1_expect(object, HM_TYP_BINDING, &s) == HM_OK &&
         hm_decode(&hm_shape_binding_s, s.payload, &module, NULL) == HM_OK;
}

enum hm_status hm_binding_open(const struct hm_crypto *c, struct hm_bytes object,
                               const uint8_t authority[64], const struct hm_entity *host,
                               const struct hm_times *times, struct hm_entity *entity)
{
  BINDING b;
  REQUEST r;
  struct hm_entity e;
  memset(&e, 0, sizeof e);
  enum hm_status status = hm_object_open(c, object, &type_binding, authority, &b, NULL, e.name);
  if (status != HM_OK)
    return is_class_s(object) ? HM_UNSUPPORTED : status;
  HM_TRY(hm_binding_request_open(c, b.request, &r, e.request_name));
  HM_TRY(countersign_check(c, &b, &r, e.request_name, host));
  HM_TRY(hm_key_thumbprint(c, r.sign, e.lct));
  fill_entity(&b, &r, &e);
  if (r.has_encoder_info) {
    struct hm_encoder info;
    HM_TRY(hm_encoder_decode(r.encoder_info, &info));
    e.is_encoder = true;
    e.dimension = info.dimension;
    memcpy(e.encoder, r.descriptors, sizeof e.encoder);
  }
  HM_TRY(hm_times_check(times, b.nbf, b.exp, b.iat));
  *entity = e;
  return HM_OK;
}

/* The request inside a binding, nothing verified. */
static enum hm_status peek_request(struct hm_bytes object, REQUEST *r)
{
  BINDING b;
  struct hm_sign1 s;
  if (is_class_s(object))
    return HM_UNSUPPORTED;
  HM_TRY(hm_object_peek(object, &type_binding, &b, &s));
  return hm_object_peek(b.request, &type_request, r, &s);
}

enum hm_status hm_binding_host(struct hm_bytes object, bool *is_hosted, uint8_t host[32])
{
  REQUEST r;
  HM_TRY(peek_request(object, &r));
  *is_hosted = r.class == HM_CLASS_H;
  memcpy(host, r.bound_to, 32);
  return HM_OK;
}

enum hm_status hm_binding_lct(const struct hm_crypto *c, struct hm_bytes object, uint8_t lct[32])
{
  REQUEST r;
  HM_TRY(peek_request(object, &r));
  return hm_key_thumbprint(c, r.sign, lct);
}

enum hm_status hm_binding_encoder(struct hm_bytes object, bool *is_encoder, uint8_t encoder[32])
{
  REQUEST r;
  HM_TRY(peek_request(object, &r));
  *is_encoder = r.type == HM_ENTITY_ENCODER;
  memcpy(encoder, r.descriptors, 32);
  return HM_OK;
}

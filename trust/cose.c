/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The envelopes. Every header of the profile has one spelling, so a parser here
 * checks for exactly that spelling and keeps views; nothing is rebuilt from a
 * parsed form before it is hashed, verified or opened.
 */
#include "trust/cose.h"

#include "trust/capability.h"

enum {
  LABEL_ALG = 1,
  LABEL_KID = 4,
  LABEL_IV = 5,
  LABEL_CLAIMS = 15,
  LABEL_TYP = 16,
  LABEL_VDS = 395,
  LABEL_VDP = 396,
  LABEL_EPHEMERAL = -1,
  TAG_ENCRYPT0 = 16,
  TAG_SIGN1 = 18,
  TAG_ENCRYPT = 96,
  PROTECTED_MAX = 512,
  PAYLOAD_MAX = 4096,
  ENVELOPE_MAX = 8192,
  BATCH_PROOF_MAX = 524288,
  AAD_MAX = 256,
  GCM_TAG = 16
};

/* {1: 3}, A256GCM, and {1: -25}, ECDH-ES + HKDF-256, as encoded */
static const uint8_t body_header[] = {0xa1, 0x01, HM_ALG_A256GCM};
static const uint8_t recipient_header[] = {0xa1, 0x01, 0x38, -1 - HM_ALG_ECDH_ES_HKDF_256};

const struct hm_typ_row hm_typ_table[] = {
    {HM_TYP_BINDING, "binding", true, HM_CERTIFICATE_MAX},
    {HM_TYP_PAIRING, "pairing", true, HM_CERTIFICATE_MAX},
    {HM_TYP_PAIRING_REQUEST, "pairing request", false, HM_SIGN1_MAX},
    {HM_TYP_BINDING_REQUEST, "binding request", false, HM_CERTIFICATE_MAX},
    {HM_TYP_ANNOUNCE, "announce", false, HM_SIGN1_MAX},
    {HM_TYP_WITNESS_REQUEST, "witness request", false, HM_SIGN1_MAX},
    {HM_TYP_WITNESS, "witness", true, HM_SIGN1_MAX},
    {HM_TYP_COMPLETION, "completion", false, HM_SIGN1_MAX},
    {HM_TYP_COMMAND, "command", false, HM_SIGN1_MAX},
    {HM_TYP_COMMAND_ACK, "command ack", false, HM_SIGN1_MAX},
    {HM_TYP_VALIDATION_REQUEST, "validation request", false, HM_SIGN1_MAX},
    {HM_TYP_COUNTERSIGNATURE, "countersignature", true, HM_SIGN1_MAX},
    {HM_TYP_HANDSHAKE, "signed handshake", false, HM_SIGN1_MAX},
    {HM_TYP_RECEIPT, "receipt", true, HM_SIGN1_MAX},
    {HM_TYP_REVOCATION, "revocation", true, HM_SIGN1_MAX},
    {HM_TYP_CHECKPOINT, "checkpoint", true, HM_SIGN1_MAX},
    {HM_TYP_TIME, "time", true, HM_SIGN1_MAX},
    {HM_TYP_NOTICE, "notice", false, HM_SIGN1_MAX},
    {HM_TYP_SESSION, "session key", true, HM_CERTIFICATE_MAX},
    {HM_TYP_EXPORT, "export manifest", true, HM_SIGN1_MAX},
    {HM_TYP_LAW, "law", true, HM_SIGN1_MAX},
    {HM_TYP_BATCH, "batch", true, HM_SIGN1_MAX},
    {HM_TYP_HEAD, "head", true, HM_SIGN1_MAX},
};
const size_t hm_typ_count = sizeof hm_typ_table / sizeof hm_typ_table[0];

const struct hm_typ_row *hm_typ_row(uint64_t typ)
{
  for (size_t i = 0; i < hm_typ_count; i++)
    if (hm_typ_table[i].typ == typ)
      return &hm_typ_table[i];
  return NULL;
}

/* ---- COSE_Sign1: reading ----------------------------------------------------------- */

/* A value that is not there at all names another profile, not a broken object. */
static enum hm_status profile_int(struct hm_cbor *c, int64_t wanted)
{
  int64_t value;
  enum hm_status status = hm_cbor_int(c, &value);
  if (status == HM_WRONG_TYPE || (status == HM_OK && value != wanted))
    return HM_UNSUPPORTED;
  return status;
}

/* Consume the label if it is next. */
static bool take_label(struct hm_cbor *c, int64_t label)
{
  struct hm_cbor ahead = *c;
  int64_t value;
  if (hm_cbor_int(&ahead, &value) != HM_OK || value != label)
    return false;
  *c = ahead;
  return true;
}

/* {1: -7, ? 4: kid, ? 15: claims, 16: typ, ? 395: 1} and what the row of typ asks for. */
static enum hm_status parse_protected(struct hm_sign1 *s)
{
  struct hm_cbor c = hm_cbor(s->protected_header);
  size_t count, taken = 2;
  uint64_t typ;
  HM_TRY(hm_cbor_check(s->protected_header));
  HM_TRY(hm_cbor_map(&c, &count));
  if (!take_label(&c, LABEL_ALG))
    return HM_UNSUPPORTED;
  HM_TRY(profile_int(&c, HM_ALG_ES256));

  s->has_kid = take_label(&c, LABEL_KID);
  if (s->has_kid)
    HM_TRY(hm_cbor_fixed(&c, s->kid, sizeof s->kid));
  bool has_claims = take_label(&c, LABEL_CLAIMS);
  if (has_claims)
    HM_TRY(hm_cbor_skip(&c, &s->claims));
  if (!take_label(&c, LABEL_TYP))
    return HM_WRONG_TYPE;
  HM_TRY(hm_cbor_uint(&c, &typ));
  bool has_vds = take_label(&c, LABEL_VDS);
  if (has_vds)
    HM_TRY(profile_int(&c, HM_VDS_RFC9162));
  taken += (size_t)s->has_kid + has_claims + has_vds;
  if (count != taken || !hm_cbor_at_end(&c))
    return HM_MALFORMED;

  const struct hm_typ_row *row = hm_typ_row(typ);
  if (row == NULL)
    return HM_UNSUPPORTED;
  bool is_batch = typ == HM_TYP_BATCH;
  if (row->has_kid != s->has_kid || is_batch != has_claims || is_batch != has_vds)
    return HM_MALFORMED;
  s->typ = row->typ;
  return HM_OK;
}

static enum hm_status parse_claims(const struct hm_sign1 *s)
{
  struct hm_cbor c = hm_cbor(s->claims);
  size_t count;
  return s->claims.len == 0 ? HM_OK : hm_cbor_map(&c, &count);
}

/* {} or, for a batch with its proofs, exactly {396: ...}. */
static enum hm_status parse_unprotected(struct hm_cbor *c, bool allow_proof, struct hm_sign1 *s)
{
  HM_TRY(hm_cbor_skip(c, &s->unprotected));
  struct hm_cbor inside = hm_cbor(s->unprotected);
  size_t count;
  HM_TRY(hm_cbor_map(&inside, &count));
  if (count == 0)
    return HM_OK;
  bool is_proof = allow_proof && s->typ == HM_TYP_BATCH && count == 1;
  return is_proof && take_label(&inside, LABEL_VDP) ? HM_OK : HM_MALFORMED;
}

static enum hm_status parse_payload(struct hm_cbor *c, struct hm_sign1 *s)
{
  HM_TRY(hm_cbor_nil(c, &s->is_detached));
  if (s->is_detached != (s->typ == HM_TYP_BATCH))
    return HM_MALFORMED;
  if (s->is_detached)
    return HM_OK;
  HM_TRY(hm_cbor_bstr(c, &s->payload));
  if (s->payload.len == 0)
    return HM_MALFORMED;
  return s->payload.len > PAYLOAD_MAX ? HM_TOO_LARGE : HM_OK;
}

enum hm_status hm_sign1_parse(struct hm_bytes object, bool allow_proof, struct hm_sign1 *out)
{
  if (object.len > (allow_proof ? (size_t)BATCH_PROOF_MAX : (size_t)HM_SIGN1_MAX))
    return HM_TOO_LARGE;
  struct hm_sign1 s = {.object = object};
  struct hm_cbor c = hm_cbor(object);
  size_t count;
  HM_TRY(hm_cbor_tag(&c, TAG_SIGN1));
  HM_TRY(hm_cbor_array(&c, &count));
  if (count != 4)
    return HM_MALFORMED;
  HM_TRY(hm_cbor_bstr(&c, &s.protected_header));
  if (s.protected_header.len > PROTECTED_MAX)
    return HM_TOO_LARGE;
  HM_TRY(parse_protected(&s));
  HM_TRY(parse_claims(&s));
  HM_TRY(parse_unprotected(&c, allow_proof, &s));
  HM_TRY(parse_payload(&c, &s));
  HM_TRY(hm_cbor_fixed(&c, s.signature, sizeof s.signature));
  HM_TRY(hm_cbor_end(&c));

  bool has_proof = s.unprotected.len > 1;
  if (!has_proof && object.len > hm_typ_row(s.typ)->max)
    return HM_TOO_LARGE;
  if (!hm_es256_is_low_s(s.signature))
    return HM_BAD_SIGNATURE;
  *out = s;
  return HM_OK;
}

enum hm_status hm_sign1_expect(struct hm_bytes object, uint16_t typ, struct hm_sign1 *out)
{
  struct hm_sign1 s;
  HM_TRY(hm_sign1_parse(object, false, &s));
  if (s.typ != typ)
    return HM_WRONG_TYPE;
  *out = s;
  return HM_OK;
}

/* ---- names --------------------------------------------------------------------------- */

enum hm_status hm_sig_structure(struct hm_bytes protected_header, struct hm_bytes external_aad,
                                struct hm_bytes payload, struct hm_out *out)
{
  hm_cbor_put_array(out, 4);
  hm_cbor_put_text(out, "Signature1");
  hm_cbor_put_bstr(out, protected_header);
  hm_cbor_put_bstr(out, external_aad);
  hm_cbor_put_bstr(out, payload);
  return hm_out_status(out);
}

/* The Sig_structure hashed in parts, after an optional prefix byte. */
static enum hm_status hash_sig_structure(const struct hm_crypto *c, struct hm_bytes prefix,
                                         struct hm_bytes protected_header, struct hm_bytes payload,
                                         uint8_t hash[32])
{
  uint8_t before[32], between[16];
  struct hm_out head = hm_out(before, sizeof before);
  hm_cbor_put_array(&head, 4);
  hm_cbor_put_text(&head, "Signature1");
  hm_cbor_put_bstr_head(&head, protected_header.len);
  struct hm_out middle = hm_out(between, sizeof between);
  hm_cbor_put_bstr(&middle, hm_bytes(NULL, 0));
  hm_cbor_put_bstr_head(&middle, payload.len);
  HM_TRY(hm_out_status(&head));
  HM_TRY(hm_out_status(&middle));

  struct hm_bytes parts[5] = {prefix, hm_out_bytes(&head), protected_header, hm_out_bytes(&middle),
                              payload};
  return c->sha256(parts, 5, hash);
}

static enum hm_status hash_object(const struct hm_crypto *c, struct hm_bytes prefix,
                                  const struct hm_sign1 *s, struct hm_bytes detached,
                                  uint8_t hash[32])
{
  struct hm_bytes payload = s->is_detached ? detached : s->payload;
  if (payload.len == 0)
    return HM_MALFORMED;
  return hash_sig_structure(c, prefix, s->protected_header, payload, hash);
}

enum hm_status hm_sign1_name(const struct hm_crypto *c, const struct hm_sign1 *s,
                             struct hm_bytes detached, uint8_t name[32])
{
  return hash_object(c, hm_bytes(NULL, 0), s, detached, name);
}

enum hm_status hm_sign1_leaf(const struct hm_crypto *c, const struct hm_sign1 *s,
                             struct hm_bytes detached, uint8_t leaf[32])
{
  static const uint8_t leaf_prefix = 0x00;
  return hash_object(c, hm_bytes(&leaf_prefix, 1), s, detached, leaf);
}

enum hm_status hm_sign1_verify(const struct hm_crypto *c, const struct hm_sign1 *s,
                               struct hm_bytes detached, const uint8_t point[64])
{
  uint8_t name[32];
  HM_TRY(hm_sign1_name(c, s, detached, name));
  return hm_es256_verify(c, point, name, s->signature);
}

/* ---- COSE_Sign1: writing ------------------------------------------------------------- */

static void put_protected(struct hm_out *out, const struct hm_typ_row *row, const uint8_t kid[32],
                          struct hm_bytes claims)
{
  bool is_batch = row->typ == HM_TYP_BATCH;
  hm_cbor_put_map(out, 2 + (size_t)row->has_kid + (is_batch ? 2 : 0));
  hm_cbor_put_int(out, LABEL_ALG);
  hm_cbor_put_int(out, HM_ALG_ES256);
  if (row->has_kid) {
    hm_cbor_put_int(out, LABEL_KID);
    hm_cbor_put_bstr(out, hm_bytes(kid, 32));
  }
  if (is_batch) {
    hm_cbor_put_int(out, LABEL_CLAIMS);
    hm_out_put(out, claims.data, claims.len);
  }
  hm_cbor_put_int(out, LABEL_TYP);
  hm_cbor_put_uint(out, row->typ);
  if (is_batch) {
    hm_cbor_put_int(out, LABEL_VDS);
    hm_cbor_put_int(out, HM_VDS_RFC9162);
  }
}

static void put_sign1(struct hm_out *out, const struct hm_sign1 *s, struct hm_bytes unprotected)
{
  hm_cbor_put_tag(out, TAG_SIGN1);
  hm_cbor_put_array(out, 4);
  hm_cbor_put_bstr(out, s->protected_header);
  hm_out_put(out, unprotected.data, unprotected.len);
  if (s->is_detached)
    hm_cbor_put_nil(out);
  else
    hm_cbor_put_bstr(out, s->payload);
  hm_cbor_put_bstr(out, hm_bytes(s->signature, sizeof s->signature));
}

static enum hm_status sign_as(const struct hm_crypto *c, const struct hm_signer *signer,
                              const struct hm_typ_row *row, struct hm_bytes claims,
                              struct hm_bytes payload, struct hm_out *out)
{
  static const uint8_t no_header = 0xa0;
  uint8_t protected_header[PROTECTED_MAX], name[32];
  struct hm_out header = hm_out(protected_header, sizeof protected_header);
  put_protected(&header, row, signer->kid, claims);
  if (hm_out_status(&header) != HM_OK)
    return HM_TOO_LARGE;

  struct hm_sign1 s = {
      .protected_header = hm_out_bytes(&header),
      .payload = payload,
      .is_detached = row->typ == HM_TYP_BATCH,
      .typ = row->typ,
  };
  HM_TRY(hm_sign1_name(c, &s, payload, name));
  HM_TRY(signer->sign(signer->key, name, s.signature));
  if (!hm_es256_is_low_s(s.signature))
    return HM_BAD_SIGNATURE;

  size_t begin = out->len;
  put_sign1(out, &s, hm_bytes(&no_header, 1));
  return out->len - begin > row->max ? HM_TOO_LARGE : hm_out_status(out);
}

enum hm_status hm_sign1_make(const struct hm_crypto *c, const struct hm_signer *signer,
                             uint16_t typ, struct hm_bytes payload, struct hm_out *out)
{
  const struct hm_typ_row *row = hm_typ_row(typ);
  if (row == NULL || typ == HM_TYP_BATCH)
    return HM_UNSUPPORTED;
  if (payload.len > PAYLOAD_MAX)
    return HM_TOO_LARGE;
  return sign_as(c, signer, row, hm_bytes(NULL, 0), payload, out);
}

/* One whole item, and a map. */
static enum hm_status check_map(struct hm_bytes item)
{
  struct hm_cbor c = hm_cbor(item);
  size_t count;
  HM_TRY(hm_cbor_check(item));
  return hm_cbor_map(&c, &count);
}

enum hm_status hm_sign1_make_batch(const struct hm_crypto *c, const struct hm_signer *signer,
                                   struct hm_bytes claims, const uint8_t root[32],
                                   struct hm_out *out)
{
  HM_TRY(check_map(claims));
  return sign_as(c, signer, hm_typ_row(HM_TYP_BATCH), claims, hm_bytes(root, 32), out);
}

enum hm_status hm_sign1_with_unprotected(const struct hm_sign1 *s, struct hm_bytes unprotected,
                                         struct hm_out *out)
{
  HM_TRY(check_map(unprotected));
  put_sign1(out, s, unprotected);
  return hm_out_status(out);
}

/* ---- signed objects by shape ----------------------------------------------------------- */

enum hm_status hm_signed_open(const struct hm_crypto *c, struct hm_bytes object, uint16_t typ,
                              const struct hm_shape *shape, const uint8_t point[64], void *value,
                              struct hm_sign1 *sign1, uint8_t name[32])
{
  struct hm_sign1 s;
  uint8_t digest[32];
  HM_TRY(hm_sign1_expect(object, typ, &s));
  if (s.is_detached)
    return HM_WRONG_TYPE;
  HM_TRY(hm_decode(shape, s.payload, value, NULL));
  HM_TRY(hm_sign1_name(c, &s, hm_bytes(NULL, 0), digest));
  if (point != NULL)
    HM_TRY(hm_es256_verify(c, point, digest, s.signature));
  if (sign1 != NULL)
    *sign1 = s;
  if (name != NULL)
    memcpy(name, digest, sizeof digest);
  return HM_OK;
}

enum hm_status hm_signed_make(const struct hm_crypto *c, const struct hm_signer *signer,
                              uint16_t typ, const struct hm_shape *shape, const void *value,
                              struct hm_out *out)
{
  uint8_t payload[PAYLOAD_MAX];
  struct hm_out encoded = hm_out(payload, sizeof payload);
  enum hm_status status = hm_encode(shape, value, &encoded, NULL);
  if (status == HM_SHORT_BUFFER)
    return HM_TOO_LARGE;
  HM_TRY(status);
  return hm_sign1_make(c, signer, typ, hm_out_bytes(&encoded), out);
}

/* ---- encryption ------------------------------------------------------------------------ */

static const struct hm_field cose_key_fields[] = {
    {.label = 1, .name = "kty", .kind = HM_CONST, .min = 2, .max = 2},
    {.label = -1, .name = "crv", .kind = HM_CONST, .min = 1, .max = 1},
    {.label = -2, .name = "x", .kind = HM_FIXED, .at = 0, .min = 32, .max = 32},
    {.label = -3, .name = "y", .kind = HM_FIXED, .at = 32, .min = 32, .max = 32},
};
const struct hm_shape hm_shape_cose_key = {"cose-key", HM_MAP, cose_key_fields, 4,
                                           sizeof(struct hm_cose_key)};

enum hm_status hm_enc_structure(const char *context, struct hm_bytes protected_header,
                                struct hm_bytes external_aad, struct hm_out *out)
{
  hm_cbor_put_array(out, 3);
  hm_cbor_put_text(out, context);
  hm_cbor_put_bstr(out, protected_header);
  hm_cbor_put_bstr(out, external_aad);
  return hm_out_status(out);
}

/* The additional data of a body: its Enc_structure. */
struct body_aad {
  uint8_t bytes[AAD_MAX + 32];
  size_t len;
};

static enum hm_status make_aad(const char *context, struct hm_bytes external, struct body_aad *aad)
{
  if (external.len > AAD_MAX)
    return HM_TOO_LARGE;
  struct hm_out out = hm_out(aad->bytes, sizeof aad->bytes);
  HM_TRY(hm_enc_structure(context, hm_bytes(body_header, sizeof body_header), external, &out));
  aad->len = out.len;
  return HM_OK;
}

/* protected, {5: iv}, ciphertext */
static enum hm_status put_body(const struct hm_crypto *c, const uint8_t key[32],
                               const uint8_t iv[12], const struct body_aad *aad,
                               struct hm_bytes plain, struct hm_out *out)
{
  hm_cbor_put_bstr(out, hm_bytes(body_header, sizeof body_header));
  hm_cbor_put_map(out, 1);
  hm_cbor_put_int(out, LABEL_IV);
  hm_cbor_put_bstr(out, hm_bytes(iv, HM_IV));
  size_t len = plain.len + GCM_TAG;
  hm_cbor_put_bstr_head(out, len);
  if (out->len <= out->cap && len <= out->cap - out->len)
    HM_TRY(
        c->gcm_seal(key, iv, hm_bytes(aad->bytes, aad->len), plain, GCM_TAG, out->data + out->len));
  out->len += len;
  return HM_OK;
}

static enum hm_status take_header(struct hm_cbor *c, const uint8_t *wanted, size_t len)
{
  struct hm_bytes header;
  HM_TRY(hm_cbor_bstr(c, &header));
  return hm_bytes_equal(header, hm_bytes(wanted, len)) ? HM_OK : HM_UNSUPPORTED;
}

static enum hm_status take_body(struct hm_cbor *c, uint8_t iv[12], struct hm_bytes *ciphertext)
{
  size_t count;
  HM_TRY(take_header(c, body_header, sizeof body_header));
  HM_TRY(hm_cbor_map(c, &count));
  if (count != 1 || !take_label(c, LABEL_IV))
    return HM_MALFORMED;
  HM_TRY(hm_cbor_fixed(c, iv, HM_IV));
  HM_TRY(hm_cbor_bstr(c, ciphertext));
  return ciphertext->len < GCM_TAG ? HM_TRUNCATED : HM_OK;
}

static enum hm_status open_body(const struct hm_crypto *c, const uint8_t key[32],
                                const uint8_t iv[12], const struct body_aad *aad,
                                struct hm_bytes ciphertext, uint8_t *plain, size_t cap, size_t *len)
{
  if (ciphertext.len - GCM_TAG > cap)
    return HM_SHORT_BUFFER;
  HM_TRY(c->gcm_open(key, iv, hm_bytes(aad->bytes, aad->len), ciphertext, GCM_TAG, plain));
  *len = ciphertext.len - GCM_TAG;
  return HM_OK;
}

/* HKDF-256 of the shared x under COSE_KDF_Context (RFC 9053 5.2):
 * [3, [nil, nil, nil], [nil, nil, nil], [256, h'a1013818']]. */
static enum hm_status content_key(const struct hm_crypto *c, const uint8_t scalar[32],
                                  const uint8_t point[64], uint8_t key[32])
{
  static const uint8_t kdf_context[] = {0x84, 0x03, 0x83, 0xf6, 0xf6, 0xf6, 0x83, 0xf6, 0xf6, 0xf6,
                                        0x82, 0x19, 0x01, 0x00, 0x44, 0xa1, 0x01, 0x38, 0x18};
  uint8_t shared[32] = {0}, prk[32];
  struct hm_bytes secret = hm_bytes(shared, sizeof shared);
  struct hm_bytes info = hm_bytes(kdf_context, sizeof kdf_context);
  enum hm_status status = c->p256_ecdh(scalar, point, shared);
  if (status == HM_OK)
    status = hm_hkdf_extract(c, hm_bytes(NULL, 0), &secret, 1, prk);
  if (status == HM_OK)
    status = hm_hkdf_expand(c, hm_bytes(prk, sizeof prk), &info, 1, key, HM_KEY);
  hm_wipe(shared, sizeof shared);
  hm_wipe(prk, sizeof prk);
  return status;
}

enum hm_status hm_encrypt_to(const struct hm_crypto *c, const uint8_t to[64],
                             const uint8_t ephemeral[32], const uint8_t iv[12], struct hm_bytes aad,
                             struct hm_bytes plain, struct hm_out *out)
{
  struct hm_cose_key sender;
  struct body_aad body;
  uint8_t key[32];
  HM_TRY(make_aad("Encrypt", aad, &body));
  HM_TRY(c->p256_public(ephemeral, sender.point));
  HM_TRY(content_key(c, ephemeral, to, key));

  hm_cbor_put_tag(out, TAG_ENCRYPT);
  hm_cbor_put_array(out, 4);
  enum hm_status status = put_body(c, key, iv, &body, plain, out);
  hm_wipe(key, sizeof key);
  HM_TRY(status);

  hm_cbor_put_array(out, 1);
  hm_cbor_put_array(out, 3);
  hm_cbor_put_bstr(out, hm_bytes(recipient_header, sizeof recipient_header));
  hm_cbor_put_map(out, 1);
  hm_cbor_put_int(out, LABEL_EPHEMERAL);
  status = hm_encode(&hm_shape_cose_key, &sender, out, NULL);
  hm_cbor_put_bstr(out, hm_bytes(NULL, 0));
  return status == HM_OK ? hm_out_status(out) : status;
}

/* [[protected, {-1: ephemeral key}, h'']] */
static enum hm_status take_recipient(struct hm_cbor *c, struct hm_cose_key *sender)
{
  size_t recipients, members, labels;
  struct hm_bytes ciphertext;
  HM_TRY(hm_cbor_array(c, &recipients));
  if (recipients != 1)
    return HM_UNSUPPORTED;
  HM_TRY(hm_cbor_array(c, &members));
  if (members != 3)
    return HM_MALFORMED;
  HM_TRY(take_header(c, recipient_header, sizeof recipient_header));
  HM_TRY(hm_cbor_map(c, &labels));
  if (labels != 1 || !take_label(c, LABEL_EPHEMERAL))
    return HM_MALFORMED;
  HM_TRY(hm_decode_next(&hm_shape_cose_key, c, sender, NULL));
  HM_TRY(hm_cbor_bstr(c, &ciphertext));
  return ciphertext.len == 0 ? HM_OK : HM_MALFORMED;
}

static enum hm_status take_envelope(struct hm_cbor *c, uint64_t tag, size_t members, uint8_t iv[12],
                                    struct hm_bytes *ciphertext)
{
  size_t count;
  if (c->in.len > ENVELOPE_MAX)
    return HM_TOO_LARGE;
  HM_TRY(hm_cbor_tag(c, tag));
  HM_TRY(hm_cbor_array(c, &count));
  if (count != members)
    return HM_MALFORMED;
  return take_body(c, iv, ciphertext);
}

enum hm_status hm_decrypt(const struct hm_crypto *c, const uint8_t scalar[32],
                          struct hm_bytes object, struct hm_bytes aad, uint8_t *plain, size_t cap,
                          size_t *len)
{
  struct hm_cbor cursor = hm_cbor(object);
  struct hm_bytes ciphertext;
  struct hm_cose_key sender;
  struct body_aad body;
  uint8_t iv[12], key[32];
  HM_TRY(take_envelope(&cursor, TAG_ENCRYPT, 4, iv, &ciphertext));
  HM_TRY(take_recipient(&cursor, &sender));
  HM_TRY(hm_cbor_end(&cursor));
  HM_TRY(make_aad("Encrypt", aad, &body));
  HM_TRY(content_key(c, scalar, sender.point, key));
  enum hm_status status = open_body(c, key, iv, &body, ciphertext, plain, cap, len);
  hm_wipe(key, sizeof key);
  return status;
}

enum hm_status hm_encrypt0(const struct hm_crypto *c, const uint8_t key[32], const uint8_t iv[12],
                           struct hm_bytes aad, struct hm_bytes plain, struct hm_out *out)
{
  struct body_aad body;
  HM_TRY(make_aad("Encrypt0", aad, &body));
  hm_cbor_put_tag(out, TAG_ENCRYPT0);
  hm_cbor_put_array(out, 3);
  HM_TRY(put_body(c, key, iv, &body, plain, out));
  return hm_out_status(out);
}

enum hm_status hm_decrypt0(const struct hm_crypto *c, const uint8_t key[32], struct hm_bytes object,
                           struct hm_bytes aad, uint8_t *plain, size_t cap, size_t *len)
{
  struct hm_cbor cursor = hm_cbor(object);
  struct hm_bytes ciphertext;
  struct body_aad body;
  uint8_t iv[12];
  HM_TRY(take_envelope(&cursor, TAG_ENCRYPT0, 3, iv, &ciphertext));
  HM_TRY(hm_cbor_end(&cursor));
  HM_TRY(make_aad("Encrypt0", aad, &body));
  return open_body(c, key, iv, &body, ciphertext, plain, cap, len);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The OpenSSL 3 engine. Curve work goes through EC_KEY, because only its API takes
 * a nonce k from the caller before OpenSSL 3.2 (ECDSA_do_sign_ex); it is deprecated,
 * not gone.
 *
 * Secrets: scalars live in BIGNUMs that are cleared before they are freed, never in
 * an OSSL_PARAM_BLD or a key object that outlives the call. OpenSSL's curve code leaves recoded
 * scalars and coordinates in dead stack frames, so every call that saw a secret overwrites that
 * part of the stack.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "trust/crypto_openssl.h"

#include <errno.h>
#include <sys/random.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/sha.h>

#if OPENSSL_VERSION_NUMBER < 0x30000020L
#error "OpenSSL 3.0.2 or newer is needed"
#endif

enum { STACK_BURNT = 16384 };

/* Fetched once, then only read. */
static EC_GROUP *curve;
static EC_GROUP *ladder; /* the same curve under generic code, for key agreement */
static EVP_CIPHER *aes_gcm;
static EVP_MAC *hmac_algorithm;

/* P-256 again, by its parameters. The assembler code of the named curve copies the
 * scalar of a variable-point multiplication into heap and frees it as it is; the
 * generic code runs a constant-time ladder that keeps it in a BN_CTX, which is cleared. */
static EC_GROUP *make_ladder(void)
{
  BN_CTX *context = BN_CTX_new();
  BIGNUM *p = BN_new(), *a = BN_new(), *b = BN_new();
  EC_GROUP *group = NULL;
  EC_POINT *generator = NULL;
  if (context != NULL && EC_GROUP_get_curve(curve, p, a, b, context) == 1)
    group = EC_GROUP_new_curve_GFp(p, a, b, context);
  if (group != NULL)
    generator = EC_POINT_new(group);
  bool ok =
      generator != NULL &&
      EC_POINT_get_affine_coordinates(curve, EC_GROUP_get0_generator(curve), a, b, context) == 1 &&
      EC_POINT_set_affine_coordinates(group, generator, a, b, context) == 1 &&
      EC_GROUP_set_generator(group, generator, EC_GROUP_get0_order(curve),
                             EC_GROUP_get0_cofactor(curve)) == 1;
  if (!ok) {
    EC_GROUP_free(group);
    group = NULL;
  }
  EC_POINT_free(generator);
  BN_free(b);
  BN_free(a);
  BN_free(p);
  BN_CTX_free(context);
  return group;
}

static void fetch_all(void)
{
  curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
  if (curve != NULL)
    ladder = make_ladder();
  aes_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
  hmac_algorithm = EVP_MAC_fetch(NULL, "HMAC", NULL);
}

/* HM_STATE where this OpenSSL was built without an algorithm of the profile. */
static enum hm_status engine_ready(void)
{
  static CRYPTO_ONCE once = CRYPTO_ONCE_STATIC_INIT;
  if (CRYPTO_THREAD_run_once(&once, fetch_all) != 1)
    return HM_STATE;
  bool ok = curve != NULL && ladder != NULL && aes_gcm != NULL && hmac_algorithm != NULL;
  return ok ? HM_OK : HM_STATE;
}

static __attribute__((noinline)) void burn_stack(void)
{
  uint8_t dead[STACK_BURNT];
  OPENSSL_cleanse(dead, sizeof dead);
}

/* ---- hashes ---------------------------------------------------------------------- */

static enum hm_status openssl_sha256(const struct hm_bytes *parts, size_t count, uint8_t out[32])
{
  SHA256_CTX context;
  int ok = SHA256_Init(&context);
  for (size_t i = 0; i < count && ok == 1; i++)
    ok = SHA256_Update(&context, parts[i].data, parts[i].len);
  if (ok == 1)
    ok = SHA256_Final(out, &context);
  OPENSSL_cleanse(&context, sizeof context);
  return ok == 1 ? HM_OK : HM_STATE;
}

static enum hm_status openssl_hmac(struct hm_bytes key, const struct hm_bytes *parts, size_t count,
                                   uint8_t out[32])
{
  HM_TRY(engine_ready());
  EVP_MAC_CTX *context = EVP_MAC_CTX_new(hmac_algorithm);
  if (context == NULL)
    return HM_STATE;

  static const uint8_t no_key[1];
  char digest[] = "SHA256";
  OSSL_PARAM parameters[2] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  size_t written = 0;
  int ok = EVP_MAC_init(context, key.len > 0 ? key.data : no_key, key.len, parameters);
  for (size_t i = 0; i < count && ok == 1; i++)
    if (parts[i].len > 0)
      ok = EVP_MAC_update(context, parts[i].data, parts[i].len);
  if (ok == 1)
    ok = EVP_MAC_final(context, out, &written, HM_HASH);
  EVP_MAC_CTX_free(context);
  burn_stack();
  return ok == 1 && written == HM_HASH ? HM_OK : HM_STATE;
}

/* ---- AES-256-GCM ----------------------------------------------------------------- */

/* Start a direction and take in the additional data. */
static bool gcm_begin(EVP_CIPHER_CTX *context, int encrypt, const uint8_t key[32],
                      const uint8_t iv[12], struct hm_bytes aad)
{
  int taken = 0;
  if (EVP_CipherInit_ex2(context, aes_gcm, key, iv, encrypt, NULL) != 1)
    return false;
  return aad.len == 0 || EVP_CipherUpdate(context, NULL, &taken, aad.data, (int)aad.len) == 1;
}

/* One pass over the text; an empty text is no call, which would end the message early. */
static bool gcm_text(EVP_CIPHER_CTX *context, struct hm_bytes in, uint8_t *out)
{
  int written = 0;
  return in.len == 0 || (EVP_CipherUpdate(context, out, &written, in.data, (int)in.len) == 1 &&
                         (size_t)written == in.len);
}

static enum hm_status gcm_limits(struct hm_bytes aad, struct hm_bytes text, size_t tag_len)
{
  if (tag_len != 16 && tag_len != 8)
    return HM_UNSUPPORTED;
  return aad.len > INT32_MAX || text.len > INT32_MAX ? HM_TOO_LARGE : HM_OK;
}

static enum hm_status openssl_gcm_seal(const uint8_t key[32], const uint8_t iv[12],
                                       struct hm_bytes aad, struct hm_bytes plain, size_t tag_len,
                                       uint8_t *out)
{
  HM_TRY(gcm_limits(aad, plain, tag_len));
  HM_TRY(engine_ready());
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  if (context == NULL)
    return HM_STATE;

  uint8_t rest[16];
  int written = 0;
  bool ok = gcm_begin(context, 1, key, iv, aad) && gcm_text(context, plain, out) &&
            EVP_CipherFinal_ex(context, rest, &written) == 1 &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, (int)tag_len, out + plain.len) == 1;
  EVP_CIPHER_CTX_free(context);
  burn_stack();
  return ok ? HM_OK : HM_STATE;
}

static enum hm_status openssl_gcm_open(const uint8_t key[32], const uint8_t iv[12],
                                       struct hm_bytes aad, struct hm_bytes sealed, size_t tag_len,
                                       uint8_t *out)
{
  HM_TRY(gcm_limits(aad, sealed, tag_len));
  if (sealed.len < tag_len)
    return HM_TRUNCATED;
  HM_TRY(engine_ready());
  EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
  if (context == NULL)
    return HM_STATE;

  size_t len = sealed.len - tag_len;
  uint8_t tag[16], rest[16];
  int written = 0;
  memcpy(tag, sealed.data + len, tag_len);
  bool ok = gcm_begin(context, 0, key, iv, aad) &&
            gcm_text(context, hm_bytes(sealed.data, len), out) &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, (int)tag_len, tag) == 1;
  enum hm_status status = ok ? HM_OK : HM_STATE;
  if (ok && EVP_CipherFinal_ex(context, rest, &written) != 1)
    status = HM_BAD_TAG;
  EVP_CIPHER_CTX_free(context);
  burn_stack();
  if (status != HM_OK) {
    if (len > 0)
      hm_wipe(out, len);
    ERR_clear_error();
  }
  return status;
}

/* ---- P-256 ----------------------------------------------------------------------- */

/* What a curve call borrows from OpenSSL; all of it cleared at the end. */
struct curve_call {
  const EC_GROUP *group;
  BN_CTX *context;
  BIGNUM *a, *b;
  EC_POINT *point, *result;
};

static void call_end(struct curve_call *call)
{
  EC_POINT_clear_free(call->result);
  EC_POINT_clear_free(call->point);
  BN_clear_free(call->b);
  BN_clear_free(call->a);
  BN_CTX_free(call->context);
  ERR_clear_error();
  burn_stack();
}

static enum hm_status call_begin(struct curve_call *call, bool by_ladder)
{
  memset(call, 0, sizeof *call);
  HM_TRY(engine_ready());
  call->group = by_ladder ? ladder : curve;
  call->context = BN_CTX_new();
  call->a = BN_new();
  call->b = BN_new();
  call->point = EC_POINT_new(call->group);
  call->result = EC_POINT_new(call->group);
  if (call->context != NULL && call->a != NULL && call->b != NULL && call->point != NULL &&
      call->result != NULL)
    return HM_OK;
  call_end(call);
  return HM_STATE;
}

/* A secret scalar into a BIGNUM that OpenSSL treats in constant time. */
static enum hm_status scalar_load(BIGNUM *out, const uint8_t scalar[32])
{
  BN_set_flags(out, BN_FLG_CONSTTIME);
  if (BN_bin2bn(scalar, 32, out) == NULL)
    return HM_STATE;
  return BN_is_zero(out) || BN_cmp(out, EC_GROUP_get0_order(curve)) >= 0 ? HM_MALFORMED : HM_OK;
}

/* x || y onto the curve; uses a and b. */
static enum hm_status point_load(struct curve_call *call, const uint8_t point[64])
{
  if (BN_bin2bn(point, 32, call->a) == NULL || BN_bin2bn(point + 32, 32, call->b) == NULL)
    return HM_STATE;
  return EC_POINT_set_affine_coordinates(call->group, call->point, call->a, call->b,
                                         call->context) == 1
             ? HM_OK
             : HM_MALFORMED;
}

/* The result's coordinates; y may be NULL. Uses a and b. */
static enum hm_status point_store(struct curve_call *call, uint8_t x[32], uint8_t *y)
{
  if (EC_POINT_is_at_infinity(call->group, call->result))
    return HM_MALFORMED;
  if (EC_POINT_get_affine_coordinates(call->group, call->result, call->a, call->b, call->context) !=
      1)
    return HM_STATE;
  if (BN_bn2binpad(call->a, x, 32) != 32)
    return HM_STATE;
  return y == NULL || BN_bn2binpad(call->b, y, 32) == 32 ? HM_OK : HM_STATE;
}

static enum hm_status public_of(struct curve_call *call, const uint8_t scalar[32],
                                uint8_t point[64])
{
  HM_TRY(scalar_load(call->a, scalar));
  if (EC_POINT_mul(curve, call->result, call->a, NULL, NULL, call->context) != 1)
    return HM_STATE;
  return point_store(call, point, point + 32);
}

static enum hm_status openssl_p256_public(const uint8_t scalar[32], uint8_t point[64])
{
  struct curve_call call;
  HM_TRY(call_begin(&call, false));
  enum hm_status status = public_of(&call, scalar, point);
  call_end(&call);
  return status;
}

static enum hm_status openssl_p256_check(const uint8_t point[64])
{
  struct curve_call call;
  HM_TRY(call_begin(&call, false));
  enum hm_status status = point_load(&call, point);
  call_end(&call);
  return status;
}

static enum hm_status agree(struct curve_call *call, const uint8_t scalar[32],
                            const uint8_t point[64], uint8_t x[32])
{
  HM_TRY(point_load(call, point));
  HM_TRY(scalar_load(call->a, scalar));
  if (EC_POINT_mul(call->group, call->result, NULL, call->point, call->a, call->context) != 1)
    return HM_STATE;
  return point_store(call, x, NULL);
}

static enum hm_status openssl_p256_ecdh(const uint8_t scalar[32], const uint8_t point[64],
                                        uint8_t x[32])
{
  struct curve_call call;
  HM_TRY(call_begin(&call, true));
  enum hm_status status = agree(&call, scalar, point, x);
  call_end(&call);
  return status;
}

/* r = x(kG) mod n and k^-1 mod n. The inverse is by Fermat, k^(n-2): a fixed
 * exponent, so its time says nothing of k. */
static enum hm_status nonce_setup(struct curve_call *call, const uint8_t k[32], BIGNUM *inverse,
                                  BIGNUM *r)
{
  const BIGNUM *order = EC_GROUP_get0_order(curve);
  HM_TRY(scalar_load(call->a, k));
  if (EC_POINT_mul(curve, call->result, call->a, NULL, NULL, call->context) != 1 ||
      EC_POINT_get_affine_coordinates(curve, call->result, call->b, NULL, call->context) != 1 ||
      BN_nnmod(r, call->b, order, call->context) != 1)
    return HM_STATE;
  if (BN_is_zero(r))
    return HM_MALFORMED;
  if (BN_copy(call->b, order) == NULL || BN_sub_word(call->b, 2) != 1 ||
      BN_mod_exp_mont_consttime(inverse, call->a, call->b, order, call->context, NULL) != 1)
    return HM_STATE;
  BN_set_flags(inverse, BN_FLG_CONSTTIME);
  return HM_OK;
}

static enum hm_status signature_store(const ECDSA_SIG *signature, uint8_t out[64])
{
  return BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32) == 32 &&
                 BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32) == 32
             ? HM_OK
             : HM_STATE;
}

static enum hm_status sign_with(struct curve_call *call, EC_KEY *key, BIGNUM *inverse, BIGNUM *r,
                                const uint8_t scalar[32], const uint8_t k[32],
                                const uint8_t digest[32], uint8_t signature[64])
{
  HM_TRY(scalar_load(call->a, scalar));
  if (EC_KEY_set_group(key, curve) != 1 || EC_KEY_set_private_key(key, call->a) != 1)
    return HM_STATE;
  HM_TRY(nonce_setup(call, k, inverse, r));
  /* With k given it fails only where s = 0. */
  ECDSA_SIG *made = ECDSA_do_sign_ex(digest, HM_HASH, inverse, r, key);
  if (made == NULL)
    return HM_MALFORMED;
  enum hm_status status = signature_store(made, signature);
  ECDSA_SIG_free(made);
  return status;
}

static enum hm_status openssl_p256_sign_k(const uint8_t scalar[32], const uint8_t k[32],
                                          const uint8_t digest[32], uint8_t signature[64])
{
  struct curve_call call;
  HM_TRY(call_begin(&call, false));
  EC_KEY *key = EC_KEY_new();
  BIGNUM *inverse = BN_new();
  BIGNUM *r = BN_new();
  enum hm_status status = HM_STATE;
  if (key != NULL && inverse != NULL && r != NULL)
    status = sign_with(&call, key, inverse, r, scalar, k, digest, signature);
  EC_KEY_free(key);
  BN_clear_free(inverse);
  BN_clear_free(r);
  call_end(&call);
  return status;
}

static enum hm_status verify_with(struct curve_call *call, EC_KEY *key, ECDSA_SIG *signature,
                                  const uint8_t point[64], const uint8_t digest[32],
                                  const uint8_t bytes[64])
{
  HM_TRY(point_load(call, point));
  if (EC_KEY_set_group(key, curve) != 1 || EC_KEY_set_public_key(key, call->point) != 1)
    return HM_STATE;
  BIGNUM *r = BN_bin2bn(bytes, 32, NULL);
  BIGNUM *s = BN_bin2bn(bytes + 32, 32, NULL);
  if (r == NULL || s == NULL || ECDSA_SIG_set0(signature, r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return HM_STATE;
  }
  return ECDSA_do_verify(digest, HM_HASH, signature, key) == 1 ? HM_OK : HM_BAD_SIGNATURE;
}

static enum hm_status openssl_p256_verify(const uint8_t point[64], const uint8_t digest[32],
                                          const uint8_t signature[64])
{
  struct curve_call call;
  HM_TRY(call_begin(&call, false));
  EC_KEY *key = EC_KEY_new();
  ECDSA_SIG *parsed = ECDSA_SIG_new();
  enum hm_status status = HM_STATE;
  if (key != NULL && parsed != NULL)
    status = verify_with(&call, key, parsed, point, digest, signature);
  ECDSA_SIG_free(parsed);
  EC_KEY_free(key);
  call_end(&call);
  return status == HM_MALFORMED ? HM_BAD_SIGNATURE : status;
}

const struct hm_crypto hm_crypto_openssl = {
    .name = "openssl",
    .sha256 = openssl_sha256,
    .hmac = openssl_hmac,
    .gcm_seal = openssl_gcm_seal,
    .gcm_open = openssl_gcm_open,
    .p256_public = openssl_p256_public,
    .p256_check = openssl_p256_check,
    .p256_ecdh = openssl_p256_ecdh,
    .p256_sign_k = openssl_p256_sign_k,
    .p256_verify = openssl_p256_verify,
};

enum hm_status hm_random(void *out, size_t len)
{
  uint8_t *at = out;
  while (len > 0) {
    ssize_t got = getrandom(at, len, 0);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return HM_IO;
    at += got;
    len -= (size_t)got;
  }
  return HM_OK;
}

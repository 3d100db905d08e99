/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is built from an engine: HKDF, deterministic ECDSA, key generation, names
 * of keys. The nonce k of RFC 6979 is computed here, with the engine's HMAC, so
 * that every engine signs the same bytes.
 *
 * Numbers modulo the order n of P-256 are eight 32-bit limbs, least significant
 * first. The helpers on them run in time that depends on nothing secret: no
 * branch, no index by a value, selection by masks.
 */
#include "trust/crypto.h"

enum { LIMBS = 8, SIGN_ATTEMPTS = 32, HKDF_PARTS = 6 };

static const uint32_t order[LIMBS] = {0xfc632551, 0xf3b9cac2, 0xa7179e84, 0xbce6faad,
                                      0xffffffff, 0xffffffff, 0x00000000, 0xffffffff};
static const uint32_t order_minus_1[LIMBS] = {0xfc632550, 0xf3b9cac2, 0xa7179e84, 0xbce6faad,
                                              0xffffffff, 0xffffffff, 0x00000000, 0xffffffff};
static const uint32_t half_order[LIMBS] = {0x7e3192a8, 0x79dce561, 0xd38bcf42, 0xde737d56,
                                           0xffffffff, 0x7fffffff, 0x80000000, 0x7fffffff};

/* ---- 256-bit numbers ------------------------------------------------------------ */

static void load(uint32_t a[LIMBS], const uint8_t bytes[32])
{
  for (size_t i = 0; i < LIMBS; i++) {
    const uint8_t *p = bytes + 28 - 4 * i;
    a[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
  }
}

static void store(uint8_t bytes[32], const uint32_t a[LIMBS])
{
  for (size_t i = 0; i < LIMBS; i++) {
    uint8_t *p = bytes + 28 - 4 * i;
    p[0] = (uint8_t)(a[i] >> 24);
    p[1] = (uint8_t)(a[i] >> 16);
    p[2] = (uint8_t)(a[i] >> 8);
    p[3] = (uint8_t)a[i];
  }
}

/* out = a - b modulo 2^256; returns the borrow, 0 or 1. */
static uint32_t subtract(uint32_t out[LIMBS], const uint32_t a[LIMBS], const uint32_t b[LIMBS])
{
  uint64_t borrow = 0;
  for (size_t i = 0; i < LIMBS; i++) {
    uint64_t difference = (uint64_t)a[i] - b[i] - borrow;
    out[i] = (uint32_t)difference;
    borrow = difference >> 63;
  }
  return (uint32_t)borrow;
}

/* a = take ? b : a */
static void select_limbs(uint32_t a[LIMBS], const uint32_t b[LIMBS], uint32_t take)
{
  uint32_t mask = 0U - take;
  for (size_t i = 0; i < LIMBS; i++)
    a[i] ^= mask & (a[i] ^ b[i]);
}

/* a = a >= modulus (with the carry limb above a) ? a - modulus : a */
static void reduce_once(uint32_t a[LIMBS], uint32_t carry, const uint32_t modulus[LIMBS])
{
  uint32_t less[LIMBS];
  uint32_t borrow = subtract(less, a, modulus);
  select_limbs(a, less, carry | (1U - borrow));
  hm_wipe(less, sizeof less);
}

/* a = a + 1; a is below the order, so it cannot run over. */
static void increment(uint32_t a[LIMBS])
{
  uint64_t carry = 1;
  for (size_t i = 0; i < LIMBS; i++) {
    carry += a[i];
    a[i] = (uint32_t)carry;
    carry >>= 32;
  }
}

/* 1 <= scalar < n. Tells only valid or not. */
static bool scalar_is_valid(const uint8_t scalar[32])
{
  uint32_t a[LIMBS], scratch[LIMBS], any = 0;
  load(a, scalar);
  uint32_t below = subtract(scratch, a, order);
  for (size_t i = 0; i < LIMBS; i++)
    any |= a[i];
  hm_wipe(a, sizeof a);
  hm_wipe(scratch, sizeof scratch);
  return below == 1 && any != 0;
}

/* ---- HKDF ------------------------------------------------------------------------ */

enum hm_status hm_hkdf_extract(const struct hm_crypto *c, struct hm_bytes salt,
                               const struct hm_bytes *ikm, size_t count, uint8_t prk[32])
{
  return c->hmac(salt, ikm, count, prk);
}

enum hm_status hm_hkdf_expand(const struct hm_crypto *c, struct hm_bytes prk,
                              const struct hm_bytes *info, size_t count, uint8_t *out,
                              size_t out_len)
{
  if (count > HKDF_PARTS || out_len > 255 * HM_HASH)
    return HM_TOO_LARGE;

  uint8_t block[HM_HASH];
  enum hm_status status = HM_OK;
  size_t at = 0;
  for (uint8_t counter = 1; at < out_len && status == HM_OK; counter++) {
    struct hm_bytes parts[HKDF_PARTS + 2];
    size_t used = 0;
    if (counter > 1)
      parts[used++] = hm_bytes(block, sizeof block);
    for (size_t i = 0; i < count; i++)
      parts[used++] = info[i];
    parts[used++] = hm_bytes(&counter, 1);

    status = c->hmac(prk, parts, used, block);
    size_t take = out_len - at < sizeof block ? out_len - at : sizeof block;
    if (status == HM_OK)
      memcpy(out + at, block, take);
    at += take;
  }
  hm_wipe(block, sizeof block);
  if (status != HM_OK)
    hm_wipe(out, out_len);
  return status;
}

/* ---- deterministic ECDSA --------------------------------------------------------- */

/* The generator of RFC 6979 section 3.2: its state between two candidates. */
struct nonce_generator {
  uint8_t key[32];
  uint8_t value[32];
};

/* K = HMAC(K, V || separator || rest), V = HMAC(K, V) */
static enum hm_status nonce_mix(const struct hm_crypto *c, struct nonce_generator *g,
                                uint8_t separator, struct hm_bytes x, struct hm_bytes h)
{
  struct hm_bytes parts[4] = {hm_bytes(g->value, 32), hm_bytes(&separator, 1), x, h};
  uint8_t next[32];
  enum hm_status status = c->hmac(hm_bytes(g->key, 32), parts, 4, next);
  if (status == HM_OK) {
    memcpy(g->key, next, sizeof next);
    status = c->hmac(hm_bytes(g->key, 32), parts, 1, next);
    memcpy(g->value, next, sizeof next);
  }
  hm_wipe(next, sizeof next);
  return status;
}

static enum hm_status nonce_start(const struct hm_crypto *c, struct nonce_generator *g,
                                  const uint8_t scalar[32], const uint8_t digest[32])
{
  uint32_t reduced[LIMBS];
  uint8_t h[32];
  load(reduced, digest);
  reduce_once(reduced, 0, order);
  store(h, reduced);

  memset(g->value, 0x01, sizeof g->value);
  memset(g->key, 0x00, sizeof g->key);
  HM_TRY(nonce_mix(c, g, 0x00, hm_bytes(scalar, 32), hm_bytes(h, 32)));
  return nonce_mix(c, g, 0x01, hm_bytes(scalar, 32), hm_bytes(h, 32));
}

/* The next candidate; it may be outside 1..n-1. */
static enum hm_status nonce_next(const struct hm_crypto *c, struct nonce_generator *g,
                                 uint8_t k[32])
{
  struct hm_bytes value = hm_bytes(g->value, 32);
  HM_TRY(c->hmac(hm_bytes(g->key, 32), &value, 1, k));
  memcpy(g->value, k, 32);
  return HM_OK;
}

static void make_low_s(uint8_t signature[64])
{
  uint32_t s[LIMBS], other[LIMBS], scratch[LIMBS];
  load(s, signature + 32);
  uint32_t is_high = subtract(scratch, half_order, s);
  (void)subtract(other, order, s);
  select_limbs(s, other, is_high);
  store(signature + 32, s);
}

bool hm_es256_is_low_s(const uint8_t signature[64])
{
  uint32_t s[LIMBS], scratch[LIMBS];
  load(s, signature + 32);
  return subtract(scratch, half_order, s) == 0;
}

enum hm_status hm_es256_sign(const struct hm_crypto *c, const uint8_t scalar[32],
                             const uint8_t digest[32], uint8_t signature[64])
{
  if (!scalar_is_valid(scalar))
    return HM_MALFORMED;

  struct nonce_generator g;
  uint8_t k[32];
  enum hm_status status = nonce_start(c, &g, scalar, digest);
  bool done = false;
  for (int attempt = 0; status == HM_OK && !done && attempt < SIGN_ATTEMPTS; attempt++) {
    status = nonce_next(c, &g, k);
    enum hm_status tried = HM_MALFORMED;
    if (status == HM_OK && scalar_is_valid(k))
      tried = c->p256_sign_k(scalar, k, digest, signature);
    done = tried == HM_OK;
    if (status == HM_OK && tried == HM_MALFORMED)
      status = nonce_mix(c, &g, 0x00, hm_bytes(NULL, 0), hm_bytes(NULL, 0));
    else if (status == HM_OK)
      status = tried;
  }
  hm_wipe(&g, sizeof g);
  hm_wipe(k, sizeof k);
  if (status == HM_OK && !done)
    status = HM_STATE;
  if (status == HM_OK)
    make_low_s(signature);
  else
    memset(signature, 0, HM_SIGNATURE);
  return status;
}

enum hm_status hm_es256_verify(const struct hm_crypto *c, const uint8_t point[64],
                               const uint8_t digest[32], const uint8_t signature[64])
{
  if (!hm_es256_is_low_s(signature))
    return HM_BAD_SIGNATURE;
  return c->p256_verify(point, digest, signature);
}

/* ---- keys ------------------------------------------------------------------------ */

enum hm_status hm_p256_generate(const struct hm_crypto *c, const uint8_t random[48],
                                uint8_t scalar[32], uint8_t point[64])
{
  /* Bit by bit from the top: a = 2a + bit mod (n - 1). */
  uint32_t a[LIMBS] = {0};
  for (size_t bit = 0; bit < 384; bit++) {
    uint32_t carry = (uint32_t)(random[bit / 8] >> (7 - bit % 8)) & 1U;
    for (size_t i = 0; i < LIMBS; i++) {
      uint32_t top = a[i] >> 31;
      a[i] = a[i] << 1 | carry;
      carry = top;
    }
    reduce_once(a, carry, order_minus_1);
  }
  increment(a);
  store(scalar, a);
  hm_wipe(a, sizeof a);

  enum hm_status status = c->p256_public(scalar, point);
  if (status != HM_OK)
    hm_wipe(scalar, HM_KEY);
  return status;
}

enum hm_status hm_key_thumbprint(const struct hm_crypto *c, const uint8_t point[64], uint8_t id[32])
{
  /* {1: 2, -1: 1, -2: x, -3: y} */
  static const uint8_t before_x[] = {0xa4, 0x01, 0x02, 0x20, 0x01, 0x21, 0x58, 0x20};
  static const uint8_t before_y[] = {0x22, 0x58, 0x20};
  struct hm_bytes parts[4] = {
      hm_bytes(before_x, sizeof before_x),
      hm_bytes(point, 32),
      hm_bytes(before_y, sizeof before_y),
      hm_bytes(point + 32, 32),
  };
  return c->sha256(parts, 4, id);
}

static enum hm_status software_sign(void *key, const uint8_t digest[32], uint8_t signature[64])
{
  const struct hm_software_key *software = key;
  return hm_es256_sign(software->crypto, software->scalar, digest, signature);
}

enum hm_status hm_signer_from_scalar(const struct hm_crypto *c, const uint8_t scalar[32],
                                     struct hm_software_key *key_storage, struct hm_signer *out)
{
  struct hm_signer signer = {.sign = software_sign, .key = key_storage};
  HM_TRY(c->p256_public(scalar, signer.point));
  HM_TRY(hm_key_thumbprint(c, signer.point, signer.kid));
  key_storage->crypto = c;
  memcpy(key_storage->scalar, scalar, sizeof key_storage->scalar);
  *out = signer;
  return HM_OK;
}

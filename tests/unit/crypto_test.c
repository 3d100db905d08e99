/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * trust/crypto.c over the OpenSSL engine: published vectors, then wrong input.
 */
#include "trust/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/hex.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

/* n and (n - 1) / 2 of P-256 */
static const char order_hex[] = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
static const char half_order_hex[] =
    "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";

/* RFC 6979 A.2.5 */
static const char rfc6979_x[] = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
static const char rfc6979_ux[] = "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6";
static const char rfc6979_uy[] = "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";

static void read32(const char *hex, uint8_t out[32])
{
  assert_int_equal(hex_read(hex, out, 32), 32);
}

static void sha256_text(const char *text, uint8_t out[32])
{
  struct hm_bytes part = hm_bytes(text, strlen(text));
  assert_int_equal(engine->sha256(&part, 1, out), HM_OK);
}

static void sha256_of_parts_is_that_of_the_whole(void **state)
{
  (void)state;
  uint8_t expected[32], whole[32], parts[32];
  read32("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", expected);
  sha256_text("abc", whole);
  struct hm_bytes split[3] = {hm_bytes("a", 1), hm_bytes(NULL, 0), hm_bytes("bc", 2)};
  assert_int_equal(engine->sha256(split, 3, parts), HM_OK);
  assert_memory_equal(whole, expected, 32);
  assert_memory_equal(parts, expected, 32);
}

static void signs_as_rfc_6979_a25_says_with_low_s(void **state)
{
  (void)state;
  static const struct {
    const char *message, *r, *s;
    bool s_is_low;
  } vectors[] = {
      {"sample", "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716",
       "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8", false},
      {"test", "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367",
       "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083", true},
  };
  uint8_t scalar[32], point[64], public_point[64];
  read32(rfc6979_x, scalar);
  read32(rfc6979_ux, point);
  read32(rfc6979_uy, point + 32);
  assert_int_equal(engine->p256_public(scalar, public_point), HM_OK);
  assert_memory_equal(public_point, point, 64);

  for (size_t i = 0; i < 2; i++) {
    uint8_t digest[32], signature[64], expected[64];
    sha256_text(vectors[i].message, digest);
    read32(vectors[i].r, expected);
    read32(vectors[i].s, expected + 32);
    assert_int_equal(hm_es256_sign(engine, scalar, digest, signature), HM_OK);
    assert_memory_equal(signature, expected, 32);
    assert_int_equal(hm_es256_is_low_s(expected), vectors[i].s_is_low);
    if (vectors[i].s_is_low)
      assert_memory_equal(signature, expected, 64);
    else
      assert_memory_not_equal(signature, expected, 64);
    assert_true(hm_es256_is_low_s(signature));
    assert_int_equal(hm_es256_verify(engine, point, digest, signature), HM_OK);
    /* The published twin is good ECDSA; only the profile says no. */
    assert_int_equal(engine->p256_verify(point, digest, expected), HM_OK);
    assert_int_equal(hm_es256_verify(engine, point, digest, expected),
                     vectors[i].s_is_low ? HM_OK : HM_BAD_SIGNATURE);
    digest[0] ^= 1;
    assert_int_equal(hm_es256_verify(engine, point, digest, signature), HM_BAD_SIGNATURE);
  }
}

static void low_s_ends_at_half_the_order(void **state)
{
  (void)state;
  uint8_t signature[64] = {0};
  read32(half_order_hex, signature + 32);
  assert_true(hm_es256_is_low_s(signature));
  signature[63]++;
  assert_false(hm_es256_is_low_s(signature));
  read32(order_hex, signature + 32);
  assert_false(hm_es256_is_low_s(signature));
  memset(signature, 0xff, sizeof signature);
  assert_false(hm_es256_is_low_s(signature));
}

static void digests_above_the_order_are_signed(void **state)
{
  (void)state;
  uint8_t scalar[32], point[64], digest[32], signature[64];
  read32(rfc6979_x, scalar);
  assert_int_equal(engine->p256_public(scalar, point), HM_OK);
  memset(digest, 0xff, sizeof digest);
  assert_int_equal(hm_es256_sign(engine, scalar, digest, signature), HM_OK);
  assert_int_equal(hm_es256_verify(engine, point, digest, signature), HM_OK);
  memset(digest, 0, sizeof digest);
  assert_int_equal(hm_es256_sign(engine, scalar, digest, signature), HM_OK);
  assert_int_equal(hm_es256_verify(engine, point, digest, signature), HM_OK);
}

static void scalars_outside_one_to_n_minus_one_are_refused(void **state)
{
  (void)state;
  uint8_t scalar[32] = {0}, digest[32] = {1}, signature[64], point[64];
  struct hm_software_key storage;
  struct hm_signer signer;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(hm_es256_sign(engine, scalar, digest, signature), HM_MALFORMED);
    assert_int_equal(engine->p256_public(scalar, point), HM_MALFORMED);
    assert_int_equal(hm_signer_from_scalar(engine, scalar, &storage, &signer), HM_MALFORMED);
    if (i == 0)
      read32(order_hex, scalar);
    else
      memset(scalar, 0xff, sizeof scalar);
  }
  read32(order_hex, scalar);
  scalar[31]--;
  assert_int_equal(hm_es256_sign(engine, scalar, digest, signature), HM_OK);
}

static void generated_scalars_are_random_mod_n_minus_1_plus_1(void **state)
{
  (void)state;
  uint8_t random[48] = {0}, scalar[32], point[64], expected[32] = {0};

  expected[31] = 1;
  assert_int_equal(hm_p256_generate(engine, random, scalar, point), HM_OK);
  assert_memory_equal(scalar, expected, 32);

  /* n - 1 wraps to the first scalar, n - 2 is the last one */
  read32(order_hex, random + 16);
  random[47]--;
  assert_int_equal(hm_p256_generate(engine, random, scalar, point), HM_OK);
  assert_memory_equal(scalar, expected, 32);
  random[47]--;
  assert_int_equal(hm_p256_generate(engine, random, scalar, point), HM_OK);
  read32(order_hex, expected);
  expected[31]--;
  assert_memory_equal(scalar, expected, 32);

  /* (2^384 - 1) mod (n - 1) + 1, computed with Python */
  memset(random, 0xff, sizeof random);
  read32("431905529c0166ce652e96b7ccca0a9a679b73e29ad16947f01cf012fc632550", expected);
  assert_int_equal(hm_p256_generate(engine, random, scalar, point), HM_OK);
  assert_memory_equal(scalar, expected, 32);
}

static void points_off_the_curve_are_refused(void **state)
{
  (void)state;
  uint8_t scalar[32], point[64], x[32], zero[64] = {0};
  read32(rfc6979_x, scalar);
  assert_int_equal(engine->p256_public(scalar, point), HM_OK);
  assert_int_equal(engine->p256_check(point), HM_OK);
  assert_int_equal(engine->p256_ecdh(scalar, point, x), HM_OK);
  assert_int_equal(engine->p256_check(zero), HM_MALFORMED);
  point[63] ^= 1;
  assert_int_equal(engine->p256_check(point), HM_MALFORMED);
  assert_int_equal(engine->p256_ecdh(scalar, point, x), HM_MALFORMED);
  point[63] ^= 1;
  /* x + p names the same residue, but not in its one spelling */
  memset(point, 0xff, 32);
  assert_int_equal(engine->p256_check(point), HM_MALFORMED);
}

static void hkdf_reproduces_rfc_5869(void **state)
{
  (void)state;
  static const struct {
    const char *ikm, *salt, *info, *prk, *okm;
  } vectors[] = {
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c",
       "f0f1f2f3f4f5f6f7f8f9", "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
       "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"},
      {"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
       "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
       "404142434445464748494a4b4c4d4e4f",
       "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f"
       "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"
       "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
       "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecf"
       "d0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeef"
       "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
       "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
       "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c"
       "59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71"
       "cc30c58179ec3e87c14c01d5c1f3434f1d87"},
      {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
       "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
       "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"},
  };
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    uint8_t ikm[128], salt[128], info[128], expected[128], prk[32], okm[128];
    struct hm_bytes ikm_bytes = hm_bytes(ikm, hex_read(vectors[i].ikm, ikm, sizeof ikm));
    struct hm_bytes salt_bytes = hm_bytes(salt, hex_read(vectors[i].salt, salt, sizeof salt));
    struct hm_bytes info_bytes = hm_bytes(info, hex_read(vectors[i].info, info, sizeof info));
    read32(vectors[i].prk, expected);
    assert_int_equal(hm_hkdf_extract(engine, salt_bytes, &ikm_bytes, 1, prk), HM_OK);
    assert_memory_equal(prk, expected, 32);
    size_t len = hex_read(vectors[i].okm, expected, sizeof expected);
    assert_int_equal(hm_hkdf_expand(engine, hm_bytes(prk, 32), &info_bytes, 1, okm, len), HM_OK);
    assert_memory_equal(okm, expected, len);
  }
}

static void hkdf_output_ends_at_255_blocks(void **state)
{
  (void)state;
  static uint8_t out[8161];
  uint8_t prk[32] = {7};
  assert_int_equal(hm_hkdf_expand(engine, hm_bytes(prk, 32), NULL, 0, out, 8160), HM_OK);
  assert_int_equal(hm_hkdf_expand(engine, hm_bytes(prk, 32), NULL, 0, out, 8161), HM_TOO_LARGE);
}

static void thumbprint_is_that_of_rfc_9679(void **state)
{
  (void)state;
  uint8_t point[64], expected[32], id[32];
  read32("65eda5a12577c2bae829437fe338701a10aaa375e1bb5b5de108de439c08551d", point);
  read32("1e52ed75701163f7f9e40ddf9f341b3dc9ba860af7e0ca7ca7e9eecd0084d19c", point + 32);
  read32("496bd8afadf307e5b08c64b0421bf9dc01528a344a43bda88fadd1669da253ec", expected);
  assert_int_equal(hm_key_thumbprint(engine, point, id), HM_OK);
  assert_memory_equal(id, expected, 32);
}

static void a_signer_signs_under_the_key_it_names(void **state)
{
  (void)state;
  uint8_t scalar[32], digest[32], signature[64], id[32];
  struct hm_software_key storage;
  struct hm_signer signer;
  read32(rfc6979_x, scalar);
  sha256_text("sample", digest);
  assert_int_equal(hm_signer_from_scalar(engine, scalar, &storage, &signer), HM_OK);
  assert_int_equal(signer.sign(signer.key, digest, signature), HM_OK);
  assert_int_equal(hm_es256_verify(engine, signer.point, digest, signature), HM_OK);
  assert_int_equal(hm_key_thumbprint(engine, signer.point, id), HM_OK);
  assert_memory_equal(id, signer.kid, 32);
}

static void opening_a_changed_text_leaves_nothing_behind(void **state)
{
  (void)state;
  uint8_t key[32] = {1}, iv[12] = {2}, sealed[5 + 16], plain[5], zero[5] = {0};
  struct hm_bytes aad = hm_bytes("aad", 3);
  const size_t tags[] = {16, 8};
  for (size_t i = 0; i < 2; i++) {
    size_t len = 5 + tags[i];
    assert_int_equal(engine->gcm_seal(key, iv, aad, hm_bytes("hello", 5), tags[i], sealed), HM_OK);
    assert_int_equal(engine->gcm_open(key, iv, aad, hm_bytes(sealed, len), tags[i], plain), HM_OK);
    assert_memory_equal(plain, "hello", 5);
    for (size_t bit = 0; bit < 8 * len; bit++) {
      sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
      memset(plain, 0xaa, sizeof plain);
      assert_int_equal(engine->gcm_open(key, iv, aad, hm_bytes(sealed, len), tags[i], plain),
                       HM_BAD_TAG);
      assert_memory_equal(plain, zero, 5);
      sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(
        engine->gcm_open(key, iv, hm_bytes("aae", 3), hm_bytes(sealed, len), tags[i], plain),
        HM_BAD_TAG);
    assert_int_equal(engine->gcm_open(key, iv, aad, hm_bytes(sealed, 4), tags[i], plain),
                     HM_TRUNCATED);
  }
  assert_int_equal(engine->gcm_seal(key, iv, aad, hm_bytes("hello", 5), 4, sealed), HM_UNSUPPORTED);
}

static void random_bytes_differ(void **state)
{
  (void)state;
  uint8_t a[300] = {0}, b[300] = {0};
  assert_int_equal(hm_random(a, sizeof a), HM_OK);
  assert_int_equal(hm_random(b, sizeof b), HM_OK);
  assert_memory_not_equal(a, b, sizeof a);
  assert_memory_not_equal(a + 268, b + 268, 32);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sha256_of_parts_is_that_of_the_whole),
      cmocka_unit_test(signs_as_rfc_6979_a25_says_with_low_s),
      cmocka_unit_test(low_s_ends_at_half_the_order),
      cmocka_unit_test(digests_above_the_order_are_signed),
      cmocka_unit_test(scalars_outside_one_to_n_minus_one_are_refused),
      cmocka_unit_test(generated_scalars_are_random_mod_n_minus_1_plus_1),
      cmocka_unit_test(points_off_the_curve_are_refused),
      cmocka_unit_test(hkdf_reproduces_rfc_5869),
      cmocka_unit_test(hkdf_output_ends_at_255_blocks),
      cmocka_unit_test(thumbprint_is_that_of_rfc_9679),
      cmocka_unit_test(a_signer_signs_under_the_key_it_names),
      cmocka_unit_test(opening_a_changed_text_leaves_nothing_behind),
      cmocka_unit_test(random_bytes_differ),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

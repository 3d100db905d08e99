/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Project Wycheproof's vectors: the engine agrees with every one of the profile's
 * sizes, and the profile refuses every other size and the high twins of ES256.
 */
#include "trust/cose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-glib/json-glib.h>

#include <cmocka.h>

#include "tests/support/hex.h"
#include "tests/support/vectors.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

/* Bytes of one vector's member. */
struct value {
  uint8_t bytes[8192];
  size_t len;
};

static struct hm_bytes view(const struct value *v)
{
  return hm_bytes(v->bytes, v->len);
}

static void read_hex(JsonObject *test, const char *member, struct value *out)
{
  out->len = hex_read(json_object_get_string_member(test, member), out->bytes, sizeof out->bytes);
}

static bool is_valid(JsonObject *test)
{
  return strcmp(json_object_get_string_member(test, "result"), "valid") == 0;
}

static void disagree(JsonObject *test)
{
  fail_msg("tcId %d: %s", (int)json_object_get_int_member(test, "tcId"),
           json_object_get_string_member(test, "comment"));
}

typedef void (*one_vector)(JsonObject *group, JsonObject *test, void *counts);

/* Every test of every group of a file, in order. */
static void for_each(const char *name, one_vector function, void *counts)
{
  g_autoptr(JsonParser) parser = json_parser_new();
  g_autoptr(GError) error = NULL;
  if (!json_parser_load_from_file(parser, vectors_path(HM_SHARED_DATA, name), &error))
    fail_msg("%s: %s", name, error->message);
  JsonObject *root = json_node_get_object(json_parser_get_root(parser));
  JsonArray *groups = json_object_get_array_member(root, "testGroups");
  guint done = 0;
  for (guint g = 0; g < json_array_get_length(groups); g++) {
    JsonObject *group = json_array_get_object_element(groups, g);
    JsonArray *tests = json_object_get_array_member(group, "tests");
    for (guint t = 0; t < json_array_get_length(tests); t++, done++)
      function(group, json_array_get_object_element(tests, t), counts);
  }
  assert_int_equal(done, json_object_get_int_member(root, "numberOfTests"));
}

/* ---- ES256 ----------------------------------------------------------------------- */

struct es256_counts {
  int agreed, twins, sizes;
};

/* A COSE_Sign1 around a signature of any length: what the profile would be shown. */
static enum hm_status parse_with_signature(struct hm_bytes signature)
{
  uint8_t object[512];
  static const uint8_t start[] = {0xd2, 0x84, 0x47, 0xa2, 0x01, 0x26, 0x10,
                                  0x19, 0xfd, 0xf6, 0xa0, 0x41, 0xa0};
  struct hm_out out = hm_out(object, sizeof object);
  struct hm_sign1 parsed;
  hm_out_put(&out, start, sizeof start);
  hm_cbor_put_bstr(&out, signature);
  assert_int_equal(hm_out_status(&out), HM_OK);
  return hm_sign1_parse(hm_out_bytes(&out), false, &parsed);
}

static void es256_vector(JsonObject *group, JsonObject *test, void *counts)
{
  struct es256_counts *count = counts;
  struct value key, message, signature;
  uint8_t digest[32];
  read_hex(json_object_get_object_member(group, "publicKey"), "uncompressed", &key);
  read_hex(test, "msg", &message);
  read_hex(test, "sig", &signature);
  assert_int_equal(key.len, 65);
  if (signature.len != HM_SIGNATURE) {
    assert_false(is_valid(test));
    if (parse_with_signature(view(&signature)) != HM_MALFORMED)
      disagree(test);
    count->sizes++;
    return;
  }

  struct hm_bytes whole = view(&message);
  assert_int_equal(engine->sha256(&whole, 1, digest), HM_OK);
  enum hm_status found = engine->p256_verify(key.bytes + 1, digest, signature.bytes);
  if (found != (is_valid(test) ? HM_OK : HM_BAD_SIGNATURE))
    disagree(test);
  count->agreed++;

  bool is_twin = is_valid(test) && !hm_es256_is_low_s(signature.bytes);
  bool is_good = is_valid(test) && !is_twin;
  if (hm_es256_verify(engine, key.bytes + 1, digest, signature.bytes) !=
      (is_good ? HM_OK : HM_BAD_SIGNATURE))
    disagree(test);
  if (is_twin && parse_with_signature(view(&signature)) != HM_BAD_SIGNATURE)
    disagree(test);
  count->twins += is_twin;
}

static void es256(void **state)
{
  (void)state;
  struct es256_counts count = {0, 0, 0};
  for_each("wycheproof/ecdsa_secp256r1_sha256_p1363_test.json", es256_vector, &count);
  printf("ES256: %d agree, %d of them valid with a high s and refused by the profile, "
         "%d of other sizes refused\n",
         count.agreed, count.twins, count.sizes);
  assert_true(count.agreed > 0 && count.twins > 0 && count.sizes > 0);
}

/* ---- AES-256-GCM ------------------------------------------------------------------- */

struct gcm_counts {
  int agreed, sizes;
};

/* A COSE_Encrypt0 with this vector's algorithm and iv. */
static enum hm_status decrypt0_of(unsigned key_bits, const struct value *key,
                                  const struct value *iv, struct hm_bytes sealed)
{
  static uint8_t object[2048], plain[2048];
  const uint8_t algorithm = key_bits == 128 ? 1 : key_bits == 192 ? 2 : 3;
  const uint8_t header[] = {0xa1, 0x01, algorithm};
  size_t len;
  struct hm_out out = hm_out(object, sizeof object);
  hm_cbor_put_tag(&out, 16);
  hm_cbor_put_array(&out, 3);
  hm_cbor_put_bstr(&out, hm_bytes(header, sizeof header));
  hm_cbor_put_map(&out, 1);
  hm_cbor_put_uint(&out, 5);
  hm_cbor_put_bstr(&out, view(iv));
  hm_cbor_put_bstr(&out, sealed);
  assert_int_equal(hm_out_status(&out), HM_OK);
  return hm_decrypt0(engine, key->bytes, hm_out_bytes(&out), hm_bytes(NULL, 0), plain, sizeof plain,
                     &len);
}

static void gcm_vector(JsonObject *group, JsonObject *test, void *counts)
{
  struct gcm_counts *count = counts;
  static struct value key, iv, aad, message, sealed, tag;
  static uint8_t made[8192], opened[8192];
  memset(&key, 0, sizeof key);
  read_hex(test, "key", &key);
  read_hex(test, "iv", &iv);
  read_hex(test, "aad", &aad);
  read_hex(test, "msg", &message);
  read_hex(test, "ct", &sealed);
  read_hex(test, "tag", &tag);
  memcpy(sealed.bytes + sealed.len, tag.bytes, tag.len);
  sealed.len += tag.len;

  unsigned key_bits = (unsigned)json_object_get_int_member(group, "keySize");
  unsigned tag_bits = (unsigned)json_object_get_int_member(group, "tagSize");
  if (key_bits != 256 || iv.len != HM_IV || tag_bits != 128) {
    enum hm_status refused = decrypt0_of(key_bits, &key, &iv, view(&sealed));
    if (refused != (key_bits != 256 ? HM_UNSUPPORTED : HM_MALFORMED))
      disagree(test);
    count->sizes++;
    return;
  }
  enum hm_status found =
      engine->gcm_open(key.bytes, iv.bytes, view(&aad), view(&sealed), 16, opened);
  if (found != (is_valid(test) ? HM_OK : HM_BAD_TAG))
    disagree(test);
  if (is_valid(test)) {
    assert_memory_equal(opened, message.bytes, message.len);
    assert_int_equal(engine->gcm_seal(key.bytes, iv.bytes, view(&aad), view(&message), 16, made),
                     HM_OK);
    assert_memory_equal(made, sealed.bytes, sealed.len);
  }
  count->agreed++;
}

static void aes_256_gcm(void **state)
{
  (void)state;
  struct gcm_counts count = {0, 0};
  for_each("wycheproof/aes_gcm_test.json", gcm_vector, &count);
  printf("AES-256-GCM, 96-bit iv, 128-bit tag: %d agree, %d of other sizes refused\n", count.agreed,
         count.sizes);
  assert_true(count.agreed > 0 && count.sizes > 0);
}

/* ---- HKDF, HMAC ---------------------------------------------------------------------- */

static void hkdf_vector(JsonObject *group, JsonObject *test, void *counts)
{
  (void)group;
  int *count = counts;
  static struct value ikm, salt, info, okm;
  static uint8_t out[8192];
  uint8_t prk[32];
  read_hex(test, "ikm", &ikm);
  read_hex(test, "salt", &salt);
  read_hex(test, "info", &info);
  read_hex(test, "okm", &okm);
  size_t size = (size_t)json_object_get_int_member(test, "size");
  struct hm_bytes ikm_bytes = view(&ikm), info_bytes = view(&info);
  assert_int_equal(hm_hkdf_extract(engine, view(&salt), &ikm_bytes, 1, prk), HM_OK);
  enum hm_status found = hm_hkdf_expand(engine, hm_bytes(prk, 32), &info_bytes, 1, out, size);
  if (found != (is_valid(test) ? HM_OK : HM_TOO_LARGE))
    disagree(test);
  if (is_valid(test)) {
    assert_int_equal(size, okm.len);
    assert_memory_equal(out, okm.bytes, okm.len);
  }
  count[is_valid(test) ? 0 : 1]++;
}

static void hkdf(void **state)
{
  (void)state;
  int count[2] = {0, 0};
  for_each("wycheproof/hkdf_sha256_test.json", hkdf_vector, count);
  printf("HKDF-SHA-256: %d agree, %d too long refused\n", count[0], count[1]);
  assert_true(count[0] > 0 && count[1] > 0);
}

static void hmac_vector(JsonObject *group, JsonObject *test, void *counts)
{
  (void)group;
  int *count = counts;
  static struct value key, message, tag;
  uint8_t out[32];
  read_hex(test, "key", &key);
  read_hex(test, "msg", &message);
  read_hex(test, "tag", &tag);
  struct hm_bytes whole = view(&message);
  assert_true(tag.len <= sizeof out);
  assert_int_equal(engine->hmac(view(&key), &whole, 1, out), HM_OK);
  if (hm_equal_ct(out, tag.bytes, tag.len) != is_valid(test))
    disagree(test);
  (*count)++;
}

static void hmac(void **state)
{
  (void)state;
  int count = 0;
  for_each("wycheproof/hmac_sha256_test.json", hmac_vector, &count);
  printf("HMAC-SHA-256: %d agree\n", count);
  assert_true(count > 0);
}

/* ---- ECDH ------------------------------------------------------------------------------ */

struct ecdh_counts {
  int agreed, forms;
};

/* A scalar as 32 bytes; longer spellings carry leading zeros. */
static void scalar_of(const struct value *v, uint8_t scalar[32])
{
  size_t skip_bytes = v->len > 32 ? v->len - 32 : 0;
  size_t len = v->len - skip_bytes;
  for (size_t i = 0; i < skip_bytes; i++)
    assert_int_equal(v->bytes[i], 0);
  memset(scalar, 0, 32);
  memcpy(scalar + 32 - len, v->bytes + skip_bytes, len);
}

/* A key that is no uncompressed point, as a cose-key would have to spell it. */
static enum hm_status decode_as_cose_key(const struct value *point)
{
  uint8_t object[256];
  struct hm_cose_key key;
  struct hm_out out = hm_out(object, sizeof object);
  hm_cbor_put_map(&out, 4);
  hm_cbor_put_int(&out, 1);
  hm_cbor_put_int(&out, 2);
  hm_cbor_put_int(&out, -1);
  hm_cbor_put_int(&out, 1);
  hm_cbor_put_int(&out, -2);
  hm_cbor_put_bstr(&out, hm_bytes(point->bytes + 1, point->len > 0 ? point->len - 1 : 0));
  hm_cbor_put_int(&out, -3);
  const uint8_t sign_of_y = point->len > 0 && point->bytes[0] == 3 ? 0xf5 : 0xf4;
  hm_out_put(&out, &sign_of_y, 1);
  assert_int_equal(hm_out_status(&out), HM_OK);
  return hm_decode(&hm_shape_cose_key, hm_out_bytes(&out), &key, NULL);
}

static void ecdh_vector(JsonObject *group, JsonObject *test, void *counts)
{
  (void)group;
  struct ecdh_counts *count = counts;
  struct value public_key, private_key, shared;
  uint8_t scalar[32], x[32];
  read_hex(test, "public", &public_key);
  read_hex(test, "private", &private_key);
  read_hex(test, "shared", &shared);
  if (public_key.len != 65 || public_key.bytes[0] != 4) {
    enum hm_status refused = decode_as_cose_key(&public_key);
    if (refused != HM_UNSUPPORTED && refused != HM_MALFORMED)
      disagree(test);
    count->forms++;
    return;
  }
  scalar_of(&private_key, scalar);
  enum hm_status found = engine->p256_ecdh(scalar, public_key.bytes + 1, x);
  if (found != (is_valid(test) ? HM_OK : HM_MALFORMED))
    disagree(test);
  if (engine->p256_check(public_key.bytes + 1) != found)
    disagree(test);
  if (is_valid(test)) {
    assert_int_equal(shared.len, 32);
    assert_memory_equal(x, shared.bytes, 32);
  }
  count->agreed++;
}

static void ecdh(void **state)
{
  (void)state;
  struct ecdh_counts count = {0, 0};
  for_each("wycheproof/ecdh_secp256r1_ecpoint_test.json", ecdh_vector, &count);
  printf("ECDH P-256, uncompressed: %d agree, %d of other forms refused\n", count.agreed,
         count.forms);
  assert_true(count.agreed > 0 && count.forms > 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(es256), cmocka_unit_test(aes_256_gcm), cmocka_unit_test(hkdf),
      cmocka_unit_test(hmac),  cmocka_unit_test(ecdh),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

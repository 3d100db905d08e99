/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The COSE working group's examples: our structures and AES-256-GCM reproduce those
 * of our algorithms, and the profile refuses every file, saying why.
 */
#include "trust/cose.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <json-glib/json-glib.h>

#include <cmocka.h>

#include "tests/support/hex.h"
#include "tests/support/vectors.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

struct value {
  uint8_t bytes[1024];
  size_t len;
};

static struct hm_bytes view(const struct value *v)
{
  return hm_bytes(v->bytes, v->len);
}

static void read_hex(JsonObject *object, const char *member, struct value *out)
{
  out->len = hex_read(json_object_get_string_member(object, member), out->bytes, sizeof out->bytes);
}

static JsonObject *child(JsonObject *object, const char *member)
{
  return json_object_get_object_member(object, member);
}

/* The root object of a file; the parser keeps it. */
static JsonObject *load(JsonParser *parser, const char *name)
{
  g_autofree char *relative = g_strconcat("cose/", name, NULL);
  g_autoptr(GError) error = NULL;
  if (!json_parser_load_from_file(parser, vectors_path(HM_SHARED_DATA, relative), &error))
    fail_msg("%s: %s", name, error->message);
  return json_node_get_object(json_parser_get_root(parser));
}

static void output_of(JsonObject *root, struct value *out)
{
  read_hex(child(root, "output"), "cbor", out);
}

/* ---- signatures --------------------------------------------------------------------- */

/* protected and payload of any COSE_Sign1, tagged or not. */
static void take_sign1(struct hm_bytes object, struct hm_bytes *protected_header,
                       struct hm_bytes *payload, struct hm_bytes *signature)
{
  struct hm_cbor c = hm_cbor(object);
  size_t count;
  struct hm_bytes skipped;
  if (hm_cbor_tag(&c, 18) != HM_OK)
    c = hm_cbor(object);
  assert_int_equal(hm_cbor_array(&c, &count), HM_OK);
  assert_int_equal(count, 4);
  assert_int_equal(hm_cbor_bstr(&c, protected_header), HM_OK);
  assert_int_equal(hm_cbor_skip(&c, &skipped), HM_OK);
  assert_int_equal(hm_cbor_bstr(&c, payload), HM_OK);
  assert_int_equal(hm_cbor_bstr(&c, signature), HM_OK);
}

static void coordinate(JsonObject *key, const char *member, uint8_t out[32])
{
  g_autofree char *text = g_strdup(json_object_get_string_member(key, member));
  g_strdelimit(text, "-", '+');
  g_strdelimit(text, "_", '/');
  g_autofree char *padded = g_strconcat(text, "=", NULL);
  gsize len = 0;
  g_autofree guchar *bytes = g_base64_decode(padded, &len);
  assert_int_equal(len, 32);
  memcpy(out, bytes, 32);
}

/* Our Sig_structure is theirs; verification and RFC 6979 agree with their signature. */
static void signature_example(const char *name)
{
  g_autoptr(JsonParser) parser = json_parser_new();
  JsonObject *root = load(parser, name);
  JsonObject *sign0 = child(child(root, "input"), "sign0");
  struct value object, expected, external = {.len = 0};
  output_of(root, &object);
  read_hex(child(root, "intermediates"), "ToBeSign_hex", &expected);
  if (json_object_has_member(sign0, "external"))
    read_hex(sign0, "external", &external);

  struct hm_bytes header, payload, signature;
  take_sign1(view(&object), &header, &payload, &signature);
  /* An empty map is signed as an empty string, RFC 9052 section 3. */
  if (header.len == 1 && header.data[0] == 0xa0)
    header.len = 0;
  uint8_t structure[512];
  struct hm_out out = hm_out(structure, sizeof structure);
  assert_int_equal(hm_sig_structure(header, view(&external), payload, &out), HM_OK);
  assert_int_equal(out.len, expected.len);
  assert_memory_equal(structure, expected.bytes, expected.len);

  uint8_t point[64], scalar[32], digest[32], made[64];
  JsonObject *key = child(sign0, "key");
  coordinate(key, "x", point);
  coordinate(key, "y", point + 32);
  coordinate(key, "d", scalar);
  struct hm_bytes whole = hm_out_bytes(&out);
  assert_int_equal(engine->sha256(&whole, 1, digest), HM_OK);
  assert_int_equal(signature.len, 64);
  assert_int_equal(engine->p256_verify(point, digest, signature.data), HM_OK);
  assert_int_equal(hm_es256_sign(engine, scalar, digest, made), HM_OK);
  assert_memory_equal(made, signature.data, 32);
  printf("%s: ToBeSigned and r reproduced, signature verifies\n", name);
}

static void to_be_signed_is_theirs(void **state)
{
  (void)state;
  signature_example("ecdsa-sig-01.json");
  signature_example("sign-pass-01.json");
  signature_example("sign-pass-02.json");
  signature_example("sign-pass-03.json");
}

/* ---- A256GCM ---------------------------------------------------------------------------- */

static void gcm_example(const char *name, uint64_t tag, const char *context)
{
  g_autoptr(JsonParser) parser = json_parser_new();
  JsonObject *root = load(parser, name);
  JsonObject *intermediates = child(root, "intermediates");
  struct value object, aad, key;
  output_of(root, &object);
  read_hex(intermediates, "AAD_hex", &aad);
  read_hex(intermediates, "CEK_hex", &key);

  struct hm_cbor c = hm_cbor(view(&object));
  struct hm_bytes header, ciphertext;
  uint8_t iv[12], structure[64], opened[64], sealed[64];
  size_t count;
  uint64_t label;
  assert_int_equal(hm_cbor_tag(&c, tag), HM_OK);
  assert_int_equal(hm_cbor_array(&c, &count), HM_OK);
  assert_int_equal(hm_cbor_bstr(&c, &header), HM_OK);
  assert_int_equal(hm_cbor_map(&c, &count), HM_OK);
  assert_int_equal(hm_cbor_uint(&c, &label), HM_OK);
  assert_int_equal(label, 5);
  assert_int_equal(hm_cbor_fixed(&c, iv, sizeof iv), HM_OK);
  assert_int_equal(hm_cbor_bstr(&c, &ciphertext), HM_OK);

  struct hm_out out = hm_out(structure, sizeof structure);
  assert_int_equal(hm_enc_structure(context, header, hm_bytes(NULL, 0), &out), HM_OK);
  assert_true(hm_bytes_equal(hm_out_bytes(&out), view(&aad)));
  assert_int_equal(key.len, HM_KEY);
  assert_int_equal(engine->gcm_open(key.bytes, iv, hm_out_bytes(&out), ciphertext, 16, opened),
                   HM_OK);
  const char *plain = json_object_get_string_member(child(root, "input"), "plaintext");
  assert_int_equal(ciphertext.len, strlen(plain) + 16);
  assert_memory_equal(opened, plain, strlen(plain));

  if (tag != 16)
    return;
  /* Encrypt0 is ours to the byte. */
  struct hm_out whole = hm_out(sealed, sizeof sealed);
  assert_int_equal(
      hm_encrypt0(engine, key.bytes, iv, hm_bytes(NULL, 0), hm_bytes(plain, strlen(plain)), &whole),
      HM_OK);
  assert_true(hm_bytes_equal(hm_out_bytes(&whole), view(&object)));
}

static void a256gcm_is_theirs(void **state)
{
  (void)state;
  gcm_example("aes-gcm-03.json", 96, "Encrypt");
  gcm_example("aes-gcm-enc-03.json", 16, "Encrypt0");
  printf("aes-gcm-03, aes-gcm-enc-03: Enc_structure and A256GCM reproduced\n");
}

/* ---- the profile says no ------------------------------------------------------------------- */

/* What the profile answers to an object, whichever of its three forms it may be; a
 * key that cannot be the right one, since headers are judged before keys are used. */
static enum hm_status profile_answer(struct hm_bytes object, bool is_encrypted)
{
  struct hm_sign1 sign1;
  uint8_t key[32] = {[31] = 1}, plain[128];
  size_t len;
  if (!is_encrypted)
    return hm_sign1_parse(object, false, &sign1);
  enum hm_status as_encrypt0 =
      hm_decrypt0(engine, key, object, hm_bytes(NULL, 0), plain, sizeof plain, &len);
  return as_encrypt0 != HM_WRONG_TYPE
             ? as_encrypt0
             : hm_decrypt(engine, key, object, hm_bytes(NULL, 0), plain, sizeof plain, &len);
}

static void the_profile_refuses_every_file_with_its_reason(void **state)
{
  (void)state;
  static const struct {
    const char *name, *reason;
    enum hm_status status;
  } files[] = {
      {"aes-gcm-03.json", "one recipient, but not by ECDH-ES + HKDF-256", HM_UNSUPPORTED},
      {"aes-gcm-enc-01.json", "A128GCM", HM_UNSUPPORTED},
      {"aes-gcm-enc-03.json", "the right form, another key", HM_BAD_TAG},
      {"ecdsa-sig-01.json", "no typ in the protected header", HM_WRONG_TYPE},
      {"p256-hkdf-256-01.json", "A128GCM", HM_UNSUPPORTED},
      {"sign-fail-01.json", "tag 998", HM_UNSUPPORTED},
      {"sign-fail-02.json", "no typ in the protected header", HM_WRONG_TYPE},
      {"sign-fail-03.json", "alg -999", HM_UNSUPPORTED},
      {"sign-fail-04.json", "alg is a text", HM_UNSUPPORTED},
      {"sign-fail-06.json", "no typ in the protected header", HM_WRONG_TYPE},
      {"sign-fail-07.json", "no typ in the protected header", HM_WRONG_TYPE},
      {"sign-pass-01.json", "no alg in the protected header", HM_UNSUPPORTED},
      {"sign-pass-02.json", "no typ in the protected header", HM_WRONG_TYPE},
      {"sign-pass-03.json", "no tag 18", HM_WRONG_TYPE},
  };
  const size_t count = sizeof files / sizeof files[0];
  size_t seen = 0;

  g_autoptr(GDir) folder = g_dir_open(vectors_path(HM_SHARED_DATA, "cose"), 0, NULL);
  assert_non_null(folder);
  for (const char *name = g_dir_read_name(folder); name != NULL; name = g_dir_read_name(folder)) {
    size_t i = 0;
    while (i < count && strcmp(files[i].name, name) != 0)
      i++;
    if (i == count)
      fail_msg("%s is new: say why the profile refuses it", name);
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonObject *root = load(parser, name);
    struct value object;
    output_of(root, &object);
    bool is_encrypted = !json_object_has_member(child(root, "input"), "sign0");
    enum hm_status answer = profile_answer(view(&object), is_encrypted);
    printf("%-22s %-11s %s\n", name, hm_status_row(answer)->name, files[i].reason);
    assert_int_equal(answer, files[i].status);
    seen++;
  }
  assert_int_equal(seen, count);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(to_be_signed_is_theirs),
      cmocka_unit_test(a256gcm_is_theirs),
      cmocka_unit_test(the_profile_refuses_every_file_with_its_reason),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

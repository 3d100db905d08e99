/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * trust/cose: what is made is opened; one spelling of each header is taken.
 */
#include "trust/cose.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/hex.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

static struct hm_software_key key;
static struct hm_signer signer;

static const struct hm_field note_fields[] = {
    {.label = 6, .name = "iat", .kind = HM_UINT, .at = 0, .max = 0xffffffff},
};
static const struct hm_shape note_shape = {"note", HM_MAP, note_fields, 1, sizeof(uint64_t)};

static int make_signer(void **state)
{
  (void)state;
  uint8_t scalar[32] = {[31] = 7};
  return hm_signer_from_scalar(engine, scalar, &key, &signer) == HM_OK ? 0 : -1;
}

/* An object from its four parts, as hexadecimal, under the test's key. */
static struct hm_bytes build(uint8_t *buffer, size_t cap, const char *protected_hex,
                             const char *unprotected_hex, const char *payload_hex, int payload_nil)
{
  uint8_t header[600], unprotected[64], payload[5000], name[32], signature[64];
  struct hm_bytes h = hm_bytes(header, hex_read(protected_hex, header, sizeof header));
  struct hm_bytes u = hm_bytes(unprotected, hex_read(unprotected_hex, unprotected, 64));
  struct hm_bytes p = hm_bytes(payload, hex_read(payload_hex, payload, sizeof payload));
  uint8_t structure[6000];
  struct hm_out to_sign = hm_out(structure, sizeof structure);
  assert_int_equal(hm_sig_structure(h, hm_bytes(NULL, 0), p, &to_sign), HM_OK);
  struct hm_bytes whole = hm_out_bytes(&to_sign);
  assert_int_equal(engine->sha256(&whole, 1, name), HM_OK);
  assert_int_equal(signer.sign(signer.key, name, signature), HM_OK);

  struct hm_out out = hm_out(buffer, cap);
  hm_cbor_put_tag(&out, 18);
  hm_cbor_put_array(&out, 4);
  hm_cbor_put_bstr(&out, h);
  hm_out_put(&out, u.data, u.len);
  if (payload_nil)
    hm_cbor_put_nil(&out);
  else
    hm_cbor_put_bstr(&out, p);
  hm_cbor_put_bstr(&out, hm_bytes(signature, 64));
  assert_int_equal(hm_out_status(&out), HM_OK);
  return hm_out_bytes(&out);
}

static void every_typ_signs_and_opens(void **state)
{
  (void)state;
  for (size_t i = 0; i < hm_typ_count; i++) {
    const struct hm_typ_row *row = &hm_typ_table[i];
    uint8_t buffer[512], name[32], again[32];
    struct hm_out out = hm_out(buffer, sizeof buffer);
    struct hm_sign1 parsed;
    uint64_t iat = 1700000000, read = 0;
    if (i > 0)
      assert_true(row->typ > hm_typ_table[i - 1].typ);
    if (row->typ == HM_TYP_BATCH) {
      assert_int_equal(hm_signed_make(engine, &signer, row->typ, &note_shape, &iat, &out),
                       HM_UNSUPPORTED);
      continue;
    }
    assert_int_equal(hm_signed_make(engine, &signer, row->typ, &note_shape, &iat, &out), HM_OK);
    assert_int_equal(hm_signed_open(engine, hm_out_bytes(&out), row->typ, &note_shape, signer.point,
                                    &read, &parsed, name),
                     HM_OK);
    assert_int_equal(read, iat);
    assert_int_equal(parsed.has_kid, row->has_kid);
    if (row->has_kid)
      assert_memory_equal(parsed.kid, signer.kid, 32);

    /* The name is the hash of the structure that hm_sig_structure writes. */
    uint8_t structure[512];
    struct hm_out to_sign = hm_out(structure, sizeof structure);
    assert_int_equal(
        hm_sig_structure(parsed.protected_header, hm_bytes(NULL, 0), parsed.payload, &to_sign),
        HM_OK);
    struct hm_bytes whole = hm_out_bytes(&to_sign);
    assert_int_equal(engine->sha256(&whole, 1, again), HM_OK);
    assert_memory_equal(name, again, 32);
    static const uint8_t zero = 0;
    struct hm_bytes leaf_parts[2] = {hm_bytes(&zero, 1), whole};
    assert_int_equal(engine->sha256(leaf_parts, 2, again), HM_OK);
    assert_int_equal(hm_sign1_leaf(engine, &parsed, hm_bytes(NULL, 0), name), HM_OK);
    assert_memory_equal(name, again, 32);

    uint16_t other = hm_typ_table[(i + 1) % hm_typ_count].typ;
    assert_int_equal(
        hm_signed_open(engine, hm_out_bytes(&out), other, &note_shape, NULL, &read, NULL, NULL),
        HM_WRONG_TYPE);
  }
}

static void any_flipped_bit_or_missing_byte_is_refused(void **state)
{
  (void)state;
  uint8_t buffer[512];
  struct hm_out out = hm_out(buffer, sizeof buffer);
  uint64_t iat = 1700000000, read;
  assert_int_equal(hm_signed_make(engine, &signer, HM_TYP_RECEIPT, &note_shape, &iat, &out), HM_OK);
  for (size_t bit = 0; bit < 8 * out.len; bit++) {
    buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_not_equal(hm_signed_open(engine, hm_out_bytes(&out), HM_TYP_RECEIPT, &note_shape,
                                        signer.point, &read, NULL, NULL),
                         HM_OK);
    buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  for (size_t len = 0; len < out.len; len++)
    assert_int_not_equal(hm_signed_open(engine, hm_bytes(buffer, len), HM_TYP_RECEIPT, &note_shape,
                                        signer.point, &read, NULL, NULL),
                         HM_OK);
  buffer[out.len] = 0;
  assert_int_equal(hm_signed_open(engine, hm_bytes(buffer, out.len + 1), HM_TYP_RECEIPT,
                                  &note_shape, signer.point, &read, NULL, NULL),
                   HM_MALFORMED);
}

static void the_twin_of_a_signature_is_refused(void **state)
{
  (void)state;
  uint8_t buffer[512];
  struct hm_out out = hm_out(buffer, sizeof buffer);
  struct hm_sign1 parsed;
  uint64_t iat = 1;
  assert_int_equal(hm_signed_make(engine, &signer, HM_TYP_HEAD, &note_shape, &iat, &out), HM_OK);
  uint8_t n[32], *s = buffer + out.len - 32;
  hex_read("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", n, 32);
  int borrow = 0;
  for (int i = 31; i >= 0; i--) {
    int difference = n[i] - s[i] - borrow;
    borrow = difference < 0;
    s[i] = (uint8_t)difference;
  }
  assert_int_equal(hm_sign1_parse(hm_out_bytes(&out), false, &parsed), HM_BAD_SIGNATURE);
}

static void headers_outside_the_profile_are_refused(void **state)
{
  (void)state;
  static const struct {
    const char *what, *header, *unprotected, *payload;
    enum hm_status status;
  } cases[] = {
      {"good, without kid", "a20126 1019fdf6", "a0", "a10601", HM_OK},
      {"empty protected header", "", "a0", "a10601", HM_TRUNCATED},
      {"no alg", "a1 1019fdf6", "a0", "a10601", HM_UNSUPPORTED},
      {"alg ES384", "a2013822 1019fdf6", "a0", "a10601", HM_UNSUPPORTED},
      {"alg as text", "a20165 4553323536 1019fdf6", "a0", "a10601", HM_UNSUPPORTED},
      {"no typ", "a10126", "a0", "a10601", HM_WRONG_TYPE},
      {"typ outside the profile", "a20126 1019fe70", "a0", "a10601", HM_UNSUPPORTED},
      {"typ as text", "a20126 106161", "a0", "a10601", HM_WRONG_TYPE},
      {"kid missing", "a20126 1019fdfc", "a0", "a10601", HM_MALFORMED},
      {"kid where none belongs",
       "a3012604582001010101010101010101010101010101010101010101010101010101010101011019fdf6", "a0",
       "a10601", HM_MALFORMED},
      {"short kid", "a30126 044101 1019fdfc", "a0", "a10601", HM_MALFORMED},
      {"labels out of order", "a21019fdf60126", "a0", "a10601", HM_NOT_DETERMINISTIC},
      {"a label more", "a30126 1019fdf6 19018c01", "a0", "a10601", HM_MALFORMED},
      {"a count of three, two there", "a30126 1019fdf6", "a0", "a10601", HM_TRUNCATED},
      {"crit", "a301260281011019fdf6", "a0", "a10601", HM_WRONG_TYPE},
      {"claims in another type", "a301260fa01019fdf6", "a0", "a10601", HM_MALFORMED},
      {"unprotected kid", "a20126 1019fdf6", "a1044101", "a10601", HM_MALFORMED},
      {"proof in another type", "a20126 1019fdf6", "a119018ca0", "a10601", HM_MALFORMED},
      {"long head in the header", "a2180126 1019fdf6", "a0", "a10601", HM_NOT_DETERMINISTIC},
      {"empty payload", "a20126 1019fdf6", "a0", "", HM_MALFORMED},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint8_t buffer[1024];
    struct hm_sign1 parsed;
    struct hm_bytes object =
        build(buffer, sizeof buffer, cases[i].header, cases[i].unprotected, cases[i].payload, 0);
    enum hm_status got = hm_sign1_parse(object, true, &parsed);
    if (got != cases[i].status)
      fail_msg("%s: %s, not %s", cases[i].what, hm_status_row(got)->name,
               hm_status_row(cases[i].status)->name);
  }
}

static void a_detached_payload_is_for_batches_only(void **state)
{
  (void)state;
  uint8_t buffer[1024], with_proof[1024], root[32] = {9}, wrong[32] = {8};
  struct hm_sign1 parsed;
  struct hm_bytes object = build(buffer, sizeof buffer, "a20126 1019fdf6", "a0", "01", 1);
  assert_int_equal(hm_sign1_parse(object, true, &parsed), HM_MALFORMED);

  struct hm_out out = hm_out(buffer, sizeof buffer);
  const uint8_t claims[] = {0xa1, 0x06, 0x01}, list[] = {0x81, 0x01};
  assert_int_equal(hm_sign1_make_batch(engine, &signer, hm_bytes(list, 2), root, &out),
                   HM_WRONG_TYPE);
  assert_int_equal(hm_sign1_make_batch(engine, &signer, hm_bytes(claims, 3), root, &out), HM_OK);
  assert_int_equal(hm_sign1_parse(hm_out_bytes(&out), false, &parsed), HM_OK);
  assert_int_equal(parsed.typ, HM_TYP_BATCH);
  assert_true(hm_bytes_equal(parsed.claims, hm_bytes(claims, 3)));
  assert_true(parsed.is_detached);
  assert_int_equal(hm_sign1_verify(engine, &parsed, hm_bytes(root, 32), signer.point), HM_OK);
  assert_int_equal(hm_sign1_verify(engine, &parsed, hm_bytes(wrong, 32), signer.point),
                   HM_BAD_SIGNATURE);
  assert_int_equal(hm_sign1_verify(engine, &parsed, hm_bytes(NULL, 0), signer.point), HM_MALFORMED);

  struct hm_out proven = hm_out(with_proof, sizeof with_proof);
  const uint8_t proofs[] = {0xa1, 0x19, 0x01, 0x8c, 0xa1, 0x20, 0x81, 0x41, 0x00};
  struct hm_sign1 again;
  assert_int_equal(hm_sign1_with_unprotected(&parsed, hm_bytes(proofs, sizeof proofs), &proven),
                   HM_OK);
  assert_int_equal(hm_sign1_parse(hm_out_bytes(&proven), false, &again), HM_MALFORMED);
  assert_int_equal(hm_sign1_parse(hm_out_bytes(&proven), true, &again), HM_OK);
  assert_true(hm_bytes_equal(again.unprotected, hm_bytes(proofs, sizeof proofs)));
  assert_int_equal(hm_sign1_verify(engine, &again, hm_bytes(root, 32), signer.point), HM_OK);
}

static void objects_end_at_their_limits(void **state)
{
  (void)state;
  static uint8_t payload[5000], buffer[8192];
  struct hm_sign1 parsed;
  memset(payload, 'x', sizeof payload);
  for (size_t len = 1900; len < 4200; len++) {
    struct hm_out out = hm_out(buffer, sizeof buffer);
    enum hm_status made =
        hm_sign1_make(engine, &signer, HM_TYP_PAIRING, hm_bytes(payload, len), &out);
    if (made == HM_OK) {
      assert_true(out.len <= HM_CERTIFICATE_MAX);
      continue;
    }
    assert_int_equal(made, HM_TOO_LARGE);
    assert_int_equal(hm_sign1_parse(hm_out_bytes(&out), false, &parsed), HM_TOO_LARGE);
    break;
  }
  struct hm_out out = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_sign1_make(engine, &signer, HM_TYP_LAW, hm_bytes(payload, 4097), &out),
                   HM_TOO_LARGE);
  struct hm_out small = hm_out(buffer, 100);
  assert_int_equal(hm_sign1_make(engine, &signer, HM_TYP_LAW, hm_bytes(payload, 20), &small),
                   HM_SHORT_BUFFER);
}

static void what_is_encrypted_to_a_key_opens_with_it_alone(void **state)
{
  (void)state;
  uint8_t mine[32] = {[31] = 3}, other[32] = {[31] = 4}, ephemeral[32] = {[31] = 5};
  uint8_t point[64], iv[12] = {6}, buffer[512], plain[125], text[109];
  struct hm_bytes aad = hm_bytes("policy", 6);
  size_t len = 0;
  memset(text, 0x5a, sizeof text);
  assert_int_equal(engine->p256_public(mine, point), HM_OK);
  struct hm_out measure = hm_out(NULL, 0);
  assert_int_equal(
      hm_encrypt_to(engine, point, ephemeral, iv, aad, hm_bytes(text, sizeof text), &measure),
      HM_SHORT_BUFFER);
  struct hm_out out = hm_out(buffer, sizeof buffer);
  assert_int_equal(
      hm_encrypt_to(engine, point, ephemeral, iv, aad, hm_bytes(text, sizeof text), &out), HM_OK);
  assert_int_equal(out.len, measure.len);
  struct hm_bytes object = hm_out_bytes(&out);
  assert_int_equal(hm_decrypt(engine, mine, object, aad, plain, sizeof plain, &len), HM_OK);
  assert_int_equal(len, sizeof text);
  assert_memory_equal(plain, text, sizeof text);
  assert_int_equal(hm_decrypt(engine, mine, object, aad, plain, 108, &len), HM_SHORT_BUFFER);
  assert_int_equal(hm_decrypt(engine, other, object, aad, plain, sizeof plain, &len), HM_BAD_TAG);
  assert_int_equal(
      hm_decrypt(engine, mine, object, hm_bytes("polity", 6), plain, sizeof plain, &len),
      HM_BAD_TAG);
  for (size_t bit = 0; bit < 8 * out.len; bit++) {
    buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_not_equal(hm_decrypt(engine, mine, object, aad, plain, sizeof plain, &len), HM_OK);
    buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  for (size_t cut = 0; cut < out.len; cut++)
    assert_int_not_equal(
        hm_decrypt(engine, mine, hm_bytes(buffer, cut), aad, plain, sizeof plain, &len), HM_OK);
}

static void what_is_encrypted_under_a_shared_key_opens_with_it_alone(void **state)
{
  (void)state;
  uint8_t shared[32] = {1}, other[32] = {2}, iv[12] = {6}, buffer[128], plain[64];
  struct hm_bytes aad = hm_bytes("policy", 6);
  size_t len = 0;
  struct hm_out out = hm_out(buffer, sizeof buffer);
  assert_int_equal(hm_encrypt0(engine, shared, iv, aad, hm_bytes("hello", 5), &out), HM_OK);
  struct hm_bytes object = hm_out_bytes(&out);
  assert_int_equal(hm_decrypt0(engine, shared, object, aad, plain, sizeof plain, &len), HM_OK);
  assert_int_equal(len, 5);
  assert_memory_equal(plain, "hello", 5);
  assert_int_equal(hm_decrypt0(engine, other, object, aad, plain, sizeof plain, &len), HM_BAD_TAG);
  for (size_t bit = 0; bit < 8 * out.len; bit++) {
    buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_not_equal(hm_decrypt0(engine, shared, object, aad, plain, sizeof plain, &len),
                         HM_OK);
    buffer[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  buffer[out.len] = 0;
  assert_int_equal(
      hm_decrypt0(engine, shared, hm_bytes(buffer, out.len + 1), aad, plain, sizeof plain, &len),
      HM_MALFORMED);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_typ_signs_and_opens),
      cmocka_unit_test(any_flipped_bit_or_missing_byte_is_refused),
      cmocka_unit_test(the_twin_of_a_signature_is_refused),
      cmocka_unit_test(headers_outside_the_profile_are_refused),
      cmocka_unit_test(a_detached_payload_is_for_batches_only),
      cmocka_unit_test(objects_end_at_their_limits),
      cmocka_unit_test(what_is_encrypted_to_a_key_opens_with_it_alone),
      cmocka_unit_test(what_is_encrypted_under_a_shared_key_opens_with_it_alone),
  };
  return cmocka_run_group_tests(tests, make_signer, NULL);
}

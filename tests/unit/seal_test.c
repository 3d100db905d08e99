/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Sealed records: the exact bytes, and refusal of everything that differs.
 */
#include "trust/seal.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/hex.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

static const struct hm_seal_way way = {
    .type = HM_MESSAGE_KEY_HALF, .protection = 1, .source = 0x30, .destination = 0x21};

static void make_key(struct hm_record_key *key)
{
  for (uint8_t i = 0; i < 32; i++)
    key->key[i] = i;
  for (uint8_t i = 0; i < 12; i++)
    key->iv[i] = (uint8_t)(0xa0 + i);
}

static void the_identifier_is_that_of_the_bus(void **state)
{
  (void)state;
  assert_int_equal(hm_seal_can_id(&way), 0x18f21930);
}

/* Computed with Python's cryptography: key 00..1f, iv a0..ab, kid 0x5678, seq 01000203,
 * additional data 18f21930 21 11 5678 01000203, plaintext "half". */
static void the_bytes_are_as_computed_elsewhere(void **state)
{
  (void)state;
  struct hm_record_key key;
  struct hm_seal_header header = {.kid = 0x5678, .epoch = 1, .counter = 0x000203};
  uint8_t record[64], expected[64];
  make_key(&key);
  struct hm_out out = hm_out(record, sizeof record);
  assert_int_equal(hm_seal(engine, &key, &way, &header, hm_bytes("half", 4), &out), HM_OK);
  size_t len =
      hex_read("11567801000203b2ee11c57bc472c240406f9e2f419e574a159fdb", expected, sizeof expected);
  assert_int_equal(out.len, len);
  assert_memory_equal(record, expected, len);
}

static void any_change_or_other_way_is_refused(void **state)
{
  (void)state;
  struct hm_record_key key, other;
  struct hm_seal_header header = {.kid = 1, .epoch = 0, .counter = 0}, read;
  uint8_t record[64], plain[8];
  size_t len = 0;
  make_key(&key);
  struct hm_out out = hm_out(record, sizeof record);
  assert_int_equal(hm_seal(engine, &key, &way, &header, hm_bytes("half", 4), &out), HM_OK);
  struct hm_bytes whole = hm_out_bytes(&out);
  assert_int_equal(hm_seal_peek(whole, &read), HM_OK);
  assert_int_equal(read.kid, 1);
  assert_int_equal(hm_seal_open(engine, &key, &way, whole, plain, sizeof plain, &len), HM_OK);
  assert_int_equal(len, 4);
  assert_memory_equal(plain, "half", 4);
  assert_int_equal(hm_seal_open(engine, &key, &way, whole, plain, 3, &len), HM_SHORT_BUFFER);

  for (size_t bit = 0; bit < 8 * out.len; bit++) {
    record[bit / 8] ^= (uint8_t)(1 << bit % 8);
    assert_int_equal(hm_seal_open(engine, &key, &way, whole, plain, sizeof plain, &len),
                     bit < 8 ? HM_UNSUPPORTED : HM_BAD_TAG);
    record[bit / 8] ^= (uint8_t)(1 << bit % 8);
  }
  for (size_t cut = 0; cut < out.len; cut++)
    assert_int_not_equal(
        hm_seal_open(engine, &key, &way, hm_bytes(record, cut), plain, sizeof plain, &len), HM_OK);

  for (int i = 0; i < 4; i++) {
    struct hm_seal_way wrong = way;
    wrong.type ^= i == 0;
    wrong.protection ^= i == 1 ? 3 : 0;
    wrong.source ^= i == 2;
    wrong.destination ^= i == 3;
    assert_int_equal(hm_seal_open(engine, &key, &wrong, whole, plain, sizeof plain, &len),
                     HM_BAD_TAG);
  }
  other = key;
  other.iv[11] ^= 1;
  assert_int_equal(hm_seal_open(engine, &other, &way, whole, plain, sizeof plain, &len),
                   HM_BAD_TAG);
}

static void the_counter_ends_at_24_bits(void **state)
{
  (void)state;
  struct hm_record_key key;
  struct hm_seal_header header = {.kid = 1, .epoch = 1, .counter = 0xffffff};
  uint8_t record[64];
  make_key(&key);
  struct hm_out out = hm_out(record, sizeof record);
  assert_int_equal(hm_seal(engine, &key, &way, &header, hm_bytes("x", 1), &out), HM_OK);
  header.counter++;
  assert_int_equal(hm_seal(engine, &key, &way, &header, hm_bytes("x", 1), &out), HM_FULL);
}

static void a_short_buffer_is_told_with_the_size(void **state)
{
  (void)state;
  struct hm_record_key key;
  struct hm_seal_header header = {.kid = 1};
  uint8_t record[26];
  make_key(&key);
  struct hm_out out = hm_out(record, sizeof record);
  assert_int_equal(hm_seal(engine, &key, &way, &header, hm_bytes("half", 4), &out),
                   HM_SHORT_BUFFER);
  assert_int_equal(out.len, 4 + HM_SEAL_OVERHEAD);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_identifier_is_that_of_the_bus),
      cmocka_unit_test(the_bytes_are_as_computed_elsewhere),
      cmocka_unit_test(any_change_or_other_way_is_refused),
      cmocka_unit_test(the_counter_ends_at_24_bits),
      cmocka_unit_test(a_short_buffer_is_told_with_the_size),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The key schedule's published check values, and what separates its uses.
 */
#include "trust/schedule.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "tests/support/hex.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

static void count_up(uint8_t out[32])
{
  for (uint8_t i = 0; i < 32; i++)
    out[i] = i;
}

/* PS of the check value: Extract(00..1f, 11 x 32 || 22 x 32 || 33 x 32) */
static void check_secret(uint8_t secret[32])
{
  uint8_t transcript[32], half_a[32], half_b[32], shared[32];
  count_up(transcript);
  memset(half_a, 0x11, 32);
  memset(half_b, 0x22, 32);
  memset(shared, 0x33, 32);
  assert_int_equal(hm_schedule_pairing(engine, transcript, half_a, half_b, shared, secret), HM_OK);
}

static void pairing_secret_is_the_check_value(void **state)
{
  (void)state;
  uint8_t secret[32], expected[32];
  check_secret(secret);
  hex_read("948e22f8ee4eba4848431a8ff3d00903da55ea9ac388cc0beafb73b0b1007f81", expected, 32);
  assert_memory_equal(secret, expected, 32);
}

static void record_key_is_the_check_value(void **state)
{
  (void)state;
  uint8_t secret[32], expected[44];
  struct hm_record_use use = {.protection = 2, .dir = 0, .kid = 0x5678, .epoch = 1};
  struct hm_record_key key;
  check_secret(secret);
  count_up(use.context);
  hex_read("28c432a3313ae959b699116c76051ac66ce16531774c6ed4066abe5b6517ec3d"
           "aafb1e02ab660eb86544f740",
           expected, sizeof expected);
  assert_int_equal(hm_schedule_record(engine, secret, &use, &key), HM_OK);
  assert_memory_equal(key.key, expected, 32);
  assert_memory_equal(key.iv, expected + 32, 12);
}

/* The other lines against values computed with an independent HKDF (Python's hmac):
 * cert_hash 00..1f, seed 44 x 32, halves 11 and 22 x 32, PS of the check value. */
static void other_lines_are_as_computed_elsewhere(void **state)
{
  (void)state;
  uint8_t cert_hash[32], seed[32], half_a[32], half_b[32], secret[32], expected[44], out[32];
  struct hm_record_key keys[2];
  count_up(cert_hash);
  memset(seed, 0x44, 32);
  memset(half_a, 0x11, 32);
  memset(half_b, 0x22, 32);
  check_secret(secret);

  assert_int_equal(hm_schedule_seed(engine, cert_hash, seed, keys), HM_OK);
  hex_read("47ecbedbe6501cd2040e73cf3100cf50bff6447e623530a5dbdc57184f39468c"
           "248286dbfa324f7485a0bc93",
           expected, 44);
  assert_memory_equal(keys[0].key, expected, 32);
  assert_memory_equal(keys[0].iv, expected + 32, 12);
  hex_read("88b0f283123bf41001d67dcc984c5db639c49bc80003f1e3768420df58b1e96c"
           "031989dfe4b1fd314ed86254",
           expected, 44);
  assert_memory_equal(keys[1].key, expected, 32);
  assert_memory_equal(keys[1].iv, expected + 32, 12);

  assert_int_equal(hm_schedule_handshake(engine, cert_hash, half_a, half_b, out), HM_OK);
  hex_read("f053fa2dbdb82d322bf240b7c741aa9bdd279ab41bf60ba3c50e5011e5aabe85", expected, 44);
  assert_memory_equal(out, expected, 32);

  uint8_t message_a[96], message_b[96], confirm[16];
  memset(message_a, 0xaa, 96);
  memset(message_b, 0xbb, 96);
  assert_int_equal(hm_schedule_transcript(engine, cert_hash, message_a, message_b, out), HM_OK);
  hex_read("c8463cffea822227821eb3cf3de1af220c3de2c56ac9550be3d48fa348f2d844", expected, 44);
  assert_memory_equal(out, expected, 32);

  assert_int_equal(hm_schedule_confirm(engine, secret, 0, cert_hash, confirm), HM_OK);
  hex_read("c3916dcf6d3dbf9fa5820c26c28620cd", expected, 44);
  assert_memory_equal(confirm, expected, 16);
  assert_int_equal(hm_schedule_confirm(engine, secret, 1, cert_hash, confirm), HM_OK);
  hex_read("de205ceea6ec77d6cc0887fef728b8dd", expected, 44);
  assert_memory_equal(confirm, expected, 16);
}

static void every_part_of_a_use_changes_the_key(void **state)
{
  (void)state;
  uint8_t secret[32];
  struct hm_record_key key[6];
  check_secret(secret);
  struct hm_record_use use[6];
  for (size_t i = 0; i < 6; i++)
    use[i] = (struct hm_record_use){.protection = 2, .kid = 0x5678, .epoch = 1};
  use[1].protection = 1;
  use[2].dir = 1;
  use[3].kid = 0x5679;
  use[4].epoch = 2;
  use[5].context[31] = 1;
  for (size_t i = 0; i < 6; i++) {
    assert_int_equal(hm_schedule_record(engine, secret, &use[i], &key[i]), HM_OK);
    for (size_t j = 0; j < i; j++)
      assert_memory_not_equal(&key[i], &key[j], sizeof key[i]);
  }
}

static void a_label_over_its_limit_is_a_bug(void **state)
{
  (void)state;
  uint8_t prk[32] = {0}, out[32];
  assert_int_equal(hm_schedule_expand(engine, prk, "seventeen letters", hm_bytes(NULL, 0), out, 32),
                   HM_STATE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pairing_secret_is_the_check_value),
      cmocka_unit_test(record_key_is_the_check_value),
      cmocka_unit_test(other_lines_are_as_computed_elsewhere),
      cmocka_unit_test(every_part_of_a_use_changes_the_key),
      cmocka_unit_test(a_label_over_its_limit_is_a_bug),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

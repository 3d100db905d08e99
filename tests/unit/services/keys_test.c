/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Key files: ours are read by openssl and openssl's by us; what is not exactly a P-256
 * key of ours alone is refused and nothing is overwritten.
 */
#include "services/keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/folder.h"
#include "trust/cose.h"
#include "trust/crypto_openssl.h"

static struct hm_error err;

static int openssl(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int openssl(const char *format, ...)
{
  char line[2048], command[2100];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  snprintf(command, sizeof command, "openssl %s >/dev/null 2>&1", line);
  return system(command);
}

static void put_text(const char *path, const char *text, mode_t mode)
{
  file_write(path, (const uint8_t *)text, strlen(text));
  assert_int_equal(chmod(path, mode), 0);
}

static void a_created_key_is_loaded_again(void **state)
{
  char path[TEST_PATH];
  struct hm_signing_key made, loaded;
  struct stat s;
  folder_path(*state, "sign.pem", path);
  assert_int_equal(hm_signing_key_create(path, &made, &err), HM_OK);
  assert_int_equal(stat(path, &s), 0);
  assert_int_equal(s.st_mode & 07777, 0600);
  assert_int_equal(hm_signing_key_load(path, &loaded, &err), HM_OK);
  assert_memory_equal(made.software.scalar, loaded.software.scalar, 32);
  assert_memory_equal(made.signer.point, loaded.signer.point, 64);
  assert_memory_equal(made.signer.kid, loaded.signer.kid, 32);
  uint8_t digest[32] = {7}, signature[64];
  assert_int_equal(loaded.signer.sign(loaded.signer.key, digest, signature), HM_OK);
  assert_int_equal(hm_es256_verify(&hm_crypto_openssl, made.signer.point, digest, signature),
                   HM_OK);
  hm_signing_key_wipe(&loaded);
  const struct hm_signing_key zero = {0};
  assert_memory_equal(&loaded, &zero, sizeof zero);
}

static void an_existing_key_is_never_replaced(void **state)
{
  char path[TEST_PATH];
  struct hm_signing_key first, second;
  folder_path(*state, "sign.pem", path);
  assert_int_equal(hm_signing_key_create(path, &first, &err), HM_OK);
  assert_int_equal(hm_signing_key_create(path, &second, &err), HM_EXISTS);
  assert_non_null(strstr(err.text, path));
  assert_int_equal(hm_signing_key_ensure(path, &second, &err), HM_OK);
  assert_memory_equal(first.signer.point, second.signer.point, 64);
  struct hm_agreement_key agree;
  assert_int_equal(hm_agreement_key_create(path, &agree, &err), HM_EXISTS);
}

static void openssl_reads_ours_and_we_read_openssls(void **state)
{
  char ours[TEST_PATH], theirs[TEST_PATH], bare[TEST_PATH], pub[TEST_PATH];
  struct hm_signing_key key;
  struct hm_agreement_key agree;
  uint8_t point[64];
  folder_path(*state, "ours.pem", ours);
  folder_path(*state, "theirs.pem", theirs);
  folder_path(*state, "bare.pem", bare);
  folder_path(*state, "theirs.pub", pub);
  assert_int_equal(hm_signing_key_create(ours, &key, &err), HM_OK);
  assert_int_equal(openssl("pkey -in %s -check -out %s", ours, theirs), 0);
  assert_int_equal(
      openssl("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out %s%s", theirs, ""), 0);
  assert_int_equal(openssl("pkey -in %s -pubout -out %s", theirs, pub), 0);
  assert_int_equal(chmod(theirs, 0600), 0);
  assert_int_equal(hm_agreement_key_load(theirs, &agree, &err), HM_OK);
  assert_int_equal(hm_public_read(pub, point, &err), HM_OK);
  assert_memory_equal(point, agree.point, 64);
  /* without the public point, and with a compressed one */
  assert_int_equal(openssl("ec -in %s -no_public -out %s.ec", theirs, bare), 0);
  assert_int_equal(openssl("pkcs8 -topk8 -nocrypt -in %s.ec -out %s", bare, bare), 0);
  assert_int_equal(chmod(bare, 0600), 0);
  assert_int_equal(hm_signing_key_load(bare, &key, &err), HM_OK);
  assert_memory_equal(point, key.signer.point, 64);
  assert_int_equal(openssl("pkey -in %s -ec_conv_form compressed -out %s", theirs, bare), 0);
  assert_int_equal(hm_signing_key_load(bare, &key, &err), HM_UNSUPPORTED);
  hm_agreement_key_wipe(&agree);
  const struct hm_agreement_key zero = {{0}, {0}};
  assert_memory_equal(&agree, &zero, sizeof zero);
}

static void keys_that_others_may_read_are_refused(void **state)
{
  char path[TEST_PATH];
  struct hm_signing_key key;
  folder_path(*state, "sign.pem", path);
  assert_int_equal(hm_signing_key_create(path, &key, &err), HM_OK);
  assert_int_equal(chmod(path, 0640), 0);
  assert_int_equal(hm_signing_key_load(path, &key, &err), HM_DENIED);
  assert_non_null(strstr(err.text, "0640"));
  assert_non_null(strstr(err.text, "chmod 0600"));
}

static void what_is_no_key_is_refused(void **state)
{
  static const char *const texts[] = {
      "",
      "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
      "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n",
      "-----BEGIN PRIVATE KEY-----\nA*AA\n-----END PRIVATE KEY-----\n",
      "-----BEGIN PRIVATE KEY-----\nAA=A\n-----END PRIVATE KEY-----\n",
      "-----BEGIN PRIVATE KEY-----\nAAAAA\n-----END PRIVATE KEY-----\n",
      "-----BEGIN PRIVATE KEY-----\nAAAA\n",
      "AAAA",
  };
  char path[TEST_PATH];
  struct hm_signing_key key;
  folder_path(*state, "sign.pem", path);
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    put_text(path, texts[i], 0600);
    enum hm_status status = hm_signing_key_load(path, &key, &err);
    assert_int_equal(hm_status_row(status)->exit_code, 6);
    assert_non_null(strstr(err.text, "openssl genpkey"));
  }
  folder_path(*state, "absent.pem", path);
  assert_int_equal(hm_signing_key_load(path, &key, &err), HM_NOT_FOUND);
  assert_int_equal(hm_signing_key_load(*state, &key, &err), HM_WRONG_TYPE);
}

/* Every single byte of the file matters: no changed file gives the same key, and none
 * gives a key that is not the scalar's. */
static void no_changed_byte_gives_the_key(void **state)
{
  char path[TEST_PATH];
  struct hm_signing_key key, other;
  size_t len, accepted = 0;
  folder_path(*state, "sign.pem", path);
  assert_int_equal(hm_signing_key_create(path, &key, &err), HM_OK);
  uint8_t *pem = file_read(path, &len);
  for (size_t i = 0; i < len; i++) {
    uint8_t was = pem[i];
    pem[i] = was == 'B' ? 'C' : 'B';
    file_write(path, pem, len);
    assert_int_equal(chmod(path, 0600), 0);
    if (hm_signing_key_load(path, &other, &err) == HM_OK)
      accepted++;
    pem[i] = was;
  }
  assert_int_equal(accepted, 0);
  free(pem);
}

static void too_long_files_are_refused_by_their_length(void **state)
{
  char path[TEST_PATH], text[HM_PRIVATE_PEM_MAX + 2];
  struct hm_signing_key key;
  uint8_t point[64];
  memset(text, ' ', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  folder_path(*state, "sign.pem", path);
  put_text(path, text, 0600);
  assert_int_equal(hm_signing_key_load(path, &key, &err), HM_TOO_LARGE);
  assert_int_equal(hm_public_read(path, point, &err), HM_TOO_LARGE);
  assert_non_null(strstr(err.text, "1024"));
}

static void public_keys_are_one_pem_and_nothing_else(void **state)
{
  char path[TEST_PATH], text[1024];
  uint8_t scalar[32] = {0, 1}, point[64], again[64], pem[512];
  (void)state;
  assert_int_equal(hm_crypto_openssl.p256_public(scalar, point), HM_OK);
  struct hm_out out = hm_out(pem, sizeof pem);
  assert_int_equal(hm_public_format(point, &out), HM_OK);
  assert_int_equal(out.len, 178);
  assert_int_equal(hm_public_parse(hm_out_bytes(&out), again, &err), HM_OK);
  assert_memory_equal(point, again, 64);
  snprintf(text, sizeof text, "\n\n%.*s \n", (int)out.len, (char *)pem);
  assert_int_equal(hm_public_parse(hm_bytes(text, strlen(text)), again, &err), HM_OK);
  snprintf(text, sizeof text, "key: home\n%.*s", (int)out.len, (char *)pem);
  assert_int_equal(hm_public_parse(hm_bytes(text, strlen(text)), again, &err), HM_MALFORMED);
  snprintf(text, sizeof text, "%.*s%.*s", (int)out.len, (char *)pem, (int)out.len, (char *)pem);
  assert_int_equal(hm_public_parse(hm_bytes(text, strlen(text)), again, &err), HM_MALFORMED);
  /* a point that is not on the curve */
  point[63] ^= 1;
  out = hm_out(pem, sizeof pem);
  assert_int_equal(hm_public_format(point, &out), HM_OK);
  assert_int_equal(hm_public_parse(hm_out_bytes(&out), again, &err), HM_MALFORMED);
  assert_non_null(strstr(err.text, "curve"));
  folder_path(*state, "rsa.pub", path);
  assert_int_equal(
      openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out %s.pem", path), 0);
  char private_path[TEST_PATH + 8];
  snprintf(private_path, sizeof private_path, "%s.pem", path);
  assert_int_equal(openssl("pkey -in %s -pubout -out %s", private_path, path), 0);
  assert_int_not_equal(hm_public_read(path, again, &err), HM_OK);
}

static void an_erased_key_is_gone(void **state)
{
  char path[TEST_PATH];
  struct hm_signing_key key;
  folder_path(*state, "sign.pem", path);
  assert_int_equal(hm_signing_key_create(path, &key, &err), HM_OK);
  assert_int_equal(hm_key_erase(path, &err), HM_OK);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(hm_key_erase(path, &err), HM_OK);
}

static void a_saved_key_replaces_the_older_one(void **state)
{
  char path[TEST_PATH];
  struct hm_signing_key a, b, loaded;
  folder_path(*state, "session.pem", path);
  assert_int_equal(hm_signing_key_draw(&a), HM_OK);
  assert_int_equal(hm_signing_key_draw(&b), HM_OK);
  assert_memory_not_equal(a.software.scalar, b.software.scalar, 32);
  assert_int_equal(hm_signing_key_save(path, &a, &err), HM_OK);
  assert_int_equal(hm_signing_key_save(path, &b, &err), HM_OK);
  assert_int_equal(hm_signing_key_load(path, &loaded, &err), HM_OK);
  assert_memory_equal(loaded.software.scalar, b.software.scalar, 32);
}

static void key_paths_begin_with_the_lct(void **state)
{
  uint8_t lct[32] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xff};
  char path[HM_FILE_PATH];
  (void)state;
  assert_int_equal(hm_key_path(path, "/k", lct, "agree", &err), HM_OK);
  assert_string_equal(path, "/k/0123456789abcdef.agree.pem");
}

static void the_boot_counter_rises_and_is_durable(void **state)
{
  char path[TEST_PATH];
  uint64_t count = 0;
  static const uint8_t at_its_end[8] = {0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
  folder_path(*state, "boot", path);
  for (uint64_t i = 1; i <= 3; i++) {
    assert_int_equal(hm_boot_count_next(path, &count, &err), HM_OK);
    assert_int_equal(count, i);
  }
  size_t len;
  uint8_t *bytes = file_read(path, &len);
  static const uint8_t three[8] = {0, 0, 0, 0, 0, 0, 0, 3};
  assert_int_equal(len, 8);
  assert_memory_equal(bytes, three, 8);
  free(bytes);
  file_write(path, at_its_end, 8);
  assert_int_equal(hm_boot_count_next(path, &count, &err), HM_FULL);
  file_write(path, at_its_end, 7);
  assert_int_equal(hm_boot_count_next(path, &count, &err), HM_DAMAGED);
  uint8_t nine[9] = {0};
  file_write(path, nine, 9);
  assert_int_equal(hm_boot_count_next(path, &count, &err), HM_DAMAGED);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(a_created_key_is_loaded_again),
      IN_FOLDER(an_existing_key_is_never_replaced),
      IN_FOLDER(openssl_reads_ours_and_we_read_openssls),
      IN_FOLDER(keys_that_others_may_read_are_refused),
      IN_FOLDER(what_is_no_key_is_refused),
      IN_FOLDER(no_changed_byte_gives_the_key),
      IN_FOLDER(too_long_files_are_refused_by_their_length),
      IN_FOLDER(public_keys_are_one_pem_and_nothing_else),
      IN_FOLDER(an_erased_key_is_gone),
      IN_FOLDER(a_saved_key_replaces_the_older_one),
      IN_FOLDER(key_paths_begin_with_the_lct),
      IN_FOLDER(the_boot_counter_rises_and_is_durable),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

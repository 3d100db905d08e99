/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the real programs remember of a pairing. A relay stands between hallmarkd and
 * hallmark-authority and holds the receipt (P9) back; the test opens the encrypted
 * sections with the keys in the state folder and so knows halves and seed. While the
 * receipt is held they are in hallmarkd's memory, and nowhere in the authority's; once
 * it is there they are in neither, nor are the sections.
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "services/keys.h"
#include "tests/support/folder.h"
#include "tests/support/memory_scan.h"
#include "tests/support/services/authority_relay.h"
#include "tests/support/services/house.h"
#include "trust/certificate.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

static struct house house;
static struct relay relay;

static int open_house(void **state)
{
  char front[TEST_PATH], back[TEST_PATH];
  if (folder_setup(state) != 0)
    return -1;
  house_init(&house, *state);
  folder_path(house.state, "run/authority.sock", front);
  folder_path(*state, "behind.sock", back);
  house_serve_at(&house, back);
  relay_start(&relay, front, back);
  house_start(&house);
  house_bind(&house, "front");
  return 0;
}

static int close_house(void **state)
{
  relay_stop(&relay);
  house_end(&house);
  return folder_teardown(state);
}

/* What is looked for, 32 bytes each. */
enum { SEED, HALF_A, HALF_B, SECTION_A, SECTION_B, HANDSHAKE, LOOKED_FOR };
static const char *const names[LOOKED_FOR] = {"seed",      "half A",    "half B",
                                              "section A", "section B", "handshake section"};
static uint8_t looked_for[LOOKED_FOR][32];

/* The agreement key of the one entity beside the host. */
static void load_entity_key(struct hm_agreement_key *key)
{
  char folder[TEST_PATH], path[TEST_PATH];
  struct hm_error err;
  bool found = false;
  folder_path(house.state, "keys", folder);
  DIR *keys = opendir(folder);
  assert_non_null(keys);
  for (struct dirent *entry = readdir(keys); entry != NULL; entry = readdir(keys)) {
    if (strstr(entry->d_name, ".agree.pem") == NULL || strncmp(entry->d_name, "host", 4) == 0)
      continue;
    assert_false(found);
    folder_path(folder, entry->d_name, path);
    assert_int_equal(hm_agreement_key_load(path, key, &err), HM_OK);
    found = true;
  }
  closedir(keys);
  assert_true(found);
}

static void open_section(struct hm_bytes section, const struct hm_agreement_key *key,
                         const uint8_t policy_hash[32], struct hm_section_plain *plain)
{
  uint8_t bytes[256];
  size_t len;
  assert_int_equal(hm_decrypt(engine, key->scalar, section, hm_bytes(policy_hash, 32), bytes,
                              sizeof bytes, &len),
                   HM_OK);
  assert_int_equal(hm_decode(&hm_shape_section_plain, hm_bytes(bytes, len), plain, NULL), HM_OK);
}

/* 32 bytes of ciphertext. */
static void take_ciphertext(struct hm_bytes section, uint8_t out[32])
{
  assert_true(section.len >= 64);
  memcpy(out, section.data + 32, 32);
}

static void learn(const struct hm_auth_pair_answer *answer)
{
  char path[TEST_PATH];
  struct hm_error err;
  struct hm_agreement_key host, entity;
  struct hm_section_plain plain[2];
  struct hm_pairing pairing;
  struct hm_sign1 sign1;
  uint8_t policy_hash[32];
  assert_int_equal(hm_sign1_expect(answer->pairing, HM_TYP_PAIRING, &sign1), HM_OK);
  assert_int_equal(hm_decode(&hm_shape_pairing, sign1.payload, &pairing, NULL), HM_OK);
  assert_int_equal(engine->sha256(&pairing.metadata, 1, policy_hash), HM_OK);
  folder_path(house.state, "keys/host.agree.pem", path);
  assert_int_equal(hm_agreement_key_load(path, &host, &err), HM_OK);
  load_entity_key(&entity);
  open_section(answer->section_a, &host, policy_hash, &plain[0]);
  open_section(answer->section_b, &entity, policy_hash, &plain[1]);
  assert_memory_equal(plain[0].seed, plain[1].seed, 32);
  memcpy(looked_for[SEED], plain[0].seed, 32);
  memcpy(looked_for[HALF_A], plain[0].half, 32);
  memcpy(looked_for[HALF_B], plain[1].half, 32);
  take_ciphertext(answer->section_a, looked_for[SECTION_A]);
  take_ciphertext(answer->section_b, looked_for[SECTION_B]);
  take_ciphertext(answer->handshake, looked_for[HANDSHAKE]);
}

static void look(const char *when, bool is_running)
{
  size_t in_daemon[LOOKED_FOR], in_authority[LOOKED_FOR];
  memory_find(house.daemon, (const uint8_t(*)[32])looked_for, LOOKED_FOR, in_daemon);
  memory_find(house.authority, (const uint8_t(*)[32])looked_for, LOOKED_FOR, in_authority);
  for (int s = 0; s < LOOKED_FOR; s++) {
    size_t daemon = in_daemon[s], authority = in_authority[s];
    bool is_secret = s < SECTION_A;
    printf("%s: %-17s hallmarkd %zu, hallmark-authority %zu\n", when, names[s], daemon, authority);
    if (is_running && is_secret && daemon == 0)
      fail_msg("%s: %s is not in hallmarkd", when, names[s]);
    if (!is_running && daemon > 0)
      fail_msg("%s: %s is still in hallmarkd", when, names[s]);
    if (authority > 0 && (is_secret || !is_running))
      fail_msg("%s: %s is in hallmark-authority", when, names[s]);
  }
}

static void the_receipt_ends_what_is_known_of_halves_and_seed(void **state)
{
  (void)state;
  static uint8_t packet[HM_AUTH_MESSAGE_MAX];
  struct hm_auth_answer answer;
  if (!memory_is_readable(house.daemon)) {
    printf("SKIPPED: only root may read the memory of hallmarkd\n");
    skip();
  }
  struct house_call call =
      house_call(&house, "POST", "/api/pairings",
                 "{\"names\":[\"front\"],\"context\":\"drive\",\"seconds\":3600,"
                 "\"operations\":[\"observe\",\"remember\"]}");
  relay_show(&relay, HM_AUTH_PAIR, 10000, packet, &answer);
  learn(&answer.u.pair);
  relay_show(&relay, HM_AUTH_COMPLETE, 10000, packet, &answer);
  look("receipt held back", true);
  relay_let_go(&relay);
  assert_true(house_answered(&house, &call, 10000));
  if (house.http / 100 != 2)
    fail_msg("pair: %d %s", house.http, house.reply);
  look("receipt there", false);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_receipt_ends_what_is_known_of_halves_and_seed),
  };
  return cmocka_run_group_tests(tests, open_house, close_house);
}

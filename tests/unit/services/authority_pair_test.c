/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Pairing with the real authority: the whole walk of two real machines, what is
 * refused, and what the authority does not keep.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/folder.h"
#include "tests/support/services/authority_end.h"
#include "trust/crypto_openssl.h"

static struct authority_end end;
static struct test_entity host, camera, other;
static struct test_pair pair;

static int begin(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  authority_init(&end, *state);
  authority_serve(&end);
  entity_draw(&host);
  entity_draw(&camera);
  entity_draw(&other);
  entity_bind(&end, &host, NULL);
  entity_bind(&end, &camera, &host);
  entity_bind(&end, &other, NULL);
  return 0;
}

static int finish(void **state)
{
  authority_stop(&end);
  return folder_teardown(state);
}

static enum hm_status ask_pair(const struct test_entity *by, const struct hm_pairing_request *w,
                               struct hm_auth_answer *a)
{
  static uint8_t object[HM_SIGN1_MAX];
  struct hm_auth_question q = {.kind = HM_AUTH_PAIR};
  q.u.pair.request = hm_bytes(object, pair_request(by, w, object));
  return authority_ask(&end, &q, a);
}

static enum hm_status complete(unsigned which, bool gave_up, struct hm_receipt *receipt, bool *has)
{
  return pair_complete(&end, &pair, which, gave_up, receipt, has);
}

static void both_machines_end_complete(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_bytes completion[2];
  struct hm_auth_question q = {.kind = HM_AUTH_COMPLETE};
  struct hm_auth_answer a;
  struct hm_receipt receipt;
  pair_wish(&host, &camera, &wishes);
  pair_run(&end, &host, &camera, &wishes, &pair);
  assert_int_equal(hm_pair_completions(&pair.side[0], completion), HM_OK);
  memcpy(q.u.complete.certificate, pair.name, 32);
  q.u.complete.has_completion[0] = q.u.complete.has_completion[1] = true;
  q.u.complete.completion0 = completion[0];
  q.u.complete.completion1 = completion[1];
  assert_int_equal(authority_ask(&end, &q, &a), HM_OK);
  for (int role = 0; role < 2; role++) {
    assert_int_equal(
        hm_pair_take_receipt(&pair.side[role], &hm_crypto_openssl, a.u.complete.receipt, 1005),
        HM_OK);
    assert_int_equal(pair.side[role].state, HM_PAIR_COMPLETE);
  }
  uint8_t secret[2][32];
  assert_int_equal(hm_pair_secret(&pair.side[0], secret[0]), HM_OK);
  assert_int_equal(hm_pair_secret(&pair.side[1], secret[1]), HM_OK);
  assert_memory_equal(secret[0], secret[1], 32);
  assert_int_equal(
      hm_receipt_open(&hm_crypto_openssl, a.u.complete.receipt, end.key, &receipt, NULL), HM_OK);
  assert_int_equal(receipt.level, 6);
  assert_int_equal(receipt.kind, HM_RECEIPT_COMPLETION);
  assert_int_equal(receipt.result, HM_RESULT_PASS);
  assert_true(receipt.has_flags); /* host and camera live in one process, and it says so */
  assert_int_equal(receipt.context, HM_CONTEXT_DRIVE);
  assert_int_equal(receipt.evidence_count, 2);
  assert_memory_equal(receipt.certificate, pair.name, 32);
  assert_memory_equal(receipt.subject, camera.facts.lct, 32);
}

static void the_policy_is_what_was_wished_and_a_kid_of_its_own(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_pairing one, two;
  struct hm_auth_answer a;
  uint8_t kept[HM_CERTIFICATE_MAX];
  pair_wish(&host, &camera, &wishes);
  wishes.receipt_within = 5000000;
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_OK);
  memcpy(kept, a.u.pair.pairing.data, a.u.pair.pairing.len);
  struct hm_bytes first = hm_bytes(kept, a.u.pair.pairing.len);
  pair_wish(&host, &camera, &wishes);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_OK);
  assert_int_equal(hm_pairing_open(&hm_crypto_openssl, first, end.key, NULL, &one), HM_OK);
  assert_int_equal(hm_pairing_open(&hm_crypto_openssl, a.u.pair.pairing, end.key, NULL, &two),
                   HM_OK);
  assert_int_equal(one.policy.receipt_within, 30);
  assert_int_equal(one.policy.operation_count, 2);
  assert_int_equal(one.policy.data_count, 4);
  assert_true(one.exp == two.exp || one.exp + 1 == two.exp);
  /* later than the one before, also within a second, and another KID */
  assert_true(two.iat > one.iat);
  assert_int_not_equal(one.policy.kid16, two.policy.kid16);
  assert_memory_not_equal(one.policy.pairing_id, two.policy.pairing_id, 16);
}

static void responsive_entities_never_start(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_auth_answer a;
  pair_wish(&camera, &host, &wishes);
  assert_int_equal(ask_pair(&camera, &wishes, &a), HM_POLICY);
  assert_non_null(strstr(end.err.text, "only answers"));
  /* nor may another host speak for a camera */
  pair_wish(&other, &camera, &wishes);
  assert_int_equal(ask_pair(&other, &wishes, &a), HM_POLICY);
  assert_non_null(strstr(end.err.text, "another host"));
}

static void strangers_and_the_revoked_are_not_paired(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_auth_answer a;
  struct test_entity stranger;
  entity_draw(&stranger);
  pair_wish(&host, &stranger, &wishes);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_NOT_FOUND);
  pair_wish(&stranger, &camera, &wishes);
  assert_int_equal(ask_pair(&stranger, &wishes, &a), HM_NOT_FOUND);
  pair_wish(&host, &host, &wishes);
  uint8_t object[HM_SIGN1_MAX];
  struct hm_out out = hm_out(object, sizeof object);
  enum hm_status made =
      hm_pairing_request_make(&hm_crypto_openssl, &host.sign.signer, &wishes, &out);
  assert_int_not_equal(made, HM_OK);
  /* signed by somebody else */
  pair_wish(&host, &camera, &wishes);
  struct hm_auth_question q = {.kind = HM_AUTH_PAIR};
  out = hm_out(object, sizeof object);
  assert_int_equal(hm_signed_make(&hm_crypto_openssl, &other.sign.signer, HM_TYP_PAIRING_REQUEST,
                                  &hm_shape_pairing_request, &wishes, &out),
                   HM_OK);
  q.u.pair.request = hm_out_bytes(&out);
  assert_int_equal(authority_ask(&end, &q, &a), HM_BAD_SIGNATURE);
  struct hm_auth_question revoke = {.kind = HM_AUTH_REVOKE};
  memcpy(revoke.u.revoke.certificate, camera.facts.lct, 32);
  revoke.u.revoke.reason = HM_REASON_RETIRED;
  assert_int_equal(authority_ask(&end, &revoke, &a), HM_OK);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_REVOKED);
  memcpy(revoke.u.revoke.certificate, host.facts.lct, 32);
  assert_int_equal(authority_ask(&end, &revoke, &a), HM_OK);
  pair_wish(&host, &other, &wishes);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_REVOKED);
  pair_wish(&other, &host, &wishes);
  assert_int_equal(ask_pair(&other, &wishes, &a), HM_REVOKED);
}

static void a_request_counts_once_and_soon(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_auth_answer a;
  pair_wish(&host, &camera, &wishes);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_OK);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_REPLAY);
  pair_wish(&host, &camera, &wishes);
  wishes.iat -= 400;
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_STALE);
  wishes.iat += 900;
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_NOT_YET_VALID);
}

static void a_context_has_its_limits(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_auth_answer a;
  pair_wish(&host, &camera, &wishes);
  wishes.operations[1] = HM_OP_EXECUTE;
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_POLICY);
  assert_non_null(strstr(end.err.text, "execute"));
  pair_wish(&host, &camera, &wishes);
  wishes.context = HM_CONTEXT_FIRMWARE_UPDATE;
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_POLICY);
  pair_wish(&host, &camera, &wishes);
  wishes.data_count = 1;
  wishes.data_types[0] = HM_DATA_COMMAND;
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_POLICY);
  assert_non_null(strstr(end.err.text, "command"));
  pair_wish(&host, &camera, &wishes);
  wishes.context = HM_CONTEXT_EMERGENCY;
  wishes.exp = wishes.iat + 31 * 86400;
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_POLICY);
  assert_non_null(strstr(end.err.text, "30 d"));
  pair_wish(&host, &camera, &wishes);
  wishes.iat -= 200;
  wishes.exp = wishes.iat + 100;
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_POLICY);
  static const char name[] = "night shift";
  pair_wish(&host, &camera, &wishes);
  wishes.context = 64;
  wishes.has_context_name = true;
  wishes.context_name = hm_bytes(name, sizeof name - 1);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_OK);
}

static void two_hosts_complete_one_after_the_other(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_receipt receipt;
  bool has;
  pair_wish(&host, &other, &wishes);
  wishes.context = HM_CONTEXT_DIAGNOSTICS;
  wishes.operation_count = 1;
  wishes.operations[0] = HM_OP_READ;
  wishes.data_count = 1;
  wishes.data_types[0] = HM_DATA_STATUS;
  pair_run(&end, &host, &other, &wishes, &pair);
  assert_int_equal(complete(1, false, &receipt, &has), HM_OK);
  assert_false(has);
  assert_int_equal(complete(2, false, &receipt, &has), HM_OK);
  assert_true(has);
  assert_int_equal(receipt.kind, HM_RECEIPT_COMPLETION);
  assert_false(receipt.has_flags);
  /* asked again: the same receipt, whoever asks */
  uint64_t iat = receipt.iat;
  assert_int_equal(complete(3, false, &receipt, &has), HM_OK);
  assert_true(has);
  assert_int_equal(receipt.iat, iat);
  /* what stands does not fail afterwards */
  assert_int_equal(complete(1, true, &receipt, &has), HM_EXISTS);
}

static void a_missing_side_is_named(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_receipt receipt;
  bool has;
  pair_wish(&host, &camera, &wishes);
  pair_run(&end, &host, &camera, &wishes, &pair);
  assert_int_equal(complete(2, true, &receipt, &has), HM_OK);
  assert_true(has);
  assert_int_equal(receipt.kind, HM_RECEIPT_FAILED);
  assert_int_equal(receipt.result, HM_RESULT_FAIL);
  assert_memory_equal(receipt.subject, host.facts.lct, 32);
  assert_int_equal(receipt.evidence_count, 1);
  /* burnt for good, also after a restart */
  assert_int_equal(complete(3, false, &receipt, &has), HM_BURNT);
  authority_stop(&end);
  authority_serve(&end);
  assert_int_equal(complete(3, false, &receipt, &has), HM_BURNT);
  pair_run(&end, &host, &camera, &wishes, &pair);
  assert_int_equal(complete(0, true, &receipt, &has), HM_OK);
  assert_memory_equal(receipt.subject, camera.facts.lct, 32);
}

/* An authority that sits in the middle would leave two completions that differ. */
static void two_different_transcripts_end_it(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_bytes completion[2];
  struct hm_completion facts;
  struct hm_auth_question q = {.kind = HM_AUTH_COMPLETE};
  struct hm_auth_answer a;
  uint8_t forged[HM_SIGN1_MAX];
  pair_wish(&host, &camera, &wishes);
  pair_run(&end, &host, &camera, &wishes, &pair);
  assert_int_equal(hm_pair_completions(&pair.side[0], completion), HM_OK);
  assert_int_equal(
      hm_completion_open(&hm_crypto_openssl, completion[1], camera.sign.signer.point, &facts, NULL),
      HM_OK);
  memcpy(q.u.complete.certificate, pair.name, 32);
  q.u.complete.has_completion[0] = q.u.complete.has_completion[1] = true;
  q.u.complete.completion0 = completion[0];
  /* the wrong signer, the wrong role, another pairing: refused, and nothing is spoilt */
  q.u.complete.completion1 = completion[0];
  assert_int_not_equal(authority_ask(&end, &q, &a), HM_OK);
  struct hm_completion wrong = facts;
  wrong.pairing_id[0] ^= 1;
  struct hm_out out = hm_out(forged, sizeof forged);
  assert_int_equal(hm_completion_make(&hm_crypto_openssl, &camera.sign.signer, &wrong, &out),
                   HM_OK);
  q.u.complete.completion1 = hm_out_bytes(&out);
  assert_int_equal(authority_ask(&end, &q, &a), HM_MISMATCH);
  /* signed by the right side, over another transcript */
  facts.transcript[0] ^= 1;
  out = hm_out(forged, sizeof forged);
  assert_int_equal(hm_completion_make(&hm_crypto_openssl, &camera.sign.signer, &facts, &out),
                   HM_OK);
  q.u.complete.completion1 = hm_out_bytes(&out);
  assert_int_equal(authority_ask(&end, &q, &a), HM_MISMATCH);
  q.u.complete.completion1 = completion[1];
  assert_int_equal(authority_ask(&end, &q, &a), HM_BURNT);
}

static void a_revoked_pairing_does_not_complete(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_auth_question q = {.kind = HM_AUTH_REVOKE};
  struct hm_auth_answer a;
  struct hm_receipt receipt;
  bool has;
  pair_wish(&host, &camera, &wishes);
  pair_run(&end, &host, &camera, &wishes, &pair);
  memcpy(q.u.revoke.certificate, pair.name, 32);
  q.u.revoke.reason = HM_REASON_OPERATOR;
  assert_int_equal(authority_ask(&end, &q, &a), HM_OK);
  assert_int_equal(complete(3, false, &receipt, &has), HM_REVOKED);
  memset(pair.name, 7, 32);
  assert_int_equal(complete(3, false, &receipt, &has), HM_NOT_FOUND);
}

/* A pairing ends with either of its entities, and is shown so. */
static void a_revoked_entity_ends_its_pairings(void **state)
{
  (void)state;
  static struct program_end run;
  const char *const ls[] = {"ls", "--state", end.state, NULL};
  struct hm_pairing_request wishes;
  struct hm_auth_question q = {.kind = HM_AUTH_REVOKE};
  struct hm_auth_answer a;
  struct hm_receipt receipt;
  bool has;
  pair_wish(&host, &camera, &wishes);
  pair_run(&end, &host, &camera, &wishes, &pair);
  assert_int_equal(complete(3, false, &receipt, &has), HM_OK);
  authority_stop(&end);
  authority_run(&run, hm_bytes("", 0), ls);
  assert_non_null(strstr(run.out, "stands"));
  authority_serve(&end);
  memcpy(q.u.revoke.certificate, camera.facts.lct, 32);
  q.u.revoke.reason = HM_REASON_RETIRED;
  assert_int_equal(authority_ask(&end, &q, &a), HM_OK);
  authority_stop(&end);
  authority_run(&run, hm_bytes("", 0), ls);
  assert_null(strstr(run.out, "stands"));
}

static void at_most_two_stand_and_one_may_replace_another(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_receipt receipt;
  struct hm_auth_answer a;
  uint8_t first[32];
  bool has;
  for (int i = 0; i < 2; i++) {
    pair_wish(&host, &camera, &wishes);
    pair_run(&end, &host, &camera, &wishes, &pair);
    assert_int_equal(complete(3, false, &receipt, &has), HM_OK);
    if (i == 0)
      memcpy(first, pair.name, 32);
    if (i == 0) {
      wishes.has_supersedes = true;
      memset(wishes.supersedes, 9, 32);
      assert_int_equal(ask_pair(&host, &wishes, &a), HM_MISMATCH);
    }
  }
  pair_wish(&host, &camera, &wishes);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_EXISTS);
  /* another context is another matter */
  wishes.context = HM_CONTEXT_TRAINING;
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_OK);
  /* one is revoked; the next replaces the other */
  struct hm_auth_question q = {.kind = HM_AUTH_REVOKE};
  memcpy(q.u.revoke.certificate, pair.name, 32);
  q.u.revoke.reason = HM_REASON_OPERATOR;
  assert_int_equal(authority_ask(&end, &q, &a), HM_OK);
  pair_wish(&host, &camera, &wishes);
  wishes.has_supersedes = true;
  memcpy(wishes.supersedes, first, 32);
  pair_run(&end, &host, &camera, &wishes, &pair);
  assert_int_equal(complete(3, false, &receipt, &has), HM_OK);
  /* the replaced one counts no more */
  pair_wish(&host, &camera, &wishes);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_OK);
  wishes.has_supersedes = true;
  memcpy(wishes.supersedes, first, 32);
  assert_int_equal(ask_pair(&host, &wishes, &a), HM_MISMATCH);
}

/* By file the asker may say how long the receipt may take; later than that is too late. */
static void a_late_completion_fails_the_pairing(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_receipt receipt;
  bool has;
  authority_stop(&end);
  pair_wish(&host, &camera, &wishes);
  wishes.receipt_within = 1;
  pair_run(&end, &host, &camera, &wishes, &pair);
  (void)usleep(2200000);
  assert_int_equal(complete(3, false, &receipt, &has), HM_TIMEOUT);
  assert_int_equal(complete(3, false, &receipt, &has), HM_BURNT);
  assert_int_equal(complete(0, true, &receipt, &has), HM_OK);
  assert_int_equal(receipt.kind, HM_RECEIPT_FAILED);
}

static void files_may_take_days_and_a_restart_forgets_nothing(void **state)
{
  (void)state;
  struct hm_pairing_request wishes;
  struct hm_receipt receipt;
  struct hm_pairing facts;
  bool has;
  authority_stop(&end);
  pair_wish(&host, &camera, &wishes);
  wishes.exp = wishes.iat + 30 * 86400;
  pair_run(&end, &host, &camera, &wishes, &pair);
  assert_int_equal(hm_pairing_open(&hm_crypto_openssl,
                                   hm_bytes(pair.certificate, pair.certificate_len), end.key, NULL,
                                   &facts),
                   HM_OK);
  assert_int_equal(facts.policy.receipt_within, 7 * 86400);
  authority_serve(&end);
  assert_int_equal(complete(3, false, &receipt, &has), HM_OK);
  assert_true(has);
  assert_int_equal(receipt.kind, HM_RECEIPT_COMPLETION);
}

/* ---- what the authority does not keep ------------------------------------------------- */

static bool holds(const uint8_t *haystack, size_t len, const uint8_t needle[32])
{
  return memmem(haystack, len, needle, 32) != NULL;
}

/* Is the secret, in either byte order, anywhere in the memory of the process? */
static bool process_holds(pid_t pid, const uint8_t secret[32])
{
  char path[64], line[512];
  uint8_t reversed[32];
  bool found = false;
  size_t scanned = 0;
  for (size_t i = 0; i < 32; i++)
    reversed[i] = secret[31 - i];
  snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
  FILE *maps = fopen(path, "re");
  snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
  int mem = open(path, O_RDONLY | O_CLOEXEC);
  assert_non_null(maps);
  assert_true(mem >= 0);
  while (!found && fgets(line, sizeof line, maps) != NULL) {
    unsigned long from, to;
    char rights[8];
    if (sscanf(line, "%lx-%lx %7s", &from, &to, rights) != 3 || rights[0] != 'r' ||
        strstr(line, "data.mdb") != NULL || to - from > 1ul << 28)
      continue;
    uint8_t *copy = malloc(to - from);
    ssize_t n = pread(mem, copy, to - from, (off_t)from);
    if (n > 0) {
      scanned += (size_t)n;
      found = holds(copy, (size_t)n, secret) || holds(copy, (size_t)n, reversed);
    }
    free(copy);
  }
  fclose(maps);
  close(mem);
  assert_true(scanned > 1 << 16);
  return found;
}

static void open_section(const struct test_entity *entity, int role, struct hm_section_plain *plain)
{
  struct hm_pairing facts;
  uint8_t bytes[256];
  size_t len = 0;
  assert_int_equal(hm_pairing_open(&hm_crypto_openssl,
                                   hm_bytes(pair.certificate, pair.certificate_len), end.key, NULL,
                                   &facts),
                   HM_OK);
  assert_int_equal(hm_decrypt(&hm_crypto_openssl, entity->agree.scalar,
                              hm_bytes(pair.section[role], pair.section_len[role]),
                              hm_bytes(facts.policy_hash, 32), bytes, sizeof bytes, &len),
                   HM_OK);
  assert_int_equal(hm_decode(&hm_shape_section_plain, hm_bytes(bytes, len), plain, NULL), HM_OK);
}

static void no_pairing_secret_stays_in_its_memory(void **state)
{
  (void)state;
  if (geteuid() != 0)
    skip(); /* reading another process's memory needs root */
  struct hm_pairing_request wishes;
  struct hm_section_plain a, b;
  pair_wish(&host, &camera, &wishes);
  pair_run(&end, &host, &camera, &wishes, &pair);
  open_section(&host, 0, &a);
  open_section(&camera, 1, &b);
  assert_memory_equal(a.seed, b.seed, 32);
  /* the scan finds what is there: the authority's own key */
  struct hm_signing_key own;
  char path[300];
  snprintf(path, sizeof path, "%s/authority/sign.pem", end.state);
  assert_int_equal(hm_signing_key_load(path, &own, &end.err), HM_OK);
  assert_true(process_holds(end.pid, own.software.scalar));
  assert_false(process_holds(end.pid, a.half));
  assert_false(process_holds(end.pid, b.half));
  assert_false(process_holds(end.pid, a.seed));
}

int main(void)
{
#define WITH_AUTHORITY(test) cmocka_unit_test_setup_teardown(test, begin, finish)
  const struct CMUnitTest tests[] = {
      WITH_AUTHORITY(both_machines_end_complete),
      WITH_AUTHORITY(the_policy_is_what_was_wished_and_a_kid_of_its_own),
      WITH_AUTHORITY(responsive_entities_never_start),
      WITH_AUTHORITY(strangers_and_the_revoked_are_not_paired),
      WITH_AUTHORITY(a_request_counts_once_and_soon),
      WITH_AUTHORITY(a_context_has_its_limits),
      WITH_AUTHORITY(two_hosts_complete_one_after_the_other),
      WITH_AUTHORITY(a_missing_side_is_named),
      WITH_AUTHORITY(two_different_transcripts_end_it),
      WITH_AUTHORITY(a_revoked_pairing_does_not_complete),
      WITH_AUTHORITY(a_revoked_entity_ends_its_pairings),
      WITH_AUTHORITY(at_most_two_stand_and_one_may_replace_another),
      WITH_AUTHORITY(a_late_completion_fails_the_pairing),
      WITH_AUTHORITY(files_may_take_days_and_a_restart_forgets_nothing),
      WITH_AUTHORITY(no_pairing_secret_stays_in_its_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

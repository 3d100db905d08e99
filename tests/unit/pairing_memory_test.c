/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What a pairing leaves in memory. Two processes pair; their randomness comes from the
 * test, so the test knows every secret they make and looks for it in all of their
 * memory: there while the handshake runs, gone once the receipt is there.
 */
#include "tests/support/memory_scan.h"
#include "tests/support/pair_process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

enum secret {
  SEED,
  HALF_A,
  HALF_B,
  SEED_KEY_A,
  SEED_KEY_B,
  EPHEMERAL_A,
  EPHEMERAL_B,
  SHARED,
  HANDSHAKE_KEY,
  RANDOM_A,
  RANDOM_B,
  SECRETS
};
static const char *const secret_names[SECRETS] = {
    "seed",        "half A", "half B",  "seed key A",   "seed key B",  "ephemeral A",
    "ephemeral B", "L",      "K_shake", "randomness A", "randomness B"};

/* Which process holds which secret while the handshake runs; the others never. */
static const bool is_held[SECRETS][2] = {
    [SEED] = {true, true},         [HALF_A] = {true, true},     [HALF_B] = {true, true},
    [SEED_KEY_A] = {true, true},   [SEED_KEY_B] = {true, true}, [EPHEMERAL_A] = {true, false},
    [EPHEMERAL_B] = {false, true}, [SHARED] = {true, true},
};

static struct party authority, party[2];
static struct pair_process process[2];
static struct pair_answer answer[2];
static struct hm_issued issued;
static uint8_t secret[SECRETS][32];

static void start_processes(void)
{
  party_make(&authority, 1, NULL);
  party_make(&party[0], 2, &authority);
  party_make(&party[1], 3, &authority);
  for (int role = 0; role < 2; role++) {
    struct hm_pair_setup setup = {.role = (uint8_t)role,
                                  .has_peer = true,
                                  .is_pinned = true,
                                  .node = {HM_NODE_HOST, HM_NODE_HOST}};
    struct hm_pairing_request wishes;
    memcpy(setup.own, party[role].signer.kid, 32);
    memcpy(setup.peer, party[1 - role].signer.kid, 32);
    memcpy(setup.authority, authority.signer.point, 64);
    party_wishes(party[0].signer.kid, party[1].signer.kid, &wishes);
    pair_process_start(&process[role], &party[role], &setup, &wishes);
  }
}

/* Only now, after the forks, are the secrets made: the processes inherit nothing. */
static void make_secrets(uint8_t random[2][48])
{
  struct hm_policy policy;
  struct hm_issue_random issue;
  struct hm_record_key key[2];
  uint8_t point[2][64], policy_hash[32];
  assert_int_equal(hm_random(random, 96), HM_OK);
  assert_int_equal(hm_random(&issue, sizeof issue), HM_OK);
  party_policy(party[0].signer.kid, party[1].signer.kid, &policy);
  party_issue(&authority, &party[0], &party[1], &policy, 0, &issue, &issued);

  struct hm_pairing pairing;
  assert_int_equal(hm_pairing_open(engine, hm_bytes(issued.certificate, issued.certificate_len),
                                   authority.signer.point, NULL, &pairing),
                   HM_OK);
  memcpy(policy_hash, pairing.policy_hash, 32);
  memcpy(secret[SEED], issue.seed, 32);
  memcpy(secret[HALF_A], issue.half[0], 32);
  memcpy(secret[HALF_B], issue.half[1], 32);
  assert_int_equal(hm_schedule_seed(engine, issued.name, issue.seed, key), HM_OK);
  memcpy(secret[SEED_KEY_A], key[0].key, 32);
  memcpy(secret[SEED_KEY_B], key[1].key, 32);
  for (int role = 0; role < 2; role++)
    assert_int_equal(
        hm_p256_generate(engine, random[role], secret[EPHEMERAL_A + role], point[role]), HM_OK);
  assert_int_equal(engine->p256_ecdh(secret[EPHEMERAL_A], point[1], secret[SHARED]), HM_OK);
  assert_int_equal(hm_schedule_handshake(engine, policy_hash, issue.half[0], issue.half[1],
                                         secret[HANDSHAKE_KEY]),
                   HM_OK);
  memcpy(secret[RANDOM_A], random[0], 32);
  memcpy(secret[RANDOM_B], random[1], 32);
}

static void tell(int role, enum pair_order_kind kind, struct hm_bytes message)
{
  struct pair_order order = {.kind = kind, .now_ms = 1000, .len = {message.len}};
  if (message.len > 0)
    memcpy(order.bytes, message.data, message.len);
  pair_process_tell(&process[role], &order, &answer[role]);
  assert_int_equal(answer[role].status, HM_OK);
}

static void tell_set(int role, const uint8_t random[48])
{
  struct pair_order order = {
      .kind = PAIR_SET,
      .now_ms = 1000,
      .peer = party[1 - role].entity,
      .len = {issued.certificate_len, issued.section_len[role], issued.handshake_len}};
  memcpy(order.random, random, 48);
  uint8_t *at = order.bytes;
  memcpy(at, issued.certificate, issued.certificate_len);
  memcpy(at + order.len[0], issued.section[role], issued.section_len[role]);
  memcpy(at + order.len[0] + order.len[1], issued.handshake, issued.handshake_len);
  pair_process_tell(&process[role], &order, &answer[role]);
  assert_int_equal(answer[role].status, HM_OK);
}

static struct hm_bytes said(int role)
{
  return hm_bytes(answer[role].out, answer[role].out_len);
}

/* Every secret in both processes; is_running: those of is_held have to be found. */
static void look(const char *when, bool is_running)
{
  size_t hits[2][SECRETS];
  for (int role = 0; role < 2; role++)
    memory_find(process[role].pid, (const uint8_t(*)[32])secret, SECRETS, hits[role]);
  for (int s = 0; s < SECRETS; s++)
    for (int role = 0; role < 2; role++) {
      bool expected = is_running && is_held[s][role];
      if (hits[role][s] > 0 || is_held[s][role])
        printf("%s: %-12s in %c: %zu\n", when, secret_names[s], 'A' + role, hits[role][s]);
      if ((hits[role][s] > 0) != expected)
        fail_msg("%s: %s in %c: %zu places", when, secret_names[s], 'A' + role, hits[role][s]);
    }
}

static void handshake_secrets_are_there_and_then_gone(void **state)
{
  (void)state;
  uint8_t random[2][48];
  start_processes();
  make_secrets(random);
  tell(0, PAIR_ASK, hm_bytes(NULL, 0));
  tell_set(0, random[0]);
  tell_set(1, random[1]);
  tell(1, PAIR_HALF, said(0));
  tell(0, PAIR_HALF, said(1));
  assert_int_equal(answer[0].state, HM_PAIR_HANDSHAKE_OPEN);
  look("handshake open", true);

  tell(1, PAIR_COMPLETION, said(0));
  tell(0, PAIR_COMPLETION, said(1));
  look("receipt withheld", true);

  struct hm_policy policy;
  uint8_t names[2][32], buffer[1024];
  struct hm_bytes completion[2];
  party_policy(party[0].signer.kid, party[1].signer.kid, &policy);
  for (int role = 0; role < 2; role++)
    completion[role] = hm_bytes(answer[0].completion[role], answer[0].completion_len[role]);
  assert_int_equal(hm_pairing_judge(engine, &policy, party[0].signer.point, party[1].signer.point,
                                    completion, names),
                   HM_OK);
  struct hm_bytes receipt =
      party_receipt(&authority, &issued, party[0].signer.kid, names, false, false, buffer);
  tell(0, PAIR_RECEIPT, receipt);
  tell(1, PAIR_RECEIPT, receipt);
  look("complete", false);
  for (int role = 0; role < 2; role++) {
    assert_int_equal(answer[role].state, HM_PAIR_COMPLETE);
    pair_process_stop(&process[role]);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(handshake_secrets_are_there_and_then_gone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

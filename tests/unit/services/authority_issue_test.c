/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmark-authority issue: requests on standard input, answers on standard output, as
 * it works on a machine without a network.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/folder.h"
#include "tests/support/services/authority_end.h"
#include "trust/crypto_openssl.h"

static struct authority_end end;
static struct test_entity host, camera;
static struct program_end run;

static int begin(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  authority_init(&end, *state);
  entity_draw(&host);
  entity_draw(&camera);
  return 0;
}

static int program(struct hm_bytes in, const char *verb)
{
  const char *const words[] = {verb, "--state", end.state, NULL};
  authority_run(&run, in, words);
  return run.code;
}

static const struct hm_bytes nothing = {(const uint8_t *)"", 0};

static uint8_t sequence[65536];

static size_t put(size_t at, const struct hm_auth_question *q)
{
  struct hm_out out = hm_out(sequence + at, sizeof sequence - at);
  assert_int_equal(hm_auth_question_encode(q, &out), HM_OK);
  return at + out.len;
}

/* The answers on standard output, one by one. */
static struct hm_bytes answers;

static enum hm_status next_answer(struct hm_auth_answer *a)
{
  struct hm_bytes message;
  assert_int_equal(hm_auth_sequence_next(answers, &message, &answers), HM_OK);
  assert_int_equal(hm_auth_answer_decode(message, a, NULL), HM_OK);
  return hm_auth_answer_status(a, &end.err);
}

static int issue(size_t len)
{
  int code = program(hm_bytes(sequence, len), "issue");
  answers = hm_bytes(run.out, run.out_len);
  return code;
}

static void bindings_are_issued_by_file(void **state)
{
  (void)state;
  static uint8_t first[HM_SIGN1_MAX], second[HM_SIGN1_MAX], countersign[HM_SIGN1_MAX];
  uint8_t challenge[16];
  struct hm_binding_request r;
  struct hm_auth_question q = {.kind = HM_AUTH_BIND};
  struct hm_auth_answer a;
  struct hm_log_view view;
  assert_int_equal(hm_random(challenge, 16), HM_OK);
  entity_describe(&host, NULL, challenge, &r);
  r.iat -= 6 * 86400; /* carried on foot */
  q.u.bind.request = hm_bytes(first, entity_request(&host, &r, first));
  size_t len = put(0, &q);
  assert_int_equal(hm_random(challenge, 16), HM_OK);
  entity_describe(&camera, &host, challenge, &r);
  q.u.bind.request = hm_bytes(second, entity_request(&camera, &r, second));
  q.u.bind.has_countersign = true;
  q.u.bind.countersign =
      hm_bytes(countersign, entity_countersign(&host, q.u.bind.request, countersign));
  len = put(len, &q);
  assert_int_equal(issue(len), 0);
  assert_int_equal(next_answer(&a), HM_OK);
  assert_int_equal(
      hm_binding_open(&hm_crypto_openssl, a.u.bind.binding, end.key, NULL, NULL, &host.facts),
      HM_OK);
  assert_int_equal(
      hm_log_proof_verify(&hm_crypto_openssl, a.u.bind.proof, a.u.bind.binding, end.key, &view),
      HM_OK);
  assert_int_equal(next_answer(&a), HM_OK);
  assert_int_equal(hm_binding_open(&hm_crypto_openssl, a.u.bind.binding, end.key, &host.facts, NULL,
                                   &camera.facts),
                   HM_OK);
  assert_int_equal(answers.len, 0);
  assert_int_equal(program(nothing, "ls"), 0);
  assert_non_null(strstr(run.out, "sensor"));
  assert_non_null(strstr(run.out, "host"));
  /* asked again by file: the same; its challenge is used up for others */
  q.u.bind.has_countersign = false;
  q.u.bind.request = hm_bytes(first, entity_request(&host, &r, first));
  struct test_entity other;
  entity_draw(&other);
  entity_describe(&other, NULL, challenge, &r);
  q.u.bind.request = hm_bytes(second, entity_request(&other, &r, second));
  assert_int_equal(issue(put(0, &q)), 4);
  assert_int_equal(next_answer(&a), HM_REPLAY);
  assert_non_null(strstr(run.err, "request 1"));
}

static void old_requests_are_not_issued(void **state)
{
  (void)state;
  static uint8_t object[HM_SIGN1_MAX];
  uint8_t challenge[16] = {3};
  struct hm_binding_request r;
  struct hm_auth_question q = {.kind = HM_AUTH_BIND};
  entity_describe(&host, NULL, challenge, &r);
  r.iat -= 8 * 86400;
  q.u.bind.request = hm_bytes(object, entity_request(&host, &r, object));
  assert_int_equal(issue(put(0, &q)), 1);
  assert_non_null(strstr(run.err, "604800"));
}

static void one_bad_request_does_not_stop_the_next(void **state)
{
  (void)state;
  static uint8_t object[HM_SIGN1_MAX];
  uint8_t challenge[16] = {9};
  struct hm_binding_request r;
  struct hm_auth_question bind = {.kind = HM_AUTH_BIND};
  struct hm_auth_question revoke = {.kind = HM_AUTH_REVOKE, .u.revoke.reason = 16};
  struct hm_auth_answer a;
  entity_describe(&host, NULL, challenge, &r);
  bind.u.bind.request = hm_bytes(object, entity_request(&host, &r, object));
  size_t len = put(0, &revoke);
  len = put(len, &bind);
  memcpy(revoke.u.revoke.certificate, host.sign.signer.kid, 32);
  len = put(len, &revoke);
  assert_int_equal(issue(len), 3);
  assert_int_equal(next_answer(&a), HM_NOT_FOUND);
  assert_int_equal(next_answer(&a), HM_OK);
  assert_int_equal(next_answer(&a), HM_OK);
  struct hm_revocation v;
  assert_int_equal(hm_revocation_open(&hm_crypto_openssl, a.u.revoke.revocation, end.key, &v, NULL),
                   HM_OK);
  assert_int_equal(v.number, 1);
}

static void what_is_no_sequence_is_malformed(void **state)
{
  (void)state;
  static const struct {
    const char *bytes;
    size_t len;
  } rows[] = {
      {"", 0},
      {"hello", 5},
      {"\x82\x01", 2},
      {"\xff", 1},
      {"\x9f\x01\xff", 3},
      {"\x82\x18\x01\x80", 4},
      {"\x82\x08\x80", 3},
      {"\x82\x01\x81\x01", 4},
      {"\xa0", 1},
      {"\x9b\x7f\xff\xff\xff\xff\xff\xff\xff", 9},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    memcpy(sequence, rows[i].bytes, rows[i].len);
    assert_int_equal(issue(rows[i].len), 6);
    assert_true(strlen(run.err) > 20);
  }
  static uint8_t big[(1 << 20) + 1];
  assert_int_equal(program(hm_bytes(big, sizeof big), "issue"), 6);
  assert_non_null(strstr(run.err, "1048576"));
}

int main(void)
{
#define STOPPED(test) cmocka_unit_test_setup_teardown(test, begin, folder_teardown)
  const struct CMUnitTest tests[] = {
      STOPPED(bindings_are_issued_by_file),
      STOPPED(old_requests_are_not_issued),
      STOPPED(one_bad_request_does_not_stop_the_next),
      STOPPED(what_is_no_sequence_is_malformed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

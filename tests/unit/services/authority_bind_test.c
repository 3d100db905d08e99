/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Binding with the real authority over its socket: who is bound, and each way in which
 * somebody is not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/folder.h"
#include "tests/support/services/authority_end.h"
#include "trust/capability.h"
#include "trust/checkpoint.h"
#include "trust/crypto_openssl.h"

static struct authority_end end;
static struct test_entity host, camera;

static int begin(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  authority_init(&end, *state);
  authority_serve(&end);
  entity_draw(&host);
  entity_draw(&camera);
  return 0;
}

static int finish(void **state)
{
  authority_stop(&end);
  return folder_teardown(state);
}

/* Ask to bind what `request` says, countersigned by `by` (NULL: by nobody). */
static enum hm_status bind_as(const struct test_entity *entity,
                              const struct hm_binding_request *request,
                              const struct test_entity *by, const uint8_t *supersedes,
                              struct hm_auth_answer *answer)
{
  static uint8_t object[HM_SIGN1_MAX], countersign[HM_SIGN1_MAX];
  struct hm_auth_question q = {.kind = HM_AUTH_BIND};
  q.u.bind.request = hm_bytes(object, entity_request(entity, request, object));
  q.u.bind.has_countersign = by != NULL;
  if (by != NULL)
    q.u.bind.countersign =
        hm_bytes(countersign, entity_countersign(by, q.u.bind.request, countersign));
  q.u.bind.has_supersedes = supersedes != NULL;
  if (supersedes != NULL)
    memcpy(q.u.bind.supersedes, supersedes, 32);
  return authority_ask(&end, &q, answer);
}

/* What entity would say of itself with a fresh challenge. */
static void describe(const struct test_entity *entity, const struct test_entity *of,
                     struct hm_binding_request *request)
{
  uint8_t challenge[16];
  authority_challenge(&end, challenge);
  entity_describe(entity, of, challenge, request);
}

static void a_host_and_its_camera_are_bound(void **state)
{
  (void)state;
  entity_bind(&end, &host, NULL);
  assert_int_equal(host.facts.class, HM_CLASS_A);
  assert_false(host.facts.has_bound_to);
  entity_bind(&end, &camera, &host);
  assert_int_equal(camera.facts.class, HM_CLASS_H);
  assert_memory_equal(camera.facts.bound_to, host.facts.lct, 32);
  assert_memory_equal(camera.facts.descriptors, camera.sign.signer.kid, 32);
  /* the certificate is the authority's, its content the entity's own */
  assert_memory_equal(camera.facts.agree, camera.agree.point, 64);
  assert_true(camera.facts.exp - camera.facts.nbf <= HM_BINDING_LIFE_MAX_S);
}

static void asking_again_gives_the_same_certificate(void **state)
{
  (void)state;
  struct hm_binding_request request;
  struct hm_auth_answer first, again;
  uint8_t kept[HM_CERTIFICATE_MAX];
  describe(&host, NULL, &request);
  assert_int_equal(bind_as(&host, &request, NULL, NULL, &first), HM_OK);
  size_t len = first.u.bind.binding.len;
  memcpy(kept, first.u.bind.binding.data, len);
  assert_int_equal(bind_as(&host, &request, NULL, NULL, &again), HM_OK);
  assert_int_equal(again.u.bind.binding.len, len);
  assert_memory_equal(again.u.bind.binding.data, kept, len);
}

static void a_challenge_is_good_once_and_only_if_given(void **state)
{
  (void)state;
  struct hm_binding_request request;
  struct hm_auth_answer a;
  uint8_t challenge[16] = {1, 2, 3};
  entity_describe(&host, NULL, challenge, &request);
  assert_int_equal(bind_as(&host, &request, NULL, NULL, &a), HM_REPLAY);
  assert_non_null(strstr(end.err.text, "challenge"));
  /* one that failed is used up */
  describe(&host, NULL, &request);
  struct hm_binding_request late = request;
  late.iat -= 1000;
  assert_int_equal(bind_as(&host, &late, NULL, NULL, &a), HM_STALE);
  assert_int_equal(bind_as(&host, &request, NULL, NULL, &a), HM_OK);
  /* one that was used is used up, for everybody */
  entity_describe(&camera, NULL, request.challenge, &late);
  assert_int_equal(bind_as(&camera, &late, NULL, NULL, &a), HM_REPLAY);
}

static void a_request_is_recent(void **state)
{
  (void)state;
  struct hm_binding_request request;
  struct hm_auth_answer a;
  describe(&host, NULL, &request);
  request.iat = now_s() + 400;
  assert_int_equal(bind_as(&host, &request, NULL, NULL, &a), HM_NOT_YET_VALID);
  request.iat = now_s() - 400;
  assert_int_equal(bind_as(&host, &request, NULL, NULL, &a), HM_STALE);
  assert_non_null(strstr(end.err.text, "300 s"));
}

static void keys_are_two_and_on_the_curve(void **state)
{
  (void)state;
  struct hm_binding_request request, bad;
  struct hm_auth_answer a;
  describe(&host, NULL, &request);
  bad = request;
  memcpy(bad.agree, bad.sign, 64);
  assert_int_not_equal(bind_as(&host, &bad, NULL, NULL, &a), HM_OK);
  assert_non_null(strstr(end.err.text, "are the same"));
  bad = request;
  bad.agree[63] ^= 1;
  assert_int_not_equal(bind_as(&host, &bad, NULL, NULL, &a), HM_OK);
  assert_non_null(strstr(end.err.text, "agreement key is not a point"));
  bad = request;
  bad.sign[63] ^= 1;
  assert_int_not_equal(bind_as(&host, &bad, NULL, NULL, &a), HM_OK);
  assert_non_null(strstr(end.err.text, "signing key is not a point"));
  /* signed by another key than the one it holds */
  assert_int_equal(bind_as(&camera, &request, NULL, NULL, &a), HM_BAD_SIGNATURE);
  assert_int_equal(bind_as(&host, &request, NULL, NULL, &a), HM_OK);
}

static void nobody_is_bound_twice(void **state)
{
  (void)state;
  struct hm_binding_request request;
  struct hm_auth_answer a;
  entity_bind(&end, &host, NULL);
  describe(&host, NULL, &request);
  assert_int_equal(bind_as(&host, &request, NULL, NULL, &a), HM_EXISTS);
  assert_non_null(strstr(end.err.text, "already bound"));
}

static void an_authority_and_impossible_classes_are_not_bound(void **state)
{
  (void)state;
  struct hm_binding_request request;
  struct hm_auth_answer a;
  describe(&host, NULL, &request);
  request.type = HM_ENTITY_AUTHORITY;
  assert_int_equal(hm_status_row(bind_as(&host, &request, NULL, NULL, &a))->exit_code, 4);
  request.type = HM_ENTITY_MODULE; /* class S only */
  assert_int_not_equal(bind_as(&host, &request, NULL, NULL, &a), HM_OK);
  struct hm_auth_question q = {.kind = HM_AUTH_CHALLENGE,
                               .u.challenge = {HM_CLASS_S, HM_ENTITY_MODULE}};
  assert_int_equal(authority_ask(&end, &q, &a), HM_UNSUPPORTED);
}

static void only_its_host_brings_a_camera(void **state)
{
  (void)state;
  struct test_entity other;
  struct hm_binding_request request;
  struct hm_auth_answer a;
  entity_draw(&other);
  describe(&camera, &host, &request);
  assert_int_equal(bind_as(&camera, &request, &host, NULL, &a), HM_NOT_FOUND);
  entity_bind(&end, &host, NULL);
  entity_bind(&end, &other, NULL);
  assert_int_equal(bind_as(&camera, &request, NULL, NULL, &a), HM_POLICY);
  assert_non_null(strstr(end.err.text, "countersignature"));
  assert_int_equal(bind_as(&camera, &request, &other, NULL, &a), HM_BAD_SIGNATURE);
  /* a countersignature over another request */
  struct hm_binding_request twin = request;
  uint8_t one[HM_SIGN1_MAX], two[HM_SIGN1_MAX], over_two[HM_SIGN1_MAX];
  twin.caps ^= HM_CAP_RECORDED;
  size_t two_len = entity_request(&camera, &twin, two);
  struct hm_auth_question q = {.kind = HM_AUTH_BIND};
  q.u.bind.request = hm_bytes(one, entity_request(&camera, &request, one));
  q.u.bind.has_countersign = true;
  q.u.bind.countersign =
      hm_bytes(over_two, entity_countersign(&host, hm_bytes(two, two_len), over_two));
  assert_int_equal(authority_ask(&end, &q, &a), HM_MISMATCH);
  /* a camera is no host for another camera */
  assert_int_equal(bind_as(&camera, &request, &host, NULL, &a), HM_OK);
  camera.facts.class = HM_CLASS_H;
  entity_draw(&other);
  describe(&other, &camera, &request);
  assert_int_equal(bind_as(&other, &request, &camera, NULL, &a), HM_POLICY);
  /* and a host needs no countersignature */
  describe(&other, NULL, &request);
  assert_int_equal(bind_as(&other, &request, &host, NULL, &a), HM_POLICY);
}

static void agreement_keys_rotate_and_nothing_else(void **state)
{
  (void)state;
  struct hm_binding_request request;
  struct hm_auth_answer a;
  struct test_entity fresh;
  uint8_t nothing[32] = {0};
  entity_bind(&end, &host, NULL);
  entity_draw(&fresh);
  describe(&host, NULL, &request);
  assert_int_equal(bind_as(&host, &request, NULL, host.facts.name, &a), HM_POLICY);
  memcpy(request.agree, fresh.agree.point, 64);
  assert_int_equal(bind_as(&host, &request, NULL, nothing, &a), HM_MISMATCH);
  struct hm_binding_request moved = request;
  moved.descriptors[0] ^= 1;
  assert_int_equal(bind_as(&host, &moved, NULL, host.facts.name, &a), HM_MISMATCH);
  assert_int_equal(bind_as(&host, &request, NULL, host.facts.name, &a), HM_OK);
  struct hm_entity facts;
  assert_int_equal(
      hm_binding_open(&hm_crypto_openssl, a.u.bind.binding, end.key, NULL, NULL, &facts), HM_OK);
  assert_true(facts.has_supersedes);
  assert_memory_equal(facts.supersedes, host.facts.name, 32);
  /* the old one is not the newest any more */
  describe(&host, NULL, &request);
  assert_int_equal(bind_as(&host, &request, NULL, host.facts.name, &a), HM_MISMATCH);
}

static enum hm_status revoke(const uint8_t name[32], struct hm_revocation *out)
{
  struct hm_auth_question q = {.kind = HM_AUTH_REVOKE};
  struct hm_auth_answer a;
  memcpy(q.u.revoke.certificate, name, 32);
  q.u.revoke.reason = HM_REASON_OPERATOR;
  HM_TRY(authority_ask(&end, &q, &a));
  return hm_revocation_open(&hm_crypto_openssl, a.u.revoke.revocation, end.key, out, NULL);
}

static void the_revoked_stay_out(void **state)
{
  (void)state;
  struct hm_binding_request request;
  struct hm_auth_answer a;
  struct hm_revocation v;
  entity_bind(&end, &host, NULL);
  entity_bind(&end, &camera, &host);
  assert_int_equal(revoke(camera.facts.lct, &v), HM_OK);
  describe(&camera, &host, &request);
  assert_int_equal(bind_as(&camera, &request, &host, NULL, &a), HM_REVOKED);
  assert_int_equal(revoke(host.facts.lct, &v), HM_OK);
  entity_draw(&camera);
  describe(&camera, &host, &request);
  assert_int_equal(bind_as(&camera, &request, &host, NULL, &a), HM_REVOKED);
  assert_non_null(strstr(end.err.text, "parent"));
}

static void a_restart_knows_what_was_known(void **state)
{
  (void)state;
  struct hm_binding_request request;
  struct hm_auth_answer a;
  struct hm_revocation v;
  entity_bind(&end, &host, NULL);
  entity_bind(&end, &camera, &host);
  assert_int_equal(revoke(camera.facts.name, &v), HM_OK);
  authority_stop(&end);
  authority_serve(&end);
  describe(&host, NULL, &request);
  assert_int_equal(bind_as(&host, &request, NULL, NULL, &a), HM_EXISTS);
  struct test_entity second;
  entity_draw(&second);
  entity_bind(&end, &second, &host);
  assert_int_equal(revoke(second.facts.lct, &v), HM_OK);
  assert_int_equal(v.number, 2);
  assert_true(v.has_previous);
}

/* Fill the table of challenges: the oldest gives way, the newest works. */
static void challenges_are_bounded(void **state)
{
  (void)state;
  struct hm_binding_request first, last;
  struct hm_auth_answer a;
  describe(&host, NULL, &first);
  for (int i = 0; i < 70; i++)
    describe(&host, NULL, &last);
  /* over 100 messages a second end a connection; this test stays below by two */
  authority_stop(&end);
  authority_serve(&end);
  assert_int_equal(bind_as(&host, &first, NULL, NULL, &a), HM_REPLAY);
}

int main(void)
{
#define WITH_AUTHORITY(test) cmocka_unit_test_setup_teardown(test, begin, finish)
  const struct CMUnitTest tests[] = {
      WITH_AUTHORITY(a_host_and_its_camera_are_bound),
      WITH_AUTHORITY(asking_again_gives_the_same_certificate),
      WITH_AUTHORITY(a_challenge_is_good_once_and_only_if_given),
      WITH_AUTHORITY(a_request_is_recent),
      WITH_AUTHORITY(keys_are_two_and_on_the_curve),
      WITH_AUTHORITY(nobody_is_bound_twice),
      WITH_AUTHORITY(an_authority_and_impossible_classes_are_not_bound),
      WITH_AUTHORITY(only_its_host_brings_a_camera),
      WITH_AUTHORITY(agreement_keys_rotate_and_nothing_else),
      WITH_AUTHORITY(the_revoked_stay_out),
      WITH_AUTHORITY(a_restart_knows_what_was_known),
      WITH_AUTHORITY(challenges_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

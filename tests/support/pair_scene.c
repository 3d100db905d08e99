/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/pair_scene.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

struct cast cast;
struct scene scene;
const uint8_t scene_random[2][48] = {{0x0a, 1}, {0x0b, 2}};

int scene_cast(void **state)
{
  (void)state;
  party_make(&cast.authority, 1, NULL);
  party_make(&cast.a, 2, &cast.authority);
  party_make(&cast.b, 3, &cast.authority);
  party_make(&cast.mallory, 4, &cast.authority);
  return 0;
}

static uint64_t last_iat(void *store, const uint8_t peer[32], uint64_t context)
{
  (void)peer;
  assert_int_equal(context, HM_CONTEXT_DRIVE);
  return ((struct scene *)store)->last_iat;
}

static bool is_burnt(void *store, const uint8_t name[32])
{
  struct scene *s = store;
  return s->knows_burnt && memcmp(s->burnt, name, 32) == 0;
}

static const struct hm_pair_memory memory = {&scene, last_iat, is_burnt};

const struct party *scene_party(int role)
{
  return role == 0 ? &cast.a : &cast.b;
}

void scene_begin_side(int role, bool is_pinned)
{
  struct hm_pair_setup setup = {.role = (uint8_t)role,
                                .has_peer = true,
                                .is_pinned = is_pinned,
                                .node = {HM_NODE_HOST, HM_NODE_HOST}};
  memcpy(setup.own, scene_party(role)->signer.kid, 32);
  memcpy(setup.peer, scene_party(1 - role)->signer.kid, 32);
  memcpy(setup.authority, cast.authority.signer.point, 64);
  hm_pair_begin(&scene.side[role], &setup);
}

/* Two idle sides and a good certificate. */
void scene_set(void)
{
  struct hm_policy policy;
  struct hm_issue_random random;
  memset(&scene, 0, sizeof scene);
  scene_begin_side(0, true);
  scene_begin_side(1, true);
  party_policy(cast.a.signer.kid, cast.b.signer.kid, &policy);
  party_issue_random(1, &random);
  party_issue(&cast.authority, &cast.a, &cast.b, &policy, 0, &random, &scene.issued);
}

struct hm_out scene_buffer(int role)
{
  return hm_out(scene.buffer[role], sizeof scene.buffer[role]);
}

void scene_ask(uint64_t now_ms)
{
  struct hm_pairing_request wishes;
  struct hm_out out = scene_buffer(0);
  party_wishes(cast.a.signer.kid, cast.b.signer.kid, &wishes);
  assert_int_equal(hm_pair_ask(&scene.side[0], engine, &cast.a.signer, &wishes, now_ms, &out),
                   HM_OK);
  assert_int_equal(
      hm_pairing_request_open(engine, hm_out_bytes(&out), cast.a.signer.point, &wishes, NULL),
      HM_OK);
}

/* P2 to one side; out gets P3 where role is 0. */
enum hm_status scene_give_set(int role, struct hm_out *out)
{
  struct hm_times times = {
      .now = PARTY_NOW + 5, .quality = HM_QUALITY_AUTHORITY, .floor = PARTY_NOW};
  struct hm_issued *issued = &scene.issued;
  struct hm_pair_set set = {
      .certificate = hm_bytes(issued->certificate, issued->certificate_len),
      .section = hm_bytes(issued->section[role], issued->section_len[role]),
      .handshake = hm_bytes(issued->handshake, issued->handshake_len),
      .peer = &scene_party(1 - role)->entity,
      .agreement = scene_party(role)->agreement,
      .random = scene_random[role],
      .times = &times,
      .memory = &memory,
  };
  return hm_pair_take_set(&scene.side[role], engine, &set, 1000, out);
}

/* Run both sides up to and including a state; the last message stays in buffer. */
struct hm_bytes scene_play_to(enum hm_pair_state state)
{
  struct hm_out p3 = scene_buffer(0), p4 = scene_buffer(1);
  scene_ask(0);
  assert_int_equal(scene_give_set(0, &p3), HM_OK);
  assert_int_equal(scene_give_set(1, &p4), HM_OK);
  if (state == HM_PAIR_ISSUED)
    return hm_out_bytes(&p3);
  assert_int_equal(
      hm_pair_take_half(&scene.side[1], engine, &cast.b.signer, hm_out_bytes(&p3), 2000, &p4),
      HM_OK);
  struct hm_out p6 = scene_buffer(0);
  assert_int_equal(
      hm_pair_take_half(&scene.side[0], engine, &cast.a.signer, hm_out_bytes(&p4), 2000, &p6),
      HM_OK);
  if (state == HM_PAIR_HANDSHAKE_OPEN)
    return hm_out_bytes(&p6);
  struct hm_out p7 = scene_buffer(1), none = hm_out(NULL, 0);
  assert_int_equal(hm_pair_take_completion(&scene.side[1], engine, hm_out_bytes(&p6), 3000, &p7),
                   HM_OK);
  assert_int_equal(hm_pair_take_completion(&scene.side[0], engine, hm_out_bytes(&p7), 3000, &none),
                   HM_OK);
  assert_int_equal(none.len, 0);
  if (state == HM_PAIR_VERIFIED)
    return hm_out_bytes(&p7);

  struct hm_policy policy;
  struct hm_bytes completions[2];
  uint8_t names[2][32];
  party_policy(cast.a.signer.kid, cast.b.signer.kid, &policy);
  assert_int_equal(hm_pair_completions(&scene.side[0], completions), HM_OK);
  assert_int_equal(hm_pairing_judge(engine, &policy, cast.a.signer.point, cast.b.signer.point,
                                    completions, names),
                   HM_OK);
  struct hm_bytes receipt = party_receipt(&cast.authority, &scene.issued, cast.b.signer.kid, names,
                                          false, false, scene.buffer[0]);
  assert_int_equal(hm_pair_take_receipt(&scene.side[0], engine, receipt, 4000), HM_OK);
  assert_int_equal(hm_pair_take_receipt(&scene.side[1], engine, receipt, 4000), HM_OK);
  return receipt;
}

bool scene_is_zero(const void *data, size_t len)
{
  const uint8_t *p = data;
  for (size_t i = 0; i < len; i++)
    if (p[i] != 0)
      return false;
  return true;
}

void scene_assert_ended(const struct hm_pair *pair, enum hm_pair_state state)
{
  uint8_t secret[32];
  assert_int_equal(pair->state, state);
  assert_true(scene_is_zero(&pair->secret, sizeof pair->secret));
  assert_true(scene_is_zero(pair->pairing_secret, sizeof pair->pairing_secret));
  assert_true(scene_is_zero(pair->half_message, sizeof pair->half_message));
  assert_int_equal(pair->deadline_ms, 0);
  assert_int_equal(hm_pair_secret(pair, secret), HM_STATE);
}

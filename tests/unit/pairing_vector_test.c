/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One whole pairing with fixed keys and randomness, byte for byte as in
 * tests/vectors/pairing.txt: every message and every secret. tests/spec/pairing.py
 * computes the same file's secrets from the specification alone. Where the formats
 * are changed on purpose, HM_VECTORS=FILE makes this program write the new ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/support/folder.h"
#include "tests/support/pair_scene.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

static char text[32768];
static size_t text_len;

/* "name hex" and a line feed. */
static void say(const char *name, const void *data, size_t len)
{
  const uint8_t *bytes = data;
  assert_true(text_len + 2 * len + 64 < sizeof text);
  text_len += (size_t)sprintf(text + text_len, "%s ", name);
  for (size_t i = 0; i < len; i++)
    text_len += (size_t)sprintf(text + text_len, "%02x", bytes[i]);
  text[text_len++] = '\n';
  text[text_len] = '\0';
}

static void say_bytes(const char *name, struct hm_bytes bytes)
{
  say(name, bytes.data, bytes.len);
}

static void say_party(const char *who, const struct party *party)
{
  char name[64];
  snprintf(name, sizeof name, "%s.sign_scalar", who);
  say(name, party->key.scalar, 32);
  snprintf(name, sizeof name, "%s.sign_point", who);
  say(name, party->signer.point, 64);
  snprintf(name, sizeof name, "%s.lct", who);
  say(name, party->signer.kid, 32);
  snprintf(name, sizeof name, "%s.agreement_scalar", who);
  say(name, party->agreement, 32);
}

static void say_request(void)
{
  uint8_t request[1024];
  struct hm_pairing_request wishes;
  struct hm_out out = hm_out(request, sizeof request);
  party_wishes(cast.a.signer.kid, cast.b.signer.kid, &wishes);
  assert_int_equal(hm_pairing_request_make(engine, &cast.a.signer, &wishes, &out), HM_OK);
  say_bytes("p1.request", hm_out_bytes(&out));
}

static void say_record_keys(const struct hm_pair *pair)
{
  for (uint8_t dir = 0; dir < 2; dir++) {
    struct hm_record_use use = {.protection = 2, .dir = dir, .kid = pair->kid, .epoch = 1};
    struct hm_record_key key;
    memcpy(use.context, pair->transcript, 32);
    assert_int_equal(hm_schedule_record(engine, pair->pairing_secret, &use, &key), HM_OK);
    say(dir == 0 ? "record_key.a" : "record_key.b", &key, HM_RECORD_KEY);
  }
}

static void say_secrets(const struct hm_pair *pair)
{
  uint8_t shake[32];
  say("seed", pair->secret.seed, 32);
  say("half.a", pair->secret.half[0], 32);
  say("half.b", pair->secret.half[1], 32);
  say("seed_key.a", &pair->secret.seed_key[0], HM_RECORD_KEY);
  say("seed_key.b", &pair->secret.seed_key[1], HM_RECORD_KEY);
  assert_int_equal(hm_schedule_handshake(engine, pair->policy_hash, pair->secret.half[0],
                                         pair->secret.half[1], shake),
                   HM_OK);
  say("k_shake", shake, 32);
  say("nonce", pair->nonce, 16);
  say("transcript", pair->transcript, 32);
  say("l", pair->secret.shared, 32);
  say("ps", pair->pairing_secret, 32);
  say("confirm.a", pair->confirm[0], 16);
  say("confirm.b", pair->confirm[1], 16);
  say_record_keys(pair);
}

static void play(void)
{
  const struct hm_pair *a = &scene.side[0];
  scene_set();
  say_party("authority", &cast.authority);
  say_party("a", &cast.a);
  say_party("b", &cast.b);
  say("a.random", scene_random[0], 48);
  say("b.random", scene_random[1], 48);
  say_request();
  say("p2.certificate", scene.issued.certificate, scene.issued.certificate_len);
  say("p2.section_a", scene.issued.section[0], scene.issued.section_len[0]);
  say("p2.section_b", scene.issued.section[1], scene.issued.section_len[1]);
  say("p2.handshake", scene.issued.handshake, scene.issued.handshake_len);
  (void)scene_play_to(HM_PAIR_VERIFIED);
  say("p3", a->half_message[0], HM_PAIR_HALF);
  say("p4", a->half_message[1], HM_PAIR_HALF);
  say("p6", a->completion[0], a->completion_len[0]);
  say("p7", a->completion[1], a->completion_len[1]);
  say("name", a->name, 32);
  say("policy_hash", a->policy_hash, 32);
  say_secrets(a);
  uint8_t receipt[1024];
  uint8_t names[2][32];
  memcpy(names, a->completion_name, sizeof names);
  say_bytes("p9", party_receipt(&cast.authority, &scene.issued, cast.b.signer.kid, names, false,
                                false, receipt));
}

static void a_pairing_is_the_published_one(void **state)
{
  (void)state;
  play();
  const char *out = getenv("HM_VECTORS");
  if (out != NULL)
    file_write(out, (const uint8_t *)text, text_len);
  size_t len;
  uint8_t *published = file_read(HM_TEST_DATA "/vectors/pairing.txt", &len);
  assert_int_equal(len, text_len);
  assert_memory_equal(published, text, len);
  free(published);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_pairing_is_the_published_one),
  };
  return cmocka_run_group_tests(tests, scene_cast, NULL);
}

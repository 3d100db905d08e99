/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The pairing machine in each of its states, given arbitrary messages. Whatever comes:
 * it is taken, or nothing has changed, or the pairing has failed and is erased.
 *
 * Input: which state, which kind of message, the message. Keys and randomness of the
 * scene are fixed, so the corpus holds messages that are taken.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/pair_scene.h"
#include "trust/crypto_openssl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hm_crypto *const engine = &hm_crypto_openssl;

enum { NOW_MS = 5000 };

/* One side in one state; copies stand alone, since the machine has no pointers. */
static struct hm_pair snapshots[9];
static size_t snapshot_count;

static void insist(bool claim, const char *what)
{
  if (claim)
    return;
  fprintf(stderr, "broken: %s\n", what);
  abort();
}

static void keep(int role)
{
  insist(snapshot_count < sizeof snapshots / sizeof snapshots[0], "room for every state");
  snapshots[snapshot_count++] = scene.side[role];
}

static void prepare(void)
{
  static const enum hm_pair_state states[] = {HM_PAIR_ISSUED, HM_PAIR_HANDSHAKE_OPEN,
                                              HM_PAIR_VERIFIED};
  void *nothing = NULL;
  insist(scene_cast(&nothing) == 0, "a cast");
  scene_set();
  keep(1);
  scene_ask(0);
  keep(0);
  for (size_t i = 0; i < 3; i++) {
    scene_set();
    (void)scene_play_to(states[i]);
    keep(0);
    keep(1);
  }
  scene_set();
  (void)scene_play_to(HM_PAIR_COMPLETE);
  keep(0);
}

static enum hm_status take(struct hm_pair *pair, unsigned kind, struct hm_bytes message,
                           struct hm_out *out)
{
  const struct hm_signer *own = &scene_party(pair->setup.role)->signer;
  switch (kind % 4) {
  case 0:
    scene.side[pair->setup.role] = *pair;
    scene.issued.certificate_len = message.len < sizeof scene.issued.certificate ? message.len : 0;
    memcpy(scene.issued.certificate, message.data, scene.issued.certificate_len);
    enum hm_status status = scene_give_set(pair->setup.role, out);
    *pair = scene.side[pair->setup.role];
    return status;
  case 1:
    return hm_pair_take_half(pair, engine, own, message, NOW_MS, out);
  case 2:
    return hm_pair_take_completion(pair, engine, message, NOW_MS, out);
  default:
    return hm_pair_take_receipt(pair, engine, message, NOW_MS);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (snapshot_count == 0)
    prepare();
  if (size < 2)
    return 0;
  const struct hm_pair *before = &snapshots[data[0] % snapshot_count];
  struct hm_pair after = *before;
  uint8_t answer[1024];
  struct hm_out out = hm_out(answer, sizeof answer);
  enum hm_status status = take(&after, data[1], hm_bytes(data + 2, size - 2), &out);
  if (status == HM_OK)
    return 0;
  insist(out.len == 0, "no answer to what is refused");
  if (after.state == before->state) {
    insist(memcmp(&after.secret, &before->secret, sizeof after.secret) == 0 &&
               memcmp(after.pairing_secret, before->pairing_secret, 32) == 0 &&
               after.deadline_ms == before->deadline_ms,
           "nothing has changed");
    return 0;
  }
  insist(after.state == HM_PAIR_FAILED, "failed");
  insist(scene_is_zero(&after.secret, sizeof after.secret) &&
             scene_is_zero(after.pairing_secret, sizeof after.pairing_secret),
         "erased");
  return 0;
}

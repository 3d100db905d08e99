/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Both sides of one pairing in this process, played message by message.
 */
#ifndef HM_TESTS_PAIR_SCENE_H
#define HM_TESTS_PAIR_SCENE_H

#include "tests/support/parties.h"

/* The authority, two entities that pair, and a third that would like to. */
struct cast {
  struct party authority, a, b, mallory;
};
extern struct cast cast;

/* Both sides, the certificate between them, what they remember, messages in flight. */
struct scene {
  struct hm_pair side[2];
  struct hm_issued issued;
  uint64_t last_iat;
  bool knows_burnt;
  uint8_t burnt[32];
  uint8_t buffer[2][1024];
};
extern struct scene scene;

/* What each side's ephemeral is made from. */
extern const uint8_t scene_random[2][48];

/* Group setup of cmocka: make the cast. */
int scene_cast(void **state);
/* Two idle, pinned sides and a good certificate. */
void scene_set(void);
void scene_begin_side(int role, bool is_pinned);
const struct party *scene_party(int role);
struct hm_out scene_buffer(int role);
/* P1 by A; the request is opened as the authority would. */
void scene_ask(uint64_t now_ms);
/* P2 to one side; out gets P3 where role is 0. */
enum hm_status scene_give_set(int role, struct hm_out *out);
/* Run both sides up to and including a state; the last message stays in a buffer. */
struct hm_bytes scene_play_to(enum hm_pair_state state);
/* The side has ended so: no secret, no deadline. */
void scene_assert_ended(const struct hm_pair *pair, enum hm_pair_state state);
bool scene_is_zero(const void *data, size_t len);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The daemon's end of gate.sock, driven step by step by a test in the same process:
 * it listens on a socket of its own, accepts one connection at a time, and says what
 * the test wants said, through the real codec.
 */
#ifndef HM_TESTS_GATE_END_H
#define HM_TESTS_GATE_END_H

#include "sensors/gate.h"

struct gate_end {
  char folder[64];
  char path[108];
  int listener, fd;
  uint8_t packet[HM_GATE_PACKET];
  struct hm_gate_message in; /* what was heard last */
};

enum { GATE_END_NOTHING = 0, GATE_END_GONE = -1, GATE_END_BROKEN = -2 };

/* Listen in a new folder under /tmp; exits the test on failure. */
void gate_end_listen(struct gate_end *end);
/* Close everything and remove the folder. */
void gate_end_close(struct gate_end *end);
/* Close the connection only. */
void gate_end_hang_up(struct gate_end *end);
/* Wait up to ms for a connection and its HELLO; true if it came. Does not accept it. */
bool gate_end_greet(struct gate_end *end, int ms);
/* Take the next connection of `listening` into `end`, with its HELLO; true if it came. */
bool gate_end_take(struct gate_end *listening, struct gate_end *end, int ms);
/* greet, then ACK 0. */
bool gate_end_accept(struct gate_end *end, int ms);
/* Wait up to ms for a packet: its kind in `in`, or one of GATE_END_*. */
int gate_end_hear(struct gate_end *end, int ms);
/* Hear until that kind comes (others are passed over); false after ms. */
bool gate_end_hear_kind(struct gate_end *end, enum hm_gate_kind kind, int ms);
bool gate_end_say(struct gate_end *end, const struct hm_gate_message *m);
bool gate_end_say_raw(struct gate_end *end, const void *data, size_t len);

/* Answer a nonce: these contexts, or none with a reason. */
bool gate_end_grant(struct gate_end *end, const uint8_t nonce[HM_NONCE], const uint16_t *contexts,
                    uint32_t count, enum hm_gate_reason reason);
bool gate_end_revoke(struct gate_end *end, const uint16_t *contexts, uint32_t count);
bool gate_end_error(struct gate_end *end, enum hm_status status, const char *text);
/* Hear the next ASK and grant these contexts. */
bool gate_end_open(struct gate_end *end, const uint16_t *contexts, uint32_t count);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The client's end of gate.sock: one connection, packets in and out, never
 * blocking. Not safe against itself from two threads: its owner has the lock.
 */
#ifndef HM_SENSORS_GATE_LINK_H
#define HM_SENSORS_GATE_LINK_H

#include "sensors/gate.h"

enum { HM_GATE_RETRY_FIRST_MS = 100, HM_GATE_RETRY_MOST_MS = 5000 };

struct hm_gate_link {
  int fd; /* -1: closed */
  uint8_t packet[HM_GATE_PACKET + 1];
};

void hm_gate_link_init(struct hm_gate_link *link);

/* Connect and say HELLO. HM_TOO_LARGE: path over 107 bytes; HM_UNREACHABLE: nobody
 * listens; HM_DENIED: no right to the socket; HM_FULL: no descriptor or memory. */
enum hm_status HM_MUST_CHECK hm_gate_link_open(struct hm_gate_link *link, const char *path,
                                               enum hm_gate_role role, const char *sensor);
void hm_gate_link_close(struct hm_gate_link *link);
/* Close so that what was said is heard: say no more, take what still comes until the
 * daemon closes too, at most ms. Closing over unread packets would reset the
 * connection, and the daemon might lose our last ones with it. */
void hm_gate_link_finish(struct hm_gate_link *link, int ms);

/* Encode and send one packet. HM_FULL: the daemon does not read now; HM_UNREACHABLE:
 * it is gone; what hm_gate_encode refuses. */
enum hm_status HM_MUST_CHECK hm_gate_link_say(struct hm_gate_link *link,
                                              const struct hm_gate_message *m);

/* Take one packet; views point into the link until the next call. HM_NOT_FOUND:
 * none is there; HM_UNREACHABLE: the daemon is gone; what hm_gate_decode refuses. */
enum hm_status HM_MUST_CHECK hm_gate_link_hear(struct hm_gate_link *link,
                                               struct hm_gate_message *m);

/* The next wait after this one: doubled, up to HM_GATE_RETRY_MOST_MS. */
uint32_t hm_gate_retry_ms(uint32_t last_ms);

#endif

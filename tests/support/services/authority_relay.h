/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A relay between hallmarkd and its authority, in a process of its own. It passes
 * everything on but shows the test every answer to a pairing, and holds the receipt
 * (P9) back until it is told to let go.
 */
#ifndef HM_TESTS_AUTHORITY_RELAY_H
#define HM_TESTS_AUTHORITY_RELAY_H

#include <sys/types.h>

#include "services/authproto.h"

struct relay {
  pid_t pid;
  int shown;   /* packets that the relay shows */
  int release; /* one byte lets the receipt go */
};

/* Listen at front, speak to the authority at back. */
void relay_start(struct relay *relay, const char *front, const char *back);
/* The next answer shown, of this kind, within ms; fails the test otherwise. The views
 * of answer point into packet. */
void relay_show(struct relay *relay, enum hm_auth_kind kind, int ms,
                uint8_t packet[HM_AUTH_MESSAGE_MAX], struct hm_auth_answer *answer);
void relay_let_go(struct relay *relay);
void relay_stop(struct relay *relay);

#endif

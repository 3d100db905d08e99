/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One side of a pairing in a process of its own, driven over a socket pair: the test
 * is the network, the clock and the authority.
 */
#ifndef HM_TESTS_PAIR_PROCESS_H
#define HM_TESTS_PAIR_PROCESS_H

#include <sys/types.h>

#include "tests/support/parties.h"

enum pair_order_kind {
  PAIR_ASK,
  PAIR_SET,
  PAIR_HALF,
  PAIR_COMPLETION,
  PAIR_RECEIPT,
  PAIR_TICK,
  PAIR_QUIT
};

/* What the process is told to do. */
struct pair_order {
  enum pair_order_kind kind;
  uint64_t now_ms;
  struct hm_entity peer; /* SET */
  uint8_t random[48];    /* SET */
  size_t len[3];         /* SET: certificate, section, handshake; others: the message */
  uint8_t bytes[4096];
};

/* What became of it. */
struct pair_answer {
  enum hm_status status;
  enum hm_pair_state state;
  bool is_pinned, is_burnt;
  bool handshake_is_erased, secret_is_erased;
  uint8_t secret_hash[32]; /* SHA-256 of PS, where keys are live */
  size_t out_len, repeat_len;
  uint8_t out[1024], repeat[512];
  size_t completion_len[2]; /* where both are there */
  uint8_t completion[2][HM_PAIR_COMPLETION_MAX];
};

struct pair_process {
  pid_t pid;
  int fd;
};

/* Fork a process that is party in setup's role. wishes is what it asks for (role A). */
void pair_process_start(struct pair_process *process, const struct party *party,
                        const struct hm_pair_setup *setup, const struct hm_pairing_request *wishes);
/* Give an order and wait for the answer; the order is wiped. */
void pair_process_tell(const struct pair_process *process, struct pair_order *order,
                       struct pair_answer *answer);
/* End it; it has to end by itself and well. */
void pair_process_stop(struct pair_process *process);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/pair_process.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

/* ---- in the process ------------------------------------------------------------------ */

static uint64_t nothing_before(void *store, const uint8_t peer[32], uint64_t context)
{
  (void)store;
  (void)peer;
  (void)context;
  return 0;
}

static bool nothing_burnt(void *store, const uint8_t name[32])
{
  (void)store;
  (void)name;
  return false;
}

static bool is_zero(const void *data, size_t len)
{
  const uint8_t *p = data;
  uint8_t any = 0;
  for (size_t i = 0; i < len; i++)
    any |= p[i];
  return any == 0;
}

static enum hm_status take_set(struct hm_pair *pair, const struct party *party,
                               const struct pair_order *order, struct hm_out *out)
{
  static const struct hm_pair_memory memory = {NULL, nothing_before, nothing_burnt};
  const uint8_t *section = order->bytes + order->len[0];
  struct hm_pair_set set = {
      .certificate = hm_bytes(order->bytes, order->len[0]),
      .section = hm_bytes(section, order->len[1]),
      .handshake = hm_bytes(section + order->len[1], order->len[2]),
      .peer = &order->peer,
      .agreement = party->agreement,
      .random = order->random,
      .memory = &memory,
  };
  return hm_pair_take_set(pair, engine, &set, order->now_ms, out);
}

static enum hm_status obey(struct hm_pair *pair, const struct party *party,
                           const struct hm_pairing_request *wishes, const struct pair_order *order,
                           struct hm_out *out)
{
  struct hm_bytes message = hm_bytes(order->bytes, order->len[0]);
  switch (order->kind) {
  case PAIR_ASK:
    return hm_pair_ask(pair, engine, &party->signer, wishes, order->now_ms, out);
  case PAIR_SET:
    return take_set(pair, party, order, out);
  case PAIR_HALF:
    return hm_pair_take_half(pair, engine, &party->signer, message, order->now_ms, out);
  case PAIR_COMPLETION:
    return hm_pair_take_completion(pair, engine, message, order->now_ms, out);
  case PAIR_RECEIPT:
    return hm_pair_take_receipt(pair, engine, message, order->now_ms);
  case PAIR_TICK:
    (void)hm_pair_tick(pair, order->now_ms);
    return HM_OK;
  case PAIR_QUIT:
    break;
  }
  return HM_STATE;
}

static void report(const struct hm_pair *pair, struct pair_answer *answer)
{
  answer->state = pair->state;
  answer->is_pinned = pair->is_pinned;
  answer->is_burnt = pair->is_burnt;
  answer->handshake_is_erased = is_zero(&pair->secret, sizeof pair->secret) &&
                                is_zero(pair->half_message, sizeof pair->half_message);
  answer->secret_is_erased = is_zero(pair->pairing_secret, sizeof pair->pairing_secret);
  uint8_t secret[32];
  struct hm_bytes part = hm_bytes(secret, sizeof secret);
  if (hm_pair_secret(pair, secret) != HM_OK ||
      engine->sha256(&part, 1, answer->secret_hash) != HM_OK)
    memset(answer->secret_hash, 0, 32);
  hm_wipe(secret, sizeof secret);

  struct hm_bytes repeat = hm_pair_repeat(pair), completion[2];
  answer->repeat_len = repeat.len;
  if (repeat.len > 0)
    memcpy(answer->repeat, repeat.data, repeat.len);
  if (hm_pair_completions(pair, completion) != HM_OK)
    return;
  for (int role = 0; role < 2; role++) {
    answer->completion_len[role] = completion[role].len;
    memcpy(answer->completion[role], completion[role].data, completion[role].len);
  }
}

/* No assertion in here: it would jump into the test program's copy. */
static int serve(int fd, const struct party *party, const struct hm_pair_setup *setup,
                 const struct hm_pairing_request *wishes)
{
  static struct pair_order order;
  static struct pair_answer answer;
  static struct hm_pair pair;
  hm_pair_begin(&pair, setup);
  for (;;) {
    ssize_t got = recv(fd, &order, sizeof order, 0);
    if (got != sizeof order)
      return 1;
    if (order.kind == PAIR_QUIT)
      return 0;
    memset(&answer, 0, sizeof answer);
    struct hm_out out = hm_out(answer.out, sizeof answer.out);
    answer.status = obey(&pair, party, wishes, &order, &out);
    answer.out_len = out.len;
    hm_wipe(&order, sizeof order);
    report(&pair, &answer);
    if (send(fd, &answer, sizeof answer, 0) != sizeof answer)
      return 2;
  }
}

/* ---- in the test ------------------------------------------------------------------------ */

void pair_process_start(struct pair_process *process, const struct party *party,
                        const struct hm_pair_setup *setup, const struct hm_pairing_request *wishes)
{
  int ends[2];
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
  process->pid = fork();
  assert_true(process->pid >= 0);
  if (process->pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[0]);
    _exit(serve(ends[1], party, setup, wishes));
  }
  close(ends[1]);
  process->fd = ends[0];
}

void pair_process_tell(const struct pair_process *process, struct pair_order *order,
                       struct pair_answer *answer)
{
  assert_int_equal(send(process->fd, order, sizeof *order, 0), sizeof *order);
  hm_wipe(order, sizeof *order);
  assert_int_equal(recv(process->fd, answer, sizeof *answer, 0), sizeof *answer);
}

void pair_process_stop(struct pair_process *process)
{
  /* An order, since a sibling process may hold a copy of this end: no end of file. */
  static const struct pair_order quit = {.kind = PAIR_QUIT};
  int status = -1;
  assert_int_equal(send(process->fd, &quit, sizeof quit, 0), sizeof quit);
  close(process->fd);
  assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
  assert_int_equal(status, 0);
}

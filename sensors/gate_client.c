/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Invariants, all under `lock`:
 *   - only the client's own thread opens and closes the link; whoever sees that the
 *     daemon is gone shuts the lease and sets is_lost, so no descriptor changes its
 *     meaning under a poll;
 *   - a number is given only while the lease is open, and in_flight until leave;
 *   - answers[] are the CLOSEDs owed, in order, sent only while nothing is in flight.
 * The daemon's words are believed only after it accepted HELLO by ACK.
 */
#include "sensors/gate_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "sensors/gate_link.h"

enum { ANSWERS = 16, PACKETS_A_TURN = 64, FINISH_MS = 300 };

struct answer {
  uint32_t count;
  uint16_t contexts[HM_GATE_CONTEXTS];
  enum hm_gate_reason reason;
};

struct hm_gate_client {
  char socket[HM_GATE_PATH + 1];
  char sensor[HM_GATE_NAME + 1];
  void (*changed)(void *user, struct hm_gate_client *client);
  void *user;

  pthread_t thread;
  int wake; /* eventfd: something changed that the thread must look at */
  pthread_mutex_t lock;
  pthread_cond_t opened; /* the lease opened, or interrupted */

  struct hm_gate_link link;
  bool is_accepted, is_lost, is_stopping, is_interrupted, in_flight, is_changed;
  uint64_t retry_ns;
  uint32_t retry_ms;

  struct hm_lease lease;
  enum hm_gate_reason refusal; /* of the last ERROR; OPEN: none */
  char text[HM_GATE_TEXT + 1];
  uint64_t last_frame;
  uint64_t passed, dropped[HM_GATE_DROPS];           /* in the client's life */
  uint64_t told_passed, told_dropped[HM_GATE_DROPS]; /* of those before this HELLO */
  struct answer answers[ANSWERS];
  uint32_t answer_count;
  struct hm_gate_message in, out; /* scratch of the lock's holder */
};

static uint64_t boottime_ns(void)
{
  struct timespec t;

  if (clock_gettime(CLOCK_BOOTTIME, &t) != 0)
    abort(); /* Linux has had it since 2.6.39: a kernel without it is not ours to run on */
  return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static void wake(struct hm_gate_client *c)
{
  uint64_t one = 1;
  ssize_t ignored = write(c->wake, &one, sizeof one); /* full means it is awake already */

  (void)ignored;
}

/* Call `changed` for what the last holder of the lock changed; without the lock. */
static void unlock_and_tell(struct hm_gate_client *c)
{
  bool is_changed = c->is_changed;

  c->is_changed = false;
  pthread_mutex_unlock(&c->lock);
  if (is_changed && c->changed != NULL)
    c->changed(c->user, c);
}

/* ---- shutting and answering ------------------------------------------------------ */

static void note(struct hm_gate_client *c, enum hm_lease_state was, enum hm_gate_reason why)
{
  if (c->lease.state != was || c->lease.reason != why)
    c->is_changed = true;
  if (c->lease.state == HM_LEASE_OPEN && was != HM_LEASE_OPEN)
    pthread_cond_broadcast(&c->opened);
}

static void lost(struct hm_gate_client *c)
{
  enum hm_lease_state was = c->lease.state;
  enum hm_gate_reason why = c->lease.reason;

  c->is_lost = true;
  c->is_accepted = false;
  c->answer_count = 0;
  hm_lease_shut(&c->lease, c->refusal != HM_GATE_OPEN ? c->refusal : HM_GATE_DAEMON_GONE);
  note(c, was, why);
  wake(c);
}

static bool is_up(const struct hm_gate_client *c)
{
  return c->link.fd >= 0 && !c->is_lost;
}

/* Anything but HM_OK means that the daemon does not read or is gone: with the
 * connection the daemon's belief that the gate is open ends as well. */
static void say(struct hm_gate_client *c)
{
  if (is_up(c) && hm_gate_link_say(&c->link, &c->out) != HM_OK)
    lost(c);
}

static void send_answers(struct hm_gate_client *c)
{
  if (c->in_flight)
    return;
  for (uint32_t i = 0; i < c->answer_count && is_up(c); i++) {
    const struct answer *answer = &c->answers[i];

    memset(&c->out, 0, sizeof c->out);
    c->out.kind = HM_GATE_CLOSED;
    c->out.u.closed.count = answer->count;
    memcpy(c->out.u.closed.contexts, answer->contexts, sizeof answer->contexts);
    c->out.u.closed.last_frame = c->last_frame;
    c->out.u.closed.reason = answer->reason;
    say(c);
  }
  c->answer_count = 0;
}

static void owe(struct hm_gate_client *c, uint32_t count, const uint16_t *contexts,
                enum hm_gate_reason reason)
{
  struct answer *answer;

  if (c->answer_count == ANSWERS) { /* a daemon that asks faster than frames move */
    lost(c);
    return;
  }
  answer = &c->answers[c->answer_count++];
  answer->count = count;
  memcpy(answer->contexts, contexts, count * sizeof contexts[0]);
  answer->reason = reason;
  send_answers(c);
}

/* Owe a CLOSED for the first `count` grants, which are or were the open ones. */
static void owe_grants(struct hm_gate_client *c, uint32_t count, enum hm_gate_reason reason)
{
  uint16_t contexts[HM_GATE_CONTEXTS] = {0};

  for (uint32_t i = 0; i < count; i++)
    contexts[i] = (uint16_t)c->lease.grants[i].context;
  owe(c, count, contexts, reason);
}

/* Is the lease open now? Shuts, tells and answers when it ran out. */
static bool is_open(struct hm_gate_client *c, uint64_t now_ns)
{
  uint32_t count = c->lease.count; /* shutting leaves the grants themselves in place */
  enum hm_status status = hm_lease_check(&c->lease, now_ns);

  if (status == HM_EXPIRED) {
    c->is_changed = true;
    if (is_up(c))
      owe_grants(c, count, HM_GATE_LEASE_RAN_OUT);
  }
  return status == HM_OK;
}

/* ---- what the daemon says -------------------------------------------------------- */

static void hear_error(struct hm_gate_client *c)
{
  struct hm_bytes text = c->in.u.error.text;

  switch (c->in.u.error.status) {
  case HM_NOT_FOUND:
    c->refusal = HM_GATE_UNKNOWN_SENSOR;
    break;
  case HM_EXISTS:
  case HM_LOCKED:
    c->refusal = HM_GATE_HELD;
    break;
  case HM_DENIED:
  case HM_POLICY:
    c->refusal = HM_GATE_REFUSED;
    break;
  default:
    c->refusal = HM_GATE_DAEMON_GONE;
    break;
  }
  memcpy(c->text, text.data, text.len);
  c->text[text.len] = '\0';
  c->is_changed = true;
  lost(c);
}

static void hear_ack(struct hm_gate_client *c)
{
  c->is_accepted = true;
  c->retry_ms = 0;
  c->refusal = HM_GATE_OPEN;
  c->text[0] = '\0';
}

static void hear_grant(struct hm_gate_client *c, uint64_t now_ns)
{
  enum hm_status ignored = hm_lease_answer(&c->lease, &c->in, now_ns);

  (void)ignored; /* a stale answer is counted by the lease and opens nothing */
}

static void hear_revoke(struct hm_gate_client *c)
{
  hm_lease_revoke(&c->lease, &c->in);
  owe(c, c->in.u.revoke.count, c->in.u.revoke.contexts, HM_GATE_REVOKED);
}

static void hear_one(struct hm_gate_client *c, uint64_t now_ns)
{
  enum hm_lease_state was = c->lease.state;
  enum hm_gate_reason why = c->lease.reason;
  enum hm_gate_kind kind = c->in.kind;

  if (!hm_gate_may_say(kind, false, HM_GATE_ROLE_GATE) ||
      (!c->is_accepted && kind != HM_GATE_ACK && kind != HM_GATE_ERROR))
    lost(c);
  else if (kind == HM_GATE_ERROR)
    hear_error(c);
  else if (kind == HM_GATE_ACK)
    hear_ack(c);
  else if (kind == HM_GATE_GRANT)
    hear_grant(c, now_ns);
  else
    hear_revoke(c);
  note(c, was, why);
}

static void hear(struct hm_gate_client *c, uint64_t now_ns)
{
  for (int i = 0; i < PACKETS_A_TURN && is_up(c); i++) {
    enum hm_status status = hm_gate_link_hear(&c->link, &c->in);

    if (status == HM_NOT_FOUND)
      return;
    if (status == HM_OK)
      hear_one(c, now_ns);
    else
      lost(c);
  }
}

/* ---- the client's own thread ----------------------------------------------------- */

static void connect_when_due(struct hm_gate_client *c, uint64_t now_ns)
{
  enum hm_status status;

  if (c->is_lost) {
    hm_gate_link_close(&c->link);
    c->is_lost = false;
    c->retry_ms = hm_gate_retry_ms(c->retry_ms);
    c->retry_ns = now_ns + c->retry_ms * UINT64_C(1000000);
  }
  if (c->link.fd >= 0 || now_ns < c->retry_ns)
    return;
  status = hm_gate_link_open(&c->link, c->socket, HM_GATE_ROLE_GATE, c->sensor);
  if (status == HM_OK) {
    c->told_passed = c->passed;
    memcpy(c->told_dropped, c->dropped, sizeof c->dropped);
    return;
  }
  c->refusal = status == HM_DENIED ? HM_GATE_REFUSED : HM_GATE_DAEMON_GONE;
  lost(c);
}

static void ask(struct hm_gate_client *c, uint64_t now_ns)
{
  uint8_t nonce[HM_NONCE];

  if (getrandom(nonce, sizeof nonce, 0) != (ssize_t)sizeof nonce)
    return; /* asked again by the next turn */
  memset(&c->out, 0, sizeof c->out);
  c->out.kind = HM_GATE_ASK;
  memcpy(c->out.u.ask.nonce, nonce, HM_NONCE);
  c->out.u.ask.last_frame = c->last_frame;
  c->out.u.ask.passed = c->passed - c->told_passed;
  for (size_t i = 0; i < HM_GATE_DROPS; i++)
    c->out.u.ask.dropped[i] = c->dropped[i] - c->told_dropped[i];
  hm_lease_ask(&c->lease, nonce, now_ns); /* before send: the lease must not outlive it */
  say(c);
}

static void ask_when_due(struct hm_gate_client *c, uint64_t now_ns)
{
  /* not before ACK: a daemon that refuses and closes over an unread question resets
   * the connection, and its reason would be lost with it */
  if (is_up(c) && c->is_accepted && hm_lease_ask_due(&c->lease, now_ns))
    ask(c, now_ns);
}

/* Milliseconds until the next turn is due, rounded up. */
static int turn_ms(const struct hm_gate_client *c, uint64_t now_ns)
{
  uint64_t wait_ns;

  if (c->is_lost)
    return 0;
  if (c->link.fd >= 0 && !c->is_accepted)
    wait_ns = HM_LEASE_ASK_NS; /* the answer wakes us */
  else if (c->link.fd >= 0)
    wait_ns = hm_lease_wait_ns(&c->lease, now_ns);
  else
    wait_ns = c->retry_ns > now_ns ? c->retry_ns - now_ns : 0;
  return (int)((wait_ns + 999999) / 1000000);
}

static void *run(void *data)
{
  struct hm_gate_client *c = (struct hm_gate_client *)data;
  struct pollfd polled[2] = {{.fd = c->wake, .events = POLLIN}, {.events = POLLIN}};
  uint64_t drained;

  pthread_mutex_lock(&c->lock);
  while (!c->is_stopping) {
    uint64_t now_ns = boottime_ns();
    int ms;

    connect_when_due(c, now_ns);
    hear(c, now_ns);
    (void)is_open(c, now_ns);
    ask_when_due(c, now_ns);
    polled[1].fd = c->link.fd;
    ms = turn_ms(c, boottime_ns());
    unlock_and_tell(c);
    if (poll(polled, 2, ms) > 0 && polled[0].revents != 0)
      while (read(c->wake, &drained, sizeof drained) > 0)
        ;
    pthread_mutex_lock(&c->lock);
  }
  if (c->is_accepted)
    ask(c, boottime_ns()); /* its answer is for nobody: it tells the last counts */
  if (c->lease.state == HM_LEASE_OPEN)
    owe_grants(c, c->lease.count, HM_GATE_STREAM_ENDED);
  hm_gate_link_finish(&c->link, FINISH_MS);
  hm_lease_shut(&c->lease, HM_GATE_STREAM_ENDED);
  pthread_mutex_unlock(&c->lock);
  return NULL;
}

/* ---- the streaming thread -------------------------------------------------------- */

static void pass_now(struct hm_gate_client *c, uint64_t now_ns, struct hm_gate_pass *pass)
{
  const struct hm_gate_grant *first = &c->lease.grants[0];

  c->in_flight = true;
  c->passed++;
  c->last_frame++;
  pass->frame = c->last_frame;
  pass->boottime_ns = now_ns;
  pass->context = first->context;
  pass->kid16 = first->kid16;
  memcpy(pass->certificate, first->certificate, HM_HASH);
}

enum hm_status hm_gate_client_enter(struct hm_gate_client *c, bool wait, struct hm_gate_pass *pass)
{
  enum hm_status status = HM_DENIED;

  pthread_mutex_lock(&c->lock);
  for (;;) {
    uint64_t now_ns = boottime_ns();

    if (c->is_interrupted) {
      status = HM_TIMEOUT;
      break;
    }
    hear(c, now_ns);
    if (is_open(c, boottime_ns())) {
      pass_now(c, now_ns, pass);
      status = HM_OK;
      break;
    }
    if (!wait) {
      c->dropped[HM_GATE_DROP_OTHER - 1]++;
      break;
    }
    /* the thread asks and opens; what changed is told before the sleep */
    if (c->is_changed) {
      unlock_and_tell(c);
      pthread_mutex_lock(&c->lock);
      continue;
    }
    pthread_cond_wait(&c->opened, &c->lock);
  }
  unlock_and_tell(c);
  return status;
}

void hm_gate_client_leave(struct hm_gate_client *c)
{
  pthread_mutex_lock(&c->lock);
  c->in_flight = false;
  send_answers(c);
  unlock_and_tell(c);
}

void hm_gate_client_interrupt(struct hm_gate_client *c, bool is_interrupted)
{
  pthread_mutex_lock(&c->lock);
  c->is_interrupted = is_interrupted;
  pthread_cond_broadcast(&c->opened);
  pthread_mutex_unlock(&c->lock);
}

void hm_gate_client_view(struct hm_gate_client *c, struct hm_gate_view *view)
{
  pthread_mutex_lock(&c->lock);
  view->is_open = c->lease.state == HM_LEASE_OPEN;
  view->reason = c->lease.reason;
  memcpy(view->text, c->text, sizeof view->text);
  view->last_frame = c->last_frame;
  view->passed = c->passed;
  memcpy(view->dropped, c->dropped, sizeof view->dropped);
  pthread_mutex_unlock(&c->lock);
}

/* ---- start, stop ----------------------------------------------------------------- */

static enum hm_status start_thread(struct hm_gate_client *c)
{
  sigset_t all, before;
  int failed;

  sigfillset(&all); /* signals are the program's, not a plugin's */
  pthread_sigmask(SIG_SETMASK, &all, &before);
  failed = pthread_create(&c->thread, NULL, run, c);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return failed == 0 ? HM_OK : HM_FULL;
}

enum hm_status hm_gate_client_start(const struct hm_gate_client_config *config,
                                    struct hm_gate_client **client)
{
  size_t socket = strnlen(config->socket, HM_GATE_PATH + 1);
  size_t sensor = strnlen(config->sensor, HM_GATE_NAME + 1);
  struct hm_gate_client *c;

  *client = NULL;
  if (socket > HM_GATE_PATH || sensor > HM_GATE_NAME)
    return HM_TOO_LARGE;
  if (socket == 0 || sensor == 0)
    return HM_MALFORMED;
  c = calloc(1, sizeof *c);
  if (c == NULL)
    return HM_FULL;
  memcpy(c->socket, config->socket, socket);
  memcpy(c->sensor, config->sensor, sensor);
  c->changed = config->changed;
  c->user = config->user;
  c->last_frame = config->last_frame;
  hm_gate_link_init(&c->link);
  hm_lease_init(&c->lease);
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->opened, NULL);
  c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (c->wake >= 0 && start_thread(c) == HM_OK) {
    *client = c;
    return HM_OK;
  }
  if (c->wake >= 0)
    close(c->wake);
  pthread_cond_destroy(&c->opened);
  pthread_mutex_destroy(&c->lock);
  free(c);
  return HM_FULL;
}

void hm_gate_client_stop(struct hm_gate_client *c)
{
  if (c == NULL)
    return;
  pthread_mutex_lock(&c->lock);
  c->is_stopping = true;
  pthread_mutex_unlock(&c->lock);
  wake(c);
  pthread_join(c->thread, NULL);
  close(c->wake);
  pthread_cond_destroy(&c->opened);
  pthread_mutex_destroy(&c->lock);
  free(c);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "sensors/gate_client.h"
#include "tests/support/gate_end.h"

struct setup {
  struct gate_end end;
  struct hm_gate_client *client;
  atomic_int changes;
};

static void count_change(void *user, struct hm_gate_client *client)
{
  struct hm_gate_view view;

  hm_gate_client_view(client, &view); /* allowed here: the lock is not held */
  atomic_fetch_add(&((struct setup *)user)->changes, 1);
}

static void begin(struct setup *s)
{
  struct hm_gate_client_config config = {.sensor = "front", .changed = count_change, .user = s};

  gate_end_listen(&s->end);
  atomic_init(&s->changes, 0);
  config.socket = s->end.path;
  assert_int_equal(hm_gate_client_start(&config, &s->client), HM_OK);
}

static void finish(struct setup *s)
{
  hm_gate_client_interrupt(s->client, true);
  hm_gate_client_stop(s->client);
  gate_end_close(&s->end);
}

static const uint16_t drive_training[2] = {5, 6};

/* Connected, accepted and granted `count` contexts; waits until the client knows. */
static void begin_open(struct setup *s, uint32_t count)
{
  struct hm_gate_pass pass;

  begin(s);
  assert_true(gate_end_accept(&s->end, 2000));
  assert_true(gate_end_open(&s->end, drive_training, count));
  assert_int_equal(hm_gate_client_enter(s->client, true, &pass), HM_OK);
  assert_int_equal(pass.frame, 1);
  hm_gate_client_leave(s->client);
}

static enum hm_status try_one(struct setup *s)
{
  struct hm_gate_pass pass;
  enum hm_status status = hm_gate_client_enter(s->client, false, &pass);

  if (status == HM_OK)
    hm_gate_client_leave(s->client);
  return status;
}

static void pause_ms(long ms)
{
  struct timespec t = {ms / 1000, ms % 1000 * 1000000};

  nanosleep(&t, NULL);
}

static void it_says_hello_and_asks(void **state)
{
  (void)state;
  struct setup s;

  begin(&s);
  assert_true(gate_end_accept(&s.end, 2000));
  assert_int_equal(s.end.in.u.hello.role, HM_GATE_ROLE_GATE);
  assert_memory_equal(s.end.in.u.hello.sensor.data, "front", 5);
  assert_int_equal(gate_end_hear(&s.end, 2000), HM_GATE_ASK);
  assert_int_equal(s.end.in.u.ask.last_frame, 0);
  finish(&s);
}

static void nothing_passes_before_a_grant(void **state)
{
  (void)state;
  struct setup s;
  struct hm_gate_view view;

  begin(&s);
  assert_int_equal(try_one(&s), HM_DENIED);
  assert_true(gate_end_accept(&s.end, 2000));
  assert_int_equal(try_one(&s), HM_DENIED);
  hm_gate_client_view(s.client, &view);
  assert_false(view.is_open);
  assert_int_equal(view.passed, 0);
  assert_int_equal(view.dropped[HM_GATE_DROP_OTHER - 1], 2);
  finish(&s);
}

static void a_grant_opens_and_numbers_go_up_by_one(void **state)
{
  (void)state;
  struct setup s;
  struct hm_gate_pass pass;

  begin_open(&s, 2);
  for (uint64_t n = 2; n < 6; n++) {
    assert_int_equal(hm_gate_client_enter(s.client, false, &pass), HM_OK);
    assert_int_equal(pass.frame, n);
    assert_int_equal(pass.context, 5);
    assert_int_equal(pass.kid16, 0x0102);
    hm_gate_client_leave(s.client);
  }
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_ASK, 2000));
  assert_int_equal(s.end.in.u.ask.last_frame, 5);
  assert_int_equal(s.end.in.u.ask.passed, 5);
  finish(&s);
}

static void a_revoke_is_read_by_the_buffer_that_comes_after_it(void **state)
{
  (void)state;
  struct setup s;

  begin_open(&s, 1);
  assert_true(gate_end_revoke(&s.end, drive_training, 1));
  assert_int_equal(try_one(&s), HM_DENIED);
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 1000));
  assert_int_equal(s.end.in.u.closed.last_frame, 1);
  assert_int_equal(s.end.in.u.closed.reason, HM_GATE_REVOKED);
  assert_int_equal(s.end.in.u.closed.contexts[0], 5);
  finish(&s);
}

static void a_revoke_is_answered_while_no_buffer_comes(void **state)
{
  (void)state;
  struct setup s;

  begin_open(&s, 1);
  assert_true(gate_end_revoke(&s.end, drive_training, 1));
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 500));
  assert_int_equal(s.end.in.u.closed.last_frame, 1);
  finish(&s);
}

/* A push that hangs: shut at once for the next buffer, but the answer waits. */
static void no_answer_while_a_push_is_in_flight(void **state)
{
  (void)state;
  struct setup s;
  struct hm_gate_pass pass;
  struct hm_gate_view view;

  begin_open(&s, 1);
  assert_int_equal(hm_gate_client_enter(s.client, false, &pass), HM_OK);
  assert_true(gate_end_revoke(&s.end, drive_training, 1));
  assert_false(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 300));
  hm_gate_client_view(s.client, &view);
  assert_false(view.is_open);
  hm_gate_client_leave(s.client);
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 500));
  assert_int_equal(s.end.in.u.closed.last_frame, 2);
  assert_int_equal(try_one(&s), HM_DENIED);
  finish(&s);
}

static void revoking_training_leaves_drive_flowing(void **state)
{
  (void)state;
  struct setup s;

  begin_open(&s, 2);
  assert_true(gate_end_revoke(&s.end, &drive_training[1], 1));
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 500));
  assert_int_equal(s.end.in.u.closed.contexts[0], 6);
  assert_int_equal(try_one(&s), HM_OK);
  finish(&s);
}

static void silence_shuts_after_two_seconds_and_says_so(void **state)
{
  (void)state;
  struct setup s;
  struct hm_gate_view view;

  begin_open(&s, 1);
  pause_ms(1000);
  assert_int_equal(try_one(&s), HM_OK);
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 1500));
  assert_int_equal(s.end.in.u.closed.reason, HM_GATE_LEASE_RAN_OUT);
  assert_int_equal(s.end.in.u.closed.last_frame, 2);
  assert_int_equal(try_one(&s), HM_DENIED);
  hm_gate_client_view(s.client, &view);
  assert_int_equal(view.reason, HM_GATE_LEASE_RAN_OUT);
  /* and a fresh answer opens it again */
  assert_true(gate_end_open(&s.end, drive_training, 1));
  pause_ms(50);
  assert_int_equal(try_one(&s), HM_OK);
  finish(&s);
}

static void the_end_of_the_daemon_shuts_before_the_next_buffer(void **state)
{
  (void)state;
  struct setup s;
  struct hm_gate_pass pass;
  struct hm_gate_view view;

  begin_open(&s, 1);
  gate_end_hang_up(&s.end);
  assert_int_equal(try_one(&s), HM_DENIED);
  hm_gate_client_view(s.client, &view);
  assert_int_equal(view.reason, HM_GATE_DAEMON_GONE);
  /* it comes back by itself and the numbers go on */
  assert_true(gate_end_accept(&s.end, 2000));
  assert_true(gate_end_open(&s.end, drive_training, 1));
  assert_int_equal(hm_gate_client_enter(s.client, true, &pass), HM_OK);
  assert_int_equal(pass.frame, 2);
  hm_gate_client_leave(s.client);
  /* passed counts since HELLO, the number does not */
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_ASK, 2000));
  assert_int_equal(s.end.in.u.ask.last_frame, 2);
  assert_int_equal(s.end.in.u.ask.passed, 1);
  finish(&s);
}

static void a_refusal_is_shown_with_the_daemons_words(void **state)
{
  (void)state;
  struct setup s;
  struct hm_gate_view view;

  begin(&s);
  assert_true(gate_end_greet(&s.end, 2000));
  assert_true(gate_end_error(&s.end, HM_EXISTS, "front is held by pid 12"));
  gate_end_hang_up(&s.end);
  assert_true(gate_end_greet(&s.end, 2000)); /* it tries again, later */
  hm_gate_client_view(s.client, &view);
  assert_int_equal(view.reason, HM_GATE_HELD);
  assert_string_equal(view.text, "front is held by pid 12");
  finish(&s);
}

static void a_denial_is_shown(void **state)
{
  (void)state;
  struct setup s;
  struct hm_gate_view view;

  begin(&s);
  assert_true(gate_end_accept(&s.end, 2000));
  assert_int_equal(gate_end_hear(&s.end, 2000), HM_GATE_ASK);
  assert_true(gate_end_grant(&s.end, s.end.in.u.ask.nonce, NULL, 0, HM_GATE_DISABLED));
  pause_ms(50);
  assert_int_equal(try_one(&s), HM_DENIED);
  hm_gate_client_view(s.client, &view);
  assert_int_equal(view.reason, HM_GATE_DISABLED);
  assert_true(atomic_load(&s.changes) > 0);
  finish(&s);
}

/* Whatever breaks the protocol ends the connection, and with it the lease. */
static void a_broken_packet_shuts(void **state)
{
  (void)state;
  static const struct {
    const char *bytes;
    size_t len;
  } broken[] = {
      {"\x82\x04\x9f", 3},         /* malformed */
      {"\x81\x0d", 2},             /* DISCOVER: not of this role */
      {"\x82\x0a\x61\x61", 4},     /* STOP: not of this role */
      {"\x84\x05\x80\x00\x02", 5}, /* CLOSED: not of the daemon */
  };

  for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
    struct setup s;

    begin_open(&s, 1);
    assert_true(gate_end_say_raw(&s.end, broken[i].bytes, broken[i].len));
    assert_int_equal(try_one(&s), HM_DENIED);
    finish(&s);
  }
}

static void a_grant_before_the_connection_is_accepted_ends_it(void **state)
{
  (void)state;
  static const uint8_t nonce[HM_NONCE] = {0};
  struct setup s;

  begin(&s);
  assert_true(gate_end_greet(&s.end, 2000));
  assert_int_equal(gate_end_hear(&s.end, 100), GATE_END_NOTHING); /* no question before ACK */
  assert_true(gate_end_grant(&s.end, nonce, drive_training, 1, HM_GATE_OPEN));
  assert_int_equal(gate_end_hear(&s.end, 1000), GATE_END_GONE);
  assert_int_equal(try_one(&s), HM_DENIED);
  finish(&s);
}

static void *wait_in_enter(void *data)
{
  struct setup *s = (struct setup *)data;
  struct hm_gate_pass pass;
  enum hm_status status = hm_gate_client_enter(s->client, true, &pass);

  if (status == HM_OK)
    hm_gate_client_leave(s->client);
  return (void *)(uintptr_t)status;
}

static void a_waiting_buffer_is_let_go_by_a_grant_or_an_interrupt(void **state)
{
  (void)state;
  struct setup s;
  pthread_t thread;
  void *status;

  begin(&s);
  assert_int_equal(pthread_create(&thread, NULL, wait_in_enter, &s), 0);
  assert_true(gate_end_accept(&s.end, 2000));
  pause_ms(100);
  assert_true(gate_end_open(&s.end, drive_training, 1));
  pthread_join(thread, &status);
  assert_int_equal((uintptr_t)status, HM_OK);

  assert_true(gate_end_revoke(&s.end, drive_training, 1));
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 1000));
  assert_int_equal(pthread_create(&thread, NULL, wait_in_enter, &s), 0);
  pause_ms(100);
  hm_gate_client_interrupt(s.client, true);
  pthread_join(thread, &status);
  assert_int_equal((uintptr_t)status, HM_TIMEOUT);
  finish(&s);
}

static void stopping_tells_the_daemon(void **state)
{
  (void)state;
  struct setup s;

  begin_open(&s, 2);
  hm_gate_client_stop(s.client);
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_ASK, 1000));
  assert_int_equal(s.end.in.u.ask.passed, 1);
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 1000));
  assert_int_equal(s.end.in.u.closed.reason, HM_GATE_STREAM_ENDED);
  assert_int_equal(s.end.in.u.closed.count, 2);
  assert_int_equal(gate_end_hear(&s.end, 1000), GATE_END_GONE);
  gate_end_close(&s.end);
}

/* ---- the race that matters: buffers as fast as they go against a REVOKE ----------- */

struct pusher {
  struct setup *setup;
  atomic_bool stop;
  atomic_uint_fast64_t seen; /* highest number after its push */
};

static void *push_on(void *data)
{
  struct pusher *p = (struct pusher *)data;
  struct hm_gate_pass pass;

  while (!atomic_load(&p->stop)) {
    if (hm_gate_client_enter(p->setup->client, false, &pass) != HM_OK)
      continue;
    atomic_store(&p->seen, pass.frame);
    hm_gate_client_leave(p->setup->client);
  }
  return NULL;
}

static void no_number_above_the_confirmed_one_ever_passes(void **state)
{
  (void)state;
  for (int run = 0; run < 30; run++) {
    struct setup s;
    struct pusher p = {.setup = &s};
    pthread_t thread;
    uint64_t confirmed;

    begin_open(&s, 1);
    atomic_init(&p.stop, false);
    atomic_init(&p.seen, 1);
    assert_int_equal(pthread_create(&thread, NULL, push_on, &p), 0);
    pause_ms(1 + run % 7);
    assert_true(gate_end_revoke(&s.end, drive_training, 1));
    assert_true(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 2000));
    confirmed = s.end.in.u.closed.last_frame;
    assert_int_equal(atomic_load(&p.seen), confirmed);
    pause_ms(5);
    assert_int_equal(atomic_load(&p.seen), confirmed);
    atomic_store(&p.stop, true);
    pthread_join(thread, NULL);
    finish(&s);
  }
}

static void a_client_that_cannot_be_is_refused(void **state)
{
  (void)state;
  char path[200];
  struct hm_gate_client *client;
  struct hm_gate_client_config config = {.socket = path, .sensor = "front"};

  memset(path, 'x', sizeof path);
  path[108] = '\0';
  assert_int_equal(hm_gate_client_start(&config, &client), HM_TOO_LARGE);
  config.socket = "";
  assert_int_equal(hm_gate_client_start(&config, &client), HM_MALFORMED);
  config.socket = "/tmp/x";
  config.sensor = "";
  assert_int_equal(hm_gate_client_start(&config, &client), HM_MALFORMED);
  config.sensor = "a-name-of-thirty-three-characters";
  assert_int_equal(hm_gate_client_start(&config, &client), HM_TOO_LARGE);
  hm_gate_client_stop(NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_says_hello_and_asks),
      cmocka_unit_test(nothing_passes_before_a_grant),
      cmocka_unit_test(a_grant_opens_and_numbers_go_up_by_one),
      cmocka_unit_test(a_revoke_is_read_by_the_buffer_that_comes_after_it),
      cmocka_unit_test(a_revoke_is_answered_while_no_buffer_comes),
      cmocka_unit_test(no_answer_while_a_push_is_in_flight),
      cmocka_unit_test(revoking_training_leaves_drive_flowing),
      cmocka_unit_test(silence_shuts_after_two_seconds_and_says_so),
      cmocka_unit_test(the_end_of_the_daemon_shuts_before_the_next_buffer),
      cmocka_unit_test(a_refusal_is_shown_with_the_daemons_words),
      cmocka_unit_test(a_denial_is_shown),
      cmocka_unit_test(a_broken_packet_shuts),
      cmocka_unit_test(a_grant_before_the_connection_is_accepted_ends_it),
      cmocka_unit_test(a_waiting_buffer_is_let_go_by_a_grant_or_an_interrupt),
      cmocka_unit_test(stopping_tells_the_daemon),
      cmocka_unit_test(no_number_above_the_confirmed_one_ever_passes),
      cmocka_unit_test(a_client_that_cannot_be_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

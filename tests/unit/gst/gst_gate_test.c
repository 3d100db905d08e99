/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The element around the gate client: pads, numbers, metas, messages, states. What a
 * lease is and when it ends is tested without GStreamer in gate_client_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gst/check/gstharness.h>
#include <pthread.h>
#include <unistd.h>

#include "sensors/gst_meta.h"
#include "sensors/gst_plugin.h"
#include "tests/support/gate_end.h"

/* Messages are taken where they are posted, and copied under a lock of ours: the bus
 * hands them over by means that ThreadSanitizer cannot see. */
enum { TOLD = 16 };

struct setup {
  struct gate_end end;
  GstHarness *harness;
  GstBus *bus;
  pthread_mutex_t lock;
  unsigned told; /* messages so far */
  char states[TOLD][16], reasons[TOLD][32];
};

static const uint16_t contexts[] = {5, 6};

static GstBusSyncReply on_message(GstBus *bus, GstMessage *message, gpointer data)
{
  struct setup *s = (struct setup *)data;

  (void)bus;
  if (gst_message_has_name(message, "hallmark-gate")) {
    const GstStructure *said = gst_message_get_structure(message);

    pthread_mutex_lock(&s->lock);
    if (s->told < TOLD) {
      g_strlcpy(s->states[s->told], gst_structure_get_string(said, "state"), 16);
      g_strlcpy(s->reasons[s->told], gst_structure_get_string(said, "reason"), 32);
      s->told++;
    }
    pthread_mutex_unlock(&s->lock);
  }
  return GST_BUS_DROP;
}

static GstElement *new_gate(struct setup *s, const char *wait)
{
  GstElement *gate = gst_element_factory_make("hallmarkgate", NULL);

  assert_non_null(gate);
  g_object_set(gate, "sensor", "front", "socket", s->end.path, NULL);
  gst_util_set_object_arg(G_OBJECT(gate), "wait", wait);
  pthread_mutex_init(&s->lock, NULL);
  s->told = 0;
  s->bus = gst_bus_new();
  gst_bus_set_sync_handler(s->bus, on_message, s, NULL);
  gst_element_set_bus(gate, s->bus);
  return gate;
}

static void begin(struct setup *s, const char *wait)
{
  GstElement *gate;

  gate_end_listen(&s->end);
  gate = new_gate(s, wait);
  s->harness = gst_harness_new_with_element(gate, "sink", "src");
  gst_object_unref(gate);
  gst_harness_set_src_caps_str(s->harness,
                               "video/x-raw,format=GRAY8,width=8,height=8,framerate=0/1");
  assert_true(gate_end_accept(&s->end, 2000));
}

static void finish(struct setup *s)
{
  gst_harness_teardown(s->harness);
  gst_object_unref(s->bus);
  pthread_mutex_destroy(&s->lock);
  gate_end_close(&s->end);
}

static GstBuffer *new_buffer(guint64 pts)
{
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, 64, NULL);

  GST_BUFFER_PTS(buffer) = pts;
  return buffer;
}

static gchar *text_property(struct setup *s, const char *name)
{
  gchar *text = NULL;

  g_object_get(s->harness->element, name, &text, NULL);
  return text;
}

static guint64 number(struct setup *s, const char *name)
{
  guint64 value = 0;

  g_object_get(s->harness->element, name, &value, NULL);
  return value;
}

static void wait_until_open(struct setup *s)
{
  for (int i = 0; i < 200; i++) {
    g_autofree gchar *state = text_property(s, "state");

    if (g_str_equal(state, "open"))
      return;
    g_usleep(10000);
  }
  fail_msg("the gate did not open");
}

static void open_gate(struct setup *s)
{
  assert_true(gate_end_open(&s->end, contexts, 2));
  wait_until_open(s);
}

/* Wait until such a change was told. */
static void expect_message(struct setup *s, const char *state, const char *reason)
{
  for (int i = 0; i < 300; i++) {
    bool found = false;

    pthread_mutex_lock(&s->lock);
    for (unsigned k = 0; k < s->told && !found; k++)
      found = strcmp(s->states[k], state) == 0 && strcmp(s->reasons[k], reason) == 0;
    pthread_mutex_unlock(&s->lock);
    if (found)
      return;
    g_usleep(10000);
  }
  fail_msg("never told: %s, %s", state, reason);
}

static void buffers_are_numbered_and_carry_their_verdict(void **state)
{
  (void)state;
  struct setup s;

  begin(&s, "never");
  open_gate(&s);
  for (guint64 n = 1; n <= 5; n++) {
    g_autoptr(GstBuffer) out = NULL;
    const struct hm_pass_meta *meta;

    assert_int_equal(gst_harness_push(s.harness, new_buffer(n * 1000)), GST_FLOW_OK);
    out = gst_harness_pull(s.harness);
    assert_int_equal(GST_BUFFER_OFFSET(out), n);
    assert_int_equal(GST_BUFFER_PTS(out), n * 1000);
    meta = hm_buffer_pass(out);
    assert_non_null(meta);
    assert_int_equal(meta->pass.frame, n);
    assert_int_equal(meta->pass.context, 5);
    assert_int_equal(meta->pass.kid16, 0x0102);
    assert_true(meta->pass.boottime_ns > 0);
  }
  assert_int_equal(number(&s, "frame"), 5);
  assert_int_equal(number(&s, "passed"), 5);
  assert_int_equal(number(&s, "dropped"), 0);
  finish(&s);
}

static void the_verdict_is_copied_with_the_buffer(void **state)
{
  (void)state;
  struct setup s;
  g_autoptr(GstBuffer) out = NULL;
  g_autoptr(GstBuffer) copy = NULL;

  begin(&s, "never");
  open_gate(&s);
  gst_harness_push(s.harness, new_buffer(0));
  out = gst_harness_pull(s.harness);
  copy = gst_buffer_copy(out);
  assert_int_equal(hm_buffer_pass(copy)->pass.frame, 1);
  finish(&s);
}

static void a_shut_gate_drops_a_live_source_and_says_why(void **state)
{
  (void)state;
  struct setup s;
  g_autofree gchar *reason = NULL;

  begin(&s, "never");
  assert_int_equal(gst_harness_push(s.harness, new_buffer(0)), GST_FLOW_OK);
  assert_null(gst_harness_try_pull(s.harness));
  assert_int_equal(number(&s, "dropped"), 1);

  open_gate(&s);
  expect_message(&s, "open", "open");
  gst_harness_push(s.harness, new_buffer(0));
  gst_buffer_unref(gst_harness_pull(s.harness));
  assert_true(gate_end_revoke(&s.end, contexts, 2));
  assert_int_equal(gst_harness_push(s.harness, new_buffer(0)), GST_FLOW_OK);
  assert_null(gst_harness_try_pull(s.harness));
  expect_message(&s, "shut", "revoked");
  reason = text_property(&s, "reason");
  assert_string_equal(reason, "its last pairing was revoked");
  finish(&s);
}

static void the_daemons_refusal_is_the_reason(void **state)
{
  (void)state;
  struct setup s;
  g_autofree gchar *reason = NULL;

  begin(&s, "never");
  assert_true(gate_end_error(&s.end, HM_NOT_FOUND, "no sensor front is bound"));
  expect_message(&s, "shut", "unknown-sensor");
  reason = text_property(&s, "reason");
  assert_string_equal(reason, "no sensor front is bound");
  finish(&s);
}

static void *push_one(void *data)
{
  struct setup *s = (struct setup *)data;

  return GINT_TO_POINTER(gst_harness_push(s->harness, new_buffer(7)));
}

static void a_source_that_can_wait_loses_nothing(void **state)
{
  (void)state;
  struct setup s;
  pthread_t thread;
  void *flow;

  begin(&s, "always");
  assert_int_equal(pthread_create(&thread, NULL, push_one, &s), 0);
  g_usleep(200000);
  assert_int_equal(gst_harness_buffers_received(s.harness), 0);
  open_gate(&s);
  pthread_join(thread, &flow);
  assert_int_equal(GPOINTER_TO_INT(flow), GST_FLOW_OK);
  gst_buffer_unref(gst_harness_pull(s.harness));
  assert_int_equal(number(&s, "dropped"), 0);
  finish(&s);
}

static void waiting_ends_with_a_flush(void **state)
{
  (void)state;
  struct setup s;
  pthread_t thread;
  void *flow;

  begin(&s, "always");
  assert_int_equal(pthread_create(&thread, NULL, push_one, &s), 0);
  g_usleep(100000);
  gst_harness_push_event(s.harness, gst_event_new_flush_start());
  pthread_join(thread, &flow);
  assert_int_equal(GPOINTER_TO_INT(flow), GST_FLOW_FLUSHING);
  gst_harness_push_event(s.harness, gst_event_new_flush_stop(TRUE));
  gst_harness_set_src_caps_str(s.harness,
                               "video/x-raw,format=GRAY8,width=8,height=8,framerate=0/1");
  open_gate(&s);
  assert_int_equal(gst_harness_push(s.harness, new_buffer(0)), GST_FLOW_OK);
  finish(&s);
}

/* The harness' source answers latency queries as live or not. */
static void auto_follows_the_source(void **state)
{
  (void)state;
  struct setup s;
  pthread_t thread;
  void *flow;

  begin(&s, "auto");
  gst_harness_set_live(s.harness, TRUE);
  assert_int_equal(gst_harness_push(s.harness, new_buffer(0)), GST_FLOW_OK);
  assert_int_equal(number(&s, "dropped"), 1);
  finish(&s);

  gate_end_listen(&s.end);
  {
    GstElement *gate = new_gate(&s, "auto");

    s.harness = gst_harness_new_with_element(gate, "sink", "src");
    gst_object_unref(gate);
  }
  gst_harness_set_live(s.harness, FALSE);
  gst_harness_set_src_caps_str(s.harness,
                               "video/x-raw,format=GRAY8,width=8,height=8,framerate=0/1");
  assert_true(gate_end_accept(&s.end, 2000));
  assert_int_equal(pthread_create(&thread, NULL, push_one, &s), 0);
  g_usleep(100000);
  assert_int_equal(number(&s, "dropped"), 0);
  open_gate(&s);
  pthread_join(thread, &flow);
  assert_int_equal(GPOINTER_TO_INT(flow), GST_FLOW_OK);
  finish(&s);
}

static void stopping_confirms_and_starting_again_goes_on_counting(void **state)
{
  (void)state;
  struct setup s;
  GstElement *gate;

  begin(&s, "never");
  gate = s.harness->element;
  open_gate(&s);
  gst_harness_push(s.harness, new_buffer(0));
  gst_buffer_unref(gst_harness_pull(s.harness));
  gst_element_set_state(gate, GST_STATE_NULL);
  assert_true(gate_end_hear_kind(&s.end, HM_GATE_CLOSED, 1000));
  assert_int_equal(s.end.in.u.closed.last_frame, 1);
  assert_int_equal(s.end.in.u.closed.reason, HM_GATE_STREAM_ENDED);

  gst_element_set_state(gate, GST_STATE_PLAYING);
  assert_true(gate_end_accept(&s.end, 2000));
  gst_harness_set_src_caps_str(s.harness,
                               "video/x-raw,format=GRAY8,width=8,height=8,framerate=0/1");
  open_gate(&s);
  gst_harness_push(s.harness, new_buffer(0));
  {
    g_autoptr(GstBuffer) out = gst_harness_pull(s.harness);

    assert_int_equal(GST_BUFFER_OFFSET(out), 2);
  }
  finish(&s);
}

static void a_gate_without_a_sensor_does_not_start(void **state)
{
  (void)state;
  GstElement *gate = gst_element_factory_make("hallmarkgate", NULL);
  GstBus *bus = gst_bus_new();
  g_autoptr(GstMessage) message = NULL;

  gst_element_set_bus(gate, bus);
  assert_int_equal(gst_element_set_state(gate, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  assert_non_null(message);
  gst_element_set_state(gate, GST_STATE_NULL);
  g_object_set(gate, "sensor", "a-name-of-thirty-three-characters", NULL);
  assert_int_equal(gst_element_set_state(gate, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
  gst_element_set_state(gate, GST_STATE_NULL);
  gst_object_unref(gate);
  gst_object_unref(bus);
}

static void events_and_the_end_pass_a_shut_gate(void **state)
{
  (void)state;
  struct setup s;
  g_autoptr(GstEvent) event = NULL;

  begin(&s, "never");
  assert_true(gst_harness_push_event(s.harness, gst_event_new_eos()));
  while ((event = gst_harness_try_pull_event(s.harness)) != NULL &&
         GST_EVENT_TYPE(event) != GST_EVENT_EOS)
    gst_event_unref(event);
  assert_non_null(event);
  finish(&s);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(buffers_are_numbered_and_carry_their_verdict),
      cmocka_unit_test(the_verdict_is_copied_with_the_buffer),
      cmocka_unit_test(a_shut_gate_drops_a_live_source_and_says_why),
      cmocka_unit_test(the_daemons_refusal_is_the_reason),
      cmocka_unit_test(a_source_that_can_wait_loses_nothing),
      cmocka_unit_test(waiting_ends_with_a_flush),
      cmocka_unit_test(auto_follows_the_source),
      cmocka_unit_test(stopping_confirms_and_starting_again_goes_on_counting),
      cmocka_unit_test(a_gate_without_a_sensor_does_not_start),
      cmocka_unit_test(events_and_the_end_pass_a_shut_gate),
  };

  gst_init(&argc, &argv);
  if (!hm_elements_register_static())
    return 99;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

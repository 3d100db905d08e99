/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One lock guards everything. The streaming thread waits without it, polling a copy
 * of the descriptor; while it does (is_polling) nobody else opens or closes the
 * connection. Sequence numbers belong to a connection: what had no ACK when one was
 * lost is counted as dropped, for nobody knows whether it became durable.
 */
#include "services/media_observer.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "services/clock.h"

enum {
  EVENTS = 16,
  PACE = HM_GATE_PACKETS_A_SECOND * 9 / 10, /* packets a second, under the daemon's limit */
  END_MS = 10000,
  FINISH_MS = 300
};

#define SECOND_NS UINT64_C(1000000000)

struct event {
  enum hm_gate_event event;
  uint64_t frame;
  char text[HM_GATE_TEXT + 1];
};

struct media_observer {
  char socket[HM_GATE_PATH + 1];
  char sensor[HM_GATE_NAME + 1];
  pthread_mutex_t lock;
  int wake; /* eventfd: set while interrupted */
  bool is_stopping, is_polling, waits;

  struct hm_gate_link link;
  bool is_accepted, is_lost;
  uint64_t retry_ns;
  uint32_t retry_ms;
  uint64_t seq, acked;

  uint64_t pace_from_ns; /* this second began then */
  uint32_t pace_count;   /* packets in it */

  uint64_t dropped; /* not told yet */
  uint32_t event_count;
  struct event events[EVENTS];
  struct hm_gate_message in;     /* scratch of the lock's holder */
  struct hm_gate_message out;    /* what the streaming thread delivers; kept while it waits */
  struct hm_gate_message notice; /* an event on its way */
};

struct media_observer *media_observer_new(const char *socket, const char *sensor)
{
  struct media_observer *o = calloc(1, sizeof *o);

  if (o == NULL || strlen(socket) > HM_GATE_PATH || strlen(sensor) > HM_GATE_NAME) {
    free(o);
    return NULL;
  }
  o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (o->wake < 0) {
    free(o);
    return NULL;
  }
  memcpy(o->socket, socket, strlen(socket));
  memcpy(o->sensor, sensor, strlen(sensor));
  pthread_mutex_init(&o->lock, NULL);
  hm_gate_link_init(&o->link);
  return o;
}

void media_observer_free(struct media_observer *o)
{
  if (o == NULL)
    return;
  hm_gate_link_finish(&o->link, FINISH_MS);
  close(o->wake);
  pthread_mutex_destroy(&o->lock);
  free(o);
}

void media_observer_set_waits(struct media_observer *o, bool waits)
{
  pthread_mutex_lock(&o->lock);
  o->waits = waits;
  pthread_mutex_unlock(&o->lock);
}

/* ---- the connection -------------------------------------------------------------- */

static void lost(struct media_observer *o)
{
  o->dropped += o->seq - o->acked;
  o->seq = o->acked = 0;
  o->is_accepted = false;
  o->is_lost = true;
}

static void hear_one(struct media_observer *o)
{
  if (o->in.kind == HM_GATE_ERROR) {
    hm_log(HM_LOG_WARNING, "observer-refused", "%s: hallmarkd refuses its observations: %.*s",
           o->sensor, (int)o->in.u.error.text.len, (const char *)o->in.u.error.text.data);
    lost(o);
  } else if (o->in.kind != HM_GATE_ACK || o->in.u.ack.seq > o->seq) {
    hm_log(HM_LOG_WARNING, "observer-protocol", "%s: hallmarkd said what it may not say here",
           o->sensor);
    lost(o);
  } else {
    o->is_accepted = true;
    o->retry_ms = 0;
    if (o->in.u.ack.seq > o->acked)
      o->acked = o->in.u.ack.seq;
  }
}

static void hear(struct media_observer *o)
{
  while (o->link.fd >= 0 && !o->is_lost) {
    enum hm_status status = hm_gate_link_hear(&o->link, &o->in);

    if (status == HM_NOT_FOUND)
      return;
    if (status == HM_OK)
      hear_one(o);
    else
      lost(o);
  }
}

static void connect_when_due(struct media_observer *o)
{
  uint64_t now_ns = hm_boottime_ns();

  if (o->is_lost) {
    hm_gate_link_close(&o->link);
    o->is_lost = false;
    o->retry_ms = hm_gate_retry_ms(o->retry_ms);
    o->retry_ns = now_ns + o->retry_ms * UINT64_C(1000000);
  }
  if (o->link.fd >= 0 || now_ns < o->retry_ns)
    return;
  if (hm_gate_link_open(&o->link, o->socket, HM_GATE_ROLE_OBSERVER, o->sensor) != HM_OK)
    lost(o);
}

/* HM_OK: it went. HM_FULL: not now. HM_TIMEOUT: over this second's pace.
 * HM_UNREACHABLE: the connection is gone. Anything else: a bug, and it is logged. */
static enum hm_status say(struct media_observer *o, const struct hm_gate_message *m)
{
  uint64_t now_ns = hm_boottime_ns();
  enum hm_status status;

  if (!o->is_accepted)
    return HM_UNREACHABLE;
  if (now_ns - o->pace_from_ns >= SECOND_NS) {
    o->pace_from_ns = now_ns;
    o->pace_count = 0;
  }
  if (o->pace_count >= PACE)
    return HM_TIMEOUT;
  status = hm_gate_link_say(&o->link, m);
  if (status == HM_OK)
    o->pace_count++;
  else if (status == HM_UNREACHABLE || status == HM_DENIED)
    lost(o);
  else if (status != HM_FULL)
    hm_log(HM_LOG_ERROR, "observer-encode", "%s: a packet of kind %d cannot be written: %s",
           o->sensor, (int)m->kind, hm_status_text(status));
  return status;
}

static void put_event(struct hm_gate_message *m, const struct event *event)
{
  memset(m, 0, sizeof *m);
  m->kind = HM_GATE_EVENT;
  m->u.event.event = event->event;
  m->u.event.frame = event->frame;
  m->u.event.text = hm_bytes(event->text, strlen(event->text));
}

static void send_events(struct media_observer *o)
{
  uint32_t sent = 0;

  while (sent < o->event_count) {
    enum hm_status status;

    put_event(&o->notice, &o->events[sent]);
    status = say(o, &o->notice);
    if (status == HM_FULL || status == HM_TIMEOUT || status == HM_UNREACHABLE)
      break;
    sent++;
  }
  o->event_count -= sent;
  memmove(o->events, o->events + sent, o->event_count * sizeof o->events[0]);
}

static void turn(struct media_observer *o)
{
  connect_when_due(o);
  hear(o);
  if (o->is_accepted && o->event_count > 0)
    send_events(o);
}

/* ---- waiting (streaming thread) -------------------------------------------------- */

/* Sleep until fd is ready for `events`, ms passed, or interrupted: false. */
static bool wait_for(struct media_observer *o, short events, int ms)
{
  struct pollfd polled[2] = {{o->wake, POLLIN, 0}, {o->is_lost ? -1 : o->link.fd, events, 0}};
  int ready;

  o->is_polling = true;
  pthread_mutex_unlock(&o->lock);
  ready = poll(polled, 2, ms);
  pthread_mutex_lock(&o->lock);
  o->is_polling = false;
  (void)ready; /* whatever woke us, the caller looks again */
  return !o->is_stopping;
}

/* Connected and accepted? A recording waits until it is so. */
static bool is_ready(struct media_observer *o)
{
  for (;;) {
    uint64_t now_ns = hm_boottime_ns();
    int ms = 1000;

    turn(o);
    if (o->is_accepted || o->is_stopping || !o->waits)
      return o->is_accepted && !o->is_stopping;
    if (o->link.fd < 0 && o->retry_ns > now_ns)
      ms = (int)((o->retry_ns - now_ns) / 1000000) + 1;
    if (!wait_for(o, POLLIN, o->is_lost ? 0 : ms))
      return false;
  }
}

static bool has_room(const struct media_observer *o)
{
  return o->seq - o->acked < HM_GATE_WINDOW;
}

/* Send o->out, which is an OBSERVE iff numbered. False: dropped. */
static bool deliver(struct media_observer *o, bool numbered)
{
  while (is_ready(o)) {
    enum hm_status status = HM_FULL;

    if (!numbered || has_room(o)) {
      if (numbered)
        o->out.u.observe.seq = o->seq + 1;
      status = say(o, &o->out);
    }
    if (status == HM_OK) {
      o->seq += numbered;
      return true;
    }
    if (!o->waits && status != HM_UNREACHABLE)
      return false;
    if (status == HM_TIMEOUT)
      wait_for(o, 0, 20);
    else if (status == HM_FULL)
      wait_for(o, numbered && !has_room(o) ? POLLIN : POLLIN | POLLOUT, 1000);
    else if (status != HM_UNREACHABLE)
      return false;
  }
  return false;
}

/* ---- frames ---------------------------------------------------------------------- */

static enum hm_gate_format format_of(enum hm_format format)
{
  switch (format) {
  case HM_I420:
    return HM_GATE_I420;
  case HM_NV12:
    return HM_GATE_NV12;
  default:
    return HM_GATE_GRAY8;
  }
}

static void put_observation(struct media_observer *o, const struct hm_tiles_meta *tiles,
                            GstClockTime pts, const struct hm_region *region)
{
  struct hm_gate_message *m = &o->out;
  const uint16_t box[4] = {region->box.x, region->box.y, region->box.width, region->box.height};

  memset(m, 0, sizeof *m);
  m->kind = HM_GATE_OBSERVE;
  m->u.observe.frame = tiles->frame;
  m->u.observe.has_pts = GST_CLOCK_TIME_IS_VALID(pts);
  m->u.observe.pts_ns = m->u.observe.has_pts ? pts : 0;
  m->u.observe.boottime_ns = tiles->boottime_ns;
  m->u.observe.width = tiles->width;
  m->u.observe.height = tiles->height;
  m->u.observe.format = format_of(tiles->format);
  memcpy(m->u.observe.region, box, sizeof box);
  memcpy(m->u.observe.factors, tiles->trust.factors, sizeof m->u.observe.factors);
  for (size_t i = 0; i < HM_VALUE_PARTS; i++) {
    m->u.observe.has_value[i] = region->parts[i] != HM_VALUE_UNMEASURED;
    m->u.observe.value[i] = m->u.observe.has_value[i] ? region->parts[i] : 0;
  }
  if (!region->is_memory)
    return;
  m->u.observe.picture = hm_bytes(region->picture, HM_GATE_PICTURE);
  m->u.observe.vector = hm_bytes(region->vector, HM_VECTOR_DIMENSION);
  m->u.observe.has_encoder = true;
  memcpy(m->u.observe.encoder, hm_region_encoder_hash, HM_HASH);
}

/* A packet's text: UTF-8 without control characters, at most HM_GATE_TEXT bytes. */
static void fit_text(const char *text, char out[HM_GATE_TEXT + 1])
{
  g_autofree gchar *valid = g_utf8_make_valid(text, -1);
  const gchar *end = NULL;

  for (gchar *c = valid; *c != '\0'; c++)
    if (g_ascii_iscntrl(*c))
      *c = ' ';
  g_strlcpy(out, valid, HM_GATE_TEXT + 1);
  if (!g_utf8_validate(out, -1, &end))
    out[end - out] = '\0';
}

static void add_event(struct media_observer *o, enum hm_gate_event event, uint64_t frame,
                      const char *text)
{
  struct event *e;

  if (o->event_count == EVENTS) { /* the oldest is the least news */
    memmove(o->events, o->events + 1, (EVENTS - 1) * sizeof o->events[0]);
    o->event_count--;
  }
  e = &o->events[o->event_count++];
  e->event = event;
  e->frame = frame;
  fit_text(text, e->text);
}

/* What was dropped is told once it goes again. */
static void tell_dropped(struct media_observer *o, uint64_t frame)
{
  char text[HM_GATE_TEXT + 1];

  if (o->dropped == 0 || !o->is_accepted)
    return;
  snprintf(text, sizeof text, "%llu", (unsigned long long)o->dropped);
  o->dropped = 0;
  add_event(o, HM_GATE_EVENT_DROPPED, frame, text);
}

void media_observer_frame(struct media_observer *o, const struct hm_tiles_meta *tiles,
                          GstClockTime pts)
{
  uint32_t i = 0;
  bool went;

  pthread_mutex_lock(&o->lock);
  memset(&o->out, 0, sizeof o->out);
  o->out.kind = HM_GATE_PERIPHERAL_RECORD;
  memcpy(o->out.u.peripheral.record, tiles->record, HM_GATE_PERIPHERAL);
  went = deliver(o, false);
  o->dropped += !went;
  for (; i < tiles->region_count && went; i++) {
    if (!tiles->regions[i].is_observation)
      continue;
    put_observation(o, tiles, pts, &tiles->regions[i]);
    went = deliver(o, true);
    if (!went)
      break;
  }
  for (; i < tiles->region_count; i++) /* these have the lowest value of the frame */
    o->dropped += tiles->regions[i].is_observation;
  if (went)
    tell_dropped(o, tiles->frame);
  turn(o);
  pthread_mutex_unlock(&o->lock);
}

void media_observer_end(struct media_observer *o, uint64_t frame)
{
  struct event end = {.event = HM_GATE_EVENT_END, .frame = frame};
  uint64_t until_ns = hm_boottime_ns() + END_MS * UINT64_C(1000000);

  pthread_mutex_lock(&o->lock);
  tell_dropped(o, frame);
  turn(o);
  put_event(&o->out, &end);
  if (deliver(o, false))
    while (o->is_accepted && o->acked < o->seq && !o->is_stopping && hm_boottime_ns() < until_ns) {
      wait_for(o, POLLIN, 1000);
      turn(o);
    }
  if (o->acked < o->seq)
    hm_log(HM_LOG_WARNING, "observer-end", "%s: ended with %llu observations not confirmed",
           o->sensor, (unsigned long long)(o->seq - o->acked));
  pthread_mutex_unlock(&o->lock);
}

void media_observer_event(struct media_observer *o, enum hm_gate_event event, uint64_t frame,
                          const char *text)
{
  pthread_mutex_lock(&o->lock);
  add_event(o, event, frame, text);
  if (!o->is_polling)
    turn(o);
  pthread_mutex_unlock(&o->lock);
}

void media_observer_tick(struct media_observer *o)
{
  pthread_mutex_lock(&o->lock);
  if (!o->is_polling)
    turn(o);
  pthread_mutex_unlock(&o->lock);
}

void media_observer_interrupt(struct media_observer *o, bool is_interrupted)
{
  uint64_t count = 1;
  ssize_t ignored;

  pthread_mutex_lock(&o->lock);
  o->is_stopping = is_interrupted;
  if (is_interrupted)
    ignored = write(o->wake, &count, sizeof count);
  else
    ignored = read(o->wake, &count, sizeof count);
  (void)ignored;
  pthread_mutex_unlock(&o->lock);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The connection to the authority. Questions wait in a queue and travel one at a
 * time; a connection that just came up says hello first, whatever waits. What comes
 * back is believed as far as its signature under the pinned key goes. Its log is
 * followed in daemon_follow.c.
 */
#include "services/daemon_link_inside.h"

#include <errno.h>
#include <glib-unix.h>
#include <unistd.h>

#include "services/daemon_operations.h"
#include "trust/crypto_openssl.h"

enum {
  ASK_TIMEOUT_S = 10,
  HELLO_EVERY_S = 3600,
  RETRY_S = 5,
  QUEUE_MAX = 64,
  ASKED_A_SECOND = 50 /* the authority closes above 100 */
};

struct question {
  GBytes *packet;
  enum hm_auth_kind kind;
  hm_link_done done;
  void *user;
};

static void pump_soon(struct hm_link *link);

/* ---- answering ------------------------------------------------------------------------------- */

static void answer_question(struct question *q, const struct hm_error *error,
                            const struct hm_auth_answer *answer)
{
  if (q->done != NULL)
    q->done(q->user, error, answer);
  g_bytes_unref(q->packet);
  g_free(q);
}

static void disconnect(struct hm_link *link)
{
  if (link->readable != 0)
    g_source_remove(link->readable);
  if (link->timeout != 0)
    g_source_remove(link->timeout);
  link->readable = link->timeout = 0;
  if (link->fd >= 0)
    close(link->fd);
  link->fd = -1;
}

/* The connection is lost: everyone who waits hears why. */
static void fail_all(struct hm_link *link, const struct hm_error *error)
{
  GQueue waiting = link->questions;
  g_queue_init(&link->questions);
  link->is_asked = false;
  disconnect(link);
  struct question *q;
  while ((q = g_queue_pop_head(&waiting)) != NULL)
    answer_question(q, error, NULL);
}

static gboolean on_timeout(gpointer data)
{
  struct hm_link *link = data;
  struct hm_error error;
  link->timeout = 0;
  hm_fail(&error, HM_TIMEOUT, "authority: no answer within %d s at %s", ASK_TIMEOUT_S, link->path);
  fail_all(link, &error);
  return G_SOURCE_REMOVE;
}

static void take_answer(struct hm_link *link, struct hm_bytes message)
{
  static struct hm_auth_answer answer; /* large; main thread only */
  struct hm_where where = {0};
  struct hm_error error = {.status = HM_OK};
  struct question *q = g_queue_peek_head(&link->questions);
  if (q == NULL || !link->is_asked) {
    hm_fail(&error, HM_MALFORMED, "authority: an answer to no question");
    fail_all(link, &error);
    return;
  }
  enum hm_status status = hm_auth_answer_decode(message, &answer, &where);
  if (status == HM_OK && answer.kind != HM_AUTH_ERROR && answer.kind != q->kind)
    status = HM_WRONG_TYPE;
  if (status != HM_OK) {
    hm_fail(&error, status, "authority: answer to %s: %s: %s", hm_auth_kind_text(q->kind),
            where.field != NULL ? where.field : "packet", hm_status_text(status));
    fail_all(link, &error);
    return;
  }
  g_source_remove(link->timeout);
  link->timeout = 0;
  link->is_asked = false;
  g_queue_pop_head(&link->questions);
  pump_soon(link);
  if (answer.kind == HM_AUTH_ERROR) {
    status = hm_auth_answer_status(&answer, &error);
    error.status = status;
    answer_question(q, &error, NULL);
  } else {
    answer_question(q, &error, &answer);
  }
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
  struct hm_link *link = data;
  struct hm_error error;
  size_t len;
  (void)condition;
  enum hm_status status = hm_packet_receive(fd, link->in, sizeof link->in, &len);
  if (status == HM_NOT_FOUND)
    return G_SOURCE_CONTINUE;
  if (status == HM_OK) {
    take_answer(link, hm_bytes(link->in, len));
    hm_wipe(link->in, len); /* sections of a pairing go with its secrets */
    return G_SOURCE_CONTINUE;
  }
  hm_fail(&error, status == HM_TOO_LARGE ? status : HM_UNREACHABLE, "authority: %s closed",
          link->path);
  fail_all(link, &error);
  return G_SOURCE_REMOVE;
}

/* ---- hello --------------------------------------------------------------------------------------
 */

static void synced(void *user, const struct hm_error *error)
{
  struct hm_link *link = user;
  if (error->status != HM_OK)
    hm_log(HM_LOG_WARNING, "authority-sync", "%s", hm_error_text(error));
  else
    hm_revocations_tell(link->core);
}

static enum hm_status take_time(struct hm_link *link, const struct hm_auth_hello_answer *hello,
                                struct hm_error *err)
{
  struct hm_core *core = link->core;
  struct hm_signed_time time;
  if (memcmp(hello->key, core->authority_point, 64) != 0)
    return hm_fail(err, HM_UNPINNED, "authority: %s has another key than the one pinned at init",
                   link->path);
  HM_TRY(hm_signed_time_open(core->crypto, hello->time, core->authority_point, &time, NULL));
  if (memcmp(time.nonce, link->nonce, 16) != 0)
    return hm_fail(err, HM_REPLAY, "authority: its time answers another question");
  HM_TRY(hm_clock_heard(&core->clock, time.iat, link->hello_sent_ns));
  link->hello_ns = hm_boottime_ns();
  link->heard_s = time.iat;
  link->heard_revocations = time.revocations;
  struct hm_now now = hm_core_now(core);
  hm_floor_raise(&core->floor, &now, time.iat);
  return HM_OK;
}

static void on_hello(void *user, const struct hm_error *error, const struct hm_auth_answer *answer)
{
  struct hm_link *link = user;
  struct hm_error err = *error;
  if (answer != NULL) {
    enum hm_status status = take_time(link, &answer->u.hello, &err);
    if (status != HM_OK && err.text[0] == '\0')
      hm_fail(&err, status, "authority: hello: %s", hm_status_text(status));
    err.status = status;
  }
  if (err.status != HM_OK) {
    hm_log(HM_LOG_WARNING, "authority-hello", "%s", hm_error_text(&err));
    link->core->time_refused += answer != NULL;
    if (err.status ==
        HM_UNPINNED) /* a stranger is asked nothing, and its errors count for nothing */
      fail_all(link, &err);
    return;
  }
  hm_link_sync(link->core, synced, link);
}

/* Hello goes before everything that waits. */
static void say_hello(struct hm_link *link)
{
  struct hm_auth_question question = {.kind = HM_AUTH_HELLO};
  uint8_t packet[64];
  struct hm_out out = hm_out(packet, sizeof packet);
  question.u.hello.version = HM_AUTH_VERSION;
  if (hm_random(link->nonce, sizeof link->nonce) != HM_OK)
    return;
  memcpy(question.u.hello.nonce, link->nonce, 16);
  if (hm_auth_question_encode(&question, &out) != HM_OK || hm_out_status(&out) != HM_OK)
    return;
  struct question *q = g_new0(struct question, 1);
  q->packet = g_bytes_new(packet, out.len);
  q->kind = HM_AUTH_HELLO;
  q->done = on_hello;
  q->user = link;
  g_queue_push_head(&link->questions, q);
  link->hello_sent_ns = hm_boottime_ns();
}

/* ---- asking
 * --------------------------------------------------------------------------------------- */

static bool connect_now(struct hm_link *link, struct hm_error *err)
{
  if (link->fd >= 0)
    return true;
  if (hm_packet_connect(link->path, &link->fd, err) != HM_OK) {
    link->fd = -1;
    return false;
  }
  link->readable = g_unix_fd_add(link->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, link);
  say_hello(link);
  return true;
}

static gboolean pump(gpointer data);

/* Too many in this second: go on in a moment. */
static bool is_too_fast(struct hm_link *link)
{
  uint64_t second = hm_boottime_ns() / 1000000000u;
  if (second != link->second) {
    link->second = second;
    link->asked = 0;
  }
  if (link->asked++ < ASKED_A_SECOND)
    return false;
  link->pump = g_timeout_add(100, pump, link);
  return true;
}

static gboolean pump(gpointer data)
{
  struct hm_link *link = data;
  struct hm_error error = {0};
  link->pump = 0;
  if (link->is_asked || g_queue_is_empty(&link->questions) || is_too_fast(link))
    return G_SOURCE_REMOVE;
  if (!connect_now(link, &error)) {
    fail_all(link, &error);
    return G_SOURCE_REMOVE;
  }
  struct question *q = g_queue_peek_head(&link->questions);
  gsize len;
  const void *data_out = g_bytes_get_data(q->packet, &len);
  enum hm_status status = hm_packet_send(link->fd, hm_bytes(data_out, len));
  if (status != HM_OK) {
    hm_fail(&error, HM_UNREACHABLE, "authority: %s does not read", link->path);
    fail_all(link, &error);
    return G_SOURCE_REMOVE;
  }
  link->is_asked = true;
  link->timeout = g_timeout_add_seconds(ASK_TIMEOUT_S, on_timeout, link);
  return G_SOURCE_REMOVE;
}

static void pump_soon(struct hm_link *link)
{
  if (link->pump == 0)
    link->pump = g_idle_add(pump, link);
}

static gboolean too_many(gpointer data)
{
  struct question *q = data;
  struct hm_error error;
  hm_fail(&error, HM_FULL, "authority: %d questions wait", QUEUE_MAX);
  answer_question(q, &error, NULL);
  return G_SOURCE_REMOVE;
}

static gboolean stopped(gpointer data)
{
  struct question *q = data;
  struct hm_error error;
  hm_fail(&error, HM_UNREACHABLE, "hallmarkd stops");
  answer_question(q, &error, NULL);
  return G_SOURCE_REMOVE;
}

void hm_link_ask(struct hm_core *core, const struct hm_auth_question *question, hm_link_done done,
                 void *user)
{
  static uint8_t packet[HM_AUTH_MESSAGE_MAX];
  struct hm_link *link = core->link;
  struct hm_out out = hm_out(packet, sizeof packet);
  struct question *q = g_new0(struct question, 1);
  bool is_good = hm_auth_question_encode(question, &out) == HM_OK && hm_out_status(&out) == HM_OK;
  q->packet = g_bytes_new(packet, is_good ? out.len : 0);
  q->kind = question->kind;
  q->done = done;
  q->user = user;
  if (link == NULL) {
    g_idle_add(stopped, q);
    return;
  }
  if (!is_good || g_queue_get_length(&link->questions) >= QUEUE_MAX) {
    g_idle_add(too_many, q);
    return;
  }
  g_queue_push_tail(&link->questions, q);
  pump_soon(link);
}

static void polled(void *user, const struct hm_error *error)
{
  (void)user;
  if (error->status != HM_OK)
    hm_log(HM_LOG_WARNING, "authority-sync", "%s", hm_error_text(error));
}

/* A silent authority is looked for every few seconds; a present one is greeted hourly,
 * and asked for new revocations, for nobody else may tell us of those. */
static gboolean on_retry(gpointer data)
{
  struct hm_link *link = data;
  bool is_due = hm_boottime_ns() - link->hello_ns > (uint64_t)HELLO_EVERY_S * 1000000000u;
  if (link->fd >= 0 && (link->hello_ns == 0 || is_due) && !link->is_asked &&
      g_queue_is_empty(&link->questions)) {
    say_hello(link);
    pump_soon(link);
  } else if (link->fd < 0 && connect_now(link, NULL)) {
    pump_soon(link);
  } else if (link->fd >= 0 && !link->is_asked && g_queue_is_empty(&link->syncs)) {
    hm_link_sync(link->core, polled, NULL);
  }
  return G_SOURCE_CONTINUE;
}

bool hm_link_is_up(const struct hm_core *core)
{
  return core->link != NULL && core->link->fd >= 0 && core->link->hello_ns != 0;
}

uint64_t hm_link_heard_s(const struct hm_core *core)
{
  return core->link == NULL ? 0 : core->link->heard_s;
}

/* ---- start, stop
 * --------------------------------------------------------------------------------------- */

enum hm_status hm_link_start(struct hm_core *core, struct hm_error *err)
{
  struct hm_link *link = g_new0(struct hm_link, 1);
  core->link = link;
  link->core = core;
  link->fd = -1;
  g_queue_init(&link->questions);
  g_queue_init(&link->syncs);
  HM_TRY(hm_path_join(link->path, core->paths.run, "authority.sock", err));
  HM_TRY(hm_path_join(link->kept, core->paths.keys, "authority.checkpoint", err));
  HM_TRY(hm_link_load_held(link, err));
  if (connect_now(link, NULL))
    pump_soon(link);
  link->retry = g_timeout_add_seconds(RETRY_S, on_retry, link);
  return HM_OK;
}

void hm_link_stop(struct hm_core *core)
{
  struct hm_error error;
  struct hm_link *link = core->link;
  if (link == NULL)
    return;
  if (link->retry != 0)
    g_source_remove(link->retry);
  hm_fail(&error, HM_UNREACHABLE, "hallmarkd stops");
  do /* who hears it may ask again */
    fail_all(link, &error);
  while (!g_queue_is_empty(&link->questions));
  if (link->pump != 0)
    g_source_remove(link->pump);
  core->link = NULL;
  g_free(link);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A sensor is either a pipeline here or a child that has it. Both stand in one table
 * by the sensor's name.
 */
#include "services/media_control.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sensors/gate_link.h"
#include "services/media_discover.h"
#include "services/media_pipeline.h"

enum { SENSORS_MAX = 32, CHILD_RETRY_MOST_S = 90, CHILD_END_MS = 3000, CHILD_SOCKET = 3 };

struct sensor {
  struct media_control *control;
  struct media_pipeline *pipeline; /* or a child: */
  struct media_start start;        /* its strings are ours */
  GPid child;                      /* 0: none */
  struct hm_gate_link to_child;
  guint watch, retry;
  guint retry_s;
};

struct media_control {
  char *socket, *program;
  GMainLoop *loop;
  gboolean is_child;
  struct hm_gate_link link;
  guint readable, retry;
  guint32 retry_ms;
  GHashTable *sensors; /* name -> struct sensor */
  struct hm_gate_message in, out;
};

static void connect_now(struct media_control *c);

/* ---- children -------------------------------------------------------------------- */

static void spawn(struct sensor *s);

static gboolean spawn_again(gpointer data)
{
  struct sensor *s = (struct sensor *)data;

  s->retry = 0;
  spawn(s);
  return G_SOURCE_REMOVE;
}

static void spawn_later(struct sensor *s)
{
  s->retry_s = s->retry_s == 0 ? 1 : MIN(s->retry_s * 2, CHILD_RETRY_MOST_S);
  s->retry = g_timeout_add_seconds(s->retry_s, spawn_again, s);
}

static void child_ended(GPid pid, gint status, gpointer data)
{
  struct sensor *s = (struct sensor *)data;

  g_spawn_close_pid(pid);
  s->child = 0;
  s->watch = 0;
  hm_gate_link_close(&s->to_child);
  hm_log(HM_LOG_WARNING, "child-ended", "%s: its process ended (%s %d)", s->start.sensor,
         WIFSIGNALED(status) ? "signal" : "exit",
         WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
  spawn_later(s);
}

static void put_start(struct hm_gate_message *m, const struct media_start *start)
{
  memset(m, 0, sizeof *m);
  m->kind = HM_GATE_START;
  m->u.start.sensor = hm_bytes(start->sensor, strlen(start->sensor));
  m->u.start.source = hm_bytes(start->source, strlen(start->source));
  memcpy(m->u.start.lct, start->lct, HM_HASH);
}

static gboolean run_child(struct sensor *s, int theirs, GError **error)
{
  const gchar *argv[] = {s->control->program, "--socket", s->control->socket, "--isolated", NULL};
  const gint from[] = {theirs};
  const gint to[] = {CHILD_SOCKET};

  return g_spawn_async_with_pipes_and_fds(
      NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_CHILD_INHERITS_STDERR, NULL, NULL, -1,
      -1, -1, from, to, 1, &s->child, NULL, NULL, NULL, error);
}

static void spawn(struct sensor *s)
{
  g_autoptr(GError) error = NULL;
  int pair[2] = {-1, -1};

  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) != 0) {
    hm_log(HM_LOG_ERROR, "child-start", "%s: no socket for its process: %s", s->start.sensor,
           g_strerror(errno));
    spawn_later(s);
    return;
  }
  s->to_child.fd = pair[0];
  put_start(&s->control->out, &s->start);
  if (hm_gate_link_say(&s->to_child, &s->control->out) == HM_OK && run_child(s, pair[1], &error)) {
    s->watch = g_child_watch_add(s->child, child_ended, s);
  } else {
    hm_log(HM_LOG_ERROR, "child-start", "%s: no process for it: %s", s->start.sensor,
           error != NULL ? error->message : "the START does not fit");
    hm_gate_link_close(&s->to_child);
    spawn_later(s);
  }
  close(pair[1]);
}

/* Closing its socket ends a child; one that hangs in a driver is killed. */
static void end_child(struct sensor *s)
{
  int status;

  hm_gate_link_close(&s->to_child);
  if (s->watch != 0)
    g_source_remove(s->watch);
  if (s->retry != 0)
    g_source_remove(s->retry);
  for (int ms = 0; s->child != 0 && ms < CHILD_END_MS; ms += 10) {
    if (waitpid(s->child, &status, WNOHANG) != 0)
      s->child = 0;
    else
      g_usleep(10000);
  }
  if (s->child == 0)
    return;
  kill(s->child, SIGKILL);
  waitpid(s->child, &status, 0);
}

/* ---- sensors --------------------------------------------------------------------- */

static void sensor_free(gpointer data)
{
  struct sensor *s = (struct sensor *)data;
  gchar *source = (gchar *)(uintptr_t)s->start.source;

  media_pipeline_stop(s->pipeline);
  end_child(s);
  hm_wipe(source, strlen(source));
  g_free(source);
  g_free((gchar *)(uintptr_t)s->start.sensor);
  g_free(s);
}

static gboolean runs_already(const struct sensor *s, const struct media_start *start)
{
  if (s->pipeline != NULL)
    return media_pipeline_is_running(s->pipeline) && media_pipeline_is_of(s->pipeline, start);
  return strcmp(s->start.source, start->source) == 0 &&
         memcmp(s->start.lct, start->lct, HM_HASH) == 0;
}

static void start_sensor(struct media_control *c, const struct media_start *start, bool isolate)
{
  struct hm_error err = {HM_OK, ""};
  struct sensor *s = g_hash_table_lookup(c->sensors, start->sensor);

  if (s != NULL && runs_already(s, start) && (s->pipeline == NULL) == isolate)
    return;
  g_hash_table_remove(c->sensors, start->sensor);
  if (g_hash_table_size(c->sensors) >= SENSORS_MAX) {
    hm_log(HM_LOG_ERROR, "too-many", "%s: not started: %d sensors run here, the limit",
           start->sensor, SENSORS_MAX);
    return;
  }
  s = g_new0(struct sensor, 1);
  s->control = c;
  s->start = *start;
  s->start.sensor = g_strdup(start->sensor);
  s->start.source = g_strdup(start->source);
  hm_gate_link_init(&s->to_child);
  g_hash_table_insert(c->sensors, g_strdup(start->sensor), s);
  if (isolate)
    spawn(s);
  else if (media_pipeline_start(c->socket, start, &s->pipeline, &err) != HM_OK)
    hm_log(HM_LOG_ERROR, "start", "%s", hm_error_text(&err));
}

/* ---- what the daemon says -------------------------------------------------------- */

static gchar *text_of(struct hm_bytes text)
{
  return g_strndup((const gchar *)text.data, text.len);
}

static void hear_start(struct media_control *c)
{
  g_autofree gchar *sensor = text_of(c->in.u.start.sensor);
  gchar *source = text_of(c->in.u.start.source);
  struct media_start start = {.sensor = sensor, .source = source};

  memcpy(start.lct, c->in.u.start.lct, HM_HASH);
  start_sensor(c, &start, c->in.u.start.isolate && !c->is_child);
  hm_wipe(source, strlen(source));
  hm_wipe(c->link.packet, sizeof c->link.packet);
  g_free(source);
}

static void hear_stop(struct media_control *c)
{
  g_autofree gchar *sensor = text_of(c->in.u.stop.sensor);

  g_hash_table_remove(c->sensors, sensor);
}

static enum hm_status hear_discover(struct media_control *c)
{
  GPtrArray *strings = media_discover(&c->out); /* what c->out points into */
  enum hm_status status = hm_gate_link_say(&c->link, &c->out);

  g_ptr_array_unref(strings);
  return status;
}

static enum hm_status hear_one(struct media_control *c)
{
  switch (c->in.kind) {
  case HM_GATE_ACK:
    if (c->retry_ms != 0)
      hm_log(HM_LOG_INFO, "connected", "connected to hallmarkd");
    c->retry_ms = 0;
    return HM_OK;
  case HM_GATE_START:
    hear_start(c);
    return HM_OK;
  case HM_GATE_STOP:
    hear_stop(c);
    return HM_OK;
  case HM_GATE_DISCOVER:
    return hear_discover(c);
  case HM_GATE_ERROR:
    hm_log(HM_LOG_WARNING, "refused", "hallmarkd refuses this program: %.*s",
           (int)c->in.u.error.text.len, (const char *)c->in.u.error.text.data);
    return HM_DENIED;
  default:
    hm_log(HM_LOG_WARNING, "protocol", "hallmarkd said what it may not say here");
    return HM_WRONG_TYPE;
  }
}

/* ---- the connection -------------------------------------------------------------- */

static gboolean connect_again(gpointer data)
{
  struct media_control *c = (struct media_control *)data;

  c->retry = 0;
  connect_now(c);
  return G_SOURCE_REMOVE;
}

static void lost(struct media_control *c)
{
  if (c->is_child) {
    g_main_loop_quit(c->loop);
    return;
  }
  hm_gate_link_close(&c->link);
  c->retry_ms = hm_gate_retry_ms(c->retry_ms);
  c->retry = g_timeout_add(c->retry_ms, connect_again, c);
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
  struct media_control *c = (struct media_control *)data;
  enum hm_status status = HM_OK;

  (void)fd;
  (void)condition;
  while (status == HM_OK) {
    status = hm_gate_link_hear(&c->link, &c->in);
    if (status == HM_NOT_FOUND)
      return G_SOURCE_CONTINUE;
    if (status == HM_OK)
      status = hear_one(c);
  }
  c->readable = 0;
  lost(c);
  return G_SOURCE_REMOVE;
}

static void connect_now(struct media_control *c)
{
  enum hm_status status = HM_OK;

  if (!c->is_child)
    status = hm_gate_link_open(&c->link, c->socket, HM_GATE_ROLE_MEDIA, "");
  if (status == HM_OK) {
    c->readable = g_unix_fd_add(c->link.fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, c);
    return;
  }
  if (c->retry_ms == 0)
    hm_log(HM_LOG_INFO, "waiting", "waiting for hallmarkd at %s: %s", c->socket,
           hm_status_text(status));
  lost(c);
}

struct media_control *media_control_new(const struct media_control_config *config)
{
  struct media_control *c = g_new0(struct media_control, 1);

  c->socket = g_strdup(config->socket);
  c->program = g_strdup(config->program);
  c->loop = config->loop;
  c->is_child = config->parent >= 0;
  c->sensors = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, sensor_free);
  hm_gate_link_init(&c->link);
  if (c->is_child) {
    c->link.fd = config->parent;
    (void)fcntl(config->parent, F_SETFD, FD_CLOEXEC);
  }
  connect_now(c);
  return c;
}

void media_control_free(struct media_control *c)
{
  if (c == NULL)
    return;
  if (c->readable != 0)
    g_source_remove(c->readable);
  if (c->retry != 0)
    g_source_remove(c->retry);
  g_hash_table_unref(c->sensors);
  hm_gate_link_close(&c->link);
  g_free(c->socket);
  g_free(c->program);
  g_free(c);
}

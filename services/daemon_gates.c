/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The server of gate.sock. Each connection is untrusted until its HELLO was
 * accepted and mistrusted after it: one role, one sensor, only the packets of that
 * role, at most so many a second. What breaks a rule is told once, closed, counted.
 *
 *   accept -> (2 s) -> HELLO -> role's table of handlers -> close
 */
#include "services/daemon_gates.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <unistd.h>

/* ---- sending and closing ---------------------------------------------------------------- */

static void release_bound(struct hm_gate_link *link)
{
  struct hm_bound *bound = link->bound;
  if (bound == NULL)
    return;
  if (bound->gate == link) /* its lease may go on: whoever waits for its end waits on */
    bound->gate = NULL;
  if (bound->observer == link)
    bound->observer = NULL;
  link->bound = NULL;
}

static void link_free(struct hm_gate_link *link)
{
  struct hm_gates *gates = link->core->gates;
  if (link->readable != 0)
    g_source_remove(link->readable);
  if (link->hello != 0)
    g_source_remove(link->hello);
  close(link->fd);
  if (link->is_counted)
    hm_admission_leave(&gates->admission, link->peer.uid);
  g_ptr_array_remove_fast(gates->links, link);
  release_bound(link);
  if (link->role == HM_GATE_ROLE_MEDIA)
    hm_media_gone(link);
  g_free(link);
}

static enum hm_status send_packet(int fd, const struct hm_gate_message *message)
{
  uint8_t packet[8192];
  struct hm_out out = hm_out(packet, sizeof packet);
  HM_TRY(hm_gate_encode(message, &out, NULL));
  return hm_packet_send(fd, hm_out_bytes(&out));
}

static void send_error(int fd, enum hm_status status, const char *text)
{
  struct hm_gate_message m = {.kind = HM_GATE_ERROR};
  m.u.error.status = status;
  m.u.error.text = hm_bytes(text, strnlen(text, HM_GATE_TEXT));
  (void)!send_packet(fd, &m); /* it is closed anyway */
}

void hm_gate_close(struct hm_gate_link *link, enum hm_status status, const char *text)
{
  if (status != HM_OK) {
    link->core->gates->refused_messages++;
    hm_log(HM_LOG_WARNING, "gate-refused", "gate.sock: %s%s pid %ld uid %lu: %s",
           link->bound != NULL ? link->bound->name : "", link->bound != NULL ? ":" : "",
           (long)link->peer.pid, (unsigned long)link->peer.uid, text);
    send_error(link->fd, status, text);
  }
  link_free(link);
}

bool hm_gate_send(struct hm_gate_link *link, const struct hm_gate_message *message)
{
  enum hm_status status = send_packet(link->fd, message);
  if (status == HM_OK)
    return true;
  if (status == HM_FULL)
    hm_log(HM_LOG_WARNING, "gate-full", "gate.sock: %s: does not read; closed",
           link->bound != NULL ? link->bound->name : "media service");
  hm_gate_close(link, HM_OK, "");
  return false;
}

/* ---- HELLO ---------------------------------------------------------------------------------- */

/* The unit of a process, as its control group says: "hallmark-media.service". */
static bool is_in_unit(pid_t pid, const char *unit)
{
  char path[64], line[512];
  bool is_it = false;
  g_snprintf(path, sizeof path, "/proc/%ld/cgroup", (long)pid);
  FILE *file = fopen(path, "re");
  while (file != NULL && !is_it && fgets(line, sizeof line, file) != NULL) {
    g_strchomp(line);
    for (char *part = strtok(line, "/"); part != NULL && !is_it; part = strtok(NULL, "/"))
      is_it = strcmp(part, unit) == 0;
  }
  if (file != NULL)
    fclose(file);
  return is_it;
}

/* Why this connection may not have this role, or NULL. */
static const char *refuse_sensor(struct hm_gate_link *link, enum hm_gate_role role,
                                 struct hm_bound *bound, enum hm_status *status)
{
  const struct hm_gate_rule *rule = bound == NULL ? NULL : &bound->rule;
  *status = HM_NOT_FOUND;
  if (bound == NULL || bound->is_host || bound->is_void)
    return "no sensor of that name is bound";
  *status = HM_DENIED;
  if (rule->unit[0] != '\0' ? !is_in_unit(link->peer.pid, rule->unit) : link->peer.uid != rule->uid)
    return "this user or unit may not be the gate of this sensor";
  *status = HM_EXISTS;
  if (role == HM_GATE_ROLE_GATE && bound->gate != NULL)
    return "another gate holds the sensor";
  if (role == HM_GATE_ROLE_OBSERVER && bound->observer != NULL)
    return "another observer holds the sensor";
  return NULL;
}

static const char *refuse_media(struct hm_gate_link *link, enum hm_status *status)
{
  const GPtrArray *links = link->core->gates->links;
  *status = HM_DENIED;
  if (link->peer.uid != link->core->media_uid)
    return "only the media service's user may be it";
  *status = HM_EXISTS;
  for (guint i = 0; i < links->len; i++)
    if (((struct hm_gate_link *)links->pdata[i])->role == HM_GATE_ROLE_MEDIA)
      return "a media service is connected";
  return NULL;
}

static struct hm_bound *sensor_of(struct hm_core *core, struct hm_bytes sensor)
{
  char name[HM_NAME_LETTERS + 1];
  if (sensor.len == 0 || sensor.len > HM_NAME_LETTERS)
    return NULL;
  memcpy(name, sensor.data, sensor.len);
  name[sensor.len] = '\0';
  return hm_bound_named(core, name);
}

/* From here the connection is bounded by what is bound, not by its user. */
static void accepted(struct hm_gate_link *link, enum hm_gate_role role, struct hm_bound *bound)
{
  struct hm_gates *gates = link->core->gates;
  link->role = role;
  link->bound = bound;
  g_source_remove(link->hello);
  link->hello = 0;
  hm_admission_leave(&gates->admission, link->peer.uid);
  link->is_counted = false;
  if (role == HM_GATE_ROLE_GATE) {
    bound->gate = link;
    link->passed_base = bound->passed;
    memcpy(link->dropped_base, bound->dropped, sizeof link->dropped_base);
    bound->fps_at_ns = 0;
  } else if (role == HM_GATE_ROLE_OBSERVER) {
    bound->observer = link;
    link->generation = ++gates->generations;
  }
}

static bool on_hello(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  enum hm_gate_role role = m->u.hello.role;
  enum hm_status status = HM_UNSUPPORTED;
  struct hm_bound *bound = NULL;
  const char *refused = NULL;
  if (m->u.hello.version != HM_GATE_VERSION)
    refused = "this daemon speaks version 1";
  else if (role == HM_GATE_ROLE_MEDIA)
    refused = refuse_media(link, &status);
  else if (role == HM_GATE_ROLE_SINK)
    refused = "external vectors are not taken by this version";
  else
    refused = refuse_sensor(link, role, bound = sensor_of(link->core, m->u.hello.sensor), &status);
  if (refused != NULL) {
    hm_gate_close(link, status, refused);
    return false;
  }
  accepted(link, role, bound);
  struct hm_gate_message ack = {.kind = HM_GATE_ACK};
  if (!hm_gate_send(link, &ack))
    return false;
  if (role == HM_GATE_ROLE_MEDIA)
    hm_media_came(link);
  return true;
}

static gboolean hello_late(gpointer data)
{
  struct hm_gate_link *link = data;
  link->hello = 0;
  hm_gate_close(link, HM_TIMEOUT, "no HELLO within 2 s");
  return G_SOURCE_REMOVE;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static bool on_error(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  char text[HM_GATE_TEXT + 1] = "";
  memcpy(text, m->u.error.text.data, MIN(m->u.error.text.len, HM_GATE_TEXT));
  hm_log(HM_LOG_WARNING, "gate-error", "gate.sock: %s says: %s",
         link->bound != NULL ? link->bound->name : "client", text);
  hm_gate_close(link, HM_OK, "");
  return false;
}

static const struct {
  enum hm_gate_kind kind;
  bool (*take)(struct hm_gate_link *link, const struct hm_gate_message *m);
} handlers[] = {
    {HM_GATE_ASK, hm_gate_on_ask},
    {HM_GATE_CLOSED, hm_gate_on_closed},
    {HM_GATE_PERIPHERAL_RECORD, hm_gate_on_peripheral},
    {HM_GATE_OBSERVE, hm_gate_on_observe},
    {HM_GATE_EVENT, hm_gate_on_event},
    {HM_GATE_SOURCES_LIST, hm_gate_on_sources},
    {HM_GATE_ERROR, on_error},
};

static bool within_rate(struct hm_gate_link *link)
{
  return hm_bucket_take(&link->packets, HM_GATE_PACKETS_A_SECOND, HM_GATE_PACKETS_A_SECOND,
                        hm_boottime_ns());
}

static bool take_packet(struct hm_gate_link *link, struct hm_bytes packet)
{
  struct hm_gate_message *m = &link->core->gates->message;
  struct hm_where where = {0};
  char text[HM_GATE_TEXT + 1];
  enum hm_status status = hm_gate_decode(packet, m, &where);
  if (status != HM_OK) {
    g_snprintf(text, sizeof text, "packet: %.24s: %.30s", where.field != NULL ? where.field : "",
               hm_status_text(status));
    hm_gate_close(link, status, text);
    return false;
  }
  if (link->role == 0) {
    if (m->kind == HM_GATE_HELLO)
      return on_hello(link, m);
    hm_gate_close(link, HM_WRONG_TYPE, "HELLO comes first");
    return false;
  }
  if (m->kind == HM_GATE_HELLO || !hm_gate_may_say(m->kind, true, link->role)) {
    hm_gate_close(link, HM_WRONG_TYPE, "not a packet of this role");
    return false;
  }
  for (size_t i = 0; i < G_N_ELEMENTS(handlers); i++)
    if (handlers[i].kind == m->kind)
      return handlers[i].take(link, m);
  hm_gate_close(link, HM_UNSUPPORTED, "not a packet of this role");
  return false;
}

/* One packet; false: nothing more to read now, or the link is gone. */
static bool read_packet(struct hm_gate_link *link)
{
  uint8_t *buffer = link->core->gates->packet;
  size_t len;
  enum hm_status status = hm_packet_receive(link->fd, buffer, HM_GATE_PACKET, &len);
  if (status == HM_NOT_FOUND)
    return false;
  if (status == HM_TOO_LARGE)
    hm_gate_close(link, status, "a packet has at most 65536 bytes");
  else if (status != HM_OK)
    hm_gate_close(link, HM_OK, "");
  else if (!within_rate(link))
    hm_gate_close(link, HM_POLICY, "over 2000 packets a second");
  else
    return take_packet(link, hm_bytes(buffer, len));
  return false;
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
  struct hm_gate_link *link = data;
  (void)fd;
  (void)condition;
  for (int i = 0; i < HM_GATE_READ_AT_ONCE; i++) {
    if (!hm_observe_has_room(link)) {
      link->is_paused = true;
      link->readable = 0;
      return G_SOURCE_REMOVE;
    }
    if (!read_packet(link))
      break;
  }
  /* Where the link is gone its source was destroyed: what is returned does not matter. */
  return G_SOURCE_CONTINUE;
}

void hm_gates_resume(struct hm_core *core, struct hm_bound *bound)
{
  struct hm_gate_link *link = bound->observer;
  (void)core;
  if (link == NULL || !link->is_paused || !hm_observe_has_room(link))
    return;
  link->is_paused = false;
  link->readable = g_unix_fd_add(link->fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, link);
}

/* ---- accepting --------------------------------------------------------------------------------
 */

static gboolean on_connection(gint fd, GIOCondition condition, gpointer data);

static gboolean accept_again(gpointer data)
{
  struct hm_core *core = data;
  core->gates->accepting = g_unix_fd_add(core->gates->listener, G_IO_IN, on_connection, core);
  return G_SOURCE_REMOVE;
}

static void refuse_connection(struct hm_core *core, int fd, const struct hm_peer *peer,
                              const char *text)
{
  core->gates->refused_connections++;
  hm_log(HM_LOG_WARNING, "gate-connections", "gate.sock: uid %lu: %s", (unsigned long)peer->uid,
         text);
  send_error(fd, HM_FULL, text);
  close(fd);
}

static void add_link(struct hm_core *core, int fd, const struct hm_peer *peer)
{
  struct hm_gates *gates = core->gates;
  if (gates->links->len >= HM_GATE_LINKS) {
    refuse_connection(core, fd, peer, "64 connections are open");
    return;
  }
  if (hm_admission_enter(&gates->admission, peer->uid) != HM_OK) {
    refuse_connection(core, fd, peer, "8 connections of this user without a sensor are open");
    return;
  }
  struct hm_gate_link *link = g_new0(struct hm_gate_link, 1);
  link->core = core;
  link->fd = fd;
  link->peer = *peer;
  link->is_counted = true;
  link->hello = g_timeout_add(HM_GATE_HELLO_MS, hello_late, link);
  link->readable = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_readable, link);
  g_ptr_array_add(gates->links, link);
}

/* A few at a time: a flood of connections must not starve the leases. */
static gboolean on_connection(gint fd, GIOCondition condition, gpointer data)
{
  struct hm_core *core = data;
  (void)condition;
  for (int i = 0; i < 16; i++) {
    struct hm_peer peer;
    struct hm_error err = {0};
    int connection;
    enum hm_status status = hm_packet_accept(fd, &connection, &peer, &err);
    if (status == HM_OK) {
      add_link(core, connection, &peer);
      continue;
    }
    if (status == HM_NOT_FOUND)
      return G_SOURCE_CONTINUE;
    /* No descriptors left, or a peer that is gone already: a pause, not an end. */
    hm_log(HM_LOG_WARNING, "gate-accept", "gate.sock: %s", hm_error_text(&err));
    core->gates->accepting = g_timeout_add(100, accept_again, core);
    return G_SOURCE_REMOVE;
  }
  return G_SOURCE_CONTINUE;
}

enum hm_status hm_gates_start(struct hm_core *core, struct hm_error *err)
{
  char path[HM_FILE_PATH];
  struct hm_gates *gates = g_new0(struct hm_gates, 1);
  gates->links = g_ptr_array_new();
  gates->shuts = g_ptr_array_new();
  gates->questions = g_ptr_array_new();
  gates->admission.most = HM_GATE_LINKS;
  gates->admission.most_of_user = HM_GATE_LINKS_OF_USER;
  gates->listener = -1;
  core->gates = gates;
  HM_TRY(hm_path_join(path, core->paths.run, "gate.sock", err));
  HM_TRY(hm_packet_listen(path, 0660, "hallmark-media", &gates->listener, err));
  gates->accepting = g_unix_fd_add(gates->listener, G_IO_IN, on_connection, core);
  return HM_OK;
}

void hm_gates_stop(struct hm_core *core)
{
  struct hm_gates *gates = core->gates;
  char path[HM_FILE_PATH];
  if (gates == NULL)
    return;
  if (gates->accepting != 0)
    g_source_remove(gates->accepting);
  hm_grants_stop(core);
  while (gates->links->len > 0)
    hm_gate_close(gates->links->pdata[0], HM_OK, "");
  if (gates->listener >= 0) {
    close(gates->listener);
    if (hm_path_join(path, core->paths.run, "gate.sock", NULL) == HM_OK)
      (void)unlink(path);
  }
  g_ptr_array_unref(gates->links);
  g_ptr_array_unref(gates->shuts);
  g_ptr_array_unref(gates->questions);
  g_free(gates);
  core->gates = NULL;
}

void hm_gates_counts(const struct hm_core *core, struct hm_gate_counts *out)
{
  memset(out, 0, sizeof *out);
  if (core->gates == NULL)
    return;
  out->connections = core->gates->links->len;
  out->refused_connections = core->gates->refused_connections;
  out->refused_messages = core->gates->refused_messages;
  for (guint i = 0; i < core->gates->links->len; i++) {
    const struct hm_gate_link *link = core->gates->links->pdata[i];
    out->gates += link->role == HM_GATE_ROLE_GATE;
    out->observers += link->role == HM_GATE_ROLE_OBSERVER;
    out->media += link->role == HM_GATE_ROLE_MEDIA;
  }
}

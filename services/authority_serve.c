/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One thread and one poll: a question is answered before the next is read, so nothing
 * is shared and the order of the log is the order of the answers.
 */
#include "services/authority_serve.h"

#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "services/clock.h"
#include "services/names.h"
#include "services/notify.h"

struct connection {
  int fd; /* -1: free */
  uid_t uid;
  uint64_t second; /* of boottime, and what came in it */
  unsigned messages;
};

struct server {
  struct hm_authority *a;
  int listener, signals;
  bool is_inherited;
  const char *path;
  bool has_hallmark;
  uid_t hallmark;
  struct hm_admission admission;
  struct connection connections[HM_SERVE_CONNECTIONS];
  bool is_dirty; /* the registry file is behind */
  uint64_t written_ns;
  uint8_t in[HM_AUTH_MESSAGE_MAX];
  uint8_t out[HM_AUTH_MESSAGE_MAX];
};

static void drop(struct server *s, struct connection *c)
{
  (void)close(c->fd);
  c->fd = -1;
  hm_admission_leave(&s->admission, c->uid);
}

static bool may_enter(const struct server *s, uid_t uid)
{
  return uid == 0 || uid == geteuid() || (s->has_hallmark && uid == s->hallmark);
}

static void take_connection(struct server *s)
{
  struct hm_error err = {HM_OK, ""};
  struct hm_peer peer;
  int fd = -1;
  enum hm_status status = hm_packet_accept(s->listener, &fd, &peer, &err);
  if (status == HM_NOT_FOUND)
    return;
  if (status != HM_OK) {
    hm_log(HM_LOG_WARNING, "accept", "%s", hm_error_text(&err));
    return;
  }
  struct connection *slot = NULL;
  for (size_t i = 0; i < HM_SERVE_CONNECTIONS && slot == NULL; i++)
    if (s->connections[i].fd < 0)
      slot = &s->connections[i];
  if (!may_enter(s, peer.uid)) {
    hm_log(HM_LOG_WARNING, "peer", "closed a connection of uid %u: not root, hallmark or uid %u",
           (unsigned)peer.uid, (unsigned)geteuid());
    (void)close(fd);
  } else if (slot == NULL || hm_admission_enter(&s->admission, peer.uid) != HM_OK) {
    hm_log(HM_LOG_WARNING, "limit", "closed a connection of uid %u: over %d, or %d of one user",
           (unsigned)peer.uid, HM_SERVE_CONNECTIONS, HM_SERVE_OF_USER);
    (void)close(fd);
  } else {
    *slot = (struct connection){.fd = fd, .uid = peer.uid};
  }
}

static bool is_over_rate(struct connection *c)
{
  uint64_t second = hm_boottime_ns() / 1000000000u;
  if (second != c->second) {
    c->second = second;
    c->messages = 0;
  }
  return ++c->messages > HM_SERVE_RATE;
}

/* One message of one connection. What cannot be received or sent ends the connection;
 * a wrong question gets its error and may be followed by a right one. */
static void serve_one(struct server *s, struct connection *c)
{
  size_t len = 0;
  enum hm_status status = hm_packet_receive(c->fd, s->in, sizeof s->in, &len);
  if (status == HM_NOT_FOUND)
    return;
  if (status != HM_OK || is_over_rate(c)) {
    if (status != HM_UNREACHABLE)
      hm_log(HM_LOG_WARNING, "message", "closed a connection of uid %u: %s", (unsigned)c->uid,
             status == HM_OK ? "too many messages a second" : hm_status_text(status));
    drop(s, c);
    return;
  }
  struct hm_error said = {HM_OK, ""};
  struct hm_out out = hm_out(s->out, sizeof s->out);
  uint64_t before = hm_log_size(s->a->log);
  status = hm_authority_answer(s->a, hm_bytes(s->in, len), &out, &said);
  if (said.status != HM_OK)
    hm_log(HM_LOG_NOTICE, "refused", "refused uid %u: %s", (unsigned)c->uid, hm_error_text(&said));
  s->is_dirty = s->is_dirty || hm_log_size(s->a->log) != before;
  if (status != HM_OK || hm_packet_send(c->fd, hm_out_bytes(&out)) != HM_OK)
    drop(s, c);
  hm_wipe(s->out, sizeof s->out); /* of a pairing's sections nothing stays here */
}

/* A small registry is written almost at once, a large one at most each second. */
static int registry_interval_ms(const struct server *s)
{
  size_t objects =
      hm_registry_entity_count(s->a->registry) + hm_registry_pairing_count(s->a->registry);
  return objects < 1000 ? 20 : 1000;
}

static void write_registry_when_due(struct server *s, bool now)
{
  struct hm_error err = {HM_OK, ""};
  uint64_t interval_ns = (uint64_t)registry_interval_ms(s) * 1000000u;
  if (!s->is_dirty || (!now && hm_boottime_ns() - s->written_ns < interval_ns))
    return;
  if (hm_authority_write_registry(s->a, &err) != HM_OK)
    hm_log(HM_LOG_WARNING, "registry", "%s", hm_error_text(&err));
  s->is_dirty = false;
  s->written_ns = hm_boottime_ns();
}

/* False: a signal asked to stop. */
static bool turn(struct server *s)
{
  struct pollfd polled[2 + HM_SERVE_CONNECTIONS];
  struct connection *who[2 + HM_SERVE_CONNECTIONS];
  nfds_t count = 2;
  polled[0] = (struct pollfd){s->signals, POLLIN, 0};
  polled[1] = (struct pollfd){s->listener, POLLIN, 0};
  for (size_t i = 0; i < HM_SERVE_CONNECTIONS; i++) {
    if (s->connections[i].fd < 0)
      continue;
    polled[count] = (struct pollfd){s->connections[i].fd, POLLIN, 0};
    who[count++] = &s->connections[i];
  }
  int ready = poll(polled, count, s->is_dirty ? registry_interval_ms(s) : -1);
  if (ready < 0 && errno != EINTR) {
    hm_log(HM_LOG_ERROR, "poll", "poll: %s", g_strerror(errno));
    return false;
  }
  if (ready > 0 && (polled[0].revents & POLLIN) != 0)
    return false;
  for (nfds_t i = 2; ready > 0 && i < count; i++)
    if (polled[i].revents != 0)
      serve_one(s, who[i]);
  if (ready > 0 && (polled[1].revents & POLLIN) != 0)
    take_connection(s);
  write_registry_when_due(s, false);
  return true;
}

static enum hm_status open_doors(struct server *s, struct hm_error *err)
{
  sigset_t stop;
  (void)sigemptyset(&stop);
  (void)sigaddset(&stop, SIGTERM);
  (void)sigaddset(&stop, SIGINT);
  (void)sigprocmask(SIG_BLOCK, &stop, NULL);
  s->signals = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
  if (s->signals < 0)
    return hm_fail_errno(err, HM_IO, errno, "signalfd");
  enum hm_status status = hm_packet_inherited(&s->listener, err);
  s->is_inherited = status == HM_OK;
  if (status != HM_NOT_FOUND)
    return status;
  return hm_packet_listen(s->path, 0660, "hallmark", &s->listener, err);
}

static void close_doors(struct server *s)
{
  for (size_t i = 0; i < HM_SERVE_CONNECTIONS; i++)
    if (s->connections[i].fd >= 0)
      drop(s, &s->connections[i]);
  if (s->listener >= 0) {
    (void)close(s->listener);
    if (!s->is_inherited)
      (void)unlink(s->path);
  }
  if (s->signals >= 0)
    (void)close(s->signals);
}

enum hm_status hm_authority_serve(struct hm_authority *a, const char *socket_path,
                                  struct hm_error *err)
{
  struct server *s = g_new0(struct server, 1);
  s->a = a;
  s->path = socket_path;
  s->listener = s->signals = -1;
  s->admission.most = HM_SERVE_CONNECTIONS;
  s->admission.most_of_user = HM_SERVE_OF_USER;
  s->is_dirty = true;
  for (size_t i = 0; i < HM_SERVE_CONNECTIONS; i++)
    s->connections[i].fd = -1;
  s->has_hallmark = hm_user_id("hallmark", &s->hallmark) == HM_OK;
  enum hm_status status = open_doors(s, err);
  if (status == HM_OK) {
    char lct[HM_LCT_TEXT + 1];
    hm_lct_format(a->key.signer.kid, lct);
    hm_log(HM_LOG_INFO, "start", "authority %s serves at %s: %llu log entries, %zu entities", lct,
           s->is_inherited ? "the socket handed in" : s->path,
           (unsigned long long)hm_log_size(a->log), hm_registry_entity_count(a->registry));
    hm_notify("READY=1");
    while (turn(s))
      ;
    hm_notify("STOPPING=1");
    write_registry_when_due(s, true);
  }
  close_doors(s);
  hm_log_flush();
  hm_wipe(s, sizeof *s);
  g_free(s);
  return status;
}

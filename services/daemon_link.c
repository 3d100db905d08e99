/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The connection to the authority. Questions wait in a queue and travel one at a
 * time; a connection that just came up says hello first, whatever waits. What comes
 * back is believed as far as its signature under the pinned key goes, and a log
 * only where it is consistent with the newest checkpoint held.
 */
#include "services/daemon_link.h"

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
  ASKED_A_SECOND = 50, /* the authority closes above 100 */
  PLACES_MAX = 4 /* times the log may grow under one check */
};

struct question {
  GBytes *packet;
  enum hm_auth_kind kind;
  hm_link_done done;
  void *user;
};

struct hm_link {
  struct hm_core *core;
  char path[HM_FILE_PATH], kept[HM_FILE_PATH];
  int fd;
  guint readable, timeout, retry, pump;
  GQueue questions; /* the head is under way iff is_asked */
  bool is_asked;
  uint64_t second; /* of boottime, and how many were asked in it */
  unsigned asked;
  uint64_t hello_sent_ns, hello_ns; /* boottime; of the newest that was answered */
  uint8_t nonce[16];
  struct hm_held held;
  GQueue syncs; /* struct sync; the head runs, so no revocation is taken in twice */
  uint64_t heard_s, heard_revocations;
  uint8_t in[HM_AUTH_MESSAGE_MAX];
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
  hm_fail(&error, status == HM_TOO_LARGE ? status : HM_UNREACHABLE, "authority: %s closed", link->path);
  fail_all(link, &error);
  return G_SOURCE_REMOVE;
}

/* ---- hello -------------------------------------------------------------------------------------- */

static void revocations_known(struct hm_link *link)
{
  struct hm_core *core = link->core;
  if (core->registry.highest_revocation < link->heard_revocations)
    return;
  struct hm_revocation_view view = {core->registry.highest_revocation, link->heard_s};
  if (core->writer != NULL && hm_writer_revocations(core->writer, view) != HM_OK)
    hm_log(HM_LOG_WARNING, "revocations", "the writer takes no more requests");
}

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

/* ---- asking --------------------------------------------------------------------------------------- */

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

/* ---- the authority's log ------------------------------------------------------------------------- */

static void keep_held(struct hm_link *link, const struct hm_checkpoint *checkpoint,
                      struct hm_bytes object)
{
  struct hm_error err = {0};
  link->held.iat = checkpoint->iat;
  link->held.size = checkpoint->control_tree.size;
  memcpy(link->held.root, checkpoint->control_tree.root, 32);
  if (hm_file_write(link->kept, object, 0600, &err) != HM_OK)
    hm_log(HM_LOG_WARNING, "authority-checkpoint", "%s", hm_error_text(&err));
}

/* Open the checkpoint of a log answer and check that old lies before it. */
static enum hm_status open_answer(struct hm_link *link, const struct hm_auth_log_answer *log,
                                  uint64_t old_size, const uint8_t old_root[32],
                                  struct hm_checkpoint *checkpoint)
{
  const struct hm_crypto *c = link->core->crypto;
  HM_TRY(hm_checkpoint_open(c, log->checkpoint, link->core->authority_point, checkpoint, NULL));
  const struct hm_tree_head *tree = &checkpoint->control_tree;
  if (tree->size < old_size)
    return HM_ROLLBACK;
  if (old_size == 0)
    return HM_OK;
  if (tree->size == old_size)
    return memcmp(tree->root, old_root, 32) == 0 ? HM_OK : HM_BAD_PROOF;
  return hm_consistency_verify(c, old_size, old_root, tree->size, tree->root, &log->way);
}

static void log_failed(struct hm_link *link, enum hm_status status, struct hm_error *error)
{
  if (status == HM_ROLLBACK || status == HM_BAD_PROOF)
    hm_fail(error, status,
            "authority: its log is not one with the checkpoint held (size %llu): it was cut or "
            "forked; nothing of it is accepted",
            (unsigned long long)link->held.size);
  else
    hm_fail(error, status, "authority: log: %s", hm_status_text(status));
  hm_log(HM_LOG_ERROR, "authority-log", "%s", hm_error_text(error));
}

/* One synchronisation: questions until nothing new comes. */
struct sync {
  struct hm_core *core;
  hm_link_call done;
  void *user;
  GPtrArray *revocations; /* GBytes, of the newest answer */
  guint at;
};

static void sync_ask(struct sync *s);

static void sync_end(struct sync *s, const struct hm_error *error)
{
  struct hm_link *link = s->core->link;
  if (link != NULL) {
    g_queue_remove(&link->syncs, s);
    if (error->status == HM_OK)
      revocations_known(link);
    if (!g_queue_is_empty(&link->syncs))
      sync_ask(g_queue_peek_head(&link->syncs));
  }
  s->done(s->user, error);
  g_ptr_array_unref(s->revocations);
  g_free(s);
}

static void sync_next(struct sync *s);

static void sync_appended(void *user, const struct hm_error *error, uint64_t number)
{
  struct sync *s = user;
  if (error->status != HM_OK) {
    sync_end(s, error);
    return;
  }
  hm_revocation_enforce(s->core, number, NULL, NULL);
  sync_next(s);
}

/* The next revocation of the answer goes into our log; after a full answer ask again. */
static void sync_next(struct sync *s)
{
  struct hm_error error = {.status = HM_OK};
  struct hm_revocation rev;
  if (s->at == s->revocations->len) {
    if (s->at == HM_AUTH_REVOCATIONS)
      sync_ask(s);
    else
      sync_end(s, &error);
    return;
  }
  gsize len;
  const void *data = g_bytes_get_data(s->revocations->pdata[s->at++], &len);
  struct hm_bytes object = hm_bytes(data, len);
  enum hm_status status = hm_revocation_open(s->core->crypto, object, s->core->authority_point,
                                             &rev, NULL);
  if (status == HM_OK && rev.is_local)
    status = HM_DENIED;
  if (status == HM_OK && rev.number <= s->core->registry.highest_revocation) {
    sync_next(s); /* another synchronisation brought it meanwhile */
    return;
  }
  const struct hm_registry *r = &s->core->registry;
  if (status == HM_OK && (rev.number != r->highest_revocation + 1 ||
                          (rev.number > 1 && memcmp(rev.previous, r->revocation_name, 32) != 0)))
    status = HM_BAD_PROOF;
  if (status != HM_OK) {
    if (s->core->link != NULL)
      log_failed(s->core->link, status, &error);
    sync_end(s, &error);
    return;
  }
  hm_control_append(s->core, object, NULL, 0, sync_appended, s);
}

static void on_log(void *user, const struct hm_error *error, const struct hm_auth_answer *answer)
{
  struct sync *s = user;
  struct hm_link *link = s->core->link;
  struct hm_error err = *error;
  struct hm_checkpoint checkpoint;
  if (answer == NULL) {
    if (link != NULL && err.status == HM_ROLLBACK) /* an honest one says it of itself */
      log_failed(link, HM_ROLLBACK, &err);
    sync_end(s, &err);
    return;
  }
  enum hm_status status =
      open_answer(link, &answer->u.log, link->held.size, link->held.root, &checkpoint);
  if (status != HM_OK) {
    log_failed(link, status, &err);
    sync_end(s, &err);
    return;
  }
  if (checkpoint.control_tree.size > link->held.size)
    keep_held(link, &checkpoint, answer->u.log.checkpoint);
  g_ptr_array_set_size(s->revocations, 0);
  s->at = 0;
  for (uint32_t i = 0; i < answer->u.log.revocation_count; i++)
    g_ptr_array_add(s->revocations, g_bytes_new(answer->u.log.revocations[i].data,
                                                answer->u.log.revocations[i].len));
  sync_next(s);
}

static void ask_log(struct hm_core *core, uint64_t held, hm_link_done done, void *user)
{
  struct hm_auth_question question = {.kind = HM_AUTH_LOG};
  question.u.log.held = held;
  question.u.log.revocations = core->registry.highest_revocation;
  hm_link_ask(core, &question, done, user);
}

static void sync_ask(struct sync *s)
{
  ask_log(s->core, s->core->link != NULL ? s->core->link->held.size : 0, on_log, s);
}

static gboolean sync_stopped(gpointer data)
{
  struct hm_error error;
  hm_fail(&error, HM_UNREACHABLE, "hallmarkd stops");
  sync_end(data, &error);
  return G_SOURCE_REMOVE;
}

void hm_link_sync(struct hm_core *core, hm_link_call done, void *user)
{
  struct sync *s = g_new0(struct sync, 1);
  s->core = core;
  s->done = done;
  s->user = user;
  s->revocations = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  if (core->link == NULL) {
    g_idle_add(sync_stopped, s);
    return;
  }
  g_queue_push_tail(&core->link->syncs, s);
  if (g_queue_get_length(&core->link->syncs) == 1)
    sync_ask(s);
}

/* ---- is a place of the log one with what is held? ---------------------------------------------------- */

struct place {
  struct hm_core *core;
  struct hm_log_view view;
  hm_link_call done;
  void *user;
  unsigned rounds;
  uint64_t seen_size; /* the log as it led on from view */
  uint8_t seen_root[32];
};

static void place_end(struct place *p, const struct hm_error *error)
{
  p->done(p->user, error);
  g_free(p);
}

static void place_synced(void *user, const struct hm_error *error);

static void place_log(void *user, const struct hm_error *error,
                      const struct hm_auth_answer *answer)
{
  struct place *p = user;
  struct hm_error err = *error;
  struct hm_checkpoint checkpoint;
  if (answer == NULL) {
    place_end(p, &err);
    return;
  }
  enum hm_status status =
      open_answer(p->core->link, &answer->u.log, p->view.size, p->view.root, &checkpoint);
  if (status != HM_OK) {
    log_failed(p->core->link, status, &err);
    place_end(p, &err);
    return;
  }
  p->seen_size = checkpoint.control_tree.size;
  memcpy(p->seen_root, checkpoint.control_tree.root, 32);
  hm_link_sync(p->core, place_synced, p);
}

/* What is held and what view leads to must meet at one size. */
static void place_synced(void *user, const struct hm_error *error)
{
  struct place *p = user;
  struct hm_error err = *error;
  static const struct hm_held nothing;
  const struct hm_held *held = p->core->link != NULL ? &p->core->link->held : &nothing;
  if (err.status == HM_OK && p->seen_size == held->size &&
      memcmp(p->seen_root, held->root, 32) != 0)
    log_failed(p->core->link, HM_BAD_PROOF, &err);
  if (err.status != HM_OK || p->seen_size == held->size)
    place_end(p, &err);
  else if (++p->rounds < PLACES_MAX)
    ask_log(p->core, p->view.size, place_log, p);
  else {
    hm_fail(&err, HM_TIMEOUT, "authority: its log grows faster than it can be followed");
    place_end(p, &err);
  }
}

void hm_link_check_view(struct hm_core *core, const struct hm_log_view *view, hm_link_call done,
                        void *user)
{
  struct place *p = g_new0(struct place, 1);
  p->core = core;
  p->view = *view;
  p->done = done;
  p->user = user;
  p->seen_size = view->size;
  memcpy(p->seen_root, view->root, 32);
  hm_link_sync(core, place_synced, p);
}

/* ---- start, stop --------------------------------------------------------------------------------------- */

static enum hm_status load_held(struct hm_link *link, struct hm_error *err)
{
  uint8_t object[HM_SIGN1_MAX];
  struct hm_checkpoint checkpoint;
  size_t len;
  enum hm_status status = hm_file_read(link->kept, object, sizeof object, &len, err);
  if (status == HM_NOT_FOUND)
    return HM_OK;
  if (status == HM_OK)
    status = hm_checkpoint_open(link->core->crypto, hm_bytes(object, len),
                                link->core->authority_point, &checkpoint, NULL);
  if (status != HM_OK)
    return hm_fail(err, HM_DAMAGED, "%s: not a checkpoint of the authority (%s)", link->kept,
                   hm_status_text(status));
  link->held.iat = checkpoint.iat;
  link->held.size = checkpoint.control_tree.size;
  memcpy(link->held.root, checkpoint.control_tree.root, 32);
  return HM_OK;
}

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
  HM_TRY(load_held(link, err));
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

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The authority's log, followed: every answer must be consistent with the newest
 * checkpoint held, which is on disk; its revocations go into our own log in their
 * order, each once. A certificate counts only where its place is in that same log.
 */
#include "services/daemon_link_inside.h"
#include "services/daemon_operations.h"

enum { PLACES_MAX = 4 /* times the log may grow under one check */ };

enum hm_status hm_link_load_held(struct hm_link *link, struct hm_error *err)
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

static void revocations_known(struct hm_link *link)
{
  struct hm_core *core = link->core;
  if (core->registry.highest_revocation < link->heard_revocations)
    return;
  struct hm_revocation_view view = {core->registry.highest_revocation, link->heard_s};
  if (core->writer != NULL && hm_writer_revocations(core->writer, view) != HM_OK)
    hm_log(HM_LOG_WARNING, "revocations", "the writer takes no more requests");
}

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
  enum hm_status status =
      hm_revocation_open(s->core->crypto, object, s->core->authority_point, &rev, NULL);
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

/* ---- is a place of the log one with what is held?
 * ---------------------------------------------------- */

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

static void place_log(void *user, const struct hm_error *error, const struct hm_auth_answer *answer)
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

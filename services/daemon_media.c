/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The media service as the daemon sees it: it runs the pipelines of every sensor
 * whose gate nobody else was named for, and it knows what sources there are.
 */
#include "services/daemon_gates.h"

enum { DISCOVER_WAIT_MS = 2000, QUESTIONS_MAX = 16 };

/* A DISCOVER that waits for SOURCES. */
struct question {
  struct hm_core *core;
  guint timer;
  hm_media_sources answer;
  void *user;
};

static struct hm_gate_link *media_of(struct hm_core *core)
{
  if (core->gates == NULL)
    return NULL;
  for (guint i = 0; i < core->gates->links->len; i++) {
    struct hm_gate_link *link = core->gates->links->pdata[i];
    if (link->role == HM_GATE_ROLE_MEDIA)
      return link;
  }
  return NULL;
}

/* What is bound to another gate, lost its source, or is another unit does not run. */
static bool is_runnable(const struct hm_bound *bound)
{
  return !bound->is_host && !bound->is_void && bound->rule.is_media && bound->source[0] != '\0' &&
         bound->anchor_checked && bound->health != HM_HEALTH_ANCHOR_DIFFERS;
}

bool hm_media_runs(struct hm_core *core, const struct hm_bound *bound)
{
  return media_of(core) != NULL && is_runnable(bound) && bound->health != HM_HEALTH_ENDED;
}

static bool send_start(struct hm_gate_link *link, const struct hm_bound *bound)
{
  struct hm_gate_message m = {.kind = HM_GATE_START};
  m.u.start.sensor = hm_bytes(bound->name, strlen(bound->name));
  memcpy(m.u.start.lct, bound->entity.lct, HM_HASH);
  m.u.start.source = hm_bytes(bound->source, strlen(bound->source));
  return hm_gate_send(link, &m);
}

void hm_media_start(struct hm_core *core, const struct hm_bound *bound)
{
  struct hm_gate_link *link = media_of(core);
  if (link != NULL && is_runnable(bound))
    (void)send_start(link, bound); /* gone: it gets its STARTs when it comes back */
}

void hm_media_stop(struct hm_core *core, const struct hm_bound *bound)
{
  struct hm_gate_link *link = media_of(core);
  struct hm_gate_message m = {.kind = HM_GATE_STOP};
  if (link == NULL || bound->is_host || !bound->rule.is_media)
    return;
  m.u.stop.sensor = hm_bytes(bound->name, strlen(bound->name));
  (void)hm_gate_send(link, &m);
}

void hm_media_came(struct hm_gate_link *link)
{
  struct hm_core *core = link->core;
  hm_log(HM_LOG_INFO, "media", "media service connected (pid %ld)", (long)link->peer.pid);
  for (unsigned i = 0; i < core->registry.count; i++)
    if (is_runnable(core->registry.all[i]) && !send_start(link, core->registry.all[i]))
      return;
}

/* ---- DISCOVER ------------------------------------------------------------------------------ */

static void answer_question(struct question *q, const struct hm_gate_message *sources)
{
  if (q->timer != 0)
    g_source_remove(q->timer);
  g_ptr_array_remove_fast(q->core->gates->questions, q);
  q->answer(q->user, sources);
  g_free(q);
}

static gboolean question_late(gpointer data)
{
  struct question *q = data;
  q->timer = 0;
  answer_question(q, NULL);
  return G_SOURCE_REMOVE;
}

bool hm_media_discover(struct hm_core *core, hm_media_sources answer, void *user)
{
  struct hm_gate_link *link = media_of(core);
  struct hm_gate_message m = {.kind = HM_GATE_DISCOVER};
  if (link == NULL || core->gates->questions->len >= QUESTIONS_MAX || !hm_gate_send(link, &m))
    return false;
  struct question *q = g_new0(struct question, 1);
  q->core = core;
  q->answer = answer;
  q->user = user;
  q->timer = g_timeout_add(DISCOVER_WAIT_MS, question_late, q);
  g_ptr_array_add(core->gates->questions, q);
  return true;
}

/* One list answers everyone who waits. */
bool hm_gate_on_sources(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  GPtrArray *questions = link->core->gates->questions;
  while (questions->len > 0)
    answer_question(questions->pdata[questions->len - 1], m);
  return true;
}

void hm_media_gone(struct hm_gate_link *link)
{
  GPtrArray *questions = link->core->gates->questions;
  hm_log(HM_LOG_NOTICE, "media", "media service gone (pid %ld)", (long)link->peer.pid);
  while (questions->len > 0)
    answer_question(questions->pdata[questions->len - 1], NULL);
}

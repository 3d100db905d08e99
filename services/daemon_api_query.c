/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A query is a run of short reads; each is one turn of the main loop, below the
 * priority of gates and sockets, so that a long search delays nobody's lease. Then the
 * chain of each hit is followed, one a turn.
 *
 * Hits newer than the newest checkpoint are only "signed". A checkpoint is asked for
 * once, and waited for briefly: there is at most one in 10 s, and an answer is not
 * worth that long.
 */
#include <string.h>

#include "services/daemon_api.h"

enum { CHECKPOINT_WAIT_MS = 300 };

struct query_job {
  struct hm_api_request *request;
  struct hm_query_run run;
  uint32_t judged; /* hits whose chain was followed */
  const char *proofs[HM_QUERY_HITS_MAX];
  bool has_asked;   /* for a checkpoint */
  bool is_asking;   /* it has not come */
  bool is_answered; /* the job is done but for that */
  guint patience;
};

static gboolean on_step(gpointer user);

static void free_job(struct query_job *job)
{
  job->is_answered = true;
  if (!job->is_asking)
    g_free(job);
}

static void answer(struct query_job *job)
{
  struct hm_api_request *r = job->request;
  struct hm_error error = {HM_OK, ""};
  JsonObject *object = NULL;
  if (hm_view_query_answer(&r->api->view, &job->run, job->proofs, &object, &error) != HM_OK)
    hm_api_problem(r, &error);
  else
    hm_api_answer(r, 200, object);
  free_job(job);
}

static void go_on(struct query_job *job)
{
  g_idle_add_full(G_PRIORITY_LOW, on_step, job, NULL);
}

/* ---- a checkpoint for what is only signed ------------------------------------------------ */
static void on_checkpoint(void *user, const struct hm_error *error)
{
  (void)error; /* without one the hits stay "signed" */
  struct query_job *job = user;
  job->is_asking = false;
  if (job->is_answered) {
    g_free(job);
  } else if (job->patience != 0) {
    g_clear_handle_id(&job->patience, g_source_remove);
    job->judged = 0;
    go_on(job);
  }
}

static gboolean on_impatient(gpointer user)
{
  struct query_job *job = user;
  job->patience = 0;
  answer(job);
  return G_SOURCE_REMOVE;
}

static bool is_only_signed(const struct query_job *job)
{
  for (uint32_t i = 0; i < job->run.count; i++)
    if (job->proofs[i] && strcmp(job->proofs[i], "signed") == 0)
      return true;
  return false;
}

static void ask_checkpoint(struct query_job *job)
{
  job->has_asked = job->is_asking = true;
  job->patience = g_timeout_add(CHECKPOINT_WAIT_MS, on_impatient, job);
  hm_core_checkpoint(job->request->api->core, on_checkpoint, job);
}

/* ---- turns ----------------------------------------------------------------------------------- */
/* One hit a turn: its chain from the record to the authority. */
static bool judge_next(struct query_job *job)
{
  if (job->judged == job->run.count)
    return false;
  const char **word = &job->proofs[job->judged];
  if (!*word || strcmp(*word, "signed") == 0)
    *word = hm_api_proof_word(job->request->api, job->run.hits[job->judged].number);
  job->judged++;
  return true;
}

static void fail(struct query_job *job, enum hm_status status)
{
  struct hm_error error = {HM_OK, ""};
  (void)hm_fail(&error, status, "query: a record near m%" G_GUINT64_FORMAT ": %s", job->run.first,
                hm_status_text(status));
  hm_api_problem(job->request, &error);
  free_job(job);
}

static gboolean on_step(gpointer user)
{
  struct query_job *job = user;
  enum hm_status status = HM_OK;
  bool is_gone = job->request->is_gone;
  if (!is_gone && !job->run.is_done) {
    status = hm_query_step(&job->run);
    if (status == HM_OK)
      return G_SOURCE_CONTINUE;
    fail(job, status);
  } else if (!is_gone && judge_next(job)) {
    return G_SOURCE_CONTINUE;
  } else if (!is_gone && !job->has_asked && is_only_signed(job)) {
    ask_checkpoint(job);
  } else {
    answer(job);
  }
  return G_SOURCE_REMOVE;
}

void hm_api_post_query(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  struct query_job *job = g_new0(struct query_job, 1);
  job->request = r;
  if (hm_view_query_begin(&r->api->view, r->body, &job->run, &error) != HM_OK) {
    g_free(job);
    hm_api_problem(r, &error);
    return;
  }
  hm_api_wait(r);
  go_on(job);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A query is a run of short reads; each is one turn of the main loop, below the
 * priority of gates and sockets, so that a long search delays nobody's lease.
 */
#include <string.h>

#include "services/daemon_api.h"

struct query_job {
  struct hm_api_request *request;
  struct hm_query_run run;
  uint32_t judged; /* hits whose chain was followed */
  const char *proofs[HM_QUERY_HITS_MAX];
};

static void answer(struct query_job *job)
{
  struct hm_api_request *r = job->request;
  struct hm_error error = {HM_OK, ""};
  JsonObject *object = NULL;
  if (hm_view_query_answer(&r->api->view, &job->run, job->proofs, &object, &error) != HM_OK)
    hm_api_problem(r, &error);
  else
    hm_api_answer(r, 200, object);
}

/* One hit a turn: its chain from the record to the authority. */
static bool judge_next(struct query_job *job)
{
  if (job->judged == job->run.count)
    return false;
  job->proofs[job->judged] =
      hm_api_proof_word(job->request->api, job->run.hits[job->judged].number);
  job->judged++;
  return true;
}

static gboolean on_step(gpointer user)
{
  struct query_job *job = user;
  enum hm_status status = HM_OK;
  if (!job->request->is_gone) {
    if (!job->run.is_done)
      status = hm_query_step(&job->run);
    else if (judge_next(job))
      return G_SOURCE_CONTINUE;
    if (status == HM_OK && (!job->run.is_done || job->judged < job->run.count))
      return G_SOURCE_CONTINUE;
  }
  if (status != HM_OK) {
    struct hm_error error = {HM_OK, ""};
    (void)hm_fail(&error, status, "query: a record near m%" G_GUINT64_FORMAT ": %s",
                  job->run.first, hm_status_text(status));
    hm_api_problem(job->request, &error);
  } else {
    answer(job);
  }
  g_free(job);
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
  g_idle_add_full(G_PRIORITY_LOW, on_step, job, NULL);
}

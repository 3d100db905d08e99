/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Reading: memories, pictures, the control log, proofs.
 */
#include <string.h>

#include "services/daemon_api.h"
#include "services/daemon_export.h"
#include "services/text.h"
#include "services/view_chain.h"

static enum hm_status read_number(const char *text, uint64_t *number, struct hm_error *error)
{
  if (hm_text_log_number(text, 'm', number))
    return HM_OK;
  return hm_fail(error, HM_MALFORMED, "%.32s: expected a memory, mN", text);
}

const char *hm_api_proof_word(struct hm_api *api, uint64_t number)
{
  struct hm_anchors anchors = {.count = 1};
  anchors.authority[0].name = "authority";
  hm_core_authority_key(api->core, anchors.authority[0].point);
  return hm_chain_word(api->view.crypto, api->view.store, &anchors, number);
}

void hm_api_get_memory(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  uint64_t number = 0;
  JsonObject *object = NULL;
  if (read_number(r->object, &number, &error) != HM_OK ||
      hm_view_memory(&r->api->view, number, hm_api_proof_word(r->api, number), &object, &error) !=
          HM_OK)
    hm_api_problem(r, &error);
  else
    hm_api_answer(r, 200, object);
}

void hm_api_get_picture(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  uint64_t number = 0;
  uint8_t picture[3072];
  unsigned pixels = 0;
  if (read_number(r->object, &number, &error) != HM_OK ||
      hm_view_picture(&r->api->view, number, picture, &pixels, &error) != HM_OK) {
    hm_api_problem(r, &error);
    return;
  }
  SoupMessageHeaders *headers = soup_server_message_get_response_headers(r->message);
  soup_message_headers_replace(headers, "X-Hallmark-Pixels", pixels == 1 ? "1" : "2");
  hm_api_answer_bytes(r, "application/octet-stream", picture, sizeof picture);
}

void hm_api_get_control(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  const char *since = hm_api_parameter(r, "since"), *limit = hm_api_parameter(r, "limit");
  uint64_t number = 0, count = 500;
  JsonObject *object = NULL;
  enum hm_status status = HM_OK;
  if (since && strcmp(since, "c0") != 0 && !hm_text_log_number(since, 'c', &number))
    status = hm_fail(&error, HM_MALFORMED, "since: %.32s: expected cN", since);
  else if (limit && (hm_text_uint(limit, 500, &count) != HM_OK || count == 0))
    status = hm_fail(&error, HM_MALFORMED, "limit: %.32s: expected 1 to 500", limit);
  if (status == HM_OK)
    status = hm_view_control(&r->api->view, number, count, &object, &error);
  if (status != HM_OK)
    hm_api_problem(r, &error);
  else
    hm_api_answer(r, 200, object);
}

/* ---- proofs ------------------------------------------------------------------------- */
/* A proof on its way out: built, then its manifest durable, then sent. */
struct proof_job {
  struct hm_api_request *request;
  GArray *numbers;
  GBytes *file;
};

static void free_job(struct proof_job *job)
{
  g_array_unref(job->numbers);
  g_clear_pointer(&job->file, g_bytes_unref);
  g_free(job);
}

static void on_manifest(void *user, const struct hm_error *error, uint64_t number,
                        const uint8_t name[32])
{
  struct proof_job *job = user;
  struct hm_api_request *r = job->request;
  struct hm_core *core = r->api->core;
  (void)number;
  if (error->status != HM_OK) {
    hm_api_problem(r, error);
  } else {
    size_t len = 0;
    const void *data = g_bytes_get_data(job->file, &len);
    bool is_there = !r->is_gone;
    hm_api_answer_bytes(r, "application/cbor", data, len);
    hm_export_end(core, name, is_there);
  }
  free_job(job);
}

static void on_proof(void *user, const struct hm_core_proof *result)
{
  struct proof_job *job = user;
  if (result->error.status != HM_OK || job->request->is_gone) {
    hm_api_problem(job->request, &result->error);
    free_job(job);
    return;
  }
  job->file = g_bytes_new(result->file.data, result->file.len);
  hm_export_begin(job->request->api->core, &g_array_index(job->numbers, uint64_t, 0),
                  job->numbers->len, on_manifest, job);
}

static int compare_numbers(gconstpointer a, gconstpointer b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

void hm_api_post_proofs(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  JsonArray *objects = hm_json_get_list(r->body, "objects");
  GArray *numbers = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  for (guint i = 0; i < json_array_get_length(objects); i++) {
    uint64_t number = 0;
    if (read_number(json_array_get_string_element(objects, i), &number, &error) != HM_OK) {
      g_array_unref(numbers);
      hm_api_problem(r, &error);
      return;
    }
    g_array_append_val(numbers, number);
  }
  g_array_sort(numbers, compare_numbers);
  for (guint i = 1; i < numbers->len;)
    if (g_array_index(numbers, uint64_t, i) == g_array_index(numbers, uint64_t, i - 1))
      g_array_remove_index(numbers, i);
    else
      i++;
  hm_api_wait(r);
  struct proof_job *job = g_new0(struct proof_job, 1);
  job->request = r;
  job->numbers = numbers;
  hm_core_prove(r->api->core, &g_array_index(numbers, uint64_t, 0), numbers->len, on_proof, job);
}

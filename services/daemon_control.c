/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Between the main thread and the writer: requests go out with a token, results come
 * back over its descriptor. A control entry is answered only after the registry has
 * taken it in, so whoever waits for one sees the world it made.
 */
#include <glib-unix.h>

#include "services/daemon_gates.h"
#include "services/daemon_state.h"

/* One request that waits for its result. */
struct waiting {
  uint64_t token;
  hm_append_done done;
  void *user;
};

static uint64_t wait_for(struct hm_core *core, hm_append_done done, void *user)
{
  struct waiting w = {++core->tokens, done, user};
  g_array_append_val(core->waiting, w);
  return w.token;
}

static void unwait(struct hm_core *core)
{
  g_array_set_size(core->waiting, core->waiting->len - 1);
}

/* What could not be handed in is answered from the loop as well. */
struct refusal {
  hm_append_done done;
  void *user;
  struct hm_error error;
};

static gboolean refuse(gpointer data)
{
  struct refusal *r = data;
  r->done(r->user, &r->error, 0);
  g_free(r);
  return G_SOURCE_REMOVE;
}

static void refuse_later(hm_append_done done, void *user, enum hm_status status)
{
  struct refusal *r = g_new0(struct refusal, 1);
  r->done = done;
  r->user = user;
  hm_fail(&r->error, status, "control log: %s", hm_status_text(status));
  g_idle_add(refuse, r);
}

static void hand_in(struct hm_core *core, struct hm_entry_request *request, hm_append_done done,
                    void *user)
{
  if (core->waiting == NULL) {
    refuse_later(done, user, HM_UNREACHABLE);
    return;
  }
  request->token = wait_for(core, done, user);
  enum hm_status status = hm_writer_entry(core->writer, request);
  if (status == HM_OK)
    return;
  unwait(core);
  refuse_later(done, user, status);
}

void hm_control_append(struct hm_core *core, struct hm_bytes object,
                       const struct hm_bytes *attached, unsigned count, hm_append_done done,
                       void *user)
{
  struct hm_entry_request request = {.source = HM_ENTRY_OBJECT, .object = object};
  for (unsigned i = 0; i < count && i < HM_LOG_ATTACHED; i++)
    request.attached[request.attached_count++] = attached[i];
  hand_in(core, &request, done, user);
}

void hm_control_receipt(struct hm_core *core, const struct hm_receipt *receipt, hm_append_done done,
                        void *user)
{
  struct hm_entry_request request = {.source = HM_ENTRY_RECEIPT, .receipt = receipt};
  hand_in(core, &request, done, user);
}

void hm_control_local(struct hm_core *core, const struct hm_revocation *revocation,
                      hm_append_done done, void *user)
{
  struct hm_entry_request request = {.source = HM_ENTRY_LOCAL, .local = revocation};
  hand_in(core, &request, done, user);
}

void hm_control_build(struct hm_core *core, hm_entry_build build, hm_append_done done, void *user)
{
  struct hm_entry_request request = {.source = HM_ENTRY_BUILD, .build = build, .build_user = user};
  hand_in(core, &request, done, user);
}

void hm_control_checkpoint(struct hm_core *core, uint64_t record, hm_append_done done, void *user)
{
  if (core->waiting == NULL) {
    refuse_later(done, user, HM_UNREACHABLE);
    return;
  }
  uint64_t token = wait_for(core, done, user);
  enum hm_status status = hm_writer_checkpoint(core->writer, token, record);
  if (status == HM_OK)
    return;
  unwait(core);
  refuse_later(done, user, status);
}

/* ---- results ----------------------------------------------------------------------------------
 */

static bool take_waiting(struct hm_core *core, uint64_t token, struct waiting *out)
{
  for (guint i = 0; i < core->waiting->len; i++) {
    if (g_array_index(core->waiting, struct waiting, i).token != token)
      continue;
    *out = g_array_index(core->waiting, struct waiting, i);
    g_array_remove_index(core->waiting, i);
    return true;
  }
  return false;
}

static void catch_up(struct hm_core *core)
{
  struct hm_error err = {0};
  if (hm_registry_catch_up(core, &err) != HM_OK)
    hm_core_give_up(core, &err);
}

static void answer_waiting(struct hm_core *core, const struct hm_writer_result *result)
{
  struct waiting w;
  struct hm_error error = {.status = result->status};
  if (!take_waiting(core, result->token, &w))
    return;
  if (result->status != HM_OK)
    hm_fail(&error, result->status, "store: %s",
            result->fault.text[0] != '\0' ? result->fault.text : hm_status_text(result->status));
  else
    catch_up(core);
  w.done(w.user, &error, result->number);
}

static void give_up(struct hm_core *core, const struct hm_writer_result *result)
{
  struct hm_error error;
  hm_fail(&error, result->status, "%s: %s", core->paths.store, result->fault.text);
  hm_core_give_up(core, &error);
}

static void take_result(struct hm_core *core, const struct hm_writer_result *result)
{
  struct hm_core_event event = {
      .first = result->first, .count = result->count, .durable_ns = result->durable_ns};
  switch (result->kind) {
  case HM_RESULT_OBSERVATION:
    hm_observe_result(core, result);
    break;
  case HM_RESULT_ENTRY:
  case HM_RESULT_FLUSH:
  case HM_RESULT_CHECKPOINT:
    answer_waiting(core, result);
    break;
  case HM_RESULT_RECORDS:
    event.kind = HM_CORE_RECORDS;
    hm_core_tell(core, &event);
    break;
  case HM_RESULT_ENTRIES:
    catch_up(core);
    event.kind = HM_CORE_CONTROL;
    hm_core_tell(core, &event);
    break;
  case HM_RESULT_FAULT:
    give_up(core, result);
    break;
  }
}

void hm_control_drain(struct hm_core *core)
{
  struct hm_writer_result result;
  while (hm_writer_next(core->writer, &result))
    take_result(core, &result);
  if (core->gates != NULL)
    hm_observe_results_done(core);
}

static gboolean on_results(gint fd, GIOCondition condition, gpointer data)
{
  (void)fd;
  (void)condition;
  hm_control_drain(data);
  return G_SOURCE_CONTINUE;
}

void hm_control_start(struct hm_core *core)
{
  core->waiting = g_array_new(FALSE, FALSE, sizeof(struct waiting));
  core->results = g_unix_fd_add(hm_writer_fd(core->writer), G_IO_IN, on_results, core);
}

void hm_control_stop(struct hm_core *core)
{
  if (core->results != 0)
    g_source_remove(core->results);
  core->results = 0;
  if (core->waiting == NULL)
    return;
  while (core->waiting->len > 0) {
    struct waiting w = g_array_index(core->waiting, struct waiting, core->waiting->len - 1);
    struct hm_error error;
    unwait(core);
    hm_fail(&error, HM_UNREACHABLE, "hallmarkd stops");
    w.done(w.user, &error, 0);
  }
  g_array_unref(core->waiting);
  core->waiting = NULL;
}

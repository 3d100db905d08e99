/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Server-Sent Events without a queue. A follower is a pair of positions, one in each
 * log; what it has not had yet is read from the store when its socket has room. So a
 * slow client costs two numbers, nobody's events are ever dropped, and resuming is the
 * same thing as starting.
 *
 * The two logs are merged in the order they became durable: an entry holds how many
 * batches were durable before it (D), so records up to those go first.
 */
#include <string.h>

#include "services/daemon_api.h"
#include "services/text.h"

enum {
  ROOM_BYTES = 65536,  /* handed to libsoup and not yet written to the socket */
  RECORDS_A_STEP = 32, /* read in one transaction */
  KEEPALIVE_S = 15
};

struct hm_api_follower {
  struct hm_api *api;
  SoupServerMessage *message;
  uint64_t record, control; /* the last ones sent */
  GQueue chunks;            /* sizes of the chunks that are not written yet */
  size_t waiting;           /* their sum */
  guint keepalive, pump;
};

static void send_text(struct hm_api_follower *f, const char *text, size_t len)
{
  SoupMessageBody *body = soup_server_message_get_response_body(f->message);
  soup_message_body_append(body, SOUP_MEMORY_COPY, text, len);
  g_queue_push_tail(&f->chunks, GSIZE_TO_POINTER(len));
  f->waiting += len;
  soup_server_unpause_message(f->api->soup, f->message);
}

static void send_event(struct hm_api_follower *f, const char *event, JsonObject *object)
{
  g_autofree char *line = hm_json_line(object);
  g_autofree char *text = g_strdup_printf("id: %s\nevent: %s\ndata: %s\n\n",
                                          hm_json_get_text(object, "id"), event, line);
  send_text(f, text, strlen(text));
}

/* ---- records ------------------------------------------------------------------------- */
/* Milliseconds from arrival to durable, where that commit is remembered. */
static void set_durable(const struct hm_api *api, uint64_t number, uint64_t arrival_ns,
                        JsonObject *object)
{
  for (size_t i = 0; i < G_N_ELEMENTS(api->commits); i++) {
    const struct hm_api_commit *c = &api->commits[i];
    if (c->count == 0 || number < c->first || number - c->first >= c->count)
      continue;
    if (c->durable_ns >= arrival_ns)
      json_object_set_double_member(object, "durable_ms",
                                    (double)((c->durable_ns - arrival_ns) / 10000) / 100);
    return;
  }
}

static enum hm_status send_record(void *context, const struct hm_stored_record *stored)
{
  struct hm_api_follower *f = context;
  struct hm_error error = {HM_OK, ""};
  JsonObject *object = NULL;
  struct hm_record record;
  f->record = stored->number;
  if (hm_view_record(&f->api->view, stored, -1, NULL, &object, &error) != HM_OK ||
      hm_record_decode(stored->record, &record, NULL) != HM_OK) {
    hm_log(HM_LOG_ERROR, "api-events", "%s", hm_error_text(&error));
    return HM_OK; /* one that cannot be shown does not stop the others */
  }
  set_durable(f->api, stored->number, record.arrival_ns, object);
  send_event(f, "memory", object);
  json_object_unref(object);
  return f->waiting < ROOM_BYTES ? HM_OK : HM_FULL;
}

static enum hm_status send_records(struct hm_api_follower *f, uint64_t last)
{
  uint64_t count = MIN(last - f->record, RECORDS_A_STEP);
  enum hm_status status = hm_store_scan(f->api->view.store, f->record + 1, count, send_record, f);
  return status == HM_FULL ? HM_OK : status;
}

/* ---- entries ---------------------------------------------------------------------------- */
static enum hm_status send_entry(void *context, const struct hm_log_entry *entry)
{
  struct hm_api_follower *f = context;
  struct hm_error error = {HM_OK, ""};
  JsonObject *object = NULL;
  f->control = entry->number;
  if (hm_view_entry(&f->api->view, entry, &object, &error) != HM_OK) {
    hm_log(HM_LOG_ERROR, "api-events", "%s", hm_error_text(&error));
    return HM_OK;
  }
  send_event(f, "control", object);
  json_object_unref(object);
  return HM_OK;
}

/* Send the next piece; HM_NOT_FOUND where there is nothing more. */
static enum hm_status step(struct hm_api_follower *f)
{
  struct hm_store_sizes sizes;
  struct hm_error error = {HM_OK, ""};
  struct hm_log *log = hm_store_control(f->api->view.store);
  hm_store_sizes(f->api->view.store, &sizes);
  if (f->control < sizes.control) {
    uint64_t before = 0;
    HM_TRY(hm_view_record_at(&f->api->view, f->control + 1, &before, &error));
    before = MIN(before, sizes.records);
    return f->record < before ? send_records(f, before)
                              : hm_log_scan(log, f->control + 1, 1, send_entry, f);
  }
  return f->record < sizes.records ? send_records(f, sizes.records) : HM_NOT_FOUND;
}

static void pump(struct hm_api_follower *f)
{
  while (f->waiting < ROOM_BYTES) {
    enum hm_status status = step(f);
    if (status == HM_NOT_FOUND)
      return;
    if (status != HM_OK) {
      hm_log(HM_LOG_ERROR, "api-events", "events: %s", hm_status_text(status));
      soup_message_body_complete(soup_server_message_get_response_body(f->message));
      soup_server_unpause_message(f->api->soup, f->message);
      return;
    }
  }
}

static gboolean on_pump(gpointer user)
{
  struct hm_api_follower *f = user;
  f->pump = 0;
  pump(f);
  return G_SOURCE_REMOVE;
}

static void pump_soon(struct hm_api_follower *f)
{
  if (f->pump == 0)
    f->pump = g_idle_add(on_pump, f);
}

static void on_wrote(SoupServerMessage *message, gpointer user)
{
  (void)message;
  struct hm_api_follower *f = user;
  if (!g_queue_is_empty(&f->chunks))
    f->waiting -= GPOINTER_TO_SIZE(g_queue_pop_head(&f->chunks));
  pump_soon(f);
}

static gboolean on_keepalive(gpointer user)
{
  struct hm_api_follower *f = user;
  if (f->waiting == 0)
    send_text(f, ": alive\n\n", 9);
  return G_SOURCE_CONTINUE;
}

static void on_core_event(void *user, const struct hm_core_event *event)
{
  struct hm_api *api = user;
  if (event->kind == HM_CORE_RECORDS) {
    api->commits[api->next_commit] =
        (struct hm_api_commit){event->first, event->count, event->durable_ns};
    api->next_commit = (api->next_commit + 1) % G_N_ELEMENTS(api->commits);
  }
  for (guint i = 0; i < api->followers->len; i++)
    pump_soon(api->followers->pdata[i]);
}

/* ---- coming and going ----------------------------------------------------------------------- */
/* The core must not lose a subscription while it tells its events. */
static gboolean unsubscribe_unused(gpointer user)
{
  struct hm_api *api = user;
  api->unsubscribe = 0;
  if (api->followers->len == 0 && api->subscription) {
    hm_core_unsubscribe(api->core, api->subscription);
    api->subscription = NULL;
  }
  return G_SOURCE_REMOVE;
}

static void free_follower(struct hm_api_follower *f)
{
  g_signal_handlers_disconnect_by_data(f->message, f);
  g_clear_handle_id(&f->keepalive, g_source_remove);
  g_clear_handle_id(&f->pump, g_source_remove);
  g_queue_clear(&f->chunks);
  g_object_unref(f->message);
  g_free(f);
}

static void on_left(SoupServerMessage *message, gpointer user)
{
  (void)message;
  struct hm_api_follower *f = user;
  struct hm_api *api = f->api;
  g_ptr_array_remove_fast(api->followers, f);
  free_follower(f);
  if (api->followers->len == 0 && api->unsubscribe == 0)
    api->unsubscribe = g_idle_add(unsubscribe_unused, api);
}

void hm_api_followers_end(struct hm_api *api)
{
  while (api->followers->len > 0) {
    struct hm_api_follower *f = g_ptr_array_steal_index_fast(api->followers, 0);
    soup_message_body_complete(soup_server_message_get_response_body(f->message));
    soup_server_unpause_message(api->soup, f->message);
    free_follower(f);
  }
  g_clear_handle_id(&api->unsubscribe, g_source_remove);
  (void)unsubscribe_unused(api);
}

/* Where to begin: `since`, or the header that a reconnecting client sends. */
static enum hm_status read_start(struct hm_api_request *r, uint64_t *record, uint64_t *control,
                                 struct hm_error *error)
{
  struct hm_store_sizes sizes;
  hm_store_sizes(r->api->view.store, &sizes);
  *record = sizes.records;
  *control = sizes.control;
  const char *since = soup_message_headers_get_one(
      soup_server_message_get_request_headers(r->message), "Last-Event-ID");
  if (!since)
    since = hm_api_parameter(r, "since");
  if (!since)
    return HM_OK;
  if (strcmp(since, "m0") == 0 || strcmp(since, "c0") == 0) {
    *record = *control = 0;
    return HM_OK;
  }
  if (hm_text_log_number(since, 'm', record))
    return hm_view_control_at(&r->api->view, *record, control, error);
  if (hm_text_log_number(since, 'c', control))
    return hm_view_record_at(&r->api->view, *control, record, error);
  return hm_fail(error, HM_MALFORMED, "since: %.32s: expected mN or cN", since);
}

void hm_api_get_events(struct hm_api_request *r)
{
  struct hm_api *api = r->api;
  struct hm_error error = {HM_OK, ""};
  uint64_t record = 0, control = 0;
  if (read_start(r, &record, &control, &error) != HM_OK) {
    hm_api_problem(r, &error);
    return;
  }
  if (!api->subscription)
    api->subscription = hm_core_subscribe(api->core, on_core_event, api);
  if (!api->subscription) {
    (void)hm_fail(&error, HM_FULL, "events: too many are following");
    hm_api_problem(r, &error);
    return;
  }
  struct hm_api_follower *f = g_new0(struct hm_api_follower, 1);
  *f = (struct hm_api_follower){.api = api, .record = record, .control = control};
  f->message = g_object_ref(r->message);
  g_queue_init(&f->chunks);
  SoupMessageHeaders *headers = soup_server_message_get_response_headers(f->message);
  soup_server_message_set_status(f->message, 200, NULL);
  soup_message_headers_set_encoding(headers, SOUP_ENCODING_CHUNKED);
  soup_message_headers_replace(headers, "Content-Type", "text/event-stream");
  soup_message_headers_replace(headers, "Cache-Control", "no-store");
  soup_message_body_set_accumulate(soup_server_message_get_response_body(f->message), FALSE);
  /* Nothing is read from a follower any more: its idle limit would only cut it off. */
  GSocketAddress *address = soup_server_message_get_remote_address(f->message);
  g_socket_set_timeout(g_object_get_data(G_OBJECT(address), "socket"), 0);
  g_signal_connect(f->message, "wrote-chunk", G_CALLBACK(on_wrote), f);
  g_signal_connect(f->message, "finished", G_CALLBACK(on_left), f);
  g_ptr_array_add(api->followers, f);
  f->keepalive = g_timeout_add_seconds(KEEPALIVE_S, on_keepalive, f);
  send_text(f, ": hallmark\n\n", 12);
  pump_soon(f);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The API from the other side. Where the daemon is: --socket; else --state or
 * HALLMARK_STATE alone; else the system's socket, then the user's own state, which
 * root never uses.
 */
#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <libsoup/soup.h>
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "services/cli.h"

enum { ANSWER_MAX = 64 << 20, TIMEOUT_S = 180, EVENT_LINE_MAX = 1 << 20 };

enum hm_status cli_find_paths(struct cli *cli, struct hm_error *err)
{
  if (cli->path_count > 0)
    return HM_OK;
  const char *given = g_getenv("HALLMARK_STATE");
  if (cli->state || (given && given[0])) {
    HM_TRY(hm_paths_find(cli->state, &cli->paths[0], err));
    cli->path_count = 1;
    return HM_OK;
  }
  hm_paths_of_system(&cli->paths[cli->path_count++]);
  if (geteuid() != 0 && hm_paths_of_user(&cli->paths[cli->path_count], NULL) == HM_OK)
    cli->path_count++;
  return HM_OK;
}

/* A connection to path proves that somebody listens there. */
static bool does_answer(const char *path)
{
  if (strlen(path) > HM_SOCKET_PATH_MAX)
    return false;
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
  g_socket_client_set_timeout(client, 5);
  g_autoptr(GSocketConnection) connection =
      g_socket_client_connect(client, G_SOCKET_CONNECTABLE(address), NULL, NULL);
  return connection != NULL;
}

/* What mends it depends on whether there is anything to start. */
static enum hm_status fail_no_daemon(const struct cli *cli, const char *tried, struct hm_error *err)
{
  const struct hm_paths *paths = &cli->paths[0];
  if (cli->socket || paths->is_system)
    return hm_fail(err, HM_UNREACHABLE,
                   "no daemon at %s; run: hallmarkd, or name its folder with --state", tried);
  g_autofree char *format = g_build_filename(paths->store, "format", NULL);
  bool is_made = access(format, F_OK) == 0;
  return hm_fail(err, HM_UNREACHABLE, "no daemon at %s%s; run: %s --state %s", tried,
                 is_made ? "" : ", and no store in that state",
                 is_made ? "hallmarkd" : "hallmark init", paths->state);
}

static enum hm_status find_socket(struct cli *cli, struct hm_error *err)
{
  g_autoptr(GString) tried = g_string_new(NULL);
  if (cli->socket_path)
    return HM_OK;
  HM_TRY(cli_find_paths(cli, err));
  unsigned count = cli->socket ? 1 : cli->path_count;
  for (unsigned i = 0; i < count; i++) {
    char path[HM_FILE_PATH];
    if (cli->socket)
      g_strlcpy(path, cli->socket, sizeof path);
    else
      HM_TRY(hm_path_join(path, cli->paths[i].run, "api.sock", err));
    HM_TRY(hm_socket_path_check(path, err));
    if (does_answer(path)) {
      cli->socket_path = g_strdup(path);
      cli->found = cli->socket ? NULL : &cli->paths[i];
      return HM_OK;
    }
    g_string_append_printf(tried, "%s%s", i > 0 ? ", " : "", path);
    if (access(path, F_OK) == 0 && access(path, W_OK) != 0)
      g_string_append(tried, " (not in group hallmark)");
  }
  return fail_no_daemon(cli, tried->str, err);
}

static SoupSession *session(struct cli *cli)
{
  if (!cli->session) {
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(cli->socket_path);
    cli->session = soup_session_new_with_options("remote-connectable", address, "timeout",
                                                 (guint)TIMEOUT_S, "user-agent", "hallmark", NULL);
  }
  return cli->session;
}

static SoupMessage *new_message(const char *method, const char *path, const char *type,
                                JsonObject *body)
{
  g_autofree char *url = g_strconcat("http://hallmark", path, NULL);
  SoupMessage *message = soup_message_new(method, url);
  if (message && type)
    soup_message_headers_replace(soup_message_get_request_headers(message), "Accept", type);
  if (message && body) {
    char *line = hm_json_line(body);
    g_autoptr(GBytes) bytes = g_bytes_new_take(line, strlen(line));
    soup_message_set_request_body_from_bytes(message, "application/json", bytes);
  }
  return message;
}

static enum hm_status fail_transport(struct cli *cli, const GError *error, struct hm_error *err)
{
  enum hm_status status =
      g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT) ? HM_TIMEOUT : HM_UNREACHABLE;
  return hm_fail(err, status, "%s: %s; run: hallmark status", cli->socket_path, error->message);
}

static enum hm_status find_status(const char *name)
{
  for (int i = 0; name && i < HM_STATUS_COUNT; i++)
    if (strcmp(hm_status_row((enum hm_status)i)->name, name) == 0)
      return (enum hm_status)i;
  return HM_STATE;
}

/* A problem document back into what the daemon's function returned. */
static enum hm_status fail_problem(GBytes *bytes, unsigned http, struct hm_error *err)
{
  g_autoptr(JsonObject) problem = NULL;
  size_t len = 0;
  const void *data = g_bytes_get_data(bytes, &len);
  if (hm_json_parse(hm_bytes(data, len), HM_JSON_BODY, &problem, NULL, 0) != HM_OK)
    return hm_fail(err, HM_UNREACHABLE, "the daemon answered %u without a reason", http);
  const char *detail = hm_json_get_text(problem, "detail");
  const char *mend = hm_json_get_text(problem, "mend");
  enum hm_status status = find_status(hm_json_get_text(problem, "hm_status"));
  if (status == HM_OK || status == HM_STATE)
    status = HM_UNREACHABLE;
  return hm_fail(err, status, "%s%s%s", detail ? detail : hm_status_text(status),
                 mend ? "; run: " : "", mend ? mend : "");
}

static enum hm_status read_all(GInputStream *stream, size_t limit, GBytes **out, GError **error)
{
  g_autoptr(GByteArray) all = g_byte_array_new();
  guint8 piece[16384];
  for (;;) {
    gssize n = g_input_stream_read(stream, piece, sizeof piece, NULL, error);
    if (n < 0)
      return HM_UNREACHABLE;
    if (n == 0)
      break;
    if (all->len + (size_t)n > limit)
      return HM_TOO_LARGE;
    g_byte_array_append(all, piece, (guint)n);
  }
  *out = g_byte_array_free_to_bytes(g_steal_pointer(&all));
  return HM_OK;
}

static enum hm_status send_online(struct cli *cli, const char *method, const char *path,
                                  const char *type, JsonObject *body, size_t limit, GBytes **out,
                                  struct hm_error *err)
{
  HM_TRY(find_socket(cli, err));
  g_autoptr(GError) error = NULL;
  g_autoptr(SoupMessage) message = new_message(method, path, type, body);
  if (!message)
    return hm_fail(err, HM_MALFORMED, "%s: no path of the API", path);
  g_autoptr(GInputStream) stream = soup_session_send(session(cli), message, NULL, &error);
  if (!stream)
    return fail_transport(cli, error, err);
  g_autoptr(GBytes) bytes = NULL;
  enum hm_status status = read_all(stream, limit, &bytes, &error);
  if (status == HM_TOO_LARGE)
    return hm_fail(err, status, "answer of over %zu bytes", limit);
  if (status != HM_OK)
    return fail_transport(cli, error, err);
  unsigned http = soup_message_get_status(message);
  if (http >= 300)
    return fail_problem(bytes, http, err);
  *out = g_steal_pointer(&bytes);
  return HM_OK;
}

enum hm_status cli_fetch(struct cli *cli, const char *method, const char *path, const char *type,
                         JsonObject *body, size_t limit, GBytes **out, struct hm_error *err)
{
  enum hm_status status = cli->store ? cli_offline(cli, method, path, body, out, err)
                                     : send_online(cli, method, path, type, body, limit, out, err);
  if (body)
    json_object_unref(body);
  return status;
}

enum hm_status cli_ask(struct cli *cli, const char *method, const char *path, JsonObject *body,
                       JsonObject **out, struct hm_error *err)
{
  g_autoptr(GBytes) bytes = NULL;
  char message[200];
  HM_TRY(cli_fetch(cli, method, path, "application/json", body, ANSWER_MAX, &bytes, err));
  size_t len = 0;
  const void *data = g_bytes_get_data(bytes, &len);
  if (hm_json_parse(hm_bytes(data, len), ANSWER_MAX, out, message, sizeof message) != HM_OK)
    return hm_fail(err, HM_MALFORMED, "answer of the daemon: %s", message);
  return HM_OK;
}

/* ---- events -------------------------------------------------------------------------------- */

/* Reads of a stream block; a thread with the time limit cancels them. */
struct deadline {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t changed;
  bool is_over; /* the stream ended first */
  struct timespec at;
  GCancellable *cancel;
};

static void *wait_deadline(void *user)
{
  struct deadline *d = user;
  pthread_mutex_lock(&d->lock);
  int status = 0;
  while (!d->is_over && status != ETIMEDOUT)
    status = pthread_cond_timedwait(&d->changed, &d->lock, &d->at);
  bool is_late = !d->is_over;
  pthread_mutex_unlock(&d->lock);
  if (is_late)
    g_cancellable_cancel(d->cancel);
  return NULL;
}

static bool begin_deadline(struct deadline *d, uint64_t limit_ms, GCancellable *cancel)
{
  pthread_condattr_t attr;
  gint64 at = g_get_monotonic_time() + (gint64)MIN(limit_ms, (uint64_t)INT32_MAX) * 1000;
  *d = (struct deadline){.cancel = cancel, .at = {at / 1000000, at % 1000000 * 1000}};
  pthread_mutex_init(&d->lock, NULL);
  pthread_condattr_init(&attr);
  pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  pthread_cond_init(&d->changed, &attr);
  pthread_condattr_destroy(&attr);
  return pthread_create(&d->thread, NULL, wait_deadline, d) == 0;
}

static void end_deadline(struct deadline *d)
{
  pthread_mutex_lock(&d->lock);
  d->is_over = true;
  pthread_cond_signal(&d->changed);
  pthread_mutex_unlock(&d->lock);
  pthread_join(d->thread, NULL);
  pthread_cond_destroy(&d->changed);
  pthread_mutex_destroy(&d->lock);
}

/* One event: its lines up to an empty one. false where the stream is at its end. */
static bool read_event(GDataInputStream *in, GCancellable *cancel, char **event, char **data,
                       GError **error)
{
  g_clear_pointer(event, g_free);
  g_clear_pointer(data, g_free);
  for (;;) {
    gsize len = 0;
    g_autofree char *line = g_data_input_stream_read_line(in, &len, cancel, error);
    if (!line)
      return false;
    if (len == 0 && *data)
      return true;
    if (g_str_has_prefix(line, "event: ")) {
      g_free(*event);
      *event = g_strdup(line + 7);
    } else if (g_str_has_prefix(line, "data: ") && len < EVENT_LINE_MAX) {
      g_free(*data);
      *data = g_strdup(line + 6);
    }
  }
}

static enum hm_status follow_stream(struct cli *cli, GInputStream *stream, GCancellable *cancel,
                                    cli_event each, void *user, struct hm_error *err)
{
  g_autoptr(GDataInputStream) in = g_data_input_stream_new(stream);
  g_autoptr(GError) error = NULL;
  g_autofree char *event = NULL, *data = NULL;
  while (read_event(in, cancel, &event, &data, &error)) {
    g_autoptr(JsonObject) object = NULL;
    char message[200];
    if (hm_json_parse(hm_bytes(data, strlen(data)), EVENT_LINE_MAX, &object, message,
                      sizeof message) != HM_OK)
      return hm_fail(err, HM_MALFORMED, "event of the daemon: %s", message);
    if (!each(user, event ? event : "", object))
      return HM_OK;
  }
  if (g_cancellable_is_cancelled(cancel))
    return HM_OK;
  return error ? fail_transport(cli, error, err)
               : hm_fail(err, HM_UNREACHABLE, "the daemon ended the stream; run: hallmark status");
}

enum hm_status cli_follow(struct cli *cli, const char *since, uint64_t limit_ms, cli_event each,
                          void *user, struct hm_error *err)
{
  if (cli->store)
    return hm_fail(err, HM_UNSUPPORTED,
                   "a store without its daemon has no events; run: hallmark query --store %s",
                   cli->store);
  HM_TRY(find_socket(cli, err));
  g_autoptr(GError) error = NULL;
  g_autoptr(GCancellable) cancel = g_cancellable_new();
  g_autofree char *path =
      since ? g_strdup_printf("/api/events?since=%s", since) : g_strdup("/api/events");
  g_autoptr(SoupMessage) message = new_message("GET", path, "text/event-stream", NULL);
  struct deadline deadline;
  bool is_limited = limit_ms > 0;
  if (is_limited && !begin_deadline(&deadline, limit_ms, cancel))
    return hm_fail(err, HM_IO, "no thread for the time limit");
  /* A follower may be silent for long: only the daemon's end ends it. */
  g_object_set(session(cli), "timeout", 0u, NULL);
  g_autoptr(GInputStream) stream = soup_session_send(session(cli), message, cancel, &error);
  enum hm_status status = HM_OK;
  if (!stream && !g_cancellable_is_cancelled(cancel)) {
    status = fail_transport(cli, error, err);
  } else if (stream && soup_message_get_status(message) >= 300) {
    g_autoptr(GBytes) bytes = NULL;
    if (read_all(stream, HM_JSON_BODY, &bytes, &error) != HM_OK)
      status = fail_transport(cli, error, err);
    else
      status = fail_problem(bytes, soup_message_get_status(message), err);
  } else if (stream) {
    status = follow_stream(cli, stream, cancel, each, user, err);
  }
  if (is_limited)
    end_deadline(&deadline);
  return status;
}

/* ---- names ------------------------------------------------------------------------------------
 */
const char *cli_name_of(void *user, const uint8_t lct[32])
{
  struct cli *cli = user;
  char text[HM_LCT_TEXT + 1];
  if (!cli->entities) {
    g_autoptr(JsonObject) answer = NULL;
    struct hm_error ignored;
    JsonArray *list = NULL;
    if (cli_ask(cli, "GET", "/api/entities", NULL, &answer, &ignored) == HM_OK)
      list = hm_json_get_list(answer, "entities");
    cli->entities = list ? json_array_ref(list) : json_array_new();
  }
  hm_lct_format(lct, text);
  for (guint i = 0; i < json_array_get_length(cli->entities); i++) {
    JsonObject *entity = json_array_get_object_element(cli->entities, i);
    const char *is = hm_json_get_text(entity, "lct");
    if (is && strcmp(is, text) == 0)
      return hm_json_get_text(entity, "name");
  }
  return NULL;
}

/* ---- authorities
 * --------------------------------------------------------------------------------- */
enum hm_status cli_anchors(struct cli *cli, const struct cli_args *args, struct hm_anchors *anchors,
                           struct hm_error *err)
{
  GPtrArray *given = cli_flags(args, "--authority");
  memset(anchors, 0, sizeof *anchors);
  for (guint i = 0; given && i < given->len; i++)
    HM_TRY(hm_anchors_add(anchors, given->pdata[i], err));
  if (given)
    return HM_OK;
  HM_TRY(cli_find_paths(cli, err));
  g_autoptr(GString) tried = g_string_new(NULL);
  for (unsigned i = 0; i < cli->path_count; i++) {
    if (cli->found && cli->found != &cli->paths[i])
      continue;
    char path[HM_FILE_PATH];
    HM_TRY(hm_path_join(path, cli->paths[i].etc, "trust.d", err));
    enum hm_status status = hm_anchors_add_folder(anchors, path, err);
    if (status != HM_NOT_FOUND)
      return status;
    g_string_append_printf(tried, "%s%s", tried->len ? ", " : "", path);
  }
  return hm_fail(err, HM_NOT_FOUND, "no authority to believe in %s; give one: --authority FILE.pub",
                 tried->str);
}

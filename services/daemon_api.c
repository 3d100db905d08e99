/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Life of the API server: the socket, who may come in, which handler answers.
 *
 * Connections are accepted here and not by libsoup, so that there are never more
 * than 64 and each carries its peer: the address object handed to libsoup with a
 * connection is its own, and the peer hangs on it.
 */
#include "services/daemon_api.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/names.h"
#include "services/paths.h"
#include "services/text.h"
#include "trust/crypto_openssl.h"

/* ---- routes ------------------------------------------------------------------------ */
static const struct hm_json_field bind_fields[] = {
    {"source", HM_JSON_TEXT, true, 1, HM_SOURCE_MAX},
    {"name", HM_JSON_TEXT, false, 1, HM_NAME_LETTERS},
    {"key", HM_JSON_TEXT, false, 1, HM_SOURCE_MAX},
    {"gate", HM_JSON_TEXT, false, 1, 64},
};
static const struct hm_json_field pair_fields[] = {
    {"names", HM_JSON_TEXTS, true, 1, HM_PAIR_NAMES},
    {"context", HM_JSON_TEXT, true, 1, HM_CONTEXT_TEXT},
    {"seconds", HM_JSON_UINT, true, 1, 400 * 86400},
    {"operations", HM_JSON_TEXTS, false, 1, 6},
    {"with", HM_JSON_TEXT, false, 1, HM_NAME_LETTERS},
    {"again", HM_JSON_TEXT, false, 1, 64},
};
static const struct hm_json_field revoke_fields[] = {
    {"name", HM_JSON_TEXT, false, 1, HM_NAME_LETTERS},
    {"entry", HM_JSON_TEXT, false, 2, 20},
    {"context", HM_JSON_TEXT, false, 1, HM_CONTEXT_TEXT},
    {"reason", HM_JSON_TEXT, false, 1, 200},
};
static const struct hm_json_field proof_fields[] = {
    {"objects", HM_JSON_TEXTS, true, 1, 500},
};

#define FIELDS(table) table, G_N_ELEMENTS(table)

static const struct route {
  const char *method;
  const char *path; /* a * stands for one segment */
  enum hm_api_right needs;
  void (*handle)(struct hm_api_request *request);
  const struct hm_json_field *fields; /* NULL: no body */
  size_t field_count;
} routes[] = {
    {"GET", "/api/status", HM_API_READ, hm_api_get_status, NULL, 0},
    {"GET", "/api/sources", HM_API_READ, hm_api_get_sources, NULL, 0},
    {"GET", "/api/entities", HM_API_READ, hm_api_get_entities, NULL, 0},
    {"GET", "/api/entities/*", HM_API_READ, hm_api_get_entity, NULL, 0},
    {"GET", "/api/memories/*", HM_API_READ, hm_api_get_memory, NULL, 0},
    {"GET", "/api/memories/*/why", HM_API_READ, hm_api_get_why, NULL, 0},
    {"GET", "/api/memories/*/picture", HM_API_READ, hm_api_get_picture, NULL, 0},
    {"GET", "/api/control", HM_API_READ, hm_api_get_control, NULL, 0},
    {"GET", "/api/events", HM_API_READ, hm_api_get_events, NULL, 0},
    {"GET", "/metrics", HM_API_READ, hm_api_get_metrics, NULL, 0},
    {"POST", "/api/query", HM_API_READ, hm_api_post_query, hm_view_query_fields, 0},
    {"POST", "/api/proofs", HM_API_READ, hm_api_post_proofs, FIELDS(proof_fields)},
    {"POST", "/api/entities", HM_API_ADMIN, hm_api_post_entities, FIELDS(bind_fields)},
    {"DELETE", "/api/entities/*", HM_API_ADMIN, hm_api_delete_entity, NULL, 0},
    {"POST", "/api/pairings", HM_API_ADMIN, hm_api_post_pairings, FIELDS(pair_fields)},
    {"POST", "/api/revocations", HM_API_ADMIN, hm_api_post_revocations, FIELDS(revoke_fields)},
};

static bool match_path(const char *pattern, const char *path, char **object)
{
  const char *star = strchr(pattern, '*');
  if (!star)
    return strcmp(pattern, path) == 0;
  size_t head = (size_t)(star - pattern);
  if (strncmp(pattern, path, head) != 0)
    return false;
  size_t len = strcspn(path + head, "/");
  if (len == 0 || strcmp(path + head + len, star + 1) != 0)
    return false;
  *object = g_strndup(path + head, len);
  return true;
}

/* The route, or NULL with the reason in error. */
static const struct route *find_route(struct hm_api_request *r, struct hm_error *error)
{
  bool is_known = false;
  const char *method = soup_server_message_get_method(r->message);
  for (size_t i = 0; i < G_N_ELEMENTS(routes); i++) {
    g_autofree char *object = NULL;
    if (!match_path(routes[i].path, r->path, &object))
      continue;
    is_known = true;
    if (strcmp(routes[i].method, method) != 0)
      continue;
    r->object = g_steal_pointer(&object);
    return &routes[i];
  }
  r->is_wrong_method = is_known;
  if (is_known)
    (void)hm_fail(error, HM_UNSUPPORTED, "%s: no such method for %s", method, r->path);
  else
    (void)hm_fail(error, HM_NOT_FOUND, "%s: no such path", r->path);
  return NULL;
}

/* ---- requests ------------------------------------------------------------------------ */
static void free_request(struct hm_api_request *r)
{
  g_clear_object(&r->message);
  g_clear_pointer(&r->body, json_object_unref);
  g_clear_pointer(&r->raw, g_byte_array_unref);
  g_clear_pointer(&r->query, g_hash_table_unref);
  g_free(r->path);
  g_free(r->object);
  g_free(r);
}

static void on_finished(SoupServerMessage *message, gpointer user)
{
  (void)message;
  struct hm_api_request *r = user;
  r->is_gone = true;
}

void hm_api_wait(struct hm_api_request *r)
{
  r->is_waiting = true;
  soup_server_pause_message(r->api->soup, r->message);
}

/* The answer is in the message: send it, and forget a request that waited. */
static void finish(struct hm_api_request *r)
{
  if (!r->is_waiting)
    return;
  g_signal_handlers_disconnect_by_data(r->message, r);
  if (!r->is_gone)
    soup_server_unpause_message(r->api->soup, r->message);
  free_request(r);
}

static void put_response(struct hm_api_request *r, unsigned http, const char *type,
                         const void *data, size_t len)
{
  if (r->is_gone)
    return;
  SoupMessageHeaders *headers = soup_server_message_get_response_headers(r->message);
  soup_message_headers_replace(headers, "Cache-Control", "no-store");
  soup_server_message_set_status(r->message, http, NULL);
  soup_server_message_set_response(r->message, type, SOUP_MEMORY_COPY, data, len);
}

void hm_api_answer(struct hm_api_request *r, unsigned http, JsonObject *object)
{
  g_autofree char *line = hm_json_line(object);
  json_object_unref(object);
  put_response(r, http, "application/json", line, strlen(line));
  finish(r);
}

void hm_api_answer_bytes(struct hm_api_request *r, const char *type, const void *data, size_t len)
{
  put_response(r, 200, type, data, len);
  finish(r);
}

void hm_api_problem(struct hm_api_request *r, const struct hm_error *error)
{
  const struct hm_status_row *row = hm_status_row(error->status);
  const char *text = hm_error_text(error);
  const char *mend = strstr(text, "; run: ");
  g_autofree char *detail = mend ? g_strndup(text, (size_t)(mend - text)) : g_strdup(text);
  g_autoptr(JsonObject) o = json_object_new();
  hm_json_set_text(o, "type", "about:blank");
  hm_json_set_text(o, "title", r->is_wrong_method ? "no such method" : row->sentence);
  unsigned http = r->is_wrong_method ? 405 : (unsigned)row->http;
  json_object_set_int_member(o, "status", http);
  hm_json_set_text(o, "code", row->w4);
  hm_json_set_text(o, "hm_status", row->name);
  hm_json_set_text(o, "detail", detail);
  if (mend)
    hm_json_set_text(o, "mend", mend + strlen("; run: "));
  g_autofree char *line = hm_json_line(o);
  r->api->refused_requests++;
  put_response(r, http, "application/problem+json", line, strlen(line));
  finish(r);
}

const char *hm_api_parameter(const struct hm_api_request *r, const char *name)
{
  return r->query ? g_hash_table_lookup(r->query, name) : NULL;
}

static enum hm_status check_body(struct hm_api_request *r, const struct route *route,
                                 struct hm_error *error)
{
  if (r->is_too_large)
    return hm_fail(error, HM_TOO_LARGE, "body: over %d bytes", HM_JSON_BODY);
  if (!route->fields)
    return r->raw->len == 0 ? HM_OK : hm_fail(error, HM_MALFORMED, "%s takes no body", r->path);
  char message[256];
  enum hm_status status = hm_json_parse(hm_bytes(r->raw->data, r->raw->len), HM_JSON_BODY, &r->body,
                                        message, sizeof message);
  size_t count =
      route->fields == hm_view_query_fields ? hm_view_query_field_count : route->field_count;
  if (status == HM_OK)
    status = hm_json_check(r->body, route->fields, count, message, sizeof message);
  return status == HM_OK ? HM_OK : hm_fail(error, status, "%s", message);
}

static enum hm_status check_right(struct hm_api_request *r, const struct route *route,
                                  struct hm_error *error)
{
  GSocketAddress *address = soup_server_message_get_remote_address(r->message);
  const struct hm_api_peer *peer = address ? g_object_get_data(G_OBJECT(address), "peer") : NULL;
  if (peer && peer->right >= route->needs)
    return HM_OK;
  return hm_fail(error, HM_DENIED, "uid %ld is not in group %s; run: sudo usermod -aG %s %s",
                 peer ? (long)peer->uid : -1L,
                 route->needs == HM_API_ADMIN ? "hallmark-admin" : "hallmark",
                 route->needs == HM_API_ADMIN ? "hallmark-admin" : "hallmark", "USER");
}

static void dispatch(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  if (strlen(r->path) > HM_API_PATH_MAX) {
    (void)hm_fail(&error, HM_TOO_LARGE, "path of %zu bytes, limit %d", strlen(r->path),
                  HM_API_PATH_MAX);
    hm_api_problem(r, &error);
    return;
  }
  const struct route *route = find_route(r, &error);
  /* Rights first: who may not ask learns nothing about bodies. */
  if (!route || check_right(r, route, &error) != HM_OK || check_body(r, route, &error) != HM_OK)
    hm_api_problem(r, &error);
  else
    route->handle(r);
}

static void on_request(SoupServer *soup, SoupServerMessage *message, const char *path,
                       GHashTable *query, gpointer user)
{
  (void)soup;
  struct hm_api *api = user;
  struct hm_api_request *r = g_new0(struct hm_api_request, 1);
  r->api = api;
  r->message = g_object_ref(message);
  r->path = g_strdup(path);
  r->query = query ? g_hash_table_ref(query) : NULL;
  GByteArray *raw = g_object_get_data(G_OBJECT(message), "body");
  r->raw = raw ? g_byte_array_ref(raw) : g_byte_array_new();
  r->is_too_large = g_object_get_data(G_OBJECT(message), "too-large") != NULL;
  g_signal_connect(message, "finished", G_CALLBACK(on_finished), r);
  g_signal_connect(message, "disconnected", G_CALLBACK(on_finished), r);
  api->requests++;
  dispatch(r);
  if (!r->is_waiting) {
    g_signal_handlers_disconnect_by_data(message, r);
    free_request(r);
  }
}

/* ---- bodies, bounded as they come ------------------------------------------------------ */
static void on_chunk(SoupServerMessage *message, GBytes *chunk, gpointer user)
{
  (void)user;
  GByteArray *raw = g_object_get_data(G_OBJECT(message), "body");
  gsize len = 0;
  const guint8 *data = g_bytes_get_data(chunk, &len);
  if (raw->len + len <= HM_JSON_BODY) {
    g_byte_array_append(raw, data, (guint)len);
    return;
  }
  /* The rest is read and dropped, so that the answer can say why; whoever goes on
   * sending after 16 times the limit is cut off. */
  gsize dropped = GPOINTER_TO_SIZE(g_object_get_data(G_OBJECT(message), "too-large")) + len;
  g_object_set_data(G_OBJECT(message), "too-large", GSIZE_TO_POINTER(dropped));
  GSocketAddress *address = soup_server_message_get_remote_address(message);
  GSocket *socket = address ? g_object_get_data(G_OBJECT(address), "socket") : NULL;
  if (dropped > 16 * HM_JSON_BODY && socket)
    g_socket_shutdown(socket, TRUE, TRUE, NULL);
}

static void on_started(SoupServer *soup, SoupServerMessage *message, gpointer user)
{
  (void)soup;
  (void)user;
  g_object_set_data_full(G_OBJECT(message), "body", g_byte_array_new(),
                         (GDestroyNotify)g_byte_array_unref);
  soup_message_body_set_accumulate(soup_server_message_get_request_body(message), FALSE);
  g_signal_connect(message, "got-chunk", G_CALLBACK(on_chunk), NULL);
}

/* ---- connections -------------------------------------------------------------------------- */
/* The count outlives the API where a connection does. */
static void on_closed(gpointer user, GObject *was)
{
  (void)was;
  unsigned *connections = user;
  (*connections)--;
  g_rc_box_release(connections);
}

static gboolean on_incoming(GSocketService *service, GSocketConnection *connection, GObject *source,
                            gpointer user)
{
  (void)service;
  (void)source;
  struct hm_api *api = user;
  GSocket *socket = g_socket_connection_get_socket(connection);
  struct hm_api_peer *peer = g_new0(struct hm_api_peer, 1);
  enum hm_status status = hm_api_peer_of(g_socket_get_fd(socket), peer);
  /* Who may only read must not be able to keep revoke out. */
  unsigned limit = peer->right == HM_API_ADMIN ? HM_API_CONNECTIONS : HM_API_CONNECTIONS_READ;
  if (*api->connections >= limit || status != HM_OK) {
    api->refused_connections++;
    hm_log(HM_LOG_WARNING, "api-connections",
           "api.sock: connection of pid %ld refused, %u stand (limit %u)", (long)peer->pid,
           *api->connections, limit);
    g_free(peer);
    g_io_stream_close(G_IO_STREAM(connection), NULL, NULL);
    return TRUE;
  }
  g_socket_set_timeout(socket, HM_API_IDLE_S);
  g_autoptr(GSocketAddress) local = g_unix_socket_address_new(api->path);
  g_autoptr(GSocketAddress) remote = g_unix_socket_address_new("peer");
  g_object_set_data_full(G_OBJECT(remote), "peer", peer, g_free);
  g_object_set_data_full(G_OBJECT(remote), "socket", g_object_ref(socket), g_object_unref);
  g_autoptr(GError) error = NULL;
  if (!soup_server_accept_iostream(api->soup, G_IO_STREAM(connection), local, remote, &error)) {
    hm_log(HM_LOG_WARNING, "api-accept", "api.sock: %s", error->message);
    return TRUE;
  }
  (*api->connections)++;
  g_object_weak_ref(G_OBJECT(connection), on_closed, g_rc_box_acquire(api->connections));
  return TRUE;
}

/* ---- life ------------------------------------------------------------------------------------ */
static const char *name_of(void *user, const uint8_t lct[32])
{
  return hm_core_name_of(user, lct);
}

static bool find_name(void *user, const char *name, uint8_t lct[32])
{
  g_autofree struct hm_core_entity *entity = g_new0(struct hm_core_entity, 1);
  if (hm_core_entity_named(user, name, entity) != HM_OK)
    return false;
  memcpy(lct, entity->lct, 32);
  return true;
}

static bool find_context(void *user, const char *name, uint64_t *code)
{
  g_autofree struct hm_core_entity *entity = g_new0(struct hm_core_entity, 1);
  for (unsigned i = 0; hm_core_entity_at(user, i, entity) == HM_OK; i++)
    for (unsigned p = 0; p < entity->pairing_count; p++)
      if (strcmp(entity->pairings[p].context_text, name) == 0) {
        *code = entity->pairings[p].context;
        return true;
      }
  return false;
}

/* Bind to the path; what a crashed daemon left is replaced (the store's lock says that
 * no other one lives). */
static enum hm_status listen_at(struct hm_api *api, struct hm_error *err)
{
  g_autoptr(GError) error = NULL;
  HM_TRY(hm_socket_path_check(api->path, err));
  if (g_unlink(api->path) != 0 && errno != ENOENT)
    return hm_fail_errno(err, HM_IO, errno, "%s", api->path);
  g_autoptr(GSocket) socket =
      g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, &error);
  g_autoptr(GSocketAddress) address = g_unix_socket_address_new(api->path);
  if (!socket || !g_socket_bind(socket, address, FALSE, &error))
    return hm_fail(err, HM_IO, "%s", error->message);
  if (g_chmod(api->path, 0660) != 0)
    return hm_fail_errno(err, HM_IO, errno, "%s", api->path);
  g_socket_set_listen_backlog(socket, HM_API_CONNECTIONS);
  if (!g_socket_listen(socket, &error) ||
      !g_socket_listener_add_socket(G_SOCKET_LISTENER(api->service), socket, NULL, &error))
    return hm_fail(err, HM_IO, "%s: %s", api->path, error->message);
  return HM_OK;
}

enum hm_status hm_api_start(struct hm_core *core, const char *path, struct hm_api **out)
{
  struct hm_error error = {HM_OK, ""};
  struct hm_api *api = g_new0(struct hm_api, 1);
  api->core = core;
  api->path = g_strdup(path);
  api->view = (struct hm_view){&hm_crypto_openssl, hm_core_store(core), name_of,
                               find_name,          find_context,        core};
  api->connections = g_rc_box_new0(unsigned);
  api->followers = g_ptr_array_new();
  api->soup = soup_server_new("server-header", "hallmarkd", NULL);
  g_signal_connect(api->soup, "request-started", G_CALLBACK(on_started), api);
  soup_server_add_handler(api->soup, NULL, on_request, api, NULL);
  api->service = g_socket_service_new();
  g_signal_connect(api->service, "incoming", G_CALLBACK(on_incoming), api);
  enum hm_status status = listen_at(api, &error);
  if (status != HM_OK) {
    hm_log(HM_LOG_ERROR, "api-start", "%s", hm_error_text(&error));
    hm_api_free(api);
    return status;
  }
  g_socket_service_start(api->service);
  *out = api;
  return HM_OK;
}

void hm_api_stop(struct hm_api *api)
{
  if (!api || !api->service)
    return;
  g_socket_service_stop(api->service);
  g_socket_listener_close(G_SOCKET_LISTENER(api->service));
  g_clear_object(&api->service);
  g_unlink(api->path);
  hm_api_followers_end(api);
}

void hm_api_free(struct hm_api *api)
{
  if (!api)
    return;
  hm_api_stop(api);
  soup_server_disconnect(api->soup);
  g_clear_object(&api->soup);
  g_ptr_array_unref(api->followers);
  g_rc_box_release(api->connections);
  g_free(api->path);
  g_free(api);
}

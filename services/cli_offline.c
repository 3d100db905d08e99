/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The API's reading paths answered from a store that no daemon holds. Everything that
 * touches LMDB happens in a child; what comes back is the same JSON.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "services/cli.h"
#include "services/clock.h"
#include "services/view.h"
#include "trust/crypto_openssl.h"

enum { OFFLINE_ANSWER_MAX = 128 << 20, LOCAL_FILE_MAX = 2048 };

enum hm_status cli_store_path(const char *given, char out[HM_FILE_PATH], struct hm_error *err)
{
  static const char *const below[] = {".", "store"};
  for (size_t i = 0; i < G_N_ELEMENTS(below); i++) {
    g_autofree char *folder = i == 0 ? g_strdup(given) : g_build_filename(given, below[i], NULL);
    g_autofree char *format = g_build_filename(folder, "format", NULL);
    if (access(format, F_OK) == 0) {
      if (g_strlcpy(out, folder, HM_FILE_PATH) >= HM_FILE_PATH)
        return hm_fail(err, HM_TOO_LARGE, "%s: path too long", folder);
      return HM_OK;
    }
  }
  return hm_fail(err, HM_NOT_FOUND, "%s: no store there (no file \"format\" in it or in store/)",
                 given);
}

/* ---- names of an idle store: sources/ beside it -------------------------------------------- */
static GHashTable *read_names(const char *store)
{
  GHashTable *names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_autofree char *above = g_path_get_dirname(store);
  g_autofree char *folder = g_build_filename(above, "sources", NULL);
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  for (const char *file; dir && (file = g_dir_read_name(dir));) {
    char path[HM_FILE_PATH], text[LOCAL_FILE_MAX + 1];
    size_t len = 0;
    if (hm_path_join(path, folder, file, NULL) != HM_OK ||
        hm_file_read(path, (uint8_t *)text, LOCAL_FILE_MAX, &len, NULL) != HM_OK)
      continue;
    text[len] = '\0';
    g_auto(GStrv) lines = g_strsplit(text, "\n", 6);
    if (g_strv_length(lines) >= 4 && g_str_has_prefix(lines[1], "name ") &&
        g_str_has_prefix(lines[2], "lct ") && hm_name_check(lines[1] + 5, NULL) == HM_OK)
      g_hash_table_replace(names, g_strdup(lines[2] + 4), g_strdup(lines[1] + 5));
  }
  return names;
}

static const char *name_of(void *user, const uint8_t lct[32])
{
  char hex[65];
  hm_text_hex(lct, 32, hex);
  return g_hash_table_lookup(user, hex);
}

static bool find_name(void *user, const char *name, uint8_t lct[32])
{
  GHashTableIter iter;
  gpointer hex, value;
  g_hash_table_iter_init(&iter, user);
  while (g_hash_table_iter_next(&iter, &hex, &value))
    if (strcmp(value, name) == 0 && strlen(hex) == 64) {
      for (size_t i = 0; i < 32; i++)
        lct[i] = (uint8_t)(g_ascii_xdigit_value(((char *)hex)[2 * i]) << 4 |
                           g_ascii_xdigit_value(((char *)hex)[2 * i + 1]));
      return true;
    }
  return false;
}

/* ---- paths ------------------------------------------------------------------------------------
 */
struct asked {
  struct cli *cli;
  const char *method, *path;
  JsonObject *body;
  char store[HM_FILE_PATH];
};

struct answerer {
  struct hm_view view;
  const struct asked *asked;
  GByteArray *out;
};

static void put_json(struct answerer *a, JsonObject *object)
{
  g_autofree char *line = hm_json_line(object);
  g_byte_array_append(a->out, (const guint8 *)line, (guint)strlen(line));
  json_object_unref(object);
}

static enum hm_status answer_status(struct answerer *a, uint64_t number, struct hm_error *err)
{
  (void)number;
  (void)err;
  struct hm_store_sizes sizes;
  hm_store_sizes(a->view.store, &sizes);
  JsonObject *o = json_object_new(), *store = json_object_new();
  uint8_t owner[32];
  char lct[HM_LCT_TEXT + 1];
  uint64_t used = 0, available = 0;
  hm_log_owner(hm_store_control(a->view.store), owner);
  hm_lct_format(owner, lct);
  hm_json_set_text(o, "version", HM_VERSION);
  hm_json_set_text(o, "state", "stopped");
  hm_json_set_text(o, "host", lct);
  hm_json_set_text(store, "path", a->asked->store);
  hm_json_set_u64(store, "memories", sizes.records);
  hm_json_set_u64(store, "batches", sizes.batches);
  hm_json_set_u64(store, "entries", sizes.control);
  if (hm_store_bytes(a->view.store, &used, &available) == HM_OK)
    hm_json_set_u64(store, "bytes", used);
  json_object_set_object_member(o, "store", store);
  put_json(a, o);
  return HM_OK;
}

/* The authorities of the state folder that the store stands in, if it does. */
static bool find_anchors(struct answerer *a, struct hm_anchors *anchors)
{
  g_autofree char *above = g_path_get_dirname(a->asked->store);
  g_autofree char *trust = g_build_filename(above, "etc", "trust.d", NULL);
  return hm_anchors_add_folder(anchors, trust, NULL) == HM_OK;
}

static enum hm_status answer_memory(struct answerer *a, uint64_t number, struct hm_error *err)
{
  JsonObject *object = NULL;
  struct hm_anchors anchors = {0};
  const char *proof = find_anchors(a, &anchors)
                          ? hm_chain_word(a->view.crypto, a->view.store, &anchors, number)
                          : NULL;
  HM_TRY(hm_view_memory(&a->view, number, proof, &object, err));
  put_json(a, object);
  return HM_OK;
}

static enum hm_status answer_entities(struct answerer *a, uint64_t number, struct hm_error *err)
{
  (void)number;
  JsonObject *object = NULL;
  HM_TRY(hm_view_entities(&a->view, hm_realtime_ns() / 1000000000, &object, err));
  put_json(a, object);
  return HM_OK;
}

/* One of them, by its name. */
static enum hm_status answer_entity(struct answerer *a, uint64_t number, struct hm_error *err)
{
  (void)number;
  g_autoptr(JsonObject) all = NULL;
  const char *name = a->asked->path + strlen("/api/entities/");
  HM_TRY(hm_view_entities(&a->view, hm_realtime_ns() / 1000000000, &all, err));
  JsonArray *list = hm_json_get_list(all, "entities");
  for (guint i = 0; i < json_array_get_length(list); i++) {
    JsonObject *entity = json_array_get_object_element(list, i);
    if (g_strcmp0(hm_json_get_text(entity, "name"), name) == 0) {
      put_json(a, json_object_ref(entity));
      return HM_OK;
    }
  }
  return hm_fail(err, HM_NOT_FOUND, "%s: no entity of this name in %s", name, a->asked->store);
}

static enum hm_status answer_picture(struct answerer *a, uint64_t number, struct hm_error *err)
{
  uint8_t picture[3072];
  unsigned pixels = 0;
  HM_TRY(hm_view_picture(&a->view, number, picture, &pixels, err));
  g_byte_array_append(a->out, picture, sizeof picture);
  return HM_OK;
}

static enum hm_status prove(struct answerer *a, const uint64_t *numbers, size_t count,
                            struct hm_error *err)
{
  struct hm_fault fault = {0, ""};
  uint8_t *file = NULL;
  size_t len = 0;
  enum hm_status status =
      hm_prove(a->view.crypto, a->view.store, numbers, count, NULL, &file, &len, &fault);
  if (status != HM_OK)
    return hm_fail(err, status, "%s", fault.text[0] ? fault.text : hm_status_text(status));
  g_byte_array_append(a->out, file, (guint)len);
  free(file);
  return HM_OK;
}

static enum hm_status answer_why(struct answerer *a, uint64_t number, struct hm_error *err)
{
  return prove(a, &number, 1, err);
}

static enum hm_status answer_proofs(struct answerer *a, uint64_t number, struct hm_error *err)
{
  (void)number;
  JsonArray *objects = hm_json_get_list(a->asked->body, "objects");
  g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  for (guint i = 0; i < json_array_get_length(objects); i++) {
    uint64_t n = 0;
    if (hm_text_log_number(json_array_get_string_element(objects, i), 'm', &n))
      g_array_append_val(numbers, n); /* the verb sorted them */
  }
  return prove(a, &g_array_index(numbers, uint64_t, 0), numbers->len, err);
}

static enum hm_status answer_control(struct answerer *a, uint64_t number, struct hm_error *err)
{
  (void)number;
  const char *since = strstr(a->asked->path, "since=c");
  uint64_t from = since ? g_ascii_strtoull(since + 7, NULL, 10) : 0;
  JsonObject *object = NULL;
  HM_TRY(hm_view_control(&a->view, from, 500, &object, err));
  put_json(a, object);
  return HM_OK;
}

static enum hm_status answer_query(struct answerer *a, uint64_t number, struct hm_error *err)
{
  (void)number;
  g_autofree struct hm_query_run *run = g_new0(struct hm_query_run, 1);
  JsonObject *object = NULL;
  HM_TRY(hm_view_query_begin(&a->view, a->asked->body, run, err));
  while (!run->is_done) {
    enum hm_status status = hm_query_step(run);
    if (status != HM_OK)
      return hm_fail(err, status, "query: near m%" G_GUINT64_FORMAT ": %s", run->first,
                     hm_status_text(status));
  }
  /* Each hit's chain is followed where an authority is known. */
  const char *proofs[HM_QUERY_HITS_MAX] = {NULL};
  struct hm_anchors anchors = {0};
  if (find_anchors(a, &anchors))
    for (uint32_t i = 0; i < run->count; i++)
      proofs[i] = hm_chain_word(a->view.crypto, a->view.store, &anchors, run->hits[i].number);
  HM_TRY(hm_view_query_answer(&a->view, run, proofs, &object, err));
  put_json(a, object);
  return HM_OK;
}

static const struct {
  const char *method, *head, *tail; /* head, a number where tail is not NULL, tail */
  enum hm_status (*answer)(struct answerer *a, uint64_t number, struct hm_error *err);
} answers[] = {
    {"GET", "/api/status", NULL, answer_status},
    {"GET", "/api/entities/", NULL, answer_entity},
    {"GET", "/api/entities", NULL, answer_entities},
    {"GET", "/api/control", NULL, answer_control},
    {"GET", "/api/memories/m", "/picture", answer_picture},
    {"GET", "/api/memories/m", "/why", answer_why},
    {"GET", "/api/memories/m", "", answer_memory},
    {"POST", "/api/query", NULL, answer_query},
    {"POST", "/api/proofs", NULL, answer_proofs},
};

static enum hm_status answer_path(struct answerer *a, struct hm_error *err)
{
  for (size_t i = 0; i < G_N_ELEMENTS(answers); i++) {
    uint64_t number = 0;
    char *end = NULL;
    if (strcmp(answers[i].method, a->asked->method) != 0 ||
        !g_str_has_prefix(a->asked->path, answers[i].head))
      continue;
    if (answers[i].tail) {
      number = g_ascii_strtoull(a->asked->path + strlen(answers[i].head), &end, 10);
      if (strcmp(end, answers[i].tail) != 0)
        continue;
    }
    return answers[i].answer(a, number, err);
  }
  return hm_fail(err, HM_POLICY, "--store reads only; ask the daemon for this");
}

static enum hm_status work(void *user, GByteArray *out, struct hm_error *err)
{
  const struct asked *asked = user;
  struct hm_fault fault = {0, ""};
  struct answerer a = {.asked = asked, .out = out};
  g_autoptr(GHashTable) names = read_names(asked->store);
  a.view = (struct hm_view){
      .crypto = &hm_crypto_openssl, .name_of = name_of, .find_name = find_name, .user = names};
  enum hm_status status =
      hm_store_open(a.view.crypto, asked->store, HM_LOG_READ, &a.view.store, &fault);
  if (status == HM_LOCKED)
    return hm_fail(err, status, "%s: a hallmarkd holds it; ask it without --store", asked->store);
  if (status != HM_OK)
    return hm_fail(err, status, "%s", fault.text[0] ? fault.text : hm_status_text(status));
  uint8_t host[32];
  char hex[65];
  hm_log_owner(hm_store_control(a.view.store), host);
  hm_text_hex(host, 32, hex);
  g_hash_table_insert(names, g_strdup(hex), g_strdup("host"));
  status = answer_path(&a, err);
  hm_store_close(a.view.store);
  return status;
}

enum hm_status cli_offline(struct cli *cli, const char *method, const char *path, JsonObject *body,
                           GBytes **out, struct hm_error *err)
{
  struct asked asked = {.cli = cli, .method = method, .path = path, .body = body};
  HM_TRY(cli_store_path(cli->store, asked.store, err));
  return cli_in_child(work, &asked, OFFLINE_ANSWER_MAX, out, err);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * query, watch, log: memories and entries, as tables and as lines.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/cli.h"
#include "services/clock.h"

/* ---- query -------------------------------------------------------------------------------- */
static const char *const query_heads[] = {"ID",    "WHEN",     "SENSOR", "CONTEXT",
                                          "TRUST", "DISTANCE", "PROOF"};

static char *contexts_of(JsonObject *memory)
{
  GString *out = g_string_new(NULL);
  JsonArray *pairings = hm_json_get_list(memory, "pairings");
  for (guint i = 0; pairings && i < json_array_get_length(pairings); i++) {
    JsonObject *p = json_array_get_object_element(pairings, i);
    g_string_append_printf(out, "%s%s", i ? "," : "", hm_json_get_text(p, "context"));
  }
  if (out->len == 0)
    g_string_append_c(out, '-');
  return g_string_free(out, FALSE);
}

static void add_fraction(struct cli_table *table, JsonObject *object, const char *member,
                         int decimals)
{
  double value = hm_json_get_number(object, member, -1);
  if (value < 0)
    cli_table_add(table, NULL);
  else
    cli_table_add_f(table, "%.*f", decimals, value);
}

static void add_hit(struct cli *cli, struct cli_table *table, JsonObject *memory)
{
  char when[HM_TEXT_TIME];
  g_autofree char *contexts = contexts_of(memory);
  cli_time(cli, hm_json_get_text(memory, "arrival"), when);
  cli_table_add(table, hm_json_get_text(memory, "id"));
  cli_table_add(table, when);
  cli_table_add(table, hm_json_get_text(memory, "sensor"));
  cli_table_add(table, contexts);
  add_fraction(table, memory, "trust", 2);
  add_fraction(table, memory, "distance", 4);
  cli_table_add(table, hm_json_get_text(memory, "proof"));
}

/* A picture file becomes a vector in hallmark-media, where hostile images are decoded. */
static enum hm_status describe_image(const char *path, JsonArray **vector, struct hm_error *err)
{
  g_autofree char *program = cli_program("hallmark-media");
  const char *argv[] = {program, "--describe", path, NULL};
  g_autoptr(GBytes) out = NULL;
  g_autoptr(JsonObject) answer = NULL;
  int code = 0;
  char message[200];
  if (access(path, R_OK) != 0)
    return hm_fail(err, HM_NOT_FOUND, "--like %s: neither a memory mN nor a readable picture",
                   path);
  enum hm_status status = cli_run(argv, NULL, HM_JSON_BODY, &out, &code, err);
  if (status != HM_OK) {
    err->status = code == 0 ? status : HM_MALFORMED;
    return hm_error_prefix(err, "--like %s", path);
  }
  size_t len = 0;
  const void *data = g_bytes_get_data(out, &len);
  if (hm_json_parse(hm_bytes(data, len), HM_JSON_BODY, &answer, message, sizeof message) != HM_OK)
    return hm_fail(err, HM_MALFORMED, "--like %s: hallmark-media: %s", path, message);
  JsonArray *list = hm_json_get_list(answer, "vector");
  if (!list)
    return hm_fail(err, HM_MALFORMED, "--like %s: hallmark-media gave no vector", path);
  *vector = json_array_ref(list);
  return HM_OK;
}

static enum hm_status set_like(JsonObject *body, const char *like, struct hm_error *err)
{
  uint64_t number = 0;
  JsonArray *vector = NULL;
  if (hm_text_log_number(like, 'm', &number)) {
    hm_json_set_text(body, "like", like);
    return HM_OK;
  }
  enum hm_status status = describe_image(like, &vector, err);
  if (status == HM_OK)
    json_object_set_array_member(body, "vector", vector);
  return status;
}

static int set_fraction(const struct cli_args *args, JsonObject *body, const char *flag)
{
  const char *text = cli_flag(args, flag);
  uint64_t value = 0;
  if (!text)
    return 0;
  if (hm_text_fraction(text, &value) != HM_OK)
    return cli_usage(args->verb, "%s %s: expected \">=0.8\", 0 to 1", flag, text);
  hm_json_set_fraction(body, flag + 2, (double)value / 10000);
  return 0;
}

/* Flags to the body of POST /api/query; 0 or an exit code. */
static int make_body(struct cli *cli, const struct cli_args *args, JsonObject *body)
{
  static const char *const plain[] = {"--sensor", "--context"};
  static const char *const times[] = {"--since", "--until"};
  struct hm_error err = {HM_OK, ""};
  char text[HM_TEXT_TIME];
  uint64_t n = 0, ms = 0;
  for (size_t i = 0; i < G_N_ELEMENTS(plain); i++)
    if (cli_flag(args, plain[i]))
      hm_json_set_text(body, plain[i] + 2, cli_flag(args, plain[i]));
  for (size_t i = 0; i < G_N_ELEMENTS(times); i++) {
    const char *value = cli_flag(args, times[i]);
    if (!value)
      continue;
    if (hm_text_log_number(value, 'm', &n)) {
      hm_json_set_text(body, times[i] + 2, value);
    } else if (hm_text_time_parse(value, &n) == HM_OK) {
      hm_text_time_utc(n, text);
      hm_json_set_text(body, times[i] + 2, text);
    } else {
      return cli_usage(args->verb, "%s %s: expected a time (2026-11-25 03:40) or mN", times[i],
                       value);
    }
  }
  const char *last = cli_flag(args, "--last"), *k = cli_flag(args, "-k");
  if (last && cli_flag(args, "--since"))
    return cli_usage(args->verb, "--last and --since exclude each other");
  if (last && hm_text_duration_ms(last, &ms) != HM_OK)
    return cli_usage(args->verb, "--last %s: expected a duration, 1h", last);
  if (last) {
    uint64_t now = hm_realtime_ns();
    hm_text_time_utc(now - MIN(ms * 1000000, now), text);
    hm_json_set_text(body, "since", text);
  }
  n = cli_flag(args, "--all") ? 500 : 50;
  if (k && (hm_text_uint(k, 500, &n) != HM_OK || n == 0))
    return cli_usage(args->verb, "-k %s: expected 1 to 500", k);
  json_object_set_int_member(body, "k", (gint64)n);
  int code = set_fraction(args, body, "--trust");
  if (code == 0)
    code = set_fraction(args, body, "--value");
  const char *like = cli_flag(args, "--like");
  if (code == 0 && like && cli_flag(args, "--all"))
    return cli_usage(args->verb, "--all goes by number, --like by distance: use -k");
  if (code == 0 && like && set_like(body, like, &err) != HM_OK)
    return cli_fail(cli, "query", &err);
  return code;
}

/* A copy for each page: cli_ask takes the body over. */
static JsonObject *copy_body(JsonObject *body, const char *after)
{
  JsonObject *copy = json_object_new();
  g_autoptr(GList) names = json_object_get_members(body);
  for (GList *n = names; n; n = n->next)
    json_object_set_member(copy, n->data, json_node_copy(json_object_get_member(body, n->data)));
  if (after)
    hm_json_set_text(copy, "after", after);
  return copy;
}

static int ask_pages(struct cli *cli, const struct cli_args *args, JsonObject *body)
{
  struct hm_error err = {HM_OK, ""};
  struct cli_table table;
  guint count = 0;
  uint64_t other = 0;
  g_autofree char *after = NULL;
  cli_table_begin(&table, query_heads, G_N_ELEMENTS(query_heads));
  do {
    g_autoptr(JsonObject) answer = NULL;
    if (cli_ask(cli, "POST", "/api/query", copy_body(body, after), &answer, &err) != HM_OK) {
      g_ptr_array_unref(table.cells);
      return cli_fail(cli, "query", &err);
    }
    JsonArray *hits = hm_json_get_list(answer, "hits");
    for (guint i = 0; hits && i < json_array_get_length(hits); i++, count++)
      if (cli->json)
        cli_json(json_array_get_object_element(hits, i));
      else
        add_hit(cli, &table, json_array_get_object_element(hits, i));
    other += hm_json_get_uint(answer, "other_encoder", 0);
    g_free(after);
    after = g_strdup(hm_json_get_text(answer, "next"));
  } while (after && cli_flag(args, "--all"));
  if (cli->json || count == 0)
    g_ptr_array_unref(table.cells);
  else
    cli_table_end(cli, &table);
  if (other > 0 && !cli->quiet)
    g_printerr("hallmark: query: %" G_GUINT64_FORMAT " memories of another encoder not compared\n",
               other);
  if (count == 0 && !cli->quiet && !cli->json)
    g_printerr("hallmark: query: no memory fits\n");
  return count > 0 ? 0 : 1;
}

int cli_query(struct cli *cli, const struct cli_args *args)
{
  g_autoptr(JsonObject) body = json_object_new();
  int code = make_body(cli, args, body);
  return code == 0 ? ask_pages(cli, args, body) : code;
}

/* ---- watch ------------------------------------------------------------------------------------
 */
struct watching {
  struct cli *cli;
  const char *sensor;
  bool with_control;
  uint64_t left; /* 0: no end */
};

static char *region_text(JsonObject *memory)
{
  JsonArray *r = hm_json_get_list(memory, "region");
  if (!r || json_array_get_length(r) != 4)
    return g_strdup("-");
  return g_strdup_printf(
      "%dx%d+%d+%d", (int)json_array_get_int_element(r, 2), (int)json_array_get_int_element(r, 3),
      (int)json_array_get_int_element(r, 0), (int)json_array_get_int_element(r, 1));
}

static void say_memory(struct cli *cli, JsonObject *m)
{
  char when[HM_TEXT_TIME];
  g_autofree char *sensor = cli_text(m, "sensor"), *id = cli_text(m, "id");
  g_autofree char *region = region_text(m);
  JsonObject *parts = hm_json_get_object(m, "value_parts");
  cli_time(cli, hm_json_get_text(m, "arrival"), when);
  /* A narrow terminal goes without the date: a line of a stream must not break. */
  bool is_narrow = cli->width > 0 && cli->width < 104;
  cli_say("%s  %-8s %-6s %-15s motion %.2f  trust %.2f",
          when + (is_narrow && strlen(when) > 11 ? 11 : 0), sensor, id, region,
          hm_json_get_number(parts, "surprise", 0), hm_json_get_number(m, "trust", 0));
  double ms = hm_json_get_number(m, "durable_ms", -1);
  if (ms < 0)
    cli_say("  replayed\n");
  else
    cli_say(is_narrow ? "  +%.0f ms\n" : "  durable after %.0f ms\n", ms);
}

static void say_entry(struct cli *cli, JsonObject *e, bool is_brief)
{
  char when[HM_TEXT_TIME];
  g_autofree char *id = cli_text(e, "id"), *kind = cli_text(e, "kind"), *what = cli_text(e, "what");
  cli_time(cli, hm_json_get_text(e, "time"), when);
  if (!cli->utc)
    when[19] = '\0'; /* entries have whole seconds */
  unsigned column = (unsigned)printf("%-6s ", id);
  if (!is_brief)
    column += (unsigned)printf("%s  ", when);
  g_strdelimit(kind, "_", ' ');
  column += (unsigned)printf("%-15s ", kind);
  cli_words(cli, column, column, what);
}

static bool on_event(void *user, const char *event, JsonObject *object)
{
  struct watching *w = user;
  bool is_memory = strcmp(event, "memory") == 0;
  if (!is_memory && !w->with_control)
    return true;
  if (is_memory && w->sensor && g_strcmp0(hm_json_get_text(object, "sensor"), w->sensor) != 0)
    return true;
  if (w->cli->json)
    cli_json(object);
  else if (is_memory)
    say_memory(w->cli, object);
  else
    say_entry(w->cli, object, false);
  fflush(stdout);
  /* Whoever reads our lines went away: nothing left to do. */
  if (ferror(stdout))
    return false;
  return !is_memory || w->left == 0 || --w->left > 0;
}

int cli_watch(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  struct watching w = {.cli = cli, .sensor = cli_flag(args, "--sensor")};
  const char *count = cli_flag(args, "--count"), *limit = cli_flag(args, "--for");
  const char *since = cli_flag(args, "--since");
  uint64_t ms = 0, number = 0;
  char after[24];
  w.with_control = cli_flag(args, "--control") != NULL;
  if (count && (hm_text_uint(count, INT64_MAX, &w.left) != HM_OK || w.left == 0))
    return cli_usage(args->verb, "--count %s: expected a number from 1", count);
  if (limit && (hm_text_duration_ms(limit, &ms) != HM_OK || ms == 0))
    return cli_usage(args->verb, "--for %s: expected a duration, 10s", limit);
  if (since && !hm_text_log_number(since, 'm', &number))
    return cli_usage(args->verb, "--since %s: expected a memory, mN", since);
  g_snprintf(after, sizeof after, "m%" G_GUINT64_FORMAT, number - 1); /* mN itself too */
  uint64_t wanted = w.left;
  enum hm_status status = cli_follow(cli, since ? after : NULL, ms, on_event, &w, &err);
  if (status != HM_OK)
    return cli_fail(cli, "watch", &err);
  if (wanted > 0 && w.left > 0) {
    (void)hm_fail(&err, HM_TIMEOUT,
                  "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " memories within %s",
                  wanted - w.left, wanted, limit ? limit : "the stream");
    return cli_fail(cli, "watch", &err);
  }
  return 0;
}

/* ---- log ----------------------------------------------------------------------------------------
 */
int cli_log(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  const char *since = cli_flag(args, "--since");
  uint64_t number = 0;
  if (since && !hm_text_log_number(since, 'c', &number))
    return cli_usage(args->verb, "--since %s: expected a control entry, cN", since);
  g_autofree char *after = g_strdup(since ? since : "c0");
  while (after) {
    g_autofree char *path = g_strdup_printf("/api/control?since=%s", after);
    g_autoptr(JsonObject) answer = NULL;
    if (cli_ask(cli, "GET", path, NULL, &answer, &err) != HM_OK)
      return cli_fail(cli, "log", &err);
    JsonArray *entries = hm_json_get_list(answer, "entries");
    if (cli->json)
      cli_json_each(entries);
    for (guint i = 0; !cli->json && entries && i < json_array_get_length(entries); i++)
      say_entry(cli, json_array_get_object_element(entries, i),
                cli_flag(args, "--oneline") != NULL);
    g_free(after);
    after = g_strdup(hm_json_get_text(answer, "next"));
  }
  return 0;
}

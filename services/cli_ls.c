/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * ls, show, status: what is there.
 */
#include <string.h>
#include <unistd.h>

#include "services/cli.h"

/* ---- ls ---------------------------------------------------------------------------------- */
static bool is_wanted(const struct cli *cli, const struct cli_args *args, JsonObject *entity)
{
  const char *kind = cli_flag(args, "--kind"), *state = cli->life_state;
  const char *context = cli_flag(args, "--context");
  if (kind && g_strcmp0(hm_json_get_text(entity, "kind"), kind) != 0)
    return false;
  if (state && g_strcmp0(hm_json_get_text(entity, "state"), state) != 0)
    return false;
  if (!context)
    return true;
  JsonArray *pairings = hm_json_get_list(entity, "pairings");
  for (guint i = 0; pairings && i < json_array_get_length(pairings); i++) {
    JsonObject *p = json_array_get_object_element(pairings, i);
    if (g_strcmp0(hm_json_get_text(p, "context"), context) == 0 &&
        g_strcmp0(hm_json_get_text(p, "state"), "live") == 0)
      return true;
  }
  return false;
}

/* "drive c5, training c9": the live pairings. */
static char *live_contexts(JsonObject *entity)
{
  GString *out = g_string_new(NULL);
  JsonArray *pairings = hm_json_get_list(entity, "pairings");
  for (guint i = 0; pairings && i < json_array_get_length(pairings); i++) {
    JsonObject *p = json_array_get_object_element(pairings, i);
    if (g_strcmp0(hm_json_get_text(p, "state"), "live") != 0)
      continue;
    g_string_append_printf(out, "%s%s %s", out->len ? ", " : "", hm_json_get_text(p, "context"),
                           hm_json_get_text(p, "entry"));
  }
  if (out->len == 0)
    g_string_append_c(out, '-');
  return g_string_free(out, FALSE);
}

/* "ok", or "UNPLUGGED since 2026-11-24 03:10:00": health, not trust. */
static char *health_of(const struct cli *cli, JsonObject *entity)
{
  const char *health = hm_json_get_text(entity, "health");
  char since[HM_TEXT_TIME];
  if (!health || strcmp(health, "ok") == 0 || !hm_json_get_text(entity, "health_since"))
    return g_strdup(health);
  cli_time(cli, hm_json_get_text(entity, "health_since"), since);
  if (!cli->utc)
    since[19] = '\0';
  /* Today's date says nothing. */
  g_autoptr(GDateTime) now = cli->utc ? g_date_time_new_now_utc() : g_date_time_new_now_local();
  g_autofree char *today = now ? g_date_time_format(now, "%Y-%m-%d") : NULL;
  bool is_today = today && strncmp(since, today, 10) == 0;
  return g_strdup_printf("%s since %s", health, since + (is_today ? 11 : 0));
}

int cli_ls(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  g_autoptr(JsonObject) answer = NULL;
  if (cli_ask(cli, "GET", "/api/entities", NULL, &answer, &err) != HM_OK)
    return cli_fail(cli, "ls", &err);
  static const char *const heads[] = {"NAME", "KIND",   "STATE",  "PAIRED",
                                      "GATE", "FRAMES", "HEALTH", "WHAT"};
  JsonArray *list = hm_json_get_list(answer, "entities");
  struct cli_table table;
  cli_table_begin(&table, heads, G_N_ELEMENTS(heads));
  for (guint i = 0; list && i < json_array_get_length(list); i++) {
    JsonObject *e = json_array_get_object_element(list, i);
    if (!is_wanted(cli, args, e))
      continue;
    if (cli->json)
      cli_json(e);
    JsonObject *gate = hm_json_get_object(e, "gate");
    const char *kind = hm_json_get_text(e, "kind");
    g_autofree char *contexts = live_contexts(e), *health = health_of(cli, e);
    cli_table_add(&table, hm_json_get_text(e, "name"));
    cli_table_add(&table, kind && kind[0] ? kind : hm_json_get_text(e, "type"));
    cli_table_add(&table, hm_json_get_text(e, "state"));
    cli_table_add(&table, contexts);
    cli_table_add(&table, hm_json_get_text(gate, "state"));
    cli_table_add(&table, hm_json_get_text(gate, "passed"));
    cli_table_add(&table, health);
    cli_table_add(&table, hm_json_get_text(e, "what"));
  }
  if (cli->json)
    g_ptr_array_unref(table.cells);
  else
    cli_table_end(cli, &table);
  return 0;
}

/* ---- show ------------------------------------------------------------------------------------ */
static void say_value(const char *member, JsonNode *node, unsigned depth);

static void say_members(JsonObject *object, unsigned depth)
{
  g_autoptr(GList) names = json_object_get_members(object);
  for (GList *n = names; n; n = n->next)
    say_value(n->data, json_object_get_member(object, n->data), depth);
}

/* A plain value in one line; numbers as JSON writes them. */
static char *plain_text(JsonNode *node)
{
  if (JSON_NODE_HOLDS_NULL(node))
    return g_strdup("-");
  if (json_node_get_value_type(node) == G_TYPE_STRING)
    return hm_text_escape(json_node_get_string(node));
  if (json_node_get_value_type(node) == G_TYPE_DOUBLE)
    return g_strdup_printf("%.4g", json_node_get_double(node));
  return json_to_string(node, FALSE);
}

static void say_list(const char *member, JsonArray *list, unsigned depth)
{
  g_autoptr(GString) line = g_string_new(NULL);
  guint count = json_array_get_length(list);
  for (guint i = 0; i < count; i++) {
    JsonNode *item = json_array_get_element(list, i);
    if (JSON_NODE_HOLDS_OBJECT(item)) {
      cli_say("%*s%s\n", (int)(2 * depth), "", member);
      say_members(json_node_get_object(item), depth + 1);
      continue;
    }
    g_autofree char *text = plain_text(item);
    g_string_append_printf(line, "%s%s", i ? " " : "", text);
  }
  if (line->len > 0 || count == 0)
    cli_say("%*s%-*s %s\n", (int)(2 * depth), "", (int)(16 - 2 * MIN(depth, 6u)), member,
            count ? line->str : "-");
}

static void say_value(const char *member, JsonNode *node, unsigned depth)
{
  if (JSON_NODE_HOLDS_OBJECT(node)) {
    cli_say("%*s%s\n", (int)(2 * depth), "", member);
    say_members(json_node_get_object(node), depth + 1);
  } else if (JSON_NODE_HOLDS_ARRAY(node)) {
    say_list(member, json_node_get_array(node), depth);
  } else {
    g_autofree char *text = plain_text(node);
    cli_say("%*s%-*s %s\n", (int)(2 * depth), "", (int)(16 - 2 * MIN(depth, 6u)), member, text);
  }
}

static enum hm_status write_picture(struct cli *cli, const char *memory, const char *out,
                                    struct hm_error *err)
{
  g_autofree char *path = g_strdup_printf("/api/memories/%s/picture", memory);
  g_autoptr(GBytes) picture = NULL, png = NULL;
  HM_TRY(cli_fetch(cli, "GET", path, "application/octet-stream", NULL, 65536, &picture, err));
  g_autofree char *program = cli_program("hallmark-media");
  const char *argv[] = {program, "--png", NULL};
  int code = 0;
  HM_TRY(cli_run(argv, picture, 1 << 20, &png, &code, err));
  size_t len = 0;
  const void *data = g_bytes_get_data(png, &len);
  return hm_file_write(out, hm_bytes(data, len), 0644, err);
}

/* The one entry cN. */
static enum hm_status fetch_entry(struct cli *cli, uint64_t number, JsonObject **out,
                                  struct hm_error *err)
{
  g_autofree char *path =
      g_strdup_printf("/api/control?since=c%" G_GUINT64_FORMAT "&limit=1", number - 1);
  g_autoptr(JsonObject) answer = NULL;
  enum hm_status status = cli_ask(cli, "GET", path, NULL, &answer, err);
  if (status != HM_OK && status != HM_NOT_FOUND)
    return status;
  JsonArray *list = status == HM_OK ? hm_json_get_list(answer, "entries") : NULL;
  if (!list || json_array_get_length(list) == 0)
    return hm_fail(err, HM_NOT_FOUND, "c%" G_GUINT64_FORMAT ": no such entry; run: hallmark log",
                   number);
  *out = json_object_ref(json_array_get_object_element(list, 0));
  return HM_OK;
}

/* The one entity whose LCT id begins so. */
static enum hm_status fetch_by_lct(struct cli *cli, const struct hm_lct_prefix *prefix,
                                   JsonObject **out, struct hm_error *err)
{
  g_autoptr(JsonObject) answer = NULL;
  HM_TRY(cli_ask(cli, "GET", "/api/entities", NULL, &answer, err));
  JsonArray *list = hm_json_get_list(answer, "entities");
  JsonObject *found = NULL;
  for (guint i = 0; list && i < json_array_get_length(list); i++) {
    JsonObject *e = json_array_get_object_element(list, i);
    uint8_t id[32];
    const char *lct = hm_json_get_text(e, "lct");
    if (!lct || hm_lct_parse(lct, id) != HM_OK || !hm_lct_prefix_matches(prefix, id))
      continue;
    if (found)
      return hm_fail(err, HM_NOT_FOUND, "lct:%s: more than one entity begins so", prefix->letters);
    found = e;
  }
  if (!found)
    return hm_fail(err, HM_NOT_FOUND, "lct:%s: no entity here begins so; run: hallmark ls -v",
                   prefix->letters);
  *out = json_object_ref(found);
  return HM_OK;
}

static enum hm_status fetch_object(struct cli *cli, const char *text,
                                   const struct hm_reference *reference, JsonObject **out,
                                   struct hm_error *err)
{
  g_autofree char *path = NULL;
  switch (reference->look) {
  case HM_LOOK_NAME:
    path = g_strdup_printf("/api/entities/%s", text);
    return cli_ask(cli, "GET", path, NULL, out, err);
  case HM_LOOK_MEMORY:
    path = g_strdup_printf("/api/memories/%s", text);
    return cli_ask(cli, "GET", path, NULL, out, err);
  case HM_LOOK_ENTRY:
    return fetch_entry(cli, reference->number, out, err);
  case HM_LOOK_LCT:
    return fetch_by_lct(cli, &reference->prefix, out, err);
  default:
    return hm_fail(err, HM_UNSUPPORTED, "%s: expected a name, mN, cN or lct:...", text);
  }
}

int cli_show(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  struct hm_reference reference;
  const char *object = args->objects[0], *picture = cli_flag(args, "--picture");
  if (hm_reference_parse(object, &reference, &err) != HM_OK)
    return cli_usage(args->verb, "%s", hm_error_text(&err));
  if (picture && reference.look != HM_LOOK_MEMORY)
    return cli_usage(args->verb, "--picture: %s is no memory mN", object);
  if (picture) {
    if (write_picture(cli, object, picture, &err) != HM_OK)
      return cli_fail(cli, "show", &err);
    if (!cli->quiet && !cli->json)
      cli_say("%s: picture written to %s\n", object, picture);
    return 0;
  }
  g_autoptr(JsonObject) answer = NULL;
  if (fetch_object(cli, object, &reference, &answer, &err) != HM_OK)
    return cli_fail(cli, "show", &err);
  if (cli_flag(args, "--lct")) {
    g_autofree char *lct = cli_text(answer, "lct");
    cli_say("%s\n", lct);
  } else if (cli->json) {
    cli_json(answer);
  } else {
    say_members(answer, 0);
  }
  return 0;
}

/* ---- status ------------------------------------------------------------------------------------
 */
static void say_status(struct cli *cli, JsonObject *s)
{
  JsonObject *authority = hm_json_get_object(s, "authority"),
             *clock = hm_json_get_object(s, "clock");
  JsonObject *store = hm_json_get_object(s, "store");
  g_autofree char *state = cli_text(s, "state"), *version = cli_text(s, "version");
  g_autofree char *host = cli_text(s, "host"), *quality = cli_text(clock, "quality");
  g_autofree char *answers = cli_text(authority, "state");
  g_autofree char *memories = cli_text(store, "memories"), *batches = cli_text(store, "batches");
  g_autofree char *entries = cli_text(store, "entries");
  uint64_t bytes = hm_json_get_uint(store, "bytes", 0);
  cli_say("hallmarkd  %s, version %s, up %" G_GUINT64_FORMAT " s\n", state, version,
          hm_json_get_uint(s, "uptime_ms", 0) / 1000);
  cli_say("host       %s\n", host);
  cli_say("authority  %s\n", answers);
  cli_say("clock      %s\n", quality);
  cli_say("store      %s memories in %s batches, %s control entries, %.1f MB\n", memories, batches,
          entries, (double)bytes / 1e6);
  cli_say("media      %" G_GUINT64_FORMAT " connected\n", hm_json_get_uint(s, "media", 0));
  JsonArray *gates = hm_json_get_list(s, "gates");
  for (guint i = 0; gates && i < json_array_get_length(gates); i++) {
    JsonObject *g = json_array_get_object_element(gates, i);
    char mark[32];
    g_autofree char *sensor = cli_text(g, "sensor"), *passed = cli_text(g, "passed");
    g_autofree char *gate = cli_text(g, "state"), *health = cli_text(g, "health");
    cli_say("gate       %-8s %s, %s frames, ", sensor, cli_mark(cli, gate, mark), passed);
    double fps = hm_json_get_number(g, "fps", 0);
    if (fps > 0)
      cli_say("%.1f fps, ", fps);
    cli_say("%s\n", health);
  }
}

int cli_status(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  const char *wait = cli_flag(args, "--wait");
  uint64_t wait_ms = 0;
  if (wait && hm_text_duration_ms(wait, &wait_ms) != HM_OK)
    return cli_usage(args->verb, "--wait %s: expected a duration, 10s", wait);
  gint64 end = g_get_monotonic_time() + (gint64)MIN(wait_ms, (uint64_t)86400000) * 1000;
  g_autoptr(JsonObject) answer = NULL;
  enum hm_status status = HM_OK;
  while ((status = cli_ask(cli, "GET", "/api/status", NULL, &answer, &err)) == HM_UNREACHABLE &&
         wait && g_get_monotonic_time() < end)
    g_usleep(100000);
  if (status == HM_UNREACHABLE && wait) {
    err.status = HM_TIMEOUT;
    (void)hm_error_prefix(&err, "waited %s", wait);
  }
  if (status != HM_OK)
    return cli_fail(cli, "status", &err);
  if (cli->json)
    cli_json(answer);
  else if (!cli->quiet)
    say_status(cli, answer);
  return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * discover, bind, unbind, pair, revoke: what changes who may see.
 */
#include <string.h>
#include <unistd.h>

#include "services/cli.h"

/* ---- discover ------------------------------------------------------------------------- */
int cli_discover(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  g_autoptr(JsonObject) answer = NULL;
  if (cli_ask(cli, "GET", "/api/sources", NULL, &answer, &err) != HM_OK)
    return cli_fail(cli, "discover", &err);
  const char *kind = cli_flag(args, "--kind");
  JsonArray *list = hm_json_get_list(answer, "sources");
  static const char *const heads[] = {"SOURCE", "KIND", "WHAT", "STATE"};
  struct cli_table table;
  cli_table_begin(&table, heads, G_N_ELEMENTS(heads));
  for (guint i = 0; list && i < json_array_get_length(list); i++) {
    JsonObject *s = json_array_get_object_element(list, i);
    const char *is = hm_json_get_text(s, "kind");
    if (kind && (!is || strcmp(kind, is) != 0))
      continue;
    if (cli->json)
      cli_json(s);
    cli_table_add(&table, hm_json_get_text(s, "source"));
    cli_table_add(&table, is);
    cli_table_add(&table, hm_json_get_text(s, "what"));
    cli_table_add(&table, hm_json_get_text(s, "state"));
  }
  if (cli->json)
    g_ptr_array_unref(table.cells);
  else
    cli_table_end(cli, &table);
  if (!hm_json_get_bool(answer, "media_answered") && !cli->quiet && !cli->json)
    g_printerr("hallmark: discover: the media service does not answer: only what sysfs shows is "
               "listed; run: hallmark-media\n");
  return 0;
}

/* ---- bind, unbind ----------------------------------------------------------------------- */
/* file:clip.mkv means the file the user sees; the daemon has another folder. */
static char *absolute_source(const char *source)
{
  if (!g_str_has_prefix(source, "file:") || source[5] == '/' || source[5] == '\0')
    return g_strdup(source);
  g_autofree char *path = g_canonicalize_filename(source + 5, NULL);
  return g_strconcat("file:", path, NULL);
}

int cli_bind(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  static const char *const flags[] = {"--name", "--key", "--gate"};
  const char *name = cli_flag(args, "--name");
  if (name && hm_name_check(name, &err) != HM_OK)
    return cli_usage(args->verb, "%s", hm_error_text(&err));
  if (!hm_source_scheme(args->objects[0]))
    return cli_usage(args->verb,
                     "%s: no source: expected file:/path, csi:0, v4l2:video1, rtsp://...",
                     args->objects[0]);
  g_autofree char *source = absolute_source(args->objects[0]);
  JsonObject *body = json_object_new();
  hm_json_set_text(body, "source", source);
  for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
    if (cli_flag(args, flags[i]))
      hm_json_set_text(body, flags[i] + 2, cli_flag(args, flags[i]));
  g_autoptr(JsonObject) entity = NULL;
  if (cli_ask(cli, "POST", "/api/entities", body, &entity, &err) != HM_OK)
    return cli_fail(cli, "bind", &err);
  if (cli->json) {
    cli_json(entity);
    return 0;
  }
  g_autofree char *shown = cli_text(entity, "name"), *what = cli_text(entity, "what");
  g_autofree char *binding = cli_text(entity, "binding"), *class = cli_text(entity, "class");
  cli_say("%s  bound  %s  %s, %s (assurance %.2f)\n", shown, binding, what,
          strcmp(class, "H") == 0 ? "host-signed" : "signs itself",
          hm_json_get_number(entity, "assurance", 0));
  return 0;
}

/* "front: shut after frame 1042", or why that is not known. */
static void say_gates(struct cli *cli, JsonObject *answer)
{
  JsonArray *gates = hm_json_get_list(answer, "gates");
  for (guint i = 0; gates && i < json_array_get_length(gates); i++) {
    JsonObject *g = json_array_get_object_element(gates, i);
    g_autofree char *name = cli_text(g, "name"), *last = cli_text(g, "last_frame");
    const char *how = hm_json_get_text(g, "gate");
    g_autofree char *effective = cli_text(g, "effective");
    if (hm_json_get_bool(g, "still_flows"))
      cli_say("%s  still flows for another context", name);
    else if (g_strcmp0(how, "confirmed") == 0)
      cli_say("%s  shut after frame %s", name, last);
    else if (g_strcmp0(how, "ran out") == 0)
      cli_say("%s  ran out, unconfirmed", name);
    else
      cli_say("%s  no gate was open", name);
    if (cli->verbose && effective[0] == 'c')
      cli_say("  effective %s", effective);
    cli_say("\n");
  }
}

static int say_revoked(struct cli *cli, const char *what, JsonObject *answer)
{
  if (cli->json) {
    cli_json(answer);
    return 0;
  }
  g_autofree char *entry = cli_text(answer, "entry"), *by = cli_text(answer, "by");
  g_autofree char *shown = hm_text_escape(what);
  cli_say("%s  revoked  %s  by the %s\n", shown, entry, by);
  say_gates(cli, answer);
  return 0;
}

int cli_unbind(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  const char *reason = cli_flag(args, "--reason");
  if (hm_name_check(args->objects[0], &err) != HM_OK)
    return cli_usage(args->verb, "%s", hm_error_text(&err));
  g_autofree char *escaped = reason ? g_uri_escape_string(reason, NULL, FALSE) : NULL;
  g_autofree char *path = g_strdup_printf("/api/entities/%s%s%s", args->objects[0],
                                          reason ? "?reason=" : "", reason ? escaped : "");
  g_autoptr(JsonObject) answer = NULL;
  if (cli_ask(cli, "DELETE", path, NULL, &answer, &err) != HM_OK)
    return cli_fail(cli, "unbind", &err);
  return say_revoked(cli, args->objects[0], answer);
}

int cli_revoke(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  struct hm_reference reference;
  if (hm_reference_parse(args->objects[0], &reference, &err) != HM_OK)
    return cli_usage(args->verb, "%s", hm_error_text(&err));
  if (reference.look != HM_LOOK_NAME && reference.look != HM_LOOK_ENTRY)
    return cli_usage(args->verb, "%s: expected a name or a control entry cN", args->objects[0]);
  JsonObject *body = json_object_new();
  hm_json_set_text(body, reference.look == HM_LOOK_NAME ? "name" : "entry", args->objects[0]);
  if (cli_flag(args, "--context"))
    hm_json_set_text(body, "context", cli_flag(args, "--context"));
  if (cli_flag(args, "--reason"))
    hm_json_set_text(body, "reason", cli_flag(args, "--reason"));
  g_autoptr(JsonObject) answer = NULL;
  if (cli_ask(cli, "POST", "/api/revocations", body, &answer, &err) != HM_OK)
    return cli_fail(cli, "revoke", &err);
  return say_revoked(cli, args->objects[0], answer);
}

/* ---- pair ----------------------------------------------------------------------------------- */
static void say_pairing(struct cli *cli, JsonObject *pairing)
{
  JsonObject *gate = hm_json_get_object(pairing, "gate");
  g_autofree char *name = cli_text(pairing, "name");
  if (hm_json_get_text(pairing, "hm_status")) {
    g_autofree char *detail = cli_text(pairing, "detail");
    cli_say("%s  not paired: %s\n", name, detail);
    return;
  }
  g_autofree char *context = cli_text(pairing, "context"), *entry = cli_text(pairing, "entry");
  char until[HM_TEXT_TIME];
  cli_time(cli, hm_json_get_text(pairing, "until"), until);
  until[10] = '\0'; /* the date */
  double first = hm_json_get_number(gate, "first_frame_ms", -1);
  cli_say("%s  %s  %s  until %s   ", name, context, entry, until);
  if (first >= 0) {
    double fps = hm_json_get_number(gate, "fps", 0);
    const char *health = hm_json_get_text(gate, "health");
    bool is_ended = health && strcmp(health, "ended") == 0;
    cli_say("%s: first frame after %.2f s", is_ended ? "flowed" : "flowing", first / 1000);
    if (is_ended)
      cli_say(", %llu frames, ended", (unsigned long long)hm_json_get_uint(gate, "frames", 0));
    else if (fps > 0)
      cli_say(", %.1f fps", fps);
    cli_say("\n");
    return;
  }
  g_autofree char *state = cli_text(gate, "state");
  cli_say("gate %s: no frame yet; run: hallmark why %s\n", state, name);
}

int cli_pair(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  const char *context = cli_flag(args, "--context"), *life = cli_flag(args, "--for");
  const char *allow = cli_flag(args, "--allow");
  uint64_t ms = UINT64_C(30) * 86400000;
  uint32_t code = 0;
  if (!context)
    return cli_usage(args->verb, "needs --context CONTEXT");
  if (life && (hm_text_duration_ms(life, &ms) != HM_OK || ms < 60000 ||
               ms > UINT64_C(400) * 86400000 || ms % 1000 != 0))
    return cli_usage(args->verb, "--for %s: expected 60s to 400d", life);
  JsonObject *body = json_object_new();
  JsonArray *names = json_array_new(), *operations = json_array_new();
  json_object_set_array_member(body, "names", names);
  json_object_set_array_member(body, "operations", operations);
  hm_json_set_text(body, "context", context);
  json_object_set_int_member(body, "seconds", (gint64)(ms / 1000));
  g_auto(GStrv) words = g_strsplit(allow ? allow : "observe,remember", ",", 8);
  for (unsigned i = 0; words[i]; i++)
    json_array_add_string_element(operations, g_strstrip(words[i]));
  if (cli_flag(args, "--with"))
    hm_json_set_text(body, "with", cli_flag(args, "--with"));
  if (cli_flag(args, "--again"))
    hm_json_set_text(body, "again", cli_flag(args, "--again"));
  for (unsigned i = 0; i < args->count; i++) {
    if (hm_name_check(args->objects[i], &err) != HM_OK) {
      json_object_unref(body);
      return cli_usage(args->verb, "%s", hm_error_text(&err));
    }
    json_array_add_string_element(names, args->objects[i]);
  }
  g_autoptr(JsonObject) answer = NULL;
  if (cli_ask(cli, "POST", "/api/pairings", body, &answer, &err) != HM_OK)
    return cli_fail(cli, "pair", &err);
  /* A slip of the pen would be a valid context too. */
  if (!cli->quiet && !hm_code_find(&hm_contexts, hm_bytes(context, strlen(context)), &code))
    g_printerr("hallmark: pair: %.64s: a context of your own; for the named ones run: "
               "hallmark spec context\n",
               context);
  JsonArray *pairings = hm_json_get_list(answer, "pairings");
  if (cli->json)
    cli_json_each(pairings);
  for (guint i = 0; !cli->json && pairings && i < json_array_get_length(pairings); i++)
    say_pairing(cli, json_array_get_object_element(pairings, i));
  return hm_json_get_uint(answer, "failed", 0) > 0 ? 1 : 0;
}

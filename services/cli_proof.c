/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * why, proof, verify: what is proven, shown link by link. The bytes may come from the
 * daemon, its word never counts: everything is verified here, under the authorities
 * that were given.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/cli.h"
#include "trust/crypto_openssl.h"

/* ---- the chain for people ------------------------------------------------------------------ */
static void say_verdict(struct cli *cli, const char *what, const struct hm_chain *chain)
{
  const struct hm_verdict *v = &chain->verdict;
  const struct {
    const char *word;
    enum hm_answer answer;
  } words[] = {{"authorized", v->authorized},
               {"intact", v->intact},
               {"timely", v->timely},
               {"coherent", v->coherent},
               {"witnessed", v->witnessed}};
  char mark[32];
  g_autofree char *shown = hm_text_escape(what);
  g_autoptr(GString) line = g_string_new(NULL);
  g_string_printf(line, "%s: %s:", shown,
                  cli_mark(cli, hm_verdict_is_proven(v) ? "proven" : "not proven", mark));
  for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
    g_string_append_printf(line, "%s %s %s", i ? "," : "", words[i].word,
                           cli_mark(cli, hm_answer_name(words[i].answer), mark));
  if (v->pins_given)
    g_string_append_printf(line, ", %s", v->is_pinned ? "pinned" : "unpinned");
  if (v->is_revoked_later)
    g_string_append(line, ", revoked later");
  cli_words(cli, 0, 2, line->str);
}

static void say_broken(struct cli *cli, const struct hm_proof_step *step)
{
  char object[24], mark[32];
  g_autofree char *values = hm_chain_values(step);
  hm_chain_object(step, object);
  cli_say("first broken link: %s%s%s: %s: %s\n", hm_proof_link_name(step->link),
          object[0] ? " " : "", object, cli_mark(cli, "BROKEN", mark), step->sentence);
  if (values[0])
    cli_say("  %s\n", values);
}

/* Where a link stands in the tree: a record rests on its content and its leaf, the leaf
 * on the batch receipt, that on the session key, the pairing and the sensor, these on
 * the log of the host, and all on the authority. */
static const struct {
  enum hm_proof_link link;
  int depth;
} tree_order[] = {
    {HM_LINK_FILE, 1},        {HM_LINK_RECORD, 1},    {HM_LINK_PICTURE, 1},    {HM_LINK_VECTOR, 1},
    {HM_LINK_ENCODER, 2},     {HM_LINK_LEAF, 1},      {HM_LINK_RECEIPT, 2},    {HM_LINK_FACTS, 3},
    {HM_LINK_SENSOR_LEAF, 3}, {HM_LINK_SESSION, 3},   {HM_LINK_TIME, 3},       {HM_LINK_PAIRING, 2},
    {HM_LINK_COMPLETION, 3},  {HM_LINK_LIVE, 3},      {HM_LINK_REVOCATION, 3}, {HM_LINK_SENSOR, 2},
    {HM_LINK_ENTRY, 2},       {HM_LINK_HEAD, 2},      {HM_LINK_CHECKPOINT, 3}, {HM_LINK_WITNESS, 3},
    {HM_LINK_HOST, 2},        {HM_LINK_AUTHORITY, 3},
};

/* Where the sentence of a link begins. */
enum { STEP_COLUMNS = 41 };

static void say_step(struct cli *cli, const struct hm_proof_step *step, int depth)
{
  static const char *const words[] = {
      [HM_STEP_OK] = "ok", [HM_STEP_BROKEN] = "BROKEN", [HM_STEP_NOTE] = "note"};
  char object[24], mark[32];
  int indent = 3 * (depth - 1);
  hm_chain_object(step, object);
  cli_say("%*s`- %-*s %-6s ", indent, "", 22 - indent, hm_proof_link_name(step->link), object);
  cli_say("%s%*s  ", cli_mark(cli, words[step->result], mark), 6 - (int)strlen(words[step->result]),
          "");
  g_autoptr(GString) sentence = g_string_new(step->sentence);
  if (step->has_entity) {
    const char *name = cli_name_of(cli, step->entity);
    char brief[HM_LCT_SHORT + 1];
    hm_lct_format_short(step->entity, brief);
    g_autofree char *shown = hm_text_escape(name ? name : brief);
    g_string_append_printf(sentence, " (%s)", shown);
  }
  cli_words(cli, STEP_COLUMNS, STEP_COLUMNS, sentence->str);
  g_autofree char *values = hm_chain_values(step);
  if (values[0] && (step->result == HM_STEP_BROKEN || cli->verbose)) {
    cli_say("%*s", indent + 3, "");
    cli_words(cli, (unsigned)indent + 3, (unsigned)indent + 3, values);
  }
}

/* The steps come as the verifier takes them; a chain of one record is shown from the
 * record down to the authority. */
static void say_tree(struct cli *cli, const char *what, const struct hm_chain *chain)
{
  g_autofree char *shown = hm_text_escape(what);
  cli_say("%s\n", shown);
  for (size_t i = 0; i < G_N_ELEMENTS(tree_order); i++)
    for (guint s = 0; s < chain->steps->len; s++) {
      const struct hm_proof_step *step = &g_array_index(chain->steps, struct hm_proof_step, s);
      if (step->link == tree_order[i].link)
        say_step(cli, step, tree_order[i].depth);
    }
}

static void say_after(struct cli *cli, const char *head, const char *text)
{
  unsigned column = (unsigned)strlen(head);
  cli_say("%s", head);
  cli_words(cli, column, column, text);
}

static void say_limits(struct cli *cli, const struct hm_chain *chain)
{
  if (hm_verdict_is_proven(&chain->verdict))
    say_after(cli, "proves: ", hm_chain_proves);
  say_after(cli, "cannot prove: ", hm_chain_cannot);
}

void cli_print_chain(struct cli *cli, const char *what, const struct hm_chain *chain)
{
  say_tree(cli, what, chain);
  cli_say("\n");
  say_verdict(cli, what, chain);
  say_limits(cli, chain);
}

/* ---- verifying ------------------------------------------------------------------------------ */
static enum hm_status verify_bytes(struct hm_bytes file, const struct hm_anchors *anchors,
                                   const uint8_t (*pins)[32], size_t pin_count, bool recompute,
                                   bool keep_steps, struct hm_chain *chain, struct hm_error *err)
{
  struct hm_chain_request request = {.file = file,
                                     .anchors = anchors,
                                     .pins = pins,
                                     .pin_count = pin_count,
                                     .recompute = recompute,
                                     .keep_steps = keep_steps};
  return hm_chain_verify(&hm_crypto_openssl, &request, chain, err);
}

static int say_chain(struct cli *cli, const char *what, const struct hm_chain *chain, bool is_long)
{
  if (cli->json) {
    JsonObject *o = hm_chain_json(chain, cli_name_of, cli);
    hm_json_set_text(o, "id", what);
    cli_json(o);
    json_object_unref(o);
  } else if (is_long) {
    cli_print_chain(cli, what, chain);
  } else if (!cli->quiet) {
    if (chain->verdict.has_broken)
      say_broken(cli, &chain->verdict.broken);
    say_verdict(cli, what, chain);
  }
  return cli_exit(hm_chain_status(chain));
}

/* ---- why
 * ------------------------------------------------------------------------------------------ */
static int why_memory(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  struct hm_anchors anchors;
  struct hm_chain chain;
  g_autoptr(GBytes) file = NULL;
  g_autofree char *path = g_strdup_printf("/api/memories/%s/why", args->objects[0]);
  if (cli_fetch(cli, "GET", path, "application/cbor", NULL, HM_PROOF_FILE_MAX, &file, &err) !=
          HM_OK ||
      cli_anchors(cli, args, &anchors, &err) != HM_OK)
    return cli_fail(cli, "why", &err);
  size_t len = 0;
  const void *data = g_bytes_get_data(file, &len);
  int code = 0;
  if (verify_bytes(hm_bytes(data, len), &anchors, NULL, 0, true, true, &chain, &err) != HM_OK)
    code = cli_fail(cli, "why", &err);
  else
    code = say_chain(cli, args->objects[0], &chain, true);
  hm_chain_clear(&chain);
  return code;
}

/* What stands between a name and flowing frames. */
static const struct {
  const char *member, *value, *says, *mend;
} name_reasons[] = {
    {"state", "void", "it was unbound: its LCT is void, its history stays",
     "run: hallmark bind SOURCE"},
    {"health", "UNPLUGGED",
     "its device or file is gone: health, not trust; it resumes when the "
     "same unit is back",
     "plug it in again"},
    {"health", "ANCHOR DIFFERS", "what is there now is another unit: it stays closed",
     "run: hallmark bind SOURCE"},
    {"state", "bound", "no pairing is in force", "run: hallmark pair NAME --context drive"},
    {"health", "no gate", "no gate has come for it", "run: hallmark-media, or your own pipeline"},
    {"health", "STALLED", "its gate is open and no frame comes",
     "look at its cable and at hallmark-media's log"},
    {"health", "ENDED", "the recording was played to its end", NULL},
};

static void say_reason(JsonObject *entity)
{
  g_autofree char *name = cli_text(entity, "name");
  for (size_t i = 0; i < G_N_ELEMENTS(name_reasons); i++) {
    const char *is = hm_json_get_text(entity, name_reasons[i].member);
    if (!is || g_ascii_strcasecmp(is, name_reasons[i].value) != 0)
      continue;
    cli_say("%s: %s%s%s\n", name, name_reasons[i].says, name_reasons[i].mend ? "; " : "",
            name_reasons[i].mend ? name_reasons[i].mend : "");
    return;
  }
  JsonObject *gate = hm_json_get_object(entity, "gate");
  g_autofree char *flow = cli_text(gate, "state");
  cli_say("%s: gate %s\n", name, flow);
}

static void say_name_pairings(struct cli *cli, JsonObject *entity)
{
  JsonArray *pairings = hm_json_get_list(entity, "pairings");
  for (guint i = 0; pairings && i < json_array_get_length(pairings); i++) {
    JsonObject *p = json_array_get_object_element(pairings, i);
    char until[HM_TEXT_TIME];
    g_autofree char *context = cli_text(p, "context"), *entry = cli_text(p, "entry");
    g_autofree char *state = cli_text(p, "state"), *revocation = cli_text(p, "revocation");
    cli_time(cli, hm_json_get_text(p, "until"), until);
    cli_say("- pairing     %-6s %s: %s, until %s%s%s\n", entry, context, state, until,
            revocation[0] == 'c' ? ", by " : "", revocation[0] == 'c' ? revocation : "");
  }
}

static int why_name(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  g_autofree char *path = g_strdup_printf("/api/entities/%s", args->objects[0]);
  g_autoptr(JsonObject) entity = NULL;
  if (cli_ask(cli, "GET", path, NULL, &entity, &err) != HM_OK)
    return cli_fail(cli, "why", &err);
  bool is_active = g_strcmp0(hm_json_get_text(entity, "state"), "active") == 0;
  if (cli->json) {
    cli_json(entity);
  } else {
    say_reason(entity);
    JsonObject *anchor = hm_json_get_object(entity, "anchor");
    g_autofree char *binding = cli_text(entity, "binding"), *class = cli_text(anchor, "class");
    cli_say("- binding     %-6s anchor %s, assurance at most %.2f\n", binding, class,
            hm_json_get_number(entity, "assurance", 0));
    say_name_pairings(cli, entity);
    if (g_strcmp0(hm_json_get_text(entity, "class"), "H") == 0)
      cli_words(cli, 0, 2,
                "the host holds this sensor's key: it says which bytes it received, not that they "
                "came through that lens");
  }
  return is_active ? 0 : 1;
}

int cli_why(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  struct hm_reference reference;
  if (hm_reference_parse(args->objects[0], &reference, &err) != HM_OK)
    return cli_usage(args->verb, "%s", hm_error_text(&err));
  switch (reference.look) {
  case HM_LOOK_MEMORY:
    return why_memory(cli, args);
  case HM_LOOK_NAME:
    return why_name(cli, args);
  default:
    return cli_usage(args->verb, "%s: expected a memory mN or a name", args->objects[0]);
  }
}

/* ---- proof
 * ----------------------------------------------------------------------------------------- */
static int compare_numbers(gconstpointer a, gconstpointer b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static enum hm_status write_file(const char *out, GBytes *file, struct hm_error *err)
{
  size_t len = 0;
  const void *data = g_bytes_get_data(file, &len);
  if (strcmp(out, "-") != 0)
    return hm_file_write(out, hm_bytes(data, len), 0644, err);
  if (fwrite(data, 1, len, stdout) != len || fflush(stdout) != 0)
    return hm_fail(err, HM_IO, "standard output: not written whole");
  return HM_OK;
}

int cli_proof(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  const char *out = cli_flag(args, "--out");
  g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  if (!out)
    return cli_usage(args->verb, "needs --out FILE.hmk (or - for standard output)");
  for (unsigned i = 0; i < args->count; i++) {
    uint64_t n = 0;
    if (!hm_text_log_number(args->objects[i], 'm', &n))
      return cli_usage(args->verb, "%s: expected a memory, mN", args->objects[i]);
    g_array_append_val(numbers, n);
  }
  g_array_sort(numbers, compare_numbers);
  JsonObject *body = json_object_new();
  JsonArray *objects = json_array_new();
  uint64_t last = 0;
  for (guint i = 0; i < numbers->len; i++) {
    uint64_t n = g_array_index(numbers, uint64_t, i);
    char text[24];
    g_snprintf(text, sizeof text, "m%" G_GUINT64_FORMAT, n);
    if (n != last)
      json_array_add_string_element(objects, text);
    last = n;
  }
  guint count = json_array_get_length(objects);
  json_object_set_array_member(body, "objects", objects);
  g_autoptr(GBytes) file = NULL;
  if (cli_fetch(cli, "POST", "/api/proofs", "application/cbor", body, HM_PROOF_FILE_MAX, &file,
                &err) != HM_OK ||
      write_file(out, file, &err) != HM_OK)
    return cli_fail(cli, "proof", &err);
  if (strcmp(out, "-") != 0 && !cli->quiet && !cli->json) {
    g_autofree char *shown = hm_text_escape(out);
    cli_say(
        "%s: %u %s, %zu bytes; anyone checks it with: hallmark verify %s --authority home.pub\n",
        shown, count, count == 1 ? "memory" : "memories", g_bytes_get_size(file), shown);
  }
  return 0;
}

/* ---- verify
 * ------------------------------------------------------------------------------------------- */
/* Read the file whole, bounded, whatever it is (a pipe too). */
static enum hm_status read_proof(const char *path, GByteArray *all, struct hm_error *err)
{
  FILE *f = fopen(path, "rbe");
  if (!f)
    return hm_fail_errno(err, HM_NOT_FOUND, errno, "%s", path);
  uint8_t piece[65536];
  size_t n = 0;
  while ((n = fread(piece, 1, sizeof piece, f)) > 0) {
    if (all->len + n > HM_PROOF_FILE_MAX) {
      fclose(f);
      return hm_fail(err, HM_TOO_LARGE, "%s: over %d bytes", path, HM_PROOF_FILE_MAX);
    }
    g_byte_array_append(all, piece, (guint)n);
  }
  bool is_bad = ferror(f) != 0;
  int why = errno;
  fclose(f);
  return is_bad ? hm_fail_errno(err, HM_IO, why, "%s", path) : HM_OK;
}

static int read_pins(const struct cli_args *args, GArray *pins)
{
  GPtrArray *given = cli_flags(args, "--pin");
  for (guint i = 0; given && i < given->len; i++) {
    uint8_t id[32];
    if (hm_lct_parse(given->pdata[i], id) != HM_OK)
      return cli_usage(args->verb, "--pin %s: expected a whole LCT id, lct:web4:mb32:b...",
                       (const char *)given->pdata[i]);
    g_array_append_vals(pins, id, 1);
  }
  return 0;
}

static int verify_file(struct cli *cli, const struct cli_args *args, GArray *pins,
                       const struct hm_anchors *anchors)
{
  struct hm_error err = {HM_OK, ""};
  struct hm_chain chain;
  g_autoptr(GByteArray) file = g_byte_array_new();
  int code = 0;
  if (read_proof(args->objects[0], file, &err) != HM_OK)
    return cli_fail(cli, "verify", &err);
  if (verify_bytes(hm_bytes(file->data, file->len), anchors,
                   (const uint8_t(*)[32])(void *)pins->data, pins->len,
                   cli_flag(args, "--recompute") != NULL, cli->verbose || cli->json, &chain,
                   &err) != HM_OK) {
    (void)hm_error_prefix(&err, "%s", args->objects[0]);
    code = cli_fail(cli, "verify", &err);
  } else {
    /* No daemon is asked for names: the answer must not depend on one. */
    if (!cli->entities)
      cli->entities = json_array_new();
    code = say_chain(cli, args->objects[0], &chain, cli->verbose);
  }
  hm_chain_clear(&chain);
  return code;
}

int cli_verify(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  struct hm_anchors anchors;
  char path[HM_FILE_PATH];
  g_autoptr(GArray) pins = g_array_new(FALSE, FALSE, 32);
  int code = read_pins(args, pins);
  if (code != 0)
    return code;
  if (args->count == 0 && pins->len > 0)
    return cli_usage(args->verb, "--pin is for a proof file");
  if (cli_anchors(cli, args, &anchors, &err) != HM_OK)
    return cli_fail(cli, "verify", &err);
  if (args->count == 1)
    return verify_file(cli, args, pins, &anchors);
  if (cli_find_paths(cli, &err) != HM_OK)
    return cli_fail(cli, "verify", &err);
  if (cli_store_path(cli->store ? cli->store : cli->paths[0].store, path, &err) != HM_OK)
    return cli_fail(cli, "verify", &err);
  return cli_verify_store(cli, path, &anchors, cli_flag(args, "--recompute") != NULL);
}

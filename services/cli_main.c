/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmark: the table of verbs is the command. What --help prints, what arguments are
 * taken and which function runs all come from one row.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "services/cli.h"

const struct cli_verb cli_verbs[] = {
    {"init",
     "",
     0,
     0,
     "make identity, authority and store; starts nothing",
     "A second init exits 9; an interrupted one is finished by calling it again.",
     "hallmark init --state ~/hallmark",
     {{"--authority", "FILE.pub", "trust this authority instead of making one here", false}},
     cli_init},
    {"discover",
     "",
     0,
     0,
     "show what could be bound",
     NULL,
     "hallmark discover --kind camera",
     {{"--kind", "KIND", "camera, imu, recording, pack", false}},
     cli_discover},
    {"bind",
     "SOURCE",
     1,
     1,
     "take a sensor: make its identity and have it certified",
     "SOURCE is file:/path csi:0 v4l2:video1 rtsp://host/stream gst:\"...\" as `discover` shows "
     "it.",
     "hallmark bind csi:0 --name front",
     {{"--name", "NAME", "local name, 1-32 of [a-z0-9._-]; else made from the source", false},
      {"--key", "URI", "where its key lives; default: a software key made here", false},
      {"--gate", "USER", "who may open its gate; default: the media service's user", false}},
     cli_bind},
    {"unbind",
     "NAME",
     1,
     1,
     "retire an entity: its LCT is void, its history stays",
     NULL,
     "hallmark unbind front --reason \"lens broken\"",
     {{"--reason", "TEXT", "signed if of `hallmark spec reason`; else hallmarkd's log keeps it",
       false}},
     cli_unbind},
    {"pair",
     "NAME...",
     1,
     16,
     "let sensors be used in a context, for a time",
     NULL,
     "hallmark pair front rear --context drive --for 30d --allow observe,remember",
     {{"--context", "CONTEXT", "needed: drive, diagnostics, training (hallmark spec context)",
       false},
      {"--for", "DURATION", "60s to 400d; default 30d", false},
      {"--allow", "LIST", "observe,remember,train; default observe,remember", false},
      {"--with", "NAME", "the other end; default: this host", false},
      {"--again", "REASON", "although a revocation of this anchor stands", false}},
     cli_pair},
    {"revoke",
     "NAME|cN",
     1,
     1,
     "end pairings now; returns when every gate has confirmed",
     NULL,
     "hallmark revoke front --context training --reason \"site withdrew consent\"",
     {{"--context", "CONTEXT", "only this one; default: all of NAME's", false},
      {"--reason", "TEXT", "signed if of `hallmark spec reason`; else hallmarkd's log keeps it",
       false}},
     cli_revoke},
    {"ls",
     "",
     0,
     0,
     "table of entities",
     "--state bound, paired, active or void shows only those; any other --state is the state "
     "folder.",
     "hallmark ls --kind camera --context drive",
     {{"--kind", "KIND", "camera, imu", false}, {"--context", "CONTEXT", "paired for it", false}},
     cli_ls},
    {"show",
     "OBJECT",
     1,
     1,
     "facts of a name, memory mN, control entry cN or lct:...",
     NULL,
     "hallmark show m1 --picture m1.png",
     {{"--picture", "OUT.png", "write the evidence picture of mN", false},
      {"--lct", NULL, "the LCT id alone", false}},
     cli_show},
    {"why",
     "OBJECT",
     1,
     1,
     "reasons: the chain of mN, link by link; or why NAME stands as it does",
     "Every link is checked here, not believed; exit 1 where one is BROKEN.",
     "hallmark why m1",
     {{"--authority", "FILE.pub", "trust this key; default: trust.d of the state", true}},
     cli_why},
    {"query",
     "",
     0,
     0,
     "find memories",
     NULL,
     "hallmark query --like m1 --sensor front --last 1h -k 5",
     {{"--like", "mN|IMAGE", "nearest to this memory, or to a picture file", false},
      {"--sensor", "NAME", "made by it", false},
      {"--context", "CONTEXT", "made under a pairing for it", false},
      {"--since", "TIME|mN", "from then on", false},
      {"--until", "TIME|mN", "before then", false},
      {"--last", "DURATION", "the last 1h, 90s ...", false},
      {"--trust", "LEAST", "of at least this trust, 0 to 1: \">=0.8\"", false},
      {"--value", "LEAST", "of at least this value, 0 to 1: \">=0.3\"", false},
      {"-k", "N", "at most N hits, 1-500; default 50", false},
      {"--all", NULL, "every hit, page by page", false}},
     cli_query},
    {"watch",
     "",
     0,
     0,
     "follow memories as they become durable",
     NULL,
     "hallmark watch --sensor front --count 10 --for 1m",
     {{"--sensor", "NAME", "only of it", false},
      {"--count", "N", "stop after N", false},
      {"--for", "DURATION", "stop after this time", false},
      {"--since", "mN", "replay from mN on, then follow", false},
      {"--control", NULL, "control entries too", false}},
     cli_watch},
    {"log",
     "",
     0,
     0,
     "the control log: who was bound, paired, revoked, and when",
     NULL,
     "hallmark log --since c5 --oneline",
     {{"--since", "cN", "entries after it", false}, {"--oneline", NULL, "shorter", false}},
     cli_log},
    {"proof",
     "mN...",
     1,
     500,
     "write a file that proves these memories to a stranger",
     NULL,
     "hallmark proof m1 m2 --out two.hmk",
     {{"--out", "FILE.hmk", "needed: where to; - is standard output", false}},
     cli_proof},
    {"verify",
     "[FILE.hmk]",
     0,
     1,
     "yes or no, and where; without a file: a whole store",
     "Needs no daemon, no network and no clock. Exit 0 proven, 1 not proven, 6 malformed, 7 "
     "damaged.",
     "hallmark verify two.hmk --authority home.pub",
     {{"--authority", "FILE.pub", "the authority to believe; default: trust.d of the state", true},
      {"--recompute", NULL, "rebuild vectors from their pictures", false},
      {"--pin", "LCT", "host and sensors must be among these", true}},
     cli_verify},
    {"spec",
     "[TABLE]",
     0,
     1,
     "print the const tables: errors, objects, codes, verbs ...",
     NULL,
     "hallmark spec errors",
     {{0}},
     cli_spec},
    {"status",
     "",
     0,
     0,
     "one screen about the running daemon",
     NULL,
     "hallmark status --wait 10s",
     {{"--wait", "DURATION", "until it answers, at most this long", false}},
     cli_status},
    {"demo",
     "tamper mN",
     2,
     2,
     "flip one byte in a copy of the store and ask again",
     NULL,
     "hallmark demo tamper m1 --what vector",
     {{"--what", "WHAT", "picture (default), record or vector", false},
      {"--authority", "FILE.pub", "trust this key; default: trust.d of the state", true}},
     cli_demo},
};
const size_t cli_verb_count = G_N_ELEMENTS(cli_verbs);

static const struct cli_flag globals[] = {
    {"--json", NULL, "one object a line; 64-bit numbers as text", false},
    {"--store", "DIR", "read this store, no daemon needed", false},
    {"--socket", "PATH", "the daemon's api.sock", false},
    {"--state", "DIR", "state folder; also HALLMARK_STATE", false},
    {"--utc", NULL, "times in UTC", false},
    {"--no-color", NULL, "no colours; also NO_COLOR", false},
    {"-q", NULL, "say less", false},
    {"-v", NULL, "say more", false},
    {"--help", NULL, "this text", false},
    {"--version", NULL, "the version", false},
};

/* ---- errors -------------------------------------------------------------------------------- */
int cli_exit(enum hm_status status)
{
  return hm_status_row(status)->exit_code;
}

int cli_fail(const struct cli *cli, const char *verb, const struct hm_error *err)
{
  struct hm_error full = *err;
  if (verb)
    (void)hm_error_prefix(&full, "%s", verb);
  fflush(stdout);
  if (cli->json && cli->verbose)
    g_printerr("{\"hm_status\":\"%s\"}\n", hm_status_row(err->status)->name);
  return hm_error_report("hallmark", &full);
}

int cli_usage(const struct cli_verb *verb, const char *format, ...)
{
  struct hm_error err = {HM_MALFORMED, ""};
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  if (verb)
    (void)hm_fail(&err, HM_MALFORMED, "%s: %s; run: hallmark %s --help", verb->name, text,
                  verb->name);
  else
    (void)hm_fail(&err, HM_MALFORMED, "%s; run: hallmark --help", text);
  (void)hm_error_report("hallmark", &err);
  return CLI_EXIT_USAGE;
}

/* ---- help --------------------------------------------------------------------------------------
 */
static void print_flags(const struct cli *cli, const struct cli_flag *flags, size_t count)
{
  for (size_t i = 0; i < count && flags[i].name; i++) {
    g_autofree char *head = g_strdup_printf("%s%s%s", flags[i].name, flags[i].value ? " " : "",
                                            flags[i].value ? flags[i].value : "");
    unsigned column = (unsigned)printf("  %-24s ", head);
    cli_words(cli, column, column, flags[i].help);
  }
}

static int print_help(const struct cli *cli)
{
  cli_say("usage: hallmark VERB [OBJECT...] [--flag value]\n\n"
          "Sensors that may be used, and memories that can be proven.\n\n");
  for (size_t i = 0; i < cli_verb_count; i++) {
    cli_say("  %-9s %-12s ", cli_verbs[i].name, cli_verbs[i].objects);
    cli_words(cli, 25, 25, cli_verbs[i].summary);
  }
  cli_say("\nfor every verb:\n");
  print_flags(cli, globals, G_N_ELEMENTS(globals));
  cli_say(
      "\nobjects: front (a name)  m12 (a memory)  c5 (a control entry)  lct:...  x.hmk (a proof)\n"
      "exit: 0 done or proven, 1 the answer is no, 2 usage, 3 no such object, 4 refused,\n"
      "      5 not reachable, 6 malformed, 7 store damaged or full, 8 timed out, 9 conflict\n"
      "more: hallmark VERB --help, hallmark spec\n");
  return 0;
}

static int print_verb_help(const struct cli *cli, const struct cli_verb *verb)
{
  cli_say("usage: hallmark %s%s%s", verb->name, verb->objects[0] ? " " : "", verb->objects);
  if (verb->flags[0].name)
    cli_say(" [--flag value]");
  cli_say("\n\n%c%s%s\n", g_ascii_toupper(verb->summary[0]), verb->summary + 1,
          g_str_has_suffix(verb->summary, "...") ? "" : ".");
  if (verb->detail)
    cli_words(cli, 0, 0, verb->detail);
  if (verb->flags[0].name)
    cli_say("\n");
  print_flags(cli, verb->flags, CLI_FLAGS_MAX);
  cli_say("\nexample: %s\nand the flags of every verb: hallmark --help\n", verb->example);
  return 0;
}

/* ---- arguments
 * ------------------------------------------------------------------------------------ */
const char *cli_flag(const struct cli_args *args, const char *name)
{
  GPtrArray *values = cli_flags(args, name);
  return values ? values->pdata[values->len - 1] : NULL;
}

GPtrArray *cli_flags(const struct cli_args *args, const char *name)
{
  for (unsigned i = 0; i < CLI_FLAGS_MAX && args->verb->flags[i].name; i++)
    if (strcmp(args->verb->flags[i].name, name) == 0)
      return args->values[i];
  g_assert_not_reached(); /* a verb asks for its own flags only */
}

struct parser {
  struct cli *cli;
  struct cli_args *args;
  char **argv;
  int argc, at;
  bool wants_help, wants_version, is_only_objects;
  bool seen[G_N_ELEMENTS(globals)];
};

/* "--flag value" or "--flag=value"; NULL where it is missing. */
static const char *take_value(struct parser *p, const char *equals)
{
  if (equals)
    return equals + 1;
  return p->at < p->argc ? p->argv[p->at++] : NULL;
}

static const struct cli_flag *find_flag(const struct cli_flag *flags, size_t count,
                                        const char *text, size_t len, size_t *index)
{
  for (size_t i = 0; i < count && flags[i].name; i++)
    if (strlen(flags[i].name) == len && strncmp(flags[i].name, text, len) == 0) {
      *index = i;
      return &flags[i];
    }
  return NULL;
}

static bool is_life_state(const char *text)
{
  static const char *const states[] = {"bound", "paired", "active", "void"};
  for (size_t i = 0; i < G_N_ELEMENTS(states); i++)
    if (strcmp(states[i], text) == 0)
      return true;
  return false;
}

static int set_global(struct parser *p, size_t i, const char *value)
{
  struct cli *cli = p->cli;
  const struct {
    bool *as_switch;
    const char **as_value;
  } targets[G_N_ELEMENTS(globals)] = {
      {&cli->json, NULL},        {NULL, &cli->store},   {NULL, &cli->socket},
      {NULL, &cli->state},       {&cli->utc, NULL},     {NULL, NULL},
      {&cli->quiet, NULL},       {&cli->verbose, NULL}, {&p->wants_help, NULL},
      {&p->wants_version, NULL},
  };
  /* `ls --state active` filters; a folder of such a name is ./active. */
  if (targets[i].as_value == &cli->state && p->args->verb && p->args->verb->run == cli_ls &&
      is_life_state(value)) {
    cli->life_state = value;
    return 0;
  }
  if (p->seen[i] && globals[i].value)
    return cli_usage(p->args->verb, "%s: given twice", globals[i].name);
  p->seen[i] = true;
  if (targets[i].as_value)
    *targets[i].as_value = value;
  else if (targets[i].as_switch)
    *targets[i].as_switch = true;
  else
    cli->color = false;
  return 0;
}

static int take_flag(struct parser *p, const char *text)
{
  const struct cli_verb *verb = p->args->verb;
  const char *equals = strncmp(text, "--", 2) == 0 ? strchr(text, '=') : NULL;
  size_t len = equals ? (size_t)(equals - text) : strlen(text), index = 0;
  const struct cli_flag *own =
      verb ? find_flag(verb->flags, CLI_FLAGS_MAX, text, len, &index) : NULL;
  const struct cli_flag *flag =
      own ? own
          : find_flag(globals, G_N_ELEMENTS(globals), strcmp(text, "-h") == 0 ? "--help" : text,
                      strcmp(text, "-h") == 0 ? 6 : len, &index);
  if (!flag)
    return cli_usage(verb, "%.64s: unknown flag", text);
  if (!flag->value && equals)
    return cli_usage(verb, "%s: takes no value", flag->name);
  const char *value = flag->value ? take_value(p, equals) : "";
  if (!value || (flag->value && value[0] == '\0'))
    return cli_usage(verb, "%s: needs a value, %s", flag->name, flag->value);
  if (!own)
    return set_global(p, index, value);
  GPtrArray **values = &p->args->values[index];
  if (*values && !flag->is_many)
    return cli_usage(verb, "%s: given twice", flag->name);
  if (!*values)
    *values = g_ptr_array_new();
  g_ptr_array_add(*values, (gpointer)(uintptr_t)value);
  return 0;
}

static int take_word(struct parser *p, const char *text)
{
  struct cli_args *args = p->args;
  if (args->verb) {
    if (args->count == args->verb->max)
      return cli_usage(args->verb, "%.64s: one object too many, it takes %u at most", text,
                       args->verb->max);
    args->objects[args->count++] = text;
    return 0;
  }
  for (size_t i = 0; i < cli_verb_count; i++)
    if (strcmp(cli_verbs[i].name, text) == 0) {
      args->verb = &cli_verbs[i];
      return 0;
    }
  return cli_usage(NULL, "%.64s: no such verb", text);
}

static int parse(struct parser *p)
{
  while (p->at < p->argc) {
    const char *text = p->argv[p->at++];
    if (!p->is_only_objects && strcmp(text, "--") == 0) {
      p->is_only_objects = true;
      continue;
    }
    bool is_flag = !p->is_only_objects && text[0] == '-' && text[1] != '\0';
    int code = is_flag ? take_flag(p, text) : take_word(p, text);
    if (code != 0)
      return code;
  }
  return 0;
}

static int run(struct cli *cli, struct cli_args *args, char **argv, int argc)
{
  struct parser p = {.cli = cli, .args = args, .argv = argv, .argc = argc, .at = 1};
  int code = parse(&p);
  if (code != 0)
    return code;
  if (p.wants_version) {
    cli_say("hallmark %s\n", HM_VERSION);
    return 0;
  }
  if (p.wants_help || !args->verb) {
    if (!p.wants_help)
      return cli_usage(NULL, "no verb given");
    return args->verb ? print_verb_help(cli, args->verb) : print_help(cli);
  }
  if (args->count < args->verb->min)
    return cli_usage(args->verb, "needs %s", args->verb->objects);
  cli_pager_begin(cli, args->verb->name);
  return args->verb->run(cli, args);
}

int main(int argc, char **argv)
{
  hm_process_start(false);
  hm_log_limit(HM_LOG_WARNING);
  struct cli cli = {.is_terminal = isatty(STDOUT_FILENO) == 1};
  struct winsize size = {0};
  if (cli.is_terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
    cli.width = size.ws_col;
  const char *no_color = g_getenv("NO_COLOR");
  cli.color = cli.is_terminal && (!no_color || no_color[0] == '\0');
  struct cli_args args = {0};
  int code = run(&cli, &args, argv, argc);
  for (unsigned i = 0; i < CLI_FLAGS_MAX; i++)
    g_clear_pointer(&args.values[i], g_ptr_array_unref);
  g_clear_pointer(&cli.entities, json_array_unref);
  g_clear_object((GObject **)&cli.session);
  g_free(cli.socket_path);
  /* A full disk behind standard output is not success; a reader that had enough (head,
   * a pager) is. */
  if (fflush(stdout) != 0 && errno != EPIPE) {
    struct hm_error err = {HM_OK, ""};
    (void)hm_fail_errno(&err, HM_IO, errno, "standard output");
    code = hm_error_report("hallmark", &err);
  }
  cli_pager_end(&cli);
  return code;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Inside of the command `hallmark`.
 *
 *   cli_main     the table of verbs, the arguments, --help
 *   cli_client   the API of hallmarkd over its socket
 *   cli_offline  the same paths answered from a store (--store), in a child process
 *   cli_print    tables, times, colours; nothing from outside reaches a terminal raw
 *   the others   the verbs
 *
 * A verb returns an exit code (docs/guide/exit codes = trust/status.h, 2 for usage).
 * Whatever fails is one line on standard error.
 */
#ifndef HM_SERVICES_CLI_H
#define HM_SERVICES_CLI_H

#include "services/json.h"
#include "services/message.h"
#include "services/names.h"
#include "services/paths.h"
#include "services/text.h"
#include "services/view_chain.h"

enum { CLI_OBJECTS_MAX = 500, CLI_FLAGS_MAX = 12, CLI_EXIT_USAGE = 2, CLI_PATHS_MAX = 4 };

/* ---- verbs and arguments -------------------------------------------------------------- */
struct cli_flag {
  const char *name;  /* "--like", "-k" */
  const char *value; /* "mN|IMAGE"; NULL: a switch */
  const char *help;
  bool is_many; /* may be given more than once */
};

struct cli;
struct cli_args;

struct cli_verb {
  const char *name;
  const char *objects; /* "NAME..." for the usage line, "" for none */
  unsigned min, max;   /* how many objects */
  const char *summary; /* one line */
  const char *detail;  /* further lines of its --help, or NULL */
  const char *example; /* as one would type it */
  struct cli_flag flags[CLI_FLAGS_MAX];
  int (*run)(struct cli *cli, const struct cli_args *args);
};
extern const struct cli_verb cli_verbs[];
extern const size_t cli_verb_count;

struct cli_args {
  const struct cli_verb *verb;
  unsigned count;
  const char *objects[CLI_OBJECTS_MAX];
  GPtrArray *values[CLI_FLAGS_MAX]; /* of the verb's flags; NULL: not given */
};

/* The value of a flag ("" of a switch), or NULL where it was not given. */
const char *cli_flag(const struct cli_args *args, const char *name);
/* All values of a flag that may be repeated, or NULL. */
GPtrArray *cli_flags(const struct cli_args *args, const char *name);

/* ---- the program ---------------------------------------------------------------------------- */
struct cli {
  bool json, quiet, verbose, color, utc, is_terminal;
  unsigned width;                     /* columns of the terminal; 0 where output is none */
  const char *store, *socket, *state; /* as given, or NULL */
  const char *life_state;             /* of ls: only these */
  unsigned path_count;                /* where to look, in order */
  struct hm_paths paths[CLI_PATHS_MAX];
  char *socket_path;            /* the one that answered */
  const struct hm_paths *found; /* the state it belongs to, or NULL */
  void *session;                /* SoupSession, once needed */
  JsonArray *entities;          /* of this daemon, once asked */
  pid_t pager;                  /* the pager that standard output goes to; 0: none */
};

/* One line on standard error; the exit code of err. verb NULL: no prefix. */
int cli_fail(const struct cli *cli, const char *verb, const struct hm_error *err);
/* "hallmark: VERB: ...; run: hallmark VERB --help", exit 2. */
int cli_usage(const struct cli_verb *verb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Exit code of a status (trust/status.h). */
int cli_exit(enum hm_status status);

/* ---- asking ------------------------------------------------------------------------------------
 */
/* Path and body to answer; body (may be NULL) is taken over. The daemon's problem
 * documents come back as status and text. HM_UNREACHABLE names every path tried. */
enum hm_status HM_MUST_CHECK cli_ask(struct cli *cli, const char *method, const char *path,
                                     JsonObject *body, JsonObject **out, struct hm_error *err);
/* The same for bytes; type is what is accepted. limit bounds the answer. */
enum hm_status HM_MUST_CHECK cli_fetch(struct cli *cli, const char *method, const char *path,
                                       const char *type, JsonObject *body, size_t limit,
                                       GBytes **out, struct hm_error *err);
/* Events, until each returns false or the stream ends. */
typedef bool (*cli_event)(void *user, const char *event, JsonObject *object);
enum hm_status HM_MUST_CHECK cli_follow(struct cli *cli, const char *since, uint64_t limit_ms,
                                        cli_event each, void *user, struct hm_error *err);
/* Fill cli->paths by 1-house: --state or HALLMARK_STATE, the system's, the user's. */
enum hm_status HM_MUST_CHECK cli_find_paths(struct cli *cli, struct hm_error *err);
/* Name of an LCT id at this daemon, or NULL. user is the struct cli. */
const char *cli_name_of(void *user, const uint8_t lct[32]);

/* ---- a store without its daemon
 * ------------------------------------------------------------------ */
/* The store's folder of --store DIR: DIR itself or DIR/store. */
enum hm_status HM_MUST_CHECK cli_store_path(const char *given, char out[HM_FILE_PATH],
                                            struct hm_error *err);
/* Answer an API path from the store. */
enum hm_status HM_MUST_CHECK cli_offline(struct cli *cli, const char *method, const char *path,
                                         JsonObject *body, GBytes **out, struct hm_error *err);

/* Work that reads damaged or hostile files runs in a child: a signal there is
 * HM_DAMAGED here. work writes its answer to out. */
typedef enum hm_status (*cli_work)(void *user, GByteArray *out, struct hm_error *err);
enum hm_status HM_MUST_CHECK cli_in_child(cli_work work, void *user, size_t limit, GBytes **out,
                                          struct hm_error *err);

/* ---- authorities
 * ------------------------------------------------------------------------------------ */
/* --authority FILE... , else trust.d of the state found. */
enum hm_status HM_MUST_CHECK cli_anchors(struct cli *cli, const struct cli_args *args,
                                         struct hm_anchors *anchors, struct hm_error *err);

/* ---- programs
 * ------------------------------------------------------------------------------------------ */
/* Path of one of our programs: beside this one, else by PATH. g_free it. */
char *cli_program(const char *name);
/* Run it; HM_OK where it exits 0, else its exit code in *code and its last line of
 * standard error in err. in may be empty; out (may be NULL) gets standard output. */
enum hm_status HM_MUST_CHECK cli_run(const char *const *argv, GBytes *in, size_t limit,
                                     GBytes **out, int *code, struct hm_error *err);

/* ---- printing
 * --------------------------------------------------------------------------------------------- */
struct cli_table {
  unsigned columns;
  GPtrArray *cells; /* texts, row by row, escaped when printed */
};
void cli_table_begin(struct cli_table *table, const char *const *heads, unsigned columns);
/* The next cell; NULL is "-". */
void cli_table_add(struct cli_table *table, const char *text);
void cli_table_add_f(struct cli_table *table, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Print and free. */
void cli_table_end(struct cli *cli, struct cli_table *table);

/* Text of an RFC 3339 time for this terminal. */
void cli_time(const struct cli *cli, const char *rfc3339, char out[HM_TEXT_TIME]);
/* One object a line (--json). Takes a list apart: one line an element. */
void cli_json(JsonObject *object);
void cli_json_each(JsonArray *list);
/* Print text and end the line. On a terminal it breaks at spaces; `column` is where the
 * cursor stands, further lines begin at `hang`. Elsewhere it is one line. */
void cli_words(const struct cli *cli, unsigned column, unsigned hang, const char *text);
/* printf of text of ours. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "ok", "BROKEN" and such, coloured on a terminal. */
const char *cli_mark(const struct cli *cli, const char *word, char out[32]);
/* A member of an object as escaped text; "-" where it is null. g_free it. */
char *cli_text(JsonObject *object, const char *member);

/* Send what follows through a pager, where there is a terminal and the verb is one to
 * read; at the end wait for it. */
void cli_pager_begin(struct cli *cli, const char *verb);
void cli_pager_end(struct cli *cli);

/* ---- verbs
 * -------------------------------------------------------------------------------------------------
 */
int cli_init(struct cli *cli, const struct cli_args *args);
int cli_discover(struct cli *cli, const struct cli_args *args);
int cli_bind(struct cli *cli, const struct cli_args *args);
int cli_unbind(struct cli *cli, const struct cli_args *args);
int cli_pair(struct cli *cli, const struct cli_args *args);
int cli_revoke(struct cli *cli, const struct cli_args *args);
int cli_ls(struct cli *cli, const struct cli_args *args);
int cli_show(struct cli *cli, const struct cli_args *args);
int cli_why(struct cli *cli, const struct cli_args *args);
int cli_query(struct cli *cli, const struct cli_args *args);
int cli_watch(struct cli *cli, const struct cli_args *args);
int cli_log(struct cli *cli, const struct cli_args *args);
int cli_proof(struct cli *cli, const struct cli_args *args);
int cli_verify(struct cli *cli, const struct cli_args *args);
int cli_spec(struct cli *cli, const struct cli_args *args);
int cli_status(struct cli *cli, const struct cli_args *args);
int cli_demo(struct cli *cli, const struct cli_args *args);

/* The chain for people: every link, the verdict, what it proves and cannot. */
void cli_print_chain(struct cli *cli, const char *what, const struct hm_chain *chain);
/* Check a whole store (verify without a file). path is the store's folder. */
int cli_verify_store(struct cli *cli, const char *path, const struct hm_anchors *anchors,
                     bool recompute);

#endif

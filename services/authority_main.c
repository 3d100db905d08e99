/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmark-authority: signs certificates, keeps its registry and its own public log,
 * forgets every pairing secret. A row a verb.
 */
#include <getopt.h>
#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/authority_list.h"
#include "services/authority_serve.h"
#include "services/clock.h"
#include "services/text.h"
#include "trust/checkpoint.h"

static const char PROGRAM[] = "hallmark-authority";
enum { EXIT_USAGE = 2, ASK_TIMEOUT_MS = 5000 };

struct options {
  const char *state, *out, *socket, *reason, *since;
  bool json;
  const char *object; /* NULL: none was given */
  struct hm_paths paths;
};

/* The big structures of the program live here, not on the stack. */
static struct hm_authority office;
static struct hm_auth_link asking;

static enum hm_status usage(struct hm_error *err, const char *text)
{
  return hm_fail(err, HM_MALFORMED, "%s; run: %s --help", text, PROGRAM);
}

/* ---- init ------------------------------------------------------------------------- */

static void say_key(const struct hm_authority *a)
{
  char lct[HM_LCT_TEXT + 1];
  struct hm_tree_head none = {0, {0}};
  uint8_t text[HM_CHECKPOINT_TEXT_MAX];
  struct hm_out out = hm_out(text, sizeof text);
  hm_lct_format(a->key.signer.kid, lct);
  hm_say("authority  %s", lct);
  if (hm_checkpoint_text(a->key.signer.kid, &none, &out) == HM_OK) {
    const uint8_t *end = memchr(text, '\n', out.len);
    hm_say("log        %.*s", end != NULL ? (int)(end - text) : 0, (const char *)text);
  }
}

static enum hm_status run_init(const struct options *o, struct hm_error *err)
{
  HM_TRY(hm_authority_init(&office, o->paths.authority, err));
  hm_authority_close(&office);
  HM_TRY(hm_authority_open(&office, o->paths.authority, true, err));
  HM_TRY(hm_authority_write_registry(&office, err));
  if (o->out != NULL)
    HM_TRY(hm_public_write(o->out, office.key.signer.point, err));
  say_key(&office);
  hm_say("key        %s/sign.pem (0600, stays here)", o->paths.authority);
  hm_say("public     %s%s%s", o->paths.authority, "/authority.pub",
         o->out != NULL ? ", and the file you named" : "");
  hm_say("give the public file to whoever must verify; next: %s serve", PROGRAM);
  return HM_OK;
}

/* ---- issue, serve ------------------------------------------------------------------- */

static enum hm_status run_issue(const struct options *o, struct hm_error *err)
{
  if (isatty(STDIN_FILENO))
    return usage(err, "issue reads requests from standard input: issue < requests > answers");
  HM_TRY(hm_authority_open(&office, o->paths.authority, true, err));
  enum hm_status status = hm_authority_issue(&office, STDIN_FILENO, STDOUT_FILENO, err);
  struct hm_error registry = {HM_OK, ""};
  if (hm_authority_write_registry(&office, &registry) != HM_OK)
    hm_log(HM_LOG_WARNING, "registry", "%s", hm_error_text(&registry));
  return status;
}

static enum hm_status run_serve(const struct options *o, struct hm_error *err)
{
  char path[HM_FILE_PATH];
  HM_TRY(hm_path_join(path, o->paths.run, "authority.sock", err));
  if (o->socket != NULL)
    (void)g_strlcpy(path, o->socket, sizeof path);
  HM_TRY(hm_socket_path_check(path, err));
  HM_TRY(hm_authority_open(&office, o->paths.authority, false, err));
  if (o->socket == NULL && !o->paths.is_system)
    HM_TRY(hm_folder_make(o->paths.run, 0755, err));
  return hm_authority_serve(&office, path, err);
}

/* ---- ls ------------------------------------------------------------------------------- */

/* Make the registry file from the log; while serve holds the log, its file is there. */
static enum hm_status refresh(const struct options *o, struct hm_error *err)
{
  enum hm_status status = hm_authority_open(&office, o->paths.authority, true, err);
  if (status == HM_LOCKED)
    return HM_OK;
  HM_TRY(status);
  status = hm_authority_write_registry(&office, err);
  hm_authority_close(&office);
  return status;
}

static enum hm_status run_ls(const struct options *o, struct hm_error *err)
{
  HM_TRY(refresh(o, err));
  return hm_authority_list(o->paths.authority, o->json, err);
}

/* ---- asking: the log itself, or serve where that holds it ---------------------------------- */

static enum hm_status ask_serve(const struct options *o, const struct hm_auth_question *question,
                                struct hm_auth_answer *answer, struct hm_error *err)
{
  char path[HM_FILE_PATH];
  HM_TRY(hm_path_join(path, o->paths.run, "authority.sock", err));
  HM_TRY(hm_auth_link_open(&asking, o->socket != NULL ? o->socket : path, err));
  return hm_auth_ask(&asking, question, answer, ASK_TIMEOUT_MS, err);
}

static enum hm_status ask_here(const struct hm_auth_question *question,
                               struct hm_auth_answer *answer, struct hm_error *err)
{
  struct hm_out in = hm_out(asking.in, sizeof asking.in);
  struct hm_out out = hm_out(asking.out, sizeof asking.out);
  enum hm_status status = hm_auth_question_encode(question, &out);
  if (status == HM_OK)
    status = hm_authority_answer(&office, hm_out_bytes(&out), &in, NULL);
  if (status == HM_OK)
    status = hm_auth_answer_decode(hm_out_bytes(&in), answer, NULL);
  if (status != HM_OK)
    return hm_fail(err, status, "authority: %s", hm_status_text(status));
  return hm_auth_answer_status(answer, err);
}

static enum hm_status ask(const struct options *o, const struct hm_auth_question *question,
                          struct hm_auth_answer *answer, struct hm_error *err)
{
  enum hm_status status = hm_authority_open(&office, o->paths.authority, true, err);
  if (status == HM_LOCKED)
    return ask_serve(o, question, answer, err);
  HM_TRY(status);
  HM_TRY(ask_here(question, answer, err));
  return hm_authority_write_registry(&office, err);
}

/* ---- revoke -------------------------------------------------------------------------------- */

static enum hm_status parse_reason(const char *text, uint64_t *reason, struct hm_error *err)
{
  uint32_t code = HM_REASON_OPERATOR;
  if (text != NULL && hm_text_uint(text, 65535, reason) == HM_OK && *reason > 0)
    return HM_OK;
  if (text != NULL && !hm_code_find(&hm_reasons, hm_bytes(text, strlen(text)), &code))
    return hm_fail(err, HM_MALFORMED,
                   "--reason %.40s: neither a code nor one of "
                   "`hallmark spec reason`",
                   text);
  *reason = code;
  return HM_OK;
}

static enum hm_status run_revoke(const struct options *o, struct hm_error *err)
{
  struct hm_auth_question question = {.kind = HM_AUTH_REVOKE};
  struct hm_auth_revoke *q = &question.u.revoke;
  struct hm_auth_answer answer;
  if (o->object == NULL)
    return usage(err, "revoke needs an LCT or the name of a certificate");
  HM_TRY(refresh(o, err));
  HM_TRY(hm_authority_resolve(o->paths.authority, o->object, q->certificate, err));
  HM_TRY(parse_reason(o->reason, &q->reason, err));
  if (o->since != NULL) {
    uint64_t ns;
    if (hm_text_time_parse(o->since, &ns) != HM_OK)
      return hm_fail(err, HM_MALFORMED, "--since %.40s: not a time; write 2026-12-25T09:14:00Z",
                     o->since);
    q->has_since = true;
    q->since = ns / 1000000000u;
  }
  HM_TRY(ask(o, &question, &answer, err));
  struct hm_revocation v;
  uint8_t pub[64], name[32];
  char path[HM_FILE_PATH];
  HM_TRY(hm_path_join(path, o->paths.authority, "authority.pub", err));
  HM_TRY(hm_public_read(path, pub, err));
  enum hm_status status =
      hm_revocation_open(office.crypto, answer.u.revoke.revocation, pub, &v, name);
  if (status != HM_OK)
    return hm_fail(err, status, "the revocation that came back: %s", hm_status_text(status));
  hm_say("%s  revoked  number %llu", o->object, (unsigned long long)v.number);
  return HM_OK;
}

/* ---- checkpoint ------------------------------------------------------------------------------ */

static enum hm_status run_checkpoint(const struct options *o, struct hm_error *err)
{
  struct hm_auth_question question = {.kind = HM_AUTH_LOG};
  struct hm_auth_answer answer;
  HM_TRY(ask(o, &question, &answer, err));
  uint8_t pub[64], kid[32], text[HM_CHECKPOINT_TEXT_MAX];
  char path[HM_FILE_PATH];
  struct hm_checkpoint c;
  struct hm_out out = hm_out(text, sizeof text);
  HM_TRY(hm_path_join(path, o->paths.authority, "authority.pub", err));
  HM_TRY(hm_public_read(path, pub, err));
  struct hm_bytes object = answer.u.log.checkpoint;
  enum hm_status status = hm_checkpoint_open(office.crypto, object, pub, &c, NULL);
  if (status == HM_OK)
    status = hm_key_thumbprint(office.crypto, pub, kid);
  if (status == HM_OK)
    status = hm_checkpoint_text(kid, &c.control_tree, &out);
  if (status != HM_OK)
    return hm_fail(err, status, "checkpoint: %s", hm_status_text(status));
  if (o->out != NULL)
    HM_TRY(hm_file_write(o->out, object, 0644, err));
  (void)fwrite(text, 1, out.len, stdout);
  return HM_OK;
}

/* ---- the command line ---------------------------------------------------------------------------
 */

static const struct verb {
  const char *name;
  enum hm_status (*run)(const struct options *o, struct hm_error *err);
  const char *flags; /* letters of those it takes beside --state */
  bool has_object;
  const char *what;
} verbs[] = {
    {"init", run_init, "o", false, "make key, log and registry; publish the key  [--out FILE.pub]"},
    {"issue", run_issue, "", false,
     "answer the requests on standard input (a CBOR sequence) on standard output"},
    {"serve", run_serve, "S", false, "answer at authority.sock  [--socket PATH]"},
    {"ls", run_ls, "j", false, "entities, pairings, revocations  [--json]"},
    {"revoke", run_revoke, "rsS", true,
     "LCT or certificate: end it for good  [--reason WORD] [--since TIME]"},
    {"checkpoint", run_checkpoint, "oS", false,
     "sign and print size and root of the log  [--out FILE]"},
};

static void help(void)
{
  hm_say("usage: %s VERB [--state DIR] [flags]\n", PROGRAM);
  for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
    hm_say("  %-11s %s", verbs[i].name, verbs[i].what);
  hm_say("\nFiles: /var/lib/hallmark-authority, or DIR/authority with --state or HALLMARK_STATE.\n"
         "Exit: 0 done, 2 usage, 3 not there, 4 refused, 5 not reachable, 6 malformed, 7 damaged,\n"
         "8 timed out, 9 conflict (is there already, runs already).");
}

static const struct verb *find_verb(const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS(verbs); i++)
    if (strcmp(verbs[i].name, name) == 0)
      return &verbs[i];
  return NULL;
}

/* Flags after the verb; false with one line on standard error. */
static bool parse(int argc, char **argv, const struct verb *verb, struct options *o)
{
  static const struct option table[] = {{"state", required_argument, NULL, 'd'},
                                        {"out", required_argument, NULL, 'o'},
                                        {"socket", required_argument, NULL, 'S'},
                                        {"reason", required_argument, NULL, 'r'},
                                        {"since", required_argument, NULL, 's'},
                                        {"json", no_argument, NULL, 'j'},
                                        {NULL, 0, NULL, 0}};
  struct hm_error err = {HM_MALFORMED, ""};
  int letter;
  opterr = 0;
  while ((letter = getopt_long(argc, argv, ":", table, NULL)) != -1) {
    if (letter == ':' || letter == '?' || (letter != 'd' && strchr(verb->flags, letter) == NULL)) {
      (void)usage(&err, verb->name);
      (void)hm_error_prefix(&err, "%.40s: %s", argv[optind - 1],
                            letter == ':' ? "a value is missing" : "not a flag of this verb");
      (void)hm_error_report(PROGRAM, &err);
      return false;
    }
    const char **text = letter == 'd'   ? &o->state
                        : letter == 'o' ? &o->out
                        : letter == 'S' ? &o->socket
                        : letter == 'r' ? &o->reason
                        : letter == 's' ? &o->since
                                        : NULL;
    if (text != NULL)
      *text = optarg;
    else
      o->json = true;
  }
  if (verb->has_object && optind < argc)
    o->object = argv[optind++];
  if (optind == argc && (!verb->has_object || o->object != NULL))
    return true;
  (void)usage(&err, optind < argc ? "too many words" : "revoke needs an LCT or a certificate");
  (void)hm_error_report(PROGRAM, &err);
  return false;
}

int main(int argc, char **argv)
{
  struct options o;
  struct hm_error err = {HM_OK, ""};
  hm_process_start(true);
  memset(&o, 0, sizeof o);
  asking.fd = -1;
  if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
    help();
    return 0;
  }
  if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
    hm_say("%s %s", PROGRAM, HM_VERSION);
    return 0;
  }
  const struct verb *verb = argc >= 2 ? find_verb(argv[1]) : NULL;
  if (verb == NULL) {
    (void)usage(&err, argc >= 2 ? "no such verb" : "a verb is needed");
    (void)hm_error_report(PROGRAM, &err);
    return EXIT_USAGE;
  }
  if (!parse(argc - 1, argv + 1, verb, &o))
    return EXIT_USAGE;
  enum hm_status status = hm_paths_find(o.state, &o.paths, &err);
  if (status == HM_OK)
    status = verb->run(&o, &err);
  hm_auth_link_close(&asking);
  hm_authority_close(&office);
  err.status = status;
  return status == HM_OK ? 0 : hm_error_report(PROGRAM, &err);
}

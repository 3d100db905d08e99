/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * init: the three steps that make a host, each safe to repeat until the store exists.
 * Starts nothing.
 */
#include <string.h>
#include <unistd.h>

#include "services/cli.h"
#include "services/keys.h"

static enum hm_status check_fresh(const struct hm_paths *paths, struct hm_error *err)
{
  g_autofree char *format = g_build_filename(paths->store, "format", NULL);
  if (access(format, F_OK) == 0)
    return hm_fail(err, HM_EXISTS, "%s is there already; run: hallmark status", paths->store);
  /* The longest of the sockets: said before anything is made. */
  g_autofree char *longest = g_build_filename(paths->run, "authority.sock", NULL);
  return hm_socket_path_check(longest, err);
}

/* Exit code 9 of `hallmark-authority init` is an authority from an interrupted init. */
static enum hm_status make_authority(const struct hm_paths *paths, const char *state,
                                     const char *key, struct hm_error *err)
{
  g_autofree char *program = cli_program("hallmark-authority");
  const char *argv[] = {program, "init", "--out", key, "--state", state, NULL};
  if (paths->is_system)
    argv[4] = NULL;
  int code = 0;
  enum hm_status status = cli_run(argv, NULL, 0, NULL, &code, err);
  if (status == HM_OK)
    return HM_OK;
  if (code != 9)
    return status;
  g_autofree char *own = g_build_filename(paths->authority, "authority.pub", NULL);
  uint8_t point[64];
  HM_TRY(hm_public_read(own, point, err));
  return hm_public_write(key, point, err);
}

static enum hm_status trust_authority(const char *file, const char *key, struct hm_error *err)
{
  uint8_t point[64];
  HM_TRY(hm_public_read(file, point, err));
  return hm_public_write(key, point, err);
}

/* host gets the LCT id from the line "host       lct:..." of hallmarkd. */
static enum hm_status make_store(const struct hm_paths *paths, const char *state,
                                 const char *authority, char host[HM_LCT_TEXT + 1],
                                 struct hm_error *err)
{
  g_autoptr(GBytes) out = NULL;
  g_autofree char *program = cli_program("hallmarkd");
  const char *argv[7] = {program, "--init"};
  size_t n = 2;
  if (!paths->is_system) {
    argv[n++] = "--state";
    argv[n++] = state;
  }
  if (authority) {
    argv[n++] = "--authority";
    argv[n++] = authority;
  }
  int code = 0;
  enum hm_status status = cli_run(argv, NULL, HM_JSON_BODY, &out, &code, err);
  if (status == HM_OK) {
    size_t len = 0;
    const char *text = g_bytes_get_data(out, &len);
    const char *lct = g_strstr_len(text, (gssize)len, "lct:web4:");
    size_t left = lct ? len - (size_t)(lct - text) : 0;
    if (left >= HM_LCT_TEXT)
      g_strlcpy(host, lct, HM_LCT_TEXT + 1);
  }
  return status;
}

static void say_start(const struct hm_paths *paths, bool has_authority)
{
  g_autofree char *tail =
      paths->is_system ? g_strdup("") : g_strdup_printf(" --state %s", paths->state);
  if (has_authority)
    cli_say("start      hallmark-authority serve%s\n           hallmarkd%s\n", tail, tail);
  else
    cli_say("start      hallmarkd%s\n", tail);
  cli_say("           hallmark-media%s\n", tail);
}

static void say_done(struct cli *cli, const struct hm_paths *paths, const char *host,
                     const char *key, bool has_authority)
{
  if (cli->json) {
    g_autoptr(JsonObject) o = json_object_new();
    hm_json_set_text(o, "host", host);
    hm_json_set_text(o, "state", paths->state);
    hm_json_set_text(o, "store", paths->store);
    hm_json_set_text(o, "authority", key);
    json_object_set_boolean_member(o, "authority_here", has_authority);
    cli_json(o);
    return;
  }
  if (cli->quiet)
    return;
  cli_say("identity   %s\n", host);
  cli_say("store      %s\n", paths->store);
  cli_say("authority  %s\n           give this file to whoever must verify\n", key);
  if (has_authority) {
    cli_say("warning    ");
    cli_words(cli, 11, 11,
              "authority and daemon are on one machine: who takes it over can certify anything "
              "from then on");
  }
  say_start(paths, has_authority);
}

int cli_init(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  struct hm_paths paths = {false};
  char host[HM_LCT_TEXT + 1] = "";
  const char *authority = cli_flag(args, "--authority");
  if (cli->store || cli->socket)
    return cli_usage(args->verb, "takes --state DIR, not --store or --socket");
  enum hm_status status = hm_paths_find(cli->state, &paths, &err);
  if (status == HM_OK)
    status = check_fresh(&paths, &err);
  if (status == HM_OK)
    status = hm_paths_make(&paths, &err);
  g_autofree char *key = g_build_filename(paths.etc, "trust.d", "home.pub", NULL);
  if (status == HM_OK)
    status = authority ? trust_authority(authority, key, &err)
                       : make_authority(&paths, paths.state, key, &err);
  if (status == HM_OK)
    status = make_store(&paths, paths.state, authority ? key : NULL, host, &err);
  if (status != HM_OK)
    return cli_fail(cli, "init", &err);
  say_done(cli, &paths, host, key, !authority);
  return 0;
}

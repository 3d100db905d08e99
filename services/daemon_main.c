/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmarkd: keys, both logs, gates and the API of one host.
 *
 *   start   lock and format (the store opens for one writer), identity, recovery (the
 *           whole control log is read and verified), writer with its start entry,
 *           authority (never waited for), api.sock, gate.sock, READY=1
 *   stop    SIGTERM, SIGINT: no new work; gates revoked, at most 2.1 s; the writer
 *           takes in what waits, last batch, head, checkpoint; keys wiped. A second
 *           SIGTERM exits at once: what was acknowledged is durable anyway
 *   reload  SIGHUP: the configuration is taken whole or not at all
 *
 * One GMainLoop on this thread, one writer thread; nothing else.
 */
#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "services/daemon_export.h"
#include "services/daemon_init.h"
#include "services/daemon_link.h"
#include "services/daemon_operations.h"
#include "services/notify.h"
#include "trust/crypto_openssl.h"

enum {
  STOP_SHUT_MS = 2400,
  STOP_DRAIN_MS = 150 /* for what observers still have */,
  TICK_MS = 1000,
  ANCHORS_EVERY = 5,
  CONNECTIONS = 1024
};

struct options {
  char *state, *authority;
  gboolean is_init, is_version, is_verbose;
};

/* ---- options -----------------------------------------------------------------------------------
 */

static bool read_options(int *argc, char ***argv, struct options *o, struct hm_error *err)
{
  const GOptionEntry entries[] = {
      {"state", 0, 0, G_OPTION_ARG_FILENAME, &o->state, "one folder for everything", "DIR"},
      {"init", 0, 0, G_OPTION_ARG_NONE, &o->is_init, "make identity and store, then exit", NULL},
      {"authority", 0, 0, G_OPTION_ARG_FILENAME, &o->authority,
       "with --init: the authority's public key", "FILE.pub"},
      {"verbose", 'v', 0, G_OPTION_ARG_NONE, &o->is_verbose, "log more", NULL},
      {"version", 0, 0, G_OPTION_ARG_NONE, &o->is_version, "print the version", NULL},
      {NULL, 0, 0, 0, NULL, NULL, NULL}};
  GOptionContext *context = g_option_context_new("- keep what sensors saw, provably");
  g_autoptr(GError) error = NULL;
  g_option_context_add_main_entries(context, entries, NULL);
  bool is_good = g_option_context_parse(context, argc, argv, &error);
  if (!is_good)
    hm_fail(err, HM_MALFORMED, "%s; run: hallmarkd --help", error->message);
  else if (*argc > 1)
    is_good =
        hm_fail(err, HM_MALFORMED, "%s: not an option; run: hallmarkd --help", (*argv)[1]) == HM_OK;
  g_option_context_free(context);
  return is_good;
}

/* ---- start
 * ---------------------------------------------------------------------------------------- */

static enum hm_status load_config(struct hm_core *core, struct hm_config **config,
                                  struct hm_error *err)
{
  char file[HM_FILE_PATH], dropins[HM_FILE_PATH];
  struct hm_config_error why = {""};
  HM_TRY(hm_path_join(file, core->paths.etc, "hallmark.conf", err));
  HM_TRY(hm_path_join(dropins, core->paths.etc, "conf.d", err));
  enum hm_status status = hm_config_load(file, false, dropins, config, &why);
  return status == HM_OK ? HM_OK : hm_fail(err, status, "%s", why.text);
}

static void find_media_user(struct hm_core *core)
{
  core->media_uid = getuid();
  if (core->paths.is_system && hm_user_id("hallmark-media", &core->media_uid) != HM_OK)
    hm_log(HM_LOG_WARNING, "media-user", "no user hallmark-media: gates are for uid %lu only",
           (unsigned long)core->media_uid);
}

static enum hm_status core_new(struct hm_core *core, const char *state, struct hm_error *err)
{
  memset(core, 0, sizeof *core);
  core->crypto = &hm_crypto_openssl;
  core->sysfs = "/sys";
  core->start_ns = hm_boottime_ns();
  hm_clock_init(&core->clock);
  core->binds = g_ptr_array_new();
  core->subscriptions = g_ptr_array_new_with_free_func(g_free);
  HM_TRY(hm_paths_find(state, &core->paths, err));
  find_media_user(core);
  return load_config(core, &core->config, err);
}

static enum hm_status open_store(struct hm_core *core, struct hm_error *err)
{
  struct hm_fault fault = {0};
  enum hm_status status =
      hm_store_open(core->crypto, core->paths.store, HM_LOG_WRITE, &core->store, &fault);
  if (status == HM_NOT_FOUND)
    return hm_fail(err, status, "no store at %s; run: hallmark init%s%s", core->paths.store,
                   core->paths.is_system ? "" : " --state ",
                   core->paths.is_system ? "" : core->paths.state);
  return status == HM_OK ? HM_OK : hm_fail(err, status, "%s", fault.text);
}

/* The authority that genesis pins, before anything it signed is read. */
static enum hm_status read_genesis(struct hm_core *core, struct hm_error *err)
{
  uint8_t *buffer = g_malloc(HM_LOG_ENTRY_MAX);
  struct hm_log_entry entry;
  struct hm_receipt receipt;
  enum hm_status status =
      hm_log_entry(hm_store_control(core->store), 1, buffer, HM_LOG_ENTRY_MAX, &entry);
  if (status == HM_OK)
    status =
        hm_receipt_open(core->crypto, entry.object, core->host_key.signer.point, &receipt, NULL);
  if (status == HM_OK && (receipt.kind != HM_RECEIPT_GENESIS || receipt.evidence_count != 2))
    status = HM_MALFORMED;
  if (status == HM_OK)
    memcpy(core->authority, receipt.evidence[0], 32);
  g_free(buffer);
  if (status == HM_BAD_SIGNATURE || status == HM_MISMATCH)
    return hm_fail(err, HM_MISMATCH, "%s: the store is not of the host key in %s",
                   core->paths.store, core->paths.keys);
  if (status != HM_OK)
    return hm_fail(err, HM_DAMAGED, "%s: c1: %s", core->paths.store, hm_status_text(status));
  hm_floor_init(&core->floor, core->authority);
  return hm_authority_find(core, core->authority, core->authority_point, err);
}

static enum hm_status recover(struct hm_core *core, struct hm_error *err)
{
  HM_TRY(read_genesis(core, err));
  HM_TRY(hm_registry_load(core, err));
  HM_TRY(hm_host_anchor_check(core, err));
  hm_host_describe(core->registry.all[0]->what, sizeof core->registry.all[0]->what);
  HM_TRY(hm_local_load(core, err));
  return hm_keys_settle(core, err);
}

static struct hm_now now_for_writer(void *user)
{
  return hm_core_now(user);
}

static enum hm_status read_boot_id(uint8_t id[16])
{
  uint8_t text[64];
  size_t len, n = 0;
  HM_TRY(hm_file_read("/proc/sys/kernel/random/boot_id", text, sizeof text, &len, NULL));
  for (size_t i = 0; i + 1 < len && n < 16; i++) {
    if (!g_ascii_isxdigit((char)text[i]))
      continue;
    id[n++] = (uint8_t)(g_ascii_xdigit_value((char)text[i]) << 4 |
                        g_ascii_xdigit_value((char)text[i + 1]));
    i++;
  }
  return n == 16 ? HM_OK : HM_MALFORMED;
}

static enum hm_status start_writer(struct hm_core *core, struct hm_error *err)
{
  struct hm_writer_config config = {.crypto = core->crypto,
                                    .store = core->store,
                                    .entity = &core->host_key.signer,
                                    .now = now_for_writer,
                                    .now_user = core};
  char path[HM_FILE_PATH];
  struct hm_fault fault = {0};
  uint64_t count;
  HM_TRY(hm_path_join(path, core->paths.keys, "boot", err));
  HM_TRY(hm_boot_count_next(path, &count, err));
  core->boot_count = config.boot_count = (uint32_t)count;
  config.commit_ms = (unsigned)hm_config_number(core->config, "store", NULL, "commit");
  if (read_boot_id(config.boot_id) != HM_OK)
    return hm_fail(err, HM_IO, "/proc/sys/kernel/random/boot_id cannot be read");
  enum hm_status status = hm_writer_start(&config, &core->writer, &fault);
  if (status != HM_OK)
    return hm_fail(err, status, "%s: %s", core->paths.store,
                   fault.text[0] != '\0' ? fault.text : hm_status_text(status));
  hm_control_start(core);
  HM_TRY(hm_registry_catch_up(core, err));
  for (unsigned i = 1; i < core->registry.count; i++)
    hm_writer_slot(core, core->registry.all[i]);
  return HM_OK;
}

/* ---- the law: a new configuration is a control entry
 * ------------------------------------------------- */

static enum hm_status build_law(void *user, const struct hm_entry_facts *facts, struct hm_out *out)
{
  struct hm_core *core = user;
  struct hm_law law = {.iat = facts->now.trust_s, .has_previous = core->registry.has_law_name};
  memcpy(law.previous, core->registry.law_name, 32);
  memcpy(law.law, core->law, 32);
  return hm_law_make(core->crypto, facts->entity, &law, out);
}

static void law_written(void *user, const struct hm_error *error, uint64_t number)
{
  (void)user;
  if (error->status != HM_OK)
    hm_log(HM_LOG_ERROR, "law", "%s", hm_error_text(error));
  else
    hm_log(HM_LOG_NOTICE, "law", "configuration changed: c%llu", (unsigned long long)number);
}

static enum hm_status follow_law(struct hm_core *core)
{
  HM_TRY(hm_law_of(core, core->law));
  if (memcmp(core->law, core->registry.law, 32) != 0)
    hm_control_build(core, build_law, law_written, core);
  return HM_OK;
}

/* ---- what a stop or a crash left half done
 * -------------------------------------------------------------- */

static void settle(struct hm_core *core)
{
  hm_revocations_settle(core);
  hm_exports_settle(core);
  for (unsigned i = 1; i < core->registry.count; i++) {
    struct hm_bound *bound = core->registry.all[i];
    if (bound->is_void && bound->source[0] != '\0')
      hm_retire(core, bound);
  }
}

static enum hm_status start(struct hm_core *core, struct hm_error *err)
{
  char api[HM_FILE_PATH];
  HM_TRY(open_store(core, err));
  HM_TRY(hm_paths_make(&core->paths, err));
  HM_TRY(hm_identity_load(core, err));
  HM_TRY(recover(core, err));
  HM_TRY(start_writer(core, err));
  HM_TRY(follow_law(core));
  settle(core);
  HM_TRY(hm_link_start(core, err));
  HM_TRY(hm_path_join(api, core->paths.run, "api.sock", err));
  enum hm_status status = hm_api_start(core, api, &core->api);
  if (status != HM_OK)
    return hm_fail(err, status, "%s: %s", api, hm_status_text(status));
  HM_TRY(hm_gates_start(core, err));
  hm_anchors_check(core);
  return HM_OK;
}

/* ---- running
 * ------------------------------------------------------------------------------------------------
 */

static gboolean on_tick(gpointer data)
{
  struct hm_core *core = data;
  static unsigned ticks;
  hm_grants_tick(core);
  if (++ticks % ANCHORS_EVERY == 0)
    hm_anchors_check(core);
  hm_notify("WATCHDOG=1");
  return G_SOURCE_CONTINUE;
}

static gboolean on_hangup(gpointer data)
{
  struct hm_core *core = data;
  struct hm_config *config = NULL;
  struct hm_error err = {0};
  if (load_config(core, &config, &err) != HM_OK) {
    hm_log(HM_LOG_ERROR, "reload", "%s; the old configuration stays in force", hm_error_text(&err));
    return G_SOURCE_CONTINUE;
  }
  hm_config_free(core->config);
  core->config = config;
  if (follow_law(core) != HM_OK)
    hm_log(HM_LOG_ERROR, "reload", "law: cannot be computed");
  return G_SOURCE_CONTINUE;
}

/* ---- stop
 * -----------------------------------------------------------------------------------------------------
 */

static gboolean quit(gpointer data)
{
  struct hm_core *core = data;
  g_main_loop_quit(core->loop);
  return G_SOURCE_REMOVE;
}

static void one_shut(void *user, const struct hm_shut *shut)
{
  struct hm_core *core = user;
  (void)shut;
  if (--core->shutting == 0)
    g_timeout_add(STOP_DRAIN_MS, quit, core);
}

/* Every grant is taken back; whoever does not answer is waited out. */
static void shut_gates(struct hm_core *core)
{
  core->shutting = 1;
  for (unsigned i = 1; i < core->registry.count; i++) {
    struct hm_bound *bound = core->registry.all[i];
    uint64_t contexts[HM_LIVE_PAIRINGS];
    unsigned count = 0;
    if (bound->gate == NULL)
      continue;
    for (unsigned k = 0; k < bound->gate->granted_count && k < HM_LIVE_PAIRINGS; k++)
      contexts[count++] = bound->gate->granted[k];
    if (count == 0)
      continue;
    core->shutting++;
    hm_gates_shut(core, bound, contexts, count, one_shut, core);
  }
  one_shut(core, NULL);
}

static void stop_api(struct hm_core *core)
{
  if (!core->is_stopping)
    hm_api_stop(core->api);
}

static gboolean on_terminate(gpointer data)
{
  struct hm_core *core = data;
  if (core->is_stopping) {
    hm_log(HM_LOG_NOTICE, "stop", "second signal: exit at once");
    hm_log_flush();
    _exit(1);
  }
  stop_api(core);
  core->is_stopping = true;
  hm_notify("STOPPING=1");
  struct hm_core_event event = {.kind = HM_CORE_STOPPING};
  hm_core_tell(core, &event);
  shut_gates(core);
  g_timeout_add(STOP_SHUT_MS, quit, core);
  return G_SOURCE_CONTINUE;
}

void hm_core_give_up(struct hm_core *core, const struct hm_error *error)
{
  if (core->exit_code == 0) {
    hm_log(HM_LOG_ERROR, "store", "%s", hm_error_text(error));
    core->exit_code = hm_status_row(error->status)->exit_code;
  }
  stop_api(core);
  core->is_stopping = true;
  if (core->loop != NULL)
    g_idle_add(quit, core);
}

/* What is ready to run: operations hear that the daemon stops, and wipe themselves. */
static void run_what_is_ready(void)
{
  for (int i = 0; i < 10000 && g_main_context_iteration(NULL, FALSE); i++)
    ;
}

static void stop_writer(struct hm_core *core)
{
  struct hm_fault fault = {0};
  if (core->writer == NULL)
    return;
  enum hm_status status = hm_writer_stop(core->writer, &fault);
  if (status != HM_OK) {
    hm_log(HM_LOG_ERROR, "stop", "%s: %s", core->paths.store, fault.text);
    core->exit_code = core->exit_code != 0 ? core->exit_code : hm_status_row(status)->exit_code;
  }
  hm_control_drain(core);
  run_what_is_ready();
  hm_control_stop(core);
  run_what_is_ready();
  hm_writer_free(core->writer);
  core->writer = NULL;
}

/* In the order that 1-house gives; each part may not have been started. */
static void stop(struct hm_core *core)
{
  stop_api(core);
  core->is_stopping = true;
  hm_gates_stop(core);
  hm_link_stop(core);
  stop_writer(core);
  hm_api_free(core->api);
  if (core->store != NULL)
    hm_store_close(core->store);
  hm_registry_free(&core->registry);
  hm_config_free(core->config);
  g_ptr_array_unref(core->subscriptions);
  g_ptr_array_unref(core->binds);
  hm_identity_wipe(core);
  hm_clock_free(&core->clock);
}

static int run(struct hm_core *core)
{
  core->loop = g_main_loop_new(NULL, FALSE);
  g_unix_signal_add(SIGTERM, on_terminate, core);
  g_unix_signal_add(SIGINT, on_terminate, core);
  g_unix_signal_add(SIGHUP, on_hangup, core);
  g_timeout_add(TICK_MS, on_tick, core);
  hm_notify("READY=1");
  hm_log(HM_LOG_INFO, "start", "hallmarkd %s: ready at %s", HM_VERSION, core->paths.run);
  g_main_loop_run(core->loop);
  g_main_loop_unref(core->loop);
  core->loop = NULL;
  return core->exit_code;
}

int main(int argc, char **argv)
{
  static struct hm_core core;
  struct options o = {0};
  struct hm_error err = {0};
  enum hm_status status = HM_OK;
  hm_process_start(true);
  if (!read_options(&argc, &argv, &o, &err)) {
    hm_error_report("hallmarkd", &err);
    return 2;
  }
  if (o.is_version) {
    hm_say("hallmarkd %s", HM_VERSION);
    return 0;
  }
  if (o.is_verbose)
    hm_log_limit(HM_LOG_DEBUG);
  status = core_new(&core, o.state, &err);
  if (status == HM_OK)
    status = o.is_init ? hm_daemon_init(&core, o.authority, &err) : start(&core, &err);
  if (status != HM_OK) {
    core.exit_code = hm_error_report("hallmarkd", &err);
  } else if (!o.is_init) {
    (void)run(&core);
  }
  stop(&core);
  hm_log_flush();
  g_free(o.state);
  g_free(o.authority);
  return core.exit_code;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmark-media: plays the bound cameras and recordings. It has no key and opens no
 * store; it knows hallmarkd by gate.sock alone.
 */
#include <errno.h>
#include <getopt.h>
#include <glib-unix.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sensors/gst_plugin.h"
#include "services/media_control.h"
#include "services/media_jobs.h"
#include "services/notify.h"
#include "services/paths.h"

enum { ISOLATED_FD = 3 };

static const char usage[] =
    "Usage: hallmark-media [--state DIR | --socket PATH] [-v | -q]\n"
    "       hallmark-media --describe FILE\n"
    "       hallmark-media --png [FILE] < PICTURE\n"
    "\n"
    "Plays the sources that hallmarkd says, each through hallmarkgate and hallmarktiles.\n"
    "It holds no key and opens no store.\n"
    "\n"
    "  --state DIR      state folder; its run/gate.sock is the socket (HALLMARK_STATE)\n"
    "  --socket PATH    hallmarkd's gate socket, at most 107 bytes\n"
    "  --describe FILE  print evidence picture and vector of FILE's first frame as JSON\n"
    "  --png [FILE]     write the evidence picture on standard input as PNG\n"
    "  -v, --verbose    say more;  -q, --quiet  say less\n"
    "  --version        print the version\n"
    "  --help           print this\n"
    "\n"
    "SIGTERM and SIGINT stop every pipeline and end the program with 0.\n";

struct options {
  const char *state, *socket, *describe, *png;
  bool is_png, is_isolated;
};

enum { OPT_STATE = 256, OPT_SOCKET, OPT_DESCRIBE, OPT_PNG, OPT_ISOLATED, OPT_VERSION, OPT_HELP };

static const struct option long_options[] = {{"state", required_argument, NULL, OPT_STATE},
                                             {"socket", required_argument, NULL, OPT_SOCKET},
                                             {"describe", required_argument, NULL, OPT_DESCRIBE},
                                             {"png", no_argument, NULL, OPT_PNG},
                                             {"isolated", no_argument, NULL, OPT_ISOLATED},
                                             {"verbose", no_argument, NULL, 'v'},
                                             {"quiet", no_argument, NULL, 'q'},
                                             {"version", no_argument, NULL, OPT_VERSION},
                                             {"help", no_argument, NULL, OPT_HELP},
                                             {NULL, 0, NULL, 0}};

/* True: go on. False: exit with *code. */
static bool read_options(int argc, char **argv, struct options *o, int *code)
{
  int option;

  *code = 0;
  while ((option = getopt_long(argc, argv, "vq", long_options, NULL)) != -1) {
    switch (option) {
    case OPT_STATE:
      o->state = optarg;
      break;
    case OPT_SOCKET:
      o->socket = optarg;
      break;
    case OPT_DESCRIBE:
      o->describe = optarg;
      break;
    case OPT_PNG:
      o->is_png = true;
      break;
    case OPT_ISOLATED:
      o->is_isolated = true;
      break;
    case 'v':
      hm_log_limit(HM_LOG_DEBUG);
      break;
    case 'q':
      hm_log_limit(HM_LOG_WARNING);
      break;
    case OPT_VERSION:
      printf("hallmark-media %s\n", HM_VERSION);
      return false;
    case OPT_HELP:
      fputs(usage, stdout);
      return false;
    default:
      *code = 2;
      return false;
    }
  }
  if (o->is_png && optind < argc)
    o->png = argv[optind++];
  if (optind < argc) {
    fprintf(stderr, "hallmark-media: %s: no such argument; run: hallmark-media --help\n",
            argv[optind]);
    *code = 2;
  }
  return *code == 0;
}

static gboolean on_signal(gpointer data)
{
  g_main_loop_quit((GMainLoop *)data);
  return G_SOURCE_CONTINUE;
}

/* Ours, else by the state folder. */
static enum hm_status find_socket(const struct options *o, char path[HM_FILE_PATH],
                                  struct hm_error *err)
{
  struct hm_paths paths;

  if (o->socket != NULL) {
    if (g_strlcpy(path, o->socket, HM_FILE_PATH) >= HM_FILE_PATH)
      return hm_fail(err, HM_TOO_LARGE, "--socket: longer than %d bytes", HM_SOCKET_PATH_MAX);
  } else {
    HM_TRY(hm_paths_find(o->state, &paths, err));
    HM_TRY(hm_path_join(path, paths.run, "gate.sock", err));
  }
  return hm_socket_path_check(path, err);
}

static enum hm_status serve(const struct options *o, struct hm_error *err)
{
  char socket[HM_FILE_PATH];
  g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
  struct media_control_config config = {
      .socket = socket, .program = "/proc/self/exe", .parent = -1, .loop = loop};
  struct media_control *control;
  g_autofree gchar *self = g_file_read_link("/proc/self/exe", NULL);

  HM_TRY(find_socket(o, socket, err));
  if (self != NULL)
    config.program = self;
  if (o->is_isolated)
    config.parent = ISOLATED_FD;
  g_unix_signal_add(SIGTERM, on_signal, loop);
  g_unix_signal_add(SIGINT, on_signal, loop);
  control = media_control_new(&config);
  if (!o->is_isolated)
    hm_notify("READY=1");
  g_main_loop_run(loop);
  if (!o->is_isolated)
    hm_notify("STOPPING=1");
  media_control_free(control);
  hm_log_flush();
  return HM_OK;
}

static enum hm_status run(const struct options *o, struct hm_error *err)
{
  if (o->describe != NULL)
    return media_job_describe(o->describe, err);
  if (o->is_png)
    return media_job_png(o->png, err);
  return serve(o, err);
}

int main(int argc, char **argv)
{
  struct options o = {0};
  struct hm_error err = {HM_OK, ""};
  g_autoptr(GError) error = NULL;
  enum hm_status status;
  int code;

  hm_process_start(false);
  if (!read_options(argc, argv, &o, &code))
    return code;
  if (!gst_init_check(NULL, NULL, &error) || !hm_elements_register_static()) {
    status = hm_fail(&err, HM_UNSUPPORTED, "GStreamer cannot start: %s",
                     error != NULL ? error->message : "our elements cannot be registered");
    return hm_error_report("hallmark-media", &err);
  }
  status = run(&o, &err);
  return status == HM_OK ? 0 : hm_error_report("hallmark-media", &err);
}

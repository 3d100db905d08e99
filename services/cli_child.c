/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Two kinds of helpers: a forked child that reads what may be damaged (LMDB trusts
 * its pages, so a broken one can end the process that reads it), and our other
 * programs, run with pipes.
 */
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/cli.h"

/* ---- a child of this program ---------------------------------------------------------- */
/* What a child says first. */
struct child_word {
  uint32_t magic;
  uint32_t status;
  uint64_t len;
  char text[HM_ERROR_TEXT];
};
enum { CHILD_MAGIC = 0x484d4b31 };

static bool write_all(int fd, const void *data, size_t len)
{
  const uint8_t *p = data;
  while (len > 0) {
    ssize_t n = write(fd, p, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    p += n;
    len -= (size_t)n;
  }
  return true;
}

static bool read_exactly(int fd, void *data, size_t len)
{
  uint8_t *p = data;
  while (len > 0) {
    ssize_t n = read(fd, p, len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return false;
    p += n;
    len -= (size_t)n;
  }
  return true;
}

static void run_child(cli_work work, void *user, int fd)
{
  struct child_word word = {.magic = CHILD_MAGIC};
  struct hm_error err = {HM_OK, ""};
  GByteArray *out = g_byte_array_new();
  enum hm_status status = work(user, out, &err);
  word.status = (uint32_t)status;
  word.len = status == HM_OK ? out->len : 0;
  g_strlcpy(word.text, status == HM_OK ? "" : hm_error_text(&err), sizeof word.text);
  bool is_told = write_all(fd, &word, sizeof word) && write_all(fd, out->data, word.len);
  g_byte_array_unref(out);
  _exit(is_told ? 0 : 1);
}

static enum hm_status hear_child(int fd, size_t limit, GBytes **out, struct hm_error *err)
{
  struct child_word word;
  if (!read_exactly(fd, &word, sizeof word) || word.magic != CHILD_MAGIC)
    return hm_fail(err, HM_DAMAGED, "the reader ended without an answer");
  word.text[sizeof word.text - 1] = '\0';
  if (word.status != HM_OK)
    return hm_fail(err, (enum hm_status)word.status, "%s", word.text);
  if (word.len > limit)
    return hm_fail(err, HM_TOO_LARGE, "answer of %" G_GUINT64_FORMAT " bytes, limit %zu", word.len,
                   limit);
  uint8_t *data = g_malloc(word.len > 0 ? word.len : 1);
  if (!read_exactly(fd, data, word.len)) {
    g_free(data);
    return hm_fail(err, HM_DAMAGED, "the reader ended in the middle of its answer");
  }
  *out = g_bytes_new_take(data, word.len);
  return HM_OK;
}

enum hm_status cli_in_child(cli_work work, void *user, size_t limit, GBytes **out,
                            struct hm_error *err)
{
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return hm_fail_errno(err, HM_IO, errno, "pipe");
  fflush(stdout);
  pid_t pid = fork();
  if (pid < 0) {
    close(ends[0]);
    close(ends[1]);
    return hm_fail_errno(err, HM_IO, errno, "fork");
  }
  if (pid == 0) {
    close(ends[0]);
    run_child(work, user, ends[1]);
  }
  close(ends[1]);
  enum hm_status status = hear_child(ends[0], limit, out, err);
  close(ends[0]);
  int how = 0;
  while (waitpid(pid, &how, 0) < 0 && errno == EINTR)
    ;
  if (WIFSIGNALED(how)) {
    g_clear_pointer(out, g_bytes_unref);
    return hm_fail(err, HM_DAMAGED,
                   "a page of the store is damaged: its reader ended by signal %d (%s)",
                   WTERMSIG(how), strsignal(WTERMSIG(how)));
  }
  return status;
}

/* ---- our other programs ------------------------------------------------------------------- */
char *cli_program(const char *name)
{
  g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
  if (self) {
    g_autofree char *dir = g_path_get_dirname(self);
    g_autofree char *beside = g_build_filename(dir, name, NULL);
    if (access(beside, X_OK) == 0)
      return g_steal_pointer(&beside);
  }
  char *found = g_find_program_in_path(name);
  return found ? found : g_strdup(name);
}

/* Our programs end with the exit codes of trust/status.h: back to a status of that code. */
static enum hm_status status_of(int code)
{
  static const enum hm_status statuses[] = {
      [1] = HM_BAD_PROOF, [3] = HM_NOT_FOUND, [4] = HM_POLICY,  [5] = HM_UNREACHABLE,
      [6] = HM_MALFORMED, [7] = HM_IO,        [8] = HM_TIMEOUT, [9] = HM_EXISTS};
  bool is_known = code > 0 && code < (int)G_N_ELEMENTS(statuses) && statuses[code] != HM_OK;
  return is_known ? statuses[code] : HM_IO;
}

/* The last line that says something. */
static char *last_line(GBytes *bytes)
{
  size_t len = 0;
  const char *data = bytes ? g_bytes_get_data(bytes, &len) : NULL;
  g_autofree char *text = g_strndup(data ? data : "", MIN(len, (size_t)4096));
  g_strchomp(text);
  const char *line = strrchr(text, '\n');
  return g_strdup(line ? line + 1 : text);
}

enum hm_status cli_run(const char *const *argv, GBytes *in, size_t limit, GBytes **out, int *code,
                       struct hm_error *err)
{
  g_autoptr(GError) error = NULL;
  GSubprocessFlags flags = G_SUBPROCESS_FLAGS_STDERR_PIPE;
  flags |= out ? G_SUBPROCESS_FLAGS_STDOUT_PIPE : G_SUBPROCESS_FLAGS_STDOUT_SILENCE;
  flags |= in ? G_SUBPROCESS_FLAGS_STDIN_PIPE : G_SUBPROCESS_FLAGS_NONE;
  g_autoptr(GSubprocess) process = g_subprocess_newv(argv, flags, &error);
  if (!process)
    return hm_fail(err, HM_NOT_FOUND, "%s: %s", argv[0], error->message);
  g_autoptr(GBytes) said = NULL, wrote = NULL;
  if (!g_subprocess_communicate(process, in, NULL, out ? &wrote : NULL, &said, &error))
    return hm_fail(err, HM_IO, "%s: %s", argv[0], error->message);
  *code = g_subprocess_get_if_exited(process) ? g_subprocess_get_exit_status(process) : 128;
  g_autofree char *line = last_line(said);
  g_autofree char *name = g_path_get_basename(argv[0]);
  if (*code != 0) {
    g_autofree char *prefix = g_strconcat(name, ": ", NULL);
    return hm_fail(err, status_of(*code), "%s: %s", name,
                   g_str_has_prefix(line, prefix) ? line + strlen(prefix)
                                                  : (line[0] ? line : "failed"));
  }
  if (out && g_bytes_get_size(wrote) > limit)
    return hm_fail(err, HM_TOO_LARGE, "%s: wrote %zu bytes, limit %zu", name,
                   g_bytes_get_size(wrote), limit);
  if (out)
    *out = g_steal_pointer(&wrote);
  return HM_OK;
}

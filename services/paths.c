/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- where ------------------------------------------------------------------------- */

static enum hm_status copy_path(char out[HM_FILE_PATH], const char *from, struct hm_error *err)
{
  size_t len = strlen(from);
  if (len >= HM_FILE_PATH)
    return hm_fail(err, HM_TOO_LARGE, "path of %zu bytes: the limit is %d", len, HM_FILE_PATH - 1);
  memcpy(out, from, len + 1);
  return HM_OK;
}

enum hm_status hm_path_join(char out[HM_FILE_PATH], const char *dir, const char *name,
                            struct hm_error *err)
{
  size_t dir_len = strlen(dir);
  size_t name_len = strlen(name);
  if (dir_len + 1 + name_len >= HM_FILE_PATH)
    return hm_fail(err, HM_TOO_LARGE, "path %.40s.../%.40s of %zu bytes: the limit is %d", dir,
                   name, dir_len + 1 + name_len, HM_FILE_PATH - 1);
  memcpy(out, dir, dir_len);
  out[dir_len] = '/';
  memcpy(out + dir_len + 1, name, name_len + 1);
  return HM_OK;
}

enum hm_status hm_socket_path_check(const char *path, struct hm_error *err)
{
  size_t len = strlen(path);
  if (len > HM_SOCKET_PATH_MAX)
    return hm_fail(err, HM_TOO_LARGE,
                   "socket path %s has %zu bytes: the limit is %d; use a shorter --state", path,
                   len, HM_SOCKET_PATH_MAX);
  if (len == 0)
    return hm_fail(err, HM_MALFORMED, "socket path is empty");
  return HM_OK;
}

void hm_paths_of_system(struct hm_paths *out)
{
  static const struct hm_paths system = {true,
                                         "/var/lib/hallmark",
                                         "/etc/hallmark",
                                         "/var/lib/hallmark/store",
                                         "/var/lib/hallmark/keys",
                                         "/var/lib/hallmark/sources",
                                         "/var/lib/hallmark-authority",
                                         "/run/hallmark"};
  *out = system;
}

/* One folder with everything in it. A relative one is made absolute: programs that are
 * started from it may run elsewhere. */
static enum hm_status of_folder(const char *dir, struct hm_paths *out, struct hm_error *err)
{
  memset(out, 0, sizeof *out);
  if (dir[0] == '\0')
    return hm_fail(err, HM_MALFORMED, "--state is empty; give a folder");
  if (dir[0] == '/') {
    HM_TRY(copy_path(out->state, dir, err));
  } else {
    char here[HM_FILE_PATH];
    if (getcwd(here, sizeof here) == NULL)
      return hm_fail_errno(err, HM_IO, errno, "the working folder");
    HM_TRY(hm_path_join(out->state, here, dir, err));
  }
  size_t len = strlen(out->state);
  while (len > 1 && out->state[len - 1] == '/')
    out->state[--len] = '\0';
  HM_TRY(hm_path_join(out->etc, out->state, "etc", err));
  HM_TRY(hm_path_join(out->store, out->state, "store", err));
  HM_TRY(hm_path_join(out->keys, out->state, "keys", err));
  HM_TRY(hm_path_join(out->sources, out->state, "sources", err));
  HM_TRY(hm_path_join(out->authority, out->state, "authority", err));
  return hm_path_join(out->run, out->state, "run", err);
}

enum hm_status hm_paths_of_user(struct hm_paths *out, struct hm_error *err)
{
  char base[HM_FILE_PATH], dir[HM_FILE_PATH];
  const char *xdg = getenv("XDG_STATE_HOME");
  const char *home = getenv("HOME");
  /* The XDG specification has relative paths ignored. */
  if (xdg != NULL && xdg[0] == '/')
    HM_TRY(copy_path(base, xdg, err));
  else if (home != NULL && home[0] == '/')
    HM_TRY(hm_path_join(base, home, ".local/state", err));
  else
    return hm_fail(err, HM_NOT_FOUND, "no state folder: HOME is not set; use --state DIR");
  HM_TRY(hm_path_join(dir, base, "hallmark", err));
  return of_folder(dir, out, err);
}

static bool is_system_user(void)
{
  static const char *const names[] = {"hallmark", "hallmark-media", "hallmark-authority"};
  if (geteuid() == 0)
    return true;
  const struct passwd *user = getpwuid(geteuid());
  for (size_t i = 0; user != NULL && i < sizeof names / sizeof names[0]; i++)
    if (strcmp(user->pw_name, names[i]) == 0)
      return true;
  return false;
}

enum hm_status hm_paths_find(const char *state_flag, struct hm_paths *out, struct hm_error *err)
{
  const char *variable = getenv("HALLMARK_STATE");
  if (state_flag != NULL)
    return of_folder(state_flag, out, err);
  if (variable != NULL && variable[0] != '\0')
    return of_folder(variable, out, err);
  if (is_system_user()) {
    hm_paths_of_system(out);
    return HM_OK;
  }
  return hm_paths_of_user(out, err);
}

/* ---- folders ------------------------------------------------------------------------- */

enum hm_status hm_folder_sync(const char *path, struct hm_error *err)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return hm_fail_errno(err, HM_IO, errno, "%s", path);
  int result = fsync(fd);
  int number = errno;
  (void)close(fd);
  return result == 0 ? HM_OK : hm_fail_errno(err, HM_IO, number, "%s: fsync", path);
}

static enum hm_status sync_parent(const char *path, struct hm_error *err)
{
  char parent[HM_FILE_PATH];
  HM_TRY(copy_path(parent, path, err));
  char *slash = strrchr(parent, '/');
  if (slash == NULL)
    return hm_folder_sync(".", err);
  slash[slash == parent ? 1 : 0] = '\0';
  return hm_folder_sync(parent, err);
}

/* An existing folder must be one; a private one must be ours alone. */
static enum hm_status check_folder(const char *path, mode_t mode, struct hm_error *err)
{
  struct stat s;
  if (stat(path, &s) != 0)
    return hm_fail_errno(err, HM_IO, errno, "%s", path);
  if (!S_ISDIR(s.st_mode))
    return hm_fail(err, HM_EXISTS, "%s is there and is no folder", path);
  if (mode == 0700 && s.st_uid != geteuid())
    return hm_fail(err, HM_DENIED, "%s belongs to uid %u, not to uid %u", path, (unsigned)s.st_uid,
                   (unsigned)geteuid());
  if (mode == 0700 && (s.st_mode & 077) != 0)
    return hm_fail(err, HM_DENIED, "%s has mode %04o, others may enter; run: chmod 0700 %s", path,
                   (unsigned)(s.st_mode & 07777), path);
  return HM_OK;
}

static enum hm_status make_one(const char *path, mode_t mode, bool exactly, struct hm_error *err)
{
  if (mkdir(path, mode) != 0) {
    if (errno == EEXIST)
      return exactly ? check_folder(path, mode, err) : HM_OK;
    return hm_fail_errno(err, errno == EACCES || errno == EPERM ? HM_DENIED : HM_IO, errno, "%s",
                         path);
  }
  if (exactly && chmod(path, mode) != 0)
    return hm_fail_errno(err, HM_IO, errno, "%s: chmod %04o", path, (unsigned)mode);
  return sync_parent(path, err);
}

enum hm_status hm_folder_make(const char *path, mode_t mode, struct hm_error *err)
{
  char part[HM_FILE_PATH];
  HM_TRY(copy_path(part, path, err));
  for (char *at = part + 1; part[0] != '\0' && *at != '\0'; at++) {
    if (*at != '/')
      continue;
    *at = '\0';
    HM_TRY(make_one(part, 0755, false, err));
    *at = '/';
  }
  return make_one(path, mode, true, err);
}

enum hm_status hm_paths_make(const struct hm_paths *paths, struct hm_error *err)
{
  static const struct {
    size_t base;
    const char *below; /* NULL: the folder itself */
    mode_t mode;
  } rows[] = {
      {offsetof(struct hm_paths, state), NULL, 0750},
      {offsetof(struct hm_paths, etc), NULL, 0755},
      {offsetof(struct hm_paths, etc), "conf.d", 0755},
      {offsetof(struct hm_paths, etc), "trust.d", 0755},
      {offsetof(struct hm_paths, keys), NULL, 0700},
      {offsetof(struct hm_paths, sources), NULL, 0700},
      {offsetof(struct hm_paths, run), NULL, 0755},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const char *base = (const char *)paths + rows[i].base;
    char path[HM_FILE_PATH];
    if (rows[i].below == NULL)
      HM_TRY(copy_path(path, base, err));
    else
      HM_TRY(hm_path_join(path, base, rows[i].below, err));
    HM_TRY(hm_folder_make(path, rows[i].mode, err));
  }
  return HM_OK;
}

/* ---- files ----------------------------------------------------------------------------- */

static enum hm_status io_status(int number)
{
  switch (number) {
  case EACCES:
  case EPERM:
  case EROFS:
    return HM_DENIED;
  case ENOENT:
  case ENOTDIR:
    return HM_NOT_FOUND;
  case ENOSPC:
  case EDQUOT:
    return HM_FULL;
  default:
    return HM_IO;
  }
}

static enum hm_status write_all(int fd, struct hm_bytes content, mode_t mode, const char *path,
                                struct hm_error *err)
{
  size_t at = 0;
  while (at < content.len) {
    ssize_t n = write(fd, content.data + at, content.len - at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return hm_fail_errno(err, io_status(errno), errno, "%s", path);
    at += (size_t)n;
  }
  if (fchmod(fd, mode) != 0 || fsync(fd) != 0)
    return hm_fail_errno(err, io_status(errno), errno, "%s", path);
  return HM_OK;
}

/* The temporary file is made anew each time: what an earlier crash left is removed. */
static enum hm_status write_temporary(const char *temporary, struct hm_bytes content, mode_t mode,
                                      struct hm_error *err)
{
  (void)unlink(temporary);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0)
    return hm_fail_errno(err, io_status(errno), errno, "%s", temporary);
  enum hm_status status = write_all(fd, content, mode, temporary, err);
  if (close(fd) != 0 && status == HM_OK)
    status = hm_fail_errno(err, io_status(errno), errno, "%s", temporary);
  if (status != HM_OK)
    (void)unlink(temporary);
  return status;
}

static enum hm_status temporary_name(char out[HM_FILE_PATH], const char *path, struct hm_error *err)
{
  size_t len = strlen(path);
  if (len + sizeof ".tmp" > HM_FILE_PATH)
    return hm_fail(err, HM_TOO_LARGE, "path of %zu bytes: the limit is %d", len, HM_FILE_PATH - 5);
  memcpy(out, path, len);
  memcpy(out + len, ".tmp", sizeof ".tmp");
  return HM_OK;
}

enum hm_status hm_file_write(const char *path, struct hm_bytes content, mode_t mode,
                             struct hm_error *err)
{
  char temporary[HM_FILE_PATH];
  HM_TRY(temporary_name(temporary, path, err));
  HM_TRY(write_temporary(temporary, content, mode, err));
  if (rename(temporary, path) != 0) {
    int number = errno;
    (void)unlink(temporary);
    return hm_fail_errno(err, io_status(number), number, "%s", path);
  }
  return sync_parent(path, err);
}

enum hm_status hm_file_create(const char *path, struct hm_bytes content, mode_t mode,
                              struct hm_error *err)
{
  char temporary[HM_FILE_PATH];
  HM_TRY(temporary_name(temporary, path, err));
  HM_TRY(write_temporary(temporary, content, mode, err));
  /* link, not rename: it refuses to replace, in one step. */
  int result = link(temporary, path);
  int number = errno;
  (void)unlink(temporary);
  if (result != 0 && number == EEXIST)
    return hm_fail(err, HM_EXISTS, "%s is already there", path);
  if (result != 0)
    return hm_fail_errno(err, io_status(number), number, "%s", path);
  return sync_parent(path, err);
}

static enum hm_status read_open(int fd, const char *path, uint8_t *data, size_t cap, size_t *len,
                                struct hm_error *err)
{
  struct stat s;
  if (fstat(fd, &s) != 0)
    return hm_fail_errno(err, HM_IO, errno, "%s", path);
  if (!S_ISREG(s.st_mode))
    return hm_fail(err, HM_WRONG_TYPE, "%s is no regular file", path);
  if (s.st_size < 0 || (uint64_t)s.st_size > cap)
    return hm_fail(err, HM_TOO_LARGE, "%s has %lld bytes: the limit is %zu", path,
                   (long long)s.st_size, cap);
  size_t at = 0;
  while (at < cap) {
    ssize_t n = read(fd, data + at, cap - at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return hm_fail_errno(err, HM_IO, errno, "%s", path);
    if (n == 0)
      break;
    at += (size_t)n;
  }
  *len = at;
  return HM_OK;
}

enum hm_status hm_file_read(const char *path, uint8_t *data, size_t cap, size_t *len,
                            struct hm_error *err)
{
  *len = 0;
  /* O_NONBLOCK: opening a FIFO must not wait for its writer. */
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return hm_fail_errno(err, io_status(errno), errno, "%s", path);
  enum hm_status status = read_open(fd, path, data, cap, len, err);
  (void)close(fd);
  return status;
}

/* ---- the process ---------------------------------------------------------------------------- */

void hm_process_start(bool holds_keys)
{
  (void)umask(027);
  (void)signal(SIGPIPE, SIG_IGN);
  /* a core would hold keys, or a source string with a camera's password */
  const struct rlimit none = {0, 0};
  (void)setrlimit(RLIMIT_CORE, &none);
  if (holds_keys)
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Folders that appear whole: made under another name, synced, renamed, and the
 * folder above synced, since neither rename nor LMDB does that.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory/env.h"

int hm_regular_open(int folder, const char *name, int flags)
{
  struct stat what;
  int fd = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
  if (fd < 0)
    return -1;
  if (fstat(fd, &what) == 0 && S_ISREG(what.st_mode))
    return fd;
  close(fd);
  errno = EINVAL;
  return -1;
}

enum hm_status hm_dir_sync(const char *path, struct hm_fault *fault)
{
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return hm_fault_set(fault, HM_IO, errno, "%s: cannot open the folder: %s", path,
                        strerror(errno));
  int failed = fsync(fd) ? errno : 0;
  close(fd);
  if (failed)
    return hm_fault_set(fault, HM_IO, failed, "%s: cannot sync the folder: %s", path,
                        strerror(failed));
  return HM_OK;
}

enum hm_status hm_dir_make(const char *path, struct hm_fault *fault)
{
  if (mkdir(path, 0750) && errno != EEXIST)
    return hm_fault_set(fault, errno == ENOSPC ? HM_FULL : HM_IO, errno,
                        "%s: cannot make the folder: %s", path, strerror(errno));
  return HM_OK;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
  (void)st;
  (void)type;
  (void)where;
  return remove(path);
}

enum hm_status hm_folder_remove(const char *path, struct hm_fault *fault)
{
  if (nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS) && errno != ENOENT)
    return hm_fault_set(fault, HM_IO, errno, "%s: cannot remove it: %s", path, strerror(errno));
  return HM_OK;
}

enum hm_status hm_folder_rename(const char *from, const char *to, struct hm_fault *fault)
{
  if (rename(from, to))
    return hm_fault_set(fault, errno == EEXIST || errno == ENOTEMPTY ? HM_EXISTS : HM_IO, errno,
                        "%s: cannot rename to %s: %s", from, to, strerror(errno));
  char above[4096];
  int n = snprintf(above, sizeof above, "%s", to);
  if (n < 0 || (size_t)n >= sizeof above)
    return hm_fault_set(fault, HM_TOO_LARGE, 0, "%s: path of over 4095 bytes", to);
  while (n > 1 && above[n - 1] == '/')
    above[--n] = 0;
  char *slash = strrchr(above, '/');
  if (!slash)
    snprintf(above, sizeof above, ".");
  else if (slash == above)
    above[1] = 0;
  else
    *slash = 0;
  return hm_dir_sync(above, fault);
}

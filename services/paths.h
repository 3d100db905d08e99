/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Where things lie, and how files are written.
 *
 *             the system's                  one folder (--state DIR, HALLMARK_STATE,
 *                                           ${XDG_STATE_HOME:-~/.local/state}/hallmark)
 *   etc       /etc/hallmark                 DIR/etc
 *   store     /var/lib/hallmark/store       DIR/store
 *   keys      /var/lib/hallmark/keys        DIR/keys        0700
 *   sources   /var/lib/hallmark/sources     DIR/sources     0700
 *   authority /var/lib/hallmark-authority   DIR/authority   0700
 *   run       /run/hallmark                 DIR/run
 *
 * Without --state and HALLMARK_STATE the system's paths are those of root and of the
 * users hallmark, hallmark-media and hallmark-authority.
 *
 * Every file is written as X.tmp, fsync, rename, fsync of its folder: a reader sees
 * the old one or the new one, also after power loss.
 */
#ifndef HM_SERVICES_PATHS_H
#define HM_SERVICES_PATHS_H

#include <sys/types.h>

#include "services/message.h"
#include "trust/bytes.h"

enum {
  HM_FILE_PATH = 1024,     /* bytes of a path of ours, with its NUL */
  HM_SOCKET_PATH_MAX = 107 /* bytes of sun_path without its NUL */
};

struct hm_paths {
  bool is_system;
  char state[HM_FILE_PATH]; /* DIR; of the system's paths /var/lib/hallmark */
  char etc[HM_FILE_PATH];
  char store[HM_FILE_PATH];
  char keys[HM_FILE_PATH];
  char sources[HM_FILE_PATH];
  char authority[HM_FILE_PATH];
  char run[HM_FILE_PATH];
};

/* The rule above. state_flag is the value of --state or NULL. Creates nothing. */
enum hm_status HM_MUST_CHECK hm_paths_find(const char *state_flag, struct hm_paths *out,
                                           struct hm_error *err);
/* The user's own state folder, whoever runs; for the CLI's search. HM_NOT_FOUND where
 * neither XDG_STATE_HOME nor HOME is usable. */
enum hm_status HM_MUST_CHECK hm_paths_of_user(struct hm_paths *out, struct hm_error *err);
void hm_paths_of_system(struct hm_paths *out);
/* Create what hallmarkd needs: state, etc, etc/trust.d, etc/conf.d, keys, sources, run
 * (not store, not authority: their owners make them). Existing folders keep their
 * mode, but keys and sources must not be open to others (HM_DENIED). */
enum hm_status HM_MUST_CHECK hm_paths_make(const struct hm_paths *paths, struct hm_error *err);

/* dir "/" name; HM_TOO_LARGE with the limit in the text. */
enum hm_status HM_MUST_CHECK hm_path_join(char out[HM_FILE_PATH], const char *dir, const char *name,
                                          struct hm_error *err);
/* HM_TOO_LARGE where a socket cannot be bound to the path: 107 bytes at most. */
enum hm_status HM_MUST_CHECK hm_socket_path_check(const char *path, struct hm_error *err);

/* Create a folder and those above it; an existing one is fine. A new one has exactly
 * `mode`; those above it 0755 less umask. A private one (mode 0700) that exists must
 * be a folder of ours without rights for group and others: HM_DENIED. */
enum hm_status HM_MUST_CHECK hm_folder_make(const char *path, mode_t mode, struct hm_error *err);
/* fsync of a folder. */
enum hm_status HM_MUST_CHECK hm_folder_sync(const char *path, struct hm_error *err);

/* Write a whole file, atomically and durably, replacing an older one. */
enum hm_status HM_MUST_CHECK hm_file_write(const char *path, struct hm_bytes content, mode_t mode,
                                           struct hm_error *err);
/* The same, but HM_EXISTS where the file is there already (nobody can win a race). */
enum hm_status HM_MUST_CHECK hm_file_create(const char *path, struct hm_bytes content, mode_t mode,
                                            struct hm_error *err);
/* Read a whole regular file of at most cap bytes: HM_NOT_FOUND, HM_TOO_LARGE,
 * HM_DENIED, HM_WRONG_TYPE (a device, a folder), HM_IO. */
enum hm_status HM_MUST_CHECK hm_file_read(const char *path, uint8_t *data, size_t cap, size_t *len,
                                          struct hm_error *err);

/* ---- the process ------------------------------------------------------------------ */
/* First call of every program of ours: umask 027, SIGPIPE ignored, RLIMIT_CORE 0; where it
 * holds keys also PR_SET_DUMPABLE 0 (no ptrace by the same user). */
void hm_process_start(bool holds_keys);

#endif

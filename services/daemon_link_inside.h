/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the two files of the authority's side share: the connection (daemon_link.c)
 * and its log, followed (daemon_follow.c).
 */
#ifndef HM_SERVICES_DAEMON_LINK_INSIDE_H
#define HM_SERVICES_DAEMON_LINK_INSIDE_H

#include "services/daemon_link.h"

struct hm_link {
  struct hm_core *core;
  char path[HM_FILE_PATH], kept[HM_FILE_PATH];
  int fd;
  guint readable, timeout, retry, pump;
  GQueue questions; /* the head is under way iff is_asked */
  bool is_asked;
  uint64_t second; /* of boottime, and how many were asked in it */
  unsigned asked;
  uint64_t hello_sent_ns, hello_ns; /* boottime; of the newest that was answered */
  uint8_t nonce[16];
  struct hm_held held;
  GQueue syncs; /* struct sync; the head runs, so no revocation is taken in twice */
  uint64_t heard_s, heard_revocations;
  uint8_t in[HM_AUTH_MESSAGE_MAX];
};

/* The newest checkpoint kept on disk, if there is one. */
enum hm_status HM_MUST_CHECK hm_link_load_held(struct hm_link *link, struct hm_error *err);

#endif

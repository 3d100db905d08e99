/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The mode of the socket keeps most people out; what decides is the kernel's word on
 * the peer: its uid, and all its groups (SO_PEERCRED knows the primary one only).
 */
#include <errno.h>
#include <grp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "services/daemon_api.h"

static bool find_group(const char *name, gid_t *gid)
{
  char buffer[4096];
  struct group group, *found = NULL;
  if (getgrnam_r(name, &group, buffer, sizeof buffer, &found) != 0 || !found)
    return false;
  *gid = found->gr_gid;
  return true;
}

static bool is_member(const gid_t *groups, size_t count, const char *name)
{
  gid_t gid = 0;
  if (!find_group(name, &gid))
    return false;
  for (size_t i = 0; i < count; i++)
    if (groups[i] == gid)
      return true;
  return false;
}

enum hm_status hm_api_peer_of(int fd, struct hm_api_peer *peer)
{
  struct ucred cred;
  socklen_t len = sizeof cred;
  gid_t groups[HM_API_GROUPS_MAX + 1];
  peer->right = HM_API_NONE;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
    return HM_DENIED;
  peer->uid = cred.uid;
  peer->pid = cred.pid;
  if (cred.uid == 0 || cred.uid == geteuid()) {
    peer->right = HM_API_ADMIN;
    return HM_OK;
  }
  len = sizeof groups - sizeof groups[0];
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) != 0)
    len = 0; /* more groups than are looked at: only the primary one counts */
  size_t count = len / sizeof groups[0];
  groups[count++] = cred.gid;
  if (is_member(groups, count, "hallmark-admin"))
    peer->right = HM_API_ADMIN;
  else if (is_member(groups, count, "hallmark"))
    peer->right = HM_API_READ;
  return HM_OK;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/packet_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 64, FIRST_INHERITED = 3 };

/* ---- listening and connecting ------------------------------------------------------ */

static enum hm_status address_of(const char *path, struct sockaddr_un *address,
                                 struct hm_error *err)
{
  HM_TRY(hm_socket_path_check(path, err));
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, strlen(path));
  return HM_OK;
}

/* Does anybody listen there? A socket file whose owner died answers ECONNREFUSED. */
static bool is_stale(const struct sockaddr_un *address, int type)
{
  struct stat s;
  if (lstat(address->sun_path, &s) != 0 || !S_ISSOCK(s.st_mode))
    return false;
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0)
    return false;
  int result = connect(fd, (const struct sockaddr *)address, sizeof *address);
  bool refused = result != 0 && errno == ECONNREFUSED;
  (void)close(fd);
  return refused;
}

static enum hm_status bind_path(int fd, const struct sockaddr_un *address, int type,
                                struct hm_error *err)
{
  for (int attempt = 0; attempt < 2; attempt++) {
    /* Nobody may connect before mode and group are right. */
    mode_t old = umask(0177);
    int result = bind(fd, (const struct sockaddr *)address, sizeof *address);
    int number = errno;
    (void)umask(old);
    if (result == 0)
      return HM_OK;
    if (number != EADDRINUSE)
      return hm_fail_errno(err, number == EACCES ? HM_DENIED : HM_IO, number, "socket %s",
                           address->sun_path);
    if (attempt > 0 || !is_stale(address, type))
      break;
    (void)unlink(address->sun_path);
  }
  return hm_fail(err, HM_EXISTS, "socket %s: another process listens there", address->sun_path);
}

static enum hm_status listen_on(const char *path, int type, mode_t mode, const char *group, int *fd,
                                struct hm_error *err)
{
  struct sockaddr_un address;
  HM_TRY(address_of(path, &address, err));
  int s = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (s < 0)
    return hm_fail_errno(err, HM_IO, errno, "socket %s", path);
  enum hm_status status = bind_path(s, &address, type, err);
  if (status != HM_OK) {
    (void)close(s);
    return status;
  }
  gid_t gid;
  /* Without the group (no packaged users) the mode alone decides. */
  if (group != NULL && hm_group_id(group, &gid) == HM_OK)
    (void)!chown(path, (uid_t)-1, gid);
  if (chmod(path, mode) != 0 || listen(s, BACKLOG) != 0) {
    int number = errno;
    (void)close(s);
    (void)unlink(path);
    return hm_fail_errno(err, HM_IO, number, "socket %s", path);
  }
  *fd = s;
  return HM_OK;
}

enum hm_status hm_packet_listen(const char *path, mode_t mode, const char *group, int *fd,
                                struct hm_error *err)
{
  return listen_on(path, SOCK_SEQPACKET, mode, group, fd, err);
}

enum hm_status hm_stream_listen(const char *path, mode_t mode, const char *group, int *fd,
                                struct hm_error *err)
{
  return listen_on(path, SOCK_STREAM, mode, group, fd, err);
}

enum hm_status hm_packet_inherited(int *fd, struct hm_error *err)
{
  const char *pid = getenv("LISTEN_PID");
  const char *fds = getenv("LISTEN_FDS");
  char own[24];
  (void)snprintf(own, sizeof own, "%ld", (long)getpid());
  bool ours = pid != NULL && fds != NULL && strcmp(pid, own) == 0 && strcmp(fds, "1") == 0;
  (void)unsetenv("LISTEN_PID");
  (void)unsetenv("LISTEN_FDS");
  (void)unsetenv("LISTEN_FDNAMES");
  if (!ours)
    return HM_NOT_FOUND;
  int type = 0;
  socklen_t len = sizeof type;
  if (getsockopt(FIRST_INHERITED, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_SEQPACKET)
    return hm_fail(err, HM_WRONG_TYPE,
                   "the socket handed in is no SOCK_SEQPACKET; its unit needs "
                   "ListenSequentialPacket=");
  int flags = fcntl(FIRST_INHERITED, F_GETFL);
  if (flags < 0 || fcntl(FIRST_INHERITED, F_SETFL, flags | O_NONBLOCK) != 0 ||
      fcntl(FIRST_INHERITED, F_SETFD, FD_CLOEXEC) != 0)
    return hm_fail_errno(err, HM_IO, errno, "the socket handed in");
  *fd = FIRST_INHERITED;
  return HM_OK;
}

enum hm_status hm_packet_connect(const char *path, int *fd, struct hm_error *err)
{
  struct sockaddr_un address;
  HM_TRY(address_of(path, &address, err));
  int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (s < 0)
    return hm_fail_errno(err, HM_IO, errno, "socket %s", path);
  if (connect(s, (const struct sockaddr *)&address, sizeof address) != 0) {
    int number = errno;
    (void)close(s);
    return hm_fail_errno(err, number == EACCES ? HM_DENIED : HM_UNREACHABLE, number, "socket %s",
                         path);
  }
  *fd = s;
  return HM_OK;
}

/* ---- peers ----------------------------------------------------------------------------- */

enum hm_status hm_peer_of(int fd, struct hm_peer *peer, struct hm_error *err)
{
  memset(peer, 0, sizeof *peer);
  struct ucred who;
  socklen_t len = sizeof who;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) != 0)
    return hm_fail_errno(err, HM_IO, errno, "peer credentials");
  peer->pid = who.pid;
  peer->uid = who.uid;
  peer->gid = who.gid;
  /* A peer in more groups than there is room for is seen with its primary one only:
   * fewer rights, never more. */
  len = sizeof peer->groups;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, peer->groups, &len) == 0)
    peer->group_count = len / sizeof peer->groups[0];
  return HM_OK;
}

enum hm_status hm_packet_accept(int listener, int *fd, struct hm_peer *peer, struct hm_error *err)
{
  int s = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (s < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
      return HM_NOT_FOUND;
    return hm_fail_errno(err, HM_IO, errno, "accept");
  }
  enum hm_status status = hm_peer_of(s, peer, err);
  if (status != HM_OK) {
    (void)close(s);
    return status;
  }
  *fd = s;
  return HM_OK;
}

bool hm_peer_in_group(const struct hm_peer *peer, gid_t group)
{
  if (peer->gid == group)
    return true;
  for (size_t i = 0; i < peer->group_count; i++)
    if (peer->groups[i] == group)
      return true;
  return false;
}

enum hm_status hm_user_id(const char *name, uid_t *uid)
{
  struct passwd entry, *found = NULL;
  char buffer[4096];
  if (getpwnam_r(name, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
    return HM_NOT_FOUND;
  *uid = found->pw_uid;
  return HM_OK;
}

enum hm_status hm_group_id(const char *name, gid_t *gid)
{
  struct group entry, *found = NULL;
  char buffer[16384];
  if (getgrnam_r(name, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
    return HM_NOT_FOUND;
  *gid = found->gr_gid;
  return HM_OK;
}

/* ---- packets ------------------------------------------------------------------------------ */

enum hm_status hm_packet_send(int fd, struct hm_bytes packet)
{
  ssize_t n;
  do
    n = send(fd, packet.data, packet.len, MSG_DONTWAIT | MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  if (n >= 0)
    return HM_OK;
  switch (errno) {
  case EAGAIN:
  case ENOBUFS:
    return HM_FULL;
  case EPIPE:
  case ECONNRESET:
  case ENOTCONN:
    return HM_UNREACHABLE;
  case EMSGSIZE:
    return HM_TOO_LARGE;
  default:
    return HM_IO;
  }
}

enum hm_status hm_packet_receive(int fd, uint8_t *data, size_t cap, size_t *len)
{
  *len = 0;
  ssize_t n;
  int resets = 0;
  /* With MSG_TRUNC the real length comes back, also of a packet that did not fit. A peer
   * that closed over unread packets shows as one ECONNRESET before what it had sent. */
  do
    n = recv(fd, data, cap, MSG_DONTWAIT | MSG_TRUNC);
  while (n < 0 && (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
  if (n < 0)
    return errno == EAGAIN ? HM_NOT_FOUND : errno == ECONNRESET ? HM_UNREACHABLE : HM_IO;
  if (n == 0)
    return HM_UNREACHABLE;
  if ((size_t)n > cap)
    return HM_TOO_LARGE;
  *len = (size_t)n;
  return HM_OK;
}

enum hm_status hm_packet_wait(int fd, bool writable, int timeout_ms)
{
  struct pollfd p = {fd, (short)(writable ? POLLOUT : POLLIN), 0};
  int n;
  do
    n = poll(&p, 1, timeout_ms);
  while (n < 0 && errno == EINTR);
  if (n < 0)
    return HM_IO;
  return n == 0 ? HM_TIMEOUT : HM_OK;
}

/* ---- admission --------------------------------------------------------------------------------
 */

enum hm_status hm_admission_enter(struct hm_admission *a, uid_t uid)
{
  size_t i = 0;
  while (i < a->user_count && a->users[i].uid != uid)
    i++;
  bool is_known = i < a->user_count;
  bool has_room = is_known ? a->users[i].count < a->most_of_user
                           : i < HM_ADMISSION_USERS && a->most_of_user > 0;
  if (a->count >= a->most || !has_room) {
    a->refused++;
    return HM_FULL;
  }
  if (!is_known) {
    a->users[i].uid = uid;
    a->users[i].count = 0;
    a->user_count++;
  }
  a->users[i].count++;
  a->count++;
  return HM_OK;
}

void hm_admission_leave(struct hm_admission *a, uid_t uid)
{
  for (size_t i = 0; i < a->user_count; i++) {
    if (a->users[i].uid != uid || a->users[i].count == 0)
      continue;
    a->count--;
    if (--a->users[i].count == 0)
      a->users[i] = a->users[--a->user_count];
    return;
  }
}

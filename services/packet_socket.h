/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Local packet sockets: AF_UNIX, SOCK_SEQPACKET, always CLOEXEC and non-blocking. A
 * packet is one message; nothing is ever split or joined. The kernel says who the peer
 * is (SO_PEERCRED, SO_PEERGROUPS); what a peer says of itself is never asked.
 */
#ifndef HM_SERVICES_PACKET_SOCKET_H
#define HM_SERVICES_PACKET_SOCKET_H

#include <sys/types.h>

#include "services/paths.h"

enum { HM_PEER_GROUPS = 64 };

struct hm_peer {
  pid_t pid;
  uid_t uid;
  gid_t gid;
  size_t group_count; /* supplementary groups, as far as there is room */
  gid_t groups[HM_PEER_GROUPS];
};

/* Listen at path with this mode; group (a name) becomes its group where it exists and
 * we may. A stale socket file is replaced; where another process listens: HM_EXISTS. */
enum hm_status HM_MUST_CHECK hm_packet_listen(const char *path, mode_t mode, const char *group,
                                              int *fd, struct hm_error *err);
/* The same for a byte stream (SOCK_STREAM: the API's HTTP). */
enum hm_status HM_MUST_CHECK hm_stream_listen(const char *path, mode_t mode, const char *group,
                                              int *fd, struct hm_error *err);
/* A listening socket handed in by systemd (LISTEN_FDS, LISTEN_PID); HM_NOT_FOUND where
 * there is none. The variables are taken out of the environment. */
enum hm_status HM_MUST_CHECK hm_packet_inherited(int *fd, struct hm_error *err);
/* Connect; HM_UNREACHABLE (path and errno in the text), HM_DENIED. */
enum hm_status HM_MUST_CHECK hm_packet_connect(const char *path, int *fd, struct hm_error *err);
/* Take one waiting connection and learn who it is. HM_NOT_FOUND: none waits. */
enum hm_status HM_MUST_CHECK hm_packet_accept(int listener, int *fd, struct hm_peer *peer,
                                              struct hm_error *err);
/* Who is at the other end. */
enum hm_status HM_MUST_CHECK hm_peer_of(int fd, struct hm_peer *peer, struct hm_error *err);
bool hm_peer_in_group(const struct hm_peer *peer, gid_t group);
/* The ids of a user or a group by name; HM_NOT_FOUND. */
enum hm_status HM_MUST_CHECK hm_user_id(const char *name, uid_t *uid);
enum hm_status HM_MUST_CHECK hm_group_id(const char *name, gid_t *gid);

/* Send one packet, never blocking. HM_FULL: the peer does not read (EAGAIN);
 * HM_UNREACHABLE: it is gone; HM_TOO_LARGE; HM_IO. */
enum hm_status HM_MUST_CHECK hm_packet_send(int fd, struct hm_bytes packet);
/* Receive one packet, never blocking. HM_NOT_FOUND: nothing waits; HM_UNREACHABLE: the
 * peer closed; HM_TOO_LARGE: the packet was longer than cap (it is gone). */
enum hm_status HM_MUST_CHECK hm_packet_receive(int fd, uint8_t *data, size_t cap, size_t *len);
/* Wait until fd is readable (or writable). HM_TIMEOUT, HM_IO. */
enum hm_status HM_MUST_CHECK hm_packet_wait(int fd, bool writable, int timeout_ms);

/* ---- admission: how many connections, and how many of one user ----------------------- */
enum { HM_ADMISSION_USERS = 64 };
struct hm_admission {
  unsigned most, most_of_user; /* limits, set once */
  unsigned count;
  size_t user_count;
  struct {
    uid_t uid;
    unsigned count;
  } users[HM_ADMISSION_USERS];
  uint64_t refused;
};
/* HM_OK and counted in, or HM_FULL. */
enum hm_status HM_MUST_CHECK hm_admission_enter(struct hm_admission *a, uid_t uid);
void hm_admission_leave(struct hm_admission *a, uid_t uid);

#endif

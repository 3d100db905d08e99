/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A packet is read into one byte more than the limit, so a longer one shows as
 * such instead of as its first 64 KiB.
 */
#include "sensors/gate_link.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void hm_gate_link_init(struct hm_gate_link *link)
{
  memset(link, 0, sizeof *link);
  link->fd = -1;
}

void hm_gate_link_close(struct hm_gate_link *link)
{
  if (link->fd >= 0)
    close(link->fd);
  link->fd = -1;
}

void hm_gate_link_finish(struct hm_gate_link *link, int ms)
{
  struct pollfd polled = {link->fd, POLLIN, 0};

  if (link->fd >= 0 && shutdown(link->fd, SHUT_WR) == 0)
    for (int waited = 0; waited < ms; waited += 10) {
      ssize_t got;

      if (poll(&polled, 1, 10) <= 0)
        continue;
      do
        got = recv(link->fd, link->packet, sizeof link->packet, MSG_DONTWAIT);
      while (got > 0);
      if (got == 0 || errno != EAGAIN)
        break;
    }
  hm_gate_link_close(link);
}

static enum hm_status of_errno(int number)
{
  switch (number) {
  case EAGAIN:
    return HM_FULL;
  case EACCES:
  case EPERM:
    return HM_DENIED;
  case EMFILE:
  case ENFILE:
  case ENOMEM:
  case ENOBUFS:
    return HM_FULL;
  default:
    return HM_UNREACHABLE;
  }
}

static enum hm_status open_at(struct hm_gate_link *link, const char *path)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strnlen(path, sizeof address.sun_path);

  if (length > HM_GATE_PATH)
    return HM_TOO_LARGE;
  memcpy(address.sun_path, path, length + 1);
  link->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (link->fd < 0)
    return of_errno(errno);
  if (connect(link->fd, (const struct sockaddr *)&address, sizeof address) != 0)
    return of_errno(errno);
  return HM_OK;
}

enum hm_status hm_gate_link_open(struct hm_gate_link *link, const char *path,
                                 enum hm_gate_role role, const char *sensor)
{
  struct hm_gate_message hello = {.kind = HM_GATE_HELLO};
  enum hm_status status;

  hm_gate_link_close(link);
  hello.u.hello.version = HM_GATE_VERSION;
  hello.u.hello.role = role;
  hello.u.hello.sensor = hm_bytes(sensor, strlen(sensor));
  status = open_at(link, path);
  if (status == HM_OK)
    status = hm_gate_link_say(link, &hello);
  if (status != HM_OK)
    hm_gate_link_close(link);
  return status;
}

enum hm_status hm_gate_link_say(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  uint8_t packet[8192]; /* an OBSERVE with the built-in encoder is 3.6 KiB */
  struct hm_out out = hm_out(packet, sizeof packet);
  enum hm_status status = hm_gate_encode(m, &out, NULL);

  if (link->fd < 0)
    return HM_UNREACHABLE;
  if (status == HM_SHORT_BUFFER) {
    out = hm_out(link->packet, sizeof link->packet);
    status = hm_gate_encode(m, &out, NULL);
  }
  HM_TRY(status);
  if (send(link->fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
    return of_errno(errno);
  return HM_OK;
}

enum hm_status hm_gate_link_hear(struct hm_gate_link *link, struct hm_gate_message *m)
{
  ssize_t got;
  int tries = 4;

  if (link->fd < 0)
    return HM_UNREACHABLE;
  /* ECONNRESET is told once, before the peer's last packets, which are still there */
  do
    got = recv(link->fd, link->packet, sizeof link->packet, MSG_DONTWAIT);
  while (got < 0 && (errno == EINTR || errno == ECONNRESET) && --tries > 0);
  if (got < 0 && errno == EAGAIN)
    return HM_NOT_FOUND;
  if (got <= 0)
    return HM_UNREACHABLE;
  return hm_gate_decode(hm_bytes(link->packet, (size_t)got), m, NULL);
}

uint32_t hm_gate_retry_ms(uint32_t last_ms)
{
  if (last_ms == 0)
    return HM_GATE_RETRY_FIRST_MS;
  return last_ms * 2 < HM_GATE_RETRY_MOST_MS ? last_ms * 2 : HM_GATE_RETRY_MOST_MS;
}

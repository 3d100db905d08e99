/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/notify.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void hm_notify(const char *state)
{
  const char *path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path == NULL || (path[0] != '/' && path[0] != '@'))
    return;
  size_t len = strlen(path);
  if (len >= sizeof address.sun_path)
    return;
  memcpy(address.sun_path, path, len);
  if (path[0] == '@')
    address.sun_path[0] = '\0'; /* the abstract namespace */
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
  (void)sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
  (void)close(fd);
}

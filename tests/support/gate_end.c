/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/gate_end.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void must(bool is_so, const char *what)
{
  if (is_so)
    return;
  perror(what);
  exit(99);
}

static int64_t now_ms(void)
{
  struct timespec t;

  must(clock_gettime(CLOCK_MONOTONIC, &t) == 0, "clock");
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_readable(int fd, int ms)
{
  struct pollfd polled = {fd, POLLIN, 0};

  return poll(&polled, 1, ms) == 1;
}

void gate_end_listen(struct gate_end *end)
{
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  memset(end, 0, sizeof *end);
  snprintf(end->folder, sizeof end->folder, "/tmp/gate-end-XXXXXX");
  must(mkdtemp(end->folder) != NULL, "mkdtemp");
  snprintf(end->path, sizeof end->path, "%s/gate.sock", end->folder);
  memcpy(address.sun_path, end->path, strlen(end->path) + 1);
  end->fd = -1;
  end->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  must(bind(end->listener, (const struct sockaddr *)&address, sizeof address) == 0, "bind");
  must(listen(end->listener, 8) == 0, "listen");
}

void gate_end_hang_up(struct gate_end *end)
{
  if (end->fd >= 0)
    close(end->fd);
  end->fd = -1;
}

void gate_end_close(struct gate_end *end)
{
  gate_end_hang_up(end);
  close(end->listener);
  unlink(end->path);
  rmdir(end->folder);
}

bool gate_end_take(struct gate_end *listening, struct gate_end *end, int ms)
{
  if (!is_readable(listening->listener, ms))
    return false;
  end->fd = accept4(listening->listener, NULL, NULL, SOCK_CLOEXEC);
  return end->fd >= 0 && gate_end_hear(end, 2000) == HM_GATE_HELLO;
}

bool gate_end_greet(struct gate_end *end, int ms)
{
  gate_end_hang_up(end);
  return gate_end_take(end, end, ms);
}

bool gate_end_accept(struct gate_end *end, int ms)
{
  struct hm_gate_message ack = {.kind = HM_GATE_ACK};

  return gate_end_greet(end, ms) && gate_end_say(end, &ack);
}

int gate_end_hear(struct gate_end *end, int ms)
{
  ssize_t got;

  if (end->fd < 0)
    return GATE_END_GONE;
  if (!is_readable(end->fd, ms))
    return GATE_END_NOTHING;
  got = recv(end->fd, end->packet, sizeof end->packet, 0);
  if (got <= 0)
    return GATE_END_GONE;
  if (hm_gate_decode(hm_bytes(end->packet, (size_t)got), &end->in, NULL) != HM_OK)
    return GATE_END_BROKEN;
  return (int)end->in.kind;
}

bool gate_end_hear_kind(struct gate_end *end, enum hm_gate_kind kind, int ms)
{
  int64_t until = now_ms() + ms;

  for (;;) {
    int64_t left = until - now_ms();
    int heard = gate_end_hear(end, left > 0 ? (int)left : 0);

    if (heard == (int)kind)
      return true;
    if (heard <= 0)
      return false;
  }
}

bool gate_end_say_raw(struct gate_end *end, const void *data, size_t len)
{
  return send(end->fd, data, len, MSG_NOSIGNAL) == (ssize_t)len;
}

bool gate_end_say(struct gate_end *end, const struct hm_gate_message *m)
{
  static uint8_t packet[HM_GATE_PACKET];
  struct hm_out out = hm_out(packet, sizeof packet);

  return hm_gate_encode(m, &out, NULL) == HM_OK && gate_end_say_raw(end, packet, out.len);
}

bool gate_end_grant(struct gate_end *end, const uint8_t nonce[HM_NONCE], const uint16_t *contexts,
                    uint32_t count, enum hm_gate_reason reason)
{
  struct hm_gate_message m = {.kind = HM_GATE_GRANT};

  memcpy(m.u.grant.nonce, nonce, HM_NONCE);
  m.u.grant.count = count;
  m.u.grant.reason = reason;
  for (uint32_t i = 0; i < count; i++) {
    struct hm_gate_grant *grant = &m.u.grant.grants[i];

    grant->context = contexts[i];
    grant->data_type_count = 1;
    grant->data_types[0] = 16;
    grant->kid16 = 0x0102;
    memset(grant->certificate, (int)contexts[i], HM_HASH);
    memset(grant->policy_hash, 0x55, HM_HASH);
  }
  return gate_end_say(end, &m);
}

bool gate_end_revoke(struct gate_end *end, const uint16_t *contexts, uint32_t count)
{
  struct hm_gate_message m = {.kind = HM_GATE_REVOKE};

  m.u.revoke.count = count;
  memcpy(m.u.revoke.contexts, contexts, count * sizeof contexts[0]);
  return gate_end_say(end, &m);
}

bool gate_end_error(struct gate_end *end, enum hm_status status, const char *text)
{
  struct hm_gate_message m = {.kind = HM_GATE_ERROR};

  m.u.error.status = status;
  m.u.error.text = hm_bytes(text, strlen(text));
  return gate_end_say(end, &m);
}

bool gate_end_open(struct gate_end *end, const uint16_t *contexts, uint32_t count)
{
  uint8_t nonce[HM_NONCE];

  if (!gate_end_hear_kind(end, HM_GATE_ASK, 3000))
    return false;
  memcpy(nonce, end->in.u.ask.nonce, HM_NONCE);
  return gate_end_grant(end, nonce, contexts, count, HM_GATE_OPEN);
}

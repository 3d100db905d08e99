/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/services/authority_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { CONNECTIONS = 8 };

/* One client of ours and its connection to the authority; -1: free. */
struct link_pair {
  int front, back;
};

/* ---- in the relay's process: no assertions, it ends on any trouble ---------------------- */

static void must(bool claim)
{
  if (!claim)
    _exit(1);
}

static void accept_one(int listener, const char *back, struct link_pair *pairs)
{
  struct hm_error err;
  struct hm_peer peer;
  for (size_t i = 0; i < CONNECTIONS; i++) {
    if (pairs[i].front >= 0)
      continue;
    if (hm_packet_accept(listener, &pairs[i].front, &peer, &err) != HM_OK)
      return;
    if (hm_packet_connect(back, &pairs[i].back, &err) != HM_OK) {
      close(pairs[i].front);
      pairs[i].front = -1;
    }
    return;
  }
  _exit(2);
}

static void show(int shown, int release, const uint8_t *packet, size_t len)
{
  struct hm_auth_answer answer;
  uint32_t size = (uint32_t)len;
  if (hm_auth_answer_decode(hm_bytes(packet, len), &answer, NULL) != HM_OK)
    return;
  bool is_receipt = answer.kind == HM_AUTH_COMPLETE && answer.u.complete.has_receipt;
  if (answer.kind != HM_AUTH_PAIR && !is_receipt)
    return;
  must(write(shown, &size, sizeof size) == sizeof size);
  must(write(shown, packet, len) == (ssize_t)len);
  char go;
  if (is_receipt)
    must(read(release, &go, 1) == 1);
}

/* Pass one packet on; false: this end is gone. */
static bool carry(int from, int to, int shown, int release)
{
  uint8_t packet[HM_AUTH_MESSAGE_MAX];
  size_t len;
  enum hm_status status = hm_packet_receive(from, packet, sizeof packet, &len);
  if (status == HM_NOT_FOUND)
    return true;
  if (status != HM_OK)
    return false;
  if (shown >= 0)
    show(shown, release, packet, len);
  return hm_packet_send(to, hm_bytes(packet, len)) == HM_OK;
}

static void run(int listener, const char *back, int shown, int release)
{
  struct link_pair pairs[CONNECTIONS];
  for (size_t i = 0; i < CONNECTIONS; i++)
    pairs[i] = (struct link_pair){-1, -1};
  for (;;) {
    struct pollfd fds[1 + 2 * CONNECTIONS];
    fds[0] = (struct pollfd){listener, POLLIN, 0};
    for (size_t i = 0; i < CONNECTIONS; i++) {
      fds[1 + 2 * i] = (struct pollfd){pairs[i].front, POLLIN, 0};
      fds[2 + 2 * i] = (struct pollfd){pairs[i].back, POLLIN, 0};
    }
    must(poll(fds, 1 + 2 * CONNECTIONS, -1) > 0);
    for (size_t i = 0; i < CONNECTIONS; i++) {
      struct link_pair *p = &pairs[i];
      bool stands = p->front < 0 ||
                    ((fds[1 + 2 * i].revents == 0 || carry(p->front, p->back, -1, -1)) &&
                     (fds[2 + 2 * i].revents == 0 || carry(p->back, p->front, shown, release)));
      if (stands)
        continue;
      close(p->front);
      close(p->back);
      *p = (struct link_pair){-1, -1};
    }
    if (fds[0].revents != 0)
      accept_one(listener, back, pairs);
  }
}

/* ---- in the test -------------------------------------------------------------------------- */

void relay_start(struct relay *relay, const char *front, const char *back)
{
  int shown[2], release[2], listener;
  struct hm_error err;
  assert_int_equal(hm_packet_listen(front, 0600, NULL, &listener, &err), HM_OK);
  assert_int_equal(pipe2(shown, O_CLOEXEC), 0);
  assert_int_equal(pipe2(release, O_CLOEXEC), 0);
  relay->pid = fork();
  assert_true(relay->pid >= 0);
  if (relay->pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(shown[0]);
    close(release[1]);
    run(listener, back, shown[1], release[0]);
  }
  close(listener);
  close(shown[1]);
  close(release[0]);
  relay->shown = shown[0];
  relay->release = release[1];
}

static void read_all(int fd, void *data, size_t len)
{
  uint8_t *at = data;
  while (len > 0) {
    ssize_t got = read(fd, at, len);
    assert_true(got > 0);
    at += got;
    len -= (size_t)got;
  }
}

void relay_show(struct relay *relay, enum hm_auth_kind kind, int ms,
                uint8_t packet[HM_AUTH_MESSAGE_MAX], struct hm_auth_answer *answer)
{
  struct pollfd p = {relay->shown, POLLIN, 0};
  uint32_t len;
  assert_int_equal(poll(&p, 1, ms), 1);
  read_all(relay->shown, &len, sizeof len);
  assert_true(len <= HM_AUTH_MESSAGE_MAX);
  read_all(relay->shown, packet, len);
  assert_int_equal(hm_auth_answer_decode(hm_bytes(packet, len), answer, NULL), HM_OK);
  assert_int_equal(answer->kind, kind);
}

void relay_let_go(struct relay *relay)
{
  assert_int_equal(write(relay->release, "", 1), 1);
}

void relay_stop(struct relay *relay)
{
  if (relay->pid <= 0)
    return;
  kill(relay->pid, SIGKILL);
  (void)waitpid(relay->pid, NULL, 0);
  close(relay->shown);
  close(relay->release);
  relay->pid = 0;
}

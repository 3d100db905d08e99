/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/services/house.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/clock.h"
#include "services/names.h"

enum { WORDS = 12, UP_MS = 10000, STEP_MS = 10 };

/* ---- programs ---------------------------------------------------------------------------- */

static void nap(int ms)
{
  (void)poll(NULL, 0, ms);
}

/* In the child: this folder is /sys from here on, for it alone. */
static bool mount_sysfs(const char *folder)
{
  return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount(folder, "/sys", NULL, MS_BIND, NULL) == 0;
}

bool house_can_have_sysfs(void)
{
  pid_t pid = fork();
  int status = 1;
  if (pid == 0)
    _exit(mount_sysfs("/tmp") ? 0 : 1);
  return waitpid(pid, &status, 0) == pid && status == 0;
}

/* fds 1 and 2 of the child go to out; sysfs "" is the real one. */
static pid_t spawn_in(const char *const *words, int out, const char *sysfs)
{
  char *argv[WORDS + 1] = {0};
  char program[512];
  snprintf(program, sizeof program, "%s/%s", HM_BIN, words[0]);
  argv[0] = program;
  for (size_t i = 1; words[i] != NULL && i < WORDS; i++)
    argv[i] = strdup(words[i]);
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(out, 1);
    dup2(out, 2);
    if (sysfs[0] == '\0' || mount_sysfs(sysfs))
      execv(program, argv);
    _exit(127);
  }
  for (size_t i = 1; argv[i] != NULL; i++)
    free(argv[i]);
  return pid;
}

static pid_t spawn(const char *const *words, int out)
{
  return spawn_in(words, out, "");
}

static int wait_code(pid_t pid)
{
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

/* The exit code, or fails after ms. */
static int wait_code_for(pid_t pid, int ms)
{
  for (int waited = 0; waited < ms; waited += STEP_MS) {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == pid)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
    nap(STEP_MS);
  }
  fail_msg("process %ld still runs after %d ms", (long)pid, ms);
  return -1;
}

int house_run(const char *const *words, char *text, size_t cap)
{
  FILE *f = tmpfile();
  assert_non_null(f);
  pid_t pid = spawn(words, fileno(f));
  int code = wait_code(pid);
  rewind(f);
  size_t n = fread(text, 1, cap - 1, f);
  text[n] = '\0';
  fclose(f);
  return code;
}

void house_init(struct house *h, const char *folder)
{
  char text[4096];
  memset(h, 0, sizeof *h);
  snprintf(h->state, sizeof h->state, "%s/state", folder);
  snprintf(h->clip, sizeof h->clip, "%s/clip.mkv", folder);
  snprintf(h->said, sizeof h->said, "%s/hallmarkd.log", folder);
  FILE *clip = fopen(h->clip, "w");
  assert_non_null(clip);
  fprintf(clip, "not really a film, but a file with an anchor\n");
  fclose(clip);
  const char *const authority[] = {"hallmark-authority", "init", "--state", h->state, NULL};
  const char *const daemon[] = {"hallmarkd", "--init", "--state", h->state, NULL};
  if (house_run(authority, text, sizeof text) != 0)
    fail_msg("hallmark-authority init: %s", text);
  if (house_run(daemon, text, sizeof text) != 0)
    fail_msg("hallmarkd --init: %s", text);
}

static int connect_at(const char *path, int type);

/* Until someone listens: the socket file of an earlier life may lie there. */
static void wait_for_path(const char *path, pid_t pid)
{
  for (int waited = 0; waited < UP_MS; waited += STEP_MS) {
    int fd = connect_at(path, SOCK_SEQPACKET);
    if (fd >= 0) {
      close(fd);
      return;
    }
    if (waitpid(pid, NULL, WNOHANG) == pid)
      fail_msg("%s: its program ended", path);
    nap(STEP_MS);
  }
  fail_msg("%s: nobody listens", path);
}

static void wait_for_socket(const struct house *h, const char *name, pid_t pid)
{
  char path[512];
  snprintf(path, sizeof path, "%s/run/%s", h->state, name);
  wait_for_path(path, pid);
}

void house_serve(struct house *h)
{
  const char *const words[] = {"hallmark-authority", "serve", "--state", h->state, NULL};
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  h->authority = spawn(words, null);
  close(null);
  wait_for_socket(h, "authority.sock", h->authority);
}

void house_serve_at(struct house *h, const char *socket)
{
  const char *const words[] = {"hallmark-authority", "serve", "--state", h->state,
                               "--socket",           socket,  NULL};
  int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
  h->authority = spawn(words, null);
  close(null);
  wait_for_path(socket, h->authority);
}

void house_silence(struct house *h)
{
  if (h->authority == 0)
    return;
  kill(h->authority, SIGTERM);
  assert_int_equal(wait_code_for(h->authority, UP_MS), 0);
  h->authority = 0;
}

static pid_t start_daemon(const struct house *h)
{
  const char *const words[] = {"hallmarkd", "--state", h->state, NULL};
  int log = open(h->said, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  assert_true(log >= 0);
  pid_t pid = spawn_in(words, log, h->sysfs);
  close(log);
  return pid;
}

void house_start(struct house *h)
{
  h->daemon = start_daemon(h);
  for (int waited = 0; waited < UP_MS; waited += STEP_MS) {
    if (house_ask(h, "GET", "/api/status", NULL) == 200)
      break;
    if (waitpid(h->daemon, NULL, WNOHANG) == h->daemon)
      fail_msg("hallmarkd ended at start; see %s", h->said);
    nap(STEP_MS);
  }
  wait_for_socket(h, "gate.sock", h->daemon);
}

int house_start_fails(struct house *h, char *text, size_t cap)
{
  const char *const words[] = {"hallmarkd", "--state", h->state, NULL};
  return house_run(words, text, cap);
}

int house_wait(struct house *h)
{
  int code = wait_code_for(h->daemon, UP_MS);
  h->daemon = 0;
  return code;
}

int house_stop(struct house *h)
{
  kill(h->daemon, SIGTERM);
  return house_wait(h);
}

void house_kill(struct house *h)
{
  kill(h->daemon, SIGKILL);
  (void)wait_code(h->daemon);
  h->daemon = 0;
}

void house_end(struct house *h)
{
  pid_t *const running[] = {&h->daemon, &h->authority};
  for (size_t i = 0; i < 2; i++) {
    if (*running[i] == 0)
      continue;
    kill(*running[i], SIGCONT);
    kill(*running[i], SIGKILL);
    (void)wait_code(*running[i]);
    *running[i] = 0;
  }
}

void house_open(struct house *h, const char *folder)
{
  house_init(h, folder);
  house_serve(h);
  house_start(h);
}

bool house_has_said(const struct house *h, const char *text)
{
  static char log[1 << 20];
  FILE *f = fopen(h->said, "r");
  if (f == NULL)
    return false;
  size_t n = fread(log, 1, sizeof log - 1, f);
  log[n] = '\0';
  fclose(f);
  return strstr(log, text) != NULL;
}

/* ---- the API -------------------------------------------------------------------------------- */

static int connect_at(const char *path, int type)
{
  struct sockaddr_un at = {.sun_family = AF_UNIX};
  snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
  int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  if (connect(fd, (struct sockaddr *)&at, sizeof at) == 0)
    return fd;
  close(fd);
  return -1;
}

static int connect_to(const char *state, const char *name, int type)
{
  char path[512];
  snprintf(path, sizeof path, "%s/run/%s", state, name);
  return connect_at(path, type);
}

static int talk(struct house *h, const char *method, const char *path, const char *body)
{
  static char raw[HOUSE_REPLY + 4096];
  char request[8192];
  size_t got = 0;
  ssize_t n;
  int fd = connect_to(h->state, "api.sock", SOCK_STREAM);
  h->http = 0;
  h->reply[0] = '\0';
  if (fd < 0)
    return 0;
  int len = snprintf(request, sizeof request,
                     "%s %s HTTP/1.1\r\nHost: hallmark\r\nConnection: close\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     method, path, body == NULL ? 0 : strlen(body), body == NULL ? "" : body);
  if (send(fd, request, (size_t)len, MSG_NOSIGNAL) == len)
    while (got < sizeof raw - 1 && (n = read(fd, raw + got, sizeof raw - 1 - got)) > 0)
      got += (size_t)n;
  close(fd);
  raw[got] = '\0';
  const char *content = strstr(raw, "\r\n\r\n");
  if (content == NULL || sscanf(raw, "HTTP/1.1 %d", &h->http) != 1)
    return h->http = 0;
  snprintf(h->reply, sizeof h->reply, "%s", content + 4);
  return h->http;
}

int house_ask(struct house *h, const char *method, const char *path, const char *body)
{
  return talk(h, method, path, body);
}

struct house_call house_call(struct house *h, const char *method, const char *path,
                             const char *body)
{
  struct house_call call;
  int ends[2];
  assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
  call.pid = fork();
  assert_true(call.pid >= 0);
  if (call.pid == 0) {
    int http = talk(h, method, path, body);
    if (write(ends[1], &http, sizeof http) == sizeof http)
      (void)!write(ends[1], h->reply, strlen(h->reply));
    _exit(0);
  }
  close(ends[1]);
  call.fd = ends[0];
  return call;
}

bool house_answered(struct house *h, struct house_call *call, int ms)
{
  struct pollfd p = {call->fd, POLLIN, 0};
  size_t got = 0;
  ssize_t n;
  if (poll(&p, 1, ms) <= 0)
    return false;
  assert_int_equal(read(call->fd, &h->http, sizeof h->http), sizeof h->http);
  while ((n = read(call->fd, h->reply + got, sizeof h->reply - 1 - got)) > 0)
    got += (size_t)n;
  h->reply[got] = '\0';
  close(call->fd);
  (void)wait_code(call->pid);
  return true;
}

bool house_replied(const struct house *h, const char *text)
{
  return strstr(h->reply, text) != NULL;
}

void house_bind(struct house *h, const char *name)
{
  char body[1024];
  snprintf(body, sizeof body, "{\"source\":\"file:%s\",\"name\":\"%s\"}", h->clip, name);
  if (house_ask(h, "POST", "/api/entities", body) / 100 != 2)
    fail_msg("bind %s: %d %s", name, h->http, h->reply);
}

void house_pair(struct house *h, const char *name, const char *context)
{
  char body[512];
  snprintf(body, sizeof body,
           "{\"names\":[\"%s\"],\"context\":\"%s\",\"seconds\":3600,"
           "\"operations\":[\"observe\",\"remember\"]}",
           name, context);
  if (house_ask(h, "POST", "/api/pairings", body) / 100 != 2)
    fail_msg("pair %s: %d %s", name, h->http, h->reply);
}

void house_revoke_body(char out[256], const char *name, const char *context)
{
  snprintf(out, 256, "{\"name\":\"%s\",\"context\":\"%s\",\"reason\":\"test\"}", name, context);
}

long house_number(const struct house *h, const char *member)
{
  char wanted[64];
  snprintf(wanted, sizeof wanted, "\"%s\":", member);
  const char *at = strstr(h->reply, wanted);
  if (at == NULL)
    return -1;
  at += strlen(wanted);
  at += *at == '"';
  at += *at == 'c' || *at == 'm' || *at == 'r';
  return *at >= '0' && *at <= '9' ? strtol(at, NULL, 10) : -1;
}

/* ---- gate.sock ----------------------------------------------------------------------------------
 */

bool hand_connect(struct gate_hand *g, const struct house *h)
{
  g->fd = connect_to(h->state, "gate.sock", SOCK_SEQPACKET);
  return g->fd >= 0;
}

void hand_close(struct gate_hand *g)
{
  if (g->fd >= 0)
    close(g->fd);
  g->fd = -1;
}

bool hand_say(struct gate_hand *g, const struct hm_gate_message *m)
{
  static uint8_t packet[HM_GATE_PACKET];
  struct hm_out out = hm_out(packet, sizeof packet);
  assert_int_equal(hm_gate_encode(m, &out, NULL), HM_OK);
  return send(g->fd, packet, out.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)out.len;
}

bool hand_hello(struct gate_hand *g, enum hm_gate_role role, const char *sensor)
{
  struct hm_gate_message m = {.kind = HM_GATE_HELLO};
  m.u.hello.version = HM_GATE_VERSION;
  m.u.hello.role = role;
  m.u.hello.sensor = hm_bytes(sensor, strlen(sensor));
  return hand_say(g, &m);
}

int hand_hear(struct gate_hand *g, int ms)
{
  struct pollfd p = {g->fd, POLLIN, 0};
  if (poll(&p, 1, ms) <= 0)
    return HAND_NOTHING;
  ssize_t n = recv(g->fd, g->packet, sizeof g->packet, MSG_DONTWAIT);
  if (n <= 0)
    return HAND_GONE;
  if (hm_gate_decode(hm_bytes(g->packet, (size_t)n), &g->in, NULL) != HM_OK)
    return HAND_BROKEN;
  return (int)g->in.kind;
}

void hand_join(struct gate_hand *g, const struct house *h, enum hm_gate_role role,
               const char *sensor)
{
  assert_true(hand_connect(g, h));
  assert_true(hand_hello(g, role, sensor));
  int kind = hand_hear(g, 2000);
  if (kind == HM_GATE_ERROR)
    fail_msg("HELLO refused: %.*s", (int)g->in.u.error.text.len,
             (const char *)g->in.u.error.text.data);
  assert_int_equal(kind, HM_GATE_ACK);
}

enum hm_status hand_error(struct gate_hand *g, int ms)
{
  uint64_t until = hm_boottime_ns() + (uint64_t)ms * 1000000u;
  while (hm_boottime_ns() < until) {
    int kind = hand_hear(g, ms);
    if (kind == HM_GATE_ERROR)
      return g->in.u.error.status;
    if (kind <= 0)
      return HM_OK;
  }
  return HM_OK;
}

void hand_ask(struct gate_hand *g, uint64_t last_frame)
{
  static uint8_t count;
  struct hm_gate_message m = {.kind = HM_GATE_ASK};
  m.u.ask.nonce[0] = ++count;
  m.u.ask.last_frame = last_frame;
  m.u.ask.passed = last_frame;
  assert_true(hand_say(g, &m));
  assert_int_equal(hand_hear(g, 2000), HM_GATE_GRANT);
  assert_int_equal(g->in.u.grant.nonce[0], count);
}

void hand_confirm(struct gate_hand *g, uint64_t last_frame)
{
  struct hm_gate_message m = {.kind = HM_GATE_CLOSED};
  assert_int_equal(g->in.kind, HM_GATE_REVOKE);
  m.u.closed.count = g->in.u.revoke.count;
  memcpy(m.u.closed.contexts, g->in.u.revoke.contexts, sizeof m.u.closed.contexts);
  m.u.closed.last_frame = last_frame;
  m.u.closed.reason = HM_GATE_REVOKED;
  assert_true(hand_say(g, &m));
}

void hand_observe(struct gate_hand *g, uint64_t seq, uint64_t frame)
{
  static uint8_t picture[HM_GATE_PICTURE];
  struct hm_gate_message m = {.kind = HM_GATE_PERIPHERAL_RECORD};
  memcpy(m.u.peripheral.record, "HMP1", 4);
  m.u.peripheral.record[4] = 1;
  m.u.peripheral.record[16] = (uint8_t)frame;
  m.u.peripheral.record[17] = (uint8_t)(frame >> 8);
  assert_true(hand_say(g, &m));
  memset(&m, 0, sizeof m);
  m.kind = HM_GATE_OBSERVE;
  m.u.observe.seq = seq;
  m.u.observe.frame = frame;
  m.u.observe.has_pts = true;
  m.u.observe.pts_ns = frame * 33333333u;
  m.u.observe.boottime_ns = hm_boottime_ns();
  m.u.observe.width = m.u.observe.height = 64;
  m.u.observe.format = HM_GATE_I420;
  m.u.observe.region[2] = m.u.observe.region[3] = 32;
  for (int i = 0; i < 5; i++)
    m.u.observe.factors[i] = 200;
  m.u.observe.picture = hm_bytes(picture, sizeof picture);
  assert_true(hand_say(g, &m));
}

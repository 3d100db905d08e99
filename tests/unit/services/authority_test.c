/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The program hallmark-authority: init, serve, revocation, its log, and what it says to
 * wrong words, wrong bytes and wrong peers.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory/log.h"
#include "tests/support/folder.h"
#include "tests/support/services/authority_end.h"
#include "trust/capability.h"
#include "trust/checkpoint.h"
#include "trust/crypto_openssl.h"

static struct authority_end end;
static struct test_entity host, camera;
static struct program_end run;

static int begin(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  authority_init(&end, *state);
  entity_draw(&host);
  entity_draw(&camera);
  return 0;
}

static int begin_serving(void **state)
{
  int result = begin(state);
  authority_serve(&end);
  return result;
}

static int finish(void **state)
{
  authority_stop(&end);
  return folder_teardown(state);
}

static int program(struct hm_bytes in, const char *verb, const char *a, const char *b)
{
  const char *const words[] = {verb, "--state", end.state, a, b, NULL};
  authority_run(&run, in, words);
  return run.code;
}

static const struct hm_bytes nothing = {(const uint8_t *)"", 0};

/* ---- init ------------------------------------------------------------------------------ */

static mode_t mode_of(const char *name)
{
  char path[512];
  struct stat s;
  snprintf(path, sizeof path, "%s/%s", end.state, name);
  assert_int_equal(stat(path, &s), 0);
  return s.st_mode & 07777;
}

static void init_makes_a_private_folder_and_a_public_key(void **state)
{
  (void)state;
  assert_int_equal(mode_of("authority"), 0700);
  assert_int_equal(mode_of("authority/sign.pem"), 0600);
  assert_int_equal(mode_of("authority/authority.pub"), 0644);
  char path[512];
  uint8_t point[64];
  snprintf(path, sizeof path, "%s/authority/authority.pub", end.state);
  assert_int_equal(hm_public_read(path, point, &end.err), HM_OK);
  assert_memory_equal(point, end.key, 64);
  assert_int_equal(program(nothing, "init", NULL, NULL), 9);
  assert_non_null(strstr(run.err, "already"));
  assert_int_equal(hm_public_read(path, point, &end.err), HM_OK);
  assert_memory_equal(point, end.key, 64);
}

static void an_interrupted_init_goes_on_with_its_key(void **state)
{
  (void)state;
  char path[512], command[1024];
  uint8_t point[64];
  snprintf(path, sizeof path, "%s/authority/authority.pub", end.state);
  assert_int_equal(unlink(path), 0);
  snprintf(command, sizeof command, "rm -r %s/authority/log", end.state);
  assert_int_equal(system(command), 0);
  assert_int_equal(program(nothing, "ls", NULL, NULL), 3);
  assert_int_equal(program(nothing, "init", NULL, NULL), 0);
  assert_int_equal(hm_public_read(path, point, &end.err), HM_OK);
  assert_memory_equal(point, end.key, 64);
  /* but a log without its key is not given a new one */
  snprintf(path, sizeof path, "%s/authority/sign.pem", end.state);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(program(nothing, "init", NULL, NULL), 7);
  assert_non_null(strstr(run.err, "restore the key"));
}

static void wrong_words_end_in_two(void **state)
{
  (void)state;
  static const char *const words[][5] = {
      {NULL},
      {"frobnicate", NULL},
      {"ls", "--out", "x", NULL},
      {"ls", "extra", NULL},
      {"revoke", NULL},
      {"revoke", "a", "b", NULL},
      {"serve", "--socket", NULL},
      {"init", "--unknown", NULL},
  };
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    authority_run(&run, nothing, words[i]);
    assert_int_equal(run.code, 2);
    assert_non_null(strstr(run.err, "run: hallmark-authority --help"));
    assert_int_equal(strchr(run.err, '\n') - run.err, strlen(run.err) - 1);
  }
  static const char *const help[] = {"--help", NULL};
  authority_run(&run, nothing, help);
  assert_int_equal(run.code, 0);
  assert_non_null(strstr(run.out, "issue"));
}

static void errors_have_their_exit_codes(void **state)
{
  (void)state;
  static char long_path[200];
  memset(long_path, 'x', sizeof long_path - 1);
  long_path[0] = '/';
  assert_int_equal(program(nothing, "serve", "--socket", long_path), 6);
  assert_non_null(strstr(run.err, "the limit is 107"));
  assert_int_equal(program(nothing, "revoke", "lct:abcdefg", NULL), 3);
  assert_int_equal(program(nothing, "revoke", "front", NULL), 6);
  assert_int_equal(program(nothing, "revoke", "lct:abc", NULL), 6);
  const char *const elsewhere[] = {"serve", "--state", "/nonexistent/at/all", NULL};
  authority_run(&run, nothing, elsewhere);
  assert_int_equal(run.code, 3);
  assert_non_null(strstr(run.err, "hallmark-authority init"));
}

static void a_damaged_log_is_told_and_not_touched(void **state)
{
  (void)state;
  char path[512];
  size_t len, again_len;
  snprintf(path, sizeof path, "%s/authority/log/data.mdb", end.state);
  uint8_t *was = file_read(path, &len);
  /* one bit of every stored signature and object: the L7 receipt is found by its typ */
  static const uint8_t typ[] = {0x10, 0x19, 0xfd, 0xfc};
  uint8_t *at = memmem(was, len, typ, sizeof typ);
  assert_non_null(at);
  size_t offset = (size_t)(at - was) + 60;
  was[offset] ^= 1;
  file_write(path, was, len);
  assert_int_equal(program(nothing, "ls", NULL, NULL), 7);
  assert_non_null(strstr(run.err, "entry 1"));
  uint8_t *now = file_read(path, &again_len);
  assert_int_equal(len, again_len);
  assert_memory_equal(was, now, len);
  free(now);
  /* an empty file is no empty log */
  file_write(path, was, 0);
  assert_int_equal(program(nothing, "ls", NULL, NULL), 7);
  struct stat s;
  assert_int_equal(stat(path, &s), 0);
  assert_int_equal(s.st_size, 0);
  free(was);
}

static void another_key_does_not_own_the_log(void **state)
{
  (void)state;
  char path[512];
  struct hm_signing_key key;
  snprintf(path, sizeof path, "%s/authority/sign.pem", end.state);
  assert_int_equal(hm_signing_key_draw(&key), HM_OK);
  assert_int_equal(hm_signing_key_save(path, &key, &end.err), HM_OK);
  assert_int_equal(program(nothing, "ls", NULL, NULL), 7);
  assert_non_null(strstr(run.err, "another key"));
}

/* Append what the authority's own key signed, behind its back. */
static void slip_in(struct hm_bytes object)
{
  char path[512];
  struct hm_log *log = NULL;
  struct hm_fault fault = {0, ""};
  struct hm_log_item item = {.object = object, .time_s = now_s()};
  uint64_t first;
  snprintf(path, sizeof path, "%s/authority/log", end.state);
  assert_int_equal(
      hm_log_open(&hm_crypto_openssl, path, HM_LOG_AUTHORITY, HM_LOG_WRITE, &log, &fault), HM_OK);
  assert_int_equal(hm_log_append(log, &item, 1, nothing, &first, &fault), HM_OK);
  hm_log_close(log);
}

static void load_key(struct hm_signing_key *key)
{
  char path[512];
  snprintf(path, sizeof path, "%s/authority/sign.pem", end.state);
  assert_int_equal(hm_signing_key_load(path, key, &end.err), HM_OK);
}

/* Signed well, but not what follows from what stands there. */
static void a_log_that_contradicts_itself_is_damaged(void **state)
{
  (void)state;
  static uint8_t object[HM_SIGN1_MAX];
  struct hm_signing_key key;
  struct hm_revocation v = {.iat = now_s(), .number = 1, .reason = HM_REASON_OPERATOR};
  struct hm_out out = hm_out(object, sizeof object);
  load_key(&key);
  assert_int_equal(hm_revocation_make(&hm_crypto_openssl, &key.signer, &v, &out), HM_OK);
  slip_in(hm_out_bytes(&out));
  assert_int_equal(program(nothing, "ls", NULL, NULL), 0);
  v.number = 2;
  v.has_previous = true;
  memset(v.previous, 0x11, 32); /* not the name of number 1 */
  out = hm_out(object, sizeof object);
  assert_int_equal(hm_revocation_make(&hm_crypto_openssl, &key.signer, &v, &out), HM_OK);
  slip_in(hm_out_bytes(&out));
  assert_int_equal(program(nothing, "ls", NULL, NULL), 7);
  assert_non_null(strstr(run.err, "entry 3"));
}

/* An authority whose clock fell behind its own log signs nothing. */
static void a_clock_behind_the_log_is_refused(void **state)
{
  (void)state;
  static uint8_t object[HM_SIGN1_MAX];
  struct hm_signing_key key;
  struct hm_receipt r = {.iat = now_s() + 5000,
                         .level = 7,
                         .quality = HM_QUALITY_AUTHORITY,
                         .kind = HM_RECEIPT_VERIFICATION};
  struct hm_out out = hm_out(object, sizeof object);
  load_key(&key);
  memcpy(r.subject, key.signer.kid, 32);
  assert_int_equal(hm_receipt_make(&hm_crypto_openssl, &key.signer, &r, &out), HM_OK);
  slip_in(hm_out_bytes(&out));
  assert_int_equal(program(nothing, "checkpoint", NULL, NULL), 1);
  assert_non_null(strstr(run.err, "behind its own log"));
}

/* ---- revocations and the log -------------------------------------------------------------- */

static enum hm_status end_of(const uint8_t name[32], uint64_t since, struct hm_revocation *v,
                             uint8_t v_name[32])
{
  struct hm_auth_question q = {.kind = HM_AUTH_REVOKE};
  struct hm_auth_answer a;
  memcpy(q.u.revoke.certificate, name, 32);
  q.u.revoke.reason = HM_REASON_OPERATOR;
  q.u.revoke.has_since = since != 0;
  q.u.revoke.since = since;
  HM_TRY(authority_ask(&end, &q, &a));
  return hm_revocation_open(&hm_crypto_openssl, a.u.revoke.revocation, end.key, v, v_name);
}

static void hello(struct hm_signed_time *time)
{
  struct hm_auth_question q = {.kind = HM_AUTH_HELLO, .u.hello.version = 1};
  struct hm_auth_answer a;
  struct hm_checkpoint c;
  memset(q.u.hello.nonce, 0x5c, 16);
  assert_int_equal(authority_ask(&end, &q, &a), HM_OK);
  assert_memory_equal(a.u.hello.key, end.key, 64);
  assert_int_equal(hm_signed_time_open(&hm_crypto_openssl, a.u.hello.time, end.key, time, NULL),
                   HM_OK);
  assert_memory_equal(time->nonce, q.u.hello.nonce, 16);
  assert_int_equal(hm_checkpoint_open(&hm_crypto_openssl, a.u.hello.checkpoint, end.key, &c, NULL),
                   HM_OK);
  assert_true(c.has_revocations);
  assert_int_equal(c.revocations.highest, time->revocations);
}

static void revocations_are_numbered_and_chained(void **state)
{
  (void)state;
  struct hm_revocation first, second, again;
  struct hm_signed_time time;
  uint8_t name[2][32], other[32];
  hello(&time);
  assert_int_equal(time.revocations, 0);
  assert_true(time.iat + 5 >= now_s() && time.iat <= now_s() + 5);
  entity_bind(&end, &host, NULL);
  entity_bind(&end, &camera, &host);
  assert_int_equal(end_of(camera.facts.name, 0, &first, name[0]), HM_OK);
  assert_int_equal(first.number, 1);
  assert_false(first.has_previous);
  assert_int_equal(end_of(host.facts.lct, 0, &second, name[1]), HM_OK);
  assert_int_equal(second.number, 2);
  assert_memory_equal(second.previous, name[0], 32);
  hello(&time);
  assert_int_equal(time.revocations, 2);
  assert_memory_equal(time.previous, name[1], 32);
  /* asked again: the same; reaching further back: another */
  assert_int_equal(end_of(host.facts.lct, 0, &again, other), HM_OK);
  assert_memory_equal(other, name[1], 32);
  assert_int_equal(end_of(host.facts.lct, second.iat - 100, &again, other), HM_OK);
  assert_int_equal(again.number, 3);
  assert_true(again.has_since);
  assert_int_equal(end_of(host.facts.lct, now_s() + 100, &again, other), HM_NOT_YET_VALID);
  memset(other, 1, 32);
  assert_int_equal(end_of(other, 0, &again, NULL), HM_NOT_FOUND);
}

static void ask_log(uint64_t held, uint64_t revocations, enum hm_status expected,
                    struct hm_auth_answer *a)
{
  struct hm_auth_question q = {.kind = HM_AUTH_LOG, .u.log = {held, revocations}};
  assert_int_equal(authority_ask(&end, &q, a), expected);
}

static void the_log_only_grows(void **state)
{
  (void)state;
  struct hm_auth_answer a;
  struct hm_checkpoint old, now;
  struct hm_revocation v;
  uint8_t name[32];
  ask_log(0, 0, HM_OK, &a);
  assert_int_equal(hm_checkpoint_open(&hm_crypto_openssl, a.u.log.checkpoint, end.key, &old, NULL),
                   HM_OK);
  assert_int_equal(old.control_tree.size, 1);
  entity_bind(&end, &host, NULL);
  for (int i = 0; i < 35; i++) {
    entity_draw(&camera);
    entity_bind(&end, &camera, &host);
    if (i % 5 == 4)
      (void)usleep(300000); /* below 100 messages a second */
    assert_int_equal(end_of(camera.facts.lct, 0, &v, name), HM_OK);
  }
  ask_log(old.control_tree.size, 0, HM_OK, &a);
  assert_int_equal(hm_checkpoint_open(&hm_crypto_openssl, a.u.log.checkpoint, end.key, &now, NULL),
                   HM_OK);
  assert_int_equal(now.control_tree.size, 1 + 2 + 35 * 4);
  assert_int_equal(hm_consistency_verify(&hm_crypto_openssl, old.control_tree.size,
                                         old.control_tree.root, now.control_tree.size,
                                         now.control_tree.root, &a.u.log.way),
                   HM_OK);
  assert_int_equal(a.u.log.revocation_count, HM_AUTH_REVOCATIONS);
  for (uint32_t i = 0; i < a.u.log.revocation_count; i++) {
    assert_int_equal(
        hm_revocation_open(&hm_crypto_openssl, a.u.log.revocations[i], end.key, &v, NULL), HM_OK);
    assert_int_equal(v.number, i + 1);
  }
  ask_log(now.control_tree.size, 32, HM_OK, &a);
  assert_int_equal(a.u.log.revocation_count, 3);
  assert_int_equal(a.u.log.way.count, 0);
  /* who holds more than there is has seen another log */
  ask_log(now.control_tree.size + 1, 0, HM_ROLLBACK, &a);
  ask_log(0, 36, HM_ROLLBACK, &a);
}

/* ---- serve -------------------------------------------------------------------------------- */

static void two_do_not_serve(void **state)
{
  (void)state;
  assert_int_equal(program(nothing, "serve", NULL, NULL), 9);
  assert_int_equal(program(hm_bytes("\x80", 1), "issue", NULL, NULL), 9);
  assert_int_equal(program(nothing, "init", NULL, NULL), 9);
  /* looking and revoking work beside it */
  entity_bind(&end, &host, NULL);
  char lct[128];
  assert_int_equal(program(nothing, "ls", "--json", NULL), 0);
  (void)usleep(200000);
  assert_int_equal(program(nothing, "ls", "--json", NULL), 0);
  const char *at = strstr(run.out, "lct:web4:mb32:b");
  assert_non_null(at);
  snprintf(lct, sizeof lct, "lct:%.8s", at + 15);
  assert_int_equal(program(nothing, "revoke", lct, NULL), 0);
  assert_non_null(strstr(run.out, "number 1"));
  assert_int_equal(program(nothing, "checkpoint", NULL, NULL), 0);
  assert_memory_equal(run.out, "hallmark/", 9);
  struct hm_signed_time time;
  hello(&time);
  assert_int_equal(time.revocations, 1);
}

static enum hm_status say(const void *data, size_t len, struct hm_auth_answer *a)
{
  static uint8_t in[HM_AUTH_MESSAGE_MAX];
  size_t got = 0;
  HM_TRY(hm_packet_send(end.link.fd, hm_bytes(data, len)));
  HM_TRY(hm_packet_wait(end.link.fd, false, 5000));
  HM_TRY(hm_packet_receive(end.link.fd, in, sizeof in, &got));
  HM_TRY(hm_auth_answer_decode(hm_bytes(in, got), a, NULL));
  return hm_auth_answer_status(a, &end.err);
}

static void hostile_messages_get_an_error_and_change_nothing(void **state)
{
  (void)state;
  static uint8_t big[HM_AUTH_MESSAGE_MAX + 1];
  struct hm_auth_answer a;
  struct hm_signed_time time;
  uint8_t deep[64];
  memset(deep, 0x81, sizeof deep);
  assert_int_equal(say("\x82\x01\x82\x01", 4, &a), HM_TRUNCATED);
  assert_int_equal(hm_status_row(say(deep, sizeof deep, &a))->exit_code, 6);
  assert_int_equal(hm_status_row(say("\x82\x09\x80", 3, &a))->exit_code, 6);
  assert_int_equal(hm_status_row(say("\x82\x0f\x82\x01\x61x", 6, &a))->exit_code, 6);
  hello(&time);
  /* a packet over the limit ends the connection, and only that */
  assert_int_equal(say(big, sizeof big, &a), HM_UNREACHABLE);
  hm_auth_link_close(&end.link);
  assert_int_equal(hm_auth_link_open(&end.link, end.socket, &end.err), HM_OK);
  hello(&time);
}

static void a_flood_ends_the_connection(void **state)
{
  (void)state;
  struct hm_auth_answer a;
  enum hm_status status = HM_MALFORMED;
  for (int i = 0; i < 2000 && hm_status_row(status)->exit_code == 6; i++)
    status = say("\x80", 1, &a);
  assert_int_equal(status, HM_UNREACHABLE);
}

static void connections_are_counted(void **state)
{
  (void)state;
  static int fds[200];
  struct hm_signed_time time;
  size_t open_ones = 0;
  for (size_t i = 0; i < 200; i++)
    if (hm_packet_connect(end.socket, &fds[i], &end.err) != HM_OK)
      fds[i] = -1;
  (void)usleep(300000);
  for (size_t i = 0; i < 200; i++) {
    uint8_t byte;
    size_t len;
    open_ones += fds[i] >= 0 && hm_packet_receive(fds[i], &byte, 1, &len) == HM_NOT_FOUND;
    if (fds[i] >= 0)
      (void)close(fds[i]);
  }
  assert_true(open_ones >= 1 && open_ones <= 32);
  (void)usleep(100000);
  hello(&time);
}

/* Another user gets nothing, whatever the mode of the socket says. */
static void strangers_are_closed(void **state)
{
  if (geteuid() != 0)
    skip();
  const char *folders[] = {"", "/run", "/run/authority.sock"};
  for (size_t i = 0; i < 3; i++) {
    char path[512];
    snprintf(path, sizeof path, "%s%s", (char *)*state, folders[i]);
    assert_int_equal(chmod(path, 0777), 0);
  }
  pid_t pid = fork();
  if (pid == 0) {
    struct hm_auth_link *link = calloc(1, sizeof *link);
    struct hm_auth_answer a;
    struct hm_error err;
    struct hm_auth_question q = {.kind = HM_AUTH_HELLO, .u.hello.version = 1};
    if (setgid(65534) != 0 || setuid(65534) != 0)
      _exit(9);
    if (hm_auth_link_open(link, end.socket, &err) != HM_OK)
      _exit(8);
    _exit(hm_auth_ask(link, &q, &a, 3000, &err) == HM_UNREACHABLE ? 0 : 7);
  }
  int status;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_stale_socket_is_replaced(void **state)
{
  (void)state;
  int status;
  hm_auth_link_close(&end.link);
  assert_int_equal(kill(end.pid, SIGKILL), 0);
  assert_int_equal(waitpid(end.pid, &status, 0), end.pid);
  assert_int_equal(access(end.socket, F_OK), 0);
  authority_serve(&end);
  struct hm_signed_time time;
  hello(&time);
  authority_stop(&end);
  assert_int_equal(access(end.socket, F_OK), -1);
}

/* As a service manager starts it: the socket is there first, and is told when it is ready. */
static void it_takes_a_socket_handed_in_and_says_ready(void **state)
{
  char path[300], notify[300], said[64] = "";
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  int listener = -1, status;
  snprintf(path, sizeof path, "%s/handed.sock", (char *)*state);
  snprintf(notify, sizeof notify, "%s/notify.sock", (char *)*state);
  assert_int_equal(hm_packet_listen(path, 0600, NULL, &listener, &end.err), HM_OK);
  int told = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  memcpy(address.sun_path, notify, strlen(notify));
  assert_int_equal(bind(told, (struct sockaddr *)&address, sizeof address), 0);
  pid_t pid = fork();
  if (pid == 0) {
    char own[24];
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    snprintf(own, sizeof own, "%d", (int)getpid());
    setenv("LISTEN_PID", own, 1);
    setenv("LISTEN_FDS", "1", 1);
    setenv("NOTIFY_SOCKET", notify, 1);
    dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 2);
    if (listener != 3)
      dup2(listener, 3);
    else
      fcntl(3, F_SETFD, 0);
    execl(HM_BIN "/hallmark-authority", "hallmark-authority", "serve", "--state", end.state,
          (char *)NULL);
    _exit(127);
  }
  assert_true(recv(told, said, sizeof said - 1, 0) > 0);
  assert_string_equal(said, "READY=1");
  assert_int_equal(hm_auth_link_open(&end.link, path, &end.err), HM_OK);
  end.pid = pid;
  struct hm_signed_time time;
  hello(&time);
  hm_auth_link_close(&end.link);
  end.pid = 0;
  assert_int_equal(kill(pid, SIGINT), 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  /* not ours to remove */
  assert_int_equal(access(path, F_OK), 0);
  close(listener);
  close(told);
}

static void it_leaves_no_core_file(void **state)
{
  (void)state;
  char path[64], line[256];
  bool found = false;
  snprintf(path, sizeof path, "/proc/%d/limits", (int)end.pid);
  FILE *f = fopen(path, "re");
  assert_non_null(f);
  unsigned long soft = 1, hard = 1;
  while (fgets(line, sizeof line, f) != NULL)
    found = found || sscanf(line, "Max core file size %lu %lu", &soft, &hard) == 2;
  fclose(f);
  assert_true(found);
  assert_int_equal(soft, 0);
  assert_int_equal(hard, 0);
}

int main(void)
{
#define STOPPED(test) cmocka_unit_test_setup_teardown(test, begin, finish)
#define SERVING(test) cmocka_unit_test_setup_teardown(test, begin_serving, finish)
  const struct CMUnitTest tests[] = {
      STOPPED(init_makes_a_private_folder_and_a_public_key),
      STOPPED(an_interrupted_init_goes_on_with_its_key),
      STOPPED(wrong_words_end_in_two),
      STOPPED(errors_have_their_exit_codes),
      STOPPED(a_damaged_log_is_told_and_not_touched),
      STOPPED(another_key_does_not_own_the_log),
      STOPPED(a_log_that_contradicts_itself_is_damaged),
      STOPPED(a_clock_behind_the_log_is_refused),
      SERVING(revocations_are_numbered_and_chained),
      SERVING(the_log_only_grows),
      SERVING(two_do_not_serve),
      SERVING(hostile_messages_get_an_error_and_change_nothing),
      SERVING(a_flood_ends_the_connection),
      SERVING(connections_are_counted),
      SERVING(strangers_are_closed),
      SERVING(a_stale_socket_is_replaced),
      STOPPED(it_takes_a_socket_handed_in_and_says_ready),
      SERVING(it_leaves_no_core_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

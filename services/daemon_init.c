/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmarkd --init: keys, the host's binding by the authority, and a store whose
 * first entries they are: c1 genesis, c2 binding, c3 first segment. The store is made
 * whole and renamed last, so an interrupted init is one whose store is not there; run
 * again it goes on with the keys it has, and with the request it sent (keys/host.request):
 * the authority answers the same request the same, but binds no key twice.
 *
 * The authority is asked over its socket where it serves, else by running
 * `hallmark-authority issue` on a pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/authproto.h"
#include "services/daemon_init.h"
#include "trust/crypto_openssl.h"

enum { ASK_TIMEOUT_MS = 10000, ANSWER_MAX = 4 * HM_AUTH_MESSAGE_MAX };

struct birth {
  struct hm_core *core;
  const char *authority_file;
  uint8_t request[HM_SIGN1_MAX], binding[HM_SIGN1_MAX], proof[HM_LOG_ATTACHED_MAX];
  size_t request_len, binding_len, proof_len;
  uint8_t genesis[HM_SIGN1_MAX], opened[HM_SIGN1_MAX];
  size_t genesis_len, opened_len;
  char request_path[HM_FILE_PATH];
  bool is_resumed; /* request is one that was sent before */
  struct hm_auth_link link;
};

/* ---- the authority's key ------------------------------------------------------------------- */

static enum hm_status find_authority(struct birth *b, struct hm_error *err)
{
  struct hm_core *core = b->core;
  char path[HM_FILE_PATH];
  if (b->authority_file != NULL)
    g_strlcpy(path, b->authority_file, sizeof path);
  else
    HM_TRY(hm_path_join(path, core->paths.authority, "authority.pub", err));
  enum hm_status status = hm_public_read(path, core->authority_point, err);
  if (status == HM_NOT_FOUND && b->authority_file == NULL)
    return hm_fail(err, HM_NOT_FOUND,
                   "authority: no public key at %s; run: hallmark-authority init, or name one with "
                   "--authority FILE.pub",
                   path);
  HM_TRY(status);
  HM_TRY(hm_key_thumbprint(core->crypto, core->authority_point, core->authority));
  hm_floor_init(&core->floor, core->authority);
  return HM_OK;
}

static enum hm_status pin_authority(struct birth *b, struct hm_error *err)
{
  char folder[HM_FILE_PATH], path[HM_FILE_PATH];
  HM_TRY(hm_path_join(folder, b->core->paths.etc, "trust.d", err));
  HM_TRY(hm_path_join(path, folder, "home.pub", err));
  return hm_public_write(path, b->core->authority_point, err);
}

/* ---- the request ------------------------------------------------------------------------------
 */

static enum hm_status make_request(struct birth *b, const uint8_t challenge[16])
{
  struct hm_core *core = b->core;
  struct hm_out out = hm_out(b->request, sizeof b->request);
  struct hm_binding_request r = {.iat = hm_core_now(core).trust_s,
                                 .class = HM_CLASS_A,
                                 .type = HM_ENTITY_HOST,
                                 .anchor = HM_ANCHOR_SOFTWARE,
                                 .caps = HM_CAP_RECORDS | HM_CAP_EMBEDS};
  memcpy(r.challenge, challenge, 16);
  memcpy(r.sign, core->host_key.signer.point, 64);
  memcpy(r.agree, core->host_agree.point, 64);
  HM_TRY(hm_host_anchor(core, r.descriptors));
  HM_TRY(hm_binding_request_make(core->crypto, &core->host_key.signer, &r, &out));
  HM_TRY(hm_out_status(&out));
  b->request_len = out.len;
  return hm_file_write(b->request_path, hm_out_bytes(&out), 0600, NULL);
}

static struct hm_auth_question bind_question(const struct birth *b)
{
  struct hm_auth_question question = {.kind = HM_AUTH_BIND};
  question.u.bind.request = hm_bytes(b->request, b->request_len);
  return question;
}

static enum hm_status keep_answer(struct birth *b, const struct hm_auth_answer *answer,
                                  struct hm_error *err)
{
  if (answer->kind == HM_AUTH_ERROR)
    return hm_auth_answer_status(answer, err);
  if (answer->kind != HM_AUTH_BIND)
    return hm_fail(err, HM_WRONG_TYPE, "authority: answers %s to bind",
                   hm_auth_kind_text(answer->kind));
  struct hm_out binding = hm_out(b->binding, sizeof b->binding);
  struct hm_out proof = hm_out(b->proof, sizeof b->proof);
  hm_out_put(&binding, answer->u.bind.binding.data, answer->u.bind.binding.len);
  hm_out_put(&proof, answer->u.bind.proof.data, answer->u.bind.proof.len);
  if (hm_out_status(&binding) != HM_OK || hm_out_status(&proof) != HM_OK)
    return hm_fail(err, HM_TOO_LARGE, "authority: certificate or log proof too large");
  b->binding_len = binding.len;
  b->proof_len = proof.len;
  return HM_OK;
}

/* ---- asking: a serving authority
 * ------------------------------------------------------------------ */

static enum hm_status challenged_request(struct birth *b, struct hm_error *err)
{
  static struct hm_auth_answer answer;
  struct hm_auth_question question = {.kind = HM_AUTH_CHALLENGE};
  question.u.challenge.entity_class = HM_CLASS_A;
  question.u.challenge.entity_type = HM_ENTITY_HOST;
  HM_TRY(hm_auth_ask(&b->link, &question, &answer, ASK_TIMEOUT_MS, err));
  if (memcmp(answer.u.challenge.key, b->core->authority_point, 64) != 0)
    return hm_fail(err, HM_UNPINNED,
                   "authority: its socket has another key than the public key "
                   "given");
  return make_request(b, answer.u.challenge.challenge);
}

static enum hm_status ask_socket(struct birth *b, struct hm_error *err)
{
  static struct hm_auth_answer answer;
  char path[HM_FILE_PATH];
  HM_TRY(hm_path_join(path, b->core->paths.run, "authority.sock", err));
  HM_TRY(hm_auth_link_open(&b->link, path, err));
  enum hm_status status = b->is_resumed ? HM_OK : challenged_request(b, err);
  if (status == HM_OK) {
    struct hm_auth_question question = bind_question(b);
    status = hm_auth_ask(&b->link, &question, &answer, ASK_TIMEOUT_MS, err);
  }
  if (status == HM_OK)
    status = keep_answer(b, &answer, err);
  hm_auth_link_close(&b->link);
  return status;
}

/* ---- asking: `hallmark-authority issue` on a pipe
 * ---------------------------------------------------- */

/* The program beside ours, else the one in PATH. */
static char *authority_program(void)
{
  char self[HM_FILE_PATH];
  ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  if (n > 0) {
    self[n] = '\0';
    g_autofree char *folder = g_path_get_dirname(self);
    g_autofree char *beside = g_build_filename(folder, "hallmark-authority", NULL);
    if (access(beside, X_OK) == 0)
      return g_steal_pointer(&beside);
  }
  return g_find_program_in_path("hallmark-authority");
}

/* The child's ends; its three streams. Plain fork and exec: GSubprocess brings threads
 * that ThreadSanitizer cannot follow. */
struct issue {
  pid_t pid;
  int in, out, err; /* -1: closed */
  uint8_t answer[ANSWER_MAX];
  size_t answer_len;
  char said[512]; /* the beginning of its standard error */
  size_t said_len;
};

static void close_end(int *fd)
{
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

static enum hm_status spawn_issue(const struct birth *b, const char *program, struct issue *i,
                                  struct hm_error *err)
{
  const struct hm_paths *paths = &b->core->paths;
  const char *const argv[] = {program, "issue", paths->is_system ? NULL : "--state", paths->state,
                              NULL};
  int ends[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
  for (int n = 0; n < 3; n++)
    if (pipe2(ends[n], O_CLOEXEC) != 0)
      return hm_fail_errno(err, HM_IO, errno, "pipe");
  i->pid = fork();
  if (i->pid == 0) {
    if (dup2(ends[0][0], 0) == 0 && dup2(ends[1][1], 1) == 1 && dup2(ends[2][1], 2) == 2)
      execv(program, (char *const *)(uintptr_t)argv);
    _exit(127);
  }
  close_end(&ends[0][0]);
  close_end(&ends[1][1]);
  close_end(&ends[2][1]);
  i->in = ends[0][1];
  i->out = ends[1][0];
  i->err = ends[2][0];
  return i->pid > 0 ? HM_OK : hm_fail_errno(err, HM_IO, errno, "fork");
}

/* Read what is there; at the end the descriptor is closed. */
static void take_some(int *fd, void *buffer, size_t cap, size_t *len)
{
  char rest[1024];
  bool is_full = *len >= cap;
  ssize_t n = read(*fd, is_full ? rest : (char *)buffer + *len, is_full ? sizeof rest : cap - *len);
  if (n > 0 && !is_full)
    *len += (size_t)n;
  if (n == 0 || (n < 0 && errno != EINTR))
    close_end(fd);
}

/* Until both its streams end, or time is up. */
static bool listen_to_issue(struct issue *i)
{
  uint64_t until = hm_boottime_ns() + (uint64_t)ASK_TIMEOUT_MS * 1000000u;
  while ((i->out >= 0 || i->err >= 0) && hm_boottime_ns() < until) {
    struct pollfd p[2] = {{i->out, POLLIN, 0}, {i->err, POLLIN, 0}};
    if (poll(p, 2, 100) <= 0)
      continue;
    if (p[0].revents != 0)
      take_some(&i->out, i->answer, sizeof i->answer, &i->answer_len);
    if (p[1].revents != 0)
      take_some(&i->err, i->said, sizeof i->said - 1, &i->said_len);
  }
  return i->out < 0 && i->err < 0;
}

static enum hm_status end_issue(struct issue *i, const char *program, struct hm_error *err)
{
  int code = 0;
  bool is_done = listen_to_issue(i);
  close_end(&i->out);
  close_end(&i->err);
  if (!is_done)
    kill(i->pid, SIGKILL);
  while (waitpid(i->pid, &code, 0) < 0 && errno == EINTR)
    ;
  if (!is_done)
    return hm_fail(err, HM_TIMEOUT, "%s issue: no answer within %d s", program,
                   ASK_TIMEOUT_MS / 1000);
  if (i->answer_len > 0)
    return HM_OK;
  g_strdelimit(g_strchomp(i->said), "\n", ' ');
  return hm_fail(err, HM_UNREACHABLE, "%s issue: exit %d: %.300s", program,
                 WIFEXITED(code) ? WEXITSTATUS(code) : -1, i->said);
}

static enum hm_status run_issue(const struct birth *b, struct hm_bytes question, struct issue *i,
                                struct hm_error *err)
{
  g_autofree char *program = authority_program();
  if (program == NULL)
    return hm_fail(err, HM_NOT_FOUND,
                   "authority: not serving, and hallmark-authority is neither beside hallmarkd nor "
                   "in PATH");
  i->in = i->out = i->err = -1;
  HM_TRY(spawn_issue(b, program, i, err));
  /* A question is smaller than a pipe holds: this never waits. */
  bool is_sent = write(i->in, question.data, question.len) == (ssize_t)question.len;
  close_end(&i->in);
  enum hm_status status = end_issue(i, program, err);
  return status == HM_OK && !is_sent ? hm_fail(err, HM_IO, "%s issue: pipe", program) : status;
}

static enum hm_status ask_issue(struct birth *b, struct hm_error *err)
{
  static struct hm_auth_answer answer;
  uint8_t challenge[16], message[HM_AUTH_MESSAGE_MAX];
  struct hm_out out = hm_out(message, sizeof message);
  g_autofree struct issue *issue = g_new0(struct issue, 1);
  struct hm_bytes first, rest;
  if (!b->is_resumed) {
    HM_TRY(hm_random(challenge, sizeof challenge));
    HM_TRY(make_request(b, challenge));
  }
  struct hm_auth_question question = bind_question(b);
  HM_TRY(hm_auth_question_encode(&question, &out));
  HM_TRY(run_issue(b, hm_out_bytes(&out), issue, err));
  enum hm_status status =
      hm_auth_sequence_next(hm_bytes(issue->answer, issue->answer_len), &first, &rest);
  if (status == HM_OK)
    status = hm_auth_answer_decode(first, &answer, NULL);
  if (status != HM_OK)
    return hm_fail(err, status, "authority: its answer: %s", hm_status_text(status));
  return keep_answer(b, &answer, err);
}

static enum hm_status check_binding(struct birth *b, struct hm_error *err)
{
  struct hm_core *core = b->core;
  struct hm_now now = hm_core_now(core);
  struct hm_times times = hm_floor_times(&core->floor, &now);
  struct hm_entity entity;
  struct hm_log_view view;
  struct hm_binding binding;
  struct hm_sign1 sign1;
  struct hm_bytes object = hm_bytes(b->binding, b->binding_len);
  enum hm_status status =
      hm_binding_open(core->crypto, object, core->authority_point, NULL, &times, &entity);
  if (status == HM_OK)
    status = hm_signed_open(core->crypto, object, HM_TYP_BINDING, &hm_shape_binding,
                            core->authority_point, &binding, &sign1, NULL);
  if (status == HM_OK && !hm_bytes_equal(binding.request, hm_bytes(b->request, b->request_len)))
    status = HM_MISMATCH;
  if (status == HM_OK)
    status = hm_log_proof_verify(core->crypto, hm_bytes(b->proof, b->proof_len), object,
                                 core->authority_point, &view);
  return status == HM_OK ? HM_OK
                         : hm_fail(err, status,
                                   "authority: its certificate for this host is "
                                   "refused: %s",
                                   hm_status_text(status));
}

static enum hm_status ask(struct birth *b, struct hm_error *err)
{
  enum hm_status status = ask_socket(b, err);
  return status == HM_UNREACHABLE ? ask_issue(b, err) : status;
}

/* An interrupted init asks the same again; where that is too old, anew. */
static enum hm_status obtain_binding(struct birth *b, struct hm_error *err)
{
  enum hm_status status = HM_NOT_FOUND;
  HM_TRY(hm_path_join(b->request_path, b->core->paths.keys, "host.request", err));
  b->is_resumed =
      hm_file_read(b->request_path, b->request, sizeof b->request, &b->request_len, NULL) == HM_OK;
  if (b->is_resumed)
    status = ask(b, err);
  b->is_resumed = false;
  if (status != HM_OK)
    status = ask(b, err);
  HM_TRY(status);
  return check_binding(b, err);
}

/* ---- the store
 * --------------------------------------------------------------------------------------- */

static enum hm_status make_receipt(struct birth *b, struct hm_receipt *receipt, uint8_t *object,
                                   size_t *len)
{
  struct hm_out out = hm_out(object, HM_SIGN1_MAX);
  struct hm_now now = hm_core_now(b->core);
  receipt->iat = now.trust_s;
  receipt->quality = now.quality;
  receipt->level = 1;
  memcpy(receipt->subject, b->core->host_key.signer.kid, 32);
  HM_TRY(hm_receipt_make(b->core->crypto, &b->core->host_key.signer, receipt, &out));
  HM_TRY(hm_out_status(&out));
  *len = out.len;
  return HM_OK;
}

static enum hm_status make_entries(struct birth *b, struct hm_store_birth *birth)
{
  struct hm_core *core = b->core;
  struct hm_receipt genesis = {.kind = HM_RECEIPT_GENESIS, .evidence_count = 2};
  struct hm_receipt opened = {.kind = HM_RECEIPT_SEGMENT_OPENED,
                              .evidence_count = 1,
                              .has_first = true,
                              .first = 1,
                              .has_count = true};
  memcpy(birth->host, core->host_key.signer.kid, 32);
  HM_TRY(hm_random(birth->control_random, 16));
  HM_TRY(hm_random(birth->segment_random, 16));
  memcpy(genesis.evidence[0], core->authority, 32);
  HM_TRY(hm_law_of(core, genesis.evidence[1]));
  HM_TRY(make_receipt(b, &genesis, b->genesis, &b->genesis_len));
  HM_TRY(hm_segment_identity(core->crypto, birth->host, 1, 1, birth->segment_random,
                             opened.evidence[0]));
  HM_TRY(make_receipt(b, &opened, b->opened, &b->opened_len));
  birth->genesis.object = hm_bytes(b->genesis, b->genesis_len);
  birth->binding.object = hm_bytes(b->binding, b->binding_len);
  birth->binding.attached_count = 1;
  birth->binding.attached[0] = hm_bytes(b->proof, b->proof_len);
  birth->opened.object = hm_bytes(b->opened, b->opened_len);
  birth->genesis.time_s = birth->binding.time_s = birth->opened.time_s = hm_core_now(core).trust_s;
  return HM_OK;
}

static enum hm_status make_store(struct birth *b, struct hm_error *err)
{
  struct hm_store_birth birth = {0};
  struct hm_fault fault = {0};
  enum hm_status status = make_entries(b, &birth);
  if (status != HM_OK)
    return hm_fail(err, status, "store: first entries: %s", hm_status_text(status));
  status = hm_store_create(b->core->crypto, b->core->paths.store, &birth, &fault);
  return status == HM_OK ? HM_OK : hm_fail(err, status, "%s", fault.text);
}

/* ---- the order
 * ------------------------------------------------------------------------------------------ */

static enum hm_status refuse_second(const struct hm_core *core, struct hm_error *err)
{
  char format[HM_FILE_PATH];
  HM_TRY(hm_path_join(format, core->paths.store, "format", err));
  if (access(format, F_OK) == 0)
    return hm_fail(err, HM_EXISTS, "%s: this state has a store already", core->paths.store);
  return HM_OK;
}

/* One init at a time, and none beside a daemon: an exclusive lock on the keys' folder. */
static enum hm_status lock_keys(const struct hm_core *core, int *fd, struct hm_error *err)
{
  *fd = open(core->paths.keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (*fd < 0)
    return hm_fail_errno(err, HM_IO, errno, "%s", core->paths.keys);
  if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
    return HM_OK;
  close(*fd);
  *fd = -1;
  return hm_fail(err, HM_LOCKED, "%s: another init or hallmarkd is at work here", core->paths.keys);
}

static enum hm_status ensure_keys(struct hm_core *core, struct hm_error *err)
{
  char sign[HM_FILE_PATH], agree[HM_FILE_PATH];
  HM_TRY(hm_host_key_paths(core, sign, agree, err));
  HM_TRY(hm_signing_key_ensure(sign, &core->host_key, err));
  return hm_agreement_key_ensure(agree, &core->host_agree, err);
}

static void say_done(const struct birth *b)
{
  char lct[HM_LCT_TEXT + 1];
  const struct hm_paths *paths = &b->core->paths;
  const char *flag = paths->is_system ? "" : " --state ",
             *state = paths->is_system ? "" : paths->state;
  hm_lct_format(b->core->host_key.signer.kid, lct);
  hm_say("host       %s", lct);
  hm_say("store      %s (c1 genesis, c2 host, c3 first segment)", paths->store);
  hm_say("authority  %s/trust.d/home.pub: give this file to whoever must verify", paths->etc);
  hm_say("next       hallmark-authority serve%s%s", flag, state);
  hm_say("           hallmarkd%s%s", flag, state);
  hm_say("           hallmark-media%s%s", flag, state);
}

static enum hm_status init_locked(struct birth *b, struct hm_error *err)
{
  HM_TRY(refuse_second(b->core, err));
  HM_TRY(find_authority(b, err));
  HM_TRY(ensure_keys(b->core, err));
  HM_TRY(obtain_binding(b, err));
  HM_TRY(pin_authority(b, err));
  HM_TRY(make_store(b, err));
  (void)unlink(b->request_path);
  return HM_OK;
}

enum hm_status hm_daemon_init(struct hm_core *core, const char *authority_file,
                              struct hm_error *err)
{
  struct birth *b = g_new0(struct birth, 1);
  int lock = -1;
  b->core = core;
  b->authority_file = authority_file;
  b->link.fd = -1;
  enum hm_status status = refuse_second(core, err);
  if (status == HM_OK)
    status = hm_paths_make(&core->paths, err);
  if (status == HM_OK)
    status = lock_keys(core, &lock, err);
  if (status == HM_OK)
    status = init_locked(b, err);
  if (status == HM_OK)
    say_done(b);
  if (lock >= 0)
    close(lock);
  g_free(b);
  return status;
}

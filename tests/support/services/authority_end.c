/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/services/authority_end.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "services/clock.h"
#include "trust/capability.h"
#include "trust/crypto_openssl.h"
#include "trust/pairing_issue.h"

static const char PROGRAM[] = HM_BIN "/hallmark-authority";
enum { WORDS = 12, TIMEOUT_MS = 10000 };

uint64_t now_s(void)
{
  return hm_realtime_ns() / 1000000000u;
}

/* ---- the program ---------------------------------------------------------------------- */

static pid_t start(const char *const *words, int in, int out, int err)
{
  char *argv[WORDS + 2] = {0};
  argv[0] = strdup(PROGRAM);
  for (size_t i = 0; words[i] != NULL; i++) {
    assert_true(i < WORDS);
    argv[i + 1] = strdup(words[i]);
  }
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    execv(argv[0], argv);
    _exit(127);
  }
  for (size_t i = 0; argv[i] != NULL; i++)
    free(argv[i]);
  return pid;
}

/* A file without a name, holding these bytes. */
static int scratch(struct hm_bytes bytes)
{
  FILE *f = tmpfile();
  assert_non_null(f);
  int fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 10);
  fclose(f);
  assert_int_equal(write(fd, bytes.data, bytes.len), bytes.len);
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  return fd;
}

static size_t slurp(int fd, char *text, size_t cap)
{
  assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
  ssize_t n = read(fd, text, cap - 1);
  assert_true(n >= 0);
  text[n] = '\0';
  close(fd);
  return (size_t)n;
}

void authority_run(struct program_end *end, struct hm_bytes in, const char *const *words)
{
  int input = scratch(in), output = scratch(hm_bytes("", 0)), error = scratch(hm_bytes("", 0));
  int status = 0;
  pid_t pid = start(words, input, output, error);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  end->code = WEXITSTATUS(status);
  close(input);
  end->out_len = slurp(output, end->out, sizeof end->out);
  (void)slurp(error, end->err, sizeof end->err);
}

void authority_init(struct authority_end *e, const char *folder)
{
  struct program_end end;
  char path[300];
  memset(e, 0, sizeof *e);
  e->link.fd = -1;
  snprintf(e->state, sizeof e->state, "%s", folder);
  snprintf(e->socket, sizeof e->socket, "%s/run/authority.sock", folder);
  snprintf(path, sizeof path, "%s/home.pub", folder);
  const char *const words[] = {"init", "--state", e->state, "--out", path, NULL};
  authority_run(&end, hm_bytes("", 0), words);
  assert_string_equal(end.err, "");
  assert_int_equal(end.code, 0);
  assert_int_equal(hm_public_read(path, e->key, &e->err), HM_OK);
  assert_int_equal(hm_key_thumbprint(&hm_crypto_openssl, e->key, e->kid), HM_OK);
}

void authority_serve(struct authority_end *e)
{
  const char *const words[] = {"serve", "--state", e->state, NULL};
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  e->pid = start(words, null, null, null);
  close(null);
  for (int i = 0; i < 500 && hm_auth_link_open(&e->link, e->socket, &e->err) != HM_OK; i++)
    (void)poll(NULL, 0, 10);
  assert_true(e->link.fd >= 0);
}

void authority_stop(struct authority_end *e)
{
  int status = 0;
  hm_auth_link_close(&e->link);
  if (e->pid == 0)
    return;
  assert_int_equal(kill(e->pid, SIGTERM), 0);
  assert_int_equal(waitpid(e->pid, &status, 0), e->pid);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  e->pid = 0;
}

/* By file: the same question through `issue`. */
static enum hm_status ask_by_file(struct authority_end *e, const struct hm_auth_question *q,
                                  struct hm_auth_answer *a)
{
  static struct program_end end;
  static uint8_t message[HM_AUTH_MESSAGE_MAX];
  struct hm_out out = hm_out(message, sizeof message);
  const char *const words[] = {"issue", "--state", e->state, NULL};
  assert_int_equal(hm_auth_question_encode(q, &out), HM_OK);
  authority_run(&end, hm_out_bytes(&out), words);
  assert_int_equal(hm_auth_answer_decode(hm_bytes(end.out, end.out_len), a, NULL), HM_OK);
  enum hm_status status = hm_auth_answer_status(a, &e->err);
  assert_int_equal(end.code, hm_status_row(status)->exit_code);
  return status;
}

enum hm_status authority_ask(struct authority_end *e, const struct hm_auth_question *q,
                             struct hm_auth_answer *a)
{
  memset(&e->err, 0, sizeof e->err);
  return e->pid == 0 ? ask_by_file(e, q, a) : hm_auth_ask(&e->link, q, a, TIMEOUT_MS, &e->err);
}

void authority_challenge(struct authority_end *e, uint8_t challenge[16])
{
  struct hm_auth_question q = {.kind = HM_AUTH_CHALLENGE,
                               .u.challenge = {HM_CLASS_A, HM_ENTITY_HOST}};
  struct hm_auth_answer a;
  assert_int_equal(authority_ask(e, &q, &a), HM_OK);
  assert_memory_equal(a.u.challenge.key, e->key, 64);
  memcpy(challenge, a.u.challenge.challenge, 16);
}

/* ---- entities -------------------------------------------------------------------------- */

void entity_draw(struct test_entity *entity)
{
  struct hm_signing_key key;
  memset(entity, 0, sizeof *entity);
  assert_int_equal(hm_signing_key_draw(&entity->sign), HM_OK);
  assert_int_equal(hm_signing_key_draw(&key), HM_OK);
  memcpy(entity->agree.scalar, key.software.scalar, 32);
  memcpy(entity->agree.point, key.signer.point, 64);
}

void entity_describe(const struct test_entity *entity, const struct test_entity *host,
                     const uint8_t challenge[16], struct hm_binding_request *r)
{
  memset(r, 0, sizeof *r);
  r->iat = now_s();
  memcpy(r->challenge, challenge, 16);
  memcpy(r->sign, entity->sign.signer.point, 64);
  memcpy(r->agree, entity->agree.point, 64);
  r->class = host != NULL ? HM_CLASS_H : HM_CLASS_A;
  r->type = host != NULL ? HM_ENTITY_SENSOR : HM_ENTITY_HOST;
  r->kind = host != NULL ? HM_KIND_CAMERA : HM_KIND_NONE;
  r->anchor = host != NULL ? HM_ANCHOR_POSITION : HM_ANCHOR_SOFTWARE;
  memcpy(r->descriptors, entity->sign.signer.kid, 32);
  r->caps = host != NULL ? HM_CAP_FRAMES : HM_CAP_RECORDS;
  r->has_bound_to = host != NULL;
  if (host != NULL)
    memcpy(r->bound_to, host->sign.signer.kid, 32);
}

size_t entity_request(const struct test_entity *entity, const struct hm_binding_request *request,
                      uint8_t out[HM_SIGN1_MAX])
{
  struct hm_out o = hm_out(out, HM_SIGN1_MAX);
  assert_int_equal(hm_signed_make(&hm_crypto_openssl, &entity->sign.signer, HM_TYP_BINDING_REQUEST,
                                  &hm_shape_binding_request, request, &o),
                   HM_OK);
  return o.len;
}

size_t entity_countersign(const struct test_entity *host, struct hm_bytes request,
                          uint8_t out[HM_SIGN1_MAX])
{
  struct hm_sign1 s;
  struct hm_countersignature c = {.iat = now_s()};
  struct hm_out o = hm_out(out, HM_SIGN1_MAX);
  assert_int_equal(hm_sign1_parse(request, false, &s), HM_OK);
  assert_int_equal(hm_sign1_name(&hm_crypto_openssl, &s, hm_bytes(NULL, 0), c.certificate), HM_OK);
  assert_int_equal(hm_countersignature_make(&hm_crypto_openssl, &host->sign.signer, &c, &o), HM_OK);
  return o.len;
}

static void keep_binding(struct authority_end *e, struct test_entity *entity,
                         const struct test_entity *host, const struct hm_auth_bind_answer *a)
{
  struct hm_log_view view;
  struct hm_times times = {now_s(), HM_QUALITY_AUTHORITY, hm_build_time()};
  assert_int_equal(hm_binding_open(&hm_crypto_openssl, a->binding, e->key,
                                   host != NULL ? &host->facts : NULL, &times, &entity->facts),
                   HM_OK);
  assert_int_equal(hm_log_proof_verify(&hm_crypto_openssl, a->proof, a->binding, e->key, &view),
                   HM_OK);
  assert_memory_equal(entity->facts.lct, entity->sign.signer.kid, 32);
  memcpy(entity->binding, a->binding.data, a->binding.len);
  entity->binding_len = a->binding.len;
  memcpy(entity->proof, a->proof.data, a->proof.len);
  entity->proof_len = a->proof.len;
}

void entity_bind(struct authority_end *e, struct test_entity *entity,
                 const struct test_entity *host)
{
  uint8_t challenge[16], request[HM_SIGN1_MAX], countersign[HM_SIGN1_MAX];
  struct hm_binding_request r;
  struct hm_auth_question q = {.kind = HM_AUTH_BIND};
  struct hm_auth_answer a;
  authority_challenge(e, challenge);
  entity_describe(entity, host, challenge, &r);
  q.u.bind.request = hm_bytes(request, entity_request(entity, &r, request));
  q.u.bind.has_countersign = host != NULL;
  if (host != NULL)
    q.u.bind.countersign =
        hm_bytes(countersign, entity_countersign(host, q.u.bind.request, countersign));
  assert_int_equal(authority_ask(e, &q, &a), HM_OK);
  keep_binding(e, entity, host, &a.u.bind);
}

/* ---- pairing ----------------------------------------------------------------------------- */

void pair_wish(const struct test_entity *a, const struct test_entity *b,
               struct hm_pairing_request *w)
{
  memset(w, 0, sizeof *w);
  w->iat = now_s();
  w->exp = w->iat + 3600;
  assert_int_equal(hm_random(w->nonce, sizeof w->nonce), HM_OK);
  memcpy(w->entities[0], a->sign.signer.kid, 32);
  memcpy(w->entities[1], b->sign.signer.kid, 32);
  w->context = HM_CONTEXT_DRIVE;
  w->operation_count = 2;
  w->operations[0] = HM_OP_OBSERVE;
  w->operations[1] = HM_OP_REMEMBER;
  w->data_count = 4;
  w->data_types[0] = HM_DATA_FRAME;
  w->data_types[1] = HM_DATA_TILE_SUMMARY;
  w->data_types[2] = HM_DATA_FOCUS;
  w->data_types[3] = HM_DATA_EMBEDDING;
  w->max_epochs = 255;
}

size_t pair_request(const struct test_entity *a, const struct hm_pairing_request *wishes,
                    uint8_t out[HM_SIGN1_MAX])
{
  struct hm_out o = hm_out(out, HM_SIGN1_MAX);
  assert_int_equal(hm_pairing_request_make(&hm_crypto_openssl, &a->sign.signer, wishes, &o), HM_OK);
  return o.len;
}

static uint64_t last_iat(void *store, const uint8_t peer[32], uint64_t context)
{
  (void)store;
  (void)peer;
  (void)context;
  return 0;
}

static bool is_burnt(void *store, const uint8_t name[32])
{
  (void)store;
  (void)name;
  return false;
}

static void keep_set(struct test_pair *pair, const struct hm_auth_pair_answer *a)
{
  const struct {
    struct hm_bytes from;
    uint8_t *to;
    size_t *len;
  } rows[] = {{a->pairing, pair->certificate, &pair->certificate_len},
              {a->section_a, pair->section[0], &pair->section_len[0]},
              {a->section_b, pair->section[1], &pair->section_len[1]},
              {a->handshake, pair->handshake, &pair->handshake_len}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    memcpy(rows[i].to, rows[i].from.data, rows[i].from.len);
    *rows[i].len = rows[i].from.len;
  }
}

/* What A is told of its partner is what the partner was given. */
static void check_partner(const struct test_pair *pair, const struct test_entity *a,
                          const struct test_entity *b, struct hm_bytes object,
                          const uint8_t authority[64])
{
  uint8_t buffer[HM_PAIR_PARTNER_MAX + 1024];
  struct hm_bytes binding, proof;
  struct hm_log_view view;
  assert_int_equal(hm_pair_partner_open(&hm_crypto_openssl, a->agree.scalar, pair->name, object,
                                        buffer, sizeof buffer, &binding, &proof),
                   HM_OK);
  assert_int_equal(binding.len, b->binding_len);
  assert_memory_equal(binding.data, b->binding, b->binding_len);
  assert_int_equal(hm_log_proof_verify(&hm_crypto_openssl, proof, binding, authority, &view),
                   HM_OK);
}

static void take_set(struct test_pair *pair, int role, const struct test_entity *own,
                     const struct test_entity *peer, struct hm_out *out)
{
  const struct hm_pair_memory memory = {NULL, last_iat, is_burnt};
  struct hm_times times = {now_s(), HM_QUALITY_AUTHORITY, hm_build_time()};
  uint8_t random[48];
  assert_int_equal(hm_random(random, sizeof random), HM_OK);
  struct hm_pair_set set = {
      .certificate = hm_bytes(pair->certificate, pair->certificate_len),
      .section = hm_bytes(pair->section[role], pair->section_len[role]),
      .handshake = hm_bytes(pair->handshake, pair->handshake_len),
      .peer = &peer->facts,
      .agreement = own->agree.scalar,
      .random = random,
      .times = &times,
      .memory = &memory,
  };
  assert_int_equal(hm_pair_take_set(&pair->side[role], &hm_crypto_openssl, &set, 1000, out), HM_OK);
}

static void begin(struct test_pair *pair, int role, const struct test_entity *own,
                  const struct test_entity *peer, bool is_local, const uint8_t authority[64])
{
  struct hm_pair_setup setup = {.role = (uint8_t)role,
                                .has_peer = true,
                                .is_pinned = true,
                                .is_local = is_local,
                                .node = {0x30, 0x30}};
  memcpy(setup.own, own->facts.lct, 32);
  memcpy(setup.peer, peer->facts.lct, 32);
  memcpy(setup.authority, authority, 64);
  hm_pair_begin(&pair->side[role], &setup);
}

/* P3 to P7 in one process. */
static void shake_hands(struct test_pair *pair, struct test_entity *a, struct test_entity *b,
                        struct hm_bytes p3)
{
  uint8_t message[3][HM_SIGN1_MAX];
  struct hm_out p4 = hm_out(message[0], HM_SIGN1_MAX), p6 = hm_out(message[1], HM_SIGN1_MAX),
                p7 = hm_out(message[2], HM_SIGN1_MAX), none = hm_out(NULL, 0);
  const struct hm_crypto *c = &hm_crypto_openssl;
  assert_int_equal(hm_pair_take_half(&pair->side[1], c, &b->sign.signer, p3, 1001, &p4), HM_OK);
  assert_int_equal(
      hm_pair_take_half(&pair->side[0], c, &a->sign.signer, hm_out_bytes(&p4), 1002, &p6), HM_OK);
  assert_int_equal(hm_pair_take_completion(&pair->side[1], c, hm_out_bytes(&p6), 1003, &p7), HM_OK);
  assert_int_equal(hm_pair_take_completion(&pair->side[0], c, hm_out_bytes(&p7), 1004, &none),
                   HM_OK);
}

void pair_run(struct authority_end *e, struct test_entity *a, struct test_entity *b,
              const struct hm_pairing_request *wishes, struct test_pair *pair)
{
  uint8_t request[HM_SIGN1_MAX], half[HM_SIGN1_MAX];
  struct hm_out p1 = hm_out(request, sizeof request), p3 = hm_out(half, sizeof half);
  struct hm_out none = hm_out(NULL, 0);
  struct hm_auth_question q = {.kind = HM_AUTH_PAIR};
  struct hm_auth_answer answer;
  bool is_local = b->facts.class == HM_CLASS_H;
  memset(pair, 0, sizeof *pair);
  begin(pair, 0, a, b, is_local, e->key);
  begin(pair, 1, b, a, is_local, e->key);
  assert_int_equal(
      hm_pair_ask(&pair->side[0], &hm_crypto_openssl, &a->sign.signer, wishes, 1000, &p1), HM_OK);
  q.u.pair.request = hm_out_bytes(&p1);
  assert_int_equal(authority_ask(e, &q, &answer), HM_OK);
  keep_set(pair, &answer.u.pair);
  struct hm_pairing facts;
  struct hm_log_view view;
  assert_int_equal(hm_pairing_open(&hm_crypto_openssl, answer.u.pair.pairing, e->key, NULL, &facts),
                   HM_OK);
  memcpy(pair->name, facts.name, 32);
  assert_int_equal(hm_log_proof_verify(&hm_crypto_openssl, answer.u.pair.proof,
                                       answer.u.pair.pairing, e->key, &view),
                   HM_OK);
  check_partner(pair, a, b, answer.u.pair.partner, e->key);
  take_set(pair, 0, a, b, &p3);
  take_set(pair, 1, b, a, &none);
  shake_hands(pair, a, b, hm_out_bytes(&p3));
}

enum hm_status pair_complete(struct authority_end *e, const struct test_pair *pair, unsigned which,
                             bool gave_up, struct hm_receipt *receipt, bool *has_receipt)
{
  struct hm_bytes completion[2];
  struct hm_auth_question q = {.kind = HM_AUTH_COMPLETE};
  struct hm_auth_answer answer;
  assert_int_equal(hm_pair_completions(&pair->side[0], completion), HM_OK);
  memcpy(q.u.complete.certificate, pair->name, 32);
  q.u.complete.has_completion[0] = (which & 1) != 0;
  q.u.complete.has_completion[1] = (which & 2) != 0;
  q.u.complete.completion0 = completion[0];
  q.u.complete.completion1 = completion[1];
  q.u.complete.gave_up = gave_up;
  *has_receipt = false;
  HM_TRY(authority_ask(e, &q, &answer));
  *has_receipt = answer.u.complete.has_receipt;
  if (*has_receipt)
    assert_int_equal(
        hm_receipt_open(&hm_crypto_openssl, answer.u.complete.receipt, e->key, receipt, NULL),
        HM_OK);
  return HM_OK;
}

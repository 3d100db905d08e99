/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Messages of the authority: every kind there and back, every truncation and every
 * changed byte refused or read as something else, never as the same.
 */
#include "services/authproto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static uint8_t object[HM_SIGN1_MAX]; /* stands for any signed object */
static uint8_t wire[HM_AUTH_MESSAGE_MAX];

static struct hm_bytes some(size_t len)
{
  return hm_bytes(object, len);
}

/* ---- one of each ---------------------------------------------------------------------- */

enum { QUESTIONS = 9, ANSWERS = 9 };

static struct hm_auth_question question(size_t i)
{
  struct hm_auth_question q;
  memset(&q, 0, sizeof q);
  switch (i) {
  case 0:
    q.kind = HM_AUTH_HELLO;
    q.u.hello.version = HM_AUTH_VERSION;
    q.u.hello.nonce[3] = 7;
    break;
  case 1:
    q.kind = HM_AUTH_CHALLENGE;
    q.u.challenge.entity_class = 3;
    q.u.challenge.entity_type = 9;
    break;
  case 2:
    q.kind = HM_AUTH_BIND;
    q.u.bind.request = some(400);
    break;
  case 3:
    q.kind = HM_AUTH_BIND;
    q.u.bind.request = some(HM_SIGN1_MAX);
    q.u.bind.has_countersign = q.u.bind.has_supersedes = true;
    q.u.bind.countersign = some(HM_CERTIFICATE_MAX);
    memset(q.u.bind.supersedes, 5, 32);
    break;
  case 4:
    q.kind = HM_AUTH_PAIR;
    q.u.pair.request = some(300);
    break;
  case 5:
    q.kind = HM_AUTH_COMPLETE;
    memset(q.u.complete.certificate, 8, 32);
    q.u.complete.has_completion[1] = true;
    q.u.complete.completion1 = some(182);
    q.u.complete.gave_up = 1;
    break;
  case 6:
    q.kind = HM_AUTH_REVOKE;
    q.u.revoke.reason = 16;
    break;
  case 7:
    q.kind = HM_AUTH_REVOKE;
    q.u.revoke.reason = 65535;
    q.u.revoke.has_pairing_id = q.u.revoke.has_since = true;
    q.u.revoke.pairing_id[0] = 1;
    q.u.revoke.since = 1764000000;
    break;
  default:
    q.kind = HM_AUTH_LOG;
    q.u.log.held = 12;
    q.u.log.revocations = INT64_MAX;
    break;
  }
  return q;
}

static struct hm_auth_answer answer(size_t i)
{
  static const uint8_t proof[] = {0x80};
  static const char text[] = "front: no";
  struct hm_auth_answer a;
  memset(&a, 0, sizeof a);
  switch (i) {
  case 0:
    a.kind = HM_AUTH_HELLO;
    a.u.hello.time = some(149);
    a.u.hello.key[9] = 4;
    a.u.hello.checkpoint = some(170);
    break;
  case 1:
    a.kind = HM_AUTH_CHALLENGE;
    a.u.challenge.challenge[0] = 1;
    break;
  case 2:
    a.kind = HM_AUTH_BIND;
    a.u.bind.binding = some(673);
    a.u.bind.proof = hm_bytes(proof, sizeof proof);
    break;
  case 3:
    a.kind = HM_AUTH_PAIR;
    a.u.pair.pairing = some(382);
    a.u.pair.proof = hm_bytes(proof, sizeof proof);
    a.u.pair.section_a = a.u.pair.section_b = a.u.pair.handshake = some(200);
    a.u.pair.partner = some(3000);
    break;
  case 4:
    a.kind = HM_AUTH_COMPLETE;
    break;
  case 5:
    a.kind = HM_AUTH_COMPLETE;
    a.u.complete.has_receipt = true;
    a.u.complete.receipt = some(288);
    break;
  case 6:
    a.kind = HM_AUTH_REVOKE;
    a.u.revoke.revocation = some(188);
    break;
  case 7:
    a.kind = HM_AUTH_LOG;
    a.u.log.checkpoint = some(170);
    a.u.log.way.count = 3;
    a.u.log.way.hash[2][31] = 6;
    a.u.log.revocation_count = HM_AUTH_REVOCATIONS;
    for (size_t n = 0; n < HM_AUTH_REVOCATIONS; n++)
      a.u.log.revocations[n] = some(224);
    break;
  default:
    a.kind = HM_AUTH_ERROR;
    a.u.error.status = HM_POLICY;
    a.u.error.text = hm_bytes(text, sizeof text - 1);
    break;
  }
  return a;
}

/* ---- tests ------------------------------------------------------------------------------ */

static void every_question_reads_back(void **state)
{
  (void)state;
  for (size_t i = 0; i < QUESTIONS; i++) {
    struct hm_auth_question q = question(i), back;
    static uint8_t twice[HM_AUTH_MESSAGE_MAX];
    struct hm_out out = hm_out(wire, sizeof wire), again = hm_out(twice, sizeof twice);
    assert_int_equal(hm_auth_question_encode(&q, &out), HM_OK);
    assert_int_equal(hm_auth_question_decode(hm_out_bytes(&out), &back, NULL), HM_OK);
    assert_int_equal(back.kind, q.kind);
    assert_int_equal(hm_auth_question_encode(&back, &again), HM_OK);
    assert_int_equal(out.len, again.len);
    assert_memory_equal(wire, twice, out.len);
  }
}

static void every_answer_reads_back(void **state)
{
  (void)state;
  for (size_t i = 0; i < ANSWERS; i++) {
    struct hm_auth_answer a = answer(i), back;
    static uint8_t twice[HM_AUTH_MESSAGE_MAX];
    struct hm_out out = hm_out(wire, sizeof wire), again = hm_out(twice, sizeof twice);
    assert_int_equal(hm_auth_answer_encode(&a, &out), HM_OK);
    assert_int_equal(hm_auth_answer_decode(hm_out_bytes(&out), &back, NULL), HM_OK);
    assert_int_equal(back.kind, a.kind);
    assert_int_equal(hm_auth_answer_encode(&back, &again), HM_OK);
    assert_int_equal(out.len, again.len);
    assert_memory_equal(wire, twice, out.len);
  }
}

static void no_truncation_and_no_addition_is_read(void **state)
{
  (void)state;
  for (size_t i = 0; i < QUESTIONS; i++) {
    struct hm_auth_question q = question(i), back;
    struct hm_out out = hm_out(wire, sizeof wire);
    assert_int_equal(hm_auth_question_encode(&q, &out), HM_OK);
    for (size_t len = 0; len < out.len; len++)
      assert_int_not_equal(hm_auth_question_decode(hm_bytes(wire, len), &back, NULL), HM_OK);
    wire[out.len] = 0;
    assert_int_equal(hm_auth_question_decode(hm_bytes(wire, out.len + 1), &back, NULL),
                     HM_MALFORMED);
  }
}

/* What is read is written back to the very bytes it was read from: there is one spelling. */
static void a_changed_byte_is_refused_or_is_another_message(void **state)
{
  (void)state;
  static uint8_t twice[HM_AUTH_MESSAGE_MAX];
  for (size_t i = 0; i < QUESTIONS; i++) {
    struct hm_auth_question q = question(i), back;
    struct hm_out out = hm_out(wire, sizeof wire);
    assert_int_equal(hm_auth_question_encode(&q, &out), HM_OK);
    for (size_t at = 0; at < out.len; at += at < 64 ? 1 : 97)
      for (unsigned bit = 0; bit < 8; bit++) {
        wire[at] ^= (uint8_t)(1u << bit);
        if (hm_auth_question_decode(hm_out_bytes(&out), &back, NULL) == HM_OK) {
          struct hm_out again = hm_out(twice, sizeof twice);
          assert_int_equal(hm_auth_question_encode(&back, &again), HM_OK);
          assert_int_equal(out.len, again.len);
          assert_memory_equal(wire, twice, out.len);
        }
        wire[at] ^= (uint8_t)(1u << bit);
      }
  }
}

static enum hm_status read_question(const char *bytes, size_t len)
{
  struct hm_auth_question q;
  return hm_auth_question_decode(hm_bytes(bytes, len), &q, NULL);
}

static void limits_are_kept(void **state)
{
  (void)state;
  struct hm_auth_question q = question(2);
  struct hm_auth_answer a = answer(8);
  struct hm_out out = hm_out(wire, sizeof wire);
  static char text[HM_AUTH_ERROR_TEXT + 1];
  q.u.bind.request = some(79);
  assert_int_equal(hm_auth_question_encode(&q, &out), HM_MALFORMED);
  q = question(0);
  q.u.hello.version = 2;
  assert_int_equal(hm_auth_question_encode(&q, &out), HM_MALFORMED);
  q = question(6);
  q.u.revoke.reason = 0;
  assert_int_equal(hm_auth_question_encode(&q, &out), HM_MALFORMED);
  memset(text, 'x', sizeof text);
  a.u.error.text = hm_bytes(text, sizeof text);
  assert_int_equal(hm_auth_answer_encode(&a, &out), HM_MALFORMED);
  a.u.error.text = hm_bytes(text, 1);
  a.u.error.status = HM_OK;
  assert_int_equal(hm_auth_answer_encode(&a, &out), HM_MALFORMED);
  a.u.error.status = HM_STATUS_COUNT;
  assert_int_equal(hm_auth_answer_encode(&a, &out), HM_MALFORMED);
  static uint8_t big[HM_AUTH_MESSAGE_MAX + 1];
  assert_int_equal(read_question((const char *)big, sizeof big), HM_TOO_LARGE);
  struct hm_out small = hm_out(wire, 10);
  q = question(0);
  assert_int_equal(hm_auth_question_encode(&q, &small), HM_SHORT_BUFFER);
}

static void what_is_no_question_is_refused(void **state)
{
  (void)state;
  assert_int_equal(read_question("", 0), HM_TRUNCATED);
  assert_int_equal(read_question("\x81\x01", 2), HM_MALFORMED);
  assert_int_equal(read_question("\x82\x20\x80", 3), HM_WRONG_TYPE);
  assert_int_equal(read_question("\x82\x08\x80", 3), HM_UNSUPPORTED);
  assert_int_equal(read_question("\x82\x0f\x82\x01\x61x", 6), HM_UNSUPPORTED);
  assert_int_equal(read_question("\x82\x18\x01\x80", 4), HM_NOT_DETERMINISTIC);
  assert_int_equal(read_question("\x82\x02\x82\x01", 4), HM_TRUNCATED);
  assert_int_equal(read_question("\x82\x02\x82\x04\x01", 5), HM_MALFORMED);
  assert_int_not_equal(read_question("\x82\x02\x83\x01\x01\x01", 6), HM_OK);
}

static void a_sequence_is_taken_apart(void **state)
{
  (void)state;
  struct hm_bytes rest, message;
  struct hm_out out = hm_out(wire, sizeof wire);
  size_t len[3];
  for (size_t i = 0; i < 3; i++) {
    struct hm_auth_question q = question(i);
    size_t before = out.len;
    assert_int_equal(hm_auth_question_encode(&q, &out), HM_OK);
    len[i] = out.len - before;
  }
  rest = hm_out_bytes(&out);
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(hm_auth_sequence_next(rest, &message, &rest), HM_OK);
    assert_int_equal(message.len, len[i]);
  }
  assert_int_equal(rest.len, 0);
  assert_int_equal(hm_auth_sequence_next(rest, &message, &rest), HM_TRUNCATED);
}

/* ---- the asking side ------------------------------------------------------------------------ */

static void the_asker_does_not_wait_for_ever(void **state)
{
  (void)state;
  char path[64];
  int listener = -1, fd = -1;
  static struct hm_auth_link link;
  struct hm_error err;
  struct hm_peer peer;
  struct hm_auth_answer a;
  struct hm_auth_question q = question(0);
  snprintf(path, sizeof path, "/tmp/hallmark-authproto-%d.sock", (int)getpid());
  assert_int_equal(hm_auth_link_open(&link, path, &err), HM_UNREACHABLE);
  assert_non_null(strstr(err.text, path));
  assert_int_equal(hm_packet_listen(path, 0600, NULL, &listener, &err), HM_OK);
  /* nobody answers */
  assert_int_equal(hm_auth_link_open(&link, path, &err), HM_OK);
  assert_int_equal(hm_auth_ask(&link, &q, &a, 50, &err), HM_TIMEOUT);
  assert_int_equal(link.fd, -1);
  assert_int_equal(hm_auth_ask(&link, &q, &a, 50, &err), HM_UNREACHABLE);
  assert_int_equal(hm_packet_accept(listener, &fd, &peer, &err), HM_OK);
  assert_int_equal(peer.uid, geteuid());
  assert_int_equal(peer.pid, getpid());
  (void)close(fd);
  /* the answer is nonsense, or to another question */
  static const uint8_t challenge[] = {0x82, 0x01};
  assert_int_equal(hm_auth_link_open(&link, path, &err), HM_OK);
  assert_int_equal(hm_packet_accept(listener, &fd, &peer, &err), HM_OK);
  assert_int_equal(hm_packet_send(fd, hm_bytes(challenge, sizeof challenge)), HM_OK);
  assert_int_equal(hm_auth_ask(&link, &q, &a, 1000, &err), HM_TRUNCATED);
  assert_int_equal(link.fd, -1);
  (void)close(fd);
  struct hm_auth_answer other = answer(1);
  struct hm_out out = hm_out(wire, sizeof wire);
  assert_int_equal(hm_auth_answer_encode(&other, &out), HM_OK);
  assert_int_equal(hm_auth_link_open(&link, path, &err), HM_OK);
  assert_int_equal(hm_packet_accept(listener, &fd, &peer, &err), HM_OK);
  assert_int_equal(hm_packet_send(fd, hm_out_bytes(&out)), HM_OK);
  assert_int_equal(hm_auth_ask(&link, &q, &a, 1000, &err), HM_WRONG_TYPE);
  (void)close(fd);
  /* an error answer keeps the connection */
  other = answer(8);
  out = hm_out(wire, sizeof wire);
  assert_int_equal(hm_auth_answer_encode(&other, &out), HM_OK);
  assert_int_equal(hm_auth_link_open(&link, path, &err), HM_OK);
  assert_int_equal(hm_packet_accept(listener, &fd, &peer, &err), HM_OK);
  assert_int_equal(hm_packet_send(fd, hm_out_bytes(&out)), HM_OK);
  assert_int_equal(hm_auth_ask(&link, &q, &a, 1000, &err), HM_POLICY);
  assert_string_equal(err.text, "authority: front: no");
  assert_true(link.fd >= 0);
  (void)close(fd);
  assert_int_equal(hm_auth_ask(&link, &q, &a, 1000, &err), HM_UNREACHABLE);
  /* a second listener is refused while the first lives, and takes over when it died */
  int second = -1;
  assert_int_equal(hm_packet_listen(path, 0600, NULL, &second, &err), HM_EXISTS);
  (void)close(listener);
  assert_int_equal(hm_packet_listen(path, 0600, NULL, &second, &err), HM_OK);
  (void)close(second);
  (void)unlink(path);
}

/* Closing over unread packets resets the connection; what was sent before still comes. */
static void last_words_are_heard_after_a_reset(void **state)
{
  (void)state;
  int fds[2];
  uint8_t data[16];
  size_t len;
  assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
  assert_int_equal(hm_packet_send(fds[0], hm_bytes("unread", 6)), HM_OK);
  assert_int_equal(hm_packet_send(fds[1], hm_bytes("last", 4)), HM_OK);
  (void)close(fds[1]);
  assert_int_equal(hm_packet_receive(fds[0], data, sizeof data, &len), HM_OK);
  assert_int_equal(len, 4);
  assert_memory_equal(data, "last", 4);
  assert_int_equal(hm_packet_receive(fds[0], data, sizeof data, &len), HM_UNREACHABLE);
  assert_int_equal(hm_packet_send(fds[0], hm_bytes("x", 1)), HM_UNREACHABLE);
  (void)close(fds[0]);
}

static void admission_counts_users(void **state)
{
  (void)state;
  struct hm_admission a = {.most = 5, .most_of_user = 2};
  assert_int_equal(hm_admission_enter(&a, 1), HM_OK);
  assert_int_equal(hm_admission_enter(&a, 1), HM_OK);
  assert_int_equal(hm_admission_enter(&a, 1), HM_FULL);
  assert_int_equal(hm_admission_enter(&a, 2), HM_OK);
  assert_int_equal(hm_admission_enter(&a, 3), HM_OK);
  assert_int_equal(hm_admission_enter(&a, 4), HM_OK);
  assert_int_equal(hm_admission_enter(&a, 5), HM_FULL);
  assert_int_equal(a.refused, 2);
  hm_admission_leave(&a, 1);
  assert_int_equal(hm_admission_enter(&a, 5), HM_OK);
  hm_admission_leave(&a, 77);
  assert_int_equal(a.count, 5);
  for (uid_t uid = 1; uid <= 5; uid++)
    hm_admission_leave(&a, uid);
  assert_int_equal(a.count, 0);
  assert_int_equal(a.user_count, 0);
}

int main(void)
{
  for (size_t i = 0; i < sizeof object; i++)
    object[i] = (uint8_t)(i * 7);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_question_reads_back),
      cmocka_unit_test(every_answer_reads_back),
      cmocka_unit_test(no_truncation_and_no_addition_is_read),
      cmocka_unit_test(a_changed_byte_is_refused_or_is_another_message),
      cmocka_unit_test(limits_are_kept),
      cmocka_unit_test(what_is_no_question_is_refused),
      cmocka_unit_test(a_sequence_is_taken_apart),
      cmocka_unit_test(the_asker_does_not_wait_for_ever),
      cmocka_unit_test(last_words_are_heard_after_a_reset),
      cmocka_unit_test(admission_counts_users),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

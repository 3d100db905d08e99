/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Two tables, one for questions and one for answers: kind, name, shape of the body.
 * The wire form is in the shapes; what a shape cannot say is checked after it.
 */
#include "services/authproto.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "services/clock.h"

enum {
  SECTION_MAX = 1024, /* an encrypted section */
  PARTNER_MAX = 8192, /* an encrypted binding certificate and its log proof */
  PROOF_MAX = 8192,   /* an encoded log proof */
  SIGN1_MIN = 80
};

/* ---- shapes -------------------------------------------------------------------------- */

#define AT(type, member) offsetof(struct type, member)
/* Members of an array, by kind. */
#define UINT(type, member, least, most)                                                            \
  {                                                                                                \
    .name = #member, .kind = HM_UINT, .at = AT(type, member), .min = (least), .max = (most)        \
  }
#define FIXED(type, member, size)                                                                  \
  {                                                                                                \
    .name = #member, .kind = HM_FIXED, .at = AT(type, member), .min = (size), .max = (size)        \
  }
#define FIXED_OR_NIL(type, member, size)                                                           \
  {                                                                                                \
    .name = #member, .kind = HM_FIXED, .flags = HM_NIL_OK, .at = AT(type, member),                 \
    .has_at = AT(type, has_##member), .min = (size), .max = (size)                                 \
  }
#define BSTR(type, member, least, most)                                                            \
  {                                                                                                \
    .name = #member, .kind = HM_BSTR, .at = AT(type, member), .min = (least), .max = (most)        \
  }
#define BSTR_OR_NIL(type, member, has, least, most)                                                \
  {                                                                                                \
    .name = #member, .kind = HM_BSTR, .flags = HM_NIL_OK, .at = AT(type, member),                  \
    .has_at = AT(type, has), .min = (least), .max = (most)                                         \
  }
#define SIGN1(type, member) BSTR(type, member, SIGN1_MIN, HM_SIGN1_MAX)
#define RAW(type, member, most)                                                                    \
  {                                                                                                \
    .name = #member, .kind = HM_RAW, .at = AT(type, member), .min = 1, .max = (most)               \
  }
#define ARRAY(type, text, members)                                                                 \
  {                                                                                                \
    .name = text, .form = HM_ARRAY, .fields = members,                                             \
    .field_count = sizeof(members) / sizeof(members)[0], .size = sizeof(struct type)               \
  }

static const struct hm_field hello_fields[] = {
    UINT(hm_auth_hello, version, HM_AUTH_VERSION, HM_AUTH_VERSION),
    FIXED(hm_auth_hello, nonce, 16),
};
static const struct hm_field challenge_fields[] = {
    UINT(hm_auth_challenge, entity_class, 1, 3),
    UINT(hm_auth_challenge, entity_type, 1, 9),
};
static const struct hm_field bind_fields[] = {
    SIGN1(hm_auth_bind, request),
    BSTR_OR_NIL(hm_auth_bind, countersign, has_countersign, SIGN1_MIN, HM_CERTIFICATE_MAX),
    FIXED_OR_NIL(hm_auth_bind, supersedes, 32),
};
static const struct hm_field pair_fields[] = {
    SIGN1(hm_auth_pair, request),
};
static const struct hm_field complete_fields[] = {
    FIXED(hm_auth_complete, certificate, 32),
    BSTR_OR_NIL(hm_auth_complete, completion0, has_completion[0], SIGN1_MIN, HM_CERTIFICATE_MAX),
    BSTR_OR_NIL(hm_auth_complete, completion1, has_completion[1], SIGN1_MIN, HM_CERTIFICATE_MAX),
    UINT(hm_auth_complete, gave_up, 0, 1),
};
static const struct hm_field revoke_fields[] = {
    FIXED(hm_auth_revoke, certificate, 32),
    FIXED_OR_NIL(hm_auth_revoke, pairing_id, 16),
    UINT(hm_auth_revoke, reason, 1, 65535),
    {.name = "since",
     .kind = HM_UINT,
     .flags = HM_NIL_OK,
     .at = AT(hm_auth_revoke, since),
     .has_at = AT(hm_auth_revoke, has_since),
     .min = 1,
     .max = HM_SECONDS_MAX},
};
static const struct hm_field log_fields[] = {
    UINT(hm_auth_log, held, 0, INT64_MAX),
    UINT(hm_auth_log, revocations, 0, INT64_MAX),
};

static const struct hm_field hello_answer_fields[] = {
    SIGN1(hm_auth_hello_answer, time),
    FIXED(hm_auth_hello_answer, key, 64),
    SIGN1(hm_auth_hello_answer, checkpoint),
};
static const struct hm_field challenge_answer_fields[] = {
    FIXED(hm_auth_challenge_answer, challenge, 16),
    FIXED(hm_auth_challenge_answer, key, 64),
};
static const struct hm_field bind_answer_fields[] = {
    SIGN1(hm_auth_bind_answer, binding),
    RAW(hm_auth_bind_answer, proof, PROOF_MAX),
};
static const struct hm_field pair_answer_fields[] = {
    SIGN1(hm_auth_pair_answer, pairing),
    RAW(hm_auth_pair_answer, proof, PROOF_MAX),
    BSTR(hm_auth_pair_answer, section_a, 1, SECTION_MAX),
    BSTR(hm_auth_pair_answer, section_b, 1, SECTION_MAX),
    BSTR(hm_auth_pair_answer, handshake, 1, SECTION_MAX),
    BSTR(hm_auth_pair_answer, partner, 1, PARTNER_MAX),
};
static const struct hm_field complete_answer_fields[] = {
    BSTR_OR_NIL(hm_auth_complete_answer, receipt, has_receipt, SIGN1_MIN, HM_SIGN1_MAX),
};
static const struct hm_field revoke_answer_fields[] = {
    SIGN1(hm_auth_revoke_answer, revocation),
};
static const struct hm_field hash_fields[] = {
    {.name = "hash", .kind = HM_FIXED, .at = 0, .min = 32, .max = 32},
};
static const struct hm_shape hash_shape = {
    .name = "hash", .form = HM_ITEM, .fields = hash_fields, .field_count = 1, .size = 32};
static const struct hm_field sign1_fields[] = {
    {.name = "object", .kind = HM_BSTR, .at = 0, .min = SIGN1_MIN, .max = HM_SIGN1_MAX},
};
static const struct hm_shape sign1_shape = {.name = "object",
                                            .form = HM_ITEM,
                                            .fields = sign1_fields,
                                            .field_count = 1,
                                            .size = sizeof(struct hm_bytes)};
static const struct hm_field log_answer_fields[] = {
    SIGN1(hm_auth_log_answer, checkpoint),
    {.name = "way",
     .kind = HM_LIST,
     .at = AT(hm_auth_log_answer, way.hash),
     .count_at = AT(hm_auth_log_answer, way.count),
     .max = HM_PATH_MAX,
     .of = &hash_shape},
    {.name = "revocations",
     .kind = HM_LIST,
     .at = AT(hm_auth_log_answer, revocations),
     .count_at = AT(hm_auth_log_answer, revocation_count),
     .max = HM_AUTH_REVOCATIONS,
     .of = &sign1_shape},
};
static const struct hm_field error_fields[] = {
    UINT(hm_auth_error, status, 1, HM_STATUS_COUNT - 1),
    {.name = "text",
     .kind = HM_TSTR,
     .at = AT(hm_auth_error, text),
     .min = 1,
     .max = HM_AUTH_ERROR_TEXT},
};

/* ---- tables --------------------------------------------------------------------------- */

struct row {
  enum hm_auth_kind kind;
  const char *name;
  struct hm_shape shape;
};

static const struct row questions[] = {
    {HM_AUTH_HELLO, "hello", ARRAY(hm_auth_hello, "hello", hello_fields)},
    {HM_AUTH_CHALLENGE, "challenge", ARRAY(hm_auth_challenge, "challenge", challenge_fields)},
    {HM_AUTH_BIND, "bind", ARRAY(hm_auth_bind, "bind", bind_fields)},
    {HM_AUTH_PAIR, "pair", ARRAY(hm_auth_pair, "pair", pair_fields)},
    {HM_AUTH_COMPLETE, "complete", ARRAY(hm_auth_complete, "complete", complete_fields)},
    {HM_AUTH_REVOKE, "revoke", ARRAY(hm_auth_revoke, "revoke", revoke_fields)},
    {HM_AUTH_LOG, "log", ARRAY(hm_auth_log, "log", log_fields)},
};

static const struct row answers[] = {
    {HM_AUTH_HELLO, "hello", ARRAY(hm_auth_hello_answer, "hello-answer", hello_answer_fields)},
    {HM_AUTH_CHALLENGE, "challenge",
     ARRAY(hm_auth_challenge_answer, "challenge-answer", challenge_answer_fields)},
    {HM_AUTH_BIND, "bind", ARRAY(hm_auth_bind_answer, "bind-answer", bind_answer_fields)},
    {HM_AUTH_PAIR, "pair", ARRAY(hm_auth_pair_answer, "pair-answer", pair_answer_fields)},
    {HM_AUTH_COMPLETE, "complete",
     ARRAY(hm_auth_complete_answer, "complete-answer", complete_answer_fields)},
    {HM_AUTH_REVOKE, "revoke", ARRAY(hm_auth_revoke_answer, "revoke-answer", revoke_answer_fields)},
    {HM_AUTH_LOG, "log", ARRAY(hm_auth_log_answer, "log-answer", log_answer_fields)},
    {HM_AUTH_ERROR, "error", ARRAY(hm_auth_error, "error", error_fields)},
};

static const struct row *find(const struct row *rows, size_t count, uint64_t kind)
{
  for (size_t i = 0; i < count; i++)
    if ((uint64_t)rows[i].kind == kind)
      return &rows[i];
  return NULL;
}

static const struct row *question_row(uint64_t kind)
{
  return find(questions, sizeof questions / sizeof questions[0], kind);
}

static const struct row *answer_row(uint64_t kind)
{
  return find(answers, sizeof answers / sizeof answers[0], kind);
}

const char *hm_auth_kind_text(uint64_t kind)
{
  const struct row *row = answer_row(kind);
  return row != NULL ? row->name : "?";
}

/* ---- codec ------------------------------------------------------------------------------ */

static enum hm_status encode(const struct row *row, const void *body, struct hm_out *out)
{
  if (row == NULL)
    return HM_UNSUPPORTED;
  size_t begin = out->len;
  hm_cbor_put_array(out, 2);
  hm_cbor_put_uint(out, row->kind);
  HM_TRY(hm_encode(&row->shape, body, out, NULL));
  HM_TRY(hm_out_status(out));
  return out->len - begin <= HM_AUTH_MESSAGE_MAX ? HM_OK : HM_TOO_LARGE;
}

/* [kind, ...: the cursor then stands at the body. */
static enum hm_status open_message(struct hm_bytes message, struct hm_cbor *c, uint64_t *kind)
{
  if (message.len > HM_AUTH_MESSAGE_MAX)
    return HM_TOO_LARGE;
  *c = hm_cbor(message);
  size_t count;
  HM_TRY(hm_cbor_array(c, &count));
  if (count != 2)
    return HM_MALFORMED;
  return hm_cbor_uint(c, kind);
}

static enum hm_status decode_body(const struct row *row, struct hm_cbor *c, void *body,
                                  struct hm_where *where)
{
  if (row == NULL)
    return HM_UNSUPPORTED;
  HM_TRY(hm_decode_next(&row->shape, c, body, where));
  return hm_cbor_end(c);
}

enum hm_status hm_auth_question_encode(const struct hm_auth_question *q, struct hm_out *out)
{
  return encode(question_row(q->kind), &q->u, out);
}

enum hm_status hm_auth_answer_encode(const struct hm_auth_answer *a, struct hm_out *out)
{
  return encode(answer_row(a->kind), &a->u, out);
}

enum hm_status hm_auth_question_decode(struct hm_bytes message, struct hm_auth_question *q,
                                       struct hm_where *where)
{
  memset(q, 0, sizeof *q);
  struct hm_cbor c;
  uint64_t kind;
  HM_TRY(open_message(message, &c, &kind));
  const struct row *row = question_row(kind);
  HM_TRY(decode_body(row, &c, &q->u, where));
  q->kind = row->kind;
  return HM_OK;
}

enum hm_status hm_auth_answer_decode(struct hm_bytes message, struct hm_auth_answer *a,
                                     struct hm_where *where)
{
  memset(a, 0, sizeof *a);
  struct hm_cbor c;
  uint64_t kind;
  HM_TRY(open_message(message, &c, &kind));
  const struct row *row = answer_row(kind);
  HM_TRY(decode_body(row, &c, &a->u, where));
  a->kind = row->kind;
  return HM_OK;
}

enum hm_status hm_auth_sequence_next(struct hm_bytes sequence, struct hm_bytes *message,
                                     struct hm_bytes *rest)
{
  struct hm_cbor c = hm_cbor(sequence);
  HM_TRY(hm_cbor_skip(&c, message));
  if (message->len > HM_AUTH_MESSAGE_MAX)
    return HM_TOO_LARGE;
  *rest = hm_bytes(sequence.data + c.at, sequence.len - c.at);
  return HM_OK;
}

/* ---- the asking side ----------------------------------------------------------------------- */

enum hm_status hm_auth_link_open(struct hm_auth_link *link, const char *path, struct hm_error *err)
{
  link->fd = -1;
  enum hm_status status = hm_packet_connect(path, &link->fd, err);
  if (status != HM_OK)
    (void)hm_error_prefix(err, "authority");
  return status;
}

void hm_auth_link_close(struct hm_auth_link *link)
{
  if (link->fd >= 0)
    (void)close(link->fd);
  link->fd = -1;
}

enum hm_status hm_auth_answer_status(const struct hm_auth_answer *answer, struct hm_error *err)
{
  if (answer->kind != HM_AUTH_ERROR)
    return HM_OK;
  const struct hm_auth_error *e = &answer->u.error;
  return hm_fail(err, (enum hm_status)e->status, "authority: %.*s", (int)e->text.len,
                 (const char *)e->text.data);
}

/* Send the bytes in link->out, receive into link->in, all by one deadline. */
static enum hm_status exchange(struct hm_auth_link *link, struct hm_bytes question, size_t *len,
                               int timeout_ms)
{
  uint64_t deadline = hm_boottime_ns() + (uint64_t)timeout_ms * 1000000u;
  enum hm_status status = hm_packet_send(link->fd, question);
  while (status == HM_OK) {
    status = hm_packet_receive(link->fd, link->in, sizeof link->in, len);
    if (status != HM_NOT_FOUND)
      return status;
    uint64_t now = hm_boottime_ns();
    if (now >= deadline)
      return HM_TIMEOUT;
    status = hm_packet_wait(link->fd, false, (int)((deadline - now + 999999u) / 1000000u));
  }
  return status == HM_FULL ? HM_TIMEOUT : status;
}

enum hm_status hm_auth_ask(struct hm_auth_link *link, const struct hm_auth_question *question,
                           struct hm_auth_answer *answer, int timeout_ms, struct hm_error *err)
{
  const char *kind = hm_auth_kind_text(question->kind);
  if (link->fd < 0)
    return hm_fail(err, HM_UNREACHABLE, "authority: no connection");
  struct hm_out out = hm_out(link->out, sizeof link->out);
  enum hm_status status = hm_auth_question_encode(question, &out);
  if (status != HM_OK)
    return hm_fail(err, status, "authority: this %s cannot be asked: %s", kind,
                   hm_status_text(status));
  size_t len = 0;
  status = exchange(link, hm_out_bytes(&out), &len, timeout_ms);
  if (status == HM_OK)
    status = hm_auth_answer_decode(hm_bytes(link->in, len), answer, NULL);
  if (status == HM_OK && answer->kind != question->kind && answer->kind != HM_AUTH_ERROR)
    status = HM_WRONG_TYPE;
  if (status != HM_OK) {
    hm_auth_link_close(link);
    return hm_fail(err, status, "authority: no answer to %s within %d ms: %s", kind, timeout_ms,
                   hm_status_text(status));
  }
  return hm_auth_answer_status(answer, err);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <glib.h>
#include <unistd.h>

#include "services/authority_serve.h"

/* All of `in`, at most HM_ISSUE_MAX bytes. */
static enum hm_status read_all(int in, uint8_t *data, size_t *len, struct hm_error *err)
{
  *len = 0;
  for (;;) {
    ssize_t n = read(in, data + *len, HM_ISSUE_MAX + 1 - *len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return hm_fail_errno(err, HM_IO, errno, "standard input");
    if (n == 0)
      break;
    *len += (size_t)n;
    if (*len > HM_ISSUE_MAX)
      return hm_fail(err, HM_TOO_LARGE, "standard input: over %d bytes, the limit", HM_ISSUE_MAX);
  }
  return *len > 0 ? HM_OK
                  : hm_fail(err, HM_TRUNCATED,
                            "standard input is empty: a CBOR sequence of requests is needed");
}

static enum hm_status write_all(int out, struct hm_bytes bytes, struct hm_error *err)
{
  size_t at = 0;
  while (at < bytes.len) {
    ssize_t n = write(out, bytes.data + at, bytes.len - at);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return hm_fail_errno(err, HM_IO, errno, "standard output");
    at += (size_t)n;
  }
  return HM_OK;
}

static enum hm_status answer_one(struct hm_authority *a, struct hm_bytes message, int out,
                                 struct hm_error *said, struct hm_error *err)
{
  g_autofree uint8_t *space = g_malloc(HM_AUTH_MESSAGE_MAX);
  struct hm_out answer = hm_out(space, HM_AUTH_MESSAGE_MAX);
  enum hm_status status = hm_authority_answer(a, message, &answer, said);
  if (status != HM_OK)
    return hm_fail(err, status, "the answer: %s", hm_status_text(status));
  return write_all(out, hm_out_bytes(&answer), err);
}

/* The first thing that went wrong is what the program ends with. */
static enum hm_status answer_all(struct hm_authority *a, struct hm_bytes all, int out,
                                 struct hm_error *err)
{
  struct hm_error first = {HM_OK, ""};
  struct hm_bytes rest = all;
  for (unsigned number = 1; rest.len > 0; number++) {
    struct hm_error said = {HM_OK, ""};
    struct hm_bytes message;
    size_t at = all.len - rest.len;
    enum hm_status status = hm_auth_sequence_next(rest, &message, &rest);
    if (status != HM_OK)
      return hm_fail(err, status, "standard input: request %u at byte %zu: %s", number, at,
                     hm_status_text(status));
    HM_TRY(answer_one(a, message, out, &said, err));
    if (first.status == HM_OK && said.status != HM_OK) {
      first = said;
      (void)hm_error_prefix(&first, "request %u", number);
    }
  }
  if (first.status != HM_OK && err != NULL)
    *err = first;
  return first.status;
}

enum hm_status hm_authority_issue(struct hm_authority *a, int in, int out, struct hm_error *err)
{
  g_autofree uint8_t *data = g_malloc(HM_ISSUE_MAX + 1);
  size_t len = 0;
  HM_TRY(read_all(in, data, &len, err));
  return answer_all(a, hm_bytes(data, len), out, err);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Messages of authority.sock, both directions, and the sequence form. What is read is
 * written back to the same bytes.
 */
#include <stdlib.h>

#include "services/authproto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_be_same(enum hm_status status, struct hm_bytes in, const struct hm_out *out)
{
  if (status != HM_OK || !hm_bytes_equal(in, hm_out_bytes(out)))
    abort();
}

static void one_message(struct hm_bytes in)
{
  static uint8_t again[HM_AUTH_MESSAGE_MAX + 64];
  struct hm_auth_question question;
  struct hm_auth_answer answer;
  struct hm_where where;
  struct hm_out out = hm_out(again, sizeof again);
  if (hm_auth_question_decode(in, &question, &where) == HM_OK)
    must_be_same(hm_auth_question_encode(&question, &out), in, &out);
  out = hm_out(again, sizeof again);
  if (hm_auth_answer_decode(in, &answer, &where) == HM_OK)
    must_be_same(hm_auth_answer_encode(&answer, &out), in, &out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hm_bytes rest = hm_bytes(data, size), message;
  one_message(rest);
  while (rest.len > 0 && hm_auth_sequence_next(rest, &message, &rest) == HM_OK)
    one_message(message);
  return 0;
}

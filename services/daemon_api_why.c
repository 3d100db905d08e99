/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The reasons of one memory. The daemon builds the proof that a stranger would get
 * and judges it as a stranger would, with the authorities of trust.d; who does not
 * want to take its word asks for the bytes (Accept: application/cbor).
 */
#include <string.h>

#include "services/daemon_api.h"
#include "services/text.h"
#include "services/view_chain.h"

static const char *name_of(void *user, const uint8_t lct[32])
{
  return hm_core_name_of(user, lct);
}

static void on_proof(void *user, const struct hm_core_proof *result)
{
  struct hm_api_request *r = user;
  struct hm_error error = {HM_OK, ""};
  struct hm_anchors anchors = {.count = 1};
  struct hm_chain chain;
  if (result->error.status != HM_OK) {
    hm_api_problem(r, &result->error);
    return;
  }
  const char *accept =
      soup_message_headers_get_one(soup_server_message_get_request_headers(r->message), "Accept");
  if (accept && strstr(accept, "application/cbor")) {
    hm_api_answer_bytes(r, "application/cbor", result->file.data, result->file.len);
    return;
  }
  anchors.authority[0].name = "authority";
  hm_core_authority_key(r->api->core, anchors.authority[0].point);
  struct hm_chain_request request = {
      .file = result->file, .anchors = &anchors, .recompute = true, .keep_steps = true};
  if (hm_chain_verify(r->api->view.crypto, &request, &chain, &error) != HM_OK)
    hm_api_problem(r, &error);
  else
    hm_api_answer(r, 200, hm_chain_json(&chain, name_of, r->api->core));
  hm_chain_clear(&chain);
}

void hm_api_get_why(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  uint64_t number = 0;
  if (!hm_text_log_number(r->object, 'm', &number)) {
    (void)hm_fail(&error, HM_MALFORMED, "%.32s: expected a memory, mN", r->object);
    hm_api_problem(r, &error);
    return;
  }
  hm_api_wait(r);
  hm_core_prove(r->api->core, &number, 1, on_proof, r);
}

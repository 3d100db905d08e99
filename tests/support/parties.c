/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/parties.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "trust/crypto_openssl.h"

static const struct hm_crypto *const engine = &hm_crypto_openssl;

/* Bytes that look random and are known by their label. */
static void derive(const char *label, uint8_t number, uint8_t *out, size_t len)
{
  struct hm_bytes info[2] = {hm_bytes(label, strlen(label)), hm_bytes(&number, 1)};
  static const uint8_t prk[32] = "hallmark tests, nothing random";
  assert_int_equal(hm_hkdf_expand(engine, hm_bytes(prk, sizeof prk), info, 2, out, len), HM_OK);
}

static void bind(struct party *party, uint8_t number, const struct party *authority)
{
  uint8_t request[HM_CERTIFICATE_MAX], certificate[HM_CERTIFICATE_MAX];
  struct hm_binding_request wish = {
      .iat = PARTY_NOW, .class = HM_CLASS_A, .type = HM_ENTITY_APP, .anchor = HM_ANCHOR_SOFTWARE};
  derive("challenge", number, wish.challenge, sizeof wish.challenge);
  derive("anchor", number, wish.descriptors, sizeof wish.descriptors);
  memcpy(wish.sign, party->signer.point, 64);
  memcpy(wish.agree, party->agreement_point, 64);
  struct hm_out out = hm_out(request, sizeof request);
  assert_int_equal(hm_binding_request_make(engine, &party->signer, &wish, &out), HM_OK);

  struct hm_binding binding = {.exp = PARTY_NOW + PARTY_YEAR,
                               .nbf = PARTY_NOW,
                               .iat = PARTY_NOW,
                               .request = hm_out_bytes(&out)};
  struct hm_out signed_out = hm_out(certificate, sizeof certificate);
  assert_int_equal(hm_binding_make(engine, &authority->signer, &binding, &signed_out), HM_OK);
  assert_int_equal(hm_binding_open(engine, hm_out_bytes(&signed_out), authority->signer.point, NULL,
                                   NULL, &party->entity),
                   HM_OK);
}

void party_make(struct party *party, uint8_t number, const struct party *authority)
{
  uint8_t random[48], scalar[32], point[64];
  memset(party, 0, sizeof *party);
  derive("sign", number, random, sizeof random);
  assert_int_equal(hm_p256_generate(engine, random, scalar, point), HM_OK);
  assert_int_equal(hm_signer_from_scalar(engine, scalar, &party->key, &party->signer), HM_OK);
  derive("agree", number, random, sizeof random);
  assert_int_equal(hm_p256_generate(engine, random, party->agreement, party->agreement_point),
                   HM_OK);
  if (authority != NULL)
    bind(party, number, authority);
}

void party_policy(const uint8_t a[32], const uint8_t b[32], struct hm_policy *policy)
{
  *policy = (struct hm_policy){
      .kid16 = 0x5678,
      .data_count = 2,
      .data_types = {HM_DATA_FRAME, HM_DATA_FOCUS},
      .operation_count = 2,
      .operations = {HM_OP_OBSERVE, HM_OP_REMEMBER},
      .max_epochs = 16,
      .context = HM_CONTEXT_DRIVE,
      .receipt_within = 30,
  };
  derive("pairing id", 0, policy->pairing_id, sizeof policy->pairing_id);
  memcpy(policy->entities[0], a, 32);
  memcpy(policy->entities[1], b, 32);
}

void party_wishes(const uint8_t a[32], const uint8_t b[32], struct hm_pairing_request *wishes)
{
  *wishes = (struct hm_pairing_request){
      .exp = PARTY_NOW + PARTY_YEAR,
      .iat = PARTY_NOW,
      .data_count = 2,
      .data_types = {HM_DATA_FRAME, HM_DATA_FOCUS},
      .operation_count = 2,
      .operations = {HM_OP_OBSERVE, HM_OP_REMEMBER},
      .max_epochs = 16,
      .context = HM_CONTEXT_DRIVE,
      .receipt_within = 30,
  };
  derive("wish", 0, wishes->nonce, sizeof wishes->nonce);
  memcpy(wishes->entities[0], a, 32);
  memcpy(wishes->entities[1], b, 32);
}

void party_issue_random(uint8_t number, struct hm_issue_random *random)
{
  derive("issue", number, (uint8_t *)random, sizeof *random);
}

void party_issue(const struct party *authority, const struct party *a, const struct party *b,
                 const struct hm_policy *policy, unsigned later,
                 const struct hm_issue_random *random, struct hm_issued *issued)
{
  struct hm_issue_random once = *random;
  struct hm_issue issue = {
      .exp = PARTY_NOW + 30 * 86400,
      .nbf = PARTY_NOW,
      .iat = PARTY_NOW + later,
      .policy = policy,
      .callback = hm_bytes("authority", 9),
  };
  memcpy(issue.agree[0], a->agreement_point, 64);
  memcpy(issue.agree[1], b->agreement_point, 64);
  assert_int_equal(hm_pairing_issue(engine, &authority->signer, &issue, &once, issued), HM_OK);
  const struct hm_issue_random zero = {.seed = {0}};
  assert_memory_equal(&once, &zero, sizeof once);
}

struct hm_bytes party_receipt(const struct party *authority, const struct hm_issued *issued,
                              const uint8_t subject[32], uint8_t completion_name[2][32],
                              bool is_failed, bool is_local, uint8_t buffer[1024])
{
  struct hm_receipt receipt = {
      .iat = PARTY_NOW + 1,
      .level = 6,
      .quality = HM_QUALITY_AUTHORITY,
      .kind = is_failed ? HM_RECEIPT_FAILED : HM_RECEIPT_COMPLETION,
      .result = is_failed ? HM_RESULT_FAIL : HM_RESULT_PASS,
      .has_certificate = true,
      .has_context = true,
      .context = HM_CONTEXT_DRIVE,
      .has_flags = is_local,
      .flags = 1,
      .evidence_count = is_failed ? 0 : 2,
  };
  memcpy(receipt.certificate, issued->name, 32);
  memcpy(receipt.subject, subject, 32);
  if (!is_failed)
    memcpy(receipt.evidence, completion_name, 64);
  struct hm_out out = hm_out(buffer, 1024);
  assert_int_equal(hm_receipt_make(engine, &authority->signer, &receipt, &out), HM_OK);
  return hm_out_bytes(&out);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * trust/proof over arbitrary files, three times: under a key nobody signed with, which
 * must never prove anything; under the key of the corpus; and with an engine that
 * takes every signature, so that the fuzzer gets behind them to the rules.
 */
#include "trust/proof.h"

#include <stdio.h>
#include <stdlib.h>

#include "trust/crypto_openssl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool claim, const char *what)
{
  if (claim)
    return;
  fprintf(stderr, "broken: %s\n", what);
  abort();
}

static enum hm_status take_any(const uint8_t point[64], const uint8_t digest[32],
                               const uint8_t signature[64])
{
  (void)point;
  (void)digest;
  (void)signature;
  return HM_OK;
}

/* The authority of tests/support/world with seed 1, whose files the corpus holds. */
static void authority_key(uint8_t seed, uint8_t point[64])
{
  uint8_t random[48], scalar[32];
  memset(random, 0x41, sizeof random);
  random[47] = seed;
  insist(hm_p256_generate(&hm_crypto_openssl, random, scalar, point) == HM_OK, "a key");
}

static void hear(void *user, const struct hm_proof_step *step)
{
  size_t *broken = user;
  insist(step->sentence != NULL && hm_proof_link_name(step->link) != NULL, "a step has words");
  *broken += step->result == HM_STEP_BROKEN;
}

static bool run(const struct hm_crypto *engine, struct hm_bytes file, const uint8_t point[64],
                size_t bytes)
{
  struct hm_proof_authority authority = {.name = "fuzz"};
  struct hm_verdict verdict;
  struct hm_proof_fault fault;
  size_t broken = 0;
  void *scratch = malloc(bytes);
  memcpy(authority.point, point, 64);
  struct hm_proof_input in = {.file = file,
                              .authorities = &authority,
                              .authority_count = 1,
                              .step = hear,
                              .step_user = &broken,
                              .scratch = scratch,
                              .scratch_len = bytes};
  enum hm_status status = hm_proof_verify(engine, &in, &verdict, &fault);
  bool proven = hm_verdict_is_proven(&verdict);
  insist(!proven || (status == HM_OK && broken == 0), "proven only without a broken link");
  insist(status != HM_OK || proven || verdict.authorized == HM_ANSWER_UNKNOWN || verdict.has_broken,
         "what is not proven names a link");
  insist(status == HM_OK || fault.sentence != NULL, "what is malformed says why");
  insist(broken == 0 || verdict.has_broken, "the first broken link is kept");
  free(scratch);
  return proven;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static uint8_t nobody[64], known[64];
  static struct hm_crypto credulous;
  if (credulous.sha256 == NULL) {
    credulous = hm_crypto_openssl;
    credulous.p256_verify = take_any;
    authority_key(1, known);
    authority_key(200, nobody);
  }
  struct hm_bytes file = hm_bytes(data, size);
  struct hm_proof_fault fault;
  size_t bytes;
  if (hm_proof_scratch(file, &bytes, &fault) != HM_OK)
    return 0;
  insist(!run(&hm_crypto_openssl, file, nobody, bytes), "never proven under a foreign key");
  run(&hm_crypto_openssl, file, known, bytes);
  run(&credulous, file, known, bytes);
  return 0;
}

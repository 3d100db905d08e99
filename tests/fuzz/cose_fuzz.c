/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * trust/cose over arbitrary bytes: signed objects and encrypted ones. What parses is
 * spelled in the one way that the profile has, and its name can be taken.
 */
#include "trust/cose.h"

#include <stdio.h>
#include <stdlib.h>

#include "trust/crypto_openssl.h"
#include "trust/pairing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hm_crypto *const engine = &hm_crypto_openssl;

static void insist(bool claim, const char *what)
{
  if (claim)
    return;
  fprintf(stderr, "broken: %s\n", what);
  abort();
}

static bool is_within(struct hm_bytes part, struct hm_bytes whole)
{
  return part.len == 0 ||
         (part.data >= whole.data && part.data + part.len <= whole.data + whole.len);
}

static void check_views(const struct hm_sign1 *s, struct hm_bytes object)
{
  insist(is_within(s->protected_header, object) && is_within(s->claims, object) &&
             is_within(s->unprotected, object) && is_within(s->payload, object),
         "views lie in the object");
  insist(hm_typ_row(s->typ) != NULL && hm_typ_row(s->typ)->has_kid == s->has_kid,
         "a typ of the profile, with a kid where it has one");
  insist(hm_es256_is_low_s(s->signature), "low s");
}

static void try_sign1(struct hm_bytes object, bool allow_proof)
{
  static uint8_t again[1 << 20];
  struct hm_sign1 s;
  uint8_t name[32], leaf[32];
  const uint8_t root[32] = {1};
  if (hm_sign1_parse(object, allow_proof, &s) != HM_OK)
    return;
  check_views(&s, object);
  struct hm_out out = hm_out(again, sizeof again);
  insist(hm_sign1_with_unprotected(&s, s.unprotected, &out) == HM_OK, "it can be written");
  insist(hm_bytes_equal(hm_out_bytes(&out), object), "one spelling only");
  insist(hm_sign1_name(engine, &s, hm_bytes(root, 32), name) == HM_OK &&
             hm_sign1_leaf(engine, &s, hm_bytes(root, 32), leaf) == HM_OK,
         "it has a name and a leaf");
}

/* Ends in BAD_TAG at best: nobody guesses a tag. */
static void try_encrypted(struct hm_bytes object)
{
  static uint8_t plain[8192];
  const uint8_t key[32] = {[31] = 1};
  size_t len;
  struct hm_bytes binding, proof;
  (void)!hm_decrypt0(engine, key, object, hm_bytes(NULL, 0), plain, sizeof plain, &len);
  (void)!hm_decrypt(engine, key, object, hm_bytes(NULL, 0), plain, sizeof plain, &len);
  (void)!hm_pair_partner_open(engine, key, key, object, plain, sizeof plain, &binding, &proof);
}

static void try_record(struct hm_bytes record)
{
  static uint8_t plain[8192];
  const struct hm_record_key key = {{1}, {2}};
  const struct hm_seal_way way = {HM_MESSAGE_KEY_HALF, 1, HM_NODE_HOST, HM_NODE_HOST};
  struct hm_seal_header header;
  size_t len;
  if (hm_seal_peek(record, &header) != HM_OK)
    return;
  insist(header.counter < 1u << 24, "a counter of 24 bits");
  /* One of the corpus does open. */
  if (hm_seal_open(engine, &key, &way, record, plain, sizeof plain, &len) == HM_OK)
    insist(len == record.len - HM_SEAL_OVERHEAD, "what opens has its length");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hm_bytes in = hm_bytes(data, size);
  try_sign1(in, false);
  try_sign1(in, true);
  try_encrypted(in);
  if (size <= 8192)
    try_record(in);
  return 0;
}

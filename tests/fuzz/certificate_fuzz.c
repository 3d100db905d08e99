/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every object over arbitrary bytes. The first byte chooses: a table (what it decodes
 * encodes to the same bytes), or the opening of a signed object, with an engine that
 * takes every signature and once with the real one.
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

static void try_table(const struct hm_object *row, struct hm_bytes in)
{
  struct hm_where where;
  void *object = malloc(row->shape->size);
  insist(object != NULL, "memory");
  if (hm_decode(row->shape, in, object, &where) == HM_OK) {
    uint8_t *again = malloc(in.len + 1);
    struct hm_out out = hm_out(again, in.len);
    insist(hm_encode(row->shape, object, &out, &where) == HM_OK, "what is read can be written");
    insist(hm_bytes_equal(in, hm_out_bytes(&out)), "to the same bytes");
    free(again);
  }
  free(object);
}

static void try_unsigned(struct hm_bytes in)
{
  struct hm_record record;
  struct hm_batch_facts facts;
  struct hm_sensor_facts sensor;
  struct hm_policy policy;
  struct hm_encoder encoder;
  struct hm_control_entry entry;
  size_t count;
  uint8_t again[HM_RECORD_MAX];
  struct hm_out out = hm_out(again, sizeof again);
  if (hm_record_decode(in, &record, NULL) == HM_OK) {
    insist(hm_record_encode(&record, &out, NULL) == HM_OK, "a record can be written");
    insist(hm_bytes_equal(in, hm_out_bytes(&out)), "to the same bytes");
    insist(hm_trust_fold(record.trust) <= 256, "trust is a fraction");
  }
  (void)!hm_batch_facts_decode(in, &facts);
  (void)!hm_sensor_facts_decode(in, &sensor);
  (void)!hm_policy_decode(in, &policy);
  (void)!hm_encoder_decode(in, &encoder);
  (void)!hm_control_entry_decode(in, &entry);
  (void)!hm_live_check(in, &count);
  insist(hm_control_entry_kind(in) != NULL, "every entry has a word");
}

union any {
  struct hm_entity entity;
  struct hm_binding_request request;
  struct hm_countersignature countersign;
  struct hm_session session;
  struct hm_pairing pairing;
  struct hm_pairing_request wish;
  struct hm_completion completion;
  struct hm_receipt receipt;
  struct hm_signed_time time;
  struct hm_witness_answer answer;
  struct hm_export manifest;
  struct hm_law law;
  struct hm_revocation revocation;
  struct hm_head head;
  struct hm_checkpoint checkpoint;
  struct hm_batch_claims claims;
};

static void try_signed(const struct hm_crypto *c, struct hm_bytes in, const uint8_t point[64])
{
  union any v;
  uint8_t name[32], kid[32], pair[2][32];
  bool is_hosted;
  struct hm_sign1 s;
  struct hm_log_view view;
  struct hm_entity host;
  memset(&host, 0, sizeof host);
  memcpy(host.sign, point, 64);
  (void)!hm_binding_open(c, in, point, NULL, NULL, &v.entity);
  if (hm_binding_host(in, &is_hosted, host.lct) == HM_OK)
    (void)!hm_binding_open(c, in, point, &host, NULL, &v.entity);
  (void)!hm_binding_request_open(c, in, &v.request, name);
  (void)!hm_countersignature_open(c, in, point, &v.countersign, name);
  (void)!hm_session_open(c, in, point, &v.session, kid, name);
  (void)!hm_pairing_open(c, in, point, NULL, &v.pairing);
  (void)!hm_pairing_request_open(c, in, point, &v.wish, name);
  (void)!hm_pairing_request_peek(in, pair);
  (void)!hm_completion_open(c, in, point, &v.completion, name);
  (void)!hm_receipt_open(c, in, point, &v.receipt, name);
  (void)!hm_signed_time_open(c, in, point, &v.time, name);
  (void)!hm_witness_answer_open(c, in, point, &v.answer, name);
  (void)!hm_export_open(c, in, point, &v.manifest, name);
  (void)!hm_law_open(c, in, point, &v.law, name);
  (void)!hm_revocation_open(c, in, point, &v.revocation, name);
  (void)!hm_head_open(c, in, point, &v.head, name);
  (void)!hm_checkpoint_open(c, in, point, &v.checkpoint, name);
  (void)!hm_log_proof_verify(c, in, in, point, &view);
  if (hm_batch_peek(in, true, &s, &v.claims) == HM_OK) {
    struct hm_proof_cursor cursor;
    struct hm_inclusion_proof proof;
    enum hm_status status = hm_batch_proofs_begin(s.unprotected, &cursor);
    while (status == HM_OK)
      status = hm_batch_proofs_next(&cursor, &proof);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const uint8_t scalar[32] = {[31] = 9};
  static uint8_t point[64];
  static struct hm_crypto credulous;
  if (credulous.sha256 == NULL) {
    credulous = hm_crypto_openssl;
    credulous.p256_verify = take_any;
    insist(hm_crypto_openssl.p256_public(scalar, point) == HM_OK, "a key");
  }
  if (size == 0)
    return 0;
  struct hm_bytes in = hm_bytes(data + 1, size - 1);
  if (data[0] < hm_object_count) {
    try_table(hm_object_table[data[0]], in);
    return 0;
  }
  try_unsigned(in);
  try_signed(&credulous, in, point);
  try_signed(&hm_crypto_openssl, in, point);
  return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/keep.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct hm_crypto *const engine = &hm_crypto_openssl;
static uint8_t proof[8192];

static struct hm_log_item with_proof(struct world *w, const struct world_object *certificate)
{
  struct hm_log_item item = {
      .object = world_bytes(certificate), .attached_count = 1, .time_s = w->now};
  item.attached[0] = hm_bytes(proof, world_log_proof(w, certificate, proof, sizeof proof));
  return item;
}

struct hm_log_item keep_binding(struct world *w, const struct world_object *binding)
{
  return with_proof(w, binding);
}

struct hm_log_item keep_pairing(struct world *w, const struct world_object *pairing)
{
  return with_proof(w, pairing);
}

struct hm_log_item keep_completion(const struct world_object *receipt,
                                   const struct world_object *completion_0,
                                   const struct world_object *completion_1)
{
  struct hm_log_item item = {.object = world_bytes(receipt), .attached_count = 2};
  item.attached[0] = world_bytes(completion_0);
  item.attached[1] = world_bytes(completion_1);
  return item;
}

static void make_receipt(struct world *w, struct hm_receipt *receipt, struct world_object *out)
{
  receipt->iat = w->now;
  receipt->level = 1;
  receipt->quality = HM_QUALITY_AUTHORITY;
  memcpy(receipt->subject, w->host.signer.kid, 32);
  struct hm_out o = hm_out(out->data, sizeof out->data);
  assert_int_equal(hm_receipt_make(engine, &w->host.signer, receipt, &o), HM_OK);
  out->len = o.len;
}

enum hm_status keep_create(struct world *w, const char *folder)
{
  char path[TEST_PATH];
  struct world_object genesis, opened;
  struct hm_store_birth birth = {.host = {0}};
  struct hm_receipt first = {.kind = HM_RECEIPT_GENESIS, .evidence_count = 2};
  struct hm_receipt third = {.kind = HM_RECEIPT_SEGMENT_OPENED,
                             .evidence_count = 1,
                             .has_first = true,
                             .first = 1,
                             .has_count = true};
  memcpy(first.evidence[0], w->authority.signer.kid, 32);
  memset(first.evidence[1], 0x1a, 32);
  make_receipt(w, &first, &genesis);
  memcpy(birth.host, w->host.signer.kid, 32);
  memset(birth.control_random, 0xc1, 16);
  memset(birth.segment_random, 0xd1, 16);
  assert_int_equal(
      hm_segment_identity(engine, birth.host, 1, 1, birth.segment_random, third.evidence[0]),
      HM_OK);
  make_receipt(w, &third, &opened);
  birth.genesis.object = world_bytes(&genesis);
  birth.binding = keep_binding(w, &w->host_binding);
  birth.opened.object = world_bytes(&opened);
  folder_path(folder, "store", path);
  return hm_store_create(engine, path, &birth, NULL);
}

enum hm_status keep_try(const char *folder, enum hm_log_mode mode, struct hm_fault *fault)
{
  char path[TEST_PATH];
  struct hm_store *store;
  folder_path(folder, "store", path);
  enum hm_status status = hm_store_open(engine, path, mode, &store, fault);
  hm_store_close(store);
  return status;
}

struct hm_store *keep_open(const char *folder, enum hm_log_mode mode)
{
  char path[TEST_PATH];
  struct hm_store *store;
  struct hm_fault fault = {0, ""};
  folder_path(folder, "store", path);
  enum hm_status status = hm_store_open(engine, path, mode, &store, &fault);
  if (status != HM_OK)
    fail_msg("open: %s: %s", hm_status_text(status), fault.text);
  return store;
}

uint64_t keep_append(struct hm_store *store, struct hm_log_item item)
{
  uint64_t number;
  assert_int_equal(hm_store_append_control(store, &item, 1, hm_bytes(NULL, 0), &number, NULL),
                   HM_OK);
  return number;
}

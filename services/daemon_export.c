/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What leaves is written down first. A proof file is an exit like any other: its
 * manifest (65026, kind proof) is durable before the first byte goes out, and a second
 * entry says whether it went. An exit whose second entry is missing counts as made.
 */
#include "services/daemon_export.h"

#include <stdlib.h>
#include <string.h>

#include "services/daemon_state.h"

/* A proof is two entries of a log that is never pruned, and any reader may ask for one. */
enum { EXPORTS_BURST = 64, EXPORTS_A_SECOND = 1 };

/* One record of the export; sorted by (sensor's cN, mN) for the tree. */
struct item {
  uint64_t control, number;
  uint8_t lct[32], leaf[32];
};

struct leaving {
  struct hm_core *core;
  struct hm_export manifest;
  uint8_t name[32]; /* of the manifest, once signed */
  hm_exported_done done;
  void *user;
};

static int by_place(const void *a, const void *b)
{
  const struct item *x = a, *y = b;
  if (x->control != y->control)
    return x->control < y->control ? -1 : 1;
  return (x->number > y->number) - (x->number < y->number);
}

static int by_entity(const void *a, const void *b)
{
  const struct hm_export_count *x = a, *y = b;
  return memcmp(x->entity, y->entity, 32);
}

static enum hm_status read_item(struct hm_core *core, uint64_t number, uint8_t *buffer,
                                struct item *item)
{
  struct hm_stored_record stored;
  struct hm_record record;
  HM_TRY(hm_store_record(core->store, number, buffer, HM_STORED_RECORD_MAX, &stored));
  HM_TRY(hm_record_decode(stored.record, &record, NULL));
  item->number = number;
  item->control = record.sensor.control;
  memcpy(item->lct, record.sensor.lct, 32);
  return hm_leaf_hash(core->crypto, stored.record, item->leaf);
}

static enum hm_status count_entity(struct hm_export *manifest, const uint8_t lct[32])
{
  uint32_t i = 0;
  while (i < manifest->exported_count && memcmp(manifest->exported[i].entity, lct, 32) != 0)
    i++;
  if (i == HM_EXPORT_ENTITIES)
    return HM_TOO_LARGE;
  if (i == manifest->exported_count) {
    memcpy(manifest->exported[i].entity, lct, 32);
    manifest->exported_count++;
  }
  manifest->exported[i].records++;
  return HM_OK;
}

static enum hm_status fill_manifest(struct hm_core *core, struct item *items, size_t count,
                                    uint8_t (*leaves)[32], struct hm_export *manifest)
{
  qsort(items, count, sizeof *items, by_place);
  manifest->kind = HM_EXPORT_PROOF;
  manifest->count = count;
  for (size_t i = 0; i < count; i++) {
    HM_TRY(count_entity(manifest, items[i].lct));
    HM_TRY(
        hm_export_leaf(core->crypto, items[i].control, items[i].number, items[i].leaf, leaves[i]));
  }
  qsort(manifest->exported, manifest->exported_count, sizeof manifest->exported[0], by_entity);
  return hm_tree_root(core->crypto, (const uint8_t(*)[32])leaves, count, manifest->root);
}

/* On the writer's thread: time and D are those of the append. */
static enum hm_status build_manifest(void *user, const struct hm_entry_facts *facts,
                                     struct hm_out *object)
{
  struct leaving *l = user;
  struct hm_sign1 sign1;
  l->manifest.iat = facts->now.trust_s;
  l->manifest.data_size = facts->durable_batches;
  HM_TRY(hm_export_make(l->core->crypto, facts->entity, &l->manifest, object));
  HM_TRY(hm_out_status(object));
  HM_TRY(hm_sign1_parse(hm_out_bytes(object), false, &sign1));
  return hm_sign1_name(l->core->crypto, &sign1, hm_bytes(NULL, 0), l->name);
}

static void manifest_durable(void *user, const struct hm_error *error, uint64_t number)
{
  struct leaving *l = user;
  l->done(l->user, error, number, l->name);
  g_free(l);
}

void hm_export_begin(struct hm_core *core, const uint64_t *records, unsigned count,
                     hm_exported_done done, void *user)
{
  struct leaving *l = g_new0(struct leaving, 1);
  struct hm_error error = {HM_OK, ""};
  *l = (struct leaving){.core = core, .done = done, .user = user};
  g_autofree struct item *items = g_new0(struct item, count);
  g_autofree uint8_t *buffer = g_malloc(HM_STORED_RECORD_MAX);
  uint8_t(*leaves)[32] = g_malloc0_n(count, 32);
  enum hm_status status = HM_OK;
  for (unsigned i = 0; i < count && status == HM_OK; i++)
    status = read_item(core, records[i], buffer, &items[i]);
  if (status == HM_OK)
    status = fill_manifest(core, items, count, leaves, &l->manifest);
  g_free(leaves);
  if (status == HM_OK &&
      hm_bucket_take(&core->exports, EXPORTS_BURST, EXPORTS_A_SECOND, hm_boottime_ns())) {
    hm_control_build(core, build_manifest, manifest_durable, l);
    return;
  }
  if (status == HM_OK)
    (void)hm_fail(&error, HM_POLICY, "proofs: more than %d at once and %d a second; ask again",
                  EXPORTS_BURST, EXPORTS_A_SECOND);
  else
    (void)hm_fail(&error, status, "manifest of the proof: %s", hm_status_text(status));
  manifest_durable(l, &error, 0);
}

static void end_durable(void *user, const struct hm_error *error, uint64_t number)
{
  (void)user;
  (void)number;
  if (error->status != HM_OK)
    hm_log(HM_LOG_WARNING, "export-ended", "export ended: %s", hm_error_text(error));
}

static void write_end(struct hm_core *core, const uint8_t manifest[32], bool is_finished,
                      bool is_restart)
{
  struct hm_receipt receipt = {.has_certificate = true,
                               .has_reason = is_restart,
                               .reason = HM_REASON_RESTART,
                               .level = 1,
                               .kind = HM_RECEIPT_EXPORT_ENDED,
                               .result = is_finished ? HM_RESULT_PASS : HM_RESULT_FAIL};
  memcpy(receipt.certificate, manifest, 32);
  memcpy(receipt.subject, core->host_key.signer.kid, 32);
  hm_control_receipt(core, &receipt, end_durable, NULL);
}

void hm_export_end(struct hm_core *core, const uint8_t manifest[32], bool is_finished)
{
  write_end(core, manifest, is_finished, false);
}

void hm_exports_settle(struct hm_core *core)
{
  const GArray *list = core->registry.exports;
  for (guint i = 0; i < list->len; i++)
    write_end(core, g_array_index(list, struct hm_kept_export, i).name, false, true);
}

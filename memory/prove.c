/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * First what must be in the file is gathered as numbers of control entries: what the
 * records name, the range of each batch, and whatever those lean on. Then everything
 * is written in the order of the format. The verifier refuses one item too many as
 * well as one too few, so both follow the same rule of citing (docs/spec/proof.md).
 */
#include "memory/prove.h"

#include <stdlib.h>

#include "trust/proof.h"

/* ---- what the control log holds, by key ---------------------------------------------- */
enum { ENCODER = 0 }; /* beside the typs: a second key of a binding */

struct key_row {
  uint64_t number;
  uint16_t typ; /* binding: LCT; session: kid; receipt: pairing it completes; ENCODER: its hash */
  uint8_t key[32];
};

struct prover {
  const struct hm_crypto *c;
  struct hm_store *store;
  struct hm_log *control;
  const struct hm_prove_options *options;
  struct hm_fault *fault;

  uint8_t checkpoint[HM_SIGN1_MAX];
  size_t checkpoint_len;
  uint64_t control_size; /* N: under the checkpoint */
  struct hm_head head;

  struct key_row *keys;
  size_t key_count, key_cap;

  uint8_t *wanted; /* wanted[cN]: 1 in the file, 2 and what it leans on too */
  uint64_t *batches;
  size_t batch_count;
  uint64_t *lives;
  size_t live_count;

  uint8_t *entry_buffer;  /* HM_LOG_ENTRY_MAX */
  uint8_t *batch_buffer;  /* HM_STORED_BATCH_MAX */
  uint8_t *record_buffer; /* HM_STORED_RECORD_MAX */
  uint8_t (*leaves)[32];  /* HM_BATCH_LEAVES_MAX */

  uint8_t *file;
  size_t len, cap;
  uint64_t items;
};

static enum hm_status no(const struct prover *p, enum hm_status status, const char *what,
                         char letter, uint64_t number)
{
  return hm_fault_set(p->fault, status, 0, "%c%llu: %s", letter, (unsigned long long)number, what);
}

static enum hm_status key_of(const struct prover *p, const struct hm_log_entry *entry,
                             struct key_row *row, bool *has)
{
  struct hm_session session;
  struct hm_receipt receipt;
  *has = true;
  row->number = entry->number;
  row->typ = entry->typ;
  switch (entry->typ) {
  case HM_TYP_BINDING:
    return hm_binding_lct(p->c, entry->object, row->key);
  case HM_TYP_SESSION:
    return hm_session_open(p->c, entry->object, NULL, &session, row->key, NULL);
  case HM_TYP_RECEIPT:
    HM_TRY(hm_receipt_open(p->c, entry->object, NULL, &receipt, NULL));
    *has = receipt.kind == HM_RECEIPT_COMPLETION;
    memcpy(row->key, receipt.certificate, sizeof row->key);
    return HM_OK;
  default:
    *has = false;
    return HM_OK;
  }
}

static enum hm_status add_key(struct prover *p, const struct key_row *row)
{
  if (p->key_count == p->key_cap) {
    size_t cap = p->key_cap == 0 ? 64 : p->key_cap * 2;
    struct key_row *more = realloc(p->keys, cap * sizeof *more);
    if (more == NULL)
      return no(p, HM_IO, "out of memory", 'c', row->number);
    p->keys = more;
    p->key_cap = cap;
  }
  p->keys[p->key_count++] = *row;
  return HM_OK;
}

static enum hm_status index_entry(void *context, const struct hm_log_entry *entry)
{
  struct prover *p = context;
  struct key_row row;
  bool has, is_encoder = false;
  enum hm_status status = key_of(p, entry, &row, &has);
  if (status != HM_OK)
    return no(p, HM_DAMAGED, "the stored entry is not of its form", 'c', entry->number);
  if (has)
    HM_TRY(add_key(p, &row));
  if (row.typ == HM_TYP_BINDING)
    HM_TRY(hm_binding_encoder(entry->object, &is_encoder, row.key));
  row.typ = ENCODER;
  return is_encoder ? add_key(p, &row) : HM_OK;
}

enum { SCAN = 500 };

static enum hm_status index_control(struct prover *p)
{
  for (uint64_t from = 1; from <= p->control_size; from += SCAN) {
    uint64_t left = p->control_size - from + 1;
    HM_TRY(hm_log_scan(p->control, from, left < SCAN ? left : SCAN, index_entry, p));
  }
  return HM_OK;
}

/* The newest entry of a typ with that key below a number; 0 = none. */
static uint64_t find_key(const struct prover *p, uint16_t typ, const uint8_t key[32],
                         uint64_t below)
{
  for (size_t i = p->key_count; i > 0; i--)
    if (p->keys[i - 1].number < below && p->keys[i - 1].typ == typ &&
        memcmp(p->keys[i - 1].key, key, 32) == 0)
      return p->keys[i - 1].number;
  return 0;
}

/* The oldest: a pairing is completed once, a host bound first of all. */
static uint64_t find_first(const struct prover *p, uint16_t typ, const uint8_t key[32])
{
  for (size_t i = 0; i < p->key_count; i++)
    if (p->keys[i].typ == typ && memcmp(p->keys[i].key, key, 32) == 0)
      return p->keys[i].number;
  return 0;
}

/* ---- gathering ------------------------------------------------------------------------------ */
static enum hm_status want(struct prover *p, uint64_t number, const char *what, char letter,
                           uint64_t by)
{
  if (number == 0 || number > p->control_size)
    return no(p, HM_DAMAGED, what, letter, by);
  if (p->wanted[number] == 0)
    p->wanted[number] = 1;
  return HM_OK;
}

static enum hm_status want_pairing(struct prover *p, const uint8_t name[32], char letter,
                                   uint64_t by)
{
  uint64_t number = 0;
  if (hm_log_find(p->control, name, &number) != HM_OK)
    number = 0;
  return want(p, number, "names a pairing that is not in the control log", letter, by);
}

static enum hm_status read_entry(struct prover *p, uint64_t number, struct hm_log_entry *entry)
{
  return hm_log_entry(p->control, number, p->entry_buffer, HM_LOG_ENTRY_MAX, entry);
}

static enum hm_status want_cited_by_receipt(struct prover *p, const struct hm_log_entry *entry)
{
  struct hm_receipt receipt;
  struct hm_sign1 s;
  HM_TRY(hm_receipt_open(p->c, entry->object, NULL, &receipt, NULL));
  if (receipt.kind == HM_RECEIPT_COMPLETION)
    HM_TRY(want_pairing(p, receipt.certificate, 'c', entry->number));
  HM_TRY(hm_sign1_parse(entry->object, false, &s));
  uint64_t session = find_key(p, HM_TYP_SESSION, s.kid, entry->number);
  return session != 0 ? want(p, session, "", 'c', entry->number) : HM_OK;
}

static enum hm_status want_cited_by_pairing(struct prover *p, const struct hm_log_entry *entry)
{
  struct hm_pairing pairing;
  HM_TRY(hm_pairing_open(p->c, entry->object, NULL, NULL, &pairing));
  for (size_t i = 0; i < 2; i++)
    HM_TRY(want(p, find_key(p, HM_TYP_BINDING, pairing.policy.entities[i], entry->number),
                "pairs an entity whose binding is not before it", 'c', entry->number));
  return HM_OK;
}

static enum hm_status want_cited(struct prover *p, uint64_t number)
{
  struct hm_log_entry entry;
  bool is_hosted;
  uint8_t host[32];
  HM_TRY(read_entry(p, number, &entry));
  switch (entry.typ) {
  case HM_TYP_RECEIPT:
    return want_cited_by_receipt(p, &entry);
  case HM_TYP_PAIRING:
    return want_cited_by_pairing(p, &entry);
  case HM_TYP_BINDING:
    HM_TRY(hm_binding_host(entry.object, &is_hosted, host));
    if (!is_hosted)
      return HM_OK;
    return want(p, find_key(p, HM_TYP_BINDING, host, number),
                "is bound to a host whose binding is not before it", 'c', number);
  default:
    return HM_OK;
  }
}

/* What an entry leans on stands before it: one walk from the last to the first. */
static enum hm_status close_wanted(struct prover *p)
{
  for (uint64_t number = p->control_size; number > 0; number--)
    if (p->wanted[number] == 1) {
      HM_TRY(want_cited(p, number));
      p->wanted[number] = 2;
    }
  return HM_OK;
}

static enum hm_status want_range(struct prover *p, uint64_t batch, uint64_t control_size)
{
  struct hm_log_entry entry;
  for (uint64_t number = control_size; number > 0; number--) {
    HM_TRY(want(p, number, "has a control size beyond the control log", 'r', batch));
    HM_TRY(read_entry(p, number, &entry));
    if (entry.typ != HM_TYP_HEAD)
      continue;
    if (p->live_count == 0 || p->lives[p->live_count - 1] != number)
      p->lives[p->live_count++] = number;
    return HM_OK;
  }
  return HM_OK;
}

static enum hm_status want_batch(struct prover *p, uint64_t number)
{
  struct hm_stored_batch batch;
  struct hm_batch_claims claims;
  struct hm_sign1 s;
  if (number > p->head.data_tree.size)
    return no(p, HM_STALE, "signed, not yet under a checkpoint", 'r', number);
  HM_TRY(hm_store_batch(p->store, number, p->batch_buffer, HM_STORED_BATCH_MAX, &batch));
  if (hm_batch_peek(batch.receipt, false, &s, &claims) != HM_OK)
    return no(p, HM_DAMAGED, "the stored receipt is not of its form", 'r', number);
  p->batches[p->batch_count++] = number;
  HM_TRY(want(p, find_key(p, HM_TYP_SESSION, s.kid, claims.control_size + 1),
              "is signed by a session key that is not in the control log", 'r', number));
  return want_range(p, number, claims.control_size);
}

static enum hm_status want_record(struct prover *p, uint64_t number)
{
  struct hm_stored_record stored;
  struct hm_record record;
  enum hm_status status =
      hm_store_record(p->store, number, p->record_buffer, HM_STORED_RECORD_MAX, &stored);
  if (status == HM_NOT_FOUND)
    return no(p, status, "no such record", 'm', number);
  HM_TRY(status);
  if (hm_record_decode(stored.record, &record, NULL) != HM_OK)
    return no(p, HM_DAMAGED, "the stored record is not of its form", 'm', number);
  HM_TRY(want(p, record.sensor.control, "names a binding that is not in the control log", 'm',
              number));
  for (uint32_t i = 0; i < record.pairing_count; i++) {
    HM_TRY(want_pairing(p, record.pairings[i].certificate, 'm', number));
    HM_TRY(want(p, find_first(p, HM_TYP_RECEIPT, record.pairings[i].certificate),
                "names a pairing that was never completed", 'm', number));
  }
  uint64_t encoder = record.has_vector ? find_first(p, ENCODER, record.encoder) : 0;
  if (encoder != 0) /* else a built-in one */
    HM_TRY(want(p, encoder, "", 'm', number));
  if (p->batch_count > 0 && p->batches[p->batch_count - 1] == record.batch_number)
    return HM_OK;
  return want_batch(p, record.batch_number);
}

static enum hm_status want_host(struct prover *p)
{
  struct hm_sign1 s;
  if (hm_sign1_parse(hm_bytes(p->checkpoint, p->checkpoint_len), false, &s) != HM_OK)
    return no(p, HM_DAMAGED, "the stored checkpoint is not of its form", 'c', p->control_size);
  return want(p, find_first(p, HM_TYP_BINDING, s.kid), "is signed by a host that is not bound", 'c',
              p->control_size);
}

static enum hm_status read_checkpoint(struct prover *p)
{
  struct hm_log_entry entry;
  enum hm_status status =
      hm_log_checkpoint(p->control, UINT64_MAX, p->checkpoint, sizeof p->checkpoint,
                        &p->checkpoint_len, &p->control_size);
  if (status == HM_NOT_FOUND)
    return no(p, HM_STALE, "no checkpoint yet: signed, not yet in the log", 'c', 0);
  HM_TRY(status);
  HM_TRY(read_entry(p, p->control_size, &entry));
  if (hm_head_open(p->c, entry.object, NULL, &p->head, NULL) != HM_OK)
    return no(p, HM_DAMAGED, "the newest checkpoint does not end in a head", 'c', p->control_size);
  return HM_OK;
}

/* ---- writing ----------------------------------------------------------------------------------
 */
enum { ITEM_ROOM = HM_BATCH_PROOF_MAX + 65536 }; /* no item is larger */

static enum hm_status put(struct prover *p, const struct hm_shape *shape, const void *item)
{
  if (p->cap - p->len < ITEM_ROOM) {
    size_t cap = p->cap * 2 + ITEM_ROOM;
    uint8_t *more = realloc(p->file, cap);
    if (more == NULL)
      return no(p, HM_IO, "out of memory", 'c', 0);
    p->file = more;
    p->cap = cap;
  }
  struct hm_out out = hm_out(p->file + p->len, p->cap - p->len);
  HM_TRY(hm_encode(shape, item, &out, NULL));
  p->len += out.len;
  p->items++;
  if (p->len > HM_PROOF_FILE_MAX || p->items > HM_PROOF_ITEMS_MAX)
    return hm_fault_set(p->fault, HM_TOO_LARGE, 0,
                        "a proof file has at most 64 MiB and 65,536 items");
  return HM_OK;
}

static enum hm_status put_entry(struct prover *p, uint64_t number)
{
  struct hm_log_entry entry;
  struct hm_hmk_entry item;
  HM_TRY(read_entry(p, number, &entry));
  item.control = number;
  item.object = entry.object;
  item.has_way = true;
  item.attached_count = entry.attached_count;
  memcpy(item.attached, entry.attached, sizeof item.attached);
  HM_TRY(hm_log_inclusion(p->c, hm_log_node, p->control, p->control_size, number - 1, &item.way));
  return put(p, &hm_shape_hmk_entry, &item);
}

struct indices {
  uint32_t at[1 + HM_BATCH_SENSORS + HM_BATCH_RECORDS];
  size_t count;
};

/* Leaf 0, the sensor leaves its records name, the records. */
static enum hm_status choose_leaves(struct prover *p, const struct hm_stored_batch *batch,
                                    const uint64_t *records, size_t count,
                                    struct hm_hmk_batch *item, struct indices *indices)
{
  struct hm_stored_record stored;
  struct hm_record record;
  uint64_t mask = 0;
  for (size_t i = 0; i < count; i++) {
    HM_TRY(hm_store_record(p->store, records[i], p->record_buffer, HM_STORED_RECORD_MAX, &stored));
    HM_TRY(hm_record_decode(stored.record, &record, NULL));
    if (record.has_sensor_leaf && record.sensor_leaf <= batch->sensor_count)
      mask |= 1ull << record.sensor_leaf;
  }
  indices->count = 0;
  indices->at[indices->count++] = 0;
  item->leaf_count = 0;
  for (uint32_t leaf = 1; leaf <= batch->sensor_count; leaf++)
    if (mask >> leaf & 1) {
      item->leaves[item->leaf_count++] = batch->leaves[leaf - 1];
      indices->at[indices->count++] = leaf;
    }
  for (size_t i = 0; i < count; i++) {
    if (records[i] < batch->first_record || records[i] - batch->first_record >= batch->record_count)
      return no(p, HM_DAMAGED, "is not in the batch it names", 'm', records[i]);
    indices->at[indices->count++] =
        1 + batch->sensor_count + (uint32_t)(records[i] - batch->first_record);
  }
  return HM_OK;
}

static enum hm_status put_batch(struct prover *p, uint64_t number, const uint64_t *records,
                                size_t count)
{
  struct hm_stored_batch batch;
  struct hm_hmk_batch item;
  struct indices indices;
  size_t leaf_count;
  HM_TRY(hm_store_batch(p->store, number, p->batch_buffer, HM_STORED_BATCH_MAX, &batch));
  HM_TRY(choose_leaves(p, &batch, records, count, &item, &indices));
  HM_TRY(hm_store_batch_leaves(p->store, number, p->leaves, &leaf_count));
  item.facts = batch.facts;
  HM_TRY(hm_log_inclusion(p->c, hm_store_data_node, p->store, p->head.data_tree.size, number - 1,
                          &item.way));
  uint8_t *receipt = malloc(HM_BATCH_PROOF_MAX);
  if (receipt == NULL)
    return no(p, HM_IO, "out of memory", 'r', number);
  struct hm_out out = hm_out(receipt, HM_BATCH_PROOF_MAX);
  enum hm_status status = hm_batch_with_proofs(p->c, batch.receipt, (const uint8_t(*)[32])p->leaves,
                                               leaf_count, indices.at, indices.count, &out);
  item.object = hm_out_bytes(&out);
  if (status == HM_OK)
    status = put(p, &hm_shape_hmk_batch, &item);
  free(receipt);
  return status == HM_STATE ? no(p, HM_DAMAGED, "its leaves are not those it signs", 'r', number)
                            : status;
}

static enum hm_status put_batches(struct prover *p, const uint64_t *records, size_t count)
{
  struct hm_stored_record stored;
  struct hm_record record;
  size_t at = 0;
  for (size_t b = 0; b < p->batch_count; b++) {
    size_t end = at;
    for (; end < count; end++) {
      HM_TRY(
          hm_store_record(p->store, records[end], p->record_buffer, HM_STORED_RECORD_MAX, &stored));
      HM_TRY(hm_record_decode(stored.record, &record, NULL));
      if (record.batch_number != p->batches[b])
        break;
    }
    HM_TRY(put_batch(p, p->batches[b], records + at, end - at));
    at = end;
  }
  return HM_OK;
}

static void copy_opening(const struct hm_opening *from, bool left_out, bool *has,
                         struct hm_hmk_opening *to)
{
  *has = from->is_there && !left_out;
  memcpy(to->salt, from->salt, sizeof to->salt);
  to->content = from->content;
}

static enum hm_status put_record(struct prover *p, uint64_t number)
{
  struct hm_stored_record stored;
  struct hm_hmk_record item;
  HM_TRY(hm_store_record(p->store, number, p->record_buffer, HM_STORED_RECORD_MAX, &stored));
  item.record = stored.record;
  copy_opening(&stored.picture, p->options->without_pictures, &item.has_picture, &item.picture);
  copy_opening(&stored.vector, p->options->without_vectors, &item.has_vector, &item.vector);
  return put(p, &hm_shape_hmk_record, &item);
}

static enum hm_status put_live(struct prover *p, uint64_t number)
{
  struct hm_hmk_live item = {.control = number};
  size_t len;
  uint8_t *set = malloc(HM_LIVE_SET_MAX);
  if (set == NULL)
    return no(p, HM_IO, "out of memory", 'c', number);
  enum hm_status status = hm_log_live(p->control, number, set, HM_LIVE_SET_MAX, &len);
  if (status == HM_OK) {
    item.set = hm_bytes(set, len);
    status = put(p, &hm_shape_hmk_live, &item);
  }
  free(set);
  return status;
}

static enum hm_status put_items(struct prover *p, const uint64_t *records, size_t count)
{
  struct hm_hmk_checkpoint checkpoint = {hm_bytes(p->checkpoint, p->checkpoint_len)};
  HM_TRY(put(p, &hm_shape_hmk_checkpoint, &checkpoint));
  for (uint64_t number = 1; number <= p->control_size; number++)
    if (p->wanted[number] != 0)
      HM_TRY(put_entry(p, number));
  HM_TRY(put_batches(p, records, count));
  for (size_t i = 0; i < count; i++)
    HM_TRY(put_record(p, records[i]));
  for (size_t i = 0; i < p->live_count; i++)
    HM_TRY(put_live(p, p->lives[i]));
  return HM_OK;
}

/* The head counts the items, so it is written last and moved to the front. */
static enum hm_status put_head(struct prover *p)
{
  uint8_t bytes[64];
  struct hm_hmk_head head = {HM_PROOF_RECORDS, p->items};
  struct hm_out out = hm_out(bytes, sizeof bytes);
  HM_TRY(hm_encode(&hm_shape_hmk_head, &head, &out, NULL));
  if (p->len + out.len > HM_PROOF_FILE_MAX)
    return hm_fault_set(p->fault, HM_TOO_LARGE, 0, "a proof file has at most 64 MiB");
  memmove(p->file + out.len, p->file, p->len); /* ITEM_ROOM is left */
  memcpy(p->file, bytes, out.len);
  p->len += out.len;
  return HM_OK;
}

/* ---- all of it
 * ------------------------------------------------------------------------------------ */
static enum hm_status allocate(struct prover *p, size_t count)
{
  p->entry_buffer = malloc(HM_LOG_ENTRY_MAX);
  p->batch_buffer = malloc(HM_STORED_BATCH_MAX);
  p->record_buffer = malloc(HM_STORED_RECORD_MAX);
  p->leaves = malloc(HM_BATCH_LEAVES_MAX * sizeof *p->leaves);
  p->batches = calloc(count, sizeof *p->batches);
  p->lives = calloc(count, sizeof *p->lives);
  p->cap = 2 * ITEM_ROOM;
  p->file = malloc(p->cap);
  if (p->entry_buffer == NULL || p->batch_buffer == NULL || p->record_buffer == NULL ||
      p->leaves == NULL || p->batches == NULL || p->lives == NULL || p->file == NULL)
    return hm_fault_set(p->fault, HM_IO, 0, "out of memory");
  return HM_OK;
}

static enum hm_status prove(struct prover *p, const uint64_t *records, size_t count)
{
  if (count == 0 || count > HM_PROVE_RECORDS_MAX)
    return hm_fault_set(p->fault, HM_TOO_LARGE, 0, "a proof is of 1 to %d records, not %zu",
                        HM_PROVE_RECORDS_MAX, count);
  for (size_t i = 1; i < count; i++)
    if (records[i] <= records[i - 1])
      return HM_STATE;
  HM_TRY(allocate(p, count));
  HM_TRY(read_checkpoint(p));
  p->wanted = calloc((size_t)p->control_size + 1, 1);
  if (p->wanted == NULL)
    return hm_fault_set(p->fault, HM_IO, 0, "out of memory");
  HM_TRY(index_control(p));
  HM_TRY(want_host(p));
  HM_TRY(want(p, p->control_size, "", 'c', p->control_size));
  for (size_t i = 0; i < count; i++)
    HM_TRY(want_record(p, records[i]));
  HM_TRY(close_wanted(p));
  HM_TRY(put_items(p, records, count));
  return put_head(p);
}

enum hm_status hm_prove(const struct hm_crypto *c, struct hm_store *store, const uint64_t *records,
                        size_t count, const struct hm_prove_options *options, uint8_t **file,
                        size_t *len, struct hm_fault *fault)
{
  static const struct hm_prove_options all = {false, false};
  struct prover p = {.c = c,
                     .store = store,
                     .control = hm_store_control(store),
                     .options = options != NULL ? options : &all,
                     .fault = fault};
  enum hm_status status = prove(&p, records, count);
  free(p.entry_buffer);
  free(p.batch_buffer);
  free(p.record_buffer);
  free(p.leaves);
  free(p.batches);
  free(p.lives);
  free(p.keys);
  free(p.wanted);
  if (status != HM_OK) {
    free(p.file);
    return status;
  }
  *file = p.file;
  *len = p.len;
  return HM_OK;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Stored values:
 *   record  mN -> [record, picture / nil, vector / nil], an opening = [salt, content]
 *   batch   rN -> [nodes, receipt, root, first record, count, control size, facts, [leaves]]
 *
 * Invariants: the newest batch ends with the newest record; numbers have no gaps; the
 * atomics are what the last returned commit made durable.
 */
#include "memory/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { DB_META, DB_RECORD, DB_BATCH };
enum { TAIL_CHECKED = 8 }; /* batches whose roots are rebuilt when a segment is opened */

static const struct hm_env_spec spec = {
    HM_LOG_DATA, HM_SEGMENT_MAP, 3, {"meta", "record", "batch"}};

/* ---- values ---------------------------------------------------------------------- */
static void put_opening(struct hm_out *out, const struct hm_opening *opening)
{
  if (!opening->is_there) {
    hm_cbor_put_nil(out);
    return;
  }
  hm_cbor_put_array(out, 2);
  hm_cbor_put_bstr(out, hm_bytes(opening->salt, 16));
  hm_cbor_put_bstr(out, opening->content);
}

static enum hm_status get_opening(struct hm_cbor *c, struct hm_opening *opening)
{
  bool is_nil;
  size_t count;
  HM_TRY(hm_cbor_nil(c, &is_nil));
  opening->is_there = !is_nil;
  if (is_nil)
    return HM_OK;
  HM_TRY(hm_cbor_array(c, &count));
  if (count != 2)
    return HM_DAMAGED;
  HM_TRY(hm_cbor_fixed(c, opening->salt, 16));
  return hm_cbor_bstr(c, &opening->content);
}

static enum hm_status encode_record(const struct hm_stored_record *r, struct hm_out *out)
{
  hm_cbor_put_array(out, 3);
  hm_cbor_put_bstr(out, r->record);
  put_opening(out, &r->picture);
  put_opening(out, &r->vector);
  return hm_out_status(out);
}

static enum hm_status decode_record(struct hm_bytes value, uint64_t number,
                                    struct hm_stored_record *r)
{
  struct hm_cbor c = hm_cbor(value);
  size_t count;
  memset(r, 0, sizeof *r);
  r->number = number;
  HM_TRY(hm_cbor_array(&c, &count));
  if (count != 3)
    return HM_DAMAGED;
  HM_TRY(hm_cbor_bstr(&c, &r->record));
  HM_TRY(get_opening(&c, &r->picture));
  HM_TRY(get_opening(&c, &r->vector));
  return hm_cbor_end(&c);
}

static enum hm_status encode_batch(const struct hm_stored_batch *b, const uint8_t (*nodes)[32],
                                   unsigned node_count, struct hm_out *out)
{
  hm_cbor_put_array(out, 8);
  hm_cbor_put_bstr(out, hm_bytes(nodes, 32 * (size_t)node_count));
  hm_cbor_put_bstr(out, b->receipt);
  hm_cbor_put_bstr(out, hm_bytes(b->root, 32));
  hm_cbor_put_uint(out, b->first_record);
  hm_cbor_put_uint(out, b->record_count);
  hm_cbor_put_uint(out, b->control_size);
  hm_cbor_put_bstr(out, b->facts);
  hm_cbor_put_array(out, b->sensor_count);
  for (uint32_t i = 0; i < b->sensor_count; i++)
    hm_cbor_put_bstr(out, b->leaves[i]);
  return hm_out_status(out);
}

static enum hm_status decode_batch(struct hm_bytes value, uint64_t number,
                                   struct hm_stored_batch *b)
{
  struct hm_cbor c = hm_cbor(value);
  struct hm_bytes nodes;
  size_t count;
  uint64_t records;
  memset(b, 0, sizeof *b);
  b->number = number;
  HM_TRY(hm_cbor_array(&c, &count));
  if (count != 8)
    return HM_DAMAGED;
  HM_TRY(hm_cbor_bstr(&c, &nodes));
  HM_TRY(hm_cbor_bstr(&c, &b->receipt));
  HM_TRY(hm_cbor_fixed(&c, b->root, 32));
  HM_TRY(hm_cbor_uint(&c, &b->first_record));
  HM_TRY(hm_cbor_uint(&c, &records));
  HM_TRY(hm_cbor_uint(&c, &b->control_size));
  HM_TRY(hm_cbor_bstr(&c, &b->facts));
  HM_TRY(hm_cbor_array(&c, &count));
  if (count > HM_BATCH_SENSORS_MAX || records > HM_BATCH_RECORDS_MAX)
    return HM_DAMAGED;
  b->record_count = (uint32_t)records;
  b->sensor_count = (uint32_t)count;
  for (size_t i = 0; i < count; i++)
    HM_TRY(hm_cbor_bstr(&c, &b->leaves[i]));
  return hm_cbor_end(&c);
}

/* ---- reading --------------------------------------------------------------------- */
static enum hm_status copy_value(struct hm_segment *s, size_t db, uint64_t number, uint8_t *buffer,
                                 size_t cap, size_t *len)
{
  MDB_txn *txn;
  struct hm_bytes value;
  HM_TRY(hm_env_read(&s->env, &txn));
  enum hm_status status = hm_env_get(txn, s->env.dbi[db], number, &value);
  if (status == HM_OK && value.len > cap)
    status = HM_SHORT_BUFFER;
  if (status == HM_OK) {
    memcpy(buffer, value.data, value.len);
    *len = value.len;
  }
  hm_env_read_end(&s->env, txn);
  return status == HM_NOT_FOUND ? HM_DAMAGED : status; /* the caller checked the number */
}

enum hm_status hm_segment_record(struct hm_segment *s, uint64_t number, uint8_t *buffer, size_t cap,
                                 struct hm_stored_record *record)
{
  size_t len;
  if (number < 1 || number > atomic_load(&s->records))
    return HM_NOT_FOUND;
  HM_TRY(copy_value(s, DB_RECORD, number, buffer, cap, &len));
  return decode_record(hm_bytes(buffer, len), number, record) == HM_OK ? HM_OK : HM_DAMAGED;
}

enum hm_status hm_segment_batch(struct hm_segment *s, uint64_t number, uint8_t *buffer, size_t cap,
                                struct hm_stored_batch *batch)
{
  size_t len;
  if (number < 1 || number > atomic_load(&s->batches))
    return HM_NOT_FOUND;
  HM_TRY(copy_value(s, DB_BATCH, number, buffer, cap, &len));
  return decode_batch(hm_bytes(buffer, len), number, batch) == HM_OK ? HM_OK : HM_DAMAGED;
}

enum hm_status hm_segment_scan(struct hm_segment *s, uint64_t from, uint64_t limit,
                               hm_record_visit visit, void *context)
{
  MDB_txn *txn;
  uint64_t newest = atomic_load(&s->records);
  if (from < 1 || from > newest)
    return HM_OK;
  if (limit > HM_SCAN_MAX)
    limit = HM_SCAN_MAX;
  uint64_t end = limit > newest - from ? newest : from + limit - 1;
  HM_TRY(hm_env_read(&s->env, &txn));
  enum hm_status status = HM_OK;
  for (uint64_t n = from; n <= end && status == HM_OK; n++) {
    struct hm_bytes value;
    struct hm_stored_record record;
    if (hm_env_get(txn, s->env.dbi[DB_RECORD], n, &value) != HM_OK ||
        decode_record(value, n, &record) != HM_OK)
      status = HM_DAMAGED;
    else
      status = visit(context, &record);
  }
  hm_env_read_end(&s->env, txn);
  return status;
}

enum hm_status hm_segment_batch_of(struct hm_segment *s, uint64_t record, uint64_t *batch)
{
  uint64_t low = 1, high = atomic_load(&s->batches);
  MDB_txn *txn;
  if (record < 1 || record > atomic_load(&s->records))
    return HM_NOT_FOUND;
  HM_TRY(hm_env_read(&s->env, &txn));
  enum hm_status status = HM_DAMAGED;
  while (low <= high) {
    uint64_t middle = low + (high - low) / 2;
    struct hm_bytes value;
    struct hm_stored_batch b;
    if (hm_env_get(txn, s->env.dbi[DB_BATCH], middle, &value) != HM_OK ||
        decode_batch(value, middle, &b) != HM_OK)
      break;
    if (record < b.first_record) {
      high = middle - 1;
    } else if (record >= b.first_record + b.record_count) {
      low = middle + 1;
    } else {
      *batch = middle;
      status = HM_OK;
      break;
    }
  }
  hm_env_read_end(&s->env, txn);
  return status;
}

static enum hm_status leaves_in(struct hm_segment *s, MDB_txn *txn, uint64_t batch,
                                uint8_t (*leaves)[32], size_t *count, struct hm_stored_batch *b)
{
  struct hm_bytes value;
  HM_TRY(hm_env_get(txn, s->env.dbi[DB_BATCH], batch, &value));
  if (decode_batch(value, batch, b) != HM_OK)
    return HM_DAMAGED;
  size_t n = 0;
  HM_TRY(hm_leaf_hash(s->crypto, b->facts, leaves[n++]));
  for (uint32_t i = 0; i < b->sensor_count; i++)
    HM_TRY(hm_leaf_hash(s->crypto, b->leaves[i], leaves[n++]));
  for (uint32_t i = 0; i < b->record_count; i++) {
    struct hm_stored_record r;
    uint64_t number = b->first_record + i;
    HM_TRY(hm_env_get(txn, s->env.dbi[DB_RECORD], number, &value));
    if (decode_record(value, number, &r) != HM_OK)
      return HM_DAMAGED;
    HM_TRY(hm_leaf_hash(s->crypto, r.record, leaves[n++]));
  }
  *count = n;
  return HM_OK;
}

enum hm_status hm_segment_leaves(struct hm_segment *s, uint64_t batch, uint8_t (*leaves)[32],
                                 size_t *count)
{
  MDB_txn *txn;
  struct hm_stored_batch b;
  if (batch < 1 || batch > atomic_load(&s->batches))
    return HM_NOT_FOUND;
  HM_TRY(hm_env_read(&s->env, &txn));
  enum hm_status status = leaves_in(s, txn, batch, leaves, count, &b);
  hm_env_read_end(&s->env, txn);
  return status == HM_NOT_FOUND ? HM_DAMAGED : status;
}

enum hm_status hm_segment_node(void *segment, struct hm_node_id id, uint8_t hash[32])
{
  struct hm_segment *s = segment;
  MDB_txn *txn;
  HM_TRY(hm_env_read(&s->env, &txn));
  enum hm_status status = hm_env_node(txn, s->env.dbi[DB_BATCH], id, hash);
  hm_env_read_end(&s->env, txn);
  return status;
}

/* ---- opening --------------------------------------------------------------------- */
enum hm_status hm_segment_create(const char *path, const struct hm_env_identity *identity,
                                 struct hm_fault *fault)
{
  return hm_env_create(path, &spec, identity, NULL, NULL, fault);
}

/* Rebuild the roots of the newest batches: what a crash could have hurt is looked at. */
static enum hm_status check_tail(struct hm_segment *s, MDB_txn *txn, uint64_t batches,
                                 struct hm_fault *fault)
{
  uint8_t(*leaves)[32] = malloc(HM_BATCH_LEAVES_MAX * sizeof *leaves);
  struct hm_stored_batch b;
  enum hm_status status = leaves ? HM_OK : HM_IO;
  uint64_t r = batches > TAIL_CHECKED ? batches - TAIL_CHECKED + 1 : 1;
  for (; r <= batches && status == HM_OK; r++) {
    size_t count;
    uint8_t root[32];
    status = leaves_in(s, txn, r, leaves, &count, &b);
    if (status == HM_OK)
      status = hm_tree_root(s->crypto, (const uint8_t(*)[32])leaves, count, root);
    if (status == HM_OK && memcmp(root, b.root, 32))
      status = HM_DAMAGED;
    if (status != HM_OK)
      status = hm_fault_set(fault, HM_DAMAGED, 0, "%s: batch r%llu does not have its root",
                            s->env.path, (unsigned long long)r);
  }
  free(leaves);
  return status;
}

/* Counts and numbers of both databases agree, and the newest batch ends them. */
static enum hm_status check_numbers(struct hm_segment *s, MDB_txn *txn, uint64_t *batches,
                                    uint64_t *records)
{
  MDB_stat batch, record;
  struct hm_stored_batch b;
  struct hm_bytes value;
  HM_TRY(hm_env_last(txn, s->env.dbi[DB_BATCH], UINT64_MAX, batches));
  HM_TRY(hm_env_last(txn, s->env.dbi[DB_RECORD], UINT64_MAX, records));
  if (mdb_stat(txn, s->env.dbi[DB_BATCH], &batch) || mdb_stat(txn, s->env.dbi[DB_RECORD], &record))
    return HM_DAMAGED;
  if (batch.ms_entries != *batches || record.ms_entries != *records)
    return HM_DAMAGED;
  s->control_size = 0;
  if (*batches == 0)
    return *records == 0 ? HM_OK : HM_DAMAGED;
  HM_TRY(hm_env_get(txn, s->env.dbi[DB_BATCH], *batches, &value));
  HM_TRY(decode_batch(value, *batches, &b));
  s->control_size = b.control_size;
  return b.first_record + b.record_count == *records + 1 ? HM_OK : HM_DAMAGED;
}

static enum hm_status check_head(struct hm_segment *s, MDB_txn *txn, uint64_t batches,
                                 struct hm_fault *fault)
{
  uint64_t told;
  uint8_t hash[32], found[32];
  struct hm_bytes value;
  struct hm_stored_batch b;
  if (!hm_headfile_get(s->env.folder, &told, hash))
    return HM_OK;
  if (told > batches)
    return hm_fault_set(fault, HM_DAMAGED, 0, "%s: ends with batch r%llu, but r%llu was once there",
                        s->env.path, (unsigned long long)batches, (unsigned long long)told);
  HM_TRY(hm_env_get(txn, s->env.dbi[DB_BATCH], told, &value));
  HM_TRY(decode_batch(value, told, &b));
  HM_TRY(s->crypto->sha256(&b.receipt, 1, found));
  if (memcmp(hash, found, 32))
    return hm_fault_set(fault, HM_DAMAGED, 0, "%s: batch r%llu is another than was once there",
                        s->env.path, (unsigned long long)told);
  return HM_OK;
}

/* Read where the segment stands. */
static enum hm_status stand(struct hm_segment *s, struct hm_fault *fault)
{
  MDB_txn *txn;
  uint64_t batches = 0, records = 0;
  HM_TRY(hm_env_read(&s->env, &txn));
  enum hm_status status = check_numbers(s, txn, &batches, &records);
  if (status != HM_OK)
    hm_fault_set(fault, HM_DAMAGED, 0, "%s: numbers of batches and records do not agree",
                 s->env.path);
  if (status == HM_OK)
    status = check_head(s, txn, batches, fault);
  if (status == HM_OK)
    status = check_tail(s, txn, batches, fault);
  hm_env_read_end(&s->env, txn);
  if (status != HM_OK)
    return HM_DAMAGED;
  atomic_store(&s->records, records);
  atomic_store(&s->batches, batches);
  if (hm_peaks_load(hm_segment_node, s, batches, &s->peaks) != HM_OK)
    return hm_fault_set(fault, HM_DAMAGED, 0, "%s: nodes of the tree are missing", s->env.path);
  return HM_OK;
}

enum hm_status hm_segment_open(struct hm_segment *s, const struct hm_crypto *c, const char *path,
                               enum hm_log_mode mode, struct hm_fault *fault)
{
  memset(s, 0, sizeof *s);
  s->crypto = c;
  s->head = -1;
  HM_TRY(hm_env_open(&s->env, path, &spec, mode, fault));
  enum hm_status status = stand(s, fault);
  if (status == HM_OK && mode == HM_LOG_WRITE && hm_headfile_open(s->env.folder, &s->head) != HM_OK)
    status = hm_fault_set(fault, HM_IO, errno, "%s/head: cannot open", path);
  if (status != HM_OK)
    hm_segment_close(s);
  return status;
}

void hm_segment_close(struct hm_segment *s)
{
  if (s->head >= 0)
    close(s->head);
  s->head = -1;
  hm_env_close(&s->env);
}

/* ---- appending ------------------------------------------------------------------- */
static enum hm_status put_all(struct hm_segment *s, MDB_txn *txn,
                              const struct hm_stored_batch *batch,
                              const struct hm_stored_record *records, const uint8_t (*nodes)[32],
                              unsigned node_count, int *rc)
{
  uint8_t *buffer = malloc(HM_STORED_RECORD_MAX);
  enum hm_status status = buffer ? HM_OK : HM_IO;
  for (uint32_t i = 0; i < batch->record_count && status == HM_OK; i++) {
    struct hm_out out = hm_out(buffer, HM_STORED_RECORD_MAX);
    if (encode_record(&records[i], &out) != HM_OK)
      status = HM_TOO_LARGE;
    else
      status = hm_env_status(*rc = hm_env_put(txn, s->env.dbi[DB_RECORD], records[i].number,
                                              hm_out_bytes(&out)));
  }
  if (status == HM_OK) {
    struct hm_out out = hm_out(buffer, HM_STORED_RECORD_MAX);
    if (encode_batch(batch, nodes, node_count, &out) != HM_OK)
      status = HM_TOO_LARGE;
    else
      status = hm_env_status(*rc = hm_env_put(txn, s->env.dbi[DB_BATCH], batch->number,
                                              hm_out_bytes(&out)));
  }
  free(buffer);
  return status;
}

static bool is_next(struct hm_segment *s, const struct hm_stored_batch *batch,
                    const struct hm_stored_record *records)
{
  if (batch->number != s->peaks.size + 1 || batch->first_record != atomic_load(&s->records) + 1 ||
      batch->record_count > HM_BATCH_RECORDS_MAX || batch->sensor_count > HM_BATCH_SENSORS_MAX ||
      batch->control_size < s->control_size)
    return false;
  for (uint32_t i = 0; i < batch->record_count; i++)
    if (records[i].number != batch->first_record + i ||
        records[i].record.len > HM_RECORD_BYTES_MAX ||
        records[i].picture.content.len > HM_CONTENT_MAX ||
        records[i].vector.content.len > HM_CONTENT_MAX)
      return false;
  return true;
}

enum hm_status hm_segment_append(struct hm_segment *s, const struct hm_stored_batch *batch,
                                 const struct hm_stored_record *records, struct hm_fault *fault)
{
  struct hm_peaks peaks = s->peaks;
  struct hm_sign1 sign1;
  uint8_t leaf[32], nodes[HM_LEVELS][32];
  unsigned node_count;
  if (s->env.mode != HM_LOG_WRITE || !is_next(s, batch, records))
    return hm_fault_set(fault, HM_STATE, 0, "%s: batch r%llu does not follow r%llu", s->env.path,
                        (unsigned long long)batch->number, (unsigned long long)s->peaks.size);
  if (!s->env.lmdb)
    return hm_fault_set(fault, HM_DAMAGED, 0, "%s: could not be read back", s->env.path);
  HM_TRY(hm_sign1_expect(batch->receipt, HM_TYP_BATCH, &sign1));
  HM_TRY(hm_sign1_leaf(s->crypto, &sign1, hm_bytes(batch->root, 32), leaf));
  HM_TRY(hm_peaks_append(s->crypto, &peaks, leaf, nodes, &node_count));
  MDB_txn *txn;
  int rc = mdb_txn_begin(s->env.lmdb, NULL, 0, &txn);
  if (rc)
    return hm_env_write_fault(&s->env, rc, fault);
  enum hm_status status =
      put_all(s, txn, batch, records, (const uint8_t(*)[32])nodes, node_count, &rc);
  if (status != HM_OK) {
    mdb_txn_abort(txn);
    return rc ? hm_env_write_fault(&s->env, rc, fault)
              : hm_fault_set(fault, status, 0, "%s: batch r%llu: %s", s->env.path,
                             (unsigned long long)batch->number, hm_status_text(status));
  }
  rc = mdb_txn_commit(txn);
  if (rc) {
    status = hm_env_write_fault(&s->env, rc, fault);
    HM_TRY(hm_env_reopen(&s->env, fault));
    HM_TRY(stand(s, fault));
    return status;
  }
  s->peaks = peaks;
  s->control_size = batch->control_size;
  atomic_store(&s->records, batch->first_record + batch->record_count - 1);
  atomic_store(&s->batches, batch->number);
  hm_headfile_put(s->head, s->crypto, batch->number, batch->receipt);
  return HM_OK;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A stored entry is the array [nodes, typ, time, durable, [object, attached]].
 *
 * Invariants: `size` is what the last returned commit made durable and only grows;
 * `peaks` belongs to the appending thread and always stands at `size`.
 */
#include "memory/log.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "memory/env.h"
#include "trust/checkpoint.h"

enum { DB_META, DB_ENTRY, DB_CHECKPOINT, DB_LIVE, DB_HASH };

/* control is never pruned: the map is fixed and sparse */
#define LOG_MAP ((size_t)16 << 30)

static const struct hm_env_spec control_spec = {
    HM_LOG_CONTROL, LOG_MAP, 5, {"meta", "entry", "checkpoint", "live", "hash"}};
static const struct hm_env_spec authority_spec = {
    HM_LOG_AUTHORITY, LOG_MAP, 5, {"meta", "entry", "checkpoint", "live", "hash"}};

struct hm_log {
  struct hm_env env;
  const struct hm_crypto *crypto;
  _Atomic uint64_t size;
  struct hm_peaks peaks;
};

static const struct hm_env_spec *spec_of(enum hm_log_kind kind)
{
  return kind == HM_LOG_AUTHORITY ? &authority_spec : &control_spec;
}

/* ---- entries --------------------------------------------------------------------- */
struct prepared {
  uint16_t typ;
  uint8_t name[32];
  uint8_t nodes[HM_LEVELS][32];
  unsigned node_count;
};

/* Check an item and give it its place in the tree. */
static enum hm_status prepare(const struct hm_crypto *c, const struct hm_log_item *item,
                              struct hm_peaks *peaks, struct prepared *p)
{
  struct hm_sign1 sign1;
  uint8_t leaf[32];
  HM_TRY(hm_sign1_parse(item->object, false, &sign1));
  if (sign1.is_detached)
    return HM_WRONG_TYPE;
  if (item->attached_count > HM_LOG_ATTACHED)
    return HM_TOO_LARGE;
  for (uint32_t i = 0; i < item->attached_count; i++)
    if (item->attached[i].len > HM_LOG_ATTACHED_MAX)
      return HM_TOO_LARGE;
  if (item->live.len > HM_LIVE_SET_MAX || (item->live.len > 0 && sign1.typ != HM_TYP_HEAD))
    return HM_TOO_LARGE;
  p->typ = sign1.typ;
  HM_TRY(hm_sign1_name(c, &sign1, hm_bytes(NULL, 0), p->name));
  HM_TRY(hm_sign1_leaf(c, &sign1, hm_bytes(NULL, 0), leaf));
  return hm_peaks_append(c, peaks, leaf, p->nodes, &p->node_count);
}

static enum hm_status encode(const struct hm_log_item *item, const struct prepared *p,
                             struct hm_out *out)
{
  hm_cbor_put_array(out, 5);
  hm_cbor_put_bstr(out, hm_bytes(p->nodes, 32 * (size_t)p->node_count));
  hm_cbor_put_uint(out, p->typ);
  hm_cbor_put_uint(out, item->time_s);
  hm_cbor_put_uint(out, item->durable_batches);
  hm_cbor_put_array(out, 2);
  hm_cbor_put_bstr(out, item->object);
  hm_cbor_put_array(out, item->attached_count);
  for (uint32_t i = 0; i < item->attached_count; i++)
    hm_cbor_put_bstr(out, item->attached[i]);
  return hm_out_status(out);
}

static enum hm_status decode(struct hm_bytes value, uint64_t number, struct hm_log_entry *e)
{
  struct hm_cbor c = hm_cbor(value);
  size_t count;
  struct hm_bytes nodes;
  uint64_t typ;
  memset(e, 0, sizeof *e);
  e->number = number;
  HM_TRY(hm_cbor_array(&c, &count));
  if (count != 5)
    return HM_DAMAGED;
  HM_TRY(hm_cbor_bstr(&c, &nodes));
  HM_TRY(hm_cbor_uint(&c, &typ));
  HM_TRY(hm_cbor_uint(&c, &e->time_s));
  HM_TRY(hm_cbor_uint(&c, &e->durable_batches));
  size_t at = c.at;
  HM_TRY(hm_cbor_array(&c, &count));
  if (count != 2)
    return HM_DAMAGED;
  HM_TRY(hm_cbor_bstr(&c, &e->object));
  HM_TRY(hm_cbor_array(&c, &count));
  if (count > HM_LOG_ATTACHED)
    return HM_DAMAGED;
  e->attached_count = (uint32_t)count;
  for (size_t i = 0; i < count; i++)
    HM_TRY(hm_cbor_bstr(&c, &e->attached[i]));
  e->typ = (uint16_t)typ;
  e->control_entry = hm_bytes(value.data + at, c.at - at);
  return hm_cbor_end(&c);
}

/* ---- appending ------------------------------------------------------------------- */
static int put_named(MDB_txn *txn, MDB_dbi dbi, uint8_t name[32], uint64_t number)
{
  uint8_t bytes[8];
  for (int i = 7; i >= 0; i--, number >>= 8)
    bytes[i] = (uint8_t)number;
  MDB_val key = {32, name}, data = {sizeof bytes, bytes};
  return mdb_put(txn, dbi, &key, &data, 0);
}

struct append {
  const struct hm_crypto *crypto;
  const struct hm_log_item *items;
  size_t count;
  struct hm_bytes checkpoint;
  struct hm_peaks peaks; /* before, then after */
  int rc;                /* LMDB's, where status is not from it */
};

static enum hm_status put_item(struct append *a, MDB_txn *txn, const MDB_dbi *dbi,
                               const struct hm_log_item *item, uint8_t *buffer)
{
  struct prepared p;
  HM_TRY(prepare(a->crypto, item, &a->peaks, &p));
  struct hm_out out = hm_out(buffer, HM_LOG_ENTRY_MAX);
  if (encode(item, &p, &out) != HM_OK)
    return HM_TOO_LARGE;
  uint64_t number = a->peaks.size;
  a->rc = hm_env_put(txn, dbi[DB_ENTRY], number, hm_out_bytes(&out));
  if (a->rc == 0 && item->live.len > 0)
    a->rc = hm_env_put(txn, dbi[DB_LIVE], number, item->live);
  if (a->rc == 0 && (p.typ == HM_TYP_BINDING || p.typ == HM_TYP_PAIRING))
    a->rc = put_named(txn, dbi[DB_HASH], p.name, number);
  return hm_env_status(a->rc);
}

/* An hm_env_fill. */
static enum hm_status put_items(void *context, MDB_txn *txn, const MDB_dbi *dbi)
{
  struct append *a = context;
  uint8_t *buffer = malloc(HM_LOG_ENTRY_MAX);
  enum hm_status status = buffer ? HM_OK : HM_IO;
  for (size_t i = 0; i < a->count && status == HM_OK; i++)
    status = put_item(a, txn, dbi, &a->items[i], buffer);
  free(buffer);
  if (status == HM_OK && a->checkpoint.len > 0) {
    uint64_t newest;
    HM_TRY(hm_env_last(txn, dbi[DB_CHECKPOINT], UINT64_MAX, &newest));
    if (newest < a->peaks.size) {
      a->rc = hm_env_put(txn, dbi[DB_CHECKPOINT], a->peaks.size, a->checkpoint);
      status = hm_env_status(a->rc);
    }
  }
  return status;
}

enum hm_status hm_log_create(const struct hm_crypto *c, const char *path, enum hm_log_kind kind,
                             const uint8_t owner[32], const uint8_t random[16],
                             const struct hm_log_item *items, size_t count,
                             struct hm_bytes checkpoint, struct hm_fault *fault)
{
  struct hm_env_identity identity = {.kind = (uint64_t)kind, .first = 1};
  memcpy(identity.owner, owner, 32);
  memcpy(identity.random, random, 16);
  struct append a = {.crypto = c, .items = items, .count = count, .checkpoint = checkpoint};
  if (count < 1 || count > HM_LOG_APPEND_MAX || kind == HM_LOG_DATA)
    return hm_fault_set(fault, HM_STATE, 0, "%s: a log begins with 1 to %d entries", path,
                        HM_LOG_APPEND_MAX);
  return hm_env_create(path, spec_of(kind), &identity, put_items, &a, fault);
}

/* Read where the log stands: size and peaks. */
static enum hm_status stand(struct hm_log *log)
{
  MDB_txn *txn;
  uint64_t size;
  HM_TRY(hm_env_read(&log->env, &txn));
  enum hm_status status = hm_env_last(txn, log->env.dbi[DB_ENTRY], UINT64_MAX, &size);
  MDB_stat stat;
  if (status == HM_OK && (mdb_stat(txn, log->env.dbi[DB_ENTRY], &stat) || stat.ms_entries != size))
    status = HM_DAMAGED; /* a number is missing */
  hm_env_read_end(&log->env, txn);
  HM_TRY(status);
  atomic_store(&log->size, size);
  return hm_peaks_load(hm_log_node, log, size, &log->peaks);
}

enum hm_status hm_log_append(struct hm_log *log, const struct hm_log_item *items, size_t count,
                             struct hm_bytes checkpoint, uint64_t *first, struct hm_fault *fault)
{
  struct append a = {log->crypto, items, count, checkpoint, log->peaks, 0};
  *first = log->peaks.size + 1;
  if (log->env.mode != HM_LOG_WRITE || count > HM_LOG_APPEND_MAX)
    return hm_fault_set(fault, HM_STATE, 0, "%s: append of %zu entries, at most %d", log->env.path,
                        count, HM_LOG_APPEND_MAX);
  if (!log->env.lmdb)
    return hm_fault_set(fault, HM_DAMAGED, 0, "%s: could not be read back", log->env.path);
  MDB_txn *txn;
  int rc = mdb_txn_begin(log->env.lmdb, NULL, 0, &txn);
  if (rc)
    return hm_env_write_fault(&log->env, rc, fault);
  enum hm_status status = put_items(&a, txn, log->env.dbi);
  if (status != HM_OK) {
    mdb_txn_abort(txn);
    if (a.rc)
      return hm_env_write_fault(&log->env, a.rc, fault);
    return hm_fault_set(fault, status, 0, "%s: entry %llu: %s", log->env.path,
                        (unsigned long long)*first, hm_status_text(status));
  }
  rc = mdb_txn_commit(txn);
  if (rc == 0) {
    log->peaks = a.peaks;
    atomic_store(&log->size, a.peaks.size);
    return HM_OK;
  }
  status = hm_env_write_fault(&log->env, rc, fault);
  HM_TRY(hm_env_reopen(&log->env, fault));
  HM_TRY(stand(log));
  return status;
}

enum hm_status hm_log_preview(struct hm_log *log, const struct hm_log_item *items, size_t count,
                              uint64_t *size, uint8_t root[32])
{
  struct hm_peaks peaks = log->peaks;
  struct prepared p;
  for (size_t i = 0; i < count; i++)
    HM_TRY(prepare(log->crypto, &items[i], &peaks, &p));
  *size = peaks.size;
  return hm_peaks_root(log->crypto, &peaks, root);
}

/* ---- opening --------------------------------------------------------------------- */
enum hm_status hm_log_open(const struct hm_crypto *c, const char *path, enum hm_log_kind kind,
                           enum hm_log_mode mode, struct hm_log **out, struct hm_fault *fault)
{
  struct hm_log *log = calloc(1, sizeof *log);
  *out = NULL;
  if (!log)
    return hm_fault_set(fault, HM_IO, 0, "%s: no memory", path);
  log->crypto = c;
  enum hm_status status = hm_env_open(&log->env, path, spec_of(kind), mode, fault);
  if (status != HM_OK) {
    free(log);
    return status;
  }
  status = stand(log);
  if (status == HM_OK && log->peaks.size == 0)
    status = HM_DAMAGED;
  if (status != HM_OK) {
    hm_fault_set(fault, HM_DAMAGED, 0,
                 "%s: its entries are not numbered from 1 or lack their nodes", path);
    hm_log_close(log);
    return HM_DAMAGED;
  }
  *out = log;
  return HM_OK;
}

void hm_log_close(struct hm_log *log)
{
  if (!log)
    return;
  hm_env_close(&log->env);
  free(log);
}

void hm_log_owner(const struct hm_log *log, uint8_t owner[32])
{
  memcpy(owner, log->env.identity.owner, 32);
}

uint64_t hm_log_size(struct hm_log *log)
{
  return atomic_load(&log->size);
}

/* ---- reading --------------------------------------------------------------------- */
static enum hm_status copy_out(struct hm_bytes value, uint8_t *buffer, size_t cap)
{
  if (value.len > cap)
    return HM_SHORT_BUFFER;
  memcpy(buffer, value.data, value.len);
  return HM_OK;
}

enum hm_status hm_log_entry(struct hm_log *log, uint64_t number, uint8_t *buffer, size_t cap,
                            struct hm_log_entry *entry)
{
  MDB_txn *txn;
  struct hm_bytes value;
  if (number < 1 || number > hm_log_size(log))
    return HM_NOT_FOUND;
  HM_TRY(hm_env_read(&log->env, &txn));
  enum hm_status status = hm_env_get(txn, log->env.dbi[DB_ENTRY], number, &value);
  size_t len = status == HM_OK ? value.len : 0;
  if (status == HM_OK)
    status = copy_out(value, buffer, cap);
  hm_env_read_end(&log->env, txn);
  if (status == HM_NOT_FOUND)
    return HM_DAMAGED;
  HM_TRY(status);
  return decode(hm_bytes(buffer, len), number, entry) == HM_OK ? HM_OK : HM_DAMAGED;
}

enum hm_status hm_log_scan(struct hm_log *log, uint64_t from, uint64_t limit, hm_log_visit visit,
                           void *context)
{
  MDB_txn *txn;
  uint64_t size = hm_log_size(log);
  if (from < 1 || from > size)
    return HM_OK;
  uint64_t end = limit > size - from ? size : from + limit - 1;
  HM_TRY(hm_env_read(&log->env, &txn));
  enum hm_status status = HM_OK;
  for (uint64_t n = from; n <= end && status == HM_OK; n++) {
    struct hm_bytes value;
    struct hm_log_entry entry;
    if (hm_env_get(txn, log->env.dbi[DB_ENTRY], n, &value) != HM_OK ||
        decode(value, n, &entry) != HM_OK)
      status = HM_DAMAGED;
    else
      status = visit(context, &entry);
  }
  hm_env_read_end(&log->env, txn);
  return status;
}

enum hm_status hm_log_node(void *store, struct hm_node_id id, uint8_t hash[32])
{
  struct hm_log *log = store;
  MDB_txn *txn;
  HM_TRY(hm_env_read(&log->env, &txn));
  enum hm_status status = hm_env_node(txn, log->env.dbi[DB_ENTRY], id, hash);
  hm_env_read_end(&log->env, txn);
  return status;
}

enum hm_status hm_log_root(struct hm_log *log, uint64_t size, uint8_t root[32])
{
  struct hm_peaks peaks;
  if (size > hm_log_size(log))
    return HM_NOT_FOUND;
  HM_TRY(hm_peaks_load(hm_log_node, log, size, &peaks));
  return hm_peaks_root(log->crypto, &peaks, root);
}

enum hm_status hm_log_find(struct hm_log *log, const uint8_t name[32], uint64_t *number)
{
  MDB_txn *txn;
  uint8_t bytes[32];
  memcpy(bytes, name, 32);
  MDB_val key = {sizeof bytes, bytes}, data;
  HM_TRY(hm_env_read(&log->env, &txn));
  enum hm_status status = hm_env_status(mdb_get(txn, log->env.dbi[DB_HASH], &key, &data));
  *number = 0;
  if (status == HM_OK && data.mv_size == 8)
    for (size_t i = 0; i < 8; i++)
      *number = *number << 8 | ((const uint8_t *)data.mv_data)[i];
  hm_env_read_end(&log->env, txn);
  HM_TRY(status);
  if (*number == 0)
    return HM_DAMAGED;
  return *number <= hm_log_size(log) ? HM_OK : HM_NOT_FOUND;
}

enum hm_status hm_log_checkpoint(struct hm_log *log, uint64_t limit, uint8_t *object, size_t cap,
                                 size_t *len, uint64_t *size)
{
  MDB_txn *txn;
  struct hm_bytes value = {NULL, 0};
  uint64_t durable = hm_log_size(log);
  HM_TRY(hm_env_read(&log->env, &txn));
  enum hm_status status =
      hm_env_last(txn, log->env.dbi[DB_CHECKPOINT], limit < durable ? limit : durable, size);
  if (status == HM_OK)
    status = *size ? hm_env_get(txn, log->env.dbi[DB_CHECKPOINT], *size, &value) : HM_NOT_FOUND;
  *len = value.len;
  if (status == HM_OK)
    status = copy_out(value, object, cap);
  hm_env_read_end(&log->env, txn);
  return status;
}

enum hm_status hm_log_live(struct hm_log *log, uint64_t number, uint8_t *set, size_t cap,
                           size_t *len)
{
  MDB_txn *txn;
  struct hm_bytes value = {NULL, 0};
  if (number < 1 || number > hm_log_size(log))
    return HM_NOT_FOUND;
  HM_TRY(hm_env_read(&log->env, &txn));
  enum hm_status status = hm_env_get(txn, log->env.dbi[DB_LIVE], number, &value);
  *len = value.len;
  if (status == HM_OK)
    status = copy_out(value, set, cap);
  hm_env_read_end(&log->env, txn);
  return status;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Opening, making and reopening an environment; numbers as keys.
 *
 * Default durability always: never WRITEMAP, NOSYNC, MAPASYNC. MDB_NOTLS, since a
 * transaction belongs to a call and not to a thread. Read-only opening uses
 * MDB_NOLOCK: the shared flock says that no writer lives, and no file changes.
 */
#include "memory/env.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "memory/page.h"

static const struct hm_field identity_fields[] = {
    {.name = "magic", .kind = HM_TEXT, .text = "hallmark"},
    {.name = "kind",
     .kind = HM_UINT,
     .at = offsetof(struct hm_env_identity, kind),
     .min = 1,
     .max = 3},
    {.name = "owner", .kind = HM_FIXED, .at = offsetof(struct hm_env_identity, owner), .max = 32},
    {.name = "number",
     .kind = HM_UINT,
     .at = offsetof(struct hm_env_identity, number),
     .max = INT64_MAX},
    {.name = "first",
     .kind = HM_UINT,
     .at = offsetof(struct hm_env_identity, first),
     .min = 1,
     .max = INT64_MAX},
    {.name = "random", .kind = HM_FIXED, .at = offsetof(struct hm_env_identity, random), .max = 16},
};
static const struct hm_shape identity_shape = {
    .name = "identity",
    .fields = identity_fields,
    .field_count = sizeof identity_fields / sizeof *identity_fields,
    .size = sizeof(struct hm_env_identity),
};
static const char identity_key[] = "identity";

enum hm_status hm_env_identity_encode(const struct hm_env_identity *identity, struct hm_out *out)
{
  return hm_encode(&identity_shape, identity, out, NULL);
}

enum hm_status hm_env_status(int rc)
{
  switch (rc) {
  case MDB_SUCCESS:
    return HM_OK;
  case MDB_NOTFOUND:
    return HM_NOT_FOUND;
  case MDB_MAP_FULL:
  case MDB_TXN_FULL:
  case ENOSPC:
  case EDQUOT:
    return HM_FULL;
  case MDB_CORRUPTED:
  case MDB_PAGE_NOTFOUND:
  case MDB_INVALID:
  case MDB_VERSION_MISMATCH:
  case MDB_INCOMPATIBLE:
  case MDB_BAD_VALSIZE:
  case MDB_PANIC:
    return HM_DAMAGED;
  case MDB_KEYEXIST:
  case MDB_BAD_TXN:
  case MDB_BAD_DBI:
    return HM_STATE;
  default:
    return HM_IO;
  }
}

enum hm_status hm_env_write_fault(const struct hm_env *env, int rc, struct hm_fault *fault)
{
  enum hm_status status = hm_env_status(rc);
  struct statvfs disk;
  /* a full disk shows as EIO through LMDB */
  if (status == HM_IO && fstatvfs(env->folder, &disk) == 0 &&
      (uint64_t)disk.f_bavail * disk.f_frsize < (UINT64_C(1) << 20))
    status = HM_FULL;
  return hm_fault_set(fault, status, rc > 0 ? rc : 0, "%s/data.mdb: cannot append: %s", env->path,
                      status == HM_FULL && rc > 0 ? "the disk is full" : mdb_strerror(rc));
}

/* ---- values ---------------------------------------------------------------------- */
static void number_key(uint64_t number, uint8_t key[8])
{
  for (int i = 7; i >= 0; i--, number >>= 8)
    key[i] = (uint8_t)number;
}

static enum hm_status key_number(const MDB_val *key, uint64_t *number)
{
  if (key->mv_size != 8)
    return HM_DAMAGED;
  *number = 0;
  for (size_t i = 0; i < 8; i++)
    *number = *number << 8 | ((const uint8_t *)key->mv_data)[i];
  return HM_OK;
}

enum hm_status hm_env_get(MDB_txn *txn, MDB_dbi dbi, uint64_t number, struct hm_bytes *value)
{
  uint8_t bytes[8];
  number_key(number, bytes);
  MDB_val key = {sizeof bytes, bytes}, data;
  HM_TRY(hm_env_status(mdb_get(txn, dbi, &key, &data)));
  *value = hm_bytes(data.mv_data, data.mv_size);
  return HM_OK;
}

int hm_env_put(MDB_txn *txn, MDB_dbi dbi, uint64_t number, struct hm_bytes value)
{
  uint8_t bytes[8];
  number_key(number, bytes);
  MDB_val key = {sizeof bytes, bytes}, data = {value.len, NULL};
  /* reserve and copy: MDB_val has no const */
  int rc = mdb_put(txn, dbi, &key, &data, MDB_APPEND | MDB_RESERVE);
  if (rc == MDB_SUCCESS)
    memcpy(data.mv_data, value.data, value.len);
  return rc;
}

enum hm_status hm_env_last(MDB_txn *txn, MDB_dbi dbi, uint64_t limit, uint64_t *number)
{
  MDB_cursor *cursor;
  *number = 0;
  HM_TRY(hm_env_status(mdb_cursor_open(txn, dbi, &cursor)));
  uint8_t bytes[8];
  number_key(limit, bytes);
  MDB_val key = {sizeof bytes, bytes}, data;
  int rc = mdb_cursor_get(cursor, &key, &data, MDB_SET_RANGE);
  uint64_t found = 0;
  enum hm_status status = HM_OK;
  if (rc == MDB_SUCCESS)
    status = key_number(&key, &found);
  if (rc == MDB_NOTFOUND)
    rc = mdb_cursor_get(cursor, &key, &data, MDB_LAST);
  else if (rc == MDB_SUCCESS && status == HM_OK && found > limit)
    rc = mdb_cursor_get(cursor, &key, &data, MDB_PREV);
  if (rc == MDB_SUCCESS && status == HM_OK)
    status = key_number(&key, number);
  else if (rc != MDB_NOTFOUND && status == HM_OK)
    status = hm_env_status(rc);
  mdb_cursor_close(cursor);
  return status;
}

enum hm_status hm_env_node(MDB_txn *txn, MDB_dbi dbi, struct hm_node_id id, uint8_t hash[32])
{
  struct hm_bytes value, nodes;
  if (id.level >= HM_LEVELS || id.index >= (UINT64_MAX >> 1) >> id.level)
    return HM_NOT_FOUND;
  HM_TRY(hm_env_get(txn, dbi, (id.index + 1) << id.level, &value));
  struct hm_cbor c = hm_cbor(value);
  size_t count;
  if (hm_cbor_array(&c, &count) != HM_OK || hm_cbor_bstr(&c, &nodes) != HM_OK || nodes.len % 32 ||
      nodes.len / 32 <= id.level)
    return HM_DAMAGED;
  memcpy(hash, nodes.data + 32 * (size_t)id.level, 32);
  return HM_OK;
}

/* ---- making ---------------------------------------------------------------------- */
static enum hm_status put_identity(MDB_txn *txn, MDB_dbi meta,
                                   const struct hm_env_identity *identity)
{
  uint8_t bytes[128], name[sizeof identity_key];
  struct hm_out out = hm_out(bytes, sizeof bytes);
  HM_TRY(hm_env_identity_encode(identity, &out));
  memcpy(name, identity_key, sizeof name);
  MDB_val key = {sizeof identity_key - 1, name}, data = {out.len, bytes};
  return hm_env_status(mdb_put(txn, meta, &key, &data, 0));
}

static enum hm_status fill_new(MDB_env *lmdb, const struct hm_env_spec *spec,
                               const struct hm_env_identity *identity, hm_env_fill fill,
                               void *context)
{
  MDB_txn *txn;
  MDB_dbi dbi[HM_ENV_DATABASES];
  HM_TRY(hm_env_status(mdb_txn_begin(lmdb, NULL, 0, &txn)));
  enum hm_status status = HM_OK;
  for (size_t i = 0; i < spec->count && status == HM_OK; i++)
    status = hm_env_status(mdb_dbi_open(txn, spec->names[i], MDB_CREATE, &dbi[i]));
  if (status == HM_OK)
    status = put_identity(txn, dbi[0], identity);
  if (status == HM_OK && fill)
    status = fill(context, txn, dbi);
  if (status != HM_OK) {
    mdb_txn_abort(txn);
    return status;
  }
  return hm_env_status(mdb_txn_commit(txn));
}

static enum hm_status configure(MDB_env *lmdb, const struct hm_env_spec *spec)
{
  HM_TRY(hm_env_status(mdb_env_set_maxdbs(lmdb, HM_ENV_DATABASES)));
  return hm_env_status(mdb_env_set_mapsize(lmdb, spec->map));
}

static void close_on_exec(MDB_env *lmdb)
{
  mdb_filehandle_t fd; /* LMDB opens data.mdb without O_CLOEXEC */
  if (mdb_env_get_fd(lmdb, &fd) == MDB_SUCCESS)
    fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static enum hm_status create_in(const char *path, const struct hm_env_spec *spec,
                                const struct hm_env_identity *identity, hm_env_fill fill,
                                void *context)
{
  MDB_env *lmdb;
  HM_TRY(hm_env_status(mdb_env_create(&lmdb)));
  enum hm_status status = configure(lmdb, spec);
  if (status == HM_OK)
    status = hm_env_status(mdb_env_open(lmdb, path, MDB_NOTLS, 0600));
  if (status == HM_OK) {
    close_on_exec(lmdb);
    status = fill_new(lmdb, spec, identity, fill, context);
  }
  if (status == HM_OK)
    status = hm_env_status(mdb_env_sync(lmdb, 1));
  mdb_env_close(lmdb);
  return status;
}

enum hm_status hm_env_create(const char *path, const struct hm_env_spec *spec,
                             const struct hm_env_identity *identity, hm_env_fill fill,
                             void *context, struct hm_fault *fault)
{
  char fresh[4096];
  int n = snprintf(fresh, sizeof fresh, "%s.new", path);
  if (n < 0 || (size_t)n >= sizeof fresh - 16)
    return hm_fault_set(fault, HM_TOO_LARGE, 0, "%s: path of over 4000 bytes", path);
  if (access(path, F_OK) == 0)
    return hm_fault_set(fault, HM_EXISTS, 0, "%s: exists already", path);
  HM_TRY(hm_folder_remove(fresh, fault));
  HM_TRY(hm_dir_make(fresh, fault));
  enum hm_status status = create_in(fresh, spec, identity, fill, context);
  if (status != HM_OK)
    return hm_fault_set(fault, status, errno, "%s: cannot make the log: %s", fresh,
                        hm_status_text(status));
  HM_TRY(hm_dir_sync(fresh, fault));
  return hm_folder_rename(fresh, path, fault);
}

/* ---- opening --------------------------------------------------------------------- */
static enum hm_status take_lock(struct hm_env *env, struct hm_fault *fault)
{
  env->folder = open(env->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (env->folder < 0)
    return hm_fault_set(fault, errno == ENOENT ? HM_NOT_FOUND : HM_IO, errno,
                        "%s: cannot open the log: %s", env->path, strerror(errno));
  if (flock(env->folder, (env->mode == HM_LOG_WRITE ? LOCK_EX : LOCK_SH) | LOCK_NB))
    return hm_fault_set(fault, errno == EWOULDBLOCK ? HM_LOCKED : HM_IO, errno,
                        "%s: another process has it open", env->path);
  return HM_OK;
}

/* Before LMDB sees it. */
static enum hm_status check_file(const struct hm_env *env, struct hm_fault *fault)
{
  int fd = hm_regular_open(env->folder, "data.mdb", O_RDONLY);
  if (fd < 0)
    return hm_fault_set(fault,
                        errno == ENOENT   ? HM_NOT_FOUND
                        : errno == EINVAL ? HM_DAMAGED
                                          : HM_IO,
                        errno, "%s/data.mdb: %s", env->path,
                        errno == EINVAL ? "not a regular file" : strerror(errno));
  struct hm_fault page = {0, ""};
  enum hm_status status = hm_page_check(fd, env->spec->map, &page);
  close(fd);
  if (status != HM_OK)
    hm_fault_set(fault, status, page.error, "%.120s/data.mdb: %.100s", env->path, page.text);
  return status;
}

static enum hm_status read_identity(struct hm_env *env, MDB_txn *txn)
{
  uint8_t name[sizeof identity_key];
  memcpy(name, identity_key, sizeof name);
  MDB_val key = {sizeof identity_key - 1, name}, data;
  if (mdb_get(txn, env->dbi[0], &key, &data) != MDB_SUCCESS ||
      hm_decode(&identity_shape, hm_bytes(data.mv_data, data.mv_size), &env->identity, NULL) !=
          HM_OK ||
      env->identity.kind != (uint64_t)env->spec->kind)
    return HM_DAMAGED;
  return HM_OK;
}

static enum hm_status open_databases(struct hm_env *env)
{
  MDB_txn *txn;
  HM_TRY(hm_env_status(mdb_txn_begin(env->lmdb, NULL, MDB_RDONLY, &txn)));
  enum hm_status status = HM_OK;
  for (size_t i = 0; i < env->spec->count && status == HM_OK; i++)
    if (mdb_dbi_open(txn, env->spec->names[i], 0, &env->dbi[i]) != MDB_SUCCESS)
      status = HM_DAMAGED;
  if (status == HM_OK)
    status = read_identity(env, txn);
  if (status != HM_OK) {
    mdb_txn_abort(txn);
    return status;
  }
  return hm_env_status(mdb_txn_commit(txn));
}

static enum hm_status open_lmdb(struct hm_env *env, struct hm_fault *fault)
{
  HM_TRY(check_file(env, fault));
  unsigned flags = MDB_NOTLS;
  if (env->mode == HM_LOG_READ)
    flags |= MDB_RDONLY | MDB_NOLOCK;
  enum hm_status status = hm_env_status(mdb_env_create(&env->lmdb));
  if (status == HM_OK) {
    status = configure(env->lmdb, env->spec);
    if (status == HM_OK)
      status = hm_env_status(mdb_env_open(env->lmdb, env->path, flags, 0600));
    if (status == HM_OK) {
      close_on_exec(env->lmdb);
      status = open_databases(env);
    }
    if (status != HM_OK) {
      mdb_env_close(env->lmdb);
      env->lmdb = NULL;
    }
  }
  if (status == HM_DAMAGED)
    return hm_fault_set(fault, status, 0, "%s/data.mdb: not a %s of this program", env->path,
                        env->spec->kind == HM_LOG_DATA ? "data segment" : "log");
  if (status != HM_OK)
    return hm_fault_set(fault, status, errno, "%s/data.mdb: cannot open: %s", env->path,
                        hm_status_text(status));
  return HM_OK;
}

enum hm_status hm_env_open(struct hm_env *env, const char *path, const struct hm_env_spec *spec,
                           enum hm_log_mode mode, struct hm_fault *fault)
{
  memset(env, 0, sizeof *env);
  env->spec = spec;
  env->mode = mode;
  env->folder = -1;
  int n = snprintf(env->path, sizeof env->path, "%s", path);
  if (n < 0 || (size_t)n >= sizeof env->path - 16)
    return hm_fault_set(fault, HM_TOO_LARGE, 0, "%s: path of over 4000 bytes", path);
  if (pthread_rwlock_init(&env->lock, NULL))
    return HM_IO;
  enum hm_status status = take_lock(env, fault);
  if (status == HM_OK)
    status = open_lmdb(env, fault);
  if (status != HM_OK)
    hm_env_close(env);
  return status;
}

enum hm_status hm_env_reopen(struct hm_env *env, struct hm_fault *fault)
{
  pthread_rwlock_wrlock(&env->lock);
  if (env->lmdb)
    mdb_env_close(env->lmdb);
  env->lmdb = NULL;
  enum hm_status status = open_lmdb(env, fault);
  pthread_rwlock_unlock(&env->lock);
  return status;
}

void hm_env_close(struct hm_env *env)
{
  if (env->lmdb)
    mdb_env_close(env->lmdb);
  env->lmdb = NULL;
  if (env->folder >= 0)
    close(env->folder);
  env->folder = -1;
  pthread_rwlock_destroy(&env->lock);
}

enum hm_status hm_env_read(struct hm_env *env, MDB_txn **txn)
{
  pthread_rwlock_rdlock(&env->lock);
  enum hm_status status = HM_DAMAGED;
  if (env->lmdb)
    status = hm_env_status(mdb_txn_begin(env->lmdb, NULL, MDB_RDONLY, txn));
  if (status != HM_OK)
    pthread_rwlock_unlock(&env->lock);
  return status;
}

void hm_env_read_end(struct hm_env *env, MDB_txn *txn)
{
  mdb_txn_abort(txn);
  pthread_rwlock_unlock(&env->lock);
}

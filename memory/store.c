/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The folder: which environments there are, and what must hold between them.
 */
#include "memory/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "memory/segment.h"
#include "trust/receipt.h"

enum { FORMAT_VERSION = 1, FORMAT_READER = 1 };

struct hm_store {
  const struct hm_crypto *crypto;
  int format; /* descriptor with the flock */
  struct hm_log *control;
  struct hm_segment segment;
  bool has_segment;
  char path[4000];
};

static enum hm_status join(const char *folder, const char *name, char *path, size_t cap,
                           struct hm_fault *fault)
{
  int n = snprintf(path, cap, "%s/%s", folder, name);
  if (n < 0 || (size_t)n >= cap - 32)
    return hm_fault_set(fault, HM_TOO_LARGE, 0, "%.100s...: path of over 3900 bytes", folder);
  return HM_OK;
}

/* ---- making ---------------------------------------------------------------------- */
static struct hm_env_identity segment_identity(const uint8_t host[32], uint64_t number,
                                               uint64_t first_batch, const uint8_t random[16])
{
  struct hm_env_identity identity = {.kind = HM_LOG_DATA, .number = number, .first = first_batch};
  memcpy(identity.owner, host, 32);
  memcpy(identity.random, random, 16);
  return identity;
}

static enum hm_status identity_name(const struct hm_crypto *c,
                                    const struct hm_env_identity *identity, uint8_t name[32])
{
  uint8_t bytes[128];
  struct hm_out out = hm_out(bytes, sizeof bytes);
  HM_TRY(hm_env_identity_encode(identity, &out));
  struct hm_bytes part = hm_out_bytes(&out);
  return c->sha256(&part, 1, name);
}

enum hm_status hm_segment_identity(const struct hm_crypto *c, const uint8_t host[32],
                                   uint64_t number, uint64_t first_batch, const uint8_t random[16],
                                   uint8_t name[32])
{
  struct hm_env_identity identity = segment_identity(host, number, first_batch, random);
  return identity_name(c, &identity, name);
}

static enum hm_status write_format(const char *folder, struct hm_fault *fault)
{
  char path[4096], text[64];
  HM_TRY(join(folder, "format", path, sizeof path, fault));
  int n = snprintf(text, sizeof text, "hallmark store %d %d\n", FORMAT_VERSION, FORMAT_READER);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  bool good = fd >= 0 && write(fd, text, (size_t)n) == n && fsync(fd) == 0;
  int failed = errno;
  if (fd >= 0)
    close(fd);
  return good ? HM_OK
              : hm_fault_set(fault, HM_IO, failed, "%s: cannot write: %s", path, strerror(failed));
}

static enum hm_status create_in(const struct hm_crypto *c, const char *folder,
                                const struct hm_store_birth *birth, struct hm_fault *fault)
{
  char path[4096];
  struct hm_log_item items[] = {birth->genesis, birth->binding, birth->opened};
  struct hm_env_identity identity = segment_identity(birth->host, 1, 1, birth->segment_random);
  HM_TRY(hm_dir_make(folder, fault));
  HM_TRY(join(folder, "control", path, sizeof path, fault));
  HM_TRY(hm_log_create(c, path, HM_LOG_CONTROL, birth->host, birth->control_random, items, 3,
                       hm_bytes(NULL, 0), fault));
  HM_TRY(join(folder, "data", path, sizeof path, fault));
  HM_TRY(hm_dir_make(path, fault));
  HM_TRY(join(folder, "data/000001", path, sizeof path, fault));
  HM_TRY(hm_segment_create(path, &identity, fault));
  HM_TRY(write_format(folder, fault));
  return hm_dir_sync(folder, fault);
}

enum hm_status hm_store_create(const struct hm_crypto *c, const char *path,
                               const struct hm_store_birth *birth, struct hm_fault *fault)
{
  char fresh[4000];
  int n = snprintf(fresh, sizeof fresh, "%s.new", path);
  if (n < 0 || (size_t)n >= sizeof fresh)
    return hm_fault_set(fault, HM_TOO_LARGE, 0, "%.100s...: path of over 3900 bytes", path);
  if (access(path, F_OK) == 0)
    return hm_fault_set(fault, HM_EXISTS, 0, "%s: there is a store already", path);
  HM_TRY(hm_folder_remove(fresh, fault));
  HM_TRY(create_in(c, fresh, birth, fault));
  return hm_folder_rename(fresh, path, fault);
}

/* ---- opening --------------------------------------------------------------------- */
static enum hm_status take_format(struct hm_store *s, enum hm_log_mode mode, struct hm_fault *fault)
{
  char path[4096], text[64] = "", exact[64];
  unsigned version = 0, reader = 0;
  HM_TRY(join(s->path, "format", path, sizeof path, fault));
  s->format = hm_regular_open(AT_FDCWD, path, O_RDONLY);
  if (s->format < 0)
    return hm_fault_set(fault,
                        errno == EINVAL                       ? HM_DAMAGED
                        : errno == ENOENT || errno == ENOTDIR ? HM_NOT_FOUND
                                                              : HM_IO,
                        errno, "%s: no store here: %s", s->path, strerror(errno));
  if (flock(s->format, (mode == HM_LOG_WRITE ? LOCK_EX : LOCK_SH) | LOCK_NB))
    return hm_fault_set(fault, errno == EWOULDBLOCK ? HM_LOCKED : HM_IO, errno,
                        mode == HM_LOG_WRITE ? "%s: another process has this store open"
                                             : "%s: hallmarkd has this store open",
                        s->path);
  ssize_t n = pread(s->format, text, sizeof text - 1, 0);
  int wanted = -1;
  if (n > 0 && sscanf(text, "hallmark store %9u %9u\n", &version, &reader) == 2)
    wanted = snprintf(exact, sizeof exact, "hallmark store %u %u\n", version, reader);
  if (wanted != n || memcmp(text, exact, (size_t)n) != 0)
    return hm_fault_set(fault, HM_DAMAGED, 0, "%s: does not name a store's format", path);
  if (reader > FORMAT_VERSION)
    return hm_fault_set(fault, HM_UNSUPPORTED, 0,
                        "%s: format %u needs a reader of format %u; this one reads %d", s->path,
                        version, reader, FORMAT_VERSION);
  return HM_OK;
}

struct opened {
  uint64_t first;
  bool found;
  uint8_t identity[32];
};

/* Finds the entry that opened the segment. */
static enum hm_status find_opened(void *context, const struct hm_log_entry *entry)
{
  struct opened *o = context;
  struct hm_sign1 sign1;
  struct hm_receipt receipt;
  if (entry->typ != HM_TYP_RECEIPT)
    return HM_OK;
  HM_TRY(hm_sign1_expect(entry->object, HM_TYP_RECEIPT, &sign1));
  HM_TRY(hm_decode(&hm_shape_receipt, sign1.payload, &receipt, NULL));
  if (receipt.kind != HM_RECEIPT_SEGMENT_OPENED || !receipt.has_first ||
      receipt.first != o->first || receipt.evidence_count != 1)
    return HM_OK;
  memcpy(o->identity, receipt.evidence[0], 32);
  o->found = true;
  return HM_EXISTS; /* stop looking */
}

static enum hm_status check_identity(struct hm_store *s, struct hm_fault *fault)
{
  struct opened o = {.first = s->segment.env.identity.first};
  uint8_t name[32];
  enum hm_status status = hm_log_scan(s->control, 1, UINT64_MAX, find_opened, &o);
  if (status != HM_OK && status != HM_EXISTS)
    return hm_fault_set(fault, HM_DAMAGED, 0, "%s/control: an entry cannot be read", s->path);
  HM_TRY(identity_name(s->crypto, &s->segment.env.identity, name));
  if (!o.found || memcmp(o.identity, name, 32))
    return hm_fault_set(fault, HM_DAMAGED, 0,
                        "%s/data/000001: not the segment that the control log opened", s->path);
  return HM_OK;
}

/* What one log says of the other. */
static enum hm_status check_order(struct hm_store *s, struct hm_fault *fault)
{
  uint8_t *buffer = malloc(HM_LOG_ENTRY_MAX);
  struct hm_log_entry newest;
  uint64_t size = hm_log_size(s->control), batches = atomic_load(&s->segment.batches);
  enum hm_status status =
      buffer ? hm_log_entry(s->control, size, buffer, HM_LOG_ENTRY_MAX, &newest) : HM_IO;
  free(buffer);
  if (status != HM_OK)
    return hm_fault_set(fault, status, 0, "%s/control: entry c%llu cannot be read", s->path,
                        (unsigned long long)size);
  if (newest.durable_batches > batches)
    return hm_fault_set(fault, HM_ROLLBACK, 0,
                        "%s: entry c%llu was written after batch r%llu, but the data end at r%llu",
                        s->path, (unsigned long long)size,
                        (unsigned long long)newest.durable_batches, (unsigned long long)batches);
  if (s->segment.control_size > size)
    return hm_fault_set(fault, HM_ROLLBACK, 0,
                        "%s: batch r%llu was signed after entry c%llu, but control ends at c%llu",
                        s->path, (unsigned long long)batches,
                        (unsigned long long)s->segment.control_size, (unsigned long long)size);
  return HM_OK;
}

static enum hm_status open_parts(struct hm_store *s, enum hm_log_mode mode, struct hm_fault *fault)
{
  char path[4096];
  HM_TRY(take_format(s, mode, fault));
  HM_TRY(join(s->path, "control", path, sizeof path, fault));
  HM_TRY(hm_log_open(s->crypto, path, HM_LOG_CONTROL, mode, &s->control, fault));
  HM_TRY(join(s->path, "data/000001", path, sizeof path, fault));
  HM_TRY(hm_segment_open(&s->segment, s->crypto, path, mode, fault));
  s->has_segment = true;
  HM_TRY(check_identity(s, fault));
  return check_order(s, fault);
}

enum hm_status hm_store_open(const struct hm_crypto *c, const char *path, enum hm_log_mode mode,
                             struct hm_store **out, struct hm_fault *fault)
{
  struct hm_store *s = calloc(1, sizeof *s);
  *out = NULL;
  if (!s)
    return hm_fault_set(fault, HM_IO, ENOMEM, "%s: no memory", path);
  s->crypto = c;
  s->format = -1;
  int n = snprintf(s->path, sizeof s->path, "%s", path);
  enum hm_status status =
      n < 0 || (size_t)n >= sizeof s->path - 64
          ? hm_fault_set(fault, HM_TOO_LARGE, 0, "%.100s...: path of over 3900 bytes", path)
          : open_parts(s, mode, fault);
  if (status != HM_OK) {
    /* the folder is there, a part of it is not: that is damage, not absence */
    if (status == HM_NOT_FOUND && s->format >= 0)
      status = HM_DAMAGED;
    hm_store_close(s);
    return status;
  }
  *out = s;
  return HM_OK;
}

void hm_store_close(struct hm_store *s)
{
  if (!s)
    return;
  if (s->has_segment)
    hm_segment_close(&s->segment);
  hm_log_close(s->control);
  if (s->format >= 0)
    close(s->format);
  free(s);
}

/* ---- figures --------------------------------------------------------------------- */
void hm_store_sizes(struct hm_store *s, struct hm_store_sizes *sizes)
{
  sizes->batches = atomic_load(&s->segment.batches);
  sizes->records = atomic_load(&s->segment.records);
  sizes->control = hm_log_size(s->control);
}

struct hm_log *hm_store_control(struct hm_store *s)
{
  return s->control;
}

enum hm_status hm_store_bytes(struct hm_store *s, uint64_t *used, uint64_t *available)
{
  static const char *const files[] = {"format", "control/data.mdb", "data/000001/data.mdb"};
  struct statvfs disk;
  *used = 0;
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char path[4096];
    struct stat st;
    HM_TRY(join(s->path, files[i], path, sizeof path, NULL));
    if (stat(path, &st))
      return HM_IO;
    *used += (uint64_t)st.st_blocks * 512;
  }
  if (statvfs(s->path, &disk))
    return HM_IO;
  *available = (uint64_t)disk.f_bavail * disk.f_frsize;
  return HM_OK;
}

/* ---- appending ------------------------------------------------------------------- */
enum hm_status hm_store_append_control(struct hm_store *s, struct hm_log_item *items, size_t count,
                                       struct hm_bytes checkpoint, uint64_t *first,
                                       struct hm_fault *fault)
{
  for (size_t i = 0; i < count; i++)
    items[i].durable_batches = atomic_load(&s->segment.batches);
  return hm_log_append(s->control, items, count, checkpoint, first, fault);
}

enum hm_status hm_store_append_batch(struct hm_store *s, const struct hm_stored_batch *batch,
                                     const struct hm_stored_record *records, struct hm_fault *fault)
{
  if (batch->control_size > hm_log_size(s->control))
    return hm_fault_set(fault, HM_STATE, 0, "%s: batch r%llu names control entry c%llu of %llu",
                        s->path, (unsigned long long)batch->number,
                        (unsigned long long)batch->control_size,
                        (unsigned long long)hm_log_size(s->control));
  return hm_segment_append(&s->segment, batch, records, fault);
}

/* ---- reading: one segment so far ------------------------------------------------- */
enum hm_status hm_store_record(struct hm_store *s, uint64_t number, uint8_t *buffer, size_t cap,
                               struct hm_stored_record *record)
{
  return hm_segment_record(&s->segment, number, buffer, cap, record);
}

enum hm_status hm_store_batch(struct hm_store *s, uint64_t number, uint8_t *buffer, size_t cap,
                              struct hm_stored_batch *batch)
{
  return hm_segment_batch(&s->segment, number, buffer, cap, batch);
}

enum hm_status hm_store_scan(struct hm_store *s, uint64_t from, uint64_t limit,
                             hm_record_visit visit, void *context)
{
  return hm_segment_scan(&s->segment, from, limit, visit, context);
}

enum hm_status hm_store_batch_of(struct hm_store *s, uint64_t record, uint64_t *batch)
{
  return hm_segment_batch_of(&s->segment, record, batch);
}

enum hm_status hm_store_batch_leaves(struct hm_store *s, uint64_t batch, uint8_t (*leaves)[32],
                                     size_t *count)
{
  return hm_segment_leaves(&s->segment, batch, leaves, count);
}

enum hm_status hm_store_data_node(void *store, struct hm_node_id id, uint8_t hash[32])
{
  struct hm_store *s = store;
  return hm_segment_node(&s->segment, id, hash);
}

enum hm_status hm_store_data_root(struct hm_store *s, uint64_t size, uint8_t root[32])
{
  struct hm_peaks peaks;
  if (size > atomic_load(&s->segment.batches))
    return HM_NOT_FOUND;
  HM_TRY(hm_peaks_load(hm_segment_node, &s->segment, size, &peaks));
  return hm_peaks_root(s->crypto, &peaks, root);
}

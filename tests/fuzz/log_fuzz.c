/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A log whose file was changed: the input is a list of patches {offset u24, byte} of a
 * real log's data.mdb. It is refused, or every read of it ends well; LMDB, which
 * trusts its pages, must never be led out of the file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "memory/log.h"
#include "trust/crypto_openssl.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENTRIES = 40, FILE_MAX = 1 << 20 };

static const struct hm_crypto *const c = &hm_crypto_openssl;
static char folder[64], path[96], file[128];
static uint8_t base[FILE_MAX], changed[FILE_MAX];
static size_t base_len;

static void must(bool good)
{
  if (!good)
    abort();
}

static void clean_up(void)
{
  char lock[128];
  snprintf(lock, sizeof lock, "%s/lock.mdb", path);
  unlink(lock);
  unlink(file);
  rmdir(path);
  rmdir(folder);
}

static struct hm_log_item sign(const struct hm_signer *signer, uint64_t number, uint8_t *object)
{
  uint8_t payload[32];
  struct hm_out p = hm_out(payload, sizeof payload), out = hm_out(object, HM_SIGN1_MAX);
  hm_cbor_put_uint(&p, number);
  uint16_t typ = number % 4 ? HM_TYP_RECEIPT : HM_TYP_PAIRING;
  must(hm_sign1_make(c, signer, typ, hm_out_bytes(&p), &out) == HM_OK);
  struct hm_log_item item = {.object = hm_out_bytes(&out)};
  return item;
}

static void make_base(void)
{
  static const uint8_t scalar[32] = {[31] = 9};
  uint8_t object[HM_SIGN1_MAX];
  struct hm_software_key key;
  struct hm_signer signer;
  struct hm_log *log;
  uint64_t first;
  snprintf(folder, sizeof folder, "/tmp/hallmark-fuzz-XXXXXX");
  must(mkdtemp(folder) != NULL);
  snprintf(path, sizeof path, "%s/log", folder);
  snprintf(file, sizeof file, "%s/data.mdb", path);
  atexit(clean_up);
  must(hm_signer_from_scalar(c, scalar, &key, &signer) == HM_OK);
  struct hm_log_item item = sign(&signer, 1, object);
  must(hm_log_create(c, path, HM_LOG_CONTROL, scalar, scalar, &item, 1, hm_bytes(NULL, 0), NULL) ==
       HM_OK);
  must(hm_log_open(c, path, HM_LOG_CONTROL, HM_LOG_WRITE, &log, NULL) == HM_OK);
  for (uint64_t n = 2; n <= ENTRIES; n++) {
    item = sign(&signer, n, object);
    must(hm_log_append(log, &item, 1, item.object, &first, NULL) == HM_OK);
  }
  hm_log_close(log);
  FILE *in = fopen(file, "rb");
  must(in != NULL);
  base_len = fread(base, 1, sizeof base, in);
  must(base_len > 8192 && base_len < sizeof base);
  fclose(in);
}

static void read_all(void)
{
  struct hm_log *log;
  struct hm_log_entry entry;
  static uint8_t buffer[HM_LOG_ENTRY_MAX];
  uint8_t root[32];
  size_t len;
  uint64_t size;
  if (hm_log_open(c, path, HM_LOG_CONTROL, HM_LOG_READ, &log, NULL) != HM_OK)
    return;
  for (uint64_t n = 1; n <= hm_log_size(log) && n <= 2 * ENTRIES; n++)
    if (hm_log_entry(log, n, buffer, sizeof buffer, &entry) == HM_OK)
      must(entry.object.len <= sizeof buffer);
  if (hm_log_root(log, hm_log_size(log), root) == HM_OK)
    (void)(hm_log_find(log, root, &size) == HM_OK);
  (void)(hm_log_checkpoint(log, UINT64_MAX, buffer, sizeof buffer, &len, &size) == HM_OK);
  hm_log_close(log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (base_len == 0)
    make_base();
  memcpy(changed, base, base_len);
  for (size_t i = 0; i + 4 <= size; i += 4) {
    size_t at = data[i] | (size_t)data[i + 1] << 8 | (size_t)data[i + 2] << 16;
    changed[at % base_len] = data[i + 3];
  }
  FILE *out = fopen(file, "wb");
  must(out != NULL && fwrite(changed, 1, base_len, out) == base_len && fclose(out) == 0);
  read_all();
  return 0;
}

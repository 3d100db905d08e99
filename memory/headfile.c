/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * STORE/data/NNNNNN/head: two slots of 64 bytes, batch r in slot r mod 2:
 *   0 r u64 little-endian | 8 SHA-256 of the receipt | 40 CRC-32 of bytes 0..39 | zeros
 * Written after the commit and never synced, so it can only be older than the
 * segment; a segment older than it was cut or put back.
 */
#include <fcntl.h>
#include <unistd.h>

#include "memory/env.h"
#include "memory/segment.h"

enum { SLOT = 64, CHECKED = 40 };

static uint32_t crc32_of(const uint8_t *bytes, size_t len)
{
  uint32_t crc = 0xffffffffu;
  for (size_t i = 0; i < len; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return ~crc;
}

static void put_le(uint8_t *at, uint64_t value, size_t bytes)
{
  for (size_t i = 0; i < bytes; i++, value >>= 8)
    at[i] = (uint8_t)value;
}

static uint64_t get_le(const uint8_t *at, size_t bytes)
{
  uint64_t value = 0;
  while (bytes-- > 0)
    value = value << 8 | at[bytes];
  return value;
}

enum hm_status hm_headfile_open(int folder, int *fd)
{
  *fd = hm_regular_open(folder, "head", O_RDWR | O_CREAT);
  return *fd >= 0 ? HM_OK : HM_IO;
}

void hm_headfile_put(int fd, const struct hm_crypto *c, uint64_t number, struct hm_bytes receipt)
{
  uint8_t slot[SLOT] = {0};
  put_le(slot, number, 8);
  if (c->sha256(&receipt, 1, slot + 8) != HM_OK)
    return;
  put_le(slot + CHECKED, crc32_of(slot, CHECKED), 4);
  ssize_t n = pwrite(fd, slot, sizeof slot, (off_t)(number & 1) * SLOT);
  (void)n; /* a torn slot fails its CRC and tells nothing */
}

bool hm_headfile_get(int folder, uint64_t *number, uint8_t receipt[32])
{
  uint8_t slots[2 * SLOT] = {0};
  int fd = hm_regular_open(folder, "head", O_RDONLY);
  if (fd < 0)
    return false;
  ssize_t n = pread(fd, slots, sizeof slots, 0);
  close(fd);
  *number = 0;
  for (int i = 0; i < 2 && n > 0; i++) {
    const uint8_t *slot = slots + i * SLOT;
    uint64_t r = get_le(slot, 8);
    if (r <= *number || get_le(slot + CHECKED, 4) != crc32_of(slot, CHECKED))
      continue;
    *number = r;
    memcpy(receipt, slot + 8, 32);
  }
  return *number > 0;
}

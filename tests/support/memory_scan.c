/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/memory_scan.h"

#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { PART = 16, CHUNK = 1 << 20 };

struct needles {
  uint8_t part[4][PART];
};

/* First and second half, as they are and reversed. */
static void make_needles(const uint8_t secret[32], struct needles *needles)
{
  memcpy(needles->part[0], secret, PART);
  memcpy(needles->part[1], secret + PART, PART);
  for (size_t i = 0; i < PART; i++) {
    needles->part[2][i] = secret[PART - 1 - i];
    needles->part[3][i] = secret[2 * PART - 1 - i];
  }
}

static size_t count_in(const uint8_t *data, size_t len, const struct needles *needles)
{
  size_t hits = 0;
  for (size_t n = 0; n < 4; n++) {
    const uint8_t *at = data, *end = data + len;
    while (at < end && (at = memmem(at, (size_t)(end - at), needles->part[n], PART)) != NULL) {
      hits++;
      at++;
    }
  }
  return hits;
}

/* Chunks overlap by one needle less a byte, so that none is cut. */
static size_t count_mapping(int memory, uint64_t begin, uint64_t end, const struct needles *needles,
                            uint8_t *chunk, size_t *read_bytes)
{
  size_t hits = 0, kept = 0;
  for (uint64_t at = begin; at < end;) {
    size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
    ssize_t got = pread(memory, chunk + kept, want, (off_t)at);
    if (got <= 0)
      break; /* a hole: [vvar], or a guard */
    hits += count_in(chunk, kept + (size_t)got, needles);
    *read_bytes += (size_t)got;
    at += (uint64_t)got;
    size_t all = kept + (size_t)got;
    kept = all < PART - 1 ? all : PART - 1;
    memmove(chunk, chunk + all - kept, kept);
  }
  return hits;
}

bool memory_is_readable(pid_t pid)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
  int memory = open(path, O_RDONLY | O_CLOEXEC);
  if (memory >= 0)
    close(memory);
  return memory >= 0;
}

size_t memory_find(pid_t pid, const uint8_t secret[32])
{
  char path[64], line[512];
  struct needles needles;
  make_needles(secret, &needles);
  snprintf(path, sizeof path, "/proc/%d/mem", (int)pid);
  int memory = open(path, O_RDONLY | O_CLOEXEC);
  snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
  FILE *maps = fopen(path, "re");
  uint8_t *chunk = malloc(CHUNK + PART);
  assert_true(memory >= 0);
  assert_non_null(maps);
  assert_non_null(chunk);

  size_t hits = 0, read_bytes = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    uint64_t begin, end;
    char permissions[8];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &begin, &end, permissions) != 3)
      continue;
    if (permissions[0] == 'r' && end - begin <= (1u << 30))
      hits += count_mapping(memory, begin, end, &needles, chunk, &read_bytes);
  }
  assert_true(read_bytes > 100000);
  free(chunk);
  fclose(maps);
  close(memory);
  return hits;
}

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

enum { PART = 16, PARTS = 4, CHUNK = 1 << 20, PAGES_MAX = CHUNK / 4096 };

static const uint64_t mapping_max = UINT64_C(4) << 30;

/* What is looked for, and where; closed and freed together. */
struct search {
  uint8_t part[MEMORY_SECRETS][PARTS][PART];
  size_t count, *hits;
  size_t read_bytes;
  int memory, pagemap;
  FILE *maps;
  uint8_t *chunk; /* the end of the chunk before, then this one */
};

/* First and second half, as they are and reversed. */
static void make_parts(const uint8_t secret[32], uint8_t part[PARTS][PART])
{
  memcpy(part[0], secret, PART);
  memcpy(part[1], secret + PART, PART);
  for (size_t i = 0; i < PART; i++) {
    part[2][i] = secret[PART - 1 - i];
    part[3][i] = secret[2 * PART - 1 - i];
  }
}

static size_t count_part(const uint8_t *data, size_t len, const uint8_t part[PART])
{
  size_t hits = 0;
  const uint8_t *at = data, *end = data + len;
  while (at < end && (at = memmem(at, (size_t)(end - at), part, PART)) != NULL) {
    hits++;
    at++;
  }
  return hits;
}

static void count_all(struct search *s, size_t len)
{
  for (size_t i = 0; i < s->count; i++)
    for (size_t p = 0; p < PARTS; p++)
      s->hits[i] += count_part(s->chunk, len, s->part[i][p]);
}

/* Is any page of the chunk in memory or swapped out? What is in neither was never
 * written. A kernel that does not say is taken for a yes. */
static bool is_backed(const struct search *s, uint64_t at, size_t len)
{
  uint64_t entry[PAGES_MAX];
  uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
  size_t want = (size_t)((len + page - 1) / page) * sizeof entry[0];
  if (want > sizeof entry ||
      pread(s->pagemap, entry, want, (off_t)(at / page * sizeof entry[0])) != (ssize_t)want)
    return true;
  for (size_t i = 0; i < want / sizeof entry[0]; i++)
    if (entry[i] >> 62 != 0)
      return true;
  return false;
}

/* Chunks overlap by one part less a byte, so that none is cut. */
static void search_mapping(struct search *s, uint64_t begin, uint64_t end)
{
  size_t kept = 0;
  for (uint64_t at = begin; at < end;) {
    size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
    if (!is_backed(s, at, want)) {
      at += want;
      kept = 0;
      continue;
    }
    ssize_t got = pread(s->memory, s->chunk + kept, want, (off_t)at);
    if (got <= 0)
      return; /* a hole: [vvar], or a guard */
    size_t all = kept + (size_t)got;
    count_all(s, all);
    s->read_bytes += (size_t)got;
    at += (uint64_t)got;
    kept = all < PART - 1 ? all : PART - 1;
    memmove(s->chunk, s->chunk + all - kept, kept);
  }
}

static int open_of(pid_t pid, const char *what)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
  return open(path, O_RDONLY | O_CLOEXEC);
}

bool memory_is_readable(pid_t pid)
{
  int memory = open_of(pid, "mem");
  if (memory >= 0)
    close(memory);
  return memory >= 0;
}

void memory_find(pid_t pid, const uint8_t (*secrets)[32], size_t count, size_t *hits)
{
  char line[512];
  struct search s = {.count = count, .hits = hits};
  assert_true(count <= MEMORY_SECRETS);
  for (size_t i = 0; i < count; i++)
    make_parts(secrets[i], s.part[i]);
  memset(hits, 0, count * sizeof *hits);
  s.memory = open_of(pid, "mem");
  s.pagemap = open_of(pid, "pagemap");
  s.maps = fdopen(open_of(pid, "maps"), "r");
  s.chunk = malloc(CHUNK + PART);
  assert_true(s.memory >= 0);
  assert_non_null(s.maps);
  assert_non_null(s.chunk);

  while (fgets(line, sizeof line, s.maps) != NULL) {
    uint64_t begin, end;
    char permissions[8];
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &begin, &end, permissions) == 3 &&
        permissions[0] == 'r' && end - begin <= mapping_max)
      search_mapping(&s, begin, end);
  }
  free(s.chunk);
  fclose(s.maps);
  close(s.memory);
  if (s.pagemap >= 0)
    close(s.pagemap);
  assert_true(s.read_bytes > 100000);
}

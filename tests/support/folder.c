/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/folder.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

int folder_setup(void **state)
{
  const char *base = getenv("TMPDIR");
  char *path = malloc(TEST_PATH);
  if (!path)
    return -1;
  snprintf(path, TEST_PATH, "%s/hallmark-test-XXXXXX", base && *base ? base : "/tmp");
  if (!mkdtemp(path)) {
    free(path);
    return -1;
  }
  *state = path;
  return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *where)
{
  (void)st;
  (void)type;
  (void)where;
  return remove(path);
}

int folder_teardown(void **state)
{
  int failed = nftw(*state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(*state);
  return failed;
}

void folder_path(const char *folder, const char *name, char path[TEST_PATH])
{
  int n = snprintf(path, TEST_PATH, "%s/%s", folder, name);
  assert_in_range(n, 1, TEST_PATH - 1);
}

uint8_t *file_read(const char *path, size_t *len)
{
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  assert_int_equal(fseek(file, 0, SEEK_END), 0);
  long size = ftell(file);
  assert_true(size >= 0);
  rewind(file);
  uint8_t *bytes = malloc((size_t)size + 1);
  assert_non_null(bytes);
  assert_int_equal(fread(bytes, 1, (size_t)size, file), (size_t)size);
  fclose(file);
  *len = (size_t)size;
  return bytes;
}

void file_write(const char *path, const uint8_t *bytes, size_t len)
{
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  if (len > 0)
    assert_int_equal(fwrite(bytes, 1, len, file), len);
  assert_int_equal(fclose(file), 0);
}

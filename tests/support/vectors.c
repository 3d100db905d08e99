/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

const char *vectors_path(const char *shared_data, const char *name)
{
  static char path[1024];
  int len = snprintf(path, sizeof path, "%s/%s", shared_data, name);
  assert_true(len > 0 && (size_t)len < sizeof path);
  if (access(path, R_OK) != 0) {
    printf("SKIPPED: %s is not there\n", path);
    skip();
  }
  return path;
}

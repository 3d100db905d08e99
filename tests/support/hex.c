/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static uint8_t digit(char c)
{
  static const char digits[] = "0123456789abcdef";
  const char *at = strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c);
  assert_true(c != '\0' && at != NULL);
  return (uint8_t)(at - digits);
}

size_t hex_read(const char *text, uint8_t *out, size_t cap)
{
  size_t len = 0;
  while (*text != '\0') {
    if (*text == ' ' || *text == '\n') {
      text++;
      continue;
    }
    uint8_t high = digit(text[0]);
    uint8_t low = digit(text[1]);
    assert_true(len < cap);
    out[len++] = (uint8_t)(high << 4 | low);
    text += 2;
  }
  return len;
}

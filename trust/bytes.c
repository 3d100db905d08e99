/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "trust/bytes.h"

bool hm_equal_ct(const void *a, const void *b, size_t len)
{
  const volatile uint8_t *x = a;
  const volatile uint8_t *y = b;
  uint8_t difference = 0;
  for (size_t i = 0; i < len; i++)
    difference |= (uint8_t)(x[i] ^ y[i]);
  return difference == 0;
}

void hm_wipe(void *data, size_t len)
{
  volatile uint8_t *p = data;
  while (len-- > 0)
    *p++ = 0;
}

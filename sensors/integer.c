/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Digit by digit, two bits of n for one of the root.
 */
#include "sensors/integer.h"

uint32_t hm_square_root(uint64_t n)
{
  uint64_t root = 0, bit = (uint64_t)1 << 62;
  while (bit > n)
    bit >>= 2;
  for (; bit != 0; bit >>= 2) {
    if (n >= root + bit) {
      n -= root + bit;
      root = (root >> 1) + bit;
    } else {
      root >>= 1;
    }
  }
  return (uint32_t)root;
}

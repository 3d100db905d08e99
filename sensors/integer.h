/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Integer functions that every machine computes alike.
 */
#ifndef HM_SENSORS_INTEGER_H
#define HM_SENSORS_INTEGER_H

#include <stdint.h>

/* floor(sqrt(n)). */
uint32_t hm_square_root(uint64_t n);

#endif

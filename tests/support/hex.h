/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Hexadecimal for vectors in tests.
 */
#ifndef HM_TESTS_HEX_H
#define HM_TESTS_HEX_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a hexadecimal text (blanks are skipped) into out; returns how many.
 * Fails the running test where the text is no hexadecimal or needs more than cap. */
size_t hex_read(const char *text, uint8_t *out, size_t cap);

#endif

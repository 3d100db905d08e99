/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Look for secrets in the memory of another process: heap, stack, every readable
 * mapping. A process cannot well search itself, since what it looks for is then in
 * its own memory.
 */
#ifndef HM_TESTS_MEMORY_SCAN_H
#define HM_TESTS_MEMORY_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { MEMORY_SECRETS = 16 };

/* May this process read pid's memory? Programs of ours forbid it to all but root. */
bool memory_is_readable(pid_t pid);

/* For each secret: in how many places of pid's memory either half of it stands, in
 * either byte order (a big number's limbs stand the other way round). One pass over all
 * pages that are there, so that a program with a deadline can be looked at. Fails the
 * running test where the memory cannot be read. Mappings over 4 GiB (the shadows of
 * sanitizers) are left out. */
void memory_find(pid_t pid, const uint8_t (*secrets)[32], size_t count, size_t *hits);

#endif

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

/* May this process read pid's memory? Programs of ours forbid it to all but root. */
bool memory_is_readable(pid_t pid);

/* How many places of pid's memory hold either half of the 32-byte secret, in either
 * byte order (a big number's limbs stand the other way round). Fails the running test
 * where the memory cannot be read. Mappings over 1 GiB (sanitizers' shadows) are left out. */
size_t memory_find(pid_t pid, const uint8_t secret[32]);

#endif

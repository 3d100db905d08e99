/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A token bucket on the boot-time clock: `burst` at once, then `a_second`. One number is
 * kept, the moment up to which what was taken is paid for; zeroed means full.
 */
#ifndef HM_SERVICES_BUCKET_H
#define HM_SERVICES_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct hm_bucket {
  uint64_t paid_ns;
};

/* Take one; false where none is left. now_ns: hm_boottime_ns(); burst and a_second >= 1. */
bool hm_bucket_take(struct hm_bucket *bucket, uint32_t burst, uint32_t a_second, uint64_t now_ns);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/bucket.h"

bool hm_bucket_take(struct hm_bucket *bucket, uint32_t burst, uint32_t a_second, uint64_t now_ns)
{
  const uint64_t price_ns = UINT64_C(1000000000) / a_second;
  const uint64_t paid_ns = bucket->paid_ns > now_ns ? bucket->paid_ns : now_ns;
  if (paid_ns - now_ns > (burst - 1) * price_ns)
    return false;
  bucket->paid_ns = paid_ns + price_ns;
  return true;
}

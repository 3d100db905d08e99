/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A packet that decodes must encode to the same bytes: there is one spelling.
 */
#include <stdlib.h>

#include "sensors/gate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static struct hm_gate_message m;
  static uint8_t back[HM_GATE_PACKET];
  struct hm_out out = hm_out(back, sizeof back);
  struct hm_where where;

  if (hm_gate_decode(hm_bytes(data, size), &m, &where) != HM_OK)
    return 0;
  if (hm_gate_encode(&m, &out, &where) != HM_OK ||
      !hm_bytes_equal(hm_out_bytes(&out), hm_bytes(data, size)))
    abort();
  return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Configuration text: whatever it says, the loader takes all of it or none, and
 * what it took writes a canonical text that it takes again, unchanged.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "services/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hm_config *config = hm_config_new();
  struct hm_config_error error = {""};
  if (hm_config_parse(config, "fuzz", hm_bytes(data, size), &error) == HM_OK) {
    g_autofree char *text = hm_config_canonical(config);
    if (!text)
      abort();
  } else if (error.text[0] == '\0' || strchr(error.text, '\n')) {
    abort();
  }
  hm_config_free(config);
  return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Bodies of the API: what is taken is written as one line that is taken again and
 * written the same; what is refused is refused with one line.
 */
#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "services/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char message[256] = "";
  g_autoptr(JsonObject) object = NULL, again = NULL;
  if (hm_json_parse(hm_bytes(data, size), HM_JSON_BODY, &object, message, sizeof message) !=
      HM_OK) {
    if (message[0] == '\0' || strpbrk(message, "\n\033"))
      abort();
    return 0;
  }
  g_autofree char *line = hm_json_line(object);
  /* Text may grow by escapes, so the second limit is wider. */
  if (hm_json_parse(hm_bytes(line, strlen(line)), 16 * HM_JSON_BODY, &again, message,
                    sizeof message) != HM_OK)
    abort();
  g_autofree char *second = hm_json_line(again);
  if (strcmp(line, second) != 0)
    abort();
  return 0;
}

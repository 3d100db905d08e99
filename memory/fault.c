/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "memory/fault.h"

#include <stdarg.h>
#include <stdio.h>

enum hm_status hm_fault_set(struct hm_fault *fault, enum hm_status status, int error,
                            const char *format, ...)
{
  if (fault) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(fault->text, sizeof fault->text, format, arguments);
    va_end(arguments);
    fault->error = error;
  }
  return status;
}

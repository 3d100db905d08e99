/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What went wrong with a file of the store, in one line for people: which file or
 * page, which value, which limit or errno. Every function that opens or writes
 * fills one where the caller gives it; NULL is allowed everywhere.
 */
#ifndef HM_MEMORY_FAULT_H
#define HM_MEMORY_FAULT_H

#include "trust/status.h"

struct hm_fault {
  int error; /* errno, 0 where it was none */
  char text[240];
};

/* Fill fault (may be NULL) from a printf format and return status. */
enum hm_status hm_fault_set(struct hm_fault *fault, enum hm_status status, int error,
                            const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One status for every function that can fail. A value is a reason with a
 * sentence; its table row says the exit code of a program that ends with it,
 * the HTTP status and the Web4 problem code of an API that answers with it.
 * `hallmark spec errors` prints the table.
 */
#ifndef HM_TRUST_STATUS_H
#define HM_TRUST_STATUS_H

#include <stddef.h>

enum hm_status {
  HM_OK = 0,
  /* the input is malformed: exit 6 */
  HM_MALFORMED,
  HM_TRUNCATED,
  HM_TOO_LARGE,
  HM_TOO_DEEP,
  HM_NOT_DETERMINISTIC,
  HM_UNSUPPORTED,
  HM_WRONG_TYPE,
  /* the answer is no: exit 1 */
  HM_BAD_SIGNATURE,
  HM_BAD_TAG,
  HM_BAD_PROOF,
  HM_NOT_YET_VALID,
  HM_EXPIRED,
  HM_REVOKED,
  HM_STALE,
  HM_MISMATCH,
  /* refused by policy: exit 4 */
  HM_UNPINNED,
  HM_BURNT,
  HM_REPLAY,
  HM_POLICY,
  HM_DENIED,
  HM_NOT_FOUND,    /* exit 3 */
  HM_EXISTS,       /* exit 9 */
  HM_LOCKED,       /* exit 9 */
  HM_ROLLBACK,     /* exit 9 */
  HM_UNREACHABLE,  /* exit 5 */
  HM_TIMEOUT,      /* exit 8 */
  HM_DAMAGED,      /* exit 7 */
  HM_FULL,         /* exit 7 */
  HM_IO,           /* exit 7 */
  HM_SHORT_BUFFER, /* the caller's buffer is too small: ask again with more */
  HM_STATE,        /* a bug of ours: abort with one line */
  HM_STATUS_COUNT
};

struct hm_status_row {
  const char *name;     /* "BAD_SIGNATURE" */
  const char *sentence; /* for people, no full stop */
  int exit_code;        /* of the programs */
  int http;             /* of the API */
  const char *w4;       /* Web4 problem code (RFC 9457 "code" member) */
};

#define HM_MUST_CHECK __attribute__((warn_unused_result))

/* The row of a status; a value outside the enum gives the row of HM_STATE. */
const struct hm_status_row *hm_status_row(enum hm_status status);

/* Its sentence, never NULL. */
const char *hm_status_text(enum hm_status status);

/* Return early with any status that is not HM_OK. */
#define HM_TRY(expression)                                                                         \
  do {                                                                                             \
    enum hm_status hm_try_status_ = (expression);                                                  \
    if (hm_try_status_ != HM_OK)                                                                   \
      return hm_try_status_;                                                                       \
  } while (0)

#endif

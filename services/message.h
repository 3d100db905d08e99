/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the programs say. A failure travels as a struct hm_error: its status gives
 * the exit code (trust/status.h), its text is one line: who, what, value, limit,
 * and the command that mends it:
 *
 *   front: pairing c5 expired 2026-12-25 09:14 (2 h ago); run: hallmark pair front --context drive
 *
 * The innermost function that knows the value writes the text; callers pass it on.
 * Outside text (names, device strings, peers' messages) may go in as it is: what is
 * printed or logged is escaped here, once.
 */
#ifndef HM_SERVICES_MESSAGE_H
#define HM_SERVICES_MESSAGE_H

#include <stdarg.h>

#include "trust/status.h"

enum { HM_ERROR_TEXT = 512 };

struct hm_error {
  enum hm_status status;
  char text[HM_ERROR_TEXT];
};

/* Fill err (may be NULL) and return status. A text that does not fit is cut. */
enum hm_status hm_fail(struct hm_error *err, enum hm_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like hm_fail, with ": " and the text of errno `number` added. */
enum hm_status hm_fail_errno(struct hm_error *err, enum hm_status status, int number,
                             const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Put "who: " before the text that is already there. Returns err->status. */
enum hm_status hm_error_prefix(struct hm_error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The text, or where there is none the sentence of the status; never NULL. */
const char *hm_error_text(const struct hm_error *err);

/* Print "PROGRAM: TEXT" as one escaped line on standard error; returns the exit code
 * of err->status. */
int hm_error_report(const char *program, const struct hm_error *err);

/* A line on standard output, for people; outside text must be escaped by the caller. */
void hm_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- log of a service: standard error, journald takes it ------------------------- */
enum hm_log_level {
  HM_LOG_ERROR = 3,
  HM_LOG_WARNING = 4,
  HM_LOG_NOTICE = 5,
  HM_LOG_INFO = 6,
  HM_LOG_DEBUG = 7
};

/* Lines above this level are dropped. Default HM_LOG_INFO. */
void hm_log_limit(enum hm_log_level most);

/* One escaped line. cause is a constant of the caller ("gate-refused"): at most one
 * line a second per cause; what was left out is counted and told by the next one
 * "(+12 more)". Any thread. */
void hm_log(enum hm_log_level level, const char *cause, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Tell the counts that no later line has told; at stop. */
void hm_log_flush(void);

#endif

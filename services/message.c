/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One place where outside text is escaped: what goes to a terminal or the journal
 * passes put_line. The limiter of the log is a small table of causes; a cause that
 * finds no row shares the last one, so a flood of new causes cannot flood the journal.
 */
#include "services/message.h"

#include <errno.h>
#include <glib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "services/clock.h"
#include "services/text.h"

enum { CAUSES = 64, LINE = 1024 };

/* ---- errors ------------------------------------------------------------------------ */

static void fill(struct hm_error *err, enum hm_status status, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void fill(struct hm_error *err, enum hm_status status, const char *format, va_list args)
{
  if (err == NULL)
    return;
  err->status = status;
  (void)vsnprintf(err->text, sizeof err->text, format, args);
}

enum hm_status hm_fail(struct hm_error *err, enum hm_status status, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  fill(err, status, format, args);
  va_end(args);
  return status;
}

enum hm_status hm_fail_errno(struct hm_error *err, enum hm_status status, int number,
                             const char *format, ...)
{
  if (err == NULL)
    return status;
  va_list args;
  va_start(args, format);
  fill(err, status, format, args);
  va_end(args);
  char reason[128];
  /* the GNU strerror_r: it may return a text of its own */
  const char *text = strerror_r(number, reason, sizeof reason);
  size_t used = strlen(err->text);
  (void)snprintf(err->text + used, sizeof err->text - used, ": %s", text);
  return status;
}

enum hm_status hm_error_prefix(struct hm_error *err, const char *format, ...)
{
  if (err == NULL)
    return HM_STATE;
  char old[HM_ERROR_TEXT];
  (void)snprintf(old, sizeof old, "%s", hm_error_text(err));
  va_list args;
  va_start(args, format);
  fill(err, err->status, format, args);
  va_end(args);
  size_t used = strlen(err->text);
  (void)snprintf(err->text + used, sizeof err->text - used, ": %s", old);
  return err->status;
}

const char *hm_error_text(const struct hm_error *err)
{
  return err->text[0] != '\0' ? err->text : hm_status_text(err->status);
}

/* ---- lines --------------------------------------------------------------------------- */

static void put_line(FILE *to, const char *before, const char *text, uint64_t more)
{
  g_autofree char *safe = hm_text_escape(text);
  if (more > 0)
    (void)fprintf(to, "%s%s (+%llu more)\n", before, safe, (unsigned long long)more);
  else
    (void)fprintf(to, "%s%s\n", before, safe);
  (void)fflush(to);
}

int hm_error_report(const char *program, const struct hm_error *err)
{
  char before[64];
  (void)snprintf(before, sizeof before, "%s: ", program);
  put_line(stderr, before, hm_error_text(err), 0);
  return hm_status_row(err->status)->exit_code;
}

void hm_say(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  (void)vprintf(format, args);
  va_end(args);
  (void)putchar('\n');
  (void)fflush(stdout);
}

/* ---- log ------------------------------------------------------------------------------- */

struct cause {
  const char *name;
  enum hm_log_level level;
  uint64_t told_ns;
  uint64_t more;
};

static struct {
  pthread_mutex_t lock;
  enum hm_log_level most;
  bool is_journal_known, is_journal;
  size_t count;
  struct cause causes[CAUSES];
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .most = HM_LOG_INFO};

static struct cause *find_cause(const char *name)
{
  for (size_t i = 0; i < logger.count; i++)
    if (strcmp(logger.causes[i].name, name) == 0)
      return &logger.causes[i];
  if (logger.count < CAUSES)
    logger.causes[logger.count++].name = name;
  return &logger.causes[logger.count - 1];
}

/* Priorities are for the journal only; a terminal would show them as they are. */
static void log_line(enum hm_log_level level, const char *text, uint64_t more)
{
  if (!logger.is_journal_known) {
    logger.is_journal = getenv("JOURNAL_STREAM") != NULL;
    logger.is_journal_known = true;
  }
  char before[8] = "";
  if (logger.is_journal)
    (void)snprintf(before, sizeof before, "<%d>", (int)level);
  put_line(stderr, before, text, more);
}

void hm_log_limit(enum hm_log_level most)
{
  pthread_mutex_lock(&logger.lock);
  logger.most = most;
  pthread_mutex_unlock(&logger.lock);
}

void hm_log(enum hm_log_level level, const char *cause, const char *format, ...)
{
  char text[LINE];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  uint64_t now = hm_boottime_ns();
  pthread_mutex_lock(&logger.lock);
  if (level <= logger.most) {
    struct cause *c = find_cause(cause);
    if (c->told_ns != 0 && now - c->told_ns < 1000000000ull) {
      c->more++;
      c->level = level;
    } else {
      log_line(level, text, c->more);
      c->told_ns = now;
      c->more = 0;
    }
  }
  pthread_mutex_unlock(&logger.lock);
}

void hm_log_flush(void)
{
  pthread_mutex_lock(&logger.lock);
  for (size_t i = 0; i < logger.count; i++) {
    struct cause *c = &logger.causes[i];
    if (c->more == 0)
      continue;
    char text[128];
    (void)snprintf(text, sizeof text, "%s: %llu more of these were not printed", c->name,
                   (unsigned long long)c->more);
    log_line(c->level, text, 0);
    c->more = 0;
  }
  pthread_mutex_unlock(&logger.lock);
}

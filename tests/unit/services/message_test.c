/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* What is written to standard error between these two. */
static FILE *caught;
static int kept;

static void catch_stderr(void)
{
  caught = tmpfile();
  assert_non_null(caught);
  (void)fflush(stderr);
  kept = dup(2);
  assert_true(dup2(fileno(caught), 2) >= 0);
}

static void give_back(char *text, size_t cap)
{
  (void)fflush(stderr);
  assert_true(dup2(kept, 2) >= 0);
  (void)close(kept);
  rewind(caught);
  size_t len = fread(text, 1, cap - 1, caught);
  text[len] = '\0';
  fclose(caught);
}

static size_t lines(const char *text)
{
  size_t count = 0;
  for (; *text != '\0'; text++)
    count += *text == '\n';
  return count;
}

static void an_error_is_one_escaped_line_and_an_exit_code(void **state)
{
  (void)state;
  struct hm_error err;
  char text[2048];
  assert_int_equal(
      hm_fail(&err, HM_EXPIRED, "%s: pairing c5 expired; run: hallmark pair %s", "front", "front"),
      HM_EXPIRED);
  catch_stderr();
  int code = hm_error_report("hallmark", &err);
  give_back(text, sizeof text);
  assert_string_equal(text, "hallmark: front: pairing c5 expired; run: hallmark pair front\n");
  assert_int_equal(code, 1);
  (void)hm_fail(&err, HM_DENIED, "%s", "evil\033[2J\nsecond line");
  catch_stderr();
  code = hm_error_report("hallmark", &err);
  give_back(text, sizeof text);
  assert_int_equal(lines(text), 1);
  assert_null(strchr(text, '\033'));
  assert_int_equal(code, 4);
}

static void errors_are_passed_on_with_who(void **state)
{
  (void)state;
  struct hm_error err;
  assert_int_equal(hm_fail_errno(&err, HM_IO, ENOSPC, "%s", "/var/x"), HM_IO);
  assert_string_equal(err.text, "/var/x: No space left on device");
  assert_int_equal(hm_error_prefix(&err, "store %d", 3), HM_IO);
  assert_string_equal(err.text, "store 3: /var/x: No space left on device");
  err.text[0] = '\0';
  assert_string_equal(hm_error_text(&err), hm_status_text(HM_IO));
  /* nobody listens: the status alone */
  assert_int_equal(hm_fail(NULL, HM_BURNT, "x"), HM_BURNT);
  assert_int_equal(hm_fail_errno(NULL, HM_FULL, ENOSPC, "x"), HM_FULL);
}

static void a_long_text_is_cut(void **state)
{
  (void)state;
  struct hm_error err;
  char much[2000];
  memset(much, 'x', sizeof much - 1);
  much[sizeof much - 1] = '\0';
  (void)hm_fail(&err, HM_POLICY, "%s", much);
  assert_int_equal(strlen(err.text), HM_ERROR_TEXT - 1);
  (void)hm_error_prefix(&err, "%s", much);
  assert_int_equal(strlen(err.text), HM_ERROR_TEXT - 1);
  (void)hm_fail_errno(&err, HM_IO, EIO, "%s", much);
  assert_int_equal(strlen(err.text), HM_ERROR_TEXT - 1);
}

static void a_cause_is_told_once_a_second_with_its_count(void **state)
{
  (void)state;
  char text[4096];
  catch_stderr();
  for (int i = 0; i < 50; i++)
    hm_log(HM_LOG_WARNING, "gate", "refused %d", i);
  hm_log(HM_LOG_WARNING, "disk", "full");
  (void)usleep(1100000);
  hm_log(HM_LOG_WARNING, "gate", "refused again");
  hm_log(HM_LOG_WARNING, "gate", "and again");
  hm_log_flush();
  give_back(text, sizeof text);
  assert_string_equal(text, "refused 0\nfull\nrefused again (+49 more)\n"
                            "gate: 1 more of these were not printed\n");
}

static void what_is_below_the_limit_is_not_told(void **state)
{
  (void)state;
  char text[256];
  catch_stderr();
  hm_log(HM_LOG_DEBUG, "detail", "unseen");
  hm_log_limit(HM_LOG_DEBUG);
  hm_log(HM_LOG_DEBUG, "detail-2", "seen");
  hm_log_limit(HM_LOG_INFO);
  give_back(text, sizeof text);
  assert_string_equal(text, "seen\n");
}

/* More causes than the table has rows: the journal is not flooded, nothing is lost. */
static void many_causes_share_a_row(void **state)
{
  (void)state;
  static char names[200][16], text[65536];
  catch_stderr();
  for (int round = 0; round < 3; round++)
    for (int i = 0; i < 200; i++) {
      (void)snprintf(names[i], sizeof names[i], "c%d", i);
      hm_log(HM_LOG_WARNING, names[i], "cause %d", i);
    }
  hm_log_flush();
  give_back(text, sizeof text);
  assert_true(lines(text) <= 2 * 64 + 1);
}

int main(void)
{
  (void)unsetenv("JOURNAL_STREAM");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_error_is_one_escaped_line_and_an_exit_code),
      cmocka_unit_test(errors_are_passed_on_with_who),
      cmocka_unit_test(a_long_text_is_cut),
      cmocka_unit_test(a_cause_is_told_once_a_second_with_its_count),
      cmocka_unit_test(what_is_below_the_limit_is_not_told),
      cmocka_unit_test(many_causes_share_a_row),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

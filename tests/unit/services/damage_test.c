/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Damaged environment files, seen from outside: every program that opens one ends
 * with exit 7, one line that names the file, and has not changed a byte of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/folder.h"
#include "tests/support/services/house.h"

static struct house house;
static char text[65536];

/* A house that has seen something and stands still. */
static int setup(void **state)
{
  static struct gate_hand observer;
  if (folder_setup(state))
    return -1;
  house_open(&house, *state);
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  hand_join(&observer, &house, HM_GATE_ROLE_OBSERVER, "front");
  for (uint64_t i = 1; i <= 5; i++)
    hand_observe(&observer, i, i);
  int heard;
  do
    heard = hand_hear(&observer, 5000);
  while (heard == HM_GATE_ACK && observer.in.u.ack.seq < 5);
  hand_close(&observer);
  if (house_stop(&house))
    return -1;
  house_silence(&house);
  return 0;
}

static int teardown(void **state)
{
  house_end(&house);
  return folder_teardown(state);
}

static int run(const char *const *words)
{
  text[0] = 0;
  return house_run(words, text, sizeof text);
}

/* Exit 7, one line with the path in it, the file as it was. */
static void assert_exit_7(const char *const *words, const char *path, const uint8_t *bytes,
                          size_t len)
{
  size_t after;
  int code = run(words);
  if (code != 7)
    fail_msg("%s: exit %d: %s", words[0], code, text);
  assert_non_null(strstr(text, "data.mdb"));
  uint8_t *now = file_read(path, &after);
  assert_int_equal(after, len);
  assert_true(len == 0 || memcmp(now, bytes, len) == 0);
  free(now);
}

static void damage(const char *below, const char *const *words, const char *const *others)
{
  char path[TEST_PATH];
  size_t len;
  folder_path(house.state, below, path);
  uint8_t *good = file_read(path, &len);
  const size_t cuts[] = {0, 4096, len - 1};
  for (size_t i = 0; i < 3; i++) {
    file_write(path, good, cuts[i]);
    assert_exit_7(words, path, good, cuts[i]);
    if (others)
      assert_exit_7(others, path, good, cuts[i]);
  }
  /* one bit of each meta page: transaction, last page, root of the main database */
  const size_t flips[] = {16 + 128, 16 + 120, 16 + 72 + 40, 4096 + 16 + 128, 4096 + 16};
  for (size_t i = 0; i < sizeof flips / sizeof *flips; i++) {
    good[flips[i]] ^= 2;
    file_write(path, good, len);
    assert_exit_7(words, path, good, len);
    good[flips[i]] ^= 2;
  }
  file_write(path, good, len);
  free(good);
}

static void a_damaged_store_stops_the_daemon_and_the_readers(void **state)
{
  (void)state;
  char store[TEST_PATH];
  folder_path(house.state, "store", store);
  const char *const daemon[] = {"hallmarkd", "--state", house.state, NULL};
  const char *const reader[] = {"hallmark", "query", "--store", store, NULL};
  assert_int_equal(run(reader), 0);
  damage("store/control/data.mdb", daemon, reader);
  damage("store/data/000001/data.mdb", daemon, reader);
  assert_int_equal(run(reader), 0);
}

/* What stands in the place of a file may be anything; a FIFO must not hold the reader. */
static void what_is_no_file_is_refused_at_once(void **state)
{
  (void)state;
  static const char *const names[] = {"store/format", "store/control/data.mdb",
                                      "store/data/000001/data.mdb"};
  char store[TEST_PATH], path[TEST_PATH], aside[TEST_PATH];
  folder_path(house.state, "store", store);
  folder_path(house.state, "aside", aside);
  const char *const daemon[] = {"hallmarkd", "--state", house.state, NULL};
  const char *const reader[] = {"hallmark", "query", "--store", store, NULL};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    folder_path(house.state, names[i], path);
    assert_int_equal(rename(path, aside), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(run(daemon), 7);
    assert_int_equal(run(reader), 7);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rename(aside, path), 0);
  }
  assert_int_equal(run(reader), 0);
}

static void a_format_file_with_more_in_it_is_refused(void **state)
{
  (void)state;
  char store[TEST_PATH], path[TEST_PATH];
  size_t len;
  folder_path(house.state, "store", store);
  folder_path(store, "format", path);
  const char *const reader[] = {"hallmark", "query", "--store", store, NULL};
  uint8_t *good = file_read(path, &len);
  assert_int_equal(truncate(path, (off_t)len + 1), 0);
  assert_int_equal(run(reader), 7);
  file_write(path, good, len);
  assert_int_equal(run(reader), 0);
  free(good);
}

static void a_damaged_log_stops_the_authority(void **state)
{
  (void)state;
  const char *const words[] = {"hallmark-authority", "ls", "--state", house.state, NULL};
  assert_int_equal(run(words), 0);
  damage("authority/log/data.mdb", words, NULL);
  assert_int_equal(run(words), 0);
}

/* The data put back to an earlier state is rollback, exit 9; the daemon signs nothing. */
static void a_store_put_back_is_refused(void **state)
{
  (void)state;
  char data[TEST_PATH], head[TEST_PATH];
  size_t len;
  folder_path(house.state, "store/data/000001/data.mdb", data);
  folder_path(house.state, "store/data/000001/head", head);
  uint8_t *old = file_read(data, &len);
  house_serve(&house);
  house_start(&house);
  usleep(1300000); /* a batch that says that nothing came, and a head at stop */
  assert_int_equal(house_stop(&house), 0);
  file_write(data, old, len);
  free(old);
  assert_int_equal(house_start_fails(&house, text, sizeof text), 7);
  assert_non_null(strstr(text, "was once there"));
  assert_int_equal(unlink(head), 0);
  assert_int_equal(house_start_fails(&house, text, sizeof text), 9);
  house_silence(&house);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_damaged_store_stops_the_daemon_and_the_readers, setup,
                                      teardown),
      cmocka_unit_test_setup_teardown(what_is_no_file_is_refused_at_once, setup, teardown),
      cmocka_unit_test_setup_teardown(a_format_file_with_more_in_it_is_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(a_damaged_log_stops_the_authority, setup, teardown),
      cmocka_unit_test_setup_teardown(a_store_put_back_is_refused, setup, teardown),
  };
  return cmocka_run_group_tests_name("damage", tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/paths.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/folder.h"

static struct hm_error err;

static mode_t mode_of(const char *path)
{
  struct stat s;
  assert_int_equal(stat(path, &s), 0);
  return s.st_mode & 07777;
}

static void a_state_folder_holds_everything(void **state)
{
  struct hm_paths p;
  char expected[HM_FILE_PATH];
  assert_int_equal(hm_paths_find(*state, &p, &err), HM_OK);
  assert_false(p.is_system);
  const char *const rows[][2] = {
      {p.etc, "etc"},         {p.store, "store"},         {p.keys, "keys"},
      {p.sources, "sources"}, {p.authority, "authority"}, {p.run, "run"}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    snprintf(expected, sizeof expected, "%s/%s", (char *)*state, rows[i][1]);
    assert_string_equal(rows[i][0], expected);
  }
  assert_int_equal(hm_paths_make(&p, &err), HM_OK);
  assert_int_equal(mode_of(p.keys), 0700);
  assert_int_equal(mode_of(p.sources), 0700);
  assert_int_equal(mode_of(p.etc), 0755);
  assert_int_equal(access(p.store, F_OK), -1);
  assert_int_equal(hm_paths_make(&p, &err), HM_OK);
}

static void the_flag_comes_before_the_variable_before_the_default(void **state)
{
  struct hm_paths p;
  (void)state;
  assert_int_equal(setenv("HALLMARK_STATE", "/variable", 1), 0);
  assert_int_equal(hm_paths_find("/flag/", &p, &err), HM_OK);
  assert_string_equal(p.state, "/flag");
  assert_string_equal(p.run, "/flag/run");
  assert_int_equal(hm_paths_find(NULL, &p, &err), HM_OK);
  assert_string_equal(p.keys, "/variable/keys");
  assert_int_equal(unsetenv("HALLMARK_STATE"), 0);
  assert_int_equal(hm_paths_find("", &p, &err), HM_MALFORMED);
  assert_int_equal(hm_paths_find("relative", &p, &err), HM_OK);
  assert_int_equal(p.state[0], '/');
  if (geteuid() == 0) {
    assert_int_equal(hm_paths_find(NULL, &p, &err), HM_OK);
    assert_true(p.is_system);
    assert_string_equal(p.authority, "/var/lib/hallmark-authority");
    assert_string_equal(p.run, "/run/hallmark");
  }
  assert_int_equal(setenv("XDG_STATE_HOME", "/xdg", 1), 0);
  assert_int_equal(hm_paths_of_user(&p, &err), HM_OK);
  assert_string_equal(p.state, "/xdg/hallmark");
  assert_int_equal(setenv("XDG_STATE_HOME", "not/absolute", 1), 0);
  assert_int_equal(setenv("HOME", "/home/u", 1), 0);
  assert_int_equal(hm_paths_of_user(&p, &err), HM_OK);
  assert_string_equal(p.state, "/home/u/.local/state/hallmark");
  assert_int_equal(unsetenv("HOME"), 0);
  assert_int_equal(hm_paths_of_user(&p, &err), HM_NOT_FOUND);
}

static void a_key_folder_open_to_others_is_refused(void **state)
{
  struct hm_paths p;
  assert_int_equal(hm_paths_find(*state, &p, &err), HM_OK);
  assert_int_equal(hm_paths_make(&p, &err), HM_OK);
  assert_int_equal(chmod(p.keys, 0750), 0);
  assert_int_equal(hm_paths_make(&p, &err), HM_DENIED);
  assert_non_null(strstr(err.text, "0750"));
  assert_non_null(strstr(err.text, "chmod 0700"));
}

static void long_paths_are_refused_with_the_limit(void **state)
{
  char path[HM_FILE_PATH], longest[HM_FILE_PATH + 8];
  struct hm_paths p;
  (void)state;
  memset(longest, 'x', sizeof longest);
  longest[0] = '/';
  longest[107] = '\0';
  assert_int_equal(hm_socket_path_check(longest, &err), HM_OK);
  longest[107] = 'x';
  longest[108] = '\0';
  assert_int_equal(hm_socket_path_check(longest, &err), HM_TOO_LARGE);
  assert_non_null(strstr(err.text, "108 bytes: the limit is 107"));
  assert_int_equal(hm_socket_path_check("", &err), HM_MALFORMED);
  longest[108] = 'x';
  longest[HM_FILE_PATH] = '\0';
  assert_int_equal(hm_path_join(path, longest, "x", &err), HM_TOO_LARGE);
  assert_int_equal(hm_paths_find(longest, &p, &err), HM_TOO_LARGE);
  longest[HM_FILE_PATH - 4] = '\0';
  assert_int_equal(hm_file_write(longest, hm_bytes("x", 1), 0600, &err), HM_TOO_LARGE);
}

static void a_file_is_replaced_whole(void **state)
{
  char path[TEST_PATH], temporary[TEST_PATH];
  uint8_t data[16];
  size_t len;
  folder_path(*state, "file", path);
  folder_path(*state, "file.tmp", temporary);
  assert_int_equal(hm_file_write(path, hm_bytes("first", 5), 0640, &err), HM_OK);
  assert_int_equal(mode_of(path), 0640);
  /* what a crash left is in nobody's way */
  file_write(temporary, (const uint8_t *)"rubbish", 7);
  assert_int_equal(hm_file_write(path, hm_bytes("2nd", 3), 0600, &err), HM_OK);
  assert_int_equal(access(temporary, F_OK), -1);
  assert_int_equal(hm_file_read(path, data, sizeof data, &len, &err), HM_OK);
  assert_int_equal(len, 3);
  assert_memory_equal(data, "2nd", 3);
  assert_int_equal(mode_of(path), 0600);
}

static void create_never_replaces(void **state)
{
  char path[TEST_PATH];
  uint8_t data[16];
  size_t len;
  folder_path(*state, "file", path);
  assert_int_equal(hm_file_create(path, hm_bytes("a", 1), 0600, &err), HM_OK);
  assert_int_equal(hm_file_create(path, hm_bytes("b", 1), 0600, &err), HM_EXISTS);
  assert_int_equal(hm_file_read(path, data, sizeof data, &len, &err), HM_OK);
  assert_memory_equal(data, "a", 1);
}

static void reading_says_why_not(void **state)
{
  char path[TEST_PATH];
  uint8_t data[4];
  size_t len;
  folder_path(*state, "none", path);
  assert_int_equal(hm_file_read(path, data, sizeof data, &len, &err), HM_NOT_FOUND);
  assert_non_null(strstr(err.text, path));
  assert_int_equal(hm_file_read(*state, data, sizeof data, &len, &err), HM_WRONG_TYPE);
  folder_path(*state, "pipe", path);
  assert_int_equal(mkfifo(path, 0600), 0);
  assert_int_equal(hm_file_read(path, data, sizeof data, &len, &err), HM_WRONG_TYPE);
  folder_path(*state, "five", path);
  file_write(path, (const uint8_t *)"12345", 5);
  assert_int_equal(hm_file_read(path, data, sizeof data, &len, &err), HM_TOO_LARGE);
  assert_non_null(strstr(err.text, "5 bytes: the limit is 4"));
}

static void a_failed_write_leaves_the_old_file(void **state)
{
  char path[TEST_PATH];
  uint8_t data[16], big[8192] = {0};
  size_t len;
  folder_path(*state, "file", path);
  assert_int_equal(hm_file_write(path, hm_bytes("old", 3), 0600, &err), HM_OK);
  struct rlimit was, small;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
  small = was;
  small.rlim_cur = 4096;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  enum hm_status status = hm_file_write(path, hm_bytes(big, sizeof big), 0600, &err);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
  assert_int_equal(status, HM_IO);
  assert_int_equal(hm_file_read(path, data, sizeof data, &len, &err), HM_OK);
  assert_memory_equal(data, "old", 3);
  assert_int_equal(hm_file_write("/nowhere/at/all", hm_bytes("x", 1), 0600, &err), HM_NOT_FOUND);
}

static void a_folder_in_a_files_place_is_told(void **state)
{
  char path[TEST_PATH], below[TEST_PATH];
  folder_path(*state, "file", path);
  folder_path(*state, "file/below", below);
  file_write(path, (const uint8_t *)"x", 1);
  assert_int_equal(hm_folder_make(path, 0700, &err), HM_EXISTS);
  assert_int_not_equal(hm_folder_make(below, 0700, &err), HM_OK);
  folder_path(*state, "a/b", path);
  assert_int_equal(hm_folder_make(path, 0750, &err), HM_OK);
  assert_int_equal(mode_of(path), 0750);
}

static int ignore_size_signal(void **state)
{
  (void)state;
  hm_process_start(false);
  struct sigaction ignore = {0};
  ignore.sa_handler = SIG_IGN;
  return sigaction(SIGXFSZ, &ignore, NULL);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(a_state_folder_holds_everything),
      IN_FOLDER(the_flag_comes_before_the_variable_before_the_default),
      IN_FOLDER(a_key_folder_open_to_others_is_refused),
      IN_FOLDER(long_paths_are_refused_with_the_limit),
      IN_FOLDER(a_file_is_replaced_whole),
      IN_FOLDER(create_never_replaces),
      IN_FOLDER(reading_says_why_not),
      IN_FOLDER(a_failed_write_leaves_the_old_file),
      IN_FOLDER(a_folder_in_a_files_place_is_told),
  };
  return cmocka_run_group_tests(tests, ignore_size_signal, NULL);
}

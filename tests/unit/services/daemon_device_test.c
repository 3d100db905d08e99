/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Cameras that come, go and are exchanged under a running hallmarkd: a folder of the
 * test stands for its /sys. Health, not trust: the binding stays, the gate shuts, and
 * only the same unit opens it again.
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

enum { SECONDS_MAX = 12 };

static struct house house;

static void run(const char *script)
{
  char command[2048];
  snprintf(command, sizeof command, "cd '%s' && %s", house.sysfs, script);
  assert_int_equal(system(command), 0);
}

/* video0 on USB port 1-1, with this serial. */
static void plug_in(const char *serial)
{
  char script[1024];
  snprintf(script, sizeof script,
           "mkdir -p devices/usb/1-1/1-1:1.0 class/video4linux/video0 && "
           "echo 046d > devices/usb/1-1/idVendor && echo 082d > devices/usb/1-1/idProduct && "
           "echo %s > devices/usb/1-1/serial && echo C920 > class/video4linux/video0/name && "
           "ln -sfn /sys/devices/usb/1-1/1-1:1.0 class/video4linux/video0/device",
           serial);
  run(script);
}

static void unplug(void)
{
  run("rm -rf class/video4linux/video0 devices/usb/1-1");
}

static int open_house(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  house_init(&house, *state);
  snprintf(house.sysfs, sizeof house.sysfs, "%s/sys", (const char *)*state);
  assert_int_equal(mkdir(house.sysfs, 0755), 0);
  plug_in("A1B2C3");
  if (!house_can_have_sysfs())
    return 0;
  house_serve(&house);
  house_start(&house);
  return 0;
}

static int close_house(void **state)
{
  house_end(&house);
  return folder_teardown(state);
}

/* The page of the entity says this within a while. */
static void assert_comes_to(const char *words)
{
  for (int i = 0; i < SECONDS_MAX * 10; i++) {
    assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
    if (house_replied(&house, words))
      return;
    usleep(100000);
  }
  fail_msg("%s does not come: %s", words, house.reply);
}

static void test_unplugged_shut_and_the_same_unit_resumes(void **state)
{
  struct gate_hand g;
  (void)state;
  if (house.daemon == 0)
    skip();
  assert_int_equal(house_ask(&house, "POST", "/api/entities",
                             "{\"source\":\"v4l2:video0\",\"name\":\"front\"}") /
                       100,
                   2);
  assert_true(house_replied(&house, "\"class\":\"serial\""));
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 0);
  assert_int_equal(g.in.u.grant.count, 1);

  unplug();
  assert_comes_to("UNPLUGGED");
  usleep(1200000);
  while (hand_hear(&g, 10) == HM_GATE_REVOKE)
    hand_confirm(&g, 1);
  hand_ask(&g, 1);
  assert_int_equal(g.in.u.grant.count, 0);

  plug_in("SOMEONE-ELSES"); /* the same model on the same port */
  assert_comes_to("anchor differs");
  hand_ask(&g, 1);
  assert_int_equal(g.in.u.grant.count, 0);
  assert_int_equal(g.in.u.grant.reason, HM_GATE_ANCHOR_DIFFERS);

  plug_in("A1B2C3");
  for (int i = 0; i < SECONDS_MAX && g.in.u.grant.count == 0; i++) {
    usleep(1000000);
    hand_ask(&g, 1);
  }
  assert_int_equal(g.in.u.grant.count, 1);
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  assert_false(house_replied(&house, "anchor differs"));
  hand_close(&g);
}

static void test_discover_shows_what_is_there_and_what_is_bound(void **state)
{
  (void)state;
  if (house.daemon == 0)
    skip();
  assert_int_equal(house_ask(&house, "GET", "/api/sources", NULL), 200);
  assert_true(house_replied(&house, "v4l2:video0"));
  assert_true(house_replied(&house, "C920"));
  assert_true(house_replied(&house, "free"));
  assert_int_equal(house_ask(&house, "POST", "/api/entities", "{\"source\":\"v4l2:video0\"}") / 100,
                   2);
  assert_true(house_replied(&house, "\"name\":\"camera1\"")); /* named after its kind */
  assert_int_equal(house_ask(&house, "GET", "/api/sources", NULL), 200);
  assert_true(house_replied(&house, "bound as camera1"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_unplugged_shut_and_the_same_unit_resumes, open_house,
                                      close_house),
      cmocka_unit_test_setup_teardown(test_discover_shows_what_is_there_and_what_is_bound,
                                      open_house, close_house),
  };
  return cmocka_run_group_tests_name("daemon_device", tests, NULL, NULL);
}

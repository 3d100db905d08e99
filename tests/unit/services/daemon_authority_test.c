/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmarkd and an authority that is not what it was: another key at the socket, a log
 * put back to an older state, an authority that goes away in the middle of a pairing.
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
#include "tests/support/services/authority_relay.h"
#include "tests/support/services/house.h"

static struct house house, other;

static int make_house(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  memset(&other, 0, sizeof other);
  house_init(&house, *state);
  return 0;
}

static int close_house(void **state)
{
  house_end(&other);
  house_end(&house);
  return folder_teardown(state);
}

static void socket_path(char path[400])
{
  snprintf(path, 400, "%s/run/authority.sock", house.state);
}

static void copy_authority(const char *from, const char *to)
{
  char command[1200];
  snprintf(command, sizeof command, "rm -rf '%s/%s' && cp -a '%s/%s' '%s/%s'", house.state, to,
           house.state, from, house.state, to);
  assert_int_equal(system(command), 0);
}

static int bind_front(void)
{
  char body[1024];
  snprintf(body, sizeof body, "{\"source\":\"file:%s\",\"name\":\"front\"}", house.clip);
  return house_ask(&house, "POST", "/api/entities", body);
}

static void test_another_authority_at_the_socket_is_refused(void **state)
{
  char folder[512], path[400], file[600];
  size_t len;
  snprintf(folder, sizeof folder, "%s/elsewhere", (const char *)*state);
  assert_int_equal(mkdir(folder, 0700), 0);
  house_init(&other, folder);
  socket_path(path);
  house_serve_at(&other, path);
  house_start(&house);
  assert_int_equal(bind_front(), 403);
  assert_true(house_replied(&house, "UNPINNED"));
  assert_int_equal(house_ask(&house, "GET", "/api/status", NULL), 200);
  assert_true(house_replied(&house, "\"entities\":0"));
  assert_true(house_has_said(&house, "another key"));
  /* Nothing of it was kept. */
  snprintf(file, sizeof file, "%s/keys/authority.checkpoint", house.state);
  assert_int_not_equal(access(file, F_OK), 0);
  snprintf(file, sizeof file, "%s/etc/trust.d/home.pub", house.state);
  uint8_t *mine = file_read(file, &len);
  snprintf(file, sizeof file, "%s/authority/authority.pub", house.state);
  uint8_t *pinned = file_read(file, &len);
  assert_memory_equal(mine, pinned, len);
  free(mine);
  free(pinned);
}

/* Its own authority bound the sensor; the stranger that listens now is asked nothing. */
static void test_another_authority_is_not_asked_for_a_pairing(void **state)
{
  char folder[512], path[400];
  snprintf(folder, sizeof folder, "%s/elsewhere", (const char *)*state);
  assert_int_equal(mkdir(folder, 0700), 0);
  house_init(&other, folder);
  house_serve(&house);
  house_start(&house);
  assert_int_equal(bind_front(), 201);
  house_silence(&house);
  socket_path(path);
  house_serve_at(&other, path);
  assert_int_equal(house_ask(&house, "POST", "/api/pairings",
                             "{\"names\":[\"front\"],\"context\":\"drive\",\"seconds\":3600,"
                             "\"operations\":[\"observe\"]}"),
                   403);
  assert_true(house_replied(&house, "another key"));
}

static void test_a_log_put_back_is_refused_and_sensors_go_on(void **state)
{
  struct gate_hand g;
  (void)state;
  house_serve(&house);
  house_start(&house);
  house_silence(&house);
  copy_authority("authority", "authority.kept");
  house_serve(&house);
  assert_int_equal(bind_front() / 100, 2);
  house_pair(&house, "front", "drive");
  house_silence(&house);
  copy_authority("authority.kept", "authority");
  house_serve(&house);
  for (int i = 0; i < 120 && !house_has_said(&house, "cut or forked"); i++)
    usleep(100000);
  assert_true(house_has_said(&house, "cut or forked"));
  assert_true(house_ask(&house, "POST", "/api/pairings",
                        "{\"names\":[\"front\"],\"context\":\"training\",\"seconds\":60}") >= 400);
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 0);
  assert_int_equal(g.in.u.grant.count, 1);
  hand_close(&g);
  /* The same after a restart: what was held is on disk. */
  assert_int_equal(house_stop(&house), 0);
  assert_int_equal(unlink(house.said), 0);
  house_start(&house);
  for (int i = 0; i < 120 && !house_has_said(&house, "cut or forked"); i++)
    usleep(100000);
  assert_true(house_has_said(&house, "cut or forked"));
}

static void test_a_pairing_cut_short_is_burnt_and_the_next_one_works(void **state)
{
  static uint8_t packet[HM_AUTH_MESSAGE_MAX];
  struct hm_auth_answer answer;
  struct relay relay;
  struct gate_hand g;
  char path[400], real[400];
  socket_path(path);
  snprintf(real, sizeof real, "%s/real.sock", (const char *)*state);
  house_serve_at(&house, real);
  relay_start(&relay, path, real);
  house_start(&house);
  assert_int_equal(bind_front() / 100, 2);
  struct house_call call =
      house_call(&house, "POST", "/api/pairings",
                 "{\"names\":[\"front\"],\"context\":\"drive\",\"seconds\":3600}");
  relay_show(&relay, HM_AUTH_PAIR, 10000, packet, &answer);
  relay_show(&relay, HM_AUTH_COMPLETE, 10000, packet, &answer); /* the receipt, held back */
  relay_stop(&relay);
  assert_true(house_answered(&house, &call, 12000));
  assert_int_equal(house.http, 503);
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 0);
  assert_int_equal(g.in.u.grant.count, 0);
  hand_close(&g);
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  assert_false(house_replied(&house, "\"context\":\"drive\""));
  house_silence(&house);
  house_serve(&house);
  house_pair(&house, "front", "drive");
  assert_int_equal(house_stop(&house), 0);
  house_start(&house);
  usleep(200000);
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 0);
  assert_int_equal(g.in.u.grant.count, 1);
  hand_close(&g);
}

#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, make_house, close_house)

int main(void)
{
  const struct CMUnitTest tests[] = {
      WITH_HOUSE(test_another_authority_at_the_socket_is_refused),
      WITH_HOUSE(test_another_authority_is_not_asked_for_a_pairing),
      WITH_HOUSE(test_a_log_put_back_is_refused_and_sensors_go_on),
      WITH_HOUSE(test_a_pairing_cut_short_is_burnt_and_the_next_one_works),
  };
  return cmocka_run_group_tests_name("daemon_authority", tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The life of a hallmarkd from outside: init once and after interruptions, starts and
 * stops, what a crash leaves and what the next start makes of it, copied and changed
 * things, and that a password in a source is nowhere but in sources/.
 */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory/store.h"
#include "services/clock.h"
#include "services/keys.h"
#include "tests/support/folder.h"
#include "tests/support/services/house.h"
#include "trust/crypto_openssl.h"
#include "trust/receipt.h"

static struct house house;
static char text[65536];

static int open_house(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  house_open(&house, *state);
  return 0;
}

static int init_house(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  house_init(&house, *state);
  return 0;
}

static int close_house(void **state)
{
  house_end(&house);
  return folder_teardown(state);
}

static void path_of(const char *below, char path[512])
{
  snprintf(path, 512, "%s/%s", house.state, below);
}

static int run_init(void)
{
  const char *const words[] = {"hallmarkd", "--init", "--state", house.state, NULL};
  return house_run(words, text, sizeof text);
}

static void remove_tree(const char *path)
{
  char command[600];
  snprintf(command, sizeof command, "rm -rf '%s'", path);
  assert_int_equal(system(command), 0);
}

static void write_text(const char *below, const char *content)
{
  char path[512];
  path_of(below, path);
  file_write(path, (const uint8_t *)content, strlen(content));
}

static bool exists(const char *below)
{
  char path[512];
  path_of(below, path);
  return access(path, F_OK) == 0;
}

static void append_to_clip(void)
{
  FILE *f = fopen(house.clip, "a");
  assert_non_null(f);
  fprintf(f, "one more frame\n");
  fclose(f);
}

/* ---- init --------------------------------------------------------------------------------- */

static void test_a_second_init_is_refused(void **state)
{
  (void)state;
  assert_int_equal(run_init(), 9);
  assert_non_null(strstr(text, "has a store already"));
}

static void test_an_interrupted_init_goes_on_with_its_keys(void **state)
{
  char store[512], keys[512];
  size_t len, again_len;
  (void)state;
  path_of("store", store);
  path_of("keys/host.sign.pem", keys);
  uint8_t *key = file_read(keys, &len);
  /* As if power went before the store was made: the certificate is issued, and lost. */
  remove_tree(store);
  int code = run_init();
  uint8_t *again = file_read(keys, &again_len);
  assert_int_equal(len, again_len);
  assert_memory_equal(key, again, len);
  free(key);
  free(again);
  /* Without keys/host.request the authority rightly says: bound already. */
  assert_int_equal(code, 9);
  assert_non_null(strstr(text, "bound"));
}

static void test_an_init_that_lost_the_answer_gets_it_again(void **state)
{
  char store[512], request[512], kept[512];
  (void)state;
  path_of("store", store);
  path_of("keys/host.request", request);
  snprintf(kept, sizeof kept, "%s.kept", house.clip);
  /* A fresh house whose init is stopped after asking: sabotage the store's folder. */
  remove_tree(house.state);
  const char *const authority[] = {"hallmark-authority", "init", "--state", house.state, NULL};
  assert_int_equal(house_run(authority, text, sizeof text), 0);
  assert_int_equal(mkdir(store, 0700), 0); /* in the way: hm_store_create refuses */
  assert_int_not_equal(run_init(), 0);
  assert_true(exists("keys/host.request"));
  assert_int_equal(rmdir(store), 0);
  assert_int_equal(run_init(), 0);
  assert_false(exists("keys/host.request"));
}

static void test_init_needs_an_authority(void **state)
{
  (void)state;
  remove_tree(house.state);
  assert_int_equal(run_init(), 3);
  assert_non_null(strstr(text, "hallmark-authority init"));
}

/* ---- start ----------------------------------------------------------------------------------- */

static void test_no_store_is_exit_3(void **state)
{
  char store[512];
  (void)state;
  path_of("store", store);
  remove_tree(store);
  assert_int_equal(house_start_fails(&house, text, sizeof text), 3);
  assert_non_null(strstr(text, "run: hallmark init"));
}

static void test_a_second_hallmarkd_is_exit_9(void **state)
{
  (void)state;
  assert_int_equal(house_start_fails(&house, text, sizeof text), 9);
  assert_int_equal(house_ask(&house, "GET", "/api/status", NULL), 200);
}

static void test_another_host_key_is_refused(void **state)
{
  char mine[512], other[512];
  (void)state;
  path_of("keys/host.sign.pem", mine);
  snprintf(other, sizeof other, "%s.other", house.clip);
  char command[2600];
  snprintf(
      command, sizeof command,
      "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out '%s' 2>/dev/null && "
      "chmod 600 '%s' && mv '%s' '%s'",
      other, other, other, mine);
  assert_int_equal(system(command), 0);
  assert_int_equal(house_start_fails(&house, text, sizeof text), 1);
  assert_non_null(strstr(text, "not of the host key"));
}

static void test_an_unknown_authority_is_refused(void **state)
{
  char pub[512];
  (void)state;
  path_of("etc/trust.d/home.pub", pub);
  assert_int_equal(unlink(pub), 0);
  assert_int_equal(house_start_fails(&house, text, sizeof text), 3);
  assert_non_null(strstr(text, "trust.d"));
}

static void test_bad_configuration_is_refused_at_start_and_ignored_at_reload(void **state)
{
  (void)state;
  write_text("etc/hallmark.conf", "[store]\ncommit = 50ms\ncommit = 60ms\n");
  kill(house.daemon, SIGHUP);
  for (int i = 0; i < 100 && !house_has_said(&house, "old configuration stays"); i++)
    usleep(20000);
  assert_true(house_has_said(&house, "old configuration stays"));
  assert_true(house_has_said(&house, "hallmark.conf:3"));
  assert_int_equal(house_ask(&house, "GET", "/api/status", NULL), 200);
  assert_int_equal(house_stop(&house), 0);
  assert_int_equal(house_start_fails(&house, text, sizeof text), 6);
  assert_non_null(strstr(text, "hallmark.conf:3"));
}

static void test_a_changed_configuration_is_a_law_entry(void **state)
{
  (void)state;
  assert_int_equal(house_ask(&house, "GET", "/api/control", NULL), 200);
  assert_false(house_replied(&house, "\"typ\":65027"));
  write_text("etc/hallmark.conf", "[store]\ncommit = 60ms\n");
  kill(house.daemon, SIGHUP);
  for (int i = 0; i < 100 && !house_replied(&house, "\"typ\":65027"); i++) {
    usleep(20000);
    assert_int_equal(house_ask(&house, "GET", "/api/control", NULL), 200);
  }
  assert_true(house_replied(&house, "\"typ\":65027"));
  assert_int_equal(house_stop(&house), 0);
  house_start(&house); /* the same law again: no entry */
  assert_int_equal(house_ask(&house, "GET", "/api/control", NULL), 200);
  const char *first = strstr(house.reply, "\"typ\":65027");
  assert_non_null(first);
  assert_null(strstr(first + 1, "\"typ\":65027"));
}

/* ---- stop
 * ---------------------------------------------------------------------------------------- */

static void test_stop_revokes_gates_and_exits_0(void **state)
{
  struct gate_hand g;
  (void)state;
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 1);
  assert_int_equal(g.in.u.grant.count, 1);
  kill(house.daemon, SIGTERM);
  assert_int_equal(hand_hear(&g, 1000), HM_GATE_REVOKE);
  hand_confirm(&g, 1);
  uint64_t before = hm_boottime_ns();
  assert_int_equal(house_wait(&house), 0);
  assert_true(hm_boottime_ns() - before < 2000000000u);
  assert_false(exists("run/gate.sock"));
  hand_close(&g);
}

static void test_stop_does_not_wait_for_a_dead_gate(void **state)
{
  struct gate_hand g;
  (void)state;
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 1);
  uint64_t before = hm_boottime_ns();
  assert_int_equal(house_stop(&house), 0);
  assert_true(hm_boottime_ns() - before < 5000000000u);
  hand_close(&g);
}

/* ---- what a start makes of what it finds
 * --------------------------------------------------------------- */

static void test_everything_is_back_after_a_kill(void **state)
{
  struct gate_hand g;
  (void)state;
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_OBSERVER, "front");
  hand_observe(&g, 1, 1);
  assert_int_equal(hand_hear(&g, 3000), HM_GATE_ACK);
  hand_close(&g);
  house_kill(&house);
  house_start(&house);
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  assert_true(house_replied(&house, "\"context\":\"drive\""));
  assert_int_equal(house_ask(&house, "GET", "/api/memories/m1", NULL), 200);
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  usleep(200000); /* the anchor is measured again */
  hand_ask(&g, 1);
  assert_int_equal(g.in.u.grant.count, 1);
  hand_close(&g);
}

/* Ask until the control log shows it, 3 s at most. */
static void control_will_have(const char *word)
{
  for (int i = 0; i < 150; i++) {
    assert_int_equal(house_ask(&house, "GET", "/api/control", NULL), 200);
    if (house_replied(&house, word))
      return;
    usleep(20000);
  }
  fail_msg("the control log never showed %s", word);
}

static void test_a_revocation_cut_short_becomes_effective_by_restart(void **state)
{
  struct gate_hand g;
  char body[256];
  (void)state;
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 1);
  house_revoke_body(body, "front", "drive");
  struct house_call call = house_call(&house, "POST", "/api/revocations", body);
  assert_int_equal(hand_hear(&g, 2000), HM_GATE_REVOKE); /* durable; we do not confirm */
  house_kill(&house);
  assert_true(house_answered(&house, &call, 2000));
  hand_close(&g);
  house_start(&house);
  control_will_have("\"effective\""); /* the writer appends it after it serves */
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  usleep(200000);
  hand_ask(&g, 1);
  assert_int_equal(g.in.u.grant.count, 0);
  assert_int_equal(g.in.u.grant.reason, HM_GATE_REVOKED);
  hand_close(&g);
}

/* ---- a proof that was on its way ---------------------------------------------------------- */

/* Append the manifest of an exit of one record of the host, as a hallmarkd does that is
 * killed before the second entry. */
static void append_manifest(void)
{
  static uint8_t object[HM_SIGN1_MAX];
  char path[512];
  struct hm_fault fault;
  struct hm_error err;
  struct hm_store *store;
  struct hm_signing_key host;
  struct hm_export manifest = {.kind = HM_EXPORT_PROOF, .count = 1, .exported_count = 1};
  struct hm_out out = hm_out(object, sizeof object);
  uint64_t first;
  path_of("keys/host.sign.pem", path);
  assert_int_equal(hm_signing_key_load(path, &host, &err), HM_OK);
  memcpy(manifest.exported[0].entity, host.signer.kid, 32);
  manifest.exported[0].records = 1;
  manifest.iat = hm_realtime_ns() / 1000000000;
  assert_int_equal(hm_export_make(&hm_crypto_openssl, &host.signer, &manifest, &out), HM_OK);
  path_of("store", path);
  assert_int_equal(hm_store_open(&hm_crypto_openssl, path, HM_LOG_WRITE, &store, &fault), HM_OK);
  struct hm_log_item item = {.object = hm_out_bytes(&out), .time_s = manifest.iat};
  assert_int_equal(hm_store_append_control(store, &item, 1, hm_bytes(NULL, 0), &first, &fault),
                   HM_OK);
  hm_store_close(store);
}

static unsigned times_replied(const char *what)
{
  unsigned times = 0;
  for (const char *at = strstr(house.reply, what); at != NULL; at = strstr(at + 1, what))
    times++;
  return times;
}

static void test_a_proof_cut_short_is_aborted_by_restart(void **state)
{
  (void)state;
  assert_int_equal(house_stop(&house), 0);
  append_manifest();
  for (unsigned start = 0; start < 2; start++) { /* and the second start finds nothing to do */
    house_start(&house);
    control_will_have(": aborted, by restart");
    assert_int_equal(times_replied(": aborted, by restart"), 1);
    assert_int_equal(house_stop(&house), 0);
  }
}

static void test_proofs_do_not_fill_the_control_log(void **state)
{
  struct gate_hand gate, observer;
  unsigned made = 0, refused = 0;
  (void)state;
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  hand_join(&gate, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&gate, 0);
  hand_join(&observer, &house, HM_GATE_ROLE_OBSERVER, "front");
  hand_observe(&observer, 1, 1);
  assert_int_equal(hand_hear(&observer, 3000), HM_GATE_ACK);
  for (unsigned i = 0; i < 70 && refused == 0; i++) {
    int http = house_ask(&house, "POST", "/api/proofs", "{\"objects\":[\"m1\"]}");
    made += http == 200;
    refused += http == 403;
  }
  assert_in_range(made, 64, 69);
  assert_int_equal(refused, 1);
  assert_true(house_replied(&house, "64 at once"));
  hand_close(&observer);
  hand_close(&gate);
}

static void test_a_changed_file_is_another_entity(void **state)
{
  struct gate_hand g;
  (void)state;
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  assert_int_equal(house_stop(&house), 0);
  append_to_clip();
  house_start(&house);
  usleep(200000);
  hand_join(&g, &house, HM_GATE_ROLE_GATE, "front");
  hand_ask(&g, 0);
  assert_int_equal(g.in.u.grant.count, 0);
  assert_int_equal(g.in.u.grant.reason, HM_GATE_ANCHOR_DIFFERS);
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  assert_true(house_replied(&house, "anchor differs"));
  hand_close(&g);
}

static void test_a_missing_file_is_unplugged_and_comes_back(void **state)
{
  char away[400];
  (void)state;
  house_bind(&house, "front");
  assert_int_equal(house_stop(&house), 0);
  snprintf(away, sizeof away, "%s.away", house.clip);
  assert_int_equal(rename(house.clip, away), 0);
  house_start(&house);
  usleep(200000);
  assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  assert_true(house_replied(&house, "UNPLUGGED"));
  assert_int_equal(rename(away, house.clip), 0);
  for (int i = 0; i < 80 && house_replied(&house, "UNPLUGGED"); i++) {
    usleep(100000);
    assert_int_equal(house_ask(&house, "GET", "/api/entities/front", NULL), 200);
  }
  assert_false(house_replied(&house, "UNPLUGGED"));
}

static void test_a_broken_source_file_is_named(void **state)
{
  (void)state;
  house_bind(&house, "front");
  assert_int_equal(house_stop(&house), 0);
  write_text("sources/front", "hallmark source 1\nname front\n");
  assert_int_equal(house_start_fails(&house, text, sizeof text), 6);
  assert_non_null(strstr(text, "sources/front"));
}

static void test_half_made_binds_are_cleared_away(void **state)
{
  (void)state;
  assert_int_equal(house_stop(&house), 0);
  write_text("sources/ghost.new",
             "hallmark source 1\nname ghost\nlct "
             "00000000000000000000000000000000000000000000000000000000000000ff\ngate media\n"
             "source file:/nowhere\n");
  write_text("keys/00000000000000ff.sign.pem.new", "half a key");
  house_start(&house);
  assert_false(exists("sources/ghost.new"));
  assert_false(exists("keys/00000000000000ff.sign.pem.new"));
}

/* ---- bind, unbind
 * ------------------------------------------------------------------------------------------ */

static void test_bind_says_no_where_it_must(void **state)
{
  static const struct {
    const char *body;
    const char *says;
  } orders[] = {
      {"{\"source\":\"file:/nowhere/at/all.mkv\",\"name\":\"x\"}", "No such file"},
      {"{\"source\":\"file:relative.mkv\",\"name\":\"x\"}", "begins with /"},
      {"{\"source\":\"file:/\",\"name\":\"x\"}", "not a plain file"},
      {"{\"source\":\"file:/dev/zero\",\"name\":\"x\"}", "not a plain file"},
      {"{\"source\":\"csi:0\",\"name\":\"m12\"}", "name"},
      {"{\"source\":\"v4l2:video77\",\"name\":\"x\"}", "no such camera"},
      {"{\"source\":\"iio:imu\",\"name\":\"x\"}", "not bound by this version"},
      {"{\"source\":\"telnet://x\",\"name\":\"x\"}", "no such kind"},
      {"{\"source\":\"csi:0\",\"name\":\"host\"}", "name in use"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
    assert_true(house_ask(&house, "POST", "/api/entities", orders[i].body) >= 400);
    if (!house_replied(&house, orders[i].says))
      fail_msg("%s: %s", orders[i].body, house.reply);
  }
  assert_false(exists("sources/x"));
}

static void test_one_unit_is_one_entity(void **state)
{
  char body[1024];
  (void)state;
  house_bind(&house, "front");
  snprintf(body, sizeof body, "{\"source\":\"file:%s\",\"name\":\"rear\"}", house.clip);
  assert_int_equal(house_ask(&house, "POST", "/api/entities", body), 409);
  assert_true(house_replied(&house, "bound as front already"));
}

static void test_unbind_voids_and_rebinding_needs_a_reason(void **state)
{
  (void)state;
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  assert_int_equal(house_ask(&house, "DELETE", "/api/entities/front", NULL) / 100, 2);
  assert_true(house_replied(&house, "\"by\":\"authority\""));
  assert_false(exists("sources/front"));
  house_bind(&house, "front");
  const char *pair = "{\"names\":[\"front\"],\"context\":\"drive\",\"seconds\":3600}";
  assert_int_equal(house_ask(&house, "POST", "/api/pairings", pair), 403);
  assert_true(house_replied(&house, "--again"));
  assert_int_equal(house_stop(&house), 0);
  house_start(&house);
  assert_int_equal(house_ask(&house, "POST", "/api/pairings", pair), 403);
}

static void test_without_the_authority_bind_and_pair_wait_for_nothing(void **state)
{
  char body[1024];
  (void)state;
  house_bind(&house, "front");
  house_silence(&house);
  snprintf(body, sizeof body, "{\"source\":\"file:%s\",\"name\":\"rear\"}", house.said);
  assert_int_equal(house_ask(&house, "POST", "/api/entities", body), 503);
  const char *pair = "{\"names\":[\"front\"],\"context\":\"drive\",\"seconds\":3600}";
  assert_int_equal(house_ask(&house, "POST", "/api/pairings", pair), 503);
  house_serve(&house);
  house_pair(&house, "front", "drive");
}

static void test_a_local_revocation_reaches_the_authority_later(void **state)
{
  char body[256];
  (void)state;
  house_bind(&house, "front");
  house_pair(&house, "front", "drive");
  house_silence(&house);
  house_revoke_body(body, "front", "drive");
  assert_int_equal(house_ask(&house, "POST", "/api/revocations", body) / 100, 2);
  assert_int_equal(house_ask(&house, "GET", "/api/status", NULL), 200);
  assert_true(house_replied(&house, "\"revocations\":\"0\""));
  house_serve(&house);
  for (int i = 0; i < 120 && !house_replied(&house, "\"revocations\":\"1\""); i++) {
    usleep(100000);
    assert_int_equal(house_ask(&house, "GET", "/api/status", NULL), 200);
  }
  assert_true(house_replied(&house, "\"revocations\":\"1\""));
}

/* ---- the planted password
 * ------------------------------------------------------------------------------------ */

/* Whether any file below folder, but those in sources/, holds the bytes. */
static bool is_anywhere(const char *folder, const char *secret)
{
  char command[800];
  snprintf(command, sizeof command,
           "grep -r -l -a -F --exclude-dir=sources -e '%s' '%s' > /dev/null 2>&1", secret, folder);
  return system(command) == 0;
}

static void test_a_password_is_in_sources_only(void **state)
{
  static const char secret[] = "hunter2-7f3c";
  char body[512];
  (void)state;
  snprintf(body, sizeof body,
           "{\"source\":\"rtsp://operator:%s@192.0.2.7/stream\",\"name\":\"gate7\"}", secret);
  assert_int_equal(house_ask(&house, "POST", "/api/entities", body) / 100, 2);
  assert_false(house_replied(&house, secret));
  assert_false(house_replied(&house, "operator"));
  static const char *const pages[] = {"/api/entities", "/api/entities/gate7", "/api/sources",
                                      "/api/status",   "/api/control",        "/metrics"};
  for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
    assert_int_equal(house_ask(&house, "GET", pages[i], NULL), 200);
    assert_false(house_replied(&house, secret));
  }
  assert_int_equal(house_ask(&house, "POST", "/api/entities", body), 409); /* the name is taken */
  assert_false(house_replied(&house, secret));
  assert_int_equal(house_stop(&house), 0);
  assert_true(exists("sources/gate7"));
  assert_false(is_anywhere(*state, secret));
  struct stat s;
  char path[512];
  path_of("sources/gate7", path);
  assert_int_equal(stat(path, &s), 0);
  assert_int_equal(s.st_mode & 0777, 0600);
}

#define OPENED(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)
#define MADE(test) cmocka_unit_test_setup_teardown(test, init_house, close_house)

int main(void)
{
  const struct CMUnitTest tests[] = {
      MADE(test_a_second_init_is_refused),
      MADE(test_an_interrupted_init_goes_on_with_its_keys),
      MADE(test_an_init_that_lost_the_answer_gets_it_again),
      MADE(test_init_needs_an_authority),
      MADE(test_no_store_is_exit_3),
      OPENED(test_a_second_hallmarkd_is_exit_9),
      MADE(test_another_host_key_is_refused),
      MADE(test_an_unknown_authority_is_refused),
      OPENED(test_bad_configuration_is_refused_at_start_and_ignored_at_reload),
      OPENED(test_a_changed_configuration_is_a_law_entry),
      OPENED(test_stop_revokes_gates_and_exits_0),
      OPENED(test_stop_does_not_wait_for_a_dead_gate),
      OPENED(test_everything_is_back_after_a_kill),
      OPENED(test_a_revocation_cut_short_becomes_effective_by_restart),
      OPENED(test_a_proof_cut_short_is_aborted_by_restart),
      OPENED(test_proofs_do_not_fill_the_control_log),
      OPENED(test_a_changed_file_is_another_entity),
      OPENED(test_a_missing_file_is_unplugged_and_comes_back),
      OPENED(test_a_broken_source_file_is_named),
      OPENED(test_half_made_binds_are_cleared_away),
      OPENED(test_bind_says_no_where_it_must),
      OPENED(test_one_unit_is_one_entity),
      OPENED(test_unbind_voids_and_rebinding_needs_a_reason),
      OPENED(test_without_the_authority_bind_and_pair_wait_for_nothing),
      OPENED(test_a_local_revocation_reaches_the_authority_later),
      OPENED(test_a_password_is_in_sources_only),
  };
  return cmocka_run_group_tests_name("daemon_life", tests, NULL, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The writer when things end: stops and starts, key rotation, a disk that is full, a
 * process that is killed, an inbox that overflows.
 */
#include "tests/unit/services/desk.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/daemon_inbox.h"

/* ---- stop and start -------------------------------------------------------------- */
static void a_stop_writes_everything_and_a_start_goes_on(void **state)
{
  struct desk *d = *state;
  static struct hm_head head;
  for (uint64_t i = 1; i <= 30; i++)
    observe(d, i);
  struct hm_writer_result r;
  assert_int_equal(hm_writer_stop(d->writer, NULL), HM_OK);
  struct hm_observation o = memory(31);
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_UNREACHABLE);
  unsigned acknowledged = 0;
  while (hm_writer_next(d->writer, &r))
    acknowledged += r.kind == HM_RESULT_OBSERVATION && r.status == HM_OK;
  assert_int_equal(acknowledged, 30);
  hm_writer_free(d->writer);
  d->writer = NULL;
  hm_store_close(d->store);

  d->store = keep_open(d->folder, HM_LOG_WRITE);
  struct hm_store_sizes sizes;
  hm_store_sizes(d->store, &sizes);
  assert_int_equal(sizes.records, 30);
  check_head(d, sizes.control, &head); /* the last entry is a head over all of it */
  assert_int_equal(head.data_tree.size, sizes.batches);
  uint64_t before = sizes.batches;
  atomic_fetch_add(&trust_s, 100);
  start(d);
  struct hm_writer_sensor sensor = {.control = d->binding, .origin = HM_ORIGIN_REPLAY};
  memcpy(sensor.lct, world.camera.signer.kid, 32);
  assert_int_equal(hm_writer_sensor(d->writer, &sensor), HM_OK);
  observe(d, 31);
  r = await(d, HM_RESULT_OBSERVATION);
  assert_int_equal(r.status, HM_OK); /* the pairing is read from the log again */
  assert_int_equal(r.number, 31);
  struct hm_batch_claims claims;
  check_batch(d, before + 1, &claims); /* under a new session key */
  static uint8_t buffer[HM_LOG_ENTRY_MAX];
  struct hm_log_entry e;
  struct hm_receipt receipt;
  assert_int_equal(
      hm_log_entry(hm_store_control(d->store), sizes.control + 1, buffer, sizeof buffer, &e),
      HM_OK);
  assert_int_equal(hm_receipt_open(c, e.object, world.host.signer.point, &receipt, NULL), HM_OK);
  assert_int_equal(receipt.kind, HM_RECEIPT_START);
  assert_int_equal(receipt.boot_count, 3);
  stop(d);
}

static void a_session_key_lasts_a_day(void **state)
{
  struct desk *d = *state;
  struct hm_store_sizes before, after;
  observe(d, 1);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
  hm_store_sizes(d->store, &before);
  atomic_fetch_add(&trust_s, 86400);
  observe(d, 2);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
  hm_store_sizes(d->store, &after);
  assert_int_equal(after.control, before.control + 1);
  struct hm_batch_claims claims;
  for (uint64_t r = 1; r <= after.batches; r++)
    check_batch(d, r, &claims);
  assert_int_equal(claims.control_size, after.control);
}

static void a_full_disk_is_told_and_passes(void **state)
{
  struct desk *d = *state;
  char path[TEST_PATH];
  struct stat st;
  struct rlimit old, limit;
  unsigned failed = 0;
  observe(d, 1);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
  folder_path(d->folder, "store/data/000001/data.mdb", path);
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, SIG_IGN);
  limit = old;
  limit.rlim_cur = (rlim_t)st.st_size;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  for (uint64_t i = 2; i <= 130; i++)
    observe(d, i);
  for (uint64_t i = 2; i <= 130; i++) {
    struct hm_writer_result r = await(d, HM_RESULT_OBSERVATION);
    failed += r.status != HM_OK;
    if (r.status != HM_OK)
      assert_non_null(strstr(r.fault.text, "data.mdb"));
  }
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_true(failed >= 64);
  observe(d, 200);
  struct hm_writer_result r = await(d, HM_RESULT_OBSERVATION);
  assert_int_equal(r.status, HM_OK);
  assert_int_equal(r.number, 1 + (129 - failed) + 1);
  struct hm_batch_claims claims;
  uint64_t dropped = 0;
  for (uint64_t b = 1; b <= batches(d); b++) {
    struct hm_sensor_facts f;
    check_batch(d, b, &claims);
    sensor_leaf(d, b, &f);
    dropped += f.dropped[HM_DROP_DISK];
  }
  assert_int_equal(dropped, failed); /* the loss itself is signed */
}

/* With less left than the reserve: no batch, but what ends authority is taken. */
static void a_low_disk_takes_only_what_ends_authority(void **state)
{
  struct desk *d = *state;
  stop(d);
  start_with(d, UINT64_MAX);
  struct hm_writer_sensor sensor = {.control = d->binding};
  memcpy(sensor.lct, world.camera.signer.kid, 32);
  assert_int_equal(hm_writer_sensor(d->writer, &sensor), HM_OK);
  observe(d, 1);
  struct hm_writer_result r = await(d, HM_RESULT_OBSERVATION);
  assert_int_equal(r.status, HM_FULL);
  assert_non_null(strstr(r.fault.text, "MiB left"));
  struct hm_receipt receipt = {.level = 1, .kind = HM_RECEIPT_CALIBRATION};
  struct hm_entry_request request = {.source = HM_ENTRY_RECEIPT, .receipt = &receipt};
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  assert_int_equal(await(d, HM_RESULT_ENTRY).status, HM_FULL);
  struct hm_revocation local = {.reason = HM_REASON_OPERATOR};
  memcpy(local.certificate, world.pairing_facts.name, 32);
  request = (struct hm_entry_request){.source = HM_ENTRY_LOCAL, .local = &local};
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  assert_int_equal(await(d, HM_RESULT_ENTRY).status, HM_OK);
  assert_int_equal(hm_writer_stop(d->writer, NULL), HM_FULL);
  hm_writer_free(d->writer);
  d->writer = NULL;
}

static void acknowledged_records_survive_sigkill(void **state)
{
  struct desk *d = *state;
  stop(d);
  hm_store_close(d->store);
  d->store = NULL;
  uint64_t records = 0;
  for (int round = 0; round < 3; round++) {
    int ends[2], how;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      close(ends[0]);
      d->store = keep_open(d->folder, HM_LOG_WRITE);
      start(d);
      struct hm_writer_sensor sensor = {.control = d->binding};
      memcpy(sensor.lct, world.camera.signer.kid, 32);
      if (hm_writer_sensor(d->writer, &sensor) != HM_OK)
        _exit(1);
      for (uint64_t i = 1;; i++) {
        struct hm_observation o = memory(i);
        enum hm_status status = hm_writer_observe(d->writer, &o);
        struct hm_writer_result r;
        (void)status; /* full: the source waits */
        while (hm_writer_next(d->writer, &r))
          if (r.kind == HM_RESULT_OBSERVATION && r.status == HM_OK &&
              write(ends[1], &r.number, sizeof r.number) != sizeof r.number)
            _exit(1);
      }
    }
    close(ends[1]);
    uint64_t acknowledged = 0;
    for (int i = 0; i < 150 + 40 * round; i++)
      assert_int_equal(read(ends[0], &acknowledged, sizeof acknowledged), sizeof acknowledged);
    kill(child, SIGKILL);
    waitpid(child, &how, 0);
    while (read(ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged)
      ;
    close(ends[0]);
    d->store = keep_open(d->folder, HM_LOG_WRITE);
    struct hm_store_sizes sizes;
    hm_store_sizes(d->store, &sizes);
    assert_true(sizes.records >= acknowledged);
    assert_true(acknowledged > records);
    records = sizes.records;
    struct hm_batch_claims claims;
    for (uint64_t b = 1; b <= sizes.batches; b++)
      check_batch(d, b, &claims);
    hm_store_close(d->store);
    d->store = NULL;
  }
}

/* ---- the inbox ------------------------------------------------------------------- */
static struct hm_message *message_of(enum hm_message_kind kind, unsigned slot)
{
  struct hm_message *m = calloc(1, sizeof *m);
  assert_non_null(m);
  m->kind = kind;
  m->slot = slot;
  m->size = sizeof *m;
  return m;
}

static void an_inbox_is_bounded_for_each_sensor(void **state)
{
  (void)state;
  struct hm_inbox inbox;
  assert_int_equal(hm_inbox_init(&inbox), HM_OK);
  for (int i = 0; i < HM_INBOX_SLOTS; i++)
    assert_int_equal(hm_inbox_put(&inbox, message_of(HM_MESSAGE_OBSERVATION, 1)), HM_OK);
  struct hm_message *one = message_of(HM_MESSAGE_OBSERVATION, 1);
  assert_int_equal(hm_inbox_put(&inbox, one), HM_FULL);
  /* another sensor, other kinds, still have room */
  assert_int_equal(hm_inbox_put(&inbox, message_of(HM_MESSAGE_OBSERVATION, 2)), HM_OK);
  assert_int_equal(hm_inbox_put(&inbox, message_of(HM_MESSAGE_PERIPHERAL, 1)), HM_OK);
  assert_int_equal(hm_inbox_put(&inbox, message_of(HM_MESSAGE_ENTRY, 0)), HM_OK);
  struct hm_message *taken = hm_inbox_take(&inbox, 0);
  assert_int_equal(taken->kind, HM_MESSAGE_OBSERVATION);
  free(taken);
  assert_int_equal(hm_inbox_put(&inbox, one), HM_OK);
  one = message_of(HM_MESSAGE_OBSERVATION, HM_WRITER_SENSORS);
  assert_int_equal(hm_inbox_put(&inbox, one), HM_STATE);
  one->slot = 3;
  one->size = HM_INBOX_BYTES;
  assert_int_equal(hm_inbox_put(&inbox, one), HM_FULL);
  one->kind = HM_MESSAGE_STOP;
  one->size = sizeof *one;
  assert_int_equal(hm_inbox_put(&inbox, one), HM_OK);
  one = message_of(HM_MESSAGE_ENTRY, 0);
  assert_int_equal(hm_inbox_put(&inbox, one), HM_UNREACHABLE);
  free(one);
  assert_int_equal(hm_inbox_waiting(&inbox), HM_INBOX_SLOTS + 4);
  hm_inbox_free(&inbox);
  assert_int_equal(hm_inbox_init(&inbox), HM_OK);
  uint64_t began = hm_boottime_ns();
  assert_null(hm_inbox_take(&inbox, 20000000));
  assert_true(hm_boottime_ns() - began >= 19000000);
  hm_inbox_free(&inbox);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      AT_DESK(a_stop_writes_everything_and_a_start_goes_on),
      AT_DESK(a_session_key_lasts_a_day),
      AT_DESK(a_full_disk_is_told_and_passes),
      AT_DESK(a_low_disk_takes_only_what_ends_authority),
      AT_DESK(acknowledged_records_survive_sigkill),
      cmocka_unit_test(an_inbox_is_bounded_for_each_sensor),
  };
  return cmocka_run_group_tests_name("writer_ends", tests, group_setup, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The writer on a real store: what it acknowledged is there and verifies, what is not
 * in force stays out, heads cover both logs. Time is the test's, the clocks are real.
 */
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory/query.h"
#include "services/daemon_inbox.h"
#include "tests/support/keep.h"

static const struct hm_crypto *const c = &hm_crypto_openssl;
static struct world world;
static _Atomic uint64_t trust_s;

struct desk {
  char *folder;
  struct hm_store *store;
  struct hm_writer *writer;
  uint64_t binding, completion; /* cN */
};

static struct hm_now now(void *user)
{
  (void)user;
  struct hm_now n = {hm_boottime_ns(), 0, atomic_load(&trust_s), HM_QUALITY_AUTHORITY};
  n.realtime_ns = n.trust_s * 1000000000u;
  return n;
}

static void start(struct desk *d)
{
  struct hm_writer_config config = {.crypto = c, .store = d->store, .entity = &world.host.signer,
                                    .now = now, .boot_count = 3, .commit_ms = 30};
  struct hm_fault fault = {0, ""};
  memset(config.boot_id, 0xb0, 16);
  enum hm_status status = hm_writer_start(&config, &d->writer, &fault);
  if (status != HM_OK)
    fail_msg("start: %s", fault.text);
}

static int group_setup(void **state)
{
  (void)state;
  world_make(&world, 5);
  return 0;
}

/* The next result of a kind; others are passed over. */
static struct hm_writer_result await(struct desk *d, enum hm_result_kind kind)
{
  struct hm_writer_result r;
  for (;;) {
    while (hm_writer_next(d->writer, &r))
      if (r.kind == kind)
        return r;
    struct pollfd fd = {hm_writer_fd(d->writer), POLLIN, 0};
    if (poll(&fd, 1, 15000) != 1)
      fail_msg("no result of kind %d within 15 s", (int)kind);
  }
}

static uint64_t entry(struct desk *d, struct hm_log_item item)
{
  struct hm_entry_request request = {.source = HM_ENTRY_OBJECT, .token = 77, .object = item.object,
                                     .attached_count = item.attached_count};
  memcpy(request.attached, item.attached, sizeof request.attached);
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  struct hm_writer_result r = await(d, HM_RESULT_ENTRY);
  assert_int_equal(r.status, HM_OK);
  assert_int_equal(r.token, 77);
  return r.number;
}

/* A store with a paired camera in slot 0. */
static int desk_setup(void **state)
{
  struct desk *d = calloc(1, sizeof *d);
  void *folder;
  atomic_store(&trust_s, world.now + 10);
  if (!d || folder_setup(&folder))
    return -1;
  d->folder = folder;
  *state = d;
  world.log_size = 0;
  if (keep_create(&world, d->folder) != HM_OK)
    return -1;
  d->store = keep_open(d->folder, HM_LOG_WRITE);
  start(d);
  d->binding = entry(d, keep_binding(&world, &world.camera_binding));
  entry(d, keep_pairing(&world, &world.pairing));
  d->completion =
      entry(d, keep_completion(&world.receipt, &world.completion_0, &world.completion_1));
  struct hm_writer_sensor sensor = {.control = d->binding, .origin = HM_ORIGIN_REPLAY};
  memcpy(sensor.lct, world.camera.signer.kid, 32);
  return hm_writer_sensor(d->writer, &sensor) == HM_OK ? 0 : -1;
}

static void stop(struct desk *d)
{
  struct hm_fault fault = {0, ""};
  if (hm_writer_stop(d->writer, &fault) != HM_OK)
    fail_msg("stop: %s", fault.text);
  hm_writer_free(d->writer);
  d->writer = NULL;
}

static int desk_teardown(void **state)
{
  struct desk *d = *state;
  void *folder = d->folder;
  if (d->writer) {
    enum hm_status status = hm_writer_stop(d->writer, NULL);
    (void)status; /* the test may have broken the store */
    hm_writer_free(d->writer);
  }
  hm_store_close(d->store);
  free(d);
  return folder_teardown(&folder);
}

static uint8_t picture[3072], vector[256];

static struct hm_observation memory(uint64_t token)
{
  struct hm_observation o = {.token = token, .frame = 100 + token, .raw_ns = token * 40000000,
                             .clock_domain = HM_CLOCK_FILE, .level = 1,
                             .protection = HM_PROTECTION_PAIRING, .x = 32, .y = 64, .width = 96,
                             .height = 128, .trust = {256, 200, 256, 256, 250},
                             .pixels = HM_PIXELS_I420};
  o.arrival_ns = atomic_load(&trust_s) * 1000000000u + token;
  o.value[HM_VALUE_SURPRISE] = (struct hm_q8){true, 180};
  memset(picture, (int)token, sizeof picture);
  memset(vector, (int)(token % 100) + 1, sizeof vector);
  memset(o.encoder, 0xec, 32);
  o.picture = hm_bytes(picture, sizeof picture);
  o.vector = hm_bytes(vector, sizeof vector);
  return o;
}

static void observe(struct desk *d, uint64_t token)
{
  struct hm_observation o = memory(token);
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_OK);
}

static void flush(struct desk *d)
{
  assert_int_equal(hm_writer_flush(d->writer, 9), HM_OK);
  assert_int_equal(await(d, HM_RESULT_FLUSH).status, HM_OK);
}

/* ---- looking at what was written ----------------------------------------------------------------- */
/* The newest session key in the log at or before an entry. */
static void session_point(struct desk *d, uint64_t limit, uint8_t point[64], uint8_t kid[32])
{
  uint8_t buffer[HM_LOG_ENTRY_MAX];
  for (uint64_t n = limit; n > 0; n--) {
    struct hm_log_entry e;
    struct hm_session s;
    assert_int_equal(hm_log_entry(hm_store_control(d->store), n, buffer, sizeof buffer, &e), HM_OK);
    if (e.typ != HM_TYP_SESSION)
      continue;
    assert_int_equal(
        hm_session_open(c, e.object, world.host.signer.point, &s, kid, NULL), HM_OK);
    memcpy(point, s.key, 64);
    return;
  }
  fail_msg("no session key");
}

/* Verify a batch from outside: signature, facts, leaves, records. */
static void check_batch(struct desk *d, uint64_t number, struct hm_batch_claims *claims)
{
  static uint8_t buffer[HM_STORED_BATCH_MAX], record_buffer[HM_STORED_RECORD_MAX];
  static uint8_t leaves[HM_BATCH_LEAVES_MAX][32];
  struct hm_stored_batch b;
  struct hm_batch_facts facts;
  uint8_t point[64], kid[32], root[32];
  size_t count;
  assert_int_equal(hm_store_batch(d->store, number, buffer, sizeof buffer, &b), HM_OK);
  session_point(d, b.control_size, point, kid);
  assert_int_equal(hm_batch_open(c, b.receipt, point, b.root, claims, NULL), HM_OK);
  assert_int_equal(hm_batch_facts_decode(b.facts, &facts), HM_OK);
  assert_int_equal(hm_batch_facts_match(&facts, claims, kid, NULL), HM_OK);
  assert_int_equal(hm_store_batch_leaves(d->store, number, leaves, &count), HM_OK);
  assert_int_equal(count, hm_batch_tree_size(claims));
  assert_int_equal(hm_tree_root(c, (const uint8_t(*)[32])leaves, count, root), HM_OK);
  assert_memory_equal(root, b.root, 32);
  for (uint64_t i = 0; i < claims->count; i++) {
    struct hm_stored_record stored;
    struct hm_record r;
    struct hm_sensor_facts sensor;
    uint8_t digest[32];
    assert_int_equal(hm_store_record(d->store, claims->first + i, record_buffer,
                                     sizeof record_buffer, &stored),
                     HM_OK);
    assert_int_equal(hm_record_decode(stored.record, &r, NULL), HM_OK);
    assert_int_equal(r.number, claims->first + i);
    assert_int_equal(r.batch_number, number);
    assert_in_range(r.arrival_ns, facts.first_arrival, facts.last_arrival);
    assert_in_range(r.sensor_leaf, 1, claims->sensors);
    assert_int_equal(hm_sensor_facts_decode(b.leaves[r.sensor_leaf - 1], &sensor), HM_OK);
    assert_memory_equal(sensor.sensor.lct, r.sensor.lct, 32);
    assert_int_equal(sensor.sensor.control, r.sensor.control);
    if (r.type == HM_RECORD_EVENT)
      continue;
    assert_int_equal(r.pairing_count, 1);
    assert_memory_equal(r.pairings[0].certificate, world.pairing_facts.name, 32);
    assert_true(d->completion <= claims->control_size);
    if (r.has_picture) {
      assert_int_equal(hm_commitment(c, HM_COMMIT_PICTURE, stored.picture.salt,
                                     stored.picture.content, digest),
                       HM_OK);
      assert_memory_equal(digest, r.picture, 32);
    }
    if (r.has_vector) {
      assert_int_equal(
          hm_commitment(c, HM_COMMIT_VECTOR, stored.vector.salt, stored.vector.content, digest),
          HM_OK);
      assert_memory_equal(digest, r.vector, 32);
    }
  }
}

static void sensor_leaf(struct desk *d, uint64_t batch, struct hm_sensor_facts *facts)
{
  static uint8_t buffer[HM_STORED_BATCH_MAX];
  struct hm_stored_batch b;
  assert_int_equal(hm_store_batch(d->store, batch, buffer, sizeof buffer, &b), HM_OK);
  assert_int_equal(b.sensor_count, 1);
  assert_int_equal(hm_sensor_facts_decode(b.leaves[0], facts), HM_OK);
}

static uint64_t batches(struct desk *d)
{
  struct hm_store_sizes sizes;
  hm_store_sizes(d->store, &sizes);
  return sizes.batches;
}

/* ---- observing ----------------------------------------------------------------------------------------- */
static void what_is_acknowledged_is_there_and_verifies(void **state)
{
  struct desk *d = *state;
  for (uint64_t i = 1; i <= 150; i++)
    observe(d, i);
  uint64_t batch = 0;
  for (uint64_t i = 1; i <= 150; i++) {
    struct hm_writer_result r = await(d, HM_RESULT_OBSERVATION);
    struct hm_stored_record stored;
    struct hm_record record;
    static uint8_t buffer[HM_STORED_RECORD_MAX];
    assert_int_equal(r.status, HM_OK);
    assert_int_equal(r.token, i);
    assert_int_equal(r.number, i);
    assert_int_equal(hm_store_record(d->store, r.number, buffer, sizeof buffer, &stored), HM_OK);
    assert_int_equal(hm_record_decode(stored.record, &record, NULL), HM_OK);
    assert_int_equal(record.type, HM_RECORD_MEMORY);
    assert_int_equal(record.origin, HM_ORIGIN_REPLAY);
    assert_int_equal(record.frame, 100 + i);
    assert_int_equal(record.sensor.control, d->binding);
    assert_memory_equal(stored.picture.content.data, (uint8_t[1]){(uint8_t)i}, 1);
    assert_int_equal(stored.vector.content.data[7], i % 100 + 1);
  }
  struct hm_batch_claims claims;
  uint64_t records = 0;
  uint8_t blank[32] = {0};
  for (batch = 1; batch <= batches(d); batch++) {
    check_batch(d, batch, &claims);
    assert_int_equal(claims.first, records + 1);
    records += claims.count;
    assert_true(claims.count <= 64);
    assert_true((memcmp(claims.previous, blank, 32) == 0) == (batch == 1));
  }
  assert_int_equal(records, 150);
  struct hm_writer_stats stats;
  hm_writer_stats(d->writer, &stats);
  assert_int_equal(stats.written_records, 150);
  assert_true(stats.bytes_written > 150 * 3072);
}

static void like_finds_itself_first(void **state)
{
  struct desk *d = *state;
  for (uint64_t i = 1; i <= 90; i++)
    observe(d, i);
  flush(d);
  static struct hm_query_run run;
  uint8_t like[HM_VECTOR_MAX];
  struct hm_query query = {.has_encoder = true, .k = 5};
  size_t len;
  assert_int_equal(hm_query_vector(d->store, 40, query.encoder, like, &len), HM_OK);
  query.like = hm_bytes(like, len);
  assert_int_equal(hm_query_all(d->store, &query, &run), HM_OK);
  assert_int_equal(run.count, 5);
  assert_int_equal(run.hits[0].number, 40);
  assert_int_equal(run.hits[0].distance, 0);
  assert_int_equal(run.hits[1].number, 39); /* 39 and 41 are as near: by number */
  assert_int_equal(run.hits[1].distance, 256);
  assert_int_equal(run.hits[2].number, 41);
  query.encoder[0] ^= 1;
  assert_int_equal(hm_query_all(d->store, &query, &run), HM_OK);
  assert_int_equal(run.count, 0);
  assert_int_equal(run.other_encoder, 90);
}

static void without_vector_it_is_an_observation(void **state)
{
  struct desk *d = *state;
  struct hm_observation o = memory(1);
  o.vector = hm_bytes(NULL, 0);
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_OK);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
  static uint8_t buffer[HM_STORED_RECORD_MAX];
  struct hm_stored_record stored;
  struct hm_record record;
  assert_int_equal(hm_store_record(d->store, 1, buffer, sizeof buffer, &stored), HM_OK);
  assert_int_equal(hm_record_decode(stored.record, &record, NULL), HM_OK);
  assert_int_equal(record.type, HM_RECORD_OBSERVATION);
  assert_true(record.has_picture);
  assert_false(stored.vector.is_there);
}

static void what_spoils_a_batch_is_refused_alone(void **state)
{
  struct desk *d = *state;
  struct hm_observation o = memory(1);
  o.slot = HM_WRITER_SENSORS;
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_MALFORMED);
  o = memory(1);
  o.trust[2] = 257;
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_MALFORMED);
  o = memory(1);
  memset(vector, 0, sizeof vector);
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_MALFORMED);
  o = memory(1);
  static uint8_t large[HM_CONTENT_MAX + 1];
  o.picture = hm_bytes(large, sizeof large);
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_TOO_LARGE);
  o = memory(1);
  o.pixels = 3;
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_MALFORMED);
  o = memory(2);
  o.slot = 5; /* nobody's */
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_OK);
  struct hm_writer_result r = await(d, HM_RESULT_OBSERVATION);
  assert_int_equal(r.status, HM_NOT_FOUND);
  assert_int_equal(r.slot, 5);
  observe(d, 3);
  r = await(d, HM_RESULT_OBSERVATION);
  assert_int_equal(r.status, HM_OK);
  assert_int_equal(r.number, 1);
}

static void an_event_closes_the_batch_at_once(void **state)
{
  struct desk *d = *state;
  struct hm_trust_event event = {.token = 4, .level = 5, .kind = HM_EVENT_SENSOR_STATE,
                                 .arrival_ns = atomic_load(&trust_s) * 1000000000u,
                                 .has_reason = true, .reason = HM_REASON_ANOMALY_DETECTED};
  observe(d, 1);
  assert_int_equal(hm_writer_event(d->writer, &event), HM_OK);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).number, 1);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).number, 2);
  struct hm_batch_claims claims;
  check_batch(d, 1, &claims);
  assert_int_equal(claims.count, 2);
}

static void a_run_of_peripherals_is_hashed_whole(void **state)
{
  struct desk *d = *state;
  static uint8_t all[20][HM_PERIPHERAL_BYTES];
  for (uint64_t i = 0; i < 20; i++) {
    memset(all[i], (int)i + 1, HM_PERIPHERAL_BYTES);
    assert_int_equal(hm_writer_peripheral(d->writer, 0, 500 + i, all[i]), HM_OK);
  }
  struct hm_writer_counts counts = {.dropped = {0, 3}, .late = 2, .state = HM_SENSOR_DARK};
  assert_int_equal(hm_writer_counts(d->writer, &counts), HM_OK);
  flush(d);
  struct hm_sensor_facts f;
  uint8_t hash[32];
  struct hm_bytes bytes = hm_bytes(all, sizeof all);
  sensor_leaf(d, 1, &f);
  assert_int_equal(f.passed, 20);
  assert_int_equal(f.first_frame, 500);
  assert_int_equal(f.last_frame, 519);
  assert_int_equal(c->sha256(&bytes, 1, hash), HM_OK);
  assert_memory_equal(f.peripherals, hash, 32);
  assert_int_equal(f.dropped_count, 2);
  assert_int_equal(f.dropped[HM_DROP_RATE], 3);
  assert_int_equal(f.late, 2);
  assert_int_equal(f.state, HM_SENSOR_DARK);
  /* numbers that step back begin another batch */
  assert_int_equal(hm_writer_peripheral(d->writer, 0, 520, all[0]), HM_OK);
  assert_int_equal(hm_writer_peripheral(d->writer, 0, 1, all[1]), HM_OK);
  flush(d);
  sensor_leaf(d, 2, &f);
  assert_int_equal(f.passed, 1);
  assert_int_equal(f.first_frame, 520);
  assert_int_equal(f.dropped_count, 0);
  assert_int_equal(f.state, HM_SENSOR_DARK);
  sensor_leaf(d, 3, &f);
  assert_int_equal(f.last_frame, 1);
}

static void nothing_is_signed_too_while_a_pairing_is_in_force(void **state)
{
  struct desk *d = *state;
  usleep(2400000);
  assert_in_range(batches(d), 1, 3);
  struct hm_batch_claims claims;
  struct hm_sensor_facts f;
  check_batch(d, 1, &claims);
  assert_int_equal(claims.count, 0);
  sensor_leaf(d, 1, &f);
  assert_int_equal(f.passed, 0);
  assert_int_equal(f.pairing_count, 1);
}

/* ---- ends ------------------------------------------------------------------------------------------------- */
static void after_a_revocation_nothing_enters(void **state)
{
  struct desk *d = *state;
  struct hm_revocation local = {.reason = HM_REASON_OPERATOR};
  struct hm_entry_request request = {.source = HM_ENTRY_LOCAL, .token = 5, .local = &local};
  memcpy(local.certificate, world.pairing_facts.name, 32);
  for (uint64_t i = 1; i <= 10; i++)
    observe(d, i);
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  for (uint64_t i = 11; i <= 20; i++)
    observe(d, i);
  static const uint8_t peripheral[HM_PERIPHERAL_BYTES] = {1};
  assert_int_equal(hm_writer_peripheral(d->writer, 0, 999, peripheral), HM_OK);
  for (uint64_t i = 1; i <= 10; i++)
    assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
  uint64_t revoked_at = await(d, HM_RESULT_ENTRY).number;
  for (uint64_t i = 11; i <= 20; i++) {
    struct hm_writer_result r = await(d, HM_RESULT_OBSERVATION);
    assert_int_equal(r.status, HM_REVOKED);
    assert_int_equal(r.token, i);
    assert_int_equal(r.number, 0);
    assert_true(strlen(r.fault.text) > 10);
  }
  flush(d);
  struct hm_batch_claims claims;
  struct hm_revocation signed_one;
  static uint8_t buffer[HM_LOG_ENTRY_MAX];
  struct hm_log_entry e;
  check_batch(d, 1, &claims);
  assert_true(claims.control_size < revoked_at);
  assert_int_equal(hm_log_entry(hm_store_control(d->store), revoked_at, buffer, sizeof buffer, &e),
                   HM_OK);
  assert_int_equal(e.durable_batches, 1);
  assert_int_equal(
      hm_revocation_open(c, e.object, world.host.signer.point, &signed_one, NULL), HM_OK);
  assert_true(signed_one.is_local);
  assert_true(signed_one.iat > claims.iat); /* by time too, the batch came before */
  struct hm_sensor_facts f;
  sensor_leaf(d, 2, &f);
  assert_int_equal(f.unauthorized, 11);
  assert_int_equal(f.passed, 0);
  assert_false(f.has_pairings);
  check_batch(d, 2, &claims);
  assert_int_equal(claims.count, 0);
  assert_true(claims.control_size >= revoked_at);
}

static void a_revoked_sensor_ends_all_of_its_pairings(void **state)
{
  struct desk *d = *state;
  struct world_object revocation;
  struct hm_log_item item = {.object = {NULL, 0}};
  observe(d, 1);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
  world_revoke(&world, 1, world.now + 11, world.camera.signer.kid, NULL, &revocation);
  item.object = world_bytes(&revocation);
  entry(d, item);
  observe(d, 2);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_REVOKED);
  /* the completion handed in again does not revive it */
  entry(d, keep_completion(&world.receipt, &world.completion_0, &world.completion_1));
  observe(d, 3);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_REVOKED);
}

static void expiry_is_judged_by_arrival(void **state)
{
  struct desk *d = *state;
  observe(d, 1);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
  atomic_store(&trust_s, world.pairing_facts.exp);
  observe(d, 2);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_EXPIRED);
  atomic_store(&trust_s, world.pairing_facts.exp - 1);
  observe(d, 3);
  struct hm_observation late = memory(4);
  late.arrival_ns += 1000000000u;
  assert_int_equal(hm_writer_observe(d->writer, &late), HM_OK);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_EXPIRED);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
}

static void a_slot_given_away_keeps_apart(void **state)
{
  struct desk *d = *state;
  struct hm_writer_sensor nobody = {.slot = 0};
  observe(d, 1);
  assert_int_equal(hm_writer_sensor(d->writer, &nobody), HM_OK);
  observe(d, 2);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_NOT_FOUND);
}

/* ---- entries, heads ------------------------------------------------------------------------------------------ */
static enum hm_status build(void *user, const struct hm_entry_facts *facts, struct hm_out *out)
{
  struct hm_entry_facts *seen = user;
  struct hm_law law = {.iat = facts->now.trust_s};
  *seen = *facts;
  return hm_law_make(c, facts->entity, &law, out);
}

static void entries_are_made_and_wrong_ones_refused(void **state)
{
  struct desk *d = *state;
  struct hm_receipt receipt = {.level = 1, .kind = HM_RECEIPT_CALIBRATION};
  struct hm_entry_facts seen = {.number = 0};
  struct hm_entry_request request = {.source = HM_ENTRY_RECEIPT, .receipt = &receipt};
  memcpy(receipt.subject, world.camera.signer.kid, 32);
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  uint64_t number = await(d, HM_RESULT_ENTRY).number;
  static uint8_t buffer[HM_LOG_ENTRY_MAX];
  struct hm_log_entry e;
  assert_int_equal(hm_log_entry(hm_store_control(d->store), number, buffer, sizeof buffer, &e),
                   HM_OK);
  assert_int_equal(hm_receipt_open(c, e.object, world.host.signer.point, &receipt, NULL), HM_OK);
  assert_int_equal(receipt.iat, atomic_load(&trust_s));

  observe(d, 1);
  request = (struct hm_entry_request){.source = HM_ENTRY_BUILD, .build = build,
                                      .build_user = &seen};
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  assert_int_equal(await(d, HM_RESULT_ENTRY).number, number + 1);
  assert_int_equal(seen.number, number + 1);
  assert_int_equal(seen.durable_batches, 1); /* what waited went first */

  request = (struct hm_entry_request){.source = HM_ENTRY_OBJECT,
                                      .object = hm_bytes("nonsense", 8)};
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  struct hm_writer_result r = await(d, HM_RESULT_ENTRY);
  assert_int_not_equal(r.status, HM_OK);
  assert_true(strlen(r.fault.text) > 10);
  request.object = hm_bytes(NULL, 0);
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_MALFORMED);
  observe(d, 2); /* it goes on */
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
}

/* Head and checkpoint over both logs, as a stranger checks them. */
static void check_head(struct desk *d, uint64_t number, struct hm_head *head)
{
  struct hm_log *log = hm_store_control(d->store);
  static uint8_t buffer[HM_LOG_ENTRY_MAX], set[HM_LIVE_SET_MAX];
  uint8_t object[HM_SIGN1_MAX], root[32], hash[32];
  struct hm_log_entry e;
  struct hm_checkpoint checkpoint;
  size_t len, live_len, live_count;
  uint64_t size;
  assert_int_equal(hm_log_entry(log, number, buffer, sizeof buffer, &e), HM_OK);
  assert_int_equal(hm_head_open(c, e.object, world.host.signer.point, head, NULL), HM_OK);
  assert_int_equal(hm_log_checkpoint(log, number, object, sizeof object, &len, &size), HM_OK);
  assert_int_equal(size, number); /* its last leaf is that head */
  assert_int_equal(hm_checkpoint_open(c, hm_bytes(object, len), world.host.signer.point,
                                      &checkpoint, NULL),
                   HM_OK);
  assert_false(checkpoint.has_revocations);
  assert_int_equal(checkpoint.control_tree.size, size);
  assert_int_equal(hm_log_root(log, size, root), HM_OK);
  assert_memory_equal(root, checkpoint.control_tree.root, 32);
  assert_int_equal(hm_store_data_root(d->store, head->data_tree.size, root), HM_OK);
  assert_memory_equal(root, head->data_tree.root, 32);
  assert_int_equal(hm_log_live(log, number, set, sizeof set, &live_len), HM_OK);
  assert_int_equal(hm_live_check(hm_bytes(set, live_len), &live_count), HM_OK);
  struct hm_bytes part = hm_bytes(set, live_len);
  assert_int_equal(c->sha256(&part, 1, hash), HM_OK);
  assert_memory_equal(hash, head->live, 32);
}

static void a_checkpoint_covers_what_is_asked_for(void **state)
{
  struct desk *d = *state;
  static struct hm_head head;
  observe(d, 1);
  assert_int_equal(hm_writer_checkpoint(d->writer, 6, 1), HM_OK);
  struct hm_writer_result r = await(d, HM_RESULT_CHECKPOINT);
  assert_int_equal(r.status, HM_OK);
  assert_int_equal(r.token, 6);
  check_head(d, r.number, &head);
  assert_int_equal(head.data_tree.size, 1);
  assert_false(head.has_previous);
  /* the ranges of the first head rebuild both trees */
  struct hm_peaks peaks = {.size = 0};
  uint8_t root[32], then[32];
  assert_int_equal(hm_peaks_extend(c, &peaks, &head.control_range, r.number - 1), HM_OK);
  assert_int_equal(hm_peaks_root(c, &peaks, root), HM_OK);
  assert_int_equal(hm_log_root(hm_store_control(d->store), r.number - 1, then), HM_OK);
  assert_memory_equal(root, then, 32);
  static uint8_t set[HM_LIVE_SET_MAX];
  size_t len;
  struct hm_live_cursor cursor;
  struct hm_live_pairing live;
  assert_int_equal(hm_log_live(hm_store_control(d->store), r.number, set, sizeof set, &len), HM_OK);
  assert_int_equal(hm_live_begin(hm_bytes(set, len), &cursor), HM_OK);
  assert_int_equal(hm_live_next(&cursor, &live), HM_OK);
  assert_memory_equal(live.entity, world.camera.signer.kid, 32);
  assert_memory_equal(live.certificate, world.pairing_facts.name, 32);
  assert_int_equal(live.context, HM_CONTEXT_DRIVE);
  assert_int_equal(live.control, d->completion);
  assert_int_equal(hm_live_next(&cursor, &live), HM_NOT_FOUND);
  /* asked again for the same record: the same head */
  assert_int_equal(hm_writer_checkpoint(d->writer, 7, 1), HM_OK);
  assert_int_equal(await(d, HM_RESULT_CHECKPOINT).number, r.number);
  /* no such record */
  assert_int_equal(hm_writer_checkpoint(d->writer, 8, 1000), HM_OK);
  assert_int_equal(await(d, HM_RESULT_CHECKPOINT).status, HM_NOT_FOUND);
  struct hm_writer_stats stats;
  hm_writer_stats(d->writer, &stats);
  assert_int_equal(stats.head, r.number);
}

static void a_second_checkpoint_waits_its_ten_seconds(void **state)
{
  struct desk *d = *state;
  static struct hm_head first, second;
  observe(d, 1);
  assert_int_equal(hm_writer_checkpoint(d->writer, 1, 0), HM_OK);
  struct hm_writer_result r = await(d, HM_RESULT_CHECKPOINT);
  uint64_t began = hm_boottime_ns(), first_number = r.number;
  check_head(d, r.number, &first);
  observe(d, 2);
  assert_int_equal(hm_writer_checkpoint(d->writer, 2, 2), HM_OK);
  r = await(d, HM_RESULT_CHECKPOINT);
  assert_int_equal(r.token, 2);
  assert_int_equal(r.status, HM_OK);
  assert_true(hm_boottime_ns() - began > UINT64_C(9000000000));
  check_head(d, r.number, &second);
  assert_true(second.has_previous);
  assert_true(second.data_tree.size >= 2);
  /* its ranges go on from the head before, itself included */
  struct hm_peaks peaks;
  uint8_t root[32], then[32];
  struct hm_log *log = hm_store_control(d->store);
  assert_int_equal(hm_peaks_load(hm_log_node, log, first_number - 1, &peaks), HM_OK);
  assert_int_equal(hm_peaks_extend(c, &peaks, &second.control_range, r.number - 1), HM_OK);
  assert_int_equal(hm_peaks_root(c, &peaks, root), HM_OK);
  assert_int_equal(hm_log_root(log, r.number - 1, then), HM_OK);
  assert_memory_equal(root, then, 32);
}

static void many_entries_make_a_head(void **state)
{
  struct desk *d = *state;
  observe(d, 1);
  flush(d);
  struct hm_receipt receipt = {.level = 1, .kind = HM_RECEIPT_CALIBRATION};
  struct hm_entry_request request = {.source = HM_ENTRY_RECEIPT, .receipt = &receipt};
  for (int i = 0; i < 40; i++)
    assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  for (int i = 0; i < 40; i++)
    assert_int_equal(await(d, HM_RESULT_ENTRY).status, HM_OK);
  struct hm_writer_stats stats;
  hm_writer_stats(d->writer, &stats);
  assert_in_range(stats.head, 20, 40);
}

/* ---- stop and start ----------------------------------------------------------------------------------------------- */
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
  assert_int_equal(hm_log_entry(hm_store_control(d->store), sizes.control + 1, buffer,
                                sizeof buffer, &e),
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

/* ---- the inbox ------------------------------------------------------------------------------------------------------ */
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

#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, desk_setup, desk_teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
      AT_DESK(what_is_acknowledged_is_there_and_verifies),
      AT_DESK(like_finds_itself_first),
      AT_DESK(without_vector_it_is_an_observation),
      AT_DESK(what_spoils_a_batch_is_refused_alone),
      AT_DESK(an_event_closes_the_batch_at_once),
      AT_DESK(a_run_of_peripherals_is_hashed_whole),
      AT_DESK(nothing_is_signed_too_while_a_pairing_is_in_force),
      AT_DESK(after_a_revocation_nothing_enters),
      AT_DESK(a_revoked_sensor_ends_all_of_its_pairings),
      AT_DESK(expiry_is_judged_by_arrival),
      AT_DESK(a_slot_given_away_keeps_apart),
      AT_DESK(entries_are_made_and_wrong_ones_refused),
      AT_DESK(a_checkpoint_covers_what_is_asked_for),
      AT_DESK(a_second_checkpoint_waits_its_ten_seconds),
      AT_DESK(many_entries_make_a_head),
      AT_DESK(a_stop_writes_everything_and_a_start_goes_on),
      AT_DESK(a_session_key_lasts_a_day),
      AT_DESK(a_full_disk_is_told_and_passes),
      AT_DESK(acknowledged_records_survive_sigkill),
      cmocka_unit_test(an_inbox_is_bounded_for_each_sensor),
  };
  return cmocka_run_group_tests_name("writer", tests, group_setup, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A writer at work on a real store with a paired camera in slot 0, and ways to look
 * at what it wrote as a stranger would. Time is the test's, the clocks are real.
 */
#ifndef HM_TESTS_DESK_H
#define HM_TESTS_DESK_H

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#include "services/daemon_writer.h"
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

static inline struct hm_now now(void *user)
{
  (void)user;
  struct hm_now n = {.boottime_ns = hm_boottime_ns(),
                     .trust_s = atomic_load(&trust_s),
                     .quality = HM_QUALITY_AUTHORITY};
  n.realtime_ns = n.trust_ns = n.trust_s * 1000000000u;
  return n;
}

static inline void start_with(struct desk *d, uint64_t disk_reserve)
{
  struct hm_writer_config config = {.crypto = c,
                                    .store = d->store,
                                    .entity = &world.host.signer,
                                    .now = now,
                                    .boot_count = 3,
                                    .commit_ms = 30,
                                    .disk_reserve = disk_reserve};
  struct hm_fault fault = {0, ""};
  memset(config.boot_id, 0xb0, 16);
  enum hm_status status = hm_writer_start(&config, &d->writer, &fault);
  if (status != HM_OK)
    fail_msg("start: %s", fault.text);
}

static inline void start(struct desk *d)
{
  start_with(d, 0);
}

static inline int group_setup(void **state)
{
  (void)state;
  world_make(&world, 5);
  return 0;
}

/* The next result of a kind; others are passed over. */
static inline struct hm_writer_result await(struct desk *d, enum hm_result_kind kind)
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

static inline uint64_t entry(struct desk *d, struct hm_log_item item)
{
  struct hm_entry_request request = {.source = HM_ENTRY_OBJECT,
                                     .token = 77,
                                     .object = item.object,
                                     .attached_count = item.attached_count};
  memcpy(request.attached, item.attached, sizeof request.attached);
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  struct hm_writer_result r = await(d, HM_RESULT_ENTRY);
  assert_int_equal(r.status, HM_OK);
  assert_int_equal(r.token, 77);
  return r.number;
}

/* A store with a paired camera in slot 0. */
static inline int desk_setup(void **state)
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

static inline void stop(struct desk *d)
{
  struct hm_fault fault = {0, ""};
  if (hm_writer_stop(d->writer, &fault) != HM_OK)
    fail_msg("stop: %s", fault.text);
  hm_writer_free(d->writer);
  d->writer = NULL;
}

static inline int desk_teardown(void **state)
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

static inline struct hm_observation memory(uint64_t token)
{
  struct hm_observation o = {.token = token,
                             .frame = 100 + token,
                             .raw_ns = token * 40000000,
                             .clock_domain = HM_CLOCK_FILE,
                             .level = 1,
                             .protection = HM_PROTECTION_PAIRING,
                             .x = 32,
                             .y = 64,
                             .width = 96,
                             .height = 128,
                             .trust = {256, 200, 256, 256, 250},
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

static inline void observe(struct desk *d, uint64_t token)
{
  struct hm_observation o = memory(token);
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_OK);
}

static inline void flush(struct desk *d)
{
  assert_int_equal(hm_writer_flush(d->writer, 9), HM_OK);
  assert_int_equal(await(d, HM_RESULT_FLUSH).status, HM_OK);
}

/* ---- looking at what was written ------------------------------------------------- */
/* The newest session key in the log at or before an entry. */
static inline void session_point(struct desk *d, uint64_t limit, uint8_t point[64], uint8_t kid[32])
{
  uint8_t buffer[HM_LOG_ENTRY_MAX];
  for (uint64_t n = limit; n > 0; n--) {
    struct hm_log_entry e;
    struct hm_session s;
    assert_int_equal(hm_log_entry(hm_store_control(d->store), n, buffer, sizeof buffer, &e), HM_OK);
    if (e.typ != HM_TYP_SESSION)
      continue;
    assert_int_equal(hm_session_open(c, e.object, world.host.signer.point, &s, kid, NULL), HM_OK);
    memcpy(point, s.key, 64);
    return;
  }
  fail_msg("no session key");
}

/* Verify a batch from outside: signature, facts, leaves, records. */
static inline void check_batch(struct desk *d, uint64_t number, struct hm_batch_claims *claims)
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
    assert_int_equal(
        hm_store_record(d->store, claims->first + i, record_buffer, sizeof record_buffer, &stored),
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
    assert_int_equal(sensor.pairing_count, 1);
    assert_memory_equal(sensor.pairings[0].certificate, r.pairings[0].certificate, 32);
    assert_true(world.pairing_facts.nbf <= claims->iat && claims->iat < world.pairing_facts.exp);
    assert_memory_equal(r.pairings[0].certificate, world.pairing_facts.name, 32);
    assert_int_equal(sensor.pairing_count, 1);
    assert_memory_equal(sensor.pairings[0].certificate, r.pairings[0].certificate, 32);
    assert_true(d->completion <= claims->control_size);
    if (r.has_picture) {
      assert_int_equal(
          hm_commitment(c, HM_COMMIT_PICTURE, stored.picture.salt, stored.picture.content, digest),
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

static inline void sensor_leaf(struct desk *d, uint64_t batch, struct hm_sensor_facts *facts)
{
  static uint8_t buffer[HM_STORED_BATCH_MAX];
  struct hm_stored_batch b;
  assert_int_equal(hm_store_batch(d->store, batch, buffer, sizeof buffer, &b), HM_OK);
  assert_int_equal(b.sensor_count, 1);
  assert_int_equal(hm_sensor_facts_decode(b.leaves[0], facts), HM_OK);
}

static inline uint64_t batches(struct desk *d)
{
  struct hm_store_sizes sizes;
  hm_store_sizes(d->store, &sizes);
  return sizes.batches;
}

/* Head and checkpoint over both logs, as a stranger checks them. */
static inline void check_head(struct desk *d, uint64_t number, struct hm_head *head)
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
  assert_int_equal(
      hm_checkpoint_open(c, hm_bytes(object, len), world.host.signer.point, &checkpoint, NULL),
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

#define AT_DESK(test) cmocka_unit_test_setup_teardown(test, desk_setup, desk_teardown)

#endif

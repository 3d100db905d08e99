/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The writer on a real store: what it acknowledged is there and verifies, what is not
 * in force stays out, heads cover both logs.
 */
#include "tests/unit/services/desk.h"

#include <unistd.h>

#include "memory/prove.h"
#include "memory/query.h"
#include "trust/proof.h"

/* ---- observing ------------------------------------------------------------------- */
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
  struct hm_trust_event event = {.token = 4,
                                 .level = 5,
                                 .kind = HM_EVENT_SENSOR_STATE,
                                 .arrival_ns = atomic_load(&trust_s) * 1000000000u,
                                 .has_reason = true,
                                 .reason = HM_REASON_ANOMALY_DETECTED};
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

/* ---- ends ------------------------------------------------------------------------ */
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
  assert_int_equal(hm_revocation_open(c, e.object, world.host.signer.point, &signed_one, NULL),
                   HM_OK);
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

/* A record that arrived in the second before a pairing began, by a clock a second
 * behind: whatever is decided, record and sensor leaf say the same. */
static void leaf_and_records_agree_at_the_edges(void **state)
{
  struct desk *d = *state;
  const uint64_t edges[] = {world.pairing_facts.nbf - 1, world.pairing_facts.nbf,
                            world.pairing_facts.exp - 1};
  uint64_t token = 0;
  for (size_t i = 0; i < 3; i++)
    for (int ahead = -1; ahead <= 1; ahead++) {
      atomic_store(&trust_s, edges[i]);
      struct hm_observation o = memory(++token);
      o.arrival_ns = (edges[i] + (uint64_t)(int64_t)ahead) * 1000000000u;
      assert_int_equal(hm_writer_observe(d->writer, &o), HM_OK);
      struct hm_writer_result r = await(d, HM_RESULT_OBSERVATION);
      bool is_good = i > 0 && !(i == 2 && ahead == 1);
      assert_int_equal(r.status, is_good ? HM_OK : HM_EXPIRED);
      flush(d);
      struct hm_batch_claims claims;
      check_batch(d, batches(d), &claims);
    }
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

/* ---- entries, heads -------------------------------------------------------------- */
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
  request =
      (struct hm_entry_request){.source = HM_ENTRY_BUILD, .build = build, .build_user = &seen};
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  assert_int_equal(await(d, HM_RESULT_ENTRY).number, number + 1);
  assert_int_equal(seen.number, number + 1);
  assert_int_equal(seen.durable_batches, 1); /* what waited went first */

  request = (struct hm_entry_request){.source = HM_ENTRY_OBJECT, .object = hm_bytes("nonsense", 8)};
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  struct hm_writer_result r = await(d, HM_RESULT_ENTRY);
  assert_int_not_equal(r.status, HM_OK);
  assert_true(strlen(r.fault.text) > 10);
  request.object = hm_bytes(NULL, 0);
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_MALFORMED);
  observe(d, 2); /* it goes on */
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
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

/* ---- several sensors, narrower pairings -------------------------------------------- */
/* A second camera in slot 1, paired for training and allowed to observe only. */
static void add_observer(struct desk *d, struct world_key *key)
{
  static struct world_object binding, pairing, receipt;
  struct hm_entity entity;
  struct hm_policy policy = {.kid16 = 77,
                             .data_count = 2,
                             .data_types = {HM_DATA_FRAME, HM_DATA_FOCUS},
                             .operation_count = 1,
                             .operations = {HM_OP_OBSERVE},
                             .max_epochs = 1,
                             .context = HM_CONTEXT_TRAINING};
  uint8_t metadata[1024];
  struct hm_out m = hm_out(metadata, sizeof metadata);
  world_key_make(key, 5, 9);
  world_bind(&world, key, &world.host, &binding, &entity);
  memset(policy.pairing_id, 9, sizeof policy.pairing_id);
  memcpy(policy.entities[0], world.host.signer.kid, 32);
  memcpy(policy.entities[1], key->signer.kid, 32);
  assert_int_equal(hm_policy_encode(&policy, &m), HM_OK);
  struct hm_pairing p = {.exp = world.now + HM_DAY_S,
                         .nbf = world.now,
                         .iat = world.now,
                         .metadata = hm_out_bytes(&m)};
  struct hm_out out = hm_out(pairing.data, sizeof pairing.data);
  assert_int_equal(hm_pairing_make(c, &world.authority.signer, &p, &out), HM_OK);
  pairing.len = out.len;
  assert_int_equal(
      hm_pairing_open(c, world_bytes(&pairing), world.authority.signer.point, NULL, &p), HM_OK);
  struct hm_receipt r = {.iat = world.now,
                         .level = 6,
                         .quality = HM_QUALITY_AUTHORITY,
                         .kind = HM_RECEIPT_COMPLETION,
                         .has_certificate = true,
                         .evidence_count = 2};
  memcpy(r.certificate, p.name, 32);
  memcpy(r.subject, key->signer.kid, 32);
  out = hm_out(receipt.data, sizeof receipt.data);
  assert_int_equal(hm_receipt_make(c, &world.authority.signer, &r, &out), HM_OK);
  receipt.len = out.len;
  struct hm_writer_sensor sensor = {.slot = 1};
  sensor.control = entry(d, keep_binding(&world, &binding));
  entry(d, keep_pairing(&world, &pairing));
  memcpy(sensor.lct, key->signer.kid, 32);
  assert_int_equal(hm_writer_sensor(d->writer, &sensor), HM_OK);
  struct hm_observation o = memory(1);
  o.slot = 1;
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_OK);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_DENIED); /* not completed yet */
  entry(d, keep_completion(&receipt, &world.completion_0, &world.completion_1));
}

static void who_may_not_remember_leaves_no_vector(void **state)
{
  struct desk *d = *state;
  struct world_key key;
  static uint8_t buffer[HM_STORED_RECORD_MAX];
  add_observer(d, &key);
  struct hm_observation o = memory(2);
  o.slot = 1;
  assert_int_equal(hm_writer_observe(d->writer, &o), HM_OK);
  struct hm_writer_result r = await(d, HM_RESULT_OBSERVATION);
  struct hm_stored_record stored;
  struct hm_record record;
  assert_int_equal(r.status, HM_OK);
  assert_int_equal(hm_store_record(d->store, r.number, buffer, sizeof buffer, &stored), HM_OK);
  assert_int_equal(hm_record_decode(stored.record, &record, NULL), HM_OK);
  assert_int_equal(record.type, HM_RECORD_OBSERVATION);
  assert_false(record.has_vector);
  assert_false(stored.vector.is_there);
  assert_int_equal(record.pairings[0].context, HM_CONTEXT_TRAINING);
}

static void leaves_of_several_sensors_ascend(void **state)
{
  struct desk *d = *state;
  struct world_key key;
  static uint8_t buffer[HM_STORED_BATCH_MAX], record_buffer[HM_STORED_RECORD_MAX];
  add_observer(d, &key);
  for (uint64_t i = 1; i <= 6; i++) {
    struct hm_observation o = memory(i);
    o.slot = i % 2;
    assert_int_equal(hm_writer_observe(d->writer, &o), HM_OK);
  }
  flush(d);
  struct hm_stored_batch b;
  uint64_t of;
  assert_int_equal(hm_store_batch_of(d->store, 6, &of), HM_OK);
  assert_int_equal(hm_store_batch(d->store, of, buffer, sizeof buffer, &b), HM_OK);
  assert_int_equal(b.sensor_count, 2);
  struct hm_sensor_facts f[2];
  for (int i = 0; i < 2; i++)
    assert_int_equal(hm_sensor_facts_decode(b.leaves[i], &f[i]), HM_OK);
  assert_true(memcmp(f[0].sensor.lct, f[1].sensor.lct, 32) < 0);
  for (uint64_t n = b.first_record; n < b.first_record + b.record_count; n++) {
    struct hm_stored_record stored;
    struct hm_record r;
    assert_int_equal(hm_store_record(d->store, n, record_buffer, sizeof record_buffer, &stored),
                     HM_OK);
    assert_int_equal(hm_record_decode(stored.record, &r, NULL), HM_OK);
    assert_memory_equal(f[r.sensor_leaf - 1].sensor.lct, r.sensor.lct, 32);
    assert_int_equal(f[r.sensor_leaf - 1].sensor.control, r.sensor.control);
    assert_memory_equal(f[r.sensor_leaf - 1].pairings[0].certificate, r.pairings[0].certificate,
                        32);
  }
}

/* Ending one context leaves the other flowing. */
static void one_pairing_ends_the_other_stays(void **state)
{
  struct desk *d = *state;
  struct world_key key;
  add_observer(d, &key);
  struct hm_revocation local = {.reason = HM_REASON_OPERATOR, .has_pairing_id = true};
  memset(local.pairing_id, 9, sizeof local.pairing_id);
  struct hm_entry_request request = {.source = HM_ENTRY_LOCAL, .local = &local};
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  for (uint64_t i = 1; i <= 2; i++) {
    struct hm_observation o = memory(i);
    o.slot = i % 2;
    assert_int_equal(hm_writer_observe(d->writer, &o), HM_OK);
  }
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_REVOKED);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
}

/* ---- proofs ---------------------------------------------------------------------- */
static void print_broken(void *user, const struct hm_proof_step *step)
{
  (void)user;
  if (step->result == HM_STEP_BROKEN)
    print_message("broken at %c%llu: %s: %s\n", step->letter ? step->letter : '-',
                  (unsigned long long)step->number, hm_proof_link_name(step->link), step->sentence);
}

/* A stranger with the authority's key says of these records: proven, or not. */
static bool is_proven(struct desk *d, const uint64_t *records, size_t count,
                      struct hm_verdict *verdict)
{
  struct hm_proof_authority authority = {.name = "home"};
  struct hm_fault fault = {0, ""};
  uint8_t encoder[1][32], *file;
  size_t len, need;
  memcpy(authority.point, world.authority.signer.point, 64);
  memset(encoder, 0xec, sizeof encoder);
  enum hm_status status = hm_prove(c, d->store, records, count, NULL, &file, &len, &fault);
  if (status != HM_OK)
    fail_msg("prove: %s: %s", hm_status_text(status), fault.text);
  struct hm_proof_input input = {.file = hm_bytes(file, len),
                                 .authorities = &authority,
                                 .authority_count = 1,
                                 .step = print_broken,
                                 .built_in = (const uint8_t(*)[32])encoder,
                                 .built_in_count = 1};
  assert_int_equal(hm_proof_scratch(input.file, &need, NULL), HM_OK);
  input.scratch = malloc(need);
  input.scratch_len = need;
  assert_non_null(input.scratch);
  assert_int_equal(hm_proof_verify(c, &input, verdict, NULL), HM_OK);
  free(input.scratch);
  free(file);
  return hm_verdict_is_proven(verdict);
}

static void what_was_written_can_be_proven(void **state)
{
  struct desk *d = *state;
  struct hm_verdict verdict;
  uint64_t records[80];
  for (uint64_t i = 1; i <= 80; i++) {
    observe(d, i);
    records[i - 1] = i;
  }
  assert_int_equal(hm_writer_checkpoint(d->writer, 1, 80), HM_OK);
  assert_int_equal(await(d, HM_RESULT_CHECKPOINT).status, HM_OK);
  assert_true(is_proven(d, records, 1, &verdict));
  assert_true(is_proven(d, records, 80, &verdict));
  assert_int_equal(verdict.records, 80);
  /* after a head the live set takes the place of the entries before it; and a
   * revocation leaves what came before it proven */
  observe(d, 81);
  assert_int_equal(await(d, HM_RESULT_OBSERVATION).status, HM_OK);
  struct hm_revocation local = {.reason = HM_REASON_OPERATOR};
  struct hm_entry_request request = {.source = HM_ENTRY_LOCAL, .local = &local};
  memcpy(local.certificate, world.pairing_facts.name, 32);
  assert_int_equal(hm_writer_entry(d->writer, &request), HM_OK);
  stop(d);
  records[0] = 81;
  assert_true(is_proven(d, records, 1, &verdict));
  records[0] = 80;
  assert_true(is_proven(d, records, 1, &verdict));
}

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
      AT_DESK(leaf_and_records_agree_at_the_edges),
      AT_DESK(a_slot_given_away_keeps_apart),
      AT_DESK(entries_are_made_and_wrong_ones_refused),
      AT_DESK(a_checkpoint_covers_what_is_asked_for),
      AT_DESK(a_second_checkpoint_waits_its_ten_seconds),
      AT_DESK(many_entries_make_a_head),
      AT_DESK(who_may_not_remember_leaves_no_vector),
      AT_DESK(leaves_of_several_sensors_ascend),
      AT_DESK(one_pairing_ends_the_other_stays),
      AT_DESK(what_was_written_can_be_proven),
  };
  return cmocka_run_group_tests_name("writer", tests, group_setup, NULL);
}

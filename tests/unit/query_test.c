/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Queries: the answer equals that of a plain loop over all records, for every filter,
 * and never holds more or other than asked for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "memory/query.h"
#include "tests/support/keep.h"

static const struct hm_crypto *const c = &hm_crypto_openssl;
static struct world world;

enum { RECORDS = 700, DIMENSION = 16, BATCH = 50 };

/* What record n holds; the test's own copy. */
struct plain {
  unsigned sensor, context, level, type, trust, value, encoder;
  uint64_t arrival_ns;
  int8_t vector[DIMENSION];
};
static struct plain plains[RECORDS + 1];

static uint32_t noise(uint32_t *state)
{
  *state = *state * 1664525u + 1013904223u;
  return *state >> 8;
}

static void make_plain(uint64_t n, struct plain *p)
{
  uint32_t seed = (uint32_t)n * 7919u + 1;
  p->sensor = noise(&seed) % 3;
  p->context = 5 + noise(&seed) % 2;
  p->level = 1 + noise(&seed) % 7;
  p->type = n % 5 == 0 ? HM_RECORD_OBSERVATION : HM_RECORD_MEMORY;
  p->trust = noise(&seed) % 257;
  p->value = noise(&seed) % 257;
  p->encoder = noise(&seed) % 4 == 0;
  p->arrival_ns = UINT64_C(1000000000) * (1000 + n / 3);
  for (int i = 0; i < DIMENSION; i++)
    p->vector[i] = (int8_t)(noise(&seed) % 5) - 2;
  p->vector[0] = 7;
}

static void fill_record(uint64_t n, uint64_t batch, const struct plain *p, struct hm_record *r)
{
  *r = (struct hm_record){.number = n,
                          .type = p->type,
                          .has_pairings = true,
                          .pairing_count = 1,
                          .has_sensor_leaf = true,
                          .sensor_leaf = 1,
                          .batch_number = batch,
                          .level = p->level,
                          .has_frame = true,
                          .has_raw_ns = true,
                          .has_clock_domain = true,
                          .clock_domain = HM_CLOCK_FILE,
                          .has_region = true,
                          .has_trust = true,
                          .trust = {256, p->trust, 256, 256, 256},
                          .has_value = true,
                          .has_vector = p->type == HM_RECORD_MEMORY,
                          .arrival_ns = p->arrival_ns};
  r->value[1] = (struct hm_q8){true, p->value};
  memset(r->sensor.lct, 0x50 + (int)p->sensor, 32);
  r->sensor.control = 4;
  r->pairings[0].context = p->context;
  memset(r->encoder, 0xe0 + (int)p->encoder, 32);
}

static void append(struct hm_store *store, uint64_t batch)
{
  static struct hm_stored_record records[BATCH];
  static uint8_t bytes[BATCH][1024];
  uint8_t leaves[BATCH + 2][32], receipt[HM_SIGN1_MAX];
  static const uint8_t facts[64] = {1}, leaf[64] = {2};
  struct hm_stored_batch b = {.number = batch,
                              .first_record = (batch - 1) * BATCH + 1,
                              .record_count = BATCH,
                              .control_size = 3,
                              .facts = hm_bytes(facts, sizeof facts),
                              .sensor_count = 1};
  b.leaves[0] = hm_bytes(leaf, sizeof leaf);
  assert_int_equal(hm_leaf_hash(c, b.facts, leaves[0]), HM_OK);
  assert_int_equal(hm_leaf_hash(c, b.leaves[0], leaves[1]), HM_OK);
  for (unsigned i = 0; i < BATCH; i++) {
    uint64_t n = b.first_record + i;
    struct hm_record r;
    struct hm_out out = hm_out(bytes[i], sizeof bytes[i]);
    make_plain(n, &plains[n]);
    fill_record(n, batch, &plains[n], &r);
    assert_int_equal(hm_record_encode(&r, &out, NULL), HM_OK);
    records[i] = (struct hm_stored_record){.number = n, .record = hm_out_bytes(&out)};
    records[i].vector.is_there = r.has_vector;
    records[i].vector.content = hm_bytes(plains[n].vector, r.has_vector ? DIMENSION : 0);
    assert_int_equal(hm_leaf_hash(c, records[i].record, leaves[2 + i]), HM_OK);
  }
  assert_int_equal(hm_tree_root(c, (const uint8_t(*)[32])leaves, BATCH + 2, b.root), HM_OK);
  struct hm_batch_claims claims = {.iat = world.now,
                                   .number = batch,
                                   .first = b.first_record,
                                   .count = BATCH,
                                   .sensors = 1,
                                   .control_size = 3};
  memset(claims.previous, batch > 1 ? 9 : 0, 32);
  struct hm_out out = hm_out(receipt, sizeof receipt);
  assert_int_equal(hm_batch_make(c, &world.session.signer, &claims, b.root, &out), HM_OK);
  b.receipt = hm_out_bytes(&out);
  assert_int_equal(hm_store_append_batch(store, &b, records, NULL), HM_OK);
}

struct shelf {
  void *folder;
  struct hm_store *store;
};

static int group_setup(void **state)
{
  struct shelf *s = calloc(1, sizeof *s);
  world_make(&world, 8);
  if (!s || folder_setup(&s->folder) || keep_create(&world, s->folder) != HM_OK)
    return -1;
  s->store = keep_open(s->folder, HM_LOG_WRITE);
  for (uint64_t batch = 1; batch <= RECORDS / BATCH; batch++)
    append(s->store, batch);
  *state = s;
  return 0;
}

static int group_teardown(void **state)
{
  struct shelf *s = *state;
  hm_store_close(s->store);
  int failed = folder_teardown(&s->folder);
  free(s);
  return failed;
}

static struct hm_query_run run;

static bool passes(const struct hm_query *q, uint64_t n)
{
  const struct plain *p = &plains[n];
  return n > q->after && (q->before == 0 || n < q->before) &&
         (!q->has_sensor || q->sensor[0] == 0x50 + p->sensor) &&
         (q->context == 0 || q->context == p->context) && p->arrival_ns >= q->since_ns &&
         (q->until_ns == 0 || p->arrival_ns < q->until_ns) && p->trust >= q->trust_least &&
         p->value >= q->value_least && (q->levels == 0 || (q->levels >> p->level & 1)) &&
         (q->types == 0 || (q->types >> p->type & 1)) &&
         (!q->has_encoder || (p->type == HM_RECORD_MEMORY && q->encoder[0] == 0xe0 + p->encoder));
}

/* Every hit passes, in order; and there are as many as pass, up to k. */
static void check_filter(struct hm_store *store, struct hm_query *q)
{
  q->k = HM_QUERY_HITS_MAX;
  assert_int_equal(hm_query_all(store, q, &run), HM_OK);
  uint32_t expected = 0;
  for (uint64_t n = 1; n <= RECORDS && expected < q->k; n++)
    if (passes(q, n))
      assert_int_equal(run.hits[expected++].number, n);
  assert_int_equal(run.count, expected);
  assert_true(expected > 0 && expected < RECORDS);
}

static void each_filter_equals_a_plain_loop(void **state)
{
  struct hm_store *store = ((struct shelf *)*state)->store;
  struct hm_query q = {.has_sensor = true};
  memset(q.sensor, 0x51, 32);
  check_filter(store, &q);
  check_filter(store, &(struct hm_query){.context = 6});
  check_filter(store, &(struct hm_query){.since_ns = UINT64_C(1100000000000)});
  check_filter(store, &(struct hm_query){.until_ns = UINT64_C(1100000000000)});
  check_filter(store, &(struct hm_query){.trust_least = 200});
  check_filter(store, &(struct hm_query){.value_least = 256});
  check_filter(store, &(struct hm_query){.levels = 1u << 2 | 1u << 4});
  check_filter(store, &(struct hm_query){.types = 1u << HM_RECORD_OBSERVATION});
  check_filter(store, &(struct hm_query){.after = 690});
  check_filter(store, &(struct hm_query){.before = 5});
  q = (struct hm_query){.has_encoder = true};
  memset(q.encoder, 0xe1, 32);
  check_filter(store, &q);
  q.context = 5;
  q.trust_least = 100;
  check_filter(store, &q);
}

static void pages_join_without_gap(void **state)
{
  struct hm_store *store = ((struct shelf *)*state)->store;
  struct hm_query q = {.context = 5, .k = 7};
  uint64_t n = 0;
  do {
    assert_int_equal(hm_query_all(store, &q, &run), HM_OK);
    for (uint32_t i = 0; i < run.count; i++) {
      for (n++; !passes(&(struct hm_query){.context = 5}, n); n++)
        ;
      assert_int_equal(run.hits[i].number, n);
    }
    if (run.count)
      q.after = run.hits[run.count - 1].number;
  } while (run.count == q.k);
  for (n++; n <= RECORDS; n++)
    assert_false(passes(&(struct hm_query){.context = 5}, n));
}

static void newest_first_goes_down(void **state)
{
  struct hm_store *store = ((struct shelf *)*state)->store;
  struct hm_query q = {.newest_first = true, .k = 3, .types = 1u << HM_RECORD_OBSERVATION};
  assert_int_equal(hm_query_all(store, &q, &run), HM_OK);
  assert_int_equal(run.count, 3);
  assert_int_equal(run.hits[0].number, 700);
  assert_int_equal(run.hits[1].number, 695);
  assert_int_equal(run.hits[2].number, 690);
  q.before = 11;
  assert_int_equal(hm_query_all(store, &q, &run), HM_OK);
  assert_int_equal(run.count, 2);
  assert_int_equal(run.hits[1].number, 5);
  q = (struct hm_query){.newest_first = true, .k = HM_QUERY_HITS_MAX};
  assert_int_equal(hm_query_all(store, &q, &run), HM_OK);
  for (uint32_t i = 0; i < run.count; i++)
    assert_int_equal(run.hits[i].number, RECORDS - i);
}

/* ---- nearest --------------------------------------------------------------------- */
static int by_distance(const void *a, const void *b)
{
  const struct hm_hit *x = a, *y = b;
  if (x->distance != y->distance)
    return x->distance < y->distance ? -1 : 1;
  return x->number < y->number ? -1 : 1;
}

static void the_nearest_equal_a_plain_sort(void **state)
{
  struct hm_store *store = ((struct shelf *)*state)->store;
  static struct hm_hit all[RECORDS];
  for (uint64_t like = 1; like <= 41; like += 4) {
    if (plains[like].type != HM_RECORD_MEMORY)
      continue;
    struct hm_query q = {.has_encoder = true, .like = hm_bytes(plains[like].vector, DIMENSION)};
    memset(q.encoder, 0xe0 + (int)plains[like].encoder, 32);
    uint32_t count = 0;
    for (uint64_t n = 1; n <= RECORDS; n++) {
      if (!passes(&q, n))
        continue;
      struct hm_hit *h = &all[count++];
      *h = (struct hm_hit){.number = n};
      for (int i = 0; i < DIMENSION; i++)
        h->distance += (uint64_t)((plains[like].vector[i] - plains[n].vector[i]) *
                                  (plains[like].vector[i] - plains[n].vector[i]));
    }
    qsort(all, count, sizeof *all, by_distance);
    const uint32_t ks[] = {1, 10, 100, 500};
    for (int k = 0; k < 4; k++) {
      q.k = ks[k];
      assert_int_equal(hm_query_all(store, &q, &run), HM_OK);
      assert_int_equal(run.count, count < q.k ? count : q.k);
      for (uint32_t i = 0; i < run.count; i++) {
        assert_int_equal(run.hits[i].number, all[i].number);
        assert_int_equal(run.hits[i].distance, all[i].distance);
      }
    }
    assert_int_equal(run.hits[0].distance, 0);
    assert_true(run.other_encoder > 0);
  }
}

static void extremes_do_not_overflow(void **state)
{
  (void)state;
  static int8_t low[HM_VECTOR_MAX], high[HM_VECTOR_MAX];
  memset(low, -128, sizeof low);
  memset(high, 127, sizeof high);
  assert_int_equal(hm_query_distance(low, high, HM_VECTOR_MAX), UINT64_C(4096) * 255 * 255);
}

static void another_length_is_counted_not_compared(void **state)
{
  struct hm_store *store = ((struct shelf *)*state)->store;
  static const int8_t other[DIMENSION + 1] = {1};
  struct hm_query q = {.has_encoder = true, .like = hm_bytes(other, sizeof other), .k = 5};
  memset(q.encoder, 0xe0, 32);
  assert_int_equal(hm_query_all(store, &q, &run), HM_OK);
  assert_int_equal(run.count, 0);
  assert_true(run.wrong_length > 100);
}

/* ---- steps and wrong questions --------------------------------------------------- */
static void a_step_looks_at_500(void **state)
{
  struct hm_store *store = ((struct shelf *)*state)->store;
  struct hm_query q = {.levels = 1u << 7 | 1u << 1, .k = HM_QUERY_HITS_MAX};
  assert_int_equal(hm_query_begin(store, &q, &run), HM_OK);
  assert_int_equal(hm_query_step(&run), HM_OK);
  assert_int_equal(run.scanned, 500);
  assert_false(run.is_done);
  assert_int_equal(hm_query_step(&run), HM_OK);
  assert_int_equal(run.scanned, 700);
  assert_true(run.is_done);
  assert_int_equal(hm_query_step(&run), HM_OK);
  assert_int_equal(run.scanned, 700);
}

static void wrong_questions_are_refused(void **state)
{
  struct hm_store *store = ((struct shelf *)*state)->store;
  static const uint8_t zeros[DIMENSION], large[HM_VECTOR_MAX + 1] = {1};
  const struct hm_query wrong[] = {
      {.k = 0},
      {.k = HM_QUERY_HITS_MAX + 1},
      {.k = 1, .trust_least = 257},
      {.k = 1, .value_least = 257},
      {.k = 1, .like = hm_bytes(large, 4)}, /* of no encoder */
      {.k = 1, .has_encoder = true, .like = hm_bytes(zeros, sizeof zeros)},
      {.k = 1, .has_encoder = true, .like = hm_bytes(large, sizeof large)},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
    assert_int_equal(hm_query_begin(store, &wrong[i], &run), HM_MALFORMED);
  struct hm_query beyond = {.k = 5, .after = UINT64_MAX};
  assert_int_equal(hm_query_all(store, &beyond, &run), HM_OK);
  assert_int_equal(run.count, 0);
  uint8_t encoder[32], vector[HM_VECTOR_MAX];
  size_t len;
  assert_int_equal(hm_query_vector(store, 5, encoder, vector, &len), HM_NOT_FOUND); /* no vector */
  assert_int_equal(hm_query_vector(store, RECORDS + 1, encoder, vector, &len), HM_NOT_FOUND);
  assert_int_equal(hm_query_vector(store, 6, encoder, vector, &len), HM_OK);
  assert_int_equal(len, DIMENSION);
  assert_memory_equal(vector, plains[6].vector, DIMENSION);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_filter_equals_a_plain_loop),
      cmocka_unit_test(pages_join_without_gap),
      cmocka_unit_test(newest_first_goes_down),
      cmocka_unit_test(the_nearest_equal_a_plain_sort),
      cmocka_unit_test(extremes_do_not_overflow),
      cmocka_unit_test(another_length_is_counted_not_compared),
      cmocka_unit_test(a_step_looks_at_500),
      cmocka_unit_test(wrong_questions_are_refused),
  };
  return cmocka_run_group_tests_name("query", tests, group_setup, group_teardown);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The store: batches and records come back as they were, both logs agree or the store
 * does not open, and nothing acknowledged is lost.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/support/keep.h"

static const struct hm_crypto *const c = &hm_crypto_openssl;
static struct world world;

enum { PICTURE = 3072, VECTOR = 256 };

/* A batch of n records with contents that follow from its number. */
struct made {
  struct hm_stored_batch batch;
  struct hm_stored_record records[64];
  uint8_t bytes[64][300], picture[PICTURE], vector[VECTOR], facts[200], leaf[150];
  uint8_t receipt[HM_SIGN1_MAX];
};

static void make_batch(struct hm_store *store, uint32_t n, struct made *m)
{
  struct hm_store_sizes sizes;
  uint8_t leaves[66][32];
  size_t count = 0;
  memset(m, 0, sizeof *m);
  hm_store_sizes(store, &sizes);
  m->batch.number = sizes.batches + 1;
  m->batch.first_record = sizes.records + 1;
  m->batch.record_count = n;
  m->batch.control_size = sizes.control;
  memset(m->facts, (int)m->batch.number, sizeof m->facts);
  memset(m->leaf, 0x51, sizeof m->leaf);
  m->batch.facts = hm_bytes(m->facts, sizeof m->facts);
  m->batch.sensor_count = 1;
  m->batch.leaves[0] = hm_bytes(m->leaf, sizeof m->leaf);
  memset(m->picture, 0x77, PICTURE);
  memset(m->vector, 0x11, VECTOR);
  assert_int_equal(hm_leaf_hash(c, m->batch.facts, leaves[count++]), HM_OK);
  assert_int_equal(hm_leaf_hash(c, m->batch.leaves[0], leaves[count++]), HM_OK);
  for (uint32_t i = 0; i < n; i++) {
    struct hm_stored_record *r = &m->records[i];
    r->number = m->batch.first_record + i;
    memset(m->bytes[i], (int)r->number, sizeof m->bytes[i]);
    r->record = hm_bytes(m->bytes[i], 100 + (i * 13) % 200);
    r->picture.is_there = i % 2 == 0;
    r->picture.content = hm_bytes(m->picture, r->picture.is_there ? PICTURE : 0);
    r->vector.is_there = i % 3 == 0;
    r->vector.content = hm_bytes(m->vector, r->vector.is_there ? VECTOR : 0);
    memset(r->picture.salt, r->picture.is_there ? 5 : 0, 16);
    memset(r->vector.salt, r->vector.is_there ? 6 : 0, 16);
    assert_int_equal(hm_leaf_hash(c, r->record, leaves[count++]), HM_OK);
  }
  assert_int_equal(hm_tree_root(c, (const uint8_t(*)[32])leaves, count, m->batch.root), HM_OK);
  struct hm_batch_claims claims = {.iat = world.now,
                                   .number = m->batch.number,
                                   .first = m->batch.first_record,
                                   .count = n,
                                   .sensors = 1,
                                   .control_size = m->batch.control_size};
  if (claims.number > 1)
    memset(claims.previous, 0x99, 32);
  struct hm_out out = hm_out(m->receipt, sizeof m->receipt);
  assert_int_equal(hm_batch_make(c, &world.session.signer, &claims, m->batch.root, &out), HM_OK);
  m->batch.receipt = hm_out_bytes(&out);
}

static void append_batch(struct hm_store *store, uint32_t n)
{
  static struct made m;
  make_batch(store, n, &m);
  assert_int_equal(hm_store_append_batch(store, &m.batch, m.records, NULL), HM_OK);
}

static int group_setup(void **state)
{
  (void)state;
  world_make(&world, 3);
  return 0;
}

static int store_setup(void **state)
{
  if (folder_setup(state))
    return -1;
  return keep_create(&world, *state) == HM_OK ? 0 : -1;
}

/* ---- what is kept ---------------------------------------------------------------- */
static void a_new_store_has_its_three_entries(void **state)
{
  struct hm_store *store = keep_open(*state, HM_LOG_READ);
  struct hm_store_sizes sizes;
  hm_store_sizes(store, &sizes);
  assert_int_equal(sizes.control, 3);
  assert_int_equal(sizes.batches, 0);
  assert_int_equal(sizes.records, 0);
  uint8_t buffer[HM_LOG_ENTRY_MAX];
  struct hm_log_entry entry;
  assert_int_equal(hm_log_entry(hm_store_control(store), 2, buffer, sizeof buffer, &entry), HM_OK);
  assert_true(hm_bytes_equal(entry.object, world_bytes(&world.host_binding)));
  assert_int_equal(entry.attached_count, 1);
  hm_store_close(store);
  assert_int_equal(keep_create(&world, *state), HM_EXISTS);
}

static void batches_and_records_come_back(void **state)
{
  struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
  static struct made made[3];
  const uint32_t counts[3] = {5, 0, 64};
  for (int i = 0; i < 3; i++) {
    make_batch(store, counts[i], &made[i]);
    assert_int_equal(hm_store_append_batch(store, &made[i].batch, made[i].records, NULL), HM_OK);
  }
  hm_store_close(store);
  store = keep_open(*state, HM_LOG_READ);
  static uint8_t buffer[HM_STORED_RECORD_MAX];
  for (uint64_t r = 1; r <= 3; r++) {
    const struct made *m = &made[r - 1];
    struct hm_stored_batch batch;
    assert_int_equal(hm_store_batch(store, r, buffer, sizeof buffer, &batch), HM_OK);
    assert_true(hm_bytes_equal(batch.receipt, m->batch.receipt));
    assert_memory_equal(batch.root, m->batch.root, 32);
    assert_int_equal(batch.first_record, m->batch.first_record);
    assert_int_equal(batch.record_count, counts[r - 1]);
    assert_int_equal(batch.control_size, 3);
    assert_true(hm_bytes_equal(batch.facts, m->batch.facts));
    assert_int_equal(batch.sensor_count, 1);
    assert_true(hm_bytes_equal(batch.leaves[0], m->batch.leaves[0]));
    for (uint32_t i = 0; i < counts[r - 1]; i++) {
      const struct hm_stored_record *wanted = &m->records[i];
      struct hm_stored_record record;
      uint64_t of;
      assert_int_equal(hm_store_record(store, wanted->number, buffer, sizeof buffer, &record),
                       HM_OK);
      assert_true(hm_bytes_equal(record.record, wanted->record));
      assert_int_equal(record.picture.is_there, wanted->picture.is_there);
      assert_true(hm_bytes_equal(record.picture.content, wanted->picture.content));
      assert_memory_equal(record.picture.salt, wanted->picture.salt, 16);
      assert_true(hm_bytes_equal(record.vector.content, wanted->vector.content));
      assert_int_equal(hm_store_batch_of(store, wanted->number, &of), HM_OK);
      assert_int_equal(of, r);
    }
    static uint8_t leaves[HM_BATCH_LEAVES_MAX][32];
    size_t count;
    uint8_t root[32];
    assert_int_equal(hm_store_batch_leaves(store, r, leaves, &count), HM_OK);
    assert_int_equal(count, 2 + counts[r - 1]);
    assert_int_equal(hm_tree_root(c, (const uint8_t(*)[32])leaves, count, root), HM_OK);
    assert_memory_equal(root, m->batch.root, 32);
  }
  struct hm_stored_record record;
  struct hm_stored_batch batch;
  uint64_t of;
  assert_int_equal(hm_store_record(store, 70, buffer, sizeof buffer, &record), HM_NOT_FOUND);
  assert_int_equal(hm_store_record(store, 0, buffer, sizeof buffer, &record), HM_NOT_FOUND);
  assert_int_equal(hm_store_record(store, 1, buffer, 200, &record), HM_SHORT_BUFFER);
  assert_int_equal(hm_store_batch(store, 4, buffer, sizeof buffer, &batch), HM_NOT_FOUND);
  assert_int_equal(hm_store_batch_of(store, 70, &of), HM_NOT_FOUND);
  hm_store_close(store);
}

static void the_data_tree_is_that_of_the_receipts(void **state)
{
  struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
  enum { SIZE = 11 };
  static struct made m;
  uint8_t leaves[SIZE][32], root[32], got[32];
  for (size_t i = 0; i < SIZE; i++) {
    struct hm_sign1 s;
    make_batch(store, (uint32_t)i % 4, &m);
    assert_int_equal(hm_sign1_expect(m.batch.receipt, HM_TYP_BATCH, &s), HM_OK);
    assert_int_equal(hm_sign1_leaf(c, &s, hm_bytes(m.batch.root, 32), leaves[i]), HM_OK);
    assert_int_equal(hm_store_append_batch(store, &m.batch, m.records, NULL), HM_OK);
  }
  for (size_t size = 1; size <= SIZE; size++) {
    assert_int_equal(hm_tree_root(c, (const uint8_t(*)[32])leaves, size, root), HM_OK);
    assert_int_equal(hm_store_data_root(store, size, got), HM_OK);
    assert_memory_equal(root, got, 32);
  }
  struct hm_path way;
  assert_int_equal(hm_log_inclusion(c, hm_store_data_node, store, SIZE, 6, &way), HM_OK);
  assert_int_equal(hm_inclusion_verify(c, leaves[6], 6, SIZE, &way, root), HM_OK);
  hm_store_close(store);
}

static enum hm_status sum_numbers(void *context, const struct hm_stored_record *record)
{
  uint64_t *sum = context;
  *sum += record->number;
  return record->number == 30 ? HM_EXISTS : HM_OK;
}

static void a_scan_is_bounded(void **state)
{
  struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
  for (int i = 0; i < 12; i++)
    append_batch(store, 50);
  uint64_t sum = 0;
  assert_int_equal(hm_store_scan(store, 28, 1000, sum_numbers, &sum), HM_EXISTS);
  assert_int_equal(sum, 28 + 29 + 30);
  sum = 0;
  assert_int_equal(hm_store_scan(store, 31, 1000, sum_numbers, &sum), HM_OK);
  assert_int_equal(sum, (31 + 530) * 500 / 2); /* HM_SCAN_MAX records */
  sum = 0;
  assert_int_equal(hm_store_scan(store, 598, 1000, sum_numbers, &sum), HM_OK);
  assert_int_equal(sum, 598 + 599 + 600);
  assert_int_equal(hm_store_scan(store, 601, 1000, sum_numbers, &sum), HM_OK);
  hm_store_close(store);
}

static void numbers_are_the_next_ones_or_refused(void **state)
{
  struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
  static struct made m;
  append_batch(store, 3);
  for (int wrong = 0; wrong < 6; wrong++) {
    make_batch(store, 3, &m);
    if (wrong == 0)
      m.batch.number++;
    if (wrong == 1)
      m.batch.first_record--;
    if (wrong == 2)
      m.records[1].number++;
    if (wrong == 3)
      m.batch.control_size = 4; /* not there yet */
    if (wrong == 4)
      m.batch.control_size = 2; /* fell */
    if (wrong == 5)
      m.batch.receipt.len--;
    struct hm_fault fault = {0, ""};
    assert_int_not_equal(hm_store_append_batch(store, &m.batch, m.records, &fault), HM_OK);
  }
  append_batch(store, 3);
  hm_store_close(store);
}

/* ---- opening --------------------------------------------------------------------- */
static void one_daemon_has_it(void **state)
{
  struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
  assert_int_equal(keep_try(*state, HM_LOG_WRITE, NULL), HM_LOCKED);
  assert_int_equal(keep_try(*state, HM_LOG_READ, NULL), HM_LOCKED);
  hm_store_close(store);
  store = keep_open(*state, HM_LOG_READ);
  assert_int_equal(keep_try(*state, HM_LOG_READ, NULL), HM_OK);
  assert_int_equal(keep_try(*state, HM_LOG_WRITE, NULL), HM_LOCKED);
  hm_store_close(store);
}

static void reading_changes_no_file(void **state)
{
  static const char *const files[] = {"store/control/data.mdb", "store/data/000001/data.mdb",
                                      "store/data/000001/head", "store/format"};
  char path[TEST_PATH];
  struct stat before[4], after;
  struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
  append_batch(store, 9);
  hm_store_close(store);
  folder_path(*state, "store/control/lock.mdb", path);
  assert_int_equal(unlink(path), 0);
  for (size_t i = 0; i < 4; i++) {
    folder_path(*state, files[i], path);
    assert_int_equal(stat(path, &before[i]), 0);
  }
  store = keep_open(*state, HM_LOG_READ);
  uint64_t sum = 0;
  assert_int_equal(hm_store_scan(store, 1, 9, sum_numbers, &sum), HM_OK);
  hm_store_close(store);
  for (size_t i = 0; i < 4; i++) {
    folder_path(*state, files[i], path);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before[i].st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(before[i].st_size, after.st_size);
  }
  folder_path(*state, "store/control/lock.mdb", path);
  assert_int_not_equal(stat(path, &after), 0);
}

static void an_unfinished_store_is_none(void **state)
{
  char path[TEST_PATH];
  folder_path(*state, "store/format", path);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(keep_try(*state, HM_LOG_WRITE, NULL), HM_NOT_FOUND);
  file_write(path, (const uint8_t *)"hallmark store 9 9\n", 19);
  assert_int_equal(keep_try(*state, HM_LOG_WRITE, NULL), HM_UNSUPPORTED);
  file_write(path, (const uint8_t *)"hallmark store 2 1\n", 19);
  assert_int_equal(keep_try(*state, HM_LOG_WRITE, NULL), HM_OK);
  file_write(path, (const uint8_t *)"\0\0\0", 3);
  assert_int_equal(keep_try(*state, HM_LOG_WRITE, NULL), HM_DAMAGED);
}

/* Any file gone, empty, cut or with a flipped meta page: exit 7, and not a byte changed. */
static void damage_is_named_and_left_alone(void **state)
{
  static const char *const files[] = {"store/control/data.mdb", "store/data/000001/data.mdb"};
  char path[TEST_PATH];
  struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
  for (int i = 0; i < 6; i++)
    append_batch(store, 20);
  hm_store_close(store);
  for (size_t f = 0; f < 2; f++) {
    size_t len;
    folder_path(*state, files[f], path);
    uint8_t *good = file_read(path, &len);
    const size_t cuts[] = {0, 1, 4096, 8192, len / 2, len - 1};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
      struct hm_fault fault = {0, ""};
      size_t after;
      file_write(path, good, cuts[i]);
      assert_int_equal(keep_try(*state, HM_LOG_WRITE, &fault), HM_DAMAGED);
      assert_int_equal(hm_status_row(HM_DAMAGED)->exit_code, 7);
      assert_non_null(strstr(fault.text, "data.mdb"));
      uint8_t *now = file_read(path, &after);
      assert_int_equal(after, cuts[i]);
      assert_true(after == 0 || memcmp(now, good, after) == 0);
      free(now);
    }
    good[16 + 128] ^= 2; /* transaction number of the first meta page */
    file_write(path, good, len);
    assert_int_equal(keep_try(*state, HM_LOG_READ, NULL), HM_DAMAGED);
    good[16 + 128] ^= 2;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(keep_try(*state, HM_LOG_WRITE, NULL), HM_DAMAGED);
    struct stat st;
    assert_int_not_equal(stat(path, &st), 0); /* opening never creates */
    file_write(path, good, len);
    assert_int_equal(keep_try(*state, HM_LOG_WRITE, NULL), HM_OK);
    free(good);
  }
}

static void an_older_segment_is_seen(void **state)
{
  char data[TEST_PATH], control[TEST_PATH];
  size_t old_data_len, old_control_len, len;
  folder_path(*state, "store/data/000001/data.mdb", data);
  folder_path(*state, "store/control/data.mdb", control);
  struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
  append_batch(store, 2);
  hm_store_close(store);
  uint8_t *old_data = file_read(data, &old_data_len);
  uint8_t *old_control = file_read(control, &old_control_len);
  store = keep_open(*state, HM_LOG_WRITE);
  append_batch(store, 2);
  struct hm_log_item item = {.object = world_bytes(&world.session_object)};
  assert_int_equal(keep_append(store, item), 4); /* names two batches */
  append_batch(store, 2);                        /* names four entries */
  hm_store_close(store);
  uint8_t *new_data = file_read(data, &len), *new_control = file_read(control, &len);

  /* data put back: `head` tells; without it the control entry does */
  struct hm_fault fault = {0, ""};
  char head[TEST_PATH];
  folder_path(*state, "store/data/000001/head", head);
  file_write(data, old_data, old_data_len);
  assert_int_equal(keep_try(*state, HM_LOG_READ, &fault), HM_DAMAGED);
  assert_non_null(strstr(fault.text, "r3 was once there"));
  assert_int_equal(unlink(head), 0);
  assert_int_equal(keep_try(*state, HM_LOG_READ, &fault), HM_ROLLBACK);
  assert_non_null(strstr(fault.text, "c4"));
  assert_int_equal(hm_status_row(HM_ROLLBACK)->exit_code, 9);
  /* control put back: the batch tells */
  file_write(data, new_data, len);
  free(new_data);
  new_data = NULL;
  file_write(control, old_control, old_control_len);
  assert_int_not_equal(keep_try(*state, HM_LOG_READ, &fault), HM_OK);
  free(old_data);
  free(old_control);
  free(new_control);
}

static void another_segment_is_not_taken(void **state)
{
  /* the same host's, the same number, other random bytes: as of another store */
  char path[TEST_PATH], from[TEST_PATH], other[TEST_PATH];
  struct hm_store_birth birth = {.host = {0}};
  folder_path(*state, "other", other);
  assert_int_equal(mkdir(other, 0750), 0);
  (void)birth;
  struct world second;
  world_make(&second, 9);
  assert_int_equal(keep_create(&second, other), HM_OK);
  folder_path(*state, "other/store/data/000001/data.mdb", from);
  folder_path(*state, "store/data/000001/data.mdb", path);
  size_t len;
  uint8_t *bytes = file_read(from, &len);
  file_write(path, bytes, len);
  free(bytes);
  struct hm_fault fault = {0, ""};
  assert_int_equal(keep_try(*state, HM_LOG_READ, &fault), HM_DAMAGED);
  assert_non_null(strstr(fault.text, "not the segment"));
}

static void a_forged_record_is_seen_at_opening(void **state)
{
  char path[TEST_PATH];
  size_t len;
  struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
  append_batch(store, 4);
  hm_store_close(store);
  folder_path(*state, "store/data/000001/data.mdb", path);
  uint8_t *bytes = file_read(path, &len);
  unsigned changed = 0;
  /* the bytes of record 2 are 113 times 0x02 */
  for (size_t i = 0; i + 113 < len && !changed; i++)
    if (bytes[i] == 2 && bytes[i + 1] == 2 && bytes[i + 60] == 2 && bytes[i + 100] == 2) {
      bytes[i + 50] ^= 1;
      changed = 1;
    }
  assert_int_equal(changed, 1);
  file_write(path, bytes, len);
  free(bytes);
  struct hm_fault fault = {0, ""};
  assert_int_equal(keep_try(*state, HM_LOG_READ, &fault), HM_DAMAGED);
  assert_non_null(strstr(fault.text, "r1"));
}

/* ---- ends of a process ----------------------------------------------------------- */
static void acknowledged_batches_survive_sigkill(void **state)
{
  for (int round = 0; round < 5; round++) {
    int ends[2], how;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      close(ends[0]);
      struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
      struct hm_log_item item = {.object = world_bytes(&world.session_object)};
      for (;;) {
        struct hm_store_sizes sizes;
        append_batch(store, 7);
        if (round % 2)
          keep_append(store, item);
        hm_store_sizes(store, &sizes);
        if (write(ends[1], &sizes, sizeof sizes) != sizeof sizes)
          _exit(1);
      }
    }
    close(ends[1]);
    struct hm_store_sizes told = {0, 0, 0}, sizes;
    for (int i = 0; i < 4 + round; i++)
      assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
    kill(child, SIGKILL);
    waitpid(child, &how, 0);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    while (read(ends[0], &told, sizeof told) == sizeof told)
      ;
    close(ends[0]);
    struct hm_store *store = keep_open(*state, HM_LOG_WRITE);
    hm_store_sizes(store, &sizes);
    assert_in_range(sizes.batches, told.batches, told.batches + 1);
    assert_in_range(sizes.control, told.control, told.control + 1);
    assert_int_equal(sizes.records, 7 * sizes.batches);
    static uint8_t leaves[HM_BATCH_LEAVES_MAX][32], buffer[HM_STORED_BATCH_MAX];
    for (uint64_t r = 1; r <= sizes.batches; r++) {
      struct hm_stored_batch batch;
      size_t count;
      uint8_t root[32];
      assert_int_equal(hm_store_batch(store, r, buffer, sizeof buffer, &batch), HM_OK);
      assert_int_equal(hm_store_batch_leaves(store, r, leaves, &count), HM_OK);
      assert_int_equal(hm_tree_root(c, (const uint8_t(*)[32])leaves, count, root), HM_OK);
      assert_memory_equal(root, batch.root, 32);
    }
    hm_store_close(store);
  }
}

#define IN_STORE(test) cmocka_unit_test_setup_teardown(test, store_setup, folder_teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
      IN_STORE(a_new_store_has_its_three_entries),
      IN_STORE(batches_and_records_come_back),
      IN_STORE(the_data_tree_is_that_of_the_receipts),
      IN_STORE(a_scan_is_bounded),
      IN_STORE(numbers_are_the_next_ones_or_refused),
      IN_STORE(one_daemon_has_it),
      IN_STORE(reading_changes_no_file),
      IN_STORE(an_unfinished_store_is_none),
      IN_STORE(damage_is_named_and_left_alone),
      IN_STORE(an_older_segment_is_seen),
      IN_STORE(another_segment_is_not_taken),
      IN_STORE(a_forged_record_is_seen_at_opening),
      IN_STORE(acknowledged_batches_survive_sigkill),
  };
  return cmocka_run_group_tests_name("store", tests, group_setup, NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The log: what is appended is there after any end of the process, the tree is that
 * of RFC 9162, and a file that is not whole is refused and left as it was.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "memory/log.h"
#include "tests/support/folder.h"
#include "trust/crypto_openssl.h"

static const struct hm_crypto *const c = &hm_crypto_openssl;
static struct hm_software_key key;
static struct hm_signer signer;

struct object {
  uint8_t bytes[512];
  size_t len;
};

static int group_setup(void **state)
{
  (void)state;
  uint8_t scalar[32] = {[31] = 7};
  return hm_signer_from_scalar(c, scalar, &key, &signer) == HM_OK ? 0 : -1;
}

/* A signed object that says `number`. */
static struct hm_log_item make(struct object *o, uint16_t typ, uint64_t number)
{
  uint8_t payload[64];
  struct hm_out p = hm_out(payload, sizeof payload), out = hm_out(o->bytes, sizeof o->bytes);
  hm_cbor_put_map(&p, 1);
  hm_cbor_put_uint(&p, 6);
  hm_cbor_put_uint(&p, number);
  assert_int_equal(hm_sign1_make(c, &signer, typ, hm_out_bytes(&p), &out), HM_OK);
  o->len = out.len;
  struct hm_log_item item = {.object = hm_bytes(o->bytes, o->len), .time_s = 1000 + number};
  return item;
}

static enum hm_status create(const char *path)
{
  struct object o;
  struct hm_log_item item = make(&o, HM_TYP_RECEIPT, 1);
  uint8_t owner[32], random[16];
  memset(owner, 0xaa, sizeof owner);
  memset(random, 0xbb, sizeof random);
  return hm_log_create(c, path, HM_LOG_CONTROL, owner, random, &item, 1, hm_bytes(NULL, 0), NULL);
}

static struct hm_log *open_log(const char *path, enum hm_log_mode mode)
{
  struct hm_log *log;
  struct hm_fault fault = {0, ""};
  enum hm_status status = hm_log_open(c, path, HM_LOG_CONTROL, mode, &log, &fault);
  if (status != HM_OK)
    fail_msg("open: %s: %s", hm_status_text(status), fault.text);
  return log;
}

static enum hm_status append(struct hm_log *log, uint64_t number)
{
  struct object o;
  struct hm_log_item item = make(&o, HM_TYP_RECEIPT, number);
  uint64_t first;
  HM_TRY(hm_log_append(log, &item, 1, hm_bytes(NULL, 0), &first, NULL));
  assert_int_equal(first, number);
  return HM_OK;
}

static void grow(const char *path, uint64_t size)
{
  assert_int_equal(create(path), HM_OK);
  struct hm_log *log = open_log(path, HM_LOG_WRITE);
  for (uint64_t n = 2; n <= size; n++)
    assert_int_equal(append(log, n), HM_OK);
  hm_log_close(log);
}

/* ---- what is kept ---------------------------------------------------------------- */
static void entries_come_back(void **state)
{
  char path[TEST_PATH];
  folder_path(*state, "log", path);
  assert_int_equal(create(path), HM_OK);
  struct hm_log *log = open_log(path, HM_LOG_WRITE);
  struct object o[3];
  uint8_t attached[2][300], buffer[HM_LOG_ENTRY_MAX];
  memset(attached, 0x5a, sizeof attached);
  struct hm_log_item items[3];
  for (size_t i = 0; i < 3; i++)
    items[i] = make(&o[i], i == 1 ? HM_TYP_PAIRING : HM_TYP_RECEIPT, 2 + i);
  items[1].attached_count = 2;
  items[1].attached[0] = hm_bytes(attached[0], 300);
  items[1].attached[1] = hm_bytes(attached[1], 80);
  items[1].durable_batches = 77;
  uint64_t first;
  assert_int_equal(hm_log_append(log, items, 3, hm_bytes(NULL, 0), &first, NULL), HM_OK);
  assert_int_equal(first, 2);
  assert_int_equal(hm_log_size(log), 4);
  hm_log_close(log);

  log = open_log(path, HM_LOG_READ);
  struct hm_log_entry entry;
  assert_int_equal(hm_log_entry(log, 3, buffer, sizeof buffer, &entry), HM_OK);
  assert_int_equal(entry.typ, HM_TYP_PAIRING);
  assert_int_equal(entry.time_s, 1003);
  assert_int_equal(entry.durable_batches, 77);
  assert_true(hm_bytes_equal(entry.object, items[1].object));
  assert_int_equal(entry.attached_count, 2);
  assert_true(hm_bytes_equal(entry.attached[0], items[1].attached[0]));
  assert_true(hm_bytes_equal(entry.attached[1], items[1].attached[1]));
  assert_int_equal(entry.control_entry.data[0], 0x82);

  struct hm_sign1 sign1;
  uint8_t name[32], owner[32];
  uint64_t number;
  assert_int_equal(hm_sign1_parse(items[1].object, false, &sign1), HM_OK);
  assert_int_equal(hm_sign1_name(c, &sign1, hm_bytes(NULL, 0), name), HM_OK);
  assert_int_equal(hm_log_find(log, name, &number), HM_OK);
  assert_int_equal(number, 3);
  name[0] ^= 1;
  assert_int_equal(hm_log_find(log, name, &number), HM_NOT_FOUND);
  hm_log_owner(log, owner);
  assert_int_equal(owner[0], 0xaa);

  assert_int_equal(hm_log_entry(log, 0, buffer, sizeof buffer, &entry), HM_NOT_FOUND);
  assert_int_equal(hm_log_entry(log, 5, buffer, sizeof buffer, &entry), HM_NOT_FOUND);
  assert_int_equal(hm_log_entry(log, 3, buffer, 100, &entry), HM_SHORT_BUFFER);
  hm_log_close(log);
}

static void the_tree_is_rfc9162(void **state)
{
  char path[TEST_PATH];
  folder_path(*state, "log", path);
  enum { SIZE = 37 };
  grow(path, SIZE);
  struct hm_log *log = open_log(path, HM_LOG_READ);
  uint8_t leaves[SIZE][32], expected[32], root[32];
  for (uint64_t n = 1; n <= SIZE; n++) {
    struct object o;
    struct hm_sign1 sign1;
    struct hm_log_item item = make(&o, HM_TYP_RECEIPT, n);
    assert_int_equal(hm_sign1_parse(item.object, false, &sign1), HM_OK);
    assert_int_equal(hm_sign1_leaf(c, &sign1, hm_bytes(NULL, 0), leaves[n - 1]), HM_OK);
  }
  for (uint64_t size = 1; size <= SIZE; size++) {
    assert_int_equal(hm_tree_root(c, (const uint8_t(*)[32])leaves, size, expected), HM_OK);
    assert_int_equal(hm_log_root(log, size, root), HM_OK);
    assert_memory_equal(root, expected, 32);
    for (uint64_t i = 0; i < size; i += 5) {
      struct hm_path way;
      assert_int_equal(hm_log_inclusion(c, hm_log_node, log, size, i, &way), HM_OK);
      assert_int_equal(hm_inclusion_verify(c, leaves[i], i, size, &way, root), HM_OK);
    }
  }
  assert_int_equal(hm_log_root(log, SIZE + 1, root), HM_NOT_FOUND);
  struct hm_node_id beyond = {0, SIZE};
  assert_int_equal(hm_log_node(log, beyond, root), HM_NOT_FOUND);
  hm_log_close(log);
}

static void a_checkpoint_covers_what_is_appended_with_it(void **state)
{
  char path[TEST_PATH];
  folder_path(*state, "log", path);
  grow(path, 5);
  struct hm_log *log = open_log(path, HM_LOG_WRITE);
  struct object head, checkpoint;
  struct hm_log_item item = make(&head, HM_TYP_HEAD, 6);
  uint8_t live[40], got[HM_SIGN1_MAX], root[32], then[32];
  memset(live, 0x11, sizeof live);
  item.live = hm_bytes(live, sizeof live);
  uint64_t size, first;
  size_t len;
  assert_int_equal(hm_log_checkpoint(log, UINT64_MAX, got, sizeof got, &len, &size), HM_NOT_FOUND);
  assert_int_equal(hm_log_preview(log, &item, 1, &size, root), HM_OK);
  assert_int_equal(size, 6);
  assert_int_equal(hm_log_size(log), 5);
  struct hm_log_item signed_root = make(&checkpoint, HM_TYP_CHECKPOINT, 99);
  assert_int_equal(hm_log_append(log, &item, 1, signed_root.object, &first, NULL), HM_OK);
  assert_int_equal(hm_log_root(log, 6, then), HM_OK);
  assert_memory_equal(root, then, 32);
  assert_int_equal(append(log, 7), HM_OK);

  assert_int_equal(hm_log_checkpoint(log, UINT64_MAX, got, sizeof got, &len, &size), HM_OK);
  assert_int_equal(size, 6);
  assert_true(hm_bytes_equal(hm_bytes(got, len), signed_root.object));
  assert_int_equal(hm_log_checkpoint(log, 5, got, sizeof got, &len, &size), HM_NOT_FOUND);
  assert_int_equal(hm_log_live(log, 6, got, sizeof got, &len), HM_OK);
  assert_int_equal(len, sizeof live);
  assert_memory_equal(got, live, sizeof live);
  assert_int_equal(hm_log_live(log, 5, got, sizeof got, &len), HM_NOT_FOUND);
  assert_int_equal(hm_log_live(log, 6, got, 10, &len), HM_SHORT_BUFFER);
  hm_log_close(log);
}

static enum hm_status count_up(void *context, const struct hm_log_entry *entry)
{
  uint64_t *next = context;
  assert_int_equal(entry->number, *next);
  (*next)++;
  return *next == 9 ? HM_EXISTS : HM_OK;
}

static void a_scan_is_in_order_and_stops_when_told(void **state)
{
  char path[TEST_PATH];
  folder_path(*state, "log", path);
  grow(path, 12);
  struct hm_log *log = open_log(path, HM_LOG_READ);
  uint64_t next = 3;
  assert_int_equal(hm_log_scan(log, 3, 4, count_up, &next), HM_OK);
  assert_int_equal(next, 7);
  assert_int_equal(hm_log_scan(log, 7, UINT64_MAX, count_up, &next), HM_EXISTS);
  assert_int_equal(next, 9);
  next = 10;
  assert_int_equal(hm_log_scan(log, 10, UINT64_MAX, count_up, &next), HM_OK);
  assert_int_equal(next, 13);
  assert_int_equal(hm_log_scan(log, 13, 5, count_up, &next), HM_OK);
  hm_log_close(log);
}

/* ---- wrong input ----------------------------------------------------------------- */
static void what_is_no_object_is_not_appended(void **state)
{
  char path[TEST_PATH];
  folder_path(*state, "log", path);
  grow(path, 2);
  struct hm_log *log = open_log(path, HM_LOG_WRITE);
  struct object o;
  uint64_t first;
  struct hm_fault fault;
  static uint8_t large[HM_LIVE_SET_MAX + 1];
  struct hm_log_item good = make(&o, HM_TYP_RECEIPT, 3), item = good;
  item.object.len--;
  assert_int_not_equal(hm_log_append(log, &item, 1, hm_bytes(NULL, 0), &first, &fault), HM_OK);
  item = good;
  item.attached_count = 1;
  item.attached[0] = hm_bytes(large, HM_LOG_ATTACHED_MAX + 1);
  assert_int_equal(hm_log_append(log, &item, 1, hm_bytes(NULL, 0), &first, &fault), HM_TOO_LARGE);
  item = good;
  item.live = hm_bytes(large, sizeof large);
  assert_int_equal(hm_log_append(log, &item, 1, hm_bytes(NULL, 0), &first, &fault), HM_TOO_LARGE);
  item.live = hm_bytes(large, 10); /* a live set belongs to a head */
  assert_int_not_equal(hm_log_append(log, &item, 1, hm_bytes(NULL, 0), &first, &fault), HM_OK);
  /* a good one in front of a bad one is not appended either */
  struct hm_log_item both[2] = {good, good};
  both[1].object.len = 3;
  assert_int_not_equal(hm_log_append(log, both, 2, hm_bytes(NULL, 0), &first, &fault), HM_OK);
  assert_int_equal(hm_log_size(log), 2);
  assert_int_equal(append(log, 3), HM_OK);
  hm_log_close(log);
}

static void one_process_writes(void **state)
{
  char path[TEST_PATH];
  struct hm_log *other;
  folder_path(*state, "log", path);
  grow(path, 2);
  struct hm_log *log = open_log(path, HM_LOG_WRITE);
  assert_int_equal(hm_log_open(c, path, HM_LOG_CONTROL, HM_LOG_WRITE, &other, NULL), HM_LOCKED);
  assert_int_equal(hm_log_open(c, path, HM_LOG_CONTROL, HM_LOG_READ, &other, NULL), HM_LOCKED);
  hm_log_close(log);
  log = open_log(path, HM_LOG_READ);
  struct hm_log *second = open_log(path, HM_LOG_READ);
  uint64_t first;
  assert_int_equal(hm_log_open(c, path, HM_LOG_CONTROL, HM_LOG_WRITE, &other, NULL), HM_LOCKED);
  assert_int_equal(hm_log_append(log, NULL, 0, hm_bytes(NULL, 0), &first, NULL), HM_STATE);
  hm_log_close(second);
  hm_log_close(log);
}

static void making_is_once_and_opening_never_makes(void **state)
{
  char path[TEST_PATH], other[TEST_PATH];
  struct hm_log *log;
  struct stat st;
  folder_path(*state, "log", path);
  assert_int_equal(hm_log_open(c, path, HM_LOG_CONTROL, HM_LOG_WRITE, &log, NULL), HM_NOT_FOUND);
  assert_int_not_equal(stat(path, &st), 0);
  /* an interrupted one is made anew */
  folder_path(*state, "log.new", other);
  assert_int_equal(mkdir(other, 0750), 0);
  folder_path(*state, "log.new/data.mdb", other);
  file_write(other, (const uint8_t *)"half", 4);
  assert_int_equal(create(path), HM_OK);
  assert_int_equal(create(path), HM_EXISTS);
  folder_path(*state, "log.new", other);
  assert_int_not_equal(stat(other, &st), 0);
  /* an empty folder is no log, and stays empty */
  folder_path(*state, "empty", other);
  assert_int_equal(mkdir(other, 0750), 0);
  assert_int_equal(hm_log_open(c, other, HM_LOG_CONTROL, HM_LOG_WRITE, &log, NULL), HM_NOT_FOUND);
  assert_int_equal(rmdir(other), 0);
  /* the log of an authority is not a control log */
  assert_int_equal(hm_log_open(c, path, HM_LOG_AUTHORITY, HM_LOG_READ, &log, NULL), HM_DAMAGED);
}

static void the_data_file_is_closed_on_exec(void **state)
{
  char path[TEST_PATH], link[64], target[TEST_PATH];
  folder_path(*state, "log", path);
  grow(path, 1);
  struct hm_log *log = open_log(path, HM_LOG_WRITE);
  int found = 0;
  for (int fd = 3; fd < 64; fd++) {
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n < 0)
      continue;
    target[n] = 0;
    if (strncmp(target, path, strlen(path)))
      continue;
    found++;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  }
  assert_in_range(found, 2, 8); /* data.mdb and the folder at least */
  hm_log_close(log);
}

/* ---- damage ---------------------------------------------------------------------- */
static uint32_t page_size(const uint8_t *file)
{
  return (uint32_t)file[40] | (uint32_t)file[41] << 8 | (uint32_t)file[42] << 16;
}

/* The file as given is refused, both ways, and not a byte of it changes. */
static void assert_damaged(const char *path, const char *data, const uint8_t *bytes, size_t len)
{
  struct hm_log *log;
  struct hm_fault fault = {0, ""};
  file_write(data, bytes, len);
  for (int mode = HM_LOG_READ; mode <= HM_LOG_WRITE; mode++) {
    enum hm_status status =
        hm_log_open(c, path, HM_LOG_CONTROL, (enum hm_log_mode)mode, &log, &fault);
    assert_int_equal(status, HM_DAMAGED);
    assert_true(strlen(fault.text) > 10);
  }
  size_t after;
  uint8_t *now = file_read(data, &after);
  assert_int_equal(after, len);
  assert_true(len == 0 || memcmp(now, bytes, len) == 0);
  free(now);
}

static void a_cut_file_is_refused_unchanged(void **state)
{
  char path[TEST_PATH], data[TEST_PATH];
  size_t len;
  folder_path(*state, "log", path);
  folder_path(*state, "log/data.mdb", data);
  grow(path, 40);
  uint8_t *good = file_read(data, &len);
  size_t page = page_size(good);
  const size_t cuts[] = {0,        1,        511,     page - 1,   page,   page + 1,
                         2 * page, 3 * page, len / 2, len - page, len - 1};
  for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++)
    assert_damaged(path, data, good, cuts[i]);
  file_write(data, good, len);
  struct hm_log *log = open_log(path, HM_LOG_WRITE);
  assert_int_equal(hm_log_size(log), 40);
  hm_log_close(log);
  free(good);
}

/* Where a run is slow (emulation maps 16 GiB page by page) one flip in 41 is tried. */
static bool is_left_out(unsigned flip)
{
  return getenv("HM_TEST_THIN") != NULL && flip % 41 != 0;
}

static void a_flipped_meta_page_is_refused_unchanged(void **state)
{
  char path[TEST_PATH], data[TEST_PATH];
  size_t len;
  folder_path(*state, "log", path);
  folder_path(*state, "log/data.mdb", data);
  grow(path, 40);
  uint8_t *file = file_read(data, &len);
  size_t page = page_size(file);
  for (size_t meta = 0; meta < 2; meta++) {
    for (size_t at = 0; at < 16 + 136; at++) {
      uint8_t *byte = &file[meta * page + at];
      for (int bit = 0; bit < 8; bit++) {
        if (is_left_out((unsigned)(at * 8) + (unsigned)bit))
          continue;
        *byte ^= (uint8_t)(1u << bit);
        assert_damaged(path, data, file, len);
        *byte ^= (uint8_t)(1u << bit);
      }
    }
    file[meta * page + page - 1] ^= 1;
    assert_damaged(path, data, file, len);
    file[meta * page + page - 1] ^= 1;
  }
  free(file);
}

/* Flip one bit of every 37th byte behind the meta pages: the log is refused, or it
 * opens and each read says so or gives what was written; nothing crashes (the child
 * of a crash would end by a signal). */
static int read_all(const char *path)
{
  struct hm_log *log;
  static uint8_t buffer[HM_LOG_ENTRY_MAX];
  struct hm_log_entry entry;
  if (hm_log_open(c, path, HM_LOG_CONTROL, HM_LOG_READ, &log, NULL) != HM_OK)
    return 0;
  for (uint64_t n = 1; n <= hm_log_size(log); n++) {
    enum hm_status status = hm_log_entry(log, n, buffer, sizeof buffer, &entry);
    (void)status;
  }
  hm_log_close(log);
  return 0;
}

static void a_flipped_page_never_crashes_a_reader(void **state)
{
  char path[TEST_PATH], data[TEST_PATH];
  size_t len;
  unsigned crashed = 0, tried = 0, flip = 0;
  folder_path(*state, "log", path);
  folder_path(*state, "log/data.mdb", data);
  grow(path, 60);
  uint8_t *file = file_read(data, &len);
  size_t page = page_size(file);
  for (size_t number = 2; number < len / page; number++) {
    for (size_t at = 0; at < page; at += at < 64 ? 3 : 211) {
      uint8_t *byte = &file[number * page + at];
      if (is_left_out(flip++))
        continue;
      tried++;
      *byte ^= 0x40;
      file_write(data, file, len);
      *byte ^= 0x40;
      pid_t child = fork();
      assert_true(child >= 0);
      if (child == 0) {
        signal(SIGBUS, SIG_DFL); /* cmocka's handlers would go on with the next test */
        signal(SIGSEGV, SIG_DFL);
        alarm(10);
        _exit(read_all(path));
      }
      int how;
      assert_int_equal(waitpid(child, &how, 0), child);
      if (!WIFEXITED(how))
        crashed++;
    }
  }
  free(file);
  print_message("%u flips, %u readers ended by a signal\n", tried, crashed);
  assert_int_equal(crashed, 0);
}

/* ---- ends of a process ----------------------------------------------------------- */
static void what_was_acknowledged_survives_sigkill(void **state)
{
  char path[TEST_PATH];
  folder_path(*state, "log", path);
  assert_int_equal(create(path), HM_OK);
  uint64_t size = 1;
  for (int round = 0; round < 8; round++) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      close(ends[0]);
      struct hm_log *log = open_log(path, HM_LOG_WRITE);
      for (uint64_t n = hm_log_size(log) + 1;; n++) {
        if (append(log, n) != HM_OK || write(ends[1], &n, sizeof n) != sizeof n)
          _exit(1);
      }
    }
    close(ends[1]);
    uint64_t acknowledged = 0;
    for (int i = 0; i < 5 + round; i++)
      assert_int_equal(read(ends[0], &acknowledged, sizeof acknowledged), sizeof acknowledged);
    kill(child, SIGKILL);
    int how;
    waitpid(child, &how, 0);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);
    while (read(ends[0], &acknowledged, sizeof acknowledged) == sizeof acknowledged)
      ;
    close(ends[0]);

    struct hm_log *log = open_log(path, HM_LOG_WRITE);
    /* all that was acknowledged, and at most the one under way */
    assert_in_range(hm_log_size(log), acknowledged, acknowledged + 1);
    size = hm_log_size(log);
    uint8_t root[32], buffer[HM_LOG_ENTRY_MAX];
    assert_int_equal(hm_log_root(log, size, root), HM_OK);
    for (uint64_t n = 1; n <= size; n++) {
      struct object o;
      struct hm_log_entry entry;
      struct hm_log_item item = make(&o, HM_TYP_RECEIPT, n);
      assert_int_equal(hm_log_entry(log, n, buffer, sizeof buffer, &entry), HM_OK);
      assert_true(hm_bytes_equal(entry.object, item.object));
    }
    hm_log_close(log);
  }
}

/* The system refuses to write more: nothing is half there, and it goes on after. */
static void a_failed_write_leaves_the_log_standing(void **state)
{
  char path[TEST_PATH], data[TEST_PATH];
  folder_path(*state, "log", path);
  folder_path(*state, "log/data.mdb", data);
  grow(path, 20);
  struct hm_log *log = open_log(path, HM_LOG_WRITE);
  struct stat st;
  struct rlimit old, limit;
  assert_int_equal(stat(data, &st), 0);
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  signal(SIGXFSZ, SIG_IGN);
  limit = old;
  limit.rlim_cur = (rlim_t)st.st_size;
  uint64_t size = hm_log_size(log);
  struct hm_fault fault = {0, ""};
  enum hm_status status = HM_OK;
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
  for (int i = 0; i < 200 && status == HM_OK; i++) {
    struct object o;
    uint64_t first;
    struct hm_log_item item = make(&o, HM_TYP_RECEIPT, size + 1);
    status = hm_log_append(log, &item, 1, hm_bytes(NULL, 0), &first, &fault);
    if (status == HM_OK)
      size++;
  }
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_true(status == HM_IO || status == HM_FULL);
  assert_true(strlen(fault.text) > 10);
  assert_int_equal(hm_log_size(log), size);
  for (uint64_t n = size + 1; n <= size + 5; n++)
    assert_int_equal(append(log, n), HM_OK);
  hm_log_close(log);
  log = open_log(path, HM_LOG_WRITE);
  assert_int_equal(hm_log_size(log), size + 5);
  hm_log_close(log);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, folder_setup, folder_teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
      IN_FOLDER(entries_come_back),
      IN_FOLDER(the_tree_is_rfc9162),
      IN_FOLDER(a_checkpoint_covers_what_is_appended_with_it),
      IN_FOLDER(a_scan_is_in_order_and_stops_when_told),
      IN_FOLDER(what_is_no_object_is_not_appended),
      IN_FOLDER(one_process_writes),
      IN_FOLDER(making_is_once_and_opening_never_makes),
      IN_FOLDER(the_data_file_is_closed_on_exec),
      IN_FOLDER(a_cut_file_is_refused_unchanged),
      IN_FOLDER(a_flipped_meta_page_is_refused_unchanged),
      IN_FOLDER(a_flipped_page_never_crashes_a_reader),
      IN_FOLDER(what_was_acknowledged_survives_sigkill),
      IN_FOLDER(a_failed_write_leaves_the_log_standing),
  };
  return cmocka_run_group_tests_name("log", tests, group_setup, NULL);
}

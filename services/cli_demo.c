/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * demo tamper mN: what a byte is worth. The store is copied, one bit of one byte of the
 * memory is flipped in the copy's file, and the same question is asked of it again. The
 * store itself is only read.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/cli.h"
#include "services/view.h"
#include "trust/crypto_openssl.h"

enum { COPY_TRIES = 20, NEEDLE = 48, COPY_DEPTH = 4 };
#define COPY_MAX (UINT64_C(8) << 30)

struct demo {
  struct cli *cli;
  const char *what; /* "picture", "record", "vector" */
  uint64_t record;
  struct hm_anchors anchors;
  char store[HM_FILE_PATH];
  char *copy; /* folder of the copy */
  uint64_t bytes;
};

/* ---- copying -------------------------------------------------------------------------------- */
static enum hm_status copy_file(const char *from, const char *to, uint64_t *bytes,
                                struct hm_error *err)
{
  int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (in < 0)
    return hm_fail_errno(err, errno == EACCES ? HM_DENIED : HM_IO, errno, "%s", from);
  int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  enum hm_status status = out < 0 ? hm_fail_errno(err, HM_IO, errno, "%s", to) : HM_OK;
  g_autofree uint8_t *piece = g_malloc(1 << 20);
  while (status == HM_OK) {
    ssize_t n = read(in, piece, 1 << 20);
    if (n == 0)
      break;
    if (n < 0 || write(out, piece, (size_t)n) != n)
      status = hm_fail_errno(err, HM_IO, errno, "%s", to);
    else if ((*bytes += (uint64_t)n) > COPY_MAX)
      status =
          hm_fail(err, HM_TOO_LARGE, "%s: the copy is over %d GiB", from, (int)(COPY_MAX >> 30));
  }
  close(in);
  if (out >= 0)
    close(out);
  return status;
}

static enum hm_status copy_folder(const char *from, const char *to, unsigned depth, uint64_t *bytes,
                                  struct hm_error *err)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GDir) dir = g_dir_open(from, 0, &error);
  if (!dir)
    return hm_fail(err, HM_DENIED, "%s: %s", from, error->message);
  if (g_mkdir(to, 0700) != 0)
    return hm_fail_errno(err, HM_IO, errno, "%s", to);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *a = g_build_filename(from, name, NULL);
    g_autofree char *b = g_build_filename(to, name, NULL);
    struct stat st;
    if (lstat(a, &st) != 0 || strcmp(name, "lock.mdb") == 0 || g_str_has_suffix(name, ".new"))
      continue;
    if (S_ISDIR(st.st_mode) && depth < COPY_DEPTH)
      HM_TRY(copy_folder(a, b, depth + 1, bytes, err));
    else if (S_ISREG(st.st_mode))
      HM_TRY(copy_file(a, b, bytes, err));
  }
  return HM_OK;
}

static void remove_folder(const char *path, unsigned depth)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *below = g_build_filename(path, name, NULL);
    struct stat st;
    if (lstat(below, &st) == 0 && S_ISDIR(st.st_mode) && depth < COPY_DEPTH)
      remove_folder(below, depth + 1);
    else
      g_unlink(below);
  }
  g_rmdir(path);
}

/* ---- in a child: read the copy ------------------------------------------------------------------
 */
static enum hm_status open_copy(const struct demo *d, struct hm_store **store, struct hm_error *err)
{
  struct hm_fault fault = {0, ""};
  enum hm_status status = hm_store_open(&hm_crypto_openssl, d->copy, HM_LOG_READ, store, &fault);
  return status == HM_OK
             ? HM_OK
             : hm_fail(err, status, "%s", fault.text[0] ? fault.text : hm_status_text(status));
}

/* The bytes that will be changed. */
static enum hm_status read_content(void *user, GByteArray *out, struct hm_error *err)
{
  const struct demo *d = user;
  struct hm_store *store = NULL;
  HM_TRY(open_copy(d, &store, err));
  g_autofree uint8_t *buffer = g_malloc(HM_STORED_RECORD_MAX);
  struct hm_stored_record stored;
  enum hm_status status = hm_store_record(store, d->record, buffer, HM_STORED_RECORD_MAX, &stored);
  if (status == HM_OK) {
    struct hm_bytes content = stored.record;
    if (strcmp(d->what, "picture") == 0)
      content = stored.picture.is_there ? stored.picture.content : hm_bytes(NULL, 0);
    else if (strcmp(d->what, "vector") == 0)
      content = stored.vector.is_there ? stored.vector.content : hm_bytes(NULL, 0);
    g_byte_array_append(out, content.data, (guint)content.len);
  }
  hm_store_close(store);
  return status == HM_OK ? HM_OK
                         : hm_fail(err, status, "m%" G_GUINT64_FORMAT ": %s", d->record,
                                   hm_status_text(status));
}

/* Ask the copy for the chain; prints it where is_shown, and answers one byte: proven. */
struct question {
  struct demo *demo;
  bool is_shown;
};

static enum hm_status ask(void *user, GByteArray *out, struct hm_error *err)
{
  const struct question *q = user;
  const struct demo *d = q->demo;
  struct hm_store *store = NULL;
  struct hm_fault fault = {0, ""};
  struct hm_chain chain;
  uint8_t *file = NULL;
  size_t len = 0;
  HM_TRY(open_copy(d, &store, err));
  enum hm_status status =
      hm_prove(&hm_crypto_openssl, store, &d->record, 1, NULL, &file, &len, &fault);
  hm_store_close(store);
  if (status != HM_OK)
    return hm_fail(err, status, "m%" G_GUINT64_FORMAT ": %s", d->record,
                   fault.text[0] ? fault.text : hm_status_text(status));
  struct hm_chain_request request = {
      .file = hm_bytes(file, len), .anchors = &d->anchors, .recompute = true, .keep_steps = true};
  status = hm_chain_verify(&hm_crypto_openssl, &request, &chain, err);
  if (status == HM_OK) {
    guint8 is_proven = hm_verdict_is_proven(&chain.verdict);
    char name[24];
    g_snprintf(name, sizeof name, "m%" G_GUINT64_FORMAT, d->record);
    if (q->is_shown && !d->cli->json)
      cli_print_chain(d->cli, name, &chain);
    fflush(stdout);
    g_byte_array_append(out, &is_proven, 1);
  }
  hm_chain_clear(&chain);
  free(file);
  return status;
}

static enum hm_status ask_copy(struct demo *d, bool is_shown, bool *is_proven, struct hm_error *err)
{
  struct question q = {d, is_shown};
  g_autoptr(GBytes) answer = NULL;
  HM_TRY(cli_in_child(ask, &q, 1, &answer, err));
  *is_proven = g_bytes_get_size(answer) == 1 && *(const uint8_t *)g_bytes_get_data(answer, NULL);
  return HM_OK;
}

/* A running daemon goes on writing while its files are copied: a copy that does not
 * open or prove is made again. */
static enum hm_status make_copy(struct demo *d, const char *folder, struct hm_error *err)
{
  bool is_proven = false;
  d->copy = g_build_filename(folder, "store", NULL);
  for (unsigned i = 0;; i++) {
    d->bytes = 0;
    enum hm_status status = copy_folder(d->store, d->copy, 0, &d->bytes, err);
    if (status == HM_DENIED || status == HM_TOO_LARGE)
      return status;
    if (status == HM_OK)
      status = ask_copy(d, false, &is_proven, err);
    if (status == HM_OK && is_proven)
      return HM_OK;
    if (status == HM_NOT_FOUND)
      return status;
    if (i == COPY_TRIES)
      return status != HM_OK ? status
                             : hm_fail(err, HM_BAD_PROOF,
                                       "m%" G_GUINT64_FORMAT " is not proven before anything was "
                                       "changed; run: hallmark why m%" G_GUINT64_FORMAT,
                                       d->record, d->record);
    remove_folder(d->copy, 0);
    g_usleep(100000);
  }
}

/* ---- the byte
 * ---------------------------------------------------------------------------------------- */
/* Where in the record to strike: its random blind, so that it still parses; elsewhere
 * the middle. */
static size_t place_of(const struct demo *d, size_t len)
{
  return strcmp(d->what, "record") == 0 ? MIN((size_t)8, len - 1) : len / 2;
}

/* Change the byte at each place of the file where the content stands, one after the
 * other, until the store reads it changed (old pages may hold older copies). */
static enum hm_status flip_in(struct demo *d, const char *path, GBytes *content, size_t place,
                              bool *is_done, struct hm_error *err)
{
  size_t len = 0, file_len = 0;
  const uint8_t *needle = g_bytes_get_data(content, &len);
  size_t needle_len = MIN(len, (size_t)NEEDLE);
  g_autoptr(GMappedFile) map = g_mapped_file_new(path, FALSE, NULL);
  if (!map)
    return HM_OK;
  const uint8_t *data = (const uint8_t *)g_mapped_file_get_contents(map);
  file_len = g_mapped_file_get_length(map);
  for (size_t at = 0; at + len <= file_len; at++) {
    const uint8_t *found = memmem(data + at, file_len - at, needle, needle_len);
    if (!found)
      break;
    at = (size_t)(found - data);
    if (at + len > file_len || memcmp(found, needle, len) != 0)
      continue;
    uint8_t byte = needle[place] ^ 1;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written = fd >= 0 && pwrite(fd, &byte, 1, (off_t)(at + place)) == 1;
    if (fd >= 0)
      close(fd);
    if (!is_written)
      return hm_fail_errno(err, HM_IO, errno, "%s", path);
    g_autoptr(GBytes) now = NULL;
    if (cli_in_child(read_content, d, HM_CONTENT_MAX, &now, err) != HM_OK ||
        !g_bytes_equal(now, content)) {
      *is_done = true;
      return HM_OK;
    }
  }
  return HM_OK;
}

static enum hm_status flip(struct demo *d, GBytes *content, size_t place, struct hm_error *err)
{
  bool is_done = false;
  g_autofree char *folder = g_build_filename(d->copy, "data", NULL);
  g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
  for (const char *name; dir && !is_done && (name = g_dir_read_name(dir));) {
    g_autofree char *path = g_build_filename(folder, name, "data.mdb", NULL);
    HM_TRY(flip_in(d, path, content, place, &is_done, err));
  }
  return is_done ? HM_OK
                 : hm_fail(err, HM_NOT_FOUND,
                           "m%" G_GUINT64_FORMAT ": its %s was not found in the copy", d->record,
                           d->what);
}

/* ---- the demonstration
 * --------------------------------------------------------------------------------- */
static int report(struct demo *d, GBytes *content, size_t place, bool is_proven,
                  const struct hm_error *err)
{
  const uint8_t *data = g_bytes_get_data(content, NULL);
  if (d->cli->json) {
    g_autoptr(JsonObject) o = json_object_new();
    hm_json_set_log(o, "id", 'm', d->record);
    hm_json_set_text(o, "what", d->what);
    json_object_set_int_member(o, "byte", (gint64)place);
    json_object_set_int_member(o, "was", data[place]);
    json_object_set_int_member(o, "is", data[place] ^ 1);
    json_object_set_boolean_member(o, "detected", !is_proven);
    hm_json_set_text(o, "detail", err->status == HM_OK ? NULL : hm_error_text(err));
    cli_json(o);
  } else if (err->status != HM_OK) {
    g_autofree char *text = hm_text_escape(hm_error_text(err));
    cli_say("refused: %s\n", text);
  }
  if (!d->cli->json && !d->cli->quiet)
    cli_words(d->cli, 0, 2,
              is_proven ? "NOT detected"
                        : "detected: one flipped bit, and the answer is no; the store itself was "
                          "not touched");
  return is_proven ? cli_exit(HM_BAD_PROOF) : 0;
}

static int tamper(struct demo *d, const char *folder)
{
  struct hm_error err = {HM_OK, ""};
  g_autoptr(GBytes) content = NULL;
  size_t len = 0;
  enum hm_status status = make_copy(d, folder, &err);
  if (status == HM_OK)
    status = cli_in_child(read_content, d, HM_CONTENT_MAX, &content, &err);
  if (status == HM_OK && (len = g_bytes_get_size(content)) == 0)
    status = hm_fail(&err, HM_NOT_FOUND, "m%" G_GUINT64_FORMAT ": has no %s; use --what record",
                     d->record, d->what);
  if (status != HM_OK)
    return cli_fail(d->cli, "demo", &err);
  size_t place = place_of(d, len);
  const uint8_t *data = g_bytes_get_data(content, NULL);
  if (!d->cli->json && !d->cli->quiet) {
    cli_say("copied   %s, %.1f MB; m%" G_GUINT64_FORMAT " in it is proven\n", d->store,
            (double)d->bytes / 1e6, d->record);
    cli_say("flipped  byte %zu of its %s: 0x%02x is now 0x%02x\n\n", place, d->what, data[place],
            data[place] ^ 1);
  }
  if (flip(d, content, place, &err) != HM_OK)
    return cli_fail(d->cli, "demo", &err);
  bool is_proven = false;
  err.status = HM_OK;
  if (ask_copy(d, true, &is_proven, &err) != HM_OK)
    is_proven = false;
  return report(d, content, place, is_proven, &err);
}

int cli_demo(struct cli *cli, const struct cli_args *args)
{
  static const char *const whats[] = {"picture", "record", "vector"};
  struct hm_error err = {HM_OK, ""};
  struct demo d = {.cli = cli, .what = cli_flag(args, "--what")};
  if (strcmp(args->objects[0], "tamper") != 0)
    return cli_usage(args->verb, "%s: expected tamper", args->objects[0]);
  if (!hm_text_log_number(args->objects[1], 'm', &d.record))
    return cli_usage(args->verb, "%s: expected a memory, mN", args->objects[1]);
  if (!d.what)
    d.what = whats[0];
  size_t i = 0;
  while (i < G_N_ELEMENTS(whats) && strcmp(whats[i], d.what) != 0)
    i++;
  if (i == G_N_ELEMENTS(whats))
    return cli_usage(args->verb, "--what %s: expected picture, record or vector", d.what);
  /* Ask a running daemon for the chain once: so its newest checkpoint covers mN. */
  if (!cli->store) {
    g_autofree char *path = g_strdup_printf("/api/memories/%s/why", args->objects[1]);
    g_autoptr(GBytes) ignored = NULL;
    struct hm_error unreachable;
    if (cli_fetch(cli, "GET", path, "application/cbor", NULL, HM_PROOF_FILE_MAX, &ignored,
                  &unreachable) == HM_NOT_FOUND)
      return cli_fail(cli, "demo", &unreachable);
  }
  if (cli_anchors(cli, args, &d.anchors, &err) != HM_OK || cli_find_paths(cli, &err) != HM_OK)
    return cli_fail(cli, "demo", &err);
  const struct hm_paths *paths = cli->found ? cli->found : &cli->paths[0];
  if (cli_store_path(cli->store ? cli->store : paths->store, d.store, &err) != HM_OK)
    return cli_fail(cli, "demo", &err);
  g_autofree char *folder = g_dir_make_tmp("hallmark-demo-XXXXXX", NULL);
  if (!folder) {
    (void)hm_fail_errno(&err, HM_IO, errno, "a temporary folder");
    return cli_fail(cli, "demo", &err);
  }
  /* Names were fetched before: the child that prints must not open sockets. */
  (void)cli_name_of(cli, d.anchors.authority[0].point);
  int code = tamper(&d, folder);
  if (d.copy)
    remove_folder(d.copy, 0);
  g_rmdir(folder);
  g_free(d.copy);
  return code;
}

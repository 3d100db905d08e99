/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Anchors: SHA-256 over "hallmark/1 anchor", the kind, and lines of stable
 * descriptors as sysfs shows them. A unit with a serial of its own is anchored by
 * it and may move; one without is anchored by its position. Devices are never
 * opened: reading sysfs cannot start a camera.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/daemon_sources.h"

enum { SLICE = 1 << 20, ATTRIBUTE_MAX = 256 };

struct hm_anchor_job {
  char *sysfs;
  char *source;
  hm_anchor_done done;
  void *user;
  guint idle;
  int fd;
  struct stat before;
  GChecksum *sum;
  uint8_t *slice;
};

/* ---- sysfs ------------------------------------------------------------------------- */

/* One attribute, without its newline; empty where it is not there. */
static void read_attribute(const char *folder, const char *name, char out[ATTRIBUTE_MAX])
{
  g_autofree char *path = g_build_filename(folder, name, NULL);
  out[0] = '\0';
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return;
  ssize_t n = read(fd, out, ATTRIBUTE_MAX - 1);
  close(fd);
  out[n > 0 ? n : 0] = '\0';
  g_strchomp(out);
  for (char *c = out; *c != '\0'; c++)
    if ((unsigned char)*c < 0x20 || (unsigned char)*c == 0x7f)
      *c = '?';
}

struct video_node {
  char name[ATTRIBUTE_MAX]; /* as its driver calls it */
  char position[512];       /* device path below sysfs */
  char vendor[ATTRIBUTE_MAX], product[ATTRIBUTE_MAX], serial[ATTRIBUTE_MAX];
};

/* The USB device a node hangs on, if it does: the nearest parent with idVendor. */
static void read_usb(const char *device, struct video_node *node)
{
  g_autofree char *folder = g_strdup(device);
  for (int up = 0; up < 6 && strlen(folder) > 1; up++) {
    read_attribute(folder, "idVendor", node->vendor);
    if (node->vendor[0] != '\0') {
      read_attribute(folder, "idProduct", node->product);
      read_attribute(folder, "serial", node->serial);
      return;
    }
    char *parent = g_path_get_dirname(folder);
    g_free(folder);
    folder = parent;
  }
}

static bool read_video(const char *sysfs, const char *entry, struct video_node *node)
{
  memset(node, 0, sizeof *node);
  g_autofree char *folder = g_build_filename(sysfs, "class/video4linux", entry, NULL);
  g_autofree char *link = g_build_filename(folder, "device", NULL);
  char *device = realpath(link, NULL);
  char *root = realpath(sysfs, NULL);
  read_attribute(folder, "name", node->name);
  bool is_there = device != NULL && root != NULL;
  if (is_there) {
    size_t skip = g_str_has_prefix(device, root) ? strlen(root) : 0;
    g_strlcpy(node->position, device + skip, sizeof node->position);
    read_usb(device, node);
  }
  free(device);
  free(root);
  return is_there;
}

static int by_number(const void *a, const void *b)
{
  const char *x = *(const char *const *)a, *y = *(const char *const *)b;
  return strlen(x) != strlen(y) ? (strlen(x) < strlen(y) ? -1 : 1) : strcmp(x, y);
}

/* Sorted entries of a folder that begin with prefix; free with g_ptr_array_unref. */
static GPtrArray *list_folder(const char *sysfs, const char *below, const char *prefix)
{
  GPtrArray *names = g_ptr_array_new_with_free_func(g_free);
  g_autofree char *path = g_build_filename(sysfs, below, NULL);
  GDir *folder = g_dir_open(path, 0, NULL);
  const char *entry;
  while (folder != NULL && names->len < 256 && (entry = g_dir_read_name(folder)) != NULL)
    if (g_str_has_prefix(entry, prefix))
      g_ptr_array_add(names, g_strdup(entry));
  if (folder != NULL)
    g_dir_close(folder);
  g_ptr_array_sort(names, by_number);
  return names;
}

/* Jetson's capture nodes: "vi-output, imx219 9-0010". */
static bool is_csi(const struct video_node *node)
{
  return g_str_has_prefix(node->name, "vi-output");
}

/* csi:N is the Nth such node, by node number. */
static bool csi_entry(const char *sysfs, unsigned wanted, char *entry, size_t cap)
{
  g_autoptr(GPtrArray) nodes = list_folder(sysfs, "class/video4linux", "video");
  unsigned n = 0;
  for (guint i = 0; i < nodes->len; i++) {
    struct video_node node;
    if (!read_video(sysfs, nodes->pdata[i], &node) || !is_csi(&node) || n++ != wanted)
      continue;
    g_strlcpy(entry, nodes->pdata[i], cap);
    return true;
  }
  return false;
}

/* Cheap cameras share one serial ("0001"): such a serial anchors nothing. */
static bool serial_is_unique(const char *sysfs, const struct video_node *mine)
{
  if (mine->serial[0] == '\0')
    return false;
  g_autoptr(GPtrArray) nodes = list_folder(sysfs, "class/video4linux", "video");
  for (guint i = 0; i < nodes->len; i++) {
    struct video_node other;
    if (read_video(sysfs, nodes->pdata[i], &other) && strcmp(other.serial, mine->serial) == 0 &&
        strcmp(other.vendor, mine->vendor) == 0 && strcmp(other.product, mine->product) == 0 &&
        strcmp(other.position, mine->position) != 0)
      return false;
  }
  return true;
}

static void digest_lines(const char *kind, const char *lines, uint8_t digest[32])
{
  GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
  gsize len = 32;
  g_checksum_update(sum, (const guchar *)"hallmark/1 anchor", 18);
  g_checksum_update(sum, (const guchar *)kind, (gssize)strlen(kind) + 1);
  g_checksum_update(sum, (const guchar *)lines, (gssize)strlen(lines));
  g_checksum_get_digest(sum, digest, &len);
  g_checksum_free(sum);
}

static void anchor_video(const char *sysfs, const char *kind, const struct video_node *node,
                         const char *shown, struct hm_measured *anchor)
{
  bool has_serial = serial_is_unique(sysfs, node);
  g_autofree char *lines = g_strdup_printf("name=%s\nusb=%s:%s\n%s=%s\n", node->name, node->vendor,
                                           node->product, has_serial ? "serial" : "position",
                                           has_serial ? node->serial : node->position);
  anchor->class_code = has_serial ? HM_ANCHOR_SERIAL : HM_ANCHOR_POSITION;
  digest_lines(kind, lines, anchor->digest);
  if (has_serial)
    g_strlcpy(anchor->serial, node->serial, sizeof anchor->serial);
  const char *base = strrchr(node->position, '/');
  g_snprintf(anchor->what, sizeof anchor->what, "%.40s at %.20s/%.24s", node->name, shown,
             base != NULL ? base + 1 : node->position);
}

/* ---- one job ------------------------------------------------------------------------ */

static void job_free(struct hm_anchor_job *job)
{
  if (job->idle != 0)
    g_source_remove(job->idle);
  if (job->fd >= 0)
    close(job->fd);
  if (job->sum != NULL)
    g_checksum_free(job->sum);
  g_free(job->slice);
  g_free(job->sysfs);
  g_free(job->source);
  g_free(job);
}

static void answer(struct hm_anchor_job *job, const struct hm_error *error,
                   const struct hm_measured *anchor)
{
  job->done(job->user, error, error->status == HM_OK ? anchor : NULL);
  job->idle = 0; /* the idle call that runs now removes itself */
  job_free(job);
}

static void answer_failure(struct hm_anchor_job *job, enum hm_status status, const char *what)
{
  struct hm_error error = {.status = status};
  char shown[HM_SOURCE_MAX + 1];
  hm_source_show(job->source, shown, sizeof shown);
  g_snprintf(error.text, sizeof error.text, "%.200s: %s", shown, what);
  answer(job, &error, NULL);
}

static void file_done(struct hm_anchor_job *job)
{
  struct hm_error error = {.status = HM_OK};
  struct hm_measured anchor = {.class_code = HM_ANCHOR_FILE};
  struct stat after;
  gsize len = sizeof anchor.digest;
  if (fstat(job->fd, &after) != 0 || after.st_size != job->before.st_size ||
      after.st_mtim.tv_sec != job->before.st_mtim.tv_sec ||
      after.st_mtim.tv_nsec != job->before.st_mtim.tv_nsec) {
    answer_failure(job, HM_MISMATCH, "the file changed while it was measured");
    return;
  }
  g_checksum_get_digest(job->sum, anchor.digest, &len);
  g_autofree char *size = g_format_size((guint64)after.st_size);
  g_snprintf(anchor.what, sizeof anchor.what, "recording, %s", size);
  answer(job, &error, &anchor);
}

static gboolean hash_slice(gpointer data)
{
  struct hm_anchor_job *job = data;
  ssize_t n = read(job->fd, job->slice, SLICE);
  if (n > 0) {
    g_checksum_update(job->sum, job->slice, n);
    return G_SOURCE_CONTINUE;
  }
  if (n < 0 && errno == EINTR)
    return G_SOURCE_CONTINUE;
  if (n < 0)
    answer_failure(job, HM_IO, g_strerror(errno));
  else
    file_done(job);
  return G_SOURCE_REMOVE;
}

/* Only a plain file: a pipe or device of that name would hang or start something. */
static gboolean open_file(struct hm_anchor_job *job)
{
  job->fd = open(job->source + strlen("file:"), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (job->fd < 0) {
    int reason = errno;
    answer_failure(job, reason == ENOENT || reason == ENOTDIR ? HM_NOT_FOUND : HM_DENIED,
                   g_strerror(reason));
    return G_SOURCE_REMOVE;
  }
  if (fstat(job->fd, &job->before) != 0 || !S_ISREG(job->before.st_mode)) {
    answer_failure(job, HM_WRONG_TYPE, "not a plain file");
    return G_SOURCE_REMOVE;
  }
  if (job->before.st_size == 0) {
    answer_failure(job, HM_MALFORMED, "the file is empty");
    return G_SOURCE_REMOVE;
  }
  job->sum = g_checksum_new(G_CHECKSUM_SHA256);
  job->slice = g_malloc(SLICE);
  job->idle = g_idle_add(hash_slice, job);
  return G_SOURCE_REMOVE;
}

static void measure_video(struct hm_anchor_job *job, const struct hm_source_row *row)
{
  struct hm_error error = {.status = HM_OK};
  struct hm_measured anchor = {0};
  struct video_node node;
  char entry[32], shown[32];
  const char *rest = job->source + strlen(row->prefix);
  if (g_str_has_prefix(rest, "/dev/"))
    rest += 5;
  g_snprintf(shown, sizeof shown, "%s%.20s", row->prefix, rest);
  bool is_found = true;
  if (row->scheme == HM_SOURCE_CSI)
    is_found = csi_entry(job->sysfs, (unsigned)strtoul(rest, NULL, 10), entry, sizeof entry);
  else
    g_strlcpy(entry, rest, sizeof entry);
  if (!is_found || !read_video(job->sysfs, entry, &node)) {
    answer_failure(job, HM_NOT_FOUND, "no such camera; run: hallmark discover");
    return;
  }
  anchor_video(job->sysfs, row->prefix, &node, shown, &anchor);
  answer(job, &error, &anchor);
}

/* Nothing of the unit is seen: the string, without its secrets, is all there is. */
static void measure_string(struct hm_anchor_job *job, const struct hm_source_row *row)
{
  struct hm_error error = {.status = HM_OK};
  struct hm_measured anchor = {.class_code = HM_ANCHOR_SOFTWARE};
  char shown[HM_SOURCE_MAX + 1];
  hm_source_show(job->source, shown, sizeof shown);
  digest_lines(row->prefix, shown, anchor.digest);
  g_snprintf(anchor.what, sizeof anchor.what, "%.90s", shown);
  answer(job, &error, &anchor);
}

static gboolean begin(gpointer data)
{
  struct hm_anchor_job *job = data;
  const struct hm_source_row *row;
  struct hm_error error;
  job->idle = 0;
  if (hm_source_parse(job->source, &row, &error) != HM_OK) {
    answer(job, &error, NULL);
    return G_SOURCE_REMOVE;
  }
  if (!row->is_bindable)
    answer_failure(job, HM_UNSUPPORTED, "this version binds recordings and cameras only");
  else if (row->scheme == HM_SOURCE_FILE)
    return open_file(job);
  else if (row->scheme == HM_SOURCE_CSI || row->scheme == HM_SOURCE_V4L2)
    measure_video(job, row);
  else
    measure_string(job, row);
  return G_SOURCE_REMOVE;
}

struct hm_anchor_job *hm_anchor_measure(const char *sysfs, const char *source, hm_anchor_done done,
                                        void *user)
{
  struct hm_anchor_job *job = g_new0(struct hm_anchor_job, 1);
  job->sysfs = g_strdup(sysfs);
  job->source = g_strdup(source);
  job->done = done;
  job->user = user;
  job->fd = -1;
  job->idle = g_idle_add(begin, job);
  return job;
}

void hm_anchor_cancel(struct hm_anchor_job *job)
{
  if (job != NULL)
    job_free(job);
}

/* ---- discover ------------------------------------------------------------------------ */

static struct hm_core_source *add_source(struct hm_core_sources *out, const char *kind)
{
  if (out->count == HM_SOURCES_MAX) {
    out->is_cut = true;
    return NULL;
  }
  struct hm_core_source *s = &out->source[out->count++];
  memset(s, 0, sizeof *s);
  g_strlcpy(s->kind, kind, sizeof s->kind);
  return s;
}

static void add_video(const char *sysfs, struct hm_core_sources *out)
{
  g_autoptr(GPtrArray) nodes = list_folder(sysfs, "class/video4linux", "video");
  unsigned csi = 0;
  for (guint i = 0; i < nodes->len; i++) {
    struct video_node node;
    if (!read_video(sysfs, nodes->pdata[i], &node))
      continue;
    struct hm_core_source *s = add_source(out, "camera");
    if (s == NULL)
      return;
    if (is_csi(&node))
      g_snprintf(s->source, sizeof s->source, "csi:%u", csi++);
    else
      g_snprintf(s->source, sizeof s->source, "v4l2:%.20s", (const char *)nodes->pdata[i]);
    g_strlcpy(s->what, node.name, sizeof s->what);
  }
}

static void add_iio(const char *sysfs, struct hm_core_sources *out)
{
  g_autoptr(GPtrArray) devices = list_folder(sysfs, "bus/iio/devices", "iio:device");
  for (guint i = 0; i < devices->len; i++) {
    g_autofree char *folder = g_build_filename(sysfs, "bus/iio/devices", devices->pdata[i], NULL);
    char name[ATTRIBUTE_MAX];
    read_attribute(folder, "name", name);
    struct hm_core_source *s = add_source(out, "imu");
    if (s == NULL)
      return;
    g_snprintf(s->source, sizeof s->source, "iio:%.60s", name);
    g_snprintf(s->what, sizeof s->what, "%.60s (%.20s)", name, (const char *)devices->pdata[i]);
  }
}

static void add_can(const char *sysfs, struct hm_core_sources *out)
{
  enum { ARPHRD_CAN_LINK = 280 };
  g_autoptr(GPtrArray) links = list_folder(sysfs, "class/net", "");
  for (guint i = 0; i < links->len; i++) {
    g_autofree char *folder = g_build_filename(sysfs, "class/net", links->pdata[i], NULL);
    char type[ATTRIBUTE_MAX];
    read_attribute(folder, "type", type);
    if (strtoul(type, NULL, 10) != ARPHRD_CAN_LINK)
      continue;
    struct hm_core_source *s = add_source(out, "pack");
    if (s == NULL)
      return;
    g_snprintf(s->source, sizeof s->source, "can:%.32s", (const char *)links->pdata[i]);
    g_strlcpy(s->what, "CAN link", sizeof s->what);
  }
}

void hm_sources_from_sysfs(const char *sysfs, struct hm_core_sources *out)
{
  add_video(sysfs, out);
  add_iio(sysfs, out);
  add_can(sysfs, out);
}

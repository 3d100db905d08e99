/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Source strings, what of them is shown, and anchors over a made sysfs: cameras with
 * and without a serial of their own, and two that share one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* The daemon's own files, which no library holds. */
#include "services/daemon_anchor.c"
#include "services/daemon_sources.c"
#include "tests/support/folder.h"

/* ---- grammar ------------------------------------------------------------------------------- */

static void test_every_scheme_has_its_rule(void **state)
{
  static const struct {
    const char *source;
    bool is_good;
  } sources[] = {
      {"file:/a/b.mkv", true},
      {"file:a.mkv", false},
      {"file:", false},
      {"csi:0", true},
      {"csi:12", true},
      {"csi:", false},
      {"csi:123", false},
      {"csi:0x1", false},
      {"v4l2:video1", true},
      {"v4l2:/dev/video1", true},
      {"v4l2:/dev/sda", false},
      {"v4l2:video", false},
      {"v4l2:../../etc", false},
      {"rtsp://camera/s", true},
      {"rtsp://", false},
      {"rtsp:///x", false},
      {"gst:\"videotestsrc\"", true},
      {"gst:", false},
      {"iio:imu", true},
      {"can:can0/pack0", true},
      {"http://x", false},
      {"", false},
      {"front", false},
      {"file:/a\nb", false},
      {"file:/a\x1b[31m", true}, /* escaped where it is shown */
      {"file:/a\xff", false},
  };
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
    const struct hm_source_row *row;
    struct hm_error err = {0};
    enum hm_status status = hm_source_parse(sources[i].source, &row, &err);
    if ((status == HM_OK) != sources[i].is_good)
      fail_msg("%s: %s", sources[i].source, hm_status_text(status));
    if (status != HM_OK)
      assert_true(strlen(err.text) > 0);
  }
}

static void test_a_source_has_at_most_512_bytes(void **state)
{
  char source[HM_SOURCE_MAX + 2];
  const struct hm_source_row *row;
  struct hm_error err = {0};
  (void)state;
  memset(source, 'a', sizeof source);
  memcpy(source, "file:/", 6);
  source[HM_SOURCE_MAX] = '\0';
  assert_int_equal(hm_source_parse(source, &row, &err), HM_OK);
  source[HM_SOURCE_MAX] = 'a';
  source[HM_SOURCE_MAX + 1] = '\0';
  assert_int_equal(hm_source_parse(source, &row, &err), HM_MALFORMED);
}

static void test_secrets_are_not_shown(void **state)
{
  static const struct {
    const char *source, *shown;
  } sources[] = {
      {"rtsp://camera/stream", "rtsp://camera/stream"},
      {"rtsp://u:p@camera/stream", "rtsp://...@camera/stream"},
      {"rtsp://u:p%40ss@10.0.0.1:554/s?x=1", "rtsp://...@10.0.0.1:554/s?x=1"},
      {"rtsp://u:p@q@camera/s", "rtsp://...@camera/s"},
      {"gst:\"rtspsrc location=rtsp://u:p@h/s user-id=bob user-pw=hunter2 ! x\"",
       "gst:\"rtspsrc location=rtsp://...@h/s user-id=... user-pw=... ! x\""},
      {"gst:souphttpsrc proxy-pw='two words' ! x", "gst:souphttpsrc proxy-pw=... ! x"},
      {"file:/a b/c=d.mkv", "file:/a b/c=d.mkv"},
      {"file:/a\x1b[31m", "file:/a?[31m"},
  };
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(sources); i++) {
    char shown[HM_SOURCE_MAX + 1];
    hm_source_show(sources[i].source, shown, sizeof shown);
    assert_string_equal(shown, sources[i].shown);
  }
}

/* ---- a made sysfs
 * -------------------------------------------------------------------------------- */

static char sysfs[TEST_PATH];

static void put(const char *below, const char *content)
{
  char path[TEST_PATH + 256];
  snprintf(path, sizeof path, "%s/%s", sysfs, below);
  g_autofree char *folder = g_path_get_dirname(path);
  assert_int_equal(g_mkdir_with_parents(folder, 0755), 0);
  file_write(path, (const uint8_t *)content, strlen(content));
}

static void put_link(const char *below, const char *to)
{
  char path[TEST_PATH + 256], target[TEST_PATH + 256];
  snprintf(path, sizeof path, "%s/%s", sysfs, below);
  snprintf(target, sizeof target, "%s/%s", sysfs, to);
  g_autofree char *folder = g_path_get_dirname(path);
  assert_int_equal(g_mkdir_with_parents(folder, 0755), 0);
  assert_int_equal(g_mkdir_with_parents(target, 0755), 0);
  (void)unlink(path);
  assert_int_equal(symlink(target, path), 0);
}

static void put_usb_camera(unsigned video, const char *port, const char *serial)
{
  char path[128], device[128];
  snprintf(device, sizeof device, "devices/usb/%s/%s:1.0", port, port);
  snprintf(path, sizeof path, "class/video4linux/video%u/device", video);
  put_link(path, device);
  snprintf(path, sizeof path, "class/video4linux/video%u/name", video);
  put(path, "C920 HD\n");
  snprintf(path, sizeof path, "devices/usb/%s/idVendor", port);
  put(path, "046d\n");
  snprintf(path, sizeof path, "devices/usb/%s/idProduct", port);
  put(path, "082d\n");
  snprintf(path, sizeof path, "devices/usb/%s/serial", port);
  put(path, serial);
}

static int make_sysfs(void **state)
{
  if (folder_setup(state) != 0)
    return -1;
  folder_path(*state, "sys", sysfs);
  return g_mkdir_with_parents(sysfs, 0755);
}

struct answer {
  bool is_there;
  struct hm_error error;
  struct hm_measured anchor;
};

static void keep_answer(void *user, const struct hm_error *error, const struct hm_measured *anchor)
{
  struct answer *a = user;
  a->is_there = true;
  a->error = *error;
  if (anchor != NULL)
    a->anchor = *anchor;
}

static struct answer measure(const char *source)
{
  struct answer a = {0};
  (void)hm_anchor_measure(sysfs, source, keep_answer, &a);
  assert_false(a.is_there); /* never from inside */
  while (!a.is_there)
    g_main_context_iteration(NULL, TRUE);
  return a;
}

static void test_a_serial_anchors_wherever_it_is_plugged_in(void **state)
{
  (void)state;
  put_usb_camera(0, "1-1", "A1B2C3D4\n");
  struct answer here = measure("v4l2:video0");
  assert_int_equal(here.error.status, HM_OK);
  assert_int_equal(here.anchor.class_code, HM_ANCHOR_SERIAL);
  assert_string_equal(here.anchor.serial, "A1B2C3D4");
  put_usb_camera(5, "2-3", "A1B2C3D4\n");
  g_autofree char *unplugged = g_build_filename(sysfs, "class/video4linux/video0/device", NULL);
  assert_int_equal(unlink(unplugged), 0);
  struct answer there = measure("v4l2:/dev/video5");
  assert_memory_equal(here.anchor.digest, there.anchor.digest, 32);
  put_usb_camera(5, "2-3", "OTHER\n");
  there = measure("v4l2:video5");
  assert_memory_not_equal(here.anchor.digest, there.anchor.digest, 32);
}

static void test_a_shared_serial_anchors_nothing(void **state)
{
  (void)state;
  put_usb_camera(0, "1-1", "0001\n");
  put_usb_camera(1, "1-2", "0001\n");
  struct answer first = measure("v4l2:video0"), second = measure("v4l2:video1");
  assert_int_equal(first.anchor.class_code, HM_ANCHOR_POSITION);
  assert_memory_not_equal(first.anchor.digest, second.anchor.digest, 32);
}

static void test_csi_counts_the_capture_nodes(void **state)
{
  (void)state;
  put_usb_camera(0, "1-1", "X\n");
  put_link("class/video4linux/video1/device", "devices/i2c/9-0010");
  put("class/video4linux/video1/name", "vi-output, imx219 9-0010\n");
  put_link("class/video4linux/video10/device", "devices/i2c/10-0010");
  put("class/video4linux/video10/name", "vi-output, imx219 10-0010\n");
  struct answer first = measure("csi:0"), second = measure("csi:1");
  assert_int_equal(first.error.status, HM_OK);
  assert_int_equal(first.anchor.class_code, HM_ANCHOR_POSITION); /* an IMX219 has no serial */
  assert_non_null(strstr(first.anchor.what, "9-0010"));
  assert_non_null(strstr(second.anchor.what, "10-0010"));
  assert_int_equal(measure("csi:2").error.status, HM_NOT_FOUND);
}

static void test_discover_lists_what_sysfs_has(void **state)
{
  static struct hm_core_sources found;
  (void)state;
  memset(&found, 0, sizeof found);
  put_usb_camera(3, "1-1", "X\n");
  put("bus/iio/devices/iio:device0/name", "lsm6dsr\n");
  put("class/net/can0/type", "280\n");
  put("class/net/eth0/type", "1\n");
  hm_sources_from_sysfs(sysfs, &found);
  assert_int_equal(found.count, 3);
  assert_string_equal(found.source[0].source, "v4l2:video3");
  assert_string_equal(found.source[1].source, "iio:lsm6dsr");
  assert_string_equal(found.source[2].source, "can:can0");
}

static void test_a_file_is_its_hash(void **state)
{
  char path[TEST_PATH], source[TEST_PATH + 8];
  static const uint8_t wanted[32] = {/* SHA-256("abc") */
                                     0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                     0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                     0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                     0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  folder_path(*state, "clip", path);
  file_write(path, (const uint8_t *)"abc", 3);
  snprintf(source, sizeof source, "file:%s", path);
  struct answer a = measure(source);
  assert_int_equal(a.anchor.class_code, HM_ANCHOR_FILE);
  assert_memory_equal(a.anchor.digest, wanted, 32);
  file_write(path, (const uint8_t *)"", 0);
  assert_int_equal(measure(source).error.status, HM_MALFORMED);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(measure(source).error.status, HM_NOT_FOUND);
  assert_int_equal(mkfifo(path, 0600), 0); /* must not hang */
  assert_int_equal(measure(source).error.status, HM_WRONG_TYPE);
  assert_int_equal(measure("iio:imu").error.status, HM_UNSUPPORTED);
}

static void test_a_password_changes_no_anchor(void **state)
{
  (void)state;
  struct answer one = measure("rtsp://u:secret1@h/s"), two = measure("rtsp://u:secret2@h/s");
  assert_int_equal(one.anchor.class_code, HM_ANCHOR_SOFTWARE);
  assert_memory_equal(one.anchor.digest, two.anchor.digest, 32);
  assert_null(strstr(one.anchor.what, "secret"));
}

#define WITH_SYSFS(test) cmocka_unit_test_setup_teardown(test, make_sysfs, folder_teardown)

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_scheme_has_its_rule),
      cmocka_unit_test(test_a_source_has_at_most_512_bytes),
      cmocka_unit_test(test_secrets_are_not_shown),
      WITH_SYSFS(test_a_serial_anchors_wherever_it_is_plugged_in),
      WITH_SYSFS(test_a_shared_serial_anchors_nothing),
      WITH_SYSFS(test_csi_counts_the_capture_nodes),
      WITH_SYSFS(test_discover_lists_what_sysfs_has),
      WITH_SYSFS(test_a_file_is_its_hash),
      WITH_SYSFS(test_a_password_changes_no_anchor),
  };
  return cmocka_run_group_tests_name("daemon_sources", tests, NULL, NULL);
}

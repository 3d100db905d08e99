/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmarktiles: which bytes of a buffer it measures, what it fastens and says, what it
 * drops. The measures themselves are tested without GStreamer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <gst/check/gstharness.h>
#include <gst/video/video.h>

#include "sensors/gst_meta.h"
#include "sensors/gst_plugin.h"

enum { WIDTH = 96, HEIGHT = 64 };

static GstHarness *new_harness(const char *format)
{
  GstHarness *h = gst_harness_new("hallmarktiles");
  g_autofree gchar *caps = g_strdup_printf(
      "video/x-raw,format=%s,width=%d,height=%d,framerate=30/1", format, WIDTH, HEIGHT);

  gst_harness_set_src_caps_str(h, caps);
  return h;
}

/* Pixel of a fixed texture, so that two layouts of it can be compared. */
static guint8 pixel(gsize x, gsize y)
{
  return (guint8)(40 + (x * 7 + y * 13 + x * y) % 160);
}

/* A picture with these luma strides and everything else at 128; padding is 255. */
static GstBuffer *picture(GstVideoFormat format, gint stride, gsize lead)
{
  gsize luma = (gsize)stride * HEIGHT, chroma = (gsize)stride / 2 * (HEIGHT / 2);
  gsize size = lead + luma + (format == GST_VIDEO_FORMAT_GRAY8 ? 0 : 2 * chroma);
  GstBuffer *buffer = gst_buffer_new_allocate(NULL, size, NULL);
  gsize offsets[GST_VIDEO_MAX_PLANES] = {lead, lead + luma, lead + luma + chroma, 0};
  gint strides[GST_VIDEO_MAX_PLANES] = {stride, stride / 2, stride / 2, 0};
  guint planes = format == GST_VIDEO_FORMAT_I420 ? 3 : format == GST_VIDEO_FORMAT_NV12 ? 2 : 1;
  GstMapInfo map;

  if (format == GST_VIDEO_FORMAT_NV12)
    strides[1] = stride;
  gst_buffer_map(buffer, &map, GST_MAP_WRITE);
  memset(map.data, 128, map.size);
  memset(map.data, 255, lead + luma);
  for (gsize y = 0; y < HEIGHT; y++)
    for (gsize x = 0; x < WIDTH; x++)
      map.data[lead + y * (gsize)stride + x] = pixel(x, y);
  gst_buffer_unmap(buffer, &map);
  gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, format, WIDTH, HEIGHT, planes,
                                 offsets, strides);
  return buffer;
}

static GstBuffer *pushed(GstHarness *h, GstBuffer *buffer)
{
  assert_int_equal(gst_harness_push(h, buffer), GST_FLOW_OK);
  return gst_harness_try_pull(h);
}

static guint64 number(GstHarness *h, const char *name)
{
  guint64 value = 0;

  g_object_get(h->element, name, &value, NULL);
  return value;
}

static void a_frame_gets_tiles_trust_and_a_record(void **state)
{
  (void)state;
  GstHarness *h = new_harness("I420");
  g_autoptr(GstBuffer) out = pushed(h, picture(GST_VIDEO_FORMAT_I420, WIDTH, 0));
  const struct hm_tiles_meta *tiles = hm_buffer_tiles(out);
  struct hm_peripheral record;

  assert_non_null(tiles);
  assert_int_equal(tiles->width, WIDTH);
  assert_int_equal(tiles->grid.columns, 3);
  assert_int_equal(tiles->grid.rows, 2);
  assert_int_equal(tiles->tiles[0].pixels, HM_TILE_PIXELS);
  assert_int_equal(tiles->frame, 1);
  assert_int_equal(hm_peripheral_decode(hm_bytes(tiles->record, sizeof tiles->record), &record),
                   HM_OK);
  assert_int_equal(record.sequence, 1);
  assert_int_equal(record.columns, 3);
  assert_int_equal(number(h, "measured"), 1);
  gst_harness_teardown(h);
}

/* The first luma tile's sums, of a fresh element, for one layout. */
static struct hm_tile first_tile(const char *name, GstVideoFormat format, gint stride, gsize lead)
{
  GstHarness *h = new_harness(name);
  g_autoptr(GstBuffer) out = pushed(h, picture(format, stride, lead));
  struct hm_tile tile;

  assert_non_null(out);
  tile = hm_buffer_tiles(out)->tiles[0];
  gst_harness_teardown(h);
  return tile;
}

/* Field by field: the struct's padding says nothing. */
static void same(const struct hm_tile *a, const struct hm_tile *b)
{
  assert_memory_equal(a, b, offsetof(struct hm_tile, pixels) + sizeof a->pixels);
}

static void strides_and_offsets_change_nothing_and_padding_never_counts(void **state)
{
  (void)state;
  struct hm_tile plain = first_tile("I420", GST_VIDEO_FORMAT_I420, WIDTH, 0);
  struct hm_tile wide = first_tile("I420", GST_VIDEO_FORMAT_I420, WIDTH + 32, 0);
  struct hm_tile late = first_tile("I420", GST_VIDEO_FORMAT_I420, WIDTH + 64, 512);
  struct hm_tile nv12 = first_tile("NV12", GST_VIDEO_FORMAT_NV12, WIDTH + 32, 64);
  struct hm_tile grey = first_tile("GRAY8", GST_VIDEO_FORMAT_GRAY8, WIDTH + 4, 0);

  assert_true(plain.s1 > 0 && plain.hi == 0);
  same(&plain, &wide);
  same(&plain, &late);
  same(&plain, &nv12);
  assert_int_equal(plain.s1, grey.s1);
}

static void a_short_buffer_is_dropped_and_counted(void **state)
{
  (void)state;
  GstHarness *h = new_harness("I420");
  GstBuffer *buffer = picture(GST_VIDEO_FORMAT_I420, WIDTH, 0);

  gst_buffer_set_size(buffer, (gssize)gst_buffer_get_size(buffer) - 1);
  assert_null(pushed(h, buffer));
  assert_null(pushed(h, gst_buffer_new_allocate(NULL, 10, NULL)));
  assert_null(pushed(h, gst_buffer_new()));
  assert_int_equal(number(h, "invalid"), 3);
  assert_int_equal(number(h, "measured"), 0);
  gst_harness_teardown(h);
}

/* A video meta that points outside its buffer, as a broken or hostile producer's may. */
static void a_buffer_that_describes_itself_wrongly_is_dropped(void **state)
{
  (void)state;
  GstHarness *h = new_harness("I420");
  static const struct {
    gsize offset;
    gint stride;
    guint width;
  } wrong[] = {{G_MAXSIZE - 8, WIDTH, WIDTH},
               {1 << 20, WIDTH, WIDTH},
               {0, WIDTH * 100, WIDTH},
               {0, 0, WIDTH},
               {0, -WIDTH, WIDTH},
               {0, WIDTH - 1, WIDTH},
               {0, WIDTH, WIDTH * 2}};
  guint64 dropped = 0;

  for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
    GstBuffer *buffer = picture(GST_VIDEO_FORMAT_I420, WIDTH, 0);
    GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);

    meta->offset[0] = wrong[i].offset;
    meta->stride[0] = wrong[i].stride;
    meta->width = wrong[i].width;
    assert_null(pushed(h, buffer));
    assert_int_equal(number(h, "invalid"), ++dropped);
  }
  gst_harness_teardown(h);
}

static void the_gates_verdict_goes_into_the_record(void **state)
{
  (void)state;
  GstHarness *h = gst_harness_new("hallmarktiles");
  GstBuffer *buffer = picture(GST_VIDEO_FORMAT_GRAY8, WIDTH, 0);
  struct hm_pass_meta *pass = hm_buffer_add_pass(buffer);
  g_autoptr(GstBuffer) out = NULL;
  struct hm_peripheral record;
  static const uint8_t sensor[8] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

  g_object_set(h->element, "lct", "0123456789abcdef0011", "replay", TRUE, NULL);
  gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=96,height=64,framerate=30/1");
  pass->pass =
      (struct hm_gate_pass){.frame = 1042, .boottime_ns = 5, .context = 6, .kid16 = 0x1234};
  GST_BUFFER_PTS(buffer) = 33 * GST_MSECOND;
  out = pushed(h, buffer);
  assert_int_equal(hm_buffer_tiles(out)->frame, 1042);
  assert_int_equal(
      hm_peripheral_decode(hm_bytes(hm_buffer_tiles(out)->record, HM_PERIPHERAL_BYTES), &record),
      HM_OK);
  assert_int_equal(record.sequence, 1042);
  assert_int_equal(record.context, 6);
  assert_int_equal(record.kid[0], 0x12);
  assert_int_equal(record.kid[1], 0x34);
  assert_int_equal(record.capture_ns, 33 * GST_MSECOND);
  assert_memory_equal(record.sensor, sensor, sizeof sensor);
  gst_harness_teardown(h);
}

static void metas_are_copied_with_their_contents(void **state)
{
  (void)state;
  GstHarness *h = new_harness("I420");
  GstBuffer *out = pushed(h, picture(GST_VIDEO_FORMAT_I420, WIDTH, 0));
  g_autoptr(GstBuffer) copy = gst_buffer_copy_deep(out);
  struct hm_tile first = hm_buffer_tiles(out)->tiles[0];

  gst_buffer_unref(out);
  same(&hm_buffer_tiles(copy)->tiles[0], &first);
  gst_harness_teardown(h);
}

static void each_frame_is_told_unless_told_not_to(void **state)
{
  (void)state;
  GstHarness *h = new_harness("GRAY8");
  g_autoptr(GstBus) bus = gst_bus_new();
  g_autoptr(GstMessage) message = NULL;
  const GstStructure *said;
  gdouble trust = -1;

  gst_element_set_bus(h->element, bus);
  gst_buffer_unref(pushed(h, picture(GST_VIDEO_FORMAT_GRAY8, WIDTH, 0)));
  message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT);
  assert_non_null(message);
  said = gst_message_get_structure(message);
  assert_true(gst_structure_has_name(said, "hallmark-tiles"));
  assert_true(gst_structure_get_double(said, "trust", &trust) && trust >= 0 && trust <= 1);
  assert_non_null(gst_structure_get_string(said, "state"));
  g_object_set(h->element, "post-messages", FALSE, NULL);
  gst_buffer_unref(pushed(h, picture(GST_VIDEO_FORMAT_GRAY8, WIDTH, 0)));
  assert_null(gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT));
  gst_harness_teardown(h);
}

static void a_new_size_is_measured_as_such(void **state)
{
  (void)state;
  GstHarness *h = new_harness("GRAY8");
  g_autoptr(GstBuffer) out = NULL;

  gst_buffer_unref(pushed(h, picture(GST_VIDEO_FORMAT_GRAY8, WIDTH, 0)));
  gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=32,height=33,framerate=30/1");
  out = pushed(h, gst_buffer_new_allocate(NULL, 32 * 36, NULL));
  assert_non_null(out);
  assert_int_equal(hm_buffer_tiles(out)->grid.rows, 2);
  assert_int_equal(hm_buffer_tiles(out)->grid.whole_rows, 1);
  gst_harness_teardown(h);
}

static void other_formats_are_not_negotiated(void **state)
{
  (void)state;
  GstHarness *h = gst_harness_new("hallmarktiles");

  gst_harness_set_src_caps_str(h, "video/x-raw,format=RGB,width=8,height=8,framerate=30/1");
  assert_int_equal(gst_harness_push(h, gst_buffer_new_allocate(NULL, 192, NULL)),
                   GST_FLOW_NOT_NEGOTIATED);
  gst_harness_teardown(h);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_frame_gets_tiles_trust_and_a_record),
      cmocka_unit_test(strides_and_offsets_change_nothing_and_padding_never_counts),
      cmocka_unit_test(a_short_buffer_is_dropped_and_counted),
      cmocka_unit_test(a_buffer_that_describes_itself_wrongly_is_dropped),
      cmocka_unit_test(the_gates_verdict_goes_into_the_record),
      cmocka_unit_test(metas_are_copied_with_their_contents),
      cmocka_unit_test(each_frame_is_told_unless_told_not_to),
      cmocka_unit_test(a_new_size_is_measured_as_such),
      cmocka_unit_test(other_formats_are_not_negotiated),
  };

  gst_init(&argc, &argv);
  if (!hm_elements_register_static())
    return 99;
  return cmocka_run_group_tests(tests, NULL, NULL);
}

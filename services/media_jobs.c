/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A picture that the tiles can read goes straight into the analysis' own resize. Any
 * other goes through 8-bit RGB by the integers of sensors/picture.h, which give a PNG
 * of an evidence picture back as the same bytes.
 */
#include "services/media_jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sensors/descriptor.h"
#include "services/text.h"

struct description {
  guint width, height;
  enum hm_pixels pixels;
  uint8_t picture[HM_PICTURE_BYTES];
};

/* Bombs end here, not in the machine's memory. */
static void limit_myself(void)
{
  const struct rlimit cpu = {HM_JOB_SECONDS, HM_JOB_SECONDS};
  const struct rlimit memory = {UINT64_C(4) << 30, UINT64_C(4) << 30};

  (void)setrlimit(RLIMIT_CPU, &cpu);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  (void)setrlimit(RLIMIT_AS, &memory);
#else
  (void)memory;
#endif
}

/* Decoders' libraries print what they think of a file; the answer is one line, ours.
 * Returns what loud() takes. */
static int quiet(void)
{
  int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
  int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

  if (nowhere >= 0) {
    (void)dup2(nowhere, STDERR_FILENO);
    close(nowhere);
  }
  return saved;
}

static void loud(int saved)
{
  if (saved < 0)
    return;
  (void)dup2(saved, STDERR_FILENO);
  close(saved);
}

/* ---- one decoded frame ----------------------------------------------------------- */

/* The decoder asks here before it makes room for a frame: a picture over the limit is
 * refused by its header. */
static GstPadProbeReturn note_size(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  struct description *d = (struct description *)data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
  GstCaps *caps = NULL;
  gint width = 0, height = 0;

  (void)pad;
  if (GST_EVENT_TYPE(event) != GST_EVENT_CAPS)
    return GST_PAD_PROBE_OK;
  gst_event_parse_caps(event, &caps);
  gst_structure_get_int(gst_caps_get_structure(caps, 0), "width", &width);
  gst_structure_get_int(gst_caps_get_structure(caps, 0), "height", &height);
  d->width = (guint)width;
  d->height = (guint)height;
  return GST_PAD_PROBE_OK;
}

static void set_limit(GstElement *pipe, struct description *d)
{
  g_autoptr(GstElement) limit = gst_bin_get_by_name(GST_BIN(pipe), "limit");
  g_autoptr(GstPad) pad = gst_element_get_static_pad(limit, "sink");
  g_autoptr(GstCaps) caps =
      gst_caps_new_simple("video/x-raw", "width", GST_TYPE_INT_RANGE, 1, HM_FRAME_MAX_SIDE,
                          "height", GST_TYPE_INT_RANGE, 1, HM_FRAME_MAX_SIDE, NULL);

  g_object_set(limit, "caps", caps, NULL);
  gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, note_size, d, NULL);
}

static GstElement *decoder(const char *path, struct description *d, struct hm_error *err)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(GstElement) source = NULL;
  GstElement *pipe =
      gst_parse_launch("filesrc name=s ! decodebin ! capsfilter name=limit ! videoconvert ! "
                       "video/x-raw,format=(string){ I420, NV12, GRAY8, RGB } ! "
                       "appsink name=out sync=false max-buffers=1 drop=false",
                       &error);

  if (pipe == NULL) {
    hm_fail(err, HM_UNSUPPORTED, "GStreamer's base plugins are not installed: %s", error->message);
    return NULL;
  }
  source = gst_bin_get_by_name(GST_BIN(pipe), "s");
  g_object_set(source, "location", path, NULL);
  set_limit(pipe, d);
  return pipe;
}

static enum hm_status why_none(GstElement *pipe, const char *path, struct hm_error *err)
{
  g_autoptr(GstBus) bus = gst_element_get_bus(pipe);
  g_autoptr(GstMessage) message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
  g_autoptr(GError) error = NULL;

  if (message == NULL)
    return hm_fail(err, HM_TIMEOUT, "%s: no picture within %d s", path, HM_JOB_SECONDS);
  gst_message_parse_error(message, &error, NULL);
  return hm_fail(err, HM_MALFORMED, "%s: not a picture that can be decoded: %s", path,
                 error->message);
}

/* The first frame, or NULL with err filled. */
static GstSample *first_frame(GstElement *pipe, const char *path, struct hm_error *err)
{
  g_autoptr(GstElement) out = gst_bin_get_by_name(GST_BIN(pipe), "out");
  GstSample *sample = NULL;

  gst_element_set_state(pipe, GST_STATE_PLAYING);
  for (int tenths = 0; tenths < HM_JOB_SECONDS * 10 && sample == NULL; tenths++) {
    g_autoptr(GstBus) bus = gst_element_get_bus(pipe);

    sample = gst_app_sink_try_pull_sample(GST_APP_SINK(out), GST_SECOND / 10);
    if (sample == NULL && gst_bus_have_pending(bus)) {
      GstMessage *message = gst_bus_timed_pop_filtered(bus, 0, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);

      if (message != NULL && GST_MESSAGE_TYPE(message) == GST_MESSAGE_EOS) {
        gst_message_unref(message);
        hm_fail(err, HM_MALFORMED, "%s: there is no picture in it", path);
        return NULL;
      }
      if (message != NULL) {
        gst_bus_post(bus, message); /* for why_none */
        break;
      }
    }
  }
  if (sample == NULL)
    why_none(pipe, path, err);
  return sample;
}

/* ---- to the evidence picture ----------------------------------------------------- */

static enum hm_status from_planes(const GstVideoFrame *frame, struct description *d)
{
  const uint8_t *planes[3] = {NULL, NULL, NULL};
  size_t strides[3] = {0, 0, 0};
  enum hm_format format = HM_GRAY8;
  struct hm_frame view;
  const struct hm_rect whole = {0, 0, (uint16_t)d->width, (uint16_t)d->height};

  if (GST_VIDEO_FRAME_FORMAT(frame) == GST_VIDEO_FORMAT_I420)
    format = HM_I420;
  else if (GST_VIDEO_FRAME_FORMAT(frame) == GST_VIDEO_FORMAT_NV12)
    format = HM_NV12;
  for (guint i = 0; i < GST_VIDEO_FRAME_N_PLANES(frame) && i < 3; i++) {
    planes[i] = GST_VIDEO_FRAME_PLANE_DATA(frame, i);
    strides[i] = (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(frame, i);
  }
  HM_TRY(hm_frame_make(
      format,
      frame->info.colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255 ? HM_RANGE_FULL
                                                                   : HM_RANGE_LIMITED,
      frame->info.colorimetry.matrix == GST_VIDEO_COLOR_MATRIX_BT709 ? HM_BT709 : HM_BT601,
      d->width, d->height, planes, strides, &view));
  d->pixels = format == HM_GRAY8 ? HM_PIXELS_GREY : HM_PIXELS_I420;
  return hm_picture_from_region(&view, &whole, d->picture);
}

/* An odd last row or column is left out: chroma has half of each. */
static enum hm_status from_rgb(const GstVideoFrame *frame, struct description *d)
{
  uint32_t width = d->width & ~1U, height = d->height & ~1U;
  g_autofree uint8_t *i420 = NULL;

  if (width == 0 || height == 0)
    return HM_MALFORMED;
  i420 = g_try_malloc((gsize)width * height * 3 / 2);
  if (i420 == NULL)
    return HM_FULL;
  HM_TRY(hm_picture_to_i420_from_rgb(GST_VIDEO_FRAME_PLANE_DATA(frame, 0),
                                     (size_t)GST_VIDEO_FRAME_PLANE_STRIDE(frame, 0), width, height,
                                     i420));
  d->pixels = HM_PIXELS_I420;
  return hm_picture_from_i420(i420, width, height, d->picture);
}

static enum hm_status describe_sample(GstSample *sample, const char *path, struct description *d,
                                      struct hm_error *err)
{
  GstVideoFrame frame;
  GstVideoInfo info;
  enum hm_status status;

  if (!gst_video_info_from_caps(&info, gst_sample_get_caps(sample)))
    return hm_fail(err, HM_MALFORMED, "%s: its format is not known", path);
  d->width = (guint)GST_VIDEO_INFO_WIDTH(&info);
  d->height = (guint)GST_VIDEO_INFO_HEIGHT(&info);
  if (!gst_video_frame_map(&frame, &info, gst_sample_get_buffer(sample), GST_MAP_READ))
    return hm_fail(err, HM_MALFORMED, "%s: its first frame is shorter than it says", path);
  status = GST_VIDEO_INFO_FORMAT(&info) == GST_VIDEO_FORMAT_RGB ? from_rgb(&frame, d)
                                                                : from_planes(&frame, d);
  gst_video_frame_unmap(&frame);
  if (status != HM_OK)
    return hm_fail(err, status, "%s: %u x %u pixels: %s", path, d->width, d->height,
                   hm_status_text(status));
  return HM_OK;
}

static void print(const struct description *d)
{
  int8_t vector[HM_VECTOR_DIMENSION];
  g_autofree char *hash = g_malloc(2 * HM_HASH + 1);
  g_autofree char *picture = g_malloc(2 * HM_PICTURE_BYTES + 1);

  hm_region_encode(d->picture, vector);
  hm_text_hex(hm_region_encoder_hash, HM_HASH, hash);
  hm_text_hex(d->picture, HM_PICTURE_BYTES, picture);
  printf("{\"encoder\":\"%s\",\"encoder_hash\":\"%s\",\"pixels\":%d,\"width\":%u,\"height\":%u,"
         "\"vector\":[",
         HM_REGION_ENCODER_NAME, hash, (int)d->pixels, d->width, d->height);
  for (int i = 0; i < HM_VECTOR_DIMENSION; i++)
    printf("%s%d", i > 0 ? "," : "", vector[i]);
  printf("],\"picture\":\"%s\"}\n", picture);
}

enum hm_status media_job_describe(const char *path, struct hm_error *err)
{
  struct description d = {0};
  g_autoptr(GstElement) pipe = NULL;
  g_autoptr(GstSample) sample = NULL;
  struct stat what;
  enum hm_status status;
  int saved;

  if (access(path, R_OK) != 0 || stat(path, &what) != 0)
    return hm_fail_errno(err, errno == ENOENT ? HM_NOT_FOUND : HM_IO, errno, "%s", path);
  if (!S_ISREG(what.st_mode))
    return hm_fail(err, HM_WRONG_TYPE, "%s: not a regular file", path);
  limit_myself();
  pipe = decoder(path, &d, err);
  if (pipe == NULL)
    return err->status;
  saved = quiet();
  sample = first_frame(pipe, path, err);
  if (sample == NULL && (d.width > HM_FRAME_MAX_SIDE || d.height > HM_FRAME_MAX_SIDE))
    hm_fail(err, HM_TOO_LARGE, "%s: %u x %u pixels, the limit is %d a side", path, d.width,
            d.height, HM_FRAME_MAX_SIDE);
  status = sample != NULL ? describe_sample(sample, path, &d, err) : err->status;
  gst_element_set_state(pipe, GST_STATE_NULL);
  loud(saved);
  if (status == HM_OK)
    print(&d);
  return status;
}

/* ---- PNG ------------------------------------------------------------------------- */

static enum hm_status read_picture(uint8_t picture[HM_PICTURE_BYTES], struct hm_error *err)
{
  uint8_t all[HM_PICTURE_BYTES + 1];
  size_t got = fread(all, 1, sizeof all, stdin);

  if (got != HM_PICTURE_BYTES)
    return hm_fail(err, got < HM_PICTURE_BYTES ? HM_TRUNCATED : HM_TOO_LARGE,
                   "standard input: %s%zu bytes, an evidence picture has %d",
                   got > HM_PICTURE_BYTES ? "at least " : "", got, HM_PICTURE_BYTES);
  memcpy(picture, all, HM_PICTURE_BYTES);
  return HM_OK;
}

static GstBuffer *encoded(GstElement *pipe, GstBuffer *rgb)
{
  g_autoptr(GstElement) in = gst_bin_get_by_name(GST_BIN(pipe), "in");
  g_autoptr(GstElement) out = gst_bin_get_by_name(GST_BIN(pipe), "out");
  g_autoptr(GstSample) sample = NULL;

  gst_element_set_state(pipe, GST_STATE_PLAYING);
  if (gst_app_src_push_buffer(GST_APP_SRC(in), rgb) == GST_FLOW_OK)
    sample = gst_app_sink_try_pull_sample(GST_APP_SINK(out), HM_JOB_SECONDS * GST_SECOND);
  return sample == NULL ? NULL : gst_buffer_ref(gst_sample_get_buffer(sample));
}

static enum hm_status write_out(GstBuffer *png, const char *path, struct hm_error *err)
{
  FILE *file = path != NULL ? fopen(path, "wbe") : stdout;
  const char *name = path != NULL ? path : "standard output";
  GstMapInfo map;
  bool whole;

  if (file == NULL)
    return hm_fail_errno(err, HM_IO, errno, "%s", name);
  if (!gst_buffer_map(png, &map, GST_MAP_READ)) {
    if (path != NULL)
      fclose(file);
    return hm_fail(err, HM_IO, "%s: the picture cannot be mapped", name);
  }
  whole = fwrite(map.data, 1, map.size, file) == map.size && fflush(file) == 0;
  gst_buffer_unmap(png, &map);
  if (path != NULL)
    whole = fclose(file) == 0 && whole;
  return whole ? HM_OK : hm_fail_errno(err, HM_IO, errno, "%s", name);
}

enum hm_status media_job_png(const char *path, struct hm_error *err)
{
  enum { RGB = 3 * HM_PICTURE_WIDTH * HM_PICTURE_HEIGHT };
  uint8_t picture[HM_PICTURE_BYTES];
  g_autofree uint8_t *rgb = g_malloc(RGB);
  g_autoptr(GstElement) pipe = NULL;
  g_autoptr(GstBuffer) png = NULL;

  HM_TRY(read_picture(picture, err));
  if (hm_picture_to_rgb_from_i420(picture, HM_PICTURE_WIDTH, HM_PICTURE_HEIGHT, rgb,
                                  3 * HM_PICTURE_WIDTH) != HM_OK)
    return hm_fail(err, HM_STATE, "an evidence picture has no RGB form");
  pipe = gst_parse_launch("appsrc name=in num-buffers=1 format=time caps=video/x-raw,format=RGB,"
                          "width=32,height=64,framerate=0/1 ! pngenc ! appsink name=out sync=false",
                          NULL);
  if (pipe == NULL)
    return hm_fail(err, HM_UNSUPPORTED, "GStreamer's pngenc (plugins-good) is not installed");
  png = encoded(pipe, gst_buffer_new_memdup(rgb, RGB));
  gst_element_set_state(pipe, GST_STATE_NULL);
  if (png == NULL)
    return hm_fail(err, HM_STATE, "the picture could not be written as PNG");
  return write_out(png, path, err);
}

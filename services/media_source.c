/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One row a scheme: the pipeline with its element "s" for the string and "d" for the
 * output, and the function that sets the string.
 */
#include "services/media_source.h"

#include <string.h>
#include <sys/stat.h>

struct scheme {
  const char *prefix;
  const char *pipeline; /* NULL: the string is one */
  enum hm_status (*set)(GstElement *s, const char *source, const char *rest, struct hm_error *err);
  bool is_recording, ends;
};

static enum hm_status set_file(GstElement *s, const char *source, const char *rest,
                               struct hm_error *err)
{
  struct stat what;

  (void)source;
  if (rest[0] != '/')
    return hm_fail(err, HM_MALFORMED, "file: needs a path that begins with /");
  /* opening a FIFO or a device would hold up every other source */
  if (stat(rest, &what) == 0 && !S_ISREG(what.st_mode))
    return hm_fail(err, HM_MALFORMED, "file: is not a regular file");
  g_object_set(s, "location", rest, NULL);
  return HM_OK;
}

static enum hm_status set_v4l2(GstElement *s, const char *source, const char *rest,
                               struct hm_error *err)
{
  g_autofree char *device = NULL;
  const char *node = g_str_has_prefix(rest, "/dev/") ? rest + 5 : rest;

  (void)source;
  if (!g_str_has_prefix(node, "video") || node[5] == '\0' ||
      strspn(node + 5, "0123456789") != strlen(node + 5))
    return hm_fail(err, HM_MALFORMED, "v4l2: needs a node such as video0");
  device = g_strconcat("/dev/", node, NULL);
  g_object_set(s, "device", device, NULL);
  return HM_OK;
}

static enum hm_status set_csi(GstElement *s, const char *source, const char *rest,
                              struct hm_error *err)
{
  guint64 number = 0;

  (void)source;
  if (!g_ascii_string_to_unsigned(rest, 10, 0, 99, &number, NULL))
    return hm_fail(err, HM_MALFORMED, "csi: needs a sensor's number, 0 to 99");
  g_object_set(s, "sensor-id", (gint)number, NULL);
  return HM_OK;
}

static enum hm_status set_rtsp(GstElement *s, const char *source, const char *rest,
                               struct hm_error *err)
{
  if (rest[0] == '\0')
    return hm_fail(err, HM_MALFORMED, "rtsp:// needs a host");
  g_object_set(s, "location", source, NULL);
  return HM_OK;
}

static const struct scheme schemes[] = {
    {"file:", "filesrc name=s ! decodebin name=d", set_file, true, true},
    {"v4l2:", "v4l2src name=s ! decodebin name=d", set_v4l2, false, false},
    {"csi:", "nvarguscamerasrc name=s ! nvvidconv ! video/x-raw,format=NV12 ! identity name=d",
     set_csi, false, false},
    {"rtsp://",
     "rtspsrc name=s protocols=tcp latency=200 tcp-timeout=5000000 ! "
     "application/x-rtp,media=video ! decodebin name=d",
     set_rtsp, false, false},
    {"rtsps://",
     "rtspsrc name=s protocols=tcp latency=200 tcp-timeout=5000000 ! "
     "application/x-rtp,media=video ! decodebin name=d",
     set_rtsp, false, false},
    {"gst:", NULL, NULL, false, true},
};

static const struct scheme *scheme_of(const char *source)
{
  for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++)
    if (g_str_has_prefix(source, schemes[i].prefix))
      return &schemes[i];
  return NULL;
}

/* gst:"..." and gst:... are the same. With an element behind it the description may
 * end in caps, as on gst-launch's command line, or in an element whose pads come late. */
static char *completed(const char *rest)
{
  size_t len = strlen(rest);

  if (len >= 2 && rest[0] == '"' && rest[len - 1] == '"')
    return g_strdup_printf("%.*s ! identity", (int)(len - 2), rest + 1);
  return g_strdup_printf("%s ! identity", rest);
}

/* The error of a parser quotes what it was given, so only its kind is told. */
static enum hm_status parse_failed(const char *what, GError *error, struct hm_error *err)
{
  bool missing = g_error_matches(error, GST_PARSE_ERROR, GST_PARSE_ERROR_NO_SUCH_ELEMENT);

  g_clear_error(&error);
  if (missing)
    return hm_fail(err, HM_UNSUPPORTED, "%s: an element of it is not installed", what);
  return hm_fail(err, HM_MALFORMED, "%s is no pipeline that GStreamer can make", what);
}

static GstElement *parsed(const char *description, gboolean ghost, const char *what,
                          struct hm_error *err)
{
  GError *error = NULL;
  GstElement *bin = gst_parse_bin_from_description_full(
      description, ghost, NULL, GST_PARSE_FLAG_FATAL_ERRORS | GST_PARSE_FLAG_NO_SINGLE_ELEMENT_BINS,
      &error);

  if (bin != NULL)
    return bin;
  parse_failed(what, error, err);
  return NULL;
}

static enum hm_status make_users(const char *rest, struct media_source *out, struct hm_error *err)
{
  g_autofree char *description = completed(rest);
  GstElement *source = parsed(description, TRUE, "gst", err);
  GstElement *decode;

  if (source == NULL)
    return err->status;
  decode = gst_element_factory_make("decodebin", "d");
  if (decode == NULL) {
    gst_object_unref(gst_object_ref_sink(source));
    return hm_fail(err, HM_UNSUPPORTED, "decodebin is not installed");
  }
  out->bin = gst_bin_new(NULL);
  out->last = decode;
  gst_bin_add_many(GST_BIN(out->bin), source, decode, NULL);
  if (gst_element_link(source, decode))
    return HM_OK;
  gst_object_unref(gst_object_ref_sink(out->bin));
  out->bin = NULL;
  return hm_fail(err, HM_MALFORMED, "gst: does not end in an element with a free source pad");
}

static enum hm_status make_ours(const struct scheme *scheme, const char *source,
                                struct media_source *out, struct hm_error *err)
{
  GstElement *bin = parsed(scheme->pipeline, FALSE, "its pipeline", err);
  g_autoptr(GstElement) s = NULL;
  enum hm_status status;

  if (bin == NULL)
    return err->status;
  s = gst_bin_get_by_name(GST_BIN(bin), "s");
  status = scheme->set(s, source, source + strlen(scheme->prefix), err);
  if (status != HM_OK) {
    gst_object_unref(gst_object_ref_sink(bin));
    return status;
  }
  out->bin = bin;
  out->last = gst_bin_get_by_name(GST_BIN(bin), "d");
  gst_object_unref(out->last); /* the bin keeps it */
  return HM_OK;
}

enum hm_status media_source_make(const char *source, struct media_source *out, struct hm_error *err)
{
  const struct scheme *scheme = scheme_of(source);

  memset(out, 0, sizeof *out);
  if (scheme == NULL)
    return hm_fail(err, HM_MALFORMED, "no source of a kind that hallmark-media plays");
  out->is_recording = scheme->is_recording;
  out->ends = scheme->ends;
  if (scheme->pipeline == NULL)
    return make_users(source + strlen(scheme->prefix), out, err);
  return make_ours(scheme, source, out, err);
}

void media_source_scrub(const char *text, char *out, size_t cap)
{
  g_autoptr(GString) shown = g_string_new(NULL);

  while (*text != '\0') {
    if (g_str_has_prefix(text, "://")) {
      size_t word = strcspn(text, " \t\r\n\"'<>");
      const char *at = g_strrstr_len(text, (gssize)word, "@");

      g_string_append(shown, "://");
      text = at != NULL ? at + 1 : text + 3;
    } else {
      g_string_append_c(shown, *text++);
    }
  }
  g_strlcpy(out, shown->str, cap);
}

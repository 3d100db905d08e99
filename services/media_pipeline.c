/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Threads: the main loop makes, starts, watches and stops; GStreamer's streaming
 * thread runs the probes at the gate's sink and at the sink, and shares with the main
 * loop only atomics and the observer. States of a pipeline are three: playing (pipe
 * is there), waiting (retry is set), ended (neither).
 */
#include "services/media_pipeline.h"

#include <gst/video/video.h>
#include <stdatomic.h>
#include <string.h>

#include "sensors/gst_meta.h"
#include "services/clock.h"
#include "services/media_observer.h"
#include "services/media_source.h"
#include "services/text.h"

enum {
  TICK_MS = 250,
  STALL_MS = 1500, /* with a tick on top still under 2 s */
  DEAD_MS = 10000,
  RETRY_MOST_S = 90
};

#define MS_NS UINT64_C(1000000)

struct media_pipeline {
  char *socket, *sensor, *source;
  char lct[2 * HM_HASH + 1];
  struct media_observer *observer;

  GstElement *pipe, *gate; /* NULL while not playing; gate is the pipe's */
  gboolean is_recording, ends;
  guint bus_watch, tick, retry;
  guint retry_s; /* the wait before this try; 0 after a frame */
  gboolean is_stalled;

  atomic_uint_fast64_t arrived_ns; /* when a buffer last came to the gate */
  atomic_bool is_flowing;          /* one passed since this try began */
  atomic_uint_fast64_t frame;      /* number of the last one */

  /* streaming thread */
  gboolean is_known; /* the observer knows whether it may wait */
  enum hm_sensor_state state;
};

static void begin(struct media_pipeline *p);
static void end(struct media_pipeline *p);

/* ---- linking: decoded video to the gate ------------------------------------------ */

static gboolean is_video(const GstCaps *caps)
{
  return caps != NULL && !gst_caps_is_any(caps) && gst_caps_get_size(caps) > 0 &&
         gst_structure_has_name(gst_caps_get_structure(caps, 0), "video/x-raw");
}

static gboolean is_too_large(const GstCaps *caps)
{
  const GstStructure *s = gst_caps_get_structure(caps, 0);
  gint width = 0, height = 0;

  gst_structure_get_int(s, "width", &width);
  gst_structure_get_int(s, "height", &height);
  return width > HM_FRAME_MAX_SIDE || height > HM_FRAME_MAX_SIDE;
}

/* Video is decoded, the rest is left as it is and unlinked. */
static gboolean autoplug_continue(GstElement *decode, GstPad *pad, GstCaps *caps, gpointer data)
{
  const char *name = gst_structure_get_name(gst_caps_get_structure(caps, 0));

  (void)decode;
  (void)pad;
  (void)data;
  return !g_str_has_prefix(name, "audio/") && !g_str_has_prefix(name, "text/") &&
         !g_str_has_prefix(name, "subpicture/");
}

/* The converter for these caps: none where the CPU can read a format that the tiles
 * know; the board's own for its own memory; else GStreamer's. */
static GstElement *converter_for(const GstCaps *caps)
{
  static const char *const on_board[] = {"nvvidconv", "nvvideoconvert"};
  GstCapsFeatures *features = gst_caps_get_features(caps, 0);
  g_autoptr(GstCaps) readable =
      gst_caps_from_string("video/x-raw, format=(string){ NV12, I420, GRAY8 }");

  if (gst_caps_can_intersect(caps, readable))
    return gst_element_factory_make("identity", NULL);
  if (features != NULL && gst_caps_features_contains(features, "memory:NVMM"))
    for (size_t i = 0; i < G_N_ELEMENTS(on_board); i++) {
      GstElement *converter = gst_element_factory_make(on_board[i], NULL);

      if (converter != NULL)
        return converter;
    }
  return gst_element_factory_make("videoconvert", NULL);
}

static void link_video(struct media_pipeline *p, GstPad *pad)
{
  g_autoptr(GstCaps) caps = gst_pad_get_current_caps(pad);
  g_autoptr(GstPad) into = gst_element_get_static_pad(p->gate, "sink");
  g_autoptr(GstPad) in = NULL;
  g_autoptr(GstPad) out = NULL;
  GstElement *converter;

  if (caps == NULL)
    caps = gst_pad_query_caps(pad, NULL);
  if (!is_video(caps) || gst_pad_is_linked(into))
    return;
  if (is_too_large(caps)) {
    GST_ELEMENT_ERROR(p->gate, STREAM, FORMAT,
                      ("its video has more than %d pixels a side", HM_FRAME_MAX_SIDE), (NULL));
    return;
  }
  converter = converter_for(caps);
  if (converter == NULL || !gst_bin_add(GST_BIN(p->pipe), converter))
    return;
  in = gst_element_get_static_pad(converter, "sink");
  out = gst_element_get_static_pad(converter, "src");
  if (gst_pad_link(out, into) != GST_PAD_LINK_OK || gst_pad_link(pad, in) != GST_PAD_LINK_OK)
    GST_ELEMENT_ERROR(converter, STREAM, FORMAT, ("its video has no format that can be measured"),
                      (NULL));
  gst_element_sync_state_with_parent(converter);
}

static void pad_added(GstElement *decode, GstPad *pad, gpointer data)
{
  struct media_pipeline *p = (struct media_pipeline *)data;
  GstPad *ghost;

  (void)decode;
  if (GST_PAD_IS_SINK(pad))
    return;
  /* the decoder stands in the source's bin: its pad goes out through the bin */
  ghost = gst_ghost_pad_new(NULL, pad);
  gst_pad_set_active(ghost, TRUE);
  gst_element_add_pad(GST_ELEMENT(GST_OBJECT_PARENT(decode)), ghost);
  link_video(p, ghost);
}

static void no_more_pads(GstElement *decode, gpointer data)
{
  struct media_pipeline *p = (struct media_pipeline *)data;
  g_autoptr(GstPad) into = gst_element_get_static_pad(p->gate, "sink");

  if (!gst_pad_is_linked(into))
    GST_ELEMENT_ERROR(decode, STREAM, WRONG_TYPE, ("there is no video in it"), (NULL));
}

/* ---- probes: streaming thread ---------------------------------------------------- */

static GstPadProbeReturn at_gate(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  struct media_pipeline *p = (struct media_pipeline *)data;

  (void)pad;
  (void)info;
  atomic_store(&p->arrived_ns, hm_boottime_ns());
  return GST_PAD_PROBE_OK;
}

static void learn_whether_it_waits(struct media_pipeline *p, GstPad *pad)
{
  GstQuery *query = gst_query_new_latency();
  gboolean live = TRUE;

  if (gst_pad_peer_query(pad, query))
    gst_query_parse_latency(query, &live, NULL, NULL);
  gst_query_unref(query);
  media_observer_set_waits(p->observer, !live);
  p->is_known = TRUE;
}

static void tell_changes(struct media_pipeline *p, const struct hm_tiles_meta *tiles)
{
  if (!atomic_exchange(&p->is_flowing, true))
    media_observer_event(p->observer, HM_GATE_EVENT_FLOWING, tiles->frame, "");
  if (tiles->trust.state != p->state)
    media_observer_event(p->observer, HM_GATE_EVENT_STATE, tiles->frame,
                         hm_sensor_state_text(tiles->trust.state));
  p->state = tiles->trust.state;
  atomic_store(&p->frame, tiles->frame);
}

static GstPadProbeReturn at_sink(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  struct media_pipeline *p = (struct media_pipeline *)data;
  const struct hm_tiles_meta *tiles;

  if ((info->type & GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM) != 0) {
    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS && p->ends)
      media_observer_end(p->observer, atomic_load(&p->frame));
    return GST_PAD_PROBE_OK;
  }
  tiles = hm_buffer_tiles(GST_PAD_PROBE_INFO_BUFFER(info));
  if (tiles == NULL)
    return GST_PAD_PROBE_OK;
  if (!p->is_known)
    learn_whether_it_waits(p, pad);
  tell_changes(p, tiles);
  media_observer_frame(p->observer, tiles, GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)));
  return GST_PAD_PROBE_OK;
}

static void probe(GstElement *element, const char *pad_name, GstPadProbeType type,
                  GstPadProbeCallback callback, struct media_pipeline *p)
{
  g_autoptr(GstPad) pad = gst_element_get_static_pad(element, pad_name);

  gst_pad_add_probe(pad, type, callback, p, NULL);
}

/* ---- failing and trying again: main loop ----------------------------------------- */

static gboolean try_again(gpointer data)
{
  struct media_pipeline *p = (struct media_pipeline *)data;

  p->retry = 0;
  begin(p);
  return G_SOURCE_REMOVE;
}

static void failed(struct media_pipeline *p, const char *why, bool may_retry)
{
  char text[HM_GATE_TEXT + 1];
  gboolean flowed = atomic_load(&p->is_flowing);

  hm_log(HM_LOG_WARNING, "source-failed", "%s: %s", p->sensor, why);
  media_observer_event(p->observer, HM_GATE_EVENT_ERROR, atomic_load(&p->frame), why);
  end(p);
  if (p->is_recording || !may_retry)
    return;
  p->retry_s = flowed || p->retry_s == 0 ? 1 : MIN(p->retry_s * 2, RETRY_MOST_S);
  g_snprintf(text, sizeof text, "in %u s", p->retry_s);
  media_observer_event(p->observer, HM_GATE_EVENT_RECONNECT, atomic_load(&p->frame), text);
  p->retry = g_timeout_add_seconds(p->retry_s, try_again, p);
}

static void ended(struct media_pipeline *p)
{
  if (!p->ends) {
    failed(p, "the stream ended", true);
    return;
  }
  hm_log(HM_LOG_INFO, "source-ended", "%s: ended after frame %" G_GUINT64_FORMAT, p->sensor,
         (guint64)atomic_load(&p->frame));
  end(p);
}

static void tell_gate(struct media_pipeline *p, const GstStructure *said)
{
  const gchar *state = gst_structure_get_string(said, "state");
  const gchar *text = gst_structure_get_string(said, "text");
  guint64 frame = 0;

  gst_structure_get_uint64(said, "frame", &frame);
  hm_log(HM_LOG_INFO, "gate", "%s: gate %s after frame %" G_GUINT64_FORMAT ": %s", p->sensor, state,
         frame, text);
  if (g_strcmp0(state, "shut") == 0)
    media_observer_event(p->observer, HM_GATE_EVENT_SHUT, frame, text);
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer data)
{
  struct media_pipeline *p = (struct media_pipeline *)data;
  g_autoptr(GError) error = NULL;
  char text[HM_ERROR_TEXT];

  (void)bus;
  switch (GST_MESSAGE_TYPE(message)) {
  case GST_MESSAGE_ERROR:
    gst_message_parse_error(message, &error, NULL);
    media_source_scrub(error->message, text, sizeof text);
    p->bus_watch = 0;
    failed(p, text, true);
    return G_SOURCE_REMOVE;
  case GST_MESSAGE_EOS:
    p->bus_watch = 0;
    ended(p);
    return G_SOURCE_REMOVE;
  case GST_MESSAGE_ELEMENT:
    if (gst_message_has_name(message, "hallmark-gate"))
      tell_gate(p, gst_message_get_structure(message));
    return G_SOURCE_CONTINUE;
  default:
    return G_SOURCE_CONTINUE;
  }
}

static gboolean gate_is_open(const struct media_pipeline *p)
{
  g_autofree gchar *state = NULL;

  g_object_get(p->gate, "state", &state, NULL);
  return g_strcmp0(state, "open") == 0;
}

static gboolean on_tick(gpointer data)
{
  struct media_pipeline *p = (struct media_pipeline *)data;
  guint64 silent_ns;

  media_observer_tick(p->observer);
  if (p->pipe == NULL || p->is_recording)
    return G_SOURCE_CONTINUE;
  silent_ns = atomic_load(&p->arrived_ns); /* before the clock: it must not be the later one */
  silent_ns = hm_boottime_ns() - silent_ns;
  if (silent_ns < STALL_MS * MS_NS) {
    p->is_stalled = FALSE;
  } else if (silent_ns >= DEAD_MS * MS_NS) {
    failed(p, "no frame for 10 s", true);
  } else if (!p->is_stalled && atomic_load(&p->is_flowing) && gate_is_open(p)) {
    p->is_stalled = TRUE;
    media_observer_event(p->observer, HM_GATE_EVENT_STALLED, atomic_load(&p->frame), "no frame");
    hm_log(HM_LOG_WARNING, "source-stalled", "%s: no frame since %.1f s", p->sensor,
           (double)silent_ns / 1e9);
  }
  return G_SOURCE_CONTINUE;
}

/* ---- making and ending ----------------------------------------------------------- */

/* NULL where an element is missing: err says which. */
static GstElement *add(struct media_pipeline *p, const char *factory, struct hm_error *err)
{
  GstElement *element = gst_element_factory_make(factory, NULL);

  if (element == NULL)
    hm_fail(err, HM_UNSUPPORTED, "element %s is not installed", factory);
  else
    gst_bin_add(GST_BIN(p->pipe), element);
  return element;
}

static enum hm_status add_ours(struct media_pipeline *p, struct hm_error *err)
{
  GstElement *tiles, *sink;

  p->gate = add(p, "hallmarkgate", err);
  tiles = add(p, "hallmarktiles", err);
  sink = add(p, "fakesink", err);
  if (p->gate == NULL || tiles == NULL || sink == NULL)
    return err->status;
  g_object_set(p->gate, "sensor", p->sensor, "socket", p->socket, NULL);
  g_object_set(tiles, "lct", p->lct, "replay", p->is_recording, "post-messages", FALSE, NULL);
  g_object_set(sink, "sync", FALSE, NULL);
  probe(p->gate, "sink", GST_PAD_PROBE_TYPE_BUFFER, at_gate, p);
  probe(sink, "sink", GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, at_sink, p);
  if (!gst_element_link_many(p->gate, tiles, sink, NULL))
    return hm_fail(err, HM_STATE, "the pipeline cannot be linked");
  return HM_OK;
}

static enum hm_status add_source(struct media_pipeline *p, struct hm_error *err)
{
  struct media_source source;
  g_autoptr(GstPad) pad = NULL;

  HM_TRY(media_source_make(p->source, &source, err));
  p->is_recording = source.is_recording;
  p->ends = source.ends;
  gst_bin_add(GST_BIN(p->pipe), source.bin);
  HM_TRY(add_ours(p, err));
  pad = gst_element_get_static_pad(source.last, "src");
  if (pad != NULL) { /* no decoder: it is there at once */
    pad_added(source.last, pad, p);
    return HM_OK;
  }
  g_signal_connect(source.last, "autoplug-continue", G_CALLBACK(autoplug_continue), p);
  g_signal_connect(source.last, "pad-added", G_CALLBACK(pad_added), p);
  g_signal_connect(source.last, "no-more-pads", G_CALLBACK(no_more_pads), p);
  return HM_OK;
}

static void begin(struct media_pipeline *p)
{
  struct hm_error err = {HM_OK, ""};
  g_autoptr(GstBus) bus = NULL;

  p->pipe = gst_pipeline_new(p->sensor);
  p->is_known = p->is_stalled = FALSE;
  p->state = HM_SENSOR_OK;
  atomic_store(&p->is_flowing, false);
  atomic_store(&p->arrived_ns, hm_boottime_ns());
  if (add_source(p, &err) != HM_OK) { /* what is malformed stays so */
    failed(p, hm_error_text(&err), err.status != HM_MALFORMED);
    return;
  }
  bus = gst_element_get_bus(p->pipe);
  p->bus_watch = gst_bus_add_watch(bus, on_message, p);
  /* a failure is on the bus as an error */
  gst_element_set_state(p->pipe, GST_STATE_PLAYING);
}

static void end(struct media_pipeline *p)
{
  if (p->pipe == NULL)
    return;
  if (p->bus_watch != 0)
    g_source_remove(p->bus_watch);
  p->bus_watch = 0;
  /* a streaming thread that waits for the daemon would keep the state from changing */
  media_observer_interrupt(p->observer, true);
  gst_element_set_state(p->pipe, GST_STATE_NULL);
  media_observer_interrupt(p->observer, false);
  gst_object_unref(p->pipe);
  p->pipe = p->gate = NULL;
}

enum hm_status media_pipeline_start(const char *socket, const struct media_start *start,
                                    struct media_pipeline **out, struct hm_error *err)
{
  struct media_pipeline *p = g_new0(struct media_pipeline, 1);

  *out = NULL;
  p->observer = media_observer_new(socket, start->sensor);
  if (p->observer == NULL) {
    g_free(p);
    return hm_fail(err, HM_FULL, "%s: no memory or descriptor for its observer", start->sensor);
  }
  p->socket = g_strdup(socket);
  p->sensor = g_strdup(start->sensor);
  p->source = g_strdup(start->source);
  hm_text_hex(start->lct, sizeof start->lct, p->lct);
  p->tick = g_timeout_add(TICK_MS, on_tick, p);
  media_observer_tick(p->observer); /* connected before the gate is: no first frame is lost */
  begin(p);
  *out = p;
  return HM_OK;
}

void media_pipeline_stop(struct media_pipeline *p)
{
  if (p == NULL)
    return;
  end(p);
  if (p->retry != 0)
    g_source_remove(p->retry);
  g_source_remove(p->tick);
  media_observer_free(p->observer);
  g_free(p->socket);
  g_free(p->sensor);
  hm_wipe(p->source, strlen(p->source));
  g_free(p->source);
  g_free(p);
}

bool media_pipeline_is_running(const struct media_pipeline *p)
{
  return p->pipe != NULL || p->retry != 0;
}

bool media_pipeline_is_of(const struct media_pipeline *p, const struct media_start *start)
{
  char lct[2 * HM_HASH + 1];

  hm_text_hex(start->lct, sizeof start->lct, lct);
  return strcmp(p->sensor, start->sensor) == 0 && strcmp(p->source, start->source) == 0 &&
         strcmp(p->lct, lct) == 0;
}

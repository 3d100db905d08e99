/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The element turns a buffer into a struct hm_frame and gives it to the analysis.
 * A buffer's own GstVideoMeta says where its planes lie; nobody else checks it, so
 * it is checked here against the bytes that are mapped before a pixel is read. The
 * streaming thread alone touches the analysis.
 */
#include "sensors/gst_tiles.h"

#include <gst/video/video.h>
#include <stdatomic.h>
#include <time.h>

#include "sensors/gst_meta.h"

GST_DEBUG_CATEGORY_STATIC(hm_tiles_debug);
#define GST_CAT_DEFAULT hm_tiles_debug

struct _HallmarkTiles {
  GstBaseTransform parent;

  /* properties; read when the stream starts */
  guint record, embed, trust_gate, top;
  gboolean is_replay, post_messages;
  guint8 sensor[8];
  gchar *lct;

  /* streaming thread */
  struct hm_analysis *analysis;
  GstVideoInfo info;
  guint64 count;

  atomic_uint_fast64_t measured, invalid;
};

G_DEFINE_TYPE(HallmarkTiles, hallmark_tiles, GST_TYPE_BASE_TRANSFORM)

enum {
  PROP_0,
  PROP_RECORD,
  PROP_EMBED,
  PROP_TRUST_GATE,
  PROP_TOP,
  PROP_REPLAY,
  PROP_LCT,
  PROP_POST_MESSAGES,
  PROP_MEASURED,
  PROP_INVALID,
  PROPS
};
static GParamSpec *props[PROPS];

#define CAPS GST_VIDEO_CAPS_MAKE("{ NV12, I420, GRAY8 }")
static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS(CAPS));

/* ---- a buffer as a frame --------------------------------------------------------- */

static enum hm_format format_of(const GstVideoInfo *info)
{
  switch (GST_VIDEO_INFO_FORMAT(info)) {
  case GST_VIDEO_FORMAT_I420:
    return HM_I420;
  case GST_VIDEO_FORMAT_NV12:
    return HM_NV12;
  default:
    return HM_GRAY8;
  }
}

/* Bytes from the first to the last sample of a plane; 0 where that cannot be. */
static gsize plane_bytes(const GstVideoInfo *info, guint plane, gint stride)
{
  guint component = plane; /* Y, then Cb or the interleaved pair, then Cr */
  gsize width = (gsize)GST_VIDEO_INFO_COMP_WIDTH(info, component) *
                (gsize)GST_VIDEO_INFO_COMP_PSTRIDE(info, component);
  gsize height = (gsize)GST_VIDEO_INFO_COMP_HEIGHT(info, component);

  if (stride <= 0 || (gsize)stride < width || height == 0)
    return 0;
  return (gsize)stride * (height - 1) + width;
}

static enum hm_status frame_of(const GstVideoInfo *info, GstBuffer *buffer, const GstMapInfo *map,
                               struct hm_frame *frame)
{
  const GstVideoMeta *meta = gst_buffer_get_video_meta(buffer);
  const uint8_t *planes[3] = {NULL, NULL, NULL};
  size_t strides[3] = {0, 0, 0};
  guint count = GST_VIDEO_INFO_N_PLANES(info);

  if (meta != NULL && (meta->n_planes != count || meta->format != GST_VIDEO_INFO_FORMAT(info) ||
                       meta->width != (guint)GST_VIDEO_INFO_WIDTH(info) ||
                       meta->height != (guint)GST_VIDEO_INFO_HEIGHT(info)))
    return HM_MISMATCH;
  for (guint i = 0; i < count && i < 3; i++) {
    gsize offset = meta != NULL ? meta->offset[i] : GST_VIDEO_INFO_PLANE_OFFSET(info, i);
    gint stride = meta != NULL ? meta->stride[i] : GST_VIDEO_INFO_PLANE_STRIDE(info, i);
    gsize bytes = plane_bytes(info, i, stride);

    if (bytes == 0 || offset > map->size || bytes > map->size - offset)
      return HM_TRUNCATED;
    planes[i] = map->data + offset;
    strides[i] = (size_t)stride;
  }
  return hm_frame_make(
      format_of(info),
      info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255 ? HM_RANGE_FULL : HM_RANGE_LIMITED,
      info->colorimetry.matrix == GST_VIDEO_COLOR_MATRIX_BT709 ? HM_BT709 : HM_BT601,
      (uint32_t)GST_VIDEO_INFO_WIDTH(info), (uint32_t)GST_VIDEO_INFO_HEIGHT(info), planes, strides,
      frame);
}

/* ---- measuring ------------------------------------------------------------------- */

static enum hm_status sha256(const struct hm_bytes *parts, size_t count, uint8_t out[HM_HASH])
{
  GChecksum *sum = g_checksum_new(G_CHECKSUM_SHA256);
  gsize length = HM_HASH;

  if (sum == NULL)
    return HM_UNSUPPORTED;
  for (size_t i = 0; i < count; i++)
    if (parts[i].len > 0)
      g_checksum_update(sum, parts[i].data, (gssize)parts[i].len);
  g_checksum_get_digest(sum, out, &length);
  g_checksum_free(sum);
  return HM_OK;
}

static guint64 boottime_ns(void)
{
  struct timespec t = {0, 0};

  clock_gettime(CLOCK_BOOTTIME, &t);
  return (guint64)t.tv_sec * GST_SECOND + (guint64)t.tv_nsec;
}

/* A recording's time is its own; a live source's is when its frame passed. */
static void stamp_of(HallmarkTiles *self, GstBuffer *buffer, struct hm_stamp *stamp,
                     struct hm_tiles_meta *tiles)
{
  const struct hm_pass_meta *passed = hm_buffer_pass(buffer);

  memset(stamp, 0, sizeof *stamp);
  tiles->frame = passed != NULL ? passed->pass.frame : self->count;
  tiles->boottime_ns = passed != NULL ? passed->pass.boottime_ns : boottime_ns();
  stamp->sequence = (uint32_t)tiles->frame;
  stamp->is_replay = self->is_replay;
  stamp->capture_ns = self->is_replay && GST_BUFFER_PTS_IS_VALID(buffer) ? GST_BUFFER_PTS(buffer)
                                                                         : tiles->boottime_ns;
  memcpy(stamp->sensor, self->sensor, sizeof stamp->sensor);
  if (passed != NULL) {
    stamp->context = (uint16_t)passed->pass.context;
    stamp->kid[0] = (uint8_t)(passed->pass.kid16 >> 8);
    stamp->kid[1] = (uint8_t)passed->pass.kid16;
  }
}

static void keep(struct hm_tiles_meta *tiles, const struct hm_frame *frame,
                 const struct hm_analysis_result *result)
{
  tiles->width = frame->width;
  tiles->height = frame->height;
  tiles->format = frame->format;
  tiles->grid = result->grid;
  tiles->trust = result->trust;
  tiles->candidates = result->candidates;
  tiles->region_count = result->region_count;
  memcpy(tiles->record, result->record, sizeof tiles->record);
  tiles->tiles = g_memdup2(result->tiles, (gsize)result->grid.columns * result->grid.rows *
                                              sizeof result->tiles[0]);
  tiles->regions = g_memdup2(result->regions, result->region_count * sizeof result->regions[0]);
}

static void post(HallmarkTiles *self, const struct hm_tiles_meta *tiles)
{
  GBytes *record = g_bytes_new(tiles->record, sizeof tiles->record);
  GstStructure *said = gst_structure_new(
      "hallmark-tiles", "frame", G_TYPE_UINT64, tiles->frame, "trust", G_TYPE_DOUBLE,
      tiles->trust.value / 256.0, "reason", G_TYPE_STRING, hm_factor_text(tiles->trust.reason),
      "state", G_TYPE_STRING, hm_sensor_state_text(tiles->trust.state), "regions", G_TYPE_UINT,
      tiles->region_count, "candidates", G_TYPE_UINT, tiles->candidates, "value", G_TYPE_DOUBLE,
      tiles->region_count > 0 ? tiles->regions[0].value / 256.0 : 0.0, "record", G_TYPE_BYTES,
      record, NULL);

  g_bytes_unref(record);
  gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), said));
}

static enum hm_status measure(HallmarkTiles *self, GstBuffer *buffer, const GstMapInfo *map)
{
  const struct hm_analysis_result *result = NULL;
  struct hm_tiles_meta *tiles;
  struct hm_stamp stamp;
  struct hm_frame frame;

  HM_TRY(frame_of(&self->info, buffer, map, &frame));
  tiles = hm_buffer_add_tiles(buffer);
  if (tiles == NULL)
    return HM_FULL;
  self->count++;
  stamp_of(self, buffer, &stamp, tiles);
  HM_TRY(hm_analysis_frame(self->analysis, &frame, &stamp, &result));
  keep(tiles, &frame, result);
  if (self->post_messages)
    post(self, tiles);
  return HM_OK;
}

static GstFlowReturn transform_ip(GstBaseTransform *base, GstBuffer *buffer)
{
  HallmarkTiles *self = HALLMARK_TILES(base);
  enum hm_status status = HM_IO;
  GstMapInfo map;

  if (gst_buffer_map(buffer, &map, GST_MAP_READ)) {
    status = measure(self, buffer, &map);
    gst_buffer_unmap(buffer, &map);
  }
  if (status == HM_OK) {
    atomic_fetch_add(&self->measured, 1);
    return GST_FLOW_OK;
  }
  atomic_fetch_add(&self->invalid, 1);
  GST_WARNING_OBJECT(self, "buffer of %" G_GSIZE_FORMAT " bytes dropped: %s",
                     gst_buffer_get_size(buffer), hm_status_text(status));
  return GST_BASE_TRANSFORM_FLOW_DROPPED;
}

static gboolean set_caps(GstBaseTransform *base, GstCaps *in, GstCaps *out)
{
  HallmarkTiles *self = HALLMARK_TILES(base);

  (void)out;
  return gst_video_info_from_caps(&self->info, in);
}

/* We read by GstVideoMeta, so upstream may use any strides. */
static gboolean propose_allocation(GstBaseTransform *base, GstQuery *decide, GstQuery *query)
{
  if (!GST_BASE_TRANSFORM_CLASS(hallmark_tiles_parent_class)
           ->propose_allocation(base, decide, query))
    return FALSE;
  if (!gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL))
    gst_query_add_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL);
  return TRUE;
}

static gboolean start(GstBaseTransform *base)
{
  HallmarkTiles *self = HALLMARK_TILES(base);
  struct hm_analysis_config config = {.sha256 = sha256,
                                      .record_q8 = (uint16_t)self->record,
                                      .embed_q8 = (uint16_t)self->embed,
                                      .trust_gate_q8 = (uint16_t)self->trust_gate,
                                      .top = (uint8_t)self->top};

  self->analysis = hm_analysis_new(&config);
  self->count = 0;
  if (self->analysis == NULL)
    GST_ELEMENT_ERROR(self, RESOURCE, NO_SPACE_LEFT, ("hallmarktiles: memory is short"), (NULL));
  return self->analysis != NULL;
}

static gboolean stop(GstBaseTransform *base)
{
  HallmarkTiles *self = HALLMARK_TILES(base);

  hm_analysis_free(self->analysis);
  self->analysis = NULL;
  return TRUE;
}

/* ---- properties ------------------------------------------------------------------ */

/* The first 16 hex digits of the sensor's LCT id; anything else is no LCT. */
static void set_lct(HallmarkTiles *self, const gchar *hex)
{
  guint8 head[8] = {0};

  for (guint i = 0; hex != NULL && i < sizeof head; i++) {
    gint high = g_ascii_xdigit_value(hex[2 * i]);
    gint low = high < 0 ? -1 : g_ascii_xdigit_value(hex[2 * i + 1]);

    if (low < 0) {
      GST_WARNING_OBJECT(self, "lct: 16 hex digits or more are needed");
      return;
    }
    head[i] = (guint8)(high << 4 | low);
  }
  g_free(self->lct);
  self->lct = g_strdup(hex);
  memcpy(self->sensor, head, sizeof head);
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  HallmarkTiles *self = HALLMARK_TILES(object);

  switch (id) {
  case PROP_RECORD:
    self->record = g_value_get_uint(value);
    break;
  case PROP_EMBED:
    self->embed = g_value_get_uint(value);
    break;
  case PROP_TRUST_GATE:
    self->trust_gate = g_value_get_uint(value);
    break;
  case PROP_TOP:
    self->top = g_value_get_uint(value);
    break;
  case PROP_REPLAY:
    self->is_replay = g_value_get_boolean(value);
    break;
  case PROP_LCT:
    set_lct(self, g_value_get_string(value));
    break;
  case PROP_POST_MESSAGES:
    self->post_messages = g_value_get_boolean(value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  HallmarkTiles *self = HALLMARK_TILES(object);

  switch (id) {
  case PROP_RECORD:
    g_value_set_uint(value, self->record);
    break;
  case PROP_EMBED:
    g_value_set_uint(value, self->embed);
    break;
  case PROP_TRUST_GATE:
    g_value_set_uint(value, self->trust_gate);
    break;
  case PROP_TOP:
    g_value_set_uint(value, self->top);
    break;
  case PROP_REPLAY:
    g_value_set_boolean(value, self->is_replay);
    break;
  case PROP_LCT:
    g_value_set_string(value, self->lct);
    break;
  case PROP_POST_MESSAGES:
    g_value_set_boolean(value, self->post_messages);
    break;
  case PROP_MEASURED:
    g_value_set_uint64(value, atomic_load(&self->measured));
    break;
  case PROP_INVALID:
    g_value_set_uint64(value, atomic_load(&self->invalid));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
}

static void finalize(GObject *object)
{
  g_free(HALLMARK_TILES(object)->lct);
  G_OBJECT_CLASS(hallmark_tiles_parent_class)->finalize(object);
}

static void install_properties(GObjectClass *class)
{
  const GParamFlags set = G_PARAM_READWRITE | GST_PARAM_MUTABLE_READY | G_PARAM_STATIC_STRINGS;
  const GParamFlags shown = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  props[PROP_RECORD] =
      g_param_spec_uint("record", "Record", "Value in 256ths from which a region is an observation",
                        1, 256, HM_VALUE_RECORD, set);
  props[PROP_EMBED] = g_param_spec_uint(
      "embed", "Embed", "Value in 256ths from which it is a memory", 1, 256, HM_VALUE_EMBED, set);
  props[PROP_TRUST_GATE] = g_param_spec_uint(
      "trust-gate", "Trust gate", "Frame trust in 256ths below which nothing is recorded", 1, 256,
      HM_TRUST_GATE, set);
  props[PROP_TOP] = g_param_spec_uint("top", "Top", "Most regions a frame", 1, HM_REGIONS_MAX,
                                      HM_REGIONS_MAX, set);
  props[PROP_REPLAY] = g_param_spec_boolean(
      "replay", "Replay", "The source is a recording: its own times, state \"replay\"", FALSE, set);
  props[PROP_LCT] = g_param_spec_string(
      "lct", "LCT", "LCT id of the sensor in hex (its first 16 digits go into records)", NULL, set);
  props[PROP_POST_MESSAGES] =
      g_param_spec_boolean("post-messages", "Post messages",
                           "Post an element message \"hallmark-tiles\" for every frame", TRUE, set);
  props[PROP_MEASURED] =
      g_param_spec_uint64("measured", "Measured", "Frames measured", 0, G_MAXUINT64, 0, shown);
  props[PROP_INVALID] = g_param_spec_uint64("invalid", "Invalid",
                                            "Buffers dropped: short, unmappable or mis-described",
                                            0, G_MAXUINT64, 0, shown);
  g_object_class_install_properties(class, PROPS, props);
}

static void hallmark_tiles_class_init(HallmarkTilesClass *class)
{
  GObjectClass *object = G_OBJECT_CLASS(class);
  GstElementClass *element = GST_ELEMENT_CLASS(class);
  GstBaseTransformClass *base = GST_BASE_TRANSFORM_CLASS(class);

  GST_DEBUG_CATEGORY_INIT(hm_tiles_debug, "hallmarktiles", 0, "Hallmark's tiles");
  object->set_property = set_property;
  object->get_property = get_property;
  object->finalize = finalize;
  install_properties(object);
  base->start = start;
  base->stop = stop;
  base->set_caps = set_caps;
  base->propose_allocation = propose_allocation;
  base->transform_ip = transform_ip;
  gst_element_class_add_static_pad_template(element, &sink_template);
  gst_element_class_add_static_pad_template(element, &src_template);
  gst_element_class_set_static_metadata(
      element, "Hallmark tiles", "Filter/Analyzer/Video",
      "Measures tiles, trust, motion and focus of each frame in place", "The Hallmark authors");
}

static void hallmark_tiles_init(HallmarkTiles *self)
{
  self->record = HM_VALUE_RECORD;
  self->embed = HM_VALUE_EMBED;
  self->trust_gate = HM_TRUST_GATE;
  self->top = HM_REGIONS_MAX;
  self->post_messages = TRUE;
  gst_video_info_init(&self->info);
}

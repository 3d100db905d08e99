/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The element is glue: sensors/gate_client.c decides. A client lives from READY to
 * PAUSED and back. `guard` protects the pointer to it and the last view against
 * properties read meanwhile; the chain function needs no guard, for pads are active
 * only while the client lives. Bus messages are posted without any lock of ours.
 */
#include "sensors/gst_gate.h"

#include <pthread.h>

#include "sensors/gst_meta.h"

GST_DEBUG_CATEGORY_STATIC(hm_gate_debug);
#define GST_CAT_DEFAULT hm_gate_debug

enum wait_mode { WAIT_AUTO, WAIT_NEVER, WAIT_ALWAYS };

struct _HallmarkGate {
  GstElement parent;
  GstPad *sink, *src;

  gchar *socket, *sensor; /* guard */
  gint wait;

  pthread_mutex_t guard;
  struct hm_gate_client *client; /* guard */
  struct hm_gate_view last;      /* guard; of the client that was stopped */

  gboolean is_source_known; /* streaming thread */
  gboolean is_source_live;
};

G_DEFINE_TYPE(HallmarkGate, hallmark_gate, GST_TYPE_ELEMENT)

enum {
  PROP_0,
  PROP_SOCKET,
  PROP_SENSOR,
  PROP_WAIT,
  PROP_STATE,
  PROP_REASON,
  PROP_FRAME,
  PROP_PASSED,
  PROP_DROPPED,
  PROPS
};
static GParamSpec *props[PROPS];

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);
static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static GType wait_mode_type(void)
{
  static const GEnumValue values[] = {
      {WAIT_AUTO, "Wait if the source is not live, else drop", "auto"},
      {WAIT_NEVER, "Drop buffers while the gate is shut", "never"},
      {WAIT_ALWAYS, "Hold the stream while the gate is shut", "always"},
      {0, NULL, NULL}};
  static gsize type;

  if (g_once_init_enter(&type))
    g_once_init_leave(&type, g_enum_register_static("HallmarkGateWait", values));
  return (GType)type;
}

/* ---- what is shown --------------------------------------------------------------- */

static void view_of(HallmarkGate *self, struct hm_gate_view *view)
{
  pthread_mutex_lock(&self->guard);
  if (self->client != NULL)
    hm_gate_client_view(self->client, view);
  else
    *view = self->last;
  pthread_mutex_unlock(&self->guard);
}

static const char *sentence(const struct hm_gate_view *view)
{
  return view->text[0] != '\0' ? view->text : hm_gate_reason_text(view->reason);
}

/* From either thread of the client, without its lock. */
static void changed(void *user, struct hm_gate_client *client)
{
  HallmarkGate *self = HALLMARK_GATE(user);
  struct hm_gate_view view;
  GstStructure *said;

  hm_gate_client_view(client, &view);
  pthread_mutex_lock(&self->guard);
  said = gst_structure_new("hallmark-gate", "sensor", G_TYPE_STRING, self->sensor, "state",
                           G_TYPE_STRING, view.is_open ? "open" : "shut", "reason", G_TYPE_STRING,
                           hm_gate_reason_name(view.reason), "text", G_TYPE_STRING, sentence(&view),
                           "frame", G_TYPE_UINT64, (guint64)view.last_frame, NULL);
  pthread_mutex_unlock(&self->guard);
  GST_INFO_OBJECT(self, "%" GST_PTR_FORMAT, said);
  gst_element_post_message(GST_ELEMENT(self), gst_message_new_element(GST_OBJECT(self), said));
}

/* ---- streaming ------------------------------------------------------------------- */

/* A source that does not answer is taken as live: better drop than block a camera. */
static gboolean source_is_live(HallmarkGate *self)
{
  GstQuery *query = gst_query_new_latency();
  gboolean live = TRUE;

  if (gst_pad_peer_query(self->sink, query))
    gst_query_parse_latency(query, &live, NULL, NULL);
  gst_query_unref(query);
  return live;
}

static gboolean must_wait(HallmarkGate *self)
{
  gint mode = g_atomic_int_get(&self->wait);

  if (mode != WAIT_AUTO)
    return mode == WAIT_ALWAYS;
  if (!self->is_source_known) {
    self->is_source_live = source_is_live(self);
    self->is_source_known = TRUE;
    GST_DEBUG_OBJECT(self, "the source is %slive", self->is_source_live ? "" : "not ");
  }
  return !self->is_source_live;
}

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
  HallmarkGate *self = HALLMARK_GATE(parent);
  struct hm_gate_pass pass;
  struct hm_pass_meta *meta;
  GstFlowReturn flow;
  enum hm_status status;

  (void)pad;
  buffer = gst_buffer_make_writable(buffer);
  meta = hm_buffer_add_pass(buffer); /* before the check: nothing slow may follow it */
  status = hm_gate_client_enter(self->client, must_wait(self), &pass);
  if (status != HM_OK) {
    gst_buffer_unref(buffer);
    return status == HM_DENIED ? GST_FLOW_OK : GST_FLOW_FLUSHING;
  }
  meta->pass = pass;
  GST_BUFFER_OFFSET(buffer) = pass.frame;
  GST_BUFFER_OFFSET_END(buffer) = pass.frame + 1;
  flow = gst_pad_push(self->src, buffer);
  hm_gate_client_leave(self->client);
  return flow;
}

static gboolean sink_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
  HallmarkGate *self = HALLMARK_GATE(parent);

  switch (GST_EVENT_TYPE(event)) {
  case GST_EVENT_FLUSH_START:
    hm_gate_client_interrupt(self->client, true);
    break;
  case GST_EVENT_FLUSH_STOP:
    hm_gate_client_interrupt(self->client, false);
    break;
  case GST_EVENT_STREAM_START:
    self->is_source_known = FALSE;
    break;
  default:
    break;
  }
  return gst_pad_event_default(pad, parent, event);
}

/* ---- states ---------------------------------------------------------------------- */

static gboolean start(HallmarkGate *self)
{
  struct hm_gate_client_config config = {.changed = changed, .user = self};
  struct hm_gate_client *client = NULL;
  enum hm_status status;

  config.socket = self->socket;
  config.sensor = self->sensor;
  config.last_frame = self->last.last_frame;
  if (self->sensor == NULL || self->sensor[0] == '\0') {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS, ("hallmarkgate: no sensor is named"),
                      ("set the property sensor to the name of a bound sensor"));
    return FALSE;
  }
  status = hm_gate_client_start(&config, &client);
  if (status != HM_OK) {
    GST_ELEMENT_ERROR(self, RESOURCE, SETTINGS,
                      ("hallmarkgate: sensor %s, socket %s: %s", self->sensor, self->socket,
                       hm_status_text(status)),
                      ("a sensor's name has 1 to %d bytes, a socket path at most %d", HM_GATE_NAME,
                       HM_GATE_PATH));
    return FALSE;
  }
  pthread_mutex_lock(&self->guard);
  self->client = client;
  pthread_mutex_unlock(&self->guard);
  self->is_source_known = FALSE;
  return TRUE;
}

static void stop(HallmarkGate *self)
{
  struct hm_gate_client *client;

  pthread_mutex_lock(&self->guard);
  client = self->client;
  self->client = NULL;
  if (client != NULL) {
    hm_gate_client_view(client, &self->last);
    self->last.is_open = false;
    self->last.reason = HM_GATE_STREAM_ENDED;
    self->last.text[0] = '\0';
  }
  pthread_mutex_unlock(&self->guard);
  hm_gate_client_stop(client);
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange change)
{
  HallmarkGate *self = HALLMARK_GATE(element);
  GstStateChangeReturn result;

  if (change == GST_STATE_CHANGE_READY_TO_PAUSED && !start(self))
    return GST_STATE_CHANGE_FAILURE;
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY && self->client != NULL)
    hm_gate_client_interrupt(self->client, true);
  result = GST_ELEMENT_CLASS(hallmark_gate_parent_class)->change_state(element, change);
  if (change == GST_STATE_CHANGE_PAUSED_TO_READY ||
      (change == GST_STATE_CHANGE_READY_TO_PAUSED && result == GST_STATE_CHANGE_FAILURE))
    stop(self);
  return result;
}

/* ---- properties ------------------------------------------------------------------ */

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  HallmarkGate *self = HALLMARK_GATE(object);

  pthread_mutex_lock(&self->guard);
  switch (id) {
  case PROP_SOCKET:
    g_free(self->socket);
    self->socket = g_value_dup_string(value);
    if (self->socket == NULL)
      self->socket = g_strdup(HM_GATE_SOCKET);
    break;
  case PROP_SENSOR:
    g_free(self->sensor);
    self->sensor = g_value_dup_string(value);
    break;
  case PROP_WAIT:
    g_atomic_int_set(&self->wait, g_value_get_enum(value));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
  pthread_mutex_unlock(&self->guard);
}

static guint64 sum(const uint64_t *counts, size_t n)
{
  guint64 total = 0;

  for (size_t i = 0; i < n; i++)
    total += counts[i];
  return total;
}

static void get_shown(HallmarkGate *self, guint id, GValue *value)
{
  struct hm_gate_view view;

  view_of(self, &view);
  if (id == PROP_STATE)
    g_value_set_string(value, view.is_open ? "open" : "shut");
  else if (id == PROP_REASON)
    g_value_set_string(value, sentence(&view));
  else if (id == PROP_FRAME)
    g_value_set_uint64(value, view.last_frame);
  else if (id == PROP_PASSED)
    g_value_set_uint64(value, view.passed);
  else
    g_value_set_uint64(value, sum(view.dropped, HM_GATE_DROPS));
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  HallmarkGate *self = HALLMARK_GATE(object);

  if (id >= PROP_STATE && id < PROPS) {
    get_shown(self, id, value);
    return;
  }
  pthread_mutex_lock(&self->guard);
  switch (id) {
  case PROP_SOCKET:
    g_value_set_string(value, self->socket);
    break;
  case PROP_SENSOR:
    g_value_set_string(value, self->sensor);
    break;
  case PROP_WAIT:
    g_value_set_enum(value, g_atomic_int_get(&self->wait));
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    break;
  }
  pthread_mutex_unlock(&self->guard);
}

static void finalize(GObject *object)
{
  HallmarkGate *self = HALLMARK_GATE(object);

  g_free(self->socket);
  g_free(self->sensor);
  pthread_mutex_destroy(&self->guard);
  G_OBJECT_CLASS(hallmark_gate_parent_class)->finalize(object);
}

static void install_properties(GObjectClass *class)
{
  const GParamFlags text = G_PARAM_STATIC_STRINGS;
  const GParamFlags set = G_PARAM_READWRITE | GST_PARAM_MUTABLE_READY | text;
  const GParamFlags shown = G_PARAM_READABLE | text;

  props[PROP_SOCKET] =
      g_param_spec_string("socket", "Socket", "Path of hallmarkd's gate socket (at most 107 bytes)",
                          HM_GATE_SOCKET, set);
  props[PROP_SENSOR] = g_param_spec_string(
      "sensor", "Sensor", "Name of the bound sensor whose frames pass here", NULL, set);
  props[PROP_WAIT] = g_param_spec_enum(
      "wait", "Wait", "What happens to buffers while the gate is shut", wait_mode_type(), WAIT_AUTO,
      G_PARAM_READWRITE | GST_PARAM_MUTABLE_PLAYING | text);
  props[PROP_STATE] = g_param_spec_string("state", "State", "open or shut", "shut", shown);
  props[PROP_REASON] =
      g_param_spec_string("reason", "Reason", "Why the gate is shut, a sentence", NULL, shown);
  props[PROP_FRAME] = g_param_spec_uint64(
      "frame", "Frame", "Number of the last buffer that passed (GST_BUFFER_OFFSET)", 0, G_MAXUINT64,
      0, shown);
  props[PROP_PASSED] = g_param_spec_uint64("passed", "Passed", "Buffers passed since the start", 0,
                                           G_MAXUINT64, 0, shown);
  props[PROP_DROPPED] = g_param_spec_uint64("dropped", "Dropped", "Buffers dropped since the start",
                                            0, G_MAXUINT64, 0, shown);
  g_object_class_install_properties(class, PROPS, props);
}

static void hallmark_gate_class_init(HallmarkGateClass *class)
{
  GObjectClass *object = G_OBJECT_CLASS(class);
  GstElementClass *element = GST_ELEMENT_CLASS(class);

  GST_DEBUG_CATEGORY_INIT(hm_gate_debug, "hallmarkgate", 0, "Hallmark's gate");
  object->set_property = set_property;
  object->get_property = get_property;
  object->finalize = finalize;
  install_properties(object);
  element->change_state = change_state;
  gst_element_class_add_static_pad_template(element, &sink_template);
  gst_element_class_add_static_pad_template(element, &src_template);
  gst_element_class_set_static_metadata(
      element, "Hallmark gate", "Filter",
      "Passes buffers only while hallmarkd's lease for the sensor lives; says why it shut",
      "The Hallmark authors");
  gst_type_mark_as_plugin_api(wait_mode_type(), 0);
}

static void hallmark_gate_init(HallmarkGate *self)
{
  pthread_mutex_init(&self->guard, NULL);
  self->socket = g_strdup(HM_GATE_SOCKET);
  self->last.reason = HM_GATE_NOT_ASKED;
  self->sink = gst_pad_new_from_static_template(&sink_template, "sink");
  gst_pad_set_chain_function(self->sink, chain);
  gst_pad_set_event_function(self->sink, sink_event);
  GST_PAD_SET_PROXY_CAPS(self->sink);
  GST_PAD_SET_PROXY_ALLOCATION(self->sink);
  GST_PAD_SET_PROXY_SCHEDULING(self->sink);
  gst_element_add_pad(GST_ELEMENT(self), self->sink);
  self->src = gst_pad_new_from_static_template(&src_template, "src");
  GST_PAD_SET_PROXY_CAPS(self->src);
  gst_element_add_pad(GST_ELEMENT(self), self->src);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * GStreamer's device monitor knows what it can open; the node's name in
 * /sys/class/video4linux tells a CSI sensor's raw node ("vi-output, imx477 9-001a"),
 * which is offered as csi:N, for its pixels are no picture yet.
 */
#include "services/media_discover.h"

#include <gst/gst.h>
#include <string.h>

struct list {
  struct hm_gate_message *out;
  GPtrArray *strings; /* keeps what the message points to */
};

static struct hm_bytes kept(struct list *list, const gchar *text, size_t most)
{
  gchar *copy = g_utf8_make_valid(text, -1);
  const gchar *end = NULL;

  for (gchar *c = copy; *c != '\0'; c++)
    if (g_ascii_iscntrl(*c))
      *c = ' ';
  if (strlen(copy) > most)
    copy[most] = '\0';
  if (!g_utf8_validate(copy, -1, &end))
    copy[end - copy] = '\0';
  g_ptr_array_add(list->strings, copy);
  return hm_bytes(copy, strlen(copy));
}

static void add(struct list *list, const gchar *string, const gchar *what, const gchar *state)
{
  struct hm_gate_source *row;

  if (list->out->u.sources.count == HM_GATE_SOURCES)
    return;
  row = &list->out->u.sources.list[list->out->u.sources.count++];
  row->string = kept(list, string, HM_GATE_SOURCE);
  row->kind = kept(list, "camera", HM_GATE_TEXT);
  row->what = kept(list, what, HM_GATE_TEXT);
  row->state = kept(list, state, HM_GATE_TEXT);
}

static gchar *node_name(const gchar *node)
{
  g_autofree gchar *path = g_strdup_printf("/sys/class/video4linux/%s/name", node);
  gchar *name = NULL;

  if (!g_file_get_contents(path, &name, NULL, NULL))
    return g_strdup("");
  return g_strstrip(name);
}

static gint by_number(gconstpointer a, gconstpointer b)
{
  const gchar *const *x = (const gchar *const *)a;
  const gchar *const *y = (const gchar *const *)b;
  guint64 m = g_ascii_strtoull(*x + 5, NULL, 10), n = g_ascii_strtoull(*y + 5, NULL, 10);

  return m < n ? -1 : m > n;
}

/* Argus numbers its sensors in the order of their nodes. */
static void add_csi(struct list *list)
{
  g_autoptr(GstElementFactory) argus = gst_element_factory_find("nvarguscamerasrc");
  g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GDir) dir = g_dir_open("/sys/class/video4linux", 0, NULL);
  const gchar *node;
  guint number = 0;

  if (argus == NULL || dir == NULL)
    return;
  while ((node = g_dir_read_name(dir)) != NULL)
    if (g_str_has_prefix(node, "video"))
      g_ptr_array_add(nodes, g_strdup(node));
  g_ptr_array_sort(nodes, by_number);
  for (guint i = 0; i < nodes->len; i++) {
    g_autofree gchar *name = node_name(g_ptr_array_index(nodes, i));
    g_autofree gchar *string = g_strdup_printf("csi:%u", number);

    if (!g_str_has_prefix(name, "vi-output, "))
      continue;
    add(list, string, name + strlen("vi-output, "), "present");
    number++;
  }
}

static void add_device(struct list *list, GstDevice *device)
{
  g_autoptr(GstStructure) properties = gst_device_get_properties(device);
  g_autofree gchar *what = gst_device_get_display_name(device);
  g_autofree gchar *string = NULL, *name = NULL;
  const gchar *path = NULL;

  if (properties != NULL)
    path = gst_structure_get_string(properties, "device.path");
  if (path == NULL && properties != NULL)
    path = gst_structure_get_string(properties, "api.v4l2.path");
  if (path == NULL || !g_str_has_prefix(path, "/dev/video"))
    return;
  name = node_name(path + strlen("/dev/"));
  if (g_str_has_prefix(name, "vi-output, "))
    return; /* offered as csi:N */
  string = g_strconcat("v4l2:", path + strlen("/dev/"), NULL);
  add(list, string, what != NULL ? what : "", "present");
}

GPtrArray *media_discover(struct hm_gate_message *sources)
{
  struct list list = {sources, g_ptr_array_new_with_free_func(g_free)};
  g_autoptr(GstDeviceMonitor) monitor = gst_device_monitor_new();
  GList *devices;

  memset(sources, 0, sizeof *sources);
  sources->kind = HM_GATE_SOURCES_LIST;
  add_csi(&list);
  gst_device_monitor_add_filter(monitor, "Video/Source", NULL);
  devices = gst_device_monitor_get_devices(monitor);
  for (GList *i = devices; i != NULL; i = i->next)
    add_device(&list, GST_DEVICE(i->data));
  g_list_free_full(devices, gst_object_unref);
  return list.strings;
}

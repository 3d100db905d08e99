/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The plugin "hallmark": hallmarkgate and hallmarktiles.
 */
#include "sensors/gst_plugin.h"

#include "sensors/gst_gate.h"
#include "sensors/gst_tiles.h"

#define PACKAGE "hallmark"
#define DESCRIPTION "Authorization and evidence for camera streams"
#define ORIGIN "Hallmark"

gboolean hm_elements_register(GstPlugin *plugin)
{
  return gst_element_register(plugin, "hallmarkgate", GST_RANK_NONE, HALLMARK_TYPE_GATE) &&
         gst_element_register(plugin, "hallmarktiles", GST_RANK_NONE, HALLMARK_TYPE_TILES);
}

gboolean hm_elements_register_static(void)
{
  return gst_plugin_register_static(GST_VERSION_MAJOR, GST_VERSION_MINOR, "hallmark", DESCRIPTION,
                                    hm_elements_register, HM_VERSION, GST_LICENSE_UNKNOWN, PACKAGE,
                                    PACKAGE, ORIGIN);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, hallmark, DESCRIPTION, hm_elements_register,
                  HM_VERSION, GST_LICENSE_UNKNOWN, PACKAGE, ORIGIN)

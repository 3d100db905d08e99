/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The plugin's elements, for a program that has them built in.
 */
#ifndef HM_SENSORS_GST_PLUGIN_H
#define HM_SENSORS_GST_PLUGIN_H

#include <gst/gst.h>

/* Register hallmarkgate and hallmarktiles with the plugin. */
gboolean hm_elements_register(GstPlugin *plugin);

/* Register them in this process, without a plugin file. After gst_init. */
gboolean hm_elements_register_static(void);

#endif

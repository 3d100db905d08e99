/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmarktiles: measures frames in place and says what it saw.
 *
 *   gst-launch-1.0 -m filesrc location=a.mkv ! decodebin ! hallmarktiles ! fakesink
 *
 * GRAY8, I420 and NV12 pass unchanged. Each gets a struct hm_tiles_meta: tiles, frame
 * trust, the 256-byte peripheral record, the regions worth keeping with picture and
 * vector. An element message "hallmark-tiles" says the same in short. A buffer that
 * cannot be mapped or is shorter than its caps say is dropped and counted.
 */
#ifndef HM_SENSORS_GST_TILES_H
#define HM_SENSORS_GST_TILES_H

#include <gst/base/gstbasetransform.h>
#include <gst/gst.h>

#define HALLMARK_TYPE_TILES (hallmark_tiles_get_type())
G_DECLARE_FINAL_TYPE(HallmarkTiles, hallmark_tiles, HALLMARK, TILES, GstBaseTransform)

#endif

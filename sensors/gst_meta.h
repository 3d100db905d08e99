/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What our elements fasten to a buffer: the gate its verdict, the tiles their
 * measurement. Both are GstMeta, copied with the buffer. An application reads them
 * by these headers and the registered names, without linking the plugin.
 */
#ifndef HM_SENSORS_GST_META_H
#define HM_SENSORS_GST_META_H

#include <gst/gst.h>

#include "sensors/analyse.h"
#include "sensors/gate_client.h"

#define HM_PASS_META_API "HmPassMetaAPI"
#define HM_TILES_META_API "HmTilesMetaAPI"

/* Fastened by hallmarkgate: number, time, and the first pairing it passed under. */
struct hm_pass_meta {
  GstMeta meta;
  struct hm_gate_pass pass;
};

/* Fastened by hallmarktiles. tiles and regions are the meta's own. */
struct hm_tiles_meta {
  GstMeta meta;
  guint64 frame;       /* GST_BUFFER_OFFSET of the gate, or a count without one */
  guint64 boottime_ns; /* when it passed the gate, or was measured */
  guint32 width, height;
  enum hm_format format;
  struct hm_tile_grid grid;
  struct hm_trust trust;
  guint8 record[HM_PERIPHERAL_BYTES];
  guint32 candidates;
  guint32 region_count;
  struct hm_tile *tiles;     /* grid.columns * grid.rows */
  struct hm_region *regions; /* falling value */
};

/* The metas of a buffer, NULL where there is none. */
static inline struct hm_pass_meta *hm_buffer_pass(GstBuffer *buffer)
{
  GType api = g_type_from_name(HM_PASS_META_API);

  return api == 0 ? NULL : (struct hm_pass_meta *)(void *)gst_buffer_get_meta(buffer, api);
}

static inline struct hm_tiles_meta *hm_buffer_tiles(GstBuffer *buffer)
{
  GType api = g_type_from_name(HM_TILES_META_API);

  return api == 0 ? NULL : (struct hm_tiles_meta *)(void *)gst_buffer_get_meta(buffer, api);
}

/* Fasten; for the elements. The first call registers the type (any thread). */
struct hm_pass_meta *hm_buffer_add_pass(GstBuffer *buffer);
struct hm_tiles_meta *hm_buffer_add_tiles(GstBuffer *buffer);

#endif

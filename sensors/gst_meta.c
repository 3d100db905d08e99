/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The metas live as long as their buffer; a copy of the buffer gets a copy of them.
 * No other transform carries them on: another size or format is another picture.
 */
#include "sensors/gst_meta.h"

static const gchar *no_tags[] = {NULL};

/* ---- pass ------------------------------------------------------------------------ */

static gboolean pass_init(GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  (void)params;
  (void)buffer;
  memset(&((struct hm_pass_meta *)(void *)meta)->pass, 0, sizeof(struct hm_gate_pass));
  return TRUE;
}

static gboolean pass_transform(GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type,
                               gpointer data)
{
  struct hm_pass_meta *copy;

  (void)from;
  (void)data;
  if (!GST_META_TRANSFORM_IS_COPY(type))
    return FALSE;
  copy = hm_buffer_add_pass(to);
  if (copy == NULL)
    return FALSE;
  copy->pass = ((struct hm_pass_meta *)(void *)meta)->pass;
  return TRUE;
}

struct hm_pass_meta *hm_buffer_add_pass(GstBuffer *buffer)
{
  static gsize info;

  if (g_once_init_enter(&info)) {
    GType api = gst_meta_api_type_register(HM_PASS_META_API, no_tags);

    g_once_init_leave(&info,
                      (gsize)gst_meta_register(api, "HmPassMeta", sizeof(struct hm_pass_meta),
                                               pass_init, NULL, pass_transform));
  }
  return (struct hm_pass_meta *)(void *)gst_buffer_add_meta(buffer, (const GstMetaInfo *)info,
                                                            NULL);
}

/* ---- tiles ----------------------------------------------------------------------- */

static gboolean tiles_init(GstMeta *meta, gpointer params, GstBuffer *buffer)
{
  struct hm_tiles_meta *tiles = (struct hm_tiles_meta *)(void *)meta;

  (void)params;
  (void)buffer;
  memset((guint8 *)tiles + sizeof tiles->meta, 0, sizeof *tiles - sizeof tiles->meta);
  return TRUE;
}

static void tiles_free(GstMeta *meta, GstBuffer *buffer)
{
  struct hm_tiles_meta *tiles = (struct hm_tiles_meta *)(void *)meta;

  (void)buffer;
  g_free(tiles->tiles);
  g_free(tiles->regions);
}

static gboolean tiles_transform(GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type,
                                gpointer data)
{
  const struct hm_tiles_meta *tiles = (struct hm_tiles_meta *)(void *)meta;
  struct hm_tiles_meta *copy;

  (void)from;
  (void)data;
  if (!GST_META_TRANSFORM_IS_COPY(type))
    return FALSE;
  copy = hm_buffer_add_tiles(to);
  if (copy == NULL)
    return FALSE;
  memcpy((guint8 *)copy + sizeof copy->meta, (const guint8 *)tiles + sizeof tiles->meta,
         sizeof *tiles - sizeof tiles->meta);
  copy->tiles = g_memdup2(tiles->tiles,
                          (gsize)tiles->grid.columns * tiles->grid.rows * sizeof tiles->tiles[0]);
  copy->regions = g_memdup2(tiles->regions, tiles->region_count * sizeof tiles->regions[0]);
  return TRUE;
}

struct hm_tiles_meta *hm_buffer_add_tiles(GstBuffer *buffer)
{
  static gsize info;

  if (g_once_init_enter(&info)) {
    GType api = gst_meta_api_type_register(HM_TILES_META_API, no_tags);

    g_once_init_leave(&info,
                      (gsize)gst_meta_register(api, "HmTilesMeta", sizeof(struct hm_tiles_meta),
                                               tiles_init, tiles_free, tiles_transform));
  }
  return (struct hm_tiles_meta *)(void *)gst_buffer_add_meta(buffer, (const GstMetaInfo *)info,
                                                             NULL);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * From a source string to GStreamer elements.
 *
 *   file:/PATH      filesrc ! decodebin                          a recording
 *   v4l2:videoN     v4l2src device=/dev/videoN ! decodebin
 *   csi:N           nvarguscamerasrc sensor-id=N ! nvvidconv ! NV12
 *   rtsp://...      rtspsrc protocols=tcp ! decodebin
 *   gst:"..."       what it says ! decodebin
 *
 * Only gst: is ever parsed as a pipeline; all else is set as a property, so a path
 * or a URL cannot name elements. The string may hold a password: nothing here puts
 * it into a text.
 */
#ifndef HM_SERVICES_MEDIA_SOURCE_H
#define HM_SERVICES_MEDIA_SOURCE_H

#include <gst/gst.h>
#include <stdbool.h>

#include "services/message.h"

struct media_source {
  GstElement *bin;   /* floating; holds the elements */
  GstElement *last;  /* whose source pads give raw video, now or later */
  bool is_recording; /* its own time, may wait */
  bool ends;         /* end of stream is an end, not a failure */
};

/* HM_MALFORMED: no source string that a pipeline can be made of; HM_UNSUPPORTED: an
 * element is not installed; err says which. */
enum hm_status HM_MUST_CHECK media_source_make(const char *source, struct media_source *out,
                                               struct hm_error *err);

/* Replace what an element's message may give away: user parts of URLs. Cut to cap. */
void media_source_scrub(const char *text, char *out, size_t cap);

#endif

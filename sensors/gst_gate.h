/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmarkgate: passes buffers only under a live lease of hallmarkd.
 *
 *   gst-launch-1.0 v4l2src ! hallmarkgate sensor=front ! videoconvert ! autovideosink
 *
 * Any caps pass. Each buffer that passes gets its number as GST_BUFFER_OFFSET and a
 * struct hm_pass_meta. While the gate is shut a live source's buffers are dropped and
 * counted; a source that is not live waits, so nothing of a file is lost. Why it shut
 * stands in the properties "state" and "reason" and in an element message
 * "hallmark-gate" {sensor, state, reason, text, frame} at every change.
 */
#ifndef HM_SENSORS_GST_GATE_H
#define HM_SENSORS_GST_GATE_H

#include <gst/gst.h>

#define HALLMARK_TYPE_GATE (hallmark_gate_get_type())
G_DECLARE_FINAL_TYPE(HallmarkGate, hallmark_gate, HALLMARK, GATE, GstElement)

#endif

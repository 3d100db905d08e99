/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Which cameras could be bound here: video nodes that GStreamer can open, and on a
 * Jetson the CSI sensors behind nvarguscamerasrc.
 */
#ifndef HM_SERVICES_MEDIA_DISCOVER_H
#define HM_SERVICES_MEDIA_DISCOVER_H

#include <glib.h>

#include "sensors/gate.h"

/* Fill *sources (kind SOURCES). What it points to lives in the array, which the caller
 * releases after the message was written. */
GPtrArray *media_discover(struct hm_gate_message *sources);

#endif

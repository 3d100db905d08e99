/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One sensor's pipeline:
 *
 *   source ! decodebin ! (converter) ! hallmarkgate ! hallmarktiles ! sink
 *                                                                      |
 *                                                    observer -> hallmarkd
 *
 * A recording is played once, as fast as the daemon takes it; its end or failure is
 * told and it stays ended. A live source that fails or ends is told and tried again
 * after 1, 2, 4 ... 90 s, counted from its last frame. No frame for 2 s while the
 * gate is open is told as a stall; a stall of 10 s counts as a failure.
 */
#ifndef HM_SERVICES_MEDIA_PIPELINE_H
#define HM_SERVICES_MEDIA_PIPELINE_H

#include <gst/gst.h>

#include "sensors/gate.h"
#include "services/message.h"

struct media_pipeline;

struct media_start {
  const char *sensor; /* 1..32 bytes */
  const char *source; /* 1..4096 bytes; may hold a password */
  uint8_t lct[HM_HASH];
};

/* Make it and start it; main loop only, as everything here. A source that cannot be
 * made is told to the daemon by an event and tried again where it is live. HM_FULL:
 * memory or descriptors are short. */
enum hm_status HM_MUST_CHECK media_pipeline_start(const char *socket,
                                                  const struct media_start *start,
                                                  struct media_pipeline **out,
                                                  struct hm_error *err);
/* Stop: the gate says CLOSED, the observer's connection ends. NULL is fine. */
void media_pipeline_stop(struct media_pipeline *p);

/* It runs, or will again by itself. */
bool media_pipeline_is_running(const struct media_pipeline *p);
bool media_pipeline_is_of(const struct media_pipeline *p, const struct media_start *start);

#endif

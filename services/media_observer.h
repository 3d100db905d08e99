/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What a pipeline saw, on its way to hallmarkd: the observer's connection of
 * gate.sock (sensors/gate.h). One a sensor.
 *
 * A live source is never held up: what does not go at once is dropped, the lowest
 * value first, and counted; an event says how much once it goes again. A recording
 * waits for the daemon instead, also through a reconnect, so two runs of it give
 * the same records.
 */
#ifndef HM_SERVICES_MEDIA_OBSERVER_H
#define HM_SERVICES_MEDIA_OBSERVER_H

#include "sensors/gate_link.h"
#include "sensors/gst_meta.h"
#include "services/message.h"

struct media_observer;

/* NULL where memory or descriptors are short. Connects by itself, again and again. */
struct media_observer *media_observer_new(const char *socket, const char *sensor);
/* When no streaming thread is inside any more. NULL is fine. */
void media_observer_free(struct media_observer *o);

/* The source can wait (a recording); before the first frame. */
void media_observer_set_waits(struct media_observer *o, bool waits);

/* Hand in a measured frame: its peripheral record, then its regions. Streaming
 * thread only. pts GST_CLOCK_TIME_NONE: it had none. */
void media_observer_frame(struct media_observer *o, const struct hm_tiles_meta *tiles,
                          GstClockTime pts);
/* The source is through: EVENT END, then wait up to 10 s for all to be durable.
 * Streaming thread only. */
void media_observer_end(struct media_observer *o, uint64_t frame);

/* Queue an event; any thread. It goes with the next frame or tick. text is cut to
 * HM_GATE_TEXT bytes and made printable. */
void media_observer_event(struct media_observer *o, enum hm_gate_event event, uint64_t frame,
                          const char *text);
/* Do what is due without a frame: connect, send events. The main loop calls it. */
void media_observer_tick(struct media_observer *o);

/* While true no call waits: the pipeline is being stopped. */
void media_observer_interrupt(struct media_observer *o, bool is_interrupted);

#endif

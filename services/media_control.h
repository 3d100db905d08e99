/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmark-media's own connection: hallmarkd says START, STOP and DISCOVER on it.
 * When it ends the pipelines go on under what is left of their leases, and it is
 * made again after 0.1 to 5 s.
 *
 * A START with isolate runs its pipeline in a child: this program again, with the
 * START as a packet on an inherited socket, so the source is in no argument and no
 * environment. A child that ends by itself is started again after 1 to 90 s.
 */
#ifndef HM_SERVICES_MEDIA_CONTROL_H
#define HM_SERVICES_MEDIA_CONTROL_H

#include <glib.h>

#include "services/message.h"

struct media_control;

struct media_control_config {
  const char *socket;  /* gate.sock */
  const char *program; /* path of this program, for children */
  int parent;          /* -1; in a child the inherited socket, and no HELLO is said */
  GMainLoop *loop;     /* a child quits it when its parent is gone */
};

/* Begin; main loop only. NULL where memory is short. */
struct media_control *media_control_new(const struct media_control_config *config);
/* Stop every pipeline and child, and disconnect. */
void media_control_free(struct media_control *c);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#ifndef HM_SERVICES_DAEMON_INIT_H
#define HM_SERVICES_DAEMON_INIT_H

#include "services/daemon_state.h"

/* Make identity and store in core->paths; authority_file is a *.pub or NULL (the
 * authority of the same state). Prints what to start. HM_EXISTS where there is a
 * store; an interrupted init is gone on with. Starts nothing. */
enum hm_status HM_MUST_CHECK hm_daemon_init(struct hm_core *core, const char *authority_file,
                                            struct hm_error *err);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Exits: manifest before the first byte, an entry after the last (6-memory, Export).
 */
#ifndef HM_SERVICES_DAEMON_EXPORT_H
#define HM_SERVICES_DAEMON_EXPORT_H

#include "services/daemon_core.h"

/* number: cN of the manifest, name: its name. The bytes may leave only where error is
 * HM_OK. Comes from the main loop, or at once where the manifest cannot be made. */
typedef void (*hm_exported_done)(void *user, const struct hm_error *error, uint64_t number,
                                 const uint8_t name[32]);
/* Write the manifest of a proof of these records (1..500, no repeats). HM_POLICY beyond 64 at
 * once and one a second. */
void hm_export_begin(struct hm_core *core, const uint64_t *records, unsigned count,
                     hm_exported_done done, void *user);
/* It went out, or did not. */
void hm_export_end(struct hm_core *core, const uint8_t manifest[32], bool is_finished);
/* At start: exits without their second entry are aborted, by restart. */
void hm_exports_settle(struct hm_core *core);

#endif

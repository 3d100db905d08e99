/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The store of a world: made and opened by the real code, in a folder of the test.
 */
#ifndef HM_TESTS_KEEP_H
#define HM_TESTS_KEEP_H

#include "memory/store.h"
#include "tests/support/folder.h"
#include "tests/support/world.h"

/* Make folder/store with c1 genesis, c2 the host's binding, c3 segment opened. */
enum hm_status keep_create(struct world *w, const char *folder);
/* Open it; fails the test with the fault's text where it cannot. */
struct hm_store *keep_open(const char *folder, enum hm_log_mode mode);
/* The status and fault text of opening. */
enum hm_status keep_try(const char *folder, enum hm_log_mode mode, struct hm_fault *fault);

/* An entry with its log proof or completions, as the control log wants it. Valid until
 * the next call. */
struct hm_log_item keep_binding(struct world *w, const struct world_object *binding);
struct hm_log_item keep_pairing(struct world *w, const struct world_object *pairing);
struct hm_log_item keep_completion(const struct world_object *receipt,
                                   const struct world_object *completion_0,
                                   const struct world_object *completion_1);
/* Append one entry; returns its number. */
uint64_t keep_append(struct hm_store *store, struct hm_log_item item);

#endif

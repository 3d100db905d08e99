/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Builds proof files (trust/proof.h) from a store: for given records everything that
 * a stranger with the authority's public key needs, and nothing else.
 *
 *   the newest checkpoint and its head; for each batch of the records the newest head
 *   at or before its control size, that head's live set, every entry from it to the
 *   control size; the certificates, completions and session keys all of these cite
 *
 * Only durable things go in. Reading only: any thread may build.
 */
#ifndef HM_MEMORY_PROVE_H
#define HM_MEMORY_PROVE_H

#include "memory/store.h"

enum { HM_PROVE_RECORDS_MAX = 4096 };

/* What of the records' contents to put in. */
struct hm_prove_options {
  bool without_pictures;
  bool without_vectors;
};

/* A proof of the records of these numbers (ascending, no repeats, at most
 * HM_PROVE_RECORDS_MAX). options may be NULL. *file gets malloc'ed bytes, the caller
 * frees. HM_NOT_FOUND: no such record. HM_STALE: a record is newer than the newest
 * checkpoint ("signed, not yet in the log": have a head written and ask again).
 * HM_TOO_LARGE: over the limits of a proof file. HM_DAMAGED: the store contradicts
 * itself. fault names the object. */
enum hm_status HM_MUST_CHECK hm_prove(const struct hm_crypto *c, struct hm_store *store,
                                      const uint64_t *records, size_t count,
                                      const struct hm_prove_options *options, uint8_t **file,
                                      size_t *len, struct hm_fault *fault);

#endif

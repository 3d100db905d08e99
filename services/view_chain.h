/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A proof file asked, and the answer kept: every link of the chain as a line, the
 * verdict, or where the file is malformed. trust/proof does the verifying; this gives
 * it memory and the built-in encoder, and turns what it says into text and JSON.
 */
#ifndef HM_SERVICES_VIEW_CHAIN_H
#define HM_SERVICES_VIEW_CHAIN_H

#include <glib.h>

#include "memory/prove.h"
#include "services/json.h"
#include "services/message.h"
#include "trust/proof.h"

/* The authorities one trusts: from files given, or a folder of *.pub. */
struct hm_anchors {
  size_t count;
  struct hm_proof_authority authority[HM_PROOF_AUTHORITIES_MAX];
  char names[HM_PROOF_AUTHORITIES_MAX][256];
};
/* Add one SPKI PEM. HM_TOO_LARGE over 8. */
enum hm_status HM_MUST_CHECK hm_anchors_add(struct hm_anchors *anchors, const char *path,
                                            struct hm_error *err);
/* Add every *.pub of a folder, by name; HM_NOT_FOUND where there is none. */
enum hm_status HM_MUST_CHECK hm_anchors_add_folder(struct hm_anchors *anchors, const char *path,
                                                   struct hm_error *err);

struct hm_chain_request {
  struct hm_bytes file;
  const struct hm_anchors *anchors;
  const uint8_t (*pins)[32];
  size_t pin_count;
  bool recompute;  /* vectors of the built-in encoder from their pictures */
  bool keep_steps; /* else only the verdict */
};

struct hm_chain {
  struct hm_verdict verdict;
  GArray *steps; /* struct hm_proof_step */
  bool has_recomputed;
};

/* Verify. HM_OK: the verdict holds, proven or not. Else the file is malformed and err
 * says offset, item and rule. Free with hm_chain_clear in either case. */
enum hm_status HM_MUST_CHECK hm_chain_verify(const struct hm_crypto *c,
                                             const struct hm_chain_request *request,
                                             struct hm_chain *chain, struct hm_error *err);
void hm_chain_clear(struct hm_chain *chain);

/* HM_OK where proven (HM_UNPINNED where pins were demanded and not met), else the status
 * of exit code 1 that fits the first break. */
enum hm_status HM_MUST_CHECK hm_chain_status(const struct hm_chain *chain);

/* The PROOF word of a table for one memory: "proven", "not proven", "signed" (newer than
 * the newest checkpoint), "damaged". Builds a proof without contents and judges it. */
const char *hm_chain_word(const struct hm_crypto *c, struct hm_store *store,
                          const struct hm_anchors *anchors, uint64_t record);

/* The values of a step as text: "wanted ..., found ...", or "". g_free it. */
char *hm_chain_values(const struct hm_proof_step *step);
/* "m1", "r3", "c5", or "". */
void hm_chain_object(const struct hm_proof_step *step, char out[24]);

/* {"steps","verdict","proven","pinned",...,"proves","cannot"} of docs/guide/api.md.
 * name_of may be NULL. */
JsonObject *hm_chain_json(const struct hm_chain *chain,
                          const char *(*name_of)(void *user, const uint8_t lct[32]), void *user);

/* What a proof proves and does not, in two sentences (6-memory). */
extern const char hm_chain_proves[];
extern const char hm_chain_cannot[];

#endif

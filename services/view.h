/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What a store looks like to people: memories and control entries as the JSON of
 * docs/guide/api.md. hallmarkd serves it, `hallmark --store DIR` makes it itself from
 * a store that no daemon holds: one code, so both say the same.
 *
 * Nothing is verified here; the verdict of a memory is services/why.h.
 */
#ifndef HM_SERVICES_VIEW_H
#define HM_SERVICES_VIEW_H

#include "memory/query.h"
#include "services/json.h"
#include "services/message.h"
#include "trust/observation.h"

struct hm_view {
  const struct hm_crypto *crypto;
  struct hm_store *store;
  /* Local name of an LCT id, or NULL where it has none here. May itself be NULL. */
  const char *(*name_of)(void *user, const uint8_t lct[32]);
  /* The LCT id of a local name, the code of a context's name. May be NULL: then only
   * LCT ids, and the contexts of the profile. */
  bool (*find_name)(void *user, const char *name, uint8_t lct[32]);
  bool (*find_context)(void *user, const char *name, uint64_t *code);
  void *user;
};

/* The name of an entity, else the short form of its LCT id. */
void hm_view_name(const struct hm_view *view, const uint8_t lct[32], char *out, size_t cap);

/* The word of a code, or "code N" where the table has none. */
const char *hm_view_code(const struct hm_code_table *table, uint64_t code, char buffer[24]);

/* A memory from its stored record. distance below 0: none; proof NULL: "signed". */
enum hm_status HM_MUST_CHECK hm_view_record(const struct hm_view *view,
                                            const struct hm_stored_record *stored, double distance,
                                            const char *proof, JsonObject **out,
                                            struct hm_error *err);
/* Memory mN. */
enum hm_status HM_MUST_CHECK hm_view_memory(const struct hm_view *view, uint64_t number,
                                            const char *proof, JsonObject **out,
                                            struct hm_error *err);
/* Its evidence picture: HM_PICTURE_BYTES and their pixel format; HM_NOT_FOUND where it
 * has none or it was erased. */
enum hm_status HM_MUST_CHECK hm_view_picture(const struct hm_view *view, uint64_t number,
                                             uint8_t picture[3072], unsigned *pixels,
                                             struct hm_error *err);

/* A control entry. */
enum hm_status HM_MUST_CHECK hm_view_entry(const struct hm_view *view,
                                           const struct hm_log_entry *entry, JsonObject **out,
                                           struct hm_error *err);
/* Entries after `since` (0: from c1), at most limit (1..500): {"entries","next"}. */
enum hm_status HM_MUST_CHECK hm_view_control(const struct hm_view *view, uint64_t since,
                                             uint64_t limit, JsonObject **out,
                                             struct hm_error *err);

/* {"entities"} as the control log alone tells them; now_s judges what has expired. */
enum hm_status HM_MUST_CHECK hm_view_entities(const struct hm_view *view, uint64_t now_s,
                                              JsonObject **out, struct hm_error *err);

/* ---- query ------------------------------------------------------------------------- */
/* What the body of POST /api/query may hold. */
extern const struct hm_json_field hm_view_query_fields[];
extern const size_t hm_view_query_field_count;
/* Begin a query from a checked body; then hm_query_step until run->is_done. */
enum hm_status HM_MUST_CHECK hm_view_query_begin(const struct hm_view *view, JsonObject *body,
                                                 struct hm_query_run *run, struct hm_error *err);
/* {"hits","other_encoder","scanned","next"} of a finished run. proofs[i] is the word of
 * hit i, or NULL for all. */
enum hm_status HM_MUST_CHECK hm_view_query_answer(const struct hm_view *view,
                                                  const struct hm_query_run *run,
                                                  const char *const *proofs, JsonObject **out,
                                                  struct hm_error *err);

/* Where a follower of the one log stands in the other: the control size C of the batch
 * of record mN, and the last record of batch D of entry cN. 0 for number 0. */
enum hm_status HM_MUST_CHECK hm_view_control_at(const struct hm_view *view, uint64_t record,
                                                uint64_t *control, struct hm_error *err);
enum hm_status HM_MUST_CHECK hm_view_record_at(const struct hm_view *view, uint64_t control,
                                               uint64_t *record, struct hm_error *err);

#endif

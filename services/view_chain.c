/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/view_chain.h"

#include <stdlib.h>
#include <string.h>

#include "sensors/descriptor.h"
#include "services/keys.h"
#include "services/names.h"
#include "services/text.h"

enum { STEPS_MAX = 20000 }; /* lines kept of one file; a longer chain says so */

const char hm_chain_proves[] =
    "these records stand in the log of that host, unchanged, made while their pairings were in "
    "force as that host logged them, under the authority given";
const char hm_chain_cannot[] =
    "that the picture came through that lens (the host holds the sensor's key), that nothing was "
    "left out, the time unless witnessed, revocations newer than the file, the truth of the scene";

/* ---- authorities ---------------------------------------------------------------------- */
enum hm_status hm_anchors_add(struct hm_anchors *anchors, const char *path, struct hm_error *err)
{
  size_t i = anchors->count;
  if (i == HM_PROOF_AUTHORITIES_MAX)
    return hm_fail(err, HM_TOO_LARGE, "%s: more than %d authorities", path,
                   HM_PROOF_AUTHORITIES_MAX);
  HM_TRY(hm_public_read(path, anchors->authority[i].point, err));
  g_autofree char *name = g_path_get_basename(path);
  g_strlcpy(anchors->names[i], name, sizeof anchors->names[i]);
  anchors->authority[i].name = anchors->names[i];
  anchors->count++;
  return HM_OK;
}

static int compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

enum hm_status hm_anchors_add_folder(struct hm_anchors *anchors, const char *path,
                                     struct hm_error *err)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  for (const char *name; dir && (name = g_dir_read_name(dir));)
    if (g_str_has_suffix(name, ".pub"))
      g_ptr_array_add(names, g_build_filename(path, name, NULL));
  if (names->len == 0)
    return hm_fail(err, HM_NOT_FOUND, "%s: no authority's public key (*.pub)", path);
  g_ptr_array_sort(names, compare_names);
  for (guint i = 0; i < names->len; i++)
    HM_TRY(hm_anchors_add(anchors, names->pdata[i], err));
  return HM_OK;
}

/* ---- verifying --------------------------------------------------------------------------- */
static enum hm_status recompute(void *user, const uint8_t encoder[32], uint64_t pixels,
                                struct hm_bytes picture, uint8_t *vector, size_t cap, size_t *len)
{
  (void)pixels; /* the bytes say it all: a grey picture has its chroma at 128 */
  struct hm_chain *chain = user;
  int8_t made[HM_VECTOR_DIMENSION];
  if (memcmp(encoder, hm_region_encoder_hash, 32) != 0)
    return HM_UNSUPPORTED;
  if (picture.len != HM_PICTURE_BYTES)
    return HM_MALFORMED;
  if (cap < sizeof made)
    return HM_SHORT_BUFFER;
  hm_region_encode(picture.data, made);
  memcpy(vector, made, sizeof made);
  *len = sizeof made;
  chain->has_recomputed = true;
  return HM_OK;
}

static void keep_step(void *user, const struct hm_proof_step *step)
{
  struct hm_chain *chain = user;
  if (chain->steps->len < STEPS_MAX)
    g_array_append_val(chain->steps, *step);
}

static enum hm_status fail_malformed(enum hm_status status, const struct hm_proof_fault *fault,
                                     struct hm_error *err)
{
  return hm_fail(err, status, "item %zu at offset %zu%s%s: %s", fault->item, fault->offset,
                 fault->field ? ", " : "", fault->field ? fault->field : "",
                 fault->sentence ? fault->sentence : hm_status_text(status));
}

enum hm_status hm_chain_verify(const struct hm_crypto *c, const struct hm_chain_request *request,
                               struct hm_chain *chain, struct hm_error *err)
{
  struct hm_proof_fault fault = {0, 0, NULL, NULL};
  size_t need = 0;
  memset(chain, 0, sizeof *chain);
  chain->steps = g_array_new(FALSE, FALSE, sizeof(struct hm_proof_step));
  enum hm_status status = hm_proof_scratch(request->file, &need, &fault);
  if (status != HM_OK)
    return fail_malformed(status, &fault, err);
  g_autofree void *scratch = g_malloc(need > 0 ? need : 1);
  struct hm_proof_input input = {
      .file = request->file,
      .authorities = request->anchors->authority,
      .authority_count = request->anchors->count,
      .pins = request->pins,
      .pin_count = request->pin_count,
      .built_in = &hm_region_encoder_hash,
      .built_in_count = 1,
      .recompute = request->recompute ? recompute : NULL,
      .recompute_user = chain,
      .step = request->keep_steps ? keep_step : NULL,
      .step_user = chain,
      .scratch = scratch,
      .scratch_len = need,
  };
  status = hm_proof_verify(c, &input, &chain->verdict, &fault);
  return status == HM_OK ? HM_OK : fail_malformed(status, &fault, err);
}

void hm_chain_clear(struct hm_chain *chain)
{
  g_clear_pointer(&chain->steps, g_array_unref);
}

enum hm_status hm_chain_status(const struct hm_chain *chain)
{
  const struct hm_verdict *v = &chain->verdict;
  if (hm_verdict_is_proven(v))
    return v->pins_given && !v->is_pinned ? HM_UNPINNED : HM_OK;
  if (chain->verdict.has_broken && chain->verdict.broken.link == HM_LINK_REVOCATION)
    return HM_REVOKED;
  return chain->verdict.has_broken && chain->verdict.broken.has_values ? HM_MISMATCH : HM_BAD_PROOF;
}

const char *hm_chain_word(const struct hm_crypto *c, struct hm_store *store,
                          const struct hm_anchors *anchors, uint64_t record)
{
  static const struct hm_prove_options options = {.without_pictures = true,
                                                  .without_vectors = true};
  struct hm_error error = {HM_OK, ""};
  struct hm_chain chain;
  uint8_t *file = NULL;
  size_t len = 0;
  enum hm_status status = hm_prove(c, store, &record, 1, &options, &file, &len, NULL);
  if (status != HM_OK)
    return status == HM_STALE ? "signed" : "damaged";
  struct hm_chain_request request = {.file = hm_bytes(file, len), .anchors = anchors};
  status = hm_chain_verify(c, &request, &chain, &error);
  bool is_proven = status == HM_OK && hm_verdict_is_proven(&chain.verdict);
  hm_chain_clear(&chain);
  free(file);
  return is_proven ? "proven" : "not proven";
}

/* ---- saying it ------------------------------------------------------------------------------- */
static char *value_text(const struct hm_proof_step *step, bool is_wanted)
{
  if (!step->is_hash)
    return g_strdup_printf("%" G_GUINT64_FORMAT, is_wanted ? step->wanted : step->found);
  char hex[65];
  hm_text_hex(is_wanted ? step->wanted_hash : step->found_hash, 32, hex);
  return g_strdup(hex);
}

char *hm_chain_values(const struct hm_proof_step *step)
{
  if (!step->has_values)
    return g_strdup("");
  g_autofree char *wanted = value_text(step, true), *found = value_text(step, false);
  return g_strdup_printf("expected %s, found %s", wanted, found);
}

void hm_chain_object(const struct hm_proof_step *step, char out[24])
{
  out[0] = '\0';
  if (step->letter)
    g_snprintf(out, 24, "%c%" G_GUINT64_FORMAT, step->letter, step->number);
}

static JsonObject *step_json(const struct hm_proof_step *step,
                             const char *(*name_of)(void *user, const uint8_t lct[32]), void *user)
{
  static const char *const results[] = {
      [HM_STEP_OK] = "ok", [HM_STEP_BROKEN] = "BROKEN", [HM_STEP_NOTE] = "note"};
  JsonObject *o = json_object_new();
  char object[24], lct[HM_LCT_TEXT + 1];
  hm_chain_object(step, object);
  hm_json_set_text(o, "link", hm_proof_link_name(step->link));
  hm_json_set_text(o, "object", object[0] ? object : NULL);
  json_object_set_int_member(o, "depth", step->depth);
  hm_json_set_text(o, "result", results[step->result]);
  hm_json_set_text(o, "what", step->sentence);
  if (step->has_values) {
    g_autofree char *wanted = value_text(step, true), *found = value_text(step, false);
    hm_json_set_text(o, "expected", wanted);
    hm_json_set_text(o, "found", found);
  }
  if (step->has_entity) {
    hm_lct_format(step->entity, lct);
    hm_json_set_text(o, "entity", lct);
    hm_json_set_text(o, "name", name_of ? name_of(user, step->entity) : NULL);
  }
  return o;
}

JsonObject *hm_chain_json(const struct hm_chain *chain,
                          const char *(*name_of)(void *user, const uint8_t lct[32]), void *user)
{
  const struct hm_verdict *v = &chain->verdict;
  JsonObject *o = json_object_new(), *words = json_object_new();
  JsonArray *steps = json_array_new();
  char lct[HM_LCT_TEXT + 1];
  for (guint i = 0; i < chain->steps->len; i++)
    json_array_add_object_element(
        steps, step_json(&g_array_index(chain->steps, struct hm_proof_step, i), name_of, user));
  json_object_set_array_member(o, "steps", steps);
  hm_json_set_text(words, "authorized", hm_answer_name(v->authorized));
  hm_json_set_text(words, "intact", hm_answer_name(v->intact));
  hm_json_set_text(words, "timely", hm_answer_name(v->timely));
  hm_json_set_text(words, "coherent", hm_answer_name(v->coherent));
  hm_json_set_text(words, "witnessed", hm_answer_name(v->witnessed));
  json_object_set_object_member(o, "verdict", words);
  json_object_set_boolean_member(o, "proven", hm_verdict_is_proven(v));
  hm_json_set_text(o, "pinned", !v->pins_given ? NULL : (v->is_pinned ? "yes" : "no"));
  json_object_set_boolean_member(o, "revoked_later", v->is_revoked_later);
  json_object_set_boolean_member(o, "recomputed", chain->has_recomputed);
  hm_lct_format(v->host, lct);
  hm_json_set_text(o, "host", lct);
  hm_json_set_u64(o, "records", v->records);
  hm_json_set_u64(o, "batches", v->batches);
  hm_json_set_u64(o, "entries", v->entries);
  hm_json_set_u64(o, "signatures", v->signatures);
  hm_json_set_u64(o, "control_size", v->control_size);
  hm_json_set_u64(o, "data_size", v->data_size);
  if (v->has_broken)
    json_object_set_object_member(o, "broken", step_json(&v->broken, name_of, user));
  else
    hm_json_set_null(o, "broken");
  hm_json_set_text(o, "proves", hm_verdict_is_proven(v) ? hm_chain_proves : NULL);
  hm_json_set_text(o, "cannot", hm_chain_cannot);
  return o;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The specification, printed from the tables that decode it.
 */
#include "trust/proof.h"

#define OBJECT(variable, number, word, of)                                                         \
  static const struct hm_object variable = {(number), (word), (of)}

OBJECT(binding, HM_TYP_BINDING, "binding", &hm_shape_binding);
OBJECT(binding_s, HM_TYP_BINDING, "binding of class S", &hm_shape_binding_s);
OBJECT(pairing, HM_TYP_PAIRING, "pairing", &hm_shape_pairing);
OBJECT(wish, HM_TYP_PAIRING_REQUEST, "pairing request", &hm_shape_pairing_request);
OBJECT(request, HM_TYP_BINDING_REQUEST, "binding request", &hm_shape_binding_request);
OBJECT(ask, HM_TYP_WITNESS_REQUEST, "witness request", &hm_shape_witness_request);
OBJECT(answer, HM_TYP_WITNESS, "witness answer", &hm_shape_witness_answer);
OBJECT(completion, HM_TYP_COMPLETION, "completion", &hm_shape_completion);
OBJECT(countersign, HM_TYP_COUNTERSIGNATURE, "countersignature", &hm_shape_countersignature);
OBJECT(receipt, HM_TYP_RECEIPT, "receipt", &hm_shape_receipt);
OBJECT(revocation, HM_TYP_REVOCATION, "revocation", &hm_shape_revocation);
OBJECT(local, HM_TYP_REVOCATION, "local revocation", &hm_shape_local_revocation);
OBJECT(checkpoint, HM_TYP_CHECKPOINT, "checkpoint", &hm_shape_checkpoint);
OBJECT(time_object, HM_TYP_TIME, "signed time", &hm_shape_signed_time);
OBJECT(session, HM_TYP_SESSION, "session key", &hm_shape_session);
OBJECT(export_object, HM_TYP_EXPORT, "export manifest", &hm_shape_export);
OBJECT(law, HM_TYP_LAW, "law", &hm_shape_law);
OBJECT(batch, HM_TYP_BATCH, "batch claims", &hm_shape_batch_claims);
OBJECT(head, HM_TYP_HEAD, "head", &hm_shape_head);
OBJECT(policy, 0, "policy", &hm_shape_policy);
OBJECT(encoder, 0, "encoder", &hm_shape_encoder);
OBJECT(section, 0, "section plaintext", &hm_shape_section_plain);
OBJECT(handshake, 0, "handshake plaintext", &hm_shape_handshake_plain);
OBJECT(log_proof, 0, "log proof", &hm_shape_log_proof);
OBJECT(control_entry, 0, "control entry", &hm_shape_control_entry);
OBJECT(live, 0, "live pairing", &hm_shape_live_pairing);
OBJECT(facts, 0, "batch facts", &hm_shape_batch_facts);
OBJECT(sensor, 0, "sensor facts", &hm_shape_sensor_facts);
OBJECT(record, 0, "record", &hm_shape_record);
OBJECT(inclusion, 0, "inclusion proof", &hm_shape_inclusion_proof);
OBJECT(hmk_head, 0, "proof head", &hm_shape_hmk_head);
OBJECT(hmk_checkpoint, 0, "proof item 1", &hm_shape_hmk_checkpoint);
OBJECT(hmk_entry, 0, "proof item 2", &hm_shape_hmk_entry);
OBJECT(hmk_batch, 0, "proof item 3", &hm_shape_hmk_batch);
OBJECT(hmk_record, 0, "proof item 4", &hm_shape_hmk_record);
OBJECT(hmk_witness, 0, "proof item 6", &hm_shape_hmk_witness);
OBJECT(hmk_link, 0, "proof item 7", &hm_shape_hmk_link);
OBJECT(hmk_live, 0, "proof item 8", &hm_shape_hmk_live);

const struct hm_object *const hm_object_table[] = {
    &binding,       &binding_s,      &pairing,     &wish,          &request,    &ask,
    &answer,        &completion,     &countersign, &receipt,       &revocation, &local,
    &checkpoint,    &time_object,    &session,     &export_object, &law,        &batch,
    &head,          &policy,         &encoder,     &section,       &handshake,  &log_proof,
    &control_entry, &live,           &facts,       &sensor,        &record,     &inclusion,
    &hmk_head,      &hmk_checkpoint, &hmk_entry,   &hmk_batch,     &hmk_record, &hmk_witness,
    &hmk_link,      &hmk_live};
const size_t hm_object_count = sizeof hm_object_table / sizeof hm_object_table[0];

const char *hm_field_kind_name(enum hm_field_kind kind, const struct hm_shape *of)
{
  static const char *const names[] = {
      [HM_UINT] = "uint", [HM_CONST] = "constant", [HM_NINT] = "negative",    [HM_FIXED] = "bstr",
      [HM_BSTR] = "bstr", [HM_TSTR] = "tstr",      [HM_TEXT] = "text",        [HM_NIL] = "nil",
      [HM_SHAPE] = "map", [HM_LIST] = "list",      [HM_UMAP] = "map of uint", [HM_RAW] = "item"};
  if (kind == HM_SHAPE && of != NULL && of->form == HM_ARRAY)
    return "array";
  return names[kind];
}

struct walk {
  const struct hm_object *object;
  bool (*row)(void *user, const struct hm_spec_row *row);
  void *user;
};

/* Nests as the tables do, a handful of levels. */
static bool walk_shape(const struct walk *w, const struct hm_shape *shape, int depth)
{
  for (size_t i = 0; i < shape->field_count; i++) {
    const struct hm_field *f = &shape->fields[i];
    struct hm_spec_row row = {.object = w->object->name,
                              .typ = w->object->typ,
                              .within = shape->name,
                              .depth = depth,
                              .has_label = shape->form == HM_MAP,
                              .label = f->label,
                              .position = i,
                              .field = f->name,
                              .kind = f->kind,
                              .of = f->of,
                              .flags = f->flags,
                              .min = f->min,
                              .max = f->max,
                              .fixed = f->fixed};
    if (!w->row(w->user, &row))
      return false;
    if (f->of != NULL && !walk_shape(w, f->of, depth + 1))
      return false;
  }
  return true;
}

void hm_spec_walk(bool (*row)(void *user, const struct hm_spec_row *row), void *user)
{
  for (size_t i = 0; i < hm_object_count; i++) {
    struct walk w = {hm_object_table[i], row, user};
    if (!walk_shape(&w, hm_object_table[i]->shape, 0))
      return;
  }
}

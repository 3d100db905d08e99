/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Witnesses and the older checkpoints they signed; and last, that nothing in the file
 * is there for no reason.
 */
#include "trust/proof_state.h"

/* ---- links: older checkpoints of this host, consistent with the newest -------------------- */
static struct hm_proof_step link_step(const struct hm_proof_row *row, const char *sentence)
{
  return hm_proof_ok(HM_LINK_CHECKPOINT, 'c', row->number, 1, sentence);
}

static enum hm_status check_link(struct hm_proof_state *p, struct hm_proof_row *row)
{
  struct hm_hmk_link link;
  struct hm_checkpoint old;
  struct hm_head head;
  struct hm_bytes object;
  HM_TRY(hm_decode(&hm_shape_hmk_link, hm_proof_bytes(p, row), &link, NULL));
  HM_TRY(hm_proof_sign(p, row, 1));
  struct hm_proof_step step = link_step(row, "an older checkpoint is not signed by the host");
  HM_TRY(hm_proof_judge(p, hm_checkpoint_open(p->c, link.object, p->host->sign, &old, NULL), row,
                        step));
  struct hm_proof_row *head_row = hm_proof_entry(p, old.control_tree.size);
  step.sentence = "the head under an older checkpoint is not in the file";
  if (old.has_revocations || row->number >= p->control.size || head_row == NULL ||
      head_row->typ != HM_TYP_HEAD)
    return hm_proof_not_intact(p, step);
  HM_TRY(hm_proof_object(p, head_row, &object));
  HM_TRY(hm_head_open(p->c, object, NULL, &head, NULL));
  step.sentence = "an older checkpoint is not a beginning of the newest";
  HM_TRY(hm_proof_judge(p,
                        hm_consistency_verify(p->c, old.control_tree.size, old.control_tree.root,
                                              p->control.size, p->control.root, &link.control_way),
                        row, step));
  step.sentence = "an older data tree is not a beginning of the newest";
  return hm_proof_judge(p,
                        hm_consistency_verify(p->c, head.data_tree.size, head.data_tree.root,
                                              p->head.data_tree.size, p->head.data_tree.root,
                                              &link.data_way),
                        row, step);
}

/* ---- witnesses ----------------------------------------------------------------------------------
 */
/* How many batches does the checkpoint of this name cover? */
static enum hm_status covered(struct hm_proof_state *p, const uint8_t name[32], uint64_t *size,
                              bool *known)
{
  struct hm_head head;
  struct hm_bytes object;
  *known = true;
  *size = p->head.data_tree.size;
  if (memcmp(name, p->checkpoint_name, 32) == 0)
    return HM_OK;
  for (size_t i = p->of[HM_ITEM_LINK].begin; i < p->of[HM_ITEM_LINK].end; i++) {
    struct hm_proof_row *row = &p->rows[i];
    if (memcmp(row->name, name, 32) != 0)
      continue;
    struct hm_proof_row *head_row = hm_proof_entry(p, row->number);
    HM_TRY(hm_proof_object(p, head_row, &object));
    HM_TRY(hm_head_open(p->c, object, NULL, &head, NULL));
    row->is_reached = head_row->is_reached = true;
    *size = head.data_tree.size;
    return HM_OK;
  }
  *known = false;
  return HM_OK;
}

/* Mark the batches it covers, and those it covers soon enough. */
static enum hm_status mark(struct hm_proof_state *p, uint64_t size, uint64_t iat)
{
  struct hm_batch_claims claims;
  struct hm_bytes object;
  struct hm_sign1 s;
  for (size_t i = p->of[HM_ITEM_BATCH].begin; i < p->of[HM_ITEM_BATCH].end; i++) {
    struct hm_proof_row *row = &p->rows[i];
    if (row->number > size)
      break;
    HM_TRY(hm_proof_object(p, row, &object));
    HM_TRY(hm_batch_peek(object, true, &s, &claims));
    row->is_witnessed = true;
    if (iat + HM_SKEW_S >= claims.iat && iat <= claims.iat + HM_PROOF_WITNESS_S)
      row->is_witnessed_soon = true;
  }
  return HM_OK;
}

static enum hm_status check_witness(struct hm_proof_state *p, struct hm_proof_row *row)
{
  struct hm_hmk_witness item;
  struct hm_witness_answer answer;
  uint64_t size;
  bool known;
  HM_TRY(hm_decode(&hm_shape_hmk_witness, hm_proof_bytes(p, row), &item, NULL));
  struct hm_proof_row *binding = hm_proof_entry(p, item.binding);
  const struct hm_entity *witness = binding != NULL ? binding->facts : NULL;
  struct hm_proof_step step = hm_proof_ok(HM_LINK_WITNESS, 'c', item.binding, 0,
                                          "the witness is not an independent entity with own keys");
  p->witnessed_no = true;
  if (binding == NULL || binding->typ != HM_TYP_BINDING || witness->class != HM_CLASS_A ||
      memcmp(witness->lct, p->host->lct, 32) == 0)
    return hm_proof_not_intact(p, step);
  binding->is_reached = true;
  HM_TRY(hm_proof_sign(p, row, 1));
  step.sentence = "the witness's signature is false";
  HM_TRY(hm_proof_judge(p, hm_witness_answer_open(p->c, item.object, witness->sign, &answer, NULL),
                        row, step));
  HM_TRY(covered(p, answer.certificate, &size, &known));
  step.sentence = "the witness signed a checkpoint that is not in the file";
  if (!known)
    return hm_proof_not_intact(p, step);
  p->witnessed_no = false;
  row->is_reached = true;
  HM_TRY(mark(p, size, answer.iat));
  step.sentence = "witness of a checkpoint that covers it";
  step.has_entity = true;
  memcpy(step.entity, witness->lct, sizeof step.entity);
  hm_proof_say(p, &step);
  return HM_OK;
}

enum hm_status hm_proof_witnesses(struct hm_proof_state *p)
{
  for (size_t i = p->of[HM_ITEM_LINK].begin; i < p->of[HM_ITEM_LINK].end; i++)
    HM_TRY(check_link(p, &p->rows[i]));
  for (size_t i = p->of[HM_ITEM_WITNESS].begin; i < p->of[HM_ITEM_WITNESS].end; i++)
    HM_TRY(check_witness(p, &p->rows[i]));
  return HM_OK;
}

/* ---- nothing that nothing cites
 * ------------------------------------------------------------------ */
static void reach(struct hm_proof_row *row)
{
  if (row != NULL)
    row->is_reached = true;
}

/* What an entry leans on stands before it: one walk from the last to the first. */
static enum hm_status reach_cited(struct hm_proof_state *p, const struct hm_proof_row *row)
{
  const struct hm_pairing *pairing = row->facts;
  const struct hm_entity *entity = row->facts;
  struct hm_bytes object;
  struct hm_sign1 s;
  switch (row->typ) {
  case HM_TYP_BINDING:
    if (entity->class == HM_CLASS_H)
      reach(hm_proof_find(p, HM_TYP_BINDING, entity->bound_to, row->number));
    return HM_OK;
  case HM_TYP_RECEIPT:
    if (row->kind == HM_RECEIPT_COMPLETION)
      reach(hm_proof_find(p, HM_TYP_PAIRING, row->key, row->number));
    HM_TRY(hm_proof_object(p, row, &object));
    HM_TRY(hm_sign1_parse(object, false, &s));
    reach(hm_proof_find(p, HM_TYP_SESSION, s.kid, row->number));
    return HM_OK;
  case HM_TYP_PAIRING:
    for (size_t i = 0; i < 2; i++)
      reach(hm_proof_find(p, HM_TYP_BINDING, pairing->policy.entities[i], row->number));
    return HM_OK;
  default:
    return HM_OK;
  }
}

enum hm_status hm_proof_reach(struct hm_proof_state *p)
{
  for (size_t i = p->of[HM_ITEM_ENTRY].end; i > p->of[HM_ITEM_ENTRY].begin; i--)
    if (p->rows[i - 1].is_reached)
      HM_TRY(reach_cited(p, &p->rows[i - 1]));
  for (size_t i = 0; i < p->count; i++) {
    const struct hm_proof_row *row = &p->rows[i];
    static const char letters[HM_PROOF_ITEM_KINDS] = {0, 0, 'c', 'r', 'm', 0, 0, 'c', 'c'};
    struct hm_proof_step step = hm_proof_ok(HM_LINK_FILE, letters[row->item], row->number, 0,
                                            "nothing in the file cites it");
    if (!row->is_reached)
      return hm_proof_not_intact(p, step);
  }
  return HM_OK;
}

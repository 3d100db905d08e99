/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The control log: the newest checkpoint, the host that signed it, and every entry of
 * the file at its place in that tree, with every signature in it verified, nested
 * ones too: names and leaves do not cover signatures.
 */
#include "trust/proof_state.h"

static struct hm_proof_step entry_step(const struct hm_proof_row *row, enum hm_proof_link link,
                                       const char *sentence)
{
  return hm_proof_ok(link, 'c', row->number, 1, sentence);
}

/* The authority whose thumbprint a kid is; else the link to the authority is broken. */
static enum hm_status find_authority(struct hm_proof_state *p, const struct hm_proof_row *row,
                                     const uint8_t kid[32], const uint8_t **point)
{
  for (size_t i = 0; i < p->in->authority_count; i++)
    if (memcmp(p->authority_ids[i], kid, 32) == 0) {
      *point = p->in->authorities[i].point;
      p->verdict->authority = i;
      return HM_OK;
    }
  struct hm_proof_step step =
      entry_step(row, HM_LINK_AUTHORITY, "is signed by another authority than the one given");
  step.depth = 0;
  hm_proof_step_hashes(&step, p->authority_ids[0], kid);
  return hm_proof_not_authorized(p, step);
}

static enum hm_status object_kid(struct hm_bytes object, uint8_t kid[32])
{
  struct hm_sign1 s;
  HM_TRY(hm_sign1_parse(object, false, &s));
  memcpy(kid, s.kid, 32);
  return HM_OK;
}

static void *take(struct hm_proof_state *p, size_t bytes)
{
  bytes = (bytes + 15) / 16 * 16;
  if (bytes > p->left)
    return NULL;
  void *slot = p->free;
  p->free += bytes;
  p->left -= bytes;
  return slot;
}

struct entry {
  struct hm_hmk_entry item;
  uint8_t kid[32];
  const uint8_t *point; /* of the authority, where one signed it */
};

static enum hm_status read_entry(struct hm_proof_state *p, const struct hm_proof_row *row,
                                 struct entry *e)
{
  HM_TRY(hm_decode(&hm_shape_hmk_entry, hm_proof_bytes(p, row), &e->item, NULL));
  return object_kid(e->item.object, e->kid);
}

/* ---- places in the tree ---------------------------------------------------------------- */
static enum hm_status check_place(struct hm_proof_state *p, const struct hm_proof_row *row)
{
  struct entry e;
  struct hm_sign1 s;
  uint8_t leaf[32];
  HM_TRY(read_entry(p, row, &e));
  HM_TRY(hm_sign1_parse(e.item.object, false, &s));
  HM_TRY(hm_sign1_leaf(p->c, &s, s.payload, leaf));
  enum hm_status status = hm_inclusion_verify(p->c, leaf, row->number - 1, p->control.size,
                                              &e.item.way, p->control.root);
  struct hm_proof_step step =
      entry_step(row, HM_LINK_ENTRY, "does not stand at its number in the checkpoint's tree");
  return hm_proof_judge(p, status, row, step);
}

/* ---- bindings ---------------------------------------------------------------------------- */
static enum hm_status check_log_proof(struct hm_proof_state *p, const struct hm_proof_row *row,
                                      const struct entry *e)
{
  struct hm_log_view view;
  HM_TRY(hm_proof_sign(p, row, 1));
  struct hm_proof_step step =
      entry_step(row, HM_LINK_ENTRY, "its place in the authority's log is not proven");
  return hm_proof_judge(
      p, hm_log_proof_verify(p->c, e->item.attached[0], e->item.object, e->point, &view), row,
      step);
}

static enum hm_status check_binding(struct hm_proof_state *p, struct hm_proof_row *row,
                                    const struct hm_entity *host)
{
  struct entry e;
  HM_TRY(read_entry(p, row, &e));
  HM_TRY(find_authority(p, row, e.kid, &e.point));
  HM_TRY(hm_proof_sign(p, row, host != NULL ? 3 : 2));
  struct hm_entity *entity = take(p, sizeof *entity);
  if (entity == NULL)
    return HM_SHORT_BUFFER;
  struct hm_proof_step step = entry_step(row, HM_LINK_ENTRY, "the binding does not verify");
  enum hm_status status = hm_binding_open(p->c, e.item.object, e.point, host, NULL, entity);
  HM_TRY(hm_proof_judge(p, status, row, step));
  memcpy(row->key, entity->lct, sizeof row->key);
  row->facts = entity;
  return check_log_proof(p, row, &e);
}

/* Those with silicon of their own first: the hosted ones need their host's key. */
static enum hm_status check_bindings(struct hm_proof_state *p, bool hosted)
{
  for (size_t i = p->of[HM_ITEM_ENTRY].begin; i < p->of[HM_ITEM_ENTRY].end; i++) {
    struct hm_proof_row *row = &p->rows[i];
    struct hm_bytes object;
    struct hm_proof_row *host = NULL;
    bool is_hosted;
    uint8_t lct[32];
    if (row->typ != HM_TYP_BINDING)
      continue;
    HM_TRY(hm_proof_object(p, row, &object));
    struct hm_proof_step step = entry_step(row, HM_LINK_ENTRY, "the binding is not of its form");
    HM_TRY(hm_proof_judge(p, hm_binding_host(object, &is_hosted, lct), row, step));
    if (is_hosted != hosted)
      continue;
    if (hosted) {
      host = hm_proof_find(p, HM_TYP_BINDING, lct, row->number);
      step.sentence = "the binding of its host is not before it in the file";
      if (host == NULL || ((struct hm_entity *)host->facts)->class != HM_CLASS_A)
        return hm_proof_not_authorized(p, step);
    }
    HM_TRY(check_binding(p, row, host != NULL ? host->facts : NULL));
  }
  return HM_OK;
}

/* ---- pairings, completions ------------------------------------------------------------------ */
static enum hm_status check_pairing(struct hm_proof_state *p, struct hm_proof_row *row)
{
  struct entry e;
  HM_TRY(read_entry(p, row, &e));
  HM_TRY(find_authority(p, row, e.kid, &e.point));
  HM_TRY(hm_proof_sign(p, row, 1));
  struct hm_pairing *pairing = take(p, sizeof *pairing);
  if (pairing == NULL)
    return HM_SHORT_BUFFER;
  struct hm_proof_step step = entry_step(row, HM_LINK_PAIRING, "the certificate does not verify");
  enum hm_status status = hm_pairing_open(p->c, e.item.object, e.point, NULL, pairing);
  HM_TRY(hm_proof_judge(p, status, row, step));
  memcpy(row->key, pairing->name, sizeof row->key);
  row->facts = pairing;
  return check_log_proof(p, row, &e);
}

/* What one end signed when both halves had met: under its own key, over one transcript. */
static enum hm_status check_end(struct hm_proof_state *p, const struct hm_proof_row *row,
                                const struct entry *e, const struct hm_receipt *receipt,
                                const struct hm_proof_row *pairing_row, unsigned role,
                                struct hm_completion *completion)
{
  const struct hm_pairing *pairing = pairing_row->facts;
  const struct hm_proof_row *end =
      hm_proof_find(p, HM_TYP_BINDING, pairing->policy.entities[role], pairing_row->number);
  uint8_t name[32];
  struct hm_proof_step step =
      entry_step(row, HM_LINK_COMPLETION, "the binding of one end is not in the file");
  if (end == NULL)
    return hm_proof_not_authorized(p, step);
  const struct hm_entity *entity = end->facts;
  step.sentence = "one end's completion is not signed by it";
  HM_TRY(hm_proof_sign(p, row, 1));
  HM_TRY(hm_proof_judge(
      p, hm_completion_open(p->c, e->item.attached[role], entity->sign, completion, name), row,
      step));
  step.sentence = "one end's completion is not the one the receipt names";
  hm_proof_step_hashes(&step, receipt->evidence[role], name);
  if (memcmp(name, receipt->evidence[role], sizeof name) != 0)
    return hm_proof_not_intact(p, step);
  step.has_values = false;
  step.sentence = "one end completed another pairing or role";
  if (completion->role != role ||
      memcmp(completion->pairing_id, pairing->policy.pairing_id, 16) != 0)
    return hm_proof_not_authorized(p, step);
  return HM_OK;
}

static enum hm_status check_completion(struct hm_proof_state *p, struct hm_proof_row *row,
                                       const struct entry *e, const struct hm_receipt *receipt)
{
  struct hm_completion ends[2];
  struct hm_proof_row *pairing =
      hm_proof_find(p, HM_TYP_PAIRING, receipt->certificate, row->number);
  struct hm_proof_step step =
      entry_step(row, HM_LINK_COMPLETION, "the pairing it completes is not before it in the file");
  if (pairing == NULL)
    return hm_proof_not_authorized(p, step);
  step.sentence = "the receipt says fail";
  if (receipt->result != HM_RESULT_PASS)
    return hm_proof_not_authorized(p, step);
  for (unsigned role = 0; role < 2; role++)
    HM_TRY(check_end(p, row, e, receipt, pairing, role, &ends[role]));
  step.sentence = "the two ends completed different transcripts";
  hm_proof_step_hashes(&step, ends[0].transcript, ends[1].transcript);
  if (memcmp(ends[0].transcript, ends[1].transcript, 32) != 0 ||
      memcmp(ends[0].nonce, ends[1].nonce, 16) != 0)
    return hm_proof_not_authorized(p, step);
  memcpy(row->key, receipt->certificate, sizeof row->key);
  return HM_OK;
}

/* ---- the other kinds ----------------------------------------------------------------------------
 */
/* Whose key signs a receipt of the host's side: the entity's, or a session key of it. */
static enum hm_status host_side_key(struct hm_proof_state *p, const struct hm_proof_row *row,
                                    const uint8_t kid[32], uint8_t point[64])
{
  struct hm_session session;
  struct hm_bytes object;
  uint8_t id[32];
  memcpy(point, p->host->sign, 64);
  if (memcmp(kid, p->host->lct, 32) == 0)
    return HM_OK;
  struct hm_proof_row *entry = hm_proof_find(p, HM_TYP_SESSION, kid, row->number);
  struct hm_proof_step step =
      entry_step(row, HM_LINK_ENTRY, "is signed by a key that nobody certified");
  hm_proof_step_hashes(&step, p->host->lct, kid);
  if (entry == NULL)
    return hm_proof_not_authorized(p, step);
  HM_TRY(hm_proof_object(p, entry, &object));
  HM_TRY(hm_session_open(p->c, object, NULL, &session, id, NULL));
  step.has_values = false;
  step.sentence = "is signed by a session key that may not sign receipts";
  if (!hm_session_allows(&session, HM_PURPOSE_RECEIPTS))
    return hm_proof_not_authorized(p, step);
  memcpy(point, session.key, 64);
  return HM_OK;
}

static enum hm_status check_receipt(struct hm_proof_state *p, struct hm_proof_row *row)
{
  struct entry e;
  struct hm_receipt receipt;
  uint8_t point[64];
  HM_TRY(read_entry(p, row, &e));
  struct hm_proof_step step = entry_step(row, HM_LINK_ENTRY, "the receipt does not verify");
  HM_TRY(hm_proof_judge(p, hm_receipt_open(p->c, e.item.object, NULL, &receipt, NULL), row, step));
  if (hm_receipt_is_authority_kind(receipt.kind)) {
    HM_TRY(find_authority(p, row, e.kid, &e.point));
    memcpy(point, e.point, sizeof point);
  } else {
    HM_TRY(host_side_key(p, row, e.kid, point));
  }
  HM_TRY(hm_proof_sign(p, row, 1));
  HM_TRY(hm_proof_judge(p, hm_receipt_open(p->c, e.item.object, point, &receipt, NULL), row, step));
  row->kind = (uint8_t)receipt.kind;
  return receipt.kind == HM_RECEIPT_COMPLETION ? check_completion(p, row, &e, &receipt) : HM_OK;
}

static enum hm_status check_revocation(struct hm_proof_state *p, struct hm_proof_row *row)
{
  struct entry e;
  struct hm_revocation revocation;
  HM_TRY(read_entry(p, row, &e));
  struct hm_proof_step step = entry_step(row, HM_LINK_REVOCATION, "the revocation does not verify");
  HM_TRY(hm_proof_judge(p, hm_revocation_open(p->c, e.item.object, NULL, &revocation, NULL), row,
                        step));
  e.point = p->host->sign;
  if (!revocation.is_local)
    HM_TRY(find_authority(p, row, e.kid, &e.point));
  HM_TRY(hm_proof_sign(p, row, 1));
  return hm_proof_judge(p, hm_revocation_open(p->c, e.item.object, e.point, &revocation, NULL), row,
                        step);
}

/* Objects that only the host's entity key signs. */
static enum hm_status open_host_object(struct hm_proof_state *p, const struct hm_proof_row *row,
                                       struct hm_bytes object, uint8_t key[32])
{
  union {
    struct hm_session session;
    struct hm_head head;
    struct hm_export manifest;
    struct hm_law law;
  } value;
  const uint8_t *point = p->host->sign;
  switch (row->typ) {
  case HM_TYP_SESSION:
    return hm_session_open(p->c, object, point, &value.session, key, NULL);
  case HM_TYP_HEAD:
    return hm_head_open(p->c, object, point, &value.head, NULL);
  case HM_TYP_EXPORT:
    return hm_export_open(p->c, object, point, &value.manifest, NULL);
  case HM_TYP_LAW:
    return hm_law_open(p->c, object, point, &value.law, NULL);
  default:
    return HM_WRONG_TYPE;
  }
}

static enum hm_status check_host_object(struct hm_proof_state *p, struct hm_proof_row *row)
{
  struct hm_bytes object;
  HM_TRY(hm_proof_object(p, row, &object));
  HM_TRY(hm_proof_sign(p, row, 1));
  struct hm_proof_step step =
      entry_step(row, HM_LINK_ENTRY, "is not signed by the host's entity key");
  return hm_proof_judge(p, open_host_object(p, row, object, row->key), row, step);
}

/* In the order in which they lean on each other. */
static enum hm_status check_kind(struct hm_proof_state *p, struct hm_proof_row *row, unsigned turn)
{
  switch (row->typ) {
  case HM_TYP_BINDING:
    return HM_OK;
  case HM_TYP_PAIRING:
    return turn == 0 ? check_pairing(p, row) : HM_OK;
  case HM_TYP_SESSION:
    return turn == 0 ? check_host_object(p, row) : HM_OK;
  case HM_TYP_RECEIPT:
    return turn == 1 ? check_receipt(p, row) : HM_OK;
  case HM_TYP_REVOCATION:
    return turn == 1 ? check_revocation(p, row) : HM_OK;
  default:
    return turn == 1 ? check_host_object(p, row) : HM_OK;
  }
}

/* ---- the checkpoint and its host
 * --------------------------------------------------------------------- */
static enum hm_status find_host(struct hm_proof_state *p)
{
  struct hm_proof_step step =
      hm_proof_ok(HM_LINK_HOST, 0, 0, 0, "the binding of the host that signs is not in the file");
  step.has_entity = true;
  memcpy(step.entity, p->verdict->host, sizeof step.entity);
  for (size_t i = p->of[HM_ITEM_ENTRY].begin; p->host == NULL && i < p->of[HM_ITEM_ENTRY].end;
       i++) {
    struct hm_proof_row *row = &p->rows[i];
    if (row->typ == HM_TYP_BINDING && memcmp(row->key, p->verdict->host, 32) == 0) {
      p->host_row = row;
      p->host = row->facts;
      row->is_reached = true;
    }
  }
  if (p->host == NULL)
    return hm_proof_not_authorized(p, step);
  step.letter = 'c';
  step.number = p->host_row->number;
  step.sentence = "the recorder is not a host with keys of its own";
  if (p->host->class != HM_CLASS_A || p->host->type != HM_ENTITY_HOST)
    return hm_proof_not_authorized(p, step);
  struct hm_proof_step given = hm_proof_ok(HM_LINK_AUTHORITY, 0, p->verdict->authority, 0,
                                           "the key given from outside the file");
  given.has_entity = true;
  memcpy(given.entity, p->authority_ids[p->verdict->authority], sizeof given.entity);
  hm_proof_say(p, &given);
  step.sentence = "host, bound by the authority given";
  hm_proof_say(p, &step);
  return HM_OK;
}

static enum hm_status open_checkpoint(struct hm_proof_state *p)
{
  struct hm_proof_row *row = &p->rows[p->of[HM_ITEM_CHECKPOINT].begin];
  struct hm_checkpoint checkpoint;
  struct hm_bytes object;
  struct hm_proof_step step =
      hm_proof_ok(HM_LINK_CHECKPOINT, 0, 0, 0, "is not a host's checkpoint");
  HM_TRY(hm_proof_object(p, row, &object));
  HM_TRY(hm_proof_judge(p, hm_checkpoint_open(p->c, object, NULL, &checkpoint, p->checkpoint_name),
                        row, step));
  if (checkpoint.has_revocations)
    return hm_proof_malformed(p, HM_MALFORMED, row, "revocations", "a host's checkpoint has none");
  HM_TRY(object_kid(object, p->verdict->host));
  p->control = checkpoint.control_tree;
  p->verdict->control_size = p->control.size;
  row->is_reached = true;
  return HM_OK;
}

static enum hm_status verify_checkpoint(struct hm_proof_state *p)
{
  struct hm_proof_row *row = &p->rows[p->of[HM_ITEM_CHECKPOINT].begin];
  struct hm_checkpoint checkpoint;
  struct hm_bytes object;
  struct hm_proof_step step =
      hm_proof_ok(HM_LINK_CHECKPOINT, 'c', p->control.size, 0, "is not signed by the host");
  HM_TRY(hm_proof_object(p, row, &object));
  HM_TRY(hm_proof_sign(p, row, 1));
  HM_TRY(hm_proof_judge(p, hm_checkpoint_open(p->c, object, p->host->sign, &checkpoint, NULL), row,
                        step));
  step.sentence = "checkpoint of the control log, signed by the host's entity key";
  hm_proof_say(p, &step);
  return HM_OK;
}

static enum hm_status find_head(struct hm_proof_state *p)
{
  struct hm_proof_row *row = hm_proof_entry(p, p->control.size);
  struct hm_bytes object;
  struct hm_proof_step step = hm_proof_ok(HM_LINK_HEAD, 'c', p->control.size, 0,
                                          "the last entry under the checkpoint is no head");
  if (row == NULL || row->typ != HM_TYP_HEAD)
    return hm_proof_not_intact(p, step);
  HM_TRY(hm_proof_object(p, row, &object));
  HM_TRY(hm_head_open(p->c, object, NULL, &p->head, NULL));
  row->is_reached = true;
  p->verdict->data_size = p->head.data_tree.size;
  step.sentence = "head of the data log";
  hm_proof_say(p, &step);
  return HM_OK;
}

enum hm_status hm_proof_log(struct hm_proof_state *p)
{
  HM_TRY(open_checkpoint(p));
  for (size_t i = p->of[HM_ITEM_ENTRY].begin; i < p->of[HM_ITEM_ENTRY].end; i++)
    HM_TRY(check_place(p, &p->rows[i]));
  HM_TRY(check_bindings(p, false));
  HM_TRY(find_host(p));
  HM_TRY(check_bindings(p, true));
  HM_TRY(verify_checkpoint(p));
  for (unsigned turn = 0; turn < 2; turn++)
    for (size_t i = p->of[HM_ITEM_ENTRY].begin; i < p->of[HM_ITEM_ENTRY].end; i++)
      HM_TRY(check_kind(p, &p->rows[i], turn));
  p->verdict->entries = p->of[HM_ITEM_ENTRY].end - p->of[HM_ITEM_ENTRY].begin;
  return find_head(p);
}

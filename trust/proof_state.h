/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the parts of the proof verifier share. Private to trust/proof*.c.
 *
 *   proof_items.c   the file as items: shapes, order, counts        (malformed)
 *   proof_batch.c   contents, leaves, roots, receipts                 (intact)
 *   proof_log.c     checkpoint, host, every control entry             (intact, authorized)
 *   proof_force.c   pairings in force, revocations                    (authorized)
 *   proof_witness.c witnesses, older checkpoints; that every item is cited
 *   proof.c         the order of it all, steps, the verdict
 */
#ifndef HM_TRUST_PROOF_STATE_H
#define HM_TRUST_PROOF_STATE_H

#include "trust/proof.h"

enum { HM_PROOF_ITEM_KINDS = 9 };

/* One item of the file, as the verifier remembers it. */
struct hm_proof_row {
  uint32_t at, len; /* where in the file */
  uint64_t number;  /* cN, rN, mN; size of a link's checkpoint */
  uint16_t typ;     /* of the object inside */
  uint8_t item;     /* enum hm_proof_item */
  uint8_t kind;     /* of a receipt */
  bool is_reached;
  bool is_head_covered;                 /* of a head: its live set is here and matches */
  bool is_witnessed, is_witnessed_soon; /* of a batch */
  uint32_t start;                       /* of a batch: position of the first entry of its range */
  /* name: NAME of the object; of a batch: its root, later its NAME.
   * key: LCT of a binding, kid of a session, pairing's NAME of a completion, kid of a batch */
  uint8_t name[32];
  uint8_t key[32];
  void *facts; /* struct hm_entity of a binding, struct hm_pairing of a pairing */
};

struct hm_proof_state {
  const struct hm_crypto *c;
  const struct hm_proof_input *in;
  struct hm_verdict *verdict;
  struct hm_proof_fault *fault;

  struct hm_proof_row *rows; /* rows[0] is the first item after the head */
  size_t count;
  struct {
    size_t begin, end;
  } of[HM_PROOF_ITEM_KINDS];

  uint8_t *free; /* rest of the scratch */
  size_t left;

  uint8_t authority_ids[HM_PROOF_AUTHORITIES_MAX][32];
  uint8_t checkpoint_name[32];
  struct hm_tree_head control;
  struct hm_head head;
  const struct hm_proof_row *host_row;
  const struct hm_entity *host;

  unsigned refused; /* links that say not authorized, and let the rest be looked at */
  bool authorized_unknown;
  bool timely_no, timely_unknown;
  bool coherent_no, coherent_unknown;
  bool witnessed_no;
};

/* ---- saying what happened (proof.c) ------------------------------------------------ */
struct hm_proof_step hm_proof_ok(enum hm_proof_link link, char letter, uint64_t number, int depth,
                                 const char *sentence);
void hm_proof_say(struct hm_proof_state *p, const struct hm_proof_step *step);
/* Break a link for good: the word becomes no, the step is told, HM_BAD_PROOF returned. */
enum hm_status HM_MUST_CHECK hm_proof_not_intact(struct hm_proof_state *p,
                                                 struct hm_proof_step step);
enum hm_status HM_MUST_CHECK hm_proof_not_authorized(struct hm_proof_state *p,
                                                     struct hm_proof_step step);
/* Not authorized, but the rest can still be looked at. */
void hm_proof_refuse(struct hm_proof_state *p, struct hm_proof_step step);
/* HM_OK passes. A status of exit 6 is a malformed file; any other breaks the link. */
enum hm_status HM_MUST_CHECK hm_proof_judge(struct hm_proof_state *p, enum hm_status status,
                                            const struct hm_proof_row *row,
                                            struct hm_proof_step step);
enum hm_status HM_MUST_CHECK hm_proof_malformed(struct hm_proof_state *p, enum hm_status status,
                                                const struct hm_proof_row *row, const char *field,
                                                const char *sentence);
void hm_proof_step_hashes(struct hm_proof_step *step, const uint8_t wanted[32],
                          const uint8_t found[32]);
void hm_proof_step_numbers(struct hm_proof_step *step, uint64_t wanted, uint64_t found);
/* Count signatures about to be verified. */
enum hm_status HM_MUST_CHECK hm_proof_sign(struct hm_proof_state *p, const struct hm_proof_row *row,
                                           unsigned count);

/* ---- the parts ------------------------------------------------------------------------ */
enum hm_status HM_MUST_CHECK hm_proof_read(struct hm_proof_state *p);
enum hm_status HM_MUST_CHECK hm_proof_contents(struct hm_proof_state *p);
enum hm_status HM_MUST_CHECK hm_proof_trees(struct hm_proof_state *p);
enum hm_status HM_MUST_CHECK hm_proof_log(struct hm_proof_state *p);
enum hm_status HM_MUST_CHECK hm_proof_receipts(struct hm_proof_state *p);
enum hm_status HM_MUST_CHECK hm_proof_force(struct hm_proof_state *p);
enum hm_status HM_MUST_CHECK hm_proof_witnesses(struct hm_proof_state *p);
enum hm_status HM_MUST_CHECK hm_proof_reach(struct hm_proof_state *p);

/* ---- looking things up ------------------------------------------------------------------ */
static inline struct hm_bytes hm_proof_bytes(const struct hm_proof_state *p,
                                             const struct hm_proof_row *row)
{
  return hm_bytes(p->in->file.data + row->at, row->len);
}
/* The entry cN, or NULL. */
struct hm_proof_row *hm_proof_entry(struct hm_proof_state *p, uint64_t number);
/* The entry of a typ with that key, the newest below a number; or NULL. */
struct hm_proof_row *hm_proof_find(struct hm_proof_state *p, uint16_t typ, const uint8_t key[32],
                                   uint64_t below);
/* The completion of a pairing at or below a number, or NULL. */
struct hm_proof_row *hm_proof_completion(struct hm_proof_state *p, const uint8_t pairing[32],
                                         uint64_t upto);
/* The item of a kind and number, or NULL. */
struct hm_proof_row *hm_proof_item(struct hm_proof_state *p, enum hm_proof_item item,
                                   uint64_t number);
/* The object of an item that was decoded before; HM_OK always after hm_proof_read. */
enum hm_status HM_MUST_CHECK hm_proof_object(const struct hm_proof_state *p,
                                             const struct hm_proof_row *row,
                                             struct hm_bytes *object);

#endif

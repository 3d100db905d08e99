/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The order of verification, what is said of each link, and the verdict.
 */
#include "trust/proof.h"

#include "trust/proof_state.h"

static const char *const link_names[HM_LINK_COUNT] = {
    [HM_LINK_FILE] = "file",
    [HM_LINK_PICTURE] = "picture",
    [HM_LINK_VECTOR] = "vector",
    [HM_LINK_RECORD] = "record",
    [HM_LINK_LEAF] = "leaf",
    [HM_LINK_FACTS] = "batch facts",
    [HM_LINK_SENSOR_LEAF] = "sensor leaf",
    [HM_LINK_AUTHORITY] = "authority",
    [HM_LINK_HOST] = "host",
    [HM_LINK_CHECKPOINT] = "checkpoint",
    [HM_LINK_ENTRY] = "control entry",
    [HM_LINK_HEAD] = "head",
    [HM_LINK_RECEIPT] = "batch receipt",
    [HM_LINK_SESSION] = "session key",
    [HM_LINK_SENSOR] = "sensor",
    [HM_LINK_PAIRING] = "pairing",
    [HM_LINK_COMPLETION] = "completion",
    [HM_LINK_LIVE] = "live set",
    [HM_LINK_REVOCATION] = "revocation",
    [HM_LINK_ENCODER] = "encoder",
    [HM_LINK_TIME] = "time",
    [HM_LINK_WITNESS] = "witness",
};

const char *hm_proof_link_name(enum hm_proof_link link)
{
  return (unsigned)link < HM_LINK_COUNT ? link_names[link] : "unknown";
}

const char *hm_answer_name(enum hm_answer answer)
{
  static const char *const names[] = {"unknown", "yes", "no"};
  return (unsigned)answer < 3 ? names[answer] : "unknown";
}

bool hm_verdict_is_proven(const struct hm_verdict *verdict)
{
  return verdict->authorized == HM_ANSWER_YES && verdict->intact == HM_ANSWER_YES;
}

/* ---- steps ------------------------------------------------------------------------------- */
struct hm_proof_step hm_proof_ok(enum hm_proof_link link, char letter, uint64_t number, int depth,
                                 const char *sentence)
{
  struct hm_proof_step step;
  memset(&step, 0, sizeof step);
  step.link = link;
  step.result = HM_STEP_OK;
  step.letter = letter;
  step.number = number;
  step.depth = depth;
  step.sentence = sentence;
  return step;
}

void hm_proof_step_hashes(struct hm_proof_step *step, const uint8_t wanted[32],
                          const uint8_t found[32])
{
  step->has_values = step->is_hash = true;
  memcpy(step->wanted_hash, wanted, 32);
  memcpy(step->found_hash, found, 32);
}

void hm_proof_step_numbers(struct hm_proof_step *step, uint64_t wanted, uint64_t found)
{
  step->has_values = true;
  step->is_hash = false;
  step->wanted = wanted;
  step->found = found;
}

void hm_proof_say(struct hm_proof_state *p, const struct hm_proof_step *step)
{
  if (p->in->step != NULL)
    p->in->step(p->in->step_user, step);
}

static void say_broken(struct hm_proof_state *p, struct hm_proof_step *step)
{
  step->result = HM_STEP_BROKEN;
  if (!p->verdict->has_broken)
    p->verdict->broken = *step;
  p->verdict->has_broken = true;
  hm_proof_say(p, step);
}

enum hm_status hm_proof_not_intact(struct hm_proof_state *p, struct hm_proof_step step)
{
  p->verdict->intact = HM_ANSWER_NO;
  say_broken(p, &step);
  return HM_BAD_PROOF;
}

enum hm_status hm_proof_not_authorized(struct hm_proof_state *p, struct hm_proof_step step)
{
  p->verdict->authorized = HM_ANSWER_NO;
  say_broken(p, &step);
  return HM_BAD_PROOF;
}

void hm_proof_refuse(struct hm_proof_state *p, struct hm_proof_step step)
{
  p->refused++;
  say_broken(p, &step);
}

enum hm_status hm_proof_malformed(struct hm_proof_state *p, enum hm_status status,
                                  const struct hm_proof_row *row, const char *field,
                                  const char *sentence)
{
  if (p->fault != NULL)
    *p->fault = (struct hm_proof_fault){row->at, (size_t)(row - p->rows) + 1, field, sentence};
  return status;
}

enum hm_status hm_proof_judge(struct hm_proof_state *p, enum hm_status status,
                              const struct hm_proof_row *row, struct hm_proof_step step)
{
  if (status == HM_OK)
    return HM_OK;
  if (hm_status_row(status)->exit_code == 6)
    return hm_proof_malformed(p, status, row, NULL, step.sentence);
  return hm_proof_not_intact(p, step);
}

enum hm_status hm_proof_sign(struct hm_proof_state *p, const struct hm_proof_row *row,
                             unsigned count)
{
  p->verdict->signatures += count;
  if (p->verdict->signatures <= HM_PROOF_SIGNATURES_MAX)
    return HM_OK;
  return hm_proof_malformed(p, HM_TOO_LARGE, row, NULL, "more than 4,096 signatures");
}

/* ---- the order of it all --------------------------------------------------------------------- */
static enum hm_status name_authorities(struct hm_proof_state *p)
{
  if (p->in->authority_count == 0 || p->in->authority_count > HM_PROOF_AUTHORITIES_MAX)
    return HM_STATE;
  for (size_t i = 0; i < p->in->authority_count; i++)
    HM_TRY(hm_key_thumbprint(p->c, p->in->authorities[i].point, p->authority_ids[i]));
  return HM_OK;
}

static enum hm_status verify_all(struct hm_proof_state *p)
{
  HM_TRY(name_authorities(p));
  HM_TRY(hm_proof_read(p));
  HM_TRY(hm_proof_contents(p));
  HM_TRY(hm_proof_trees(p));
  HM_TRY(hm_proof_log(p));
  HM_TRY(hm_proof_receipts(p));
  HM_TRY(hm_proof_force(p));
  HM_TRY(hm_proof_witnesses(p));
  return hm_proof_reach(p);
}

static enum hm_answer worst(bool no, bool unknown)
{
  if (no)
    return HM_ANSWER_NO;
  return unknown ? HM_ANSWER_UNKNOWN : HM_ANSWER_YES;
}

static void conclude(struct hm_proof_state *p)
{
  struct hm_verdict *v = p->verdict;
  bool all_witnessed = true, all_soon = true;
  for (size_t i = p->of[HM_ITEM_BATCH].begin; i < p->of[HM_ITEM_BATCH].end; i++) {
    all_witnessed = all_witnessed && p->rows[i].is_witnessed;
    all_soon = all_soon && p->rows[i].is_witnessed_soon;
  }
  v->intact = HM_ANSWER_YES;
  v->authorized = worst(p->refused > 0, p->authorized_unknown);
  v->timely = worst(p->timely_no, p->timely_unknown || !all_soon);
  v->coherent = worst(p->coherent_no, p->coherent_unknown);
  v->witnessed = worst(p->witnessed_no, !all_witnessed);
  if (v->authorized != HM_ANSWER_NO)
    return;
  v->timely = worst(v->timely == HM_ANSWER_NO, true);
  v->coherent = worst(v->coherent == HM_ANSWER_NO, true);
  v->witnessed = worst(v->witnessed == HM_ANSWER_NO, true);
}

enum hm_status hm_proof_verify(const struct hm_crypto *c, const struct hm_proof_input *input,
                               struct hm_verdict *verdict, struct hm_proof_fault *fault)
{
  struct hm_proof_state p;
  memset(&p, 0, sizeof p);
  memset(verdict, 0, sizeof *verdict);
  if (fault != NULL)
    *fault = (struct hm_proof_fault){0, 0, NULL, NULL};
  p.c = c;
  p.in = input;
  p.verdict = verdict;
  p.fault = fault;
  verdict->pins_given = verdict->is_pinned = input->pin_count > 0;
  enum hm_status status = verify_all(&p);
  if (status == HM_OK) {
    conclude(&p);
    return HM_OK;
  }
  bool broke = verdict->intact == HM_ANSWER_NO || verdict->authorized == HM_ANSWER_NO;
  verdict->is_pinned = false;
  if (broke && p.refused > 0)
    verdict->authorized = HM_ANSWER_NO;
  if (broke && p.witnessed_no)
    verdict->witnessed = HM_ANSWER_NO;
  if (broke && status == HM_BAD_PROOF)
    return HM_OK;
  verdict->authorized = verdict->intact = HM_ANSWER_UNKNOWN;
  return status;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * verify without a file: a whole store, from the first entry to the newest record.
 *
 *   control  every entry in order: its signature by its kind, D never falls; the tree
 *            rebuilt from the objects equals the stored one; heads and checkpoints
 *            name roots that the rebuilt trees had
 *   data     every batch in order: leaves lead to the root, the receipt verifies under
 *            a session key of the log before it, numbers follow, C never falls, each
 *            names the one before
 *   records  every record's chain, as a stranger would follow it, in proofs of 64
 *
 * It runs in a child that reads and never writes; a damaged page ends the child only.
 */
#include <stdlib.h>
#include <string.h>

#include "services/cli.h"
#include "services/view.h"
#include "trust/crypto_openssl.h"

enum { RECORDS_A_PROOF = 64, SESSIONS_MAX = 4096 };

/* A session key of the log. */
struct session {
  uint64_t control, first;
  uint8_t kid[32], point[64];
};

struct check {
  const struct hm_crypto *crypto;
  struct hm_store *store;
  const struct hm_anchors *anchors;
  bool recompute;
  struct hm_error *err;
  uint8_t host[64]; /* signing point of the host, from its binding */
  uint8_t host_lct[32];
  bool has_host;
  const struct hm_proof_authority *authority; /* the one that certified the host */
  GArray *entities;                           /* struct hm_entity, of the bindings so far */
  GArray *sessions;
  GArray *heads; /* struct hm_tree_head: data trees that heads named */
  GArray *checkpoints;
  struct hm_peaks control, data;
  uint64_t last_d, last_c, next_record;
  uint8_t last_batch[32];
  struct {
    uint64_t entries, batches, records, proven, not_logged, revoked_later;
  } seen;
};

/* A break of the chain: the answer is no. */
static enum hm_status broken(struct check *k, char letter, uint64_t number, const char *what,
                             const char *wanted, const char *found)
{
  return hm_fail(k->err, HM_MISMATCH, "%c%" G_GUINT64_FORMAT ": BROKEN: %s%s%s%s%s", letter, number,
                 what, wanted ? ": expected " : "", wanted ? wanted : "", found ? ", found " : "",
                 found ? found : "");
}

static enum hm_status compare_hash(struct check *k, char letter, uint64_t number, const char *what,
                                   const uint8_t wanted[32], const uint8_t found[32])
{
  char a[65], b[65];
  if (memcmp(wanted, found, 32) == 0)
    return HM_OK;
  hm_text_hex(wanted, 32, a);
  hm_text_hex(found, 32, b);
  return broken(k, letter, number, what, a, b);
}

static enum hm_status compare_number(struct check *k, char letter, uint64_t number,
                                     const char *what, uint64_t wanted, uint64_t found)
{
  char a[24], b[24];
  if (wanted == found)
    return HM_OK;
  g_snprintf(a, sizeof a, "%" G_GUINT64_FORMAT, wanted);
  g_snprintf(b, sizeof b, "%" G_GUINT64_FORMAT, found);
  return broken(k, letter, number, what, a, b);
}

/* ---- control ---------------------------------------------------------------------------- */
static const struct hm_entity *find_entity(struct check *k, const uint8_t lct[32])
{
  for (guint i = k->entities->len; i-- > 0;) {
    const struct hm_entity *e = &g_array_index(k->entities, struct hm_entity, i);
    if (memcmp(e->lct, lct, 32) == 0)
      return e;
  }
  return NULL;
}

/* A binding under one of the authorities given; the host's comes first and picks it. */
static enum hm_status check_binding(struct check *k, const struct hm_log_entry *entry)
{
  bool is_hosted = false;
  uint8_t lct[32];
  struct hm_entity entity;
  HM_TRY(hm_binding_host(entry->object, &is_hosted, lct));
  const struct hm_entity *host = is_hosted ? find_entity(k, lct) : NULL;
  enum hm_status status = HM_BAD_SIGNATURE;
  for (size_t i = 0; i < k->anchors->count && status != HM_OK; i++) {
    const struct hm_proof_authority *a = &k->anchors->authority[i];
    if (k->authority && k->authority != a)
      continue;
    status = hm_binding_open(k->crypto, entry->object, a->point, host, NULL, &entity);
    if (status == HM_OK && !k->authority)
      k->authority = a;
  }
  HM_TRY(status);
  struct hm_log_view view;
  if (entry->attached_count != 1)
    return HM_MALFORMED;
  HM_TRY(hm_log_proof_verify(k->crypto, entry->attached[0], entry->object, k->authority->point,
                             &view));
  g_array_append_val(k->entities, entity);
  if (!k->has_host && entity.type == HM_ENTITY_HOST) {
    k->has_host = true;
    memcpy(k->host, entity.sign, 64);
    memcpy(k->host_lct, entity.lct, 32);
  }
  return HM_OK;
}

static enum hm_status check_pairing(struct check *k, const struct hm_log_entry *entry)
{
  struct hm_pairing pairing;
  struct hm_log_view view;
  if (!k->authority || entry->attached_count != 1)
    return HM_MALFORMED;
  HM_TRY(hm_pairing_open(k->crypto, entry->object, k->authority->point, NULL, &pairing));
  return hm_log_proof_verify(k->crypto, entry->attached[0], entry->object, k->authority->point,
                             &view);
}

/* The two completions of a level 6 receipt, each under the key of its end. */
static enum hm_status check_completions(struct check *k, const struct hm_log_entry *entry,
                                        const struct hm_receipt *receipt)
{
  uint64_t number = 0;
  g_autofree uint8_t *buffer = g_malloc(HM_LOG_ENTRY_MAX);
  struct hm_log_entry certificate;
  struct hm_pairing pairing;
  if (entry->attached_count != 2 || !receipt->has_certificate)
    return HM_MALFORMED;
  struct hm_log *log = hm_store_control(k->store);
  HM_TRY(hm_log_find(log, receipt->certificate, &number));
  HM_TRY(hm_log_entry(log, number, buffer, HM_LOG_ENTRY_MAX, &certificate));
  HM_TRY(hm_pairing_open(k->crypto, certificate.object, k->authority->point, NULL, &pairing));
  for (unsigned i = 0; i < 2; i++) {
    const struct hm_entity *end = find_entity(k, pairing.policy.entities[i]);
    struct hm_completion completion;
    uint8_t name[32];
    if (!end)
      return HM_NOT_FOUND;
    HM_TRY(hm_completion_open(k->crypto, entry->attached[i], end->sign, &completion, name));
    if (completion.role != i || receipt->evidence_count != 2 ||
        memcmp(receipt->evidence[i], name, 32) != 0)
      return HM_MISMATCH;
  }
  return HM_OK;
}

static const uint8_t *session_point(struct check *k, const uint8_t kid[32], uint64_t control)
{
  for (guint i = k->sessions->len; i-- > 0;) {
    const struct session *s = &g_array_index(k->sessions, struct session, i);
    if (s->control <= control && memcmp(s->kid, kid, 32) == 0)
      return s->point;
  }
  return NULL;
}

static enum hm_status check_receipt(struct check *k, const struct hm_log_entry *entry)
{
  struct hm_receipt receipt;
  struct hm_sign1 sign1;
  uint8_t thumb[32];
  HM_TRY(hm_sign1_parse(entry->object, false, &sign1));
  if (k->authority) {
    HM_TRY(hm_key_thumbprint(k->crypto, k->authority->point, thumb));
    if (memcmp(thumb, sign1.kid, 32) == 0) {
      HM_TRY(hm_receipt_open(k->crypto, entry->object, k->authority->point, &receipt, NULL));
      return receipt.kind == HM_RECEIPT_COMPLETION ? check_completions(k, entry, &receipt) : HM_OK;
    }
  }
  /* The genesis is signed by the host before its binding is known: the key is checked
   * once c2 is read (the first entry is looked at again then). */
  const uint8_t *point = k->has_host ? k->host : NULL;
  const uint8_t *session = session_point(k, sign1.kid, entry->number);
  HM_TRY(hm_receipt_open(k->crypto, entry->object, session ? session : point, &receipt, NULL));
  return hm_receipt_is_authority_kind(receipt.kind) ? HM_BAD_SIGNATURE : HM_OK;
}

static enum hm_status check_revocation(struct check *k, const struct hm_log_entry *entry)
{
  struct hm_revocation r;
  struct hm_sign1 sign1;
  if (!k->authority || !k->has_host)
    return HM_MALFORMED;
  HM_TRY(hm_sign1_parse(entry->object, false, &sign1));
  bool is_host = memcmp(sign1.kid, k->host_lct, 32) == 0;
  HM_TRY(hm_revocation_open(k->crypto, entry->object, is_host ? k->host : k->authority->point, &r,
                            NULL));
  return r.is_local == is_host ? HM_OK : HM_BAD_SIGNATURE;
}

static enum hm_status check_session(struct check *k, const struct hm_log_entry *entry)
{
  struct hm_session session;
  struct session kept = {.control = entry->number};
  HM_TRY(hm_session_open(k->crypto, entry->object, k->host, &session, kept.kid, NULL));
  if (k->sessions->len == SESSIONS_MAX)
    g_array_remove_index(k->sessions, 0);
  memcpy(kept.point, session.key, 64);
  kept.first = session.first;
  g_array_append_val(k->sessions, kept);
  return HM_OK;
}

static enum hm_status check_head(struct check *k, const struct hm_log_entry *entry)
{
  struct hm_head head;
  HM_TRY(hm_head_open(k->crypto, entry->object, k->host, &head, NULL));
  g_array_append_val(k->heads, head.data_tree);
  return HM_OK;
}

static enum hm_status check_export(struct check *k, const struct hm_log_entry *entry)
{
  struct hm_export manifest;
  return hm_export_open(k->crypto, entry->object, k->host, &manifest, NULL);
}

static enum hm_status check_law(struct check *k, const struct hm_log_entry *entry)
{
  struct hm_law law;
  return hm_law_open(k->crypto, entry->object, k->host, &law, NULL);
}

static const struct {
  uint16_t typ;
  enum hm_status (*check)(struct check *k, const struct hm_log_entry *entry);
} checks[] = {
    {HM_TYP_BINDING, check_binding}, {HM_TYP_PAIRING, check_pairing},
    {HM_TYP_RECEIPT, check_receipt}, {HM_TYP_REVOCATION, check_revocation},
    {HM_TYP_SESSION, check_session}, {HM_TYP_HEAD, check_head},
    {HM_TYP_EXPORT, check_export},   {HM_TYP_LAW, check_law},
};

/* One that malformed bytes and a bad signature have in common: the log is not right. */
static enum hm_status entry_status(struct check *k, const struct hm_log_entry *entry)
{
  for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
    if (checks[i].typ == entry->typ)
      return checks[i].check(k, entry);
  return HM_WRONG_TYPE;
}

static enum hm_status check_entry(void *context, const struct hm_log_entry *entry)
{
  struct check *k = context;
  struct hm_sign1 sign1;
  uint8_t leaf[32], completed[HM_LEVELS][32];
  unsigned count = 0;
  enum hm_status status = entry_status(k, entry);
  if (status != HM_OK)
    return broken(k, 'c', entry->number, hm_control_entry_kind(entry->object),
                  "an entry that verifies under the authority given", hm_status_text(status));
  HM_TRY(hm_sign1_parse(entry->object, false, &sign1));
  HM_TRY(hm_sign1_leaf(k->crypto, &sign1, hm_bytes(NULL, 0), leaf));
  HM_TRY(hm_peaks_append(k->crypto, &k->control, leaf, completed, &count));
  if (entry->durable_batches < k->last_d)
    return broken(k, 'c', entry->number, "batches before it fell", NULL, NULL);
  k->last_d = entry->durable_batches;
  k->seen.entries++;
  return HM_OK;
}

/* Roots as the entries themselves make them, against the stored nodes. */
static enum hm_status check_control(struct check *k)
{
  struct hm_log *log = hm_store_control(k->store);
  uint64_t size = hm_log_size(log);
  uint8_t made[32], stored[32];
  while (k->control.size < size) {
    uint64_t before = k->control.size;
    enum hm_status status = hm_log_scan(log, before + 1, 256, check_entry, k);
    if (status != HM_OK || k->control.size == before)
      return status != HM_OK ? status : broken(k, 'c', before + 1, "missing", NULL, NULL);
    /* Each step ends at a size whose root the store must have too. */
    HM_TRY(hm_peaks_root(k->crypto, &k->control, made));
    HM_TRY(hm_log_root(log, k->control.size, stored));
    HM_TRY(compare_hash(k, 'c', k->control.size, "root of the control tree", made, stored));
  }
  if (!k->has_host)
    return broken(k, 'c', 2, "no binding of the host under the authority given", NULL, NULL);
  /* c1 came before the key that signs it was known. */
  g_autofree uint8_t *buffer = g_malloc(HM_LOG_ENTRY_MAX);
  struct hm_log_entry first;
  struct hm_receipt genesis;
  HM_TRY(hm_log_entry(log, 1, buffer, HM_LOG_ENTRY_MAX, &first));
  if (hm_receipt_open(k->crypto, first.object, k->host, &genesis, NULL) != HM_OK ||
      genesis.kind != HM_RECEIPT_GENESIS)
    return broken(k, 'c', 1, "the genesis is not signed by this host", NULL, NULL);
  return HM_OK;
}

static enum hm_status check_checkpoint(struct check *k)
{
  struct hm_log *log = hm_store_control(k->store);
  uint8_t object[HM_SIGN1_MAX], root[32];
  struct hm_checkpoint checkpoint;
  size_t len = 0;
  uint64_t size = 0;
  enum hm_status status = hm_log_checkpoint(log, UINT64_MAX, object, sizeof object, &len, &size);
  if (status == HM_NOT_FOUND)
    return HM_OK;
  HM_TRY(status);
  status = hm_checkpoint_open(k->crypto, hm_bytes(object, len), k->host, &checkpoint, NULL);
  if (status != HM_OK)
    return broken(k, 'c', size, "checkpoint", "the host's signature", hm_status_text(status));
  HM_TRY(hm_log_root(log, checkpoint.control_tree.size, root));
  return compare_hash(k, 'c', checkpoint.control_tree.size, "root that the checkpoint signs",
                      checkpoint.control_tree.root, root);
}

/* ---- data ------------------------------------------------------------------------------------ */
static enum hm_status check_claims(struct check *k, const struct hm_stored_batch *batch,
                                   const struct hm_batch_claims *claims, const uint8_t kid[32])
{
  struct hm_batch_facts facts;
  struct hm_where where = {NULL, 0};
  uint64_t r = batch->number;
  HM_TRY(compare_number(k, 'r', r, "its number", r, claims->number));
  HM_TRY(compare_number(k, 'r', r, "its first record", k->next_record, claims->first));
  HM_TRY(compare_number(k, 'r', r, "its records", batch->record_count, claims->count));
  HM_TRY(compare_number(k, 'r', r, "its control size", batch->control_size, claims->control_size));
  HM_TRY(compare_hash(k, 'r', r, "the batch before it", k->last_batch, claims->previous));
  if (claims->control_size < k->last_c)
    return broken(k, 'r', r, "its control size fell", NULL, NULL);
  if (claims->control_size > k->seen.entries)
    return broken(k, 'r', r, "its control size is beyond the control log", NULL, NULL);
  HM_TRY(hm_batch_facts_decode(batch->facts, &facts));
  if (hm_batch_facts_match(&facts, claims, kid, &where) != HM_OK)
    return broken(k, 'r', r, where.field ? where.field : "facts", "what the receipt claims", NULL);
  k->last_c = claims->control_size;
  k->next_record += claims->count;
  return HM_OK;
}

static enum hm_status check_batch(struct check *k, uint64_t number, uint8_t *buffer,
                                  struct hm_stored_batch *batch, uint8_t (*leaves)[32])
{
  struct hm_sign1 sign1;
  struct hm_batch_claims claims;
  uint8_t root[32], leaf[32], completed[HM_LEVELS][32];
  size_t count = 0;
  unsigned levels = 0;
  enum hm_status status = hm_store_batch(k->store, number, buffer, HM_STORED_BATCH_MAX, batch);
  if (status == HM_OK)
    status = hm_store_batch_leaves(k->store, number, leaves, &count);
  if (status != HM_OK)
    return hm_fail(k->err, status, "r%" G_GUINT64_FORMAT ": %s", number, hm_status_text(status));
  HM_TRY(hm_tree_root(k->crypto, (const uint8_t(*)[32])leaves, count, root));
  HM_TRY(compare_hash(k, 'r', number, "root of its leaves", batch->root, root));
  status = hm_batch_peek(batch->receipt, false, &sign1, &claims);
  const uint8_t *point = status == HM_OK ? session_point(k, sign1.kid, claims.control_size) : NULL;
  if (!point)
    return broken(k, 'r', number, "receipt", "a session key of the log before it", NULL);
  status = hm_batch_open(k->crypto, batch->receipt, point, root, &claims, NULL);
  if (status != HM_OK)
    return broken(k, 'r', number, "receipt", "the session key's signature", hm_status_text(status));
  HM_TRY(check_claims(k, batch, &claims, sign1.kid));
  HM_TRY(hm_sign1_name(k->crypto, &sign1, hm_bytes(root, 32), k->last_batch));
  HM_TRY(hm_sign1_leaf(k->crypto, &sign1, hm_bytes(root, 32), leaf));
  HM_TRY(hm_peaks_append(k->crypto, &k->data, leaf, completed, &levels));
  k->seen.batches++;
  return HM_OK;
}

/* Heads name sizes in rising order: each is compared when the rebuilt tree is there. */
static enum hm_status check_heads(struct check *k, guint *at)
{
  while (*at < k->heads->len) {
    const struct hm_tree_head *head = &g_array_index(k->heads, struct hm_tree_head, *at);
    uint8_t root[32];
    if (head->size > k->data.size)
      return HM_OK;
    HM_TRY(head->size == 0 ? hm_empty_root(k->crypto, root)
                           : hm_store_data_root(k->store, head->size, root));
    HM_TRY(compare_hash(k, 'r', head->size, "data root that a head signs", head->root, root));
    if (head->size == k->data.size && head->size > 0) {
      uint8_t made[32];
      HM_TRY(hm_peaks_root(k->crypto, &k->data, made));
      HM_TRY(compare_hash(k, 'r', head->size, "data root of the batches", made, root));
    }
    (*at)++;
  }
  return HM_OK;
}

static enum hm_status check_data(struct check *k)
{
  struct hm_store_sizes sizes;
  guint head = 0;
  hm_store_sizes(k->store, &sizes);
  g_autofree uint8_t *buffer = g_malloc(HM_STORED_BATCH_MAX);
  g_autofree struct hm_stored_batch *batch = g_new0(struct hm_stored_batch, 1);
  uint8_t(*leaves)[32] = g_malloc(sizeof *leaves * HM_BATCH_LEAVES_MAX);
  enum hm_status status = check_heads(k, &head);
  for (uint64_t r = 1; r <= sizes.batches && status == HM_OK; r++) {
    status = check_batch(k, r, buffer, batch, leaves);
    if (status == HM_OK)
      status = check_heads(k, &head);
  }
  g_free(leaves);
  HM_TRY(status);
  if (head < k->heads->len)
    return broken(k, 'r', sizes.batches, "batches are missing that a head signs", NULL, NULL);
  uint8_t made[32], stored[32];
  if (sizes.batches > 0) {
    HM_TRY(hm_peaks_root(k->crypto, &k->data, made));
    HM_TRY(hm_store_data_root(k->store, sizes.batches, stored));
    HM_TRY(compare_hash(k, 'r', sizes.batches, "root of the data tree", made, stored));
  }
  return compare_number(k, 'm', sizes.records, "records of all batches", k->next_record - 1,
                        sizes.records);
}

/* ---- records ------------------------------------------------------------------------------------
 */
static enum hm_status judge(struct check *k, const uint64_t *numbers, size_t count)
{
  struct hm_fault fault = {0, ""};
  struct hm_chain chain;
  uint8_t *file = NULL;
  size_t len = 0;
  enum hm_status status = hm_prove(k->crypto, k->store, numbers, count, NULL, &file, &len, &fault);
  if (status == HM_STALE)
    return status;
  if (status != HM_OK)
    return hm_fail(k->err, status, "m%" G_GUINT64_FORMAT ": %s", numbers[0],
                   fault.text[0] ? fault.text : hm_status_text(status));
  struct hm_chain_request request = {
      .file = hm_bytes(file, len), .anchors = k->anchors, .recompute = k->recompute};
  status = hm_chain_verify(k->crypto, &request, &chain, k->err);
  if (status == HM_OK && !hm_verdict_is_proven(&chain.verdict)) {
    const struct hm_proof_step *step = &chain.verdict.broken;
    g_autofree char *values = hm_chain_values(step);
    status =
        broken(k, step->letter ? step->letter : 'm', step->letter ? step->number : numbers[0],
               step->sentence ? step->sentence : "not proven", values[0] ? values : NULL, NULL);
  }
  k->seen.revoked_later += status == HM_OK && chain.verdict.is_revoked_later;
  hm_chain_clear(&chain);
  free(file);
  return status;
}

static enum hm_status check_records(struct check *k)
{
  struct hm_store_sizes sizes;
  uint64_t numbers[RECORDS_A_PROOF];
  hm_store_sizes(k->store, &sizes);
  for (uint64_t m = 1; m <= sizes.records;) {
    size_t count = (size_t)MIN((uint64_t)RECORDS_A_PROOF, sizes.records - m + 1);
    for (size_t i = 0; i < count; i++)
      numbers[i] = m + i;
    enum hm_status status = judge(k, numbers, count);
    while (status == HM_STALE && count > 1) {
      /* Some of these are newer than the newest checkpoint: find where that begins. */
      count /= 2;
      status = judge(k, numbers, count);
    }
    if (status == HM_STALE) {
      k->seen.not_logged = sizes.records - m + 1;
      break;
    }
    HM_TRY(status);
    k->seen.proven += count;
    m += count;
  }
  k->seen.records = sizes.records;
  return HM_OK;
}

/* ---- all of it
 * --------------------------------------------------------------------------------------- */
struct asked {
  const char *path;
  const struct hm_anchors *anchors;
  bool recompute;
};

static enum hm_status run_checks(struct check *k)
{
  HM_TRY(check_control(k));
  HM_TRY(check_checkpoint(k));
  HM_TRY(check_data(k));
  return check_records(k);
}

static enum hm_status work(void *user, GByteArray *out, struct hm_error *err)
{
  const struct asked *asked = user;
  struct hm_fault fault = {0, ""};
  struct check k = {.crypto = &hm_crypto_openssl,
                    .anchors = asked->anchors,
                    .recompute = asked->recompute,
                    .err = err,
                    .next_record = 1};
  enum hm_status status = hm_store_open(k.crypto, asked->path, HM_LOG_READ, &k.store, &fault);
  if (status == HM_LOCKED)
    return hm_fail(err, status, "%s: a hallmarkd holds it; stop it first, or ask it: hallmark why",
                   asked->path);
  if (status != HM_OK)
    return hm_fail(err, status, "%s", fault.text[0] ? fault.text : hm_status_text(status));
  k.entities = g_array_new(FALSE, FALSE, sizeof(struct hm_entity));
  k.sessions = g_array_new(FALSE, FALSE, sizeof(struct session));
  k.heads = g_array_new(FALSE, FALSE, sizeof(struct hm_tree_head));
  status = run_checks(&k);
  if (status != HM_OK && err->status == HM_OK)
    (void)hm_fail(err, status, "%s: %s", asked->path, hm_status_text(status));
  g_array_unref(k.entities);
  g_array_unref(k.sessions);
  g_array_unref(k.heads);
  hm_store_close(k.store);
  if (status != HM_OK)
    return err->status;
  g_byte_array_append(out, (const guint8 *)&k.seen, sizeof k.seen);
  return HM_OK;
}

int cli_verify_store(struct cli *cli, const char *path, const struct hm_anchors *anchors,
                     bool recompute)
{
  struct hm_error err = {HM_OK, ""};
  struct asked asked = {path, anchors, recompute};
  struct check k;
  g_autoptr(GBytes) answer = NULL;
  if (cli_in_child(work, &asked, sizeof k.seen, &answer, &err) != HM_OK)
    return cli_fail(cli, "verify", &err);
  memcpy(&k.seen, g_bytes_get_data(answer, NULL), sizeof k.seen);
  if (cli->json) {
    g_autoptr(JsonObject) o = json_object_new();
    hm_json_set_text(o, "store", path);
    json_object_set_boolean_member(o, "proven", TRUE);
    hm_json_set_u64(o, "entries", k.seen.entries);
    hm_json_set_u64(o, "batches", k.seen.batches);
    hm_json_set_u64(o, "records", k.seen.records);
    hm_json_set_u64(o, "proven_records", k.seen.proven);
    hm_json_set_u64(o, "not_yet_in_the_log", k.seen.not_logged);
    cli_json(o);
  } else if (!cli->quiet) {
    cli_say("%s: proven: %" G_GUINT64_FORMAT " control entries, %" G_GUINT64_FORMAT
            " batches, %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " records",
            path, k.seen.entries, k.seen.batches, k.seen.proven, k.seen.records);
    if (k.seen.not_logged > 0)
      cli_say("; the newest %" G_GUINT64_FORMAT " are signed, not yet in the log",
              k.seen.not_logged);
    cli_say("\ncannot prove: that nothing newer existed, that no other copy of the log exists\n");
  }
  return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * pair: the host (A) asks, a sensor whose key it holds (B) answers, both machines of
 * trust/pairing.h run here with real keys and real ECDH; the receipt says "local".
 *
 *   wishes -> authority: certificate, sections      P1, P2
 *   place in the authority's log, control entry     (from here the certificate is used up)
 *   halves, completions, both verified              P3 - P7
 *   completions -> authority: receipt               P8, P9
 *   control entry with both completions             the pairing is in force
 *   secret on disk, everything else erased          P10
 *   first frames through the gate, or 2 s
 *
 * One name after the other. A handshake that fails after the certificate was logged
 * burns it: the registry knows every certificate, and one without a receipt never
 * starts again.
 */
#include <stdio.h>

#include "services/daemon_link.h"
#include "services/daemon_operations.h"
#include "trust/crypto_openssl.h"
#include "trust/pairing.h"

enum {
  LIFE_MIN_S = 1,
  RECEIPT_WITHIN_S = 30,
  EPOCHS_MAX = 255,
  FIRST_FRAME_MS = 5000,
  MEASURE_MS = 300,
  LOOK_EVERY_MS = 20,
  LIVE_CONTEXTS = HM_PAIRING_USES, /* a record can name so many */
  LIVE_IN_CONTEXT = 2              /* one in force and the one that renews it */
};

struct pair {
  struct hm_core *core;
  unsigned context, name_count, at;
  char context_text[HM_CONTEXT_TEXT + 1];
  char names[HM_PAIR_NAMES][HM_NAME_LETTERS + 1];
  uint64_t seconds;
  uint32_t operations;
  bool has_again;
  hm_core_paired_done done;
  void *user;
  struct hm_core_paired result;

  /* the name under way */
  struct hm_bound *bound;
  struct hm_signing_key sign;
  struct hm_agreement_key agree;
  struct hm_pair a, b;
  GBytes *certificate, *proof, *section_b, *handshake;
  struct hm_bytes receipt;
  uint8_t half[HM_PAIR_HALF]; /* P3 */
  size_t half_len;
  bool is_logged;
  uint64_t waited_since_ns;
};

static void next_name(struct pair *p);

/* ---- ends
 * ---------------------------------------------------------------------------------------- */

static struct hm_core_paired_one *one_of(struct pair *p)
{
  return &p->result.one[p->at];
}

/* Everything secret of this name goes, on every path (P10). */
static void erase_handshake(struct pair *p)
{
  GBytes **const held[] = {&p->certificate, &p->proof, &p->section_b, &p->handshake};
  hm_pair_wipe(&p->a);
  hm_pair_wipe(&p->b);
  hm_signing_key_wipe(&p->sign);
  hm_agreement_key_wipe(&p->agree);
  hm_wipe(p->half, sizeof p->half);
  for (size_t i = 0; i < G_N_ELEMENTS(held); i++) {
    if (*held[i] != NULL)
      g_bytes_unref(*held[i]);
    *held[i] = NULL;
  }
}

static void gave_up(void *user, const struct hm_error *error, const struct hm_auth_answer *answer)
{
  (void)user;
  (void)answer; /* its failed receipt stands in the authority's log */
  if (error->status != HM_OK)
    hm_log(HM_LOG_NOTICE, "pair", "%s", hm_error_text(error));
}

/* The authority logs a failed receipt that names the missing side. */
static void tell_failure(struct pair *p)
{
  struct hm_auth_question question = {.kind = HM_AUTH_COMPLETE};
  memcpy(question.u.complete.certificate, p->a.name, 32);
  question.u.complete.gave_up = 1;
  hm_link_ask(p->core, &question, gave_up, NULL);
}

static void end_name(struct pair *p, const struct hm_error *error)
{
  struct hm_core_paired_one *one = one_of(p);
  one->error = *error;
  if (error->status != HM_OK) {
    hm_error_prefix(&one->error, "%s", one->name);
    hm_log(HM_LOG_NOTICE, "pair", "%s", hm_error_text(&one->error));
    if (p->result.error.status == HM_OK)
      p->result.error = one->error;
  }
  if (error->status != HM_OK && p->is_logged && !p->core->is_stopping)
    tell_failure(p);
  erase_handshake(p);
  p->at++;
  next_name(p);
}

static void fail(struct pair *p, enum hm_status status, const struct hm_error *why,
                 const char *what)
{
  struct hm_error err = {0};
  if (why != NULL && why->text[0] != '\0')
    err = *why;
  else
    hm_fail(&err, status, "%s: %s", what, hm_status_text(status));
  err.status = status;
  end_name(p, &err);
}

/* ---- 6 the first frame
 * --------------------------------------------------------------------------- */

/* Frames are expected: a gate is there, or the media service will bring one. */
static bool is_expected(const struct pair *p)
{
  const struct hm_bound *bound = p->bound;
  return bound->observer != NULL || bound->gate != NULL || hm_media_runs(p->core, bound);
}

/* The first frame, and a moment to see how fast they come. */
static gboolean look_for_frame(gpointer data)
{
  struct pair *p = data;
  struct hm_core_paired_one *one = one_of(p);
  struct hm_bound *bound = p->bound;
  struct hm_error ok = {.status = HM_OK};
  uint64_t now = hm_boottime_ns();
  uint64_t waited_ms = (now - p->waited_since_ns) / 1000000u;
  one->has_frame = bound->first_frame_ns >= bound->in_force_ns && bound->first_frame_ns != 0;
  bool is_seen = one->has_frame && (bound->health == HM_HEALTH_ENDED ||
                                    now - bound->first_frame_ns >= MEASURE_MS * 1000000ull);
  if (!is_seen && waited_ms < FIRST_FRAME_MS && !p->core->is_stopping && is_expected(p))
    return G_SOURCE_CONTINUE;
  if (one->has_frame) {
    uint64_t took = bound->last_packet_ns - bound->first_frame_ns;
    one->first_frame_ms = (unsigned)((bound->first_frame_ns - bound->in_force_ns) / 1000000u);
    one->frames = bound->frames_in_force;
    one->fps_milli =
        bound->frames_in_force > 1 && took > 0
            ? (unsigned)MIN((bound->frames_in_force - 1) * 1000000000000u / took, 10000000u)
            : bound->fps_milli;
  }
  one->gate = hm_bound_flow(p->core, bound);
  one->health = hm_bound_health(p->core, bound);
  end_name(p, &ok);
  return G_SOURCE_REMOVE;
}

/* ---- 5 the receipt: in force
 * ------------------------------------------------------------------------ */

/* keys/pairings/<id hex>: [certificate name, PS, uses left] */
static enum hm_status keep_secret(struct pair *p, struct hm_error *err)
{
  uint8_t secret[32], file[128];
  char path[HM_FILE_PATH];
  struct hm_out out = hm_out(file, sizeof file);
  enum hm_status status = hm_pair_secret(&p->a, secret);
  if (status == HM_OK) {
    hm_cbor_put_array(&out, 3);
    hm_cbor_put_bstr(&out, hm_bytes(p->a.name, 32));
    hm_cbor_put_bstr(&out, hm_bytes(secret, 32));
    hm_cbor_put_uint(&out, EPOCHS_MAX);
    status = hm_pairing_secret_path(p->core, p->a.pairing_id, path, err);
  }
  if (status == HM_OK)
    status = hm_file_write(path, hm_out_bytes(&out), 0600, err);
  hm_wipe(secret, sizeof secret);
  hm_wipe(file, sizeof file);
  return status;
}

static void in_force(void *user, const struct hm_error *error, uint64_t number)
{
  struct pair *p = user;
  struct hm_error err = *error;
  if (err.status != HM_OK) {
    fail(p, err.status, &err, "receipt");
    return;
  }
  p->is_logged = false; /* it stands: nothing to give up any more */
  struct hm_kept_pairing *kept = hm_pairing_by_entry(p->core, number, NULL);
  if (keep_secret(p, &err) != HM_OK)
    hm_log(HM_LOG_ERROR, "pair", "%s: %s", p->bound->name, hm_error_text(&err));
  if (kept != NULL)
    one_of(p)->pairing = kept->shown;
  hm_log(HM_LOG_INFO, "paired", "%s: paired for %s (c%llu)", p->bound->name, p->context_text,
         (unsigned long long)number);
  erase_handshake(p);
  p->waited_since_ns = hm_boottime_ns();
  g_timeout_add(LOOK_EVERY_MS, look_for_frame, p);
}

static uint64_t now_ms(void)
{
  return hm_boottime_ns() / 1000000u;
}

static void receipt_came(void *user, const struct hm_error *error,
                         const struct hm_auth_answer *answer)
{
  struct pair *p = user;
  struct hm_error err = *error;
  const struct hm_crypto *c = p->core->crypto;
  struct hm_bytes completions[2];
  enum hm_status status = err.status;
  if (status == HM_OK && !answer->u.complete.has_receipt)
    status = hm_fail(&err, HM_BAD_PROOF, "the authority has both completions and gives no receipt");
  if (status == HM_OK)
    status = hm_pair_take_receipt(&p->a, c, answer->u.complete.receipt, now_ms());
  if (status == HM_OK)
    status = hm_pair_take_receipt(&p->b, c, answer->u.complete.receipt, now_ms());
  if (status == HM_OK)
    status = hm_pair_completions(&p->a, completions);
  if (status != HM_OK) {
    fail(p, status, &err, "the authority's receipt is refused");
    return;
  }
  hm_control_append(p->core, answer->u.complete.receipt, completions, 2, in_force, p);
}

/* ---- 4 halves and completions
 * ---------------------------------------------------------------------- */

/* P3 to P7, A and B in turn; every message is one that could have travelled. */
static enum hm_status shake_hands(struct pair *p)
{
  const struct hm_crypto *c = p->core->crypto;
  const struct hm_signer *host = &p->core->host_key.signer;
  uint8_t message[2][512];
  struct hm_out out[2] = {hm_out(message[0], sizeof message[0]),
                          hm_out(message[1], sizeof message[1])};
  HM_TRY(hm_pair_take_half(&p->b, c, &p->sign.signer, hm_bytes(p->half, p->half_len), now_ms(),
                           &out[0])); /* P3 -> P4 */
  HM_TRY(hm_out_status(&out[0]));
  HM_TRY(hm_pair_take_half(&p->a, c, host, hm_out_bytes(&out[0]), now_ms(), &out[1])); /* -> P6 */
  HM_TRY(hm_out_status(&out[1]));
  out[0] = hm_out(message[0], sizeof message[0]);
  HM_TRY(hm_pair_take_completion(&p->b, c, hm_out_bytes(&out[1]), now_ms(), &out[0])); /* -> P7 */
  HM_TRY(hm_out_status(&out[0]));
  out[1] = hm_out(message[1], sizeof message[1]);
  return hm_pair_take_completion(&p->a, c, hm_out_bytes(&out[0]), now_ms(), &out[1]);
}

static void logged(void *user, const struct hm_error *error, uint64_t number)
{
  struct pair *p = user;
  struct hm_error err = *error;
  struct hm_bytes completions[2];
  struct hm_auth_question question = {.kind = HM_AUTH_COMPLETE};
  enum hm_status status = err.status;
  (void)number;
  p->is_logged = status == HM_OK;
  if (status == HM_OK)
    status = shake_hands(p);
  if (status == HM_OK)
    status = hm_pair_completions(&p->a, completions);
  if (status != HM_OK) {
    fail(p, status, &err, "handshake");
    return;
  }
  memcpy(question.u.complete.certificate, p->a.name, 32);
  question.u.complete.has_completion[0] = question.u.complete.has_completion[1] = true;
  question.u.complete.completion0 = completions[0];
  question.u.complete.completion1 = completions[1];
  hm_link_ask(p->core, &question, receipt_came, p);
}

/* ---- 3 the certificate
 * ------------------------------------------------------------------------------- */

static uint64_t last_iat(void *store, const uint8_t peer[32], uint64_t context)
{
  struct pair *p = store;
  (void)peer; /* A asks for the sensor, B for the host: the same pairings */
  for (unsigned i = 0; i < p->bound->seen_count; i++)
    if (p->bound->seen[i].context == context)
      return p->bound->seen[i].iat;
  return 0;
}

static bool is_burnt(void *store, const uint8_t name[32])
{
  struct pair *p = store;
  return hm_pairing_by_name(p->core, name, NULL) != NULL;
}

static enum hm_status take_set(struct pair *p, struct hm_pair *side, struct hm_bytes section,
                               const struct hm_entity *peer, const uint8_t *agreement,
                               const struct hm_auth_pair_answer *answer, struct hm_out *half)
{
  struct hm_now now = hm_core_now(p->core);
  struct hm_times times = hm_floor_times(&p->core->floor, &now);
  struct hm_pair_memory memory = {p, last_iat, is_burnt};
  uint8_t random[48];
  HM_TRY(hm_random(random, sizeof random));
  struct hm_pair_set set = {.certificate = answer->pairing,
                            .section = section,
                            .handshake = answer->handshake,
                            .peer = peer,
                            .agreement = agreement,
                            .random = random,
                            .times = &times,
                            .memory = &memory};
  enum hm_status status = hm_pair_take_set(side, p->core->crypto, &set, now_ms(), half);
  hm_wipe(random, sizeof random);
  return status;
}

/* The partner's binding travels along; we hold it, and it must be that one. */
static enum hm_status check_partner(struct pair *p, struct hm_bytes object)
{
  uint8_t buffer[HM_PAIR_PARTNER_MAX];
  struct hm_bytes binding, proof;
  struct hm_entity entity;
  const struct hm_core *core = p->core;
  HM_TRY(hm_pair_partner_open(core->crypto, core->host_agree.scalar, p->a.name, object, buffer,
                              sizeof buffer, &binding, &proof));
  HM_TRY(hm_binding_open(core->crypto, binding, core->authority_point,
                         &core->registry.all[0]->entity, NULL, &entity));
  return memcmp(entity.name, p->bound->entity.name, 32) == 0 ? HM_OK : HM_MISMATCH;
}

static void placed(void *user, const struct hm_error *error)
{
  struct pair *p = user;
  gsize len, proof_len;
  if (error->status != HM_OK) {
    fail(p, error->status, error, "log");
    return;
  }
  const void *object = g_bytes_get_data(p->certificate, &len);
  const void *proof = g_bytes_get_data(p->proof, &proof_len);
  struct hm_bytes attached = hm_bytes(proof, proof_len);
  hm_control_append(p->core, hm_bytes(object, len), &attached, 1, logged, p);
}

static enum hm_status take_certificate(struct pair *p, const struct hm_auth_pair_answer *answer,
                                       struct hm_log_view *view)
{
  const struct hm_entity *host = &p->core->registry.all[0]->entity;
  struct hm_out half = hm_out(p->half, sizeof p->half);
  struct hm_out none = hm_out(NULL, 0);
  HM_TRY(hm_log_proof_verify(p->core->crypto, answer->proof, answer->pairing,
                             p->core->authority_point, view));
  HM_TRY(take_set(p, &p->a, answer->section_a, &p->bound->entity, p->core->host_agree.scalar,
                  answer, &half));
  HM_TRY(hm_out_status(&half));
  p->half_len = half.len;
  HM_TRY(take_set(p, &p->b, answer->section_b, host, p->agree.scalar, answer, &none));
  return check_partner(p, answer->partner);
}

static void certified(void *user, const struct hm_error *error, const struct hm_auth_answer *answer)
{
  struct pair *p = user;
  struct hm_error err = *error;
  struct hm_log_view view;
  enum hm_status status = err.status;
  if (status == HM_OK)
    status = take_certificate(p, &answer->u.pair, &view);
  if (status != HM_OK) {
    fail(p, status, &err, "the authority's certificate is refused");
    return;
  }
  p->certificate = g_bytes_new(answer->u.pair.pairing.data, answer->u.pair.pairing.len);
  p->proof = g_bytes_new(answer->u.pair.proof.data, answer->u.pair.proof.len);
  hm_link_check_view(p->core, &view, placed, p);
}

/* ---- 2 the wishes
 * -------------------------------------------------------------------------------------- */

static void fill_wishes(const struct pair *p, struct hm_pairing_request *w)
{
  static const uint8_t data[] = {HM_DATA_FRAME, HM_DATA_TILE_SUMMARY, HM_DATA_FOCUS,
                                 HM_DATA_EMBEDDING};
  w->exp = w->iat + p->seconds;
  memcpy(w->entities[0], p->core->host_key.signer.kid, 32);
  memcpy(w->entities[1], p->bound->entity.lct, 32);
  w->has_context_name = p->context >= HM_CONTEXT_CUSTOM;
  w->context_name = hm_bytes(p->context_text, strlen(p->context_text));
  w->context = p->context;
  for (size_t i = 0; i < G_N_ELEMENTS(data); i++)
    w->data_types[w->data_count++] = data[i];
  for (uint64_t op = HM_OP_OBSERVE; op <= HM_OP_EXECUTE; op++)
    if (p->operations & (1u << op))
      w->operations[w->operation_count++] = op;
  w->max_epochs = EPOCHS_MAX;
  w->receipt_within = RECEIPT_WITHIN_S;
}

static enum hm_status begin_machines(struct pair *p, struct hm_error *err)
{
  char path[HM_FILE_PATH];
  const struct hm_core *core = p->core;
  HM_TRY(hm_key_path(path, core->paths.keys, p->bound->entity.lct, "sign", err));
  HM_TRY(hm_signing_key_load(path, &p->sign, err));
  HM_TRY(hm_key_path(path, core->paths.keys, p->bound->entity.lct, "agree", err));
  HM_TRY(hm_agreement_key_load(path, &p->agree, err));
  struct hm_pair_setup a = {.role = 0,
                            .has_peer = true,
                            .is_pinned = true,
                            .is_local = true,
                            .node = {HM_NODE_HOST, HM_NODE_HOST}};
  memcpy(a.own, core->host_key.signer.kid, 32);
  memcpy(a.peer, p->bound->entity.lct, 32);
  memcpy(a.authority, core->authority_point, 64);
  struct hm_pair_setup b = a;
  b.role = 1;
  memcpy(b.own, a.peer, 32);
  memcpy(b.peer, a.own, 32);
  hm_pair_begin(&p->a, &a);
  hm_pair_begin(&p->b, &b);
  return HM_OK;
}

static enum hm_status ask(struct pair *p, struct hm_error *err)
{
  uint8_t request[HM_SIGN1_MAX];
  struct hm_out out = hm_out(request, sizeof request);
  struct hm_pairing_request wishes = {.iat = hm_core_now(p->core).trust_s};
  struct hm_auth_question question = {.kind = HM_AUTH_PAIR};
  HM_TRY(begin_machines(p, err));
  HM_TRY(hm_random(wishes.nonce, sizeof wishes.nonce));
  fill_wishes(p, &wishes);
  HM_TRY(hm_pair_ask(&p->a, p->core->crypto, &p->core->host_key.signer, &wishes, now_ms(), &out));
  HM_TRY(hm_out_status(&out));
  question.u.pair.request = hm_out_bytes(&out);
  hm_link_ask(p->core, &question, certified, p);
  return HM_OK;
}

/* ---- 1 the order
 * ----------------------------------------------------------------------------------------- */

/* Another LCT with this unit's anchor was revoked, and had this context. */
static const struct hm_bound *revoked_before(const struct pair *p)
{
  const struct hm_bound *mine = p->bound;
  for (unsigned i = 1; i < p->core->registry.count; i++) {
    const struct hm_bound *o = p->core->registry.all[i];
    if (o == mine || !o->is_void || o->entity.anchor != mine->entity.anchor ||
        memcmp(o->entity.descriptors, mine->entity.descriptors, 32) != 0)
      continue;
    for (unsigned k = 0; k < o->seen_count; k++)
      if (o->seen[k].context == p->context)
        return o;
  }
  return NULL;
}

/* Live pairings of the sensor: other contexts, and certificates of this one. */
static void count_live(const struct pair *p, unsigned *contexts, unsigned *same)
{
  struct hm_now now = hm_core_now(p->core);
  uint64_t seen[HM_LIVE_PAIRINGS];
  *contexts = *same = 0;
  for (unsigned i = 0; i < p->bound->pairing_count; i++) {
    const struct hm_kept_pairing *k = &p->bound->pairings[i];
    unsigned at = 0;
    if (!hm_pairing_is_live(p->core, k, &now))
      continue;
    if (k->shown.context == p->context) {
      ++*same;
      continue;
    }
    while (at < *contexts && seen[at] != k->shown.context)
      at++;
    if (at == *contexts)
      seen[(*contexts)++] = k->shown.context;
  }
}

/* A custom context's code is shared by names: two names must not meet in one sensor. */
static enum hm_status check_context(const struct pair *p, struct hm_error *err)
{
  bool is_new = true;
  for (unsigned i = 0; i < p->bound->pairing_count; i++) {
    const struct hm_core_pairing *k = &p->bound->pairings[i].shown;
    if (k->context == p->context && strcmp(k->context_text, p->context_text) != 0)
      return hm_fail(err, HM_EXISTS, "context %s has the code %u of %s; choose another name",
                     p->context_text, p->context, k->context_text);
  }
  for (unsigned i = 0; i < p->bound->seen_count; i++)
    is_new = is_new && p->bound->seen[i].context != p->context;
  if (is_new && p->bound->seen_count == HM_CONTEXTS_SEEN)
    return hm_fail(err, HM_POLICY,
                   "was paired for %d contexts, the most of one binding; run: "
                   "hallmark unbind %s, then bind it again",
                   HM_CONTEXTS_SEEN, p->bound->name);
  return HM_OK;
}

static enum hm_status check_room(const struct pair *p, struct hm_error *err)
{
  unsigned contexts, same;
  HM_TRY(check_context(p, err));
  count_live(p, &contexts, &same);
  if (same >= LIVE_IN_CONTEXT)
    return hm_fail(err, HM_POLICY,
                   "%u pairings for %s are in force, the most at one time; run: "
                   "hallmark revoke %s --context %s",
                   same, p->context_text, p->bound->name, p->context_text);
  if (contexts >= LIVE_CONTEXTS)
    return hm_fail(err, HM_POLICY,
                   "paired for %u contexts, the most at one time; run: hallmark revoke %s "
                   "--context ONE",
                   contexts, p->bound->name);
  return HM_OK;
}

static enum hm_status check_name(struct pair *p, struct hm_error *err)
{
  const char *name = p->names[p->at];
  p->bound = hm_bound_named(p->core, name);
  if (p->bound == NULL)
    return hm_fail(err, HM_NOT_FOUND, "no entity of this name; run: hallmark ls");
  if (p->bound->is_host)
    return hm_fail(err, HM_POLICY, "a host is not paired with itself");
  if (p->bound->is_void)
    return hm_fail(err, HM_REVOKED, "unbound by c%llu; run: hallmark bind SOURCE --name %s",
                   (unsigned long long)p->bound->void_by, name);
  const struct hm_bound *before = revoked_before(p);
  if (before != NULL && !p->has_again)
    return hm_fail(err, HM_POLICY,
                   "the same unit was bound as c%llu and revoked by c%llu; to pair it for %s all "
                   "the same, run: hallmark pair %s --context %s --again REASON",
                   (unsigned long long)before->control, (unsigned long long)before->void_by,
                   p->context_text, name, p->context_text);
  return check_room(p, err);
}

static gboolean finish(gpointer data)
{
  struct pair *p = data;
  p->done(p->user, &p->result);
  hm_wipe(p, sizeof *p);
  g_free(p);
  return G_SOURCE_REMOVE;
}

static void next_name(struct pair *p)
{
  struct hm_error err = {0};
  if (p->at == p->name_count) {
    g_idle_add(finish, p);
    return;
  }
  p->is_logged = false;
  enum hm_status status = check_name(p, &err);
  if (status == HM_OK)
    status = p->core->is_stopping ? hm_fail(&err, HM_UNREACHABLE, "hallmarkd stops") : ask(p, &err);
  if (status != HM_OK)
    fail(p, status, &err, "pair");
}

static enum hm_status check_order(struct pair *p, const struct hm_core_pair *request,
                                  struct hm_error *err)
{
  const struct hm_bound *host = p->core->registry.all[0];
  HM_TRY(hm_context_code(p->core, request->context, &p->context, err));
  g_strlcpy(p->context_text, request->context, sizeof p->context_text);
  if (request->seconds < LIFE_MIN_S || request->seconds > HM_LIFE_MAX_S)
    return hm_fail(err, HM_POLICY, "--for: from %d s to 400 days", LIFE_MIN_S);
  if (request->with != NULL && strcmp(request->with, host->name) != 0)
    return hm_fail(err, HM_UNSUPPORTED, "--with: this version pairs with the host (%s) only",
                   host->name);
  if (request->operations & ~(uint32_t)0x7e)
    return hm_fail(err, HM_MALFORMED, "--allow: observe, remember, train, read, write, execute");
  p->operations =
      request->operations != 0 ? request->operations : 1u << HM_OP_OBSERVE | 1u << HM_OP_REMEMBER;
  p->seconds = request->seconds;
  return HM_OK;
}

static gboolean begin(gpointer data)
{
  next_name(data);
  return G_SOURCE_REMOVE;
}

void hm_core_pair(struct hm_core *core, const struct hm_core_pair *request,
                  hm_core_paired_done done, void *user)
{
  struct pair *p = g_new0(struct pair, 1);
  p->core = core;
  p->done = done;
  p->user = user;
  enum hm_status status = check_order(p, request, &p->result.error);
  if (status != HM_OK) {
    p->result.error.status = status;
    g_idle_add(finish, p);
    return;
  }
  for (unsigned i = 0; i < request->name_count && i < HM_PAIR_NAMES; i++) {
    g_strlcpy(p->names[i], request->names[i], sizeof p->names[i]);
    g_strlcpy(p->result.one[i].name, request->names[i], sizeof p->result.one[i].name);
    p->name_count++;
  }
  p->result.count = p->name_count;
  g_idle_add(begin, p);
}

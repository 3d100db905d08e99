/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The machine moves only through step(), which looks the edge up and does what the
 * edge says. A function that takes a message has three parts: is it a repetition of
 * what was taken before; does the state expect it; does every check pass. The third
 * part, where it fails, is the edge REFUSED.
 */
#include "trust/pairing.h"

enum { POINT_AT = 32, PLAIN_MAX = 160 };

#define HANDSHAKE HM_PAIR_ERASE_HANDSHAKE
#define SECRET HM_PAIR_ERASE_SECRET
#define BURN HM_PAIR_BURN
#define ALL (HANDSHAKE | SECRET | BURN)

const struct hm_pair_edge hm_pair_edges[] = {
    {HM_PAIR_IDLE, HM_PAIR_ASKED, HM_PAIR_REQUESTED, 0, "A: P1 goes out"},
    {HM_PAIR_IDLE, HM_PAIR_SET, HM_PAIR_ISSUED, 0, "B: P2"},
    {HM_PAIR_IDLE, HM_PAIR_REFUSED, HM_PAIR_FAILED, HANDSHAKE, "B: P2 fails a check"},
    {HM_PAIR_REQUESTED, HM_PAIR_SET, HM_PAIR_ISSUED, 0, "A: P2; P3 goes out"},
    {HM_PAIR_REQUESTED, HM_PAIR_REFUSED, HM_PAIR_FAILED, HANDSHAKE, "A: P2 fails a check"},
    {HM_PAIR_REQUESTED, HM_PAIR_TIMED_OUT, HM_PAIR_FAILED, HANDSHAKE, "no P2"},
    {HM_PAIR_REQUESTED, HM_PAIR_REVOCATION, HM_PAIR_REVOKED, HANDSHAKE, "a binding is revoked"},
    {HM_PAIR_ISSUED, HM_PAIR_HALF_CAME, HM_PAIR_HALVES_EXCHANGED, 0, "B: P3, P4 goes out; A: P4"},
    {HM_PAIR_ISSUED, HM_PAIR_REFUSED, HM_PAIR_FAILED, ALL, "P3, P4 fails a check"},
    {HM_PAIR_ISSUED, HM_PAIR_TIMED_OUT, HM_PAIR_FAILED, ALL, "no P3, P4"},
    {HM_PAIR_ISSUED, HM_PAIR_REVOCATION, HM_PAIR_REVOKED, ALL, "revoked"},
    {HM_PAIR_HALVES_EXCHANGED, HM_PAIR_MET, HM_PAIR_HANDSHAKE_OPEN, 0, "P5; A: P6 goes out"},
    {HM_PAIR_HALVES_EXCHANGED, HM_PAIR_REFUSED, HM_PAIR_FAILED, ALL, "P5 fails"},
    {HM_PAIR_HANDSHAKE_OPEN, HM_PAIR_CONFIRMED, HM_PAIR_VERIFIED, 0,
     "B: P6, P7 goes out; A: P7; keys are live; P8 goes out"},
    {HM_PAIR_HANDSHAKE_OPEN, HM_PAIR_REFUSED, HM_PAIR_FAILED, ALL, "P6, P7 fails a check"},
    {HM_PAIR_HANDSHAKE_OPEN, HM_PAIR_TIMED_OUT, HM_PAIR_FAILED, ALL, "no P6, P7"},
    {HM_PAIR_HANDSHAKE_OPEN, HM_PAIR_REVOCATION, HM_PAIR_REVOKED, ALL, "revoked"},
    {HM_PAIR_VERIFIED, HM_PAIR_RECEIPT, HM_PAIR_COMPLETE, HANDSHAKE, "P9; P10"},
    {HM_PAIR_VERIFIED, HM_PAIR_REFUSED, HM_PAIR_FAILED, ALL, "P9 says failed, or fails a check"},
    {HM_PAIR_VERIFIED, HM_PAIR_TIMED_OUT, HM_PAIR_FAILED, ALL, "no P9"},
    {HM_PAIR_VERIFIED, HM_PAIR_LAPSED, HM_PAIR_EXPIRED, HANDSHAKE | SECRET, "exp has passed"},
    {HM_PAIR_VERIFIED, HM_PAIR_REVOCATION, HM_PAIR_REVOKED, ALL, "revoked"},
    {HM_PAIR_COMPLETE, HM_PAIR_LAPSED, HM_PAIR_EXPIRED, HANDSHAKE | SECRET, "exp has passed"},
    {HM_PAIR_COMPLETE, HM_PAIR_REVOCATION, HM_PAIR_REVOKED, ALL, "revoked"},
};
const size_t hm_pair_edge_count = sizeof hm_pair_edges / sizeof hm_pair_edges[0];

static const struct {
  const char *name, *deadline;
} states[HM_PAIR_STATE_COUNT] = {
    [HM_PAIR_IDLE] = {"idle", "none"},
    [HM_PAIR_REQUESTED] = {"requested", "30 s from the request"},
    [HM_PAIR_ISSUED] = {"issued", "30 s from the certificate"},
    [HM_PAIR_HALVES_EXCHANGED] = {"halves-exchanged", "left at once"},
    [HM_PAIR_HANDSHAKE_OPEN] = {"handshake-open", "30 s from the certificate"},
    [HM_PAIR_VERIFIED] = {"verified", "receipt-within, at least 30 s, at most 7 days"},
    [HM_PAIR_COMPLETE] = {"complete", "exp"},
    [HM_PAIR_EXPIRED] = {"expired", "none"},
    [HM_PAIR_REVOKED] = {"revoked", "none"},
    [HM_PAIR_FAILED] = {"failed", "none"},
};

static const char *const events[HM_PAIR_EVENT_COUNT] = {
    [HM_PAIR_ASKED] = "asked",          [HM_PAIR_SET] = "certificate",
    [HM_PAIR_HALF_CAME] = "half",       [HM_PAIR_MET] = "halves meet",
    [HM_PAIR_CONFIRMED] = "completion", [HM_PAIR_RECEIPT] = "receipt",
    [HM_PAIR_REFUSED] = "refused",      [HM_PAIR_TIMED_OUT] = "time-out",
    [HM_PAIR_LAPSED] = "expiry",        [HM_PAIR_REVOCATION] = "revocation",
};

const char *hm_pair_state_text(enum hm_pair_state state)
{
  return (unsigned)state < HM_PAIR_STATE_COUNT ? states[state].name : "?";
}

const char *hm_pair_deadline_text(enum hm_pair_state state)
{
  return (unsigned)state < HM_PAIR_STATE_COUNT ? states[state].deadline : "?";
}

const char *hm_pair_event_text(enum hm_pair_event event)
{
  return (unsigned)event < HM_PAIR_EVENT_COUNT ? events[event] : "?";
}

const char *hm_pair_does_text(unsigned does)
{
  static const char *const texts[8] = {
      "nothing",
      "handshake secrets",
      "pairing secret",
      "handshake secrets, pairing secret",
      "nothing; certificate burnt",
      "handshake secrets; certificate burnt",
      "pairing secret; certificate burnt",
      "handshake secrets, pairing secret; certificate burnt",
  };
  return texts[does & 7];
}

/* ---- moving ------------------------------------------------------------------------ */

static void erase(struct hm_pair *pair, unsigned does)
{
  if (does & HM_PAIR_ERASE_HANDSHAKE) {
    hm_wipe(&pair->secret, sizeof pair->secret);
    hm_wipe(pair->half_message, sizeof pair->half_message);
    hm_wipe(pair->confirm, sizeof pair->confirm);
    memset(pair->has_half, 0, sizeof pair->has_half);
  }
  if (does & HM_PAIR_ERASE_SECRET)
    hm_wipe(pair->pairing_secret, sizeof pair->pairing_secret);
  if (does & HM_PAIR_BURN)
    pair->is_burnt = true;
}

static uint64_t receipt_window_ms(const struct hm_pair *pair)
{
  uint64_t seconds = pair->receipt_within;
  if (seconds > HM_PAIR_RECEIPT_MAX_S)
    seconds = HM_PAIR_RECEIPT_MAX_S;
  uint64_t ms = seconds * 1000;
  return ms > HM_PAIR_HANDSHAKE_MS ? ms : HM_PAIR_HANDSHAKE_MS;
}

static void set_deadline(struct hm_pair *pair, uint64_t now_ms)
{
  switch (pair->state) {
  case HM_PAIR_REQUESTED:
  case HM_PAIR_ISSUED:
    pair->deadline_ms = now_ms + HM_PAIR_HANDSHAKE_MS;
    break;
  case HM_PAIR_VERIFIED:
    pair->deadline_ms = now_ms + receipt_window_ms(pair);
    break;
  case HM_PAIR_HALVES_EXCHANGED:
  case HM_PAIR_HANDSHAKE_OPEN:
    break; /* still that of the certificate */
  default:
    pair->deadline_ms = 0;
  }
}

/* Take the edge of this event; false where the state has none. */
static bool step(struct hm_pair *pair, enum hm_pair_event event, uint64_t now_ms)
{
  for (size_t i = 0; i < hm_pair_edge_count; i++) {
    const struct hm_pair_edge *edge = &hm_pair_edges[i];
    if (edge->from != pair->state || edge->event != event)
      continue;
    erase(pair, edge->does);
    pair->state = edge->to;
    set_deadline(pair, now_ms);
    return true;
  }
  return false;
}

/* A check of an expected message failed. */
static enum hm_status refuse(struct hm_pair *pair, enum hm_status status)
{
  (void)step(pair, HM_PAIR_REFUSED, 0);
  return status;
}

bool hm_pair_tick(struct hm_pair *pair, uint64_t now_ms)
{
  return pair->deadline_ms != 0 && now_ms >= pair->deadline_ms &&
         step(pair, HM_PAIR_TIMED_OUT, now_ms);
}

void hm_pair_expire(struct hm_pair *pair)
{
  (void)step(pair, HM_PAIR_LAPSED, 0);
}

void hm_pair_revoke(struct hm_pair *pair)
{
  (void)step(pair, HM_PAIR_REVOCATION, 0);
}

void hm_pair_give_up(struct hm_pair *pair)
{
  (void)step(pair, HM_PAIR_REFUSED, 0);
}

void hm_pair_wipe(struct hm_pair *pair)
{
  hm_wipe(pair, sizeof *pair);
}

/* ---- P1 ------------------------------------------------------------------------------ */

void hm_pair_begin(struct hm_pair *pair, const struct hm_pair_setup *setup)
{
  hm_pair_wipe(pair);
  pair->setup = *setup;
}

static uint32_t bits_of(const uint64_t *codes, uint32_t count)
{
  uint32_t bits = 0;
  for (uint32_t i = 0; i < count; i++)
    bits |= codes[i] < 32 ? (uint32_t)1 << codes[i] : 0;
  return bits;
}

enum hm_status hm_pair_ask(struct hm_pair *pair, const struct hm_crypto *c,
                           const struct hm_signer *own, const struct hm_pairing_request *wishes,
                           uint64_t now_ms, struct hm_out *request)
{
  const struct hm_pair_setup *setup = &pair->setup;
  if (pair->state != HM_PAIR_IDLE || setup->role != 0)
    return HM_WRONG_TYPE;
  if (!setup->has_peer || memcmp(wishes->entities[0], setup->own, 32) != 0 ||
      memcmp(wishes->entities[1], setup->peer, 32) != 0)
    return HM_MISMATCH;
  HM_TRY(hm_pairing_request_make(c, own, wishes, request));
  pair->has_wishes = true;
  pair->wished_context = wishes->context;
  pair->wished_exp = wishes->exp;
  pair->wished_operations = bits_of(wishes->operations, wishes->operation_count);
  pair->wished_data = bits_of(wishes->data_types, wishes->data_count);
  (void)step(pair, HM_PAIR_ASKED, now_ms);
  return HM_OK;
}

/* ---- P2 ------------------------------------------------------------------------------ */

/* Is the certificate between this side and the peer it was told to pair with? */
static enum hm_status check_parties(const struct hm_pair *pair, const struct hm_crypto *c,
                                    const struct hm_pairing *pairing, const struct hm_entity *peer)
{
  const struct hm_pair_setup *setup = &pair->setup;
  const uint8_t *named = pairing->policy.entities[1 - setup->role];
  uint8_t thumbprint[32];
  if (memcmp(pairing->policy.entities[setup->role], setup->own, 32) != 0)
    return HM_MISMATCH;
  if (setup->has_peer && memcmp(named, setup->peer, 32) != 0)
    return setup->is_pinned ? HM_UNPINNED : HM_MISMATCH;
  HM_TRY(hm_key_thumbprint(c, peer->sign, thumbprint));
  if (memcmp(thumbprint, named, 32) != 0 || memcmp(peer->lct, named, 32) != 0)
    return HM_MISMATCH;
  return HM_OK;
}

/* The authority may narrow what was wished for, never widen it. */
static enum hm_status check_wishes(const struct hm_pair *pair, const struct hm_pairing *pairing)
{
  const struct hm_policy *policy = &pairing->policy;
  if (!pair->has_wishes)
    return HM_OK;
  uint32_t operations = bits_of(policy->operations, policy->operation_count);
  uint32_t data = bits_of(policy->data_types, policy->data_count);
  if (policy->context != pair->wished_context || pairing->exp > pair->wished_exp ||
      (operations & ~pair->wished_operations) != 0 || (data & ~pair->wished_data) != 0)
    return HM_POLICY;
  return HM_OK;
}

static enum hm_status check_memory(const struct hm_pair_memory *memory,
                                   const struct hm_pairing *pairing, const uint8_t peer[32])
{
  if (memory->is_burnt(memory->store, pairing->name))
    return HM_BURNT;
  return pairing->iat > memory->last_iat(memory->store, peer, pairing->policy.context) ? HM_OK
                                                                                       : HM_REPLAY;
}

static enum hm_status check_hash(const struct hm_crypto *c, struct hm_bytes object,
                                 const uint8_t expected[32])
{
  uint8_t hash[32];
  HM_TRY(c->sha256(&object, 1, hash));
  return memcmp(hash, expected, sizeof hash) == 0 ? HM_OK : HM_MISMATCH;
}

/* Open the own section into the side's secrets. */
static enum hm_status open_section(struct hm_pair *pair, const struct hm_crypto *c,
                                   struct hm_bytes section, const uint8_t agreement[32])
{
  uint8_t plain[PLAIN_MAX];
  struct hm_section_plain read;
  size_t len = 0;
  enum hm_status status =
      hm_decrypt(c, agreement, section, hm_bytes(pair->policy_hash, 32), plain, sizeof plain, &len);
  if (status == HM_OK)
    status = hm_decode(&hm_shape_section_plain, hm_bytes(plain, len), &read, NULL);
  if (status == HM_OK && memcmp(read.policy_hash, pair->policy_hash, 32) != 0)
    status = HM_MISMATCH;
  if (status == HM_OK) {
    memcpy(pair->secret.half[pair->setup.role], read.half, 32);
    memcpy(pair->secret.seed, read.seed, 32);
  }
  hm_wipe(plain, sizeof plain);
  hm_wipe(&read, sizeof read);
  return status;
}

static struct hm_seal_way way_of(const struct hm_pair *pair, uint8_t sender)
{
  return (struct hm_seal_way){.type = HM_MESSAGE_KEY_HALF,
                              .protection = HM_PROTECTION_EXCHANGE,
                              .source = pair->setup.node[sender],
                              .destination = pair->setup.node[1 - sender]};
}

/* M of a role: half || ephemeral. */
static void half_plain(const struct hm_pair *pair, uint8_t role, uint8_t out[HM_HALF_MESSAGE])
{
  memcpy(out, pair->secret.half[role], POINT_AT);
  memcpy(out + POINT_AT, pair->secret.ephemeral_point[role], HM_POINT);
}

/* The one record that this side ever seals under its seed key. */
static enum hm_status seal_half(struct hm_pair *pair, const struct hm_crypto *c)
{
  uint8_t role = pair->setup.role, plain[HM_HALF_MESSAGE];
  struct hm_seal_way way = way_of(pair, role);
  struct hm_seal_header header = {.kid = pair->kid};
  struct hm_out out = hm_out(pair->half_message[role], HM_PAIR_HALF);
  half_plain(pair, role, plain);
  enum hm_status status =
      hm_seal(c, &pair->secret.seed_key[role], &way, &header, hm_bytes(plain, sizeof plain), &out);
  hm_wipe(plain, sizeof plain);
  pair->has_half[role] = status == HM_OK;
  return status;
}

static void keep_facts(struct hm_pair *pair, const struct hm_pairing *pairing,
                       const struct hm_entity *peer)
{
  const struct hm_policy *policy = &pairing->policy;
  memcpy(pair->name, pairing->name, 32);
  memcpy(pair->policy_hash, pairing->policy_hash, 32);
  memcpy(pair->policy, pairing->metadata.data, pairing->metadata.len);
  pair->policy_len = pairing->metadata.len;
  pair->iat = pairing->iat;
  pair->nbf = pairing->nbf;
  pair->exp = pairing->exp;
  pair->context = policy->context;
  pair->receipt_within = policy->receipt_within;
  pair->kid = (uint16_t)policy->kid16;
  memcpy(pair->pairing_id, policy->pairing_id, 16);
  memcpy(pair->peer_lct, peer->lct, 32);
  memcpy(pair->peer_key, peer->sign, 64);
  pair->is_pinned = pair->setup.has_peer && pair->setup.is_pinned;
}

/* Everything that is checked before a secret is touched. */
static enum hm_status check_set(const struct hm_pair *pair, const struct hm_crypto *c,
                                const struct hm_pair_set *set, struct hm_pairing *pairing)
{
  HM_TRY(hm_pairing_open(c, set->certificate, pair->setup.authority, set->times, pairing));
  HM_TRY(check_parties(pair, c, pairing, set->peer));
  HM_TRY(check_wishes(pair, pairing));
  HM_TRY(check_memory(set->memory, pairing, set->peer->lct));
  HM_TRY(
      check_hash(c, set->section, pair->setup.role == 0 ? pairing->section_a : pairing->section_b));
  HM_TRY(check_hash(c, set->handshake, pairing->handshake));
  return set->handshake.len > sizeof pair->secret.handshake ? HM_TOO_LARGE : HM_OK;
}

static enum hm_status accept_set(struct hm_pair *pair, const struct hm_crypto *c,
                                 const struct hm_pair_set *set)
{
  struct hm_pairing pairing;
  uint8_t role = pair->setup.role;
  HM_TRY(check_set(pair, c, set, &pairing));
  keep_facts(pair, &pairing, set->peer);
  HM_TRY(open_section(pair, c, set->section, set->agreement));
  HM_TRY(hm_schedule_seed(c, pair->name, pair->secret.seed, pair->secret.seed_key));
  memcpy(pair->secret.handshake, set->handshake.data, set->handshake.len);
  pair->secret.handshake_len = set->handshake.len;
  HM_TRY(
      hm_p256_generate(c, set->random, pair->secret.ephemeral, pair->secret.ephemeral_point[role]));
  return seal_half(pair, c);
}

enum hm_status hm_pair_take_set(struct hm_pair *pair, const struct hm_crypto *c,
                                const struct hm_pair_set *set, uint64_t now_ms,
                                struct hm_out *half_out)
{
  uint8_t role = pair->setup.role;
  if (hm_pair_tick(pair, now_ms))
    return HM_TIMEOUT;
  if (pair->state != (role == 0 ? HM_PAIR_REQUESTED : HM_PAIR_IDLE))
    return HM_WRONG_TYPE;
  if (set->memory == NULL || set->peer == NULL)
    return HM_STATE;
  enum hm_status status = accept_set(pair, c, set);
  if (status != HM_OK)
    return refuse(pair, status);
  (void)step(pair, HM_PAIR_SET, now_ms);
  if (role == 0) {
    hm_out_put(half_out, pair->half_message[0], HM_PAIR_HALF);
    return hm_out_status(half_out);
  }
  return HM_OK;
}

/* ---- P3 to P6 -------------------------------------------------------------------------- */

/* Open the peer's half: one record at seq 0 of this pairing's KID, a point of the
 * curve that is not one's own. */
static enum hm_status open_half(struct hm_pair *pair, const struct hm_crypto *c,
                                struct hm_bytes message)
{
  uint8_t own = pair->setup.role, peer = 1 - own, plain[HM_HALF_MESSAGE];
  struct hm_seal_way way = way_of(pair, peer);
  struct hm_seal_header header;
  size_t len = 0;
  if (message.len != HM_PAIR_HALF)
    return HM_MALFORMED;
  HM_TRY(hm_seal_peek(message, &header));
  if (header.kid != pair->kid || header.epoch != 0 || header.counter != 0)
    return HM_MISMATCH;
  HM_TRY(hm_seal_open(c, &pair->secret.seed_key[peer], &way, message, plain, sizeof plain, &len));
  memcpy(pair->secret.half[peer], plain, 32);
  memcpy(pair->secret.ephemeral_point[peer], plain + POINT_AT, HM_POINT);
  hm_wipe(plain, sizeof plain);
  HM_TRY(c->p256_check(pair->secret.ephemeral_point[peer]));
  if (memcmp(pair->secret.ephemeral_point[0], pair->secret.ephemeral_point[1], HM_POINT) == 0)
    return HM_MISMATCH;
  memcpy(pair->half_message[peer], message.data, message.len);
  pair->has_half[peer] = true;
  return HM_OK;
}

static enum hm_status open_handshake(struct hm_pair *pair, const struct hm_crypto *c)
{
  uint8_t key[32], plain[PLAIN_MAX];
  struct hm_handshake_plain read;
  size_t len = 0;
  enum hm_status status =
      hm_schedule_handshake(c, pair->policy_hash, pair->secret.half[0], pair->secret.half[1], key);
  if (status == HM_OK)
    status = hm_decrypt0(c, key, hm_bytes(pair->secret.handshake, pair->secret.handshake_len),
                         hm_bytes(pair->policy_hash, 32), plain, sizeof plain, &len);
  if (status == HM_OK)
    status = hm_decode(&hm_shape_handshake_plain, hm_bytes(plain, len), &read, NULL);
  if (status == HM_OK)
    memcpy(pair->nonce, read.nonce, sizeof pair->nonce);
  hm_wipe(key, sizeof key);
  hm_wipe(plain, sizeof plain);
  return status;
}

static enum hm_status make_transcript(struct hm_pair *pair, const struct hm_crypto *c)
{
  uint8_t message[2][HM_HALF_MESSAGE];
  half_plain(pair, 0, message[0]);
  half_plain(pair, 1, message[1]);
  enum hm_status status =
      hm_schedule_transcript(c, pair->name, message[0], message[1], pair->transcript);
  hm_wipe(message, sizeof message);
  return status;
}

static enum hm_status sign_completion(struct hm_pair *pair, const struct hm_crypto *c,
                                      const struct hm_signer *own)
{
  uint8_t role = pair->setup.role;
  struct hm_completion completion = {.role = role};
  struct hm_sign1 parsed;
  if (memcmp(own->kid, pair->setup.own, 32) != 0)
    return HM_MISMATCH;
  memcpy(completion.pairing_id, pair->pairing_id, 16);
  memcpy(completion.nonce, pair->nonce, 16);
  memcpy(completion.transcript, pair->transcript, 32);
  memcpy(completion.confirm, pair->confirm[role], HM_CONFIRM);
  struct hm_out out = hm_out(pair->completion[role], HM_PAIR_COMPLETION_MAX);
  HM_TRY(hm_completion_make(c, own, &completion, &out));
  HM_TRY(hm_sign1_expect(hm_out_bytes(&out), HM_TYP_COMPLETION, &parsed));
  HM_TRY(hm_sign1_name(c, &parsed, hm_bytes(NULL, 0), pair->completion_name[role]));
  pair->completion_len[role] = out.len;
  return HM_OK;
}

/* P5: the halves meet. */
static enum hm_status meet(struct hm_pair *pair, const struct hm_crypto *c,
                           const struct hm_signer *own)
{
  const uint8_t *peer_point = pair->secret.ephemeral_point[1 - pair->setup.role];
  HM_TRY(open_handshake(pair, c));
  HM_TRY(make_transcript(pair, c));
  HM_TRY(c->p256_ecdh(pair->secret.ephemeral, peer_point, pair->secret.shared));
  HM_TRY(hm_schedule_pairing(c, pair->transcript, pair->secret.half[0], pair->secret.half[1],
                             pair->secret.shared, pair->pairing_secret));
  for (uint8_t role = 0; role < 2; role++)
    HM_TRY(
        hm_schedule_confirm(c, pair->pairing_secret, role, pair->transcript, pair->confirm[role]));
  return sign_completion(pair, c, own);
}

/* What a half is answered with: B's own half, A's completion. */
static enum hm_status answer_half(const struct hm_pair *pair, struct hm_out *answer)
{
  if (pair->setup.role == 1)
    hm_out_put(answer, pair->half_message[1], HM_PAIR_HALF);
  else
    hm_out_put(answer, pair->completion[0], pair->completion_len[0]);
  return hm_out_status(answer);
}

enum hm_status hm_pair_take_half(struct hm_pair *pair, const struct hm_crypto *c,
                                 const struct hm_signer *own, struct hm_bytes message,
                                 uint64_t now_ms, struct hm_out *answer)
{
  uint8_t peer = 1 - pair->setup.role;
  if (hm_pair_tick(pair, now_ms))
    return HM_TIMEOUT;
  if (pair->has_half[peer]) {
    bool is_same = hm_bytes_equal(message, hm_bytes(pair->half_message[peer], HM_PAIR_HALF));
    return is_same ? answer_half(pair, answer) : HM_REPLAY;
  }
  if (pair->state != HM_PAIR_ISSUED)
    return HM_WRONG_TYPE;
  enum hm_status status = open_half(pair, c, message);
  if (status != HM_OK)
    return refuse(pair, status);
  (void)step(pair, HM_PAIR_HALF_CAME, now_ms);
  status = meet(pair, c, own);
  if (status != HM_OK)
    return refuse(pair, status);
  (void)step(pair, HM_PAIR_MET, now_ms);
  return answer_half(pair, answer);
}

/* ---- P6, P7 ------------------------------------------------------------------------------ */

static enum hm_status check_completion(struct hm_pair *pair, const struct hm_crypto *c,
                                       struct hm_bytes message)
{
  uint8_t peer = 1 - pair->setup.role;
  struct hm_completion read;
  if (message.len > HM_PAIR_COMPLETION_MAX)
    return HM_TOO_LARGE;
  HM_TRY(hm_completion_open(c, message, pair->peer_key, &read, pair->completion_name[peer]));
  if (read.role != peer || memcmp(read.pairing_id, pair->pairing_id, 16) != 0 ||
      memcmp(read.nonce, pair->nonce, 16) != 0 ||
      memcmp(read.transcript, pair->transcript, 32) != 0 ||
      !hm_equal_ct(read.confirm, pair->confirm[peer], HM_CONFIRM))
    return HM_MISMATCH;
  memcpy(pair->completion[peer], message.data, message.len);
  pair->completion_len[peer] = message.len;
  return HM_OK;
}

static enum hm_status answer_completion(const struct hm_pair *pair, struct hm_out *answer)
{
  if (pair->setup.role == 1)
    hm_out_put(answer, pair->completion[1], pair->completion_len[1]);
  return hm_out_status(answer);
}

enum hm_status hm_pair_take_completion(struct hm_pair *pair, const struct hm_crypto *c,
                                       struct hm_bytes message, uint64_t now_ms,
                                       struct hm_out *answer)
{
  uint8_t peer = 1 - pair->setup.role;
  if (hm_pair_tick(pair, now_ms))
    return HM_TIMEOUT;
  bool is_live = pair->state == HM_PAIR_VERIFIED || pair->state == HM_PAIR_COMPLETE;
  if (is_live) {
    struct hm_bytes taken = hm_bytes(pair->completion[peer], pair->completion_len[peer]);
    return hm_bytes_equal(message, taken) ? answer_completion(pair, answer) : HM_REPLAY;
  }
  if (pair->state != HM_PAIR_HANDSHAKE_OPEN)
    return HM_WRONG_TYPE;
  enum hm_status status = check_completion(pair, c, message);
  if (status != HM_OK)
    return refuse(pair, status);
  (void)step(pair, HM_PAIR_CONFIRMED, now_ms);
  return answer_completion(pair, answer);
}

enum hm_status hm_pair_completions(const struct hm_pair *pair, struct hm_bytes completion[2])
{
  if (pair->state != HM_PAIR_VERIFIED && pair->state != HM_PAIR_COMPLETE)
    return HM_STATE;
  for (int role = 0; role < 2; role++)
    completion[role] = hm_bytes(pair->completion[role], pair->completion_len[role]);
  return HM_OK;
}

/* ---- P9 ------------------------------------------------------------------------------------ */

static enum hm_status check_receipt(const struct hm_pair *pair, const struct hm_receipt *receipt)
{
  if (receipt->kind != HM_RECEIPT_COMPLETION || receipt->result != HM_RESULT_PASS)
    return HM_MISMATCH;
  if (receipt->evidence_count != 2 ||
      memcmp(receipt->evidence, pair->completion_name, sizeof pair->completion_name) != 0)
    return HM_MISMATCH;
  if (memcmp(receipt->subject, pair->setup.own, 32) != 0 &&
      memcmp(receipt->subject, pair->peer_lct, 32) != 0)
    return HM_MISMATCH;
  if (receipt->has_context && receipt->context != pair->context)
    return HM_MISMATCH;
  return receipt->has_flags == pair->setup.is_local ? HM_OK : HM_MISMATCH;
}

/* The authority speaks of this certificate. */
static enum hm_status open_receipt(const struct hm_pair *pair, const struct hm_crypto *c,
                                   struct hm_bytes object, struct hm_receipt *receipt,
                                   uint8_t name[32])
{
  HM_TRY(hm_receipt_open(c, object, pair->setup.authority, receipt, name));
  bool is_ours = receipt->has_certificate && memcmp(receipt->certificate, pair->name, 32) == 0;
  return is_ours ? HM_OK : HM_MISMATCH;
}

enum hm_status hm_pair_take_receipt(struct hm_pair *pair, const struct hm_crypto *c,
                                    struct hm_bytes receipt, uint64_t now_ms)
{
  struct hm_receipt read;
  uint8_t name[32];
  if (hm_pair_tick(pair, now_ms))
    return HM_TIMEOUT;
  if (pair->state < HM_PAIR_ISSUED || pair->state > HM_PAIR_COMPLETE)
    return HM_WRONG_TYPE;

  enum hm_status status = open_receipt(pair, c, receipt, &read, name);
  if (status == HM_OK && read.kind == HM_RECEIPT_FAILED && pair->state != HM_PAIR_COMPLETE)
    return refuse(pair, HM_DENIED);
  if (pair->state == HM_PAIR_COMPLETE)
    return status != HM_OK || memcmp(name, pair->receipt_name, 32) == 0 ? status : HM_REPLAY;
  if (pair->state != HM_PAIR_VERIFIED)
    return status == HM_OK ? HM_WRONG_TYPE : status;
  if (status == HM_OK)
    status = check_receipt(pair, &read);
  if (status != HM_OK)
    return refuse(pair, status);
  memcpy(pair->receipt_name, name, sizeof name);
  (void)step(pair, HM_PAIR_RECEIPT, now_ms);
  return HM_OK;
}

/* ---- what a side gives --------------------------------------------------------------------- */

struct hm_bytes hm_pair_repeat(const struct hm_pair *pair)
{
  if (pair->setup.role == 0 && pair->state == HM_PAIR_ISSUED)
    return hm_bytes(pair->half_message[0], HM_PAIR_HALF);
  if (pair->setup.role == 0 && pair->state == HM_PAIR_HANDSHAKE_OPEN)
    return hm_bytes(pair->completion[0], pair->completion_len[0]);
  return hm_bytes(NULL, 0);
}

enum hm_status hm_pair_secret(const struct hm_pair *pair, uint8_t secret[32])
{
  if (pair->state != HM_PAIR_VERIFIED && pair->state != HM_PAIR_COMPLETE)
    return HM_STATE;
  memcpy(secret, pair->pairing_secret, 32);
  return HM_OK;
}

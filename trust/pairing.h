/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The pairing machine: one side of one pairing of classes A and H, driven by
 * messages. It does no I/O, holds no clock and draws no randomness: messages come
 * in and go out as byte strings, monotonic time and randomness are arguments.
 *
 *   A (asks)                     authority                         B (answers)
 *     --- P1 request 65003 --->
 *     <-- P2 certificate 65002, own section, handshake section -->
 *     ------------------------ P3 sealed half and ephemeral ------------->
 *     <----------------------- P4 sealed half and ephemeral --------------
 *     P5 both: the halves meet, the handshake section opens; TH, L, PS
 *     ------------------------ P6 completion 65014 ----------------------->
 *     <----------------------- P7 completion 65014 ------------------------
 *     --- P8 both completions -->      <-- P8 --- (either side or both)
 *     <-- P9 receipt 65020 ------------------------------->
 *     P10 both: everything but PS is erased
 *
 * struct hm_pair is that side, whole: every secret of the handshake is inside it and
 * nowhere else when a call returns, so hm_pair_wipe ends it on any path. States and
 * edges are the table hm_pair_edges; each edge says what it erases. A message that
 * the state does not expect changes nothing (HM_WRONG_TYPE); one that it expects and
 * that fails a check ends the pairing (state failed, certificate burnt). A repeated
 * message, byte for byte the one already taken, gets the same answer again.
 *
 * Peers authenticate each other: a completion is verified under the key whose
 * thumbprint is the LCT the side was told to pair with. Told from outside the
 * authority that is pinned; learnt from it, the pairing is "unpinned" for good.
 *
 * Whoever runs a side: calls hm_pair_tick now and then, repeats hm_pair_repeat's bytes
 * to a silent peer, keeps name and iat of an accepted certificate, and the names of
 * burnt ones until they expire.
 */
#ifndef HM_TRUST_PAIRING_H
#define HM_TRUST_PAIRING_H

#include "trust/certificate.h"
#include "trust/receipt.h"
#include "trust/seal.h"

enum {
  HM_PAIR_HANDSHAKE_MS = 30000, /* from P2: bounds P3 to P7 */
  HM_PAIR_RECEIPT_MAX_S = 604800,
  HM_PAIR_HALF = HM_HALF_MESSAGE + HM_SEAL_OVERHEAD, /* bytes of P3 and P4 */
  HM_PAIR_COMPLETION_MAX = 256,
  HM_PAIR_POLICY_MAX = 1024,
  HM_PAIR_PARTNER_MAX = 6144 /* a partner's binding and its log proof, encoded */
};

enum hm_pair_state {
  HM_PAIR_IDLE,
  HM_PAIR_REQUESTED,        /* A: P1 is out */
  HM_PAIR_ISSUED,           /* P2 is here; own half is sealed */
  HM_PAIR_HALVES_EXCHANGED, /* both halves are here */
  HM_PAIR_HANDSHAKE_OPEN,   /* P5 done; own completion is signed */
  HM_PAIR_VERIFIED,         /* the peer's completion verified: keys are live */
  HM_PAIR_COMPLETE,         /* P9 is here: the pairing stands */
  HM_PAIR_EXPIRED,
  HM_PAIR_REVOKED,
  HM_PAIR_FAILED,
  HM_PAIR_STATE_COUNT
};

enum hm_pair_event {
  HM_PAIR_ASKED,     /* P1 made */
  HM_PAIR_SET,       /* P2 accepted */
  HM_PAIR_HALF_CAME, /* P3 or P4 opened */
  HM_PAIR_MET,       /* P5 */
  HM_PAIR_CONFIRMED, /* P6 or P7 verified */
  HM_PAIR_RECEIPT,   /* P9: completion, pass */
  HM_PAIR_REFUSED,   /* an expected message failed a check, or a failed receipt came */
  HM_PAIR_TIMED_OUT,
  HM_PAIR_LAPSED, /* exp passed */
  HM_PAIR_REVOCATION,
  HM_PAIR_EVENT_COUNT
};

/* What an edge erases. */
enum {
  HM_PAIR_ERASE_HANDSHAKE = 1, /* seed, halves, K_seed, ephemeral, L, kept messages */
  HM_PAIR_ERASE_SECRET = 2,    /* PS */
  HM_PAIR_BURN = 4             /* the certificate may never start again */
};

struct hm_pair_edge {
  enum hm_pair_state from;
  enum hm_pair_event event;
  enum hm_pair_state to;
  unsigned does;       /* HM_PAIR_ERASE_*, HM_PAIR_BURN */
  const char *message; /* what causes it, and what is sent */
};
extern const struct hm_pair_edge hm_pair_edges[];
extern const size_t hm_pair_edge_count;

/* "halves-exchanged"; never NULL. */
const char *hm_pair_state_text(enum hm_pair_state state);
const char *hm_pair_event_text(enum hm_pair_event event);
/* "handshake secrets, pairing secret; certificate burnt", "nothing". */
const char *hm_pair_does_text(unsigned does);
/* The deadline of a state, for the printed table: "30 s from the certificate". */
const char *hm_pair_deadline_text(enum hm_pair_state state);

/* What one side knows before it starts. */
struct hm_pair_setup {
  uint8_t role;          /* 0: A, asks; 1: B, answers */
  uint8_t own[32];       /* own LCT id */
  uint8_t authority[64]; /* the pinned key of the authority */
  bool has_peer;         /* the peer's LCT id is known beforehand (A: always) */
  uint8_t peer[32];
  bool is_pinned;  /* ... and from outside the authority */
  bool is_local;   /* both ends run in this process; the receipt has to say so */
  uint8_t node[2]; /* node ids of A and B; HM_NODE_HOST off the bus */
};

/* What a side remembers of earlier certificates; asked once the certificate's
 * signature is verified. */
struct hm_pair_memory {
  void *store;
  /* Highest iat ever accepted for this peer and context, 0 = none. */
  uint64_t (*last_iat)(void *store, const uint8_t peer[32], uint64_t context);
  bool (*is_burnt)(void *store, const uint8_t name[32]);
};

/* One side. Set up by hm_pair_begin; read the facts, never write them. */
struct hm_pair {
  enum hm_pair_state state;
  struct hm_pair_setup setup;
  uint64_t deadline_ms; /* monotonic; 0 = none */

  /* wishes of P1, to hold the grant against; role A only */
  bool has_wishes;
  uint64_t wished_context, wished_exp;
  uint32_t wished_operations, wished_data; /* bit n = code n */

  /* facts of the accepted certificate, none of them secret */
  uint8_t name[32]; /* cert_hash */
  uint8_t policy_hash[32];
  uint8_t policy[HM_PAIR_POLICY_MAX]; /* the metadata: hm_policy_decode */
  size_t policy_len;
  uint64_t iat, nbf, exp, context, receipt_within;
  uint16_t kid;
  uint8_t pairing_id[16];
  uint8_t peer_lct[32];
  uint8_t peer_key[64];
  bool is_pinned;
  bool is_burnt; /* keep name until exp and never accept it again */

  /* TH, confirmations and what was sent and taken */
  uint8_t transcript[32];
  uint8_t nonce[16]; /* of the handshake section */
  uint8_t confirm[2][HM_CONFIRM];
  uint8_t half_message[2][HM_PAIR_HALF]; /* P3, P4 as they travelled, by role */
  bool has_half[2];
  uint8_t completion[2][HM_PAIR_COMPLETION_MAX]; /* P6, P7, by role */
  size_t completion_len[2];
  uint8_t completion_name[2][32];
  uint8_t receipt_name[32];

  /* secrets of the handshake: erased at P10 and on every way out */
  struct {
    uint8_t seed[32];
    uint8_t half[2][32];
    struct hm_record_key seed_key[2];
    uint8_t ephemeral[32];
    uint8_t ephemeral_point[2][64];
    uint8_t shared[32];                        /* L */
    uint8_t handshake[HM_PAIR_COMPLETION_MAX]; /* the handshake section, until P5 */
    size_t handshake_len;
  } secret;

  uint8_t pairing_secret[32]; /* PS: live from verified on */
};

/* Start a side: idle. */
void hm_pair_begin(struct hm_pair *pair, const struct hm_pair_setup *setup);

/* P1 (role A): sign what is wished for; entities, peer and own LCT are checked against
 * the setup. The wait for P2 is bounded by HM_PAIR_HANDSHAKE_MS. */
enum hm_status HM_MUST_CHECK hm_pair_ask(struct hm_pair *pair, const struct hm_crypto *c,
                                         const struct hm_signer *own,
                                         const struct hm_pairing_request *wishes, uint64_t now_ms,
                                         struct hm_out *request);

/* P2 as it reached this side. */
struct hm_pair_set {
  struct hm_bytes certificate; /* 65002 */
  struct hm_bytes section;     /* this side's own */
  struct hm_bytes handshake;
  const struct hm_entity *peer; /* the peer's verified binding */
  const uint8_t *agreement;     /* this side's agreement scalar, 32 bytes */
  const uint8_t *random;        /* 48 fresh bytes for the ephemeral; wiped by the caller */
  const struct hm_times *times; /* NULL: not judged */
  const struct hm_pair_memory *memory;
};
/* Take P2. Role A: half_out gets P3, role B: nothing. Starts the 30 s. Also refused:
 * HM_UNPINNED (another peer than the pinned one), HM_BURNT, HM_REPLAY (iat not later
 * than an earlier one), HM_MISMATCH (own or peer's LCT, a hash), HM_POLICY (wider than
 * what was wished for), HM_EXPIRED, HM_NOT_YET_VALID. */
enum hm_status HM_MUST_CHECK hm_pair_take_set(struct hm_pair *pair, const struct hm_crypto *c,
                                              const struct hm_pair_set *set, uint64_t now_ms,
                                              struct hm_out *half_out);

/* Take P3 (role B: answer gets P4) or P4 (role A: answer gets P6); P5 follows at once
 * and the own completion is signed. */
enum hm_status HM_MUST_CHECK hm_pair_take_half(struct hm_pair *pair, const struct hm_crypto *c,
                                               const struct hm_signer *own, struct hm_bytes message,
                                               uint64_t now_ms, struct hm_out *answer);

/* Take P6 (role B: answer gets P7) or P7 (role A: no answer). From here keys are live. */
enum hm_status HM_MUST_CHECK hm_pair_take_completion(struct hm_pair *pair,
                                                     const struct hm_crypto *c,
                                                     struct hm_bytes message, uint64_t now_ms,
                                                     struct hm_out *answer);

/* P8: both completions, by role; views into pair. HM_STATE before verified. */
enum hm_status HM_MUST_CHECK hm_pair_completions(const struct hm_pair *pair,
                                                 struct hm_bytes completion[2]);

/* Take P9. A completion receipt makes the pairing stand; a verified "failed" receipt
 * ends it and is HM_DENIED. */
enum hm_status HM_MUST_CHECK hm_pair_take_receipt(struct hm_pair *pair, const struct hm_crypto *c,
                                                  struct hm_bytes receipt, uint64_t now_ms);

/* The message to send again to a peer that has not answered: P3, P6 (A); empty where
 * this side owes nothing (B only answers). */
struct hm_bytes hm_pair_repeat(const struct hm_pair *pair);

/* Time passes. True where a deadline ended the pairing. */
bool hm_pair_tick(struct hm_pair *pair, uint64_t now_ms);
/* The certificate's exp has passed (by trust time, which only the caller has). */
void hm_pair_expire(struct hm_pair *pair);
/* A verified revocation names this pairing, its entities or their bindings. */
void hm_pair_revoke(struct hm_pair *pair);
/* This side gives up: failed, burnt, erased. */
void hm_pair_give_up(struct hm_pair *pair);

/* PS, once keys are live (verified, complete); HM_STATE else. The caller wipes it. */
enum hm_status HM_MUST_CHECK hm_pair_secret(const struct hm_pair *pair, uint8_t secret[32]);

/* Overwrite everything; the side is idle and without a setup after it. */
void hm_pair_wipe(struct hm_pair *pair);

/* The partner's binding as the authority sends it: COSE_Encrypt to this side's
 * agreement key of [binding, log proof], external aad = name of the pairing
 * certificate. Views into buffer; public, but only for partners. */
enum hm_status HM_MUST_CHECK hm_pair_partner_open(const struct hm_crypto *c,
                                                  const uint8_t agreement[32],
                                                  const uint8_t pairing_name[32],
                                                  struct hm_bytes object, uint8_t *buffer,
                                                  size_t cap, struct hm_bytes *binding,
                                                  struct hm_bytes *log_proof);

#endif

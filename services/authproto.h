/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is said to the authority: authority.sock (one packet a message) and
 * `hallmark-authority issue` (a CBOR sequence on standard input, the answers on
 * standard output). A message is one deterministic CBOR array [kind, body] of at most
 * 16 KiB; the answer has the kind of the question, or is 15 error.
 *
 *   kind         question                                   answer
 *   1 hello      [version 1, nonce]                         [time 65023, key x||y, checkpoint
 * 65022] 2 challenge  [class, entity-type]                       [challenge 16, key x||y] 3 bind
 * [request 65010, countersign 65018 / nil,   [binding 65001, log-proof] supersedes / nil] 4 pair
 * [request 65003]                            [pairing 65002, log-proof, section A, section B,
 * handshake section, COSE_Encrypt of [binding, log-proof] of the partner to entities[0]] 5 complete
 * [pairing's name, completion 0 / nil,       [receipt 65020 / nil: waits for the completion 1 /
 * nil, gave up 0..1]          other side] 6 revoke     [name or LCT, pairing-id / nil, [revocation
 * 65021] reason, since / nil] 7 log        [tree size held, highest revocation held]  [checkpoint
 * 65022, consistency path, [revocations 65021, <= 32, ascending]] 15 error     - [status, text]
 *
 * Bindings: 2, then 3 with the challenge as cti within 60 s. A class H binding carries
 * its host's countersignature. Pairings: 4, then 5 within receipt-within seconds; with
 * "gave up" the authority logs a failed receipt that names the missing side. A question
 * whose answer was lost may be asked again: bind, complete and revoke answer the same.
 *
 * Names in a message are those of formats.cddl; signed objects are byte strings.
 */
#ifndef HM_SERVICES_AUTHPROTO_H
#define HM_SERVICES_AUTHPROTO_H

#include "services/packet_socket.h"
#include "trust/cose.h"
#include "trust/tree.h"

enum {
  HM_AUTH_MESSAGE_MAX = 16384,
  HM_AUTH_VERSION = 1,
  HM_AUTH_ERROR_TEXT = 400,
  HM_AUTH_REVOCATIONS = 32 /* in one answer */
};

enum hm_auth_kind {
  HM_AUTH_HELLO = 1,
  HM_AUTH_CHALLENGE = 2,
  HM_AUTH_BIND = 3,
  HM_AUTH_PAIR = 4,
  HM_AUTH_COMPLETE = 5,
  HM_AUTH_REVOKE = 6,
  HM_AUTH_LOG = 7,
  HM_AUTH_ERROR = 15
};

/* ---- questions ------------------------------------------------------------------- */
struct hm_auth_hello {
  uint64_t version;
  uint8_t nonce[16];
};
struct hm_auth_challenge {
  uint64_t entity_class, entity_type;
};
struct hm_auth_bind {
  struct hm_bytes request; /* 65010 */
  bool has_countersign, has_supersedes;
  struct hm_bytes countersign; /* 65018 by the host: iff class H */
  uint8_t supersedes[32];      /* name of the binding that this one replaces */
};
struct hm_auth_pair {
  struct hm_bytes request; /* 65003 */
};
struct hm_auth_complete {
  uint8_t certificate[32]; /* name of the pairing certificate */
  bool has_completion[2];
  struct hm_bytes completion0, completion1; /* 65014, by role */
  uint64_t gave_up;                         /* 1: the asker has erased its keys */
};
struct hm_auth_revoke {
  uint8_t certificate[32]; /* name of a binding or pairing certificate, or an LCT id */
  bool has_pairing_id, has_since;
  uint8_t pairing_id[16];
  uint64_t reason, since;
};
struct hm_auth_log {
  uint64_t held;        /* tree size of the newest checkpoint the asker has; 0 = none */
  uint64_t revocations; /* highest number it has */
};

struct hm_auth_question {
  enum hm_auth_kind kind;
  union {
    struct hm_auth_hello hello;
    struct hm_auth_challenge challenge;
    struct hm_auth_bind bind;
    struct hm_auth_pair pair;
    struct hm_auth_complete complete;
    struct hm_auth_revoke revoke;
    struct hm_auth_log log;
  } u;
};

/* ---- answers --------------------------------------------------------------------- */
struct hm_auth_hello_answer {
  struct hm_bytes time; /* 65023; cti = the nonce */
  uint8_t key[64];
  struct hm_bytes checkpoint;
};
struct hm_auth_challenge_answer {
  uint8_t challenge[16];
  uint8_t key[64];
};
struct hm_auth_bind_answer {
  struct hm_bytes binding;
  struct hm_bytes proof; /* encoded log-proof, as a control entry attaches it */
};
struct hm_auth_pair_answer {
  struct hm_bytes pairing;
  struct hm_bytes proof;
  struct hm_bytes section_a, section_b, handshake;
  struct hm_bytes partner; /* COSE_Encrypt to entities[0], external aad = pairing's name:
                              array [binding bstr, log-proof] */
};
struct hm_auth_complete_answer {
  bool has_receipt; /* false: nothing wrong, the other side's completion is missing */
  struct hm_bytes receipt;
};
struct hm_auth_revoke_answer {
  struct hm_bytes revocation;
};
struct hm_auth_log_answer {
  struct hm_bytes checkpoint;
  struct hm_path way; /* consistency of the held size with the checkpoint's */
  uint32_t revocation_count;
  struct hm_bytes revocations[HM_AUTH_REVOCATIONS];
};
struct hm_auth_error {
  uint64_t status; /* enum hm_status, checked: never HM_OK, below HM_STATUS_COUNT */
  struct hm_bytes text;
};

struct hm_auth_answer {
  enum hm_auth_kind kind;
  union {
    struct hm_auth_hello_answer hello;
    struct hm_auth_challenge_answer challenge;
    struct hm_auth_bind_answer bind;
    struct hm_auth_pair_answer pair;
    struct hm_auth_complete_answer complete;
    struct hm_auth_revoke_answer revoke;
    struct hm_auth_log_answer log;
    struct hm_auth_error error;
  } u;
};

/* ---- codec: decoded views point into the message ---------------------------------- */
enum hm_status HM_MUST_CHECK hm_auth_question_encode(const struct hm_auth_question *q,
                                                     struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_auth_question_decode(struct hm_bytes message,
                                                     struct hm_auth_question *q,
                                                     struct hm_where *where);
enum hm_status HM_MUST_CHECK hm_auth_answer_encode(const struct hm_auth_answer *a,
                                                   struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_auth_answer_decode(struct hm_bytes message,
                                                   struct hm_auth_answer *a,
                                                   struct hm_where *where);
/* The first message of a CBOR sequence; *rest gets what follows. */
enum hm_status HM_MUST_CHECK hm_auth_sequence_next(struct hm_bytes sequence,
                                                   struct hm_bytes *message, struct hm_bytes *rest);
/* "bind", ... ; "?" outside the table. */
const char *hm_auth_kind_text(uint64_t kind);

/* ---- the asking side --------------------------------------------------------------- */
/* One connection. Blocking with a time-out: for a worker thread or a program. A
 * main loop sends hm_auth_question_encode's bytes with hm_packet_send over fd, watches
 * fd, and hands what hm_packet_receive gives to hm_auth_answer_decode; questions are
 * answered in order. */
struct hm_auth_link {
  int fd; /* -1: closed */
  uint8_t out[HM_AUTH_MESSAGE_MAX];
  uint8_t in[HM_AUTH_MESSAGE_MAX];
};

/* Connect to the socket at path; nothing is said yet. HM_UNREACHABLE names the path. */
enum hm_status HM_MUST_CHECK hm_auth_link_open(struct hm_auth_link *link, const char *path,
                                               struct hm_error *err);
void hm_auth_link_close(struct hm_auth_link *link);
/* Ask and wait for the answer; views in it live until the next call. An error answer
 * becomes its status with the authority's text. After HM_TIMEOUT, HM_UNREACHABLE or a
 * malformed answer the link is closed. */
enum hm_status HM_MUST_CHECK hm_auth_ask(struct hm_auth_link *link,
                                         const struct hm_auth_question *question,
                                         struct hm_auth_answer *answer, int timeout_ms,
                                         struct hm_error *err);
/* Turn an error answer into err: "authority: TEXT". Returns its status. */
enum hm_status HM_MUST_CHECK hm_auth_answer_status(const struct hm_auth_answer *answer,
                                                   struct hm_error *err);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The authority at work: one key, one log, the registry, and the answers.
 *
 *   DIR/authority/   0700
 *     sign.pem       its key
 *     authority.pub  the public half, for whoever must verify
 *     log/           memory/log.h: every certificate, receipt and revocation it signed
 *     registry       one JSON object a line, for `ls`; rewritten from the log
 *
 * An answer that carries a signed object is given only after the object's entry is on
 * disk. Halves, seeds and K_shake of a pairing live inside hm_pairing_issue and are
 * wiped before it returns: nothing here can hold one.
 *
 * Two doors, one set of rules. serve: challenges are ours and 60 s old at most, the
 * receipt comes within 30 s. By file (issue): whoever holds the file is the operator;
 * a binding request names a challenge never used before and is at most 7 days old.
 */
#ifndef HM_SERVICES_AUTHORITY_OFFICE_H
#define HM_SERVICES_AUTHORITY_OFFICE_H

#include "services/authority_registry.h"
#include "services/authproto.h"
#include "services/keys.h"
#include "trust/pairing_issue.h"

enum {
  HM_CHALLENGE_LIFE_S = 60,
  HM_CHALLENGES = 256,        /* outstanding ones; the oldest gives way */
  HM_FILE_LIFE_S = 7 * 86400, /* of a request, and of a receipt's wait, by file */
  HM_SERVE_RECEIPT_S = 30,    /* receipt-within of a serving authority */
  HM_SEEN_REQUESTS = 1024,    /* pairing requests remembered against replay */
  HM_BINDING_LIFE_S = 10 * 366 * 86400
};

struct hm_challenge {
  uint8_t bytes[16];
  uint64_t given_ns; /* boottime; 0: the slot is free */
};

/* Names of pairing requests within their 300 s. */
struct hm_seen {
  uint8_t name[32];
  uint64_t iat;
};

struct hm_authority {
  const struct hm_crypto *crypto;
  char folder[HM_FILE_PATH];
  struct hm_signing_key key; /* kid: the authority's LCT id */
  struct hm_log *log;
  struct hm_registry *registry;
  bool by_file;
  struct hm_challenge challenges[HM_CHALLENGES];
  size_t next_challenge;
  struct hm_seen seen[HM_SEEN_REQUESTS];
  size_t next_seen;
};

/* Make folder, key and log where they are missing (an interrupted init resumes);
 * HM_EXISTS where all is there. The first entry of the log is the authority's L7
 * establishment receipt about itself. The public key goes to authority.pub. */
enum hm_status HM_MUST_CHECK hm_authority_init(struct hm_authority *a, const char *folder,
                                               struct hm_error *err);
/* Load key and log, replay the log. HM_NOT_FOUND (run init), HM_LOCKED (it runs already),
 * HM_DAMAGED. On failure nothing is held. */
enum hm_status HM_MUST_CHECK hm_authority_open(struct hm_authority *a, const char *folder,
                                               bool by_file, struct hm_error *err);
/* Wipes the key. */
void hm_authority_close(struct hm_authority *a);

/* Answer one message; answer is always a whole message, an error where it must be. *ok
 * (may be NULL) gets the status that the answer carries. HM_SHORT_BUFFER only where out
 * has less than HM_AUTH_MESSAGE_MAX bytes. */
enum hm_status HM_MUST_CHECK hm_authority_answer(struct hm_authority *a, struct hm_bytes message,
                                                 struct hm_out *out, struct hm_error *ok);

/* Write DIR/registry anew. */
enum hm_status HM_MUST_CHECK hm_authority_write_registry(const struct hm_authority *a,
                                                         struct hm_error *err);

/* ---- between the files of the authority -------------------------------------------------- */
/* Space for the objects of one answer: views in a struct hm_auth_answer point here. */
struct hm_desk {
  uint8_t object[HM_SIGN1_MAX];
  uint8_t proof[4096];
  uint8_t checkpoint[HM_SIGN1_MAX];
  uint8_t partner[HM_PAIR_PARTNER_MAX + 512];
  struct hm_issued issued;
  uint8_t entry[HM_LOG_ENTRY_MAX];
};

typedef enum hm_status (*hm_authority_handler)(struct hm_authority *a,
                                               const struct hm_auth_question *question,
                                               struct hm_desk *desk, struct hm_auth_answer *answer,
                                               struct hm_error *err);
/* authority_bind.c */
enum hm_status HM_MUST_CHECK hm_authority_challenge(struct hm_authority *a,
                                                    const struct hm_auth_question *question,
                                                    struct hm_desk *desk,
                                                    struct hm_auth_answer *answer,
                                                    struct hm_error *err);
enum hm_status HM_MUST_CHECK hm_authority_bind(struct hm_authority *a,
                                               const struct hm_auth_question *question,
                                               struct hm_desk *desk, struct hm_auth_answer *answer,
                                               struct hm_error *err);
/* authority_pair.c */
enum hm_status HM_MUST_CHECK hm_authority_pair(struct hm_authority *a,
                                               const struct hm_auth_question *question,
                                               struct hm_desk *desk, struct hm_auth_answer *answer,
                                               struct hm_error *err);
/* authority_complete.c */
enum hm_status HM_MUST_CHECK hm_authority_complete(struct hm_authority *a,
                                                   const struct hm_auth_question *question,
                                                   struct hm_desk *desk,
                                                   struct hm_auth_answer *answer,
                                                   struct hm_error *err);
/* authority_revoke.c */
enum hm_status HM_MUST_CHECK hm_authority_revoke(struct hm_authority *a,
                                                 const struct hm_auth_question *question,
                                                 struct hm_desk *desk,
                                                 struct hm_auth_answer *answer,
                                                 struct hm_error *err);

/* The authority's time in seconds: the system's, refused (HM_STALE) where it lies before
 * the build's date or over 300 s behind the newest object of the log. */
enum hm_status HM_MUST_CHECK hm_authority_time(const struct hm_authority *a, uint64_t *now,
                                               struct hm_error *err);
/* Append signed objects in one transaction with a checkpoint over all, and take them
 * into the registry. *first gets the number of the first. */
enum hm_status HM_MUST_CHECK hm_authority_append(struct hm_authority *a,
                                                 const struct hm_log_item *items, size_t count,
                                                 uint64_t now, uint64_t *first,
                                                 struct hm_error *err);
/* Sign a checkpoint over the log as it is. */
enum hm_status HM_MUST_CHECK hm_authority_checkpoint(struct hm_authority *a, uint64_t now,
                                                     uint8_t *object, size_t cap, size_t *len,
                                                     struct hm_error *err);
/* The encoded log-proof of an entry, to a checkpoint signed now. */
enum hm_status HM_MUST_CHECK hm_authority_proof(struct hm_authority *a, uint64_t entry,
                                                uint64_t now, struct hm_out *out,
                                                struct hm_error *err);
/* The signed object of an entry, copied to desk->object. */
enum hm_status HM_MUST_CHECK hm_authority_object(struct hm_authority *a, uint64_t entry,
                                                 struct hm_desk *desk, struct hm_bytes *object,
                                                 struct hm_error *err);
/* "sensor lct:abcdefghij" for messages. */
const char *hm_authority_who(const uint8_t lct[32], char out[48]);

#endif

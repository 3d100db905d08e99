/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A real hallmark-authority for tests: the built program in a folder of the test's own,
 * asked over its real socket or its standard input, and entities with real keys that
 * bind and pair with it. Functions fail the running test where the system refuses.
 */
#ifndef HM_TESTS_AUTHORITY_END_H
#define HM_TESTS_AUTHORITY_END_H

#include <sys/types.h>

#include "services/authproto.h"
#include "services/keys.h"
#include "trust/pairing.h"
#include "trust/revocation.h"

struct authority_end {
  char state[256];
  char socket[300];
  pid_t pid; /* of serve, 0 = not running */
  uint8_t key[64], kid[32];
  struct hm_auth_link link;
  struct hm_error err; /* of the last question */
};

/* What a program printed, and its exit code. */
struct program_end {
  int code;
  char out[65536];
  size_t out_len;
  char err[4096];
};

/* Run hallmark-authority with these words (NULL-terminated) and this standard input. */
void authority_run(struct program_end *end, struct hm_bytes in, const char *const *words);

/* init in folder; reads authority.pub. */
void authority_init(struct authority_end *e, const char *folder);
/* Start serve and connect. */
void authority_serve(struct authority_end *e);
/* SIGTERM; it must exit 0. */
void authority_stop(struct authority_end *e);
/* Ask, over the socket or, while nothing serves, by file (`issue`); the status the answer
 * carries, its text in e->err. */
enum hm_status authority_ask(struct authority_end *e, const struct hm_auth_question *q,
                             struct hm_auth_answer *a);

/* ---- entities ------------------------------------------------------------------------ */
struct test_entity {
  struct hm_signing_key sign;
  struct hm_agreement_key agree;
  struct hm_entity facts; /* after binding */
  uint8_t binding[HM_CERTIFICATE_MAX];
  size_t binding_len;
  uint8_t proof[4096];
  size_t proof_len;
};

/* Fresh keys. */
void entity_draw(struct test_entity *entity);
/* What a host or, with host, its camera says of itself now, with this challenge. */
void entity_describe(const struct test_entity *entity, const struct test_entity *host,
                     const uint8_t challenge[16], struct hm_binding_request *request);
/* The signed request, whatever it says (rules of the shape only). */
size_t entity_request(const struct test_entity *entity, const struct hm_binding_request *request,
                      uint8_t out[HM_SIGN1_MAX]);
/* The host's countersignature over a request. */
size_t entity_countersign(const struct test_entity *host, struct hm_bytes request,
                          uint8_t out[HM_SIGN1_MAX]);
/* Challenge, request, countersignature, certificate; all verified as a host would. */
void entity_bind(struct authority_end *e, struct test_entity *entity,
                 const struct test_entity *host);
/* A fresh challenge of the authority. */
void authority_challenge(struct authority_end *e, uint8_t challenge[16]);
/* Seconds now. */
uint64_t now_s(void);

/* ---- pairing ------------------------------------------------------------------------------ */
/* Wishes of a for b: drive, observe and remember, frames and what is made of them, an hour. */
void pair_wish(const struct test_entity *a, const struct test_entity *b,
               struct hm_pairing_request *wishes);
size_t pair_request(const struct test_entity *a, const struct hm_pairing_request *wishes,
                    uint8_t out[HM_SIGN1_MAX]);
/* Both machines of a pairing, run up to their completions. */
struct test_pair {
  struct hm_pair side[2];
  uint8_t name[32];
  uint8_t certificate[HM_CERTIFICATE_MAX];
  size_t certificate_len;
  uint8_t section[2][1024], handshake[1024];
  size_t section_len[2], handshake_len;
};
/* P1 to P7 over the authority's answers, with the partner's binding opened. */
void pair_run(struct authority_end *e, struct test_entity *a, struct test_entity *b,
              const struct hm_pairing_request *wishes, struct test_pair *pair);
/* P8, P9: ask with the completions named by the bits of `which`. */
enum hm_status pair_complete(struct authority_end *e, const struct test_pair *pair, unsigned which,
                             bool gave_up, struct hm_receipt *receipt, bool *has_receipt);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * An authority and entities that it has bound, with keys from a number, so that a
 * test can name them; and pairings between them, issued by the real code.
 */
#ifndef HM_TESTS_PARTIES_H
#define HM_TESTS_PARTIES_H

#include "trust/pairing_issue.h"

enum { PARTY_NOW = 1800000000, PARTY_YEAR = 365 * 86400 };

/* Not to be copied: signer points into it. */
struct party {
  uint8_t agreement[32]; /* scalar */
  uint8_t agreement_point[64];
  struct hm_software_key key;
  struct hm_signer signer;
  struct hm_entity entity; /* from its binding certificate; zero for an authority */
};

/* Keys from number; bound by authority as a class A app, or not at all where it is NULL. */
void party_make(struct party *party, uint8_t number, const struct party *authority);

/* Context drive, observe and remember, frames and focus, a receipt within 30 s. */
void party_policy(const uint8_t a[32], const uint8_t b[32], struct hm_policy *policy);
/* The wish for just that, for a year. */
void party_wishes(const uint8_t a[32], const uint8_t b[32], struct hm_pairing_request *wishes);

/* A pairing of a and b by the authority, iat PARTY_NOW + later. random is kept as it
 * was, for tests that look for its traces. */
void party_issue(const struct party *authority, const struct party *a, const struct party *b,
                 const struct hm_policy *policy, unsigned later,
                 const struct hm_issue_random *random, struct hm_issued *issued);
/* Randomness of a pairing, different for every number. */
void party_issue_random(uint8_t number, struct hm_issue_random *random);

/* The authority's receipt over a pairing: completion with both names, or failed. */
struct hm_bytes party_receipt(const struct party *authority, const struct hm_issued *issued,
                              const uint8_t subject[32], uint8_t completion_name[2][32],
                              bool is_failed, bool is_local, uint8_t buffer[1024]);

#endif

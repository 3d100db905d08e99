/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A store with a short history, made by the real code on disk:
 *
 *   c1 genesis  c2 host  c3 segment opened  c4 camera  c5 pairing  c6 completed
 *   c7 session key     r1: m1 memory, m2 observation                    (C = 7)
 *   c8 head, checkpoint
 *   c9 law             r2: m3 memory, m4 event                          (C = 9)
 *   c10 second camera  c11 its pairing  c12 completed
 *                      r3: m5 memory of the first camera               (C = 12)
 *   c13 head, checkpoint
 */
#ifndef HM_TESTS_HISTORY_H
#define HM_TESTS_HISTORY_H

#include "memory/prove.h"
#include "tests/support/keep.h"

struct history {
  struct world world;
  struct world_key camera_2;
  struct world_object camera_2_binding, pairing_2, completion_2_0, completion_2_1, receipt_2;
  struct hm_entity camera_2_entity;
  struct hm_store *store; /* open for writing */
  uint64_t camera_entry;  /* cN of its binding */
  uint64_t pairing_entry, completion_entry;
  uint64_t completion_2_entry; /* 0 before it is told */
  uint8_t pairing_2_name[32];
  uint8_t last_batch[32]; /* NAME */
  uint8_t last_head[32];
  uint64_t head_entry; /* cN of the newest, 0 = none */
  bool has_live;       /* the first pairing is in the live set of the next head */
  uint8_t seed;
  const uint8_t *encoder; /* hash of the next memories' encoder; NULL: the built-in one */
  uint8_t quality;        /* clock quality of the next batches */
};

/* The world and an empty store; what is changed in the world now, the history tells. */
void history_begin(struct history *h, const char *folder, uint8_t seed);
/* The history above. */
void history_tell(struct history *h);

/* Both. */
void history_make(struct history *h, const char *folder, uint8_t seed);
/* One more batch: a record of each type in types (enum hm_record_type), of the first
 * camera. Returns its number. */
uint64_t history_batch(struct history *h, const uint64_t *types, uint32_t count);
/* One more head with its live set and checkpoint. Returns cN. */
uint64_t history_head(struct history *h);
/* A local revocation of a name by the host, iat given. Returns cN. */
uint64_t history_revoke(struct history *h, const uint8_t name[32], uint64_t iat);
/* A new session key entry, valid from now on. Returns cN. */
uint64_t history_session(struct history *h);
/* A host of another machine, bound by the same authority. Returns cN. */
uint64_t history_witness(struct history *h, struct world_key *key);
void history_close(struct history *h);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A sealed record: one message under an AES-256-GCM key of the schedule.
 *
 *   ver << 4 | alg (1)   kid (2)   seq (4) = epoch (1) || counter (3)   ciphertext   tag (16)
 *
 * nonce = iv XOR (0^8 || seq). The additional data is where the record travels and
 * the seven bytes above: CAN id (4, 29 bits, no flags) || destination (1) || header.
 * Off the bus the same twelve bytes stand for the configured node ids. ver and alg
 * are 1. Windows against replay, epochs and counters are the caller's.
 */
#ifndef HM_TRUST_SEAL_H
#define HM_TRUST_SEAL_H

#include "trust/schedule.h"

enum { HM_SEAL_HEADER = 7, HM_SEAL_TAG = 16, HM_SEAL_OVERHEAD = 23 };

/* The message types of the bus that are sealed here. */
enum { HM_MESSAGE_KEY_HALF = 0x19 };

/* Node ids where no bus configures others: a host, and the peer of an authority. */
enum { HM_NODE_HOST = 0x30, HM_NODE_PEER = 0x38 };

/* Where a record travels. */
struct hm_seal_way {
  uint8_t type;       /* message type, 0x19 */
  uint8_t protection; /* 1 exchange, 2 pairing */
  uint8_t source;     /* node ids */
  uint8_t destination;
};

/* The 29-bit identifier of an ordinary message: plane 0x18F, protection, type, source. */
uint32_t hm_seal_can_id(const struct hm_seal_way *way);

/* What the header of a record says. */
struct hm_seal_header {
  uint16_t kid;
  uint8_t epoch;
  uint32_t counter; /* below 2^24 */
};

/* Append plain.len + HM_SEAL_OVERHEAD bytes. The caller never uses a (key, epoch,
 * counter) twice. HM_FULL where the counter has run out. */
enum hm_status HM_MUST_CHECK hm_seal(const struct hm_crypto *c, const struct hm_record_key *key,
                                     const struct hm_seal_way *way,
                                     const struct hm_seal_header *header, struct hm_bytes plain,
                                     struct hm_out *out);

/* Read the header alone: length, version and algorithm are checked. */
enum hm_status HM_MUST_CHECK hm_seal_peek(struct hm_bytes record, struct hm_seal_header *header);

/* Open a record whose header was judged with hm_seal_peek. plain gets
 * record.len - HM_SEAL_OVERHEAD bytes (HM_SHORT_BUFFER where cap is less); wiped and
 * HM_BAD_TAG where it does not open. */
enum hm_status HM_MUST_CHECK hm_seal_open(const struct hm_crypto *c,
                                          const struct hm_record_key *key,
                                          const struct hm_seal_way *way, struct hm_bytes record,
                                          uint8_t *plain, size_t cap, size_t *len);

#endif

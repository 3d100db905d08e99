/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The control log as seen from outside: its entries, its heads (65030: both trees,
 * the revocations known, the live set) and checkpoints (65022: size and root of the
 * tree whose last leaf is a head).
 */
#ifndef HM_TRUST_CHECKPOINT_H
#define HM_TRUST_CHECKPOINT_H

#include "trust/revocation.h"

/* [size, root] */
struct hm_tree_head {
  uint64_t size;
  uint8_t root[32];
};
extern const struct hm_shape hm_shape_tree_head;

/* Newest revocation the host knew, and the iat of the 65023 that said so (0: never). */
struct hm_revocation_view {
  uint64_t highest;
  uint64_t heard;
};
extern const struct hm_shape hm_shape_revocation_view;

/* ---- 65030 head --------------------------------------------------------------------- */
struct hm_head {
  uint64_t iat;
  uint64_t quality;
  bool has_previous;
  uint8_t previous[32]; /* name of the head before */
  struct hm_revocation_view revocations;
  struct hm_tree_head data_tree; /* leaves are batch receipts */
  uint8_t live[32];              /* SHA-256 of the live set's bytes */
  struct hm_range control_range;
  struct hm_range data_range;
};
extern const struct hm_shape hm_shape_head;
enum hm_status HM_MUST_CHECK hm_head_make(const struct hm_crypto *c, const struct hm_signer *entity,
                                          const struct hm_head *head, struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_head_open(const struct hm_crypto *c, struct hm_bytes object,
                                          const uint8_t entity[64], struct hm_head *head,
                                          uint8_t name[32]);

/* ---- 65022 checkpoint -------------------------------------------------------------------- */
struct hm_checkpoint {
  uint64_t iat;
  bool has_revocations; /* an authority's checkpoint has them, a host's has not */
  struct hm_revocation_view revocations;
  struct hm_tree_head control_tree;
};
extern const struct hm_shape hm_shape_checkpoint;
enum hm_status HM_MUST_CHECK hm_checkpoint_make(const struct hm_crypto *c,
                                                const struct hm_signer *entity,
                                                const struct hm_checkpoint *checkpoint,
                                                struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_checkpoint_open(const struct hm_crypto *c, struct hm_bytes object,
                                                const uint8_t entity[64],
                                                struct hm_checkpoint *checkpoint, uint8_t name[32]);
/* Derived C2SP tlog-checkpoint text: "hallmark/<kid base32>\n<size>\n<root base64>\n". */
enum { HM_CHECKPOINT_TEXT_MAX = 9 + 52 + 1 + 20 + 1 + 44 + 1 };
enum hm_status HM_MUST_CHECK hm_checkpoint_text(const uint8_t kid[32],
                                                const struct hm_tree_head *tree,
                                                struct hm_out *out);

/* ---- live set ------------------------------------------------------------------------------ */
enum { HM_LIVE_MAX = 1024, HM_LIVE_BYTES_MAX = 98304 };
struct hm_live_pairing {
  uint8_t entity[32]; /* LCT of the partner */
  uint64_t context;
  uint8_t certificate[32]; /* name of the pairing */
  uint64_t control;        /* cN of its completion */
};
extern const struct hm_shape hm_shape_live_pairing;
/* Compare in the order of the set: entity, context, certificate, control. */
int hm_live_compare(const struct hm_live_pairing *a, const struct hm_live_pairing *b);
/* Encode a set; HM_MALFORMED unless strictly ascending, HM_TOO_LARGE over 1024. */
enum hm_status HM_MUST_CHECK hm_live_encode(const struct hm_live_pairing *pairings, size_t count,
                                            struct hm_out *out);
/* Check a set whole and count it: bounded, ascending, nothing after it. */
enum hm_status HM_MUST_CHECK hm_live_check(struct hm_bytes set, size_t *count);
/* Walk a checked set: start with cursor = hm_cbor(set) and *left = 0 after
 * hm_live_begin; HM_NOT_FOUND at the end. */
struct hm_live_cursor {
  struct hm_cbor c;
  size_t left;
};
enum hm_status HM_MUST_CHECK hm_live_begin(struct hm_bytes set, struct hm_live_cursor *cursor);
enum hm_status HM_MUST_CHECK hm_live_next(struct hm_live_cursor *cursor,
                                          struct hm_live_pairing *pairing);

/* ---- control entry: one COSE_Sign1 and what belongs to it --------------------------------------
 */
enum { HM_ATTACHED_MAX = 2, HM_ENTRY_MAX = 32768 };
struct hm_control_entry {
  struct hm_bytes object;
  uint32_t attached_count;
  struct hm_bytes attached[HM_ATTACHED_MAX]; /* each 80..8192 bytes */
};
extern const struct hm_shape hm_shape_control_entry;
/* Decode, and check that the count of attachments fits the typ (binding, pairing: 1;
 * level 6 completion: 2; else 0). Signatures are not looked at. */
enum hm_status HM_MUST_CHECK hm_control_entry_decode(struct hm_bytes item,
                                                     struct hm_control_entry *entry);
/* The rule of attachments alone. */
enum hm_status HM_MUST_CHECK hm_control_entry_check(const struct hm_control_entry *entry);
enum hm_status HM_MUST_CHECK hm_control_entry_encode(const struct hm_control_entry *entry,
                                                     struct hm_out *out);
/* The word people see for an entry: "binding", "pairing", "head", "start", ... from typ
 * and, of a receipt, its kind. Never NULL; "unknown" for what does not parse. */
const char *hm_control_entry_kind(struct hm_bytes object);

#endif

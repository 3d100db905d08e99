/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The proof file `.hmk`: read and verified without I/O, allocation or clock. What is
 * believed comes from outside the file: the authority's public key. docs/spec/proof.md
 * says the rules; the chain, as `why` and `verify` print it, is
 *
 *   picture, vector -> record -> leaf -> root -> batch receipt -> session key
 *     -> pairing in force by log order -> bindings -> authority given from outside
 *
 * Two ways to fail, never mixed: MALFORMED (the file is not what the format says;
 * hm_proof_verify returns a status of exit 6 and fault says where) and NOT PROVEN
 * (hm_proof_verify returns HM_OK and the verdict says no or unknown, exit 1).
 *
 * Bounds: 64 MiB, 65,536 items, 4,096 signatures. Time is linear in the file but for
 * its control entries (at most 4,096), each of which a batch may look at once.
 */
#ifndef HM_TRUST_PROOF_H
#define HM_TRUST_PROOF_H

#include "trust/observation.h"

enum {
  HM_PROOF_FILE_MAX = 64 << 20,
  HM_PROOF_ITEMS_MAX = 65536,
  HM_PROOF_SIGNATURES_MAX = 4096,
  HM_PROOF_AUTHORITIES_MAX = 8,
  HM_PROOF_WITNESS_S =
      3900 /* a witness this long after the batch is soon enough: heads are hourly */
};

/* ---- items of the file ------------------------------------------------------------------- */
enum hm_proof_what { HM_PROOF_RECORDS = 1, HM_PROOF_AUDIT = 2, HM_PROOF_INCIDENT = 3 };
enum hm_proof_item {
  HM_ITEM_HEAD = 0,
  HM_ITEM_CHECKPOINT,
  HM_ITEM_ENTRY,
  HM_ITEM_BATCH,
  HM_ITEM_RECORD,
  HM_ITEM_WITHHELD, /* incident only */
  HM_ITEM_WITNESS,
  HM_ITEM_LINK,
  HM_ITEM_LIVE
};

/* [0, "hallmark proof", 1, what, items] */
struct hm_hmk_head {
  uint64_t what;
  uint64_t items; /* how many follow */
};
/* [1, object] */
struct hm_hmk_checkpoint {
  struct hm_bytes object;
};
/* [2, cN, object, way, attached] */
struct hm_hmk_entry {
  uint64_t control;
  struct hm_bytes object;
  bool has_way;
  struct hm_path way;
  uint32_t attached_count;
  struct hm_bytes attached[HM_ATTACHED_MAX];
};
/* [3, receipt with its inclusion proofs, way in the head's data tree, facts, leaves] */
struct hm_hmk_batch {
  struct hm_bytes object;
  struct hm_path way;
  struct hm_bytes facts;
  uint32_t leaf_count;
  struct hm_bytes leaves[HM_BATCH_SENSORS];
};
/* [salt, content] */
struct hm_hmk_opening {
  uint8_t salt[16];
  struct hm_bytes content;
};
/* [4, record, picture / nil, vector / nil] */
struct hm_hmk_record {
  struct hm_bytes record;
  bool has_picture, has_vector;
  struct hm_hmk_opening picture, vector;
};
/* [6, 65013, cN of the witness's binding] */
struct hm_hmk_witness {
  struct hm_bytes object;
  uint64_t binding;
};
/* [7, older checkpoint, control way, data way] */
struct hm_hmk_link {
  struct hm_bytes object;
  struct hm_path control_way, data_way;
};
/* [8, cN of the head, live set] */
struct hm_hmk_live {
  uint64_t control;
  struct hm_bytes set;
};
extern const struct hm_shape hm_shape_hmk_head, hm_shape_hmk_checkpoint, hm_shape_hmk_entry,
    hm_shape_hmk_batch, hm_shape_hmk_record, hm_shape_hmk_witness, hm_shape_hmk_link,
    hm_shape_hmk_live;

/* ---- what a verifier is given ---------------------------------------------------------------- */
/* An authority somebody trusts: name is for messages only. */
struct hm_proof_authority {
  const char *name;
  uint8_t point[64];
};

/* The function of a built-in encoder: vector = f(picture). HM_UNSUPPORTED for an encoder
 * it does not know, HM_MALFORMED for a picture it cannot take. */
typedef enum hm_status (*hm_proof_recompute)(void *user, const uint8_t encoder[32], uint64_t pixels,
                                             struct hm_bytes picture, uint8_t *vector, size_t cap,
                                             size_t *len);

/* ---- what a verifier says on its way -----------------------------------------------------------
 */
/* Links of the chain; hm_proof_link_name gives their words. */
enum hm_proof_link {
  HM_LINK_FILE = 0, /* the file as such: counts, order, reach */
  HM_LINK_PICTURE,  /* commitment of the picture */
  HM_LINK_VECTOR,   /* commitment of the vector, and its recomputation */
  HM_LINK_RECORD,   /* the record's own rules */
  HM_LINK_LEAF,     /* record, sensor leaf, facts -> root */
  HM_LINK_FACTS,    /* leaf 0 equals the claims */
  HM_LINK_SENSOR_LEAF,
  HM_LINK_AUTHORITY, /* the key given from outside; OK: number is its place in the input */
  HM_LINK_HOST,      /* the host's binding */
  HM_LINK_CHECKPOINT,
  HM_LINK_ENTRY, /* a control entry: its place and signatures */
  HM_LINK_HEAD,
  HM_LINK_RECEIPT, /* the batch receipt's signature and place */
  HM_LINK_SESSION,
  HM_LINK_SENSOR, /* the sensor's binding */
  HM_LINK_PAIRING,
  HM_LINK_COMPLETION,
  HM_LINK_LIVE, /* live set */
  HM_LINK_REVOCATION,
  HM_LINK_ENCODER,
  HM_LINK_TIME,
  HM_LINK_WITNESS,
  HM_LINK_COUNT
};
const char *hm_proof_link_name(enum hm_proof_link link);

enum hm_step_result { HM_STEP_OK, HM_STEP_BROKEN, HM_STEP_NOTE };

/* One line of the chain. sentence is a constant without a full stop. Where two values
 * differ they are hashes (is_hash) or numbers: wanted is what the chain implies. Views
 * live as long as the call. */
struct hm_proof_step {
  enum hm_proof_link link;
  enum hm_step_result result;
  char letter; /* 'm' record, 'r' batch, 'c' control entry, 0 none */
  uint64_t number;
  int depth; /* 0 a record or a root of the chain, 1 what it rests on, ... */
  const char *sentence;
  bool has_values, is_hash;
  uint64_t wanted, found;
  uint8_t wanted_hash[32], found_hash[32];
  bool has_entity; /* the LCT id this line is about */
  uint8_t entity[32];
};

enum hm_answer { HM_ANSWER_UNKNOWN = 0, HM_ANSWER_YES, HM_ANSWER_NO };
const char *hm_answer_name(enum hm_answer answer);

/* Five words; of several records the worst counts. */
struct hm_verdict {
  enum hm_answer authorized, intact, timely, coherent, witnessed;
  bool pins_given, is_pinned; /* host and every sensor are among the pins */
  bool is_revoked_later;      /* something it rests on was revoked after the batch */
  uint64_t records, batches, entries, signatures;
  uint8_t host[32];                 /* LCT id of the recorder */
  size_t authority;                 /* which of the given ones; valid where authorized is yes */
  uint64_t control_size, data_size; /* of the newest checkpoint and its head */
  bool has_broken;
  struct hm_proof_step broken; /* the first link that failed */
};
/* authorized and intact. */
bool hm_verdict_is_proven(const struct hm_verdict *verdict);

struct hm_proof_input {
  struct hm_bytes file;
  const struct hm_proof_authority *authorities; /* 1..8 */
  size_t authority_count;
  const uint8_t (*pins)[32]; /* LCT ids */
  size_t pin_count;
  const struct hm_bytes *revocations; /* newer 65021 of the authority, any order */
  size_t revocation_count;
  const uint8_t (*built_in)[32]; /* hashes of encoders that need no entity */
  size_t built_in_count;
  hm_proof_recompute recompute; /* NULL: vectors are not recomputed */
  void *recompute_user;
  void (*step)(void *user, const struct hm_proof_step *step); /* may be NULL */
  void *step_user;
  void *scratch; /* hm_proof_scratch bytes, 16-byte aligned; the caller's */
  size_t scratch_len;
};

/* Where a malformed file is wrong. */
struct hm_proof_fault {
  size_t offset;        /* of the item in the file */
  size_t item;          /* its position, 0 = the head */
  const char *field;    /* or NULL */
  const char *sentence; /* what rule, a constant */
};

/* How many bytes of scratch a file needs: at most 12 MiB, 20 KiB for one memory. The
 * same malformed statuses as hm_proof_verify. */
enum hm_status HM_MUST_CHECK hm_proof_scratch(struct hm_bytes file, size_t *bytes,
                                              struct hm_proof_fault *fault);

/* HM_OK: the verdict holds (proven or not). A status of exit 6: the file is malformed;
 * HM_UNSUPPORTED also for audit and incident files. HM_SHORT_BUFFER: scratch is smaller
 * than hm_proof_scratch says. HM_DENIED, HM_BAD_SIGNATURE: a revocation given beside the
 * file is not one of an authority given. fault may be NULL. */
enum hm_status HM_MUST_CHECK hm_proof_verify(const struct hm_crypto *c,
                                             const struct hm_proof_input *input,
                                             struct hm_verdict *verdict,
                                             struct hm_proof_fault *fault);

#endif

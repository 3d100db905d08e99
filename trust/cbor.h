/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Strict deterministic CBOR (RFC 8949 section 4.2.1) over libcbor's streaming
 * decoder and encoders. The profile has unsigned and negative integers, byte and
 * text strings, arrays, maps, nil, and the tags 16, 18 and 96; everything else is
 * HM_UNSUPPORTED, a longer spelling than needed is HM_NOT_DETERMINISTIC.
 *
 * The cursor reads one head at a time, never passes its end, allocates nothing,
 * and no loop in it is bounded by a number from the input alone: a count is
 * refused (HM_TRUNCATED) when fewer bytes than items are left. Text is UTF-8
 * without control characters.
 */
#ifndef HM_TRUST_CBOR_H
#define HM_TRUST_CBOR_H

#include "trust/bytes.h"

enum { HM_CBOR_DEPTH = 6 };

enum hm_cbor_type {
  HM_CBOR_UINT,
  HM_CBOR_NINT,
  HM_CBOR_BSTR,
  HM_CBOR_TSTR,
  HM_CBOR_ARRAY,
  HM_CBOR_MAP,
  HM_CBOR_TAG,
  HM_CBOR_NIL
};

struct hm_cbor {
  struct hm_bytes in;
  size_t at;
};

/* One head; for strings text holds the content. */
struct hm_cbor_head {
  enum hm_cbor_type type;
  uint64_t value;       /* uint; nint as -1 - value; count of an array or a map; tag */
  struct hm_bytes text; /* bstr, tstr */
};

static inline struct hm_cbor hm_cbor(struct hm_bytes in)
{
  struct hm_cbor c = {in, 0};
  return c;
}

/* Read one head (strings whole); on failure the cursor does not move. */
enum hm_status HM_MUST_CHECK hm_cbor_next(struct hm_cbor *c, struct hm_cbor_head *head);
/* The same without moving. */
enum hm_status HM_MUST_CHECK hm_cbor_peek(const struct hm_cbor *c, struct hm_cbor_head *head);

/* Read one item of the named type, else HM_WRONG_TYPE. */
enum hm_status HM_MUST_CHECK hm_cbor_uint(struct hm_cbor *c, uint64_t *value);
enum hm_status HM_MUST_CHECK hm_cbor_int(struct hm_cbor *c, int64_t *value);
enum hm_status HM_MUST_CHECK hm_cbor_bstr(struct hm_cbor *c, struct hm_bytes *value);
enum hm_status HM_MUST_CHECK hm_cbor_tstr(struct hm_cbor *c, struct hm_bytes *value);
enum hm_status HM_MUST_CHECK hm_cbor_array(struct hm_cbor *c, size_t *count);
enum hm_status HM_MUST_CHECK hm_cbor_map(struct hm_cbor *c, size_t *count);
enum hm_status HM_MUST_CHECK hm_cbor_tag(struct hm_cbor *c, uint64_t tag);
/* A byte string of exactly len bytes, copied out. */
enum hm_status HM_MUST_CHECK hm_cbor_fixed(struct hm_cbor *c, uint8_t *out, size_t len);
/* Consume nil if it is next; *was_nil says so. */
enum hm_status HM_MUST_CHECK hm_cbor_nil(struct hm_cbor *c, bool *was_nil);

/* Pass over one whole item, checking it: nesting <= HM_CBOR_DEPTH, maps sorted
 * bytewise without duplicates. *item gets its bytes. Iterative. */
enum hm_status HM_MUST_CHECK hm_cbor_skip(struct hm_cbor *c, struct hm_bytes *item);

/* HM_OK iff nothing is left, else HM_MALFORMED. */
enum hm_status HM_MUST_CHECK hm_cbor_end(const struct hm_cbor *c);

static inline bool hm_cbor_at_end(const struct hm_cbor *c)
{
  return c->at == c->in.len;
}

/* Check one whole item and that nothing follows it. */
enum hm_status HM_MUST_CHECK hm_cbor_check(struct hm_bytes item);

/* ---- encoders: sticky overflow, see hm_out ------------------------------------ */
void hm_cbor_put_uint(struct hm_out *o, uint64_t value);
void hm_cbor_put_int(struct hm_out *o, int64_t value);
void hm_cbor_put_bstr(struct hm_out *o, struct hm_bytes value);
void hm_cbor_put_tstr(struct hm_out *o, struct hm_bytes value);
void hm_cbor_put_text(struct hm_out *o, const char *value);
void hm_cbor_put_array(struct hm_out *o, size_t count);
void hm_cbor_put_map(struct hm_out *o, size_t count);
void hm_cbor_put_tag(struct hm_out *o, uint64_t tag);
void hm_cbor_put_nil(struct hm_out *o);
/* The head of a byte string whose len content bytes the caller puts next. */
void hm_cbor_put_bstr_head(struct hm_out *o, size_t len);

#endif

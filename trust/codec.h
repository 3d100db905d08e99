/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Objects as tables. A shape says which labels a map has (or which members an
 * array has), in order, of which type and within which limits, and where each
 * value lives in a C struct. One encoder and one decoder serve every object of
 * the protocol; the tables are what `hallmark spec` prints.
 *
 * A shape is a MAP, an ARRAY, or a bare ITEM (one field: what a list is made of).
 * Map fields stand in the bytewise order of their encoded labels, as
 * deterministic CBOR writes them; array fields by position. Unknown labels,
 * missing required ones, wrong order and values out of range are refused.
 *
 * Value of a field, by kind, at struct offset `at`:
 *   UINT   uint64_t, min <= value <= max
 *   CONST  no C value: the unsigned integer min (versions, fixed parameters)
 *   NINT   no C value: the integer `fixed` (profile constants such as alg -7)
 *   FIXED  uint8_t[max]: a byte string of exactly max bytes
 *   BSTR   struct hm_bytes, min <= len <= max; decoded as a view into the input
 *   TSTR   struct hm_bytes, min <= len <= max, UTF-8; a view
 *   TEXT   no C value: exactly the text `text`
 *   NIL    no C value: exactly nil
 *   SHAPE  a nested struct described by `of`; it may lie at offset 0 of its parent,
 *          so that maps within maps share one flat C struct
 *   LIST   uint32_t count at `count_at`; the items at `at`, `of` each, with
 *          `of->size` bytes from one to the next; min <= count <= max; strictly
 *          ascending by encoding where ORDERED
 *   UMAP   a map of uint keys to uint values: count at `count_at`, items of
 *          struct hm_uint_pair at `at`; ascending; keys and values checked by
 *          `of` (a two-field array shape whose limits are used)
 *   RAW    struct hm_bytes: one whole item as it stands, checked; min <= len <= max
 * A field with NIL_OK may be nil; one with OPTIONAL may be absent (map) — then
 * the bool at `has_at` says whether it is there.
 */
#ifndef HM_TRUST_CODEC_H
#define HM_TRUST_CODEC_H

#include "trust/cbor.h"

enum hm_field_kind {
  HM_UINT,
  HM_CONST,
  HM_NINT,
  HM_FIXED,
  HM_BSTR,
  HM_TSTR,
  HM_TEXT,
  HM_NIL,
  HM_SHAPE,
  HM_LIST,
  HM_UMAP,
  HM_RAW
};

enum { HM_OPTIONAL = 1, HM_NIL_OK = 2, HM_ORDERED = 4 };

enum hm_form { HM_MAP, HM_ARRAY, HM_ITEM };

struct hm_shape;

struct hm_field {
  int32_t label; /* map key; in arrays unused */
  const char *name;
  enum hm_field_kind kind;
  unsigned flags;
  size_t at;
  size_t has_at;   /* bool, iff OPTIONAL or NIL_OK: true = a value is there */
  size_t count_at; /* uint32_t, iff LIST or UMAP */
  uint64_t min, max;
  int64_t fixed;
  const char *text;
  const struct hm_shape *of;
};

struct hm_shape {
  const char *name;
  enum hm_form form;
  const struct hm_field *fields;
  size_t field_count;
  size_t size; /* of the C struct */
};

struct hm_uint_pair {
  uint64_t key, value;
};

/* Where a decoder stopped, for messages: the name of the field, the offset. */
struct hm_where {
  const char *field;
  size_t offset;
};

/* Decode exactly one item, all of in. The struct is zeroed first; views point
 * into in. where may be NULL. Nesting is that of the tables, never of the input. */
enum hm_status HM_MUST_CHECK hm_decode(const struct hm_shape *shape, struct hm_bytes in,
                                       void *object, struct hm_where *where);
/* Decode the next item of a cursor. */
enum hm_status HM_MUST_CHECK hm_decode_next(const struct hm_shape *shape, struct hm_cbor *c,
                                            void *object, struct hm_where *where);
/* Encode; HM_MALFORMED where a value is outside its limits (where->field names
 * it), HM_SHORT_BUFFER where out is too small. */
enum hm_status HM_MUST_CHECK hm_encode(const struct hm_shape *shape, const void *object,
                                       struct hm_out *out, struct hm_where *where);

#endif

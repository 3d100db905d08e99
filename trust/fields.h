/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Rows of shape tables, so that a table reads like the format it stands for. Used by
 * the modules that define objects; nothing else needs it. T is the C struct, m the
 * member; OPT_ rows name the bool that says whether the field is there.
 */
#ifndef HM_TRUST_FIELDS_H
#define HM_TRUST_FIELDS_H

#include "trust/cose.h"
#include "trust/profile.h"

#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

#define CONST_ROW(l, n, v)                                                                         \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_CONST, .min = (v), .max = (v)                            \
  }

#define UINT_ROW(T, m, l, n, lo, hi)                                                               \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_UINT, .at = offsetof(T, m), .min = (lo), .max = (hi)     \
  }
#define OPT_UINT(T, m, has, l, n, lo, hi)                                                          \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_UINT, .flags = HM_OPTIONAL, .at = offsetof(T, m),        \
    .has_at = offsetof(T, has), .min = (lo), .max = (hi)                                           \
  }
#define NIL_UINT(T, m, has, l, n, lo, hi)                                                          \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_UINT, .flags = HM_NIL_OK, .at = offsetof(T, m),          \
    .has_at = offsetof(T, has), .min = (lo), .max = (hi)                                           \
  }

#define FIXED_ROW(T, m, l, n, size)                                                                \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_FIXED, .at = offsetof(T, m), .min = (size),              \
    .max = (size)                                                                                  \
  }
#define OPT_FIXED(T, m, has, l, n, size)                                                           \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_FIXED, .flags = HM_OPTIONAL, .at = offsetof(T, m),       \
    .has_at = offsetof(T, has), .min = (size), .max = (size)                                       \
  }

#define STRING_ROW(T, m, k, l, n, lo, hi)                                                          \
  {                                                                                                \
    .label = (l), .name = (n), .kind = (k), .at = offsetof(T, m), .min = (lo), .max = (hi)         \
  }
#define OPT_STRING(T, m, has, k, l, n, lo, hi)                                                     \
  {                                                                                                \
    .label = (l), .name = (n), .kind = (k), .flags = HM_OPTIONAL, .at = offsetof(T, m),            \
    .has_at = offsetof(T, has), .min = (lo), .max = (hi)                                           \
  }

/* A nested map or array whose members lie in the same flat struct. */
#define FLAT_ROW(l, n, shape)                                                                      \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_SHAPE, .of = (shape)                                     \
  }
#define OPT_FLAT(T, has, l, n, shape)                                                              \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_SHAPE, .flags = HM_OPTIONAL, .has_at = offsetof(T, has), \
    .of = (shape)                                                                                  \
  }
/* A nested struct of its own. */
#define SHAPE_ROW(T, m, l, n, shape)                                                               \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_SHAPE, .at = offsetof(T, m), .of = (shape)               \
  }
#define OPT_SHAPE(T, m, has, l, n, shape)                                                          \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_SHAPE, .flags = HM_OPTIONAL, .at = offsetof(T, m),       \
    .has_at = offsetof(T, has), .of = (shape)                                                      \
  }

#define LIST_ROW(T, m, count, f, l, n, lo, hi, shape)                                              \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_LIST, .flags = (f), .at = offsetof(T, m),                \
    .count_at = offsetof(T, count), .min = (lo), .max = (hi), .of = (shape)                        \
  }
#define OPT_LIST(T, m, has, count, f, l, n, lo, hi, shape)                                         \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_LIST, .flags = HM_OPTIONAL | (f), .at = offsetof(T, m),  \
    .has_at = offsetof(T, has), .count_at = offsetof(T, count), .min = (lo), .max = (hi),          \
    .of = (shape)                                                                                  \
  }
#define UMAP_ROW(T, m, count, l, n, hi, shape)                                                     \
  {                                                                                                \
    .label = (l), .name = (n), .kind = HM_UMAP, .at = offsetof(T, m),                              \
    .count_at = offsetof(T, count), .min = 0, .max = (hi), .of = (shape)                           \
  }

/* One hash, as an item of a list. */
extern const struct hm_shape hm_shape_hash;
/* {1: cose-key}: what stands under cnf, the point at offset 0. */
extern const struct hm_shape hm_shape_confirmation;

/* ---- one way to make and open every signed object ---------------------------------- */
/* Rules that a table cannot say. */
typedef enum hm_status (*hm_object_rules)(const void *value);

struct hm_object_type {
  uint16_t typ;
  const struct hm_shape *shape;
  hm_object_rules rules; /* NULL: none */
};

/* Check the rules, encode, sign. */
enum hm_status HM_MUST_CHECK hm_object_make(const struct hm_crypto *c,
                                            const struct hm_signer *signer,
                                            const struct hm_object_type *type, const void *value,
                                            struct hm_out *out);
/* typ, shape, rules, kid = thumbprint of point where the typ has one, signature.
 * point NULL: the signature is left to the caller. name may be NULL. */
enum hm_status HM_MUST_CHECK hm_object_open(const struct hm_crypto *c, struct hm_bytes object,
                                            const struct hm_object_type *type,
                                            const uint8_t point[64], void *value,
                                            struct hm_sign1 *sign1, uint8_t name[32]);
/* Parse and decode by table and rules; no crypto at all. */
enum hm_status HM_MUST_CHECK hm_object_peek(struct hm_bytes object,
                                            const struct hm_object_type *type, void *value,
                                            struct hm_sign1 *sign1);
/* kid equals the thumbprint of point, else HM_MISMATCH. */
enum hm_status HM_MUST_CHECK hm_object_kid(const struct hm_crypto *c, const struct hm_sign1 *sign1,
                                           const uint8_t point[64]);

#endif

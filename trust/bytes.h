/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Views of memory and a writer into memory, both owned by the caller.
 */
#ifndef HM_TRUST_BYTES_H
#define HM_TRUST_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "trust/status.h"

enum { HM_HASH = 32, HM_POINT = 64, HM_SIGNATURE = 64, HM_NONCE = 16, HM_IV = 12, HM_KEY = 32 };

/* A view; owns nothing. {NULL, 0} is the empty view. */
struct hm_bytes {
  const uint8_t *data;
  size_t len;
};

/* An append-only writer. Running over is sticky: nothing is written past cap,
 * len goes on counting, and hm_out_status tells it once at the end; len is then
 * the size to come back with. A writer with cap 0 measures. */
struct hm_out {
  uint8_t *data;
  size_t cap;
  size_t len;
};

static inline struct hm_bytes hm_bytes(const void *data, size_t len)
{
  struct hm_bytes b = {(const uint8_t *)data, len};
  return b;
}

static inline bool hm_bytes_equal(struct hm_bytes a, struct hm_bytes b)
{
  return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline struct hm_out hm_out(void *data, size_t cap)
{
  struct hm_out o = {(uint8_t *)data, cap, 0};
  return o;
}

static inline void hm_out_put(struct hm_out *o, const void *data, size_t len)
{
  if (o->len <= o->cap && len <= o->cap - o->len && len > 0)
    memcpy(o->data + o->len, data, len);
  o->len += len;
}

/* HM_OK, or HM_SHORT_BUFFER when more was put than fits. */
static inline enum hm_status HM_MUST_CHECK hm_out_status(const struct hm_out *o)
{
  return o->len <= o->cap ? HM_OK : HM_SHORT_BUFFER;
}

/* What was written so far. Only meaningful while hm_out_status is HM_OK. */
static inline struct hm_bytes hm_out_bytes(const struct hm_out *o)
{
  return hm_bytes(o->data, o->len);
}

/* Equal or not, in time that depends on len alone. */
bool hm_equal_ct(const void *a, const void *b, size_t len);

/* Overwrite a secret; the compiler may not leave it out. */
void hm_wipe(void *data, size_t len);

#endif

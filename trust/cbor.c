/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * libcbor's streaming decoder reads the heads; this file adds what deterministic
 * encoding demands and libcbor does not check: the shortest head, UTF-8, sorted
 * maps, depth. libcbor 0.8 refuses the one-byte tags 6 to 20, so tag heads are
 * read here.
 */
#include "trust/cbor.h"

#include <cbor/callbacks.h>
#include <cbor/encoding.h>
#include <cbor/streaming.h>

/* ---- one head ------------------------------------------------------------------- */

struct reading {
  struct hm_cbor_head *head;
  enum hm_status status;
};

static void on_number(void *context, enum hm_cbor_type type, uint64_t value)
{
  struct reading *r = context;
  r->head->type = type;
  r->head->value = value;
}

static void on_uint8(void *c, uint8_t v)
{
  on_number(c, HM_CBOR_UINT, v);
}
static void on_uint16(void *c, uint16_t v)
{
  on_number(c, HM_CBOR_UINT, v);
}
static void on_uint32(void *c, uint32_t v)
{
  on_number(c, HM_CBOR_UINT, v);
}
static void on_uint64(void *c, uint64_t v)
{
  on_number(c, HM_CBOR_UINT, v);
}
static void on_negint8(void *c, uint8_t v)
{
  on_number(c, HM_CBOR_NINT, v);
}
static void on_negint16(void *c, uint16_t v)
{
  on_number(c, HM_CBOR_NINT, v);
}
static void on_negint32(void *c, uint32_t v)
{
  on_number(c, HM_CBOR_NINT, v);
}
static void on_negint64(void *c, uint64_t v)
{
  on_number(c, HM_CBOR_NINT, v);
}
static void on_bstr(void *c, cbor_data data, size_t len)
{
  struct reading *r = c;
  r->head->type = HM_CBOR_BSTR;
  r->head->text = hm_bytes(data, len);
}
static void on_tstr(void *c, cbor_data data, size_t len)
{
  struct reading *r = c;
  r->head->type = HM_CBOR_TSTR;
  r->head->text = hm_bytes(data, len);
}
static void on_array(void *c, size_t count)
{
  on_number(c, HM_CBOR_ARRAY, count);
}
static void on_map(void *c, size_t count)
{
  on_number(c, HM_CBOR_MAP, count);
}
static void on_null(void *c)
{
  on_number(c, HM_CBOR_NIL, 0);
}
static void on_indefinite(void *c)
{
  ((struct reading *)c)->status = HM_NOT_DETERMINISTIC;
}
static void on_undefined(void *c)
{
  ((struct reading *)c)->status = HM_UNSUPPORTED;
}
static void on_float(void *c, float v)
{
  (void)v;
  on_undefined(c);
}
static void on_double(void *c, double v)
{
  (void)v;
  on_undefined(c);
}
static void on_bool(void *c, bool v)
{
  (void)v;
  on_undefined(c);
}
static void on_tag(void *c, uint64_t v)
{
  (void)v;
  on_undefined(c);
}

static size_t head_len(uint64_t value)
{
  return value < 24 ? 1 : value <= 0xff ? 2 : value <= 0xffff ? 3 : value <= 0xffffffff ? 5 : 9;
}

/* The code point at p[0..], its length in *len; 0x110000 where it is not UTF-8. */
static uint32_t utf8_point(const uint8_t *p, size_t left, size_t *len)
{
  static const struct {
    uint8_t mask, lead, len;
    uint32_t least;
  } forms[] = {
      {0x80, 0x00, 1, 0}, {0xe0, 0xc0, 2, 0x80}, {0xf0, 0xe0, 3, 0x800}, {0xf8, 0xf0, 4, 0x10000}};
  const uint32_t bad = 0x110000;
  for (size_t f = 0; f < 4; f++) {
    if ((p[0] & forms[f].mask) != forms[f].lead)
      continue;
    if (forms[f].len > left)
      return bad;
    uint32_t point = p[0] & (uint8_t)~forms[f].mask;
    for (size_t i = 1; i < forms[f].len; i++) {
      if ((p[i] & 0xc0) != 0x80)
        return bad;
      point = point << 6 | (p[i] & 0x3f);
    }
    *len = forms[f].len;
    return point < forms[f].least || (point >= 0xd800 && point < 0xe000) ? bad : point;
  }
  return bad;
}

static enum hm_status check_text(struct hm_bytes text)
{
  size_t at = 0;
  while (at < text.len) {
    size_t len = 1;
    uint32_t point = utf8_point(text.data + at, text.len - at, &len);
    if (point >= 0x110000 || point < 0x20 || (point >= 0x7f && point < 0xa0))
      return HM_MALFORMED;
    at += len;
  }
  return HM_OK;
}

/* Tags 16, 18 (one byte: 0xd0, 0xd2) and 96 (0xd8 0x60) are all there are. */
static enum hm_status read_tag(const uint8_t *p, size_t left, struct hm_cbor_head *head,
                               size_t *used)
{
  head->type = HM_CBOR_TAG;
  if (p[0] == 0xd0 || p[0] == 0xd2) {
    head->value = p[0] - 0xc0u;
    *used = 1;
    return HM_OK;
  }
  if (p[0] != 0xd8)
    return HM_UNSUPPORTED;
  if (left < 2)
    return HM_TRUNCATED;
  if (p[1] < 24)
    return HM_NOT_DETERMINISTIC;
  if (p[1] != 96)
    return HM_UNSUPPORTED;
  head->value = 96;
  *used = 2;
  return HM_OK;
}

static enum hm_status read_untagged(const uint8_t *p, size_t left, struct hm_cbor_head *head,
                                    size_t *used)
{
  struct cbor_callbacks on = cbor_empty_callbacks;
  on.uint8 = on_uint8;
  on.uint16 = on_uint16;
  on.uint32 = on_uint32;
  on.uint64 = on_uint64;
  on.negint8 = on_negint8;
  on.negint16 = on_negint16;
  on.negint32 = on_negint32;
  on.negint64 = on_negint64;
  on.byte_string = on_bstr;
  on.string = on_tstr;
  on.array_start = on_array;
  on.map_start = on_map;
  on.null = on_null;
  on.byte_string_start = on_indefinite;
  on.string_start = on_indefinite;
  on.indef_array_start = on_indefinite;
  on.indef_map_start = on_indefinite;
  on.indef_break = on_indefinite;
  on.undefined = on_undefined;
  on.float2 = on_float;
  on.float4 = on_float;
  on.float8 = on_double;
  on.boolean = on_bool;
  on.tag = on_tag;

  struct reading r = {head, HM_OK};
  struct cbor_decoder_result result = cbor_stream_decode(p, left, &on, &r);
  if (result.status == CBOR_DECODER_NEDATA)
    return HM_TRUNCATED;
  if (result.status != CBOR_DECODER_FINISHED)
    return HM_UNSUPPORTED;
  HM_TRY(r.status);
  *used = result.read;

  bool is_string = head->type == HM_CBOR_BSTR || head->type == HM_CBOR_TSTR;
  uint64_t number = is_string ? head->text.len : head->value;
  if (result.read - head->text.len != head_len(number))
    return HM_NOT_DETERMINISTIC;
  if (number > INT64_MAX)
    return HM_TOO_LARGE;
  return head->type == HM_CBOR_TSTR ? check_text(head->text) : HM_OK;
}

enum hm_status hm_cbor_peek(const struct hm_cbor *c, struct hm_cbor_head *head)
{
  struct hm_cbor copy = *c;
  return hm_cbor_next(&copy, head);
}

enum hm_status hm_cbor_next(struct hm_cbor *c, struct hm_cbor_head *head)
{
  memset(head, 0, sizeof *head);
  if (c->at >= c->in.len)
    return HM_TRUNCATED;
  const uint8_t *p = c->in.data + c->at;
  size_t left = c->in.len - c->at;
  size_t used = 0;
  if (p[0] >> 5 == 6)
    HM_TRY(read_tag(p, left, head, &used));
  else
    HM_TRY(read_untagged(p, left, head, &used));
  /* Every item takes a byte at least: a larger count can never come true. */
  size_t after = left - used;
  if ((head->type == HM_CBOR_ARRAY && head->value > after) ||
      (head->type == HM_CBOR_MAP && head->value > after / 2))
    return HM_TRUNCATED;
  c->at += used;
  return HM_OK;
}

/* ---- typed reads ------------------------------------------------------------------ */

static enum hm_status next_of(struct hm_cbor *c, enum hm_cbor_type type, struct hm_cbor_head *head)
{
  struct hm_cbor ahead = *c;
  HM_TRY(hm_cbor_next(&ahead, head));
  if (head->type != type)
    return HM_WRONG_TYPE;
  *c = ahead;
  return HM_OK;
}

enum hm_status hm_cbor_uint(struct hm_cbor *c, uint64_t *value)
{
  struct hm_cbor_head head;
  HM_TRY(next_of(c, HM_CBOR_UINT, &head));
  *value = head.value;
  return HM_OK;
}

enum hm_status hm_cbor_int(struct hm_cbor *c, int64_t *value)
{
  struct hm_cbor ahead = *c;
  struct hm_cbor_head head;
  HM_TRY(hm_cbor_next(&ahead, &head));
  if (head.type != HM_CBOR_UINT && head.type != HM_CBOR_NINT)
    return HM_WRONG_TYPE;
  *value = head.type == HM_CBOR_UINT ? (int64_t)head.value : -1 - (int64_t)head.value;
  *c = ahead;
  return HM_OK;
}

enum hm_status hm_cbor_bstr(struct hm_cbor *c, struct hm_bytes *value)
{
  struct hm_cbor_head head;
  HM_TRY(next_of(c, HM_CBOR_BSTR, &head));
  *value = head.text;
  return HM_OK;
}

enum hm_status hm_cbor_tstr(struct hm_cbor *c, struct hm_bytes *value)
{
  struct hm_cbor_head head;
  HM_TRY(next_of(c, HM_CBOR_TSTR, &head));
  *value = head.text;
  return HM_OK;
}

enum hm_status hm_cbor_array(struct hm_cbor *c, size_t *count)
{
  struct hm_cbor_head head;
  HM_TRY(next_of(c, HM_CBOR_ARRAY, &head));
  *count = (size_t)head.value;
  return HM_OK;
}

enum hm_status hm_cbor_map(struct hm_cbor *c, size_t *count)
{
  struct hm_cbor_head head;
  HM_TRY(next_of(c, HM_CBOR_MAP, &head));
  *count = (size_t)head.value;
  return HM_OK;
}

enum hm_status hm_cbor_tag(struct hm_cbor *c, uint64_t tag)
{
  struct hm_cbor ahead = *c;
  struct hm_cbor_head head;
  HM_TRY(hm_cbor_next(&ahead, &head));
  if (head.type != HM_CBOR_TAG || head.value != tag)
    return HM_WRONG_TYPE;
  *c = ahead;
  return HM_OK;
}

enum hm_status hm_cbor_fixed(struct hm_cbor *c, uint8_t *out, size_t len)
{
  struct hm_cbor ahead = *c;
  struct hm_bytes value;
  HM_TRY(hm_cbor_bstr(&ahead, &value));
  if (value.len != len)
    return HM_MALFORMED;
  if (len > 0)
    memcpy(out, value.data, len);
  *c = ahead;
  return HM_OK;
}

enum hm_status hm_cbor_nil(struct hm_cbor *c, bool *was_nil)
{
  struct hm_cbor ahead = *c;
  struct hm_cbor_head head;
  HM_TRY(hm_cbor_next(&ahead, &head));
  *was_nil = head.type == HM_CBOR_NIL;
  if (*was_nil)
    *c = ahead;
  return HM_OK;
}

enum hm_status hm_cbor_end(const struct hm_cbor *c)
{
  return hm_cbor_at_end(c) ? HM_OK : HM_MALFORMED;
}

/* ---- whole items ------------------------------------------------------------------- */

struct level {
  uint64_t left; /* items still to come */
  bool is_map;
  bool at_key;
  struct hm_bytes last_key;
};

/* Bytewise order, RFC 8949 4.2.1: a shorter string is a prefix only of equal heads. */
static bool key_is_above(struct hm_bytes key, struct hm_bytes last)
{
  if (last.data == NULL)
    return true;
  size_t common = key.len < last.len ? key.len : last.len;
  int order = memcmp(key.data, last.data, common);
  return order > 0 || (order == 0 && key.len > last.len);
}

static enum hm_status take_key(struct level *level, const struct hm_cbor_head *head,
                               struct hm_bytes key)
{
  if (head->type > HM_CBOR_TSTR)
    return HM_UNSUPPORTED;
  if (!key_is_above(key, level->last_key))
    return HM_NOT_DETERMINISTIC;
  level->last_key = key;
  return HM_OK;
}

enum hm_status hm_cbor_skip(struct hm_cbor *c, struct hm_bytes *item)
{
  struct hm_cbor at = *c;
  struct level levels[HM_CBOR_DEPTH + 1];
  memset(levels, 0, sizeof levels);
  size_t depth = 0;
  bool after_tag = false;
  levels[0].left = 1;

  for (;;) {
    while (levels[depth].left == 0) {
      if (depth == 0) {
        *item = hm_bytes(c->in.data + c->at, at.at - c->at);
        *c = at;
        return HM_OK;
      }
      depth--;
    }
    struct level *level = &levels[depth];
    size_t begin = at.at;
    struct hm_cbor_head head;
    HM_TRY(hm_cbor_next(&at, &head));
    if (after_tag && head.type != HM_CBOR_ARRAY)
      return HM_UNSUPPORTED;
    after_tag = head.type == HM_CBOR_TAG;
    if (level->is_map && level->at_key)
      HM_TRY(take_key(level, &head, hm_bytes(at.in.data + begin, at.at - begin)));
    if (after_tag)
      continue;
    level->at_key = !level->at_key;
    level->left--;
    if (head.type == HM_CBOR_ARRAY || head.type == HM_CBOR_MAP) {
      if (depth == HM_CBOR_DEPTH)
        return HM_TOO_DEEP;
      bool is_map = head.type == HM_CBOR_MAP;
      levels[++depth] = (struct level){head.value << is_map, is_map, true, {NULL, 0}};
    }
  }
}

enum hm_status hm_cbor_check(struct hm_bytes item)
{
  struct hm_cbor c = hm_cbor(item);
  struct hm_bytes whole;
  HM_TRY(hm_cbor_skip(&c, &whole));
  return hm_cbor_end(&c);
}

/* ---- encoders ------------------------------------------------------------------------ */

enum { HEAD_MAX = 9 };

void hm_cbor_put_uint(struct hm_out *o, uint64_t value)
{
  uint8_t head[HEAD_MAX];
  hm_out_put(o, head, cbor_encode_uint(value, head, sizeof head));
}

void hm_cbor_put_int(struct hm_out *o, int64_t value)
{
  uint8_t head[HEAD_MAX];
  if (value >= 0)
    hm_cbor_put_uint(o, (uint64_t)value);
  else
    hm_out_put(o, head, cbor_encode_negint((uint64_t)(-1 - value), head, sizeof head));
}

void hm_cbor_put_bstr_head(struct hm_out *o, size_t len)
{
  uint8_t head[HEAD_MAX];
  hm_out_put(o, head, cbor_encode_bytestring_start(len, head, sizeof head));
}

void hm_cbor_put_bstr(struct hm_out *o, struct hm_bytes value)
{
  hm_cbor_put_bstr_head(o, value.len);
  hm_out_put(o, value.data, value.len);
}

void hm_cbor_put_tstr(struct hm_out *o, struct hm_bytes value)
{
  uint8_t head[HEAD_MAX];
  hm_out_put(o, head, cbor_encode_string_start(value.len, head, sizeof head));
  hm_out_put(o, value.data, value.len);
}

void hm_cbor_put_text(struct hm_out *o, const char *value)
{
  size_t len = 0;
  while (value[len] != '\0')
    len++;
  hm_cbor_put_tstr(o, hm_bytes(value, len));
}

void hm_cbor_put_array(struct hm_out *o, size_t count)
{
  uint8_t head[HEAD_MAX];
  hm_out_put(o, head, cbor_encode_array_start(count, head, sizeof head));
}

void hm_cbor_put_map(struct hm_out *o, size_t count)
{
  uint8_t head[HEAD_MAX];
  hm_out_put(o, head, cbor_encode_map_start(count, head, sizeof head));
}

void hm_cbor_put_tag(struct hm_out *o, uint64_t tag)
{
  uint8_t head[HEAD_MAX];
  hm_out_put(o, head, cbor_encode_tag(tag, head, sizeof head));
}

void hm_cbor_put_nil(struct hm_out *o)
{
  uint8_t head[HEAD_MAX];
  hm_out_put(o, head, cbor_encode_null(head, sizeof head));
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One decoder and one encoder walk the tables. The walk nests as the tables do,
 * a fixed handful of levels; input never decides how deep it goes.
 */
#include "trust/codec.h"

/* ---- reaching into the struct ---------------------------------------------------- */

static void *member(void *object, size_t at)
{
  return (uint8_t *)object + at;
}

static const void *member_of(const void *object, size_t at)
{
  return (const uint8_t *)object + at;
}

static bool may_lack(const struct hm_field *f)
{
  return (f->flags & (HM_OPTIONAL | HM_NIL_OK)) != 0;
}

static enum hm_status in_limits(uint64_t value, const struct hm_field *f)
{
  return value >= f->min && value <= f->max ? HM_OK : HM_MALFORMED;
}

/* memcmp order of two encodings; true iff b is strictly above a. */
static bool is_above(struct hm_bytes b, struct hm_bytes a)
{
  size_t common = a.len < b.len ? a.len : b.len;
  int order = memcmp(b.data, a.data, common);
  return order > 0 || (order == 0 && b.len > a.len);
}

/* ---- decoding ---------------------------------------------------------------------- */

static enum hm_status decode_shape(const struct hm_shape *shape, struct hm_cbor *c, void *object,
                                   struct hm_where *where);

static enum hm_status decode_list(const struct hm_field *f, struct hm_cbor *c, void *object,
                                  struct hm_where *where)
{
  size_t count;
  HM_TRY(hm_cbor_array(c, &count));
  if (count < f->min || count > f->max)
    return HM_TOO_LARGE;
  uint32_t n = (uint32_t)count;
  memcpy(member(object, f->count_at), &n, sizeof n);
  struct hm_bytes last = {NULL, 0};
  for (size_t i = 0; i < count; i++) {
    size_t begin = c->at;
    HM_TRY(decode_shape(f->of, c, member(object, f->at + i * f->of->size), where));
    struct hm_bytes item = hm_bytes(c->in.data + begin, c->at - begin);
    if ((f->flags & HM_ORDERED) && i > 0 && !is_above(item, last))
      return HM_NOT_DETERMINISTIC;
    last = item;
  }
  return HM_OK;
}

static enum hm_status decode_umap(const struct hm_field *f, struct hm_cbor *c, void *object)
{
  size_t count;
  HM_TRY(hm_cbor_map(c, &count));
  if (count < f->min || count > f->max)
    return HM_TOO_LARGE;
  uint32_t n = (uint32_t)count;
  memcpy(member(object, f->count_at), &n, sizeof n);
  struct hm_uint_pair pair = {0, 0};
  for (size_t i = 0; i < count; i++) {
    uint64_t last = pair.key;
    HM_TRY(hm_cbor_uint(c, &pair.key));
    if (i > 0 && pair.key <= last)
      return HM_NOT_DETERMINISTIC;
    HM_TRY(hm_cbor_uint(c, &pair.value));
    HM_TRY(in_limits(pair.key, &f->of->fields[0]));
    HM_TRY(in_limits(pair.value, &f->of->fields[1]));
    memcpy(member(object, f->at + i * sizeof pair), &pair, sizeof pair);
  }
  return HM_OK;
}

static enum hm_status decode_string(const struct hm_field *f, struct hm_cbor *c, void *object)
{
  struct hm_bytes value;
  if (f->kind == HM_BSTR)
    HM_TRY(hm_cbor_bstr(c, &value));
  else if (f->kind == HM_TSTR)
    HM_TRY(hm_cbor_tstr(c, &value));
  else
    HM_TRY(hm_cbor_skip(c, &value));
  if (value.len < f->min || value.len > f->max)
    return HM_TOO_LARGE;
  memcpy(member(object, f->at), &value, sizeof value);
  return HM_OK;
}

static enum hm_status decode_text(const struct hm_field *f, struct hm_cbor *c)
{
  struct hm_bytes value;
  HM_TRY(hm_cbor_tstr(c, &value));
  for (size_t i = 0; i < value.len; i++)
    if (f->text[i] == '\0' || (uint8_t)f->text[i] != value.data[i])
      return HM_MALFORMED;
  return f->text[value.len] == '\0' ? HM_OK : HM_MALFORMED;
}

static enum hm_status decode_uint(const struct hm_field *f, struct hm_cbor *c, void *object)
{
  uint64_t value;
  HM_TRY(hm_cbor_uint(c, &value));
  if (f->kind == HM_CONST)
    return value == f->min ? HM_OK : HM_UNSUPPORTED;
  HM_TRY(in_limits(value, f));
  memcpy(member(object, f->at), &value, sizeof value);
  return HM_OK;
}

static enum hm_status decode_value(const struct hm_field *f, struct hm_cbor *c, void *object,
                                   struct hm_where *where)
{
  int64_t number;
  bool was_nil;
  switch (f->kind) {
  case HM_UINT:
  case HM_CONST:
    return decode_uint(f, c, object);
  case HM_NINT:
    HM_TRY(hm_cbor_int(c, &number));
    return number == f->fixed ? HM_OK : HM_UNSUPPORTED;
  case HM_FIXED:
    return hm_cbor_fixed(c, member(object, f->at), (size_t)f->max);
  case HM_BSTR:
  case HM_TSTR:
  case HM_RAW:
    return decode_string(f, c, object);
  case HM_TEXT:
    return decode_text(f, c);
  case HM_NIL:
    HM_TRY(hm_cbor_nil(c, &was_nil));
    return was_nil ? HM_OK : HM_WRONG_TYPE;
  case HM_SHAPE:
    return decode_shape(f->of, c, member(object, f->at), where);
  case HM_LIST:
    return decode_list(f, c, object, where);
  case HM_UMAP:
    return decode_umap(f, c, object);
  }
  return HM_STATE;
}

static enum hm_status decode_field(const struct hm_field *f, struct hm_cbor *c, void *object,
                                   struct hm_where *where)
{
  size_t begin = c->at;
  bool was_nil = false;
  enum hm_status status = HM_OK;
  if (f->flags & HM_NIL_OK)
    status = hm_cbor_nil(c, &was_nil);
  if (status == HM_OK && !was_nil)
    status = decode_value(f, c, object, where);
  if (status == HM_OK && may_lack(f)) {
    bool has = !was_nil;
    memcpy(member(object, f->has_at), &has, sizeof has);
  }
  if (status != HM_OK && where != NULL && where->field == NULL)
    *where = (struct hm_where){f->name, begin};
  return status;
}

/* A label that stands earlier in the table came late or twice; any other is unknown. */
static enum hm_status refuse_label(const struct hm_shape *shape, size_t before, int64_t label)
{
  for (size_t i = 0; i < before; i++)
    if (shape->fields[i].label == label)
      return HM_NOT_DETERMINISTIC;
  return HM_MALFORMED;
}

static enum hm_status decode_map(const struct hm_shape *shape, struct hm_cbor *c, void *object,
                                 struct hm_where *where)
{
  size_t count;
  HM_TRY(hm_cbor_map(c, &count));
  size_t at = 0;
  for (size_t i = 0; i < count; i++) {
    int64_t label;
    HM_TRY(hm_cbor_int(c, &label));
    while (at < shape->field_count && shape->fields[at].label != label) {
      if (!(shape->fields[at].flags & HM_OPTIONAL)) {
        if (where != NULL && where->field == NULL)
          *where = (struct hm_where){shape->fields[at].name, c->at};
        return refuse_label(shape, at, label);
      }
      at++;
    }
    if (at == shape->field_count)
      return refuse_label(shape, at, label);
    HM_TRY(decode_field(&shape->fields[at++], c, object, where));
  }
  for (; at < shape->field_count; at++)
    if (!(shape->fields[at].flags & HM_OPTIONAL)) {
      if (where != NULL && where->field == NULL)
        *where = (struct hm_where){shape->fields[at].name, c->at};
      return HM_MALFORMED;
    }
  return HM_OK;
}

static enum hm_status decode_shape(const struct hm_shape *shape, struct hm_cbor *c, void *object,
                                   struct hm_where *where)
{
  size_t count = shape->field_count;
  if (shape->form == HM_MAP)
    return decode_map(shape, c, object, where);
  if (shape->form == HM_ARRAY)
    HM_TRY(hm_cbor_array(c, &count));
  if (count != shape->field_count)
    return HM_MALFORMED;
  for (size_t i = 0; i < count; i++)
    HM_TRY(decode_field(&shape->fields[i], c, object, where));
  return HM_OK;
}

enum hm_status hm_decode_next(const struct hm_shape *shape, struct hm_cbor *c, void *object,
                              struct hm_where *where)
{
  memset(object, 0, shape->size);
  if (where != NULL)
    *where = (struct hm_where){NULL, 0};
  struct hm_cbor ahead = *c;
  enum hm_status status = decode_shape(shape, &ahead, object, where);
  if (status == HM_OK)
    *c = ahead;
  else if (where != NULL && where->field == NULL)
    *where = (struct hm_where){shape->name, ahead.at};
  return status;
}

enum hm_status hm_decode(const struct hm_shape *shape, struct hm_bytes in, void *object,
                         struct hm_where *where)
{
  struct hm_cbor c = hm_cbor(in);
  HM_TRY(hm_decode_next(shape, &c, object, where));
  if (hm_cbor_at_end(&c))
    return HM_OK;
  if (where != NULL)
    *where = (struct hm_where){shape->name, c.at};
  return HM_MALFORMED;
}

/* ---- encoding ------------------------------------------------------------------------ */

static enum hm_status encode_shape(const struct hm_shape *shape, const void *object,
                                   struct hm_out *out, struct hm_where *where);

static enum hm_status encode_list(const struct hm_field *f, const void *object, struct hm_out *out,
                                  struct hm_where *where)
{
  uint32_t count;
  memcpy(&count, member_of(object, f->count_at), sizeof count);
  HM_TRY(in_limits(count, f));
  hm_cbor_put_array(out, count);
  struct hm_bytes last = {NULL, 0};
  for (size_t i = 0; i < count; i++) {
    size_t begin = out->len;
    HM_TRY(encode_shape(f->of, member_of(object, f->at + i * f->of->size), out, where));
    if (!(f->flags & HM_ORDERED) || out->len > out->cap)
      continue;
    struct hm_bytes item = hm_bytes(out->data + begin, out->len - begin);
    if (i > 0 && !is_above(item, last))
      return HM_MALFORMED;
    last = item;
  }
  return HM_OK;
}

static enum hm_status encode_umap(const struct hm_field *f, const void *object, struct hm_out *out)
{
  uint32_t count;
  memcpy(&count, member_of(object, f->count_at), sizeof count);
  HM_TRY(in_limits(count, f));
  hm_cbor_put_map(out, count);
  uint64_t last = 0;
  for (size_t i = 0; i < count; i++) {
    struct hm_uint_pair pair;
    memcpy(&pair, member_of(object, f->at + i * sizeof pair), sizeof pair);
    if (i > 0 && pair.key <= last)
      return HM_MALFORMED;
    last = pair.key;
    HM_TRY(in_limits(pair.key, &f->of->fields[0]));
    HM_TRY(in_limits(pair.value, &f->of->fields[1]));
    hm_cbor_put_uint(out, pair.key);
    hm_cbor_put_uint(out, pair.value);
  }
  return HM_OK;
}

static enum hm_status encode_string(const struct hm_field *f, const void *object,
                                    struct hm_out *out)
{
  struct hm_bytes value;
  memcpy(&value, member_of(object, f->at), sizeof value);
  HM_TRY(in_limits(value.len, f));
  if (f->kind == HM_BSTR)
    hm_cbor_put_bstr(out, value);
  else if (f->kind == HM_TSTR)
    hm_cbor_put_tstr(out, value);
  else {
    HM_TRY(hm_cbor_check(value));
    hm_out_put(out, value.data, value.len);
  }
  return HM_OK;
}

static enum hm_status encode_uint(const struct hm_field *f, const void *object, struct hm_out *out)
{
  uint64_t value;
  memcpy(&value, member_of(object, f->at), sizeof value);
  HM_TRY(in_limits(value, f));
  hm_cbor_put_uint(out, value);
  return HM_OK;
}

static enum hm_status encode_value(const struct hm_field *f, const void *object, struct hm_out *out,
                                   struct hm_where *where)
{
  switch (f->kind) {
  case HM_UINT:
    return encode_uint(f, object, out);
  case HM_CONST:
    hm_cbor_put_uint(out, f->min);
    return HM_OK;
  case HM_NINT:
    hm_cbor_put_int(out, f->fixed);
    return HM_OK;
  case HM_FIXED:
    hm_cbor_put_bstr(out, hm_bytes(member_of(object, f->at), (size_t)f->max));
    return HM_OK;
  case HM_BSTR:
  case HM_TSTR:
  case HM_RAW:
    return encode_string(f, object, out);
  case HM_TEXT:
    hm_cbor_put_text(out, f->text);
    return HM_OK;
  case HM_NIL:
    hm_cbor_put_nil(out);
    return HM_OK;
  case HM_SHAPE:
    return encode_shape(f->of, member_of(object, f->at), out, where);
  case HM_LIST:
    return encode_list(f, object, out, where);
  case HM_UMAP:
    return encode_umap(f, object, out);
  }
  return HM_STATE;
}

static bool is_there(const struct hm_field *f, const void *object)
{
  bool has = true;
  if (may_lack(f))
    memcpy(&has, member_of(object, f->has_at), sizeof has);
  return has;
}

static enum hm_status encode_field(const struct hm_field *f, const void *object, struct hm_out *out,
                                   struct hm_where *where)
{
  if (!is_there(f, object)) {
    hm_cbor_put_nil(out); /* an absent optional field never comes here */
    return HM_OK;
  }
  size_t begin = out->len;
  enum hm_status status = encode_value(f, object, out, where);
  if (status != HM_OK && where != NULL && where->field == NULL)
    *where = (struct hm_where){f->name, begin};
  return status;
}

static enum hm_status encode_map(const struct hm_shape *shape, const void *object,
                                 struct hm_out *out, struct hm_where *where)
{
  size_t count = 0;
  for (size_t i = 0; i < shape->field_count; i++) {
    const struct hm_field *f = &shape->fields[i];
    count += !(f->flags & HM_OPTIONAL) || is_there(f, object);
  }
  hm_cbor_put_map(out, count);
  for (size_t i = 0; i < shape->field_count; i++) {
    const struct hm_field *f = &shape->fields[i];
    if ((f->flags & HM_OPTIONAL) && !is_there(f, object))
      continue;
    hm_cbor_put_int(out, f->label);
    HM_TRY(encode_field(f, object, out, where));
  }
  return HM_OK;
}

static enum hm_status encode_shape(const struct hm_shape *shape, const void *object,
                                   struct hm_out *out, struct hm_where *where)
{
  if (shape->form == HM_MAP)
    return encode_map(shape, object, out, where);
  if (shape->form == HM_ARRAY)
    hm_cbor_put_array(out, shape->field_count);
  for (size_t i = 0; i < shape->field_count; i++)
    HM_TRY(encode_field(&shape->fields[i], object, out, where));
  return HM_OK;
}

enum hm_status hm_encode(const struct hm_shape *shape, const void *object, struct hm_out *out,
                         struct hm_where *where)
{
  if (where != NULL)
    *where = (struct hm_where){NULL, 0};
  HM_TRY(encode_shape(shape, object, out, where));
  return hm_out_status(out);
}

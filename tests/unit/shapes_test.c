/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every table of the formats: every field missing, doubled, out of order, out of range,
 * of another type or unknown is refused. The changes are made on the encoded bytes by
 * a walker that knows CBOR but none of our tables.
 */
#include "trust/proof.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MUST(expression) assert_int_equal((expression), HM_OK)

/* ---- samples: one value a shape with every optional field there ----------------------- */
struct sample {
  const struct hm_shape *shape;
  uint8_t bytes[4096];
  size_t len;
};

/* Fill a struct by its shape with values inside the limits, then encode. */
static uint8_t filler[70000];

static void fill(const struct hm_shape *shape, uint8_t *object, unsigned salt);

static void fill_field(const struct hm_field *f, uint8_t *object, unsigned salt)
{
  uint64_t number = f->min + (f->max > f->min);
  size_t len = (size_t)(f->min + (f->max > f->min));
  struct hm_bytes text = {filler, len};
  uint32_t count = (uint32_t)(f->max < 2 ? f->max : 2);
  bool yes = true;
  if (f->flags & (HM_OPTIONAL | HM_NIL_OK))
    memcpy(object + f->has_at, &yes, sizeof yes);
  switch (f->kind) {
  case HM_UINT:
    number = f->max > f->min + salt ? f->min + salt : f->max;
    memcpy(object + f->at, &number, sizeof number);
    break;
  case HM_FIXED:
    memset(object + f->at, (int)(0x10 + salt), (size_t)f->max);
    break;
  case HM_BSTR:
  case HM_TSTR:
    memcpy(object + f->at, &text, sizeof text);
    break;
  case HM_SHAPE:
    fill(f->of, object + f->at, salt);
    break;
  case HM_LIST:
    memcpy(object + f->count_at, &count, sizeof count);
    for (uint32_t i = 0; i < count; i++)
      fill(f->of, object + f->at + i * f->of->size, i);
    break;
  case HM_UMAP:
    memcpy(object + f->count_at, &count, sizeof count);
    for (uint32_t i = 0; i < count; i++) {
      struct hm_uint_pair pair = {f->of->fields[0].min + i, f->of->fields[1].min};
      memcpy(object + f->at + i * sizeof pair, &pair, sizeof pair);
    }
    break;
  default:
    break;
  }
}

static void fill(const struct hm_shape *shape, uint8_t *object, unsigned salt)
{
  for (size_t i = 0; i < shape->field_count; i++)
    fill_field(&shape->fields[i], object, salt);
}

static size_t sample(const struct hm_shape *shape, uint8_t *out, size_t cap)
{
  uint8_t *object = calloc(1, shape->size);
  struct hm_where where = {NULL, 0};
  struct hm_out o = hm_out(out, cap);
  assert_non_null(object);
  fill(shape, object, 1);
  enum hm_status status = hm_encode(shape, object, &o, &where);
  if (status != HM_OK)
    fail_msg("%s: %s: %s", shape->name, where.field ? where.field : "-", hm_status_text(status));
  free(object);
  return o.len;
}

/* ---- a walker over CBOR that writes a changed copy ------------------------------------- */
enum change { DROP, DOUBLE, SWAP, UNKNOWN, HUGE_UINT, OTHER_TYPE, LONGER, SHORTER, CHANGES };

struct copy {
  enum change change;
  size_t target; /* which place the change is made at */
  size_t place;  /* counts places of that kind */
  bool done;
};

static void copy_item(struct hm_cbor *c, struct hm_out *o, struct copy *k);

static bool here(struct copy *k, enum change change)
{
  if (k->change != change)
    return false;
  bool hit = k->place++ == k->target;
  k->done |= hit;
  return hit;
}

/* Copy one key and value as they are. */
static struct hm_bytes take_pair(struct hm_cbor *c)
{
  struct hm_bytes key, value;
  MUST(hm_cbor_skip(c, &key));
  MUST(hm_cbor_skip(c, &value));
  return hm_bytes(key.data, key.len + value.len);
}

static void copy_map(struct hm_cbor *c, struct hm_out *o, size_t count, struct copy *k)
{
  bool unknown = here(k, UNKNOWN);
  size_t extra = unknown ? 1 : 0;
  size_t head_at = o->len;
  hm_cbor_put_map(o, count + extra); /* patched below: all counts here are < 23 */
  size_t written = 0;
  for (size_t i = 0; i < count; i++) {
    bool drop = here(k, DROP), twice = here(k, DOUBLE), swap = i + 1 < count && here(k, SWAP);
    if (drop) {
      take_pair(c);
      continue;
    }
    if (swap) {
      struct hm_bytes first = take_pair(c), second = take_pair(c);
      hm_out_put(o, second.data, second.len);
      hm_out_put(o, first.data, first.len);
      written += 2;
      i++;
      continue;
    }
    struct hm_cbor before = *c;
    struct hm_bytes key;
    MUST(hm_cbor_skip(c, &key));
    hm_out_put(o, key.data, key.len);
    copy_item(c, o, k);
    written++;
    if (twice) {
      struct hm_bytes pair = take_pair(&before);
      hm_out_put(o, pair.data, pair.len);
      written++;
    }
  }
  if (unknown) {
    hm_cbor_put_int(o, -100000);
    hm_cbor_put_uint(o, 0);
    written++;
  }
  if (o->data[head_at] < 0xa0 + 23)
    o->data[head_at] = (uint8_t)(0xa0 + written);
}

static void copy_array(struct hm_cbor *c, struct hm_out *o, size_t count, struct copy *k)
{
  bool drop = count > 0 && count < 20 && here(k, DROP);
  hm_cbor_put_array(o, count - drop);
  for (size_t i = 0; i < count; i++) {
    struct hm_bytes item;
    if (drop && i == 0)
      MUST(hm_cbor_skip(c, &item));
    else
      copy_item(c, o, k);
  }
}

static void copy_string(const struct hm_cbor_head *h, struct hm_out *o, struct copy *k)
{
  uint8_t longer[70000];
  struct hm_bytes text = h->text;
  assert_true(text.len + 1 < sizeof longer);
  memcpy(longer, text.data, text.len);
  longer[text.len] = 'x';
  if (here(k, LONGER))
    text = hm_bytes(longer, text.len + 1);
  else if (text.len > 0 && here(k, SHORTER))
    text.len--;
  if (h->type == HM_CBOR_BSTR)
    hm_cbor_put_bstr(o, text);
  else
    hm_cbor_put_tstr(o, text);
}

static void copy_item(struct hm_cbor *c, struct hm_out *o, struct copy *k)
{
  struct hm_cbor_head h;
  MUST(hm_cbor_next(c, &h));
  bool plain = h.type == HM_CBOR_UINT || h.type == HM_CBOR_BSTR || h.type == HM_CBOR_TSTR;
  bool other = plain && here(k, OTHER_TYPE);
  switch (h.type) {
  case HM_CBOR_UINT:
    if (other)
      hm_cbor_put_text(o, "x");
    else
      hm_cbor_put_uint(o, here(k, HUGE_UINT) ? 1ull << 63 : h.value);
    return;
  case HM_CBOR_BSTR:
  case HM_CBOR_TSTR:
    if (other)
      hm_cbor_put_int(o, -7);
    else
      copy_string(&h, o, k);
    return;
  case HM_CBOR_ARRAY:
    copy_array(c, o, (size_t)h.value, k);
    return;
  case HM_CBOR_MAP:
    copy_map(c, o, (size_t)h.value, k);
    return;
  case HM_CBOR_NIL:
    hm_cbor_put_nil(o);
    return;
  default:
    fail_msg("a tag or a negative integer inside an object");
  }
}

static bool is_optional(const struct hm_shape *shape)
{
  for (size_t i = 0; i < shape->field_count; i++)
    if ((shape->fields[i].flags & HM_OPTIONAL) || shape->fields[i].kind == HM_LIST ||
        shape->fields[i].kind == HM_UMAP ||
        (shape->fields[i].of != NULL && is_optional(shape->fields[i].of)))
      return true;
  return false;
}

/* A changed copy is refused, or it says exactly what its bytes say. */
static void check_change(const struct hm_shape *shape, struct hm_bytes original, enum change change)
{
  static uint8_t changed[70000], again[70000];
  void *object = malloc(shape->size);
  bool reached = true;
  for (size_t target = 0; reached; target++) {
    struct copy k = {change, target, 0, false};
    struct hm_cbor c = hm_cbor(original);
    struct hm_out o = hm_out(changed, sizeof changed);
    copy_item(&c, &o, &k);
    MUST(hm_out_status(&o));
    reached = k.done;
    enum hm_status status = hm_decode(shape, hm_out_bytes(&o), object, NULL);
    if (!k.done) {
      assert_int_equal(status, HM_OK);
      continue;
    }
    bool never = change == DOUBLE || change == SWAP || change == UNKNOWN || change == HUGE_UINT ||
                 change == OTHER_TYPE || (change == DROP && !is_optional(shape));
    if (never && status == HM_OK)
      fail_msg("%s: change %d at place %zu is taken", shape->name, change, target);
    if (status != HM_OK)
      continue;
    struct hm_out b = hm_out(again, sizeof again);
    MUST(hm_encode(shape, object, &b, NULL));
    assert_true(hm_bytes_equal(hm_out_bytes(&o), hm_out_bytes(&b)));
  }
  free(object);
}

static void every_field_of_every_object_is_watched(void **state)
{
  (void)state;
  static uint8_t bytes[70000];
  for (size_t i = 0; i < hm_object_count; i++) {
    const struct hm_shape *shape = hm_object_table[i]->shape;
    size_t len = sample(shape, bytes, sizeof bytes);
    void *object = malloc(shape->size);
    MUST(hm_decode(shape, hm_bytes(bytes, len), object, NULL));
    free(object);
    for (int change = DROP; change < CHANGES; change++)
      check_change(shape, hm_bytes(bytes, len), (enum change)change);
  }
}

static void every_truncation_and_trailing_byte_is_refused(void **state)
{
  (void)state;
  static uint8_t bytes[70000];
  for (size_t i = 0; i < hm_object_count; i++) {
    const struct hm_shape *shape = hm_object_table[i]->shape;
    size_t len = sample(shape, bytes, sizeof bytes - 1);
    void *object = malloc(shape->size);
    for (size_t cut = 0; cut < len; cut++)
      assert_int_not_equal(hm_decode(shape, hm_bytes(bytes, cut), object, NULL), HM_OK);
    bytes[len] = 0;
    assert_int_not_equal(hm_decode(shape, hm_bytes(bytes, len + 1), object, NULL), HM_OK);
    free(object);
  }
}

/* Labels of a map stand in the bytewise order of their encodings; limits make sense. */
static void check_table(const struct hm_shape *shape)
{
  uint8_t before[16], now[16];
  size_t before_len = 0;
  for (size_t i = 0; i < shape->field_count; i++) {
    const struct hm_field *f = &shape->fields[i];
    if (f->min > f->max)
      fail_msg("%s: %s", shape->name, f->name);
    if (f->of != NULL)
      check_table(f->of);
    if (shape->form != HM_MAP)
      continue;
    struct hm_out o = hm_out(now, sizeof now);
    hm_cbor_put_int(&o, f->label);
    if (i > 0) {
      int order = memcmp(before, now, before_len < o.len ? before_len : o.len);
      assert_true(order < 0);
    }
    memcpy(before, now, o.len);
    before_len = o.len;
    bool is_ours = strcmp(shape->name, "confirmation") != 0 &&
                   strcmp(shape->name, "cose-key") != 0 && f->label >= 0 &&
                   shape->fields[shape->field_count - 1].label != HM_CWT_OURS;
    if (is_ours && hm_label_name((uint64_t)f->label) != NULL)
      assert_string_equal(hm_label_name((uint64_t)f->label), f->name);
  }
}

static void tables_are_in_order_and_named_by_the_label_table(void **state)
{
  (void)state;
  for (size_t i = 0; i < hm_object_count; i++)
    check_table(hm_object_table[i]->shape);
}

static bool count_row(void *user, const struct hm_spec_row *row)
{
  assert_non_null(row->field);
  assert_non_null(hm_field_kind_name(row->kind, row->of));
  ++*(size_t *)user;
  return true;
}

static void the_specification_walks_every_field(void **state)
{
  (void)state;
  size_t rows = 0;
  hm_spec_walk(count_row, &rows);
  assert_true(rows > 300);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_field_of_every_object_is_watched),
      cmocka_unit_test(every_truncation_and_trailing_byte_is_refused),
      cmocka_unit_test(tables_are_in_order_and_named_by_the_label_table),
      cmocka_unit_test(the_specification_walks_every_field),
  };
  memset(filler, 'a', sizeof filler);
  return cmocka_run_group_tests(tests, NULL, NULL);
}

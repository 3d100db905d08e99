/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * trust/cbor and trust/codec over arbitrary bytes. What is accepted has one encoding:
 * walking it and writing it again gives the same bytes, libcbor's own loader reads it
 * to the same end, and an object that decodes by its table encodes to what it was.
 */
#include <stdio.h>
#include <stdlib.h>

#include <cbor.h>

#include "trust/profile.h"

enum { INPUT_MAX = 65536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void insist(bool claim, const char *what)
{
  if (claim)
    return;
  fprintf(stderr, "broken: %s\n", what);
  abort();
}

/* Write one head as the encoders do. */
static void put_head(struct hm_out *out, const struct hm_cbor_head *head)
{
  switch (head->type) {
  case HM_CBOR_UINT:
    hm_cbor_put_uint(out, head->value);
    break;
  case HM_CBOR_NINT:
    hm_cbor_put_int(out, -1 - (int64_t)head->value);
    break;
  case HM_CBOR_BSTR:
    hm_cbor_put_bstr(out, head->text);
    break;
  case HM_CBOR_TSTR:
    hm_cbor_put_tstr(out, head->text);
    break;
  case HM_CBOR_ARRAY:
    hm_cbor_put_array(out, head->value);
    break;
  case HM_CBOR_MAP:
    hm_cbor_put_map(out, head->value);
    break;
  case HM_CBOR_TAG:
    hm_cbor_put_tag(out, head->value);
    break;
  case HM_CBOR_NIL:
    hm_cbor_put_nil(out);
    break;
  }
}

/* All heads, written again; *has_tag: libcbor 0.8 refuses the one-byte tags. */
static void write_again(struct hm_bytes in, bool *has_tag)
{
  static uint8_t again[INPUT_MAX];
  struct hm_cbor c = hm_cbor(in);
  struct hm_out out = hm_out(again, sizeof again);
  *has_tag = false;
  while (!hm_cbor_at_end(&c)) {
    struct hm_cbor_head head;
    insist(hm_cbor_next(&c, &head) == HM_OK, "what was checked has only good heads");
    *has_tag |= head.type == HM_CBOR_TAG;
    put_head(&out, &head);
  }
  insist(hm_bytes_equal(hm_out_bytes(&out), in), "one encoding only");
}

/* Safe to load: every count was found to be no more than the bytes that follow. */
static void load_elsewhere(struct hm_bytes in)
{
  struct cbor_load_result result;
  cbor_item_t *item = cbor_load(in.data, in.len, &result);
  insist(item != NULL && result.read == in.len, "libcbor reads it to its end");
  cbor_decref(&item);
}

static void try_object(const struct hm_object *object, struct hm_bytes in)
{
  static _Alignas(16) uint8_t value[262144];
  static uint8_t again[INPUT_MAX];
  struct hm_where where;
  insist(object->shape->size <= sizeof value, "room for every object");
  if (hm_decode(object->shape, in, value, &where) != HM_OK) {
    insist(where.field != NULL && where.offset <= in.len, "a refusal says where");
    return;
  }
  struct hm_out out = hm_out(again, sizeof again);
  insist(hm_encode(object->shape, value, &out, &where) == HM_OK, "what decodes encodes");
  insist(hm_bytes_equal(hm_out_bytes(&out), in), "an object has one encoding");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  struct hm_bytes in = hm_bytes(data, size);
  if (size > INPUT_MAX)
    return 0;
  if (hm_cbor_check(in) == HM_OK) {
    bool has_tag;
    write_again(in, &has_tag);
    if (!has_tag)
      load_elsewhere(in);
  }
  for (size_t i = 0; i < hm_object_count; i++)
    try_object(hm_object_table[i], in);
  return 0;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Members of a packet: one check of each limit, for reading and for writing.
 */
#include "sensors/gate_members.h"

enum hm_status hm_gate_read_uint(struct hm_gate_reader *r, const char *field, uint64_t min,
                                 uint64_t max, uint64_t *value)
{
  r->field = field;
  HM_TRY(hm_cbor_uint(&r->at, value));
  return *value >= min && *value <= max ? HM_OK : HM_MALFORMED;
}

enum hm_status hm_gate_read_fixed(struct hm_gate_reader *r, const char *field, uint8_t *out,
                                  size_t len)
{
  r->field = field;
  return hm_cbor_fixed(&r->at, out, len);
}

enum hm_status hm_gate_read_text(struct hm_gate_reader *r, const char *field, size_t min,
                                 size_t max, struct hm_bytes *text)
{
  r->field = field;
  HM_TRY(hm_cbor_tstr(&r->at, text));
  if (text->len > max)
    return HM_TOO_LARGE;
  return text->len >= min ? HM_OK : HM_MALFORMED;
}

enum hm_status hm_gate_read_list(struct hm_gate_reader *r, const char *field, size_t min,
                                 size_t max, uint32_t *count)
{
  size_t n = 0;

  r->field = field;
  HM_TRY(hm_cbor_array(&r->at, &n));
  if (n > max)
    return HM_TOO_LARGE;
  if (n < min)
    return HM_MALFORMED;
  *count = (uint32_t)n;
  return HM_OK;
}

enum hm_status hm_gate_read_contexts(struct hm_gate_reader *r, size_t min, uint32_t *count,
                                     uint16_t contexts[HM_GATE_CONTEXTS])
{
  uint64_t previous = 0;

  HM_TRY(hm_gate_read_list(r, "contexts", min, HM_GATE_CONTEXTS, count));
  for (uint32_t i = 0; i < *count; i++) {
    uint64_t context = 0;

    HM_TRY(hm_gate_read_uint(r, "contexts", previous + 1, UINT16_MAX, &context));
    contexts[i] = (uint16_t)context;
    previous = context;
  }
  return HM_OK;
}

/* Exactly len members of u16 in an array. */
enum hm_status hm_gate_read_numbers(struct hm_gate_reader *r, const char *field, uint64_t max,
                                    uint16_t *out, size_t len)
{
  uint32_t count = 0;

  HM_TRY(hm_gate_read_list(r, field, len, len, &count));
  for (size_t i = 0; i < len; i++) {
    uint64_t value = 0;

    HM_TRY(hm_gate_read_uint(r, field, 0, max, &value));
    out[i] = (uint16_t)value;
  }
  return HM_OK;
}

/* A byte string of min..max bytes, or nil: the empty view. */
enum hm_status hm_gate_read_bytes_or_nil(struct hm_gate_reader *r, const char *field, size_t min,
                                         size_t max, struct hm_bytes *out)
{
  bool nil = false;

  r->field = field;
  *out = hm_bytes(NULL, 0);
  HM_TRY(hm_cbor_nil(&r->at, &nil));
  if (nil)
    return HM_OK;
  HM_TRY(hm_cbor_bstr(&r->at, out));
  if (out->len > max)
    return HM_TOO_LARGE;
  return out->len >= min ? HM_OK : HM_MALFORMED;
}

/* ---- members, written ----------------------------------------------------------- */

enum hm_status hm_gate_outside(const char **field, const char *name)
{
  *field = name;
  return HM_MALFORMED;
}

/* What was put is read back: one rule of what text may hold, the reader's. */
enum hm_status hm_gate_put_text(struct hm_out *o, struct hm_bytes text, size_t min, size_t max,
                                const char *name, const char **field)
{
  size_t start = o->len;
  struct hm_cbor back;

  if (text.len < min || text.len > max)
    return hm_gate_outside(field, name);
  hm_cbor_put_tstr(o, text);
  if (hm_out_status(o) != HM_OK)
    return HM_OK; /* told at the end, with the size that is needed */
  back = hm_cbor(hm_bytes(o->data + start, o->len - start));
  return hm_cbor_tstr(&back, &text) == HM_OK ? HM_OK : hm_gate_outside(field, name);
}

enum hm_status hm_gate_put_contexts(struct hm_out *o, uint32_t count, uint32_t min,
                                    const uint16_t contexts[HM_GATE_CONTEXTS], const char **field)
{
  if (count < min || count > HM_GATE_CONTEXTS)
    return hm_gate_outside(field, "contexts");
  hm_cbor_put_array(o, count);
  for (uint32_t i = 0; i < count; i++) {
    if (contexts[i] <= (i > 0 ? contexts[i - 1] : 0))
      return hm_gate_outside(field, "contexts");
    hm_cbor_put_uint(o, contexts[i]);
  }
  return HM_OK;
}

void hm_gate_put_bytes_or_nil(struct hm_out *o, struct hm_bytes bytes)
{
  if (bytes.len > 0)
    hm_cbor_put_bstr(o, bytes);
  else
    hm_cbor_put_nil(o);
}

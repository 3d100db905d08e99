/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "trust/checkpoint.h"

#include "trust/fields.h"

/* ---- small parts ------------------------------------------------------------------------ */
static const struct hm_field tree_head_fields[] = {
    UINT_ROW(struct hm_tree_head, size, 0, "size", 0, HM_INT_MAX),
    FIXED_ROW(struct hm_tree_head, root, 0, "root-hash", 32),
};
const struct hm_shape hm_shape_tree_head = {"tree-head", HM_ARRAY, ROWS(tree_head_fields),
                                            sizeof(struct hm_tree_head)};

static const struct hm_field revocation_view_fields[] = {
    UINT_ROW(struct hm_revocation_view, highest, 0, "highest", 0, HM_INT_MAX),
    UINT_ROW(struct hm_revocation_view, heard, 0, "heard", 0, HM_SECONDS_MAX),
};
const struct hm_shape hm_shape_revocation_view = {
    "revocation-view", HM_ARRAY, ROWS(revocation_view_fields), sizeof(struct hm_revocation_view)};

/* ---- 65030 --------------------------------------------------------------------------------- */
#define HEAD struct hm_head
static const struct hm_field head_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    UINT_ROW(HEAD, quality, HM_L_QUALITY, "quality", HM_QUALITY_NONE, HM_QUALITY_AUTHORITY),
    OPT_FIXED(HEAD, previous, has_previous, HM_L_PREVIOUS, "previous", 32),
    SHAPE_ROW(HEAD, revocations, HM_L_REVOCATIONS, "revocations", &hm_shape_revocation_view),
    SHAPE_ROW(HEAD, data_tree, HM_L_DATA_TREE, "data-tree", &hm_shape_tree_head),
    FIXED_ROW(HEAD, live, HM_L_LIVE, "live", 32),
    LIST_ROW(HEAD, control_range.hash, control_range.count, 0, HM_L_CONTROL_RANGE, "control-range",
             0, HM_RANGE_MAX, &hm_shape_hash),
    LIST_ROW(HEAD, data_range.hash, data_range.count, 0, HM_L_DATA_RANGE, "data-range", 0,
             HM_RANGE_MAX, &hm_shape_hash),
};
static const struct hm_shape shape_head_body = {"head-body", HM_MAP, ROWS(head_body_fields),
                                                sizeof(HEAD)};
static const struct hm_field head_fields[] = {
    UINT_ROW(HEAD, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_head_body),
};
const struct hm_shape hm_shape_head = {"head", HM_MAP, ROWS(head_fields), sizeof(HEAD)};
static const struct hm_object_type type_head = {HM_TYP_HEAD, &hm_shape_head, NULL};

enum hm_status hm_head_make(const struct hm_crypto *c, const struct hm_signer *entity,
                            const HEAD *head, struct hm_out *out)
{
  return hm_object_make(c, entity, &type_head, head, out);
}

enum hm_status hm_head_open(const struct hm_crypto *c, struct hm_bytes object,
                            const uint8_t entity[64], HEAD *head, uint8_t name[32])
{
  return hm_object_open(c, object, &type_head, entity, head, NULL, name);
}

/* ---- 65022 ------------------------------------------------------------------------------------
 */
#define CHECKPOINT struct hm_checkpoint
static const struct hm_field checkpoint_body_fields[] = {
    CONST_ROW(HM_L_VER, "ver", HM_PROFILE),
    OPT_SHAPE(CHECKPOINT, revocations, has_revocations, HM_L_REVOCATIONS, "revocations",
              &hm_shape_revocation_view),
    SHAPE_ROW(CHECKPOINT, control_tree, HM_L_CONTROL_TREE, "control-tree", &hm_shape_tree_head),
};
static const struct hm_shape shape_checkpoint_body = {
    "checkpoint-body", HM_MAP, ROWS(checkpoint_body_fields), sizeof(CHECKPOINT)};
static const struct hm_field checkpoint_fields[] = {
    UINT_ROW(CHECKPOINT, iat, HM_CWT_IAT, "iat", 0, HM_SECONDS_MAX),
    FLAT_ROW(HM_CWT_OURS, "ours", &shape_checkpoint_body),
};
const struct hm_shape hm_shape_checkpoint = {"checkpoint", HM_MAP, ROWS(checkpoint_fields),
                                             sizeof(CHECKPOINT)};

static enum hm_status checkpoint_rules(const void *value)
{
  const CHECKPOINT *c = value;
  return c->control_tree.size > 0 ? HM_OK : HM_MALFORMED;
}
static const struct hm_object_type type_checkpoint = {HM_TYP_CHECKPOINT, &hm_shape_checkpoint,
                                                      checkpoint_rules};

enum hm_status hm_checkpoint_make(const struct hm_crypto *c, const struct hm_signer *entity,
                                  const CHECKPOINT *checkpoint, struct hm_out *out)
{
  return hm_object_make(c, entity, &type_checkpoint, checkpoint, out);
}

enum hm_status hm_checkpoint_open(const struct hm_crypto *c, struct hm_bytes object,
                                  const uint8_t entity[64], CHECKPOINT *checkpoint,
                                  uint8_t name[32])
{
  return hm_object_open(c, object, &type_checkpoint, entity, checkpoint, NULL, name);
}

/* len bytes in groups of bits, most significant first. */
static void put_radix(struct hm_out *out, const uint8_t *data, size_t len, unsigned bits,
                      const char *alphabet)
{
  uint32_t held = 0;
  unsigned have = 0;
  for (size_t i = 0; i < len; i++) {
    held = (held << 8 | data[i]) & 0xffffu;
    have += 8;
    while (have >= bits) {
      have -= bits;
      hm_out_put(out, &alphabet[(held >> have) & ((1u << bits) - 1)], 1);
    }
  }
  if (have > 0)
    hm_out_put(out, &alphabet[(held << (bits - have)) & ((1u << bits) - 1)], 1);
}

static void put_decimal(struct hm_out *out, uint64_t value)
{
  char digits[20];
  size_t n = 0;
  do
    digits[n++] = (char)('0' + value % 10);
  while ((value /= 10) > 0);
  while (n > 0)
    hm_out_put(out, &digits[--n], 1);
}

enum hm_status hm_checkpoint_text(const uint8_t kid[32], const struct hm_tree_head *tree,
                                  struct hm_out *out)
{
  static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  hm_out_put(out, "hallmark/", 9);
  put_radix(out, kid, 32, 5, "abcdefghijklmnopqrstuvwxyz234567");
  hm_out_put(out, "\n", 1);
  put_decimal(out, tree->size);
  hm_out_put(out, "\n", 1);
  put_radix(out, tree->root, 32, 6, base64);
  hm_out_put(out, "=\n", 2);
  return hm_out_status(out);
}

/* ---- live set
 * ------------------------------------------------------------------------------------ */
#define LIVE struct hm_live_pairing
static const struct hm_field live_fields[] = {
    FIXED_ROW(LIVE, entity, 0, "entity", 32),
    UINT_ROW(LIVE, context, 0, "context", 1, 65535),
    FIXED_ROW(LIVE, certificate, 0, "certificate", 32),
    UINT_ROW(LIVE, control, 0, "control", 1, HM_INT_MAX),
};
const struct hm_shape hm_shape_live_pairing = {"live-pairing", HM_ARRAY, ROWS(live_fields),
                                               sizeof(LIVE)};

int hm_live_compare(const LIVE *a, const LIVE *b)
{
  int order = memcmp(a->entity, b->entity, 32);
  if (order == 0 && a->context != b->context)
    order = a->context < b->context ? -1 : 1;
  if (order == 0)
    order = memcmp(a->certificate, b->certificate, 32);
  if (order == 0 && a->control != b->control)
    order = a->control < b->control ? -1 : 1;
  return order;
}

enum hm_status hm_live_encode(const LIVE *pairings, size_t count, struct hm_out *out)
{
  if (count > HM_LIVE_MAX)
    return HM_TOO_LARGE;
  hm_cbor_put_array(out, count);
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && hm_live_compare(&pairings[i - 1], &pairings[i]) >= 0)
      return HM_MALFORMED;
    enum hm_status status = hm_encode(&hm_shape_live_pairing, &pairings[i], out, NULL);
    if (status != HM_OK && status != HM_SHORT_BUFFER)
      return status;
  }
  return hm_out_status(out);
}

enum hm_status hm_live_begin(struct hm_bytes set, struct hm_live_cursor *cursor)
{
  cursor->c = hm_cbor(set);
  HM_TRY(hm_cbor_array(&cursor->c, &cursor->left));
  return cursor->left <= HM_LIVE_MAX ? HM_OK : HM_TOO_LARGE;
}

enum hm_status hm_live_next(struct hm_live_cursor *cursor, LIVE *pairing)
{
  if (cursor->left == 0)
    return hm_cbor_at_end(&cursor->c) ? HM_NOT_FOUND : HM_MALFORMED;
  HM_TRY(hm_decode_next(&hm_shape_live_pairing, &cursor->c, pairing, NULL));
  cursor->left--;
  return HM_OK;
}

enum hm_status hm_live_check(struct hm_bytes set, size_t *count)
{
  struct hm_live_cursor cursor;
  LIVE now, before;
  enum hm_status status;
  if (set.len > HM_LIVE_BYTES_MAX)
    return HM_TOO_LARGE;
  HM_TRY(hm_live_begin(set, &cursor));
  *count = 0;
  while ((status = hm_live_next(&cursor, &now)) == HM_OK) {
    if (*count > 0 && hm_live_compare(&before, &now) >= 0)
      return HM_NOT_DETERMINISTIC;
    before = now;
    ++*count;
  }
  return status == HM_NOT_FOUND ? HM_OK : status;
}

/* ---- control entry
 * ---------------------------------------------------------------------------------- */
#define ENTRY struct hm_control_entry
static const struct hm_field attached_fields[] = {
    {.name = "object", .kind = HM_BSTR, .min = 80, .max = 8192},
};
static const struct hm_shape shape_attached = {"attachment", HM_ITEM, ROWS(attached_fields),
                                               sizeof(struct hm_bytes)};
static const struct hm_field entry_fields[] = {
    STRING_ROW(ENTRY, object, HM_BSTR, 0, "object", 80, HM_SIGN1_MAX),
    LIST_ROW(ENTRY, attached, attached_count, 0, 0, "attached", 0, HM_ATTACHED_MAX,
             &shape_attached),
};
const struct hm_shape hm_shape_control_entry = {"control-entry", HM_ARRAY, ROWS(entry_fields),
                                                sizeof(ENTRY)};

/* Kind of a receipt, 0 where it is none. */
static uint64_t receipt_kind(const struct hm_sign1 *s)
{
  struct hm_receipt receipt;
  if (s->typ != HM_TYP_RECEIPT || hm_decode(&hm_shape_receipt, s->payload, &receipt, NULL) != HM_OK)
    return 0;
  return receipt.kind;
}

enum hm_status hm_control_entry_check(const ENTRY *entry)
{
  struct hm_sign1 s;
  uint32_t wanted = 0;
  HM_TRY(hm_sign1_parse(entry->object, false, &s));
  if (s.typ == HM_TYP_BINDING || s.typ == HM_TYP_PAIRING)
    wanted = 1;
  else if (receipt_kind(&s) == HM_RECEIPT_COMPLETION)
    wanted = 2;
  return entry->attached_count == wanted ? HM_OK : HM_MALFORMED;
}

enum hm_status hm_control_entry_decode(struct hm_bytes item, ENTRY *entry)
{
  HM_TRY(hm_decode(&hm_shape_control_entry, item, entry, NULL));
  return hm_control_entry_check(entry);
}

enum hm_status hm_control_entry_encode(const ENTRY *entry, struct hm_out *out)
{
  HM_TRY(hm_control_entry_check(entry));
  return hm_encode(&hm_shape_control_entry, entry, out, NULL);
}

const char *hm_control_entry_kind(struct hm_bytes object)
{
  struct hm_sign1 s;
  if (hm_sign1_parse(object, false, &s) != HM_OK)
    return "unknown";
  const char *kind = hm_code_name(&hm_receipt_kinds, receipt_kind(&s));
  if (kind != NULL)
    return kind;
  const struct hm_typ_row *row = hm_typ_row(s.typ);
  return row != NULL ? row->name : "unknown";
}

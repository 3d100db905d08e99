/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The file as a sequence of items: each decoded by its table, in order, none twice,
 * their number as the head says, nothing after the last. Whatever fails here is a
 * malformed file. Only what is looked up later is remembered, one row an item.
 */
#include "trust/fields.h"
#include "trust/proof_state.h"

/* ---- shapes --------------------------------------------------------------------------- */
enum { PROOF_FORMAT = 1 };

#define ITEM_ROW(number) CONST_ROW(0, "item", (number))
#define WAY_ROW(T, m, n) LIST_ROW(T, m.hash, m.count, 0, 0, n, 0, HM_PATH_MAX, &hm_shape_hash)

static const struct hm_field head_fields[] = {
    ITEM_ROW(HM_ITEM_HEAD),
    {.name = "magic", .kind = HM_TEXT, .text = "hallmark proof"},
    CONST_ROW(0, "format", PROOF_FORMAT),
    UINT_ROW(struct hm_hmk_head, what, 0, "what", HM_PROOF_RECORDS, HM_PROOF_INCIDENT),
    UINT_ROW(struct hm_hmk_head, items, 0, "items", 1, HM_PROOF_ITEMS_MAX - 1),
};
const struct hm_shape hm_shape_hmk_head = {"hmk-head", HM_ARRAY, ROWS(head_fields),
                                           sizeof(struct hm_hmk_head)};

static const struct hm_field checkpoint_fields[] = {
    ITEM_ROW(HM_ITEM_CHECKPOINT),
    STRING_ROW(struct hm_hmk_checkpoint, object, HM_BSTR, 0, "object", 80, HM_SIGN1_MAX),
};
const struct hm_shape hm_shape_hmk_checkpoint = {
    "hmk-checkpoint", HM_ARRAY, ROWS(checkpoint_fields), sizeof(struct hm_hmk_checkpoint)};

static const struct hm_field attached_fields[] = {
    {.name = "object", .kind = HM_BSTR, .min = 80, .max = 8192},
};
static const struct hm_shape shape_attached = {"attachment", HM_ITEM, ROWS(attached_fields),
                                               sizeof(struct hm_bytes)};
#define ENTRY struct hm_hmk_entry
static const struct hm_field entry_fields[] = {
    ITEM_ROW(HM_ITEM_ENTRY),
    UINT_ROW(ENTRY, control, 0, "control", 1, HM_INT_MAX),
    STRING_ROW(ENTRY, object, HM_BSTR, 0, "object", 80, HM_SIGN1_MAX),
    {.name = "way",
     .kind = HM_LIST,
     .flags = HM_NIL_OK,
     .at = offsetof(ENTRY, way.hash),
     .has_at = offsetof(ENTRY, has_way),
     .count_at = offsetof(ENTRY, way.count),
     .max = HM_PATH_MAX,
     .of = &hm_shape_hash},
    LIST_ROW(ENTRY, attached, attached_count, 0, 0, "attached", 0, HM_ATTACHED_MAX,
             &shape_attached),
};
const struct hm_shape hm_shape_hmk_entry = {"hmk-entry", HM_ARRAY, ROWS(entry_fields),
                                            sizeof(ENTRY)};

static const struct hm_field leaf_fields[] = {
    {.name = "leaf", .kind = HM_BSTR, .min = 32, .max = 1024},
};
static const struct hm_shape shape_leaf = {"leaf", HM_ITEM, ROWS(leaf_fields),
                                           sizeof(struct hm_bytes)};
#define BATCH struct hm_hmk_batch
static const struct hm_field batch_fields[] = {
    ITEM_ROW(HM_ITEM_BATCH),
    STRING_ROW(BATCH, object, HM_BSTR, 0, "object", 80, HM_BATCH_PROOF_MAX),
    WAY_ROW(BATCH, way, "way"),
    STRING_ROW(BATCH, facts, HM_BSTR, 0, "facts", 32, 512),
    LIST_ROW(BATCH, leaves, leaf_count, 0, 0, "leaves", 0, HM_BATCH_SENSORS, &shape_leaf),
};
const struct hm_shape hm_shape_hmk_batch = {"hmk-batch", HM_ARRAY, ROWS(batch_fields),
                                            sizeof(BATCH)};

static const struct hm_field opening_fields[] = {
    FIXED_ROW(struct hm_hmk_opening, salt, 0, "salt", 16),
    STRING_ROW(struct hm_hmk_opening, content, HM_BSTR, 0, "content", 1, HM_OPENING_MAX),
};
static const struct hm_shape shape_opening = {"opening", HM_ARRAY, ROWS(opening_fields),
                                              sizeof(struct hm_hmk_opening)};
#define OPENING_ROW(m, has, n)                                                                     \
  {                                                                                                \
    .name = (n), .kind = HM_SHAPE, .flags = HM_NIL_OK, .at = offsetof(struct hm_hmk_record, m),    \
    .has_at = offsetof(struct hm_hmk_record, has), .of = &shape_opening                            \
  }
static const struct hm_field record_fields[] = {
    ITEM_ROW(HM_ITEM_RECORD),
    STRING_ROW(struct hm_hmk_record, record, HM_BSTR, 0, "record", 32, HM_RECORD_MAX),
    OPENING_ROW(picture, has_picture, "picture"),
    OPENING_ROW(vector, has_vector, "vector"),
};
const struct hm_shape hm_shape_hmk_record = {"hmk-record", HM_ARRAY, ROWS(record_fields),
                                             sizeof(struct hm_hmk_record)};

static const struct hm_field witness_fields[] = {
    ITEM_ROW(HM_ITEM_WITNESS),
    STRING_ROW(struct hm_hmk_witness, object, HM_BSTR, 0, "object", 80, HM_SIGN1_MAX),
    UINT_ROW(struct hm_hmk_witness, binding, 0, "binding-number", 1, HM_INT_MAX),
};
const struct hm_shape hm_shape_hmk_witness = {"hmk-witness", HM_ARRAY, ROWS(witness_fields),
                                              sizeof(struct hm_hmk_witness)};

#define LINK struct hm_hmk_link
static const struct hm_field link_fields[] = {
    ITEM_ROW(HM_ITEM_LINK),
    STRING_ROW(LINK, object, HM_BSTR, 0, "object", 80, HM_SIGN1_MAX),
    WAY_ROW(LINK, control_way, "control-way"),
    WAY_ROW(LINK, data_way, "data-way"),
};
const struct hm_shape hm_shape_hmk_link = {"hmk-link", HM_ARRAY, ROWS(link_fields), sizeof(LINK)};

static const struct hm_field live_fields[] = {
    ITEM_ROW(HM_ITEM_LIVE),
    UINT_ROW(struct hm_hmk_live, control, 0, "control", 1, HM_INT_MAX),
    STRING_ROW(struct hm_hmk_live, set, HM_BSTR, 0, "set", 1, HM_LIVE_BYTES_MAX),
};
const struct hm_shape hm_shape_hmk_live = {"hmk-live", HM_ARRAY, ROWS(live_fields),
                                           sizeof(struct hm_hmk_live)};

static const struct hm_shape *const item_shapes[HM_PROOF_ITEM_KINDS] = {
    [HM_ITEM_CHECKPOINT] = &hm_shape_hmk_checkpoint,
    [HM_ITEM_ENTRY] = &hm_shape_hmk_entry,
    [HM_ITEM_BATCH] = &hm_shape_hmk_batch,
    [HM_ITEM_RECORD] = &hm_shape_hmk_record,
    [HM_ITEM_WITNESS] = &hm_shape_hmk_witness,
    [HM_ITEM_LINK] = &hm_shape_hmk_link,
    [HM_ITEM_LIVE] = &hm_shape_hmk_live};

union item {
  struct hm_hmk_checkpoint checkpoint;
  struct hm_hmk_entry entry;
  struct hm_hmk_batch batch;
  struct hm_hmk_record record;
  struct hm_hmk_witness witness;
  struct hm_hmk_link link;
  struct hm_hmk_live live;
};

/* ---- one item after the other -------------------------------------------------------------- */
struct reader {
  struct hm_cbor c;
  size_t item; /* position, 0 = the head */
  size_t items;
  size_t at; /* where the current item begins */
  struct hm_where where;
  const char *sentence;
};

static enum hm_status no(struct reader *r, enum hm_status status, const char *sentence)
{
  if (r->sentence == NULL)
    r->sentence = sentence;
  return status;
}

/* The other two kinds of file have longer heads: known, and refused by name. */
static bool is_other_what(struct hm_cbor c)
{
  size_t count;
  uint64_t item, format, what;
  struct hm_bytes magic;
  return hm_cbor_array(&c, &count) == HM_OK && count == 7 && hm_cbor_uint(&c, &item) == HM_OK &&
         item == HM_ITEM_HEAD && hm_cbor_tstr(&c, &magic) == HM_OK &&
         hm_bytes_equal(magic, hm_bytes("hallmark proof", 14)) &&
         hm_cbor_uint(&c, &format) == HM_OK && format == PROOF_FORMAT &&
         hm_cbor_uint(&c, &what) == HM_OK && (what == HM_PROOF_AUDIT || what == HM_PROOF_INCIDENT);
}

static enum hm_status read_head(struct reader *r, struct hm_bytes file)
{
  struct hm_hmk_head head;
  memset(r, 0, sizeof *r);
  r->c = hm_cbor(file);
  if (file.len > HM_PROOF_FILE_MAX)
    return no(r, HM_TOO_LARGE, "a proof file has at most 64 MiB");
  if (is_other_what(r->c))
    return no(r, HM_UNSUPPORTED, "audit and incident files are not read by this release");
  enum hm_status status = hm_decode_next(&hm_shape_hmk_head, &r->c, &head, &r->where);
  if (status != HM_OK)
    return no(r, status, "not the head of a proof file");
  if (head.what != HM_PROOF_RECORDS)
    return no(r, HM_MALFORMED, "the head of another kind of file");
  r->items = (size_t)head.items;
  return HM_OK;
}

static enum hm_status read_item(struct reader *r, unsigned *kind, union item *item)
{
  struct hm_cbor ahead = r->c;
  size_t count;
  uint64_t number;
  r->at = r->c.at;
  r->item++;
  if (hm_cbor_at_end(&r->c))
    return no(r, HM_TRUNCATED, "fewer items than the head counts");
  enum hm_status status = hm_cbor_array(&ahead, &count);
  if (status == HM_OK)
    status = hm_cbor_uint(&ahead, &number);
  if (status != HM_OK)
    return no(r, status, "not an item");
  if (number >= HM_PROOF_ITEM_KINDS || item_shapes[number] == NULL)
    return no(r, HM_MALFORMED, "no such item in a proof");
  *kind = (unsigned)number;
  status = hm_decode_next(item_shapes[number], &r->c, item, &r->where);
  return status == HM_OK ? HM_OK : no(r, status, "an item is not what its table says");
}

static enum hm_status read_end(struct reader *r)
{
  r->at = r->c.at;
  return hm_cbor_at_end(&r->c) ? HM_OK : no(r, HM_MALFORMED, "bytes follow the last item");
}

static void fill_fault(const struct reader *r, struct hm_proof_fault *fault)
{
  if (fault != NULL)
    *fault = (struct hm_proof_fault){r->at, r->item, r->where.field, r->sentence};
}

/* ---- how much scratch ---------------------------------------------------------------------- */
enum { ALIGNED = 16 };

static size_t aligned(size_t bytes)
{
  return (bytes + ALIGNED - 1) / ALIGNED * ALIGNED;
}

static size_t slot_bytes(void)
{
  size_t entity = aligned(sizeof(struct hm_entity)), pairing = aligned(sizeof(struct hm_pairing));
  return entity > pairing ? entity : pairing;
}

static enum hm_status count_items(struct reader *r, struct hm_bytes file, size_t *bytes)
{
  union item item;
  unsigned kind;
  size_t entries = 0;
  HM_TRY(read_head(r, file));
  for (size_t i = 0; i < r->items; i++) {
    HM_TRY(read_item(r, &kind, &item));
    entries += kind == HM_ITEM_ENTRY;
    if (entries > HM_PROOF_SIGNATURES_MAX)
      return no(r, HM_TOO_LARGE, "more than 4,096 signatures");
  }
  HM_TRY(read_end(r));
  *bytes = aligned(r->items * sizeof(struct hm_proof_row)) + entries * slot_bytes();
  return HM_OK;
}

enum hm_status hm_proof_scratch(struct hm_bytes file, size_t *bytes, struct hm_proof_fault *fault)
{
  struct reader r;
  enum hm_status status = count_items(&r, file, bytes);
  if (status != HM_OK)
    fill_fault(&r, fault);
  return status;
}

/* ---- rows
 * ---------------------------------------------------------------------------------------- */
static enum hm_status row_of_object(struct hm_proof_state *p, struct hm_bytes object,
                                    struct hm_proof_row *row)
{
  struct hm_sign1 s;
  HM_TRY(hm_sign1_parse(object, false, &s));
  row->typ = s.typ;
  return hm_sign1_name(p->c, &s, s.payload, row->name);
}

static enum hm_status row_of_entry(struct hm_proof_state *p, const struct hm_hmk_entry *entry,
                                   struct hm_proof_row *row)
{
  struct hm_control_entry control = {entry->object, entry->attached_count, {{NULL, 0}}};
  memcpy(control.attached, entry->attached, sizeof control.attached);
  row->number = entry->control;
  if (!entry->has_way)
    return HM_MALFORMED;
  HM_TRY(hm_control_entry_check(&control));
  return row_of_object(p, entry->object, row);
}

static enum hm_status row_of_batch(const struct hm_hmk_batch *batch, struct hm_proof_row *row)
{
  struct hm_sign1 s;
  struct hm_batch_claims claims;
  HM_TRY(hm_batch_peek(batch->object, true, &s, &claims));
  row->typ = s.typ;
  row->number = claims.number;
  memcpy(row->key, s.kid, sizeof row->key);
  return HM_OK;
}

static enum hm_status row_of_record(const struct hm_hmk_record *item, struct hm_proof_row *row,
                                    struct hm_where *where)
{
  struct hm_record record;
  HM_TRY(hm_record_decode(item->record, &record, where));
  row->number = record.number;
  return HM_OK;
}

static enum hm_status row_of_link(struct hm_proof_state *p, const struct hm_hmk_link *link,
                                  struct hm_proof_row *row)
{
  struct hm_checkpoint checkpoint;
  HM_TRY(row_of_object(p, link->object, row));
  HM_TRY(hm_checkpoint_open(p->c, link->object, NULL, &checkpoint, NULL));
  row->number = checkpoint.control_tree.size;
  return HM_OK;
}

static enum hm_status make_row(struct hm_proof_state *p, struct reader *r, unsigned kind,
                               const union item *item, struct hm_proof_row *row)
{
  *row = (struct hm_proof_row){
      .at = (uint32_t)r->at, .len = (uint32_t)(r->c.at - r->at), .item = (uint8_t)kind};
  switch (kind) {
  case HM_ITEM_CHECKPOINT:
    return row_of_object(p, item->checkpoint.object, row);
  case HM_ITEM_ENTRY:
    return row_of_entry(p, &item->entry, row);
  case HM_ITEM_BATCH:
    return row_of_batch(&item->batch, row);
  case HM_ITEM_RECORD:
    return row_of_record(&item->record, row, &r->where);
  case HM_ITEM_WITNESS:
    return row_of_object(p, item->witness.object, row);
  case HM_ITEM_LINK:
    return row_of_link(p, &item->link, row);
  default:
    row->number = item->live.control;
    return HM_OK;
  }
}

/* Strictly ascending by (item, number), witnesses by name; so one checkpoint only. */
static bool is_after(const struct hm_proof_row *a, const struct hm_proof_row *b)
{
  if (a->item != b->item)
    return b->item > a->item;
  if (a->item == HM_ITEM_WITNESS)
    return memcmp(b->name, a->name, sizeof a->name) > 0;
  return b->number > a->number;
}

static enum hm_status read_rows(struct hm_proof_state *p, struct reader *r)
{
  union item item;
  unsigned kind;
  for (size_t i = 0; i < r->items; i++) {
    struct hm_proof_row *row = &p->rows[i];
    HM_TRY(read_item(r, &kind, &item));
    enum hm_status status = make_row(p, r, kind, &item, row);
    if (status != HM_OK)
      return no(r, status, "an object is not what its type says");
    if (i > 0 && !is_after(&p->rows[i - 1], row))
      return no(r, HM_NOT_DETERMINISTIC, "items do not ascend, or one is there twice");
    if (p->of[kind].end == 0)
      p->of[kind].begin = i;
    p->of[kind].end = i + 1;
    p->count = i + 1;
  }
  HM_TRY(read_end(r));
  static const enum hm_proof_item needed[] = {HM_ITEM_CHECKPOINT, HM_ITEM_ENTRY, HM_ITEM_BATCH,
                                              HM_ITEM_RECORD};
  for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++)
    if (p->of[needed[i]].end == 0)
      return no(r, HM_MALFORMED, "a checkpoint, an entry, a batch and a record must be there");
  return HM_OK;
}

enum hm_status hm_proof_read(struct hm_proof_state *p)
{
  struct reader r;
  size_t bytes;
  enum hm_status status = count_items(&r, p->in->file, &bytes);
  if (status == HM_OK) {
    if (p->in->scratch_len < bytes || (uintptr_t)p->in->scratch % ALIGNED != 0)
      return HM_SHORT_BUFFER;
    size_t rows = aligned(r.items * sizeof(struct hm_proof_row));
    p->rows = p->in->scratch;
    p->free = (uint8_t *)p->in->scratch + rows;
    p->left = bytes - rows;
    status = read_head(&r, p->in->file);
  }
  if (status == HM_OK)
    status = read_rows(p, &r);
  if (status == HM_OK)
    return HM_OK;
  fill_fault(&r, p->fault);
  if (hm_status_row(status)->exit_code == 6)
    return status;
  struct hm_proof_step step = hm_proof_ok(HM_LINK_FILE, 0, r.item, 0, r.sentence);
  return hm_proof_not_intact(p, step);
}

/* ---- lookups
 * ---------------------------------------------------------------------------------------- */
struct hm_proof_row *hm_proof_item(struct hm_proof_state *p, enum hm_proof_item item,
                                   uint64_t number)
{
  size_t low = p->of[item].begin, high = p->of[item].end;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (p->rows[middle].number == number)
      return &p->rows[middle];
    if (p->rows[middle].number < number)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

struct hm_proof_row *hm_proof_entry(struct hm_proof_state *p, uint64_t number)
{
  return hm_proof_item(p, HM_ITEM_ENTRY, number);
}

struct hm_proof_row *hm_proof_find(struct hm_proof_state *p, uint16_t typ, const uint8_t key[32],
                                   uint64_t below)
{
  for (size_t i = p->of[HM_ITEM_ENTRY].end; i > p->of[HM_ITEM_ENTRY].begin; i--) {
    struct hm_proof_row *row = &p->rows[i - 1];
    if (row->number < below && row->typ == typ && row->kind == 0 &&
        memcmp(row->key, key, sizeof row->key) == 0)
      return row;
  }
  return NULL;
}

struct hm_proof_row *hm_proof_completion(struct hm_proof_state *p, const uint8_t pairing[32],
                                         uint64_t upto)
{
  for (size_t i = p->of[HM_ITEM_ENTRY].begin; i < p->of[HM_ITEM_ENTRY].end; i++) {
    struct hm_proof_row *row = &p->rows[i];
    if (row->number <= upto && row->typ == HM_TYP_RECEIPT && row->kind == HM_RECEIPT_COMPLETION &&
        memcmp(row->key, pairing, sizeof row->key) == 0)
      return row;
  }
  return NULL;
}

enum hm_status hm_proof_object(const struct hm_proof_state *p, const struct hm_proof_row *row,
                               struct hm_bytes *object)
{
  union item item;
  if (item_shapes[row->item] == NULL)
    return HM_STATE;
  HM_TRY(hm_decode(item_shapes[row->item], hm_proof_bytes(p, row), &item, NULL));
  switch (row->item) {
  case HM_ITEM_CHECKPOINT:
    *object = item.checkpoint.object;
    return HM_OK;
  case HM_ITEM_ENTRY:
    *object = item.entry.object;
    return HM_OK;
  case HM_ITEM_BATCH:
    *object = item.batch.object;
    return HM_OK;
  case HM_ITEM_WITNESS:
    *object = item.witness.object;
    return HM_OK;
  case HM_ITEM_LINK:
    *object = item.link.object;
    return HM_OK;
  default:
    return HM_STATE;
  }
}

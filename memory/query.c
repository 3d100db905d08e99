/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A linear scan. Hits are kept sorted in the order of the answer and cut at k, so
 * a run needs the same memory however many records there are.
 */
#include "memory/query.h"

#include <stdlib.h>

uint64_t hm_query_distance(const int8_t *a, const int8_t *b, size_t dimension)
{
  uint64_t sum = 0;
  for (size_t i = 0; i < dimension; i++) {
    int32_t d = a[i] - b[i];
    sum += (uint64_t)(d * d);
  }
  return sum;
}

static bool is_zero(const uint8_t *bytes, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if (bytes[i])
      return false;
  return true;
}

enum hm_status hm_query_begin(struct hm_store *store, const struct hm_query *query,
                              struct hm_query_run *run)
{
  struct hm_store_sizes sizes;
  if (query->k < 1 || query->k > HM_QUERY_HITS_MAX || query->trust_least > 256 ||
      query->value_least > 256)
    return HM_MALFORMED;
  if (query->like.len > 0 && (!query->has_encoder || query->like.len > HM_VECTOR_MAX ||
                              is_zero(query->like.data, query->like.len)))
    return HM_MALFORMED;
  memset(run, 0, sizeof *run);
  run->store = store;
  run->query = *query;
  if (query->like.len > 0)
    memcpy(run->like, query->like.data, query->like.len);
  run->query.like.data = NULL; /* the copy counts */
  hm_store_sizes(store, &sizes);
  run->first = query->after < UINT64_MAX ? query->after + 1 : UINT64_MAX;
  run->last = sizes.records;
  if (query->before > 0 && query->before - 1 < run->last)
    run->last = query->before - 1;
  run->is_done = run->first > run->last;
  return HM_OK;
}

/* ---- one record ------------------------------------------------------------------ */
static bool has_context(const struct hm_record *r, uint64_t context)
{
  for (uint32_t i = 0; i < r->pairing_count; i++)
    if (r->pairings[i].context == context)
      return true;
  return false;
}

static bool passes(const struct hm_query *q, const struct hm_record *r, const struct hm_hit *hit)
{
  return (!q->has_sensor || memcmp(q->sensor, r->sensor.lct, 32) == 0) &&
         (q->context == 0 || has_context(r, q->context)) && r->arrival_ns >= q->since_ns &&
         (q->until_ns == 0 || r->arrival_ns < q->until_ns) && hit->trust >= q->trust_least &&
         hit->value >= q->value_least && (q->levels == 0 || (q->levels >> r->level & 1)) &&
         (q->types == 0 || (q->types >> r->type & 1));
}

/* Encoder and distance; false where the record is not in the query's space. */
static bool measure(struct hm_query_run *run, const struct hm_stored_record *stored,
                    const struct hm_record *r, struct hm_hit *hit)
{
  const struct hm_query *q = &run->query;
  if (!q->has_encoder)
    return true;
  if (!r->has_vector)
    return false;
  if (memcmp(q->encoder, r->encoder, 32)) {
    run->other_encoder++;
    return false;
  }
  if (q->like.len == 0)
    return true;
  if (!stored->vector.is_there)
    return false; /* erased */
  if (stored->vector.content.len != q->like.len) {
    run->wrong_length++;
    return false;
  }
  hit->distance =
      hm_query_distance(run->like, (const int8_t *)stored->vector.content.data, q->like.len);
  return true;
}

static bool goes_before(const struct hm_query *q, const struct hm_hit *a, const struct hm_hit *b)
{
  if (a->distance != b->distance)
    return a->distance < b->distance;
  return q->newest_first && q->like.len == 0 ? a->number > b->number : a->number < b->number;
}

static void keep(struct hm_query_run *run, const struct hm_hit *hit)
{
  uint32_t at = run->count;
  while (at > 0 && goes_before(&run->query, hit, &run->hits[at - 1]))
    at--;
  if (at == run->query.k)
    return;
  uint32_t end = run->count < run->query.k ? run->count++ : run->query.k - 1;
  memmove(&run->hits[at + 1], &run->hits[at], (end - at) * sizeof *run->hits);
  run->hits[at] = *hit;
}

/* An hm_record_visit. */
static enum hm_status look(void *context, const struct hm_stored_record *stored)
{
  struct hm_query_run *run = context;
  struct hm_record record;
  if (hm_record_decode(stored->record, &record, NULL) != HM_OK)
    return HM_DAMAGED;
  struct hm_hit hit = {.number = stored->number, .arrival_ns = record.arrival_ns};
  if (record.has_trust)
    hit.trust = hm_trust_fold(record.trust);
  if (record.has_value)
    hit.value = (unsigned)hm_value_mean(record.value).q8;
  run->scanned++;
  if (passes(&run->query, &record, &hit) && measure(run, stored, &record, &hit))
    keep(run, &hit);
  return HM_OK;
}

/* ---- steps ----------------------------------------------------------------------- */
enum hm_status hm_query_step(struct hm_query_run *run)
{
  if (run->is_done)
    return HM_OK;
  bool by_number = run->query.like.len == 0;
  uint64_t left = run->last - run->first + 1;
  uint64_t count = left < HM_SCAN_MAX ? left : HM_SCAN_MAX;
  bool down = by_number && run->query.newest_first;
  uint64_t from = down ? run->last - count + 1 : run->first;
  enum hm_status status = hm_store_scan(run->store, from, count, look, run);
  if (down)
    run->last -= count;
  else
    run->first += count;
  run->is_done =
      status != HM_OK || run->first > run->last || (by_number && run->count == run->query.k);
  return status;
}

enum hm_status hm_query_all(struct hm_store *store, const struct hm_query *query,
                            struct hm_query_run *run)
{
  HM_TRY(hm_query_begin(store, query, run));
  while (!run->is_done)
    HM_TRY(hm_query_step(run));
  return HM_OK;
}

enum hm_status hm_query_vector(struct hm_store *store, uint64_t record, uint8_t encoder[32],
                               uint8_t *vector, size_t *len)
{
  uint8_t *buffer = malloc(HM_STORED_RECORD_MAX);
  struct hm_stored_record stored;
  struct hm_record decoded;
  if (!buffer)
    return HM_IO;
  enum hm_status status = hm_store_record(store, record, buffer, HM_STORED_RECORD_MAX, &stored);
  if (status == HM_OK && hm_record_decode(stored.record, &decoded, NULL) != HM_OK)
    status = HM_DAMAGED;
  if (status == HM_OK &&
      (!decoded.has_vector || !stored.vector.is_there || stored.vector.content.len > HM_VECTOR_MAX))
    status = HM_NOT_FOUND;
  if (status == HM_OK) {
    memcpy(encoder, decoded.encoder, 32);
    *len = stored.vector.content.len;
    memcpy(vector, stored.vector.content.data, *len);
  }
  free(buffer);
  return status;
}

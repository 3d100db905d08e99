/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Asking the data log: filters first, then the nearest by vector, exact.
 *
 * A query runs in steps of at most HM_SCAN_MAX records, one short read transaction
 * each, so that a main loop stays free between them. It sees the records that were
 * durable when it began. Distance is the sum of squared differences of the int8
 * vectors: an integer, 0 for equal ones; ties go by number. Memories of another
 * encoder are never compared, only counted. There are as many hits as exist, up to k.
 */
#ifndef HM_MEMORY_QUERY_H
#define HM_MEMORY_QUERY_H

#include "memory/store.h"
#include "trust/observation.h"

enum { HM_QUERY_HITS_MAX = 500, HM_VECTOR_MAX = 4096 };

/* Zero everywhere asks for all. */
struct hm_query {
  bool has_sensor;
  uint8_t sensor[32];   /* LCT id */
  uint64_t context;     /* one of its pairings is for it */
  uint64_t since_ns;    /* arrival at or after */
  uint64_t until_ns;    /* arrival before; 0 = no end */
  unsigned trust_least; /* Q8; records without trust do not pass one above 0 */
  unsigned value_least; /* Q8 of the mean of its parts */
  uint32_t levels;      /* bit n = level n; 0 = any */
  uint32_t types;       /* bit n = enum hm_record_type n; 0 = any */
  bool has_encoder;
  uint8_t encoder[32]; /* only memories of it */
  uint64_t after;      /* numbers above it */
  uint64_t before;     /* numbers below it; 0 = no end */
  /* Nearest to this vector of `encoder` (required then); empty: by number. */
  struct hm_bytes like; /* int8, copied */
  bool newest_first;    /* without like: from the newest down */
  uint32_t k;           /* hits wanted, 1..HM_QUERY_HITS_MAX */
};

struct hm_hit {
  uint64_t number;
  uint64_t distance; /* with like */
  uint64_t arrival_ns;
  unsigned trust, value; /* Q8, 0 where there is none */
};

struct hm_query_run {
  struct hm_store *store;
  struct hm_query query;
  int8_t like[HM_VECTOR_MAX];
  uint64_t first, last; /* numbers still to look at: first..last */
  bool is_done;
  uint32_t count;
  struct hm_hit hits[HM_QUERY_HITS_MAX]; /* in order of the answer */
  uint64_t scanned, other_encoder, wrong_length;
};

/* HM_MALFORMED for a k, level or vector outside its limits (like without an encoder, of
 * zeros only, or over 4,096 long), HM_OK else: then call step until is_done. */
enum hm_status HM_MUST_CHECK hm_query_begin(struct hm_store *store, const struct hm_query *query,
                                            struct hm_query_run *run);
/* Look at the next records; HM_DAMAGED where one cannot be read (the run is done then). */
enum hm_status HM_MUST_CHECK hm_query_step(struct hm_query_run *run);
/* Both, to the end. For programs without a main loop. */
enum hm_status HM_MUST_CHECK hm_query_all(struct hm_store *store, const struct hm_query *query,
                                          struct hm_query_run *run);

/* Sum of squared differences. */
uint64_t hm_query_distance(const int8_t *a, const int8_t *b, size_t dimension);

/* Vector and encoder of a memory, for a query like it; HM_NOT_FOUND without record or
 * vector. vector has HM_VECTOR_MAX bytes. */
enum hm_status HM_MUST_CHECK hm_query_vector(struct hm_store *store, uint64_t record,
                                             uint8_t encoder[32], uint8_t *vector, size_t *len);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Members of a gate packet, read and written with their limits. Private to the
 * gate codec: everybody else uses sensors/gate.h.
 *
 * A reader remembers the name of the member it is at, so that a refused packet
 * says where. A writer that meets a value outside its limits says HM_MALFORMED
 * and the member's name in *field.
 */
#ifndef HM_SENSORS_GATE_MEMBERS_H
#define HM_SENSORS_GATE_MEMBERS_H

#include "sensors/gate.h"

struct hm_gate_reader {
  struct hm_cbor at;
  const char *field;
};

enum hm_status HM_MUST_CHECK hm_gate_read_uint(struct hm_gate_reader *r, const char *field,
                                               uint64_t min, uint64_t max, uint64_t *value);
enum hm_status HM_MUST_CHECK hm_gate_read_fixed(struct hm_gate_reader *r, const char *field,
                                                uint8_t *out, size_t len);
enum hm_status HM_MUST_CHECK hm_gate_read_text(struct hm_gate_reader *r, const char *field,
                                               size_t min, size_t max, struct hm_bytes *text);
/* The head of an array of min..max items. */
enum hm_status HM_MUST_CHECK hm_gate_read_list(struct hm_gate_reader *r, const char *field,
                                               size_t min, size_t max, uint32_t *count);
/* Context codes, ascending. */
enum hm_status HM_MUST_CHECK hm_gate_read_contexts(struct hm_gate_reader *r, size_t min,
                                                   uint32_t *count,
                                                   uint16_t contexts[HM_GATE_CONTEXTS]);
/* An array of exactly len numbers up to max. */
enum hm_status HM_MUST_CHECK hm_gate_read_numbers(struct hm_gate_reader *r, const char *field,
                                                  uint64_t max, uint16_t *out, size_t len);
/* A byte string of min..max bytes, or nil: the empty view. */
enum hm_status HM_MUST_CHECK hm_gate_read_bytes_or_nil(struct hm_gate_reader *r, const char *field,
                                                       size_t min, size_t max,
                                                       struct hm_bytes *out);

/* HM_MALFORMED, with the member's name. */
enum hm_status HM_MUST_CHECK hm_gate_outside(const char **field, const char *name);
enum hm_status HM_MUST_CHECK hm_gate_put_text(struct hm_out *o, struct hm_bytes text, size_t min,
                                              size_t max, const char *name, const char **field);
enum hm_status HM_MUST_CHECK hm_gate_put_contexts(struct hm_out *o, uint32_t count, uint32_t min,
                                                  const uint16_t contexts[HM_GATE_CONTEXTS],
                                                  const char **field);
void hm_gate_put_bytes_or_nil(struct hm_out *o, struct hm_bytes bytes);

#endif

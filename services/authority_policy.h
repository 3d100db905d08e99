/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What may be paired for what: one row a context. A request that wants more than its
 * row allows is refused, with the row's limit in the text.
 */
#ifndef HM_SERVICES_AUTHORITY_POLICY_H
#define HM_SERVICES_AUTHORITY_POLICY_H

#include "services/message.h"
#include "trust/certificate.h"

struct hm_context_policy {
  uint16_t context;    /* HM_CONTEXT_CUSTOM: all of the custom ones */
  uint32_t operations; /* bit 1 << operation */
  uint32_t data_types; /* bit 1 << data type */
  uint64_t most_life_s;
};

extern const struct hm_context_policy hm_context_policies[];
extern const size_t hm_context_policy_count;

/* HM_OK or HM_POLICY: operations and data types by the context, operations of a sensor
 * (it is looked at, never written to), life by the context, by both bindings and by
 * `now`. a and b: entities[0] and [1]. */
enum hm_status HM_MUST_CHECK hm_context_policy_check(const struct hm_pairing_request *request,
                                                     const struct hm_entity *a,
                                                     const struct hm_entity *b, uint64_t now,
                                                     struct hm_error *err);

#endif

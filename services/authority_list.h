/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * DIR/registry, the readable view of the log: one JSON object a line, for `ls` (also
 * while serve holds the log) and to find what a prefix means. Never read by a decision.
 */
#ifndef HM_SERVICES_AUTHORITY_LIST_H
#define HM_SERVICES_AUTHORITY_LIST_H

#include "services/authority_office.h"
#include "services/names.h"

/* Print the lines as they are, or as a table for people. */
enum hm_status HM_MUST_CHECK hm_authority_list(const char *folder, bool as_json,
                                               struct hm_error *err);
/* What text means: an LCT id or a unique prefix of one, or the 64 hex digits of a
 * certificate's name. HM_NOT_FOUND, HM_MALFORMED, HM_EXISTS (not unique). */
enum hm_status HM_MUST_CHECK hm_authority_resolve(const char *folder, const char *text,
                                                  uint8_t name[32], struct hm_error *err);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What users call things: names, LCT ids, objects by their look. Durations, sizes, times
 * and escaping are in services/text.h.
 *
 * An object is told by its look:
 *   m88012   memory            r12   batch receipt      c412   control entry
 *   lct:...  an LCT id or a prefix of >= 6 letters      x.hmk  proof file
 *   csi:0, v4l2:video1, rtsp://..., file:..., ...       source
 *   front    a name: 1-32 of [a-z0-9._-], begins with a letter, none of the above
 */
#ifndef HM_SERVICES_NAMES_H
#define HM_SERVICES_NAMES_H

#include "services/message.h"
#include "trust/bytes.h"

enum {
  HM_LCT_LETTERS = 52,               /* base32 of 32 bytes, no padding */
  HM_LCT_TEXT = 15 + HM_LCT_LETTERS, /* "lct:web4:mb32:b" and the letters */
  HM_NAME_LETTERS = 32,
  HM_LCT_PREFIX_MIN = 6
};

/* ---- LCT ids -------------------------------------------------------------------------- */
/* lct:web4:mb32:b and 52 letters, NUL-terminated. */
void hm_lct_format(const uint8_t id[32], char out[HM_LCT_TEXT + 1]);
/* Only the canonical spelling: lower case, no padding, last letter's unused bits zero.
 * HM_MALFORMED, HM_NOT_DETERMINISTIC. */
enum hm_status HM_MUST_CHECK hm_lct_parse(const char *text, uint8_t id[32]);
/* "lct:" and the first 10 letters and an ellipsis of dots, for tables. */
enum { HM_LCT_SHORT = 4 + 10 };
void hm_lct_format_short(const uint8_t id[32], char out[HM_LCT_SHORT + 1]);

/* lct:web4:mb32:bLETTERS or lct:LETTERS, 6 to 52 letters. */
struct hm_lct_prefix {
  size_t count;
  char letters[HM_LCT_LETTERS + 1];
};
enum hm_status HM_MUST_CHECK hm_lct_prefix_parse(const char *text, struct hm_lct_prefix *prefix,
                                                 struct hm_error *err);
bool hm_lct_prefix_matches(const struct hm_lct_prefix *prefix, const uint8_t id[32]);

/* ---- objects ---------------------------------------------------------------------------- */
enum hm_look {
  HM_LOOK_NAME,
  HM_LOOK_MEMORY,
  HM_LOOK_BATCH,
  HM_LOOK_ENTRY,
  HM_LOOK_LCT,
  HM_LOOK_SOURCE,
  HM_LOOK_PROOF
};
struct hm_reference {
  enum hm_look look;
  uint64_t number;             /* of mN, rN, cN: 1 .. 2^63-1 */
  struct hm_lct_prefix prefix; /* of lct:... */
};
/* HM_MALFORMED with the rule in the text; `what` is said first ("name", "object"). */
enum hm_status HM_MUST_CHECK hm_reference_parse(const char *text, struct hm_reference *reference,
                                                struct hm_error *err);
/* HM_OK iff text may name an entity, else HM_MALFORMED with the rule. */
enum hm_status HM_MUST_CHECK hm_name_check(const char *text, struct hm_error *err);
/* The scheme of a source ("csi", "v4l2", "rtsp", "file", ...), NULL where it has none
 * that we know. */
const char *hm_source_scheme(const char *text);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What users type and read: names, LCT ids, objects, durations, sizes, times, and text
 * from outside made safe for a terminal.
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
  HM_LCT_PREFIX_MIN = 6,
  HM_TIME_TEXT = 40
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
/* The source without what may be secret: user part and query of a URL are left out
 * (rtsp://camera/stream). Always terminated; cut where it does not fit. */
void hm_source_display(const char *source, char *out, size_t cap);

/* ---- numbers, times --------------------------------------------------------------------- */
/* "30d", "90s", "2h", "1w": one decimal number and s, m, h, d, w or y (365 d). */
enum hm_status HM_MUST_CHECK hm_duration_parse(const char *text, uint64_t *seconds,
                                               struct hm_error *err);
/* The shortest exact form ("30d", "90s"). */
void hm_duration_format(uint64_t seconds, char out[HM_TIME_TEXT]);
/* "about" form for messages: "2 h", "3 d", "41 s". */
void hm_duration_about(uint64_t seconds, char out[HM_TIME_TEXT]);
/* "20G", "64M", "512": bytes; K, M, G, T are powers of 1024. */
enum hm_status HM_MUST_CHECK hm_size_parse(const char *text, uint64_t *bytes, struct hm_error *err);
/* A decimal number, digits only, within limits. */
enum hm_status HM_MUST_CHECK hm_number_parse(const char *what, const char *text, uint64_t least,
                                             uint64_t most, uint64_t *value, struct hm_error *err);
/* RFC 3339: 2026-12-25T09:14:00Z, +01:00, fraction allowed (to ns), also the date alone
 * (midnight UTC). */
enum hm_status HM_MUST_CHECK hm_time_parse(const char *text, uint64_t *unix_ns,
                                           struct hm_error *err);
/* RFC 3339 in UTC, seconds: 2026-12-25T09:14:00Z. */
void hm_time_format(uint64_t unix_s, char out[HM_TIME_TEXT]);
/* RFC 3339 in UTC with milliseconds. */
void hm_time_format_ns(uint64_t unix_ns, char out[HM_TIME_TEXT]);
/* Local time for a terminal: 2026-12-25 09:14:00; UTC with a Z where utc. */
void hm_time_format_local(uint64_t unix_s, bool utc, char out[HM_TIME_TEXT]);

/* ---- outside text ------------------------------------------------------------------------- */
/* Copy text so that a terminal, a log or a metrics page shows it and does nothing else:
 * control characters, bytes that are not UTF-8, and the characters that hide or reorder
 * text (bidi controls, zero width) become \xNN or \u{NNNN}; a backslash is doubled.
 * Always terminated; cut between characters where it does not fit, ending in "...". */
void hm_escape(const char *text, size_t len, char *out, size_t cap);
/* Lower-case hex, NUL-terminated; out has 2 * len + 1 bytes. */
void hm_hex(const void *data, size_t len, char *out);
/* Exactly 2 * len lower-case hex digits. */
enum hm_status HM_MUST_CHECK hm_hex_parse(const char *text, uint8_t *out, size_t len);

#endif

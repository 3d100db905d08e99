/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Text between people and us: what comes from outside is escaped before a
 * terminal sees it; durations, times and the look of objects (m12, r3, c4) are
 * read and written in one place.
 */
#ifndef HM_SERVICES_TEXT_H
#define HM_SERVICES_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "trust/status.h"

/* A copy in which every byte that is no printable UTF-8 (controls, escapes,
 * bidirectional marks, broken sequences) is written \xNN and a backslash \\.
 * NULL gives "-". g_free it. */
char *hm_text_escape(const char *text);

/* "30d", "24h", "90s", "5m", "250ms" in milliseconds; digits and one unit,
 * nothing else. HM_MALFORMED, HM_TOO_LARGE (over 400 years). */
enum hm_status HM_MUST_CHECK hm_text_duration_ms(const char *text, uint64_t *ms);

/* "512", "64K", "20M", "4G", "1T" in bytes. HM_MALFORMED, HM_TOO_LARGE. */
enum hm_status HM_MUST_CHECK hm_text_size(const char *text, uint64_t *bytes);

/* A decimal without sign, space or leading zero (but "0") up to max. */
enum hm_status HM_MUST_CHECK hm_text_uint(const char *text, uint64_t max, uint64_t *value);

/* "0.8", ".5", "1", ">=0.8" in ten-thousandths, 0..10000. */
enum hm_status HM_MUST_CHECK hm_text_fraction(const char *text, uint64_t *ten_thousandths);

/* "m12": its letter and a number from 1. false where it is no such thing. */
bool hm_text_log_number(const char *text, char letter, uint64_t *number);

enum { HM_TEXT_TIME = 40 };

/* RFC 3339: UTC with nanoseconds, or local time with offset and milliseconds. */
void hm_text_time_utc(uint64_t unix_ns, char out[HM_TEXT_TIME]);
void hm_text_time_local(uint64_t unix_ns, char out[HM_TEXT_TIME]);
/* RFC 3339, or "YYYY-MM-DD[ HH:MM[:SS]]" in local time. HM_MALFORMED. */
enum hm_status HM_MUST_CHECK hm_text_time_parse(const char *text, uint64_t *unix_ns);

/* "2 h", "35 s", "14 d": the largest whole unit, for people. */
void hm_text_ago(uint64_t seconds, char out[HM_TEXT_TIME]);

/* 64 digits and a NUL. */
void hm_text_hex(const uint8_t *data, size_t len, char *out);

/* A URL with its user part replaced by ***; anything else as it is. g_free it. */
char *hm_text_mask_source(const char *source);

#endif

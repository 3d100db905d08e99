/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nothing here trusts its input: every reader refuses what it cannot say exactly.
 */
#include "services/text.h"

#include <glib.h>
#include <string.h>

/* Marks that reorder or hide what stands beside them. */
static bool is_deceptive(gunichar c)
{
  return (c >= 0x200B && c <= 0x200F) || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFB);
}

char *hm_text_escape(const char *text)
{
  if (!text)
    return g_strdup("-");
  GString *out = g_string_sized_new(strlen(text) + 8);
  for (const char *p = text; *p;) {
    gunichar c = g_utf8_get_char_validated(p, -1);
    bool is_valid = c != (gunichar)-1 && c != (gunichar)-2;
    size_t width = is_valid ? (size_t)g_utf8_skip[(guchar)*p] : 1;
    if (is_valid && c == '\\')
      g_string_append(out, "\\\\");
    else if (is_valid && g_unichar_isprint(c) && !is_deceptive(c))
      g_string_append_len(out, p, (gssize)width);
    else
      for (size_t i = 0; i < width; i++)
        g_string_append_printf(out, "\\x%02x", (unsigned)(guchar)p[i]);
    p += width;
  }
  return g_string_free(out, FALSE);
}

/* Digits at *text, moved past them. */
static enum hm_status read_digits(const char **text, uint64_t max, uint64_t *value)
{
  const char *p = *text;
  if (!g_ascii_isdigit(*p))
    return HM_MALFORMED;
  uint64_t n = 0;
  for (; g_ascii_isdigit(*p); p++) {
    uint64_t digit = (uint64_t)(*p - '0');
    if (n > (UINT64_MAX - digit) / 10)
      return HM_TOO_LARGE;
    n = n * 10 + digit;
  }
  if (n > max)
    return HM_TOO_LARGE;
  *text = p;
  *value = n;
  return HM_OK;
}

struct unit {
  const char *name;
  uint64_t factor;
};

static enum hm_status read_with_unit(const char *text, const struct unit *units, size_t count,
                                     uint64_t max, uint64_t *value)
{
  uint64_t n = 0;
  HM_TRY(read_digits(&text, UINT64_MAX, &n));
  for (size_t i = 0; i < count; i++)
    if (strcmp(text, units[i].name) == 0) {
      if (n > max / units[i].factor)
        return HM_TOO_LARGE;
      *value = n * units[i].factor;
      return HM_OK;
    }
  return HM_MALFORMED;
}

enum hm_status hm_text_duration_ms(const char *text, uint64_t *ms)
{
  static const struct unit units[] = {
      {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
  return read_with_unit(text, units, G_N_ELEMENTS(units), UINT64_C(400) * 366 * 86400000, ms);
}

enum hm_status hm_text_size(const char *text, uint64_t *bytes)
{
  static const struct unit units[] = {{"", 1},
                                      {"K", UINT64_C(1) << 10},
                                      {"M", UINT64_C(1) << 20},
                                      {"G", UINT64_C(1) << 30},
                                      {"T", UINT64_C(1) << 40}};
  return read_with_unit(text, units, G_N_ELEMENTS(units), INT64_MAX, bytes);
}

enum hm_status hm_text_uint(const char *text, uint64_t max, uint64_t *value)
{
  if (text[0] == '0' && text[1] != '\0')
    return HM_MALFORMED;
  HM_TRY(read_digits(&text, max, value));
  return *text == '\0' ? HM_OK : HM_MALFORMED;
}

enum hm_status hm_text_fraction(const char *text, uint64_t *ten_thousandths)
{
  if (g_str_has_prefix(text, ">="))
    text += 2;
  uint64_t whole = 0, part = 0, scale = 10000;
  if (*text != '.')
    HM_TRY(read_digits(&text, 1, &whole));
  if (*text == '.') {
    const char *start = ++text;
    HM_TRY(read_digits(&text, 9999, &part));
    if (text - start > 4)
      return HM_MALFORMED;
    for (ptrdiff_t i = text - start; i > 0; i--)
      scale /= 10;
    part *= scale;
  }
  if (*text != '\0')
    return HM_MALFORMED;
  if (whole == 1 && part > 0)
    return HM_TOO_LARGE;
  *ten_thousandths = whole * 10000 + part;
  return HM_OK;
}

bool hm_text_log_number(const char *text, char letter, uint64_t *number)
{
  return text && text[0] == letter && hm_text_uint(text + 1, INT64_MAX, number) == HM_OK &&
         *number > 0;
}

void hm_text_time_utc(uint64_t unix_ns, char out[HM_TEXT_TIME])
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc((gint64)(unix_ns / 1000000000));
  g_autofree char *seconds = time ? g_date_time_format(time, "%Y-%m-%dT%H:%M:%S") : NULL;
  g_snprintf(out, HM_TEXT_TIME, "%.20s.%09uZ", seconds ? seconds : "?",
             (unsigned)(unix_ns % 1000000000));
}

void hm_text_time_local(uint64_t unix_ns, char out[HM_TEXT_TIME])
{
  g_autoptr(GDateTime) time = g_date_time_new_from_unix_local((gint64)(unix_ns / 1000000000));
  g_autofree char *seconds = time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : NULL;
  g_snprintf(out, HM_TEXT_TIME, "%.20s.%03u", seconds ? seconds : "?",
             (unsigned)(unix_ns / 1000000 % 1000));
}

enum hm_status hm_text_time_parse(const char *text, uint64_t *unix_ns)
{
  g_autoptr(GTimeZone) local = g_time_zone_new_local();
  g_autofree char *full = NULL;
  if (strlen(text) > 40)
    return HM_MALFORMED;
  if (strlen(text) == 10)
    full = g_strdup_printf("%sT00:00:00", text);
  else if (strlen(text) == 16)
    full = g_strdup_printf("%s:00", text);
  else
    full = g_strdup(text);
  if (strlen(full) > 10 && full[10] == ' ')
    full[10] = 'T';
  /* GDateTime keeps microseconds; the fraction is read apart, for all nine digits. */
  uint64_t nanoseconds = 0;
  char *dot = strchr(full, '.');
  if (dot) {
    const char *end = dot + 1;
    uint64_t digits = 0;
    if (read_digits(&end, 999999999, &digits) != HM_OK || end - dot > 10)
      return HM_MALFORMED;
    nanoseconds = digits;
    for (ptrdiff_t i = end - dot - 1; i < 9; i++)
      nanoseconds *= 10;
    memmove(dot, end, strlen(end) + 1);
  }
  g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(full, local);
  if (!time || g_date_time_to_unix(time) < 0)
    return HM_MALFORMED;
  *unix_ns = (uint64_t)g_date_time_to_unix(time) * 1000000000 + nanoseconds;
  return HM_OK;
}

void hm_text_ago(uint64_t seconds, char out[HM_TEXT_TIME])
{
  static const struct unit units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
  size_t i = 0;
  while (i + 1 < G_N_ELEMENTS(units) && seconds < units[i].factor)
    i++;
  g_snprintf(out, HM_TEXT_TIME, "%" G_GUINT64_FORMAT " %s", seconds / units[i].factor,
             units[i].name);
}

void hm_text_hex(const uint8_t *data, size_t len, char *out)
{
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < len; i++) {
    out[2 * i] = digits[data[i] >> 4];
    out[2 * i + 1] = digits[data[i] & 15];
  }
  out[2 * len] = '\0';
}

char *hm_text_mask_source(const char *source)
{
  const char *host = strstr(source, "://");
  if (!host)
    return g_strdup(source);
  host += 3;
  /* A password may hold '/', which no URL allows but people type: the last '@'
   * of the whole string ends the user part. */
  const char *at = strrchr(host, '@');
  if (!at)
    return g_strdup(source);
  return g_strdup_printf("%.*s***%s", (int)(host - source), source, at);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/names.h"

#include <string.h>

static const char LCT_HEAD[] = "lct:web4:mb32:b";
static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyz234567"; /* RFC 4648 base32, lower */

/* ---- LCT ids ------------------------------------------------------------------------ */

static void base32(const uint8_t id[32], char out[HM_LCT_LETTERS])
{
  unsigned bits = 0, held = 0;
  size_t at = 0;
  for (size_t i = 0; i < 32; i++) {
    bits = (bits << 8 | id[i]) & 0x1fff;
    held += 8;
    while (held >= 5) {
      held -= 5;
      out[at++] = LETTERS[bits >> held & 31];
    }
  }
  out[at] = LETTERS[bits << (5 - held) & 31];
}

static int letter_value(char letter)
{
  if (letter >= 'a' && letter <= 'z')
    return letter - 'a';
  if (letter >= '2' && letter <= '7')
    return letter - '2' + 26;
  return -1;
}

void hm_lct_format(const uint8_t id[32], char out[HM_LCT_TEXT + 1])
{
  memcpy(out, LCT_HEAD, sizeof LCT_HEAD - 1);
  base32(id, out + sizeof LCT_HEAD - 1);
  out[HM_LCT_TEXT] = '\0';
}

void hm_lct_format_short(const uint8_t id[32], char out[HM_LCT_SHORT + 1])
{
  char letters[HM_LCT_LETTERS];
  base32(id, letters);
  memcpy(out, "lct:", 4);
  memcpy(out + 4, letters, HM_LCT_SHORT - 4);
  out[HM_LCT_SHORT] = '\0';
}

enum hm_status hm_lct_parse(const char *text, uint8_t id[32])
{
  if (strlen(text) != HM_LCT_TEXT || memcmp(text, LCT_HEAD, sizeof LCT_HEAD - 1) != 0)
    return HM_MALFORMED;
  const char *letters = text + sizeof LCT_HEAD - 1;
  unsigned bits = 0, held = 0;
  size_t at = 0;
  for (size_t i = 0; i < HM_LCT_LETTERS; i++) {
    int value = letter_value(letters[i]);
    if (value < 0)
      return HM_MALFORMED;
    bits = (bits << 5 | (unsigned)value) & 0x1fff;
    held += 5;
    if (held >= 8) {
      held -= 8;
      id[at++] = (uint8_t)(bits >> held);
    }
  }
  /* 52 letters hold 260 bits: four are left over, and only zeros are canonical. */
  return (bits & ((1u << held) - 1)) == 0 ? HM_OK : HM_NOT_DETERMINISTIC;
}

enum hm_status hm_lct_prefix_parse(const char *text, struct hm_lct_prefix *prefix,
                                   struct hm_error *err)
{
  memset(prefix, 0, sizeof *prefix);
  const char *letters = text;
  if (strncmp(text, LCT_HEAD, sizeof LCT_HEAD - 1) == 0)
    letters += sizeof LCT_HEAD - 1;
  else if (strncmp(text, "lct:", 4) == 0)
    letters += 4;
  else
    return hm_fail(err, HM_MALFORMED, "%.80s: an LCT begins with lct:", text);
  size_t len = strlen(letters);
  for (size_t i = 0; i < len; i++)
    if (letter_value(letters[i]) < 0)
      return hm_fail(err, HM_MALFORMED, "%.80s: an LCT is written with a-z and 2-7", text);
  if (len < HM_LCT_PREFIX_MIN || len > HM_LCT_LETTERS)
    return hm_fail(err, HM_MALFORMED, "%.80s: %zu letters of an LCT; %d to %d are needed", text,
                   len, HM_LCT_PREFIX_MIN, HM_LCT_LETTERS);
  prefix->count = len;
  memcpy(prefix->letters, letters, len);
  return HM_OK;
}

bool hm_lct_prefix_matches(const struct hm_lct_prefix *prefix, const uint8_t id[32])
{
  char letters[HM_LCT_LETTERS];
  base32(id, letters);
  return memcmp(letters, prefix->letters, prefix->count) == 0;
}

/* ---- objects -------------------------------------------------------------------------- */

const char *hm_source_scheme(const char *text)
{
  static const char *const schemes[] = {"csi", "v4l2", "rtsp", "rtsps", "file",
                                        "gst", "iio",  "wit",  "can",   "replay"};
  const char *colon = strchr(text, ':');
  if (colon == NULL)
    return NULL;
  size_t len = (size_t)(colon - text);
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
    if (strlen(schemes[i]) == len && memcmp(schemes[i], text, len) == 0)
      return schemes[i];
  return NULL;
}

static bool ends_with(const char *text, const char *end)
{
  size_t len = strlen(text);
  size_t end_len = strlen(end);
  return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* m, r or c and nothing but digits. */
static bool looks_numbered(const char *text)
{
  if (strchr("mrc", text[0]) == NULL || text[0] == '\0' || text[1] == '\0')
    return false;
  return strspn(text + 1, "0123456789") == strlen(text + 1);
}

static enum hm_status parse_number(const char *text, uint64_t *number, struct hm_error *err)
{
  uint64_t value = 0;
  for (const char *at = text + 1; *at != '\0'; at++) {
    uint64_t digit = (uint64_t)(*at - '0');
    if (value > (INT64_MAX - digit) / 10)
      return hm_fail(err, HM_MALFORMED, "%.40s: the number is over 2^63-1", text);
    value = value * 10 + digit;
  }
  if (value == 0 || text[1] == '0')
    return hm_fail(err, HM_MALFORMED, "%.40s: numbers begin at 1, without leading zeros", text);
  *number = value;
  return HM_OK;
}

enum hm_status hm_name_check(const char *text, struct hm_error *err)
{
  static const char rule[] = "a name is 1-32 of [a-z0-9._-], begins with a letter, is not m, r or "
                             "c and digits, and does not end in .hmk";
  size_t len = strlen(text);
  bool ok = len >= 1 && len <= HM_NAME_LETTERS && text[0] >= 'a' && text[0] <= 'z' &&
            strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == len &&
            !looks_numbered(text) && !ends_with(text, ".hmk");
  return ok ? HM_OK : hm_fail(err, HM_MALFORMED, "%.40s: %s", text, rule);
}

enum hm_status hm_reference_parse(const char *text, struct hm_reference *reference,
                                  struct hm_error *err)
{
  memset(reference, 0, sizeof *reference);
  if (looks_numbered(text)) {
    reference->look = text[0] == 'm'   ? HM_LOOK_MEMORY
                      : text[0] == 'r' ? HM_LOOK_BATCH
                                       : HM_LOOK_ENTRY;
    return parse_number(text, &reference->number, err);
  }
  if (strncmp(text, "lct:", 4) == 0) {
    reference->look = HM_LOOK_LCT;
    return hm_lct_prefix_parse(text, &reference->prefix, err);
  }
  if (hm_source_scheme(text) != NULL) {
    reference->look = HM_LOOK_SOURCE;
    return HM_OK;
  }
  if (ends_with(text, ".hmk")) {
    reference->look = HM_LOOK_PROOF;
    return HM_OK;
  }
  reference->look = HM_LOOK_NAME;
  return hm_name_check(text, err);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Source strings: the table of schemes, their rules, and how they look on a
 * screen. Anchors are in daemon_anchor.c.
 */
#include "services/daemon_sources.h"

#include <glib.h>
#include <stdio.h>

const struct hm_source_row hm_source_table[] = {
    {HM_SOURCE_FILE, "file:", "recording", 3, 1, true, false},
    {HM_SOURCE_CSI, "csi:", "camera", 3, 1, true, true},
    {HM_SOURCE_V4L2, "v4l2:", "camera", 3, 1, true, true},
    {HM_SOURCE_RTSP, "rtsp://", "camera", 3, 1, true, true},
    {HM_SOURCE_RTSP, "rtsps://", "camera", 3, 1, true, true},
    {HM_SOURCE_GST, "gst:", "camera", 3, 1, true, true},
    {HM_SOURCE_IIO, "iio:", "imu", 3, 2, false, true},
    {HM_SOURCE_WIT, "wit:", "imu", 3, 2, false, true},
    {HM_SOURCE_CAN, "can:", "pack", 1, 0, false, true},
};
const size_t hm_source_rows = G_N_ELEMENTS(hm_source_table);

static bool is_digits(const char *text, size_t most)
{
  size_t n = strspn(text, "0123456789");
  return n > 0 && n <= most && text[n] == '\0';
}

/* What the part after the scheme must be; NULL where it is right. */
static const char *broken_rule(const struct hm_source_row *row, const char *rest)
{
  const char *node = g_str_has_prefix(rest, "/dev/") ? rest + 5 : rest;
  switch (row->scheme) {
  case HM_SOURCE_FILE:
    return rest[0] == '/' ? NULL : "a path that begins with /";
  case HM_SOURCE_CSI:
    return is_digits(rest, 2) ? NULL : "a sensor's number, 0 to 99";
  case HM_SOURCE_V4L2:
    return g_str_has_prefix(node, "video") && is_digits(node + 5, 3) ? NULL
                                                                     : "a node such as video0";
  case HM_SOURCE_RTSP:
    return rest[0] != '\0' && rest[0] != '/' ? NULL : "a host";
  default:
    return rest[0] != '\0' ? NULL : "more than the scheme";
  }
}

enum hm_status hm_source_parse(const char *source, const struct hm_source_row **row,
                               struct hm_error *error)
{
  char shown[HM_SOURCE_MAX + 1];
  error->status = HM_MALFORMED;
  *row = NULL;
  if (source == NULL || strlen(source) > HM_SOURCE_MAX) {
    g_snprintf(error->text, sizeof error->text, "source: longer than %d bytes", HM_SOURCE_MAX);
    return error->status;
  }
  hm_source_show(source, shown, sizeof shown);
  if (!g_utf8_validate(source, -1, NULL) || strpbrk(source, "\n\r\t") != NULL) {
    g_snprintf(error->text, sizeof error->text, "%.200s: a source has no control characters",
               shown);
    return error->status;
  }
  for (size_t i = 0; i < hm_source_rows; i++) {
    const struct hm_source_row *r = &hm_source_table[i];
    if (!g_str_has_prefix(source, r->prefix))
      continue;
    const char *rule = broken_rule(r, source + strlen(r->prefix));
    if (rule != NULL) {
      g_snprintf(error->text, sizeof error->text, "%.200s: %s needs %s", shown, r->prefix, rule);
      return error->status;
    }
    *row = r;
    error->status = HM_OK;
    error->text[0] = '\0';
    return HM_OK;
  }
  g_snprintf(error->text, sizeof error->text,
             "%.200s: no such kind of source; run: hallmark discover", shown);
  return error->status;
}

/* Properties whose values are never shown, as GStreamer elements name them. */
static bool names_a_secret(const char *name, size_t len)
{
  static const char *const words[] = {"pw", "pass", "secret", "token", "key", "user-id", "cookie"};
  g_autofree char *lower = g_ascii_strdown(name, (gssize)len);
  for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
    if (strstr(lower, words[i]) != NULL)
      return true;
  return false;
}

/* Bytes of the value that begins at text: quoted, or up to a space. */
static size_t value_length(const char *text)
{
  if (text[0] != '"' && text[0] != '\'')
    return strcspn(text, " !&;");
  const char *end = strchr(text + 1, text[0]);
  return end == NULL ? strlen(text) : (size_t)(end - text) + 1;
}

/* From "://", the user part up to its '@', or 0. */
static size_t user_part(const char *after_slashes)
{
  size_t authority = strcspn(after_slashes, "/ \"'?#!");
  for (size_t i = authority; i > 0; i--)
    if (after_slashes[i - 1] == '@')
      return i - 1;
  return 0;
}

void hm_source_show(const char *source, char *out, size_t cap)
{
  GString *shown = g_string_sized_new(128);
  size_t word = 0; /* where the present run of name letters began, in shown */
  for (const char *p = source; *p != '\0';) {
    if (g_str_has_prefix(p, "://")) {
      g_string_append(shown, "://");
      p += 3;
      size_t user = user_part(p);
      if (user > 0) {
        g_string_append(shown, "...");
        p += user;
      }
      word = shown->len;
    } else if (*p == '=' && names_a_secret(shown->str + word, shown->len - word)) {
      g_string_append(shown, "=...");
      p += 1 + value_length(p + 1);
      word = shown->len;
    } else {
      unsigned char byte = (unsigned char)*p++;
      g_string_append_c(shown, byte < 0x20 || byte == 0x7f ? '?' : (char)byte);
      if (!g_ascii_isalnum(byte) && byte != '-' && byte != '_')
        word = shown->len;
    }
  }
  g_strlcpy(out, shown->str, cap);
  g_string_free(shown, TRUE);
  const char *end = NULL;
  if (cap > 0 && !g_utf8_validate(out, -1, &end))
    out[end - out] = '\0';
}

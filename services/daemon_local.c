/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What is local of an entity: its name, its source string, who may be its gate.
 * One file each, sources/NAME (0600), of five lines in this order:
 *
 *   hallmark source 1
 *   name front
 *   lct 64 hex digits
 *   gate media | uid N | unit NAME.service
 *   source file:/path
 *
 * sources/NAME.new is one whose binding is not in the log yet: at start it is kept
 * where the log has its LCT, else removed. sources/<16 hex>.void is the name of an
 * entity that was unbound; its source string is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "services/daemon_state.h"
#include "services/text.h"

enum { LOCAL_FILE_MAX = HM_SOURCE_MAX + 512 };

static enum hm_status format_local(const struct hm_local *local, char *out, size_t cap)
{
  char lct[65], gate[80];
  hm_text_hex(local->lct, 32, lct);
  if (local->rule.is_media)
    g_strlcpy(gate, "media", sizeof gate);
  else if (local->rule.unit[0] != '\0')
    g_snprintf(gate, sizeof gate, "unit %s", local->rule.unit);
  else
    g_snprintf(gate, sizeof gate, "uid %lu", (unsigned long)local->rule.uid);
  int n = g_snprintf(out, cap, "hallmark source 1\nname %s\nlct %s\ngate %s\nsource %s\n",
                     local->name, lct, gate, local->source);
  return n > 0 && (size_t)n < cap ? HM_OK : HM_TOO_LARGE;
}

/* The next line of text, which must begin with word and a space; its rest. */
static char *line_after(char **text, const char *word)
{
  char *line = *text;
  size_t len = strlen(word);
  char *end = line == NULL ? NULL : strchr(line, '\n');
  if (end == NULL || strncmp(line, word, len) != 0 || line[len] != ' ')
    return NULL;
  *end = '\0';
  *text = end + 1;
  return line + len + 1;
}

/* Exactly 64 lower-case hex digits. */
static bool parse_hex(const char *text, uint8_t out[32])
{
  if (strlen(text) != 64 || strspn(text, "0123456789abcdef") != 64)
    return false;
  for (int i = 0; i < 32; i++)
    out[i] =
        (uint8_t)(g_ascii_xdigit_value(text[2 * i]) << 4 | g_ascii_xdigit_value(text[2 * i + 1]));
  return true;
}

static bool parse_gate(const struct hm_core *core, char *text, struct hm_gate_rule *rule)
{
  uint64_t uid;
  memset(rule, 0, sizeof *rule);
  rule->uid = core->media_uid;
  if (strcmp(text, "media") == 0)
    return rule->is_media = true;
  if (g_str_has_prefix(text, "unit ") && strlen(text + 5) < sizeof rule->unit) {
    g_strlcpy(rule->unit, text + 5, sizeof rule->unit);
    return true;
  }
  if (!g_str_has_prefix(text, "uid ") || hm_text_uint(text + 4, UINT32_MAX - 1, &uid) != HM_OK)
    return false;
  rule->uid = (uid_t)uid;
  return true;
}

static bool parse_local(const struct hm_core *core, char *text, struct hm_local *local)
{
  memset(local, 0, sizeof *local);
  const char *format = line_after(&text, "hallmark source");
  const char *name = format == NULL ? NULL : line_after(&text, "name");
  const char *lct = name == NULL ? NULL : line_after(&text, "lct");
  char *gate = lct == NULL ? NULL : line_after(&text, "gate");
  const char *source = gate == NULL ? NULL : line_after(&text, "source");
  if (source == NULL || *text != '\0' || strcmp(format, "1") != 0)
    return false;
  if (hm_name_check(name, NULL) != HM_OK || !parse_hex(lct, local->lct) ||
      !parse_gate(core, gate, &local->rule) || strlen(source) > HM_SOURCE_MAX)
    return false;
  g_strlcpy(local->name, name, sizeof local->name);
  g_strlcpy(local->source, source, sizeof local->source);
  return true;
}

static enum hm_status local_path(const struct hm_core *core, const char *name, const char *tail,
                                 char path[HM_FILE_PATH], struct hm_error *err)
{
  char file[96];
  g_snprintf(file, sizeof file, "%s%s", name, tail);
  return hm_path_join(path, core->paths.sources, file, err);
}

enum hm_status hm_local_write(const struct hm_core *core, const struct hm_local *local,
                              struct hm_error *err)
{
  char text[LOCAL_FILE_MAX], path[HM_FILE_PATH];
  HM_TRY(local_path(core, local->name, ".new", path, err));
  if (format_local(local, text, sizeof text) != HM_OK)
    return hm_fail(err, HM_TOO_LARGE, "%s: source longer than %d bytes", local->name,
                   HM_SOURCE_MAX);
  return hm_file_write(path, hm_bytes(text, strlen(text)), 0600, err);
}

static enum hm_status rename_local(const struct hm_core *core, const char *from, const char *to,
                                   struct hm_error *err)
{
  if (rename(from, to) != 0)
    return hm_fail_errno(err, HM_IO, errno, "%s", to);
  return hm_folder_sync(core->paths.sources, err);
}

enum hm_status hm_local_keep(const struct hm_core *core, const char *name, struct hm_error *err)
{
  char from[HM_FILE_PATH], to[HM_FILE_PATH];
  HM_TRY(local_path(core, name, ".new", from, err));
  HM_TRY(local_path(core, name, "", to, err));
  return rename_local(core, from, to, err);
}

void hm_local_drop(const struct hm_core *core, const char *name)
{
  char path[HM_FILE_PATH];
  if (local_path(core, name, ".new", path, NULL) == HM_OK)
    (void)unlink(path);
}

enum hm_status hm_local_retire(const struct hm_core *core, const struct hm_bound *bound,
                               struct hm_error *err)
{
  struct hm_local local = {.rule = bound->rule};
  char text[LOCAL_FILE_MAX], path[HM_FILE_PATH], hex[17];
  hm_text_hex(bound->entity.lct, 8, hex);
  g_strlcpy(local.name, bound->name, sizeof local.name);
  memcpy(local.lct, bound->entity.lct, 32);
  HM_TRY(format_local(&local, text, sizeof text));
  HM_TRY(local_path(core, hex, ".void", path, err));
  HM_TRY(hm_file_write(path, hm_bytes(text, strlen(text)), 0600, err));
  HM_TRY(local_path(core, bound->name, "", path, err));
  if (unlink(path) != 0 && errno != ENOENT)
    return hm_fail_errno(err, HM_IO, errno, "%s", path);
  return hm_folder_sync(core->paths.sources, err);
}

/* ---- loading ---------------------------------------------------------------------------- */

static enum hm_status read_local(const struct hm_core *core, const char *path,
                                 struct hm_local *local, struct hm_error *err)
{
  uint8_t text[LOCAL_FILE_MAX + 1];
  size_t len;
  HM_TRY(hm_file_read(path, text, LOCAL_FILE_MAX, &len, err));
  text[len] = '\0';
  bool is_good = strlen((char *)text) == len && parse_local(core, (char *)text, local);
  hm_wipe(text, sizeof text);
  return is_good ? HM_OK
                 : hm_fail(err, HM_MALFORMED,
                           "%s: not a source file (five lines: hallmark source 1, name, lct, "
                           "gate, source)",
                           path);
}

void hm_local_take(struct hm_bound *bound, const struct hm_local *local)
{
  const struct hm_source_row *row;
  struct hm_error ignored;
  g_strlcpy(bound->name, local->name, sizeof bound->name);
  g_strlcpy(bound->source, local->source, sizeof bound->source);
  bound->rule = local->rule;
  if (hm_source_parse(bound->source, &row, &ignored) != HM_OK)
    return;
  bound->is_live_source = row->is_live;
  bound->is_device = row->scheme == HM_SOURCE_CSI || row->scheme == HM_SOURCE_V4L2;
}

/* An interrupted bind: its file counts iff its binding made it into the log. */
static enum hm_status settle_new(struct hm_core *core, const char *path, struct hm_error *err)
{
  struct hm_local local;
  enum hm_status status = read_local(core, path, &local, err);
  if (status != HM_OK || hm_bound_by_lct(core, local.lct) == NULL) {
    (void)unlink(path);
    return HM_OK;
  }
  hm_local_take(hm_bound_by_lct(core, local.lct), &local);
  status = hm_local_keep(core, local.name, err);
  hm_wipe(&local, sizeof local);
  return status;
}

static enum hm_status load_one(struct hm_core *core, const char *entry, struct hm_error *err)
{
  char path[HM_FILE_PATH];
  struct hm_local local;
  HM_TRY(hm_path_join(path, core->paths.sources, entry, err));
  if (g_str_has_suffix(entry, ".tmp")) {
    (void)unlink(path);
    return HM_OK;
  }
  if (g_str_has_suffix(entry, ".new"))
    return settle_new(core, path, err);
  HM_TRY(read_local(core, path, &local, err));
  struct hm_bound *bound = hm_bound_by_lct(core, local.lct);
  if (bound != NULL)
    hm_local_take(bound, &local);
  hm_wipe(&local, sizeof local);
  return HM_OK;
}

enum hm_status hm_local_load(struct hm_core *core, struct hm_error *err)
{
  GDir *folder = g_dir_open(core->paths.sources, 0, NULL);
  if (folder == NULL)
    return hm_fail_errno(err, HM_IO, errno, "%s", core->paths.sources);
  enum hm_status status = HM_OK;
  const char *entry;
  while (status == HM_OK && (entry = g_dir_read_name(folder)) != NULL)
    status = load_one(core, entry, err);
  g_dir_close(folder);
  return status;
}

/* ---- who may be a gate -------------------------------------------------------------------- */

enum hm_status hm_gate_rule_parse(const struct hm_core *core, const char *text,
                                  struct hm_gate_rule *rule, struct hm_error *err)
{
  uint64_t number;
  memset(rule, 0, sizeof *rule);
  rule->uid = core->media_uid;
  rule->is_media = text == NULL;
  if (text == NULL)
    return HM_OK;
  if (g_str_has_suffix(text, ".service") && strlen(text) < sizeof rule->unit &&
      strpbrk(text, "/ \n") == NULL) {
    g_strlcpy(rule->unit, text, sizeof rule->unit);
    return HM_OK;
  }
  if (g_ascii_isdigit(text[0])) {
    if (hm_text_uint(text, UINT32_MAX - 1, &number) != HM_OK)
      return hm_fail(err, HM_MALFORMED, "gate: %.32s: a uid is a number up to 4294967294", text);
    rule->uid = (uid_t)number;
    return HM_OK;
  }
  if (hm_user_id(text, &rule->uid) == HM_OK)
    return HM_OK;
  return hm_fail(err, HM_NOT_FOUND, "gate: no user and no *.service unit is called %.64s", text);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/authority_list.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "services/json.h"
#include "services/text.h"

enum { LINE_MAX_BYTES = 4096 };

/* ---- writing -------------------------------------------------------------------------- */

static void set_lct(JsonObject *o, const char *name, const uint8_t lct[32])
{
  char text[HM_LCT_TEXT + 1];
  hm_lct_format(lct, text);
  hm_json_set_text(o, name, text);
}

static void set_time(JsonObject *o, const char *name, uint64_t seconds)
{
  char text[HM_TEXT_TIME];
  hm_text_time_utc(seconds * 1000000000u, text);
  hm_json_set_text(o, name, text);
}

static void add_line(GString *out, JsonObject *o)
{
  g_autofree char *line = hm_json_line(o);
  g_string_append(out, line);
  g_string_append_c(out, '\n');
  json_object_unref(o);
}

static const char *word(const struct hm_code_table *table, uint64_t code)
{
  const char *name = hm_code_name(table, code);
  return name != NULL ? name : "?";
}

static void add_entity(GString *out, const struct hm_registered *e)
{
  JsonObject *o = json_object_new();
  hm_json_set_text(o, "object", "entity");
  set_lct(o, "lct", e->facts.lct);
  hm_json_set_text(o, "class", word(&hm_classes, e->facts.class));
  hm_json_set_text(o, "type", word(&hm_entity_types, e->facts.type));
  hm_json_set_text(o, "serial", e->facts.serial[0] != '\0' ? e->facts.serial : NULL);
  if (e->facts.has_bound_to)
    set_lct(o, "host", e->facts.bound_to);
  hm_json_set_u64(o, "entry", e->entry);
  hm_json_set_hex(o, "certificate", e->facts.name, 32);
  set_time(o, "since", e->facts.iat);
  set_time(o, "until", e->facts.exp);
  hm_json_set_text(o, "state", e->is_revoked ? "revoked" : "bound");
  add_line(out, o);
}

static void add_pairing(GString *out, const struct hm_registered_pairing *p)
{
  JsonObject *o = json_object_new();
  hm_json_set_text(o, "object", "pairing");
  set_lct(o, "lct", p->entities[1]);
  set_lct(o, "host", p->entities[0]);
  hm_json_set_text(o, "context",
                   p->context_name[0] != '\0' ? p->context_name : word(&hm_contexts, p->context));
  hm_json_set_u64(o, "entry", p->entry);
  hm_json_set_hex(o, "certificate", p->name, 32);
  hm_json_set_hex(o, "pairing", p->id, 16);
  set_time(o, "since", p->iat);
  set_time(o, "until", p->exp);
  hm_json_set_text(o, "state", hm_stage_text(p->stage));
  add_line(out, o);
}

static void add_revocation(GString *out, const struct hm_registered_revocation *v)
{
  JsonObject *o = json_object_new();
  hm_json_set_text(o, "object", "revocation");
  hm_json_set_u64(o, "number", v->facts.number);
  hm_json_set_u64(o, "entry", v->entry);
  hm_json_set_hex(o, "certificate", v->facts.certificate, 32);
  hm_json_set_text(o, "reason", word(&hm_reasons, v->facts.reason));
  set_time(o, "since", v->facts.has_since ? v->facts.since : v->facts.iat);
  set_time(o, "time", v->facts.iat);
  add_line(out, o);
}

enum hm_status hm_authority_write_registry(const struct hm_authority *a, struct hm_error *err)
{
  char path[HM_FILE_PATH];
  HM_TRY(hm_path_join(path, a->folder, "registry", err));
  GString *out = g_string_new(NULL);
  for (size_t i = 0; i < hm_registry_entity_count(a->registry); i++)
    add_entity(out, hm_registry_entity_at(a->registry, i));
  for (size_t i = 0; i < hm_registry_pairing_count(a->registry); i++)
    add_pairing(out, hm_registry_pairing_at(a->registry, i));
  for (uint64_t n = 1; n <= hm_registry_revocations(a->registry); n++)
    add_revocation(out, hm_registry_revocation_at(a->registry, n));
  enum hm_status status = hm_file_write(path, hm_bytes(out->str, out->len), 0600, err);
  g_string_free(out, TRUE);
  return status;
}

/* ---- reading ---------------------------------------------------------------------------- */

static enum hm_status read_registry(const char *folder, char **text, struct hm_error *err)
{
  char path[HM_FILE_PATH];
  HM_TRY(hm_path_join(path, folder, "registry", err));
  g_autoptr(GError) error = NULL;
  if (g_file_get_contents(path, text, NULL, &error))
    return HM_OK;
  return hm_fail(err, HM_NOT_FOUND, "authority: %s", error->message);
}

/* Call each with the object of every line until it returns something else than HM_OK. */
typedef enum hm_status (*line_function)(void *user, JsonObject *o);

static enum hm_status each_line(const char *folder, line_function each, void *user,
                                struct hm_error *err)
{
  g_autofree char *text = NULL;
  HM_TRY(read_registry(folder, &text, err));
  unsigned number = 0;
  for (char *at = text; *at != '\0'; at++) {
    char *end = strchr(at, '\n');
    size_t len = end != NULL ? (size_t)(end - at) : strlen(at);
    char message[160] = "";
    JsonObject *o = NULL;
    number++;
    if (hm_json_parse(hm_bytes(at, len), LINE_MAX_BYTES, &o, message, sizeof message) != HM_OK)
      return hm_fail(err, HM_DAMAGED, "%s/registry line %u: %s; delete it, it is made anew", folder,
                     number, message);
    enum hm_status status = each(user, o);
    json_object_unref(o);
    if (status != HM_OK)
      return status;
    at += len;
    if (*at == '\0')
      break;
  }
  return HM_OK;
}

static const char *text_of(JsonObject *o, const char *name)
{
  const char *text = hm_json_get_text(o, name);
  return text != NULL ? text : "-";
}

static void shorten(const char *lct, char out[HM_LCT_SHORT + 1])
{
  uint8_t id[32];
  (void)g_strlcpy(out, "-", HM_LCT_SHORT + 1);
  if (hm_lct_parse(lct, id) == HM_OK)
    hm_lct_format_short(id, out);
}

static enum hm_status print_row(void *user, JsonObject *o)
{
  (void)user;
  const char *object = text_of(o, "object");
  char lct[HM_LCT_SHORT + 1], host[HM_LCT_SHORT + 1];
  shorten(text_of(o, "lct"), lct);
  shorten(text_of(o, "host"), host);
  if (strcmp(object, "revocation") == 0)
    (void)snprintf(lct, sizeof lct, "%.14s", text_of(o, "certificate"));
  const char *what = strcmp(object, "pairing") == 0  ? text_of(o, "context")
                     : strcmp(object, "entity") == 0 ? text_of(o, "type")
                                                     : text_of(o, "reason");
  const char *state =
      strcmp(object, "revocation") == 0 ? text_of(o, "number") : text_of(o, "state");
  g_autofree char *safe = hm_text_escape(what);
  hm_say("%-10s  %-14s  %-20s  %-14s  %.19sZ  %.10s  %s", object, lct, safe, host,
         text_of(o, "since"), text_of(o, "until"), state);
  return HM_OK;
}

enum hm_status hm_authority_list(const char *folder, bool as_json, struct hm_error *err)
{
  if (as_json) {
    g_autofree char *text = NULL;
    HM_TRY(read_registry(folder, &text, err));
    (void)fputs(text, stdout);
    return HM_OK;
  }
  hm_say("%-10s  %-14s  %-20s  %-14s  %-20s  %-10s  %s", "OBJECT", "WHO", "WHAT", "HOST", "SINCE",
         "UNTIL", "STATE");
  return each_line(folder, print_row, NULL, err);
}

/* ---- what a text means -------------------------------------------------------------------- */

struct search {
  struct hm_lct_prefix prefix;
  uint8_t found[32];
  size_t count;
};

static enum hm_status match_row(void *user, JsonObject *o)
{
  struct search *search = user;
  uint8_t id[32];
  if (strcmp(text_of(o, "object"), "entity") != 0 || hm_lct_parse(text_of(o, "lct"), id) != HM_OK)
    return HM_OK;
  if (!hm_lct_prefix_matches(&search->prefix, id))
    return HM_OK;
  if (search->count > 0 && memcmp(search->found, id, 32) == 0)
    return HM_OK;
  memcpy(search->found, id, 32);
  search->count++;
  return HM_OK;
}

static enum hm_status parse_hex(const char *text, uint8_t name[32])
{
  if (strlen(text) != 64)
    return HM_MALFORMED;
  for (size_t i = 0; i < 32; i++) {
    int high = g_ascii_xdigit_value(text[2 * i]), low = g_ascii_xdigit_value(text[2 * i + 1]);
    if (high < 0 || low < 0 || g_ascii_isupper(text[2 * i]) || g_ascii_isupper(text[2 * i + 1]))
      return HM_MALFORMED;
    name[i] = (uint8_t)(high << 4 | low);
  }
  return HM_OK;
}

enum hm_status hm_authority_resolve(const char *folder, const char *text, uint8_t name[32],
                                    struct hm_error *err)
{
  if (parse_hex(text, name) == HM_OK || hm_lct_parse(text, name) == HM_OK)
    return HM_OK;
  if (strncmp(text, "lct:", 4) != 0)
    return hm_fail(err, HM_MALFORMED,
                   "%.80s: neither an LCT (lct:...) nor the 64 hex digits of a certificate", text);
  struct search search;
  memset(&search, 0, sizeof search);
  HM_TRY(hm_lct_prefix_parse(text, &search.prefix, err));
  HM_TRY(each_line(folder, match_row, &search, err));
  if (search.count == 0)
    return hm_fail(err, HM_NOT_FOUND, "%.80s: no entity here has an LCT that begins so", text);
  if (search.count > 1)
    return hm_fail(err, HM_EXISTS, "%.80s: %zu entities begin so; give more letters", text,
                   search.count);
  memcpy(name, search.found, 32);
  return HM_OK;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What changes the world: bind, unbind, pair, revoke. Each is handed to the core and
 * answered when the core is done; a client that leaves changes nothing about that.
 */
#include <string.h>

#include "services/daemon_api.h"
#include "services/names.h"

/* ---- bind ------------------------------------------------------------------------- */
static void on_bound(void *user, const struct hm_core_bound *result)
{
  struct hm_api_request *r = user;
  if (result->error.status != HM_OK)
    hm_api_problem(r, &result->error);
  else
    hm_api_answer(r, 201, hm_api_entity(&result->entity));
}

void hm_api_post_entities(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  struct hm_core_bind bind = {
      .source = hm_json_get_text(r->body, "source"),
      .name = hm_json_get_text(r->body, "name"),
      .key = hm_json_get_text(r->body, "key"),
      .gate = hm_json_get_text(r->body, "gate"),
  };
  if (bind.name && hm_name_check(bind.name, &error) != HM_OK) {
    hm_api_problem(r, &error);
    return;
  }
  hm_api_wait(r);
  hm_core_bind(r->api->core, &bind, on_bound, r);
}

/* ---- pair ---------------------------------------------------------------------------- */
static void on_paired(void *user, const struct hm_core_paired *result)
{
  struct hm_api_request *r = user;
  if (result->error.status != HM_OK && result->count <= 1) {
    hm_api_problem(r, &result->error);
    return;
  }
  JsonArray *list = json_array_new();
  unsigned failed = 0;
  for (unsigned i = 0; i < result->count; i++) {
    const struct hm_core_paired_one *one = &result->one[i];
    JsonObject *o = NULL;
    if (one->error.status != HM_OK) {
      o = json_object_new();
      hm_json_set_text(o, "name", one->name);
      hm_json_set_text(o, "hm_status", hm_status_row(one->error.status)->name);
      hm_json_set_text(o, "detail", hm_error_text(&one->error));
      failed++;
    } else {
      o = hm_api_pairing(one->name, &one->pairing);
      JsonObject *gate = json_object_new();
      hm_json_set_text(gate, "state", hm_flow_text(one->gate));
      hm_json_set_text(gate, "health", hm_health_text(one->health));
      hm_json_set_u64(gate, "frames", one->frames);
      if (one->has_frame) {
        json_object_set_int_member(gate, "first_frame_ms", one->first_frame_ms);
        hm_json_set_fraction(gate, "fps", one->fps_milli / 1000.0);
      } else {
        hm_json_set_null(gate, "first_frame_ms");
        hm_json_set_null(gate, "fps");
      }
      json_object_set_object_member(o, "gate", gate);
    }
    json_array_add_object_element(list, o);
  }
  JsonObject *o = json_object_new();
  json_object_set_array_member(o, "pairings", list);
  json_object_set_int_member(o, "failed", failed);
  hm_api_answer(r, 201, o);
}

static enum hm_status read_operations(JsonArray *words, uint32_t *bits, struct hm_error *error)
{
  *bits = 0;
  for (guint i = 0; words && i < json_array_get_length(words); i++) {
    const char *word = json_array_get_string_element(words, i);
    uint32_t code = 0;
    if (!hm_code_find(&hm_operations, hm_bytes(word, strlen(word)), &code))
      return hm_fail(error, HM_MALFORMED, "operation %.32s: unknown; see: hallmark spec operation",
                     word);
    *bits |= UINT32_C(1) << code;
  }
  return HM_OK;
}

void hm_api_post_pairings(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  JsonArray *names = hm_json_get_list(r->body, "names");
  struct hm_core_pair pair = {
      .name_count = json_array_get_length(names),
      .context = hm_json_get_text(r->body, "context"),
      .seconds = hm_json_get_uint(r->body, "seconds", 0),
      .with = hm_json_get_text(r->body, "with"),
      .again = hm_json_get_text(r->body, "again"),
  };
  enum hm_status status =
      read_operations(hm_json_get_list(r->body, "operations"), &pair.operations, &error);
  for (unsigned i = 0; i < pair.name_count && status == HM_OK; i++) {
    pair.names[i] = json_array_get_string_element(names, i);
    status = hm_name_check(pair.names[i], &error);
  }
  if (status != HM_OK) {
    hm_api_problem(r, &error);
    return;
  }
  hm_api_wait(r);
  hm_core_pair(r->api->core, &pair, on_paired, r);
}

/* ---- revoke, unbind --------------------------------------------------------------------- */
static void on_revoked(void *user, const struct hm_core_revoked *result)
{
  struct hm_api_request *r = user;
  if (result->error.status != HM_OK) {
    hm_api_problem(r, &result->error);
    return;
  }
  JsonArray *entries = json_array_new(), *gates = json_array_new();
  for (unsigned i = 0; i < result->entry_count; i++) {
    char text[24];
    g_snprintf(text, sizeof text, "c%" G_GUINT64_FORMAT, result->entries[i]);
    json_array_add_string_element(entries, text);
  }
  for (unsigned i = 0; i < result->gate_count; i++) {
    const struct hm_core_gate_end *end = &result->gates[i];
    JsonObject *o = json_object_new();
    hm_json_set_text(o, "name", end->name);
    hm_json_set_text(o, "gate",
                     !end->had_gate ? "none" : (end->is_confirmed ? "confirmed" : "ran out"));
    if (end->is_confirmed)
      hm_json_set_u64(o, "last_frame", end->last_frame);
    else
      hm_json_set_null(o, "last_frame");
    json_object_set_boolean_member(o, "still_flows", end->still_flows);
    hm_json_set_log(o, "effective", 'c', end->effective);
    json_array_add_object_element(gates, o);
  }
  JsonObject *o = json_object_new();
  hm_json_set_log(o, "entry", 'c', result->control);
  json_object_set_array_member(o, "entries", entries);
  hm_json_set_text(o, "by", result->by_authority ? "authority" : "host");
  json_object_set_array_member(o, "gates", gates);
  hm_api_answer(r, 200, o);
}

void hm_api_post_revocations(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  const char *name = hm_json_get_text(r->body, "name");
  const char *entry = hm_json_get_text(r->body, "entry");
  struct hm_core_revoke revoke = {
      .object = name ? name : entry,
      .context = hm_json_get_text(r->body, "context"),
      .reason = hm_json_get_text(r->body, "reason"),
  };
  struct hm_reference reference;
  enum hm_status status = HM_OK;
  if (!name == !entry)
    status = hm_fail(&error, HM_MALFORMED, "one of name and entry is needed");
  else if (name)
    status = hm_name_check(name, &error);
  else if ((status = hm_reference_parse(entry, &reference, &error)) == HM_OK &&
           reference.look != HM_LOOK_ENTRY)
    status = hm_fail(&error, HM_MALFORMED, "entry %s: expected cN", entry);
  if (status != HM_OK) {
    hm_api_problem(r, &error);
    return;
  }
  hm_api_wait(r);
  hm_core_revoke(r->api->core, &revoke, on_revoked, r);
}

void hm_api_delete_entity(struct hm_api_request *r)
{
  hm_api_wait(r);
  hm_core_unbind(r->api->core, r->object, hm_api_parameter(r, "reason"), on_revoked, r);
}

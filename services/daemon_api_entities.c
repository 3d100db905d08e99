/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Status, sources and entities: snapshots of the core as JSON.
 */
#include <string.h>

#include "services/daemon_api.h"
#include "services/names.h"
#include "services/text.h"
#include "trust/capability.h"

static const uint64_t second_ns = UINT64_C(1000000000);

static void set_lct(JsonObject *o, const char *member, const uint8_t lct[32])
{
  char text[HM_LCT_TEXT + 1];
  hm_lct_format(lct, text);
  hm_json_set_text(o, member, text);
}

JsonObject *hm_api_pairing(const char *name, const struct hm_core_pairing *pairing)
{
  JsonObject *o = json_object_new();
  hm_json_set_text(o, "name", name);
  hm_json_set_text(o, "context", pairing->context_text);
  hm_json_set_log(o, "entry", 'c', pairing->certificate_control);
  hm_json_set_log(o, "completion", 'c', pairing->control);
  hm_json_set_hex(o, "certificate", pairing->certificate, 32);
  hm_json_set_time_ns(o, "from", pairing->from_s * second_ns);
  hm_json_set_time_ns(o, "until", pairing->until_s * second_ns);
  JsonArray *operations = json_array_new();
  for (size_t i = 0; i < hm_operations.count; i++)
    if (pairing->operations >> hm_operations.codes[i].code & 1)
      json_array_add_string_element(operations, hm_operations.codes[i].name);
  json_object_set_array_member(o, "operations", operations);
  hm_json_set_text(o, "state", hm_pairing_state_text(pairing->state));
  hm_json_set_log(o, "revocation", 'c', pairing->revocation);
  return o;
}

static JsonObject *gate_of(const struct hm_core_entity *entity)
{
  JsonObject *o = json_object_new();
  uint64_t dropped = 0;
  for (size_t i = 0; i < HM_DROP_REASONS; i++)
    dropped += entity->dropped[i];
  hm_json_set_text(o, "state", hm_flow_text(entity->gate));
  hm_json_set_u64(o, "last_frame", entity->last_frame);
  hm_json_set_u64(o, "passed", entity->passed);
  hm_json_set_u64(o, "dropped", dropped);
  hm_json_set_fraction(o, "fps", entity->fps_milli / 1000.0);
  return o;
}

/* What an entity is, in the words of its life states (2-trust). */
static const char *state_of(const struct hm_core_entity *entity)
{
  if (entity->is_void)
    return "void";
  for (unsigned i = 0; i < entity->pairing_count; i++)
    if (entity->pairings[i].state == HM_PAIRING_LIVE)
      return entity->gate == HM_FLOW_FLOWING ? "active" : "paired";
  return "bound";
}

JsonObject *hm_api_entity(const struct hm_core_entity *entity)
{
  JsonObject *o = json_object_new();
  char buffer[24];
  hm_json_set_text(o, "name", entity->name);
  set_lct(o, "lct", entity->lct);
  hm_json_set_text(o, "class", hm_view_code(&hm_classes, entity->class_code, buffer));
  hm_json_set_text(o, "type", hm_view_code(&hm_entity_types, entity->entity_type, buffer));
  hm_json_set_text(o, "kind", entity->kind ? hm_view_code(&hm_kinds, entity->kind, buffer) : "");
  hm_json_set_text(o, "state", state_of(entity));
  json_object_set_boolean_member(o, "host", entity->is_host);
  hm_json_set_log(o, "binding", 'c', entity->control);
  JsonObject *anchor = json_object_new();
  hm_json_set_text(anchor, "class", hm_view_code(&hm_anchors, entity->anchor_class, buffer));
  hm_json_set_hex(anchor, "digest", entity->anchor, 32);
  json_object_set_object_member(o, "anchor", anchor);
  hm_json_set_fraction(o, "assurance", entity->assurance_percent / 100.0);
  hm_json_set_text(o, "source", entity->source[0] ? entity->source : NULL);
  hm_json_set_text(o, "what", entity->what);
  hm_json_set_text(o, "health", hm_health_text(entity->health));
  hm_json_set_time_ns(o, "health_since", entity->health_since_s * second_ns);
  hm_json_set_u64(o, "memories", entity->memories);
  hm_json_set_u64(o, "unauthorized", entity->unauthorized);
  JsonArray *pairings = json_array_new();
  for (unsigned i = 0; i < entity->pairing_count; i++)
    json_array_add_object_element(pairings, hm_api_pairing(entity->name, &entity->pairings[i]));
  json_object_set_array_member(o, "pairings", pairings);
  if (entity->is_host)
    hm_json_set_null(o, "gate");
  else
    json_object_set_object_member(o, "gate", gate_of(entity));
  return o;
}

void hm_api_get_entities(struct hm_api_request *r)
{
  JsonArray *list = json_array_new();
  g_autofree struct hm_core_entity *entity = g_new0(struct hm_core_entity, 1);
  for (unsigned i = 0; hm_core_entity_at(r->api->core, i, entity) == HM_OK; i++)
    json_array_add_object_element(list, hm_api_entity(entity));
  JsonObject *o = json_object_new();
  json_object_set_array_member(o, "entities", list);
  hm_api_answer(r, 200, o);
}

void hm_api_get_entity(struct hm_api_request *r)
{
  struct hm_error error = {HM_OK, ""};
  g_autofree struct hm_core_entity *entity = g_new0(struct hm_core_entity, 1);
  if (hm_core_entity_named(r->api->core, r->object, entity) != HM_OK) {
    (void)hm_fail(&error, HM_NOT_FOUND, "%.64s: no entity of this name; run: hallmark ls",
                  r->object);
    hm_api_problem(r, &error);
    return;
  }
  hm_api_answer(r, 200, hm_api_entity(entity));
}

static void on_sources(void *user, const struct hm_core_sources *result)
{
  struct hm_api_request *r = user;
  if (result->error.status != HM_OK) {
    hm_api_problem(r, &result->error);
    return;
  }
  JsonArray *list = json_array_new();
  for (unsigned i = 0; i < result->count; i++) {
    JsonObject *s = json_object_new();
    hm_json_set_text(s, "source", result->source[i].source);
    hm_json_set_text(s, "kind", result->source[i].kind);
    hm_json_set_text(s, "what", result->source[i].what);
    hm_json_set_text(s, "state", result->source[i].state);
    json_array_add_object_element(list, s);
  }
  JsonObject *o = json_object_new();
  json_object_set_array_member(o, "sources", list);
  json_object_set_boolean_member(o, "cut", result->is_cut);
  json_object_set_boolean_member(o, "media_answered", result->media_answered);
  hm_api_answer(r, 200, o);
}

void hm_api_get_sources(struct hm_api_request *r)
{
  hm_api_wait(r);
  hm_core_discover(r->api->core, on_sources, r);
}

static void set_authority(JsonObject *o, const struct hm_core_status *s)
{
  JsonObject *authority = json_object_new();
  set_lct(authority, "lct", s->authority);
  hm_json_set_text(authority, "state", s->authority_answers ? "reachable" : "unreachable");
  hm_json_set_time_ns(authority, "heard", s->authority_heard_s * second_ns);
  hm_json_set_u64(authority, "revocations", s->revocations);
  json_object_set_object_member(o, "authority", authority);
}

static void set_store(JsonObject *o, const struct hm_core_status *s)
{
  JsonObject *store = json_object_new();
  hm_json_set_u64(store, "memories", s->records);
  hm_json_set_u64(store, "batches", s->batches);
  hm_json_set_u64(store, "entries", s->control_size);
  hm_json_set_log(store, "head", 'c', s->head);
  hm_json_set_u64(store, "bytes", s->store_bytes);
  hm_json_set_u64(store, "written", s->bytes_written);
  json_object_set_object_member(o, "store", store);
}

static unsigned count_live(struct hm_core *core, struct hm_core_entity *entity)
{
  unsigned live = 0;
  for (unsigned i = 0; hm_core_entity_at(core, i, entity) == HM_OK; i++)
    for (unsigned p = 0; p < entity->pairing_count; p++)
      live += entity->pairings[p].state == HM_PAIRING_LIVE;
  return live;
}

void hm_api_get_status(struct hm_api_request *r)
{
  struct hm_core_status s;
  char buffer[24];
  hm_core_status(r->api->core, &s);
  g_autofree struct hm_core_entity *entity = g_new0(struct hm_core_entity, 1);
  JsonObject *o = json_object_new();
  hm_json_set_text(o, "version", s.version);
  hm_json_set_text(o, "state", s.is_stopping ? "stopping" : "running");
  set_lct(o, "host", s.host);
  set_authority(o, &s);
  hm_json_set_u64(o, "boot", s.boot_count);
  hm_json_set_u64(o, "uptime_ms", s.uptime_ms);
  JsonObject *clock = json_object_new();
  hm_json_set_text(clock, "quality", hm_view_code(&hm_qualities, s.quality, buffer));
  hm_json_set_time_ns(clock, "time", s.time_s * second_ns);
  json_object_set_object_member(o, "clock", clock);
  set_store(o, &s);
  json_object_set_int_member(o, "entities", s.entities);
  json_object_set_int_member(o, "pairings", count_live(r->api->core, entity));
  json_object_set_int_member(o, "media", s.media);
  JsonArray *gates = json_array_new();
  for (unsigned i = 0; hm_core_entity_at(r->api->core, i, entity) == HM_OK; i++) {
    if (entity->is_host || entity->is_void)
      continue;
    JsonObject *gate = gate_of(entity);
    hm_json_set_text(gate, "sensor", entity->name);
    hm_json_set_text(gate, "health", hm_health_text(entity->health));
    json_array_add_object_element(gates, gate);
  }
  json_object_set_array_member(o, "gates", gates);
  hm_api_answer(r, 200, o);
}

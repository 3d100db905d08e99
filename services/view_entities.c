/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Entities and their pairings as the control log alone tells them: for a store that no
 * daemon holds. What only a running daemon knows (gates, health) is null.
 */
#include <glib.h>
#include <string.h>

#include "services/names.h"
#include "services/text.h"
#include "services/view.h"

static const uint64_t second_ns = UINT64_C(1000000000);

/* What is read from the log, in its order. */
struct reading {
  const struct hm_view *view;
  GArray *bindings; /* struct bound */
  GArray *pairings; /* struct paired */
  uint64_t now_s;
};
struct bound {
  uint64_t control;
  uint8_t lct[32], name[32], anchor[32];
  uint64_t class, type, kind, anchor_class;
  uint64_t revocation;
};
struct paired {
  uint64_t control, completion, revocation;
  uint8_t name[32], id[16], entities[2][32];
  uint64_t context, nbf, exp;
  char context_name[65];
  uint64_t operations[6];
  uint32_t operation_count;
};

static enum hm_status take_binding(struct reading *r, const struct hm_log_entry *entry)
{
  struct hm_binding binding;
  struct hm_binding_request request;
  struct bound b = {.control = entry->number};
  HM_TRY(hm_signed_open(r->view->crypto, entry->object, HM_TYP_BINDING, &hm_shape_binding, NULL,
                        &binding, NULL, b.name));
  HM_TRY(hm_signed_open(r->view->crypto, binding.request, HM_TYP_BINDING_REQUEST,
                        &hm_shape_binding_request, NULL, &request, NULL, NULL));
  HM_TRY(hm_key_thumbprint(r->view->crypto, request.sign, b.lct));
  memcpy(b.anchor, request.descriptors, 32);
  b.class = request.class;
  b.type = request.type;
  b.kind = request.kind;
  b.anchor_class = request.anchor;
  g_array_append_val(r->bindings, b);
  return HM_OK;
}

static enum hm_status take_pairing(struct reading *r, const struct hm_log_entry *entry)
{
  struct hm_pairing pairing;
  struct paired p = {.control = entry->number};
  HM_TRY(hm_signed_open(r->view->crypto, entry->object, HM_TYP_PAIRING, &hm_shape_pairing, NULL,
                        &pairing, NULL, p.name));
  HM_TRY(hm_policy_decode(pairing.metadata, &pairing.policy));
  const struct hm_policy *policy = &pairing.policy;
  memcpy(p.id, policy->pairing_id, 16);
  memcpy(p.entities, policy->entities, sizeof p.entities);
  memcpy(p.operations, policy->operations, sizeof p.operations);
  p.operation_count = policy->operation_count;
  p.context = policy->context;
  p.nbf = pairing.nbf;
  p.exp = pairing.exp;
  if (policy->has_context_name)
    memcpy(p.context_name, policy->context_name.data, MIN(policy->context_name.len, (size_t)64));
  g_array_append_val(r->pairings, p);
  return HM_OK;
}

static enum hm_status take_receipt(struct reading *r, const struct hm_log_entry *entry)
{
  struct hm_receipt receipt;
  HM_TRY(hm_signed_open(r->view->crypto, entry->object, HM_TYP_RECEIPT, &hm_shape_receipt, NULL,
                        &receipt, NULL, NULL));
  if (receipt.kind != HM_RECEIPT_COMPLETION || receipt.result != HM_RESULT_PASS)
    return HM_OK;
  for (guint i = 0; i < r->pairings->len; i++) {
    struct paired *p = &g_array_index(r->pairings, struct paired, i);
    if (memcmp(p->name, receipt.certificate, 32) == 0)
      p->completion = entry->number;
  }
  return HM_OK;
}

static enum hm_status take_revocation(struct reading *r, const struct hm_log_entry *entry)
{
  struct hm_revocation revocation;
  struct hm_sign1 sign1;
  HM_TRY(hm_sign1_parse(entry->object, false, &sign1));
  memset(&revocation, 0, sizeof revocation);
  if (hm_decode(&hm_shape_revocation, sign1.payload, &revocation, NULL) != HM_OK)
    HM_TRY(hm_decode(&hm_shape_local_revocation, sign1.payload, &revocation, NULL));
  for (guint i = 0; i < r->bindings->len; i++) {
    struct bound *b = &g_array_index(r->bindings, struct bound, i);
    if (hm_revocation_names(&revocation, b->lct) || hm_revocation_names(&revocation, b->name))
      b->revocation = entry->number;
  }
  for (guint i = 0; i < r->pairings->len; i++) {
    struct paired *p = &g_array_index(r->pairings, struct paired, i);
    if (hm_revocation_ends_pairing(&revocation, p->name, p->id) ||
        hm_revocation_names(&revocation, p->entities[0]) ||
        hm_revocation_names(&revocation, p->entities[1]))
      p->revocation = entry->number;
  }
  return HM_OK;
}

static enum hm_status take_entry(void *context, const struct hm_log_entry *entry)
{
  static const struct {
    uint16_t typ;
    enum hm_status (*take)(struct reading *r, const struct hm_log_entry *entry);
  } takers[] = {{HM_TYP_BINDING, take_binding},
                {HM_TYP_PAIRING, take_pairing},
                {HM_TYP_RECEIPT, take_receipt},
                {HM_TYP_REVOCATION, take_revocation}};
  for (size_t i = 0; i < G_N_ELEMENTS(takers); i++)
    if (takers[i].typ == entry->typ)
      (void)takers[i].take(context, entry); /* what does not parse is for verify to name */
  return HM_OK;
}

static const char *state_of(const struct reading *r, const struct paired *p)
{
  if (p->revocation > 0)
    return "revoked";
  if (p->completion == 0)
    return "incomplete";
  return p->exp <= r->now_s ? "expired" : "live";
}

static JsonObject *pairing_json(const struct reading *r, const struct paired *p, const char *name)
{
  JsonObject *o = json_object_new();
  JsonArray *operations = json_array_new();
  char buffer[24];
  hm_json_set_text(o, "name", name);
  hm_json_set_text(o, "context",
                   p->context_name[0] ? p->context_name
                                      : hm_view_code(&hm_contexts, p->context, buffer));
  hm_json_set_log(o, "entry", 'c', p->control);
  hm_json_set_log(o, "completion", 'c', p->completion);
  hm_json_set_hex(o, "certificate", p->name, 32);
  hm_json_set_time_ns(o, "from", p->nbf * second_ns);
  hm_json_set_time_ns(o, "until", p->exp * second_ns);
  for (uint32_t i = 0; i < p->operation_count; i++)
    json_array_add_string_element(operations,
                                  hm_view_code(&hm_operations, p->operations[i], buffer));
  json_object_set_array_member(o, "operations", operations);
  hm_json_set_text(o, "state", state_of(r, p));
  hm_json_set_log(o, "revocation", 'c', p->revocation);
  return o;
}

static JsonObject *entity_json(const struct reading *r, const struct bound *b)
{
  JsonObject *o = json_object_new(), *anchor = json_object_new();
  JsonArray *pairings = json_array_new();
  char name[64], lct[HM_LCT_TEXT + 1], buffer[24];
  bool is_paired = false;
  hm_view_name(r->view, b->lct, name, sizeof name);
  hm_lct_format(b->lct, lct);
  for (guint i = 0; i < r->pairings->len; i++) {
    const struct paired *p = &g_array_index(r->pairings, struct paired, i);
    if (memcmp(p->entities[1], b->lct, 32) != 0)
      continue;
    is_paired |= strcmp(state_of(r, p), "live") == 0;
    json_array_add_object_element(pairings, pairing_json(r, p, name));
  }
  hm_json_set_text(o, "name", name);
  hm_json_set_text(o, "lct", lct);
  hm_json_set_text(o, "class", hm_view_code(&hm_classes, b->class, buffer));
  hm_json_set_text(o, "type", hm_view_code(&hm_entity_types, b->type, buffer));
  hm_json_set_text(o, "kind", b->kind ? hm_view_code(&hm_kinds, b->kind, buffer) : "");
  hm_json_set_text(o, "state", b->revocation ? "void" : (is_paired ? "paired" : "bound"));
  json_object_set_boolean_member(o, "host", b->type == HM_ENTITY_HOST);
  hm_json_set_log(o, "binding", 'c', b->control);
  hm_json_set_text(anchor, "class", hm_view_code(&hm_anchors, b->anchor_class, buffer));
  hm_json_set_hex(anchor, "digest", b->anchor, 32);
  json_object_set_object_member(o, "anchor", anchor);
  hm_json_set_fraction(o, "assurance", hm_assurance_ceiling(b->anchor_class) / 1000.0);
  json_object_set_array_member(o, "pairings", pairings);
  hm_json_set_null(o, "gate");
  return o;
}

enum hm_status hm_view_entities(const struct hm_view *view, uint64_t now_s, JsonObject **out,
                                struct hm_error *err)
{
  struct hm_log *log = hm_store_control(view->store);
  struct reading r = {.view = view, .now_s = now_s};
  uint64_t size = hm_log_size(log);
  enum hm_status status = HM_OK;
  r.bindings = g_array_new(FALSE, FALSE, sizeof(struct bound));
  r.pairings = g_array_new(FALSE, FALSE, sizeof(struct paired));
  for (uint64_t at = 1; at <= size && status == HM_OK; at += 256)
    status = hm_log_scan(log, at, 256, take_entry, &r);
  if (status == HM_OK) {
    JsonArray *list = json_array_new();
    for (guint i = 0; i < r.bindings->len; i++)
      json_array_add_object_element(list,
                                    entity_json(&r, &g_array_index(r.bindings, struct bound, i)));
    *out = json_object_new();
    json_object_set_array_member(*out, "entities", list);
  }
  g_array_unref(r.bindings);
  g_array_unref(r.pairings);
  return status == HM_OK ? HM_OK : hm_fail(err, status, "control log: %s", hm_status_text(status));
}

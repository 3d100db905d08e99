/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A sentence a control entry, by a table of its typ. The objects are decoded, not
 * verified: who asks what is proven asks `why` or `verify`.
 */
#include "services/view.h"

#include <glib.h>
#include <string.h>

#include "services/names.h"
#include "services/text.h"

/* What a describer leaves behind. */
struct said {
  char what[256];
  bool has_subject;
  uint8_t subject[32];
  uint64_t iat;
};

typedef enum hm_status (*describer)(const struct hm_view *view, struct hm_bytes object,
                                    struct said *said);

/* Whole seconds of a certificate: RFC 3339 without a fraction. */
static void format_seconds(uint64_t seconds, char out[HM_TEXT_TIME])
{
  hm_text_time_utc(seconds * UINT64_C(1000000000), out);
  g_strlcpy(out + 19, "Z", HM_TEXT_TIME - 19);
}

static void set_subject(struct said *said, const uint8_t lct[32])
{
  said->has_subject = true;
  memcpy(said->subject, lct, 32);
}

static enum hm_status describe_binding(const struct hm_view *view, struct hm_bytes object,
                                       struct said *said)
{
  struct hm_binding binding;
  struct hm_binding_request request;
  HM_TRY(hm_signed_open(view->crypto, object, HM_TYP_BINDING, &hm_shape_binding, NULL, &binding,
                        NULL, NULL));
  HM_TRY(hm_signed_open(view->crypto, binding.request, HM_TYP_BINDING_REQUEST,
                        &hm_shape_binding_request, NULL, &request, NULL, NULL));
  uint8_t lct[32];
  HM_TRY(hm_key_thumbprint(view->crypto, request.sign, lct));
  char name[64], type[24], class[24], anchor[24];
  hm_view_name(view, lct, name, sizeof name);
  set_subject(said, lct);
  said->iat = binding.iat;
  g_snprintf(said->what, sizeof said->what, "%s bound: %s, class %s, anchor %s, assurance %.2f",
             name, hm_view_code(&hm_entity_types, request.type, type),
             hm_view_code(&hm_classes, request.class, class),
             hm_view_code(&hm_anchors, request.anchor, anchor),
             hm_assurance_ceiling(request.anchor) / 1000.0);
  return HM_OK;
}

static enum hm_status describe_pairing(const struct hm_view *view, struct hm_bytes object,
                                       struct said *said)
{
  struct hm_pairing pairing;
  HM_TRY(hm_signed_open(view->crypto, object, HM_TYP_PAIRING, &hm_shape_pairing, NULL, &pairing,
                        NULL, NULL));
  HM_TRY(hm_policy_decode(pairing.metadata, &pairing.policy));
  char a[64], b[64], context[24], until[HM_TEXT_TIME];
  hm_view_name(view, pairing.policy.entities[0], a, sizeof a);
  hm_view_name(view, pairing.policy.entities[1], b, sizeof b);
  format_seconds(pairing.exp, until);
  set_subject(said, pairing.policy.entities[1]);
  said->iat = pairing.iat;
  if (pairing.policy.has_context_name)
    g_snprintf(context, sizeof context, "%.*s",
               (int)MIN(pairing.policy.context_name.len, sizeof context - 1),
               (const char *)pairing.policy.context_name.data);
  g_snprintf(said->what, sizeof said->what, "%s with %s for %s until %s", b, a,
             pairing.policy.has_context_name
                 ? context
                 : hm_view_code(&hm_contexts, pairing.policy.context, context),
             until);
  return HM_OK;
}

static enum hm_status describe_receipt(const struct hm_view *view, struct hm_bytes object,
                                       struct said *said)
{
  struct hm_receipt r;
  HM_TRY(hm_signed_open(view->crypto, object, HM_TYP_RECEIPT, &hm_shape_receipt, NULL, &r, NULL,
                        NULL));
  char name[64], context[24];
  hm_view_name(view, r.subject, name, sizeof name);
  set_subject(said, r.subject);
  said->iat = r.iat;
  GString *what = g_string_new(name);
  if (r.has_context)
    g_string_append_printf(what, ", %s", hm_view_code(&hm_contexts, r.context, context));
  if (r.kind == HM_RECEIPT_EFFECTIVE && r.result == HM_RESULT_PASS && r.has_last_frame)
    g_string_append_printf(what, ": shut after frame %" G_GUINT64_FORMAT, r.last_frame);
  else if (r.kind == HM_RECEIPT_EFFECTIVE)
    g_string_append(what, ": ran out, unconfirmed");
  else if (r.kind == HM_RECEIPT_EXPORT_ENDED && r.result == HM_RESULT_FAIL)
    g_string_append(what, ": aborted");
  else if (r.result == HM_RESULT_FAIL)
    g_string_append(what, ": failed");
  if (r.kind == HM_RECEIPT_START)
    g_string_append_printf(what, ", boot %" G_GUINT64_FORMAT, r.boot_count);
  if (r.has_flags)
    g_string_append(what, ", both ends in one process");
  if (r.has_reason && r.reason == HM_REASON_RESTART)
    g_string_append(what, ", by restart");
  g_strlcpy(said->what, what->str, sizeof said->what);
  g_string_free(what, TRUE);
  return HM_OK;
}

static enum hm_status describe_revocation(const struct hm_view *view, struct hm_bytes object,
                                          struct said *said)
{
  static const struct hm_shape *const bodies[] = {&hm_shape_revocation, &hm_shape_local_revocation};
  struct hm_revocation r;
  enum hm_status status = HM_MALFORMED;
  size_t i = 0;
  for (; i < G_N_ELEMENTS(bodies) && status != HM_OK; i++)
    status =
        hm_signed_open(view->crypto, object, HM_TYP_REVOCATION, bodies[i], NULL, &r, NULL, NULL);
  HM_TRY(status);
  char reason[24], target[2 * 32 + 1], what[64];
  uint64_t number = 0;
  said->iat = r.iat;
  hm_text_hex(r.certificate, 32, target);
  if (hm_log_find(hm_store_control(view->store), r.certificate, &number) == HM_OK) {
    g_snprintf(what, sizeof what, "c%" G_GUINT64_FORMAT, number);
  } else {
    hm_view_name(view, r.certificate, what, sizeof what);
    set_subject(said, r.certificate);
  }
  g_snprintf(said->what, sizeof said->what, "%s revoked, %s, %s", what,
             hm_view_code(&hm_reasons, r.reason, reason),
             i == 2 ? "by this host" : "by the authority");
  return HM_OK;
}

static enum hm_status describe_session(const struct hm_view *view, struct hm_bytes object,
                                       struct said *said)
{
  struct hm_session s;
  HM_TRY(hm_signed_open(view->crypto, object, HM_TYP_SESSION, &hm_shape_session, NULL, &s, NULL,
                        NULL));
  char until[HM_TEXT_TIME];
  format_seconds(s.exp, until);
  said->iat = s.iat;
  g_snprintf(said->what, sizeof said->what, "signs from r%" G_GUINT64_FORMAT " until %s", s.first,
             until);
  return HM_OK;
}

static enum hm_status describe_head(const struct hm_view *view, struct hm_bytes object,
                                    struct said *said)
{
  struct hm_head head;
  HM_TRY(
      hm_signed_open(view->crypto, object, HM_TYP_HEAD, &hm_shape_head, NULL, &head, NULL, NULL));
  said->iat = head.iat;
  g_snprintf(said->what, sizeof said->what, "data log at r%" G_GUINT64_FORMAT, head.data_tree.size);
  return HM_OK;
}

static enum hm_status describe_export(const struct hm_view *view, struct hm_bytes object,
                                      struct said *said)
{
  struct hm_export e;
  HM_TRY(
      hm_signed_open(view->crypto, object, HM_TYP_EXPORT, &hm_shape_export, NULL, &e, NULL, NULL));
  char kind[24];
  said->iat = e.iat;
  g_snprintf(said->what, sizeof said->what, "%s of %" G_GUINT64_FORMAT " record%s",
             hm_view_code(&hm_export_kinds, e.kind, kind), e.count, e.count == 1 ? "" : "s");
  return HM_OK;
}

static enum hm_status describe_law(const struct hm_view *view, struct hm_bytes object,
                                   struct said *said)
{
  struct hm_law law;
  HM_TRY(hm_signed_open(view->crypto, object, HM_TYP_LAW, &hm_shape_law, NULL, &law, NULL, NULL));
  char digest[17];
  hm_text_hex(law.law, 8, digest);
  said->iat = law.iat;
  g_snprintf(said->what, sizeof said->what, "configuration %s...", digest);
  return HM_OK;
}

static const struct {
  uint16_t typ;
  describer describe;
} describers[] = {
    {HM_TYP_BINDING, describe_binding}, {HM_TYP_PAIRING, describe_pairing},
    {HM_TYP_RECEIPT, describe_receipt}, {HM_TYP_REVOCATION, describe_revocation},
    {HM_TYP_SESSION, describe_session}, {HM_TYP_HEAD, describe_head},
    {HM_TYP_EXPORT, describe_export},   {HM_TYP_LAW, describe_law},
};

static enum hm_status describe(const struct hm_view *view, const struct hm_log_entry *entry,
                               struct said *said)
{
  for (size_t i = 0; i < G_N_ELEMENTS(describers); i++)
    if (describers[i].typ == entry->typ)
      return describers[i].describe(view, entry->object, said);
  return HM_UNSUPPORTED;
}

enum hm_status hm_view_entry(const struct hm_view *view, const struct hm_log_entry *entry,
                             JsonObject **out, struct hm_error *err)
{
  struct hm_sign1 sign1;
  uint8_t name[32];
  struct said said = {.what = ""};
  enum hm_status status = hm_sign1_parse(entry->object, false, &sign1);
  if (status == HM_OK)
    status = hm_sign1_name(view->crypto, &sign1, hm_bytes(NULL, 0), name);
  if (status != HM_OK)
    return hm_fail(err, HM_DAMAGED, "c%" G_GUINT64_FORMAT ": %s", entry->number,
                   hm_status_text(status));
  if (describe(view, entry, &said) != HM_OK)
    g_strlcpy(said.what, "(not understood by this version)", sizeof said.what);
  JsonObject *o = json_object_new();
  hm_json_set_log(o, "id", 'c', entry->number);
  hm_json_set_text(o, "kind", hm_control_entry_kind(entry->object));
  json_object_set_int_member(o, "typ", entry->typ);
  hm_json_set_time_ns(o, "time", said.iat * UINT64_C(1000000000));
  hm_json_set_hex(o, "object", name, sizeof name);
  json_object_set_int_member(o, "bytes", (gint64)entry->object.len);
  hm_json_set_u64(o, "data_size", entry->durable_batches);
  char subject[64];
  if (said.has_subject)
    hm_view_name(view, said.subject, subject, sizeof subject);
  hm_json_set_text(o, "subject", said.has_subject ? subject : NULL);
  hm_json_set_text(o, "what", said.what);
  *out = o;
  return HM_OK;
}

struct listing {
  const struct hm_view *view;
  JsonArray *list;
  struct hm_error *err;
};

static enum hm_status list_entry(void *context, const struct hm_log_entry *entry)
{
  struct listing *l = context;
  JsonObject *o = NULL;
  HM_TRY(hm_view_entry(l->view, entry, &o, l->err));
  json_array_add_object_element(l->list, o);
  return HM_OK;
}

enum hm_status hm_view_control(const struct hm_view *view, uint64_t since, uint64_t limit,
                               JsonObject **out, struct hm_error *err)
{
  struct hm_log *log = hm_store_control(view->store);
  uint64_t size = hm_log_size(log);
  if (since > size)
    return hm_fail(err, HM_NOT_FOUND,
                   "c%" G_GUINT64_FORMAT ": no such entry; the newest is c%" G_GUINT64_FORMAT,
                   since, size);
  struct listing l = {view, json_array_new(), err};
  enum hm_status status = hm_log_scan(log, since + 1, limit, list_entry, &l);
  if (status != HM_OK && status != HM_NOT_FOUND) {
    json_array_unref(l.list);
    if (err->status == HM_OK)
      return hm_fail(err, status, "control log: %s", hm_status_text(status));
    return status;
  }
  uint64_t last = since + json_array_get_length(l.list);
  *out = json_object_new();
  json_object_set_array_member(*out, "entries", l.list);
  hm_json_set_log(*out, "next", 'c', last < size ? last : 0);
  return HM_OK;
}

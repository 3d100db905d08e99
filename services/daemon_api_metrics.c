/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Prometheus text. Names and units are those of docs/guide/api.md; label values come
 * from outside and are escaped.
 */
#include <string.h>

#include "services/daemon_api.h"
#include "services/text.h"

static void head(GString *out, const char *name, const char *type, const char *help)
{
  g_string_append_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void plain(GString *out, const char *name, const char *type, const char *help,
                  uint64_t value)
{
  head(out, name, type, help);
  g_string_append_printf(out, "%s %" G_GUINT64_FORMAT "\n", name, value);
}

static void seconds(GString *out, const char *name, const char *help, uint64_t us)
{
  head(out, name, "gauge", help);
  g_string_append_printf(out, "%s %" G_GUINT64_FORMAT ".%06u\n", name, us / 1000000,
                         (unsigned)(us % 1000000));
}

/* The label value as Prometheus wants it: backslash, quote and newline escaped; names
 * hold none of them, so what hm_text_escape leaves is enough once quotes are gone. */
static char *label(const char *text)
{
  g_autofree char *safe = hm_text_escape(text);
  return g_strdelimit(g_steal_pointer(&safe), "\"", '\'');
}

typedef void (*one_sensor)(GString *out, const char *sensor, const struct hm_core_entity *entity);

static void each_sensor(GString *out, struct hm_core *core, one_sensor call)
{
  g_autofree struct hm_core_entity *entity = g_new0(struct hm_core_entity, 1);
  for (unsigned i = 0; hm_core_entity_at(core, i, entity) == HM_OK; i++) {
    if (entity->is_host)
      continue;
    g_autofree char *sensor = label(entity->name);
    call(out, sensor, entity);
  }
}

static void put_frames(GString *out, const char *sensor, const struct hm_core_entity *e)
{
  g_string_append_printf(
      out, "hallmark_frames_total{sensor=\"%s\",result=\"passed\"} %" G_GUINT64_FORMAT "\n", sensor,
      e->passed);
}

static void put_dropped(GString *out, const char *sensor, const struct hm_core_entity *e)
{
  for (unsigned i = 0; i < HM_DROP_REASONS; i++)
    g_string_append_printf(
        out, "hallmark_dropped_total{sensor=\"%s\",reason=\"%s\"} %" G_GUINT64_FORMAT "\n", sensor,
        hm_code_name(&hm_drops, i), e->dropped[i]);
}

static void put_gate(GString *out, const char *sensor, const struct hm_core_entity *e)
{
  g_string_append_printf(out, "hallmark_gate_state{sensor=\"%s\"} %d\n", sensor, (int)e->gate);
}

static void put_refused(GString *out, const char *sensor, const struct hm_core_entity *e)
{
  g_string_append_printf(out, "hallmark_unauthorized_total{sensor=\"%s\"} %" G_GUINT64_FORMAT "\n",
                         sensor, e->unauthorized);
}

static void put_expiry(GString *out, const char *sensor, const struct hm_core_entity *e)
{
  for (unsigned i = 0; i < e->pairing_count; i++) {
    if (e->pairings[i].state != HM_PAIRING_LIVE)
      continue;
    g_autofree char *context = label(e->pairings[i].context_text);
    g_string_append_printf(
        out,
        "hallmark_pairing_expiry_timestamp_seconds{sensor=\"%s\",context=\"%s\"} %" G_GUINT64_FORMAT
        "\n",
        sensor, context, e->pairings[i].until_s);
  }
}

static const struct {
  const char *name, *type, *help;
  one_sensor call;
} families[] = {
    {"hallmark_frames_total", "counter", "Frames at the gate, as it reports them.", put_frames},
    {"hallmark_dropped_total", "counter", "Frames and focus items dropped.", put_dropped},
    {"hallmark_gate_state", "gauge", "0 none, 1 shut, 2 open, 3 flowing.", put_gate},
    {"hallmark_unauthorized_total", "counter", "Records refused for want of a pairing.",
     put_refused},
    {"hallmark_pairing_expiry_timestamp_seconds", "gauge", "When a live pairing ends.", put_expiry},
};

void hm_api_get_metrics(struct hm_api_request *r)
{
  struct hm_core_status s;
  hm_core_status(r->api->core, &s);
  g_autoptr(GString) out = g_string_new(NULL);
  plain(out, "hallmark_memories_total", "counter", "Records written since start.",
        s.written_records);
  plain(out, "hallmark_records_refused_total", "counter", "Records refused since start.",
        s.refused_records);
  seconds(out, "hallmark_commit_seconds", "The last commit took this long.", s.commit_last_us);
  seconds(out, "hallmark_commit_max_seconds", "The longest commit since start.", s.commit_max_us);
  plain(out, "hallmark_store_bytes", "gauge", "Bytes of the store on disk.", s.store_bytes);
  plain(out, "hallmark_bytes_written_total", "counter", "Bytes written since start.",
        s.bytes_written);
  plain(out, "hallmark_control_entries", "gauge", "Entries of the control log.", s.control_size);
  plain(out, "hallmark_gate_connections", "gauge", "Connections at gate.sock.", s.connections);
  plain(out, "hallmark_gate_refused_total", "counter", "Connections refused at gate.sock.",
        s.refused_connections);
  plain(out, "hallmark_api_requests_total", "counter", "Requests at api.sock.", r->api->requests);
  plain(out, "hallmark_api_refused_total", "counter", "Requests answered with a problem.",
        r->api->refused_requests);
  plain(out, "hallmark_authority_reachable", "gauge", "1 while the authority answers.",
        s.authority_answers);
  for (size_t i = 0; i < G_N_ELEMENTS(families); i++) {
    head(out, families[i].name, families[i].type, families[i].help);
    each_sensor(out, r->api->core, families[i].call);
  }
  hm_api_answer_bytes(r, "text/plain; version=0.0.4", out->str, out->len);
}

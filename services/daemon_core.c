/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What the daemon tells of itself: snapshots for the API, sources, proofs. The orders
 * (bind, pair, revoke) have files of their own.
 */
#include "services/daemon_core.h"

#include <stdlib.h>

#include "memory/prove.h"
#include "services/daemon_link.h"
#include "services/daemon_operations.h"

enum { FLOW_NS = 1500000000, STALL_NS = 5000000000ll, PROOF_RECORDS_MAX = 500 };

/* ---- words -------------------------------------------------------------------------------------
 */

const char *hm_pairing_state_text(enum hm_pairing_state state)
{
  static const char *const words[] = {"live", "expired", "revoked"};
  return (unsigned)state < G_N_ELEMENTS(words) ? words[state] : "unknown";
}

const char *hm_flow_text(enum hm_flow state)
{
  static const char *const words[] = {"none", "shut", "open", "flowing"};
  return (unsigned)state < G_N_ELEMENTS(words) ? words[state] : "unknown";
}

const char *hm_health_text(enum hm_health health)
{
  static const char *const words[] = {"ok",      "UNPLUGGED", "anchor differs",
                                      "no gate", "stalled",   "ended"};
  return (unsigned)health < G_N_ELEMENTS(words) ? words[health] : "unknown";
}

/* ---- status
 * -------------------------------------------------------------------------------------- */

static void fill_writer(struct hm_core *core, struct hm_core_status *out)
{
  struct hm_writer_stats stats;
  struct hm_store_sizes sizes;
  uint64_t available;
  hm_writer_stats(core->writer, &stats);
  hm_store_sizes(core->store, &sizes);
  out->control_size = sizes.control;
  out->records = sizes.records;
  out->batches = sizes.batches;
  out->head = core->registry.head;
  out->bytes_written = stats.bytes_written;
  out->written_records = stats.written_records;
  out->refused_records = stats.refused_records;
  out->commit_last_us = stats.commit_last_us;
  out->commit_max_us = stats.commit_max_us;
  if (hm_store_bytes(core->store, &out->store_bytes, &available) != HM_OK)
    out->store_bytes = 0;
}

void hm_core_status(struct hm_core *core, struct hm_core_status *out)
{
  struct hm_now now = hm_core_now(core);
  struct hm_gate_counts gates;
  memset(out, 0, sizeof *out);
  out->version = HM_VERSION;
  memcpy(out->host, core->host_key.signer.kid, 32);
  memcpy(out->authority, core->authority, 32);
  out->authority_answers = hm_link_is_up(core);
  out->authority_heard_s = hm_link_heard_s(core);
  out->revocations = core->registry.highest_revocation;
  out->time_s = now.quality == HM_QUALITY_NONE ? 0 : now.trust_s;
  out->quality = now.quality;
  out->uptime_ms = (now.boottime_ns - core->start_ns) / 1000000u;
  out->boot_count = core->boot_count;
  out->is_stopping = core->is_stopping;
  fill_writer(core, out);
  for (unsigned i = 1; i < core->registry.count; i++)
    out->entities += !core->registry.all[i]->is_void;
  hm_gates_counts(core, &gates);
  out->gates = gates.gates;
  out->observers = gates.observers;
  out->media = gates.media;
  out->connections = gates.connections;
  out->refused_connections = gates.refused_connections;
  out->refused_messages = gates.refused_messages;
}

void hm_core_authority_key(const struct hm_core *core, uint8_t point[64])
{
  memcpy(point, core->authority_point, 64);
}

/* ---- entities
 * --------------------------------------------------------------------------------------- */

static bool has_live_pairing(struct hm_core *core, const struct hm_bound *bound)
{
  struct hm_now now = hm_core_now(core);
  for (unsigned i = 0; i < bound->pairing_count; i++)
    if (hm_pairing_is_live(core, &bound->pairings[i], &now))
      return true;
  return false;
}

enum hm_flow hm_bound_flow(struct hm_core *core, const struct hm_bound *bound)
{
  uint64_t now = hm_boottime_ns();
  if (bound->gate == NULL)
    return HM_FLOW_NONE;
  if (bound->gate->granted_count == 0 || !has_live_pairing(core, bound))
    return HM_FLOW_SHUT;
  return bound->last_packet_ns != 0 && now - bound->last_packet_ns < FLOW_NS ? HM_FLOW_FLOWING
                                                                             : HM_FLOW_OPEN;
}

/* Health as it is now: what events said, and what time says against it. */
enum hm_health hm_bound_health(struct hm_core *core, const struct hm_bound *bound)
{
  uint64_t now = hm_boottime_ns();
  uint64_t since = MAX(bound->last_packet_ns, bound->in_force_ns);
  if (bound->is_host)
    return HM_HEALTH_OK;
  if (bound->health != HM_HEALTH_OK && bound->health != HM_HEALTH_NO_MEDIA)
    return bound->health;
  if (bound->gate == NULL)
    return HM_HEALTH_NO_MEDIA;
  if (has_live_pairing(core, bound) && now - since > (uint64_t)STALL_NS)
    return HM_HEALTH_STALLED;
  return HM_HEALTH_OK;
}

static void describe_pairings(struct hm_core *core, const struct hm_bound *bound,
                              struct hm_core_entity *out)
{
  struct hm_now now = hm_core_now(core);
  for (unsigned i = 0; i < bound->pairing_count; i++) {
    const struct hm_kept_pairing *k = &bound->pairings[i];
    if (!k->is_complete)
      continue;
    struct hm_core_pairing *p = &out->pairings[out->pairing_count++];
    *p = k->shown;
    if (p->state == HM_PAIRING_LIVE && !hm_pairing_is_live(core, k, &now))
      p->state = HM_PAIRING_EXPIRED;
  }
}

void hm_core_describe(struct hm_core *core, struct hm_bound *bound, struct hm_core_entity *out)
{
  memset(out, 0, sizeof *out);
  g_strlcpy(out->name, bound->name, sizeof out->name);
  memcpy(out->lct, bound->entity.lct, 32);
  out->class_code = bound->entity.class;
  out->entity_type = bound->entity.type;
  out->kind = bound->entity.kind;
  out->anchor_class = bound->entity.anchor;
  memcpy(out->anchor, bound->entity.descriptors, 32);
  out->assurance_percent = hm_assurance_ceiling(bound->entity.anchor) / 10;
  out->control = bound->control;
  hm_source_show(bound->source, out->source, sizeof out->source);
  g_strlcpy(out->what, bound->what, sizeof out->what);
  out->is_host = bound->is_host;
  out->is_void = bound->is_void;
  out->gate = hm_bound_flow(core, bound);
  out->health = hm_bound_health(core, bound);
  out->health_since_s = bound->health_since_s;
  out->passed = MAX(bound->passed, bound->frames_seen);
  for (int i = 0; i < HM_DROP_REASONS; i++)
    out->dropped[i] = bound->dropped[i] + bound->lost[i];
  out->last_frame = bound->last_frame;
  out->memories = bound->memories;
  out->unauthorized = bound->unauthorized;
  out->fps_milli = out->gate == HM_FLOW_FLOWING ? bound->fps_milli : 0;
  describe_pairings(core, bound, out);
}

unsigned hm_core_entity_count(const struct hm_core *core)
{
  return core->registry.count;
}

enum hm_status hm_core_entity_at(struct hm_core *core, unsigned index, struct hm_core_entity *out)
{
  unsigned at = 0;
  for (int is_void = 0; is_void <= 1; is_void++)
    for (unsigned i = 0; i < core->registry.count; i++)
      if (core->registry.all[i]->is_void == (is_void == 1) && at++ == index) {
        hm_core_describe(core, core->registry.all[i], out);
        return HM_OK;
      }
  return HM_NOT_FOUND;
}

enum hm_status hm_core_entity_named(struct hm_core *core, const char *name,
                                    struct hm_core_entity *out)
{
  struct hm_bound *bound = hm_bound_named(core, name);
  if (bound == NULL)
    return HM_NOT_FOUND;
  hm_core_describe(core, bound, out);
  return HM_OK;
}

const char *hm_core_name_of(const struct hm_core *core, const uint8_t lct[32])
{
  const struct hm_bound *bound = hm_bound_by_lct(core, lct);
  return bound == NULL ? NULL : bound->name;
}

void hm_writer_slot(struct hm_core *core, struct hm_bound *bound)
{
  struct hm_writer_sensor sensor = {.control = bound->control};
  unsigned slot = 1;
  if (bound->is_host || bound->is_void)
    return;
  while (slot < HM_WRITER_SENSORS && hm_bound_by_slot(core, slot) != NULL)
    slot++;
  if (slot == HM_WRITER_SENSORS) {
    hm_log(HM_LOG_ERROR, "slot", "%s: %d sensors are bound, the most of one host", bound->name,
           HM_WRITER_SENSORS - 1);
    return;
  }
  sensor.slot = bound->slot = slot;
  memcpy(sensor.lct, bound->entity.lct, 32);
  sensor.origin = bound->entity.caps & HM_CAP_RECORDED ? HM_ORIGIN_REPLAY : HM_ORIGIN_LIVE;
  if (hm_writer_sensor(core->writer, &sensor) != HM_OK)
    hm_log(HM_LOG_ERROR, "slot", "%s: the writer takes no more sensors", bound->name);
}

void hm_writer_unslot(struct hm_core *core, struct hm_bound *bound)
{
  struct hm_writer_sensor nobody = {.slot = bound->slot};
  if (bound->slot == 0)
    return;
  bound->slot = 0;
  bound->waiting_records = 0;
  if (hm_writer_sensor(core->writer, &nobody) != HM_OK)
    hm_log(HM_LOG_WARNING, "slot", "%s: the writer takes no more requests", bound->name);
}

/* ---- sources
 * --------------------------------------------------------------------------------------- */

struct discovery {
  struct hm_core *core;
  struct hm_core_sources result;
  hm_core_sources_done done;
  void *user;
};

static void take_text(char *out, size_t cap, struct hm_bytes text)
{
  size_t len = MIN(text.len, cap - 1);
  memcpy(out, text.data, len);
  out[len] = '\0';
}

static bool is_listed(const struct hm_core_sources *list, const char *source)
{
  for (unsigned i = 0; i < list->count; i++)
    if (strcmp(list->source[i].source, source) == 0)
      return true;
  return false;
}

/* What the media service knows beyond sysfs. */
static void merge_media(struct hm_core_sources *list, const struct hm_gate_message *m)
{
  for (uint32_t i = 0; i < m->u.sources.count; i++) {
    const struct hm_gate_source *from = &m->u.sources.list[i];
    struct hm_core_source s = {0};
    char raw[HM_SOURCE_MAX + 1];
    take_text(raw, sizeof raw, from->string);
    hm_source_show(raw, s.source, sizeof s.source);
    take_text(s.kind, sizeof s.kind, from->kind);
    take_text(s.what, sizeof s.what, from->what);
    take_text(s.state, sizeof s.state, from->state);
    if (is_listed(list, s.source))
      continue;
    if (list->count == HM_SOURCES_MAX) {
      list->is_cut = true;
      return;
    }
    list->source[list->count++] = s;
  }
}

/* What is bound is known here; recordings are listed because they are bound. */
static void mark_bound(struct hm_core *core, struct hm_core_sources *list)
{
  for (unsigned i = 1; i < core->registry.count; i++) {
    const struct hm_bound *bound = core->registry.all[i];
    char shown[HM_SOURCE_MAX + 1];
    if (bound->is_void || bound->source[0] == '\0')
      continue;
    hm_source_show(bound->source, shown, sizeof shown);
    if (!is_listed(list, shown) && list->count < HM_SOURCES_MAX) {
      struct hm_core_source *s = &list->source[list->count++];
      memset(s, 0, sizeof *s);
      g_strlcpy(s->source, shown, sizeof s->source);
      g_strlcpy(s->kind, bound->is_live_source ? "camera" : "recording", sizeof s->kind);
      g_strlcpy(s->what, bound->what, sizeof s->what);
    }
    for (unsigned k = 0; k < list->count; k++)
      if (strcmp(list->source[k].source, shown) == 0)
        g_snprintf(list->source[k].state, sizeof list->source[k].state, "bound as %s", bound->name);
  }
  for (unsigned k = 0; k < list->count; k++)
    if (list->source[k].state[0] == '\0')
      g_strlcpy(list->source[k].state, "free", sizeof list->source[k].state);
}

static void discovered(void *user, const struct hm_gate_message *sources)
{
  struct discovery *d = user;
  if (sources != NULL) {
    d->result.media_answered = true;
    merge_media(&d->result, sources);
  }
  mark_bound(d->core, &d->result);
  d->done(d->user, &d->result);
  g_free(d);
}

static gboolean discovered_alone(gpointer data)
{
  discovered(data, NULL);
  return G_SOURCE_REMOVE;
}

void hm_core_discover(struct hm_core *core, hm_core_sources_done done, void *user)
{
  struct discovery *d = g_new0(struct discovery, 1);
  d->core = core;
  d->done = done;
  d->user = user;
  hm_sources_from_sysfs(core->sysfs, &d->result);
  if (!hm_media_discover(core, discovered, d))
    g_idle_add(discovered_alone, d);
}

/* ---- proofs
 * ---------------------------------------------------------------------------------------------- */

struct hm_store *hm_core_store(struct hm_core *core)
{
  return core->store;
}

struct proving {
  struct hm_core *core;
  unsigned count;
  uint64_t records[PROOF_RECORDS_MAX];
  hm_core_proof_done done;
  void *user;
  struct hm_error error;
};

static void proof_end(struct proving *p, struct hm_bytes file)
{
  struct hm_core_proof result = {.error = p->error, .file = file};
  p->done(p->user, &result);
  g_free(p);
}

static gboolean proof_refused(gpointer data)
{
  proof_end(data, hm_bytes(NULL, 0));
  return G_SOURCE_REMOVE;
}

static void checkpointed(void *user, const struct hm_error *error, uint64_t number)
{
  struct proving *p = user;
  struct hm_fault fault = {0};
  uint8_t *file = NULL;
  size_t len = 0;
  (void)number;
  p->error = *error;
  if (error->status == HM_OK) {
    enum hm_status status =
        hm_prove(p->core->crypto, p->core->store, p->records, p->count, NULL, &file, &len, &fault);
    if (status != HM_OK)
      hm_fail(&p->error, status, "proof: %s",
              fault.text[0] != '\0' ? fault.text : hm_status_text(status));
  }
  proof_end(p, hm_bytes(file, len));
  free(file);
}

static int by_number(const void *a, const void *b)
{
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* Sorted, without repeats, each of them there. */
static enum hm_status check_records(struct proving *p, struct hm_error *err)
{
  struct hm_store_sizes sizes;
  unsigned kept = 0;
  hm_store_sizes(p->core->store, &sizes);
  qsort(p->records, p->count, sizeof p->records[0], by_number);
  for (unsigned i = 0; i < p->count; i++) {
    if (p->records[i] == 0 || p->records[i] > sizes.records)
      return hm_fail(err, HM_NOT_FOUND,
                     "m%llu: no such memory; the newest is m%llu; run: hallmark query",
                     (unsigned long long)p->records[i], (unsigned long long)sizes.records);
    if (kept == 0 || p->records[kept - 1] != p->records[i])
      p->records[kept++] = p->records[i];
  }
  p->count = kept;
  return HM_OK;
}

void hm_core_prove(struct hm_core *core, const uint64_t *records, unsigned count,
                   hm_core_proof_done done, void *user)
{
  struct proving *p = g_new0(struct proving, 1);
  enum hm_status status = HM_OK;
  p->core = core;
  p->done = done;
  p->user = user;
  if (count == 0 || count > PROOF_RECORDS_MAX)
    status = hm_fail(&p->error, HM_TOO_LARGE, "proof: 1 to %d memories", PROOF_RECORDS_MAX);
  if (status == HM_OK) {
    p->count = count;
    memcpy(p->records, records, count * sizeof p->records[0]);
    status = check_records(p, &p->error);
  }
  if (status == HM_OK)
    hm_control_checkpoint(core, p->records[p->count - 1], checkpointed, p);
  else
    g_idle_add(proof_refused, p);
}

struct checkpointing {
  hm_core_done done;
  void *user;
};

static void checkpoint_done(void *user, const struct hm_error *error, uint64_t number)
{
  struct checkpointing *c = user;
  (void)number;
  c->done(c->user, error);
  g_free(c);
}

void hm_core_checkpoint(struct hm_core *core, hm_core_done done, void *user)
{
  struct checkpointing *c = g_new0(struct checkpointing, 1);
  c->done = done;
  c->user = user;
  hm_control_checkpoint(core, 0, checkpoint_done, c);
}

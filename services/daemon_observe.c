/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * From an observer's packets to the writer's inbox, and back as ACKs.
 *
 * hallmarkd gives every record its arrival; what the gate's side says of time is
 * kept as what it is: the source's own stamp, and for a live source the moment it
 * was measured, mapped by the two clocks of this machine. A recording has no
 * captured time of ours.
 *
 * A sensor whose inbox is full is not read until there is room, so the observer's
 * window of 64 fills, and with it a file's gate waits and a live one drops by value.
 * Results come back in any order (a refused record does not wait for a batch); the
 * ACK says the highest seq up to which nothing is missing.
 */
#include "sensors/descriptor.h"
#include "sensors/peripheral.h"
#include "services/daemon_gates.h"
#include "services/text.h"
#include "trust/observation.h"

enum {
  LIVE_ERROR_NS = 100000000, /* from light to measuring: the frame's way through a driver */
  SEQ_BITS = 40,
  EVENTS_BURST = 8 /* and one a second */
};
static const uint64_t SEQ_MASK = (UINT64_C(1) << SEQ_BITS) - 1;

bool hm_observe_has_room(const struct hm_gate_link *link)
{
  return link->role != HM_GATE_ROLE_OBSERVER ||
         (link->bound->waiting_records < HM_INBOX_SLOTS - 1 && !link->bound->is_inbox_full);
}

static uint64_t frame_of(const struct hm_bound *bound, const struct hm_peripheral *record)
{
  uint64_t high = bound->last_frame & ~(uint64_t)UINT32_MAX;
  return high | record->sequence;
}

/* A bucket a sensor: each of these closes a batch, so a lying client must not make many. */
static bool may_close_batch(struct hm_bound *bound)
{
  return hm_bucket_take(&bound->events, EVENTS_BURST, 1, hm_boottime_ns());
}

/* Numbers rise on a connection, but for a source that was started again. */
static bool does_rise(struct hm_gate_link *link, uint64_t frame)
{
  bool rises = frame > link->newest_frame;
  link->newest_frame = frame;
  return rises || may_close_batch(link->bound);
}

bool hm_gate_on_peripheral(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  struct hm_bound *bound = link->bound;
  struct hm_peripheral record;
  enum hm_status status =
      hm_peripheral_decode(hm_bytes(m->u.peripheral.record, HM_PERIPHERAL_BYTES), &record);
  if (status != HM_OK) {
    hm_gate_close(link, status, "peripheral record: not HMP1 version 1 with a state of 0 to 6");
    return false;
  }
  uint64_t frame = frame_of(bound, &record);
  if (!does_rise(link, frame)) {
    hm_gate_close(link, HM_POLICY,
                  "peripheral records: frame numbers fall more than once a second");
    return false;
  }
  hm_bound_saw_frame(bound, frame);
  bound->frames_seen++;
  if (bound->slot == 0)
    return true; /* unbound: the gate is told with its next question */
  if (hm_writer_peripheral(link->core->writer, bound->slot, frame, m->u.peripheral.record) != HM_OK)
    hm_log(HM_LOG_WARNING, "peripheral", "%s: peripheral record of frame %llu was lost",
           bound->name, (unsigned long long)frame);
  return true;
}

static void fill_time(const struct hm_bound *bound, const struct hm_now *now,
                      const struct hm_gate_message *m, struct hm_observation *o)
{
  o->raw_ns = m->u.observe.has_pts ? m->u.observe.pts_ns : m->u.observe.boottime_ns;
  o->arrival_ns = now->trust_ns;
  if (!bound->is_live_source) {
    o->clock_domain = m->u.observe.has_pts ? HM_CLOCK_FILE : HM_CLOCK_BOOTTIME;
    return;
  }
  o->clock_domain = m->u.observe.has_pts ? HM_CLOCK_PIPELINE : HM_CLOCK_BOOTTIME;
  if (now->quality == HM_QUALITY_NONE || m->u.observe.boottime_ns > now->boottime_ns)
    return;
  uint64_t age = now->boottime_ns - m->u.observe.boottime_ns;
  if (age > now->trust_ns)
    return;
  o->has_time = true;
  o->time_ns = now->trust_ns - age;
  o->error_ns = LIVE_ERROR_NS;
}

static void fill_observation(struct hm_gate_link *link, const struct hm_gate_message *m,
                             struct hm_observation *o)
{
  struct hm_now now = hm_core_now(link->core);
  memset(o, 0, sizeof *o);
  o->slot = link->bound->slot;
  o->token = link->generation << SEQ_BITS | m->u.observe.seq;
  o->frame = m->u.observe.frame;
  fill_time(link->bound, &now, m, o);
  o->level = 1;
  o->protection = HM_PROTECTION_CLEAR;
  o->x = m->u.observe.region[0];
  o->y = m->u.observe.region[1];
  o->width = m->u.observe.region[2];
  o->height = m->u.observe.region[3];
  for (int i = 0; i < 5; i++) {
    o->trust[i] = m->u.observe.factors[i];
    o->value[i] = (struct hm_q8){m->u.observe.has_value[i], m->u.observe.value[i]};
  }
  o->picture = m->u.observe.picture;
  o->pixels = m->u.observe.format == HM_GATE_GRAY8 ? HM_PIXELS_GREY : HM_PIXELS_I420;
  o->vector = m->u.observe.vector;
  memcpy(o->encoder, m->u.observe.encoder, HM_HASH);
}

/* What this daemon can see to be false, before anything is signed: a frame that no gate
 * and no peripheral record told of, an encoder that nobody bound, a vector that is not
 * the encoder's function of the picture. */
static const char *why_false(const struct hm_bound *bound, const struct hm_observation *o)
{
  int8_t vector[HM_VECTOR_DIMENSION];
  if (o->frame > bound->last_frame)
    return "no gate told of this frame";
  if (o->vector.len == 0)
    return NULL;
  if (memcmp(o->encoder, hm_region_encoder_hash, HM_HASH) != 0)
    return "its encoder is not built in, and none is bound";
  if (o->vector.len != sizeof vector || o->picture.len != HM_PICTURE_BYTES)
    return "hm-region/1 makes 256 bytes of a picture of 3072, both wanted";
  hm_region_encode(o->picture.data, vector);
  return memcmp(o->vector.data, vector, sizeof vector) == 0
             ? NULL
             : "its vector is not hm-region/1 of its picture";
}

/* Why a record may not go to the writer, or NULL where it went. */
static const char *hand_in(struct hm_gate_link *link, const struct hm_observation *o)
{
  const char *why = why_false(link->bound, o);
  enum hm_status status = HM_REVOKED;
  if (why != NULL)
    return why;
  if (link->bound->slot != 0)
    status = hm_writer_observe(link->core->writer, o);
  link->bound->is_inbox_full = status == HM_FULL;
  return status == HM_OK ? NULL : hm_status_text(status);
}

/* seq is settled: durable or refused. Everything up to acked is. */
static void settle(struct hm_gate_link *link, uint64_t seq)
{
  if (seq <= link->acked || seq > link->acked + 64)
    return;
  link->done_mask |= UINT64_C(1) << (seq - link->acked - 1);
  while (link->done_mask & 1) {
    link->done_mask >>= 1;
    link->acked++;
  }
}

static bool send_ack(struct hm_gate_link *link)
{
  struct hm_gate_message m = {.kind = HM_GATE_ACK};
  m.u.ack.seq = link->acked;
  return hm_gate_send(link, &m);
}

bool hm_gate_on_observe(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  struct hm_bound *bound = link->bound;
  uint64_t seq = m->u.observe.seq;
  struct hm_observation o;
  if (seq != link->newest_seq + 1 || seq > SEQ_MASK) {
    hm_gate_close(link, HM_MALFORMED, "OBSERVE: seq counts from 1 without holes");
    return false;
  }
  if (seq > link->acked + HM_GATE_WINDOW) {
    hm_gate_close(link, HM_POLICY, "OBSERVE: over 64 without an ACK");
    return false;
  }
  link->newest_seq = seq;
  fill_observation(link, m, &o);
  const char *why = hand_in(link, &o);
  if (why == NULL) {
    bound->waiting_records++;
    return true;
  }
  bound->refused++;
  hm_log(HM_LOG_WARNING, "observe", "%s: record of frame %llu refused: %s", bound->name,
         (unsigned long long)o.frame, why);
  settle(link, seq);
  return send_ack(link);
}

/* Refused by the writer: without authority it counts that itself; what the disk or the
 * record's own form lost is told to it, for the next leaf. */
static void count_refused(struct hm_core *core, struct hm_bound *bound, enum hm_status status)
{
  struct hm_writer_counts counts = {.slot = bound->slot, .state = bound->state};
  bool is_disk = status == HM_FULL || status == HM_IO || status == HM_DAMAGED;
  unsigned reason = is_disk ? HM_DROP_DISK : HM_DROP_INVALID;
  hm_log(HM_LOG_NOTICE, "refused", "%s: record refused: %s", bound->name, hm_status_text(status));
  if (!is_disk && hm_status_row(status)->exit_code != 6) {
    bound->unauthorized++;
    return;
  }
  bound->lost[reason]++;
  counts.dropped[reason] = 1;
  if (hm_writer_counts(core->writer, &counts) != HM_OK)
    hm_log(HM_LOG_WARNING, "counts", "%s: a count of lost records was lost", bound->name);
}

void hm_observe_result(struct hm_core *core, const struct hm_writer_result *result)
{
  struct hm_bound *bound = hm_bound_by_slot(core, result->slot);
  if (bound == NULL)
    return;
  if (result->token == HM_TOKEN_EVENT)
    return;
  bound->waiting_records -= bound->waiting_records > 0;
  bound->is_inbox_full = false;
  if (result->status == HM_OK)
    bound->memories++;
  else
    count_refused(core, bound, result->status);
  struct hm_gate_link *link = bound->observer;
  if (link != NULL && link->generation == result->token >> SEQ_BITS) {
    settle(link, result->token & SEQ_MASK);
    link->has_news = true;
  }
}

void hm_observe_results_done(struct hm_core *core)
{
  for (unsigned i = 0; i < core->registry.count; i++) {
    struct hm_gate_link *link = core->registry.all[i]->observer;
    if (link == NULL || !link->has_news)
      continue;
    link->has_news = false;
    if (send_ack(link))
      hm_gates_resume(core, core->registry.all[i]);
  }
}

/* ---- EVENT ------------------------------------------------------------------------------------
 */

static void set_health(struct hm_core *core, struct hm_bound *bound, enum hm_health health)
{
  if (bound->health == health || bound->health == HM_HEALTH_ANCHOR_DIFFERS ||
      bound->health == HM_HEALTH_UNPLUGGED)
    return;
  bound->health = health;
  bound->health_since_s = hm_core_now(core).trust_s;
}

static const struct {
  enum hm_gate_event event;
  enum hm_health health;
} healths[] = {
    {HM_GATE_EVENT_FLOWING, HM_HEALTH_OK},        {HM_GATE_EVENT_END, HM_HEALTH_ENDED},
    {HM_GATE_EVENT_ERROR, HM_HEALTH_STALLED},     {HM_GATE_EVENT_STALLED, HM_HEALTH_STALLED},
    {HM_GATE_EVENT_RECONNECT, HM_HEALTH_STALLED},
};

/* What becomes a record of its own, signed at once (8-value: an event about trust). */
static const struct {
  enum hm_gate_event event;
  uint64_t kind;
} records[] = {
    {HM_GATE_EVENT_STALLED, HM_EVENT_GAP},
    {HM_GATE_EVENT_DROPPED, HM_EVENT_SUPPRESSION},
    {HM_GATE_EVENT_STATE, HM_EVENT_SENSOR_STATE},
};

static void record_event(struct hm_core *core, struct hm_bound *bound, uint64_t kind,
                         uint64_t frame, const char *text)
{
  struct hm_trust_event event = {.slot = bound->slot,
                                 .token = HM_TOKEN_EVENT,
                                 .arrival_ns = hm_core_now(core).trust_ns,
                                 .level = 1,
                                 .kind = kind,
                                 .has_frame = frame != 0,
                                 .frame = frame};
  event.has_count = hm_text_uint(text, UINT32_MAX, &event.count) == HM_OK;
  if (bound->slot == 0 || !may_close_batch(bound))
    return;
  if (hm_writer_event(core->writer, &event) != HM_OK)
    hm_log(HM_LOG_WARNING, "event", "%s: an event was lost: the inbox is full", bound->name);
}

/* The leaf of every batch says in which state the sensor is. */
static void tell_state(struct hm_core *core, struct hm_bound *bound, const char *text)
{
  struct hm_writer_counts counts = {.slot = bound->slot};
  uint32_t state;
  if (bound->slot == 0 || !hm_code_find(&hm_sensor_states, hm_bytes(text, strlen(text)), &state))
    return;
  counts.state = bound->state = (enum hm_sensor_state)state;
  if (hm_writer_counts(core->writer, &counts) != HM_OK)
    hm_log(HM_LOG_WARNING, "counts", "%s: its state was lost", bound->name);
}

bool hm_gate_on_event(struct hm_gate_link *link, const struct hm_gate_message *m)
{
  char text[HM_GATE_TEXT + 1] = "";
  struct hm_bound *bound = link->bound;
  memcpy(text, m->u.event.text.data, MIN(m->u.event.text.len, HM_GATE_TEXT));
  hm_log(HM_LOG_INFO, hm_gate_event_name(m->u.event.event), "%s: %s%s%s",
         bound != NULL ? bound->name : "media service", hm_gate_event_name(m->u.event.event),
         text[0] != '\0' ? ": " : "", text);
  if (bound == NULL)
    return true;
  if (m->u.event.event == HM_GATE_EVENT_STATE)
    tell_state(link->core, bound, text);
  for (size_t i = 0; i < G_N_ELEMENTS(records); i++)
    if (records[i].event == m->u.event.event)
      record_event(link->core, bound, records[i].kind, m->u.event.frame, text);
  for (size_t i = 0; i < G_N_ELEMENTS(healths); i++)
    if (healths[i].event == m->u.event.event)
      set_health(link->core, bound, healths[i].health);
  return true;
}

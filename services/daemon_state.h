/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The inside of hallmarkd, shared by its own files (daemon_*.c) and by nobody else.
 *
 * What is bound, paired and revoked is a function of the control log alone: every
 * entry, old ones at start and new ones once they are durable, goes through
 * hm_registry_apply, and nothing else changes it. Only names and source strings are
 * local (sources/). Operations (bind, pair, revoke) are small objects that wait for
 * the authority, the writer or a gate, all on the main thread.
 *
 *   main     start, stop, signals               gates      gate.sock: who may, leases
 *   init     hallmarkd --init                   observe    observers -> inboxes
 *   identity keys, authority pin, law           media      START, STOP, DISCOVER
 *   registry bound entities from the log        bind pair revoke   operations
 *   control  entries: make, append, apply       link       the authority's socket
 */
#ifndef HM_SERVICES_DAEMON_STATE_H
#define HM_SERVICES_DAEMON_STATE_H

#include <glib.h>

#include "memory/store.h"
#include "sensors/gate.h"
#include "services/bucket.h"
#include "services/clock.h"
#include "services/config.h"
#include "services/daemon_core.h"
#include "services/daemon_sources.h"
#include "services/daemon_writer.h"
#include "services/keys.h"
#include "services/packet_socket.h"
#include "trust/checkpoint.h"

enum {
  HM_LEASE_WAIT_MS = 2100, /* after the last grant: no gate lets anything pass */
  HM_CONTEXTS_SEEN = 32,   /* contexts in which one entity was ever paired */
  HM_BOUND_EVER = 1024     /* bindings of one host, those unbound since included */
};

struct hm_gate_link; /* one connection; daemon_gates.c */

/* A pairing as the daemon keeps it. */
struct hm_kept_pairing {
  struct hm_core_pairing shown;
  bool is_complete; /* the L6 receipt is in the log: it may be granted */
  bool is_told;     /* a revocation of it by the authority is in the log */
  uint32_t data_type_count;
  uint8_t data_types[HM_GATE_DATA_TYPES];
  uint8_t policy_hash[32];
  uint16_t kid16;
};

/* What is remembered of a context for ever: its last iat, and whether a revocation
 * of a pairing in it stands. */
struct hm_context_seen {
  uint64_t context, iat;
  bool is_revoked;
};

/* Who may open an entity's gate. */
struct hm_gate_rule {
  uid_t uid;
  bool is_media; /* no --gate was given: the media service runs it */
  char unit[64]; /* "" = any unit */
};

/* A bound entity: what the log says, then what is local, then what is now. */
struct hm_bound {
  struct hm_entity entity;
  uint64_t control; /* cN of its binding */
  bool is_host;
  bool is_void;
  uint64_t void_by; /* cN of the revocation */
  unsigned pairing_count;
  struct hm_kept_pairing pairings[HM_LIVE_PAIRINGS];
  unsigned seen_count;
  struct hm_context_seen seen[HM_CONTEXTS_SEEN];

  unsigned slot; /* of the writer's inbox: 1..63, 0 none (host, or unbound) */
  char name[HM_NAME_LETTERS + 1];
  char source[HM_SOURCE_MAX + 1]; /* "" where it was lost: it cannot flow */
  char what[HM_WHAT_MAX + 1];
  struct hm_gate_rule rule;
  bool is_live_source;
  bool is_device; /* at a node or port: looked at again every few seconds */

  enum hm_health health;
  uint64_t health_since_s;
  bool anchor_checked; /* measured since start */
  bool is_measured_now;
  struct hm_gate_link *gate, *observer;
  uint64_t last_grant_ns;   /* boottime of the newest GRANT that said yes */
  uint64_t in_force_ns;     /* boottime at which the newest pairing came in force */
  uint64_t first_frame_ns;  /* boottime of the first frame after that, 0 = none yet */
  uint64_t last_packet_ns;  /* boottime of the newest frame seen */
  uint64_t frames_in_force; /* seen since in_force_ns */
  uint64_t frames_seen;     /* by their peripheral records, since start */
  uint64_t passed, last_frame, dropped[HM_DROP_REASONS];
  uint64_t fps_at_ns, fps_passed; /* the report before */
  unsigned fps_milli;
  uint64_t memories, unauthorized, refused;
  uint64_t lost[HM_DROP_REASONS]; /* records the writer could not take, by reason */
  struct hm_bucket events;
  enum hm_sensor_state state; /* as its leaves say it */
  unsigned waiting_records;   /* handed to the writer, no result yet */
  bool is_inbox_full;
};

/* What the control log says of a revocation, for "effective" and for telling. */
struct hm_kept_revocation {
  uint64_t control;
  uint8_t name[32];
  bool is_local, is_effective, is_told;
  uint8_t certificate[32]; /* what it names */
  bool has_pairing_id;
  uint8_t pairing_id[16];
  uint64_t reason, since;
};

/* An exit whose manifest is durable. */
struct hm_kept_export {
  uint8_t name[32]; /* of the manifest */
};

struct hm_registry {
  unsigned count;
  struct hm_bound *all[HM_BOUND_EVER]; /* [0] the host; in order of their bindings */
  GArray *revocations;         /* struct hm_kept_revocation; those without effect or untold */
  GArray *exports;             /* struct hm_kept_export; those without their second entry */
  uint64_t applied;            /* entries 1..applied have been read */
  uint64_t highest_revocation; /* the authority's numbering */
  uint8_t revocation_name[32]; /* of that one */
  uint8_t genesis_authority[32];
  uint8_t law[32], law_name[32]; /* newest */
  bool has_law_name;             /* a 65027 exists (else genesis holds the law) */
  uint64_t head;                 /* cN of the newest head */
};

struct hm_core {
  const struct hm_crypto *crypto;
  GMainLoop *loop;
  const char *sysfs;
  struct hm_paths paths;
  struct hm_config *config;
  struct hm_trust_clock clock;
  struct hm_floor floor;
  uint64_t start_ns; /* boottime */
  uint32_t boot_count;
  uint32_t time_refused;

  struct hm_signing_key host_key;
  struct hm_agreement_key host_agree;
  uint8_t authority_point[64], authority[32];
  uid_t media_uid;

  struct hm_registry registry;
  struct hm_store *store;
  struct hm_writer *writer;
  GArray *waiting; /* requests to the writer; daemon_control.c */
  uint64_t tokens;
  guint results;
  struct hm_gates *gates;
  struct hm_link *link; /* to the authority */
  struct hm_api *api;
  struct hm_bucket exports; /* how many may be written down */
  GPtrArray *binds;         /* under way: their names and anchors are taken */
  GPtrArray *subscriptions;
  uint8_t law[32];   /* of the configuration in force */
  unsigned shutting; /* gates waited for at stop */
  bool is_stopping;
  int exit_code;
};

static inline struct hm_now hm_core_now(struct hm_core *core)
{
  return hm_clock_now(&core->clock);
}

/* ---- daemon_identity.c -------------------------------------------------------------- */
/* Host keys, and the public key in etc/trust.d whose thumbprint the log pins. */
enum hm_status HM_MUST_CHECK hm_identity_load(struct hm_core *core, struct hm_error *err);
enum hm_status HM_MUST_CHECK hm_authority_find(struct hm_core *core, const uint8_t lct[32],
                                               uint8_t point[64], struct hm_error *err);
void hm_identity_wipe(struct hm_core *core);
enum hm_status HM_MUST_CHECK hm_host_key_paths(const struct hm_core *core, char sign[HM_FILE_PATH],
                                               char agree[HM_FILE_PATH], struct hm_error *err);
/* For screens: board or architecture. */
void hm_host_describe(char *what, size_t cap);
/* What ties the host's keys to this machine; and whether it still is the one. */
enum hm_status HM_MUST_CHECK hm_host_anchor(const struct hm_core *core, uint8_t descriptors[32]);
enum hm_status HM_MUST_CHECK hm_host_anchor_check(const struct hm_core *core, struct hm_error *err);
/* keys/pairings/<id hex>. */
enum hm_status HM_MUST_CHECK hm_pairing_secret_path(const struct hm_core *core,
                                                    const uint8_t id[16], char path[HM_FILE_PATH],
                                                    struct hm_error *err);
/* SHA-256 of the canonical configuration. */
enum hm_status HM_MUST_CHECK hm_law_of(struct hm_core *core, uint8_t law[32]);

/* ---- daemon_registry.c -------------------------------------------------------------- */
/* Read the whole control log. */
enum hm_status HM_MUST_CHECK hm_registry_load(struct hm_core *core, struct hm_error *err);
void hm_registry_free(struct hm_registry *registry);
/* Take in one durable entry; a wrong one is damage (err names it). */
enum hm_status HM_MUST_CHECK hm_registry_apply(struct hm_core *core,
                                               const struct hm_log_entry *entry,
                                               struct hm_error *err);
/* Take in every durable entry not yet read. */
enum hm_status HM_MUST_CHECK hm_registry_catch_up(struct hm_core *core, struct hm_error *err);
struct hm_bound *hm_bound_named(const struct hm_core *core, const char *name);
struct hm_bound *hm_bound_by_lct(const struct hm_core *core, const uint8_t lct[32]);
/* Whose observations come by this slot of the writer; NULL: nobody's any more. */
struct hm_bound *hm_bound_by_slot(const struct hm_core *core, unsigned slot);
/* How many are bound now, the host included. */
unsigned hm_bound_now(const struct hm_core *core);
struct hm_bound *hm_bound_by_binding(const struct hm_core *core, uint64_t control);
/* The pairing whose certificate or receipt is entry number; *bound its entity. */
struct hm_kept_pairing *hm_pairing_by_entry(const struct hm_core *core, uint64_t number,
                                            struct hm_bound **bound);
struct hm_kept_pairing *hm_pairing_by_name(const struct hm_core *core,
                                           const uint8_t certificate[32], struct hm_bound **bound);
/* Complete, not revoked, and now between its times. */
bool hm_pairing_is_live(const struct hm_core *core, const struct hm_kept_pairing *pairing,
                        const struct hm_now *now);
/* The code of a context name, HM_MALFORMED with the rule. Custom names get the code
 * that their SHA-256 gives: 64 + (first two bytes mod 65472). */
enum hm_status HM_MUST_CHECK hm_context_code(const struct hm_core *core, const char *text,
                                             unsigned *code, struct hm_error *err);

/* ---- daemon_local.c: names and sources ---------------------------------------------- */
struct hm_local {
  char name[HM_NAME_LETTERS + 1];
  uint8_t lct[32];
  struct hm_gate_rule rule;
  char source[HM_SOURCE_MAX + 1];
};
/* Write sources/NAME.new; hm_local_keep renames it, hm_local_retire turns it into
 * sources/<16 hex>.void without the source string. */
enum hm_status HM_MUST_CHECK hm_local_write(const struct hm_core *core,
                                            const struct hm_local *local, struct hm_error *err);
enum hm_status HM_MUST_CHECK hm_local_keep(const struct hm_core *core, const char *name,
                                           struct hm_error *err);
/* A bind that failed: remove sources/NAME.new. */
void hm_local_drop(const struct hm_core *core, const char *name);
void hm_local_take(struct hm_bound *bound, const struct hm_local *local);
enum hm_status HM_MUST_CHECK hm_local_retire(const struct hm_core *core,
                                             const struct hm_bound *bound, struct hm_error *err);
/* Names of all: fills name, source and rule of bound. Entities without a file get
 * "lost-" and 8 hex digits. *.new files are kept where their LCT is bound, else gone. */
enum hm_status HM_MUST_CHECK hm_local_load(struct hm_core *core, struct hm_error *err);
/* "user", "1000", "unit.service" -> rule. */
enum hm_status HM_MUST_CHECK hm_gate_rule_parse(const struct hm_core *core, const char *text,
                                                struct hm_gate_rule *rule, struct hm_error *err);

/* ---- daemon_control.c --------------------------------------------------------------- */
/* number: cN of the entry (of the head, for a checkpoint): durable, and the registry
 * has taken it in. Comes from the main loop. */
typedef void (*hm_append_done)(void *user, const struct hm_error *error, uint64_t number);
/* Hand the writer an object as it stands with its attachments; all is copied. */
void hm_control_append(struct hm_core *core, struct hm_bytes object,
                       const struct hm_bytes *attached, unsigned count, hm_append_done done,
                       void *user);
/* A receipt of the host's own (the writer fills iat and quality and signs). */
void hm_control_receipt(struct hm_core *core, const struct hm_receipt *receipt, hm_append_done done,
                        void *user);
/* A local revocation (the writer fills iat and signs). */
void hm_control_local(struct hm_core *core, const struct hm_revocation *revocation,
                      hm_append_done done, void *user);
/* An object that build makes on the writer's thread; user must live until done. */
void hm_control_build(struct hm_core *core, hm_entry_build build, hm_append_done done, void *user);
/* Head and checkpoint over record (0: everything). */
void hm_control_checkpoint(struct hm_core *core, uint64_t record, hm_append_done done, void *user);
void hm_control_start(struct hm_core *core);
/* Take the results that wait. */
void hm_control_drain(struct hm_core *core);
/* Answer who still waits: HM_UNREACHABLE. */
void hm_control_stop(struct hm_core *core);

/* ---- daemon_gates.c ------------------------------------------------------------------ */
enum hm_status HM_MUST_CHECK hm_gates_start(struct hm_core *core, struct hm_error *err);
/* Stop listening, close everything. */
void hm_gates_stop(struct hm_core *core);
struct hm_gate_counts {
  unsigned connections, gates, observers, media;
  uint64_t refused_connections, refused_messages;
};
void hm_gates_counts(const struct hm_core *core, struct hm_gate_counts *out);
/* A gate's end of these contexts. */
struct hm_shut {
  bool had_grant, is_confirmed;
  uint64_t last_frame;
};
typedef void (*hm_shut_done)(void *user, const struct hm_shut *shut);
/* Tell the gate of bound that contexts are over (they are already out of its grants),
 * and wait for its CLOSED or the end of its last grant. done comes from the loop. */
void hm_gates_shut(struct hm_core *core, struct hm_bound *bound, const uint64_t *contexts,
                   unsigned count, hm_shut_done done, void *user);
/* The inbox of bound has room again: read its observer on. */
void hm_gates_resume(struct hm_core *core, struct hm_bound *bound);
/* The media service: run or stop a pipeline; ask for sources. */
void hm_media_start(struct hm_core *core, const struct hm_bound *bound);
void hm_media_stop(struct hm_core *core, const struct hm_bound *bound);
/* Whether the media service is there and is to run this one. */
bool hm_media_runs(struct hm_core *core, const struct hm_bound *bound);

/* ---- daemon_main.c -------------------------------------------------------------------- */
/* The store cannot go on: say why once, stop without signing more, exit with it. */
void hm_core_give_up(struct hm_core *core, const struct hm_error *error);

/* ---- daemon_events.c ------------------------------------------------------------------- */
/* Tell every subscription. */
void hm_core_tell(struct hm_core *core, const struct hm_core_event *event);

#endif

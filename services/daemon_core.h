/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What hallmarkd can be asked, by whoever serves its API.
 *
 * THREAD: everything here is called on the main thread, the one that runs the
 * GMainLoop, and every callback comes back on it. Nothing here blocks: reads copy
 * a snapshot out; what needs the authority, a gate or the disk takes a callback.
 *
 * ASYNCHRONOUS CALLS: done is called exactly once, later, from the main loop,
 * never inside the call that started it. Its result and everything the result
 * points to live until done returns. A caller whose client went away lets the
 * operation finish and ignores the result: a revocation is never cancelled.
 * At stop, what is still waiting is answered with HM_UNREACHABLE.
 *
 * ERRORS: struct hm_error carries one line: who, what, value, limit and the
 * command that mends it ("front: pairing c5 expired ...; run: hallmark pair front
 * --context drive"). It never holds a URL's user part. Its status gives the exit
 * code and the HTTP status by trust/status.h.
 */
#ifndef HM_SERVICES_DAEMON_CORE_H
#define HM_SERVICES_DAEMON_CORE_H

#include "services/message.h"
#include "services/names.h"

struct hm_core;  /* the daemon; made by main, handed to the API when it starts */
struct hm_store; /* memory/store.h: both logs, opened for reading by this process */

enum {
  HM_SOURCE_MAX = 512,  /* bytes of a source string */
  HM_WHAT_MAX = 96,     /* bytes of a human description */
  HM_CONTEXT_TEXT = 64, /* bytes of a context's name */
  HM_LIVE_PAIRINGS = 8, /* pairings of one entity, live ones and the newest ended */
  HM_ENTITIES_MAX = 64, /* bound entities of one host */
  HM_PAIR_NAMES = 16,   /* names in one pair or revoke */
  HM_SOURCES_MAX = 64,  /* sources that discover shows */
  HM_DROP_REASONS = 6   /* back-pressure, rate, storm, disk, invalid, other */
};

/* ---- status --------------------------------------------------------------------- */
struct hm_core_status {
  const char *version;
  uint8_t host[32];           /* LCT id of the host */
  uint8_t authority[32];      /* thumbprint of the authority's key, pinned at init */
  bool authority_answers;     /* a hello within the last minute, or a connection that stands */
  uint64_t authority_heard_s; /* iat of its newest 65023; 0 = never */
  uint64_t revocations;       /* highest revocation number known */
  uint64_t time_s;            /* trust time, 0 where there is none */
  unsigned quality;           /* quality-code: 0 none 1 peer 2 network 3 authority */
  uint64_t uptime_ms;
  uint32_t boot_count;
  uint64_t control_size;                     /* newest cN */
  uint64_t records;                          /* newest mN */
  uint64_t batches;                          /* newest rN */
  uint64_t head;                             /* cN of the newest head, 0 = none */
  uint64_t store_bytes;                      /* on disk */
  uint64_t bytes_written;                    /* since start */
  uint64_t written_records, refused_records; /* since start */
  uint64_t commit_last_us, commit_max_us;
  unsigned entities, gates, observers, media, connections;
  uint64_t refused_connections, refused_messages; /* at gate.sock, since start */
  bool is_stopping;
};

void hm_core_status(struct hm_core *core, struct hm_core_status *out);
/* The public key of the authority pinned at init. */
void hm_core_authority_key(const struct hm_core *core, uint8_t point[64]);

/* ---- entities --------------------------------------------------------------------- */
enum hm_pairing_state { HM_PAIRING_LIVE, HM_PAIRING_EXPIRED, HM_PAIRING_REVOKED };
const char *hm_pairing_state_text(enum hm_pairing_state state); /* "live" ... */

struct hm_core_pairing {
  unsigned context;                       /* context-code */
  char context_text[HM_CONTEXT_TEXT + 1]; /* "drive", or its own name */
  uint8_t certificate[32];                /* name of the pairing certificate */
  uint8_t id[16];
  uint64_t certificate_control; /* cN of the certificate */
  uint64_t control;             /* cN of the L6 receipt: from here it is in force */
  uint64_t from_s, until_s;     /* nbf, exp */
  uint32_t operations;          /* bit n set = operation-code n allowed */
  uint32_t data_types;          /* bit n set = data-code n */
  bool is_local;                /* both ends in this process: the receipt says so */
  enum hm_pairing_state state;
  uint64_t revocation; /* cN, iff REVOKED */
};

enum hm_flow {
  HM_FLOW_NONE,   /* no gate connected */
  HM_FLOW_SHUT,   /* connected, no grant */
  HM_FLOW_OPEN,   /* a grant stands; no frame yet or none within the last second */
  HM_FLOW_FLOWING /* a grant stands and frames pass */
};
const char *hm_flow_text(enum hm_flow state); /* "none" "shut" "open" "flowing" */

enum hm_health {
  HM_HEALTH_OK,
  HM_HEALTH_UNPLUGGED,      /* the device or file is gone; health, not trust */
  HM_HEALTH_ANCHOR_DIFFERS, /* what is there is another entity: stays shut */
  HM_HEALTH_NO_MEDIA,       /* no gate has come for it */
  HM_HEALTH_STALLED,        /* granted, but no frame for over 5 s */
  HM_HEALTH_ENDED           /* a recording that has been played to its end */
};
const char *hm_health_text(enum hm_health health); /* "ok" "UNPLUGGED" ... */

struct hm_core_entity {
  char name[HM_NAME_LETTERS + 1];
  uint8_t lct[32];
  unsigned class_code, entity_type, kind; /* 2-trust: 3 = H, type 3 sensor, kind 1 camera */
  unsigned anchor_class; /* 1 software 2 position 3 serial 4 tpm2 5 secure 6 file */
  uint8_t anchor[32];
  unsigned assurance_percent;     /* ceiling: 40, 75 or 95 */
  uint64_t control;               /* cN of its binding */
  char source[HM_SOURCE_MAX + 1]; /* for screens: without a URL's user part */
  char what[HM_WHAT_MAX + 1];     /* "recording, 2.1 MB", "imx219 at csi:0/9-0010" */
  bool is_host;                   /* the entity of this machine itself */
  bool is_void;                   /* unbound: its LCT is revoked; history stays */
  enum hm_flow gate;
  enum hm_health health;
  uint64_t health_since_s; /* 0 unknown */
  uint64_t passed;         /* frames through the gate, as it reports */
  uint64_t dropped[HM_DROP_REASONS];
  uint64_t last_frame;
  uint64_t memories;     /* records written since start */
  uint64_t unauthorized; /* records refused since start */
  unsigned fps_milli;    /* over the last seconds */
  unsigned pairing_count;
  struct hm_core_pairing pairings[HM_LIVE_PAIRINGS]; /* ascending control */
};

/* How many there are, the host included as the first; unbound ones last. */
unsigned hm_core_entity_count(const struct hm_core *core);
/* Copy the one at index out; HM_NOT_FOUND past the end. */
enum hm_status HM_MUST_CHECK hm_core_entity_at(struct hm_core *core, unsigned index,
                                               struct hm_core_entity *out);
/* By local name. */
enum hm_status HM_MUST_CHECK hm_core_entity_named(struct hm_core *core, const char *name,
                                                  struct hm_core_entity *out);
/* The local name of an LCT id; NULL where no entity here has or had it. */
const char *hm_core_name_of(const struct hm_core *core, const uint8_t lct[32]);

/* ---- sources ----------------------------------------------------------------------- */
struct hm_core_source {
  char source[HM_SOURCE_MAX + 1]; /* what `bind` takes; no user part */
  char kind[16];                  /* "camera" "imu" "pack" "recording" */
  char what[HM_WHAT_MAX + 1];
  char state[HM_NAME_LETTERS + 16]; /* "free", "bound as front" */
};
struct hm_core_sources {
  struct hm_error error;
  unsigned count;
  struct hm_core_source source[HM_SOURCES_MAX];
  bool is_cut;         /* more were found than fit */
  bool media_answered; /* else only what sysfs shows is listed */
};
typedef void (*hm_core_sources_done)(void *user, const struct hm_core_sources *result);
/* Own sysfs and the media service (asked, waited for 2 s at most). */
void hm_core_discover(struct hm_core *core, hm_core_sources_done done, void *user);

/* ---- bind, unbind -------------------------------------------------------------------- */
struct hm_core_bind {
  const char *source; /* file:/path/clip.mkv, csi:0, v4l2:video1, rtsp://... */
  const char *name;   /* NULL: made from the source (camera1, ...) */
  const char *key;    /* NULL: a software key made here. Other URIs: HM_UNSUPPORTED */
  const char *gate;   /* user name or uid that may open its gate; NULL: the media service's */
};
struct hm_core_bound {
  struct hm_error error;
  struct hm_core_entity entity; /* iff error.status is HM_OK */
};
typedef void (*hm_core_bound_done)(void *user, const struct hm_core_bound *result);
void hm_core_bind(struct hm_core *core, const struct hm_core_bind *request, hm_core_bound_done done,
                  void *user);

/* ---- pair ---------------------------------------------------------------------------- */
struct hm_core_pair {
  unsigned name_count;
  const char *names[HM_PAIR_NAMES];
  const char *context; /* "drive", "training", or a custom name (codes >= 64) */
  uint64_t seconds;    /* life, 1 s .. 400 days */
  uint32_t operations; /* bit n = operation-code n; 0: observe and remember */
  const char *with;    /* NULL or the host's name: the host */
  const char *again;   /* reason to pair where a revocation of the anchor stands; or NULL */
};
struct hm_core_paired_one {
  struct hm_error error; /* one name can fail while others stand */
  char name[HM_NAME_LETTERS + 1];
  struct hm_core_pairing pairing;
  enum hm_flow gate;
  enum hm_health health;   /* ENDED: a short recording is through already */
  bool has_frame;          /* a frame passed within the 2 s waited for */
  uint64_t frames;         /* so far */
  unsigned first_frame_ms; /* from the pairing in force to the gate's first frame */
  unsigned fps_milli;
};
struct hm_core_paired {
  struct hm_error error; /* the first failure, or HM_OK */
  unsigned count;
  struct hm_core_paired_one one[HM_PAIR_NAMES];
};
typedef void (*hm_core_paired_done)(void *user, const struct hm_core_paired *result);
/* Returns 0.3 s after the first frame, or 2 s after the pairing is in force, or at once
 * where nobody brings frames (no gate, no media service). */
void hm_core_pair(struct hm_core *core, const struct hm_core_pair *request,
                  hm_core_paired_done done, void *user);

/* ---- revoke, unbind -------------------------------------------------------------------- */
struct hm_core_revoke {
  const char *object;  /* a name, or cN of a binding, pairing or its receipt */
  const char *context; /* NULL: every context (a name), or the entry's own */
  const char *reason;  /* NULL, or free text; the log holds its code (2-trust) */
  uint64_t since_s;    /* 0, or: not trusted from then on (key compromise) */
};
struct hm_core_gate_end {
  char name[HM_NAME_LETTERS + 1];
  bool had_gate;     /* false: no gate held a grant */
  bool is_confirmed; /* the gate said: no frame above last_frame */
  bool still_flows;  /* other contexts keep it open */
  uint64_t last_frame;
  uint64_t effective; /* cN of the "effective" entry */
};
struct hm_core_revoked {
  struct hm_error error;
  uint64_t control; /* cN of the (first) revocation, durable */
  unsigned entry_count;
  uint64_t entries[HM_PAIR_NAMES]; /* every revocation entry made */
  bool by_authority;               /* else local, told to the authority when it answers */
  unsigned gate_count;
  struct hm_core_gate_end gates[HM_PAIR_NAMES];
};
typedef void (*hm_core_revoked_done)(void *user, const struct hm_core_revoked *result);
/* Returns when every gate has confirmed or its last grant is 2.1 s old. */
void hm_core_revoke(struct hm_core *core, const struct hm_core_revoke *request,
                    hm_core_revoked_done done, void *user);
/* Void the entity's LCT (L7) and everything that rests on it; history stays. */
void hm_core_unbind(struct hm_core *core, const char *name, const char *reason,
                    hm_core_revoked_done done, void *user);

/* ---- reading and proving ------------------------------------------------------------------ */
/* The store for bounded reads (transactions of at most 500 records, 1 s). Only
 * what is durable is in it. */
struct hm_store *hm_core_store(struct hm_core *core);

struct hm_core_proof {
  struct hm_error error;
  struct hm_bytes file; /* the .hmk */
};
typedef void (*hm_core_proof_done)(void *user, const struct hm_core_proof *result);
/* Prove these records (1..500 mN): flush, head, checkpoint, then build. */
void hm_core_prove(struct hm_core *core, const uint64_t *records, unsigned count,
                   hm_core_proof_done done, void *user);
/* Write a head and checkpoint now (at most one in 10 s; none without new data). */
typedef void (*hm_core_done)(void *user, const struct hm_error *error);
void hm_core_checkpoint(struct hm_core *core, hm_core_done done, void *user);

/* ---- events --------------------------------------------------------------------------------- */
enum hm_core_event_kind { HM_CORE_RECORDS, HM_CORE_CONTROL, HM_CORE_STOPPING };
struct hm_core_event {
  enum hm_core_event_kind kind;
  uint64_t first, count; /* mN .. or cN ..: durable, readable from the store now */
  uint64_t durable_ns;   /* by the clock of arrivals, when the commit returned */
};
typedef void (*hm_core_event_call)(void *user, const struct hm_core_event *event);
/* Follow what becomes durable from now on. The API replays older numbers from the
 * store first. While anyone is subscribed batches close after 50 ms. NULL where 64
 * subscriptions stand. Never call unsubscribe from inside another's callback. */
struct hm_core_subscription *hm_core_subscribe(struct hm_core *core, hm_core_event_call call,
                                               void *user);
void hm_core_unsubscribe(struct hm_core *core, struct hm_core_subscription *subscription);

/* ---- the API's own life, called by daemon_main -------------------------------------------- */
/* daemon_api.c provides these. path: where api.sock is to be. */
struct hm_api;
enum hm_status HM_MUST_CHECK hm_api_start(struct hm_core *core, const char *path,
                                          struct hm_api **out);
/* Accept nothing more; answers under way are finished. NULL is fine. */
void hm_api_stop(struct hm_api *api);
void hm_api_free(struct hm_api *api);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * gate.sock, the daemon's end: connections and their limits (daemon_gates.c), who
 * gets which grant and how one ends (daemon_grants.c), the media service
 * (daemon_media.c), observers (daemon_observe.c). The protocol is sensors/gate.h.
 *
 * Nothing here ever waits for a gate: a packet that does not go out at once closes
 * the connection, and its gate shuts on the end of the connection or of its lease.
 */
#ifndef HM_SERVICES_DAEMON_GATES_H
#define HM_SERVICES_DAEMON_GATES_H

#include "services/daemon_state.h"

/* The token of events that nobody waits for. */
#define HM_TOKEN_EVENT UINT64_MAX

enum {
  HM_GATE_LINKS = 64,        /* connections */
  HM_GATE_LINKS_OF_USER = 8, /* of one uid that hold no sensor and are no media service */
  HM_GATE_READ_AT_ONCE = 64  /* packets of one connection before others get their turn */
};

struct hm_gate_link {
  struct hm_core *core;
  int fd;
  struct hm_peer peer;
  guint readable, hello;
  enum hm_gate_role role; /* 0 until HELLO was accepted */
  struct hm_bound *bound; /* of gates and observers */
  bool is_counted;        /* in the admission of its uid */
  bool is_paused;         /* its sensor's inbox is full: not read */
  struct hm_bucket packets;
  uint64_t passed_base; /* what the entity had passed when this gate came */
  uint64_t dropped_base[HM_DROP_REASONS];
  unsigned granted_count; /* contexts of the newest answer */
  uint16_t granted[HM_GATE_CONTEXTS];
  uint64_t generation; /* observers: marks the tokens of this connection */
  uint64_t acked, done_mask, newest_seq;
  uint64_t newest_frame; /* of its peripheral records */
  bool has_news;         /* an ACK is due */
};

struct hm_gates {
  int listener;
  guint accepting;
  GPtrArray *links;
  struct hm_admission admission;
  uint64_t refused_connections, refused_messages, generations;
  GPtrArray *shuts;     /* ends of grants under way; daemon_grants.c */
  GPtrArray *questions; /* DISCOVERs under way; daemon_media.c */
  struct hm_gate_message message;
  uint8_t packet[HM_GATE_PACKET];
};

/* Send; a peer that does not take it is closed (the link is gone then: false). */
bool hm_gate_send(struct hm_gate_link *link, const struct hm_gate_message *message);
/* Close, with an ERROR packet unless status is HM_OK. The link is gone. */
void hm_gate_close(struct hm_gate_link *link, enum hm_status status, const char *text);

/* Handlers of one packet each; false: the link is gone. */
bool hm_gate_on_ask(struct hm_gate_link *link, const struct hm_gate_message *m);
bool hm_gate_on_closed(struct hm_gate_link *link, const struct hm_gate_message *m);
bool hm_gate_on_peripheral(struct hm_gate_link *link, const struct hm_gate_message *m);
bool hm_gate_on_observe(struct hm_gate_link *link, const struct hm_gate_message *m);
bool hm_gate_on_event(struct hm_gate_link *link, const struct hm_gate_message *m);
bool hm_gate_on_sources(struct hm_gate_link *link, const struct hm_gate_message *m);

/* Once a second: pairings that expired since are taken back. */
void hm_grants_tick(struct hm_core *core);
void hm_grants_stop(struct hm_core *core);
/* The media service came: START everything that is its. */
void hm_media_came(struct hm_gate_link *link);
void hm_media_gone(struct hm_gate_link *link);
/* Ask it for sources; false where none is connected. answer gets NULL after 2 s. */
typedef void (*hm_media_sources)(void *user, const struct hm_gate_message *sources);
bool hm_media_discover(struct hm_core *core, hm_media_sources answer, void *user);
/* Whether the writer has room for one more packet of this sensor. */
bool hm_observe_has_room(const struct hm_gate_link *link);
/* A result of the writer for an observation; once no more wait: ACKs go out. */
void hm_observe_result(struct hm_core *core, const struct hm_writer_result *result);
void hm_observe_results_done(struct hm_core *core);
/* A frame of bound came through: its flow is measured by this. */
void hm_bound_saw_frame(struct hm_bound *bound, uint64_t frame);

#endif

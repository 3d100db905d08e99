/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Inside of the API server (docs/guide/api.md is its outside).
 *
 *   accept (credentials, 64 at most) -> libsoup -> route by table -> handler
 *                                                   |- answers at once, or
 *                                                   '- hm_api_wait, later hm_api_answer
 *
 * A handler gets a request whose peer was allowed, whose body is whole and within
 * its limit. Whoever went away meanwhile is answered into nothing; what was
 * started goes on.
 */
#ifndef HM_SERVICES_DAEMON_API_H
#define HM_SERVICES_DAEMON_API_H

#include <libsoup/soup.h>

#include "services/daemon_core.h"
#include "services/json.h"
#include "services/view.h"

enum {
  HM_API_CONNECTIONS = 64,
  HM_API_CONNECTIONS_READ = 48, /* the rest is kept for those who may change something */
  HM_API_PATH_MAX = 512,
  HM_API_IDLE_S = 30,
  HM_API_GROUPS_MAX = 256 /* supplementary groups of a peer that are looked at */
};

enum hm_api_right { HM_API_NONE, HM_API_READ, HM_API_ADMIN };

struct hm_api_peer {
  uid_t uid;
  pid_t pid;
  enum hm_api_right right;
};

/* Who is at the other end, by the kernel. HM_DENIED where it will not say. */
enum hm_status HM_MUST_CHECK hm_api_peer_of(int fd, struct hm_api_peer *peer);

/* When records first .. first + count - 1 became durable. */
struct hm_api_commit {
  uint64_t first, count, durable_ns;
};

struct hm_api {
  struct hm_core *core;
  SoupServer *soup;
  GSocketService *service;
  char *path;            /* of the socket, removed at stop */
  unsigned *connections; /* open ones; counted in a box of its own */
  uint64_t refused_connections, requests, refused_requests;
  struct hm_view view;
  struct hm_core_subscription *subscription; /* while events are followed */
  GPtrArray *followers;                      /* struct hm_api_follower, of daemon_api_events */
  guint unsubscribe;
  struct hm_api_commit commits[64]; /* newest commits of records, a ring */
  size_t next_commit;
};

struct hm_api_request {
  struct hm_api *api;
  SoupServerMessage *message; /* a reference */
  char *path;                 /* decoded, as routed */
  char *object;               /* what the * of the route stands for, or NULL */
  GHashTable *query;          /* of the URL, or NULL */
  JsonObject *body;           /* checked by the route's table, or NULL */
  GByteArray *raw;            /* body as it came */
  bool is_too_large, is_wrong_method;
  bool is_gone;    /* the client left */
  bool is_waiting; /* answered later */
};

/* Answers. Each may be called once; the object is taken over. */
void hm_api_answer(struct hm_api_request *request, unsigned http, JsonObject *object);
void hm_api_answer_bytes(struct hm_api_request *request, const char *type, const void *data,
                         size_t len);
/* application/problem+json by the status's row; text after "; run: " becomes `mend`. */
void hm_api_problem(struct hm_api_request *request, const struct hm_error *error);
/* The handler returns without an answer; it comes later. */
void hm_api_wait(struct hm_api_request *request);

/* A parameter of the URL or NULL. */
const char *hm_api_parameter(const struct hm_api_request *request, const char *name);

/* Handlers. */
void hm_api_get_status(struct hm_api_request *request);
void hm_api_get_sources(struct hm_api_request *request);
void hm_api_get_entities(struct hm_api_request *request);
void hm_api_get_entity(struct hm_api_request *request);
void hm_api_get_memory(struct hm_api_request *request);
void hm_api_get_why(struct hm_api_request *request);
void hm_api_get_picture(struct hm_api_request *request);
void hm_api_get_control(struct hm_api_request *request);
void hm_api_get_events(struct hm_api_request *request);
void hm_api_get_metrics(struct hm_api_request *request);
void hm_api_post_query(struct hm_api_request *request);
void hm_api_post_proofs(struct hm_api_request *request);
void hm_api_post_entities(struct hm_api_request *request);
void hm_api_delete_entity(struct hm_api_request *request);
void hm_api_post_pairings(struct hm_api_request *request);
void hm_api_post_revocations(struct hm_api_request *request);

/* An entity, a pairing, as the API says them. */
JsonObject *hm_api_entity(const struct hm_core_entity *entity);
JsonObject *hm_api_pairing(const char *name, const struct hm_core_pairing *pairing);

/* "proven", "not proven", "signed", "damaged": the chain of one memory, followed now. */
const char *hm_api_proof_word(struct hm_api *api, uint64_t number);

/* Events: end all followers (at stop). */
void hm_api_followers_end(struct hm_api *api);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A whole house for tests: the built hallmark-authority and hallmarkd in a folder of
 * the test's own, spoken to only from outside, by their sockets. Functions fail the
 * running test where something does not come up.
 */
#ifndef HM_TESTS_HOUSE_H
#define HM_TESTS_HOUSE_H

#include <stdbool.h>
#include <sys/types.h>

#include "sensors/gate.h"

enum { HOUSE_REPLY = 262144 };

struct house {
  char state[256];
  char clip[320];          /* a recording that may be bound: any bytes */
  pid_t authority, daemon; /* 0: not running */
  char sysfs[300];         /* "": the real one; else this folder stands for /sys */
  char said[300];          /* where hallmarkd's log goes */
  int http;                /* status of the newest reply */
  char reply[HOUSE_REPLY]; /* its body */
};

/* Run a program of ours to its end with these words (NULL ends them); exit code, what
 * it printed on either stream into text. */
int house_run(const char *const *words, char *text, size_t cap);
/* Authority and store in folder; nothing runs. */
void house_init(struct house *h, const char *folder);
void house_serve(struct house *h); /* start the authority */
/* The same at another socket, for a test that stands between them. */
void house_serve_at(struct house *h, const char *socket);
void house_silence(struct house *h); /* stop it */
/* Whether a folder can stand for /sys here (needs root and mount namespaces). */
bool house_can_have_sysfs(void);
void house_start(struct house *h); /* start hallmarkd, wait for its API */
/* Start hallmarkd where it must fail: its exit code, what it said in text. */
int house_start_fails(struct house *h, char *text, size_t cap);
/* SIGTERM; returns its exit code, fails after 10 s. */
int house_stop(struct house *h);
/* The same without the SIGTERM: it was sent. */
int house_wait(struct house *h);
void house_kill(struct house *h); /* SIGKILL */
void house_end(struct house *h);  /* whatever runs */
/* init, serve, start. */
void house_open(struct house *h, const char *folder);
/* Whether hallmarkd's log has this text. */
bool house_has_said(const struct house *h, const char *text);

/* One request; status into http, body into reply. body may be NULL. */
int house_ask(struct house *h, const char *method, const char *path, const char *body);
/* house_ask in a process of its own, so that a test can be the gate meanwhile. */
struct house_call {
  pid_t pid;
  int fd;
};
struct house_call house_call(struct house *h, const char *method, const char *path,
                             const char *body);
/* Its answer, waited for at most ms; false: none yet. */
bool house_answered(struct house *h, struct house_call *call, int ms);
bool house_replied(const struct house *h, const char *text);
/* bind file:clip as name; pair it for a context. */
void house_bind(struct house *h, const char *name);
void house_pair(struct house *h, const char *name, const char *context);
void house_revoke_body(char out[256], const char *name, const char *context);
/* The number behind "member":" in the reply, e.g. of "last_frame"; -1 where it is not. */
long house_number(const struct house *h, const char *member);

/* ---- a client of gate.sock, driven by the test ------------------------------------------- */
struct gate_hand {
  int fd;
  uint8_t packet[HM_GATE_PACKET];
  struct hm_gate_message in;
};
enum { HAND_NOTHING = 0, HAND_GONE = -1, HAND_BROKEN = -2 };

/* Connect; false where it is refused at once. */
bool hand_connect(struct gate_hand *g, const struct house *h);
void hand_close(struct gate_hand *g);
bool hand_say(struct gate_hand *g, const struct hm_gate_message *m);
bool hand_hello(struct gate_hand *g, enum hm_gate_role role, const char *sensor);
/* connect, HELLO, ACK 0; fails the test otherwise. */
void hand_join(struct gate_hand *g, const struct house *h, enum hm_gate_role role,
               const char *sensor);
/* Wait up to ms for a packet: its kind, or HAND_*. */
int hand_hear(struct gate_hand *g, int ms);
/* The ERROR it got, HM_OK where none came within ms or it was just closed. */
enum hm_status hand_error(struct gate_hand *g, int ms);
/* ASK with this last frame; the GRANT is in g->in. */
void hand_ask(struct gate_hand *g, uint64_t last_frame);
/* CLOSED for the contexts of the REVOKE in g->in. */
void hand_confirm(struct gate_hand *g, uint64_t last_frame);
/* PERIPHERAL and one OBSERVE of this seq and frame. */
void hand_observe(struct gate_hand *g, uint64_t seq, uint64_t frame);

#endif

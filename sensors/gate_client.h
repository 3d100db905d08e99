/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The gate itself, without GStreamer: who asks for the lease, counts the buffers
 * and answers a revocation. hallmarkgate is this and a pad on either side.
 *
 *   streaming thread                      the client's own thread
 *     hm_gate_client_enter  -- lock --      asks each second, reconnects,
 *       read socket, check, number          reads the socket while no buffer comes,
 *     push the buffer (no lock held)        shuts when the lease runs out
 *     hm_gate_client_leave  -- lock --
 *       answer what was revoked meanwhile
 *
 * Either thread reads the socket under the lock, so a REVOKE is never overlooked
 * by a buffer that comes after it, whichever reads it. The lock is never held
 * while a buffer is pushed: a blocked pipeline cannot keep a REVOKE from shutting
 * the gate. The answer CLOSED n is sent only while no push is in flight: when it is
 * read, buffer n is through and none above n passes. With a push that never returns
 * there is no answer, and the daemon waits for the lease to run out.
 */
#ifndef HM_SENSORS_GATE_CLIENT_H
#define HM_SENSORS_GATE_CLIENT_H

#include "sensors/lease.h"

struct hm_gate_client;

/* A buffer's verdict "passed", as it goes on with the buffer. */
struct hm_gate_pass {
  uint64_t frame;       /* its number */
  uint64_t boottime_ns; /* when it passed */
  uint64_t context;     /* of the first pairing, as are the other two */
  uint64_t kid16;
  uint8_t certificate[HM_HASH];
};

/* What is shown. */
struct hm_gate_view {
  bool is_open;
  enum hm_gate_reason reason;
  char text[HM_GATE_TEXT + 1]; /* the daemon's words when it refused, else empty */
  uint64_t last_frame;
  uint64_t passed;
  uint64_t dropped[HM_GATE_DROPS];
};

struct hm_gate_client_config {
  const char *socket;  /* path, at most 107 bytes */
  const char *sensor;  /* 1..32 bytes */
  uint64_t last_frame; /* numbers go on from here */
  /* Called after open or shut changed, without the lock, from either thread; reads
   * what is so by hm_gate_client_view. May be NULL. */
  void (*changed)(void *user, struct hm_gate_client *client);
  void *user;
};

/* Start: the thread connects at once. HM_TOO_LARGE, HM_MALFORMED: socket or sensor
 * is no such thing; HM_FULL: no memory, descriptor or thread. */
enum hm_status HM_MUST_CHECK hm_gate_client_start(const struct hm_gate_client_config *config,
                                                  struct hm_gate_client **client);

/* Tell the daemon CLOSED and stop; the thread is joined. No enter may be waiting:
 * interrupt first. NULL is fine. */
void hm_gate_client_stop(struct hm_gate_client *client);

/* May this buffer pass? HM_OK: number it *pass, push it, then call leave. With
 * `wait` it waits for the gate to open, else HM_DENIED: dropped and counted.
 * HM_TIMEOUT: interrupted. */
enum hm_status HM_MUST_CHECK hm_gate_client_enter(struct hm_gate_client *client, bool wait,
                                                  struct hm_gate_pass *pass);
/* The push of the number that enter gave has returned. */
void hm_gate_client_leave(struct hm_gate_client *client);

/* Let a waiting enter return, and every later one, until false is given. */
void hm_gate_client_interrupt(struct hm_gate_client *client, bool is_interrupted);

void hm_gate_client_view(struct hm_gate_client *client, struct hm_gate_view *view);

#endif

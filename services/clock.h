/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Time. The only caller of clock_gettime and adjtimex; everything else is handed a
 * struct hm_now.
 *
 * Three times:
 *   boottime   CLOCK_BOOTTIME; timers, leases, intervals. Never jumps.
 *   realtime   what the system believes (CLOCK_REALTIME).
 *   trust time what may be signed as known. It is the authority's signed time
 *              (typ 65023) carried on by boottime (quality authority); else the
 *              system's while adjtimex does not say TIME_ERROR (quality network),
 *              dropped where it differs from the authority's by more than 300 s;
 *              else the system's word alone (quality none).
 *
 * The floor (last known good time) starts at the build's date. Only objects signed
 * by an authority raise it, never above trust time + 300 s; without trust time they
 * do not move it. What the floor expired stays expired, whatever a clock says.
 */
#ifndef HM_SERVICES_CLOCK_H
#define HM_SERVICES_CLOCK_H

#include <pthread.h>

#include "services/message.h"
#include "trust/certificate.h"

struct hm_now {
  uint64_t boottime_ns;
  uint64_t realtime_ns;
  uint64_t trust_s;  /* Unix seconds; with HM_QUALITY_NONE the system's unproven word */
  uint8_t quality;   /* enum hm_quality */
  uint64_t trust_ns; /* what records are stamped with: the system's time where it agrees with
                        trust time within 2 s (it is the finer one), else trust time */
};

/* One a process; safe from any thread. */
struct hm_trust_clock {
  pthread_mutex_t lock;
  uint64_t heard_s;     /* the authority's time, 0 = never heard */
  uint64_t heard_at_ns; /* boottime at which it was true */
};

void hm_clock_init(struct hm_trust_clock *clock);
void hm_clock_free(struct hm_trust_clock *clock);
/* Now, by the rules above. */
struct hm_now hm_clock_now(struct hm_trust_clock *clock);
/* A verified 65023 answered a nonce sent at sent_ns (boottime): its iat was true some
 * time between then and now; the middle is taken. Answers that took over 10 s are
 * HM_STALE and change nothing. */
enum hm_status HM_MUST_CHECK hm_clock_heard(struct hm_trust_clock *clock, uint64_t iat,
                                            uint64_t sent_ns);

/* For code that needs no trust time: intervals, time-outs. */
uint64_t hm_boottime_ns(void);
uint64_t hm_realtime_ns(void);
/* CLOCK_MONOTONIC: only for pthread_cond_timedwait, which knows no boottime. */
uint64_t hm_monotonic_ns(void);

/* ---- the floor ----------------------------------------------------------------- */
/* Seconds at which this build was made: nothing is older. */
uint64_t hm_build_time(void);

struct hm_floor {
  uint8_t authority[32]; /* thumbprint of the key whose objects raise it */
  uint64_t seconds;
};

void hm_floor_init(struct hm_floor *floor, const uint8_t authority[32]);
/* An object signed by floor->authority was accepted; true = the floor rose. */
bool hm_floor_raise(struct hm_floor *floor, const struct hm_now *now, uint64_t iat);
/* What trust/certificate.h judges certificates by (hm_times_check): with quality none an
 * HM_OK of it means "unexpired: unknown". */
struct hm_times hm_floor_times(const struct hm_floor *floor, const struct hm_now *now);

#endif

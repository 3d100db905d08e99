/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/clock.h"

#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

static const uint64_t SECOND_NS = 1000000000ull;
static const uint64_t ANSWER_MAX_NS = 10 * 1000000000ull;

static uint64_t read_clock(clockid_t id)
{
  struct timespec t;
  /* Both clocks exist on every kernel we run on; a failure is a bug of ours. */
  if (clock_gettime(id, &t) != 0 || t.tv_sec < 0)
    abort();
  return (uint64_t)t.tv_sec * SECOND_NS + (uint64_t)t.tv_nsec;
}

uint64_t hm_boottime_ns(void)
{
  return read_clock(CLOCK_BOOTTIME);
}

uint64_t hm_realtime_ns(void)
{
  return read_clock(CLOCK_REALTIME);
}

uint64_t hm_monotonic_ns(void)
{
  return read_clock(CLOCK_MONOTONIC);
}

uint64_t hm_build_time(void)
{
  return HM_BUILD_TIME;
}

void hm_clock_init(struct hm_trust_clock *clock)
{
  memset(clock, 0, sizeof *clock);
  pthread_mutex_init(&clock->lock, NULL);
}

void hm_clock_free(struct hm_trust_clock *clock)
{
  pthread_mutex_destroy(&clock->lock);
}

/* Is the system's clock disciplined? Containers and unset clocks say TIME_ERROR. */
static bool is_synchronised(void)
{
  struct timex t;
  memset(&t, 0, sizeof t);
  int state = adjtimex(&t);
  return state >= 0 && state != TIME_ERROR;
}

/* An authority tells whole seconds, so within 2 s the system's clock says more. */
static uint64_t stamp_of(uint64_t trust_ns, uint64_t realtime_ns)
{
  uint64_t apart = trust_ns > realtime_ns ? trust_ns - realtime_ns : realtime_ns - trust_ns;
  return apart <= 2 * SECOND_NS ? realtime_ns : trust_ns;
}

struct hm_now hm_clock_now(struct hm_trust_clock *clock)
{
  struct hm_now now = {
      .boottime_ns = hm_boottime_ns(), .realtime_ns = hm_realtime_ns(), .quality = HM_QUALITY_NONE};
  pthread_mutex_lock(&clock->lock);
  uint64_t heard = clock->heard_s;
  uint64_t heard_at = clock->heard_at_ns;
  pthread_mutex_unlock(&clock->lock);
  if (heard != 0) {
    now.trust_s = heard + (now.boottime_ns - heard_at) / SECOND_NS;
    now.trust_ns = stamp_of(heard * SECOND_NS + (now.boottime_ns - heard_at), now.realtime_ns);
    now.quality = HM_QUALITY_AUTHORITY;
    return now;
  }
  now.trust_s = now.realtime_ns / SECOND_NS;
  now.trust_ns = now.realtime_ns;
  if (now.trust_s >= hm_build_time() && is_synchronised())
    now.quality = HM_QUALITY_NETWORK;
  return now;
}

enum hm_status hm_clock_heard(struct hm_trust_clock *clock, uint64_t iat, uint64_t sent_ns)
{
  uint64_t now = hm_boottime_ns();
  if (now < sent_ns || now - sent_ns > ANSWER_MAX_NS)
    return HM_STALE;
  pthread_mutex_lock(&clock->lock);
  clock->heard_s = iat;
  clock->heard_at_ns = sent_ns + (now - sent_ns) / 2;
  pthread_mutex_unlock(&clock->lock);
  return HM_OK;
}

void hm_floor_init(struct hm_floor *floor, const uint8_t authority[32])
{
  memcpy(floor->authority, authority, sizeof floor->authority);
  floor->seconds = hm_build_time();
}

bool hm_floor_raise(struct hm_floor *floor, const struct hm_now *now, uint64_t iat)
{
  /* Network time never raises it, and without any trust time nothing does. */
  if (now->quality != HM_QUALITY_AUTHORITY)
    return false;
  uint64_t most = now->trust_s + HM_SKEW_S;
  uint64_t to = iat < most ? iat : most;
  if (to <= floor->seconds)
    return false;
  floor->seconds = to;
  return true;
}

struct hm_times hm_floor_times(const struct hm_floor *floor, const struct hm_now *now)
{
  struct hm_times times = {now->trust_s, now->quality, floor->seconds};
  return times;
}

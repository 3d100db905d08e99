/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/daemon_inbox.h"

#include <stdlib.h>
#include <time.h>

enum hm_status hm_inbox_init(struct hm_inbox *inbox)
{
  memset(inbox, 0, sizeof *inbox);
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes))
    return HM_IO;
  int failed = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
  if (!failed)
    failed = pthread_cond_init(&inbox->filled, &attributes);
  pthread_condattr_destroy(&attributes);
  if (!failed)
    failed = pthread_mutex_init(&inbox->lock, NULL);
  return failed ? HM_IO : HM_OK;
}

void hm_inbox_free(struct hm_inbox *inbox)
{
  while (inbox->first) {
    struct hm_message *m = inbox->first;
    inbox->first = m->next;
    free(m);
  }
  pthread_mutex_destroy(&inbox->lock);
  pthread_cond_destroy(&inbox->filled);
}

/* The counter that bounds this kind, and its bound; NULL for what is never refused. */
static unsigned *counter(struct hm_inbox *inbox, const struct hm_message *m, unsigned *limit)
{
  switch (m->kind) {
  case HM_MESSAGE_OBSERVATION:
  case HM_MESSAGE_EVENT:
    *limit = HM_INBOX_SLOTS;
    return &inbox->observations[m->slot];
  case HM_MESSAGE_PERIPHERAL:
    *limit = HM_INBOX_PERIPHERALS;
    return &inbox->peripherals[m->slot];
  case HM_MESSAGE_ENTRY:
  case HM_MESSAGE_FLUSH:
  case HM_MESSAGE_CHECKPOINT:
    *limit = HM_INBOX_REQUESTS;
    return &inbox->requests;
  default:
    return NULL;
  }
}

static enum hm_status admit(struct hm_inbox *inbox, struct hm_message *m)
{
  unsigned limit = 0;
  if (inbox->is_closed)
    return HM_UNREACHABLE;
  unsigned *count = counter(inbox, m, &limit);
  bool is_data = m->kind == HM_MESSAGE_OBSERVATION || m->kind == HM_MESSAGE_PERIPHERAL;
  if (count && (*count >= limit || (is_data && inbox->bytes + m->size > HM_INBOX_BYTES)))
    return HM_FULL;
  if (count)
    (*count)++;
  inbox->bytes += m->size;
  inbox->waiting++;
  inbox->is_closed = m->kind == HM_MESSAGE_STOP;
  return HM_OK;
}

enum hm_status hm_inbox_put(struct hm_inbox *inbox, struct hm_message *m)
{
  if (m->slot >= HM_WRITER_SENSORS)
    return HM_STATE;
  pthread_mutex_lock(&inbox->lock);
  enum hm_status status = admit(inbox, m);
  if (status == HM_OK) {
    m->next = NULL;
    if (inbox->last)
      inbox->last->next = m;
    else
      inbox->first = m;
    inbox->last = m;
    pthread_cond_signal(&inbox->filled);
  }
  pthread_mutex_unlock(&inbox->lock);
  return status;
}

/* wait_ns from now by CLOCK_MONOTONIC, which pthread_cond_timedwait was told to use. */
static struct timespec until(uint64_t wait_ns)
{
  uint64_t at = hm_monotonic_ns() + wait_ns;
  struct timespec time = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
  return time;
}

struct hm_message *hm_inbox_take(struct hm_inbox *inbox, uint64_t wait_ns)
{
  struct timespec at = until(wait_ns);
  pthread_mutex_lock(&inbox->lock);
  int rc = 0;
  while (!inbox->first && rc == 0)
    rc = pthread_cond_timedwait(&inbox->filled, &inbox->lock, &at);
  struct hm_message *m = inbox->first;
  if (m) {
    unsigned limit, *count = counter(inbox, m, &limit);
    inbox->first = m->next;
    if (!inbox->first)
      inbox->last = NULL;
    if (count)
      (*count)--;
    inbox->bytes -= m->size;
    inbox->waiting--;
  }
  pthread_mutex_unlock(&inbox->lock);
  return m;
}

size_t hm_inbox_waiting(struct hm_inbox *inbox)
{
  pthread_mutex_lock(&inbox->lock);
  size_t waiting = inbox->waiting;
  pthread_mutex_unlock(&inbox->lock);
  return waiting;
}

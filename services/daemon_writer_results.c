/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "services/daemon_writer_inside.h"

enum hm_status hm_results_init(struct hm_results *results)
{
  memset(results, 0, sizeof *results);
  results->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (results->fd < 0)
    return HM_IO;
  return pthread_mutex_init(&results->lock, NULL) ? HM_IO : HM_OK;
}

void hm_results_free(struct hm_results *results)
{
  while (results->first) {
    struct hm_result_node *node = results->first;
    results->first = node->next;
    free(node);
  }
  if (results->fd >= 0)
    close(results->fd);
  pthread_mutex_destroy(&results->lock);
}

void hm_results_put(struct hm_results *results, const struct hm_writer_result *result)
{
  struct hm_result_node *node = malloc(sizeof *node);
  const uint64_t one = 1;
  if (!node)
    return;
  node->next = NULL;
  node->result = *result;
  pthread_mutex_lock(&results->lock);
  bool was_empty = results->first == NULL;
  if (was_empty)
    results->first = node;
  else
    results->last->next = node;
  results->last = node;
  /* an eventfd of 1 never blocks; it can only fail by being full, which is readable too */
  if (was_empty && write(results->fd, &one, sizeof one) < 0)
    was_empty = false;
  pthread_mutex_unlock(&results->lock);
}

int hm_writer_fd(const struct hm_writer *w)
{
  return w->results.fd;
}

bool hm_writer_next(struct hm_writer *w, struct hm_writer_result *result)
{
  struct hm_results *results = &w->results;
  uint64_t count;
  pthread_mutex_lock(&results->lock);
  struct hm_result_node *node = results->first;
  if (node) {
    results->first = node->next;
    if (!results->first) {
      results->last = NULL;
      if (read(results->fd, &count, sizeof count) < 0)
        count = 0; /* it was quiet already */
    }
  }
  pthread_mutex_unlock(&results->lock);
  if (!node)
    return false;
  *result = node->result;
  free(node);
  return true;
}

void hm_writer_stats(struct hm_writer *w, struct hm_writer_stats *stats)
{
  pthread_mutex_lock(&w->results.lock);
  *stats = w->results.stats;
  pthread_mutex_unlock(&w->results.lock);
  stats->waiting = hm_inbox_waiting(&w->inbox);
}

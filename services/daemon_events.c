/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Subscriptions: who is told when something became durable. While there is one,
 * batches close early.
 */
#include "services/daemon_state.h"

enum { SUBSCRIPTIONS_MAX = 64 };

struct hm_core_subscription {
  hm_core_event_call call;
  void *user;
};

static void set_watched(struct hm_core *core)
{
  if (core->writer != NULL &&
      hm_writer_watched(core->writer, core->subscriptions->len > 0) != HM_OK)
    hm_log(HM_LOG_WARNING, "watched", "the writer takes no more requests");
}

struct hm_core_subscription *hm_core_subscribe(struct hm_core *core, hm_core_event_call call,
                                               void *user)
{
  if (core->subscriptions->len >= SUBSCRIPTIONS_MAX)
    return NULL;
  struct hm_core_subscription *s = g_new0(struct hm_core_subscription, 1);
  s->call = call;
  s->user = user;
  g_ptr_array_add(core->subscriptions, s);
  set_watched(core);
  return s;
}

void hm_core_unsubscribe(struct hm_core *core, struct hm_core_subscription *subscription)
{
  /* The array frees what is taken out of it. */
  if (g_ptr_array_remove_fast(core->subscriptions, subscription))
    set_watched(core);
}

/* Backwards: a callback may end its own subscription. */
void hm_core_tell(struct hm_core *core, const struct hm_core_event *event)
{
  for (guint i = core->subscriptions->len; i > 0; i--) {
    struct hm_core_subscription *s = core->subscriptions->pdata[i - 1];
    s->call(s->user, event);
  }
}

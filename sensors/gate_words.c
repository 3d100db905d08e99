/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The words of the gate protocol for people: names as they stand in properties,
 * events and metrics, and the sentences behind them.
 */
#include "sensors/gate.h"

static const struct {
  const char *name, *text;
} reasons[HM_GATE_REASON_COUNT] = {
    [HM_GATE_OPEN] = {"open", "open"},
    [HM_GATE_UNPAIRED] = {"unpaired", "no live pairing lets its frames flow"},
    [HM_GATE_REVOKED] = {"revoked", "its last pairing was revoked"},
    [HM_GATE_PAIRING_EXPIRED] = {"expired", "its last pairing expired"},
    [HM_GATE_DISABLED] = {"disabled", "the sensor is disabled"},
    [HM_GATE_UNKNOWN_SENSOR] = {"unknown-sensor", "no sensor of that name is bound"},
    [HM_GATE_REFUSED] = {"refused", "this user or unit may not be its gate"},
    [HM_GATE_HELD] = {"held", "another gate holds the sensor"},
    [HM_GATE_SHUTDOWN] = {"shutdown", "the daemon stops"},
    [HM_GATE_LEASE_RAN_OUT] = {"ran-out", "no fresh answer for 2 s"},
    [HM_GATE_DAEMON_GONE] = {"no-daemon", "no connection to the daemon"},
    [HM_GATE_STREAM_ENDED] = {"ended", "the stream ended"},
    [HM_GATE_ANCHOR_DIFFERS] = {"anchor-differs", "the device is not the one that was bound"},
    [HM_GATE_NOT_ASKED] = {"not-asked", "no answer yet"},
};

const char *hm_gate_reason_text(enum hm_gate_reason reason)
{
  return (unsigned)reason < HM_GATE_REASON_COUNT ? reasons[reason].text : "unknown";
}

const char *hm_gate_reason_name(enum hm_gate_reason reason)
{
  return (unsigned)reason < HM_GATE_REASON_COUNT ? reasons[reason].name : "unknown";
}

const char *hm_gate_event_name(enum hm_gate_event event)
{
  static const char *const names[HM_GATE_EVENT_COUNT] = {
      "none",      "flowing", "end",     "error",       "stalled",
      "reconnect", "state",   "dropped", "unsupported", "shut"};

  return (unsigned)event < HM_GATE_EVENT_COUNT ? names[event] : "unknown";
}

const char *hm_gate_role_name(enum hm_gate_role role)
{
  static const char *const names[] = {"none", "gate", "observer", "sink", "media"};

  return (unsigned)role < sizeof names / sizeof names[0] ? names[role] : "unknown";
}

const char *hm_gate_drop_name(enum hm_gate_drop drop)
{
  static const char *const names[] = {"none", "back-pressure", "rate", "storm",
                                      "disk", "invalid",       "other"};

  return (unsigned)drop < sizeof names / sizeof names[0] ? names[drop] : "unknown";
}

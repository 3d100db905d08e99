/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "services/authority_policy.h"

#include "services/text.h"
#include "trust/capability.h"

enum {
  LOOK = 1 << HM_OP_OBSERVE | 1 << HM_OP_REMEMBER,
  TRAIN = 1 << HM_OP_TRAIN,
  READ = 1 << HM_OP_READ,
  ACT = 1 << HM_OP_WRITE | 1 << HM_OP_EXECUTE,

  HEALTH = 1 << HM_DATA_STATUS | 1 << HM_DATA_HEARTBEAT,
  TELEMETRY = 1 << HM_DATA_BASIC_TELEMETRY | 1 << HM_DATA_TELEMETRY | 1 << HM_DATA_DIAGNOSTICS,
  ORDERS = 1 << HM_DATA_COMMAND | 1 << HM_DATA_CONTROL | 1 << HM_DATA_CONFIGURATION |
           1 << HM_DATA_AUTHENTICATION,
  SIGHT = 1 << HM_DATA_FRAME | 1 << HM_DATA_TILE_SUMMARY | 1 << HM_DATA_FOCUS | 1 << HM_DATA_IMU |
          1 << HM_DATA_EMBEDDING
};

const struct hm_context_policy hm_context_policies[] = {
    {HM_CONTEXT_BATTERY_MANAGEMENT, LOOK | TRAIN | READ | ACT, HEALTH | TELEMETRY | ORDERS,
     HM_LIFE_MAX_S},
    {HM_CONTEXT_DIAGNOSTICS, LOOK | READ, HEALTH | TELEMETRY | ORDERS | SIGHT, HM_LIFE_MAX_S},
    {HM_CONTEXT_FIRMWARE_UPDATE, READ | ACT, HEALTH | ORDERS, 7 * HM_DAY_S},
    {HM_CONTEXT_EMERGENCY, LOOK | READ | ACT, HEALTH | TELEMETRY | ORDERS | SIGHT, 30 * HM_DAY_S},
    {HM_CONTEXT_DRIVE, LOOK | TRAIN | READ, HEALTH | TELEMETRY | SIGHT, HM_LIFE_MAX_S},
    {HM_CONTEXT_TRAINING, LOOK | TRAIN, HEALTH | TELEMETRY | SIGHT, HM_LIFE_MAX_S},
    {HM_CONTEXT_CUSTOM, LOOK | TRAIN | READ | ACT, HEALTH | TELEMETRY | ORDERS | SIGHT,
     HM_LIFE_MAX_S},
};
const size_t hm_context_policy_count = sizeof hm_context_policies / sizeof hm_context_policies[0];

static const struct hm_context_policy *policy_of(uint64_t context)
{
  uint64_t row = context >= HM_CONTEXT_CUSTOM ? HM_CONTEXT_CUSTOM : context;
  for (size_t i = 0; i < hm_context_policy_count; i++)
    if (hm_context_policies[i].context == row)
      return &hm_context_policies[i];
  return NULL;
}

static const char *word(const struct hm_code_table *table, uint64_t code)
{
  const char *name = hm_code_name(table, code);
  return name != NULL ? name : "?";
}

/* The first listed code that the mask does not have, 0 = none. */
static uint64_t outside(const uint64_t *codes, uint32_t count, uint32_t mask)
{
  for (uint32_t i = 0; i < count; i++)
    if (codes[i] >= 32 || (mask >> codes[i] & 1) == 0)
      return codes[i];
  return 0;
}

static enum hm_status check_life(const struct hm_pairing_request *request,
                                 const struct hm_context_policy *policy, const char *context,
                                 const struct hm_entity *a, const struct hm_entity *b, uint64_t now,
                                 struct hm_error *err)
{
  if (request->exp <= now)
    return hm_fail(err, HM_POLICY, "the pairing asked for would have ended already");
  if (request->exp - now > policy->most_life_s) {
    char most[HM_TEXT_TIME];
    hm_text_ago(policy->most_life_s, most);
    return hm_fail(err, HM_POLICY, "%s: a pairing lasts at most %s; ask for less with --for",
                   context, most);
  }
  if (request->exp > a->exp || request->exp > b->exp)
    return hm_fail(err, HM_POLICY, "%s: the pairing would outlive a binding", context);
  return HM_OK;
}

enum hm_status hm_context_policy_check(const struct hm_pairing_request *request,
                                       const struct hm_entity *a, const struct hm_entity *b,
                                       uint64_t now, struct hm_error *err)
{
  const struct hm_context_policy *policy = policy_of(request->context);
  if (policy == NULL)
    return hm_fail(err, HM_POLICY, "context %llu is not known",
                   (unsigned long long)request->context);
  const char *context = request->context >= HM_CONTEXT_CUSTOM
                            ? "a custom context"
                            : word(&hm_contexts, request->context);
  uint64_t bad = outside(request->operations, request->operation_count, policy->operations);
  if (bad != 0)
    return hm_fail(err, HM_POLICY, "%s does not allow the operation %s", context,
                   word(&hm_operations, bad));
  if (b->type == HM_ENTITY_SENSOR) {
    bad = outside(request->operations, request->operation_count, LOOK | TRAIN | READ);
    if (bad != 0)
      return hm_fail(err, HM_POLICY, "a sensor takes no %s", word(&hm_operations, bad));
  }
  bad = outside(request->data_types, request->data_count, policy->data_types);
  if (bad != 0)
    return hm_fail(err, HM_POLICY, "%s does not allow the data type %s", context,
                   word(&hm_data_types, bad));
  return check_life(request, policy, context, a, b, now, err);
}

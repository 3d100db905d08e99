/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The words of the codes. A table here is the only place where a code meets its word.
 */
#include "trust/profile.h"

#define TABLE(variable, word, rows)                                                                \
  const struct hm_code_table variable = {(word), (rows), sizeof(rows) / sizeof((rows)[0])}

static const struct hm_code classes[] = {{HM_CLASS_A, "A"}, {HM_CLASS_S, "S"}, {HM_CLASS_H, "H"}};
TABLE(hm_classes, "class", classes);

static const struct hm_code entity_types[] = {
    {HM_ENTITY_PACK, "pack"},       {HM_ENTITY_MODULE, "module"},
    {HM_ENTITY_SENSOR, "sensor"},   {HM_ENTITY_HOST, "host"},
    {HM_ENTITY_APP, "app"},         {HM_ENTITY_AUTHORITY, "authority"},
    {HM_ENTITY_SERVICE, "service"}, {HM_ENTITY_ENCODER, "encoder"},
    {HM_ENTITY_STORE, "store"}};
TABLE(hm_entity_types, "entity-type", entity_types);

static const struct hm_code kinds[] = {
    {HM_KIND_NONE, "none"}, {HM_KIND_CAMERA, "camera"}, {HM_KIND_IMU, "imu"}};
TABLE(hm_kinds, "kind", kinds);

static const struct hm_code anchors[] = {{HM_ANCHOR_SOFTWARE, "software"},
                                         {HM_ANCHOR_POSITION, "position"},
                                         {HM_ANCHOR_SERIAL, "serial"},
                                         {HM_ANCHOR_TPM2, "tpm2"},
                                         {HM_ANCHOR_SECURE_ELEMENT, "secure_element"},
                                         {HM_ANCHOR_FILE, "file"}};
TABLE(hm_anchors, "anchor", anchors);

static const struct hm_code contexts[] = {{HM_CONTEXT_BATTERY_MANAGEMENT, "battery_management"},
                                          {HM_CONTEXT_DIAGNOSTICS, "diagnostics"},
                                          {HM_CONTEXT_FIRMWARE_UPDATE, "firmware_update"},
                                          {HM_CONTEXT_EMERGENCY, "emergency"},
                                          {HM_CONTEXT_DRIVE, "drive"},
                                          {HM_CONTEXT_TRAINING, "training"}};
TABLE(hm_contexts, "context", contexts);

static const struct hm_code data_types[] = {{HM_DATA_STATUS, "status"},
                                            {HM_DATA_HEARTBEAT, "heartbeat"},
                                            {HM_DATA_BASIC_TELEMETRY, "basic_telemetry"},
                                            {HM_DATA_TELEMETRY, "telemetry"},
                                            {HM_DATA_DIAGNOSTICS, "diagnostics"},
                                            {HM_DATA_COMMAND, "command"},
                                            {HM_DATA_CONTROL, "control"},
                                            {HM_DATA_CONFIGURATION, "configuration"},
                                            {HM_DATA_AUTHENTICATION, "authentication"},
                                            {HM_DATA_FRAME, "frame"},
                                            {HM_DATA_TILE_SUMMARY, "tile_summary"},
                                            {HM_DATA_FOCUS, "focus"},
                                            {HM_DATA_IMU, "imu"},
                                            {HM_DATA_EMBEDDING, "embedding"}};
TABLE(hm_data_types, "data-type", data_types);

static const struct hm_code operations[] = {
    {HM_OP_OBSERVE, "observe"}, {HM_OP_REMEMBER, "remember"}, {HM_OP_TRAIN, "train"},
    {HM_OP_READ, "read"},       {HM_OP_WRITE, "write"},       {HM_OP_EXECUTE, "execute"}};
TABLE(hm_operations, "operation", operations);

static const struct hm_code protections[] = {{HM_PROTECTION_CLEAR, "clear"},
                                             {HM_PROTECTION_EXCHANGE, "exchange"},
                                             {HM_PROTECTION_PAIRING, "pairing"},
                                             {HM_PROTECTION_BINDING, "binding"}};
TABLE(hm_protections, "protection", protections);

static const struct hm_code receipt_kinds[] = {{HM_RECEIPT_COMPLETION, "completion"},
                                               {HM_RECEIPT_REVOCATION, "revocation"},
                                               {HM_RECEIPT_MODIFICATION, "modification"},
                                               {HM_RECEIPT_FAILED, "failed"},
                                               {HM_RECEIPT_ESTABLISHMENT, "establishment"},
                                               {HM_RECEIPT_VERIFICATION, "verification"},
                                               {HM_RECEIPT_RETIREMENT, "retirement"},
                                               {HM_RECEIPT_SEGMENT_OPENED, "segment_opened"},
                                               {HM_RECEIPT_SEGMENT_CLOSED, "segment_closed"},
                                               {HM_RECEIPT_PRUNING, "pruning"},
                                               {HM_RECEIPT_CALIBRATION, "calibration"},
                                               {HM_RECEIPT_SUPPRESSION, "suppression"},
                                               {HM_RECEIPT_STREAM_REFUSED, "stream_refused"},
                                               {HM_RECEIPT_BALANCE, "balance"},
                                               {HM_RECEIPT_REDACTION, "redaction"},
                                               {HM_RECEIPT_GENESIS, "genesis"},
                                               {HM_RECEIPT_START, "start"},
                                               {HM_RECEIPT_EFFECTIVE, "effective"},
                                               {HM_RECEIPT_EXPORT_ENDED, "export_ended"},
                                               {HM_RECEIPT_CONTINUED, "continued_after_loss"}};
TABLE(hm_receipt_kinds, "receipt-kind", receipt_kinds);

static const struct hm_code events[] = {{HM_EVENT_ESCALATION, "escalation"},
                                        {HM_EVENT_WITNESS, "witness"},
                                        {HM_EVENT_GAP, "gap"},
                                        {HM_EVENT_SUPPRESSION, "suppression"},
                                        {HM_EVENT_REFUSED, "refused"},
                                        {HM_EVENT_SENSOR_STATE, "sensor_state"},
                                        {HM_EVENT_MODE, "mode"},
                                        {HM_EVENT_CONFIRMATION, "confirmation"}};
TABLE(hm_events, "event", events);

static const struct hm_code reasons[] = {{HM_REASON_ANOMALY_DETECTED, "anomaly_detected"},
                                         {HM_REASON_SECURITY_THREAT, "security_threat"},
                                         {HM_REASON_AUDIT_REQUIRED, "audit_required"},
                                         {HM_REASON_OPERATOR, "operator"},
                                         {HM_REASON_RETIRED, "retired"},
                                         {HM_REASON_SUPERSEDED, "superseded"},
                                         {HM_REASON_KEY_COMPROMISE, "key_compromise"},
                                         {HM_REASON_ANCHOR_CHANGED, "anchor_changed"},
                                         {HM_REASON_HANDSHAKE_FAILED, "handshake_failed"},
                                         {HM_REASON_NO_RECEIPT, "no_receipt"},
                                         {HM_REASON_EXPIRED, "expired"},
                                         {HM_REASON_RATE, "rate"},
                                         {HM_REASON_RESTART, "restart"}};
TABLE(hm_reasons, "reason", reasons);

static const struct hm_code results[] = {{HM_RESULT_PASS, "pass"}, {HM_RESULT_FAIL, "fail"}};
TABLE(hm_results, "result", results);

static const struct hm_code clocks[] = {{HM_CLOCK_MONOTONIC, "monotonic"},
                                        {HM_CLOCK_BOOTTIME, "boottime"},
                                        {HM_CLOCK_REALTIME, "realtime"},
                                        {HM_CLOCK_DEVICE, "device"},
                                        {HM_CLOCK_RTP, "rtp"},
                                        {HM_CLOCK_FILE, "file"},
                                        {HM_CLOCK_PIPELINE, "pipeline"}};
TABLE(hm_clocks, "clock-domain", clocks);

static const struct hm_code qualities[] = {{HM_QUALITY_NONE, "none"},
                                           {HM_QUALITY_PEER, "peer"},
                                           {HM_QUALITY_NETWORK, "network"},
                                           {HM_QUALITY_AUTHORITY, "authority"}};
TABLE(hm_qualities, "clock-quality", qualities);

static const struct hm_code sensor_states[] = {{HM_SENSOR_OK, "ok"},
                                               {HM_SENSOR_NOT_PROCESSED, "not_processed"},
                                               {HM_SENSOR_DARK, "dark"},
                                               {HM_SENSOR_OBSCURED, "obscured"},
                                               {HM_SENSOR_FROZEN, "frozen"},
                                               {HM_SENSOR_STALE, "stale"},
                                               {HM_SENSOR_REPLAY, "replay"},
                                               {HM_SENSOR_ABSENT, "absent"},
                                               {HM_SENSOR_GATE_SHUT, "gate_shut"}};
TABLE(hm_sensor_states, "sensor-state", sensor_states);

static const struct hm_code purposes[] = {{HM_PURPOSE_BATCHES, "batches"},
                                          {HM_PURPOSE_RECEIPTS, "receipts"}};
TABLE(hm_purposes, "purpose", purposes);

static const struct hm_code origins[] = {
    {HM_ORIGIN_LIVE, "live"}, {HM_ORIGIN_REPLAY, "replay"}, {HM_ORIGIN_SYNTHETIC, "synthetic"}};
TABLE(hm_origins, "origin", origins);

static const struct hm_code record_types[] = {{HM_RECORD_OBSERVATION, "observation"},
                                              {HM_RECORD_MEMORY, "memory"},
                                              {HM_RECORD_EVENT, "event"}};
TABLE(hm_record_types, "record-type", record_types);

static const struct hm_code coherences[] = {{HM_COHERENCE_NOT_JUDGED, "not_judged"},
                                            {HM_COHERENCE_AGREES, "agrees"},
                                            {HM_COHERENCE_CONTRADICTS, "contradicts"}};
TABLE(hm_coherences, "coherence", coherences);

static const struct hm_code drops[] = {{HM_DROP_BACK_PRESSURE, "back_pressure"},
                                       {HM_DROP_RATE, "rate"},
                                       {HM_DROP_STORM, "storm"},
                                       {HM_DROP_DISK, "disk"},
                                       {HM_DROP_INVALID, "invalid"},
                                       {HM_DROP_OTHER, "other"}};
TABLE(hm_drops, "drop", drops);

static const struct hm_code export_kinds[] = {{HM_EXPORT_EXPORT, "export"},
                                              {HM_EXPORT_BACKUP, "backup"},
                                              {HM_EXPORT_PROOF, "proof"},
                                              {HM_EXPORT_INCIDENT, "incident"}};
TABLE(hm_export_kinds, "export-kind", export_kinds);

static const struct hm_code skips[] = {{HM_SKIP_REVOKED, "revoked"},
                                       {HM_SKIP_NO_TRAIN, "no_train"},
                                       {HM_SKIP_OTHER_CONTEXT, "other_context"},
                                       {HM_SKIP_TRUST, "trust"},
                                       {HM_SKIP_PRUNED, "pruned"},
                                       {HM_SKIP_UNPROVEN, "unproven"},
                                       {HM_SKIP_INCOHERENT, "incoherent"},
                                       {HM_SKIP_OTHER, "other"}};
TABLE(hm_skips, "skip", skips);

static const struct hm_code witness_roles[] = {
    {HM_WITNESS_TIME, "time"},      {HM_WITNESS_AUDIT, "audit"},
    {HM_WITNESS_ORACLE, "oracle"},  {HM_WITNESS_EXISTENCE, "existence"},
    {HM_WITNESS_ACTION, "action"},  {HM_WITNESS_STATE, "state"},
    {HM_WITNESS_QUALITY, "quality"}};
TABLE(hm_witness_roles, "witness-role", witness_roles);

const struct hm_code_table *const hm_code_tables[] = {
    &hm_classes,      &hm_entity_types, &hm_kinds,        &hm_anchors,       &hm_contexts,
    &hm_data_types,   &hm_operations,   &hm_protections,  &hm_receipt_kinds, &hm_events,
    &hm_reasons,      &hm_results,      &hm_clocks,       &hm_qualities,     &hm_sensor_states,
    &hm_purposes,     &hm_origins,      &hm_record_types, &hm_coherences,    &hm_drops,
    &hm_export_kinds, &hm_skips,        &hm_witness_roles};
const size_t hm_code_table_count = sizeof hm_code_tables / sizeof hm_code_tables[0];

const char *hm_code_name(const struct hm_code_table *table, uint64_t code)
{
  for (size_t i = 0; i < table->count; i++)
    if (table->codes[i].code == code)
      return table->codes[i].name;
  return NULL;
}

static bool is_word(const char *name, struct hm_bytes word)
{
  for (size_t i = 0; i < word.len; i++)
    if (name[i] == '\0' || (uint8_t)name[i] != word.data[i])
      return false;
  return name[word.len] == '\0';
}

bool hm_code_find(const struct hm_code_table *table, struct hm_bytes word, uint32_t *code)
{
  for (size_t i = 0; i < table->count; i++)
    if (is_word(table->codes[i].name, word)) {
      *code = table->codes[i].code;
      return true;
    }
  return false;
}

static const char *const labels[HM_L_COUNT_OF_LABELS] = {
    "blind",       "ver",          "log-number",    "type",          "lct",
    "pairings",    "sensor-leaf",  "batch-number",  "level",         "protection",
    "frame",       "raw-ns",       "clock-domain",  "quality",       "time-ns",
    "error-ns",    "region",       "trust",         "value",         "coherence",
    "picture",     "vector",       "arrival-ns",    "origin",        "class",
    "entity-type", "kind",         "agreement-key", "anchor",        "serial",
    "caps",        "bound-to",     "encoder-info",  "request",       "countersign",
    "commitment",  "proxy",        "supersedes",    "metadata",      "sections",
    "pairing-id",  "kid16",        "entities",      "context-name",  "data-types",
    "operations",  "rates",        "least",         "max-epochs",    "fresh",
    "half",        "policy-hash",  "seed",          "callback",      "window-s",
    "nonce",       "transcript",   "role",          "confirm",       "result",
    "witness",     "certificate",  "evidence",      "reason",        "atp",
    "energy-mj",   "purposes",     "previous",      "revocations",   "first",
    "count",       "control-size", "control-tree",  "data-tree",     "event",
    "source",      "mac",          "since",         "context",       "receipt-within",
    "sensors",     "model",        "version",       "preprocessing", "dimension",
    "dtype",       "scale",        "exported",      "skipped",       "root",
    "recipient",   "law",          "flags",         "subject",       "trigger",
    "passed",      "dropped",      "late",          "unauthorized",  "state",
    "first-frame", "last-frame",   "peripherals",   "first-arrival", "last-arrival",
    "session-key", "live",         "control-range", "data-range",    "start",
    "data-size",   "trained-on",   "lower"};

const char *hm_label_name(uint64_t label)
{
  return label < HM_L_COUNT_OF_LABELS ? labels[label] : NULL;
}

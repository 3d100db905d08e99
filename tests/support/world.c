/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct hm_crypto *const engine = &hm_crypto_openssl;

#define MUST(expression) assert_int_equal((expression), HM_OK)

void world_key_make(struct world_key *key, uint8_t seed, uint8_t index)
{
  uint8_t random[48], scalar[32], point[64];
  memset(random, 0x40 + index, sizeof random);
  random[47] = seed;
  MUST(hm_p256_generate(engine, random, scalar, point));
  MUST(hm_signer_from_scalar(engine, scalar, &key->storage, &key->signer));
  random[0] = 0xa5;
  MUST(hm_p256_generate(engine, random, key->agree_scalar, key->agree));
}

static struct hm_out object_out(struct world_object *o)
{
  return hm_out(o->data, sizeof o->data);
}

static void close_object(struct world_object *o, const struct hm_out *out)
{
  MUST(hm_out_status(out));
  o->len = out->len;
}

static void make_request(struct world *w, const struct world_key *entity,
                         const struct world_key *host, struct world_object *out, uint8_t name[32])
{
  struct hm_binding_request r = {.iat = w->now,
                                 .class = host != NULL ? HM_CLASS_H : HM_CLASS_A,
                                 .type = host != NULL ? HM_ENTITY_SENSOR : HM_ENTITY_HOST,
                                 .kind = host != NULL ? HM_KIND_CAMERA : HM_KIND_NONE,
                                 .anchor = host != NULL ? HM_ANCHOR_FILE : HM_ANCHOR_SOFTWARE,
                                 .caps = HM_CAP_FRAMES,
                                 .has_serial = true,
                                 .serial = hm_bytes("unit 1", 6)};
  memset(r.challenge, 0x5c, sizeof r.challenge);
  memset(r.descriptors, 0xde, sizeof r.descriptors);
  memcpy(r.sign, entity->signer.point, 64);
  memcpy(r.agree, entity->agree, 64);
  if (host != NULL) {
    r.has_bound_to = true;
    memcpy(r.bound_to, host->signer.kid, 32);
  }
  struct hm_out o = object_out(out);
  MUST(hm_binding_request_make(engine, &entity->signer, &r, &o));
  close_object(out, &o);
  MUST(hm_binding_request_open(engine, world_bytes(out), &r, name));
}

void world_bind(struct world *w, const struct world_key *entity, const struct world_key *host,
                struct world_object *out, struct hm_entity *facts)
{
  struct world_object request, countersign;
  struct hm_countersignature cs = {.iat = w->now};
  make_request(w, entity, host, &request, cs.certificate);
  struct hm_binding b = {.exp = w->now + 10ull * 365 * HM_DAY_S,
                         .nbf = w->now,
                         .iat = w->now,
                         .request = world_bytes(&request)};
  if (host != NULL) {
    struct hm_out o = object_out(&countersign);
    MUST(hm_countersignature_make(engine, &host->signer, &cs, &o));
    close_object(&countersign, &o);
    b.has_countersign = true;
    b.countersign = world_bytes(&countersign);
  }
  struct hm_out o = object_out(out);
  MUST(hm_binding_make(engine, &w->authority.signer, &b, &o));
  close_object(out, &o);
  MUST(hm_binding_open(engine, world_bytes(out), w->authority.signer.point,
                       host != NULL ? &w->host_entity : NULL, NULL, facts));
}

void world_bind_encoder(struct world *w, const struct world_key *entity, struct world_object *out,
                        struct hm_entity *facts)
{
  uint8_t info_bytes[768];
  struct world_object request;
  struct hm_encoder info = {.version = hm_bytes("1.0", 3), .dimension = 256, .scale = 512};
  memset(info.model, 0x3d, sizeof info.model);
  memset(info.preprocessing, 0x9e, sizeof info.preprocessing);
  struct hm_out o = hm_out(info_bytes, sizeof info_bytes);
  MUST(hm_encoder_encode(&info, &o));
  struct hm_binding_request r = {.iat = w->now,
                                 .class = HM_CLASS_A,
                                 .type = HM_ENTITY_ENCODER,
                                 .anchor = HM_ANCHOR_FILE,
                                 .caps = HM_CAP_EMBEDS,
                                 .has_encoder_info = true,
                                 .encoder_info = hm_out_bytes(&o)};
  MUST(engine->sha256(&r.encoder_info, 1, r.descriptors));
  memcpy(r.sign, entity->signer.point, 64);
  memcpy(r.agree, entity->agree, 64);
  o = object_out(&request);
  MUST(hm_binding_request_make(engine, &entity->signer, &r, &o));
  close_object(&request, &o);
  struct hm_binding b = {.exp = w->now + 365ull * HM_DAY_S,
                         .nbf = w->now,
                         .iat = w->now,
                         .request = world_bytes(&request)};
  o = object_out(out);
  MUST(hm_binding_make(engine, &w->authority.signer, &b, &o));
  close_object(out, &o);
  MUST(hm_binding_open(engine, world_bytes(out), w->authority.signer.point, NULL, NULL, facts));
}

static void make_completion(const struct hm_pairing *p, const struct world_key *key, uint64_t role,
                            struct world_object *out, uint8_t name[32])
{
  struct hm_completion c = {.role = role};
  memcpy(c.pairing_id, p->policy.pairing_id, 16);
  memset(c.nonce, 0x11, sizeof c.nonce);
  memset(c.transcript, 0x22, sizeof c.transcript);
  memset(c.confirm, 0x33, sizeof c.confirm);
  struct hm_out o = object_out(out);
  MUST(hm_completion_make(engine, &key->signer, &c, &o));
  close_object(out, &o);
  MUST(hm_completion_open(engine, world_bytes(out), key->signer.point, &c, name));
}

void world_pair(struct world *w, const struct world_key *a, const struct world_key *b,
                uint64_t context, uint8_t id, struct world_object *pairing,
                struct world_object *completion_0, struct world_object *completion_1,
                struct world_object *receipt)
{
  struct hm_policy policy = {.kid16 = 1000u + id,
                             .data_count = 3,
                             .data_types = {HM_DATA_FRAME, HM_DATA_FOCUS, HM_DATA_EMBEDDING},
                             .operation_count = w->operations,
                             .operations = {HM_OP_OBSERVE, HM_OP_REMEMBER, HM_OP_TRAIN},
                             .fresh = w->fresh,
                             .rate_count = 1,
                             .rates = {{HM_DATA_FRAME, 60}},
                             .max_epochs = 1000,
                             .context = context,
                             .receipt_within = 30};
  memset(policy.pairing_id, id, sizeof policy.pairing_id);
  memcpy(policy.entities[0], a->signer.kid, 32);
  memcpy(policy.entities[1], b->signer.kid, 32);
  uint8_t metadata[1024];
  struct hm_out m = hm_out(metadata, sizeof metadata);
  MUST(hm_policy_encode(&policy, &m));
  struct hm_pairing p = {
      .exp = w->now + 30 * HM_DAY_S, .nbf = w->now, .iat = w->now, .metadata = hm_out_bytes(&m)};
  struct hm_out o = object_out(pairing);
  MUST(hm_pairing_make(engine, &w->authority.signer, &p, &o));
  close_object(pairing, &o);
  MUST(hm_pairing_open(engine, world_bytes(pairing), w->authority.signer.point, NULL, &p));

  struct hm_receipt r = {.iat = w->now,
                         .level = 6,
                         .quality = HM_QUALITY_AUTHORITY,
                         .kind = HM_RECEIPT_COMPLETION,
                         .has_certificate = true,
                         .evidence_count = 2,
                         .has_flags = true,
                         .flags = 1};
  memcpy(r.certificate, p.name, 32);
  memcpy(r.subject, b->signer.kid, 32);
  make_completion(&p, a, 0, completion_0, r.evidence[0]);
  make_completion(&p, b, 1, completion_1, r.evidence[1]);
  o = object_out(receipt);
  MUST(hm_receipt_make(engine, &w->authority.signer, &r, &o));
  close_object(receipt, &o);
}

size_t world_log_proof(struct world *w, const struct world_object *certificate, uint8_t *out,
                       size_t cap)
{
  struct hm_sign1 s;
  struct world_object checkpoint;
  struct hm_checkpoint c = {.iat = w->now, .has_revocations = true};
  struct hm_log_proof proof = {.index = w->log_size};
  assert_true(w->log_size < WORLD_LOG_MAX);
  MUST(hm_sign1_parse(world_bytes(certificate), false, &s));
  MUST(hm_sign1_leaf(engine, &s, s.payload, w->leaves[w->log_size++]));
  c.control_tree.size = w->log_size;
  const uint8_t(*leaves)[32] = (const uint8_t(*)[32])w->leaves;
  MUST(hm_tree_root(engine, leaves, w->log_size, c.control_tree.root));
  MUST(hm_tree_inclusion(engine, leaves, w->log_size, proof.index, &proof.way));
  struct hm_out o = object_out(&checkpoint);
  MUST(hm_checkpoint_make(engine, &w->authority.signer, &c, &o));
  close_object(&checkpoint, &o);
  proof.checkpoint = world_bytes(&checkpoint);
  o = hm_out(out, cap);
  MUST(hm_log_proof_encode(&proof, &o));
  return o.len;
}

void world_revoke(struct world *w, uint64_t number, uint64_t iat, const uint8_t certificate[32],
                  const uint8_t previous[32], struct world_object *out)
{
  struct hm_revocation r = {
      .iat = iat, .number = number, .reason = HM_REASON_OPERATOR, .has_previous = previous != NULL};
  memcpy(r.certificate, certificate, 32);
  if (previous != NULL)
    memcpy(r.previous, previous, 32);
  struct hm_out o = object_out(out);
  MUST(hm_revocation_make(engine, &w->authority.signer, &r, &o));
  close_object(out, &o);
}

void world_session(struct world *w)
{
  struct hm_session s = {.exp = w->now + HM_DAY_S,
                         .nbf = w->now,
                         .iat = w->now,
                         .purpose_count = 2,
                         .purposes = {HM_PURPOSE_BATCHES, HM_PURPOSE_RECEIPTS},
                         .first = 1};
  memcpy(s.key, w->session.signer.point, 64);
  struct hm_out o = object_out(&w->session_object);
  MUST(hm_session_make(engine, &w->host.signer, &s, &o));
  close_object(&w->session_object, &o);
}

void world_make(struct world *w, uint8_t seed)
{
  memset(w, 0, sizeof *w);
  w->now = WORLD_T0;
  w->operations = 2;
  world_key_make(&w->authority, seed, 1);
  world_key_make(&w->host, seed, 2);
  world_key_make(&w->camera, seed, 3);
  world_key_make(&w->session, seed, 4);
  world_bind(w, &w->host, NULL, &w->host_binding, &w->host_entity);
  world_bind(w, &w->camera, &w->host, &w->camera_binding, &w->camera_entity);
  world_pair(w, &w->host, &w->camera, HM_CONTEXT_DRIVE, 1, &w->pairing, &w->completion_0,
             &w->completion_1, &w->receipt);
  MUST(hm_pairing_open(engine, world_bytes(&w->pairing), w->authority.signer.point, NULL,
                       &w->pairing_facts));
  world_session(w);
}

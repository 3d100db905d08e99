/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Certificates: what an entity says of itself (binding request), what the
 * authority makes of it (binding), who may trust whom, when and for what
 * (pairing), the key that signs batches (session), and the proof that a
 * certificate stands in the authority's log.
 *
 * Pattern of every object, here and in receipt, revocation, checkpoint, batch:
 *   struct hm_X                 the whole object flat: outer claims and body
 *   hm_shape_X                  its table
 *   hm_X_make(c, signer, x, out)        checks the rules, encodes, signs
 *   hm_X_open(c, object, point, x, name)  typ, shape, rules, kid = thumbprint of
 *                                point, signature; gives x and the object's name
 * Views in an opened struct point into the object given. Optional members have a
 * has_ flag; constants (ver 1) have no member. name may be NULL where the caller
 * does not want it.
 *
 * Rules that the tables cannot say (ascending lists, "iff", lengths of life) are
 * checked by make and by open alike. Times against a clock are the caller's by
 * hm_times_check; a verifier of old proofs has no clock and judges by log order.
 */
#ifndef HM_TRUST_CERTIFICATE_H
#define HM_TRUST_CERTIFICATE_H

#include "trust/capability.h"
#include "trust/cose.h"
#include "trust/tree.h"

/* ---- time ---------------------------------------------------------------------------- */
/* What is known of time: trust time and its quality (HM_QUALITY_NONE: now means
 * nothing), and the floor below which it cannot be. */
struct hm_times {
  uint64_t now;
  uint8_t quality;
  uint64_t floor;
};

/* Is a certificate with these claims usable now? HM_OK; HM_EXPIRED (exp at or before
 * now or the floor); HM_NOT_YET_VALID (iat or nbf later than now + 300 s; without
 * trust time: iat later than floor + 400 days). times NULL: always HM_OK. */
enum hm_status HM_MUST_CHECK hm_times_check(const struct hm_times *times, uint64_t nbf,
                                            uint64_t exp, uint64_t iat);

/* ---- 65010 binding request: signed by the key inside it --------------------------------- */
struct hm_binding_request {
  uint64_t iat;          /* created */
  uint8_t challenge[16]; /* the authority's, cti */
  uint8_t sign[64];      /* cnf: the entity's signing point; its thumbprint is the LCT id */
  uint64_t class;        /* HM_CLASS_A or HM_CLASS_H */
  uint64_t type;         /* enum hm_entity_type */
  uint64_t kind;         /* enum hm_kind, of sensors */
  uint8_t agree[64];     /* the agreement point; another key than sign */
  uint64_t anchor;       /* enum hm_anchor */
  uint8_t descriptors[32];
  bool has_serial;
  struct hm_bytes serial; /* text 1..64 */
  uint64_t caps;          /* HM_CAP_ bits */
  bool has_bound_to;
  uint8_t bound_to[32]; /* LCT of the host; iff class H (others: optional parent) */
  bool has_encoder_info;
  struct hm_bytes encoder_info; /* iff type 8: bytes of an encoder, 1..768 */
};
extern const struct hm_shape hm_shape_binding_request;

enum hm_status HM_MUST_CHECK hm_binding_request_make(const struct hm_crypto *c,
                                                     const struct hm_signer *signer,
                                                     const struct hm_binding_request *request,
                                                     struct hm_out *out);
/* Also: both points on the curve and different, the capability map, descriptors of an
 * encoder = SHA-256 of its info. */
enum hm_status HM_MUST_CHECK hm_binding_request_open(const struct hm_crypto *c,
                                                     struct hm_bytes object,
                                                     struct hm_binding_request *request,
                                                     uint8_t name[32]);

/* What encoder_info holds; ENCODER HASH = SHA-256 of its encoding. */
struct hm_encoder {
  uint8_t model[32];
  struct hm_bytes version;
  uint8_t preprocessing[32];
  uint64_t dimension; /* 1..4096 */
  uint64_t dtype;     /* 1: int8 */
  uint64_t scale;     /* real value = int8 * scale / 2^16 */
  bool has_trained_on;
  uint32_t trained_on_count;
  uint8_t trained_on[16][32]; /* ascending names of export manifests */
};
extern const struct hm_shape hm_shape_encoder;
/* Decode and check the rules (hm_decode with the list ascending). */
enum hm_status HM_MUST_CHECK hm_encoder_decode(struct hm_bytes info, struct hm_encoder *encoder);
enum hm_status HM_MUST_CHECK hm_encoder_encode(const struct hm_encoder *encoder,
                                               struct hm_out *out);

/* ---- 65018 countersignature ------------------------------------------------------------------ */
struct hm_countersignature {
  uint64_t iat;
  bool has_commitment, has_role, has_mac;
  uint8_t commitment[32];  /* class S */
  uint64_t role;           /* class S */
  uint8_t mac[16];         /* class S */
  uint8_t certificate[32]; /* name of what is countersigned */
};
extern const struct hm_shape hm_shape_countersignature;
enum hm_status HM_MUST_CHECK hm_countersignature_make(const struct hm_crypto *c,
                                                      const struct hm_signer *signer,
                                                      const struct hm_countersignature *value,
                                                      struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_countersignature_open(const struct hm_crypto *c,
                                                      struct hm_bytes object,
                                                      const uint8_t point[64],
                                                      struct hm_countersignature *value,
                                                      uint8_t name[32]);

/* ---- 65001 binding ------------------------------------------------------------------------------
 */
struct hm_binding {
  uint64_t exp, nbf, iat;
  struct hm_bytes request; /* the whole 65010 */
  bool has_countersign;
  struct hm_bytes countersign; /* 65018 by the host over the request: iff class H */
  bool has_supersedes;
  uint8_t supersedes[32];
};
extern const struct hm_shape hm_shape_binding;

/* The other body of 65001: a class S module, bound through its pack. */
struct hm_binding_s {
  uint64_t exp, nbf, iat;
  struct hm_bytes serial; /* class S, type module */
  uint64_t caps;
  struct hm_bytes countersign;
  uint8_t commitment[32];
  uint8_t proxy[32];
};
extern const struct hm_shape hm_shape_binding_s;

/* A bound entity, flat and free of views: what one keeps of a binding certificate. */
struct hm_entity {
  uint8_t lct[32];
  uint8_t sign[64];
  uint8_t agree[64];
  uint8_t class, type, kind, anchor;
  uint8_t descriptors[32];
  char serial[HM_TEXT_MAX + 1]; /* "" where there is none */
  uint32_t caps;
  bool has_bound_to;
  uint8_t bound_to[32];
  bool has_supersedes;
  uint8_t supersedes[32];
  bool is_encoder;
  uint8_t encoder[32]; /* encoder hash */
  uint64_t dimension;  /* of its vectors, if is_encoder */
  uint64_t nbf, exp, iat;
  uint64_t created;         /* iat of the request */
  uint8_t challenge[16];    /* of the request */
  uint8_t name[32];         /* of the certificate */
  uint8_t request_name[32]; /* of the request */
};

/* The authority signs a binding over a verified request. */
enum hm_status HM_MUST_CHECK hm_binding_make(const struct hm_crypto *c,
                                             const struct hm_signer *authority,
                                             const struct hm_binding *binding, struct hm_out *out);
/* Verify a binding whole: the authority's signature and kid, the request inside under
 * its own key, for class H the countersignature by the host (host: the entity it is
 * bound to; NULL is refused with HM_NOT_FOUND), life <= 20 years, times (NULL: not
 * judged). class S bodies are HM_UNSUPPORTED. entity gets the facts. */
enum hm_status HM_MUST_CHECK hm_binding_open(const struct hm_crypto *c, struct hm_bytes object,
                                             const uint8_t authority[64],
                                             const struct hm_entity *host,
                                             const struct hm_times *times,
                                             struct hm_entity *entity);
/* The LCT of the host a binding asks for, without verifying anything: to find the host
 * entity that hm_binding_open wants. *is_hosted false: class A. */
enum hm_status HM_MUST_CHECK hm_binding_host(struct hm_bytes object, bool *is_hosted,
                                             uint8_t host[32]);

/* The LCT id a binding is about, without verifying anything: to index a log. */
enum hm_status HM_MUST_CHECK hm_binding_lct(const struct hm_crypto *c, struct hm_bytes object,
                                            uint8_t lct[32]);
/* The encoder hash, where a binding is that of an encoder; nothing verified. */
enum hm_status HM_MUST_CHECK hm_binding_encoder(struct hm_bytes object, bool *is_encoder,
                                                uint8_t encoder[32]);

/* ---- 65025 session key
 * ------------------------------------------------------------------------------ */
struct hm_session {
  uint64_t exp, nbf, iat;
  uint8_t key[64]; /* cnf */
  uint32_t purpose_count;
  uint64_t purposes[2]; /* enum hm_purpose, ascending */
  uint64_t first;       /* lowest batch number it may sign */
};
extern const struct hm_shape hm_shape_session;
enum hm_status HM_MUST_CHECK hm_session_make(const struct hm_crypto *c,
                                             const struct hm_signer *entity,
                                             const struct hm_session *session, struct hm_out *out);
/* kid gets the thumbprint of the session key, which batches name. */
enum hm_status HM_MUST_CHECK hm_session_open(const struct hm_crypto *c, struct hm_bytes object,
                                             const uint8_t entity[64], struct hm_session *session,
                                             uint8_t kid[32], uint8_t name[32]);
bool hm_session_allows(const struct hm_session *session, enum hm_purpose purpose);

/* ---- policy: the metadata of a pairing
 * ------------------------------------------------------------------ */
struct hm_policy {
  uint8_t pairing_id[16];
  uint64_t kid16; /* 1..65534 */
  uint8_t entities[2][32];
  bool has_context_name;
  struct hm_bytes context_name; /* iff context >= 64 */
  uint32_t data_count;
  uint64_t data_types[14];
  uint32_t operation_count;
  uint64_t operations[6];
  uint32_t rate_count;
  struct hm_uint_pair rates[14]; /* data type -> per second */
  uint32_t least_count;
  struct hm_uint_pair least[14]; /* data type -> least protection */
  uint64_t max_epochs;
  uint64_t fresh; /* s, 0 = not asked */
  uint64_t context;
  uint64_t receipt_within; /* s, 0 = not asked */
};
extern const struct hm_shape hm_shape_policy;
enum hm_status HM_MUST_CHECK hm_policy_encode(const struct hm_policy *policy, struct hm_out *out);
enum hm_status HM_MUST_CHECK hm_policy_decode(struct hm_bytes metadata, struct hm_policy *policy);
bool hm_policy_allows(const struct hm_policy *policy, uint64_t operation);
bool hm_policy_carries(const struct hm_policy *policy, uint64_t data_type);

/* ---- 65003 pairing request: what A wishes
 * ----------------------------------------------------------------- */
struct hm_pairing_request {
  uint64_t exp, iat; /* exp: until when the pairing is wished for */
  uint8_t nonce[16]; /* cti */
  bool has_supersedes;
  uint8_t supersedes[32]; /* name of the pairing it renews */
  uint8_t entities[2][32];
  bool has_context_name;
  struct hm_bytes context_name;
  uint32_t data_count;
  uint64_t data_types[14];
  uint32_t operation_count;
  uint64_t operations[6];
  uint32_t rate_count;
  struct hm_uint_pair rates[14];
  uint32_t least_count;
  struct hm_uint_pair least[14];
  uint64_t max_epochs, fresh, context, receipt_within;
};
extern const struct hm_shape hm_shape_pairing_request;
enum hm_status HM_MUST_CHECK hm_pairing_request_make(const struct hm_crypto *c,
                                                     const struct hm_signer *a,
                                                     const struct hm_pairing_request *request,
                                                     struct hm_out *out);
/* point: the signing point of entities[0]; HM_MISMATCH where its thumbprint differs. */
enum hm_status HM_MUST_CHECK hm_pairing_request_open(const struct hm_crypto *c,
                                                     struct hm_bytes object,
                                                     const uint8_t point[64],
                                                     struct hm_pairing_request *request,
                                                     uint8_t name[32]);
/* The two LCT ids of a request, nothing verified: to look the signing point up. */
enum hm_status HM_MUST_CHECK hm_pairing_request_peek(struct hm_bytes object,
                                                     uint8_t entities[2][32]);

/* ---- 65002 pairing
 * -------------------------------------------------------------------------------------------- */
struct hm_pairing {
  uint64_t exp, nbf, iat;
  bool has_supersedes;
  uint8_t supersedes[32];
  struct hm_bytes metadata; /* bytes of the policy */
  uint8_t section_a[32];    /* SHA-256 of the encrypted objects */
  uint8_t section_b[32];
  uint8_t handshake[32];
  /* not encoded; filled by hm_pairing_open: */
  struct hm_policy policy;
  uint8_t policy_hash[32];
  uint8_t name[32]; /* cert_hash of the key schedule */
};
extern const struct hm_shape hm_shape_pairing;
enum hm_status HM_MUST_CHECK hm_pairing_make(const struct hm_crypto *c,
                                             const struct hm_signer *authority,
                                             const struct hm_pairing *pairing, struct hm_out *out);
/* Signature, policy, life <= 400 days, times (NULL: not judged). */
enum hm_status HM_MUST_CHECK hm_pairing_open(const struct hm_crypto *c, struct hm_bytes object,
                                             const uint8_t authority[64],
                                             const struct hm_times *times,
                                             struct hm_pairing *pairing);

/* Plaintexts of the encrypted sections. Wipe after use. */
struct hm_section_plain {
  uint8_t half[32];
  uint8_t policy_hash[32];
  uint8_t seed[32];
};
extern const struct hm_shape hm_shape_section_plain;
struct hm_handshake_plain {
  struct hm_bytes callback;
  uint8_t nonce[16]; /* window-s is 30 */
};
extern const struct hm_shape hm_shape_handshake_plain;

/* ---- 65014 completion
 * --------------------------------------------------------------------------------------------- */
struct hm_completion {
  uint8_t pairing_id[16];
  uint8_t nonce[16];
  uint8_t transcript[32];
  uint64_t role;
  uint8_t confirm[16];
};
extern const struct hm_shape hm_shape_completion;
enum hm_status HM_MUST_CHECK hm_completion_make(const struct hm_crypto *c,
                                                const struct hm_signer *signer,
                                                const struct hm_completion *completion,
                                                struct hm_out *out);
/* point: the key of entities[role]; the caller compares role, nonce, transcript. */
enum hm_status HM_MUST_CHECK hm_completion_open(const struct hm_crypto *c, struct hm_bytes object,
                                                const uint8_t point[64],
                                                struct hm_completion *completion, uint8_t name[32]);

/* ---- log proof: a certificate is a leaf of the authority's log
 * --------------------------------------------------------- */
struct hm_log_proof {
  struct hm_bytes checkpoint; /* the authority's 65022 */
  uint64_t index;
  struct hm_path way;
};
extern const struct hm_shape hm_shape_log_proof;
/* Size, root and time of the log that a proof leads to. */
struct hm_log_view {
  uint64_t iat, size;
  uint8_t root[32];
  uint64_t revocations; /* highest number the checkpoint states */
};
/* certificate: the whole object whose place is proven. Verifies the checkpoint under
 * the authority's point, then the path. */
enum hm_status HM_MUST_CHECK hm_log_proof_verify(const struct hm_crypto *c, struct hm_bytes proof,
                                                 struct hm_bytes certificate,
                                                 const uint8_t authority[64],
                                                 struct hm_log_view *view);
enum hm_status HM_MUST_CHECK hm_log_proof_encode(const struct hm_log_proof *proof,
                                                 struct hm_out *out);

#endif

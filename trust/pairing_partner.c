/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * [binding, log-proof]: what the authority tells one side of the other, encrypted to
 * that side and tied to the name of their pairing certificate.
 */
#include "trust/pairing.h"
#include "trust/pairing_issue.h"

struct partner {
  struct hm_bytes binding;   /* 65001 */
  struct hm_bytes log_proof; /* as encoded */
};

static const struct hm_field partner_fields[] = {
    {.name = "binding",
     .kind = HM_BSTR,
     .at = offsetof(struct partner, binding),
     .min = 80,
     .max = HM_CERTIFICATE_MAX},
    {.name = "log-proof",
     .kind = HM_RAW,
     .at = offsetof(struct partner, log_proof),
     .min = 80,
     .max = 4096},
};
static const struct hm_shape shape_partner = {"partner", HM_ARRAY, partner_fields, 2,
                                              sizeof(struct partner)};

enum hm_status hm_pairing_partner(const struct hm_crypto *c, const uint8_t agreement_point[64],
                                  const uint8_t random[48], const uint8_t iv[12],
                                  const uint8_t pairing_name[32], struct hm_bytes binding,
                                  struct hm_bytes log_proof, struct hm_out *out)
{
  struct partner partner = {.binding = binding, .log_proof = log_proof};
  uint8_t plain[HM_PAIR_PARTNER_MAX], ephemeral[32], point[64];
  struct hm_out encoded = hm_out(plain, sizeof plain);
  HM_TRY(hm_encode(&shape_partner, &partner, &encoded, NULL));
  enum hm_status status = hm_p256_generate(c, random, ephemeral, point);
  if (status == HM_OK)
    status = hm_encrypt_to(c, agreement_point, ephemeral, iv, hm_bytes(pairing_name, 32),
                           hm_out_bytes(&encoded), out);
  hm_wipe(ephemeral, sizeof ephemeral);
  return status;
}

enum hm_status hm_pair_partner_open(const struct hm_crypto *c, const uint8_t agreement[32],
                                    const uint8_t pairing_name[32], struct hm_bytes object,
                                    uint8_t *buffer, size_t cap, struct hm_bytes *binding,
                                    struct hm_bytes *log_proof)
{
  struct partner partner;
  size_t len = 0;
  HM_TRY(hm_decrypt(c, agreement, object, hm_bytes(pairing_name, 32), buffer, cap, &len));
  HM_TRY(hm_decode(&shape_partner, hm_bytes(buffer, len), &partner, NULL));
  *binding = partner.binding;
  *log_proof = partner.log_proof;
  return HM_OK;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Each function is one line of the schedule in the header. Every info is at most 55
 * bytes with HKDF's counter: one SHA-256 block.
 */
#include "trust/schedule.h"

enum { LABEL_MAX = 16 };

static void split_key(const uint8_t bytes[HM_RECORD_KEY], struct hm_record_key *out)
{
  memcpy(out->key, bytes, sizeof out->key);
  memcpy(out->iv, bytes + sizeof out->key, sizeof out->iv);
}

enum hm_status hm_schedule_expand(const struct hm_crypto *c, const uint8_t prk[32],
                                  const char *label, struct hm_bytes ctx, uint8_t *out, size_t len)
{
  static const char prefix[] = "hallmark/1 ";
  size_t label_len = 0;
  while (label_len <= LABEL_MAX && label[label_len] != '\0')
    label_len++;
  if (label_len > LABEL_MAX)
    return HM_STATE;
  /* The label's own NUL is the separator. */
  struct hm_bytes info[3] = {hm_bytes(prefix, sizeof prefix - 1), hm_bytes(label, label_len + 1),
                             ctx};
  return hm_hkdf_expand(c, hm_bytes(prk, 32), info, 3, out, len);
}

enum hm_status hm_schedule_seed(const struct hm_crypto *c, const uint8_t cert_hash[32],
                                const uint8_t seed[32], struct hm_record_key out[2])
{
  uint8_t prk[32], bytes[HM_RECORD_KEY];
  struct hm_bytes ikm = hm_bytes(seed, 32);
  enum hm_status status = hm_hkdf_extract(c, hm_bytes(cert_hash, 32), &ikm, 1, prk);
  for (uint8_t dir = 0; dir < 2 && status == HM_OK; dir++) {
    status = hm_schedule_expand(c, prk, "seed", hm_bytes(&dir, 1), bytes, sizeof bytes);
    if (status == HM_OK)
      split_key(bytes, &out[dir]);
  }
  hm_wipe(prk, sizeof prk);
  hm_wipe(bytes, sizeof bytes);
  if (status != HM_OK)
    hm_wipe(out, 2 * sizeof *out);
  return status;
}

enum hm_status hm_schedule_handshake(const struct hm_crypto *c, const uint8_t policy_hash[32],
                                     const uint8_t half_a[32], const uint8_t half_b[32],
                                     uint8_t key[32])
{
  uint8_t prk[32];
  struct hm_bytes ikm[2] = {hm_bytes(half_a, 32), hm_bytes(half_b, 32)};
  enum hm_status status = hm_hkdf_extract(c, hm_bytes(policy_hash, 32), ikm, 2, prk);
  if (status == HM_OK)
    status = hm_schedule_expand(c, prk, "handshake", hm_bytes(NULL, 0), key, HM_KEY);
  hm_wipe(prk, sizeof prk);
  return status;
}

enum hm_status hm_schedule_transcript(const struct hm_crypto *c, const uint8_t cert_hash[32],
                                      const uint8_t message_a[HM_HALF_MESSAGE],
                                      const uint8_t message_b[HM_HALF_MESSAGE],
                                      uint8_t transcript[32])
{
  struct hm_bytes parts[3] = {hm_bytes(cert_hash, 32), hm_bytes(message_a, HM_HALF_MESSAGE),
                              hm_bytes(message_b, HM_HALF_MESSAGE)};
  return c->sha256(parts, 3, transcript);
}

enum hm_status hm_schedule_pairing(const struct hm_crypto *c, const uint8_t transcript[32],
                                   const uint8_t half_a[32], const uint8_t half_b[32],
                                   const uint8_t shared[32], uint8_t secret[32])
{
  struct hm_bytes ikm[3] = {hm_bytes(half_a, 32), hm_bytes(half_b, 32), hm_bytes(shared, 32)};
  return hm_hkdf_extract(c, hm_bytes(transcript, 32), ikm, 3, secret);
}

enum hm_status hm_schedule_confirm(const struct hm_crypto *c, const uint8_t secret[32],
                                   uint8_t role, const uint8_t transcript[32],
                                   uint8_t confirm[HM_CONFIRM])
{
  uint8_t ctx[1 + 32];
  ctx[0] = role;
  memcpy(ctx + 1, transcript, 32);
  return hm_schedule_expand(c, secret, "confirm", hm_bytes(ctx, sizeof ctx), confirm, HM_CONFIRM);
}

enum hm_status hm_schedule_record(const struct hm_crypto *c, const uint8_t secret[32],
                                  const struct hm_record_use *use, struct hm_record_key *out)
{
  uint8_t ctx[5 + 32], bytes[HM_RECORD_KEY];
  ctx[0] = use->protection;
  ctx[1] = use->dir;
  ctx[2] = (uint8_t)(use->kid >> 8);
  ctx[3] = (uint8_t)use->kid;
  ctx[4] = use->epoch;
  memcpy(ctx + 5, use->context, sizeof use->context);
  enum hm_status status =
      hm_schedule_expand(c, secret, "rec", hm_bytes(ctx, sizeof ctx), bytes, sizeof bytes);
  if (status == HM_OK)
    split_key(bytes, out);
  hm_wipe(bytes, sizeof bytes);
  return status;
}

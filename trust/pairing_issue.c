/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Order matters: sections and handshake first, since the certificate states their
 * hashes; then the certificate; then everything secret is wiped, whatever happened.
 */
#include "trust/pairing_issue.h"

enum { PLAIN_MAX = 160 };

/* {half, policy hash, seed} for one side. */
static enum hm_status make_section(const struct hm_crypto *c, const struct hm_issue *issue,
                                   const struct hm_issue_random *random,
                                   const uint8_t policy_hash[32], int role, struct hm_out *out)
{
  struct hm_section_plain section;
  uint8_t plain[PLAIN_MAX], ephemeral[32] = {0}, point[64];
  memcpy(section.half, random->half[role], 32);
  memcpy(section.policy_hash, policy_hash, 32);
  memcpy(section.seed, random->seed, 32);
  struct hm_out encoded = hm_out(plain, sizeof plain);
  enum hm_status status = hm_encode(&hm_shape_section_plain, &section, &encoded, NULL);
  if (status == HM_OK)
    status = hm_p256_generate(c, random->ephemeral[role], ephemeral, point);
  if (status == HM_OK)
    status = hm_encrypt_to(c, issue->agree[role], ephemeral, random->iv[role],
                           hm_bytes(policy_hash, 32), hm_out_bytes(&encoded), out);
  hm_wipe(&section, sizeof section);
  hm_wipe(plain, sizeof plain);
  hm_wipe(ephemeral, sizeof ephemeral);
  return status;
}

/* {callback, 30 s, nonce} under K_shake. */
static enum hm_status make_handshake(const struct hm_crypto *c, const struct hm_issue *issue,
                                     const struct hm_issue_random *random,
                                     const uint8_t policy_hash[32], struct hm_out *out)
{
  struct hm_handshake_plain handshake = {.callback = issue->callback};
  uint8_t plain[PLAIN_MAX], key[32];
  memcpy(handshake.nonce, random->nonce, sizeof handshake.nonce);
  struct hm_out encoded = hm_out(plain, sizeof plain);
  enum hm_status status = hm_encode(&hm_shape_handshake_plain, &handshake, &encoded, NULL);
  if (status == HM_OK)
    status = hm_schedule_handshake(c, policy_hash, random->half[0], random->half[1], key);
  if (status == HM_OK)
    status =
        hm_encrypt0(c, key, random->iv[2], hm_bytes(policy_hash, 32), hm_out_bytes(&encoded), out);
  hm_wipe(key, sizeof key);
  hm_wipe(plain, sizeof plain);
  return status;
}

static enum hm_status hash_of(const struct hm_crypto *c, struct hm_bytes object, uint8_t out[32])
{
  return c->sha256(&object, 1, out);
}

static enum hm_status check_issue(const struct hm_issue *issue,
                                  const struct hm_issue_random *random)
{
  bool are_equal = hm_equal_ct(random->half[0], random->half[1], 32) ||
                   memcmp(issue->agree[0], issue->agree[1], 64) == 0;
  return are_equal ? HM_MISMATCH : HM_OK;
}

static enum hm_status make_all(const struct hm_crypto *c, const struct hm_signer *authority,
                               const struct hm_issue *issue, const struct hm_issue_random *random,
                               struct hm_issued *out)
{
  uint8_t metadata[HM_PAIR_POLICY_MAX], policy_hash[32];
  struct hm_pairing pairing = {.exp = issue->exp,
                               .nbf = issue->nbf,
                               .iat = issue->iat,
                               .has_supersedes = issue->has_supersedes};
  struct hm_out encoded = hm_out(metadata, sizeof metadata);
  HM_TRY(check_issue(issue, random));
  HM_TRY(hm_policy_encode(issue->policy, &encoded));
  HM_TRY(hash_of(c, hm_out_bytes(&encoded), policy_hash));

  struct hm_out section[2] = {hm_out(out->section[0], HM_SECTION_MAX),
                              hm_out(out->section[1], HM_SECTION_MAX)};
  for (int role = 0; role < 2; role++)
    HM_TRY(make_section(c, issue, random, policy_hash, role, &section[role]));
  struct hm_out handshake = hm_out(out->handshake, HM_SECTION_MAX);
  HM_TRY(make_handshake(c, issue, random, policy_hash, &handshake));

  memcpy(pairing.supersedes, issue->supersedes, 32);
  pairing.metadata = hm_out_bytes(&encoded);
  HM_TRY(hash_of(c, hm_out_bytes(&section[0]), pairing.section_a));
  HM_TRY(hash_of(c, hm_out_bytes(&section[1]), pairing.section_b));
  HM_TRY(hash_of(c, hm_out_bytes(&handshake), pairing.handshake));
  struct hm_out certificate = hm_out(out->certificate, sizeof out->certificate);
  HM_TRY(hm_pairing_make(c, authority, &pairing, &certificate));

  struct hm_sign1 parsed;
  HM_TRY(hm_sign1_expect(hm_out_bytes(&certificate), HM_TYP_PAIRING, &parsed));
  out->certificate_len = certificate.len;
  out->section_len[0] = section[0].len;
  out->section_len[1] = section[1].len;
  out->handshake_len = handshake.len;
  return hm_sign1_name(c, &parsed, hm_bytes(NULL, 0), out->name);
}

enum hm_status hm_pairing_issue(const struct hm_crypto *c, const struct hm_signer *authority,
                                const struct hm_issue *issue, struct hm_issue_random *random,
                                struct hm_issued *out)
{
  memset(out, 0, sizeof *out);
  enum hm_status status = make_all(c, authority, issue, random, out);
  hm_wipe(random, sizeof *random);
  return status;
}

enum hm_status hm_pairing_judge(const struct hm_crypto *c, const struct hm_policy *policy,
                                const uint8_t key_a[64], const uint8_t key_b[64],
                                const struct hm_bytes completion[2], uint8_t name[2][32])
{
  const uint8_t *const key[2] = {key_a, key_b};
  struct hm_completion read[2];
  for (uint64_t role = 0; role < 2; role++) {
    uint8_t thumbprint[32];
    HM_TRY(hm_key_thumbprint(c, key[role], thumbprint));
    if (memcmp(thumbprint, policy->entities[role], 32) != 0)
      return HM_MISMATCH;
    HM_TRY(hm_completion_open(c, completion[role], key[role], &read[role], name[role]));
    if (read[role].role != role || memcmp(read[role].pairing_id, policy->pairing_id, 16) != 0)
      return HM_MISMATCH;
  }
  bool agree = memcmp(read[0].transcript, read[1].transcript, 32) == 0 &&
               memcmp(read[0].nonce, read[1].nonce, 16) == 0;
  return agree ? HM_OK : HM_MISMATCH;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The nonce is never sent: both ends make it from the key's iv and the header's seq.
 */
#include "trust/seal.h"

enum { VERSION = 1, ALG_GCM_16 = 1, PLANE = 0x18f, COUNTER_END = 1 << 24, AAD = 12 };

uint32_t hm_seal_can_id(const struct hm_seal_way *way)
{
  return (uint32_t)PLANE << 20 | (uint32_t)(way->protection & 7) << 17 | (uint32_t)way->type << 8 |
         way->source;
}

static void put_header(uint8_t out[HM_SEAL_HEADER], const struct hm_seal_header *header)
{
  out[0] = VERSION << 4 | ALG_GCM_16;
  out[1] = (uint8_t)(header->kid >> 8);
  out[2] = (uint8_t)header->kid;
  out[3] = header->epoch;
  out[4] = (uint8_t)(header->counter >> 16);
  out[5] = (uint8_t)(header->counter >> 8);
  out[6] = (uint8_t)header->counter;
}

static void make_aad(uint8_t aad[AAD], const struct hm_seal_way *way,
                     const uint8_t header[HM_SEAL_HEADER])
{
  uint32_t id = hm_seal_can_id(way);
  aad[0] = (uint8_t)(id >> 24);
  aad[1] = (uint8_t)(id >> 16);
  aad[2] = (uint8_t)(id >> 8);
  aad[3] = (uint8_t)id;
  aad[4] = way->destination;
  memcpy(aad + 5, header, HM_SEAL_HEADER);
}

/* iv XOR (0^8 || seq); seq is the header's last four bytes. */
static void make_nonce(uint8_t nonce[HM_IV], const struct hm_record_key *key,
                       const uint8_t header[HM_SEAL_HEADER])
{
  memcpy(nonce, key->iv, HM_IV);
  for (size_t i = 0; i < 4; i++)
    nonce[8 + i] ^= header[3 + i];
}

enum hm_status hm_seal(const struct hm_crypto *c, const struct hm_record_key *key,
                       const struct hm_seal_way *way, const struct hm_seal_header *header,
                       struct hm_bytes plain, struct hm_out *out)
{
  if (header->counter >= COUNTER_END)
    return HM_FULL;
  uint8_t head[HM_SEAL_HEADER], aad[AAD], nonce[HM_IV];
  put_header(head, header);
  make_aad(aad, way, head);
  make_nonce(nonce, key, head);
  hm_out_put(out, head, sizeof head);
  size_t len = plain.len + HM_SEAL_TAG;
  enum hm_status status = HM_OK;
  if (out->len <= out->cap && len <= out->cap - out->len)
    status = c->gcm_seal(key->key, nonce, hm_bytes(aad, sizeof aad), plain, HM_SEAL_TAG,
                         out->data + out->len);
  hm_wipe(nonce, sizeof nonce);
  out->len += len;
  return status == HM_OK ? hm_out_status(out) : status;
}

enum hm_status hm_seal_peek(struct hm_bytes record, struct hm_seal_header *header)
{
  if (record.len < HM_SEAL_OVERHEAD)
    return HM_TRUNCATED;
  const uint8_t *p = record.data;
  if (p[0] != (VERSION << 4 | ALG_GCM_16))
    return HM_UNSUPPORTED;
  header->kid = (uint16_t)(p[1] << 8 | p[2]);
  header->epoch = p[3];
  header->counter = (uint32_t)p[4] << 16 | (uint32_t)p[5] << 8 | p[6];
  return HM_OK;
}

enum hm_status hm_seal_open(const struct hm_crypto *c, const struct hm_record_key *key,
                            const struct hm_seal_way *way, struct hm_bytes record, uint8_t *plain,
                            size_t cap, size_t *len)
{
  struct hm_seal_header header;
  HM_TRY(hm_seal_peek(record, &header));
  if (record.len - HM_SEAL_OVERHEAD > cap)
    return HM_SHORT_BUFFER;
  uint8_t aad[AAD], nonce[HM_IV];
  make_aad(aad, way, record.data);
  make_nonce(nonce, key, record.data);
  struct hm_bytes sealed = hm_bytes(record.data + HM_SEAL_HEADER, record.len - HM_SEAL_HEADER);
  enum hm_status status =
      c->gcm_open(key->key, nonce, hm_bytes(aad, sizeof aad), sealed, HM_SEAL_TAG, plain);
  hm_wipe(nonce, sizeof nonce);
  if (status == HM_OK)
    *len = record.len - HM_SEAL_OVERHEAD;
  return status;
}

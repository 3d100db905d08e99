/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * What every signed object has in common: a table, a few rules the table cannot say,
 * a signature by a known key.
 */
#include "trust/fields.h"

static const struct hm_field hash_fields[] = {
    {.name = "hash", .kind = HM_FIXED, .min = 32, .max = 32},
};
const struct hm_shape hm_shape_hash = {"h32", HM_ITEM, ROWS(hash_fields), 32};

enum { CNF_KEY = 1 };
static const struct hm_field confirmation_fields[] = {
    FLAT_ROW(CNF_KEY, "cnf-key", &hm_shape_cose_key),
};
const struct hm_shape hm_shape_confirmation = {"confirmation", HM_MAP, ROWS(confirmation_fields),
                                               sizeof(struct hm_cose_key)};

enum hm_status hm_object_make(const struct hm_crypto *c, const struct hm_signer *signer,
                              const struct hm_object_type *type, const void *value,
                              struct hm_out *out)
{
  if (type->rules != NULL)
    HM_TRY(type->rules(value));
  return hm_signed_make(c, signer, type->typ, type->shape, value, out);
}

enum hm_status hm_object_kid(const struct hm_crypto *c, const struct hm_sign1 *sign1,
                             const uint8_t point[64])
{
  uint8_t id[32];
  HM_TRY(hm_key_thumbprint(c, point, id));
  return memcmp(id, sign1->kid, sizeof id) == 0 ? HM_OK : HM_MISMATCH;
}

enum hm_status hm_object_peek(struct hm_bytes object, const struct hm_object_type *type,
                              void *value, struct hm_sign1 *sign1)
{
  HM_TRY(hm_sign1_expect(object, type->typ, sign1));
  HM_TRY(hm_decode(type->shape, sign1->payload, value, NULL));
  return type->rules != NULL ? type->rules(value) : HM_OK;
}

enum hm_status hm_object_open(const struct hm_crypto *c, struct hm_bytes object,
                              const struct hm_object_type *type, const uint8_t point[64],
                              void *value, struct hm_sign1 *sign1, uint8_t name[32])
{
  struct hm_sign1 own;
  uint8_t own_name[32];
  struct hm_sign1 *s = sign1 != NULL ? sign1 : &own;
  HM_TRY(hm_signed_open(c, object, type->typ, type->shape, point, value, s,
                        name != NULL ? name : own_name));
  if (type->rules != NULL)
    HM_TRY(type->rules(value));
  if (point != NULL && s->has_kid)
    HM_TRY(hm_object_kid(c, s, point));
  return HM_OK;
}

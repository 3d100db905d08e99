/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "trust/status.h"

static const struct hm_status_row rows[HM_STATUS_COUNT] = {
    [HM_OK] = {"OK", "done", 0, 200, ""},
    [HM_MALFORMED] = {"MALFORMED", "not what the format says", 6, 400, "W4_ERR_PROTO_FORMAT"},
    [HM_TRUNCATED] = {"TRUNCATED", "ends before it is complete", 6, 400, "W4_ERR_PROTO_FORMAT"},
    [HM_TOO_LARGE] = {"TOO_LARGE", "larger than its limit", 6, 413, "W4_ERR_PROTO_FORMAT"},
    [HM_TOO_DEEP] = {"TOO_DEEP", "nested deeper than the limit", 6, 400, "W4_ERR_PROTO_FORMAT"},
    [HM_NOT_DETERMINISTIC] = {"NOT_DETERMINISTIC", "not in the one deterministic encoding", 6, 400,
                              "W4_ERR_PROTO_FORMAT"},
    [HM_UNSUPPORTED] = {"UNSUPPORTED", "a version or algorithm outside the profile", 6, 400,
                        "W4_ERR_CRYPTO_SUITE"},
    [HM_WRONG_TYPE] = {"WRONG_TYPE", "another type than the one expected", 6, 400,
                       "W4_ERR_PROTO_FORMAT"},
    [HM_BAD_SIGNATURE] = {"BAD_SIGNATURE", "the signature does not verify", 1, 401,
                          "W4_ERR_CRYPTO_VERIFY"},
    [HM_BAD_TAG] = {"BAD_TAG", "the authentication tag does not open", 1, 401,
                    "W4_ERR_CRYPTO_DECRYPT"},
    [HM_BAD_PROOF] = {"BAD_PROOF", "the path does not lead to the root", 1, 401,
                      "W4_ERR_CRYPTO_VERIFY"},
    [HM_NOT_YET_VALID] = {"NOT_YET_VALID", "not valid yet", 1, 403, "W4_ERR_PAIRING_NOT_YET"},
    [HM_EXPIRED] = {"EXPIRED", "expired", 1, 410, "W4_ERR_PAIRING_EXPIRED"},
    [HM_REVOKED] = {"REVOKED", "revoked", 1, 410, "W4_ERR_PAIRING_REVOKED"},
    [HM_STALE] = {"STALE", "older than its bound on freshness", 1, 409, "W4_ERR_PROTO_REPLAY"},
    [HM_MISMATCH] = {"MISMATCH", "two values that must be equal differ", 1, 409,
                     "W4_ERR_CRYPTO_VERIFY"},
    [HM_UNPINNED] = {"UNPINNED", "the peer's LCT is not the one pinned", 4, 403,
                     "W4_ERR_AUTHZ_DENIED"},
    [HM_BURNT] = {"BURNT", "a certificate whose handshake failed is never used again", 4, 403,
                  "W4_ERR_AUTHZ_DENIED"},
    [HM_REPLAY] = {"REPLAY", "seen before", 4, 409, "W4_ERR_PROTO_REPLAY"},
    [HM_POLICY] = {"POLICY", "not allowed by policy", 4, 403, "W4_ERR_AUTHZ_SCOPE"},
    [HM_DENIED] = {"DENIED", "permission denied", 4, 403, "W4_ERR_AUTHZ_DENIED"},
    [HM_NOT_FOUND] = {"NOT_FOUND", "no such object", 3, 404, "W4_ERR_NOT_FOUND"},
    [HM_EXISTS] = {"EXISTS", "exists already", 9, 409, "W4_ERR_BINDING_EXISTS"},
    [HM_LOCKED] = {"LOCKED", "held by another process", 9, 423, "W4_ERR_LOCKED"},
    [HM_ROLLBACK] = {"ROLLBACK", "older than what was already signed", 9, 409,
                     "W4_ERR_PROTO_REPLAY"},
    [HM_UNREACHABLE] = {"UNREACHABLE", "not reachable", 5, 503, "W4_ERR_UNREACHABLE"},
    [HM_TIMEOUT] = {"TIMEOUT", "timed out", 8, 504, "W4_ERR_TIMEOUT"},
    [HM_DAMAGED] = {"DAMAGED", "stored bytes are damaged", 7, 500, "W4_ERR_STORE_DAMAGED"},
    [HM_FULL] = {"FULL", "no room left", 7, 507, "W4_ERR_STORE_FULL"},
    [HM_IO] = {"IO", "input or output failed", 7, 500, "W4_ERR_STORE_IO"},
    [HM_SHORT_BUFFER] = {"SHORT_BUFFER", "the buffer given is too small", 7, 500,
                         "W4_ERR_INTERNAL"},
    [HM_STATE] = {"STATE", "an internal rule was broken", 7, 500, "W4_ERR_INTERNAL"},
};

const struct hm_status_row *hm_status_row(enum hm_status status)
{
  if ((unsigned)status >= HM_STATUS_COUNT)
    return &rows[HM_STATE];
  return &rows[status];
}

const char *hm_status_text(enum hm_status status)
{
  return hm_status_row(status)->sentence;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The OpenSSL 3 engine of trust/crypto.h. A target of its own: not freestanding.
 * Needs OpenSSL 3.0.2 or newer. Thread-safe.
 */
#ifndef HM_TRUST_CRYPTO_OPENSSL_H
#define HM_TRUST_CRYPTO_OPENSSL_H

#include "trust/crypto.h"

extern const struct hm_crypto hm_crypto_openssl;

/* len bytes from the operating system's generator (getrandom). */
enum hm_status HM_MUST_CHECK hm_random(void *out, size_t len);

#endif

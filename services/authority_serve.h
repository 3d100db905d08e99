/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The two doors of the authority: authority.sock, and standard input.
 */
#ifndef HM_SERVICES_AUTHORITY_SERVE_H
#define HM_SERVICES_AUTHORITY_SERVE_H

#include "services/authority_office.h"

enum {
  HM_SERVE_CONNECTIONS = 64,
  HM_SERVE_OF_USER = 32,
  HM_SERVE_RATE = 100,   /* messages a second, one connection */
  HM_ISSUE_MAX = 1 << 20 /* bytes of a file of requests */
};

/* Listen at socket_path (or at the socket that systemd hands in) and answer until SIGTERM
 * or SIGINT. Peers: root, the user hallmark, and our own uid, whatever the mode of the
 * socket says; others are closed and counted. */
enum hm_status HM_MUST_CHECK hm_authority_serve(struct hm_authority *a, const char *socket_path,
                                                struct hm_error *err);

/* Answer every message of a CBOR sequence on `in` on `out`, errors as kind 15 in their
 * place. HM_OK where all were; else the first error, after all were answered. */
enum hm_status HM_MUST_CHECK hm_authority_issue(struct hm_authority *a, int in, int out,
                                                struct hm_error *err);

#endif

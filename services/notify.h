/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The notification protocol of systemd (sd_notify(3)): one datagram to $NOTIFY_SOCKET.
 */
#ifndef HM_SERVICES_NOTIFY_H
#define HM_SERVICES_NOTIFY_H

/* "READY=1", "STATUS=...", "STOPPING=1", "WATCHDOG=1"; several on lines of their own.
 * Nothing happens where no service manager asked for it, or where it is not there. */
void hm_notify(const char *state);

#endif

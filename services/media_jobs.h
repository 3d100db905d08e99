/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * One-shot jobs of hallmark-media for the CLI: hostile pictures are decoded here,
 * where there is no key, no store and no socket.
 */
#ifndef HM_SERVICES_MEDIA_JOBS_H
#define HM_SERVICES_MEDIA_JOBS_H

#include "services/message.h"

enum { HM_JOB_SECONDS = 20 };

/* Decode the first frame of a picture or video, make the evidence picture of the
 * whole and its vector, print one line of JSON on standard output:
 *   {"encoder":"hm-region/1","encoder_hash":HEX,"pixels":1|2,"width":W,"height":H,
 *    "vector":[256 integers],"picture":HEX of 3,072 bytes}
 * HM_NOT_FOUND: no such file; HM_MALFORMED: nothing in it can be decoded to a picture;
 * HM_TOO_LARGE: over 8,192 pixels a side; HM_TIMEOUT: not within HM_JOB_SECONDS. */
enum hm_status HM_MUST_CHECK media_job_describe(const char *path, struct hm_error *err);

/* Read an evidence picture (3,072 bytes I420) from standard input and write a PNG of
 * 32x64 pixels RGB to path, or to standard output where path is NULL. HM_TRUNCATED,
 * HM_TOO_LARGE for another length; HM_IO. */
enum hm_status HM_MUST_CHECK media_job_png(const char *path, struct hm_error *err);

#endif

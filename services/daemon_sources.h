/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Source strings and what anchors them.
 *
 * A source string says where a stream comes from: file:/path, csi:0, v4l2:video1,
 * rtsp://..., gst:"...". It is local and may hold a password: it is kept in
 * sources/ (0600) and sent to the media service, nowhere else. Everything shown
 * passes through hm_source_show first.
 *
 * An anchor is what ties an entity of class H to its unit (2-trust): measured
 * here through sysfs without opening a device, for a recording the SHA-256 of the
 * file. Hashing runs in slices from the main loop, so a long file delays nothing.
 */
#ifndef HM_SERVICES_DAEMON_SOURCES_H
#define HM_SERVICES_DAEMON_SOURCES_H

#include "services/daemon_core.h"
#include "trust/profile.h"

enum hm_source_scheme {
  HM_SOURCE_FILE,
  HM_SOURCE_CSI,
  HM_SOURCE_V4L2,
  HM_SOURCE_RTSP,
  HM_SOURCE_GST,
  HM_SOURCE_IIO,
  HM_SOURCE_WIT,
  HM_SOURCE_CAN
};

struct hm_source_row {
  enum hm_source_scheme scheme;
  const char *prefix;   /* "file:" */
  const char *kind;     /* for screens: "recording" */
  unsigned entity_type; /* 2-trust */
  unsigned kind_code;   /* 1 camera, 2 imu; 0 for others */
  bool is_bindable;     /* by this version */
  bool is_live;         /* else its gate waits instead of dropping */
};
extern const struct hm_source_row hm_source_table[];
extern const size_t hm_source_rows;

/* The row of a source string, checked by its scheme's rule; else HM_MALFORMED and
 * in error one line that says the rule. */
enum hm_status HM_MUST_CHECK hm_source_parse(const char *source, const struct hm_source_row **row,
                                             struct hm_error *error);
/* Copy for screens: a URL's user part and the values of properties that hold
 * secrets (user-pw, password, ...) become "...". Control bytes become '?'. */
void hm_source_show(const char *source, char *out, size_t cap);

/* ---- anchors ---------------------------------------------------------------------- */
struct hm_measured {
  unsigned class_code; /* enum hm_anchor */
  uint8_t digest[32];
  char serial[65]; /* empty where the unit shows none */
  char what[HM_WHAT_MAX + 1];
};
struct hm_anchor_job;
/* anchor is NULL where error is not HM_OK: NOT_FOUND the device or file is gone. */
typedef void (*hm_anchor_done)(void *user, const struct hm_error *error,
                               const struct hm_measured *anchor);
/* Measure; done comes from the main loop, never from inside. sysfs is "/sys". The
 * job frees itself after done. */
struct hm_anchor_job *hm_anchor_measure(const char *sysfs, const char *source, hm_anchor_done done,
                                        void *user);
/* done will not be called. */
void hm_anchor_cancel(struct hm_anchor_job *job);

/* What sysfs shows: video nodes, CSI sensors, IIO devices, CAN links; appended to
 * out->source. state is left empty. */
void hm_sources_from_sysfs(const char *sysfs, struct hm_core_sources *out);

#endif

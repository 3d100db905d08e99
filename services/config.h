/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The configuration of hallmarkd: INI files, taken whole or not at all.
 *
 *   FILE.conf, then DIR/conf.d/?*.conf by name; a later file overrides an earlier one.
 *
 * GKeyFile keeps the last of two equal keys, ignores unknown ones and takes a
 * trailing "; note" into the value, all in silence. This loader refuses the
 * three with file and line, and every value that is out of range; only then is
 * GKeyFile asked for the values. What may be written is one const table
 * (`hallmark spec config` prints it).
 */
#ifndef HM_SERVICES_CONFIG_H
#define HM_SERVICES_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

#include "trust/bytes.h"

enum hm_config_kind {
  HM_CONFIG_TEXT,     /* min..max bytes of printable UTF-8 */
  HM_CONFIG_UINT,     /* min..max */
  HM_CONFIG_SIZE,     /* 512, 64K, 20M, 4G, 1T (powers of 1024); value in bytes */
  HM_CONFIG_MS,       /* 50ms, 1s, 30m, 24h, 90d; value in milliseconds */
  HM_CONFIG_FRACTION, /* 0..1 with at most 4 decimals; value in ten-thousandths */
  HM_CONFIG_BOOL,     /* yes or no; value 1 or 0 */
  HM_CONFIG_LIST      /* words of `choices`, separated by commas; value a bit a word */
};

struct hm_config_key {
  const char *section; /* "store" */
  bool is_named;       /* [context NAME]: one section a name */
  const char *key;
  enum hm_config_kind kind;
  uint64_t min, max;
  const char *value;   /* the default, as one would write it; NULL: none */
  const char *choices; /* LIST and TEXT: words separated by spaces, or NULL */
  const char *sentence;
};

extern const struct hm_config_key hm_config_keys[];
extern const size_t hm_config_key_count;

enum { HM_CONFIG_FILE_MAX = 65536, HM_CONFIG_FILES_MAX = 64, HM_CONFIG_NAMES_MAX = 64 };

struct hm_config; /* opaque, immutable once loaded */

/* A message that ends up behind the program's name: "FILE:LINE: what, value, limit". */
struct hm_config_error {
  char text[512];
};

/* The defaults alone. Free with hm_config_free. Aborts only when out of memory. */
struct hm_config *hm_config_new(void);
void hm_config_free(struct hm_config *config);

/* Load `file` (may be NULL; one that does not exist gives the defaults unless
 * `is_required`) and the *.conf of `dropins` (may be NULL or absent). *config is
 * set on HM_OK only. HM_NOT_FOUND, HM_IO, HM_TOO_LARGE, HM_MALFORMED with the
 * reason in error. */
enum hm_status HM_MUST_CHECK hm_config_load(const char *file, bool is_required, const char *dropins,
                                            struct hm_config **config,
                                            struct hm_config_error *error);

/* Parse one text under the name `file`, on top of what config holds. On error
 * config is unchanged. */
enum hm_status HM_MUST_CHECK hm_config_parse(struct hm_config *config, const char *file,
                                             struct hm_bytes text, struct hm_config_error *error);

/* The value of a key of the table; name is that of a named section, else NULL.
 * Where the file says nothing: the default. A key that is not in the table is a
 * bug of ours and aborts. */
uint64_t hm_config_number(const struct hm_config *config, const char *section, const char *name,
                          const char *key);
/* Text as written, or the default, or NULL. Valid while config lives. */
const char *hm_config_text(const struct hm_config *config, const char *section, const char *name,
                           const char *key);
/* Where it was written, "FILE:LINE", or "default". Valid while config lives. */
const char *hm_config_origin(const struct hm_config *config, const char *section, const char *name,
                             const char *key);
/* The i-th name of [section NAME], ascending, or NULL past the end. */
const char *hm_config_name(const struct hm_config *config, const char *section, size_t i);

/* The canonical text: every key of the table with its value in force, sections
 * and keys in table order, named sections ascending; "[section name]\nkey = value\n".
 * Its SHA-256 names the law a trust figure was computed under. g_free it. */
char *hm_config_canonical(const struct hm_config *config);

/* The table, for people. */
void hm_config_print_table(FILE *out);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Two passes over each file. The first is ours and reads lines: it knows what
 * GKeyFile would take in silence and says file and line. The second asks
 * GKeyFile for the value, so quoting and escapes are GLib's, once.
 *
 * What was read lives in one ordered tree, "section\nname\nkey" -> value and
 * origin; a file is merged into it only when all of it was good.
 */
#include "services/config.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/text.h"

#define YEARS_MS (UINT64_C(20) * 366 * 86400000)

const struct hm_config_key hm_config_keys[] = {
    {"store", false, "path", HM_CONFIG_TEXT, 1, 255, NULL, NULL, "folder of the store"},
    {"store", false, "limit", HM_CONFIG_SIZE, 64 << 20, UINT64_C(1) << 50, "20G", NULL,
     "bytes the store may take"},
    {"store", false, "segment", HM_CONFIG_SIZE, 16 << 20, UINT64_C(1) << 40, "4G", NULL,
     "bytes after which a data segment closes"},
    {"store", false, "written", HM_CONFIG_SIZE, 1 << 30, UINT64_C(1) << 50, "40G", NULL,
     "bytes written a day; above, commits come later"},
    {"store", false, "keep", HM_CONFIG_MS, 86400000, YEARS_MS, "30d", NULL,
     "age after which data may go"},
    {"store", false, "commit", HM_CONFIG_MS, 10, 1000, "250ms", NULL,
     "a batch closes after this, while nobody waits for it"},
    {"context", true, "allow", HM_CONFIG_LIST, 0, 7, "observe,remember,train",
     "observe remember train", "operations a pairing of this context may ask for"},
    {"context", true, "witness", HM_CONFIG_UINT, 0, 7, "0", NULL, "witnesses asked for"},
    {"context", true, "trust", HM_CONFIG_FRACTION, 0, 10000, "0.2", NULL,
     "frame trust below which nothing is remembered"},
    {"trigger", true, "when", HM_CONFIG_FRACTION, 0, 10000, "0.5", NULL, "measure that fires it"},
    {"trigger", true, "until", HM_CONFIG_FRACTION, 0, 10000, "0.4", NULL,
     "measure below which it is quiet again"},
    {"trigger", true, "level", HM_CONFIG_UINT, 1, 7, "5", NULL, "level it escalates to"},
    {"budget", false, "entity", HM_CONFIG_UINT, 0, 1000000, "100", NULL, "ATP of one entity"},
    {"budget", false, "node", HM_CONFIG_UINT, 0, 1000000, "300", NULL, "ATP of this node"},
    {"evidence", false, "picture", HM_CONFIG_BOOL, 0, 1, "yes", NULL, "keep evidence pictures"},
    {"evidence", false, "encrypt", HM_CONFIG_BOOL, 0, 1, "no", NULL,
     "one key a segment, erased with it"},
};
const size_t hm_config_key_count = G_N_ELEMENTS(hm_config_keys);

struct value {
  char *text;
  uint64_t number;
  char *origin;
};

struct hm_config {
  GTree *values; /* "section\nname\nkey" -> struct value */
};

static void free_value(gpointer data)
{
  struct value *v = data;
  g_free(v->text);
  g_free(v->origin);
  g_free(v);
}

static int compare_keys(gconstpointer a, gconstpointer b, gpointer user)
{
  (void)user;
  return strcmp(a, b);
}

struct hm_config *hm_config_new(void)
{
  struct hm_config *config = g_new0(struct hm_config, 1);
  config->values = g_tree_new_full(compare_keys, NULL, g_free, free_value);
  return config;
}

void hm_config_free(struct hm_config *config)
{
  if (!config)
    return;
  g_tree_unref(config->values);
  g_free(config);
}

static enum hm_status fail(struct hm_config_error *error, enum hm_status status, const char *file,
                           unsigned line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

static enum hm_status fail(struct hm_config_error *error, enum hm_status status, const char *file,
                           unsigned line, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *raw = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *reason = hm_text_escape(raw);
  g_autofree char *name = hm_text_escape(file);
  if (line > 0)
    g_snprintf(error->text, sizeof error->text, "%.200s:%u: %.280s", name, line, reason);
  else
    g_snprintf(error->text, sizeof error->text, "%.200s: %.280s", name, reason);
  return status;
}

static const struct hm_config_key *find_key(const char *section, bool is_named, const char *key)
{
  for (size_t i = 0; i < hm_config_key_count; i++) {
    const struct hm_config_key *k = &hm_config_keys[i];
    if (k->is_named == is_named && strcmp(k->section, section) == 0 &&
        (!key || strcmp(k->key, key) == 0))
      return k;
  }
  return NULL;
}

static bool word_index(const char *words, const char *word, unsigned *index)
{
  g_auto(GStrv) list = g_strsplit(words, " ", -1);
  for (unsigned i = 0; list[i]; i++)
    if (strcmp(list[i], word) == 0) {
      *index = i;
      return true;
    }
  return false;
}

static enum hm_status read_list(const struct hm_config_key *key, const char *text, uint64_t *bits)
{
  g_auto(GStrv) words = g_strsplit(text, ",", -1);
  *bits = 0;
  for (unsigned i = 0; words[i]; i++) {
    unsigned index = 0;
    if (!word_index(key->choices, g_strstrip(words[i]), &index) || (*bits >> index & 1))
      return HM_MALFORMED;
    *bits |= UINT64_C(1) << index;
  }
  return HM_OK;
}

static enum hm_status read_value(const struct hm_config_key *key, const char *text,
                                 uint64_t *number)
{
  enum hm_status status = HM_OK;
  switch (key->kind) {
  case HM_CONFIG_TEXT:
    *number = strlen(text);
    break;
  case HM_CONFIG_UINT:
    status = hm_text_uint(text, UINT64_MAX, number);
    break;
  case HM_CONFIG_SIZE:
    status = hm_text_size(text, number);
    break;
  case HM_CONFIG_MS:
    status = hm_text_duration_ms(text, number);
    break;
  case HM_CONFIG_FRACTION:
    status = text[0] == '>' ? HM_MALFORMED : hm_text_fraction(text, number);
    break;
  case HM_CONFIG_BOOL:
    *number = strcmp(text, "yes") == 0;
    return *number || strcmp(text, "no") == 0 ? HM_OK : HM_MALFORMED;
  case HM_CONFIG_LIST:
    return read_list(key, text, number);
  }
  HM_TRY(status);
  return *number < key->min || *number > key->max ? HM_TOO_LARGE : HM_OK;
}

/* What a key wants, with its limits, as one would write it. */
static char *describe_kind(const struct hm_config_key *key)
{
  switch (key->kind) {
  case HM_CONFIG_TEXT:
    return g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " bytes of text", key->min,
                           key->max);
  case HM_CONFIG_UINT:
    return g_strdup_printf("%" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT, key->min, key->max);
  case HM_CONFIG_SIZE:
    return g_strdup_printf("%" G_GUINT64_FORMAT "M to %" G_GUINT64_FORMAT "M (20G, 512M)",
                           key->min >> 20, key->max >> 20);
  case HM_CONFIG_MS:
    return g_strdup_printf("%" G_GUINT64_FORMAT "ms to %" G_GUINT64_FORMAT "ms (250ms, 30d)",
                           key->min, key->max);
  case HM_CONFIG_FRACTION:
    return g_strdup("0 to 1 with at most 4 decimals");
  case HM_CONFIG_BOOL:
    return g_strdup("yes or no");
  case HM_CONFIG_LIST:
    return g_strdup_printf("words of \"%s\" with commas between, each once", key->choices);
  }
  return g_strdup("?");
}

/* One file while it is read. */
struct reader {
  const char *file;
  struct hm_config_error *error;
  unsigned line;
  bool has_section;
  char *section; /* "context" */
  char *name;    /* "drive", or "" */
  char *group;   /* as GKeyFile knows it */
  GHashTable *seen;
  GKeyFile *keys;
  struct hm_config *into;
};

static bool is_section_name(const char *name)
{
  if (!g_ascii_islower(name[0]) || strlen(name) > 32)
    return false;
  for (const char *p = name; *p; p++)
    if (!g_ascii_islower(*p) && !g_ascii_isdigit(*p) && !strchr("._-", *p))
      return false;
  return true;
}

static enum hm_status read_section(struct reader *r, const char *line)
{
  const char *end = strchr(line, ']');
  if (!end || end[1] != '\0')
    return fail(r->error, HM_MALFORMED, r->file, r->line, "%.80s: a section is [name] alone", line);
  g_free(r->group);
  g_free(r->section);
  g_free(r->name);
  r->group = g_strndup(line + 1, (size_t)(end - line - 1));
  char *space = strchr(r->group, ' ');
  r->section = space ? g_strndup(r->group, (size_t)(space - r->group)) : g_strdup(r->group);
  r->name = g_strdup(space ? space + 1 : "");
  r->has_section = true;
  if (!find_key(r->section, space != NULL, NULL))
    return fail(r->error, HM_MALFORMED, r->file, r->line,
                "[%.80s]: unknown section; see: hallmark spec config", r->group);
  if (space && !is_section_name(r->name))
    return fail(r->error, HM_MALFORMED, r->file, r->line,
                "[%.80s]: a name is 1-32 of [a-z0-9._-] and begins with a letter", r->group);
  if (!g_hash_table_add(r->seen, g_strdup_printf("[%s", r->group)))
    return fail(r->error, HM_MALFORMED, r->file, r->line, "[%.80s] stands here twice", r->group);
  return HM_OK;
}

static bool has_trailing_note(const char *value)
{
  for (const char *p = value; *p; p++)
    if ((*p == ';' || *p == '#') && (p == value || g_ascii_isspace(p[-1])))
      return true;
  return false;
}

static enum hm_status keep_value(struct reader *r, const struct hm_config_key *key)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *text = g_key_file_get_string(r->keys, r->group, key->key, &error);
  if (error || !text)
    return fail(r->error, HM_MALFORMED, r->file, r->line, "%s: %s", key->key,
                error ? error->message : "has no value");
  g_strchomp(text);
  uint64_t number = 0;
  enum hm_status status = read_value(key, text, &number);
  if (status != HM_OK) {
    g_autofree char *want = describe_kind(key);
    return fail(r->error, HM_MALFORMED, r->file, r->line, "%s = %.80s: expected %s", key->key, text,
                want);
  }
  struct value *v = g_new0(struct value, 1);
  v->text = g_steal_pointer(&text);
  v->number = number;
  v->origin = g_strdup_printf("%s:%u", r->file, r->line);
  g_tree_replace(r->into->values, g_strdup_printf("%s\n%s\n%s", r->section, r->name, key->key), v);
  return HM_OK;
}

static enum hm_status read_pair(struct reader *r, char *line)
{
  char *equals = strchr(line, '=');
  if (!equals)
    return fail(r->error, HM_MALFORMED, r->file, r->line, "%.80s: expected key = value", line);
  if (!r->has_section)
    return fail(r->error, HM_MALFORMED, r->file, r->line, "%.80s: stands before any [section]",
                line);
  g_autofree char *name = g_strndup(line, (size_t)(equals - line));
  g_strstrip(name);
  const struct hm_config_key *key = find_key(r->section, r->name[0] != '\0', name);
  if (!key)
    return fail(r->error, HM_MALFORMED, r->file, r->line,
                "%.80s: unknown key of [%s]; see: hallmark spec config", name, r->group);
  if (!g_hash_table_add(r->seen, g_strdup_printf("%s]%s", r->group, name)))
    return fail(r->error, HM_MALFORMED, r->file, r->line, "%s: stands twice in [%s]", name,
                r->group);
  if (has_trailing_note(equals + 1))
    return fail(r->error, HM_MALFORMED, r->file, r->line,
                "%s: a note behind a value would be taken into it; put it on a line of its own",
                name);
  return keep_value(r, key);
}

static enum hm_status read_lines(struct reader *r, const char *text)
{
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (unsigned i = 0; lines[i]; i++) {
    r->line = i + 1;
    char *line = lines[i];
    g_strchomp(line);
    if (line[0] == '\0' || line[0] == '#')
      continue;
    if (line[0] == ';')
      return fail(r->error, HM_MALFORMED, r->file, r->line, "notes begin with #");
    if (g_ascii_isspace(line[0]))
      return fail(r->error, HM_MALFORMED, r->file, r->line,
                  "%.80s: a line begins in its first column", line);
    HM_TRY(line[0] == '[' ? read_section(r, line) : read_pair(r, line));
  }
  return HM_OK;
}

static gboolean copy_value(gpointer key, gpointer data, gpointer into)
{
  const struct value *from = data;
  struct value *v = g_new0(struct value, 1);
  v->text = g_strdup(from->text);
  v->origin = g_strdup(from->origin);
  v->number = from->number;
  g_tree_replace(into, g_strdup(key), v);
  return FALSE;
}

/* GKeyFile's own complaint, for what our first pass lets through. */
static enum hm_status load_keys(struct reader *r, const char *text)
{
  g_autoptr(GError) error = NULL;
  if (g_key_file_load_from_data(r->keys, text, strlen(text), G_KEY_FILE_NONE, &error))
    return HM_OK;
  /* Our pass names the line; this one is reached only where it found nothing. */
  HM_TRY(read_lines(r, text));
  return fail(r->error, HM_MALFORMED, r->file, 0, "%s", error->message);
}

enum hm_status hm_config_parse(struct hm_config *config, const char *file, struct hm_bytes text,
                               struct hm_config_error *error)
{
  if (text.len > HM_CONFIG_FILE_MAX)
    return fail(error, HM_TOO_LARGE, file, 0, "%zu bytes, limit %d", text.len, HM_CONFIG_FILE_MAX);
  const uint8_t *nul = text.len ? memchr(text.data, 0, text.len) : NULL;
  if (nul)
    return fail(error, HM_MALFORMED, file, 0, "NUL byte at offset %zu", (size_t)(nul - text.data));
  g_autofree char *copy = g_strndup(text.len ? (const char *)text.data : "", text.len);
  if (!g_utf8_validate(copy, -1, NULL))
    return fail(error, HM_MALFORMED, file, 0, "is not UTF-8");
  struct reader r = {.file = file, .error = error, .into = hm_config_new()};
  r.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  r.keys = g_key_file_new();
  enum hm_status status = load_keys(&r, copy);
  if (status == HM_OK)
    status = read_lines(&r, copy);
  if (status == HM_OK)
    g_tree_foreach(r.into->values, copy_value, config->values);
  hm_config_free(r.into);
  g_hash_table_unref(r.seen);
  g_key_file_unref(r.keys);
  g_free(r.group);
  g_free(r.section);
  g_free(r.name);
  return status;
}

/* A whole regular file of bounded size; a FIFO or device is refused unread. */
static enum hm_status read_file(const char *file, char **text, size_t *len,
                                struct hm_config_error *error)
{
  int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return fail(error, errno == ENOENT ? HM_NOT_FOUND : HM_IO, file, 0, "%s", g_strerror(errno));
  struct stat st;
  enum hm_status status = HM_OK;
  *text = g_malloc(HM_CONFIG_FILE_MAX + 1);
  *len = 0;
  if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
    status = fail(error, HM_MALFORMED, file, 0, "is not a regular file");
  while (status == HM_OK && *len <= HM_CONFIG_FILE_MAX) {
    ssize_t n = read(fd, *text + *len, HM_CONFIG_FILE_MAX + 1 - *len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      status = fail(error, HM_IO, file, 0, "%s", g_strerror(errno));
    if (n <= 0)
      break;
    *len += (size_t)n;
  }
  close(fd);
  return status;
}

static enum hm_status load_file(struct hm_config *config, const char *file,
                                struct hm_config_error *error)
{
  g_autofree char *text = NULL;
  size_t len = 0;
  HM_TRY(read_file(file, &text, &len, error));
  return hm_config_parse(config, file, hm_bytes(text, len), error);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum hm_status load_dropins(struct hm_config *config, const char *path,
                                   struct hm_config_error *error)
{
  g_autoptr(GError) problem = NULL;
  g_autoptr(GDir) dir = g_dir_open(path, 0, &problem);
  if (!dir && g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    return HM_OK;
  if (!dir)
    return fail(error, HM_IO, path, 0, "%s", problem->message);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  for (const char *name; (name = g_dir_read_name(dir));)
    if (name[0] != '.' && g_str_has_suffix(name, ".conf")) {
      if (names->len == HM_CONFIG_FILES_MAX)
        return fail(error, HM_TOO_LARGE, path, 0, "more than %d files", HM_CONFIG_FILES_MAX);
      g_ptr_array_add(names, g_build_filename(path, name, NULL));
    }
  g_ptr_array_sort(names, compare_names);
  for (guint i = 0; i < names->len; i++)
    HM_TRY(load_file(config, names->pdata[i], error));
  return HM_OK;
}

enum hm_status hm_config_load(const char *file, bool is_required, const char *dropins,
                              struct hm_config **config, struct hm_config_error *error)
{
  struct hm_config *made = hm_config_new();
  enum hm_status status = file ? load_file(made, file, error) : HM_OK;
  if (status == HM_NOT_FOUND && !is_required)
    status = HM_OK;
  if (status == HM_OK && dropins)
    status = load_dropins(made, dropins, error);
  if (status != HM_OK) {
    hm_config_free(made);
    return status;
  }
  error->text[0] = '\0';
  *config = made;
  return HM_OK;
}

static const struct value *find_value(const struct hm_config *config, const char *section,
                                      const char *name, const char *key,
                                      const struct hm_config_key **row)
{
  *row = find_key(section, name != NULL, key);
  g_assert(*row); /* the table and its readers are ours */
  g_autofree char *path = g_strdup_printf("%s\n%s\n%s", section, name ? name : "", key);
  return g_tree_lookup(config->values, path);
}

uint64_t hm_config_number(const struct hm_config *config, const char *section, const char *name,
                          const char *key)
{
  const struct hm_config_key *row = NULL;
  const struct value *v = find_value(config, section, name, key, &row);
  uint64_t number = 0;
  if (v)
    return v->number;
  if (row->value && read_value(row, row->value, &number) != HM_OK)
    g_assert_not_reached(); /* defaults of the table are within its limits: tested */
  return number;
}

const char *hm_config_text(const struct hm_config *config, const char *section, const char *name,
                           const char *key)
{
  const struct hm_config_key *row = NULL;
  const struct value *v = find_value(config, section, name, key, &row);
  return v ? v->text : row->value;
}

const char *hm_config_origin(const struct hm_config *config, const char *section, const char *name,
                             const char *key)
{
  const struct hm_config_key *row = NULL;
  const struct value *v = find_value(config, section, name, key, &row);
  return v ? v->origin : "default";
}

/* Named sections in order, found by walking the ordered tree. */
struct walk {
  const char *section;
  size_t wanted, seen;
  const char *last; /* name of the entry before */
  size_t last_len;
  bool is_found;
};

static gboolean visit_name(gpointer key, gpointer data, gpointer user)
{
  struct walk *w = user;
  (void)data;
  size_t len = strlen(w->section);
  const char *path = key;
  if (strncmp(path, w->section, len) != 0 || path[len] != '\n' || path[len + 1] == '\n')
    return FALSE;
  const char *name = path + len + 1;
  size_t name_len = (size_t)(strchr(name, '\n') - name);
  if (w->last && name_len == w->last_len && strncmp(w->last, name, name_len) == 0)
    return FALSE;
  w->last = name;
  w->last_len = name_len;
  if (w->seen++ < w->wanted)
    return FALSE;
  w->is_found = true;
  return TRUE;
}

const char *hm_config_name(const struct hm_config *config, const char *section, size_t i)
{
  struct walk w = {.section = section, .wanted = i};
  g_tree_foreach(config->values, visit_name, &w);
  if (!w.is_found)
    return NULL;
  g_autofree char *name = g_strndup(w.last, w.last_len);
  return g_intern_string(name);
}

static void append_section(GString *out, const struct hm_config *config, const char *section,
                           const char *name)
{
  if (name)
    g_string_append_printf(out, "[%s %s]\n", section, name);
  else
    g_string_append_printf(out, "[%s]\n", section);
  for (size_t i = 0; i < hm_config_key_count; i++) {
    const struct hm_config_key *k = &hm_config_keys[i];
    if (strcmp(k->section, section) != 0)
      continue;
    const char *text = hm_config_text(config, section, name, k->key);
    g_string_append_printf(out, "%s = %s\n", k->key, text ? text : "");
  }
}

char *hm_config_canonical(const struct hm_config *config)
{
  GString *out = g_string_new(NULL);
  const char *last = "";
  for (size_t i = 0; i < hm_config_key_count; i++) {
    const struct hm_config_key *k = &hm_config_keys[i];
    if (strcmp(k->section, last) == 0)
      continue;
    last = k->section;
    if (!k->is_named)
      append_section(out, config, k->section, NULL);
    for (size_t n = 0; k->is_named; n++) {
      const char *name = hm_config_name(config, k->section, n);
      if (!name)
        break;
      append_section(out, config, k->section, name);
    }
  }
  return g_string_free(out, FALSE);
}

void hm_config_print_table(FILE *out)
{
  for (size_t i = 0; i < hm_config_key_count; i++) {
    const struct hm_config_key *k = &hm_config_keys[i];
    g_autofree char *where =
        g_strdup_printf("[%s%s] %s", k->section, k->is_named ? " NAME" : "", k->key);
    g_autofree char *what = describe_kind(k);
    fprintf(out, "%-24s %-24s %s; %s\n", where, k->value ? k->value : "-", k->sentence, what);
  }
}

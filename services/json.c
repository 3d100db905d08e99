/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * json-glib does the parsing; what it is lenient about is looked at first, by a
 * scanner that only counts: depth, NUL bytes and members that occur twice.
 */
#include "services/json.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "services/text.h"

static enum hm_status refuse(enum hm_status status, char *message, size_t size, const char *format,
                             ...) __attribute__((format(printf, 4, 5)));

static enum hm_status refuse(enum hm_status status, char *message, size_t size, const char *format,
                             ...)
{
  if (message && size > 0) {
    va_list args;
    va_start(args, format);
    g_autofree char *raw = g_strdup_vprintf(format, args);
    va_end(args);
    g_autofree char *line = hm_text_escape(raw);
    g_strlcpy(message, line, size);
  }
  return status;
}

/* Four hex digits at text, or -1: json-glib takes other bytes there too. */
static int read_hex4(struct hm_bytes text, size_t at)
{
  int value = 0;
  for (size_t i = at; i < at + 4; i++) {
    int digit = i < text.len ? g_ascii_xdigit_value((char)text.data[i]) : -1;
    if (digit < 0)
      return -1;
    value = value * 16 + digit;
  }
  return value;
}

/* Length of the escape whose backslash is at `at`; 0 where it is none, half a surrogate
 * pair, or a NUL. */
static size_t escape_length(struct hm_bytes text, size_t at)
{
  int c = at + 1 < text.len ? text.data[at + 1] : 0;
  if (c != 'u')
    return c != 0 && strchr("\"\\/bfnrt", c) ? 2 : 0;
  int unit = read_hex4(text, at + 2);
  if (unit <= 0 || (unit >= 0xdc00 && unit <= 0xdfff))
    return 0;
  if (unit < 0xd800 || unit > 0xdbff)
    return 6;
  bool has_low = at + 7 < text.len && text.data[at + 6] == '\\' && text.data[at + 7] == 'u';
  int low = has_low ? read_hex4(text, at + 8) : -1;
  return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/* Depth of nesting before a recursive parser sees the text. */
static enum hm_status check_shape(struct hm_bytes text, char *message, size_t size)
{
  size_t depth = 0;
  size_t digits = 0;
  bool in_string = false, is_closed = false;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.data[i];
    /* json-glib would read on and give the last of several values */
    if (is_closed && !g_ascii_isspace(c))
      return refuse(HM_MALFORMED, message, size, "JSON: something follows the object at offset %zu",
                    i);
    if (c == 0)
      return refuse(HM_MALFORMED, message, size, "JSON: NUL byte at offset %zu", i);
    /* json-glib wraps integers beyond 64 bits in silence. */
    bool is_exponent = digits > 0 && (c == 'e' || c == 'E');
    digits = !in_string && g_ascii_isdigit(c) ? digits + 1 : 0;
    if (digits > HM_JSON_DIGITS || is_exponent)
      return refuse(HM_MALFORMED, message, size,
                    "JSON: a number of over %d digits or with an exponent at offset %zu; larger "
                    "ones travel as text",
                    HM_JSON_DIGITS, i);
    if (in_string) {
      size_t escape = c == '\\' ? escape_length(text, i) : 1;
      if (escape == 0 || c < 0x20)
        return refuse(HM_MALFORMED, message, size, "JSON: bad escape or control at offset %zu", i);
      i += escape - 1;
      if (c == '"')
        in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > HM_JSON_DEPTH)
        return refuse(HM_TOO_DEEP, message, size, "JSON: nested deeper than %d at offset %zu",
                      HM_JSON_DEPTH, i);
    } else if ((c == '}' || c == ']') && depth > 0) {
      depth--;
      is_closed = depth == 0;
    } else if (c == '/') {
      /* json-glib would skip comments, as if they were spaces */
      return refuse(HM_MALFORMED, message, size, "JSON: a comment at offset %zu", i);
    }
  }
  return HM_OK;
}

/* json-glib reports every member as it is read, so one that comes twice is seen. */
struct twice {
  GHashTable *seen; /* JsonObject* -> set of names */
  char name[64];
  bool is_found;
};

static void forget_names(gpointer set)
{
  g_hash_table_unref(set);
}

static void on_member(JsonParser *parser, JsonObject *object, const char *name, gpointer user)
{
  (void)parser;
  struct twice *t = user;
  GHashTable *names = g_hash_table_lookup(t->seen, object);
  if (!names) {
    names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    /* The object is held, so that its address is not given to another one. */
    g_hash_table_insert(t->seen, json_object_ref(object), names);
  }
  if (!g_hash_table_add(names, g_strdup(name)) && !t->is_found) {
    t->is_found = true;
    g_strlcpy(t->name, name, sizeof t->name);
  }
}

enum hm_status hm_json_parse(struct hm_bytes text, size_t limit, JsonObject **object, char *message,
                             size_t message_size)
{
  if (text.len > limit)
    return refuse(HM_TOO_LARGE, message, message_size, "JSON: %zu bytes, limit %zu", text.len,
                  limit);
  if (text.len == 0)
    return refuse(HM_MALFORMED, message, message_size, "JSON: empty, expected an object");
  HM_TRY(check_shape(text, message, message_size));
  g_autoptr(JsonParser) parser = json_parser_new_immutable();
  g_autoptr(GError) error = NULL;
  g_autoptr(GHashTable) seen = g_hash_table_new_full(
      g_direct_hash, g_direct_equal, (GDestroyNotify)json_object_unref, forget_names);
  struct twice t = {.seen = seen};
  g_signal_connect(parser, "object-member", G_CALLBACK(on_member), &t);
  if (!json_parser_load_from_data(parser, (const char *)text.data, (gssize)text.len, &error))
    return refuse(HM_MALFORMED, message, message_size, "JSON: %s", error->message);
  JsonNode *root = json_parser_get_root(parser);
  if (t.is_found)
    return refuse(HM_MALFORMED, message, message_size, "JSON: member %s occurs twice", t.name);
  if (!root || !JSON_NODE_HOLDS_OBJECT(root))
    return refuse(HM_MALFORMED, message, message_size, "JSON: expected one object");
  *object = json_node_dup_object(root);
  return HM_OK;
}

static bool read_uint(JsonNode *node, uint64_t *value)
{
  if (!JSON_NODE_HOLDS_VALUE(node))
    return false;
  GType type = json_node_get_value_type(node);
  if (type == G_TYPE_INT64) {
    gint64 n = json_node_get_int(node);
    *value = (uint64_t)n;
    return n >= 0;
  }
  return type == G_TYPE_STRING &&
         hm_text_uint(json_node_get_string(node), INT64_MAX, value) == HM_OK;
}

static bool read_number(JsonNode *node, double *value)
{
  if (!JSON_NODE_HOLDS_VALUE(node))
    return false;
  GType type = json_node_get_value_type(node);
  if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
    return false;
  *value = json_node_get_double(node);
  return isfinite(*value);
}

static bool is_text(JsonNode *node, uint64_t min, uint64_t max)
{
  if (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING)
    return false;
  size_t len = strlen(json_node_get_string(node));
  return len >= min && len <= max;
}

static bool is_list(JsonNode *node, const struct hm_json_field *field)
{
  if (!JSON_NODE_HOLDS_ARRAY(node))
    return false;
  JsonArray *list = json_node_get_array(node);
  guint count = json_array_get_length(list);
  if (count > field->max || count < field->min)
    return false;
  for (guint i = 0; i < count; i++) {
    JsonNode *item = json_array_get_element(list, i);
    if (field->kind == HM_JSON_TEXTS && !is_text(item, 1, 512))
      return false;
    if (field->kind == HM_JSON_INTS &&
        (!JSON_NODE_HOLDS_VALUE(item) || json_node_get_value_type(item) != G_TYPE_INT64 ||
         json_node_get_int(item) < -127 || json_node_get_int(item) > 127))
      return false;
  }
  return true;
}

static bool is_of_kind(JsonNode *node, const struct hm_json_field *field)
{
  uint64_t n = 0;
  double x = 0;
  switch (field->kind) {
  case HM_JSON_TEXT:
    return is_text(node, field->min, field->max);
  case HM_JSON_UINT:
    return read_uint(node, &n) && n >= field->min && n <= field->max;
  case HM_JSON_FRACTION:
    return read_number(node, &x) && x >= 0 && x <= 1;
  case HM_JSON_TEXTS:
  case HM_JSON_INTS:
    return is_list(node, field);
  }
  return false;
}

static enum hm_status check_field(const struct hm_json_field *field, JsonNode *node, char *message,
                                  size_t size)
{
  static const struct {
    const char *what, *of;
  } wants[] = {
      [HM_JSON_TEXT] = {"a text", "bytes"},
      [HM_JSON_UINT] = {"an integer", ""},
      [HM_JSON_FRACTION] = {"a number", ""},
      [HM_JSON_TEXTS] = {"a list", "texts"},
      [HM_JSON_INTS] = {"a list", "integers from -127 to 127"},
  };
  if (is_of_kind(node, field))
    return HM_OK;
  uint64_t max = field->kind == HM_JSON_FRACTION ? 1 : field->max;
  return refuse(HM_MALFORMED, message, size,
                "%s: expected %s, %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT " %s", field->name,
                wants[field->kind].what, field->min, max, wants[field->kind].of);
}

enum hm_status hm_json_check(JsonObject *object, const struct hm_json_field *fields, size_t count,
                             char *message, size_t message_size)
{
  g_autoptr(GList) names = json_object_get_members(object);
  for (GList *n = names; n; n = n->next) {
    size_t i = 0;
    while (i < count && strcmp(fields[i].name, n->data) != 0)
      i++;
    if (i == count)
      return refuse(HM_MALFORMED, message, message_size, "%.64s: unknown member",
                    (const char *)n->data);
    HM_TRY(check_field(&fields[i], json_object_get_member(object, n->data), message, message_size));
  }
  for (size_t i = 0; i < count; i++)
    if (fields[i].is_required && !json_object_has_member(object, fields[i].name))
      return refuse(HM_MALFORMED, message, message_size, "%s: missing", fields[i].name);
  return HM_OK;
}

const char *hm_json_get_text(JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  return node && is_text(node, 0, UINT64_MAX) ? json_node_get_string(node) : NULL;
}

uint64_t hm_json_get_uint(JsonObject *object, const char *name, uint64_t otherwise)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  uint64_t value = 0;
  return node && read_uint(node, &value) ? value : otherwise;
}

double hm_json_get_number(JsonObject *object, const char *name, double otherwise)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  double value = 0;
  return node && read_number(node, &value) ? value : otherwise;
}

bool hm_json_get_bool(JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_BOOLEAN &&
         json_node_get_boolean(node);
}

JsonArray *hm_json_get_list(JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

JsonObject *hm_json_get_object(JsonObject *object, const char *name)
{
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;
  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

void hm_json_set_null(JsonObject *object, const char *name)
{
  json_object_set_null_member(object, name);
}

void hm_json_set_text(JsonObject *object, const char *name, const char *text)
{
  if (!text) {
    hm_json_set_null(object, name);
    return;
  }
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  json_object_set_string_member(object, name, valid);
}

void hm_json_set_u64(JsonObject *object, const char *name, uint64_t value)
{
  char text[24];
  g_snprintf(text, sizeof text, "%" G_GUINT64_FORMAT, value);
  json_object_set_string_member(object, name, text);
}

void hm_json_set_log(JsonObject *object, const char *name, char letter, uint64_t number)
{
  if (number == 0) {
    hm_json_set_null(object, name);
    return;
  }
  char text[24];
  g_snprintf(text, sizeof text, "%c%" G_GUINT64_FORMAT, letter, number);
  json_object_set_string_member(object, name, text);
}

void hm_json_set_hex(JsonObject *object, const char *name, const void *data, size_t len)
{
  g_autofree char *text = g_malloc(2 * len + 1);
  hm_text_hex(data, len, text);
  json_object_set_string_member(object, name, text);
}

void hm_json_set_fraction(JsonObject *object, const char *name, double value)
{
  /* The nearest double of at most four decimals prints as those decimals. */
  json_object_set_double_member(object, name,
                                (double)(gint64)(value * 10000 + (value < 0 ? -0.5 : 0.5)) / 10000);
}

void hm_json_set_time_ns(JsonObject *object, const char *name, uint64_t unix_ns)
{
  if (unix_ns == 0) {
    hm_json_set_null(object, name);
    return;
  }
  char text[HM_TEXT_TIME];
  hm_text_time_utc(unix_ns, text);
  json_object_set_string_member(object, name, text);
}

/* json-glib prints 0.71 as 0.70999999999999996; ours prints the four decimals that a
 * fraction has. Everything written here is our own and at most HM_JSON_DEPTH deep. */
static void write_node(GString *out, JsonNode *node, unsigned depth);

static void write_text(GString *out, const char *text)
{
  g_autoptr(JsonNode) node = json_node_init_string(json_node_alloc(), text);
  g_autofree char *quoted = json_to_string(node, FALSE);
  g_string_append(out, quoted);
}

static void write_number(GString *out, double value)
{
  char text[352]; /* the largest double has 309 digits before the point */
  g_ascii_formatd(text, sizeof text, "%.4f", value);
  size_t len = strlen(text);
  while (text[len - 1] == '0')
    len--;
  if (text[len - 1] == '.')
    len--;
  bool is_zero = len == 2 && text[0] == '-' && text[1] == '0';
  g_string_append_len(out, is_zero ? "0" : text, is_zero ? 1 : (gssize)len);
}

static void write_object(GString *out, JsonObject *object, unsigned depth)
{
  g_autoptr(GList) names = json_object_get_members(object);
  g_string_append_c(out, '{');
  for (GList *n = names; n; n = n->next) {
    write_text(out, n->data);
    g_string_append_c(out, ':');
    write_node(out, json_object_get_member(object, n->data), depth + 1);
    if (n->next)
      g_string_append_c(out, ',');
  }
  g_string_append_c(out, '}');
}

static void write_list(GString *out, JsonArray *list, unsigned depth)
{
  g_string_append_c(out, '[');
  for (guint i = 0; i < json_array_get_length(list); i++) {
    if (i > 0)
      g_string_append_c(out, ',');
    write_node(out, json_array_get_element(list, i), depth + 1);
  }
  g_string_append_c(out, ']');
}

static void write_node(GString *out, JsonNode *node, unsigned depth)
{
  g_assert(depth <= HM_JSON_DEPTH);
  if (JSON_NODE_HOLDS_OBJECT(node)) {
    write_object(out, json_node_get_object(node), depth);
  } else if (JSON_NODE_HOLDS_ARRAY(node)) {
    write_list(out, json_node_get_array(node), depth);
  } else if (json_node_get_value_type(node) == G_TYPE_DOUBLE) {
    write_number(out, json_node_get_double(node));
  } else {
    g_autofree char *text = json_to_string(node, FALSE);
    g_string_append(out, text);
  }
}

char *hm_json_line(JsonObject *object)
{
  GString *out = g_string_new(NULL);
  write_object(out, object, 0);
  return g_string_free(out, FALSE);
}

/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "services/cli.h"

void cli_say(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
}

/* Columns of n bytes; a colour takes none. */
static unsigned columns_of(const char *text, size_t n)
{
  unsigned columns = 0;
  for (size_t i = 0; i < n; i++) {
    if (text[i] == '\033')
      while (i + 1 < n && text[i] != 'm')
        i++;
    else if (((unsigned char)text[i] & 0xc0) != 0x80)
      columns++;
  }
  return columns;
}

void cli_words(const struct cli *cli, unsigned column, unsigned hang, const char *text)
{
  enum { LEAST = 24 }; /* a narrower block is worse than a broken word */
  if (cli->width < LEAST || hang > cli->width - LEAST)
    hang = MIN(hang, 4u);
  bool is_first = true;
  while (text[0]) {
    size_t n = strcspn(text, " ");
    unsigned wide = columns_of(text, n);
    if (!is_first && cli->width > 0 && column + 1 + wide > cli->width) {
      printf("\n%*s", (int)hang, "");
      column = hang;
    } else if (!is_first) {
      putchar(' ');
      column++;
    }
    fwrite(text, 1, n, stdout);
    column += wide;
    text += text[n] ? n + 1 : n;
    is_first = false;
  }
  putchar('\n');
}

void cli_json(JsonObject *object)
{
  g_autofree char *line = hm_json_line(object);
  cli_say("%s\n", line);
}

void cli_json_each(JsonArray *list)
{
  for (guint i = 0; list && i < json_array_get_length(list); i++)
    cli_json(json_array_get_object_element(list, i));
}

char *cli_text(JsonObject *object, const char *member)
{
  return hm_text_escape(hm_json_get_text(object, member));
}

void cli_time(const struct cli *cli, const char *rfc3339, char out[HM_TEXT_TIME])
{
  uint64_t ns = 0;
  if (!rfc3339 || hm_text_time_parse(rfc3339, &ns) != HM_OK)
    g_strlcpy(out, "-", HM_TEXT_TIME);
  else if (cli->utc)
    hm_text_time_utc(ns, out);
  else
    hm_text_time_local(ns, out);
}

const char *cli_mark(const struct cli *cli, const char *word, char out[32])
{
  static const struct {
    const char *word, *colour;
  } colours[] = {
      {"ok", "32"},        {"yes", "32"},    {"proven", "32"},  {"flowing", "32"},
      {"active", "32"},    {"BROKEN", "31"}, {"no", "31"},      {"not proven", "31"},
      {"UNPLUGGED", "31"}, {"note", "33"},   {"unknown", "33"}, {"signed", "33"},
  };
  for (size_t i = 0; cli->color && i < G_N_ELEMENTS(colours); i++)
    if (strcmp(colours[i].word, word) == 0) {
      g_snprintf(out, 32, "\033[%sm%s\033[0m", colours[i].colour, word);
      return out;
    }
  g_strlcpy(out, word, 32);
  return out;
}

/* ---- tables ----------------------------------------------------------------------------- */
void cli_table_begin(struct cli_table *table, const char *const *heads, unsigned columns)
{
  table->columns = columns;
  table->cells = g_ptr_array_new_with_free_func(g_free);
  for (unsigned i = 0; i < columns; i++)
    cli_table_add(table, heads[i]);
}

void cli_table_add(struct cli_table *table, const char *text)
{
  g_ptr_array_add(table->cells, hm_text_escape(text && text[0] ? text : NULL));
}

void cli_table_add_f(struct cli_table *table, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  cli_table_add(table, text);
}

static size_t width_of(const char *text)
{
  return (size_t)g_utf8_strlen(text, -1);
}

void cli_table_end(struct cli *cli, struct cli_table *table)
{
  g_autofree size_t *widths = g_new0(size_t, table->columns);
  for (guint i = 0; i < table->cells->len; i++)
    widths[i % table->columns] = MAX(widths[i % table->columns], width_of(table->cells->pdata[i]));
  unsigned at = 0;
  for (guint i = 0; i < table->cells->len; i++) {
    const char *text = table->cells->pdata[i];
    char mark[32];
    unsigned column = i % table->columns;
    bool is_last = column + 1 == table->columns;
    /* -q leaves the head line out. */
    if (cli->quiet && i < table->columns)
      continue;
    const char *shown = strlen(text) < 16 ? cli_mark(cli, text, mark) : text;
    if (is_last)
      cli_words(cli, at, at, shown);
    else
      printf("%s%*s", shown, (int)(widths[column] - width_of(text)) + 2, "");
    at = is_last ? 0 : at + (unsigned)widths[column] + 2;
  }
  g_ptr_array_unref(table->cells);
}

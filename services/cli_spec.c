/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * spec: the const tables that the programs run on, printed. What stands here cannot
 * differ from what is done.
 */
#include <string.h>

#include "sensors/gate.h"
#include "services/authproto.h"
#include "services/cli.h"
#include "services/config.h"
#include "trust/capability.h"
#include "trust/pairing.h"

/* In JSON a row is an object whose members are the heads, in lower case. */
static void end_table(struct cli *cli, struct cli_table *table)
{
  if (!cli->json) {
    cli_table_end(cli, table);
    return;
  }
  for (guint at = table->columns; at + table->columns <= table->cells->len; at += table->columns) {
    g_autoptr(JsonObject) o = json_object_new();
    for (unsigned c = 0; c < table->columns; c++) {
      g_autofree char *member = g_ascii_strdown(table->cells->pdata[c], -1);
      hm_json_set_text(o, member, table->cells->pdata[at + c]);
    }
    cli_json(o);
  }
  g_ptr_array_unref(table->cells);
}

static void spec_errors(struct cli *cli)
{
  static const char *const heads[] = {"STATUS", "EXIT", "HTTP", "WEB4", "MEANING"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (int i = 0; i < HM_STATUS_COUNT; i++) {
    const struct hm_status_row *row = hm_status_row((enum hm_status)i);
    cli_table_add(&t, row->name);
    cli_table_add_f(&t, "%d", row->exit_code);
    cli_table_add_f(&t, "%d", row->http);
    cli_table_add(&t, row->w4[0] ? row->w4 : "-");
    cli_table_add(&t, row->sentence);
  }
  end_table(cli, &t);
}

static void spec_types(struct cli *cli)
{
  static const char *const heads[] = {"TYP", "NAME", "KID", "BYTES"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (size_t i = 0; i < hm_typ_count; i++) {
    cli_table_add_f(&t, "%u", hm_typ_table[i].typ);
    cli_table_add(&t, hm_typ_table[i].name);
    cli_table_add(&t, hm_typ_table[i].has_kid ? "yes" : "no");
    cli_table_add_f(&t, "%u", hm_typ_table[i].max);
  }
  end_table(cli, &t);
}

static bool add_field(void *user, const struct hm_spec_row *row)
{
  struct cli_table *t = user;
  cli_table_add(t, row->object);
  if (row->typ)
    cli_table_add_f(t, "%u", row->typ);
  else
    cli_table_add(t, "-");
  if (row->has_label)
    cli_table_add_f(t, "%" G_GINT64_FORMAT, row->label);
  else
    cli_table_add_f(t, "[%zu]", row->position);
  cli_table_add_f(t, "%*s%s", 2 * row->depth, "", row->field);
  cli_table_add(t, hm_field_kind_name(row->kind, NULL));
  if (row->max > 0)
    cli_table_add_f(t, "%" G_GUINT64_FORMAT "..%" G_GUINT64_FORMAT, row->min, row->max);
  else
    cli_table_add(t, "-");
  cli_table_add(t, row->flags & HM_OPTIONAL ? "optional" : row->flags & HM_NIL_OK ? "nil ok" : "-");
  return true;
}

static void spec_objects(struct cli *cli)
{
  static const char *const heads[] = {"OBJECT", "TYP", "LABEL", "FIELD", "KIND", "LIMITS", "RULE"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  hm_spec_walk(add_field, &t);
  end_table(cli, &t);
}

static void spec_labels(struct cli *cli)
{
  static const char *const heads[] = {"LABEL", "NAME"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (uint64_t i = 0; i < HM_L_COUNT_OF_LABELS; i++) {
    cli_table_add_f(&t, "%" G_GUINT64_FORMAT, i);
    cli_table_add(&t, hm_label_name(i));
  }
  end_table(cli, &t);
}

static void add_codes(struct cli_table *t, const struct hm_code_table *codes)
{
  for (size_t i = 0; i < codes->count; i++) {
    cli_table_add(t, codes->name);
    cli_table_add_f(t, "%u", codes->codes[i].code);
    cli_table_add(t, codes->codes[i].name);
  }
}

static const char *const code_heads[] = {"TABLE", "CODE", "NAME"};

static void spec_codes(struct cli *cli)
{
  struct cli_table t;
  cli_table_begin(&t, code_heads, G_N_ELEMENTS(code_heads));
  for (size_t i = 0; i < hm_code_table_count; i++)
    add_codes(&t, hm_code_tables[i]);
  end_table(cli, &t);
}

static void spec_profile(struct cli *cli)
{
  static const char *const heads[] = {"ROLE", "ALGORITHM", "REGISTRY", "ID"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (size_t i = 0; i < hm_algorithm_row_count; i++) {
    const struct hm_algorithm_row *row = &hm_algorithm_rows[i];
    cli_table_add(&t, row->role);
    cli_table_add(&t, row->name);
    cli_table_add(&t, row->registry ? row->registry : "-");
    if (row->registry)
      cli_table_add_f(&t, "%d", row->id);
    else
      cli_table_add(&t, "-");
  }
  end_table(cli, &t);
}

static void spec_capability(struct cli *cli)
{
  static const char *const heads[] = {"WHAT", "CODE", "NAME", "RULE"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (size_t i = 0; i < hm_class_row_count; i++) {
    const struct hm_class_row *row = &hm_class_rows[i];
    cli_table_add(&t, "class");
    cli_table_add_f(&t, "%u", row->class);
    cli_table_add(&t, row->name);
    cli_table_add_f(&t, "%s; %s", row->who, row->binding);
  }
  for (size_t i = 0; i < hm_entity_row_count; i++) {
    const struct hm_entity_row *row = &hm_entity_rows[i];
    cli_table_add(&t, "entity");
    cli_table_add_f(&t, "%u", row->type);
    cli_table_add(&t, row->name);
    cli_table_add_f(&t, "classes%s%s%s%s", row->classes >> HM_CLASS_A & 1 ? " A" : "",
                    row->classes >> HM_CLASS_S & 1 ? " S" : "",
                    row->classes >> HM_CLASS_H & 1 ? " H" : "",
                    row->is_responsive ? "; never starts a pairing" : "");
  }
  for (size_t i = 0; i < hm_data_row_count; i++) {
    const struct hm_data_row *row = &hm_data_rows[i];
    cli_table_add(&t, "data");
    cli_table_add_f(&t, "%u", row->data);
    cli_table_add(&t, row->name);
    cli_table_add(&t, row->rule);
  }
  for (size_t i = 0; i < hm_anchor_row_count; i++) {
    const struct hm_anchor_row *row = &hm_anchor_rows[i];
    cli_table_add(&t, "anchor");
    cli_table_add_f(&t, "%u", row->anchor);
    cli_table_add(&t, row->name);
    cli_table_add_f(&t, "assurance at most %.3f", row->ceiling / 1000.0);
  }
  end_table(cli, &t);
}

/* The pairing machine: what each event does in each state, and until when. */
static void spec_pairing(struct cli *cli)
{
  static const char *const heads[] = {"FROM", "EVENT", "TO", "ERASES", "MESSAGE", "DEADLINE"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (size_t i = 0; i < hm_pair_edge_count; i++) {
    const struct hm_pair_edge *edge = &hm_pair_edges[i];
    cli_table_add(&t, hm_pair_state_text(edge->from));
    cli_table_add(&t, hm_pair_event_text(edge->event));
    cli_table_add(&t, hm_pair_state_text(edge->to));
    cli_table_add(&t, hm_pair_does_text(edge->does));
    cli_table_add(&t, edge->message);
    cli_table_add(&t, hm_pair_deadline_text(edge->from));
  }
  end_table(cli, &t);
}

static void spec_gate(struct cli *cli)
{
  static const char *const heads[] = {"KIND", "NAME", "FROM", "ROLES", "MEMBERS"};
  static const struct {
    enum hm_gate_role role;
    const char *name;
  } roles[] = {{HM_GATE_ROLE_GATE, "gate"},
               {HM_GATE_ROLE_OBSERVER, "observer"},
               {HM_GATE_ROLE_SINK, "sink"},
               {HM_GATE_ROLE_MEDIA, "media"}};
  struct cli_table t;
  const struct hm_gate_kind_row *row = NULL;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (size_t i = 0; (row = hm_gate_kind_row(i)); i++) {
    g_autoptr(GString) who = g_string_new(NULL);
    for (size_t k = 0; k < G_N_ELEMENTS(roles); k++)
      if (row->roles >> roles[k].role & 1)
        g_string_append_printf(who, "%s%s", who->len ? " " : "", roles[k].name);
    cli_table_add_f(&t, "%d", (int)row->kind);
    cli_table_add(&t, row->name);
    cli_table_add(&t, row->from_client ? "client" : "daemon");
    cli_table_add(&t, who->str);
    cli_table_add(&t, row->members);
  }
  end_table(cli, &t);
}

static void spec_authority(struct cli *cli)
{
  static const char *const heads[] = {"KIND", "NAME"};
  static const enum hm_auth_kind kinds[] = {HM_AUTH_HELLO, HM_AUTH_CHALLENGE, HM_AUTH_BIND,
                                            HM_AUTH_PAIR,  HM_AUTH_COMPLETE,  HM_AUTH_REVOKE,
                                            HM_AUTH_LOG,   HM_AUTH_ERROR};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
    cli_table_add_f(&t, "%d", (int)kinds[i]);
    cli_table_add(&t, hm_auth_kind_text(kinds[i]));
  }
  end_table(cli, &t);
}

static void spec_verbs(struct cli *cli)
{
  static const char *const heads[] = {"VERB", "OBJECTS", "FLAGS", "DOES"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (size_t i = 0; i < cli_verb_count; i++) {
    g_autoptr(GString) flags = g_string_new(NULL);
    for (unsigned f = 0; f < CLI_FLAGS_MAX && cli_verbs[i].flags[f].name; f++)
      g_string_append_printf(flags, "%s%s", f ? " " : "", cli_verbs[i].flags[f].name);
    cli_table_add(&t, cli_verbs[i].name);
    cli_table_add(&t, cli_verbs[i].objects[0] ? cli_verbs[i].objects : "-");
    cli_table_add(&t, flags->len ? flags->str : "-");
    cli_table_add(&t, cli_verbs[i].summary);
  }
  end_table(cli, &t);
}

static void spec_config(struct cli *cli)
{
  static const char *const heads[] = {"SECTION", "KEY", "DEFAULT", "MEANING"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (size_t i = 0; i < hm_config_key_count; i++) {
    const struct hm_config_key *k = &hm_config_keys[i];
    cli_table_add_f(&t, "[%s%s]", k->section, k->is_named ? " NAME" : "");
    cli_table_add(&t, k->key);
    cli_table_add(&t, k->value);
    cli_table_add(&t, k->sentence);
  }
  end_table(cli, &t);
}

static void spec_links(struct cli *cli)
{
  static const char *const heads[] = {"LINK", "NAME"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (int i = 0; i < HM_LINK_COUNT; i++) {
    cli_table_add_f(&t, "%d", i);
    cli_table_add(&t, hm_proof_link_name((enum hm_proof_link)i));
  }
  end_table(cli, &t);
}

static const struct {
  const char *name, *what;
  void (*print)(struct cli *cli);
} tables[] = {
    {"errors", "statuses with exit code, HTTP status and Web4 code", spec_errors},
    {"types", "typs of signed objects", spec_types},
    {"objects", "every field of every object", spec_objects},
    {"labels", "integer labels of the maps", spec_labels},
    {"codes", "all code points; or one table by its name", spec_codes},
    {"profile", "algorithms of crypto profile 1", spec_profile},
    {"capability", "classes, entities, protection of data, anchors", spec_capability},
    {"pairing", "the pairing machine: states, events, what is erased", spec_pairing},
    {"gate", "messages of gate.sock", spec_gate},
    {"authority", "messages of authority.sock", spec_authority},
    {"links", "links of a proof's chain", spec_links},
    {"config", "keys of the configuration", spec_config},
    {"verbs", "verbs of this command", spec_verbs},
};

static void list_tables(struct cli *cli)
{
  static const char *const heads[] = {"TABLE", "WHAT"};
  struct cli_table t;
  cli_table_begin(&t, heads, G_N_ELEMENTS(heads));
  for (size_t i = 0; i < G_N_ELEMENTS(tables); i++) {
    cli_table_add(&t, tables[i].name);
    cli_table_add(&t, tables[i].what);
  }
  for (size_t i = 0; i < hm_code_table_count; i++) {
    cli_table_add(&t, hm_code_tables[i]->name);
    cli_table_add_f(&t, "%zu codes", hm_code_tables[i]->count);
  }
  end_table(cli, &t);
}

int cli_spec(struct cli *cli, const struct cli_args *args)
{
  struct hm_error err = {HM_OK, ""};
  if (args->count == 0) {
    list_tables(cli);
    return 0;
  }
  for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
    if (strcmp(tables[i].name, args->objects[0]) == 0) {
      tables[i].print(cli);
      return 0;
    }
  for (size_t i = 0; i < hm_code_table_count; i++)
    if (strcmp(hm_code_tables[i]->name, args->objects[0]) == 0) {
      struct cli_table t;
      cli_table_begin(&t, code_heads, G_N_ELEMENTS(code_heads));
      add_codes(&t, hm_code_tables[i]);
      end_table(cli, &t);
      return 0;
    }
  (void)hm_fail(&err, HM_NOT_FOUND, "%.64s: no such table; run: hallmark spec", args->objects[0]);
  return cli_fail(cli, "spec", &err);
}

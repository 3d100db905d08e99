/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>

#include "services/config.h"

static enum hm_status parse(struct hm_config *config, const char *text,
                            struct hm_config_error *error)
{
  return hm_config_parse(config, "t.conf", hm_bytes(text, strlen(text)), error);
}

static void defaults_are_within_their_own_limits(void **state)
{
  (void)state;
  struct hm_config *config = hm_config_new();
  for (size_t i = 0; i < hm_config_key_count; i++) {
    const struct hm_config_key *k = &hm_config_keys[i];
    const char *name = k->is_named ? "x" : NULL;
    uint64_t number = hm_config_number(config, k->section, name, k->key);
    if (k->value) {
      assert_true(number >= k->min && number <= k->max);
    }
    assert_string_equal(hm_config_origin(config, k->section, name, k->key), "default");
  }
  assert_int_equal(hm_config_number(config, "store", NULL, "commit"), 250);
  assert_int_equal(hm_config_number(config, "context", "drive", "allow"), 7);
  assert_int_equal(hm_config_number(config, "context", "drive", "trust"), 2000);
  hm_config_free(config);
}

static void values_are_read_with_their_line(void **state)
{
  (void)state;
  struct hm_config *config = hm_config_new();
  struct hm_config_error error;
  assert_int_equal(parse(config,
                         "# policy\n\n[store]\nlimit = 8G\ncommit=100ms\n[context drive]\n"
                         "allow=observe, remember\ntrust = .35\n[context training]\nwitness=2\n",
                         &error),
                   HM_OK);
  assert_int_equal(hm_config_number(config, "store", NULL, "limit"), UINT64_C(8) << 30);
  assert_string_equal(hm_config_text(config, "store", NULL, "limit"), "8G");
  assert_string_equal(hm_config_origin(config, "store", NULL, "commit"), "t.conf:5");
  assert_int_equal(hm_config_number(config, "context", "drive", "allow"), 3);
  assert_int_equal(hm_config_number(config, "context", "drive", "trust"), 3500);
  assert_string_equal(hm_config_name(config, "context", 0), "drive");
  assert_string_equal(hm_config_name(config, "context", 1), "training");
  assert_null(hm_config_name(config, "context", 2));
  hm_config_free(config);
}

/* Each row: what is written, where the complaint must stand, a word of it. */
static const struct {
  const char *text, *where, *word;
} refused[] = {
    {"[store]\nlimit=1G\nlimit=2G\n", "t.conf:3", "twice"},
    {"[store]\nlimit=1G\n[store]\n", "t.conf:3", "twice"},
    {"[store]\nlimti=1G\n", "t.conf:2", "unknown key"},
    {"[stoer]\n", "t.conf:1", "unknown section"},
    {"[store]\nlimit=1G ; small disk\n", "t.conf:2", "note"},
    {"[store]\npath=/a # b\n", "t.conf:2", "note"},
    {"[store]\nlimit=;\n", "t.conf:2", "note"},
    {"; note\n", "t.conf:1", "notes begin"},
    {"limit=1G\n", "t.conf:1", "before any"},
    {"[store]\nlimit\n", "t.conf:2", "key = value"},
    {"[store]\nlimit=\n", "t.conf:2", "expected"},
    {"[store]\nlimit=1\n", "t.conf:2", "expected"},
    {"[store]\nlimit=99999999999999999999G\n", "t.conf:2", "expected"},
    {"[store]\nlimit=1.5G\n", "t.conf:2", "expected"},
    {"[store]\ncommit=5\n", "t.conf:2", "expected"},
    {"[store]\ncommit=2s\n", "t.conf:2", "expected"},
    {"[store] x\n", "t.conf:1", "alone"},
    {"[store\n", "t.conf:1", "alone"},
    {"[store x]\n", "t.conf:1", "unknown section"},
    {"[context]\n", "t.conf:1", "unknown section"},
    {"[context 9]\n", "t.conf:1", "begins with a letter"},
    {"[context drive]\nallow=observe,observe\n", "t.conf:2", "once"},
    {"[context drive]\nallow=fly\n", "t.conf:2", "words"},
    {"[context drive]\ntrust=1.00001\n", "t.conf:2", "decimals"},
    {"[context drive]\ntrust=>=0.5\n", "t.conf:2", "decimals"},
    {"[evidence]\npicture=true\n", "t.conf:2", "yes or no"},
    {"[store]\n limit=1G\n", "t.conf:2", "first column"},
    {"[store]\nlimit[de]=1G\n", "t.conf:2", "unknown key"},
    {"[store]\npath=\\q\n", "t.conf:2", "path"},
};

static void what_gkeyfile_would_swallow_is_refused_with_its_line(void **state)
{
  (void)state;
  for (size_t i = 0; i < G_N_ELEMENTS(refused); i++) {
    struct hm_config *config = hm_config_new();
    struct hm_config_error error = {""};
    assert_int_equal(parse(config, refused[i].text, &error), HM_MALFORMED);
    if (!g_str_has_prefix(error.text, refused[i].where) || !strstr(error.text, refused[i].word))
      fail_msg("%s: %s", refused[i].text, error.text);
    g_autofree char *canonical = hm_config_canonical(config);
    struct hm_config *fresh = hm_config_new();
    g_autofree char *untouched = hm_config_canonical(fresh);
    assert_string_equal(canonical, untouched);
    hm_config_free(fresh);
    hm_config_free(config);
  }
}

static void what_is_hostile_never_reaches_a_terminal(void **state)
{
  (void)state;
  struct hm_config *config = hm_config_new();
  struct hm_config_error error;
  assert_int_equal(parse(config, "[store]\n\033[2Jx=1\n", &error), HM_MALFORMED);
  assert_null(strchr(error.text, '\033'));
  assert_non_null(strstr(error.text, "\\x1b"));
  assert_int_equal(hm_config_parse(config, "t.conf", hm_bytes("[store]\n\0", 9), &error),
                   HM_MALFORMED);
  assert_int_equal(hm_config_parse(config, "t.conf", hm_bytes("\xff\xfe", 2), &error),
                   HM_MALFORMED);
  g_autofree char *large = g_strnfill(HM_CONFIG_FILE_MAX + 1, '#');
  assert_int_equal(
      hm_config_parse(config, "t.conf", hm_bytes(large, HM_CONFIG_FILE_MAX + 1), &error),
      HM_TOO_LARGE);
  hm_config_free(config);
}

static void dropins_override_by_name_and_one_bad_file_takes_nothing(void **state)
{
  (void)state;
  g_autofree char *dir = g_dir_make_tmp("hm-config-XXXXXX", NULL);
  g_autofree char *file = g_build_filename(dir, "hallmark.conf", NULL);
  g_autofree char *dropins = g_build_filename(dir, "conf.d", NULL);
  g_autofree char *a = g_build_filename(dropins, "10-a.conf", NULL);
  g_autofree char *b = g_build_filename(dropins, "20-b.conf", NULL);
  struct hm_config *config = NULL;
  struct hm_config_error error = {""};
  assert_int_equal(hm_config_load(file, true, dropins, &config, &error), HM_NOT_FOUND);
  assert_int_equal(hm_config_load(file, false, dropins, &config, &error), HM_OK);
  hm_config_free(config);
  config = NULL;
  assert_int_equal(g_mkdir(dropins, 0700), 0);
  assert_true(g_file_set_contents(file, "[store]\nlimit=1G\nkeep=7d\n", -1, NULL));
  assert_true(g_file_set_contents(b, "[store]\nlimit=3G\n", -1, NULL));
  assert_true(g_file_set_contents(a, "[store]\nlimit=2G\n", -1, NULL));
  assert_int_equal(hm_config_load(file, true, dropins, &config, &error), HM_OK);
  assert_int_equal(hm_config_number(config, "store", NULL, "limit"), UINT64_C(3) << 30);
  assert_int_equal(hm_config_number(config, "store", NULL, "keep"), 7 * UINT64_C(86400000));
  assert_true(g_str_has_suffix(hm_config_origin(config, "store", NULL, "limit"), "20-b.conf:2"));
  hm_config_free(config);
  config = NULL;
  assert_true(g_file_set_contents(b, "[store]\nlimit=3G\nlimit=4G\n", -1, NULL));
  assert_int_equal(hm_config_load(file, true, dropins, &config, &error), HM_MALFORMED);
  assert_null(config);
  assert_non_null(strstr(error.text, "20-b.conf:3"));
  assert_int_equal(hm_config_load(dir, true, NULL, &config, &error), HM_MALFORMED);
  g_unlink(a);
  g_unlink(b);
  g_unlink(file);
  g_rmdir(dropins);
  g_rmdir(dir);
}

static void canonical_text_does_not_depend_on_spelling(void **state)
{
  (void)state;
  struct hm_config *x = hm_config_new(), *y = hm_config_new();
  struct hm_config_error error;
  assert_int_equal(parse(x, "[context b]\ntrust=0.5\n[context a]\n[store]\nkeep=7d\n", &error),
                   HM_OK);
  assert_int_equal(parse(y, "# again\n[store]\nkeep  =  7d\n[context b]\ntrust = 0.5\n", &error),
                   HM_OK);
  g_autofree char *one = hm_config_canonical(x), *two = hm_config_canonical(y);
  assert_string_equal(one, two);
  assert_non_null(strstr(one, "[context b]\nallow = observe,remember,train\nwitness = 0\n"));
  assert_int_equal(parse(y, "[store]\nkeep=8d\n", &error), HM_OK);
  g_autofree char *three = hm_config_canonical(y);
  assert_string_not_equal(one, three);
  hm_config_free(x);
  hm_config_free(y);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_within_their_own_limits),
      cmocka_unit_test(values_are_read_with_their_line),
      cmocka_unit_test(what_gkeyfile_would_swallow_is_refused_with_its_line),
      cmocka_unit_test(what_is_hostile_never_reaches_a_terminal),
      cmocka_unit_test(dropins_override_by_name_and_one_bad_file_takes_nothing),
      cmocka_unit_test(canonical_text_does_not_depend_on_spelling),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}

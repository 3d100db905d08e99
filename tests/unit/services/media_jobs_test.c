/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * hallmark-media --describe and --png, as the CLI calls them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sensors/descriptor.h"

enum { OUT = 65536 };

static char folder[] = "/tmp/media-jobs-XXXXXX";

static const char *path(const char *name)
{
  static char paths[4][64];
  static int next;
  char *out = paths[next++ % 4];

  snprintf(out, sizeof paths[0], "%s/%s", folder, name);
  return out;
}

static void write_file(const char *name, const void *data, size_t len)
{
  FILE *file = fopen(path(name), "wbe");

  assert_non_null(file);
  assert_int_equal(fwrite(data, 1, len, file), len);
  fclose(file);
}

/* Run a shell line with $M the program and $D the folder; its output, both streams. */
static int run(const char *line, char out[OUT])
{
  char command[512];
  FILE *pipe;
  size_t len;

  snprintf(command, sizeof command, "M=%s/hallmark-media D=%s; { %s; } 2>&1", HM_BIN, folder, line);
  pipe = popen(command, "re");
  assert_non_null(pipe);
  len = fread(out, 1, OUT - 1, pipe);
  out[len] = '\0';
  return WEXITSTATUS(pclose(pipe));
}

static void refused(const char *line, int code, const char *word)
{
  static char out[OUT];
  int got = run(line, out);

  if (got != code || strncmp(out, "hallmark-media: ", 16) != 0 || strstr(out, word) == NULL ||
      strchr(out, '\n') != out + strlen(out) - 1)
    fail_msg("%s: exit %d instead of %d, said: %s", line, got, code, out);
}

static void make_picture(uint8_t picture[HM_PICTURE_BYTES])
{
  memset(picture, 128, HM_PICTURE_BYTES); /* inside the RGB cube: PNG keeps it exactly */
  for (size_t y = 0; y < HM_PICTURE_HEIGHT; y++)
    for (size_t x = 0; x < HM_PICTURE_WIDTH; x++)
      picture[y * HM_PICTURE_WIDTH + x] = (uint8_t)(60 + (x * 5 + y * 3) % 120);
  for (size_t i = 0; i < HM_PICTURE_BYTES - 2048; i++)
    picture[2048 + i] = (uint8_t)(120 + i % 16);
}

static void a_picture_comes_back_from_its_png(void **state)
{
  (void)state;
  static char out[OUT];
  uint8_t picture[HM_PICTURE_BYTES];
  int8_t vector[HM_VECTOR_DIMENSION];
  const char *hex, *numbers;

  make_picture(picture);
  hm_region_encode(picture, vector);
  write_file("p.i420", picture, sizeof picture);
  assert_int_equal(run("$M --png $D/p.png < $D/p.i420", out), 0);
  assert_int_equal(run("$M --png < $D/p.i420 | cmp - $D/p.png", out), 0);
  assert_int_equal(run("$M --describe $D/p.png", out), 0);
  assert_non_null(strstr(out, "\"encoder\":\"hm-region/1\""));
  assert_non_null(strstr(out, "\"width\":32,\"height\":64"));
  hex = strstr(out, "\"picture\":\"");
  numbers = strstr(out, "\"vector\":[");
  assert_true(hex != NULL && numbers != NULL);
  hex += strlen("\"picture\":\"");
  numbers += strlen("\"vector\":[");
  for (size_t i = 0; i < HM_PICTURE_BYTES; i++) {
    unsigned byte = 0;

    assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
    assert_int_equal(byte, picture[i]);
  }
  for (size_t i = 0; i < HM_VECTOR_DIMENSION; i++) {
    char *end;

    assert_int_equal(strtol(numbers, &end, 10), vector[i]);
    numbers = end + 1;
  }
}

static void only_an_evidence_picture_becomes_a_png(void **state)
{
  (void)state;
  refused("$M --png </dev/null", 6, "0 bytes");
  refused("head -c 3071 /dev/zero | $M --png", 6, "3071 bytes");
  refused("head -c 9999 /dev/zero | $M --png", 6, "3072");
  refused("$M --png /nowhere/p.png < $D/p.i420", 7, "/nowhere/p.png");
}

static void a_video_is_described_by_its_first_frame(void **state)
{
  (void)state;
  static char out[OUT];

  assert_int_equal(run("$M --describe " HM_TEST_DATA "/data/pan/camera.mkv", out), 0);
  assert_non_null(strstr(out, "\"width\":800,\"height\":600"));
}

/* ---- files that are no picture ----------------------------------------------------- */

static uint32_t crc_of(const uint8_t *data, size_t len)
{
  uint32_t crc = UINT32_MAX;

  for (size_t i = 0; i < len; i++) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; bit++)
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? UINT32_C(0xedb88320) : 0);
  }
  return ~crc;
}

static void put_u32(uint8_t *out, uint32_t value)
{
  for (int i = 0; i < 4; i++)
    out[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A PNG that says it has that many pixels and holds next to none. */
static void write_bomb(const char *name, uint32_t side)
{
  uint8_t png[] = "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR........\x08\x02\0\0\0....\0\0\0\x02"
                  "IDAT\x78\x9c....\0\0\0\0IEND\xae\x42\x60\x82";

  put_u32(png + 16, side);
  put_u32(png + 20, side);
  put_u32(png + 29, crc_of(png + 12, 17));
  put_u32(png + 43, crc_of(png + 37, 6));
  write_file(name, png, 59);
}

static void what_is_no_picture_is_refused_with_a_reason(void **state)
{
  (void)state;
  write_file("empty", "", 0);
  write_file("text", "not a picture at all\n", 21);
  assert_int_equal(mkfifo(path("fifo"), 0600), 0);
  refused("$M --describe $D/missing", 3, "missing");
  refused("$M --describe $D", 6, "not a regular file");
  refused("$M --describe $D/fifo", 6, "not a regular file");
  refused("$M --describe /dev/zero", 6, "not a regular file");
  refused("$M --describe $D/empty", 6, "empty");
  refused("$M --describe $D/text", 6, "text");
  refused("head -c 300 $D/p.png > $D/cut.png; $M --describe $D/cut.png", 6, "cut.png");
}

static void a_picture_over_the_limit_is_refused_by_its_header(void **state)
{
  (void)state;
  write_bomb("bomb.png", 30000);
  refused("$M --describe $D/bomb.png", 6, "30000 x 30000 pixels, the limit is 8192");
  write_bomb("wide.png", 8193);
  refused("$M --describe $D/wide.png", 6, "the limit is 8192");
}

static void wrong_arguments_are_told(void **state)
{
  (void)state;
  static char out[OUT];

  assert_int_equal(run("$M --nonsense", out), 2);
  assert_int_equal(run("$M one two", out), 2);
  assert_int_equal(run("$M --describe", out), 2);
  assert_int_equal(run("$M --help", out), 0);
  assert_non_null(strstr(out, "--describe FILE"));
  assert_int_equal(run("$M --version", out), 0);
}

static int make_folder(void **state)
{
  (void)state;
  return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
  char command[64];

  (void)state;
  snprintf(command, sizeof command, "rm -r %s", folder);
  return system(command);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_picture_comes_back_from_its_png),
      cmocka_unit_test(only_an_evidence_picture_becomes_a_png),
      cmocka_unit_test(a_video_is_described_by_its_first_frame),
      cmocka_unit_test(what_is_no_picture_is_refused_with_a_reason),
      cmocka_unit_test(a_picture_over_the_limit_is_refused_by_its_header),
      cmocka_unit_test(wrong_arguments_are_told),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

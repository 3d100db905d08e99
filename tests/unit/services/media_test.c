/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The program hallmark-media, from outside: this test is the daemon's end of gate.sock
 * and looks at every packet that comes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sensors/peripheral.h"
#include "tests/support/gate_end.h"

enum { PAN_FRAMES = 103, OBSERVATIONS_MAX = 4096, EVENTS_MAX = 32 };

/* An OBSERVE without what differs from run to run. */
struct seen {
  uint64_t frame, pts_ns;
  uint16_t region[4], factors[5], value[5];
  uint32_t picture, vector; /* sums over the bytes; 0: none */
};

struct setup {
  struct gate_end listening, media, gate, observer;
  pid_t program;
  bool is_granting, is_acknowledging;
  unsigned frames, observations, events;
  uint64_t last_sequence, highest_seq;
  bool is_ended;
  struct seen *seen;
  struct hm_gate_message event[EVENTS_MAX];
  char text[EVENTS_MAX][HM_GATE_TEXT + 1];
};

static int64_t now_ms(void)
{
  struct timespec t;

  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- the program ------------------------------------------------------------------ */

static pid_t run_program(const char *socket)
{
  pid_t pid = fork();

  if (pid == 0) {
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    if (getenv("HM_TEST_VERBOSE") == NULL)
      dup2(nowhere, STDERR_FILENO);
    execl(HM_BIN "/hallmark-media", "hallmark-media", "--socket", socket, (char *)NULL);
    _exit(127);
  }
  return pid;
}

static void begin(struct setup *s)
{
  memset(s, 0, sizeof *s);
  s->seen = calloc(OBSERVATIONS_MAX, sizeof *s->seen);
  assert_non_null(s->seen);
  gate_end_listen(&s->listening);
  s->media.fd = s->gate.fd = s->observer.fd = -1;
  s->is_granting = s->is_acknowledging = true;
  s->program = run_program(s->listening.path);
  assert_true(gate_end_take(&s->listening, &s->media, 20000));
  assert_int_equal(s->media.in.u.hello.role, HM_GATE_ROLE_MEDIA);
  assert_true(gate_end_say(&s->media, &(struct hm_gate_message){.kind = HM_GATE_ACK}));
}

/* SIGTERM ends it with 0 within 5 s, whatever it is doing. */
static void finish(struct setup *s)
{
  int status = -1;
  int64_t until = now_ms() + 5000;

  kill(s->program, SIGTERM);
  while (waitpid(s->program, &status, WNOHANG) == 0 && now_ms() < until) {
    gate_end_hear(&s->gate, 5); /* what it still says */
    gate_end_hear(&s->observer, 5);
  }
  if (!WIFEXITED(status))
    kill(s->program, SIGKILL);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  gate_end_hang_up(&s->media);
  gate_end_hang_up(&s->gate);
  gate_end_hang_up(&s->observer);
  gate_end_close(&s->listening);
  free(s->seen);
}

static void start(struct setup *s, const char *source, bool isolate)
{
  struct hm_gate_message m = {.kind = HM_GATE_START};

  m.u.start.sensor = hm_bytes("front", 5);
  m.u.start.source = hm_bytes(source, strlen(source));
  m.u.start.isolate = isolate;
  memset(m.u.start.lct, 0xab, HM_HASH);
  assert_true(gate_end_say(&s->media, &m));
}

/* ---- what it says ------------------------------------------------------------------ */

static void take_connection(struct setup *s)
{
  static struct gate_end next;
  struct hm_gate_message ack = {.kind = HM_GATE_ACK};
  struct gate_end *end;

  if (!gate_end_take(&s->listening, &next, 0))
    return;
  assert_memory_equal(next.in.u.hello.sensor.data, "front", 5);
  end = next.in.u.hello.role == HM_GATE_ROLE_GATE ? &s->gate : &s->observer;
  gate_end_hang_up(end);
  end->fd = next.fd;
  assert_true(gate_end_say(end, &ack));
}

static void hear_gate(struct setup *s)
{
  static const uint16_t drive[] = {5};
  int kind = gate_end_hear(&s->gate, 0);

  if (kind == GATE_END_GONE)
    gate_end_hang_up(&s->gate);
  if (kind == HM_GATE_ASK && s->is_granting)
    gate_end_grant(&s->gate, s->gate.in.u.ask.nonce, drive, 1, HM_GATE_OPEN);
}

static uint32_t sum_of(struct hm_bytes bytes)
{
  uint32_t sum = (uint32_t)bytes.len;

  for (size_t i = 0; i < bytes.len; i++)
    sum = sum * 31 + bytes.data[i];
  return bytes.len == 0 ? 0 : sum | 1;
}

static void hear_observation(struct setup *s)
{
  const struct hm_gate_message *m = &s->observer.in;
  struct seen *seen = &s->seen[s->observations];

  assert_int_equal(m->u.observe.seq, s->highest_seq + 1);
  s->highest_seq = m->u.observe.seq;
  assert_true(s->observations++ < OBSERVATIONS_MAX);
  seen->frame = m->u.observe.frame;
  seen->pts_ns = m->u.observe.pts_ns;
  memcpy(seen->region, m->u.observe.region, sizeof seen->region);
  memcpy(seen->factors, m->u.observe.factors, sizeof seen->factors);
  memcpy(seen->value, m->u.observe.value, sizeof seen->value);
  seen->picture = sum_of(m->u.observe.picture);
  seen->vector = sum_of(m->u.observe.vector);
  if (s->is_acknowledging) {
    struct hm_gate_message ack = {.kind = HM_GATE_ACK, .u.ack.seq = s->highest_seq};

    assert_true(gate_end_say(&s->observer, &ack));
  }
}

static void hear_peripheral(struct setup *s)
{
  struct hm_peripheral record;

  assert_int_equal(hm_peripheral_decode(hm_bytes(s->observer.in.u.peripheral.record, 256), &record),
                   HM_OK);
  assert_int_equal(record.sequence, s->last_sequence + 1);
  assert_int_equal(record.context, 5);
  assert_int_equal(record.sensor[0], 0xab);
  s->last_sequence = record.sequence;
  s->frames++;
}

static void hear_observer(struct setup *s)
{
  int kind = gate_end_hear(&s->observer, 0);

  assert_int_not_equal(kind, GATE_END_BROKEN);
  if (kind == GATE_END_GONE)
    gate_end_hang_up(&s->observer);
  if (kind == HM_GATE_PERIPHERAL_RECORD)
    hear_peripheral(s);
  if (kind == HM_GATE_OBSERVE)
    hear_observation(s);
  if (kind != HM_GATE_EVENT)
    return;
  assert_false(s->is_ended); /* END is the last */
  s->is_ended = s->observer.in.u.event.event == HM_GATE_EVENT_END;
  if (s->events == EVENTS_MAX)
    return;
  s->event[s->events] = s->observer.in;
  memcpy(s->text[s->events], s->observer.in.u.event.text.data, s->observer.in.u.event.text.len);
  s->events++;
}

/* One turn of the daemon's end. */
static void serve(struct setup *s)
{
  take_connection(s);
  hear_gate(s);
  for (int i = 0; i < 32; i++)
    hear_observer(s);
  if (s->gate.fd < 0 || s->observer.fd < 0)
    usleep(1000);
}

static int event_of(const struct setup *s, enum hm_gate_event event)
{
  for (unsigned i = 0; i < s->events; i++)
    if (s->event[i].u.event.event == event)
      return (int)i;
  return -1;
}

static bool serve_until_event(struct setup *s, enum hm_gate_event event, int ms)
{
  int64_t until = now_ms() + ms;

  while (event_of(s, event) < 0 && now_ms() < until)
    serve(s);
  return event_of(s, event) >= 0;
}

static void serve_for(struct setup *s, int ms)
{
  int64_t until = now_ms() + ms;

  while (now_ms() < until)
    serve(s);
}

/* The pan at a quarter of its size, so that slow builds see all of it too. */
static char clip[64], clip_path[48];

static int make_clip(void **state)
{
  static char command[1024];

  (void)state;
  snprintf(clip_path, sizeof clip_path, "/tmp/media-clip-%d.mkv", (int)getpid());
  snprintf(clip, sizeof clip, "file:%s", clip_path);
  snprintf(command, sizeof command,
           "gst-launch-1.0 -q filesrc location=" HM_TEST_DATA "/data/pan/camera.mkv ! decodebin ! "
           "videoscale ! video/x-raw,width=200,height=150 ! jpegenc ! matroskamux ! "
           "filesink location=%s",
           clip_path);
  return system(command);
}

static int remove_clip(void **state)
{
  (void)state;
  return unlink(clip_path);
}

/* ---- recordings --------------------------------------------------------------------- */

static void a_recording_is_played_once_to_its_end(void **state)
{
  (void)state;
  struct setup s;

  begin(&s);
  start(&s, clip, false);
  assert_true(serve_until_event(&s, HM_GATE_EVENT_END, 60000));
  assert_int_equal(s.frames, PAN_FRAMES);
  assert_int_equal(s.event[event_of(&s, HM_GATE_EVENT_END)].u.event.frame, PAN_FRAMES);
  assert_true(event_of(&s, HM_GATE_EVENT_FLOWING) >= 0);
  assert_true(s.observations > 50);
  assert_int_equal(event_of(&s, HM_GATE_EVENT_DROPPED), -1);
  serve_for(&s, 1500); /* and not again */
  assert_int_equal(s.frames, PAN_FRAMES);
  finish(&s);
}

/* Also where the daemon is slow and a gate shuts in between: not one record differs. */
static void two_runs_give_the_same_records(void **state)
{
  (void)state;
  struct setup a, b;

  begin(&a);
  start(&a, clip, false);
  assert_true(serve_until_event(&a, HM_GATE_EVENT_END, 60000));
  begin(&b);
  start(&b, clip, false);
  for (int i = 0; i < 4; i++) {
    b.is_granting = b.is_acknowledging = false;
    serve_for(&b, 300);
    b.is_granting = b.is_acknowledging = true;
    if (b.highest_seq > 0)
      gate_end_say(&b.observer,
                   &(struct hm_gate_message){.kind = HM_GATE_ACK, .u.ack.seq = b.highest_seq});
    serve_for(&b, 40);
  }
  assert_true(serve_until_event(&b, HM_GATE_EVENT_END, 60000));
  assert_int_equal(a.frames, b.frames);
  assert_int_equal(a.observations, b.observations);
  assert_memory_equal(a.seen, b.seen, a.observations * sizeof *a.seen);
  finish(&a);
  finish(&b);
}

static void a_recording_waits_for_the_daemon(void **state)
{
  (void)state;
  struct setup s;
  struct hm_gate_message ack = {.kind = HM_GATE_ACK};
  int64_t until = now_ms() + 60000;

  begin(&s);
  s.is_acknowledging = false;
  start(&s, clip, false);
  while (s.observations < HM_GATE_WINDOW && now_ms() < until)
    serve(&s);
  serve_for(&s, 300);
  assert_int_equal(s.observations, HM_GATE_WINDOW);
  s.is_acknowledging = true;
  ack.u.ack.seq = s.highest_seq;
  assert_true(gate_end_say(&s.observer, &ack));
  assert_true(serve_until_event(&s, HM_GATE_EVENT_END, 60000));
  assert_int_equal(s.frames, PAN_FRAMES);
  finish(&s);
}

static void nothing_moves_without_a_grant_and_sigterm_still_ends_it(void **state)
{
  (void)state;
  struct setup s;

  begin(&s);
  s.is_granting = false;
  start(&s, clip, false);
  serve_for(&s, 1500);
  assert_true(s.gate.fd >= 0);
  assert_int_equal(s.frames, 0);
  finish(&s);
}

static void a_lost_observer_connection_is_made_again(void **state)
{
  (void)state;
  struct setup s;
  int64_t until = now_ms() + 60000;

  begin(&s);
  start(&s, clip, false);
  while (s.frames < 10 && now_ms() < until)
    serve(&s);
  gate_end_hang_up(&s.observer);
  s.highest_seq = 0; /* seq counts on each connection */
  assert_true(serve_until_event(&s, HM_GATE_EVENT_END, 60000));
  assert_int_equal(s.last_sequence, PAN_FRAMES);
  finish(&s);
}

/* ---- bad sources -------------------------------------------------------------------- */

static void expect_error(const char *source, bool retries)
{
  struct setup s;

  begin(&s);
  start(&s, source, false);
  assert_true(serve_until_event(&s, HM_GATE_EVENT_ERROR, 15000));
  if (retries)
    assert_true(serve_until_event(&s, HM_GATE_EVENT_RECONNECT, 1000));
  for (unsigned i = 0; i < s.events; i++) {
    assert_null(strstr(s.text[i], "sesame"));
    assert_null(strstr(s.text[i], "alibaba"));
  }
  assert_int_equal(s.frames, 0);
  serve_for(&s, 300);
  assert_int_equal(event_of(&s, HM_GATE_EVENT_RECONNECT) >= 0, retries);
  finish(&s);
}

static void sources_that_cannot_be_played_say_so(void **state)
{
  (void)state;
  expect_error("file:/nowhere/at/all.mkv", false);
  expect_error("file:" HM_TEST_DATA "/CMakeLists.txt", false);
  expect_error("file:" HM_TEST_DATA, false);
  expect_error("file:/dev/zero", false);
  expect_error("file:/tmp/x.mkv ! fakesrc ! filesink location=/tmp/owned", false);
  expect_error("nonsense", false);
  expect_error("v4l2:video0; rm -rf", false);
  expect_error("gst:\"nosuchelement password=sesame\"", true);
  expect_error("gst:\"videotestsrc ! (\"", false);
  expect_error("gst:audiotestsrc num-buffers=3", true);
}

static void a_password_of_a_camera_is_in_no_event(void **state)
{
  (void)state;
  expect_error("rtsp://alibaba:sesame@127.0.0.1:1/stream", true);
}

/* A file cut in the middle plays as far as it goes. */
static void a_truncated_recording_ends(void **state)
{
  (void)state;
  struct setup s;
  char path[] = "/tmp/media-cut-XXXXXX", source[64];
  enum { CUT = 100000 };
  uint8_t *bytes = malloc(CUT);
  FILE *whole = fopen(clip_path, "rbe");
  int64_t until = now_ms() + 60000;
  int fd = mkstemp(path);

  assert_non_null(whole);
  assert_int_equal(fread(bytes, 1, CUT, whole), CUT);
  assert_int_equal(write(fd, bytes, CUT), CUT);
  close(fd);
  fclose(whole);
  free(bytes);
  snprintf(source, sizeof source, "file:%s", path);
  begin(&s);
  start(&s, source, false);
  while (event_of(&s, HM_GATE_EVENT_END) < 0 && event_of(&s, HM_GATE_EVENT_ERROR) < 0 &&
         now_ms() < until)
    serve(&s);
  assert_in_range(s.frames, 5, PAN_FRAMES - 1);
  finish(&s);
  unlink(path);
}

/* ---- live --------------------------------------------------------------------------- */

static void a_live_source_flows_and_stops(void **state)
{
  (void)state;
  struct setup s;
  struct hm_gate_message stop = {.kind = HM_GATE_STOP};
  int64_t until = now_ms() + 30000;

  begin(&s);
  start(&s, "gst:\"videotestsrc is-live=true ! video/x-raw,width=64,height=64,framerate=50/1\"",
        false);
  while (s.frames < 50 && now_ms() < until)
    serve(&s);
  assert_true(s.frames >= 50);
  stop.u.stop.sensor = hm_bytes("front", 5);
  assert_true(gate_end_say(&s.media, &stop));
  assert_true(gate_end_hear_kind(&s.gate, HM_GATE_CLOSED, 3000));
  assert_int_equal(s.gate.in.u.closed.reason, HM_GATE_STREAM_ENDED);
  assert_int_equal(gate_end_hear(&s.gate, 1000), GATE_END_GONE);
  while (s.observer.fd >= 0 && now_ms() < until)
    hear_observer(&s);
  assert_int_equal(s.observer.fd, -1);
  finish(&s);
}

/* With the daemon's ACKs missing a camera is not held up: the rest is dropped and told. */
static void a_live_source_drops_what_does_not_go(void **state)
{
  (void)state;
  struct setup s;
  int64_t until = now_ms() + 60000;

  begin(&s);
  s.is_acknowledging = false;
  start(&s,
        "gst:\"videotestsrc is-live=true pattern=snow ! "
        "video/x-raw,width=160,height=120,framerate=60/1\"",
        false);
  while (s.frames < 40 && now_ms() < until)
    serve(&s);
  assert_true(s.frames >= 40);
  assert_true(s.observations <= HM_GATE_WINDOW);
  finish(&s);
}

static void a_stall_is_told_within_two_seconds(void **state)
{
  (void)state;
  struct setup s;
  int64_t began;

  begin(&s);
  start(&s, "gst:\"videotestsrc is-live=true ! video/x-raw,width=64,height=64,framerate=1/6\"",
        false);
  assert_true(serve_until_event(&s, HM_GATE_EVENT_FLOWING, 15000));
  began = now_ms();
  assert_true(serve_until_event(&s, HM_GATE_EVENT_STALLED, 5000));
  assert_in_range(now_ms() - began, 1000, 5000); /* the next frame comes after 6 s */
  finish(&s);
}

static void a_start_that_runs_changes_nothing(void **state)
{
  (void)state;
  struct setup s;
  int64_t until = now_ms() + 30000;
  unsigned frames;

  begin(&s);
  start(&s, "gst:\"videotestsrc is-live=true ! video/x-raw,width=64,height=64\"", false);
  while (s.frames < 5 && now_ms() < until)
    serve(&s);
  start(&s, "gst:\"videotestsrc is-live=true ! video/x-raw,width=64,height=64\"", false);
  frames = s.frames;
  serve_for(&s, 1000);
  assert_true(s.frames > frames); /* hear_peripheral checks that no number is missing */
  finish(&s);
}

/* ---- a process of its own ------------------------------------------------------------ */

/* The child of the program, by /proc; 0 if none. */
static pid_t child_of(pid_t parent)
{
  DIR *proc = opendir("/proc");
  struct dirent *entry;
  pid_t found = 0;

  while (found == 0 && (entry = readdir(proc)) != NULL) {
    char path[300], line[64];
    int of = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%s/status", entry->d_name);
    file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
      if (sscanf(line, "PPid: %d", &of) == 1)
        break;
    if (file != NULL)
      fclose(file);
    if (of == parent)
      found = atoi(entry->d_name);
  }
  closedir(proc);
  return found;
}

static bool proc_holds(pid_t pid, const char *name, const char *word)
{
  char path[64], content[16384];
  FILE *file;
  size_t len;

  snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
  file = fopen(path, "re");
  assert_non_null(file);
  len = fread(content, 1, sizeof content, file);
  fclose(file);
  return memmem(content, len, word, strlen(word)) != NULL;
}

static void an_isolated_source_runs_in_a_child_that_is_replaced(void **state)
{
  (void)state;
  struct setup s;
  int64_t until = now_ms() + 30000;
  pid_t child;

  begin(&s);
  start(&s, "gst:\"videotestsrc is-live=true name=sesame ! video/x-raw,width=64,height=64\"", true);
  while (s.frames < 5 && now_ms() < until)
    serve(&s);
  child = child_of(s.program);
  assert_true(child > 0);
  assert_true(proc_holds(child, "cmdline", "--isolated"));
  assert_false(proc_holds(child, "cmdline", "sesame"));
  assert_false(proc_holds(child, "environ", "sesame"));

  kill(child, SIGKILL);
  serve_for(&s, 500);
  s.last_sequence = s.highest_seq = 0; /* a new element counts from 1 */
  s.frames = 0;
  while (s.frames < 5 && now_ms() < until)
    serve(&s);
  assert_true(s.frames >= 5);
  assert_true(child_of(s.program) > 0 && child_of(s.program) != child);
  child = child_of(s.program);
  finish(&s);
  assert_int_not_equal(kill(child, 0), 0); /* nothing is left running */
}

/* ---- the control connection ---------------------------------------------------------- */

static void discover_is_answered(void **state)
{
  (void)state;
  struct setup s;

  begin(&s);
  assert_true(gate_end_say(&s.media, &(struct hm_gate_message){.kind = HM_GATE_DISCOVER}));
  assert_true(gate_end_hear_kind(&s.media, HM_GATE_SOURCES_LIST, 10000));
  for (uint32_t i = 0; i < s.media.in.u.sources.count; i++)
    assert_true(s.media.in.u.sources.list[i].string.len > 0);
  finish(&s);
}

static void it_comes_back_after_the_daemon_went_or_talked_nonsense(void **state)
{
  (void)state;
  struct setup s;

  begin(&s);
  gate_end_hang_up(&s.media);
  assert_true(gate_end_take(&s.listening, &s.media, 3000));
  assert_true(gate_end_say_raw(&s.media, "\xff\xff", 2));
  assert_int_equal(gate_end_hear(&s.media, 2000), GATE_END_GONE);
  gate_end_hang_up(&s.media);
  assert_true(gate_end_take(&s.listening, &s.media, 3000));
  assert_true(gate_end_say(&s.media, &(struct hm_gate_message){.kind = HM_GATE_ACK}));
  finish(&s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_recording_is_played_once_to_its_end),
      cmocka_unit_test(two_runs_give_the_same_records),
      cmocka_unit_test(a_recording_waits_for_the_daemon),
      cmocka_unit_test(nothing_moves_without_a_grant_and_sigterm_still_ends_it),
      cmocka_unit_test(a_lost_observer_connection_is_made_again),
      cmocka_unit_test(sources_that_cannot_be_played_say_so),
      cmocka_unit_test(a_password_of_a_camera_is_in_no_event),
      cmocka_unit_test(a_truncated_recording_ends),
      cmocka_unit_test(a_live_source_flows_and_stops),
      cmocka_unit_test(a_live_source_drops_what_does_not_go),
      cmocka_unit_test(a_stall_is_told_within_two_seconds),
      cmocka_unit_test(a_start_that_runs_changes_nothing),
      cmocka_unit_test(an_isolated_source_runs_in_a_child_that_is_replaced),
      cmocka_unit_test(discover_is_answered),
      cmocka_unit_test(it_comes_back_after_the_daemon_went_or_talked_nonsense),
  };
  return cmocka_run_group_tests(tests, make_clip, remove_clip);
}

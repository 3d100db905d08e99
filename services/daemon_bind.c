/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * bind of a class H entity (3-pairing): measure the anchor, make its keys, let it
 * speak for itself (65010), countersign as its host (65018), ask the authority, and
 * believe the certificate only with its place in a log that is one with the log
 * held. Order on disk: sources/NAME.new and the keys as .new, the control entry, then the
 * renames; a start between any two of them goes on or undoes it (daemon_local.c,
 * hm_keys_settle).
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "services/daemon_link.h"
#include "services/daemon_operations.h"
#include "services/text.h"

struct bind {
  struct hm_core *core;
  struct hm_local local;
  const struct hm_source_row *row;
  struct hm_measured anchor;
  bool has_anchor;
  struct hm_signing_key sign;
  struct hm_agreement_key agree;
  char sign_path[HM_FILE_PATH], agree_path[HM_FILE_PATH]; /* without .new */
  bool has_files;
  uint8_t request[HM_SIGN1_MAX], countersign[HM_SIGN1_MAX];
  size_t request_len, countersign_len;
  GBytes *binding, *proof;
  hm_core_bound_done done;
  void *user;
  struct hm_error error;
};

/* ---- ends --------------------------------------------------------------------------------------
 */

static void drop_files(struct bind *b)
{
  g_autofree char *sign = g_strconcat(b->sign_path, ".new", NULL);
  g_autofree char *agree = g_strconcat(b->agree_path, ".new", NULL);
  struct hm_error err = {0};
  if (hm_key_erase(sign, &err) != HM_OK || hm_key_erase(agree, &err) != HM_OK)
    hm_log(HM_LOG_WARNING, "erase", "%s", hm_error_text(&err));
  hm_local_drop(b->core, b->local.name);
}

static void finish(struct bind *b, struct hm_bound *bound)
{
  struct hm_core_bound result = {.error = b->error};
  if (bound != NULL)
    hm_core_describe(b->core, bound, &result.entity);
  else if (b->has_files)
    drop_files(b);
  if (b->error.status != HM_OK)
    hm_log(HM_LOG_NOTICE, "bind", "%s", hm_error_text(&b->error));
  g_ptr_array_remove_fast(b->core->binds, b);
  b->done(b->user, &result);
  hm_signing_key_wipe(&b->sign);
  hm_agreement_key_wipe(&b->agree);
  if (b->binding != NULL)
    g_bytes_unref(b->binding);
  if (b->proof != NULL)
    g_bytes_unref(b->proof);
  hm_wipe(b, sizeof *b);
  g_free(b);
}

static gboolean finish_later(gpointer data)
{
  finish(data, NULL);
  return G_SOURCE_REMOVE;
}

/* A failure that does not name the entity yet does so now. */
static void fail(struct bind *b, enum hm_status status, const struct hm_error *why)
{
  if (why != NULL && why->text[0] != '\0')
    b->error = *why;
  else
    hm_fail(&b->error, status, "%s", hm_status_text(status));
  b->error.status = status;
  hm_error_prefix(&b->error, "%s", b->local.name);
  finish(b, NULL);
}

/* ---- 5 the entry is durable: files get their names
 * ------------------------------------------------ */

static enum hm_status rename_new(const char *path, struct hm_error *err)
{
  g_autofree char *from = g_strconcat(path, ".new", NULL);
  if (rename(from, path) != 0)
    return hm_fail_errno(err, HM_IO, errno, "%s", path);
  g_autofree char *folder = g_path_get_dirname(path);
  return hm_folder_sync(folder, err);
}

static void appended(void *user, const struct hm_error *error, uint64_t number)
{
  struct bind *b = user;
  struct hm_error err = *error;
  if (err.status != HM_OK) {
    fail(b, err.status, &err);
    return;
  }
  struct hm_bound *bound = hm_bound_by_binding(b->core, number);
  if (bound == NULL) {
    fail(b, HM_STATE, NULL);
    return;
  }
  hm_local_take(bound, &b->local);
  g_strlcpy(bound->what, b->anchor.what, sizeof bound->what);
  bound->anchor_checked = true;
  bound->last_grant_ns = 0; /* no gate was ever told of it */
  enum hm_status status = rename_new(b->sign_path, &err);
  if (status == HM_OK)
    status = rename_new(b->agree_path, &err);
  if (status == HM_OK)
    status = hm_local_keep(b->core, b->local.name, &err);
  if (status != HM_OK)
    hm_log(HM_LOG_ERROR, "bind", "%s: %s", b->local.name, hm_error_text(&err));
  hm_writer_slot(b->core, bound);
  hm_media_start(b->core, bound);
  hm_log(HM_LOG_INFO, "bound", "%s: bound (c%llu)", bound->name, (unsigned long long)number);
  finish(b, bound);
}

/* ---- 4 the certificate and its place in the authority's log
 * ---------------------------------------- */

static void placed(void *user, const struct hm_error *error)
{
  struct bind *b = user;
  struct hm_error err = *error;
  enum hm_status status = err.status;
  if (status == HM_OK)
    status = hm_local_write(b->core, &b->local, &err);
  if (status != HM_OK) {
    fail(b, status, &err);
    return;
  }
  gsize len, proof_len;
  const void *object = g_bytes_get_data(b->binding, &len);
  const void *proof = g_bytes_get_data(b->proof, &proof_len);
  struct hm_bytes attached = hm_bytes(proof, proof_len);
  hm_control_append(b->core, hm_bytes(object, len), &attached, 1, appended, b);
}

/* Everything 3-pairing A4 asks: own request byte for byte, signatures, times, place. */
static enum hm_status check_binding(struct bind *b, const struct hm_auth_bind_answer *answer,
                                    struct hm_log_view *view)
{
  struct hm_core *core = b->core;
  struct hm_now now = hm_core_now(core);
  struct hm_times times = hm_floor_times(&core->floor, &now);
  struct hm_entity entity;
  struct hm_binding binding;
  struct hm_sign1 sign1;
  HM_TRY(hm_binding_open(core->crypto, answer->binding, core->authority_point,
                         &core->registry.all[0]->entity, &times, &entity));
  HM_TRY(hm_signed_open(core->crypto, answer->binding, HM_TYP_BINDING, &hm_shape_binding,
                        core->authority_point, &binding, &sign1, NULL));
  if (!hm_bytes_equal(binding.request, hm_bytes(b->request, b->request_len)))
    return HM_MISMATCH;
  return hm_log_proof_verify(core->crypto, answer->proof, answer->binding, core->authority_point,
                             view);
}

static void certified(void *user, const struct hm_error *error, const struct hm_auth_answer *answer)
{
  struct bind *b = user;
  struct hm_log_view view;
  struct hm_error err = *error;
  if (answer == NULL) {
    fail(b, err.status, &err);
    return;
  }
  enum hm_status status = check_binding(b, &answer->u.bind, &view);
  if (status != HM_OK) {
    hm_fail(&err, status, "the authority's certificate is refused: %s", hm_status_text(status));
    fail(b, status, &err);
    return;
  }
  b->binding = g_bytes_new(answer->u.bind.binding.data, answer->u.bind.binding.len);
  b->proof = g_bytes_new(answer->u.bind.proof.data, answer->u.bind.proof.len);
  hm_link_check_view(b->core, &view, placed, b);
}

/* ---- 3 the request
 * ---------------------------------------------------------------------------------- */

static enum hm_status make_request(struct bind *b, const uint8_t challenge[16])
{
  struct hm_core *core = b->core;
  struct hm_binding_request r = {0};
  struct hm_countersignature counter = {0};
  struct hm_out out = hm_out(b->request, sizeof b->request);
  r.iat = hm_core_now(core).trust_s;
  memcpy(r.challenge, challenge, 16);
  memcpy(r.sign, b->sign.signer.point, 64);
  memcpy(r.agree, b->agree.point, 64);
  r.class = HM_CLASS_H;
  r.type = b->row->entity_type;
  r.kind = b->row->kind_code;
  r.anchor = b->anchor.class_code;
  memcpy(r.descriptors, b->anchor.digest, 32);
  r.has_serial = b->anchor.serial[0] != '\0';
  r.serial = hm_bytes(b->anchor.serial, strlen(b->anchor.serial));
  r.caps = HM_CAP_FRAMES | (b->row->is_live ? 0 : HM_CAP_RECORDED);
  r.has_bound_to = true;
  memcpy(r.bound_to, core->host_key.signer.kid, 32);
  HM_TRY(hm_binding_request_make(core->crypto, &b->sign.signer, &r, &out));
  HM_TRY(hm_out_status(&out));
  b->request_len = out.len;
  counter.iat = r.iat;
  HM_TRY(hm_binding_request_open(core->crypto, hm_out_bytes(&out), &r, counter.certificate));
  out = hm_out(b->countersign, sizeof b->countersign);
  HM_TRY(hm_countersignature_make(core->crypto, &core->host_key.signer, &counter, &out));
  HM_TRY(hm_out_status(&out));
  b->countersign_len = out.len;
  return HM_OK;
}

/* Both keys, on disk as .new: they count once the entry is in the log. */
static enum hm_status make_keys(struct bind *b, struct hm_error *err)
{
  HM_TRY(hm_signing_key_draw(&b->sign));
  memcpy(b->local.lct, b->sign.signer.kid, 32);
  HM_TRY(hm_key_path(b->sign_path, b->core->paths.keys, b->local.lct, "sign", err));
  HM_TRY(hm_key_path(b->agree_path, b->core->paths.keys, b->local.lct, "agree", err));
  g_autofree char *sign = g_strconcat(b->sign_path, ".new", NULL);
  g_autofree char *agree = g_strconcat(b->agree_path, ".new", NULL);
  b->has_files = true;
  HM_TRY(hm_signing_key_save(sign, &b->sign, err));
  return hm_agreement_key_create(agree, &b->agree, err);
}

static void challenged(void *user, const struct hm_error *error,
                       const struct hm_auth_answer *answer)
{
  struct bind *b = user;
  struct hm_error err = *error;
  enum hm_status status = err.status;
  struct hm_auth_question question = {.kind = HM_AUTH_BIND};
  if (status == HM_OK && memcmp(answer->u.challenge.key, b->core->authority_point, 64) != 0)
    status = hm_fail(&err, HM_UNPINNED, "the authority has another key than the one pinned");
  if (status == HM_OK)
    status = make_keys(b, &err);
  if (status == HM_OK)
    status = make_request(b, answer->u.challenge.challenge);
  if (status != HM_OK) {
    fail(b, status, &err);
    return;
  }
  question.u.bind.request = hm_bytes(b->request, b->request_len);
  question.u.bind.has_countersign = true;
  question.u.bind.countersign = hm_bytes(b->countersign, b->countersign_len);
  hm_link_ask(b->core, &question, certified, b);
}

/* ---- 2 the anchor
 * -------------------------------------------------------------------------------------- */

/* One unit is one entity: not bound twice, nor twice at once. */
static enum hm_status check_anchor(const struct bind *b, struct hm_error *err)
{
  const struct hm_core *core = b->core;
  if (b->anchor.class_code == HM_ANCHOR_SOFTWARE)
    return HM_OK;
  for (unsigned i = 1; i < core->registry.count; i++) {
    const struct hm_bound *o = core->registry.all[i];
    if (!o->is_void && o->entity.anchor == b->anchor.class_code &&
        memcmp(o->entity.descriptors, b->anchor.digest, 32) == 0)
      return hm_fail(err, HM_EXISTS, "%s is bound as %s already; run: hallmark unbind %s",
                     b->anchor.what, o->name, o->name);
  }
  for (guint i = 0; i < core->binds->len; i++) {
    const struct bind *o = core->binds->pdata[i];
    if (o != b && o->has_anchor && memcmp(o->anchor.digest, b->anchor.digest, 32) == 0)
      return hm_fail(err, HM_EXISTS, "%s is being bound as %s", b->anchor.what, o->local.name);
  }
  return HM_OK;
}

static void measured(void *user, const struct hm_error *error, const struct hm_measured *anchor)
{
  struct bind *b = user;
  struct hm_error err = *error;
  enum hm_status status = err.status;
  if (status == HM_OK) {
    b->anchor = *anchor;
    status = check_anchor(b, &err);
    b->has_anchor = status == HM_OK;
  }
  if (status != HM_OK) {
    fail(b, status, &err);
    return;
  }
  struct hm_auth_question question = {.kind = HM_AUTH_CHALLENGE};
  question.u.challenge.entity_class = HM_CLASS_H;
  question.u.challenge.entity_type = b->row->entity_type;
  hm_link_ask(b->core, &question, challenged, b);
}

/* ---- 1 the order
 * ----------------------------------------------------------------------------------------- */

static bool is_name_free(const struct hm_core *core, const char *name, const struct bind *but)
{
  const struct hm_bound *bound = hm_bound_named(core, name);
  if (bound != NULL && !bound->is_void)
    return false;
  for (guint i = 0; i < core->binds->len; i++) {
    const struct bind *o = core->binds->pdata[i];
    if (o != but && strcmp(o->local.name, name) == 0)
      return false;
  }
  return true;
}

static enum hm_status choose_name(struct bind *b, const char *name, struct hm_error *err)
{
  if (name != NULL) {
    HM_TRY(hm_name_check(name, err));
    g_strlcpy(b->local.name, name, sizeof b->local.name);
    if (is_name_free(b->core, name, b))
      return HM_OK;
    return hm_fail(err, HM_EXISTS,
                   "a name in use; run: hallmark bind with another --name, or: "
                   "hallmark unbind %s",
                   name);
  }
  for (int n = 1; n <= HM_ENTITIES_MAX + 1; n++) {
    g_snprintf(b->local.name, sizeof b->local.name, "%.20s%d", b->row->kind, n);
    if (is_name_free(b->core, b->local.name, b))
      return HM_OK;
  }
  return HM_FULL;
}

static enum hm_status check_order(struct bind *b, const struct hm_core_bind *request,
                                  struct hm_error *err)
{
  struct hm_core *core = b->core;
  if (core->is_stopping)
    return hm_fail(err, HM_UNREACHABLE, "hallmarkd stops");
  HM_TRY(hm_source_parse(request->source, &b->row, err));
  if (!b->row->is_bindable)
    return hm_fail(err, HM_UNSUPPORTED,
                   "%s sources are not bound by this version: file:, csi:, "
                   "v4l2:, rtsp:// and gst: are",
                   b->row->prefix);
  if (request->key != NULL && strcmp(request->key, "file:") != 0)
    return hm_fail(err, HM_UNSUPPORTED, "--key: this version makes software keys only");
  HM_TRY(hm_capability_check(HM_CLASS_H, b->row->entity_type, b->row->kind_code));
  HM_TRY(choose_name(b, request->name, err));
  HM_TRY(hm_gate_rule_parse(core, request->gate, &b->local.rule, err));
  if (hm_bound_now(core) + core->binds->len >= HM_ENTITIES_MAX)
    return hm_fail(err, HM_FULL,
                   "%u entities are bound, the most of one host; run: hallmark "
                   "unbind NAME",
                   hm_bound_now(core));
  if (core->registry.count + core->binds->len >= HM_BOUND_EVER)
    return hm_fail(err, HM_FULL, "%d bindings are in this log, the most it may have",
                   HM_BOUND_EVER);
  g_strlcpy(b->local.source, request->source, sizeof b->local.source);
  return HM_OK;
}

void hm_core_bind(struct hm_core *core, const struct hm_core_bind *request, hm_core_bound_done done,
                  void *user)
{
  struct bind *b = g_new0(struct bind, 1);
  struct hm_error err = {0};
  b->core = core;
  b->done = done;
  b->user = user;
  enum hm_status status = check_order(b, request, &err);
  g_ptr_array_add(core->binds, b);
  if (status != HM_OK) {
    if (err.text[0] == '\0')
      hm_fail(&err, status, "%s", hm_status_text(status));
    b->error = err;
    b->error.status = status;
    hm_error_prefix(&b->error, "bind%s%s", b->local.name[0] != '\0' ? " " : "", b->local.name);
    g_idle_add(finish_later, b);
    return;
  }
  (void)hm_anchor_measure(core->sysfs, b->local.source, measured, b);
}

/* ---- anchors again: at start, and of devices every few seconds
 * ------------------------------------------- */

struct recheck {
  struct hm_core *core;
  struct hm_bound *bound;
};

static void set_health(struct recheck *r, enum hm_health health)
{
  if (r->bound->health == health)
    return;
  r->bound->health = health;
  r->bound->health_since_s = hm_core_now(r->core).trust_s;
}

/* Gone, or another unit: no grant from here on; the tick takes back what stands. */
static void anchor_lost(struct recheck *r, enum hm_health health, const char *why)
{
  bool is_news = r->bound->health != health;
  set_health(r, health);
  r->bound->anchor_checked = health == HM_HEALTH_ANCHOR_DIFFERS;
  if (is_news)
    hm_log(HM_LOG_WARNING, "anchor", "%s: %s", r->bound->name, why);
}

static void anchor_found(struct recheck *r, const struct hm_measured *anchor)
{
  struct hm_bound *bound = r->bound;
  bool is_back = !bound->anchor_checked || bound->health == HM_HEALTH_ANCHOR_DIFFERS;
  g_strlcpy(bound->what, anchor->what, sizeof bound->what);
  bound->anchor_checked = true;
  if (bound->health == HM_HEALTH_UNPLUGGED || bound->health == HM_HEALTH_ANCHOR_DIFFERS)
    set_health(r, HM_HEALTH_NO_MEDIA);
  if (is_back)
    hm_media_start(r->core, bound);
}

static void rechecked(void *user, const struct hm_error *error, const struct hm_measured *anchor)
{
  struct recheck *r = user;
  const struct hm_entity *entity = &r->bound->entity;
  r->bound->is_measured_now = false;
  if (error->status != HM_OK)
    anchor_lost(r, HM_HEALTH_UNPLUGGED, hm_error_text(error));
  else if (anchor->class_code != entity->anchor ||
           memcmp(anchor->digest, entity->descriptors, 32) != 0)
    anchor_lost(r, HM_HEALTH_ANCHOR_DIFFERS,
                "anchor differs: what is at its source is another entity");
  else
    anchor_found(r, anchor);
  g_free(r);
}

/* A recording that was measured stays measured: its hash is too dear to take again. */
static bool is_due(const struct hm_bound *bound)
{
  return !bound->is_void && !bound->is_measured_now && bound->source[0] != '\0' &&
         (bound->is_device || !bound->anchor_checked);
}

void hm_anchors_check(struct hm_core *core)
{
  for (unsigned i = 1; i < core->registry.count; i++) {
    struct hm_bound *bound = core->registry.all[i];
    if (!is_due(bound))
      continue;
    bound->is_measured_now = true;
    struct recheck *r = g_new0(struct recheck, 1);
    r->core = core;
    r->bound = bound;
    (void)hm_anchor_measure(core->sysfs, bound->source, rechecked, r);
  }
}

/* ---- keys left by an interrupted bind
 * ---------------------------------------------------------------------------- */

/* The LCT of a bound entity whose key files begin with these 16 hex digits. */
static bool is_bound_hex(const struct hm_core *core, const char *file)
{
  for (unsigned i = 0; i < core->registry.count; i++) {
    char hex[17];
    hm_text_hex(core->registry.all[i]->entity.lct, 8, hex);
    if (strncmp(file, hex, 16) == 0)
      return true;
  }
  return false;
}

enum hm_status hm_keys_settle(struct hm_core *core, struct hm_error *err)
{
  GDir *dir = g_dir_open(core->paths.keys, 0, NULL);
  const char *entry;
  enum hm_status status = HM_OK;
  if (dir == NULL)
    return hm_fail_errno(err, HM_IO, errno, "%s", core->paths.keys);
  while (status == HM_OK && (entry = g_dir_read_name(dir)) != NULL) {
    char path[HM_FILE_PATH];
    if (!g_str_has_suffix(entry, ".pem.new"))
      continue;
    status = hm_path_join(path, core->paths.keys, entry, err);
    if (status == HM_OK && is_bound_hex(core, entry)) {
      path[strlen(path) - strlen(".new")] = '\0';
      status = rename_new(path, err);
    } else if (status == HM_OK) {
      status = hm_key_erase(path, err);
    }
  }
  g_dir_close(dir);
  return status;
}

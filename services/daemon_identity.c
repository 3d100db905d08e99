/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Who this host is: its keys, what ties them to this machine, the authority that was
 * pinned, and the law (the configuration) it works under.
 *
 * A host's anchor is the hash of the module's serial number, else of the machine id:
 * a cloned image has the keys but not the machine, and refuses to run.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "services/daemon_state.h"
#include "services/text.h"

/* ---- the machine ---------------------------------------------------------------------------- */

static bool read_id(const char *path, char *out, size_t cap)
{
  uint8_t text[256];
  size_t len;
  if (hm_file_read(path, text, sizeof text - 1, &len, NULL) != HM_OK || len == 0)
    return false;
  text[len] = '\0';
  g_strlcpy(out, (const char *)text, cap);
  g_strstrip(out);
  return out[0] != '\0';
}

enum hm_status hm_host_anchor(const struct hm_core *core, uint8_t descriptors[32])
{
  static const char *const places[] = {"/proc/device-tree/serial-number", "/etc/machine-id",
                                       "/var/lib/dbus/machine-id"};
  char id[256] = "none";
  size_t i = 0;
  while (i < G_N_ELEMENTS(places) && !read_id(places[i], id, sizeof id))
    i++;
  struct hm_bytes parts[2] = {hm_bytes("hallmark/1 anchor\0host", 23), hm_bytes(id, strlen(id))};
  return core->crypto->sha256(parts, 2, descriptors);
}

void hm_host_describe(char *what, size_t cap)
{
  char model[HM_WHAT_MAX - 16];
  struct utsname name;
  if (!read_id("/proc/device-tree/model", model, sizeof model))
    g_strlcpy(model, uname(&name) == 0 ? name.machine : "machine", sizeof model);
  g_snprintf(what, cap, "%s, software keys", model);
}

enum hm_status hm_host_anchor_check(const struct hm_core *core, struct hm_error *err)
{
  const struct hm_bound *host = core->registry.all[0];
  uint8_t here[32];
  HM_TRY(hm_host_anchor(core, here));
  if (memcmp(here, host->entity.descriptors, 32) == 0)
    return HM_OK;
  return hm_fail(err, HM_MISMATCH,
                 "host: this machine is not the one that %s was made on (a copied image?); give it "
                 "an identity of its own; run: hallmark init with an empty state folder",
                 core->paths.keys);
}

/* ---- keys ------------------------------------------------------------------------------------ */

enum hm_status hm_host_key_paths(const struct hm_core *core, char sign[HM_FILE_PATH],
                                 char agree[HM_FILE_PATH], struct hm_error *err)
{
  HM_TRY(hm_path_join(sign, core->paths.keys, "host.sign.pem", err));
  return hm_path_join(agree, core->paths.keys, "host.agree.pem", err);
}

enum hm_status hm_identity_load(struct hm_core *core, struct hm_error *err)
{
  char sign[HM_FILE_PATH], agree[HM_FILE_PATH];
  HM_TRY(hm_host_key_paths(core, sign, agree, err));
  HM_TRY(hm_signing_key_load(sign, &core->host_key, err));
  return hm_agreement_key_load(agree, &core->host_agree, err);
}

void hm_identity_wipe(struct hm_core *core)
{
  hm_signing_key_wipe(&core->host_key);
  hm_agreement_key_wipe(&core->host_agree);
}

enum hm_status hm_pairing_secret_path(const struct hm_core *core, const uint8_t id[16],
                                      char path[HM_FILE_PATH], struct hm_error *err)
{
  char folder[HM_FILE_PATH], hex[33];
  hm_text_hex(id, 16, hex);
  HM_TRY(hm_path_join(folder, core->paths.keys, "pairings", err));
  HM_TRY(hm_folder_make(folder, 0700, err));
  return hm_path_join(path, folder, hex, err);
}

/* ---- the authority -----------------------------------------------------------------------------
 */

static bool is_authority(const struct hm_core *core, const char *path, const uint8_t lct[32],
                         uint8_t point[64])
{
  uint8_t id[32];
  struct hm_error err = {0};
  if (hm_public_read(path, point, &err) != HM_OK) {
    hm_log(HM_LOG_WARNING, "trust.d", "%s", hm_error_text(&err));
    return false;
  }
  return hm_key_thumbprint(core->crypto, point, id) == HM_OK && memcmp(id, lct, 32) == 0;
}

enum hm_status hm_authority_find(struct hm_core *core, const uint8_t lct[32], uint8_t point[64],
                                 struct hm_error *err)
{
  char folder[HM_FILE_PATH], path[HM_FILE_PATH];
  HM_TRY(hm_path_join(folder, core->paths.etc, "trust.d", err));
  GDir *dir = g_dir_open(folder, 0, NULL);
  const char *entry;
  bool is_found = false;
  while (dir != NULL && !is_found && (entry = g_dir_read_name(dir)) != NULL)
    is_found = g_str_has_suffix(entry, ".pub") &&
               hm_path_join(path, folder, entry, NULL) == HM_OK &&
               is_authority(core, path, lct, point);
  if (dir != NULL)
    g_dir_close(dir);
  return is_found ? HM_OK
                  : hm_fail(err, HM_NOT_FOUND,
                            "authority: none of %s/*.pub is the key that this store was made "
                            "with; put its public key there",
                            folder);
}

/* ---- the law
 * -------------------------------------------------------------------------------------- */

enum hm_status hm_law_of(struct hm_core *core, uint8_t law[32])
{
  g_autofree char *text = hm_config_canonical(core->config);
  struct hm_bytes part = hm_bytes(text, strlen(text));
  return core->crypto->sha256(&part, 1, law);
}

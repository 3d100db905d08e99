/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * PEM (RFC 7468) around one of a few fixed DER encodings. Base64 is done without a
 * table and without a branch on the data, since it carries scalars.
 */
#include "services/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "services/text.h"
#include "trust/crypto_openssl.h"

enum { DER_MAX = 160, SCALAR = 32, POINT = 64, LINE = 64 };

/* PKCS#8 of a P-256 key; the scalar follows. */
static const uint8_t PRIVATE_HEAD[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06,
                                       0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06,
                                       0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
                                       0x04, 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04, 0x20};
/* ... then this, and x || y. */
static const uint8_t PRIVATE_MIDDLE[] = {0xa1, 0x44, 0x03, 0x42, 0x00, 0x04};
/* The same without the public point (RFC 5915 has it optional). */
static const uint8_t PRIVATE_BARE_HEAD[] = {0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07,
                                            0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
                                            0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x04,
                                            0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20};
/* SubjectPublicKeyInfo of a P-256 key; x || y follow. */
static const uint8_t PUBLIC_HEAD[] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                      0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};

static const char PRIVATE_LABEL[] = "PRIVATE KEY";
static const char PUBLIC_LABEL[] = "PUBLIC KEY";

/* ---- base64 --------------------------------------------------------------------------- */

/* All ones where lo <= c <= hi, else zero. */
static unsigned in_range(unsigned c, unsigned lo, unsigned hi)
{
  return 0u - (((lo - 1 - c) & (c - hi - 1)) >> 31);
}

static char base64_letter(unsigned v)
{
  unsigned letter = ('A' + v) & in_range(v, 0, 25);
  letter |= ('a' + v - 26) & in_range(v, 26, 51);
  letter |= ('0' + v - 52) & in_range(v, 52, 61);
  letter |= '+' & in_range(v, 62, 62);
  letter |= '/' & in_range(v, 63, 63);
  return (char)letter;
}

/* 0..63, or 64 for a character outside the alphabet. */
static unsigned base64_value(unsigned c)
{
  unsigned upper = in_range(c, 'A', 'Z'), lower = in_range(c, 'a', 'z');
  unsigned digit = in_range(c, '0', '9');
  unsigned plus = in_range(c, '+', '+'), slash = in_range(c, '/', '/');
  unsigned any = upper | lower | digit | plus | slash;
  return ((c - 'A') & upper) | ((c - 'a' + 26) & lower) | ((c - '0' + 52) & digit) | (62 & plus) |
         (63 & slash) | (64 & ~any);
}

/* PEM lines of 64 letters. der is padded with zeros by the caller to whole threes. */
static void base64_lines(const uint8_t *der, size_t len, struct hm_out *out)
{
  size_t column = 0;
  for (size_t i = 0; i < len; i += 3) {
    unsigned bits = (unsigned)der[i] << 16 | (unsigned)der[i + 1] << 8 | der[i + 2];
    char four[4] = {base64_letter(bits >> 18 & 63), base64_letter(bits >> 12 & 63),
                    base64_letter(bits >> 6 & 63), base64_letter(bits & 63)};
    if (i + 1 >= len)
      four[2] = '=';
    if (i + 2 >= len)
      four[3] = '=';
    hm_out_put(out, four, sizeof four);
    hm_wipe(four, sizeof four);
    column += 4;
    if (column == LINE) {
      hm_out_put(out, "\n", 1);
      column = 0;
    }
  }
  if (column > 0)
    hm_out_put(out, "\n", 1);
}

/* Letters and line ends up to the first '-'; strict about padding and spare bits. */
static enum hm_status base64_read(struct hm_bytes text, size_t *at, uint8_t der[DER_MAX],
                                  size_t *len)
{
  unsigned bits = 0, held = 0, letters = 0, pads = 0, bad = 0;
  *len = 0;
  for (; *at < text.len && text.data[*at] != '-'; (*at)++) {
    unsigned c = text.data[*at];
    if (c == '\n' || c == '\r')
      continue;
    letters++;
    if (c == '=') {
      pads++;
      continue;
    }
    unsigned value = base64_value(c);
    bad |= value >> 6 | pads;
    bits = (bits << 6 | (value & 63)) & 0x3fff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      if (*len >= DER_MAX)
        return HM_TOO_LARGE;
      der[(*len)++] = (uint8_t)(bits >> held);
    }
  }
  bad |= letters % 4 | (bits & ((1u << held) - 1)) | (pads > 2);
  return bad == 0 ? HM_OK : HM_MALFORMED;
}

/* ---- PEM -------------------------------------------------------------------------------- */

static bool is_space(uint8_t c)
{
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_space(struct hm_bytes text, size_t *at)
{
  while (*at < text.len && is_space(text.data[*at]))
    (*at)++;
}

static bool take(struct hm_bytes text, size_t *at, const char *expected)
{
  size_t len = strlen(expected);
  if (text.len - *at < len || memcmp(text.data + *at, expected, len) != 0)
    return false;
  *at += len;
  return true;
}

static enum hm_status pem_read(struct hm_bytes text, const char *label, uint8_t der[DER_MAX],
                               size_t *len)
{
  size_t at = 0;
  skip_space(text, &at);
  if (!take(text, &at, "-----BEGIN ") || !take(text, &at, label) || !take(text, &at, "-----"))
    return HM_MALFORMED;
  HM_TRY(base64_read(text, &at, der, len));
  if (!take(text, &at, "-----END ") || !take(text, &at, label) || !take(text, &at, "-----"))
    return HM_MALFORMED;
  skip_space(text, &at);
  return at == text.len ? HM_OK : HM_MALFORMED;
}

static void pem_write(const char *label, const uint8_t *der, size_t len, struct hm_out *out)
{
  hm_out_put(out, "-----BEGIN ", 11);
  hm_out_put(out, label, strlen(label));
  hm_out_put(out, "-----\n", 6);
  base64_lines(der, len, out);
  hm_out_put(out, "-----END ", 9);
  hm_out_put(out, label, strlen(label));
  hm_out_put(out, "-----\n", 6);
}

/* ---- private keys ----------------------------------------------------------------------- */

/* The scalar, and where the file has it the point. */
static enum hm_status private_parse(const uint8_t *der, size_t len, uint8_t scalar[SCALAR],
                                    uint8_t point[POINT], bool *has_point)
{
  const size_t whole = sizeof PRIVATE_HEAD + SCALAR + sizeof PRIVATE_MIDDLE + POINT;
  const size_t bare = sizeof PRIVATE_BARE_HEAD + SCALAR;
  *has_point = len == whole;
  if (len == whole) {
    const uint8_t *middle = der + sizeof PRIVATE_HEAD + SCALAR;
    if (memcmp(der, PRIVATE_HEAD, sizeof PRIVATE_HEAD) != 0 ||
        memcmp(middle, PRIVATE_MIDDLE, sizeof PRIVATE_MIDDLE) != 0)
      return HM_UNSUPPORTED;
    memcpy(scalar, der + sizeof PRIVATE_HEAD, SCALAR);
    memcpy(point, middle + sizeof PRIVATE_MIDDLE, POINT);
    return HM_OK;
  }
  if (len != bare || memcmp(der, PRIVATE_BARE_HEAD, sizeof PRIVATE_BARE_HEAD) != 0)
    return HM_UNSUPPORTED;
  memcpy(scalar, der + sizeof PRIVATE_BARE_HEAD, SCALAR);
  return HM_OK;
}

static enum hm_status private_decode(struct hm_bytes pem, uint8_t scalar[SCALAR],
                                     uint8_t point[POINT])
{
  uint8_t der[DER_MAX], stated[POINT];
  size_t len = 0;
  bool has_point = false;
  enum hm_status status = pem_read(pem, PRIVATE_LABEL, der, &len);
  if (status == HM_OK)
    status = private_parse(der, len, scalar, stated, &has_point);
  if (status == HM_OK)
    status = hm_crypto_openssl.p256_public(scalar, point);
  if (status == HM_OK && has_point && memcmp(stated, point, POINT) != 0)
    status = HM_MISMATCH;
  hm_wipe(der, sizeof der);
  if (status != HM_OK)
    hm_wipe(scalar, SCALAR);
  return status;
}

static enum hm_status private_encode(const uint8_t scalar[SCALAR], const uint8_t point[POINT],
                                     struct hm_out *out)
{
  uint8_t der[DER_MAX] = {0};
  struct hm_out d = hm_out(der, sizeof der);
  hm_out_put(&d, PRIVATE_HEAD, sizeof PRIVATE_HEAD);
  hm_out_put(&d, scalar, SCALAR);
  hm_out_put(&d, PRIVATE_MIDDLE, sizeof PRIVATE_MIDDLE);
  hm_out_put(&d, point, POINT);
  enum hm_status status = hm_out_status(&d);
  if (status == HM_OK)
    pem_write(PRIVATE_LABEL, der, d.len, out);
  hm_wipe(der, sizeof der);
  return status != HM_OK ? status : hm_out_status(out);
}

/* Others must not be able to read a key, nor may it be another user's. */
static enum hm_status check_owner(int fd, const char *path, struct hm_error *err)
{
  struct stat s;
  if (fstat(fd, &s) != 0)
    return hm_fail_errno(err, HM_IO, errno, "%s", path);
  if (!S_ISREG(s.st_mode))
    return hm_fail(err, HM_WRONG_TYPE, "%s is no regular file", path);
  if (s.st_uid != geteuid() && geteuid() != 0)
    return hm_fail(err, HM_DENIED, "key %s belongs to uid %u, not to uid %u", path,
                   (unsigned)s.st_uid, (unsigned)geteuid());
  if ((s.st_mode & 077) != 0)
    return hm_fail(err, HM_DENIED, "key %s has mode %04o, others may read it; run: chmod 0600 %s",
                   path, (unsigned)(s.st_mode & 07777), path);
  return HM_OK;
}

/* Read at most cap bytes; one byte more in the file is HM_TOO_LARGE. */
static enum hm_status read_key_file(int fd, const char *path, uint8_t *data, size_t cap,
                                    size_t *len, struct hm_error *err)
{
  HM_TRY(check_owner(fd, path, err));
  *len = 0;
  while (*len < cap) {
    ssize_t n = read(fd, data + *len, cap - *len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return hm_fail_errno(err, HM_IO, errno, "%s", path);
    if (n == 0)
      return HM_OK;
    *len += (size_t)n;
  }
  return hm_fail(err, HM_TOO_LARGE, "key %s has more than %zu bytes", path, cap - 1);
}

static enum hm_status private_load(const char *path, uint8_t scalar[SCALAR], uint8_t point[POINT],
                                   struct hm_error *err)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return hm_fail_errno(err,
                         errno == ENOENT   ? HM_NOT_FOUND
                         : errno == EACCES ? HM_DENIED
                                           : HM_IO,
                         errno, "key %s", path);
  uint8_t pem[HM_PRIVATE_PEM_MAX + 1];
  size_t len = 0;
  enum hm_status status = read_key_file(fd, path, pem, sizeof pem, &len, err);
  (void)close(fd);
  if (status == HM_OK) {
    status = private_decode(hm_bytes(pem, len), scalar, point);
    if (status != HM_OK)
      (void)hm_fail(err, status,
                    "key %s is no PKCS#8 PEM of a P-256 key (%s); one is made by: openssl genpkey "
                    "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
                    path, hm_status_text(status));
  }
  hm_wipe(pem, sizeof pem);
  return status;
}

static enum hm_status private_save(const char *path, const uint8_t scalar[SCALAR],
                                   const uint8_t point[POINT], bool replace, struct hm_error *err)
{
  uint8_t pem[HM_PRIVATE_PEM_MAX];
  struct hm_out out = hm_out(pem, sizeof pem);
  enum hm_status status = private_encode(scalar, point, &out);
  if (status == HM_OK)
    status = (replace ? hm_file_write : hm_file_create)(path, hm_out_bytes(&out), 0600, err);
  hm_wipe(pem, sizeof pem);
  return status;
}

static enum hm_status draw(uint8_t scalar[SCALAR], uint8_t point[POINT])
{
  uint8_t random[48];
  enum hm_status status = hm_random(random, sizeof random);
  if (status == HM_OK)
    status = hm_p256_generate(&hm_crypto_openssl, random, scalar, point);
  hm_wipe(random, sizeof random);
  return status;
}

/* ---- signing keys ----------------------------------------------------------------------- */

/* The signer keeps its own copy of the scalar; wipe ours. */
static enum hm_status become_signer(uint8_t scalar[SCALAR], struct hm_signing_key *key)
{
  enum hm_status status =
      hm_signer_from_scalar(&hm_crypto_openssl, scalar, &key->software, &key->signer);
  hm_wipe(scalar, SCALAR);
  if (status != HM_OK)
    hm_signing_key_wipe(key);
  return status;
}

enum hm_status hm_signing_key_draw(struct hm_signing_key *key)
{
  uint8_t scalar[SCALAR], point[POINT];
  HM_TRY(draw(scalar, point));
  return become_signer(scalar, key);
}

enum hm_status hm_signing_key_create(const char *path, struct hm_signing_key *key,
                                     struct hm_error *err)
{
  enum hm_status status = hm_signing_key_draw(key);
  if (status != HM_OK)
    return hm_fail(err, status, "%s: no key could be drawn", path);
  status = private_save(path, key->software.scalar, key->signer.point, false, err);
  if (status != HM_OK)
    hm_signing_key_wipe(key);
  return status;
}

enum hm_status hm_signing_key_load(const char *path, struct hm_signing_key *key,
                                   struct hm_error *err)
{
  uint8_t scalar[SCALAR], point[POINT];
  HM_TRY(private_load(path, scalar, point, err));
  enum hm_status status = become_signer(scalar, key);
  return status == HM_OK ? HM_OK : hm_fail(err, status, "key %s cannot sign", path);
}

enum hm_status hm_signing_key_ensure(const char *path, struct hm_signing_key *key,
                                     struct hm_error *err)
{
  enum hm_status status = hm_signing_key_load(path, key, err);
  return status == HM_NOT_FOUND ? hm_signing_key_create(path, key, err) : status;
}

enum hm_status hm_signing_key_save(const char *path, const struct hm_signing_key *key,
                                   struct hm_error *err)
{
  return private_save(path, key->software.scalar, key->signer.point, true, err);
}

void hm_signing_key_wipe(struct hm_signing_key *key)
{
  hm_wipe(key, sizeof *key);
}

/* ---- agreement keys ---------------------------------------------------------------------- */

enum hm_status hm_agreement_key_create(const char *path, struct hm_agreement_key *key,
                                       struct hm_error *err)
{
  enum hm_status status = draw(key->scalar, key->point);
  if (status != HM_OK)
    return hm_fail(err, status, "%s: no key could be drawn", path);
  status = private_save(path, key->scalar, key->point, false, err);
  if (status != HM_OK)
    hm_agreement_key_wipe(key);
  return status;
}

enum hm_status hm_agreement_key_load(const char *path, struct hm_agreement_key *key,
                                     struct hm_error *err)
{
  return private_load(path, key->scalar, key->point, err);
}

enum hm_status hm_agreement_key_ensure(const char *path, struct hm_agreement_key *key,
                                       struct hm_error *err)
{
  enum hm_status status = hm_agreement_key_load(path, key, err);
  return status == HM_NOT_FOUND ? hm_agreement_key_create(path, key, err) : status;
}

void hm_agreement_key_wipe(struct hm_agreement_key *key)
{
  hm_wipe(key, sizeof *key);
}

/* ---- files -------------------------------------------------------------------------------- */

enum hm_status hm_key_path(char out[HM_FILE_PATH], const char *keys, const uint8_t lct[32],
                           const char *what, struct hm_error *err)
{
  char hex[17], name[64];
  hm_text_hex(lct, 8, hex);
  int len = snprintf(name, sizeof name, "%s.%s.pem", hex, what);
  if (len < 0 || (size_t)len >= sizeof name)
    return hm_fail(err, HM_TOO_LARGE, "key file name for %.20s: the limit is %zu bytes", what,
                   sizeof name - 1);
  return hm_path_join(out, keys, name, err);
}

enum hm_status hm_key_erase(const char *path, struct hm_error *err)
{
  int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0 && errno == ENOENT)
    return HM_OK;
  if (fd >= 0) {
    static const uint8_t zeros[HM_PRIVATE_PEM_MAX];
    struct stat s;
    if (fstat(fd, &s) == 0 && s.st_size > 0 && (size_t)s.st_size <= sizeof zeros)
      (void)!pwrite(fd, zeros, (size_t)s.st_size, 0);
    (void)fsync(fd);
    (void)close(fd);
  }
  if (unlink(path) != 0)
    return hm_fail_errno(err, HM_IO, errno, "key %s could not be erased", path);
  char folder[HM_FILE_PATH];
  const char *slash = strrchr(path, '/');
  int len = slash == NULL || slash == path ? 1 : (int)(slash - path);
  (void)snprintf(folder, sizeof folder, "%.*s", len, slash == NULL ? "." : path);
  return hm_folder_sync(folder, err);
}

/* ---- public keys ----------------------------------------------------------------------------- */

enum hm_status hm_public_parse(struct hm_bytes pem, uint8_t point[64], struct hm_error *err)
{
  uint8_t der[DER_MAX];
  size_t len = 0;
  if (pem.len > HM_PUBLIC_PEM_MAX)
    return hm_fail(err, HM_TOO_LARGE, "a public key of %zu bytes: the limit is %d", pem.len,
                   HM_PUBLIC_PEM_MAX);
  enum hm_status status = pem_read(pem, PUBLIC_LABEL, der, &len);
  if (status != HM_OK)
    return hm_fail(err, status, "no PEM of a PUBLIC KEY");
  if (len != sizeof PUBLIC_HEAD + POINT || memcmp(der, PUBLIC_HEAD, sizeof PUBLIC_HEAD) != 0)
    return hm_fail(err, HM_UNSUPPORTED, "not an uncompressed P-256 key");
  memcpy(point, der + sizeof PUBLIC_HEAD, POINT);
  status = hm_crypto_openssl.p256_check(point);
  return status == HM_OK ? HM_OK : hm_fail(err, status, "the point is not on the curve P-256");
}

enum hm_status hm_public_format(const uint8_t point[64], struct hm_out *out)
{
  uint8_t der[DER_MAX] = {0};
  struct hm_out d = hm_out(der, sizeof der);
  hm_out_put(&d, PUBLIC_HEAD, sizeof PUBLIC_HEAD);
  hm_out_put(&d, point, POINT);
  pem_write(PUBLIC_LABEL, der, d.len, out);
  return hm_out_status(out);
}

enum hm_status hm_public_read(const char *path, uint8_t point[64], struct hm_error *err)
{
  uint8_t pem[HM_PUBLIC_PEM_MAX];
  size_t len = 0;
  HM_TRY(hm_file_read(path, pem, sizeof pem, &len, err));
  enum hm_status status = hm_public_parse(hm_bytes(pem, len), point, err);
  if (status != HM_OK)
    (void)hm_error_prefix(err, "%s", path);
  return status;
}

enum hm_status hm_public_write(const char *path, const uint8_t point[64], struct hm_error *err)
{
  uint8_t pem[HM_PUBLIC_PEM_MAX];
  struct hm_out out = hm_out(pem, sizeof pem);
  HM_TRY(hm_public_format(point, &out));
  return hm_file_write(path, hm_out_bytes(&out), 0644, err);
}

/* ---- the boot counter ---------------------------------------------------------------------------
 */

enum hm_status hm_boot_count_next(const char *path, uint64_t *count, struct hm_error *err)
{
  uint8_t bytes[8];
  size_t len = 0;
  struct hm_error missing;
  enum hm_status status = hm_file_read(path, bytes, sizeof bytes, &len, &missing);
  uint64_t value = 0;
  if (status == HM_OK && len == sizeof bytes) {
    for (size_t i = 0; i < sizeof bytes; i++)
      value = value << 8 | bytes[i];
  } else if (status == HM_OK || status == HM_TOO_LARGE) {
    return hm_fail(err, HM_DAMAGED, "boot counter %s is not 8 bytes long", path);
  } else if (status != HM_NOT_FOUND) {
    return hm_fail(err, status, "boot counter %s", missing.text);
  }
  if (value >= UINT32_MAX)
    return hm_fail(err, HM_FULL, "boot counter %s is at its end, %llu", path,
                   (unsigned long long)value);
  value++;
  for (size_t i = 0; i < sizeof bytes; i++)
    bytes[i] = (uint8_t)(value >> (8 * (sizeof bytes - 1 - i)));
  HM_TRY(hm_file_write(path, hm_bytes(bytes, sizeof bytes), 0600, err));
  *count = value;
  return HM_OK;
}

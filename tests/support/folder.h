/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Folders and files of tests: a fresh folder that goes again, whole files in and
 * out. Everything here fails the running test where the system refuses.
 */
#ifndef HM_TESTS_FOLDER_H
#define HM_TESTS_FOLDER_H

#include <stddef.h>
#include <stdint.h>

enum { TEST_PATH = 512 };

/* A fresh folder under TMPDIR, as the state of a test: use with cmocka setup. */
int folder_setup(void **state);
/* Removes it with all that is in it. */
int folder_teardown(void **state);
/* "FOLDER/name" into path. */
void folder_path(const char *folder, const char *name, char path[TEST_PATH]);

/* The whole file, allocated; *len bytes. */
uint8_t *file_read(const char *path, size_t *len);
/* Exactly these bytes. */
void file_write(const char *path, const uint8_t *bytes, size_t len);

#endif

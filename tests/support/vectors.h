/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The folder of published vectors, which lives beside the repository and may be absent.
 */
#ifndef HM_TESTS_VECTORS_H
#define HM_TESTS_VECTORS_H

/* Path of a file below HM_SHARED_DATA, valid until the next call; where it is absent
 * the running test is skipped with a line that names it. */
const char *vectors_path(const char *shared_data, const char *name);

#endif

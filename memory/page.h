/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Is this file an LMDB environment that LMDB may be trusted with? LMDB believes
 * its pages: a flipped byte in a header crashes it, a flipped meta page opens the
 * commit before in silence, an empty file becomes an empty store. So the file is
 * read here first, with plain reads of bounded size, and nothing is written.
 */
#ifndef HM_MEMORY_PAGE_H
#define HM_MEMORY_PAGE_H

#include "memory/fault.h"

/* Check an open data.mdb: at least two pages; both meta pages with magic, version,
 * number, flags, one page size, the given map size and zeros where nothing is;
 * transaction numbers that differ by one, each on its own page; the last page inside the
 * file. Then walk the trees of both commits, branch and leaf pages: flags, numbers,
 * bounds, node offsets, depth and counts; every page is held exactly once, and the newest
 * commit holds more entries than the one before. Values on overflow pages are not read.
 * HM_DAMAGED names page and rule. */
enum hm_status HM_MUST_CHECK hm_page_check(int fd, size_t map, struct hm_fault *fault);

#endif

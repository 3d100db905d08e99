/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * LMDB 0.9's file, as far as it must be known to distrust it (64-bit, little-endian,
 * all offsets in bytes; lmdb's mdb.c: MDB_page, MDB_meta, MDB_db, MDB_node):
 *
 *   page   0 number u64 | 8 pad u16 | 10 flags u16 | 12 lower u16 | 14 upper u16 | 16 ...
 *          overflow pages: 12 count u32
 *   meta   (page 0 and 1, from offset 16) 0 magic u32 | 4 version u32 | 8 address u64 |
 *          16 map size u64 | 24 db FREE | 72 db MAIN | 120 last page u64 | 128 transaction u64
 *   db     0 pad u32 | 4 flags u16 | 6 depth u16 | 8 branch pages u64 | 16 leaf pages |
 *          24 overflow pages | 32 entries | 40 root
 *   node   0 low u16 | 2 high u16 | 4 flags u16 | 6 key size u16 | 8 key, data
 *          branch: child page = low | high << 16 | flags << 32
 *          leaf: data size = low | high << 16; flags 1: data is the number of an
 *          overflow page; flags 2: data is the db of a named database
 *
 * The list of free pages is a tree too: transaction -> count u64, page numbers u64.
 *
 * A walk keeps one path from root to leaf (depth <= 16), so it needs that many pages of
 * memory and no recursion. Every page 2..last of a commit is held exactly once: by a
 * tree, by a value, or by the list of free pages. A bit a page tells, so no page is
 * visited twice, and a root that was turned to an older, still well-formed tree shows.
 * Both commits are walked: LMDB never reuses what the one before the newest holds.
 */
#include "memory/page.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
  PAGE_HEAD = 16,
  PAGE_SIZE_MIN = 512,
  PAGE_SIZE_MAX = 65536,
  META_BYTES = 136,
  DB_BYTES = 48,
  NODE_HEAD = 8,
  DEPTH_MAX = 16,
  FLAG_BRANCH = 0x01,
  FLAG_LEAF = 0x02,
  FLAG_OVERFLOW = 0x04,
  FLAG_META = 0x08,
  NODE_BIG = 0x01,
  NODE_DATABASE = 0x02,
  DB_INTEGER_KEY = 0x08,
  DATABASES_MAX = 16
};
#define META_MAGIC 0xBEEFC0DEu
#define NO_PAGE UINT64_MAX

struct db {
  uint32_t pad;
  uint16_t flags, depth;
  uint64_t branches, leaves, overflows, entries, root;
};

struct meta {
  uint64_t map, last, transaction;
  struct db free, main;
};

struct file {
  int fd;
  size_t page; /* bytes */
  uint64_t pages;
  struct hm_fault *fault;
};

static uint64_t get(const uint8_t *at, size_t bytes)
{
  uint64_t value = 0;
  while (bytes-- > 0)
    value = value << 8 | at[bytes];
  return value;
}

static struct db get_db(const uint8_t *at)
{
  struct db db = {(uint32_t)get(at, 4), (uint16_t)get(at + 4, 2), (uint16_t)get(at + 6, 2),
                  get(at + 8, 8),       get(at + 16, 8),          get(at + 24, 8),
                  get(at + 32, 8),      get(at + 40, 8)};
  return db;
}

static enum hm_status damaged(struct file *f, uint64_t page, const char *rule)
{
  return hm_fault_set(f->fault, HM_DAMAGED, 0, "page %llu: %s", (unsigned long long)page, rule);
}

static enum hm_status read_at(struct file *f, uint64_t offset, uint8_t *to, size_t len)
{
  while (len > 0) {
    ssize_t n = pread(f->fd, to, len, (off_t)offset);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return hm_fault_set(f->fault, HM_IO, errno, "cannot read: %s", strerror(errno));
    if (n == 0)
      return damaged(f, offset / f->page, "lies past the end of the file");
    offset += (uint64_t)n;
    to += n;
    len -= (size_t)n;
  }
  return HM_OK;
}

static bool all_zero(const uint8_t *at, size_t len)
{
  for (size_t i = 0; i < len; i++)
    if (at[i])
      return false;
  return true;
}

/* ---- meta pages ------------------------------------------------------------------ */
static enum hm_status check_meta(struct file *f, uint64_t number, const uint8_t *page, size_t map,
                                 struct meta *meta)
{
  const uint8_t *m = page + PAGE_HEAD;
  if (get(m, 4) != META_MAGIC || get(m + 4, 4) != 1)
    return damaged(f, number, "no LMDB meta page of version 1");
  if (get(page, 8) != number || get(page + 10, 2) != FLAG_META || get(page + 8, 2) ||
      get(page + 12, 4))
    return damaged(f, number, "header of the meta page");
  *meta = (struct meta){get(m + 16, 8), get(m + 120, 8), get(m + 128, 8), get_db(m + 24),
                        get_db(m + 72)};
  if (get(m + 8, 8) || meta->map != map)
    return damaged(f, number, "map size or address is not ours");
  if (meta->free.pad != f->page || meta->main.pad || meta->free.flags != DB_INTEGER_KEY ||
      meta->main.flags)
    return damaged(f, number, "page size or flags differ");
  if ((meta->transaction & 1) != number)
    return damaged(f, number, "its transaction belongs on the other meta page");
  if (meta->last < 1 || meta->last >= f->pages)
    return damaged(f, number, "its last page lies past the end of the file");
  if (!all_zero(m + META_BYTES, f->page - PAGE_HEAD - META_BYTES))
    return damaged(f, number, "bytes behind the meta");
  return HM_OK;
}

/* ---- trees ----------------------------------------------------------------------- */
struct level {
  uint8_t *page;
  uint64_t number;
  size_t next, count; /* children */
};

struct walk {
  struct file *file;
  uint64_t last; /* page of the commit */
  uint8_t *held; /* a bit a page */
  bool is_free;  /* this tree is the list of free pages */
  uint64_t branches, leaves, overflows, entries;
  size_t named; /* databases found */
  struct db named_db[DATABASES_MAX];
  struct level path[DEPTH_MAX];
  uint8_t *memory;
};

static size_t node_count(const uint8_t *page)
{
  return (size_t)(get(page + 12, 2) - PAGE_HEAD) / 2;
}

static const uint8_t *node_at(const uint8_t *page, size_t i)
{
  return page + get(page + PAGE_HEAD + 2 * i, 2);
}

static enum hm_status check_header(struct walk *w, uint64_t number, const uint8_t *page,
                                   uint16_t flags)
{
  struct file *f = w->file;
  uint64_t lower = get(page + 12, 2), upper = get(page + 14, 2);
  if (get(page, 8) != number || get(page + 10, 2) != flags)
    return damaged(f, number, "number or kind of the page");
  if (lower < PAGE_HEAD || lower > upper || upper > f->page || (lower & 1))
    return damaged(f, number, "bounds of the page");
  if (flags == FLAG_BRANCH && node_count(page) < 2)
    return damaged(f, number, "a branch with fewer than two children");
  return HM_OK;
}

static enum hm_status hold(struct walk *w, uint64_t first, uint64_t count)
{
  if (first < 2 || first > w->last || count > w->last - first + 1)
    return damaged(w->file, first, "a page past the last one");
  for (uint64_t page = first; page < first + count; page++) {
    uint8_t bit = (uint8_t)(1u << (page & 7));
    if (w->held[page >> 3] & bit)
      return damaged(w->file, page, "held twice");
    w->held[page >> 3] |= bit;
  }
  return HM_OK;
}

/* The numbers of one free list of size bytes: in the page where inside is given, else
 * in the file at offset. */
static enum hm_status hold_free(struct walk *w, uint64_t number, const uint8_t *inside,
                                uint64_t offset, uint64_t size)
{
  uint8_t bytes[8];
  uint64_t count = 0;
  for (uint64_t i = 0; i <= count; i++) {
    if ((i + 1) * 8 > size)
      return damaged(w->file, number, "a list of free pages leaves its value");
    if (inside)
      memcpy(bytes, inside + i * 8, 8);
    else
      HM_TRY(read_at(w->file, offset + i * 8, bytes, 8));
    if (i == 0)
      count = get(bytes, 8);
    else
      HM_TRY(hold(w, get(bytes, 8), 1));
  }
  return HM_OK;
}

/* Headers of overflow pages are only believed by LMDB when it frees them: that happens
 * to lists of free pages, never to our values. */
static enum hm_status check_overflow(struct walk *w, uint64_t number, uint64_t bytes)
{
  uint8_t head[PAGE_HEAD];
  struct file *f = w->file;
  uint64_t pages = (bytes + PAGE_HEAD + f->page - 1) / f->page;
  HM_TRY(hold(w, number, pages));
  w->overflows += pages;
  if (!w->is_free)
    return HM_OK;
  HM_TRY(read_at(f, number * f->page, head, sizeof head));
  if (get(head, 8) != number || get(head + 10, 2) != FLAG_OVERFLOW || get(head + 12, 4) != pages)
    return damaged(f, number, "header of an overflow page");
  return hold_free(w, number, NULL, number * f->page + PAGE_HEAD, bytes);
}

static enum hm_status check_leaf_node(struct walk *w, uint64_t number, const uint8_t *page,
                                      const uint8_t *node)
{
  struct file *f = w->file;
  size_t room = f->page - (size_t)(node - page);
  uint64_t size = get(node, 4), key = get(node + 6, 2), flags = get(node + 4, 2);
  if (key > 511 || NODE_HEAD + key > room || (w->is_free && key != 8))
    return damaged(f, number, "a key leaves the page");
  const uint8_t *value = node + NODE_HEAD + key;
  room -= NODE_HEAD + (size_t)key;
  if (flags == NODE_BIG) {
    if (room < 8)
      return damaged(f, number, "a node leaves the page");
    return check_overflow(w, get(value, 8), size);
  }
  if (size > room)
    return damaged(f, number, "a value leaves the page");
  if (flags == 0)
    return w->is_free ? hold_free(w, number, value, 0, size) : HM_OK;
  if (flags != NODE_DATABASE || size != DB_BYTES || w->is_free || w->named == DATABASES_MAX)
    return damaged(f, number, "flags of a node");
  w->named_db[w->named++] = get_db(value);
  return HM_OK;
}

static enum hm_status check_nodes(struct walk *w, uint64_t number, const uint8_t *page, bool leaf)
{
  struct file *f = w->file;
  size_t upper = (size_t)get(page + 14, 2);
  for (size_t i = 0; i < node_count(page); i++) {
    size_t at = (size_t)get(page + PAGE_HEAD + 2 * i, 2);
    if (at < upper || at + NODE_HEAD > f->page || (at & 1))
      return damaged(f, number, "offset of a node");
    if (leaf) {
      HM_TRY(check_leaf_node(w, number, page, page + at));
      continue;
    }
    const uint8_t *node = page + at;
    if (get(node + 6, 2) > 511 || at + NODE_HEAD + get(node + 6, 2) > f->page)
      return damaged(f, number, "a key leaves the page");
    uint64_t child = get(node, 6);
    if (child < 2 || child > w->last)
      return damaged(f, number, "a child past the last page");
  }
  return HM_OK;
}

static enum hm_status enter(struct walk *w, size_t depth, size_t levels, uint64_t number)
{
  struct level *l = &w->path[depth];
  bool leaf = depth + 1 == levels;
  HM_TRY(hold(w, number, 1));
  l->number = number;
  l->page = w->memory + depth * w->file->page;
  HM_TRY(read_at(w->file, number * w->file->page, l->page, w->file->page));
  HM_TRY(check_header(w, number, l->page, leaf ? FLAG_LEAF : FLAG_BRANCH));
  HM_TRY(check_nodes(w, number, l->page, leaf));
  l->next = 0;
  l->count = leaf ? 0 : node_count(l->page);
  if (leaf) {
    w->leaves++;
    w->entries += node_count(l->page);
  } else {
    w->branches++;
  }
  return HM_OK;
}

/* Depth first with an explicit path. */
static enum hm_status walk_tree(struct walk *w, const struct db *db)
{
  w->branches = w->leaves = w->overflows = w->entries = 0;
  if (db->root == NO_PAGE) {
    if (db->depth || db->branches || db->leaves || db->overflows || db->entries)
      return damaged(w->file, 0, "an empty tree with counts");
    return HM_OK;
  }
  if (db->depth < 1 || db->depth > DEPTH_MAX)
    return damaged(w->file, db->root, "depth of a tree");
  size_t levels = db->depth, depth = 0;
  HM_TRY(enter(w, 0, levels, db->root));
  for (;;) {
    struct level *l = &w->path[depth];
    if (l->next < l->count) {
      uint64_t child = get(node_at(l->page, l->next++), 6);
      HM_TRY(enter(w, ++depth, levels, child));
    } else if (depth > 0) {
      depth--;
    } else {
      break;
    }
  }
  if (w->branches != db->branches || w->leaves != db->leaves || w->overflows != db->overflows ||
      w->entries != db->entries)
    return damaged(w->file, db->root, "counts of a tree");
  return HM_OK;
}

/* All trees of a commit; *entries gets those of the named databases. */
static enum hm_status walk_commit(struct walk *w, const struct meta *meta, uint64_t *entries)
{
  w->last = meta->last;
  memset(w->held, 0, (size_t)(w->file->pages / 8 + 1));
  w->named = 0;
  w->is_free = true;
  HM_TRY(walk_tree(w, &meta->free));
  w->is_free = false;
  HM_TRY(walk_tree(w, &meta->main));
  *entries = 0;
  for (size_t i = 0, count = w->named; i < count; i++) {
    struct db db = w->named_db[i];
    if (db.pad || db.flags)
      return damaged(w->file, db.root, "flags of a named database");
    *entries += db.entries;
    HM_TRY(walk_tree(w, &db));
  }
  for (uint64_t page = 2; page <= w->last; page++)
    if (!(w->held[page >> 3] >> (page & 7) & 1))
      return damaged(w->file, page, "held by nothing");
  return HM_OK;
}

/* Both commits. Every commit of a log appends: the newest holds more than the one
 * before, or a flipped bit made the older one look newer. */
static enum hm_status walk_commits(struct walk *w, const struct meta meta[2], size_t newest)
{
  uint64_t now, before;
  HM_TRY(walk_commit(w, &meta[newest], &now));
  HM_TRY(walk_commit(w, &meta[1 - newest], &before));
  if (now <= before)
    return damaged(w->file, newest, "the newest commit holds less than the one before");
  return HM_OK;
}

enum hm_status hm_page_check(int fd, size_t map, struct hm_fault *fault)
{
  struct file f = {fd, PAGE_SIZE_MIN, 0, fault};
  struct stat st;
  uint8_t head[PAGE_HEAD + META_BYTES];
  if (fstat(fd, &st))
    return hm_fault_set(fault, HM_IO, errno, "cannot stat: %s", strerror(errno));
  if (!S_ISREG(st.st_mode))
    return hm_fault_set(fault, HM_DAMAGED, 0, "not a regular file");
  if ((uint64_t)st.st_size > map)
    return hm_fault_set(fault, HM_DAMAGED, 0, "%lld bytes are more than its map of %zu",
                        (long long)st.st_size, map);
  if (st.st_size < 2 * PAGE_SIZE_MIN)
    return hm_fault_set(fault, HM_DAMAGED, 0, "%lld bytes; two pages are the least",
                        (long long)st.st_size);
  HM_TRY(read_at(&f, 0, head, sizeof head));
  uint64_t page = get(head + PAGE_HEAD + 24, 4);
  if (page < PAGE_SIZE_MIN || page > PAGE_SIZE_MAX || (page & (page - 1)))
    return damaged(&f, 0, "page size");
  f.page = (size_t)page;
  f.pages = (uint64_t)st.st_size / page;
  if (f.pages < 2)
    return hm_fault_set(fault, HM_DAMAGED, 0, "%lld bytes; two pages of %zu are the least",
                        (long long)st.st_size, f.page);
  struct walk *w = calloc(1, sizeof *w);
  uint8_t *memory = malloc(DEPTH_MAX * f.page);
  uint8_t *held = malloc((size_t)(f.pages / 8 + 1));
  struct meta meta[2];
  enum hm_status status = w && memory && held ? HM_OK : HM_IO;
  for (uint64_t i = 0; i < 2 && status == HM_OK; i++) {
    status = read_at(&f, i * f.page, memory, f.page);
    if (status == HM_OK)
      status = check_meta(&f, i, memory, map, &meta[i]);
  }
  size_t newest = status == HM_OK && meta[1].transaction > meta[0].transaction ? 1 : 0;
  if (status == HM_OK && meta[newest].transaction != meta[1 - newest].transaction + 1)
    status = damaged(&f, newest, "transactions of the meta pages do not follow each other");
  if (status == HM_OK) {
    w->file = &f;
    w->memory = memory;
    w->held = held;
    status = walk_commits(w, meta, newest);
  }
  free(held);
  free(memory);
  free(w);
  return status;
}

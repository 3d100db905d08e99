/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Every tree of up to 70 leaves, every path, against RFC 9162's own recursive
 * definitions written out again here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "trust/crypto_openssl.h"
#include "trust/tree.h"

enum { MOST = 70 };

static const struct hm_crypto *const crypto = &hm_crypto_openssl;
static uint8_t leaves[MOST][32];
static uint8_t nodes[8][MOST][32]; /* complete subtrees, as a store keeps them */

/* MTH of RFC 9162 2.1.1. */
static void defined_root(size_t begin, size_t end, uint8_t root[32])
{
  if (end - begin == 1) {
    memcpy(root, leaves[begin], 32);
    return;
  }
  size_t k = 1;
  while (k * 2 < end - begin)
    k *= 2;
  uint8_t left[32], right[32];
  defined_root(begin, begin + k, left);
  defined_root(begin + k, end, right);
  assert_int_equal(hm_node_hash(crypto, left, right, root), HM_OK);
}

static enum hm_status read_node(void *store, struct hm_node_id id, uint8_t hash[32])
{
  (void)store;
  if ((id.index + 1) << id.level > MOST)
    return HM_NOT_FOUND;
  memcpy(hash, nodes[id.level][id.index], 32);
  return HM_OK;
}

static int fill(void **state)
{
  (void)state;
  struct hm_peaks p;
  memset(&p, 0, sizeof p);
  for (uint8_t i = 0; i < MOST; i++) {
    assert_int_equal(hm_leaf_hash(crypto, hm_bytes(&i, 1), leaves[i]), HM_OK);
    uint8_t completed[HM_LEVELS][32];
    unsigned count;
    assert_int_equal(hm_peaks_append(crypto, &p, leaves[i], completed, &count), HM_OK);
    for (unsigned level = 0; level < count; level++)
      memcpy(nodes[level][i >> level], completed[level], 32);
    uint8_t root[32], defined[32];
    assert_int_equal(hm_peaks_root(crypto, &p, root), HM_OK);
    defined_root(0, (size_t)i + 1, defined);
    assert_memory_equal(root, defined, 32);
  }
  return 0;
}

static void every_inclusion_path_verifies_and_only_there(void **state)
{
  (void)state;
  for (uint64_t size = 1; size <= MOST; size++) {
    uint8_t root[32];
    defined_root(0, size, root);
    for (uint64_t index = 0; index < size; index++) {
      struct hm_path path, same;
      assert_int_equal(hm_log_inclusion(crypto, read_node, NULL, size, index, &path), HM_OK);
      assert_int_equal(hm_tree_inclusion(crypto, (const uint8_t(*)[32])leaves, size, index, &same),
                       HM_OK);
      assert_int_equal(path.count, same.count);
      assert_memory_equal(path.hash, same.hash, 32 * path.count);
      assert_int_equal(hm_inclusion_verify(crypto, leaves[index], index, size, &path, root), HM_OK);
      for (uint64_t other = 0; other < size; other++)
        if (other != index)
          assert_int_equal(hm_inclusion_verify(crypto, leaves[index], other, size, &path, root),
                           HM_BAD_PROOF);
      struct hm_path wrong = path;
      wrong.hash[wrong.count++][0] = 1;
      assert_int_equal(hm_inclusion_verify(crypto, leaves[index], index, size, &wrong, root),
                       HM_BAD_PROOF);
      if (path.count > 0) {
        wrong = path;
        wrong.count--;
        assert_int_equal(hm_inclusion_verify(crypto, leaves[index], index, size, &wrong, root),
                         HM_BAD_PROOF);
        wrong = path;
        wrong.hash[path.count - 1][31] ^= 0x80;
        assert_int_equal(hm_inclusion_verify(crypto, leaves[index], index, size, &wrong, root),
                         HM_BAD_PROOF);
      }
    }
  }
}

static void any_two_sizes_are_consistent_and_no_others(void **state)
{
  (void)state;
  uint8_t empty[32];
  assert_int_equal(hm_empty_root(crypto, empty), HM_OK);
  for (uint64_t size = 1; size <= MOST; size++) {
    uint8_t root[32];
    defined_root(0, size, root);
    for (uint64_t old = 0; old <= size; old++) {
      uint8_t old_root[32];
      if (old == 0)
        memcpy(old_root, empty, 32);
      else
        defined_root(0, old, old_root);
      struct hm_path path;
      assert_int_equal(hm_log_consistency(crypto, read_node, NULL, old, size, &path), HM_OK);
      assert_int_equal(hm_consistency_verify(crypto, old, old_root, size, root, &path), HM_OK);
      old_root[7] ^= 1;
      assert_int_equal(hm_consistency_verify(crypto, old, old_root, size, root, &path),
                       HM_BAD_PROOF);
      old_root[7] ^= 1;
      if (path.count == 0)
        continue;
      path.hash[path.count / 2][3] ^= 1;
      assert_int_equal(hm_consistency_verify(crypto, old, old_root, size, root, &path),
                       HM_BAD_PROOF);
    }
  }
}

static void ranges_join_to_the_root(void **state)
{
  (void)state;
  for (uint64_t middle = 0; middle <= MOST; middle++)
    for (uint64_t end = middle; end <= MOST; end++) {
      struct hm_range first, second;
      struct hm_peaks p;
      memset(&p, 0, sizeof p);
      assert_int_equal(hm_log_range(read_node, NULL, 0, middle, &first), HM_OK);
      assert_int_equal(hm_log_range(read_node, NULL, middle, end, &second), HM_OK);
      assert_int_equal(hm_peaks_extend(crypto, &p, &first, middle), HM_OK);
      assert_int_equal(hm_peaks_extend(crypto, &p, &second, end), HM_OK);
      uint8_t root[32], defined[32];
      assert_int_equal(hm_peaks_root(crypto, &p, root), HM_OK);
      if (end == 0)
        assert_int_equal(hm_empty_root(crypto, defined), HM_OK);
      else
        defined_root(0, end, defined);
      assert_memory_equal(root, defined, 32);
      struct hm_peaks again;
      memset(&again, 0, sizeof again);
      first.count++;
      assert_int_equal(hm_peaks_extend(crypto, &again, &first, middle), HM_BAD_PROOF);
    }
}

static void what_lies_outside_the_log_is_not_found(void **state)
{
  (void)state;
  struct hm_path path;
  uint8_t root[32];
  defined_root(0, 5, root);
  assert_int_equal(hm_log_inclusion(crypto, read_node, NULL, 5, 5, &path), HM_NOT_FOUND);
  assert_int_equal(hm_log_consistency(crypto, read_node, NULL, 6, 5, &path), HM_NOT_FOUND);
  path.count = 0;
  assert_int_equal(hm_inclusion_verify(crypto, leaves[0], 0, 0, &path, root), HM_BAD_PROOF);
  assert_int_equal(hm_consistency_verify(crypto, 6, root, 5, root, &path), HM_BAD_PROOF);
  path.count = HM_PATH_MAX + 1;
  assert_int_equal(hm_inclusion_verify(crypto, leaves[0], 0, 5, &path, root), HM_BAD_PROOF);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_inclusion_path_verifies_and_only_there),
      cmocka_unit_test(any_two_sizes_are_consistent_and_no_others),
      cmocka_unit_test(ranges_join_to_the_root),
      cmocka_unit_test(what_lies_outside_the_log_is_not_found),
  };
  return cmocka_run_group_tests(tests, fill, NULL);
}

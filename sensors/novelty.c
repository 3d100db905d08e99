/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * A plain scan of a ring; vectors have nearly equal lengths but not quite, so the
 * cosine is asked of each.
 */
#include "sensors/novelty.h"

uint32_t hm_novelty_q8(const struct hm_novelty *novelty, const int8_t vector[HM_VECTOR_DIMENSION])
{
  uint32_t nearest = 0;
  for (uint32_t i = 0; i < novelty->count; i++) {
    const uint32_t similarity = hm_vector_similarity_q8(novelty->vectors[i], vector);
    nearest = similarity > nearest ? similarity : nearest;
  }
  return 256 - nearest;
}

void hm_novelty_remember(struct hm_novelty *novelty, const int8_t vector[HM_VECTOR_DIMENSION])
{
  memcpy(novelty->vectors[novelty->next], vector, HM_VECTOR_DIMENSION);
  novelty->next = (novelty->next + 1) % HM_NOVELTY_MEMORIES;
  if (novelty->count < HM_NOVELTY_MEMORIES)
    novelty->count++;
}

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Novelty: 1 - the nearest similarity among the last 1,000 memories of the encoder.
 * An empty memory finds everything new. 256 KiB, in the process that looks (it needs
 * no store); it begins empty with the process.
 */
#ifndef HM_SENSORS_NOVELTY_H
#define HM_SENSORS_NOVELTY_H

#include "sensors/descriptor.h"

enum { HM_NOVELTY_MEMORIES = 1000 };

/* Zeroed at the start. */
struct hm_novelty {
  uint32_t count, next;
  int8_t vectors[HM_NOVELTY_MEMORIES][HM_VECTOR_DIMENSION];
};

/* 0 (seen before) .. 256 (unlike anything). */
uint32_t hm_novelty_q8(const struct hm_novelty *novelty, const int8_t vector[HM_VECTOR_DIMENSION]);

/* Remember a memory's vector; the oldest of 1,000 is forgotten. */
void hm_novelty_remember(struct hm_novelty *novelty, const int8_t vector[HM_VECTOR_DIMENSION]);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Pictures for tests of the sensors: repeatable random numbers, noise, a textured
 * scene that can be shifted by whole pixels, and things drawn on it.
 */
#ifndef HM_TESTS_SCENE_H
#define HM_TESTS_SCENE_H

#include <stdint.h>

#include "sensors/picture.h"

/* xorshift; any seed but 0. */
struct dice {
  uint64_t state;
};

struct dice dice(uint64_t seed);
uint32_t dice_roll(struct dice *d);                    /* 32 bits */
uint32_t dice_below(struct dice *d, uint32_t limit);   /* 0 .. limit - 1 */
int32_t dice_noise(struct dice *d, uint32_t sigma_q8); /* near Gaussian, grey levels */

/* An I420 frame in memory of its own, packed. */
struct scene {
  uint32_t width, height;
  uint8_t *bytes; /* width * height * 3 / 2 */
};

void scene_make(struct scene *s, uint32_t width, uint32_t height);
void scene_free(struct scene *s);
struct hm_frame scene_frame(const struct scene *s);

/* Fill with a street of smooth and sharp detail, moved by (dx, dy) pixels to the right
 * and down, chroma with it. The world is endless. */
void scene_world(struct scene *s, int32_t dx, int32_t dy);
void scene_fill(struct scene *s, uint8_t luma, uint8_t cb, uint8_t cr);
/* Gaussian-like noise of sigma on luma, clamped. */
void scene_noise(struct scene *s, struct dice *d, uint32_t sigma_q8);
/* A striped box of its own colour; parts outside are cut. */
void scene_box(struct scene *s, int32_t x, int32_t y, int32_t width, int32_t height, uint8_t cb,
               uint8_t cr);

#endif

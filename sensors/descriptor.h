/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * The evidence picture and the built-in encoder `hm-region/1`.
 *
 *   frame, region --area mean--> 32x64 I420, 3,072 bytes = the evidence picture
 *                 --integers---> 256 int8                = its vector
 *
 * The picture is always limited-range BT.601, whatever the camera gave, and inside the
 * RGB cube, so that its 3,072 bytes need no further description years later and a PNG
 * of it gives them back. The vector is a
 * function of exactly those bytes, in integers only: whoever holds the picture
 * gets the same vector on every machine (`verify --recompute`).
 *
 * Layout of a picture: 64 rows of 32 luma bytes, 32 rows of 16 Cb, 32 rows of 16 Cr.
 * A GRAY8 source leaves both chroma planes at 128.
 */
#ifndef HM_SENSORS_DESCRIPTOR_H
#define HM_SENSORS_DESCRIPTOR_H

#include "sensors/picture.h"
#include "trust/profile.h"

enum {
  HM_PICTURE_WIDTH = 32,
  HM_PICTURE_HEIGHT = 64,
  HM_PICTURE_BYTES = 3072,
  HM_VECTOR_DIMENSION = 256,
  HM_VECTOR_LENGTH = 400, /* Euclidean length before rounding: similarity 1 is a dot of 160,000 */
  HM_REGION_ENCODER_SCALE = 164, /* real = int8 * scale / 2^16: unit length */
  HM_REGION_ENCODER_BYTES_MAX = 128
};

#define HM_REGION_ENCODER_NAME "hm-region/1"

/* Resize a region of a frame to its evidence picture: exact area means, then range
 * and matrix to limited BT.601, then hm_picture_settle. HM_MALFORMED where the region is not
 * inside. */
enum hm_status HM_MUST_CHECK hm_picture_from_region(const struct hm_frame *frame,
                                                    const struct hm_rect *region,
                                                    uint8_t picture[HM_PICTURE_BYTES]);

/* A whole limited-range BT.601 I420 image of any size to an evidence picture: the way
 * of `--like FILE`. A 32x64 image comes out as it went in, if settled. */
enum hm_status HM_MUST_CHECK hm_picture_from_i420(const uint8_t *i420, uint32_t width,
                                                  uint32_t height,
                                                  uint8_t picture[HM_PICTURE_BYTES]);

/* hm-region/1. Total: every picture has a vector. */
void hm_region_encode(const uint8_t picture[HM_PICTURE_BYTES], int8_t vector[HM_VECTOR_DIMENSION]);

/* The vector says nothing (all zero): stores refuse it. */
bool hm_vector_is_zero(const int8_t vector[HM_VECTOR_DIMENSION]);

/* Squared Euclidean distance; 0 iff equal, at most 256 * 255^2. */
uint32_t hm_vector_distance(const int8_t a[HM_VECTOR_DIMENSION],
                            const int8_t b[HM_VECTOR_DIMENSION]);

/* Cosine in 256ths, clamped to 0..256: 256 * dot / (|a| |b|). Of a zero vector 0. */
uint32_t hm_vector_similarity_q8(const int8_t a[HM_VECTOR_DIMENSION],
                                 const int8_t b[HM_VECTOR_DIMENSION]);

/* SHA-256 of hm_region_encoder_bytes: the encoder hash, a constant of the release. */
extern const uint8_t hm_region_encoder_hash[HM_HASH];

/* The deterministic CBOR `encoder` of formats.cddl: {model, version, preprocessing,
 * dimension 256, dtype 1, scale}. */
void hm_region_encoder_bytes(struct hm_out *out);

/* What is hashed into `model` and `preprocessing`: a line of text, a zero byte, and
 * (model) the tables as little-endian u16. For the spec page and the test that
 * recomputes both. */
void hm_region_encoder_model(struct hm_out *out);
void hm_region_encoder_preprocessing(struct hm_out *out);

#endif

/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Frame trust: five factors in Q8 (256 = 1.0), all integers, computed from the tiles'
 * integers. Trust is their fold, (a * b) >> 8 in the order of the enum; the lowest is
 * the named reason. See the spec page of the tiles for the formulas.
 *
 * Two decisions need history:
 *   live     the run of frames in a row that show no sign of life (>= 90 % of the tiles
 *            with SAD <= 51; one miss in five allowed) halves trust with every frame;
 *   obscured a sudden loss of texture over the whole frame: the gradient energy that noise
 *            does not explain fell to a sixteenth or less, either within 1.5 s with the mean
 *            light falling to three quarters or less, or within 0.12 s whatever the light,
 *            out of a picture that had at least half of its energy of the last 1.5 s (no
 *            camera turns away from a whole scene that fast). Then information is 16 (0.06)
 *            until a quarter of the textured tiles are back for five frames in a row. A wall
 *            that is approached or turned to loses texture more slowly and keeps its light:
 *            it stays at the floors of sharp and information, 0.3. A camera that starts
 *            covered has no history and looks like a wall; one that is uncovered in front of
 *            a wall stays obscured until it sees texture again.
 */
#ifndef HM_SENSORS_FRAME_TRUST_H
#define HM_SENSORS_FRAME_TRUST_H

#include "sensors/peripheral.h"
#include "sensors/tiles.h"

enum hm_factor {
  HM_FACTOR_EXPOSURE,
  HM_FACTOR_SHARP,
  HM_FACTOR_NOISE,
  HM_FACTOR_LIVE,
  HM_FACTOR_INFORMATION,
  HM_FACTOR_COUNT
};

/* "exposure", "sharp", "noise", "live", "information". */
const char *hm_factor_text(enum hm_factor factor);

struct hm_trust {
  uint16_t factors[HM_FACTOR_COUNT]; /* 0..256 */
  uint16_t value;                    /* their fold, 0..256 */
  enum hm_factor reason;             /* the lowest factor, the first of equals */
  enum hm_sensor_state state;        /* ok, not processed, dark, obscured, frozen */
  uint16_t noise_q8;                 /* s8: sigma of the noise in 256ths of a grey level */
  uint16_t textured_q8;              /* share of tiles with texture above the noise */
  uint16_t light;                    /* mean luma */
  uint32_t tiles;                    /* whole tiles counted */
};

/* Trust of five stored factors. */
uint32_t hm_factors_fold(const uint16_t factors[HM_FACTOR_COUNT]);

/* Bands for people: obscured, poor, limited, good, excellent. */
const char *hm_trust_band(uint32_t trust_q8);

enum { HM_TRUST_HISTORY = 32 };

/* What is remembered of a sensor between frames; zeroed at the start. */
struct hm_trust_history {
  uint32_t still_run; /* frames in a row without a sign of life */
  uint8_t still_bits; /* the last five frames, newest in bit 0: 1 = still */
  bool is_obscured;
  uint16_t lost_texture; /* share of textured tiles before it was obscured */
  uint8_t texture_back;  /* frames in a row with a quarter of it */
  uint32_t samples;      /* ring of the last seconds, at most one a 50 ms */
  struct hm_trust_sample {
    uint64_t capture_ns;
    uint32_t energy; /* mean GE' of a tile */
    uint16_t textured_q8, light;
  } ring[HM_TRUST_HISTORY];
};

/* Memory for one frame's work: a histogram; the caller's, so that nothing is allocated. */
enum { HM_TRUST_BINS = 8192 };
struct hm_trust_scratch {
  uint32_t bins[HM_TRUST_BINS];
};

/* Judge a frame from its tiles. has_before says that SAD was measured. tile_trust, if
 * not NULL, gets the trust of each whole tile as min(255, Q8), row by row
 * (whole_columns * whole_rows). */
void hm_trust_judge(const struct hm_tile_grid *grid, const struct hm_tile *tiles, bool has_before,
                    uint64_t capture_ns, struct hm_trust_history *history,
                    struct hm_trust_scratch *scratch, struct hm_trust *out, uint8_t *tile_trust);

#endif

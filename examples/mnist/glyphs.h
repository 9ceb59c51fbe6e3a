/* Ten glyphs as strokes in a square of 100 by 100 (x to the right, y down): smooth curves through points; a doubled point is a
 * corner. */
#ifndef GLYPHS_H
#define GLYPHS_H

#define STROKE_POINTS 16
#define GLYPH_STROKES 3
#define GLYPH_COUNT 25

typedef struct stroke {
    int n; /* points; 0: no stroke */
    signed char at[STROKE_POINTS][2];
} stroke;

typedef struct glyph {
    int digit;
    stroke strokes[GLYPH_STROKES];
} glyph;

/* Several ways to write each digit; sorted by digit. */
extern const glyph glyphs[GLYPH_COUNT];

#endif

/* Digits drawn by the program: strokes of ten glyphs under random affine and elastic distortion, thickness and noise. */
#ifndef DIGITS_H
#define DIGITS_H

#include <stdint.h>

enum { DIGIT_SIDE = 28, DIGIT_PIXELS = DIGIT_SIDE * DIGIT_SIDE, CLASSES = 10 };

/* Draws n images, packed, 0 (paper) to 255 (ink), and their labels, 0 to 9. Image i depends on (seed, i) only. */
void draw_digits(uint64_t seed, int64_t n, uint8_t *images, uint8_t *labels);

#endif

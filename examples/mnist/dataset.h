/* The images to learn from: read from IDX files, or drawn. */
#ifndef DATASET_H
#define DATASET_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dataset {
    int64_t n;
    uint8_t *images; /* n rows of DIGIT_PIXELS */
    uint8_t *labels; /* 0 to 9 */
} dataset;

typedef struct digit_sets {
    dataset train, test;
} digit_sets;

/* Drawn digits, or the IDX files of a folder, plain or .gz: train-images-idx3-ubyte, train-labels-idx1-ubyte and the two
 * t10k-... files; where only these two are, their first four fifths are trained on and the rest is held out. limit > 0: at most
 * this many to train on, and a sixth of it to test on. False: the reason was printed to stderr. */
bool digits_draw(digit_sets *d, int64_t limit);
bool digits_read(digit_sets *d, const char *folder, int64_t limit);
void digits_free(digit_sets *d);

#endif

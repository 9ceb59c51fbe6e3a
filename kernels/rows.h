/* kernels/rows.h: the row functions that rows.c makes for each instruction set. */
#ifndef TG_ROWS_H
#define TG_ROWS_H

#include <stdint.h>

#include "kernels/set.h"

#define TG__ROWS_DECLARE(set, level)                                                             \
    void tg__softmax_f32_##set(const float *x, float *y, int64_t rows, int64_t n);               \
    void tg__softmax_f64_##set(const double *x, double *y, int64_t rows, int64_t n);             \
    void tg__log_softmax_f32_##set(const float *x, float *y, int64_t rows, int64_t n);           \
    void tg__log_softmax_f64_##set(const double *x, double *y, int64_t rows, int64_t n);
TG__SET_MAP(TG__ROWS_DECLARE)

#endif

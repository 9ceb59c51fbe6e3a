/* kernels/rows.h: the row functions that rows.c makes for each instruction set. */
#ifndef TG_ROWS_H
#define TG_ROWS_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/set.h"

#define TG__ROWS_DECLARE_TYPE(T, D, set)                                                                        \
    void tg__softmax_##D##_##set(const T *x, T *y, int64_t rows, int64_t n, bool past);                         \
    void tg__log_softmax_##D##_##set(const T *x, T *y, int64_t rows, int64_t n, bool past);                     \
    void tg__softmax_grad_##D##_##set(const T *y, const T *g, T *dx, int64_t rows, int64_t n, bool past);       \
    void tg__log_softmax_grad_##D##_##set(const T *y, const T *g, T *dx, int64_t rows, int64_t n, bool past);
#define TG__ROWS_DECLARE(set, level) TG__ROWS_DECLARE_TYPE(float, f32, set) TG__ROWS_DECLARE_TYPE(double, f64, set)
TG__SET_MAP(TG__ROWS_DECLARE)

#endif

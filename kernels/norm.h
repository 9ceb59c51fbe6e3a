/* kernels/norm.h: the normalisations that norm.c makes for each instruction set. */
#ifndef TG_NORM_H
#define TG_NORM_H

#include "kernels/kernels.h"
#include "kernels/set.h"

#define TG__NORM_DECLARE_TYPE(T, D, set)                                                                       \
    void tg__row_norm_##D##_##set(const tg__row_norm *a, int64_t begin, int64_t end);                          \
    void tg__row_norm_grad_##D##_##set(const tg__row_norm *a, int64_t begin, int64_t end, void *dw, void *db); \
    void tg__channel_norm_##D##_##set(const tg__channel_norm *a, int64_t begin, int64_t end);                  \
    void tg__channel_norm_grad_##D##_##set(const tg__channel_norm *a, int64_t begin, int64_t end);
#define TG__NORM_DECLARE(set, level) TG__NORM_DECLARE_TYPE(float, f32, set) TG__NORM_DECLARE_TYPE(double, f64, set)
TG__SET_MAP(TG__NORM_DECLARE)

#endif

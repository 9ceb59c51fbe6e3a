/* kernels/depthwise.h: the convolutions of a channel a group that depthwise.c makes for each instruction set. */
#ifndef TG_DEPTHWISE_H
#define TG_DEPTHWISE_H

#include "kernels/kernels.h"
#include "kernels/set.h"

#define TG__DEPTHWISE_DECLARE_TYPE(D, set)                                                                     \
    void tg__depthwise_##D##_##set(const tg__depthwise *a, int64_t begin, int64_t end, void *memory);          \
    void tg__depthwise_weights_##D##_##set(const tg__depthwise *a, int64_t begin, int64_t end, void *memory);
#define TG__DEPTHWISE_DECLARE(set, level) TG__DEPTHWISE_DECLARE_TYPE(f32, set) TG__DEPTHWISE_DECLARE_TYPE(f64, set)
TG__SET_MAP(TG__DEPTHWISE_DECLARE)

#endif

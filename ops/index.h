/* ops/index.h: what ops with an index share. */
#ifndef TG_INDEX_H
#define TG_INDEX_H

#include "ops/op_file.h"

static inline bool tg__is_index(tg_dtype d) { return d == TG_I64 || d == TG_I32; }

static inline int64_t tg__index_at(const tg_operand *index, int64_t i) {
    return index->dtype == TG_I64 ? ((const int64_t *)index->data)[i] : ((const int32_t *)index->data)[i];
}

/* TG_EINDEX, and a message that says where, if an element is not in [0, n). */
tg_status tg__check_index(tg_kernel_args *k, const tg_operand *index, int64_t n);

/* The elements of x along the axis at places that are known to be in range: no check, so nothing that can fail. */
tg_tensor tg__along_take(tg_tensor x, int axis, tg_tensor index);

#endif

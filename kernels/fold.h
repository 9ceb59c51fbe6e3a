/* kernels/fold.h: the reductions that fold.c makes for each instruction set. */
#ifndef TG_FOLD_H
#define TG_FOLD_H

#include "kernels/kernels.h"
#include "kernels/set.h"

#define TG__FOLD_DECLARE(op, type, set) extern const tg__fold_fns tg__fold_##op##_##type##_##set;
#define TG__FOLD_DECLARE_NUM(op, set) \
    TG__FOLD_DECLARE(op, f32, set) TG__FOLD_DECLARE(op, f64, set) TG__FOLD_DECLARE(op, i32, set) TG__FOLD_DECLARE(op, i64, set)
#define TG__FOLD_DECLARE_SET(set, level)                                          \
    TG__FOLD_DECLARE_NUM(sum, set) TG__FOLD_DECLARE_NUM(prod, set)                \
    TG__FOLD_DECLARE_NUM(max, set) TG__FOLD_DECLARE_NUM(min, set)                 \
    TG__FOLD_DECLARE(max, u8, set) TG__FOLD_DECLARE(min, u8, set)
TG__SET_MAP(TG__FOLD_DECLARE_SET)

#endif

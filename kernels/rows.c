/* kernels/rows.c: softmax and log-softmax of rows for one instruction set; the code is rows_loops.h, for each type. */
#include "kernels/rows.h"

#include "kernels/fold.h"
#include "kernels/math.h"
#include "kernels/past.h"
#include "kernels/unroll.h"

#define FN(name) TG__PASTE(name, D)
#define M(function) TG__PASTE(tg__##function, D)
#define FOLD(name) TG__SET(TG__PASTE(tg__fold_##name, D))

#define LONGEST_ROW 4096 /* elements: of what fits the first-level cache beside its row */

static int64_t leaf_size(int64_t left) {
    return left < TG__FOLD_LEAF ? left : TG__FOLD_LEAF;
}

#define T float
#define D f32
#include "kernels/rows_loops.h"
#undef T
#undef D

#define T double
#define D f64
#include "kernels/rows_loops.h"

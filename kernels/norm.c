/* kernels/norm.c: normalisations of rows and of channels for one instruction set; the code is norm_loops.h, for each type. */
#include "kernels/norm.h"
#include "kernels/unroll.h"

#include <math.h>
#include <string.h>

#include "kernels/fold.h"
#include "kernels/past.h"

#if defined(__AVX512F__)
#define VEC_BYTES 64
#elif defined(__AVX2__)
#define VEC_BYTES 32
#else
#define VEC_BYTES 16
#endif

#define FN(name) TG__PASTE(name, D)
#define FOLD(name) TG__SET(TG__PASTE(tg__fold_##name, D))

static int64_t leaf_size(int64_t left) { return left < TG__FOLD_LEAF ? left : TG__FOLD_LEAF; }

#define T float
#define D f32
#include "kernels/norm_loops.h"
#undef T
#undef D

#define T double
#define D f64
#include "kernels/norm_loops.h"

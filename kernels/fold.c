/* kernels/fold.c: reductions of one instruction set, in the fixed order of kernels.h. Lanes without elements are filled with
 * what joins to nothing: -0 for sums (x + -0 is x for every x, +0 and -0 too), 1 for products, the lowest or highest number. */
#include "kernels/fold.h"
#include "kernels/unroll.h"

#include <math.h>
#include <string.h>
#if defined(__AVX2__)
#include "kernels/avx512.h"
#endif

#define REGISTER_BYTES TG__VECTOR_BYTES
#define VEC_BYTES(T) (REGISTER_BYTES < TG__LANES * (int)sizeof(T) ? REGISTER_BYTES : TG__LANES * (int)sizeof(T))

#define BLOCK_BYTES 16384 /* scratch of leaf_cols in use at a time: half of an L1 cache */

/* The first words of 4 bytes of a register from memory, and a mask that says which they are. */
#if defined(__AVX2__)
static const int32_t words_mask[2 * REGISTER_BYTES / 4] = {
    -1, -1, -1, -1, -1, -1, -1, -1,
#if REGISTER_BYTES == 64
    -1, -1, -1, -1, -1, -1, -1, -1,
#endif
};
#if REGISTER_BYTES == 64
#define FIRST_WORDS(n) _mm512_loadu_si512(words_mask + 16 - (n))
#define LOAD_WORDS(x, n) _mm512_maskz_loadu_epi32((__mmask16)((1u << (n)) - 1), x)
#else
#define FIRST_WORDS(n) _mm256_loadu_si256((const __m256i *)(const void *)(words_mask + 8 - (n)))
#define LOAD_WORDS(x, n) _mm256_maskload_epi32((const int *)(const void *)(x), FIRST_WORDS(n))
#endif
#endif

/* ---- f32 */

#define D f32
#define T float
#define WORD int32_t

#define FOLD sum
#define JOIN(a, b) ((a) + (b))
#define NEUTRAL (T)-0.0
#define EMPTY 0
#define PAIRED
#include "kernels/fold_loops.h"

#define FOLD prod
#define JOIN(a, b) ((a) * (b))
#define NEUTRAL 1
#define EMPTY 1
#include "kernels/fold_loops.h"

#define CHOOSES

#define FOLD max
#define JOIN(a, b) (((a) > (b)) | ((a) != (a)))
#define NEUTRAL -(T)INFINITY
#define EMPTY -(T)INFINITY
#include "kernels/fold_loops.h"

#define FOLD min
#define JOIN(a, b) (((a) < (b)) | ((a) != (a)))
#define NEUTRAL (T)INFINITY
#define EMPTY (T)INFINITY
#include "kernels/fold_loops.h"

#undef CHOOSES
#undef D
#undef T
#undef WORD

/* ---- f64 */

#define D f64
#define T double
#define WORD int64_t

#define FOLD sum
#define JOIN(a, b) ((a) + (b))
#define NEUTRAL (T)-0.0
#define EMPTY 0
#define PAIRED
#include "kernels/fold_loops.h"

#define FOLD prod
#define JOIN(a, b) ((a) * (b))
#define NEUTRAL 1
#define EMPTY 1
#include "kernels/fold_loops.h"

#define CHOOSES

#define FOLD max
#define JOIN(a, b) (((a) > (b)) | ((a) != (a)))
#define NEUTRAL -(T)INFINITY
#define EMPTY -(T)INFINITY
#include "kernels/fold_loops.h"

#define FOLD min
#define JOIN(a, b) (((a) < (b)) | ((a) != (a)))
#define NEUTRAL (T)INFINITY
#define EMPTY (T)INFINITY
#include "kernels/fold_loops.h"

#undef CHOOSES
#undef D
#undef T
#undef WORD

/* ---- i32: sums and products wrap around, so they are made of unsigned numbers */

#define D i32
#define WORD int32_t
#define T uint32_t

#define FOLD sum
#define JOIN(a, b) ((a) + (b))
#define NEUTRAL 0
#define EMPTY 0
#include "kernels/fold_loops.h"

#define FOLD prod
#define JOIN(a, b) ((a) * (b))
#define NEUTRAL 1
#define EMPTY 1
#include "kernels/fold_loops.h"

#undef T
#define T int32_t
#define CHOOSES

#define FOLD max
#define JOIN(a, b) ((a) > (b))
#define NEUTRAL INT32_MIN
#define EMPTY INT32_MIN
#include "kernels/fold_loops.h"

#define FOLD min
#define JOIN(a, b) ((a) < (b))
#define NEUTRAL INT32_MAX
#define EMPTY INT32_MAX
#include "kernels/fold_loops.h"

#undef CHOOSES
#undef D
#undef T
#undef WORD

/* ---- i64: sums and products wrap around, so they are made of unsigned numbers */

#define D i64
#define WORD int64_t
#define T uint64_t

#define FOLD sum
#define JOIN(a, b) ((a) + (b))
#define NEUTRAL 0
#define EMPTY 0
#include "kernels/fold_loops.h"

#define FOLD prod
#define JOIN(a, b) ((a) * (b))
#define NEUTRAL 1
#define EMPTY 1
#include "kernels/fold_loops.h"

#undef T
#define T int64_t
#define CHOOSES

#define FOLD max
#define JOIN(a, b) ((a) > (b))
#define NEUTRAL INT64_MIN
#define EMPTY INT64_MIN
#include "kernels/fold_loops.h"

#define FOLD min
#define JOIN(a, b) ((a) < (b))
#define NEUTRAL INT64_MAX
#define EMPTY INT64_MAX
#include "kernels/fold_loops.h"

#undef CHOOSES
#undef D
#undef T
#undef WORD

/* ---- u8, also for bool; there are no words to load in part */

#undef LOAD_WORDS

#define D u8
#define T uint8_t
#define WORD int8_t
#define CHOOSES

#define FOLD max
#define JOIN(a, b) ((a) > (b))
#define NEUTRAL 0
#define EMPTY 0
#include "kernels/fold_loops.h"

#define FOLD min
#define JOIN(a, b) ((a) < (b))
#define NEUTRAL UINT8_MAX
#define EMPTY UINT8_MAX
#include "kernels/fold_loops.h"

/* kernels/depthwise.c: convolutions of a channel a group for one instruction set; the code is depthwise_loops.h, by type. */
#include "kernels/depthwise.h"
#include "kernels/unroll.h"

#include <string.h>
#if defined(__AVX2__)
#include "kernels/avx512.h"
#endif

#define VECTOR_BYTES TG__VECTOR_BYTES
#define FN(name) TG__PASTE(name, D)
#define NINE 9 /* taps whose sums are held in registers */

#if VECTOR_BYTES == 64
#define FUSED(a, b, c, type, of) (VEC)_mm512_fmadd_##of((type)(a), (type)(b), (type)(c))
#define fused_f32(a, b, c) FUSED(a, b, c, __m512, ps)
#define fused_f64(a, b, c) FUSED(a, b, c, __m512d, pd)
#elif defined(__AVX2__)
#define FUSED(a, b, c, type, of) (VEC)_mm256_fmadd_##of((type)(a), (type)(b), (type)(c))
#define fused_f32(a, b, c) FUSED(a, b, c, __m256, ps)
#define fused_f64(a, b, c) FUSED(a, b, c, __m256d, pd)
#else
#define fused_f32(a, b, c) ((a) * (b) + (c))
#define fused_f64 fused_f32
#endif

#define T float
#define D f32
#define BITS int32_t
#include "kernels/depthwise_loops.h"
#undef T
#undef D
#undef BITS

#define T double
#define D f64
#define BITS int64_t
#include "kernels/depthwise_loops.h"

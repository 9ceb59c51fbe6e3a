/* kernels/fused.h: the multiply-add of whole vectors of one instruction set, VECTOR_BYTES each: fused_f32(a, b, c), fused_f64:
 * a b + c, rounded once where the set can. */
#ifndef TG_FUSED_H
#define TG_FUSED_H

#include "kernels/set.h"

#if defined(__AVX2__)
#include "kernels/avx512.h"
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define VECTOR_BYTES TG__VECTOR_BYTES

#if VECTOR_BYTES == 64
#define FUSED(a, b, c, type, of) (__typeof__(c))_mm512_fmadd_##of((type)(a), (type)(b), (type)(c))
#define fused_f32(a, b, c) FUSED(a, b, c, __m512, ps)
#define fused_f64(a, b, c) FUSED(a, b, c, __m512d, pd)
#elif defined(__AVX2__)
#define FUSED(a, b, c, type, of) (__typeof__(c))_mm256_fmadd_##of((type)(a), (type)(b), (type)(c))
#define fused_f32(a, b, c) FUSED(a, b, c, __m256, ps)
#define fused_f64(a, b, c) FUSED(a, b, c, __m256d, pd)
#elif defined(__aarch64__)
#define fused_f32(a, b, c) (__typeof__(c))vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b))
#define fused_f64(a, b, c) (__typeof__(c))vfmaq_f64((float64x2_t)(c), (float64x2_t)(a), (float64x2_t)(b))
#else
#define fused_f32(a, b, c) ((a) * (b) + (c))
#define fused_f64 fused_f32
#endif

#endif

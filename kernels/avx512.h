/* kernels/avx512.h: the intrinsics of x86, and what the kernels use of AVX-512 in a build that has 64-byte vectors without it
 * (set.h): the same by the vectors of the compiler and plain loops. */
#ifndef TG_AVX512_H
#define TG_AVX512_H

#include "kernels/set.h"

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#if TG__VECTOR_BYTES == 64 && !defined(__AVX512F__)

#define WIDE(type) static inline __attribute__((always_inline)) type

/* The elements of `under`, but p[l] where bit l of the mask is set. */
#define MASKED_LOAD(name, vector, element)                                                       \
    WIDE(vector) name(vector under, uint32_t mask, const void *p) {                              \
        element lane[64 / sizeof(element)];                                                          \
        memcpy(lane, &under, 64);                                                                    \
        for (size_t l = 0; l < 64 / sizeof(element); l++) {                                          \
            if (mask >> l & 1) memcpy(lane + l, (const element *)p + l, sizeof *lane);               \
        }                                                                                            \
        memcpy(&under, lane, 64);                                                                    \
        return under;                                                                                \
    }
MASKED_LOAD(tg__wide_mask_f32, __m512, float)
MASKED_LOAD(tg__wide_mask_f64, __m512d, double)
MASKED_LOAD(tg__wide_mask_i32, __m512i, int32_t)

WIDE(__m512) tg__wide_fma_f32(__m512 a, __m512 b, __m512 c) {
    for (int l = 0; l < 16; l++) c[l] = __builtin_fmaf(a[l], b[l], c[l]);
    return c;
}

WIDE(__m512d) tg__wide_fma_f64(__m512d a, __m512d b, __m512d c) {
    for (int l = 0; l < 8; l++) c[l] = __builtin_fma(a[l], b[l], c[l]);
    return c;
}

WIDE(__m512i) tg__wide_load(const void *p) {
    __m512i v;
    memcpy(&v, p, sizeof v);
    return v;
}

#define _mm512_fmadd_ps tg__wide_fma_f32
#define _mm512_fmadd_pd tg__wide_fma_f64
#define _mm512_loadu_si512 tg__wide_load
#define _mm512_mask_loadu_ps tg__wide_mask_f32
#define _mm512_mask_loadu_pd tg__wide_mask_f64
#define _mm512_maskz_loadu_ps(mask, p) tg__wide_mask_f32((__m512){0}, mask, p)
#define _mm512_maskz_loadu_pd(mask, p) tg__wide_mask_f64((__m512d){0}, mask, p)
#define _mm512_maskz_loadu_epi32(mask, p) tg__wide_mask_i32((__m512i){0}, mask, p)

#endif
#endif

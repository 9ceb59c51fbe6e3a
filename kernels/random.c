/* kernels/random.c: random numbers by counter. Block b of stream s under seed k is Philox4x32-10 of the counter (b, s) with
 * key k: four 32-bit words. f32 takes a word per element, f64 two; a normal pair takes the words of its two places.
 * The numbers are the same whatever instruction set is in use: the wider one is AVX2 without fused multiply-add. */
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/math.h"
#include "kernels/unroll.h"
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define ROUNDS 10
#define MULTIPLIER_0 UINT32_C(0xD2511F53)
#define MULTIPLIER_1 UINT32_C(0xCD9E8D57)
#define WEYL_0 UINT32_C(0x9E3779B9)
#define WEYL_1 UINT32_C(0xBB67AE85)

#define BLOCKS 64 /* made at a time, a multiple of 4: their words stay in L1, and the loops over them are vector code */

typedef struct words {
    uint32_t w[4][BLOCKS]; /* word k of block b is w[k][b] */
} words;

/* Blocks first, first + 1, ... of the stream. */
INLINE void philox_any(words *x, int blocks, const uint64_t *data, uint64_t first) {
    const uint32_t stream_0 = (uint32_t)data[1], stream_1 = (uint32_t)(data[1] >> 32);
    for (int b = 0; b < blocks; b++) {
        uint32_t key_0 = (uint32_t)data[0], key_1 = (uint32_t)(data[0] >> 32);
        const uint64_t block = first + (uint64_t)b;
        uint32_t w0 = (uint32_t)block, w1 = (uint32_t)(block >> 32), w2 = stream_0, w3 = stream_1;
        UNROLL
        for (int r = 0; r < ROUNDS; r++, key_0 += WEYL_0, key_1 += WEYL_1) {
            const uint64_t p0 = (uint64_t)MULTIPLIER_0 * w0, p1 = (uint64_t)MULTIPLIER_1 * w2;
            w0 = (uint32_t)(p1 >> 32) ^ w1 ^ key_0;
            w2 = (uint32_t)(p0 >> 32) ^ w3 ^ key_1;
            w1 = (uint32_t)p1;
            w3 = (uint32_t)p0;
        }
        x->w[0][b] = w0;
        x->w[1][b] = w1;
        x->w[2][b] = w2;
        x->w[3][b] = w3;
    }
}

#if defined(__x86_64__)
#define AVX2 __attribute__((target("avx2")))

AVX2 static inline void store_low_words(uint32_t *to, __m256i v) {
    const __m256i low = _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    _mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(low));
}

/* The same, four blocks at a time, each word in the low half of 64 bits where the multiplier takes it; compilers pack and
 * unpack the halves in every round, which takes twice as long. */
AVX2 static void philox_avx2(words *x, int blocks, const uint64_t *data, uint64_t first) {
    const __m256i m0 = _mm256_set1_epi64x(MULTIPLIER_0), m1 = _mm256_set1_epi64x(MULTIPLIER_1);
    for (int b = 0; b < blocks; b += 4) {
        uint32_t key_0 = (uint32_t)data[0], key_1 = (uint32_t)(data[0] >> 32);
        __m256i w0 = _mm256_add_epi64(_mm256_set1_epi64x((long long)(first + (uint64_t)b)), _mm256_setr_epi64x(0, 1, 2, 3));
        __m256i w1 = _mm256_srli_epi64(w0, 32), w2 = _mm256_set1_epi64x((long long)data[1]), w3 = _mm256_srli_epi64(w2, 32);
        UNROLL
        for (int r = 0; r < ROUNDS; r++, key_0 += WEYL_0, key_1 += WEYL_1) {
            const __m256i p0 = _mm256_mul_epu32(w0, m0), p1 = _mm256_mul_epu32(w2, m1);
            const __m256i k0 = _mm256_set1_epi64x(key_0), k1 = _mm256_set1_epi64x(key_1);
            w0 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p1, 32), w1), k0);
            w2 = _mm256_xor_si256(_mm256_xor_si256(_mm256_srli_epi64(p0, 32), w3), k1);
            w1 = p1;
            w3 = p0;
        }
        store_low_words(x->w[0] + b, w0);
        store_low_words(x->w[1] + b, w1);
        store_low_words(x->w[2] + b, w2);
        store_low_words(x->w[3] + b, w3);
    }
}
#endif

INLINE void make_uniform_f32(const words *x, int blocks, float *out) {
    for (int b = 0; b < blocks; b++)
        for (int k = 0; k < 4; k++) out[4 * b + k] = (float)(int32_t)(x->w[k][b] >> 8) * 0x1p-24f;
}

/* 53 bits of two words, in units of 2^-53. */
INLINE double two_words(uint32_t high, uint32_t low) {
    return (double)(int32_t)(high >> 5) * 0x1p26 + (double)(int32_t)(low >> 6);
}

INLINE void make_uniform_f64(const words *x, int blocks, double *out) {
    for (int b = 0; b < blocks; b++)
        for (int k = 0; k < 2; k++) out[2 * b + k] = two_words(x->w[2 * k][b], x->w[2 * k + 1][b]) * 0x1p-53;
}

/* Box and Muller 1958: sqrt(-2 log u) times the cosine and the sine of a random angle. u is in (0, 1] and fine-grained near 0,
 * so that the tails reach 6.6 (f64: 8.6) deviations; the angle is in [-pi, pi). Words `k` and k + 1 of each block give elements
 * k and k + 1; in f64 the block's four words give its two. */
INLINE void make_pairs_f32(const words *x, int blocks, int k, float *out) {
    float cosine[BLOCKS], sine[BLOCKS];
    for (int b = 0; b < blocks; b++) {
        const float u = (float)(int32_t)(x->w[k][b] >> 1) * 0x1p-31f + 0x1p-32f;
        const float angle = (float)(int32_t)x->w[k + 1][b] * 1.46291807926715968e-9f; /* pi / 2^31 */
        const float radius = tg__sqrt_f32(-2.0f * tg__log_of_f32(u));
        cosine[b] = radius * tg__cos_f32(angle);
        sine[b] = radius * tg__sin_f32(angle);
    }
    for (int b = 0; b < blocks; b++) {
        out[4 * b + k] = cosine[b];
        out[4 * b + k + 1] = sine[b];
    }
}

INLINE void make_normal_f32(const words *x, int blocks, float *out) {
    make_pairs_f32(x, blocks, 0, out);
    make_pairs_f32(x, blocks, 2, out);
}

INLINE void make_normal_f64(const words *x, int blocks, double *out) {
    double cosine[BLOCKS], sine[BLOCKS];
    for (int b = 0; b < blocks; b++) {
        const double u = two_words(x->w[0][b], x->w[1][b]) * 0x1p-53 + 0x1p-54;
        const double angle = (two_words(x->w[2][b], x->w[3][b]) * 0x1p-52 - 1.0) * 3.14159265358979324;
        const double radius = tg__sqrt_f64(-2.0 * tg__log_of_f64(u));
        cosine[b] = radius * tg__cos_f64(angle);
        sine[b] = radius * tg__sin_f64(angle);
    }
    for (int b = 0; b < blocks; b++) {
        out[2 * b] = cosine[b];
        out[2 * b + 1] = sine[b];
    }
}

/* The numbers of some blocks, from block `first` on. */
typedef void make_numbers(int blocks, const uint64_t *data, uint64_t first, void *out);

#define MAKER(kind, set, attributes)                                                                        \
    attributes static void kind##_##set(int blocks, const uint64_t *data, uint64_t first, void *out) {      \
        words x;                                                                                            \
        philox_##set(&x, blocks, data, first);                                                               \
        make_##kind(&x, blocks, out);                                                                       \
    }

#if defined(__x86_64__)
#define SETS 2
#define MAKERS(kind) {kind##_any, kind##_avx2}
MAKER(uniform_f32, avx2, AVX2)
MAKER(uniform_f64, avx2, AVX2)
MAKER(normal_f32, avx2, AVX2)
MAKER(normal_f64, avx2, AVX2)
#else
#define SETS 1
#define MAKERS(kind) {kind##_any}
#endif
MAKER(uniform_f32, any, )
MAKER(uniform_f64, any, )
MAKER(normal_f32, any, )
MAKER(normal_f64, any, )

/* Elements [first, first + n), of which a block gives per_block. */
static void fill(size_t n, char *out, const void *data, uint64_t first, size_t per_block, size_t size,
                 make_numbers *const makers[SETS]) {
    union { float f32[4 * BLOCKS]; double f64[2 * BLOCKS]; } numbers;
    make_numbers *make = makers[SETS > 1 && tg__kernels_get()->isa != TG_ISA_ANY];
    while (n > 0) {
        const size_t skip = (size_t)(first % per_block), wanted = (skip + n - 1) / per_block + 1;
        const int blocks = wanted < BLOCKS ? (int)wanted : BLOCKS;
        const size_t made = (size_t)blocks * per_block - skip, taken = n < made ? n : made;
        make(blocks, data, first / per_block, &numbers);
        memcpy(out, (const char *)&numbers + skip * size, taken * size);
        out += taken * size;
        first += taken;
        n -= taken;
    }
}

#define SOURCE(kind, type, per_block)                                                   \
    void tg__##kind(size_t n, void *out, const void *data, uint64_t first) {            \
        static make_numbers *const makers[SETS] = MAKERS(kind);                         \
        fill(n, out, data, first, per_block, sizeof(type), makers);                     \
    }
SOURCE(uniform_f32, float, 4)
SOURCE(uniform_f64, double, 2)
SOURCE(normal_f32, float, 4)
SOURCE(normal_f64, double, 2)

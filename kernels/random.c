/* kernels/random.c: random numbers by counter. Block b of stream s under seed k is Philox4x32-10 of the counter (b, s) with
 * key k: four 32-bit words. f32 takes a word per element, f64 two; a normal pair takes the words of its two places.
 * Compiled for the baseline only, so that the numbers are the same whatever instruction set is in use. */
#include <string.h>

#include "kernels/kernels.h"
#include "kernels/math.h"

#define ROUNDS 10
#define MULTIPLIER_0 UINT32_C(0xD2511F53)
#define MULTIPLIER_1 UINT32_C(0xCD9E8D57)
#define WEYL_0 UINT32_C(0x9E3779B9)
#define WEYL_1 UINT32_C(0xBB67AE85)

#define BLOCKS 64 /* made at a time: their words stay in L1, and the loops over them are vector code */

typedef struct words {
    uint32_t w[4][BLOCKS]; /* word k of block b is w[k][b] */
} words;

static void philox_round(words *x, int blocks, uint32_t key_0, uint32_t key_1) {
    for (int b = 0; b < blocks; b++) {
        const uint64_t p0 = (uint64_t)MULTIPLIER_0 * x->w[0][b], p1 = (uint64_t)MULTIPLIER_1 * x->w[2][b];
        x->w[0][b] = (uint32_t)(p1 >> 32) ^ x->w[1][b] ^ key_0;
        x->w[2][b] = (uint32_t)(p0 >> 32) ^ x->w[3][b] ^ key_1;
        x->w[1][b] = (uint32_t)p1;
        x->w[3][b] = (uint32_t)p0;
    }
}

/* Blocks first, first + 1, ... of the stream. */
static void philox(words *x, int blocks, const uint64_t *data, uint64_t first) {
    const uint64_t seed = data[0], stream = data[1];
    for (int b = 0; b < blocks; b++) {
        const uint64_t block = first + (uint64_t)b;
        x->w[0][b] = (uint32_t)block;
        x->w[1][b] = (uint32_t)(block >> 32);
        x->w[2][b] = (uint32_t)stream;
        x->w[3][b] = (uint32_t)(stream >> 32);
    }
    uint32_t key_0 = (uint32_t)seed, key_1 = (uint32_t)(seed >> 32);
    for (int r = 0; r < ROUNDS; r++, key_0 += WEYL_0, key_1 += WEYL_1) philox_round(x, blocks, key_0, key_1);
}

typedef void make_numbers(const words *x, int blocks, void *out);

/* Elements [first, first + n), of which a block gives per_block. */
static void fill(size_t n, char *out, const void *data, uint64_t first, size_t per_block, size_t size, make_numbers *make) {
    words x;
    union { float f32[4 * BLOCKS]; double f64[2 * BLOCKS]; } numbers;
    while (n > 0) {
        const size_t skip = (size_t)(first % per_block), wanted = (skip + n - 1) / per_block + 1;
        const int blocks = wanted < BLOCKS ? (int)wanted : BLOCKS;
        const size_t made = (size_t)blocks * per_block - skip, taken = n < made ? n : made;
        philox(&x, blocks, data, first / per_block);
        make(&x, blocks, &numbers);
        memcpy(out, (const char *)&numbers + skip * size, taken * size);
        out += taken * size;
        first += taken;
        n -= taken;
    }
}

static void make_uniform_f32(const words *x, int blocks, void *out) {
    float *o = out;
    for (int b = 0; b < blocks; b++)
        for (int k = 0; k < 4; k++) o[4 * b + k] = (float)(int32_t)(x->w[k][b] >> 8) * 0x1p-24f;
}

/* 53 bits of two words, in units of 2^-53. */
static double two_words(uint32_t high, uint32_t low) {
    return (double)(int32_t)(high >> 5) * 0x1p26 + (double)(int32_t)(low >> 6);
}

static void make_uniform_f64(const words *x, int blocks, void *out) {
    double *o = out;
    for (int b = 0; b < blocks; b++)
        for (int k = 0; k < 2; k++) o[2 * b + k] = two_words(x->w[2 * k][b], x->w[2 * k + 1][b]) * 0x1p-53;
}

/* Box and Muller 1958: sqrt(-2 log u) times the cosine and the sine of a random angle. u is in (0, 1] and fine-grained near 0,
 * so that the tails reach 6.6 (f64: 8.6) deviations; the angle is in [-pi, pi). */
static void pair_f32(float *o, uint32_t first, uint32_t second) {
    const float u = (float)(int32_t)(first >> 1) * 0x1p-31f + 0x1p-32f;
    const float angle = (float)(int32_t)second * 1.46291807926715968e-9f; /* pi / 2^31 */
    const float radius = tg__sqrt_f32(-2.0f * tg__log_f32(u));
    o[0] = radius * tg__cos_f32(angle);
    o[1] = radius * tg__sin_f32(angle);
}

static void make_normal_f32(const words *x, int blocks, void *out) {
    float *o = out;
    for (int b = 0; b < blocks; b++) {
        pair_f32(o + 4 * b, x->w[0][b], x->w[1][b]);
        pair_f32(o + 4 * b + 2, x->w[2][b], x->w[3][b]);
    }
}

static void make_normal_f64(const words *x, int blocks, void *out) {
    double *o = out;
    for (int b = 0; b < blocks; b++) {
        const double u = two_words(x->w[0][b], x->w[1][b]) * 0x1p-53 + 0x1p-54;
        const double angle = (two_words(x->w[2][b], x->w[3][b]) * 0x1p-52 - 1.0) * 3.14159265358979324;
        const double radius = tg__sqrt_f64(-2.0 * tg__log_f64(u));
        o[2 * b] = radius * tg__cos_f64(angle);
        o[2 * b + 1] = radius * tg__sin_f64(angle);
    }
}

void tg__uniform_f32(size_t n, void *out, const void *data, uint64_t first) {
    fill(n, out, data, first, 4, sizeof(float), make_uniform_f32);
}

void tg__uniform_f64(size_t n, void *out, const void *data, uint64_t first) {
    fill(n, out, data, first, 2, sizeof(double), make_uniform_f64);
}

void tg__normal_f32(size_t n, void *out, const void *data, uint64_t first) {
    fill(n, out, data, first, 4, sizeof(float), make_normal_f32);
}

void tg__normal_f64(size_t n, void *out, const void *data, uint64_t first) {
    fill(n, out, data, first, 2, sizeof(double), make_normal_f64);
}

/* kernels/math.h: elementary functions without branches, so that a loop over them becomes vector code.
 *
 * tg__NAME_f32 and tg__NAME_f64. Every function gives NaN for NaN and the limit for an infinity. The bound at each function, in
 * units in the last place, holds for normal results with or without fused multiply-add and is checked by
 * tests/kernels_basic.c. Signs of zeros are not kept where a function passes through zero. */
#ifndef TG_MATH_H
#define TG_MATH_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* a b + c: rounded once where the set has such an instruction, else twice. */
#if defined(__FMA__) || defined(__aarch64__)
static inline float tg__fma_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double tg__fma_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
#else
static inline float tg__fma_f32(float a, float b, float c) { return a * b + c; }
static inline double tg__fma_f64(double a, double b, double c) { return a * b + c; }
#endif

static inline uint32_t tg__bits_f32(float x) { uint32_t u; memcpy(&u, &x, sizeof u); return u; }
static inline uint64_t tg__bits_f64(double x) { uint64_t u; memcpy(&u, &x, sizeof u); return u; }
static inline float tg__from_bits_f32(uint32_t u) { float x; memcpy(&x, &u, sizeof x); return x; }
static inline double tg__from_bits_f64(uint64_t u) { double x; memcpy(&x, &u, sizeof x); return x; }

/* when ? a : b, by bits. Where ?: stands on both sides of long arithmetic, gcc computes that arithmetic twice, once for each
 * side, or makes one tangle of neighbouring conditions; it does not see through this. */
static inline float tg__pick_f32(bool when, float a, float b) {
    const uint32_t mask = UINT32_C(0) - (uint32_t)when;
    return tg__from_bits_f32((tg__bits_f32(a) & mask) | (tg__bits_f32(b) & ~mask));
}
static inline double tg__pick_f64(bool when, double a, double b) {
#if defined(__SSE2__) && !defined(__SSE4_1__)
    return when ? a : b; /* no compare gives a mask of 64-bit integers here */
#endif
    const uint64_t mask = UINT64_C(0) - (uint64_t)when;
    return tg__from_bits_f64((tg__bits_f64(a) & mask) | (tg__bits_f64(b) & ~mask));
}

/* ------------------------------------------------------------------ exact functions */

static inline float tg__abs_f32(float x) { return __builtin_fabsf(x); }
static inline double tg__abs_f64(double x) { return __builtin_fabs(x); }
static inline int32_t tg__abs_i32(int32_t x) { return (int32_t)(x < 0 ? 0u - (uint32_t)x : (uint32_t)x); }
static inline int64_t tg__abs_i64(int64_t x) { return (int64_t)(x < 0 ? 0u - (uint64_t)x : (uint64_t)x); }

static inline float tg__copysign_f32(float x, float sign) {
    return tg__from_bits_f32((tg__bits_f32(x) & 0x7fffffffu) | (tg__bits_f32(sign) & 0x80000000u));
}
static inline double tg__copysign_f64(double x, double sign) {
    return tg__from_bits_f64((tg__bits_f64(x) & ~(UINT64_C(1) << 63)) | (tg__bits_f64(sign) & UINT64_C(1) << 63));
}

static inline float tg__sqrt_f32(float x) { return __builtin_sqrtf(x); }
static inline double tg__sqrt_f64(double x) { return __builtin_sqrt(x); }

/* To the nearest whole number, halves to even: adding 2^23 (2^52) leaves no room for a fraction. */
static inline float tg__rint_f32(float x) {
    const float big = 8388608.0f, a = __builtin_fabsf(x);
    return tg__copysign_f32(a < big ? (a + big) - big : a, x);
}
static inline double tg__rint_f64(double x) {
    const double big = 4503599627370496.0, a = __builtin_fabs(x);
    return tg__copysign_f64(a < big ? (a + big) - big : a, x);
}

static inline float tg__floor_f32(float x) {
    const float r = tg__rint_f32(x);
    return tg__copysign_f32(r > x ? r - 1 : r, x);
}
static inline double tg__floor_f64(double x) {
    const double r = tg__rint_f64(x);
    return tg__copysign_f64(r > x ? r - 1 : r, x);
}
static inline float tg__ceil_f32(float x) { return -tg__floor_f32(-x); }
static inline double tg__ceil_f64(double x) { return -tg__floor_f64(-x); }

/* Whole numbers wrap around; division by zero gives 0, and the quotient is rounded towards zero. */
static inline float tg__div_f32(float a, float b) { return a / b; }
static inline double tg__div_f64(double a, double b) { return a / b; }
static inline int32_t tg__div_i32(int32_t a, int32_t b) {
    if (b == 0) return 0;
    return b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b;
}
static inline int64_t tg__div_i64(int64_t a, int64_t b) {
    if (b == 0) return 0;
    return b == -1 ? (int64_t)(0u - (uint64_t)a) : a / b;
}
static inline float tg__add_f32(float a, float b) { return a + b; }
static inline double tg__add_f64(double a, double b) { return a + b; }
static inline int32_t tg__add_i32(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }
static inline int64_t tg__add_i64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a + (uint64_t)b); }
static inline float tg__sub_f32(float a, float b) { return a - b; }
static inline double tg__sub_f64(double a, double b) { return a - b; }
static inline int32_t tg__sub_i32(int32_t a, int32_t b) { return (int32_t)((uint32_t)a - (uint32_t)b); }
static inline int64_t tg__sub_i64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a - (uint64_t)b); }
static inline float tg__mul_f32(float a, float b) { return a * b; }
static inline double tg__mul_f64(double a, double b) { return a * b; }
static inline int32_t tg__mul_i32(int32_t a, int32_t b) { return (int32_t)((uint32_t)a * (uint32_t)b); }
static inline int64_t tg__mul_i64(int64_t a, int64_t b) { return (int64_t)((uint64_t)a * (uint64_t)b); }

/* ------------------------------------------------------------------ conversions
 *
 * A float out of a whole type's range saturates and NaN gives 0; whole numbers wrap around; NaN is true. */

static inline int32_t tg__to_i32_f32(float x) {
    const float low = x > -2147483648.0f ? x : -2147483648.0f;
    const int32_t whole = (int32_t)(low < 2147483648.0f ? low : 0.0f);
    const int32_t top = low < 2147483648.0f ? whole : INT32_MAX;
    return x == x ? top : 0;
}
static inline int32_t tg__to_i32_f64(double x) {
    const double low = x > -2147483648.0 ? x : -2147483648.0;
    const double in = low < 2147483647.0 ? low : 2147483647.0;
    return (int32_t)(x == x ? in : 0.0);
}
static inline int64_t tg__to_i64_f64(double x) {
    const double top = 9223372036854775808.0;
    const double low = x > -top ? x : -top;
    const int64_t whole = (int64_t)(low < top ? low : 0.0);
    const int64_t in = low < top ? whole : INT64_MAX;
    return x == x ? in : 0;
}
static inline int64_t tg__to_i64_f32(float x) { return tg__to_i64_f64((double)x); }
static inline uint8_t tg__to_u8_f32(float x) {
    const float low = x > 0.0f ? x : 0.0f;
    return (uint8_t)(int32_t)(low < 255.0f ? low : 255.0f);
}
static inline uint8_t tg__to_u8_f64(double x) {
    const double low = x > 0.0 ? x : 0.0;
    return (uint8_t)(int32_t)(low < 255.0 ? low : 255.0);
}


#define TG__TO_PLAIN(T, from)                                                \
    static inline float tg__to_f32_##from(T x) { return (float)x; }          \
    static inline double tg__to_f64_##from(T x) { return (double)x; }        \
    static inline uint8_t tg__to_bool_##from(T x) { return x != 0; }
#define TG__TO_WHOLE(T, from)                                                \
    static inline int32_t tg__to_i32_##from(T x) { return (int32_t)x; }      \
    static inline int64_t tg__to_i64_##from(T x) { return (int64_t)x; }      \
    static inline uint8_t tg__to_u8_##from(T x) { return (uint8_t)x; }
/* ------------------------------------------------------------------ 16-bit floats: bf16 is the upper half of an f32, f16 has 5
 * bits of exponent (IEEE 754-2019 binary16). To the nearest, ties to even; beyond the range infinite; a NaN stays one. */

static inline float tg__to_f32_bf16(uint16_t h) { return tg__from_bits_f32((uint32_t)h << 16); }
static inline uint16_t tg__to_bf16_f32(float x) {
    const uint32_t u = tg__bits_f32(x), rounded = (u + 0x7fffu + (u >> 16 & 1)) >> 16;
    return (uint16_t)(x == x ? rounded : u >> 16 | 0x40u);
}

static inline float tg__to_f32_f16(uint16_t h) {
    const uint32_t a = h & 0x7fffu, sign = (uint32_t)(h & 0x8000u) << 16;
    const uint32_t large = (a << 13) + (a >= 0x7c00u ? 0x70000000u : 0x38000000u);
    const uint32_t small = tg__bits_f32((float)(int32_t)a * 0x1p-24f); /* a denormal, exactly */
    return tg__from_bits_f32((a < 0x400u ? small : large) | sign);
}
static inline uint16_t tg__to_f16_f32(float x) {
    const uint32_t u = tg__bits_f32(x), a = u & 0x7fffffffu, sign = u >> 16 & 0x8000u;
    const uint32_t normal = (a - 0x38000000u + 0xfffu + (a >> 13 & 1)) >> 13;
    const uint32_t denormal = tg__bits_f32(tg__from_bits_f32(a) + 0.5f) - 0x3f000000u; /* the sum's last bit is 2^-24 */
    const uint32_t finite = a < 0x38800000u ? denormal : normal;
    const uint32_t beyond = a > 0x7f800000u ? 0x7e00u | (a >> 13 & 0x3ffu) : 0x7c00u;
    return (uint16_t)((a >= 0x477ff000u ? beyond : finite) | sign);
}

/* An f32 next to x that is odd where x is not exact, so that rounding it again gives what rounding x once would. */
static inline float tg__odd_f32(double x) {
    const float f = (float)x;
    const double back = (double)f;
    const uint32_t u = tg__bits_f32(f) - (uint32_t)(__builtin_fabs(back) > __builtin_fabs(x));
    return tg__from_bits_f32(u | (uint32_t)((back < x) | (back > x)));
}
static inline double tg__odd_f64(int64_t x) {
    const uint64_t a = x < 0 ? UINT64_C(0) - (uint64_t)x : (uint64_t)x, low = a & 0x7ff;
    const double size = (double)(int64_t)((a >> 11 | (uint64_t)(low != 0)) << 1) * 1024.0;
    const double exact = (double)x;
    return a < (UINT64_C(1) << 53) ? exact : x < 0 ? -size : size;
}

#define TG__TO_HALF(half)                                                                                   \
    static inline uint16_t tg__to_##half##_f64(double x) { return tg__to_##half##_f32(tg__odd_f32(x)); }    \
    static inline uint16_t tg__to_##half##_i32(int32_t x) { return tg__to_##half##_f64((double)x); }        \
    static inline uint16_t tg__to_##half##_i64(int64_t x) { return tg__to_##half##_f64(tg__odd_f64(x)); }   \
    static inline uint16_t tg__to_##half##_u8(uint8_t x) { return tg__to_##half##_f32((float)x); }
#define TG__FROM_HALF(half)                                                                                 \
    static inline double tg__to_f64_##half(uint16_t x) { return (double)tg__to_f32_##half(x); }             \
    static inline int32_t tg__to_i32_##half(uint16_t x) { return tg__to_i32_f32(tg__to_f32_##half(x)); }    \
    static inline int64_t tg__to_i64_##half(uint16_t x) { return tg__to_i64_f32(tg__to_f32_##half(x)); }    \
    static inline uint8_t tg__to_u8_##half(uint16_t x) { return tg__to_u8_f32(tg__to_f32_##half(x)); }      \
    static inline uint8_t tg__to_bool_##half(uint16_t x) { return (x & 0x7fff) != 0; }                      \
    static inline uint16_t tg__to_bf16_##half(uint16_t x) { return tg__to_bf16_f32(tg__to_f32_##half(x)); } \
    static inline uint16_t tg__to_f16_##half(uint16_t x) { return tg__to_f16_f32(tg__to_f32_##half(x)); }
TG__TO_HALF(bf16)
TG__TO_HALF(f16)
TG__FROM_HALF(bf16)
TG__FROM_HALF(f16)

TG__TO_PLAIN(float, f32)
TG__TO_PLAIN(double, f64)
TG__TO_PLAIN(int32_t, i32)
TG__TO_PLAIN(int64_t, i64)
TG__TO_PLAIN(uint8_t, u8)
TG__TO_WHOLE(int32_t, i32)
TG__TO_WHOLE(int64_t, i64)
TG__TO_WHOLE(uint8_t, u8)

/* ------------------------------------------------------------------ exponentials
 *
 * x = n ln 2 + r with |r| <= ln 2 / 2, e^r - 1 by a polynomial, then times 2^n. The ln 2 is split so that n times its high part
 * is exact; n is rounded by adding 1.5 * 2^23 (1.5 * 2^52), whose low bits then hold n as an integer. */

#define TG__ROUND_F32 12582912.0f
#define TG__ROUND_F64 6755399441055744.0
#define TG__LOG2E 1.4426950408889634
#define TG__LN2 0.69314718055994531

/* 2^n for whole n held in a float. */
static inline float tg__pow2_f32(float n) { return tg__from_bits_f32((tg__bits_f32(n + TG__ROUND_F32) + 127u) << 23); }
static inline double tg__pow2_f64(double n) { return tg__from_bits_f64((tg__bits_f64(n + TG__ROUND_F64) + 1023u) << 52); }

/* p 2^n, of n only n + TG__SCALE: in two steps, so that it may be denormal or overflow. The low bits of the sum hold n and the
 * biases of both powers, which halving shares out. */
#define TG__SCALE_F32 (TG__ROUND_F32 + 2 * 127)
#define TG__SCALE_F64 (TG__ROUND_F64 + 2 * 1023)
static inline float tg__scale_f32(float p, float sum) {
    const uint32_t both = tg__bits_f32(sum), half = both >> 1;
    return p * tg__from_bits_f32(half << 23) * tg__from_bits_f32((both - half) << 23);
}
static inline double tg__scale_f64(double p, double sum) {
    const uint64_t both = tg__bits_f64(sum), half = both >> 1;
    return p * tg__from_bits_f64(half << 52) * tg__from_bits_f64((both - half) << 52);
}

/* e^r - 1 for |r| <= 0.347. Minimax in e^r - 1, error 2^-32 (2^-61.7). */
static inline float tg__expm1_core_f32(float r) {
    float q = 0.000198459369f;
    q = tg__fma_f32(q, r, 0.0013940637f);
    q = tg__fma_f32(q, r, 0.00833338965f);
    q = tg__fma_f32(q, r, 0.0416663624f);
    q = tg__fma_f32(q, r, 0.166666657f);
    q = tg__fma_f32(q, r, 0.5f);
    return tg__fma_f32(r * r, q, r);
}
static inline double tg__expm1_core_f64(double r) {
    double q = 2.087532924734273e-09;
    q = tg__fma_f64(q, r, 2.5108990659311686e-08);
    q = tg__fma_f64(q, r, 2.7557402672702438e-07);
    q = tg__fma_f64(q, r, 2.7557244343117586e-06);
    q = tg__fma_f64(q, r, 2.4801587172476035e-05);
    q = tg__fma_f64(q, r, 0.00019841269885993848);
    q = tg__fma_f64(q, r, 0.0013888888888962411);
    q = tg__fma_f64(q, r, 0.0083333333333216811);
    q = tg__fma_f64(q, r, 0.041666666666666512);
    q = tg__fma_f64(q, r, 0.16666666666666677);
    q = tg__fma_f64(q, r, 0.5);
    return tg__fma_f64(r * r, q, r);
}

static inline float tg__exp_round_f32(float x) { return tg__fma_f32(x, (float)TG__LOG2E, TG__ROUND_F32) - TG__ROUND_F32; }
static inline double tg__exp_round_f64(double x) { return tg__fma_f64(x, TG__LOG2E, TG__ROUND_F64) - TG__ROUND_F64; }
static inline float tg__exp_rest_f32(float x, float n) {
    return tg__fma_f32(n, -3.19461849e-05f, tg__fma_f32(n, -0x1.62ep-1f, x));
}
static inline double tg__exp_rest_f64(double x, double n) {
    return tg__fma_f64(n, -0x1.473de6af278edp-34, tg__fma_f64(n, -0x1.62e42fefp-1, x));
}

/* e^x: 1 ULP; _low: for x below the clamp only. Beyond the clamps it is 0 or infinite anyway. */
static inline float tg__exp_low_f32(float x) {
    const float c = x < -104.0f ? -104.0f : x, sum = tg__fma_f32(c, (float)TG__LOG2E, TG__SCALE_F32);
    return tg__scale_f32(1.0f + tg__expm1_core_f32(tg__exp_rest_f32(c, sum - TG__SCALE_F32)), sum);
}
static inline double tg__exp_low_f64(double x) {
    const double c = x < -746.0 ? -746.0 : x, sum = tg__fma_f64(c, TG__LOG2E, TG__SCALE_F64);
    return tg__scale_f64(1.0 + tg__expm1_core_f64(tg__exp_rest_f64(c, sum - TG__SCALE_F64)), sum);
}
static inline float tg__exp_f32(float x) { return tg__pick_f32(x > 89.0f, INFINITY, tg__exp_low_f32(x)); }
static inline double tg__exp_f64(double x) { return tg__pick_f64(x > 710.0, (double)INFINITY, tg__exp_low_f64(x)); }

/* e^x for x <= 0 is (1 + expm1_core(r)) 2^n: returns r. At the clamp, and where e^x is below the least normal number, 2^n is 0.
 * Two loops where there are many: the dependent operations of the whole fill the CPU's queues. */
static inline float tg__exp_split_f32(float x, float *power) {
    const float bias = TG__ROUND_F32 + 127, c = x < -88.0f ? -88.0f : x, sum = tg__fma_f32(c, (float)TG__LOG2E, bias);
    *power = tg__from_bits_f32(tg__bits_f32(sum) << 23);
    return tg__exp_rest_f32(c, sum - bias);
}
static inline double tg__exp_split_f64(double x, double *power) {
    const double bias = TG__ROUND_F64 + 1023, c = x < -709.0 ? -709.0 : x, sum = tg__fma_f64(c, TG__LOG2E, bias);
    *power = tg__from_bits_f64(tg__bits_f64(sum) << 52);
    return tg__exp_rest_f64(c, sum - bias);
}

/* 2^x: f32 1 ULP, f64 1.5 ULP. */
static inline float tg__exp2_f32(float x) {
    const float c = x < -151.0f ? -151.0f : x, sum = c + TG__SCALE_F32;
    const float y = tg__scale_f32(1.0f + tg__expm1_core_f32((c - (sum - TG__SCALE_F32)) * (float)TG__LN2), sum);
    return tg__pick_f32(x > 129.0f, INFINITY, y);
}
static inline double tg__exp2_f64(double x) {
    const double c = x < -1076.0 ? -1076.0 : x, sum = c + TG__SCALE_F64;
    const double y = tg__scale_f64(1.0 + tg__expm1_core_f64((c - (sum - TG__SCALE_F64)) * TG__LN2), sum);
    return tg__pick_f64(x > 1025.0, (double)INFINITY, y);
}

/* e^x - 1: 2 ULP. 2 (2^(n-1) (e^r - 1) + 2^(n-1) - 1/2), where the halving keeps the last power finite. */
static inline float tg__expm1_low_f32(float x) {
    const float c = x < -20.0f ? -20.0f : x, n = tg__exp_round_f32(c), s = tg__pow2_f32(n - 1.0f);
    return 2.0f * tg__fma_f32(s, tg__expm1_core_f32(tg__exp_rest_f32(c, n)), s - 0.5f);
}
static inline double tg__expm1_low_f64(double x) {
    const double c = x < -40.0 ? -40.0 : x, n = tg__exp_round_f64(c), s = tg__pow2_f64(n - 1.0);
    return 2.0 * tg__fma_f64(s, tg__expm1_core_f64(tg__exp_rest_f64(c, n)), s - 0.5);
}
static inline float tg__expm1_f32(float x) { return tg__pick_f32(x > 89.0f, INFINITY, tg__expm1_low_f32(x)); }
static inline double tg__expm1_f64(double x) { return tg__pick_f64(x > 710.0, (double)INFINITY, tg__expm1_low_f64(x)); }

/* tanh |x| = -t / (2 + t) with t = e^(-2|x|) - 1: 3 ULP, also next to zero. */
static inline float tg__tanh_f32(float x) {
    const float t = tg__expm1_low_f32(-2.0f * __builtin_fabsf(x));
    return tg__copysign_f32(t / (2.0f + t), x);
}
static inline double tg__tanh_f64(double x) {
    const double t = tg__expm1_low_f64(-2.0 * __builtin_fabs(x));
    return tg__copysign_f64(t / (2.0 + t), x);
}

/* 1 / (1 + e^-x), on the left side as e^x / (1 + e^x): 3 ULP. */
static inline float tg__sigmoid_f32(float x) {
    const float e = tg__exp_low_f32(-__builtin_fabsf(x));
    return tg__pick_f32(x >= 0, 1.0f, e) / (1.0f + e);
}
static inline double tg__sigmoid_f64(double x) {
    const double e = tg__exp_low_f64(-__builtin_fabs(x));
    return tg__pick_f64(x >= 0, 1.0, e) / (1.0 + e);
}

/* ------------------------------------------------------------------ logarithms
 *
 * x = 2^e (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)). With s = f / (2 + f), log(1 + f) = 2 artanh(s) =
 * f - (f^2/2 - s (f^2/2 + R)), where s R is what the series has beyond 2 s; minimax, error 2^-30 (2^-59). Denormal x is
 * scaled up first. */

static inline float tg__log_core_f32(float x, float *exponent) {
    const bool small = x < 1.17549435e-38f;
    const float up = x * tg__pick_f32(small, 8388608.0f, 1.0f);
    const uint32_t sqrt_half = 0x3f3504f3u, shifted = tg__bits_f32(up) - sqrt_half;
    const float f = tg__from_bits_f32((shifted & 0x7fffffu) + sqrt_half) - 1.0f;
    const float s = f / (2.0f + f), z = s * s, h = 0.5f * f * f;
    *exponent = (float)((int32_t)shifted >> 23) - tg__pick_f32(small, 23.0f, 0.0f);
    float r = 0.298730582f;
    r = tg__fma_f32(r, z, 0.399774969f);
    r = tg__fma_f32(r, z, 0.666667759f);
    return f - (h - s * tg__fma_f32(r, z, h));
}
static inline double tg__log_core_f64(double x, double *exponent) {
    const bool small = x < 2.2250738585072014e-308;
    const double up = x * tg__pick_f64(small, 18014398509481984.0, 1.0);
    const uint64_t sqrt_half = UINT64_C(0x3fe6a09e667f3bcd), one = UINT64_C(0x3ff0000000000000);
    const uint64_t shifted = tg__bits_f64(up) + (one - sqrt_half);
    const double f = tg__from_bits_f64((shifted & UINT64_C(0xfffffffffffff)) + sqrt_half) - 1.0;
    const double s = f / (2.0 + f), z = s * s, h = 0.5 * f * f;
    /* no vector unit before AVX-512 converts 64-bit integers: the biased exponent goes into the low bits of 2^52 instead */
    const double biased = tg__from_bits_f64((shifted >> 52) | UINT64_C(0x4330000000000000)) - 4503599627370496.0;
    *exponent = biased - tg__pick_f64(small, 1023.0 + 54.0, 1023.0);
    double r = 0.14797508156421121;
    r = tg__fma_f64(r, z, 0.15313903316627428);
    r = tg__fma_f64(r, z, 0.18183569732233618);
    r = tg__fma_f64(r, z, 0.22222198476231431);
    r = tg__fma_f64(r, z, 0.28571428743259231);
    r = tg__fma_f64(r, z, 0.39999999999411112);
    r = tg__fma_f64(r, z, 0.66666666666667351);
    return f - (h - s * tg__fma_f64(r, z, h));
}

/* What a logarithm is where its argument is not a positive number. */
static inline float tg__log_edges_f32(float x, float log) {
    const float bottom = tg__pick_f32(x == 0, -INFINITY, NAN);
    return tg__pick_f32(x > 0, tg__pick_f32(x < INFINITY, log, x), bottom);
}
static inline double tg__log_edges_f64(double x, double log) {
    const double bottom = tg__pick_f64(x == 0, -(double)INFINITY, (double)NAN);
    return tg__pick_f64(x > 0, tg__pick_f64(x < (double)INFINITY, log, x), bottom);
}

/* log x: 2 ULP; _of: of a positive number. */
static inline float tg__log_of_f32(float x) {
    float e;
    const float m = tg__log_core_f32(x, &e);
    return tg__fma_f32(e, 0x1.62ep-1f, tg__fma_f32(e, 3.19461849e-05f, m));
}
static inline double tg__log_of_f64(double x) {
    double e;
    const double m = tg__log_core_f64(x, &e);
    return tg__fma_f64(e, 0x1.62e42fefp-1, tg__fma_f64(e, 0x1.473de6af278edp-34, m));
}
static inline float tg__log_f32(float x) { return tg__log_edges_f32(x, tg__log_of_f32(x)); }
static inline double tg__log_f64(double x) { return tg__log_edges_f64(x, tg__log_of_f64(x)); }

/* log2 x: 2 ULP; exact for powers of two. */
static inline float tg__log2_f32(float x) {
    float e;
    const float m = tg__log_core_f32(x, &e);
    return tg__log_edges_f32(x, tg__fma_f32(m, (float)TG__LOG2E, e));
}
static inline double tg__log2_f64(double x) {
    double e;
    const double m = tg__log_core_f64(x, &e);
    return tg__log_edges_f64(x, tg__fma_f64(m, TG__LOG2E, e));
}

/* log(1 + x): 2 ULP, also next to zero. log u + c / u, where u = 1 + x as rounded and c what the rounding lost. */
static inline float tg__log1p_f32(float x) {
    const float u = 1.0f + x, c = x - (u - 1.0f), r = tg__log_of_f32(u) + c / u;
    return tg__log_edges_f32(u, r);
}
static inline double tg__log1p_f64(double x) {
    const double u = 1.0 + x, c = x - (u - 1.0), r = tg__log_of_f64(u) + c / u;
    return tg__log_edges_f64(u, r);
}

/* ------------------------------------------------------------------ sine and cosine
 *
 * x = q pi/2 + r in f64, with pi/2 in three parts of which q times the first two is exact for |q| < 2^20. f32 goes the same way
 * and is rounded once at the end; f64 keeps what the difference lost, without which few digits are right where x is next to a
 * multiple of pi/2. Bound: |x| <= TG__TRIG_LIMIT; class PERIODIC of kernels/micro.h takes libm beyond it. */

#define TG__TRIG_LIMIT 1.0e6

#define TG__TRIG_PARTS(x)                                                                                            \
    const double t = tg__fma_f64(x, 0.63661977236758138, TG__ROUND_F64), q = t - TG__ROUND_F64;                        \
    const double a = tg__fma_f64(q, -0x1.921fb544p+0, x), b = q * 0x1.0b4611a6p-34, third = 0x1.3198a2e037073p-69;     \
    *quadrant = tg__bits_f64(t)

static inline double tg__trig_reduce_f32(double x, uint64_t *quadrant) {
    TG__TRIG_PARTS(x);
    return a - tg__fma_f64(q, third, b);
}

static inline double tg__trig_reduce_f64(double x, uint64_t *quadrant) {
    TG__TRIG_PARTS(x);
    const double r = a - b, lost = (a - r) - b;
    return r + tg__fma_f64(q, -third, lost);
}

/* sin r in an even quadrant, cos r in an odd one, negated in the third and fourth: by bits, for want of 64-bit compares. */
static inline double tg__trig_pick(double s, double c, uint64_t quadrant) {
    const uint64_t odd = UINT64_C(0) - (quadrant & 1), sign = (quadrant & 2) << 62;
    return tg__from_bits_f64(((tg__bits_f64(c) & odd) | (tg__bits_f64(s) & ~odd)) ^ sign);
}

static inline double tg__trig_f32(double x, uint64_t turn) { /* good for f32 */
    uint64_t quadrant;
    const double r = tg__trig_reduce_f32(x, &quadrant), z = r * r;
    double s = 2.7180866128880908e-06;
    s = tg__fma_f64(s, z, -0.00019839308780088388);
    s = tg__fma_f64(s, z, 0.0083333292947845011);
    s = tg__fma_f64(s, z, -0.16666666640717057);
    double c = 2.4432787321118592e-05;
    c = tg__fma_f64(c, z, -0.0013887313080732828);
    c = tg__fma_f64(c, z, 0.041666645619008978);
    c = tg__fma_f64(c, z, -0.5);
    return tg__trig_pick(tg__fma_f64(r * z, s, r), tg__fma_f64(c, z, 1.0), quadrant + turn);
}

static inline double tg__trig_f64(double x, uint64_t turn) {
    uint64_t quadrant;
    const double r = tg__trig_reduce_f64(x, &quadrant), z = r * r;
    double s = 1.5896076958481585e-10;
    s = tg__fma_f64(s, z, -2.5050745275685843e-08);
    s = tg__fma_f64(s, z, 2.7557313606647497e-06);
    s = tg__fma_f64(s, z, -0.00019841269829550846);
    s = tg__fma_f64(s, z, 0.0083333333333220749);
    s = tg__fma_f64(s, z, -0.1666666666666663);
    double c = -1.1358423188199688e-11;
    c = tg__fma_f64(c, z, 2.0875698712998983e-09);
    c = tg__fma_f64(c, z, -2.7557314164118651e-07);
    c = tg__fma_f64(c, z, 2.4801587288801055e-05);
    c = tg__fma_f64(c, z, -0.001388888888887298);
    c = tg__fma_f64(c, z, 0.041666666666666595);
    const double cosine = tg__fma_f64(c * z, z, tg__fma_f64(z, -0.5, 1.0));
    return tg__trig_pick(tg__fma_f64(r * z, s, r), cosine, quadrant + turn);
}

/* sin x, cos x: f32 1 ULP, f64 2 ULP. */
static inline float tg__sin_f32(float x) { return (float)tg__trig_f32((double)x, 0); }
static inline float tg__cos_f32(float x) { return (float)tg__trig_f32((double)x, 1); }
static inline double tg__sin_f64(double x) { return tg__trig_f64(x, 0); }
static inline double tg__cos_f64(double x) { return tg__trig_f64(x, 1); }

/* tan x: f32 1 ULP, f64 5 ULP. */
static inline float tg__tan_f32(float x) { return (float)(tg__trig_f32((double)x, 0) / tg__trig_f32((double)x, 1)); }
static inline double tg__tan_f64(double x) { return tg__trig_f64(x, 0) / tg__trig_f64(x, 1); }

/* ------------------------------------------------------------------ error function
 *
 * erf x = 1 - e^(-t), t = x (2 / sqrt(pi) + x Q(x)) for x in [0, 4] (f64: [0, 6]), where erf rounds to 1 beyond. t is smooth
 * and grows like x near zero, so that expm1 gives the small values their relative precision. Q is minimax in t, error 2^-31
 * (2^-56.6), in u = x / 2 - 1 (x / 3 - 1; its odd and even powers apart, two short chains being faster than a long one).
 * 3 ULP. */

static inline float tg__erf_f32(float x) {
    const float a = __builtin_fabsf(x), c = a > 4.0f ? 4.0f : a, u = 0.5f * c - 1.0f;
    float q = -7.3499873e-06f;
    q = tg__fma_f32(q, u, 1.10227984e-05f);
    q = tg__fma_f32(q, u, 2.25277563e-05f);
    q = tg__fma_f32(q, u, -8.44630486e-05f);
    q = tg__fma_f32(q, u, 0.000163573248f);
    q = tg__fma_f32(q, u, -0.000273605838f);
    q = tg__fma_f32(q, u, 0.000275037135f);
    q = tg__fma_f32(q, u, 0.000390155357f);
    q = tg__fma_f32(q, u, -0.00322531955f);
    q = tg__fma_f32(q, u, 0.0119183157f);
    q = tg__fma_f32(q, u, -0.0348936208f);
    q = tg__fma_f32(q, u, 0.0907993466f);
    q = tg__fma_f32(q, u, 0.777045727f);
    return tg__copysign_f32(tg__expm1_low_f32(-c * tg__fma_f32(q, c, 1.12837917f)), x);
}
static inline double tg__erf_f64(double x) {
    const double a = __builtin_fabs(x), c = a > 6.0 ? 6.0 : a, u = tg__fma_f64(c, 1.0 / 3.0, -1.0), w = u * u;
    double odd = 2.7338221942147526e-08, even = -9.018551879758545e-08;
    odd = tg__fma_f64(odd, w, -1.9027459294287985e-08);
    even = tg__fma_f64(even, w, 3.6126524283008599e-07);
    odd = tg__fma_f64(odd, w, -2.6868163390046774e-07);
    even = tg__fma_f64(even, w, -3.6469109805335517e-07);
    odd = tg__fma_f64(odd, w, 2.1114557994566778e-07);
    even = tg__fma_f64(even, w, 7.0904773831269795e-07);
    odd = tg__fma_f64(odd, w, -4.2909011683533932e-07);
    even = tg__fma_f64(even, w, -1.0822817004424916e-06);
    odd = tg__fma_f64(odd, w, 2.2006222203707466e-06);
    even = tg__fma_f64(even, w, -3.3214482417992349e-06);
    odd = tg__fma_f64(odd, w, 5.5777674545659045e-06);
    even = tg__fma_f64(even, w, -7.8836534457386966e-06);
    odd = tg__fma_f64(odd, w, 7.483333896491026e-06);
    even = tg__fma_f64(even, w, -3.6518143335325567e-07);
    odd = tg__fma_f64(odd, w, -2.0241244005852485e-05);
    even = tg__fma_f64(even, w, 6.4197499154180183e-05);
    odd = tg__fma_f64(odd, w, -0.00014167211339029446);
    even = tg__fma_f64(even, w, 0.00025519827149880786);
    odd = tg__fma_f64(odd, w, -0.00038119441498146749);
    even = tg__fma_f64(even, w, 0.0004319988277140438);
    odd = tg__fma_f64(odd, w, -0.00018498514739310372);
    even = tg__fma_f64(even, w, -0.00084161295110159835);
    odd = tg__fma_f64(odd, w, 0.0035972691664420864);
    even = tg__fma_f64(even, w, -0.0098425504696668196);
    odd = tg__fma_f64(odd, w, 0.02272151938329391);
    even = tg__fma_f64(even, w, -0.047780282239048975);
    odd = tg__fma_f64(odd, w, 0.09507472048155699);
    even = tg__fma_f64(even, w, 0.81502506007717501);
    const double q = tg__fma_f64(odd, u, even);
    return tg__copysign_f64(tg__expm1_low_f64(-c * tg__fma_f64(q, c, 1.1283791670955126)), x);
}

/* ------------------------------------------------------------------ powers */

/* x^y: e^(y log |x|) in f64, rounded once: 1 ULP. */
static inline float tg__pow_f32(float x, float y) {
    const float size = (float)tg__exp_f64((double)y * tg__log_f64((double)__builtin_fabsf(x)));
    const float half = 0.5f * y, ay = __builtin_fabsf(y);
    const uint32_t whole = tg__rint_f32(y) == y, odd = whole & (tg__rint_f32(half) != half) & (ay < INFINITY);
    const float with_sign = tg__from_bits_f32(tg__bits_f32(size) | (tg__bits_f32(x) & odd << 31));
    const float plain = ((x < 0) & !whole & (x > -INFINITY)) ? NAN : with_sign;
    const float infinite = ((ay == INFINITY) & (x == -1.0f)) ? 1.0f : plain;
    return ((y == 0) | (x == 1.0f)) ? 1.0f : infinite;
}

/* x^y in f64 is libm's: a logarithm good for the last bit of the result needs twice the digits. Not vectorised. */
static inline double tg__pow_f64(double x, double y) { return pow(x, y); }

#endif

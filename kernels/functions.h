/* kernels/functions.h: the rarer elementary functions, made of those of math.h, under the same rules. Polynomials are minimax
 * (Remez 1934), computed with 60 digits and rounded. */
#ifndef TG_FUNCTIONS_H
#define TG_FUNCTIONS_H

#include "kernels/math.h"

/* ------------------------------------------------------------------ rounding */

static inline float tg__trunc_f32(float x) { return tg__copysign_f32(tg__floor_f32(__builtin_fabsf(x)), x); }
static inline double tg__trunc_f64(double x) { return tg__copysign_f64(tg__floor_f64(__builtin_fabs(x)), x); }

/* The rest of a / b rounded towards 0; whole numbers: a where b = 0, since a / 0 is 0. */
static inline float tg__fmod_f32(float a, float b) { return fmodf(a, b); }
static inline double tg__fmod_f64(double a, double b) { return fmod(a, b); }
static inline int32_t tg__fmod_i32(int32_t a, int32_t b) { return tg__sub_i32(a, tg__mul_i32(tg__div_i32(a, b), b)); }
static inline int64_t tg__fmod_i64(int64_t a, int64_t b) { return tg__sub_i64(a, tg__mul_i64(tg__div_i64(a, b), b)); }

/* The rest of a / b rounded down: it has the sign of b. */
static inline float tg__remainder_f32(float a, float b) {
    const float rest = tg__fmod_f32(a, b);
    return ((rest != 0) & ((rest < 0) != (b < 0)) & (b != 0)) ? rest + b : rest;
}
static inline double tg__remainder_f64(double a, double b) {
    const double rest = tg__fmod_f64(a, b);
    return ((rest != 0) & ((rest < 0) != (b < 0)) & (b != 0)) ? rest + b : rest;
}
static inline int32_t tg__remainder_i32(int32_t a, int32_t b) {
    const int32_t rest = tg__fmod_i32(a, b);
    return ((rest != 0) & ((rest < 0) != (b < 0)) & (b != 0)) ? rest + b : rest;
}
static inline int64_t tg__remainder_i64(int64_t a, int64_t b) {
    const int64_t rest = tg__fmod_i64(a, b);
    return ((rest != 0) & ((rest < 0) != (b < 0)) & (b != 0)) ? rest + b : rest;
}

/* a b + c, rounded once in every instruction set. */
static inline float tg__fused_f32(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline double tg__fused_f64(double a, double b, double c) { return __builtin_fma(a, b, c); }
static inline int32_t tg__fused_i32(int32_t a, int32_t b, int32_t c) { return tg__add_i32(tg__mul_i32(a, b), c); }
static inline int64_t tg__fused_i64(int64_t a, int64_t b, int64_t c) { return tg__add_i64(tg__mul_i64(a, b), c); }

/* a + c (b - a), from the nearer end: exactly a for c = 0, b for c = 1. f32 in f64, rounded once, since a and c (b - a) may all
 * but cancel. */
static inline double tg__lerp_f64(double a, double b, double c) {
    return tg__pick_f64(c < 0.5, a + c * (b - a), b - (1.0 - c) * (b - a));
}
static inline float tg__lerp_f32(float a, float b, float c) {
    return (float)tg__lerp_f64((double)a, (double)b, (double)c);
}

/* ------------------------------------------------------------------ roots */

/* The cube root of a number from [1, 2): error 2^-13.7. */
static inline float tg__cbrt_start_f32(float m) {
    float r = 0.0231039524f;
    r = tg__fma_f32(r, m, -0.162965178f);
    r = tg__fma_f32(r, m, 0.587107897f);
    r = tg__fma_f32(r, m, 0.552826285f);
    return r;
}
static inline double tg__cbrt_start_f64(double m) {
    double r = 0.023103951707049371;
    r = tg__fma_f64(r, m, -0.16296517875608113);
    r = tg__fma_f64(r, m, 0.58710789311287526);
    r = tg__fma_f64(r, m, 0.55282631340092836);
    return r;
}

/* cbrt x: 1 ULP. |x| = 2^(3 q + k) m with k = -1, 0, 1; a step of Halley's method (error cubed), for f64 one of Newton's. */
static inline float tg__cbrt_f32(float x) {
    const float size = __builtin_fabsf(x);
    const bool small = size < 1.17549435e-38f;
    const float up = size * tg__pick_f32(small, 16777216.0f, 1.0f);
    const float e = (float)(int32_t)(tg__bits_f32(up) >> 23) - 127.0f;
    const float m = tg__from_bits_f32((tg__bits_f32(up) & 0x7fffffu) | 0x3f800000u);
    const float q = tg__rint_f32(e * 0.333333343f), k = e - 3.0f * q;
    const float root2 = tg__pick_f32(k > 0, 1.25992105f, tg__pick_f32(k < 0, 0.793700526f, 1.0f));
    const float a = m * tg__pow2_f32(k), t = tg__cbrt_start_f32(m) * root2, cube = t * t * t;
    const float r = tg__fma_f32(t * (a - cube), 1.0f / (cube + cube + a), t);
    const float y = r * tg__pow2_f32(q - tg__pick_f32(small, 8.0f, 0.0f));
    return tg__pick_f32((size > 0) & (size < INFINITY), tg__copysign_f32(y, x), x);
}
static inline double tg__cbrt_f64(double x) {
    const double size = __builtin_fabs(x);
    const bool small = size < 2.2250738585072014e-308;
    const double up = size * tg__pick_f64(small, 18014398509481984.0, 1.0);
    const double e = tg__from_bits_f64((tg__bits_f64(up) >> 52) | UINT64_C(0x4330000000000000)) - 4503599627371519.0;
    const double m = tg__from_bits_f64((tg__bits_f64(up) & UINT64_C(0xfffffffffffff)) | UINT64_C(0x3ff0000000000000));
    const double q = tg__rint_f64(e * (1.0 / 3.0)), k = e - 3.0 * q;
    const double root2 = tg__pick_f64(k > 0, 1.2599210498948732, tg__pick_f64(k < 0, 0.79370052598409974, 1.0));
    const double a = m * tg__pow2_f64(k), t = tg__cbrt_start_f64(m) * root2, cube = t * t * t;
    const double u = tg__fma_f64(t * (a - cube), 1.0 / (cube + cube + a), t);
    const double v = tg__from_bits_f64(tg__bits_f64(u) & ~UINT64_C(0x3ffffff)); /* v^2 is exact */
    const double square = v * v, quotient = a / square;
    const double y = (v + v * (quotient - v) / (v + v + quotient)) * tg__pow2_f64(q - tg__pick_f64(small, 18.0, 0.0));
    return tg__pick_f64((size > 0) & (size < (double)INFINITY), tg__copysign_f64(y, x), x);
}

/* (a^2 + b^2)^(1/2): f32 1 ULP, f64 1.5 ULP; infinite if one of the two is. f64 is scaled, so that no square overflows. */
static inline float tg__hypot_f32(float a, float b) {
    const double x = (double)a, y = (double)b;
    const float r = (float)__builtin_sqrt(x * x + y * y);
    return tg__pick_f32((__builtin_fabsf(a) == INFINITY) | (__builtin_fabsf(b) == INFINITY), INFINITY, r);
}
static inline double tg__hypot_f64(double a, double b) {
    const double x = __builtin_fabs(a), y = __builtin_fabs(b), most = x > y ? x : y;
    const double up = tg__pick_f64(most > 1e150, 0x1p-600, tg__pick_f64(most < 1e-150, 0x1p600, 1.0));
    const double down = tg__pick_f64(most > 1e150, 0x1p600, tg__pick_f64(most < 1e-150, 0x1p-600, 1.0));
    const double r = __builtin_sqrt(tg__fma_f64(x * up, x * up, (y * up) * (y * up))) * down;
    return tg__pick_f64((x == (double)INFINITY) | (y == (double)INFINITY), (double)INFINITY, r);
}

/* ------------------------------------------------------------------ logarithm to base 10 */

/* log10 x: 2 ULP. */
static inline float tg__log10_f32(float x) {
    float e;
    const float m = tg__log_core_f32(x, &e);
    return tg__log_edges_f32(x, tg__fma_f32(e, 0x1.3440000000000p-2f, tg__fma_f32(e, 4.60503907e-06f, m * 0.434294492f)));
}
static inline double tg__log10_f64(double x) {
    double e;
    const double m = tg__log_core_f64(x, &e);
    const double low = tg__fma_f64(e, 0x1.de7fbcc47c4adp-36, m * 0.43429448190325182);
    return tg__log_edges_f64(x, tg__fma_f64(e, 0x1.344135098p-2, low));
}

/* ------------------------------------------------------------------ hyperbolic functions */

/* e^x / 2 for x > 0, where e^x itself may overflow. */
static inline float tg__half_exp_f32(float x) {
    const float one_less = TG__SCALE_F32 - 1.0f, sum = tg__fma_f32(x, (float)TG__LOG2E, one_less);
    const float y = tg__scale_f32(1.0f + tg__expm1_core_f32(tg__exp_rest_f32(x, sum - one_less)), sum);
    return tg__pick_f32(x > 90.0f, INFINITY, y);
}
static inline double tg__half_exp_f64(double x) {
    const double one_less = TG__SCALE_F64 - 1.0, sum = tg__fma_f64(x, TG__LOG2E, one_less);
    const double y = tg__scale_f64(1.0 + tg__expm1_core_f64(tg__exp_rest_f64(x, sum - one_less)), sum);
    return tg__pick_f64(x > 711.0, (double)INFINITY, y);
}

/* sinh |x| = (t + t / (1 + t)) / 2 with t = e^|x| - 1: 3 ULP. */
static inline float tg__sinh_f32(float x) {
    const float a = __builtin_fabsf(x), t = tg__expm1_low_f32(a);
    return tg__copysign_f32(tg__pick_f32(a > 22, tg__half_exp_f32(a), 0.5f * (t + t / (1.0f + t))), x);
}
static inline double tg__sinh_f64(double x) {
    const double a = __builtin_fabs(x), t = tg__expm1_low_f64(a);
    return tg__copysign_f64(tg__pick_f64(a > 22, tg__half_exp_f64(a), 0.5 * (t + t / (1.0 + t))), x);
}

/* cosh x: 2 ULP. */
static inline float tg__cosh_f32(float x) {
    const float a = __builtin_fabsf(x), e = tg__exp_low_f32(a);
    return tg__pick_f32(a > 22, tg__half_exp_f32(a), 0.5f * e + 0.5f / e);
}
static inline double tg__cosh_f64(double x) {
    const double a = __builtin_fabs(x), e = tg__exp_low_f64(a);
    return tg__pick_f64(a > 22, tg__half_exp_f64(a), 0.5 * e + 0.5 / e);
}

/* asinh |x| = log(1 + |x| + x^2 / (1 + (1 + x^2)^(1/2))); log(2 |x|) where x^2 is large: 4 ULP. */
static inline float tg__asinh_f32(float x) {
    const float a = __builtin_fabsf(x), z = a * a;
    const float low = tg__log1p_f32(a + z / (1.0f + tg__sqrt_f32(1.0f + z))), high = tg__log_f32(a) + (float)TG__LN2;
    return tg__copysign_f32(tg__pick_f32(a > 1e4f, high, low), x);
}
static inline double tg__asinh_f64(double x) {
    const double a = __builtin_fabs(x), z = a * a;
    const double low = tg__log1p_f64(a + z / (1.0 + tg__sqrt_f64(1.0 + z))), high = tg__log_f64(a) + (double)TG__LN2;
    return tg__copysign_f64(tg__pick_f64(a > 1e8, high, low), x);
}

/* acosh x = log(1 + t + (t (t + 2))^(1/2)) with t = x - 1; log(2 x) where x^2 is large: 4 ULP. */
static inline float tg__acosh_f32(float x) {
    const float t = x - 1.0f;
    const float low = tg__log1p_f32(t + tg__sqrt_f32(t * (t + 2.0f))), high = tg__log_f32(x) + (float)TG__LN2;
    return tg__pick_f32(x < 1, NAN, tg__pick_f32(x > 1e4f, high, low));
}
static inline double tg__acosh_f64(double x) {
    const double t = x - 1.0;
    const double low = tg__log1p_f64(t + tg__sqrt_f64(t * (t + 2.0))), high = tg__log_f64(x) + (double)TG__LN2;
    return tg__pick_f64(x < 1, (double)NAN, tg__pick_f64(x > 1e8, high, low));
}

/* atanh |x| = log(1 + 2 |x| / (1 - |x|)) / 2: 4 ULP. */
static inline float tg__atanh_f32(float x) {
    const float a = __builtin_fabsf(x);
    return tg__copysign_f32(0.5f * tg__log1p_f32((a + a) / (1.0f - a)), x);
}
static inline double tg__atanh_f64(double x) {
    const double a = __builtin_fabs(x);
    return tg__copysign_f64(0.5 * tg__log1p_f64((a + a) / (1.0 - a)), x);
}

/* ------------------------------------------------------------------ inverse trigonometric functions
 *
 * pi/2 is a sum of two numbers where something is taken from it. */

static inline float tg__from_half_pi_f32(float x) { return 0x1.921fb60000000p+0f - (x - -4.37113883e-08f); }
static inline double tg__from_half_pi_f64(double x) { return 0x1.921fb54442d18p+0 - (x - 6.123233995736766e-17); }

/* asin(x) - x for x in [0, 1/2], over x: error 2^-31.7 (2^-63.8) of asin x. */
static inline float tg__asin_more_f32(float z) {
    float r = 0.0375608355f;
    r = tg__fma_f32(r, z, 0.0144061688f);
    r = tg__fma_f32(r, z, 0.0318165459f);
    r = tg__fma_f32(r, z, 0.0445158631f);
    r = tg__fma_f32(r, z, 0.0750050992f);
    r = tg__fma_f32(r, z, 0.166666597f);
    return r * z;
}
static inline double tg__asin_more_f64(double z) {
    double r = 0.03369258086386568;
    r = tg__fma_f64(r, z, -0.026234931869900766);
    r = tg__fma_f64(r, z, 0.024893240279302589);
    r = tg__fma_f64(r, z, 0.00065133538503667329);
    r = tg__fma_f64(r, z, 0.010019081572188428);
    r = tg__fma_f64(r, z, 0.0094819949981740145);
    r = tg__fma_f64(r, z, 0.011585984046681505);
    r = tg__fma_f64(r, z, 0.013961871348240897);
    r = tg__fma_f64(r, z, 0.017352945561023493);
    r = tg__fma_f64(r, z, 0.022372151585428619);
    r = tg__fma_f64(r, z, 0.030381944645265786);
    r = tg__fma_f64(r, z, 0.044642857139676334);
    r = tg__fma_f64(r, z, 0.075000000000025435);
    r = tg__fma_f64(r, z, 0.1666666666666666);
    return r * z;
}

/* asin x and acos x, beyond 1/2 by asin x = pi/2 - 2 asin(((1 - x) / 2)^(1/2)): asin 2.5 ULP, acos 2 ULP. */
static inline float tg__asin_f32(float x) {
    const float a = __builtin_fabsf(x);
    const bool outer = a > 0.5f;
    const float z = tg__pick_f32(outer, 0.5f - 0.5f * a, a * a), s = tg__pick_f32(outer, tg__sqrt_f32(z), a);
    const float r = tg__fma_f32(s, tg__asin_more_f32(z), s);
    return tg__copysign_f32(tg__pick_f32(outer, tg__from_half_pi_f32(r + r), r), x);
}
static inline double tg__asin_f64(double x) {
    const double a = __builtin_fabs(x);
    const bool outer = a > 0.5;
    const double z = tg__pick_f64(outer, 0.5 - 0.5 * a, a * a), s = tg__pick_f64(outer, tg__sqrt_f64(z), a);
    const double r = tg__fma_f64(s, tg__asin_more_f64(z), s);
    return tg__copysign_f64(tg__pick_f64(outer, tg__from_half_pi_f64(r + r), r), x);
}
static inline float tg__acos_f32(float x) {
    const float a = __builtin_fabsf(x);
    const bool outer = a > 0.5f;
    const float z = tg__pick_f32(outer, 0.5f - 0.5f * a, a * a), s = tg__pick_f32(outer, tg__sqrt_f32(z), x);
    const float r = tg__fma_f32(s, tg__asin_more_f32(z), s);
    const float end = tg__pick_f32(x > 0, r + r, 2.0f * tg__from_half_pi_f32(r));
    return tg__pick_f32(outer, end, tg__from_half_pi_f32(r));
}
static inline double tg__acos_f64(double x) {
    const double a = __builtin_fabs(x);
    const bool outer = a > 0.5;
    const double z = tg__pick_f64(outer, 0.5 - 0.5 * a, a * a), s = tg__pick_f64(outer, tg__sqrt_f64(z), x);
    const double r = tg__fma_f64(s, tg__asin_more_f64(z), s);
    const double end = tg__pick_f64(x > 0, r + r, 2.0 * tg__from_half_pi_f64(r));
    return tg__pick_f64(outer, end, tg__from_half_pi_f64(r));
}

/* atan x for x in [0, 1]: error 2^-31.4 (2^-60.4). */
static inline float tg__atan_core_f32(float x) {
    const float z = x * x;
    float r = 0.00113487884f;
    r = tg__fma_f32(r, z, -0.00742263999f);
    r = tg__fma_f32(r, z, 0.0227603447f);
    r = tg__fma_f32(r, z, -0.0449464433f);
    r = tg__fma_f32(r, z, 0.0675957128f);
    r = tg__fma_f32(r, z, -0.0881884769f);
    r = tg__fma_f32(r, z, 0.110602438f);
    r = tg__fma_f32(r, z, -0.1428013f);
    r = tg__fma_f32(r, z, 0.199996933f);
    r = tg__fma_f32(r, z, -0.333333284f);
    return tg__fma_f32(x * z, r, x);
}
static inline double tg__atan_core_f64(double x) {
    const double z = x * x;
    double r = -8.8276131111902663e-06;
    r = tg__fma_f64(r, z, 0.00010568886759061264);
    r = tg__fma_f64(r, z, -0.00060173085704771771);
    r = tg__fma_f64(r, z, 0.0021780726785624095);
    r = tg__fma_f64(r, z, -0.0056671236102454709);
    r = tg__fma_f64(r, z, 0.011400392923879525);
    r = tg__fma_f64(r, z, -0.018708882816195167);
    r = tg__fma_f64(r, z, 0.026235410591038365);
    r = tg__fma_f64(r, z, -0.032843375686027632);
    r = tg__fma_f64(r, z, 0.038241618811394429);
    r = tg__fma_f64(r, z, -0.042877443097966421);
    r = tg__fma_f64(r, z, 0.047453816118041198);
    r = tg__fma_f64(r, z, -0.05259553084295434);
    r = tg__fma_f64(r, z, 0.058817401411656402);
    r = tg__fma_f64(r, z, -0.06666587352946815);
    r = tg__fma_f64(r, z, 0.076923001137273933);
    r = tg__fma_f64(r, z, -0.090909085785261773);
    r = tg__fma_f64(r, z, 0.11111111088057581);
    r = tg__fma_f64(r, z, -0.14285714285086601);
    r = tg__fma_f64(r, z, 0.19999999999991239);
    r = tg__fma_f64(r, z, -0.33333333333333293);
    return tg__fma_f64(x * z, r, x);
}

/* atan x: 2 ULP. Beyond 1 it is pi/2 - atan(1 / x). */
static inline float tg__atan_f32(float x) {
    const float a = __builtin_fabsf(x);
    const bool outer = a > 1;
    const float r = tg__atan_core_f32(tg__pick_f32(outer, 1.0f / a, a));
    return tg__copysign_f32(tg__pick_f32(outer, tg__from_half_pi_f32(r), r), x);
}
static inline double tg__atan_f64(double x) {
    const double a = __builtin_fabs(x);
    const bool outer = a > 1;
    const double r = tg__atan_core_f64(tg__pick_f64(outer, 1.0 / a, a));
    return tg__copysign_f64(tg__pick_f64(outer, tg__from_half_pi_f64(r), r), x);
}

/* The angle of the point (x, y), with the signs of zeros as in C: 3 ULP. */
static inline float tg__atan2_f32(float y, float x) {
    const float ax = __builtin_fabsf(x), ay = __builtin_fabsf(y);
    const bool steep = ay > ax;
    const float less = tg__pick_f32(steep, ax, ay), more = tg__pick_f32(steep, ay, ax);
    const float ratio = tg__pick_f32(less == more, tg__pick_f32(less == 0, 0, 1), less / more);
    const float r = tg__atan_core_f32(ratio), first = tg__pick_f32(steep, tg__from_half_pi_f32(r), r);
    const bool left = tg__bits_f32(x) >> 31;
    const float turned = tg__pick_f32(steep, tg__from_half_pi_f32(-r), 2.0f * tg__from_half_pi_f32(0.5f * r));
    return tg__pick_f32((x != x) | (y != y), x + y, tg__copysign_f32(tg__pick_f32(left, turned, first), y));
}
static inline double tg__atan2_f64(double y, double x) {
    const double ax = __builtin_fabs(x), ay = __builtin_fabs(y);
    const bool steep = ay > ax;
    const double less = tg__pick_f64(steep, ax, ay), more = tg__pick_f64(steep, ay, ax);
    const double ratio = tg__pick_f64(less == more, tg__pick_f64(less == 0, 0, 1), less / more);
    const double r = tg__atan_core_f64(ratio), first = tg__pick_f64(steep, tg__from_half_pi_f64(r), r);
    const bool left = tg__bits_f64(x) >> 63;
    const double turned = tg__pick_f64(steep, tg__from_half_pi_f64(-r), 2.0 * tg__from_half_pi_f64(0.5 * r));
    return tg__pick_f64((x != x) | (y != y), x + y, tg__copysign_f64(tg__pick_f64(left, turned, first), y));
}

/* ------------------------------------------------------------------ complementary error function, normal distribution
 *
 * P(X > u) = e^(-u^2 / 2) M(u) for a normal X and u >= 0, where M is smooth and falls as 1 / u (Mills 1926, "Table of the
 * ratio: area to bounding ordinate"): a quotient of polynomials without a subtraction. What rounding takes from the square is
 * given back in the exponent, or it would be large for large u. In f32 both factors come scaled by a power of two, so that
 * e^(-u^2 / 2) is no denormal where the product with x, in gelu, is none. */
#define TG__TAIL_SCALE 32

/* 2^-32 M(u) for 0 <= u <= 14.6: a minimax quotient, error 2^-26. */
static inline float tg__normal_ratio_f32(float u) {
    float p = 0.0041126674f * 0x1p-32f;
    p = tg__fma_f32(p, u, 0.0406086892f * 0x1p-32f);
    p = tg__fma_f32(p, u, 0.183162332f * 0x1p-32f);
    p = tg__fma_f32(p, u, 0.438196629f * 0x1p-32f);
    p = tg__fma_f32(p, u, 0.5f * 0x1p-32f);
    float q = 0.0103088077f;
    q = tg__fma_f32(q, u, 0.101797372f);
    q = tg__fma_f32(q, u, 0.469278425f);
    q = tg__fma_f32(q, u, 1.20220065f);
    q = tg__fma_f32(q, u, 1.67427826f);
    q = tg__fma_f32(q, u, 1.0f);
    return p / q;
}

/* E(u) = e^(u^2) erfc u; (1 + 2 u) E(u) is smooth in t = (u - 4) / (u + 4) (Shepherd, Laframboise 1981, "Chebyshev
 * approximation of (1 + 2 x) exp(x^2) erfc x in 0 <= x < infinity"); error 2^-61.6. */
static inline double tg__erfcx_f64(double u) {
    const double t = (u - 4.0) / (u + 4.0);
    double r = 2.8480158593078293e-10;
    r = tg__fma_f64(r, t, 2.0898223903380466e-09);
    r = tg__fma_f64(r, t, 1.7082063190020574e-09);
    r = tg__fma_f64(r, t, -1.6546220686642533e-08);
    r = tg__fma_f64(r, t, -1.9120689930596542e-08);
    r = tg__fma_f64(r, t, 1.1316768335811554e-07);
    r = tg__fma_f64(r, t, 7.7014585916245355e-08);
    r = tg__fma_f64(r, t, -8.2765132136644747e-07);
    r = tg__fma_f64(r, t, 2.9168513258635084e-07);
    r = tg__fma_f64(r, t, 5.7107077166176681e-06);
    r = tg__fma_f64(r, t, -1.1220932919081924e-05);
    r = tg__fma_f64(r, t, -2.4399483192319047e-05);
    r = tg__fma_f64(r, t, 0.00015062132486394128);
    r = tg__fma_f64(r, t, -0.00019925664803822175);
    r = tg__fma_f64(r, t, -0.0007577732179801978);
    r = tg__fma_f64(r, t, 0.0050319699729706379);
    r = tg__fma_f64(r, t, -0.016197734066559593);
    r = tg__fma_f64(r, t, 0.037167515537813417);
    r = tg__fma_f64(r, t, -0.066330365811585579);
    r = tg__fma_f64(r, t, 0.093732834998336539);
    r = tg__fma_f64(r, t, -0.10103906603632774);
    r = tg__fma_f64(r, t, 0.068097054254692965);
    r = tg__fma_f64(r, t, 0.015379652102620081);
    r = tg__fma_f64(r, t, -0.13962111684056253);
    r = tg__fma_f64(r, t, 1.2329951186255526);
    return r / (1.0 + 2.0 * u);
}

/* What rounding has taken from x^2. */
#if defined(__FMA__) || defined(__aarch64__)
static inline float tg__square_rest_f32(float x, float square) { return tg__fma_f32(x, x, -square); }
static inline double tg__square_rest_f64(double x, double square) { return tg__fma_f64(x, x, -square); }
#else
static inline float tg__square_rest_f32(float x, float square) {
    const float high = tg__from_bits_f32(tg__bits_f32(x) & ~UINT32_C(0xfff));
    return (high * high - square) + (x - high) * (x + high);
}
static inline double tg__square_rest_f64(double x, double square) {
    const double high = tg__from_bits_f64(tg__bits_f64(x) & ~UINT64_C(0x7ffffff));
    return (high * high - square) + (x - high) * (x + high);
}
#endif

/* 2^32 e^(-scale x^2) for scale x^2 <= 107, scale a power of two. The exponent is added to that of the polynomial: of a NaN any
 * number may come. */
static inline float tg__exp_square_f32(float x, float scale) {
    const float square = x * x, c = -scale * square, round = TG__ROUND_F32 + TG__TAIL_SCALE;
    const float sum = tg__fma_f32(c, (float)TG__LOG2E, round);
    const float r = tg__fma_f32(-scale, tg__square_rest_f32(x, square), tg__exp_rest_f32(c, sum - round));
    return tg__from_bits_f32(tg__bits_f32(1.0f + tg__expm1_core_f32(r)) + (tg__bits_f32(sum) << 23));
}
static inline double tg__exp_square_f64(double x, double scale) {
    const double square = x * x, c = scale * square > 746.0 ? -746.0 : -scale * square;
    const double sum = tg__fma_f64(c, TG__LOG2E, TG__SCALE_F64);
    const double r = tg__fma_f64(-scale, tg__square_rest_f64(x, square), tg__exp_rest_f64(c, sum - TG__SCALE_F64));
    return tg__scale_f64(1.0 + tg__expm1_core_f64(r), sum);
}

/* erfc x = 1 - erf x: 7 ULP, small values, too. */
static inline float tg__erfc_f32(float x) {
    const float a = __builtin_fabsf(x), u = tg__pick_f32(a > 10.3f, 10.3f, a);
    const float tail = 2.0f * tg__exp_square_f32(u, 1) * tg__normal_ratio_f32(u * 1.41421354f);
    return tg__pick_f32(x < 0, 2.0f - tail, tail);
}
static inline double tg__erfc_f64(double x) {
    const double a = __builtin_fabs(x), u = a > 27.3 ? 27.3 : a;
    const double tail = tg__exp_square_f64(u, 1) * tg__erfcx_f64(u);
    return tg__pick_f64(x < 0, 2.0 - tail, tail);
}

/* P(X <= x) for a normal X of mean 0 and deviation 1: 7 ULP, small values, too. */
#define TG__NORMAL_END 14.6f /* beyond it P(X > x), and x times it, is 0 in f32 */
static inline float tg__normal_end_f32(float x) {
    const float a = __builtin_fabsf(x);
    return tg__pick_f32(a > TG__NORMAL_END, TG__NORMAL_END, a);
}
static inline float tg__normal_cdf_f32(float x) {
    const float u = tg__normal_end_f32(x), tail = tg__exp_square_f32(u, 0.5f) * tg__normal_ratio_f32(u);
    return tg__pick_f32(x > 0, 1.0f - tail, tail);
}
static inline double tg__normal_cdf_f64(double x) {
    const double a = __builtin_fabs(x), u = a > 38.6 ? 38.6 : a;
    const double tail = 0.5 * (tg__exp_square_f64(u, 0.5) * tg__erfcx_f64(u * 0.70710678118654757));
    return tg__pick_f64(x > 0, 1.0 - tail, tail);
}

/* ------------------------------------------------------------------ activations
 *
 * Products with x take x only as far as the other factor is not 0 (or 1, in slopes): 0 times infinity would be NaN. The slope
 * of a sigmoid comes from x, not from the value: 1 less a value near 1 has lost the digits. */

/* The derivatives of the logistic function, e / (1 + e)^2 with e = e^-|x|, and of tanh, 4 e / (1 + e)^2 with e = e^(-2|x|): 4
 * ULP, of tanh in f64 5. */
static inline float tg__sigmoid_slope_f32(float x) {
    const float e = tg__exp_low_f32(-__builtin_fabsf(x)), d = 1.0f + e;
    return e / (d * d);
}
static inline double tg__sigmoid_slope_f64(double x) {
    const double e = tg__exp_low_f64(-__builtin_fabs(x)), d = 1.0 + e;
    return e / (d * d);
}
static inline float tg__tanh_slope_f32(float x) {
    const float e = tg__exp_low_f32(-2.0f * __builtin_fabsf(x)), d = 1.0f + e;
    return 4.0f * e / (d * d);
}
static inline double tg__tanh_slope_f64(double x) {
    const double e = tg__exp_low_f64(-2.0 * __builtin_fabs(x)), d = 1.0 + e;
    return 4.0 * e / (d * d);
}

static inline float tg__at_least_f32(float x, float low) { return tg__pick_f32(x < low, low, x); }
static inline double tg__at_least_f64(double x, double low) { return x < low ? low : x; }
static inline float tg__within_f32(float x, float size) {
    return tg__pick_f32(__builtin_fabsf(x) > size, tg__copysign_f32(size, x), x);
}
static inline double tg__within_f64(double x, double size) { return x < -size ? -size : x > size ? size : x; }

/* The slope of x s(u(x)), s the logistic function, du/dx = rise: e / (1 + e)^2 (1 + e + x rise) where u < 0, e = e^-|u|. The
 * sum has a zero; next to it only e and x rise are rounded. */
static inline float tg__gated_slope_f32(float x, float u, float rise) {
    const float e = tg__exp_low_f32(-__builtin_fabsf(u)), r = 1.0f / (1.0f + e);
    const float yes = tg__pick_f32(u >= 0, 1.0f, e), no = tg__pick_f32(u >= 0, e, 1.0f);
    return yes * (r * r) * (tg__fma_f32(x * no, rise, 1.0f) + e);
}
static inline double tg__gated_slope_f64(double x, double u, double rise) {
    const double e = tg__exp_low_f64(-__builtin_fabs(u)), r = 1.0 / (1.0 + e);
    const double yes = tg__pick_f64(u >= 0, 1.0, e), no = tg__pick_f64(u >= 0, e, 1.0);
    return yes * (r * r) * (tg__fma_f64(x * no, rise, 1.0) + e);
}

/* x / (1 + e^-x): 4 ULP. */
#define TG__SILU_END 1000 /* beyond it e^-|x| is 0 */
static inline float tg__silu_f32(float x) { return tg__at_least_f32(x, -TG__SILU_END) * tg__sigmoid_f32(x); }
static inline double tg__silu_f64(double x) { return tg__at_least_f64(x, -TG__SILU_END) * tg__sigmoid_f64(x); }
static inline float tg__silu_slope_f32(float x) {
    const float c = tg__within_f32(x, TG__SILU_END);
    return tg__gated_slope_f32(c, c, 1);
}
static inline double tg__silu_slope_f64(double x) {
    const double c = tg__within_f64(x, TG__SILU_END);
    return tg__gated_slope_f64(c, c, 1);
}

/* gelu by tanh: (1 + tanh z) / 2 is the logistic function of 2 z, here x (A + B x^2). */
#define TG__GELU_A 1.59576912160573071176 /* 2 sqrt(2 / pi) */
#define TG__GELU_B 0.07135481627260025    /* 0.044715 times that */
#define TG__GELU_END 30                   /* beyond it the logistic function is 0 or 1 */

static inline float tg__gelu_tanh_f32(float x) {
    const float c = tg__at_least_f32(x, -TG__GELU_END);
    return c * tg__sigmoid_f32(c * tg__fma_f32((float)TG__GELU_B, c * c, (float)TG__GELU_A));
}
static inline double tg__gelu_tanh_f64(double x) {
    const double c = tg__at_least_f64(x, -TG__GELU_END);
    return c * tg__sigmoid_f64(c * tg__fma_f64(TG__GELU_B, c * c, TG__GELU_A));
}
static inline float tg__gelu_tanh_slope_f32(float x) {
    const float c = tg__within_f32(x, TG__GELU_END), w = c * c;
    const float u = c * tg__fma_f32((float)TG__GELU_B, w, (float)TG__GELU_A);
    return tg__gated_slope_f32(c, u, tg__fma_f32((float)(3 * TG__GELU_B), w, (float)TG__GELU_A));
}
static inline double tg__gelu_tanh_slope_f64(double x) {
    const double c = tg__within_f64(x, TG__GELU_END), w = c * c;
    const double u = c * tg__fma_f64(TG__GELU_B, w, TG__GELU_A);
    return tg__gated_slope_f64(c, u, tg__fma_f64(3 * TG__GELU_B, w, TG__GELU_A));
}

/* gelu: x P(X <= x), 8 ULP, is max(x, 0) less |x| P(X > |x|). Its slope is P(X <= x) + x e^(-x^2 / 2) / sqrt(2 pi), whose
 * exponential P has, too. */
#define TG__ONE_OVER_SQRT_2PI 0.39894228040143267794
static inline float tg__gelu_f32(float x) {
    const float u = tg__normal_end_f32(x);
    return tg__fma_f32(-u * tg__exp_square_f32(u, 0.5f), tg__normal_ratio_f32(u), tg__pick_f32(x < 0, 0, x));
}
static inline double tg__gelu_f64(double x) { return tg__at_least_f64(x, -38.6) * tg__normal_cdf_f64(x); }
static inline float tg__gelu_slope_f32(float x) {
    const float u = tg__normal_end_f32(x), density = (float)(TG__ONE_OVER_SQRT_2PI * 0x1p-32);
    const float q = tg__fma_f32(u, -density, tg__normal_ratio_f32(u));
    return tg__fma_f32(tg__pick_f32(x > 0, -q, q), tg__exp_square_f32(u, 0.5f), tg__pick_f32(x > 0, 1, 0));
}
static inline double tg__gelu_slope_f64(double x) {
    const double c = tg__within_f64(x, 38.6), a = __builtin_fabs(c), half = 0.5 * tg__erfcx_f64(a * 0.70710678118654757);
    const double q = tg__fma_f64(c, TG__ONE_OVER_SQRT_2PI, tg__pick_f64(x > 0, -half, half));
    return tg__fma_f64(tg__exp_square_f64(a, 0.5), q, tg__pick_f64(x > 0, 1.0, 0.0));
}

/* selu: see ops/activations.c. */
#define TG__SELU_SCALE 1.05070098735548049342
#define TG__SELU_ALPHA 1.67326324235437728482

/* log(1 + e^x) = max(x, 0) + log(1 + e), e = e^-|x|: 4 ULP. In f32 the logarithm is 2 artanh(s), s = e / (2 + e) <= 1/3:
 * minimax in s^2, error 2^-27.7. */
static inline float tg__softplus_f32(float x) {
    const float e = tg__exp_low_f32(-__builtin_fabsf(x)), s = e / (2.0f + e), z = s * s;
    float r = 0.280120224f;
    r = tg__fma_f32(r, z, 0.280017972f);
    r = tg__fma_f32(r, z, 0.400215268f);
    r = tg__fma_f32(r, z, 0.666664183f);
    return tg__fma_f32(s * z, r, s + s) + tg__pick_f32(x < 0, 0, x);
}
static inline double tg__softplus_f64(double x) {
    return tg__log1p_f64(tg__exp_low_f64(-__builtin_fabs(x))) + (x > 0 ? x : 0);
}

/* x tanh(log(1 + e^x)) = x n / (n + 2) with n = w (w + 2), w = e^x: 5 ULP; its slope w (4 (x + 1) + w (4 x + 6 + w (4 + w))) /
 * (n + 2)^2 is 1 from 20 on, f64 from 40 on. */
#define TG__MISH_END 1000 /* below the negative of it w is 0 */
static inline float tg__mish_f32(float x) {
    const float w = tg__exp_low_f32(x > 40 ? 40 : x), n = w * (w + 2.0f);
    return tg__at_least_f32(x, -TG__MISH_END) * (n / (n + 2.0f));
}
static inline double tg__mish_f64(double x) {
    const double w = tg__exp_low_f64(x > 40 ? 40 : x), n = w * (w + 2.0);
    return tg__at_least_f64(x, -TG__MISH_END) * (n / (n + 2.0));
}
static inline float tg__mish_slope_f32(float x) {
    const float c = tg__at_least_f32(x > 20 ? 20 : x, -TG__MISH_END), w = tg__exp_low_f32(c), r = 1 / (w * (w + 2.0f) + 2.0f);
    const float sum = tg__fma_f32(w, tg__fma_f32(w, w + 4.0f, tg__fma_f32(4.0f, c, 6.0f)), tg__fma_f32(4.0f, c, 4.0f));
    return w * r * (r * sum);
}
static inline double tg__mish_slope_f64(double x) {
    const double c = tg__at_least_f64(x > 40 ? 40 : x, -TG__MISH_END), w = tg__exp_low_f64(c), r = 1.0 / (w * (w + 2.0) + 2.0);
    const double sum = tg__fma_f64(w, tg__fma_f64(w, w + 4.0, tg__fma_f64(4.0, c, 6.0)), tg__fma_f64(4.0, c, 4.0));
    return w * r * (r * sum);
}

/* x / (1 + |x|): 1.5 ULP. */
static inline float tg__softsign_f32(float x) {
    const float c = tg__within_f32(x, 1e30f);
    return c / (1.0f + __builtin_fabsf(c));
}
static inline double tg__softsign_f64(double x) {
    const double c = tg__within_f64(x, 1e30);
    return c / (1.0 + __builtin_fabs(c));
}

/* ------------------------------------------------------------------ gamma functions (kernels/gamma.c): not vectorised */

double tg__lgamma_f64(double x);              /* log |gamma(x)|: libm's */
double tg__digamma_f64(double x);             /* d/dx log gamma(x): 8 ULP, or of 1 next to its zeros */
double tg__polygamma_f64(double n, double x); /* its n-th derivative, n = 0, 1, 2, ...: 32 ULP for n <= 10 and x > 0 */
static inline float tg__lgamma_f32(float x) { return (float)tg__lgamma_f64((double)x); }
static inline float tg__digamma_f32(float x) { return (float)tg__digamma_f64((double)x); }
static inline float tg__polygamma_f32(float n, float x) { return (float)tg__polygamma_f64((double)n, (double)x); }

#endif

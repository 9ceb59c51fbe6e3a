/* tests/kernels_math.c: the functions of kernels/math.h and kernels/functions.h against the C library in long double, in every
 * instruction set that has them as an elementwise loop, and as plain code otherwise; the bounds are those of the headers. */
#include "kernels/functions.h"
#include "tests/kernels_basic.h"

#include <float.h>

#define CHUNK 1024
#define CHUNKS 60
#define F64_ONLY -1 /* in place of the bound for f32 */

typedef struct function {
    const char *name;
    double ulp_f32, ulp_f64;
    double low, high; /* arguments; both positive: spread evenly over the exponents */
    long double (*exact)(long double);
    double (*quick)(double); /* the same in f64: exact enough for most floats */
    float (*f32)(float);
    double (*f64)(double);
} function;

static long double exact_sigmoid(long double x) {
    return 1 / (1 + expl(-x));
}

static long double exact_normal_cdf(long double x) {
    return erfcl(-x * 0.70710678118654752440084436210485L) / 2;
}

static long double exact_softplus(long double x) {
    return x > 0 ? x + log1pl(expl(-x)) : log1pl(expl(x));
}

static long double exact_sigmoid_slope(long double x) {
    return 1 / ((1 + expl(-x)) * (1 + expl(x)));
}

static long double exact_tanh_slope(long double x) {
    return 1 / (coshl(x) * coshl(x));
}

static long double exact_silu(long double x) {
    return x * exact_sigmoid(x);
}

static long double exact_gelu(long double x) {
    return x * exact_normal_cdf(x);
}

static long double exact_gelu_slope(long double x) {
    return exact_normal_cdf(x) + x * expl(-x * x / 2) * 0.39894228040143267793994605993438L;
}

static long double exact_softsign(long double x) {
    return x / (1 + fabsl(x));
}

static long double exact_mish(long double x) {
    return x * tanhl(exact_softplus(x));
}

static double quick_sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double quick_normal_cdf(double x) { return erfc(-x * 0.70710678118654752440) / 2; }
static double quick_softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }
static double quick_mish(double x) { return x * tanh(quick_softplus(x)); }

static double quick_sigmoid_slope(double x) { return 1 / ((1 + exp(-x)) * (1 + exp(x))); }
static double quick_tanh_slope(double x) { return 1 / (cosh(x) * cosh(x)); }
static double quick_silu(double x) { return x * quick_sigmoid(x); }
static double quick_gelu(double x) { return x * quick_normal_cdf(x); }
static double quick_gelu_slope(double x) { return quick_normal_cdf(x) + x * exp(-x * x / 2) * 0.39894228040143267794; }
static double quick_softsign(double x) { return x / (1 + fabs(x)); }

#define PLAIN(name) tg__##name##_f32, tg__##name##_f64
static const function functions[] = {
    {"exp", 1, 1, -87, 88, expl, exp, PLAIN(exp)},
    {"exp", 1, 1, -1, 1, expl, exp, PLAIN(exp)},
    {"exp", F64_ONLY, 1, -700, 709, expl, exp, PLAIN(exp)},
    {"exp2", 1, 1.5, -120, 120, exp2l, exp2, PLAIN(exp2)},
    {"expm1", 2, 2, -30, 80, expm1l, expm1, PLAIN(expm1)},
    {"expm1", 2, 2, -2, 2, expm1l, expm1, PLAIN(expm1)},
    {"expm1", 2, 2, 1e-30, 1, expm1l, expm1, PLAIN(expm1)},
    {"log", 2, 2, 1e-37, 1e37, logl, log, PLAIN(log)},
    {"log", 2, 2, 0.5, 2, logl, log, PLAIN(log)},
    {"log", 2, 2, 0.99, 1.01, logl, log, PLAIN(log)},
    {"log2", 2, 2, 1e-37, 1e37, log2l, log2, PLAIN(log2)},
    {"log2", 2, 2, 0.5, 2, log2l, log2, PLAIN(log2)},
    {"log1p", 2, 2, -0.9, 10, log1pl, log1p, PLAIN(log1p)},
    {"log1p", 2, 2, 1e-30, 1e30, log1pl, log1p, PLAIN(log1p)},
    {"tanh", 3, 3, -10, 10, tanhl, tanh, PLAIN(tanh)},
    {"tanh", 3, 3, 1e-30, 20, tanhl, tanh, PLAIN(tanh)},
    {"sigmoid", 3, 3, -87, 87, exact_sigmoid, quick_sigmoid, PLAIN(sigmoid)},
    {"sigmoid", 3, 3, -3, 3, exact_sigmoid, quick_sigmoid, PLAIN(sigmoid)},
    {"sin", 1, 2, -10, 10, sinl, sin, PLAIN(sin)},
    {"sin", 1, 2, -1e6, 1e6, sinl, sin, PLAIN(sin)},
    {"sin", 1, 2, 1e-30, 1, sinl, sin, PLAIN(sin)},
    {"cos", 1, 2, -10, 10, cosl, cos, PLAIN(cos)},
    {"cos", 1, 2, -1e6, 1e6, cosl, cos, PLAIN(cos)},
    {"erf", 3, 3, -7, 7, erfl, erf, PLAIN(erf)},
    {"erf", 3, 3, 1e-30, 1, erfl, erf, PLAIN(erf)},
    {"tan", 1, 5, -10, 10, tanl, tan, PLAIN(tan)},
    {"tan", 1, 5, -1e6, 1e6, tanl, tan, PLAIN(tan)},
    {"tan", 1, 5, 1e-30, 1, tanl, tan, PLAIN(tan)},
    {"erfc", 7, 7, -5, 9, erfcl, erfc, PLAIN(erfc)},
    {"erfc", F64_ONLY, 7, 5, 26, erfcl, erfc, PLAIN(erfc)},
    {"erfc", 7, 7, 1e-30, 1, erfcl, erfc, PLAIN(erfc)},
    {"normal_cdf", 7, 7, -12, 8, exact_normal_cdf, quick_normal_cdf, PLAIN(normal_cdf)},
    {"normal_cdf", 7, 7, -1, 1, exact_normal_cdf, quick_normal_cdf, PLAIN(normal_cdf)},
    {"cbrt", 1, 1, -10, 10, cbrtl, cbrt, PLAIN(cbrt)},
    {"cbrt", 1, 1, 1e-37, 1e37, cbrtl, cbrt, PLAIN(cbrt)},
    {"log10", 2, 2, 1e-37, 1e37, log10l, log10, PLAIN(log10)},
    {"log10", 2, 2, 0.5, 2, log10l, log10, PLAIN(log10)},
    {"sinh", 3, 3, -89, 89, sinhl, sinh, PLAIN(sinh)},
    {"sinh", 3, 3, -2, 2, sinhl, sinh, PLAIN(sinh)},
    {"sinh", 3, 3, 1e-30, 25, sinhl, sinh, PLAIN(sinh)},
    {"cosh", 2, 2, -89, 89, coshl, cosh, PLAIN(cosh)},
    {"cosh", 2, 2, -3, 3, coshl, cosh, PLAIN(cosh)},
    {"asinh", 4, 4, -10, 10, asinhl, asinh, PLAIN(asinh)},
    {"asinh", 4, 4, 1e-30, 1e30, asinhl, asinh, PLAIN(asinh)},
    {"acosh", 4, 4, 1, 3, acoshl, acosh, PLAIN(acosh)},
    {"acosh", 4, 4, 1.0001, 1e30, acoshl, acosh, PLAIN(acosh)},
    {"atanh", 4, 4, -1, 1, atanhl, atanh, PLAIN(atanh)},
    {"atanh", 4, 4, 1e-30, 1, atanhl, atanh, PLAIN(atanh)},
    {"asin", 2.5, 2.5, -1, 1, asinl, asin, PLAIN(asin)},
    {"asin", 2.5, 2.5, 1e-30, 1, asinl, asin, PLAIN(asin)},
    {"acos", 2, 2, -1, 1, acosl, acos, PLAIN(acos)},
    {"atan", 2, 2, -5, 5, atanl, atan, PLAIN(atan)},
    {"atan", 2, 2, 1e-30, 1e30, atanl, atan, PLAIN(atan)},
    {"softplus", 4, 4, -80, 80, exact_softplus, quick_softplus, PLAIN(softplus)},
    {"softplus", 4, 4, -3, 3, exact_softplus, quick_softplus, PLAIN(softplus)},
    {"mish", 5, 5, -80, 80, exact_mish, quick_mish, PLAIN(mish)},
    {"mish", 5, 5, -3, 3, exact_mish, quick_mish, PLAIN(mish)},
    {"sigmoid_slope", 4, 4, -80, 80, exact_sigmoid_slope, quick_sigmoid_slope, PLAIN(sigmoid_slope)},
    {"sigmoid_slope", 4, 4, -3, 3, exact_sigmoid_slope, quick_sigmoid_slope, PLAIN(sigmoid_slope)},
    {"tanh_slope", 4, 5, -40, 40, exact_tanh_slope, quick_tanh_slope, PLAIN(tanh_slope)},
    {"tanh_slope", 4, 5, -3, 3, exact_tanh_slope, quick_tanh_slope, PLAIN(tanh_slope)},
    {"silu", 4, 4, -80, 80, exact_silu, quick_silu, PLAIN(silu)},
    {"silu", 4, 4, -3, 3, exact_silu, quick_silu, PLAIN(silu)},
    {"gelu", 8, 8, -13, 8, exact_gelu, quick_gelu, PLAIN(gelu)},
    {"gelu", 8, 8, -1, 1, exact_gelu, quick_gelu, PLAIN(gelu)},
    {"gelu_slope", 4, 4, 0, 8, exact_gelu_slope, quick_gelu_slope, PLAIN(gelu_slope)},
    {"gelu_slope", 8, 8, -12, -3, exact_gelu_slope, quick_gelu_slope, PLAIN(gelu_slope)},
    {"softsign", 1.5, 1.5, -5, 5, exact_softsign, quick_softsign, PLAIN(softsign)},
    {"lgamma", 1, 8, 3, 1e6, lgammal, lgamma, PLAIN(lgamma)},
    {"trunc", 0, 0, -100, 100, truncl, trunc, PLAIN(trunc)},
    {"sqrt", 0.5, 0.5, 1e-30, 1e30, sqrtl, sqrt, PLAIN(sqrt)},
    {"floor", 0, 0, -100, 100, floorl, floor, PLAIN(floor)},
    {"ceil", 0, 0, -100, 100, ceill, ceil, PLAIN(ceil)},
    {"rint", 0, 0, -100, 100, rintl, rint, PLAIN(rint)},
};

static double ulps(long double got, long double exact, int digits, int min_exponent) {
    int exponent;
    if (got == exact) return 0;
    frexpl(exact, &exponent);
    if (exponent < min_exponent) exponent = min_exponent;
    return (double)(fabsl(got - exact) / ldexpl(1, exponent - digits));
}

static double argument(kernel_test *t, const function *f) {
    if (f->low > 0) return exp(kernel_double(t, log(f->low), log(f->high)));
    return kernel_double(t, f->low, f->high);
}

static void run_f32(const function *f, tg_micro_fn *loop, const float *x, float *y) {
    if (loop) loop(CHUNK, y, x, NULL, NULL);
    else
        for (int i = 0; i < CHUNK; i++) y[i] = f->f32(x[i]);
}

static void run_f64(const function *f, tg_micro_fn *loop, const double *x, double *y) {
    if (loop) loop(CHUNK, y, x, NULL, NULL);
    else
        for (int i = 0; i < CHUNK; i++) y[i] = f->f64(x[i]);
}

static void check_f32(kernel_test *t, const function *f, tg_micro_fn *loop, int level) {
    float x[CHUNK], y[CHUNK], worst_at = 0;
    double worst = 0;
    if (f->ulp_f32 < 0) return;
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        for (int i = 0; i < CHUNK; i++) x[i] = (float)argument(t, f);
        run_f32(f, loop, x, y);
        for (int i = 0; i < CHUNK; i++) {
            const double error = ulps(y[i], f->exact(x[i]), FLT_MANT_DIG, FLT_MIN_EXP);
            if (!(error <= worst)) worst = error, worst_at = x[i];
        }
    }
    if (!(worst <= f->ulp_f32))
        kernel_fail(t, "%s f32, set %d, in [%g, %g]: %.2f ULP at %a", f->name, level, f->low, f->high, worst, (double)worst_at);
}

/* ------------------------------------------------------------------ every float (nightly) */

/* Floats in the order of their values: a number for each. */
static int64_t place_of(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits < 0 ? -(int64_t)(bits & INT32_MAX) : bits;
}

static float float_at(int64_t place) {
    int32_t bits = place < 0 ? (int32_t)(-place) | INT32_MIN : (int32_t)place;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* The f64 function errs by some 2^-28 of f32's last place: only what comes that near the bound is worth the exact one. */
static double float_error(const function *f, float x, float y) {
    const double error = ulps(y, f->quick(x), FLT_MANT_DIG, FLT_MIN_EXP);
    return error <= f->ulp_f32 * (1 - 1e-6) ? error : ulps(y, f->exact(x), FLT_MANT_DIG, FLT_MIN_EXP);
}

/* The worst error of the floats from `place` on, and of which. */
static double worst_of_chunk(const function *f, tg_micro_fn *loop, int64_t place, int64_t end, float *at) {
    float x[CHUNK], y[CHUNK];
    double worst = 0;
    for (int i = 0; i < CHUNK; i++) x[i] = float_at(place + i < end ? place + i : end);
    run_f32(f, loop, x, y);
    for (int i = 0; i < CHUNK; i++) {
        const double error = float_error(f, x[i], y[i]);
        if (!(error <= worst)) worst = error, *at = x[i];
    }
    return worst;
}

/* One in `stride` chunks of all floats between the bounds of f, in every set. */
static void sweep(kernel_test *t, const function *f, int64_t stride) {
    const kernel_micro *m = kernel_micro_find(f->name);
    const int64_t begin = place_of((float)f->low), end = place_of((float)f->high);
    for (int level = 0; level < TG_ISA_COUNT; level++) {
        if (!tg__kernels_of((tg_isa_level)level) || (level > 0 && !m)) continue;
        tg_micro_fn *loop = m ? m->table->fn[level][TG_F32] : NULL;
        double worst = 0;
        float worst_at = 0;
#pragma omp parallel for schedule(dynamic, 64)
        for (int64_t place = begin; place <= end; place += CHUNK * stride) {
            float at = 0;
            const double error = worst_of_chunk(f, loop, place, end, &at);
#pragma omp critical
            if (!(error <= worst)) worst = error, worst_at = at;
        }
        if (t->out) fprintf(t->out, "  %s in [%g, %g], set %d: %.3f ULP at %a\n", f->name, f->low, f->high, level, worst,
                            (double)worst_at);
        if (!(worst <= f->ulp_f32)) kernel_fail(t, "%s f32, set %d: %.3f ULP at %a", f->name, level, worst, (double)worst_at);
    }
}

/* Another row says more of the same function. */
static bool is_part_of_another(const function *f) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const function *g = &functions[i];
        bool wider = g->low <= f->low && g->high >= f->high && (g->low < f->low || g->high > f->high);
        if (wider && strcmp(f->name, g->name) == 0 && g->ulp_f32 >= 0 && g->ulp_f32 <= f->ulp_f32) return true;
    }
    return false;
}

int test_kernel_every_float(FILE *out, int64_t stride) {
    kernel_test t = {out, 0, 1};
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (functions[i].ulp_f32 >= 0 && !is_part_of_another(&functions[i])) sweep(&t, &functions[i], stride);
    return t.failures;
}

static void check_f64(kernel_test *t, const function *f, tg_micro_fn *loop, int level) {
    double x[CHUNK], y[CHUNK], worst = 0, worst_at = 0;
    for (int chunk = 0; chunk < CHUNKS; chunk++) {
        for (int i = 0; i < CHUNK; i++) x[i] = argument(t, f);
        run_f64(f, loop, x, y);
        for (int i = 0; i < CHUNK; i++) {
            const double error = ulps(y[i], f->exact(x[i]), DBL_MANT_DIG, DBL_MIN_EXP);
            if (!(error <= worst)) worst = error, worst_at = x[i];
        }
    }
    if (!(worst <= f->ulp_f64))
        kernel_fail(t, "%s f64, set %d, in [%g, %g]: %.2f ULP at %a", f->name, level, f->low, f->high, worst, worst_at);
}

static void check_accuracy(kernel_test *t, const function *f) {
    const kernel_micro *m = kernel_micro_find(f->name);
    for (int level = 0; level < TG_ISA_COUNT; level++) {
        if (!tg__kernels_of((tg_isa_level)level) || (level > 0 && !m)) continue;
        check_f32(t, f, m ? m->table->fn[level][TG_F32] : NULL, level);
        check_f64(t, f, m ? m->table->fn[level][TG_F64] : NULL, level);
    }
}

/* Exact results at the edges; equal is equal, NaN is NaN. */
typedef struct edge {
    const char *name;
    double x, y;
} edge;

static const edge edges[] = {
    {"exp", -INFINITY, 0}, {"exp", INFINITY, INFINITY}, {"exp", 0, 1}, {"exp", 1000, INFINITY}, {"exp", -1000, 0},
    {"exp2", -INFINITY, 0}, {"exp2", INFINITY, INFINITY}, {"exp2", 10, 1024}, {"exp2", -3, 0.125},
    {"expm1", -INFINITY, -1}, {"expm1", INFINITY, INFINITY}, {"expm1", 0, 0}, {"expm1", 1000, INFINITY}, {"expm1", -1000, -1},
    {"log", 0, -INFINITY}, {"log", -0.0, -INFINITY}, {"log", -1, NAN}, {"log", -INFINITY, NAN}, {"log", INFINITY, INFINITY},
    {"log", 1, 0}, {"log2", 0, -INFINITY}, {"log2", 8, 3}, {"log2", 0.25, -2}, {"log2", -1, NAN}, {"log2", INFINITY, INFINITY},
    {"log1p", -1, -INFINITY}, {"log1p", 0, 0}, {"log1p", -2, NAN}, {"log1p", INFINITY, INFINITY}, {"log1p", -INFINITY, NAN},
    {"tanh", INFINITY, 1}, {"tanh", -INFINITY, -1}, {"tanh", 0, 0}, {"tanh", 100, 1}, {"tanh", -100, -1},
    {"sigmoid", INFINITY, 1}, {"sigmoid", -INFINITY, 0}, {"sigmoid", 0, 0.5}, {"sigmoid", 1000, 1}, {"sigmoid", -1000, 0},
    {"sin", 0, 0}, {"cos", 0, 1}, {"sin", INFINITY, NAN}, {"cos", -INFINITY, NAN},
    {"erf", INFINITY, 1}, {"erf", -INFINITY, -1}, {"erf", 0, 0}, {"erf", 30, 1}, {"erf", -30, -1},
    {"sqrt", 4, 2}, {"sqrt", -1, NAN}, {"sqrt", INFINITY, INFINITY}, {"sqrt", 0, 0},
    {"tan", 0, 0}, {"tan", INFINITY, NAN}, {"erfc", INFINITY, 0}, {"erfc", -INFINITY, 2}, {"erfc", 100, 0},
    {"normal_cdf", INFINITY, 1}, {"normal_cdf", -INFINITY, 0}, {"normal_cdf", -100, 0},
    {"cbrt", 27, 3}, {"cbrt", -8, -2}, {"cbrt", 0, 0}, {"cbrt", INFINITY, INFINITY}, {"cbrt", -INFINITY, -INFINITY},
    {"log10", 0, -INFINITY}, {"log10", -1, NAN}, {"log10", INFINITY, INFINITY}, {"log10", 1, 0},
    {"sinh", 0, 0}, {"sinh", INFINITY, INFINITY}, {"sinh", -INFINITY, -INFINITY}, {"sinh", 1000, INFINITY},
    {"cosh", 0, 1}, {"cosh", INFINITY, INFINITY}, {"cosh", -INFINITY, INFINITY}, {"cosh", -1000, INFINITY},
    {"asinh", 0, 0}, {"asinh", INFINITY, INFINITY}, {"asinh", -INFINITY, -INFINITY},
    {"acosh", 1, 0}, {"acosh", 0.5, NAN}, {"acosh", -3, NAN}, {"acosh", INFINITY, INFINITY}, {"acosh", -INFINITY, NAN},
    {"atanh", 0, 0}, {"atanh", 1, INFINITY}, {"atanh", -1, -INFINITY}, {"atanh", 2, NAN}, {"atanh", INFINITY, NAN},
    {"asin", 0, 0}, {"asin", 2, NAN}, {"asin", -INFINITY, NAN}, {"acos", 1, 0}, {"acos", -1.5, NAN}, {"acos", INFINITY, NAN},
    {"asin", 1, 1.57079632679489662}, {"acos", -1, 3.14159265358979324}, {"acos", 0, 1.57079632679489662},
    {"atan", 0, 0}, {"atan", INFINITY, 1.57079632679489662}, {"atan", -INFINITY, -1.57079632679489662},
    {"softplus", INFINITY, INFINITY}, {"softplus", -INFINITY, 0}, {"softplus", 1000, 1000}, {"softplus", -1000, 0},
    {"mish", 0, 0}, {"mish", INFINITY, INFINITY}, {"mish", 1000, 1000}, {"mish", -1000, 0}, {"mish", -INFINITY, 0},
    {"silu", 0, 0}, {"silu", INFINITY, INFINITY}, {"silu", -INFINITY, 0}, {"silu", -1e30, 0}, {"silu", 1e30, 1e30},
    {"gelu", 0, 0}, {"gelu", INFINITY, INFINITY}, {"gelu", -INFINITY, 0}, {"gelu", -1e30, 0}, {"gelu", 1e30, 1e30},
    {"softsign", 0, 0}, {"softsign", INFINITY, 1}, {"softsign", -INFINITY, -1}, {"softsign", -1e35, -1},
    {"sigmoid_slope", 0, 0.25}, {"sigmoid_slope", -INFINITY, 0}, {"sigmoid_slope", INFINITY, 0},
    {"tanh_slope", 0, 1}, {"tanh_slope", -INFINITY, 0}, {"tanh_slope", INFINITY, 0},
    {"lgamma", 1, 0}, {"lgamma", 2, 0}, {"lgamma", 0, INFINITY}, {"lgamma", -3, INFINITY}, {"lgamma", INFINITY, INFINITY},
    {"trunc", -0.5, 0}, {"trunc", 2.9, 2}, {"trunc", -2.9, -2}, {"trunc", 1e18, 1e18}, {"trunc", -INFINITY, -INFINITY},
    {"floor", -0.5, -1}, {"floor", 0.5, 0}, {"floor", 1e18, 1e18}, {"floor", INFINITY, INFINITY},
    {"ceil", -0.5, 0}, {"ceil", 0.5, 1}, {"ceil", -INFINITY, -INFINITY},
    {"rint", 0.5, 0}, {"rint", 1.5, 2}, {"rint", -2.5, -2}, {"rint", 1e18, 1e18}, {"rint", -INFINITY, -INFINITY},
};

static bool agrees(double got, double wanted) {
    return isnan(wanted) ? isnan(got) : got == wanted;
}

static void check_edge(kernel_test *t, const function *f, double x, double y) {
    const kernel_micro *m = kernel_micro_find(f->name);
    for (int level = 0; level < TG_ISA_COUNT; level++) {
        float x32[CHUNK], y32[CHUNK];
        double x64[CHUNK], y64[CHUNK];
        if (!tg__kernels_of((tg_isa_level)level) || (level > 0 && !m)) continue;
        for (int i = 0; i < CHUNK; i++) x32[i] = (float)(x64[i] = x);
        run_f32(f, m ? m->table->fn[level][TG_F32] : NULL, x32, y32);
        run_f64(f, m ? m->table->fn[level][TG_F64] : NULL, x64, y64);
        for (int i = 0; i < CHUNK; i += CHUNK - 1) {
            if (!agrees((double)y32[i], (double)(float)y))
                kernel_fail(t, "%s(%g) f32, set %d: %g, not %g", f->name, x, level, (double)y32[i], y);
            if (!agrees(y64[i], y)) kernel_fail(t, "%s(%g) f64, set %d: %g, not %g", f->name, x, level, y64[i], y);
        }
    }
}

static const function *find_function(const char *name) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (strcmp(functions[i].name, name) == 0) return &functions[i];
    return NULL;
}

/* Results below the normal range: right to one unit of the smallest number. */
static void check_denormal_results(kernel_test *t) {
    for (float x = -104.5f; x < -86.0f; x += 0.01f) {
        const double got = (double)tg__exp_f32(x), exact = exp((double)x);
        if (fabs(got - exact) > 1.5e-45 + 1e-7 * exact) kernel_fail(t, "exp(%a) f32: %a, not %a", (double)x, got, exact);
        const double s = (double)tg__sigmoid_f32(x);
        if (fabs(s - exact) > 1.5e-45 + 3e-7 * exact) kernel_fail(t, "sigmoid(%a) f32: %a, not %a", (double)x, s, exact);
    }
    for (double x = -746; x < -700; x += 0.03) {
        const double got = tg__exp_f64(x), exact = exp(x);
        if (fabs(got - exact) > 5e-324 + 4e-16 * exact) kernel_fail(t, "exp(%a) f64: %a, not %a", x, got, exact);
    }
    for (int e = -149; e < -120; e++) {
        const double got = (double)tg__log_f32(ldexpf(1.25f, e)), exact = log((double)ldexpf(1.25f, e));
        if (fabs(got - exact) > 1e-5) kernel_fail(t, "log(1.25 * 2^%d) f32: %g, not %g", e, got, exact);
    }
    for (int e = -1073; e < -1020; e++) {
        const double x = ldexp(1.0, e), got = tg__log_f64(x);
        if (fabs(got - log(x)) > 1e-12) kernel_fail(t, "log(2^%d) f64: %.17g, not %.17g", e, got, log(x));
    }
}

/* Next to multiples of pi/2 results are as small as 2^-52, and every bit of them is of the remainder. */
static void check_trig_zeros(kernel_test *t) {
    for (int q = 1; q < 636000; q += 7) {
        const double at = (double)(1.57079632679489661923132169163975144L * q);
        const double x = q % 3 ? at : nextafter(at, q % 2 ? 0 : 1e9);
        const double sine = ulps(tg__sin_f64(x), sinl(x), DBL_MANT_DIG, DBL_MIN_EXP);
        const double cosine = ulps(tg__cos_f64(x), cosl(x), DBL_MANT_DIG, DBL_MIN_EXP);
        if (!(sine <= 2)) kernel_fail(t, "sin(%a) f64: %.2f ULP", x, sine);
        if (!(cosine <= 2)) kernel_fail(t, "cos(%a) f64: %.2f ULP", x, cosine);
    }
}

static void check_pow(kernel_test *t) {
    const double special[] = {0,    -0.0, 1,     -1,       2,        -2,        3,          0.5, -0.5,
                              2.5, -3,    1e10, -1e10, 16777217, INFINITY, -INFINITY, (double)NAN};
    const int n = (int)(sizeof special / sizeof *special);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            const float x = (float)special[i], y = (float)special[j], got = tg__pow_f32(x, y), exact = powf(x, y);
            if (!agrees((double)got, (double)exact) && fabsf(got - exact) > 1e-6f * fabsf(exact))
                kernel_fail(t, "pow(%g, %g) f32: %g, not %g", (double)x, (double)y, (double)got, (double)exact);
        }
    for (int i = 0; i < 20000; i++) {
        const float x = (float)kernel_double(t, 0.02, 20), y = (float)kernel_double(t, -20, 20);
        const double error = ulps(tg__pow_f32(x, y), powl(x, y), FLT_MANT_DIG, FLT_MIN_EXP);
        if (!(error <= 1)) kernel_fail(t, "pow(%a, %a) f32: %.2f ULP", (double)x, (double)y, error);
    }
}

/* Two operands: bounds, and the values of the C library at the edges, signs of zeros included. */
typedef struct function2 {
    const char *name;
    double ulp_f32, ulp_f64;
    long double (*exact)(long double, long double);
    float (*f32)(float, float);
    double (*f64)(double, double);
} function2;

static long double exact_remainder(long double a, long double b) {
    const long double rest = fmodl(a, b);
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static const function2 functions2[] = {
    {"atan2", 3, 3, atan2l, PLAIN(atan2)},
    {"hypot", 1, 1.5, hypotl, PLAIN(hypot)},
    {"fmod", 0, 0, fmodl, PLAIN(fmod)},
    {"remainder", 0.5, 0.5, exact_remainder, PLAIN(remainder)},
};

static bool agrees2(double got, double wanted, double relative) {
    if (isnan(wanted) || isnan(got)) return isnan(got) && isnan(wanted);
    if (got == wanted) return got != 0 || signbit(got) == signbit(wanted);
    return fabs(got - wanted) <= relative * fabs(wanted);
}

static void check_two(kernel_test *t, const function2 *f) {
    const double edge[] = {0, -0.0, 1, -1, 2.5, 1e-37, 1e37, INFINITY, -INFINITY, (double)NAN};
    const int n = (int)(sizeof edge / sizeof *edge);
    for (int i = 0; i < n * n; i++) {
        const double a = edge[i / n], b = edge[i % n], exact = (double)f->exact(a, b), got = f->f64(a, b);
        const double exact32 = (double)(float)f->exact((float)a, (float)b), got32 = (double)f->f32((float)a, (float)b);
        if (!agrees2(got, exact, 1e-15)) kernel_fail(t, "%s(%g, %g) f64: %g, not %g", f->name, a, b, got, exact);
        if (!agrees2(got32, exact32, 4e-7)) kernel_fail(t, "%s(%g, %g) f32: %g, not %g", f->name, a, b, got32, exact32);
    }
    for (int i = 0; i < 20000; i++) {
        const double a = kernel_double(t, -9, 9), b = kernel_double(t, -9, 9);
        const double e64 = ulps(f->f64(a, b), f->exact(a, b), DBL_MANT_DIG, DBL_MIN_EXP);
        const double e32 = ulps(f->f32((float)a, (float)b), f->exact((float)a, (float)b), FLT_MANT_DIG, FLT_MIN_EXP);
        if (!(e64 <= f->ulp_f64)) kernel_fail(t, "%s(%a, %a) f64: %.2f ULP", f->name, a, b, e64);
        if (!(e32 <= f->ulp_f32)) kernel_fail(t, "%s(%a, %a) f32: %.2f ULP", f->name, a, b, e32);
    }
}

/* Values by mpmath 1.3 (psi), 17 digits. */
static void check_polygamma(kernel_test *t) {
    const struct { double n, x, y; } known[] = {
        {0, 0.3, -3.5025242222001331}, {0, -2.7, -1.1153471291406895}, {0, 1e5, 11.512920464961895},
        {1, 0.3, 12.245364546107732}, {1, -2.7, 14.769375845132314}, {1, 30.5, 0.033330248112801608},
        {2, 0.3, -75.272536588726041}, {2, -2.7, -68.932939023263799}, {2, 30.5, -0.0011108026689359417},
        {4, 0.3, -9883.4685554969892}, {5, -2.7, 165660.11051361315}, {6, 30.5, -1.6428972478015798e-7},
        {7, 0.3, 76818182.998493224},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const double got = tg__polygamma_f64(known[i].n, known[i].x);
        if (!(fabs(got - known[i].y) <= 32 * 0x1p-53 * fabs(known[i].y)))
            kernel_fail(t, "polygamma(%g, %g): %.17g, not %.17g", known[i].n, known[i].x, got, known[i].y);
    }
    for (int i = 0; i < 2000; i++) { /* psi_n(x + 1) = psi_n(x) + (-1)^n n! / x^(n + 1) */
        const double n = (double)kernel_int(t, 0, 10), x = kernel_double(t, 0.1, 20);
        const double step = (fmod(n, 2) == 0 ? 1 : -1) * tgamma(n + 1) / pow(x, n + 1);
        const double got = tg__polygamma_f64(n, x + 1), exact = tg__polygamma_f64(n, x) + step;
        if (!(fabs(got - exact) <= 1e-14 * (fabs(step) + fabs(got))))
            kernel_fail(t, "polygamma(%g, %g + 1): %.17g, not %.17g", n, x, got, exact);
    }
    const struct { double n, x, y; } edge[] = {
        {0, 0, -INFINITY}, {0, -0.0, INFINITY}, {0, -1, NAN}, {0, INFINITY, INFINITY}, {0, -INFINITY, NAN}, {1, 0, INFINITY},
        {1, -2, INFINITY}, {2, -2, NAN}, {0.5, 1, NAN}, {-1, 1, NAN}, {101, 1, NAN}, {1, NAN, NAN}, {0, NAN, NAN},
    };
    for (size_t i = 0; i < sizeof edge / sizeof *edge; i++) {
        const double got = tg__polygamma_f64(edge[i].n, edge[i].x);
        if (!agrees(got, edge[i].y)) kernel_fail(t, "polygamma(%g, %g): %g, not %g", edge[i].n, edge[i].x, got, edge[i].y);
    }
}

static void check_conversions(kernel_test *t) {
    if (tg__to_i32_f32(NAN) != 0 || tg__to_i32_f32(1e20f) != INT32_MAX || tg__to_i32_f32(-1e20f) != INT32_MIN ||
        tg__to_i32_f32(-2.9f) != -2)
        kernel_fail(t, "f32 to i32 does not saturate");
    if (tg__to_i32_f64((double)NAN) != 0 || tg__to_i32_f64(1e20) != INT32_MAX || tg__to_i32_f64(-1e20) != INT32_MIN ||
        tg__to_i32_f64(2147483646.9) != 2147483646)
        kernel_fail(t, "f64 to i32 does not saturate");
    if (tg__to_i64_f64((double)NAN) != 0 || tg__to_i64_f64(1e30) != INT64_MAX || tg__to_i64_f64(-1e30) != INT64_MIN ||
        tg__to_i64_f32(-3.5f) != -3)
        kernel_fail(t, "floats to i64 do not saturate");
    if (tg__to_u8_f32(NAN) != 0 || tg__to_u8_f32(300) != 255 || tg__to_u8_f32(-4) != 0 || tg__to_u8_f64(254.9) != 254)
        kernel_fail(t, "floats to u8 do not saturate");
    if (tg__div_i32(INT32_MIN, -1) != INT32_MIN || tg__div_i32(5, 0) != 0 || tg__div_i64(-7, 2) != -3)
        kernel_fail(t, "whole division");
}

void test_kernel_math(kernel_test *t) {
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        check_accuracy(t, &functions[i]);
        check_edge(t, &functions[i], (double)NAN, (double)NAN);
    }
    for (const edge *e = edges; e < edges + sizeof edges / sizeof *edges; e++)
        check_edge(t, find_function(e->name), e->x, e->y);
    check_denormal_results(t);
    check_trig_zeros(t);
    check_pow(t);
    for (size_t i = 0; i < sizeof functions2 / sizeof *functions2; i++) check_two(t, &functions2[i]);
    check_polygamma(t);
    check_conversions(t);
}

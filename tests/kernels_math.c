/* tests/kernels_math.c: the functions of kernels/math.h against the C library in long double, in every instruction set that has
 * them as an elementwise loop, and as plain code otherwise; bounds are those that math.h states. */
#include "kernels/math.h"
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
    float (*f32)(float);
    double (*f64)(double);
} function;

static long double exact_sigmoid(long double x) {
    return 1 / (1 + expl(-x));
}

#define PLAIN(name) tg__##name##_f32, tg__##name##_f64
static const function functions[] = {
    {"exp", 1, 1, -87, 88, expl, PLAIN(exp)},
    {"exp", 1, 1, -1, 1, expl, PLAIN(exp)},
    {"exp", F64_ONLY, 1, -700, 709, expl, PLAIN(exp)},
    {"exp2", 1, 1.5, -120, 120, exp2l, PLAIN(exp2)},
    {"expm1", 2, 2, -30, 80, expm1l, PLAIN(expm1)},
    {"expm1", 2, 2, -2, 2, expm1l, PLAIN(expm1)},
    {"expm1", 2, 2, 1e-30, 1, expm1l, PLAIN(expm1)},
    {"log", 2, 2, 1e-37, 1e37, logl, PLAIN(log)},
    {"log", 2, 2, 0.5, 2, logl, PLAIN(log)},
    {"log", 2, 2, 0.99, 1.01, logl, PLAIN(log)},
    {"log2", 2, 2, 1e-37, 1e37, log2l, PLAIN(log2)},
    {"log2", 2, 2, 0.5, 2, log2l, PLAIN(log2)},
    {"log1p", 2, 2, -0.9, 10, log1pl, PLAIN(log1p)},
    {"log1p", 2, 2, 1e-30, 1e30, log1pl, PLAIN(log1p)},
    {"tanh", 3, 3, -10, 10, tanhl, PLAIN(tanh)},
    {"tanh", 3, 3, 1e-30, 20, tanhl, PLAIN(tanh)},
    {"sigmoid", 3, 3, -87, 87, exact_sigmoid, PLAIN(sigmoid)},
    {"sigmoid", 3, 3, -3, 3, exact_sigmoid, PLAIN(sigmoid)},
    {"sin", 1, 2, -10, 10, sinl, PLAIN(sin)},
    {"sin", 1, 2, -1e6, 1e6, sinl, PLAIN(sin)},
    {"sin", 1, 2, 1e-30, 1, sinl, PLAIN(sin)},
    {"cos", 1, 2, -10, 10, cosl, PLAIN(cos)},
    {"cos", 1, 2, -1e6, 1e6, cosl, PLAIN(cos)},
    {"erf", 3, 3, -7, 7, erfl, PLAIN(erf)},
    {"erf", 3, 3, 1e-30, 1, erfl, PLAIN(erf)},
    {"sqrt", 0.5, 0.5, 1e-30, 1e30, sqrtl, PLAIN(sqrt)},
    {"floor", 0, 0, -100, 100, floorl, PLAIN(floor)},
    {"ceil", 0, 0, -100, 100, ceill, PLAIN(ceil)},
    {"rint", 0, 0, -100, 100, rintl, PLAIN(rint)},
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
    check_pow(t);
    check_conversions(t);
}

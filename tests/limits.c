/* tests/limits.c: activations where numbers end: infinities, zeros of both signs, NaN, the largest and the smallest numbers of
 * every float dtype, values and gradients, against the limits of mathematics. */
#include "tests/test.h"

#include <float.h>
#include <math.h>
#include <tapegrad.h>

/* ------------------------------------------------------------------ the functions and their limits */

static tg_tensor leaky(tg_tensor x) { return tg_leaky_relu(x, 0.125); }
static tg_tensor elu(tg_tensor x) { return tg_elu(x, 1); }
static tg_tensor celu(tg_tensor x) { return tg_celu(x, 1); }
static tg_tensor hardtanh(tg_tensor x) { return tg_hardtanh(x, -1, 1); }
#define FUNCTION(name) \
    static tg_tensor name(tg_tensor x) { return tg_##name(x); }
FUNCTION(sigmoid)
FUNCTION(softplus)
FUNCTION(log_sigmoid)
FUNCTION(silu)
FUNCTION(gelu)
FUNCTION(gelu_tanh)
FUNCTION(mish)
FUNCTION(softsign)
FUNCTION(relu)
FUNCTION(relu6)
FUNCTION(selu)
FUNCTION(hardsigmoid)
FUNCTION(hardswish)
FUNCTION(normal_cdf)
static tg_tensor hyperbolic(tg_tensor x) { return tg_tanh(x); } /* the C library has this name, and the next */
static tg_tensor error_function(tg_tensor x) { return tg_erf(x); }

#define INF ((double)INFINITY)
#define LN2 0.69314718055994530942
#define SELU 1.05070098735548049342
#define SELU_LOW (1.67326324235437728482 * SELU)

/* Values and slopes at -infinity, at infinity and at 0; the slope just above 0, which is another one at a kink. */
typedef struct limit {
    const char *name;
    tg_tensor (*f)(tg_tensor x);
    double low, low_slope, high, high_slope, zero, zero_slope, above_slope;
} limit;

static const limit limits[] = {
    {"sigmoid", sigmoid, 0, 0, 1, 0, 0.5, 0.25, 0.25},
    {"tanh", hyperbolic, -1, 0, 1, 0, 0, 1, 1},
    {"softplus", softplus, 0, 0, INF, 1, LN2, 0.5, 0.5},
    {"log_sigmoid", log_sigmoid, -INF, 1, 0, 0, -LN2, 0.5, 0.5},
    {"silu", silu, 0, 0, INF, 1, 0, 0.5, 0.5},
    {"gelu", gelu, 0, 0, INF, 1, 0, 0.5, 0.5},
    {"gelu_tanh", gelu_tanh, 0, 0, INF, 1, 0, 0.5, 0.5},
    {"mish", mish, 0, 0, INF, 1, 0, 0.6, 0.6},
    {"softsign", softsign, -1, 0, 1, 0, 0, 1, 1},
    {"relu", relu, 0, 0, INF, 1, 0, 0, 1},
    {"relu6", relu6, 0, 0, 6, 0, 0, 0, 1},
    {"leaky_relu", leaky, -INF, 0.125, INF, 1, 0, 0.125, 1},
    {"elu", elu, -1, 0, INF, 1, 0, 1, 1},
    {"celu", celu, -1, 0, INF, 1, 0, 1, 1},
    {"selu", selu, -SELU_LOW, 0, INF, SELU, 0, SELU_LOW, SELU},
    {"hardtanh", hardtanh, -1, 0, 1, 0, 0, 1, 1},
    {"hardsigmoid", hardsigmoid, 0, 0, 1, 0, 0.5, 1.0 / 6, 1.0 / 6},
    {"hardswish", hardswish, 0, 0, INF, 1, 0, 0.5, 0.5},
    {"erf", error_function, -1, 0, 1, 0, 0, 1.1283791670955125739, 1.1283791670955125739},
    {"normal_cdf", normal_cdf, 0, 0, 1, 0, 0.5, 0.39894228040143267794, 0.39894228040143267794},
};

typedef struct format {
    tg_dtype dtype;
    double largest, smallest, precision; /* smallest: half of the least normal number */
} format;

static const format formats[] = {
    {TG_F32, FLT_MAX, FLT_MIN / 2, 1e-6},
    {TG_F64, DBL_MAX, DBL_MIN / 2, 1e-14},
    {TG_BF16, 0x1.fep127, FLT_MIN / 2, 0x1p-8},
    {TG_F16, 65504, 0x1p-15, 0x1p-11},
};

/* ------------------------------------------------------------------ the check */

static bool is_near(double got, double want, const format *f) {
    if (fabs(want) > f->largest) want = copysign(INF, want);
    return got == want || fabs(got - want) <= f->precision * fabs(want) + 4 * f->smallest * (want != 0 || fabs(got) > 0);
}

/* At a number that is as good as infinite the value goes along the slope, if it has no finite limit. */
static double far_value(double limit, double slope, double x) { return isinf(limit) && isfinite(x) ? slope * x : limit; }

static void check_point(const limit *l, const format *f, double x, double y, double g) {
    const bool far = fabs(x) > 1, tiny = !far && x != 0;
    const double slope = far ? (x < 0 ? l->low_slope : l->high_slope) : l->zero_slope;
    const double value = far ? far_value(x < 0 ? l->low : l->high, slope, x) : l->zero;
    CHECK(is_near(y, value, f), "%s %s(%g) is %g, not %g", tg_dtype_name(f->dtype), l->name, x, y, value);
    CHECK(is_near(g, slope, f) || (tiny && x > 0 && is_near(g, l->above_slope, f)), "%s %s'(%g) is %g, not %g",
          tg_dtype_name(f->dtype), l->name, x, g, slope);
}

#define POINTS 9

static void check_limits(tg_tape *t, const limit *l, const format *f) {
    const double at[POINTS] = {-INF, INF, -0.0, 0.0, -f->largest, f->largest, -f->smallest, f->smallest, (double)NAN};
    float narrow[POINTS];
    for (int i = 0; i < POINTS; i++) narrow[i] = (float)at[i];
    tg_tensor x = tg_input(t, f->dtype == TG_F64 ? tg_f64(at, TG_SHAPE(POINTS)) : tg_f32(narrow, TG_SHAPE(POINTS))), g;
    if (f->dtype != TG_F64) x = tg_cast(x, f->dtype);
    tg_tensor y = l->f(x);
    tg_grad(tg_sum(y, TG_ALL_AXES, false), &x, 1, &g);
    const double *value = tg_data(tg_cast(y, TG_F64)), *slope = tg_data(tg_cast(g, TG_F64));
    CHECK(value && slope, "%s %s: %s", tg_dtype_name(f->dtype), l->name, tg_message(t));
    for (int i = 0; value && slope && i < POINTS - 1; i++) check_point(l, f, at[i], value[i], slope[i]);
    CHECK(value && isnan(value[POINTS - 1]), "%s %s(NaN) is a number", tg_dtype_name(f->dtype), l->name);
    tg_clear(t);
    tg_tape_reset(t);
}

TEST(limits, activations_at_the_ends_of_every_float_dtype) {
    tg_tape *t = tg_tape_new();
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
        for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) check_limits(t, &limits[i], &formats[k]);
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ long reductions */

static tg_tensor sum(tg_tensor x) { return tg_sum(x, TG_ALL_AXES, false); }
static tg_tensor mean(tg_tensor x) { return tg_mean(x, TG_ALL_AXES, false); }
static tg_tensor var(tg_tensor x) { return tg_var(x, TG_ALL_AXES, 1, false); }
static tg_tensor std(tg_tensor x) { return tg_std(x, TG_ALL_AXES, 1, false); }
static tg_tensor length(tg_tensor x) { return tg_norm(x, 2, TG_ALL_AXES, false); }
static tg_tensor norm3(tg_tensor x) { return tg_norm(x, 3, TG_ALL_AXES, false); }
static tg_tensor logsumexp(tg_tensor x) { return tg_logsumexp(x, TG_ALL_AXES, false); }
static tg_tensor dot(tg_tensor x) { return tg_dot(x, x); }
static tg_tensor softmax(tg_tensor x) { return tg_softmax(x, 0); }
static tg_tensor log_softmax(tg_tensor x) { return tg_log_softmax(x, 0); }
static tg_tensor cumsum(tg_tensor x) { return tg_cumsum(x, 0); }
static tg_tensor columns(tg_tensor x) { return tg_sum(tg_reshape(x, TG_SHAPE(250000, 4)), TG_AXES(0), false); }

typedef struct reduction {
    const char *name;
    tg_tensor (*f)(tg_tensor x);
} reduction;

static const reduction reductions[] = {
    {"sum", sum},         {"mean", mean},         {"var", var},           {"std", std},
    {"norm", length},     {"3-norm", norm3},      {"logsumexp", logsumexp}, {"dot", dot},
    {"softmax", softmax}, {"log_softmax", log_softmax}, {"cumsum", cumsum}, {"sum of columns", columns},
};

#define MILLION 1000000

/* The largest difference of f32 and f64, relative to the largest element. */
static double difference(tg_tensor narrow, tg_tensor wide) {
    const float *a = tg_data(narrow);
    const double *b = tg_data(wide);
    double worst = 0, largest = 0;
    for (int64_t i = 0; a && b && i < tg_numel(wide); i++) {
        worst = fmax(worst, fabs((double)a[i] - b[i]));
        largest = fmax(largest, fabs(b[i]));
    }
    return a && b ? worst / largest : INF;
}

TEST(limits, reductions_of_a_million_elements_are_good_to_1e_minus_5) {
    tg_tape *t = tg_tape_new();
    for (size_t i = 0; i < sizeof reductions / sizeof *reductions; i++) {
        const reduction *r = &reductions[i];
        tg_tensor x = tg_uniform(t, TG_SHAPE(MILLION), TG_F32, -1, 3), wide = tg_cast(x, TG_F64), g[2];
        tg_tensor y[] = {r->f(x), r->f(wide)}, v = tg_uniform(t, tg_shape_of(y[0]), TG_F32, 0.25, 1);
        tg_vjp(y[0], v, &x, 1, &g[0]);
        tg_vjp(y[1], tg_cast(v, TG_F64), &wide, 1, &g[1]);
        const double value = difference(y[0], y[1]), gradient = difference(g[0], g[1]);
        CHECK(value <= 1e-5, "%s is off by %g: %s", r->name, value, tg_message(t));
        CHECK(gradient <= 1e-5, "the gradient of %s is off by %g: %s", r->name, gradient, tg_message(t));
        tg_clear(t);
        tg_tape_reset(t);
    }
    tg_tape_free(t);
}

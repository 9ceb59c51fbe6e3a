/* tests/kinks.c: the one subgradient that each op's documentation names at each of its kinks, and no NaN from a branch that is
 * not taken. */
#include "tests/test.h"

#include <math.h>
#include <tapegrad.h>

static tg_tensor number(tg_tape *t, double x) { return tg_input(t, tg_f64(&x, TG_SCALAR)); }

/* Activations with the numbers that people give them. */
static tg_tensor leaky(tg_tensor x) { return tg_leaky_relu(x, 0.25); }
static tg_tensor elu(tg_tensor x) { return tg_elu(x, 0.5); }
static tg_tensor celu(tg_tensor x) { return tg_celu(x, 0.5); }
static tg_tensor clamp(tg_tensor x) { return tg_clamp(x, -1, 2); }
static tg_tensor hardtanh(tg_tensor x) { return tg_hardtanh(x, -1, 2); }

#define SELU_LEFT 1.75809934084737685994

static const struct kink {
    const char *name;
    tg_tensor (*op)(tg_tensor);
    double x, y, slope;
} kinks[] = {
    {"relu", tg_relu, 0, 0, 0}, {"relu", tg_relu, -0.0, 0, 0}, {"abs", tg_abs, 0, 0, 0}, {"abs", tg_abs, -0.0, 0, 0},
    {"leaky_relu", leaky, 0, 0, 0.25}, {"leaky_relu", leaky, -2, -0.5, 0.25}, {"leaky_relu", leaky, 2, 2, 1},
    {"elu", elu, 0, 0, 0.5}, {"elu", elu, 1000, 1000, 1}, {"elu", elu, -1000, -0.5, 0}, {"celu", celu, 0, 0, 1},
    {"celu", celu, 1000, 1000, 1}, {"celu", celu, -1000, -0.5, 0}, {"selu", tg_selu, 0, 0, SELU_LEFT},
    {"relu6", tg_relu6, 0, 0, 0}, {"relu6", tg_relu6, 6, 6, 0}, {"relu6", tg_relu6, 3, 3, 1},
    {"clamp", clamp, -1, -1, 1}, {"clamp", clamp, 2, 2, 1}, {"clamp", clamp, 3, 2, 0}, {"clamp", clamp, -3, -1, 0},
    {"hardtanh", hardtanh, -1, -1, 0}, {"hardtanh", hardtanh, 2, 2, 0}, {"hardtanh", hardtanh, 1.5, 1.5, 1},
    {"hardsigmoid", tg_hardsigmoid, -3, 0, 0}, {"hardsigmoid", tg_hardsigmoid, 3, 1, 0},
    {"hardsigmoid", tg_hardsigmoid, 4, 1, 0}, {"hardsigmoid", tg_hardsigmoid, -4, 0, 0},
    {"hardswish", tg_hardswish, -3, 0, 0}, {"hardswish", tg_hardswish, 3, 3, 1}, {"hardswish", tg_hardswish, 5, 5, 1},
    {"softsign", tg_softsign, 0, 0, 1}, {"frac", tg_frac, 2, 0, 1}, {"frac", tg_frac, -2.25, -0.25, 1},
    {"sqrt", tg_sqrt, 0, 0, INFINITY}, {"cbrt", tg_cbrt, 0, 0, INFINITY}, {"log", tg_log, 0, -INFINITY, INFINITY},
    {"asin", tg_asin, 1, 1.57079632679489662, INFINITY}, {"acosh", tg_acosh, 1, 0, INFINITY},
};

TEST(kinks, one_subgradient_each) {
    tg_tape *t = tg_tape_new();
    for (size_t i = 0; i < sizeof kinks / sizeof *kinks; i++) {
        const struct kink *k = &kinks[i];
        tg_tensor x = number(t, k->x), y = k->op(x), dx = {0};
        tg_grad(y, &x, 1, &dx);
        double value = tg_item(y), slope = tg_item(dx);
        CHECK(value == k->y, "%s(%g) = %.17g, not %.17g", k->name, k->x, value, k->y);
        bool right = slope == k->slope || fabs(slope - k->slope) < 1e-15;
        CHECK(right, "%s at %g: %.17g, not %.17g", k->name, k->x, slope, k->slope);
    }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

static const struct tie {
    const char *name;
    tg_tensor (*op)(tg_tensor, tg_tensor);
    double a, b, da, db;
} ties[] = {
    {"maximum", tg_maximum, 1, 1, 1, 0}, {"minimum", tg_minimum, 1, 1, 1, 0}, {"hypot", tg_hypot, 0, 0, 0, 0},
    {"atan2", tg_atan2, 0, 0, 0, 0}, {"pow", tg_pow, 0, 0, 0, 0}, {"pow", tg_pow, 0, 2, 0, 0},
    {"prelu", tg_prelu, 0, 0.25, 0.25, 0}, {"fmod", tg_fmod, 6, 2, 1, -3}, {"fmod", tg_fmod, -7, 2, 1, 3},
    {"remainder", tg_remainder, 6, 2, 1, -3}, {"remainder", tg_remainder, -7, 2, 1, 4},
};

TEST(kinks, ties_and_origins) {
    tg_tape *t = tg_tape_new();
    for (size_t i = 0; i < sizeof ties / sizeof *ties; i++) {
        const struct tie *k = &ties[i];
        tg_tensor in[2] = {number(t, k->a), number(t, k->b)}, g[2] = {{0}};
        tg_grad(k->op(in[0], in[1]), in, 2, g);
        double da = tg_item(g[0]), db = tg_item(g[1]);
        CHECK(da == k->da, "%s: d/da at (%g, %g) = %g, not %g", k->name, k->a, k->b, da, k->da);
        CHECK(db == k->db, "%s: d/db at (%g, %g) = %g, not %g", k->name, k->a, k->b, db, k->db);
    }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

static tg_tensor one_over(tg_tensor x) { return tg_div(number(tg_tape_of(x), 1), x); }
static tg_tensor x_over_size(tg_tensor x) { return tg_div(x, tg_abs(x)); }
static tg_tensor power(tg_tensor x) { return tg_pow(x, number(tg_tape_of(x), -0.5)); }
static tg_tensor root_of_log(tg_tensor x) { return tg_sqrt(tg_log(x)); }

/* where(condition, f(x), 0) where the condition is false and f or its derivative does not exist. */
TEST(kinks, no_nan_from_the_other_branch) {
    static const struct {
        const char *name;
        tg_tensor (*op)(tg_tensor);
        double x;
    } cases[] = {
        {"sqrt", tg_sqrt, 0}, {"sqrt", tg_sqrt, -1}, {"rsqrt", tg_rsqrt, 0}, {"cbrt", tg_cbrt, 0}, {"log", tg_log, 0},
        {"log2", tg_log2, 0}, {"log10", tg_log10, 0}, {"log1p", tg_log1p, -1}, {"reciprocal", tg_reciprocal, 0},
        {"1 / x", one_over, 0}, {"x / |x|", x_over_size, 0}, {"x^-1/2", power, 0}, {"exp", tg_exp, 1000},
        {"exp2", tg_exp2, 1e5}, {"expm1", tg_expm1, 1000}, {"sinh", tg_sinh, 1000}, {"cosh", tg_cosh, 1000},
        {"asin", tg_asin, 1}, {"acos", tg_acos, 2}, {"acosh", tg_acosh, 1}, {"atanh", tg_atanh, 1}, {"lgamma", tg_lgamma, 0},
        {"digamma", tg_digamma, 0}, {"sqrt(log)", root_of_log, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        tg_tape *t = tg_tape_new();
        tg_tensor x = number(t, cases[i].x), no = tg_ne(x, x), zero = number(t, 0), dx = {0}, second = {0};
        tg_grad(tg_where(no, cases[i].op(x), zero), &x, 1, &dx);
        CHECK(tg_item(dx) == 0, "%s at %g: %g through a branch not taken", cases[i].name, cases[i].x, tg_item(dx));
        tg_grad(dx, &x, 1, &second);
        CHECK(tg_item(second) == 0, "%s at %g: second derivative %g", cases[i].name, cases[i].x, tg_item(second));
        CHECK(tg_ok(t), "%s: %s", cases[i].name, tg_message(t));
        tg_tape_free(t);
    }
}

TEST(kinks, nothing_flows_through_steps) {
    tg_tensor (*const ops[])(tg_tensor) = {tg_floor, tg_ceil, tg_round, tg_trunc, tg_sign, tg_heaviside};
    tg_tape *t = tg_tape_new();
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        tg_tensor x = number(t, 1.5), dx = {0};
        tg_grad(tg_mul(x, ops[i](x)), &x, 1, &dx);
        CHECK(tg_item(dx) == tg_item(ops[i](x)), "op %d: %g", (int)i, tg_item(dx));
    }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_polygamma(number(t, 1), -1);
    CHECK_EQ_I(tg_error(t), TG_EARG);
    CHECK_STR(tg_message(t), "the order is -1");
    tg_tape_free(t);
}

TEST(kinks, nan_stays_nan) {
    tg_tensor (*const ops[])(tg_tensor) = {tg_relu, tg_relu6, leaky, elu, celu, tg_selu, clamp, hardtanh, tg_hardsigmoid,
                                           tg_hardswish, tg_softsign, tg_heaviside, tg_silu, tg_gelu, tg_gelu_tanh, tg_mish,
                                           tg_sign, tg_floor, tg_frac, tg_cbrt, tg_softplus, tg_log_sigmoid};
    tg_tape *t = tg_tape_new();
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        CHECK(isnan(tg_item(ops[i](number(t, (double)NAN)))), "op %d hides a NaN", (int)i);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

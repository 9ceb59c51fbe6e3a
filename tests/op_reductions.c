/* tests/op_reductions.c: edges of reductions and scans that random samples do not meet: zeros, ties, infinities, nothing. */
#include "tests/test.h"

#include <math.h>
#include <tapegrad.h>

static tg_tensor vector(tg_tape *t, int64_t n, const double *x) { return tg_input(t, tg_f64(x, TG_SHAPE(n))); }
#define VECTOR(t, ...) \
    vector(t, (int64_t)(sizeof((double[]){0, __VA_ARGS__}) / sizeof(double)) - 1, (const double[]){0, __VA_ARGS__} + 1)

static bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void check_values(tg_tensor x, int64_t n, const double *want, const char *what) {
    double v[64];
    tg_tensor wide = tg_cast(x, TG_F64);
    if (!CHECK(tg_numel(x) == n && !tg_read(wide, v, (size_t)n * sizeof *v), "%s: %s", what, tg_message(tg_tape_of(x)))) return;
    for (int64_t i = 0; i < n; i++) CHECK(same(v[i], want[i]), "%s: element %d is %g, not %g", what, (int)i, v[i], want[i]);
}
#define VALUES(x, ...) \
    check_values(x, (int64_t)(sizeof((double[]){0, __VA_ARGS__}) / sizeof(double)) - 1, (const double[]){0, __VA_ARGS__} + 1, #x)

static tg_tensor all(tg_tensor x) { return tg_sum(x, TG_ALL_AXES, false); }

static tg_tensor gradient(tg_tensor y, tg_tensor x) {
    tg_tensor g;
    tg_grad(tg_numel(y) == 1 ? y : all(y), &x, 1, &g);
    return g;
}

/* ------------------------------------------------------------------ products */

TEST(reductions, product_with_zeros) {
    tg_tape *t = tg_tape_new();
    tg_tensor none = VECTOR(t, 2, 3, 4, 5, 6), one = VECTOR(t, 2, 0, 4, 5, 6), two = VECTOR(t, 2, 0, 4, 0, 6);
    VALUES(gradient(tg_prod(none, TG_ALL_AXES, false), none), 360, 240, 180, 144, 120);
    VALUES(gradient(tg_prod(one, TG_ALL_AXES, false), one), 0, 240, 0, 0, 0);
    VALUES(gradient(tg_prod(two, TG_ALL_AXES, false), two), 0, 0, 0, 0, 0);
    /* d2/dx_i dx_j is the product of all others: for two zeros, of those two alone. */
    tg_tensor g = gradient(tg_prod(two, TG_ALL_AXES, false), two);
    VALUES(gradient(tg_slice(g, 0, 1, 2, 1), two), 0, 0, 0, 48, 0);
    VALUES(gradient(tg_slice(g, 0, 0, 1, 1), two), 0, 0, 0, 0, 0);
    tg_tensor third = gradient(tg_slice(gradient(tg_slice(g, 0, 1, 2, 1), two), 0, 3, 4, 1), two);
    VALUES(third, 24, 0, 12, 0, 8);
    tg_tape_free(t);
}

TEST(reductions, of_nothing) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_input(t, tg_f64(NULL, TG_SHAPE(2, 0)));
    VALUES(tg_prod(x, TG_AXES(1), false), 1, 1);
    VALUES(tg_prod(x, TG_AXES(0), false), );
    VALUES(tg_any(x, TG_AXES(1), false), 0, 0);
    VALUES(tg_all(x, TG_AXES(1), false), 1, 1);
    VALUES(tg_norm(x, 2, TG_AXES(1), false), 0, 0);
    VALUES(tg_logsumexp(x, TG_AXES(1), false), -INFINITY, -INFINITY);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ ties and edges */

TEST(reductions, arg_of_ties_and_nans) {
    tg_tape *t = tg_tape_new();
    VALUES(tg_argmax(VECTOR(t, 1, 3, 3, 0), 0), 1);
    VALUES(tg_argmin(VECTOR(t, 1, 0, 3, 0), 0), 1);
    VALUES(tg_argmax(VECTOR(t, 1, NAN, 3, NAN), 0), 1);
    VALUES(tg_argmin(VECTOR(t, 1, 3, NAN, -1), 0), 2);
    tg_tape_free(t);
}

TEST(reductions, truth_of_nan_and_whole_numbers) {
    tg_tape *t = tg_tape_new();
    VALUES(tg_any(VECTOR(t, 0, NAN), TG_ALL_AXES, false), 1);
    VALUES(tg_all(VECTOR(t, 1, NAN), TG_ALL_AXES, false), 1);
    VALUES(tg_all(VECTOR(t, 1, -0.0), TG_ALL_AXES, false), 0);
    VALUES(tg_any(tg_input(t, tg_u8((const uint8_t[]){0, 0, 7}, TG_SHAPE(3))), TG_ALL_AXES, true), 1);
    tg_tape_free(t);
}

TEST(reductions, deviation_and_length_of_equals) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = VECTOR(t, 3, 3, 3), zero = VECTOR(t, 0, 0);
    tg_tensor y = tg_std(x, TG_ALL_AXES, 1, false), n = tg_norm(zero, 2, TG_ALL_AXES, false);
    VALUES(y, 0);
    VALUES(gradient(y, x), 0, 0, 0);
    VALUES(gradient(n, zero), 0, 0);
    VALUES(gradient(tg_norm(zero, 3, TG_ALL_AXES, false), zero), 0, 0);
    VALUES(gradient(tg_norm(zero, 1, TG_ALL_AXES, false), zero), 0, 0);
    VALUES(tg_norm(VECTOR(t, -3, 0, 4), 0, TG_ALL_AXES, false), 2);
    VALUES(tg_norm(VECTOR(t, -3, 0, 4), 2, TG_ALL_AXES, false), 5);
    VALUES(tg_norm(VECTOR(t, -3, 0, 4), INFINITY, TG_ALL_AXES, false), 4);
    VALUES(tg_norm(VECTOR(t, -3, 0, 4), -INFINITY, TG_ALL_AXES, false), 0);
    tg_tensor tied = VECTOR(t, -4, 0, 4);
    VALUES(gradient(tg_norm(tied, INFINITY, TG_ALL_AXES, false), tied), -0.5, 0, 0.5);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_norm(x, -2, TG_ALL_AXES, false);
    CHECK_STR(tg_message(t), "norm: p is -2");
    tg_tape_free(t);
}

TEST(reductions, logsumexp_of_infinities) {
    tg_tape *t = tg_tape_new();
    tg_tensor low = VECTOR(t, -INFINITY, -INFINITY), mixed = VECTOR(t, -INFINITY, 3), high = VECTOR(t, 800, 800);
    VALUES(tg_logsumexp(low, TG_ALL_AXES, false), -INFINITY);
    VALUES(gradient(tg_logsumexp(low, TG_ALL_AXES, false), low), 0, 0);
    VALUES(tg_logsumexp(mixed, TG_ALL_AXES, false), 3);
    VALUES(gradient(tg_logsumexp(mixed, TG_ALL_AXES, false), mixed), 0, 1);
    VALUES(tg_logsumexp(high, TG_ALL_AXES, false), 800 + log(2));
    VALUES(tg_logsumexp(VECTOR(t, 1, INFINITY), TG_ALL_AXES, false), INFINITY);
    VALUES(tg_logsumexp(VECTOR(t, 1, NAN), TG_ALL_AXES, false), NAN);
    tg_tape_free(t);
}

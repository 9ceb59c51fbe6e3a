/* tests/op_reductions.c: edges of reductions and scans that random samples do not meet: zeros, ties, infinities, nothing. */
#include "tests/test.h"

#include <math.h>
#include <string.h>
#include <tapegrad.h>

static tg_tensor vector(tg_tape *t, int64_t n, const double *x) { return tg_input(t, tg_f64(x, TG_SHAPE(n))); }
#define VECTOR(t, ...) vector(t, COUNT(__VA_ARGS__), (const double[]){0, __VA_ARGS__} + 1)

static bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void check_values(tg_tensor x, int64_t n, const double *want, const char *what) {
    double v[64];
    tg_tensor wide = tg_cast(x, TG_F64);
    if (!CHECK(tg_numel(x) == n && !tg_read(wide, v, (size_t)n * sizeof *v), "%s: %s", what, tg_message(tg_tape_of(x)))) return;
    for (int64_t i = 0; i < n; i++) CHECK(same(v[i], want[i]), "%s: element %d is %g, not %g", what, (int)i, v[i], want[i]);
}
#define COUNT(...) ((int64_t)(sizeof((double[]){0, __VA_ARGS__}) / sizeof(double)) - 1)
#define VALUES(x, ...) check_values(x, COUNT(__VA_ARGS__), (const double[]){0, __VA_ARGS__} + 1, #x)

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

/* ------------------------------------------------------------------ running */

TEST(reductions, running_product_with_zeros) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = VECTOR(t, 2, 0, 3, 0, 5), y = tg_cumprod(x, 0), g = gradient(y, x);
    VALUES(y, 2, 0, 0, 0, 0);
    VALUES(g, 1, 8, 0, 0, 0); /* y1 + y2 by x1: x0 + x0 x2 */
    VALUES(gradient(tg_slice(g, 0, 1, 2, 1), x), 4, 0, 2, 36, 0);
    tg_tape_free(t);
}

TEST(reductions, running_extremes_of_ties_and_nans) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = VECTOR(t, 1, 3, 2, 3, 4);
    VALUES(tg_cummax(x, 0), 1, 3, 3, 3, 4);
    VALUES(tg_argcummax(x, 0), 0, 1, 1, 1, 4);
    VALUES(gradient(tg_cummax(x, 0), x), 1, 3, 0, 0, 1);
    VALUES(tg_cummin(VECTOR(t, 2, 2, NAN, 1), 0), 2, 2, NAN, NAN);
    VALUES(tg_argcummin(VECTOR(t, 2, 2, NAN, NAN), 0), 0, 0, 2, 2);
    tg_tape_free(t);
}

TEST(reductions, running_sums_of_whole_numbers) {
    tg_tape *t = tg_tape_new();
    VALUES(tg_cumsum(tg_input(t, tg_i32((const int32_t[]){1, -2, 5, 1}, TG_SHAPE(2, 2))), 0), 1, -2, 6, -1);
    VALUES(tg_cumprod(tg_input(t, tg_i64((const int64_t[]){1, -2, 5, 1}, TG_SHAPE(4))), 0), 1, -2, -10, -10);
    VALUES(tg_cumsum(tg_input(t, tg_i32((const int32_t[]){INT32_MAX, 1}, TG_SHAPE(2))), 0), INT32_MAX, INT32_MIN);
    tg_tape_free(t);
}

/* A million equal f32 numbers: a sum that ran in f32 would be off by hundreds. */
TEST(reductions, running_sum_of_many_floats) {
    enum { N = 1000000 };
    tg_tape *t = tg_tape_new();
    tg_tensor y = tg_cumsum(tg_expand(tg_scalar(t, 0.1, TG_F32), TG_SHAPE(N)), 0);
    CHECK_NEAR(tg_item(tg_slice(y, 0, N - 1, N, 1)), N * (double)0.1f, 0.01);
    tg_tape_free(t);
}

TEST(reductions, running_logsumexp_of_infinities) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = VECTOR(t, -INFINITY, -INFINITY, 1, -INFINITY, 1), y = tg_logcumsumexp(x, 0);
    VALUES(y, -INFINITY, -INFINITY, 1, 1, 1 + log(2));
    VALUES(gradient(tg_slice(y, 0, 2, 5, 1), x), 0, 0, 2.5, 0, 0.5);
    VALUES(gradient(tg_slice(y, 0, 1, 2, 1), x), 0, 0, 0, 0, 0);
    VALUES(tg_logcumsumexp(VECTOR(t, 1, INFINITY, INFINITY, 2), 0), 1, INFINITY, INFINITY, INFINITY);
    VALUES(tg_logcumsumexp(VECTOR(t, 0, NAN, 2), 0), 0, NAN, NAN);
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ sorting */

TEST(reductions, sort_of_ties_zeros_and_nans) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = VECTOR(t, 2, NAN, 0, 2, -0.0, -INFINITY, -NAN);
    VALUES(tg_argsort(x, 0, false), 5, 2, 4, 0, 3, 1, 6);
    VALUES(tg_argsort(x, 0, true), 1, 6, 0, 3, 2, 4, 5);
    VALUES(tg_sort(x, 0, true), NAN, NAN, 2, 2, 0, 0, -INFINITY);
    VALUES(tg_argtopk(x, -1, 3, true), 1, 6, 0);
    VALUES(tg_topk(x, 0, 2, false), -INFINITY, 0);
    tg_tensor y = VECTOR(t, 3, 1, 3);
    VALUES(gradient(tg_mul(tg_sort(y, 0, false), VECTOR(t, 10, 20, 30)), y), 20, 10, 30);
    VALUES(tg_argsort(tg_cast(x, TG_F32), 0, false), 5, 2, 4, 0, 3, 1, 6);
    VALUES(tg_argsort(tg_cast(x, TG_F32), 0, true), 1, 6, 0, 3, 2, 4, 5);
    tg_tensor wide = tg_input(t, tg_i64((const int64_t[]){0, INT64_MIN, INT64_MAX, -1}, TG_SHAPE(4)));
    tg_tensor narrow = tg_input(t, tg_i32((const int32_t[]){0, INT32_MIN, INT32_MAX, -1}, TG_SHAPE(2, 2)));
    VALUES(tg_sort(wide, 0, false), (double)INT64_MIN, -1, 0, (double)INT64_MAX);
    VALUES(tg_sort(narrow, 0, true), INT32_MAX, -1, 0, INT32_MIN);
    VALUES(tg_sort(tg_input(t, tg_u8((const uint8_t[]){200, 3, 100}, TG_SHAPE(3))), 0, true), 200, 100, 3);
    VALUES(tg_sort(tg_input(t, tg_bools((const uint8_t[]){1, 0, 1}, TG_SHAPE(3))), 0, false), 0, 1, 1);
    tg_tape_free(t);
}

/* Many equal elements: insertion, radix and selection must agree on the order of equals. */
TEST(reductions, sort_is_stable_at_every_length) {
    static const int lengths[] = {1, 2, 47, 48, 49, 50, 300, 5000};
    tg_tape *t = tg_tape_new();
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++)
        for (int descending = 0; descending < 2; descending++) {
            float x[5000];
            int64_t order[5000], part[5000];
            int n = lengths[l];
            for (int i = 0; i < n; i++) x[i] = (float)(i * 7919 % 13) - 6;
            tg_tensor in = tg_input(t, tg_f32(x, TG_SHAPE(n)));
            tg_read(tg_argsort(in, 0, descending), order, (size_t)n * sizeof *order);
            tg_read(tg_argtopk(in, 0, (n + 8) / 9, descending), part, (size_t)((n + 8) / 9) * sizeof *part);
            for (int i = 1; i < n; i++) {
                float a = x[order[i - 1]], b = x[order[i]];
                if (!CHECK(a == b ? order[i - 1] < order[i] : (a < b) != descending, "length %d, place %d", n, i)) break;
            }
            CHECK(!memcmp(order, part, (size_t)((n + 8) / 9) * sizeof *part), "length %d: the best are others", n);
            tg_tape_reset(t);
        }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

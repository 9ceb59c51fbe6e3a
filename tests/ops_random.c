/* tests/ops_random.c: random tensors: their distributions, the same for any number of threads, and their state. */
#include "tests/test.h"

#include <math.h>
#include <string.h>
#include <tapegrad.h>

#define N 200000

/* The largest deviation of the shares from what they should be, in standard deviations. */
static double worst_share(const int64_t *v, int64_t n, int64_t lo, int classes, const double *share) {
    int64_t count[64] = {0};
    double worst = 0;
    for (int64_t i = 0; i < n; i++) {
        if (v[i] < lo || v[i] >= lo + classes) return INFINITY;
        count[v[i] - lo]++;
    }
    for (int k = 0; k < classes; k++) {
        double p = share ? share[k] : 1.0 / classes, off = fabs((double)count[k] - p * (double)n);
        worst = fmax(worst, p > 0 ? off / sqrt((double)n * p * (1 - p)) : count[k] ? INFINITY : 0);
    }
    return worst;
}

TEST(random, whole_numbers_are_evenly_spread) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_randint(t, TG_SHAPE(N), TG_I64, -3, 4), y = tg_cast(tg_randint(t, TG_SHAPE(N), TG_I32, 5, 6), TG_I64);
    CHECK(worst_share(tg_data(x), N, -3, 7, NULL) < 4.5, "-3 to 3: %g", worst_share(tg_data(x), N, -3, 7, NULL));
    CHECK(worst_share(tg_data(y), N, 5, 1, NULL) == 0, "only 5");
    tg_tensor wide = tg_randint(t, TG_SHAPE(N), TG_I32, INT32_MIN, INT32_MAX);
    const int32_t *w = tg_data(wide);
    int64_t negative = 0;
    for (int i = 0; w && i < N; i++) negative += w[i] < 0;
    CHECK(fabs((double)negative - N / 2) < 4.5 * sqrt(N) / 2, "%lld of %d are negative", (long long)negative, N);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

TEST(random, categories_have_their_probabilities) {
    tg_tape *t = tg_tape_new();
    const double share[4] = {0.5, 0, 0.3, 0.2}, logits[4] = {log(0.5), -INFINITY, log(0.3), log(0.2)};
    for (tg_dtype d = TG_F32; d <= TG_F64; d++) {
        tg_tensor row = tg_cast(tg_input(t, tg_f64(logits, TG_SHAPE(4))), d);
        tg_tensor rows = tg_categorical(tg_expand(row, TG_SHAPE(N, 4)), -1);
        tg_tensor columns = tg_categorical(tg_expand(tg_unsqueeze(row, TG_AXES(1)), TG_SHAPE(4, N)), 0);
        CHECK(worst_share(tg_data(rows), N, 0, 4, share) < 4.5, "rows: %g", worst_share(tg_data(rows), N, 0, 4, share));
        CHECK(worst_share(tg_data(columns), N, 0, 4, share) < 4.5, "columns");
        tg_tensor coin = tg_cast(tg_bernoulli(tg_full(t, TG_SHAPE(N), 0.3, d)), TG_I64);
        CHECK(worst_share(tg_data(coin), N, 0, 2, (const double[]){0.7, 0.3}) < 4.5, "bernoulli");
        tg_tensor sure = tg_cast(tg_bernoulli(tg_input(t, tg_f64((const double[]){0, 1, NAN}, TG_SHAPE(3)))), TG_F64);
        CHECK(!memcmp(tg_data(sure), (const double[]){0, 1, 0}, 3 * sizeof(double)), "never, always, never");
    }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

static void same_numbers(tg_tensor have, tg_tensor want, const char *what) {
    size_t bytes = (size_t)tg_numel(want) * tg_dtype_size(tg_dtype_of(want));
    CHECK_EQ_I(tg_dtype_of(have), tg_dtype_of(want));
    const void *a = tg_data(have), *b = tg_data(want);
    CHECK(a && b && memcmp(a, b, bytes) == 0, "%s differs from the rounded numbers of f32", what);
}

TEST(random, sixteen_bits_are_rounded_numbers_of_f32) {
    const tg_shape s = TG_SHAPE(50, 7);
    for (tg_dtype d = TG_BF16; d <= TG_F16; d++) {
        tg_tape *a = tg_tape_new(), *b = tg_tape_new();
        same_numbers(tg_uniform(a, s, d, -1, 3), tg_cast(tg_uniform(b, s, TG_F32, -1, 3), d), "uniform");
        same_numbers(tg_normal(a, s, d, 1, 2), tg_cast(tg_normal(b, s, TG_F32, 1, 2), d), "normal");
        same_numbers(tg_gumbel(a, s, d), tg_cast(tg_gumbel(b, s, TG_F32), d), "gumbel");
        same_numbers(tg_dropout_mask(a, s, d, 0.3), tg_cast(tg_dropout_mask(b, s, TG_F32, 0.3), d), "dropout_mask");
        tg_tensor x = tg_normal(a, s, d, 0, 1), y = tg_cast(tg_normal(b, s, TG_F32, 0, 1), d), wide = tg_cast(y, TG_F32);
        same_numbers(tg_categorical(x, -1), tg_categorical(wide, -1), "categorical");
        same_numbers(tg_bernoulli(tg_sigmoid(x)), tg_bernoulli(tg_cast(tg_sigmoid(y), TG_F32)), "bernoulli");
        CHECK(tg_ok(a) && tg_ok(b), "%s %s", tg_message(a), tg_message(b));
        tg_tape_free(a);
        tg_tape_free(b);
    }
}

/* Mean gamma (Euler's), variance pi^2 / 6; of a mask 1 and p / (1 - p). */
TEST(random, gumbel_and_masks_have_their_moments) {
    tg_tape *t = tg_tape_new();
    for (tg_dtype d = TG_F32; d <= TG_F64; d++) {
        tg_tensor g = tg_cast(tg_gumbel(t, TG_SHAPE(N), d), TG_F64);
        tg_tensor m = tg_cast(tg_dropout_mask(t, TG_SHAPE(N), d, 0.2), TG_F64);
        double mean = tg_item(tg_mean(g, TG_ALL_AXES, false));
        double var = tg_item(tg_mean(tg_square(tg_add_scalar(g, -mean)), TG_ALL_AXES, false));
        CHECK(fabs(mean - 0.57721566) < 0.015 && fabs(var - 1.6449341) < 0.04, "mean %g, variance %g", mean, var);
        CHECK(isfinite(tg_item(tg_max(g, TG_ALL_AXES, false))) && isfinite(tg_item(tg_min(g, TG_ALL_AXES, false))), "finite");
        mean = tg_item(tg_mean(m, TG_ALL_AXES, false));
        CHECK(fabs(mean - 1) < 0.006, "the mean of a mask is %g", mean);
        CHECK(tg_item(tg_min(m, TG_ALL_AXES, false)) == 0, "the dropped are 0");
        CHECK(fabs(tg_item(tg_max(m, TG_ALL_AXES, false)) - 1.25) < 1e-7, "the others are 1 / (1 - p)");
    }
    tg_tape_free(t);
}

TEST(random, permutations) {
    tg_tape *t = tg_tape_new();
    enum { ROUNDS = 6000, SIZE = 3 };
    int64_t order[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        const int64_t *p = tg_data(tg_permutation(t, SIZE));
        if (!CHECK(p && (1 << p[0] | 1 << p[1] | 1 << p[2]) == 7, "a permutation: %s", tg_message(t))) break;
        order[i] = 2 * p[0] + (p[1] > p[2]);
        if (i % 500 == 499) tg_tape_reset(t);
    }
    CHECK(worst_share(order, ROUNDS, 0, 6, NULL) < 4.5, "all orders alike: %g", worst_share(order, ROUNDS, 0, 6, NULL));
    CHECK_EQ_I(tg_numel(tg_permutation(t, 0)), 0);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

#define KINDS 6

static void all_kinds(tg_tape *t, tg_tensor *xs) {
    xs[0] = tg_randint(t, TG_SHAPE(70001), TG_I64, 0, 1000);
    xs[1] = tg_gumbel(t, TG_SHAPE(70001), TG_F32);
    xs[2] = tg_bernoulli(tg_full(t, TG_SHAPE(70001), 0.5, TG_F32));
    xs[3] = tg_categorical(tg_zeros(t, TG_SHAPE(9001, 5), TG_F64), -1);
    xs[4] = tg_permutation(t, 70001);
    xs[5] = tg_dropout(tg_ones(t, TG_SHAPE(70001), TG_F32), 0.5);
}

static bool equal(tg_tensor a, tg_tensor b) {
    const void *x = tg_data(a), *y = tg_data(b);
    return x && y && tg_numel(a) == tg_numel(b) && !memcmp(x, y, (size_t)tg_numel(a) * tg_dtype_size(tg_dtype_of(a)));
}

TEST(random, the_same_for_any_number_of_threads) {
    tg_tape *t = tg_tape_new(), *u = tg_tape_new();
    tg_tensor xs[KINDS], ys[KINDS];
    tg_set_threads(t, 1);
    tg_seed(t, 9);
    all_kinds(t, xs);
    for (int threads = 2; threads <= 8; threads += 3) {
        tg_set_threads(u, threads);
        tg_seed(u, 9);
        all_kinds(u, ys);
        for (int k = 0; k < KINDS; k++) CHECK(equal(xs[k], ys[k]), "kind %d with %d threads", k, threads);
    }
    tg_tape_free(u);
    tg_tape_free(t);
}

TEST(random, the_state_is_saved_and_restored) {
    tg_tape *t = tg_tape_new(), *u = tg_tape_new();
    tg_tensor before[KINDS], xs[KINDS], ys[KINDS];
    tg_seed(t, 77);
    all_kinds(t, before);
    tg_random_state state = tg_random_get(t);
    CHECK(state.seed == 77 && state.stream > 0, "seed %llu", (unsigned long long)state.seed);
    all_kinds(t, xs);
    tg_random_set(u, state);
    all_kinds(u, ys);
    for (int k = 0; k < KINDS; k++) {
        CHECK(equal(xs[k], ys[k]), "kind %d on another tape", k);
        CHECK(!equal(xs[k], before[k]), "kind %d goes on", k);
    }
    tg_random_state a = tg_random_get(t), b = tg_random_get(u);
    CHECK(a.seed == b.seed && a.stream == b.stream, "both have got to the same place");
    tg_tape_reset(u);
    CHECK(tg_random_get(u).stream == b.stream, "a reset goes on");
    tg_random_set(u, state);
    tg_randint(u, TG_SHAPE(3), TG_I64, 1, 1);
    tg_tape_reset(u);
    tg_clear(u);
    tg_tape_reset(u);
    CHECK(tg_random_get(u).stream == state.stream, "a failed recording gives its streams back, to where it was set");
    CHECK(tg_random_get(NULL).seed == 0, "NULL");
    tg_random_set(NULL, state);
    tg_tape_free(u);
    tg_tape_free(t);
}

static void refused(tg_tape *t, tg_status status, const char *text) {
    CHECK(tg_error(t) == status, "%s instead of %s: %s", tg_status_name(tg_error(t)), tg_status_name(status), tg_message(t));
    CHECK_STR(tg_message(t), text);
    CHECK_STR(tg_message(t), "ops_random.c:");
    tg_clear(t);
}

TEST(random, what_is_refused) {
    tg_tape *t = tg_tape_new();
    tg_tensor whole = tg_zeros(t, TG_SHAPE(2), TG_I64), x = tg_zeros(t, TG_SHAPE(2), TG_F32);
    tg_randint(t, TG_SHAPE(2), TG_F32, 0, 2);
    refused(t, TG_EDTYPE, "randint: the dtype must be i64 or i32");
    tg_randint(t, TG_SHAPE(2), TG_I64, 2, 2);
    refused(t, TG_EARG, "randint: there is no number");
    tg_randint(t, TG_SHAPE(2), TG_I32, 0, INT64_C(1) << 40);
    refused(t, TG_EARG, "randint: a bound is too large");
    tg_randint(t, TG_SHAPE(2), TG_I64, INT64_MIN, INT64_MAX);
    refused(t, TG_EARG, "randint: a bound is too large");
    tg_randint(t, TG_SHAPE(-2), TG_I64, 0, 2);
    refused(t, TG_ESHAPE, "negative");
    tg_bernoulli(whole);
    refused(t, TG_EDTYPE, "bernoulli: the dtype must be a float's");
    tg_categorical(whole, 0);
    refused(t, TG_EDTYPE, "categorical: the dtype must be a float's");
    tg_categorical(x, 1);
    refused(t, TG_EARG, "argmax: axis 1");
    tg_gumbel(t, TG_SHAPE(2), TG_I32);
    refused(t, TG_EDTYPE, "must be f32 or f64");
    tg_dropout_mask(t, TG_SHAPE(2), TG_F32, 1);
    refused(t, TG_EARG, "dropout_mask: the probability must be in [0, 1)");
    tg_dropout(x, -1);
    refused(t, TG_EARG, "dropout: the probability must be in [0, 1)");
    tg_permutation(t, -1);
    refused(t, TG_ESHAPE, "negative");
    tg_bernoulli((tg_tensor){0});
    tg_gumbel(NULL, TG_SHAPE(2), TG_F32);
    CHECK(tg_ok(t), "without a tape there is none to fail");
    tg_tape_free(t);
}

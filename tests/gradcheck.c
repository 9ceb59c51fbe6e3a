/* tests/gradcheck.c: tg_gradcheck on functions and ops of a user: right ones pass, wrong ones are named, kinks are kinks. */
#include "engine/alloc.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>
#include <tapegrad.h>

static const double six[] = {0.3, -1.1, 0.7, 1.9, -0.4, 0.9}, four[] = {0.5, -0.25, 1.5, 0.75};
#define SIX tg_f64(six, TG_SHAPE(2, 3))
#define FOUR tg_f64(four, TG_SHAPE(2, 2))

/* ------------------------------------------------------------------ right */

static tg_tensor network(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)n, (void)user;
    tg_tensor h = tg_tanh(tg_add(tg_matmul(xs[0], xs[1]), xs[2]));
    tg_tensor noise = tg_uniform(t, tg_shape_of(h), TG_F64, 0.5, 1);
    return tg_cross_entropy(tg_mul(h, noise), xs[3]);
}

static tg_array network_inputs(int i) {
    static const float bias[] = {0.1f, -0.2f};
    static const int64_t labels[] = {1, 0};
    return i == 0   ? SIX
           : i == 1 ? tg_f64(six, TG_SHAPE(3, 2))
           : i == 2 ? tg_f32(bias, TG_SHAPE(2))
                    : tg_i64(labels, TG_SHAPE(2));
}

TEST(gradcheck, passes_a_network) {
    tg_array in[4];
    for (int i = 0; i < 4; i++) in[i] = network_inputs(i);
    tg_gradcheck_report r;
    CHECK(tg_gradcheck(network, NULL, in, 4, NULL, &r) == 0, "%s", r.text);
    CHECK_EQ_I(r.checked, 2 * (6 + 6 + 2) + 1);
    CHECK_EQ_I(r.kinks, 0);
    CHECK(r.worst.error < 1e-8, "%g", r.worst.error);
    CHECK_STR(r.text, "29 checked");
    CHECK(tg_gradcheck(network, NULL, in, 4, &(tg_gradcheck_options){.fast = true}, &r) == 0, "%s", r.text);
    CHECK_EQ_I(r.checked, 13);
    CHECK(tg_gradcheck(network, NULL, in, 4, &(tg_gradcheck_options){.order = 1, .no_forward = true}, &r) == 0, "%s", r.text);
    CHECK_EQ_I(r.checked, 14);
    CHECK_EQ_I(tg_gradcheck(network, NULL, in, 4, NULL, NULL), 0);
}

static tg_tensor steep(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n, (void)user;
    return tg_add(tg_log(xs[0]), tg_reciprocal(xs[0]));
}

/* A step that fits 100 leaves the domain of the logarithm at 0.001. */
TEST(gradcheck, picks_a_step_for_each_element) {
    static const double x[] = {1e-3, 0.02, 0.5, 7, 100};
    tg_gradcheck_report r;
    CHECK(tg_gradcheck(steep, NULL, (tg_array[]){tg_f64(x, TG_SHAPE(5))}, 1, NULL, &r) == 0, "%s", r.text);
}

static tg_tensor constant(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)n, (void)user;
    return tg_add(tg_ones(t, TG_SHAPE(2, 3), TG_F64), tg_sign(xs[0]));
}

static tg_tensor square_sum(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n, (void)user;
    return tg_sum(tg_square(xs[0]), TG_ALL_AXES, false);
}

TEST(gradcheck, odd_functions) {
    tg_gradcheck_report r;
    CHECK(tg_gradcheck(constant, NULL, (tg_array[]){SIX}, 1, NULL, &r) == 0, "%s", r.text);
    CHECK(tg_gradcheck(square_sum, NULL, (tg_array[]){tg_f64(NULL, TG_SHAPE(0, 3))}, 1, NULL, &r) == 0, "%s", r.text);
    CHECK(tg_gradcheck(square_sum, NULL, (tg_array[]){tg_f64(six, TG_SCALAR)}, 1, NULL, &r) == 0, "%s", r.text);
    static double many[5000];
    for (int i = 0; i < 5000; i++) many[i] = sin(i) + 2;
    CHECK(tg_gradcheck(square_sum, NULL, (tg_array[]){tg_f64(many, TG_SHAPE(5000))}, 1, NULL, &r) == 0, "%s", r.text);
    CHECK_EQ_I(r.checked, 2 * 6 + 1);
}

/* ------------------------------------------------------------------ kinks */

static tg_tensor with_kinks(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n, (void)user;
    return tg_add(tg_relu(xs[0]), tg_abs(xs[0]));
}

TEST(gradcheck, reports_kinks_and_does_not_fail) {
    static const double x[] = {-1, 0, 0.5, 0};
    tg_gradcheck_report r;
    CHECK(tg_gradcheck(with_kinks, NULL, (tg_array[]){tg_f64(x, TG_SHAPE(4))}, 1, &(tg_gradcheck_options){.order = 1}, &r) == 0,
          "%s", r.text);
    CHECK_EQ_I(r.kinks, 2);
    CHECK(tg_gradcheck(with_kinks, NULL, (tg_array[]){tg_f64(x, TG_SHAPE(4))}, 1,
                       &(tg_gradcheck_options){.order = 1, .fast = true}, &r) == 0, "%s", r.text);
    CHECK(r.kinks > 0, "no direction has a kink");
}

static tg_tensor largest(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n;
    return *(int *)user ? tg_maximum(xs[0], xs[1]) : tg_max(xs[0], TG_AXES(-1), false);
}

TEST(gradcheck, ties_are_kinks) {
    static const double a[] = {1, 2, 2, 0, 0, 0}, b[] = {1, 0, 2, 1, 0, -1};
    tg_array in[2] = {tg_f64(a, TG_SHAPE(2, 3)), tg_f64(b, TG_SHAPE(2, 3))};
    tg_gradcheck_report r;
    for (int two = 0; two < 2; two++) {
        CHECK(tg_gradcheck(largest, &two, in, 1 + two, &(tg_gradcheck_options){.order = 1}, &r) == 0, "%s", r.text);
        CHECK(r.kinks >= 5, "%d kinks: %s", r.kinks, r.text);
    }
}

static void two_at_the_kink(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y, (void)n, (void)user;
    tg_tensor zero = tg_scale(xs[0], 0);
    gs[0] = tg_mul(g, tg_where(tg_gt(xs[0], zero), tg_add_scalar(zero, 1),
                               tg_where(tg_lt(xs[0], zero), zero, tg_add_scalar(zero, 2))));
}

static tg_tensor wrong_at_the_kink(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n, (void)user;
    return tg_custom_grad(tg_relu(xs[0]), xs, 1, two_at_the_kink, NULL);
}

TEST(gradcheck, a_gradient_outside_of_the_slopes_fails) {
    static const double x[] = {-1, 0, 0.5};
    tg_gradcheck_report r;
    CHECK(tg_gradcheck(wrong_at_the_kink, NULL, (tg_array[]){tg_f64(x, TG_SHAPE(3))}, 1, &(tg_gradcheck_options){.order = 1},
                       &r) == 1, "%s", r.text);
    CHECK_STR(r.text, "element (1)");
    CHECK_STR(r.text, "a kink, with slope ");
    CHECK_STR(r.text, "is not between them");
    CHECK_EQ_I(r.kinks, 1);
}

/* ------------------------------------------------------------------ wrong, and why */

typedef tg_tensor wrong_fn(tg_tensor g, tg_tensor a, tg_tensor b, int which);

static void wrong_rule(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y, (void)n;
    for (int i = 0; i < 2; i++) gs[i] = (**(wrong_fn **)user)(g, xs[0], xs[1], i);
}

static tg_tensor product(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n;
    return tg_custom_grad(tg_mul(xs[0], xs[1]), xs, 2, wrong_rule, user);
}

static tg_tensor right(tg_tensor g, tg_tensor a, tg_tensor b, int which) { return tg_mul(g, which ? a : b); }
static tg_tensor negative(tg_tensor g, tg_tensor a, tg_tensor b, int which) {
    return which ? tg_neg(tg_mul(g, a)) : tg_mul(g, b);
}
static tg_tensor twice(tg_tensor g, tg_tensor a, tg_tensor b, int which) {
    return tg_scale(right(g, a, b, which), which ? 1 : 2);
}
static tg_tensor exchanged(tg_tensor g, tg_tensor a, tg_tensor b, int which) { return right(g, a, b, !which); }
static tg_tensor turned(tg_tensor g, tg_tensor a, tg_tensor b, int which) {
    return which ? right(g, a, b, 1) : tg_transpose(right(g, a, b, 0));
}
static tg_tensor nothing(tg_tensor g, tg_tensor a, tg_tensor b, int which) {
    return which ? tg_scale(right(g, a, b, 1), 0) : right(g, a, b, 0);
}
static tg_tensor cut(tg_tensor g, tg_tensor a, tg_tensor b, int which) {
    return tg_mul(g, tg_stop_gradient(which ? a : b));
}
static tg_tensor squared(tg_tensor g, tg_tensor a, tg_tensor b, int which) {
    return right(which ? g : tg_mul(g, tg_abs(g)), a, b, which);
}

static void diagnosed(wrong_fn *fn, const char *text, const char *where) {
    tg_array in[2] = {FOUR, tg_f64(six, TG_SHAPE(2, 2))};
    for (int fast = 0; fast < 2; fast++) {
        tg_gradcheck_report r;
        int failures = tg_gradcheck(product, &fn, in, 2, &(tg_gradcheck_options){.fast = fast}, &r);
        CHECK(failures > 0 && failures == r.failures, "%d: %s", failures, r.text);
        CHECK_STR(r.text, text);
        CHECK_STR(r.text, where);
        CHECK(r.worst.error > 1e-6 && r.worst.noise < 1e-6, "error %g, noise %g", r.worst.error, r.worst.noise);
    }
}

TEST(gradcheck, says_what_is_wrong) {
    wrong_fn *fn = right;
    CHECK_EQ_I(tg_gradcheck(product, &fn, (tg_array[]){FOUR, FOUR}, 2, NULL, NULL), 0);
    diagnosed(negative, "wrong sign?", "d/d input 1");
    diagnosed(twice, "a constant factor of 2?", "d/d input 0");
    diagnosed(exchanged, "a wrong input? It is the gradient of input", "d/d input");
    diagnosed(turned, "transposed?", "d/d input 0");
    diagnosed(nothing, "nothing arrives", "d/d input 1");
    diagnosed(cut, "second order: ", "analytic");
    diagnosed(squared, "analytic", "d/d input 0");
}

static void no_sum(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y, (void)n;
    gs[0] = *(bool *)user ? tg_mul(g, xs[1]) : tg_reshape(tg_slice(tg_mul(g, xs[1]), 0, 0, 1, 1), TG_SHAPE(3));
}

static tg_tensor broadcast(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n;
    return tg_custom_grad(tg_mul(xs[0], xs[1]), xs, 2, no_sum, user);
}

TEST(gradcheck, missing_broadcast_sum) {
    tg_array in[2] = {tg_f64(four, TG_SHAPE(3)), SIX};
    tg_gradcheck_report r;
    bool shape = true;
    CHECK_EQ_I(tg_gradcheck(broadcast, &shape, in, 2, &(tg_gradcheck_options){.order = 1}, &r), -1);
    CHECK_STR(r.text, "a missing broadcast sum?");
    shape = false;
    CHECK(tg_gradcheck(broadcast, &shape, in, 2, &(tg_gradcheck_options){.order = 1}, &r) > 0, "%s", r.text);
    CHECK_STR(r.text, "a missing broadcast sum?");
}

/* ------------------------------------------------------------------ what cannot be checked */

static tg_tensor fails(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n, (void)user;
    return tg_matmul(xs[0], xs[0]);
}

static tg_tensor whole(tg_tape *t, const tg_tensor *xs, int n, void *user) {
    (void)t, (void)n, (void)user;
    return tg_argmax(xs[0], 0);
}

TEST(gradcheck, errors) {
    tg_gradcheck_report r;
    CHECK_EQ_I(tg_gradcheck(fails, NULL, (tg_array[]){SIX}, 1, NULL, &r), -1);
    CHECK_STR(r.text, "matmul");
    CHECK_EQ_I(tg_gradcheck(whole, NULL, (tg_array[]){SIX}, 1, NULL, &r), -1);
    CHECK_STR(r.text, "only floats have derivatives");
    CHECK_EQ_I(tg_gradcheck(NULL, NULL, (tg_array[]){SIX}, 1, NULL, &r), -1);
    CHECK_EQ_I(tg_gradcheck(fails, NULL, NULL, 1, NULL, &r), -1);
    CHECK_EQ_I(tg_gradcheck(fails, NULL, (tg_array[]){{TG_F64, TG_SHAPE(2), NULL}}, 1, NULL, &r), -1);
    CHECK_STR(r.text, "input 0 has no data");
}

TEST(gradcheck, out_of_memory) {
    tg_array in[4];
    for (int i = 0; i < 4; i++) in[i] = network_inputs(i);
    uint64_t live = tg__alloc_live();
    tg__alloc_fail_at(0, false);
    tg_gradcheck(network, NULL, in, 4, &(tg_gradcheck_options){.fast = true}, NULL);
    uint64_t calls = tg__alloc_fail_at(0, false);
    for (uint64_t n = 1; n <= calls; n += n > 40 ? calls / 64 + 1 : 1) {
        tg_gradcheck_report r;
        tg__alloc_fail_at(n, n % 2);
        int result = tg_gradcheck(network, NULL, in, 4, &(tg_gradcheck_options){.fast = true}, &r);
        tg__alloc_fail_at(0, false);
        CHECK(result == -1 || result == 0, "allocation %llu: %s", (unsigned long long)n, r.text);
        CHECK(tg__alloc_live() == live, "allocation %llu loses memory", (unsigned long long)n);
    }
}

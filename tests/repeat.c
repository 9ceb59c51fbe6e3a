/* Recordings that repeat: what is taken over from the last one must be what would be recorded anew. */
#include <tapegrad.h>

#include "tests/test.h"

static tg_tape *new_tape(void) {
    tg_tape *t = tg_tape_new();
    tg_set_eager(t, false);
    return t;
}

static tg_tensor number(tg_tape *t, double x) { return tg_input(t, tg_f64(&x, TG_SCALAR)); }

/* The derivative of x^3 c at x. */
static double cubic_slope(tg_tape *t, double at, double c) {
    tg_tensor x = number(t, at), g;
    tg_grad(tg_mul(tg_mul(tg_square(x), x), tg_scalar(t, c, TG_F64)), &x, 1, &g);
    double slope = tg_item(g);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_reset(t);
    return slope;
}

TEST(repeat, values_are_those_of_this_recording) {
    tg_tape *t = new_tape();
    for (int i = 0; i < 5; i++) CHECK_NEAR(cubic_slope(t, i, 2 + i), 3 * i * i * (2 + i), 1e-12);
    CHECK_EQ_I(tg_stats(t).gradient_hits, 4);
    tg_tape_free(t);
}

/* Several values of one structure are asked for in each recording: one plan, for the nodes of different places. */
TEST(repeat, many_values_by_one_plan) {
    tg_tape *t = new_tape();
    for (int i = 0; i < 60; i++) {
        CHECK_NEAR(tg_item(tg_square(number(t, i))), (double)i * i, 0);
        if (i % 5 == 4) tg_tape_reset(t);
    }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

/* One node differs, far before the gradient: tanh where there was square. */
TEST(repeat, another_node_ends_it) {
    tg_tape *t = new_tape();
    const bool squares[] = {true, true, false, true, false, false, true};
    const double slopes[] = {4, 4, 0, 4, 0, 0, 4};
    for (int i = 0; i < 7; i++) {
        tg_tensor x = number(t, i % 2 ? 2 : 2.0), g, y = squares[i] ? tg_square(x) : tg_abs(x);
        for (int k = 0; k < 20; k++) y = tg_neg(tg_neg(y));
        tg_grad(y, &x, 1, &g);
        CHECK_NEAR(tg_item(g), squares[i] ? slopes[i] : 1, 1e-12);
        tg_tape_reset(t);
    }
    CHECK_EQ_I(tg_stats(t).gradient_hits, 2);
    tg_tape_free(t);
}

TEST(repeat, another_x_is_another_question) {
    tg_tape *t = new_tape();
    for (int i = 0; i < 6; i++) {
        tg_tensor x[2] = {number(t, 2), number(t, 5)}, g;
        tg_grad(tg_mul(x[0], tg_square(x[1])), &x[i / 2 % 2], 1, &g);
        CHECK_NEAR(tg_item(g), i / 2 % 2 ? 20 : 25, 1e-12);
        tg_tape_reset(t);
    }
    CHECK_EQ_I(tg_stats(t).gradient_hits, 3);
    tg_tape_free(t);
}

TEST(repeat, another_operand_ends_it) {
    tg_tape *t = new_tape();
    for (int i = 0; i < 6; i++) {
        tg_tensor x[2] = {number(t, 2), number(t, 5)}, g;
        tg_grad(tg_square(tg_mul(x[0], x[i / 2 % 2])), x, 1, &g);
        CHECK_NEAR(tg_item(g), i / 2 % 2 ? 100 : 32, 1e-12);
        tg_tape_reset(t);
    }
    CHECK_EQ_I(tg_stats(t).gradient_hits, 3);
    tg_tape_free(t);
}

typedef struct scaled {
    double by;
    int calls;
} scaled;

static void give_scaled(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y, (void)xs, (void)n;
    scaled *s = user;
    s->calls++;
    gs[0] = tg_scale(g, s->by);
}

TEST(repeat, functions_of_the_user_are_called_each_time) {
    tg_tape *t = new_tape();
    scaled s = {0, 0};
    for (int i = 0; i < 4; i++) {
        tg_tensor x = number(t, 3), g;
        s.by = i;
        tg_grad(tg_custom_grad(tg_exp(x), &x, 1, give_scaled, &s), &x, 1, &g);
        CHECK_NEAR(tg_item(g), i, 1e-12);
        tg_tape_reset(t);
    }
    CHECK_EQ_I(s.calls, 4);
    CHECK_EQ_I(tg_stats(t).gradient_hits, 0);
    tg_tape_free(t);
}

TEST(repeat, after_a_rewind) {
    tg_tape *t = new_tape();
    tg_tensor x = number(t, 1.5);
    tg_mark m = tg_tape_mark(t);
    for (int i = 0; i < 6; i++) {
        tg_tensor g, y = i == 3 ? tg_exp(x) : tg_square(tg_square(x));
        tg_grad(y, &x, 1, &g);
        CHECK_NEAR(tg_item(g), i == 3 ? 4.4816890703380645 : 13.5, 1e-12);
        CHECK_EQ_I(tg_rewind(t, m), TG_OK);
    }
    CHECK_EQ_I(tg_stats(t).gradient_hits, 3);
    tg_tape_free(t);
}

TEST(repeat, kept_values_do_not_change_the_next_run) {
    tg_tape *t = new_tape();
    for (int i = 0; i < 6; i++) {
        tg_tensor x = number(t, i), y = tg_exp(x), z = tg_mul(y, y), g;
        if (i == 2 || i == 4) tg_keep(y);
        if (i == 3) CHECK_NEAR(tg_item(y), 20.085536923187668, 1e-12);
        tg_grad(z, &x, 1, &g);
        double slope = tg_item(g);
        uint64_t runs = tg_stats(t).runs;
        CHECK(tg_item(y) > 0, "%s", tg_message(t));
        if (i == 2 || i == 4) CHECK_EQ_I(tg_stats(t).runs, runs); /* it is there */
        CHECK_NEAR(slope, 2 * tg_item(z), 1e-9 * slope);
        tg_tape_reset(t);
    }
    tg_tape_free(t);
}

TEST(repeat, many_inputs) { /* lists of inputs are compared, too */
    tg_tape *t = new_tape();
    for (int i = 0; i < 6; i++) {
        tg_tensor x[8], g;
        for (int k = 0; k < 8; k++) x[k] = tg_reshape(number(t, k + 1), TG_SHAPE(1));
        if (i % 3 == 2) x[6] = x[5];
        tg_tensor all = tg_concat(x, 8, 0);
        tg_grad(tg_sum(tg_square(all), TG_ALL_AXES, false), &x[5], 1, &g);
        CHECK_NEAR(((const double *)tg_data(g))[0], i % 3 == 2 ? 24 : 12, 1e-12);
        tg_tape_reset(t);
    }
    tg_tape_free(t);
}

TEST(repeat, a_plan_that_left_the_cache_is_made_again) {
    tg_tape *t = new_tape();
    for (int i = 0; i < 4; i++) CHECK_NEAR(cubic_slope(t, 2, 1), 12, 1e-12);
    for (int64_t n = 1; n < 66000; n++) { /* more shapes than a tape remembers */
        tg_tensor x = tg_zeros(t, TG_SHAPE(1, n), TG_F64);
        (void)x;
        if (n % 1000 == 0) tg_tape_reset(t);
    }
    tg_tape_reset(t);
    for (int i = 0; i < 4; i++) CHECK_NEAR(cubic_slope(t, 2, 1), 12, 1e-12);
    tg_tape_free(t);
}

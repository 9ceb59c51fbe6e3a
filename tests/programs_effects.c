/* Programs that write: 17 and 25 of the design. */
#include "tests/programs.h"

static tg_tensor variable(tg_model *m, const char *name, tg_shape s, double first) {
    tg_tensor w = tg_param(m, name, s, TG_F64, (tg_init){0});
    double v[600];
    for (int i = 0; i < 600; i++) v[i] = first + i;
    tg_param_write(w, tg_f64(v, s));
    return w;
}

static double at(tg_tensor w, int i) { return ((const double *)tg_data(w))[i]; }

/* ------------------------------------------------------------------ 17 */

PROGRAM(n17_read_before_and_after_an_update) {
    tg_model *m = tg_model_new(17);
    tg_tensor w = variable(m, "w", TG_SHAPE(20), 1), before, after;
    before = tg_want(tg_scale(tg_on(r->t, w), 10));
    tg_assign(w, tg_add_scalar(tg_on(r->t, w), .5));
    after = tg_want(tg_scale(tg_on(r->t, w), 10));
    tg_assign(w, tg_square(tg_on(r->t, w)));
    uint64_t version = tg_param_version(w);
    tg_step(r->t);
    CHECK_EQ_I(tg_param_version(w), version + 1);
    for (int i = 0; i < 20; i++) {
        CHECK_NEAR(see(r, at(before, i)), 10. * (1 + i), 0);
        CHECK_NEAR(see(r, at(after, i)), 10. * (1.5 + i), 0);
        CHECK_NEAR(see(r, at(w, i)), (1.5 + i) * (1.5 + i), 0);
    }
    tg_model_free(m);
}

PROGRAM(n17_gradient_of_one_version) {
    tg_model *m = tg_model_new(17);
    tg_tensor w = variable(m, "w", TG_SHAPE(3), 1), g;
    tg_tensor old = tg_on(r->t, w);
    tg_assign(w, tg_scale(old, 3));
    tg_tensor new = tg_on(r->t, w), y = sum_of(tg_mul(old, tg_square(new)));
    CHECK_EQ_I(tg_grad(y, &w, 1, &g), TG_EARG);
    CHECK_STR(tg_message(r->t), "tg_on");
    tg_clear(r->t);
    tg_grad(y, &new, 1, &g);
    for (int i = 0; i < 3; i++) CHECK_NEAR(see(r, at(g, i)), 6. * (1 + i) * (1 + i), 0);
    tg_grad(y, &old, 1, &g); /* through both: y = 9 w^3 */
    for (int i = 0; i < 3; i++) CHECK_NEAR(see(r, at(g, i)), 27. * (1 + i) * (1 + i), 0);
    tg_discard_effects(r->t);
    tg_model_free(m);
}

PROGRAM(n17_average_and_swap) {
    tg_model *m = tg_model_new(17);
    tg_tensor a = variable(m, "a", TG_SHAPE(40), 0), b = variable(m, "b", TG_SHAPE(40), 100),
              c = variable(m, "c", TG_SHAPE(40), 7);
    for (int step = 0; step < 4; step++, tg_tape_reset(r->t)) {
        double x = at(a, 3), y = at(b, 3), z = at(c, 3);
        tg_tensor on_a = tg_on(r->t, a), on_b = tg_on(r->t, b);
        tg_assign(a, on_b);
        tg_assign(b, on_a);
        tg_assign(c, tg_scale(tg_add(tg_on(r->t, c), tg_add(on_a, on_b)), 1. / 4));
        tg_step(r->t);
        CHECK_NEAR(see(r, at(a, 3)), y, 0);
        CHECK_NEAR(see(r, at(b, 3)), x, 0);
        CHECK_NEAR(see(r, at(c, 3)), (z + (x + y)) / 4, 0);
    }
    tg_assign(a, tg_on(r->t, a)); /* its own old value, then another: the later one counts */
    tg_assign(a, tg_scale(tg_on(r->t, a), 2));
    double x = at(a, 5);
    tg_step(r->t);
    CHECK_NEAR(see(r, at(a, 5)), 2 * x, 0);
    tg_model_free(m);
}

PROGRAM(n17_discarded_assignments_leave_no_trace) {
    tg_model *m = tg_model_new(17);
    tg_tensor w = variable(m, "w", TG_SHAPE(300, 2), 0);
    double zeros[600] = {0};
    tg_param_write(w, tg_f64(zeros, TG_SHAPE(300, 2)));
    tg_tensor early = tg_add_scalar(tg_on(r->t, w), 1);
    tg_assign(w, tg_exp(early));
    tg_discard_effects(r->t);
    tg_tensor late = tg_add_scalar(tg_on(r->t, w), 2);
    tg_assign(w, late);
    tg_tensor seen = tg_want(tg_mul(early, early)); /* still the old value */
    tg_step(r->t);
    CHECK_NEAR(see(r, at(seen, 599)), 1, 0);
    CHECK_NEAR(see(r, at(w, 599)), 2, 0);
    tg_model_free(m);
}

/* ------------------------------------------------------------------ 25 */

PROGRAM(n25_a_variable_written_with_views_of_itself) {
    tg_model *m = tg_model_new(25);
    tg_tensor w = variable(m, "w", TG_SHAPE(5, 5), 0);
    tg_assign(w, tg_transpose(tg_on(r->t, w)));
    tg_step(r->t);
    CHECK_NEAR(see(r, at(w, 1)), 5, 0);
    CHECK_NEAR(see(r, at(w, 5)), 1, 0);
    tg_tape_reset(r->t);
    tg_assign(w, tg_slice(tg_on(r->t, w), 0, TG_END, TG_BEGIN, -1)); /* rows from the last */
    tg_step(r->t);
    for (int i = 0; i < 25; i++) CHECK_NEAR(see(r, at(w, i)), 4 - i / 5 + 5. * (i % 5), 0);
    tg_tape_reset(r->t);
    tg_tensor on = tg_on(r->t, w), next = tg_concat((tg_tensor[]){tg_slice(on, 0, 1, 5, 1), tg_slice(on, 0, 0, 1, 1)}, 2, 0);
    tg_assign(w, tg_add(on, next)); /* each row and the one after it */
    tg_step(r->t);
    for (int i = 0; i < 20; i++) CHECK_NEAR(see(r, at(w, i)), 7 - 2 * (i / 5) + 10. * (i % 5), 0);
    tg_tape_reset(r->t);
    double first = at(w, 0);
    on = tg_on(r->t, w);
    tg_assign(w, tg_sub(on, tg_slice(tg_slice(on, 0, 0, 1, 1), 1, 0, 1, 1))); /* all minus the first, by broadcasting */
    tg_step(r->t);
    CHECK_NEAR(see(r, at(w, 0)), 0, 0);
    CHECK_NEAR(see(r, at(w, 24)), 44 - first, 0); /* 20 and, from the first row, 24 */
    tg_tape_reset(r->t);
    tg_assign(w, tg_expand(tg_sum(tg_on(r->t, w), TG_AXES(0), true), TG_SHAPE(5, 5)));
    tg_step(r->t);
    CHECK_NEAR(see(r, at(w, 24)), see(r, at(w, 4)), 0);
    tg_model_free(m);
}

PROGRAM(n25_a_borrowed_variable) {
    tg_model *m = tg_model_new(25);
    tg_tensor w = variable(m, "w", TG_SHAPE(50), 0), v = variable(m, "v", TG_SHAPE(50), 200);
    tg_tensor lent = tg_borrow(r->t, tg_f64(tg_data(w), TG_SHAPE(50)));
    tg_assign(w, tg_add_scalar(tg_on(r->t, w), 1));
    tg_assign(v, lent); /* what was there before the step */
    tg_tensor turned = tg_want(tg_slice(lent, 0, TG_END, TG_BEGIN, -1));
    tg_step(r->t);
    for (int i = 0; i < 50; i++) {
        CHECK_NEAR(see(r, at(w, i)), i + 1, 0);
        CHECK_NEAR(see(r, at(v, i)), i, 0);
        CHECK_NEAR(see(r, at(turned, i)), 49 - i, 0);
    }
    tg_model_free(m);
}

PROGRAM(n25_one_view_read_wanted_and_assigned) {
    tg_model *m = tg_model_new(25);
    tg_tensor w = variable(m, "w", TG_SHAPE(4, 5), 0), v = variable(m, "v", TG_SHAPE(5, 4), 50);
    for (int step = 0; step < 3; step++, tg_tape_reset(r->t)) {
        double first = at(w, 5);
        tg_tensor turned = tg_transpose(tg_on(r->t, w)), most = tg_want(tg_argmax(turned, 0)), soft = tg_softmax(turned, 0);
        tg_want(turned);
        tg_assign(v, turned);
        tg_assign(w, tg_transpose(tg_mul(tg_on(r->t, v), soft)));
        tg_step(r->t);
        CHECK_NEAR(see(r, at(v, 1)), first, 0);
        CHECK_NEAR(see(r, at(turned, 1)), first, 0);
        see_all(r, w);
        CHECK(((const int64_t *)tg_data(most))[0] >= 0, "no position");
    }
    tg_model_free(m);
}

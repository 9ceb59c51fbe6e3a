/* tests/surface.c: the public functions through pointers, as a table of ops or a binding takes them. */
#include "tests/test.h"

#include <tapegrad.h>

typedef tg_tensor (*unary)(tg_tensor);
typedef tg_tensor (*binary)(tg_tensor, tg_tensor);

TEST(surface, ops_through_pointers) {
    static const unary activations[] = {tg_relu, tg_tanh, tg_sigmoid, tg_exp, tg_neg};
    static const double slopes[] = {1, 0.419974341614026, 0.196611933241482, 2.71828182845905, -1};
    tg_tape *t = tg_tape_new();
    for (int i = 0; i < 5; i++) {
        tg_tensor x = tg_scalar(t, 1, TG_F64), g;
        tg_grad(activations[i](x), &x, 1, &g);
        CHECK_NEAR(tg_item(g), slopes[i], 1e-14);
    }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

TEST(surface, a_training_step_through_pointers) {
    tg_tensor (*input)(tg_tape *, tg_array) = tg_input;
    tg_tensor (*on)(tg_tape *, tg_tensor) = tg_on;
    tg_tensor (*number)(tg_tape *, double, tg_dtype) = tg_scalar;
    tg_tensor (*state_new)(tg_tape *, tg_shape, tg_dtype) = tg_state_new;
    tg_tensor (*apply)(tg_tape *, const tg_op *, const void *, const tg_tensor *, int) = tg_apply;
    tg_tensor (*keep)(tg_tensor) = tg_keep, (*want)(tg_tensor) = tg_want;
    tg_status (*grad)(tg_tensor, const tg_tensor *, int, tg_tensor *) = tg_grad;
    tg_status (*assign)(tg_tensor, tg_tensor) = tg_assign;
    tg_status (*step)(tg_tape *) = tg_step;
    tg_status (*read)(tg_tensor, void *, size_t) = tg_read;
    tg_status (*run)(tg_tape *, const tg_tensor *, int) = tg_run;
    double (*item)(tg_tensor) = tg_item;
    const void *(*data)(tg_tensor) = tg_data;
    binary multiply = tg_mul;

    tg_model *m = tg_model_new(1);
    tg_tape *t = tg_tape_new();
    tg_tensor w = tg_param(m, "w", TG_SHAPE(2), TG_F64, (tg_init){.kind = TG_INIT_CONSTANT, .a = 3}), g;
    const double values[] = {2, 5};
    tg_tensor x = input(t, tg_f64(values, TG_SHAPE(2))), p = multiply(on(t, w), x);
    tg_tensor squares = apply(t, tg_op_find("square"), NULL, &p, 1), seen = state_new(t, TG_SCALAR, TG_F64);
    tg_tensor loss = keep(tg_sum(squares, TG_ALL_AXES, false)); /* the sum of (w x)^2; its gradient is 2 w x^2 */
    CHECK_EQ_I(grad(loss, &w, 1, &g), TG_OK);
    CHECK_EQ_I(run(t, &g, 1), TG_OK);
    CHECK_NEAR(((const double *)data(g))[1], 150, 0);
    CHECK_EQ_I(assign(w, tg_sub(w, multiply(g, number(t, 0.01, TG_F64)))), TG_OK);
    CHECK_EQ_I(assign(seen, want(loss)), TG_OK);
    CHECK_EQ_I(step(t), TG_OK);
    CHECK_NEAR(item(loss), 36 + 225, 0);
    CHECK_NEAR(item(on(t, seen)), 36 + 225, 0);
    double after[2];
    CHECK_EQ_I(read(w, after, sizeof after), TG_OK);
    CHECK_NEAR(after[1], 1.5, 1e-15);
    CHECK_EQ_I(assign(w, x), TG_OK);
    CHECK_EQ_I(assign(x, x), TG_EARG);
    CHECK_EQ_I(step(t), TG_EARG);
    tg_tape_free(t);
    tg_model_free(m);
}

/* A function that knows no place says what it knows. */
TEST(surface, an_error_without_a_place) {
    binary add = tg_add;
    double (*item)(tg_tensor) = tg_item;
    tg_tape *t = tg_tape_new();
    tg_tensor a = (tg_zeros)(t, TG_SHAPE(2, 3), TG_F32), b = (tg_zeros)(t, TG_SHAPE(4), TG_F32);
    item(a);
    CHECK_STR(tg_message(t), "item: needs one element, not (2, 3) f32");
    CHECK(!*tg_error_get(t).site, "a site: %s", tg_error_get(t).site);
    tg_clear(t);
    add(a, b);
    CHECK_STR(tg_message(t), "add: ");
    tg_tape_free(t);
}

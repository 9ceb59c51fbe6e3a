/* tests/op_functions.c: public ops that are more than one recorded op, which tg_op_check does not reach. */
#include "tests/test.h"

#include <math.h>
#include <tapegrad.h>

static tg_tensor numbers(tg_tape *t, tg_shape shape) { /* 0, 1, 2, ... */
    double v[64];
    for (int i = 0; i < 64; i++) v[i] = i;
    return tg_input(t, tg_f64(v, shape));
}

static void check_values(tg_tensor x, tg_shape shape, const double *want, const char *what) {
    tg_shape got = tg_shape_of(x);
    const double *v = tg_data(x);
    if (!CHECK(v && tg_shape_equal(&got, &shape), "%s: %s", what, tg_message(tg_tape_of(x)))) return;
    for (int64_t i = 0; i < tg_numel(x); i++)
        CHECK(v[i] == want[i], "%s: element %d is %g, not %g", what, (int)i, v[i], want[i]);
}

#define VALUES(x, shape, ...) check_values(x, shape, (const double[]){0, __VA_ARGS__} + 1, #x)

static void check_error(tg_tape *t, tg_status status, const char *text) {
    CHECK(tg_error(t) == status, "%s instead of %s: %s", tg_status_name(tg_error(t)), tg_status_name(status), tg_message(t));
    CHECK_STR(tg_message(t), text);
    CHECK_STR(tg_message(t), "op_functions.c:");
    tg_clear(t);
}

/* ------------------------------------------------------------------ slices */

TEST(functions, slice_follows_python) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(6));
    VALUES(tg_slice(x, 0, 1, 4, 1), TG_SHAPE(3), 1, 2, 3);
    VALUES(tg_slice(x, -1, -2, TG_END, 1), TG_SHAPE(2), 4, 5);
    VALUES(tg_slice(x, 0, 0, 100, 2), TG_SHAPE(3), 0, 2, 4);
    VALUES(tg_slice(x, 0, TG_END, TG_BEGIN, -1), TG_SHAPE(6), 5, 4, 3, 2, 1, 0);
    VALUES(tg_slice(x, 0, 4, 0, -3), TG_SHAPE(2), 4, 1);
    VALUES(tg_slice(x, 0, -100, 2, 1), TG_SHAPE(2), 0, 1);
    VALUES(tg_slice(x, 0, 4, 2, 1), TG_SHAPE(0), );
    VALUES(tg_slice(x, 0, 2, TG_BEGIN, INT64_MIN), TG_SHAPE(1), 2);
    VALUES(tg_slice(x, 0, 2, TG_END, INT64_MAX), TG_SHAPE(1), 2);
    VALUES(tg_slice_box(numbers(t, TG_SHAPE(3, 4)), (int64_t[]){1, -1}, (int64_t[]){TG_END, 0}, (int64_t[]){1, -2}),
           TG_SHAPE(2, 2), 7, 5, 11, 9);
    VALUES(tg_slice_box(numbers(t, TG_SHAPE(2, 2)), (int64_t[]){1, 0}, (int64_t[]){2, 1}, NULL), TG_SHAPE(1, 1), 2);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_slice(x, 1, 0, 1, 1);
    check_error(t, TG_EARG, "slice: axis 1 is out of range for rank 1");
    tg_slice(x, 0, 0, 1, 0);
    check_error(t, TG_EARG, "slice: the step along axis 0 is 0");
    tg_slice_box(x, NULL, NULL, NULL);
    check_error(t, TG_EARG, "slice_box: from or to is NULL");
    tg_tape_free(t);
}

TEST(functions, split_and_what_it_refuses) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(2, 6)), parts[4], whole;
    CHECK_EQ_I(tg_split(x, -1, 3, parts), TG_OK);
    VALUES(parts[0], TG_SHAPE(2, 2), 0, 1, 6, 7);
    VALUES(parts[2], TG_SHAPE(2, 2), 4, 5, 10, 11);
    whole = tg_concat(parts, 3, 1);
    VALUES(whole, TG_SHAPE(2, 6), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
    tg_split(x, 1, 4, parts);
    check_error(t, TG_ESHAPE, "split: axis 1 of size 6 is not cut in 4 equal parts");
    CHECK(!tg_valid(parts[0]), "a failed split gave a tensor");
    tg_split(x, 2, 3, parts);
    check_error(t, TG_EARG, "split: axis 2 of rank 2");
    tg_split(x, 1, 0, parts);
    check_error(t, TG_EARG, "in 0 parts");
    tg_split(x, 1, 3, NULL);
    check_error(t, TG_EARG, "outs is NULL");
    tg_tape_free(t);
}

/* The gradient of all slices of a tensor is the tensors side by side, in whichever order they were recorded. */
TEST(functions, gradient_of_slices_is_a_concat) {
    for (int backwards = 0; backwards < 2; backwards++) {
        tg_tape *t = tg_tape_new();
        tg_tensor x = numbers(t, TG_SHAPE(4, 2)), sum = tg_scalar(t, 0, TG_F64), g;
        for (int i = 0; i < 4; i++) {
            int row = backwards ? 3 - i : i;
            sum = tg_add(sum, tg_sum(tg_square(tg_slice(x, 0, row, row + 1, 1)), TG_ALL_AXES, false));
        }
        tg_grad(sum, &x, 1, &g);
        VALUES(g, TG_SHAPE(4, 2), 0, 2, 4, 6, 8, 10, 12, 14);
        CHECK(tg_stats(t).nodes < 60, "%d nodes", (int)tg_stats(t).nodes);
        tg_tape_free(t);
    }
}

TEST(functions, gradient_of_a_flip_and_of_overlapping_slices) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(5)), w = numbers(t, TG_SHAPE(5)), g;
    tg_tensor y = tg_sum(tg_mul(tg_slice(x, 0, TG_END, TG_BEGIN, -1), w), TG_ALL_AXES, false);
    tg_grad(y, &x, 1, &g);
    VALUES(g, TG_SHAPE(5), 4, 3, 2, 1, 0);
    y = tg_sum(tg_add(tg_mul(tg_slice(x, 0, 0, 3, 1), tg_slice(w, 0, 1, 4, 1)), tg_slice(x, 0, 1, 4, 1)), TG_ALL_AXES, false);
    tg_grad(y, &x, 1, &g);
    VALUES(g, TG_SHAPE(5), 1, 3, 4, 1, 0);
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ matrices, vectors, batches */

TEST(functions, matmul_of_vectors_and_batches) {
    tg_tape *t = tg_tape_new();
    tg_tensor v = numbers(t, TG_SHAPE(2)), m = numbers(t, TG_SHAPE(2, 3)), b = numbers(t, TG_SHAPE(2, 2, 2));
    VALUES(tg_matmul(v, v), TG_SCALAR, 1);
    VALUES(tg_matmul(v, m), TG_SHAPE(3), 3, 4, 5);
    VALUES(tg_matmul(tg_transpose(m), v), TG_SHAPE(3), 3, 4, 5);
    VALUES(tg_matmul(b, v), TG_SHAPE(2, 2), 1, 3, 5, 7);
    VALUES(tg_matmul(v, b), TG_SHAPE(2, 2), 2, 3, 6, 7);
    VALUES(tg_matmul(b, m), TG_SHAPE(2, 2, 3), 3, 4, 5, 9, 14, 19, 15, 24, 33, 21, 34, 47);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_matmul(v, numbers(t, TG_SHAPE(3)));
    check_error(t, TG_ESHAPE, "matmul: (2) x (3): inner sizes differ");
    tg_matmul(m, m);
    check_error(t, TG_ESHAPE, "matmul: (2, 3) x (2, 3): inner sizes differ");
    tg_matmul(b, tg_scalar(t, 1, TG_F64));
    check_error(t, TG_ESHAPE, "use tg_mul");
    tg_tape_free(t);
}

/* A weight that is used by batches and many times has one product as its gradient. */
TEST(functions, gradient_of_a_shared_weight_is_one_product) {
    tg_tape *t = tg_tape_new();
    tg_tensor w = numbers(t, TG_SHAPE(2, 2)), sum = tg_scalar(t, 0, TG_F64), g;
    for (int i = 0; i < 20; i++) sum = tg_add(sum, tg_sum(tg_matmul(numbers(t, TG_SHAPE(3, 1, 2)), w), TG_ALL_AXES, false));
    uint64_t before = tg_stats(t).nodes;
    tg_grad(sum, &w, 1, &g);
    VALUES(g, TG_SHAPE(2, 2), 120, 120, 180, 180);
    CHECK(tg_stats(t).nodes < before + 20 * 9, "%d nodes for the gradient", (int)(tg_stats(t).nodes - before));
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ softmax along any axis */

TEST(functions, softmax_along_another_axis) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(2, 3)), y = tg_softmax(x, 0), z = tg_transpose(tg_softmax(tg_transpose(x), -1));
    CHECK_NEAR(tg_item(tg_sum(tg_abs(tg_sub(y, z)), TG_ALL_AXES, false)), 0, 0);
    CHECK_NEAR(tg_item(tg_sum(tg_sub(tg_log(y), tg_log_softmax(x, 0)), TG_ALL_AXES, false)), 0, 1e-15);
    tg_softmax(x, 2);
    check_error(t, TG_EARG, "softmax: axis 2 is out of range for rank 2");
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ making tensors */

TEST(functions, constants_and_numbers) {
    tg_tape *t = tg_tape_new();
    VALUES(tg_zeros(t, TG_SHAPE(2), TG_F64), TG_SHAPE(2), 0, 0);
    VALUES(tg_ones(t, TG_SHAPE(2, 1), TG_F64), TG_SHAPE(2, 1), 1, 1);
    VALUES(tg_full(t, TG_SHAPE(2), 7, TG_F64), TG_SHAPE(2), 7, 7);
    VALUES(tg_cast(tg_full(t, TG_SHAPE(2), -7, TG_I32), TG_F64), TG_SHAPE(2), -7, -7);
    VALUES(tg_reshape(tg_ones(t, TG_SHAPE(2, 3), TG_F64), TG_SHAPE(3, -1)), TG_SHAPE(3, 2), 1, 1, 1, 1, 1, 1);
    VALUES(tg_expand(tg_ones(t, TG_SHAPE(1), TG_F64), TG_SHAPE(2, 2)), TG_SHAPE(2, 2), 1, 1, 1, 1);
    tg_tensor x = numbers(t, TG_SHAPE(3));
    VALUES(tg_mul(tg_ones(t, TG_SHAPE(2, 1), TG_F64), x), TG_SHAPE(2, 3), 0, 1, 2, 0, 1, 2);
    VALUES(tg_add_scalar(tg_scale(x, 2), -1), TG_SHAPE(3), -1, 1, 3);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_zeros(t, TG_SHAPE(-1), TG_F64);
    check_error(t, TG_ESHAPE, "zeros: dimension 0 of (-1) is negative");
    tg_full(t, TG_SHAPE(INT64_MAX, INT64_MAX), 1, TG_F64);
    check_error(t, TG_ESHAPE, "full: ");
    tg_ones(t, TG_SCALAR, (tg_dtype)50);
    check_error(t, TG_EDTYPE, "ones: 50 is no dtype");
    tg_cast(x, (tg_dtype)-1);
    check_error(t, TG_EDTYPE, "cast: -1 is no dtype");
    tg_scale(tg_cast(x, TG_I64), 2);
    check_error(t, TG_EDTYPE, "scale: ");
    tg_reshape(x, TG_SHAPE(2, -1));
    check_error(t, TG_ESHAPE, "reshape: 3 elements do not fill the shape (2, -1)");
    tg_tape_free(t);
}

/* A number that was 1 by chance is data: NaN times it stays NaN, and 0 times NaN too. */
TEST(functions, numbers_are_never_simplified) {
    tg_tape *t = tg_tape_new();
    tg_tensor nan = tg_scalar(t, NAN, TG_F64);
    CHECK(isnan(tg_item(tg_scale(nan, 0))), "0 NaN was simplified");
    CHECK(isnan(tg_item(tg_mul(nan, tg_zeros(t, TG_SCALAR, TG_F64)))), "a symbolic 0 NaN was simplified");
    uint64_t before = tg_stats(t).nodes;
    tg_scale(nan, 1);
    CHECK_EQ_I((long long)(tg_stats(t).nodes - before), 2);
    tg_tape_free(t);
}

TEST(functions, random_numbers) {
    tg_tape *t = tg_tape_new();
    enum { N = 20000 };
    tg_seed(t, 7);
    tg_tensor u = tg_uniform(t, TG_SHAPE(N), TG_F32, -1, 3), z = tg_normal(t, TG_SHAPE(N), TG_F64, 5, 2);
    const float *v = tg_data(u);
    double low = 9, high = -9, mean = 0;
    for (int i = 0; v && i < N; i++) {
        low = fmin(low, v[i]);
        high = fmax(high, v[i]);
        mean += v[i] / N;
    }
    CHECK(low >= -1 && low < -0.99 && high <= 3 && high > 2.99, "from %g to %g", low, high);
    CHECK_NEAR(mean, 1, 0.04);
    tg_tensor centred = tg_add_scalar(z, -5);
    CHECK_NEAR(tg_item(tg_mean(centred, TG_ALL_AXES, false)), 0, 0.07);
    CHECK_NEAR(tg_item(tg_mean(tg_square(centred), TG_ALL_AXES, false)), 4, 0.2);
    tg_tensor other = tg_uniform(t, TG_SHAPE(N), TG_F32, -1, 3);
    CHECK(tg_item(tg_sum(tg_cast(tg_ne(u, other), TG_F32), TG_ALL_AXES, false)) > N - 20, "two random tensors are equal");
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_uniform(t, TG_SHAPE(3), TG_I32, 0, 1);
    check_error(t, TG_EDTYPE, "uniform: the dtype must be f32 or f64");
    tg_normal(t, TG_SHAPE(-3), TG_F32, 0, 1);
    check_error(t, TG_ESHAPE, "normal: ");
    tg_tape_free(t);
}

TEST(functions, dropout_keeps_the_mean) {
    tg_tape *t = tg_tape_new();
    enum { N = 20000 };
    tg_tensor x = tg_full(t, TG_SHAPE(N), 2, TG_F64), y = tg_dropout(x, 0.25), g;
    CHECK_NEAR(tg_item(tg_mean(y, TG_ALL_AXES, false)), 2, 0.05);
    tg_tensor kept = tg_cast(tg_ne(y, tg_zeros(t, TG_SCALAR, TG_F64)), TG_F64);
    CHECK_NEAR(tg_item(tg_mean(kept, TG_ALL_AXES, false)), 0.75, 0.02);
    tg_grad(tg_sum(y, TG_ALL_AXES, false), &x, 1, &g); /* the same elements: 4/3 where kept */
    CHECK_NEAR(tg_item(tg_max(tg_abs(tg_sub(g, tg_scale(kept, 1 / 0.75))), TG_ALL_AXES, false)), 0, 1e-15);
    CHECK(tg_dropout(x, 0).id == x.id, "dropout by 0 is not x");
    tg_dropout(x, 1);
    check_error(t, TG_EARG, "dropout: the probability must be in [0, 1)");
    tg_dropout(x, NAN);
    check_error(t, TG_EARG, "[0, 1)");
    tg_dropout(tg_cast(x, TG_I32), 0.5);
    check_error(t, TG_EDTYPE, "a float's");
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ conventions */

TEST(functions, gradients_at_kinks_and_ties) {
    tg_tape *t = tg_tape_new();
    const double a_values[] = {1, 2, 2, -1, 0}, b_values[] = {2, 2, 1, -1, 0};
    tg_tensor a = tg_input(t, tg_f64(a_values, TG_SHAPE(5))), b = tg_input(t, tg_f64(b_values, TG_SHAPE(5))), xs[] = {a, b},
              g[2];
    tg_grad(tg_sum(tg_maximum(a, b), TG_ALL_AXES, false), xs, 2, g);
    VALUES(g[0], TG_SHAPE(5), 0, 1, 1, 1, 1);
    VALUES(g[1], TG_SHAPE(5), 1, 0, 0, 0, 0);
    tg_grad(tg_max(a, TG_ALL_AXES, false), xs, 1, g);
    VALUES(g[0], TG_SHAPE(5), 0, 0.5, 0.5, 0, 0);
    tg_grad(tg_sum(tg_add(tg_relu(a), tg_abs(a)), TG_ALL_AXES, false), xs, 1, g);
    VALUES(g[0], TG_SHAPE(5), 2, 2, 2, -1, 0);
    tg_tensor zero = tg_scalar(t, 0, TG_F64);
    tg_grad(tg_pow(zero, zero), &zero, 1, g);
    VALUES(g[0], TG_SCALAR, 0);
    tg_tape_free(t);
}

TEST(functions, nan_is_carried_through) {
    tg_tape *t = tg_tape_new();
    tg_tensor nan = tg_scalar(t, NAN, TG_F64), one = tg_scalar(t, 1, TG_F64), pair[] = {one, nan};
    CHECK(isnan(tg_item(tg_relu(nan))), "relu");
    CHECK(isnan(tg_item(tg_maximum(one, nan))) && isnan(tg_item(tg_maximum(nan, one))), "maximum");
    CHECK(isnan(tg_item(tg_minimum(one, nan))) && isnan(tg_item(tg_minimum(nan, one))), "minimum");
    CHECK(isnan(tg_item(tg_max(tg_stack(pair, 2, 0), TG_ALL_AXES, false))), "max");
    CHECK(isnan(tg_item(tg_sign(nan))), "sign");
    CHECK_EQ_I(*(const int64_t *)tg_data(tg_argmax(tg_stack(pair, 2, 0), 0)), 1);
    CHECK_EQ_I(*(const uint8_t *)tg_data(tg_isfinite(nan)), 0);
    CHECK_EQ_I(*(const uint8_t *)tg_data(tg_isnan(nan)), 1);
    tg_tape_free(t);
}

/* Ops on parameters alone know no tape: the first op on a tape says where that was. */
TEST(functions, parameters_alone_are_reported) {
    tg_model *m = tg_model_new(1);
    tg_tape *t = tg_tape_new();
    tg_tensor w = tg_param(m, "w", TG_SHAPE(2, 2), TG_F64, (tg_init){.kind = TG_INIT_CONSTANT, .a = 1});
    tg_tensor lost[] = {tg_scale(w, 2),          tg_softmax(w, 0),   tg_matmul(w, w),
                        tg_slice(w, 0, 0, 1, 1), tg_dropout(w, 0.5), tg_cast(w, TG_F32)};
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++) {
        tg_add(tg_scalar(t, 1, TG_F64), lost[i]);
        check_error(t, TG_EARG, "op on parameters or states alone at");
    }
    VALUES(tg_matmul(numbers(t, TG_SHAPE(2)), w), TG_SHAPE(2), 1, 1);
    VALUES(tg_matmul(numbers(t, TG_SHAPE(1, 2, 2)), w), TG_SHAPE(1, 2, 2), 1, 1, 5, 5);
    VALUES(tg_reshape(tg_on(t, w), TG_SHAPE(4)), TG_SHAPE(4), 1, 1, 1, 1);
    tg_tape_free(t);
    tg_model_free(m);
}

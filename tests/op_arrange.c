/* tests/op_arrange.c: values, gradients and errors of ops on shapes and places, written out. */
#include "tests/test.h"

#include <math.h>
#include <string.h>
#include <tapegrad.h>

static tg_tensor numbers(tg_tape *t, tg_shape shape) { /* 0, 1, 2, ... */
    double v[64];
    for (int i = 0; i < 64; i++) v[i] = i;
    return tg_input(t, tg_f64(v, shape));
}

#define COUNT(...) ((int64_t)(sizeof((double[]){0, __VA_ARGS__}) / sizeof(double)) - 1)
#define VECTOR(t, ...) tg_input(t, tg_f64((const double[]){0, __VA_ARGS__} + 1, TG_SHAPE(COUNT(__VA_ARGS__))))
#define PLACES(t, shape, ...) tg_input(t, tg_i64((const int64_t[]){__VA_ARGS__}, shape))

static void check_values(tg_tensor x, tg_shape shape, const double *want, const char *what) {
    double v[64];
    tg_shape got = tg_shape_of(x);
    tg_tensor wide = tg_cast(x, TG_F64);
    bool read = tg_numel(x) <= 64 && !tg_read(wide, v, (size_t)tg_numel(x) * sizeof *v);
    if (!CHECK(read && tg_shape_equal(&got, &shape), "%s: %s", what, tg_message(tg_tape_of(x)))) return;
    for (int64_t i = 0; i < tg_numel(x); i++) CHECK_NEAR(v[i], want[i], 1e-15);
}

#define VALUES(x, shape, ...) check_values(x, shape, (const double[]){0, __VA_ARGS__} + 1, #x)

static tg_tensor gradient(tg_tensor y, tg_tensor weight, tg_tensor x) {
    tg_tensor g;
    tg_vjp(y, weight, &x, 1, &g);
    return g;
}

static void check_error(tg_tape *t, tg_status status, const char *text) {
    CHECK(tg_error(t) == status, "%s instead of %s: %s", tg_status_name(tg_error(t)), tg_status_name(status), tg_message(t));
    CHECK_STR(tg_message(t), text);
    CHECK_STR(tg_message(t), "op_arrange.c:");
    tg_clear(t);
}

/* ------------------------------------------------------------------ padding and windows */

#define PADDED(before_, after_, mode_) ((tg_padding){.before = {before_}, .after = {after_}, .mode = mode_})

TEST(arrange, padding) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(3)), m = numbers(t, TG_SHAPE(2, 2));
    VALUES(tg_pad(x, (tg_padding){.before = {2}, .after = {1}, .value = 7}), TG_SHAPE(6), 7, 7, 0, 1, 2, 7);
    VALUES(tg_pad(x, PADDED(2, 2, TG_PAD_REFLECT)), TG_SHAPE(7), 2, 1, 0, 1, 2, 1, 0);
    VALUES(tg_pad(x, PADDED(2, 1, TG_PAD_REPLICATE)), TG_SHAPE(6), 0, 0, 0, 1, 2, 2);
    VALUES(tg_pad(x, PADDED(1, 3, TG_PAD_CIRCULAR)), TG_SHAPE(7), 2, 0, 1, 2, 0, 1, 2);
    VALUES(tg_pad(m, (tg_padding){.before = {1, 0}, .after = {0, 1}}), TG_SHAPE(3, 3), 0, 0, 0, 0, 1, 0, 2, 3, 0);
    VALUES(tg_pad(m, (tg_padding){.mode = TG_PAD_REFLECT}), TG_SHAPE(2, 2), 0, 1, 2, 3);
    tg_tensor y = tg_pad(x, PADDED(2, 2, TG_PAD_REFLECT));
    VALUES(gradient(y, numbers(t, TG_SHAPE(7)), x), TG_SHAPE(3), 8, 9, 4);
    tg_tensor whole = PLACES(t, TG_SHAPE(2), 5, 6);
    VALUES(tg_pad(whole, (tg_padding){.before = {1}, .value = -3}), TG_SHAPE(3), -3, 5, 6);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_pad(x, PADDED(3, 0, TG_PAD_REFLECT));
    check_error(t, TG_EARG, "pad: axis 0 of size 3 cannot be padded by 3 and 0");
    tg_tape_free(t);
}

TEST(arrange, windows) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(6));
    tg_windows w = {TG_AXES(0), {2}, {2}, {3}};
    VALUES(tg_unfold(x, w), TG_SHAPE(2, 2), 0, 3, 2, 5);
    tg_windows four = {.axes = TG_AXES(-1), .size = {4}}, square = {.axes = TG_AXES(0, 1), .size = {2, 2}};
    VALUES(tg_unfold(x, four), TG_SHAPE(3, 4), 0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5);
    VALUES(tg_fold(tg_unfold(x, four), (int64_t[]){6}, four), TG_SHAPE(6), 0, 2, 6, 9, 8, 5);
    VALUES(tg_fold(numbers(t, TG_SHAPE(2, 2)), (int64_t[]){6}, w), TG_SHAPE(6), 0, 0, 2, 1, 0, 3);
    tg_tensor image = numbers(t, TG_SHAPE(3, 3));
    VALUES(tg_sum(tg_unfold(image, square), TG_AXES(2, 3), false), TG_SHAPE(2, 2), 8, 12, 20, 24);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_fold(x, NULL, w);
    check_error(t, TG_EARG, "fold: n is NULL");
    tg_unfold(x, (tg_windows){.axes = TG_AXES(0), .size = {3}, .step = {-1}});
    check_error(t, TG_EARG, "unfold: size 3, step -1");
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ taking and putting */

TEST(arrange, scatter_with_several_for_one_place) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = VECTOR(t, 10, 20, 30), source = VECTOR(t, 1, 2, 3, 4), index = PLACES(t, TG_SHAPE(4), 2, 0, 2, 2);
    tg_tensor y = tg_scatter(x, 0, index, source), sum = tg_scatter_add(x, 0, index, source), g = VECTOR(t, 5, 6, 7);
    VALUES(y, TG_SHAPE(3), 2, 20, 4);
    VALUES(sum, TG_SHAPE(3), 12, 20, 38);
    VALUES(gradient(y, g, x), TG_SHAPE(3), 0, 6, 0);
    VALUES(gradient(y, g, source), TG_SHAPE(4), 0, 5, 0, 7);
    VALUES(gradient(sum, g, x), TG_SHAPE(3), 5, 6, 7);
    VALUES(gradient(sum, g, source), TG_SHAPE(4), 7, 5, 7, 7);
    tg_tensor votes = PLACES(t, TG_SHAPE(4), 1, 1, 1, 1), none = tg_zeros(t, TG_SHAPE(3), TG_I64);
    VALUES(tg_scatter_add(none, 0, index, votes), TG_SHAPE(3), 1, 0, 3);
    VALUES(tg_take_along_axis(x, -1, index), TG_SHAPE(4), 30, 10, 30, 30);
    CHECK(tg_ok(t), "%s", tg_message(t));
    double v[3];
    tg_read(tg_scatter(x, 0, PLACES(t, TG_SHAPE(1), 3), VECTOR(t, 1)), v, sizeof v);
    check_error(t, TG_EINDEX, "scatter: index 3 at position 0 is not in [0, 3)");
    tg_tape_free(t);
}

TEST(arrange, embedding_of_a_repeated_word) {
    tg_tape *t = tg_tape_new();
    tg_tensor weight = numbers(t, TG_SHAPE(3, 2)), words = PLACES(t, TG_SHAPE(2, 2), 2, 0, 2, 1);
    tg_tensor y = tg_embedding(weight, words);
    VALUES(y, TG_SHAPE(2, 2, 2), 4, 5, 0, 1, 4, 5, 2, 3);
    VALUES(gradient(y, numbers(t, TG_SHAPE(2, 2, 2)), weight), TG_SHAPE(3, 2), 2, 3, 6, 7, 4, 6);
    VALUES(tg_index_select(weight, 1, PLACES(t, TG_SHAPE(1), 1)), TG_SHAPE(3, 1), 1, 3, 5);
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ arranging */

TEST(arrange, flips_rolls_and_repeats) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(2, 3));
    VALUES(tg_flip(x, TG_AXES(-1)), TG_SHAPE(2, 3), 2, 1, 0, 5, 4, 3);
    VALUES(tg_flip(x, TG_ALL_AXES), TG_SHAPE(2, 3), 5, 4, 3, 2, 1, 0);
    VALUES(tg_roll(x, 1, 1), TG_SHAPE(2, 3), 2, 0, 1, 5, 3, 4);
    VALUES(tg_roll(x, 1, -4), TG_SHAPE(2, 3), 1, 2, 0, 4, 5, 3);
    VALUES(tg_tile(x, TG_SHAPE(2)), TG_SHAPE(2, 6), 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
    VALUES(tg_tile(VECTOR(t, 1, 2), TG_SHAPE(2, 2)), TG_SHAPE(2, 4), 1, 2, 1, 2, 1, 2, 1, 2);
    VALUES(tg_repeat(x, 0, 2), TG_SHAPE(4, 3), 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
    VALUES(tg_repeat(VECTOR(t, 1, 2), -1, 2), TG_SHAPE(4), 1, 1, 2, 2);
    VALUES(tg_flatten(x, 0, -1), TG_SHAPE(6), 0, 1, 2, 3, 4, 5);
    VALUES(tg_flatten(tg_scalar(t, 3, TG_F64), 0, -1), TG_SHAPE(1), 3);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_roll(x, 2, 1);
    check_error(t, TG_EARG, "roll: axis 2 is out of range for rank 2");
    tg_tile(numbers(t, TG_SHAPE(8)), TG_SHAPE(INT64_MAX / 16));
    check_error(t, TG_ESHAPE, "tile: ");
    tg_tape_free(t);
}

TEST(arrange, chunks_of_unequal_size) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(5)), parts[7];
    CHECK_EQ_I(tg_chunk(x, 0, 3, parts), TG_OK);
    VALUES(parts[0], TG_SHAPE(2), 0, 1);
    VALUES(parts[1], TG_SHAPE(2), 2, 3);
    VALUES(parts[2], TG_SHAPE(1), 4);
    CHECK_EQ_I(tg_chunk(x, -1, 7, parts), TG_OK);
    VALUES(parts[4], TG_SHAPE(1), 4);
    VALUES(parts[6], TG_SHAPE(0), );
    tg_chunk(x, 1, 2, parts);
    check_error(t, TG_EARG, "chunk: axis 1 of rank 1 in 2 parts");
    tg_chunk(x, 0, 2, NULL);
    check_error(t, TG_EARG, "outs is NULL");
    tg_tape_free(t);
}

TEST(arrange, diagonals_and_triangles) {
    tg_tape *t = tg_tape_new();
    tg_tensor m = numbers(t, TG_SHAPE(2, 3)), v = VECTOR(t, 1, 2);
    VALUES(tg_diagonal(m, 0), TG_SHAPE(2), 0, 4);
    VALUES(tg_diagonal(m, 2), TG_SHAPE(1), 2);
    VALUES(tg_diagonal(m, INT64_MIN), TG_SHAPE(0), );
    VALUES(tg_diag(v, 0), TG_SHAPE(2, 2), 1, 0, 0, 2);
    VALUES(tg_diag(v, -1), TG_SHAPE(3, 3), 0, 0, 0, 1, 0, 0, 0, 2, 0);
    VALUES(gradient(tg_diagonal(m, 1), v, m), TG_SHAPE(2, 3), 0, 1, 0, 0, 0, 2);
    VALUES(tg_tril(m, 0), TG_SHAPE(2, 3), 0, 0, 0, 3, 4, 0);
    VALUES(tg_triu(m, 1), TG_SHAPE(2, 3), 0, 1, 2, 0, 0, 5);
    VALUES(tg_triu(m, INT64_MIN), TG_SHAPE(2, 3), 0, 1, 2, 3, 4, 5);
    tg_tril(VECTOR(t, NAN, NAN), 0);
    check_error(t, TG_ESHAPE, "tril: rank 1");
    VALUES(tg_tril(tg_expand(tg_scalar(t, INFINITY, TG_F64), TG_SHAPE(2, 2)), -1), TG_SHAPE(2, 2), 0, 0, INFINITY, 0);
    VALUES(tg_eye(t, 2, 3, TG_I32), TG_SHAPE(2, 3), 1, 0, 0, 0, 1, 0);
    tg_diag(v, INT64_MAX);
    check_error(t, TG_ESHAPE, "diag: ");
    tg_tape_free(t);
}

TEST(arrange, linspace_ends_exactly) {
    tg_tape *t = tg_tape_new();
    VALUES(tg_linspace(t, 0, 1, 5, TG_F64), TG_SHAPE(5), 0, 0.25, 0.5, 0.75, 1);
    VALUES(tg_linspace(t, 3, -3, 4, TG_F32), TG_SHAPE(4), 3, 1, -1, -3);
    VALUES(tg_linspace(t, 3, 9, 1, TG_F64), TG_SHAPE(1), 3);
    VALUES(tg_linspace(t, 3, 9, 0, TG_F64), TG_SHAPE(0), );
    tg_tensor y = tg_linspace(t, 0.1, 0.7, 12, TG_F64);
    CHECK_NEAR(tg_item(tg_slice(y, 0, -1, TG_END, 1)), 0.7, 0);
    CHECK_NEAR(tg_item(tg_slice(y, 0, 0, 1, 1)), 0.1, 0);
    tg_linspace(t, 0, 1, -1, TG_F64);
    check_error(t, TG_EARG, "linspace: -1 numbers");
    tg_linspace(t, 0, 1, 3, TG_I64);
    check_error(t, TG_EDTYPE, "linspace: the dtype");
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ choosing by value */

TEST(arrange, nonzero_and_select) {
    for (int eager = 0; eager < 2; eager++) {
        tg_tape *t = tg_tape_new();
        tg_set_eager(t, eager);
        tg_tensor x = numbers(t, TG_SHAPE(2, 3));
        tg_tensor odd = tg_input(t, tg_bools((const uint8_t[]){0, 1, 0, 1, 0, 1}, TG_SHAPE(2, 3)));
        VALUES(tg_nonzero(odd), TG_SHAPE(3, 2), 0, 1, 1, 0, 1, 2);
        VALUES(tg_nonzero(tg_scalar(t, 3, TG_F64)), TG_SHAPE(1, 0), );
        VALUES(tg_nonzero(VECTOR(t, 0, -0.0)), TG_SHAPE(0, 1), );
        tg_tensor count, places = tg_nonzero_max(odd, 2, &count);
        VALUES(places, TG_SHAPE(2, 2), 0, 1, 1, 0);
        VALUES(count, TG_SCALAR, 3);
        tg_tensor y = tg_masked_select(x, odd);
        VALUES(y, TG_SHAPE(3), 1, 3, 5);
        VALUES(gradient(y, VECTOR(t, 7, 8, 9), x), TG_SHAPE(2, 3), 0, 7, 0, 8, 0, 9);
        VALUES(tg_masked_select_max(x, odd, 4, -1), TG_SHAPE(4), 1, 3, 5, -1);
        VALUES(tg_masked_select(x, tg_input(t, tg_bools((const uint8_t[]){0, 1}, TG_SHAPE(2, 1)))), TG_SHAPE(3), 3, 4, 5);
        VALUES(tg_masked_fill(x, odd, 9), TG_SHAPE(2, 3), 0, 9, 2, 9, 4, 9);
        CHECK(tg_ok(t), "%s", tg_message(t));
        tg_masked_select(x, x);
        check_error(t, TG_EDTYPE, "the mask must be bool");
        tg_tape_free(t);
    }
}

TEST(arrange, unique) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_input(t, tg_f64((const double[]){3, 1, 3, -0.0, 0, 1}, TG_SHAPE(2, 3)));
    tg_tensor y = tg_unique(x), which = tg_unique_inverse(x);
    VALUES(y, TG_SHAPE(3), 0, 1, 3);
    VALUES(which, TG_SHAPE(2, 3), 2, 1, 2, 0, 0, 1);
    VALUES(tg_gather(y, 0, which), TG_SHAPE(2, 3), 3, 1, 3, 0, 0, 1);
    VALUES(gradient(y, VECTOR(t, 7, 8, 9), x), TG_SHAPE(2, 3), 9, 8, 0, 7, 0, 0);
    VALUES(tg_unique_max(x, 5, -1), TG_SHAPE(5), 0, 1, 3, -1, -1);
    VALUES(tg_unique_max(x, 2, -1), TG_SHAPE(2), 0, 1);
    VALUES(tg_unique(VECTOR(t, )), TG_SHAPE(0), );
    VALUES(tg_unique(VECTOR(t, NAN, 1, NAN)), TG_SHAPE(3), 1, NAN, NAN);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

/* What a function records in the name of the caller has the caller's line, and what it must run may fail. */
TEST(arrange, what_runs_at_once_may_fail) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = numbers(t, TG_SHAPE(3)), bad = tg_gather(x, 0, PLACES(t, TG_SHAPE(2), 0, 5));
    tg_tensor y = tg_nonzero(bad);
    CHECK(!tg_valid(y), "a tensor came of a failed run");
    check_error(t, TG_EINDEX, "gather: index 5");
    y = tg_unique(bad);
    CHECK(!tg_valid(y), "a tensor came of a failed run");
    check_error(t, TG_EINDEX, "gather: index 5");
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ images */

TEST(arrange, interpolation) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = VECTOR(t, 0, 4), m = numbers(t, TG_SHAPE(2, 2));
    VALUES(tg_interpolate(x, TG_SHAPE(4), TG_LINEAR, false), TG_SHAPE(4), 0, 1, 3, 4);
    VALUES(tg_interpolate(x, TG_SHAPE(5), TG_LINEAR, true), TG_SHAPE(5), 0, 1, 2, 3, 4);
    VALUES(tg_interpolate(x, TG_SHAPE(3), TG_NEAREST, false), TG_SHAPE(3), 0, 0, 4);
    VALUES(tg_interpolate(m, TG_SHAPE(3, 3), TG_LINEAR, true), TG_SHAPE(3, 3), 0, 0.5, 1, 1, 1.5, 2, 2, 2.5, 3);
    VALUES(tg_interpolate(m, TG_SHAPE(1, 1), TG_LINEAR, false), TG_SHAPE(1, 1), 1.5);
    VALUES(tg_interpolate(PLACES(t, TG_SHAPE(2), 7, 8), TG_SHAPE(4), TG_NEAREST, false), TG_SHAPE(4), 7, 7, 8, 8);
    tg_tensor shuffled = tg_pixel_shuffle(numbers(t, TG_SHAPE(4, 1, 2)), 2);
    VALUES(shuffled, TG_SHAPE(1, 2, 4), 0, 2, 1, 3, 4, 6, 5, 7);
    VALUES(tg_pixel_unshuffle(shuffled, 2), TG_SHAPE(4, 1, 2), 0, 1, 2, 3, 4, 5, 6, 7);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ all ranks */

TEST(arrange, rank_8) {
    tg_tape *t = tg_tape_new();
    tg_shape s = TG_SHAPE(1, 2, 1, 2, 1, 2, 1, 2);
    tg_tensor x = numbers(t, s), y = tg_flip(x, TG_ALL_AXES);
    CHECK_NEAR(tg_item(tg_slice(tg_flatten(y, 0, -1), 0, 0, 1, 1)), 15, 0);
    VALUES(tg_sum(tg_mul(x, y), TG_ALL_AXES, false), TG_SCALAR, 560);
    VALUES(tg_slice(tg_flatten(tg_sort(y, -1, false), 0, -1), 0, 0, 2, 1), TG_SHAPE(2), 14, 15);
    VALUES(tg_slice(tg_flatten(tg_cumsum(x, 3), 0, -1), 0, 4, 6, 1), TG_SHAPE(2), 4, 6);
    VALUES(tg_prod(tg_slice(x, 1, 1, 2, 1), TG_AXES(3, 7), true), TG_SHAPE(1, 1, 1, 1, 1, 2, 1, 1), 8 * 9 * 12 * 13.,
           10 * 11 * 14 * 15.);
    tg_padding p = {.before[7] = 1};
    VALUES(tg_slice(tg_flatten(tg_pad(x, p), 0, -1), 0, 0, 4, 1), TG_SHAPE(4), 0, 0, 1, 0);
    VALUES(tg_slice(tg_flatten(tg_tile(x, s), 0, -1), 0, 0, 4, 1), TG_SHAPE(4), 0, 1, 0, 1);
    VALUES(tg_slice(tg_flatten(tg_roll(x, 7, 1), 0, -1), 0, 0, 2, 1), TG_SHAPE(2), 1, 0);
    CHECK_EQ_I(tg_numel(tg_nonzero(x)), 15 * 8);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

/* Functions that record more than one op, or make a number for it. */
TEST(arrange, functions_take_16_bit_floats) {
    static const tg_dtype halves[] = {TG_BF16, TG_F16};
    tg_tape *t = tg_tape_new();
    for (int i = 0; i < 2; i++) {
        tg_tensor x = tg_cast(VECTOR(t, 3, 1, 4, 1), halves[i]), odd = tg_ne(x, tg_cast(VECTOR(t, 4), halves[i]));
        VALUES(tg_pad(x, PADDED(1, 0, TG_PAD_CONSTANT)), TG_SHAPE(5), 0, 3, 1, 4, 1);
        VALUES(tg_pad(x, (tg_padding){.after = {1}, .value = 0.5}), TG_SHAPE(5), 3, 1, 4, 1, 0.5);
        VALUES(tg_masked_fill(x, odd, 8), TG_SHAPE(4), 8, 8, 4, 8);
        VALUES(tg_masked_select(x, odd), TG_SHAPE(3), 3, 1, 1);
        VALUES(tg_masked_select_max(x, odd, 4, -1), TG_SHAPE(4), 3, 1, 1, -1);
        VALUES(tg_unique(x), TG_SHAPE(3), 1, 3, 4);
        VALUES(tg_unique_max(x, 4, -1), TG_SHAPE(4), 1, 3, 4, -1);
        VALUES(tg_unique_inverse(x), TG_SHAPE(4), 1, 0, 2, 0);
        VALUES(tg_topk(x, 0, 2, true), TG_SHAPE(2), 4, 3);
        VALUES(tg_nonzero(x), TG_SHAPE(4, 1), 0, 1, 2, 3);
        VALUES(tg_norm(x, 1, TG_ALL_AXES, false), TG_SCALAR, 9);
        VALUES(tg_interpolate(x, TG_SHAPE(2), TG_LINEAR, true), TG_SHAPE(2), 3, 1);
        tg_tensor more = tg_cast(VECTOR(t, 2, 4), halves[i]);
        VALUES(tg_scatter_add(x, 0, PLACES(t, TG_SHAPE(2), 1, 1), more), TG_SHAPE(4), 3, 7, 4, 1);
        CHECK(tg_dtype_of(tg_unique(x)) == halves[i] && tg_dtype_of(tg_norm(x, 3, TG_ALL_AXES, false)) == halves[i],
              "%s", tg_message(t));
    }
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
}

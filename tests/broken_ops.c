/* tests/broken_ops.c: ops that are wrong on purpose, each a copy of a real descriptor with one thing replaced. tg_op_check must
 * reject every one, and say why: a check that nobody tried to fool is no check. */
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

static void rejected(const tg_op *op, const char *reason) {
    tg_op_report r;
    int failures = tg_op_check(op, NULL, false, &r);
    CHECK(failures > 0, "passes all %d cases", r.cases);
    CHECK_STR(r.first_failure, reason);
    CHECK_STR(r.first_failure, op->name);
}

/* BROKEN(what is wrong, the real op, a part of the first failure, what is replaced in its copy `op`...) */
#define BROKEN(what, base, reason, ...)                                    \
    TEST(broken_op, what) {                                                \
        if (!CHECK(tg_op_find(base) != NULL, "%s is no op", base)) return; \
        tg_op op = *tg_op_find(base);                                      \
        __VA_ARGS__;                                                       \
        rejected(&op, reason);                                             \
    }

TEST(broken_op, but_not_the_copies) {
    static const char *const names[] = {"mul",    "div",       "tanh",    "sigmoid", "exp",     "pow",
                                        "sub",    "relu",      "maximum", "matmul",  "softmax", "sum",
                                        "gather", "transpose", "uniform", "concat",  "mean",    "argmax"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!CHECK(tg_op_find(names[i]) != NULL, "%s is no op", names[i])) continue;
        tg_op op = *tg_op_find(names[i]);
        tg_op_report r;
        CHECK(tg_op_check(&op, NULL, false, &r) == 0, "%s", r.first_failure);
    }
}

/* ------------------------------------------------------------------ wrong derivatives: elementwise */

#define RULE(name, ...)                                                                           \
    static void name(tg_vjp_args *v) {                                                            \
        const tg_tensor g = v->g[0], y = v->out[0], a = v->in[0], b = v->n_in > 1 ? v->in[1] : a; \
        (void)g, (void)y, (void)a, (void)b;                                                       \
        __VA_ARGS__                                                                               \
    }
#define GIVE(i, ...) \
    if (tg_vjp_needs(v, i)) tg_vjp_give(v, i, __VA_ARGS__);

static tg_tensor one_minus(tg_tensor x) { return tg_add_scalar(tg_neg(x), 1); }

RULE(mul_sign, GIVE(0, tg_mul(g, b)) GIVE(1, tg_neg(tg_mul(g, a))))
BROKEN(wrong_sign, "mul", "d/d input 1: element", op.vjp = mul_sign)
BROKEN(wrong_sign_is_named, "mul", "wrong sign?", op.vjp = mul_sign)

RULE(mul_twice, GIVE(0, tg_scale(tg_mul(g, b), 2)) GIVE(1, tg_mul(g, a)))
BROKEN(factor_two, "mul", "a constant factor of 2?", op.vjp = mul_twice)

RULE(mul_half, GIVE(0, tg_mul(g, b)))
BROKEN(dropped_input, "mul", "does not depend on x number 1", op.vjp = mul_half)

RULE(mul_zero, GIVE(0, tg_mul(g, b)) GIVE(1, tg_scale(tg_mul(g, a), 0)))
BROKEN(zero_for_an_input, "mul", "nothing arrives", op.vjp = mul_zero)

RULE(mul_partner, GIVE(0, tg_mul(g, a)) GIVE(1, tg_mul(g, b)))
BROKEN(own_value_for_the_others, "mul", "d/d input 0", op.vjp = mul_partner)

RULE(mul_no_cotangent, GIVE(0, tg_add(b, tg_scale(g, 0))) GIVE(1, tg_add(a, tg_scale(g, 0))))
BROKEN(cotangent_ignored, "mul", "d/d input 0", op.vjp = mul_no_cotangent)

RULE(mul_squared_cotangent, GIVE(0, tg_mul(tg_square(g), b)) GIVE(1, tg_mul(g, a)))
BROKEN(cotangent_squared, "mul", "d/d input 0", op.vjp = mul_squared_cotangent)

RULE(mul_small_error, GIVE(0, tg_scale(tg_mul(g, b), 1 + 3e-7)) GIVE(1, tg_mul(g, a)))
BROKEN(error_of_3e_7, "mul", "d/d input 0", op.vjp = mul_small_error)

RULE(div_positive, GIVE(0, tg_div(g, b)) GIVE(1, tg_div(tg_mul(g, y), b)))
BROKEN(minus_forgotten, "div", "wrong sign?", op.vjp = div_positive)

RULE(div_no_square, GIVE(0, tg_div(g, b)) GIVE(1, tg_neg(tg_mul(g, y))))
BROKEN(divisor_forgotten, "div", "d/d input 1", op.vjp = div_no_square)

RULE(tanh_no_square, GIVE(0, tg_mul(g, one_minus(y))))
BROKEN(square_forgotten, "tanh", "d/d input 0", op.vjp = tanh_no_square)

RULE(tanh_of_x, GIVE(0, tg_mul(g, one_minus(tg_square(a)))))
BROKEN(input_for_output, "tanh", "d/d input 0", op.vjp = tanh_of_x)

RULE(sigmoid_plus, GIVE(0, tg_mul(g, tg_mul(y, tg_add_scalar(y, 1)))))
BROKEN(plus_for_minus, "sigmoid", "d/d input 0", op.vjp = sigmoid_plus)

RULE(exp_dropped, GIVE(0, tg_mul(g, a)))
BROKEN(input_for_value, "exp", "d/d input 0", op.vjp = exp_dropped)

RULE(exp_linear, GIVE(0, tg_add(g, tg_scale(y, 0))))
BROKEN(inner_factor_dropped, "exp", "d/d input 0", op.vjp = exp_linear)

RULE(pow_no_log, GIVE(0, tg_mul(g, tg_mul(b, tg_pow(a, tg_add_scalar(b, -1))))) GIVE(1, tg_mul(g, y)))
BROKEN(logarithm_forgotten, "pow", "d/d input 1", op.vjp = pow_no_log)

RULE(pow_exponent, GIVE(0, tg_mul(g, tg_mul(b, tg_pow(a, b)))) GIVE(1, tg_mul(g, tg_mul(y, tg_log(a)))))
BROKEN(exponent_not_lowered, "pow", "d/d input 0", op.vjp = pow_exponent)

RULE(relu_passes, GIVE(0, tg_scale(g, 1)))
RULE(relu_inverted, GIVE(0, tg_where(tg_lt(a, tg_scale(a, 0)), g, tg_scale(g, 0))))
BROKEN(mask_ignored, "relu", "d/d input 0", op.vjp = relu_passes)
BROKEN(mask_inverted, "relu", "d/d input 0", op.vjp = relu_inverted)

RULE(maximum_both, GIVE(0, tg_scale(g, 1)) GIVE(1, tg_scale(g, 1)))
BROKEN(maximum_to_both, "maximum", "d/d input", op.vjp = maximum_both)

RULE(exp_narrow, GIVE(0, tg_cast(tg_mul(g, y), TG_F32)))
BROKEN(wrong_dtype_given, "exp", "a cotangent of dtype f32", op.vjp = exp_narrow)

RULE(exp_rounded, GIVE(0, tg_cast(tg_cast(tg_mul(g, y), TG_F32), tg_dtype_of(g))))
BROKEN(rounded_to_f32, "exp", "d/d input 0", op.vjp = exp_rounded)

/* Uses the value of the first time that it was called. */
static double old_value[12];
static bool is_old;
static void exp_stale(tg_vjp_args *v) {
    tg_tensor y = v->out[0];
    if (!is_old && tg_dtype_of(y) == TG_F64 && tg_numel(y) == 12) is_old = tg_read(y, old_value, sizeof old_value) == TG_OK;
    tg_tensor then = tg_cast(tg_input(tg_tape_of(y), tg_f64(old_value, TG_SHAPE(12))), tg_dtype_of(y));
    bool fits = tg_numel(y) == 12;
    GIVE(0, tg_mul(v->g[0], fits ? tg_reshape(then, tg_shape_of(y)) : y))
}
static const tg_sample twelve_and_twelve[] = {
    {.note = "first", .in = {{.kind = 'f', .shape = {1, {12}}}}},
    {.note = "second", .in = {{.kind = 'f', .shape = {1, {12}}}}},
    {.note = NULL},
};
BROKEN(stale_value, "exp", "exp: sample 'second': d/d input 0", is_old = false; op.vjp = exp_stale;
       op.samples = twelve_and_twelve)

/* ------------------------------------------------------------------ right to first order only */

RULE(mul_cut, GIVE(0, tg_mul(g, tg_stop_gradient(b))) GIVE(1, tg_mul(g, tg_stop_gradient(a))))
BROKEN(second_order_cut, "mul", "second order", op.vjp = mul_cut)

RULE(tanh_cut, GIVE(0, tg_mul(g, tg_stop_gradient(one_minus(tg_square(y))))))
BROKEN(second_order_cut_tanh, "tanh", "second order", op.vjp = tanh_cut)

RULE(tanh_half_cut, GIVE(0, tg_mul(g, one_minus(tg_mul(y, tg_stop_gradient(y))))))
BROKEN(second_order_half, "tanh", "a constant factor of 0.5?", op.vjp = tanh_half_cut)

RULE(mul_cut_cotangent, GIVE(0, tg_mul(tg_stop_gradient(g), b)) GIVE(1, tg_mul(g, a)))
BROKEN(cotangent_cut, "mul", "<v, J u>", op.vjp = mul_cut_cotangent)

/* ------------------------------------------------------------------ wrong derivatives: rows and matrices */

RULE(softmax_no_sum, GIVE(0, tg_mul(g, y)))
BROKEN(softmax_sum_dropped, "softmax", "d/d input 0", op.vjp = softmax_no_sum)

/* Seven times too much, minus: hidden from a cotangent of ones, where the gradient is 0. */
static tg_tensor softmax_gradient(tg_tensor g, tg_tensor y) {
    return tg_mul(y, tg_sub(g, tg_sum(tg_mul(g, y), TG_AXES(-1), true)));
}
RULE(softmax_sevenfold, GIVE(0, tg_scale(softmax_gradient(g, y), -7)))
BROKEN(softmax_minus_seven, "softmax", "a constant factor of -7?", op.vjp = softmax_sevenfold)

RULE(softmax_all_axes, GIVE(0, tg_mul(y, tg_sub(g, tg_sum(tg_mul(g, y), TG_ALL_AXES, true)))))
BROKEN(softmax_sum_over_all, "softmax", "d/d input 0", op.vjp = softmax_all_axes)

RULE(log_softmax_ones, GIVE(0, tg_sub(g, tg_exp(y))))
BROKEN(log_softmax_for_ones, "log_softmax", "d/d input 0", op.vjp = log_softmax_ones)

static tg_tensor swapped(tg_tensor x) {
    tg_axes axes = {tg_shape_of(x).rank, {0}};
    for (int i = 0; i < axes.n; i++) axes.axis[i] = i;
    axes.axis[axes.n - 1] = axes.n - 2;
    axes.axis[axes.n - 2] = axes.n - 1;
    return tg_permute(x, axes);
}

static const tg_sample square_matrices[] = {
    {.note = "square", .in = {{.kind = 'f', .shape = {2, {3, 3}}}, {.kind = 'f', .shape = {2, {3, 3}}}}},
    {.note = NULL},
};
static const tg_sample a_batch_and_a_matrix[] = {
    {.note = "a batch and a matrix", .in = {{.kind = 'f', .shape = {3, {2, 3, 4}}}, {.kind = 'f', .shape = {2, {4, 2}}}}},
    {.note = NULL},
};

RULE(matmul_transposed, GIVE(0, swapped(tg_matmul(g, swapped(b)))) GIVE(1, tg_matmul(swapped(a), g)))
BROKEN(transposed, "matmul", "transposed?", op.vjp = matmul_transposed; op.samples = square_matrices)

RULE(matmul_untransposed, GIVE(0, tg_matmul(g, b)) GIVE(1, tg_matmul(swapped(a), g)))
BROKEN(transpose_forgotten, "matmul", "d/d input 0", op.vjp = matmul_untransposed; op.samples = square_matrices)
BROKEN(transpose_forgotten_shape, "matmul", "matmul: ", op.vjp = matmul_untransposed)

RULE(matmul_unsummed, GIVE(0, tg_matmul(g, swapped(b))) GIVE(1, tg_matmul(swapped(a), g)))
BROKEN(broadcast_sum_missing, "matmul", "a missing broadcast sum?", op.vjp = matmul_unsummed; op.samples = a_batch_and_a_matrix)

RULE(matmul_one_of_batch, GIVE(0, tg_matmul(g, swapped(b))) GIVE(1, tg_mean(tg_matmul(swapped(a), g), TG_AXES(0), false)))
BROKEN(broadcast_mean, "matmul", "a constant factor of 0.5?", op.vjp = matmul_one_of_batch; op.samples = a_batch_and_a_matrix)

static const tg_op *broken_matmul; /* records itself, so that its `sum` is asked */
static tg_tensor product(tg_tensor a, tg_tensor b) { return tg_apply(NULL, broken_matmul, NULL, (tg_tensor[]){a, b}, 2); }
RULE(matmul_by_copy, GIVE(0, product(g, swapped(b))) GIVE(1, product(swapped(a), g)))

static tg_tensor first_product(const tg_tensor *const *in, const int *n_in, const void *const *attr, int n) {
    (void)attr, (void)n;
    return tg_apply(NULL, tg_op_find("matmul"), NULL, in[0], n_in[0]);
}
BROKEN(sum_of_products_drops_one, "matmul", "matmul: sample 'square'", broken_matmul = &op; op.sum = first_product;
       op.vjp = matmul_by_copy; op.samples = square_matrices)

static tg_axes of_attr(const tg_vjp_args *v) { return ((const tg_fold_attr *)v->attr)->axes; }

static tg_tensor spread(const tg_vjp_args *v) { /* the cotangent of a sum */
    tg_tensor g = v->g[0];
    if (!((const tg_fold_attr *)v->attr)->keepdims) {
        tg_shape s = tg_shape_of(v->in[0]);
        tg_axes axes = of_attr(v);
        for (int i = 0; i < axes.n; i++) s.dims[axes.axis[i]] = 1;
        g = tg_reshape(g, s);
    }
    return tg_expand(g, tg_shape_of(v->in[0]));
}

RULE(sum_as_mean, GIVE(0, tg_scale(spread(v), (double)tg_numel(g) / (double)tg_numel(a))))
BROKEN(mean_for_sum, "sum", "a constant factor of", op.vjp = sum_as_mean)

RULE(concat_of_first, for (int i = 0; i < v->n_in; i++) GIVE(i, tg_scale(v->in[i], 0)))
BROKEN(concat_gives_zero, "concat", "concat: ", op.vjp = concat_of_first)

/* ------------------------------------------------------------------ wrong values */

static const tg_op *original; /* whose kernel the broken ones call */

static void scale_result(tg_kernel_args *k, double factor) {
    for (int64_t i = 0; i < k->out[0].numel; i++) {
        if (k->out[0].dtype == TG_F32)
            ((float *)k->out[0].data)[i] *= (float)factor;
        else if (k->out[0].dtype == TG_F64)
            ((double *)k->out[0].data)[i] *= factor;
    }
}

#define KERNEL(name, ...)                      \
    static tg_status name(tg_kernel_args *k) { \
        tg_status s = original->kernel(k);     \
        __VA_ARGS__                            \
        return s;                              \
    }
#define BROKEN_KERNEL(what, base, reason, ...) \
    BROKEN(what, base, reason, original = tg_op_find(base); op.fold = TG_FOLD_NONE; __VA_ARGS__)

KERNEL(scaled, scale_result(k, 1 + 1e-6);)
BROKEN_KERNEL(kernel_is_not_its_definition, "softmax", "the definition says", op.kernel = scaled)
BROKEN_KERNEL(kernel_is_not_its_reference, "matmul", "the reference says", op.kernel = scaled)

KERNEL(by_threads, if (k->threads > 1) scale_result(k, 1 + 0x1p-23);)
BROKEN_KERNEL(bits_depend_on_threads, "softmax", "threads", op.kernel = by_threads)

static int calls;
KERNEL(by_history, if (calls++ % 3 == 2) scale_result(k, 1 + 0x1p-23);)
BROKEN_KERNEL(bits_depend_on_history, "softmax", "softmax: sample", calls = 0; op.kernel = by_history)

static tg_status adding(tg_kernel_args *k) {
    double before = k->out[0].numel && k->out[0].dtype == TG_F64 ? ((double *)k->out[0].data)[0] : 0;
    tg_status s = original->kernel(k);
    if (k->out[0].numel && k->out[0].dtype == TG_F64) ((double *)k->out[0].data)[0] += before;
    return s;
}
BROKEN_KERNEL(adds_to_old_memory, "softmax", "softmax: sample", op.kernel = adding)

static tg_status skips_last(tg_kernel_args *k) {
    int64_t n = k->out[0].numel;
    size_t size = tg_dtype_size(k->out[0].dtype);
    unsigned char last[8] = {0};
    if (n > 3) memcpy(last, (char *)k->out[0].data + (size_t)(n - 1) * size, size);
    tg_status s = original->kernel(k);
    if (n > 3) memcpy((char *)k->out[0].data + (size_t)(n - 1) * size, last, size);
    return s;
}
BROKEN_KERNEL(last_element_not_written, "softmax", "softmax: sample", op.kernel = skips_last)

KERNEL(writes_input, if (k->in[0].numel && k->in[0].dtype == TG_F64) * (double *)k->in[0].data = 1;)
BROKEN_KERNEL(writes_its_input, "softmax", "changes its inputs", op.kernel = writes_input)

BROKEN_KERNEL(ignores_strides, "softmax", "on strides", op.flags |= TG_OP_STRIDED)

KERNEL(
    reversed, for (int64_t i = 0; i < k->out[0].numel / 2 && k->out[0].dtype == TG_F64; i++) {
        double *y = k->out[0].data, x = y[i];
        y[i] = y[k->out[0].numel - 1 - i];
        y[k->out[0].numel - 1 - i] = x;
    })
BROKEN_KERNEL(wrong_index, "gather", "at other places", op.kernel = reversed)

static tg_tensor log_of_define(tg_tape *t, const tg_tensor *in, int n, const void *attr) {
    (void)t, (void)n, (void)attr;
    return tg_log_softmax(in[0], -1);
}
BROKEN(definition_of_another_op, "softmax", "the definition says", op.define = log_of_define)

static tg_status by_row(tg_infer *f) {
    tg_status s = tg_op_find("softmax")->infer(f);
    int last = f->shape[0].rank - 1;
    if (s || last < 1) return s;
    f->shape[0].dims[last] = f->in_shape[0]->dims[last - 1];
    f->shape[0].dims[last - 1] = f->in_shape[0]->dims[last];
    return TG_OK;
}
BROKEN(infer_transposes, "softmax", "the definition has", op.infer = by_row; op.vjp = NULL)

static tg_status always_f64(tg_infer *f) {
    tg_status s = tg_op_find("softmax")->infer(f);
    f->dtype[0] = TG_F64;
    return s;
}
BROKEN(infer_dtype, "softmax", "softmax: sample", op.infer = always_f64)

static bool untransposed(tg_view_args *v) {
    int64_t step = 1;
    for (int i = v->out_shape->rank - 1; i >= 0; i--) {
        v->out_strides[i] = step;
        step *= v->out_shape->dims[i];
    }
    v->offset = 0;
    return true;
}
BROKEN(view_reads_in_order, "transpose", "transpose: sample", op.view = untransposed)

static bool one_further(tg_view_args *v) {
    bool ok = tg_op_find("slice")->view(v);
    for (int i = 0; i < v->in_shape->rank; i++)
        if (v->out_shape->dims[i] < v->in_shape->dims[i] && v->offset > 0) v->offset--;
    return ok;
}
BROKEN(view_offset, "slice", "slice: sample", op.view = one_further)

/* ------------------------------------------------------------------ wrong loops */

#define LOOP(name, T, ...)                                                                  \
    static void name(size_t n, void *out, const void *a_, const void *b_, const void *c_) { \
        const T *a = a_, *b = b_;                                                           \
        T *y = out;                                                                         \
        (void)b, (void)c_;                                                                  \
        for (size_t i = 0; i < n; i++) __VA_ARGS__;                                         \
    }

LOOP(exp_f32, float, y[i] = expf(a[i]))
LOOP(exp_f64, double, y[i] = exp(a[i]))
LOOP(exp_f32_poor, float, y[i] = expf(a[i]) * (1 + 1e-5f))
LOOP(exp_f64_poor, double, y[i] = exp(a[i]) * (1 + 1e-9))
LOOP(exp_f64_tail, double, y[i] = exp(a[i]) * (i >= n / 4 * 4 ? 1 + 0x1p-52 : 1))
LOOP(exp_f64_early, double, {
    y[i] = 0;
    y[i] = exp(a[i]);
})
LOOP(sub_f64, double, y[i] = b[i] - a[i])
LOOP(sub_f32, float, y[i] = b[i] - a[i])

#define LOOPS(name, narrow, wide) static const tg_micro name = {.fn = {[TG_ISA_ANY] = {[TG_F32] = narrow, [TG_F64] = wide}}};
LOOPS(good_loops, exp_f32, exp_f64)
LOOPS(poor_f32, exp_f32_poor, exp_f64)
LOOPS(poor_f64, exp_f32, exp_f64_poor)
LOOPS(poor_tail, exp_f32, exp_f64_tail)
LOOPS(early_write, exp_f32, exp_f64_early)
LOOPS(swapped_sub, sub_f32, sub_f64)

TEST(broken_op, but_not_good_loops) {
    tg_op op = *tg_op_find("exp");
    op.micro = &good_loops;
    tg_op_report r;
    CHECK(tg_op_check(&op, NULL, false, &r) == 0, "%s", r.first_failure);
}

BROKEN(f32_loop_wrong, "exp", "f32: the value", op.micro = &poor_f32)
BROKEN(f64_loop_wrong, "exp", "the reference says", op.micro = &poor_f64)
BROKEN(tail_has_other_bits, "exp", "in pieces of", op.micro = &poor_tail)
BROKEN(writes_before_it_reads, "exp", "over its input 0", op.micro = &early_write)
BROKEN(operands_swapped, "sub", "wrong sign?", op.micro = &swapped_sub)
BROKEN(does_not_commute, "sub", "inputs swapped", op.flags |= TG_OP_COMMUTES)

static void forgets_first_f32(size_t n, void *out, const void *data, uint64_t first) {
    (void)first;
    tg_op_find("uniform")->source_fn[TG_F32](n, out, data, 0);
}
static void forgets_first_f64(size_t n, void *out, const void *data, uint64_t first) {
    (void)first;
    tg_op_find("uniform")->source_fn[TG_F64](n, out, data, 0);
}
static tg_source_fn *const forgetful[TG_DTYPE_COUNT] = {[TG_F32] = forgets_first_f32, [TG_F64] = forgets_first_f64};
BROKEN(source_forgets_where, "uniform", "give other bits", op.source_fn = forgetful)

/* ------------------------------------------------------------------ wrong promises about errors */

#define BAD(note_, status_, text_, ...)                                        \
    {                                                                          \
        .note = note_, .status = status_, .text = text_, .in = { __VA_ARGS__ } \
    }
#define THREE                            \
    {                                    \
        .kind = 'f', .shape = { 1, {3} } \
    }
#define TWO_INPUTS BAD("two inputs", TG_EARG, "not 2", THREE, THREE)
#define NO_INPUT \
    { .note = "no input", .status = TG_EARG, .text = "not 0" }
#define GOOD_ONES \
    TWO_INPUTS, NO_INPUT, { .note = NULL }
static const tg_sample not_refused[] = {BAD("a good input", TG_ESHAPE, "shape", THREE), GOOD_ONES};
static const tg_sample other_status[] = {BAD("two inputs", TG_ESHAPE, "not 2", THREE, THREE), GOOD_ONES};
static const tg_sample other_text[] = {BAD("two inputs", TG_EARG, "quite another text", THREE, THREE), GOOD_ONES};
static const tg_sample no_text[] = {BAD("two inputs", TG_EARG, NULL, THREE, THREE), GOOD_ONES};
static const tg_sample too_few[] = {GOOD_ONES};

BROKEN(wrong_input_accepted, "exp", "is accepted", op.bad = not_refused)
BROKEN(wrong_status, "exp", "gives TG_EARG and not TG_ESHAPE", op.bad = other_status)
BROKEN(wrong_text, "exp", "does not hold the promised text", op.bad = other_text)
BROKEN(promise_without_text, "exp", "no text", op.bad = no_text)
BROKEN(too_few_wrong_inputs, "exp", "has 2 wrong inputs", op.bad = too_few)
BROKEN(no_wrong_inputs, "exp", "has 0 wrong inputs", op.bad = NULL)

KERNEL(silent, if (s && k->message_size) *k->message = 0;)
BROKEN_KERNEL(fails_without_a_message, "gather", "gather: bad input", op.kernel = silent)
BROKEN_KERNEL(can_fail_not_said, "gather", "no flag TG_OP_CAN_FAIL", op.flags &= ~(unsigned)TG_OP_CAN_FAIL)

static tg_status refuses_all(tg_infer *f) { return tg_infer_fail(f, TG_ESHAPE, "never"); }
BROKEN(refuses_its_samples, "softmax", "never", op.infer = refuses_all; op.bad = tg_op_find("exp")->bad)

/* ------------------------------------------------------------------ incomplete descriptors */

BROKEN(no_formula, "exp", "has no formula", op.formula = NULL)
BROKEN(empty_formula, "exp", "has no formula", op.formula = "")
BROKEN(no_source, "exp", "has no source", op.source = NULL)
BROKEN(odd_name, "exp", "the name must be", op.name = "Exp-2")
BROKEN(no_samples, "exp", "has no sample", op.samples = NULL)
BROKEN(fields_missing, "sum", "are in no field",
       static const tg_field few[] = {{"keepdims", TG_FIELD_INT, offsetof(tg_fold_attr, keepdims)}, {0}};
       op.fields = few)
BROKEN(no_way_to_compute, "exp", "exactly one way", op.micro = NULL)
BROKEN(two_ways_to_compute, "exp", "exactly one way", op.kernel = tg_op_find("softmax")->kernel)
BROKEN(kernel_without_meaning, "softmax", "needs a definition or a reference", op.define = NULL)
BROKEN(cut_with_gradient, "exp", "cuts gradients, but", op.flags |= TG_OP_CUT)
BROKEN(derivative_never_tested, "exp", "no sample with an input of kind 'f'", op.samples = tg_op_find("sign")->samples)
BROKEN(differentiable_without_rule, "exp", "neither vjp nor define", op.vjp = NULL)

/* tests/user_op.c: ops of a user's program, through the same door as the library's: tg_apply on a descriptor. */
#include "tests/test.h"

#include <math.h>
#include <string.h>
#include <tapegrad.h>

static void passes(const tg_op *op) {
    tg_op_report r;
    int failures = tg_op_check(op, stderr, false, &r);
    CHECK(failures == 0, "%d of %d cases; the first: %s", r.failures, r.cases, r.first_failure);
    CHECK(r.cases > 100, "only %d cases", r.cases);
}

/* ------------------------------------------------------------------ elementwise: y = x / (1 + |x|) */

static void softsign_f32(size_t n, void *out, const void *a, const void *b, const void *c) {
    (void)b, (void)c;
    for (size_t i = 0; i < n; i++) ((float *)out)[i] = ((const float *)a)[i] / (1 + fabsf(((const float *)a)[i]));
}

static void softsign_f64(size_t n, void *out, const void *a, const void *b, const void *c) {
    (void)b, (void)c;
    for (size_t i = 0; i < n; i++) ((double *)out)[i] = ((const double *)a)[i] / (1 + fabs(((const double *)a)[i]));
}

static const tg_micro softsign_loops = {.fn = {[TG_ISA_ANY] = {[TG_F32] = softsign_f32, [TG_F64] = softsign_f64}}};

static void softsign_vjp(tg_vjp_args *v) {
    tg_tensor below = tg_add_scalar(tg_abs(v->in[0]), 1);
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, tg_div(v->g[0], tg_square(below)));
}

static tg_tensor softsign_define(tg_tape *t, const tg_tensor *in, int n, const void *attr) {
    (void)t, (void)n, (void)attr;
    return tg_div(in[0], tg_add_scalar(tg_abs(in[0]), 1));
}

static const tg_sample one_input[] = {
    {.note = "a matrix", .in = {{.kind = 'f', .shape = {2, {3, 5}}, .avoid = 0.05}}},
    {.note = "a long vector", .in = {{.kind = 'f', .shape = {1, {37}}, .avoid = 0.05}}},
    {.note = "rank 0", .in = {{.kind = 'f', .avoid = 0.05}}},
    {.note = "size 0", .in = {{.kind = 'f', .shape = {2, {0, 3}}}}},
    {.note = NULL},
};

static const tg_sample not_one_float[] = {
    {.note = "whole numbers", .in = {{.kind = 'i', .shape = {1, {3}}}}, .status = TG_EDTYPE, .text = "not i64"},
    {.note = "bool", .in = {{.kind = 'b', .shape = {1, {3}}}}, .status = TG_EDTYPE, .text = "not bool"},
    {.note = "no input", .status = TG_EARG, .text = "not 0"},
    {.note = "two inputs", .in = {{.kind = 'f'}, {.kind = 'f'}}, .status = TG_EARG, .text = "not 2"},
    {.note = NULL},
};

static const tg_op softsign = {
    .name = "softsign",
    .formula = "y = x / (1 + |x|)",
    .source = "Bergstra, Desjardins, Lamblin, Bengio 2009, eq. 1",
    .min_in = 1,
    .max_in = 1,
    .flags = TG_OP_FLOAT_ONLY,
    .micro = &softsign_loops,
    .vjp = softsign_vjp,
    .define = softsign_define,
    .samples = one_input,
    .bad = not_one_float,
};

/* The same without rules of its own: differentiated through its definition. */
static const tg_op softsign_defined = {
    .name = "softsign_defined",
    .formula = "y = x / (1 + |x|)",
    .source = "Bergstra, Desjardins, Lamblin, Bengio 2009, eq. 1",
    .min_in = 1,
    .max_in = 1,
    .flags = TG_OP_FLOAT_ONLY,
    .micro = &softsign_loops,
    .define = softsign_define,
    .samples = one_input,
    .bad = not_one_float,
};

TEST(user_op, elementwise) { passes(&softsign); }

TEST(user_op, elementwise_by_definition) { passes(&softsign_defined); }

TEST(user_op, elementwise_fuses_and_trains) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_input(t, tg_f32((float[]){-3, -1, 0, 1, 3}, TG_SHAPE(5))), g;
    tg_tensor y = tg_sum(tg_scale(tg_apply(t, &softsign, NULL, &x, 1), 2), TG_ALL_AXES, false);
    CHECK_EQ_I(tg_grad(y, &x, 1, &g), TG_OK);
    CHECK_EQ_I(tg_run(t, (tg_tensor[]){y, g}, 2), TG_OK);
    CHECK_NEAR(tg_item(y), 0, 1e-6);
    const float *d = tg_data(g);
    if (CHECK(d != NULL, "%s", tg_message(t)))
        for (int i = 0; i < 5; i++) CHECK_NEAR(d[i], 2 / pow(1 + fabs((double[]){-3, -1, 0, 1, 3}[i]), 2), 1e-6);
    CHECK(tg_stats(t).micro_ops > 1, "runs outside of a block");
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ a kernel: running sums along the last axis */

typedef struct scan_attr {
    int64_t reverse;
} scan_attr;

static const tg_field scan_fields[] = {{"reverse", TG_FIELD_INT, offsetof(scan_attr, reverse)}, {0}};

static tg_status scan_infer(tg_infer *f) {
    if (f->in_shape[0]->rank == 0) return tg_infer_fail(f, TG_ESHAPE, "needs an axis");
    if (!tg_dtype_is_float(f->in_dtype[0])) return tg_infer_fail(f, TG_EDTYPE, "needs f32 or f64");
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

typedef struct scan_rows {
    const tg_kernel_args *k;
    int64_t n;
    bool reverse;
} scan_rows;

static void scan_piece(int64_t begin, int64_t end, void *ctx) {
    const scan_rows *s = ctx;
    bool narrow = s->k->out[0].dtype == TG_F32;
    for (int64_t row = begin; row < end; row++) {
        double sum = 0;
        for (int64_t i = 0; i < s->n; i++) {
            int64_t at = row * s->n + (s->reverse ? s->n - 1 - i : i);
            if (narrow)
                ((float *)s->k->out[0].data)[at] = (float)(sum += ((const float *)s->k->in[0].data)[at]);
            else
                ((double *)s->k->out[0].data)[at] = sum += ((const double *)s->k->in[0].data)[at];
        }
    }
}

static tg_status scan_kernel(tg_kernel_args *k) {
    const tg_shape *shape = k->in[0].shape;
    scan_rows s = {k, shape->dims[shape->rank - 1], ((const scan_attr *)k->attr)->reverse != 0};
    if (k->in[0].numel) tg_parallel(k->threads, k->in[0].numel / s.n, 16 * (double)k->in[0].numel, scan_piece, &s);
    return TG_OK;
}

static const tg_op scan;

static void scan_vjp(tg_vjp_args *v) {
    scan_attr other = {!((const scan_attr *)v->attr)->reverse};
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, tg_apply(NULL, &scan, &other, &v->g[0], 1));
}

static tg_status scan_ref(tg_kernel_args *k) {
    const tg_shape *shape = k->in[0].shape;
    int64_t n = shape->dims[shape->rank - 1], rows = n ? k->in[0].numel / n : 0;
    const double *x = k->in[0].data;
    double *y = k->out[0].data;
    for (int64_t row = 0; row < rows; row++)
        for (int64_t i = 0; i < n; i++) {
            y[row * n + i] = 0;
            for (int64_t j = 0; j < n; j++)
                if (((const scan_attr *)k->attr)->reverse ? j >= i : j <= i) y[row * n + i] += x[row * n + j];
        }
    return TG_OK;
}

static const scan_attr forwards = {0}, backwards = {1};

static const tg_sample scan_samples[] = {
    {.note = "rows", .in = {{.kind = 'f', .shape = {2, {3, 7}}}}, .attr = &forwards},
    {.note = "backwards", .in = {{.kind = 'f', .shape = {1, {9}}}}, .attr = &backwards},
    {.note = "size 0", .in = {{.kind = 'f', .shape = {2, {3, 0}}}}, .attr = &forwards},
    {.note = NULL},
};

static const tg_sample scan_bad[] = {
    {.note = "rank 0", .in = {{.kind = 'f'}}, .attr = &forwards, .status = TG_ESHAPE, .text = "needs an axis"},
    {.note = "whole numbers",
     .in = {{.kind = 'i', .shape = {1, {3}}}},
     .attr = &forwards,
     .status = TG_EDTYPE,
     .text = "f32 or f64"},
    {.note = "no attributes", .in = {{.kind = 'f', .shape = {1, {3}}}}, .status = TG_EARG, .text = "attributes are missing"},
    {.note = "no input", .attr = &forwards, .status = TG_EARG, .text = "not 0"},
    {.note = NULL},
};

#define SCAN(name_)                                                                                                     \
    .name = name_, .formula = "y_i = sum of x_j, j <= i", .source = "elementary", .min_in = 1, .max_in = 1,             \
    .attr_size = sizeof(scan_attr), .fields = scan_fields, .infer = scan_infer, .kernel = scan_kernel, .ref = scan_ref, \
    .bad = scan_bad

static const tg_op scan = {SCAN("scan"), .vjp = scan_vjp, .samples = scan_samples};

TEST(user_op, kernel) { passes(&scan); }

TEST(user_op, kernel_in_a_program) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_input(t, tg_f64((double[]){1, 2, 3, 4}, TG_SHAPE(4))), g;
    tg_tensor y = tg_sum(tg_square(tg_apply(t, &scan, &forwards, &x, 1)), TG_ALL_AXES, false);
    CHECK_EQ_I(tg_grad(y, &x, 1, &g), TG_OK);
    CHECK_NEAR(tg_item(y), 1 + 9 + 36 + 100, 1e-12);
    const double *d = tg_data(g), want[4] = {40, 38, 32, 20};
    if (CHECK(d != NULL, "%s", tg_message(t)))
        for (int i = 0; i < 4; i++) CHECK_NEAR(d[i], want[i], 1e-12);
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ a kernel without derivative */

static const tg_sample scan_plain_samples[] = {
    {.note = "rows", .in = {{.kind = 'c', .shape = {2, {3, 7}}}}, .attr = &forwards},
    {.note = NULL},
};

static const tg_op scan_plain = {SCAN("scan_plain"), .samples = scan_plain_samples};

static int times_asked;
static tg_status counted_infer(tg_infer *f) {
    times_asked++;
    return scan_infer(f);
}

/* An answer serves for equal shapes, dtypes and attributes, and for nothing else; a refusal is no answer. */
TEST(user_op, infer_is_asked_once) {
    tg_op op = scan;
    op.infer = counted_infer;
    tg_tape *t = tg_tape_new();
    const struct {
        tg_shape shape;
        tg_dtype dtype;
        const scan_attr *attr;
        int asked;
    } calls[] = {{TG_SHAPE(3), TG_F32, &forwards, 1}, {TG_SHAPE(3), TG_F32, &forwards, 1}, {TG_SHAPE(4), TG_F32, &forwards, 2},
                 {TG_SHAPE(3), TG_F64, &forwards, 3}, {TG_SHAPE(3), TG_F32, &backwards, 4}, {TG_SHAPE(4), TG_F32, &forwards, 4},
                 {TG_SHAPE(3), TG_I64, &forwards, 5}};
    times_asked = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        tg_tensor x = tg_ones(t, calls[i].shape, calls[i].dtype), y = tg_apply(t, &op, calls[i].attr, &x, 1);
        tg_shape shape = tg_shape_of(y);
        if (tg_ok(t)) CHECK(tg_shape_equal(&shape, &calls[i].shape) && tg_dtype_of(y) == calls[i].dtype, "call %zu", i);
        CHECK_EQ_I(times_asked, calls[i].asked);
        CHECK_EQ_I(tg_ok(t), calls[i].dtype != TG_I64);
    }
    tg_tape_free(t);
}

TEST(user_op, kernel_without_derivative) {
    passes(&scan_plain);
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_input(t, tg_f64((double[]){1, 2, 3}, TG_SHAPE(3))), g;
    tg_tensor y = tg_sum(tg_apply(t, &scan_plain, &forwards, &x, 1), TG_ALL_AXES, false);
    CHECK_NEAR(tg_item(y), 10, 1e-12);
    const char *line = TG_HERE;
    tg_tensor z = tg_sum(tg_apply_at(line, t, &scan_plain, &forwards, &x, 1), TG_ALL_AXES, false);
    CHECK_EQ_I(tg_grad(z, &x, 1, &g), TG_ENOGRAD);
    CHECK_STR(tg_message(t), "scan_plain");
    CHECK_STR(tg_message(t), line);
    tg_tape_free(t);
}

/* ------------------------------------------------------------------ a kernel that can fail, with two outputs */

static tg_status roots_infer(tg_infer *f) {
    for (int k = 0; k < 2; k++) {
        f->shape[k] = *f->in_shape[0];
        f->dtype[k] = f->in_dtype[0];
    }
    return tg_dtype_is_float(f->in_dtype[0]) ? TG_OK : tg_infer_fail(f, TG_EDTYPE, "needs f32 or f64");
}

static double number(const tg_operand *x, int64_t i) {
    return x->dtype == TG_F32 ? (double)((const float *)x->data)[i] : ((const double *)x->data)[i];
}

static void set_number(const tg_operand *x, int64_t i, double value) {
    if (x->dtype == TG_F32)
        ((float *)x->data)[i] = (float)value;
    else
        ((double *)x->data)[i] = value;
}

static tg_status roots_kernel(tg_kernel_args *k) {
    for (int64_t i = 0; i < k->in[0].numel; i++) {
        double x = number(&k->in[0], i);
        if (x < 0) {
            snprintf(k->message, k->message_size, "element %lld is negative: %g", (long long)i, x);
            return TG_EARG;
        }
        set_number(&k->out[0], i, sqrt(x));
        set_number(&k->out[1], i, cbrt(x));
    }
    return TG_OK;
}

/* y0 = x^(1/2), y1 = x^(1/3): dx = g0 / (2 y0) + g1 / (3 y1^2) */
static void roots_vjp(tg_vjp_args *v) {
    if (!tg_vjp_needs(v, 0)) return;
    if (v->g[0].owner) tg_vjp_give(v, 0, tg_div(v->g[0], tg_scale(v->out[0], 2)));
    if (v->g[1].owner) tg_vjp_give(v, 0, tg_div(v->g[1], tg_scale(tg_square(v->out[1]), 3)));
}

static const tg_sample roots_samples[] = {
    {.note = "a matrix", .in = {{.kind = 'f', .shape = {2, {2, 3}}, .lo = 0.5, .hi = 2}}},
    {.note = NULL},
};

static const tg_sample roots_bad[] = {
    {.note = "negative",
     .in = {{.kind = 'f', .shape = {1, {3}}, .lo = -2, .hi = -1}},
     .status = TG_EARG,
     .text = "element 0 is negative"},
    {.note = "bool", .in = {{.kind = 'b', .shape = {1, {3}}}}, .status = TG_EDTYPE, .text = "f32 or f64"},
    {.note = "no input", .status = TG_EARG, .text = "not 0"},
    {.note = NULL},
};

static const tg_op roots = {
    .name = "roots",
    .formula = "y = x^(1/2), z = x^(1/3)",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .flags = TG_OP_CAN_FAIL,
    .infer = roots_infer,
    .kernel = roots_kernel,
    .ref = roots_kernel,
    .vjp = roots_vjp,
    .samples = roots_samples,
    .bad = roots_bad,
};

TEST(user_op, two_outputs_that_can_fail) { passes(&roots); }

/* ------------------------------------------------------------------ composition only */

static tg_tensor hypotenuse_define(tg_tape *t, const tg_tensor *in, int n, const void *attr) {
    (void)t, (void)n, (void)attr;
    return tg_sqrt(tg_add(tg_square(in[0]), tg_square(in[1])));
}

static const tg_sample hypotenuse_samples[] = {
    {.note = "a row and a column",
     .in = {{.kind = 'f', .shape = {2, {3, 1}}, .lo = 0.5, .hi = 2}, {.kind = 'f', .shape = {2, {1, 4}}, .lo = 0.5, .hi = 2}}},
    {.note = NULL},
};

static tg_status hypotenuse_infer(tg_infer *f) {
    int axis;
    if (f->in_dtype[0] != f->in_dtype[1] || !tg_dtype_is_float(f->in_dtype[0]))
        return tg_infer_fail(f, TG_EDTYPE, "needs f32 or f64 for both");
    if (!tg_broadcast(f->in_shape[0], f->in_shape[1], &f->shape[0], &axis))
        return tg_infer_fail(f, TG_ESHAPE, "axis %d clashes", axis);
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static const tg_sample hypotenuse_bad[] = {
    {.note = "mixed", .in = {{.kind = 'f'}, {.kind = 'i'}}, .status = TG_EDTYPE, .text = "for both"},
    {.note = "clash",
     .in = {{.kind = 'f', .shape = {1, {2}}}, {.kind = 'f', .shape = {1, {3}}}},
     .status = TG_ESHAPE,
     .text = "axis 0 clashes"},
    {.note = "one input", .in = {{.kind = 'f'}}, .status = TG_EARG, .text = "not 1"},
    {.note = NULL},
};

static const tg_op hypotenuse = {
    .name = "hypotenuse",
    .formula = "y = (a^2 + b^2)^(1/2)",
    .source = "elementary",
    .min_in = 2,
    .max_in = 2,
    .infer = hypotenuse_infer,
    .define = hypotenuse_define,
    .samples = hypotenuse_samples,
    .bad = hypotenuse_bad,
};

TEST(user_op, composition) { passes(&hypotenuse); }

/* ------------------------------------------------------------------ refused, with a message */

TEST(user_op, wrong_calls) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_input(t, tg_f64((double[]){1, 2}, TG_SHAPE(2)));
    CHECK(!tg_valid(tg_apply(t, &softsign, NULL, &x, 0)), "no input is accepted");
    CHECK_EQ_I(tg_error(t), TG_EARG);
    tg_clear(t);
    CHECK(!tg_valid(tg_apply(t, NULL, NULL, &x, 1)), "no op is accepted");
    CHECK_EQ_I(tg_error(t), TG_EARG);
    tg_clear(t);
    static const tg_op empty = {.name = "empty", .min_in = 1, .max_in = 1};
    CHECK(!tg_valid(tg_apply(t, &empty, NULL, &x, 1)), "an op that computes nothing is accepted");
    CHECK_EQ_I(tg_error(t), TG_EINTERNAL);
    CHECK_STR(tg_message(t), "empty");
    tg_tape_free(t);
}

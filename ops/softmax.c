/* Softmax and cross-entropy */
#include "ops/op_file.h"

/* ------------------------------------------------------------------ rows */

static tg_status rows_infer(tg_infer *f) {
    const tg_shape *s = f->in_shape[0];
    if (!tg_dtype_is_float(f->in_dtype[0]))
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32 or f64, not %s", tg_dtype_name(f->in_dtype[0]));
    if (!s->rank) return tg_infer_fail(f, TG_ESHAPE, "rank 0 has no axis");
    if (!s->dims[s->rank - 1]) return tg_infer_fail(f, TG_ESHAPE, "the axis has size 0");
    f->shape[0] = *s;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

typedef struct rows_run {
    const void *x, *g;
    void *y;
    int64_t n;
    bool past;
    void (*f32)(const float *x, float *y, int64_t rows, int64_t n, bool past);
    void (*f64)(const double *x, double *y, int64_t rows, int64_t n, bool past);
    void (*grad_f32)(const float *y, const float *g, float *dx, int64_t rows, int64_t n, bool past);
    void (*grad_f64)(const double *y, const double *g, double *dx, int64_t rows, int64_t n, bool past);
} rows_run;

static void rows_f32(int64_t begin, int64_t end, void *ctx) {
    const rows_run *r = ctx;
    r->f32((const float *)r->x + begin * r->n, (float *)r->y + begin * r->n, end - begin, r->n, r->past);
}
static void rows_f64(int64_t begin, int64_t end, void *ctx) {
    const rows_run *r = ctx;
    r->f64((const double *)r->x + begin * r->n, (double *)r->y + begin * r->n, end - begin, r->n, r->past);
}

typedef void rows_loop(int64_t begin, int64_t end, void *ctx);

/* work: of an element, in the unit of tg_parallel */
static tg_status run_rows(tg_kernel_args *k, rows_run r, double work, rows_loop *f32, rows_loop *f64) {
    const tg_operand *x = &k->in[0];
    if (!x->numel) return TG_OK;
    r.x = x->data;
    r.y = k->out[0].data;
    r.n = x->shape->dims[x->shape->rank - 1];
    r.past = tg__stores_past(x->numel * (int64_t)tg_dtype_size(x->dtype));
    tg_parallel(k->threads, x->numel / r.n, (double)x->numel * work, x->dtype == TG_F32 ? f32 : f64, &r);
    return TG_OK;
}

#define WORK_PER_ELEMENT 20.0 /* an exponential and three passes */

static tg_status rows_kernel(tg_kernel_args *k, rows_run r) { return run_rows(k, r, WORK_PER_ELEMENT, rows_f32, rows_f64); }

static void grad_rows_f32(int64_t begin, int64_t end, void *ctx) {
    const rows_run *r = ctx;
    const int64_t at = begin * r->n;
    r->grad_f32((const float *)r->x + at, (const float *)r->g + at, (float *)r->y + at, end - begin, r->n, r->past);
}
static void grad_rows_f64(int64_t begin, int64_t end, void *ctx) {
    const rows_run *r = ctx;
    const int64_t at = begin * r->n;
    r->grad_f64((const double *)r->x + at, (const double *)r->g + at, (double *)r->y + at, end - begin, r->n, r->past);
}

#define GRAD_WORK_PER_ELEMENT 12.0

/* (y, g) -> dx */
static tg_status grad_rows_kernel(tg_kernel_args *k, rows_run r) {
    r.g = k->in[1].data;
    return run_rows(k, r, GRAD_WORK_PER_ELEMENT, grad_rows_f32, grad_rows_f64);
}

static tg_status grad_rows_infer(tg_infer *f) {
    tg_status s = rows_infer(f);
    if (s) return s;
    if (f->in_dtype[1] != f->in_dtype[0])
        return tg_infer_fail(f, TG_EDTYPE, "the cotangent is %s", tg_dtype_name(f->in_dtype[1]));
    if (!tg_shape_equal(f->in_shape[0], f->in_shape[1]))
        return tg_infer_fail(f, TG_ESHAPE, "the cotangent's shape is not that of y");
    return TG_OK;
}

static double rows_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in, (void)out, (void)attr;
    return 4 * (double)tg_shape_numel(in[0]);
}

#define LAST TG_AXES(-1)

/* x minus its largest element in each row: a shift that changes no softmax, and no gradient. */
static tg_tensor shifted(tg_tensor x) {
    return tg_sub(x, tg_stop_gradient(tg_max(x, LAST, true)));
}

#define ROW_SAMPLES                                                                                             \
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (3, 5)))), SAMPLE("a vector", INPUTS(IN('f', (7)))),                  \
            SAMPLE("a batch", INPUTS(IN('f', (2, 2, 3)))), SAMPLE("one class", INPUTS(IN('f', (3, 1)))),        \
            SAMPLE("long rows", INPUTS(IN('f', (2, 67)))),                                                      \
            SAMPLE("large numbers", INPUTS({.kind = 'f', .shape = DIMS(2, 4), .lo = 90, .hi = 92})),            \
            SAMPLE("no rows", INPUTS(IN('f', (0, 3)))))
#define ROW_BADS                                                                                                \
    BADS(BAD("whole numbers", TG_EDTYPE, "not i64", INPUTS(IN('i', (3, 4)))),                                   \
         BAD("rank 0", TG_ESHAPE, "rank 0", INPUTS(IN('f', ()))), BAD("no input", TG_EARG, "not 0", ),           \
         BAD("no class", TG_ESHAPE, "size 0", INPUTS(IN('f', (3, 0)))),                                         \
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3)), IN('f', (3)))))

#define GRAD_SAMPLES                                                                                                        \
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (3, 5)), IN('f', (3, 5)))), SAMPLE("a vector", INPUTS(IN('f', (7)), IN('f', (7)))),\
            SAMPLE("a batch", INPUTS(IN('f', (2, 2, 3)), IN('f', (2, 2, 3)))),                                              \
            SAMPLE("one class", INPUTS(IN('f', (3, 1)), IN('f', (3, 1)))),                                                  \
            SAMPLE("long rows", INPUTS(IN('f', (2, 67)), IN('f', (2, 67)))),                                                \
            SAMPLE("rows of two leaves", INPUTS(IN('f', (2, 1100)), IN('f', (2, 1100)))),                                   \
            SAMPLE("no rows", INPUTS(IN('f', (0, 3)), IN('f', (0, 3)))))
#define GRAD_BADS                                                                                                           \
    BADS(BAD("whole numbers", TG_EDTYPE, "not i64", INPUTS(IN('i', (3, 4)), IN('f', (3, 4)))),                              \
         BAD("a cotangent of whole numbers", TG_EDTYPE, "the cotangent is i64", INPUTS(IN('f', (3, 4)), IN('i', (3, 4)))),  \
         BAD("a cotangent of another shape", TG_ESHAPE, "cotangent's shape", INPUTS(IN('f', (3, 4)), IN('f', (4)))),        \
         BAD("rank 0", TG_ESHAPE, "rank 0", INPUTS(IN('f', ()), IN('f', ()))),                                              \
         BAD("no cotangent", TG_EARG, "not 1", INPUTS(IN('f', (3)))))

/* A row op along another axis than the last: swapped there and back. */
static tg_tensor along(const char *site, const tg_op *op, tg_tensor x, int64_t axis) {
    int rank = tg_shape_of(x).rank, at = tg_infer_axis(axis, rank);
    tg_tape *t = tg_tape_of(x);
    char text[200];
    if (t && at < 0 && rank && tg_valid(x)) {
        tg__fail(t, TG_EARG, op->name, site, t->scope, "axis %lld is out of range for rank %d", (long long)axis, rank);
        return tg__poison(t);
    }
    if (at < 0 || at == rank - 1 || !tg_dtype_is_float(tg_dtype_of(x))) return tg_apply_at(site, NULL, op, NULL, &x, 1);
    if (t && !tg_shape_of(x).dims[at]) { /* found here, where the shape is the user's */
        tg__fail(t, TG_ESHAPE, op->name, site, t->scope, "the axis has size 0; inputs %s",
                 tg__node_text(t, x.id, text, sizeof text));
        return tg__poison(t);
    }
    tg_axes swap = {rank, {0}};
    for (int i = 0; i < rank; i++) swap.axis[i] = i == at ? rank - 1 : i == rank - 1 ? at : i;
    tg_tensor last = tg_permute_at(site, x, swap);
    return tg_permute_at(site, tg_apply_at(site, NULL, op, NULL, &last, 1), swap);
}

/* ------------------------------------------------------------------ softmax */

static tg_status softmax_kernel(tg_kernel_args *k) {
    return rows_kernel(k, (rows_run){.f32 = tg__kernels_get()->softmax_f32, .f64 = tg__kernels_get()->softmax_f64});
}

static tg_tensor softmax_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    tg_tensor e = tg_exp(shifted(in[0]));
    return tg_div(e, tg_sum(e, LAST, true));
}

extern const tg_op tg__op_softmax_grad, tg__op_log_softmax_grad;

static void softmax_vjp(tg_vjp_args *v) {
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_softmax_grad, NULL, (tg_tensor[]){v->out[0], v->g[0]}, 2));
}

const tg_op tg__op_softmax = {
    .name = "softmax",
    .formula = "y = e^x / (sum of e^x over the axis)",
    .source = "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
    .min_in = 1,
    .max_in = 1,
    .infer = rows_infer,
    .vjp = softmax_vjp,
    .define = softmax_define,
    .kernel = softmax_kernel,
    .flops = rows_flops,
    ROW_SAMPLES,
    ROW_BADS,
};

/*| tg_softmax: probabilities from logits along an axis; no overflow.
 *    y = e^x / (sum of e^x over the axis)
 *  Shapes:   x (any, the axis not of size 0) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = y (g - sum of g y over the axis)
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0; TG_EDTYPE if x is not f32 or f64
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_API(tg_tensor, tg_softmax, (tg_tensor x, int64_t axis), (x, axis)) {
    return along(site, &tg__op_softmax, x, axis);
}

/* ------------------------------------------------------------------ log_softmax */

static tg_status log_softmax_kernel(tg_kernel_args *k) {
    return rows_kernel(k, (rows_run){.f32 = tg__kernels_get()->log_softmax_f32, .f64 = tg__kernels_get()->log_softmax_f64});
}

static tg_tensor log_softmax_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    tg_tensor x = shifted(in[0]);
    return tg_sub(x, tg_log(tg_sum(tg_exp(x), LAST, true)));
}

static void log_softmax_vjp(tg_vjp_args *v) {
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_log_softmax_grad, NULL, (tg_tensor[]){v->out[0], v->g[0]}, 2));
}

const tg_op tg__op_log_softmax = {
    .name = "log_softmax",
    .formula = "y = x - log(sum of e^x over the axis)",
    .source = "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
    .min_in = 1,
    .max_in = 1,
    .infer = rows_infer,
    .vjp = log_softmax_vjp,
    .define = log_softmax_define,
    .kernel = log_softmax_kernel,
    .flops = rows_flops,
    ROW_SAMPLES,
    ROW_BADS,
};

/*| tg_log_softmax: the logarithm of tg_softmax, exact also for small probabilities.
 *    y = x - log(sum of e^x over the axis)
 *  Shapes:   x (any, the axis not of size 0) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g - e^y (sum of g over the axis)
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0; TG_EDTYPE if x is not f32 or f64
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_API(tg_tensor, tg_log_softmax, (tg_tensor x, int64_t axis), (x, axis)) {
    return along(site, &tg__op_log_softmax, x, axis);
}

/* ------------------------------------------------------------------ softmax_grad, log_softmax_grad: (y, g) -> dx */

static tg_status softmax_grad_kernel(tg_kernel_args *k) {
    const tg__kernels *kernels = tg__kernels_get();
    return grad_rows_kernel(k, (rows_run){.grad_f32 = kernels->softmax_grad_f32, .grad_f64 = kernels->softmax_grad_f64});
}

static tg_tensor softmax_grad_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    return tg_mul(in[0], tg_sub(in[1], tg_sum(tg_mul(in[0], in[1]), LAST, true)));
}

const tg_op tg__op_softmax_grad = {
    .name = "softmax_grad",
    .formula = "dx = y (g - sum of g y over the axis)",
    .source = "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
    .min_in = 2,
    .max_in = 2,
    .infer = grad_rows_infer,
    .define = softmax_grad_define,
    .kernel = softmax_grad_kernel,
    .flops = rows_flops,
    GRAD_SAMPLES,
    GRAD_BADS,
};

static tg_status log_softmax_grad_kernel(tg_kernel_args *k) {
    const tg__kernels *kernels = tg__kernels_get();
    return grad_rows_kernel(
        k, (rows_run){.grad_f32 = kernels->log_softmax_grad_f32, .grad_f64 = kernels->log_softmax_grad_f64});
}

static tg_tensor log_softmax_grad_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    return tg_sub(in[1], tg_mul(tg_exp(in[0]), tg_sum(in[1], LAST, true)));
}

const tg_op tg__op_log_softmax_grad = {
    .name = "log_softmax_grad",
    .formula = "dx = g - e^y (sum of g over the axis)",
    .source = "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
    .min_in = 2,
    .max_in = 2,
    .infer = grad_rows_infer,
    .define = log_softmax_grad_define,
    .kernel = log_softmax_grad_kernel,
    .flops = rows_flops,
    GRAD_SAMPLES,
    GRAD_BADS,
};

/* ------------------------------------------------------------------ cross_entropy_each: one loss per row */

static tg_status labels_infer(tg_infer *f) {
    tg_status s = rows_infer(f);
    if (s) return s;
    const tg_shape *labels = f->in_shape[1];
    if (f->in_dtype[1] != TG_I64 && f->in_dtype[1] != TG_I32)
        return tg_infer_fail(f, TG_EDTYPE, "the labels must be i64 or i32, not %s", tg_dtype_name(f->in_dtype[1]));
    f->shape[0].rank--;
    if (!tg_shape_equal(labels, &f->shape[0]))
        return tg_infer_fail(f, TG_ESHAPE, "the labels' shape is not that of the logits without the last axis");
    return TG_OK;
}

static inline int64_t label_at(const tg_operand *labels, int64_t i) {
    return labels->dtype == TG_I64 ? ((const int64_t *)labels->data)[i] : ((const int32_t *)labels->data)[i];
}

typedef struct loss_run {
    const tg_operand *x, *labels;
    void *y;
    const void *g;
    int64_t n;
    const tg__fold_fns *sum, *max;
    tg_micro_fn *exp;
} loss_run;

extern const tg_micro tg__micro_exp;

/* log(sum of e^x) of rows, in leaves: sums of a leaf have the element type, the sum of the leaves f64. Short rows share one
 * call of exp, which is elementwise: their sums do not depend on it. */
#define LOSS(T)                                                                                       \
    static T top_##T(const loss_run *r, const T *x) {                                                 \
        T top, part;                                                                                  \
        r->max->leaf(x, r->n < TG__FOLD_LEAF ? r->n : TG__FOLD_LEAF, &top);                           \
        for (int64_t i = TG__FOLD_LEAF; i < r->n; i += TG__FOLD_LEAF) {                               \
            r->max->leaf(x + i, r->n - i < TG__FOLD_LEAF ? r->n - i : TG__FOLD_LEAF, &part);          \
            top = part > top || part != part ? part : top;                                            \
        }                                                                                             \
        return top;                                                                                   \
    }                                                                                                 \
    static double long_row_##T(const loss_run *r, const T *x, T top) {                                \
        T e[TG__FOLD_LEAF], part;                                                                     \
        double total = 0;                                                                             \
        for (int64_t i = 0; i < r->n; i += TG__FOLD_LEAF) {                                           \
            int64_t count = r->n - i < TG__FOLD_LEAF ? r->n - i : TG__FOLD_LEAF;                      \
            for (int64_t j = 0; j < count; j++) e[j] = x[i + j] - top;                                \
            r->exp((size_t)count, e, e, NULL, NULL);                                                  \
            r->sum->leaf(e, count, &part);                                                            \
            total += (double)part;                                                                    \
        }                                                                                             \
        return total;                                                                                 \
    }                                                                                                 \
    static void set_loss_##T(const loss_run *r, int64_t row, double top, double total) {              \
        const T *x = (const T *)r->x->data + row * r->n;                                              \
        ((T *)r->y)[row] = (T)(top + log(total) - (double)x[label_at(r->labels, row)]);               \
    }                                                                                                 \
    static void short_rows_##T(const loss_run *r, int64_t row, int64_t rows) {                        \
        const T *x = (const T *)r->x->data + row * r->n;                                              \
        T e[TG__FOLD_LEAF] = {0}, top[TG__FOLD_LEAF], total;                                          \
        for (int64_t i = 0; i < rows; i++) {                                                          \
            top[i] = top_##T(r, x + i * r->n);                                                        \
            for (int64_t j = 0; j < r->n; j++) e[i * r->n + j] = x[i * r->n + j] - top[i];            \
        }                                                                                             \
        r->exp((size_t)(rows * r->n), e, e, NULL, NULL);                                              \
        for (int64_t i = 0; i < rows; i++) {                                                          \
            r->sum->leaf(e + i * r->n, r->n, &total);                                                 \
            set_loss_##T(r, row + i, (double)top[i], (double)total);                                  \
        }                                                                                             \
    }                                                                                                 \
    static void loss_##T(int64_t begin, int64_t end, void *ctx) {                                     \
        const loss_run *r = ctx;                                                                      \
        int64_t together = TG__FOLD_LEAF / r->n;                                                      \
        for (int64_t i = begin; i < end && together; i += together)                                   \
            short_rows_##T(r, i, end - i < together ? end - i : together);                            \
        for (int64_t i = begin; i < end && !together; i++) {                                          \
            const T *x = (const T *)r->x->data + i * r->n, top = top_##T(r, x);                       \
            set_loss_##T(r, i, (double)top, long_row_##T(r, x, top));                                 \
        }                                                                                             \
    }
LOSS(float)
LOSS(double)

static tg_status cross_entropy_each_kernel(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *labels = &k->in[1];
    const tg__kernels *kernels = tg__kernels_get();
    tg_dtype d = x->dtype;
    loss_run r = {x,
                  labels,
                  k->out[0].data,
                  NULL,
                  x->shape->dims[x->shape->rank - 1],
                  kernels->fold[TG__SUM][d],
                  kernels->fold[TG__MAX][d],
                  tg__micro_get(&tg__micro_exp, d)};
    for (int64_t i = 0; i < labels->numel; i++)
        if (label_at(labels, i) < 0 || label_at(labels, i) >= r.n) {
            snprintf(k->message, k->message_size, "label %lld at position %lld is not in [0, %lld)",
                     (long long)label_at(labels, i), (long long)i, (long long)r.n);
            return TG_EINDEX;
        }
    tg_parallel(k->threads, labels->numel, (double)x->numel * WORK_PER_ELEMENT, d == TG_F32 ? loss_float : loss_double, &r);
    return TG_OK;
}

static tg_tensor is_label(tg_tape *t, tg_tensor logits, tg_tensor labels) {
    tg_shape s = tg_shape_of(logits);
    return tg_eq(tg_unsqueeze(labels, LAST), tg_arange(t, s.dims[s.rank - 1], tg_dtype_of(labels)));
}

static tg_tensor cross_entropy_each_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in, (void)attr;
    tg_tensor log_p = tg_log_softmax(in[0], -1);
    return tg_neg(tg_sum(tg_where(is_label(t, in[0], in[1]), log_p, tg__zero_like(log_p)), LAST, false));
}

extern const tg_op tg__op_cross_entropy_grad;

static void cross_entropy_each_vjp(tg_vjp_args *v) {
    if (!tg_vjp_needs(v, 0)) return;
    tg_tensor in[] = {v->in[0], v->in[1], v->g[0]};
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_cross_entropy_grad, NULL, in, 3));
}

#define LABELS(n, ...) IN('i', __VA_ARGS__, .lo = 0, .hi = (n) - 1)
#define LABELS32(n, ...) IN('j', __VA_ARGS__, .lo = 0, .hi = (n) - 1)
#define LOSS_SAMPLES                                                                                     \
    SAMPLE("rows", INPUTS(IN('f', (4, 5)), LABELS(5, (4)))),                                             \
    SAMPLE("i32 labels", INPUTS(IN('f', (4, 3)), LABELS32(3, (4)))),                                     \
    SAMPLE("a batch of rows", INPUTS(IN('f', (2, 3, 4)), LABELS(4, (2, 3)))),                            \
    SAMPLE("one row", INPUTS(IN('f', (6)), LABELS(6, ()))),                                              \
    SAMPLE("long rows", INPUTS(IN('f', (2, 1100)), LABELS(1100, (2)))),                                  \
    SAMPLE("large numbers", INPUTS({.kind = 'f', .shape = DIMS(2, 4), .lo = 90, .hi = 92}, LABELS(4, (2))))
#define LOSS_BADS                                                                                        \
    BAD("float labels", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4, 5)), IN('f', (4)))),                 \
    BAD("labels of another shape", TG_ESHAPE, "labels' shape", INPUTS(IN('f', (4, 5)), LABELS(5, (5)))), \
    BAD("one-hot labels", TG_ESHAPE, "labels' shape", INPUTS(IN('f', (4, 5)), LABELS(2, (4, 5)))),       \
    BAD("whole logits", TG_EDTYPE, "not i64", INPUTS(IN('i', (4, 5)), LABELS(5, (4)))),                  \
    BAD("no class", TG_ESHAPE, "size 0", INPUTS(IN('f', (4, 0)), LABELS(5, (4)))),                       \
    BAD("a label too large", TG_EINDEX, "label 5 at position 0 is not in [0, 5)",                        \
        INPUTS(IN('f', (4, 5)), IN('i', (4), .lo = 5, .hi = 5))),                                        \
    BAD("a negative label", TG_EINDEX, "label -1", INPUTS(IN('f', (4, 5)), IN('j', (4), .lo = -1, .hi = -1)))

const tg_op tg__op_cross_entropy_each = {
    .name = "cross_entropy_each",
    .formula = "y = log(sum of e^logits) - logits[label], for each row",
    .source = "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
    .min_in = 2,
    .max_in = 2,
    .flags = TG_OP_CAN_FAIL,
    .infer = labels_infer,
    .vjp = cross_entropy_each_vjp,
    .define = cross_entropy_each_define,
    .kernel = cross_entropy_each_kernel,
    .flops = rows_flops,
    SAMPLES(LOSS_SAMPLES, SAMPLE("no rows", INPUTS(IN('f', (0, 3)), LABELS(3, (0))))),
    BADS(LOSS_BADS),
};

/*| tg_cross_entropy_each: the negative log-probability of each row's label under softmax; no overflow.
 *    y = log(sum of e^logits) - logits[label], for each row
 *  Shapes:   logits (..., C), C >= 1, labels (...) -> y (...)
 *  Dtypes:   logits f32, f64; labels i64, i32
 *  Gradient: dlogits = (softmax(logits) - one_hot(labels)) g
 *  Errors:   TG_ESHAPE if the shapes do not fit or C is 0; TG_EDTYPE for other dtypes; when run, TG_EINDEX if a label is not in
 *            [0, C)
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_API(tg_tensor, tg_cross_entropy_each, (tg_tensor logits, tg_tensor labels), (logits, labels)) {
    return tg_apply_at(site, NULL, &tg__op_cross_entropy_each, NULL, (tg_tensor[]){logits, labels}, 2);
}

/* ------------------------------------------------------------------ cross_entropy_grad: (logits, labels, g) -> dlogits */

static tg_status cross_entropy_grad_infer(tg_infer *f) {
    tg_status s = labels_infer(f);
    if (s) return s;
    if (f->in_dtype[2] != f->in_dtype[0])
        return tg_infer_fail(f, TG_EDTYPE, "the cotangent is %s", tg_dtype_name(f->in_dtype[2]));
    if (!tg_shape_equal(f->in_shape[2], f->in_shape[1]))
        return tg_infer_fail(f, TG_ESHAPE, "the cotangent's shape is not that of the labels");
    f->shape[0] = *f->in_shape[0];
    return TG_OK;
}

/* A label out of range was refused by cross_entropy_each; here it would be no class. */
#define LOSS_GRAD(T, softmax)                                                              \
    static void loss_grad_##T(int64_t begin, int64_t end, void *ctx) {                     \
        const loss_run *r = ctx;                                                           \
        const T *x = (const T *)r->x->data + begin * r->n;                                 \
        tg__kernels_get()->softmax(x, (T *)r->y + begin * r->n, end - begin, r->n, false); \
        for (int64_t i = begin; i < end; i++) {                                            \
            T *y = (T *)r->y + i * r->n, g = ((const T *)r->g)[i];                         \
            int64_t label = label_at(r->labels, i);                                        \
            if (label >= 0 && label < r->n) y[label] -= 1;                                 \
            for (int64_t j = 0; j < r->n; j++) y[j] *= g;                                  \
        }                                                                                  \
    }
LOSS_GRAD(float, softmax_f32)
LOSS_GRAD(double, softmax_f64)

static tg_status cross_entropy_grad_kernel(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *labels = &k->in[1];
    loss_run r = {.x = x, .labels = labels, .y = k->out[0].data, .g = k->in[2].data, .n = x->shape->dims[x->shape->rank - 1]};
    tg_parallel(k->threads, labels->numel, (double)x->numel * WORK_PER_ELEMENT,
                x->dtype == TG_F32 ? loss_grad_float : loss_grad_double, &r);
    return TG_OK;
}

static tg_tensor cross_entropy_grad_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in, (void)attr;
    tg_tensor one_hot = tg_cast(is_label(t, in[0], in[1]), tg_dtype_of(in[0]));
    return tg_mul(tg_sub(tg_softmax(in[0], -1), one_hot), tg_unsqueeze(in[2], LAST));
}

const tg_op tg__op_cross_entropy_grad = {
    .name = "cross_entropy_grad",
    .formula = "y = (softmax(logits) - one_hot(labels)) g",
    .source = "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
    .min_in = 3,
    .max_in = 3,
    .infer = cross_entropy_grad_infer,
    .define = cross_entropy_grad_define,
    .kernel = cross_entropy_grad_kernel,
    .flops = rows_flops,
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (4, 5)), LABELS(5, (4)), IN('f', (4)))),
            SAMPLE("i32 labels", INPUTS(IN('f', (4, 3)), LABELS32(3, (4)), IN('f', (4)))),
            SAMPLE("a batch of rows", INPUTS(IN('f', (2, 3, 4)), LABELS(4, (2, 3)), IN('f', (2, 3)))),
            SAMPLE("one row", INPUTS(IN('f', (6)), LABELS(6, ()), IN('f', ()))),
            SAMPLE("no rows", INPUTS(IN('f', (0, 3)), LABELS(3, (0)), IN('f', (0))))),
    BADS(BAD("float labels", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4, 5)), IN('f', (4)), IN('f', (4)))),
         BAD("labels of another shape", TG_ESHAPE, "labels' shape", INPUTS(IN('f', (4, 5)), LABELS(5, (5)), IN('f', (4)))),
         BAD("a cotangent of another shape", TG_ESHAPE, "cotangent's shape",
             INPUTS(IN('f', (4, 5)), LABELS(5, (4)), IN('f', (5)))),
         BAD("a cotangent of whole numbers", TG_EDTYPE, "the cotangent is i64",
             INPUTS(IN('f', (4, 5)), LABELS(5, (4)), IN('i', (4)))),
         BAD("no cotangent", TG_EARG, "not 2", INPUTS(IN('f', (4, 5)), LABELS(5, (4))))),
};

/* ------------------------------------------------------------------ cross_entropy: the mean over all rows */

static tg_status cross_entropy_infer(tg_infer *f) {
    tg_status s = labels_infer(f);
    if (!s && tg_shape_numel(f->in_shape[1]) == 0) return tg_infer_fail(f, TG_ESHAPE, "the mean of an empty batch");
    f->shape[0] = TG_SCALAR;
    return s;
}

static tg_tensor cross_entropy_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    return tg_mean(tg_cross_entropy_each(in[0], in[1]), TG_ALL_AXES, false);
}

const tg_op tg__op_cross_entropy = {
    .name = "cross_entropy",
    .formula = "y = mean over the rows of log(sum of e^logits) - logits[label]",
    .source = "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs",
    .min_in = 2,
    .max_in = 2,
    .infer = cross_entropy_infer,
    .define = cross_entropy_define,
    SAMPLES(LOSS_SAMPLES),
    BADS(LOSS_BADS, BAD("an empty batch", TG_ESHAPE, "empty batch", INPUTS(IN('f', (0, 5)), LABELS(5, (0))))),
};

/*| tg_cross_entropy: the mean negative log-probability of the labels under softmax: the loss of a classifier. No overflow.
 *    y = mean over the rows of log(sum of e^logits) - logits[label]
 *  Shapes:   logits (..., C), C >= 1, labels (...), at least one -> y ()
 *  Dtypes:   logits f32, f64; labels i64, i32
 *  Gradient: dlogits = (softmax(logits) - one_hot(labels)) g / (number of rows)
 *  Errors:   TG_ESHAPE if the shapes do not fit, C is 0 or there are no rows; TG_EDTYPE for other dtypes; when run, TG_EINDEX
 *            if a label is not in [0, C)
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_API(tg_tensor, tg_cross_entropy, (tg_tensor logits, tg_tensor labels), (logits, labels)) {
    return tg_apply_at(site, NULL, &tg__op_cross_entropy, NULL, (tg_tensor[]){logits, labels}, 2);
}

/* Variance, norms, sums of exponentials */
#include "ops/reduce.h"

static tg_status float_infer(tg_infer *f) {
    if (!tg_dtype_is_float(f->in_dtype[0]))
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32 or f64: convert with tg_cast");
    return tg__fold_infer(f);
}

/* The root of a number that is not negative, with the derivative 0 where it is 0. */
static tg_tensor root(tg_tensor x) {
    tg_tensor zero = tg__zero_like(x), one = tg__one_like(x), positive = tg_ne(x, zero);
    return tg_where(positive, tg_sqrt(tg_where(positive, x, one)), zero);
}

#define REDUCTION(op_name, formula_, source_)                                                                          \
    .name = #op_name, .formula = formula_, .source = source_, .min_in = 1, .infer = op_name##_infer,                    \
    .define = op_name##_define

/* ------------------------------------------------------------------ variance and deviation */

typedef struct var_attr {
    tg_fold_attr fold;
    int64_t correction;
} var_attr;
static const tg_field var_fields[] = {
    {"axes", TG_FIELD_AXES, offsetof(var_attr, fold.axes)},
    {"keepdims", TG_FIELD_INT, offsetof(var_attr, fold.keepdims)},
    {"correction", TG_FIELD_INT, offsetof(var_attr, correction)},
    {NULL, TG_FIELD_INT, 0},
};

static double elements(const tg_shape *s, const tg_axes *axes) {
    double n = 1;
    for (int i = 0; i < axes->n; i++) n *= (double)s->dims[axes->axis[i]];
    return n;
}

static tg_status var_infer(tg_infer *f) {
    const var_attr *a = f->attr;
    tg_status s = float_infer(f);
    if (s) return s;
    if (a->correction < 0) return tg_infer_fail(f, TG_EARG, "the correction is %lld", (long long)a->correction);
    if (elements(f->in_shape[0], &a->fold.axes) <= (double)a->correction)
        return tg_infer_fail(f, TG_ESHAPE, "the variance of %.0f elements with the correction %lld",
                             elements(f->in_shape[0], &a->fold.axes), (long long)a->correction);
    return TG_OK;
}

static tg_tensor var_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    const var_attr *a = attr;
    tg_shape s = tg_shape_of(in[0]);
    double n = elements(&s, &a->fold.axes) - (double)a->correction;
    tg_tensor squares = tg_square(tg_sub(in[0], tg_mean(in[0], a->fold.axes, true)));
    return tg_div(tg_sum(squares, a->fold.axes, a->fold.keepdims != 0), tg_scalar(t, n, tg_dtype_of(in[0])));
}

static tg_status std_infer(tg_infer *f) { return var_infer(f); }

static tg_tensor std_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    return root(var_define(t, in, n_in, attr));
}

#define CORRECTED(n, keep, ...) .attr = &(const var_attr){{SET(__VA_ARGS__), keep}, n}
#define VAR(op_name, formula_) \
    REDUCTION(op_name, formula_, "elementary"), .max_in = 1, .attr_size = sizeof(var_attr), .fields = var_fields
#define VAR_SAMPLES                                                                                                    \
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (3, 7))), CORRECTED(1, 0, 1)),                                               \
            SAMPLE("columns", INPUTS(IN('f', (5, 4))), CORRECTED(0, 1, 0)),                                            \
            SAMPLE("first and last", INPUTS(IN('f', (3, 4, 2))), CORRECTED(1, 0, 0, 2)),                               \
            SAMPLE("everything", INPUTS(IN('f', (3, 4))), CORRECTED(2, 0, 0, 1)),                                      \
            SAMPLE("far from 0", INPUTS(IN('f', (2, 6), .lo = 9, .hi = 11)), CORRECTED(1, 1, 1)),                      \
            SAMPLE("no result", INPUTS(IN('f', (0, 3))), CORRECTED(1, 0, 1)))
#define VAR_BADS                                                                                                       \
    BADS(BAD("axis too large", TG_EARG, "out of range", INPUTS(IN('f', (3, 4))), CORRECTED(1, 0, 2)),                  \
         BAD("an axis twice", TG_EARG, "stand twice", INPUTS(IN('f', (3, 4))), CORRECTED(1, 0, 1, 1)),                 \
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 4))), CORRECTED(1, 0, 1)),                      \
         BAD("one element", TG_ESHAPE, "the variance of 1 elements with the correction 1", INPUTS(IN('f', (3, 1))),    \
             CORRECTED(1, 0, 1)),                                                                                      \
         BAD("nothing", TG_ESHAPE, "the variance of 0 elements", INPUTS(IN('f', (3, 0))), CORRECTED(0, 0, 1)),         \
         BAD("a negative correction", TG_EARG, "correction is -1", INPUTS(IN('f', (3, 4))), CORRECTED(-1, 0, 1)))

const tg_op tg__op_var = {
    VAR(var, "y = (sum of (x - mean of x)^2 over the axes) / (elements - correction)"),
    VAR_SAMPLES,
    VAR_BADS,
};

static var_attr var_attr_of(tg_tensor x, tg_axes axes, int64_t correction, bool keepdims) {
    return (var_attr){tg__fold_attr_of(x, axes, keepdims), correction};
}

/*| tg_var: the variance over axes: in two passes, so that a large mean costs no digits. The correction is 0 for that of the
 *  elements, 1 for an unbiased estimate from a sample (Bessel).
 *    y = (sum of (x - mean of x)^2 over the axes) / (elements - correction)
 *  Shapes:   x (any, more than `correction` elements in the axes) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g 2 (x - mean) / (elements - correction)
 *  Errors:   TG_EARG if an axis is out of range or stands twice, or correction < 0; TG_ESHAPE if there are not more than
 *            `correction` elements; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_var, (tg_tensor x, tg_axes axes, int64_t correction, bool keepdims), (x, axes, correction, keepdims)) {
    var_attr attr = var_attr_of(x, axes, correction, keepdims);
    return tg_apply_at(site, NULL, &tg__op_var, &attr, &x, 1);
}

const tg_op tg__op_std = {
    VAR(std, "y = square root of (sum of (x - mean of x)^2 over the axes) / (elements - correction)"),
    VAR_SAMPLES,
    VAR_BADS,
};

/*| tg_std: the standard deviation over axes: the root of tg_var.
 *    y = square root of (sum of (x - mean of x)^2 over the axes) / (elements - correction)
 *  Shapes:   x (any, more than `correction` elements in the axes) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g (x - mean) / (y (elements - correction)); 0 where y is 0
 *  Errors:   TG_EARG if an axis is out of range or stands twice, or correction < 0; TG_ESHAPE if there are not more than
 *            `correction` elements; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_std, (tg_tensor x, tg_axes axes, int64_t correction, bool keepdims), (x, axes, correction, keepdims)) {
    var_attr attr = var_attr_of(x, axes, correction, keepdims);
    return tg_apply_at(site, NULL, &tg__op_std, &attr, &x, 1);
}

/* ------------------------------------------------------------------ norms */

typedef enum norm_kind { NORM_COUNT, NORM_1, NORM_2, NORM_MAX, NORM_MIN, NORM_P } norm_kind;

typedef struct norm_attr {
    tg_fold_attr fold;
    int64_t kind; /* norm_kind: of NORM_P the exponent is input 1 */
} norm_attr;
static const tg_field norm_fields[] = {
    {"axes", TG_FIELD_AXES, offsetof(norm_attr, fold.axes)},
    {"keepdims", TG_FIELD_INT, offsetof(norm_attr, fold.keepdims)},
    {"kind", TG_FIELD_INT, offsetof(norm_attr, kind)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_status norm_infer(tg_infer *f) {
    const norm_attr *a = f->attr;
    if (a->kind < NORM_COUNT || a->kind > NORM_P)
        return tg_infer_fail(f, TG_EARG, "%lld is no kind of norm", (long long)a->kind);
    if (f->n_in != 1 + (a->kind == NORM_P)) return tg_infer_fail(f, TG_EARG, "only the p-norm has an exponent");
    tg_status s = float_infer(f);
    if (s) return s;
    if (f->n_in == 2 && (f->in_dtype[1] != f->in_dtype[0] || f->in_shape[1]->rank))
        return tg_infer_fail(f, TG_EDTYPE, "the exponent must be a number of the dtype of x");
    bool extreme = a->kind == NORM_MAX || a->kind == NORM_MIN;
    return extreme ? tg__filled_infer(f, "extreme norm") : TG_OK;
}

static tg_tensor norm_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    const norm_attr *a = attr;
    const tg_axes axes = a->fold.axes;
    bool keep = a->fold.keepdims != 0;
    tg_tensor x = in[0], zero = tg__zero_like(x), one = tg__one_like(x);
    switch (a->kind) {
    case NORM_COUNT: return tg_sum(tg_where(tg_ne(x, zero), one, zero), axes, keep);
    case NORM_1: return tg_sum(tg_abs(x), axes, keep);
    case NORM_2: return root(tg_sum(tg_square(x), axes, keep));
    case NORM_MAX: return tg_max(tg_abs(x), axes, keep);
    case NORM_MIN: return tg_min(tg_abs(x), axes, keep);
    }
    tg_tensor counts = tg_ne(x, zero);
    tg_tensor sum = tg_sum(tg_where(counts, tg_pow(tg_where(counts, tg_abs(x), one), in[1]), zero), axes, keep);
    tg_tensor positive = tg_ne(sum, zero);
    return tg_where(positive, tg_pow(tg_where(positive, sum, one), tg_reciprocal(in[1])), zero);
}

#define NORM(kind, keep, ...) .attr = &(const norm_attr){{SET(__VA_ARGS__), keep}, kind}
#define APART(...) INPUTS({.kind = 'f', .shape = DIMS(__VA_ARGS__), .lo = -2, .hi = 2, .avoid = 0.02})
#define EXPONENT(x) {.kind = 'f', .shape = DIMS(), .lo = (x) - 0.25, .hi = (x) + 0.25}

const tg_op tg__op_norm = {
    REDUCTION(norm, "y = (sum of |x|^p over the axes)^(1/p)", "elementary"),
    .max_in = 2,
    .attr_size = sizeof(norm_attr),
    .fields = norm_fields,
    SAMPLES(SAMPLE("2, rows", INPUTS(IN('f', (3, 7))), NORM(NORM_2, 0, 1)),
            SAMPLE("2, columns", INPUTS(IN('f', (5, 4))), NORM(NORM_2, 1, 0)),
            SAMPLE("2, everything", INPUTS(IN('f', (3, 4))), NORM(NORM_2, 0, 0, 1)),
            SAMPLE("1", APART(3, 5), NORM(NORM_1, 0, 1)),
            SAMPLE("3", INPUTS({.kind = 'f', .shape = DIMS(2, 5), .lo = -2, .hi = 2, .avoid = 0.02}, EXPONENT(3)),
                   NORM(NORM_P, 0, 1)),
            SAMPLE("1/2", INPUTS({.kind = 'f', .shape = DIMS(2, 3), .lo = 0.5, .hi = 2}, EXPONENT(0.5)), NORM(NORM_P, 0, 1)),
            SAMPLE("infinity", INPUTS({.kind = 'f', .shape = DIMS(3, 5), .lo = 0.1, .hi = 2, .avoid = 0.02, .kink = 100}),
                   NORM(NORM_MAX, 0, 1)),
            SAMPLE("minus infinity",
                   INPUTS({.kind = 'f', .shape = DIMS(3, 5), .lo = -2, .hi = -0.1, .avoid = 0.02, .kink = 100}),
                   NORM(NORM_MIN, 1, 1)),
            SAMPLE("2, nothing", INPUTS(IN('f', (3, 0))), NORM(NORM_2, 0, 1)), SAMPLE("2, rank 0", APART(), NORM(NORM_2, 0, ))),
    BADS(BAD("axis too large", TG_EARG, "out of range", INPUTS(IN('f', (3, 4))), NORM(NORM_2, 0, 2)),
         BAD("an axis twice", TG_EARG, "stand twice", INPUTS(IN('f', (3, 4))), NORM(NORM_2, 0, 1, 1)),
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 4))), NORM(NORM_2, 0, 1)),
         BAD("the largest of nothing", TG_ESHAPE, "no elements", INPUTS(IN('f', (3, 0))), NORM(NORM_MAX, 0, 1)),
         BAD("no exponent", TG_EARG, "exponent", INPUTS(IN('f', (3))), NORM(NORM_P, 0, 0)),
         BAD("several exponents", TG_EDTYPE, "must be a number", INPUTS(IN('f', (3)), IN('f', (3))), NORM(NORM_P, 0, 0)),
         BAD("no kind", TG_EARG, "6 is no kind", INPUTS(IN('f', (3))), NORM(6, 0, 0))),
};

static norm_kind kind_of(double p) {
    if (p == 0) return NORM_COUNT;
    if (p == 1) return NORM_1;
    if (p == 2) return NORM_2;
    return isinf(p) ? (p > 0 ? NORM_MAX : NORM_MIN) : NORM_P;
}

/*| tg_norm: the p-norm over axes: p = 2 is the length, 1 the sum of absolute values, INFINITY the largest of them, -INFINITY
 *  the smallest, 0 the number of elements that are not 0. Any other p > 0 is data: a new one makes no new plan. Squares may
 *  overflow: there is no scaling.
 *    y = (sum of |x|^p over the axes)^(1/p)
 *  Shapes:   x (any; for p infinite the axes not of size 0) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g |x|^(p-1) sign(x) / y^(p-1); 0 at elements that are 0, also where all are; for p infinite in equal parts to
 *            the elements that are the result; none flows for p = 0
 *  Errors:   TG_EARG if an axis is out of range or stands twice, or p is negative and finite, or a NaN; TG_ESHAPE for
 *            p infinite if an axis has size 0; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_norm, (tg_tensor x, double p, tg_axes axes, bool keepdims), (x, p, axes, keepdims)) {
    norm_attr attr = {tg__fold_attr_of(x, axes, keepdims), kind_of(p)};
    tg_tape *t = tg_tape_of(x);
    if (t && attr.kind == NORM_P && !(p > 0)) {
        tg__fail(t, TG_EARG, "norm", site, t->scope, "p is %g", p);
        return tg__poison(t);
    }
    tg_tensor in[] = {x, x};
    tg_dtype d = tg__computed_in(tg_dtype_of(x));
    if (t && attr.kind == NORM_P && tg_dtype_is_float(d)) in[1] = tg_scalar_at(site, t, p, d);
    return tg_apply_at(site, NULL, &tg__op_norm, &attr, in, 1 + (attr.kind == NORM_P));
}

/* ------------------------------------------------------------------ logsumexp */

static tg_status logsumexp_infer(tg_infer *f) { return float_infer(f); }

/* Shifted by the largest element, which changes neither the value nor any derivative. Where all elements are -infinity, so is
 * the result, and no derivative flows. */
static tg_tensor logsumexp_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    const tg_fold_attr *fold = attr;
    tg_shape s = tg_shape_of(in[0]);
    tg_dtype d = tg_dtype_of(in[0]);
    tg_tensor x = in[0], zero = tg__zero_like(x), one = tg__one_like(x), top = zero;
    if (elements(&s, &fold->axes) > 0) {
        top = tg_stop_gradient(tg_max(x, fold->axes, true));
        top = tg_where(tg_isfinite(top), top, zero);
    }
    tg_tensor sum = tg_sum(tg_exp(tg_sub(x, top)), fold->axes, true), positive = tg_ne(sum, zero);
    tg_tensor y = tg_add(tg_log(tg_where(positive, sum, one)), top);
    y = tg_where(positive, y, tg_scalar(t, -INFINITY, d));
    return fold->keepdims ? y : tg_reshape(y, tg__reduced_shape(&s, &fold->axes, false));
}

const tg_op tg__op_logsumexp = {
    REDUCTION(logsumexp, "y = log(sum of e^x over the axes)", "elementary"),
    .max_in = 1,
    .attr_size = sizeof(tg_fold_attr),
    .fields = tg__fold_fields,
    SAMPLES(FOLD_SAMPLES(.lo = -2, .hi = 2),
            SAMPLE("large numbers", INPUTS({.kind = 'f', .shape = DIMS(2, 4), .lo = 90, .hi = 92}), AXES(0, 1))),
    BADS(FOLD_BADS, BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 4))), AXES(0, 1))),
};

/*| tg_logsumexp: the logarithm of the sum of exponentials over axes; no overflow. Of nothing, or of -infinities: -infinity.
 *    y = log(sum of e^x over the axes)
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g e^(x - y); 0 where all elements are -infinity
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_logsumexp, (tg_tensor x, tg_axes axes, bool keepdims), (x, axes, keepdims)) {
    tg_fold_attr attr = tg__fold_attr_of(x, axes, keepdims);
    return tg_apply_at(site, NULL, &tg__op_logsumexp, &attr, &x, 1);
}

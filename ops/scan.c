/* Running sums, products, extremes */
#include "ops/index.h"

typedef struct scan_attr {
    int64_t axis;
    int64_t reverse; /* from the end: of cumsum alone */
} scan_attr;
static const tg_field scan_fields[] = {
    {"axis", TG_FIELD_INT, offsetof(scan_attr, axis)},
    {"reverse", TG_FIELD_INT, offsetof(scan_attr, reverse)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_tensor scan(const char *site, const tg_op *op, tg_tensor x, int64_t axis) {
    int normal = tg_infer_axis(axis, tg_shape_of(x).rank);
    scan_attr attr = {normal < 0 ? axis : normal, 0};
    return tg_apply_at(site, NULL, op, &attr, &x, 1);
}

static tg_status scan_infer(tg_infer *f) {
    int64_t axis = ((const scan_attr *)f->attr)->axis;
    if (axis < 0 || axis >= f->in_shape[0]->rank)
        return tg_infer_fail(f, TG_EARG, "axis %lld is out of range for rank %d", (long long)axis, f->in_shape[0]->rank);
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_status number_infer(tg_infer *f) {
    if (f->in_dtype[0] == TG_U8 || f->in_dtype[0] == TG_BOOL)
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32, f64, i32 or i64: convert with tg_cast");
    return scan_infer(f);
}

static tg_status float_infer(tg_infer *f) {
    if (!tg_dtype_is_float(f->in_dtype[0]))
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32 or f64: convert with tg_cast");
    return scan_infer(f);
}

/* ------------------------------------------------------------------ the kernel
 *
 * x is seen as outer x n x inner. A task is a strip of lines along n, each taken element by element in order: the bits depend
 * on nothing else. Floats run in f64. */

#define STRIP 64

typedef struct scan_run {
    const void *x;
    void *y;
    tg_dtype dtype;
    int64_t n, inner, strips;
    bool reverse;
} scan_run;

#define EACH_STRIP(r)                                                                                   \
    for (int64_t task = begin; task < end; task++)                                                      \
        for (int64_t first = task / (r)->strips * (r)->n * (r)->inner + task % (r)->strips * STRIP,     \
                     width = (r)->inner - task % (r)->strips * STRIP, once = 1;                         \
             once; once = 0)

/* A single line keeps its state in a register: through memory each element would wait for the one before it. */
#define SCAN(T, A, start, next)                                                                         \
    if (r->inner == 1) {                                                                                \
        for (int64_t line = begin; line < end; line++) {                                                \
            const T *x = (const T *)r->x + line * r->n;                                                 \
            T *y = (T *)r->y + line * r->n;                                                             \
            A a = start;                                                                                \
            for (int64_t j = 0; j < r->n; j++) {                                                        \
                int64_t at = r->reverse ? r->n - 1 - j : j;                                             \
                A b = (A)x[at];                                                                         \
                a = next;                                                                               \
                y[at] = (T)a;                                                                           \
            }                                                                                           \
        }                                                                                               \
        break;                                                                                          \
    }                                                                                                   \
    EACH_STRIP(r) {                                                                                     \
        A state[STRIP];                                                                                 \
        if (width > STRIP) width = STRIP;                                                               \
        for (int64_t c = 0; c < width; c++) state[c] = start;                                           \
        for (int64_t j = 0; j < r->n; j++) {                                                            \
            int64_t row = first + (r->reverse ? r->n - 1 - j : j) * r->inner;                           \
            for (int64_t c = 0; c < width; c++) {                                                       \
                A a = state[c], b = (A)((const T *)r->x)[row + c];                                      \
                state[c] = next;                                                                        \
                ((T *)r->y)[row + c] = (T)state[c];                                                     \
            }                                                                                           \
        }                                                                                               \
    }                                                                                                   \
    break

#define SCAN_PIECE(name, start, next)                                                                   \
    static void name(int64_t begin, int64_t end, void *ctx) {                                           \
        const scan_run *r = ctx;                                                                        \
        switch (r->dtype) {                                                                             \
        case TG_F32: SCAN(float, double, start, next);                                                  \
        case TG_F64: SCAN(double, double, start, next);                                                 \
        case TG_I32: SCAN(uint32_t, uint32_t, start, next);                                             \
        default: SCAN(uint64_t, uint64_t, start, next);                                                 \
        }                                                                                               \
    }
SCAN_PIECE(sum_piece, 0, a + b)
SCAN_PIECE(prod_piece, 1, a * b)

static tg_status run_scan(tg_kernel_args *k, double work, void (*piece)(int64_t begin, int64_t end, void *ctx)) {
    const tg_operand *x = &k->in[0];
    const scan_attr *attr = k->attr;
    int axis = (int)attr->axis;
    if (!x->numel) return TG_OK;
    scan_run r = {x->data, k->out[0].data, x->dtype, x->shape->dims[axis], tg__extent(x->shape, axis + 1, x->shape->rank), 0,
                  attr->reverse != 0};
    r.strips = tg__pieces(r.inner, STRIP);
    tg_parallel(k->threads, tg__extent(x->shape, 0, axis) * r.strips, (double)x->numel * work, piece, &r);
    return TG_OK;
}

/* Each result anew, from the start of its line. */
static tg_status scan_ref(tg_kernel_args *k, double start, double (*next)(double a, double b)) {
    const tg_operand *x = &k->in[0];
    const scan_attr *attr = k->attr;
    int axis = (int)attr->axis;
    int64_t n = x->shape->dims[axis], inner = tg__extent(x->shape, axis + 1, x->shape->rank);
    for (int64_t i = 0; i < x->numel; i++) {
        int64_t j = i / inner % n, line = i - j * inner;
        double a = start;
        for (int64_t p = attr->reverse ? n - 1 : 0; attr->reverse ? p >= j : p <= j; p += attr->reverse ? -1 : 1)
            a = next(a, ((const double *)x->data)[line + p * inner]);
        ((double *)k->out[0].data)[i] = a;
    }
    return TG_OK;
}

/* What a scan means, by doubling (Hillis, Steele 1986, "Data parallel algorithms"): after step s each element has joined the
 * 2^s elements up to it. Differentiated, it divides by nothing and cancels nothing. */
static tg_tensor doubling(tg_tensor x, int64_t axis, tg_tensor (*join)(tg_tensor a, tg_tensor b)) {
    int64_t n = tg_numel(x) ? tg_shape_of(x).dims[axis] : 0;
    for (int64_t step = 1; step < n; step *= 2) {
        tg_tensor joined = join(tg_slice(x, axis, 0, n - step, 1), tg_slice(x, axis, step, n, 1));
        x = tg_concat((tg_tensor[]){tg_slice(x, axis, 0, step, 1), joined}, 2, axis);
    }
    return x;
}

#define AXIS(axis, ...) .attr = &(const scan_attr){axis, __VA_ARGS__ + 0}
#define SCAN_OP(op_name, formula_)                                                                       \
    .name = #op_name, .formula = formula_, .min_in = 1, .max_in = 1, .attr_size = sizeof(scan_attr),     \
    .fields = scan_fields
#define SCAN_SAMPLES(...)                                                                                \
    SAMPLE("rows", INPUTS({.kind = 'f', .shape = DIMS(3, 7), __VA_ARGS__}), AXIS(1, 0)),                 \
    SAMPLE("columns", INPUTS({.kind = 'f', .shape = DIMS(5, 3), __VA_ARGS__}), AXIS(0, 0)),              \
    SAMPLE("the middle", INPUTS({.kind = 'f', .shape = DIMS(2, 4, 3), __VA_ARGS__}), AXIS(1, 0)),        \
    SAMPLE("a vector", INPUTS({.kind = 'f', .shape = DIMS(9), __VA_ARGS__}), AXIS(0, 0)),                \
    SAMPLE("one element", INPUTS({.kind = 'f', .shape = DIMS(3, 1), __VA_ARGS__}), AXIS(1, 0)),          \
    SAMPLE("more than a strip of columns", INPUTS({.kind = 'f', .shape = DIMS(2, 67), __VA_ARGS__}), AXIS(0, 0)), \
    SAMPLE("nothing", INPUTS({.kind = 'f', .shape = DIMS(3, 0), __VA_ARGS__}), AXIS(1, 0))
#define SCAN_BADS                                                                                        \
    BAD("axis too large", TG_EARG, "axis 2", INPUTS(IN('f', (3, 4))), AXIS(2, 0)),                       \
    BAD("axis too small", TG_EARG, "axis -3", INPUTS(IN('f', (3, 4))), AXIS(-3, 0)),                     \
    BAD("rank 0", TG_EARG, "rank 0", INPUTS(IN('f', ())), AXIS(0, 0)),                                   \
    BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3)), IN('f', (3))), AXIS(0, 0))
#define NUMBER_BADS BAD("truth values", TG_EDTYPE, "tg_cast", INPUTS(IN('b', (3, 4))), AXIS(0, 0))

/* ------------------------------------------------------------------ cumsum */

static tg_status cumsum_kernel(tg_kernel_args *k) { return run_scan(k, 8, sum_piece); }
static double plus(double a, double b) { return a + b; }
static tg_status cumsum_ref(tg_kernel_args *k) { return scan_ref(k, 0, plus); }

extern const tg_op tg__op_cumsum;

static void cumsum_vjp(tg_vjp_args *v) {
    scan_attr attr = *(const scan_attr *)v->attr;
    attr.reverse = !attr.reverse;
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_cumsum, &attr, &v->g[0], 1));
}

const tg_op tg__op_cumsum = {
    SCAN_OP(cumsum, "y[i] = x[0] + ... + x[i] along the axis"),
    .source = "elementary",
    .infer = number_infer,
    .vjp = cumsum_vjp,
    .kernel = cumsum_kernel,
    .ref = cumsum_ref,
    SAMPLES(SCAN_SAMPLES(.lo = -2, .hi = 2), SAMPLE("from the end", INPUTS(IN('f', (3, 5))), AXIS(1, 1)),
            SAMPLE("from the end, columns", INPUTS(IN('f', (4, 3))), AXIS(0, 1))),
    BADS(SCAN_BADS, NUMBER_BADS),
};

/*| tg_cumsum: running sums along an axis, one after the other; those of floats run in f64.
 *    y[i] = x[0] + ... + x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx[i] = g[i] + ... + g[n - 1]
 *  Errors:   TG_EARG if the axis is out of range; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_cumsum, (tg_tensor x, int64_t axis), (x, axis)) {
    return scan(site, &tg__op_cumsum, x, axis);
}

/* ------------------------------------------------------------------ cumprod */

static tg_status cumprod_kernel(tg_kernel_args *k) { return run_scan(k, 8, prod_piece); }
static double times(double a, double b) { return a * b; }
static tg_status cumprod_ref(tg_kernel_args *k) { return scan_ref(k, 1, times); }
static tg_tensor product(tg_tensor a, tg_tensor b) { return tg_mul(a, b); }

static tg_tensor cumprod_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    return doubling(in[0], ((const scan_attr *)attr)->axis, product);
}

const tg_op tg__op_cumprod = {
    SCAN_OP(cumprod, "y[i] = x[0] ... x[i] along the axis"),
    .source = "elementary",
    .infer = number_infer,
    .define = cumprod_define,
    .kernel = cumprod_kernel,
    .ref = cumprod_ref,
    SAMPLES(SCAN_SAMPLES(.lo = -1.5, .hi = 1.5)),
    BADS(SCAN_BADS, NUMBER_BADS),
};

/*| tg_cumprod: running products along an axis, one after the other; those of floats run in f64.
 *    y[i] = x[0] ... x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx[j] = sum over i >= j of g[i] times the product of x[0] to x[i] without x[j]: exact where elements are 0, at
 *            any order; about log2(n) passes
 *  Errors:   TG_EARG if the axis is out of range; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_cumprod, (tg_tensor x, int64_t axis), (x, axis)) {
    return scan(site, &tg__op_cumprod, x, axis);
}

/* ------------------------------------------------------------------ logcumsumexp */

/* The sum of e^x so far is sum e^top, where top is the largest x so far. */
#define LOG_SUMS(T)                                                                                     \
    EACH_STRIP(r) {                                                                                     \
        double top[STRIP], sum[STRIP];                                                                  \
        if (width > STRIP) width = STRIP;                                                               \
        for (int64_t c = 0; c < width; c++) {                                                           \
            top[c] = -INFINITY;                                                                         \
            sum[c] = 0;                                                                                 \
        }                                                                                               \
        for (int64_t j = 0; j < r->n; j++)                                                              \
            for (int64_t c = 0; c < width; c++) {                                                       \
                double x = (double)((const T *)r->x)[first + j * r->inner + c];                         \
                if (x > top[c]) {                                                                       \
                    sum[c] = sum[c] * exp(top[c] - x) + 1;                                              \
                    top[c] = x;                                                                         \
                } else sum[c] += x == top[c] ? 1 : exp(x - top[c]);                                     \
                ((T *)r->y)[first + j * r->inner + c] = (T)(top[c] + log(sum[c]));                      \
            }                                                                                           \
    }

static void log_sum_piece(int64_t begin, int64_t end, void *ctx) {
    const scan_run *r = ctx;
    if (r->dtype == TG_F32) LOG_SUMS(float)
    else LOG_SUMS(double)
}

static tg_status logcumsumexp_kernel(tg_kernel_args *k) { return run_scan(k, 400, log_sum_piece); }

/* log(e^a + e^b), shifted by the larger one. Of two -infinities: -infinity, and no derivative flows. */
static tg_tensor log_sum(tg_tensor a, tg_tensor b) {
    tg_tensor zero = tg__zero_like(a), one = tg__one_like(a), top = tg_stop_gradient(tg_maximum(a, b));
    tg_tensor shift = tg_where(tg_isfinite(top), top, zero);
    tg_tensor sum = tg_add(tg_exp(tg_sub(a, shift)), tg_exp(tg_sub(b, shift))), positive = tg_ne(sum, zero);
    return tg_where(positive, tg_add(tg_log(tg_where(positive, sum, one)), shift), top);
}

static tg_tensor logcumsumexp_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    return doubling(in[0], ((const scan_attr *)attr)->axis, log_sum);
}

const tg_op tg__op_logcumsumexp = {
    SCAN_OP(logcumsumexp, "y[i] = log(e^x[0] + ... + e^x[i]) along the axis"),
    .source = "elementary",
    .infer = float_infer,
    .define = logcumsumexp_define,
    .kernel = logcumsumexp_kernel,
    SAMPLES(SCAN_SAMPLES(.lo = -2, .hi = 2),
            SAMPLE("large numbers", INPUTS({.kind = 'f', .shape = DIMS(2, 4), .lo = 90, .hi = 92}), AXIS(1, 0))),
    BADS(SCAN_BADS, BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 4))), AXIS(0, 0))),
};

/*| tg_logcumsumexp: logarithms of running sums of exponentials along an axis; no overflow. They run in f64.
 *    y[i] = log(e^x[0] + ... + e^x[i]) along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx[j] = sum over i >= j of g[i] e^(x[j] - y[i]); about log2(n) passes. None flows from a y[i] of several
 *            -infinities
 *  Errors:   TG_EARG if the axis is out of range; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_logcumsumexp, (tg_tensor x, int64_t axis), (x, axis)) {
    return scan(site, &tg__op_logcumsumexp, x, axis);
}

/* ------------------------------------------------------------------ running extremes: where they are, and what they are */

static tg_status place_infer(tg_infer *f) {
    tg_status s = scan_infer(f);
    f->dtype[0] = TG_I64;
    return s;
}

/* The first of the best elements so far; the first NaN, once there is one. */
#define PLACES(T, better)                                                                               \
    EACH_STRIP(r) {                                                                                     \
        const T *x = (const T *)r->x + first;                                                           \
        int64_t *y = (int64_t *)r->y + first, best[STRIP] = {0};                                        \
        if (width > STRIP) width = STRIP;                                                               \
        for (int64_t j = 0; j < r->n; j++)                                                              \
            for (int64_t c = 0; c < width; c++) {                                                       \
                T a = x[j * r->inner + c], b = x[best[c] * r->inner + c];                               \
                if (a better b || (a != a && b == b)) best[c] = j;                                      \
                y[j * r->inner + c] = best[c];                                                          \
            }                                                                                           \
    }                                                                                                   \
    break

#define PLACE_PIECE(name, better)                                                                       \
    static void name(int64_t begin, int64_t end, void *ctx) {                                           \
        const scan_run *r = ctx;                                                                        \
        switch (r->dtype) {                                                                             \
        case TG_F32: PLACES(float, better);                                                             \
        case TG_F64: PLACES(double, better);                                                            \
        case TG_I32: PLACES(int32_t, better);                                                           \
        case TG_I64: PLACES(int64_t, better);                                                           \
        default: PLACES(uint8_t, better);                                                               \
        }                                                                                               \
    }
PLACE_PIECE(largest_piece, >)
PLACE_PIECE(smallest_piece, <)

static tg_status argcummax_kernel(tg_kernel_args *k) { return run_scan(k, 16, largest_piece); }
static tg_status argcummin_kernel(tg_kernel_args *k) { return run_scan(k, 16, smallest_piece); }

static tg_status place_ref(tg_kernel_args *k, double sign) {
    const tg_operand *x = &k->in[0];
    int axis = (int)((const scan_attr *)k->attr)->axis;
    int64_t n = x->shape->dims[axis], inner = tg__extent(x->shape, axis + 1, x->shape->rank), *y = k->out[0].data;
    for (int64_t i = 0; i < x->numel; i++) {
        const double *line = (const double *)x->data + i - i / inner % n * inner;
        y[i] = 0;
        for (int64_t j = 1; j <= i / inner % n; j++)
            if (sign * line[j * inner] > sign * line[y[i] * inner]) y[i] = j;
    }
    return TG_OK;
}

static tg_status argcummax_ref(tg_kernel_args *k) { return place_ref(k, 1); }
static tg_status argcummin_ref(tg_kernel_args *k) { return place_ref(k, -1); }

#define PLACE_OP(op_name, which)                                                                         \
    SCAN_OP(op_name, "y[i] = position of the first " which " of x[0] to x[i] along the axis"),           \
    .source = "elementary", .flags = TG_OP_CUT, .infer = place_infer, .kernel = op_name##_kernel, .ref = op_name##_ref, \
    SAMPLES(SAMPLE("rows", INPUTS(IN('c', (3, 7))), AXIS(1, 0)), SAMPLE("columns", INPUTS(IN('c', (5, 3))), AXIS(0, 0)), \
            SAMPLE("the middle", INPUTS(IN('c', (2, 4, 3))), AXIS(1, 0)),                                \
            SAMPLE("a vector", INPUTS(IN('c', (9))), AXIS(0, 0)), SAMPLE("nothing", INPUTS(IN('c', (3, 0))), AXIS(1, 0))), \
    BADS(SCAN_BADS, BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3)))))

const tg_op tg__op_argcummax = {PLACE_OP(argcummax, "largest")};
const tg_op tg__op_argcummin = {PLACE_OP(argcummin, "smallest")};

/*| tg_argcummax: where the largest element so far is, along an axis: the lowest position of several, the first NaN once there
 *  is one.
 *    y[i] = position of the first largest of x[0] to x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_API(tg_tensor, tg_argcummax, (tg_tensor x, int64_t axis), (x, axis)) {
    return scan(site, &tg__op_argcummax, x, axis);
}

/*| tg_argcummin: where the smallest element so far is, along an axis: the lowest position of several, the first NaN once there
 *  is one.
 *    y[i] = position of the first smallest of x[0] to x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_API(tg_tensor, tg_argcummin, (tg_tensor x, int64_t axis), (x, axis)) {
    return scan(site, &tg__op_argcummin, x, axis);
}

static tg_tensor extreme_define(const tg_op *where, tg_tensor x, const void *attr) {
    return tg__along_take(x, (int)((const scan_attr *)attr)->axis, tg_apply(NULL, where, attr, &x, 1));
}

static tg_tensor cummax_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    return extreme_define(&tg__op_argcummax, in[0], attr);
}

static tg_tensor cummin_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    return extreme_define(&tg__op_argcummin, in[0], attr);
}

#define EXTREME(op_name, which)                                                                          \
    SCAN_OP(op_name, "y[i] = " which " of x[0] to x[i] along the axis"), .source = "elementary",         \
    .infer = scan_infer, .define = op_name##_define, SAMPLES(SCAN_SAMPLES(.lo = -2, .hi = 2, .avoid = 0.004, .kink = 100)), \
    BADS(SCAN_BADS, BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3)))))

const tg_op tg__op_cummax = {EXTREME(cummax, "largest")};
const tg_op tg__op_cummin = {EXTREME(cummin, "smallest")};

/*| tg_cummax: the largest element so far along an axis; NaN once there is one.
 *    y[i] = largest of x[0] to x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of g over the places that show an element; of equal elements the first one gets all
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_API(tg_tensor, tg_cummax, (tg_tensor x, int64_t axis), (x, axis)) {
    return scan(site, &tg__op_cummax, x, axis);
}

/*| tg_cummin: the smallest element so far along an axis; NaN once there is one.
 *    y[i] = smallest of x[0] to x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of g over the places that show an element; of equal elements the first one gets all
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_API(tg_tensor, tg_cummin, (tg_tensor x, int64_t axis), (x, axis)) {
    return scan(site, &tg__op_cummin, x, axis);
}

/* Reductions */
#include "ops/reduce.h"

const tg_field tg__fold_fields[] = {
    {"axes", TG_FIELD_AXES, offsetof(tg_fold_attr, axes)},
    {"keepdims", TG_FIELD_INT, offsetof(tg_fold_attr, keepdims)},
    {NULL, TG_FIELD_INT, 0},
};

/* ------------------------------------------------------------------ axes */

static bool is_reduced(const tg_axes *axes, int axis) {
    for (int i = 0; i < axes->n; i++)
        if (axes->axis[i] == axis) return true;
    return false;
}

/* Ascending and not negative; false (and nothing changed) if an axis is out of range or stands twice. */
bool tg__normalise_axes(tg_axes *axes, int rank) {
    tg_axes sorted = {0, {0}};
    bool seen[TG_MAX_RANK] = {false};
    if (axes->n > TG_MAX_RANK) return false;
    for (int i = 0; i < (axes->n < 0 ? rank : axes->n); i++) {
        int axis = axes->n < 0 ? i : tg_infer_axis(axes->axis[i], rank);
        if (axis < 0 || seen[axis]) return false;
        seen[axis] = true;
    }
    for (int axis = 0; axis < rank; axis++)
        if (seen[axis]) sorted.axis[sorted.n++] = axis;
    *axes = sorted;
    return true;
}

tg_fold_attr tg__fold_attr_of(tg_tensor x, tg_axes axes, bool keepdims) {
    tg_fold_attr attr = {axes, keepdims};
    tg__normalise_axes(&attr.axes, tg_shape_of(x).rank);
    return attr;
}

tg_shape tg__reduced_shape(const tg_shape *s, const tg_axes *axes, bool keepdims) {
    tg_shape out = {0, {0}};
    for (int i = 0; i < s->rank; i++) {
        bool reduced = is_reduced(axes, i);
        if (!reduced || keepdims) out.dims[out.rank++] = reduced ? 1 : s->dims[i];
    }
    return out;
}

tg_status tg__fold_infer(tg_infer *f) {
    const tg_fold_attr *attr = f->attr;
    const tg_shape *s = f->in_shape[0];
    tg_axes axes = attr->axes;
    if (!tg__normalise_axes(&axes, s->rank)) return tg_infer_fail(f, TG_EARG, "the axes are out of range or stand twice");
    if (memcmp(&axes, &attr->axes, sizeof axes)) return tg_infer_fail(f, TG_EARG, "the axes are not ascending, or negative");
    if (f->in_dtype[0] == TG_U8 || f->in_dtype[0] == TG_BOOL)
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32, f64, i32 or i64: convert with tg_cast");
    f->shape[0] = tg__reduced_shape(s, &axes, attr->keepdims != 0);
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

tg_status tg__filled_infer(tg_infer *f, const char *what) {
    tg_status s = tg__fold_infer(f);
    const tg_fold_attr *attr = f->attr;
    tg_axes axes = attr->axes;
    if (s || !tg__normalise_axes(&axes, f->in_shape[0]->rank)) return s;
    for (int i = 0; i < axes.n; i++)
        if (f->in_shape[0]->dims[axes.axis[i]] == 0)
            return tg_infer_fail(f, TG_ESHAPE, "the %s of no elements (axis %d)", what, (int)axes.axis[i]);
    return TG_OK;
}

/* A reduced tensor (or its cotangent) with the shape that broadcasts to x. */
tg_tensor tg__with_kept_dims(tg_tensor y, tg_tensor x, const tg_fold_attr *attr) {
    tg_shape s = tg_shape_of(x);
    return attr->keepdims ? y : tg_reshape(y, tg__reduced_shape(&s, &attr->axes, true));
}

/* ------------------------------------------------------------------ the kernel
 *
 * An array is seen as outer x n x inner, where n is what is reduced; where the reduced axes are not neighbours, its axes are
 * permuted so that they are last, and leaves are copied before they are folded. The sum has the order of kernels.h however it
 * is laid out and however many threads there are: tasks are one leaf of one row, or of one strip of columns. */

#define STRIP 128 /* columns that are folded side by side */

typedef struct fold_plan {
    int64_t outer, n, inner;
    bool permuted;
    tg_shape shape; /* in the permuted order */
    int64_t strides[TG_MAX_RANK];
    int64_t leaves, strips;
} fold_plan;

static void permute_reduced_last(fold_plan *p, const tg_shape *s, const tg_axes *axes) {
    int64_t strides[TG_MAX_RANK];
    tg__packed_strides(s, strides);
    p->shape.rank = 0;
    p->outer = p->n = p->inner = 1;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < s->rank; i++) {
            if (is_reduced(axes, i) != (pass == 1)) continue;
            p->strides[p->shape.rank] = strides[i];
            p->shape.dims[p->shape.rank++] = s->dims[i];
            *(pass ? &p->n : &p->outer) *= s->dims[i];
        }
    p->permuted = true;
}

static fold_plan plan_fold(const tg_shape *s, const tg_axes *axes) {
    fold_plan p = {.outer = 1, .n = 1, .inner = 1};
    int stage = 0; /* 0: before the reduced axes, 1: in them, 2: after them */
    for (int i = 0; i < s->rank; i++) {
        if (s->dims[i] == 1) continue;
        bool reduced = is_reduced(axes, i);
        if (stage == 0 && reduced) stage = 1;
        if (stage == 1 && !reduced) stage = 2;
        if (stage == 2 && reduced) {
            permute_reduced_last(&p, s, axes);
            break;
        }
        *(stage == 0 ? &p.outer : stage == 1 ? &p.n : &p.inner) *= s->dims[i];
    }
    p.leaves = p.n <= TG__FOLD_LEAF ? 1 : tg__pieces(p.n, TG__FOLD_LEAF);
    p.strips = tg__pieces(p.inner, STRIP);
    return p;
}

static size_t fold_scratch(const tg_operand *in, int n_in, const tg_operand *out, const void *attr, int threads) {
    (void)n_in, (void)threads;
    fold_plan p = plan_fold(in->shape, &((const tg_fold_attr *)attr)->axes);
    return p.leaves > 1 ? (size_t)(out->numel * p.leaves) * tg_dtype_size(in->dtype) : 0;
}

typedef struct fold_run {
    fold_plan p;
    const tg__fold_fns *fns;
    const char *x;
    char *leaves, *y; /* leaves: where the results of leaves go: y itself if a row has only one */
    size_t size;
} fold_run;

static int64_t leaf_length(const fold_plan *p, int64_t leaf) {
    int64_t left = p->n - leaf * TG__FOLD_LEAF;
    return left < TG__FOLD_LEAF ? left : TG__FOLD_LEAF;
}

static void row_leaves(int64_t begin, int64_t end, void *ctx) {
    const fold_run *r = ctx;
    _Alignas(64) char copy[TG__FOLD_LEAF * sizeof(double)];
    for (int64_t task = begin; task < end; task++) {
        int64_t leaf = task % r->p.leaves, n = leaf_length(&r->p, leaf);
        int64_t at = task / r->p.leaves * r->p.n + leaf * TG__FOLD_LEAF;
        const char *x = r->x + at * (int64_t)r->size;
        if (r->p.permuted) {
            tg__copy_in(copy, r->x, r->size, &r->p.shape, r->p.strides, at, n);
            x = copy;
        }
        r->fns->leaf(x, n, r->leaves + task * (int64_t)r->size);
    }
}

#define SHORT 16 /* rows up to this long are folded as columns, STRIP of them side by side: the bits are the same */

#define TURN(T) \
    for (int64_t i = 0; i < n; i++) \
        for (int64_t c = 0; c < width; c++) ((T *)turned)[i * width + c] = ((const T *)x)[c * n + i]

static void short_rows(int64_t begin, int64_t end, void *ctx) {
    const fold_run *r = ctx;
    _Alignas(64) char turned[SHORT * STRIP * sizeof(double)], lanes[TG__LANES * STRIP * sizeof(double)];
    int64_t n = r->p.n, size = (int64_t)r->size;
    for (int64_t row = begin; row < end; row += STRIP) {
        int64_t width = end - row < STRIP ? end - row : STRIP;
        const char *x = r->x + row * n * size;
        if (size == 4) TURN(uint32_t);
        else TURN(uint64_t);
        r->fns->leaf_cols(turned, n, width, width, r->y + row * size, lanes);
    }
}

static bool is_short(const fold_plan *p, size_t size) { return p->n <= SHORT && !p->permuted && size >= 4; }

static void row_combine(int64_t begin, int64_t end, void *ctx) {
    const fold_run *r = ctx;
    for (int64_t row = begin; row < end; row++)
        r->fns->combine(r->leaves + row * r->p.leaves * (int64_t)r->size, r->p.leaves, r->y + row * (int64_t)r->size);
}

static int64_t strip_width(const fold_plan *p, int64_t strip) {
    int64_t left = p->inner - strip * STRIP;
    return left < STRIP ? left : STRIP;
}

/* The leaf results of a strip stand together, so that a strip can be combined alone. */
static char *strip_leaves(const fold_run *r, int64_t outer, int64_t strip) {
    return r->leaves + (outer * r->p.inner + strip * STRIP) * r->p.leaves * (int64_t)r->size;
}

static void strip_fold(int64_t begin, int64_t end, void *ctx) {
    const fold_run *r = ctx;
    _Alignas(64) char lanes[TG__LANES * STRIP * sizeof(double)];
    for (int64_t task = begin; task < end; task++) {
        int64_t leaf = task % r->p.leaves, strip = task / r->p.leaves % r->p.strips, outer = task / r->p.leaves / r->p.strips;
        int64_t width = strip_width(&r->p, strip), row = outer * r->p.n + leaf * TG__FOLD_LEAF;
        const char *x = r->x + (row * r->p.inner + strip * STRIP) * (int64_t)r->size;
        r->fns->leaf_cols(x, leaf_length(&r->p, leaf), width, r->p.inner,
                          strip_leaves(r, outer, strip) + leaf * width * (int64_t)r->size, lanes);
    }
}

static void strip_combine(int64_t begin, int64_t end, void *ctx) {
    const fold_run *r = ctx;
    for (int64_t task = begin; task < end; task++) {
        int64_t strip = task % r->p.strips, outer = task / r->p.strips;
        char *y = r->y + (outer * r->p.inner + strip * STRIP) * (int64_t)r->size;
        r->fns->combine_cols(strip_leaves(r, outer, strip), r->p.leaves, strip_width(&r->p, strip), y);
    }
}

static tg_status fold_kernel(tg_kernel_args *k, tg__fold kind) {
    const tg_operand *x = &k->in[0], *y = &k->out[0];
    fold_run r = {.p = plan_fold(x->shape, &((const tg_fold_attr *)k->attr)->axes), .x = x->data, .y = y->data};
    r.fns = tg__kernels_get()->fold[kind][x->dtype];
    r.size = tg_dtype_size(x->dtype);
    if (!y->numel) return TG_OK;
    double bytes = (double)x->numel * (double)r.size;
    bool cut = r.p.leaves > 1, rows = r.p.inner == 1;
    int64_t results = rows ? r.p.outer : r.p.outer * r.p.strips;
    r.leaves = cut ? k->scratch : r.y;
    void (*leaves)(int64_t, int64_t, void *) = !rows ? strip_fold : is_short(&r.p, r.size) ? short_rows : row_leaves;
    tg_parallel(k->threads, results * r.p.leaves, bytes, leaves, &r);
    if (cut) tg_parallel(k->threads, results, bytes / TG__FOLD_LEAF, rows ? row_combine : strip_combine, &r);
    return TG_OK;
}

/* In the order of the elements, one after the other. */
static tg_status fold_ref(tg_kernel_args *k, double start, double (*f)(double a, double b)) {
    const tg_operand *x = &k->in[0], *y = &k->out[0];
    const tg_axes *axes = &((const tg_fold_attr *)k->attr)->axes;
    for (int64_t i = 0; i < y->numel; i++) ((double *)y->data)[i] = start;
    for (int64_t i = 0; i < x->numel; i++) {
        int64_t rest = i, at = 0, step = 1;
        for (int axis = x->shape->rank - 1; axis >= 0; axis--) {
            int64_t position = rest % x->shape->dims[axis];
            rest /= x->shape->dims[axis];
            if (is_reduced(axes, axis)) continue;
            at += position * step;
            step *= x->shape->dims[axis];
        }
        ((double *)y->data)[at] = f(((double *)y->data)[at], ((const double *)x->data)[i]);
    }
    return TG_OK;
}

#define FOLD(op_name, formula_)                                                                                        \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 1, .max_in = 1,                          \
    .attr_size = sizeof(tg_fold_attr), .fields = tg__fold_fields, .infer = op_name##_infer, .kernel = op_name##_kernel, \
    .scratch = fold_scratch, .ref = op_name##_ref, .flops = tg__reads_all

double tg__reads_all(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)n_in, (void)out, (void)attr;
    return (double)tg_shape_numel(in[0]);
}

double tg__no_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)in, (void)n_in, (void)out, (void)attr;
    return 0;
}

/* ------------------------------------------------------------------ sum */

static tg_status sum_infer(tg_infer *f) { return tg__fold_infer(f); }
static tg_status sum_kernel(tg_kernel_args *k) { return fold_kernel(k, TG__SUM); }
static double plus(double a, double b) { return a + b; }
static tg_status sum_ref(tg_kernel_args *k) { return fold_ref(k, 0, plus); }

static void sum_vjp(tg_vjp_args *v) {
    tg_vjp_give(v, 0, tg_expand(tg__with_kept_dims(v->g[0], v->in[0], v->attr), tg_shape_of(v->in[0])));
}

const tg_op tg__op_sum = {
    FOLD(sum, "y = sum of x over the axes"),
    .vjp = sum_vjp,
    .fold = TG_FOLD_SUM,
    SAMPLES(FOLD_SAMPLES(.lo = -2, .hi = 2),
            SAMPLE("several leaves", INPUTS(IN('f', (2, 2500))), AXES(0, 1)),
            SAMPLE("several leaves of columns", INPUTS(IN('f', (1100, 3))), AXES(0, 0)),
            SAMPLE("nothing", INPUTS(IN('f', (3, 0))), AXES(0, 1))),
    BADS(FOLD_BADS),
};

/*| tg_sum: the sum over axes, in a fixed order: bits do not depend on threads or layout. The sum of nothing is 0.
 *    y = sum of x over the axes
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = g, broadcast
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_sum, (tg_tensor x, tg_axes axes, bool keepdims), (x, axes, keepdims)) {
    tg_fold_attr attr = tg__fold_attr_of(x, axes, keepdims);
    return tg_apply_at(site, NULL, &tg__op_sum, &attr, &x, 1);
}

extern const tg_op tg__op_expand; /* view.c */

/* Along axes on which x only repeats what it was expanded from, a sum is a multiple: x becomes one element long there. Returns
 * how often each element of the shorter x stands in the longer one. */
static int64_t shorten_repeats(tg_tensor *x, const tg_axes *axes) {
    tg_tape *t = tg_tape_of(*x);
    const tg__node *n = t && tg_valid(*x) ? &t->nodes[x->id] : NULL;
    if (!n || n->op != &tg__op_expand) return 1;
    tg_tensor from = tg__handle(t, n->u.in[0]);
    tg_shape s = tg_shape_of(*x), f = tg_shape_of(from);
    int64_t times = 1;
    for (int i = 0; i < axes->n; i++) {
        int a = axes->axis[i], b = a - (s.rank - f.rank);
        if (s.dims[a] < 2 || (b >= 0 && f.dims[b] != 1)) continue;
        times *= s.dims[a];
        s.dims[a] = 1;
    }
    if (times > 1) *x = tg_expand(from, s);
    return times;
}

static tg_tensor sum_of_constant(tg_tensor x, int64_t times) { return tg__is_constant(x, 0) ? x : tg_scale(x, (double)times); }

tg_tensor tg__sum_to(tg_tensor x, const tg_shape *shape) {
    tg_shape s = tg_shape_of(x);
    int more = s.rank - shape->rank;
    tg_axes axes = {0, {0}}, left = {0, {0}};
    for (int i = 0; i < s.rank; i++)
        if (i < more || (shape->dims[i - more] == 1 && s.dims[i] != 1)) axes.axis[axes.n++] = i;
    if (!axes.n) return x;
    tg_tensor constant = tg__reshaped_constant(x, shape);
    if (constant.owner && tg_shape_numel(shape)) return sum_of_constant(constant, tg_shape_numel(&s) / tg_shape_numel(shape));
    int64_t times = shorten_repeats(&x, &axes);
    for (int i = 0; i < axes.n; i++)
        if (tg_shape_of(x).dims[axes.axis[i]] != 1) left.axis[left.n++] = axes.axis[i];
    tg_tensor y = tg_reshape(left.n ? tg_sum(x, left, false) : x, *shape);
    return times > 1 ? tg_scale(y, (double)times) : y;
}

/* ------------------------------------------------------------------ prod */

static tg_status prod_infer(tg_infer *f) { return tg__fold_infer(f); }
static tg_status prod_kernel(tg_kernel_args *k) { return fold_kernel(k, TG__PROD); }
static double times(double a, double b) { return a * b; }
static tg_status prod_ref(tg_kernel_args *k) { return fold_ref(k, 1, times); }

/* The product of the last axis, half by half. Differentiated, it multiplies each element's cotangent by the product of all
 * others without a division: exact where elements are 0, at any order. */
static tg_tensor product_of_rows(tg_tensor y) {
    int last = tg_shape_of(y).rank - 1;
    tg_tensor odd = {0};
    if (last < 0) return y; /* the result of an error */
    for (int64_t n = tg_shape_of(y).dims[last]; n > 1; n /= 2) {
        tg_tensor rest = tg_slice(y, last, n - 1, n, 1);
        if (n % 2) odd = odd.owner ? tg_mul(odd, rest) : rest;
        y = tg_mul(tg_slice(y, last, 0, n / 2, 1), tg_slice(y, last, n / 2, n / 2 * 2, 1));
    }
    return odd.owner ? tg_mul(y, odd) : y;
}

static tg_tensor prod_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    const tg_fold_attr *fold = attr;
    tg_shape s = tg_shape_of(in[0]), rows = tg__reduced_shape(&s, &fold->axes, false);
    tg_shape y = tg__reduced_shape(&s, &fold->axes, fold->keepdims != 0);
    if (!fold->axes.n) return in[0];
    tg_axes order = {0, {0}};
    int64_t n = 1;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < s.rank; i++)
            if (is_reduced(&fold->axes, i) == (pass == 1)) order.axis[order.n++] = i;
    for (int i = 0; i < fold->axes.n; i++) n *= s.dims[fold->axes.axis[i]];
    if (n == 0) return tg_add(tg_sum(in[0], fold->axes, fold->keepdims != 0), tg__one_like(in[0]));
    rows.dims[rows.rank++] = n;
    return tg_reshape(product_of_rows(tg_reshape(tg_permute(in[0], order), rows)), y);
}

const tg_op tg__op_prod = {
    FOLD(prod, "y = product of x over the axes"),
    .fold = TG_FOLD_PROD,
    .define = prod_define,
    SAMPLES(FOLD_SAMPLES(.lo = 0.5, .hi = 1.5), SAMPLE("with signs", INPUTS(IN('f', (3, 5))), AXES(0, 1)),
            SAMPLE("several leaves", INPUTS(IN('f', (2, 1500), .lo = 0.99, .hi = 1.01)), AXES(0, 1)),
            SAMPLE("nothing", INPUTS(IN('f', (3, 0))), AXES(0, 1))),
    BADS(FOLD_BADS),
};

/*| tg_prod: the product over axes, in a fixed order: bits do not depend on threads or layout. The product of nothing is 1.
 *    y = product of x over the axes
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = g (product of the other elements): exact where elements are 0, at any order
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_prod, (tg_tensor x, tg_axes axes, bool keepdims), (x, axes, keepdims)) {
    tg_fold_attr attr = tg__fold_attr_of(x, axes, keepdims);
    return tg_apply_at(site, NULL, &tg__op_prod, &attr, &x, 1);
}

/* ------------------------------------------------------------------ mean */

static tg_status mean_infer(tg_infer *f) {
    if (!tg_dtype_is_float(f->in_dtype[0]))
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32 or f64: convert with tg_cast");
    return tg__filled_infer(f, "mean");
}

static tg_tensor mean_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    const tg_fold_attr *fold = attr;
    tg_shape s = tg_shape_of(in[0]);
    double n = 1;
    for (int i = 0; i < fold->axes.n; i++) n *= (double)s.dims[fold->axes.axis[i]];
    return tg_div(tg_sum(in[0], fold->axes, fold->keepdims != 0), tg_scalar(t, n, tg_dtype_of(in[0])));
}

const tg_op tg__op_mean = {
    .name = "mean",
    .formula = "y = (sum of x over the axes) / (elements in the sum)",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(tg_fold_attr),
    .fields = tg__fold_fields,
    .infer = mean_infer,
    .define = mean_define,
    SAMPLES(FOLD_SAMPLES(.lo = -2, .hi = 2)),
    BADS(FOLD_BADS, BAD("nothing", TG_ESHAPE, "no elements", INPUTS(IN('f', (3, 0))), AXES(0, 1)),
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 4))), AXES(0, 1))),
};

/*| tg_mean: the mean over axes.
 *    y = (sum of x over the axes) / (elements in the sum)
 *  Shapes:   x (any, the axes not of size 0) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (elements in the sum), broadcast
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if an axis has size 0; TG_EDTYPE if x is not f32 or
 *            f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_mean, (tg_tensor x, tg_axes axes, bool keepdims), (x, axes, keepdims)) {
    tg_fold_attr attr = tg__fold_attr_of(x, axes, keepdims);
    return tg_apply_at(site, NULL, &tg__op_mean, &attr, &x, 1);
}

/* ------------------------------------------------------------------ max and min */

static tg_status max_infer(tg_infer *f) { return tg__filled_infer(f, "maximum"); }
static tg_status min_infer(tg_infer *f) { return tg__filled_infer(f, "minimum"); }
static tg_status max_kernel(tg_kernel_args *k) { return fold_kernel(k, TG__MAX); }
static tg_status min_kernel(tg_kernel_args *k) { return fold_kernel(k, TG__MIN); }
static double larger(double a, double b) { return a > b || a != a ? a : b; }
static double smaller(double a, double b) { return a < b || a != a ? a : b; }
static tg_status max_ref(tg_kernel_args *k) { return fold_ref(k, -INFINITY, larger); }
static tg_status min_ref(tg_kernel_args *k) { return fold_ref(k, INFINITY, smaller); }

/* The cotangent in equal parts to the elements that are equal to the result. */
static void extreme_vjp(tg_vjp_args *v) {
    const tg_fold_attr *attr = v->attr;
    tg_tensor x = v->in[0], y = tg__with_kept_dims(v->out[0], x, attr), g = tg__with_kept_dims(v->g[0], x, attr);
    tg_tensor chosen = tg_eq(x, y), count = tg_sum(tg_cast(chosen, tg_dtype_of(x)), attr->axes, true);
    tg_vjp_give(v, 0, tg_where(chosen, tg_div(g, count), tg__zero_like(g)));
}

const tg_op tg__op_max = {
    FOLD(max, "y = largest of x over the axes"),
    .fold = TG_FOLD_MAX,
    .vjp = extreme_vjp,
    SAMPLES(FOLD_SAMPLES(.lo = -2, .hi = 2, .avoid = 0.004, .kink = 100)),
    BADS(FOLD_BADS, BAD("nothing", TG_ESHAPE, "no elements", INPUTS(IN('f', (3, 0))), AXES(0, 1))),
};

/*| tg_max: the largest element over axes; NaN if there is one.
 *    y = largest of x over the axes
 *  Shapes:   x (any, the axes not of size 0) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64, i32, i64
 *  Gradient: dx = g / (number of largest elements) at each of them, else 0
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if an axis has size 0; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_max, (tg_tensor x, tg_axes axes, bool keepdims), (x, axes, keepdims)) {
    tg_fold_attr attr = tg__fold_attr_of(x, axes, keepdims);
    return tg_apply_at(site, NULL, &tg__op_max, &attr, &x, 1);
}

const tg_op tg__op_min = {
    FOLD(min, "y = smallest of x over the axes"),
    .fold = TG_FOLD_MIN,
    .vjp = extreme_vjp,
    SAMPLES(FOLD_SAMPLES(.lo = -2, .hi = 2, .avoid = 0.004, .kink = 100)),
    BADS(FOLD_BADS, BAD("nothing", TG_ESHAPE, "no elements", INPUTS(IN('f', (3, 0))), AXES(0, 1))),
};

/*| tg_min: the smallest element over axes; NaN if there is one.
 *    y = smallest of x over the axes
 *  Shapes:   x (any, the axes not of size 0) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64, i32, i64
 *  Gradient: dx = g / (number of smallest elements) at each of them, else 0
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if an axis has size 0; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_min, (tg_tensor x, tg_axes axes, bool keepdims), (x, axes, keepdims)) {
    tg_fold_attr attr = tg__fold_attr_of(x, axes, keepdims);
    return tg_apply_at(site, NULL, &tg__op_min, &attr, &x, 1);
}

/* ------------------------------------------------------------------ argmax and argmin */

typedef struct arg_attr {
    int64_t axis;
} arg_attr;
static const tg_field arg_fields[] = {{"axis", TG_FIELD_INT, offsetof(arg_attr, axis)}, {NULL, TG_FIELD_INT, 0}};

static tg_status arg_infer(tg_infer *f) {
    const tg_shape *s = f->in_shape[0];
    int64_t wanted = ((const arg_attr *)f->attr)->axis;
    int axis = tg_infer_axis(wanted, s->rank);
    if (axis < 0) return tg_infer_fail(f, TG_EARG, "axis %lld is out of range for rank %d", (long long)wanted, s->rank);
    if (s->dims[axis] == 0) return tg_infer_fail(f, TG_ESHAPE, "no elements (axis %d)", axis);
    f->shape[0] = tg__reduced_shape(s, &(tg_axes){1, {axis}}, false);
    f->dtype[0] = TG_I64;
    return TG_OK;
}

typedef struct arg_run {
    const void *x;
    int64_t *y, n, inner, strips;
    tg_dtype dtype;
} arg_run;

/* A strip of results: the first of the best elements of each column; the first NaN, if there is one. */
#define BEST(T, better)                                                                        \
    {                                                                                          \
        const T *x = (const T *)r->x + outer * r->n * r->inner + column;                       \
        T top[STRIP];                                                                          \
        for (int64_t c = 0; c < width; c++) {                                                  \
            top[c] = x[c];                                                                     \
            y[c] = 0;                                                                          \
        }                                                                                      \
        for (int64_t j = 1; j < r->n; j++)                                                     \
            for (int64_t c = 0; c < width; c++) {                                              \
                T a = x[j * r->inner + c];                                                     \
                if (a better top[c] || (a != a && top[c] == top[c])) {                         \
                    top[c] = a;                                                                \
                    y[c] = j;                                                                  \
                }                                                                              \
            }                                                                                  \
    }                                                                                          \
    break

#define PIECE(name, better)                                                                                    \
    static void name(int64_t begin, int64_t end, void *ctx) {                                                  \
        const arg_run *r = ctx;                                                                                \
        for (int64_t task = begin; task < end; task++) {                                                       \
            int64_t outer = task / r->strips, column = task % r->strips * STRIP;                               \
            int64_t width = r->inner - column < STRIP ? r->inner - column : STRIP;                             \
            int64_t *y = r->y + outer * r->inner + column;                                                     \
            switch (r->dtype) {                                                                                \
            case TG_F32: BEST(float, better);                                                                  \
            case TG_F64: BEST(double, better);                                                                 \
            case TG_I32: BEST(int32_t, better);                                                                \
            case TG_I64: BEST(int64_t, better);                                                                \
            default: BEST(uint8_t, better);                                                                    \
            }                                                                                                  \
        }                                                                                                      \
    }
PIECE(argmax_piece, >)
PIECE(argmin_piece, <)

static tg_status arg_kernel(tg_kernel_args *k, void (*piece)(int64_t begin, int64_t end, void *ctx)) {
    const tg_operand *x = &k->in[0];
    int axis = tg_infer_axis(((const arg_attr *)k->attr)->axis, x->shape->rank);
    arg_run r = {x->data, k->out[0].data, x->shape->dims[axis], tg__extent(x->shape, axis + 1, x->shape->rank), 0, x->dtype};
    if (!k->out[0].numel) return TG_OK;
    r.strips = tg__pieces(r.inner, STRIP);
    int64_t strips = tg__extent(x->shape, 0, axis) * r.strips;
    tg_parallel(k->threads, strips, (double)x->numel * (double)tg_dtype_size(x->dtype) * 2, piece, &r);
    return TG_OK;
}

static tg_status argmax_kernel(tg_kernel_args *k) { return arg_kernel(k, argmax_piece); }
static tg_status argmin_kernel(tg_kernel_args *k) { return arg_kernel(k, argmin_piece); }

static tg_status arg_ref(tg_kernel_args *k, double sign) {
    const tg_operand *x = &k->in[0];
    int axis = tg_infer_axis(((const arg_attr *)k->attr)->axis, x->shape->rank);
    int64_t n = x->shape->dims[axis], inner = tg__extent(x->shape, axis + 1, x->shape->rank);
    for (int64_t i = 0; i < k->out[0].numel; i++) {
        const double *first = (const double *)x->data + i / inner * n * inner + i % inner;
        int64_t *best = (int64_t *)k->out[0].data + i;
        *best = 0;
        for (int64_t j = 1; j < n; j++)
            if (sign * first[j * inner] > sign * first[*best * inner]) *best = j;
    }
    return TG_OK;
}

static tg_status argmax_ref(tg_kernel_args *k) { return arg_ref(k, 1); }
static tg_status argmin_ref(tg_kernel_args *k) { return arg_ref(k, -1); }

#define AXIS(n) .attr = &(const arg_attr){n}

#define ARG(op_name, formula_)                                                                                 \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 1, .max_in = 1, .flags = TG_OP_CUT, \
    .attr_size = sizeof(arg_attr), .fields = arg_fields, .infer = arg_infer, .kernel = op_name##_kernel,       \
    .ref = op_name##_ref, .flops = tg__reads_all
#define APART(...) INPUTS({.kind = 'c', .shape = DIMS(__VA_ARGS__), .avoid = 0.01, .kink = 100})
#define ARG_SAMPLES                                                                                            \
    SAMPLES(SAMPLE("rows", APART(5, 7), AXIS(1)), SAMPLE("columns", APART(5, 7), AXIS(0)),                     \
            SAMPLE("the middle", APART(2, 5, 3), AXIS(-2)), SAMPLE("a vector", APART(40), AXIS(0)),            \
            SAMPLE("no result", INPUTS(IN('c', (0, 3))), AXIS(1)))
#define ARG_BADS                                                                                               \
    BADS(BAD("axis too large", TG_EARG, "axis 2", INPUTS(IN('f', (3, 4))), AXIS(2)),                           \
         BAD("axis too small", TG_EARG, "axis -3", INPUTS(IN('f', (3, 4))), AXIS(-3)),                         \
         BAD("rank 0", TG_EARG, "rank 0", INPUTS(IN('f', ())), AXIS(0)),                                       \
         BAD("nothing", TG_ESHAPE, "no elements", INPUTS(IN('f', (3, 0))), AXIS(1)),                           \
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3)), IN('f', (3))), AXIS(0)))

static tg_tensor arg(const char *site, const tg_op *op, tg_tensor x, int64_t axis) {
    int normal = tg_infer_axis(axis, tg_shape_of(x).rank);
    arg_attr attr = {normal < 0 ? axis : normal};
    return tg_apply_at(site, NULL, op, &attr, &x, 1);
}

const tg_op tg__op_argmax = {
    ARG(argmax, "y = position of the first largest element of x along the axis"),
    ARG_SAMPLES,
    ARG_BADS,
};

/*| tg_argmax: where the largest element along an axis is: the lowest position of several, the first NaN if there is one.
 *    y = position of the first largest element of x along the axis
 *  Shapes:   x (any, the axis not of size 0) -> y without the axis
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0
 *  Source:   elementary */
TG_API(tg_tensor, tg_argmax, (tg_tensor x, int64_t axis), (x, axis)) {
    return arg(site, &tg__op_argmax, x, axis);
}

const tg_op tg__op_argmin = {
    ARG(argmin, "y = position of the first smallest element of x along the axis"),
    ARG_SAMPLES,
    ARG_BADS,
};

/*| tg_argmin: where the smallest element along an axis is: the lowest position of several, the first NaN if there is one.
 *    y = position of the first smallest element of x along the axis
 *  Shapes:   x (any, the axis not of size 0) -> y without the axis
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0
 *  Source:   elementary */
TG_API(tg_tensor, tg_argmin, (tg_tensor x, int64_t axis), (x, axis)) {
    return arg(site, &tg__op_argmin, x, axis);
}

/* Sliding windows */
#include "ops/op_file.h"

/* Canonical: axes in range, sizes, steps and dilations at least 1, zeros in unused places. n: sizes of the axes, fold only. */
typedef struct window_attr {
    tg_axes axes;
    int64_t size[TG_MAX_RANK], step[TG_MAX_RANK], dilation[TG_MAX_RANK], n[TG_MAX_RANK];
} window_attr;
static const tg_field window_fields[] = {
    {"axes", TG_FIELD_AXES, offsetof(window_attr, axes)},
    {"size", TG_FIELD_DIMS, offsetof(window_attr, size)},
    {"step", TG_FIELD_DIMS, offsetof(window_attr, step)},
    {"dilation", TG_FIELD_DIMS, offsetof(window_attr, dilation)},
    {"n", TG_FIELD_DIMS, offsetof(window_attr, n)},
    {NULL, TG_FIELD_INT, 0},
};

static window_attr canonical(const tg_windows *w, const int64_t *n, int rank) {
    window_attr a = {.axes.n = w->axes.n};
    for (int i = 0; i < w->axes.n && i < TG_MAX_RANK; i++) {
        int axis = tg_infer_axis(w->axes.axis[i], rank);
        a.axes.axis[i] = axis < 0 ? w->axes.axis[i] : axis;
        a.size[i] = w->size[i] ? w->size[i] : 1;
        a.step[i] = w->step[i] ? w->step[i] : 1;
        a.dilation[i] = w->dilation[i] ? w->dilation[i] : 1;
        a.n[i] = n ? n[i] : 0;
    }
    return a;
}

static tg_status check_windows(tg_infer *f, int rank) {
    const window_attr *a = f->attr;
    bool seen[TG_MAX_RANK] = {false};
    if (a->axes.n < 0 || a->axes.n > TG_MAX_RANK) return tg_infer_fail(f, TG_EARG, "%d axes", (int)a->axes.n);
    for (int i = 0; i < a->axes.n; i++) {
        int axis = a->axes.axis[i];
        if (axis < 0 || axis >= rank || seen[axis])
            return tg_infer_fail(f, TG_EARG, "axis %d is out of range or stands twice", axis);
        seen[axis] = true;
        if (a->size[i] < 1 || a->step[i] < 1 || a->dilation[i] < 1)
            return tg_infer_fail(f, TG_EARG, "size %lld, step %lld, dilation %lld of axis %d: all must be positive",
                                 (long long)a->size[i], (long long)a->step[i], (long long)a->dilation[i], axis);
    }
    return TG_OK;
}

/* How many windows fit in n elements; -1: none, or an overflow. */
static int64_t windows_in(const window_attr *a, int i, int64_t n) {
    int64_t reach;
    if (__builtin_mul_overflow(a->size[i] - 1, a->dilation[i], &reach) || reach >= n) return -1;
    return (n - reach - 1) / a->step[i] + 1;
}

static tg_status no_window(tg_infer *f, int i, int64_t n) {
    const window_attr *a = f->attr;
    return tg_infer_fail(f, TG_ESHAPE, "a window of %lld elements, %lld apart, does not fit in axis %d of size %lld",
                         (long long)a->size[i], (long long)a->dilation[i], (int)a->axes.axis[i], (long long)n);
}

/* ------------------------------------------------------------------ unfold: a view */

static tg_status unfold_infer(tg_infer *f) {
    const window_attr *a = f->attr;
    const tg_shape *x = f->in_shape[0];
    tg_status s = check_windows(f, x->rank);
    if (s) return s;
    if (x->rank + a->axes.n > TG_MAX_RANK)
        return tg_infer_fail(f, TG_ESHAPE, "rank %d is more than %d", x->rank + (int)a->axes.n, TG_MAX_RANK);
    f->shape[0] = *x;
    f->dtype[0] = f->in_dtype[0];
    for (int i = 0; i < a->axes.n; i++) {
        int axis = a->axes.axis[i];
        int64_t count = windows_in(a, i, x->dims[axis]);
        if (count < 0) return no_window(f, i, x->dims[axis]);
        f->shape[0].dims[axis] = count;
        f->shape[0].dims[f->shape[0].rank++] = a->size[i];
    }
    return TG_OK;
}

static bool unfold_view(tg_view_args *v) {
    const window_attr *a = v->attr;
    int rank = v->in_shape->rank;
    memcpy(v->out_strides, v->in_strides, (size_t)rank * sizeof *v->in_strides);
    for (int i = 0; i < a->axes.n; i++) {
        int64_t stride = v->in_strides[a->axes.axis[i]];
        v->out_strides[a->axes.axis[i]] = stride * a->step[i];
        v->out_strides[rank + i] = stride * a->dilation[i];
    }
    v->offset = 0;
    return true;
}

/* Calls visit(position in x, number of the element, ctx) for each element of windows of shape y, in order. */
static void each_element(const window_attr *a, const tg_shape *x, const tg_shape *y,
                         void (*visit)(int64_t at, int64_t i, void *ctx), void *ctx) {
    int64_t strides[TG_MAX_RANK], numel = tg_shape_numel(y);
    tg__packed_strides(x, strides);
    for (int64_t i = 0; i < numel; i++) {
        int64_t place[TG_MAX_RANK], rest = i, at = 0;
        for (int axis = y->rank - 1; axis >= 0; axis--) {
            place[axis] = rest % y->dims[axis];
            rest /= y->dims[axis];
        }
        for (int k = 0; k < a->axes.n; k++) {
            int axis = a->axes.axis[k];
            place[axis] = place[axis] * a->step[k] + place[x->rank + k] * a->dilation[k];
        }
        for (int axis = 0; axis < x->rank; axis++) at += place[axis] * strides[axis];
        visit(at, i, ctx);
    }
}

static void copy_element(int64_t at, int64_t i, void *ctx) {
    const tg_kernel_args *k = ctx;
    ((double *)k->out[0].data)[i] = ((const double *)k->in[0].data)[at];
}

static tg_status unfold_ref(tg_kernel_args *k) {
    each_element(k->attr, k->in[0].shape, k->out[0].shape, copy_element, k);
    return TG_OK;
}

extern const tg_op tg__op_fold;

static void unfold_vjp(tg_vjp_args *v) {
    window_attr attr = *(const window_attr *)v->attr;
    for (int i = 0; i < attr.axes.n; i++) attr.n[i] = tg_shape_of(v->in[0]).dims[attr.axes.axis[i]];
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_fold, &attr, &v->g[0], 1));
}

#define LIST(...) {__VA_ARGS__ + 0}
#define SET(...) {(int32_t)(sizeof((int32_t[]){0, __VA_ARGS__}) / sizeof(int32_t) - 1), {__VA_ARGS__ + 0}}
#define OVER(axes_, size_, step_, dilation_, n_) \
    .attr = &(const window_attr){SET axes_, LIST size_, LIST step_, LIST dilation_, LIST n_}

const tg_op tg__op_unfold = {
    .name = "unfold",
    .formula = "y[..., o, ..., k] = x[..., o step + k dilation, ...]",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(window_attr),
    .fields = window_fields,
    .infer = unfold_infer,
    .vjp = unfold_vjp,
    .view = unfold_view,
    .ref = unfold_ref,
    .flops = tg__no_flops,
    SAMPLES(SAMPLE("a vector", INPUTS(IN('f', (9))), OVER((0), (3), (1), (1), ())),
            SAMPLE("steps that leave elements out", INPUTS(IN('f', (2, 10))), OVER((1), (2), (3), (1), ())),
            SAMPLE("dilated", INPUTS(IN('f', (9, 2))), OVER((0), (3), (2), (3), ())),
            SAMPLE("an image", INPUTS(IN('f', (2, 5, 6))), OVER((1, 2), (3, 2), (1, 2), (1, 2), ())),
            SAMPLE("windows side by side", INPUTS(IN('f', (3, 6))), OVER((1), (3), (3), (1), ())),
            SAMPLE("no axis", INPUTS(IN('f', (3, 4))), OVER((), (), (), (), ())),
            SAMPLE("size 0", INPUTS(IN('f', (0, 4))), OVER((1), (2), (1), (1), ()))),
    BADS(BAD("too large", TG_ESHAPE, "a window of 4 elements, 1 apart, does not fit in axis 0 of size 3", INPUTS(IN('f', (3))),
             OVER((0), (4), (1), (1), ())),
         BAD("too far apart", TG_ESHAPE, "does not fit", INPUTS(IN('f', (3))), OVER((0), (3), (1), (INT64_MAX), ())),
         BAD("a negative step", TG_EARG, "must be positive", INPUTS(IN('f', (3))), OVER((0), (2), (-1), (1), ())),
         BAD("axis out of range", TG_EARG, "axis 1 is out of range", INPUTS(IN('f', (3))), OVER((1), (2), (1), (1), ())),
         BAD("an axis twice", TG_EARG, "stands twice", INPUTS(IN('f', (3, 3))), OVER((1, 1), (2, 2), (1, 1), (1, 1), ())),
         BAD("rank too high", TG_ESHAPE, "more than 8", INPUTS(IN('f', (1, 1, 1, 1, 1, 1, 1, 1))),
             OVER((0), (1), (1), (1), ()))),
};

/*| tg_unfold: the windows that slide along axes; the elements of a window lie along new axes at the end, one for each axis in
 *  w, in their order. A view: windows share the memory of x until something needs them packed.
 *    y[..., o, ..., k] = x[..., o step + k dilation, ...]
 *  Shapes:   x (..., n, ...) -> y (..., (n - (size - 1) dilation - 1) / step + 1 rounded down, ..., size); x's rank and the
 *            number of axes together at most 8
 *  Dtypes:   every dtype
 *  Gradient: dx = tg_fold of g
 *  Errors:   TG_EARG if an axis is out of range or stands twice, or a size, step or dilation is negative; TG_ESHAPE if a
 *            window does not fit
 *  Source:   elementary */
TG_API(tg_tensor, tg_unfold, (tg_tensor x, tg_windows w), (x, w)) {
    window_attr attr = canonical(&w, NULL, tg_shape_of(x).rank);
    return tg_apply_at(site, NULL, &tg__op_unfold, &attr, &x, 1);
}

/* ------------------------------------------------------------------ fold: its transpose */

static tg_status fold_infer(tg_infer *f) {
    const window_attr *a = f->attr;
    const tg_shape *x = f->in_shape[0];
    int rank = x->rank - a->axes.n;
    if (!tg_dtype_is_float(f->in_dtype[0]))
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32 or f64, not %s", tg_dtype_name(f->in_dtype[0]));
    tg_status s = check_windows(f, rank);
    if (s) return s;
    f->shape[0] = *x;
    f->shape[0].rank = rank;
    f->dtype[0] = f->in_dtype[0];
    for (int i = 0; i < a->axes.n; i++) {
        int axis = a->axes.axis[i];
        int64_t count = windows_in(a, i, a->n[i]);
        if (count < 0) return no_window(f, i, a->n[i]);
        if (count != x->dims[axis] || a->size[i] != x->dims[rank + i])
            return tg_infer_fail(f, TG_ESHAPE, "axis %d of size %lld has %lld windows of %lld elements, not %lld of %lld", axis,
                                 (long long)a->n[i], (long long)count, (long long)a->size[i], (long long)x->dims[axis],
                                 (long long)x->dims[rank + i]);
        f->shape[0].dims[axis] = a->n[i];
    }
    return TG_OK;
}

typedef struct fold_run {
    const window_attr *attr;
    const tg_operand *x, *y;
    int of[TG_MAX_RANK]; /* axis of y -> number of its window, -1: none */
    int last;            /* axis of y: rows lie along it */
    int64_t width;
} fold_run;

/* A row of y is the sum of the rows of windows that lie there, in order of the row's place in its window; and along the row in
 * order of the place, too. Threads share rows, never a sum. */
#define FOLD(T)                                                                                                    \
    static void add_row_##T(const fold_run *r, T *y, int64_t at) {                                                 \
        const T *x = (const T *)r->x->data + at;                                                                   \
        int k = r->last < 0 ? -1 : r->of[r->last];                                                                 \
        int64_t stride = r->last < 0 ? 1 : r->x->strides[r->last];                                                 \
        if (k < 0) {                                                                                               \
            for (int64_t j = 0; j < r->width; j++) y[j] += x[j * stride];                                          \
            return;                                                                                                \
        }                                                                                                          \
        int64_t n = r->x->shape->dims[r->last], step = r->attr->step[k];                                           \
        for (int64_t i = 0; i < r->attr->size[k]; i++) {                                                           \
            T *from = y + i * r->attr->dilation[k];                                                                \
            const T *part = x + i * r->x->strides[r->y->shape->rank + k];                                          \
            for (int64_t o = 0; o < n; o++) from[o * step] += part[o * stride];                                    \
        }                                                                                                          \
    }                                                                                                              \
    /* of windows k and later, whose earlier ones have brought the row to `at` */                                  \
    static void add_windows_##T(const fold_run *r, T *y, const int64_t *place, int64_t at, int k) {                \
        const window_attr *a = r->attr;                                                                            \
        if (k == a->axes.n) {                                                                                      \
            add_row_##T(r, y, at);                                                                                 \
            return;                                                                                                \
        }                                                                                                          \
        int axis = a->axes.axis[k];                                                                                \
        if (axis == r->last) {                                                                                     \
            add_windows_##T(r, y, place, at, k + 1);                                                               \
            return;                                                                                                \
        }                                                                                                          \
        for (int64_t i = 0, from = place[axis]; i < a->size[k] && from >= 0; i++, from -= a->dilation[k]) {        \
            int64_t window = from / a->step[k];                                                                    \
            if (from % a->step[k] || window >= r->x->shape->dims[axis]) continue;                                  \
            add_windows_##T(r, y, place,                                                                           \
                            at + window * r->x->strides[axis] + i * r->x->strides[r->y->shape->rank + k], k + 1);  \
        }                                                                                                          \
    }                                                                                                              \
    static void fold_##T(int64_t begin, int64_t end, void *ctx) {                                                  \
        const fold_run *r = ctx;                                                                                   \
        for (int64_t row = begin; row < end; row++) {                                                              \
            int64_t place[TG_MAX_RANK], rest = row, at = 0;                                                        \
            for (int axis = r->last - 1; axis >= 0; axis--) {                                                      \
                place[axis] = rest % r->y->shape->dims[axis];                                                      \
                rest /= r->y->shape->dims[axis];                                                                   \
                if (r->of[axis] < 0) at += place[axis] * r->x->strides[axis];                                      \
            }                                                                                                      \
            T *y = (T *)r->y->data + row * r->width;                                                               \
            memset(y, 0, (size_t)r->width * sizeof *y);                                                            \
            add_windows_##T(r, y, place, at, 0);                                                                   \
        }                                                                                                          \
    }
FOLD(float)
FOLD(double)

static tg_status fold_kernel(tg_kernel_args *k) {
    fold_run r = {k->attr, &k->in[0], &k->out[0], {0}, k->out[0].shape->rank - 1, 1};
    if (!r.y->numel) return TG_OK;
    if (r.last >= 0) r.width = r.y->shape->dims[r.last];
    for (int axis = 0; axis < TG_MAX_RANK; axis++) r.of[axis] = -1;
    for (int i = 0; i < r.attr->axes.n; i++) r.of[r.attr->axes.axis[i]] = i;
    double work = (double)(r.x->numel + r.y->numel) * (double)tg_dtype_size(r.y->dtype);
    tg_parallel(k->threads, r.y->numel / r.width, work, r.y->dtype == TG_F32 ? fold_float : fold_double, &r);
    return TG_OK;
}

static void add_element(int64_t at, int64_t i, void *ctx) {
    const tg_kernel_args *k = ctx;
    ((double *)k->out[0].data)[at] += ((const double *)k->in[0].data)[i];
}

static tg_status fold_ref(tg_kernel_args *k) {
    for (int64_t i = 0; i < k->out[0].numel; i++) ((double *)k->out[0].data)[i] = 0;
    each_element(k->attr, k->out[0].shape, k->in[0].shape, add_element, k);
    return TG_OK;
}

static void fold_vjp(tg_vjp_args *v) {
    window_attr attr = *(const window_attr *)v->attr;
    memset(attr.n, 0, sizeof attr.n);
    tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_unfold, &attr, &v->g[0], 1));
}

const tg_op tg__op_fold = {
    .name = "fold",
    .formula = "y[..., p, ...] = sum of x[..., o, ..., k] where o step + k dilation = p",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .flags = TG_OP_STRIDED,
    .attr_size = sizeof(window_attr),
    .fields = window_fields,
    .infer = fold_infer,
    .vjp = fold_vjp,
    .kernel = fold_kernel,
    .ref = fold_ref,
    .flops = tg__reads_all,
    SAMPLES(SAMPLE("a vector", INPUTS(IN('f', (7, 3))), OVER((0), (3), (1), (1), (9))),
            SAMPLE("steps that leave elements out", INPUTS(IN('f', (2, 3, 2))), OVER((1), (2), (3), (1), (10))),
            SAMPLE("dilated", INPUTS(IN('f', (2, 2, 3))), OVER((0), (3), (2), (3), (9))),
            SAMPLE("an image", INPUTS(IN('f', (2, 3, 2, 3, 2))), OVER((1, 2), (3, 2), (1, 2), (1, 2), (5, 6))),
            SAMPLE("windows side by side", INPUTS(IN('f', (3, 2, 3))), OVER((1), (3), (3), (1), (6))),
            SAMPLE("no axis", INPUTS(IN('f', (3, 4))), OVER((), (), (), (), ())),
            SAMPLE("size 0", INPUTS(IN('f', (0, 3, 2))), OVER((1), (2), (1), (1), (4)))),
    BADS(BAD("another number of windows", TG_ESHAPE, "has 7 windows of 3 elements, not 6 of 3", INPUTS(IN('f', (6, 3))),
             OVER((0), (3), (1), (1), (9))),
         BAD("another size", TG_ESHAPE, "not 7 of 2", INPUTS(IN('f', (7, 2))), OVER((0), (3), (1), (1), (9))),
         BAD("too large", TG_ESHAPE, "does not fit in axis 0 of size 2", INPUTS(IN('f', (1, 3))),
             OVER((0), (3), (1), (1), (2))),
         BAD("more axes than there are", TG_EARG, "out of range", INPUTS(IN('f', (3))), OVER((0), (3), (1), (1), (3))),
         BAD("whole numbers", TG_EDTYPE, "not i64", INPUTS(IN('i', (7, 3))), OVER((0), (3), (1), (1), (9))),
         BAD("a negative dilation", TG_EARG, "must be positive", INPUTS(IN('f', (7, 3))), OVER((0), (3), (1), (-1), (9)))),
};

/*| tg_fold: adds windows up where they came from: the transpose of tg_unfold. n has the size of each axis in w. Elements that
 *  several windows share are their sum, in a fixed order; those that no window reaches are 0.
 *    y[..., p, ...] = sum of x[..., o, ..., k] where o step + k dilation = p
 *  Shapes:   x as tg_unfold of y makes it -> y (..., n, ...)
 *  Dtypes:   f32, f64
 *  Gradient: dx = tg_unfold of g
 *  Errors:   TG_ESHAPE if x is not the windows of such an y; TG_EARG if an axis is out of range or stands twice, a size, step
 *            or dilation is negative, or n is NULL; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_fold, (tg_tensor x, const int64_t *n, tg_windows w), (x, n, w)) {
    window_attr attr = canonical(&w, n, tg_shape_of(x).rank - w.axes.n);
    tg_tape *t = tg_tape_of(x);
    if (t && w.axes.n > 0 && !n) {
        tg__fail(t, TG_EARG, "fold", site, t->scope, "n is NULL");
        return tg__poison(t);
    }
    return tg_apply_at(site, NULL, &tg__op_fold, &attr, &x, 1);
}

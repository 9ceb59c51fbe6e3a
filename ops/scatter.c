/* Taking and putting along an axis */
#include "ops/index.h"

/* x is seen as outer x n x inner, index as outer x m x inner: each element of index is a place along n. */
typedef struct along_attr {
    int64_t axis, n; /* n: of along_sum and along_last alone */
} along_attr;
static const tg_field along_fields[] = {
    {"axis", TG_FIELD_INT, offsetof(along_attr, axis)},
    {"n", TG_FIELD_INT, offsetof(along_attr, n)},
    {NULL, TG_FIELD_INT, 0},
};

static along_attr along(tg_tensor x, int64_t axis) {
    int normal = tg_infer_axis(axis, tg_shape_of(x).rank);
    return (along_attr){normal < 0 ? axis : normal, 0};
}

/* Input `which` must be an index; its shape that of input 0 but for the axis. */
static tg_status check_along(tg_infer *f, int which) {
    const tg_shape *x = f->in_shape[0], *index = f->in_shape[which];
    int64_t axis = ((const along_attr *)f->attr)->axis;
    if (!tg__is_index(f->in_dtype[which]))
        return tg_infer_fail(f, TG_EDTYPE, "the index must be i64 or i32, not %s", tg_dtype_name(f->in_dtype[which]));
    if (axis < 0 || axis >= x->rank)
        return tg_infer_fail(f, TG_EARG, "axis %lld is out of range for rank %d", (long long)axis, x->rank);
    if (index->rank != x->rank)
        return tg_infer_fail(f, TG_ESHAPE, "the index has rank %d, not %d", index->rank, x->rank);
    for (int i = 0; i < x->rank; i++)
        if (i != axis && index->dims[i] != x->dims[i])
            return tg_infer_fail(f, TG_ESHAPE, "dimension %d of the index is %lld, not %lld", i, (long long)index->dims[i],
                                 (long long)x->dims[i]);
    return TG_OK;
}

/* Input 2 is what is put into input 0 at the places of input 1. */
static tg_status put_infer(tg_infer *f) {
    tg_status s = check_along(f, 1);
    if (s) return s;
    if (f->in_dtype[2] != f->in_dtype[0])
        return tg_infer_fail(f, TG_EDTYPE, "the source is %s and x is %s: cast one with tg_cast",
                             tg_dtype_name(f->in_dtype[2]), tg_dtype_name(f->in_dtype[0]));
    if (!tg_shape_equal(f->in_shape[2], f->in_shape[1]))
        return tg_infer_fail(f, TG_ESHAPE, "the source's shape is not that of the index");
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

typedef struct along_run {
    const tg_operand *index;
    const void *x;
    void *y;
    size_t size;
    tg_dtype dtype;
    int64_t n, m, inner;
} along_run;

static along_run run_of(const tg_kernel_args *k, const tg_operand *index, const void *x, int64_t n) {
    int axis = (int)((const along_attr *)k->attr)->axis;
    const tg_operand *y = &k->out[0];
    return (along_run){index,
                       x,
                       y->data,
                       tg_dtype_size(y->dtype),
                       y->dtype,
                       n,
                       index->shape->dims[axis],
                       tg__extent(index->shape, axis + 1, index->shape->rank)};
}

/* ------------------------------------------------------------------ taking */

static tg_status take_infer(tg_infer *f) {
    tg_status s = check_along(f, 1);
    f->shape[0] = *f->in_shape[1];
    f->dtype[0] = f->in_dtype[0];
    return s;
}

/* Rows [begin, end) of outer x m. Each element of index takes from its own line along n; 0 where there is no such place. */
#define TAKE(T)                                                                                              \
    for (int64_t row = begin, outer = begin / r->m, i = begin % r->m; row < end; row++) {                    \
        const T *x = (const T *)r->x + outer * r->n * r->inner;                                              \
        T *y = (T *)r->y + row * r->inner;                                                                   \
        for (int64_t j = 0; j < r->inner; j++) {                                                             \
            int64_t at = tg__index_at(r->index, row * r->inner + j);                                         \
            y[j] = at < 0 || at >= r->n ? (T)0 : x[at * r->inner + j];                                       \
        }                                                                                                    \
        if (++i == r->m) outer++, i = 0;                                                                     \
    }

static void take_piece(int64_t begin, int64_t end, void *ctx) {
    const along_run *r = ctx;
    switch (r->size) {
    case 8: TAKE(uint64_t) break;
    case 4: TAKE(uint32_t) break;
    case 2: TAKE(uint16_t) break;
    default: TAKE(uint8_t) break;
    }
}

#define WORK_PER_ELEMENT 20.0 /* a random access, in the unit of tg_parallel */

static tg_status along_take_kernel(tg_kernel_args *k) {
    along_run r = run_of(k, &k->in[1], k->in[0].data, k->in[0].shape->dims[((const along_attr *)k->attr)->axis]);
    int64_t n = k->out[0].numel;
    if (n) tg_parallel(k->threads, n / r.inner, (double)n * WORK_PER_ELEMENT, take_piece, &r);
    return TG_OK;
}

static tg_status take_along_axis_kernel(tg_kernel_args *k) {
    tg_status s = tg__check_index(k, &k->in[1], k->in[0].shape->dims[((const along_attr *)k->attr)->axis]);
    return s ? s : along_take_kernel(k);
}

static tg_status take_ref(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *index = &k->in[1], *y = &k->out[0];
    int axis = (int)((const along_attr *)k->attr)->axis;
    int64_t n = x->shape->dims[axis], inner = tg__extent(x->shape, axis + 1, x->shape->rank), m = y->shape->dims[axis];
    for (int64_t i = 0; i < y->numel; i++) {
        int64_t at = tg__index_at(index, i);
        ((double *)y->data)[i] =
            at >= 0 && at < n ? ((const double *)x->data)[i / inner / m * n * inner + at * inner + i % inner] : 0;
    }
    return TG_OK;
}

extern const tg_op tg__op_along_sum;

static tg_tensor along_sum(tg_tensor g, tg_tensor index, int64_t axis, int64_t n) {
    return tg_apply(NULL, &tg__op_along_sum, &(along_attr){axis, n}, (tg_tensor[]){g, index}, 2);
}

static void take_vjp(tg_vjp_args *v) {
    int64_t axis = ((const along_attr *)v->attr)->axis;
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, along_sum(v->g[0], v->in[1], axis, tg_shape_of(v->in[0]).dims[axis]));
}

#define AXIS(axis, ...) .attr = &(const along_attr){axis, __VA_ARGS__ + 0}
#define BELOW(n, ...) IN('i', __VA_ARGS__, .lo = 0, .hi = (n) - 1)
#define BELOW32(n, ...) IN('j', __VA_ARGS__, .lo = 0, .hi = (n) - 1)
#define TAKE_OP(op_name, formula_)                                                                              \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 2, .max_in = 2,                    \
    .attr_size = sizeof(along_attr), .fields = along_fields, .infer = take_infer, .kernel = op_name##_kernel,   \
    .ref = take_ref, .vjp = take_vjp, .flops = tg__no_flops
#define TAKE_SAMPLES                                                                                            \
    SAMPLE("columns", INPUTS(IN('f', (3, 5)), BELOW(5, (3, 2))), AXIS(1, 0)),                                   \
    SAMPLE("rows", INPUTS(IN('f', (4, 3)), BELOW32(4, (7, 3))), AXIS(0, 0)),                                    \
    SAMPLE("the middle", INPUTS(IN('f', (2, 4, 3)), BELOW(4, (2, 5, 3))), AXIS(1, 0)),                          \
    SAMPLE("a vector", INPUTS(IN('f', (6)), BELOW(6, (9))), AXIS(0, 0)),                                        \
    SAMPLE("nothing to take", INPUTS(IN('f', (4, 3)), BELOW(4, (0, 3))), AXIS(0, 0))
#define TAKE_BADS                                                                                               \
    BAD("a float index", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4, 3)), IN('f', (4, 3))), AXIS(0, 0)),        \
    BAD("axis out of range", TG_EARG, "axis 2", INPUTS(IN('f', (4, 3)), BELOW(3, (4, 3))), AXIS(2, 0)),         \
    BAD("another rank", TG_ESHAPE, "rank 1, not 2", INPUTS(IN('f', (4, 3)), BELOW(3, (4))), AXIS(0, 0)),        \
    BAD("another dimension", TG_ESHAPE, "dimension 1 of the index is 2",                                        \
        INPUTS(IN('f', (4, 3)), BELOW(3, (4, 2))), AXIS(0, 0)),                                                 \
    BAD("rank 0", TG_EARG, "rank 0", INPUTS(IN('f', ()), BELOW(3, ())), AXIS(0, 0))

const tg_op tg__op_take_along_axis = {
    TAKE_OP(take_along_axis, "y[..., i, ...] = x[..., index[..., i, ...], ...]"),
    .flags = TG_OP_CAN_FAIL,
    SAMPLES(TAKE_SAMPLES),
    BADS(TAKE_BADS, BAD("past the end", TG_EINDEX, "index 4 at position 0 is not in [0, 4)",
                        INPUTS(IN('f', (4, 3)), IN('i', (4, 3), .lo = 4, .hi = 4)), AXIS(0, 0)),
         BAD("negative", TG_EINDEX, "index -1 at position 0", INPUTS(IN('f', (4)), IN('j', (4), .lo = -1, .hi = -1)),
             AXIS(0, 0))),
};

/*| tg_take_along_axis: takes one element for each element of index, from its own line along the axis: the values that belong
 *  to tg_argsort or tg_argmax.
 *    y[..., i, ...] = x[..., index[..., i, ...], ...]
 *  Shapes:   x (..., n, ...), index (..., m, ...), all else equal -> y (..., m, ...)
 *  Dtypes:   x every dtype; index i64 or i32
 *  Gradient: dx = sum of g over the places where an element was taken to, in their order
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if another dimension differs; TG_EDTYPE if index is not i64 or
 *            i32; when run, TG_EINDEX if an index is not in [0, n): negative numbers do not count from the end
 *  Source:   elementary */
TG_API(tg_tensor, tg_take_along_axis, (tg_tensor x, int64_t axis, tg_tensor index), (x, axis, index)) {
    along_attr attr = along(x, axis);
    return tg_apply_at(site, NULL, &tg__op_take_along_axis, &attr, (tg_tensor[]){x, index}, 2);
}

const tg_op tg__op_along_take = {
    TAKE_OP(along_take, "y[..., i, ...] = x[..., index[..., i, ...], ...], 0 where there is no such place"),
    SAMPLES(TAKE_SAMPLES, SAMPLE("some out of range", INPUTS(IN('f', (4, 3)), IN('i', (5, 3), .lo = -2, .hi = 6)), AXIS(0, 0))),
    BADS(TAKE_BADS),
};

tg_tensor tg__along_take(tg_tensor x, int axis, tg_tensor index) {
    return tg_apply(NULL, &tg__op_along_take, &(along_attr){axis, 0}, (tg_tensor[]){x, index}, 2);
}

/* ------------------------------------------------------------------ adding */

/* Places [begin, end) of the lines along n, each its old value (or 0) and what is put there, in order of positions: threads
 * share places, never a sum. An index out of range was refused, or is left out. */
#define PUT(T, how)                                                                                       \
    {                                                                                                     \
        const T *g = (const T *)r->x + outer * r->m * r->inner;                                           \
        T *y = (T *)r->y + outer * r->n * r->inner;                                                       \
        for (int64_t i = 0; i < r->m; i++)                                                                \
            for (int64_t j = 0; j < r->inner; j++) {                                                      \
                int64_t at = tg__index_at(r->index, (outer * r->m + i) * r->inner + j);                   \
                if (at >= from && at < to) y[at * r->inner + j] how g[i * r->inner + j];                  \
            }                                                                                             \
    }                                                                                                     \
    break

/* Calls put for each outer line and the part of its places that is in [begin, end). */
static void put_lines(int64_t begin, int64_t end, const along_run *r,
                      void (*put)(const along_run *r, int64_t outer, int64_t from, int64_t to)) {
    for (int64_t outer = begin / r->n; outer * r->n < end; outer++) {
        int64_t first = outer * r->n;
        put(r, outer, first < begin ? begin - first : 0, end - first < r->n ? end - first : r->n);
    }
}

static void add_line(const along_run *r, int64_t outer, int64_t from, int64_t to) {
    switch (r->dtype) {
    case TG_F32: PUT(float, +=);
    case TG_F64: PUT(double, +=);
    case TG_I32: PUT(uint32_t, +=);
    default: PUT(uint64_t, +=);
    }
}

static void add_piece(int64_t begin, int64_t end, void *ctx) { put_lines(begin, end, ctx, add_line); }

static void put_all(tg_kernel_args *k, along_run *r, void (*piece)(int64_t begin, int64_t end, void *ctx)) {
    const tg_operand *y = &k->out[0];
    if (!y->numel || !r->index->numel) return;
    tg_parallel(k->threads, y->numel / r->inner, (double)r->index->numel * WORK_PER_ELEMENT, piece, r);
}

static bool adds(tg_dtype d) { return d == TG_F32 || d == TG_F64 || d == TG_I32 || d == TG_I64; }

static tg_status along_sum_infer(tg_infer *f) {
    const along_attr *attr = f->attr;
    if (!adds(f->in_dtype[0])) return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32, f64, i32 or i64");
    tg_status s = check_along(f, 1);
    if (s) return s;
    if (!tg_shape_equal(f->in_shape[0], f->in_shape[1]))
        return tg_infer_fail(f, TG_ESHAPE, "the cotangent's shape is not that of the index");
    if (attr->n < 0) return tg_infer_fail(f, TG_EARG, "%lld places", (long long)attr->n);
    f->shape[0] = *f->in_shape[0];
    f->shape[0].dims[attr->axis] = attr->n;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_status along_sum_kernel(tg_kernel_args *k) {
    const tg_operand *y = &k->out[0];
    along_run r = run_of(k, &k->in[1], k->in[0].data, ((const along_attr *)k->attr)->n);
    if (y->numel) memset(y->data, 0, (size_t)y->numel * r.size);
    put_all(k, &r, add_piece);
    return TG_OK;
}

/* y[index[i]] += g[i], one element after the other; y is filled. */
static void add_ref(const tg_operand *g, const tg_operand *index, const tg_operand *y, int axis) {
    int64_t n = y->shape->dims[axis], inner = tg__extent(y->shape, axis + 1, y->shape->rank), m = g->shape->dims[axis];
    for (int64_t i = 0; i < g->numel; i++) {
        int64_t at = tg__index_at(index, i);
        if (at >= 0 && at < n)
            ((double *)y->data)[i / inner / m * n * inner + at * inner + i % inner] += ((const double *)g->data)[i];
    }
}

static tg_status along_sum_ref(tg_kernel_args *k) {
    for (int64_t i = 0; i < k->out[0].numel; i++) ((double *)k->out[0].data)[i] = 0;
    add_ref(&k->in[0], &k->in[1], &k->out[0], (int)((const along_attr *)k->attr)->axis);
    return TG_OK;
}

static void along_sum_vjp(tg_vjp_args *v) {
    int axis = (int)((const along_attr *)v->attr)->axis;
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, tg__along_take(v->g[0], axis, v->in[1]));
}

const tg_op tg__op_along_sum = {
    .name = "along_sum",
    .formula = "y[..., p, ...] = sum of g[..., i, ...] where index[..., i, ...] = p",
    .source = "elementary",
    .min_in = 2,
    .max_in = 2,
    .attr_size = sizeof(along_attr),
    .fields = along_fields,
    .infer = along_sum_infer,
    .vjp = along_sum_vjp,
    .kernel = along_sum_kernel,
    .ref = along_sum_ref,
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (7, 3)), BELOW(4, (7, 3))), AXIS(0, 4)),
            SAMPLE("columns", INPUTS(IN('f', (3, 6)), BELOW32(5, (3, 6))), AXIS(1, 5)),
            SAMPLE("the middle", INPUTS(IN('f', (2, 5, 3)), BELOW(4, (2, 5, 3))), AXIS(1, 4)),
            SAMPLE("some out of range", INPUTS(IN('f', (5, 3)), IN('i', (5, 3), .lo = -2, .hi = 6)), AXIS(0, 4)),
            SAMPLE("nothing to add", INPUTS(IN('f', (0, 3)), BELOW(4, (0, 3))), AXIS(0, 4))),
    BADS(BAD("a float index", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4, 3)), IN('f', (4, 3))), AXIS(0, 5)),
         BAD("a cotangent of truth values", TG_EDTYPE, "f32", INPUTS(IN('b', (4, 3)), BELOW(4, (4, 3))), AXIS(0, 5)),
         BAD("another index", TG_ESHAPE, "is not that of the index", INPUTS(IN('f', (4, 3)), BELOW(4, (5, 3))), AXIS(0, 5)),
         BAD("axis out of range", TG_EARG, "axis 2", INPUTS(IN('f', (4, 3)), BELOW(4, (4, 3))), AXIS(2, 5)),
         BAD("a negative size", TG_EARG, "-1 places", INPUTS(IN('f', (4, 3)), BELOW(4, (4, 3))), AXIS(0, -1))),
};

static tg_status scatter_add_infer(tg_infer *f) {
    if (!adds(f->in_dtype[0])) return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32, f64, i32 or i64");
    return put_infer(f);
}

static tg_status put_kernel(tg_kernel_args *k, void (*piece)(int64_t begin, int64_t end, void *ctx)) {
    const tg_operand *x = &k->in[0], *y = &k->out[0];
    along_run r = run_of(k, &k->in[1], k->in[2].data, x->shape->dims[((const along_attr *)k->attr)->axis]);
    tg_status s = tg__check_index(k, r.index, r.n);
    if (s) return s;
    if (y->numel) memcpy(y->data, x->data, (size_t)y->numel * r.size);
    put_all(k, &r, piece);
    return TG_OK;
}

static tg_status scatter_add_kernel(tg_kernel_args *k) { return put_kernel(k, add_piece); }

static tg_status scatter_add_ref(tg_kernel_args *k) {
    for (int64_t i = 0; i < k->out[0].numel; i++) ((double *)k->out[0].data)[i] = ((const double *)k->in[0].data)[i];
    add_ref(&k->in[2], &k->in[1], &k->out[0], (int)((const along_attr *)k->attr)->axis);
    return TG_OK;
}

static void scatter_add_vjp(tg_vjp_args *v) {
    int axis = (int)((const along_attr *)v->attr)->axis;
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, v->g[0]);
    if (tg_vjp_needs(v, 2)) tg_vjp_give(v, 2, tg__along_take(v->g[0], axis, v->in[1]));
}

#define PUT_OP(op_name, formula_)                                                                               \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 3, .max_in = 3,                    \
    .flags = TG_OP_CAN_FAIL, .attr_size = sizeof(along_attr), .fields = along_fields, .infer = op_name##_infer, \
    .kernel = op_name##_kernel, .ref = op_name##_ref, .vjp = op_name##_vjp
#define PUT_SAMPLES                                                                                             \
    SAMPLE("columns", INPUTS(IN('f', (3, 5)), BELOW(5, (3, 7)), IN('f', (3, 7))), AXIS(1, 0)),                  \
    SAMPLE("rows", INPUTS(IN('f', (4, 3)), BELOW32(4, (2, 3)), IN('f', (2, 3))), AXIS(0, 0)),                   \
    SAMPLE("the middle", INPUTS(IN('f', (2, 4, 3)), BELOW(4, (2, 5, 3)), IN('f', (2, 5, 3))), AXIS(1, 0)),      \
    SAMPLE("a vector", INPUTS(IN('f', (4)), BELOW(4, (9)), IN('f', (9))), AXIS(0, 0)),                          \
    SAMPLE("nothing to put", INPUTS(IN('f', (4, 3)), BELOW(4, (0, 3)), IN('f', (0, 3))), AXIS(0, 0))
#define PUT_BADS                                                                                                \
    BAD("a float index", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4)), IN('f', (4)), IN('f', (4))), AXIS(0, 0)), \
    BAD("axis out of range", TG_EARG, "axis 1", INPUTS(IN('f', (4)), BELOW(4, (4)), IN('f', (4))), AXIS(1, 0)), \
    BAD("another dimension", TG_ESHAPE, "dimension 1 of the index is 2",                                        \
        INPUTS(IN('f', (4, 3)), BELOW(3, (4, 2)), IN('f', (4, 2))), AXIS(0, 0)),                                \
    BAD("a source of another shape", TG_ESHAPE, "the source's shape", INPUTS(IN('f', (4)), BELOW(4, (4)), IN('f', (3))), \
        AXIS(0, 0)),                                                                                            \
    BAD("a source of another dtype", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (4)), BELOW(4, (4)), IN('i', (4))), AXIS(0, 0)), \
    BAD("past the end", TG_EINDEX, "index 4 at position 0 is not in [0, 4)",                                    \
        INPUTS(IN('f', (4)), IN('i', (2), .lo = 4, .hi = 4), IN('f', (2))), AXIS(0, 0)),                        \
    BAD("negative", TG_EINDEX, "index -1", INPUTS(IN('f', (4)), IN('j', (2), .lo = -1, .hi = -1), IN('f', (2))), AXIS(0, 0))

const tg_op tg__op_scatter_add = {
    PUT_OP(scatter_add, "y = x; y[..., index[..., i, ...], ...] += source[..., i, ...] for i = 0, 1, ..."),
    SAMPLES(PUT_SAMPLES),
    BADS(PUT_BADS, BAD("truth values", TG_EDTYPE, "f32", INPUTS(IN('b', (4)), BELOW(4, (4)), IN('b', (4))), AXIS(0, 0))),
};

/*| tg_scatter_add: x with elements of source added at places along an axis. Several for one place are added in the order of
 *  their positions: bits do not depend on threads. Counts and sums of groups: x = tg_zeros.
 *    y = x; y[..., index[..., i, ...], ...] += source[..., i, ...] for i = 0, 1, ...
 *  Shapes:   x (..., n, ...), index and source (..., m, ...), all else equal -> y as x
 *  Dtypes:   x and source f32, f64, i32 or i64, the same, whole numbers wrap around; index i64 or i32
 *  Gradient: dx = g; dsource = g at the place of each element
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if shapes do not fit; TG_EDTYPE if dtypes do not; when run,
 *            TG_EINDEX if an index is not in [0, n): negative numbers do not count from the end
 *  Source:   elementary */
TG_API(tg_tensor, tg_scatter_add, (tg_tensor x, int64_t axis, tg_tensor index, tg_tensor source), (x, axis, index, source)) {
    along_attr attr = along(x, axis);
    return tg_apply_at(site, NULL, &tg__op_scatter_add, &attr, (tg_tensor[]){x, index, source}, 3);
}

/* ------------------------------------------------------------------ along_last: which element is put last at each place */

static tg_status along_last_infer(tg_infer *f) {
    const along_attr *attr = f->attr;
    tg_status s = check_along(f, 0);
    if (s) return s;
    if (attr->n < 0) return tg_infer_fail(f, TG_EARG, "%lld places", (long long)attr->n);
    f->shape[0] = *f->in_shape[0];
    f->shape[0].dims[attr->axis] = attr->n;
    f->dtype[0] = TG_I64;
    return TG_OK;
}

static void last_line(const along_run *r, int64_t outer, int64_t from, int64_t to) {
    int64_t *y = (int64_t *)r->y + outer * r->n * r->inner;
    for (int64_t i = from * r->inner; i < to * r->inner; i++) y[i] = -1;
    for (int64_t i = 0; i < r->m; i++)
        for (int64_t j = 0; j < r->inner; j++) {
            int64_t at = tg__index_at(r->index, (outer * r->m + i) * r->inner + j);
            if (at >= from && at < to) y[at * r->inner + j] = i;
        }
}

static void last_piece(int64_t begin, int64_t end, void *ctx) { put_lines(begin, end, ctx, last_line); }

static tg_status along_last_kernel(tg_kernel_args *k) {
    along_run r = run_of(k, &k->in[0], NULL, ((const along_attr *)k->attr)->n);
    if (k->out[0].numel)
        tg_parallel(k->threads, k->out[0].numel / r.inner,
                    (double)(k->in[0].numel + k->out[0].numel) * WORK_PER_ELEMENT, last_piece, &r);
    return TG_OK;
}

/* For each place the positions from the end, until one is put there. */
static tg_status along_last_ref(tg_kernel_args *k) {
    const tg_operand *index = &k->in[0], *y = &k->out[0];
    int axis = (int)((const along_attr *)k->attr)->axis;
    int64_t n = y->shape->dims[axis], inner = tg__extent(y->shape, axis + 1, y->shape->rank), m = index->shape->dims[axis];
    for (int64_t e = 0; e < y->numel; e++) {
        int64_t i = m - 1;
        while (i >= 0 && tg__index_at(index, (e / inner / n * m + i) * inner + e % inner) != e / inner % n) i--;
        ((int64_t *)y->data)[e] = i;
    }
    return TG_OK;
}

const tg_op tg__op_along_last = {
    .name = "along_last",
    .formula = "y[..., p, ...] = largest i with index[..., i, ...] = p, else -1",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .flags = TG_OP_CUT,
    .attr_size = sizeof(along_attr),
    .fields = along_fields,
    .infer = along_last_infer,
    .kernel = along_last_kernel,
    .ref = along_last_ref,
    SAMPLES(SAMPLE("columns", INPUTS(BELOW(5, (3, 7))), AXIS(1, 5)), SAMPLE("rows", INPUTS(BELOW32(4, (2, 3))), AXIS(0, 4)),
            SAMPLE("the middle", INPUTS(BELOW(4, (2, 5, 3))), AXIS(1, 4)),
            SAMPLE("no index", INPUTS(BELOW(4, (0, 3))), AXIS(0, 4)), SAMPLE("no place", INPUTS(BELOW(4, (2, 3))), AXIS(0, 0))),
    BADS(BAD("a float index", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4))), AXIS(0, 4)),
         BAD("truth values", TG_EDTYPE, "not bool", INPUTS(IN('b', (4))), AXIS(0, 4)),
         BAD("rank 0", TG_EARG, "rank 0", INPUTS(BELOW(4, ())), AXIS(0, 4)),
         BAD("axis out of range", TG_EARG, "axis 1", INPUTS(BELOW(4, (4))), AXIS(1, 4)),
         BAD("a negative size", TG_EARG, "-1 places", INPUTS(BELOW(4, (4))), AXIS(0, -1))),
};

/* ------------------------------------------------------------------ putting */

static tg_status scatter_infer(tg_infer *f) { return put_infer(f); }

static void set_line(const along_run *r, int64_t outer, int64_t from, int64_t to) {
    switch (r->size) {
    case 8: PUT(uint64_t, =);
    case 4: PUT(uint32_t, =);
    case 2: PUT(uint16_t, =);
    default: PUT(uint8_t, =);
    }
}

static void set_piece(int64_t begin, int64_t end, void *ctx) { put_lines(begin, end, ctx, set_line); }

static tg_status scatter_kernel(tg_kernel_args *k) { return put_kernel(k, set_piece); }

static tg_status scatter_ref(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *index = &k->in[1], *source = &k->in[2];
    int axis = (int)((const along_attr *)k->attr)->axis;
    int64_t n = x->shape->dims[axis], inner = tg__extent(x->shape, axis + 1, x->shape->rank), m = index->shape->dims[axis];
    double *y = k->out[0].data;
    for (int64_t i = 0; i < x->numel; i++) y[i] = ((const double *)x->data)[i];
    for (int64_t i = 0; i < index->numel; i++)
        y[i / inner / m * n * inner + tg__index_at(index, i) * inner + i % inner] = ((const double *)source->data)[i];
    return TG_OK;
}

/* Positions along the axis, of a shape that broadcasts to that of index. */
static tg_tensor positions(tg_tensor index, int axis) {
    tg_shape s = tg_shape_of(index), line = {s.rank, {0}};
    for (int i = 0; i < s.rank; i++) line.dims[i] = i == axis ? s.dims[i] : 1;
    return tg_reshape(tg_arange(tg_tape_of(index), s.dims[axis], TG_I64), line);
}

static void scatter_vjp(tg_vjp_args *v) {
    int axis = (int)((const along_attr *)v->attr)->axis;
    tg_tensor g = v->g[0], index = v->in[1];
    along_attr attr = {axis, tg_shape_of(v->in[0]).dims[axis]};
    tg_tensor last = tg_apply(NULL, &tg__op_along_last, &attr, &index, 1);
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, tg_where(tg_ge(last, tg__zero_like(last)), tg__zero_like(g), g));
    if (!tg_vjp_needs(v, 2)) return;
    tg_tensor stays = tg_eq(tg__along_take(last, axis, index), positions(index, axis));
    tg_vjp_give(v, 2, tg_where(stays, tg__along_take(g, axis, index), tg__zero_like(g)));
}

const tg_op tg__op_scatter = {
    PUT_OP(scatter, "y = x; y[..., index[..., i, ...], ...] = source[..., i, ...] for i = 0, 1, ..."),
    SAMPLES(PUT_SAMPLES),
    BADS(PUT_BADS),
};

/*| tg_scatter: x with elements of source put at places along an axis. Of several for one place the last one stays
 *  (in PyTorch any of them).
 *    y = x; y[..., index[..., i, ...], ...] = source[..., i, ...] for i = 0, 1, ...
 *  Shapes:   x (..., n, ...), index and source (..., m, ...), all else equal -> y as x
 *  Dtypes:   x and source every dtype, the same; index i64 or i32
 *  Gradient: dx = g where nothing was put, else 0; dsource = g at the place of each element that stays, else 0
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if shapes do not fit; TG_EDTYPE if dtypes do not; when run,
 *            TG_EINDEX if an index is not in [0, n): negative numbers do not count from the end
 *  Source:   elementary */
TG_API(tg_tensor, tg_scatter, (tg_tensor x, int64_t axis, tg_tensor index, tg_tensor source), (x, axis, index, source)) {
    along_attr attr = along(x, axis);
    return tg_apply_at(site, NULL, &tg__op_scatter, &attr, (tg_tensor[]){x, index, source}, 3);
}

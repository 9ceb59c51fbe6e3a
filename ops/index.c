/* Indexing */
#include "ops/index.h"

/* x is seen as outer x n x inner, index as a list of `count` positions along n. */
typedef struct index_attr {
    int64_t axis, n; /* n: of gather_grad alone */
} index_attr;
static const tg_field index_fields[] = {
    {"axis", TG_FIELD_INT, offsetof(index_attr, axis)},
    {"n", TG_FIELD_INT, offsetof(index_attr, n)},
    {NULL, TG_FIELD_INT, 0},
};

/* ------------------------------------------------------------------ gather */

static tg_status gather_infer(tg_infer *f) {
    const tg_shape *x = f->in_shape[0], *index = f->in_shape[1];
    int64_t axis = ((const index_attr *)f->attr)->axis;
    if (!tg__is_index(f->in_dtype[1]))
        return tg_infer_fail(f, TG_EDTYPE, "the index must be i64 or i32, not %s", tg_dtype_name(f->in_dtype[1]));
    if (axis < 0 || axis >= x->rank)
        return tg_infer_fail(f, TG_EARG, "axis %lld is out of range for rank %d", (long long)axis, x->rank);
    int rank = x->rank - 1 + index->rank;
    if (rank > TG_MAX_RANK)
        return tg_infer_fail(f, TG_ESHAPE, "the result would have rank %d, more than %d", rank, TG_MAX_RANK);
    f->shape[0].rank = 0;
    for (int i = 0; i < axis; i++) f->shape[0].dims[f->shape[0].rank++] = x->dims[i];
    for (int i = 0; i < index->rank; i++) f->shape[0].dims[f->shape[0].rank++] = index->dims[i];
    for (int i = (int)axis + 1; i < x->rank; i++) f->shape[0].dims[f->shape[0].rank++] = x->dims[i];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

typedef struct gather_run {
    const tg_operand *index;
    const char *x;
    char *y;
    int64_t count, n;
    size_t bytes; /* of a row: inner elements */
} gather_run;

/* Rows of one element are copied as numbers: a call of memcpy each would cost several times the copy. */
#define GATHER_ONE(T)                                                                   \
    for (int64_t i = begin, outer = begin / r->count, k = begin % r->count; i < end; i++) { \
        ((T *)r->y)[i] = ((const T *)r->x)[outer * r->n + tg__index_at(r->index, k)];   \
        if (++k == r->count) outer++, k = 0;                                            \
    }

static void gather_piece(int64_t begin, int64_t end, void *ctx) {
    const gather_run *r = ctx;
    if (r->bytes == 4) {
        GATHER_ONE(uint32_t)
        return;
    }
    if (r->bytes == 8) {
        GATHER_ONE(uint64_t)
        return;
    }
    for (int64_t i = begin, outer = begin / r->count, k = begin % r->count; i < end; i++) {
        int64_t from = outer * r->n + tg__index_at(r->index, k);
        memcpy(r->y + (size_t)i * r->bytes, r->x + (size_t)from * r->bytes, r->bytes);
        if (++k == r->count) outer++, k = 0;
    }
}

tg_status tg__check_index(tg_kernel_args *k, const tg_operand *index, int64_t n) {
    for (int64_t i = 0; i < index->numel; i++)
        if (tg__index_at(index, i) < 0 || tg__index_at(index, i) >= n) {
            snprintf(k->message, k->message_size, "index %lld at position %lld is not in [0, %lld)",
                     (long long)tg__index_at(index, i), (long long)i, (long long)n);
            return TG_EINDEX;
        }
    return TG_OK;
}

static tg_status gather_kernel(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *y = &k->out[0];
    int axis = (int)((const index_attr *)k->attr)->axis;
    gather_run r = {&k->in[1], x->data, y->data, k->in[1].numel, x->shape->dims[axis], 0};
    int64_t inner = tg__extent(x->shape, axis + 1, x->shape->rank);
    tg_status s = tg__check_index(k, r.index, r.n);
    if (s || !y->numel) return s;
    r.bytes = (size_t)inner * tg_dtype_size(x->dtype);
    tg_parallel(k->threads, y->numel / inner, 2 * (double)y->numel * (double)tg_dtype_size(x->dtype), gather_piece, &r);
    return TG_OK;
}

static tg_status gather_ref(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *y = &k->out[0], *index = &k->in[1];
    int axis = (int)((const index_attr *)k->attr)->axis;
    int64_t n = x->shape->dims[axis], inner = tg__extent(x->shape, axis + 1, x->shape->rank);
    for (int64_t i = 0; i < y->numel; i++) {
        int64_t outer = i / (index->numel * inner), at = tg__index_at(index, i / inner % index->numel);
        ((double *)y->data)[i] = ((const double *)x->data)[(outer * n + at) * inner + i % inner];
    }
    return TG_OK;
}

extern const tg_op tg__op_gather_grad;

static void gather_vjp(tg_vjp_args *v) {
    index_attr attr = *(const index_attr *)v->attr;
    attr.n = tg_shape_of(v->in[0]).dims[attr.axis];
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, tg_apply(NULL, &tg__op_gather_grad, &attr, (tg_tensor[]){v->g[0], v->in[1]}, 2));
}

#define AXIS(axis, ...) .attr = &(const index_attr){axis, __VA_ARGS__ + 0}
#define BELOW(n, ...) IN('i', __VA_ARGS__, .lo = 0, .hi = (n) - 1)
#define BELOW32(n, ...) IN('j', __VA_ARGS__, .lo = 0, .hi = (n) - 1)

#define GATHER(op_name, formula_)                                                                                   \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 2, .max_in = 2, .flags = TG_OP_CAN_FAIL, \
    .attr_size = sizeof(index_attr), .fields = index_fields, .infer = op_name##_infer, .vjp = gather_vjp,           \
    .kernel = gather_kernel, .ref = gather_ref, .flops = tg__no_flops

const tg_op tg__op_gather = {
    GATHER(gather, "y[..., i..., ...] = x[..., index[i...], ...]"),
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (4, 3)), BELOW(4, (7))), AXIS(0, 0)),
            SAMPLE("columns", INPUTS(IN('f', (3, 5)), BELOW32(5, (2))), AXIS(1, 0)),
            SAMPLE("the middle", INPUTS(IN('f', (2, 4, 3)), BELOW(4, (5))), AXIS(1, 0)),
            SAMPLE("an index matrix", INPUTS(IN('f', (4, 3)), BELOW(4, (2, 5))), AXIS(0, 0)),
            SAMPLE("an index of rank 0", INPUTS(IN('f', (4, 3)), BELOW(4, ())), AXIS(0, 0)),
            SAMPLE("no index", INPUTS(IN('f', (4, 3)), BELOW(4, (0))), AXIS(0, 0))),
    BADS(BAD("a float index", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4, 3)), IN('f', (2))), AXIS(0, 0)),
         BAD("axis out of range", TG_EARG, "axis 2", INPUTS(IN('f', (4, 3)), BELOW(3, (2))), AXIS(2, 0)),
         BAD("rank 0", TG_EARG, "rank 0", INPUTS(IN('f', ()), BELOW(3, (2))), AXIS(0, 0)),
         BAD("past the end", TG_EINDEX, "index 4 at position 0 is not in [0, 4)",
             INPUTS(IN('f', (4, 3)), IN('i', (2), .lo = 4, .hi = 4)), AXIS(0, 0)),
         BAD("negative", TG_EINDEX, "index -1 at position 0", INPUTS(IN('f', (4, 3)), IN('j', (2), .lo = -1, .hi = -1)),
             AXIS(0, 0)),
         BAD("nothing to take", TG_EINDEX, "[0, 0)", INPUTS(IN('f', (0, 3)), IN('i', (1), .lo = 0, .hi = 0)), AXIS(0, 0))),
};

/*| tg_gather: takes elements along an axis by their numbers, as many times as they stand in index: rows of an embedding.
 *    y[..., i..., ...] = x[..., index[i...], ...]
 *  Shapes:   x (..., n, ...), index (any) -> y (..., index's shape, ...)
 *  Dtypes:   x every dtype; index i64 or i32
 *  Gradient: dx = sum of g over the places where an element was taken to
 *  Errors:   TG_EARG if the axis is out of range; TG_EDTYPE if index is not i64 or i32; when run, TG_EINDEX if an index is not
 *            in [0, n): negative numbers do not count from the end
 *  Source:   elementary */
TG_API(tg_tensor, tg_gather, (tg_tensor x, int64_t axis, tg_tensor index), (x, axis, index)) {
    int normal = tg_infer_axis(axis, tg_shape_of(x).rank);
    index_attr attr = {normal < 0 ? axis : normal, 0};
    return tg_apply_at(site, NULL, &tg__op_gather, &attr, (tg_tensor[]){x, index}, 2);
}

/* ------------------------------------------------------------------ index_select, embedding: gathers of other names */

static tg_status index_select_infer(tg_infer *f) {
    if (f->in_shape[1]->rank != 1) return tg_infer_fail(f, TG_ESHAPE, "the index has rank %d, not 1", f->in_shape[1]->rank);
    return gather_infer(f);
}

const tg_op tg__op_index_select = {
    GATHER(index_select, "y[..., i, ...] = x[..., index[i], ...]"),
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (4, 3)), BELOW(4, (7))), AXIS(0, 0)),
            SAMPLE("columns", INPUTS(IN('f', (3, 5)), BELOW32(5, (2))), AXIS(1, 0)),
            SAMPLE("no index", INPUTS(IN('f', (4, 3)), BELOW(4, (0))), AXIS(0, 0))),
    BADS(BAD("an index matrix", TG_ESHAPE, "the index has rank 2, not 1", INPUTS(IN('f', (4, 3)), BELOW(4, (2, 2))),
             AXIS(0, 0)),
         BAD("a float index", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4, 3)), IN('f', (2))), AXIS(0, 0)),
         BAD("axis out of range", TG_EARG, "axis 2", INPUTS(IN('f', (4, 3)), BELOW(3, (2))), AXIS(2, 0)),
         BAD("past the end", TG_EINDEX, "index 4 at position 0 is not in [0, 4)",
             INPUTS(IN('f', (4, 3)), IN('i', (2), .lo = 4, .hi = 4)), AXIS(0, 0)),
         BAD("negative", TG_EINDEX, "index -1", INPUTS(IN('f', (4, 3)), IN('j', (2), .lo = -1, .hi = -1)), AXIS(0, 0))),
};

/*| tg_index_select: takes slices along an axis by their numbers: tg_gather of a vector of numbers.
 *    y[..., i, ...] = x[..., index[i], ...]
 *  Shapes:   x (..., n, ...), index (m) -> y (..., m, ...)
 *  Dtypes:   x every dtype; index i64 or i32
 *  Gradient: dx = sum of g over the places where a slice was taken to, in their order
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if index has not rank 1; TG_EDTYPE if it is not i64 or i32; when
 *            run, TG_EINDEX if an index is not in [0, n)
 *  Source:   elementary */
TG_API(tg_tensor, tg_index_select, (tg_tensor x, int64_t axis, tg_tensor index), (x, axis, index)) {
    int normal = tg_infer_axis(axis, tg_shape_of(x).rank);
    index_attr attr = {normal < 0 ? axis : normal, 0};
    return tg_apply_at(site, NULL, &tg__op_index_select, &attr, (tg_tensor[]){x, index}, 2);
}

static tg_status embedding_infer(tg_infer *f) { return gather_infer(f); }

const tg_op tg__op_embedding = {
    GATHER(embedding, "y[i..., ...] = weight[index[i...], ...]"),
    SAMPLES(SAMPLE("a sentence", INPUTS(IN('f', (5, 3)), BELOW(5, (4))), AXIS(0, 0)),
            SAMPLE("sentences", INPUTS(IN('f', (5, 3)), BELOW32(5, (2, 4))), AXIS(0, 0)),
            SAMPLE("one word", INPUTS(IN('f', (5, 3)), BELOW(5, ())), AXIS(0, 0)),
            SAMPLE("no word", INPUTS(IN('f', (5, 3)), BELOW(5, (0))), AXIS(0, 0))),
    BADS(BAD("a float index", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (5, 3)), IN('f', (2))), AXIS(0, 0)),
         BAD("a number for the weight", TG_EARG, "rank 0", INPUTS(IN('f', ()), BELOW(5, (2))), AXIS(0, 0)),
         BAD("rank too high", TG_ESHAPE, "rank 9", INPUTS(IN('f', (1, 1, 1, 1, 1)), BELOW(1, (1, 1, 1, 1, 1))), AXIS(0, 0)),
         BAD("past the end", TG_EINDEX, "index 5 at position 0 is not in [0, 5)",
             INPUTS(IN('f', (5, 3)), IN('i', (2), .lo = 5, .hi = 5)), AXIS(0, 0)),
         BAD("negative", TG_EINDEX, "index -1", INPUTS(IN('f', (5, 3)), IN('j', (2), .lo = -1, .hi = -1)), AXIS(0, 0))),
};

/*| tg_embedding: the rows of a weight that belong to words: tg_gather along axis 0. A word outside of the table is an error.
 *    y[i..., ...] = weight[index[i...], ...]
 *  Shapes:   weight (words, ...), index (any) -> y (index's shape, ...)
 *  Dtypes:   weight every dtype; index i64 or i32
 *  Gradient: dweight = sum of g over the places of each word, in their order
 *  Errors:   TG_EDTYPE if index is not i64 or i32; TG_EARG if weight has rank 0; when run, TG_EINDEX if an index is not in
 *            [0, words)
 *  Source:   elementary */
TG_API(tg_tensor, tg_embedding, (tg_tensor weight, tg_tensor index), (weight, index)) {
    return tg_apply_at(site, NULL, &tg__op_embedding, &(index_attr){0, 0}, (tg_tensor[]){weight, index}, 2);
}

/* ------------------------------------------------------------------ gather_grad: (g, index) -> the cotangent of gather's x */

static tg_status gather_grad_infer(tg_infer *f) {
    const index_attr *attr = f->attr;
    const tg_shape *g = f->in_shape[0], *index = f->in_shape[1];
    if (!tg__is_index(f->in_dtype[1]))
        return tg_infer_fail(f, TG_EDTYPE, "the index must be i64 or i32, not %s", tg_dtype_name(f->in_dtype[1]));
    if (!tg_dtype_is_float(f->in_dtype[0])) return tg_infer_fail(f, TG_EDTYPE, "the cotangent must be f32 or f64");
    if (attr->axis < 0 || attr->axis > g->rank - index->rank || attr->n < 0)
        return tg_infer_fail(f, TG_EARG, "axis %lld, %lld elements", (long long)attr->axis, (long long)attr->n);
    if (g->rank - index->rank + 1 > TG_MAX_RANK) return tg_infer_fail(f, TG_ESHAPE, "the rank is more than %d", TG_MAX_RANK);
    for (int i = 0; i < index->rank; i++)
        if (g->dims[attr->axis + i] != index->dims[i])
            return tg_infer_fail(f, TG_ESHAPE, "dimension %d of the index is %lld, but that of the cotangent %lld", i,
                                 (long long)index->dims[i], (long long)g->dims[attr->axis + i]);
    f->shape[0].rank = 0;
    for (int i = 0; i < attr->axis; i++) f->shape[0].dims[f->shape[0].rank++] = g->dims[i];
    f->shape[0].dims[f->shape[0].rank++] = attr->n;
    for (int i = (int)attr->axis + index->rank; i < g->rank; i++) f->shape[0].dims[f->shape[0].rank++] = g->dims[i];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

typedef struct scatter_run {
    const tg_operand *index, *g;
    void *y;
    int64_t count, n, inner;
} scatter_run;

/* Rows [begin, end) of y, each the sum of its rows of g in order of their positions: threads share rows, never a sum. An index
 * out of range was refused by gather; here it would be left out. */
#define SCATTER(T)                                                                              \
    for (int64_t outer = begin / r->n; outer * r->n < end; outer++) {                           \
        int64_t from = outer * r->n < begin ? begin - outer * r->n : 0;                         \
        int64_t to = end - outer * r->n < r->n ? end - outer * r->n : r->n;                     \
        const T *g = (const T *)r->g->data + outer * r->count * r->inner;                       \
        T *y = (T *)r->y + outer * r->n * r->inner;                                             \
        memset(y + from * r->inner, 0, (size_t)((to - from) * r->inner) * sizeof *y);           \
        for (int64_t i = 0; i < r->count; i++) {                                                \
            int64_t at = tg__index_at(r->index, i);                                                 \
            if (at < from || at >= to) continue;                                                \
            for (int64_t j = 0; j < r->inner; j++) y[at * r->inner + j] += g[i * r->inner + j]; \
        }                                                                                       \
    }

static void scatter_piece(int64_t begin, int64_t end, void *ctx) {
    const scatter_run *r = ctx;
    if (r->g->dtype == TG_F32) SCATTER(float)
    else SCATTER(double)
}

static tg_status gather_grad_kernel(tg_kernel_args *k) {
    const tg_operand *g = &k->in[0], *index = &k->in[1], *y = &k->out[0];
    int axis = (int)((const index_attr *)k->attr)->axis;
    if (!y->numel) return TG_OK;
    scatter_run r = {index, g, y->data, index->numel, y->shape->dims[axis], tg__extent(y->shape, axis + 1, y->shape->rank)};
    double bytes = (double)(2 * g->numel + y->numel) * (double)tg_dtype_size(g->dtype);
    tg_parallel(k->threads, y->numel / r.inner, bytes, scatter_piece, &r);
    return TG_OK;
}

static tg_status gather_grad_ref(tg_kernel_args *k) {
    const tg_operand *g = &k->in[0], *index = &k->in[1], *y = &k->out[0];
    int axis = (int)((const index_attr *)k->attr)->axis;
    int64_t n = y->shape->dims[axis], inner = tg__extent(y->shape, axis + 1, y->shape->rank);
    for (int64_t i = 0; i < y->numel; i++) ((double *)y->data)[i] = 0;
    for (int64_t i = 0; i < g->numel; i++) {
        int64_t outer = i / (index->numel * inner), at = tg__index_at(index, i / inner % index->numel);
        ((double *)y->data)[(outer * n + at) * inner + i % inner] += ((const double *)g->data)[i];
    }
    return TG_OK;
}

static void gather_grad_vjp(tg_vjp_args *v) {
    int64_t axis = ((const index_attr *)v->attr)->axis;
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, tg_gather(v->g[0], axis, v->in[1]));
}

const tg_op tg__op_gather_grad = {
    .name = "gather_grad",
    .formula = "y[..., j, ...] = sum of g[..., i..., ...] where index[i...] = j",
    .source = "elementary",
    .min_in = 2,
    .max_in = 2,
    .attr_size = sizeof(index_attr),
    .fields = index_fields,
    .infer = gather_grad_infer,
    .vjp = gather_grad_vjp,
    .kernel = gather_grad_kernel,
    .ref = gather_grad_ref,
    .flops = tg__reads_all,
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (7, 3)), BELOW(4, (7))), AXIS(0, 4)),
            SAMPLE("columns", INPUTS(IN('f', (3, 6)), BELOW32(5, (6))), AXIS(1, 5)),
            SAMPLE("the middle", INPUTS(IN('f', (2, 5, 3)), BELOW(4, (5))), AXIS(1, 4)),
            SAMPLE("an index matrix", INPUTS(IN('f', (2, 5, 3)), BELOW(4, (2, 5))), AXIS(0, 4)),
            SAMPLE("an index of rank 0", INPUTS(IN('f', (3)), BELOW(4, ())), AXIS(0, 4)),
            SAMPLE("no index", INPUTS(IN('f', (0, 3)), BELOW(4, (0))), AXIS(0, 4))),
    BADS(BAD("a float index", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4, 3)), IN('f', (4))), AXIS(0, 5)),
         BAD("a cotangent of whole numbers", TG_EDTYPE, "f32 or f64", INPUTS(IN('i', (4, 3)), BELOW(4, (4))), AXIS(0, 5)),
         BAD("another index", TG_ESHAPE, "dimension 0 of the index is 5", INPUTS(IN('f', (4, 3)), BELOW(4, (5))), AXIS(0, 5)),
         BAD("axis out of range", TG_EARG, "axis 2", INPUTS(IN('f', (4, 3)), BELOW(4, (4))), AXIS(2, 5)),
         BAD("no index", TG_EARG, "not 1", INPUTS(IN('f', (4, 3))), AXIS(0, 5))),
};

/* ------------------------------------------------------------------ one_hot */

typedef struct one_hot_attr {
    int64_t n;
    tg_dtype dtype;
} one_hot_attr;
static const tg_field one_hot_fields[] = {
    {"n", TG_FIELD_INT, offsetof(one_hot_attr, n)},
    {"dtype", TG_FIELD_DTYPE, offsetof(one_hot_attr, dtype)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_status one_hot_infer(tg_infer *f) {
    const one_hot_attr *attr = f->attr;
    if (!tg__is_index(f->in_dtype[0]))
        return tg_infer_fail(f, TG_EDTYPE, "the index must be i64 or i32, not %s", tg_dtype_name(f->in_dtype[0]));
    if ((unsigned)attr->dtype >= TG_DTYPE_COUNT) return tg_infer_fail(f, TG_EDTYPE, "%d is no dtype", (int)attr->dtype);
    if (attr->n < 0 || (f->in_dtype[0] == TG_I32 && attr->n > INT32_MAX))
        return tg_infer_fail(f, TG_EARG, "%lld classes", (long long)attr->n);
    if (f->in_shape[0]->rank == TG_MAX_RANK)
        return tg_infer_fail(f, TG_ESHAPE, "rank %d is more than %d", TG_MAX_RANK + 1, TG_MAX_RANK);
    f->shape[0] = *f->in_shape[0];
    f->shape[0].dims[f->shape[0].rank++] = attr->n;
    f->dtype[0] = attr->dtype;
    return TG_OK;
}

static tg_tensor one_hot_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    const one_hot_attr *a = attr;
    return tg_cast(tg_eq(tg_unsqueeze(in[0], TG_AXES(-1)), tg_arange(t, a->n, tg_dtype_of(in[0]))), a->dtype);
}

#define CLASSES(n, d) .attr = &(const one_hot_attr){n, d}

const tg_op tg__op_one_hot = {
    .name = "one_hot",
    .formula = "y[..., c] = 1 where index = c, else 0",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(one_hot_attr),
    .fields = one_hot_fields,
    .infer = one_hot_infer,
    .define = one_hot_define,
    SAMPLES(SAMPLE("a vector", INPUTS(BELOW(4, (6))), CLASSES(4, TG_F32)),
            SAMPLE("a matrix", INPUTS(BELOW32(3, (2, 3))), CLASSES(3, TG_F64)),
            SAMPLE("rank 0", INPUTS(BELOW(4, ())), CLASSES(4, TG_BOOL)),
            SAMPLE("nothing", INPUTS(BELOW(4, (0))), CLASSES(4, TG_I64))),
    BADS(BAD("a float index", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (3))), CLASSES(4, TG_F32)),
         BAD("a negative number of classes", TG_EARG, "-1 classes", INPUTS(BELOW(4, (3))), CLASSES(-1, TG_F32)),
         BAD("no dtype", TG_EDTYPE, "77 is no dtype", INPUTS(BELOW(4, (3))), CLASSES(4, (tg_dtype)77)),
         BAD("two inputs", TG_EARG, "not 2", INPUTS(BELOW(4, (3)), BELOW(4, (3))), CLASSES(4, TG_F32)),
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(BELOW(4, (3))))),
};

/*| tg_one_hot: rows with a single one, at the place that index says; all zeros where index is not in [0, n).
 *    y[..., c] = 1 where index = c, else 0
 *  Shapes:   index (...) -> y (..., n)
 *  Dtypes:   index i64 or i32 -> dtype
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if index is not i64 or i32, or dtype is none; TG_EARG if n < 0
 *  Source:   elementary */
TG_API(tg_tensor, tg_one_hot, (tg_tensor index, int64_t n, tg_dtype dtype), (index, n, dtype)) {
    one_hot_attr attr = {n, dtype};
    return tg_apply_at(site, NULL, &tg__op_one_hot, &attr, &index, 1);
}

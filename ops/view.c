/* Shapes and views */
#include "ops/op_file.h"

static char *text_of(const tg_shape *s, char buf[160]) {
    return tg__shape_text(s, buf, 160);
}

/* ------------------------------------------------------------------ reshape */

typedef struct shape_attr {
    tg_shape shape;
} shape_attr;
static const tg_field shape_fields[] = {{"shape", TG_FIELD_SHAPE, offsetof(shape_attr, shape)}, {NULL, TG_FIELD_INT, 0}};

/* Puts what is left in the place of a -1; leaves the shape as it is where that cannot be. */
static tg_shape resolve_rest(tg_shape shape, int64_t numel) {
    int unknown = -1;
    int64_t known = 1;
    if (shape.rank < 0 || shape.rank > TG_MAX_RANK) return shape;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dims[i] == -1 && unknown < 0) unknown = i;
        else if (shape.dims[i] <= 0 || __builtin_mul_overflow(known, shape.dims[i], &known)) return shape;
    }
    if (unknown >= 0 && numel % known == 0) shape.dims[unknown] = numel / known;
    return shape;
}

static tg_status reshape_infer(tg_infer *f) {
    const tg_shape *to = &((const shape_attr *)f->attr)->shape, *from = f->in_shape[0];
    char text[160];
    if (to->rank < 0 || to->rank > TG_MAX_RANK)
        return tg_infer_fail(f, TG_ESHAPE, "rank %d is not between 0 and %d", to->rank, TG_MAX_RANK);
    if (tg_shape_numel(to) != tg_shape_numel(from))
        return tg_infer_fail(f, TG_ESHAPE, "%lld elements do not fill the shape %s", (long long)tg_shape_numel(from),
                             text_of(to, text));
    f->shape[0] = *to;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

/* Where the runs of axes with equal products split, and their strides are those of one axis, the memory can be seen anew. */
static bool reshape_view(tg_view_args *v) {
    const tg_shape *in = v->in_shape, *out = v->out_shape;
    int i = 0, o = 0;
    if (tg_shape_numel(in) == 0) {
        tg__packed_strides(out, v->out_strides);
        return true;
    }
    while (i < in->rank || o < out->rank) {
        int64_t in_run = i < in->rank ? in->dims[i] : 1, out_run = o < out->rank ? out->dims[o] : 1;
        int first_in = i, first_out = o;
        i += i < in->rank;
        o += o < out->rank;
        while (in_run != out_run) {
            if (in_run < out_run) in_run *= in->dims[i++];
            else out_run *= out->dims[o++];
        }
        int64_t step = 1, expected = 0; /* of the run, seen as one axis, from its end */
        bool found = false;
        for (int a = i - 1; a >= first_in; a--) {
            if (in->dims[a] == 1) continue;
            if (found && v->in_strides[a] != expected) return false;
            if (!found) step = v->in_strides[a];
            found = true;
            expected = v->in_strides[a] * in->dims[a];
        }
        for (int a = o - 1; a >= first_out; a--) {
            v->out_strides[a] = step;
            step *= out->dims[a];
        }
    }
    return true;
}

static void reshape_vjp(tg_vjp_args *v) {
    tg_vjp_give(v, 0, tg_reshape(v->g[0], tg_shape_of(v->in[0])));
}

static tg_status copy_ref(tg_kernel_args *k) {
    if (k->out[0].numel) memcpy(k->out[0].data, k->in[0].data, (size_t)k->out[0].numel * tg_dtype_size(k->out[0].dtype));
    return TG_OK;
}

#define TO(...) .attr = &(const shape_attr){DIMS(__VA_ARGS__)}

const tg_op tg__op_reshape = {
    .name = "reshape",
    .formula = "y = the elements of x, in order, in another shape",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(shape_attr),
    .fields = shape_fields,
    .infer = reshape_infer,
    .vjp = reshape_vjp,
    .view = reshape_view,
    .ref = copy_ref,
    SAMPLES(SAMPLE("flat", INPUTS(IN('f', (3, 4))), TO(12)), SAMPLE("split", INPUTS(IN('f', (12))), TO(2, 3, 2)),
            SAMPLE("regrouped", INPUTS(IN('f', (4, 6))), TO(3, 8)), SAMPLE("ones", INPUTS(IN('f', (3, 4))), TO(1, 3, 1, 4, 1)),
            SAMPLE("to rank 0", INPUTS(IN('f', (1, 1))), TO()), SAMPLE("from rank 0", INPUTS(IN('f', ())), TO(1)),
            SAMPLE("size 0", INPUTS(IN('f', (2, 0, 3))), TO(0, 5))),
    BADS(BAD("too many elements", TG_ESHAPE, "12 elements do not fill the shape (3, 5)", INPUTS(IN('f', (3, 4))), TO(3, 5)),
         BAD("a negative dimension", TG_ESHAPE, "do not fill", INPUTS(IN('f', (3, 4))), TO(-3, -4)),
         BAD("an overflow", TG_ESHAPE, "do not fill", INPUTS(IN('f', (3, 4))), TO(INT64_MAX, INT64_MAX)),
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3, 4)))),
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3, 4)), IN('f', (3, 4))), TO(12))),
};

/*| tg_reshape: the same elements, in row-major order, in another shape. One dimension may be -1: what is left.
 *    y = the elements of x, in order, in another shape
 *  Shapes:   x (any) -> y shape
 *  Dtypes:   every dtype
 *  Gradient: dx = g in the shape of x
 *  Errors:   TG_ESHAPE if the shape has not as many elements as x, or x has no elements and a dimension is -1
 *  Source:   elementary */
TG_API(tg_tensor, tg_reshape, (tg_tensor x, tg_shape shape), (x, shape)) {
    shape_attr attr = {resolve_rest(shape, tg_numel(x))};
    tg_shape own = tg_shape_of(x);
    if (tg_tape_of(x) && tg_valid(x) && tg_shape_equal(&own, &attr.shape)) return x;
    tg_tensor constant = tg_numel(x) == tg_shape_numel(&attr.shape) ? tg__reshaped_constant(x, &attr.shape) : (tg_tensor){0};
    return constant.owner ? constant : tg_apply_at(site, NULL, &tg__op_reshape, &attr, &x, 1);
}

/* ------------------------------------------------------------------ squeeze, unsqueeze: by reshape */

typedef struct axes_attr {
    tg_axes axes;
} axes_attr;
static const tg_field axes_fields[] = {{"axes", TG_FIELD_AXES, offsetof(axes_attr, axes)}, {NULL, TG_FIELD_INT, 0}};

/* Whether the axes are in range and different, where rank axes are there. */
static bool mark_axes(const tg_axes *axes, int rank, bool *marked) {
    memset(marked, 0, TG_MAX_RANK * sizeof *marked);
    if (axes->n < 0 || axes->n > TG_MAX_RANK || rank > TG_MAX_RANK) return false;
    for (int i = 0; i < axes->n; i++) {
        int axis = tg_infer_axis(axes->axis[i], rank);
        if (axis < 0 || marked[axis]) return false;
        marked[axis] = true;
    }
    return true;
}

static tg_status squeeze_infer(tg_infer *f) {
    const tg_shape *s = f->in_shape[0];
    bool gone[TG_MAX_RANK];
    if (!mark_axes(&((const axes_attr *)f->attr)->axes, s->rank, gone))
        return tg_infer_fail(f, TG_EARG, "the axes are out of range or stand twice");
    f->shape[0].rank = 0;
    for (int i = 0; i < s->rank; i++) {
        if (!gone[i]) f->shape[0].dims[f->shape[0].rank++] = s->dims[i];
        else if (s->dims[i] != 1) return tg_infer_fail(f, TG_ESHAPE, "axis %d has size %lld, not 1", i, (long long)s->dims[i]);
    }
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_status unsqueeze_infer(tg_infer *f) {
    const tg_shape *s = f->in_shape[0];
    const tg_axes *axes = &((const axes_attr *)f->attr)->axes;
    bool added[TG_MAX_RANK];
    if (axes->n > 0 && s->rank + axes->n > TG_MAX_RANK)
        return tg_infer_fail(f, TG_ESHAPE, "rank %d is more than %d", s->rank + (int)axes->n, TG_MAX_RANK);
    if (!mark_axes(axes, s->rank + axes->n, added))
        return tg_infer_fail(f, TG_EARG, "the axes are out of range or stand twice");
    f->shape[0].rank = s->rank + axes->n;
    for (int i = 0, from = 0; i < f->shape[0].rank; i++) f->shape[0].dims[i] = added[i] ? 1 : s->dims[from++];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

/* Both were checked by infer. */
static tg_tensor squeeze_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    tg_shape s = tg_shape_of(in[0]), out = {0, {0}};
    bool gone[TG_MAX_RANK];
    mark_axes(&((const axes_attr *)attr)->axes, s.rank, gone);
    for (int i = 0; i < s.rank; i++)
        if (!gone[i]) out.dims[out.rank++] = s.dims[i];
    return tg_reshape(in[0], out);
}

static tg_tensor unsqueeze_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    const tg_axes *axes = &((const axes_attr *)attr)->axes;
    tg_shape s = tg_shape_of(in[0]), out = {s.rank + axes->n, {0}};
    bool added[TG_MAX_RANK];
    mark_axes(axes, out.rank, added);
    for (int i = 0, from = 0; i < out.rank; i++) out.dims[i] = added[i] ? 1 : s.dims[from++];
    return tg_reshape(in[0], out);
}

#define AXES(...) \
    .attr = &(const axes_attr){{(int32_t)(sizeof((int32_t[]){0, __VA_ARGS__}) / sizeof(int32_t) - 1), {__VA_ARGS__ + 0}}}

const tg_op tg__op_squeeze = {
    .name = "squeeze",
    .formula = "y = x without axes of size 1",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(axes_attr),
    .fields = axes_fields,
    .infer = squeeze_infer,
    .define = squeeze_define,
    SAMPLES(SAMPLE("one axis", INPUTS(IN('f', (3, 1, 4))), AXES(1)),
            SAMPLE("two axes", INPUTS(IN('f', (1, 3, 1))), AXES(-1, 0)), SAMPLE("to rank 0", INPUTS(IN('f', (1))), AXES(0)),
            SAMPLE("size 0", INPUTS(IN('f', (0, 1))), AXES(1))),
    BADS(BAD("not of size 1", TG_ESHAPE, "axis 1 has size 4", INPUTS(IN('f', (3, 4))), AXES(1)),
         BAD("out of range", TG_EARG, "out of range", INPUTS(IN('f', (1, 4))), AXES(2)),
         BAD("twice", TG_EARG, "twice", INPUTS(IN('f', (1, 4))), AXES(0, -2)),
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (1, 4)), IN('f', (1, 4))), AXES(0)),
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (1, 4))))),
};

/*| tg_squeeze: drops axes of size 1.
 *    y = x without axes of size 1
 *  Shapes:   x (any) -> y without the axes
 *  Dtypes:   every dtype
 *  Gradient: dx = g in the shape of x
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if its size is not 1
 *  Source:   elementary */
TG_API(tg_tensor, tg_squeeze, (tg_tensor x, tg_axes axes), (x, axes)) {
    axes_attr attr = {axes};
    return tg_apply_at(site, NULL, &tg__op_squeeze, &attr, &x, 1);
}

const tg_op tg__op_unsqueeze = {
    .name = "unsqueeze",
    .formula = "y = x with new axes of size 1",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(axes_attr),
    .fields = axes_fields,
    .infer = unsqueeze_infer,
    .define = unsqueeze_define,
    SAMPLES(SAMPLE("in front", INPUTS(IN('f', (3, 4))), AXES(0)), SAMPLE("at the end", INPUTS(IN('f', (3, 4))), AXES(-1)),
            SAMPLE("two axes", INPUTS(IN('f', (3))), AXES(0, 2)), SAMPLE("rank 0", INPUTS(IN('f', ())), AXES(0)),
            SAMPLE("size 0", INPUTS(IN('f', (0))), AXES(1))),
    BADS(BAD("out of range", TG_EARG, "out of range", INPUTS(IN('f', (3, 4))), AXES(3)),
         BAD("twice", TG_EARG, "twice", INPUTS(IN('f', (3, 4))), AXES(1, 1)),
         BAD("rank too high", TG_ESHAPE, "more than 8", INPUTS(IN('f', (1, 1, 1, 1, 1, 1, 1))), AXES(0, 1)),
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3, 4)), IN('f', (3, 4))), AXES(0)),
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3, 4))))),
};

/*| tg_unsqueeze: adds axes of size 1; they are counted in the result.
 *    y = x with new axes of size 1
 *  Shapes:   x (any) -> y of a higher rank
 *  Dtypes:   every dtype
 *  Gradient: dx = g in the shape of x
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if the rank would be more than 8
 *  Source:   elementary */
TG_API(tg_tensor, tg_unsqueeze, (tg_tensor x, tg_axes axes), (x, axes)) {
    axes_attr attr = {axes};
    return tg_apply_at(site, NULL, &tg__op_unsqueeze, &attr, &x, 1);
}

/* ------------------------------------------------------------------ transpose, permute */

static tg_status ref_by_view(tg_kernel_args *k, bool (*view)(tg_view_args *)) {
    const tg_operand *x = &k->in[0], *y = &k->out[0];
    int64_t strides[TG_MAX_RANK] = {0};
    tg_view_args v = {x->shape, y->shape, x->strides, k->attr, strides, 0};
    if (!view(&v)) return TG_EINTERNAL;
    for (int64_t i = 0; i < y->numel; i++) {
        int64_t rest = i, at = v.offset;
        for (int a = y->shape->rank - 1; a >= 0; a--) {
            at += rest % y->shape->dims[a] * strides[a];
            rest /= y->shape->dims[a];
        }
        ((double *)y->data)[i] = ((const double *)x->data)[at];
    }
    return TG_OK;
}

static tg_status transpose_infer(tg_infer *f) {
    const tg_shape *s = f->in_shape[0];
    if (s->rank < 2) return tg_infer_fail(f, TG_ESHAPE, "rank %d is less than 2", s->rank);
    f->shape[0] = *s;
    f->shape[0].dims[s->rank - 2] = s->dims[s->rank - 1];
    f->shape[0].dims[s->rank - 1] = s->dims[s->rank - 2];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static bool transpose_view(tg_view_args *v) {
    int rank = v->in_shape->rank;
    memcpy(v->out_strides, v->in_strides, (size_t)rank * sizeof *v->in_strides);
    v->out_strides[rank - 2] = v->in_strides[rank - 1];
    v->out_strides[rank - 1] = v->in_strides[rank - 2];
    return true;
}

static void transpose_vjp(tg_vjp_args *v) {
    tg_vjp_give(v, 0, tg_transpose(v->g[0]));
}

/* y[i, j] = x[j, i] for each matrix. */
static tg_status transpose_ref(tg_kernel_args *k) {
    int rank = k->in[0].shape->rank;
    int64_t rows = k->in[0].shape->dims[rank - 2], columns = k->in[0].shape->dims[rank - 1], size = rows * columns;
    const double *x = k->in[0].data;
    double *y = k->out[0].data;
    for (int64_t i = 0; i < k->out[0].numel; i++) y[i] = x[i / size * size + i % rows * columns + i % size / rows];
    return TG_OK;
}

const tg_op tg__op_transpose = {
    .name = "transpose",
    .formula = "y[..., i, j] = x[..., j, i]",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .infer = transpose_infer,
    .vjp = transpose_vjp,
    .view = transpose_view,
    .ref = transpose_ref,
    SAMPLES(SAMPLE("a matrix", INPUTS(IN('f', (3, 4)))), SAMPLE("a batch", INPUTS(IN('f', (2, 3, 4)))),
            SAMPLE("one row", INPUTS(IN('f', (1, 5)))), SAMPLE("size 0", INPUTS(IN('f', (2, 0, 3))))),
    BADS(BAD("a vector", TG_ESHAPE, "rank 1", INPUTS(IN('f', (3)))), BAD("rank 0", TG_ESHAPE, "rank 0", INPUTS(IN('f', ()))),
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3, 4)), IN('f', (3, 4)))), BAD("no input", TG_EARG, "not 0", ),
         BAD("a vector of bool", TG_ESHAPE, "(3) bool", INPUTS(IN('b', (3))))),
};

/*| tg_transpose: swaps the last two axes.
 *    y[..., i, j] = x[..., j, i]
 *  Shapes:   x (..., m, n) -> y (..., n, m)
 *  Dtypes:   every dtype
 *  Gradient: dx = g with the last two axes swapped
 *  Errors:   TG_ESHAPE if the rank is less than 2
 *  Source:   elementary */
TG_API(tg_tensor, tg_transpose, (tg_tensor x), (x)) {
    return tg_apply_at(site, NULL, &tg__op_transpose, NULL, &x, 1);
}

static tg_status permute_infer(tg_infer *f) {
    const tg_shape *s = f->in_shape[0];
    const tg_axes *axes = &((const axes_attr *)f->attr)->axes;
    bool used[TG_MAX_RANK];
    if (axes->n != s->rank || !mark_axes(axes, s->rank, used))
        return tg_infer_fail(f, TG_EARG, "the axes are not 0 to %d in some order", s->rank - 1);
    f->shape[0].rank = s->rank;
    for (int i = 0; i < s->rank; i++) f->shape[0].dims[i] = s->dims[tg_infer_axis(axes->axis[i], s->rank)];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static bool permute_view(tg_view_args *v) {
    const tg_axes *axes = &((const axes_attr *)v->attr)->axes;
    for (int i = 0; i < axes->n; i++) v->out_strides[i] = v->in_strides[tg_infer_axis(axes->axis[i], axes->n)];
    return true;
}

static tg_status permute_ref(tg_kernel_args *k) { return ref_by_view(k, permute_view); }

static void permute_vjp(tg_vjp_args *v) {
    const tg_axes *axes = &((const axes_attr *)v->attr)->axes;
    tg_axes back = {axes->n, {0}};
    for (int i = 0; i < axes->n; i++) back.axis[tg_infer_axis(axes->axis[i], axes->n)] = i;
    tg_vjp_give(v, 0, tg_permute(v->g[0], back));
}

const tg_op tg__op_permute = {
    .name = "permute",
    .formula = "axis i of y = axis axes[i] of x",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(axes_attr),
    .fields = axes_fields,
    .infer = permute_infer,
    .vjp = permute_vjp,
    .view = permute_view,
    .ref = permute_ref,
    SAMPLES(SAMPLE("three axes", INPUTS(IN('f', (2, 3, 4))), AXES(2, 0, 1)),
            SAMPLE("four axes", INPUTS(IN('f', (2, 3, 1, 4))), AXES(3, 1, 0, 2)),
            SAMPLE("unchanged", INPUTS(IN('f', (3, 4))), AXES(0, 1)), SAMPLE("rank 0", INPUTS(IN('f', ())), AXES()),
            SAMPLE("size 0", INPUTS(IN('f', (2, 0))), AXES(1, 0))),
    BADS(BAD("an axis missing", TG_EARG, "0 to 1", INPUTS(IN('f', (3, 4))), AXES(0)),
         BAD("an axis twice", TG_EARG, "0 to 1", INPUTS(IN('f', (3, 4))), AXES(1, 1)),
         BAD("out of range", TG_EARG, "0 to 1", INPUTS(IN('f', (3, 4))), AXES(0, 2)),
         BAD("an axis too many", TG_EARG, "0 to 1", INPUTS(IN('f', (3, 4))), AXES(0, 1, 1)),
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3, 4)), IN('f', (3, 4))), AXES(1, 0))),
};

/*| tg_permute: the axes in another order.
 *    axis i of y = axis axes[i] of x
 *  Shapes:   x (any) -> y with the dimensions in that order
 *  Dtypes:   every dtype
 *  Gradient: dx = g with its axes put back
 *  Errors:   TG_EARG if the axes are not all axes of x in some order
 *  Source:   elementary */
TG_API(tg_tensor, tg_permute, (tg_tensor x, tg_axes axes), (x, axes)) {
    axes_attr attr = {axes};
    int rank = tg_shape_of(x).rank;
    for (int i = 0; i < axes.n && i < TG_MAX_RANK; i++)
        if (tg_infer_axis(axes.axis[i], rank) >= 0) attr.axes.axis[i] = tg_infer_axis(axes.axis[i], rank);
    return tg_apply_at(site, NULL, &tg__op_permute, &attr, &x, 1);
}

/* ------------------------------------------------------------------ expand */

static tg_status expand_infer(tg_infer *f) {
    const tg_shape *to = &((const shape_attr *)f->attr)->shape;
    tg_shape both;
    char text[160];
    if (to->rank < 0 || to->rank > TG_MAX_RANK)
        return tg_infer_fail(f, TG_ESHAPE, "rank %d is not between 0 and %d", to->rank, TG_MAX_RANK);
    if (!tg_broadcast(f->in_shape[0], to, &both, NULL) || !tg_shape_equal(&both, to))
        return tg_infer_fail(f, TG_ESHAPE, "does not broadcast to %s", text_of(to, text));
    f->shape[0] = *to;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static bool expand_view(tg_view_args *v) {
    tg__broadcast_strides(v->in_shape, v->in_strides, v->out_shape, v->out_strides);
    return true;
}

static tg_status expand_ref(tg_kernel_args *k) { return ref_by_view(k, expand_view); }

static void expand_vjp(tg_vjp_args *v) {
    tg_shape s = tg_shape_of(v->in[0]);
    tg_vjp_give(v, 0, tg__sum_to(v->g[0], &s));
}

const tg_op tg__op_expand = {
    .name = "expand",
    .formula = "y = x, repeated along axes of size 1 and new axes in front",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(shape_attr),
    .fields = shape_fields,
    .infer = expand_infer,
    .vjp = expand_vjp,
    .view = expand_view,
    .ref = expand_ref,
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (1, 4))), TO(3, 4)), SAMPLE("columns", INPUTS(IN('f', (3, 1))), TO(3, 4)),
            SAMPLE("new axes", INPUTS(IN('f', (3))), TO(2, 2, 3)), SAMPLE("unchanged", INPUTS(IN('f', (3, 4))), TO(3, 4)),
            SAMPLE("a number", INPUTS(IN('f', ())), TO(2, 3)), SAMPLE("size 0", INPUTS(IN('f', (1, 3))), TO(0, 3))),
    BADS(BAD("a clash", TG_ESHAPE, "does not broadcast to (3, 5)", INPUTS(IN('f', (3, 4))), TO(3, 5)),
         BAD("a smaller rank", TG_ESHAPE, "does not broadcast", INPUTS(IN('f', (3, 4))), TO(4)),
         BAD("a negative dimension", TG_ESHAPE, "negative", INPUTS(IN('f', (1, 4))), TO(-1, 4)),
         BAD("an overflow", TG_ESHAPE, "more elements", INPUTS(IN('f', (1, 4))), TO(INT64_MAX, 4)),
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (1, 4)), IN('f', (1, 4))), TO(3, 4))),
};

/*| tg_expand: repeats x to a shape that it broadcasts to. No memory is used: it is a view.
 *    y = x, repeated along axes of size 1 and new axes in front
 *  Shapes:   x broadcasts to shape -> y shape
 *  Dtypes:   every dtype
 *  Gradient: dx = g summed over what was repeated
 *  Errors:   TG_ESHAPE if x does not broadcast to shape
 *  Source:   elementary */
TG_API(tg_tensor, tg_expand, (tg_tensor x, tg_shape shape), (x, shape)) {
    tg_shape own = tg_shape_of(x), both;
    if (tg_valid(x) && tg_tape_of(x) && shape.rank >= 0 && shape.rank <= TG_MAX_RANK &&
        tg_broadcast(&own, &shape, &both, NULL) && tg_shape_equal(&both, &shape)) {
        tg_tensor constant = tg__reshaped_constant(x, &shape);
        if (tg_shape_equal(&own, &shape)) return x;
        if (constant.owner) return constant;
    }
    shape_attr attr = {shape};
    return tg_apply_at(site, NULL, &tg__op_expand, &attr, &x, 1);
}

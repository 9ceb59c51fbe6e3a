/* Joining */
#include "ops/op_file.h"

typedef struct join_attr {
    int64_t axis;
} join_attr;
static const tg_field join_fields[] = {{"axis", TG_FIELD_INT, offsetof(join_attr, axis)}, {NULL, TG_FIELD_INT, 0}};

/* The output is rows of `row` elements; input i fills `piece` of them in each row, from `at` on. Both ops are this copy. */
typedef struct join_run {
    const tg_operand *in;
    int n;
    char *y;
    size_t size;
    int64_t rows, row;
} join_run;

static int64_t piece_of(const join_run *r, int i) { return r->in[i].numel / r->rows; }

/* Elements [begin, end) of the output. */
static void join_piece(int64_t begin, int64_t end, void *ctx) {
    const join_run *r = ctx;
    int64_t row = begin / r->row, column = begin % r->row, first = 0; /* first: the column where input i begins */
    int i = 0;
    for (int64_t at = begin; at < end;) {
        while (column >= first + piece_of(r, i)) first += piece_of(r, i++);
        const tg_operand *x = &r->in[i];
        int64_t piece = piece_of(r, i), from = column - first, count = piece - from < end - at ? piece - from : end - at;
        char *y = r->y + at * (int64_t)r->size;
        if (tg__is_packed(x->shape, x->strides))
            memcpy(y, (const char *)x->data + (row * piece + from) * (int64_t)r->size, (size_t)count * r->size);
        else
            tg__copy_in(y, x->data, r->size, x->shape, x->strides, row * piece + from, count);
        at += count;
        column += count;
        if (column < r->row) continue;
        column = first = 0;
        i = 0;
        row++;
    }
}

static tg_status join_kernel(tg_kernel_args *k) {
    const tg_operand *y = &k->out[0];
    if (!y->numel) return TG_OK;
    join_run r = {
        k->in, k->n_in, y->data, tg_dtype_size(y->dtype), tg__extent(y->shape, 0, (int)((const join_attr *)k->attr)->axis), 0};
    r.row = y->numel / r.rows;
    tg_parallel(k->threads, y->numel, 2 * (double)y->numel * (double)r.size, join_piece, &r);
    return TG_OK;
}

/* The same by index: element (row, column) comes from the input that covers the column. */
static tg_status join_ref(tg_kernel_args *k) {
    const tg_operand *y = &k->out[0];
    int64_t rows = tg__extent(y->shape, 0, (int)((const join_attr *)k->attr)->axis);
    for (int64_t i = 0; i < y->numel; i++) {
        int64_t row = i / (y->numel / rows), column = i % (y->numel / rows);
        int which = 0;
        for (; column >= k->in[which].numel / rows; which++) column -= k->in[which].numel / rows;
        ((double *)y->data)[i] = ((const double *)k->in[which].data)[row * (k->in[which].numel / rows) + column];
    }
    return TG_OK;
}

static tg_status join_infer(tg_infer *f, int axes) {
    int64_t axis = ((const join_attr *)f->attr)->axis;
    if (axis < 0 || axis >= axes)
        return tg_infer_fail(f, TG_EARG, "axis %lld is not between 0 and %d", (long long)axis, axes - 1);
    for (int i = 1; i < f->n_in; i++) {
        if (f->in_dtype[i] != f->in_dtype[0])
            return tg_infer_fail(f, TG_EDTYPE, "input %d is %s and input 0 is %s: cast one with tg_cast", i,
                                 tg_dtype_name(f->in_dtype[i]), tg_dtype_name(f->in_dtype[0]));
        if (f->in_shape[i]->rank != f->in_shape[0]->rank)
            return tg_infer_fail(f, TG_ESHAPE, "input %d has rank %d and input 0 has rank %d", i, f->in_shape[i]->rank,
                                 f->in_shape[0]->rank);
    }
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_status same_dims(tg_infer *f, int except) {
    for (int i = 1; i < f->n_in; i++)
        for (int a = 0; a < f->in_shape[0]->rank; a++)
            if (a != except && f->in_shape[i]->dims[a] != f->in_shape[0]->dims[a])
                return tg_infer_fail(f, TG_ESHAPE, "dimension %d of input %d is %lld, not %lld", a, i,
                                     (long long)f->in_shape[i]->dims[a], (long long)f->in_shape[0]->dims[a]);
    return TG_OK;
}

/* The part of g that input i filled: elements [at, at + size) of the axis. */
static tg_tensor part_of(tg_tensor g, int64_t axis, int64_t at, int64_t size) {
    return tg_slice(g, axis, at, at + size, 1);
}

#define JOIN(op_name, formula_)                                                                                   \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 1, .max_in = -1, .flags = TG_OP_STRIDED, \
    .attr_size = sizeof(join_attr), .fields = join_fields, .infer = op_name##_infer, .vjp = op_name##_vjp,        \
    .kernel = join_kernel, .ref = join_ref, .flops = tg__no_flops
#define AXIS(n) .attr = &(const join_attr){n}

/* ------------------------------------------------------------------ concat */

static tg_status concat_infer(tg_infer *f) {
    tg_status s = join_infer(f, f->in_shape[0]->rank);
    int axis = (int)((const join_attr *)f->attr)->axis;
    if (!s) s = same_dims(f, axis);
    for (int i = 1; i < f->n_in && !s; i++)
        if (__builtin_add_overflow(f->shape[0].dims[axis], f->in_shape[i]->dims[axis], &f->shape[0].dims[axis]))
            s = tg_infer_fail(f, TG_ESHAPE, "the sizes along axis %d overflow", axis);
    return s;
}

static void concat_vjp(tg_vjp_args *v) {
    int64_t axis = ((const join_attr *)v->attr)->axis, at = 0;
    for (int i = 0; i < v->n_in; i++) {
        int64_t size = tg_shape_of(v->in[i]).dims[axis];
        if (tg_vjp_needs(v, i)) tg_vjp_give(v, i, part_of(v->g[0], axis, at, size));
        at += size;
    }
}

const tg_op tg__op_concat = {
    JOIN(concat, "y = inputs side by side along an axis"),
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (2, 3)), IN('f', (1, 3)), IN('f', (4, 3))), AXIS(0)),
            SAMPLE("columns", INPUTS(IN('f', (2, 3)), IN('f', (2, 1))), AXIS(1)),
            SAMPLE("the middle", INPUTS(IN('f', (2, 3, 2)), IN('f', (2, 2, 2))), AXIS(1)),
            SAMPLE("one input", INPUTS(IN('f', (2, 3))), AXIS(0)),
            SAMPLE("an empty one between", INPUTS(IN('f', (3)), IN('f', (0)), IN('f', (2))), AXIS(0)),
            SAMPLE("nothing", INPUTS(IN('f', (0, 2)), IN('f', (0, 3))), AXIS(1))),
    BADS(BAD("another dimension differs", TG_ESHAPE, "dimension 1 of input 1 is 4, not 3",
             INPUTS(IN('f', (2, 3)), IN('f', (2, 4))), AXIS(0)),
         BAD("ranks differ", TG_ESHAPE, "rank", INPUTS(IN('f', (2, 3)), IN('f', (3))), AXIS(0)),
         BAD("dtypes differ", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3)), IN('i', (3))), AXIS(0)),
         BAD("axis out of range", TG_EARG, "axis 2", INPUTS(IN('f', (2, 3)), IN('f', (2, 3))), AXIS(2)),
         BAD("rank 0", TG_EARG, "axis 0", INPUTS(IN('f', ())), AXIS(0))),
};

/*| tg_concat: n tensors side by side along an axis that they have.
 *    y = inputs side by side along an axis
 *  Shapes:   n of (..., m_i, ...), all else equal -> y (..., sum of m_i, ...)
 *  Dtypes:   every dtype, the same for all
 *  Gradient: dx_i = its part of g
 *  Errors:   TG_ESHAPE if ranks or other dimensions differ; TG_EDTYPE if dtypes differ; TG_EARG if the axis is out of range or
 *            n < 1
 *  Source:   elementary */
TG_API(tg_tensor, tg_concat, (const tg_tensor *xs, int n, int64_t axis), (xs, n, axis)) {
    int normal = n > 0 && xs ? tg_infer_axis(axis, tg_shape_of(xs[0]).rank) : -1;
    join_attr attr = {normal < 0 ? axis : normal};
    return tg_apply_at(site, NULL, &tg__op_concat, &attr, xs, n);
}

/* ------------------------------------------------------------------ stack */

static tg_status stack_infer(tg_infer *f) {
    int rank = f->in_shape[0]->rank, axis = (int)((const join_attr *)f->attr)->axis;
    tg_status s = join_infer(f, rank + 1);
    if (!s) s = same_dims(f, -1);
    if (s) return s;
    if (rank == TG_MAX_RANK) return tg_infer_fail(f, TG_ESHAPE, "rank %d is more than %d", rank + 1, TG_MAX_RANK);
    f->shape[0].rank = rank + 1;
    for (int i = rank; i > axis; i--) f->shape[0].dims[i] = f->shape[0].dims[i - 1];
    f->shape[0].dims[axis] = f->n_in;
    return TG_OK;
}

static void stack_vjp(tg_vjp_args *v) {
    int64_t axis = ((const join_attr *)v->attr)->axis;
    for (int i = 0; i < v->n_in; i++)
        if (tg_vjp_needs(v, i)) tg_vjp_give(v, i, tg_reshape(part_of(v->g[0], axis, i, 1), tg_shape_of(v->in[i])));
}

const tg_op tg__op_stack = {
    JOIN(stack, "y = inputs side by side along a new axis"),
    SAMPLES(SAMPLE("a new first axis", INPUTS(IN('f', (2, 3)), IN('f', (2, 3)), IN('f', (2, 3))), AXIS(0)),
            SAMPLE("a new last axis", INPUTS(IN('f', (2, 3)), IN('f', (2, 3))), AXIS(2)),
            SAMPLE("a new middle axis", INPUTS(IN('f', (2, 3)), IN('f', (2, 3))), AXIS(1)),
            SAMPLE("numbers", INPUTS(IN('f', ()), IN('f', ()), IN('f', ())), AXIS(0)),
            SAMPLE("nothing", INPUTS(IN('f', (0)), IN('f', (0))), AXIS(0))),
    BADS(BAD("shapes differ", TG_ESHAPE, "dimension 0 of input 1 is 4, not 3", INPUTS(IN('f', (3)), IN('f', (4))), AXIS(0)),
         BAD("ranks differ", TG_ESHAPE, "rank", INPUTS(IN('f', (3)), IN('f', (3, 1))), AXIS(0)),
         BAD("dtypes differ", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3)), IN('j', (3))), AXIS(0)),
         BAD("axis out of range", TG_EARG, "axis 2", INPUTS(IN('f', (3)), IN('f', (3))), AXIS(2)),
         BAD("no input", TG_EARG, "not 0", AXIS(0))),
};

/*| tg_stack: n tensors of one shape side by side along a new axis, which is counted in the result.
 *    y = inputs side by side along a new axis
 *  Shapes:   n of (...) -> y of a rank more, n along the axis
 *  Dtypes:   every dtype, the same for all
 *  Gradient: dx_i = its part of g
 *  Errors:   TG_ESHAPE if shapes differ; TG_EDTYPE if dtypes differ; TG_EARG if the axis is out of range or n < 1
 *  Source:   elementary */
TG_API(tg_tensor, tg_stack, (const tg_tensor *xs, int n, int64_t axis), (xs, n, axis)) {
    int normal = n > 0 && xs ? tg_infer_axis(axis, tg_shape_of(xs[0]).rank + 1) : -1;
    join_attr attr = {normal < 0 ? axis : normal};
    return tg_apply_at(site, NULL, &tg__op_stack, &attr, xs, n);
}

/* Choosing by value */
#include "ops/index.h"

/* ------------------------------------------------------------------ masked_fill */

static tg_status masked_fill_infer(tg_infer *f) {
    tg_shape both;
    if (f->in_dtype[1] != TG_BOOL)
        return tg_infer_fail(f, TG_EDTYPE, "the mask must be bool, not %s", tg_dtype_name(f->in_dtype[1]));
    if (f->in_dtype[2] != f->in_dtype[0])
        return tg_infer_fail(f, TG_EDTYPE, "the value is %s and x is %s", tg_dtype_name(f->in_dtype[2]),
                             tg_dtype_name(f->in_dtype[0]));
    if (f->in_shape[2]->rank) return tg_infer_fail(f, TG_ESHAPE, "the value must have rank 0");
    if (!tg_broadcast(f->in_shape[1], f->in_shape[0], &both, NULL) || !tg_shape_equal(&both, f->in_shape[0]))
        return tg_infer_fail(f, TG_ESHAPE, "the mask does not broadcast to x");
    f->shape[0] = both;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_tensor masked_fill_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    return tg_where(in[1], in[2], in[0]);
}

const tg_op tg__op_masked_fill = {
    .name = "masked_fill",
    .formula = "y = value where mask, else x",
    .source = "elementary",
    .min_in = 3,
    .max_in = 3,
    .infer = masked_fill_infer,
    .define = masked_fill_define,
    SAMPLES(SAMPLE("a mask of equal shape", INPUTS(IN('f', (3, 4)), IN('b', (3, 4)), IN('f', ()))),
            SAMPLE("a mask of columns", INPUTS(IN('f', (3, 4)), IN('b', (4)), IN('f', ()))),
            SAMPLE("a mask of rows", INPUTS(IN('f', (2, 3, 4)), IN('b', (3, 1)), IN('f', ()))),
            SAMPLE("rank 0", INPUTS(IN('f', ()), IN('b', ()), IN('f', ()))),
            SAMPLE("size 0", INPUTS(IN('f', (0, 3)), IN('b', (3)), IN('f', ())))),
    BADS(BAD("a mask of numbers", TG_EDTYPE, "must be bool, not f32", INPUTS(IN('f', (3)), IN('f', (3)), IN('f', ()))),
         BAD("a larger mask", TG_ESHAPE, "does not broadcast to x", INPUTS(IN('f', (3)), IN('b', (2, 3)), IN('f', ()))),
         BAD("a mask that clashes", TG_ESHAPE, "does not broadcast", INPUTS(IN('f', (3)), IN('b', (4)), IN('f', ()))),
         BAD("values", TG_ESHAPE, "rank 0", INPUTS(IN('f', (3)), IN('b', (3)), IN('f', (3)))),
         BAD("a value of another dtype", TG_EDTYPE, "the value is i64", INPUTS(IN('f', (3)), IN('b', (3)), IN('i', ())))),
};

/*| tg_masked_fill: x with a number where the mask is true. The number is data: a new one makes no new plan.
 *    y = value where mask, else x
 *  Shapes:   x (any), mask broadcasts to x -> y as x
 *  Dtypes:   x every dtype; mask bool
 *  Gradient: dx = g where the mask is false, else 0
 *  Errors:   TG_EDTYPE if the mask is not bool; TG_ESHAPE if it does not broadcast to x
 *  Source:   elementary */
TG_API(tg_tensor, tg_masked_fill, (tg_tensor x, tg_tensor mask, double value), (x, mask, value)) {
    tg_tape *t = tg_tape_of(x);
    if (!t) t = tg_tape_of(mask);
    tg_tensor number = t ? tg_full_at(site, t, TG_SCALAR, value, tg_dtype_of(x)) : x;
    return tg_apply_at(site, t, &tg__op_masked_fill, NULL, (tg_tensor[]){x, mask, number}, 3);
}

/* ------------------------------------------------------------------ nonzero */

typedef struct most_attr {
    int64_t max;
} most_attr;
static const tg_field most_fields[] = {{"max", TG_FIELD_INT, offsetof(most_attr, max)}, {NULL, TG_FIELD_INT, 0}};

static tg_status nonzero_infer(tg_infer *f) {
    int64_t max = ((const most_attr *)f->attr)->max;
    if (max < 0) return tg_infer_fail(f, TG_EARG, "at most %lld elements", (long long)max);
    f->shape[0] = TG_SHAPE(max, f->in_shape[0]->rank);
    f->shape[1] = TG_SCALAR;
    f->dtype[0] = f->dtype[1] = TG_I64;
    return TG_OK;
}

/* The places in [begin, end) that are not 0, in order; returns how many. Every place is written and most are written over:
 * that is faster than a branch that cannot be foreseen. */
#define FIND(T)                                                            \
    for (int64_t i = begin; i < end; i++) {                                \
        found[n] = i;                                                      \
        n += ((const T *)x->data)[i] != 0;                                 \
    }                                                                      \
    break

static int64_t find_nonzero(const tg_operand *x, int64_t begin, int64_t end, int64_t *found) {
    int64_t n = 0;
    switch (x->dtype) {
    case TG_F32: FIND(float);
    case TG_F64: FIND(double);
    case TG_I32: FIND(int32_t);
    case TG_I64: FIND(int64_t);
    default: FIND(uint8_t);
    }
    return n;
}

#define PIECE 512

static tg_status nonzero_kernel(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0];
    int64_t max = ((const most_attr *)k->attr)->max, *index = k->out[0].data, count = 0, found[PIECE];
    int rank = x->shape->rank;
    for (int64_t begin = 0; begin < x->numel; begin += PIECE) {
        int64_t n = find_nonzero(x, begin, begin + PIECE < x->numel ? begin + PIECE : x->numel, found);
        for (int64_t i = 0; i < n && count + i < max; i++) {
            int64_t rest = found[i], *at = index + (count + i) * rank;
            for (int axis = rank - 1; axis > 0; axis--) {
                at[axis] = rest % x->shape->dims[axis];
                rest /= x->shape->dims[axis];
            }
            if (rank) at[0] = rest;
        }
        count += n;
    }
    for (int64_t i = count * rank; i < max * rank; i++) index[i] = -1;
    *(int64_t *)k->out[1].data = count;
    return TG_OK;
}

static bool is_nonzero(const tg_operand *x, int64_t i) {
    int64_t found[1];
    return find_nonzero(x, i, i + 1, found) == 1;
}

/* Place by place of the result: the row that comes next after the one before it. */
static tg_status nonzero_ref(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0];
    int64_t max = ((const most_attr *)k->attr)->max, *index = k->out[0].data, at = -1, *count = k->out[1].data;
    for (int64_t row = 0; row < max; row++) {
        for (at++; at < x->numel && !is_nonzero(x, at); at++) continue;
        int64_t below = x->numel;
        for (int axis = 0; axis < x->shape->rank; axis++) {
            below = x->shape->dims[axis] ? below / x->shape->dims[axis] : 0;
            index[row * x->shape->rank + axis] = at < x->numel ? at / below % x->shape->dims[axis] : -1;
        }
    }
    *count = 0;
    for (int64_t i = x->numel - 1; i >= 0; i--) *count += is_nonzero(x, i);
    return TG_OK;
}

#define MOST(n) .attr = &(const most_attr){n}

const tg_op tg__op_nonzero = {
    .name = "nonzero",
    .formula = "y[k] = place of the k-th element of x that is not 0, -1 after the last; count of them",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .flags = TG_OP_CUT,
    .attr_size = sizeof(most_attr),
    .fields = most_fields,
    .infer = nonzero_infer,
    .kernel = nonzero_kernel,
    .ref = nonzero_ref,
    SAMPLES(SAMPLE("truth values", INPUTS(IN('b', (3, 4))), MOST(12)),
            SAMPLE("fewer than there are", INPUTS(IN('b', (20))), MOST(3)),
            SAMPLE("numbers", INPUTS(IN('i', (2, 3, 4), .lo = -1, .hi = 1)), MOST(30)),
            SAMPLE("floats", INPUTS(IN('c', (2, 3))), MOST(6)), SAMPLE("rank 0", INPUTS(IN('i', ())), MOST(2)),
            SAMPLE("none wanted", INPUTS(IN('b', (3))), MOST(0)), SAMPLE("nothing", INPUTS(IN('b', (0, 3))), MOST(2))),
    BADS(BAD("less than none", TG_EARG, "at most -1", INPUTS(IN('b', (3))), MOST(-1)),
         BAD("more than memory", TG_ESHAPE, "more elements", INPUTS(IN('b', (3, 3))), MOST(INT64_MAX)),
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('b', (3)))),
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('b', (3)), IN('b', (3))), MOST(1)),
         BAD("no input", TG_EARG, "not 0", MOST(1))),
};

static tg_tensor places(const char *site, tg_tensor x, int64_t max, tg_tensor *count) {
    tg_tensor outs[2];
    most_attr attr = {max};
    tg_apply_n_at(site, NULL, &tg__op_nonzero, &attr, &x, 1, outs);
    if (count) *count = outs[1];
    return outs[0];
}

/* What is recorded from here on has the caller's place, until the returned one is put back. */
static const char *enter(tg_tape *t, const char *site) {
    const char *outer = t->site_override;
    if (!outer) t->site_override = site;
    return outer;
}

/* The first rows of y, as many as count says: it is asked for. */
static tg_tensor counted(const char *site, tg_tensor y, tg_tensor count) {
    double n = tg_item_at(site, count);
    tg_tape *t = tg_tape_of(count);
    return n >= 0 ? tg_slice_at(site, y, 0, 0, (int64_t)n, 1) : t ? tg__poison(t) : y;
}

/*| tg_nonzero_max: where x is not 0, or true, in row-major order: max rows, the rest filled with -1. Nothing runs: the shape
 *  does not depend on values. count, if not NULL, receives a tensor: how many there are, which may be more than max.
 *    y[k] = place of the k-th element of x that is not 0, -1 after the last
 *  Shapes:   x (any) -> y (max, rank of x), count ()
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if max < 0
 *  Source:   elementary */
TG_API(tg_tensor, tg_nonzero_max, (tg_tensor x, int64_t max, tg_tensor *count), (x, max, count)) {
    return places(site, x, max, count);
}

/*| tg_nonzero: where x is not 0, or true, in row-major order. The shape depends on values, so x runs at once.
 *    y[k] = place of the k-th element of x that is not 0
 *  Shapes:   x (any) -> y (number of such elements, rank of x)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   those of running x
 *  Source:   elementary */
TG_API(tg_tensor, tg_nonzero, (tg_tensor x), (x)) {
    tg_tensor count, y = places(site, x, tg_numel(x), &count);
    return counted(site, y, count);
}

/* ------------------------------------------------------------------ masked_select */

static tg_status masked_select_infer(tg_infer *f) {
    tg_shape both;
    if (f->in_dtype[1] != TG_BOOL)
        return tg_infer_fail(f, TG_EDTYPE, "the mask must be bool, not %s", tg_dtype_name(f->in_dtype[1]));
    if (f->in_dtype[2] != f->in_dtype[0] || f->in_shape[2]->rank)
        return tg_infer_fail(f, TG_EDTYPE, "what fills the rest must be a number of the dtype of x");
    if (!tg_broadcast(f->in_shape[0], f->in_shape[1], &both, NULL))
        return tg_infer_fail(f, TG_ESHAPE, "x and the mask do not broadcast");
    if (((const most_attr *)f->attr)->max < 0)
        return tg_infer_fail(f, TG_EARG, "at most %lld elements", (long long)((const most_attr *)f->attr)->max);
    f->shape[0] = TG_SHAPE(((const most_attr *)f->attr)->max);
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_tensor flat(tg_tensor x) { return tg_reshape(x, TG_SHAPE(tg_numel(x))); }

static void broadcast_both(tg_tensor *x, tg_tensor *mask) {
    tg_shape a = tg_shape_of(*x), b = tg_shape_of(*mask), both;
    if (!tg_broadcast(&a, &b, &both, NULL)) return;
    *x = tg_expand(*x, both);
    *mask = tg_expand(*mask, both);
}

static tg_tensor masked_select_max_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    int64_t max = ((const most_attr *)attr)->max;
    tg_tensor x = in[0], mask = in[1];
    broadcast_both(&x, &mask);
    tg_tensor index = tg_reshape(places(NULL, flat(mask), max, NULL), TG_SHAPE(max));
    return tg_where(tg_ge(index, tg__zero_like(index)), tg__along_take(flat(x), 0, index), in[2]);
}

const tg_op tg__op_masked_select_max = {
    .name = "masked_select_max",
    .formula = "y[k] = the k-th element of x where mask is true, fill after the last",
    .source = "elementary",
    .min_in = 3,
    .max_in = 3,
    .attr_size = sizeof(most_attr),
    .fields = most_fields,
    .infer = masked_select_infer,
    .define = masked_select_max_define,
    SAMPLES(SAMPLE("room for all", INPUTS(IN('f', (3, 4)), IN('b', (3, 4)), IN('f', ())), MOST(12)),
            SAMPLE("room for some", INPUTS(IN('f', (30)), IN('b', (30)), IN('f', ())), MOST(4)),
            SAMPLE("a mask of rows", INPUTS(IN('f', (3, 4)), IN('b', (3, 1)), IN('f', ())), MOST(12)),
            SAMPLE("x broadcasts", INPUTS(IN('f', (4)), IN('b', (3, 4)), IN('f', ())), MOST(14)),
            SAMPLE("rank 0", INPUTS(IN('f', ()), IN('b', ()), IN('f', ())), MOST(2)),
            SAMPLE("size 0", INPUTS(IN('f', (0, 3)), IN('b', (3)), IN('f', ())), MOST(2))),
    BADS(BAD("a mask of numbers", TG_EDTYPE, "must be bool", INPUTS(IN('f', (3)), IN('f', (3)), IN('f', ())), MOST(3)),
         BAD("shapes that clash", TG_ESHAPE, "do not broadcast", INPUTS(IN('f', (3)), IN('b', (4)), IN('f', ())), MOST(3)),
         BAD("less than none", TG_EARG, "at most -1", INPUTS(IN('f', (3)), IN('b', (3)), IN('f', ())), MOST(-1)),
         BAD("several to fill with", TG_EDTYPE, "must be a number", INPUTS(IN('f', (3)), IN('b', (3)), IN('f', (3))), MOST(3)),
         BAD("more than memory", TG_ESHAPE, "more elements", INPUTS(IN('f', (3)), IN('b', (3)), IN('f', ())), MOST(INT64_MAX))),
};

/*| tg_masked_select_max: the elements of x where the mask is true, in row-major order: max of them; missing ones are `fill`.
 *  Nothing runs: the shape does not depend on values. How many there are: tg_sum(tg_cast(mask, TG_I64), ...).
 *    y[k] = the k-th element of x where mask is true, fill after the last
 *  Shapes:   x and mask broadcast -> y (max)
 *  Dtypes:   x every dtype; mask bool
 *  Gradient: dx = g at the elements that were selected, else 0
 *  Errors:   TG_EDTYPE if the mask is not bool; TG_ESHAPE if the shapes do not broadcast; TG_EARG if max < 0
 *  Source:   elementary */
TG_API(tg_tensor, tg_masked_select_max, (tg_tensor x, tg_tensor mask, int64_t max, double fill), (x, mask, max, fill)) {
    most_attr attr = {max};
    tg_tape *t = tg_tape_of(x);
    if (!t) t = tg_tape_of(mask);
    tg_tensor number = t ? tg_full_at(site, t, TG_SCALAR, fill, tg_dtype_of(x)) : x;
    return tg_apply_at(site, t, &tg__op_masked_select_max, &attr, (tg_tensor[]){x, mask, number}, 3);
}

/*| tg_masked_select: the elements of x where the mask is true, in row-major order. The shape depends on values, so the mask
 *  runs at once; x does not.
 *    y[k] = the k-th element of x where mask is true
 *  Shapes:   x and mask broadcast -> y (number of true elements)
 *  Dtypes:   x every dtype; mask bool
 *  Gradient: dx = g at the elements that were selected, else 0
 *  Errors:   TG_EDTYPE if the mask is not bool; TG_ESHAPE if the shapes do not broadcast; those of running the mask
 *  Source:   elementary */
TG_API(tg_tensor, tg_masked_select, (tg_tensor x, tg_tensor mask), (x, mask)) {
    tg_tensor all = tg_masked_select_max_at(site, x, mask, 0, 0), count; /* checks both */
    tg_tape *t = tg_tape_of(all);
    if (!t || !tg_valid(all)) return all;
    const char *outer = enter(t, site);
    if (!tg_tape_of(x)) x = tg_on_at(site, t, x);
    if (!tg_tape_of(mask)) mask = tg_on_at(site, t, mask);
    broadcast_both(&x, &mask);
    tg_tensor index = places(site, flat(mask), tg_numel(mask), &count);
    tg_tensor y = tg__along_take(flat(x), 0, flat(counted(site, index, count)));
    t->site_override = outer;
    return y;
}

/* ------------------------------------------------------------------ unique */

/* The elements in order; whether each is the first of its equals. */
static tg_tensor in_order(tg_tensor x, tg_tensor *is_first) {
    tg_tensor sorted = tg_sort(flat(x), 0, false);
    int64_t n = tg_numel(sorted);
    tg_tensor differs = tg_ne(tg_slice(sorted, 0, 1, TG_END, 1), tg_slice(sorted, 0, 0, -1, 1));
    tg_tensor one = tg_ones(tg_tape_of(x), TG_SHAPE(n > 0), TG_BOOL);
    *is_first = n > 1 ? tg_concat((tg_tensor[]){one, differs}, 2, 0) : one;
    return sorted;
}

static tg_status unique_max_infer(tg_infer *f) {
    int64_t max = ((const most_attr *)f->attr)->max;
    if (f->in_dtype[1] != f->in_dtype[0] || f->in_shape[1]->rank)
        return tg_infer_fail(f, TG_EDTYPE, "what fills the rest must be a number of the dtype of x");
    if (max < 0) return tg_infer_fail(f, TG_EARG, "at most %lld elements", (long long)max);
    f->shape[0] = TG_SHAPE(max);
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_tensor unique_max_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    tg_tensor is_first, sorted = in_order(in[0], &is_first);
    return tg_apply(NULL, &tg__op_masked_select_max, attr, (tg_tensor[]){sorted, is_first, in[1]}, 3);
}

#define APART(...) {.kind = 'f', .shape = DIMS(__VA_ARGS__), .avoid = 0.004, .kink = 100}

const tg_op tg__op_unique_max = {
    .name = "unique_max",
    .formula = "y = the different elements of x in order, fill after the last",
    .source = "elementary",
    .min_in = 2,
    .max_in = 2,
    .attr_size = sizeof(most_attr),
    .fields = most_fields,
    .infer = unique_max_infer,
    .define = unique_max_define,
    SAMPLES(SAMPLE("a matrix", INPUTS(APART(3, 4), IN('f', ())), MOST(12)),
            SAMPLE("the first ones", INPUTS(APART(9), IN('f', ())), MOST(4)),
            SAMPLE("whole numbers", INPUTS(IN('i', (9)), IN('i', ())), MOST(9)),
            SAMPLE("truth values", INPUTS(IN('b', (9)), IN('b', ())), MOST(3)),
            SAMPLE("rank 0", INPUTS(IN('f', ()), IN('f', ())), MOST(2)),
            SAMPLE("nothing", INPUTS(IN('f', (0)), IN('f', ())), MOST(2))),
    BADS(BAD("less than none", TG_EARG, "at most -1", INPUTS(IN('f', (3)), IN('f', ())), MOST(-1)),
         BAD("several to fill with", TG_EDTYPE, "must be a number", INPUTS(IN('f', (3)), IN('f', (1))), MOST(3)),
         BAD("another dtype to fill with", TG_EDTYPE, "must be a number", INPUTS(IN('f', (3)), IN('i', ())), MOST(3)),
         BAD("more than memory", TG_ESHAPE, "more elements", INPUTS(IN('f', (3)), IN('f', ())), MOST(INT64_MAX)),
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3)), IN('f', ())))),
};

/*| tg_unique_max: the different elements of x from the smallest to the largest: max of them; missing ones are `fill`. Nothing
 *  runs: the shape does not depend on values. -0 equals 0; each NaN counts as an element of its own, at the end.
 *    y = the different elements of x in order, fill after the last
 *  Shapes:   x (any) -> y (max)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the first of equal elements, 0 at the others
 *  Errors:   TG_EARG if max < 0
 *  Source:   elementary */
TG_API(tg_tensor, tg_unique_max, (tg_tensor x, int64_t max, double fill), (x, max, fill)) {
    most_attr attr = {max};
    tg_tape *t = tg_tape_of(x);
    tg_tensor number = t ? tg_full_at(site, t, TG_SCALAR, fill, tg_dtype_of(x)) : x;
    return tg_apply_at(site, NULL, &tg__op_unique_max, &attr, (tg_tensor[]){x, number}, 2);
}

/*| tg_unique: the different elements of x from the smallest to the largest. The shape depends on values, so x runs at once.
 *  -0 equals 0; each NaN counts as an element of its own, at the end.
 *    y = the different elements of x in order
 *  Shapes:   x (any) -> y (number of different elements)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the first of equal elements, 0 at the others
 *  Errors:   those of running x
 *  Source:   elementary */
TG_API(tg_tensor, tg_unique, (tg_tensor x), (x)) {
    tg_tensor probe = tg_unique_max_at(site, x, 0, 0), is_first; /* checks x */
    tg_tape *t = tg_tape_of(probe);
    if (!t || !tg_valid(probe)) return probe;
    const char *outer = enter(t, site);
    tg_tensor sorted = in_order(x, &is_first);
    t->site_override = outer;
    return tg_masked_select_at(site, sorted, is_first);
}

static tg_status unique_inverse_infer(tg_infer *f) {
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = TG_I64;
    return TG_OK;
}

static tg_tensor unique_inverse_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    tg_tensor is_first, x = flat(in[0]);
    in_order(x, &is_first);
    tg_tensor number = tg_cumsum(tg_cast(is_first, TG_I64), 0), order = tg_argsort(x, 0, false);
    number = tg_sub(number, tg__one_like(number));
    return tg_reshape(tg__along_take(number, 0, tg_argsort(order, 0, false)), tg_shape_of(in[0]));
}

const tg_op tg__op_unique_inverse = {
    .name = "unique_inverse",
    .formula = "y = which of the different elements each element of x is",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .flags = TG_OP_CUT,
    .infer = unique_inverse_infer,
    .define = unique_inverse_define,
    SAMPLES(SAMPLE("a matrix", INPUTS(IN('i', (3, 4)))), SAMPLE("floats", INPUTS(IN('c', (5)))),
            SAMPLE("truth values", INPUTS(IN('b', (7)))), SAMPLE("rank 0", INPUTS(IN('i', ()))),
            SAMPLE("nothing", INPUTS(IN('i', (0, 2))))),
    BADS(BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3)), IN('f', (3)))), BAD("no input", TG_EARG, "not 0", ),
         BAD("three inputs", TG_EARG, "not 3", INPUTS(IN('f', (3)), IN('f', (3)), IN('f', (3)))),
         BAD("four inputs", TG_EARG, "not 4", INPUTS(IN('f', (3)), IN('f', (3)), IN('f', (3)), IN('i', (3)))),
         BAD("five inputs", TG_EARG, "not 5", INPUTS(IN('f', (3)), IN('f', ()), IN('f', (3)), IN('i', (3)), IN('b', ())))),
};

/*| tg_unique_inverse: for each element of x its position in tg_unique(x). How often each one stands in x:
 *  tg_scatter_add(zeros, 0, y, ones) of the flattened y.
 *    y = which of the different elements each element of x is
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_ESTALE and TG_EARG for a bad handle
 *  Source:   elementary */
TG_API(tg_tensor, tg_unique_inverse, (tg_tensor x), (x)) {
    return tg_apply_at(site, NULL, &tg__op_unique_inverse, NULL, &x, 1);
}

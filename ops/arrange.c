/* Arranging */
#include "ops/op_file.h"

#define DEFINED(op_name, formula_)                                                                          \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 1, .max_in = 1, .infer = op_name##_infer, \
    .define = op_name##_define

static tg_status wrong_axis(tg_infer *f, int64_t axis) {
    return tg_infer_fail(f, TG_EARG, "axis %lld is out of range for rank %d", (long long)axis, f->in_shape[0]->rank);
}

static int64_t normal_axis(tg_tensor x, int64_t axis) {
    int normal = tg_infer_axis(axis, tg_shape_of(x).rank);
    return normal < 0 ? axis : normal;
}

/* x as outer x n x inner about an axis. */
static tg_tensor three_axes(tg_tensor x, int axis) {
    tg_shape s = tg_shape_of(x);
    return tg_reshape(x, TG_SHAPE(tg__extent(&s, 0, axis), s.dims[axis], tg__extent(&s, axis + 1, s.rank)));
}

/* ------------------------------------------------------------------ flatten */

typedef struct range_attr {
    int64_t first, last;
} range_attr;
static const tg_field range_fields[] = {
    {"first", TG_FIELD_INT, offsetof(range_attr, first)},
    {"last", TG_FIELD_INT, offsetof(range_attr, last)},
    {NULL, TG_FIELD_INT, 0},
};

/* A number is a vector of one. */
static tg_shape flattened(const tg_shape *s, const range_attr *a) {
    tg_shape out = {0, {0}};
    if (!s->rank) return TG_SHAPE(1);
    for (int i = 0; i < a->first; i++) out.dims[out.rank++] = s->dims[i];
    out.dims[out.rank++] = tg__extent(s, (int)a->first, (int)a->last + 1);
    for (int i = (int)a->last + 1; i < s->rank; i++) out.dims[out.rank++] = s->dims[i];
    return out;
}

static tg_status flatten_infer(tg_infer *f) {
    const range_attr *a = f->attr;
    int rank = f->in_shape[0]->rank ? f->in_shape[0]->rank : 1;
    if (a->first < 0 || a->first > a->last || a->last >= rank)
        return tg_infer_fail(f, TG_EARG, "axes %lld to %lld of rank %d", (long long)a->first, (long long)a->last,
                             f->in_shape[0]->rank);
    f->shape[0] = flattened(f->in_shape[0], a);
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_tensor flatten_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    tg_shape s = tg_shape_of(in[0]);
    return tg_reshape(in[0], flattened(&s, attr));
}

#define AXES_TO(first, last) .attr = &(const range_attr){first, last}

const tg_op tg__op_flatten = {
    DEFINED(flatten, "y = x with the axes first to last made one"),
    .attr_size = sizeof(range_attr),
    .fields = range_fields,
    SAMPLES(SAMPLE("all", INPUTS(IN('f', (2, 3, 4))), AXES_TO(0, 2)),
            SAMPLE("all but the first", INPUTS(IN('f', (2, 3, 4))), AXES_TO(1, 2)),
            SAMPLE("the middle", INPUTS(IN('f', (2, 3, 2, 2))), AXES_TO(1, 2)),
            SAMPLE("one axis", INPUTS(IN('f', (3, 4))), AXES_TO(1, 1)), SAMPLE("rank 0", INPUTS(IN('f', ())), AXES_TO(0, 0)),
            SAMPLE("nothing", INPUTS(IN('f', (2, 0))), AXES_TO(0, 1))),
    BADS(BAD("too large", TG_EARG, "axes 0 to 2 of rank 2", INPUTS(IN('f', (3, 4))), AXES_TO(0, 2)),
         BAD("too small", TG_EARG, "axes -3 to 1", INPUTS(IN('f', (3, 4))), AXES_TO(-3, 1)),
         BAD("backwards", TG_EARG, "axes 1 to 0", INPUTS(IN('f', (3, 4))), AXES_TO(1, 0)),
         BAD("rank 0", TG_EARG, "axes 0 to 1 of rank 0", INPUTS(IN('f', ())), AXES_TO(0, 1)),
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3))))),
};

/*| tg_flatten: makes the axes first to last, both included, one: tg_flatten(x, 0, -1) is a vector, tg_flatten(x, 1, -1) keeps a
 *  batch. A number becomes a vector of one.
 *    y = x with the axes first to last made one
 *  Shapes:   x (any) -> y of a lower rank
 *  Dtypes:   every dtype
 *  Gradient: dx = g in the shape of x
 *  Errors:   TG_EARG if an axis is out of range or first comes after last
 *  Source:   elementary */
TG_API(tg_tensor, tg_flatten, (tg_tensor x, int64_t first, int64_t last), (x, first, last)) {
    int rank = tg_shape_of(x).rank;
    int from = tg_infer_axis(first, rank ? rank : 1), to = tg_infer_axis(last, rank ? rank : 1);
    range_attr attr = {from < 0 ? first : from, to < 0 ? last : to};
    return tg_apply_at(site, NULL, &tg__op_flatten, &attr, &x, 1);
}

/* ------------------------------------------------------------------ flip */

typedef struct flip_attr {
    tg_axes axes;
} flip_attr;
static const tg_field flip_fields[] = {{"axes", TG_FIELD_AXES, offsetof(flip_attr, axes)}, {NULL, TG_FIELD_INT, 0}};

static bool mark_axes(const tg_axes *axes, int rank, bool *marked) {
    memset(marked, 0, TG_MAX_RANK * sizeof *marked);
    for (int i = 0; i < (axes->n < 0 ? rank : axes->n); i++) {
        int axis = axes->n < 0 ? i : i < TG_MAX_RANK ? tg_infer_axis(axes->axis[i], rank) : -1;
        if (axis < 0 || marked[axis]) return false;
        marked[axis] = true;
    }
    return true;
}

static tg_status flip_infer(tg_infer *f) {
    bool turned[TG_MAX_RANK];
    if (!mark_axes(&((const flip_attr *)f->attr)->axes, f->in_shape[0]->rank, turned))
        return tg_infer_fail(f, TG_EARG, "the axes are out of range or stand twice");
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_tensor flip_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    bool turned[TG_MAX_RANK];
    int64_t from[TG_MAX_RANK], to[TG_MAX_RANK], by[TG_MAX_RANK];
    mark_axes(&((const flip_attr *)attr)->axes, tg_shape_of(in[0]).rank, turned);
    for (int i = 0; i < TG_MAX_RANK; i++) {
        from[i] = turned[i] ? TG_END : 0;
        to[i] = turned[i] ? TG_BEGIN : TG_END;
        by[i] = turned[i] ? -1 : 1;
    }
    return tg_slice_box(in[0], from, to, by);
}

#define SET(...) {(int32_t)(sizeof((int32_t[]){0, __VA_ARGS__}) / sizeof(int32_t) - 1), {__VA_ARGS__ + 0}}
#define AXES(...) .attr = &(const flip_attr){SET(__VA_ARGS__)}

const tg_op tg__op_flip = {
    DEFINED(flip, "y[..., i, ...] = x[..., n - 1 - i, ...]"),
    .attr_size = sizeof(flip_attr),
    .fields = flip_fields,
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (3, 4))), AXES(0)), SAMPLE("columns", INPUTS(IN('f', (3, 4))), AXES(-1)),
            SAMPLE("both", INPUTS(IN('f', (3, 4))), AXES(0, 1)), SAMPLE("the middle", INPUTS(IN('f', (2, 3, 2))), AXES(1)),
            SAMPLE("no axis", INPUTS(IN('f', (3, 4))), AXES()), SAMPLE("rank 0", INPUTS(IN('f', ())), AXES()),
            SAMPLE("nothing", INPUTS(IN('f', (0, 4))), AXES(0))),
    BADS(BAD("too large", TG_EARG, "out of range", INPUTS(IN('f', (3, 4))), AXES(2)),
         BAD("too small", TG_EARG, "out of range", INPUTS(IN('f', (3, 4))), AXES(-3)),
         BAD("twice", TG_EARG, "twice", INPUTS(IN('f', (3, 4))), AXES(1, -1)),
         BAD("rank 0", TG_EARG, "out of range", INPUTS(IN('f', ())), AXES(0)),
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3))))),
};

/*| tg_flip: turns axes around. A view: no memory is used.
 *    y[..., i, ...] = x[..., n - 1 - i, ...]
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = g turned around
 *  Errors:   TG_EARG if an axis is out of range or stands twice
 *  Source:   elementary */
TG_API(tg_tensor, tg_flip, (tg_tensor x, tg_axes axes), (x, axes)) {
    flip_attr attr = {axes};
    return tg_apply_at(site, NULL, &tg__op_flip, &attr, &x, 1);
}

/* ------------------------------------------------------------------ roll */

typedef struct roll_attr {
    int64_t axis, shift; /* shift in [0, n) */
} roll_attr;
static const tg_field roll_fields[] = {
    {"axis", TG_FIELD_INT, offsetof(roll_attr, axis)},
    {"shift", TG_FIELD_INT, offsetof(roll_attr, shift)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_status roll_infer(tg_infer *f) {
    const roll_attr *a = f->attr;
    if (a->axis < 0 || a->axis >= f->in_shape[0]->rank) return wrong_axis(f, a->axis);
    if (a->shift < 0 || (a->shift && a->shift >= f->in_shape[0]->dims[a->axis]))
        return tg_infer_fail(f, TG_EARG, "a shift of %lld in %lld elements", (long long)a->shift,
                             (long long)f->in_shape[0]->dims[a->axis]);
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_tensor roll_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    const roll_attr *a = attr;
    int64_t cut = tg_shape_of(in[0]).dims[a->axis] - a->shift;
    if (!a->shift) return in[0];
    tg_tensor parts[] = {tg_slice(in[0], a->axis, cut, TG_END, 1), tg_slice(in[0], a->axis, 0, cut, 1)};
    return tg_concat(parts, 2, a->axis);
}

#define BY(axis, shift) .attr = &(const roll_attr){axis, shift}

const tg_op tg__op_roll = {
    DEFINED(roll, "y[..., (i + shift) mod n, ...] = x[..., i, ...]"),
    .attr_size = sizeof(roll_attr),
    .fields = roll_fields,
    SAMPLES(SAMPLE("a vector", INPUTS(IN('f', (5))), BY(0, 2)), SAMPLE("rows", INPUTS(IN('f', (3, 4))), BY(0, 1)),
            SAMPLE("columns", INPUTS(IN('f', (3, 4))), BY(1, 3)), SAMPLE("the middle", INPUTS(IN('f', (2, 3, 2))), BY(1, 1)),
            SAMPLE("by nothing", INPUTS(IN('f', (3, 4))), BY(1, 0)), SAMPLE("nothing", INPUTS(IN('f', (0, 4))), BY(0, 0))),
    BADS(BAD("axis too large", TG_EARG, "axis 2", INPUTS(IN('f', (3, 4))), BY(2, 1)),
         BAD("axis too small", TG_EARG, "axis -3", INPUTS(IN('f', (3, 4))), BY(-3, 1)),
         BAD("rank 0", TG_EARG, "rank 0", INPUTS(IN('f', ())), BY(0, 0)),
         BAD("a shift that goes around", TG_EARG, "a shift of 3 in 3 elements", INPUTS(IN('f', (3))), BY(0, 3)),
         BAD("a negative shift", TG_EARG, "a shift of -1", INPUTS(IN('f', (3))), BY(0, -1))),
};

/*| tg_roll: shifts along an axis; what leaves at one end comes in at the other. Negative shifts go towards the first element.
 *    y[..., (i + shift) mod n, ...] = x[..., i, ...]
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = g shifted back
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_API(tg_tensor, tg_roll, (tg_tensor x, int64_t axis, int64_t shift), (x, axis, shift)) {
    roll_attr attr = {normal_axis(x, axis), 0};
    tg_shape s = tg_shape_of(x);
    int64_t n = attr.axis >= 0 && attr.axis < s.rank ? s.dims[attr.axis] : 0;
    if (n) attr.shift = (shift % n + n) % n;
    return tg_apply_at(site, NULL, &tg__op_roll, &attr, &x, 1);
}

/* ------------------------------------------------------------------ tile */

typedef struct tile_attr {
    tg_shape times;
} tile_attr;
static const tg_field tile_fields[] = {{"times", TG_FIELD_SHAPE, offsetof(tile_attr, times)}, {NULL, TG_FIELD_INT, 0}};

/* The shape of x, and how often each axis is repeated, with ones in front up to the same rank. */
static tg_shape aligned(const tg_shape *s, int rank) {
    tg_shape out = {rank, {0}};
    for (int i = 0; i < rank; i++) out.dims[i] = i < rank - s->rank ? 1 : s->dims[i - (rank - s->rank)];
    return out;
}

static tg_status tile_infer(tg_infer *f) {
    const tg_shape *times = &((const tile_attr *)f->attr)->times, *x = f->in_shape[0];
    if (times->rank < 0 || times->rank > TG_MAX_RANK)
        return tg_infer_fail(f, TG_ESHAPE, "rank %d is not between 0 and %d", times->rank, TG_MAX_RANK);
    int rank = times->rank > x->rank ? times->rank : x->rank;
    tg_shape from = aligned(x, rank), by = aligned(times, rank);
    f->shape[0].rank = rank;
    f->dtype[0] = f->in_dtype[0];
    for (int i = 0; i < rank; i++) {
        if (by.dims[i] < 0) return tg_infer_fail(f, TG_EARG, "%lld times along axis %d", (long long)by.dims[i], i);
        if (__builtin_mul_overflow(from.dims[i], by.dims[i], &f->shape[0].dims[i]))
            return tg_infer_fail(f, TG_ESHAPE, "the size of axis %d overflows", i);
    }
    return TG_OK;
}

static tg_tensor tile_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    const tg_shape *times = &((const tile_attr *)attr)->times;
    tg_shape own = tg_shape_of(in[0]);
    int rank = times->rank > own.rank ? times->rank : own.rank;
    tg_shape s = aligned(&own, rank), by = aligned(times, rank);
    tg_tensor y = tg_reshape(in[0], s);
    for (int axis = rank - 1; axis >= 0; axis--) {
        if (by.dims[axis] == 1) continue;
        int64_t outer = tg__extent(&s, 0, axis), inner = tg__extent(&s, axis, rank);
        s.dims[axis] *= by.dims[axis];
        tg_tensor one = tg_reshape(y, TG_SHAPE(outer, 1, inner));
        y = tg_reshape(tg_expand(one, TG_SHAPE(outer, by.dims[axis], inner)), s);
    }
    return y;
}

#define TIMES(...) .attr = &(const tile_attr){DIMS(__VA_ARGS__)}

const tg_op tg__op_tile = {
    DEFINED(tile, "y = x side by side, as many times as asked along each axis"),
    .attr_size = sizeof(tile_attr),
    .fields = tile_fields,
    SAMPLES(SAMPLE("rows and columns", INPUTS(IN('f', (2, 3))), TIMES(2, 3)),
            SAMPLE("rows", INPUTS(IN('f', (2, 3))), TIMES(2, 1)),
            SAMPLE("the last axis", INPUTS(IN('f', (2, 3))), TIMES(2)),
            SAMPLE("a new axis", INPUTS(IN('f', (3))), TIMES(2, 1)), SAMPLE("rank 0", INPUTS(IN('f', ())), TIMES(3)),
            SAMPLE("no times", INPUTS(IN('f', (2, 3))), TIMES(0, 1)), SAMPLE("unchanged", INPUTS(IN('f', (2, 3))), TIMES()),
            SAMPLE("nothing", INPUTS(IN('f', (0, 3))), TIMES(2, 2))),
    BADS(BAD("less than none", TG_EARG, "-1 times along axis 1", INPUTS(IN('f', (2, 3))), TIMES(1, -1)),
         BAD("an overflow", TG_ESHAPE, "overflows", INPUTS(IN('f', (2, 3))), TIMES(INT64_MAX, 1)),
         BAD("too many elements", TG_ESHAPE, "elements", INPUTS(IN('f', (1, 1))), TIMES(INT64_MAX / 2, 9)),
         BAD("rank too high", TG_ESHAPE, "rank 9", INPUTS(IN('f', (2))), .attr = &(const tile_attr){{9, {1, 1, 1, 1, 1, 1}}}),
         BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3))))),
};

/*| tg_tile: x side by side, times[i] times along axis i. If one of the ranks is smaller, it gets ones in front.
 *    y = x side by side, as many times as asked along each axis
 *  Shapes:   x (n_0, n_1, ...) -> y (times[0] n_0, times[1] n_1, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of the cotangents of its copies
 *  Errors:   TG_EARG if a number of times is negative; TG_ESHAPE if the result is too large
 *  Source:   elementary */
TG_API(tg_tensor, tg_tile, (tg_tensor x, tg_shape times), (x, times)) {
    tile_attr attr = {times};
    return tg_apply_at(site, NULL, &tg__op_tile, &attr, &x, 1);
}

/* ------------------------------------------------------------------ repeat */

typedef struct repeat_attr {
    int64_t axis, times;
} repeat_attr;
static const tg_field repeat_fields[] = {
    {"axis", TG_FIELD_INT, offsetof(repeat_attr, axis)},
    {"times", TG_FIELD_INT, offsetof(repeat_attr, times)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_status repeat_infer(tg_infer *f) {
    const repeat_attr *a = f->attr;
    if (a->axis < 0 || a->axis >= f->in_shape[0]->rank) return wrong_axis(f, a->axis);
    if (a->times < 0) return tg_infer_fail(f, TG_EARG, "%lld times", (long long)a->times);
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    if (__builtin_mul_overflow(f->shape[0].dims[a->axis], a->times, &f->shape[0].dims[a->axis]))
        return tg_infer_fail(f, TG_ESHAPE, "the size of axis %lld overflows", (long long)a->axis);
    return TG_OK;
}

static tg_tensor repeat_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    const repeat_attr *a = attr;
    tg_shape s = tg_shape_of(in[0]);
    tg_tensor rows = tg_unsqueeze(three_axes(in[0], (int)a->axis), TG_AXES(2));
    tg_shape three = tg_shape_of(rows);
    three.dims[2] = a->times;
    s.dims[a->axis] *= a->times;
    return tg_reshape(tg_expand(rows, three), s);
}

#define REPEATED(axis, times) .attr = &(const repeat_attr){axis, times}

const tg_op tg__op_repeat = {
    DEFINED(repeat, "y[..., i, ...] = x[..., i / times rounded down, ...]"),
    .attr_size = sizeof(repeat_attr),
    .fields = repeat_fields,
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (3, 4))), REPEATED(0, 2)),
            SAMPLE("columns", INPUTS(IN('f', (3, 4))), REPEATED(1, 3)),
            SAMPLE("the middle", INPUTS(IN('f', (2, 3, 2))), REPEATED(1, 2)),
            SAMPLE("once", INPUTS(IN('f', (3))), REPEATED(0, 1)), SAMPLE("no times", INPUTS(IN('f', (3))), REPEATED(0, 0)),
            SAMPLE("nothing", INPUTS(IN('f', (0, 2))), REPEATED(0, 2))),
    BADS(BAD("axis too large", TG_EARG, "axis 2", INPUTS(IN('f', (3, 4))), REPEATED(2, 1)),
         BAD("axis too small", TG_EARG, "axis -3", INPUTS(IN('f', (3, 4))), REPEATED(-3, 1)),
         BAD("rank 0", TG_EARG, "rank 0", INPUTS(IN('f', ())), REPEATED(0, 1)),
         BAD("less than none", TG_EARG, "-1 times", INPUTS(IN('f', (3))), REPEATED(0, -1)),
         BAD("an overflow", TG_ESHAPE, "overflows", INPUTS(IN('f', (3))), REPEATED(0, INT64_MAX))),
};

/*| tg_repeat: every element along an axis several times, one after the other: a a a b b b. (a b a b is tg_tile.)
 *    y[..., i, ...] = x[..., i / times rounded down, ...]
 *  Shapes:   x (..., n, ...) -> y (..., n times, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of the cotangents of its copies
 *  Errors:   TG_EARG if the axis is out of range or times < 0; TG_ESHAPE if the result is too large
 *  Source:   elementary */
TG_API(tg_tensor, tg_repeat, (tg_tensor x, int64_t axis, int64_t times), (x, axis, times)) {
    repeat_attr attr = {normal_axis(x, axis), times};
    return tg_apply_at(site, NULL, &tg__op_repeat, &attr, &x, 1);
}

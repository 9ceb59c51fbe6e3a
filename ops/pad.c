/* Padding */
#include "ops/op_file.h"

typedef struct pad_attr {
    int64_t mode;
    int64_t before[TG_MAX_RANK], after[TG_MAX_RANK];
} pad_attr;
static const tg_field pad_fields[] = {
    {"mode", TG_FIELD_INT, offsetof(pad_attr, mode)},
    {"before", TG_FIELD_DIMS, offsetof(pad_attr, before)},
    {"after", TG_FIELD_DIMS, offsetof(pad_attr, after)},
    {NULL, TG_FIELD_INT, 0},
};

/* The most elements that a mode can add at one end of an axis of size n; -1: any number. */
static int64_t most_padding(int64_t mode, int64_t n) {
    switch (mode) {
    case TG_PAD_REFLECT: return n > 0 ? n - 1 : 0;
    case TG_PAD_CIRCULAR: return n;
    case TG_PAD_REPLICATE: return n > 0 ? -1 : 0;
    default: return -1;
    }
}

static tg_status check_padding(tg_infer *f, int axis) {
    const pad_attr *a = f->attr;
    int64_t n = f->in_shape[0]->dims[axis], before = a->before[axis], after = a->after[axis], most = most_padding(a->mode, n);
    if (before < 0 || after < 0 || (most >= 0 && (before > most || after > most)))
        return tg_infer_fail(f, TG_EARG, "axis %d of size %lld cannot be padded by %lld and %lld", axis, (long long)n,
                             (long long)before, (long long)after);
    if (__builtin_add_overflow(n, before, &n) || __builtin_add_overflow(n, after, &n))
        return tg_infer_fail(f, TG_ESHAPE, "the padded size of axis %d overflows", axis);
    f->shape[0].dims[axis] = n;
    return TG_OK;
}

static tg_status pad_infer(tg_infer *f) {
    const pad_attr *a = f->attr;
    if (a->mode < TG_PAD_CONSTANT || a->mode > TG_PAD_CIRCULAR)
        return tg_infer_fail(f, TG_EARG, "%lld is no mode of padding", (long long)a->mode);
    bool constant = a->mode == TG_PAD_CONSTANT;
    if (f->n_in != 1 + constant)
        return tg_infer_fail(f, TG_EARG, "%s", constant ? "the value is missing" : "this mode needs no value");
    if (constant && f->in_dtype[1] != f->in_dtype[0])
        return tg_infer_fail(f, TG_EDTYPE, "the value is %s and x is %s", tg_dtype_name(f->in_dtype[1]),
                             tg_dtype_name(f->in_dtype[0]));
    if (constant && f->in_shape[1]->rank) return tg_infer_fail(f, TG_ESHAPE, "the value must have rank 0");
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    tg_status s = TG_OK;
    for (int i = 0; i < f->in_shape[0]->rank && !s; i++) s = check_padding(f, i);
    return s;
}

/* Where place i of the padded axis comes from; -1: from the value. */
static int64_t origin(int64_t mode, int64_t n, int64_t before, int64_t i) {
    int64_t at = i - before;
    if (at >= 0 && at < n) return at;
    switch (mode) {
    case TG_PAD_REFLECT: return at < 0 ? -at : 2 * (n - 1) - at;
    case TG_PAD_REPLICATE: return at < 0 ? 0 : n - 1;
    case TG_PAD_CIRCULAR: return at < 0 ? at + n : at - n;
    default: return -1;
    }
}

/* ------------------------------------------------------------------ the kernel: row by row of the last axis */

typedef struct pad_run {
    const tg_operand *x, *y;
    const pad_attr *attr;
    const void *value;
    size_t size;
    int rank; /* axes above a row */
    int64_t n, width, before;
} pad_run;

/* The first element of x's row that row `row` of y shows; -1: none, it is all value. */
static int64_t row_origin(const pad_run *r, int64_t row) {
    int64_t at = 0;
    for (int a = r->rank - 1; a >= 0; a--) {
        int64_t from = origin(r->attr->mode, r->x->shape->dims[a], r->attr->before[a], row % r->y->shape->dims[a]);
        if (from < 0) return -1;
        at += from * r->x->strides[a];
        row /= r->y->shape->dims[a];
    }
    return at;
}

/* Row `row` of y, from the row of x that begins at `from`. */
#define FILL(T)                                                                                       \
    static void fill_##T(const pad_run *r, int64_t row, int64_t from) {                               \
        T *y = (T *)r->y->data + row * r->width, value = r->value ? *(const T *)r->value : 0;                       \
        for (int64_t i = 0; i < r->width && from < 0; i++) y[i] = value;                              \
        if (from < 0) return;                                                                         \
        const T *x = (const T *)r->x->data + from;                                                    \
        if (r->n) memcpy(y + r->before, x, (size_t)r->n * sizeof(T));                                 \
        for (int64_t i = 0; i < r->width; i++) {                                                      \
            if (i == r->before) i += r->n;                                                            \
            if (i == r->width) break;                                                                 \
            int64_t at = origin(r->attr->mode, r->n, r->before, i);                                   \
            y[i] = at < 0 ? value : x[at];                                                            \
        }                                                                                             \
    }
FILL(uint8_t)
FILL(uint16_t)
FILL(uint32_t)
FILL(uint64_t)

static void pad_piece(int64_t begin, int64_t end, void *ctx) {
    const pad_run *r = ctx;
    for (int64_t row = begin; row < end; row++) {
        int64_t from = row_origin(r, row);
        switch (r->size) {
        case 8: fill_uint64_t(r, row, from); break;
        case 4: fill_uint32_t(r, row, from); break;
        case 2: fill_uint16_t(r, row, from); break;
        default: fill_uint8_t(r, row, from); break;
        }
    }
}

static tg_status pad_kernel(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *y = &k->out[0];
    const pad_attr *attr = k->attr;
    int last = x->shape->rank - 1;
    pad_run r = {x, y, attr, k->n_in > 1 ? k->in[1].data : NULL, tg_dtype_size(x->dtype), 0, 1, 1, 0};
    if (!y->numel) return TG_OK;
    if (last >= 0) {
        r.rank = last;
        r.n = x->shape->dims[last];
        r.width = y->shape->dims[last];
        r.before = attr->before[last];
    }
    tg_parallel(k->threads, y->numel / r.width, 2 * (double)y->numel * (double)r.size, pad_piece, &r);
    return TG_OK;
}

/* ------------------------------------------------------------------ the definition: parts side by side, axis by axis */

/* `count` elements that stand before the axis, or after it, if there are any. */
static tg_tensor edge(tg_tensor x, const tg_tensor *value, int64_t mode, int axis, int64_t count, bool after) {
    tg_shape s = tg_shape_of(x);
    int64_t n = s.dims[axis];
    s.dims[axis] = count;
    switch (mode) {
    case TG_PAD_REFLECT:
        return after ? tg_slice(x, axis, n - 2, n - 2 - count < 0 ? TG_BEGIN : n - 2 - count, -1)
                     : tg_slice(x, axis, count, 0, -1);
    case TG_PAD_REPLICATE:
        return tg_expand(after ? tg_slice(x, axis, n - 1, n, 1) : tg_slice(x, axis, 0, 1, 1), s);
    case TG_PAD_CIRCULAR:
        return after ? tg_slice(x, axis, 0, count, 1) : tg_slice(x, axis, n - count, n, 1);
    default:
        return tg_expand(*value, s);
    }
}

static tg_tensor pad_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    const pad_attr *a = attr;
    tg_tensor y = in[0];
    for (int axis = 0; axis < tg_shape_of(in[0]).rank; axis++) {
        tg_tensor parts[3];
        int n = 0;
        if (a->before[axis]) parts[n++] = edge(y, &in[1], a->mode, axis, a->before[axis], false);
        parts[n++] = y;
        if (a->after[axis]) parts[n++] = edge(y, &in[1], a->mode, axis, a->after[axis], true);
        if (n > 1) y = tg_concat(parts, n, axis);
    }
    return y;
}

#define LIST(...) {__VA_ARGS__ + 0}
#define BY(mode_, before_, after_) .attr = &(const pad_attr){mode_, LIST before_, LIST after_}
#define NUMBER IN('f', ())

const tg_op tg__op_pad = {
    .name = "pad",
    .formula = "y = x with elements added at the ends of its axes",
    .source = "elementary",
    .min_in = 1,
    .max_in = 2,
    .attr_size = sizeof(pad_attr),
    .fields = pad_fields,
    .infer = pad_infer,
    .define = pad_define,
    .kernel = pad_kernel,
    SAMPLES(SAMPLE("a frame", INPUTS(IN('f', (3, 4)), NUMBER), BY(TG_PAD_CONSTANT, (1, 2), (2, 1))),
            SAMPLE("one side of one axis", INPUTS(IN('f', (2, 3, 4)), NUMBER), BY(TG_PAD_CONSTANT, (0, 2, 0), (0, 0, 0))),
            SAMPLE("mirrored", INPUTS(IN('f', (3, 4))), BY(TG_PAD_REFLECT, (2, 1), (1, 3))),
            SAMPLE("replicated", INPUTS(IN('f', (3, 4))), BY(TG_PAD_REPLICATE, (2, 5), (1, 3))),
            SAMPLE("around", INPUTS(IN('f', (3, 4))), BY(TG_PAD_CIRCULAR, (2, 1), (3, 4))),
            SAMPLE("around, the outer axes", INPUTS(IN('f', (2, 3, 4))), BY(TG_PAD_CIRCULAR, (2, 1), (0, 3))),
            SAMPLE("rank 0", INPUTS(IN('f', ()), IN('c', ())), BY(TG_PAD_CONSTANT, (), ())),
            SAMPLE("nothing, framed", INPUTS(IN('f', (0, 2)), NUMBER), BY(TG_PAD_CONSTANT, (1, 1), (2, 0)))),
    BADS(BAD("a negative size", TG_EARG, "padded by -1 and 0", INPUTS(IN('f', (3)), NUMBER), BY(TG_PAD_CONSTANT, (-1), (0))),
         BAD("mirrored too far", TG_EARG, "axis 0 of size 3 cannot be padded by 3", INPUTS(IN('f', (3))),
             BY(TG_PAD_REFLECT, (3), (0))),
         BAD("around too far", TG_EARG, "cannot be padded by 0 and 4", INPUTS(IN('f', (3))),
             BY(TG_PAD_CIRCULAR, (0), (4))),
         BAD("nothing to replicate", TG_EARG, "of size 0", INPUTS(IN('f', (0))), BY(TG_PAD_REPLICATE, (1), (0))),
         BAD("no mode", TG_EARG, "9 is no mode", INPUTS(IN('f', (3)), NUMBER), BY(9, (1), (0))),
         BAD("no value", TG_EARG, "the value is missing", INPUTS(IN('f', (3))), BY(TG_PAD_CONSTANT, (1), (0))),
         BAD("a value too many", TG_EARG, "needs no value", INPUTS(IN('f', (3)), NUMBER), BY(TG_PAD_REFLECT, (1), (0))),
         BAD("values", TG_ESHAPE, "rank 0", INPUTS(IN('f', (3)), IN('f', (1))), BY(TG_PAD_CONSTANT, (1), (0))),
         BAD("an overflow", TG_ESHAPE, "overflows", INPUTS(IN('f', (3)), NUMBER), BY(TG_PAD_CONSTANT, (INT64_MAX), (0))),
         BAD("a value of another dtype", TG_EDTYPE, "the value is i64", INPUTS(IN('f', (3)), IN('i', ())),
             BY(TG_PAD_CONSTANT, (1), (0)))),
};

/*| tg_pad: adds p.before[i] and p.after[i] elements at the ends of axis i. TG_PAD_CONSTANT, the default, adds p.value (0 by
 *  default); TG_PAD_REFLECT mirrors x at its first and last element, without repeating those; TG_PAD_REPLICATE repeats them;
 *  TG_PAD_CIRCULAR goes on at the other end. The value is data: a new one makes no new plan, but for 0.
 *    y = x with elements added at the ends of its axes
 *  Shapes:   x (n_0, n_1, ...) -> y (before[0] + n_0 + after[0], ...); TG_PAD_REFLECT adds less than n at an end,
 *            TG_PAD_CIRCULAR at most n
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of g over the places where an element stands
 *  Errors:   TG_EARG if a size is negative or too large for the mode, or there is no such mode; TG_ESHAPE if the result is too
 *            large
 *  Source:   elementary */
TG_API(tg_tensor, tg_pad, (tg_tensor x, tg_padding p), (x, p)) {
    pad_attr attr = {p.mode, {0}, {0}};
    tg_shape s = tg_shape_of(x);
    memcpy(attr.before, p.before, (size_t)s.rank * sizeof *attr.before);
    memcpy(attr.after, p.after, (size_t)s.rank * sizeof *attr.after);
    tg_tape *t = tg_tape_of(x);
    tg_tensor in[] = {x, x};
    if (t && p.mode == TG_PAD_CONSTANT)
        in[1] = p.value == 0 ? tg__zero_like(x) : tg_full_at(site, t, TG_SCALAR, p.value, tg_dtype_of(x));
    return tg_apply_at(site, NULL, &tg__op_pad, &attr, in, 1 + (p.mode == TG_PAD_CONSTANT));
}

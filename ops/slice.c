/* Slices and splitting */
#include "ops/op_file.h"

/* Element k of axis a of y is element start[a] + k step[a] of x. Canonical: step 1 and start 0 or less than the dimension where
 * at most one element is taken. */
typedef struct slice_attr {
    int64_t start[TG_MAX_RANK], size[TG_MAX_RANK], step[TG_MAX_RANK];
} slice_attr;
static const tg_field slice_fields[] = {
    {"start", TG_FIELD_DIMS, offsetof(slice_attr, start)},
    {"size", TG_FIELD_DIMS, offsetof(slice_attr, size)},
    {"step", TG_FIELD_DIMS, offsetof(slice_attr, step)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_status slice_infer(tg_infer *f) {
    const slice_attr *a = f->attr;
    const tg_shape *s = f->in_shape[0];
    f->shape[0].rank = s->rank;
    for (int i = 0; i < s->rank; i++) {
        int64_t start = a->start[i], size = a->size[i], step = a->step[i], reach;
        if (step == 0) return tg_infer_fail(f, TG_EARG, "the step along axis %d is 0", i);
        bool inside = size >= 0 && !__builtin_mul_overflow(size ? size - 1 : 0, step, &reach) &&
                      !__builtin_add_overflow(reach, start, &reach);
        if (!inside || (size && (start < 0 || start >= s->dims[i] || reach < 0 || reach >= s->dims[i])))
            return tg_infer_fail(f, TG_EARG, "elements %lld, ... (%lld of them, step %lld) reach out of axis %d",
                                 (long long)start, (long long)size, (long long)step, i);
        f->shape[0].dims[i] = size;
    }
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static bool slice_view(tg_view_args *v) {
    const slice_attr *a = v->attr;
    v->offset = 0;
    for (int i = 0; i < v->in_shape->rank; i++) {
        v->out_strides[i] = v->in_strides[i] * a->step[i];
        if (a->size[i]) v->offset += v->in_strides[i] * a->start[i];
    }
    return true;
}

static void slice_vjp(tg_vjp_args *v) {
    const slice_attr *a = v->attr;
    tg_vjp_give_region(v, 0, v->g[0], a->start, a->step);
}

static tg_status slice_ref(tg_kernel_args *k) {
    const slice_attr *a = k->attr;
    const tg_operand *x = &k->in[0], *y = &k->out[0];
    for (int64_t i = 0; i < y->numel; i++) {
        int64_t rest = i, at = 0, step = 1;
        for (int axis = x->shape->rank - 1; axis >= 0; axis--) {
            at += (a->start[axis] + rest % a->size[axis] * a->step[axis]) * step;
            rest /= a->size[axis];
            step *= x->shape->dims[axis];
        }
        ((double *)y->data)[i] = ((const double *)x->data)[at];
    }
    return TG_OK;
}

#define LIST(...) {__VA_ARGS__ + 0}
#define PART(start_, size_, step_) .attr = &(const slice_attr){LIST start_, LIST size_, LIST step_}

const tg_op tg__op_slice = {
    .name = "slice",
    .formula = "y[..., k, ...] = x[..., start + k step, ...]",
    .source = "elementary",
    .min_in = 1,
    .max_in = 1,
    .attr_size = sizeof(slice_attr),
    .fields = slice_fields,
    .infer = slice_infer,
    .vjp = slice_vjp,
    .view = slice_view,
    .ref = slice_ref,
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (5, 3))), PART((1, 0), (3, 3), (1, 1))),
            SAMPLE("columns in steps of 2", INPUTS(IN('f', (3, 7))), PART((0, 1), (3, 3), (1, 2))),
            SAMPLE("backwards", INPUTS(IN('f', (4, 5))), PART((3, 4), (4, 2), (-1, -3))),
            SAMPLE("a box", INPUTS(IN('f', (4, 5, 6))), PART((1, 2, 0), (2, 2, 6), (2, 1, 1))),
            SAMPLE("everything", INPUTS(IN('f', (3, 4))), PART((0, 0), (3, 4), (1, 1))),
            SAMPLE("rank 0", INPUTS(IN('f', ())), PART((), (), ())),
            SAMPLE("nothing", INPUTS(IN('f', (4))), PART((0), (0), (1)))),
    BADS(BAD("step 0", TG_EARG, "step along axis 0 is 0", INPUTS(IN('f', (4))), PART((0), (2), (0))),
         BAD("past the end", TG_EARG, "reach out of axis 0", INPUTS(IN('f', (4))), PART((2), (3), (1))),
         BAD("before the start", TG_EARG, "reach out of axis 1", INPUTS(IN('f', (2, 4))), PART((0, 1), (2, 3), (1, -1))),
         BAD("an overflow", TG_EARG, "reach out", INPUTS(IN('f', (4))), PART((1), (INT64_MAX), (INT64_MAX))),
         BAD("a negative size", TG_EARG, "reach out", INPUTS(IN('f', (4))), PART((1), (-1), (1)))),
};

static slice_attr everything(const tg_shape *s) {
    slice_attr a = {{0}, {0}, {0}};
    for (int i = 0; i < s->rank; i++) {
        a.size[i] = s->dims[i];
        a.step[i] = 1;
    }
    return a;
}

static int64_t clip(int64_t at, int64_t n, int64_t low, int64_t high) {
    if (at < 0) at += n;
    return at < low ? low : at > high ? high : at;
}

/* Python's rule for x[start:stop:step]. A step of 0 is left for infer to refuse. */
static void set_range(slice_attr *a, int axis, int64_t n, int64_t start, int64_t stop, int64_t step) {
    if (step < -INT64_MAX) step = -INT64_MAX;
    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
    start = clip(start, n, low, high);
    stop = clip(stop, n, low, high);
    int64_t size = 0;
    if (step > 0 && start < stop) size = (stop - start - 1) / step + 1;
    if (step < 0 && start > stop) size = (start - stop - 1) / -step + 1;
    a->start[axis] = size ? start : 0;
    a->size[axis] = size;
    a->step[axis] = size < 2 && step ? 1 : step;
}

/*| tg_slice: a part of one axis, by Python's rules: elements from, from + by, ... before to. Negative numbers count from the
 *  end, and what is out of range is clipped: to = TG_END takes all to the end. With by < 0, from = TG_END is the last
 *  element, and to = TG_BEGIN includes the first one. A view: no memory is used.
 *    y[..., k, ...] = x[..., from + k by, ...]
 *  Shapes:   x (..., n, ...) -> y (..., as many as are taken, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the elements that were taken, else 0; many slices of one tensor are added up in one pass
 *  Errors:   TG_EARG if the axis is out of range or by is 0
 *  Source:   elementary */
TG_API(tg_tensor, tg_slice, (tg_tensor x, int64_t axis, int64_t from, int64_t to, int64_t by), (x, axis, from, to, by)) {
    tg_shape s = tg_shape_of(x);
    slice_attr attr = everything(&s);
    tg_tape *t = tg_tape_of(x);
    int at = tg_infer_axis(axis, s.rank);
    if (t && tg_valid(x) && at < 0) {
        tg__fail(t, TG_EARG, "slice", site, t->scope, "axis %lld is out of range for rank %d", (long long)axis, s.rank);
        return tg__poison(t);
    }
    if (at >= 0) set_range(&attr, at, s.dims[at], from, to, by);
    return tg_apply_at(site, NULL, &tg__op_slice, &attr, &x, 1);
}

/*| tg_slice_box: a part of every axis at once: tg_slice for each. Arrays hold one number per axis; by = NULL is 1 everywhere.
 *    y[k0, k1, ...] = x[from[0] + k0 by[0], from[1] + k1 by[1], ...]
 *  Shapes:   x (any) -> y of the same rank
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the elements that were taken, else 0
 *  Errors:   TG_EARG if from or to is NULL or a by is 0
 *  Source:   elementary */
TG_API(tg_tensor, tg_slice_box, (tg_tensor x, const int64_t *from, const int64_t *to, const int64_t *by), (x, from, to, by)) {
    tg_shape s = tg_shape_of(x);
    slice_attr attr = everything(&s);
    tg_tape *t = tg_tape_of(x);
    if (t && s.rank && (!from || !to)) {
        tg__fail(t, TG_EARG, "slice_box", site, t->scope, "from or to is NULL");
        return tg__poison(t);
    }
    for (int i = 0; i < s.rank && from && to; i++)
        set_range(&attr, i, s.dims[i], from[i], to[i], by ? by[i] : 1);
    return tg_apply_at(site, NULL, &tg__op_slice, &attr, &x, 1);
}

tg_tensor tg__slice_region(tg_tensor x, const tg_shape *size, const tg__region *region) {
    slice_attr attr = everything(size);
    for (int i = 0; i < size->rank; i++) {
        attr.start[i] = size->dims[i] ? region->start[i] : 0;
        attr.step[i] = size->dims[i] > 1 ? region->step[i] : 1;
    }
    return tg_apply_at(NULL, NULL, &tg__op_slice, &attr, &x, 1);
}

/* Parts of an axis, side by side; what is left over goes to the first ones. */
static tg_status cut(const char *site, const char *op, tg_tensor x, int64_t axis, int n, bool equal, tg_tensor *outs) {
    tg_shape s = tg_shape_of(x);
    tg_tape *t = tg_tape_of(x);
    int at = tg_infer_axis(axis, s.rank);
    for (int i = 0; i < n && outs; i++) outs[i] = t ? tg__poison(t) : tg__lost(site);
    if (!t) return TG_EARG;
    if (t->base.error.status) return t->base.error.status;
    if (!tg_valid(x)) { /* says why */
        if (n > 0 && outs) outs[0] = tg_slice_at(site, x, axis, 0, TG_END, 1);
        return tg_error(t);
    }
    if (at < 0 || n < 1 || !outs)
        return tg__fail(t, TG_EARG, op, site, t->scope, "axis %lld of rank %d in %d parts%s", (long long)axis, s.rank, n,
                        outs ? "" : ", outs is NULL");
    if (equal && s.dims[at] % n)
        return tg__fail(t, TG_ESHAPE, op, site, t->scope, "axis %d of size %lld is not cut in %d equal parts", at,
                        (long long)s.dims[at], n);
    int64_t each = s.dims[at] / n, more = s.dims[at] % n, from = 0;
    for (int i = 0; i < n; i++) {
        int64_t to = from + each + (i < more);
        outs[i] = tg_slice_at(site, x, at, from, to, 1);
        from = to;
    }
    return tg_error(t);
}

/*| tg_split: cuts an axis in n equal parts and fills outs[0..n) with them. They are slices: no memory is used.
 *    outs[i] = x[..., i size / n .. (i + 1) size / n, ...]
 *  Shapes:   x (..., size, ...) -> each (..., size / n, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = the cotangents of the parts side by side
 *  Errors:   TG_EARG if the axis is out of range, n < 1 or outs is NULL; TG_ESHAPE if n does not divide the size
 *  Source:   elementary */
TG_API(tg_status, tg_split, (tg_tensor x, int64_t axis, int n, tg_tensor *outs), (x, axis, n, outs)) {
    return cut(site, "split", x, axis, n, true, outs);
}

/*| tg_chunk: cuts an axis in n parts as equal as they can be and fills outs[0..n) with them: the first size mod n parts have
 *  one element more (PyTorch's tensor_split; its chunk has a shorter last part). They are slices: no memory is used.
 *    outs[i] = part i of x
 *  Shapes:   x (..., size, ...) -> each (..., size / n rounded up or down, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = the cotangents of the parts side by side
 *  Errors:   TG_EARG if the axis is out of range, n < 1 or outs is NULL
 *  Source:   elementary */
TG_API(tg_status, tg_chunk, (tg_tensor x, int64_t axis, int n, tg_tensor *outs), (x, axis, n, outs)) {
    return cut(site, "chunk", x, axis, n, false, outs);
}

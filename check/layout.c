/* The ways in which an input can lie in memory: a view of a larger array, made by a view op of the battery's own. */
#include "check.h"
#include "tapegrad/ops.h"

static const char *const names[TG__LAYOUT_COUNT] = {
    "packed", "unaligned", "transposed storage", "sliced with an offset", "step 2", "flipped", "computed",
    "broadcast first axis", "broadcast last axis", "the same tensor twice", "overlapping views",
};

const char *tg__layout_name(tg__layout l) { return names[l]; }

const char *tg_op_check_layout(int i) { return i >= 0 && i < TG__LAYOUT_COUNT ? names[i] : NULL; }

int tg__spread_axis(tg__layout l, const tg_shape *s) {
    if (s->rank == 0) return -1;
    int axis = l == TG__SPREAD_FIRST ? 0 : s->rank - 1;
    return s->dims[axis] > 1 ? axis : -1;
}

bool tg__layout_differs(tg__layout l, const tg_shape *s) {
    if (l == TG__UNALIGNED || l == TG__COMPUTED) return true;
    if (l == TG__SPREAD_FIRST || l == TG__SPREAD_LAST) return tg__spread_axis(l, s) >= 0;
    int long_axes = 0;
    for (int i = 0; i < s->rank; i++) long_axes += s->dims[i] > 1;
    return l == TG__TRANSPOSED ? long_axes > 1 : l != TG__PACKED && long_axes > 0;
}

/* Each axis of the storage is `times` as long and `more` longer; the first axis is the outermost, or the innermost. */
static int64_t stretched(const tg_shape *s, int64_t *strides, int times, int more, bool innermost) {
    int64_t step = 1;
    for (int k = 0; k < s->rank; k++) {
        int i = innermost ? k : s->rank - 1 - k;
        strides[i] = step;
        step *= s->dims[i] * times + more;
    }
    return step;
}

int64_t tg__layout_strides(tg__layout l, const tg_shape *s, int64_t *strides, int64_t *offset) {
    int64_t size = 1;
    *offset = 0;
    switch (l) {
    case TG__TRANSPOSED: return stretched(s, strides, 1, 0, true);
    case TG__UNALIGNED: *offset = 1; return stretched(s, strides, 1, 0, false) + 1;
    case TG__SLICED:
        size = stretched(s, strides, 1, 2, false);
        for (int i = 0; i < s->rank; i++) *offset += strides[i];
        return size;
    case TG__STEP2:
        size = stretched(s, strides, 2, 0, false);
        for (int i = 0; i < s->rank; i++) strides[i] *= 2;
        return size;
    case TG__FLIPPED:
        size = stretched(s, strides, 1, 0, false);
        for (int i = 0; i < s->rank; i++) {
            *offset += s->dims[i] ? strides[i] * (s->dims[i] - 1) : 0;
            strides[i] = -strides[i];
        }
        return size;
    case TG__SPREAD_FIRST:
    case TG__SPREAD_LAST: {
        tg_shape thin = *s;
        int axis = tg__spread_axis(l, s);
        if (axis >= 0) thin.dims[axis] = 1;
        size = stretched(&thin, strides, 1, 0, false);
        if (axis >= 0) strides[axis] = 0;
        return size;
    }
    default: return stretched(s, strides, 1, 0, false);
    }
}

/* ------------------------------------------------------------------ the view */

typedef struct strided_attr {
    tg_shape shape;
    int64_t strides[TG_MAX_RANK];
    int64_t offset;
} strided_attr;

static const tg_field strided_fields[] = {
    {"shape", TG_FIELD_SHAPE, offsetof(strided_attr, shape)},
    {"strides", TG_FIELD_DIMS, offsetof(strided_attr, strides)},
    {"offset", TG_FIELD_INT, offsetof(strided_attr, offset)},
    {0},
};

static tg_status strided_infer(tg_infer *f) {
    f->shape[0] = ((const strided_attr *)f->attr)->shape;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static bool strided_view(tg_view_args *v) {
    const strided_attr *a = v->attr;
    for (int i = 0; i < a->shape.rank; i++) v->out_strides[i] = a->strides[i] * v->in_strides[0];
    v->offset = a->offset * v->in_strides[0];
    return true;
}

static const tg_op strided = {
    .name = "layout", .formula = "y = x through strides", .source = "elementary", .min_in = 1, .max_in = 1,
    .attr_size = sizeof(strided_attr), .fields = strided_fields, .infer = strided_infer, .view = strided_view,
};

/* ------------------------------------------------------------------ recording */

void tg__layout_fill(const tg__array *storage, const double *x, const tg_shape *shape, const int64_t *strides, int64_t offset) {
    int64_t n = tg_shape_numel(shape), at[TG_MAX_RANK] = {0}, where = offset;
    for (int64_t e = 0; e < n; e++) {
        tg__array_set(storage, where, x[e]);
        for (int i = shape->rank - 1; i >= 0; i--) {
            where += strides[i];
            if (++at[i] < shape->dims[i]) break;
            where -= strides[i] * at[i];
            at[i] = 0;
        }
    }
}

static tg__array storage_of(tg__check *c, int64_t size, tg_dtype dtype) {
    tg__array a = tg__check_array(c, dtype, &TG_SHAPE(size));
    if (a.n) memset(a.data, 0x5a, (size_t)a.n * tg_dtype_size(dtype)); /* what lies between the elements must not matter */
    return a;
}

static tg_tensor record_storage(tg__check *c, const tg__array *storage) {
    return tg_input(c->tape, (tg_array){storage->dtype, storage->shape, storage->data});
}

tg_tensor tg__layout_record(tg__check *c, tg__layout l, const double *x, const tg_shape *shape, tg_dtype dtype) {
    strided_attr a = {.shape = *shape};
    int64_t size = tg__layout_strides(l, shape, a.strides, &a.offset);
    tg__array storage = storage_of(c, size, dtype);
    if (c->no_memory) return tg__poison(c->tape);
    tg__layout_fill(&storage, x, shape, a.strides, a.offset);
    bool plain = l == TG__PACKED || l == TG__COMPUTED;
    if (plain) storage.shape = *shape;
    tg_tensor y = record_storage(c, &storage);
    if (l == TG__COMPUTED && (tg_dtype_is_float(dtype) || dtype == TG_I32 || dtype == TG_I64)) y = tg_neg(tg_neg(y));
    return plain ? y : tg_apply(c->tape, &strided, &a, &y, 1);
}

void tg__overlap_record(tg__check *c, const tg__point *p, int i, int j, tg_dtype dtype, tg_tensor *in) {
    int64_t n = p->numel[j] + TG__OVERLAP_SHIFT;
    if (n < p->numel[i]) n = p->numel[i];
    tg__array storage = storage_of(c, n, dtype);
    if (c->no_memory) return;
    for (int64_t e = 0; e < p->numel[i]; e++) tg__array_set(&storage, e, p->x[i][e]);
    for (int64_t e = 0; e < p->numel[j]; e++) tg__array_set(&storage, e + TG__OVERLAP_SHIFT, p->x[j][e]);
    tg_tensor base = record_storage(c, &storage);
    const int which[2] = {i, j};
    for (int k = 0; k < 2; k++) {
        strided_attr a = {.shape = p->in[which[k]].shape, .offset = k * TG__OVERLAP_SHIFT};
        tg__packed_strides(&a.shape, a.strides);
        in[which[k]] = tg_apply(c->tape, &strided, &a, &base, 1);
    }
}

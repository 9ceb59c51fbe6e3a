/* Shapes, strides and attributes. */
#include "engine.h"

int64_t tg_shape_numel(const tg_shape *s) {
    int64_t n = 1;
    bool empty = false;
    for (int i = 0; i < s->rank; i++) {
        if (s->dims[i] < 0) return -1;
        if (s->dims[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(n, s->dims[i], &n))
            return -1;
    }
    return empty ? 0 : n;
}

bool tg_shape_equal(const tg_shape *a, const tg_shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

bool tg__shape_valid(const tg_shape *s, char *why, size_t size) {
    if (s->rank < 0 || s->rank > TG_MAX_RANK) {
        snprintf(why, size, "rank %d is not between 0 and %d", s->rank, TG_MAX_RANK);
        return false;
    }
    char text[160];
    for (int i = 0; i < s->rank; i++)
        if (s->dims[i] < 0) {
            snprintf(why, size, "dimension %d of %s is negative", i, tg__shape_text(s, text, sizeof text));
            return false;
        }
    int64_t n = tg_shape_numel(s);
    if (n < 0 || n > PTRDIFF_MAX / 16) {
        snprintf(why, size, "%s has more elements than memory can hold", tg__shape_text(s, text, sizeof text));
        return false;
    }
    return true;
}

void tg__packed_strides(const tg_shape *s, int64_t *strides) {
    int64_t step = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= s->dims[i] > 1 ? s->dims[i] : 1;
    }
}

bool tg__is_packed(const tg_shape *s, const int64_t *strides) {
    int64_t step = 1;
    for (int i = s->rank - 1; i >= 0; i--) {
        if (s->dims[i] == 0) return true;
        if (s->dims[i] != 1 && strides[i] != step) return false;
        step *= s->dims[i];
    }
    return true;
}

void tg__broadcast_strides(const tg_shape *from, const int64_t *from_strides, const tg_shape *to, int64_t *strides) {
    for (int i = 0; i < to->rank; i++) {
        int j = i - (to->rank - from->rank);
        strides[i] = j < 0 || (from->dims[j] == 1 && to->dims[i] != 1) ? 0 : from_strides[j];
    }
}

bool tg_broadcast(const tg_shape *a, const tg_shape *b, tg_shape *out, int *bad) {
    tg_shape r = {a->rank > b->rank ? a->rank : b->rank, {0}};
    for (int i = 1; i <= r.rank; i++) {
        int64_t x = i <= a->rank ? a->dims[a->rank - i] : 1, y = i <= b->rank ? b->dims[b->rank - i] : 1;
        if (x != y && x != 1 && y != 1) {
            if (bad) *bad = r.rank - i;
            return false;
        }
        r.dims[r.rank - i] = x == 1 ? y : x;
    }
    *out = r;
    return true;
}

int tg_infer_axis(int64_t axis, int rank) {
    if (axis < -(int64_t)rank || axis >= rank) return -1;
    return (int)(axis < 0 ? axis + rank : axis);
}

/* The rank and as many dimensions are what is compared. A tape's first shape, number 0, is that of a scalar. */
uint32_t tg__shape_intern(tg_tape *t, const tg_shape *s) {
    if (s->rank == 0 && t->shapes.n) return 0;
    tg_shape clean;
    size_t size = offsetof(tg_shape, dims) + (size_t)s->rank * sizeof *s->dims;
    memset(&clean, 0, offsetof(tg_shape, dims));
    clean.rank = s->rank;
    for (int i = 0; i < s->rank; i++) clean.dims[i] = s->dims[i];
    uint32_t before = t->shapes.n;
    uint32_t i = tg__intern(&t->shapes, &t->meta, &clean, size, sizeof(tg__shape_info));
    if (i != TG__NONE && i == before) {
        tg__shape_info *info = t->shapes.items[i];
        tg__packed_strides(&info->shape, info->strides);
        info->numel = tg_shape_numel(&info->shape);
    }
    return i;
}

static size_t field_size(tg_field_type type) {
    switch (type) {
    case TG_FIELD_INT:
        return sizeof(int64_t);
    case TG_FIELD_DTYPE:
        return sizeof(tg_dtype);
    case TG_FIELD_SHAPE:
        return sizeof(tg_shape);
    case TG_FIELD_AXES:
        return sizeof(tg_axes);
    case TG_FIELD_DIMS:
        return sizeof(int64_t[TG_MAX_RANK]);
    case TG_FIELD_PTR:
        return sizeof(void *);
    }
    return 0;
}

#define MAX_ATTR 512

typedef struct attr_key {
    const tg_op *op;
    _Alignas(16) char bytes[MAX_ATTR];
} attr_key;

/* Copies field by field: padding bytes are never compared. */
const void *tg__attr_intern(tg_tape *t, const tg_op *op, const void *attr, tg_status *status) {
    *status = TG_OK;
    if (!op->attr_size) return NULL;
    attr_key key;
    if (op->attr_size > MAX_ATTR || !attr || !op->fields) {
        *status = TG_EARG;
        return NULL;
    }
    size_t size = offsetof(attr_key, bytes) + op->attr_size;
    memset(&key, 0, size);
    for (const tg_field *f = op->fields; f->name; f++)
        memcpy(key.bytes + f->offset, (const char *)attr + f->offset, field_size(f->type));
    key.op = op;
    uint32_t i = tg__intern(&t->attrs, &t->meta, &key, size, size);
    if (i == TG__NONE) {
        *status = TG_ENOMEM;
        return NULL;
    }
    return (char *)t->attrs.items[i] + offsetof(attr_key, bytes);
}

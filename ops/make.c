/* Making tensors */
#include "ops/op_file.h"

static bool can_be_made(const char *site, tg_tape *t, const char *op, const tg_shape *shape, tg_dtype dtype) {
    char why[220];
    if (t->base.error.status) return false;
    if ((unsigned)dtype >= TG_DTYPE_COUNT) tg__fail(t, TG_EDTYPE, op, site, t->scope, "%d is no dtype", (int)dtype);
    else if (!tg__shape_valid(shape, why, sizeof why)) tg__fail(t, TG_ESHAPE, op, site, t->scope, "%s", why);
    return !t->base.error.status;
}

static tg_tensor symbolic(const char *site, tg_tape *t, const char *op, int value, tg_shape shape, tg_dtype dtype) {
    if (!t) return tg__lost(site);
    return can_be_made(site, t, op, &shape, dtype) ? tg__constant(t, value, &shape, dtype) : tg__poison(t);
}

/*| tg_zeros: all zeros. No memory is used, and what is known to be 0 is left out where that changes nothing.
 *    y = 0
 *  Shapes:   y shape
 *  Dtypes:   every dtype
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_API(tg_tensor, tg_zeros, (tg_tape *t, tg_shape shape, tg_dtype dtype), (t, shape, dtype)) {
    return symbolic(site, t, "zeros", 0, shape, dtype);
}

/*| tg_ones: all ones. No memory is used; a product with it is the other factor.
 *    y = 1
 *  Shapes:   y shape
 *  Dtypes:   every dtype
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_API(tg_tensor, tg_ones, (tg_tape *t, tg_shape shape, tg_dtype dtype), (t, shape, dtype)) {
    return symbolic(site, t, "ones", 1, shape, dtype);
}

/*| tg_full: the same number everywhere. It is data: a new value makes no new plan.
 *    y = value
 *  Shapes:   y shape
 *  Dtypes:   every dtype; whole numbers are exact up to 2^53
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_API(tg_tensor, tg_full, (tg_tape *t, tg_shape shape, double value, tg_dtype dtype), (t, shape, value, dtype)) {
    if (!t) return tg__lost(site);
    if (!can_be_made(site, t, "full", &shape, dtype)) return tg__poison(t);
    tg_tensor number = tg_scalar_at(site, t, value, tg__is_float(dtype) ? dtype : TG_F64);
    return tg_expand_at(site, tg_cast_at(site, number, dtype), shape);
}

/* ------------------------------------------------------------------ arange */

typedef struct arange_attr {
    int64_t n;
    tg_dtype dtype;
} arange_attr;
static const tg_field arange_fields[] = {
    {"n", TG_FIELD_INT, offsetof(arange_attr, n)},
    {"dtype", TG_FIELD_DTYPE, offsetof(arange_attr, dtype)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_status arange_infer(tg_infer *f) {
    const arange_attr *attr = f->attr;
    if (attr->n < 0) return tg_infer_fail(f, TG_EARG, "%lld numbers", (long long)attr->n);
    if (attr->dtype != TG_F32 && attr->dtype != TG_F64 && attr->dtype != TG_I32 && attr->dtype != TG_I64)
        return tg_infer_fail(f, TG_EDTYPE, "the dtype must be f32, f64, i32 or i64, not %s", tg_dtype_name(attr->dtype));
    if (attr->dtype == TG_I32 && attr->n > INT32_MAX)
        return tg_infer_fail(f, TG_EARG, "%lld numbers do not fit i32", (long long)attr->n);
    f->shape[0] = TG_SHAPE(attr->n);
    f->dtype[0] = attr->dtype;
    return TG_OK;
}

#define COUNT(T) for (int64_t i = begin; i < end; i++) ((T *)y->data)[i] = (T)i

static void arange_piece(int64_t begin, int64_t end, void *ctx) {
    const tg_operand *y = ctx;
    switch (y->dtype) {
    case TG_F32: COUNT(float); break;
    case TG_F64: COUNT(double); break;
    case TG_I32: COUNT(int32_t); break;
    default: COUNT(int64_t); break;
    }
}

static tg_status arange_kernel(tg_kernel_args *k) {
    tg_operand y = k->out[0];
    tg_parallel(k->threads, y.numel, (double)y.numel * (double)tg_dtype_size(y.dtype), arange_piece, &y);
    return TG_OK;
}

static tg_status arange_ref(tg_kernel_args *k) {
    tg_operand y = k->out[0];
    arange_piece(0, y.numel, &y);
    return TG_OK;
}

#define NUMBERS(n, d) .attr = &(const arange_attr){n, d}

const tg_op tg__op_arange = {
    .name = "arange",
    .formula = "y[i] = i",
    .source = "elementary",
    .max_in = 0,
    .attr_size = sizeof(arange_attr),
    .fields = arange_fields,
    .infer = arange_infer,
    .kernel = arange_kernel,
    .ref = arange_ref,
    .flags = TG_OP_CUT,
    SAMPLES(SAMPLE("whole numbers", NUMBERS(7, TG_I64)), SAMPLE("small whole numbers", NUMBERS(7, TG_I32)),
            SAMPLE("floats", NUMBERS(40, TG_F64)), SAMPLE("nothing", NUMBERS(0, TG_I64))),
    BADS(BAD("a negative number", TG_EARG, "-1 numbers", NUMBERS(-1, TG_I64)),
         BAD("bool", TG_EDTYPE, "not bool", NUMBERS(3, TG_BOOL)),
         BAD("16 bits", TG_EDTYPE, "not bf16", NUMBERS(3, TG_BF16)),
         BAD("beyond i32", TG_EARG, "do not fit i32", NUMBERS((int64_t)1 << 32, TG_I32)),
         BAD("no dtype", TG_EDTYPE, "not ?", NUMBERS(3, (tg_dtype)77)),
         BAD("an input", TG_EARG, "not 1", INPUTS(IN('f', (3))), NUMBERS(3, TG_I64))),
};

/*| tg_arange: the numbers from 0 to n - 1.
 *    y[i] = i
 *  Shapes:   y (n)
 *  Dtypes:   f32, f64, i32, i64
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if n < 0 or does not fit i32; TG_EDTYPE for another dtype
 *  Source:   elementary */
TG_API(tg_tensor, tg_arange, (tg_tape *t, int64_t n, tg_dtype dtype), (t, n, dtype)) {
    arange_attr attr = {n, dtype};
    return tg_apply_at(site, t, &tg__op_arange, &attr, NULL, 0);
}

/*| tg_linspace: n numbers from start to stop, equally far apart; both ends are exact. Start and stop are data: new ones make no
 *  new plan.
 *    y[i] = start + i (stop - start) / (n - 1)
 *  Shapes:   y (n); n = 1 is start alone
 *  Dtypes:   f32, f64; computed in f64
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if n < 0; TG_EDTYPE for another dtype
 *  Source:   elementary */
TG_API(tg_tensor, tg_linspace, (tg_tape *t, double start, double stop, int64_t n, tg_dtype dtype), (t, start, stop, n, dtype)) {
    if (!t) return tg__lost(site);
    if (t->base.error.status) return tg__poison(t);
    if (!tg_dtype_is_float(dtype)) tg__fail(t, TG_EDTYPE, "linspace", site, t->scope, "the dtype must be f32 or f64");
    else if (n < 0) tg__fail(t, TG_EARG, "linspace", site, t->scope, "%lld numbers", (long long)n);
    if (t->base.error.status) return tg__poison(t);
    double step = n > 1 ? (stop - start) / (double)(n - 1) : 0;
    tg_tensor i = tg_arange_at(site, t, n, TG_F64), back = tg_sub_at(site, tg_scalar_at(site, t, (double)(n - 1), TG_F64), i);
    tg_tensor by = tg_scalar_at(site, t, step, TG_F64);
    tg_tensor up = tg_add_at(site, tg_scalar_at(site, t, start, TG_F64), tg_mul_at(site, i, by));
    tg_tensor down = tg_sub_at(site, tg_scalar_at(site, t, stop, TG_F64), tg_mul_at(site, back, by));
    tg_tensor y = n > 1 ? tg_where_at(site, tg_lt_at(site, i, back), up, down) : up;
    return tg_cast_at(site, y, dtype);
}

/* Choosing, converting, cutting gradients */
#include "ops/elementwise.h"

/* ------------------------------------------------------------------ where */

TG_MICRO(where, 3, SELECT, a ? b : c)
REF(where, a != 0 ? b : c)

static void where_vjp(tg_vjp_args *v) {
    const tg_tensor g = v->g[0], condition = v->in[0];
    if (tg_vjp_needs(v, 1)) tg_vjp_give(v, 1, tg_where(condition, g, tg__zero_like(g)));
    if (tg_vjp_needs(v, 2)) tg_vjp_give(v, 2, tg_where(condition, tg__zero_like(g), g));
}

const tg_op tg__op_where = {
    .name = "where",
    .formula = "y = a if condition, else b",
    .source = "elementary",
    .min_in = 3,
    .max_in = 3,
    .flags = TG_OP_CHEAP | TG_OP_COND_FIRST,
    .micro = &tg__micro_where,
    .ref = where_ref,
    .vjp = where_vjp,
    SAMPLES(SAMPLE("equal shapes", INPUTS(IN('b', (3, 4)), IN('f', (3, 4)), IN('f', (3, 4)))),
            SAMPLE("a row, a column, a number", INPUTS(IN('b', (1, 4)), IN('f', (3, 1)), IN('f', ()))),
            SAMPLE("a long vector", INPUTS(IN('b', (37)), IN('f', (37)), IN('f', (37)))),
            SAMPLE("the condition broadcasts the values", INPUTS(IN('b', (2, 3)), IN('f', (3)), IN('f', ()))),
            SAMPLE("rank 0", INPUTS(IN('b', ()), IN('f', ()), IN('f', ()))),
            SAMPLE("size 0", INPUTS(IN('b', (0, 3)), IN('f', (3)), IN('f', ())))),
    BADS(BAD("a float condition", TG_EDTYPE, "must be bool", INPUTS(IN('f', (3)), IN('f', (3)), IN('f', (3)))),
         BAD("mixed values", TG_EDTYPE, "tg_cast", INPUTS(IN('b', (3)), IN('f', (3)), IN('i', (3)))),
         BAD("shapes that clash", TG_ESHAPE, "do not broadcast", INPUTS(IN('b', (2)), IN('f', (3)), IN('f', (3)))),
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('b', (3)), IN('f', (3)))),
         BAD("values that clash", TG_ESHAPE, "do not broadcast", INPUTS(IN('b', ()), IN('f', (3)), IN('f', (2))))),
};

/*| tg_where: a where the condition is true, b where it is false.
 *    y = a if condition, else b
 *  Shapes:   condition, a, b broadcast -> y
 *  Dtypes:   condition bool; a and b of the same dtype, any
 *  Gradient: da = g where the condition is true, db = g where it is false, else 0. The branch that is not taken gives no NaN
 *            where functions and quotients made it (sqrt, log, 1 / x, exp, ... at an edge): their rules are 0 where the
 *            cotangent is. A product does not look: 0 times an infinite factor is NaN
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the condition is not bool or a and b differ
 *  Source:   elementary */
TG_API(tg_tensor, tg_where, (tg_tensor condition, tg_tensor a, tg_tensor b), (condition, a, b)) {
    return tg__apply_micro(site, &tg__op_where, (tg_tensor[]){condition, a, b}, 3);
}

/* ------------------------------------------------------------------ cast: one op per target */

static tg_status cast_infer(tg_infer *f, tg_dtype to) {
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = to;
    return TG_OK;
}

/* Between floats the cotangent is converted back; nothing flows to or from whole numbers and truth values. */
static void cast_vjp(tg_vjp_args *v) {
    tg_dtype from = tg_dtype_of(v->in[0]);
    if (tg__is_float(from) && tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, tg_cast(v->g[0], from));
}

#define CAST(dtype, to, flags_)                                                                                  \
    .name = "cast_" #dtype, .label = #dtype, .formula = "y = x as " #dtype, .source = "elementary", .min_in = 1, \
    .max_in = 1, .flags = TG_OP_CHEAP | (flags_), .micro = &tg__micro_cast_##dtype, .ref = cast_##dtype##_ref,   \
    .infer = cast_##dtype##_infer, .bad = tg__bad_any1
#define CAST_INFER(dtype, to) \
    static tg_status cast_##dtype##_infer(tg_infer *f) { return cast_infer(f, to); }

TG_MICRO(cast_f32, 1, TO_F32, a)
REF(cast_f32, (float)a)
CAST_INFER(f32, TG_F32)
const tg_op tg__op_cast_f32 = {
    CAST(f32, TG_F32, 0),
    .vjp = cast_vjp,
    RANGE1('f', .lo = -2, .hi = 2),
};

TG_MICRO(cast_f64, 1, TO_F64, a)
REF(cast_f64, a)
CAST_INFER(f64, TG_F64)
const tg_op tg__op_cast_f64 = {
    CAST(f64, TG_F64, 0),
    .vjp = cast_vjp,
    RANGE1('f', .lo = -2, .hi = 2),
};

TG_MICRO(cast_bf16, 1, TO_BF16, a)
REF(cast_bf16, a)
CAST_INFER(bf16, TG_BF16)
const tg_op tg__op_cast_bf16 = {
    CAST(bf16, TG_BF16, 0),
    .vjp = cast_vjp,
    RANGE1('j', .lo = -999, .hi = 999),
};

TG_MICRO(cast_f16, 1, TO_F16, a)
REF(cast_f16, a)
CAST_INFER(f16, TG_F16)
const tg_op tg__op_cast_f16 = {
    CAST(f16, TG_F16, 0),
    .vjp = cast_vjp,
    RANGE1('j', .lo = -9999, .hi = 9999),
};

TG_MICRO(cast_i32, 1, TO_I32, a)
REF(cast_i32, trunc(a))
CAST_INFER(i32, TG_I32)
const tg_op tg__op_cast_i32 = {
    CAST(i32, TG_I32, TG_OP_CUT),
    RANGE1('c', .lo = -9, .hi = 9),
};

TG_MICRO(cast_i64, 1, TO_I64, a)
REF(cast_i64, trunc(a))
CAST_INFER(i64, TG_I64)
const tg_op tg__op_cast_i64 = {
    CAST(i64, TG_I64, TG_OP_CUT),
    RANGE1('c', .lo = -9, .hi = 9),
};

TG_MICRO(cast_u8, 1, TO_U8, a)
REF(cast_u8, trunc(a))
CAST_INFER(u8, TG_U8)
const tg_op tg__op_cast_u8 = {
    CAST(u8, TG_U8, TG_OP_CUT),
    RANGE1('c', .lo = 0, .hi = 255),
};

TG_MICRO(cast_bool, 1, TO_BOOL, a)
REF(cast_bool, a != 0)
CAST_INFER(bool, TG_BOOL)
const tg_op tg__op_cast_bool = {
    CAST(bool, TG_BOOL, TG_OP_CUT),
    RANGE1('j', .lo = -1, .hi = 1),
};

/*| tg_cast: converts the elements to another dtype. x itself if it has it already.
 *    y = x as dtype
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype -> dtype. Floats are rounded to the nearest float, ties to even; to whole numbers towards 0; what is
 *            beyond the range becomes the end of the range, NaN 0. Whole numbers keep their low bits. To bool: x is not 0
 *  Gradient: dx = g as x's dtype, between floats; none flows else
 *  Errors:   TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_API(tg_tensor, tg_cast, (tg_tensor x, tg_dtype dtype), (x, dtype)) {
    static const tg_op *const casts[TG_DTYPE_COUNT] = {
        [TG_F32] = &tg__op_cast_f32, [TG_F64] = &tg__op_cast_f64, [TG_I32] = &tg__op_cast_i32,
        [TG_I64] = &tg__op_cast_i64, [TG_U8] = &tg__op_cast_u8,   [TG_BOOL] = &tg__op_cast_bool,
        [TG_BF16] = &tg__op_cast_bf16, [TG_F16] = &tg__op_cast_f16,
    };
    tg_tape *t = tg_tape_of(x);
    if ((unsigned)dtype >= TG_DTYPE_COUNT) {
        if (!t) return tg__lost(site);
        tg__fail(t, TG_EDTYPE, "cast", site, t->scope, "%d is no dtype", (int)dtype);
        return tg__poison(t);
    }
    if (t && tg_valid(x) && tg_dtype_of(x) == dtype) return x;
    return tg_apply_at(site, t, casts[dtype], NULL, &x, 1);
}

tg_tensor tg__cast(const char *site, tg_tensor x, tg_dtype dtype) {
    return tg_cast_at(site, x, dtype);
}

/* ------------------------------------------------------------------ identities */

static tg_status same_infer(tg_infer *f) {
    f->shape[0] = *f->in_shape[0];
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static bool same_view(tg_view_args *v) {
    memcpy(v->out_strides, v->in_strides, (size_t)v->in_shape->rank * sizeof *v->in_strides);
    v->offset = 0;
    return true;
}

static tg_status same_ref(tg_kernel_args *k) {
    return tg__ref_elementwise(k, cast_f64_of);
}

#define SAME(op_name, formula_)                                                                                    \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 1, .max_in = 1, .infer = same_infer, \
    .view = same_view, .ref = same_ref, .bad = tg__bad_any1

const tg_op tg__op_stop_gradient = {
    SAME(stop_gradient, "y = x"),
    .flags = TG_OP_CUT,
    RANGE1('c', .lo = -2, .hi = 2),
};

/*| tg_stop_gradient: x as a constant: gradients end here.
 *    y = x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: none flows
 *  Errors:   TG_ESTALE and TG_EARG for a bad handle
 *  Source:   elementary */
TG_API(tg_tensor, tg_stop_gradient, (tg_tensor x), (x)) {
    return tg_apply_at(site, NULL, &tg__op_stop_gradient, NULL, &x, 1);
}

static void identity_vjp(tg_vjp_args *v) {
    tg_vjp_give(v, 0, v->g[0]);
}

const tg_op tg__op_identity = {
    SAME(identity, "y = x"),
    .vjp = identity_vjp,
    RANGE1('f', .lo = -2, .hi = 2),
};

tg_tensor tg__identity(tg_tensor x) {
    return tg_apply_at(NULL, NULL, &tg__op_identity, NULL, &x, 1);
}

/* Its second input is not read: it only has to be there first. */
static void fence_piece(int64_t begin, int64_t end, void *ctx) {
    const tg_operand *x = ((const tg_kernel_args *)ctx)->in, *y = ((const tg_kernel_args *)ctx)->out;
    size_t size = tg_dtype_size(x->dtype);
    tg__copy_in((char *)y->data + begin * (int64_t)size, x->data, size, x->shape, x->strides, begin, end - begin);
}

static tg_status fence_kernel(tg_kernel_args *k) {
    double bytes = 2 * (double)k->out[0].numel * (double)tg_dtype_size(k->out[0].dtype);
    tg_parallel(k->threads, k->out[0].numel, bytes, fence_piece, k);
    return TG_OK;
}

static double fence_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr) {
    (void)in, (void)n_in, (void)out, (void)attr;
    return 0;
}

const tg_op tg__op_fence = {
    .name = "fence",
    .formula = "y = x, made after b",
    .source = "elementary",
    .min_in = 2,
    .max_in = 2,
    .flags = TG_OP_STRIDED | TG_OP_FENCE,
    .infer = same_infer,
    .kernel = fence_kernel,
    .ref = same_ref,
    .vjp = identity_vjp,
    .flops = fence_flops,
    SAMPLES(SAMPLE("a matrix after a vector", INPUTS(IN('f', (3, 4)), IN('c', (5)))),
            SAMPLE("rank 0", INPUTS(IN('f', ()), IN('c', ()))),
            SAMPLE("size 0", INPUTS(IN('f', (0, 2)), IN('c', (3))))),
    BADS(BAD("one input", TG_EARG, "the number of inputs must be 2", INPUTS(IN('f', (2)))),
         BAD("no input", TG_EARG, "the number of inputs must be 2", .in = {{0}}),
         BAD("three inputs", TG_EARG, "the number of inputs must be 2", INPUTS(IN('f', (2)), IN('f', (2)), IN('f', (2)))),
         BAD("four inputs", TG_EARG, "not 4", INPUTS(IN('f', (2)), IN('f', (2)), IN('f', (2)), IN('f', (2)))),
         BAD("five inputs", TG_EARG, "not 5", INPUTS(IN('f', ()), IN('f', ()), IN('f', ()), IN('f', ()), IN('f', ())))),
};

tg_tensor tg__fence(tg_tensor x, tg_tensor after) {
    return tg_apply_at(NULL, NULL, &tg__op_fence, NULL, (tg_tensor[]){x, after}, 2);
}

/* Arithmetic */
#include "ops/elementwise.h"

/* ------------------------------------------------------------------ add, sub, mul, div */

TG_MICRO(add, 2, NUM, M(add)(a, b))
REF(add, a + b)
VJP2(add, g, g)
const tg_op tg__op_add = {
    ELEMENTWISE(add, 2, "y = a + b", TG_OP_CHEAP | TG_OP_COMMUTES, num),
    .label = "+",
    .vjp = add_vjp,
    RANGE2('f', .lo = -2, .hi = 2),
};

/*| tg_add: the sum of two tensors.
 *    y = a + b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g, db = g
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_add, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_add, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(sub, 2, NUM, M(sub)(a, b))
REF(sub, a - b)
VJP2(sub, g, tg_neg(g))
const tg_op tg__op_sub = {
    ELEMENTWISE(sub, 2, "y = a - b", TG_OP_CHEAP, num),
    .label = "-",
    .vjp = sub_vjp,
    RANGE2('f', .lo = -2, .hi = 2),
};

/*| tg_sub: the difference of two tensors.
 *    y = a - b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g, db = -g
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_sub, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_sub, (tg_tensor[]){a, b}, 2);
}

/* Whether x is a symbolic one by which b may be multiplied or divided without changing its value, shape or dtype. */
static bool is_neutral(tg_tensor x, tg_tensor b) {
    if (!tg__is_constant(x, 1) || tg_tape_of(x) != tg_tape_of(b) || !tg_valid(b) || tg_dtype_of(x) != tg_dtype_of(b))
        return false;
    tg_shape one = tg_shape_of(x), other = tg_shape_of(b), both;
    return tg_broadcast(&one, &other, &both, NULL) && tg_shape_equal(&both, &other);
}

TG_MICRO(mul, 2, NUM, M(mul)(a, b))
REF(mul, a * b)
VJP2(mul, tg_mul(g, b), tg_mul(g, a))
const tg_op tg__op_mul = {
    ELEMENTWISE(mul, 2, "y = a b", TG_OP_CHEAP | TG_OP_COMMUTES, num),
    .label = "*",
    .vjp = mul_vjp,
    RANGE2('f', .lo = -2, .hi = 2),
};

/*| tg_mul: the product of two tensors, element by element.
 *    y = a b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g b, db = g a
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_mul, (tg_tensor a, tg_tensor b), (a, b)) {
    if (is_neutral(a, b)) return b;
    if (is_neutral(b, a)) return a;
    return tg__apply_micro(site, &tg__op_mul, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(div, 2, NUM, M(div)(a, b))
REF(div, a / b)
VJP2(div, tg_div(g, b), tg_neg(tg_div(tg_mul(g, y), b)))
const tg_op tg__op_div = {
    ELEMENTWISE(div, 2, "y = a / b", 0, num),
    .label = "/",
    .vjp = div_vjp,
    RANGE2('f', .lo = 0.5, .hi = 2),
};

/*| tg_div: the quotient of two tensors, element by element.
 *    y = a / b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers are rounded towards 0, and divided by 0 give 0
 *  Gradient: da = g / b, db = -g y / b
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_div, (tg_tensor a, tg_tensor b), (a, b)) {
    if (is_neutral(b, a)) return a;
    return tg__apply_micro(site, &tg__op_div, (tg_tensor[]){a, b}, 2);
}

/* ------------------------------------------------------------------ with a number */

/* The number as a tensor beside x, of x's dtype. */
static tg_tensor number_for(const char *site, const char *op, tg_tensor x, double value) {
    tg_tape *t = tg_tape_of(x);
    tg_dtype d = tg_dtype_of(x);
    if (t && !tg_dtype_is_float(d))
        tg__fail(t, TG_EDTYPE, op, site, t->scope, "the tensor must be f32 or f64, not %s", tg_dtype_name(d));
    return tg_scalar_at(site, t, value, d);
}

/*| tg_scale: a tensor times a number. The number is data: a new value makes no new plan.
 *    y = s x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = s g
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_scale, (tg_tensor x, double s), (x, s)) {
    return tg_mul_at(site, x, number_for(site, "scale", x, s));
}

/*| tg_add_scalar: a tensor plus a number. The number is data: a new value makes no new plan.
 *    y = x + s
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_add_scalar, (tg_tensor x, double s), (x, s)) {
    return tg_add_at(site, x, number_for(site, "add_scalar", x, s));
}

/* ------------------------------------------------------------------ sign */

TG_MICRO(neg, 1, NUM, M(mul)(a, K(-1)))
REF(neg, -a)
VJP1(neg, tg_neg(g))
const tg_op tg__op_neg = {
    ELEMENTWISE(neg, 1, "y = -x", TG_OP_CHEAP, num),
    .vjp = neg_vjp,
    RANGE1('f', .lo = -2, .hi = 2),
};

/*| tg_neg: the negative.
 *    y = -x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = -g
 *  Errors:   TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_neg, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_neg, &x, 1);
}

TG_MICRO(abs, 1, NUM, M(abs)(a))
REF(abs, fabs(a))
VJP1(abs, tg_mul(g, tg_sign(x)))
const tg_op tg__op_abs = {
    ELEMENTWISE(abs, 1, "y = |x|", TG_OP_CHEAP, num),
    .vjp = abs_vjp,
    RANGE1('f', .lo = -2, .hi = 2, .avoid = 0.02),
};

/*| tg_abs: the absolute value.
 *    y = |x|
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = g sign(x), so 0 where x = 0
 *  Errors:   TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_abs, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_abs, &x, 1);
}

TG_MICRO(sign, 1, NUM, a > K(0) ? K(1) : a < K(0) ? K(-1) : a)
REF(sign, (a > 0) - (a < 0))
const tg_op tg__op_sign = {
    ELEMENTWISE(sign, 1, "y = x / |x|, 0 where x = 0", TG_OP_CHEAP | TG_OP_CUT, num),
    RANGE1('c', .lo = -2, .hi = 2),
};

/*| tg_sign: 1, -1 or 0 by the sign; NaN for NaN.
 *    y = x / |x|, 0 where x = 0
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_sign, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_sign, &x, 1);
}

/* ------------------------------------------------------------------ powers */

TG_MICRO(square, 1, NUM, M(mul)(a, a))
REF(square, a * a)
VJP1(square, tg_mul(g, tg_add(x, x)))
const tg_op tg__op_square = {
    ELEMENTWISE(square, 1, "y = x^2", TG_OP_CHEAP, num),
    .vjp = square_vjp,
    RANGE1('f', .lo = -2, .hi = 2),
};

/*| tg_square: the square.
 *    y = x^2
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = 2 g x
 *  Errors:   TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_square, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_square, &x, 1);
}

TG_MICRO(sqrt, 1, FLOAT, M(sqrt)(a))
REF(sqrt, sqrt(a))
VJP1(sqrt, tg_div(g, tg_add(y, y)))
const tg_op tg__op_sqrt = {
    ELEMENTWISE(sqrt, 1, "y = x^(1/2)", TG_OP_FLOAT_ONLY, float),
    .vjp = sqrt_vjp,
    RANGE1('f', .lo = 0.5, .hi = 3),
};

/*| tg_sqrt: the square root; NaN where x < 0.
 *    y = x^(1/2)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (2 y); infinite where x = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_sqrt, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_sqrt, &x, 1);
}

TG_MICRO(rsqrt, 1, FLOAT, K(1) / M(sqrt)(a))
REF(rsqrt, 1 / sqrt(a))
VJP1(rsqrt, tg_neg(tg_div(tg_mul(g, y), tg_add(x, x))))
const tg_op tg__op_rsqrt = {
    ELEMENTWISE(rsqrt, 1, "y = x^(-1/2)", TG_OP_FLOAT_ONLY, float),
    .vjp = rsqrt_vjp,
    RANGE1('f', .lo = 0.5, .hi = 3),
};

/*| tg_rsqrt: one over the square root; NaN where x < 0.
 *    y = x^(-1/2)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = -g y / (2 x)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_rsqrt, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_rsqrt, &x, 1);
}

TG_MICRO(reciprocal, 1, FLOAT, K(1) / a)
REF(reciprocal, 1 / a)
VJP1(reciprocal, tg_neg(tg_mul(g, tg_square(y))))
const tg_op tg__op_reciprocal = {
    ELEMENTWISE(reciprocal, 1, "y = 1 / x", TG_OP_FLOAT_ONLY, float),
    .label = "1/x",
    .vjp = reciprocal_vjp,
    RANGE1('f', .lo = 0.5, .hi = 3),
};

/*| tg_reciprocal: one over x.
 *    y = 1 / x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = -g y^2
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_reciprocal, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_reciprocal, &x, 1);
}

/* The derivatives by the base where the exponent is 0, and by the exponent where the base is 0, are 0, not 0 times infinity. */
static tg_tensor pow_by_base(tg_tensor g, tg_tensor a, tg_tensor b) {
    tg_tensor one = tg__one_like(b), below = tg_where(tg_eq(b, tg__zero_like(b)), one, tg_sub(b, one));
    return tg_mul(g, tg_mul(b, tg_pow(a, below)));
}
static tg_tensor pow_by_exponent(tg_tensor g, tg_tensor a, tg_tensor y) {
    tg_tensor base = tg_where(tg_eq(a, tg__zero_like(a)), tg__one_like(a), a);
    return tg_mul(g, tg_mul(y, tg_log(base)));
}

TG_MICRO(pow, 2, FLOAT, M(pow)(a, b))
REF(pow, pow(a, b))
VJP2(pow, pow_by_base(g, a, b), pow_by_exponent(g, a, y))
const tg_op tg__op_pow = {
    ELEMENTWISE(pow, 2, "y = a^b", TG_OP_FLOAT_ONLY, float),
    .vjp = pow_vjp,
    RANGE2('f', .lo = 0.5, .hi = 2),
};

/*| tg_pow: a to the power of b; NaN where a < 0 and b is no whole number.
 *    y = a^b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g b a^(b-1), 0 where b = 0; db = g y log(a), 0 where a = 0, NaN where a < 0
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_pow, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_pow, (tg_tensor[]){a, b}, 2);
}

/* ------------------------------------------------------------------ the larger and the smaller */

TG_MICRO(maximum, 2, NUM, (a > b) | (a != a) ? a : b)
REF(maximum, a > b ? a : b)
VJP2(maximum, tg_where(tg_ge(a, b), g, tg__zero_like(g)), tg_where(tg_ge(a, b), tg__zero_like(g), g))
const tg_op tg__op_maximum = {
    ELEMENTWISE(maximum, 2, "y = max(a, b)", TG_OP_CHEAP, num),
    .vjp = maximum_vjp,
    RANGE2('f', .lo = -2, .hi = 2, .avoid = 0.02),
};

/*| tg_maximum: the larger of two tensors, element by element; NaN if one is NaN.
 *    y = max(a, b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both
 *  Gradient: da = g where a >= b, else db = g
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_maximum, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_maximum, (tg_tensor[]){a, b}, 2);
}

TG_MICRO(minimum, 2, NUM, (a < b) | (a != a) ? a : b)
REF(minimum, a < b ? a : b)
VJP2(minimum, tg_where(tg_le(a, b), g, tg__zero_like(g)), tg_where(tg_le(a, b), tg__zero_like(g), g))
const tg_op tg__op_minimum = {
    ELEMENTWISE(minimum, 2, "y = min(a, b)", TG_OP_CHEAP, num),
    .vjp = minimum_vjp,
    RANGE2('f', .lo = -2, .hi = 2, .avoid = 0.02),
};

/*| tg_minimum: the smaller of two tensors, element by element; NaN if one is NaN.
 *    y = min(a, b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both
 *  Gradient: da = g where a <= b, else db = g
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_minimum, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__apply_micro(site, &tg__op_minimum, (tg_tensor[]){a, b}, 2);
}

/* Arithmetic */
#include "ops/elementwise.h"

/* ------------------------------------------------------------------ add, sub, mul, div */

BINARY(add, NUM, TG_OP_CHEAP | TG_OP_COMMUTES, M(add)(a, b), a + b, g, g,
       "the sum of two tensors", "y = a + b", "da = g, db = g", "elementary",
       .label = "+", RANGE2('f', .lo = -2, .hi = 2))

BINARY(sub, NUM, TG_OP_CHEAP, M(sub)(a, b), a - b, g, tg_neg(g),
       "the difference of two tensors", "y = a - b", "da = g, db = -g", "elementary",
       .label = "-", RANGE2('f', .lo = -2, .hi = 2))

/* Whether x is a symbolic one by which b may be multiplied or divided without changing its value, shape or dtype. */
static bool is_neutral(tg_tensor x, tg_tensor b) {
    if (!tg__is_constant(x, 1) || tg_tape_of(x) != tg_tape_of(b) || !tg_valid(b) || tg_dtype_of(x) != tg_dtype_of(b))
        return false;
    tg_shape one = tg_shape_of(x), other = tg_shape_of(b), both;
    return tg_broadcast(&one, &other, &both, NULL) && tg_shape_equal(&both, &other);
}

BINARY_OP(mul, NUM, TG_OP_CHEAP | TG_OP_COMMUTES, M(mul)(a, b), a * b,
          tg_mul(g, b), tg_mul(g, a),
          "y = a b", "elementary", .label = "*", RANGE2('f', .lo = -2, .hi = 2))

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

BINARY_OP(div, NUM, 0, M(div)(a, b), a / b,
          tg_chain_div(g, b), tg_neg(tg_chain_div(tg_chain(g, y), b)),
          "y = a / b", "elementary", .label = "/", RANGE2('f', .lo = 0.5, .hi = 2))

/*| tg_div: the quotient of two tensors, element by element.
 *    y = a / b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers are rounded towards 0, and divided by 0 give 0
 *  Gradient: da = g / b, db = -g y / b; 0 where g = 0, even if b = 0
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_API(tg_tensor, tg_div, (tg_tensor a, tg_tensor b), (a, b)) {
    if (is_neutral(b, a)) return a;
    return tg__apply_micro(site, &tg__op_div, (tg_tensor[]){a, b}, 2);
}

/* ------------------------------------------------------------------ the chain rule at its edges */

BINARY_OP(chain, FLOAT, TG_OP_CHEAP | TG_OP_COMMUTES, (a == K(0)) | (b == K(0)) ? K(0) : a * b, a == 0 || b == 0 ? 0 : a * b,
          tg_chain(g, b), tg_chain(g, a),
          "y = a b, 0 where a = 0 or b = 0", "elementary", RANGE2('f', .lo = 0.5, .hi = 2))

/*| tg_chain: a cotangent times a derivative, for rules: where no cotangent comes, none goes on, though the derivative be
 *  infinite or NaN. So the unused branch of tg_where gives no NaN.
 *    y = a b, 0 where a = 0 or b = 0
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g b, db = g a, each 0 where a factor is
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_chain, (tg_tensor a, tg_tensor b), (a, b)) {
    if (is_neutral(a, b)) return b;
    return tg__apply_micro(site, &tg__op_chain, (tg_tensor[]){a, b}, 2);
}

BINARY(chain_div, FLOAT, 0, a == K(0) ? K(0) : a / b, a == 0 ? 0 : a / b,
       tg_chain_div(g, b), tg_neg(tg_chain_div(tg_chain(g, y), b)),
       "a cotangent over a number that may be 0, for rules: as tg_chain with 1 / b", "y = a / b, 0 where a = 0",
       "da = g / b, db = -g y / b, 0 where g = 0", "elementary",
       RANGE2('f', .lo = 0.5, .hi = 2))

/* ------------------------------------------------------------------ with a number */

/*| tg_scale: a tensor times a number. The number is data: a new value makes no new plan.
 *    y = s x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = s g
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_scale, (tg_tensor x, double s), (x, s)) {
    return tg_mul_at(site, x, tg__number_for(site, "scale", x, s));
}

/*| tg_add_scalar: a tensor plus a number. The number is data: a new value makes no new plan.
 *    y = x + s
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_add_scalar, (tg_tensor x, double s), (x, s)) {
    return tg_add_at(site, x, tg__number_for(site, "add_scalar", x, s));
}

/* ------------------------------------------------------------------ sign */

UNARY(neg, NUM, TG_OP_CHEAP, M(mul)(a, K(-1)), -a, tg_neg(g),
      "the negative", "y = -x", "dx = -g", "elementary",
      RANGE1('f', .lo = -2, .hi = 2))

UNARY(abs, NUM, TG_OP_CHEAP, M(abs)(a), fabs(a), tg_mul(g, tg_sign(x)),
      "the absolute value", "y = |x|", "dx = g sign(x), so 0 where x = 0", "elementary",
      RANGE1('f', .lo = -2, .hi = 2, .avoid = 0.02))

UNARY_CUT(sign, NUM, TG_OP_CHEAP, a > K(0) ? K(1) : a < K(0) ? K(-1) : a, (a > 0) - (a < 0),
          "1, -1 or 0 by the sign; NaN for NaN", "y = x / |x|, 0 where x = 0", "elementary",
          RANGE1('c', .lo = -2, .hi = 2))

/* ------------------------------------------------------------------ powers */

UNARY(square, NUM, TG_OP_CHEAP, M(mul)(a, a), a * a, tg_mul(g, tg_add(x, x)),
      "the square", "y = x^2", "dx = 2 g x", "elementary",
      RANGE1('f', .lo = -2, .hi = 2))

UNARY(sqrt, FLOAT, 0, M(sqrt)(a), sqrt(a), tg_chain_div(g, tg_add(y, y)),
      "the square root; NaN where x < 0", "y = x^(1/2)", "dx = g / (2 y): infinite where x = 0, but 0 where g = 0",
      "elementary",
      RANGE1('f', .lo = 0.5, .hi = 3))

UNARY(rsqrt, FLOAT, 0, K(1) / M(sqrt)(a), 1 / sqrt(a), tg_neg(tg_chain_div(tg_chain(g, y), tg_add(x, x))),
      "one over the square root; NaN where x < 0", "y = x^(-1/2)", "dx = -g y / (2 x)", "elementary",
      RANGE1('f', .lo = 0.5, .hi = 3))

UNARY(cbrt, FLOAT, 0, M(cbrt)(a), cbrt(a), tg_chain_div(g, tg_scale(tg_square(y), 3)),
      "the cube root, of negative numbers, too", "y = x^(1/3)", "dx = g / (3 y^2): infinite where x = 0, but 0 where g = 0",
      "elementary",
      RANGE1('f', .lo = 0.5, .hi = 3))

BINARY(hypot, FLOAT, TG_OP_COMMUTES, M(hypot)(a, b), hypot(a, b),
       tg_chain_div(tg_mul(g, a), y), tg_chain_div(tg_mul(g, b), y),
       "the length of the vector (a, b), without overflow of the squares; infinite if one is infinite",
       "y = (a^2 + b^2)^(1/2)", "da = g a / y, db = g b / y, both 0 where y = 0", "elementary",
       RANGE2('f', .lo = 0.5, .hi = 2))

UNARY(reciprocal, FLOAT, 0, K(1) / a, 1 / a, tg_neg(tg_chain(tg_chain(g, y), y)),
      "one over x", "y = 1 / x", "dx = -g y^2", "elementary",
      .label = "1/x", RANGE1('f', .lo = 0.5, .hi = 3))

/* The derivatives by the base where the exponent is 0, and by the exponent where the base is 0, are 0, not 0 times infinity. */
static tg_tensor pow_by_base(tg_tensor g, tg_tensor a, tg_tensor b) {
    tg_tensor one = tg__one_like(b), below = tg_where(tg_eq(b, tg__zero_like(b)), one, tg_sub(b, one));
    return tg_chain(g, tg_mul(b, tg_pow(a, below)));
}
static tg_tensor pow_by_exponent(tg_tensor g, tg_tensor a, tg_tensor y) {
    tg_tensor base = tg_where(tg_eq(a, tg__zero_like(a)), tg__one_like(a), a);
    return tg_chain(g, tg_mul(y, tg_log(base)));
}

BINARY(pow, FLOAT, 0, M(pow)(a, b), pow(a, b), pow_by_base(g, a, b), pow_by_exponent(g, a, y),
       "a to the power of b; NaN where a < 0 and b is no whole number", "y = a^b",
       "da = g b a^(b-1), 0 where b = 0; db = g y log(a), 0 where a = 0, NaN where a < 0", "elementary",
       RANGE2('f', .lo = 0.5, .hi = 2))

/* ------------------------------------------------------------------ rests */

/* The whole number by which b was taken from a. */
static tg_tensor whole_quotient(tg_tensor a, tg_tensor b, tg_tensor y) {
    return tg_round(tg_div(tg_sub(a, y), b));
}

BINARY(fmod, NUM, 0, M(fmod)(a, b), fmod(a, b), g, tg_neg(tg_chain(g, whole_quotient(a, b, y))),
       "what is left of a when b is taken from it as often as a / b rounded towards 0 says; it has the sign of a. NaN where "
       "b = 0; a where b = 0 for whole numbers", "y = a - trunc(a / b) b", "da = g, db = -g trunc(a / b)",
       "elementary; exact, by the C library",
       RANGES2((.kind = 'f', .lo = 5.2, .hi = 5.8), (.kind = 'f', .lo = 2.1, .hi = 2.5)))

BINARY(remainder, NUM, 0, M(remainder)(a, b), fmod(a, b) + (fmod(a, b) != 0 && (fmod(a, b) < 0) != (b < 0) ? b : 0),
       g, tg_neg(tg_chain(g, whole_quotient(a, b, y))),
       "what is left of a when b is taken from it as often as a / b rounded down says; it has the sign of b. NaN where b = 0; "
       "a where b = 0 for whole numbers", "y = a - floor(a / b) b", "da = g, db = -g floor(a / b)", "elementary",
       RANGES2((.kind = 'f', .lo = -5.8, .hi = -5.2), (.kind = 'f', .lo = 2.1, .hi = 2.5)))

/* ------------------------------------------------------------------ sums of products */

TERNARY(fma, NUM, TG_OP_CHEAP, M(fused)(a, b, c), fma(a, b, c), tg_mul(g, b), tg_mul(g, a), g,
        "a product and a sum, rounded once", "y = a b + c", "da = g b, db = g a, dc = g", "IEEE 754-2019, 5.4.1",
        RANGE3('f', .lo = -2, .hi = 2))

TERNARY(lerp, FLOAT, 0, M(lerp)(a, b, c), a + c * (b - a),
        tg_mul(g, tg_sub(tg__one_like(c), c)), tg_mul(g, c), tg_mul(g, tg_sub(b, a)),
        "from a to b by the part c: exactly a for c = 0, b for c = 1", "y = a + c (b - a)",
        "da = g (1 - c), db = g c, dc = g (b - a)", "elementary",
        RANGE3('f', .lo = -1, .hi = 2))

/* ------------------------------------------------------------------ the larger and the smaller */

BINARY(maximum, NUM, TG_OP_CHEAP, (a > b) | (a != a) ? a : b, a > b ? a : b,
       tg_where(tg_ge(a, b), g, tg__zero_like(g)), tg_where(tg_ge(a, b), tg__zero_like(g), g),
       "the larger of two tensors, element by element; NaN if one is NaN", "y = max(a, b)", "da = g where a >= b, else db = g",
       "elementary",
       RANGE2('f', .lo = -2, .hi = 2, .avoid = 0.02))

BINARY(minimum, NUM, TG_OP_CHEAP, (a < b) | (a != a) ? a : b, a < b ? a : b,
       tg_where(tg_le(a, b), g, tg__zero_like(g)), tg_where(tg_le(a, b), tg__zero_like(g), g),
       "the smaller of two tensors, element by element; NaN if one is NaN", "y = min(a, b)", "da = g where a <= b, else db = g",
       "elementary",
       RANGE2('f', .lo = -2, .hi = 2, .avoid = 0.02))

TERNARY_OP(clamp, NUM, TG_OP_CHEAP, (a < b ? b : a) > c ? c : (a < b ? b : a), fmin(fmax(a, b), c),
           tg_where(tg_and(tg_ge(a, b), tg_le(a, c)), g, tg__zero_like(g)),
           tg_where(tg_and(tg_lt(a, b), tg_le(b, c)), g, tg__zero_like(g)),
           tg_where(tg_or(tg_gt(a, c), tg_gt(b, c)), g, tg__zero_like(g)),
           "y = min(max(x, lo), hi)", "elementary", RANGE3('f', .lo = -2, .hi = 2, .avoid = 0.02))

/*| tg_clamp: x where it is between lo and hi, else the nearer of them; hi everywhere if lo > hi; NaN for NaN. The bounds are
 *  data: new values make no new plan. For bounds that are tensors: tg_minimum(tg_maximum(x, lo), hi).
 *    y = min(max(x, lo), hi)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where lo <= x <= hi, else 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_clamp, (tg_tensor x, double lo, double hi), (x, lo, hi)) {
    tg_tensor low = tg__number_for(site, "clamp", x, lo), high = tg__number_for(site, "clamp", x, hi);
    return tg__apply_micro(site, &tg__op_clamp, (tg_tensor[]){x, low, high}, 3);
}

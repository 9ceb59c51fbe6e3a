/* Elementary functions */
#include "ops/elementwise.h"
#include "kernels/functions.h"

/* ------------------------------------------------------------------ exponentials and logarithms */

UNARY(exp, FLOAT, 0, M(exp)(a), exp(a), tg_chain(g, y),
      "e to the power of x", "y = e^x", "dx = g y, 0 where g = 0", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY(expm1, FLOAT, 0, M(expm1)(a), expm1(a), tg_chain(g, tg_exp(x)),
      "e to the power of x, minus 1, also exact next to 0", "y = e^x - 1", "dx = g e^x, 0 where g = 0", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

#define LN2 0.69314718055994530942
#define LN10 2.30258509299404568402

UNARY(exp2, FLOAT, 0, M(exp2)(a), exp2(a), tg_chain(g, tg_scale(y, LN2)),
      "2 to the power of x", "y = 2^x", "dx = g y log 2, 0 where g = 0", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY(log, FLOAT, 0, M(log)(a), log(a), tg_chain_div(g, x),
      "the natural logarithm; -infinity for 0, NaN where x < 0", "y = log x", "dx = g / x, 0 where g = 0", "elementary",
      RANGE1('f', .lo = 0.5, .hi = 4))

UNARY(log2, FLOAT, 0, M(log2)(a), log2(a), tg_chain_div(g, tg_scale(x, LN2)),
      "the logarithm to base 2; -infinity for 0, NaN where x < 0", "y = log x / log 2", "dx = g / (x log 2), 0 where g = 0",
      "elementary",
      RANGE1('f', .lo = 0.5, .hi = 4))

UNARY(log10, FLOAT, 0, M(log10)(a), log10(a), tg_chain_div(g, tg_scale(x, LN10)),
      "the logarithm to base 10; -infinity for 0, NaN where x < 0", "y = log x / log 10",
      "dx = g / (x log 10), 0 where g = 0", "elementary",
      RANGE1('f', .lo = 0.5, .hi = 4))

UNARY(log1p, FLOAT, 0, M(log1p)(a), log1p(a), tg_chain_div(g, tg_add(x, tg__one_like(x))),
      "the natural logarithm of 1 + x, also exact next to 0", "y = log(1 + x)", "dx = g / (1 + x), 0 where g = 0", "elementary",
      RANGE1('f', .lo = -0.5, .hi = 3))

/* ------------------------------------------------------------------ trigonometric functions */

UNARY(sin, PERIODIC, 0, M(sin)(a), sin(a), tg_mul(g, tg_cos(x)),
      "the sine of x in radians", "y = sin x", "dx = g cos x", "elementary",
      RANGE1('f', .lo = -4, .hi = 4))

UNARY(cos, PERIODIC, 0, M(cos)(a), cos(a), tg_neg(tg_mul(g, tg_sin(x))),
      "the cosine of x in radians", "y = cos x", "dx = -g sin x", "elementary",
      RANGE1('f', .lo = -4, .hi = 4))

UNARY(tan, PERIODIC, 0, M(tan)(a), tan(a), tg_chain(g, tg_add(tg_square(y), tg__one_like(y))),
      "the tangent of x in radians", "y = tan x", "dx = g (1 + y^2)", "elementary",
      RANGE1('f', .lo = -1.2, .hi = 1.2))

/* (1 - x)(1 + x) = 1 - x^2, exact next to 1 and -1. */
static tg_tensor one_less_square(tg_tensor x) {
    tg_tensor one = tg__one_like(x);
    return tg_mul(tg_sub(one, x), tg_add(one, x));
}

UNARY(asin, FLOAT, 0, M(asin)(a), asin(a), tg_chain_div(g, tg_sqrt(one_less_square(x))),
      "the angle in [-pi/2, pi/2] whose sine is x; NaN where |x| > 1", "y = asin x",
      "dx = g / (1 - x^2)^(1/2): infinite at -1 and 1, but 0 where g = 0", "elementary",
      RANGE1('f', .lo = -0.9, .hi = 0.9))

UNARY(acos, FLOAT, 0, M(acos)(a), acos(a), tg_neg(tg_chain_div(g, tg_sqrt(one_less_square(x)))),
      "the angle in [0, pi] whose cosine is x; NaN where |x| > 1", "y = acos x",
      "dx = -g / (1 - x^2)^(1/2): infinite at -1 and 1, but 0 where g = 0", "elementary",
      RANGE1('f', .lo = -0.9, .hi = 0.9))

UNARY(atan, FLOAT, 0, M(atan)(a), atan(a), tg_chain_div(g, tg_add(tg_square(x), tg__one_like(x))),
      "the angle in (-pi/2, pi/2) whose tangent is x", "y = atan x", "dx = g / (1 + x^2)", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

/* g v / (a^2 + b^2), without overflow of the squares; 0 at the origin. */
static tg_tensor by_angle(tg_tensor g, tg_tensor v, tg_tensor a, tg_tensor b) {
    tg_tensor length = tg_hypot(a, b);
    return tg_chain_div(tg_chain_div(tg_mul(g, v), length), length);
}

BINARY(atan2, FLOAT, 0, M(atan2)(a, b), atan2(a, b), by_angle(g, b, a, b), tg_neg(by_angle(g, a, a, b)),
       "the angle in [-pi, pi] of the point with abscissa b and ordinate a, as C's atan2(a, b)",
       "y = the angle whose tangent is a / b", "da = g b / (a^2 + b^2), db = -g a / (a^2 + b^2), both 0 where a = b = 0",
       "elementary",
       RANGE2('f', .lo = 0.5, .hi = 2))

/* ------------------------------------------------------------------ hyperbolic functions */

UNARY(sinh, FLOAT, 0, M(sinh)(a), sinh(a), tg_chain(g, tg_cosh(x)),
      "the hyperbolic sine", "y = (e^x - e^-x) / 2", "dx = g cosh x, 0 where g = 0", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY(cosh, FLOAT, 0, M(cosh)(a), cosh(a), tg_chain(g, tg_sinh(x)),
      "the hyperbolic cosine", "y = (e^x + e^-x) / 2", "dx = g sinh x, 0 where g = 0", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY_OP(tanh_slope, FLOAT, 0, M(tanh_slope)(a), 1 / (cosh(a) * cosh(a)), tg_mul(g, tg_mul(y, tg_scale(tg_tanh(x), -2))),
         "y = 4 / (e^x + e^-x)^2", "elementary", RANGE1('f', .lo = -3, .hi = 3))

static tg_tensor tanh_slope(tg_tensor x) { return tg__apply_micro(NULL, &tg__op_tanh_slope, &x, 1); }

UNARY(tanh, FLOAT, 0, M(tanh)(a), tanh(a), tg_mul(g, tanh_slope(x)),
      "the hyperbolic tangent", "y = (e^x - e^-x) / (e^x + e^-x)",
      "dx = g (1 - y^2), from x, so that no digits are lost where y is near 1", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY(asinh, FLOAT, 0, M(asinh)(a), asinh(a), tg_div(g, tg_hypot(x, tg__one_like(x))),
      "the inverse of sinh", "y = log(x + (x^2 + 1)^(1/2))", "dx = g / (x^2 + 1)^(1/2)", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY(acosh, FLOAT, 0, M(acosh)(a), acosh(a),
      tg_chain_div(g, tg_mul(tg_sqrt(tg_sub(x, tg__one_like(x))), tg_sqrt(tg_add(x, tg__one_like(x))))),
      "the inverse of cosh; NaN where x < 1", "y = log(x + (x^2 - 1)^(1/2))",
      "dx = g / (x^2 - 1)^(1/2): infinite at 1, but 0 where g = 0", "elementary",
      RANGE1('f', .lo = 1.3, .hi = 4))

UNARY(atanh, FLOAT, 0, M(atanh)(a), atanh(a), tg_chain_div(g, one_less_square(x)),
      "the inverse of tanh; infinite at -1 and 1, NaN beyond", "y = log((1 + x) / (1 - x)) / 2",
      "dx = g / (1 - x^2), 0 where g = 0", "elementary",
      RANGE1('f', .lo = -0.8, .hi = 0.8))

/* ------------------------------------------------------------------ error function and normal distribution */

#define TWO_OVER_SQRT_PI 1.1283791670955125739

UNARY(erf, FLOAT, 0, M(erf)(a), erf(a), tg_mul(g, tg_scale(tg_exp(tg_neg(tg_square(x))), TWO_OVER_SQRT_PI)),
      "the error function", "y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x", "dx = g 2 / sqrt(pi) e^(-x^2)",
      "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY(erfc, FLOAT, 0, M(erfc)(a), erfc(a), tg_scale(tg_mul(g, tg_exp(tg_neg(tg_square(x)))), -TWO_OVER_SQRT_PI),
      "1 less the error function, also exact where that is near 1", "y = 1 - erf x", "dx = -g 2 / sqrt(pi) e^(-x^2)",
      "elementary",
      RANGE1('f', .lo = -2, .hi = 3))

UNARY(normal_cdf, FLOAT, 0, M(normal_cdf)(a), 0.5 * erfc(-a * 0.70710678118654752440),
      tg_mul(g, tg_scale(tg_exp(tg_scale(tg_square(x), -0.5)), TG__ONE_OVER_SQRT_2PI)),
      "the probability that a normal number of mean 0 and deviation 1 is at most x", "y = (1 + erf(x / sqrt(2))) / 2",
      "dx = g e^(-x^2 / 2) / sqrt(2 pi)", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

/* ------------------------------------------------------------------ gamma functions */

extern const tg_op tg__op_polygamma;

UNARY(lgamma, FLOAT, 0, M(lgamma)(a), lgamma(a), tg_chain(g, tg_digamma(x)),
      "the logarithm of the gamma function's absolute value; infinite at 0, -1, -2, ...", "y = log |gamma(x)|",
      "dx = g digamma(x), 0 where g = 0", "DLMF 5.2; the C library's",
      RANGE1('f', .lo = 0.5, .hi = 4))

UNARY(digamma, FLOAT, 0, M(digamma)(a), tg__digamma_f64(a), tg_chain(g, tg_polygamma(x, 1)),
      "the derivative of log gamma; infinite at 0, NaN at -1, -2, ...", "y = gamma'(x) / gamma(x)",
      "dx = g polygamma(x, 1), 0 where g = 0", "DLMF 5.2.2; 5.11.2 for large x, 5.5.4 for negative x",
      RANGE1('f', .lo = 0.5, .hi = 4))

#define POLYGAMMA_SAMPLE(name, n, dims)                                                                  \
    SAMPLE(name, INPUTS({.kind = 'c', .shape = DIMS(), .lo = n, .hi = n}, IN('f', dims, .lo = 0.5, .hi = 4)))

BINARY_OP(polygamma, FLOAT, 0, M(polygamma)(a, b), tg__polygamma_f64(a, b),
          tg_expand(tg__zero_like(g), tg_shape_of(g)),
          tg_chain(g, tg_apply(NULL, &tg__op_polygamma, NULL, (tg_tensor[]){tg_add_scalar(a, 1), b}, 2)),
          "y = the n-th derivative of digamma at x", "DLMF 5.15",
          SAMPLES(POLYGAMMA_SAMPLE("order 1", 1, (3, 4)), POLYGAMMA_SAMPLE("order 4", 4, (4)),
                  POLYGAMMA_SAMPLE("order 2", 2, (37)), POLYGAMMA_SAMPLE("order 5, rank 0", 5, ()),
                  POLYGAMMA_SAMPLE("size 0", 3, (2, 0))))

/*| tg_polygamma: the n-th derivative of digamma. The order is data: a new value makes no new plan. NaN if n > 100, and at
 *  0, -1, -2, ... for even n; infinite there for odd n.
 *    y = d^n/dx^n digamma(x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g polygamma(x, n + 1), 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64; TG_EARG if n < 0
 *  Source:   DLMF 5.15; 25.11.43 for x > 0, 5.15.6 else */
TG_API(tg_tensor, tg_polygamma, (tg_tensor x, int n), (x, n)) {
    tg_tape *t = tg_tape_of(x);
    if (t && n < 0) tg__fail(t, TG_EARG, "polygamma", site, t->scope, "the order is %d, not 0, 1, 2, ...", n);
    return tg__apply_micro(site, &tg__op_polygamma, (tg_tensor[]){tg__number_for(site, "polygamma", x, n), x}, 2);
}

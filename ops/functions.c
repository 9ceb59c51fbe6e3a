/* Elementary functions */
#include "ops/elementwise.h"

/* ------------------------------------------------------------------ exponentials and logarithms */

UNARY(exp, FLOAT, 0, M(exp)(a), exp(a), tg_mul(g, y),
      "e to the power of x", "y = e^x", "dx = g y", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY(expm1, FLOAT, 0, M(expm1)(a), expm1(a), tg_mul(g, tg_exp(x)),
      "e to the power of x, minus 1, also exact next to 0", "y = e^x - 1", "dx = g e^x", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY(log, FLOAT, 0, M(log)(a), log(a), tg_div(g, x),
      "the natural logarithm; -infinity for 0, NaN where x < 0", "y = log x", "dx = g / x", "elementary",
      RANGE1('f', .lo = 0.5, .hi = 4))

UNARY(log1p, FLOAT, 0, M(log1p)(a), log1p(a), tg_div(g, tg_add(x, tg__one_like(x))),
      "the natural logarithm of 1 + x, also exact next to 0", "y = log(1 + x)", "dx = g / (1 + x)", "elementary",
      RANGE1('f', .lo = -0.5, .hi = 3))

/* ------------------------------------------------------------------ sine and cosine */

UNARY(sin, PERIODIC, 0, M(sin)(a), sin(a), tg_mul(g, tg_cos(x)),
      "the sine of x in radians", "y = sin x", "dx = g cos x", "elementary",
      RANGE1('f', .lo = -4, .hi = 4))

UNARY(cos, PERIODIC, 0, M(cos)(a), cos(a), tg_neg(tg_mul(g, tg_sin(x))),
      "the cosine of x in radians", "y = cos x", "dx = -g sin x", "elementary",
      RANGE1('f', .lo = -4, .hi = 4))

/* ------------------------------------------------------------------ activations */

UNARY(tanh, FLOAT, 0, M(tanh)(a), tanh(a), tg_mul(g, tg_sub(tg__one_like(y), tg_square(y))),
      "the hyperbolic tangent", "y = (e^x - e^-x) / (e^x + e^-x)", "dx = g (1 - y^2)", "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

UNARY(sigmoid, FLOAT, 0, M(sigmoid)(a), 1 / (1 + exp(-a)), tg_mul(g, tg_mul(y, tg_sub(tg__one_like(y), y))),
      "the logistic function", "y = 1 / (1 + e^-x)", "dx = g y (1 - y)", "elementary",
      RANGE1('f', .lo = -4, .hi = 4))

UNARY(softplus, FLOAT, 0, M(log1p)(M(exp)(-M(abs)(a))) + (a > K(0) ? a : K(0)), log1p(exp(-fabs(a))) + (a > 0 ? a : 0),
      tg_mul(g, tg_sigmoid(x)),
      "a smooth positive part; no overflow for large x", "y = log(1 + e^x)", "dx = g / (1 + e^-x)",
      "Dugas, Bengio, Belisle, Nadeau, Garcia 2001, Incorporating second-order functional knowledge for better option pricing",
      RANGE1('f', .lo = -4, .hi = 4))

UNARY(relu, FLOAT, TG_OP_CHEAP, a <= K(0) ? K(0) : a, a > 0 ? a : 0,
      tg_where(tg_gt(y, tg__zero_like(y)), g, tg__zero_like(g)),
      "the positive part; NaN for NaN", "y = max(x, 0)", "dx = g where x > 0, else 0",
      "Nair, Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
      RANGE1('f', .lo = -2, .hi = 2, .avoid = 0.02))

/* ------------------------------------------------------------------ the error function */

#define TWO_OVER_SQRT_PI 1.1283791670955125739

UNARY(erf, FLOAT, 0, M(erf)(a), erf(a), tg_mul(g, tg_scale(tg_exp(tg_neg(tg_square(x))), TWO_OVER_SQRT_PI)),
      "the error function", "y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x", "dx = g 2 / sqrt(pi) e^(-x^2)",
      "elementary",
      RANGE1('f', .lo = -3, .hi = 3))

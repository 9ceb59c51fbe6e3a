/* Elementary functions */
#include "ops/elementwise.h"

/* ------------------------------------------------------------------ exponentials and logarithms */

TG_MICRO(exp, 1, FLOAT, M(exp)(a))
REF(exp, exp(a))
VJP1(exp, tg_mul(g, y))
const tg_op tg__op_exp = {
    ELEMENTWISE(exp, 1, "y = e^x", TG_OP_FLOAT_ONLY, float),
    .vjp = exp_vjp,
    RANGE1('f', .lo = -3, .hi = 3),
};

/*| tg_exp: e to the power of x.
 *    y = e^x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g y
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_exp, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_exp, &x, 1);
}

TG_MICRO(expm1, 1, FLOAT, M(expm1)(a))
REF(expm1, expm1(a))
VJP1(expm1, tg_mul(g, tg_exp(x)))
const tg_op tg__op_expm1 = {
    ELEMENTWISE(expm1, 1, "y = e^x - 1", TG_OP_FLOAT_ONLY, float),
    .vjp = expm1_vjp,
    RANGE1('f', .lo = -3, .hi = 3),
};

/*| tg_expm1: e to the power of x, minus 1, also exact next to 0.
 *    y = e^x - 1
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g e^x
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_expm1, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_expm1, &x, 1);
}

TG_MICRO(log, 1, FLOAT, M(log)(a))
REF(log, log(a))
VJP1(log, tg_div(g, x))
const tg_op tg__op_log = {
    ELEMENTWISE(log, 1, "y = log x", TG_OP_FLOAT_ONLY, float),
    .vjp = log_vjp,
    RANGE1('f', .lo = 0.5, .hi = 4),
};

/*| tg_log: the natural logarithm; -infinity for 0, NaN where x < 0.
 *    y = log x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / x
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_log, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_log, &x, 1);
}

TG_MICRO(log1p, 1, FLOAT, M(log1p)(a))
REF(log1p, log1p(a))
VJP1(log1p, tg_div(g, tg_add(x, tg__one_like(x))))
const tg_op tg__op_log1p = {
    ELEMENTWISE(log1p, 1, "y = log(1 + x)", TG_OP_FLOAT_ONLY, float),
    .vjp = log1p_vjp,
    RANGE1('f', .lo = -0.5, .hi = 3),
};

/*| tg_log1p: the natural logarithm of 1 + x, also exact next to 0.
 *    y = log(1 + x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 + x)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_log1p, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_log1p, &x, 1);
}

/* ------------------------------------------------------------------ sine and cosine */

TG_MICRO(sin, 1, PERIODIC, M(sin)(a))
REF(sin, sin(a))
VJP1(sin, tg_mul(g, tg_cos(x)))
const tg_op tg__op_sin = {
    ELEMENTWISE(sin, 1, "y = sin x", TG_OP_FLOAT_ONLY, float),
    .vjp = sin_vjp,
    RANGE1('f', .lo = -4, .hi = 4),
};

/*| tg_sin: the sine of x in radians.
 *    y = sin x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g cos x
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_sin, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_sin, &x, 1);
}

TG_MICRO(cos, 1, PERIODIC, M(cos)(a))
REF(cos, cos(a))
VJP1(cos, tg_neg(tg_mul(g, tg_sin(x))))
const tg_op tg__op_cos = {
    ELEMENTWISE(cos, 1, "y = cos x", TG_OP_FLOAT_ONLY, float),
    .vjp = cos_vjp,
    RANGE1('f', .lo = -4, .hi = 4),
};

/*| tg_cos: the cosine of x in radians.
 *    y = cos x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = -g sin x
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_cos, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_cos, &x, 1);
}

/* ------------------------------------------------------------------ activations */

TG_MICRO(tanh, 1, FLOAT, M(tanh)(a))
REF(tanh, tanh(a))
VJP1(tanh, tg_mul(g, tg_sub(tg__one_like(y), tg_square(y))))
const tg_op tg__op_tanh = {
    ELEMENTWISE(tanh, 1, "y = (e^x - e^-x) / (e^x + e^-x)", TG_OP_FLOAT_ONLY, float),
    .vjp = tanh_vjp,
    RANGE1('f', .lo = -3, .hi = 3),
};

/*| tg_tanh: the hyperbolic tangent.
 *    y = (e^x - e^-x) / (e^x + e^-x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g (1 - y^2)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_tanh, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_tanh, &x, 1);
}

TG_MICRO(sigmoid, 1, FLOAT, M(sigmoid)(a))
REF(sigmoid, 1 / (1 + exp(-a)))
VJP1(sigmoid, tg_mul(g, tg_mul(y, tg_sub(tg__one_like(y), y))))
const tg_op tg__op_sigmoid = {
    ELEMENTWISE(sigmoid, 1, "y = 1 / (1 + e^-x)", TG_OP_FLOAT_ONLY, float),
    .vjp = sigmoid_vjp,
    RANGE1('f', .lo = -4, .hi = 4),
};

/*| tg_sigmoid: the logistic function.
 *    y = 1 / (1 + e^-x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g y (1 - y)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_sigmoid, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_sigmoid, &x, 1);
}

TG_MICRO(softplus, 1, FLOAT, M(log1p)(M(exp)(-M(abs)(a))) + (a > K(0) ? a : K(0)))
REF(softplus, log1p(exp(-fabs(a))) + (a > 0 ? a : 0))
VJP1(softplus, tg_mul(g, tg_sigmoid(x)))
const tg_op tg__op_softplus = {
    ELEMENTWISE(softplus, 1, "y = log(1 + e^x)", TG_OP_FLOAT_ONLY, float),
    .vjp = softplus_vjp,
    RANGE1('f', .lo = -4, .hi = 4),
};

/*| tg_softplus: a smooth positive part; no overflow for large x.
 *    y = log(1 + e^x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 + e^-x)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Dugas, Bengio, Belisle, Nadeau, Garcia 2001, Incorporating second-order functional knowledge for better option
 *            pricing */
TG_API(tg_tensor, tg_softplus, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_softplus, &x, 1);
}

TG_MICRO(relu, 1, FLOAT, a <= K(0) ? K(0) : a)
REF(relu, a > 0 ? a : 0)
VJP1(relu, tg_where(tg_gt(y, tg__zero_like(y)), g, tg__zero_like(g)))
const tg_op tg__op_relu = {
    ELEMENTWISE(relu, 1, "y = max(x, 0)", TG_OP_FLOAT_ONLY | TG_OP_CHEAP, float),
    .vjp = relu_vjp,
    RANGE1('f', .lo = -2, .hi = 2, .avoid = 0.02),
};

/*| tg_relu: the positive part; NaN for NaN.
 *    y = max(x, 0)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where x > 0, else 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Nair, Hinton 2010, Rectified linear units improve restricted Boltzmann machines */
TG_API(tg_tensor, tg_relu, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_relu, &x, 1);
}

/* ------------------------------------------------------------------ the error function */

#define TWO_OVER_SQRT_PI 1.1283791670955125739

TG_MICRO(erf, 1, FLOAT, M(erf)(a))
REF(erf, erf(a))
VJP1(erf, tg_mul(g, tg_scale(tg_exp(tg_neg(tg_square(x))), TWO_OVER_SQRT_PI)))
const tg_op tg__op_erf = {
    ELEMENTWISE(erf, 1, "y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x", TG_OP_FLOAT_ONLY, float),
    .vjp = erf_vjp,
    RANGE1('f', .lo = -3, .hi = 3),
};

/*| tg_erf: the error function.
 *    y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g 2 / sqrt(pi) e^(-x^2)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_API(tg_tensor, tg_erf, (tg_tensor x), (x)) {
    return tg__apply_micro(site, &tg__op_erf, &x, 1);
}

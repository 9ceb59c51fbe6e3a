/* Activations */
#include "ops/elementwise.h"
#include "kernels/functions.h"

/* ------------------------------------------------------------------ smooth ones */

#define SMOOTH RANGE1('f', .lo = -4, .hi = 4)

static double logistic(double x) { return 1 / (1 + exp(-x)); }
static double logistic_slope(double x) { return logistic(x) * logistic(-x); }

/* s s' = -s tanh(x / 2) */
UNARY_OP(sigmoid_slope, FLOAT, 0, M(sigmoid_slope)(a), logistic_slope(a),
         tg_mul(g, tg_neg(tg_mul(y, tg_tanh(tg_scale(x, 0.5))))),
         "y = e^-x / (1 + e^-x)^2", "elementary", SMOOTH)

static tg_tensor sigmoid_slope(tg_tensor x) { return tg__apply_micro(NULL, &tg__op_sigmoid_slope, &x, 1); }

UNARY(sigmoid, FLOAT, 0, M(sigmoid)(a), logistic(a), tg_mul(g, sigmoid_slope(x)),
      "the logistic function", "y = 1 / (1 + e^-x)", "dx = g y (1 - y), from x, so that no digits are lost where y is near 1",
      "elementary", SMOOTH)

UNARY(softplus, FLOAT, 0, M(softplus)(a), log1p(exp(-fabs(a))) + (a > 0 ? a : 0),
      tg_mul(g, tg_sigmoid(x)),
      "a smooth positive part; no overflow for large x", "y = log(1 + e^x)", "dx = g / (1 + e^-x)",
      "Dugas, Bengio, Belisle, Nadeau, Garcia 2001, Incorporating second-order functional knowledge for better option pricing",
      SMOOTH)

UNARY(log_sigmoid, FLOAT, 0, -M(softplus)(-a), -(log1p(exp(-fabs(a))) + (a < 0 ? -a : 0)), tg_mul(g, tg_sigmoid(tg_neg(x))),
      "the logarithm of the logistic function; no overflow for large -x", "y = -log(1 + e^-x)", "dx = g / (1 + e^x)",
      "elementary", SMOOTH)

/* The slopes of products of x and a gate are ops, since they are cheap from x alone. Where their own derivatives cancel digits
 * of what is rounded, these are computed in f64. */
static tg_tensor in_f64(tg_tensor (*f)(tg_tensor x), tg_tensor x) { return tg_cast(f(tg_cast(x, TG_F64)), tg_dtype_of(x)); }

static tg_tensor half_tanh(tg_tensor x) { return tg_tanh(tg_scale(x, 0.5)); } /* 2 s(x) - 1 */

static tg_tensor silu_bend(tg_tensor x) {
    return tg_mul(sigmoid_slope(x), tg_add_scalar(tg_neg(tg_mul(x, half_tanh(x))), 2));
}

UNARY_OP(silu_slope, FLOAT, 0, M(silu_slope)(a), logistic(a) + a * logistic_slope(a),
         tg_mul(g, in_f64(silu_bend, x)),
         "y = s + x s (1 - s), s = 1 / (1 + e^-x)", "elementary", SMOOTH)

UNARY(silu, FLOAT, 0, M(silu)(a), a * logistic(a), tg_mul(g, tg__apply_micro(NULL, &tg__op_silu_slope, &x, 1)),
      "x times the logistic function of x (SiLU, swish)", "y = x / (1 + e^-x)", "dx = g (s + x s (1 - s)), s = 1 / (1 + e^-x)",
      "Hendrycks, Gimpel 2016, arXiv:1606.08415, section 2", SMOOTH)

static double normal_cdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }

static tg_tensor normal_density(tg_tensor x) {
    return tg_scale(tg_exp(tg_scale(tg_square(x), -0.5)), TG__ONE_OVER_SQRT_2PI);
}

UNARY_OP(gelu_slope, FLOAT, 0, M(gelu_slope)(a), normal_cdf(a) + a * TG__ONE_OVER_SQRT_2PI * exp(-0.5 * a * a),
         tg_mul(g, tg_mul(normal_density(x), tg_add_scalar(tg_neg(tg_square(x)), 2))),
         "y = (1 + erf(x / sqrt(2))) / 2 + x e^(-x^2 / 2) / sqrt(2 pi)", "elementary", SMOOTH)

UNARY(gelu, FLOAT, 0, M(gelu)(a), a * normal_cdf(a), tg_mul(g, tg__apply_micro(NULL, &tg__op_gelu_slope, &x, 1)),
      "x times the probability that a normal number is at most x; tg_gelu_tanh is the approximation",
      "y = x (1 + erf(x / sqrt(2))) / 2", "dx = g ((1 + erf(x / sqrt(2))) / 2 + x e^(-x^2 / 2) / sqrt(2 pi))",
      "Hendrycks, Gimpel 2016, arXiv:1606.08415, section 2", SMOOTH)

/* The sigmoid's argument u, and x du/dx. */
static double gelu_inner(double x) { return x * (TG__GELU_A + TG__GELU_B * x * x); }
static double gelu_rise(double x) { return x * (TG__GELU_A + 3 * TG__GELU_B * x * x); }

/* s'(u) (2 u' + x u'' - x u'^2 tanh(u / 2)) */
static tg_tensor gelu_tanh_bend(tg_tensor x) {
    tg_tensor b = tg_scale(tg_square(x), TG__GELU_B), b3 = tg_scale(b, 3), rise = tg_add_scalar(b3, TG__GELU_A);
    tg_tensor u = tg_mul(x, tg_add_scalar(b, TG__GELU_A)), falls = tg_mul(tg_mul(x, tg_square(rise)), half_tanh(u));
    return tg_mul(sigmoid_slope(u), tg_sub(tg_scale(tg_add(rise, b3), 2), falls));
}

UNARY_OP(gelu_tanh_slope, FLOAT, 0, M(gelu_tanh_slope)(a),
         logistic(gelu_inner(a)) + gelu_rise(a) * logistic_slope(gelu_inner(a)), tg_mul(g, in_f64(gelu_tanh_bend, x)),
         "y = s (1 + z (1 - s)), s = (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2, z = x d/dx log(s / (1 - s))",
         "elementary", SMOOTH)

UNARY(gelu_tanh, FLOAT, 0, M(gelu_tanh)(a), a * logistic(gelu_inner(a)),
      tg_mul(g, tg__apply_micro(NULL, &tg__op_gelu_tanh_slope, &x, 1)),
      "the approximation of gelu by tanh", "y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2",
      "dx = g s (1 + z (1 - s)), where y = x s and z = x d/dx of the sigmoid's argument",
      "Hendrycks, Gimpel 2016, arXiv:1606.08415, section 2", SMOOTH)

extern const tg_op tg__op_tanh_slope;

/* (1 - t^2) s (2 + x (1 - s - 2 t s)), t = tanh(softplus x), s = s(x) */
static tg_tensor mish_bend(tg_tensor x) {
    tg_tensor p = tg_softplus(x), s = tg_sigmoid(x), slope = tg__apply_micro(NULL, &tg__op_tanh_slope, &p, 1);
    tg_tensor inner = tg_sub(tg_sigmoid(tg_neg(x)), tg_scale(tg_mul(tg_tanh(p), s), 2));
    return tg_mul(tg_mul(slope, s), tg_add_scalar(tg_mul(x, inner), 2));
}

UNARY_OP(mish_slope, FLOAT, 0, M(mish_slope)(a), tanh(log1p(exp(a))) + a * logistic(a) / pow(cosh(log1p(exp(a))), 2),
         tg_mul(g, in_f64(mish_bend, x)), "y = t + x (1 - t^2) / (1 + e^-x), t = tanh(log(1 + e^x))", "elementary", SMOOTH)

UNARY(mish, FLOAT, 0, M(mish)(a), a * tanh(log1p(exp(a))), tg_mul(g, tg__apply_micro(NULL, &tg__op_mish_slope, &x, 1)),
      "x times tanh of softplus", "y = x tanh(log(1 + e^x))",
      "dx = g (t + x (1 - t^2) sigmoid(x)), where t = tanh(log(1 + e^x))", "Misra 2019, arXiv:1908.08681, eq. 1", SMOOTH)

UNARY(softsign, FLOAT, 0, M(softsign)(a), a / (1 + fabs(a)),
      tg_div(g, tg_square(tg_add(tg_abs(x), tg__one_like(x)))),
      "x over 1 and its size", "y = x / (1 + |x|)", "dx = g / (1 + |x|)^2",
      "Bergstra, Desjardins, Lamblin, Bengio 2009, Quadratic polynomials learn better image features",
      RANGE1('f', .lo = -2, .hi = 2, .avoid = 0.02))

/* ------------------------------------------------------------------ with a kink at 0 */

UNARY(relu, FLOAT, TG_OP_CHEAP, a <= K(0) ? K(0) : a, a > 0 ? a : 0,
      tg_where(tg_gt(y, tg__zero_like(y)), g, tg__zero_like(g)),
      "the positive part; NaN for NaN", "y = max(x, 0)", "dx = g where x > 0, else 0",
      "Nair, Hinton 2010, Rectified linear units improve restricted Boltzmann machines",
      RANGE1('f', .lo = -2, .hi = 2, .avoid = 0.02))

static tg_tensor where_positive(tg_tensor x, tg_tensor yes, tg_tensor no) {
    return tg_where(tg_gt(x, tg__zero_like(x)), yes, no);
}

BINARY(prelu, FLOAT, TG_OP_CHEAP, a > K(0) ? a : a * b, a > 0 ? a : a * b,
       where_positive(a, g, tg_mul(g, b)), where_positive(a, tg__zero_like(g), tg_mul(g, a)),
       "a, but b a where it is not positive; b is learned, one number for each channel as its shape broadcasts",
       "y = a where a > 0, else b a", "da = g where a > 0, else g b; db = 0 where a > 0, else g a",
       "He, Zhang, Ren, Sun 2015, arXiv:1502.01852, eq. 1",
       RANGES2((.kind = 'f', .lo = -2, .hi = 2, .avoid = 0.02), (.kind = 'f', .lo = -0.5, .hi = 1)))

/*| tg_leaky_relu: x, but slope x where it is not positive. The slope is data: a new value makes no new plan.
 *    y = x where x > 0, else slope x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where x > 0, else slope g
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Maas, Hannun, Ng 2013, Rectifier nonlinearities improve neural network acoustic models */
TG_API(tg_tensor, tg_leaky_relu, (tg_tensor x, double slope), (x, slope)) {
    return tg_prelu_at(site, x, tg__number_for(site, "leaky_relu", x, slope));
}

/* e^x where x < 0: no overflow in the branch that is not taken. */
static tg_tensor exp_below(tg_tensor x) { return tg_exp(tg_minimum(x, tg__zero_like(x))); }

BINARY_OP(elu, FLOAT, 0, a > K(0) ? a : b * M(expm1)(a), a > 0 ? a : b * expm1(a),
          where_positive(a, g, tg_mul(g, tg_mul(b, exp_below(a)))),
          where_positive(a, tg__zero_like(g), tg_mul(g, tg_expm1(tg_minimum(a, tg__zero_like(a))))),
          "y = x where x > 0, else alpha (e^x - 1)", "Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289, eq. 16",
          RANGES2((.kind = 'f', .lo = -3, .hi = 2, .avoid = 0.02), (.kind = 'f', .lo = 0.5, .hi = 2)))

/*| tg_elu: x, but an exponential towards -alpha where it is not positive. alpha is data: a new value makes no new plan.
 *    y = x where x > 0, else alpha (e^x - 1)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where x > 0, else g alpha e^x
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289, eq. 16 */
TG_API(tg_tensor, tg_elu, (tg_tensor x, double alpha), (x, alpha)) {
    return tg__apply_micro(site, &tg__op_elu, (tg_tensor[]){x, tg__number_for(site, "elu", x, alpha)}, 2);
}

/* e^z - 1 - z e^z, in f64: both are near z for small z, and their difference near z^2 / 2. */
static tg_tensor celu_by_alpha(tg_tensor g, tg_tensor a, tg_tensor b) {
    tg_tensor z = tg_minimum(tg_div(tg_cast(a, TG_F64), tg_cast(b, TG_F64)), tg_scalar(tg_tape_of(a), 0, TG_F64));
    return tg_mul(g, tg_cast(tg_sub(tg_expm1(z), tg_mul(z, tg_exp(z))), tg_dtype_of(a)));
}

BINARY_OP(celu, FLOAT, 0, a > K(0) ? a : b * M(expm1)(a / b), a > 0 ? a : b * expm1(a / b),
          where_positive(a, g, tg_mul(g, exp_below(tg_div(a, b)))), where_positive(a, tg__zero_like(g), celu_by_alpha(g, a, b)),
          "y = x where x > 0, else alpha (e^(x / alpha) - 1)", "Barron 2017, arXiv:1704.07483, eq. 2",
          RANGES2((.kind = 'f', .lo = -3, .hi = 2, .avoid = 0.02), (.kind = 'f', .lo = 0.5, .hi = 2)))

/*| tg_celu: elu with a derivative that does not jump. alpha is data: a new value makes no new plan. NaN for alpha = 0.
 *    y = x where x > 0, else alpha (e^(x / alpha) - 1)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where x > 0, else g e^(x / alpha)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Barron 2017, arXiv:1704.07483, eq. 2 */
TG_API(tg_tensor, tg_celu, (tg_tensor x, double alpha), (x, alpha)) {
    return tg__apply_micro(site, &tg__op_celu, (tg_tensor[]){x, tg__number_for(site, "celu", x, alpha)}, 2);
}

UNARY(selu, FLOAT, 0, a > K(0) ? K(TG__SELU_SCALE) * a : K(TG__SELU_SCALE * TG__SELU_ALPHA) * M(expm1)(a),
      a > 0 ? TG__SELU_SCALE * a : TG__SELU_SCALE * TG__SELU_ALPHA * expm1(a),
      where_positive(x, tg_scale(g, TG__SELU_SCALE), tg_mul(g, tg_scale(exp_below(x), TG__SELU_SCALE * TG__SELU_ALPHA))),
      "elu times a number, both chosen so that mean 0 and variance 1 are kept",
      "y = s x where x > 0, else s alpha (e^x - 1), s = 1.0507..., alpha = 1.6732...",
      "dx = g s where x > 0, else g s alpha e^x", "Klambauer, Unterthiner, Mayr, Hochreiter 2017, arXiv:1706.02515, eq. 2",
      RANGE1('f', .lo = -3, .hi = 2, .avoid = 0.02))

UNARY_CUT(heaviside, FLOAT, TG_OP_CHEAP, a > K(0) ? K(1) : a <= K(0) ? K(0) : a, a > 0,
          "whether x is positive, as a number: Heaviside's step, the perceptron's activation; NaN for NaN",
          "y = 1 where x > 0, else 0", "Rosenblatt 1958, The perceptron",
          RANGE1('c', .lo = -2, .hi = 2))

/* ------------------------------------------------------------------ with two kinks */

/* g where a is inside (b, c). */
static tg_tensor inside(tg_tensor g, tg_tensor a, tg_tensor b, tg_tensor c) {
    return tg_where(tg_and(tg_gt(a, b), tg_lt(a, c)), g, tg__zero_like(g));
}
static tg_tensor between(tg_tensor g, tg_tensor x, double lo, double hi) {
    return inside(g, x, tg_scalar(tg_tape_of(x), lo, tg_dtype_of(x)), tg_scalar(tg_tape_of(x), hi, tg_dtype_of(x)));
}

UNARY(relu6, FLOAT, TG_OP_CHEAP, a <= K(0) ? K(0) : a >= K(6) ? K(6) : a, fmin(fmax(a, 0), 6), between(g, x, 0, 6),
      "the positive part, at most 6; NaN for NaN", "y = min(max(x, 0), 6)", "dx = g where 0 < x < 6, else 0",
      "Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10",
      RANGE1('f', .lo = -2, .hi = 2, .avoid = 0.02))

TERNARY_OP(hardtanh, FLOAT, TG_OP_CHEAP, (a < b ? b : a) > c ? c : (a < b ? b : a), fmin(fmax(a, b), c),
           inside(g, a, b, c), tg_where(tg_and(tg_le(a, b), tg_lt(b, c)), g, tg__zero_like(g)),
           tg_where(tg_or(tg_ge(a, c), tg_ge(b, c)), g, tg__zero_like(g)),
           "y = min(max(x, lo), hi)", "Collobert 2004, Large scale machine learning",
           RANGE3('f', .lo = -2, .hi = 2, .avoid = 0.02))

/*| tg_hardtanh: as tg_clamp, but nothing flows at the bounds themselves. The bounds are data; -1 and 1 are the usual ones.
 *    y = min(max(x, lo), hi)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where lo < x < hi, else 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Collobert 2004, Large scale machine learning */
TG_API(tg_tensor, tg_hardtanh, (tg_tensor x, double lo, double hi), (x, lo, hi)) {
    tg_tensor low = tg__number_for(site, "hardtanh", x, lo), high = tg__number_for(site, "hardtanh", x, hi);
    return tg__apply_micro(site, &tg__op_hardtanh, (tg_tensor[]){x, low, high}, 3);
}

UNARY(hardsigmoid, FLOAT, 0, a <= K(-3) ? K(0) : a >= K(3) ? K(1) : (a + K(3)) / K(6), fmin(fmax(a + 3, 0), 6) / 6,
      tg_scale(between(g, x, -3, 3), 1.0 / 6),
      "a straight line in place of the logistic function; NaN for NaN", "y = min(max(x + 3, 0), 6) / 6",
      "dx = g / 6 where -3 < x < 3, else 0", "Howard and others 2019, arXiv:1905.02244, section 5.2",
      RANGE1('f', .lo = -2, .hi = 2))

static tg_tensor hardswish_rule(tg_tensor g, tg_tensor x) {
    tg_tensor three = tg_scalar(tg_tape_of(x), 3, tg_dtype_of(x)), slope = tg_scale(tg_add_scalar(x, 1.5), 1.0 / 3);
    return tg_where(tg_ge(x, three), g, between(tg_mul(g, slope), x, -3, 3));
}

UNARY(hardswish, FLOAT, 0, a <= K(-3) ? K(0) : a >= K(3) ? a : a * (a + K(3)) / K(6), a * fmin(fmax(a + 3, 0), 6) / 6,
      hardswish_rule(g, x),
      "x times hardsigmoid of x; NaN for NaN", "y = x min(max(x + 3, 0), 6) / 6",
      "dx = 0 where x <= -3, g where x >= 3, else g (x / 3 + 1/2)", "Howard and others 2019, arXiv:1905.02244, section 5.2",
      RANGE1('f', .lo = -2, .hi = 2))

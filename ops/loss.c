/* Losses of regression */
#include "ops/loss.h"

#define DATA(shape) IN('f', shape), IN('f', shape)
#define ALL(a, b) a, b

/* ------------------------------------------------------------------ mse, mae */

LOSS(mse, 2, 0, false, tg_square(tg_sub(x[0], x[1])))

const tg_op tg__op_mse = {
    LOSS_OP(mse, "y = mean of (a - b)^2", "elementary", 2),
    SAMPLES(LOSS_SAMPLES(DATA), SAMPLE("numbers", INPUTS(DATA(())), PLAIN)),
    BADS(LOSS_BADS(ALL)),
};

/*| tg_mse: the mean squared difference of two tensors of one shape.
 *    y = mean of (a - b)^2
 *  Shapes:   a, b (the same, at least one element) -> y ()
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = 2 g (a - b) / (number of elements), db = -da
 *  Errors:   TG_ESHAPE if the shapes differ (there is no broadcasting) or have no elements; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_API(tg_tensor, tg_mse, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg__loss_apply(site, &tg__op_mse, &mse_kind, (tg_tensor[]){a, b}, NULL, (tg_loss_options){0});
}

/*| tg_mse_with: tg_mse with a weight, a mask or another reduction.
 *    each = (a - b)^2
 *  Shapes:   a, b (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: da = 2 g (a - b), weighted and divided as the loss; db = -da
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary */
TG_API(tg_tensor, tg_mse_with, (tg_tensor a, tg_tensor b, tg_loss_options options), (a, b, options)) {
    return tg__loss_apply(site, &tg__op_mse, &mse_kind, (tg_tensor[]){a, b}, NULL, options);
}

LOSS(mae, 2, 0, false, tg_abs(tg_sub(x[0], x[1])))

#undef DATA
#define DATA(shape) IN('f', shape, .lo = -3, .hi = -1), IN('f', shape, .lo = 0, .hi = 2)
const tg_op tg__op_mae = {
    LOSS_OP(mae, "y = mean of |a - b|", "elementary", 2),
    SAMPLES(LOSS_SAMPLES(DATA)),
    BADS(LOSS_BADS(ALL)),
};

/*| tg_mae: the mean absolute difference of two tensors of one shape.
 *    each = |a - b|
 *  Shapes:   a, b (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: da = g sign(a - b), so 0 where a = b, weighted and divided as the loss; db = -da
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary */
TG_API(tg_tensor, tg_mae, (tg_tensor a, tg_tensor b, tg_loss_options options), (a, b, options)) {
    return tg__loss_apply(site, &tg__op_mae, &mae_kind, (tg_tensor[]){a, b}, NULL, options);
}

/* ------------------------------------------------------------------ huber, smooth_l1 */

/* With e = d clipped to [-delta, delta], both branches of Huber's function are e (d - e / 2). */
static tg_tensor huber_of(tg_tensor a, tg_tensor b, tg_tensor delta) {
    tg_tensor d = tg_sub(a, b), e = tg_maximum(tg_minimum(d, delta), tg_neg(delta));
    return tg_mul(e, tg_sub(d, tg_scale(e, 0.5)));
}

LOSS(huber, 2, 1, false, huber_of(x[0], x[1], c[0]))

#define NEAR(shape) IN('f', shape, .lo = -0.4, .hi = 0.4), IN('f', shape, .lo = -0.4, .hi = 0.4), IN('c', (), .lo = 1, .hi = 1)
#define FAR(shape) IN('f', shape, .lo = 2, .hi = 4), IN('f', shape, .lo = -2, .hi = -1), IN('c', (), .lo = 1, .hi = 2)
#undef ALL
#define ALL(a, b) a, b, IN('c', (), .lo = 1, .hi = 1)
#define HUBER_SAMPLES \
    SAMPLES(LOSS_SAMPLES(NEAR), SAMPLE("far", INPUTS(FAR((3, 4))), PLAIN), SAMPLE("far below", INPUTS(FAR((5))), PLAIN))
#define HUBER_SOURCE "Huber 1964, Robust estimation of a location parameter"
const tg_op tg__op_huber = {
    LOSS_OP(huber, "y = mean of d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); d = a - b", HUBER_SOURCE, 3),
    HUBER_SAMPLES,
    BADS(LOSS_BADS(ALL), BAD("a delta that is no number", TG_ESHAPE, "input 2 must be a number",
                             INPUTS(IN('f', (3)), IN('f', (3)), IN('f', (3))), PLAIN)),
};

/*| tg_huber: quadratic for small differences, linear for large ones.
 *    each = d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); d = a - b
 *  Shapes:   a, b (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: da = g d clipped to [-delta, delta], weighted and divided as the loss; db = -da
 *  Errors:   TG_EARG if delta is not positive, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Huber 1964, Robust estimation of a location parameter */
TG_API(tg_tensor, tg_huber, (tg_tensor a, tg_tensor b, double delta, tg_loss_options options), (a, b, delta, options)) {
    return tg__loss_apply_if(delta > 0 ? NULL : "delta must be positive", site, &tg__op_huber, &huber_kind,
                             (tg_tensor[]){a, b}, &delta, options);
}

LOSS(smooth_l1, 2, 1, false, tg_div(huber_of(x[0], x[1], c[0]), c[0]))

const tg_op tg__op_smooth_l1 = {
    LOSS_OP(smooth_l1, "y = mean of d^2 / (2 beta) where |d| <= beta, else |d| - beta / 2; d = a - b",
            "Girshick 2015, Fast R-CNN, equation 3", 3),
    HUBER_SAMPLES,
    BADS(LOSS_BADS(ALL)),
};

/*| tg_smooth_l1: the absolute difference with a rounded corner: tg_huber divided by its delta. For beta = 0 use tg_mae.
 *    each = d^2 / (2 beta) where |d| <= beta, else |d| - beta / 2; d = a - b
 *  Shapes:   a, b (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: da = g (d clipped to [-beta, beta]) / beta, weighted and divided as the loss; db = -da
 *  Errors:   TG_EARG if beta is not positive, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Girshick 2015, Fast R-CNN, equation 3 */
TG_API(tg_tensor, tg_smooth_l1, (tg_tensor a, tg_tensor b, double beta, tg_loss_options options), (a, b, beta, options)) {
    return tg__loss_apply_if(beta > 0 ? NULL : "beta must be positive", site, &tg__op_smooth_l1, &smooth_l1_kind,
                             (tg_tensor[]){a, b}, &beta, options);
}

/* ------------------------------------------------------------------ negative log-likelihoods of distributions */

LOSS(poisson_nll, 2, 0, false, tg_sub(tg_exp(x[0]), tg_mul(x[1], x[0])))

#undef ALL
#define ALL(a, b) a, b
#undef DATA
#define DATA(shape) IN('f', shape), IN('f', shape, .lo = 0, .hi = 4)
const tg_op tg__op_poisson_nll = {
    LOSS_OP(poisson_nll, "y = mean of e^x - t x", "elementary: the Poisson distribution with rate e^x", 2),
    SAMPLES(LOSS_SAMPLES(DATA)),
    BADS(LOSS_BADS(ALL)),
};

/*| tg_poisson_nll: the negative log-likelihood of counts under the Poisson distribution, from the logarithm of its rate. The
 *  term log t!, which does not depend on the rate, is left out.
 *    each = e^log_rate - count log_rate
 *  Shapes:   log_rate, count (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dlog_rate = g (e^log_rate - count), weighted and divided as the loss; dcount = -g log_rate
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary: the Poisson distribution */
TG_API(tg_tensor, tg_poisson_nll, (tg_tensor log_rate, tg_tensor count, tg_loss_options options), (log_rate, count, options)) {
    return tg__loss_apply(site, &tg__op_poisson_nll, &poisson_nll_kind, (tg_tensor[]){log_rate, count}, NULL, options);
}

static tg_tensor gaussian_of(tg_tensor mean, tg_tensor target, tg_tensor variance, tg_tensor least) {
    tg_tensor v = tg_maximum(variance, least);
    return tg_scale(tg_add(tg_log(v), tg_div(tg_square(tg_sub(mean, target)), v)), 0.5);
}

LOSS(gaussian_nll, 3, 1, false, gaussian_of(x[0], x[1], x[2], c[0]))

#undef DATA
#define DATA(shape) IN('f', shape), IN('f', shape), IN('f', shape, .lo = 0.5, .hi = 2), IN('c', (), .lo = 1e-3, .hi = 1e-3)
#undef ALL
#define ALL(a, b) a, b, b, IN('c', (), .lo = 1, .hi = 1)
const tg_op tg__op_gaussian_nll = {
    LOSS_OP(gaussian_nll, "y = mean of (log v + (mean - target)^2 / v) / 2, v = max(variance, least)",
            "Nix, Weigend 1994, Estimating the mean and variance of the target probability distribution", 4),
    SAMPLES(LOSS_SAMPLES(DATA)),
    BADS(LOSS_BADS(ALL)),
};

/*| tg_gaussian_nll: the negative log-likelihood of targets under normal distributions of given mean and variance. The term
 *  log(2 pi) / 2 is left out. Variances below `least` count as `least`, and get no gradient.
 *    each = (log v + (mean - target)^2 / v) / 2, v = max(variance, least)
 *  Shapes:   mean, target, variance (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: with d = mean - target: dmean = g d / v, dtarget = -dmean, dvariance = g (1 - d^2 / v) / (2 v) where
 *            variance >= least, else 0; weighted and divided as the loss
 *  Errors:   TG_EARG if least is not positive, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Nix, Weigend 1994, Estimating the mean and variance of the target probability distribution */
TG_API(tg_tensor, tg_gaussian_nll,
       (tg_tensor mean, tg_tensor target, tg_tensor variance, double least, tg_loss_options options),
       (mean, target, variance, least, options)) {
    return tg__loss_apply_if(least > 0 ? NULL : "the least variance must be positive", site, &tg__op_gaussian_nll,
                             &gaussian_nll_kind, (tg_tensor[]){mean, target, variance}, &least, options);
}

/* tapegrad/ops.h: every op as a function; made by tools/gen-ops from the files of ops/; change those and run make.
 *
 * Each op is a function of tensors that records one node and computes nothing. TG_SITED (core.h) declares its two forms. */
#ifndef TAPEGRAD_OPS_H
#define TAPEGRAD_OPS_H

#include "core.h"
#include "options.h"

#ifdef __cplusplus
extern "C" {
#endif

/* tg_sigmoid: the logistic function.
 *    y = 1 / (1 + e^-x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g y (1 - y), from x, so that no digits are lost where y is near 1
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_sigmoid, tg_tensor x);
#define tg_sigmoid(...) tg_sigmoid_at(TG_HERE, __VA_ARGS__)

/* tg_softplus: a smooth positive part; no overflow for large x.
 *    y = log(1 + e^x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 + e^-x)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Dugas, Bengio, Belisle, Nadeau, Garcia 2001, Incorporating second-order functional knowledge for better option
 *            pricing */
TG_SITED(tg_tensor, tg_softplus, tg_tensor x);
#define tg_softplus(...) tg_softplus_at(TG_HERE, __VA_ARGS__)

/* tg_log_sigmoid: the logarithm of the logistic function; no overflow for large -x.
 *    y = -log(1 + e^-x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 + e^x)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_log_sigmoid, tg_tensor x);
#define tg_log_sigmoid(...) tg_log_sigmoid_at(TG_HERE, __VA_ARGS__)

/* tg_silu: x times the logistic function of x (SiLU, swish).
 *    y = x / (1 + e^-x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g (s + x s (1 - s)), s = 1 / (1 + e^-x)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Hendrycks, Gimpel 2016, arXiv:1606.08415, section 2 */
TG_SITED(tg_tensor, tg_silu, tg_tensor x);
#define tg_silu(...) tg_silu_at(TG_HERE, __VA_ARGS__)

/* tg_gelu: x times the probability that a normal number is at most x; tg_gelu_tanh is the approximation.
 *    y = x (1 + erf(x / sqrt(2))) / 2
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g ((1 + erf(x / sqrt(2))) / 2 + x e^(-x^2 / 2) / sqrt(2 pi))
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Hendrycks, Gimpel 2016, arXiv:1606.08415, section 2 */
TG_SITED(tg_tensor, tg_gelu, tg_tensor x);
#define tg_gelu(...) tg_gelu_at(TG_HERE, __VA_ARGS__)

/* tg_gelu_tanh: the approximation of gelu by tanh.
 *    y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g s (1 + z (1 - s)), where y = x s and z = x d/dx of the sigmoid's argument
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Hendrycks, Gimpel 2016, arXiv:1606.08415, section 2 */
TG_SITED(tg_tensor, tg_gelu_tanh, tg_tensor x);
#define tg_gelu_tanh(...) tg_gelu_tanh_at(TG_HERE, __VA_ARGS__)

/* tg_mish: x times tanh of softplus.
 *    y = x tanh(log(1 + e^x))
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g (t + x (1 - t^2) sigmoid(x)), where t = tanh(log(1 + e^x))
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Misra 2019, arXiv:1908.08681, eq. 1 */
TG_SITED(tg_tensor, tg_mish, tg_tensor x);
#define tg_mish(...) tg_mish_at(TG_HERE, __VA_ARGS__)

/* tg_softsign: x over 1 and its size.
 *    y = x / (1 + |x|)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 + |x|)^2
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Bergstra, Desjardins, Lamblin, Bengio 2009, Quadratic polynomials learn better image features */
TG_SITED(tg_tensor, tg_softsign, tg_tensor x);
#define tg_softsign(...) tg_softsign_at(TG_HERE, __VA_ARGS__)

/* tg_relu: the positive part; NaN for NaN.
 *    y = max(x, 0)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where x > 0, else 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Nair, Hinton 2010, Rectified linear units improve restricted Boltzmann machines */
TG_SITED(tg_tensor, tg_relu, tg_tensor x);
#define tg_relu(...) tg_relu_at(TG_HERE, __VA_ARGS__)

/* tg_prelu: a, but b a where it is not positive; b is learned, one number for each channel as its shape broadcasts.
 *    y = a where a > 0, else b a
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g where a > 0, else g b; db = 0 where a > 0, else g a
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not f32 or f64
 *  Source:   He, Zhang, Ren, Sun 2015, arXiv:1502.01852, eq. 1 */
TG_SITED(tg_tensor, tg_prelu, tg_tensor a, tg_tensor b);
#define tg_prelu(...) tg_prelu_at(TG_HERE, __VA_ARGS__)

/* tg_leaky_relu: x, but slope x where it is not positive. The slope is data: a new value makes no new plan.
 *    y = x where x > 0, else slope x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where x > 0, else slope g
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Maas, Hannun, Ng 2013, Rectifier nonlinearities improve neural network acoustic models */
TG_SITED(tg_tensor, tg_leaky_relu, tg_tensor x, double slope);
#define tg_leaky_relu(...) tg_leaky_relu_at(TG_HERE, __VA_ARGS__)

/* tg_elu: x, but an exponential towards -alpha where it is not positive. alpha is data: a new value makes no new plan.
 *    y = x where x > 0, else alpha (e^x - 1)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where x > 0, else g alpha e^x
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289, eq. 16 */
TG_SITED(tg_tensor, tg_elu, tg_tensor x, double alpha);
#define tg_elu(...) tg_elu_at(TG_HERE, __VA_ARGS__)

/* tg_celu: elu with a derivative that does not jump. alpha is data: a new value makes no new plan. NaN for alpha = 0.
 *    y = x where x > 0, else alpha (e^(x / alpha) - 1)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where x > 0, else g e^(x / alpha)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Barron 2017, arXiv:1704.07483, eq. 2 */
TG_SITED(tg_tensor, tg_celu, tg_tensor x, double alpha);
#define tg_celu(...) tg_celu_at(TG_HERE, __VA_ARGS__)

/* tg_selu: elu times a number, both chosen so that mean 0 and variance 1 are kept.
 *    y = s x where x > 0, else s alpha (e^x - 1), s = 1.0507..., alpha = 1.6732...
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g s where x > 0, else g s alpha e^x
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Klambauer, Unterthiner, Mayr, Hochreiter 2017, arXiv:1706.02515, eq. 2 */
TG_SITED(tg_tensor, tg_selu, tg_tensor x);
#define tg_selu(...) tg_selu_at(TG_HERE, __VA_ARGS__)

/* tg_heaviside: whether x is positive, as a number: Heaviside's step, the perceptron's activation; NaN for NaN.
 *    y = 1 where x > 0, else 0
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Rosenblatt 1958, The perceptron */
TG_SITED(tg_tensor, tg_heaviside, tg_tensor x);
#define tg_heaviside(...) tg_heaviside_at(TG_HERE, __VA_ARGS__)

/* tg_relu6: the positive part, at most 6; NaN for NaN.
 *    y = min(max(x, 0), 6)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where 0 < x < 6, else 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Krizhevsky 2010, Convolutional deep belief networks on CIFAR-10 */
TG_SITED(tg_tensor, tg_relu6, tg_tensor x);
#define tg_relu6(...) tg_relu6_at(TG_HERE, __VA_ARGS__)

/* tg_hardtanh: as tg_clamp, but nothing flows at the bounds themselves. The bounds are data; -1 and 1 are the usual ones.
 *    y = min(max(x, lo), hi)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where lo < x < hi, else 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Collobert 2004, Large scale machine learning */
TG_SITED(tg_tensor, tg_hardtanh, tg_tensor x, double lo, double hi);
#define tg_hardtanh(...) tg_hardtanh_at(TG_HERE, __VA_ARGS__)

/* tg_hardsigmoid: a straight line in place of the logistic function; NaN for NaN.
 *    y = min(max(x + 3, 0), 6) / 6
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / 6 where -3 < x < 3, else 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Howard and others 2019, arXiv:1905.02244, section 5.2 */
TG_SITED(tg_tensor, tg_hardsigmoid, tg_tensor x);
#define tg_hardsigmoid(...) tg_hardsigmoid_at(TG_HERE, __VA_ARGS__)

/* tg_hardswish: x times hardsigmoid of x; NaN for NaN.
 *    y = x min(max(x + 3, 0), 6) / 6
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = 0 where x <= -3, g where x >= 3, else g (x / 3 + 1/2)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   Howard and others 2019, arXiv:1905.02244, section 5.2 */
TG_SITED(tg_tensor, tg_hardswish, tg_tensor x);
#define tg_hardswish(...) tg_hardswish_at(TG_HERE, __VA_ARGS__)

/* tg_dot: the inner product of vectors, along the last axis.
 *    y = sum of a b over the last axis
 *  Shapes:   a (..., n), b (..., n), batch axes broadcast -> y (...)
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g b, db = g a, summed over broadcast axes
 *  Errors:   TG_ESHAPE if the sizes differ or batch axes do not broadcast; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_dot, tg_tensor a, tg_tensor b);
#define tg_dot(...) tg_dot_at(TG_HERE, __VA_ARGS__)

/* tg_outer: the outer product of vectors, along the last axis.
 *    y[..., i, j] = a[..., i] b[..., j]
 *  Shapes:   a (..., m), b (..., n), batch axes broadcast -> y (..., m, n)
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g b, db = g^T a, summed over broadcast axes
 *  Errors:   TG_ESHAPE if batch axes do not broadcast or one is a number; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_outer, tg_tensor a, tg_tensor b);
#define tg_outer(...) tg_outer_at(TG_HERE, __VA_ARGS__)

/* tg_trace: the sum of the diagonal of matrices.
 *    y = sum of A[..., i, i]
 *  Shapes:   A (..., m, n) -> y (...)
 *  Dtypes:   f32, f64
 *  Gradient: dA = g on the diagonal, else 0
 *  Errors:   TG_ESHAPE if A is no matrix; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_trace, tg_tensor a);
#define tg_trace(...) tg_trace_at(TG_HERE, __VA_ARGS__)

/* tg_matrix_norm: a norm of matrices: TG_FROBENIUS, TG_NUCLEAR, TG_SPECTRAL, TG_COLUMN_SUM (also called the 1-norm) or
 *  TG_ROW_SUM (the infinity norm).
 *    y = (sum of A^2)^(1/2), sum of s, max of s, max over columns of (sum of |A|), max over rows of (sum of |A|); s: tg_svd
 *  Shapes:   A (..., m, n) -> y (...)
 *  Dtypes:   f32, f64
 *  Gradient: of the Frobenius norm g A / y, 0 at A = 0; of the nuclear and spectral norms g U V^T and g u1 v1^T; of the sums
 *            g sign(A) in the largest column or row; where several are largest, as tg_max and tg_svd say
 *  Errors:   TG_ESHAPE if A is no matrix, or has no elements but the kind needs one; TG_EARG for another kind; TG_EDTYPE for
 *            other dtypes; TG_EUNSUPPORTED for the nuclear and spectral norms without LAPACK
 *  Source:   Golub, Van Loan 2013, Matrix computations, section 2.3 */
TG_SITED(tg_tensor, tg_matrix_norm, tg_tensor a, tg_matrix_norm_kind kind);
#define tg_matrix_norm(...) tg_matrix_norm_at(TG_HERE, __VA_ARGS__)

/* tg_add: the sum of two tensors.
 *    y = a + b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g, db = g
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_add, tg_tensor a, tg_tensor b);
#define tg_add(...) tg_add_at(TG_HERE, __VA_ARGS__)

/* tg_sub: the difference of two tensors.
 *    y = a - b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g, db = -g
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_sub, tg_tensor a, tg_tensor b);
#define tg_sub(...) tg_sub_at(TG_HERE, __VA_ARGS__)

/* tg_mul: the product of two tensors, element by element.
 *    y = a b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g b, db = g a
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_mul, tg_tensor a, tg_tensor b);
#define tg_mul(...) tg_mul_at(TG_HERE, __VA_ARGS__)

/* tg_div: the quotient of two tensors, element by element.
 *    y = a / b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers are rounded towards 0, and divided by 0 give 0
 *  Gradient: da = g / b, db = -g y / b; 0 where g = 0, even if b = 0
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_div, tg_tensor a, tg_tensor b);
#define tg_div(...) tg_div_at(TG_HERE, __VA_ARGS__)

/* tg_chain: a cotangent times a derivative, for rules: where no cotangent comes, none goes on, though the derivative be
 *  infinite or NaN. So the unused branch of tg_where gives no NaN.
 *    y = a b, 0 where a = 0 or b = 0
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g b, db = g a, each 0 where a factor is
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_chain, tg_tensor a, tg_tensor b);
#define tg_chain(...) tg_chain_at(TG_HERE, __VA_ARGS__)

/* tg_chain_div: a cotangent over a number that may be 0, for rules: as tg_chain with 1 / b.
 *    y = a / b, 0 where a = 0
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g / b, db = -g y / b, 0 where g = 0
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_chain_div, tg_tensor a, tg_tensor b);
#define tg_chain_div(...) tg_chain_div_at(TG_HERE, __VA_ARGS__)

/* tg_scale: a tensor times a number. The number is data: a new value makes no new plan.
 *    y = s x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = s g
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_scale, tg_tensor x, double s);
#define tg_scale(...) tg_scale_at(TG_HERE, __VA_ARGS__)

/* tg_add_scalar: a tensor plus a number. The number is data: a new value makes no new plan.
 *    y = x + s
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_add_scalar, tg_tensor x, double s);
#define tg_add_scalar(...) tg_add_scalar_at(TG_HERE, __VA_ARGS__)

/* tg_neg: the negative.
 *    y = -x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = -g
 *  Errors:   TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_neg, tg_tensor x);
#define tg_neg(...) tg_neg_at(TG_HERE, __VA_ARGS__)

/* tg_abs: the absolute value.
 *    y = |x|
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = g sign(x), so 0 where x = 0
 *  Errors:   TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_abs, tg_tensor x);
#define tg_abs(...) tg_abs_at(TG_HERE, __VA_ARGS__)

/* tg_sign: 1, -1 or 0 by the sign; NaN for NaN.
 *    y = x / |x|, 0 where x = 0
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_sign, tg_tensor x);
#define tg_sign(...) tg_sign_at(TG_HERE, __VA_ARGS__)

/* tg_square: the square.
 *    y = x^2
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = 2 g x
 *  Errors:   TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_square, tg_tensor x);
#define tg_square(...) tg_square_at(TG_HERE, __VA_ARGS__)

/* tg_sqrt: the square root; NaN where x < 0.
 *    y = x^(1/2)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (2 y): infinite where x = 0, but 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_sqrt, tg_tensor x);
#define tg_sqrt(...) tg_sqrt_at(TG_HERE, __VA_ARGS__)

/* tg_rsqrt: one over the square root; NaN where x < 0.
 *    y = x^(-1/2)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = -g y / (2 x)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_rsqrt, tg_tensor x);
#define tg_rsqrt(...) tg_rsqrt_at(TG_HERE, __VA_ARGS__)

/* tg_cbrt: the cube root, of negative numbers, too.
 *    y = x^(1/3)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (3 y^2): infinite where x = 0, but 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_cbrt, tg_tensor x);
#define tg_cbrt(...) tg_cbrt_at(TG_HERE, __VA_ARGS__)

/* tg_hypot: the length of the vector (a, b), without overflow of the squares; infinite if one is infinite.
 *    y = (a^2 + b^2)^(1/2)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g a / y, db = g b / y, both 0 where y = 0
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_hypot, tg_tensor a, tg_tensor b);
#define tg_hypot(...) tg_hypot_at(TG_HERE, __VA_ARGS__)

/* tg_reciprocal: one over x.
 *    y = 1 / x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = -g y^2
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_reciprocal, tg_tensor x);
#define tg_reciprocal(...) tg_reciprocal_at(TG_HERE, __VA_ARGS__)

/* tg_pow: a to the power of b; NaN where a < 0 and b is no whole number.
 *    y = a^b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g b a^(b-1), 0 where b = 0; db = g y log(a), 0 where a = 0, NaN where a < 0
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_pow, tg_tensor a, tg_tensor b);
#define tg_pow(...) tg_pow_at(TG_HERE, __VA_ARGS__)

/* tg_fmod: what is left of a when b is taken from it as often as a / b rounded towards 0 says; it has the sign of a. NaN
 *  where b = 0; a where b = 0 for whole numbers.
 *    y = a - trunc(a / b) b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g, db = -g trunc(a / b)
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary; exact, by the C library */
TG_SITED(tg_tensor, tg_fmod, tg_tensor a, tg_tensor b);
#define tg_fmod(...) tg_fmod_at(TG_HERE, __VA_ARGS__)

/* tg_remainder: what is left of a when b is taken from it as often as a / b rounded down says; it has the sign of b. NaN
 *  where b = 0; a where b = 0 for whole numbers.
 *    y = a - floor(a / b) b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g, db = -g floor(a / b)
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_remainder, tg_tensor a, tg_tensor b);
#define tg_remainder(...) tg_remainder_at(TG_HERE, __VA_ARGS__)

/* tg_fma: a product and a sum, rounded once.
 *    y = a b + c
 *  Shapes:   a, b, c broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for all; whole numbers wrap around
 *  Gradient: da = g b, db = g a, dc = g
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   IEEE 754-2019, 5.4.1 */
TG_SITED(tg_tensor, tg_fma, tg_tensor a, tg_tensor b, tg_tensor c);
#define tg_fma(...) tg_fma_at(TG_HERE, __VA_ARGS__)

/* tg_lerp: from a to b by the part c: exactly a for c = 0, b for c = 1.
 *    y = a + c (b - a)
 *  Shapes:   a, b, c broadcast -> y
 *  Dtypes:   f32, f64, the same for all
 *  Gradient: da = g (1 - c), db = g c, dc = g (b - a)
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_lerp, tg_tensor a, tg_tensor b, tg_tensor c);
#define tg_lerp(...) tg_lerp_at(TG_HERE, __VA_ARGS__)

/* tg_maximum: the larger of two tensors, element by element; NaN if one is NaN.
 *    y = max(a, b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g where a >= b, else db = g
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_maximum, tg_tensor a, tg_tensor b);
#define tg_maximum(...) tg_maximum_at(TG_HERE, __VA_ARGS__)

/* tg_minimum: the smaller of two tensors, element by element; NaN if one is NaN.
 *    y = min(a, b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, i32, i64, the same for both; whole numbers wrap around
 *  Gradient: da = g where a <= b, else db = g
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_minimum, tg_tensor a, tg_tensor b);
#define tg_minimum(...) tg_minimum_at(TG_HERE, __VA_ARGS__)

/* tg_clamp: x where it is between lo and hi, else the nearer of them; hi everywhere if lo > hi; NaN for NaN. The bounds are
 *  data: new values make no new plan. For bounds that are tensors: tg_minimum(tg_maximum(x, lo), hi).
 *    y = min(max(x, lo), hi)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g where lo <= x <= hi, else 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_clamp, tg_tensor x, double lo, double hi);
#define tg_clamp(...) tg_clamp_at(TG_HERE, __VA_ARGS__)

/* tg_flatten: makes the axes first to last, both included, one: tg_flatten(x, 0, -1) is a vector, tg_flatten(x, 1, -1) keeps a
 *  batch. A number becomes a vector of one.
 *    y = x with the axes first to last made one
 *  Shapes:   x (any) -> y of a lower rank
 *  Dtypes:   every dtype
 *  Gradient: dx = g in the shape of x
 *  Errors:   TG_EARG if an axis is out of range or first comes after last
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_flatten, tg_tensor x, int64_t first, int64_t last);
#define tg_flatten(...) tg_flatten_at(TG_HERE, __VA_ARGS__)

/* tg_flip: turns axes around. A view: no memory is used.
 *    y[..., i, ...] = x[..., n - 1 - i, ...]
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = g turned around
 *  Errors:   TG_EARG if an axis is out of range or stands twice
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_flip, tg_tensor x, tg_axes axes);
#define tg_flip(...) tg_flip_at(TG_HERE, __VA_ARGS__)

/* tg_roll: shifts along an axis; what leaves at one end comes in at the other. Negative shifts go towards the first element.
 *    y[..., (i + shift) mod n, ...] = x[..., i, ...]
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = g shifted back
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_roll, tg_tensor x, int64_t axis, int64_t shift);
#define tg_roll(...) tg_roll_at(TG_HERE, __VA_ARGS__)

/* tg_tile: x side by side, times[i] times along axis i. If one of the ranks is smaller, it gets ones in front.
 *    y = x side by side, as many times as asked along each axis
 *  Shapes:   x (n_0, n_1, ...) -> y (times[0] n_0, times[1] n_1, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of the cotangents of its copies
 *  Errors:   TG_EARG if a number of times is negative; TG_ESHAPE if the result is too large
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_tile, tg_tensor x, tg_shape times);
#define tg_tile(...) tg_tile_at(TG_HERE, __VA_ARGS__)

/* tg_repeat: every element along an axis several times, one after the other: a a a b b b. (a b a b is tg_tile.)
 *    y[..., i, ...] = x[..., i / times rounded down, ...]
 *  Shapes:   x (..., n, ...) -> y (..., n times, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of the cotangents of its copies
 *  Errors:   TG_EARG if the axis is out of range or times < 0; TG_ESHAPE if the result is too large
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_repeat, tg_tensor x, int64_t axis, int64_t times);
#define tg_repeat(...) tg_repeat_at(TG_HERE, __VA_ARGS__)

/* tg_attention: scaled dot-product attention. Each row of q looks at the keys and takes the mean of the values, weighted by
 *  the softmax of the products; the matrix of weights is never in memory as a whole. scale 0 means 1 / sqrt(D). mask is bool,
 *  true where a row may look, or (tg_tensor){0}. causal: row i looks at keys up to i + S - T, so that the last row sees all.
 *  With fewer heads of k and v than of q, heads of q in a row share them. A row that may look nowhere gives 0.
 *    y = softmax(scale q k^T) v, over the keys that a row may look at
 *  Shapes:   q (..., H, T, D), k (..., K, S, D), v (..., K, S, E), H a multiple of K, mask broadcasts to (..., H, T, S)
 *            -> y (..., H, T, E)
 *  Dtypes:   f32, f64, the same for all; mask bool
 *  Gradient: dv = p^T g, ds = scale p (g v^T - sum of p (g v^T)), dq = ds k, dk = ds^T q; p the weights
 *  Errors:   TG_ESHAPE if ranks, batches, heads, lengths or sizes do not fit; TG_EARG if scale is not finite; TG_EDTYPE
 *  Source:   Vaswani et al. 2017, Attention is all you need, arXiv:1706.03762, eq. 1 */
TG_SITED(tg_tensor, tg_attention, tg_tensor q, tg_tensor k, tg_tensor v, tg_attention_config c);
#define tg_attention(...) tg_attention_at(TG_HERE, __VA_ARGS__)

/* tg_eq: whether two elements are equal; NaN equals nothing.
 *    y = (a == b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_eq, tg_tensor a, tg_tensor b);
#define tg_eq(...) tg_eq_at(TG_HERE, __VA_ARGS__)

/* tg_ne: whether two elements differ; NaN differs from everything.
 *    y = (a != b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_ne, tg_tensor a, tg_tensor b);
#define tg_ne(...) tg_ne_at(TG_HERE, __VA_ARGS__)

/* tg_lt: whether a is less than b; false if one is NaN.
 *    y = (a < b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_lt, tg_tensor a, tg_tensor b);
#define tg_lt(...) tg_lt_at(TG_HERE, __VA_ARGS__)

/* tg_le: whether a is at most b; false if one is NaN.
 *    y = (a <= b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_le, tg_tensor a, tg_tensor b);
#define tg_le(...) tg_le_at(TG_HERE, __VA_ARGS__)

/* tg_gt: whether a is greater than b; false if one is NaN.
 *    y = (a > b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_gt, tg_tensor a, tg_tensor b);
#define tg_gt(...) tg_gt_at(TG_HERE, __VA_ARGS__)

/* tg_ge: whether a is at least b; false if one is NaN.
 *    y = (a >= b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   every dtype, the same for both -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_ge, tg_tensor a, tg_tensor b);
#define tg_ge(...) tg_ge_at(TG_HERE, __VA_ARGS__)

/* tg_isnan: whether an element is NaN; false for whole numbers.
 *    y = (x is NaN)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESTALE and TG_EARG for a bad handle
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_isnan, tg_tensor x);
#define tg_isnan(...) tg_isnan_at(TG_HERE, __VA_ARGS__)

/* tg_isinf: whether an element is infinite; false for whole numbers.
 *    y = (|x| is infinite)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESTALE and TG_EARG for a bad handle
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_isinf, tg_tensor x);
#define tg_isinf(...) tg_isinf_at(TG_HERE, __VA_ARGS__)

/* tg_isfinite: whether an element is a finite number; true for whole numbers.
 *    y = (x is neither NaN nor infinite)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype -> bool
 *  Gradient: none flows
 *  Errors:   TG_ESTALE and TG_EARG for a bad handle
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_isfinite, tg_tensor x);
#define tg_isfinite(...) tg_isfinite_at(TG_HERE, __VA_ARGS__)

/* tg_and: whether both are true.
 *    y = (a and b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   bool, the same for both
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_and, tg_tensor a, tg_tensor b);
#define tg_and(...) tg_and_at(TG_HERE, __VA_ARGS__)

/* tg_or: whether at least one is true.
 *    y = (a or b)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   bool, the same for both
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_or, tg_tensor a, tg_tensor b);
#define tg_or(...) tg_or_at(TG_HERE, __VA_ARGS__)

/* tg_xor: whether exactly one is true.
 *    y = (a and not b, or b and not a)
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   bool, the same for both
 *  Gradient: none flows
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_xor, tg_tensor a, tg_tensor b);
#define tg_xor(...) tg_xor_at(TG_HERE, __VA_ARGS__)

/* tg_not: the opposite.
 *    y = (not x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   bool
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if x is not bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_not, tg_tensor x);
#define tg_not(...) tg_not_at(TG_HERE, __VA_ARGS__)

/* tg_conv1d: the convolution of signals with a bank of kernels (as all of this field, without turning the kernel round).
 *    y[n, o, p] = sum over c and k of w[o, c, k] x[n, c, p stride + k dilation - padding], outside of x zeros
 *  With groups, output channel o sees only the input channels of its group. config.bias (O) is added to each channel of y.
 *  Shapes:   x (N, C, L), w (O, C / groups, K) -> y (N, O, (L + 2 padding - dilation (K - 1) - 1) / stride + 1)
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the transposed convolution of g with w, dw = sum over n and p of g x, dbias = sum over n and p of g
 *  Errors:   TG_ESHAPE if ranks or channels do not fit, groups do not divide them, or the kernel is empty or too large; TG_EARG
 *            for a negative number in config; TG_EDTYPE for other dtypes
 *  Source:   LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II */
TG_SITED(tg_tensor, tg_conv1d, tg_tensor x, tg_tensor w, tg_conv_config config);
#define tg_conv1d(...) tg_conv1d_at(TG_HERE, __VA_ARGS__)

/* tg_conv2d: the convolution of images with a bank of kernels: tg_conv1d with two spatial axes.
 *  In f32, kernels of 3 x 3 with stride 1 between 16 channels or more may be computed by tiles (Winograd), with about twice the
 *  rounding error of the plain sum, relative to the largest elements nearby; TG_CONV=plain in the environment forbids it.
 *    y[n, o, p] = sum over c and k of w[o, c, k] x[n, c, p stride + k dilation - padding], outside of x zeros
 *  Shapes:   x (N, C, H, W), w (O, C / groups, KH, KW) -> y (N, O, H', W'), each as in tg_conv1d
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the transposed convolution of g with w, dw = sum over n and p of g x, dbias = sum over n and p of g
 *  Errors:   as tg_conv1d
 *  Source:   LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II */
TG_SITED(tg_tensor, tg_conv2d, tg_tensor x, tg_tensor w, tg_conv_config config);
#define tg_conv2d(...) tg_conv2d_at(TG_HERE, __VA_ARGS__)

/* tg_conv3d: the convolution of volumes or films with a bank of kernels: tg_conv1d with three spatial axes.
 *    y[n, o, p] = sum over c and k of w[o, c, k] x[n, c, p stride + k dilation - padding], outside of x zeros
 *  Shapes:   x (N, C, D, H, W), w (O, C / groups, KD, KH, KW) -> y (N, O, D', H', W'), each as in tg_conv1d
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the transposed convolution of g with w, dw = sum over n and p of g x, dbias = sum over n and p of g
 *  Errors:   as tg_conv1d
 *  Source:   LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II */
TG_SITED(tg_tensor, tg_conv3d, tg_tensor x, tg_tensor w, tg_conv_config config);
#define tg_conv3d(...) tg_conv3d_at(TG_HERE, __VA_ARGS__)

/* tg_conv_transpose1d: the transpose of tg_conv1d as a linear map of its x: it makes signals longer.
 *    y[n, c, i] = sum of w[o, c, k] x[n, o, p] over o and all p, k with p stride + k dilation - padding = i
 *  Shapes:   x (N, O, L), w (O, C / groups, K) -> y (N, C, (L - 1) stride - 2 padding + dilation (K - 1) + 1 + output_padding)
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the convolution of g with w, dw = sum over n and p of x g
 *  Errors:   as tg_conv1d; TG_ESHAPE also if the result would be negative or output_padding is not less than the stride
 *  Source:   Zeiler, Krishnan, Taylor, Fergus 2010, Deconvolutional networks */
TG_SITED(tg_tensor, tg_conv_transpose1d, tg_tensor x, tg_tensor w, tg_conv_config config);
#define tg_conv_transpose1d(...) tg_conv_transpose1d_at(TG_HERE, __VA_ARGS__)

/* tg_conv_transpose2d: the transpose of tg_conv2d as a linear map of its x: it makes images larger.
 *    y[n, c, i] = sum of w[o, c, k] x[n, o, p] over o and all p, k with p stride + k dilation - padding = i
 *  Shapes:   x (N, O, H, W), w (O, C / groups, KH, KW) -> y (N, C, H', W'), each as in tg_conv_transpose1d
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the convolution of g with w, dw = sum over n and p of x g
 *  Errors:   as tg_conv_transpose1d
 *  Source:   Zeiler, Krishnan, Taylor, Fergus 2010, Deconvolutional networks */
TG_SITED(tg_tensor, tg_conv_transpose2d, tg_tensor x, tg_tensor w, tg_conv_config config);
#define tg_conv_transpose2d(...) tg_conv_transpose2d_at(TG_HERE, __VA_ARGS__)

/* tg_conv_transpose3d: the transpose of tg_conv3d as a linear map of its x.
 *    y[n, c, i] = sum of w[o, c, k] x[n, o, p] over o and all p, k with p stride + k dilation - padding = i
 *  Shapes:   x (N, O, D, H, W), w (O, C / groups, KD, KH, KW) -> y (N, C, D', H', W'), each as in tg_conv_transpose1d
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes
 *  Gradient: dx = the convolution of g with w, dw = sum over n and p of x g
 *  Errors:   as tg_conv_transpose1d
 *  Source:   Zeiler, Krishnan, Taylor, Fergus 2010, Deconvolutional networks */
TG_SITED(tg_tensor, tg_conv_transpose3d, tg_tensor x, tg_tensor w, tg_conv_config config);
#define tg_conv_transpose3d(...) tg_conv_transpose3d_at(TG_HERE, __VA_ARGS__)

/* tg_ctc: the negative log-likelihood of labels that are shorter than the sequence, over all ways to align them: a path gives
 *  a class or the blank at each step, and reads as its classes without repetitions and then without blanks.
 *    each = -log(sum over the paths that read as the labels of the product of p along the path)
 *  Shapes:   log_p (T, N, C), T >= 1 (tg_log_softmax), labels (N, S), log_p_length (N), in [1, T], label_length (N), in [0, S]
 *            -> y (), or (N) with TG_REDUCE_NONE. What is beyond the lengths does not count. The mean is over the sequences,
 *            not divided by their lengths
 *  Dtypes:   log_p f32, f64; labels and lengths i64
 *  Gradient: dlog_p = -g (the probability of being there at that step, given the labels); 0 where labels cannot be aligned
 *            and the loss is infinity. (PyTorch's takes log_p for a tg_log_softmax and gives the gradient of its logits;
 *            its mean divides each loss by the label_length)
 *  Errors:   TG_ESHAPE if the shapes do not fit or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG if
 *            blank is no class; when run, TG_EINDEX if a label is no class or a label_length is above S
 *  Source:   Graves, Fernandez, Gomez, Schmidhuber 2006, Connectionist temporal classification, section 4.1 */
TG_SITED(tg_tensor, tg_ctc,
    tg_tensor log_p, tg_tensor labels, tg_tensor log_p_length, tg_tensor label_length, int64_t blank, tg_reduction r);
#define tg_ctc(...) tg_ctc_at(TG_HERE, __VA_ARGS__)

/* tg_qr: orthonormal columns times an upper triangle whose diagonal is not negative; the reduced form. q or r may be NULL.
 *    A = Q R, Q^T Q = I
 *  Shapes:   A (..., m, n) -> Q (..., m, k), R (..., k, n), k = min(m, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: for m >= n dA = (dQ + Q C) R^-T, C the lower triangle of R dR^T - dQ^T Q mirrored to the upper one; for m < n that
 *            of the first m columns, and Q dV for the others; TG_EARG when run if a diagonal of R has a 0
 *  Errors:   TG_ESHAPE if A is no matrix; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run, TG_EARG for NaN
 *            and infinity
 *  Source:   LAPACK's geqrf, orgqr; Walter, Lehmann 2010, arXiv:1001.1654; Roberts, Roberts 2020, arXiv:2009.10071 */
TG_SITED(tg_status, tg_qr, tg_tensor a, tg_tensor *q, tg_tensor *r);
#define tg_qr(...) tg_qr_at(TG_HERE, __VA_ARGS__)

/* tg_eigh: eigenvalues, rising, and eigenvectors, the columns of V, of symmetric matrices. The mean of A and its transpose is
 *  what is decomposed. Of each eigenvector the element of largest absolute value is positive. w or vectors may be NULL.
 *    (A + A^T) / 2 = V diag(w) V^T
 *  Shapes:   A (..., n, n) -> w (..., n), V (..., n, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = the symmetric part of V (diag(dw) + F * (V^T dV)) V^T, F_ij = 1 / (w_j - w_i), and 0 on the diagonal and for
 *            equal eigenvalues. Eigenvectors of equal eigenvalues have no derivative: only what does not depend on their
 *            choice, such as the sum of the eigenvalues or V f(w) V^T, has a right gradient there; for nearly equal ones it
 *            is large
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run,
 *            TG_EARG for NaN and infinity
 *  Source:   LAPACK's syev; Giles 2008, Collected matrix derivative results for forward and reverse mode, section 3.1 */
TG_SITED(tg_status, tg_eigh, tg_tensor a, tg_tensor *w, tg_tensor *vectors);
#define tg_eigh(...) tg_eigh_at(TG_HERE, __VA_ARGS__)

/* tg_svd: the singular values of matrices, falling, and their singular vectors, the columns of U and rows of V^T; the reduced
 *  form. Of each column of U the element of largest absolute value is positive. u, s and vt may be NULL.
 *    A = U diag(s) V^T
 *  Shapes:   A (..., m, n) -> U (..., m, k), s (..., k), V^T (..., k, n), k = min(m, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = (U (K(U^T dU) S + S K(V^T dV) + diag(ds)) + (I - U U^T) dU S^-1) V^T + U S^-1 dV^T (I - V V^T), with
 *            K(X) = F * (X - X^T), F_ij = 1 / (s_j^2 - s_i^2), and 0 on the diagonal and for equal singular values: their
 *            vectors have no derivative, and only what does not depend on their choice has a right gradient. The gradient of
 *            the vectors of a rectangular matrix divides by s: not finite where one is 0
 *  Errors:   TG_ESHAPE if A is no matrix; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run, TG_EARG for NaN
 *            and infinity
 *  Source:   LAPACK's gesdd; Giles 2008, section 3.2; Townsend 2016; Seeger et al. 2017, arXiv:1710.08717 */
TG_SITED(tg_status, tg_svd, tg_tensor a, tg_tensor *u, tg_tensor *s, tg_tensor *vt);
#define tg_svd(...) tg_svd_at(TG_HERE, __VA_ARGS__)

/* tg_diagonal: a diagonal of matrices: the main one with offset 0, above it with offset > 0, below it with offset < 0. A view:
 *  no memory is used.
 *    y[..., i] = x[..., i, i + offset]
 *  Shapes:   x (..., m, n) -> y (..., elements of the diagonal), 0 of them outside the matrix
 *  Dtypes:   every dtype
 *  Gradient: dx = g on the diagonal, else 0
 *  Errors:   TG_ESHAPE if the rank is less than 2
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_diagonal, tg_tensor x, int64_t offset);
#define tg_diagonal(...) tg_diagonal_at(TG_HERE, __VA_ARGS__)

/* tg_diag: square matrices with x on a diagonal and zeros elsewhere: the transpose of tg_diagonal.
 *    y[..., i, i + offset] = x[..., i], else 0
 *  Shapes:   x (..., n) -> y (..., n + |offset|, n + |offset|)
 *  Dtypes:   every dtype
 *  Gradient: dx = the diagonal of g
 *  Errors:   TG_ESHAPE if x has rank 0 or 8
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_diag, tg_tensor x, int64_t offset);
#define tg_diag(...) tg_diag_at(TG_HERE, __VA_ARGS__)

/* tg_tril: the lower triangles of matrices, up to a diagonal. What is above counts as nothing, NaN included.
 *    y[..., i, j] = x[..., i, j] if j - i <= offset, else 0
 *  Shapes:   x (..., m, n) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = the lower triangle of g
 *  Errors:   TG_ESHAPE if the rank is less than 2
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_tril, tg_tensor x, int64_t offset);
#define tg_tril(...) tg_tril_at(TG_HERE, __VA_ARGS__)

/* tg_triu: the upper triangles of matrices, from a diagonal on. What is below counts as nothing, NaN included.
 *    y[..., i, j] = x[..., i, j] if j - i >= offset, else 0
 *  Shapes:   x (..., m, n) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = the upper triangle of g
 *  Errors:   TG_ESHAPE if the rank is less than 2
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_triu, tg_tensor x, int64_t offset);
#define tg_triu(...) tg_triu_at(TG_HERE, __VA_ARGS__)

/* tg_eye: ones on the main diagonal, zeros elsewhere: with equal sizes the identity matrix.
 *    y[i, j] = 1 if i = j, else 0
 *  Shapes:   y (rows, columns)
 *  Dtypes:   every dtype
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if rows or columns is negative; TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_eye, tg_tape *t, int64_t rows, int64_t columns, tg_dtype dtype);
#define tg_eye(...) tg_eye_at(TG_HERE, __VA_ARGS__)

/* tg_masked_fill: x with a number where the mask is true. The number is data: a new one makes no new plan.
 *    y = value where mask, else x
 *  Shapes:   x (any), mask broadcasts to x -> y as x
 *  Dtypes:   x every dtype; mask bool
 *  Gradient: dx = g where the mask is false, else 0
 *  Errors:   TG_EDTYPE if the mask is not bool; TG_ESHAPE if it does not broadcast to x
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_masked_fill, tg_tensor x, tg_tensor mask, double value);
#define tg_masked_fill(...) tg_masked_fill_at(TG_HERE, __VA_ARGS__)

/* tg_nonzero_max: where x is not 0, or true, in row-major order: max rows, the rest filled with -1. Nothing runs: the shape
 *  does not depend on values. count, if not NULL, receives a tensor: how many there are, which may be more than max.
 *    y[k] = place of the k-th element of x that is not 0, -1 after the last
 *  Shapes:   x (any) -> y (max, rank of x), count ()
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if max < 0
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_nonzero_max, tg_tensor x, int64_t max, tg_tensor *count);
#define tg_nonzero_max(...) tg_nonzero_max_at(TG_HERE, __VA_ARGS__)

/* tg_nonzero: where x is not 0, or true, in row-major order. The shape depends on values, so x runs at once.
 *    y[k] = place of the k-th element of x that is not 0
 *  Shapes:   x (any) -> y (number of such elements, rank of x)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   those of running x
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_nonzero, tg_tensor x);
#define tg_nonzero(...) tg_nonzero_at(TG_HERE, __VA_ARGS__)

/* tg_masked_select_max: the elements of x where the mask is true, in row-major order: max of them; missing ones are `fill`.
 *  Nothing runs: the shape does not depend on values. How many there are: tg_sum(tg_cast(mask, TG_I64), ...).
 *    y[k] = the k-th element of x where mask is true, fill after the last
 *  Shapes:   x and mask broadcast -> y (max)
 *  Dtypes:   x every dtype; mask bool
 *  Gradient: dx = g at the elements that were selected, else 0
 *  Errors:   TG_EDTYPE if the mask is not bool; TG_ESHAPE if the shapes do not broadcast; TG_EARG if max < 0
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_masked_select_max, tg_tensor x, tg_tensor mask, int64_t max, double fill);
#define tg_masked_select_max(...) tg_masked_select_max_at(TG_HERE, __VA_ARGS__)

/* tg_masked_select: the elements of x where the mask is true, in row-major order. The shape depends on values, so the mask
 *  runs at once; x does not.
 *    y[k] = the k-th element of x where mask is true
 *  Shapes:   x and mask broadcast -> y (number of true elements)
 *  Dtypes:   x every dtype; mask bool
 *  Gradient: dx = g at the elements that were selected, else 0
 *  Errors:   TG_EDTYPE if the mask is not bool; TG_ESHAPE if the shapes do not broadcast; those of running the mask
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_masked_select, tg_tensor x, tg_tensor mask);
#define tg_masked_select(...) tg_masked_select_at(TG_HERE, __VA_ARGS__)

/* tg_unique_max: the different elements of x from the smallest to the largest: max of them; missing ones are `fill`. Nothing
 *  runs: the shape does not depend on values. -0 equals 0; each NaN counts as an element of its own, at the end.
 *    y = the different elements of x in order, fill after the last
 *  Shapes:   x (any) -> y (max)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the first of equal elements, 0 at the others
 *  Errors:   TG_EARG if max < 0
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_unique_max, tg_tensor x, int64_t max, double fill);
#define tg_unique_max(...) tg_unique_max_at(TG_HERE, __VA_ARGS__)

/* tg_unique: the different elements of x from the smallest to the largest. The shape depends on values, so x runs at once.
 *  -0 equals 0; each NaN counts as an element of its own, at the end.
 *    y = the different elements of x in order
 *  Shapes:   x (any) -> y (number of different elements)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the first of equal elements, 0 at the others
 *  Errors:   those of running x
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_unique, tg_tensor x);
#define tg_unique(...) tg_unique_at(TG_HERE, __VA_ARGS__)

/* tg_unique_inverse: for each element of x its position in tg_unique(x). How often each one stands in x:
 *  tg_scatter_add(zeros, 0, y, ones) of the flattened y.
 *    y = which of the different elements each element of x is
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_ESTALE and TG_EARG for a bad handle
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_unique_inverse, tg_tensor x);
#define tg_unique_inverse(...) tg_unique_inverse_at(TG_HERE, __VA_ARGS__)

/* tg_einsum: sums of products in index notation: a term of letters for each operand, one letter per axis, commas between them,
 *  then -> and the letters of the result. Indices that the result does not have are summed over. An index twice in one term
 *  takes the diagonal. An ellipsis stands for axes that are not named; they broadcast. Without -> the result has the axes under
 *  the ellipsis, then the letters that stand once, by the alphabet (capitals first). Operands are contracted in pairs: up to 8
 *  in the order of least work, more by the cheapest pair first until 8 are left.
 *    tg_einsum("bij,bjk->bik", xs, 2): a product of batches of matrices
 *  Shapes:   n of any rank, 1 <= n <= 32; axes of one letter have one size, or size 1 -> y, as the result says
 *  Dtypes:   f32, f64, the same for all
 *  Gradient: that of the products and sums it is recorded as: of any order
 *  Errors:   TG_EARG for notation that says nothing, or n out of range; TG_ESHAPE if ranks or sizes do not fit, or a product
 *            has more than 8 axes; TG_EDTYPE for other dtypes
 *  Source:   Einstein 1916, Die Grundlage der allgemeinen Relativitaetstheorie, section 5; the notation of NumPy's einsum */
TG_SITED(tg_tensor, tg_einsum, const char *notation, const tg_tensor *xs, int n);
#define tg_einsum(...) tg_einsum_at(TG_HERE, __VA_ARGS__)

/* tg_exp: e to the power of x.
 *    y = e^x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g y, 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_exp, tg_tensor x);
#define tg_exp(...) tg_exp_at(TG_HERE, __VA_ARGS__)

/* tg_expm1: e to the power of x, minus 1, also exact next to 0.
 *    y = e^x - 1
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g e^x, 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_expm1, tg_tensor x);
#define tg_expm1(...) tg_expm1_at(TG_HERE, __VA_ARGS__)

/* tg_exp2: 2 to the power of x.
 *    y = 2^x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g y log 2, 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_exp2, tg_tensor x);
#define tg_exp2(...) tg_exp2_at(TG_HERE, __VA_ARGS__)

/* tg_log: the natural logarithm; -infinity for 0, NaN where x < 0.
 *    y = log x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / x, 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_log, tg_tensor x);
#define tg_log(...) tg_log_at(TG_HERE, __VA_ARGS__)

/* tg_log2: the logarithm to base 2; -infinity for 0, NaN where x < 0.
 *    y = log x / log 2
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (x log 2), 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_log2, tg_tensor x);
#define tg_log2(...) tg_log2_at(TG_HERE, __VA_ARGS__)

/* tg_log10: the logarithm to base 10; -infinity for 0, NaN where x < 0.
 *    y = log x / log 10
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (x log 10), 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_log10, tg_tensor x);
#define tg_log10(...) tg_log10_at(TG_HERE, __VA_ARGS__)

/* tg_log1p: the natural logarithm of 1 + x, also exact next to 0.
 *    y = log(1 + x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 + x), 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_log1p, tg_tensor x);
#define tg_log1p(...) tg_log1p_at(TG_HERE, __VA_ARGS__)

/* tg_sin: the sine of x in radians.
 *    y = sin x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g cos x
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_sin, tg_tensor x);
#define tg_sin(...) tg_sin_at(TG_HERE, __VA_ARGS__)

/* tg_cos: the cosine of x in radians.
 *    y = cos x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = -g sin x
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_cos, tg_tensor x);
#define tg_cos(...) tg_cos_at(TG_HERE, __VA_ARGS__)

/* tg_tan: the tangent of x in radians.
 *    y = tan x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g (1 + y^2)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_tan, tg_tensor x);
#define tg_tan(...) tg_tan_at(TG_HERE, __VA_ARGS__)

/* tg_asin: the angle in [-pi/2, pi/2] whose sine is x; NaN where |x| > 1.
 *    y = asin x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 - x^2)^(1/2): infinite at -1 and 1, but 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_asin, tg_tensor x);
#define tg_asin(...) tg_asin_at(TG_HERE, __VA_ARGS__)

/* tg_acos: the angle in [0, pi] whose cosine is x; NaN where |x| > 1.
 *    y = acos x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = -g / (1 - x^2)^(1/2): infinite at -1 and 1, but 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_acos, tg_tensor x);
#define tg_acos(...) tg_acos_at(TG_HERE, __VA_ARGS__)

/* tg_atan: the angle in (-pi/2, pi/2) whose tangent is x.
 *    y = atan x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 + x^2)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_atan, tg_tensor x);
#define tg_atan(...) tg_atan_at(TG_HERE, __VA_ARGS__)

/* tg_atan2: the angle in [-pi, pi] of the point with abscissa b and ordinate a, as C's atan2(a, b).
 *    y = the angle whose tangent is a / b
 *  Shapes:   a, b broadcast -> y
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g b / (a^2 + b^2), db = -g a / (a^2 + b^2), both 0 where a = b = 0
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the dtypes differ or are not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_atan2, tg_tensor a, tg_tensor b);
#define tg_atan2(...) tg_atan2_at(TG_HERE, __VA_ARGS__)

/* tg_sinh: the hyperbolic sine.
 *    y = (e^x - e^-x) / 2
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g cosh x, 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_sinh, tg_tensor x);
#define tg_sinh(...) tg_sinh_at(TG_HERE, __VA_ARGS__)

/* tg_cosh: the hyperbolic cosine.
 *    y = (e^x + e^-x) / 2
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g sinh x, 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_cosh, tg_tensor x);
#define tg_cosh(...) tg_cosh_at(TG_HERE, __VA_ARGS__)

/* tg_tanh: the hyperbolic tangent.
 *    y = (e^x - e^-x) / (e^x + e^-x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g (1 - y^2), from x, so that no digits are lost where y is near 1
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_tanh, tg_tensor x);
#define tg_tanh(...) tg_tanh_at(TG_HERE, __VA_ARGS__)

/* tg_asinh: the inverse of sinh.
 *    y = log(x + (x^2 + 1)^(1/2))
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (x^2 + 1)^(1/2)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_asinh, tg_tensor x);
#define tg_asinh(...) tg_asinh_at(TG_HERE, __VA_ARGS__)

/* tg_acosh: the inverse of cosh; NaN where x < 1.
 *    y = log(x + (x^2 - 1)^(1/2))
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (x^2 - 1)^(1/2): infinite at 1, but 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_acosh, tg_tensor x);
#define tg_acosh(...) tg_acosh_at(TG_HERE, __VA_ARGS__)

/* tg_atanh: the inverse of tanh; infinite at -1 and 1, NaN beyond.
 *    y = log((1 + x) / (1 - x)) / 2
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 - x^2), 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_atanh, tg_tensor x);
#define tg_atanh(...) tg_atanh_at(TG_HERE, __VA_ARGS__)

/* tg_erf: the error function.
 *    y = 2 / sqrt(pi) times the integral of e^(-t^2) from 0 to x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g 2 / sqrt(pi) e^(-x^2)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_erf, tg_tensor x);
#define tg_erf(...) tg_erf_at(TG_HERE, __VA_ARGS__)

/* tg_erfc: 1 less the error function, also exact where that is near 1.
 *    y = 1 - erf x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = -g 2 / sqrt(pi) e^(-x^2)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_erfc, tg_tensor x);
#define tg_erfc(...) tg_erfc_at(TG_HERE, __VA_ARGS__)

/* tg_normal_cdf: the probability that a normal number of mean 0 and deviation 1 is at most x.
 *    y = (1 + erf(x / sqrt(2))) / 2
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g e^(-x^2 / 2) / sqrt(2 pi)
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_normal_cdf, tg_tensor x);
#define tg_normal_cdf(...) tg_normal_cdf_at(TG_HERE, __VA_ARGS__)

/* tg_lgamma: the logarithm of the gamma function's absolute value; infinite at 0, -1, -2, ....
 *    y = log |gamma(x)|
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g digamma(x), 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   DLMF 5.2; the C library's */
TG_SITED(tg_tensor, tg_lgamma, tg_tensor x);
#define tg_lgamma(...) tg_lgamma_at(TG_HERE, __VA_ARGS__)

/* tg_digamma: the derivative of log gamma; infinite at 0, NaN at -1, -2, ....
 *    y = gamma'(x) / gamma(x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g polygamma(x, 1), 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   DLMF 5.2.2; 5.11.2 for large x, 5.5.4 for negative x */
TG_SITED(tg_tensor, tg_digamma, tg_tensor x);
#define tg_digamma(...) tg_digamma_at(TG_HERE, __VA_ARGS__)

/* tg_polygamma: the n-th derivative of digamma. The order is data: a new value makes no new plan. NaN if n > 100, and at
 *  0, -1, -2, ... for even n; infinite there for odd n.
 *    y = d^n/dx^n digamma(x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g polygamma(x, n + 1), 0 where g = 0
 *  Errors:   TG_EDTYPE if x is not f32 or f64; TG_EARG if n < 0
 *  Source:   DLMF 5.15; 25.11.43 for x > 0, 5.15.6 else */
TG_SITED(tg_tensor, tg_polygamma, tg_tensor x, int n);
#define tg_polygamma(...) tg_polygamma_at(TG_HERE, __VA_ARGS__)

/* tg_gather: takes elements along an axis by their numbers, as many times as they stand in index: rows of an embedding.
 *    y[..., i..., ...] = x[..., index[i...], ...]
 *  Shapes:   x (..., n, ...), index (any) -> y (..., index's shape, ...)
 *  Dtypes:   x every dtype; index i64 or i32
 *  Gradient: dx = sum of g over the places where an element was taken to
 *  Errors:   TG_EARG if the axis is out of range; TG_EDTYPE if index is not i64 or i32; when run, TG_EINDEX if an index is not
 *            in [0, n): negative numbers do not count from the end
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_gather, tg_tensor x, int64_t axis, tg_tensor index);
#define tg_gather(...) tg_gather_at(TG_HERE, __VA_ARGS__)

/* tg_index_select: takes slices along an axis by their numbers: tg_gather of a vector of numbers.
 *    y[..., i, ...] = x[..., index[i], ...]
 *  Shapes:   x (..., n, ...), index (m) -> y (..., m, ...)
 *  Dtypes:   x every dtype; index i64 or i32
 *  Gradient: dx = sum of g over the places where a slice was taken to, in their order
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if index has not rank 1; TG_EDTYPE if it is not i64 or i32; when
 *            run, TG_EINDEX if an index is not in [0, n)
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_index_select, tg_tensor x, int64_t axis, tg_tensor index);
#define tg_index_select(...) tg_index_select_at(TG_HERE, __VA_ARGS__)

/* tg_embedding: the rows of a weight that belong to words: tg_gather along axis 0. A word outside of the table is an error.
 *    y[i..., ...] = weight[index[i...], ...]
 *  Shapes:   weight (words, ...), index (any) -> y (index's shape, ...)
 *  Dtypes:   weight every dtype; index i64 or i32
 *  Gradient: dweight = sum of g over the places of each word, in their order
 *  Errors:   TG_EDTYPE if index is not i64 or i32; TG_EARG if weight has rank 0; when run, TG_EINDEX if an index is not in
 *            [0, words)
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_embedding, tg_tensor weight, tg_tensor index);
#define tg_embedding(...) tg_embedding_at(TG_HERE, __VA_ARGS__)

/* tg_one_hot: rows with a single one, at the place that index says; all zeros where index is not in [0, n).
 *    y[..., c] = 1 where index = c, else 0
 *  Shapes:   index (...) -> y (..., n)
 *  Dtypes:   index i64 or i32 -> dtype
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if index is not i64 or i32, or dtype is none; TG_EARG if n < 0
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_one_hot, tg_tensor index, int64_t n, tg_dtype dtype);
#define tg_one_hot(...) tg_one_hot_at(TG_HERE, __VA_ARGS__)

/* tg_concat: n tensors side by side along an axis that they have.
 *    y = inputs side by side along an axis
 *  Shapes:   n of (..., m_i, ...), all else equal -> y (..., sum of m_i, ...)
 *  Dtypes:   every dtype, the same for all
 *  Gradient: dx_i = its part of g
 *  Errors:   TG_ESHAPE if ranks or other dimensions differ; TG_EDTYPE if dtypes differ; TG_EARG if the axis is out of range or
 *            n < 1
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_concat, const tg_tensor *xs, int n, int64_t axis);
#define tg_concat(...) tg_concat_at(TG_HERE, __VA_ARGS__)

/* tg_stack: n tensors of one shape side by side along a new axis, which is counted in the result.
 *    y = inputs side by side along a new axis
 *  Shapes:   n of (...) -> y of a rank more, n along the axis
 *  Dtypes:   every dtype, the same for all
 *  Gradient: dx_i = its part of g
 *  Errors:   TG_ESHAPE if shapes differ; TG_EDTYPE if dtypes differ; TG_EARG if the axis is out of range or n < 1
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_stack, const tg_tensor *xs, int n, int64_t axis);
#define tg_stack(...) tg_stack_at(TG_HERE, __VA_ARGS__)

/* tg_mse: the mean squared difference of two tensors of one shape.
 *    y = mean of (a - b)^2
 *  Shapes:   a, b (the same, at least one element) -> y ()
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = 2 g (a - b) / (number of elements), db = -da
 *  Errors:   TG_ESHAPE if the shapes differ (there is no broadcasting) or have no elements; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_mse, tg_tensor a, tg_tensor b);
#define tg_mse(...) tg_mse_at(TG_HERE, __VA_ARGS__)

/* tg_mse_with: tg_mse with a weight, a mask or another reduction.
 *    each = (a - b)^2
 *  Shapes:   a, b (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: da = 2 g (a - b), weighted and divided as the loss; db = -da
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_mse_with, tg_tensor a, tg_tensor b, tg_loss_options options);
#define tg_mse_with(...) tg_mse_with_at(TG_HERE, __VA_ARGS__)

/* tg_mae: the mean absolute difference of two tensors of one shape.
 *    each = |a - b|
 *  Shapes:   a, b (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: da = g sign(a - b), so 0 where a = b, weighted and divided as the loss; db = -da
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_mae, tg_tensor a, tg_tensor b, tg_loss_options options);
#define tg_mae(...) tg_mae_at(TG_HERE, __VA_ARGS__)

/* tg_huber: quadratic for small differences, linear for large ones.
 *    each = d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2); d = a - b
 *  Shapes:   a, b (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: da = g d clipped to [-delta, delta], weighted and divided as the loss; db = -da
 *  Errors:   TG_EARG if delta is not positive, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Huber 1964, Robust estimation of a location parameter */
TG_SITED(tg_tensor, tg_huber, tg_tensor a, tg_tensor b, double delta, tg_loss_options options);
#define tg_huber(...) tg_huber_at(TG_HERE, __VA_ARGS__)

/* tg_smooth_l1: the absolute difference with a rounded corner: tg_huber divided by its delta. For beta = 0 use tg_mae.
 *    each = d^2 / (2 beta) where |d| <= beta, else |d| - beta / 2; d = a - b
 *  Shapes:   a, b (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: da = g (d clipped to [-beta, beta]) / beta, weighted and divided as the loss; db = -da
 *  Errors:   TG_EARG if beta is not positive, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Girshick 2015, Fast R-CNN, equation 3 */
TG_SITED(tg_tensor, tg_smooth_l1, tg_tensor a, tg_tensor b, double beta, tg_loss_options options);
#define tg_smooth_l1(...) tg_smooth_l1_at(TG_HERE, __VA_ARGS__)

/* tg_poisson_nll: the negative log-likelihood of counts under the Poisson distribution, from the logarithm of its rate. The
 *  term log t!, which does not depend on the rate, is left out.
 *    each = e^log_rate - count log_rate
 *  Shapes:   log_rate, count (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dlog_rate = g (e^log_rate - count), weighted and divided as the loss; dcount = -g log_rate
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary: the Poisson distribution */
TG_SITED(tg_tensor, tg_poisson_nll, tg_tensor log_rate, tg_tensor count, tg_loss_options options);
#define tg_poisson_nll(...) tg_poisson_nll_at(TG_HERE, __VA_ARGS__)

/* tg_gaussian_nll: the negative log-likelihood of targets under normal distributions of given mean and variance. The term
 *  log(2 pi) / 2 is left out. Variances below `least` count as `least`, and get no gradient.
 *    each = (log v + (mean - target)^2 / v) / 2, v = max(variance, least)
 *  Shapes:   mean, target, variance (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: with d = mean - target: dmean = g d / v, dtarget = -dmean, dvariance = g (1 - d^2 / v) / (2 v) where
 *            variance >= least, else 0; weighted and divided as the loss
 *  Errors:   TG_EARG if least is not positive, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Nix, Weigend 1994, Estimating the mean and variance of the target probability distribution */
TG_SITED(tg_tensor, tg_gaussian_nll,
    tg_tensor mean, tg_tensor target, tg_tensor variance, double least, tg_loss_options options);
#define tg_gaussian_nll(...) tg_gaussian_nll_at(TG_HERE, __VA_ARGS__)

/* tg_cross_entropy_with: tg_cross_entropy with class weights, label smoothing, an ignored label, weights, masks or another
 *  reduction. Labels of what does not count need not be classes.
 *    each = (1 - s) w[label] (-log p[label]) + s / C (sum over the classes of w (-log p)), p = softmax(logits), s the smoothing
 *  Shapes:   logits (..., C), C >= 1, labels (...) -> y (), or that of the labels with TG_REDUCE_NONE
 *  Dtypes:   logits and weights f32, f64; labels i64, i32
 *  Gradient: dlogits = (p - one_hot(labels)) g without smoothing and weights; the mean with class weights is divided by the sum
 *            of w[label]
 *  Errors:   TG_ESHAPE if the shapes do not fit or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG
 *            for a smoothing out of [0, 1]; when run, TG_EINDEX if a label that counts is not in [0, C)
 *  Source:   Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2016, Rethinking the Inception architecture, section 7 (smoothing) */
TG_SITED(tg_tensor, tg_cross_entropy_with, tg_tensor logits, tg_tensor labels, tg_loss_options options);
#define tg_cross_entropy_with(...) tg_cross_entropy_with_at(TG_HERE, __VA_ARGS__)

/* tg_nll: the negative log-likelihood of labels, from log-probabilities (tg_log_softmax).
 *    each = -w[label] log_p[label]
 *  Shapes:   log_p (..., C), C >= 1, labels (...) -> y (), or that of the labels with TG_REDUCE_NONE
 *  Dtypes:   log_p and weights f32, f64; labels i64, i32
 *  Gradient: dlog_p = -w[label] g at the labels, else 0; the mean with class weights is divided by the sum of w[label]
 *  Errors:   TG_ESHAPE if the shapes do not fit or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG
 *            for options that this loss has no use for; when run, TG_EINDEX if a label that counts is not in [0, C)
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_nll, tg_tensor log_p, tg_tensor labels, tg_loss_options options);
#define tg_nll(...) tg_nll_at(TG_HERE, __VA_ARGS__)

/* tg_focal: cross-entropy that counts rows less which are already right. gamma = 0 is tg_cross_entropy_with, bit for bit.
 *    each = -w[label] (1 - p[label])^gamma log p[label], p = softmax(logits)
 *  Shapes:   logits (..., C), C >= 1, labels (...) -> y (), or that of the labels with TG_REDUCE_NONE
 *  Dtypes:   logits and weights f32, f64; labels i64, i32
 *  Gradient: dlogits = g w[label] (m^gamma - gamma m^(gamma - 1) p[label] log p[label]) (p - one_hot(labels)), m = 1 -
 *            p[label], which counts as 1e-18 where it is less, and is constant there
 *  Errors:   TG_EARG if gamma < 0, or for options that this loss has no use for; TG_ESHAPE if the shapes do not fit or there is
 *            nothing to take the mean of; TG_EDTYPE for other dtypes; when run, TG_EINDEX if a label that counts is no class
 *  Source:   Lin, Goyal, Girshick, He, Dollar 2017, Focal loss for dense object detection, equations 4 and 5 */
TG_SITED(tg_tensor, tg_focal, tg_tensor logits, tg_tensor labels, double gamma, tg_loss_options options);
#define tg_focal(...) tg_focal_at(TG_HERE, __VA_ARGS__)

/* tg_cross_entropy_soft: cross-entropy with a probability for each class in the place of labels.
 *    each = -(sum over the classes of w p' log(softmax(logits))), p' = (1 - s) p + s / C, s the smoothing
 *  Shapes:   logits, p (..., C), the same, C >= 1 -> y (), or (...) with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dlogits = (softmax(logits) (sum of w p') - w p') g, dp = -(1 - s) w log(softmax(logits)) g; the mean is over the
 *            rows, also with class weights
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for a
 *            smoothing out of [0, 1] and for options that this loss has no use for
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_SITED(tg_tensor, tg_cross_entropy_soft, tg_tensor logits, tg_tensor p, tg_loss_options options);
#define tg_cross_entropy_soft(...) tg_cross_entropy_soft_at(TG_HERE, __VA_ARGS__)

/* tg_kl: the divergence of the distributions q, given by their logarithm, from the distributions p, along the last axis.
 *    each = sum over the last axis of p (log p - log_q), with p log p = 0 where p = 0
 *  Shapes:   log_q, p (..., C), the same, C >= 1 -> y (), or (...) with TG_REDUCE_NONE. The mean is over the distributions
 *            (elsewhere called "batchmean"), not over their elements
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dlog_q = -p g, dp = (log p + 1 - log_q) g, and -log_q g where p = 0
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   Kullback, Leibler 1951, On information and sufficiency */
TG_SITED(tg_tensor, tg_kl, tg_tensor log_q, tg_tensor p, tg_loss_options options);
#define tg_kl(...) tg_kl_at(TG_HERE, __VA_ARGS__)

/* tg_bce: binary cross-entropy of probabilities. Where p is computed by a sigmoid use tg_bce_with_logits, which is exact
 *  there.
 *    each = -(t log p + (1 - t) log(1 - p)); p is moved into [2^-126, 1 - 2^-24] (f64: [2^-1022, 1 - 2^-53])
 *  Shapes:   p, target (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dp = g (p - t) / (p (1 - p)), 0 where p was moved; dtarget = g (log(1 - p) - log p)
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary: the Bernoulli distribution */
TG_SITED(tg_tensor, tg_bce, tg_tensor p, tg_tensor target, tg_loss_options options);
#define tg_bce(...) tg_bce_at(TG_HERE, __VA_ARGS__)

/* tg_bce_with_logits: binary cross-entropy of sigmoid(logits); no overflow, nothing cancels. options.class_weight is the
 *  weight w of the positive class: it broadcasts to the logits, and does not change what the mean is divided by.
 *    each = w t log(1 + e^-x) + (1 - t) log(1 + e^x)
 *  Shapes:   logits, target (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dlogits = g ((1 - t) sigmoid(x) - w t sigmoid(-x)); for w = 1 that is g (sigmoid(x) - t), and dtarget = -g x
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary: the Bernoulli distribution */
TG_SITED(tg_tensor, tg_bce_with_logits, tg_tensor logits, tg_tensor target, tg_loss_options options);
#define tg_bce_with_logits(...) tg_bce_with_logits_at(TG_HERE, __VA_ARGS__)

/* tg_focal_binary: binary cross-entropy of sigmoid(logits) that counts elements less which are already right. gamma = 0 with
 *  alpha < 0 is tg_bce_with_logits, bit for bit. Positives are weighted by alpha, negatives by 1 - alpha; alpha < 0: neither.
 *    each = -alpha t (1 - p)^gamma log p - (1 - alpha) (1 - t) p^gamma log(1 - p), p = sigmoid(logits)
 *  Shapes:   logits, target (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: with a, b the weights alpha, 1 - alpha and q = 1 - p: dlogits = g (b (1 - t) p^gamma (p - gamma q log q) -
 *            a t q^gamma (q - gamma p log p)); dtarget = g (b p^gamma log q - a q^gamma log p)
 *  Errors:   TG_EARG if gamma < 0 or alpha > 1, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Lin, Goyal, Girshick, He, Dollar 2017, Focal loss for dense object detection, equations 4 and 5 */
TG_SITED(tg_tensor, tg_focal_binary, tg_tensor logits, tg_tensor target, double alpha, double gamma, tg_loss_options options);
#define tg_focal_binary(...) tg_focal_binary_at(TG_HERE, __VA_ARGS__)

/* tg_hinge: the hinge loss of scores, for targets 1 and -1: 0 for scores beyond the margin 1 on the right side.
 *    each = max(1 - target score, 0)
 *  Shapes:   score, target (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dscore = -g target where target score < 1, else 0; dtarget likewise
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   Cortes, Vapnik 1995, Support-vector networks */
TG_SITED(tg_tensor, tg_hinge, tg_tensor score, tg_tensor target, tg_loss_options options);
#define tg_hinge(...) tg_hinge_at(TG_HERE, __VA_ARGS__)

/* tg_cosine_similarity: the cosine of the angle between vectors, along the last axis. Norms below 1e-8 count as 1e-8.
 *    y = a.b / (|a| |b|)
 *  Shapes:   a, b (..., n), the same, n >= 1 -> y (...)
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g (b / |b| - y a / |a|) / |a|, db likewise; norms below 1e-8 are constant
 *  Errors:   TG_ESHAPE if the shapes differ, or have no last axis or one of size 0; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_cosine_similarity, tg_tensor a, tg_tensor b);
#define tg_cosine_similarity(...) tg_cosine_similarity_at(TG_HERE, __VA_ARGS__)

/* tg_cosine: draws alike vectors together and unlike ones apart, by the cosine of their angle (tg_cosine_similarity). A label
 *  above 0 says alike, another unlike. (PyTorch adds 1e-12 to the squares of the norms.)
 *    each = 1 - cos(a, b) where label > 0, else max(cos(a, b) - margin, 0)
 *  Shapes:   a, b (..., n), the same, n >= 1, labels (...) -> y (), or that of the labels with TG_REDUCE_NONE
 *  Dtypes:   a, b f32, f64, the same; labels i64, i32
 *  Gradient: that of tg_cosine_similarity, times -g for alike pairs, g for unlike ones beyond the margin, else 0
 *  Errors:   TG_EARG if margin is not in [-1, 1], or for options that this loss has no use for; TG_ESHAPE if the shapes do not
 *            fit or there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Hadsell, Chopra, LeCun 2006, Dimensionality reduction by learning an invariant mapping (the contrastive form) */
TG_SITED(tg_tensor, tg_cosine, tg_tensor a, tg_tensor b, tg_tensor labels, double margin, tg_loss_options options);
#define tg_cosine(...) tg_cosine_at(TG_HERE, __VA_ARGS__)

/* tg_triplet: draws an anchor nearer to a positive than to a negative, by a margin. Distances are Euclidean, along the last
 *  axis; below 1e-12 they count as 1e-12. (PyTorch adds 1e-6 to each difference instead.)
 *    each = max(|anchor - positive| - |anchor - negative| + margin, 0)
 *  Shapes:   anchor, positive, negative (..., n), the same, n >= 1 -> y (), or (...) with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: unit vectors along the differences, where the loss is positive; 0 for vectors nearer than 1e-12
 *  Errors:   TG_EARG if margin is not positive, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Schroff, Kalenichenko, Philbin 2015, FaceNet, equation 2 (there with squared distances) */
TG_SITED(tg_tensor, tg_triplet,
    tg_tensor anchor, tg_tensor positive, tg_tensor negative, double margin, tg_loss_options options);
#define tg_triplet(...) tg_triplet_at(TG_HERE, __VA_ARGS__)

/* tg_zeros: all zeros. No memory is used, and what is known to be 0 is left out where that changes nothing.
 *    y = 0
 *  Shapes:   y shape
 *  Dtypes:   every dtype
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_zeros, tg_tape *t, tg_shape shape, tg_dtype dtype);
#define tg_zeros(...) tg_zeros_at(TG_HERE, __VA_ARGS__)

/* tg_ones: all ones. No memory is used; a product with it is the other factor.
 *    y = 1
 *  Shapes:   y shape
 *  Dtypes:   every dtype
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_ones, tg_tape *t, tg_shape shape, tg_dtype dtype);
#define tg_ones(...) tg_ones_at(TG_HERE, __VA_ARGS__)

/* tg_full: the same number everywhere. It is data: a new value makes no new plan.
 *    y = value
 *  Shapes:   y shape
 *  Dtypes:   every dtype; whole numbers are exact up to 2^53
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_full, tg_tape *t, tg_shape shape, double value, tg_dtype dtype);
#define tg_full(...) tg_full_at(TG_HERE, __VA_ARGS__)

/* tg_arange: the numbers from 0 to n - 1.
 *    y[i] = i
 *  Shapes:   y (n)
 *  Dtypes:   f32, f64, i32, i64
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if n < 0 or does not fit i32; TG_EDTYPE for another dtype
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_arange, tg_tape *t, int64_t n, tg_dtype dtype);
#define tg_arange(...) tg_arange_at(TG_HERE, __VA_ARGS__)

/* tg_linspace: n numbers from start to stop, equally far apart; both ends are exact. Start and stop are data: new ones make no
 *  new plan.
 *    y[i] = start + i (stop - start) / (n - 1)
 *  Shapes:   y (n); n = 1 is start alone
 *  Dtypes:   f32, f64; computed in f64
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if n < 0; TG_EDTYPE for another dtype
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_linspace, tg_tape *t, double start, double stop, int64_t n, tg_dtype dtype);
#define tg_linspace(...) tg_linspace_at(TG_HERE, __VA_ARGS__)

/* tg_matmul: the product of matrices, of batches of them, and of vectors.
 *    y[..., i, j] = sum over k of a[..., i, k] b[..., k, j]
 *  Shapes:   a (..., m, k), b (..., k, n), batch axes broadcast -> y (..., m, n); a vector a (k) is a row and b (k) a column,
 *            whose axis of size 1 is dropped from y
 *  Dtypes:   f32, f64, the same for both; the order of the sum is fixed by the shapes. Where the CPU has AMX, f32 products
 *            with m, n and k of 128 and more run on it, with smaller errors than on f32 units; TG_MATMUL=f32 in the environment
 *            keeps them off it, and TG_MATMUL=bf16 rounds their operands to bf16, 3 digits, for speed
 *  Gradient: da = g b^T, db = a^T g, summed over broadcast axes
 *  Errors:   TG_ESHAPE if inner sizes differ, batch axes do not broadcast, or one is a number; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_matmul, tg_tensor a, tg_tensor b);
#define tg_matmul(...) tg_matmul_at(TG_HERE, __VA_ARGS__)

/* tg_var: the variance over axes: in two passes, so that a large mean costs no digits. The correction is 0 for that of the
 *  elements, 1 for an unbiased estimate from a sample (Bessel).
 *    y = (sum of (x - mean of x)^2 over the axes) / (elements - correction)
 *  Shapes:   x (any, more than `correction` elements in the axes) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g 2 (x - mean) / (elements - correction)
 *  Errors:   TG_EARG if an axis is out of range or stands twice, or correction < 0; TG_ESHAPE if there are not more than
 *            `correction` elements; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_var, tg_tensor x, tg_axes axes, int64_t correction, bool keepdims);
#define tg_var(...) tg_var_at(TG_HERE, __VA_ARGS__)

/* tg_std: the standard deviation over axes: the root of tg_var.
 *    y = square root of (sum of (x - mean of x)^2 over the axes) / (elements - correction)
 *  Shapes:   x (any, more than `correction` elements in the axes) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g (x - mean) / (y (elements - correction)); 0 where y is 0
 *  Errors:   TG_EARG if an axis is out of range or stands twice, or correction < 0; TG_ESHAPE if there are not more than
 *            `correction` elements; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_std, tg_tensor x, tg_axes axes, int64_t correction, bool keepdims);
#define tg_std(...) tg_std_at(TG_HERE, __VA_ARGS__)

/* tg_norm: the p-norm over axes: p = 2 is the length, 1 the sum of absolute values, INFINITY the largest of them, -INFINITY
 *  the smallest, 0 the number of elements that are not 0. Any other p > 0 is data: a new one makes no new plan. Squares may
 *  overflow: there is no scaling.
 *    y = (sum of |x|^p over the axes)^(1/p)
 *  Shapes:   x (any; for p infinite the axes not of size 0) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g |x|^(p-1) sign(x) / y^(p-1); 0 at elements that are 0, also where all are; for p infinite in equal parts to
 *            the elements that are the result; none flows for p = 0
 *  Errors:   TG_EARG if an axis is out of range or stands twice, or p is negative and finite, or a NaN; TG_ESHAPE for
 *            p infinite if an axis has size 0; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_norm, tg_tensor x, double p, tg_axes axes, bool keepdims);
#define tg_norm(...) tg_norm_at(TG_HERE, __VA_ARGS__)

/* tg_logsumexp: the logarithm of the sum of exponentials over axes; no overflow. Of nothing, or of -infinities: -infinity.
 *    y = log(sum of e^x over the axes)
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g e^(x - y); 0 where all elements are -infinity
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_logsumexp, tg_tensor x, tg_axes axes, bool keepdims);
#define tg_logsumexp(...) tg_logsumexp_at(TG_HERE, __VA_ARGS__)

/* tg_layer_norm: normalises each row along the last axis, then scales and shifts. w and b may be (tg_tensor){0}: without.
 *    y = (x - mean(x)) / sqrt(var(x) + eps) * w + b
 *  Shapes:   x (..., C), w (C), b (C) -> y (..., C), C >= 1
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: dx = (g w - mean(g w) - z mean(g w z)) / sqrt(var(x) + eps), dw = sum of g z, db = sum of g; z the normalised x
 *  Errors:   TG_ESHAPE if x has no last axis or w or b is not (C); TG_EARG if eps is not positive, or for b without w;
 *            TG_EDTYPE for other dtypes
 *  Source:   Ba, Kiros, Hinton 2016, Layer normalization, arXiv:1607.06450, eq. 4 */
TG_SITED(tg_tensor, tg_layer_norm, tg_tensor x, tg_tensor w, tg_tensor b, double eps);
#define tg_layer_norm(...) tg_layer_norm_at(TG_HERE, __VA_ARGS__)

/* tg_rms_norm: divides each row along the last axis by its root mean square, then scales. w may be (tg_tensor){0}: without.
 *    y = x / sqrt(mean(x^2) + eps) * w
 *  Shapes:   x (..., C), w (C) -> y (..., C), C >= 1
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: dx = (g w - z mean(g w z)) / sqrt(mean(x^2) + eps), dw = sum of g z; z the normalised x
 *  Errors:   TG_ESHAPE if x has no last axis or w is not (C); TG_EARG if eps is not positive; TG_EDTYPE for other dtypes
 *  Source:   Zhang, Sennrich 2019, Root mean square layer normalization, arXiv:1910.07467, eq. 4 */
TG_SITED(tg_tensor, tg_rms_norm, tg_tensor x, tg_tensor w, double eps);
#define tg_rms_norm(...) tg_rms_norm_at(TG_HERE, __VA_ARGS__)

/* tg_batch_norm: normalises each channel over the batch, then scales and shifts: for training. stats is NULL or has room for
 *  two handles: mean and variance of the batch (divided by its size, not by one less); a layer keeps running averages of them
 *  for inference.
 *    y = (x - mean) / sqrt(variance + eps) * w + b
 *  Shapes:   x (N, C, any), w (C), b (C) -> y (N, C, any); stats (C), (C)
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: dx = w (g - mean(g) - z mean(g z)) / sqrt(variance + eps), dw = sum of g z, db = sum of g; z the normalised x
 *  Errors:   TG_ESHAPE if x has rank less than 2, the batch is empty, or w or b is not (C); TG_EARG if eps is not positive;
 *            TG_EDTYPE for other dtypes
 *  Source:   Ioffe, Szegedy 2015, Batch normalization, arXiv:1502.03167, algorithm 1 */
TG_SITED(tg_tensor, tg_batch_norm, tg_tensor x, tg_tensor w, tg_tensor b, double eps, tg_tensor *stats);
#define tg_batch_norm(...) tg_batch_norm_at(TG_HERE, __VA_ARGS__)

/* tg_group_norm: cuts the channels of each example into groups and normalises each group, then scales and shifts each
 *  channel. One channel a group is instance normalisation (tg_instance_norm). w and b may be (tg_tensor){0}: without.
 *    y = (x - mean(x)) / sqrt(var(x) + eps) * w + b, the mean and variance over a group of channels and all after them
 *  Shapes:   x (N, C, any), w (C), b (C), C a multiple of groups -> y (N, C, any)
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: that of tg_layer_norm over a group; dw = sum of g z, db = sum of g over all but the channels
 *  Errors:   TG_EARG if groups does not divide C or eps is not positive; TG_ESHAPE if x has rank less than 2, a group is
 *            empty, or w or b does not fit; TG_EDTYPE for other dtypes
 *  Source:   Wu, He 2018, Group normalization, arXiv:1803.08494, eq. 1 and 7 */
TG_SITED(tg_tensor, tg_group_norm, tg_tensor x, int64_t groups, tg_tensor w, tg_tensor b, double eps);
#define tg_group_norm(...) tg_group_norm_at(TG_HERE, __VA_ARGS__)

/* tg_instance_norm: normalises each channel of each example, then scales and shifts it. w and b may be (tg_tensor){0}.
 *    y = (x - mean(x)) / sqrt(var(x) + eps) * w + b, the mean and variance over the axes after the channels'
 *  Shapes:   x (N, C, any), w (C), b (C) -> y (N, C, any)
 *  Dtypes:   f32, f64, the same for all; sums of 1,024 elements in the dtype, of those in f64
 *  Gradient: that of tg_group_norm with C groups
 *  Errors:   those of tg_group_norm
 *  Source:   Ulyanov, Vedaldi, Lempitsky 2016, Instance normalization, arXiv:1607.08022, eq. 4 */
TG_SITED(tg_tensor, tg_instance_norm, tg_tensor x, tg_tensor w, tg_tensor b, double eps);
#define tg_instance_norm(...) tg_instance_norm_at(TG_HERE, __VA_ARGS__)

/* tg_pad: adds p.before[i] and p.after[i] elements at the ends of axis i. TG_PAD_CONSTANT, the default, adds p.value (0 by
 *  default); TG_PAD_REFLECT mirrors x at its first and last element, without repeating those; TG_PAD_REPLICATE repeats them;
 *  TG_PAD_CIRCULAR goes on at the other end. The value is data: a new one makes no new plan, but for 0.
 *    y = x with elements added at the ends of its axes
 *  Shapes:   x (n_0, n_1, ...) -> y (before[0] + n_0 + after[0], ...); TG_PAD_REFLECT adds less than n at an end,
 *            TG_PAD_CIRCULAR at most n
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of g over the places where an element stands
 *  Errors:   TG_EARG if a size is negative or too large for the mode, or there is no such mode; TG_ESHAPE if the result is too
 *            large
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_pad, tg_tensor x, tg_padding p);
#define tg_pad(...) tg_pad_at(TG_HERE, __VA_ARGS__)

/* tg_max_pool: the largest element of each window, along 1 to 3 spatial axes. A NaN in a window is its largest element.
 *    y[n, c, i] = max of x[n, c] over window i, which begins at i stride - padding
 *  Shapes:   x (N, C, L...) -> y (N, C, (L + 2 padding - kernel) / stride + 1, ...)
 *  Dtypes:   f32, f64
 *  Gradient: each g goes to the first largest element of its window
 *  Errors:   TG_ESHAPE if x has no or more than 3 spatial axes or a window does not fit; TG_EARG if a kernel or a stride is not
 *            positive or a padding not less than the kernel; TG_EDTYPE for other dtypes
 *  Source:   Scherer, Mueller, Behnke 2010, Evaluation of pooling operations in convolutional architectures */
TG_SITED(tg_tensor, tg_max_pool, tg_tensor x, tg_pool_config config);
#define tg_max_pool(...) tg_max_pool_at(TG_HERE, __VA_ARGS__)

/* tg_avg_pool: the mean of each window, along 1 to 3 spatial axes; padding counts as zeros unless config.skip_padding.
 *    y[n, c, i] = mean of x[n, c] over window i, which begins at i stride - padding
 *  Shapes:   x (N, C, L...) -> y (N, C, (L + 2 padding - kernel) / stride + 1, ...)
 *  Dtypes:   f32, f64
 *  Gradient: dx[n, c, p] = sum of g[n, c, i] / (size of the window) over the windows i that hold p
 *  Errors:   as tg_max_pool
 *  Source:   LeCun, Bottou, Bengio, Haffner 1998, Gradient-based learning applied to document recognition, section II */
TG_SITED(tg_tensor, tg_avg_pool, tg_tensor x, tg_pool_config config);
#define tg_avg_pool(...) tg_avg_pool_at(TG_HERE, __VA_ARGS__)

/* tg_adaptive_max_pool: tg_max_pool whose windows are chosen so that the result has the given spatial size.
 *    y[n, c, i] = max of x[n, c] over the elements from floor(i L / size) to ceil((i + 1) L / size), not included
 *  Shapes:   x (N, C, L...), size (one number per spatial axis) -> y (N, C, size...)
 *  Dtypes:   f32, f64
 *  Gradient: each g goes to the first largest element of its window
 *  Errors:   TG_ESHAPE if size has not one number per spatial axis or x is empty there; TG_EARG if a size is not positive;
 *            TG_EDTYPE for other dtypes
 *  Source:   He, Zhang, Ren, Sun 2014, Spatial pyramid pooling in deep convolutional networks, arXiv:1406.4729, section 2.3 */
TG_SITED(tg_tensor, tg_adaptive_max_pool, tg_tensor x, tg_shape size);
#define tg_adaptive_max_pool(...) tg_adaptive_max_pool_at(TG_HERE, __VA_ARGS__)

/* tg_adaptive_avg_pool: tg_avg_pool whose windows are chosen so that the result has the given spatial size.
 *    y[n, c, i] = mean of x[n, c] over the elements from floor(i L / size) to ceil((i + 1) L / size), not included
 *  Shapes:   x (N, C, L...), size (one number per spatial axis) -> y (N, C, size...)
 *  Dtypes:   f32, f64
 *  Gradient: dx[n, c, p] = sum of g[n, c, i] / (size of the window) over the windows i that hold p
 *  Errors:   as tg_adaptive_max_pool
 *  Source:   He, Zhang, Ren, Sun 2014, Spatial pyramid pooling in deep convolutional networks, arXiv:1406.4729, section 2.3 */
TG_SITED(tg_tensor, tg_adaptive_avg_pool, tg_tensor x, tg_shape size);
#define tg_adaptive_avg_pool(...) tg_adaptive_avg_pool_at(TG_HERE, __VA_ARGS__)

/* tg_global_avg_pool: the mean over all spatial axes, which go.
 *    y[n, c] = mean of x[n, c, ...]
 *  Shapes:   x (N, C, any) -> y (N, C)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (number of elements of a channel)
 *  Errors:   those of tg_mean
 *  Source:   Lin, Chen, Yan 2013, Network in network, arXiv:1312.4400, section 3.2 */
TG_SITED(tg_tensor, tg_global_avg_pool, tg_tensor x);
#define tg_global_avg_pool(...) tg_global_avg_pool_at(TG_HERE, __VA_ARGS__)

/* tg_global_max_pool: the maximum over all spatial axes, which go.
 *    y[n, c] = max of x[n, c, ...]
 *  Shapes:   x (N, C, any, not of size 0) -> y (N, C)
 *  Dtypes:   those of tg_max
 *  Gradient: that of tg_max
 *  Errors:   those of tg_max
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_global_max_pool, tg_tensor x);
#define tg_global_max_pool(...) tg_global_max_pool_at(TG_HERE, __VA_ARGS__)

/* tg_uniform: random numbers, evenly spread. They depend on the tape's seed (tg_seed) and on how many random tensors were
 *  recorded before, not on threads.
 *    y = lo + (hi - lo) u, 0 <= u < 1
 *  Shapes:   y shape
 *  Dtypes:   f32 (24 random bits), f64 (53), bf16, f16 (an f32 number, rounded: it may become hi)
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is no float
 *  Source:   Salmon, Moraes, Dror, Shaw 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox4x32-10) */
TG_SITED(tg_tensor, tg_uniform, tg_tape *t, tg_shape shape, tg_dtype dtype, double lo, double hi);
#define tg_uniform(...) tg_uniform_at(TG_HERE, __VA_ARGS__)

/* tg_normal: random numbers of the normal distribution. They depend on the tape's seed (tg_seed) and on how many random
 *  tensors were recorded before, not on threads.
 *    y = mean + sd z, z standard normal
 *  Shapes:   y shape
 *  Dtypes:   f32, f64, bf16, f16
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if d is no float
 *  Source:   Box, Muller 1958, A note on the generation of random normal deviates; Philox4x32-10 (see tg_uniform) */
TG_SITED(tg_tensor, tg_normal, tg_tape *t, tg_shape shape, tg_dtype d, double mean, double sd);
#define tg_normal(...) tg_normal_at(TG_HERE, __VA_ARGS__)

/* tg_gumbel: random numbers of the standard Gumbel distribution. The largest of logits plus such numbers is a sample of
 *  softmax(logits): tg_categorical.
 *    y = -log(-log(1 - u)), 0 <= u < 1; -log(1 - u) counts as at least 2^-25 (f64: 2^-54)
 *  Shapes:   y shape
 *  Dtypes:   f32, f64, bf16, f16
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is no float
 *  Source:   Gumbel 1935, Les valeurs extremes des distributions statistiques; Philox4x32-10 (see tg_uniform) */
TG_SITED(tg_tensor, tg_gumbel, tg_tape *t, tg_shape shape, tg_dtype dtype);
#define tg_gumbel(...) tg_gumbel_at(TG_HERE, __VA_ARGS__)

/* tg_bernoulli: true with the probability that p has there.
 *    y = u < p, 0 <= u < 1
 *  Shapes:   p (any) -> y (the same); for one probability everywhere give tg_full
 *  Dtypes:   p f32, bf16, f16 (to 2^-24), f64 -> bool; p <= 0 or NaN is never, p >= 1 always true
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if p is no float
 *  Source:   elementary; Philox4x32-10 (see tg_uniform) */
TG_SITED(tg_tensor, tg_bernoulli, tg_tensor p);
#define tg_bernoulli(...) tg_bernoulli_at(TG_HERE, __VA_ARGS__)

/* tg_categorical: a random class for each row of an axis, with the probabilities softmax(logits): the largest of the logits
 *  plus Gumbel numbers. Logits of -infinity are never taken.
 *    y = argmax over the axis of logits + tg_gumbel
 *  Shapes:   logits (..., C, ...), C >= 1 -> y without that axis
 *  Dtypes:   f32, f64, bf16, f16 -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0; TG_EDTYPE if logits are no floats
 *  Source:   Maddison, Tarlow, Minka 2014, A* sampling, section 2 (the Gumbel-max trick); Philox4x32-10 (see tg_uniform) */
TG_SITED(tg_tensor, tg_categorical, tg_tensor logits, int64_t axis);
#define tg_categorical(...) tg_categorical_at(TG_HERE, __VA_ARGS__)

/* tg_randint: random whole numbers, evenly spread: from lo to hi - 1. Made of 53 random bits: for n = hi - lo numbers a
 *  probability is off 1 / n by less than 2^-53.
 *    y = lo + floor((hi - lo) u), 0 <= u < 1
 *  Shapes:   y shape
 *  Dtypes:   i64, i32
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if hi <= lo, or a bound does not fit the dtype or is beyond 2^53; TG_EDTYPE if dtype is not i64 or i32;
 *            TG_ESHAPE if the shape is not allowed
 *  Source:   elementary; Philox4x32-10 (see tg_uniform) */
TG_SITED(tg_tensor, tg_randint, tg_tape *t, tg_shape shape, tg_dtype dtype, int64_t lo, int64_t hi);
#define tg_randint(...) tg_randint_at(TG_HERE, __VA_ARGS__)

/* tg_permutation: the numbers from 0 to n - 1 in random order: the order that sorts random numbers.
 *    y = argsort of u, 0 <= u < 1 with 53 random bits
 *  Shapes:   y (n)
 *  Dtypes:   i64
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if n < 0
 *  Source:   elementary; Philox4x32-10 (see tg_uniform) */
TG_SITED(tg_tensor, tg_permutation, tg_tape *t, int64_t n);
#define tg_permutation(...) tg_permutation_at(TG_HERE, __VA_ARGS__)

/* tg_dropout_mask: what tg_dropout multiplies by, to be shared by several tensors or time steps.
 *    y = 0 with probability p, else 1 / (1 - p)
 *  Shapes:   y shape; a size of 1 drops a whole axis of what it is multiplied with
 *  Dtypes:   f32, f64, bf16, f16
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if p is not in [0, 1); TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is no float
 *  Source:   Gal, Ghahramani 2016, A theoretically grounded application of dropout in recurrent neural networks */
TG_SITED(tg_tensor, tg_dropout_mask, tg_tape *t, tg_shape shape, tg_dtype dtype, double p);
#define tg_dropout_mask(...) tg_dropout_mask_at(TG_HERE, __VA_ARGS__)

/* tg_dropout: sets each element to 0 with probability p, and scales up the rest so that the mean stays. For training: leave
 *  the call out when you evaluate. p = 0 gives x itself.
 *    y = 0 with probability p, else x / (1 - p)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, bf16, f16
 *  Gradient: dx = g / (1 - p) where x was kept, else 0
 *  Errors:   TG_EARG if p is not in [0, 1); TG_EDTYPE if x is no float
 *  Source:   Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, Dropout, section 10 */
TG_SITED(tg_tensor, tg_dropout, tg_tensor x, double p);
#define tg_dropout(...) tg_dropout_at(TG_HERE, __VA_ARGS__)

/* tg_rnn_cell: one step of a plain recurrent network (Elman's). w.b may be (tg_tensor){0}; so may w.wx, of every cell: x is
 *  then the product x wx already, which the steps of a sequence can have in one.
 *    y = tanh(x wx + h wh + b)
 *  Shapes:   x (N, I), h (N, H), wx (I, H), wh (H, H), b (H) -> y (N, H): the next h
 *  Dtypes:   f32, f64, the same for all
 *  Gradient: with d = g (1 - y^2): dx = d wx^T, dh = d wh^T, dwx = x^T d, dwh = h^T d, db = sum of d
 *  Errors:   those of tg_matmul and tg_add
 *  Source:   Elman 1990, Finding structure in time */
TG_SITED(tg_tensor, tg_rnn_cell, tg_tensor x, tg_tensor h, tg_cell w);
#define tg_rnn_cell(...) tg_rnn_cell_at(TG_HERE, __VA_ARGS__)

/* tg_lstm_cell: one step of a long short-term memory. *c, the memory, is read and becomes the next one. The columns of wx, wh
 *  and b are those of the gates i, f, g, o, one after the other; w.b and w.wx may be (tg_tensor){0}, as in tg_rnn_cell.
 *    c' = sigmoid(f) c + sigmoid(i) tanh(g), y = sigmoid(o) tanh(c'), where (i, f, g, o) = x wx + h wh + b
 *  Shapes:   x (N, I), h (N, H), c (N, H), wx (I, 4 H), wh (H, 4 H), b (4 H) -> y (N, H): the next h
 *  Dtypes:   f32, f64, the same for all
 *  Gradient: with u = cotangent of c' + g sigmoid(o) (1 - tanh(c')^2), s' = s (1 - s) for s a sigmoid: dc = u sigmoid(f);
 *            the gates get di = u tanh(g) sigmoid(i)', df = u c sigmoid(f)', dg = u sigmoid(i) (1 - tanh(g)^2),
 *            do = g tanh(c') sigmoid(o)', and d of all four goes on as in tg_rnn_cell
 *  Errors:   TG_ESHAPE if wx has not 4 times as many columns as c; those of tg_matmul, tg_add and tg_mul
 *  Source:   Hochreiter, Schmidhuber 1997, Long short-term memory; Gers, Schmidhuber, Cummins 2000 (the gate f) */
TG_SITED(tg_tensor, tg_lstm_cell, tg_tensor x, tg_tensor h, tg_tensor *c, tg_cell w);
#define tg_lstm_cell(...) tg_lstm_cell_at(TG_HERE, __VA_ARGS__)

/* tg_gru_cell: one step of a gated recurrent unit. The columns of wx, wh, b and bh are those of r, z, n, one after the other;
 *  w.b and w.bh, the biases of x wx and of h wh, may be (tg_tensor){0}, and w.wx as in tg_rnn_cell.
 *    y = (1 - z) n + z h, with r = sigmoid(xr + hr), z = sigmoid(xz + hz), n = tanh(xn + r hn), x. = x wx + b, h. = h wh + bh
 *  Shapes:   x (N, I), h (N, H), wx (I, 3 H), wh (H, 3 H), b (3 H), bh (3 H) -> y (N, H): the next h
 *  Dtypes:   f32, f64, the same for all
 *  Gradient: with u = g (1 - z) (1 - n^2): the gates get dz = g (h - n) z (1 - z), dn = u, dr = u hn r (1 - r), which go on
 *            through x. and h. (hn gets u r) as in tg_rnn_cell; dh also has g z
 *  Errors:   TG_ESHAPE if wx has not 3 times as many columns as h; those of tg_matmul, tg_add and tg_mul
 *  Source:   Cho et al. 2014, arXiv:1406.1078, eq. 5 to 8, with r after the product as in Chung et al. 2014, arXiv:1412.3555 */
TG_SITED(tg_tensor, tg_gru_cell, tg_tensor x, tg_tensor h, tg_cell w);
#define tg_gru_cell(...) tg_gru_cell_at(TG_HERE, __VA_ARGS__)

/* tg_sum: the sum over axes, in a fixed order: bits do not depend on threads or layout. The sum of nothing is 0.
 *    y = sum of x over the axes
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = g, broadcast
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_sum, tg_tensor x, tg_axes axes, bool keepdims);
#define tg_sum(...) tg_sum_at(TG_HERE, __VA_ARGS__)

/* tg_prod: the product over axes, in a fixed order: bits do not depend on threads or layout. The product of nothing is 1.
 *    y = product of x over the axes
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx = g (product of the other elements): exact where elements are 0, at any order
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_prod, tg_tensor x, tg_axes axes, bool keepdims);
#define tg_prod(...) tg_prod_at(TG_HERE, __VA_ARGS__)

/* tg_mean: the mean over axes.
 *    y = (sum of x over the axes) / (elements in the sum)
 *  Shapes:   x (any, the axes not of size 0) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (elements in the sum), broadcast
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if an axis has size 0; TG_EDTYPE if x is not f32 or
 *            f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_mean, tg_tensor x, tg_axes axes, bool keepdims);
#define tg_mean(...) tg_mean_at(TG_HERE, __VA_ARGS__)

/* tg_max: the largest element over axes; NaN if there is one.
 *    y = largest of x over the axes
 *  Shapes:   x (any, the axes not of size 0) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64, i32, i64
 *  Gradient: dx = g / (number of largest elements) at each of them, else 0
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if an axis has size 0; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_max, tg_tensor x, tg_axes axes, bool keepdims);
#define tg_max(...) tg_max_at(TG_HERE, __VA_ARGS__)

/* tg_min: the smallest element over axes; NaN if there is one.
 *    y = smallest of x over the axes
 *  Shapes:   x (any, the axes not of size 0) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   f32, f64, i32, i64
 *  Gradient: dx = g / (number of smallest elements) at each of them, else 0
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if an axis has size 0; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_min, tg_tensor x, tg_axes axes, bool keepdims);
#define tg_min(...) tg_min_at(TG_HERE, __VA_ARGS__)

/* tg_argmax: where the largest element along an axis is: the lowest position of several, the first NaN if there is one.
 *    y = position of the first largest element of x along the axis
 *  Shapes:   x (any, the axis not of size 0) -> y without the axis
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_argmax, tg_tensor x, int64_t axis);
#define tg_argmax(...) tg_argmax_at(TG_HERE, __VA_ARGS__)

/* tg_argmin: where the smallest element along an axis is: the lowest position of several, the first NaN if there is one.
 *    y = position of the first smallest element of x along the axis
 *  Shapes:   x (any, the axis not of size 0) -> y without the axis
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_argmin, tg_tensor x, int64_t axis);
#define tg_argmin(...) tg_argmin_at(TG_HERE, __VA_ARGS__)

/* tg_pixel_shuffle: groups of r^2 channels become images r times as high and as wide.
 *    y[..., c, r h + i, r w + j] = x[..., c r^2 + i r + j, h, w]
 *  Shapes:   x (..., C r^2, H, W) -> y (..., C, r H, r W)
 *  Dtypes:   every dtype
 *  Gradient: dx = tg_pixel_unshuffle of g
 *  Errors:   TG_ESHAPE if the rank is less than 3 or r^2 does not divide the channels; TG_EARG if r < 1
 *  Source:   Shi et al. 2016, Real-time single image and video super-resolution, arXiv:1609.05158, eq. 4 */
TG_SITED(tg_tensor, tg_pixel_shuffle, tg_tensor x, int64_t r);
#define tg_pixel_shuffle(...) tg_pixel_shuffle_at(TG_HERE, __VA_ARGS__)

/* tg_pixel_unshuffle: squares of r^2 pixels become channels: the inverse of tg_pixel_shuffle.
 *    y[..., c r^2 + i r + j, h, w] = x[..., c, r h + i, r w + j]
 *  Shapes:   x (..., C, r H, r W) -> y (..., C r^2, H, W)
 *  Dtypes:   every dtype
 *  Gradient: dx = tg_pixel_shuffle of g
 *  Errors:   TG_ESHAPE if the rank is less than 3 or r does not divide height and width; TG_EARG if r < 1
 *  Source:   Shi et al. 2016, Real-time single image and video super-resolution, arXiv:1609.05158, eq. 4 */
TG_SITED(tg_tensor, tg_pixel_unshuffle, tg_tensor x, int64_t r);
#define tg_pixel_unshuffle(...) tg_pixel_unshuffle_at(TG_HERE, __VA_ARGS__)

/* tg_interpolate: the last axes, as many as size has, at other sizes. Elements stand in the middle of equal cells; with
 *  corners the first and the last one stay at the ends instead. TG_NEAREST takes element i n / m, rounded down, exactly.
 *  TG_LINEAR is linear along each axis (bilinear along two); beyond the middle of the outermost cells it is constant.
 *    y[i] = x at place (i + 1/2) n / m - 1/2 along each of the last axes; i (n - 1) / (m - 1) with corners
 *  Shapes:   x (..., n_1, n_2, ...), size (m_1, m_2, ...) -> y (..., m_1, m_2, ...)
 *  Dtypes:   f32, f64; for TG_NEAREST every dtype
 *  Gradient: dx = sum of g over the places that an element counts for, by its weights
 *  Errors:   TG_ESHAPE if there are no sizes, or more than axes, or one is negative or of nothing; TG_EARG if there is no such
 *            mode or TG_NEAREST has corners; TG_EDTYPE for another dtype
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_interpolate, tg_tensor x, tg_shape size, tg_interpolation mode, bool corners);
#define tg_interpolate(...) tg_interpolate_at(TG_HERE, __VA_ARGS__)

/* tg_rotary: turns pairs of elements of each vector by angles that grow with its position, so that products of turned vectors
 *  depend on the distance of their positions. Element i is paired with i + D / 2. Rows have the positions first, first + 1, ...
 *    (y[t, i], y[t, i + D / 2]) = (x[t, i], x[t, i + D / 2]) turned by (first + t) base^(-2 i / D)
 *  Shapes:   x (..., T, D), D even -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: g turned back by the same angles
 *  Errors:   TG_ESHAPE if x has rank less than 2 or D is odd; TG_EARG if base is not positive; TG_EDTYPE for other dtypes
 *  Source:   Su, Lu, Pan, Murtadha, Wen, Liu 2021, RoFormer, arXiv:2104.09864, eq. 15 and 34 */
TG_SITED(tg_tensor, tg_rotary, tg_tensor x, int64_t first, double base);
#define tg_rotary(...) tg_rotary_at(TG_HERE, __VA_ARGS__)

/* tg_floor: the largest whole number that is not above x.
 *    y = floor(x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_floor, tg_tensor x);
#define tg_floor(...) tg_floor_at(TG_HERE, __VA_ARGS__)

/* tg_ceil: the smallest whole number that is not below x.
 *    y = ceil(x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_ceil, tg_tensor x);
#define tg_ceil(...) tg_ceil_at(TG_HERE, __VA_ARGS__)

/* tg_round: the nearest whole number, of two the even one.
 *    y = round(x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_round, tg_tensor x);
#define tg_round(...) tg_round_at(TG_HERE, __VA_ARGS__)

/* tg_trunc: the whole part, rounded towards 0.
 *    y = trunc(x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_trunc, tg_tensor x);
#define tg_trunc(...) tg_trunc_at(TG_HERE, __VA_ARGS__)

/* tg_frac: what is behind the point, with the sign of x.
 *    y = x - trunc(x)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g, at whole numbers, too
 *  Errors:   TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_frac, tg_tensor x);
#define tg_frac(...) tg_frac_at(TG_HERE, __VA_ARGS__)

/* tg_cumsum: running sums along an axis, one after the other; those of floats run in f64.
 *    y[i] = x[0] + ... + x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx[i] = g[i] + ... + g[n - 1]
 *  Errors:   TG_EARG if the axis is out of range; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_cumsum, tg_tensor x, int64_t axis);
#define tg_cumsum(...) tg_cumsum_at(TG_HERE, __VA_ARGS__)

/* tg_cumprod: running products along an axis, one after the other; those of floats run in f64.
 *    y[i] = x[0] ... x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   f32, f64, i32, i64; whole numbers wrap around
 *  Gradient: dx[j] = sum over i >= j of g[i] times the product of x[0] to x[i] without x[j]: exact where elements are 0, at
 *            any order; about log2(n) passes
 *  Errors:   TG_EARG if the axis is out of range; TG_EDTYPE if x is u8 or bool
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_cumprod, tg_tensor x, int64_t axis);
#define tg_cumprod(...) tg_cumprod_at(TG_HERE, __VA_ARGS__)

/* tg_logcumsumexp: logarithms of running sums of exponentials along an axis; no overflow. They run in f64.
 *    y[i] = log(e^x[0] + ... + e^x[i]) along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx[j] = sum over i >= j of g[i] e^(x[j] - y[i]); about log2(n) passes. None flows from a y[i] of several
 *            -infinities
 *  Errors:   TG_EARG if the axis is out of range; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_logcumsumexp, tg_tensor x, int64_t axis);
#define tg_logcumsumexp(...) tg_logcumsumexp_at(TG_HERE, __VA_ARGS__)

/* tg_argcummax: where the largest element so far is, along an axis: the lowest position of several, the first NaN once there
 *  is one.
 *    y[i] = position of the first largest of x[0] to x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_argcummax, tg_tensor x, int64_t axis);
#define tg_argcummax(...) tg_argcummax_at(TG_HERE, __VA_ARGS__)

/* tg_argcummin: where the smallest element so far is, along an axis: the lowest position of several, the first NaN once there
 *  is one.
 *    y[i] = position of the first smallest of x[0] to x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_argcummin, tg_tensor x, int64_t axis);
#define tg_argcummin(...) tg_argcummin_at(TG_HERE, __VA_ARGS__)

/* tg_cummax: the largest element so far along an axis; NaN once there is one.
 *    y[i] = largest of x[0] to x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of g over the places that show an element; of equal elements the first one gets all
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_cummax, tg_tensor x, int64_t axis);
#define tg_cummax(...) tg_cummax_at(TG_HERE, __VA_ARGS__)

/* tg_cummin: the smallest element so far along an axis; NaN once there is one.
 *    y[i] = smallest of x[0] to x[i] along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = sum of g over the places that show an element; of equal elements the first one gets all
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_cummin, tg_tensor x, int64_t axis);
#define tg_cummin(...) tg_cummin_at(TG_HERE, __VA_ARGS__)

/* tg_take_along_axis: takes one element for each element of index, from its own line along the axis: the values that belong
 *  to tg_argsort or tg_argmax.
 *    y[..., i, ...] = x[..., index[..., i, ...], ...]
 *  Shapes:   x (..., n, ...), index (..., m, ...), all else equal -> y (..., m, ...)
 *  Dtypes:   x every dtype; index i64 or i32
 *  Gradient: dx = sum of g over the places where an element was taken to, in their order
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if another dimension differs; TG_EDTYPE if index is not i64 or
 *            i32; when run, TG_EINDEX if an index is not in [0, n): negative numbers do not count from the end
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_take_along_axis, tg_tensor x, int64_t axis, tg_tensor index);
#define tg_take_along_axis(...) tg_take_along_axis_at(TG_HERE, __VA_ARGS__)

/* tg_scatter_add: x with elements of source added at places along an axis. Several for one place are added in the order of
 *  their positions: bits do not depend on threads. Counts and sums of groups: x = tg_zeros.
 *    y = x; y[..., index[..., i, ...], ...] += source[..., i, ...] for i = 0, 1, ...
 *  Shapes:   x (..., n, ...), index and source (..., m, ...), all else equal -> y as x
 *  Dtypes:   x and source f32, f64, i32 or i64, the same, whole numbers wrap around; index i64 or i32
 *  Gradient: dx = g; dsource = g at the place of each element
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if shapes do not fit; TG_EDTYPE if dtypes do not; when run,
 *            TG_EINDEX if an index is not in [0, n): negative numbers do not count from the end
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_scatter_add, tg_tensor x, int64_t axis, tg_tensor index, tg_tensor source);
#define tg_scatter_add(...) tg_scatter_add_at(TG_HERE, __VA_ARGS__)

/* tg_scatter: x with elements of source put at places along an axis. Of several for one place the last one stays
 *  (in PyTorch any of them).
 *    y = x; y[..., index[..., i, ...], ...] = source[..., i, ...] for i = 0, 1, ...
 *  Shapes:   x (..., n, ...), index and source (..., m, ...), all else equal -> y as x
 *  Dtypes:   x and source every dtype, the same; index i64 or i32
 *  Gradient: dx = g where nothing was put, else 0; dsource = g at the place of each element that stays, else 0
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if shapes do not fit; TG_EDTYPE if dtypes do not; when run,
 *            TG_EINDEX if an index is not in [0, n): negative numbers do not count from the end
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_scatter, tg_tensor x, int64_t axis, tg_tensor index, tg_tensor source);
#define tg_scatter(...) tg_scatter_at(TG_HERE, __VA_ARGS__)

/* tg_where: a where the condition is true, b where it is false.
 *    y = a if condition, else b
 *  Shapes:   condition, a, b broadcast -> y
 *  Dtypes:   condition bool; a and b of the same dtype, any
 *  Gradient: da = g where the condition is true, db = g where it is false, else 0. The branch that is not taken gives no NaN
 *            where functions and quotients made it (sqrt, log, 1 / x, exp, ... at an edge): their rules are 0 where the
 *            cotangent is. A product does not look: 0 times an infinite factor is NaN
 *  Errors:   TG_ESHAPE if the shapes do not broadcast; TG_EDTYPE if the condition is not bool or a and b differ
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_where, tg_tensor condition, tg_tensor a, tg_tensor b);
#define tg_where(...) tg_where_at(TG_HERE, __VA_ARGS__)

/* tg_cast: converts the elements to another dtype. x itself if it has it already.
 *    y = x as dtype
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype -> dtype. Floats are rounded to the nearest float, ties to even; to whole numbers towards 0; what is
 *            beyond the range becomes the end of the range, NaN 0. Whole numbers keep their low bits. To bool: x is not 0
 *  Gradient: dx = g as x's dtype, between floats; none flows else
 *  Errors:   TG_EDTYPE if dtype is none
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_cast, tg_tensor x, tg_dtype dtype);
#define tg_cast(...) tg_cast_at(TG_HERE, __VA_ARGS__)

/* tg_stop_gradient: x as a constant: gradients end here.
 *    y = x
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: none flows
 *  Errors:   TG_ESTALE and TG_EARG for a bad handle
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_stop_gradient, tg_tensor x);
#define tg_stop_gradient(...) tg_stop_gradient_at(TG_HERE, __VA_ARGS__)

/* tg_slice: a part of one axis, by Python's rules: elements from, from + by, ... before to. Negative numbers count from the
 *  end, and what is out of range is clipped: to = TG_END takes all to the end. With by < 0, from = TG_END is the last
 *  element, and to = TG_BEGIN includes the first one. A view: no memory is used.
 *    y[..., k, ...] = x[..., from + k by, ...]
 *  Shapes:   x (..., n, ...) -> y (..., as many as are taken, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the elements that were taken, else 0; many slices of one tensor are added up in one pass
 *  Errors:   TG_EARG if the axis is out of range or by is 0
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_slice, tg_tensor x, int64_t axis, int64_t from, int64_t to, int64_t by);
#define tg_slice(...) tg_slice_at(TG_HERE, __VA_ARGS__)

/* tg_slice_box: a part of every axis at once: tg_slice for each. Arrays hold one number per axis; by = NULL is 1 everywhere.
 *    y[k0, k1, ...] = x[from[0] + k0 by[0], from[1] + k1 by[1], ...]
 *  Shapes:   x (any) -> y of the same rank
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the elements that were taken, else 0
 *  Errors:   TG_EARG if from or to is NULL or a by is 0
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_slice_box, tg_tensor x, const int64_t *from, const int64_t *to, const int64_t *by);
#define tg_slice_box(...) tg_slice_box_at(TG_HERE, __VA_ARGS__)

/* tg_split: cuts an axis in n equal parts and fills outs[0..n) with them. They are slices: no memory is used.
 *    outs[i] = x[..., i size / n .. (i + 1) size / n, ...]
 *  Shapes:   x (..., size, ...) -> each (..., size / n, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = the cotangents of the parts side by side
 *  Errors:   TG_EARG if the axis is out of range, n < 1 or outs is NULL; TG_ESHAPE if n does not divide the size
 *  Source:   elementary */
TG_SITED(tg_status, tg_split, tg_tensor x, int64_t axis, int n, tg_tensor *outs);
#define tg_split(...) tg_split_at(TG_HERE, __VA_ARGS__)

/* tg_chunk: cuts an axis in n parts as equal as they can be and fills outs[0..n) with them: the first size mod n parts have
 *  one element more (PyTorch's tensor_split; its chunk has a shorter last part). They are slices: no memory is used.
 *    outs[i] = part i of x
 *  Shapes:   x (..., size, ...) -> each (..., size / n rounded up or down, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = the cotangents of the parts side by side
 *  Errors:   TG_EARG if the axis is out of range, n < 1 or outs is NULL
 *  Source:   elementary */
TG_SITED(tg_status, tg_chunk, tg_tensor x, int64_t axis, int n, tg_tensor *outs);
#define tg_chunk(...) tg_chunk_at(TG_HERE, __VA_ARGS__)

/* tg_softmax: probabilities from logits along an axis; no overflow.
 *    y = e^x / (sum of e^x over the axis)
 *  Shapes:   x (any, the axis not of size 0) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = y (g - sum of g y over the axis)
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0; TG_EDTYPE if x is not f32 or f64
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_SITED(tg_tensor, tg_softmax, tg_tensor x, int64_t axis);
#define tg_softmax(...) tg_softmax_at(TG_HERE, __VA_ARGS__)

/* tg_log_softmax: the logarithm of tg_softmax, exact also for small probabilities.
 *    y = x - log(sum of e^x over the axis)
 *  Shapes:   x (any, the axis not of size 0) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g - e^y (sum of g over the axis)
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0; TG_EDTYPE if x is not f32 or f64
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_SITED(tg_tensor, tg_log_softmax, tg_tensor x, int64_t axis);
#define tg_log_softmax(...) tg_log_softmax_at(TG_HERE, __VA_ARGS__)

/* tg_cross_entropy_each: the negative log-probability of each row's label under softmax; no overflow.
 *    y = log(sum of e^logits) - logits[label], for each row
 *  Shapes:   logits (..., C), C >= 1, labels (...) -> y (...)
 *  Dtypes:   logits f32, f64; labels i64, i32
 *  Gradient: dlogits = (softmax(logits) - one_hot(labels)) g
 *  Errors:   TG_ESHAPE if the shapes do not fit or C is 0; TG_EDTYPE for other dtypes; when run, TG_EINDEX if a label is not in
 *            [0, C)
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_SITED(tg_tensor, tg_cross_entropy_each, tg_tensor logits, tg_tensor labels);
#define tg_cross_entropy_each(...) tg_cross_entropy_each_at(TG_HERE, __VA_ARGS__)

/* tg_cross_entropy: the mean negative log-probability of the labels under softmax: the loss of a classifier. No overflow.
 *    y = mean over the rows of log(sum of e^logits) - logits[label]
 *  Shapes:   logits (..., C), C >= 1, labels (...), at least one -> y ()
 *  Dtypes:   logits f32, f64; labels i64, i32
 *  Gradient: dlogits = (softmax(logits) - one_hot(labels)) g / (number of rows)
 *  Errors:   TG_ESHAPE if the shapes do not fit, C is 0 or there are no rows; TG_EDTYPE for other dtypes; when run, TG_EINDEX
 *            if a label is not in [0, C)
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_SITED(tg_tensor, tg_cross_entropy, tg_tensor logits, tg_tensor labels);
#define tg_cross_entropy(...) tg_cross_entropy_at(TG_HERE, __VA_ARGS__)

/* tg_cholesky: the Cholesky factor of symmetric positive definite matrices. The mean of A and its transpose is what is
 *  factorised, so that both triangles count alike.
 *    L L^T = (A + A^T) / 2, L lower triangular with a positive diagonal
 *  Shapes:   A (..., n, n) -> L (..., n, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = (S + S^T) / 2, S = L^-T P L^-1, P the lower triangle of L^T g with its diagonal halved
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run,
 *            TG_EARG if a matrix is not positive definite
 *  Source:   LAPACK's potrf; Murray 2016, arXiv:1602.07527, equations 9 and 10 */
TG_SITED(tg_tensor, tg_cholesky, tg_tensor a);
#define tg_cholesky(...) tg_cholesky_at(TG_HERE, __VA_ARGS__)

/* tg_triangular_solve: solves systems with triangular matrices. Of A only the triangle that `triangle` names is read.
 *    A X = B, or A^T X = B with TG_TRANSPOSED
 *  Shapes:   A (..., n, n), B (..., n, m), batch axes broadcast -> X (..., n, m)
 *  Dtypes:   f32 (computed in f64 and rounded), f64, the same for both
 *  Gradient: dB = A^-T g, dA = the triangle of -dB X^T (with TG_TRANSPOSED A^-1 g and -X dB^T); 0 on a diagonal of TG_UNIT
 *  Errors:   TG_ESHAPE if shapes do not fit; TG_EDTYPE for other dtypes; TG_EARG for other flags; TG_EUNSUPPORTED without
 *            LAPACK; when run, TG_EARG if a diagonal has a 0
 *  Source:   LAPACK's trtrs; Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.3.1 */
TG_SITED(tg_tensor, tg_triangular_solve, tg_tensor a, tg_tensor b, int triangle);
#define tg_triangular_solve(...) tg_triangular_solve_at(TG_HERE, __VA_ARGS__)

/* tg_solve: solves systems of linear equations, by LU factors with row exchanges. A vector b is one column.
 *    A X = B
 *  Shapes:   A (..., n, n), B (..., n, m), batch axes broadcast -> X (..., n, m); b (n) -> x (..., n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64, the same for both
 *  Gradient: dB = A^-T g, dA = -dB X^T, summed over broadcast axes
 *  Errors:   TG_ESHAPE if shapes do not fit; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run, TG_EARG if a
 *            matrix is singular
 *  Source:   LAPACK's getrf, getrs; Giles 2008, Collected matrix derivative results for forward and reverse mode, 2.3.1 */
TG_SITED(tg_tensor, tg_solve, tg_tensor a, tg_tensor b);
#define tg_solve(...) tg_solve_at(TG_HERE, __VA_ARGS__)

/* tg_inverse: the inverse of matrices. To solve equations tg_solve is faster and more exact.
 *    A Y = I
 *  Shapes:   A (..., n, n) -> Y (..., n, n)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = -Y^T g Y^T
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; when run,
 *            TG_EARG if a matrix is singular
 *  Source:   Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.2.3 */
TG_SITED(tg_tensor, tg_inverse, tg_tensor a);
#define tg_inverse(...) tg_inverse_at(TG_HERE, __VA_ARGS__)

/* tg_slogdet: the logarithm of the absolute value of determinants, and their sign: 1, -1, or 0 with the logarithm -infinity.
 *  Does not overflow. sign may be NULL.
 *    y = log |det A|
 *  Shapes:   A (..., n, n) -> y (...), sign (...)
 *  Dtypes:   f32 (computed in f64 and rounded), f64
 *  Gradient: dA = g A^-T; no gradient flows through the sign
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; the
 *            gradient, when run, is TG_EARG if a matrix is singular
 *  Source:   LAPACK's getrf; Giles 2008, Collected matrix derivative results for forward and reverse mode, 2.2.4 */
TG_SITED(tg_tensor, tg_slogdet, tg_tensor a, tg_tensor *sign);
#define tg_slogdet(...) tg_slogdet_at(TG_HERE, __VA_ARGS__)

/* tg_det: the determinant of matrices; tg_slogdet does not overflow.
 *    y = det A
 *  Shapes:   A (..., n, n) -> y (...)
 *  Dtypes:   f32, f64
 *  Gradient: dA = g y A^-T: of regular matrices only, though the derivative of a singular one exists
 *  Errors:   TG_ESHAPE if the matrices are not square; TG_EDTYPE for other dtypes; TG_EUNSUPPORTED without LAPACK; the
 *            gradient, when run, is TG_EARG if a matrix is singular
 *  Source:   Giles 2008, Collected matrix derivative results for forward and reverse mode, section 2.2.4 */
TG_SITED(tg_tensor, tg_det, tg_tensor a);
#define tg_det(...) tg_det_at(TG_HERE, __VA_ARGS__)

/* tg_argsort: the order that sorts an axis: y[0] is where the smallest element is, or the largest if descending. Equal
 *  elements keep their order, -0 equals 0, and NaNs count as larger than all numbers. The elements themselves:
 *  tg_sort, or tg_take_along_axis(x, axis, y).
 *    y = positions of the elements of x in order along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_argsort, tg_tensor x, int64_t axis, bool descending);
#define tg_argsort(...) tg_argsort_at(TG_HERE, __VA_ARGS__)

/* tg_argtopk: where the k largest elements along an axis are, or the k smallest, from the best on. Equal elements keep their
 *  order, and NaNs count as larger than all numbers. The elements themselves: tg_topk, or tg_take_along_axis(x, axis, y).
 *    y = positions of the k first elements of x in order along the axis
 *  Shapes:   x (..., n, ...), k <= n -> y (..., k, ...)
 *  Dtypes:   every dtype -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range or k is not in [0, n]
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_argtopk, tg_tensor x, int64_t axis, int64_t k, bool largest);
#define tg_argtopk(...) tg_argtopk_at(TG_HERE, __VA_ARGS__)

/* tg_sort: the elements along an axis from the smallest to the largest, or from the largest if descending. Equal elements
 *  keep their order, -0 equals 0, and NaNs count as larger than all numbers.
 *    y = the elements of x in order along the axis
 *  Shapes:   x (..., n, ...) -> y (the same)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the place where each element went; of equal elements each keeps its own
 *  Errors:   TG_EARG if the axis is out of range
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_sort, tg_tensor x, int64_t axis, bool descending);
#define tg_sort(...) tg_sort_at(TG_HERE, __VA_ARGS__)

/* tg_topk: the k largest elements along an axis, or the k smallest, from the best on; of equal elements those that come
 *  first. NaNs count as larger than all numbers.
 *    y = the k first elements of x in order along the axis
 *  Shapes:   x (..., n, ...), k <= n -> y (..., k, ...)
 *  Dtypes:   every dtype
 *  Gradient: dx = g at the place where each element went, 0 at those that are not among the k
 *  Errors:   TG_EARG if the axis is out of range or k is not in [0, n]
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_topk, tg_tensor x, int64_t axis, int64_t k, bool largest);
#define tg_topk(...) tg_topk_at(TG_HERE, __VA_ARGS__)

/* tg_any: whether an element over axes is true, or not 0; a NaN is not 0. Of nothing: false.
 *    y = whether an element of x is not 0
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   every dtype -> bool
 *  Gradient: none flows
 *  Errors:   TG_EARG if an axis is out of range or stands twice
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_any, tg_tensor x, tg_axes axes, bool keepdims);
#define tg_any(...) tg_any_at(TG_HERE, __VA_ARGS__)

/* tg_all: whether all elements over axes are true, or not 0; a NaN is not 0. Of nothing: true.
 *    y = whether no element of x is 0
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   every dtype -> bool
 *  Gradient: none flows
 *  Errors:   TG_EARG if an axis is out of range or stands twice
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_all, tg_tensor x, tg_axes axes, bool keepdims);
#define tg_all(...) tg_all_at(TG_HERE, __VA_ARGS__)

/* tg_reshape: the same elements, in row-major order, in another shape. One dimension may be -1: what is left.
 *    y = the elements of x, in order, in another shape
 *  Shapes:   x (any) -> y shape
 *  Dtypes:   every dtype
 *  Gradient: dx = g in the shape of x
 *  Errors:   TG_ESHAPE if the shape has not as many elements as x, or x has no elements and a dimension is -1
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_reshape, tg_tensor x, tg_shape shape);
#define tg_reshape(...) tg_reshape_at(TG_HERE, __VA_ARGS__)

/* tg_squeeze: drops axes of size 1.
 *    y = x without axes of size 1
 *  Shapes:   x (any) -> y without the axes
 *  Dtypes:   every dtype
 *  Gradient: dx = g in the shape of x
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if its size is not 1
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_squeeze, tg_tensor x, tg_axes axes);
#define tg_squeeze(...) tg_squeeze_at(TG_HERE, __VA_ARGS__)

/* tg_unsqueeze: adds axes of size 1; they are counted in the result.
 *    y = x with new axes of size 1
 *  Shapes:   x (any) -> y of a higher rank
 *  Dtypes:   every dtype
 *  Gradient: dx = g in the shape of x
 *  Errors:   TG_EARG if an axis is out of range or stands twice; TG_ESHAPE if the rank would be more than 8
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_unsqueeze, tg_tensor x, tg_axes axes);
#define tg_unsqueeze(...) tg_unsqueeze_at(TG_HERE, __VA_ARGS__)

/* tg_transpose: swaps the last two axes.
 *    y[..., i, j] = x[..., j, i]
 *  Shapes:   x (..., m, n) -> y (..., n, m)
 *  Dtypes:   every dtype
 *  Gradient: dx = g with the last two axes swapped
 *  Errors:   TG_ESHAPE if the rank is less than 2
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_transpose, tg_tensor x);
#define tg_transpose(...) tg_transpose_at(TG_HERE, __VA_ARGS__)

/* tg_permute: the axes in another order.
 *    axis i of y = axis axes[i] of x
 *  Shapes:   x (any) -> y with the dimensions in that order
 *  Dtypes:   every dtype
 *  Gradient: dx = g with its axes put back
 *  Errors:   TG_EARG if the axes are not all axes of x in some order
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_permute, tg_tensor x, tg_axes axes);
#define tg_permute(...) tg_permute_at(TG_HERE, __VA_ARGS__)

/* tg_expand: repeats x to a shape that it broadcasts to. No memory is used: it is a view.
 *    y = x, repeated along axes of size 1 and new axes in front
 *  Shapes:   x broadcasts to shape -> y shape
 *  Dtypes:   every dtype
 *  Gradient: dx = g summed over what was repeated
 *  Errors:   TG_ESHAPE if x does not broadcast to shape
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_expand, tg_tensor x, tg_shape shape);
#define tg_expand(...) tg_expand_at(TG_HERE, __VA_ARGS__)

/* tg_unfold: the windows that slide along axes; the elements of a window lie along new axes at the end, one for each axis in
 *  w, in their order. A view: windows share the memory of x until something needs them packed.
 *    y[..., o, ..., k] = x[..., o step + k dilation, ...]
 *  Shapes:   x (..., n, ...) -> y (..., (n - (size - 1) dilation - 1) / step + 1 rounded down, ..., size); x's rank and the
 *            number of axes together at most 8
 *  Dtypes:   every dtype
 *  Gradient: dx = tg_fold of g
 *  Errors:   TG_EARG if an axis is out of range or stands twice, or a size, step or dilation is negative; TG_ESHAPE if a
 *            window does not fit
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_unfold, tg_tensor x, tg_windows w);
#define tg_unfold(...) tg_unfold_at(TG_HERE, __VA_ARGS__)

/* tg_fold: adds windows up where they came from: the transpose of tg_unfold. n has the size of each axis in w. Elements that
 *  several windows share are their sum, in a fixed order; those that no window reaches are 0.
 *    y[..., p, ...] = sum of x[..., o, ..., k] where o step + k dilation = p
 *  Shapes:   x as tg_unfold of y makes it -> y (..., n, ...)
 *  Dtypes:   f32, f64
 *  Gradient: dx = tg_unfold of g
 *  Errors:   TG_ESHAPE if x is not the windows of such an y; TG_EARG if an axis is out of range or stands twice, a size, step
 *            or dilation is negative, or n is NULL; TG_EDTYPE if x is not f32 or f64
 *  Source:   elementary */
TG_SITED(tg_tensor, tg_fold, tg_tensor x, const int64_t *n, tg_windows w);
#define tg_fold(...) tg_fold_at(TG_HERE, __VA_ARGS__)

#ifdef __cplusplus
}
#endif
#endif

/* ops/list.c: every op of the library, made by tools/gen-ops from the files of ops/; change those and run make. */
#include <string.h>

#include "tapegrad/op.h"

extern const tg_op tg__op_abs;
extern const tg_op tg__op_accumulate;
extern const tg_op tg__op_acos;
extern const tg_op tg__op_acosh;
extern const tg_op tg__op_add;
extern const tg_op tg__op_add_n;
extern const tg_op tg__op_all;
extern const tg_op tg__op_along_last;
extern const tg_op tg__op_along_sum;
extern const tg_op tg__op_along_take;
extern const tg_op tg__op_and;
extern const tg_op tg__op_any;
extern const tg_op tg__op_arange;
extern const tg_op tg__op_argcummax;
extern const tg_op tg__op_argcummin;
extern const tg_op tg__op_argmax;
extern const tg_op tg__op_argmin;
extern const tg_op tg__op_argsort;
extern const tg_op tg__op_asin;
extern const tg_op tg__op_asinh;
extern const tg_op tg__op_atan;
extern const tg_op tg__op_atan2;
extern const tg_op tg__op_atanh;
extern const tg_op tg__op_attention;
extern const tg_op tg__op_attention_grad;
extern const tg_op tg__op_avg_pool;
extern const tg_op tg__op_avg_pool_grad;
extern const tg_op tg__op_batch_norm;
extern const tg_op tg__op_batch_norm_grad;
extern const tg_op tg__op_bce;
extern const tg_op tg__op_bce_with_logits;
extern const tg_op tg__op_cast_bf16;
extern const tg_op tg__op_cast_bool;
extern const tg_op tg__op_cast_f16;
extern const tg_op tg__op_cast_f32;
extern const tg_op tg__op_cast_f64;
extern const tg_op tg__op_cast_i32;
extern const tg_op tg__op_cast_i64;
extern const tg_op tg__op_cast_u8;
extern const tg_op tg__op_cbrt;
extern const tg_op tg__op_ceil;
extern const tg_op tg__op_celu;
extern const tg_op tg__op_chain;
extern const tg_op tg__op_chain_div;
extern const tg_op tg__op_cholesky;
extern const tg_op tg__op_clamp;
extern const tg_op tg__op_concat;
extern const tg_op tg__op_conv;
extern const tg_op tg__op_conv_transpose;
extern const tg_op tg__op_conv_weight_grad;
extern const tg_op tg__op_cos;
extern const tg_op tg__op_cosh;
extern const tg_op tg__op_cosine;
extern const tg_op tg__op_cosine_similarity;
extern const tg_op tg__op_cross_entropy;
extern const tg_op tg__op_cross_entropy_each;
extern const tg_op tg__op_cross_entropy_grad;
extern const tg_op tg__op_cross_entropy_soft;
extern const tg_op tg__op_cross_entropy_with;
extern const tg_op tg__op_ctc;
extern const tg_op tg__op_cummax;
extern const tg_op tg__op_cummin;
extern const tg_op tg__op_cumprod;
extern const tg_op tg__op_cumsum;
extern const tg_op tg__op_det;
extern const tg_op tg__op_diag;
extern const tg_op tg__op_diagonal;
extern const tg_op tg__op_digamma;
extern const tg_op tg__op_div;
extern const tg_op tg__op_dot;
extern const tg_op tg__op_eigh;
extern const tg_op tg__op_elu;
extern const tg_op tg__op_embedding;
extern const tg_op tg__op_eq;
extern const tg_op tg__op_erf;
extern const tg_op tg__op_erfc;
extern const tg_op tg__op_exp;
extern const tg_op tg__op_exp2;
extern const tg_op tg__op_expand;
extern const tg_op tg__op_expm1;
extern const tg_op tg__op_eye;
extern const tg_op tg__op_fence;
extern const tg_op tg__op_flatten;
extern const tg_op tg__op_flip;
extern const tg_op tg__op_floor;
extern const tg_op tg__op_fma;
extern const tg_op tg__op_fmod;
extern const tg_op tg__op_focal;
extern const tg_op tg__op_focal_binary;
extern const tg_op tg__op_fold;
extern const tg_op tg__op_frac;
extern const tg_op tg__op_gather;
extern const tg_op tg__op_gather_grad;
extern const tg_op tg__op_gaussian_nll;
extern const tg_op tg__op_ge;
extern const tg_op tg__op_gelu;
extern const tg_op tg__op_gelu_slope;
extern const tg_op tg__op_gelu_tanh;
extern const tg_op tg__op_gelu_tanh_slope;
extern const tg_op tg__op_gt;
extern const tg_op tg__op_hardsigmoid;
extern const tg_op tg__op_hardswish;
extern const tg_op tg__op_hardtanh;
extern const tg_op tg__op_heaviside;
extern const tg_op tg__op_hinge;
extern const tg_op tg__op_huber;
extern const tg_op tg__op_hypot;
extern const tg_op tg__op_identity;
extern const tg_op tg__op_index_select;
extern const tg_op tg__op_interpolate;
extern const tg_op tg__op_inverse;
extern const tg_op tg__op_isfinite;
extern const tg_op tg__op_isinf;
extern const tg_op tg__op_isnan;
extern const tg_op tg__op_kl;
extern const tg_op tg__op_layer_norm;
extern const tg_op tg__op_layer_norm_grad;
extern const tg_op tg__op_le;
extern const tg_op tg__op_lerp;
extern const tg_op tg__op_lgamma;
extern const tg_op tg__op_log;
extern const tg_op tg__op_log10;
extern const tg_op tg__op_log1p;
extern const tg_op tg__op_log2;
extern const tg_op tg__op_log_sigmoid;
extern const tg_op tg__op_log_softmax;
extern const tg_op tg__op_log_softmax_grad;
extern const tg_op tg__op_logcumsumexp;
extern const tg_op tg__op_logsumexp;
extern const tg_op tg__op_lt;
extern const tg_op tg__op_mae;
extern const tg_op tg__op_masked_fill;
extern const tg_op tg__op_masked_select_max;
extern const tg_op tg__op_matmul;
extern const tg_op tg__op_matrix_norm;
extern const tg_op tg__op_max;
extern const tg_op tg__op_max_pool;
extern const tg_op tg__op_max_pool_grad;
extern const tg_op tg__op_max_pool_pick;
extern const tg_op tg__op_maximum;
extern const tg_op tg__op_mean;
extern const tg_op tg__op_min;
extern const tg_op tg__op_minimum;
extern const tg_op tg__op_mish;
extern const tg_op tg__op_mish_slope;
extern const tg_op tg__op_mse;
extern const tg_op tg__op_mul;
extern const tg_op tg__op_ne;
extern const tg_op tg__op_neg;
extern const tg_op tg__op_nll;
extern const tg_op tg__op_nonzero;
extern const tg_op tg__op_norm;
extern const tg_op tg__op_normal;
extern const tg_op tg__op_normal_cdf;
extern const tg_op tg__op_not;
extern const tg_op tg__op_one_hot;
extern const tg_op tg__op_or;
extern const tg_op tg__op_outer;
extern const tg_op tg__op_pad;
extern const tg_op tg__op_permute;
extern const tg_op tg__op_pick;
extern const tg_op tg__op_pixel_shuffle;
extern const tg_op tg__op_pixel_unshuffle;
extern const tg_op tg__op_poisson_nll;
extern const tg_op tg__op_polygamma;
extern const tg_op tg__op_pow;
extern const tg_op tg__op_prelu;
extern const tg_op tg__op_prod;
extern const tg_op tg__op_qr;
extern const tg_op tg__op_reciprocal;
extern const tg_op tg__op_relu;
extern const tg_op tg__op_relu6;
extern const tg_op tg__op_remainder;
extern const tg_op tg__op_repeat;
extern const tg_op tg__op_reshape;
extern const tg_op tg__op_rms_norm;
extern const tg_op tg__op_rms_norm_grad;
extern const tg_op tg__op_roll;
extern const tg_op tg__op_round;
extern const tg_op tg__op_rsqrt;
extern const tg_op tg__op_scatter;
extern const tg_op tg__op_scatter_add;
extern const tg_op tg__op_selu;
extern const tg_op tg__op_sigmoid;
extern const tg_op tg__op_sigmoid_slope;
extern const tg_op tg__op_sign;
extern const tg_op tg__op_silu;
extern const tg_op tg__op_silu_slope;
extern const tg_op tg__op_sin;
extern const tg_op tg__op_sinh;
extern const tg_op tg__op_slice;
extern const tg_op tg__op_slogdet;
extern const tg_op tg__op_smooth_l1;
extern const tg_op tg__op_softmax;
extern const tg_op tg__op_softmax_grad;
extern const tg_op tg__op_softplus;
extern const tg_op tg__op_softsign;
extern const tg_op tg__op_solve;
extern const tg_op tg__op_sort;
extern const tg_op tg__op_sqrt;
extern const tg_op tg__op_square;
extern const tg_op tg__op_squeeze;
extern const tg_op tg__op_stack;
extern const tg_op tg__op_std;
extern const tg_op tg__op_stop_gradient;
extern const tg_op tg__op_sub;
extern const tg_op tg__op_sum;
extern const tg_op tg__op_svd;
extern const tg_op tg__op_take_along_axis;
extern const tg_op tg__op_tan;
extern const tg_op tg__op_tanh;
extern const tg_op tg__op_tanh_slope;
extern const tg_op tg__op_tile;
extern const tg_op tg__op_trace;
extern const tg_op tg__op_transpose;
extern const tg_op tg__op_triangular_solve;
extern const tg_op tg__op_tril;
extern const tg_op tg__op_triplet;
extern const tg_op tg__op_triu;
extern const tg_op tg__op_trunc;
extern const tg_op tg__op_unfold;
extern const tg_op tg__op_uniform;
extern const tg_op tg__op_unique_inverse;
extern const tg_op tg__op_unique_max;
extern const tg_op tg__op_unsqueeze;
extern const tg_op tg__op_var;
extern const tg_op tg__op_where;
extern const tg_op tg__op_xor;

extern const tg_op *const tg__op_list[];
const tg_op *const tg__op_list[] = {
    &tg__op_abs,
    &tg__op_accumulate,
    &tg__op_acos,
    &tg__op_acosh,
    &tg__op_add,
    &tg__op_add_n,
    &tg__op_all,
    &tg__op_along_last,
    &tg__op_along_sum,
    &tg__op_along_take,
    &tg__op_and,
    &tg__op_any,
    &tg__op_arange,
    &tg__op_argcummax,
    &tg__op_argcummin,
    &tg__op_argmax,
    &tg__op_argmin,
    &tg__op_argsort,
    &tg__op_asin,
    &tg__op_asinh,
    &tg__op_atan,
    &tg__op_atan2,
    &tg__op_atanh,
    &tg__op_attention,
    &tg__op_attention_grad,
    &tg__op_avg_pool,
    &tg__op_avg_pool_grad,
    &tg__op_batch_norm,
    &tg__op_batch_norm_grad,
    &tg__op_bce,
    &tg__op_bce_with_logits,
    &tg__op_cast_bf16,
    &tg__op_cast_bool,
    &tg__op_cast_f16,
    &tg__op_cast_f32,
    &tg__op_cast_f64,
    &tg__op_cast_i32,
    &tg__op_cast_i64,
    &tg__op_cast_u8,
    &tg__op_cbrt,
    &tg__op_ceil,
    &tg__op_celu,
    &tg__op_chain,
    &tg__op_chain_div,
    &tg__op_cholesky,
    &tg__op_clamp,
    &tg__op_concat,
    &tg__op_conv,
    &tg__op_conv_transpose,
    &tg__op_conv_weight_grad,
    &tg__op_cos,
    &tg__op_cosh,
    &tg__op_cosine,
    &tg__op_cosine_similarity,
    &tg__op_cross_entropy,
    &tg__op_cross_entropy_each,
    &tg__op_cross_entropy_grad,
    &tg__op_cross_entropy_soft,
    &tg__op_cross_entropy_with,
    &tg__op_ctc,
    &tg__op_cummax,
    &tg__op_cummin,
    &tg__op_cumprod,
    &tg__op_cumsum,
    &tg__op_det,
    &tg__op_diag,
    &tg__op_diagonal,
    &tg__op_digamma,
    &tg__op_div,
    &tg__op_dot,
    &tg__op_eigh,
    &tg__op_elu,
    &tg__op_embedding,
    &tg__op_eq,
    &tg__op_erf,
    &tg__op_erfc,
    &tg__op_exp,
    &tg__op_exp2,
    &tg__op_expand,
    &tg__op_expm1,
    &tg__op_eye,
    &tg__op_fence,
    &tg__op_flatten,
    &tg__op_flip,
    &tg__op_floor,
    &tg__op_fma,
    &tg__op_fmod,
    &tg__op_focal,
    &tg__op_focal_binary,
    &tg__op_fold,
    &tg__op_frac,
    &tg__op_gather,
    &tg__op_gather_grad,
    &tg__op_gaussian_nll,
    &tg__op_ge,
    &tg__op_gelu,
    &tg__op_gelu_slope,
    &tg__op_gelu_tanh,
    &tg__op_gelu_tanh_slope,
    &tg__op_gt,
    &tg__op_hardsigmoid,
    &tg__op_hardswish,
    &tg__op_hardtanh,
    &tg__op_heaviside,
    &tg__op_hinge,
    &tg__op_huber,
    &tg__op_hypot,
    &tg__op_identity,
    &tg__op_index_select,
    &tg__op_interpolate,
    &tg__op_inverse,
    &tg__op_isfinite,
    &tg__op_isinf,
    &tg__op_isnan,
    &tg__op_kl,
    &tg__op_layer_norm,
    &tg__op_layer_norm_grad,
    &tg__op_le,
    &tg__op_lerp,
    &tg__op_lgamma,
    &tg__op_log,
    &tg__op_log10,
    &tg__op_log1p,
    &tg__op_log2,
    &tg__op_log_sigmoid,
    &tg__op_log_softmax,
    &tg__op_log_softmax_grad,
    &tg__op_logcumsumexp,
    &tg__op_logsumexp,
    &tg__op_lt,
    &tg__op_mae,
    &tg__op_masked_fill,
    &tg__op_masked_select_max,
    &tg__op_matmul,
    &tg__op_matrix_norm,
    &tg__op_max,
    &tg__op_max_pool,
    &tg__op_max_pool_grad,
    &tg__op_max_pool_pick,
    &tg__op_maximum,
    &tg__op_mean,
    &tg__op_min,
    &tg__op_minimum,
    &tg__op_mish,
    &tg__op_mish_slope,
    &tg__op_mse,
    &tg__op_mul,
    &tg__op_ne,
    &tg__op_neg,
    &tg__op_nll,
    &tg__op_nonzero,
    &tg__op_norm,
    &tg__op_normal,
    &tg__op_normal_cdf,
    &tg__op_not,
    &tg__op_one_hot,
    &tg__op_or,
    &tg__op_outer,
    &tg__op_pad,
    &tg__op_permute,
    &tg__op_pick,
    &tg__op_pixel_shuffle,
    &tg__op_pixel_unshuffle,
    &tg__op_poisson_nll,
    &tg__op_polygamma,
    &tg__op_pow,
    &tg__op_prelu,
    &tg__op_prod,
    &tg__op_qr,
    &tg__op_reciprocal,
    &tg__op_relu,
    &tg__op_relu6,
    &tg__op_remainder,
    &tg__op_repeat,
    &tg__op_reshape,
    &tg__op_rms_norm,
    &tg__op_rms_norm_grad,
    &tg__op_roll,
    &tg__op_round,
    &tg__op_rsqrt,
    &tg__op_scatter,
    &tg__op_scatter_add,
    &tg__op_selu,
    &tg__op_sigmoid,
    &tg__op_sigmoid_slope,
    &tg__op_sign,
    &tg__op_silu,
    &tg__op_silu_slope,
    &tg__op_sin,
    &tg__op_sinh,
    &tg__op_slice,
    &tg__op_slogdet,
    &tg__op_smooth_l1,
    &tg__op_softmax,
    &tg__op_softmax_grad,
    &tg__op_softplus,
    &tg__op_softsign,
    &tg__op_solve,
    &tg__op_sort,
    &tg__op_sqrt,
    &tg__op_square,
    &tg__op_squeeze,
    &tg__op_stack,
    &tg__op_std,
    &tg__op_stop_gradient,
    &tg__op_sub,
    &tg__op_sum,
    &tg__op_svd,
    &tg__op_take_along_axis,
    &tg__op_tan,
    &tg__op_tanh,
    &tg__op_tanh_slope,
    &tg__op_tile,
    &tg__op_trace,
    &tg__op_transpose,
    &tg__op_triangular_solve,
    &tg__op_tril,
    &tg__op_triplet,
    &tg__op_triu,
    &tg__op_trunc,
    &tg__op_unfold,
    &tg__op_uniform,
    &tg__op_unique_inverse,
    &tg__op_unique_max,
    &tg__op_unsqueeze,
    &tg__op_var,
    &tg__op_where,
    &tg__op_xor,
    NULL,
};

int tg_op_count(void) {
    return (int)(sizeof tg__op_list / sizeof *tg__op_list) - 1;
}

const tg_op *tg_op_get(int index) {
    return index >= 0 && index < tg_op_count() ? tg__op_list[index] : NULL;
}

const tg_op *tg_op_find(const char *name) {
    int low = 0, high = tg_op_count();
    while (name && low < high) {
        int middle = low + (high - low) / 2;
        int order = strcmp(name, tg__op_list[middle]->name);
        if (order == 0) return tg__op_list[middle];
        if (order < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

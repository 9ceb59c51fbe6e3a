/* Random numbers */
#include "ops/op_file.h"

static tg_source_fn *const uniform_fn[TG_DTYPE_COUNT] = {[TG_F32] = tg__uniform_f32, [TG_F64] = tg__uniform_f64};
static tg_source_fn *const normal_fn[TG_DTYPE_COUNT] = {[TG_F32] = tg__normal_f32, [TG_F64] = tg__normal_f64};

#define PHILOX "Salmon, Moraes, Dror, Shaw 2011, Parallel random numbers: as easy as 1, 2, 3"

#define NUMBERS(dtype, dims) .attr = &(const tg__source_attr){DIMS dims, dtype}
#define SOURCE                                                                                    \
    .attr_size = sizeof(tg__source_attr), .fields = tg__source_fields, .infer = tg__source_infer, \
    SAMPLES(SAMPLE("a vector", NUMBERS(TG_F32, (5003))), SAMPLE("f64", NUMBERS(TG_F64, (7, 3))),  \
            SAMPLE("rank 0", NUMBERS(TG_F32, ())), SAMPLE("nothing", NUMBERS(TG_F64, (0, 3)))),   \
    BADS(BAD("no attributes", TG_EARG, "the attributes are missing", .attr = NULL),               \
         BAD("an input", TG_EARG, "not 1", INPUTS(IN('f', (3))), NUMBERS(TG_F32, (3))),           \
         BAD("whole numbers", TG_EDTYPE, "must be f32 or f64, not i64", NUMBERS(TG_I64, (3))),    \
         BAD("no dtype", TG_EDTYPE, "not ?", NUMBERS((tg_dtype)77, (3))),                         \
         BAD("a negative size", TG_ESHAPE, "negative", NUMBERS(TG_F32, (2, -1))))

const tg_op tg__op_uniform = {
    .name = "uniform",
    .formula = "y = random, 0 <= y < 1",
    .source = PHILOX,
    .flags = TG_OP_RANDOM | TG_OP_CUT,
    .source_fn = uniform_fn,
    SOURCE,
};

const tg_op tg__op_normal = {
    .name = "normal",
    .formula = "y = random, mean 0, deviation 1",
    .source = PHILOX,
    .flags = TG_OP_RANDOM | TG_OP_CUT,
    .source_fn = normal_fn,
    SOURCE,
};

/* Numbers in 16 bits are drawn in f32 and rounded, as ops on such tensors are computed. */
static tg_tensor rounded(const char *site, tg_tensor x, tg_dtype dtype) {
    return tg__is_half(dtype) ? tg_cast_at(site, x, dtype) : x;
}

static tg_tensor draw(const char *site, tg_tape *t, const tg_op *op, tg_shape shape, tg_dtype dtype) {
    return tg__source(site, t, op, shape, tg__computed_in(dtype));
}

/* from + factor x: the numbers are data. */
static tg_tensor affine(const char *site, tg_tensor x, double from, double factor) {
    return tg_add_scalar_at(site, tg_scale_at(site, x, factor), from);
}

/*| tg_uniform: random numbers, evenly spread. They depend on the tape's seed (tg_seed) and on how many random tensors were
 *  recorded before, not on threads.
 *    y = lo + (hi - lo) u, 0 <= u < 1
 *  Shapes:   y shape
 *  Dtypes:   f32 (24 random bits), f64 (53), bf16, f16 (an f32 number, rounded: it may become hi)
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is no float
 *  Source:   Salmon, Moraes, Dror, Shaw 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox4x32-10) */
TG_API(tg_tensor, tg_uniform, (tg_tape *t, tg_shape shape, tg_dtype dtype, double lo, double hi), (t, shape, dtype, lo, hi)) {
    return rounded(site, affine(site, draw(site, t, &tg__op_uniform, shape, dtype), lo, hi - lo), dtype);
}

/*| tg_normal: random numbers of the normal distribution. They depend on the tape's seed (tg_seed) and on how many random
 *  tensors were recorded before, not on threads.
 *    y = mean + sd z, z standard normal
 *  Shapes:   y shape
 *  Dtypes:   f32, f64, bf16, f16
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if d is no float
 *  Source:   Box, Muller 1958, A note on the generation of random normal deviates; Philox4x32-10 (see tg_uniform) */
TG_API(tg_tensor, tg_normal, (tg_tape *t, tg_shape shape, tg_dtype d, double mean, double sd), (t, shape, d, mean, sd)) {
    return rounded(site, affine(site, draw(site, t, &tg__op_normal, shape, d), mean, sd), d);
}

static tg_tensor refuse(const char *site, tg_tape *t, tg_status status, const char *op, const char *why) {
    tg__fail(t, status, op, site, t->scope, "%s", why);
    return tg__poison(t);
}

/* Whether a function of a tensor can go on: it is on a tape without an error, and is there, and a float. */
static bool is_ready(const char *site, const char *op, tg_tensor x) {
    tg_tape *t = tg_tape_of(x);
    if (!t || t->base.error.status || !tg_valid(x)) return false;
    if (!tg__is_float(tg_dtype_of(x))) refuse(site, t, TG_EDTYPE, op, "the dtype must be a float's");
    return !t->base.error.status;
}

static tg_tensor not_ready(const char *site, tg_tensor x) {
    return tg_tape_of(x) ? tg_stop_gradient_at(site, x) /* says why */ : tg__lost(site);
}

/*| tg_gumbel: random numbers of the standard Gumbel distribution. The largest of logits plus such numbers is a sample of
 *  softmax(logits): tg_categorical.
 *    y = -log(-log(1 - u)), 0 <= u < 1; -log(1 - u) counts as at least 2^-25 (f64: 2^-54)
 *  Shapes:   y shape
 *  Dtypes:   f32, f64, bf16, f16
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is no float
 *  Source:   Gumbel 1935, Les valeurs extremes des distributions statistiques; Philox4x32-10 (see tg_uniform) */
TG_API(tg_tensor, tg_gumbel, (tg_tape *t, tg_shape shape, tg_dtype dtype), (t, shape, dtype)) {
    if (!t) return tg__lost(site);
    tg_tensor u = draw(site, t, &tg__op_uniform, shape, dtype);
    if (t->base.error.status) return tg__poison(t);
    tg_tensor least = tg_scalar_at(site, t, dtype == TG_F64 ? 0x1p-54 : 0x1p-25, tg_dtype_of(u));
    tg_tensor exponential = tg_maximum_at(site, tg_neg_at(site, tg_log1p_at(site, tg_neg_at(site, u))), least);
    return rounded(site, tg_neg_at(site, tg_log_at(site, exponential)), dtype);
}

/*| tg_bernoulli: true with the probability that p has there.
 *    y = u < p, 0 <= u < 1
 *  Shapes:   p (any) -> y (the same); for one probability everywhere give tg_full
 *  Dtypes:   p f32, bf16, f16 (to 2^-24), f64 -> bool; p <= 0 or NaN is never, p >= 1 always true
 *  Gradient: none flows
 *  Errors:   TG_EDTYPE if p is no float
 *  Source:   elementary; Philox4x32-10 (see tg_uniform) */
TG_API(tg_tensor, tg_bernoulli, (tg_tensor p), (p)) {
    if (!is_ready(site, "bernoulli", p)) return not_ready(site, p);
    tg_dtype d = tg__computed_in(tg_dtype_of(p));
    return tg_lt_at(site, draw(site, tg_tape_of(p), &tg__op_uniform, tg_shape_of(p), d), tg_cast_at(site, p, d));
}

/*| tg_categorical: a random class for each row of an axis, with the probabilities softmax(logits): the largest of the logits
 *  plus Gumbel numbers. Logits of -infinity are never taken.
 *    y = argmax over the axis of logits + tg_gumbel
 *  Shapes:   logits (..., C, ...), C >= 1 -> y without that axis
 *  Dtypes:   f32, f64, bf16, f16 -> i64
 *  Gradient: none flows
 *  Errors:   TG_EARG if the axis is out of range; TG_ESHAPE if it has size 0; TG_EDTYPE if logits are no floats
 *  Source:   Maddison, Tarlow, Minka 2014, A* sampling, section 2 (the Gumbel-max trick); Philox4x32-10 (see tg_uniform) */
TG_API(tg_tensor, tg_categorical, (tg_tensor logits, int64_t axis), (logits, axis)) {
    if (!is_ready(site, "categorical", logits)) return not_ready(site, logits);
    tg_dtype d = tg__computed_in(tg_dtype_of(logits));
    tg_tensor g = tg_gumbel_at(site, tg_tape_of(logits), tg_shape_of(logits), d);
    return tg_argmax_at(site, tg_add_at(site, tg_cast_at(site, logits, d), g), axis);
}

#define EXACT INT64_C(0x20000000000000) /* 2^53: doubles hold every whole number up to it */

/*| tg_randint: random whole numbers, evenly spread: from lo to hi - 1. Made of 53 random bits: for n = hi - lo numbers a
 *  probability is off 1 / n by less than 2^-53.
 *    y = lo + floor((hi - lo) u), 0 <= u < 1
 *  Shapes:   y shape
 *  Dtypes:   i64, i32
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if hi <= lo, or a bound does not fit the dtype or is beyond 2^53; TG_EDTYPE if dtype is not i64 or i32;
 *            TG_ESHAPE if the shape is not allowed
 *  Source:   elementary; Philox4x32-10 (see tg_uniform) */
TG_API(tg_tensor, tg_randint, (tg_tape *t, tg_shape shape, tg_dtype dtype, int64_t lo, int64_t hi), (t, shape, dtype, lo, hi)) {
    if (!t) return tg__lost(site);
    if (dtype != TG_I64 && dtype != TG_I32) return refuse(site, t, TG_EDTYPE, "randint", "the dtype must be i64 or i32");
    int64_t least = dtype == TG_I32 ? INT32_MIN : -EXACT, most = dtype == TG_I32 ? INT32_MAX : EXACT;
    if (hi <= lo) return refuse(site, t, TG_EARG, "randint", "there is no number from lo to hi - 1");
    if (lo < least || hi - 1 > most) return refuse(site, t, TG_EARG, "randint", "a bound is too large");
    tg_tensor u = tg__source(site, t, &tg__op_uniform, shape, TG_F64);
    tg_tensor steps = tg_cast_at(site, tg_scale_at(site, u, (double)(hi - lo)), TG_I64); /* hi - lo may be beyond i32 */
    return tg_cast_at(site, tg_add_at(site, steps, tg_full_at(site, t, TG_SCALAR, (double)lo, TG_I64)), dtype);
}

/*| tg_permutation: the numbers from 0 to n - 1 in random order: the order that sorts random numbers.
 *    y = argsort of u, 0 <= u < 1 with 53 random bits
 *  Shapes:   y (n)
 *  Dtypes:   i64
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if n < 0
 *  Source:   elementary; Philox4x32-10 (see tg_uniform) */
TG_API(tg_tensor, tg_permutation, (tg_tape *t, int64_t n), (t, n)) {
    if (!t) return tg__lost(site);
    return tg_argsort_at(site, tg__source(site, t, &tg__op_uniform, TG_SHAPE(n), TG_F64), 0, false);
}

static bool is_probability(const char *site, tg_tape *t, const char *op, double p) {
    if (!(p >= 0 && p < 1)) refuse(site, t, TG_EARG, op, "the probability must be in [0, 1)");
    return !t->base.error.status;
}

/*| tg_dropout_mask: what tg_dropout multiplies by, to be shared by several tensors or time steps.
 *    y = 0 with probability p, else 1 / (1 - p)
 *  Shapes:   y shape; a size of 1 drops a whole axis of what it is multiplied with
 *  Dtypes:   f32, f64, bf16, f16
 *  Gradient: none: there is no input
 *  Errors:   TG_EARG if p is not in [0, 1); TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is no float
 *  Source:   Gal, Ghahramani 2016, A theoretically grounded application of dropout in recurrent neural networks */
TG_API(tg_tensor, tg_dropout_mask, (tg_tape *t, tg_shape shape, tg_dtype dtype, double p), (t, shape, dtype, p)) {
    if (!t) return tg__lost(site);
    if (!is_probability(site, t, "dropout_mask", p)) return tg__poison(t);
    tg_tensor u = draw(site, t, &tg__op_uniform, shape, dtype);
    if (t->base.error.status) return u;
    tg_dtype d = tg_dtype_of(u);
    tg_tensor kept = tg_ge_at(site, u, tg_scalar_at(site, t, p, d));
    return rounded(site, tg_where_at(site, kept, tg_scalar_at(site, t, 1 / (1 - p), d), tg__zero_like(u)), dtype);
}

/*| tg_dropout: sets each element to 0 with probability p, and scales up the rest so that the mean stays. For training: leave
 *  the call out when you evaluate. p = 0 gives x itself.
 *    y = 0 with probability p, else x / (1 - p)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64, bf16, f16
 *  Gradient: dx = g / (1 - p) where x was kept, else 0
 *  Errors:   TG_EARG if p is not in [0, 1); TG_EDTYPE if x is no float
 *  Source:   Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, Dropout, section 10 */
TG_API(tg_tensor, tg_dropout, (tg_tensor x, double p), (x, p)) {
    tg_dtype stored = tg_dtype_of(x);
    if (tg__is_half(stored)) return tg_cast_at(site, tg_dropout_at(site, tg_cast_at(site, x, TG_F32), p), stored);
    if (!is_ready(site, "dropout", x)) return not_ready(site, x);
    tg_tape *t = tg_tape_of(x);
    tg_dtype d = tg_dtype_of(x);
    if (!is_probability(site, t, "dropout", p)) return tg__poison(t);
    if (p == 0) return x;
    tg_tensor u = tg__source(site, t, &tg__op_uniform, tg_shape_of(x), d);
    tg_tensor kept = tg_ge_at(site, u, tg_scalar_at(site, t, p, d));
    return tg_where_at(site, kept, tg_scale_at(site, x, 1 / (1 - p)), tg__zero_like(x));
}

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

/* from + factor x: the numbers are data. */
static tg_tensor affine(const char *site, tg_tensor x, double from, double factor) {
    return tg_add_scalar_at(site, tg_scale_at(site, x, factor), from);
}

/*| tg_uniform: random numbers, evenly spread. They depend on the tape's seed (tg_seed) and on how many random tensors were
 *  recorded before, not on threads.
 *    y = lo + (hi - lo) u, 0 <= u < 1
 *  Shapes:   y shape
 *  Dtypes:   f32 (24 random bits), f64 (53)
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if dtype is not f32 or f64
 *  Source:   Salmon, Moraes, Dror, Shaw 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox4x32-10) */
TG_API(tg_tensor, tg_uniform, (tg_tape *t, tg_shape shape, tg_dtype dtype, double lo, double hi), (t, shape, dtype, lo, hi)) {
    return affine(site, tg__source(site, t, &tg__op_uniform, shape, dtype), lo, hi - lo);
}

/*| tg_normal: random numbers of the normal distribution. They depend on the tape's seed (tg_seed) and on how many random
 *  tensors were recorded before, not on threads.
 *    y = mean + sd z, z standard normal
 *  Shapes:   y shape
 *  Dtypes:   f32, f64
 *  Gradient: none: there is no input
 *  Errors:   TG_ESHAPE if the shape is not allowed; TG_EDTYPE if d is not f32 or f64
 *  Source:   Box, Muller 1958, A note on the generation of random normal deviates; Philox4x32-10 (see tg_uniform) */
TG_API(tg_tensor, tg_normal, (tg_tape *t, tg_shape shape, tg_dtype d, double mean, double sd), (t, shape, d, mean, sd)) {
    return affine(site, tg__source(site, t, &tg__op_normal, shape, d), mean, sd);
}

static tg_tensor refuse(const char *site, tg_tape *t, tg_status status, const char *why) {
    tg__fail(t, status, "dropout", site, t->scope, "%s", why);
    return tg__poison(t);
}

/*| tg_dropout: sets each element to 0 with probability p, and scales up the rest so that the mean stays. For training: leave
 *  the call out when you evaluate. p = 0 gives x itself.
 *    y = 0 with probability p, else x / (1 - p)
 *  Shapes:   x (any) -> y (the same)
 *  Dtypes:   f32, f64
 *  Gradient: dx = g / (1 - p) where x was kept, else 0
 *  Errors:   TG_EARG if p is not in [0, 1); TG_EDTYPE if x is not f32 or f64
 *  Source:   Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014, Dropout, section 10 */
TG_API(tg_tensor, tg_dropout, (tg_tensor x, double p), (x, p)) {
    tg_tape *t = tg_tape_of(x);
    if (!t) return tg__lost(site);
    if (t->base.error.status) return tg__poison(t);
    if (!tg_valid(x)) return tg_stop_gradient_at(site, x); /* says why */
    if (!(p >= 0 && p < 1)) return refuse(site, t, TG_EARG, "the probability must be in [0, 1)");
    tg_dtype d = tg_dtype_of(x);
    if (!tg_dtype_is_float(d)) return refuse(site, t, TG_EDTYPE, "x must be f32 or f64");
    if (p == 0) return x;
    tg_tensor u = tg__source(site, t, &tg__op_uniform, tg_shape_of(x), d);
    tg_tensor kept = tg_ge_at(site, u, tg_scalar_at(site, t, p, d));
    return tg_where_at(site, kept, tg_scale_at(site, x, 1 / (1 - p)), tg__zero_like(x));
}

/* Losses of regression */
#include "ops/op_file.h"

static tg_status mse_infer(tg_infer *f) {
    if (!tg_dtype_is_float(f->in_dtype[0]) || f->in_dtype[0] != f->in_dtype[1])
        return tg_infer_fail(f, TG_EDTYPE, "%s and %s: both must be f32 or both f64: cast with tg_cast",
                             tg_dtype_name(f->in_dtype[0]), tg_dtype_name(f->in_dtype[1]));
    if (!tg_shape_equal(f->in_shape[0], f->in_shape[1]))
        return tg_infer_fail(f, TG_ESHAPE, "the shapes differ: a loss does not broadcast");
    if (tg_shape_numel(f->in_shape[0]) == 0) return tg_infer_fail(f, TG_ESHAPE, "the mean of an empty batch");
    f->shape[0] = TG_SCALAR;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

static tg_tensor mse_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in, (void)attr;
    return tg_mean(tg_square(tg_sub(in[0], in[1])), TG_ALL_AXES, false);
}

const tg_op tg__op_mse = {
    .name = "mse",
    .formula = "y = mean of (a - b)^2",
    .source = "elementary",
    .min_in = 2,
    .max_in = 2,
    .infer = mse_infer,
    .define = mse_define,
    SAMPLES(SAMPLE("matrices", INPUTS(IN('f', (3, 4)), IN('f', (3, 4)))), SAMPLE("vectors", INPUTS(IN('f', (7)), IN('f', (7)))),
            SAMPLE("numbers", INPUTS(IN('f', ()), IN('f', ())))),
    BADS(BAD("shapes that would broadcast", TG_ESHAPE, "does not broadcast", INPUTS(IN('f', (3, 1)), IN('f', (3)))),
         BAD("an empty batch", TG_ESHAPE, "empty batch", INPUTS(IN('f', (0, 4)), IN('f', (0, 4)))),
         BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3)), IN('i', (3)))),
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3)), IN('i', (3))))),
};

/*| tg_mse: the mean squared difference of two tensors of one shape.
 *    y = mean of (a - b)^2
 *  Shapes:   a, b (the same, at least one element) -> y ()
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = 2 g (a - b) / (number of elements), db = -da
 *  Errors:   TG_ESHAPE if the shapes differ (there is no broadcasting) or have no elements; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_API(tg_tensor, tg_mse, (tg_tensor a, tg_tensor b), (a, b)) {
    return tg_apply_at(site, NULL, &tg__op_mse, NULL, (tg_tensor[]){a, b}, 2);
}

/* Truth over axes */
#include "ops/reduce.h"

static tg_status truth_infer(tg_infer *f) {
    tg_axes axes = ((const tg_fold_attr *)f->attr)->axes;
    if (!tg__normalise_axes(&axes, f->in_shape[0]->rank))
        return tg_infer_fail(f, TG_EARG, "the axes are out of range or stand twice");
    f->shape[0] = tg__reduced_shape(f->in_shape[0], &axes, ((const tg_fold_attr *)f->attr)->keepdims != 0);
    f->dtype[0] = TG_BOOL;
    return TG_OK;
}

/* How many elements are not 0: counted where they are made, without memory. */
static tg_tensor count(tg_tensor truth, const void *attr) {
    const tg_fold_attr *fold = attr;
    return tg_sum(tg_cast(truth, TG_I64), fold->axes, fold->keepdims != 0);
}

static tg_tensor any_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    return tg_cast(count(tg_cast(in[0], TG_BOOL), attr), TG_BOOL);
}

static tg_tensor all_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    return tg_not(tg_cast(count(tg_not(tg_cast(in[0], TG_BOOL)), attr), TG_BOOL));
}

#define TRUTH(op_name, formula_)                                                                                 \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = 1, .max_in = 1, .flags = TG_OP_CUT, \
    .attr_size = sizeof(tg_fold_attr), .fields = tg__fold_fields, .infer = truth_infer, .define = op_name##_define
#define TRUTH_SAMPLES                                                                                            \
    SAMPLES(SAMPLE("rows", INPUTS(IN('b', (5, 2))), AXES(0, 1)), SAMPLE("columns", INPUTS(IN('b', (2, 7))), AXES(1, 0)), \
            SAMPLE("first and last", INPUTS(IN('b', (2, 3, 2))), AXES(0, 0, 2)),                                 \
            SAMPLE("numbers", INPUTS(IN('i', (4, 2), .lo = -1, .hi = 1)), AXES(0, 1)),                           \
            SAMPLE("floats", INPUTS(IN('c', (3, 4))), AXES(0, 0)), SAMPLE("rank 0", INPUTS(IN('b', ())), AXES(0, )), \
            SAMPLE("nothing", INPUTS(IN('b', (3, 0))), AXES(0, 1)))
#define TRUTH_BADS                                                                                               \
    BADS(BAD("axis too large", TG_EARG, "out of range", INPUTS(IN('b', (3, 4))), AXES(0, 2)),                    \
         BAD("axis too small", TG_EARG, "out of range", INPUTS(IN('b', (3, 4))), AXES(0, -3)),                   \
         BAD("an axis twice", TG_EARG, "stand twice", INPUTS(IN('b', (3, 4))), AXES(0, 1, 1)),                   \
         BAD("an axis of rank 0", TG_EARG, "out of range", INPUTS(IN('b', ())), AXES(0, 0)),                     \
         BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('b', (3)), IN('b', (3))), AXES(0, 0)))

const tg_op tg__op_any = {
    TRUTH(any, "y = whether an element of x is not 0"),
    TRUTH_SAMPLES,
    TRUTH_BADS,
};

/*| tg_any: whether an element over axes is true, or not 0; a NaN is not 0. Of nothing: false.
 *    y = whether an element of x is not 0
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   every dtype -> bool
 *  Gradient: none flows
 *  Errors:   TG_EARG if an axis is out of range or stands twice
 *  Source:   elementary */
TG_API(tg_tensor, tg_any, (tg_tensor x, tg_axes axes, bool keepdims), (x, axes, keepdims)) {
    tg_fold_attr attr = tg__fold_attr_of(x, axes, keepdims);
    return tg_apply_at(site, NULL, &tg__op_any, &attr, &x, 1);
}

const tg_op tg__op_all = {
    TRUTH(all, "y = whether no element of x is 0"),
    TRUTH_SAMPLES,
    TRUTH_BADS,
};

/*| tg_all: whether all elements over axes are true, or not 0; a NaN is not 0. Of nothing: true.
 *    y = whether no element of x is 0
 *  Shapes:   x (any) -> y without the axes, or with size 1 there if keepdims
 *  Dtypes:   every dtype -> bool
 *  Gradient: none flows
 *  Errors:   TG_EARG if an axis is out of range or stands twice
 *  Source:   elementary */
TG_API(tg_tensor, tg_all, (tg_tensor x, tg_axes axes, bool keepdims), (x, axes, keepdims)) {
    tg_fold_attr attr = tg__fold_attr_of(x, axes, keepdims);
    return tg_apply_at(site, NULL, &tg__op_all, &attr, &x, 1);
}

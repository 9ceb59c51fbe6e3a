/* Losses of classification */
#include "ops/loss.h"

#define LAST TG_AXES(-1)

static tg_tensor one_minus(tg_tensor x) { return tg_sub(tg__one_like(x), x); }

/* ------------------------------------------------------------------ pick: the element of each row that its label names */

static int64_t label_at(const tg_operand *labels, int64_t i) {
    return labels->dtype == TG_I32 ? ((const int32_t *)labels->data)[i] : ((const int64_t *)labels->data)[i];
}

static tg_status pick_infer(tg_infer *f) {
    static const tg__loss_kind kind = {.name = "pick", .data = 2, .rows = true, .labels = true};
    static const tg__loss_attr each = {.reduction = TG_REDUCE_NONE};
    f->attr = &each;
    return tg__loss_infer(f, &kind);
}

static tg_status pick_kernel(tg_kernel_args *k) {
    const tg_operand *x = &k->in[0], *labels = &k->in[1], *y = &k->out[0];
    int64_t n = x->shape->dims[x->shape->rank - 1];
    for (int64_t i = 0; i < y->numel; i++) {
        int64_t label = label_at(labels, i);
        if (label < 0 || label >= n) {
            snprintf(k->message, k->message_size, "label %lld at position %lld is not in [0, %lld)", (long long)label,
                     (long long)i, (long long)n);
            return TG_EINDEX;
        }
        if (x->dtype == TG_F32) ((float *)y->data)[i] = ((const float *)x->data)[i * n + label];
        else ((double *)y->data)[i] = ((const double *)x->data)[i * n + label];
    }
    return TG_OK;
}

static tg_tensor pick_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in, (void)attr;
    return tg_sum(tg_where(tg__is_label(t, in[0], in[1]), in[0], tg__zero_like(in[0])), LAST, false);
}

static void pick_vjp(tg_vjp_args *v) {
    tg_tensor g = tg_unsqueeze(v->g[0], LAST);
    if (tg_vjp_needs(v, 0))
        tg_vjp_give(v, 0, tg_where(tg__is_label(tg_tape_of(g), v->in[0], v->in[1]), g, tg__zero_like(g)));
}

#define LABELS(n, shape) IN('i', shape, .lo = 0, .hi = (n) - 1)

const tg_op tg__op_pick = {
    .name = "pick",
    .formula = "y = x[label], for each row",
    .source = "elementary",
    .min_in = 2,
    .max_in = 2,
    .flags = TG_OP_CAN_FAIL,
    .infer = pick_infer,
    .vjp = pick_vjp,
    .define = pick_define,
    .kernel = pick_kernel,
    SAMPLES(SAMPLE("rows", INPUTS(IN('f', (4, 5)), LABELS(5, (4)))),
            SAMPLE("i32 labels", INPUTS(IN('f', (2, 2, 3)), IN('j', (2, 2), .lo = 0, .hi = 2))),
            SAMPLE("one row", INPUTS(IN('f', (3)), LABELS(3, ()))),
            SAMPLE("no rows", INPUTS(IN('f', (0, 3)), LABELS(3, (0))))),
    BADS(BAD("float labels", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (4, 5)), IN('f', (4)))),
         BAD("labels of another shape", TG_ESHAPE, "labels' shape", INPUTS(IN('f', (4, 5)), LABELS(5, (5)))),
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (4, 5)), LABELS(5, (4)))),
         BAD("no class", TG_ESHAPE, "size 0", INPUTS(IN('f', (4, 0)), LABELS(5, (4)))),
         BAD("a label too large", TG_EINDEX, "label 5 at position 0 is not in [0, 5)",
             INPUTS(IN('f', (4, 5)), IN('i', (4), .lo = 5, .hi = 5)))),
};

/* ------------------------------------------------------------------ with labels: cross_entropy_with, nll, focal */

#define LABEL_KIND(name, numbers_, takes_) \
    LOSS_KIND(name, .data = 2, .numbers = numbers_, .rows = true, .labels = true, .takes = takes_)
/* The class weight of each label; owner NULL: none is given. */
static tg_tensor weight_of_labels(const tg__loss *l) {
    return tg__is_none(l->class_weight) ? l->class_weight : tg_gather(l->class_weight, 0, l->x[1]);
}

static tg_tensor times(tg_tensor x, tg_tensor weight) { return tg__is_none(weight) ? x : tg_mul(x, weight); }

LABEL_KIND(cross_entropy_with, 0, TG__CLASS_WEIGHT | TG__SMOOTHING | TG__IGNORE)

static tg_tensor cross_entropy_with_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    tg__loss l = tg__loss_open(in, attr, &cross_entropy_with_kind);
    tg_tensor weight = weight_of_labels(&l), each = times(tg_cross_entropy_each(l.x[0], l.x[1]), weight);
    if (!tg__is_none(l.smoothing)) {
        tg_tensor even = tg_neg(tg_mean(times(tg_log_softmax(l.x[0], -1), l.class_weight), LAST, false));
        each = tg_add(tg_mul(one_minus(l.smoothing), each), tg_mul(l.smoothing, even));
    }
    return tg__loss_close(&l, each, weight);
}

#define WITH(parts_) OPTIONS(TG_REDUCE_MEAN, parts_)
#define IGNORED(reduction_, parts_, label) .attr = &(const tg__loss_attr){reduction_, (parts_) | TG__IGNORE, label}
#define HALF IN('c', (), .lo = 0.1, .hi = 0.1)
#define LABEL_SAMPLES(D)                                                                                      \
    SAMPLE("the mean", INPUTS(D((4, 5), (4))), PLAIN),                                                        \
    SAMPLE("one row", INPUTS(D((5), ())), OPTIONS(TG_REDUCE_SUM, 0)),                                         \
    SAMPLE("each, weighted and masked", INPUTS(D((2, 3, 5), (2, 3)), IN('f', (3)), IN('b', (2, 1))),          \
           OPTIONS(TG_REDUCE_NONE, TG__WEIGHT | TG__MASK)),                                                   \
    SAMPLE("class weights", INPUTS(D((4, 5), (4)), IN('f', (5), .lo = 0.5, .hi = 2)), WITH(TG__CLASS_WEIGHT)), \
    SAMPLE("class weights of what counts", INPUTS(D((6, 5), (6)), IN('f', (5), .lo = 0.5, .hi = 2), IN('b', (6))), \
           WITH(TG__CLASS_WEIGHT | TG__MASK)),                                                                \
    SAMPLE("an ignored label", INPUTS(D((9, 5), (9))), IGNORED(TG_REDUCE_MEAN, 0, 2)),                        \
    SAMPLE("no rows", INPUTS(D((0, 5), (0))), OPTIONS(TG_REDUCE_SUM, 0))
#define LABEL_BADS(ALL)                                                                                       \
    BAD("float labels", TG_EDTYPE, "i64 or i32", INPUTS(ALL(IN('f', (4, 5)), IN('f', (4)))), PLAIN),          \
    BAD("labels of another shape", TG_ESHAPE, "labels' shape", INPUTS(ALL(IN('f', (4, 5)), LABELS(5, (5)))), PLAIN), \
    BAD("whole scores", TG_EDTYPE, "tg_cast", INPUTS(ALL(IN('i', (4, 5)), LABELS(5, (4)))), PLAIN),           \
    BAD("no class", TG_ESHAPE, "size 0", INPUTS(ALL(IN('f', (4, 0)), LABELS(5, (4)))), PLAIN),                \
    BAD("an empty batch", TG_ESHAPE, "empty batch", INPUTS(ALL(IN('f', (0, 5)), LABELS(5, (0)))), PLAIN),     \
    BAD("class weights of other classes", TG_ESHAPE, "each of 5 classes",                                     \
        INPUTS(ALL(IN('f', (4, 5)), LABELS(5, (4))), IN('f', (4))), WITH(TG__CLASS_WEIGHT))

#define DATA(shape, rows) IN('f', shape), LABELS(5, rows)
#define ALL(a, b) a, b
#define BRIDLE "Bridle 1990, Probabilistic interpretation of feedforward classification network outputs"

const tg_op tg__op_cross_entropy_with = {
    LOSS_OP(cross_entropy_with, "y = mean of w[label] (log(sum of e^logits) - logits[label])", BRIDLE, 2),
    SAMPLES(LABEL_SAMPLES(DATA), SAMPLE("smoothed", INPUTS(DATA((4, 5), (4)), HALF), WITH(TG__SMOOTHING)),
            SAMPLE("smoothed, with class weights", INPUTS(DATA((4, 5), (4)), IN('f', (5), .lo = 0.5, .hi = 2), HALF),
                   WITH(TG__SMOOTHING | TG__CLASS_WEIGHT))),
    BADS(LABEL_BADS(ALL)),
};

/*| tg_cross_entropy_with: tg_cross_entropy with class weights, label smoothing, an ignored label, weights, masks or another
 *  reduction. Labels of what does not count need not be classes.
 *    each = (1 - s) w[label] (-log p[label]) + s / C (sum over the classes of w (-log p)), p = softmax(logits), s the smoothing
 *  Shapes:   logits (..., C), C >= 1, labels (...) -> y (), or that of the labels with TG_REDUCE_NONE
 *  Dtypes:   logits and weights f32, f64; labels i64, i32
 *  Gradient: dlogits = (p - one_hot(labels)) g without smoothing and weights; the mean with class weights is divided by the sum
 *            of w[label]
 *  Errors:   TG_ESHAPE if the shapes do not fit or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG
 *            for a smoothing out of [0, 1]; when run, TG_EINDEX if a label that counts is not in [0, C)
 *  Source:   Szegedy, Vanhoucke, Ioffe, Shlens, Wojna 2016, Rethinking the Inception architecture, section 7 (smoothing) */
TG_API(tg_tensor, tg_cross_entropy_with, (tg_tensor logits, tg_tensor labels, tg_loss_options options),
       (logits, labels, options)) {
    return tg__loss_apply(site, &tg__op_cross_entropy_with, &cross_entropy_with_kind, (tg_tensor[]){logits, labels}, NULL,
                          options);
}

LABEL_KIND(nll, 0, TG__CLASS_WEIGHT | TG__IGNORE)

static tg_tensor nll_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    tg__loss l = tg__loss_open(in, attr, &nll_kind);
    tg_tensor weight = weight_of_labels(&l), picked = tg_apply(NULL, &tg__op_pick, NULL, l.x, 2);
    return tg__loss_close(&l, times(tg_neg(picked), weight), weight);
}

const tg_op tg__op_nll = {
    LOSS_OP(nll, "y = mean of -w[label] log_p[label]", "elementary", 2),
    SAMPLES(LABEL_SAMPLES(DATA)),
    BADS(LABEL_BADS(ALL)),
};

/*| tg_nll: the negative log-likelihood of labels, from log-probabilities (tg_log_softmax).
 *    each = -w[label] log_p[label]
 *  Shapes:   log_p (..., C), C >= 1, labels (...) -> y (), or that of the labels with TG_REDUCE_NONE
 *  Dtypes:   log_p and weights f32, f64; labels i64, i32
 *  Gradient: dlog_p = -w[label] g at the labels, else 0; the mean with class weights is divided by the sum of w[label]
 *  Errors:   TG_ESHAPE if the shapes do not fit or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG
 *            for options that this loss has no use for; when run, TG_EINDEX if a label that counts is not in [0, C)
 *  Source:   elementary */
TG_API(tg_tensor, tg_nll, (tg_tensor log_p, tg_tensor labels, tg_loss_options options), (log_p, labels, options)) {
    return tg__loss_apply(site, &tg__op_nll, &nll_kind, (tg_tensor[]){log_p, labels}, NULL, options);
}

LABEL_KIND(focal, 1, TG__CLASS_WEIGHT | TG__IGNORE)

#define LEAST_MISS 1e-18 /* below it the derivatives of (1 - p)^gamma would overflow f32 */

static tg_tensor focal_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    tg__loss l = tg__loss_open(in, attr, &focal_kind);
    tg_tensor each = tg_cross_entropy_each(l.x[0], l.x[1]), weight = weight_of_labels(&l);
    tg_tensor miss = tg_maximum(tg_neg(tg_expm1(tg_neg(each))), tg_scalar(t, LEAST_MISS, tg_dtype_of(each)));
    return tg__loss_close(&l, times(tg_mul(each, tg_pow(miss, l.number[0])), weight), weight);
}

#undef DATA
#undef ALL
#define DATA(shape, rows) IN('f', shape), LABELS(5, rows), IN('c', (), .lo = 2, .hi = 2)
#define ALL(a, b) a, b, IN('c', (), .lo = 2, .hi = 2)
#define LIN "Lin, Goyal, Girshick, He, Dollar 2017, Focal loss for dense object detection, equations 4 and 5"
const tg_op tg__op_focal = {
    LOSS_OP(focal, "y = mean of -w[label] (1 - p[label])^gamma log p[label], p = softmax(logits)", LIN, 3),
    SAMPLES(LABEL_SAMPLES(DATA),
            SAMPLE("gamma 0.5", INPUTS(IN('f', (4, 5)), LABELS(5, (4)), IN('c', (), .lo = 0.5, .hi = 0.5)), PLAIN)),
    BADS(LABEL_BADS(ALL)),
};

/*| tg_focal: cross-entropy that counts rows less which are already right. gamma = 0 is tg_cross_entropy_with, bit for bit.
 *    each = -w[label] (1 - p[label])^gamma log p[label], p = softmax(logits)
 *  Shapes:   logits (..., C), C >= 1, labels (...) -> y (), or that of the labels with TG_REDUCE_NONE
 *  Dtypes:   logits and weights f32, f64; labels i64, i32
 *  Gradient: dlogits = g w[label] (m^gamma - gamma m^(gamma - 1) p[label] log p[label]) (p - one_hot(labels)), m = 1 -
 *            p[label], which counts as 1e-18 where it is less, and is constant there
 *  Errors:   TG_EARG if gamma < 0, or for options that this loss has no use for; TG_ESHAPE if the shapes do not fit or there is
 *            nothing to take the mean of; TG_EDTYPE for other dtypes; when run, TG_EINDEX if a label that counts is no class
 *  Source:   Lin, Goyal, Girshick, He, Dollar 2017, Focal loss for dense object detection, equations 4 and 5 */
TG_API(tg_tensor, tg_focal, (tg_tensor logits, tg_tensor labels, double gamma, tg_loss_options options),
       (logits, labels, gamma, options)) {
    return tg__loss_apply_if(gamma >= 0 ? NULL : "gamma must not be negative", site, &tg__op_focal, &focal_kind,
                             (tg_tensor[]){logits, labels}, &gamma, options);
}

/* ------------------------------------------------------------------ with probabilities: cross_entropy_soft, kl */

LOSS_KIND(cross_entropy_soft, .data = 2, .rows = true, .takes = TG__CLASS_WEIGHT | TG__SMOOTHING)

static tg_tensor cross_entropy_soft_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    tg__loss l = tg__loss_open(in, attr, &cross_entropy_soft_kind);
    tg_shape s = tg_shape_of(in[0]);
    tg_tensor p = l.x[1], classes = tg_scalar(t, (double)s.dims[s.rank - 1], tg_dtype_of(p));
    if (!tg__is_none(l.smoothing)) p = tg_add(tg_mul(p, one_minus(l.smoothing)), tg_div(l.smoothing, classes));
    tg_tensor each = tg_neg(tg_sum(tg_mul(times(p, l.class_weight), tg_log_softmax(l.x[0], -1)), LAST, false));
    return tg__loss_close(&l, each, (tg_tensor){0});
}

#undef DATA
#undef ALL
#define DATA(shape) IN('f', shape), IN('f', shape, .lo = 0.1, .hi = 1)
#define ALL(a, b) a, b
const tg_op tg__op_cross_entropy_soft = {
    LOSS_OP(cross_entropy_soft, "y = mean of -(sum over the classes of w p log(softmax(logits)))", BRIDLE, 2),
    SAMPLES(ROW_LOSS_SAMPLES(DATA),
            SAMPLE("smoothed, with class weights", INPUTS(DATA((3, 4)), IN('f', (4), .lo = 0.5, .hi = 2), HALF),
                   WITH(TG__SMOOTHING | TG__CLASS_WEIGHT))),
    BADS(LOSS_BADS(ALL), BAD("rank 0", TG_ESHAPE, "no rows", INPUTS(IN('f', ()), IN('f', ())), PLAIN)),
};

/*| tg_cross_entropy_soft: cross-entropy with a probability for each class in the place of labels.
 *    each = -(sum over the classes of w p' log(softmax(logits))), p' = (1 - s) p + s / C, s the smoothing
 *  Shapes:   logits, p (..., C), the same, C >= 1 -> y (), or (...) with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dlogits = (softmax(logits) (sum of w p') - w p') g, dp = -(1 - s) w log(softmax(logits)) g; the mean is over the
 *            rows, also with class weights
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for a
 *            smoothing out of [0, 1] and for options that this loss has no use for
 *  Source:   Bridle 1990, Probabilistic interpretation of feedforward classification network outputs */
TG_API(tg_tensor, tg_cross_entropy_soft, (tg_tensor logits, tg_tensor p, tg_loss_options options), (logits, p, options)) {
    return tg__loss_apply(site, &tg__op_cross_entropy_soft, &cross_entropy_soft_kind, (tg_tensor[]){logits, p}, NULL, options);
}

/* p log p is 0 where p = 0. */
static tg_tensor kl_of(tg_tensor log_q, tg_tensor p) {
    tg_tensor log_p = tg_log(tg_where(tg_gt(p, tg__zero_like(p)), p, tg__one_like(p)));
    return tg_sum(tg_mul(p, tg_sub(log_p, log_q)), LAST, false);
}

LOSS(kl, 2, 0, true, kl_of(x[0], x[1]))

const tg_op tg__op_kl = {
    LOSS_OP(kl, "y = mean of (sum over the last axis of p (log p - log_q))",
            "Kullback, Leibler 1951, On information and sufficiency", 2),
    SAMPLES(ROW_LOSS_SAMPLES(DATA)),
    BADS(LOSS_BADS(ALL), BAD("rank 0", TG_ESHAPE, "no rows", INPUTS(IN('f', ()), IN('f', ())), PLAIN)),
};

/*| tg_kl: the divergence of the distributions q, given by their logarithm, from the distributions p, along the last axis.
 *    each = sum over the last axis of p (log p - log_q), with p log p = 0 where p = 0
 *  Shapes:   log_q, p (..., C), the same, C >= 1 -> y (), or (...) with TG_REDUCE_NONE. The mean is over the distributions
 *            (elsewhere called "batchmean"), not over their elements
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dlog_q = -p g, dp = (log p + 1 - log_q) g, and -log_q g where p = 0
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   Kullback, Leibler 1951, On information and sufficiency */
TG_API(tg_tensor, tg_kl, (tg_tensor log_q, tg_tensor p, tg_loss_options options), (log_q, p, options)) {
    return tg__loss_apply(site, &tg__op_kl, &kl_kind, (tg_tensor[]){log_q, p}, NULL, options);
}

/* ------------------------------------------------------------------ two classes: bce, bce_with_logits, focal_binary, hinge */

/* So near to 0 and 1 as the dtype allows: the logarithms and their derivatives are finite. */
static tg_tensor inside(tg_tensor p) {
    bool f32 = tg_dtype_of(p) == TG_F32;
    tg_tensor least = tg_scalar(tg_tape_of(p), f32 ? 0x1p-126 : 0x1p-1022, tg_dtype_of(p));
    tg_tensor most = tg_scalar(tg_tape_of(p), f32 ? 1 - 0x1p-24 : 1 - 0x1p-53, tg_dtype_of(p));
    return tg_minimum(tg_maximum(p, least), most);
}

static tg_tensor bce_of(tg_tensor p, tg_tensor target) {
    tg_tensor q = inside(p);
    return tg_neg(tg_add(tg_mul(target, tg_log(q)), tg_mul(one_minus(target), tg_log1p(tg_neg(q)))));
}

LOSS(bce, 2, 0, false, bce_of(x[0], x[1]))

#undef DATA
#define DATA(shape) IN('f', shape, .lo = 0.1, .hi = 0.9), IN('f', shape, .lo = 0, .hi = 1)
const tg_op tg__op_bce = {
    LOSS_OP(bce, "y = mean of -(t log p + (1 - t) log(1 - p))", "elementary: the Bernoulli distribution", 2),
    SAMPLES(LOSS_SAMPLES(DATA)),
    BADS(LOSS_BADS(ALL)),
};

/*| tg_bce: binary cross-entropy of probabilities. Where p is computed by a sigmoid use tg_bce_with_logits, which is exact
 *  there.
 *    each = -(t log p + (1 - t) log(1 - p)); p is moved into [2^-126, 1 - 2^-24] (f64: [2^-1022, 1 - 2^-53])
 *  Shapes:   p, target (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dp = g (p - t) / (p (1 - p)), 0 where p was moved; dtarget = g (log(1 - p) - log p)
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary: the Bernoulli distribution */
TG_API(tg_tensor, tg_bce, (tg_tensor p, tg_tensor target, tg_loss_options options), (p, target, options)) {
    return tg__loss_apply(site, &tg__op_bce, &bce_kind, (tg_tensor[]){p, target}, NULL, options);
}

/* log(1 + e^-x) is -log p, log(1 + e^x) is -log(1 - p): nothing cancels, and no corner is at x = 0. */
LOSS_KIND(bce_with_logits, .data = 2, .takes = TG__CLASS_WEIGHT)

static tg_tensor two_sides(tg_tensor target, tg_tensor positive, tg_tensor negative) {
    return tg_add(tg_mul(target, positive), tg_mul(one_minus(target), negative));
}

static tg_tensor bce_with_logits_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    tg__loss l = tg__loss_open(in, attr, &bce_with_logits_kind);
    tg_tensor positive = times(tg_softplus(tg_neg(l.x[0])), l.class_weight);
    return tg__loss_close(&l, two_sides(l.x[1], positive, tg_softplus(l.x[0])), (tg_tensor){0});
}

#undef DATA
#define DATA(shape) IN('f', shape), IN('f', shape, .lo = 0, .hi = 1)
const tg_op tg__op_bce_with_logits = {
    LOSS_OP(bce_with_logits, "y = mean of w t log(1 + e^-x) + (1 - t) log(1 + e^x)",
            "elementary: the Bernoulli distribution", 2),
    SAMPLES(LOSS_SAMPLES(DATA), SAMPLE("a weight of the positive class", INPUTS(DATA((3, 4)), IN('f', (4), .lo = 0.5, .hi = 2)),
                                       WITH(TG__CLASS_WEIGHT))),
    BADS(LOSS_BADS(ALL)),
};

/*| tg_bce_with_logits: binary cross-entropy of sigmoid(logits); no overflow, nothing cancels. options.class_weight is the
 *  weight w of the positive class: it broadcasts to the logits, and does not change what the mean is divided by.
 *    each = w t log(1 + e^-x) + (1 - t) log(1 + e^x)
 *  Shapes:   logits, target (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dlogits = g ((1 - t) sigmoid(x) - w t sigmoid(-x)); for w = 1 that is g (sigmoid(x) - t), and dtarget = -g x
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   elementary: the Bernoulli distribution */
TG_API(tg_tensor, tg_bce_with_logits, (tg_tensor logits, tg_tensor target, tg_loss_options options),
       (logits, target, options)) {
    return tg__loss_apply(site, &tg__op_bce_with_logits, &bce_with_logits_kind, (tg_tensor[]){logits, target}, NULL, options);
}

/* Numbers: gamma, the weights of positives and of negatives. */
static tg_tensor focal_binary_of(tg_tensor x, tg_tensor target, const tg_tensor *c) {
    tg_tensor miss_log = tg_softplus(x), hit_log = tg_softplus(tg_neg(x)); /* -log(1 - p), -log p */
    tg_tensor positive = tg_mul(hit_log, tg_exp(tg_neg(tg_mul(c[0], miss_log))));
    tg_tensor negative = tg_mul(miss_log, tg_exp(tg_neg(tg_mul(c[0], hit_log))));
    return two_sides(target, tg_mul(positive, c[1]), tg_mul(negative, c[2]));
}

LOSS(focal_binary, 2, 3, false, focal_binary_of(x[0], x[1], c))

#define CONSTANTS IN('c', (), .lo = 1.5, .hi = 2.5), IN('c', (), .lo = 0.25, .hi = 0.25), IN('c', (), .lo = 0.75, .hi = 0.75)
#undef DATA
#undef ALL
#define ALL(a, b) a, b, CONSTANTS
#define DATA(shape) ALL(IN('f', shape), IN('f', shape, .lo = 0, .hi = 1))
#define FOCAL_SAMPLES                                                                                         \
    SAMPLES(SAMPLE("the mean", INPUTS(DATA((3, 4))), PLAIN), SAMPLE("the sum", INPUTS(DATA((7))), OPTIONS(TG_REDUCE_SUM, 0)), \
            SAMPLE("each, masked", INPUTS(DATA((3, 4)), IN('b', (4))), OPTIONS(TG_REDUCE_NONE, TG__MASK)),    \
            SAMPLE("none", INPUTS(DATA((0, 2))), OPTIONS(TG_REDUCE_SUM, 0)))
const tg_op tg__op_focal_binary = {
    LOSS_OP(focal_binary, "y = mean of -a t (1 - p)^gamma log p - b (1 - t) p^gamma log(1 - p), p = sigmoid(x)", LIN, 5),
    FOCAL_SAMPLES,
    BADS(LOSS_BADS(ALL)),
};

/*| tg_focal_binary: binary cross-entropy of sigmoid(logits) that counts elements less which are already right. gamma = 0 with
 *  alpha < 0 is tg_bce_with_logits, bit for bit. Positives are weighted by alpha, negatives by 1 - alpha; alpha < 0: neither.
 *    each = -alpha t (1 - p)^gamma log p - (1 - alpha) (1 - t) p^gamma log(1 - p), p = sigmoid(logits)
 *  Shapes:   logits, target (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: with a, b the weights alpha, 1 - alpha and q = 1 - p: dlogits = g (b (1 - t) p^gamma (p - gamma q log q) -
 *            a t q^gamma (q - gamma p log p)); dtarget = g (b p^gamma log q - a q^gamma log p)
 *  Errors:   TG_EARG if gamma < 0 or alpha > 1, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Lin, Goyal, Girshick, He, Dollar 2017, Focal loss for dense object detection, equations 4 and 5 */
TG_API(tg_tensor, tg_focal_binary,
       (tg_tensor logits, tg_tensor target, double alpha, double gamma, tg_loss_options options),
       (logits, target, alpha, gamma, options)) {
    const double numbers[] = {gamma, alpha < 0 ? 1 : alpha, alpha < 0 ? 1 : 1 - alpha};
    const char *why = !(gamma >= 0) ? "gamma must not be negative" : alpha <= 1 ? NULL : "alpha must not be above 1";
    return tg__loss_apply_if(why, site, &tg__op_focal_binary, &focal_binary_kind, (tg_tensor[]){logits, target}, numbers,
                             options);
}

LOSS(hinge, 2, 0, false, tg_relu(one_minus(tg_mul(x[0], x[1]))))

#undef DATA
#undef ALL
#define ALL(a, b) a, b
#define DATA(shape) IN('f', shape, .lo = -0.9, .hi = 0.9), IN('f', shape, .lo = -1, .hi = 1)
#define RIGHT(shape) IN('f', shape, .lo = 2, .hi = 3), IN('f', shape, .lo = 1, .hi = 1.5)
const tg_op tg__op_hinge = {
    LOSS_OP(hinge, "y = mean of max(1 - t x, 0)", "Cortes, Vapnik 1995, Support-vector networks", 2),
    SAMPLES(LOSS_SAMPLES(DATA), SAMPLE("beyond the margin", INPUTS(RIGHT((3, 4))), PLAIN)),
    BADS(LOSS_BADS(ALL)),
};

/*| tg_hinge: the hinge loss of scores, for targets 1 and -1: 0 for scores beyond the margin 1 on the right side.
 *    each = max(1 - target score, 0)
 *  Shapes:   score, target (the same) -> y (), or that shape with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: dscore = -g target where target score < 1, else 0; dtarget likewise
 *  Errors:   TG_ESHAPE if the shapes differ or there is nothing to take the mean of; TG_EDTYPE for other dtypes; TG_EARG for
 *            options that this loss has no use for
 *  Source:   Cortes, Vapnik 1995, Support-vector networks */
TG_API(tg_tensor, tg_hinge, (tg_tensor score, tg_tensor target, tg_loss_options options), (score, target, options)) {
    return tg__loss_apply(site, &tg__op_hinge, &hinge_kind, (tg_tensor[]){score, target}, NULL, options);
}

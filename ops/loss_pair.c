/* Losses of pairs and triples of vectors */
#include "ops/loss.h"

#define LAST TG_AXES(-1)
#define DATA(shape) IN('f', shape), IN('f', shape)
#define ALL(a, b) a, b

static tg_tensor number(tg_tensor x, double value) { return tg_scalar(tg_tape_of(x), value, tg_dtype_of(x)); }

/* ------------------------------------------------------------------ cosine_similarity, cosine */

#define LEAST_SQUARE 1e-16 /* of a norm */

static tg_tensor inverse_norm(tg_tensor x) {
    return tg_rsqrt(tg_maximum(tg_sum(tg_square(x), LAST, false), number(x, LEAST_SQUARE)));
}

static tg_tensor cosine_of(tg_tensor a, tg_tensor b) {
    return tg_mul(tg_sum(tg_mul(a, b), LAST, false), tg_mul(inverse_norm(a), inverse_norm(b)));
}

LOSS(cosine_similarity, 2, 0, true, cosine_of(x[0], x[1]))

#define EACH OPTIONS(TG_REDUCE_NONE, 0)
const tg_op tg__op_cosine_similarity = {
    LOSS_OP(cosine_similarity, "y = a.b / (|a| |b|), along the last axis", "elementary", 2),
    SAMPLES(SAMPLE("rows", INPUTS(DATA((3, 4))), EACH), SAMPLE("vectors", INPUTS(DATA((5))), EACH),
            SAMPLE("none", INPUTS(DATA((0, 2))), EACH)),
    BADS(BAD("shapes that would broadcast", TG_ESHAPE, "does not broadcast", INPUTS(IN('f', (3, 1)), IN('f', (1, 3))), EACH),
         BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(IN('f', (3, 2)), IN('i', (3, 2))), EACH),
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 2)), IN('i', (3, 2))), EACH),
         BAD("rank 0", TG_ESHAPE, "no rows", INPUTS(IN('f', ()), IN('f', ())), EACH),
         BAD("vectors of nothing", TG_ESHAPE, "size 0", INPUTS(IN('f', (3, 0)), IN('f', (3, 0))), EACH)),
};

/*| tg_cosine_similarity: the cosine of the angle between vectors, along the last axis. Norms below 1e-8 count as 1e-8.
 *    y = a.b / (|a| |b|)
 *  Shapes:   a, b (..., n), the same, n >= 1 -> y (...)
 *  Dtypes:   f32, f64, the same for both
 *  Gradient: da = g (b / |b| - y a / |a|) / |a|, db likewise; norms below 1e-8 are constant
 *  Errors:   TG_ESHAPE if the shapes differ, or have no last axis or one of size 0; TG_EDTYPE for other dtypes
 *  Source:   elementary */
TG_API(tg_tensor, tg_cosine_similarity, (tg_tensor a, tg_tensor b), (a, b)) {
    tg_loss_options each = {.reduction = TG_REDUCE_NONE};
    return tg__loss_apply(site, &tg__op_cosine_similarity, &cosine_similarity_kind, (tg_tensor[]){a, b}, NULL, each);
}

/* Alike and unlike pairs: label 1 and 0. */
LOSS_KIND(cosine, .data = 3, .numbers = 1, .rows = true, .labels = true)

static tg_tensor cosine_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)t, (void)n_in;
    tg__loss l = tg__loss_open(in, attr, &cosine_kind);
    tg_tensor cosine = cosine_of(l.x[0], l.x[2]), alike = tg_gt(l.x[1], tg__zero_like(l.x[1]));
    tg_tensor apart = tg_relu(tg_sub(cosine, l.number[0]));
    return tg__loss_close(&l, tg_where(alike, tg_sub(tg__one_like(cosine), cosine), apart), (tg_tensor){0});
}

#define LABELS(shape) IN('i', shape, .lo = -1, .hi = 1)
#define PAIRS(shape, rows) IN('f', shape), LABELS(rows), IN('f', shape)
#define MARGIN(x) IN('c', (), .lo = x, .hi = x)
const tg_op tg__op_cosine = {
    LOSS_OP(cosine, "y = mean of 1 - cos(a, b) for alike, max(cos(a, b) - margin, 0) for unlike pairs",
            "Hadsell, Chopra, LeCun 2006, Dimensionality reduction by learning an invariant mapping (the contrastive form)", 4),
    SAMPLES(SAMPLE("the mean", INPUTS(PAIRS((6, 3), (6)), MARGIN(-1)), PLAIN),
            SAMPLE("beyond the margin", INPUTS(PAIRS((5, 3), (5)), MARGIN(1)), OPTIONS(TG_REDUCE_SUM, 0)),
            SAMPLE("each, weighted and masked", INPUTS(PAIRS((2, 3, 4), (2, 3)), MARGIN(-1), IN('f', (3)), IN('b', (3))),
                   OPTIONS(TG_REDUCE_NONE, TG__WEIGHT | TG__MASK))),
    BADS(BAD("float labels", TG_EDTYPE, "i64 or i32", INPUTS(IN('f', (3, 2)), IN('f', (3)), IN('f', (3, 2)), MARGIN(1)), PLAIN),
         BAD("labels of another shape", TG_ESHAPE, "labels' shape",
             INPUTS(IN('f', (3, 2)), LABELS((2)), IN('f', (3, 2)), MARGIN(1)), PLAIN),
         BAD("unlike vectors", TG_ESHAPE, "does not broadcast",
             INPUTS(IN('f', (3, 2)), LABELS((3)), IN('f', (3, 1)), MARGIN(1)), PLAIN),
         BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(IN('i', (3, 2)), LABELS((3)), IN('i', (3, 2)), MARGIN(1)), PLAIN),
         BAD("the mean of nothing", TG_ESHAPE, "empty batch",
             INPUTS(IN('f', (0, 2)), LABELS((0)), IN('f', (0, 2)), MARGIN(1)), PLAIN)),
};

/*| tg_cosine: draws alike vectors together and unlike ones apart, by the cosine of their angle (tg_cosine_similarity). A label
 *  above 0 says alike, another unlike. (PyTorch adds 1e-12 to the squares of the norms.)
 *    each = 1 - cos(a, b) where label > 0, else max(cos(a, b) - margin, 0)
 *  Shapes:   a, b (..., n), the same, n >= 1, labels (...) -> y (), or that of the labels with TG_REDUCE_NONE
 *  Dtypes:   a, b f32, f64, the same; labels i64, i32
 *  Gradient: that of tg_cosine_similarity, times -g for alike pairs, g for unlike ones beyond the margin, else 0
 *  Errors:   TG_EARG if margin is not in [-1, 1], or for options that this loss has no use for; TG_ESHAPE if the shapes do not
 *            fit or there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Hadsell, Chopra, LeCun 2006, Dimensionality reduction by learning an invariant mapping (the contrastive form) */
TG_API(tg_tensor, tg_cosine, (tg_tensor a, tg_tensor b, tg_tensor labels, double margin, tg_loss_options options),
       (a, b, labels, margin, options)) {
    const char *why = margin >= -1 && margin <= 1 ? NULL : "the margin must be in [-1, 1]";
    return tg__loss_apply_if(why, site, &tg__op_cosine, &cosine_kind, (tg_tensor[]){a, labels, b}, &margin, options);
}

/* ------------------------------------------------------------------ triplet */

#define LEAST_DISTANCE_SQUARE 1e-24

static tg_tensor distance(tg_tensor a, tg_tensor b) {
    return tg_sqrt(tg_maximum(tg_sum(tg_square(tg_sub(a, b)), LAST, false), number(a, LEAST_DISTANCE_SQUARE)));
}

LOSS(triplet, 3, 1, true, tg_relu(tg_add(tg_sub(distance(x[0], x[1]), distance(x[0], x[2])), c[0])))

#undef DATA
#undef ALL
#define DATA(shape) IN('f', shape), IN('f', shape, .lo = -2, .hi = 2), IN('f', shape, .lo = -2, .hi = 2), MARGIN(12)
#define UNIT(shape) IN('f', shape, .lo = 0, .hi = 1)
#define RIGHT(shape) UNIT(shape), UNIT(shape), IN('f', shape, .lo = 8, .hi = 9), MARGIN(1)
#define ALL(a, b) a, b, b, MARGIN(1)
const tg_op tg__op_triplet = {
    LOSS_OP(triplet, "y = mean of max(|a - p| - |a - n| + margin, 0)",
            "Schroff, Kalenichenko, Philbin 2015, FaceNet, equation 2 (there with squared distances)", 4),
    SAMPLES(SAMPLE("the mean", INPUTS(DATA((3, 4))), PLAIN), SAMPLE("one", INPUTS(DATA((5))), OPTIONS(TG_REDUCE_SUM, 0)),
            SAMPLE("each, weighted and masked", INPUTS(DATA((2, 3, 4)), IN('f', (3)), IN('b', (2, 1))),
                   OPTIONS(TG_REDUCE_NONE, TG__WEIGHT | TG__MASK)),
            SAMPLE("beyond the margin", INPUTS(RIGHT((3, 4))), PLAIN)),
    BADS(LOSS_BADS(ALL), BAD("rank 0", TG_ESHAPE, "no rows", INPUTS(ALL(IN('f', ()), IN('f', ()))), PLAIN)),
};

/*| tg_triplet: draws an anchor nearer to a positive than to a negative, by a margin. Distances are Euclidean, along the last
 *  axis; below 1e-12 they count as 1e-12. (PyTorch adds 1e-6 to each difference instead.)
 *    each = max(|anchor - positive| - |anchor - negative| + margin, 0)
 *  Shapes:   anchor, positive, negative (..., n), the same, n >= 1 -> y (), or (...) with TG_REDUCE_NONE
 *  Dtypes:   f32, f64, the same for all but the mask
 *  Gradient: unit vectors along the differences, where the loss is positive; 0 for vectors nearer than 1e-12
 *  Errors:   TG_EARG if margin is not positive, or for options that this loss has no use for; TG_ESHAPE if the shapes differ or
 *            there is nothing to take the mean of; TG_EDTYPE for other dtypes
 *  Source:   Schroff, Kalenichenko, Philbin 2015, FaceNet, equation 2 (there with squared distances) */
TG_API(tg_tensor, tg_triplet,
       (tg_tensor anchor, tg_tensor positive, tg_tensor negative, double margin, tg_loss_options options),
       (anchor, positive, negative, margin, options)) {
    return tg__loss_apply_if(margin > 0 ? NULL : "the margin must be positive", site, &tg__op_triplet, &triplet_kind,
                             (tg_tensor[]){anchor, positive, negative}, &margin, options);
}

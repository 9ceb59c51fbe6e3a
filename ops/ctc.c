/* Connectionist temporal classification */
#include "ops/op_file.h"

/* The forward recursion of the paper, on logarithms, recorded in smaller ops: so its gradient is the backward recursion, and
 * has derivatives of its own. It runs over all sequences and all positions of the labels with blanks between at once; LOG_0
 * stands for the logarithm of 0, so that no infinities meet. */
#define LOG_0 (-1e30)

typedef struct ctc_attr {
    int64_t blank, reduction;
} ctc_attr;
static const tg_field ctc_fields[] = {
    {"blank", TG_FIELD_INT, offsetof(ctc_attr, blank)},
    {"reduction", TG_FIELD_INT, offsetof(ctc_attr, reduction)},
    {NULL, TG_FIELD_INT, 0},
};

static tg_status ctc_infer(tg_infer *f) {
    const ctc_attr *attr = f->attr;
    const tg_shape *p = f->in_shape[0], *labels = f->in_shape[1];
    if (!tg_dtype_is_float(f->in_dtype[0]))
        return tg_infer_fail(f, TG_EDTYPE, "the log-probabilities must be f32 or f64, not %s", tg_dtype_name(f->in_dtype[0]));
    for (int i = 1; i < 4; i++)
        if (f->in_dtype[i] != TG_I64)
            return tg_infer_fail(f, TG_EDTYPE, "labels and lengths must be i64, not %s", tg_dtype_name(f->in_dtype[i]));
    if (p->rank != 3 || !p->dims[0]) return tg_infer_fail(f, TG_ESHAPE, "the log-probabilities must be (T, N, C), T >= 1");
    long long n = p->dims[1], classes = p->dims[2];
    if (labels->rank != 2 || labels->dims[0] != n)
        return tg_infer_fail(f, TG_ESHAPE, "the labels must be (N, S), a row for each of %lld sequences", n);
    for (int i = 2; i < 4; i++)
        if (f->in_shape[i]->rank != 1 || f->in_shape[i]->dims[0] != n)
            return tg_infer_fail(f, TG_ESHAPE, "the lengths must be (N), one for each of %lld sequences", n);
    if (attr->blank < 0 || attr->blank >= classes)
        return tg_infer_fail(f, TG_EARG, "the blank %lld is none of %lld classes", (long long)attr->blank, classes);
    if (attr->reduction < TG_REDUCE_MEAN || attr->reduction > TG_REDUCE_NONE)
        return tg_infer_fail(f, TG_EARG, "there is no reduction %lld", (long long)attr->reduction);
    if (attr->reduction == TG_REDUCE_MEAN && !n) return tg_infer_fail(f, TG_ESHAPE, "the mean of an empty batch");
    f->shape[0] = attr->reduction == TG_REDUCE_NONE ? TG_SHAPE(n) : TG_SCALAR;
    f->dtype[0] = f->in_dtype[0];
    return TG_OK;
}

typedef struct ctc {
    tg_tape *t;
    tg_dtype dtype;
    int64_t steps, n, size; /* size: 2 S + 1 positions: blank, label, blank, label, ..., blank */
    tg_tensor low, blank;   /* numbers */
    tg_tensor symbols;      /* (n, size): classes */
    tg_tensor may_skip;     /* (n, size): whether a position may follow the one two before it */
} ctc;

static tg_tensor column(tg_tensor x) { return tg_unsqueeze(x, TG_AXES(1)); }
static tg_tensor columns(tg_tensor x, int64_t from, int64_t to) { return tg_slice(x, 1, from, to, 1); }
static tg_tensor beside(tg_tensor a, tg_tensor b) { return tg_concat((tg_tensor[]){a, b}, 2, 1); }

static ctc ctc_of(tg_tape *t, const tg_tensor *in, const ctc_attr *attr) {
    tg_shape p = tg_shape_of(in[0]), labels = tg_shape_of(in[1]);
    int64_t s = labels.dims[1];
    ctc c = {.t = t, .dtype = tg_dtype_of(in[0]), .steps = p.dims[0], .n = p.dims[1], .size = 2 * s + 1};
    c.low = tg_scalar(t, LOG_0, c.dtype);
    c.blank = tg_full(t, TG_SCALAR, (double)attr->blank, TG_I64);
    tg_tensor blanks = tg_expand(c.blank, labels), there = tg_lt(tg_arange(t, s, TG_I64), column(in[3]));
    tg_tensor pairs = tg_stack((tg_tensor[]){blanks, tg_where(there, in[1], blanks)}, 2, 2);
    c.symbols = beside(tg_reshape(pairs, TG_SHAPE(c.n, 2 * s)), tg_expand(c.blank, TG_SHAPE(c.n, 1)));
    tg_tensor never = tg_zeros(t, TG_SHAPE(c.n, c.size < 2 ? c.size : 2), TG_BOOL);
    if (c.size < 2) {
        c.may_skip = never;
        return c;
    }
    tg_tensor here = columns(c.symbols, 2, TG_END), before = columns(c.symbols, 0, c.size - 2);
    c.may_skip = beside(never, tg_and(tg_ne(here, before), tg_ne(here, c.blank)));
    return c;
}

/* The logarithm of a sum of exponentials; owner NULL: not there. */
static tg_tensor log_sum(tg_tensor a, tg_tensor b, tg_tensor c) {
    bool three = !tg__is_none(c);
    tg_tensor top = tg_maximum(a, b);
    top = tg_stop_gradient(three ? tg_maximum(top, c) : top);
    tg_tensor sum = tg_add(tg_exp(tg_sub(a, top)), tg_exp(tg_sub(b, top)));
    if (three) sum = tg_add(sum, tg_exp(tg_sub(c, top)));
    return tg_add(top, tg_log(sum));
}

/* x moved right by `by` positions. */
static tg_tensor shifted(const ctc *c, tg_tensor x, int64_t by) {
    if (by > c->size) by = c->size;
    return beside(tg_expand(c->low, TG_SHAPE(c->n, by)), columns(x, 0, c->size - by));
}

static tg_tensor next(const ctc *c, tg_tensor alpha, tg_tensor emission) {
    tg_tensor skipped = tg_where(c->may_skip, shifted(c, alpha, 2), c->low);
    return tg_add(log_sum(alpha, shifted(c, alpha, 1), skipped), emission);
}

/* alpha at the last label and the last blank; without labels there is only a blank. */
static tg_tensor total(const ctc *c, tg_tensor alpha, tg_tensor lengths) {
    tg_tensor two = tg_add(lengths, lengths), one = tg_ones(c->t, TG_SCALAR, TG_I64);
    tg_tensor labelled = tg_gt(lengths, tg_zeros(c->t, TG_SCALAR, TG_I64));
    tg_tensor at_label = tg_where(labelled, tg_sub(two, one), two);
    tg_tensor blank = tg_take_along_axis(alpha, 1, column(two)), label = tg_take_along_axis(alpha, 1, column(at_label));
    tg_tensor sum = log_sum(blank, tg_where(column(labelled), label, c->low), (tg_tensor){0});
    return tg_reshape(sum, TG_SHAPE(c->n));
}

static tg_tensor ctc_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {
    (void)n_in;
    ctc c = ctc_of(t, in, attr);
    tg_tensor index = tg_expand(c.symbols, TG_SHAPE(c.steps, c.n, c.size)), emissions = tg_take_along_axis(in[0], 2, index);
    tg_tensor first = tg_lt(tg_arange(t, c.size, TG_I64), tg_full(t, TG_SCALAR, 2, TG_I64)), alpha = {0};
    for (int64_t i = 0; i < c.steps; i++) {
        tg_tensor emission = tg_squeeze(tg_slice(emissions, 0, i, i + 1, 1), TG_AXES(0));
        tg_tensor running = tg_lt(tg_full(t, TG_SCALAR, (double)i, TG_I64), column(in[2]));
        alpha = i ? tg_where(running, next(&c, alpha, emission), alpha) : tg_where(first, emission, c.low);
    }
    tg_tensor sum = total(&c, alpha, in[3]), possible = tg_gt(sum, tg_scalar(t, 0.5 * LOG_0, c.dtype));
    tg_tensor each = tg_where(possible, tg_neg(sum), tg_scalar(t, INFINITY, c.dtype));
    int64_t reduction = ((const ctc_attr *)attr)->reduction;
    return reduction == TG_REDUCE_NONE  ? each
           : reduction == TG_REDUCE_SUM ? tg_sum(each, TG_ALL_AXES, false)
                                        : tg_mean(each, TG_ALL_AXES, false);
}

#define WHOLE(shape, lo_, hi_) IN('i', shape, .lo = lo_, .hi = hi_)
#define BLANK(b, r) .attr = &(const ctc_attr){b, r}
#define GRAVES                                                                                                \
    "Graves, Fernandez, Gomez, Schmidhuber 2006, Connectionist temporal classification, section 4.1"
const tg_op tg__op_ctc = {
    .name = "ctc",
    .formula = "y = -log(sum over the paths that read as the labels of the product of p along the path)",
    .source = GRAVES,
    .min_in = 4,
    .max_in = 4,
    .attr_size = sizeof(ctc_attr),
    .fields = ctc_fields,
    .infer = ctc_infer,
    .define = ctc_define,
    SAMPLES(SAMPLE("each", INPUTS(IN('f', (5, 2, 3)), WHOLE((2, 2), 1, 2), WHOLE((2), 5, 5), WHOLE((2), 1, 2)),
                   BLANK(0, TG_REDUCE_NONE)),
            SAMPLE("the mean, unlike lengths",
                   INPUTS(IN('f', (6, 3, 3)), WHOLE((3, 2), 0, 1), WHOLE((3), 4, 6), WHOLE((3), 0, 2)),
                   BLANK(2, TG_REDUCE_MEAN)),
            SAMPLE("two classes", INPUTS(IN('f', (4, 2, 2)), WHOLE((2, 1), 1, 1), WHOLE((2), 3, 4), WHOLE((2), 0, 1)),
                   BLANK(0, TG_REDUCE_SUM))),
    BADS(BAD("whole numbers", TG_EDTYPE, "f32 or f64",
             INPUTS(WHOLE((3, 2, 3), 0, 1), WHOLE((2, 1), 1, 1), WHOLE((2), 3, 3), WHOLE((2), 1, 1)), BLANK(0, 0)),
         BAD("float lengths", TG_EDTYPE, "must be i64",
             INPUTS(IN('f', (3, 2, 3)), WHOLE((2, 1), 1, 1), IN('f', (2)), WHOLE((2), 1, 1)), BLANK(0, 0)),
         BAD("labels of another batch", TG_ESHAPE, "(N, S)",
             INPUTS(IN('f', (3, 2, 3)), WHOLE((3, 1), 1, 1), WHOLE((2), 3, 3), WHOLE((2), 1, 1)), BLANK(0, 0)),
         BAD("lengths of another batch", TG_ESHAPE, "one for each of 2",
             INPUTS(IN('f', (3, 2, 3)), WHOLE((2, 1), 1, 1), WHOLE((3), 3, 3), WHOLE((2), 1, 1)), BLANK(0, 0)),
         BAD("no blank", TG_EARG, "the blank 3 is none",
             INPUTS(IN('f', (3, 2, 3)), WHOLE((2, 1), 1, 1), WHOLE((2), 3, 3), WHOLE((2), 1, 1)), BLANK(3, 0)),
         BAD("a matrix", TG_ESHAPE, "(T, N, C)",
             INPUTS(IN('f', (3, 2)), WHOLE((2, 1), 1, 1), WHOLE((2), 3, 3), WHOLE((2), 1, 1)), BLANK(0, 0))),
};

/*| tg_ctc: the negative log-likelihood of labels that are shorter than the sequence, over all ways to align them: a path gives
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
TG_API(tg_tensor, tg_ctc,
       (tg_tensor log_p, tg_tensor labels, tg_tensor log_p_length, tg_tensor label_length, int64_t blank, tg_reduction r),
       (log_p, labels, log_p_length, label_length, blank, r)) {
    ctc_attr attr = {blank, r};
    return tg_apply_at(site, NULL, &tg__op_ctc, &attr, (tg_tensor[]){log_p, labels, log_p_length, label_length}, 4);
}

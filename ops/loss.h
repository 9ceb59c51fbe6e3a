/* ops/loss.h: what losses share: their options, and the way from the loss of each element or row to the result.
 *
 * The inputs of a loss are its data, its numbers (of rank 0), then those of its options that are given, in the order of
 * tg__loss_parts. A section writes the loss of one element as an expression of x[0], x[1], ... (the data) and c[0], ... (the
 * numbers); LOSS makes infer and the definition of it. */
#ifndef TG_LOSS_H
#define TG_LOSS_H

#include "ops/op_file.h"

typedef enum tg__loss_part {
    TG__CLASS_WEIGHT = 1,
    TG__SMOOTHING = 2, /* one number */
    TG__WEIGHT = 4,
    TG__MASK = 8,
    TG__IGNORE = 16 /* no input: attribute `ignored` */
} tg__loss_part;

typedef struct tg__loss_attr {
    int64_t reduction, parts, ignored;
} tg__loss_attr;
extern const tg_field tg__loss_fields[];

typedef struct tg__loss_kind {
    const char *name;
    int data, numbers;
    bool rows;   /* a loss for each row: the last axis is gone */
    bool labels; /* the second of the data are class numbers, one for each row */
    unsigned takes; /* parts beyond weight and mask */
} tg__loss_kind;

#define TG__LOSS_DATA 3
typedef struct tg__loss {
    const tg__loss_kind *kind;
    const tg__loss_attr *attr;
    tg_tensor x[TG__LOSS_DATA]; /* masked elements are 0 */
    const tg_tensor *number;
    tg_tensor class_weight, smoothing, weight, mask; /* owner NULL: not given */
} tg__loss;

tg_status tg__loss_infer(tg_infer *f, const tg__loss_kind *kind);
tg__loss tg__loss_open(const tg_tensor *in, const void *attr, const tg__loss_kind *kind);
/* Masks, weights and reduces. `amount` is what each loss adds to what the mean is divided by; owner NULL: 1. */
tg_tensor tg__loss_close(const tg__loss *l, tg_tensor each, tg_tensor amount);
/* Checks the options and applies the op. */
tg_tensor tg__loss_apply(const char *site, const tg_op *op, const tg__loss_kind *kind, const tg_tensor *data,
                         const double *numbers, tg_loss_options options);
/* The same with the error `why`, unless that is NULL. */
tg_tensor tg__loss_apply_if(const char *why, const char *site, const tg_op *op, const tg__loss_kind *kind,
                            const tg_tensor *data, const double *numbers, tg_loss_options options);

/* Whether class c of each row is its label: (..., C), bool. */
tg_tensor tg__is_label(tg_tape *t, tg_tensor rows, tg_tensor labels);

#define LOSS_KIND(name_, ...)                                                                                 \
    static const tg__loss_kind name_##_kind = {.name = #name_, __VA_ARGS__};                                  \
    static tg_status name_##_infer(tg_infer *f) { return tg__loss_infer(f, &name_##_kind); }

#define LOSS(name_, data_, numbers_, rows_, ...)                                                              \
    LOSS_KIND(name_, .data = data_, .numbers = numbers_, .rows = rows_)                                       \
    static tg_tensor name_##_define(tg_tape *t, const tg_tensor *in, int n_in, const void *attr) {            \
        (void)t, (void)n_in;                                                                                  \
        tg__loss l = tg__loss_open(in, attr, &name_##_kind);                                                  \
        const tg_tensor *x = l.x, *c = l.number;                                                              \
        (void)c;                                                                                              \
        return tg__loss_close(&l, __VA_ARGS__, (tg_tensor){0});                                               \
    }

/* The common part of a descriptor; at most 6 inputs are named in messages and samples. */
#define LOSS_OP(name_, formula_, source_, least_)                                                             \
    .name = #name_, .formula = formula_, .source = source_, .min_in = least_, .max_in = (least_) + 4,         \
    .attr_size = sizeof(tg__loss_attr), .fields = tg__loss_fields, .infer = name_##_infer, .define = name_##_define

/* ------------------------------------------------------------------ samples
 *
 * ALL(a, b) is every input of a plain call, given the first two; DATA(shape) those two for elements or rows of a shape. */
#define OPTIONS(reduction_, parts_) .attr = &(const tg__loss_attr){reduction_, parts_, 0}
#define PLAIN OPTIONS(TG_REDUCE_MEAN, 0)
#define LOSS_SAMPLES(D)                                                                                       \
    SAMPLE("the mean", INPUTS(D((3, 4))), PLAIN),                                                             \
    SAMPLE("the sum", INPUTS(D((7, 2))), OPTIONS(TG_REDUCE_SUM, 0)),                                          \
    SAMPLE("one of them", INPUTS(D((1))), PLAIN),                                                             \
    SAMPLE("each, weighted and masked", INPUTS(D((2, 3, 4)), IN('f', (3, 1)), IN('b', (2, 1, 1))),            \
           OPTIONS(TG_REDUCE_NONE, TG__WEIGHT | TG__MASK)),                                                   \
    SAMPLE("the mean of what counts", INPUTS(D((3, 4)), IN('b', (3, 4))), OPTIONS(TG_REDUCE_MEAN, TG__MASK)), \
    SAMPLE("none", INPUTS(D((0, 3))), OPTIONS(TG_REDUCE_SUM, 0))
#define ROW_LOSS_SAMPLES(D)                                                                                   \
    SAMPLE("the mean", INPUTS(D((3, 4))), PLAIN),                                                             \
    SAMPLE("the sum", INPUTS(D((5, 2))), OPTIONS(TG_REDUCE_SUM, 0)),                                          \
    SAMPLE("one row", INPUTS(D((6))), PLAIN),                                                                 \
    SAMPLE("each, weighted and masked", INPUTS(D((2, 3, 4)), IN('f', (3)), IN('b', (2, 1))),                  \
           OPTIONS(TG_REDUCE_NONE, TG__WEIGHT | TG__MASK)),                                                   \
    SAMPLE("the mean of what counts", INPUTS(D((3, 4)), IN('b', (3))), OPTIONS(TG_REDUCE_MEAN, TG__MASK)),    \
    SAMPLE("no row", INPUTS(D((0, 3))), OPTIONS(TG_REDUCE_SUM, 0))
#define LOSS_BADS(ALL)                                                                                        \
    BAD("shapes that would broadcast", TG_ESHAPE, "does not broadcast", INPUTS(ALL(IN('f', (3, 1)), IN('f', (1, 3)))), PLAIN), \
    BAD("the mean of nothing", TG_ESHAPE, "empty batch", INPUTS(ALL(IN('f', (0, 4)), IN('f', (0, 4)))), PLAIN), \
    BAD("mixed dtypes", TG_EDTYPE, "tg_cast", INPUTS(ALL(IN('f', (3, 2)), IN('i', (3, 2)))), PLAIN),          \
    BAD("whole numbers", TG_EDTYPE, "tg_cast", INPUTS(ALL(IN('i', (3, 2)), IN('i', (3, 2)))), PLAIN),         \
    BAD("a weight of another shape", TG_ESHAPE, "the weight",                                                 \
        INPUTS(ALL(IN('f', (3, 2)), IN('f', (3, 2))), IN('f', (5))), OPTIONS(TG_REDUCE_SUM, TG__WEIGHT)),     \
    BAD("a weight of whole numbers", TG_EDTYPE, "the weight",                                                 \
        INPUTS(ALL(IN('f', (3, 2)), IN('f', (3, 2))), IN('i', ())), OPTIONS(TG_REDUCE_SUM, TG__WEIGHT)),      \
    BAD("a mask that is not bool", TG_EDTYPE, "the mask",                                                     \
        INPUTS(ALL(IN('f', (3, 2)), IN('f', (3, 2))), IN('f', ())), OPTIONS(TG_REDUCE_SUM, TG__MASK)),        \
    BAD("no reduction", TG_EARG, "no reduction 7", INPUTS(ALL(IN('f', (3, 2)), IN('f', (3, 2)))), OPTIONS(7, 0))

#endif

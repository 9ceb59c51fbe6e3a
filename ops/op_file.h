/* ops/op_file.h: what a file of ops includes. */
#ifndef TG_OP_FILE_H
#define TG_OP_FILE_H

#include <math.h>
#include <string.h>

#include "engine/engine.h"
#include "kernels/kernels.h"
#include "kernels/micro.h"
#include "ops/accumulate.h"
#include "tapegrad/op.h"
#include "tapegrad/ops.h"

/* ------------------------------------------------------------------ samples
 *
 *     SAMPLES(SAMPLE("a matrix", INPUTS(IN('f', (3, 4), .lo = 1, .hi = 2))),
 *             SAMPLE("rank 0, first axis", INPUTS(IN('f', ())), .attr = &first))
 *
 * An input is its kind, its shape in parentheses and what else tg_sample_in holds. BAD samples say what error they give. */
#define DIMS(...) {(int32_t)(sizeof((int64_t[]){0, __VA_ARGS__}) / sizeof(int64_t) - 1), {__VA_ARGS__ + 0}}
#define IN(kind_, ...) {.kind = kind_, .shape = DIMS __VA_ARGS__}
#define INPUTS(...) .in = {__VA_ARGS__}
#define SAMPLE(note_, ...) {.note = note_, __VA_ARGS__}
#define BAD(note_, status_, text_, ...) {.note = note_, .status = status_, .text = text_, __VA_ARGS__}
#define SAMPLES(...) .samples = (const tg_sample[]){__VA_ARGS__, {.note = NULL}}
#define BADS(...) .bad = (const tg_sample[]){__VA_ARGS__, {.note = NULL}}

/* ------------------------------------------------------------------ small helpers of rules and kernels */

static inline tg_tensor tg__zero_like(tg_tensor x) { return tg__constant(tg_tape_of(x), 0, &TG_SCALAR, tg_dtype_of(x)); }
static inline tg_tensor tg__one_like(tg_tensor x) { return tg__constant(tg_tape_of(x), 1, &TG_SCALAR, tg_dtype_of(x)); }

/* The symbolic zero or one that x is, seen in another shape; owner NULL if x is none, so that the op is recorded. */
static inline tg_tensor tg__reshaped_constant(tg_tensor x, const tg_shape *shape) {
    for (int value = 0; value < 2; value++)
        if (tg__is_constant(x, value) && tg_shape_numel(shape) >= 0)
            return tg__constant(tg_tape_of(x), value, shape, tg_dtype_of(x));
    return (tg_tensor){0};
}

/* Costs: one operation for each element of input 0; none, of an op that only moves elements. */
double tg__reads_all(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr);
double tg__no_flops(const tg_shape *const *in, int n_in, const tg_shape *out, const void *attr);

/* The product of dims [from, to). */
static inline int64_t tg__extent(const tg_shape *s, int from, int to) {
    int64_t n = 1;
    for (int i = from; i < to; i++) n *= s->dims[i];
    return n;
}

#endif

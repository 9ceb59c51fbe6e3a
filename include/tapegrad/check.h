/* tapegrad/check.h: checks the derivatives of your own functions and ops. tg_op_check, in op.h, runs a whole battery on an
 * op. */
#ifndef TAPEGRAD_CHECK_H
#define TAPEGRAD_CHECK_H

#include "core.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero means the default. */
typedef struct tg_gradcheck_options {
    int order;         /* 1: gradients only; 2, the default: also the gradients of gradients */
    bool fast;         /* some random directions through all inputs at once, not every element: finds no fewer mistakes of a
                          whole rule, and says where only when it has found one */
    bool no_forward;   /* leaves out tg_jvp */
    double tolerance;  /* relative error; default 1e-6 */
    double step;       /* the largest step of a quotient, relative to max(|x|, 1/4); default 1/16; smaller ones are tried where
                          quotients do not settle */
    uint64_t fixed;    /* bit i: input i is a float that is not to be differentiated */
    uint64_t seed;     /* of the random cotangents and directions */
} tg_gradcheck_options;

/* Where an error was measured. In a fast check element is the number of the direction and input is -1. */
typedef struct tg_gradcheck_place {
    int order, input;
    int64_t element;
    double analytic, numeric;
    double noise; /* how far the measured value itself may be off: rounding, and what the quotients disagree by */
    double error; /* relative */
} tg_gradcheck_place;

typedef struct tg_gradcheck_report {
    int checked, failures, kinks; /* elements or directions, of all orders */
    tg_gradcheck_place worst;     /* the largest error; of kinks only where the gradient is none of the slopes between */
    char diagnosis[160];          /* "wrong sign?", "transposed?"; "" if nothing is wrong or no reason was found */
    char text[640];               /* the whole in words: the failure, else what was checked */
} tg_gradcheck_report;

/* tg_gradcheck: compares the derivatives that fn's recording gives with measured ones.
 * fn records a function of its n tensors on t and returns its result: any float, any shape; it is called many times, and must
 * record the same function each time. Inputs are the point: floats (taken to f64) are differentiated, other dtypes are not.
 * Cotangents are random. Slopes are central differences, extrapolated to step 0, with a step picked for each element. Where
 * the left and the right slope differ, that element is a kink: it counts as such, and as a failure only if the gradient is not
 * between both slopes. Forward mode is held against backward by <v, J u> = <J' v, u>.
 * Options and report may be NULL. Returns the number of failures; -1 if fn fails, cannot be differentiated or memory is out:
 * report->text says why. Thread rule: uses a tape of its own.
 * Source: Ridders 1982, Advances in Engineering Software 4(2); see check/difference.c */
TG_EXPORT int tg_gradcheck(tg_part_fn fn, void *user, const tg_array *inputs, int n, const tg_gradcheck_options *options,
                           tg_gradcheck_report *report);

#ifdef __cplusplus
}
#endif
#endif

/* ops/reduce.h: what reductions share. */
#ifndef TG_REDUCE_H
#define TG_REDUCE_H

#include "ops/op_file.h"

extern const tg_field tg__fold_fields[]; /* of a tg_fold_attr */

/* Ascending and not negative; false (and nothing changed) if an axis is out of range or stands twice. */
bool tg__normalise_axes(tg_axes *axes, int rank);
tg_fold_attr tg__fold_attr_of(tg_tensor x, tg_axes axes, bool keepdims);
tg_shape tg__reduced_shape(const tg_shape *s, const tg_axes *axes, bool keepdims);

/* Shape rules: of any reduction of numbers; of one that needs elements: `what` is what they have. */
tg_status tg__fold_infer(tg_infer *f);
tg_status tg__filled_infer(tg_infer *f, const char *what);

/* A reduced tensor (or its cotangent) with the shape that broadcasts to x. */
tg_tensor tg__with_kept_dims(tg_tensor y, tg_tensor x, const tg_fold_attr *attr);

#define AXES(keep, ...) .attr = &(const tg_fold_attr){SET(__VA_ARGS__), keep}
#define SET(...) {(int32_t)(sizeof((int32_t[]){0, __VA_ARGS__}) / sizeof(int32_t) - 1), {__VA_ARGS__ + 0}}

#define FOLD_SAMPLES(...)                                                                                              \
    SAMPLE("rows", INPUTS({.kind = 'f', .shape = DIMS(3, 37), __VA_ARGS__}), AXES(0, 1)),                              \
    SAMPLE("columns", INPUTS({.kind = 'f', .shape = DIMS(5, 7), __VA_ARGS__}), AXES(0, 0)),                            \
    SAMPLE("the middle", INPUTS({.kind = 'f', .shape = DIMS(2, 5, 3), __VA_ARGS__}), AXES(1, 1)),                      \
    SAMPLE("first and last", INPUTS({.kind = 'f', .shape = DIMS(3, 4, 2), __VA_ARGS__}), AXES(0, 0, 2)),               \
    SAMPLE("everything", INPUTS({.kind = 'f', .shape = DIMS(3, 4), __VA_ARGS__}), AXES(0, 0, 1)),                      \
    SAMPLE("everything, dimensions kept", INPUTS({.kind = 'f', .shape = DIMS(2, 1, 4), __VA_ARGS__}), AXES(1, 0, 1, 2)), \
    SAMPLE("no axis", INPUTS({.kind = 'f', .shape = DIMS(3, 4), __VA_ARGS__}), AXES(0, )),                             \
    SAMPLE("rank 0", INPUTS({.kind = 'f', .shape = DIMS(), __VA_ARGS__}), AXES(0, )),                                  \
    SAMPLE("no result", INPUTS({.kind = 'f', .shape = DIMS(0, 3), __VA_ARGS__}), AXES(0, 1))
#define FOLD_BADS                                                                                                      \
    BAD("axis too large", TG_EARG, "out of range", INPUTS(IN('f', (3, 4))), AXES(0, 2)),                               \
    BAD("an axis twice", TG_EARG, "stand twice", INPUTS(IN('f', (3, 4))), AXES(0, 1, 1)),                              \
    BAD("bool", TG_EDTYPE, "tg_cast", INPUTS(IN('b', (3, 4))), AXES(0, 1)),                                            \
    BAD("no attribute", TG_EARG, "attributes are missing", INPUTS(IN('f', (3, 4)))),                                   \
    BAD("two inputs", TG_EARG, "not 2", INPUTS(IN('f', (3)), IN('f', (3))), AXES(0, 0))

#endif

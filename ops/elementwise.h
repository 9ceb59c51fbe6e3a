/* ops/elementwise.h: what the sections of elementwise ops share. Such a section is: the loop (TG_MICRO), the same in f64 with
 * libm (REF), the derivative (VJP1, VJP2), the descriptor and the function. */
#ifndef TG_ELEMENTWISE_H
#define TG_ELEMENTWISE_H

#include "ops/op_file.h"

/* Element by element, inputs broadcast to the output, through f64. */
tg_status tg__ref_elementwise(tg_kernel_args *k, double (*f)(double a, double b, double c));

#define REF(name, ...)                                                                                 \
    static double name##_of(double a, double b, double c) {                                            \
        (void)a, (void)b, (void)c;                                                                     \
        return __VA_ARGS__;                                                                            \
    }                                                                                                  \
    static tg_status name##_ref(tg_kernel_args *k) { return tg__ref_elementwise(k, name##_of); }

/* The cotangent of x, and those of a and b, from g, the cotangent of y, by ops on g, inputs and y. */
#define VJP1(name, ...)                                                                                \
    static void name##_vjp(tg_vjp_args *v) {                                                           \
        const tg_tensor g = v->g[0], x = v->in[0], y = v->out[0];                                      \
        (void)g, (void)x, (void)y;                                                                     \
        if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, __VA_ARGS__);                                        \
    }
#define VJP2(name, for_a, for_b)                                                                       \
    static void name##_vjp(tg_vjp_args *v) {                                                           \
        const tg_tensor g = v->g[0], a = v->in[0], b = v->in[1], y = v->out[0];                        \
        (void)g, (void)a, (void)b, (void)y;                                                            \
        if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, for_a);                                              \
        if (tg_vjp_needs(v, 1)) tg_vjp_give(v, 1, for_b);                                              \
    }

/* Wrong inputs that every op of a kind must refuse. */
extern const tg_sample tg__bad_float1[], tg__bad_num1[], tg__bad_any1[], tg__bad_logic1[];
extern const tg_sample tg__bad_float2[], tg__bad_num2[], tg__bad_any2[], tg__bad_logic2[];

/* The common part of a descriptor: name, number of inputs, formula, flags, kind of its bad inputs. */
#define ELEMENTWISE(op_name, n, formula_, flags_, bad_)                                                \
    .name = #op_name, .formula = formula_, .source = "elementary", .min_in = n, .max_in = n, .flags = (flags_), \
    .micro = &tg__micro_##op_name, .ref = op_name##_ref, .bad = tg__bad_##bad_##n

/* Samples of one input, and of two that are broadcast, of one kind; what follows holds for every input. */
#define RANGE1(kind_, ...)                                                                             \
    SAMPLES(SAMPLE("a matrix", INPUTS({.kind = kind_, .shape = DIMS(3, 4), __VA_ARGS__})),             \
            SAMPLE("a vector over two SIMD registers", INPUTS({.kind = kind_, .shape = DIMS(37), __VA_ARGS__})), \
            SAMPLE("rank 0", INPUTS({.kind = kind_, .shape = DIMS(), __VA_ARGS__})),                   \
            SAMPLE("size 0", INPUTS({.kind = kind_, .shape = DIMS(2, 0, 3), __VA_ARGS__})))
#define PAIR(kind_, a, b, ...)                                                                         \
    INPUTS({.kind = kind_, .shape = DIMS a, __VA_ARGS__}, {.kind = kind_, .shape = DIMS b, __VA_ARGS__})
#define RANGE2(kind_, ...)                                                                             \
    SAMPLES(SAMPLE("equal shapes", PAIR(kind_, (3, 4), (3, 4), __VA_ARGS__)),                          \
            SAMPLE("a row and a column", PAIR(kind_, (3, 1), (1, 4), __VA_ARGS__)),                    \
            SAMPLE("a rank less", PAIR(kind_, (2, 3, 4), (3, 1), __VA_ARGS__)),                        \
            SAMPLE("a vector and a number", PAIR(kind_, (37), (), __VA_ARGS__)),                       \
            SAMPLE("a number and a matrix", PAIR(kind_, (), (2, 3), __VA_ARGS__)),                     \
            SAMPLE("rank 0", PAIR(kind_, (), (), __VA_ARGS__)),                                        \
            SAMPLE("size 0", PAIR(kind_, (2, 0), (1, 1), __VA_ARGS__)))

#endif

/* ops/elementwise.h: an elementwise op is one row. What stands in the row:
 *
 *     UNARY(exp, FLOAT, 0, M(exp)(a), exp(a), tg_mul(g, y),
 *           "e to the power of x", "y = e^x", "dx = g y", "elementary",
 *           RANGE1('f', .lo = -3, .hi = 3))
 *
 * name, class and loop (kernels/micro.h), between them flags beyond those of the class; the same in f64 with libm; the
 * derivative; what it is, formula, gradient and source in words; samples and other fields of the descriptor. The derivative is
 * the cotangent of each input, by ops on g, the cotangent of y, on y and on the inputs: x, or a, b and c. The row makes loop,
 * reference, rule, descriptor and function; tools/gen-ops makes the documentation, where shapes, dtypes and errors follow from
 * number of inputs and class.
 *
 *     UNARY, BINARY, TERNARY               one, two, three inputs that broadcast
 *     UNARY_CUT, BINARY_CUT                gradients stop here: no derivative, no gradient in words
 *     UNARY_OP, BINARY_OP, TERNARY_OP      the descriptor alone, for an op whose function stands by itself: of the words only
 *                                          formula and source */
#ifndef TG_ELEMENTWISE_H
#define TG_ELEMENTWISE_H

#include "ops/op_file.h"

/* Element by element, inputs broadcast to the output, through f64. */
tg_status tg__ref_elementwise(tg_kernel_args *k, double (*f)(double a, double b, double c));

/* The number as a tensor beside x, of the dtype that x is computed in; op names who asks, where x is no float. */
tg_tensor tg__number_for(const char *site, const char *op, tg_tensor x, double value);

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
#define VJP3(name, for_a, for_b, for_c)                                                                \
    static void name##_vjp(tg_vjp_args *v) {                                                           \
        const tg_tensor g = v->g[0], a = v->in[0], b = v->in[1], c = v->in[2], y = v->out[0];          \
        (void)g, (void)a, (void)b, (void)c, (void)y;                                                   \
        if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, for_a);                                              \
        if (tg_vjp_needs(v, 1)) tg_vjp_give(v, 1, for_b);                                              \
        if (tg_vjp_needs(v, 2)) tg_vjp_give(v, 2, for_c);                                              \
    }

/* Wrong inputs that every op of a kind must refuse. */
extern const tg_sample tg__bad_float1[], tg__bad_num1[], tg__bad_any1[], tg__bad_logic1[];
extern const tg_sample tg__bad_float2[], tg__bad_num2[], tg__bad_any2[], tg__bad_logic2[];
extern const tg_sample tg__bad_float3[], tg__bad_num3[];

/* What a class says of flags and wrong inputs. */
#define FLAGS_FLOAT TG_OP_FLOAT_ONLY
#define FLAGS_PERIODIC TG_OP_FLOAT_ONLY
#define FLAGS_NUM 0u
#define FLAGS_TEST (TG_OP_CHEAP | TG_OP_BOOL_OUT)
#define FLAGS_LOGIC (TG_OP_CHEAP | TG_OP_BOOL_OUT | TG_OP_BOOL_IN)
#define BAD_FLOAT(n) tg__bad_float##n
#define BAD_PERIODIC(n) tg__bad_float##n
#define BAD_NUM(n) tg__bad_num##n
#define BAD_TEST(n) tg__bad_any##n
#define BAD_LOGIC(n) tg__bad_logic##n

#define DESCRIPTOR(op_name, n, class, flags_, formula_, source_, ...)                                  \
    const tg_op tg__op_##op_name = {.name = #op_name, .formula = formula_, .source = source_, .min_in = n, .max_in = n, \
                                    .flags = FLAGS_##class | (flags_), .micro = &tg__micro_##op_name,  \
                                    .ref = op_name##_ref, .bad = BAD_##class(n), __VA_ARGS__};
#define FUNCTION1(name)                                                                                \
    TG_API(tg_tensor, tg_##name, (tg_tensor x), (x)) { return tg__apply_micro(site, &tg__op_##name, &x, 1); }
#define FUNCTION2(name)                                                                                \
    TG_API(tg_tensor, tg_##name, (tg_tensor a, tg_tensor b), (a, b)) {                                 \
        return tg__apply_micro(site, &tg__op_##name, (tg_tensor[]){a, b}, 2);                          \
    }
#define FUNCTION3(name)                                                                                \
    TG_API(tg_tensor, tg_##name, (tg_tensor a, tg_tensor b, tg_tensor c), (a, b, c)) {                 \
        return tg__apply_micro(site, &tg__op_##name, (tg_tensor[]){a, b, c}, 3);                       \
    }

#define UNARY_OP(name, class, flags, loop, ref, for_x, formula, source, ...)                           \
    TG_MICRO(name, 1, class, loop)                                                                     \
    REF(name, ref)                                                                                     \
    VJP1(name, for_x)                                                                                  \
    DESCRIPTOR(name, 1, class, flags, formula, source, .vjp = name##_vjp, __VA_ARGS__)
#define BINARY_OP(name, class, flags, loop, ref, for_a, for_b, formula, source, ...)                   \
    TG_MICRO(name, 2, class, loop)                                                                     \
    REF(name, ref)                                                                                     \
    VJP2(name, for_a, for_b)                                                                           \
    DESCRIPTOR(name, 2, class, flags, formula, source, .vjp = name##_vjp, __VA_ARGS__)
#define TERNARY_OP(name, class, flags, loop, ref, for_a, for_b, for_c, formula, source, ...)           \
    TG_MICRO(name, 3, class, loop)                                                                     \
    REF(name, ref)                                                                                     \
    VJP3(name, for_a, for_b, for_c)                                                                    \
    DESCRIPTOR(name, 3, class, flags, formula, source, .vjp = name##_vjp, __VA_ARGS__)

#define UNARY(name, class, flags, loop, ref, for_x, what, formula, gradient, source, ...)              \
    UNARY_OP(name, class, flags, loop, ref, for_x, formula, source, __VA_ARGS__)                       \
    FUNCTION1(name)
#define BINARY(name, class, flags, loop, ref, for_a, for_b, what, formula, gradient, source, ...)      \
    BINARY_OP(name, class, flags, loop, ref, for_a, for_b, formula, source, __VA_ARGS__)               \
    FUNCTION2(name)
#define TERNARY(name, class, flags, loop, ref, for_a, for_b, for_c, what, formula, gradient, source, ...) \
    TERNARY_OP(name, class, flags, loop, ref, for_a, for_b, for_c, formula, source, __VA_ARGS__)       \
    FUNCTION3(name)
#define UNARY_CUT(name, class, flags, loop, ref, what, formula, source, ...)                           \
    TG_MICRO(name, 1, class, loop)                                                                     \
    REF(name, ref)                                                                                     \
    DESCRIPTOR(name, 1, class, TG_OP_CUT | (flags), formula, source, __VA_ARGS__)                      \
    FUNCTION1(name)
#define BINARY_CUT(name, class, flags, loop, ref, what, formula, source, ...)                          \
    TG_MICRO(name, 2, class, loop)                                                                     \
    REF(name, ref)                                                                                     \
    DESCRIPTOR(name, 2, class, TG_OP_CUT | (flags), formula, source, __VA_ARGS__)                      \
    FUNCTION2(name)

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
#define RANGE3(kind_, ...)                                                                             \
    SAMPLES(SAMPLE("equal shapes", TRIPLE(kind_, (3, 4), (3, 4), (3, 4), __VA_ARGS__)),                \
            SAMPLE("a matrix and two numbers", TRIPLE(kind_, (3, 4), (), (), __VA_ARGS__)),            \
            SAMPLE("a row, a column and a number", TRIPLE(kind_, (1, 4), (3, 1), (), __VA_ARGS__)),    \
            SAMPLE("vectors over two SIMD registers", TRIPLE(kind_, (37), (37), (37), __VA_ARGS__)),   \
            SAMPLE("rank 0", TRIPLE(kind_, (), (), (), __VA_ARGS__)),                                  \
            SAMPLE("size 0", TRIPLE(kind_, (2, 0), (1, 1), (), __VA_ARGS__)))
#define TRIPLE(kind_, a, b, c, ...)                                                                    \
    INPUTS({.kind = kind_, .shape = DIMS a, __VA_ARGS__}, {.kind = kind_, .shape = DIMS b, __VA_ARGS__}, \
           {.kind = kind_, .shape = DIMS c, __VA_ARGS__})

/* Samples of x, and of x and one other input, each with a range of its own. */
#define RANGES2(first, second)                                                                         \
    SAMPLES(SAMPLE("equal shapes", INPUTS(OF((3, 4), first), OF((3, 4), second))),                     \
            SAMPLE("a matrix and a number", INPUTS(OF((3, 4), first), OF((), second))),                \
            SAMPLE("a vector over two SIMD registers and a number", INPUTS(OF((37), first), OF((), second))), \
            SAMPLE("a row and a column", INPUTS(OF((1, 4), first), OF((3, 1), second))),               \
            SAMPLE("rank 0", INPUTS(OF((), first), OF((), second))),                                   \
            SAMPLE("size 0", INPUTS(OF((2, 0), first), OF((), second))))
#define OF(shape_, range) {.shape = DIMS shape_, TG__OPEN range}

#endif

/* kernels/micro.c: the elementwise loops of one instruction set (see micro.h), for each element type. */
#include "kernels/functions.h"
#include "kernels/set.h"
#include "tapegrad/op.h"

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* some loops cannot be vectorised: libm's pow, 64-bit integer division */
#pragma clang diagnostic ignored "-Wbitwise-conditional-parentheses" /* expressions use them to stay free of branches */
#endif

#define FN(name) TG__SET(TG__PASTE(tg__micro_##name, D))
#define K(x) ((T)(x))
#define M(function) TG__PASTE(tg__##function, D)

#define OPERANDS_1(TA) const TA *pa = va; (void)vb, (void)vc;
#define OPERANDS_2(TA) const TA *pa = va; const T *pb = vb; (void)vc;
#define OPERANDS_3(TA) const TA *pa = va; const T *pb = vb, *pc = vc;
#define ELEMENT_1(TA) const TA a = pa[i];
#define ELEMENT_2(TA) const TA a = pa[i]; const T b = pb[i];
#define ELEMENT_3(TA) const TA a = pa[i]; const T b = pb[i], c = pc[i];

#define LOOP(arity, TA, TO, ...)             \
    for (size_t i = 0; i < n; i++) {         \
        ELEMENT_##arity(TA)                  \
        o[i] = (TO)(__VA_ARGS__);            \
    }

#define FUNCTION(name, arity, TA, TO, ...)                                                   \
    void FN(name)(size_t n, void *out, const void *va, const void *vb, const void *vc) {     \
        TO *o = out;                                                                         \
        OPERANDS_##arity(TA)                                                                 \
        TG__INDEPENDENT                                                                      \
        LOOP(arity, TA, TO, __VA_ARGS__)                                                     \
    }

/* An element beyond the limit takes libm's value wherever it stands. */
#define FUNCTION_WITHIN(name, arity, ...)                                                    \
    void FN(name)(size_t n, void *out, const void *va, const void *vb, const void *vc) {     \
        const T limit = K(TG__TRIG_LIMIT);                                                   \
        T *o = out;                                                                          \
        OPERANDS_1(T)                                                                        \
        int beyond = 0;                                                                      \
        for (size_t i = 0; i < n; i++) beyond |= M(abs)(pa[i]) > limit;                      \
        if (beyond) {                                                                        \
            LOOP(1, T, T, M(abs)(a) > limit ? (T)name((double)a) : (__VA_ARGS__))            \
            return;                                                                          \
        }                                                                                    \
        TG__INDEPENDENT                                                                      \
        LOOP(1, T, T, __VA_ARGS__)                                                           \
    }

#define MAP(name, arity, ...) FUNCTION(name, arity, T, T, __VA_ARGS__)
#define TRUTH(name, arity, ...) FUNCTION(name, arity, T, uint8_t, (__VA_ARGS__) ? 1 : 0)
#define PICK(name, arity, ...) FUNCTION(name, arity, uint8_t, T, __VA_ARGS__)
#define CAST_F32(name, arity, ...) FUNCTION(name, arity, T, float, M(to_f32)((T)(__VA_ARGS__)))
#define CAST_F64(name, arity, ...) FUNCTION(name, arity, T, double, M(to_f64)((T)(__VA_ARGS__)))
#define CAST_I32(name, arity, ...) FUNCTION(name, arity, T, int32_t, M(to_i32)((T)(__VA_ARGS__)))
#define CAST_I64(name, arity, ...) FUNCTION(name, arity, T, int64_t, M(to_i64)((T)(__VA_ARGS__)))
#define CAST_U8(name, arity, ...) FUNCTION(name, arity, T, uint8_t, M(to_u8)((T)(__VA_ARGS__)))
#define CAST_BOOL(name, arity, ...) FUNCTION(name, arity, T, uint8_t, M(to_bool)((T)(__VA_ARGS__)))
#define CAST_BF16(name, arity, ...) FUNCTION(name, arity, T, uint16_t, M(to_bf16)((T)(__VA_ARGS__)))
#define CAST_F16(name, arity, ...) FUNCTION(name, arity, T, uint16_t, M(to_f16)((T)(__VA_ARGS__)))
#define NOTHING(name, arity, ...)

/* What a class makes of a kind of type. bool shares the loops of u8 where both have them. */
#define FLOAT_OF_REAL MAP
#define FLOAT_OF_WHOLE NOTHING
#define FLOAT_OF_BYTE NOTHING
#define FLOAT_OF_HALF NOTHING
#define FLOAT_OF_TRUTH NOTHING
#define PERIODIC_OF_REAL FUNCTION_WITHIN
#define PERIODIC_OF_WHOLE NOTHING
#define PERIODIC_OF_BYTE NOTHING
#define PERIODIC_OF_HALF NOTHING
#define PERIODIC_OF_TRUTH NOTHING
#define NUM_OF_REAL MAP
#define NUM_OF_WHOLE MAP
#define NUM_OF_BYTE NOTHING
#define NUM_OF_HALF NOTHING
#define NUM_OF_TRUTH NOTHING
#define TEST_OF_REAL TRUTH
#define TEST_OF_WHOLE TRUTH
#define TEST_OF_BYTE TRUTH
#define TEST_OF_HALF NOTHING
#define TEST_OF_TRUTH NOTHING
#define LOGIC_OF_REAL NOTHING
#define LOGIC_OF_WHOLE NOTHING
#define LOGIC_OF_BYTE NOTHING
#define LOGIC_OF_HALF NOTHING
#define LOGIC_OF_TRUTH TRUTH
#define SELECT_OF_REAL PICK
#define SELECT_OF_WHOLE PICK
#define SELECT_OF_BYTE PICK
#define SELECT_OF_HALF PICK
#define SELECT_OF_TRUTH NOTHING
#define TO_F32_OF_REAL CAST_F32
#define TO_F32_OF_WHOLE CAST_F32
#define TO_F32_OF_BYTE CAST_F32
#define TO_F32_OF_HALF CAST_F32
#define TO_F32_OF_TRUTH NOTHING
#define TO_F64_OF_REAL CAST_F64
#define TO_F64_OF_WHOLE CAST_F64
#define TO_F64_OF_BYTE CAST_F64
#define TO_F64_OF_HALF CAST_F64
#define TO_F64_OF_TRUTH NOTHING
#define TO_I32_OF_REAL CAST_I32
#define TO_I32_OF_WHOLE CAST_I32
#define TO_I32_OF_BYTE CAST_I32
#define TO_I32_OF_HALF CAST_I32
#define TO_I32_OF_TRUTH NOTHING
#define TO_I64_OF_REAL CAST_I64
#define TO_I64_OF_WHOLE CAST_I64
#define TO_I64_OF_BYTE CAST_I64
#define TO_I64_OF_HALF CAST_I64
#define TO_I64_OF_TRUTH NOTHING
#define TO_U8_OF_REAL CAST_U8
#define TO_U8_OF_WHOLE CAST_U8
#define TO_U8_OF_BYTE CAST_U8
#define TO_U8_OF_HALF CAST_U8
#define TO_U8_OF_TRUTH NOTHING
#define TO_BOOL_OF_REAL CAST_BOOL
#define TO_BOOL_OF_WHOLE CAST_BOOL
#define TO_BOOL_OF_BYTE CAST_BOOL
#define TO_BOOL_OF_HALF CAST_BOOL
#define TO_BOOL_OF_TRUTH NOTHING
#define TO_BF16_OF_REAL CAST_BF16
#define TO_BF16_OF_WHOLE CAST_BF16
#define TO_BF16_OF_BYTE CAST_BF16
#define TO_BF16_OF_HALF CAST_BF16
#define TO_BF16_OF_TRUTH NOTHING
#define TO_F16_OF_REAL CAST_F16
#define TO_F16_OF_WHOLE CAST_F16
#define TO_F16_OF_BYTE CAST_F16
#define TO_F16_OF_HALF CAST_F16
#define TO_F16_OF_TRUTH NOTHING

#define TG_MICRO(name, arity, class, ...) TG__PASTE(class##_OF, KIND)(name, arity, __VA_ARGS__)

#define T float
#define D f32
#define KIND REAL
#include "kernels/micro.inc"
#undef T
#undef D

#define T double
#define D f64
#include "kernels/micro.inc"
#undef T
#undef D
#undef KIND

#define T int32_t
#define D i32
#define KIND WHOLE
#include "kernels/micro.inc"
#undef T
#undef D

#define T int64_t
#define D i64
#include "kernels/micro.inc"
#undef T
#undef D
#undef KIND

#define T uint16_t
#define D bf16
#define KIND HALF
#include "kernels/micro.inc"
#undef D

#define D f16
#include "kernels/micro.inc"
#undef T
#undef D
#undef KIND

#define T uint8_t
#define D u8
#define KIND BYTE
#include "kernels/micro.inc"
#undef D
#undef KIND

#define D truth /* bool itself is a macro */
#define KIND TRUTH
#include "kernels/micro.inc"

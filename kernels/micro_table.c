/* kernels/micro_table.c: the tables of the elementwise loops that micro.c made, for every instruction set. */
#include "kernels/set.h"
#include "tapegrad/op.h"

#define LOOP(name, d, set) tg__micro_##name##_##d##_##set

/* X(C name, dtype, set): the loops that a class has. */
#define FLOAT_LOOPS(X, name, set) X(LOOP(name, f32, set), TG_F32) X(LOOP(name, f64, set), TG_F64)
#define PERIODIC_LOOPS FLOAT_LOOPS
#define NUM_LOOPS(X, name, set) FLOAT_LOOPS(X, name, set) X(LOOP(name, i32, set), TG_I32) X(LOOP(name, i64, set), TG_I64)
#define LOGIC_LOOPS(X, name, set) X(LOOP(name, truth, set), TG_BOOL)
#define ALL_LOOPS(X, name, set) NUM_LOOPS(X, name, set) X(LOOP(name, u8, set), TG_U8) X(LOOP(name, u8, set), TG_BOOL)
#define MOVED_LOOPS(X, name, set) ALL_LOOPS(X, name, set) X(LOOP(name, bf16, set), TG_BF16) X(LOOP(name, f16, set), TG_F16)
#define TEST_LOOPS ALL_LOOPS
#define SELECT_LOOPS MOVED_LOOPS
#define TO_F32_LOOPS MOVED_LOOPS
#define TO_F64_LOOPS MOVED_LOOPS
#define TO_I32_LOOPS MOVED_LOOPS
#define TO_I64_LOOPS MOVED_LOOPS
#define TO_U8_LOOPS MOVED_LOOPS
#define TO_BOOL_LOOPS MOVED_LOOPS
#define TO_BF16_LOOPS MOVED_LOOPS
#define TO_F16_LOOPS MOVED_LOOPS

#define DECLARE(function, dtype) tg_micro_fn function;
#define ENTRY(function, dtype) [dtype] = function,

#define TG_MICRO(name, arity, class, ...) TG__SET_DECLARATIONS(class##_LOOPS, name)
#if defined(__x86_64__)
#define TG__SET_DECLARATIONS(loops, name) loops(DECLARE, name, any) loops(DECLARE, name, avx2) loops(DECLARE, name, avx512)
#else
#define TG__SET_DECLARATIONS(loops, name) loops(DECLARE, name, any)
#endif
#include "kernels/micro.inc"
#undef TG_MICRO

#if defined(__x86_64__)
#define TG__SET_ROWS(loops, name)                   \
    [TG_ISA_ANY] = {loops(ENTRY, name, any)},       \
    [TG_ISA_AVX2] = {loops(ENTRY, name, avx2)},     \
    [TG_ISA_AVX512] = {loops(ENTRY, name, avx512)}
#else
#define TG__SET_ROWS(loops, name) [TG_ISA_ANY] = {loops(ENTRY, name, any)}
#endif
#define TG_MICRO(name, arity, class, ...)             \
    extern const tg_micro tg__micro_##name;           \
    const tg_micro tg__micro_##name = {.fn = {TG__SET_ROWS(class##_LOOPS, name)}};
#include "kernels/micro.inc"

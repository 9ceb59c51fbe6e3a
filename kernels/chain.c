/* kernels/chain.c: the steps of one instruction set (see chain.h). */
#include "kernels/chain.h"
#include "kernels/past.h"

#define VEC_BYTES TG__VECTOR_BYTES

#if defined(__GNUC__) && !defined(__clang__)
#define KEEP_COPIES __attribute__((no_icf)) /* equal functions are to stay apart */
#else
#define KEEP_COPIES
#endif

#define COPIES_4(X, ...) X(0, __VA_ARGS__) X(1, __VA_ARGS__) X(2, __VA_ARGS__) X(3, __VA_ARGS__)
#define COPIES_8(X, ...) COPIES_4(X, __VA_ARGS__) X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__) X(7, __VA_ARGS__)

#define D f32
#define T float
#include "kernels/chain_loops.h"
#undef D
#undef T

#define D f64
#define T double
#include "kernels/chain_loops.h"

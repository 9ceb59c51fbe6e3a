/* kernels/depthwise.c: convolutions of a channel a group for one instruction set; the code is depthwise_loops.h, by type. */
#include "kernels/depthwise.h"

#include <string.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 4")
#endif
#define INLINE static inline __attribute__((always_inline))
#define FN(name) TG__PASTE(name, D)

#define T float
#define D f32
#include "kernels/depthwise_loops.h"
#undef T
#undef D

#define T double
#define D f64
#include "kernels/depthwise_loops.h"

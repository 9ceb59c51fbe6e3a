/* kernels/unroll.h: what loops over the registers of a tile ask of the compiler. */
#ifndef TG_UNROLL_H
#define TG_UNROLL_H

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 32")
#endif
#define INLINE static inline __attribute__((always_inline))

#endif

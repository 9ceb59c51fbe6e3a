/* kernels/set.h: one source, several instruction sets.
 *
 * A file that is compiled once per set gets -DTG__ISA=any (no flags), =avx2 (-mavx2 -mfma) or =avx512 (-mavx512f -mavx512vl
 * -mavx512dq -mavx512bw -mfma -mprefer-vector-width=512) and names what others see TG__SET(name): name_any, name_avx2, ... */
#ifndef TG_SET_H
#define TG_SET_H

#define TG__PASTE_(a, b) a##_##b
#define TG__PASTE(a, b) TG__PASTE_(a, b)
#define TG__SET(name) TG__PASTE(name, TG__ISA)

/* Bytes of a vector. Where the compiler has no AVX-512 but is told 64 (make CONFIG=wide), the code for AVX-512 is made of the
 * instructions that there are, so that a CPU without it can run the tests of that code. */
#ifndef TG__VECTOR_BYTES
#if defined(__AVX512F__)
#define TG__VECTOR_BYTES 64
#elif defined(__AVX2__)
#define TG__VECTOR_BYTES 32
#else
#define TG__VECTOR_BYTES 16
#endif
#endif

/* X(suffix, level): one row per set of this machine. */
#if defined(__x86_64__)
#define TG__SET_MAP(X)         \
    X(any, TG_ISA_ANY)         \
    X(avx2, TG_ISA_AVX2)       \
    X(avx512, TG_ISA_AVX512)
#else
#define TG__SET_MAP(X) X(any, TG_ISA_ANY)
#endif

/* Before a loop whose iterations are independent, though its result may be the very memory of an operand. */
#if defined(__clang__)
#define TG__INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define TG__INDEPENDENT _Pragma("GCC ivdep")
#else
#define TG__INDEPENDENT
#endif

#endif

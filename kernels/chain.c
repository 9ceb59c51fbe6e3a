/* kernels/chain.c: the steps of one instruction set (see chain.h). */
#include "kernels/chain.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#define VEC_BYTES TG__VECTOR_BYTES

/* Whole lines to aligned memory, which is not read first. */
#if VEC_BYTES == 64 && defined(__AVX512F__)
#define STORE_PAST(to, x) _mm512_stream_si512((__m512i *)(void *)(to), (__m512i)(x))
#elif VEC_BYTES == 32
#define STORE_PAST(to, x) _mm256_stream_si256((__m256i *)(void *)(to), (__m256i)(x))
#elif VEC_BYTES == 16 && defined(__SSE2__)
#define STORE_PAST(to, x) _mm_stream_si128((__m128i *)(void *)(to), (__m128i)(x))
#endif

#if defined(__GNUC__) && !defined(__clang__)
#define KEEP_COPIES __attribute__((no_icf)) /* equal functions are to stay apart */
#else
#define KEEP_COPIES
#endif

#define COPIES_4(X, ...) X(0, __VA_ARGS__) X(1, __VA_ARGS__) X(2, __VA_ARGS__) X(3, __VA_ARGS__)
#define COPIES_8(X, ...) COPIES_4(X, __VA_ARGS__) X(4, __VA_ARGS__) X(5, __VA_ARGS__) X(6, __VA_ARGS__) X(7, __VA_ARGS__)

static void end_past(void) {
#if defined(__SSE2__)
    _mm_sfence();
#endif
}

#define D f32
#define T float
#include "kernels/chain_loops.h"
#undef D
#undef T

#define D f64
#define T double
#include "kernels/chain_loops.h"

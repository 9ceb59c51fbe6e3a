/* kernels/past.h: stores that go past the caches, for results so large that nobody finds them there. Plain stores would read
 * each line before they write it. They stand among the arithmetic: a copy of whole rows waits for memory. */
#ifndef TG_PAST_H
#define TG_PAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "kernels/kernels.h"
#include "kernels/set.h"
#include "kernels/unroll.h"

#if defined(__AVX512F__)
#define TG__PAST_BYTES 64
#define TG__STORE_PAST(to, from) _mm512_stream_ps((float *)(void *)(to), _mm512_loadu_ps((const float *)(const void *)(from)))
#elif defined(__AVX2__)
#define TG__PAST_BYTES 32
#define TG__STORE_PAST(to, from) _mm256_stream_ps((float *)(void *)(to), _mm256_loadu_ps((const float *)(const void *)(from)))
#elif defined(__x86_64__)
#define TG__PAST_BYTES 16
#define TG__STORE_PAST(to, from) _mm_stream_ps((float *)(void *)(to), _mm_loadu_ps((const float *)(const void *)(from)))
#else
#define TG__PAST_BYTES 16
#define TG__STORE_PAST(to, from) memcpy(to, from, TG__PAST_BYTES)
#endif

/* Whether rows of `bytes` that begin at `at` may be stored so. */
static inline bool tg__can_pass(const void *at, int64_t bytes) {
    return (uintptr_t)at % TG__PAST_BYTES == 0 && bytes % TG__PAST_BYTES == 0;
}

/* bytes: a constant, a multiple of TG__PAST_BYTES. */
INLINE void tg__store_past(void *to, const void *from, size_t bytes) {
    UNROLL
    for (size_t i = 0; i < bytes; i += TG__PAST_BYTES) TG__STORE_PAST((char *)to + i, (const char *)from + i);
}

/* After the last such store, before another thread reads. */
static inline void tg__stored_past(void) {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

/* to[j] = value for each j < n, of the type T. */
#define TG__STORE_ROW(to, n, past, value)                                               \
    int64_t i = 0;                                                                      \
    for (; past && i + TG__LANES <= n; i += TG__LANES) {                                \
        T lanes[TG__LANES];                                                             \
        TG__INDEPENDENT                                                                 \
        for (int l = 0; l < TG__LANES; l++) {                                           \
            const int64_t j = i + l;                                                    \
            lanes[l] = value;                                                           \
        }                                                                               \
        tg__store_past(to + i, lanes, sizeof lanes);                                    \
    }                                                                                   \
    TG__INDEPENDENT                                                                     \
    for (int64_t j = i; j < n; j++) to[j] = value;

#endif

/* kernels/fetch.h: asks for memory ahead of its use: the next row, while the one before it is computed from the cache. */
#ifndef TG_FETCH_H
#define TG_FETCH_H

#include <stddef.h>

#define TG__FETCH_MOST 16384 /* bytes: what a longer row would push out of the cache is needed sooner */

static inline void tg__fetch(const void *at, size_t bytes) {
    if (bytes > TG__FETCH_MOST) return;
    for (size_t i = 0; i < bytes; i += 64) __builtin_prefetch((const char *)at + i);
}

#endif

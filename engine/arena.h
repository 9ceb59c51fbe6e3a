/* engine/arena.h: memory that is given out in order and taken back all at once or back to a mark. Addresses never move. */
#ifndef TG_ARENA_H
#define TG_ARENA_H

#include "alloc.h"

typedef struct tg__chunk {
    struct tg__chunk *next;
    size_t size; /* bytes after the header */
} tg__chunk;

typedef struct tg__arena {
    tg__chunk *first, *current; /* chunks after `current` are free */
    size_t used;                /* bytes used in `current` */
    size_t total;               /* bytes in all chunks */
} tg__arena;

typedef struct tg__arena_mark {
    tg__chunk *current;
    size_t used;
} tg__arena_mark;

void *tg__arena_take(tg__arena *a, size_t size); /* 64-byte aligned, 16 if smaller than 64; NULL: out of memory */
tg__arena_mark tg__arena_at(const tg__arena *a);
void tg__arena_back(tg__arena *a, tg__arena_mark m);
void tg__arena_reset(tg__arena *a); /* keeps the memory, as one chunk from the next use on if there were several */
void tg__arena_free(tg__arena *a);

#endif

#include "arena.h"

#define HEADER 64 /* keeps what follows aligned */
#define FIRST 8128 /* bytes of the first chunk */

static char *bytes(tg__chunk *c) { return (char *)c + HEADER; }

static tg__chunk *add_chunk(tg__arena *a, size_t at_least) {
    size_t size = a->total > FIRST ? a->total : FIRST;
    if (size > (size_t)64 << 20) size = (size_t)64 << 20;
    if (size < at_least) size = at_least;
    tg__chunk *c = tg__alloc(HEADER + size);
    if (!c) return NULL;
    c->size = size;
    c->next = NULL;
    a->total += size;
    return c;
}

void *tg__arena_take(tg__arena *a, size_t size) {
    size_t align = size < 64 ? 16 : 64;
    size = (size + align - 1) & ~(align - 1);
    if (!size) size = 16;
    if (a->current) a->used = (a->used + align - 1) & ~(align - 1);
    if (a->current && a->used + size <= a->current->size) {
        void *p = bytes(a->current) + a->used;
        a->used += size;
        return p;
    }
    tg__chunk **link = a->current ? &a->current->next : &a->first;
    while (*link && (*link)->size < size) { /* too small for this one: not worth keeping */
        tg__chunk *small = *link;
        *link = small->next;
        a->total -= small->size;
        tg__free(small);
    }
    if (!*link && !(*link = add_chunk(a, size))) return NULL;
    a->current = *link;
    a->used = size;
    return bytes(a->current);
}

tg__arena_mark tg__arena_at(const tg__arena *a) { return (tg__arena_mark){a->current, a->used}; }

void tg__arena_back(tg__arena *a, tg__arena_mark m) {
    a->current = m.current;
    a->used = m.used;
}

void tg__arena_reset(tg__arena *a) {
    a->current = NULL;
    a->used = 0;
    if (!a->first || !a->first->next) return;
    size_t total = a->total;
    tg__arena_free(a);
    a->first = add_chunk(a, total);
}

void tg__arena_free(tg__arena *a) {
    for (tg__chunk *c = a->first, *next; c; c = next) {
        next = c->next;
        tg__free(c);
    }
    *a = (tg__arena){0};
}

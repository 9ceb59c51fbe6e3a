/* engine/alloc.h: the one place where the library takes memory. */
#ifndef TG_ALLOC_H
#define TG_ALLOC_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

/* 64-byte aligned; size 0 gives a pointer that can be freed. NULL when out of memory. */
void *tg__alloc(size_t size);
void *tg__calloc(size_t count, size_t size);              /* zeroed; checks the product */
void *tg__realloc(void *p, size_t old_size, size_t size); /* NULL leaves p as it was */
void tg__free(void *p);
char *tg__strdup(const char *s);

/* What an array takes of memory that it shares. Large ones that lie one after the other are not to begin at one place of a
 * page: reading one while another is written at the same place of a page is slower. */
static inline size_t tg__apart(size_t bytes) { return bytes < (size_t)256 << 10 ? bytes : bytes + 11 * 64; }

/* Grows *p, an array of `size`-byte elements with room for *cap, to hold at least `need`. False: out of memory, nothing
 * changed. */
bool tg__grow(void *p, uint32_t *cap, uint64_t need, size_t size);

/* Fault injection for tests: the n-th call from now fails (n >= 1; 0: never), and if `forever` every later one too.
 * Returns how many calls there were since it was last set. Counts over all threads. */
uint64_t tg__alloc_fail_at(uint64_t n, bool forever);
void tg__alloc_most(size_t size); /* for tests: larger blocks fail; 0: none does */
void tg__alloc_for_ever(void);   /* the newest block is never given back: it does not count as alive */
uint64_t tg__alloc_live(void); /* blocks alive now */

#endif

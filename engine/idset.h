/* engine/idset.h: a set of node numbers that gives back its largest member: a bitmap, and a summary with one bit for each of
 * its words. Adding and taking cost a few instructions; a gap costs one for 4,096 numbers. It is empty again when the last
 * member was taken. */
#ifndef TG_IDSET_H
#define TG_IDSET_H

#include "alloc.h"

typedef struct tg__idset {
    uint64_t *words, *summary; /* a bit of the summary may be set for a word that has become empty */
    uint32_t cursor;           /* no member lies in a word above this one */
    uint32_t capacity;         /* ids below this fit */
} tg__idset;

bool tg__idset_reserve(tg__idset *s, uint32_t ids); /* only while empty */
void tg__idset_free(tg__idset *s);
bool tg__idset_descend(tg__idset *s); /* moves the cursor, which is at an empty word, to the next one with a member */

static inline void tg__idset_add(tg__idset *s, uint32_t id) {
    uint32_t at = id >> 6;
    if (!s->words[at]) {
        s->summary[at >> 6] |= (uint64_t)1 << (at & 63);
        if (at > s->cursor) s->cursor = at;
    }
    s->words[at] |= (uint64_t)1 << (id & 63);
}

/* The largest member, taken out; UINT32_MAX if empty. */
static inline uint32_t tg__idset_take(tg__idset *s) {
    if (!s->words[s->cursor] && !tg__idset_descend(s)) return UINT32_MAX;
    uint64_t word = s->words[s->cursor];
    uint32_t bit = 63 - (uint32_t)__builtin_clzll(word);
    s->words[s->cursor] = word ^ (uint64_t)1 << bit;
    return s->cursor << 6 | bit;
}

#endif

/* engine/idset.h: a set of node numbers that gives back its largest member: a bitmap with summary levels above it, so that
 * adding and taking cost a few instructions however long the tape is. It is empty again when the last member was taken. */
#ifndef TG_IDSET_H
#define TG_IDSET_H

#include "alloc.h"

#define TG__IDSET_LEVELS 6 /* 64^5 > 2^28 nodes; level 0 is the finest */

typedef struct tg__idset {
    uint64_t *level[TG__IDSET_LEVELS];
    uint32_t words[TG__IDSET_LEVELS];
    uint32_t cursor;   /* no member lies in a word of level 0 above this one */
    uint32_t capacity; /* ids below this fit */
} tg__idset;

bool tg__idset_reserve(tg__idset *s, uint32_t ids); /* only while empty */
void tg__idset_free(tg__idset *s);

static inline void tg__idset_add(tg__idset *s, uint32_t id) {
    if (id >> 6 > s->cursor) s->cursor = id >> 6;
    for (int l = 0; l < TG__IDSET_LEVELS; l++) {
        uint64_t *w = &s->level[l][id >> 6], old = *w;
        *w = old | (uint64_t)1 << (id & 63);
        if (old) return;
        id >>= 6;
    }
}

static inline uint32_t tg__idset_highest_word(const tg__idset *s) {
    uint32_t at = 0;
    for (int l = TG__IDSET_LEVELS - 1; l > 0; l--) {
        if (!s->level[l][at]) return UINT32_MAX;
        at = at << 6 | (63 - (uint32_t)__builtin_clzll(s->level[l][at]));
    }
    return at;
}

/* The largest member, taken out; UINT32_MAX if empty. */
static inline uint32_t tg__idset_take(tg__idset *s) {
    uint64_t *w = &s->level[0][s->cursor];
    if (!*w) {
        uint32_t at = tg__idset_highest_word(s);
        s->cursor = at == UINT32_MAX ? 0 : at;
        if (at == UINT32_MAX) return UINT32_MAX;
        w = &s->level[0][at];
    }
    uint32_t bit = 63 - (uint32_t)__builtin_clzll(*w), id = s->cursor << 6 | bit;
    *w &= ~((uint64_t)1 << bit);
    uint32_t at = s->cursor;
    for (int l = 1; l < TG__IDSET_LEVELS && !*w; l++) {
        w = &s->level[l][at >> 6];
        *w &= ~((uint64_t)1 << (at & 63));
        at >>= 6;
    }
    return id;
}

#endif

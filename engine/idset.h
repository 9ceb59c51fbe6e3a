/* engine/idset.h: a set of node numbers that gives back its largest member: a bitmap with summary levels above it, so that adding
 * and taking cost a few instructions however long the tape is. It is empty again when the last member was taken. */
#ifndef TG_IDSET_H
#define TG_IDSET_H

#include "alloc.h"

#define TG__IDSET_LEVELS 6 /* 64^5 > 2^28 nodes; level 0 is the finest */

typedef struct tg__idset {
    uint64_t *level[TG__IDSET_LEVELS];
    uint32_t words[TG__IDSET_LEVELS];
    uint32_t capacity; /* ids below this fit */
} tg__idset;

bool tg__idset_reserve(tg__idset *s, uint32_t ids); /* only while empty */
void tg__idset_free(tg__idset *s);

static inline void tg__idset_add(tg__idset *s, uint32_t id) {
    for (int l = 0; l < TG__IDSET_LEVELS; l++) {
        uint64_t *w = &s->level[l][id >> 6], old = *w;
        *w = old | (uint64_t)1 << (id & 63);
        if (old) return;
        id >>= 6;
    }
}

/* The largest member, taken out; UINT32_MAX if empty. */
static inline uint32_t tg__idset_take(tg__idset *s) {
    uint64_t top = s->level[TG__IDSET_LEVELS - 1][0];
    if (!top) return UINT32_MAX;
    uint32_t id = 0;
    for (int l = TG__IDSET_LEVELS - 1; l >= 0; l--) id = id << 6 | (63 - (uint32_t)__builtin_clzll(s->level[l][id]));
    uint32_t at = id;
    for (int l = 0; l < TG__IDSET_LEVELS; l++) {
        uint64_t *w = &s->level[l][at >> 6];
        *w &= ~((uint64_t)1 << (at & 63));
        if (*w) break;
        at >>= 6;
    }
    return id;
}

#endif

#include "idset.h"

#include <string.h>

static bool grow_bitmap(uint64_t **bits, uint64_t words) {
    uint64_t *w = tg__calloc(words, sizeof *w);
    if (!w) return false;
    tg__free(*bits);
    *bits = w;
    return true;
}

bool tg__idset_reserve(tg__idset *s, uint32_t ids) {
    if (ids <= s->capacity) return true;
    uint64_t capacity = 4096;
    while (capacity < ids) capacity *= 2;
    if (!grow_bitmap(&s->words, capacity / 64) || !grow_bitmap(&s->summary, capacity / 4096)) return false;
    s->capacity = (uint32_t)(capacity > UINT32_MAX ? UINT32_MAX : capacity);
    return true;
}

bool tg__idset_descend(tg__idset *s) {
    for (;;) {
        uint32_t at = s->cursor >> 6;
        s->summary[at] &= ~((uint64_t)1 << (s->cursor & 63));
        while (at && !s->summary[at]) at--;
        if (!s->summary[at]) {
            s->cursor = 0;
            return false;
        }
        s->cursor = at << 6 | (63 - (uint32_t)__builtin_clzll(s->summary[at]));
        if (s->words[s->cursor]) return true;
    }
}

void tg__idset_free(tg__idset *s) {
    tg__free(s->words);
    tg__free(s->summary);
    memset(s, 0, sizeof *s);
}

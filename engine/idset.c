#include "idset.h"

#include <string.h>

bool tg__idset_reserve(tg__idset *s, uint32_t ids) {
    if (ids <= s->capacity) return true;
    uint64_t capacity = 4096;
    while (capacity < ids) capacity *= 2;
    uint64_t count = capacity;
    for (int l = 0; l < TG__IDSET_LEVELS; l++) {
        uint32_t words = (uint32_t)((count + 63) / 64);
        if (words > s->words[l]) {
            uint64_t *w = tg__calloc(words, sizeof *w);
            if (!w) return false;
            tg__free(s->level[l]);
            s->level[l] = w;
            s->words[l] = words;
        }
        count = words;
    }
    s->capacity = (uint32_t)(capacity > UINT32_MAX ? UINT32_MAX : capacity);
    return true;
}

void tg__idset_free(tg__idset *s) {
    for (int l = 0; l < TG__IDSET_LEVELS; l++) tg__free(s->level[l]);
    memset(s, 0, sizeof *s);
}

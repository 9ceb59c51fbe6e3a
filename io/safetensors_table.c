/* What reading and writing safetensors share. */
#include "safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "engine/alloc.h"

const tg__st_dtype tg__st_dtypes[] = {
#define ROW(name, bits, dtype) {name, bits, dtype},
    TG__ST_DTYPE_MAP(ROW)
#undef ROW
    {NULL, 0, -1},
};

void tg__st_free(tg__st_table *t) {
    tg__free(t->entries);
    tg__free(t->by_name);
    tg__free(t->pairs);
    tg__free(t->text);
    memset(t, 0, sizeof *t);
}

static int compare_name(const void *name, const void *entry) { return strcmp(name, (*(tg__st_entry *const *)entry)->name); }

const tg__st_entry *tg__st_find(const tg__st_table *t, const char *name) {
    if (t->n == 0) return NULL;
    tg__st_entry *const *found = bsearch(name, t->by_name, t->n, sizeof *t->by_name, compare_name);
    return found ? *found : NULL;
}

const char *tg__st_value(const tg__st_table *t, const char *key) {
    for (uint32_t i = 0; i < t->n_pairs; i++)
        if (!strcmp(t->pairs[i].key, key)) return t->pairs[i].value;
    return NULL;
}

tg_shape tg__st_shape(const tg__st_entry *e) {
    tg_shape s = {.rank = e->rank};
    memcpy(s.dims, e->dims, e->rank * sizeof *e->dims);
    return s;
}

/* Interning: equal contents get one number and one address, so that comparing them later is comparing numbers. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine.h"

static void insert(uint32_t *table, uint32_t mask, uint64_t hash, uint32_t item) {
    uint32_t at = (uint32_t)hash & mask;
    while (table[at] != TG__NONE) at = (at + 1) & mask;
    table[at] = item;
}

static bool grow_table(tg__interned *set) {
    uint32_t size = set->table_size ? set->table_size * 2 : 128;
    uint32_t *table = tg__alloc(size * sizeof *table);
    if (!table) return false;
    memset(table, 0xff, size * sizeof *table);
    for (uint32_t i = 0; i < set->n; i++) insert(table, size - 1, set->hashes[i], i);
    tg__free(set->table);
    set->table = table;
    set->table_size = size;
    return true;
}

static bool reserve_item(tg__interned *set) {
    uint32_t cap = set->cap;
    if (!tg__grow(&set->items, &cap, set->n + 1, sizeof *set->items)) return false;
    uint32_t hash_cap = set->cap;
    if (!tg__grow(&set->hashes, &hash_cap, set->n + 1, sizeof *set->hashes)) { /* the items have room for more: harmless */
        return false;
    }
    set->cap = cap < hash_cap ? cap : hash_cap;
    return true;
}

/* Records begin with the `size` bytes that are compared and are record_size bytes long in `memory`; the rest is zeroed. */
uint32_t tg__intern(tg__interned *set, tg__arena *memory, const void *bytes, size_t size, size_t record_size) {
    uint64_t hash = XXH3_64bits(bytes, size);
    if (set->table_size) {
        uint32_t mask = set->table_size - 1;
        for (uint32_t at = (uint32_t)hash & mask; set->table[at] != TG__NONE; at = (at + 1) & mask) {
            uint32_t i = set->table[at];
            if (set->hashes[i] == hash && memcmp(set->items[i], bytes, size) == 0) return i;
        }
    }
    if ((set->n + 1) * 2 > set->table_size && !grow_table(set)) return TG__NONE;
    if (!reserve_item(set)) return TG__NONE;
    char *record = tg__arena_take(memory, record_size);
    if (!record) return TG__NONE;
    memcpy(record, bytes, size);
    memset(record + size, 0, record_size - size);
    set->items[set->n] = record;
    set->hashes[set->n] = hash;
    insert(set->table, set->table_size - 1, hash, set->n);
    return set->n++;
}

void tg__interned_clear(tg__interned *set) {
    set->n = 0;
    if (set->table) memset(set->table, 0xff, set->table_size * sizeof *set->table);
}

void tg__interned_free(tg__interned *set) {
    tg__free(set->table);
    tg__free(set->items);
    tg__free(set->hashes);
    *set = (tg__interned){0};
}

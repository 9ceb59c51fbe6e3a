/* The checksum in the metadata of our files, "xxh3": XXH3 with 128 bits, seed 0, over
 *     for each metadata pair but xxh3 itself, sorted by key: key NUL value NUL, then NUL
 *     for each tensor in the order of the data: name NUL dtype NUL rank dims... begin end (64-bit little-endian)
 *     the data section.
 * So it does not depend on white space, escapes or the order of keys in the header, but on all that the file says.
 * XXH3 finds accidents; who wants to forge a file can compute it as well. */
#define XXH_INLINE_ALL /* its state comes from tg__alloc, and no version of a shared library matters */
#include <xxhash.h>

#include <stdlib.h>
#include <string.h>

#include "byte_order.h"
#include "engine/alloc.h"
#include "safetensors.h"

static tg_status add(void *state, const void *bytes, size_t n) {
    XXH3_128bits_update(state, bytes, n);
    return TG_OK;
}

static void add_string(XXH3_state_t *state, const char *s) { add(state, s, strlen(s) + 1); }

static void add_number(XXH3_state_t *state, uint64_t v) {
    uint8_t bytes[8];
    tg__put_little_64(bytes, v);
    add(state, bytes, sizeof bytes);
}

static void add_pairs(XXH3_state_t *state, const tg__st_table *t) {
    for (uint32_t i = 0; i < t->n_pairs; i++)
        if (strcmp(t->pairs[i].key, "xxh3")) {
            add_string(state, t->pairs[i].key);
            add_string(state, t->pairs[i].value);
        }
    add(state, "", 1);
}

static void add_entry(XXH3_state_t *state, const tg__st_entry *e) {
    add_string(state, e->name);
    add_string(state, tg__st_dtypes[e->dtype].name);
    add_number(state, e->rank);
    for (int i = 0; i < e->rank; i++) add_number(state, (uint64_t)e->dims[i]);
    add_number(state, e->begin);
    add_number(state, e->end);
}

static void write_hex(XXH128_hash_t hash, char text[TG__HASH_TEXT]) {
    static const char digits[] = "0123456789abcdef";
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    for (size_t i = 0; i < sizeof canonical.digest; i++) {
        text[2 * i] = digits[canonical.digest[i] >> 4];
        text[2 * i + 1] = digits[canonical.digest[i] & 15];
    }
    text[TG__HASH_TEXT - 1] = 0;
}

tg_status tg__st_content_hash(const tg__st_table *t, char text[TG__HASH_TEXT], const tg__report *r) {
    XXH3_state_t *state = tg__alloc(sizeof *state);
    if (!state) return tg__report_nomem(r, sizeof *state);
    XXH3_128bits_reset(state);
    add_pairs(state, t);
    for (uint32_t i = 0; i < t->n; i++) add_entry(state, &t->entries[i]);
    tg__st_put_data(t, add, state);
    write_hex(XXH3_128bits_digest(state), text);
    tg__free(state);
    return TG_OK;
}

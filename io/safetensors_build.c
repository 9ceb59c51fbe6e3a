/* The writer. Tensors are ordered by descending element type, in the reference's order of types, then by name; the header is
 * compact JSON padded with spaces to a multiple of 8. So a file has the bytes that the reference would write. */
#include "safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "byte_order.h"
#include "engine/alloc.h"
#include "json.h"

#define MOST_NAME 65535

/* ------------------------------------------------------------------ the table */

static bool is_utf8(const char *text) {
    const uint8_t *p = (const uint8_t *)text, *end = p + strlen(text);
    for (size_t n; p < end; p += n)
        if (!(n = tg__utf8_length(p, end))) return false;
    return true;
}

static bool format_dtype(tg_dtype dtype, uint8_t *index) {
    if ((unsigned)dtype >= TG_DTYPE_COUNT) return false;
    for (*index = 0; tg__st_dtypes[*index].name; ++*index)
        if (tg__st_dtypes[*index].dtype == (int)dtype) return true;
    return false;
}

static bool array_bytes(const tg_array *a, uint64_t *bytes) {
    *bytes = tg_dtype_size(a->dtype);
    for (int i = 0; i < a->shape.rank; i++)
        if (a->shape.dims[i] < 0 || __builtin_mul_overflow(*bytes, (uint64_t)a->shape.dims[i], bytes)) return false;
    return *bytes <= PTRDIFF_MAX;
}

static tg_status build_entry(const tg_named_array *item, int i, tg__st_entry *e, const tg__report *r) {
    const tg_array *a = &item->array;
    if (!item->name) return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "array %d has no name", i);
    char name[TG__QUOTED];
    tg__quoted(name, item->name);
    if (strlen(item->name) > MOST_NAME || !is_utf8(item->name) || !strcmp(item->name, TG__ST_METADATA))
        return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "array %s: the name is too long, not UTF-8 or reserved", name);
    *e = (tg__st_entry){.name = item->name, .data = a->data};
    if (!format_dtype(a->dtype, &e->dtype)) return tg__report_at(r, TG_EDTYPE, TG__NO_OFFSET, "array %s: no such dtype", name);
    if (a->shape.rank < 0 || a->shape.rank > TG_MAX_RANK || !array_bytes(a, &e->end))
        return tg__report_at(r, TG_ESHAPE, TG__NO_OFFSET, "array %s: a rank or dimension is negative or too large", name);
    if (!a->data && e->end) return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "array %s: the data is NULL", name);
    e->rank = (uint8_t)a->shape.rank;
    memcpy(e->dims, a->shape.dims, e->rank * sizeof *e->dims);
    return TG_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp((*(tg__st_entry *const *)a)->name, (*(tg__st_entry *const *)b)->name);
}

static tg_status check_unique(const tg__st_table *t, const tg__report *r) {
    tg__st_entry **by_name = tg__alloc(t->n * sizeof *by_name);
    if (!by_name) return tg__report_nomem(r, t->n * sizeof *by_name);
    for (uint32_t i = 0; i < t->n; i++) by_name[i] = &t->entries[i];
    if (t->n) qsort(by_name, t->n, sizeof *by_name, compare_names);
    tg_status status = TG_OK;
    char name[TG__QUOTED];
    for (uint32_t i = 1; i < t->n && status == TG_OK; i++)
        if (!strcmp(by_name[i - 1]->name, by_name[i]->name))
            status = tg__report_at(r, TG_EARG, TG__NO_OFFSET, "two arrays are named %s", tg__quoted(name, by_name[i]->name));
    tg__free(by_name);
    return status;
}

static int compare_order(const void *a, const void *b) {
    const tg__st_entry *x = a, *y = b;
    return x->dtype != y->dtype ? y->dtype - x->dtype : strcmp(x->name, y->name);
}

static tg_status place_entries(tg__st_table *t, const tg__report *r) {
    if (t->n) qsort(t->entries, t->n, sizeof *t->entries, compare_order);
    for (uint32_t i = 0; i < t->n; i++) {
        tg__st_entry *e = &t->entries[i];
        e->begin = t->data_size;
        if (__builtin_add_overflow(e->begin, e->end, &e->end) || e->end > PTRDIFF_MAX)
            return tg__report_at(r, TG_ESHAPE, TG__NO_OFFSET, "the arrays are larger than a file can be");
        t->data_size = e->end;
    }
    return TG_OK;
}

tg_status tg__st_build(const tg_named_array *items, int n, tg__st_table *t, const tg__report *r) {
    memset(t, 0, sizeof *t);
    if (n < 0 || (n > 0 && !items)) return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "the list of arrays is NULL or negative");
    if ((uint32_t)n > TG__ST_MOST_TENSORS)
        return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "more than %u arrays", TG__ST_MOST_TENSORS);
    t->entries = tg__alloc((size_t)n * sizeof *t->entries);
    if (!t->entries) return tg__report_nomem(r, (uint64_t)n * sizeof *t->entries);
    t->n = (uint32_t)n;
    tg_status status = TG_OK;
    for (int i = 0; i < n && status == TG_OK; i++) status = build_entry(&items[i], i, &t->entries[i], r);
    if (status == TG_OK) status = check_unique(t, r);
    if (status == TG_OK) status = place_entries(t, r);
    if (status != TG_OK) tg__st_free(t);
    return status;
}

/* ------------------------------------------------------------------ the header */

/* Text that is counted first (bytes NULL), then written. */
typedef struct text {
    char *bytes;
    size_t n;
} text;

static void put(text *t, const char *s, size_t n) {
    if (t->bytes) memcpy(t->bytes + t->n, s, n);
    t->n += n;
}

static void put_text(text *t, const char *s) { put(t, s, strlen(s)); }

static void put_number(text *t, uint64_t v) {
    char digits[24];
    put(t, digits, (size_t)snprintf(digits, sizeof digits, "%" PRIu64, v));
}

static void put_escaped(text *t, unsigned char c) {
    static const char letters[] = "btn?fr"; /* of 8 to 13; 11 has none */
    char code[8];
    if (c == '"' || c == '\\') snprintf(code, sizeof code, "\\%c", c);
    else if (c >= 8 && c <= 13 && c != 11) snprintf(code, sizeof code, "\\%c", letters[c - 8]);
    else snprintf(code, sizeof code, "\\u%04x", c);
    put_text(t, code);
}

static void put_string(text *t, const char *s) {
    put(t, "\"", 1);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c < 0x20 || c == '"' || c == '\\') put_escaped(t, c);
        else put(t, s, 1);
    }
    put(t, "\"", 1);
}

static void put_metadata(text *out, const tg__st_table *t) {
    put_text(out, "\"" TG__ST_METADATA "\":{");
    for (uint32_t i = 0; i < t->n_pairs; i++) {
        if (i) put(out, ",", 1);
        put_string(out, t->pairs[i].key);
        put(out, ":", 1);
        put_string(out, t->pairs[i].value);
    }
    put(out, "}", 1);
}

static void put_entry(text *out, const tg__st_entry *e) {
    put_string(out, e->name);
    put_text(out, ":{\"dtype\":\"");
    put_text(out, tg__st_dtypes[e->dtype].name);
    put_text(out, "\",\"shape\":[");
    for (int i = 0; i < e->rank; i++) {
        if (i) put(out, ",", 1);
        put_number(out, (uint64_t)e->dims[i]);
    }
    put_text(out, "],\"data_offsets\":[");
    put_number(out, e->begin);
    put(out, ",", 1);
    put_number(out, e->end);
    put_text(out, "]}");
}

static void put_header(text *out, const tg__st_table *t) {
    put(out, "{", 1);
    if (t->has_metadata) put_metadata(out, t);
    for (uint32_t i = 0; i < t->n; i++) {
        if (i || t->has_metadata) put(out, ",", 1);
        put_entry(out, &t->entries[i]);
    }
    put(out, "}", 1);
    while (out->n % 8) put(out, " ", 1);
}

tg_status tg__st_header(const tg__st_table *t, uint8_t **bytes, size_t *size, const tg__report *r) {
    text count = {0};
    put_header(&count, t);
    if (count.n > TG__ST_MOST_HEADER)
        return tg__report_at(r, TG_EARG, TG__NO_OFFSET, "the names need a header of %zu bytes, above the format's %u", count.n,
                             TG__ST_MOST_HEADER);
    *size = 8 + count.n;
    *bytes = tg__alloc(*size);
    if (!*bytes) return tg__report_nomem(r, *size);
    text out = {.bytes = (char *)*bytes + 8};
    put_header(&out, t);
    tg__put_little_64(*bytes, count.n);
    return TG_OK;
}

/* ------------------------------------------------------------------ the data */

static tg_status put_swapped(const tg__st_entry *e, size_t size, tg__sink sink, void *to) {
    uint8_t block[4096];
    tg_status status = TG_OK;
    for (uint64_t at = 0, bytes = e->end - e->begin; at < bytes && status == TG_OK; at += sizeof block) {
        size_t n = bytes - at < sizeof block ? (size_t)(bytes - at) : sizeof block;
        tg__copy_elements(block, (const char *)e->data + at, n, size, true);
        status = sink(to, block, n);
    }
    return status;
}

tg_status tg__st_put_data(const tg__st_table *t, tg__sink sink, void *to) {
    bool is_little_endian = t->by_name || !TG__BIG_ENDIAN;
    tg_status status = TG_OK;
    for (uint32_t i = 0; i < t->n && status == TG_OK; i++) {
        const tg__st_entry *e = &t->entries[i];
        if (e->begin == e->end) continue;
        status = is_little_endian ? sink(to, e->data, (size_t)(e->end - e->begin))
                                  : put_swapped(e, tg__st_dtypes[e->dtype].bits / 8u, sink, to);
    }
    return status;
}

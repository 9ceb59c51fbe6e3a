/* The strict reader. In order: the size, the header's length, its first byte; its JSON, entry by entry; no name twice; the data
 * covered from its first byte to its last, without holes or overlap. Memory taken for a file of n bytes, n included: below
 * 10 n. */
#include "safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "byte_order.h"
#include "engine/alloc.h"
#include "json.h"

typedef struct parser {
    tg__json json;
    const tg__report *report;
    tg__st_table *table;
    char *text;      /* where the next string goes */
    uint32_t key_at; /* where the last key stands in the file */
} parser;

static uint64_t offset_of(const parser *p, const uint8_t *at) { return 8 + (uint64_t)(at - p->json.start); }

static tg_status bad_json(const parser *p) {
    return tg__report_at(p->report, TG_EFORMAT, offset_of(p, p->json.error_at), "header: %s", p->json.error);
}

#define BAD_ENTRY(p, e, status, ...) tg__report_at((p)->report, status, (e)->at, __VA_ARGS__)

/* Steps to the next member of an object whose '{' was taken: its key, and its ':'. False at the end, or on an error. */
static bool next_member(parser *p, bool first, const char **key) {
    if (tg__json_try(&p->json, '}')) return false;
    if (!first && !tg__json_try(&p->json, ',')) return tg__json_expect(&p->json, '}');
    p->key_at = (uint32_t)offset_of(p, p->json.at);
    *key = tg__json_string(&p->json, &p->text);
    return *key && tg__json_expect(&p->json, ':');
}

/* ------------------------------------------------------------------ one entry */

static tg_status parse_dtype(parser *p, tg__st_entry *e) {
    char *text = p->text;
    const char *name = tg__json_string(&p->json, &text); /* p->text stays: the name is not needed any longer */
    if (!name) return bad_json(p);
    for (e->dtype = 0; tg__st_dtypes[e->dtype].name; e->dtype++)
        if (!strcmp(tg__st_dtypes[e->dtype].name, name)) return TG_OK;
    char a[TG__QUOTED], b[TG__QUOTED];
    return BAD_ENTRY(p, e, TG_EFORMAT, "tensor %s: unknown dtype %s", tg__quoted(a, e->name), tg__quoted(b, name));
}

static tg_status parse_shape(parser *p, tg__st_entry *e) {
    uint64_t dim;
    if (!tg__json_expect(&p->json, '[')) return bad_json(p);
    if (tg__json_try(&p->json, ']')) return TG_OK;
    do {
        if (!tg__json_count(&p->json, &dim)) return bad_json(p);
        if (e->rank == TG_MAX_RANK) {
            char name[TG__QUOTED];
            return BAD_ENTRY(p, e, TG_ESHAPE, "tensor %s: the rank is above %d", tg__quoted(name, e->name), TG_MAX_RANK);
        }
        e->dims[e->rank++] = (int64_t)dim;
    } while (tg__json_try(&p->json, ','));
    return tg__json_expect(&p->json, ']') ? TG_OK : bad_json(p);
}

static tg_status parse_offsets(parser *p, tg__st_entry *e) {
    tg__json *j = &p->json;
    bool good = tg__json_expect(j, '[') && tg__json_count(j, &e->begin) && tg__json_expect(j, ',') &&
                tg__json_count(j, &e->end) && tg__json_expect(j, ']');
    return good ? TG_OK : bad_json(p);
}

static tg_status parse_field(parser *p, tg__st_entry *e, const char *field, unsigned *seen) {
    static const char *const names[] = {"dtype", "shape", "data_offsets"};
    static tg_status (*const parse[])(parser *, tg__st_entry *) = {parse_dtype, parse_shape, parse_offsets};
    char name[TG__QUOTED], key[TG__QUOTED];
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(field, names[i])) continue;
        if (*seen & 1u << i)
            return BAD_ENTRY(p, e, TG_EFORMAT, "tensor %s: \"%s\" stands twice", tg__quoted(name, e->name), field);
        *seen |= 1u << i;
        return parse[i](p, e);
    }
    return BAD_ENTRY(p, e, TG_EFORMAT, "tensor %s: unknown field %s", tg__quoted(name, e->name), tg__quoted(key, field));
}

/* Bytes of the elements; false if the number does not fit or the bits do not fill bytes. Multiplied in the order of the
 * dimensions without regard to a zero further on, as the reference does. */
static bool entry_bytes(const tg__st_entry *e, uint64_t *bytes) {
    uint64_t n = 1;
    for (int i = 0; i < e->rank; i++)
        if (__builtin_mul_overflow(n, (uint64_t)e->dims[i], &n)) return false;
    if (__builtin_mul_overflow(n, (uint64_t)tg__st_dtypes[e->dtype].bits, &n) || n % 8) return false;
    *bytes = n / 8;
    return true;
}

static tg_status check_entry(const parser *p, const tg__st_entry *e) {
    char name[TG__QUOTED];
    uint64_t bytes;
    tg__quoted(name, e->name);
    if (!entry_bytes(e, &bytes)) return BAD_ENTRY(p, e, TG_EFORMAT, "tensor %s: the size overflows or is no whole byte", name);
    if (e->end < e->begin) return BAD_ENTRY(p, e, TG_EFORMAT, "tensor %s: data_offsets end before they begin", name);
    if (e->end > p->table->data_size)
        return BAD_ENTRY(p, e, TG_EFORMAT, "tensor %s: ends at %" PRIu64 " but the file has %" PRIu64 " bytes of data", name,
                         e->end, p->table->data_size);
    if (e->end - e->begin != bytes)
        return BAD_ENTRY(p, e, TG_EFORMAT, "tensor %s: data_offsets hold %" PRIu64 " bytes, its shape and dtype %" PRIu64, name,
                         e->end - e->begin, bytes);
    return TG_OK;
}

static tg_status parse_entry(parser *p, const char *name, uint32_t at) {
    tg__st_table *t = p->table;
    if (t->n == TG__ST_MOST_TENSORS)
        return tg__report_at(p->report, TG_EFORMAT, at, "more than %u tensors", TG__ST_MOST_TENSORS);
    if (!tg__grow(&t->entries, &t->cap, (uint64_t)t->n + 1, sizeof *t->entries))
        return tg__report_nomem(p->report, 2 * (uint64_t)t->cap * sizeof *t->entries);
    tg__st_entry *e = &t->entries[t->n];
    *e = (tg__st_entry){.name = name, .at = at};
    if (!tg__json_expect(&p->json, '{')) return bad_json(p);
    unsigned seen = 0;
    const char *field;
    char *text = p->text;
    for (bool first = true; next_member(p, first, &field); first = false) {
        tg_status status = parse_field(p, e, field, &seen);
        if (status != TG_OK) return status;
        p->text = text;
    }
    p->text = text;
    if (p->json.error) return bad_json(p);
    char quoted[TG__QUOTED];
    if (seen != 7)
        return BAD_ENTRY(p, e, TG_EFORMAT, "tensor %s: dtype, shape or data_offsets is missing", tg__quoted(quoted, name));
    t->n++;
    return check_entry(p, e);
}

/* ------------------------------------------------------------------ the whole header */

static tg_status parse_metadata(parser *p, uint32_t at) {
    tg__st_table *t = p->table;
    if (t->has_metadata) return tg__report_at(p->report, TG_EFORMAT, at, "\"" TG__ST_METADATA "\" stands twice");
    t->has_metadata = true;
    if (!tg__json_expect(&p->json, '{')) return bad_json(p);
    tg__st_pair pair;
    for (bool first = true; next_member(p, first, &pair.key); first = false) {
        if (t->n_pairs == TG__ST_MOST_PAIRS)
            return tg__report_at(p->report, TG_EFORMAT, at, "metadata: more than %u keys", TG__ST_MOST_PAIRS);
        if (!tg__grow(&t->pairs, &t->cap_pairs, (uint64_t)t->n_pairs + 1, sizeof *t->pairs))
            return tg__report_nomem(p->report, 2 * (uint64_t)t->cap_pairs * sizeof *t->pairs);
        pair.value = tg__json_string(&p->json, &p->text);
        if (!pair.value) return bad_json(p);
        t->pairs[t->n_pairs++] = pair;
    }
    return p->json.error ? bad_json(p) : TG_OK;
}

static tg_status parse_members(parser *p) {
    if (!tg__json_expect(&p->json, '{')) return bad_json(p);
    const char *name;
    for (bool first = true; next_member(p, first, &name); first = false) {
        tg_status status = strcmp(name, TG__ST_METADATA) ? parse_entry(p, name, p->key_at) : parse_metadata(p, p->key_at);
        if (status != TG_OK) return status;
    }
    return p->json.error ? bad_json(p) : TG_OK;
}

static tg_status parse_padding(const parser *p) {
    for (const uint8_t *at = p->json.at; at < p->json.end; at++)
        if (*at != ' ')
            return tg__report_at(p->report, TG_EFORMAT, offset_of(p, at), "header: only spaces may follow the last '}'");
    return TG_OK;
}

static int compare_pairs(const void *a, const void *b) {
    return strcmp(((const tg__st_pair *)a)->key, ((const tg__st_pair *)b)->key);
}

static tg_status check_pairs(const parser *p) {
    tg__st_table *t = p->table;
    if (t->n_pairs) qsort(t->pairs, t->n_pairs, sizeof *t->pairs, compare_pairs);
    for (uint32_t i = 1; i < t->n_pairs; i++)
        if (!strcmp(t->pairs[i - 1].key, t->pairs[i].key)) {
            char key[TG__QUOTED];
            return tg__report_at(p->report, TG_EFORMAT, TG__NO_OFFSET, "metadata: %s stands twice",
                                 tg__quoted(key, t->pairs[i].key));
        }
    return TG_OK;
}

/* Equal names come in the order of the file, so that the message points to the second. */
static int compare_names(const void *a, const void *b) {
    const tg__st_entry *x = *(tg__st_entry *const *)a, *y = *(tg__st_entry *const *)b;
    int order = strcmp(x->name, y->name);
    return order ? order : (x->at > y->at) - (x->at < y->at);
}

static tg_status check_names(const parser *p) {
    tg__st_table *t = p->table;
    t->by_name = tg__alloc(t->n * sizeof *t->by_name);
    if (!t->by_name) return tg__report_nomem(p->report, t->n * sizeof *t->by_name);
    for (uint32_t i = 0; i < t->n; i++) t->by_name[i] = &t->entries[i];
    if (t->n) qsort(t->by_name, t->n, sizeof *t->by_name, compare_names);
    for (uint32_t i = 1; i < t->n; i++)
        if (!strcmp(t->by_name[i - 1]->name, t->by_name[i]->name)) {
            char name[TG__QUOTED];
            return BAD_ENTRY(p, t->by_name[i], TG_EFORMAT, "tensor %s stands twice", tg__quoted(name, t->by_name[i]->name));
        }
    return TG_OK;
}

static int compare_places(const void *a, const void *b) {
    const tg__st_entry *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    if (x->end != y->end) return x->end < y->end ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

static tg_status check_cover(const parser *p, const uint8_t *data) {
    tg__st_table *t = p->table;
    if (t->n) qsort(t->entries, t->n, sizeof *t->entries, compare_places);
    uint64_t covered = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        tg__st_entry *e = &t->entries[i];
        char name[TG__QUOTED];
        if (e->begin != covered)
            return BAD_ENTRY(p, e, TG_EFORMAT,
                             "tensor %s: its data begins at %" PRIu64 ", the tensors before it end at %" PRIu64 " (%s)",
                             tg__quoted(name, e->name), e->begin, covered, e->begin < covered ? "overlap" : "hole");
        e->data = data + covered;
        covered = e->end;
    }
    if (covered != t->data_size)
        return tg__report_at(p->report, TG_EFORMAT, offset_of(p, p->json.end) + covered,
                             "%" PRIu64 " bytes after the last tensor", t->data_size - covered);
    return TG_OK;
}

static tg_status parse_header(parser *p) {
    tg__st_table *t = p->table;
    size_t length = (size_t)(p->json.end - p->json.start);
    t->text = p->text = tg__alloc(length);
    if (!t->text) return tg__report_nomem(p->report, length);
    tg_status status = parse_members(p);
    if (status == TG_OK) status = parse_padding(p);
    if (status == TG_OK) status = check_pairs(p);
    if (status == TG_OK) status = check_cover(p, p->json.end); /* sorts the entries: before anything points to them */
    return status == TG_OK ? check_names(p) : status;
}

tg_status tg__st_parse(const uint8_t *bytes, size_t size, tg__st_table *t, const tg__report *r) {
    memset(t, 0, sizeof *t);
    if (size < 8) return tg__report_at(r, TG_EFORMAT, 0, "a safetensors file has at least 8 bytes, this one %zu", size);
    uint64_t length = tg__little_64(bytes);
    if (length > TG__ST_MOST_HEADER)
        return tg__report_at(r, TG_EFORMAT, 0, "header of %" PRIu64 " bytes, above the limit of %u", length,
                             TG__ST_MOST_HEADER);
    if (length > size - 8)
        return tg__report_at(r, TG_EFORMAT, 0, "header of %" PRIu64 " bytes in a file of %zu: truncated, or not safetensors",
                             length, size);
    if (length == 0 || bytes[8] != '{') return tg__report_at(r, TG_EFORMAT, 8, "the header does not begin with '{'");
    const uint8_t *header = bytes + 8;
    parser p = {.json = {.start = header, .at = header, .end = header + length}, .report = r, .table = t};
    t->data_size = size - 8 - length;
    tg_status status = parse_header(&p);
    if (status != TG_OK) tg__st_free(t);
    return status;
}

#include "signed_file.h"

#include <stdlib.h>
#include <string.h>

#include "byte_order.h"
#include "engine/alloc.h"

#define FORMAT "tapegrad"
#define VERSION 1 /* of the metadata and the checksum; raised when an older reader could not read the file */
#define VERSION_TEXT "1"

/* ------------------------------------------------------------------ writing */

static tg_status sink_file(void *file, const void *bytes, size_t n) { return tg__atomic_write(file, bytes, n); }

static tg_status write_table(tg__atomic_file *f, const tg__st_table *t) {
    uint8_t *header;
    size_t size;
    tg_status status = tg__st_header(t, &header, &size, f->report);
    if (status != TG_OK) return status;
    status = tg__atomic_write(f, header, size);
    tg__free(header);
    return status == TG_OK ? tg__st_put_data(t, sink_file, f) : status;
}

static tg_status sign_and_write(tg__atomic_file *f, tg__st_table *t) {
    char hash[TG__HASH_TEXT];
    tg__st_pair *pairs = tg__alloc(3 * sizeof *pairs);
    if (!pairs) return tg__report_nomem(f->report, 3 * sizeof *pairs);
    pairs[0] = (tg__st_pair){"format", FORMAT};
    pairs[1] = (tg__st_pair){"version", VERSION_TEXT};
    pairs[2] = (tg__st_pair){"xxh3", hash};
    t->pairs = pairs;
    t->n_pairs = 3;
    t->has_metadata = true;
    tg_status status = tg__st_content_hash(t, hash, f->report);
    return status == TG_OK ? write_table(f, t) : status;
}

tg_status tg__write_signed(tg__atomic_file *f, const tg_named_array *items, int n) {
    tg__st_table t;
    tg_status status = tg__st_build(items, n, &t, f->report);
    if (status == TG_OK) status = sign_and_write(f, &t);
    tg__st_free(&t);
    if (status != TG_OK) tg__atomic_discard(f);
    return status;
}

/* ------------------------------------------------------------------ reading */

static tg_status check_version(const tg__st_table *t, const tg__report *r) {
    const char *text = tg__st_value(t, "version");
    char quoted[TG__QUOTED], *end = NULL;
    long version = text ? strtol(text, &end, 10) : 0;
    if (!text || version < 1 || *end)
        return tg__report_at(r, TG_EFORMAT, TG__NO_OFFSET, "metadata: version %s is no version",
                             tg__quoted(quoted, text ? text : ""));
    if (version > VERSION)
        return tg__report_at(r, TG_EFORMAT, TG__NO_OFFSET,
                             "made by a newer version of tapegrad (file format %ld; this one reads up to %d)", version,
                             VERSION);
    return TG_OK;
}

static tg_status check_hash(const tg__st_table *t, const tg__report *r) {
    const char *format = tg__st_value(t, "format"), *stored = tg__st_value(t, "xxh3");
    bool ours = format && !strcmp(format, FORMAT);
    char hash[TG__HASH_TEXT], quoted[TG__QUOTED];
    if (!ours && !stored) return TG_OK;
    tg_status status = ours ? check_version(t, r) : TG_OK;
    if (status != TG_OK) return status;
    if (!stored) return tg__report_at(r, TG_EFORMAT, TG__NO_OFFSET, "metadata: the checksum xxh3 is missing");
    status = tg__st_content_hash(t, hash, r);
    if (status != TG_OK) return status;
    if (strcmp(hash, stored))
        return tg__report_at(r, TG_EFORMAT, TG__NO_OFFSET, "damaged: the checksum of the content is %s, the file says %s", hash,
                             tg__quoted(quoted, stored));
    return TG_OK;
}

/* Kernels may rely on it that a bool is 0 or 1. */
static tg_status check_bools(const uint8_t *bytes, const tg__st_entry *e, const tg__report *r) {
    char name[TG__QUOTED];
    const uint8_t *p = e->data;
    for (uint64_t i = 0; i < e->end - e->begin; i++)
        if (p[i] > 1)
            return tg__report_at(r, TG_EFORMAT, (uint64_t)(p - bytes) + i, "tensor %s: a bool is %u, not 0 or 1",
                                 tg__quoted(name, e->name), p[i]);
    return TG_OK;
}

static tg_status check_elements(const uint8_t *bytes, const tg__st_table *t, const tg__report *r) {
    tg_status status = TG_OK;
    for (uint32_t i = 0; i < t->n && status == TG_OK; i++) {
        const tg__st_entry *e = &t->entries[i];
        char name[TG__QUOTED];
        if (tg__st_dtypes[e->dtype].dtype < 0)
            return tg__report_at(r, TG_EDTYPE, e->at, "tensor %s: dtype %s is not supported", tg__quoted(name, e->name),
                                 tg__st_dtypes[e->dtype].name);
        if (tg__st_dtypes[e->dtype].dtype == TG_BOOL) status = check_bools(bytes, e, r);
    }
    return status;
}

tg_status tg__read_signed(const tg__report *r, uint8_t **bytes, tg__st_table *t) {
    size_t size;
    memset(t, 0, sizeof *t);
    tg_status status = tg__read_file(r, bytes, &size);
    if (status != TG_OK) return status;
    status = tg__st_parse(*bytes, size, t, r);
    if (status == TG_OK) status = check_hash(t, r);
    if (status == TG_OK) status = check_elements(*bytes, t, r);
    if (status == TG_OK) return TG_OK;
    tg__st_free(t);
    tg__free(*bytes);
    *bytes = NULL;
    return status;
}

void tg__st_copy(void *to, const tg__st_entry *e) {
    tg__copy_elements(to, e->data, (size_t)(e->end - e->begin), tg__st_dtypes[e->dtype].bits / 8u, TG__BIG_ENDIAN);
}

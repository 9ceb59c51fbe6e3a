/* IDX files: 0, 0, type, rank; rank dimensions of 32 bits; the elements; all big-endian.
 * A gzip file is unpacked twice: first only to count, so that no memory is taken for a size that a small file merely
 * declares. */
#include <inttypes.h>
#include <string.h>

#include "byte_order.h"
#include "engine/alloc.h"
#include "gzip.h"

typedef struct idx_type {
    uint8_t code;
    const char *name;
    int dtype; /* -1: not supported */
} idx_type;

static const idx_type types[] = {
    {0x08, "u8", TG_U8},   {0x09, "i8", -1},      {0x0B, "i16", -1},
    {0x0C, "i32", TG_I32}, {0x0D, "f32", TG_F32}, {0x0E, "f64", TG_F64},
};

#define MOST_HEADER (4 + 4 * TG_MAX_RANK)

typedef struct idx {
    const tg__report *report;
    const uint8_t *bytes; /* the file */
    size_t size;
    tg_blob blob;
    uint64_t header, data; /* bytes of each, declared */
} idx;

/* ------------------------------------------------------------------ the header, from its first bytes */

static tg_status parse_type(idx *x, uint8_t code) {
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (types[i].code != code) continue;
        if (types[i].dtype < 0)
            return tg__report_at(x->report, TG_EDTYPE, 2, "IDX element type %s is not supported", types[i].name);
        x->blob.dtype = (tg_dtype)types[i].dtype;
        return TG_OK;
    }
    return tg__report_at(x->report, TG_EFORMAT, 2, "no IDX file: unknown element type 0x%02x", code);
}

static tg_status parse_header(idx *x, const uint8_t *p, size_t n) {
    if (n < 4)
        return tg__report_at(x->report, TG_EFORMAT, n, "no IDX file, or truncated: %zu bytes, the header has at least 4", n);
    if (p[0] || p[1])
        return tg__report_at(x->report, TG_EFORMAT, 0, "no IDX file: it begins with 0x%02x 0x%02x, not with two zeros", p[0],
                             p[1]);
    tg_status status = parse_type(x, p[2]);
    if (status != TG_OK) return status;
    if (p[3] > TG_MAX_RANK) return tg__report_at(x->report, TG_ESHAPE, 3, "rank %d is above %d", p[3], TG_MAX_RANK);
    x->blob.shape.rank = p[3];
    x->header = 4 + 4 * (uint64_t)p[3];
    if (n < x->header) return tg__report_at(x->report, TG_EFORMAT, n, "truncated in the IDX header");
    x->data = tg_dtype_size(x->blob.dtype);
    bool fits = true;
    for (int i = 0; i < p[3]; i++) {
        x->blob.shape.dims[i] = tg__big_32(p + 4 + 4 * i);
        fits = fits && !__builtin_mul_overflow(x->data, (uint64_t)x->blob.shape.dims[i], &x->data);
    }
    if (!fits || x->data > PTRDIFF_MAX)
        return tg__report_at(x->report, TG_EFORMAT, 4, "the product of the dimensions overflows");
    return TG_OK;
}

/* `there`: bytes behind the header; of unpacked data counted no further than one too many. */
static tg_status check_size(const idx *x, uint64_t there) {
    if (there < x->data)
        return tg__report_at(x->report, TG_EFORMAT, x->header + there,
                             "truncated: the header declares %" PRIu64 " bytes of elements, there are %" PRIu64, x->data,
                             there);
    if (there > x->data)
        return tg__report_at(x->report, TG_EFORMAT, x->header + x->data,
                             "bytes after the %" PRIu64 " of elements that the header declares", x->data);
    return TG_OK;
}

static tg_status allocate(idx *x) {
    x->blob.data = tg__alloc((size_t)x->data);
    return x->blob.data ? TG_OK : tg__report_nomem(x->report, x->data);
}

/* ------------------------------------------------------------------ plain */

static void to_this_machine(const idx *x, const void *from) {
    tg__copy_elements(x->blob.data, from, (size_t)x->data, tg_dtype_size(x->blob.dtype), !TG__BIG_ENDIAN);
}

static tg_status read_plain(idx *x) {
    tg_status status = parse_header(x, x->bytes, x->size);
    if (status == TG_OK) status = check_size(x, x->size - x->header);
    if (status == TG_OK) status = allocate(x);
    if (status == TG_OK) to_this_machine(x, x->bytes + x->header);
    return status;
}

/* ------------------------------------------------------------------ gzip */

static tg_status unpack_header(idx *x, tg__unpacker *u) {
    uint8_t header[MOST_HEADER];
    size_t first, rest = 0;
    tg_status status = tg__unpack(u, header, 4, &first);
    if (status != TG_OK) return status;
    if (first == 4 && header[3] <= TG_MAX_RANK) status = tg__unpack(u, header + 4, 4 * (size_t)header[3], &rest);
    return status == TG_OK ? parse_header(x, header, first + rest) : status;
}

static tg_status count_unpacked(idx *x, tg__unpacker *u) {
    const size_t room = 65536;
    uint8_t *scratch = tg__alloc(room);
    if (!scratch) return tg__report_nomem(x->report, room);
    uint64_t there = 0;
    size_t asked, got;
    tg_status status;
    do {
        asked = x->data + 1 - there < room ? (size_t)(x->data + 1 - there) : room;
        status = tg__unpack(u, scratch, asked, &got);
        there += got;
    } while (status == TG_OK && got == asked && there <= x->data);
    tg__free(scratch);
    return status == TG_OK ? check_size(x, there) : status;
}

static tg_status unpack_elements(idx *x, tg__unpacker *u) {
    size_t got;
    tg_status status = allocate(x);
    if (status == TG_OK) status = tg__unpack(u, x->blob.data, (size_t)x->data, &got);
    if (status != TG_OK || TG__BIG_ENDIAN) return status;
    for (size_t at = 0, size = tg_dtype_size(x->blob.dtype); size > 1 && at < x->data; at += size) {
        uint8_t element[8];
        memcpy(element, (uint8_t *)x->blob.data + at, size);
        tg__copy_elements((uint8_t *)x->blob.data + at, element, size, size, true);
    }
    return TG_OK;
}

static tg_status unpack_with(idx *x, tg_status (*then)(idx *, tg__unpacker *)) {
    tg__unpacker *u;
    tg_status status = tg__unpack_begin(&u, x->bytes, x->size, x->report);
    if (status != TG_OK) return status;
    status = unpack_header(x, u);
    if (status == TG_OK) status = then(x, u);
    tg__unpack_end(u);
    return status;
}

static tg_status read_gzip(idx *x) {
    tg_status status = unpack_with(x, count_unpacked);
    return status == TG_OK ? unpack_with(x, unpack_elements) : status;
}

/* ------------------------------------------------------------------ */

tg_status tg_read_idx(const char *path, tg_blob *out, tg_file_error *e) {
    const tg__report r = {path, e};
    if (out) memset(out, 0, sizeof *out);
    if (!path || !out) return tg__report_at(&r, TG_EARG, TG__NO_OFFSET, "the path or the blob to fill is NULL");
    uint8_t *bytes;
    idx x = {.report = &r};
    tg_status status = tg__read_file(&r, &bytes, &x.size);
    if (status != TG_OK) return status;
    x.bytes = bytes;
    status = tg__is_gzip(bytes, x.size) ? read_gzip(&x) : read_plain(&x);
    tg__free(bytes);
    if (status != TG_OK) {
        tg_blob_free(&x.blob);
        return status;
    }
    *out = x.blob;
    return tg__report_ok(&r);
}

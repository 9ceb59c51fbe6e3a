#include "gzip.h"

#include "engine/alloc.h"

bool tg__is_gzip(const uint8_t *bytes, size_t size) { return size >= 2 && bytes[0] == 0x1F && bytes[1] == 0x8B; }

#ifdef TG_HAVE_ZLIB

#define ZLIB_CONST /* the input is const */
#include <zlib.h>

struct tg__unpacker {
    z_stream z;
    const uint8_t *start, *end;
    const tg__report *report;
    bool member_ended;
};

static voidpf take(voidpf opaque, uInt items, uInt size) {
    (void)opaque;
    return tg__alloc((size_t)items * size);
}

static void give(voidpf opaque, voidpf p) {
    (void)opaque;
    tg__free(p);
}

static uint64_t offset(const tg__unpacker *u) { return (uint64_t)(u->z.next_in - u->start); }

static const unsigned most_at_once = 1u << 30; /* zlib counts in unsigned int */

static unsigned at_most(size_t n) { return n < most_at_once ? (unsigned)n : most_at_once; }

tg_status tg__unpack_begin(tg__unpacker **out, const uint8_t *bytes, size_t size, const tg__report *r) {
    tg__unpacker *u = tg__calloc(1, sizeof *u);
    if (!u) return tg__report_nomem(r, sizeof *u);
    *u = (tg__unpacker){
        .z = {.zalloc = take, .zfree = give, .next_in = bytes}, .start = bytes, .end = bytes + size, .report = r};
    if (inflateInit2(&u->z, 15 + 16) != Z_OK) { /* 32 KiB window; 16: gzip, nothing else */
        tg__free(u);
        return tg__report_nomem(r, 40000);
    }
    *out = u;
    return TG_OK;
}

void tg__unpack_end(tg__unpacker *u) {
    inflateEnd(&u->z);
    tg__free(u);
}

/* Between members: true if there is another one. */
static tg_status next_member(tg__unpacker *u, bool *more) {
    size_t left = (size_t)(u->end - u->z.next_in);
    *more = left > 0;
    if (left == 0) return TG_OK;
    if (!tg__is_gzip(u->z.next_in, left))
        return tg__report_at(u->report, TG_EFORMAT, offset(u), "bytes after the end of the gzip data");
    inflateReset(&u->z);
    u->member_ended = false;
    return TG_OK;
}

static tg_status step(tg__unpacker *u) {
    u->z.avail_in = at_most((size_t)(u->end - u->z.next_in));
    int code = inflate(&u->z, Z_NO_FLUSH);
    u->member_ended = code == Z_STREAM_END;
    if (code == Z_OK || code == Z_STREAM_END) return TG_OK;
    if (code == Z_MEM_ERROR) return tg__report_nomem(u->report, 40000);
    if (code == Z_BUF_ERROR && u->z.next_in == u->end)
        return tg__report_at(u->report, TG_EFORMAT, offset(u), "the gzip data is truncated");
    return tg__report_at(u->report, TG_EFORMAT, offset(u), "damaged gzip data: %s", u->z.msg ? u->z.msg : "invalid stream");
}

tg_status tg__unpack(tg__unpacker *u, void *out, size_t n, size_t *got) {
    tg_status status = TG_OK;
    uint8_t *at = out;
    bool more = true;
    while (status == TG_OK && n && more) {
        if (u->member_ended) {
            status = next_member(u, &more);
            continue;
        }
        unsigned room = at_most(n);
        u->z.next_out = at;
        u->z.avail_out = room;
        status = step(u);
        at += room - u->z.avail_out;
        n -= room - u->z.avail_out;
    }
    *got = (size_t)(at - (uint8_t *)out);
    return status;
}

#else

tg_status tg__unpack_begin(tg__unpacker **u, const uint8_t *bytes, size_t size, const tg__report *r) {
    (void)u, (void)bytes, (void)size;
    return tg__report_at(r, TG_EUNSUPPORTED, TG__NO_OFFSET,
                         "is gzip, and this build has no zlib: gunzip it, or build with zlib");
}

tg_status tg__unpack(tg__unpacker *u, void *out, size_t n, size_t *got) {
    (void)u, (void)out, (void)n;
    *got = 0;
    return TG_EUNSUPPORTED;
}

void tg__unpack_end(tg__unpacker *u) { (void)u; }

#endif

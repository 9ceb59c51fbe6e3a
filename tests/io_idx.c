/* Tests of IDX files, plain and gzip: all types, hostile and damaged files, faults of memory and system calls, real files. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef TG_HAVE_ZLIB
#include <zlib.h>
#endif

#include "io_support.h"

int tg_test_idx(FILE *out);

static tg_status read_bytes(io_test *t, const void *bytes, size_t n, tg_blob *b, tg_file_error *e) {
    const char *path = io_test_path(t, "idx");
    CHECK(t, io_test_write(path, bytes, n), "cannot write %s", path);
    return tg_read_idx(path, b, e);
}

static void expect_error(io_test *t, const char *what, const void *bytes, size_t n, tg_status status, const char *part) {
    tg_blob b;
    tg_file_error e;
    uint64_t live = tg__alloc_live();
    CHECK_ERROR(t, what, read_bytes(t, bytes, n, &b, &e), &e, status, part);
    CHECK(t, !b.data && b.shape.rank == 0 && tg__alloc_live() == live, "%s: something is left", what);
}

/* ------------------------------------------------------------------ plain files */

static const uint8_t bytes_2x3[] = {0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255};

typedef struct sample {
    const char *what;
    const char *bytes;
    size_t n;
    tg_dtype dtype;
    tg_shape shape;
    double first, last;
} sample;

#define BYTES(s) s, sizeof(s) - 1

static const sample samples[] = {
    {"u8", BYTES("\0\0\x08\2\0\0\0\2\0\0\0\3\1\2\3\4\5\xFF"), TG_U8, {2, {2, 3}}, 1, 255},
    {"i32", BYTES("\0\0\x0C\1\0\0\0\2\0\0\1\2\xFF\xFF\xFF\xFE"), TG_I32, {1, {2}}, 258, -2},
    {"f32", BYTES("\0\0\x0D\1\0\0\0\2\x3F\xC0\0\0\xC0\0\0\0"), TG_F32, {1, {2}}, 1.5, -2},
    {"f64", BYTES("\0\0\x0E\1\0\0\0\2\x3F\xF8\0\0\0\0\0\0\xC0\0\0\0\0\0\0\0"), TG_F64, {1, {2}}, 1.5, -2},
    {"rank 0", BYTES("\0\0\x0D\0\x3F\xC0\0\0"), TG_F32, {0, {0}}, 1.5, 1.5},
    {"rank 8", BYTES("\0\0\x08\x08\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\7"), TG_U8,
     {8, {1, 1, 1, 1, 1, 1, 1, 1}}, 7, 7},
    {"no elements", BYTES("\0\0\x0E\2\0\0\0\2\0\0\0\0"), TG_F64, {2, {2, 0}}, 0, 0},
};

static double element(const tg_blob *b, size_t i) {
    switch (b->dtype) {
    case TG_U8: return ((const uint8_t *)b->data)[i];
    case TG_I32: return ((const int32_t *)b->data)[i];
    case TG_F32: return ((const float *)b->data)[i];
    default: return ((const double *)b->data)[i];
    }
}

static void check_blob(io_test *t, const sample *s, const tg_blob *b) {
    bool same = b->dtype == s->dtype && b->shape.rank == s->shape.rank;
    size_t n = 1;
    for (int i = 0; i < s->shape.rank && same; i++) {
        same = b->shape.dims[i] == s->shape.dims[i];
        n *= (size_t)s->shape.dims[i];
    }
    CHECK(t, same && b->data, "%s: another dtype or shape", s->what);
    if (same && n && b->data)
        CHECK(t, element(b, 0) == s->first && element(b, n - 1) == s->last, "%s: other elements", s->what);
}

static void test_plain(io_test *t) {
    tg_blob b;
    tg_file_error e;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
        CHECK(t, read_bytes(t, samples[i].bytes, samples[i].n, &b, &e) == TG_OK && !e.message[0], "%s: %s", samples[i].what,
              e.message);
        check_blob(t, &samples[i], &b);
        tg_blob_free(&b);
        for (size_t n = 0; n < samples[i].n; n++)
            expect_error(t, samples[i].what, samples[i].bytes, n, TG_EFORMAT, "truncated");
    }
}

static void test_hostile(io_test *t) {
    static const struct { const char *what, *bytes; size_t n; tg_status status; const char *part;
    } bad[] = {
        {"first byte", BYTES("\1\0\x08\1\0\0\0\1x"), TG_EFORMAT, "byte 0: no IDX file: it begins with 0x01 0x00"},
        {"second byte", BYTES("\0\1\x08\1\0\0\0\1x"), TG_EFORMAT, "it begins with 0x00 0x01"},
        {"PNG", BYTES("\x89PNG\r\n\x1A\n"), TG_EFORMAT, "it begins with 0x89 0x50"},
        {"i8", BYTES("\0\0\x09\1\0\0\0\1x"), TG_EDTYPE, "IDX element type i8 is not supported"},
        {"i16", BYTES("\0\0\x0B\1\0\0\0\1xx"), TG_EDTYPE, "IDX element type i16 is not supported"},
        {"type 0", BYTES("\0\0\0\1\0\0\0\1x"), TG_EFORMAT, "byte 2: no IDX file: unknown element type 0x00"},
        {"type 10", BYTES("\0\0\x0A\1\0\0\0\1x"), TG_EFORMAT, "unknown element type 0x0a"},
        {"type 255", BYTES("\0\0\xFF\1\0\0\0\1x"), TG_EFORMAT, "unknown element type 0xff"},
        {"rank 9", BYTES("\0\0\x08\x09"), TG_ESHAPE, "byte 3: rank 9 is above 8"},
        {"rank 255", BYTES("\0\0\x08\xFF"), TG_ESHAPE, "rank 255 is above 8"},
        {"one byte more", BYTES("\0\0\x08\1\0\0\0\1xy"), TG_EFORMAT, "byte 9: bytes after the 1 of elements"},
        {"bytes after nothing", BYTES("\0\0\x08\1\0\0\0\0x"), TG_EFORMAT, "bytes after the 0 of elements"},
        {"4 GiB declared", BYTES("\0\0\x08\1\xFF\xFF\xFF\xFFx"), TG_EFORMAT,
         "declares 4294967295 bytes of elements, there are 1"},
        {"wraps to 0", BYTES("\0\0\x0E\3\x80\0\0\0\x80\0\0\0\0\0\0\4"), TG_EFORMAT, "the product of the dimensions overflows"},
        {"wraps to 1", BYTES("\0\0\x08\3\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFFx"), TG_EFORMAT, "overflows"},
        {"2^63 bytes", BYTES("\0\0\x08\3\x80\0\0\0\x80\0\0\0\0\0\0\2"), TG_EFORMAT, "overflows"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        expect_error(t, bad[i].what, bad[i].bytes, bad[i].n, bad[i].status, bad[i].part);
}

static void test_bad_arguments(io_test *t) {
    tg_blob b;
    tg_file_error e;
    CHECK_ERROR(t, "missing", tg_read_idx(io_test_path(t, "none"), &b, &e), &e, TG_EIO,
                "none: cannot open the file: No such file");
    CHECK_ERROR(t, "folder", tg_read_idx(t->folder, &b, &e), &e, TG_EIO, "is a folder");
    CHECK_ERROR(t, "device", tg_read_idx("/dev/zero", &b, &e), &e, TG_EIO, "is not a regular file");
    CHECK_ERROR(t, "NULL path", tg_read_idx(NULL, &b, &e), &e, TG_EARG, "NULL");
    CHECK_ERROR(t, "NULL blob", tg_read_idx("x", NULL, &e), &e, TG_EARG, "NULL");
    CHECK(t, tg_read_idx("/nowhere/x", &b, NULL) == TG_EIO, "without e");
}

/* ------------------------------------------------------------------ gzip */

#ifdef TG_HAVE_ZLIB

/* A gzip member with every optional field that zlib writes (name, comment, extra, header checksum). */
static uint8_t *pack(const void *bytes, size_t n, size_t *size, bool decorated) {
    z_stream z = {0};
    gz_header header = {
        .name = (Bytef *)"name", .comment = (Bytef *)"comment", .extra = (Bytef *)"extra", .extra_len = 5, .hcrc = 1};
    uint8_t *out = malloc(n + 1000);
    deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    if (decorated) deflateSetHeader(&z, &header);
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)(n + 1000);
    deflate(&z, Z_FINISH);
    *size = z.total_out;
    deflateEnd(&z);
    return out;
}

static void test_gzip(io_test *t) {
    tg_blob b;
    tg_file_error e;
    for (size_t i = 0; i < sizeof samples / sizeof *samples; i++)
        for (int decorated = 0; decorated < 2; decorated++) {
            size_t n;
            uint8_t *bytes = pack(samples[i].bytes, samples[i].n, &n, decorated);
            CHECK(t, read_bytes(t, bytes, n, &b, &e) == TG_OK, "%s, gzip: %s", samples[i].what, e.message);
            check_blob(t, &samples[i], &b);
            tg_blob_free(&b);
            free(bytes);
        }
}

static void test_gzip_damage(io_test *t) {
    tg_blob b;
    tg_file_error e;
    size_t n;
    uint8_t *bytes = pack(bytes_2x3, sizeof bytes_2x3, &n, true);
    for (size_t i = 0; i < n; i++)
        expect_error(t, "truncated gzip", bytes, i, TG_EFORMAT, i < 2 ? "IDX" : "the gzip data is truncated");
    for (size_t i = 8; i; i--) { /* the checksum and the length at the end */
        bytes[n - i] ^= 1;
        expect_error(t, "bad trailer", bytes, n, TG_EFORMAT,
                     i > 4 ? "damaged gzip data: incorrect data check" : "incorrect length check");
        bytes[n - i] ^= 1;
    }
    for (size_t i = 0; i < 8 * n; i++) { /* time, system and flags may change in silence: then the elements are the same */
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        if (read_bytes(t, bytes, n, &b, &e) == TG_OK)
            CHECK(t, !memcmp(b.data, bytes_2x3 + 12, 6), "flipped bit %d: other elements", (int)i);
        else CHECK(t, e.message[0] && e.status != TG_OK, "flipped bit %d", (int)i);
        tg_blob_free(&b);
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    bytes[n] = 'x';
    expect_error(t, "a byte after gzip", bytes, n + 1, TG_EFORMAT, "bytes after the end of the gzip data");
    bytes[n] = 0;
    expect_error(t, "a zero after gzip", bytes, n + 1, TG_EFORMAT, "bytes after the end of the gzip data");
    expect_error(t, "gzip magic only", "\x1F\x8B", 2, TG_EFORMAT, "truncated");
    expect_error(t, "unknown method", "\x1F\x8B\x07\0\0\0\0\0\0\3xxxx", 14, TG_EFORMAT,
                 "damaged gzip data: unknown compression method");
    free(bytes);
}

static void test_gzip_members(io_test *t) {
    tg_blob b;
    tg_file_error e;
    for (size_t cut = 0; cut <= sizeof bytes_2x3; cut++) {
        size_t n, m;
        uint8_t *first = pack(bytes_2x3, cut, &n, false), *second = pack(bytes_2x3 + cut, sizeof bytes_2x3 - cut, &m, true);
        uint8_t *both = malloc(n + m);
        memcpy(both, first, n);
        memcpy(both + n, second, m);
        CHECK(t, read_bytes(t, both, n + m, &b, &e) == TG_OK && !memcmp(b.data, bytes_2x3 + 12, 6),
              "two members, cut at %d: %s", (int)cut, e.message);
        tg_blob_free(&b);
        expect_error(t, "second member truncated", both, n + m - 1, TG_EFORMAT, "the gzip data is truncated");
        both[n + m - 8] ^= 1;
        expect_error(t, "second member damaged", both, n + m, TG_EFORMAT, "incorrect data check");
        free(both);
        free(first);
        free(second);
    }
}

static void test_gzip_sizes(io_test *t) {
    size_t n, zeros = 50u << 20;
    uint8_t *bytes = pack(bytes_2x3, sizeof bytes_2x3 - 1, &n, false);
    expect_error(t, "an element missing", bytes, n, TG_EFORMAT, "declares 6 bytes of elements, there are 5");
    free(bytes);
    bytes = pack("\0\0\x08\1\0\0\0\1xy", 10, &n, false);
    expect_error(t, "an element too many", bytes, n, TG_EFORMAT, "bytes after the 1 of elements");
    free(bytes);
    uint8_t *bomb = calloc(1, zeros);
    memcpy(bomb, "\0\0\x08\1\0\0\0\1", 8);
    bytes = pack(bomb, zeros, &n, false);
    expect_error(t, "a bomb", bytes, n, TG_EFORMAT, "bytes after the 1 of elements");
    memcpy(bomb, "\0\0\x08\1\x7F\0\0\0", 8);
    free(bytes);
    bytes = pack(bomb, zeros, &n, false);
    expect_error(t, "a bomb that declares more", bytes, n, TG_EFORMAT, "truncated: the header declares 2130706432 bytes");
    free(bytes);
    free(bomb);
}

#else

static void test_gzip(io_test *t) { expect_error(t, "gzip", "\x1F\x8B\x08\0", 4, TG_EUNSUPPORTED, "this build has no zlib"); }
static void test_gzip_damage(io_test *t) { (void)t; }
static void test_gzip_members(io_test *t) { (void)t; }
static void test_gzip_sizes(io_test *t) { (void)t; }
static uint8_t *pack(const void *bytes, size_t n, size_t *size, bool decorated) {
    (void)decorated;
    uint8_t *out = malloc(n);
    memcpy(out, bytes, *size = n);
    return out;
}

#endif

/* ------------------------------------------------------------------ faults, fuzzing */

static void test_memory_faults(io_test *t, const void *bytes, size_t n) {
    const char *path = io_test_path(t, "idx");
    uint64_t live = tg__alloc_live();
    io_test_write(path, bytes, n);
    for (int forever = 0; forever < 2; forever++)
        for (uint64_t at = 1; at < 1000; at++) {
            tg_blob b;
            tg_file_error e;
            tg__alloc_fail_at(at, forever);
            tg_status status = tg_read_idx(path, &b, &e);
            tg__alloc_fail_at(0, false);
            tg_blob_free(&b);
            CHECK(t, tg__alloc_live() == live, "allocation %d: something is left", (int)at);
            if (status == TG_OK) {
                CHECK(t, at > 2, "only %d allocations", (int)at);
                break;
            }
            CHECK_ERROR(t, "memory", status, &e, TG_ENOMEM, "out of memory");
        }
}

static void test_call_faults(io_test *t) {
    const char *path = io_test_path(t, "idx");
    static const int errors[] = {EIO, EINTR, ENOMEM};
    io_test_write(path, bytes_2x3, sizeof bytes_2x3);
    for (int k = 0; k < 6; k++)
        for (int at = 1, calls = 1; at <= calls; at++) {
            tg_blob b;
            tg_file_error e;
            bool close_failed;
            io_faults_set(IO_ERROR, errors[k / 2], at, k % 2);
            tg_status status = tg_read_idx(path, &b, &e);
            calls = io_faults_end();
            if (calls < at) break;
            close_failed = at == calls;
            bool repeated = errors[k / 2] == EINTR && k % 2 == 0;
            CHECK(t, status != TG_OK ? e.message[0] : repeated || close_failed, "error %d at call %d: %s", errors[k / 2], at,
                  e.message);
            if (status == TG_OK)
                CHECK(t, !memcmp(b.data, bytes_2x3 + 12, 6), "error %d at call %d: other elements", errors[k / 2], at);
            tg_blob_free(&b);
        }
}

static void test_fuzz(io_test *t, int count) {
    uint64_t seed = 2, live = tg__alloc_live();
    for (int i = 0; i < count; i++) {
        const sample *s = &samples[io_random(&seed) % (sizeof samples / sizeof *samples)];
        size_t n = s->n;
        uint8_t *bytes;
        tg_blob b;
        tg_file_error e;
        if (i % 2) bytes = pack(s->bytes, s->n, &n, i % 4 == 1);
        else memcpy(bytes = malloc(n), s->bytes, n);
        for (uint64_t k = 1 + io_random(&seed) % 3; k; k--)
            bytes[io_random(&seed) % n] = (uint8_t)(io_random(&seed) >> io_random(&seed) % 8);
        tg_status status = read_bytes(t, bytes, n, &b, &e);
        CHECK(t, status == TG_OK ? !e.message[0] : e.message[0] && !b.data, "input %d: %s", i, tg_status_name(status));
        tg_blob_free(&b);
        CHECK(t, tg__alloc_live() == live, "input %d: memory is left", i);
        free(bytes);
    }
}

/* ------------------------------------------------------------------ real files */

static void test_real(io_test *t, const char *folder) {
    char path[1024];
    tg_file_error e;
    tg_blob images, labels;
    int64_t count[10] = {0};
    snprintf(path, sizeof path, "%s/mnist/t10k-images-idx3-ubyte.gz", folder);
    CHECK(t, tg_read_idx(path, &images, &e) == TG_OK, "%s", e.message);
    bool shape = images.dtype == TG_U8 && images.shape.rank == 3 && images.shape.dims[0] == 10000 &&
                 images.shape.dims[1] == 28 && images.shape.dims[2] == 28;
    CHECK(t, shape, "the images have another shape");
    snprintf(path, sizeof path, "%s/mnist/t10k-labels-idx1-ubyte.gz", folder);
    CHECK(t, tg_read_idx(path, &labels, &e) == TG_OK, "%s", e.message);
    CHECK(t, labels.shape.rank == 1 && labels.shape.dims[0] == 10000, "the labels have another shape");
    const uint8_t *label = labels.data;
    for (int i = 0; label && i < 10000; i++)
        if (label[i] < 10) count[label[i]]++;
    static const int64_t wanted[10] = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009};
    CHECK(t, !memcmp(count, wanted, sizeof count), "the digits have other counts");
    tg_blob_free(&images);
    tg_blob_free(&labels);
}

int tg_test_idx(FILE *out) {
    io_test t;
    if (!io_test_begin(&t, out)) return t.failures;
    size_t n;
    uint8_t *packed = pack(bytes_2x3, sizeof bytes_2x3, &n, true);
    test_plain(&t);
    test_hostile(&t);
    test_bad_arguments(&t);
    test_gzip(&t);
    test_gzip_damage(&t);
    test_gzip_members(&t);
    test_gzip_sizes(&t);
    test_memory_faults(&t, bytes_2x3, sizeof bytes_2x3);
    test_memory_faults(&t, packed, n);
    test_call_faults(&t);
    test_fuzz(&t, io_test_setting("TG_FUZZ", 20000) / 4);
    const char *folder = getenv("TG_DATA");
    if (folder && *folder) test_real(&t, folder);
    free(packed);
    return io_test_end(&t);
}

/* Tests of safetensors files: layout, round trips, hostile files, damage, faults of memory and system calls, kills, fuzzing. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifdef TG_HAVE_JANSSON
#include <jansson.h>
#endif

#include "io/byte_order.h"
#include "io/safetensors.h"
#include "io_support.h"

int tg_test_safetensors(FILE *out);

/* ------------------------------------------------------------------ sample arrays */

static const float scalar[] = {1.5f}, b_weight[] = {1, 2, 3, 4, 5, 6}, quote[] = {7};
static const double a_weight[] = {-2, 0.5};
static const int32_t ids[] = {1, -2, 3};
static const int64_t big[] = {1, 2, 3, -4};
static const uint8_t bytes5[] = {1, 2, 3, 250, 0}, mask[] = {1, 0, 1};

#define QUOTE_NAME "quote\"\\\n\x01\xC3\xA9"

static const tg_named_array samples[] = {
    {"scalar", {TG_F32, {0, {0}}, scalar}},        {"empty", {TG_F64, {2, {2, 0}}, NULL}},
    {"b.weight", {TG_F32, {2, {2, 3}}, b_weight}}, {"a.weight", {TG_F64, {1, {2}}, a_weight}},
    {"ids", {TG_I32, {1, {3}}, ids}},              {"big", {TG_I64, {2, {2, 2}}, big}},
    {"bytes", {TG_U8, {1, {5}}, bytes5}},          {"mask", {TG_BOOL, {1, {3}}, mask}},
    {QUOTE_NAME, {TG_F32, {1, {1}}, quote}},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* What the reference (safetensors 0.8.0 for Python) writes for the samples with the metadata {"made by": "ref"}. */
static const char reference_header[] =
    "{\"__metadata__\":{\"made by\":\"ref\"},"
    "\"big\":{\"dtype\":\"I64\",\"shape\":[2,2],\"data_offsets\":[0,32]},"
    "\"a.weight\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[32,48]},"
    "\"empty\":{\"dtype\":\"F64\",\"shape\":[2,0],\"data_offsets\":[48,48]},"
    "\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[48,72]},"
    "\"quote\\\"\\\\\\n\\u0001\xC3\xA9\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[72,76]},"
    "\"scalar\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[76,80]},"
    "\"ids\":{\"dtype\":\"I32\",\"shape\":[3],\"data_offsets\":[80,92]},"
    "\"bytes\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[92,97]},"
    "\"mask\":{\"dtype\":\"BOOL\",\"shape\":[3],\"data_offsets\":[97,100]}}      ";
static const uint8_t reference_data[] = {
    1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0xFC, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
    0, 0, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0xE0, 0x3F,
    0, 0, 0x80, 0x3F, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40, 0, 0, 0xA0, 0x40, 0, 0, 0xC0, 0x40,
    0, 0, 0xE0, 0x40, 0, 0, 0xC0, 0x3F, 1, 0, 0, 0, 0xFE, 0xFF, 0xFF, 0xFF, 3, 0, 0, 0, 1, 2, 3, 250, 0, 1, 0, 1};

static uint8_t *make_file(const char *header, size_t header_size, const void *data, size_t data_size, size_t *size) {
    *size = 8 + header_size + data_size;
    uint8_t *bytes = malloc(*size);
    tg__put_little_64(bytes, header_size);
    memcpy(bytes + 8, header, header_size);
    if (data_size) memcpy(bytes + 8 + header_size, data, data_size);
    return bytes;
}

typedef struct buffer {
    uint8_t *bytes;
    size_t n;
} buffer;

static tg_status append(void *to, const void *bytes, size_t n) {
    buffer *b = to;
    b->bytes = realloc(b->bytes, b->n + n);
    memcpy(b->bytes + b->n, bytes, n);
    b->n += n;
    return TG_OK;
}

static buffer serialise(const tg__st_table *t, const tg__report *r) {
    buffer b = {0};
    uint8_t *header;
    size_t n;
    if (tg__st_header(t, &header, &n, r) != TG_OK) return b;
    append(&b, header, n);
    tg__free(header);
    tg__st_put_data(t, append, &b);
    return b;
}

static void same_arrays(io_test *t, const tg_array_list *list, const tg_named_array *items, int n, const char *what) {
    CHECK(t, list->n == n, "%s: %d arrays, wanted %d", what, list->n, n);
    for (int i = 0; i < n; i++) {
        const tg_blob *b = tg_array_list_find(list, items[i].name);
        const tg_array *a = &items[i].array;
        size_t bytes = tg_dtype_size(a->dtype);
        CHECK(t, b, "%s: %s is missing", what, items[i].name);
        if (!b) continue;
        bool same = b->dtype == a->dtype && b->shape.rank == a->shape.rank;
        for (int k = 0; k < a->shape.rank; k++) {
            same = same && b->shape.dims[k] == a->shape.dims[k];
            bytes *= (size_t)a->shape.dims[k];
        }
        CHECK(t, same && (!bytes || !memcmp(b->data, a->data, bytes)), "%s: %s differs", what, items[i].name);
        CHECK(t, (uintptr_t)b->data % 64 == 0, "%s: %s is not aligned", what, items[i].name);
    }
}

/* ------------------------------------------------------------------ layout, round trip */

static void test_layout(io_test *t) {
    tg_file_error e = {0};
    const tg__report r = {"layout", &e};
    tg__st_table table;
    size_t size;
    CHECK(t, tg__st_build(samples, SAMPLES, &table, &r) == TG_OK, "build: %s", e.message);
    tg__st_pair pair = {"made by", "ref"};
    table.pairs = &pair;
    table.n_pairs = 1;
    table.has_metadata = true;
    buffer b = serialise(&table, &r);
    uint8_t *wanted = make_file(reference_header, sizeof reference_header - 1, reference_data, sizeof reference_data, &size);
    CHECK(t, b.n == size && !memcmp(b.bytes, wanted, size), "the file does not have the reference's bytes");
    table.pairs = NULL;
    tg__st_free(&table);
    free(b.bytes);

    const char *path = io_test_path(t, "reference");
    tg_array_list list;
    io_test_write(path, wanted, size);
    CHECK(t, tg_load_arrays(path, &list, &e) == TG_OK && e.message[0] == 0, "the reference's file: %s", e.message);
    same_arrays(t, &list, samples, SAMPLES, "the reference's file");
    tg_array_list_free(&list);
    free(wanted);
}

static void test_empty_layout(io_test *t) {
    tg__st_table table;
    const tg__report r = {"empty", NULL};
    tg__st_build(NULL, 0, &table, &r);
    buffer b = serialise(&table, &r);
    CHECK(t, b.n == 16 && !memcmp(b.bytes, "\x08\0\0\0\0\0\0\0{}      ", 16), "an empty file has other bytes");
    tg__st_free(&table);
    CHECK(t, tg__st_parse(b.bytes, b.n, &table, &r) == TG_OK && table.n == 0, "an empty file does not parse");
    tg__st_free(&table);
    free(b.bytes);
}

/* Every number type, and the order of element types in the file. */
static void test_order(io_test *t) {
    static const struct { tg_dtype dtype; const char *name; } wanted[] = {
        {TG_I64, "x3"}, {TG_F64, "x1"}, {TG_F32, "x0"}, {TG_I32, "x2"}, {TG_U8, "x4"}, {TG_BOOL, "x5"}};
    static const double zero[1] = {0};
    tg_named_array items[6];
    static const char *const names[] = {"x0", "x1", "x2", "x3", "x4", "x5"};
    for (int i = 0; i < 6; i++) items[i] = (tg_named_array){names[i], {(tg_dtype)i, {0, {0}}, zero}};
    tg__st_table table;
    const tg__report r = {"order", NULL};
    tg__st_build(items, 6, &table, &r);
    for (int i = 0; i < 6; i++)
        CHECK(t, !strcmp(table.entries[i].name, wanted[i].name), "place %d has %s", i, table.entries[i].name);
    tg__st_free(&table);
}

static void test_round_trip(io_test *t) {
    const char *path = io_test_path(t, "round");
    tg_file_error e = {.status = TG_EIO, .message = "old"};
    tg_array_list list;
    size_t n;
    CHECK(t, tg_save_arrays(path, samples, SAMPLES, &e) == TG_OK && e.status == TG_OK && !e.message[0], "save: %s", e.message);
    CHECK(t, tg_load_arrays(path, &list, &e) == TG_OK, "load: %s", e.message);
    same_arrays(t, &list, samples, SAMPLES, "round trip");
    CHECK(t, !tg_array_list_find(&list, "none") && !tg_array_list_find(NULL, "x") && !tg_array_list_find(&list, NULL), "find");
    tg_array a = tg_blob_array(tg_array_list_find(&list, "ids"));
    CHECK(t, a.dtype == TG_I32 && a.shape.rank == 1 && ((const int32_t *)a.data)[1] == -2, "tg_blob_array");
    CHECK(t, tg_blob_array(NULL).data == NULL && tg_blob_array(NULL).shape.dims[0] == 0, "tg_blob_array of NULL");
    tg_array_list_free(&list);
    tg_array_list_free(&list);
    tg_array_list_free(NULL);
    tg_blob_free(NULL);

    uint8_t *bytes = io_test_read(path, &n);
    CHECK(t, bytes && (n - 100) % 8 == 0 && strstr((char *)bytes + 8, "\"format\":\"tapegrad\",\"version\":\"1\",\"xxh3\":\""),
          "metadata");
    free(bytes);
    CHECK(t, tg_save_arrays(path, NULL, 0, NULL) == TG_OK && tg_load_arrays(path, &list, NULL) == TG_OK && list.n == 0,
          "no arrays");
    tg_array_list_free(&list);
    int here = open(".", O_RDONLY);
    CHECK(t, chdir(t->folder) == 0 && tg_save_arrays("bare", samples, 1, &e) == TG_OK, "a path without a folder: %s",
          e.message);
    CHECK(t, fchdir(here) == 0, "the tests after this one run where the first did");
    close(here);
    remove(io_test_path(t, "bare"));
}

/* The definition in io/content_hash.c, computed by another implementation (Python xxhash over the same byte string). */
static void test_hash_value(io_test *t) {
    tg__st_table table;
    const tg__report r = {"hash", NULL};
    char text[TG__HASH_TEXT];
    tg__st_build(samples, SAMPLES, &table, &r);
    tg__st_pair pairs[] = {{"format", "tapegrad"}, {"version", "1"}, {"xxh3", "?"}};
    table.pairs = pairs;
    table.n_pairs = 3;
    tg__st_content_hash(&table, text, &r);
    CHECK(t, !strcmp(text, "7e9a79be97f3ad34532234667bcdd963"), "the checksum's definition changed: %s", text);
    table.pairs = NULL;
    tg__st_free(&table);
}

/* ------------------------------------------------------------------ hostile files */

typedef struct hostile {
    const char *what, *header;
    size_t data;
    tg_status status;
    const char *part;
} hostile;

#define U8(name, shape, begin, end) "\"" name "\":{\"dtype\":\"U8\",\"shape\":[" shape "],\"data_offsets\":[" begin "," end "]}"

static const hostile hostiles[] = {
    {"space first", " {}", 0, TG_EFORMAT, "byte 8: the header does not begin with '{'"},
    {"array", "[]", 0, TG_EFORMAT, "does not begin with '{'"},
    {"empty header", "", 0, TG_EFORMAT, "does not begin with '{'"},
    {"byte order mark", "\xEF\xBB\xBF{}", 0, TG_EFORMAT, "does not begin with '{'"},
    {"open", "{", 0, TG_EFORMAT, "expected a string"},
    {"text after", "{}x", 0, TG_EFORMAT, "byte 10: header: only spaces may follow"},
    {"line feed after", "{}\n", 0, TG_EFORMAT, "only spaces may follow"},
    {"second object", "{}{}", 0, TG_EFORMAT, "only spaces may follow"},
    {"trailing comma", "{" U8("a", "1", "0", "1") ",}", 1, TG_EFORMAT, "expected a string"},
    {"two commas", "{" U8("a", "1", "0", "1") ",," U8("b", "1", "1", "2") "}", 2, TG_EFORMAT, "expected a string"},
    {"no comma", "{" U8("a", "1", "0", "1") " " U8("b", "1", "1", "2") "}", 2, TG_EFORMAT, "expected '}' or ','"},
    {"no colon", "{\"a\" {}}", 0, TG_EFORMAT, "expected ':'"},
    {"bare key", "{a:{}}", 0, TG_EFORMAT, "expected a string"},
    {"single quotes", "{'a':{}}", 0, TG_EFORMAT, "expected a string"},
    {"comment", "{/**/}", 0, TG_EFORMAT, "expected a string"},
    {"string open", "{\"a", 0, TG_EFORMAT, "a string does not end"},
    {"string ends in backslash", "{\"a\\", 0, TG_EFORMAT, "an unknown escape"},
    {"bad escape", "{\"\\x\":{}}", 0, TG_EFORMAT, "an unknown escape"},
    {"bad hex", "{\"\\u00g0\":{}}", 0, TG_EFORMAT, "four hexadecimal digits"},
    {"short hex", "{\"\\u00", 0, TG_EFORMAT, "four hexadecimal digits"},
    {"NUL escape", "{\"\\u0000\":{}}", 0, TG_EFORMAT, "contains NUL"},
    {"high surrogate alone", "{\"\\uD800\":{}}", 0, TG_EFORMAT, "half a surrogate pair"},
    {"low surrogate alone", "{\"\\uDC00\":{}}", 0, TG_EFORMAT, "half a surrogate pair"},
    {"two high surrogates", "{\"\\uD800\\uD800\":{}}", 0, TG_EFORMAT, "half a surrogate pair"},
    {"line feed in a string", "{\"a\nb\":{}}", 0, TG_EFORMAT, "a control character"},
    {"stray continuation", "{\"\x80\":{}}", 0, TG_EFORMAT, "byte 10: header: not UTF-8"},
    {"overlong", "{\"\xC0\xAF\":{}}", 0, TG_EFORMAT, "not UTF-8"},
    {"overlong of three", "{\"\xE0\x80\xAF\":{}}", 0, TG_EFORMAT, "not UTF-8"},
    {"overlong of four", "{\"\xF0\x80\x80\xAF\":{}}", 0, TG_EFORMAT, "not UTF-8"},
    {"encoded surrogate", "{\"\xED\xA0\x80\":{}}", 0, TG_EFORMAT, "not UTF-8"},
    {"above U+10FFFF", "{\"\xF4\x90\x80\x80\":{}}", 0, TG_EFORMAT, "not UTF-8"},
    {"cut UTF-8", "{\"\xE2\x82\":{}}", 0, TG_EFORMAT, "not UTF-8"},
    {"UTF-8 in the structure", "{\xC2\xA0}", 0, TG_EFORMAT, "expected a string"},
    {"entry is null", "{\"a\":null}", 0, TG_EFORMAT, "expected '{'"},
    {"entry is an array", "{\"a\":[\"U8\",[1],[0,1]]}", 1, TG_EFORMAT, "expected '{'"},
    {"deep", "{\"a\":{\"dtype\":{\"x\":{}}}}", 0, TG_EFORMAT, "expected a string"},
    {"deep shape", "{\"a\":{\"shape\":[[[[1]]]]}}", 0, TG_EFORMAT, "expected a non-negative integer"},
    {"deep metadata", "{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, TG_EFORMAT, "expected a string"},
    {"metadata number", "{\"__metadata__\":{\"a\":1}}", 0, TG_EFORMAT, "expected a string"},
    {"metadata null", "{\"__metadata__\":null}", 0, TG_EFORMAT, "expected '{'"},
    {"metadata key twice", "{\"__metadata__\":{\"a\":\"1\",\"b\":\"2\",\"a\":\"3\"}}", 0, TG_EFORMAT,
     "metadata: \"a\" stands twice"},
    {"metadata twice", "{\"__metadata__\":{},\"__metadata__\":{}}", 0, TG_EFORMAT, "\"__metadata__\" stands twice"},
    {"escaped metadata twice", "{\"__metadata__\":{},\"__\\u006detadata__\":{}}", 0, TG_EFORMAT, "stands twice"},
    {"name twice", "{" U8("a", "1", "0", "1") "," U8("a", "1", "1", "2") "}", 2, TG_EFORMAT, "tensor \"a\" stands twice"},
    {"name twice, empty", "{" U8("a", "0", "0", "0") "," U8("a", "0", "0", "0") "}", 0, TG_EFORMAT,
     "tensor \"a\" stands twice"},
    {"name twice by an escape", "{" U8("a", "1", "0", "1") "," U8("\\u0061", "1", "1", "2") "}", 2, TG_EFORMAT, "stands twice"},
    {"dtype twice", "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TG_EFORMAT,
     "\"dtype\" stands twice"},
    {"shape twice", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TG_EFORMAT,
     "\"shape\" stands twice"},
    {"offsets twice", "{\"a\":{\"data_offsets\":[0,1],\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TG_EFORMAT,
     "\"data_offsets\" stands twice"},
    {"no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TG_EFORMAT,
     "tensor \"a\": dtype, shape or data_offsets is missing"},
    {"no shape", "{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, TG_EFORMAT, "is missing"},
    {"no offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, TG_EFORMAT, "is missing"},
    {"nothing", "{\"a\":{}}", 1, TG_EFORMAT, "is missing"},
    {"unknown field", "{\"a\":{\"dtype\":\"U8\",\"x\":1}}", 1, TG_EFORMAT, "tensor \"a\": unknown field \"x\""},
    {"unknown dtype", "{\"a\":{\"dtype\":\"F17\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TG_EFORMAT,
     "unknown dtype \"F17\""},
    {"lower-case dtype", "{\"a\":{\"dtype\":\"u8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TG_EFORMAT, "unknown dtype"},
    {"dtype is a number", "{\"a\":{\"dtype\":8,\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TG_EFORMAT, "expected a string"},
    {"unsupported dtype", "{\"a\":{\"dtype\":\"I16\",\"shape\":[1],\"data_offsets\":[0,2]}}", 2, TG_EDTYPE,
     "dtype I16 is not supported"},
    {"half a byte", "{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TG_EFORMAT, "no whole byte"},
    {"negative dimension", "{" U8("a", "-1", "0", "1") "}", 1, TG_EFORMAT, "expected a non-negative integer"},
    {"minus zero", "{" U8("a", "-0", "0", "0") "}", 0, TG_EFORMAT, "expected a non-negative integer"},
    {"plus", "{" U8("a", "+1", "0", "1") "}", 1, TG_EFORMAT, "expected a non-negative integer"},
    {"fraction", "{" U8("a", "1.0", "0", "1") "}", 1, TG_EFORMAT, "not a fraction"},
    {"exponent", "{" U8("a", "1e0", "0", "1") "}", 1, TG_EFORMAT, "not a fraction"},
    {"leading zero", "{" U8("a", "01", "0", "1") "}", 1, TG_EFORMAT, "leading zero"},
    {"dimension is a string", "{" U8("a", "\"1\"", "0", "1") "}", 1, TG_EFORMAT, "expected a non-negative integer"},
    {"dimension is true", "{" U8("a", "true", "0", "1") "}", 1, TG_EFORMAT, "expected a non-negative integer"},
    {"dimension of 2^63", "{" U8("a", "9223372036854775808", "0", "0") "}", 0, TG_EFORMAT, "an integer above 2^63 - 1"},
    {"dimension of 10^30", "{" U8("a", "1000000000000000000000000000000", "0", "0") "}", 0, TG_EFORMAT, "an integer above"},
    {"shape comma", "{" U8("a", "1,", "0", "1") "}", 1, TG_EFORMAT, "expected a non-negative integer"},
    {"shape open", "{\"a\":{\"shape\":[1", 1, TG_EFORMAT, "expected ']' or ','"},
    {"shape is a number", "{\"a\":{\"shape\":1}}", 1, TG_EFORMAT, "expected '['"},
    {"rank 9", "{" U8("a", "1,1,1,1,1,1,1,1,1", "0", "1") "}", 1, TG_ESHAPE, "tensor \"a\": the rank is above 8"},
    {"product wraps to 0", "{" U8("a", "4294967296,4294967296", "0", "0") "}", 0, TG_EFORMAT, "the size overflows"},
    {"product wraps to 1", "{" U8("a", "6700417,641,4294967297,4294967295", "0", "1") "}", 1, TG_EFORMAT, "the size overflows"},
    {"overflow before a zero", "{" U8("a", "9223372036854775807,3,0", "0", "0") "}", 0, TG_EFORMAT, "the size overflows"},
    {"bits overflow", "{" U8("a", "2305843009213693952", "0", "0") "}", 0, TG_EFORMAT, "the size overflows"},
    {"offsets reversed", "{" U8("a", "1", "1", "0") "}", 1, TG_EFORMAT, "end before they begin"},
    {"offset negative", "{" U8("a", "1", "-1", "0") "}", 1, TG_EFORMAT, "expected a non-negative integer"},
    {"one offset", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1]}}", 1, TG_EFORMAT, "expected ','"},
    {"three offsets", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,1]}}", 1, TG_EFORMAT, "expected ']'"},
    {"offsets too short", "{" U8("a", "2", "0", "1") "}", 1, TG_EFORMAT, "data_offsets hold 1 bytes, its shape and dtype 2"},
    {"offsets too long", "{" U8("a", "1", "0", "2") "}", 2, TG_EFORMAT, "data_offsets hold 2 bytes, its shape and dtype 1"},
    {"ends outside", "{" U8("a", "2", "0", "2") "}", 1, TG_EFORMAT, "ends at 2 but the file has 1 bytes of data"},
    {"ends far outside", "{" U8("a", "9223372036854775807", "0", "9223372036854775807") "}", 1, TG_EFORMAT,
     "the size overflows"},
    {"hole at the start", "{" U8("a", "1", "1", "2") "}", 2, TG_EFORMAT, "begins at 1, the tensors before it end at 0 (hole)"},
    {"hole inside", "{" U8("a", "1", "0", "1") "," U8("b", "1", "2", "3") "}", 3, TG_EFORMAT, "(hole)"},
    {"overlap", "{" U8("a", "2", "0", "2") "," U8("b", "2", "1", "3") "}", 3, TG_EFORMAT, "(overlap)"},
    {"same place", "{" U8("a", "1", "0", "1") "," U8("b", "1", "0", "1") "}", 1, TG_EFORMAT, "(overlap)"},
    {"empty inside another", "{" U8("a", "8", "0", "8") "," U8("b", "0", "4", "4") "}", 8, TG_EFORMAT, "(overlap)"},
    {"trailing byte", "{" U8("a", "1", "0", "1") "}", 2, TG_EFORMAT, "1 bytes after the last tensor"},
    {"data without tensors", "{}", 1, TG_EFORMAT, "byte 10: 1 bytes after the last tensor"},
    {"bool of 2", "{\"a\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, TG_EFORMAT,
     "a bool is 7, not 0 or 1"},
    {"ours without checksum", "{\"__metadata__\":{\"format\":\"tapegrad\",\"version\":\"1\"}}", 0, TG_EFORMAT,
     "checksum xxh3 is missing"},
    {"ours without version", "{\"__metadata__\":{\"format\":\"tapegrad\"}}", 0, TG_EFORMAT, "is no version"},
    {"newer", "{\"__metadata__\":{\"format\":\"tapegrad\",\"version\":\"2\"}}", 0, TG_EFORMAT,
     "made by a newer version of tapegrad"},
    {"wrong checksum", "{\"__metadata__\":{\"format\":\"tapegrad\",\"version\":\"1\",\"xxh3\":\"0\"}}", 0, TG_EFORMAT,
     "damaged: the checksum"},
};

static void expect_error(io_test *t, const char *what, const void *bytes, size_t size, tg_status status, const char *part) {
    const char *path = io_test_path(t, "hostile");
    tg_file_error e;
    tg_array_list list;
    CHECK(t, io_test_write(path, bytes, size), "cannot write %s", path);
    uint64_t live = tg__alloc_live();
    tg_status got = tg_load_arrays(path, &list, &e);
    CHECK_ERROR(t, what, got, &e, status, part);
    CHECK(t, strstr(e.message, "hostile: "), "%s: the message does not name the file: %s", what, e.message);
    CHECK(t, list.n == 0 && !list.items && tg__alloc_live() == live, "%s: something is left", what);
    CHECK(t, tg_load_arrays(path, &list, NULL) == status, "%s: another status without e", what);
}

static void test_hostile(io_test *t) {
    static const uint8_t sevens[16] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7};
    size_t size;
    for (size_t i = 0; i < sizeof hostiles / sizeof *hostiles; i++) {
        const hostile *h = &hostiles[i];
        uint8_t *bytes = make_file(h->header, strlen(h->header), sevens, h->data, &size);
        expect_error(t, h->what, bytes, size, h->status, h->part);
        free(bytes);
    }
    expect_error(t, "no byte", "", 0, TG_EFORMAT, "at least 8 bytes");
    expect_error(t, "7 bytes", "\2\0\0\0\0\0\0", 7, TG_EFORMAT, "at least 8 bytes, this one 7");
    expect_error(t, "8 bytes", "\2\0\0\0\0\0\0\0", 8, TG_EFORMAT, "header of 2 bytes in a file of 8");
    expect_error(t, "length 0", "\0\0\0\0\0\0\0\0{}", 10, TG_EFORMAT, "does not begin with '{'");
    expect_error(t, "length one too many", "\3\0\0\0\0\0\0\0{}", 10, TG_EFORMAT, "header of 3 bytes in a file of 10");
    expect_error(t, "length 100,000,001", "\x01\xE1\xF5\x05\0\0\0\0{}", 10, TG_EFORMAT, "above the limit of 100000000");
    expect_error(t, "length 2^64 - 1", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10, TG_EFORMAT, "above the limit");
    expect_error(t, "length 2^64 - 8", "\xF8\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10, TG_EFORMAT, "above the limit");
    expect_error(t, "NUL in the padding", "\3\0\0\0\0\0\0\0{}\0", 11, TG_EFORMAT, "only spaces may follow");
    expect_error(t, "NUL in a name", "\x0B\0\0\0\0\0\0\0{\"a\0b\":{}} ", 19, TG_EFORMAT, "a control character");
    expect_error(t, "a zip file", "PK\3\4\0\0\0\0\0\0\0\0", 12, TG_EFORMAT, "header of 67324752 bytes in a file of 12");
}

/* Unusual files that the format allows. */
static void test_allowed(io_test *t) {
    static const struct { const char *header; size_t data; int n; } good[] = {
        {"{ \"a\" :\t{ \"data_offsets\" : [ 0 , 2 ] ,\r\n\"shape\":[ 2 , 1 ],\"dtype\":\"U8\" } }   ", 2, 1},
        {"{" U8("b", "1", "1", "2") "," U8("a", "1", "0", "1") "}", 2, 2},
        {"{" U8("b", "0", "0", "0") "," U8("a", "0,9223372036854775807", "0", "0") "," U8("c", "1", "0", "1") "}", 1, 3},
        {"{" U8("a", "8", "0", "8") "," U8("b", "0", "8", "8") "}", 8, 2},
        {"{" U8("a", "1,1,1,1,1,1,1,1", "0", "1") "}", 1, 1},
        {"{" U8("", "", "0", "1") "}", 1, 1},
        {"{" U8("\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\\\"\\\\\\u00e9\\u20ac", "", "0", "1") "}", 1, 1},
        {"{\"__metadata__\":{}," U8("__metadata", "", "0", "1") "}", 1, 1},
        {"{\"__metadata__\":{\"a\":\"\",\"\":\"b\",\"format\":\"pt\"}}", 0, 0},
        {"{\"\x7F\xF0\x9F\x98\x80\xEF\xBF\xBF\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, 1},
    };
    static const uint8_t zeros[8];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        size_t size;
        uint8_t *bytes = make_file(good[i].header, strlen(good[i].header), zeros, good[i].data, &size);
        const char *path = io_test_path(t, "allowed");
        tg_file_error e;
        tg_array_list list;
        io_test_write(path, bytes, size);
        CHECK(t, tg_load_arrays(path, &list, &e) == TG_OK && list.n == good[i].n, "%s: %s", good[i].header, e.message);
        if (i == 6 && list.n == 1)
            CHECK(t, !strcmp(list.items[0].name, "\xF0\x9F\x98\x80/\b\f\n\r\t\"\\\xC3\xA9\xE2\x82\xAC"), "escapes: %s",
                  list.items[0].name);
        tg_array_list_free(&list);
        free(bytes);
    }
}

static void test_bad_arguments(io_test *t) {
    const char *path = io_test_path(t, "bad");
    char long_name[70000];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = 0;
    const struct { const char *what; tg_named_array item; tg_status status; const char *part; } bad[] = {
        {"no name", {NULL, {TG_F32, {0, {0}}, scalar}}, TG_EARG, "array 1 has no name"},
        {"reserved name", {"__metadata__", {TG_F32, {0, {0}}, scalar}}, TG_EARG, "reserved"},
        {"long name", {long_name, {TG_F32, {0, {0}}, scalar}}, TG_EARG, "too long"},
        {"name not UTF-8", {"\xFF", {TG_F32, {0, {0}}, scalar}}, TG_EARG, "not UTF-8"},
        {"name taken", {"scalar", {TG_F32, {0, {0}}, scalar}}, TG_EARG, "two arrays are named \"scalar\""},
        {"no data", {"a", {TG_F32, {1, {1}}, NULL}}, TG_EARG, "the data is NULL"},
        {"dtype", {"a", {(tg_dtype)99, {0, {0}}, scalar}}, TG_EDTYPE, "no such dtype"},
        {"negative dtype", {"a", {(tg_dtype)-1, {0, {0}}, scalar}}, TG_EDTYPE, "no such dtype"},
        {"rank", {"a", {TG_F32, {9, {1}}, scalar}}, TG_ESHAPE, "a rank or dimension"},
        {"negative rank", {"a", {TG_F32, {-1, {1}}, scalar}}, TG_ESHAPE, "a rank or dimension"},
        {"negative dimension", {"a", {TG_F32, {1, {-1}}, scalar}}, TG_ESHAPE, "a rank or dimension"},
        {"overflow", {"a", {TG_F32, {2, {INT64_MAX, INT64_MAX}}, scalar}}, TG_ESHAPE, "a rank or dimension"},
        {"too large", {"a", {TG_F32, {1, {INT64_MAX / 2}}, scalar}}, TG_ESHAPE, "a rank or dimension"},
    };
    tg_file_error e;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const tg_named_array two[] = {samples[0], bad[i].item};
        CHECK_ERROR(t, bad[i].what, tg_save_arrays(path, two, 2, &e), &e, bad[i].status, bad[i].part);
    }
    const tg_named_array huge[] = {{"a", {TG_U8, {1, {INT64_MAX}}, scalar}}, {"b", {TG_U8, {1, {1}}, scalar}}};
    tg_array_list list;
    CHECK_ERROR(t, "sum overflows", tg_save_arrays(path, huge, 2, &e), &e, TG_ESHAPE, "larger than a file");
    CHECK_ERROR(t, "NULL list", tg_save_arrays(path, NULL, 1, &e), &e, TG_EARG, "NULL or negative");
    CHECK_ERROR(t, "negative count", tg_save_arrays(path, samples, -1, &e), &e, TG_EARG, "NULL or negative");
    CHECK_ERROR(t, "NULL path", tg_save_arrays(NULL, samples, 1, &e), &e, TG_EARG, "the path is NULL");
    CHECK_ERROR(t, "NULL path", tg_load_arrays(NULL, &list, &e), &e, TG_EARG, "NULL");
    CHECK_ERROR(t, "NULL list", tg_load_arrays(path, NULL, &e), &e, TG_EARG, "NULL");
    CHECK(t, access(path, F_OK) != 0, "a file was made all the same");
}

static void test_bad_paths(io_test *t) {
    tg_file_error e;
    tg_array_list list;
    const char *fifo = io_test_path(t, "fifo"), *locked = io_test_path(t, "locked");
    CHECK_ERROR(t, "missing", tg_load_arrays(io_test_path(t, "none"), &list, &e), &e, TG_EIO,
                "none: cannot open the file: No such file");
    CHECK_ERROR(t, "missing folder", tg_save_arrays(io_test_path(t, "none/x"), samples, 1, &e), &e, TG_EIO,
                "cannot open the folder: No such file");
    CHECK_ERROR(t, "empty path", tg_save_arrays("", samples, 1, &e), &e, TG_EIO, "cannot ");
    CHECK_ERROR(t, "read a folder", tg_load_arrays(t->folder, &list, &e), &e, TG_EIO, "is a folder");
    CHECK_ERROR(t, "write a folder", tg_save_arrays(t->folder, samples, 1, &e), &e, TG_EIO, "is a folder");
    CHECK_ERROR(t, "read a device", tg_load_arrays("/dev/null", &list, &e), &e, TG_EIO, "is not a regular file");
    CHECK_ERROR(t, "write a device", tg_save_arrays("/dev/null", samples, 1, &e), &e, TG_EIO,
                "is not a regular file and is not replaced");
    CHECK(t, mkfifo(fifo, 0600) == 0, "mkfifo");
    CHECK_ERROR(t, "read a pipe", tg_load_arrays(fifo, &list, &e), &e, TG_EIO, "is not a regular file");
    remove(fifo);
    CHECK(t, mkdir(locked, 0500) == 0, "mkdir");
    if (geteuid() != 0) /* root may write everywhere */
        CHECK_ERROR(t, "unwritable", tg_save_arrays(io_test_path(t, "locked/x"), samples, 1, &e), &e, TG_EIO,
                    "Permission denied");
    rmdir(locked);
    char path[3000];
    memset(path, 'd', sizeof path);
    memcpy(path + 2900, "/the-end", 9);
    CHECK_ERROR(t, "long path", tg_load_arrays(path, &list, &e), &e, TG_EIO,
                "/the-end: cannot open the file: File name too long");
    int before = io_test_files(t);
    char name[256];
    memset(name, 'n', 255);
    name[255] = 0;
    CHECK(t, tg_save_arrays(io_test_path(t, name), samples, 1, &e) == TG_OK, "the longest file name: %s", e.message);
    remove(io_test_path(t, name));
    CHECK(t, io_test_files(t) == before, "files are left");
}

/* ------------------------------------------------------------------ damage */

/* No damaged file may load. */
static void expect_damage_found(io_test *t, const char *path, const uint8_t *bytes, size_t n, const char *what, size_t where) {
    tg_array_list list;
    tg_file_error e;
    io_test_write(path, bytes, n);
    tg_status status = tg_load_arrays(path, &list, &e);
    CHECK(t, (status == TG_EFORMAT || status == TG_ESHAPE || status == TG_EDTYPE) && e.message[0], "%s %zu: %s", what, where,
          tg_status_name(status));
    tg_array_list_free(&list);
}

static void test_damage(io_test *t) {
    const tg_named_array few[] = {samples[2], samples[4], samples[7], samples[1]};
    const char *path = io_test_path(t, "damage");
    size_t n;
    tg_save_arrays(path, few, 4, NULL);
    uint8_t *bytes = io_test_read(path, &n);
    CHECK(t, bytes && n > 100, "cannot read it back");
    for (size_t i = 0; i < n; i++) expect_damage_found(t, path, bytes, i, "truncated at", i);
    for (size_t i = 0; i < 8 * n; i++) {
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        expect_damage_found(t, path, bytes, n, "flipped bit", i);
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    free(bytes);
}

/* ------------------------------------------------------------------ size */

static double seconds(void) { /* of this process: others may hold up the machine */
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The densest header there is, with the last entry broken or not: quick, and within the memory that is allowed. */
static void test_many_tensors(io_test *t) {
    enum { MANY = 100000 };
    char *header = malloc(MANY * 80);
    const tg__report r = {"many", NULL};
    for (int broken = 0; broken < 3; broken++) {
        size_t n = 0, size;
        for (int i = 0; i < MANY; i++)
            n += (size_t)sprintf(header + n, "%c\"%x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}", i ? ',' : '{',
                                 broken == 2 && i == MANY - 1 ? 0 : (unsigned)i * 2654435761u);
        if (broken != 1) header[n++] = '}';
        uint8_t *bytes = make_file(header, n, NULL, 0, &size);
        tg__st_table table;
        double start = seconds();
        tg_status status = tg__st_parse(bytes, size, &table, &r);
        double took = seconds() - start;
        CHECK(t, took < 1, "a header of %d entries took %.2f s", MANY, took);
        CHECK(t, status == (broken ? TG_EFORMAT : TG_OK) && (broken || table.n == MANY), "many tensors: %s",
              tg_status_name(status));
        /* Growing holds the old array beside the new one, of at most half its size. */
        size_t peak = size + n + table.cap * sizeof *table.entries * 3 / 2 + table.n * sizeof *table.by_name;
        CHECK(t, peak <= 16 * size + (1u << 20), "%zu bytes for a file of %zu", peak, size);
        tg__st_free(&table);
        free(bytes);
    }
    size_t n = (size_t)sprintf(header, "{\"__metadata__\":{"), size;
    for (int i = 0; i < MANY; i++) n += (size_t)sprintf(header + n, "%s\"%x\":\"\"", i ? "," : "", (unsigned)i * 2654435761u);
    size_t before_end = n;
    n += (size_t)sprintf(header + n, "}}");
    uint8_t *bytes = make_file(header, n, NULL, 0, &size);
    tg__st_table table;
    CHECK(t, tg__st_parse(bytes, size, &table, &r) == TG_OK && table.n_pairs == MANY, "many metadata pairs");
    size_t peak = size + n + table.cap_pairs * sizeof *table.pairs * 3 / 2;
    CHECK(t, peak <= 16 * size + (1u << 20), "%zu bytes for a file of %zu", peak, size);
    tg__st_free(&table);
    free(bytes);
    n = before_end + (size_t)sprintf(header + before_end, ",\"\":\"\"}}");
    bytes = make_file(header, n, NULL, 0, &size);
    expect_error(t, "too many metadata pairs", bytes, size, TG_EFORMAT, "metadata: more than 100000 keys");
    free(bytes);
    free(header);
}

/* 300 names of 65,000 characters that take 6 bytes each in JSON: more than a header may have. */
static void test_large_header(io_test *t) {
    enum { NAMES = 300, LENGTH = 65000 };
    char *text = malloc(LENGTH + 1);
    tg_named_array items[NAMES];
    memset(text, 1, LENGTH);
    text[LENGTH] = 0;
    for (int i = 0; i < NAMES; i++) items[i] = (tg_named_array){text + i, {TG_F32, {0, {0}}, scalar}};
    tg_file_error e;
    const char *path = io_test_path(t, "large");
    CHECK_ERROR(t, "large header", tg_save_arrays(path, items, NAMES, &e), &e, TG_EARG, "above the format's 100000000");
    CHECK_ERROR(t, "too many", tg_save_arrays(path, items, 1000001, &e), &e, TG_EARG, "more than 1000000 arrays");
    CHECK(t, access(path, F_OK) != 0, "a file was made all the same");
    free(text);
}

/* ------------------------------------------------------------------ faults */

static const float other_data[] = {9, 8, 7};
static const tg_named_array other[] = {{"other", {TG_F32, {1, {3}}, other_data}}};

/* Puts the old file in place, without waiting for the disk. */
static void put_old(const char *path) {
    static uint8_t *old;
    static size_t n;
    if (old) {
        io_test_write(path, old, n);
        return;
    }
    tg_save_arrays(path, samples, SAMPLES, NULL);
    old = io_test_read(path, &n);
}

/* 0: the old file, 1: the new one, -1: neither. */
static int which_file(io_test *t, const char *path) {
    tg_array_list list;
    tg_file_error e;
    tg_status status = tg_load_arrays(path, &list, &e);
    CHECK(t, status == TG_OK, "the file does not load: %s", e.message);
    int which = status != TG_OK ? -1 : tg_array_list_find(&list, "other") != NULL;
    if (status == TG_OK) same_arrays(t, &list, which ? other : samples, which ? 1 : SAMPLES, "old or new");
    tg_array_list_free(&list);
    return which;
}

static void test_memory_faults(io_test *t) {
    const char *path = io_test_path(t, "memory");
    uint64_t live = tg__alloc_live(), calls = 1;
    tg_file_error e;
    put_old(path);
    for (int forever = 0; forever < 2; forever++)
        for (uint64_t at = 1; at <= calls; at++) {
            tg__alloc_fail_at(at, forever);
            tg_status status = tg_save_arrays(path, other, 1, &e);
            calls = tg__alloc_fail_at(0, false);
            CHECK(t, status == (at <= calls ? TG_ENOMEM : TG_OK) || at > calls, "save, allocation %d: %s", (int)at, e.message);
            if (status != TG_OK) CHECK_ERROR(t, "save", status, &e, TG_ENOMEM, "out of memory");
            CHECK(t, tg__alloc_live() == live && io_test_files(t) == 1, "save, allocation %d: something is left", (int)at);
            if (status != TG_OK) CHECK(t, which_file(t, path) == 0, "save, allocation %d: the old file is gone", (int)at);
            else put_old(path);
            if (status == TG_OK) break;
        }
    for (int forever = 0; forever < 2; forever++)
        for (uint64_t at = 1; at < 1000; at++) {
            tg_array_list list;
            tg__alloc_fail_at(at, forever);
            tg_status status = tg_load_arrays(path, &list, &e);
            tg__alloc_fail_at(0, false);
            if (status == TG_OK) {
                CHECK(t, at > 20, "only %d allocations", (int)at);
                tg_array_list_free(&list);
                break;
            }
            CHECK_ERROR(t, "load", status, &e, TG_ENOMEM, "out of memory");
            CHECK(t, tg__alloc_live() == live && !list.items, "load, allocation %d: something is left", (int)at);
        }
}

typedef struct spoil {
    const char *name;
    io_fault kind;
    int error;
    bool forever, harmless; /* harmless: the call is repeated and all goes well */
} spoil;

static const spoil spoils[] = {
    {"EIO once", IO_ERROR, EIO, false, false},        {"EIO for ever", IO_ERROR, EIO, true, false},
    {"ENOSPC once", IO_ERROR, ENOSPC, false, false},  {"ENOSPC for ever", IO_ERROR, ENOSPC, true, false},
    {"EINTR for ever", IO_ERROR, EINTR, true, false}, {"short once", IO_SHORT, 0, false, true},
    {"short for ever", IO_SHORT, 0, true, true},      {"ENOMEM once", IO_ERROR, ENOMEM, false, false},
};

/* Faults in every system call of a save: the old file or the new one, nothing else, and no temporary. */
static void test_save_faults(io_test *t) {
    const char *path = io_test_path(t, "calls");
    tg_file_error e;
    uint64_t live = tg__alloc_live();
    for (size_t k = 0; k < sizeof spoils / sizeof *spoils; k++) {
        const spoil *s = &spoils[k];
        for (int at = 1, calls = 1; at <= calls; at++) {
            put_old(path);
            io_faults_set(s->kind, s->error, at, s->forever);
            tg_status status = tg_save_arrays(path, other, 1, &e);
            calls = io_faults_end();
            if (calls < at) break;
            bool renamed = strchr(io_faults_trace(), 'n') != NULL, done = status == TG_OK;
            int found = which_file(t, path);
            CHECK(t, found == renamed, "%s at call %d: the file is %s", s->name, at, found ? "the new one" : "the old one");
            CHECK(t, done ? renamed : !s->harmless, "%s at call %d: %s", s->name, at, e.message);
            if (!done) CHECK_ERROR(t, s->name, status, &e, s->error == ENOMEM ? TG_ENOMEM : TG_EIO, "cannot ");
            CHECK(t, io_test_files(t) == 1 && tg__alloc_live() == live, "%s at call %d: something is left", s->name, at);
        }
    }
}

static void test_interrupted(io_test *t) {
    const char *path = io_test_path(t, "calls");
    tg_file_error e;
    for (int at = 1; at < 40; at++) {
        io_faults_set(IO_ERROR, EINTR, at, false);
        tg_status status = tg_save_arrays(path, other, 1, &e);
        int calls = io_faults_end();
        /* stat and rename are not interrupted by signals on local disks: there it is an error like any other */
        bool tolerated = status == TG_OK || strstr(e.message, "look at") || strstr(e.message, "rename");
        CHECK(t, tolerated, "EINTR at call %d: %s", at, e.message);
        CHECK(t, io_test_files(t) == 1, "EINTR at call %d: something is left", at);
        if (calls < at) break;
    }
}

/* The order that makes a save safe: flush the file before its name appears, the folder after. */
static void test_save_order(io_test *t) {
    io_faults_set(IO_NONE, 0, 0, false);
    tg_status status = tg_save_arrays(io_test_path(t, "calls"), samples, 1, NULL);
    io_faults_end();
    CHECK(t, status == TG_OK && !strcmp(io_faults_trace(), "toowwscnsc"), "the calls of a save are %s", io_faults_trace());
}

static void test_load_faults(io_test *t) {
    const char *path = io_test_path(t, "calls");
    tg_file_error e;
    put_old(path);
    uint64_t live = tg__alloc_live();
    for (size_t k = 0; k < sizeof spoils / sizeof *spoils; k++)
        for (int at = 1, calls = 1; at <= calls; at++) {
            tg_array_list list;
            io_faults_set(spoils[k].kind, spoils[k].error, at, spoils[k].forever);
            tg_status status = tg_load_arrays(path, &list, &e);
            calls = io_faults_end();
            if (calls < at) break;
            if (status == TG_OK) same_arrays(t, &list, samples, SAMPLES, spoils[k].name);
            else CHECK_ERROR(t, spoils[k].name, status, &e, spoils[k].error == ENOMEM ? TG_ENOMEM : TG_EIO, "cannot ");
            CHECK(t, status != TG_OK || spoils[k].harmless || at == calls, "%s at call %d was not noticed", spoils[k].name, at);
            tg_array_list_free(&list);
            CHECK(t, tg__alloc_live() == live, "%s at call %d: something is left", spoils[k].name, at);
        }
}

/* A process that dies before its k-th system call, or in the middle of a write. */
static void test_kills(io_test *t) {
    const char *path = io_test_path(t, "kill");
    put_old(path);
    for (int at = 1;; at++) {
        pid_t child = fork();
        if (child == 0) {
            io_faults_set(IO_KILL, 0, at, false);
            _exit(tg_save_arrays(path, other, 1, NULL) != TG_OK);
        }
        int result = 0;
        waitpid(child, &result, 0);
        int found = which_file(t, path);
        if (WIFEXITED(result)) {
            CHECK(t, at > 8 && found == 1, "the save ended after %d calls with the %s file", at - 1, found ? "new" : "old");
            break;
        }
        CHECK(t, WIFSIGNALED(result), "the process was not killed at call %d", at);
        if (found == 1) put_old(path);
    }
}

/* ------------------------------------------------------------------ fuzzing */

static const char *const tokens[] = {"\"",
                                     "{",
                                     "}",
                                     "[",
                                     "]",
                                     ",",
                                     ":",
                                     "\\",
                                     "\\u0041",
                                     "\\uD83D\\uDE00",
                                     "0",
                                     "1",
                                     "-",
                                     "9223372036854775807",
                                     "1.5",
                                     "e9",
                                     "null",
                                     "true",
                                     "\"dtype\":",
                                     "\"shape\":",
                                     "\"data_offsets\":",
                                     "\"F32\"",
                                     "\"U8\"",
                                     "\"F4\"",
                                     "\"__metadata__\":{",
                                     "[]",
                                     "{}",
                                     " ",
                                     "\n",
                                     "\xC3\xA9",
                                     U8("a", "1", "0", "1"),
                                     U8("z", "0", "0", "0"),
                                     "\"a\":\"b\""};

static void mutate(uint8_t *b, size_t *n, size_t room, uint64_t *seed) {
    size_t at = *n ? io_random(seed) % *n : 0;
    switch (io_random(seed) % 7) {
    case 0: if (*n) b[at] ^= (uint8_t)(1u << io_random(seed) % 8); break;
    case 1: if (*n) b[at] = (uint8_t)io_random(seed); break;
    case 2: *n = at; break;
    case 3: { /* remove some */
        size_t k = 1 + io_random(seed) % 16;
        if (at + k > *n) k = *n - at;
        memmove(b + at, b + at + k, *n - at - k);
        *n -= k;
        break;
    }
    case 4: { /* repeat some */
        size_t k = 1 + io_random(seed) % 64;
        if (at + k > *n) k = *n - at;
        if (*n + k > room) break;
        memmove(b + at + k, b + at, *n - at);
        *n += k;
        break;
    }
    default: { /* a token, inserted or over what is there */
        const char *token = tokens[io_random(seed) % (sizeof tokens / sizeof *tokens)];
        size_t k = strlen(token);
        if (*n + k > room) break;
        if (io_random(seed) % 2) {
            memmove(b + at + k, b + at, *n - at);
            *n += k;
        } else if (at + k > *n) *n = at + k;
        memcpy(b + at, token, k);
    }
    }
}

#ifdef TG_HAVE_JANSSON
/* Whatever is accepted must be JSON to another parser as well, and mean the same. */
static bool jansson_agrees(const uint8_t *bytes, const tg__st_table *t) {
    json_error_t error;
    json_t *root = json_loadb((const char *)bytes + 8, (size_t)tg__little_64(bytes), JSON_REJECT_DUPLICATES, &error);
    bool same = json_is_object(root) && json_object_size(root) == t->n + t->has_metadata;
    for (uint32_t i = 0; i < t->n && same; i++) {
        const tg__st_entry *e = &t->entries[i];
        const char *dtype;
        json_int_t begin, end;
        json_t *shape, *o = json_object_get(root, e->name);
        same = !json_unpack(o, "{s:s, s:o, s:[I,I!]!}", "dtype", &dtype, "shape", &shape, "data_offsets", &begin, &end) &&
               !strcmp(dtype, tg__st_dtypes[e->dtype].name) && begin == (json_int_t)e->begin && end == (json_int_t)e->end &&
               json_array_size(shape) == e->rank;
        for (int k = 0; k < e->rank && same; k++) same = json_integer_value(json_array_get(shape, (size_t)k)) == e->dims[k];
    }
    json_t *metadata = json_object_get(root, "__metadata__");
    same = same && json_object_size(metadata) == t->n_pairs;
    for (uint32_t i = 0; i < t->n_pairs && same; i++) {
        const char *value = json_string_value(json_object_get(metadata, t->pairs[i].key));
        same = value && !strcmp(value, t->pairs[i].value);
    }
    json_decref(root);
    return same;
}
#else
static bool jansson_agrees(const uint8_t *bytes, const tg__st_table *t) { return (void)bytes, (void)t, true; }
#endif

/* Written again and read again, it must be the same table. */
static bool survives(const tg__st_table *t, const tg__report *r) {
    buffer b = serialise(t, r);
    tg__st_table again;
    bool same = tg__st_parse(b.bytes, b.n, &again, r) == TG_OK && again.n == t->n && again.n_pairs == t->n_pairs;
    for (uint32_t i = 0; same && i < t->n; i++) {
        const tg__st_entry *x = &t->entries[i], *y = tg__st_find(&again, x->name);
        same = y && x->dtype == y->dtype && x->rank == y->rank && !memcmp(x->dims, y->dims, sizeof x->dims) &&
               x->end - x->begin == y->end - y->begin &&
               (x->begin == x->end || !memcmp(x->data, y->data, (size_t)(x->end - x->begin)));
    }
    tg__st_free(&again);
    free(b.bytes);
    return same;
}

static void test_fuzz(io_test *t, int count) {
    enum { ROOM = 4096 };
    size_t seed_size;
    uint8_t *seed_file =
        make_file(reference_header, sizeof reference_header - 1, reference_data, sizeof reference_data, &seed_size);
    uint64_t seed = 1, live = tg__alloc_live();
    int accepted = 0;
    tg_file_error e;
    const tg__report r = {"fuzz", &e};
    for (int i = 0; i < count; i++) {
        uint8_t *b = malloc(ROOM + 8);
        size_t n = seed_size, header = sizeof reference_header - 1;
        memcpy(b, seed_file, n);
        if (i % 2) { /* any byte */
            for (uint64_t k = 1 + io_random(&seed) % 4; k; k--) mutate(b, &n, ROOM, &seed);
        } else { /* the header, with its length put right, so that what lies behind the first checks is reached */
            for (uint64_t k = 1 + io_random(&seed) % 3; k; k--) mutate(b + 8, &header, ROOM / 2, &seed);
            tg__put_little_64(b, header);
            memcpy(b + 8 + header, reference_data, sizeof reference_data);
            n = 8 + header + sizeof reference_data;
        }
        uint8_t *exact = malloc(n ? n : 1); /* so that a sanitizer sees a read behind the end */
        memcpy(exact, b, n);
        tg__st_table table;
        if (tg__st_parse(exact, n, &table, &r) == TG_OK) {
            accepted++;
            CHECK(t, jansson_agrees(exact, &table), "input %d: another parser reads it differently", i);
            CHECK(t, survives(&table, &r), "input %d: it changes when written and read again", i);
        } else CHECK(t, e.status != TG_OK && e.message[0] && !table.n, "input %d: an error without a message", i);
        tg__st_free(&table);
        free(exact);
        free(b);
        CHECK(t, tg__alloc_live() == live, "input %d: memory is left", i);
    }
    CHECK(t, count < 1000 || accepted > count / 500, "only %d of %d inputs were accepted: the fuzzing does not go deep",
          accepted, count);
    free(seed_file);
}

/* ------------------------------------------------------------------ */

int tg_test_safetensors(FILE *out) {
    io_test t;
    uint64_t live = tg__alloc_live();
    if (!io_test_begin(&t, out)) return t.failures;
    test_memory_faults(&t);
    remove(io_test_path(&t, "memory"));
    test_save_faults(&t);
    test_interrupted(&t);
    test_save_order(&t);
    test_load_faults(&t);
    test_kills(&t);
    test_layout(&t);
    test_empty_layout(&t);
    test_order(&t);
    test_round_trip(&t);
    test_hash_value(&t);
    test_hostile(&t);
    test_allowed(&t);
    test_bad_arguments(&t);
    test_bad_paths(&t);
    test_damage(&t);
    test_many_tensors(&t);
    test_large_header(&t);
    test_fuzz(&t, io_test_setting("TG_FUZZ", 20000));
    CHECK(&t, tg__alloc_live() == live, "memory is left");
    return io_test_end(&t);
}

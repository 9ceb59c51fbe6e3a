/* Tests of tg_save and tg_load: round trip, files that do not fit, faults; a model is changed as a whole or not at all. */
#define _GNU_SOURCE /* memmem */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/var.h"
#include "io_support.h"
#include "tapegrad/model.h"

int tg_test_model_file(FILE *out);

typedef struct part {
    const char *name;
    tg_shape shape;
    tg_dtype dtype;
} part;

static const part parts[] = {
    {"enc.0.weight", {2, {3, 4}}, TG_F32}, {"enc.0.bias", {1, {4}}, TG_F32}, {"scale", {0, {0}}, TG_F64},
    {"none", {2, {0, 5}}, TG_F32},         {"steps", {1, {1}}, TG_I64},      {"seen", {1, {3}}, TG_BOOL},
};
enum { PARTS = sizeof parts / sizeof *parts };

static size_t bytes_of(const tg__var *v) { return (size_t)v->numel * tg_dtype_size(v->dtype); }

/* Every byte is 0 or 1, so that bools are bools. */
static void fill(tg_model *m, unsigned seed) {
    for (int i = 0; i < tg__model_count(m); i++) {
        tg__var *v = tg__model_var(m, i);
        for (size_t k = 0; k < bytes_of(v); k++)
            ((uint8_t *)v->data)[k] = (uint8_t)((seed * 2654435761u + k * k + (unsigned)i) >> 3 & 1);
    }
}

static tg_model *make(const part *p, int n, unsigned seed) {
    tg_model *m = tg__model_create();
    for (int i = 0; i < n; i++) tg__model_add(m, p[i].name, p[i].shape, p[i].dtype, i < 2);
    fill(m, seed);
    return m;
}

static bool filled_with(const tg_model *m, unsigned seed) {
    tg_model *wanted = make(parts, PARTS, seed);
    bool same = tg__model_count(m) == PARTS;
    for (int i = 0; i < PARTS && same; i++) {
        const tg__var *v = tg__model_var(m, i);
        same = bytes_of(v) == 0 || !memcmp(v->data, tg__model_var(wanted, i)->data, bytes_of(v));
    }
    tg_model_free(wanted);
    return same;
}

static uint64_t versions(const tg_model *m) {
    uint64_t sum = 0;
    for (int i = 0; i < tg__model_count(m); i++) sum += tg__model_var(m, i)->version;
    return sum;
}

static void test_round_trip(io_test *t) {
    const char *path = io_test_path(t, "model");
    tg_file_error e;
    tg_model *a = make(parts, PARTS, 1), *b = make(parts, PARTS, 2), *empty = make(parts, 0, 0);
    uint64_t before = versions(b);
    CHECK(t, tg_save(a, path, &e) == TG_OK && !e.message[0], "save: %s", e.message);
    CHECK(t, filled_with(b, 2) && !filled_with(b, 1), "the fillings are alike");
    CHECK(t, tg_load(b, path, &e) == TG_OK && !e.message[0], "load: %s", e.message);
    CHECK(t, filled_with(b, 1), "the model has other elements after loading");
    CHECK(t, versions(b) == before + PARTS, "a version was not raised");
    CHECK(t, tg_save(empty, path, NULL) == TG_OK && tg_load(empty, path, NULL) == TG_OK, "a model without parameters");
    tg_model_free(a);
    tg_model_free(b);
    tg_model_free(empty);
}

/* The order in which a model was built does not matter, only names do. */
static void test_other_order(io_test *t) {
    const char *path = io_test_path(t, "order");
    part reversed[PARTS];
    for (int i = 0; i < PARTS; i++) reversed[i] = parts[PARTS - 1 - i];
    tg_model *a = make(parts, PARTS, 1), *b = make(reversed, PARTS, 2);
    CHECK(t, tg_save(a, path, NULL) == TG_OK && tg_load(b, path, NULL) == TG_OK, "save and load");
    for (int i = 0; i < PARTS; i++) {
        const tg__var *v = tg__model_var(a, i), *w = tg__model_lookup(b, parts[i].name);
        CHECK(t, bytes_of(v) == 0 || !memcmp(v->data, w->data, bytes_of(v)), "%s differs", parts[i].name);
    }
    tg_model_free(a);
    tg_model_free(b);
}

static void test_misfits(io_test *t) {
    static const struct { const char *what; int change; part part; tg_status status; const char *text;
    } bad[] = {
        {"renamed", 1, {"enc.0.b", {1, {4}}, TG_F32}, TG_EARG, "the model's tensor \"enc.0.bias\" is missing in the file"},
        {"shape", 0, {"enc.0.weight", {2, {4, 3}}, TG_F32}, TG_ESHAPE, "tensor \"enc.0.weight\" is"},
        {"rank", 2, {"scale", {1, {1}}, TG_F64}, TG_ESHAPE, "tensor \"scale\" is"},
        {"empty shape", 3, {"none", {2, {5, 0}}, TG_F32}, TG_ESHAPE, "tensor \"none\" is"},
        {"dtype",
         0,
         {"enc.0.weight", {2, {3, 4}}, TG_F64},
         TG_EDTYPE,
         "tensor \"enc.0.weight\" is f64 in the file, f32 in the model"},
        {"dtype of equal size", 0, {"enc.0.weight", {2, {3, 4}}, TG_I32}, TG_EDTYPE, "is i32 in the file, f32 in the model"},
    };
    const char *path = io_test_path(t, "misfit");
    tg_file_error e;
    tg_model *m = make(parts, PARTS, 1);
    uint64_t before = versions(m);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        part changed[PARTS];
        memcpy(changed, parts, sizeof parts);
        changed[bad[i].change] = bad[i].part;
        tg_model *other = make(changed, PARTS, 3);
        CHECK(t, tg_save(other, path, &e) == TG_OK, "%s: %s", bad[i].what, e.message);
        CHECK_ERROR(t, bad[i].what, tg_load(m, path, &e), &e, bad[i].status, bad[i].text);
        tg_model_free(other);
    }
    part more[PARTS + 1];
    memcpy(more, parts, sizeof parts);
    more[PARTS] = (part){"more", {1, {2}}, TG_F32};
    tg_model *larger = make(more, PARTS + 1, 3), *smaller = make(parts, PARTS - 1, 3);
    tg_save(larger, path, NULL);
    CHECK_ERROR(t, "one more", tg_load(m, path, &e), &e, TG_EARG, "the file's tensor \"more\" is not in the model");
    tg_save(smaller, path, NULL);
    CHECK_ERROR(t, "one less", tg_load(m, path, &e), &e, TG_EARG, "the model's tensor \"seen\" is missing in the file");
    CHECK(t, filled_with(m, 1) && versions(m) == before, "a file that does not fit changed the model");
    tg_model_free(larger);
    tg_model_free(smaller);
    tg_model_free(m);
}

static void test_arguments(io_test *t) {
    const char *path = io_test_path(t, "model");
    tg_file_error e;
    tg_model *m = make(parts, PARTS, 1);
    CHECK_ERROR(t, "NULL model", tg_save(NULL, path, &e), &e, TG_EARG, "the model is NULL");
    CHECK_ERROR(t, "NULL model", tg_load(NULL, path, &e), &e, TG_EARG, "the model is NULL");
    CHECK_ERROR(t, "NULL path", tg_save(m, NULL, &e), &e, TG_EARG, "the path is NULL");
    CHECK_ERROR(t, "NULL path", tg_load(m, NULL, &e), &e, TG_EARG, "the path is NULL");
    CHECK_ERROR(t, "missing", tg_load(m, io_test_path(t, "nothing"), &e), &e, TG_EIO, "cannot open the file");
    CHECK_ERROR(t, "folder", tg_save(m, t->folder, &e), &e, TG_EIO, "is a folder");
    tg__model_add(m, "bad", (tg_shape){1, {-1}}, TG_F32, true);
    CHECK_ERROR(t, "broken model", tg_save(m, path, &e), &e, TG_EARG, "the model has an error: bad");
    CHECK_ERROR(t, "broken model", tg_load(m, path, &e), &e, TG_EARG, "the model has an error: bad");
    tg_model_free(m);
}

/* Every truncation and every flipped bit: an error, and the model as it was. */
static void test_damage(io_test *t) {
    const char *path = io_test_path(t, "damage");
    tg_model *m = make(parts, PARTS, 1);
    size_t n;
    tg_save(m, path, NULL);
    uint8_t *bytes = io_test_read(path, &n);
    fill(m, 2);
    for (size_t i = 0; i < n; i++) {
        io_test_write(path, bytes, i);
        CHECK(t, tg_load(m, path, NULL) != TG_OK, "truncated at %zu", i);
    }
    for (size_t i = 0; i < 8 * n; i++) {
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
        io_test_write(path, bytes, n);
        CHECK(t, tg_load(m, path, NULL) != TG_OK, "flipped bit %zu", i);
        bytes[i / 8] ^= (uint8_t)(1u << i % 8);
    }
    CHECK(t, filled_with(m, 2), "a damaged file changed the model");
    io_test_write(path, bytes, n);
    CHECK(t, tg_load(m, path, NULL) == TG_OK && filled_with(m, 1), "the sound file");
    free(bytes);
    tg_model_free(m);
}

static void test_faults(io_test *t) {
    const char *path = io_test_path(t, "model");
    tg_model *m = make(parts, PARTS, 1);
    tg_file_error e;
    tg_status status;
    uint64_t live = tg__alloc_live();
    tg_save(m, path, NULL);
    fill(m, 2);
    int files = io_test_files(t);
    for (int forever = 0; forever < 2; forever++) {
        for (uint64_t at = 1; at < 1000; at++) {
            tg__alloc_fail_at(at, forever);
            status = tg_save(m, io_test_path(t, "none"), &e);
            tg__alloc_fail_at(0, false);
            CHECK(t, tg__alloc_live() == live, "save, allocation %d: memory is left", (int)at);
            if (status == TG_OK) break;
            CHECK_ERROR(t, "save", status, &e, TG_ENOMEM, "out of memory");
            CHECK(t, io_test_files(t) == files, "save, allocation %d: a file is left", (int)at);
        }
        remove(io_test_path(t, "none"));
        for (uint64_t at = 1; at < 1000; at++) {
            tg__alloc_fail_at(at, forever);
            status = tg_load(m, path, &e);
            tg__alloc_fail_at(0, false);
            CHECK(t, tg__alloc_live() == live, "load, allocation %d: memory is left", (int)at);
            if (status == TG_OK) break;
            CHECK_ERROR(t, "load", status, &e, TG_ENOMEM, "out of memory");
            CHECK(t, filled_with(m, 2), "load, allocation %d: the model changed", (int)at);
        }
        CHECK(t, filled_with(m, 1), "the last load");
        fill(m, 2);
    }
    for (int at = 1, calls = 2; at < calls; at++) { /* the last call closes the file: not an error */
        io_faults_set(IO_ERROR, EIO, at, false);
        status = tg_load(m, path, &e);
        calls = io_faults_end();
        if (at < calls) CHECK_ERROR(t, "load", status, &e, TG_EIO, "cannot");
        if (at < calls) CHECK(t, filled_with(m, 2), "load, call %d: the model changed", at);
    }
    tg_model_free(m);
}

/* 16-bit floats keep their bits, under the names that the format gives them. */
static void test_16_bit_floats(io_test *t) {
    static const uint16_t bits[] = {0x3f80, 0x8000, 0x7f80, 0x7fc1};
    const char *path = io_test_path(t, "halves");
    const tg_named_array items[] = {{"a", tg_bf16(bits, TG_SHAPE(4))}, {"b", tg_f16(bits, TG_SHAPE(2, 2))}};
    tg_array_list list = {0};
    tg_file_error e;
    CHECK(t, tg_save_arrays(path, items, 2, &e) == TG_OK, "save: %s", e.message);
    CHECK(t, tg_load_arrays(path, &list, &e) == TG_OK, "load: %s", e.message);
    const tg_blob *a = tg_array_list_find(&list, "a"), *b = tg_array_list_find(&list, "b");
    CHECK(t, a && a->dtype == TG_BF16 && !memcmp(a->data, bits, sizeof bits), "bf16 changed");
    CHECK(t, b && b->dtype == TG_F16 && !memcmp(b->data, bits, sizeof bits), "f16 changed");
    tg_array_list_free(&list);
    size_t n;
    uint8_t *file = io_test_read(path, &n);
    CHECK(t, file && n > 200 && memmem(file, n, "\"dtype\":\"BF16\"", 14), "the header does not say BF16");
    CHECK(t, file && memmem(file, n, "\"dtype\":\"F16\"", 13), "the header does not say F16");
    free(file);
}

int tg_test_model_file(FILE *out) {
    io_test t;
    if (!io_test_begin(&t, out)) return t.failures;
    test_round_trip(&t);
    test_other_order(&t);
    test_16_bit_floats(&t);
    test_misfits(&t);
    test_arguments(&t);
    test_faults(&t);
    test_damage(&t);
    return io_test_end(&t);
}

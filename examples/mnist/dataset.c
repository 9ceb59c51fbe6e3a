#define _POSIX_C_SOURCE 200809L
#include "dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <tapegrad.h>

#include "digits.h"

enum { DRAWN_TRAIN = 12000, DRAWN_TEST = 2000, PATH_BYTES = 4096 };
enum { TRAIN_SEED = 1, TEST_SEED = 2 };

static int64_t at_most(int64_t n, int64_t limit) { return limit > 0 && limit < n ? limit : n; }

static bool reserve(dataset *d, int64_t n) {
    d->n = n;
    d->images = malloc((size_t)n * DIGIT_PIXELS);
    d->labels = malloc((size_t)n);
    if (d->images && d->labels) return true;
    fprintf(stderr, "out of memory for %lld images\n", (long long)n);
    return false;
}

static void release(dataset *d) {
    free(d->images);
    free(d->labels);
}

void digits_free(digit_sets *d) {
    release(&d->train);
    release(&d->test);
}

bool digits_draw(digit_sets *d, int64_t limit) {
    if (!reserve(&d->train, at_most(DRAWN_TRAIN, limit)) || !reserve(&d->test, at_most(DRAWN_TEST, limit / 6))) return false;
    draw_digits(TRAIN_SEED, d->train.n, d->train.images, d->train.labels);
    draw_digits(TEST_SEED, d->test.n, d->test.images, d->test.labels);
    return true;
}

/* ------------------------------------------------------------------ files */

typedef struct idx_pair {
    tg_blob images, labels;
} idx_pair;

static bool exists(const char *path) {
    struct stat s;
    return stat(path, &s) == 0;
}

/* The plain file, or else the compressed one. */
static bool find_idx(char *path, const char *folder, const char *name) {
    int n = snprintf(path, PATH_BYTES, "%s/%s", folder, name);
    if (n < 0 || n + 4 > PATH_BYTES) return false;
    if (!exists(path)) strcat(path, ".gz");
    return exists(path);
}

static bool read_idx(const char *folder, const char *name, tg_blob *out) {
    char path[PATH_BYTES];
    tg_file_error e;
    if (!find_idx(path, folder, name)) {
        fprintf(stderr, "%s: neither %s nor %s.gz is there\n", folder, name, name);
        return false;
    }
    if (tg_read_idx(path, out, &e)) fprintf(stderr, "%s\n", e.message);
    return e.status == TG_OK;
}

static bool check_pair(const char *folder, const char *part, const idx_pair *p) {
    const tg_blob *x = &p->images, *y = &p->labels;
    const uint8_t *labels = y->data;
    const char *fault = NULL;
    if (x->dtype != TG_U8 || x->shape.rank != 3 || x->shape.dims[1] != DIGIT_SIDE || x->shape.dims[2] != DIGIT_SIDE)
        fault = "the images are not 28 by 28 bytes";
    else if (y->dtype != TG_U8 || y->shape.rank != 1)
        fault = "the labels are not one byte each";
    else if (x->shape.dims[0] != y->shape.dims[0])
        fault = "there are not as many images as labels";
    else if (x->shape.dims[0] < 10)
        fault = "there are fewer than 10 images";
    for (int64_t i = 0; !fault && i < y->shape.dims[0]; i++)
        if (labels[i] >= CLASSES) fault = "a label is above 9";
    if (fault) fprintf(stderr, "%s: %s files: %s\n", folder, part, fault);
    return !fault;
}

static bool read_pair(const char *folder, const char *part, idx_pair *p) {
    char images[64], labels[64];
    snprintf(images, sizeof images, "%s-images-idx3-ubyte", part);
    snprintf(labels, sizeof labels, "%s-labels-idx1-ubyte", part);
    return read_idx(folder, images, &p->images) && read_idx(folder, labels, &p->labels) && check_pair(folder, part, p);
}

static bool copy_rows(dataset *d, const idx_pair *p, int64_t first, int64_t n) {
    if (!reserve(d, n)) return false;
    memcpy(d->images, (const uint8_t *)p->images.data + first * DIGIT_PIXELS, (size_t)n * DIGIT_PIXELS);
    memcpy(d->labels, (const uint8_t *)p->labels.data + first, (size_t)n);
    return true;
}

static bool has_part(const char *folder, const char *part) {
    char path[PATH_BYTES], name[64];
    snprintf(name, sizeof name, "%s-images-idx3-ubyte", part);
    return find_idx(path, folder, name);
}

static bool read_both(digit_sets *d, const char *folder, int64_t limit, idx_pair *train, idx_pair *test) {
    bool split = !has_part(folder, "train");
    if (!read_pair(folder, "t10k", test) || (!split && !read_pair(folder, "train", train))) return false;
    int64_t n_test = test->labels.shape.dims[0];
    int64_t n_train = split ? n_test * 4 / 5 : train->labels.shape.dims[0], first = split ? n_train : 0;
    return copy_rows(&d->train, split ? test : train, 0, at_most(n_train, limit)) &&
           copy_rows(&d->test, test, first, at_most(n_test - first, limit / 6));
}

bool digits_read(digit_sets *d, const char *folder, int64_t limit) {
    struct stat s;
    if (stat(folder, &s) || !S_ISDIR(s.st_mode)) {
        fprintf(stderr, "DATA=%s: %s\n", folder, exists(folder) ? "not a folder" : strerror(errno));
        return false;
    }
    idx_pair train = {0}, test = {0};
    bool ok = read_both(d, folder, limit, &train, &test);
    tg_blob_free(&train.images);
    tg_blob_free(&train.labels);
    tg_blob_free(&test.images);
    tg_blob_free(&test.labels);
    return ok;
}

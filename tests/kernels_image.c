/* tests/kernels_image.c: products with the patches of an image, packed straight from it, against products with the same patches
 * as a matrix in memory: bit for bit, in every instruction set. */
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

typedef struct example {
    const char *name;
    int64_t channels, rows;
    tg__image image; /* strides are filled in */
} example;

/* size, positions, taps, position step, tap step, offset; the first of four axes is always 1 */
#define AXES_OF(s1, s2, s3, p1, p2, p3, k1, k2, k3, ps1, ps2, ps3, ks1, ks2, ks3, o1, o2, o3)                   \
    {                                                                                                           \
        .size = {1, s1, s2, s3}, .at = {1, p1, p2, p3}, .taps = {1, k1, k2, k3}, .at_step = {1, ps1, ps2, ps3}, \
        .tap_step = {1, ks1, ks2, ks3}, .offset = {                                                             \
            0,                                                                                                  \
            o1,                                                                                                 \
            o2,                                                                                                 \
            o3                                                                                                  \
        }                                                                                                       \
    }

static const example examples[] = {
    {"3 x 3, padded", 5, 9, AXES_OF(1, 14, 14, 1, 14, 14, 1, 3, 3, 1, 1, 1, 1, 1, 1, 0, -1, -1)},
    {"wide rows", 2, 13, AXES_OF(1, 5, 61, 1, 5, 61, 1, 3, 3, 1, 1, 1, 1, 1, 1, 0, -1, -1)},
    {"narrow rows", 7, 20, AXES_OF(1, 9, 3, 1, 9, 3, 1, 3, 3, 1, 1, 1, 1, 1, 1, 0, -1, -1)},
    {"strided", 4, 6, AXES_OF(1, 17, 19, 1, 9, 10, 1, 3, 3, 1, 2, 2, 1, 1, 1, 0, -1, -1)},
    {"turned taps", 3, 8, AXES_OF(1, 9, 11, 1, 11, 13, 1, 3, 3, 1, 1, 1, 1, -1, -1, 0, 0, 0)},
    {"dilated, far padding", 2, 5, AXES_OF(1, 8, 8, 1, 12, 12, 1, 3, 3, 1, 1, 1, 1, 3, 3, 0, -5, -5)},
    {"three axes", 2, 7, AXES_OF(4, 5, 6, 4, 3, 6, 3, 2, 3, 1, 2, 1, 1, 1, 1, -1, 0, -1)},
    {"one position", 40, 3, AXES_OF(1, 3, 3, 1, 1, 1, 1, 3, 3, 1, 1, 1, 1, 1, 1, 0, 0, 0)},
    {"all inside", 3, 11, AXES_OF(1, 12, 21, 1, 10, 19, 1, 3, 3, 1, 1, 1, 1, 1, 1, 0, 0, 0)},
    {"all inside, turned, three axes", 2, 6, AXES_OF(4, 9, 9, 3, 4, 8, 2, 3, 2, 1, 2, 1, -1, -1, 1, 1, 2, 0)},
    {"small in all", 2, 3, AXES_OF(1, 4, 4, 1, 3, 3, 1, 2, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0)},
    {"few rows of many positions", 3, 2, AXES_OF(1, 20, 20, 1, 20, 20, 1, 5, 5, 1, 1, 1, 1, 1, 1, 0, -2, -2)},
    {"a long inner sum", 60, 6, AXES_OF(1, 12, 12, 1, 12, 12, 1, 5, 5, 1, 1, 1, 1, 1, 1, 0, -2, -2)},
};
enum { IMAGES = 3 };

static int64_t product_of(const int64_t *dims) {
    int64_t n = 1;
    for (int a = 0; a < TG__IMAGE_AXES; a++) n *= dims[a];
    return n;
}

static bool same_bytes(const void *a, const void *b, size_t size) { return memcmp(a, b, size) == 0; }

static void put(void *p, tg_dtype d, int64_t i, double x) {
    if (d == TG_F64)
        ((double *)p)[i] = x;
    else
        ((float *)p)[i] = (float)x;
}
static double get(const void *p, tg_dtype d, int64_t i) { return d == TG_F64 ? ((const double *)p)[i] : ((const float *)p)[i]; }

/* out (channels taps x positions), or its transpose. */
static void make_patches(void *out, const void *x, tg_dtype d, const tg__image *m, int64_t channels) {
    int64_t taps = product_of(m->taps), positions = product_of(m->at);
    for (int64_t lane = 0; lane < channels * taps; lane++) {
        for (int64_t p = 0; p < positions; p++) {
            int64_t tap = lane % taps, at = p, from = lane / taps * m->channel;
            bool inside = true;
            for (int a = TG__IMAGE_AXES - 1; a >= 0; a--) {
                int64_t i = at % m->at[a] * m->at_step[a] + tap % m->taps[a] * m->tap_step[a] + m->offset[a];
                inside = inside && i >= 0 && i < m->size[a];
                from += i * m->stride[a];
                at /= m->at[a], tap /= m->taps[a];
            }
            put(out, d, m->columns_are_positions ? lane * positions + p : p * channels * taps + lane,
                inside ? get(x, d, from) : 0);
        }
    }
}

static void *numbers(int64_t n, tg_dtype d) {
    static uint64_t state = 7;
    void *p = malloc((size_t)n * 8);
    for (int64_t i = 0; p && i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        put(p, d, i, (double)(int32_t)(state >> 40) / 8388608 - 1);
    }
    return p;
}

static void compare(const example *e, const tg__kernels *set, tg_dtype d, bool columns_are_positions, int threads) {
    tg__image m = e->image;
    int64_t step = 1;
    for (int a = TG__IMAGE_AXES - 1; a >= 0; a--) m.stride[a] = step, step *= m.size[a];
    m.channel = step;
    m.columns_are_positions = columns_are_positions;
    int64_t taps = e->channels * product_of(m.taps), positions = product_of(m.at), image = e->channels * step;
    tg__gemm g = {.m = e->rows, .pairs = IMAGES, .batch = 1, .a_cs = 1, .threads = threads};
    g.n = columns_are_positions ? positions : taps;
    g.k = columns_are_positions ? taps : positions;
    g.a_rs = g.k, g.b_rs = g.c_rs = g.n, g.b_cs = 1;
    size_t size = tg_dtype_size(d), bytes = (size_t)(g.m * g.n) * size;
    char *x = numbers(IMAGES * image, d), *a = numbers(IMAGES * g.m * g.k, d), *b = malloc((size_t)(IMAGES * g.n * g.k) * size);
    char *got = malloc(bytes), *want = malloc(bytes);
    g.scratch = aligned_alloc(64, (tg__gemm_scratch(d, g.m, g.n, g.k, IMAGES, 1, threads) + 64) / 64 * 64 + 64);
    const void *as[IMAGES], *bs[IMAGES], *xs[IMAGES];
    for (int i = 0; i < IMAGES; i++) {
        as[i] = a + (size_t)(i * g.m * g.k) * size;
        bs[i] = b + (size_t)(i * g.n * g.k) * size;
        xs[i] = x + (size_t)(i * image) * size;
        make_patches(b + (size_t)(i * g.n * g.k) * size, xs[i], d, &m, e->channels);
    }
    void (*multiply)(const tg__gemm *) = d == TG_F32 ? set->gemm_f32 : set->gemm_f64;
    g.a = as, g.b = bs, g.c = want;
    multiply(&g);
    g.b = xs, g.c = got, g.b_image = &m, g.b_rs = g.b_cs = -1;
    multiply(&g);
    CHECK(same_bytes(got, want, bytes), "%s: set %d, %s, %s, %d threads: the bits differ", e->name, (int)set->isa,
          tg_dtype_name(d), columns_are_positions ? "positions" : "channels", threads);
    free(x), free(a), free(b), free(got), free(want), free(g.scratch);
}

TEST(kernels, patches_packed_from_an_image_are_those_of_a_matrix) {
    for (int level = 0; level < TG_ISA_COUNT; level++) {
        const tg__kernels *set = tg__kernels_of((tg_isa_level)level);
        for (size_t i = 0; set && i < sizeof examples / sizeof *examples; i++)
            for (int way = 0; way < 8; way++) compare(&examples[i], set, way & 1 ? TG_F64 : TG_F32, way & 2, way & 4 ? 2 : 1);
    }
}

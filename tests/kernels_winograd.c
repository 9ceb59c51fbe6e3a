/* tests/kernels_winograd.c: Winograd's convolutions against plain sums in f64: how far off they are, the same bits for any
 * number of threads, and what they say of results that are not finite; in every instruction set. */
#include "kernels/winograd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

#include "tests/test.h"

typedef struct example {
    int64_t images, groups, in, out, size[2], padding[2];
} example;

static const example examples[] = {
    {4, 1, 16, 16, {14, 14}, {1, 1}}, {3, 1, 40, 21, {15, 17}, {1, 1}}, {2, 1, 33, 32, {9, 13}, {0, 0}},
    {8, 2, 16, 24, {8, 7}, {2, 1}},   {33, 1, 18, 17, {4, 4}, {1, 1}},  {1, 1, 300, 16, {12, 60}, {0, 1}},
    {2, 1, 16, 35, {62, 34}, {1, 2}}, {9, 2, 460, 135, {4, 4}, {1, 1}}, /* weights in slices */
};

enum { RESULT, IMAGE, WEIGHTS, WAYS };

typedef struct arrays {
    int64_t xs, ws, gs; /* how many */
    float *x, *w, *g;
} arrays;

static float *numbers(int64_t n) {
    static uint64_t state = 11;
    float *p = malloc((size_t)n * sizeof *p);
    for (int64_t i = 0; p && i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        p[i] = (float)((double)(int32_t)(state >> 33) / 1073741824 - 1);
    }
    return p;
}

static void free_arrays(arrays *a) { free(a->x), free(a->w), free(a->g); }

static int64_t results_of(const example *e, int axis) { return e->size[axis] + 2 * e->padding[axis] - 2; }

static arrays arrays_of(const example *e) {
    arrays a = {.xs = e->images * e->groups * e->in * e->size[0] * e->size[1], .ws = e->groups * e->in * e->out * 9};
    a.gs = e->images * e->groups * e->out * results_of(e, 0) * results_of(e, 1);
    a.x = numbers(a.xs), a.w = numbers(a.ws), a.g = numbers(a.gs);
    return a;
}

/* The terms of group `group`'s channels o and c, added to the result of `way`, in f64. */
static void add_terms(const example *e, const arrays *a, int way, double *out, int64_t group, int64_t o, int64_t c) {
    int64_t tall = results_of(e, 0), wide = results_of(e, 1);
    for (int64_t n = 0; n < e->images; n++) {
        int64_t x = ((n * e->groups + group) * e->in + c) * e->size[0] * e->size[1];
        int64_t g = ((n * e->groups + group) * e->out + o) * tall * wide, w = ((group * e->out + o) * e->in + c) * 9;
        for (int64_t p = 0; p < tall * wide * 9; p++) {
            int64_t tap = p % 9, at = p / 9, i = at / wide + tap / 3 - e->padding[0], j = at % wide + tap % 3 - e->padding[1];
            if (i < 0 || j < 0 || i >= e->size[0] || j >= e->size[1]) continue;
            int64_t from = x + i * e->size[1] + j;
            if (way == RESULT) out[g + at] += (double)a->x[from] * a->w[w + tap];
            if (way == IMAGE) out[from] += (double)a->g[g + at] * a->w[w + tap];
            if (way == WEIGHTS) out[w + tap] += (double)a->x[from] * a->g[g + at];
        }
    }
}

static tg__winograd call_of(const example *e, const arrays *a, int way, int threads) {
    tg__winograd k = {.w = a->w, .g = a->g, .images = e->images, .groups = e->groups, .threads = threads};
    bool back = way == IMAGE;
    k.x = back ? a->g : a->x, k.turned = back;
    k.in = back ? e->out : e->in, k.out = back ? e->in : e->out;
    k.w_in = back ? e->in * 9 : 9, k.w_out = back ? 9 : e->in * 9;
    for (int i = 0; i < 2; i++) {
        k.size[i] = back ? results_of(e, i) : e->size[i];
        k.at[i] = back ? e->size[i] : results_of(e, i);
        k.padding[i] = back ? 2 - e->padding[i] : e->padding[i];
    }
    return k;
}

static bool run(const tg__kernels *set, const example *e, const arrays *a, int way, int threads, float *y) {
    tg__winograd k = call_of(e, a, way, threads);
    size_t bytes = way == WEIGHTS ? tg__winograd_weights_scratch(&k) : tg__winograd_scratch(&k);
    k.y = y, k.scratch = aligned_alloc(64, (bytes + 63) / 64 * 64);
    memset(k.scratch, 0xff, bytes); /* NaN */
    bool finite = way == WEIGHTS ? set->winograd_weights(&k) : set->winograd(&k);
    free(k.scratch);
    return finite;
}

/* Root mean square of y - want, relative to that of want. */
static double error_of(const float *y, const double *want, int64_t n) {
    double off = 0, all = 0;
    for (int64_t i = 0; i < n; i++) off += ((double)y[i] - want[i]) * ((double)y[i] - want[i]), all += want[i] * want[i];
    return sqrt(off / all);
}

static void compare(const tg__kernels *set, const example *e, int number, int way, arrays *a) {
    int64_t n = way == RESULT ? a->gs : way == IMAGE ? a->xs : a->ws;
    double *want = calloc((size_t)n, sizeof *want);
    float *y = malloc((size_t)n * sizeof *y), *again = malloc((size_t)n * sizeof *again);
    for (int64_t i = 0; i < e->groups * e->out * e->in; i++)
        add_terms(e, a, way, want, i / e->out / e->in, i / e->in % e->out, i % e->in);
    CHECK(run(set, e, a, way, 1, y), "example %d, way %d: not finite", number, way);
    double error = error_of(y, want, n);
    CHECK(error < 2e-6, "set %d, example %d, way %d: an error of %.2e", (int)set->isa, number, way, error);
    for (int threads = 2; threads <= 5; threads += 3) {
        run(set, e, a, way, threads, again);
        CHECK(memcmp(y, again, (size_t)n * sizeof *y) == 0, "example %d, way %d: other bits with %d threads", number, way,
              threads);
    }
    a->x[1] = INFINITY, a->g[1] = NAN;
    CHECK(!run(set, e, a, way, 2, again), "example %d, way %d: infinity is not seen", number, way);
    a->x[1] = a->g[1] = 1;
    free(want), free(y), free(again);
}

TEST(kernels, winograd_is_near_the_plain_sum) {
    for (int level = 0; level < TG_ISA_COUNT; level++) {
        const tg__kernels *set = tg__kernels_of((tg_isa_level)level);
        for (int i = 0; set && i < (int)(sizeof examples / sizeof *examples); i++)
            for (int way = 0; way < WAYS; way++) {
                arrays a = arrays_of(&examples[i]);
                compare(set, &examples[i], i, way, &a);
                free_arrays(&a);
            }
    }
}

/* The public op: an infinity reaches the windows that hold it, and no other. */
TEST(kernels, winograd_leaves_infinities_where_they_are) {
    enum { C = 16, N = 16 };
    float *x = numbers(C * N * N), *w = numbers(C * C * 9);
    x[5 * N + 5] = INFINITY;
    tg_tape *t = tg_tape_new();
    tg_tensor y = tg_conv2d(tg_input(t, tg_f32(x, TG_SHAPE(1, C, N, N))), tg_input(t, tg_f32(w, TG_SHAPE(C, C, 3, 3))),
                            (tg_conv_config){.padding = {1, 1}});
    const float *out = tg_data(y);
    for (int64_t i = 0; CHECK(out, "%s", tg_message(t)) && i < C * N * N; i++) {
        bool seen = labs(i % N - 5) <= 1 && labs(i / N % N - 5) <= 1;
        CHECK((bool)isfinite(out[i]) != seen, "element %d is %g", (int)i, (double)out[i]);
    }
    tg_tape_free(t);
    free(x), free(w);
}

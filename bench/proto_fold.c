/* bench/proto_fold.c: what the fixed order of sums costs (docs/design.md, bits). The same numbers are summed in the fixed
 * order, leaf by leaf, and in free order, with as many accumulators as keep the adder busy. One JSON line per case. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "kernels/kernels.h"

#define REPEATS 31

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static float fixed_order(const float *x, int64_t n, float *leaves) {
    const tg__fold_fns *sum = tg__kernels_get()->fold[TG__SUM][TG_F32];
    int64_t m = 0;
    float total;
    for (int64_t i = 0; i < n; i += TG__FOLD_LEAF, m++) {
        const int64_t left = n - i;
        sum->leaf(x + i, left < TG__FOLD_LEAF ? left : TG__FOLD_LEAF, leaves + m);
    }
    sum->combine(leaves, m, &total);
    return total;
}

typedef float vec __attribute__((vector_size(32), aligned(4)));

#if defined(__x86_64__)
__attribute__((target("avx2")))
#endif
static float free_order(const float *x, int64_t n, float *leaves) {
    (void)leaves;
    vec s[8] = {{0}};
    int64_t i = 0;
    for (; i + 64 <= n; i += 64)
        for (int v = 0; v < 8; v++) s[v] += *(const vec *)(x + i + 8 * v);
    float total = 0;
    for (int v = 0; v < 8; v++)
        for (int l = 0; l < 8; l++) total += s[v][l];
    for (; i < n; i++) total += x[i];
    return total;
}

static int ascending(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef float sum_fn(const float *x, int64_t n, float *leaves);

static void time_sum(const char *name, sum_fn *sum, const float *x, int64_t n, float *leaves) {
    double seconds[REPEATS];
    volatile float sink = 0;
    const int64_t calls = n < 4000000 ? 4000000 / n : 1;
    for (int r = 0; r < REPEATS; r++) {
        const double start = now();
        for (int64_t c = 0; c < calls; c++) sink = sink + sum(x, n, leaves);
        seconds[r] = (now() - start) / (double)calls * 1e9;
    }
    qsort(seconds, REPEATS, sizeof *seconds, ascending);
    printf("{\"name\": \"%s_%lld\", \"threads\": 1, \"median\": %.2f, \"min\": %.2f, \"unit\": \"ns\"}\n", name, (long long)n,
           seconds[REPEATS / 2], seconds[0]);
}

int main(void) {
    const int64_t sizes[] = {1, 4, 10, 31, 32, 64, 100, 1000, 1024, 10000, 100000, 1000000, 10000000}, most = 10000000;
    float *x = malloc((size_t)most * sizeof *x), *leaves = malloc((size_t)(most / TG__FOLD_LEAF + 1) * sizeof *leaves);
    if (!x || !leaves) return 1;
    for (int64_t i = 0; i < most; i++) x[i] = (float)(i % 1000) * 1e-3f;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        time_sum("sum_fixed_order", fixed_order, x, sizes[i], leaves);
        time_sum("sum_free_order", free_order, x, sizes[i], leaves);
    }
    free(x);
    free(leaves);
    return 0;
}

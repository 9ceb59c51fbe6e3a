/* The limits of the machine, measured when first needed: multiply-adds on registers, streams through each level of memory. */
#define _DEFAULT_SOURCE
#include "bench.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#define TARGET(x) __attribute__((target(x)))
#else
#define TARGET(x)
#endif

/* ------------------------------------------------------------------ operations */

#define CHAINS 12 /* more than latency times units, less than registers */
#define ROUNDS 20000

/* A loop for each width of vectors. Its results go somewhere, so that it is not removed. */
#define MULTIPLY_ADD(name, target, bytes, LANES, MADD)                                   \
    typedef float name##_lanes __attribute__((vector_size(bytes)));                      \
    TARGET(target) static void name(float *sink) {                                       \
        name##_lanes acc[CHAINS], x, y;                                                  \
        for (int l = 0; l < LANES; l++) x[l] = 1, y[l] = 1e-9f;                          \
        for (int i = 0; i < CHAINS; i++) acc[i] = x * (float)i;                          \
        for (int k = 0; k < ROUNDS; k++)                                                 \
            for (int i = 0; i < CHAINS; i++)                                             \
                for (int l = 0; l < LANES; l++) acc[i][l] = MADD(acc[i][l], x[l], y[l]); \
        for (int i = 1; i < CHAINS; i++) acc[0] += acc[i];                               \
        memcpy(sink, &acc[0], sizeof *sink);                                             \
    }
#define APART(a, x, y) ((a) * (x) + (y))
MULTIPLY_ADD(madd_baseline, "sse2", 16, 4, APART)
MULTIPLY_ADD(madd_avx2, "avx2,fma", 32, 8, __builtin_fmaf)
MULTIPLY_ADD(madd_avx512, "avx512f,prefer-vector-width=512", 64, 16, __builtin_fmaf)

typedef struct loop {
    void (*run)(float *sink);
    int lanes;
} loop;

static loop widest(void) {
    if (strcmp(tg_isa(), "avx512") == 0) return (loop){madd_avx512, 16};
    if (strcmp(tg_isa(), "avx2") == 0) return (loop){madd_avx2, 8};
    return (loop){madd_baseline, 4};
}

static volatile float sunk;

static double flops_per_second(void) {
    loop l = widest();
    double best = 0;
    for (int r = 0; r < 10; r++) {
        double start = bench_now();
#pragma omp parallel num_threads(bench_threads)
        {
            float sink;
            for (int i = 0; i < 5; i++) l.run(&sink);
            if (omp_get_thread_num() == 0) sunk = sink;
        }
        double rate = 5.0 * ROUNDS * CHAINS * l.lanes * 2 * bench_threads / (bench_now() - start);
        if (rate > best) best = rate;
    }
    return best;
}

/* ------------------------------------------------------------------ streams */

static void triad(float *restrict a, const float *restrict b, const float *restrict c, size_t n) {
    for (size_t i = 0; i < n; i++) a[i] = b[i] + 3 * c[i];
}

#if defined(__x86_64__)
#include <immintrin.h>
static void triad_past_caches(float *a, const float *b, const float *c, size_t n) {
    for (size_t i = 0; i + 4 <= n; i += 4)
        _mm_stream_ps(a + i, _mm_add_ps(_mm_load_ps(b + i), _mm_mul_ps(_mm_set1_ps(3), _mm_load_ps(c + i))));
    _mm_sfence();
}
TARGET("avx2") static void triad_wide(float *a, const float *b, const float *c, size_t n) {
    for (size_t i = 0; i + 8 <= n; i += 8)
        _mm256_store_ps(a + i, _mm256_add_ps(_mm256_load_ps(b + i), _mm256_mul_ps(_mm256_set1_ps(3), _mm256_load_ps(c + i))));
}
#else
#define triad_past_caches triad
#define triad_wide triad
#endif

typedef void stream_fn(float *a, const float *b, const float *c, size_t n);

/* n floats in each of the three arrays for each thread; how often, for some milliseconds. */
static double stream_rate(stream_fn *stream, float *memory, size_t n, int times) {
    double start = bench_now();
#pragma omp parallel num_threads(bench_threads)
    {
        float *a = memory + 3 * n * (size_t)omp_get_thread_num();
        for (int i = 0; i < times; i++) stream(a, a + n, a + 2 * n, n);
    }
    return 12.0 * (double)n * times * bench_threads / (bench_now() - start);
}

static double bytes_per_second(double bytes) {
    size_t n = (size_t)(bytes / 12 / bench_threads) / 64 * 64, whole = 3 * n * (size_t)bench_threads;
    float *memory = aligned_alloc(64, whole * sizeof *memory);
    if (!memory) exit(1);
#pragma omp parallel num_threads(bench_threads)
    for (size_t i = 0; i < 3 * n; i++) memory[3 * n * (size_t)omp_get_thread_num() + i] = 1;
    stream_fn *streams[] = {triad, triad_past_caches, strcmp(tg_isa(), "baseline") == 0 ? triad : triad_wide};
    int times = (int)(2e7 / bytes) + 1;
    double best = 0;
    for (int r = 0; r < 12; r++) {
        double rate = stream_rate(streams[r % 3], memory, n, times);
        if (rate > best) best = rate;
    }
    free(memory);
    return best;
}

/* ------------------------------------------------------------------ bounds */

/* What fits into each level of memory, all threads together. A case is held against the smallest that holds its bytes. */
enum { LEVELS = 4 };
static const char *const level_names[LEVELS] = {"limit_stream_l1", "limit_stream_l2", "limit_stream_l3", "limit_stream_memory"};

static double cache(int name, double otherwise) {
    long bytes = sysconf(name);
    return 0.75 * (bytes > 0 ? (double)bytes : otherwise);
}

static double level_size(int level) {
    if (level == 0) return cache(_SC_LEVEL1_DCACHE_SIZE, 32e3) * bench_threads;
    if (level == 1) return cache(_SC_LEVEL2_CACHE_SIZE, 1e6) * bench_threads;
    return cache(_SC_LEVEL3_CACHE_SIZE, 16e6) * (level == 2 ? 1 : 4);
}

static double limit_flops, limit_bytes[LEVELS];

static void measure(void) {
    if (limit_flops > 0) return;
    limit_flops = flops_per_second();
    for (int i = 0; i < LEVELS; i++) limit_bytes[i] = bytes_per_second(level_size(i));
}

double bench_bound(bench_cost c) {
    measure();
    int level = 0;
    while (level < LEVELS - 1 && c.bytes > level_size(level)) level++;
    double arithmetic = c.flops / limit_flops, traffic = c.bytes / limit_bytes[level];
    return arithmetic > traffic ? arithmetic : traffic;
}

static void emit(const char *name, double value, const char *unit) { bench_emit(name, &value, 1, unit); }

static void limits(const char *name) {
    measure();
    emit(name, limit_flops / 1e9, "GFLOP/s");
    for (int i = 0; i < LEVELS; i++) emit(level_names[i], limit_bytes[i] / 1e9, "GB/s");
}

const bench_case bench_limits[] = {{"limit_multiply_add", limits}, {0}};

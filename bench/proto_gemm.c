/* bench/proto_gemm.c: the matrix product alone, and its part of the peak. proto_gemm [substring of a case] [threads] */
#include "kernels/gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench_case {
    int64_t m, k, n, batch;
    int pairs;
    const char *layout; /* nn, tn (A transposed), nt (B transposed), tt */
    tg_dtype dtype;
} bench_case;

static const bench_case cases[] = {
    {8, 8, 8, 1, 1, "nn", TG_F32},
    {16, 16, 16, 1, 1, "nn", TG_F32},
    {16, 16, 16, 1, 1, "nt", TG_F32},
    {16, 16, 16, 1, 1, "tn", TG_F32},
    {24, 24, 24, 1, 1, "nn", TG_F32},
    {32, 32, 32, 1, 1, "nn", TG_F32},
    {32, 32, 32, 1, 1, "nt", TG_F32},
    {32, 32, 32, 1, 1, "tn", TG_F32},
    {48, 48, 48, 1, 1, "nn", TG_F32},
    {64, 64, 64, 1, 1, "nn", TG_F32},
    {64, 64, 64, 1, 1, "nt", TG_F32},
    {64, 64, 64, 1, 1, "tn", TG_F32},
    {64, 64, 64, 1, 1, "nn", TG_F64},
    {100, 100, 100, 1, 1, "nn", TG_F32},
    {128, 128, 128, 1, 1, "nn", TG_F32},
    {128, 128, 128, 1, 1, "nt", TG_F32},
    {128, 128, 128, 1, 1, "tn", TG_F32},
    {256, 256, 256, 1, 1, "nn", TG_F32},
    {512, 512, 512, 1, 1, "nn", TG_F32},
    {512, 512, 512, 1, 1, "nn", TG_F64},
    {512, 512, 512, 1, 1, "tn", TG_F32},
    {512, 512, 512, 1, 1, "nt", TG_F32},
    {1024, 1024, 1024, 1, 1, "nn", TG_F32},
    {64, 784, 256, 1, 1, "nn", TG_F32},
    {784, 64, 256, 1, 1, "tn", TG_F32},
    {64, 256, 784, 1, 1, "nt", TG_F32},
    {64, 256, 128, 1, 1, "nn", TG_F32},
    {64, 256, 10, 1, 1, "nn", TG_F32},
    {256, 64, 10, 1, 1, "tn", TG_F32},
    {64, 10, 256, 1, 1, "nt", TG_F32},
    {32, 128, 1024, 1, 1, "nn", TG_F32},
    {32, 256, 1024, 1, 1, "nn", TG_F32},
    {32, 1024, 256, 1, 1, "nt", TG_F32},
    {256, 32, 1024, 1, 32, "tn", TG_F32},
    {128, 64, 128, 32, 1, "nn", TG_F32},
    {128, 128, 64, 32, 1, "nt", TG_F32},
    {64, 128, 128, 32, 1, "tn", TG_F32},
    {16, 16, 16, 256, 1, "nn", TG_F32},
    {64, 64, 64, 64, 1, "nn", TG_F32},
    {1024, 256, 1024, 1, 1, "nn", TG_F32},
    {1024, 1024, 256, 1, 1, "nt", TG_F32},
    {256, 1024, 1024, 1, 1, "tn", TG_F32},
    {4, 16, 16, 1, 1, "nn", TG_F32},
    {4, 16, 16, 1, 1, "nt", TG_F32},
    {16, 4, 16, 1, 1, "tn", TG_F32},
    {4, 2, 16, 1, 1, "nn", TG_F32},
    {4, 16, 1, 1, 1, "nn", TG_F32},
    {6, 50176, 25, 1, 1, "nn", TG_F32},
    {6, 50176, 25, 1, 1, "nt", TG_F32},
    {16, 50176, 150, 1, 1, "nt", TG_F32},
    {1, 4096, 4096, 1, 1, "nn", TG_F32},
    {4096, 4096, 1, 1, 1, "nn", TG_F32},
    {4, 4096, 4096, 1, 1, "nn", TG_F32},
    {8, 4096, 4096, 1, 1, "nn", TG_F32},
    {16, 4096, 4096, 1, 1, "nn", TG_F32},
    {16, 4096, 4096, 1, 1, "nt", TG_F32},
    {1, 256, 256, 1, 1, "nn", TG_F32},
    {256, 256, 1, 1, 1, "nn", TG_F32},
    {1, 1024, 1024, 1, 1, "nn", TG_F32},
    {1, 1024, 1024, 1, 1, "nt", TG_F32},
    {1024, 1, 1024, 1, 1, "tn", TG_F32},
    {8, 1024, 1024, 1, 1, "nn", TG_F32},
    {8, 1024, 1024, 1, 1, "nt", TG_F32},
    {1024, 8, 1024, 1, 1, "tn", TG_F32},
    {1024, 1024, 8, 1, 1, "nn", TG_F32},
    {1024, 8, 1024, 1, 1, "nt", TG_F32},
    {1024, 1024, 8, 1, 1, "tn", TG_F32},
    {6, 25, 50176, 1, 1, "nt", TG_F32},
    {50176, 6, 25, 1, 1, "tn", TG_F32},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static void fill(void *p, int64_t n, tg_dtype d) {
    for (int64_t i = 0; i < n; i++) {
        double x = (double)(i * 7919 % 1009) / 1009 - 0.5;
        if (d == TG_F32) ((float *)p)[i] = (float)x;
        else ((double *)p)[i] = x;
    }
}

static void *zeroed(int64_t bytes) { return calloc((size_t)bytes / 64 + 1, 64); }

static void *aligned(int64_t bytes) {
    size_t size = ((size_t)bytes / 64 + 1) * 64;
    void *p = aligned_alloc(64, size);
    if (p) memset(p, 0, size);
    return p;
}

typedef void gemm_fn(const tg__gemm *g);

static gemm_fn *kernel(tg_dtype d) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        return d == TG_F32 ? tg__gemm_f32_avx512 : tg__gemm_f64_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return d == TG_F32 ? tg__gemm_f32_avx2 : tg__gemm_f64_avx2;
#endif
    return d == TG_F32 ? tg__gemm_f32_any : tg__gemm_f64_any;
}

#define SAMPLES 15

static double median_ns(void (*fn)(const void *ctx), const void *ctx, double guess_ns) {
    double samples[SAMPLES];
    int64_t repeat = (int64_t)(4e6 / guess_ns / SAMPLES) + 1;
    fn(ctx);
    for (int s = 0; s < SAMPLES; s++) {
        double start = now();
        for (int64_t r = 0; r < repeat; r++) fn(ctx);
        samples[s] = (now() - start) / (double)repeat * 1e9;
    }
    qsort(samples, SAMPLES, sizeof *samples, by_value);
    return samples[SAMPLES / 2];
}

/* The most that one core does: multiply-adds on registers only. */
typedef float lanes __attribute__((vector_size(32)));
#define CHAINS 12
#define LENGTH 1000

#if defined(__x86_64__)
__attribute__((target("avx2,fma")))
#endif
static void
peak_loop(const void *ctx) {
    volatile float sink;
    (void)ctx;
    lanes acc[CHAINS], x = {1.0f, 1, 1, 1, 1, 1, 1, 1}, y = x * 1e-9f;
    for (int i = 0; i < CHAINS; i++) acc[i] = x * (float)i;
    for (int k = 0; k < LENGTH; k++)
        for (int i = 0; i < CHAINS; i++)
            for (int l = 0; l < 8; l++) acc[i][l] = __builtin_fmaf(acc[i][l], x[l], y[l]);
    for (int i = 1; i < CHAINS; i++) acc[0] += acc[i];
    sink = acc[0][0];
    (void)sink;
}

static double peak_gflops(void) { return CHAINS * 16.0 * LENGTH / median_ns(peak_loop, NULL, CHAINS * LENGTH / 4.0); }

typedef struct call {
    tg__gemm g;
    gemm_fn *fn;
} call;

static void run_call(const void *ctx) {
    const call *c = ctx;
    c->fn(&c->g);
}

/* Matrices of the batch and pairs lie one after the other, those of a pair of the whole batch first. */
static bool run(const bench_case *c, int threads, double peak) {
    enum { PAIRS = 64, BATCH = 256 };
    int64_t size = (int64_t)tg_dtype_size(c->dtype), one_a = c->m * c->k, one_b = c->k * c->n, one_c = c->m * c->n;
    char *a = zeroed(one_a * c->batch * c->pairs * size), *b = zeroed(one_b * c->batch * c->pairs * size);
    char *out = zeroed(one_c * c->batch * size);
    void *scratch = aligned((int64_t)tg__gemm_scratch(c->dtype, c->m, c->n, c->k, c->pairs, c->batch, threads));
    bool fine = a && b && out && scratch;
    if (fine) {
        fill(a, one_a * c->batch * c->pairs, c->dtype);
        fill(b, one_b * c->batch * c->pairs, c->dtype);
        const void *as[PAIRS], *bs[PAIRS];
        int64_t offsets[3][BATCH];
        for (int p = 0; p < c->pairs; p++) as[p] = a + p * one_a * c->batch * size, bs[p] = b + p * one_b * c->batch * size;
        for (int64_t i = 0; i < c->batch; i++) offsets[0][i] = i * one_a, offsets[1][i] = i * one_b, offsets[2][i] = i * one_c;
        bool at = c->layout[0] == 't', bt = c->layout[1] == 't';
        call w = {.fn = kernel(c->dtype)};
        w.g = (tg__gemm){.m = c->m, .n = c->n, .k = c->k, .pairs = c->pairs, .batch = c->batch, .a = as, .b = bs, .c_rs = c->n,
                         .a_rs = at ? 1 : c->k, .a_cs = at ? c->m : 1, .b_rs = bt ? 1 : c->n, .b_cs = bt ? c->k : 1,
                         .a_off = offsets[0], .b_off = offsets[1], .c_off = offsets[2],
                         .c = out, .threads = threads, .scratch = scratch};
        double flops = 2.0 * (double)(one_c * c->k * c->batch * c->pairs), ns = median_ns(run_call, &w, flops / 40);
        char name[80];
        snprintf(name, sizeof name, "%s%dx%dx%d%s%s", c->batch > 1 ? "b" : "", (int)c->m, (int)c->k, (int)c->n,
                 c->pairs > 1 ? "_pairs" : "", c->dtype == TG_F64 ? "_f64" : "");
        peak *= threads * (c->dtype == TG_F64 ? 0.5 : 1);
        printf("{\"name\": \"%s_%s\", \"threads\": %d, \"median\": %.5g, \"unit\": \"us\", \"percent_of_peak\": %.1f}\n", name,
               c->layout, threads, ns / 1e3, 100 * flops / ns / peak);
        fflush(stdout);
    }
    free(a), free(b), free(out), free(scratch);
    return fine;
}

int main(int argc, char **argv) {
    double peak = peak_gflops();
    printf("{\"name\": \"peak\", \"threads\": 1, \"gflops\": %.4g}\n", peak);
    for (int threads = argc > 2 ? atoi(argv[2]) : 1; threads <= (argc > 2 ? atoi(argv[2]) : 2); threads++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            char shape[80];
            snprintf(shape, sizeof shape, "%dx%dx%d", (int)cases[i].m, (int)cases[i].k, (int)cases[i].n);
            if (argc > 1 && !strstr(shape, argv[1])) continue;
            if (!run(&cases[i], threads, peak)) return fprintf(stderr, "proto_gemm: out of memory\n"), 1;
        }
    }
    return 0;
}

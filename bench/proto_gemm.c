/* bench/proto_gemm.c: speed of the matrix product alone. proto_gemm [substring of a case] */
#include "kernels/gemm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct bench_case {
    const char *name;
    int64_t m, k, n;
    bool a_transposed, b_transposed;
    tg_dtype dtype;
} bench_case;

static const bench_case cases[] = {
    {"matmul_64", 64, 64, 64, false, false, TG_F32},
    {"matmul_128", 128, 128, 128, false, false, TG_F32},
    {"matmul_256", 256, 256, 256, false, false, TG_F32},
    {"matmul_512", 512, 512, 512, false, false, TG_F32},
    {"matmul_512_f64", 512, 512, 512, false, false, TG_F64},
    {"matmul_512_at", 512, 512, 512, true, false, TG_F32},
    {"matmul_512_bt", 512, 512, 512, false, true, TG_F32},
    {"matmul_1024", 1024, 1024, 1024, false, false, TG_F32},
    {"matmul_64x784x256", 64, 784, 256, false, false, TG_F32},
    {"matmul_784x64x256_at", 784, 64, 256, true, false, TG_F32},
    {"matmul_64x256x784_bt", 64, 256, 784, false, true, TG_F32},
    {"matmul_64x256x10", 64, 256, 10, false, false, TG_F32},
    {"matmul_256x64x10_at", 256, 64, 10, true, false, TG_F32},
    {"matmul_64x10x256_bt", 64, 10, 256, false, true, TG_F32},
    {"matmul_4x16x16", 4, 16, 16, false, false, TG_F32},
    {"matmul_4x16x16_bt", 4, 16, 16, false, true, TG_F32},
    {"matmul_16x4x16_at", 16, 4, 16, true, false, TG_F32},
    {"matmul_4x2x16", 4, 2, 16, false, false, TG_F32},
    {"matmul_4x16x1", 4, 16, 1, false, false, TG_F32},
    {"matmul_6x50176x25", 6, 50176, 25, false, false, TG_F32},
    {"matmul_6x50176x25_bt", 6, 50176, 25, false, true, TG_F32},
    {"matmul_16x50176x150_bt", 16, 50176, 150, false, true, TG_F32},
    {"matmul_1x4096x4096", 1, 4096, 4096, false, false, TG_F32},
    {"matmul_4096x4096x1", 4096, 4096, 1, false, false, TG_F32},
    {"matmul_4x4096x4096", 4, 4096, 4096, false, false, TG_F32},
    {"matmul_8x4096x4096", 8, 4096, 4096, false, false, TG_F32},
    {"matmul_16x4096x4096", 16, 4096, 4096, false, false, TG_F32},
    {"matmul_16x4096x4096_bt", 16, 4096, 4096, false, true, TG_F32},
    {"matmul_1x256x256", 1, 256, 256, false, false, TG_F32},
    {"matmul_256x256x1", 256, 256, 1, false, false, TG_F32},
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

static void measure(const char *name, const tg__gemm *g, gemm_fn *fn) {
    double flops = 2.0 * (double)g->m * (double)g->n * (double)g->k, samples[SAMPLES];
    int64_t repeat = (int64_t)(2e8 / flops / SAMPLES) + 1;
    fn(g);
    for (int s = 0; s < SAMPLES; s++) {
        double start = now();
        for (int64_t r = 0; r < repeat; r++) fn(g);
        samples[s] = (now() - start) / (double)repeat * 1e6;
    }
    qsort(samples, SAMPLES, sizeof *samples, by_value);
    double median = samples[SAMPLES / 2];
    printf("{\"name\": \"%s\", \"threads\": %d, \"median\": %.4g, \"min\": %.4g, \"unit\": \"us\", \"gflops\": %.4g}\n", name,
           g->threads, median, samples[0], flops / median / 1e3);
    fflush(stdout);
}

static bool run(const bench_case *c, int threads) {
    int64_t size = (int64_t)tg_dtype_size(c->dtype);
    void *a = zeroed(c->m * c->k * size), *b = zeroed(c->k * c->n * size), *out = zeroed(c->m * c->n * size);
    void *scratch = aligned((int64_t)tg__gemm_scratch(c->dtype, c->m, c->n, c->k, 1, 1, threads));
    bool fine = a && b && out && scratch;
    if (fine) {
        fill(a, c->m * c->k, c->dtype);
        fill(b, c->k * c->n, c->dtype);
        tg__gemm g = {.m = c->m, .n = c->n, .k = c->k, .pairs = 1, .batch = 1, .c_rs = c->n, .c = out, .threads = threads};
        g.a = (const void *const[]){a};
        g.b = (const void *const[]){b};
        g.a_rs = c->a_transposed ? 1 : c->k, g.a_cs = c->a_transposed ? c->m : 1;
        g.b_rs = c->b_transposed ? 1 : c->n, g.b_cs = c->b_transposed ? c->k : 1;
        g.scratch = scratch;
        measure(c->name, &g, kernel(c->dtype));
    }
    free(a), free(b), free(out), free(scratch);
    return fine;
}

int main(int argc, char **argv) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc > 1 && !strstr(cases[i].name, argv[1])) continue;
        for (int threads = 1; threads <= 2; threads++) {
            if (!run(&cases[i], threads)) return fprintf(stderr, "proto_gemm: out of memory\n"), 1;
        }
    }
    return 0;
}

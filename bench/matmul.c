/* Cases of matrix products. */
#include "bench.h"

#include <stdlib.h>

typedef struct product {
    tg_tape *t;
    float *a, *b, *g;
    tg_shape as, bs, gs;
    bool grad;
} product;

static void step(void *ctx) {
    product *w = ctx;
    tg_tensor xs[2] = {tg_borrow(w->t, tg_f32(w->a, w->as)), tg_borrow(w->t, tg_f32(w->b, w->bs))}, outs[3];
    outs[0] = tg_matmul(xs[0], xs[1]);
    if (w->grad) tg_vjp(outs[0], tg_borrow(w->t, tg_f32(w->g, w->gs)), xs, 2, outs + 1);
    tg_run(w->t, outs, w->grad ? 3 : 1);
    tg_tape_reset(w->t);
}

static size_t numel(tg_shape s) {
    size_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= (size_t)s.dims[i];
    return n;
}

static void time_product(const char *name, tg_shape as, tg_shape bs, tg_shape gs, bool grad) {
    product w = {bench_tape(), bench_floats(numel(as)), bench_floats(numel(bs)), bench_floats(numel(gs)), as, bs, gs, grad};
    bench_time(name, step, &w, 1, "us");
    bench_check(w.t);
    free(w.a);
    free(w.b);
    free(w.g);
    tg_tape_free(w.t);
}

#define SQUARE(n)                                                                                                           \
    static void square_##n(const char *name) { time_product(name, TG_SHAPE(n, n), TG_SHAPE(n, n), TG_SHAPE(n, n), false); } \
    static void square_##n##_grad(const char *name) {                                                                       \
        time_product(name, TG_SHAPE(n, n), TG_SHAPE(n, n), TG_SHAPE(n, n), true);                                           \
    }
SQUARE(64)
SQUARE(128)
SQUARE(256)
SQUARE(512)
SQUARE(1024)

static void batched(const char *name) {
    time_product(name, TG_SHAPE(32, 128, 64), TG_SHAPE(32, 64, 128), TG_SHAPE(32, 128, 128), true);
}
static void batched_nograd(const char *name) {
    time_product(name, TG_SHAPE(32, 128, 64), TG_SHAPE(32, 64, 128), TG_SHAPE(32, 128, 128), false);
}

/* The most that this CPU does: multiply-adds on registers only, in the widest vectors that the build was made for. */
typedef float lanes __attribute__((vector_size(32)));
#define CHAINS 10

#if defined(__x86_64__)
__attribute__((target("avx2,fma")))
#endif
static void
peak_loop(void *ctx) {
    lanes acc[CHAINS], x = {1.0f, 1, 1, 1, 1, 1, 1, 1}, y = x * 1e-9f;
    for (int i = 0; i < CHAINS; i++) acc[i] = x * (float)i;
    for (int k = 0; k < 100000; k++)
        for (int i = 0; i < CHAINS; i++)
            for (int l = 0; l < 8; l++) acc[i][l] = __builtin_fmaf(acc[i][l], x[l], y[l]);
    for (int i = 1; i < CHAINS; i++) acc[0] += acc[i];
    *(volatile float *)ctx = acc[0][0];
}

static void peak(const char *name) {
    float sink = 0;
    bench_time(name, peak_loop, &sink, 100000.0 * CHAINS * 16 / 1e3, "ns"); /* per 1000 operations: 1000 / GFLOP/s */
}

const bench_case bench_matmul[] = {
    {"matmul_64_fwdbwd", square_64_grad},     {"matmul_64_nograd", square_64},
    {"matmul_128_fwdbwd", square_128_grad},   {"matmul_128_nograd", square_128},
    {"matmul_256_fwdbwd", square_256_grad},   {"matmul_256_nograd", square_256},
    {"matmul_512_fwdbwd", square_512_grad},   {"matmul_512_nograd", square_512},
    {"matmul_1024_fwdbwd", square_1024_grad}, {"matmul_1024_nograd", square_1024},
    {"bmm_32x128x64x128_fwdbwd", batched},    {"bmm_32x128x64x128_nograd", batched_nograd},
    {"peak_avx2_1000_flops", peak},           {0},
};

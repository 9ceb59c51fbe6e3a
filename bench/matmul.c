/* Cases of matrix products: forward, one of the gradients, or all three. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

typedef struct product {
    tg_tape *t;
    float *a, *b, *g;
    tg_shape as, bs, gs;
    enum kind { FORWARD, GRADIENT_A, GRADIENT_B, ALL } kind;
} product;

static void step(void *ctx) {
    product *w = ctx;
    tg_tensor xs[2] = {tg_borrow(w->t, tg_f32(w->a, w->as)), tg_borrow(w->t, tg_f32(w->b, w->bs))}, outs[3];
    outs[0] = tg_matmul(xs[0], xs[1]);
    if (w->kind != FORWARD) tg_vjp(outs[0], tg_borrow(w->t, tg_f32(w->g, w->gs)), xs, 2, outs + 1);
    const tg_tensor *first = outs + (w->kind == ALL ? 0 : w->kind);
    int n = w->kind == ALL ? 3 : 1;
    tg_run(w->t, first, n);
    bench_end(w->t, first, n);
}

static size_t numel(tg_shape s) {
    size_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= (size_t)s.dims[i];
    return n;
}

static enum kind kind_of(const char *name) {
    const char *last = strrchr(name, '_');
    return strcmp(last, "_grada") == 0 ? GRADIENT_A : strcmp(last, "_gradb") == 0 ? GRADIENT_B :
           strcmp(last, "_fwdbwd") == 0 ? ALL : FORWARD;
}

static void time_product(const char *name, tg_shape as, tg_shape bs) {
    tg_shape gs = as;
    gs.dims[gs.rank - 1] = bs.dims[bs.rank - 1];
    product w = {.t = bench_tape(), .as = as, .bs = bs, .gs = gs, .kind = kind_of(name)};
    w.a = bench_floats(numel(as)), w.b = bench_floats(numel(bs)), w.g = bench_floats(numel(gs));
    bench_time(name, step, &w, 1, "us");
    bench_check(w.t);
    free(w.a);
    free(w.b);
    free(w.g);
    tg_tape_free(w.t);
}

#define PLAIN(m, k, n) \
    static void product_##m##_##k##_##n(const char *name) { time_product(name, TG_SHAPE(m, k), TG_SHAPE(k, n)); }
#define BATCHED(z, m, k, n) \
    static void batch_##z##_##m(const char *name) { time_product(name, TG_SHAPE(z, m, k), TG_SHAPE(z, k, n)); }
PLAIN(16, 16, 16)
PLAIN(32, 32, 32)
PLAIN(64, 64, 64)
PLAIN(128, 128, 128)
PLAIN(256, 256, 256)
PLAIN(512, 512, 512)
PLAIN(1024, 1024, 1024)
PLAIN(2048, 2048, 2048)
PLAIN(64, 784, 256)
PLAIN(64, 256, 10)
PLAIN(1, 1024, 1024)
PLAIN(8, 1024, 1024)
PLAIN(1024, 1024, 8)
PLAIN(6, 50176, 25)
BATCHED(32, 128, 64, 128)
BATCHED(1024, 16, 16, 16)

#define SQUARE(n) {"matmul_" #n "_fwdbwd", product_##n##_##n##_##n}, {"matmul_" #n "_nograd", product_##n##_##n##_##n},
#define SHAPE(m, k, n)                                                \
    {"matmul_" #m "x" #k "x" #n "_nograd", product_##m##_##k##_##n}, \
    {"matmul_" #m "x" #k "x" #n "_fwdbwd", product_##m##_##k##_##n},
#define PARTS(m, k, n)                                               \
    {"matmul_" #m "x" #k "x" #n "_grada", product_##m##_##k##_##n}, \
    {"matmul_" #m "x" #k "x" #n "_gradb", product_##m##_##k##_##n},
#define BATCH(z, m, k, n)                                           \
    {"bmm_" #z "x" #m "x" #k "x" #n "_nograd", batch_##z##_##m}, \
    {"bmm_" #z "x" #m "x" #k "x" #n "_fwdbwd", batch_##z##_##m},

const bench_case bench_matmul[] = {
    SQUARE(16) SQUARE(32) SQUARE(64) SQUARE(128) SQUARE(256) SQUARE(512) SQUARE(1024) SQUARE(2048)
    SHAPE(64, 784, 256) PARTS(64, 784, 256) SHAPE(64, 256, 10) PARTS(64, 256, 10)
    SHAPE(1, 1024, 1024) SHAPE(8, 1024, 1024) SHAPE(1024, 1024, 8) SHAPE(6, 50176, 25)
    BATCH(32, 128, 64, 128) BATCH(1024, 16, 16, 16)
    {0},
};

/* Cases of elementwise chains, broadcasts and reductions. */
#include "bench.h"

#include <stdlib.h>

typedef struct work {
    tg_tape *t;
    tg_shape shape, row;
    float *x, *a, *b;
    bool grad;
    tg_tensor (*forward)(struct work *w, tg_tensor *xs); /* fills up to three inputs */
    int n;
} work;

/* GELU by its tanh form, written out. Hendrycks and Gimpel 2016, arXiv:1606.08415. */
static tg_tensor gelu(tg_tensor z) {
    tg_tensor cube = tg_mul(tg_mul(z, z), z);
    tg_tensor inner = tg_scale(tg_add(z, tg_scale(cube, 0.044715)), 0.7978845608028654);
    return tg_mul(tg_scale(z, 0.5), tg_add_scalar(tg_tanh(inner), 1));
}

static tg_tensor gelu_xab_sum(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, w->shape));
    xs[1] = tg_borrow(w->t, tg_f32(w->a, w->shape));
    xs[2] = tg_borrow(w->t, tg_f32(w->b, w->shape));
    return tg_sum(gelu(tg_add(tg_mul(xs[0], xs[1]), xs[2])), TG_ALL_AXES, false);
}

static tg_tensor bcast_add(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, TG_SHAPE(64, 1024, 1)));
    xs[1] = tg_borrow(w->t, tg_f32(w->a, TG_SHAPE(1, 1024)));
    return tg_sum(tg_add(xs[0], xs[1]), TG_ALL_AXES, false);
}

static tg_tensor weighted(work *w, tg_tensor y) {
    return tg_sum(tg_mul(y, tg_borrow(w->t, tg_f32(w->b, tg_shape_of(y)))), TG_ALL_AXES, false);
}

static tg_tensor sum_lastdim(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, w->shape));
    return weighted(w, tg_sum(xs[0], TG_AXES(-1), false));
}

static tg_tensor mean_lastdim(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, w->shape));
    return weighted(w, tg_mean(xs[0], TG_AXES(-1), false));
}

static tg_tensor softmax(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, w->shape));
    return weighted(w, tg_softmax(xs[0], -1));
}

static void step(void *ctx) {
    work *w = ctx;
    tg_tensor xs[3], outs[4];
    outs[0] = w->forward(w, xs);
    if (w->grad) tg_grad(outs[0], xs, w->n, outs + 1);
    tg_run(w->t, outs, w->grad ? 1 + w->n : 1);
    tg_tape_reset(w->t);
}

static void time_case(const char *name, tg_tensor (*forward)(work *, tg_tensor *), int n, tg_shape shape, bool grad) {
    size_t numel = 1;
    for (int i = 0; i < shape.rank; i++) numel *= (size_t)shape.dims[i];
    work w = {.t = bench_tape(),
              .shape = shape,
              .x = bench_floats(numel),
              .a = bench_floats(numel),
              .b = bench_floats(numel),
              .grad = grad,
              .forward = forward,
              .n = n};
    bench_time(name, step, &w, 1, "us");
    bench_check(w.t);
    free(w.x);
    free(w.a);
    free(w.b);
    tg_tape_free(w.t);
}

#define CASE(id, forward, n, grad, ...) \
    static void id(const char *name) { time_case(name, forward, n, TG_SHAPE(__VA_ARGS__), grad); }
CASE(gelu_1e3, gelu_xab_sum, 3, true, 1000)
CASE(gelu_1e5, gelu_xab_sum, 3, true, 100000)
CASE(gelu_1e7, gelu_xab_sum, 3, true, 10000000)
CASE(gelu_1e7_nograd, gelu_xab_sum, 3, false, 10000000)
CASE(bcast, bcast_add, 2, true, 64, 1024)
CASE(sum_rows, sum_lastdim, 1, true, 4096, 1024)
CASE(mean_rows, mean_lastdim, 1, true, 4096, 1024)
CASE(softmax_rows, softmax, 1, true, 4096, 1024)

/* The bound of the GELU case: three streams read, three written, as fast as a plain loop does it. */
typedef struct streams {
    float *in[3], *out[3];
    size_t n;
} streams;

static void move_streams(void *ctx) {
    const streams *s = ctx;
    for (size_t from = 0; from < s->n; from += 4096)
        for (int k = 0; k < 3; k++) {
            const float *in = s->in[k] + from;
            float *out = s->out[k] + from;
            size_t n = s->n - from < 4096 ? s->n - from : 4096;
            for (size_t i = 0; i < n; i++) out[i] = in[i] * 1.5f;
        }
}

static void gelu_bound(const char *name) {
    streams s = {.n = 10000000};
    for (int k = 0; k < 3; k++) {
        s.in[k] = bench_floats(s.n);
        s.out[k] = bench_floats(s.n);
    }
    bench_time(name, move_streams, &s, 1, "us");
    for (int k = 0; k < 3; k++) {
        free(s.in[k]);
        free(s.out[k]);
    }
}

typedef struct square {
    tg_tape *t;
    float *x;
    int64_t n;
} square;

static void transpose_step(void *ctx) {
    square *w = ctx;
    tg_tensor y = tg_transpose(tg_borrow(w->t, tg_f32(w->x, TG_SHAPE(w->n, w->n))));
    tg_run(w->t, &y, 1);
    tg_tape_reset(w->t);
}

static void transpose(const char *name) {
    square w = {bench_tape(), bench_floats(4096 * 4096), 4096};
    bench_time(name, transpose_step, &w, 1, "us");
    bench_check(w.t);
    free(w.x);
    tg_tape_free(w.t);
}

const bench_case bench_elementwise[] = {
    {"gelu_xab_sum_1000_fwdbwd", gelu_1e3},
    {"gelu_xab_sum_100000_fwdbwd", gelu_1e5},
    {"gelu_xab_sum_1e+07_fwdbwd", gelu_1e7},
    {"gelu_xab_sum_1e+07_nograd", gelu_1e7_nograd},
    {"gelu_xab_sum_1e+07_bound", gelu_bound},
    {"bcast_add_64x1024x1024_fwdbwd", bcast},
    {"sum_lastdim_4096x1024_fwdbwd", sum_rows},
    {"mean_lastdim_4096x1024_fwdbwd", mean_rows},
    {"softmax_4096x1024_fwdbwd", softmax_rows},
    {"transpose_contiguous_4096x4096", transpose},
    {0},
};

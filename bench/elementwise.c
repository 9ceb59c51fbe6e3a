/* Cases of elementwise chains, broadcasts and reductions. */
#include "bench.h"

#include <stdlib.h>

typedef struct work {
    tg_tape *t;
    tg_shape shape, row;
    float *x, *a, *b, *g;
    bool grad;
    tg_tensor (*forward)(struct work *w, tg_tensor *xs); /* fills up to three inputs */
    int n;
} work;

static void read_three(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, w->shape));
    xs[1] = tg_borrow(w->t, tg_f32(w->a, w->shape));
    xs[2] = tg_borrow(w->t, tg_f32(w->b, w->shape));
}

static tg_tensor gelu_xab_sum(work *w, tg_tensor *xs) {
    read_three(w, xs);
    return tg_sum(tg_gelu(tg_add(tg_mul(xs[0], xs[1]), xs[2])), TG_ALL_AXES, false);
}

/* GELU by its tanh form, written out. Hendrycks and Gimpel 2016, arXiv:1606.08415. */
static tg_tensor gelu_in_ops(tg_tensor z) {
    tg_tensor cube = tg_mul(tg_mul(z, z), z);
    tg_tensor inner = tg_scale(tg_add(z, tg_scale(cube, 0.044715)), 0.7978845608028654);
    return tg_mul(tg_scale(z, 0.5), tg_add_scalar(tg_tanh(inner), 1));
}

static tg_tensor gelu_in_ops_sum(work *w, tg_tensor *xs) {
    read_three(w, xs);
    return tg_sum(gelu_in_ops(tg_add(tg_mul(xs[0], xs[1]), xs[2])), TG_ALL_AXES, false);
}

static tg_tensor bcast_add(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, TG_SHAPE(64, 1024, 1)));
    xs[1] = tg_borrow(w->t, tg_f32(w->a, TG_SHAPE(1, 1024)));
    return tg_sum(tg_add(xs[0], xs[1]), TG_ALL_AXES, false);
}

static tg_tensor sum_lastdim(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, w->shape));
    return tg_sum(xs[0], TG_AXES(-1), false);
}

static tg_tensor mean_lastdim(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, w->shape));
    return tg_mean(xs[0], TG_AXES(-1), false);
}

static tg_tensor softmax(work *w, tg_tensor *xs) {
    xs[0] = tg_borrow(w->t, tg_f32(w->x, w->shape));
    return tg_softmax(xs[0], -1);
}

static void step(void *ctx) {
    work *w = ctx;
    tg_tensor xs[3], outs[4];
    outs[0] = w->forward(w, xs);
    if (w->grad && w->g)
        tg_vjp(outs[0], tg_borrow(w->t, tg_f32(w->g, tg_shape_of(outs[0]))), xs, w->n, outs + 1);
    else if (w->grad)
        tg_grad(outs[0], xs, w->n, outs + 1);
    int n = w->grad ? 1 + w->n : 1;
    tg_run(w->t, outs, n);
    bench_end(w->t, outs, n);
}

/* x, then as many more as there are inputs, then a cotangent if the result is none of one element. */
static void time_case(const char *name, tg_tensor (*forward)(work *, tg_tensor *), int n, tg_shape shape, bool grad) {
    size_t numel = 1;
    for (int i = 0; i < shape.rank; i++) numel *= (size_t)shape.dims[i];
    work w = {.t = bench_tape(), .shape = shape, .grad = grad, .forward = forward, .n = n};
    w.x = bench_floats(numel);
    if (n > 1) w.a = bench_floats(numel);
    if (n > 2) w.b = bench_floats(numel);
    if (n == 1) w.g = bench_floats(numel);
    bench_time(name, step, &w, 1, "us");
    bench_check(w.t);
    free(w.x);
    free(w.a);
    free(w.b);
    free(w.g);
    tg_tape_free(w.t);
}

#define CASE(id, forward, n, grad, ...) \
    static void id(const char *name) { time_case(name, forward, n, TG_SHAPE(__VA_ARGS__), grad); }
CASE(gelu_1e3, gelu_xab_sum, 3, true, 1000)
CASE(gelu_1e5, gelu_xab_sum, 3, true, 100000)
CASE(gelu_1e7, gelu_xab_sum, 3, true, 10000000)
CASE(gelu_1e7_nograd, gelu_xab_sum, 3, false, 10000000)
CASE(gelu_in_ops_1e7, gelu_in_ops_sum, 3, true, 10000000)
CASE(bcast, bcast_add, 2, true, 64, 1024)
CASE(sum_rows, sum_lastdim, 1, true, 4096, 1024)
CASE(mean_rows, mean_lastdim, 1, true, 4096, 1024)
CASE(softmax_rows, softmax, 1, true, 4096, 1024)

typedef struct square {
    tg_tape *t;
    float *x;
    int64_t n;
} square;

static void transpose_step(void *ctx) {
    square *w = ctx;
    tg_tensor y = tg_transpose(tg_borrow(w->t, tg_f32(w->x, TG_SHAPE(w->n, w->n))));
    tg_run(w->t, &y, 1);
    bench_end(w->t, &y, 1);
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
    {"gelu_in_ops_xab_sum_1e+07_fwdbwd", gelu_in_ops_1e7},
    {"bcast_add_64x1024x1024_fwdbwd", bcast},
    {"sum_lastdim_4096x1024_fwdbwd", sum_rows},
    {"mean_lastdim_4096x1024_fwdbwd", mean_rows},
    {"softmax_4096x1024_fwdbwd", softmax_rows},
    {"transpose_contiguous_4096x4096", transpose},
    {0},
};

/* Cases of scans, sorting, padding, windows and scattering. */
#include "bench.h"

#include <stdlib.h>

typedef struct work {
    tg_tape *t;
    float *x;
    int64_t *index;
    tg_tensor (*op)(struct work *w);
} work;

static tg_tensor input(work *w, tg_shape shape) { return tg_borrow(w->t, tg_f32(w->x, shape)); }
static tg_tensor places(work *w, tg_shape shape) { return tg_borrow(w->t, tg_i64(w->index, shape)); }

static const tg_windows threes = {.axes = {2, {2, 3}}, .size = {3, 3}};

static tg_tensor cumsum_rows(work *w) { return tg_cumsum(input(w, TG_SHAPE(1000, 1000)), 1); }
static tg_tensor cumsum_columns(work *w) { return tg_cumsum(input(w, TG_SHAPE(1000, 1000)), 0); }
static tg_tensor logcumsumexp(work *w) { return tg_logcumsumexp(input(w, TG_SHAPE(1000, 1000)), 1); }
static tg_tensor cumprod(work *w) { return tg_cumprod(input(w, TG_SHAPE(1000, 1000)), 1); }
static tg_tensor sort_long(work *w) { return tg_sort(input(w, TG_SHAPE(1000000)), 0, false); }
static tg_tensor sort_rows(work *w) { return tg_sort(input(w, TG_SHAPE(1000, 1000)), 1, false); }
static tg_tensor sort_short(work *w) { return tg_sort(input(w, TG_SHAPE(31250, 32)), 1, false); }
static tg_tensor topk(work *w) { return tg_topk(input(w, TG_SHAPE(100, 10000)), 1, 10, true); }
static tg_tensor pad(work *w) {
    return tg_pad(input(w, TG_SHAPE(16, 64, 31, 31)), (tg_padding){.before = {0, 0, 1, 1}, .after = {0, 0, 1, 1}});
}
static tg_tensor reflect(work *w) {
    tg_padding p = {.before = {0, 0, 2, 2}, .after = {0, 0, 2, 2}, .mode = TG_PAD_REFLECT};
    return tg_pad(input(w, TG_SHAPE(16, 64, 31, 31)), p);
}
static tg_tensor unfold(work *w) { return tg_add_scalar(tg_unfold(input(w, TG_SHAPE(4, 16, 34, 34)), threes), 1); }
static tg_tensor fold(work *w) {
    return tg_fold(input(w, TG_SHAPE(4, 16, 32, 32, 3, 3)), (int64_t[]){34, 34}, threes);
}
static tg_tensor scatter_add(work *w) {
    tg_shape s = TG_SHAPE(1000, 64);
    return tg_scatter_add(tg_zeros(w->t, s, TG_F32), 0, places(w, TG_SHAPE(10000, 64)), input(w, TG_SHAPE(10000, 64)));
}
static tg_tensor take(work *w) {
    return tg_take_along_axis(input(w, TG_SHAPE(1000, 1000)), 0, places(w, TG_SHAPE(1000, 1000)));
}
static tg_tensor embedding(work *w) { return tg_embedding(input(w, TG_SHAPE(1000, 64)), places(w, TG_SHAPE(15000))); }
static tg_tensor bilinear(work *w) {
    return tg_interpolate(input(w, TG_SHAPE(16, 16, 32, 32)), TG_SHAPE(64, 64), TG_LINEAR, false);
}
static tg_tensor nonzero(work *w) {
    tg_tensor positive = tg_gt(input(w, TG_SHAPE(1000000)), tg_zeros(w->t, TG_SCALAR, TG_F32));
    return tg_nonzero_max(positive, 1000000, NULL);
}
static tg_tensor variance(work *w) { return tg_var(input(w, TG_SHAPE(1000, 1000)), TG_AXES(1), 1, false); }
static tg_tensor prod(work *w) { return tg_prod(input(w, TG_SHAPE(1000, 1000)), TG_AXES(1), false); }
static tg_tensor prod_grad(work *w) {
    tg_tensor x = input(w, TG_SHAPE(1000, 1000)), g;
    tg_grad(tg_sum(tg_prod(x, TG_AXES(1), false), TG_ALL_AXES, false), &x, 1, &g);
    return g;
}
static tg_tensor cumprod_grad(work *w) {
    tg_tensor x = input(w, TG_SHAPE(1000, 1000)), g;
    tg_grad(tg_sum(tg_cumprod(x, 1), TG_ALL_AXES, false), &x, 1, &g);
    return g;
}

static void step(void *ctx) {
    work *w = ctx;
    tg_tensor y = w->op(w);
    tg_run(w->t, &y, 1);
    bench_end(w->t, &y, 1);
}

#define MOST 1048576

static void time_op(const char *name, tg_tensor (*op)(work *w)) {
    work w = {bench_tape(), bench_floats(MOST), malloc(MOST * sizeof(int64_t)), op};
    for (int64_t i = 0; w.index && i < MOST; i++) w.index[i] = (int64_t)((float)1000 * bench_random());
    if (w.index) bench_time(name, step, &w, 1, "us");
    bench_check(w.t);
    free(w.x);
    free(w.index);
    tg_tape_free(w.t);
}

#define OPS(X)                                                                                                  \
    X(cumsum_rows) X(cumsum_columns) X(logcumsumexp) X(cumprod) X(cumprod_grad) X(prod) X(prod_grad) X(variance) \
    X(sort_long) X(sort_rows) X(sort_short) X(topk) X(pad) X(reflect) X(unfold) X(fold) X(scatter_add) X(take)  \
    X(embedding) X(bilinear) X(nonzero)
#define RUN(op) \
    static void run_##op(const char *name) { time_op(name, op); }
#define ROW(op) {"shape_" #op, run_##op},
OPS(RUN)

const bench_case bench_shape[] = {OPS(ROW){NULL, NULL}};

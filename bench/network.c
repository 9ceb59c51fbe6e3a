/* Cases of convolutions and row ops: forward alone, and the gradients alone, as bench/README's peers measure them. */
#include "bench.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ convolutions, with bias */

typedef struct conv_case {
    tg_tape *t;
    float *x, *w, *b, *g;
    tg_shape xs, ws, bs, gs;
    tg_conv_config config;
    bool backward;
} conv_case;

static void conv_step(void *ctx) {
    conv_case *c = ctx;
    tg_tensor in[3] = {tg_borrow(c->t, tg_f32(c->x, c->xs)), tg_borrow(c->t, tg_f32(c->w, c->ws)),
                       tg_borrow(c->t, tg_f32(c->b, c->bs))};
    tg_conv_config config = c->config;
    config.bias = in[2];
    tg_tensor y = tg_conv2d(in[0], in[1], config), out[3] = {y};
    if (c->backward) tg_vjp(y, tg_borrow(c->t, tg_f32(c->g, c->gs)), in, 3, out);
    int n = c->backward ? 3 : 1;
    tg_run(c->t, out, n);
    bench_end(c->t, out, n);
}

static void time_conv(const char *name, tg_shape xs, int64_t channels, int64_t kernel, int64_t groups, bool backward) {
    conv_case c = {.t = bench_tape(), .xs = xs, .bs = TG_SHAPE(channels), .backward = backward};
    c.ws = TG_SHAPE(channels, xs.dims[1] / groups, kernel, kernel);
    c.gs = TG_SHAPE(xs.dims[0], channels, xs.dims[2], xs.dims[3]);
    c.config = (tg_conv_config){.padding = {kernel / 2, kernel / 2}, .groups = groups};
    c.x = bench_floats((size_t)(xs.dims[0] * xs.dims[1] * xs.dims[2] * xs.dims[3]));
    c.w = bench_floats((size_t)(channels * c.ws.dims[1] * kernel * kernel));
    c.b = bench_floats((size_t)channels);
    c.g = bench_floats((size_t)(xs.dims[0] * channels * xs.dims[2] * xs.dims[3]));
    bench_time(name, conv_step, &c, 1, "us");
    bench_check(c.t);
    tg_tape_free(c.t);
    free(c.x);
    free(c.w);
    free(c.b);
    free(c.g);
}

#define CONV_CASE(id, n, c, h, o, kernel, groups)                                                               \
    static void id##_fwd(const char *name) { time_conv(name, TG_SHAPE(n, c, h, h), o, kernel, groups, false); } \
    static void id##_bwd(const char *name) { time_conv(name, TG_SHAPE(n, c, h, h), o, kernel, groups, true); }
CONV_CASE(conv3x3_56, 32, 64, 56, 64, 3, 1)
CONV_CASE(conv3x3_14, 32, 256, 14, 256, 3, 1)
CONV_CASE(conv1x1, 32, 256, 14, 1024, 1, 1)
CONV_CASE(convdw, 32, 128, 28, 128, 3, 128)

/* ------------------------------------------------------------------ layer normalisation, with all gradients */

enum { ROWS = 4096, COLUMNS = 1024 };

typedef struct norm_case {
    tg_tape *t;
    float *x, *w, *b, *g;
} norm_case;

static void norm_step(void *ctx) {
    norm_case *c = ctx;
    tg_shape matrix = TG_SHAPE(ROWS, COLUMNS), row = TG_SHAPE(COLUMNS);
    tg_tensor in[3] = {tg_borrow(c->t, tg_f32(c->x, matrix)), tg_borrow(c->t, tg_f32(c->w, row)),
                       tg_borrow(c->t, tg_f32(c->b, row))};
    tg_tensor out[4] = {tg_layer_norm(in[0], in[1], in[2], 1e-5)};
    tg_vjp(out[0], tg_borrow(c->t, tg_f32(c->g, matrix)), in, 3, out + 1);
    tg_run(c->t, out, 4);
    bench_end(c->t, out, 4);
}

static void layer_norm(const char *name) {
    norm_case c = {.t = bench_tape()};
    c.x = bench_floats(ROWS * COLUMNS), c.w = bench_floats(COLUMNS), c.b = bench_floats(COLUMNS);
    c.g = bench_floats(ROWS * COLUMNS);
    bench_time(name, norm_step, &c, 1, "us");
    bench_check(c.t);
    tg_tape_free(c.t);
    free(c.x);
    free(c.w);
    free(c.b);
    free(c.g);
}

const bench_case bench_network[] = {
    {"conv3x3_32x64x56x56_fwd", conv3x3_56_fwd},
    {"conv3x3_32x64x56x56_bwd", conv3x3_56_bwd},
    {"conv3x3_32x256x14x14_fwd", conv3x3_14_fwd},
    {"conv3x3_32x256x14x14_bwd", conv3x3_14_bwd},
    {"conv1x1_32x256x14x14_1024_fwd", conv1x1_fwd},
    {"conv1x1_32x256x14x14_1024_bwd", conv1x1_bwd},
    {"convdw3x3_32x128x28x28_fwd", convdw_fwd},
    {"convdw3x3_32x128x28x28_bwd", convdw_bwd},
    {"layernorm_4096x1024_fwdbwd", layer_norm},
    {0},
};

/* Cases of whole training steps. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct net {
    tg_tape *t;
    tg_model *m;
    tg_optim *opt;
    tg_linear l[4];
    int layers;
    float *x, *y;
    int32_t *labels;
    int64_t batch, in, out;
} net;

static void end(net *w) {
    bench_check(w->t);
    tg_optim_free(w->opt);
    tg_model_free(w->m);
    tg_tape_free(w->t);
    free(w->x);
    free(w->y);
    free(w->labels);
}

/* ------------------------------------------------------------------ a tiny MLP: 2-16-16-1, tanh, batch 4, SGD */

static void tiny_step(void *ctx) {
    net *w = ctx;
    tg_tensor h = tg_input(w->t, tg_f32(w->x, TG_SHAPE(4, 2))), y = tg_input(w->t, tg_f32(w->y, TG_SHAPE(4, 1)));
    h = tg_tanh(tg_linear_apply(w->l[0], h));
    h = tg_tanh(tg_linear_apply(w->l[1], h));
    tg_tensor loss = tg_mean(tg_square(tg_sub(tg_linear_apply(w->l[2], h), y)), TG_ALL_AXES, false);
    tg_minimize(w->opt, loss);
    tg_tape_reset(w->t);
}

static net tiny(void) {
    net w = {.t = bench_tape(), .m = tg_model_new(1), .x = bench_floats(8), .y = bench_floats(4)};
    w.l[0] = tg_linear_new(w.m, "l1", 2, 16);
    w.l[1] = tg_linear_new(w.m, "l2", 16, 16);
    w.l[2] = tg_linear_new(w.m, "l3", 16, 1);
    w.opt = tg_sgd(w.m, (tg_sgd_config){.lr = 0.05});
    return w;
}

static void tinymlp(const char *name) {
    net w = tiny();
    bench_time(name, tiny_step, &w, 1, "us/step");
    end(&w);
}

/* ------------------------------------------------------------------ the digit MLP */

static void mlp_step(void *ctx) {
    net *w = ctx;
    tg_tensor h = tg_borrow(w->t, tg_f32(w->x, TG_SHAPE(w->batch, 784)));
    tg_tensor y = tg_borrow(w->t, tg_i32(w->labels, TG_SHAPE(w->batch)));
    h = tg_relu(tg_linear_apply(w->l[0], h));
    h = tg_relu(tg_linear_apply(w->l[1], h));
    tg_minimize(w->opt, tg_cross_entropy(tg_linear_apply(w->l[2], h), y));
    tg_tape_reset(w->t);
}

static net mlp(int64_t batch, bool adam) {
    net w = {.t = bench_tape(),
             .m = tg_model_new(1),
             .batch = batch,
             .x = bench_floats((size_t)batch * 784),
             .labels = malloc((size_t)batch * 4)};
    if (!w.labels) exit(1);
    for (int64_t i = 0; i < batch; i++) w.labels[i] = (int32_t)(bench_random() * 10);
    w.l[0] = tg_linear_new(w.m, "l1", 784, 256);
    w.l[1] = tg_linear_new(w.m, "l2", 256, 128);
    w.l[2] = tg_linear_new(w.m, "l3", 128, 10);
    w.opt = adam ? tg_adam(w.m, (tg_adam_config){.lr = 1e-3}) : tg_sgd(w.m, (tg_sgd_config){.lr = 0.01, .momentum = 0.9});
    return w;
}

static void time_mlp(const char *name, int64_t batch, bool adam) {
    net w = mlp(batch, adam);
    bench_time(name, mlp_step, &w, 1, "us/step");
    end(&w);
}

static void mlp_sgdm_64(const char *name) { time_mlp(name, 64, false); }
static void mlp_adam_64(const char *name) { time_mlp(name, 64, true); }
static void mlp_sgdm_512(const char *name) { time_mlp(name, 512, false); }

/* The memory of a step beside parameters, state and batch, and what 100,000 steps add to the process. */
static void mlp_pool(const char *name) {
    net w = mlp(64, true);
    for (int i = 0; i < 3; i++) mlp_step(&w);
    double kib = (double)tg_stats(w.t).pool_bytes / 1024;
    bench_emit(name, &kib, 1, "KiB");
    end(&w);
}

static void tiny_growth(const char *name) {
    net w = tiny();
    struct rusage before, after;
    for (int i = 0; i < 100; i++) tiny_step(&w);
    getrusage(RUSAGE_SELF, &before);
    for (int i = 0; i < 100000; i++) tiny_step(&w);
    getrusage(RUSAGE_SELF, &after);
    double kib = (double)(after.ru_maxrss - before.ru_maxrss);
    bench_emit(name, &kib, 1, "KiB");
    end(&w);
}

/* ------------------------------------------------------------------ an LSTM cell in a loop */

enum { T = 32, B = 32, I = 128, H = 256 };

typedef struct lstm {
    tg_tape *t;
    tg_model *m;
    tg_optim *opt;
    tg_tensor wx, wh, b;
    float *x;
} lstm;

static tg_tensor gate(tg_tensor z, int i) { return tg_slice(z, 1, i * H, (i + 1) * H, 1); }

static void lstm_step(void *ctx) {
    lstm *w = ctx;
    tg_tensor xs = tg_borrow(w->t, tg_f32(w->x, TG_SHAPE(T, B, I))), outs[T];
    tg_tensor h = tg_zeros(w->t, TG_SHAPE(B, H), TG_F32), c = h;
    for (int i = 0; i < T; i++) {
        tg_tensor x = tg_reshape(tg_slice(xs, 0, i, i + 1, 1), TG_SHAPE(B, I));
        tg_tensor z = tg_add(tg_add(tg_matmul(x, w->wx), tg_matmul(h, w->wh)), w->b);
        c = tg_add(tg_mul(tg_sigmoid(gate(z, 1)), c), tg_mul(tg_sigmoid(gate(z, 0)), tg_tanh(gate(z, 2))));
        h = outs[i] = tg_mul(tg_sigmoid(gate(z, 3)), tg_tanh(c));
    }
    tg_minimize(w->opt, tg_mean(tg_square(tg_stack(outs, T, 0)), TG_ALL_AXES, false));
    tg_tape_reset(w->t);
}

static void lstm_loop(const char *name) {
    lstm w = {.t = bench_tape(), .m = tg_model_new(1), .x = bench_floats((size_t)T * B * I)};
    tg_init init = {TG_INIT_UNIFORM, -0.0625, 0.0625, 0, 0};
    w.wx = tg_param(w.m, "wx", TG_SHAPE(I, 4 * H), TG_F32, init);
    w.wh = tg_param(w.m, "wh", TG_SHAPE(H, 4 * H), TG_F32, init);
    w.b = tg_param(w.m, "b", TG_SHAPE(4 * H), TG_F32, (tg_init){TG_INIT_ZEROS, 0, 0, 0, 0});
    w.opt = tg_sgd(w.m, (tg_sgd_config){.lr = 0.01});
    lstm_step(&w);
    bench_check(w.t);
    bench_time(name, lstm_step, &w, 1, "us/step");
    bench_check(w.t);
    tg_optim_free(w.opt);
    tg_model_free(w.m);
    tg_tape_free(w.t);
    free(w.x);
}

const bench_case bench_models[] = {
    {"tinymlp_2_16_16_1_b4", tinymlp},
    {"mlp_784_256_128_10_sgdm_b64", mlp_sgdm_64},
    {"mlp_784_256_128_10_adam_b64", mlp_adam_64},
    {"mlp_784_256_128_10_sgdm_b512", mlp_sgdm_512},
    {"lstm_cell_loop_i128_h256_t32_b32", lstm_loop},
    {"pool_mlp_784_256_128_10_adam_b64", mlp_pool},
    {"growth_100000_steps_tinymlp", tiny_growth},
    {0},
};

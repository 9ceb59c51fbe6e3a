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

/* ------------------------------------------------------------------ LeNet: two convolutions, two poolings, two products */

typedef struct lenet {
    tg_tape *t;
    tg_model *m;
    tg_optim *opt;
    tg_conv_layer c[2];
    tg_linear l[2];
    float *x;
    int32_t labels[64];
} lenet;

static void lenet_step(void *ctx) {
    lenet *w = ctx;
    tg_pool_config two = {.kernel = {2, 2}};
    tg_tensor h = tg_borrow(w->t, tg_f32(w->x, TG_SHAPE(64, 1, 28, 28)));
    for (int i = 0; i < 2; i++) h = tg_max_pool(tg_relu(tg_conv_apply(w->c[i], h)), two);
    h = tg_relu(tg_linear_apply(w->l[0], tg_reshape(h, TG_SHAPE(64, 512))));
    tg_minimize(w->opt, tg_cross_entropy(tg_linear_apply(w->l[1], h), tg_borrow(w->t, tg_i32(w->labels, TG_SHAPE(64)))));
    tg_tape_reset(w->t);
}

static void time_lenet(const char *name) {
    lenet w = {.t = bench_tape(), .m = tg_model_new(1), .x = bench_floats(64 * 784)};
    for (int i = 0; i < 64; i++) w.labels[i] = (int32_t)(bench_random() * 10);
    w.c[0] = tg_conv_new(w.m, "c1", 1, 16, TG_SHAPE(5, 5), (tg_conv_config){.groups = 1});
    w.c[1] = tg_conv_new(w.m, "c2", 16, 32, TG_SHAPE(5, 5), (tg_conv_config){.groups = 1});
    w.l[0] = tg_linear_new(w.m, "l1", 512, 128);
    w.l[1] = tg_linear_new(w.m, "l2", 128, 10);
    w.opt = tg_sgd(w.m, (tg_sgd_config){.lr = 0.01, .momentum = 0.9});
    lenet_step(&w);
    bench_check(w.t);
    bench_time(name, lenet_step, &w, 1, "us/step");
    bench_check(w.t);
    tg_optim_free(w.opt);
    tg_model_free(w.m);
    tg_tape_free(w.t);
    free(w.x);
}

/* ------------------------------------------------------------------ a small GPT */

enum { LAYERS = 4, WIDTH = 256, HEADS = 4, LENGTH = 128, BATCH = 8, WORDS = 65 };

typedef struct gpt {
    tg_tape *t;
    tg_model *m;
    tg_optim *opt;
    tg_embedding_layer tokens, places;
    struct {
        tg_norm_layer n1, n2;
        tg_self_attention attention;
        tg_linear fc1, fc2;
    } block[LAYERS];
    tg_norm_layer norm;
    tg_linear head;
    int32_t x[BATCH * LENGTH], y[BATCH * LENGTH];
} gpt;

static tg_tensor gelu(tg_tensor x) { /* x (1 + erf(x / sqrt 2)) / 2 */
    return tg_scale(tg_mul(x, tg_add_scalar(tg_erf(tg_scale(x, 0.70710678118654752)), 1)), 0.5);
}

static void gpt_step(void *ctx) {
    gpt *w = ctx;
    tg_tensor x = tg_embedding_apply(w->tokens, tg_borrow(w->t, tg_i32(w->x, TG_SHAPE(BATCH, LENGTH))));
    x = tg_add(x, tg_embedding_apply(w->places, tg_arange(w->t, LENGTH, TG_I32)));
    for (int i = 0; i < LAYERS; i++) {
        x = tg_add(x, tg_self_attention_apply(w->block[i].attention, tg_layer_norm_apply(w->block[i].n1, x)));
        tg_tensor h = gelu(tg_linear_apply(w->block[i].fc1, tg_layer_norm_apply(w->block[i].n2, x)));
        x = tg_add(x, tg_linear_apply(w->block[i].fc2, h));
    }
    tg_tensor logits = tg_linear_apply(w->head, tg_layer_norm_apply(w->norm, x));
    tg_minimize(w->opt, tg_cross_entropy(logits, tg_borrow(w->t, tg_i32(w->y, TG_SHAPE(BATCH, LENGTH)))));
    tg_tape_reset(w->t);
}

static void time_gpt(const char *name) {
    static gpt w;
    char scope[32];
    w.t = bench_tape(), w.m = tg_model_new(1);
    w.tokens = tg_embedding_new(w.m, "tokens", WORDS, WIDTH);
    w.places = tg_embedding_new(w.m, "places", LENGTH, WIDTH);
    for (int i = 0; i < LAYERS; i++) {
#define PART(part) (snprintf(scope, sizeof scope, "%d.%s", i, part), scope)
        w.block[i].n1 = tg_layer_norm_new(w.m, PART("n1"), WIDTH);
        w.block[i].attention = tg_self_attention_new(w.m, PART("attention"), WIDTH, HEADS, true);
        w.block[i].n2 = tg_layer_norm_new(w.m, PART("n2"), WIDTH);
        w.block[i].fc1 = tg_linear_new(w.m, PART("fc1"), WIDTH, 4 * WIDTH);
        w.block[i].fc2 = tg_linear_new(w.m, PART("fc2"), 4 * WIDTH, WIDTH);
#undef PART
    }
    w.norm = tg_layer_norm_new(w.m, "norm", WIDTH);
    w.head = tg_linear_new_of(w.m, "head", WIDTH, WORDS, TG_F32, false);
    w.opt = tg_adamw(w.m, (tg_adamw_config){.lr = 1e-3});
    for (int i = 0; i < BATCH * LENGTH; i++) {
        w.x[i] = (int32_t)(bench_random() * WORDS);
        w.y[i] = (int32_t)(bench_random() * WORDS);
    }
    gpt_step(&w);
    bench_check(w.t);
    bench_time(name, gpt_step, &w, 1, "us/step");
    bench_check(w.t);
    tg_optim_free(w.opt);
    tg_model_free(w.m);
    tg_tape_free(w.t);
}

const bench_case bench_models[] = {
    {"tinymlp_2_16_16_1_b4", tinymlp},
    {"mlp_784_256_128_10_sgdm_b64", mlp_sgdm_64},
    {"mlp_784_256_128_10_adam_b64", mlp_adam_64},
    {"mlp_784_256_128_10_sgdm_b512", mlp_sgdm_512},
    {"lstm_cell_loop_i128_h256_t32_b32", lstm_loop},
    {"lenet_28x28_b64", time_lenet},
    {"gpt_4l_d256_h4_t128_b8", time_gpt},
    {"pool_mlp_784_256_128_10_adam_b64", mlp_pool},
    {"growth_100000_steps_tinymlp", tiny_growth},
    {0},
};

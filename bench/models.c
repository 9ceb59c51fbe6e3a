/* Cases of training steps of networks without images or sequences, and what the steps do to memory. */
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
    int64_t batch;
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
    bench_end(w->t, &loss, 1);
}

static net tiny(void) {
    net w = {.t = bench_tape(), .m = tg_model_new(1)};
    w.x = bench_floats(8), w.y = bench_floats(4);
    w.l[0] = tg_linear_new(w.m, "l1", 2, 16);
    w.l[1] = tg_linear_new(w.m, "l2", 16, 16);
    w.l[2] = tg_linear_new(w.m, "l3", 16, 1);
    bench_fill(w.m);
    w.opt = tg_sgd(w.m, (tg_sgd_config){.lr = 0.05});
    return w;
}

static void tinymlp(const char *name) {
    net w = tiny();
    bench_time(name, tiny_step, &w, 1, "us/step");
    end(&w);
}

/* ------------------------------------------------------------------ digit MLPs */

static void mlp_step(void *ctx) {
    net *w = ctx;
    tg_tensor h = tg_borrow(w->t, tg_f32(w->x, TG_SHAPE(w->batch, 784)));
    tg_tensor y = tg_borrow(w->t, tg_i32(w->labels, TG_SHAPE(w->batch)));
    for (int i = 0; i < w->layers - 1; i++) h = tg_relu(tg_linear_apply(w->l[i], h));
    tg_tensor loss = tg_cross_entropy(tg_linear_apply(w->l[w->layers - 1], h), y);
    tg_minimize(w->opt, loss);
    bench_end(w->t, &loss, 1);
}

static net mlp(int layers, const int64_t *sizes, int64_t batch) {
    net w = {.t = bench_tape(), .m = tg_model_new(1), .layers = layers, .batch = batch};
    w.x = bench_floats((size_t)batch * 784), w.labels = bench_integers(10, (size_t)batch);
    static const char *const names[] = {"l1", "l2", "l3"};
    for (int i = 0; i < layers; i++) w.l[i] = tg_linear_new(w.m, names[i], sizes[i], sizes[i + 1]);
    bench_fill(w.m);
    return w;
}

static net mlp3(int64_t batch) { return mlp(3, (int64_t[]){784, 256, 128, 10}, batch); }

static void time_mlp(const char *name, net w) {
    bench_time(name, mlp_step, &w, 1, "us/step");
    end(&w);
}

static net with_momentum(net w) {
    w.opt = tg_sgd(w.m, (tg_sgd_config){.lr = 0.01, .momentum = 0.9});
    return w;
}

static net with_adam(net w) {
    w.opt = tg_adam(w.m, (tg_adam_config){.lr = 1e-3});
    return w;
}

static void mlp_sgdm_64(const char *name) { time_mlp(name, with_momentum(mlp3(64))); }
static void mlp_adam_64(const char *name) { time_mlp(name, with_adam(mlp3(64))); }
static void mlp_sgdm_512(const char *name) { time_mlp(name, with_momentum(mlp3(512))); }

static void mlp_two_layers(const char *name) {
    net w = mlp(2, (int64_t[]){784, 256, 10}, 64);
    w.opt = tg_sgd(w.m, (tg_sgd_config){.lr = 0.01});
    time_mlp(name, w);
}

/* The memory of a step beside parameters, state and batch, and what 100,000 steps add to the process. */
static void mlp_pool(const char *name) {
    net w = with_adam(mlp3(64));
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

/* Units that die after 20 steps: their moments decay, and would be denormal from some 900 steps on. */
enum { DYING_STEPS = 3000, DYING_PART = 500, DYING_UNITS = 256 };

static void dying_step(net *w) {
    tg_tensor h = tg_relu(tg_linear_apply(w->l[0], tg_input(w->t, tg_f32(w->x, TG_SHAPE(32, 64)))));
    tg_minimize(w->opt, tg_mse(tg_linear_apply(w->l[1], h), tg_input(w->t, tg_f32(w->y, TG_SHAPE(32, 10)))));
    tg_tape_reset(w->t);
}

static void emit_part(const char *name, const char *part, double *times) {
    char text[80];
    snprintf(text, sizeof text, "%s_%s_%d", name, part, DYING_PART);
    bench_emit(text, times, DYING_PART, "us/step");
}

static void dying_relu(const char *name) {
    static double times[DYING_STEPS];
    float bias[DYING_UNITS];
    for (int i = 0; i < DYING_UNITS; i++) bias[i] = -100;
    net w = {.t = bench_tape(), .m = tg_model_new(1), .x = bench_floats(32 * 64), .y = bench_floats(32 * 10)};
    w.l[0] = tg_linear_new(w.m, "l1", 64, DYING_UNITS);
    w.l[1] = tg_linear_new(w.m, "l2", DYING_UNITS, 10);
    w.opt = tg_adamw(w.m, (tg_adamw_config){.lr = 1e-3});
    for (int i = 0; i < DYING_STEPS; i++) {
        if (i == 20 && tg_param_write(w.l[0].bias, tg_f32(bias, TG_SHAPE(DYING_UNITS)))) exit(1);
        double start = bench_now();
        dying_step(&w);
        times[i] = (bench_now() - start) * 1e6;
    }
    emit_part(name, "first", times);
    emit_part(name, "last", times + DYING_STEPS - DYING_PART);
    end(&w);
}

/* The most memory that a whole program of five steps has. */
static void peak_of(const char *name, char *pattern) {
    char threads[16];
    snprintf(threads, sizeof threads, "%d", bench_threads);
    double mib = (double)bench_child((char *[]){"bench", "--peak", "--threads", threads, "--cases", pattern, NULL}) / 1024;
    bench_emit(name, &mib, 1, "MiB");
}

static void peak_gpt(const char *name) { peak_of(name, "^gpt_4l_d256_h4_t128_b8$"); }
static void peak_resnet(const char *name) { peak_of(name, "^resnet18_cifar_b32$"); }

const bench_case bench_models[] = {
    {"tinymlp_2_16_16_1_b4", tinymlp},
    {"mlp_784_256_128_10_sgdm_b64", mlp_sgdm_64},
    {"mlp_784_256_128_10_adam_b64", mlp_adam_64},
    {"mlp_784_256_128_10_sgdm_b512", mlp_sgdm_512},
    {"mlp_784_256_10_sgd_b64", mlp_two_layers},
    {0},
};

const bench_case bench_memory[] = {
    {"pool_mlp_784_256_128_10_adam_b64", mlp_pool},
    {"growth_100000_steps_tinymlp", tiny_growth},
    {"dying_relu_adamw_3000_steps", dying_relu},
    {"peak_rss_gpt_4l_d256_h4_t128_b8", peak_gpt},
    {"peak_rss_resnet18_cifar_b32", peak_resnet},
    {0},
};

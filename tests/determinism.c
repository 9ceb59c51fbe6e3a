/* tests/determinism.c: 50 training steps of four models have the same bits for any number of threads. Every region runs on
 * all of them, however small its work. (The battery does the same with each op.) TG_REPEATS=n repeats all n times. */
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

#include "check/check.h"
#include "kernels/kernels.h"
#include "tests/test.h"

enum { STEPS = 50, BATCH = 12 };

typedef struct net {
    tg_model *m;
    tg_linear in, middle, out;
    tg_conv_layer a, b;
    tg_batch_norm_layer moving;
    tg_recurrent lstm;
    tg_embedding_layer words;
    tg_norm_layer before, after;
    tg_self_attention attention;
} net;

static tg_tensor inputs(tg_tape *t, tg_shape s, int step) {
    enum { MOST = BATCH * 400 };
    static float x[MOST];
    for (int i = 0; i < MOST; i++) x[i] = (float)((i * 7919 + step * 104729) % 1009) / 504 - 1;
    return tg_input(t, tg_f32(x, s));
}

static tg_tensor words(tg_tape *t, tg_shape s, int64_t kinds, int step) {
    int64_t x[BATCH * 16];
    for (int i = 0; i < BATCH * 16; i++) x[i] = (i * 31 + step * 17) % kinds;
    return tg_input(t, tg_i64(x, s));
}

/* ------------------------------------------------------------------ the models */

static void mlp(net *n) {
    n->in = tg_linear_new(n->m, "in", 40, 70);
    n->middle = tg_linear_new(n->m, "middle", 70, 33);
    n->out = tg_linear_new(n->m, "out", 33, 10);
}

static tg_tensor mlp_loss(const net *n, tg_tape *t, int step) {
    tg_tensor h = tg_relu(tg_linear_apply(n->in, inputs(t, TG_SHAPE(BATCH, 40), step)));
    h = tg_gelu(tg_linear_apply(n->middle, tg_dropout(h, 0.2)));
    return tg_cross_entropy(tg_linear_apply(n->out, h), words(t, TG_SHAPE(BATCH), 10, step));
}

static void conv(net *n) {
    n->a = tg_conv_new(n->m, "a", 1, 6, TG_SHAPE(5, 5), (tg_conv_config){.padding = {2, 2}});
    n->b = tg_conv_new(n->m, "b", 6, 8, TG_SHAPE(3, 3), (tg_conv_config){.groups = 2, .stride = {2, 1}});
    n->moving = tg_batch_norm_new(n->m, "moving", 8);
    n->out = tg_linear_new(n->m, "out", 8 * 4 * 8, 5);
}

static tg_tensor conv_loss(const net *n, tg_tape *t, int step) {
    tg_tensor h = tg_conv_apply(n->a, inputs(t, TG_SHAPE(BATCH, 1, 20, 20), step));
    h = tg_conv_apply(n->b, tg_max_pool(tg_relu(h), (tg_pool_config){.kernel = {2, 2}}));
    h = tg_dropout(tg_silu(tg_batch_norm_apply(n->moving, h, true)), 0.3);
    return tg_cross_entropy(tg_linear_apply(n->out, tg_reshape(h, TG_SHAPE(BATCH, -1))), words(t, TG_SHAPE(BATCH), 5, step));
}

static void lstm(net *n) {
    n->lstm = tg_lstm_new(n->m, "lstm", 9, 20);
    n->out = tg_linear_new(n->m, "out", 20, 9);
}

static tg_tensor lstm_loss(const net *n, tg_tape *t, int step) {
    tg_tensor x = inputs(t, TG_SHAPE(8, BATCH, 9), step), y = tg_dropout(tg_lstm_apply(n->lstm, x), 0.1);
    return tg_mse(tg_linear_apply(n->out, y), tg_flip(x, TG_AXES(0)));
}

static void transformer(net *n) {
    n->words = tg_embedding_new(n->m, "words", 23, 24);
    n->before = tg_layer_norm_new(n->m, "before", 24);
    n->attention = tg_self_attention_new(n->m, "attention", 24, 3, true);
    n->after = tg_rms_norm_new(n->m, "after", 24);
    n->in = tg_linear_new(n->m, "in", 24, 50);
    n->middle = tg_linear_new(n->m, "middle", 50, 24);
    n->out = tg_linear_new(n->m, "out", 24, 23);
}

static tg_tensor transformer_loss(const net *n, tg_tape *t, int step) {
    tg_tensor x = tg_embedding_apply(n->words, words(t, TG_SHAPE(BATCH, 16), 23, step));
    x = tg_add(x, tg_dropout(tg_self_attention_apply(n->attention, tg_layer_norm_apply(n->before, x)), 0.1));
    tg_tensor h = tg_gelu(tg_linear_apply(n->in, tg_rms_norm_apply(n->after, x)));
    x = tg_add(x, tg_dropout(tg_linear_apply(n->middle, h), 0.1));
    return tg_cross_entropy(tg_linear_apply(n->out, x), words(t, TG_SHAPE(BATCH, 16), 23, step + 1));
}

/* ------------------------------------------------------------------ training */

typedef struct kind {
    void (*make)(net *n);
    tg_tensor (*loss)(const net *n, tg_tape *t, int step);
} kind;

typedef struct trained {
    tg_model *m;
    tg_optim *o;
    double loss[STEPS];
} trained;

static trained train(const kind *k, int threads, bool eager) {
    net n = {.m = tg_model_new(5)};
    k->make(&n);
    trained r = {n.m, tg_adamw(n.m, (tg_adamw_config){.lr = 0.01, .common.clip_norm = 1}), {0}};
    tg_tape *t = tg_tape_new();
    tg_set_threads(t, threads);
    tg_set_eager(t, eager);
    for (int step = 0; step < STEPS; step++, tg_tape_reset(t)) {
        tg_tensor loss = k->loss(&n, t, step);
        tg_minimize(r.o, loss);
        r.loss[step] = tg_item(loss);
    }
    CHECK(tg_ok(t) && tg_model_ok(n.m), "%d threads: %s%s", threads, tg_message(t), tg_model_message(n.m));
    tg_tape_free(t);
    return r;
}

static void free_trained(trained *r) {
    tg_optim_free(r->o);
    tg_model_free(r->m);
}

static void same_variables(tg_model *a, tg_model *b, const char *how) {
    CHECK_EQ_I(tg_model_count(a), tg_model_count(b));
    for (int i = 0; i < tg_model_count(a); i++) {
        tg_tensor x = tg_model_at(a, i), y = tg_model_at(b, i);
        bool same = !memcmp(tg_data(x), tg_data(y), (size_t)tg_numel(x) * tg_dtype_size(tg_dtype_of(x)));
        CHECK(same, "%s: %s has other bits", how, tg_param_name(x));
    }
}

static void compare(const trained *one, const kind *k, int threads, bool eager) {
    char how[60];
    snprintf(how, sizeof how, "%d threads%s", threads, eager ? ", eager" : "");
    trained r = train(k, threads, eager);
    int step = 0;
    while (step < STEPS && memcmp(&r.loss[step], &one->loss[step], sizeof *r.loss) == 0) step++;
    CHECK(step == STEPS, "%s: the loss of step %d is %a, not %a", how, step, r.loss[step], one->loss[step]);
    same_variables(r.m, one->m, how);
    same_variables(tg_optim_state(r.o), tg_optim_state(one->o), how);
    free_trained(&r);
}

static void any_number_of_threads(kind k) {
    const char *text = getenv("TG_REPEATS");
    int repeats = text ? atoi(text) : 1;
    tg__parallel_grain(1);
    trained one = train(&k, 1, false);
    CHECK(one.loss[STEPS - 1] < one.loss[0], "the loss went from %g to %g", one.loss[0], one.loss[STEPS - 1]);
    for (int i = 0; i < repeats; i++) {
        for (int j = 0; j < TG__TEAMS; j++) compare(&one, &k, tg__teams[j], false);
        compare(&one, &k, 1, true);
        compare(&one, &k, tg__teams[TG__TEAMS - 1], true);
    }
    free_trained(&one);
    tg__parallel_grain(0);
}

TEST(determinism, mlp) { any_number_of_threads((kind){mlp, mlp_loss}); }
TEST(determinism, conv_net) { any_number_of_threads((kind){conv, conv_loss}); }
TEST(determinism, lstm) { any_number_of_threads((kind){lstm, lstm_loss}); }
TEST(determinism, transformer) { any_number_of_threads((kind){transformer, transformer_loss}); }

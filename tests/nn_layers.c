/* tests/nn_layers.c: layers of networks: names, values, what a step of training does to them, errors. */
#include <math.h>
#include <string.h>
#include <tapegrad.h>

#include "tests/test.h"

static float values[8192];

static tg_tensor numbers(tg_tape *t, tg_shape s) {
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= s.dims[i];
    for (int64_t i = 0; i < n; i++) values[i] = (float)sin(1.3 * (double)i + 0.2 * (double)(i % 7));
    return tg_input(t, tg_f32(values, s));
}

static bool has(const tg_model *m, const char *name) { return tg_valid(tg_model_find(m, name)); }

TEST(nn, batch_norm_moves_its_statistics) {
    tg_model *m = tg_model_new(1);
    tg_tape *t = tg_tape_new();
    tg_batch_norm_layer l = tg_batch_norm_new(m, "bn", 2);
    CHECK(has(m, "bn.weight") && has(m, "bn.bias") && has(m, "bn.running_mean") && has(m, "bn.running_var"), "names");
    CHECK(!tg_param_trainable(l.mean) && !tg_param_trainable(l.variance), "statistics are no parameters");
    tg_tensor x = numbers(t, TG_SHAPE(3, 2, 4)), fresh = tg_batch_norm_apply(l, x, false);
    const float *xs = tg_data(x), *ys = tg_data(fresh);
    for (int i = 0; ys && i < 24; i++) CHECK_NEAR(ys[i], xs[i] / sqrt(1 + 1e-5), 1e-6); /* mean 0, variance 1 */
    double mean[2] = {0, 0}, square[2] = {0, 0};
    for (int i = 0; i < 24; i++) mean[i / 4 % 2] += xs[i] / 12.0;
    for (int i = 0; i < 24; i++) square[i / 4 % 2] += pow(xs[i] - mean[i / 4 % 2], 2) / 11;
    tg_batch_norm_apply(l, x, true);
    CHECK_EQ_I(tg_step(t), TG_OK);
    const float *m1 = tg_data(l.mean), *v1 = tg_data(l.variance);
    for (int c = 0; c < 2; c++) {
        CHECK_NEAR(m1[c], 0.1 * mean[c], 1e-6);
        CHECK_NEAR(v1[c], 0.9 + 0.1 * square[c], 1e-6);
    }
    tg_tape_free(t);
    tg_model_free(m);
}

/* A small network of each kind: its loss falls, and every parameter has a gradient. */
typedef struct kind {
    const char *name;
    tg_tensor (*loss)(tg_tape *t, const void *layers);
    const void *layers;
} kind;

static void check_training(tg_model *m, const kind *k) {
    tg_tape *t = tg_tape_new();
    tg_optim *opt = tg_adam(m, (tg_adam_config){.lr = 0.01});
    double first = 0, last = 0;
    tg_tensor before = tg_model_at(m, 0);
    uint64_t version = tg_param_version(before);
    for (int i = 0; i < 30; i++) {
        tg_tensor loss = k->loss(t, k->layers);
        tg_minimize(opt, loss);
        last = tg_item(loss);
        if (!i) first = last;
        tg_tape_reset(t);
    }
    CHECK(tg_ok(t), "%s: %s", k->name, tg_message(t));
    CHECK(last < 0.9 * first, "%s: the loss went from %g to %g", k->name, first, last);
    CHECK_EQ_I((long long)tg_param_version(before), (long long)version + 30);
    for (int i = 0; i < tg_model_count(m); i++)
        CHECK_EQ_I((long long)tg_param_version(tg_model_at(m, i)), (long long)version + 30);
    tg_optim_free(opt);
    tg_tape_free(t);
    tg_model_free(m);
}

typedef struct lenet {
    tg_conv_layer a, b;
    tg_batch_norm_layer norm;
    tg_linear out;
} lenet;

static tg_tensor lenet_loss(tg_tape *t, const void *layers) {
    const lenet *l = layers;
    static const int32_t labels[4] = {0, 1, 2, 1};
    tg_pool_config two = {.kernel = {2, 2}};
    tg_tensor h = tg_max_pool(tg_relu(tg_conv_apply(l->a, numbers(t, TG_SHAPE(4, 1, 12, 12)))), two);
    h = tg_max_pool(tg_relu(tg_batch_norm_apply(l->norm, tg_conv_apply(l->b, h), true)), two);
    h = tg_linear_apply(l->out, tg_reshape(h, TG_SHAPE(4, 8)));
    return tg_cross_entropy(h, tg_input(t, tg_i32(labels, TG_SHAPE(4))));
}

TEST(nn, a_convolutional_network_learns) {
    tg_model *m = tg_model_new(3);
    lenet l;
    l.a = tg_conv_new(m, "a", 1, 4, TG_SHAPE(3, 3), (tg_conv_config){.groups = 1});
    l.b = tg_conv_new(m, "b", 4, 8, TG_SHAPE(3, 3), (tg_conv_config){.groups = 2});
    l.norm = tg_batch_norm_new(m, "norm", 8);
    l.out = tg_linear_new(m, "out", 8, 3);
    check_training(m, &(kind){"LeNet", lenet_loss, &l});
}

typedef struct gpt {
    tg_embedding_layer tokens;
    tg_norm_layer norm, rms;
    tg_self_attention attention;
    tg_linear out;
} gpt;

static tg_tensor gpt_loss(tg_tape *t, const void *layers) {
    const gpt *l = layers;
    static const int32_t words[2][5] = {{0, 1, 2, 3, 4}, {4, 0, 3, 1, 2}}, next[2][5] = {{1, 2, 3, 4, 0}, {0, 3, 1, 2, 4}};
    tg_tensor x = tg_embedding_apply(l->tokens, tg_input(t, tg_i32(words[0], TG_SHAPE(2, 5))));
    x = tg_add(x, tg_self_attention_apply(l->attention, tg_layer_norm_apply(l->norm, x)));
    x = tg_linear_apply(l->out, tg_rms_norm_apply(l->rms, x));
    return tg_cross_entropy(x, tg_input(t, tg_i32(next[0], TG_SHAPE(2, 5))));
}

TEST(nn, a_transformer_learns) {
    tg_model *m = tg_model_new(3);
    gpt l = {.tokens = tg_embedding_new(m, "tokens", 5, 8)};
    l.norm = tg_layer_norm_new(m, "norm", 8);
    l.attention = tg_self_attention_new(m, "attention", 8, 2, true);
    l.rms = tg_rms_norm_new(m, "rms", 8);
    l.out = tg_linear_new(m, "head", 8, 5);
    CHECK(has(m, "attention.qkv.weight") && has(m, "attention.out.bias") && !has(m, "rms.bias"), "names");
    check_training(m, &(kind){"transformer", gpt_loss, &l});
}

typedef struct sequence {
    tg_recurrent lstm, gru;
} sequence;

static tg_tensor sequence_loss(tg_tape *t, const void *layers) {
    const sequence *l = layers;
    tg_tensor y = tg_gru_apply(l->gru, tg_lstm_apply(l->lstm, numbers(t, TG_SHAPE(6, 2, 3))));
    return tg_mean(tg_square(tg_add_scalar(y, -0.5)), TG_ALL_AXES, false);
}

TEST(nn, recurrent_layers_learn) {
    tg_model *m = tg_model_new(3);
    sequence l = {.lstm = tg_lstm_new(m, "lstm", 3, 4)};
    l.gru = tg_gru_new(m, "gru", 4, 4);
    CHECK(has(m, "lstm.wx") && has(m, "gru.bh") && !has(m, "lstm.bh"), "names");
    check_training(m, &(kind){"recurrent", sequence_loss, &l});
}

TEST(nn, a_recurrent_layer_is_its_cell_step_by_step) {
    enum { STEPS = 6, ROWS = 2, SIZE = 4 };
    tg_model *m = tg_model_new(3);
    tg_tape *t = tg_tape_new();
    tg_recurrent lstm = tg_lstm_new(m, "lstm", 3, SIZE), gru = tg_gru_new(m, "gru", 3, SIZE);
    tg_tensor x = numbers(t, TG_SHAPE(STEPS, ROWS, 3)), c = tg_zeros(t, TG_SHAPE(ROWS, SIZE), TG_F32), h = c, g = c;
    const float *hs = tg_data(tg_lstm_apply(lstm, x)), *gs = tg_data(tg_gru_apply(gru, x));
    CHECK(hs && gs, "%s", tg_message(t));
    for (int i = 0; hs && gs && i < STEPS; i++) {
        tg_tensor step = tg_squeeze(tg_slice(x, 0, i, i + 1, 1), TG_AXES(0));
        h = tg_lstm_cell(step, h, &c, lstm.cell), g = tg_gru_cell(step, g, gru.cell);
        CHECK(memcmp(tg_data(h), hs + i * ROWS * SIZE, ROWS * SIZE * sizeof *hs) == 0, "lstm, step %d", i);
        CHECK(memcmp(tg_data(g), gs + i * ROWS * SIZE, ROWS * SIZE * sizeof *gs) == 0, "gru, step %d", i);
    }
    tg_tape_free(t);
    tg_model_free(m);
}

static void check_error(tg_tape *t, tg_status status, const char *text) {
    CHECK_EQ_I(tg_error(t), status);
    CHECK_STR(tg_message(t), text);
    CHECK_STR(tg_error_get(t).site, "nn_layers.c");
    tg_clear(t);
}

TEST(nn, layers_refuse_what_does_not_fit) {
    tg_model *m = tg_model_new(1);
    tg_tape *t = tg_tape_new();
    tg_conv_layer conv = tg_conv_new(m, "conv", 2, 4, TG_SHAPE(3, 3), (tg_conv_config){0});
    tg_recurrent lstm = tg_lstm_new(m, "lstm", 3, 4);
    tg_self_attention attention = tg_self_attention_new(m, "attention", 8, 2, false);
    tg_norm_layer norm = tg_layer_norm_new(m, "norm", 5);
    CHECK(tg_model_ok(m), "%s", tg_model_message(m));
    tg_conv_apply(conv, numbers(t, TG_SHAPE(1, 3, 8, 8)));
    CHECK_STR(tg_message(t), "conv");
    check_error(t, TG_ESHAPE, "2 channels per group, not for 3");
    tg_lstm_apply(lstm, numbers(t, TG_SHAPE(2, 3)));
    check_error(t, TG_ESHAPE, "length");
    tg_self_attention_apply(attention, numbers(t, TG_SHAPE(2, 3, 4)));
    check_error(t, TG_ESHAPE, "length, 8");
    tg_layer_norm_apply(norm, numbers(t, TG_SHAPE(2, 3)));
    check_error(t, TG_ESHAPE, "must have shape (3)");
    tg_self_attention odd = tg_self_attention_new(m, "odd", 8, 3, false);
    CHECK_EQ_I(tg_model_error(m), TG_EARG);
    CHECK_STR(tg_model_message(m), "3 heads do not divide 8");
    tg_self_attention_apply(odd, numbers(t, TG_SHAPE(2, 3, 8)));
    check_error(t, TG_EARG, "3 heads do not divide 8");
    tg_model_clear(m);
    tg_self_attention taken = tg_self_attention_new(m, "attention", 8, 2, false);
    tg_self_attention_apply(taken, numbers(t, TG_SHAPE(2, 3, 8)));
    check_error(t, TG_EARG, "could not be made");
    tg_model_clear(m);
    tg_conv_new(m, "flat", 2, 4, TG_SCALAR, (tg_conv_config){0});
    CHECK_EQ_I(tg_model_error(m), TG_EARG);
    tg_tape_free(t);
    tg_model_free(m);
}

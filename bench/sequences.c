/* Cases of training steps on sequences: recurrent cells and transformers. */
#include "bench.h"

#include <stdlib.h>

typedef struct sequence {
    tg_tape *t;
    tg_model *m;
    tg_optim *opt;
    float *x;
    int32_t *words, *labels;
} sequence;

static sequence sequence_new(void) { return (sequence){.t = bench_tape(), .m = tg_model_new(1)}; }

static void time_sequence(const char *name, void (*step)(void *ctx), sequence *w) {
    bench_time(name, step, w, 1, "us/step");
    bench_check(w->t);
    tg_optim_free(w->opt);
    tg_model_free(w->m);
    tg_tape_free(w->t);
    free(w->x);
    free(w->words);
    free(w->labels);
}

static void minimize(sequence *w, tg_tensor loss) {
    tg_minimize(w->opt, loss);
    bench_end(w->t, &loss, 1);
}

/* ------------------------------------------------------------------ LSTM, 128 to 256, 32 steps of a batch of 32 */

enum { T = 32, B = 32, I = 128, H = 256 };

typedef struct lstm {
    sequence s; /* first: a step's context is the sequence, too */
    tg_recurrent layer;
} lstm;

static tg_tensor gate(tg_tensor z, int i) { return tg_slice(z, 1, i * H, (i + 1) * H, 1); }

static void loop_step(void *ctx) {
    lstm *w = ctx;
    tg_tensor xs = tg_borrow(w->s.t, tg_f32(w->s.x, TG_SHAPE(T, B, I))), outs[T];
    tg_tensor h = tg_zeros(w->s.t, TG_SHAPE(B, H), TG_F32), c = h;
    for (int i = 0; i < T; i++) {
        tg_tensor x = tg_reshape(tg_slice(xs, 0, i, i + 1, 1), TG_SHAPE(B, I));
        tg_tensor z = tg_add(tg_add(tg_matmul(x, w->layer.cell.wx), tg_matmul(h, w->layer.cell.wh)), w->layer.cell.b);
        c = tg_add(tg_mul(tg_sigmoid(gate(z, 1)), c), tg_mul(tg_sigmoid(gate(z, 0)), tg_tanh(gate(z, 2))));
        h = outs[i] = tg_mul(tg_sigmoid(gate(z, 3)), tg_tanh(c));
    }
    minimize(&w->s, tg_mean(tg_square(tg_stack(outs, T, 0)), TG_ALL_AXES, false));
}

static void layer_step(void *ctx) {
    lstm *w = ctx;
    tg_tensor y = tg_lstm_apply(w->layer, tg_borrow(w->s.t, tg_f32(w->s.x, TG_SHAPE(T, B, I))));
    minimize(&w->s, tg_mean(tg_square(y), TG_ALL_AXES, false));
}

static void time_lstm(const char *name, void (*step)(void *ctx)) {
    lstm w = {.s = sequence_new()};
    w.s.x = bench_floats((size_t)T * B * I);
    w.layer = tg_lstm_new(w.s.m, "lstm", I, H);
    bench_fill(w.s.m);
    w.s.opt = tg_sgd(w.s.m, (tg_sgd_config){.lr = 0.01});
    time_sequence(name, step, &w.s);
}

static void lstm_loop(const char *name) { time_lstm(name, loop_step); }
static void lstm_layer(const char *name) { time_lstm(name, layer_step); }

/* ------------------------------------------------------------------ LSTM and GRU, 64 to 128, a class for each step */

enum { STEPS = 32, EXAMPLES = 16, CLASSES = 64, UNITS = 128 };

typedef struct tagger {
    sequence s;
    tg_recurrent layer;
    tg_linear head;
    bool lstm;
} tagger;

static void tagger_step(void *ctx) {
    tagger *w = ctx;
    tg_tensor x = tg_borrow(w->s.t, tg_f32(w->s.x, TG_SHAPE(STEPS, EXAMPLES, CLASSES)));
    tg_tensor y = tg_borrow(w->s.t, tg_i32(w->s.labels, TG_SHAPE(STEPS, EXAMPLES)));
    tg_tensor h = w->lstm ? tg_lstm_apply(w->layer, x) : tg_gru_apply(w->layer, x);
    minimize(&w->s, tg_cross_entropy(tg_linear_apply(w->head, h), y));
}

static void time_tagger(const char *name, bool lstm) {
    tagger w = {.s = sequence_new(), .lstm = lstm};
    w.s.x = bench_floats((size_t)STEPS * EXAMPLES * CLASSES), w.s.labels = bench_integers(CLASSES, (size_t)STEPS * EXAMPLES);
    w.layer = lstm ? tg_lstm_new(w.s.m, "cell", CLASSES, UNITS) : tg_gru_new(w.s.m, "cell", CLASSES, UNITS);
    w.head = tg_linear_new(w.s.m, "head", UNITS, CLASSES);
    bench_fill(w.s.m);
    w.s.opt = tg_sgd(w.s.m, (tg_sgd_config){.lr = 0.01});
    time_sequence(name, tagger_step, &w.s);
}

static void lstm_tagger(const char *name) { time_tagger(name, true); }
static void gru_tagger(const char *name) { time_tagger(name, false); }

/* ------------------------------------------------------------------ transformers. Radford et al. 2019, GPT-2 */

enum { LAYERS = 4, WIDTH = 256 };

typedef struct transformer {
    sequence s;
    int64_t heads, words, length, batch;
    tg_tensor (*activation)(tg_tensor x);
    bool tied; /* logits by the table of tokens */
    tg_embedding_layer tokens, places;
    struct {
        tg_norm_layer n1, n2;
        tg_self_attention attention;
        tg_linear fc1, fc2;
    } block[LAYERS];
    tg_norm_layer norm;
    tg_linear head;
} transformer;

static void transformer_step(void *ctx) {
    transformer *w = ctx;
    tg_tape *t = w->s.t;
    tg_shape shape = TG_SHAPE(w->batch, w->length);
    tg_tensor x = tg_embedding_apply(w->tokens, tg_borrow(t, tg_i32(w->s.words, shape)));
    x = tg_add(x, tg_embedding_apply(w->places, tg_arange(t, w->length, TG_I32)));
    for (int i = 0; i < LAYERS; i++) {
        x = tg_add(x, tg_self_attention_apply(w->block[i].attention, tg_layer_norm_apply(w->block[i].n1, x)));
        tg_tensor h = w->activation(tg_linear_apply(w->block[i].fc1, tg_layer_norm_apply(w->block[i].n2, x)));
        x = tg_add(x, tg_linear_apply(w->block[i].fc2, h));
    }
    x = tg_layer_norm_apply(w->norm, x);
    tg_tensor logits = w->tied ? tg_matmul(x, tg_transpose(tg_on(t, w->tokens.weight))) : tg_linear_apply(w->head, x);
    minimize(&w->s, tg_cross_entropy(logits, tg_borrow(t, tg_i32(w->s.labels, shape))));
}

static void transformer_blocks(transformer *w) {
    char scope[32];
    for (int i = 0; i < LAYERS; i++) {
#define PART(part) (snprintf(scope, sizeof scope, "%d.%s", i, part), scope)
        w->block[i].n1 = tg_layer_norm_new(w->s.m, PART("n1"), WIDTH);
        w->block[i].attention = tg_self_attention_new(w->s.m, PART("attention"), WIDTH, w->heads, true);
        w->block[i].n2 = tg_layer_norm_new(w->s.m, PART("n2"), WIDTH);
        w->block[i].fc1 = tg_linear_new(w->s.m, PART("fc1"), WIDTH, 4 * WIDTH);
        w->block[i].fc2 = tg_linear_new(w->s.m, PART("fc2"), 4 * WIDTH, WIDTH);
#undef PART
    }
}

static void time_transformer(const char *name, transformer *w) {
    size_t n = (size_t)(w->batch * w->length);
    w->s = sequence_new();
    w->s.words = bench_integers((int32_t)w->words, n), w->s.labels = bench_integers((int32_t)w->words, n);
    w->tokens = tg_embedding_new(w->s.m, "tokens", w->words, WIDTH);
    w->places = tg_embedding_new(w->s.m, "places", w->length, WIDTH);
    transformer_blocks(w);
    w->norm = tg_layer_norm_new(w->s.m, "norm", WIDTH);
    if (!w->tied) w->head = tg_linear_new_of(w->s.m, "head", WIDTH, w->words, TG_F32, false);
    bench_fill(w->s.m);
    w->s.opt = tg_adamw(w->s.m, (tg_adamw_config){.lr = 1e-3});
    time_sequence(name, transformer_step, &w->s);
}

static void gpt(const char *name) {
    transformer w = {.heads = 4, .words = 65, .length = 128, .batch = 8, .activation = tg_gelu};
    time_transformer(name, &w);
}

static void gpt2(const char *name) {
    transformer w = {.heads = 8, .words = 4096, .length = 64, .batch = 4, .activation = tg_gelu_tanh, .tied = true};
    time_transformer(name, &w);
}

const bench_case bench_sequences[] = {
    {"lstm_cell_loop_i128_h256_t32_b32", lstm_loop},
    {"lstm_nn_i128_h256_t32_b32", lstm_layer},
    {"lstm_ce_i64_h128_t32_b16", lstm_tagger},
    {"gru_ce_i64_h128_t32_b16", gru_tagger},
    {"gpt_4l_d256_h4_t128_b8", gpt},
    {"gpt2_4l_d256_h8_v4096_t64_b4", gpt2},
    {0},
};

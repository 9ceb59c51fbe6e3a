/* Cases of binary tree-LSTMs over random trees: a new structure in each step. Tai, Socher, Manning 2015, arXiv:1503.00075. */
#include "bench.h"

#include <stdlib.h>

enum { WIDTH = 64, WORDS = 1000, CLASSES = 5, MOST_LEAVES = 64 };

typedef struct trees {
    tg_tape *t;
    tg_model *m;
    tg_optim *opt;
    tg_embedding_layer words;
    tg_linear leaf, node, out;
    int leaves, batch;
    uint32_t drawn;
} trees;

typedef struct state {
    tg_tensor h, c;
} state;

/* c = sigmoid(i) tanh(u), h = sigmoid(o) tanh(c), where z holds the gates i, o, u. */
static tg_tensor gate(tg_tensor z, int i) { return tg_slice(z, 1, i * WIDTH, (i + 1) * WIDTH, 1); }
static tg_tensor shown(tg_tensor z, int o, tg_tensor c) { return tg_mul(tg_sigmoid(gate(z, o)), tg_tanh(c)); }
static tg_tensor taken(tg_tensor z, int u) { return tg_mul(tg_sigmoid(gate(z, 0)), tg_tanh(gate(z, u))); }

static state leaf_state(const trees *w, tg_tensor x) {
    tg_tensor z = tg_linear_apply(w->leaf, x), c = taken(z, 2);
    return (state){shown(z, 1, c), c};
}

static state joined(const trees *w, state l, state r) {
    tg_tensor both[2] = {l.h, r.h}, z = tg_linear_apply(w->node, tg_concat(both, 2, 1));
    tg_tensor c = tg_add(taken(z, 4), tg_mul(tg_sigmoid(gate(z, 1)), l.c));
    c = tg_add(c, tg_mul(tg_sigmoid(gate(z, 2)), r.c));
    return (state){shown(z, 3, c), c};
}

static state subtree(const trees *w, tg_tensor rows, int first, int n) {
    if (n == 1) return leaf_state(w, tg_slice(rows, 0, first, first + 1, 1));
    int left = 1 + (int)(bench_hash((uint32_t)(first + n / 2), 200000 + w->drawn) % (uint32_t)(n - 1));
    state l = subtree(w, rows, first, left);
    return joined(w, l, subtree(w, rows, first + left, n - left));
}

static tg_tensor tree_loss(trees *w) {
    int32_t words[MOST_LEAVES], label = (int32_t)(++w->drawn % CLASSES);
    for (int i = 0; i < w->leaves; i++) words[i] = (int32_t)(bench_hash((uint32_t)i, 100000 + w->drawn) % WORDS);
    tg_tensor rows = tg_embedding_apply(w->words, tg_input(w->t, tg_i32(words, TG_SHAPE(w->leaves))));
    tg_tensor logits = tg_linear_apply(w->out, subtree(w, rows, 0, w->leaves).h);
    return tg_cross_entropy(logits, tg_input(w->t, tg_i32(&label, TG_SHAPE(1))));
}

static void step(void *ctx) {
    trees *w = ctx;
    tg_tensor loss = tree_loss(w);
    for (int i = 1; i < w->batch; i++) loss = tg_add(loss, tree_loss(w));
    if (w->batch > 1) loss = tg_scale(loss, 1.0 / w->batch);
    tg_minimize(w->opt, loss);
    bench_end(w->t, &loss, 1);
}

static void time_trees(const char *name, int leaves, int batch) {
    trees w = {.t = bench_tape(), .m = tg_model_new(1), .leaves = leaves, .batch = batch};
    w.words = tg_embedding_new(w.m, "words", WORDS, WIDTH);
    w.leaf = tg_linear_new(w.m, "leaf", WIDTH, 3 * WIDTH);
    w.node = tg_linear_new(w.m, "node", 2 * WIDTH, 5 * WIDTH);
    w.out = tg_linear_new(w.m, "out", WIDTH, CLASSES);
    bench_fill(w.m);
    w.opt = tg_sgd(w.m, (tg_sgd_config){.lr = 0.01});
    bench_time(name, step, &w, batch, "us/tree");
    bench_check(w.t);
    tg_optim_free(w.opt);
    tg_model_free(w.m);
    tg_tape_free(w.t);
}

static void one_tree(const char *name) { time_trees(name, 50, 1); }
static void batch_of_trees(const char *name) { time_trees(name, 20, 16); }

const bench_case bench_trees[] = {
    {"treelstm_50leaves_d64", one_tree},
    {"treelstm_20leaves_d64_b16", batch_of_trees},
    {0},
};

/* Cases of what an engine costs beside its arithmetic: tiny tensors, new structures, start. */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"
#include "engine/planner.h"

#include <stdlib.h>
#include <unistd.h>

#define ADDS 1000

typedef struct chain {
    tg_tape *t;
    uint32_t round;
} chain;

static const float one = 1;

/* A sum of 1000 additions. The bits of `variant` turn operands around, so that each variant is a structure of its own. */
static tg_tensor record_chain(tg_tape *t, tg_tensor x, uint32_t variant) {
    tg_tensor y = x;
    for (int i = 0; i < ADDS; i++) y = i && i < 32 && variant >> (i - 1) & 1 ? tg_add(x, y) : tg_add(y, x);
    (void)t;
    return y;
}

static void record_only(void *ctx) {
    chain *c = ctx;
    record_chain(c->t, tg_input(c->t, tg_f32(&one, TG_SHAPE(1))), 0);
    tg_tape_reset(c->t);
}

static void forward(void *ctx) {
    chain *c = ctx;
    tg_tensor y = record_chain(c->t, tg_input(c->t, tg_f32(&one, TG_SHAPE(1))), 0);
    tg_run(c->t, &y, 1);
    bench_end(c->t, &y, 1);
}

static void forward_backward(chain *c, uint32_t variant) {
    tg_tensor x = tg_input(c->t, tg_f32(&one, TG_SHAPE(1)));
    tg_tensor outs[2] = {record_chain(c->t, x, variant)};
    tg_grad(outs[0], &x, 1, &outs[1]);
    tg_run(c->t, outs, 2);
    bench_end(c->t, outs, 2);
}

static void cached(void *ctx) { forward_backward(ctx, 0); }
static void new_structure(void *ctx) {
    chain *c = ctx;
    forward_backward(c, ++c->round & 0x7fffffff);
}

static void time_chain(const char *name, void (*fn)(void *)) {
    chain c = {bench_tape(), 0};
    bench_time(name, fn, &c, ADDS, "ns/op");
    bench_check(c.t);
    tg_tape_free(c.t);
}

static void op_add_record(const char *name) { time_chain(name, record_only); }
static void op_add_fwd(const char *name) { time_chain(name, forward); }
static void op_add_fwdbwd(const char *name) { time_chain(name, cached); }
static void op_add_fwdbwd_new(const char *name) { time_chain(name, new_structure); }

/* ------------------------------------------------------------------ the cost of a node of a new structure */

/* A binary tree-LSTM of small vectors over 200 leaves, of a random shape: some 6,000 nodes with gradients. */
typedef struct tree {
    tg_tape *t;
    tg_model *m;
    tg_tensor leaf, node, out;
    uint64_t nodes;
    bool run, grad;
} tree;

#define D 4

typedef struct state {
    tg_tensor h, c;
} state;

static tg_tensor gate(tg_tensor z, int i) { return tg_slice(z, -1, i * D, (i + 1) * D, 1); }

static state tree_node(tree *w, int leaves) {
    if (leaves == 1) {
        float x[D] = {bench_random(), 1, 0, -1};
        tg_tensor z = tg_matmul(tg_input(w->t, tg_f32(x, TG_SHAPE(1, D))), w->leaf);
        tg_tensor c = tg_mul(tg_sigmoid(gate(z, 0)), tg_tanh(gate(z, 1)));
        return (state){tg_mul(tg_sigmoid(gate(z, 2)), tg_tanh(c)), c};
    }
    int left = 1 + (int)(bench_random() * (float)(leaves - 1));
    if (left >= leaves) left = leaves - 1;
    state l = tree_node(w, left), r = tree_node(w, leaves - left);
    tg_tensor both[2] = {l.h, r.h};
    tg_tensor z = tg_matmul(tg_concat(both, 2, -1), w->node);
    tg_tensor c = tg_mul(tg_sigmoid(gate(z, 0)), tg_tanh(gate(z, 1)));
    c = tg_add(c, tg_mul(tg_sigmoid(gate(z, 2)), l.c));
    c = tg_add(c, tg_mul(tg_sigmoid(gate(z, 3)), r.c));
    return (state){tg_mul(tg_sigmoid(gate(z, 4)), tg_tanh(c)), c};
}

static void record_tree(tree *w, tg_tensor outs[3]) {
    outs[0] = tg_sum(tg_square(tree_node(w, 100).h), TG_ALL_AXES, false);
    tg_tensor xs[2] = {w->leaf, w->node};
    if (w->grad) tg_grad(outs[0], xs, 2, outs + 1);
}

static void tree_step(void *ctx) {
    tree *w = ctx;
    tg_tensor outs[3];
    record_tree(w, outs);
    if (w->run) tg_run(w->t, outs, w->grad ? 3 : 1);
    w->nodes = tg_stats(w->t).nodes;
    if (w->run)
        bench_end(w->t, outs, w->grad ? 3 : 1);
    else
        tg_tape_reset(w->t);
}

static tree tree_new(bool grad, bool run) {
    tree w = {.t = bench_tape(), .m = tg_model_new(1), .run = run, .grad = grad};
    w.leaf = tg_param(w.m, "leaf", TG_SHAPE(D, 3 * D), TG_F32, (tg_init){TG_INIT_NORMAL, 0, 0.5, 0, 0});
    w.node = tg_param(w.m, "node", TG_SHAPE(2 * D, 5 * D), TG_F32, (tg_init){TG_INIT_NORMAL, 0, 0.5, 0, 0});
    return w;
}

static void tree_free(tree *w) {
    tg_tape_free(w->t);
    tg_model_free(w->m);
}

static void time_tree(const char *name, bool grad, bool run) {
    tree w = tree_new(grad, run);
    tree_step(&w);
    bench_check(w.t);
    bench_time(name, tree_step, &w, (double)w.nodes, "ns/node");
    bench_check(w.t);
    tree_free(&w);
}

static void node_record(const char *name) { time_tree(name, false, false); }
static void node_record_grad(const char *name) { time_tree(name, true, false); }
static void node_new_structure(const char *name) { time_tree(name, true, true); }

/* Planning alone: the nodes are there, and a plan of them is made anew each time. */
typedef struct planning {
    tg_tape *t;
    uint32_t roots[3];
    tg__plan_note *notes;
} planning;

static void plan_again(void *ctx) {
    planning *w = ctx;
    if (tg__plan_describe(w->t, w->roots, 3, w->notes)) exit(1);
}

static void node_plan(const char *name) {
    tree w = tree_new(true, false);
    tg_tensor outs[3];
    record_tree(&w, outs);
    planning p = {.t = w.t, .roots = {outs[0].id, outs[1].id, outs[2].id}};
    p.notes = malloc((size_t)(tg_stats(w.t).nodes + 1) * sizeof *p.notes);
    if (!p.notes) exit(1);
    bench_check(w.t);
    bench_time(name, plan_again, &p, (double)tg_stats(w.t).nodes, "ns/node");
    free(p.notes);
    tree_free(&w);
}

/* ------------------------------------------------------------------ start of a program */

void bench_first_gradient(void) {
    tg_tape *t = tg_tape_new();
    tg_tensor x = tg_input(t, tg_f32(&one, TG_SHAPE(1))), g;
    tg_grad(tg_sum(tg_scale(x, 2), TG_ALL_AXES, false), &x, 1, &g);
    _exit(tg_item(g) == 2 ? 0 : 1);
}

static void start_child(void *ctx) {
    (void)ctx;
    bench_child((char *[]){"bench", "--first-gradient", NULL});
}

static void startup(const char *name) { bench_time(name, start_child, NULL, 1, "ms"); }

const bench_case bench_overhead[] = {
    {"op_add_record", op_add_record},
    {"op_add_fwd", op_add_fwd},
    {"op_add_fwdbwd", op_add_fwdbwd},
    {"op_add_fwdbwd_new", op_add_fwdbwd_new},
    {"node_record", node_record},
    {"node_record_grad", node_record_grad},
    {"node_plan", node_plan},
    {"node_new_structure", node_new_structure},
    {"startup_to_first_gradient", startup},
    {0},
};

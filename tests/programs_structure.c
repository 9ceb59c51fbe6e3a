/* Programs of much structure: 4, 8, 14, 18, 22, 23 and 24 of the design. What must be linear is counted, not timed, where it
 * can be. */
#include <time.h>

#include "tests/programs.h"

static uint64_t memory_of(const tg_tape *t) { return tg_stats(t).pool_bytes + tg_stats(t).kept_bytes; }

static double cpu_seconds(void) { return (double)clock() / CLOCKS_PER_SEC; }

/* ------------------------------------------------------------------ 4 */

enum { HIDDEN = 6 };

typedef struct rnn {
    tg_tensor w, u, h;
} rnn;

static rnn rnn_on(tg_tape *t, tg_model *m) {
    return (rnn){tg_on(t, tg_model_at(m, 0)), tg_on(t, tg_model_at(m, 1)), tg_zeros(t, TG_SHAPE(1, HIDDEN), TG_F64)};
}

static tg_model *rnn_model(void) {
    tg_model *m = tg_model_new(4);
    tg_param(m, "w", TG_SHAPE(HIDDEN, HIDDEN), TG_F64, (tg_init){.kind = TG_INIT_XAVIER_UNIFORM});
    tg_param(m, "u", TG_SHAPE(2, HIDDEN), TG_F64, (tg_init){.kind = TG_INIT_XAVIER_UNIFORM});
    return m;
}

static tg_tensor rnn_run(rnn *c, tg_tensor xs, int64_t from, int64_t to) {
    tg_tensor total = {0};
    for (int64_t i = from; i < to; i++) {
        c->h = tg_tanh(tg_add(tg_matmul(c->h, c->w), tg_matmul(tg_slice(xs, 0, i, i + 1, 1), c->u)));
        tg_tensor here = tg_mean(tg_square(c->h), TG_ALL_AXES, false);
        total = i == from ? here : tg_add(total, here);
    }
    return total;
}

PROGRAM(n04_rnn_of_a_thousand_steps) {
    tg_model *m = rnn_model();
    uint64_t memory[3], nodes[3];
    for (int k = 0; k < 3; k++) {
        int64_t steps = 250 << k;
        tg_tape *t = tg_tape_new();
        tg_set_eager(t, r->way == EAGER);
        tg_tensor xs = numbers_like(t, TG_SHAPE(1000, 2), TG_F64, 1), g[2];
        rnn c = rnn_on(t, m);
        tg_grad(rnn_run(&c, xs, 0, steps), (tg_tensor[]){c.w, c.u}, 2, g);
        nodes[k] = tg_stats(t).nodes;
        tg_run(t, g, 2);
        memory[k] = memory_of(t);
        see_all(r, g[0]);
        CHECK(tg_ok(t), "%s", tg_message(t));
        tg_tape_free(t);
    }
    for (int k = 1; k < 3; k++) {
        CHECK((double)nodes[k] < 2.05 * (double)nodes[k - 1], "%d times the steps: %llu nodes, before %llu", 2,
              (unsigned long long)nodes[k], (unsigned long long)nodes[k - 1]);
        CHECK((double)memory[k] < 2.6 * (double)memory[k - 1], "%llu bytes, for half the steps %llu",
              (unsigned long long)memory[k], (unsigned long long)memory[k - 1]);
    }
    tg_model_free(m);
}

PROGRAM(n04_truncated_back_propagation) {
    tg_model *m = rnn_model();
    tg_tensor state = tg_state_new(r->t, TG_SHAPE(1, HIDDEN), TG_F64), g[2];
    uint64_t memory = 0;
    for (int part = 0; part < 20; part++, tg_tape_reset(r->t)) {
        rnn c = rnn_on(r->t, m);
        c.h = tg_on(r->t, state);
        tg_tensor before = c.h, loss = rnn_run(&c, numbers_like(r->t, TG_SHAPE(1000, 2), TG_F64, 1), 10 * part, 10 * part + 10);
        tg_grad(loss, (tg_tensor[]){c.w, c.u}, 2, g);
        CHECK(tg_depends(loss, before) && tg_stats(r->t).nodes < 600, "%llu nodes", (unsigned long long)tg_stats(r->t).nodes);
        tg_want(g[0]);
        tg_assign(state, c.h);
        tg_step(r->t);
        see(r, ((const double *)tg_data(g[0]))[3]);
        if (part == 2) memory = memory_of(r->t);
        if (part > 2) CHECK_EQ_I(memory_of(r->t), memory);
    }
    rnn c = rnn_on(r->t, m);
    rnn_run(&c, numbers_like(r->t, TG_SHAPE(1000, 2), TG_F64, 1), 0, 200);
    CHECK(!memcmp(tg_data(c.h), tg_data(state), HIDDEN * sizeof(double)), "the carried state is not that of one long run");
    tg_model_free(m);
}

/* ------------------------------------------------------------------ 8 */

static tg_tensor tree(tg_tape *t, const tg_tensor *w, uint64_t *shape, int depth) {
    *shape = *shape * 6364136223846793005u + 1442695040888963407u;
    if (depth == 0 || *shape >> 61 == 0)
        return tg_slice(w[2], 0, (int64_t)(*shape >> 40 & 7), (int64_t)(*shape >> 40 & 7) + 1, 1);
    tg_tensor a = tree(t, w, shape, depth - 1), b = tree(t, w, shape, depth - 1);
    tg_tensor gates = tg_sigmoid(tg_add(tg_matmul(a, w[0]), tg_matmul(b, w[1])));
    return tg_add(tg_mul(gates, tg_tanh(a)), tg_mul(gates, b));
}

PROGRAM(n08_trees_of_ever_new_structure) {
    tg_model *m = tg_model_new(8);
    tg_init init = {.kind = TG_INIT_NORMAL, .b = .5};
    tg_tensor w[] = {tg_param(m, "l", TG_SHAPE(4, 4), TG_F32, init), tg_param(m, "r", TG_SHAPE(4, 4), TG_F32, init),
                     tg_param(m, "words", TG_SHAPE(8, 4), TG_F32, init)};
    tg_optim *o = tg_sgd(m, (tg_sgd_config){.lr = .01});
    int trees = r->way == PLANNED ? 10000 : 1000;
    uint64_t shape = 1, blocks = 0;
    for (int i = 0; i < trees && tg_ok(r->t); i++, tg_tape_reset(r->t)) {
        tg_tensor on[3] = {tg_on(r->t, w[0]), tg_on(r->t, w[1]), tg_on(r->t, w[2])};
        tg_tensor loss = tg_mean(tg_square(tree(r->t, on, &shape, 5)), TG_ALL_AXES, false);
        if (tg_depends(loss, on[0])) tg_minimize(o, loss);
        if (i < 200) see(r, tg_item(loss));
        if (i == trees / 2) blocks = tg__alloc_live();
    }
    if (r->way == PLANNED) {
        CHECK(tg_stats(r->t).plans_made > 5000, "only %llu plans", (unsigned long long)tg_stats(r->t).plans_made);
        CHECK(tg_stats(r->t).plan_bytes <= (32u << 20), "%llu bytes of plans", (unsigned long long)tg_stats(r->t).plan_bytes);
        CHECK(tg__alloc_live() < blocks + 3000, "blocks went from %llu to %llu", (unsigned long long)blocks,
              (unsigned long long)tg__alloc_live());
    }
    tg_optim_free(o);
    tg_model_free(m);
}

/* ------------------------------------------------------------------ 14 */

PROGRAM(n14_a_million_nodes) {
    tg_tensor one = tg_scalar(r->t, 1e-6, TG_F64), x = tg_scalar(r->t, 1, TG_F64), y = x, g;
    for (int i = 0; i < 500000; i++) y = tg_add(y, one);
    CHECK_NEAR(see(r, tg_item(y)), 1.5, 1e-9);
    CHECK_EQ_I(tg_stats(r->t).nodes, 500002);
    tg_grad(y, &one, 1, &g);
    CHECK_NEAR(see(r, tg_item(g)), 500000, 0);
    CHECK(tg_stats(r->t).nodes < 1100000, "%llu nodes", (unsigned long long)tg_stats(r->t).nodes);
}

PROGRAM(n14_a_hundred_thousand_gradients) {
    double x = .5, seconds[2] = {0};
    uint64_t nodes = 0;
    for (int i = 0; i < 100000; i++) {
        double start = cpu_seconds();
        tg_tensor w = tg_scalar(r->t, x, TG_F64), g;
        tg_tensor y = tg_mul(tg_sin(w), tg_exp(tg_neg(tg_square(w))));
        tg_grad(y, &w, 1, &g);
        if (i % 1000 == 0) see(r, tg_item(g));
        seconds[i >= 50000] += cpu_seconds() - start;
        if (i == 0) nodes = tg_stats(r->t).nodes;
    }
    CHECK_EQ_I(tg_stats(r->t).nodes, 100000 * nodes);
    CHECK(seconds[1] < 4 * seconds[0] + .1, "the first half took %.2f s, the second %.2f s", seconds[0], seconds[1]);
}

/* ------------------------------------------------------------------ 18, 22, 24 */

PROGRAM(n18_one_weight_used_a_thousand_times) {
    tg_tensor w = numbers_like(r->t, TG_SHAPE(7), TG_F64, 3), y = tg_zeros(r->t, TG_SHAPE(7), TG_F64), g;
    for (int i = 0; i < 1000; i++) y = tg_add(y, tg_mul(w, tg_scalar(r->t, 1 + i % 7, TG_F64)));
    uint64_t forward = tg_stats(r->t).nodes;
    tg_grad(sum_of(y), &w, 1, &g);
    CHECK(tg_stats(r->t).nodes < 2 * forward, "%llu nodes forward, %llu in all", (unsigned long long)forward,
          (unsigned long long)tg_stats(r->t).nodes);
    double want = 0;
    for (int i = 0; i < 1000; i++) want += 1 + i % 7;
    for (int k = 0; k < 7; k++) CHECK_NEAR(((const double *)tg_data(g))[k], want, 0);
    see_all(r, g);
}

PROGRAM(n18_a_tensor_with_a_thousand_slices) {
    tg_tensor x = numbers_like(r->t, TG_SHAPE(1000, 50), TG_F64, 3), y = tg_scalar(r->t, 0, TG_F64), g;
    for (int i = 0; i < 1000; i++) y = tg_add(y, sum_of(tg_square(tg_slice(x, 0, 999 - i, 1000 - i, 1))));
    uint64_t forward = tg_stats(r->t).nodes;
    tg_grad(y, &x, 1, &g);
    CHECK(tg_stats(r->t).nodes < 3 * forward, "%llu nodes forward, %llu in all", (unsigned long long)forward,
          (unsigned long long)tg_stats(r->t).nodes);
    tg_run(r->t, &g, 1);
    uint64_t most = 10 * 1000 * 50 * sizeof(double); /* padded slices would take 1000 times the tensor */
    if (r->way == PLANNED) CHECK(memory_of(r->t) < most, "%llu bytes", (unsigned long long)memory_of(r->t));
    const double *a = tg_data(x), *b = tg_data(g);
    bool right = true;
    for (int i = 0; i < 50000; i++) right = right && b[i] == 2 * a[i];
    CHECK(right, "the gradient is not 2 x");
    see(r, b[777]);
}

/* Gates that are used in an order of their own: their cotangents are joined, whether they fill the axis or not. */
PROGRAM(n18_slices_in_any_order) {
    static const int orders[][4] = {{2, 0, 3, 1}, {3, 2, 1, 0}, {1, 0, 2, 2}};
    for (int k = 0; k < 3; k++) {
        tg_tensor x = numbers_like(r->t, TG_SHAPE(2, 12), TG_F64, k), y = tg_scalar(r->t, 0, TG_F64), g;
        for (int i = 0; i < 4; i++) {
            int gate = orders[k][i];
            y = tg_add(y, tg_scale(sum_of(tg_square(tg_slice(x, 1, 3 * gate, 3 * gate + 3, 1))), i + 1));
        }
        tg_grad(y, &x, 1, &g);
        const char *made_by = r->t->nodes[g.id].op->name, *expected = k < 2 ? "concat" : "accumulate";
        CHECK(strcmp(made_by, expected) == 0, "%s, not %s", made_by, expected);
        const double *a = tg_data(x), *b = tg_data(g);
        for (int j = 0; j < 24; j++) {
            double weight = 0;
            for (int i = 0; i < 4; i++) weight += orders[k][i] == j % 12 / 3 ? i + 1 : 0;
            CHECK_NEAR(b[j], 2 * weight * a[j], 1e-14);
        }
        see(r, b[7]);
    }
}

PROGRAM(n22_elementwise_with_many_inputs) {
    enum { INPUTS = 40, N = 20000 };
    tg_tensor xs[INPUTS], gs[INPUTS], y = tg_ones(r->t, TG_SHAPE(N), TG_F64), sum = tg_zeros(r->t, TG_SHAPE(N), TG_F64);
    for (int i = 0; i < INPUTS; i++) {
        xs[i] = numbers_like(r->t, TG_SHAPE(N), TG_F64, i);
        y = tg_mul(y, tg_add_scalar(tg_scale(xs[i], .01), 1));
        sum = tg_add(sum, xs[i]);
    }
    tg_grad(sum_of(tg_mul(y, sum)), xs, INPUTS, gs);
    tg_run(r->t, gs, INPUTS);
    const double *total = tg_data(sum), *product = tg_data(y);
    for (int i = 0; i < INPUTS; i += 13)
        for (int k = 0; k < N; k += 4999) {
            double x = ((const double *)tg_data(xs[i]))[k], g = see(r, ((const double *)tg_data(gs[i]))[k]);
            CHECK_NEAR(g, product[k] + total[k] * product[k] * .01 / (1 + .01 * x), 1e-9);
        }
}

PROGRAM(n24_sums_of_products_in_one_gradient) {
    enum { PRODUCTS = 50 };
    tg_tensor w = numbers_like(r->t, TG_SHAPE(6, 5), TG_F64, 1), y = tg_scalar(r->t, 0, TG_F64), xs[PRODUCTS], g;
    for (int i = 0; i < PRODUCTS; i++) {
        xs[i] = numbers_like(r->t, TG_SHAPE(3, 6), TG_F64, i);
        y = tg_add(y, sum_of(tg_matmul(xs[i], w)));
    }
    tg_grad(y, &w, 1, &g);
    tg_run(r->t, &g, 1);
    bool one_product = tg_stats(r->t).kernels <= 2; /* and the packing of its ones */
    CHECK(r->way == EAGER || one_product, "%llu kernels", (unsigned long long)tg_stats(r->t).kernels);
    double want[6] = {0};
    for (int i = 0; i < PRODUCTS; i++)
        for (int k = 0; k < 18; k++) want[k % 6] += ((const double *)tg_data(xs[i]))[k];
    for (int k = 0; k < 30; k++) CHECK_NEAR(see(r, ((const double *)tg_data(g))[k]), want[k / 5], 1e-11);
}

/* ------------------------------------------------------------------ 23 */

PROGRAM(n23_the_interior_of_a_long_chain) {
    enum { LENGTH = 2000 };
    tg_tensor x = numbers_like(r->t, TG_SHAPE(100), TG_F32, 1), middle = x, y;
    for (int i = 0; i < LENGTH; i++) middle = tg_sin(middle);
    y = middle;
    for (int i = 0; i < LENGTH; i++) y = tg_cos(y);
    tg_run(r->t, &y, 1);
    see_all(r, y);
    see_all(r, middle);
    if (r->way == EAGER) return;
    CHECK_EQ_I(tg_stats(r->t).micro_ops, LENGTH); /* the first half again, since it was not kept, and not the second */
    uint64_t runs = tg_stats(r->t).runs;
    tg_data(middle);
    tg_data(y);
    CHECK_EQ_I(tg_stats(r->t).runs, runs);
}

/* ------------------------------------------------------------------ 8 again: shapes */

PROGRAM(n08_ever_new_shapes) {
    uint64_t blocks = 0;
    for (int64_t i = 1; i <= 70000 && tg_ok(r->t); i++, tg_tape_reset(r->t)) {    /* more than a tape remembers */
        tg_tensor empty = tg_exp(tg_uniform(r->t, TG_SHAPE(i, 0), TG_F64, 0, 1)); /* of no elements, so that it costs nothing */
        tg_tensor y = tg_add(sum_of(empty), tg_scalar(r->t, (double)i, TG_F64));
        if (i % 100 == 0) CHECK_NEAR(tg_item(y), (double)i, 0);
        if (i == 10000) blocks = tg__alloc_live();
    }
    CHECK(tg__alloc_live() < blocks + 100, "blocks went from %llu to %llu", (unsigned long long)blocks,
          (unsigned long long)tg__alloc_live());
}

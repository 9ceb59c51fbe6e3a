/* Values that are made twice rather than kept: the same bits in less memory. Random programs run so, too: tests/fuzz.c. */
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

#include "engine/engine.h"
#include "tests/test.h"

#define ROWS 1024
#define WIDTH 256
#define BLOCKS 6
#define STEPS 3

typedef struct trained {
    uint64_t pool, steps;
    double loss[STEPS];
    float first[WIDTH * WIDTH], last[WIDTH * WIDTH];
} trained;

typedef struct net {
    tg_model *m;
    tg_linear linear[BLOCKS];
    tg_norm_layer norm[BLOCKS];
} net;

static net net_new(void) {
    net n = {.m = tg_model_new(5)};
    for (int i = 0; i < BLOCKS; i++) {
        char name[32];
        snprintf(name, sizeof name, "linear%d", i);
        n.linear[i] = tg_linear_new(n.m, name, WIDTH, WIDTH);
        snprintf(name, sizeof name, "norm%d", i);
        n.norm[i] = tg_layer_norm_new(n.m, name, WIDTH);
    }
    return n;
}

/* Norms, rectifiers and random masks are cheap; a product is not. A block's result is read by the next block but one, too. */
static tg_tensor forward(net *n, tg_tensor x) {
    for (int i = 0; i < BLOCKS; i++) {
        tg_tensor h = tg_relu(tg_layer_norm_apply(n->norm[i], x));
        x = tg_add(x, tg_dropout(tg_linear_apply(n->linear[i], h), 0.1));
    }
    return x;
}

static void train(tg__remat_mode mode, bool poison, int threads, trained *out) {
    net n = net_new();
    tg_optim *opt = tg_adam(n.m, (tg_adam_config){.lr = 0.01});
    tg_tape *t = tg_tape_new();
    t->remat = mode;
    t->debug_memory = poison;
    tg_set_threads(t, threads);
    for (int i = 0; i < STEPS; i++) {
        tg_tape_reset(t);
        tg_seed(t, (uint64_t)i);
        tg_tensor y = forward(&n, tg_normal(t, TG_SHAPE(ROWS, WIDTH), TG_F32, 0, 1));
        tg_tensor loss = tg_mean(tg_square(y), TG_ALL_AXES, false);
        tg_minimize(opt, loss);
        out->loss[i] = tg_item(loss);
        CHECK(tg_ok(t), "%s", tg_message(t));
    }
    tg_tape_stats s = tg_stats(t);
    out->pool = s.pool_bytes;
    out->steps = s.steps;
    tg_read(tg_on(t, n.linear[0].weight), out->first, sizeof out->first);
    tg_read(tg_on(t, n.linear[BLOCKS - 1].weight), out->last, sizeof out->last);
    tg_tape_free(t);
    tg_optim_free(opt);
    tg_model_free(n.m);
}

static bool same_bits(const trained *a, const trained *b) {
    return !memcmp(a->loss, b->loss, sizeof a->loss) && !memcmp(a->first, b->first, sizeof a->first) &&
           !memcmp(a->last, b->last, sizeof a->last);
}

TEST(remat, trains_with_the_same_bits_in_less_memory) {
    static trained never, large, always, poisoned, threads;
    train(TG__REMAT_NEVER, false, 1, &never);
    train(TG__REMAT_LARGE, false, 1, &large);
    train(TG__REMAT_ALWAYS, false, 1, &always);
    train(TG__REMAT_ALWAYS, true, 1, &poisoned);
    train(TG__REMAT_LARGE, false, 3, &threads);
    CHECK(same_bits(&never, &large) && same_bits(&never, &always) && same_bits(&never, &poisoned) &&
              same_bits(&never, &threads),
          "losses %.17g, %.17g, %.17g, %.17g, %.17g", never.loss[STEPS - 1], large.loss[STEPS - 1], always.loss[STEPS - 1],
          poisoned.loss[STEPS - 1], threads.loss[STEPS - 1]);
    CHECK(large.steps > never.steps && (double)large.pool < 0.8 * (double)never.pool,
          "%llu bytes for %llu steps, not %llu for %llu",
          (unsigned long long)large.pool, (unsigned long long)large.steps, (unsigned long long)never.pool,
          (unsigned long long)never.steps);
}

/* Steps of the gradient of a chain of products, with cheap values between them or without. */
static uint64_t chain_steps(tg__remat_mode mode, int64_t rows, bool cheap) {
    tg_tape *t = tg_tape_new();
    t->remat = mode;
    float *numbers = calloc((size_t)(rows * WIDTH), sizeof *numbers);
    for (int64_t i = 0; i < rows * WIDTH; i++) numbers[i] = (float)(i % 61) / 61 - 0.5f;
    tg_tensor w = tg_input(t, tg_f32(numbers, TG_SHAPE(WIDTH, WIDTH))), g;
    tg_tensor y = tg_input(t, tg_f32(numbers, TG_SHAPE(rows, WIDTH)));
    for (int i = 0; i < BLOCKS; i++) {
        y = tg_matmul(y, w);
        if (cheap) y = tg_relu(tg_layer_norm(y, (tg_tensor){0}, (tg_tensor){0}, 1e-5));
    }
    tg_grad(tg_sum(tg_square(y), TG_ALL_AXES, false), &w, 1, &g);
    tg_run(t, &g, 1);
    CHECK(tg_ok(t), "%s", tg_message(t));
    uint64_t steps = tg_stats(t).steps;
    tg_tape_free(t);
    free(numbers);
    return steps;
}

TEST(remat, small_plans_are_left_alone) {
    CHECK_EQ_I(chain_steps(TG__REMAT_LARGE, WIDTH, true), chain_steps(TG__REMAT_NEVER, WIDTH, true));
    CHECK(chain_steps(TG__REMAT_LARGE, 16 * WIDTH, true) > chain_steps(TG__REMAT_NEVER, 16 * WIDTH, true),
          "large ones as well");
}

TEST(remat, products_are_not_made_twice) {
    CHECK_EQ_I(chain_steps(TG__REMAT_LARGE, 16 * WIDTH, false), chain_steps(TG__REMAT_NEVER, 16 * WIDTH, false));
    CHECK(chain_steps(TG__REMAT_ALWAYS, 16 * WIDTH, false) > chain_steps(TG__REMAT_NEVER, 16 * WIDTH, false),
          "not even where memory is all that counts");
}

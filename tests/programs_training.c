/* Programs that train: 1, 3, 5, 7, 16 and 26 of the design. */
#include "tests/programs.h"

typedef struct net {
    tg_model *m;
    tg_linear a, b;
} net;

static net net_new(uint64_t seed, const char *name, int64_t in, int64_t hidden, int64_t out) {
    char text[40];
    net n = {.m = tg_model_new(seed)};
    snprintf(text, sizeof text, "%s.a", name);
    n.a = tg_linear_new(n.m, text, in, hidden);
    snprintf(text, sizeof text, "%s.b", name);
    n.b = tg_linear_new(n.m, text, hidden, out);
    return n;
}

static tg_tensor net_apply(const net *n, tg_tensor x) { return tg_linear_apply(n->b, tg_tanh(tg_linear_apply(n->a, x))); }

static tg_tensor net_loss(const net *n, tg_tape *t, double seed) {
    tg_tensor x = numbers_like(t, TG_SHAPE(8, 3), TG_F32, seed), y = numbers_like(t, TG_SHAPE(8, 2), TG_F32, seed + .5);
    return tg_mse(net_apply(n, x), y);
}

static void see_model(program_run *r, tg_model *m) {
    for (int i = 0; i < tg_model_count(m); i++) see_all(r, tg_model_at(m, i));
}

/* ------------------------------------------------------------------ 1 */

PROGRAM(n01_loss_before_and_after_minimize) {
    net n = net_new(1, "n", 3, 5, 2);
    tg_optim *o = tg_sgd(n.m, (tg_sgd_config){.lr = .1});
    double last = INFINITY;
    for (int step = 0; step < 5; step++, tg_tape_reset(r->t)) {
        tg_tensor loss = net_loss(&n, r->t, 0);
        double before = step % 2 ? tg_item(loss) : NAN;
        tg_minimize(o, loss);
        double after = see(r, tg_item(loss));
        CHECK(tg_ok(r->t), "step %d: %s", step, tg_message(r->t));
        if (step % 2) CHECK_NEAR(after, before, 0);
        CHECK(after < last, "the loss went from %g to %g", last, after);
        last = after;
    }
    CHECK_EQ_I(tg_optim_steps(o), 5);
    tg_optim_free(o);
    tg_model_free(n.m);
}

/* ------------------------------------------------------------------ 3 */

enum { MICRO = 4, ROWS = 6 };

static tg_tensor rows_loss(tg_tape *t, tg_tensor w, int first, int n) {
    tg_tensor x = tg_slice(numbers_like(t, TG_SHAPE(MICRO * ROWS, 5), TG_F64, 2), 0, first, first + n, 1);
    return tg_mean(tg_square(tg_matmul(x, tg_on(t, w))), TG_ALL_AXES, false);
}

PROGRAM(n03_micro_batches_make_one_big_batch) {
    tg_model *m = tg_model_new(3);
    tg_tensor w = tg_param(m, "w", TG_SHAPE(5, 2), TG_F64, (tg_init){.kind = TG_INIT_NORMAL, .b = 1});
    tg_tensor sum = tg_state_new(r->t, TG_SHAPE(5, 2), TG_F64), g;
    double whole[10], parts[10];
    tg_grad(rows_loss(r->t, w, 0, MICRO * ROWS), &w, 1, &g);
    tg_read(g, whole, sizeof whole);
    tg_tape_reset(r->t);
    for (int i = 0; i < MICRO; i++, tg_tape_reset(r->t)) {
        tg_grad(rows_loss(r->t, w, i * ROWS, ROWS), &w, 1, &g);
        tg_assign(sum, tg_add(tg_on(r->t, sum), tg_scale(g, 1. / MICRO)));
        tg_step(r->t);
    }
    tg_read(sum, parts, sizeof parts);
    for (int i = 0; i < 10; i++) CHECK_NEAR(see(r, parts[i]), whole[i], 1e-14);

    tg_optim *o = tg_sgd(m, (tg_sgd_config){.lr = .5});
    double before[10], after[10];
    tg_read(w, before, sizeof before);
    tg_tensor given = tg_on(r->t, sum);
    tg_update_grads(o, &w, &given, 1);
    tg_assign(sum, tg_zeros(r->t, TG_SHAPE(5, 2), TG_F64));
    tg_step(r->t);
    tg_read(w, after, sizeof after);
    for (int i = 0; i < 10; i++) CHECK_NEAR(see(r, after[i]), before[i] - .5 * parts[i], 1e-15);
    CHECK_NEAR(((const double *)tg_data(sum))[3], 0, 0);
    tg_optim_free(o);
    tg_model_free(m);
}

/* ------------------------------------------------------------------ 5 */

typedef struct batch_norm {
    tg_tensor scale, shift, mean, var;
} batch_norm;

static tg_tensor normalised(const batch_norm *b, tg_tensor x, tg_tensor mean, tg_tensor var) {
    tg_tensor y = tg_mul(tg_sub(x, mean), tg_rsqrt(tg_add_scalar(var, 1e-5)));
    return tg_add(tg_mul(y, b->scale), b->shift);
}

static tg_tensor moved(tg_tape *t, tg_tensor old, tg_tensor now) {
    return tg_add(tg_scale(tg_on(t, old), .9), tg_scale(now, .1));
}

static tg_tensor batch_norm_train(const batch_norm *b, tg_tensor x) {
    tg_tape *t = tg_tape_of(x);
    tg_tensor mean = tg_mean(x, TG_AXES(0), false), var = tg_mean(tg_square(tg_sub(x, mean)), TG_AXES(0), false);
    tg_assign(b->mean, moved(t, b->mean, mean));
    tg_assign(b->var, moved(t, b->var, var));
    return normalised(b, x, mean, var);
}

PROGRAM(n05_batch_norm) {
    tg_model *m = tg_model_new(5);
    tg_init one = {.kind = TG_INIT_CONSTANT, .a = 1};
    batch_norm b = {tg_param(m, "scale", TG_SHAPE(3), TG_F64, one), tg_param(m, "shift", TG_SHAPE(3), TG_F64, (tg_init){0}),
                    tg_buffer(m, "mean", TG_SHAPE(3), TG_F64), tg_buffer(m, "var", TG_SHAPE(3), TG_F64)};
    tg_optim *o = tg_sgd(m, (tg_sgd_config){.lr = .01});
    double mean[3] = {0}, got[3];
    for (int step = 0; step < 4; step++, tg_tape_reset(r->t)) {
        uint64_t version = tg_param_version(b.mean);
        tg_tensor x = numbers_like(r->t, TG_SHAPE(10, 3), TG_F64, step);
        const double *v = tg_data(x);
        for (int k = 0; k < 3; k++) {
            double sum = 0;
            for (int i = 0; i < 10; i++) sum += v[3 * i + k];
            mean[k] = .9 * mean[k] + .1 * sum / 10;
        }
        tg_tensor y = batch_norm_train(&b, batch_norm_train(&b, x)); /* two uses in a step, one update of each statistic */
        tg_discard_effects(r->t);
        y = batch_norm_train(&b, x);
        tg_minimize(o, tg_mean(tg_square(tg_add_scalar(y, .5)), TG_ALL_AXES, false));
        CHECK_EQ_I(tg_param_version(b.mean), version + 1);
        tg_read(b.mean, got, sizeof got);
        for (int k = 0; k < 3; k++) CHECK_NEAR(got[k], mean[k], 1e-14);
    }
    see_model(r, m);
    uint64_t version = tg_param_version(b.mean);
    see_all(r, normalised(&b, numbers_like(r->t, TG_SHAPE(2, 3), TG_F64, 9), tg_on(r->t, b.mean), tg_on(r->t, b.var)));
    CHECK_EQ_I(tg_step(r->t), TG_OK);
    CHECK_EQ_I(tg_param_version(b.mean), version);
    tg_optim_free(o);
    tg_model_free(m);
}

/* ------------------------------------------------------------------ 7 */

typedef struct gan {
    net g, d;
    tg_optim *og, *od;
    tg_tensor loss_g, loss_d;
} gan;

static gan gan_new(void) {
    gan n = {.g = net_new(7, "g", 2, 4, 3), .d = net_new(8, "d", 3, 4, 1)};
    n.og = tg_sgd(n.g.m, (tg_sgd_config){.lr = .1});
    n.od = tg_sgd(n.d.m, (tg_sgd_config){.lr = .1});
    return n;
}

static void gan_free(gan *n) {
    tg_optim_free(n->og);
    tg_optim_free(n->od);
    tg_model_free(n->g.m);
    tg_model_free(n->d.m);
}

static void gan_record(gan *n, tg_tape *t) {
    tg_tensor fake = net_apply(&n->g, numbers_like(t, TG_SHAPE(6, 2), TG_F32, 4));
    tg_tensor on_fake = net_apply(&n->d, fake), on_real = net_apply(&n->d, numbers_like(t, TG_SHAPE(6, 3), TG_F32, 5));
    n->loss_d = tg_mean(tg_add(tg_softplus(on_fake), tg_softplus(tg_neg(on_real))), TG_ALL_AXES, false);
    n->loss_g = tg_mean(tg_softplus(tg_neg(on_fake)), TG_ALL_AXES, false);
}

static void descend_by_hand(tg_tape *t, tg_model *m, tg_tensor loss, float *out) {
    tg_tensor w[4], g[4];
    for (int i = 0; i < 4; i++) w[i] = tg_model_at(m, i);
    tg_grad(loss, w, 4, g);
    for (int i = 0; i < 4; i++) {
        size_t size = (size_t)tg_numel(w[i]) * sizeof *out;
        tg_read(tg_sub(tg_on(t, w[i]), tg_mul(tg_scalar(t, .1, TG_F32), g[i])), out, size);
        out += tg_numel(w[i]);
    }
}

static bool model_is(tg_model *m, const float *want) {
    bool same = true;
    for (int i = 0; i < tg_model_count(m); i++) {
        size_t n = (size_t)tg_numel(tg_model_at(m, i));
        same = same && memcmp(tg_data(tg_model_at(m, i)), want, n * sizeof *want) == 0;
        want += n;
    }
    return same;
}

PROGRAM(n07_two_optimizers) {
    gan n = gan_new();
    float want_g[64], want_d[64];
    gan_record(&n, r->t); /* one step: both gradients are those of the old values */
    descend_by_hand(r->t, n.g.m, n.loss_g, want_g);
    descend_by_hand(r->t, n.d.m, n.loss_d, want_d);
    tg_tape_reset(r->t);
    gan_record(&n, r->t);
    tg_update(n.od, n.loss_d);
    tg_update(n.og, n.loss_g);
    tg_step(r->t);
    CHECK(model_is(n.g.m, want_g), "the generator has other values");
    CHECK(model_is(n.d.m, want_d), "the discriminator has other values");
    tg_tape_reset(r->t);
    for (int step = 0; step < 3; step++) { /* two steps, the second sees the first */
        gan_record(&n, r->t);
        tg_minimize(n.od, n.loss_d);
        tg_tape_reset(r->t);
        gan_record(&n, r->t);
        descend_by_hand(r->t, n.g.m, n.loss_g, want_g);
        tg_minimize(n.og, n.loss_g);
        CHECK(model_is(n.g.m, want_g), "step %d: the generator has other values", step);
        tg_tape_reset(r->t);
    }
    see_model(r, n.g.m);
    see_model(r, n.d.m);
    CHECK_EQ_I(tg_optim_steps(n.og), 4);
    CHECK_EQ_I(tg_optim_steps(n.od), 4);
    gan_free(&n);
}

/* ------------------------------------------------------------------ 16 */

static double one_and_zero(int64_t step, double lr, void *user) {
    (void)lr, (void)user;
    return step % 3 == 0 ? 0 : step % 3 == 1 ? 1 : 1e-3;
}

PROGRAM(n16_numbers_make_no_new_plan) {
    net n = net_new(16, "n", 3, 5, 2);
    tg_optim *o = tg_adam(n.m, (tg_adam_config){.common.schedule = one_and_zero});
    for (int step = 0; step < 30; step++, tg_tape_reset(r->t)) {
        tg_tensor loss = net_loss(&n, r->t, step);
        tg_minimize(o, tg_add_scalar(tg_scale(loss, step % 2), step % 5 ? 1 : 0));
    }
    see_model(r, n.m);
    if (r->way != EAGER) {
        CHECK_EQ_I(tg_stats(r->t).plans_made, 2);
        CHECK_EQ_I(tg_stats(r->t).plan_hits, 28);
    }
    tg_optim_free(o);
    tg_model_free(n.m);
}

/* ------------------------------------------------------------------ 26 */

PROGRAM(n26_an_error_in_a_long_loop) {
    net n = net_new(26, "n", 3, 5, 2), m = net_new(26, "n", 3, 5, 2);
    tg_optim *o = tg_adamw(n.m, (tg_adamw_config){0}), *other = tg_adamw(m.m, (tg_adamw_config){0});
    for (int step = 1; step <= 10; step++, tg_tape_reset(r->t)) { /* with an error at step 7, which nobody looks at before 10 */
        tg_tensor loss = net_loss(&n, r->t, step);
        if (step == 7) loss = tg_add(loss, tg_matmul(loss, loss));
        tg_minimize(o, loss);
        double value = tg_item(loss);
        CHECK(isnan(value) == (step >= 7), "step %d: the loss is %g", step, value);
    }
    CHECK_EQ_I(tg_error(r->t), TG_ESHAPE);
    CHECK_STR(tg_message(r->t), "matmul");
    CHECK_STR(tg_message(r->t), "programs_training.c:");
    CHECK_EQ_I(tg_optim_steps(o), 6);
    tg_clear(r->t);
    tg_tape_reset(r->t);
    for (int step = 7; step <= 10; step++, tg_tape_reset(r->t)) tg_minimize(o, net_loss(&n, r->t, step));
    for (int step = 1; step <= 10; step++, tg_tape_reset(r->t)) tg_minimize(other, net_loss(&m, r->t, step));
    CHECK(tg_ok(r->t), "%s", tg_message(r->t));
    CHECK_EQ_I(tg_optim_steps(o), 10);
    for (int i = 0; i < tg_model_count(n.m); i++) {
        tg_tensor a = tg_model_at(n.m, i), b = tg_model_at(m.m, i);
        CHECK(!memcmp(tg_data(a), tg_data(b), (size_t)tg_numel(a) * sizeof(float)), "%s differs", tg_param_name(a));
    }
    see_model(r, n.m);
    tg_optim_free(o);
    tg_optim_free(other);
    tg_model_free(n.m);
    tg_model_free(m.m);
}

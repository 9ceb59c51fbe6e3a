/* Update rules against plain loops in f64, and what an optimizer promises beside its numbers. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>
#include <unistd.h>

#include "engine/alloc.h"
#include "test.h"

enum { NA = 5, NB = 6, N = NA + NB, STEPS = 20 };

/* ------------------------------------------------------------------ a problem whose gradient is known: g = c w + d */

static double coefficient(int i) { return .5 + .25 * i; }
static double slope(int i) { return i % 2 ? -1.5 + .1 * i : .75 - .2 * i; }
static double first_value(int i) { return sin(1 + i) * 2; }
static double gradient(int i, double w) { return coefficient(i) * w + slope(i); }

typedef struct problem {
    tg_model *m;
    tg_tape *t;
    tg_tensor a, b, unused;
    double unused_before[4];
} problem;

static problem problem_new(void) {
    double w[N];
    tg_init zeros = {.kind = TG_INIT_ZEROS}, normal = {.kind = TG_INIT_NORMAL, .b = 1};
    problem p = {.m = tg_model_new(7), .t = tg_tape_new()};
    for (int i = 0; i < N; i++) w[i] = first_value(i);
    p.a = tg_param(p.m, "a", TG_SHAPE(NA), TG_F64, zeros);
    p.unused = tg_param(p.m, "unused", TG_SHAPE(4), TG_F64, normal);
    p.b = tg_param(p.m, "b", TG_SHAPE(2, 3), TG_F64, zeros);
    tg_buffer(p.m, "statistics", TG_SHAPE(3), TG_F32);
    tg_param_write(p.a, tg_f64(w, TG_SHAPE(NA)));
    tg_param_write(p.b, tg_f64(w + NA, TG_SHAPE(2, 3)));
    tg_read(p.unused, p.unused_before, sizeof p.unused_before);
    return p;
}

static void problem_free(problem *p) {
    tg_tape_free(p->t);
    tg_model_free(p->m);
}

static tg_tensor part_loss(tg_tape *t, tg_tensor w, int first, tg_shape s) {
    double c[N], d[N];
    for (int i = 0; i < N; i++) c[i] = coefficient(i), d[i] = slope(i);
    tg_tensor cw = tg_mul(tg_scale(tg_input(t, tg_f64(c + first, s)), .5), w);
    return tg_sum(tg_mul(tg_add(cw, tg_input(t, tg_f64(d + first, s))), w), TG_ALL_AXES, false);
}

static tg_tensor problem_loss(const problem *p) {
    return tg_add(part_loss(p->t, p->a, 0, TG_SHAPE(NA)), part_loss(p->t, p->b, NA, TG_SHAPE(2, 3)));
}

static void values(const problem *p, double *w) {
    tg_read(p->a, w, NA * sizeof *w);
    tg_read(p->b, w + NA, NB * sizeof *w);
}

static double rate(int64_t step, double lr, void *user) {
    (void)user;
    return lr * (1 + .3 * sin((double)step));
}

/* ------------------------------------------------------------------ the rules once more, as loops */

typedef struct plain {
    double w[N], m[N], v[N];
    double lr, momentum, decay, clip;
    bool nesterov, decoupled;
} plain;

static void clip_gradients(double *g, double limit) {
    double total = 0;
    for (int i = 0; i < N; i++) total += g[i] * g[i];
    double norm = sqrt(total);
    for (int i = 0; i < N && limit > 0 && norm > limit; i++) g[i] *= limit / norm;
}

static void plain_sgd(plain *p, double *g, int t) {
    (void)t;
    for (int i = 0; i < N; i++) {
        g[i] += p->decay * p->w[i];
        p->m[i] = p->momentum * p->m[i] + g[i];
        p->w[i] -= p->lr * (p->momentum == 0 ? g[i] : p->nesterov ? g[i] + p->momentum * p->m[i] : p->m[i]);
    }
}

static void plain_adam(plain *p, double *g, int t) {
    const double b1 = .9, b2 = .999, eps = 1e-8;
    for (int i = 0; i < N; i++) {
        if (p->decoupled)
            p->w[i] -= p->lr * p->decay * p->w[i];
        else
            g[i] += p->decay * p->w[i];
        p->m[i] = b1 * p->m[i] + (1 - b1) * g[i];
        p->v[i] = b2 * p->v[i] + (1 - b2) * g[i] * g[i];
        p->w[i] -= p->lr * (p->m[i] / (1 - pow(b1, t))) / (sqrt(p->v[i] / (1 - pow(b2, t))) + eps);
    }
}

static void plain_step(plain *p, void (*rule)(plain *, double *, int), double lr, int t) {
    double g[N];
    for (int i = 0; i < N; i++) g[i] = gradient(i, p->w[i]);
    clip_gradients(g, p->clip);
    p->lr = rate(t, lr, NULL);
    rule(p, g, t);
}

static void compare(tg_optim *(*make)(tg_model *), plain q, void (*rule)(plain *, double *, int), double lr) {
    problem p = problem_new();
    tg_optim *o = make(p.m);
    if (!CHECK(o != NULL, "no optimizer")) return;
    for (int i = 0; i < N; i++) q.w[i] = first_value(i);
    for (int t = 1; t <= STEPS; t++) {
        double w[N];
        CHECK_EQ_I(tg_minimize(o, problem_loss(&p)), TG_OK);
        if (!CHECK(tg_ok(p.t), "%s", tg_message(p.t))) break;
        plain_step(&q, rule, lr, t);
        values(&p, w);
        for (int i = 0; i < N; i++) CHECK_NEAR(w[i], q.w[i], 1e-12);
        CHECK_EQ_I(tg_optim_steps(o), t);
        tg_tape_reset(p.t);
    }
    CHECK(memcmp(tg_data(p.unused), p.unused_before, sizeof p.unused_before) == 0,
          "a parameter without a path to the loss changed");
    tg_optim_free(o);
    problem_free(&p);
}

#define COMMON \
    { .schedule = rate }
#define CLIPPED \
    { .schedule = rate, .clip_norm = 1.25 }
static tg_optim *make_sgd(tg_model *m) { return tg_sgd(m, (tg_sgd_config){.lr = .05, .common = COMMON}); }
static tg_optim *make_sgd_default(tg_model *m) { return tg_sgd(m, (tg_sgd_config){.common = COMMON}); }
static tg_optim *make_sgd_decay(tg_model *m) {
    return tg_sgd(m, (tg_sgd_config){.lr = .05, .weight_decay = .1, .common = CLIPPED});
}
static tg_optim *make_momentum(tg_model *m) {
    return tg_sgd(m, (tg_sgd_config){.lr = .05, .momentum = .9, .weight_decay = .1, .common = COMMON});
}
static tg_optim *make_nesterov(tg_model *m) {
    return tg_sgd(m, (tg_sgd_config){.lr = .05, .momentum = .9, .nesterov = true, .common = CLIPPED});
}
static tg_optim *make_adam(tg_model *m) { return tg_adam(m, (tg_adam_config){.common = COMMON}); }
static tg_optim *make_adam_decay(tg_model *m) {
    return tg_adam(m, (tg_adam_config){.lr = .05, .weight_decay = .1, .common = CLIPPED});
}
static tg_optim *make_adamw(tg_model *m) { return tg_adamw(m, (tg_adamw_config){.lr = .05, .common = COMMON}); }
static tg_optim *make_adamw_decay(tg_model *m) {
    return tg_adamw(m, (tg_adamw_config){.lr = .05, .weight_decay = .2, .common = CLIPPED});
}
static tg_optim *make_adamw_plain(tg_model *m) {
    return tg_adamw(m, (tg_adamw_config){.lr = .05, .weight_decay = -1, .common = COMMON});
}

TEST(optim, sgd) { compare(make_sgd, (plain){0}, plain_sgd, .05); }
TEST(optim, sgd_default_rate) { compare(make_sgd_default, (plain){0}, plain_sgd, .01); }
TEST(optim, sgd_decay_clipped) { compare(make_sgd_decay, (plain){.decay = .1, .clip = 1.25}, plain_sgd, .05); }
TEST(optim, sgd_momentum_decay) { compare(make_momentum, (plain){.momentum = .9, .decay = .1}, plain_sgd, .05); }
TEST(optim, sgd_nesterov_clipped) {
    compare(make_nesterov, (plain){.momentum = .9, .nesterov = true, .clip = 1.25}, plain_sgd, .05);
}
TEST(optim, adam_defaults) { compare(make_adam, (plain){0}, plain_adam, .001); }
TEST(optim, adam_decay_clipped) { compare(make_adam_decay, (plain){.decay = .1, .clip = 1.25}, plain_adam, .05); }
TEST(optim, adamw_default_decay) { compare(make_adamw, (plain){.decay = .01, .decoupled = true}, plain_adam, .05); }
TEST(optim, adamw_decay_clipped) {
    compare(make_adamw_decay, (plain){.decay = .2, .decoupled = true, .clip = 1.25}, plain_adam, .05);
}
TEST(optim, adamw_no_decay) { compare(make_adamw_plain, (plain){.decoupled = true}, plain_adam, .05); }

/* ------------------------------------------------------------------ updates and steps */

TEST(optim, gradients_of_the_users_own) {
    problem p = problem_new(), q = problem_new();
    tg_optim *o = make_adamw_decay(p.m), *r = make_adamw_decay(q.m);
    for (int k = 0; k < 5; k++) {
        double w[N], v[N];
        tg_tensor params[2] = {p.a, p.b}, grads[2];
        tg_grad(problem_loss(&p), params, 2, grads);
        CHECK_EQ_I(tg_update_grads(o, params, grads, 2), TG_OK);
        CHECK_EQ_I(tg_step(p.t), TG_OK);
        CHECK_EQ_I(tg_minimize(r, problem_loss(&q)), TG_OK);
        values(&p, w);
        values(&q, v);
        CHECK(memcmp(w, v, sizeof w) == 0, "step %d differs", k + 1);
        tg_tape_reset(p.t);
        tg_tape_reset(q.t);
    }
    tg_optim_free(o);
    tg_optim_free(r);
    problem_free(&p);
    problem_free(&q);
}

TEST(optim, two_updates_in_one_step) {
    problem p = problem_new(), q = problem_new();
    tg_optim *o = make_adam_decay(p.m), *r = make_adam_decay(q.m);
    double w[N], v[N];
    tg_update(o, problem_loss(&p));
    tg_update(o, problem_loss(&p)); /* reads what the first one assigned */
    CHECK_EQ_I(tg_optim_steps(o), 0);
    CHECK_EQ_I(tg_step(p.t), TG_OK);
    CHECK_EQ_I(tg_optim_steps(o), 2);
    for (int k = 0; k < 2; k++) {
        tg_minimize(r, problem_loss(&q));
        tg_tape_reset(q.t);
    }
    values(&p, w);
    values(&q, v);
    CHECK(memcmp(w, v, sizeof w) == 0, "%s%s", tg_message(p.t), tg_message(q.t));
    tg_optim_free(o);
    tg_optim_free(r);
    problem_free(&p);
    problem_free(&q);
}

TEST(optim, a_failed_step_changes_nothing) {
    problem p = problem_new();
    tg_optim *o = make_adamw(p.m);
    double before[N], after[N];
    CHECK_EQ_I(tg_minimize(o, problem_loss(&p)), TG_OK);
    tg_tape_reset(p.t);
    values(&p, before);
    tg_update(o, problem_loss(&p));
    tg_add(p.a, tg_on(p.t, p.b)); /* (5) and (2, 3) */
    CHECK_EQ_I(tg_step(p.t), TG_ESHAPE);
    values(&p, after);
    CHECK(memcmp(before, after, sizeof before) == 0, "parameters changed");
    CHECK_EQ_I(tg_optim_steps(o), 1);
    tg_clear(p.t);
    CHECK_EQ_I(tg_step(p.t), TG_OK); /* the update was recorded whole */
    CHECK_EQ_I(tg_optim_steps(o), 2);
    tg_optim_free(o);
    problem_free(&p);
}

TEST(optim, changing_numbers_make_no_plan) {
    problem p = problem_new();
    tg_optim *o = make_adamw_decay(p.m);
    uint64_t plans = 0;
    for (int k = 0; k < 12; k++) {
        tg_optim_set_lr(o, k == 7 ? 0 : k == 8 ? 1 : .01 * k);
        CHECK_EQ_I(tg_minimize(o, problem_loss(&p)), TG_OK);
        tg_tape_reset(p.t);
        if (k == 3) plans = tg_stats(p.t).plans_made;
    }
    CHECK_EQ_I(tg_stats(p.t).plans_made, plans);
    tg_optim_free(o);
    problem_free(&p);
}

TEST(optim, rate_zero_is_zero) {
    problem p = problem_new();
    tg_optim *o = tg_sgd(p.m, (tg_sgd_config){0});
    double before[N], after[N];
    CHECK_NEAR(tg_optim_lr(o), .01, 0);
    tg_optim_set_lr(o, 0);
    values(&p, before);
    CHECK_EQ_I(tg_minimize(o, problem_loss(&p)), TG_OK);
    values(&p, after);
    CHECK(memcmp(before, after, sizeof before) == 0, "a step of rate 0 moved the parameters");
    tg_optim_free(o);
    problem_free(&p);
}

TEST(optim, mixed_dtypes_share_one_norm) {
    const float x[] = {3, 0, -1, 2};
    const double y[] = {4, -2, 1};
    float w[4];
    double v[3];
    tg_init zeros = {.kind = TG_INIT_ZEROS};
    tg_model *m = tg_model_new(1);
    tg_tensor a = tg_param(m, "a", TG_SHAPE(4), TG_F32, zeros), b = tg_param(m, "b", TG_SHAPE(3), TG_F64, zeros);
    tg_optim *o = tg_sgd(m, (tg_sgd_config){.lr = 1, .common = {.clip_norm = 2}});
    tg_tape *t = tg_tape_new();
    tg_tensor grads[] = {tg_input(t, tg_f32(x, TG_SHAPE(4))), tg_input(t, tg_f64(y, TG_SHAPE(3)))}, params[] = {a, b};
    CHECK_EQ_I(tg_update_grads(o, params, grads, 2), TG_OK);
    CHECK_EQ_I(tg_step(t), TG_OK);
    tg_read(a, w, sizeof w);
    tg_read(b, v, sizeof v);
    double norm = sqrt(9 + 1 + 4 + 16 + 4 + 1);
    for (int i = 0; i < 4; i++) CHECK_NEAR(w[i], -x[i] * 2 / norm, 1e-6);
    for (int i = 0; i < 3; i++) CHECK_NEAR(v[i], -y[i] * 2 / norm, 1e-15);
    CHECK(tg_ok(t), "%s", tg_message(t));
    tg_tape_free(t);
    tg_optim_free(o);
    tg_model_free(m);
}

TEST(optim, parameters_made_later_join) {
    problem p = problem_new();
    tg_optim *o = tg_adam(p.m, (tg_adam_config){0});
    tg_tensor late = tg_param(p.m, "late", TG_SCALAR, TG_F64, (tg_init){.kind = TG_INIT_CONSTANT, .a = 1});
    tg_tensor loss = tg_add(problem_loss(&p), tg_on(p.t, late));
    CHECK_EQ_I(tg_minimize(o, loss), TG_OK);
    CHECK_NEAR(tg_item(late), 1 - 1e-3, 1e-10); /* the first step of Adam is lr sign(g) */
    CHECK(tg_valid(tg_model_find(tg_optim_state(o), "v/late")), "no state for a late parameter");
    CHECK(!tg_valid(tg_model_find(tg_optim_state(o), "m/statistics")), "state for a buffer");
    tg_optim_free(o);
    problem_free(&p);
}

/* ------------------------------------------------------------------ resuming */

static void train(problem *p, tg_optim *o, int steps) {
    for (int k = 0; k < steps; k++) {
        tg_minimize(o, problem_loss(p));
        tg_tape_reset(p->t);
    }
}

TEST(optim, resumes_exactly) {
    char model[] = "/tmp/tapegrad-model-XXXXXX", state[] = "/tmp/tapegrad-state-XXXXXX";
    int f = mkstemp(model), g = mkstemp(state);
    if (!CHECK(f >= 0 && g >= 0, "no temporary files")) return;
    close(f);
    close(g);
    problem p = problem_new(), q = problem_new();
    tg_optim *o = make_adam_decay(p.m), *r = make_adam_decay(q.m);
    tg_file_error e;
    double w[N], v[N];
    train(&p, o, 7);
    CHECK_EQ_I(tg_save(p.m, model, &e), TG_OK);
    CHECK_EQ_I(tg_save(tg_optim_state(o), state, &e), TG_OK);
    CHECK_EQ_I(tg_load(q.m, model, &e), TG_OK);
    CHECK_EQ_I(tg_load(tg_optim_state(r), state, &e), TG_OK);
    CHECK_EQ_I(tg_optim_steps(r), 7);
    train(&p, o, 5);
    train(&q, r, 5);
    values(&p, w);
    values(&q, v);
    CHECK(memcmp(w, v, sizeof w) == 0, "%s%s", tg_message(p.t), tg_message(q.t));
    unlink(model);
    unlink(state);
    tg_optim_free(o);
    tg_optim_free(r);
    problem_free(&p);
    problem_free(&q);
}

/* ------------------------------------------------------------------ memory */

static void train_to(problem *p, tg_optim *o, int64_t steps) {
    for (int k = 0; tg_optim_steps(o) < steps && k < 10; k++) {
        tg_minimize(o, problem_loss(p));
        tg_tape_reset(p->t);
    }
}

/* The n-th allocation of the first step fails: nothing has changed, and training goes on as if nothing had been.
 * True: there are fewer allocations. */
static bool step_without_memory(uint64_t n, const double *before, const double *after) {
    problem p = problem_new();
    tg_optim *o = make_adamw_decay(p.m);
    double w[N];
    tg__alloc_fail_at(n, false);
    tg_status s = tg_minimize(o, problem_loss(&p));
    bool past = tg__alloc_fail_at(0, false) < n;
    values(&p, w);
    if (s) {
        CHECK_EQ_I(s, TG_ENOMEM);
        CHECK_EQ_I(tg_optim_steps(o), 0);
        CHECK(memcmp(w, before, sizeof w) == 0, "allocation %d: parameters changed", (int)n);
    }
    tg_clear(p.t);
    tg_discard_effects(p.t);
    tg_tape_reset(p.t);
    train_to(&p, o, 3);
    values(&p, w);
    CHECK(memcmp(w, after, sizeof w) == 0, "allocation %d: later steps differ: %s", (int)n, tg_message(p.t));
    tg_optim_free(o);
    problem_free(&p);
    return past;
}

TEST(optim, memory_runs_out) {
    double before[N], after[N];
    problem p = problem_new();
    tg_optim *o = make_adamw_decay(p.m);
    values(&p, before);
    train_to(&p, o, 3);
    values(&p, after);
    tg_optim_free(o);
    problem_free(&p);
    uint64_t n = 1;
    while (n < 5000 && !step_without_memory(n, before, after)) n++;
    CHECK(n > 20 && n < 5000, "%d allocations", (int)n);
}

TEST(optim, no_memory_for_an_optimizer) {
    tg_model *m = tg_model_new(1);
    tg_param(m, "w", TG_SHAPE(3), TG_F32, (tg_init){.kind = TG_INIT_ZEROS});
    uint64_t n = 1, live = tg__alloc_live();
    for (tg_optim *o = NULL; !o && n < 100; n++) {
        tg__alloc_fail_at(n, false);
        o = tg_adam(m, (tg_adam_config){0});
        tg__alloc_fail_at(0, false);
        CHECK(o || tg__alloc_live() == live, "allocation %d: blocks are left", (int)n);
        CHECK(tg_model_ok(m), "%s", tg_model_message(m));
        tg_optim_free(o);
    }
    CHECK(n > 5 && n < 100, "%d allocations", (int)n);
    tg_model_free(m);
}

/* ------------------------------------------------------------------ what is refused */

static void refuses(tg_optim *o, const char *what) {
    CHECK(o == NULL, "%s is accepted", what);
    tg_optim_free(o);
}

TEST(optim, bad_configurations) {
    tg_model *m = tg_model_new(1);
    refuses(tg_sgd(NULL, (tg_sgd_config){0}), "no model");
    refuses(tg_sgd(m, (tg_sgd_config){.lr = -1}), "a negative rate");
    refuses(tg_sgd(m, (tg_sgd_config){.lr = INFINITY}), "an infinite rate");
    refuses(tg_sgd(m, (tg_sgd_config){.momentum = NAN}), "NaN as momentum");
    refuses(tg_sgd(m, (tg_sgd_config){.weight_decay = -1}), "a negative decay");
    refuses(tg_sgd(m, (tg_sgd_config){.common = {.clip_norm = -1}}), "a negative norm");
    refuses(tg_adam(m, (tg_adam_config){.beta1 = 1}), "beta1 = 1");
    refuses(tg_adam(m, (tg_adam_config){.beta2 = -.1}), "a negative beta2");
    refuses(tg_adamw(m, (tg_adamw_config){.beta2 = NAN}), "NaN as beta2");
    refuses(tg_adamw(m, (tg_adamw_config){.eps = -1}), "a negative eps");
    refuses(tg_adamw(m, (tg_adamw_config){.weight_decay = NAN}), "NaN as decay");
    tg_optim_free(NULL);
    tg_model_free(m);
}

static double bad_rate(int64_t step, double lr, void *user) { return step + lr > 0 ? *(double *)user : 0; }

TEST(optim, bad_rates_are_errors_of_the_update) {
    double value = NAN;
    problem p = problem_new();
    tg_optim *o = tg_sgd(p.m, (tg_sgd_config){.common = {.schedule = bad_rate, .schedule_user = &value}});
    CHECK_EQ_I(tg_minimize(o, problem_loss(&p)), TG_EARG);
    CHECK_STR(tg_message(p.t), "learning rate of step 1 is");
    tg_clear(p.t);
    tg_tape_reset(p.t);
    value = -1;
    CHECK_EQ_I(tg_minimize(o, problem_loss(&p)), TG_EARG);
    tg_clear(p.t);
    CHECK_EQ_I(tg_tape_reset(p.t), TG_OK); /* nothing was left to run */
    CHECK_EQ_I(tg_optim_steps(o), 0);
    tg_optim_free(o);
    problem_free(&p);
}

static void again(tg_tape *t, const char *part) {
    CHECK_STR(tg_message(t), part);
    tg_clear(t);
}

TEST(optim, bad_updates) {
    problem p = problem_new(), q = problem_new();
    tg_optim *o = make_adam(p.m);
    tg_tape *t = p.t;
    tg_tensor one = tg_scalar(t, 1, TG_F64), grads[2], params[2] = {p.a, p.b};
    CHECK_EQ_I(tg_update(NULL, one), TG_EARG);
    again(t, "optimizer is NULL: it could not be made");
    CHECK_EQ_I(tg_update(o, one), TG_EARG);
    again(t, "no trainable parameter");
    CHECK_EQ_I(tg_update(o, tg_on(t, p.a)), TG_ESHAPE);
    again(t, "");
    CHECK(tg_update(o, p.a) != TG_OK, "a parameter as loss");
    tg_grad(problem_loss(&p), params, 2, grads);
    CHECK_EQ_I(tg_update_grads(NULL, params, grads, 2), TG_EARG);
    again(t, "optimizer is NULL: it could not be made");
    CHECK_EQ_I(tg_update_grads(o, NULL, grads, 2), TG_EARG);
    again(t, "NULL");
    CHECK(tg_update_grads(o, params, NULL, 2) != TG_OK, "no gradients");
    CHECK_EQ_I(tg_update_grads(o, params, (tg_tensor[]){grads[1], grads[0]}, 2), TG_ESHAPE);
    again(t, "the gradient of a (5) f64 is (2, 3) f64");
    CHECK_EQ_I(tg_update_grads(o, params, (tg_tensor[]){tg_cast(grads[0], TG_F32), grads[1]}, 2), TG_EDTYPE);
    again(t, "is (5) f32");
    CHECK_EQ_I(tg_update_grads(o, (tg_tensor[]){p.a, p.a}, (tg_tensor[]){grads[0], grads[0]}, 2), TG_EARG);
    again(t, "twice");
    CHECK_EQ_I(tg_update_grads(o, &q.a, grads, 1), TG_EARG);
    again(t, "no trainable parameter of the optimizer's model");
    CHECK_EQ_I(tg_tape_reset(t), TG_OK); /* nothing was left to run */
    CHECK_EQ_I(tg_update(o, one), TG_ESTALE);
    again(t, "reset");
    CHECK_EQ_I(tg_optim_steps(o), 0);
    tg_optim_free(o);
    problem_free(&p);
    problem_free(&q);
}

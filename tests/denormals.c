/* tests/denormals.c: numbers below the normal range are flushed to zero on every thread while a run computes, and only then:
 * otherwise the moments of dead units make an optimizer's step many times slower. */
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

#include "check/check.h"
#include "kernels/kernels.h"
#include "tests/test.h"

enum { STEPS = 3000, ALIVE = 20, UNITS = 16 };

/* ------------------------------------------------------------------ ReLUs that die */

typedef struct net {
    tg_tape *t;
    tg_model *m;
    tg_optim *o;
    tg_linear in, out;
} net;

static net net_new(bool eager) {
    net n = {.t = tg_tape_new(), .m = tg_model_new(3)};
    tg_set_eager(n.t, eager);
    tg_set_threads(n.t, 1);
    n.in = tg_linear_new(n.m, "in", 4, UNITS);
    n.out = tg_linear_new(n.m, "out", UNITS, 2);
    n.o = tg_adamw(n.m, (tg_adamw_config){.lr = 1e-3, .beta2 = 0.95});
    return n;
}

static void step(net *n, int i) {
    float x[12], y[6];
    for (int k = 0; k < 12; k++) x[k] = (float)((k * 5 + i) % 7) / 7;
    for (int k = 0; k < 6; k++) y[k] = (float)((k + i) % 3);
    tg_tensor h = tg_relu(tg_linear_apply(n->in, tg_input(n->t, tg_f32(x, TG_SHAPE(3, 4)))));
    tg_minimize(n->o, tg_mse(tg_linear_apply(n->out, h), tg_input(n->t, tg_f32(y, TG_SHAPE(3, 2)))));
    tg_tape_reset(n->t);
}

static void kill_units(net *n) {
    float bias[UNITS];
    for (int i = 0; i < UNITS; i++) bias[i] = -100;
    CHECK_EQ_I(tg_param_write(n->in.bias, tg_f32(bias, TG_SHAPE(UNITS))), TG_OK);
}

typedef struct census {
    int zero, denormal, normal;
} census;

static void take_census(census *c, const tg_model *m, const char *part) {
    for (int i = 0; i < tg_model_count(m); i++) {
        tg_tensor x = tg_model_at(m, i);
        if (tg_dtype_of(x) != TG_F32 || !strstr(tg_param_name(x), part)) continue;
        const float *v = tg_data(x);
        for (int64_t k = 0; k < tg_numel(x); k++) {
            c->zero += v[k] == 0;
            c->denormal += fpclassify(v[k]) == FP_SUBNORMAL;
            c->normal += fpclassify(v[k]) == FP_NORMAL;
        }
    }
}

static void same_models(const tg_model *a, const tg_model *b) {
    CHECK_EQ_I(tg_model_count(a), tg_model_count(b));
    for (int i = 0; i < tg_model_count(a); i++) {
        tg_tensor x = tg_model_at(a, i), y = tg_model_at(b, i);
        bool same = !memcmp(tg_data(x), tg_data(y), (size_t)tg_numel(x) * tg_dtype_size(tg_dtype_of(x)));
        CHECK(same, "eager mode has another %s", tg_param_name(x));
    }
}

static void net_free(net *n) {
    tg_tape_free(n->t);
    tg_optim_free(n->o);
    tg_model_free(n->m);
}

TEST(denormals, moments_of_dead_units_become_zero) {
    net planned = net_new(false), eager = net_new(true);
    for (int i = 0; i < STEPS; i++) {
        if (i == ALIVE) {
            census before = {0};
            take_census(&before, tg_optim_state(planned.o), "in.");
            CHECK(before.normal > UNITS, "only %d moments are not zero while the units live", before.normal);
            kill_units(&planned);
            kill_units(&eager);
        }
        step(&planned, i);
        step(&eager, i);
    }
    CHECK(tg_ok(planned.t) && tg_ok(eager.t), "%s%s", tg_message(planned.t), tg_message(eager.t));
    census after = {0};
    take_census(&after, tg_optim_state(planned.o), "in.");
    CHECK(after.denormal == 0 && after.normal == 0 && after.zero > UNITS, "%d are zero, %d denormal, %d normal", after.zero,
          after.denormal, after.normal);
    same_models(planned.m, eager.m);
    same_models(tg_optim_state(planned.o), tg_optim_state(eager.o));
    net_free(&planned);
    net_free(&eager);
}

/* ------------------------------------------------------------------ every thread */

#if defined(__x86_64__) || defined(__aarch64__)

enum { MOST_TEAM = 8, SIZE = 60000 };

static bool flushes(void) { /* in the calling thread, now */
    volatile float tiny = 1e-40f, one = 1;
    return tiny * one == 0;
}

/* The team of the runtime is the one that the library's regions use. */
static int count_flushing(int team) {
    int n = 0;
#ifdef _OPENMP
#pragma omp parallel num_threads(team) reduction(+ : n)
#endif
    n += flushes();
    return n;
}

static void run_on_tiny_numbers(int team, bool eager) {
    static float x[SIZE];
    for (int i = 0; i < SIZE; i++) x[i] = 1e-40f;
    tg_tape *t = tg_tape_new();
    tg_set_threads(t, team);
    tg_set_eager(t, eager);
    tg_tensor a = tg_input(t, tg_f32(x, TG_SHAPE(SIZE)));
    const float *block = tg_data(tg_scale(a, 1));
    const float *kernel = tg_data(tg_softmax(tg_reshape(tg_scale(a, 3), TG_SHAPE(60, 1000)), -1));
    int denormal = 0;
    for (int i = 0; block && i < SIZE; i++) denormal += block[i] != 0;
    CHECK(block && kernel && denormal == 0, "%d of %d results are denormal, %d threads", denormal, SIZE, team);
    tg_tape_free(t);
}

/* Threads that the library's region starts take their mode from the caller, which is flushing then. */
static void threads_keep_their_mode(bool eager) {
    tg__parallel_grain(1);
    for (int team = MOST_TEAM; team > 0; team--) { /* the first run starts all */
        run_on_tiny_numbers(team, eager);
        CHECK_EQ_I(count_flushing(team), 0);
        unsigned mode = tg__denormals_flush(); /* a caller that flushes goes on flushing */
        run_on_tiny_numbers(team, eager);
        CHECK(flushes(), "the caller's mode is lost, %d threads", team);
        tg__denormals_restore(mode);
        CHECK(!flushes(), "the mode of this thread did not come back");
    }
    tg__parallel_grain(0);
}

static void *in_a_new_thread(void *eager) { /* whose team is new, too */
    threads_keep_their_mode(eager != NULL);
    return NULL;
}

static void from_a_new_thread(bool eager) {
    pthread_t thread;
    static int yes;
    bool started = pthread_create(&thread, NULL, in_a_new_thread, eager ? &yes : NULL) == 0;
    if (started) pthread_join(thread, NULL); /* before the next check: checks are counted by one thread at a time */
    CHECK(started, "no thread");
}

TEST(denormals, threads_keep_their_mode) { from_a_new_thread(false); }
TEST(denormals, threads_keep_their_mode_in_eager_mode) { from_a_new_thread(true); }

#endif

/* Program 9 of the design: threads that serve a model while another trains it. Under the thread sanitizer too. */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/programs.h"

enum { SERVERS = 8, ASKS = 60, STEPS = 60, SIZE = 64 };

typedef struct shared {
    tg_model *m;
    tg_tensor w, b;
    _Atomic int torn, answered, changed, stopped, errors;
    bool eager;
} shared;

/* Every step adds one to all elements of both parameters: whoever sees two different ones saw half a step. */
static bool is_whole(tg_tape *t, tg_tensor w, tg_tensor b, tg_status *s) {
    float x[SIZE] = {1};
    tg_tensor y = tg_sub(tg_matmul(tg_input(t, tg_f32(x, TG_SHAPE(1, SIZE))), w), b);
    float out[SIZE];
    *s = tg_read(y, out, sizeof out);
    for (int i = 0; i < SIZE && !*s; i++)
        if (out[i] != 0) return false;
    return true;
}

static tg_tape *tape_of(const shared *c) {
    tg_tape *t = tg_tape_new();
    tg_set_eager(t, c->eager);
    tg_set_threads(t, 2);
    return t;
}

static void count(shared *c, tg_tape *t, bool whole, tg_status s) {
    c->torn += !whole;
    c->changed += s == TG_ECHANGED;
    c->answered += s == TG_OK;
    c->errors += s != TG_OK && s != TG_ECHANGED;
    tg_clear(t);
    tg_tape_reset(t);
}

static void *serve(void *arg) {
    shared *c = arg;
    tg_tape *t = tape_of(c);
    for (int i = 0; i < ASKS; i++) {
        tg_status s;
        bool whole = is_whole(t, c->w, c->b, &s); /* the live model: whole, or TG_ECHANGED */
        count(c, t, whole || c->eager, s);        /* eager ops read as they are recorded: two steps may be mixed */
        tg_model *copy = tg_model_publish(c->m); /* a snapshot never changes */
        whole = copy && is_whole(t, tg_model_find(copy, "w"), tg_model_find(copy, "b"), &s) && s != TG_ECHANGED;
        count(c, t, whole, s);
        tg_model_free(copy);
    }
    tg_tape_free(t);
    c->stopped++;
    return NULL;
}

static void *train(void *arg) {
    shared *c = arg;
    tg_tape *t = tape_of(c);
    for (int i = 0; i < STEPS; i++) {
        tg_assign(c->w, tg_add_scalar(tg_on(t, c->w), 1));
        tg_assign(c->b, tg_add_scalar(tg_on(t, c->b), 1));
        count(c, t, true, tg_step(t));
    }
    tg_tape_free(t);
    return NULL;
}

static void serve_and_train(bool eager) {
    shared c = {.m = tg_model_new(9), .eager = eager};
    c.w = tg_param(c.m, "w", TG_SHAPE(SIZE, SIZE), TG_F32, (tg_init){0});
    c.b = tg_param(c.m, "b", TG_SHAPE(SIZE), TG_F32, (tg_init){0});
    pthread_t threads[SERVERS + 1];
    int started = 0;
    for (; started < SERVERS; started++)
        if (pthread_create(&threads[started], NULL, serve, &c)) break;
    if (started == SERVERS && !pthread_create(&threads[started], NULL, train, &c)) started++;
    CHECK_EQ_I(started, SERVERS + 1);
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    CHECK_EQ_I(c.torn, 0);
    CHECK_EQ_I(c.errors, 0);
    CHECK_EQ_I(c.stopped, SERVERS);
    CHECK_EQ_I(c.answered + c.changed, 2 * SERVERS * ASKS + STEPS);
    CHECK(c.answered > SERVERS * ASKS, "only %d answers, %d found the model changed", (int)c.answered, (int)c.changed);
    CHECK_EQ_I((int)((const float *)tg_data(c.b))[0], STEPS);
    tg_model_free(c.m);
}

TEST(threads, n09_serving_while_training) { serve_and_train(false); }
TEST(threads, n09_serving_while_training_in_eager_mode) { serve_and_train(true); }

/* ------------------------------------------------------------------ two trainers */

static void *train_against(void *arg) {
    shared *c = arg;
    tg_tape *t = tape_of(c);
    for (int done = 0; done < STEPS;) {
        tg_assign(c->w, tg_add_scalar(tg_on(t, c->w), 1));
        tg_assign(c->b, tg_add_scalar(tg_on(t, c->b), 1));
        tg_status s = tg_step(t);
        done += s == TG_OK;
        if (s) tg_discard_effects(t);
        count(c, t, true, s);
    }
    tg_tape_free(t);
    return NULL;
}

/* A step that another overtook is TG_ECHANGED and changes nothing; recorded again, none is lost. */
TEST(threads, n09_two_trainers_lose_no_step) {
    shared c = {.m = tg_model_new(9)};
    c.w = tg_param(c.m, "w", TG_SHAPE(SIZE, SIZE), TG_F32, (tg_init){0});
    c.b = tg_param(c.m, "b", TG_SHAPE(SIZE), TG_F32, (tg_init){0});
    pthread_t threads[2];
    int started = 0;
    for (; started < 2; started++)
        if (pthread_create(&threads[started], NULL, train_against, &c)) break;
    for (int i = 0; i < started; i++) pthread_join(threads[i], NULL);
    CHECK_EQ_I(started, 2);
    CHECK_EQ_I(c.errors, 0);
    CHECK_EQ_I((int)((const float *)tg_data(c.b))[0], 2 * STEPS);
    CHECK_EQ_I((int)((const float *)tg_data(c.w))[5], 2 * STEPS);
    tg_model_free(c.m);
}

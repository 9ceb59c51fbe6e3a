/* The allocator fails at every point in turn, once or from there on (program 27 of the design). Whatever was under way is
 * TG_ENOMEM and has changed nothing; work goes on and ends with the bits of a run without faults; nothing leaks. */
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>
#include <unistd.h>

#include "engine/engine.h"
#include "tests/test.h"

enum { STEPS = 4, MOST_POINTS = 20000, MOST_MODELS = 8 };

typedef struct world {
    tg_tape *t;
    tg_model *m;
    tg_optim *o;
    tg_linear a, b;
    tg_tensor state;
} world;

/* ------------------------------------------------------------------ a training with all that has a state */

static bool world_make(world *w, bool eager) {
    *w = (world){.t = tg_tape_new(), .m = tg_model_new(27)};
    if (!w->t || !w->m) return false;
    tg_set_eager(w->t, eager);
    w->a = tg_linear_new(w->m, "a", 4, 6);
    w->b = tg_linear_new(w->m, "b", 6, 3);
    w->o = tg_adam(w->m, (tg_adam_config){.lr = .01, .common.clip_norm = 1});
    w->state = tg_state_new(w->t, TG_SHAPE(6), TG_F32);
    return w->o && tg_ok(w->t) && tg_model_ok(w->m);
}

static void world_free(world *w) {
    tg_optim_free(w->o);
    tg_tape_free(w->t);
    tg_model_free(w->m);
}

static tg_tensor loss_of(world *w) {
    float x[20];
    const int64_t labels[] = {2, 0, 1, 1, 2};
    for (int i = 0; i < 20; i++) x[i] = (float)((i * 7) % 11) / 11;
    tg_tensor h = tg_relu(tg_linear_apply(w->a, tg_input(w->t, tg_f32(x, TG_SHAPE(5, 4)))));
    tg_tensor moved = tg_add(tg_scale(tg_on(w->t, w->state), .5), tg_mean(h, TG_AXES(0), false));
    tg_assign(w->state, moved);
    h = tg_dropout(tg_add(h, moved), .3);
    return tg_cross_entropy(tg_linear_apply(w->b, h), tg_input(w->t, tg_i64(labels, TG_SHAPE(5))));
}

static tg_status train_step(world *w) { return tg_minimize(w->o, loss_of(w)); }

/* Everything that a step may change, as bytes. */
typedef struct snapshot {
    uint8_t bytes[4096];
    size_t n;
} snapshot;

static void take(snapshot *s, const void *p, size_t n) {
    if (s->n + n > sizeof s->bytes || !p) return;
    memcpy(s->bytes + s->n, p, n);
    s->n += n;
}

static void take_model(snapshot *s, const tg_model *m) {
    for (int i = 0; i < tg_model_count(m); i++) {
        tg_tensor x = tg_model_at(m, i);
        take(s, tg_data(x), (size_t)tg_numel(x) * tg_dtype_size(tg_dtype_of(x)));
    }
}

static snapshot snapshot_of(world *w) {
    snapshot s = {.n = 0};
    take_model(&s, w->m);
    take_model(&s, tg_optim_state(w->o));
    take(&s, tg_data(w->state), 6 * sizeof(float));
    return s;
}

static bool same(const snapshot *a, const snapshot *b) { return a->n == b->n && memcmp(a->bytes, b->bytes, a->n) == 0; }

/* ------------------------------------------------------------------ every point in turn */

typedef tg_status action(world *w);

typedef struct walk {
    const char *name;
    action *act;
    bool eager, forever, trains; /* trains: the action is one training step */
    int before;                  /* training steps before it, without faults */
    snapshot end, end_without; /* of STEPS training steps without faults, and without the action (which draws random numbers) */
} walk;

/* Tapes and models are given back to a list, not to the system: as many as are needed must be there before counting. */
static void warm_up(void) {
    tg_model *m[MOST_MODELS];
    for (int i = 0; i < MOST_MODELS; i++) m[i] = tg_model_new(0);
    for (int i = 0; i < MOST_MODELS; i++) tg_model_free(m[i]);
    tg_tape_free(tg_tape_new());
}

static void recover(world *w) {
    tg_clear(w->t);
    tg_discard_effects(w->t);
    tg_tape_reset(w->t);
    tg_clear(w->t);
    tg_model_clear(w->m);
}

static snapshot run_without_faults(const walk *k, bool act) {
    world w;
    snapshot end = {.n = 0};
    if (!CHECK(world_make(&w, k->eager), "no world")) return end;
    int steps = 0;
    for (; steps < k->before; steps++, tg_tape_reset(w.t)) train_step(&w);
    if (act) {
        k->act(&w);
        CHECK(tg_ok(w.t), "%s: %s", k->name, tg_message(w.t));
        steps += k->trains;
        recover(&w);
    }
    for (; steps < STEPS; steps++, tg_tape_reset(w.t)) train_step(&w);
    CHECK(tg_ok(w.t), "%s: %s", k->name, tg_message(w.t));
    end = snapshot_of(&w);
    world_free(&w);
    return end;
}

/* With a fault at call n of the action. False: the action made fewer calls. */
static bool fault_at(const walk *k, uint64_t n) {
    world w;
    uint64_t alive = tg__alloc_live();
    if (!CHECK(world_make(&w, k->eager), "no world")) return false;
    int steps = k->before;
    for (int i = 0; i < k->before; i++, tg_tape_reset(w.t)) train_step(&w);
    snapshot before = snapshot_of(&w);
    tg__alloc_fail_at(n, k->forever);
    tg_status s = k->act(&w);
    bool reached = tg__alloc_fail_at(0, false) >= n;
    snapshot after = snapshot_of(&w);
    CHECK(s == TG_OK || s == TG_ENOMEM, "%s, call %llu: %s: %s", k->name, (unsigned long long)n, tg_status_name(s),
          tg_message(w.t));
    CHECK(reached || s == TG_OK, "%s: without a fault: %s", k->name, tg_message(w.t));
    if (s || !k->trains) CHECK(same(&before, &after), "%s, call %llu: something changed", k->name, (unsigned long long)n);
    steps += !s && k->trains;
    recover(&w);
    for (; steps < STEPS; steps++, tg_tape_reset(w.t)) train_step(&w);
    CHECK(tg_ok(w.t), "%s, call %llu, later: %s", k->name, (unsigned long long)n, tg_message(w.t));
    after = snapshot_of(&w);
    CHECK(same(&after, s ? &k->end_without : &k->end), "%s, call %llu: the training ended with other bits", k->name,
          (unsigned long long)n);
    world_free(&w);
    CHECK(tg__alloc_live() == alive, "%s, call %llu: %lld blocks leaked", k->name, (unsigned long long)n,
          (long long)(tg__alloc_live() - alive));
    return reached;
}

static void every_point(const char *name, action *act, bool trains, int before) {
    warm_up();
    for (int i = 0; i < 4; i++) {
        walk k = {.name = name, .act = act, .eager = i / 2, .forever = i % 2, .trains = trains, .before = before};
        k.end = run_without_faults(&k, true);
        k.end_without = run_without_faults(&k, false);
        uint64_t n = 1;
        while (n < MOST_POINTS && fault_at(&k, n)) n++;
        CHECK(n > 1 && n < MOST_POINTS, "%s made %llu calls", name, (unsigned long long)(n - 1));
    }
}

/* ------------------------------------------------------------------ the actions */

TEST(faults, n27_first_step) { every_point("the first step", train_step, true, 0); }
TEST(faults, n27_second_step) { every_point("the second step", train_step, true, 1); } /* whose plan enters the cache */

static tg_status grow_and_train(world *w) { /* the pool and all tables must grow */
    tg_tensor y = tg_on(w->t, w->state);
    for (int i = 0; i < 300; i++) y = tg_sin(tg_add(y, tg_scalar(w->t, i, TG_F32)));
    tg_keep(y);
    tg_want(tg_exp(y));
    return train_step(w);
}

TEST(faults, n27_a_larger_step) { every_point("a larger step", grow_and_train, true, 2); }

static tg_status take_gradients(world *w) {
    tg_tensor x = tg_uniform(w->t, TG_SHAPE(6, 6), TG_F64, -1, 1), g, h, parts[20];
    for (int i = 0; i < 20; i++) parts[i] = tg_slice(x, 0, i % 6, i % 6 + 1, 1);
    tg_tensor y = tg_concat(parts, 20, 0);
    tg_tensor z = tg_sum(tg_square(tg_matmul(y, tg_softmax(x, -1))), TG_ALL_AXES, false);
    tg_grad(z, &x, 1, &g);
    tg_grad(tg_sum(tg_mul(g, x), TG_ALL_AXES, false), &x, 1, &h);
    tg_tensor v = tg_ones(w->t, TG_SHAPE(6, 6), TG_F64), hv;
    tg_hvp(z, &x, &v, 1, &hv);
    tg_tensor all[] = {g, h, hv, tg_jvp(y, &x, &v, 1)};
    tg_run(w->t, all, 4);
    tg_item(z);
    tg_data(h);
    return tg_error(w->t);
}

TEST(faults, n27_gradients) { every_point("gradients", take_gradients, false, 1); }

static void halve(tg_tensor g, tg_tensor y, const tg_tensor *xs, int n, tg_tensor *gs, void *user) {
    (void)y, (void)xs, (void)n, (void)user;
    gs[0] = tg_scale(g, .5);
}

static tg_status mark_keep_rewind(world *w) {
    tg_mark mark = tg_tape_mark(w->t);
    tg_tensor x = tg_uniform(w->t, TG_SHAPE(400), TG_F64, 0, 1);
    for (int i = 0; i < 5 && tg_ok(w->t); i++) {
        tg_push_scope(w->t, i % 2 ? "odd" : "even");
        tg_tensor y = tg_keep(tg_custom_grad(tg_exp(tg_neg(x)), &x, 1, halve, NULL));
        tg_pop_scope(w->t);
        tg_drop(x);
        tg_tape_mark(w->t);
        tg_exp(y);
        tg_rewind(w->t, mark);
        x = y;
    }
    tg_item(tg_sum(x, TG_ALL_AXES, false));
    return tg_error(w->t);
}

TEST(faults, n27_marks_and_kept_values) { every_point("marks", mark_keep_rewind, false, 1); }

static tg_status draw(world *w) {
    FILE *out = tmpfile();
    if (!out) return TG_OK;
    loss_of(w);
    tg_graph_write(w->t, out, &(tg_graph_options){.gradient = true, .plan = true, .title = "a \"graph\""});
    fclose(out);
    return tg_error(w->t);
}

TEST(faults, n27_drawing_the_graph) { every_point("drawing", draw, false, 1); }

/* ------------------------------------------------------------------ files */

static char path[300];

static const char *path_of(const char *name) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, sizeof path, "%s/tapegrad-%ld-%s", folder ? folder : "/tmp", (long)getpid(), name);
    return path;
}

static tg_status save_tape(world *w) {
    loss_of(w);
    tg_tape_save(w->t, path_of("graph.json"), NULL);
    remove(path);
    return tg_error(w->t);
}

TEST(faults, n27_saving_the_tape) { every_point("saving a tape", save_tape, false, 0); }

static tg_status save_and_load(world *w) {
    tg_file_error e;
    tg_status s = tg_save(w->m, path_of("model"), &e);
    if (!s) s = tg_load(w->m, path, &e);
    remove(path);
    return s;
}

TEST(faults, n27_saving_and_loading) { every_point("saving and loading", save_and_load, false, 2); }

static tg_status publish(world *w) {
    tg_model *first = tg_model_publish(w->m), *second = tg_model_publish(w->m);
    tg_status s = first && second ? TG_OK : TG_ENOMEM;
    tg_model_free(first);
    tg_model_free(second);
    return s;
}

TEST(faults, n27_publishing) { every_point("publishing", publish, false, 1); }

/* ------------------------------------------------------------------ making */

static bool make_at(uint64_t n, bool forever) {
    world w;
    uint64_t alive = tg__alloc_live();
    tg__alloc_fail_at(n, forever);
    bool made = world_make(&w, false);
    bool reached = tg__alloc_fail_at(0, false) >= n;
    CHECK(made != reached, "call %llu: the world was %smade", (unsigned long long)n, made ? "" : "not ");
    CHECK(made || !w.t || !w.m || !w.o || tg_error(w.t) == TG_ENOMEM || tg_model_error(w.m) == TG_ENOMEM, "call %llu: no error",
          (unsigned long long)n);
    if (w.m && !w.a.weight.owner) tg_model_clear(w.m);
    world_free(&w);
    CHECK(tg__alloc_live() == alive, "call %llu: %lld blocks leaked", (unsigned long long)n,
          (long long)(tg__alloc_live() - alive));
    return reached;
}

TEST(faults, n27_making) {
    warm_up();
    for (int forever = 0; forever < 2; forever++) {
        uint64_t n = 1;
        while (n < MOST_POINTS && make_at(n, forever)) n++;
        CHECK(n > 10, "only %llu calls", (unsigned long long)n);
    }
}

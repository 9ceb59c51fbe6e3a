/* tests/instructions/count.c CASE: work of the engine for a tool that counts instructions. Only what runs inside `measured` is
 * to be counted; the program prints by how many nodes of the forward recording that is to be divided: what a gradient adds to
 * them depends on the rules, and a rule of fewer nodes must not look like a slower engine. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

#include "engine/planner.h"

enum { CELLS = 60, SIZE = 4, WARM = 40 };

void measured(void (*work)(void *), void *context); /* not static: the tool looks for it by name */
__attribute__((noinline)) void measured(void (*work)(void *), void *context) { work(context); }

typedef struct bench {
    tg_tape *t;
    tg_model *m;
    tg_optim *o;
    tg_linear layer[3];
    tg_tensor w, xs[2], outs[3];
    unsigned variant;
} bench;

/* A gated recurrence over small vectors. The bits of the variant turn operands around: each is a structure of its own. */
static void record(void *context) {
    bench *b = context;
    const float x[SIZE] = {1, 0.5f, -0.25f, 0};
    tg_tensor h = tg_input(b->t, tg_f32(x, TG_SHAPE(1, SIZE)));
    for (int i = 0; i < CELLS; i++) {
        tg_tensor z = tg_matmul(h, b->w), a = tg_sigmoid(tg_slice(z, 1, 0, SIZE, 1));
        tg_tensor c = tg_tanh(tg_slice(z, 1, SIZE, 2 * SIZE, 1));
        h = b->variant >> i % 16 & 1 ? tg_add(tg_mul(a, c), h) : tg_add(h, tg_mul(c, a));
    }
    b->outs[0] = tg_sum(h, TG_ALL_AXES, false);
}

static void differentiate(void *context) {
    bench *b = context;
    tg_grad(b->outs[0], &b->w, 1, &b->outs[1]);
}

static void plan(void *context) {
    bench *b = context;
    const uint32_t roots[2] = {b->outs[0].id, b->outs[1].id};
    tg__plan_note *notes = calloc(tg_stats(b->t).nodes + 1, sizeof *notes);
    if (notes) tg__plan_describe(b->t, roots, 2, notes);
    free(notes);
}

static void step(void *context) { /* 2-16-16-1, tanh, a batch of 4 */
    bench *b = context;
    static const float x[8] = {0, 0, 0, 1, 1, 0, 1, 1}, y[4] = {0, 1, 1, 0};
    tg_tensor h = tg_input(b->t, tg_f32(x, TG_SHAPE(4, 2)));
    for (int i = 0; i < 3; i++) h = i < 2 ? tg_tanh(tg_linear_apply(b->layer[i], h)) : tg_linear_apply(b->layer[i], h);
    tg_minimize(b->o, tg_mse(h, tg_input(b->t, tg_f32(y, TG_SHAPE(4, 1)))));
    tg_tape_reset(b->t);
}

static uint64_t nodes(const bench *b) { return tg_stats(b->t).nodes; }

static void next_recording(bench *b) {
    tg_tape_reset(b->t);
    b->variant++;
}

int main(int argc, char **argv) {
    const char *what = argc == 2 ? argv[1] : "";
    bench b = {.t = tg_tape_new(), .m = tg_model_new(1)};
    tg_set_threads(b.t, 1);
    b.w = tg_param(b.m, "w", TG_SHAPE(SIZE, 2 * SIZE), TG_F32, (tg_init){.kind = TG_INIT_NORMAL, .b = 0.5});
    b.layer[0] = tg_linear_new(b.m, "1", 2, 16);
    b.layer[1] = tg_linear_new(b.m, "2", 16, 16);
    b.layer[2] = tg_linear_new(b.m, "3", 16, 1);
    b.o = tg_sgd(b.m, (tg_sgd_config){.lr = 0.05});
    uint64_t divisor = 1;
    for (int i = 0; i < WARM; i++, next_recording(&b)) { /* memory is there, and interned records are, too */
        record(&b);
        differentiate(&b);
        plan(&b);
    }
    for (int i = 0; i < WARM; i++) step(&b);
    if (!strcmp(what, "record")) {
        measured(record, &b);
        divisor = nodes(&b);
    } else if (!strcmp(what, "gradient")) {
        record(&b);
        divisor = nodes(&b);
        measured(differentiate, &b);
    } else if (!strcmp(what, "plan")) {
        record(&b);
        divisor = nodes(&b);
        differentiate(&b);
        measured(plan, &b);
    } else if (!strcmp(what, "step")) {
        measured(step, &b);
    } else {
        fprintf(stderr, "usage: %s record|gradient|plan|step\n", argv[0]);
        return 2;
    }
    bool ok = tg_ok(b.t);
    if (ok) printf("divide by %llu\n", (unsigned long long)divisor);
    else fprintf(stderr, "%s\n", tg_message(b.t));
    tg_tape_free(b.t);
    tg_optim_free(b.o);
    tg_model_free(b.m);
    return !ok;
}

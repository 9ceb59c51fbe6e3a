/* tests/programs.h: the user programs of the design, each a test that runs by the plain executor first, then planned, then
 * planned in debug memory. What a program sees must be equal bit for bit.
 *
 *     PROGRAM(n01_loss_twice) {
 *         tg_tensor x = tg_input(r->t, ...);
 *         see(r, tg_item(x));
 *     } */
#ifndef TG_TESTS_PROGRAMS_H
#define TG_TESTS_PROGRAMS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

#include "engine/engine.h"
#include "tests/test.h"

typedef enum program_way { EAGER, PLANNED, POISONED, WAYS } program_way;

typedef struct program_run {
    tg_tape *t;
    program_way way;
    double seen[256];
    int n;
} program_run;

/* Counts towards the comparison of the ways. */
static inline double see(program_run *r, double value) {
    if (r->n < (int)(sizeof r->seen / sizeof *r->seen)) r->seen[r->n++] = value;
    return value;
}

static inline void see_all(program_run *r, tg_tensor x) {
    int64_t n = tg_numel(x);
    const void *data = tg_data(x);
    for (int64_t i = 0; i < n && data; i++)
        see(r, tg_dtype_of(x) == TG_F64 ? ((const double *)data)[i] : (double)((const float *)data)[i]);
}

static inline void run_every_way(void (*program)(program_run *)) {
    static program_run runs[WAYS];
    for (int way = 0; way < WAYS; way++) {
        program_run *r = &runs[way];
        *r = (program_run){.t = tg_tape_new(), .way = (program_way)way};
        r->t->debug_memory = way == POISONED;
        tg_set_eager(r->t, way == EAGER);
        program(r);
        CHECK(tg_ok(r->t), "way %d: %s", way, tg_message(r->t));
        tg_tape_free(r->t);
        CHECK_EQ_I(r->n, runs[EAGER].n);
        bool same = memcmp(r->seen, runs[EAGER].seen, sizeof *r->seen * (size_t)r->n) == 0;
        CHECK(same, "way %d saw other bits than eager mode", way);
    }
}

#define PROGRAM(name) PROGRAM_IN(programs, name)
#define PROGRAM_IN(group, name)                          \
    static void program_##name(program_run *r);          \
    TEST(group, name) { run_every_way(program_##name); } \
    static void program_##name(program_run *r)

/* Small tensors of numbers made by a formula. */
static inline tg_tensor numbers_like(tg_tape *t, tg_shape s, tg_dtype d, double seed) {
    int64_t n = tg_shape_numel(&s);
    double *v = malloc((size_t)(n + 1) * sizeof *v);
    for (int64_t i = 0; i < n; i++) v[i] = sin(seed + 1.7 * (double)i) * 1.5;
    float *f = (float *)v;
    for (int64_t i = 0; i < n && d == TG_F32; i++) f[i] = (float)v[i];
    tg_tensor x = tg_input(t, (tg_array){d, s, v});
    free(v);
    return x;
}

static inline tg_tensor sum_of(tg_tensor x) { return tg_sum(x, TG_ALL_AXES, false); }

#endif

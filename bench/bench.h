/* bench/bench.h: how a case is timed, checked and bounded. A case makes its work and hands a step of it to bench_time; the step
 * ends in bench_end, which looks at the results where somebody asked for them. */
#ifndef TG_BENCH_H
#define TG_BENCH_H

#include <tapegrad.h>

typedef struct bench_case {
    const char *name;
    void (*run)(const char *name);
} bench_case;

extern const bench_case bench_limits[], bench_overhead[], bench_elementwise[], bench_matmul[], bench_network[], bench_models[],
    bench_images[], bench_sequences[], bench_trees[], bench_shape[], bench_memory[];

extern int bench_threads;

double bench_now(void); /* seconds */

/* Times fn(ctx) in seconds per call, divided by `per` and printed in `unit` ("ns/op", "us", "ms", ...). */
void bench_time(const char *name, void (*fn)(void *ctx), void *ctx, double per, const char *unit);
void bench_emit(const char *name, double *values, int n, const char *unit);

/* The end of a step: its results, then tg_tape_reset. */
void bench_end(tg_tape *t, const tg_tensor *results, int n);

/* Stops the program with the tape's message if it has an error. */
void bench_check(const tg_tape *t);
tg_tape *bench_tape(void); /* with the number of threads asked for */

/* Runs this program with other arguments, which end with NULL (child.c): the most memory that it had, in KiB. Stops the program
 * if the child fails. */
long bench_child(char *const arguments[]);
void bench_first_gradient(void); /* a program of one gradient: its start is timed */

/* ------------------------------------------------------------------ numbers (numbers.c) */

/* Inputs of a case: the same in each run, and in torch_cases.py. The caller frees them. bench_fill gives the parameters of a
 * model values in the same way. */
void bench_numbers_restart(void);
float *bench_floats(size_t n); /* uniform in [-1.7, 1.7) */
int32_t *bench_integers(int32_t bound, size_t n);
void bench_fill(tg_model *m);
uint32_t bench_hash(uint32_t index, uint32_t seed); /* 24 bits */
float bench_random(void);                           /* [0, 1): a sequence */

/* ------------------------------------------------------------------ bounds (limits.c, cost.c) */

/* What no program can do without: operations, and bytes of inputs, parameters and results, each once. */
typedef struct bench_cost {
    double flops, bytes;
} bench_cost;
bench_cost bench_cost_of(const tg_tape *t, const tg_tensor *results, int n); /* of a recording whose step has run */

/* The seconds that the machine needs for it at its measured limits. */
double bench_bound(bench_cost c);

#endif

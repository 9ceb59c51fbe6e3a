/* bench/bench.h: how a case is timed: warm up, repeat, print the median and minimum as one JSON line. */
#ifndef TG_BENCH_H
#define TG_BENCH_H

#include <tapegrad.h>

typedef struct bench_case {
    const char *name;
    void (*run)(const char *name);
} bench_case;

extern const bench_case bench_overhead[], bench_elementwise[], bench_matmul[], bench_network[], bench_models[],
    bench_shape[];

extern int bench_threads;

double bench_now(void); /* seconds */

/* Times fn(ctx) in seconds per call, divided by `per` and printed in `unit` ("ns/op", "us", "ms", ...). */
void bench_time(const char *name, void (*fn)(void *ctx), void *ctx, double per, const char *unit);
void bench_emit(const char *name, double *values, int n, const char *unit);

/* Random numbers for inputs; a fixed sequence. */
float bench_random(void);
float *bench_floats(size_t n); /* normal-like values; freed by the caller */

void bench_child(void); /* the program that a start is timed with */

/* Stops the program with the tape's message if it has an error. */
void bench_check(const tg_tape *t);
tg_tape *bench_tape(void); /* with the number of threads asked for */

#endif

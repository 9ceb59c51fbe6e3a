/* bench: times the cases whose names match a regular expression. bench [--cases REGEX] [--threads N] */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int bench_threads = 1;

double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void bench_emit(const char *name, double *values, int n, const char *unit) {
    qsort(values, (size_t)n, sizeof *values, ascending);
    printf("{\"name\": \"%s\", \"threads\": %d, \"median\": %.6g, \"min\": %.6g, \"unit\": \"%s\", \"repeats\": %d}\n", name,
           bench_threads, values[n / 2], values[0], unit, n);
    fflush(stdout);
}

static double scale_of(const char *unit) {
    return strncmp(unit, "ns", 2) == 0 ? 1e9 : strncmp(unit, "us", 2) == 0 ? 1e6 : strncmp(unit, "ms", 2) == 0 ? 1e3 : 1;
}

#define REPEATS 21
#define BUDGET 3.0 /* seconds */

void bench_time(const char *name, void (*fn)(void *ctx), void *ctx, double per, const char *unit) {
    double start = bench_now();
    do fn(ctx);
    while (bench_now() - start < 0.2);
    start = bench_now();
    fn(ctx);
    double once = bench_now() - start;
    int inner = once < 0.02 ? (int)(0.02 / (once > 1e-7 ? once : 1e-7)) : 1;
    int repeats = (int)(BUDGET / (once * inner));
    if (repeats > REPEATS) repeats = REPEATS;
    if (repeats < 5) repeats = 5;
    double values[REPEATS];
    for (int r = 0; r < repeats; r++) {
        start = bench_now();
        for (int i = 0; i < inner; i++) fn(ctx);
        values[r] = (bench_now() - start) / inner / per * scale_of(unit);
    }
    bench_emit(name, values, repeats, unit);
}

float bench_random(void) {
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (float)(state >> 40) * (1.0f / 16777216.0f);
}

float *bench_floats(size_t n) {
    float *x = malloc((n ? n : 1) * sizeof *x);
    if (!x) exit(1);
    for (size_t i = 0; i < n; i++) x[i] = (bench_random() + bench_random() + bench_random() + bench_random() - 2) * 1.7f;
    return x;
}

void bench_check(const tg_tape *t) {
    if (tg_ok(t)) return;
    fprintf(stderr, "%s\n", tg_message(t));
    exit(1);
}

tg_tape *bench_tape(void) {
    tg_tape *t = tg_tape_new();
    if (!t) exit(1);
    tg_set_threads(t, bench_threads);
    return t;
}

static int run_matching(const bench_case *cases, const regex_t *re) {
    int n = 0;
    for (; cases->name; cases++)
        if (regexec(re, cases->name, 0, NULL, 0) == 0) {
            cases->run(cases->name);
            n++;
        }
    return n;
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "--first-gradient") == 0) bench_child();
    const char *pattern = ".*";
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--cases") == 0)
            pattern = argv[i + 1];
        else if (strcmp(argv[i], "--threads") == 0)
            bench_threads = atoi(argv[i + 1]);
        else
            return fprintf(stderr, "usage: bench [--cases REGEX] [--threads N]\n"), 2;
    }
    regex_t re;
    if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) || bench_threads < 1)
        return fprintf(stderr, "bench: bad regular expression or number of threads\n"), 2;
    const bench_case *const groups[] = {bench_overhead, bench_elementwise, bench_matmul, bench_shape,
                                        bench_network, bench_models};
    int n = 0;
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) n += run_matching(groups[g], &re);
    regfree(&re);
    if (!n) return fprintf(stderr, "bench: no case matches %s\n", pattern), 1;
    return 0;
}

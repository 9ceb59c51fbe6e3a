/* bench: times the cases whose names match a regular expression, a line of JSON for each.
 *
 *   bench [--cases REGEX] [--threads N] [--budget SECONDS]
 *   bench --list       the names
 *   bench --check      runs each case on 1, 2 and 3 threads without timing it: the same bits, and finite
 *   bench --serve      a line with the case's value and bound, then a line for each one read: a round of timing
 *   bench --profile    where a step's time goes, by kernel */
#define _POSIX_C_SOURCE 200809L
#include "bench.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

int bench_threads = 1;
static double budget = 3; /* seconds */
static enum mode { TIME, CHECK, SERVE, PROFILE, PEAK } mode;

double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ------------------------------------------------------------------ looking at a step */

static struct sight {
    bool on, profiled;
    int steps;
    double start;
    double value;  /* of all steps: the mean absolute values of the results, added up */
    uint64_t bits; /* of all results */
    bench_cost cost;
} sight;

static double mean_magnitude(const float *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += fabs((double)x[i]);
    return n ? sum / (double)n : 0;
}

static void look(tg_tape *t, const tg_tensor *results, int n) {
    sight.steps++;
    sight.cost = bench_cost_of(t, results, n);
    for (int i = 0; i < n; i++) {
        const void *x = tg_data(results[i]);
        bench_check(t);
        sight.bits = XXH3_64bits_withSeed(x, (size_t)tg_numel(results[i]) * tg_dtype_size(tg_dtype_of(results[i])), sight.bits);
        if (tg_dtype_of(results[i]) == TG_F32) sight.value += mean_magnitude(x, tg_numel(results[i]));
    }
}

static void print_profile(const tg_tape *t) {
    tg_profile_row rows[64];
    int n = tg_profile_rows(t, rows, 64);
    for (int i = 0; i < n && i < 64; i++)
        printf("%12.3f us %6llu calls  %s\n", (double)rows[i].ns / 1e3, (unsigned long long)rows[i].calls, rows[i].name);
}

void bench_end(tg_tape *t, const tg_tensor *results, int n) {
    if (sight.on) look(t, results, n);
    if (sight.profiled) print_profile(t);
    tg_profile(t, mode == PROFILE);
    tg_tape_reset(t);
}

static void look_at(void (*fn)(void *ctx), void *ctx, int steps) {
    sight = (struct sight){.on = true, .start = bench_now()};
    for (int i = 0; i < steps; i++) fn(ctx);
    sight.on = false;
}

/* ------------------------------------------------------------------ timing */

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double scale_of(const char *unit) {
    return strncmp(unit, "ns", 2) == 0 ? 1e9 : strncmp(unit, "us", 2) == 0 ? 1e6 : strncmp(unit, "ms", 2) == 0 ? 1e3 : 1;
}

void bench_emit(const char *name, double *values, int n, const char *unit) {
    if (mode == CHECK) return;
    qsort(values, (size_t)n, sizeof *values, ascending);
    printf("{\"name\": \"%s\", \"threads\": %d, \"median\": %.6g, \"min\": %.6g, \"unit\": \"%s\", \"repeats\": %d", name,
           bench_threads, values[n / 2], values[0], unit, n);
    if (sight.steps) {
        double bound = bench_bound(sight.cost) * scale_of(unit);
        printf(", \"bound\": %.6g, \"flops\": %.6g, \"bytes\": %.6g", bound, sight.cost.flops, sight.cost.bytes);
    }
    puts("}");
    fflush(stdout);
    sight.steps = 0;
}

enum { REPEATS = 21 };

static double seconds_of(void (*fn)(void *ctx), void *ctx, int times) {
    double start = bench_now();
    for (int i = 0; i < times; i++) fn(ctx);
    return (bench_now() - start) / times;
}

/* Seconds of a call, in ascending order. A first one that is slow enough counts. */
static int one_round(void (*fn)(void *ctx), void *ctx, double values[REPEATS]) {
    double begin = bench_now(), once = seconds_of(fn, ctx, 1);
    int inner = (int)(0.02 / (once > 1e-7 ? once : 1e-7)), n = 0;
    if (inner <= 1) inner = 1, values[n++] = once;
    while (n == 0 || (n < REPEATS && bench_now() - begin < budget)) values[n++] = seconds_of(fn, ctx, inner);
    qsort(values, (size_t)n, sizeof *values, ascending);
    return n;
}

/* More steps, until some time has passed since the first one was looked at. */
static void warm_up(void (*fn)(void *ctx), void *ctx) {
    while (bench_now() - sight.start < 0.3) fn(ctx);
}

static void serve(const char *name, void (*fn)(void *ctx), void *ctx, double per) {
    double values[REPEATS];
    warm_up(fn, ctx);
    printf("{\"name\": \"%s\", \"threads\": %d, \"isa\": \"%s\"", name, bench_threads, tg_isa());
    if (sight.steps)
        printf(", \"value\": %.10g, \"bound\": %.6g, \"flops\": %.6g, \"bytes\": %.6g", sight.value,
               bench_bound(sight.cost) / per, sight.cost.flops, sight.cost.bytes);
    puts("}");
    fflush(stdout);
    for (int c; (c = getchar()) != EOF;) {
        if (c != '\n') continue;
        int n = one_round(fn, ctx, values);
        printf("{\"seconds\": %.6g}\n", values[n / 2] / per);
        fflush(stdout);
    }
}

void bench_time(const char *name, void (*fn)(void *ctx), void *ctx, double per, const char *unit) {
    if (mode == PEAK) {
        for (int i = 0; i < 5; i++) fn(ctx);
        return;
    }
    look_at(fn, ctx, mode == CHECK ? 2 : 3); /* three, as torch_cases.py */
    if (mode == CHECK) return;
    if (mode == SERVE) {
        serve(name, fn, ctx, per);
        return;
    }
    warm_up(fn, ctx);
    if (mode == PROFILE) {
        printf("%s, %d threads\n", name, bench_threads);
        sight.profiled = true;
        fn(ctx);
        sight.profiled = false;
        return;
    }
    double values[REPEATS];
    int n = one_round(fn, ctx, values);
    for (int i = 0; i < n; i++) values[i] *= scale_of(unit) / per;
    sight.cost.flops /= per, sight.cost.bytes /= per;
    bench_emit(name, values, n, unit);
}

/* ------------------------------------------------------------------ for the cases */

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

/* ------------------------------------------------------------------ the program */

static void run_case(const bench_case *c) {
    bench_numbers_restart();
    sight = (struct sight){0};
    c->run(c->name);
}

static int passed, failed;

static void check_case(const bench_case *c) {
    uint64_t bits[3];
    for (int i = 0; i < 3; i++) {
        bench_threads = i + 1;
        run_case(c);
        if (!sight.steps) return; /* looks at no results */
        bits[i] = sight.bits;
    }
    bool good = bits[0] == bits[1] && bits[0] == bits[2] && isfinite(sight.value);
    if (good)
        passed++;
    else
        failed++;
    printf("%s %-40s %.9g\n", good ? "ok  " : "FAIL", c->name, sight.value);
}

static int visit(const bench_case *cases, const regex_t *re, void (*fn)(const bench_case *)) {
    int n = 0;
    for (; cases->name; cases++)
        if (regexec(re, cases->name, 0, NULL, 0) == 0) {
            fn(cases);
            n++;
        }
    return n;
}

static void print_name(const bench_case *c) { puts(c->name); }

static int usage(void) {
    fprintf(stderr, "usage: bench [--cases REGEX] [--threads N] [--budget SECONDS] [--list | --check | --serve | --profile]\n");
    return 2;
}

int main(int argc, char **argv) {
    const char *pattern = ".*";
    void (*fn)(const bench_case *) = run_case;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--first-gradient") == 0)
            bench_first_gradient();
        else if (strcmp(argv[i], "--list") == 0)
            fn = print_name;
        else if (strcmp(argv[i], "--check") == 0)
            mode = CHECK, fn = check_case;
        else if (strcmp(argv[i], "--serve") == 0)
            mode = SERVE;
        else if (strcmp(argv[i], "--profile") == 0)
            mode = PROFILE;
        else if (strcmp(argv[i], "--peak") == 0)
            mode = PEAK;
        else if (!value)
            return usage();
        else if (strcmp(argv[i], "--cases") == 0)
            pattern = argv[++i];
        else if (strcmp(argv[i], "--threads") == 0)
            bench_threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--budget") == 0)
            budget = atof(argv[++i]);
        else
            return usage();
    }
    regex_t re;
    if (bench_threads < 1 || regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB)) return usage();
    const bench_case *const groups[] = {bench_limits,    bench_overhead, bench_elementwise, bench_matmul,
                                        bench_shape,     bench_network,  bench_models,      bench_images,
                                        bench_sequences, bench_trees,    bench_memory};
    int n = 0;
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) n += visit(groups[g], &re, fn);
    regfree(&re);
    if (!n) return fprintf(stderr, "bench: no case matches %s\n", pattern), 1;
    if (mode == CHECK) printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

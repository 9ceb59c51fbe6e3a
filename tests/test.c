/* tests/test.c: the table of tests, the checks, and the running of one test. */
#define _GNU_SOURCE
#include "tests/test.h"

#include <fnmatch.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#elif __has_feature(thread_sanitizer)
#define WITH_TSAN
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN
#elif defined(__SANITIZE_THREAD__)
#define WITH_TSAN
#endif

#define MOST_TESTS 4096
#define MOST_FAILURES_SHOWN 20
#define MOST_SECONDS 600

static const test *table[MOST_TESTS];
static int count;
static bool sorted;

static const test *running;
static test_result result;

/* ------------------------------------------------------------------ the table */

void test_add(test *t) {
    if (count == MOST_TESTS) abort();
    table[count++] = t;
}

static int order(const void *a, const void *b) {
    const test *s = *(const test *const *)a, *t = *(const test *const *)b;
    int by = strcmp(s->group, t->group);
    if (!by) by = strcmp(s->file, t->file);
    return by ? by : s->line - t->line;
}

int test_count(void) { return count; }

const test *test_running(void) { return running; }

const test *test_get(int i) {
    if (!sorted) qsort(table, (size_t)count, sizeof *table, order);
    sorted = true;
    return table[i];
}

bool test_matches(const test *t, const char *p) {
    char name[256];
    snprintf(name, sizeof name, "%s/%s", t->group, t->name);
    return strstr(name, p) || fnmatch(p, name, 0) == 0;
}

const char *test_data_dir(void) {
    const char *dir = getenv("TG_DATA");
    return dir && *dir ? dir : NULL;
}

/* ------------------------------------------------------------------ checks */

bool test_pass(void) {
    result.checks++;
    return true;
}

bool test_fail(const char *file, int line, const char *check, const char *format, ...) {
    result.checks++;
    if (++result.failed > MOST_FAILURES_SHOWN) return false;
    fflush(stdout);
    fprintf(stderr, "%s:%d: %s/%s: not true: %s: ", file, line, running->group, running->name, check);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "%s\n", result.failed == MOST_FAILURES_SHOWN ? " (further failures of this test are only counted)" : "");
    return false;
}

bool test_equal(const char *file, int line, const char *check, long long got, long long want) {
    return got == want ? test_pass() : test_fail(file, line, check, "is %lld, not %lld", got, want);
}

bool test_near(const char *file, int line, const char *check, double got, double want, double tolerance) {
    bool near = got == want || (isnan(got) && isnan(want)) || fabs(got - want) <= tolerance;
    return near ? test_pass() : test_fail(file, line, check, "is %.17g, not %.17g within %g", got, want, tolerance);
}

bool test_contains(const char *file, int line, const char *check, const char *text, const char *part) {
    if (!text) return test_fail(file, line, check, "is NULL; \"%s\" should be in it", part);
    return strstr(text, part) ? test_pass() : test_fail(file, line, check, "is \"%s\"; \"%s\" should be in it", text, part);
}

void test_skip(const char *why) { result.skipped = why; }

/* ------------------------------------------------------------------ running one */

static void say_where(const char *what) {
    char line[300];
    int n = snprintf(line, sizeof line, "\n%s: %s/%s\n", what, running ? running->group : "?", running ? running->name : "?");
    if (write(STDERR_FILENO, line, (size_t)n) < 0) return;
}

static void on_alarm(int signal) {
    (void)signal;
    say_where("took too long");
    _exit(124);
}

#ifdef WITH_ASAN
#include <sanitizer/common_interface_defs.h>
#include <sanitizer/lsan_interface.h>

static void on_death(void) { say_where("stopped by a sanitizer"); }

static void watch_crashes(void) { __sanitizer_set_death_callback(on_death); }

/* Leaks stay leaks: after the first test that leaks, only the check at exit speaks. */
static void check_leaks(void) {
    static bool seen;
    if (seen) return;
    seen = __lsan_do_recoverable_leak_check() != 0;
    if (seen) test_fail(running->file, running->line, "no leak", "memory leaked");
}
#else
static void check_leaks(void) {}
#endif

#ifdef WITH_TSAN
static void watch_crashes(void) {}
#endif

#if !defined(WITH_ASAN) && !defined(WITH_TSAN)
static void on_crash(int signal) {
    say_where("crashed");
    raise(signal);
}

static void watch_crashes(void) {
    static char stack[1 << 16];
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = sizeof stack}, NULL);
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)(SA_RESETHAND | SA_ONSTACK)};
    const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
}
#endif

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

test_result test_run(const test *t) {
    running = t;
    result = (test_result){0};
    watch_crashes();
    signal(SIGALRM, on_alarm);
    const char *seconds = getenv("TG_SECONDS");
    alarm(seconds ? (unsigned)atoi(seconds) : MOST_SECONDS);
    double start = now();
    t->run();
    result.seconds = now() - start;
    alarm(0);
    check_leaks();
    if (!result.checks && !result.skipped) test_fail(t->file, t->line, "checks", "the test checks nothing");
    return result;
}

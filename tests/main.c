/* tests/main.c: the own front end: all tests, or those that a pattern names, in this one process.
 *
 *   tests [-l] [-q] [--planted] [pattern...]
 *
 * -l lists them, -q prints failures and totals only, --planted runs the tests that fail on purpose instead of the others.
 * A pattern that names no test is a failure: a run must not be green because it was empty. */
#include "tests/test.h"

#include <string.h>

typedef struct totals {
    int passed, failed, skipped;
    long checks, failed_checks;
    double seconds;
} totals;

static void add(totals *sum, const test_result *r) {
    sum->passed += !r->skipped && !r->failed;
    sum->failed += r->failed > 0;
    sum->skipped += r->skipped && !r->failed;
    sum->checks += r->checks - r->failed;
    sum->failed_checks += r->failed;
    sum->seconds += r->seconds;
}

static void print_test(const test *t, const test_result *r) {
    const char *verdict = r->failed ? "FAILED" : r->skipped ? "skip" : "ok";
    printf("  %-6s %s/%-32s %9ld checks %8.3f s", verdict, t->group, t->name, r->checks, r->seconds);
    if (r->skipped) printf("  (%s)", r->skipped);
    printf("\n");
    fflush(stdout);
}

static void print_group(const char *group, const totals *sum) {
    long checks = sum->checks + sum->failed_checks;
    printf("%-12s %ld checks in %d tests, %.2f s", group, checks, sum->passed + sum->failed, sum->seconds);
    if (sum->failed) printf(", %d tests FAILED", sum->failed);
    printf("\n");
}

static int print_totals(const totals *sum) {
    printf("checks: %ld passed, %ld failed\n", sum->checks, sum->failed_checks);
    printf("%d passed, %d failed", sum->passed, sum->failed);
    if (sum->skipped) printf(", %d skipped", sum->skipped);
    printf("\n");
    return sum->failed ? 1 : 0;
}

static bool chosen(const test *t, char **patterns, int n, bool planted) {
    if (t->planted != planted) return false;
    for (int i = 0; i < n; i++)
        if (test_matches(t, patterns[i])) return true;
    return n == 0;
}

static bool names_a_test(const char *pattern, bool planted) {
    for (int i = 0; i < test_count(); i++)
        if (test_get(i)->planted == planted && test_matches(test_get(i), pattern)) return true;
    fprintf(stderr, "no test matches '%s'\n", pattern);
    return false;
}

int main(int argc, char **argv) {
    bool list = false, quiet = false, planted = false;
    int first = 1;
    for (; first < argc && argv[first][0] == '-'; first++) {
        if (!strcmp(argv[first], "-l")) list = true;
        else if (!strcmp(argv[first], "-q")) quiet = true;
        else if (!strcmp(argv[first], "--planted")) planted = true;
        else return fprintf(stderr, "usage: %s [-l] [-q] [--planted] [pattern...]\n", argv[0]), 2;
    }
    char **patterns = argv + first;
    int n = argc - first;
    for (int i = 0; i < n; i++)
        if (!names_a_test(patterns[i], planted)) return 1;

    totals all = {0}, group = {0};
    const char *name = NULL;
    for (int i = 0; i < test_count(); i++) {
        const test *t = test_get(i);
        if (!chosen(t, patterns, n, planted)) continue;
        if (list) {
            printf("%s/%s\n", t->group, t->name);
            continue;
        }
        if (name && strcmp(name, t->group)) {
            print_group(name, &group);
            group = (totals){0};
        }
        name = t->group;
        test_result r = test_run(t);
        add(&group, &r);
        add(&all, &r);
        if (!quiet || r.failed) print_test(t, &r);
    }
    if (list) return 0;
    if (!name) return fprintf(stderr, "there is no test\n"), 1;
    print_group(name, &group);
    return print_totals(&all);
}

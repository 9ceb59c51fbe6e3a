/* tests/test.h: the harness. A test is a plain function in a table that builds itself:
 *
 *     TEST(shapes, broadcast_of_scalars) {
 *         CHECK(tg_ok(t), "message %s", tg_message(t));
 *         CHECK_EQ_I(tg_numel(y), 6);
 *     }
 *
 * Two front ends run the table: tests/main.c in one process (also under sanitizers and Valgrind, which Criterion's workers hide
 * from), tests/criterion.c with a process for each test. A failing check is printed and counted, and the test goes on.
 * Check in the test's own thread only. */
#ifndef TG_TEST_H
#define TG_TEST_H

#include <stdbool.h>
#include <stdio.h>

typedef struct test {
    const char *group, *name, *file;
    int line;
    bool planted; /* fails on purpose, to test the harness: runs only when asked for */
    void (*run)(void);
    struct test *next;
} test;

#define TEST(group, name) TEST__DEFINE(group, name, false)
#define TEST_PLANTED(name) TEST__DEFINE(planted, name, true)

#define TEST__DEFINE(group, name, planted)                                                                        \
    static void test_##group##_##name(void);                                                                      \
    __attribute__((constructor)) static void test_add_##group##_##name(void) {                                    \
        static test t = {#group, #name, __FILE__, __LINE__, planted, test_##group##_##name, NULL};                \
        test_add(&t);                                                                                             \
    }                                                                                                             \
    static void test_##group##_##name(void)

/* Every check is true if it holds, so that a test may stop: if (!CHECK(p, "no memory")) return; */
#define CHECK(holds, ...) test_verdict((holds) ? test_pass() : test_fail(__FILE__, __LINE__, #holds, __VA_ARGS__))
#define CHECK_EQ_I(got, want) test_equal(__FILE__, __LINE__, #got, got, want)
/* |got - want| <= tolerance; a NaN equals a NaN, an infinity itself */
#define CHECK_NEAR(got, want, tolerance) test_near(__FILE__, __LINE__, #got, got, want, tolerance)
/* text contains part */
#define CHECK_STR(text, part) test_contains(__FILE__, __LINE__, #text, text, part)

/* Ends the test, which then counts as skipped: what it needs is not there. */
#define SKIP(why)       \
    do {                \
        test_skip(why); \
        return;         \
    } while (0)

const char *test_data_dir(void); /* folder of real data (TG_DATA), or NULL: skip */

static inline bool test_verdict(bool ok) { return ok; } /* may be ignored without a warning */
bool test_pass(void);
bool test_fail(const char *file, int line, const char *check, const char *format, ...) __attribute__((format(printf, 4, 5)));
bool test_equal(const char *file, int line, const char *check, long long got, long long want);
bool test_near(const char *file, int line, const char *check, double got, double want, double tolerance);
bool test_contains(const char *file, int line, const char *check, const char *text, const char *part);
void test_skip(const char *why);

/* ------------------------------------------------------------------ for the front ends */

typedef struct test_result {
    long checks, failed;
    double seconds;
    const char *skipped; /* why, or NULL */
} test_result;

void test_add(test *t);
int test_count(void);
const test *test_running(void);                  /* what runs now */
const test *test_get(int i);                     /* sorted by group, then by place in the source */
bool test_matches(const test *t, const char *p); /* p is a glob on "group/name", or a part of it */
test_result test_run(const test *t);             /* a leak is a failed check under LeakSanitizer; a crash names the test */

#endif

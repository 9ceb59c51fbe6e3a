/* tests/planted.c: tests that fail on purpose. tests/harness runs each and demands a red result: the tests are tested. */
#include "tests/test.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <tapegrad.h>

TEST_PLANTED(good_check) { CHECK(true, "holds"); }

TEST_PLANTED(failing_check) {
    CHECK(true, "holds");
    CHECK(1 + 1 == 3, "the message of %s", "a planted failure");
}

TEST_PLANTED(failing_helpers) {
    CHECK_EQ_I(2, 3);
    CHECK_NEAR(1.0, 1.1, 0.01);
    CHECK_NEAR(0.0 / (double)(getenv("PATH") == NULL), 1.0, 1e9);
    CHECK_STR("some text", "another");
    CHECK_STR((char *)NULL, "anything");
}

TEST_PLANTED(no_check) {}

TEST_PLANTED(crash) {
    CHECK(true, "before the crash");
    raise(SIGSEGV);
}

static void twice_the_gradient(tg_vjp_args *v) {
    if (tg_vjp_needs(v, 0)) tg_vjp_give(v, 0, tg_scale(tg_mul(v->g[0], tg_cos(v->in[0])), 2));
}

TEST_PLANTED(wrong_gradient) {
    tg_op op = *tg_op_find("sin");
    op.vjp = twice_the_gradient;
    tg_op_report r;
    CHECK(tg_op_check(&op, NULL, false, &r) == 0, "%s", r.first_failure);
}

static void *volatile lost;

TEST_PLANTED(leak) {
    lost = malloc(77);
    CHECK(lost != NULL, "no memory");
    lost = NULL;
}

TEST_PLANTED(overflow) {
    char *volatile p = malloc(8); /* volatile: the compiler must not see the size */
    if (!CHECK(p != NULL, "no memory")) return;
    ((volatile char *)p)[8] = 1;
    free(p);
}

TEST_PLANTED(undefined) {
    volatile int big = INT_MAX;
    big = big + 1;
    CHECK(true, "after the overflow");
}

static int shared;

static void *count_up(void *unused) {
    (void)unused;
    for (int i = 0; i < 1000; i++) shared++;
    return NULL;
}

TEST_PLANTED(race) {
    pthread_t other;
    CHECK_EQ_I(pthread_create(&other, NULL, count_up, NULL), 0);
    count_up(NULL);
    pthread_join(other, NULL);
}

/* tests/scopes.c: scopes are known again by parent and name, however many there are and however long their paths. */
#include "engine/engine.h"
#include "tests/test.h"

#include <stdlib.h>
#include <tapegrad.h>
#include <time.h>

TEST(scopes, long_paths_are_known_again) {
    char name[601] = {0};
    memset(name, 'n', 600);
    tg_tape *t = tg_tape_new();
    uint32_t first[3];
    for (int again = 0; again < 3; again++, tg_tape_reset(t)) {
        for (int depth = 0; depth < 3; depth++) {
            tg_push_scope(t, name);
            if (!again) first[depth] = t->scope;
            CHECK_EQ_I(t->scope, first[depth]);
            CHECK_EQ_I((long long)strlen(tg__scope_path(t, t->scope)), 600 * (depth + 1) + depth);
        }
        tg_add(tg_zeros(t, TG_SHAPE(2), TG_F32), tg_zeros(t, TG_SHAPE(3), TG_F32)); /* its message has room for what fits */
        CHECK_EQ_I(tg_error(t), TG_ESHAPE);
        tg_clear(t);
    }
    CHECK_EQ_I(t->n_scopes, 4);
    tg_tape_free(t);
}

TEST(scopes, names_with_dots_and_none) {
    tg_tape *t = tg_tape_new();
    tg_push_scope(t, "a");
    tg_push_scope(t, "b");
    uint32_t nested = t->scope;
    tg_tape_reset(t);
    tg_push_scope(t, "a.b"); /* the same path, another scope */
    CHECK(t->scope != nested, "a.b is a, b");
    CHECK(!strcmp(tg__scope_path(t, t->scope), "a.b"), "%s", tg__scope_path(t, t->scope));
    tg_push_scope(t, "");
    CHECK(!strcmp(tg__scope_path(t, t->scope), "a.b."), "%s", tg__scope_path(t, t->scope));
    tg_push_scope(t, NULL);
    CHECK(!strcmp(tg__scope_path(t, t->scope), "a.b..?"), "%s", tg__scope_path(t, t->scope));
    tg_tape_free(t);
}

/* Forty thousand scopes of one parent: quadratic work took seconds. */
TEST(scopes, many_in_linear_time) {
    enum { N = 40000 };
    tg_tape *t = tg_tape_new();
    clock_t start = clock();
    for (int again = 0; again < 2; again++)
        for (int i = 0; i < N; i++) {
            char name[16];
            snprintf(name, sizeof name, "%d", i);
            tg_push_scope(t, name);
            tg_pop_scope(t);
        }
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    CHECK(seconds < 2, "%.2f s", seconds);
    CHECK_EQ_I(t->n_scopes, N + 1);
    tg_tape_free(t);
}

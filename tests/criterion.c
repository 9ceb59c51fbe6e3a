/* tests/criterion.c: the second front end: Criterion runs every test of the table in a process of its own, so that one that
 * crashes stops no other, and none leans on what another left. TG_TESTS=pattern chooses; TG_PLANTED=1 runs the tests that
 * fail on purpose instead. A test that skips passes here; tests/main.c says which those are.
 *
 * Criterion's worker starts this program again and gets a parameter's bytes only; so the parameter is a place in the table. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include "tests/test.h"

#include <stdlib.h>

static bool chosen(const test *t) {
    const char *pattern = getenv("TG_TESTS");
    return t->planted == (getenv("TG_PLANTED") != NULL) && (!pattern || test_matches(t, pattern));
}

ParameterizedTestParameters(tapegrad, test) {
    int *places = cr_malloc(sizeof *places * (size_t)(test_count() + 1));
    size_t n = 0;
    for (int i = 0; i < test_count(); i++)
        if (chosen(test_get(i))) places[n++] = i;
    return cr_make_param_array(int, places, n);
}

ParameterizedTest(const int *place, tapegrad, test) {
    const test *t = test_get(*place);
    test_result r = test_run(t);
    cr_assert(r.failed == 0, "%s/%s: %ld of %ld checks failed", t->group, t->name, r.failed, r.checks);
}
